/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folder of a container: reserved, locked, listed, removed. What the record says is state-record.c's.
 *
 * mkdir(2) is what makes an id unique; flock(2) on the folder is the lock, so that it goes with the
 * process that held it, however that ended.
 */
#include "runtime/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/fd.h"

/* A hung holder must not hang us: what waits for a lock says so after this time. */
enum { LOCK_TIMEOUT_MS = 30000 };

static bool id_letter(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
		return true;
	return !first && (c == '+' || c == '.' || c == '-');
}

int state_id_check(const char *id)
{
	size_t n = strlen(id);

	if (n == 0)
		return fail_plain(EINVAL, "the container id is empty");
	if (n > STATE_ID_MAX)
		return fail_plain(EINVAL, "the container id is longer than %d bytes", STATE_ID_MAX);
	for (size_t i = 0; i < n; i++)
		if (!id_letter(id[i], i == 0))
			return fail_plain(EINVAL, "container id: letters, digits and '_' are allowed, "
					  "behind the first also '+', '.' and '-'");
	return 0;
}

/* mkdir -p for an absolute or relative path of the operator's; each part that is made is 0700. */
static int folders_make(const char *path)
{
	cleanup_free char *copy = NULL;
	int r = str_copy(&copy, path);

	if (r < 0)
		return r;
	for (char *p = copy + 1; *copy; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return fail(errno, "make the folder '%s'", copy);
		*p = was;
		if (was == '\0')
			break;
	}
	return 0;
}

int state_root_open(const char *root)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return fail(errno, "open the state folder '%s'", root);
	r = folders_make(root);
	if (r < 0)
		return r;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(errno, "open the state folder '%s'", root) : fd;
}

/*
 * The folder that we hold open may have been removed, and made anew, while we waited for its lock.
 * Return: 1 or 0, or a recorded failure.
 */
static int dir_is_current(int root, const char *id, int fd)
{
	struct stat named, held;

	if (fstatat(root, id, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(errno, "look at the state folder of '%s'", id);
	if (fstat(fd, &held) < 0)
		return fail(errno, "look at the state folder of '%s'", id);
	return named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

/* Return: 1 when locked, 0 when somebody else has it, or a recorded failure. */
static int dir_lock(int fd)
{
	int r;

	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno != EWOULDBLOCK)
		return fail(errno, "lock the state folder");
	return r == 0;
}

int state_name(const struct state_dir *dir, const char *id, char ret[STATE_NAME_SIZE])
{
	struct stat st;
	uint64_t h = STR_HASH_START;

	if (fstat(dir->root, &st) < 0)
		return fail(errno, "look at the folder of all state");
	h = str_hash(h, &st.st_dev, sizeof(st.st_dev));
	h = str_hash(h, &st.st_ino, sizeof(st.st_ino));
	h = str_hash(h, id, strlen(id));
	(void)snprintf(ret, STATE_NAME_SIZE, "%.*s-%016" PRIx64, STATE_NAME_SHOWN, id, h);
	return 0;
}

static int dir_open(int root, const char *id)
{
	return openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int exists_already(const char *id)
{
	return fail_plain(EEXIST, "container '%s' exists already (see 'nacelle list'; "
			  "'nacelle delete --force %s' removes it)", id, id);
}

int state_make(const char *root, const char *id, struct state_dir *ret_dir)
{
	cleanup_fd int root_fd = -1, fd = -1;
	bool made;
	int r = state_id_check(id);

	if (r < 0)
		return r;
	root_fd = state_root_open(root);
	if (root_fd < 0)
		return root_fd;
	made = mkdirat(root_fd, id, 0700) == 0;
	if (!made && errno != EEXIST)
		return fail(errno, "make the state folder '%s/%s'", root, id);
	fd = dir_open(root_fd, id);
	if (fd < 0)
		return fail(errno, "open the state folder '%s/%s'", root, id);
	r = dir_lock(fd);
	if (r > 0)
		r = dir_is_current(root_fd, id, fd);
	if (r <= 0)
		return r < 0 ? r : exists_already(id);
	if (!made && faccessat(fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return exists_already(id);
	*ret_dir = (struct state_dir){ .fd = steal_fd(&fd), .root = steal_fd(&root_fd), .locked = true };
	return 0;
}

/* Return: as dir_lock(); 0 after @timeout_ms. */
static int lock_wait(int fd, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int r;

	for (int waited = 0; (r = dir_lock(fd)) == 0 && waited < timeout_ms; waited += 10)
		(void)nanosleep(&pause, NULL);
	return r;
}

int state_lock(struct state_dir *dir, const char *id)
{
	int r = lock_wait(dir->fd, LOCK_TIMEOUT_MS);

	if (r == 0)
		return fail_plain(EBUSY, "container '%s' is being worked on by another nacelle for "
				  "more than %d s", id, LOCK_TIMEOUT_MS / 1000);
	if (r < 0)
		return r;
	dir->locked = true;
	r = dir_is_current(dir->root, id, dir->fd);
	return r > 0 ? 0 : r < 0 ? r : STATE_NOT_FOUND;
}

int state_open(const char *root, const char *id, bool lock, struct state_dir *ret_dir)
{
	cleanup_fd int root_fd = -1, fd = -1;
	int r = state_id_check(id);

	if (r < 0)
		return r;
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return errno == ENOENT ? STATE_NOT_FOUND : fail(errno, "open the state folder '%s'", root);
	fd = dir_open(root_fd, id);
	if (fd < 0)
		return errno == ENOENT ? STATE_NOT_FOUND : fail(errno, "open the state folder '%s/%s'", root, id);
	*ret_dir = (struct state_dir){ .fd = steal_fd(&fd), .root = steal_fd(&root_fd) };
	r = lock ? state_lock(ret_dir, id) : 0;
	if (r != 0)
		state_close(ret_dir);
	return r;
}

void state_unlock(struct state_dir *dir)
{
	if (dir->locked)
		(void)flock(dir->fd, LOCK_UN);
	dir->locked = false;
}

void state_close(struct state_dir *dir)
{
	/* Explicitly: a child that was cloned meanwhile holds the same open file, and so the lock. */
	state_unlock(dir);
	if (dir->fd >= 0)
		(void)close(dir->fd);
	if (dir->root >= 0)
		(void)close(dir->root);
	*dir = (struct state_dir)STATE_DIR_NONE;
}

int state_remove(struct state_dir *dir, const char *id, bool plain)
{
	/* Without reading the folder; the record last, so that a killed removal can be done again. */
	static const char *const usual[] = { "start.sock", "vm.sock", "exit", "note", "keeper.sock", "health.json", "config.json", "state.json" };
	enum { PLAIN = 2 };

	for (size_t i = plain ? ARRAY_SIZE(usual) - PLAIN : 0; i < ARRAY_SIZE(usual); i++)
		(void)unlinkat(dir->fd, usual[i], 0);
	if (unlinkat(dir->root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY) {
		int r = fd_empty_folder(dir->fd, "the state folder");

		if (r < 0)
			return r;
		if (unlinkat(dir->root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
	}
	return fail(errno, "remove the state folder of '%s'", id);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_list(const char *root, struct str_list *ret_ids)
{
	DIR *dir = opendir(root);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : fail(errno, "open the state folder '%s'", root);
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_type != DT_REG && state_id_check(entry->d_name) == 0)
			r = str_list_add(ret_ids, entry->d_name);
	(void)closedir(dir);
	if (r == 0 && ret_ids->count)
		qsort(ret_ids->items, ret_ids->count, sizeof(char *), compare_ids);
	return r;
}

#define SYSTEMD_NOTE ".systemd"

int state_systemd_note(const struct state_dir *dir)
{
	cleanup_fd int fd = openat(dir->root, SYSTEMD_NOTE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? fail(errno, "make '%s' in the state folder", SYSTEMD_NOTE) : 0;
}

bool state_systemd_noted(const char *root)
{
	cleanup_free char *path = NULL;

	return str_format(&path, "%s/" SYSTEMD_NOTE, root) < 0 || access(path, F_OK) == 0;
}
