/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal comes from the container's own devpts, so what the payload sees as /dev/pts/0 exists there.
 * Everything under its /dev was prepared by an image, so ptmx is checked to be ptmx, and the slave is
 * taken from the master itself (TIOCGPTPEER), never by a path.
 */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/fd-message.h"
#include "runtime/base/fd.h"
#include "runtime/hand.h"
#include "runtime/spec.h"
#include "runtime/target.h"

/*
 * Opened only when it can be nothing else: the mere opening of a device that an image put there may do harm. In a devpts
 * all names are the kernel's, and RESOLVE_NO_XDEV sees that nothing is mounted over this one.
 */
static int ptmx_open(int root)
{
	const struct open_how how = {
		.flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	cleanup_fd int pts = fd_open_in(root, "/dev/pts", O_PATH | O_DIRECTORY, 0), fd = -1;
	struct statfs fs;

	if (pts < 0)
		return fail(-pts, "open /dev/pts (a terminal needs devpts mounted there)");
	if (fstatfs(pts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return fail_plain(EINVAL, "/dev/pts is not a devpts, which a terminal needs");
	fd = fd_lift((int)syscall(SYS_openat2, pts, "ptmx", &how, sizeof(how)));
	if (fd < 0)
		return fail(errno, "open /dev/pts/ptmx");
	if (fd_is_device(fd, 5, 2) != 1)
		return fail_plain(EINVAL, "/dev/pts/ptmx is not a terminal multiplexer");
	return steal_fd(&fd);
}

/* Return: the slave, or a recorded failure. */
static int peer_open(int master)
{
	int unlock = 0, slave;

	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return fail(errno, "unlock the terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return slave < 0 ? fail(errno, "open the terminal's other end") : slave;
}

static int terminal_open(int root, int *ret_master, int *ret_slave)
{
	cleanup_fd int master = ptmx_open(root);
	int slave = master < 0 ? master : peer_open(master);

	if (slave < 0)
		return slave;
	*ret_slave = slave;
	*ret_master = steal_fd(&master);
	return 0;
}

/* The terminal itself, bound over a plain file that is made for it when there is none. */
static int console_bind(int root, int slave)
{
	cleanup_fd int dev = target_make(root, "/dev", TARGET_DIRECTORY), place = -1, tree = -1;
	struct stat st;

	if (dev < 0)
		return dev;
	/* What is there already is covered, and not opened: it may be any device. Links cannot be covered. */
	if (fstatat(dev, "console", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	    unlinkat(dev, "console", 0) < 0)
		return fail(errno, "replace the link /dev/console");
	if (mknodat(dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST && errno != EROFS)
		return fail(errno, "make /dev/console");
	place = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0)
		return fail(errno, "open /dev/console");
	tree = open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return fail(errno, "take the terminal for /dev/console");
	if (move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(errno, "bind the terminal on /dev/console");
	return 0;
}

int console_take(int slave, const struct spec_process *process)
{
	struct winsize size = { .ws_row = 0 };

	if (process->console_height != SPEC_UNSET && process->console_width != SPEC_UNSET) {
		size.ws_row = (unsigned short)process->console_height;
		size.ws_col = (unsigned short)process->console_width;
		if (ioctl(slave, TIOCSWINSZ, &size) < 0)
			return fail(errno, "process.consoleSize: set %ux%u", size.ws_row, size.ws_col);
	}
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return fail(errno, "make it the controlling terminal");
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return fail(errno, "make it standard stream %d", i);
	return 0;
}

static int terminal_attach(int slave, const struct spec_process *process)
{
	/* The payload's user must be able to open its own terminal again. */
	if (fchown(slave, process->user.uid, (gid_t)-1) < 0)
		return fail(errno, "give the terminal to user %u", process->user.uid);
	return console_take(slave, process);
}

int console_pair(int *ret_master)
{
	cleanup_fd int master = fd_lift(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	int slave = master < 0 ? fail(errno, "open /dev/ptmx") : peer_open(master);

	if (slave >= 0)
		*ret_master = steal_fd(&master);
	return slave;
}

int console_create(int root, const struct spec_process *process, int sock)
{
	cleanup_fd int own_root = -1, master = -1, slave = -1;
	int r;

	if (sock < 0)
		return fail_plain(EINVAL, "process.terminal: true needs --console-socket, or run or exec with -t");
	if (root < 0) {
		own_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (own_root < 0)
			return fail(errno, "open the container's root");
	}
	r = terminal_open(root < 0 ? own_root : root, &master, &slave);
	if (r < 0)
		return r;
	if (root >= 0) {
		r = console_bind(root, slave);
		if (r < 0)
			return r;
	}
	r = terminal_attach(slave, process);
	return r < 0 ? r : console_send(sock, master);
}

int console_send(int sock, int fd)
{
	int r = hand_over(sock, fd, "/dev/ptmx");

	return r < 0 ? fail_in(r, "console socket") : 0;
}

int console_receive(int sock)
{
	union fd_message room;
	char name[64];
	struct iovec io = { .iov_base = name, .iov_len = sizeof(name) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	int fd;

	fd_message_room(&m, &room);
	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) < 0)
		return fail(errno, "receive the terminal");
	if (fd_message_take(&m, &fd, 1) != 1) {
		if (fd >= 0)
			(void)close(fd);
		return fail_plain(EPROTO, "receive the terminal: no terminal came");
	}
	return fd;
}

int console_connect(const char *path)
{
	return hand_connect("console socket", path);
}
