/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets are fds, and handed on like others; only their number has to be told. The socket of
 * NOTIFY_SOCKET is a file: it is bound into the container, so that the payload itself tells the manager that it
 * is ready, and the manager sees by its credentials who does.
 */
#include "runtime/activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/mount-fs.h"
#include "runtime/rootfs.h"
#include "runtime/target.h"

/* Not where a service manager inside would have its own. */
#define NOTIFY_INSIDE "/run/notify/notify.sock"

enum { LISTEN_MAX = 1024 };

int activation_read(struct activation *ret)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID"), *notify = getenv("NOTIFY_SOCKET");
	uint64_t n = 0, whose = (uint64_t)getpid();
	char quoted[STR_QUOTE_SIZE];

	*ret = (struct activation){ .notify_socket = notify && *notify ? notify : NULL };
	if (!count || !*count)
		return 0;
	if (pid && str_to_u64(pid, INT32_MAX, &whose) < 0)
		return fail_plain(EINVAL, "LISTEN_PID: %s is not a pid", str_quote(quoted, pid));
	if (whose != (uint64_t)getpid())
		return 0;
	if (str_to_u64(count, LISTEN_MAX, &n) < 0)
		return fail_plain(EINVAL, "LISTEN_FDS: %s is not a number of fds", str_quote(quoted, count));
	ret->listen_fds = (unsigned int)n;
	ret->listen_names = n ? getenv("LISTEN_FDNAMES") : NULL;
	return 0;
}

int activation_mount(struct rootfs *r, const struct activation *a)
{
	cleanup_fd int tree = -1, target = -1;
	struct stat st;
	int err;

	/* One in the abstract name space belongs to a network namespace: it has no file. */
	if (!a->notify_socket || a->notify_socket[0] != '/')
		return 0;
	err = mount_tree(a->notify_socket, false, &tree);
	if (err < 0)
		return fail(-err, "NOTIFY_SOCKET '%s'", a->notify_socket);
	if (fstat(tree, &st) < 0)
		return fail(errno, "NOTIFY_SOCKET '%s'", a->notify_socket);
	if (!S_ISSOCK(st.st_mode))
		return fail_plain(ENOTSOCK, "NOTIFY_SOCKET '%s' is not a socket", a->notify_socket);
	target = target_make(rootfs_fd(r), NOTIFY_INSIDE, TARGET_FILE);
	if (target < 0)
		return target;
	/* The inode is the host's: it can be connected to, and not changed. */
	err = mount_change(tree, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0,
			   MS_PRIVATE);
	if (err == 0)
		err = mount_attach(tree, target);
	return err < 0 ? fail(-err, "attach it to '%s'", NOTIFY_INSIDE) : 0;
}

int activation_tell(const struct activation *a, struct str_list *env)
{
	char number[16];
	int r = 0;

	if (a->notify_socket)
		r = str_env_set(env, "NOTIFY_SOCKET", a->notify_socket[0] == '/' ? NOTIFY_INSIDE : a->notify_socket);
	if (r < 0 || a->listen_fds == 0)
		return r;
	(void)snprintf(number, sizeof(number), "%u", a->listen_fds);
	r = str_env_set(env, "LISTEN_FDS", number);
	(void)snprintf(number, sizeof(number), "%d", (int)getpid());
	if (r == 0)
		r = str_env_set(env, "LISTEN_PID", number);
	if (r == 0 && a->listen_names)
		r = str_env_set(env, "LISTEN_FDNAMES", a->listen_names);
	return r;
}
