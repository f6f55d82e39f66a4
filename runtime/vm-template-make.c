/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest runs a kernel, modules and an agent that are all the host's own, and meets no word of a container's; its
 * monitor has no capability, no network and no file all the same, and stays root only because another user's
 * processes could look into a process of theirs.
 */
#include "runtime/vm-template-make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/kvm/config.h"
#include "runtime/machine.h"

enum { LIMIT_MS = 120000, STEP_MS = 100, TEMPLATE_CID = 3, STATUS_NEVER = 1, SAID_MAX = 4096 };

/* What the child needs; numbers above VM_CONFIG_FD. */
struct making {
	struct vm_config config;
	int sealed, root, program, said;
};

static int privileges_drop(int root)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { .effective = 0 } };

	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) < 0 || fchdir(root) < 0 || chroot(".") < 0)
		return -errno;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
		return -errno;
	return 0;
}

/* So that its memory need not go to swap. */
static void memory_allow(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_MEMLOCK, &none);
}

/* In the child. */
static _Noreturn void monitor_exec(const struct making *m)
{
	const int kept[] = {
		m->config.kvm_fd, m->config.kernel_fd, m->config.initrd_fd, m->config.template_fd, m->config.devices[0].fd[0],
	};
	char *const argv[] = { (char[]){ "nacelle-vmm" }, NULL }, *const env[] = { NULL };
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	memory_allow();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 ||
	    dup2(m->said, 2) < 0 || dup2(m->sealed, VM_CONFIG_FD) < 0 || privileges_drop(m->root) < 0)
		_exit(STATUS_OURS);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		(void)fcntl(kept[i], F_SETFD, 0);
	(void)execveat(m->program, "", argv, env, AT_EMPTY_PATH);
	_exit(STATUS_OURS);
}

bool vm_template_is_called(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigismember(&pending, signals[i]) == 1)
			return true;
	return false;
}

/* What the monitor said last, as far as it goes into a line. */
static int fail_as_said(int said, int status)
{
	char text[SAID_MAX], shown[SAID_MAX * 2];
	ssize_t n = pread(said, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return *text ? fail_plain(EREMOTEIO, "%s", str_printable(shown, sizeof(shown), text)) :
		       fail_plain(EREMOTEIO, "its monitor ended with status %d", status);
}

static int await(pid_t pid, int pidfd, int said)
{
	int r = PROC_TIMEOUT, status;
	bool called = false;

	for (int ms = 0; r == PROC_TIMEOUT && ms < LIMIT_MS && !called; ms += STEP_MS) {
		r = proc_wait_exit(pidfd, STEP_MS);
		called = r == PROC_TIMEOUT && vm_template_is_called();
	}
	if (r != 0)
		(void)proc_signal(pidfd, SIGKILL);
	status = proc_reap(pid);
	if (r < 0 || status < 0)
		return r < 0 ? r : status;
	if (called)
		return fail_plain(EINTR, "interrupted");
	if (r == PROC_TIMEOUT)
		return fail_plain(ETIMEDOUT, "the guest did not come up within %d s", LIMIT_MS / 1000);
	return status == 0 ? 0 : status == STATUS_NEVER ? VM_TEMPLATE_NEVER : fail_as_said(said, status);
}

static void config_fill(struct vm_config *to, const struct vm_config *of, int template, int listener)
{
	*to = *of;
	to->stats_fd = to->serial_fd = to->proc_fd = to->attend_text = -1;
	for (int i = 0; i < VM_ATTEND_FDS; i++)
		to->attend_fd[i] = -1;
	to->attended = to->terminal = 0;
	to->share_count = to->mergeable = 0;
	to->device_count = VM_TEMPLATE_DEVICES;
	/* Nobody ever connects: a descriptor that is never ready will do. */
	to->devices[0].fd[0] = listener;
	to->devices[0].cid = TEMPLATE_CID;
	to->template_use = VM_TEMPLATE_MAKE;
	to->template_devices = VM_TEMPLATE_DEVICES;
	to->template_fd = template;
}

int vm_template_make(const struct vm_config *of, int fd, int cache, const char *monitor)
{
	cleanup_fd int template = machine_fd(fcntl(fd, F_DUPFD_CLOEXEC, 0), "the template");
	cleanup_fd int listener = machine_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "an event");
	cleanup_fd int root = machine_fd(openat(cache, "cell", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), "the monitor's root");
	cleanup_fd int program = machine_fd(open(monitor, O_PATH | O_CLOEXEC), monitor);
	cleanup_fd int said = machine_fd(memfd_create("said", MFD_CLOEXEC), "memory"), sealed = -1, pidfd = -1;
	struct making m = { .root = root, .program = program, .said = said };
	pid_t pid;

	if (template < 0 || listener < 0 || root < 0 || program < 0 || said < 0)
		return -EIO;
	config_fill(&m.config, of, template, listener);
	sealed = machine_fd(vm_config_seal(&m.config), "the configuration");
	if (sealed < 0)
		return sealed;
	m.sealed = sealed;
	pid = fork();
	if (pid == 0)
		monitor_exec(&m);
	pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (pidfd < 0)
		return fail(errno, "make a process");
	return await(pid, pidfd, said);
}
