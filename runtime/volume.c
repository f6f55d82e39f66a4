/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folders of volumes. What stands in _data was written by payloads: it is removed as the layers of images are
 * (image/tree.c), and never looked into by a path. The rest is ours alone.
 */
#include "runtime/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/state.h"

#define LOCK ".lock"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, LOCK_WAIT_MS = 30000 };

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool volume_name_is_valid(const char *name)
{
	if (!is_plain(*name) || strlen(name) > VOLUME_NAME_MAX)
		return false;
	for (const char *c = name; *c; c++)
		if (!is_plain(*c) && !strchr("_.-", *c))
			return false;
	return true;
}

int volume_name_check(const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	return volume_name_is_valid(name) ? 0 :
		fail_plain(EINVAL, "%s is no name of a volume: letters and digits, then also '_', '.' and '-', %d at most",
			   str_quote(quoted, name), VOLUME_NAME_MAX);
}

/* A hung holder must not hang us. */
static int lock_take(int fd, const char *path)
{
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 10) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(errno, "lock '%s'", path);
		if (waited >= LOCK_WAIT_MS)
			return fail_plain(EBUSY, "the volumes of '%s' are being worked on by another nacelle for more than %d s",
					  path, LOCK_WAIT_MS / 1000);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	}
	return 0;
}

/* What a killed process was making or removing. Names of ours begin with a dot, those of volumes never. */
static int leftovers_remove(int dir)
{
	cleanup_fd int copy = openat(dir, ".", FOLDER);
	cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!stream)
		return fail(errno, "read the folder of the volumes");
	copy = -1;
	while (r == 0 && (entry = readdir(stream)))
		if (entry->d_name[0] == '.' && !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
		    !str_eq(entry->d_name, LOCK))
			r = tree_remove(dir, entry->d_name);
	return r;
}

static int open_locked(struct volumes *v, bool make)
{
	int r;

	v->dir = make ? state_root_open(v->path) : open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->dir < 0)
		return make ? v->dir : errno == ENOENT ? VOLUME_NOT_FOUND : fail(errno, "open '%s'", v->path);
	v->lock = openat(v->dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (v->lock < 0)
		return fail(errno, "open '%s/" LOCK "'", v->path);
	r = lock_take(v->lock, v->path);
	return r < 0 ? r : leftovers_remove(v->dir);
}

int volumes_open(const char *data, bool make, struct volumes *ret)
{
	struct volumes v = VOLUMES_NONE;
	int r = str_format(&v.path, "%s/volumes", data);

	if (r == 0)
		r = open_locked(&v, make);
	if (r == 0)
		*ret = v;
	else
		volumes_close(&v);
	return r;
}

void volumes_close(struct volumes *v)
{
	/* Explicitly: a child that was cloned meanwhile would hold it on. */
	if (v->lock >= 0) {
		(void)flock(v->lock, LOCK_UN);
		(void)close(v->lock);
	}
	if (v->dir >= 0)
		(void)close(v->dir);
	free(v->path);
	*v = (struct volumes)VOLUMES_NONE;
}

/* "<prefix><name>", where prefix begins with a dot. */
static void aside(char ret[VOLUME_NAME_MAX + 8], const char *prefix, const char *name)
{
	(void)snprintf(ret, VOLUME_NAME_MAX + 8, "%s%.*s", prefix, (int)VOLUME_NAME_MAX, name);
}

static int folder_fill(int folder, json_t *labels, bool anonymous, uid_t uid, gid_t gid)
{
	cleanup_free char *now = state_now();
	cleanup_json json_t *v = json_pack("{si ss* sb sO*}", "version", 1, "created", now, "anonymous", anonymous,
					   "labels", labels);
	cleanup_free char *text = v ? json_text(v) : NULL;
	int r;

	if (!text)
		return fail(ENOMEM, "make a volume");
	if (mkdirat(folder, "_data", 0755) < 0 || mkdirat(folder, "uses", 0700) < 0)
		return fail(errno, "make its folders");
	/* Whatever our umask. */
	if (fchmodat(folder, "_data", 0755, 0) < 0)
		return fail(errno, "set the mode of '_data'");
	if ((uid != geteuid() || gid != getegid()) && fchownat(folder, "_data", uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "give '_data' to %u:%u", uid, gid);
	/* What is in it is somebody's data: it must not be nobody's after a loss of power. */
	r = fd_replace_file_synced(folder, "volume.json", text, strlen(text), 0600);
	return r < 0 ? r : fd_replace_file(folder, "fill", "new\n", 4, 0600);
}

int volume_make(const struct volumes *v, const char *name, json_t *labels, bool anonymous, uid_t uid, gid_t gid)
{
	char temporary[VOLUME_NAME_MAX + 8];
	cleanup_fd int folder = -1;
	struct stat st;
	int r = volume_name_check(name);

	if (r < 0)
		return r;
	if (fstatat(v->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return VOLUME_EXISTS;
	aside(temporary, ".new-", name);
	if (mkdirat(v->dir, temporary, 0700) < 0)
		return fail(errno, "volume '%s'", name);
	folder = openat(v->dir, temporary, FOLDER);
	r = folder < 0 ? fail(errno, "open the new folder") : folder_fill(folder, labels, anonymous, uid, gid);
	if (r == 0 && renameat(v->dir, temporary, v->dir, name) < 0)
		r = fail(errno, "rename the new folder");
	if (r < 0) {
		r = fail_in(r, "volume '%s'", name);
		(void)leftovers_remove(v->dir);
	}
	return r;
}

/* Return: 0, VOLUME_NOT_FOUND, or a recorded failure. */
static int volume_open(const struct volumes *v, const char *name, int *ret_fd)
{
	int fd, r = volume_name_check(name);

	if (r < 0)
		return r;
	fd = openat(v->dir, name, FOLDER);
	if (fd < 0)
		return errno == ENOENT ? VOLUME_NOT_FOUND : fail(errno, "volume '%s'", name);
	*ret_fd = fd;
	return 0;
}

/* "BOOT TEXT" */
static int users_read(int folder, struct str_list *ret)
{
	struct str_list names = { .items = NULL };
	char boot[PROC_BOOT_ID_SIZE];
	cleanup_fd int uses = openat(folder, "uses", FOLDER);
	int r = uses < 0 ? fail(errno, "open 'uses'") : proc_boot_id(boot);

	if (r == 0)
		r = folder_read(uses, ".", &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		cleanup_free char *text = NULL;
		const char *rest;

		r = fd_read_file(uses, names.items[i], &text);
		if (r < 0)
			break;
		text[strcspn(text, "\n")] = '\0';
		rest = str_starts(text, boot);
		if (rest && *rest == ' ')
			r = str_list_add(ret, rest + 1);
	}
	str_list_done(&names);
	return r;
}

static int info_read(const struct volumes *v, const char *name, int folder, struct volume_info *info)
{
	struct record {
		bool anonymous;
		char *created;
	} record = { .created = NULL };
	static const struct json_field fields[] = {
		{ "anonymous", json_get_bool, offsetof(struct record, anonymous), 0, NULL, NULL },
		{ "created", json_get_string, offsetof(struct record, created), 0, NULL, NULL },
		{ .name = NULL },
	};
	cleanup_json json_t *json = NULL;
	int r = json_read_at(folder, "volume.json", NULL, &json);

	if (r == 0)
		r = json_object_read(&JSON_ROOT, json, fields, 0, &record);
	info->created = record.created;
	info->anonymous = record.anonymous;
	if (r == 0)
		r = str_copy(&info->name, name);
	if (r == 0)
		r = str_format(&info->path, "%s/%s/_data", v->path, name);
	if (r < 0)
		return r;
	info->labels = json_is_object(json_object_get(json, "labels")) ? json_incref(json_object_get(json, "labels")) :
									  json_object();
	return info->labels ? users_read(folder, &info->users) : fail(ENOMEM, "labels");
}

int volume_look(const struct volumes *v, const char *name, struct volume_info *ret)
{
	struct volume_info info = { .name = NULL };
	cleanup_fd int folder = -1;
	int r = volume_open(v, name, &folder);

	if (r != 0)
		return r;
	r = info_read(v, name, folder, &info);
	if (r < 0) {
		volume_info_done(&info);
		return fail_in(r, "volume '%s'", name);
	}
	*ret = info;
	return 0;
}

void volume_info_done(struct volume_info *info)
{
	free(info->name);
	free(info->path);
	free(info->created);
	json_decref(info->labels);
	str_list_done(&info->users);
	*info = (struct volume_info){ .name = NULL };
}

int volume_list(const struct volumes *v, struct str_list *ret)
{
	struct str_list names = { .items = NULL };
	int r = folder_read(v->dir, ".", &names);

	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (volume_name_is_valid(names.items[i]))
			r = str_list_add(ret, names.items[i]);
	str_list_done(&names);
	return r;
}

int volume_use(const struct volumes *v, const char *name, const char *user, const char *text)
{
	cleanup_fd int folder = -1, uses = -1;
	cleanup_free char *line = NULL;
	char boot[PROC_BOOT_ID_SIZE];
	int r = volume_open(v, name, &folder);

	if (r != 0)
		return r < 0 ? r : fail_plain(ENOENT, "no volume '%s'", name);
	uses = openat(folder, "uses", FOLDER);
	r = uses < 0 ? fail(errno, "open 'uses'") : proc_boot_id(boot);
	if (r == 0)
		r = str_format(&line, "%s %s\n", boot, text);
	if (r == 0)
		r = fd_replace_file(uses, user, line, strlen(line), 0600);
	return r < 0 ? fail_in(r, "volume '%s'", name) : 0;
}

int volume_unuse(const struct volumes *v, const char *name, const char *user)
{
	cleanup_fd int folder = -1, uses = -1;
	int r = volume_open(v, name, &folder);

	if (r != 0)
		return r < 0 ? r : 0;
	uses = openat(folder, "uses", FOLDER);
	if (uses >= 0 && unlinkat(uses, user, 0) < 0 && errno != ENOENT)
		return fail(errno, "volume '%s': remove the use", name);
	return 0;
}

int volume_remove(const struct volumes *v, const char *name)
{
	struct str_list users = { .items = NULL };
	char gone[VOLUME_NAME_MAX + 8];
	cleanup_fd int folder = -1;
	int r = volume_open(v, name, &folder);

	if (r != 0)
		return r;
	r = users_read(folder, &users);
	if (r == 0 && users.count > 0)
		r = fail_plain(EBUSY, "volume '%s' is used by container %s: delete that first", name, users.items[0]);
	str_list_done(&users);
	if (r < 0)
		return r;
	aside(gone, ".gone-", name);
	if (renameat(v->dir, name, v->dir, gone) < 0)
		return fail(errno, "volume '%s': put it aside", name);
	return tree_remove(v->dir, gone);
}
