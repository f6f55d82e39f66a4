/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short keys that become the `process` object: what runs, as whom, in which environment. */
#include "runtime/spec-short-internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/spec-internal.h"
#include "runtime/spec-short.h"

enum { ENV_FILE_MAX = 1024 * 1024 };

/* Who a name stands for is known only inside the root; until somebody looked it up there, it is nobody. */
enum { ID_NOBODY = 65534 };

int short_args(struct short_form *s, const struct json_at *at, json_t *v)
{
	int r = short_strings_check(at, v, false);

	if (r < 0)
		return r;
	json_decref(s->args);
	s->args = json_incref(v);
	s->args_of_image = false;
	return 0;
}

int short_entrypoint(struct short_form *s, const struct json_at *at, json_t *v)
{
	int r = short_strings_check(at, v, false);

	if (r < 0)
		return r;
	json_decref(s->entrypoint);
	s->entrypoint = json_incref(v);
	if (!s->args_of_image)
		return 0;
	/* An image's Cmd are words for its own entrypoint; docker drops them too. */
	json_decref(s->args);
	s->args = NULL;
	s->args_of_image = false;
	return 0;
}

int short_args_join(struct short_form *s)
{
	json_t *process, *args;

	if (!json_object_get(s->current, "args") && !json_object_get(s->current, "entrypoint") &&
	    !json_object_get(s->current, "image"))
		return 0;
	process = short_section(s->doc, "process");
	args = json_array();
	if (!process || !args || (s->entrypoint && json_array_extend(args, s->entrypoint) < 0) ||
	    (s->args && json_array_extend(args, s->args) < 0)) {
		json_decref(args);
		return process ? fail(ENOMEM, "make a spec") : -EINVAL;
	}
	return short_set(process, "args", args);
}

/* A name without '=' is taken from our own environment; one that is not there is left out, as docker does. */
static int env_put(struct short_form *s, const struct json_at *at, const char *text)
{
	cleanup_free char *assignment = NULL;
	const char *value;
	int r;

	if (!*text || *text == '=')
		return json_fail(at, "must begin with a name");
	if (strchr(text, '='))
		return short_env_put(s->doc, text);
	value = getenv(text);
	if (!value)
		return 0;
	r = str_format(&assignment, "%s=%s", text, value);
	return r < 0 ? r : short_env_put(s->doc, assignment);
}

static int env_member_put(struct short_form *s, const struct json_at *at, const char *name,
			  json_t *v)
{
	cleanup_free char *assignment = NULL;
	uint64_t wide;
	int r;

	if (!*name || strchr(name, '='))
		return json_fail(at, "is not the name of a variable");
	if (json_is_wide(v, &wide))
		r = str_format(&assignment, "%s=%" PRIu64, name, wide);
	else if (json_is_string(v))
		r = str_format(&assignment, "%s=%s", name, json_string_value(v));
	else if (json_is_integer(v))
		r = str_format(&assignment, "%s=%" PRId64, name, (int64_t)json_integer_value(v));
	else if (json_is_boolean(v))
		r = str_format(&assignment, "%s=%s", name, json_is_true(v) ? "true" : "false");
	else
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	return r < 0 ? r : short_env_put(s->doc, assignment);
}

int short_env(struct short_form *s, const struct json_at *at, json_t *v)
{
	const char *name;
	json_t *item;
	size_t i;
	int r;

	if (!json_is_object(v)) {
		if (!json_is_array(v))
			return json_fail(at, "must be an object or an array of strings, not %s",
					 json_type_text(v));
		r = short_strings_check(at, v, true);
		if (r < 0)
			return r;
	}
	json_object_foreach(v, name, item) {
		r = env_member_put(s, &(struct json_at){ .up = at, .key = name }, name, item);
		if (r < 0)
			return r;
	}
	json_array_foreach(v, i, item) {
		r = env_put(s, &(struct json_at){ .up = at, .index = i }, json_string_value(item));
		if (r < 0)
			return r;
	}
	return 0;
}

static int env_file_lines(struct short_form *s, const struct json_at *at, const char *path,
			  char *text, size_t size)
{
	char *line = text, *end = text + size;

	if (memchr(text, '\0', size))
		return json_fail(at, "%s holds a NUL character", path);
	for (unsigned int number = 1; line < end; number++) {
		char *next = line + strcspn(line, "\n");
		int r = 0;

		*next = '\0';
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (*line && *line != '#')
			r = env_put(s, at, line);
		if (r < 0)
			return fail_in(r, "%s line %u", path, number);
		line = next + 1;
	}
	return 0;
}

static int env_file_read(struct short_form *s, const struct json_at *at, const char *name)
{
	cleanup_free char *path = NULL, *text = NULL;
	char quoted[STR_QUOTE_SIZE];
	cleanup_fd int fd = -1;
	struct stat st;
	size_t size;
	int r;

	r = short_path(s, at, name, &path);
	if (r < 0)
		return r;
	(void)str_quote(quoted, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return json_fail(at, "open %s: %s", quoted, error_text(-r));
	}
	if (!S_ISREG(st.st_mode))
		return json_fail(at, "%s is not a regular file", quoted);
	r = fd_read_all(fd, ENV_FILE_MAX, &text, &size);
	if (r < 0)
		return json_fail(at, "read %s: %s", quoted, error_text(-r));
	return env_file_lines(s, at, quoted, text, size);
}

int short_env_file(struct short_form *s, const struct json_at *at, json_t *v)
{
	size_t i;
	json_t *item;
	int r;

	if (json_is_string(v))
		return env_file_read(s, at, json_string_value(v));
	r = short_strings_check(at, v, true);
	if (r < 0)
		return r;
	json_array_foreach(v, i, item) {
		r = env_file_read(s, &(struct json_at){ .up = at, .index = i },
				  json_string_value(item));
		if (r < 0)
			return r;
	}
	return 0;
}

/* One half of "user:group". Return: 1 a number, 0 a name, or a recorded failure. */
static int id_read(const struct json_at *at, const char *text, uint32_t *ret_id)
{
	char quoted[STR_QUOTE_SIZE];
	uint64_t id;

	if (str_to_u64(text, UINT32_MAX - 1, &id) == 0) {
		*ret_id = (uint32_t)id;
		return 1;
	}
	/* What looks like a number is none that is out of range, never a name. */
	if (!*text || !text[strspn(text, "+-0123456789")])
		return json_fail(at, "%s is not an id (0 to 4294967294)", str_quote(quoted, text));
	if (*text == '-' || strpbrk(text, "/:, \t\n"))
		return json_fail(at, "%s is not a name", str_quote(quoted, text));
	*ret_id = ID_NOBODY;
	return 0;
}

int short_user(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_free char *name = NULL;
	uint32_t uid, gid = 0;
	json_t *user, *annotations;
	bool named = false;
	char *colon;
	int r;

	if (!json_is_string(v))
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	r = str_copy(&name, json_string_value(v));
	if (r < 0)
		return r;
	colon = strchr(name, ':');
	if (colon)
		*colon++ = '\0';
	r = id_read(at, name, &uid);
	if (r < 0)
		return r;
	/* A number alone may have a line in the root's passwd, which knows its group; 0 is 0 everywhere. */
	named = r == 0 || (!colon && uid != 0);
	if (r == 0 && !colon)
		gid = ID_NOBODY;
	if (colon) {
		r = id_read(at, colon, &gid);
		if (r < 0)
			return r;
		named = named || r == 0;
	}
	user = short_section(s->doc, "process.user");
	annotations = short_section(s->doc, "annotations");
	if (!user || !annotations)
		return -EINVAL;
	r = short_set(user, "uid", json_integer(uid));
	if (r == 0)
		r = short_set(user, "gid", json_integer(gid));
	(void)json_object_del(annotations, SHORT_ANNOTATION "user");
	if (r < 0 || !named)
		return r;
	return short_annotate(s->doc, "user", json_string_value(v));
}

int short_cwd(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *process = short_section(s->doc, "process");

	if (!json_is_string(v))
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	if (*json_string_value(v) != '/')
		return json_fail(at, "must be an absolute path");
	return process ? short_set(process, "cwd", json_incref(v)) : -EINVAL;
}

int short_tty(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *process = short_section(s->doc, "process");

	if (!json_is_boolean(v))
		return json_fail(at, "must be true or false, not %s", json_type_text(v));
	return process ? short_set(process, "terminal", json_incref(v)) : -EINVAL;
}

/* One limit: a number, or -1 or "unlimited". */
static int limit_read(const struct json_at *at, const char *text, int64_t *ret)
{
	char quoted[STR_QUOTE_SIZE];
	uint64_t value;

	if (str_eq(text, "-1") || str_eq(text, "unlimited")) {
		*ret = INT64_MAX;
		return 0;
	}
	if (str_to_u64(text, INT64_MAX, &value) < 0)
		return json_fail(at, "%s is not a limit", str_quote(quoted, text));
	*ret = (int64_t)value;
	return 0;
}

static int limit_member(const struct json_at *at, json_t *v, int64_t *ret)
{
	uint64_t wide;

	if (json_is_string(v) && !json_is_wide(v, &wide))
		return limit_read(at, json_string_value(v), ret);
	if (!json_clamped(v, ret) || *ret < -1)
		return json_fail(at, "must be a number that is not negative, or -1");
	if (*ret < 0)
		*ret = INT64_MAX;
	return 0;
}

static int ulimit_read(const struct json_at *at, json_t *v, int64_t *ret_soft, int64_t *ret_hard)
{
	cleanup_free char *text = NULL;
	json_t *soft = json_object_get(v, "soft"), *hard = json_object_get(v, "hard");
	char *colon;
	int r;

	if (json_is_object(v)) {
		if (!soft || !hard || json_object_size(v) != 2)
			return json_fail(at, "must have 'soft' and 'hard', and nothing else");
		r = limit_member(&(struct json_at){ .up = at, .key = "soft" }, soft, ret_soft);
		return r < 0 ? r
			     : limit_member(&(struct json_at){ .up = at, .key = "hard" }, hard,
					    ret_hard);
	}
	if (!json_is_string(v) || !strchr(json_string_value(v), ':')) {
		r = limit_member(at, v, ret_soft);
		if (r == 0)
			*ret_hard = *ret_soft;
		return r;
	}
	r = str_copy(&text, json_string_value(v));
	if (r < 0)
		return r;
	colon = strchr(text, ':');
	*colon = '\0';
	r = limit_read(at, text, ret_soft);
	return r < 0 ? r : limit_read(at, colon + 1, ret_hard);
}

/* "RLIMIT_NOFILE" of "nofile", or NULL. */
static const char *rlimit_name(const char *name)
{
	for (const struct json_name *n = spec_rlimit_names; n->name; n++) {
		if (strcasecmp(n->name + sizeof("RLIMIT_") - 1, name) == 0)
			return n->name;
	}
	return NULL;
}

static json_t *limit_json(int64_t limit)
{
	return json_from_u64(limit == INT64_MAX ? UINT64_MAX : (uint64_t)limit);
}

int short_ulimits(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *rlimits = short_list(s->doc, "process.rlimits"), *item;
	const char *key;

	if (!rlimits)
		return -EINVAL;
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, key, item) {
		const struct json_at item_at = { .up = at, .key = key };
		const char *name = rlimit_name(key);
		int64_t soft, hard;
		int r;

		if (!name)
			return json_fail(
				&item_at,
				"is not a limit; nofile, nproc, core, memlock, stack… are (see "
				"getrlimit(2))");
		r = ulimit_read(&item_at, item, &soft, &hard);
		if (r < 0)
			return r;
		if (soft > hard)
			return json_fail(&item_at, "the soft limit is above the hard limit");
		r = short_list_put(rlimits, "type",
				   json_pack("{s:s, s:o, s:o}", "type", name, "soft",
					     limit_json(soft), "hard", limit_json(hard)));
		if (r < 0)
			return r;
	}
	return 0;
}

static bool env_has(json_t *env, const char *name)
{
	size_t i, n = strlen(name);
	json_t *item;

	json_array_foreach(env, i, item) {
		const char *text = json_string_value(item);

		if (text && strncmp(text, name, n) == 0 && text[n] == '=')
			return true;
	}
	return false;
}

int short_env_finish(struct short_form *s)
{
	json_t *process = json_object_get(s->doc, "process"),
	       *env = json_object_get(process, "env");
	json_t *uid = json_object_get(json_object_get(process, "user"), "uid");
	int r = 0;

	if (json_is_true(json_object_get(process, "terminal")) && !env_has(env, "TERM"))
		r = short_env_put(s->doc, "TERM=xterm");
	/* Of a user by name, the home is found together with the ids. */
	if (r < 0 || env_has(env, "HOME") ||
	    json_object_get(json_object_get(s->doc, "annotations"), SHORT_ANNOTATION "user"))
		return r;
	return short_env_put(s->doc, json_integer_value(uid) == 0 ? "HOME=/root" : "HOME=/");
}
