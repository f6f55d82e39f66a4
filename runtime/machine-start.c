/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The streams of a machine begin at a socket in the container's state folder, on which the monitor
 * listens. Nobody else can reach that folder; the attendant, in the cell, gets its connections made.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/kvm/attend.h"
#include "runtime/machine.h"
#include "runtime/parent.h"
#include "runtime/spec.h"
#include "runtime/state.h"

#define SOCKET_NAME "vm.sock"

enum { BACKLOG = 64 };

/* sun_path is short, a state root need not be: the address goes through the folder's fd. */
static struct sockaddr_un address_of(const struct state_dir *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir->fd);
	return address;
}

int machine_reach(const struct state_dir *dir)
{
	const struct sockaddr_un address = address_of(dir);
	cleanup_fd int fd = machine_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "a socket");

	if (fd < 0)
		return fd;
	/* One that is frozen takes no connection: when there are too many, the next must not wait for it. */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ENOENT ? fail_plain(ENOTSUP, "the virtual machine's kernel is not Linux: there is nobody of ours in it") :
					 fail(errno, "reach the virtual machine");
	if (fcntl(fd, F_SETFL, 0) < 0)
		return fail(errno, "reach the virtual machine");
	return steal_fd(&fd);
}

int machine_connect(const struct state_dir *dir, int ret_streams[CHANNEL_STREAMS])
{
	for (int i = 0; i < CHANNEL_STREAMS; i++) {
		ret_streams[i] = machine_reach(dir);
		if (ret_streams[i] < 0)
			return ret_streams[i];
	}
	return 0;
}

static int listener_make(const struct state_dir *dir)
{
	const struct sockaddr_un address = address_of(dir);
	cleanup_fd int fd = machine_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "a socket");

	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return fail(errno, "listen on '" SOCKET_NAME "'");
	return steal_fd(&fd);
}

/* The monitor counts in this file, and whoever may look into the folder reads it. */
static int counts_make(const struct state_dir *dir)
{
	int fd = machine_fd(openat(dir->fd, MACHINE_COUNTS, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
			    "'" MACHINE_COUNTS "'");

	if (fd >= 0 && ftruncate(fd, sizeof(struct vm_stats)) < 0) {
		(void)close(fd);
		return fail(errno, "make '" MACHINE_COUNTS "'");
	}
	return fd;
}

static int inner_write(struct machine *m)
{
	size_t size = strlen(m->split.inner);
	int fd = machine_fd(memfd_create("inner-spec", MFD_CLOEXEC), "memory for the guest's spec"), r;

	if (fd < 0)
		return fd;
	m->config.attend_text = fd;
	if (size > CHANNEL_TEXT_MAX)
		return fail_plain(EFBIG, "the spec is too large for a guest");
	r = fd_write_all(fd, m->split.inner, size);
	if (r < 0)
		return fail(-r, "write the guest's spec");
	return lseek(fd, 0, SEEK_SET) < 0 ? fail(errno, "write the guest's spec") : 0;
}

static int streams_make(struct machine *m, const struct state_dir *dir)
{
	int r;

	m->config.devices[0].fd[0] = listener_make(dir);
	if (m->config.devices[0].fd[0] < 0)
		return m->config.devices[0].fd[0];
	r = machine_connect(dir, m->config.attend_fd);
	return r == 0 ? inner_write(m) : r;
}

int machine_listen(struct machine *m, const struct state_dir *dir)
{
	int r;

	m->config.stats_fd = counts_make(dir);
	if (m->config.stats_fd < 0)
		return m->config.stats_fd;
	r = m->config.attended == VM_ATTENDED ? streams_make(m, dir) : 0;
	if (r == 0)
		r = vm_config_check(&m->config);
	if (r < 0)
		return r;
	m->sealed = machine_fd(vm_config_seal(&m->config), "the configuration");
	return m->sealed < 0 ? m->sealed : 0;
}

static int keep_open(int fd)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
		return fail(errno, "hand over descriptor %d", fd);
	return 0;
}

int machine_hand_over(const struct machine *m, int *const *mine, size_t count)
{
	const struct vm_config *c = &m->config;
	const int fds[] = {
		c->kvm_fd, c->kernel_fd, c->initrd_fd, c->serial_fd, c->stats_fd, c->attend_text, c->template_fd,
	};
	int r = 0;

	for (size_t i = 0; i < count; i++)
		if (*mine[i] == VM_CONFIG_FD) {
			*mine[i] = fcntl(VM_CONFIG_FD, F_DUPFD_CLOEXEC, VM_CONFIG_FD + 1);
			if (*mine[i] < 0)
				return fail(errno, "make room for the configuration");
		}
	if (dup2(m->sealed, VM_CONFIG_FD) < 0)
		return fail(errno, "hand over the configuration");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fds); i++)
		r = keep_open(fds[i]);
	for (size_t i = 0; r == 0 && i < VM_ATTEND_FDS; i++)
		r = keep_open(c->attend_fd[i]);
	for (size_t i = 0; r == 0 && i < c->share_count; i++)
		r = keep_open(c->shares[i].fd);
	for (size_t i = 0; r == 0 && i < c->device_count; i++)
		r = keep_open(c->devices[i].fd[0]);
	return r;
}

/* --- exec ----------------------------------------------------------------------------------------- */

static int exec_check(const struct spec_process *process, const struct exec_options *options)
{
	if (!process->terminal && options->console_socket)
		return fail_plain(EINVAL, "--console-socket is given, but no terminal is asked for");
	if (process->terminal && !options->console_socket && !options->keep_terminal)
		return fail_plain(EINVAL, "a terminal needs --console-socket here");
	if (options->preserve_fds)
		return fail_plain(ENOTSUP, "--preserve-fds is not supported in a virtual machine");
	if (!options->json)
		return fail_plain(ENOTSUP, "this process cannot be sent to a virtual machine");
	return 0;
}

/* In a child of ours, which ends as the process in the guest does. */
static _Noreturn void exec_attend(struct attend *attend, const struct spec_process *process,
				  const struct exec_options *options, int slave)
{
	int r = attend_signals();

	attend->signals = r;
	attend->terminal = process->terminal;
	if (r >= 0 && process->terminal)
		r = setsid() < 0 ? fail(errno, "begin a session") : console_take(slave, process);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++)
		attend->stdio[i] = fcntl(options->stdio[i] >= 0 && !process->terminal ? options->stdio[i] : i,
					 F_DUPFD_CLOEXEC, 3);
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	if (r >= 0)
		r = attend_process(attend);
	if (r >= 0)
		_exit(r);
	log_error(fail_text());
	_exit(fail_status());
}

static char *exec_text(const struct exec_options *options)
{
	cleanup_json json_t *process = json_copy(options->json), *v = NULL;

	/* The machine is confined by it already (runtime/exec.c). */
	(void)json_object_del(process, "apparmorProfile");
	v = json_pack("{s:O, s:s*}", "process", process, "user", options->user);
	return v ? json_text(v) : NULL;
}

/* A terminal of the host's for the attendant. @ret_slave, @ret_master: -1 when none is asked for; the master when it is to be kept. */
static int exec_terminal(const struct spec_process *process, const struct exec_options *options, int *ret_slave,
			 int *ret_master)
{
	cleanup_fd int sock = -1, master = -1, slave = -1;
	int r = 0;

	*ret_slave = *ret_master = -1;
	if (!process->terminal)
		return 0;
	slave = console_pair(&master);
	if (slave < 0)
		return slave;
	if (options->console_socket) {
		sock = console_connect(options->console_socket);
		r = sock < 0 ? sock : console_send(sock, master);
	} else {
		*ret_master = steal_fd(&master);
	}
	*ret_slave = steal_fd(&slave);
	return r;
}

int machine_exec(const struct state_dir *dir, const struct spec_process *process, const struct exec_options *options,
		 struct container_child *ret_child)
{
	struct attend attend = { .streams = { -1, -1, -1, -1 }, .word = CHANNEL_EXEC, .machine = -1 };
	cleanup_free char *text = NULL;
	cleanup_fd int pidfd = -1, slave = -1, master = -1;
	pid_t pid = 0;
	int r = exec_check(process, options);

	if (r < 0)
		return r;
	text = exec_text(options);
	if (!text)
		return fail(ENOMEM, "make the guest's order");
	attend.text = text;
	attend.size = strlen(text);
	r = exec_terminal(process, options, &slave, &master);
	if (r == 0)
		r = machine_connect(dir, attend.streams);
	if (r == 0) {
		pid = fork();
		if (pid == 0) {
			if (master >= 0)
				(void)close(master);
			exec_attend(&attend, process, options, slave);
		}
		pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
		r = pidfd < 0 ? fail(errno, "make a process") : parent_pid_file(options->pid_file, pid);
	}
	for (int i = 0; i < CHANNEL_STREAMS; i++)
		if (attend.streams[i] >= 0)
			(void)close(attend.streams[i]);
	if (r == 0)
		*ret_child = (struct container_child){
			.pid = pid, .pidfd = steal_fd(&pidfd), .terminal = steal_fd(&master), .cgroup = -1, .sync = -1,
		};
	return r;
}
