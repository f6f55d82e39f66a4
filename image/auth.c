/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * auth.json and config.json have the same form: "auths", by registry, each with "auth", the base64 of user:password.
 * The longest key that is the name's beginning counts. Helpers (programs that know a password) are not run.
 */
#include "image/auth.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, char **ret)
{
	size_t len = strcspn(text, "="), size = 0;
	cleanup_free char *out = malloc(len * 3 / 4 + 1);
	unsigned int bits = 0, count = 0;

	if (!out)
		return -EINVAL;
	if (text[len + strspn(text + len, "=")] != '\0' || len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (unsigned int)v;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[size++] = (char)(bits >> count & 0xff);
		}
	}
	out[size] = '\0';
	*ret = steal_ptr(&out);
	return (int)size;
}

/* How well a key fits: the length of what it says, 0 for not at all. docker's key is a URL. */
static size_t key_fit(const char *key, const char *registry, const char *path)
{
	size_t len = strlen(registry), rest;
	const char *tail;

	if (str_eq(registry, "docker.io") && (str_eq(key, "https://index.docker.io/v1/") || str_eq(key, "index.docker.io")))
		return len;
	if (str_starts(key, "https://"))
		key += strlen("https://");
	else if (str_starts(key, "http://"))
		key += strlen("http://");
	if (strncmp(key, registry, len) != 0)
		return 0;
	tail = key + len;
	if (!*tail || str_eq(tail, "/") || str_starts(tail, "/v1") || str_starts(tail, "/v2"))
		return len;
	if (*tail++ != '/')
		return 0;
	rest = strlen(tail);
	return strncmp(path, tail, rest) == 0 && (path[rest] == '/' || !path[rest]) ? len + 1 + rest : 0;
}

static int entry_read(const json_t *entry, const char *registry, char **ret)
{
	const char *auth = json_string_value(json_object_get(entry, "auth")),
		   *user = json_string_value(json_object_get(entry, "username")),
		   *password = json_string_value(json_object_get(entry, "password"));
	cleanup_free char *pair = NULL;

	if (user && password)
		return str_format(ret, "%s:%s", user, password);
	if (!auth || !*auth)
		return AUTH_NONE;
	if (base64_decode(auth, &pair) < 0 || !strchr(pair, ':'))
		return fail_plain(EINVAL, "credentials for '%s': 'auth' is not base64 of USER:PASSWORD", registry);
	*ret = steal_ptr(&pair);
	return 0;
}

/* Return: 0, AUTH_NONE, or a recorded failure. */
static int file_find(const char *file, const char *registry, const char *path, char **ret)
{
	cleanup_json json_t *v = NULL;
	const json_t *best = NULL;
	size_t best_fit = 0;
	json_t *entry;
	const char *key;
	int r;

	if (access(file, R_OK) < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return AUTH_NONE;
	r = json_read_at(AT_FDCWD, file, NULL, &v);
	if (r < 0)
		return r;
	json_object_foreach(json_object_get(v, "auths"), key, entry) {
		size_t fit = key_fit(key, registry, path);

		if (fit > best_fit) {
			best_fit = fit;
			best = entry;
		}
	}
	r = best ? entry_read(best, registry, ret) : AUTH_NONE;
	if (r == AUTH_NONE && json_object_get(json_object_get(v, "credHelpers"), registry))
		return fail_plain(ENOTSUP, "'%s' names a credential helper for '%s', which is not run: give --creds", file,
				  registry);
	return r;
}

int auth_find(const char *file, const char *registry, const char *path, char **ret)
{
	const char *env = getenv("REGISTRY_AUTH_FILE"), *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME"),
		   *config = getenv("XDG_CONFIG_HOME"), *docker = getenv("DOCKER_CONFIG");
	struct str_list files = { .items = NULL };
	int r = 0;

	if (!file && env && *env)
		file = env;
	if (file) {
		if (access(file, R_OK) < 0)
			return fail(errno, "credentials '%s'", file);
		return file_find(file, registry, path, ret);
	}
	if (runtime)
		r = str_list_addf(&files, "%s/containers/auth.json", runtime);
	if (r >= 0)
		r = str_list_addf(&files, "/run/containers/%u/auth.json", geteuid());
	if (r >= 0 && config)
		r = str_list_addf(&files, "%s/containers/auth.json", config);
	else if (r >= 0 && home)
		r = str_list_addf(&files, "%s/.config/containers/auth.json", home);
	if (r >= 0 && docker)
		r = str_list_addf(&files, "%s/config.json", docker);
	else if (r >= 0 && home)
		r = str_list_addf(&files, "%s/.docker/config.json", home);
	if (r >= 0)
		r = AUTH_NONE;
	for (size_t i = 0; i < files.count && r == AUTH_NONE; i++)
		r = file_find(files.items[i], registry, path, ret);
	str_list_done(&files);
	return r;
}

/* One `name="value"` or name=value. Return: what is behind it, or NULL. */
static const char *parameter_read(const char *c, char **ret_name, char **ret_value)
{
	size_t name = strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), n = 0;
	const char *v = c + name;

	if (name == 0 || *v != '=')
		return NULL;
	v++;
	*ret_name = strndup(c, name);
	*ret_value = malloc(strlen(v) + 1);
	if (!*ret_name || !*ret_value)
		return NULL;
	if (*v != '"') {
		n = strcspn(v, ", \t");
		memcpy(*ret_value, v, n);
		(*ret_value)[n] = '\0';
		return v + n;
	}
	for (v++; *v && *v != '"'; v++) {
		if (*v == '\\' && v[1])
			v++;
		(*ret_value)[n++] = *v;
	}
	(*ret_value)[n] = '\0';
	return *v == '"' ? v + 1 : NULL;
}

void challenge_done(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){ .bearer = 0 };
}

static int parameters_read(const char *c, struct challenge *ret)
{
	while (c && *(c += strspn(c, ", \t"))) {
		cleanup_free char *name = NULL, *value = NULL;
		const char *next = parameter_read(c, &name, &value);
		char **place;

		if (!next)
			return fail_plain(EINVAL, "the registry's WWW-Authenticate header cannot be read");
		place = strcasecmp(name, "realm") == 0   ? &ret->realm :
			strcasecmp(name, "service") == 0 ? &ret->service :
			strcasecmp(name, "scope") == 0   ? &ret->scope :
							   NULL;
		if (place && !*place)
			*place = steal_ptr(&value);
		c = next;
	}
	return 0;
}

int challenge_parse(const char *header, struct challenge *ret)
{
	struct challenge c = { .bearer = strncasecmp(header, "Bearer ", 7) == 0 };
	char shown[STR_QUOTE_SIZE];
	int r = 0;

	if (!c.bearer && strncasecmp(header, "Basic", 5) != 0)
		return fail_plain(ENOTSUP, "the registry asks for %s, only Basic and Bearer are known",
				  str_quote(shown, header));
	if (c.bearer)
		r = parameters_read(header + 7, &c);
	if (r >= 0 && c.bearer && !c.realm)
		r = fail_plain(EINVAL, "the registry's WWW-Authenticate header has no realm");
	if (r < 0) {
		challenge_done(&c);
		return r;
	}
	*ret = c;
	return 0;
}
