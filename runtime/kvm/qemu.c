/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU is a child of the monitor in the same cell, as nobody, without any capability, with the descriptors of the
 * kernel, of the taps, and of its ends of our devices' connections. The monitor serves those devices from one loop, and ends
 * when QEMU does. When the monitor ends first, QEMU is killed.
 */
#include "runtime/kvm/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/kvm/filter.h"
#include "runtime/kvm/vhost-user.h"

enum {
	NOBODY = 65534,
	FD_ABOVE = 64, /* out of the way of the numbers that QEMU is told */
};

struct qemu {
	const struct vm_config *config;
	struct vm vm; /* its end and its statistics; the memory is each device's own view */
	struct loop loop;
	struct str_list command;
	uint8_t *pages; /* the devices' configurations are kept where registers would be */
	struct vhost_user users[VM_DEVICES_MAX];
	int ends[VM_DEVICES_MAX]; /* QEMU's, of the connections */
	pid_t pid;
	struct loop_source process; /* a pidfd */
};

static int machine_make(struct qemu *q)
{
	int r = vm_begin(&q->vm);

	if (r == 0 && q->config->stats_fd >= 0)
		r = vm_stats_share(&q->vm, q->config->stats_fd);
	q->vm.stats->other = 1;
	return r < 0 ? r : loop_init(&q->loop, q->vm.end_fd);
}

static int command_make(struct qemu *q)
{
	return qemu_command(q->config, &q->command);
}

/* What the file server takes as given (runtime/kvm/fuse.h). */
static int files_prepare(struct qemu *q)
{
	(void)umask(0);
	return q->config->proc_fd < 0 || fchdir(q->config->proc_fd) == 0 ? 0 : fail(errno, "go to /proc/self/fd");
}

static int (*const device_new[VM_DEVICE_KINDS])(const struct device_place *, const struct vm_device_config *,
						struct device *) = {
	[VM_DEVICE_VSOCK] = vsock_new, [VM_DEVICE_BLK] = blk_new, [VM_DEVICE_FS] = fs_new,
};

static int device_add(struct qemu *q, unsigned int slot)
{
	const struct vm_device_config *config = &q->config->devices[slot];
	struct vhost_user *user = &q->users[slot];
	struct device_place place = {
		.vm = &user->vm,
		.loop = &q->loop,
		.slot = slot,
		.page = q->pages + (size_t)slot * VIRTIO_PAGE,
		.shares = q->config->shares,
		.share_count = q->config->share_count,
	};
	int pair[2], r;

	user->vm = (struct vm){
		.kvm_fd = -1, .fd = -1, .end_fd = -1, .stats = q->vm.stats, .born_us = q->vm.born_us,
	};
	r = device_new[config->kind](&place, config, &user->device);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(errno, "make a connection");
	user->source.fd = pair[0];
	q->ends[slot] = pair[1];
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		return fail(errno, "make a connection");
	return vhost_user_init(user, &q->loop, pair[0], &q->vm);
}

static int devices_add(struct qemu *q)
{
	q->pages = calloc(VM_DEVICES_MAX, VIRTIO_PAGE);
	if (!q->pages)
		return fail(ENOMEM, "make the devices");
	for (unsigned int i = 0; i < q->config->device_count; i++) {
		int r = qemu_serves(q->config->devices[i].kind) ? device_add(q, i) : 0;

		if (r < 0)
			return fail_in(r, "device %u", i);
	}
	return 0;
}

/* --- QEMU's process -------------------------------------------------------------------------------- */

/* @fd at @number, open across execve. Those handed over are moved out of the way first. */
static int place(int fd, int number)
{
	return dup2(fd, number) < 0 ? fail(errno, "hand over descriptor %d", fd) : 0;
}

static int descriptors_place(struct qemu *q)
{
	const struct vm_config *c = q->config;
	int above[QEMU_DEVICE_FD + VM_DEVICES_MAX], count = QEMU_DEVICE_FD + (int)c->device_count, r = 0;

	for (int i = 0; i < count; i++)
		above[i] = -1;
	above[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	above[1] = c->serial_fd < 0 ? above[0] : c->serial_fd;
	above[2] = STDERR_FILENO;
	above[QEMU_KERNEL_FD] = c->kernel_fd;
	above[QEMU_INITRD_FD] = c->initrd_fd;
	for (unsigned int i = 0; i < c->device_count; i++)
		above[QEMU_DEVICE_FD + i] = c->devices[i].kind == VM_DEVICE_NET ? c->devices[i].fd[0] : q->ends[i];
	for (int i = 0; i < count; i++)
		if (above[i] >= 0) {
			above[i] = fcntl(above[i], F_DUPFD_CLOEXEC, FD_ABOVE);
			if (above[i] < 0)
				return fail(errno, "hand over a descriptor");
		}
	if (above[0] < 0)
		return fail(errno, "open '/dev/null'");
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(errno, "close_range");
	for (int i = 0; r == 0 && i < count; i++)
		if (above[i] >= 0)
			r = place(above[i], i);
	return r;
}

/*
 * A group of /dev/kvm's is all that it keeps of root. No new privileges: an execve as anybody gives none back.
 */
static int become_nobody(const struct vm_config *config)
{
	gid_t group = NOBODY;
	struct stat st;

	if (config->hypervisor_kvm && stat("/dev/kvm", &st) == 0 && (st.st_mode & S_IRWXG) >= (S_IRGRP | S_IWGRP))
		group = st.st_gid;
	if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return fail(errno, "become nobody");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(errno, "confine it");
	return 0;
}

static _Noreturn void child(struct qemu *q)
{
	char *const empty[] = { NULL };
	sigset_t none;
	int r = descriptors_place(q);

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (r == 0)
		r = chdir("/") < 0 ? fail(errno, "go to '/'") : become_nobody(q->config);
	if (r == 0) {
		(void)execve(q->command.items[0], q->command.items, empty);
		(void)fail(errno, "execute '%s'", q->command.items[0]);
	}
	log_error(fail_text());
	_exit(STATUS_OURS);
}

/* Its own line on standard error says why. */
static void process_ready(struct loop_source *source, uint32_t events)
{
	struct qemu *q = container_of(source, struct qemu, process);
	siginfo_t info = { .si_pid = 0 };

	(void)events;
	loop_remove(&q->loop, source);
	if (waitid(P_PIDFD, (id_t)source->fd, &info, WEXITED) == 0 && info.si_code == CLD_EXITED && info.si_status == 0)
		vm_end(&q->vm, VM_END_POWEROFF);
	else
		vm_end(&q->vm, VM_END_HYPERVISOR);
}

static int process_start(struct qemu *q)
{
	q->pid = fork();
	if (q->pid == 0)
		child(q);
	if (q->pid < 0)
		return fail(errno, "make a process");
	for (unsigned int i = 0; i < VM_DEVICES_MAX; i++)
		if (q->ends[i] >= 0) {
			(void)close(q->ends[i]);
			q->ends[i] = -1;
		}
	q->process = (struct loop_source){ .fd = pidfd_open(q->pid, 0), .ready = process_ready };
	return q->process.fd < 0 ? fail(errno, "watch it") : loop_add(&q->loop, &q->process, EPOLLIN);
}

static int monitor_confine(struct qemu *q)
{
	(void)q;
	return filter_load(FILTER_SERVER);
}

static int devices_serve(struct qemu *q)
{
	return loop_run(&q->loop);
}

static const struct {
	const char *what;
	int (*run)(struct qemu *q);
} steps[] = {
	{ "make the machine", machine_make },
	{ "write QEMU's command line", command_make },
	{ "prepare for files", files_prepare },
	{ "add devices", devices_add },
	{ "start QEMU", process_start },
	{ "confine the monitor", monitor_confine },
	{ "serve its devices", devices_serve }, /* until the machine's end */
};

static void release(struct qemu *q)
{
	for (unsigned int i = 0; i < VM_DEVICES_MAX; i++) {
		vhost_user_done(&q->users[i]);
		if (q->ends[i] >= 0)
			(void)close(q->ends[i]);
	}
	if (q->process.fd >= 0)
		(void)close(q->process.fd);
	loop_done(&q->loop);
	vm_done(&q->vm);
	str_list_done(&q->command);
	free(q->pages);
}

int qemu_run(const struct vm_config *config, enum vm_end_reason *ret_end)
{
	cleanup_free struct qemu *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q)
		return fail(ENOMEM, "make the machine");
	q->config = config;
	q->vm.fd = q->vm.end_fd = q->loop.fd = q->process.fd = -1;
	for (unsigned int i = 0; i < VM_DEVICES_MAX; i++)
		q->ends[i] = q->users[i].source.fd = -1;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].run(q);
		if (r < 0)
			r = fail_in(r, "%s", steps[i].what);
	}
	if (r < 0)
		vm_end(&q->vm, VM_END_MONITOR);
	*ret_end = (enum vm_end_reason)atomic_load(&q->vm.end);
	release(q);
	return r;
}
