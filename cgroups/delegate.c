/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is given away is the folder and the three files by which processes and controllers are moved below it;
 * never a limit. Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, "Delegation".
 */
#include "cgroups/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

static int give(int dir, uid_t uid, gid_t gid)
{
	static const char *const files[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (fchownat(dir, files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(errno, "give '%s' to user %u", files[i], uid);
	return fchown(dir, uid, gid) < 0 ? fail(errno, "give it to user %u", uid) : 0;
}

/* One by one: of those that cannot be (a hybrid host) none keeps the others back. */
static void controllers_hand_on(int dir)
{
	char text[1024], *rest = text, *name, word[64];

	if (cgroup_file_read(dir, "cgroup.controllers", text, sizeof(text)) < 0)
		return;
	while ((name = strsep(&rest, " \n"))) {
		if (!*name || (size_t)snprintf(word, sizeof(word), "+%s", name) >= sizeof(word))
			continue;
		(void)cgroup_file_write(dir, "cgroup.subtree_control", word);
	}
}

static int delegate(const struct cgroup *cg, const char *name, pid_t pid, uid_t uid, gid_t gid)
{
	cleanup_fd int dir = -1;
	char text[16];
	int r;

	if (mkdirat(cg->fd, name, 0755) < 0 && errno != EEXIST)
		return fail(errno, "make it");
	dir = openat(cg->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return fail(errno, "open it");
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	r = cgroup_file_write(dir, "cgroup.procs", text);
	if (r < 0)
		return fail(-r, "move process %d there", (int)pid);
	controllers_hand_on(cg->fd);
	return give(dir, uid, gid);
}

int cgroup_delegate(const struct cgroup *cg, const char *name, pid_t pid, uid_t uid, gid_t gid)
{
	int r;

	if (!*name || name[0] == '.' || strchr(name, '/') || strncmp(name, "cgroup.", 7) == 0)
		return fail_plain(EINVAL, "'%s' is not the name of a cgroup", name);
	r = delegate(cg, name, pid, uid, gid);
	return r < 0 ? fail_in(r, "cgroup '%s/%s'", cg->path, name) : 0;
}

/* @list: the kernel's, a name a line; what is no plain name of the cgroup's own is none of ours. */
static int own(int dir, char *list, uid_t uid)
{
	char *name;

	while ((name = strsep(&list, "\n"))) {
		if (!*name || strchr(name, '/') || *name == '.')
			continue;
		if (fchownat(dir, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return fail(errno, "give '%s' to user %u", name, uid);
	}
	return fchown(dir, uid, (gid_t)-1) < 0 ? fail(errno, "give it to user %u", uid) : 0;
}

int cgroup_own(const struct cgroup *cg, uid_t uid)
{
	/* The runtime-spec's list for a kernel that has none. */
	char list[4096] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
	cleanup_fd int fd = open("/sys/kernel/cgroup/delegate", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, list, sizeof(list) - 1);
	int r;

	if (n > 0)
		list[n] = '\0';
	r = own(cg->fd, list, uid);
	return r < 0 ? fail_in(r, "cgroup '%s'", cg->path) : 0;
}
