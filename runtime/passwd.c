/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two files of lines of fields between colons. libc's getpwnam() would follow the host's configuration
 * and load its plug-ins; here the file is opened below the container's root and cut up in place.
 */
#include "runtime/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/fd.h"

enum { FIELDS_MAX = 7 };

/* A file that is missing is an empty one; one that is no plain file, or too large, is a failure. */
static int table_read(int root, const char *path, char **ret_text)
{
	cleanup_fd int fd = fd_open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return str_copy(ret_text, "");
	if (fd < 0)
		return fail(-fd, "open '%s' of the container", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%s' of the container is not a regular file", path);
	r = fd_read_all(fd, PASSWD_SIZE_MAX, ret_text, NULL);
	return r < 0 ? fail(-r, "read '%s' of the container", path) : 0;
}

/* The next line of @text, cut into fields; missing ones are "". Return: false at the end. */
static bool line_next(char **text, char *fields[FIELDS_MAX])
{
	static char nothing[] = "";
	char *line = strsep(text, "\n");

	if (!line)
		return false;
	for (int i = 0; i < FIELDS_MAX; i++) {
		char *field = i == FIELDS_MAX - 1 ? line : strsep(&line, ":");

		fields[i] = field ? field : nothing;
	}
	return true;
}

/* Ids end before -1, which setresuid(2) takes for "leave it". */
static bool id_parse(const char *text, uint32_t *ret_id)
{
	uint64_t id;

	if (str_to_u64(text, UINT32_MAX - 1, &id) < 0)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* Also what only looks like one, "-1": a file of the container's could give it a line, with another id. */
static bool is_number(const char *text)
{
	return *text && text[strspn(text, "+-0123456789")] == '\0';
}

struct found {
	bool line;
	char *name, *home;	/* into the table */
	uint32_t uid, gid;
};

/* The first line of @name, or of @uid where @name is NULL. @table is cut up. */
static struct found user_find(char *table, const char *name, uint32_t uid)
{
	char *fields[FIELDS_MAX], *rest = table;
	struct found found = { .line = false };

	while (line_next(&rest, fields)) {
		if (!id_parse(fields[2], &found.uid) || !id_parse(fields[3], &found.gid))
			continue;
		if (name ? !str_eq(fields[0], name) : found.uid != uid)
			continue;
		found.line = true;
		found.name = fields[0];
		found.home = fields[5];
		return found;
	}
	return (struct found){ .line = false };
}

static int group_find(int root, const char *text, uint32_t *ret_gid)
{
	cleanup_free char *table = NULL;
	char *fields[FIELDS_MAX], *rest;
	int r;

	if (is_number(text))
		return id_parse(text, ret_gid) ? 0 : fail_plain(ERANGE, "group '%s' is no group id", text);
	r = table_read(root, "/etc/group", &table);
	if (r < 0)
		return r;
	rest = table;
	while (line_next(&rest, fields))
		if (str_eq(fields[0], text) && id_parse(fields[2], ret_gid))
			return 0;
	return fail_plain(ENOENT, "group '%s' is not in the container's /etc/group", text);
}

static bool list_names(char *list, const char *name)
{
	char *item;

	while ((item = strsep(&list, ",")))
		if (str_eq(item, name))
			return true;
	return false;
}

static int gid_add(struct spec_user *user, uint32_t gid)
{
	uint32_t *more;

	for (size_t i = 0; i < user->additional_gid_count; i++)
		if (user->additional_gids[i] == gid)
			return 0;
	more = reallocarray(user->additional_gids, user->additional_gid_count + 1, sizeof(*more));
	if (!more)
		return fail(ENOMEM, "groups of the user");
	more[user->additional_gid_count++] = gid;
	user->additional_gids = more;
	return 0;
}

/* NGROUPS_MAX is the kernel's bound; no real user comes near it, and a hostile file shall not either. */
static int groups_of(int root, const char *name, struct spec_user *user)
{
	cleanup_free char *table = NULL;
	char *fields[FIELDS_MAX], *rest;
	int r = table_read(root, "/etc/group", &table);

	rest = table;
	while (r == 0 && line_next(&rest, fields) && user->additional_gid_count < 1024) {
		uint32_t gid;

		if (id_parse(fields[2], &gid) && list_names(fields[3], name))
			r = gid_add(user, gid);
	}
	return r;
}

static int find(int root, char *name, const char *group, struct spec_user *user)
{
	cleanup_free char *table = NULL;
	bool number = is_number(name);
	struct found found;
	uint32_t uid = 0;
	int r;

	if (number && !id_parse(name, &uid))
		return fail_plain(ERANGE, "user '%s' is no user id", name);
	r = table_read(root, "/etc/passwd", &table);
	if (r < 0)
		return r;
	found = user_find(table, number ? NULL : name, uid);
	if (!found.line && !number)
		return fail_plain(ENOENT, "user '%s' is not in the container's /etc/passwd", name);
	user->uid = found.line ? found.uid : uid;
	user->gid = found.line ? found.gid : 0;
	if (group)
		return group_find(root, group, &user->gid);
	return found.line ? groups_of(root, found.name, user) : 0;
}

int passwd_user_find(int root, const char *text, struct spec_user *user)
{
	cleanup_free char *copy = NULL;
	char *group, *name;
	int r = str_copy(&copy, text);

	if (r < 0)
		return r;
	group = copy;
	name = strsep(&group, ":");
	if (!*name || (group && !*group) || (group && strchr(group, ':')))
		return fail_plain(EINVAL, "user '%s' is not of the form user[:group]", text);
	return find(root, name, group, user);
}

int passwd_home_find(int root, uint32_t uid, char **ret_home)
{
	cleanup_free char *table = NULL;
	struct found found = { .line = false };

	/* A file that cannot be read has no say here: a missing HOME is no reason not to start. */
	if (table_read(root, "/etc/passwd", &table) == 0)
		found = user_find(table, NULL, uid);
	return str_copy(ret_home, found.line && found.home[0] == '/' ? found.home : "/");
}
