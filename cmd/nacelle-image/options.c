/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table of all options; a row names the verbs that take it. Options may stand among the operands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/nacelle-image/verb.h"

enum kind { KIND_TEXT, KIND_FLAG, KIND_LIST };

struct row {
	const char *name;
	char letter;
	enum kind kind;
	size_t offset;
	const char *argument;
	const char *verbs;	/* NULL: all */
	const char *help;
};

#define TEXT(name, letter, member, argument, verbs, help)                                          \
	{ name, letter, KIND_TEXT, offsetof(struct settings, member), argument, verbs, help }
#define FLAG(name, letter, member, verbs, help)                                                    \
	{ name, letter, KIND_FLAG, offsetof(struct settings, member), NULL, verbs, help }

/* clang-format off */
static const struct row rows[] = {
	TEXT("store", 0, store, "DIR", NULL, "another store than the usual one"),
	TEXT("default-registry", 0, registry, "HOST", NULL, "what a name without a registry means (docker.io)"),
	FLAG("quiet", 'q', quiet, NULL, "say nothing but results"),
	FLAG("help", 'h', help, NULL, "print this"),
	TEXT("name", 'n', name, "NAME", " load ", "name the image so"),
	TEXT("platform", 0, platform, "OS/ARCH", " pull load ", "of several images, the one for this platform"),
	TEXT("authfile", 0, authfile, "FILE", " pull push ", "where the registries' credentials stand"),
	TEXT("creds", 0, creds, "USER:PASSWORD", " pull push ", "credentials for this registry"),
	FLAG("plain-http", 0, plain_http, " pull push ", "without TLS; for other than loopback addresses"),
	FLAG("insecure", 0, insecure, " pull push ", "with TLS, but do not check the certificate"),
	TEXT("policy", 0, policy, "FILE", " pull load ", "whom to trust (containers-policy.json(5))"),
	{ "change", 'c', KIND_LIST, offsetof(struct settings, changes), "KEY=VALUE", " import commit ",
	  "set part of the config: CMD, ENTRYPOINT (JSON lists), ENV, USER, WORKDIR, LABEL, EXPOSE, VOLUME, STOPSIGNAL" },
	TEXT("output", 'o', output, "FILE", " export ", "write to a file"),
	TEXT("as", 0, as, "NAME", " tar ", "the folder or file itself, under this name"),
	TEXT("uidmap", 0, uids, "IN:OUT:SIZE[,...]", " tar untar ", "users in the tar are IN, those of the files OUT"),
	TEXT("gidmap", 0, gids, "IN:OUT:SIZE[,...]", " tar untar ", "the same for groups"),
	TEXT("format", 0, format, "FORMAT", " images inspect history ", "table or json"),
	FLAG("all", 'a', all, " prune ", "images without a container too"),
	FLAG("no-trunc", 0, no_trunc, " images history ", "print ids in full"),
	FLAG("force", 'f', force, " rmi ", "remove an image with all its names; one that is not there is fine"),
	FLAG("repair", 0, repair, " verify ", "unpack damaged layers anew"),
	{ .name = NULL },
};
/* clang-format on */

static bool row_fits(const struct row *row, const char *verb)
{
	char word[32];

	if (!row->verbs)
		return true;
	if (!verb)
		return false;
	(void)snprintf(word, sizeof(word), " %s ", verb);
	return strstr(row->verbs, word) != NULL;
}

void options_print(const char *verb)
{
	for (const struct row *row = rows; row->name; row++) {
		char letter[] = { '-', row->letter, ',', ' ', '\0' };
		int n;

		if (!row_fits(row, verb))
			continue;
		n = printf("  %s--%s%s%s", row->letter ? letter : "    ", row->name, row->argument ? " " : "",
			   row->argument ? row->argument : "");
		(void)printf("%*s%s\n", n < 32 ? 32 - n : 1, "", row->help);
	}
}

static const struct row *row_find(const char *verb, const char *name, size_t length, char letter)
{
	for (const struct row *row = rows; row->name; row++) {
		bool named = name ? strlen(row->name) == length && strncmp(row->name, name, length) == 0 :
				    row->letter == letter;

		if (named && row_fits(row, verb))
			return row;
	}
	return NULL;
}

static int row_store(const struct row *row, const char *value, struct settings *s)
{
	void *place = (char *)s + row->offset;

	switch (row->kind) {
	case KIND_FLAG: *(bool *)place = true; return 0;
	case KIND_TEXT: *(const char **)place = value; return 0;
	case KIND_LIST: return str_list_add(place, value);
	}
	return 0;
}

static int option_fail(const char *verb, const char *word)
{
	const char *names[ARRAY_SIZE(rows)] = { NULL }, *near;
	size_t n = 0;

	for (const struct row *row = rows; row->name; row++) {
		if (row_fits(row, verb))
			names[n++] = row->name;
	}
	near = word[1] == '-' ? str_nearest(word + 2, names) : NULL;
	if (near)
		return usage_fail(verb, "unknown option '%s', did you mean '--%s'?", word, near);
	return usage_fail(verb, "unknown option '%s'", word);
}

/* One word that begins with a dash. Return: 1 when it took the next word too, 0, or a recorded failure. */
static int option_read(const char *verb, char *word, char *next, struct settings *s)
{
	bool is_long = word[1] == '-';
	size_t length = is_long ? strcspn(word + 2, "=") : 0;
	const struct row *row = is_long ? row_find(verb, word + 2, length, 0) : row_find(verb, NULL, 0, word[1]);
	char *value = is_long ? (word[2 + length] ? word + 3 + length : NULL) : (word[2] ? word + 2 : NULL);
	int r;

	if (!row)
		return option_fail(verb, word);
	if (row->kind == KIND_FLAG)
		return value ? option_fail(verb, word) : row_store(row, NULL, s);
	if (!value && !next)
		return usage_fail(verb, "--%s needs %s", row->name, row->argument);
	r = row_store(row, value ? value : next, s);
	return r < 0 ? r : !value;
}

int options_read(const char *verb, int argc, char **argv, struct settings *ret)
{
	int kept = 0, at = 1;

	for (; at < argc; at++) {
		char *word = argv[at];
		int r;

		if (str_eq(word, "--")) {
			at++;
			break;
		}
		if (word[0] != '-' || !word[1]) {
			argv[1 + kept++] = word;
			continue;
		}
		r = option_read(verb, word, argv[at + 1], ret);
		if (r < 0)
			return r;
		at += r;
	}
	while (at < argc)
		argv[1 + kept++] = argv[at++];
	return kept;
}
