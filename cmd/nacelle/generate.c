/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `generate systemd`: a unit for a stack, or for the container of a spec file. After a boot there is nothing of either but
 * what their files say; so the unit makes them from there, and takes all of them away when it is stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/json.h"
#include "runtime/bundle.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct generate_options {
	struct stack_options stack;
};

#define GENERATE(member) offsetof(struct generate_options, member)

const struct option_row generate_options[] = {
	{ "name", 0, OPTION_STRING, GENERATE(stack.name), "NAME", "name of the stack or the container" },
	STACK_OPTION_ENV_FILE(struct generate_options, stack),
	STACK_OPTION_PROFILE(struct generate_options, stack),
	{ .name = NULL },
};

/* A word of a command in a unit: quoted, and nothing in it is a variable or a specifier. Source: systemd.service(5), COMMAND LINES. */
static int word_add(char **line, const char *word)
{
	char *quoted = malloc(2 * strlen(word) + 3), *to = quoted;
	cleanup_free char *old = steal_ptr(line);
	int r;

	if (!quoted)
		return fail(ENOMEM, "write a unit");
	*to++ = '"';
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			*to++ = '\\';
		else if (*word == '%' || *word == '$')
			*to++ = *word;
		*to++ = *word;
	}
	memcpy(to, "\"", 2);
	r = str_format(line, "%s%s%s", old ? old : "", old ? " " : "", quoted);
	free(quoted);
	return r;
}

/* "KEY=PROGRAM --root … WORDS": a line of the unit. @words: ended by NULL. */
static int line_print(const struct globals *globals, const char *key, const char *const *words)
{
	char program[PATH_MAX];
	cleanup_free char *line = NULL;
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int r = 0;

	if (n < 0)
		return fail(errno, "find our own program");
	program[n] = '\0';
	/* The twin is the other one's to start, which stands beside it, or where it is installed. */
	if (str_ends(program, "/nacelle-shared")) {
		program[n - (ssize_t)strlen("-shared")] = '\0';
		r = word_add(&line, access(program, X_OK) == 0 ? program : NACELLE_BINDIR "/nacelle");
	} else {
		r = word_add(&line, program);
	}
	if (r == 0 && !str_eq(globals->place.root, "/run/nacelle"))
		r = word_add(&line, "--root") < 0 ? -ENOMEM : word_add(&line, globals->place.root);
	if (r == 0 && !str_eq(globals->place.data, "/var/lib/nacelle"))
		r = word_add(&line, "--data") < 0 ? -ENOMEM : word_add(&line, globals->place.data);
	if (r == 0 && globals->place.systemd_cgroup)
		r = word_add(&line, "--systemd-cgroup");
	for (; r == 0 && *words; words++)
		r = word_add(&line, *words);
	if (r == 0)
		(void)printf("%s%s\n", key, line);
	return r;
}

static void head_print(const char *what, const char *name)
{
	(void)printf("[Unit]\nDescription=nacelle: %s %s\nAfter=network-online.target\nWants=network-online.target\n\n[Service]\n", what, name);
}

static void tail_print(void)
{
	(void)printf("\n[Install]\nWantedBy=%s\n", geteuid() == 0 ? "multi-user.target" : "default.target");
}

static int absolute(const char *file, char **ret)
{
	*ret = realpath(file, NULL);
	if (!*ret)
		return fail(errno, "'%s'", file);
	return strpbrk(*ret, "\n\r") ? fail_plain(EINVAL, "the name of the file has a line break in it") : 0;
}

/* --- a stack --------------------------------------------------------------------------------------- */

static int options_add(struct str_list *words, const char *option, const struct str_list *values, bool paths)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < values->count; i++) {
		cleanup_free char *path = NULL;

		r = paths ? absolute(values->items[i], &path) : 0;
		if (r == 0)
			r = str_list_add(words, option);
		if (r == 0)
			r = str_list_add(words, path ? path : values->items[i]);
	}
	return r;
}

static int stack_print(const struct globals *globals, const struct generate_options *o, const char *file, const char *name)
{
	struct str_list up = { .items = NULL };
	const char *const down[] = { "down", name, NULL };
	int r = str_list_add(&up, "up");

	if (r == 0)
		r = str_list_add(&up, "--name");
	if (r == 0)
		r = str_list_add(&up, name);
	if (r == 0)
		r = options_add(&up, "--env-file", &o->stack.env_files, true);
	if (r == 0)
		r = options_add(&up, "--profile", &o->stack.profiles, false);
	if (r == 0)
		r = str_list_add(&up, file);
	if (r == 0) {
		head_print("the stack", name);
		(void)printf("Type=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\n");
		r = line_print(globals, "ExecStart=", (const char *const *)up.items);
	}
	/* An edit of the file is taken over by a reload. */
	if (r == 0)
		r = line_print(globals, "ExecReload=", (const char *const *)up.items);
	if (r == 0)
		r = line_print(globals, "ExecStop=", down);
	if (r == 0)
		tail_print();
	str_list_done(&up);
	return r;
}

static int stack_unit(const struct globals *globals, const struct generate_options *o, const char *file)
{
	struct stack stack = { .name = NULL };
	int r = stack_load(globals, &o->stack, file, NULL, &stack);

	if (r == 0)
		r = stack_print(globals, o, file, stack.name);
	stack_done(&stack);
	return r;
}

/* --- a container ----------------------------------------------------------------------------------- */

/* In front of us: systemd sees its end, and starts it again as the unit says. */
static int front_print(const struct globals *globals, const char *name, const char *file)
{
	int r;

	(void)printf("Type=exec\nRestart=on-failure\nKillMode=mixed\n");
	r = line_print(globals, "ExecStart=", (const char *const[]){ "run", "--name", name, file, NULL });
	/* With the spec's own signal and time, where systemd's would be ignored by a payload that is pid 1. */
	return r < 0 ? r : line_print(globals, "ExecStop=", (const char *const[]){ "stop", name, NULL });
}

/* With a keeper: what the spec asks of it (a policy, a health check) is its to do. */
static int kept_print(const struct globals *globals, const char *name, const char *file)
{
	int r;

	(void)printf("Type=oneshot\nRemainAfterExit=yes\n");
	r = line_print(globals, "ExecStart=", (const char *const[]){ "run", "--detach", "--name", name, file, NULL });
	return r < 0 ? r : line_print(globals, "ExecStop=", (const char *const[]){ "stop", name, NULL });
}

static int container_print(const struct globals *globals, const char *name, const char *file, bool kept)
{
	const char *const remove[] = { "delete", "--force", name, NULL };
	int r;

	head_print("the container", name);
	/* What a killed one has left. */
	r = line_print(globals, "ExecStartPre=", remove);
	if (r == 0)
		r = (kept ? kept_print : front_print)(globals, name, file);
	if (r == 0)
		r = line_print(globals, "ExecStopPost=", remove);
	if (r == 0)
		tail_print();
	return r;
}

static int container_unit(const struct globals *globals, const struct generate_options *o, const char *file)
{
	struct bundle bundle = { .folder = NULL };
	struct service service = { .restart = RESTART_NO };
	const char *name;
	int r = bundle_load_file(file, NULL, &bundle);

	if (r < 0)
		return r;
	name = o->stack.name ? o->stack.name : spec_annotation(bundle.spec, SHORT_ANNOTATION "name");
	r = name ? state_id_check(name) : fail_plain(EINVAL, "%s has no 'name': say one by --name", file);
	if (r == 0)
		r = service_read(&bundle.spec->annotations, &service);
	if (r == 0)
		r = container_print(globals, name, file, service_needs_keeper(&service));
	service_done(&service);
	bundle_done(&bundle);
	return r;
}

int cmd_generate(const struct globals *globals, int argc, char **argv)
{
	struct generate_options o = { .stack = { .name = NULL } };
	cleanup_json json_t *v = NULL;
	cleanup_free char *file = NULL;
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 2, 2, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!str_eq(operands.items[0], "systemd"))
		r = usage_fail(globals->command, "usage: nacelle generate %s", globals->command->synopsis);
	if (r == 0)
		r = absolute(operands.items[1], &file);
	if (r == 0)
		r = json_read_at(AT_FDCWD, file, operands.items[1], &v);
	if (r == 0)
		r = (json_object_get(v, "services") ? stack_unit : container_unit)(globals, &o, file);
	stack_options_done(&o.stack);
	return r;
}
