/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several walls, since each can be missing: namespaces and a new root need privileges or user namespaces, Landlock a
 * kernel that has it. The list of system calls is always there: it has no socket, no exec, no mount, no ptrace, and no
 * memory that is both new and executable. A report travels over a pipe as one fixed struct, believed only as numbers
 * and a printable text.
 */
#include "image/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <locale.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>
#include <seccomp.h>

#include "image/landlock.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static const int calls_always[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(lseek),
	SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(sched_yield),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(geteuid), SCMP_SYS(restart_syscall), SCMP_SYS(fcntl),
};

static const int calls_files[] = {
	SCMP_SYS(pwrite64), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(openat), SCMP_SYS(openat2),
	SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(linkat), SCMP_SYS(symlinkat), SCMP_SYS(unlinkat),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(readlinkat), SCMP_SYS(fchown), SCMP_SYS(fchownat),
	SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(utimensat), SCMP_SYS(fsetxattr), SCMP_SYS(fgetxattr),
	SCMP_SYS(flistxattr), SCMP_SYS(ftruncate), SCMP_SYS(getdents64), SCMP_SYS(copy_file_range),
	SCMP_SYS(sendfile), SCMP_SYS(fadvise64), SCMP_SYS(umask),
};

/* What giving files to others needs; SYS_ADMIN is for trusted.* attributes, all else of it the list above denies. */
static const int caps_files[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
				  CAP_SYS_ADMIN };

/* Its shadow is larger than any limit; gcc says it in one way, clang in another. */
#ifdef __has_feature
#define WITH_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ADDRESS_SANITIZER 1
#else
#define WITH_ADDRESS_SANITIZER 0
#endif

static int limits_set(const struct sandbox *s)
{
	const struct {
		int what;
		rlim_t value;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, s->file_size_max > 0 ? (rlim_t)s->file_size_max : RLIM_INFINITY },
		{ RLIMIT_CPU, s->cpu_seconds_max > 0 ? (rlim_t)s->cpu_seconds_max : RLIM_INFINITY },
		{ RLIMIT_STACK, 8UL << 20 },
#if !WITH_ADDRESS_SANITIZER
		{ RLIMIT_AS, 1UL << 30 },
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit now, want;

		if (getrlimit(limits[i].what, &now) < 0)
			return fail(errno, "limits");
		want.rlim_max = limits[i].value < now.rlim_max ? limits[i].value : now.rlim_max;
		want.rlim_cur = want.rlim_max;
		if (setrlimit(limits[i].what, &want) < 0)
			return fail(errno, "set limits");
	}
	return 0;
}

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)

/*
 * Namespaces that nobody is in, made once: a network namespace costs more than all that a small layer does, and its end is
 * work for the kernel, too. Whoever enters them can do nothing there with another: no socket, no message queue, no mount.
 */
static struct {
	bool known;	/* looked into: without the right to them there are none */
	int fds[4];
	size_t count;
} nest;

static void nest_open(pid_t pid)
{
	static const char *const names[] = { "net", "mnt", "ipc", "uts" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			nest.fds[nest.count++] = fd;
	}
}

/* Return: 0, or a recorded failure. Where there is no right to them, or no /proc, each child makes its own, or has none. */
static int nest_make(void)
{
	int ends[2];
	char ready = 0;
	pid_t pid;

	nest.known = true;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "pipe");
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ends[0]);
		if (unshare(NAMESPACES) < 0 || write(ends[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ends[1]);
	if (pid > 0 && read(ends[0], &ready, 1) == 1)
		nest_open(pid);
	(void)close(ends[0]);
	if (pid < 0)
		return fail(errno, "start a process");
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Missing privileges cost these walls and leave the others standing. */
static int namespaces_enter(const struct sandbox *s)
{
	if (geteuid() != 0) {
		if (!s->files)
			(void)unshare(NAMESPACES | CLONE_NEWUSER);
		return 0;
	}
	if (nest.count < ARRAY_SIZE(nest.fds)) {
		if (unshare(NAMESPACES) < 0)
			return errno == EPERM ? 0 : fail(errno, "new namespaces");
		return 0;
	}
	for (size_t i = 0; i < nest.count; i++)
		if (setns(nest.fds[i], 0) < 0)
			return fail(errno, "enter the namespaces");
	return 0;
}

static int root_change(const struct sandbox *s)
{
	if (geteuid() == 0 && s->write >= 0 && (fchdir(s->write) < 0 || chroot(".") < 0))
		return errno == EPERM ? 0 : fail(errno, "change the root");
	return 0;
}

static int landlock_enter(const struct sandbox *s)
{
	cleanup_fd int rules = -1;
	int r = landlock_open(&rules);

	if (r != 0)
		return r < 0 ? r : 0;
	r = s->write >= 0 ? landlock_allow(rules, s->write, LANDLOCK_RIGHTS_ALL) : 0;
	for (size_t i = 0; i < s->read_count && r >= 0; i++)
		r = landlock_allow(rules, s->read[i], READ_RIGHTS);
	return r < 0 ? r : landlock_restrict(rules);
}

static int caps_drop(const struct sandbox *s)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], want[2] = { 0 };

	if (syscall(SYS_capget, &head, now) < 0)
		return fail(errno, "capabilities");
	for (size_t i = 0; s->files && i < ARRAY_SIZE(caps_files); i++) {
		unsigned int word = CAP_TO_INDEX(caps_files[i]), bit = CAP_TO_MASK(caps_files[i]);

		want[word].permitted |= now[word].permitted & bit;
		want[word].effective |= now[word].permitted & bit;
	}
	if (syscall(SYS_capset, &head, want) < 0)
		return fail(errno, "drop capabilities");
	return 0;
}

int sandbox_caps_drop(void)
{
	const struct sandbox none = { .files = false };

	return caps_drop(&none);
}

static int filter_rules(scmp_filter_ctx ctx, const struct sandbox *s)
{
	const int mapping[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls_always) && r >= 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls_always[i], 0);
	/* the C library's fstat(), which libarchive calls for its input */
	if (r >= 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	for (size_t i = 0; s->files && i < ARRAY_SIZE(calls_files) && r >= 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls_files[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(mapping) && r >= 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mapping[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

/* Compiled once, in the parent, for each of the two kinds of children. */
static struct sock_fprog filters[2];

static int filter_compile(const struct sandbox *s)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	cleanup_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_fprog *filter = &filters[s->files];
	cleanup_free char *bytes = NULL;
	size_t size = 0;
	int r = !ctx ? -ENOMEM : fd < 0 ? -errno : filter_rules(ctx, s);

	if (r >= 0)
		r = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r >= 0)
		r = fd_read_all(fd, 1 << 20, &bytes, &size);
	if (r < 0)
		return fail(-r, "compile the system call filter");
	filter->len = (unsigned short)(size / sizeof(*filter->filter));
	filter->filter = (struct sock_filter *)(void *)steal_ptr(&bytes);
	return 0;
}

static int filter_load(const struct sandbox *s)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filters[s->files]) < 0)
		return fail(errno, "load the system call filter");
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Close all but what is named; 0 and 1 lead nowhere, 2 stays for a last word of the C library. */
static int fds_close(const struct sandbox *s, int report)
{
	int keep[SANDBOX_FDS_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int from = 3;
	size_t count = 0;

	if (s->keep_count + s->read_count + 2 > SANDBOX_FDS_MAX)
		return fail_plain(EMFILE, "too many layers");
	for (size_t i = 0; i < s->keep_count; i++)
		keep[count++] = s->keep[i];
	for (size_t i = 0; i < s->read_count; i++)
		keep[count++] = s->read[i];
	if (s->write >= 0)
		keep[count++] = s->write;
	keep[count++] = report;
	qsort(keep, count, sizeof(*keep), by_number);
	if (null >= 0) {
		(void)dup2(null, 0);
		(void)dup2(null, 1);
	}
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < 3)
			continue;
		if ((unsigned int)keep[i] > from)
			(void)syscall(SYS_close_range, from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	(void)syscall(SYS_close_range, from, ~0U, 0);
	return 0;
}

static int shut_in(const struct sandbox *s, int report, pid_t parent)
{
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return fail_plain(ESRCH, "the parent is gone");
	(void)prctl(PR_SET_NAME, s->name);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Names are bytes: in any other locale libarchive would convert those of pax headers, and change some. */
	(void)setlocale(LC_CTYPE, "C");
	(void)umask(0);
	r = namespaces_enter(s);
	if (r >= 0)
		r = fds_close(s, report);
	if (r >= 0)
		r = limits_set(s);
	if (r >= 0)
		r = root_change(s);
	if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = fail(errno, "no new privileges");
	if (r >= 0)
		r = landlock_enter(s);
	if (r >= 0)
		r = caps_drop(s);
	return r < 0 ? r : filter_load(s);
}

static _Noreturn void child_run(const struct sandbox *s, sandbox_main *main, void *arg, int report_fd, pid_t parent)
{
	struct sandbox_report report = { .errnum = 0 };
	int r = shut_in(s, report_fd, parent);

	r = r < 0 ? fail_in(r, "sandbox") : main(arg, &report);
	if (r < 0) {
		report.errnum = -r;
		(void)snprintf(report.text, sizeof(report.text), "%s", fail_text());
	}
	(void)!write(report_fd, &report, sizeof(report));
	_exit(r < 0 ? 1 : 0);
}

int sandbox_start(const struct sandbox *s, sandbox_main *main, void *arg, struct sandbox_child *ret)
{
	pid_t parent = getpid(), pid;
	int ends[2], r = 0;

	if (!filters[s->files].filter)
		r = filter_compile(s);
	if (r >= 0 && !nest.known && geteuid() == 0)
		r = nest_make();
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "pipe");
	pid = fork();
	if (pid == 0)
		child_run(s, main, arg, ends[1], parent);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return fail(errno, "start '%s'", s->name);
	}
	*ret = (struct sandbox_child){ .pid = pid, .report = ends[0] };
	return 0;
}

void sandbox_discard(struct sandbox_child *child)
{
	if (child->pid <= 0)
		return;
	(void)kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	child->pid = -1;
	(void)close(steal_fd(&child->report));
}

static int end_text(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return fail_plain(ETIME, "it takes more processor time than it may");
	return fail_plain(EIO, "the unpacking process was ended by signal %d",
			  WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int sandbox_end(struct sandbox_child *child, struct sandbox_report *ret)
{
	struct sandbox_report report;
	char shown[sizeof(report.text) * 2];
	int status = 0;
	ssize_t n;

	do
		n = read(child->report, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	(void)close(steal_fd(&child->report));
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->pid = -1;
	if (n != (ssize_t)sizeof(report))
		return end_text(status);
	report.text[sizeof(report.text) - 1] = '\0';
	if (report.errnum != 0)
		return fail_plain(report.errnum > 0 && report.errnum < 4096 ? report.errnum : EIO, "%s",
				  str_printable(shown, sizeof(shown), report.text));
	*ret = report;
	return 0;
}
