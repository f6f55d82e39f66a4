/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each system call may plausibly fail with on a machine that is short of something, or is configured
 * differently. Not: what only a lie of the kernel would be (ENOENT for a file that is there).
 */
#include "tests/faults/errnos.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	int errnos[ERRNOS_MAX];
} table[] = {
	/* calls that cannot fail, or whose failure would be the kernel's own */
	{ "exit_group", { 0 } }, { "exit", { 0 } }, { "rt_sigreturn", { 0 } }, { "getpid", { 0 } },
	{ "getuid", { 0 } }, { "geteuid", { 0 } }, { "getgid", { 0 } }, { "getegid", { 0 } }, { "umask", { 0 } },
	{ "set_tid_address", { 0 } }, { "set_robust_list", { 0 } }, { "rseq", { 0 } }, { "arch_prctl", { 0 } },
	{ "gettid", { 0 } }, { "getppid", { 0 } },

	/* not brk(2): glibc 2.36 itself crashes when its very first one fails */
	{ "brk", { 0 } }, { "mmap", { ENOMEM } }, { "mremap", { ENOMEM } },
	{ "munmap", { ENOMEM } }, { "mprotect", { ENOMEM } }, { "madvise", { EINVAL } },

	{ "open", { EMFILE, EACCES, EIO, EINTR } }, { "openat", { EMFILE, EACCES, EIO, EINTR } },
	{ "openat2", { EMFILE, EACCES, EIO, EAGAIN } }, { "close", { EIO, EINTR } },
	{ "read", { EIO, EINTR } }, { "pread64", { EIO, EINTR } }, { "getdents64", { EIO, ENOMEM } },
	{ "write", { ENOSPC, EIO, EINTR } }, { "pwrite64", { ENOSPC, EIO, EINTR } }, { "writev", { ENOSPC, EIO } },
	{ "lseek", { ESPIPE } }, { "ftruncate", { EIO } }, { "fcntl", { EMFILE, EINVAL } },
	{ "dup2", { EBADF, EINTR } }, { "dup3", { EBADF } }, { "dup", { EMFILE } },
	{ "newfstatat", { EACCES, ENOMEM } }, { "statx", { EACCES, ENOMEM } }, { "fstatfs", { EIO } },
	{ "faccessat2", { EACCES, EIO } }, { "faccessat", { EACCES } }, { "access", { EACCES } },
	{ "readlink", { EACCES, ENOMEM } }, { "readlinkat", { EACCES, ENOMEM } }, { "getcwd", { ENOMEM } },
	{ "mkdir", { ENOSPC, EROFS, EACCES } }, { "mkdirat", { ENOSPC, EROFS, EACCES } },
	{ "mknodat", { ENOSPC, EPERM, EROFS } }, { "symlinkat", { ENOSPC, EROFS } }, { "linkat", { ENOSPC } },
	{ "unlink", { EROFS, EIO } }, { "unlinkat", { EROFS, EIO, EBUSY } }, { "rmdir", { EBUSY } },
	{ "renameat", { ENOSPC, EROFS, EIO } }, { "renameat2", { ENOSPC, EROFS } },
	{ "fchmod", { EPERM, EROFS } }, { "fchmodat", { EPERM, EROFS } }, { "fchown", { EPERM } },
	{ "fchownat", { EPERM, EROFS } }, { "utimensat", { EPERM } }, { "flock", { EINTR, ENOLCK } },
	{ "chdir", { EACCES } }, { "fchdir", { EACCES } }, { "ioctl", { EPERM, ENOTTY } },

	{ "fsopen", { EPERM, EMFILE, ENOMEM, ENODEV } }, { "fsconfig", { EPERM, EINVAL, ENOMEM, EBUSY } },
	{ "fsmount", { EPERM, EMFILE, ENOMEM } }, { "fspick", { EPERM } },
	{ "open_tree", { EPERM, EMFILE, ENOMEM, EINVAL } }, { "move_mount", { EPERM, EINVAL, ENOSPC } },
	{ "mount_setattr", { EPERM, EINVAL } }, { "mount", { EPERM, ENOMEM } }, { "umount2", { EBUSY, EPERM } },
	{ "pivot_root", { EPERM, EINVAL } }, { "chroot", { EPERM } },

	{ "clone3", { EAGAIN, EPERM, ENOMEM, ENOSPC } }, { "clone", { EAGAIN, ENOMEM } },
	{ "fork", { EAGAIN, ENOMEM } }, { "vfork", { EAGAIN, ENOMEM } },
	{ "execve", { ENOMEM, EACCES } }, { "execveat", { ENOMEM, EACCES } },
	{ "wait4", { EINTR, ECHILD } }, { "waitid", { EINTR, ECHILD } }, { "kill", { EPERM } },
	{ "pidfd_open", { EMFILE, ENOMEM } }, { "pidfd_send_signal", { EPERM } }, { "setsid", { EPERM } },
	{ "setns", { EPERM, ENOMEM } }, { "unshare", { EPERM, ENOSPC } },
	{ "poll", { EINTR, ENOMEM } }, { "ppoll", { EINTR, ENOMEM } }, { "nanosleep", { EINTR } },
	{ "clock_nanosleep", { EINTR } }, { "signalfd4", { EMFILE } }, { "rt_sigaction", { EINVAL } },
	{ "rt_sigprocmask", { EINVAL } },

	{ "socket", { EMFILE, ENOMEM } }, { "socketpair", { EMFILE, ENOMEM } },
	{ "bind", { EADDRINUSE, ENOSPC } }, { "listen", { EADDRINUSE } }, { "accept4", { EINTR, EMFILE, ECONNABORTED } },
	{ "connect", { ECONNREFUSED, EAGAIN } }, { "sendmsg", { EPIPE, ENOBUFS, EINTR } },
	{ "recvmsg", { ECONNRESET, ENOMEM, EINTR } }, { "sendto", { ENOBUFS } }, { "recvfrom", { ENOBUFS } },
	{ "pipe2", { EMFILE } }, { "memfd_create", { EMFILE, ENOMEM, EINVAL } },

	{ "prctl", { EINVAL, EPERM } }, { "capset", { EPERM } }, { "capget", { EPERM } },
	{ "setgroups", { EPERM, ENOMEM } }, { "setresuid", { EPERM, EAGAIN } }, { "setresgid", { EPERM } },
	{ "seccomp", { EINVAL, ENOMEM, EACCES } }, { "prlimit64", { EPERM } }, { "close_range", { EINVAL, ENOSYS } },
	{ "keyctl", { EDQUOT, EPERM } }, { "bpf", { EPERM, ENOMEM } },
	{ "sethostname", { EPERM } }, { "setdomainname", { EPERM } }, { "getrandom", { EINTR, ENOSYS } },
};

static const int others[ERRNOS_MAX] = { EPERM, ENOMEM };

const int *errnos_of(const char *call)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, call) == 0)
			return table[i].errnos;
	return others;
}
