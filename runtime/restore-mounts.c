/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of ours goes into the container's mount namespace for it, and ends there: names of mounts are those of the
 * container, and looked up as such. Of several mounts at one place the last is the one that is seen.
 */
#include "runtime/restore-mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/base/sync.h"
#include "runtime/mount-fs.h"
#include "runtime/mountinfo.h"

static const struct {
	const char *word;
	uint64_t attr;
} words[] = {
	{ "ro", MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW },
	{ "noatime", MOUNT_ATTR_NOATIME },
};

/* "ro,nosuid,relatime", as mountinfo has the options of a mount. Without a word about access times it is strictatime. */
static void options_read(char *options, uint64_t *ret_set, uint64_t *ret_clear)
{
	uint64_t set = 0, all = 0;
	bool relatime = false;
	char *word;

	while ((word = strsep(&options, ","))) {
		relatime |= str_eq(word, "relatime");
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			set |= str_eq(word, words[i].word) ? words[i].attr : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		all |= words[i].attr;
	if (!relatime && !(set & MOUNT_ATTR_NOATIME))
		set |= MOUNT_ATTR_STRICTATIME;
	*ret_set = set;
	*ret_clear = (all & ~set & ~(uint64_t)MOUNT_ATTR__ATIME) | MOUNT_ATTR__ATIME;
}

static int mount_apply(int root, const struct mountinfo *m)
{
	cleanup_fd int place = fd_open_in(root, m->path, O_PATH, 0);
	uint64_t set, clear;
	struct statx info;
	int r;

	if (place < 0)
		return fail(-place, "mount '%s'", m->path);
	/* What was covered by a later mount is not seen, and was not. */
	if (statx(place, "", AT_EMPTY_PATH, 0, &info) < 0 || !(info.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	options_read(m->options, &set, &clear);
	r = mount_change(place, false, set, clear, 0);
	return r < 0 ? fail(-r, "mount '%s': set its options", m->path) : 0;
}

static int all_apply(int namespace, char *text)
{
	cleanup_fd int root = -1;
	struct mountinfo m;
	int r;

	if (setns(namespace, CLONE_NEWNS) < 0)
		return fail(errno, "enter the container's mount namespace");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(errno, "open the container's root");
	while ((r = mountinfo_next(&text, &m)) > 0) {
		r = mount_apply(root, &m);
		if (r < 0)
			break;
	}
	return r;
}

static int apart(int namespace, char *text)
{
	cleanup_fd int mine = -1, its = -1;
	struct sync_message m;
	int ends[2], r = sync_pair(ends);
	pid_t pid;

	if (r < 0)
		return r;
	mine = ends[0];
	its = ends[1];
	pid = fork();
	if (pid < 0)
		return fail(errno, "fork for the mounts");
	if (pid == 0) {
		r = all_apply(namespace, text);
		if (r < 0)
			sync_send_failure(its, r);
		_exit(r < 0 ? STATUS_OURS : 0);
	}
	(void)close(steal_fd(&its));
	r = sync_expect(mine, SYNC_NONE, "the process for the mounts", &m);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int restore_mounts(int images, pid_t pid)
{
	cleanup_free char *text = NULL;
	cleanup_fd int namespace = -1;
	char path[64];
	int r = fd_read_file(images, RESTORE_MOUNTS, &text);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return fail(errno, "open the container's mount namespace");
	return apart(namespace, text);
}
