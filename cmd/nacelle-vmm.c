/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nacelle-vmm: the monitor of one virtual machine. It takes no argument: all it works with are the
 * descriptors that a sealed configuration on descriptor 3 names. It ends when the machine does: with 0
 * when the guest switched itself off, or is in the template that was asked for, else with 125 and a line that
 * says why; or with 1 when the guest ended before it came to be a template.
 *
 * Attended, it is two processes: the first runs a container in the guest and has its standard streams,
 * its signals and its exit status; the second is the monitor. Without our agent in the guest the first waits for its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/kvm/attend.h"
#include "runtime/kvm/config.h"
#include "runtime/kvm/qemu.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/vmm.h"

_Static_assert((int)CHANNEL_STREAMS == (int)VM_ATTEND_FDS, "the attendant's connections");

enum { POWEROFF_MS = 10000 };

/*
 * A guest can make us touch memory of a file that was cut short, or a piece of the files' window that
 * it has not mapped: that is its end, told in one line.
 */
static void memory_gone(int signal)
{
	static const char text[] = "nacelle: the guest used memory that is not there\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(STATUS_OURS);
	_exit(STATUS_OURS);
}

static int complain(void)
{
	log_error(fail_text());
	return fail_status();
}

static int monitor(const struct vm_config *config)
{
	enum vm_end_reason end = VM_END_NONE;
	int r;

	/* A console or a stream whose reader is gone is a matter of that device. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGSEGV, memory_gone);
	(void)signal(SIGBUS, memory_gone);
	r = config->hypervisor[0] ? qemu_run(config, &end) : vmm_run(config, &end);
	if (r < 0)
		return complain();
	if (end == (config->template_use == VM_TEMPLATE_MAKE ? VM_END_TEMPLATE : VM_END_POWEROFF))
		return EXIT_SUCCESS;
	if (config->template_use == VM_TEMPLATE_MAKE)
		return EXIT_FAILURE; /* another try would end so as well */
	(void)fail_plain(EXIT_FAILURE, "%s", vm_end_text(end));
	return complain();
}

/* The child's side: its streams are closed with the attendant's, signals are the attendant's matter. */
static int monitor_child(struct vm_config *config)
{
	sigset_t vcpus;

	/* The rest stays blocked: a signal to all of the cell is for the container. */
	(void)sigemptyset(&vcpus);
	(void)sigaddset(&vcpus, VCPU_KICK);
	(void)sigprocmask(SIG_UNBLOCK, &vcpus, NULL);
	for (int i = 0; i < VM_ATTEND_FDS; i++)
		(void)close(config->attend_fd[i]);
	(void)close(STDIN_FILENO);
	if (config->attended == VM_ATTENDED)
		(void)close(STDOUT_FILENO);
	config->proc_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (config->proc_fd < 0) {
		(void)fail(errno, "open '/proc/self/fd'");
		return complain();
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
		(void)fail(errno, "ask for a signal when the attendant dies");
		return complain();
	}
	return monitor(config);
}

/* A guest that does not switch itself off is switched off. */
static void monitor_end(pid_t pid, int pidfd)
{
	if (proc_wait_exit(pidfd, POWEROFF_MS) != 0)
		(void)proc_signal(pidfd, SIGKILL);
	(void)proc_reap(pid);
}

static int attend_machine(struct vm_config *config, int signals, int machine, pid_t pid)
{
	cleanup_free char *text = NULL;
	struct attend attend = {
		.word = CHANNEL_RUN, .signals = signals, .machine = machine, .terminal = config->terminal,
	};
	int r = fd_read_all(config->attend_text, CHANNEL_TEXT_MAX, &text, &attend.size);

	if (r < 0)
		return fail(-r, "read the guest's part of the spec");
	attend.text = text;
	for (int i = 0; i < 3; i++) {
		attend.streams[i] = config->attend_fd[i];
		attend.stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
	}
	attend.streams[CHANNEL_CONTROL] = config->attend_fd[CHANNEL_CONTROL];
	r = attend_process(&attend);
	(void)close(config->attend_fd[CHANNEL_CONTROL]);
	monitor_end(pid, machine);
	return r;
}

static int attended(struct vm_config *config)
{
	cleanup_fd int machine = -1;
	int signals = attend_signals(), r;
	pid_t pid;

	if (signals < 0)
		return complain();
	(void)signal(SIGPIPE, SIG_IGN);
	pid = fork();
	if (pid == 0)
		_exit(monitor_child(config));
	machine = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (machine < 0)
		r = fail(errno, pid < 0 ? "make a process" : "watch the monitor");
	else if (config->attended == VM_ATTENDED)
		r = attend_machine(config, signals, machine, pid);
	else
		r = attend_kernel(signals, machine, pid);
	return r < 0 ? complain() : r;
}

int main(void)
{
	struct vm_config config;

	if (vm_config_read(VM_CONFIG_FD, &config) < 0)
		return complain();
	return config.attended ? attended(&config) : monitor(&config);
}
