/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * criu is run for one request ("swrk") and spoken to over a socket, as runc and crun do, rather than by its command line:
 * it tells us where it has come to before anything of the container runs, and gives us the master of its terminal, which no
 * option of the command line can. It is found by PATH and is not our process for longer than the request.
 *
 * Its own errors are lines of its log: the first one is the cause, and becomes ours.
 */
#include "runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd-message.h"
#include "runtime/base/fd.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"
#include "runtime/base/sync.h"
#include "runtime/checkpoint.h"
#include "runtime/network-wish.h"
#include "runtime/overlay.h"
#include "runtime/spec.h"

#define CRIU_PROGRAM "criu"
#define CACHE	     "/run/criu.kdat"

enum {
	ANSWER_SIZE = 4096,
	LOG_LEVEL_OF_IT = 4,	/* debug: who reads its log has a reason */
	LOG_SIZE_MAX = 64 * 1024 * 1024,
};

static int program_fail(const char *name)
{
	return fail_plain(ENOENT, "the program '%s' is not %s: install it (apt-get install criu)", name,
			  strchr(name, '/') ? "there, or cannot be run" : "in PATH");
}

int criu_is_there(const struct checkpoint_options *o)
{
	const char *name = o->program ? o->program : CRIU_PROGRAM;

	return spawn_finds(name) ? 0 : program_fail(name);
}

static int judge_mounts(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (m->volume)
			return fail_plain(ENOTSUP, "mounts[%zu]: volume '%s' cannot be part of a checkpoint: bind its folder instead",
					  i, m->source ? m->source : m->destination);
		if (m->idmap || m->uid_mapping_count)
			return fail_plain(ENOTSUP, "mounts[%zu]: criu does not know id-mapped mounts", i);
	}
	return 0;
}

static int judge_namespaces(const struct spec *spec)
{
	static const enum spec_ns not_by_path[] = { NS_MOUNT, NS_USER, NS_CGROUP, NS_TIME };

	if (spec->linux_.namespaces[NS_USER].wanted)
		return fail_plain(ENOTSUP, "linux.namespaces: a container with a user namespace cannot be put into a checkpoint");
	for (size_t i = 0; i < ARRAY_SIZE(not_by_path); i++)
		if (spec->linux_.namespaces[not_by_path[i]].path)
			return fail_plain(ENOTSUP, "linux.namespaces: a %s namespace by path cannot be part of a checkpoint",
					  spec_namespace_name(not_by_path[i]));
	if (!spec->linux_.namespaces[NS_PID].wanted)
		return fail_plain(ENOTSUP, "linux.namespaces: without a pid namespace of its own its processes could not get "
				  "their numbers again");
	return 0;
}

/* criu tells the LSM by these files. Where they are not there it would put no label aside, and what it restores has none. */
static int judge_labels(const struct spec_process *process)
{
	if (process->apparmor_profile && access("/sys/kernel/security/apparmor", F_OK) < 0)
		return fail_plain(ENOTSUP, "process.apparmorProfile: criu finds AppArmor by securityfs, which is not mounted: "
				  "mount -t securityfs securityfs /sys/kernel/security");
	if (process->selinux_label && access("/sys/fs/selinux", F_OK) < 0)
		return fail_plain(ENOTSUP, "process.selinuxLabel: criu finds SELinux by selinuxfs, which is not mounted: "
				  "mount -t selinuxfs selinuxfs /sys/fs/selinux");
	return 0;
}

int criu_cache_forget(const struct spec_process *process, const char *profile)
{
	if (!process->apparmor_profile && !process->selinux_label && !profile)
		return 0;
	return unlink(CACHE) < 0 && errno != ENOENT ? fail(errno, "remove '" CACHE "', what criu remembers of the kernel") : 0;
}

int criu_judge(const struct spec *spec)
{
	int r;

	if (geteuid() != 0)
		return fail_plain(EPERM, "a checkpoint takes root: criu reads and writes what belongs to the kernel");
	if (spec->vm.set)
		return fail_plain(ENOTSUP, "vm: the memory of a virtual machine cannot be put into a checkpoint");
	if (overlay_wanted(spec))
		return fail_plain(ENOTSUP, "its root is an overlay of ours (layers, an image), whose changes no checkpoint has: "
				  "use a root.path that stays");
	if (network_wish_is_any(spec))
		return fail_plain(ENOTSUP, "it is in a network of ours, whose devices no checkpoint has: give it a network "
				  "namespace by path, or none");
	if (spec->linux_.net_device_count)
		return fail_plain(ENOTSUP, "linux.netDevices: a device of the host cannot be part of a checkpoint");
	r = judge_labels(&spec->process);
	if (r == 0)
		r = judge_namespaces(spec);
	return r < 0 ? r : judge_mounts(spec);
}

/* --- its log ---------------------------------------------------------------------------------------- */

/* Docker takes these words for a program that is not there. */
static void soften(char *text)
{
	static const char wrong[] = "o such file or directory", right[] = "ot found";
	char *found;

	while ((found = strstr(text, wrong))) {
		memcpy(found, right, sizeof(right) - 1);
		memmove(found + sizeof(right) - 1, found + sizeof(wrong) - 1, strlen(found + sizeof(wrong) - 1) + 1);
	}
}

/* The text of the first "(00.123456) Error (criu/file.c:12): text", cut out of @log; NULL: there is none. */
static char *first_error(char *log)
{
	char *line, *rest = log;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *error = strstr(line, "Error (");
		char *text = error ? strstr(error, "): ") : NULL;

		if (text) {
			soften(text + 3);
			return text + 3;
		}
	}
	return NULL;
}

static int refused(const struct criu_job *job, int work, const struct criu_answer *answer)
{
	const char *folder = job->options->work ? job->options->work : job->options->images;
	cleanup_fd int fd = openat(work, job->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *log = NULL;
	char shown[CRIU_ERROR_SIZE], *error = NULL;

	if (fd >= 0 && fd_read_all(fd, LOG_SIZE_MAX, &log, NULL) == 0)
		error = first_error(log);
	if (!error && !answer->error[0])
		return fail_plain(EIO, "criu failed, see '%s/%s'", folder, job->log);
	return fail_plain(EIO, "criu: %s (see '%s/%s')", str_printable(shown, sizeof(shown), error ? error : answer->error), folder,
			  job->log);
}

/* --- the program ------------------------------------------------------------------------------------ */

/* In its process: what goes wrong is told over @report, whose end means that it has become criu. */
static _Noreturn void program_become(const struct criu_job *job, int sock, int report)
{
	const char *name = job->options->program ? job->options->program : CRIU_PROGRAM;
	char number[16];
	int r = job->enter ? job->enter(job->arg) : 0;

	(void)snprintf(number, sizeof(number), "%d", sock);
	if (r == 0 && fcntl(sock, F_SETFD, 0) < 0)
		r = fail(errno, "hand the socket to criu");
	if (r == 0) {
		(void)execlp(name, name, "swrk", number, (char *)NULL);
		r = fail(errno, "run '%s'", name);
	}
	sync_send_failure(report, r);
	_exit(STATUS_OURS);
}

/* Return: 0 with its end of a socket and its pid, or a recorded failure. */
static int program_start(const struct criu_job *job, int *ret_sock, pid_t *ret_pid)
{
	cleanup_fd int mine = -1, its = -1, report = -1, its_report = -1;
	struct sync_message m;
	int ends[2], r = sync_pair(ends);
	pid_t pid;

	if (r < 0)
		return r;
	report = ends[0];
	its_report = ends[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(errno, "make a pair of sockets");
	mine = ends[0];
	its = ends[1];
	pid = fork();
	if (pid < 0)
		return fail(errno, "fork for criu");
	if (pid == 0)
		program_become(job, its, its_report);
	*ret_pid = pid;
	(void)close(steal_fd(&its_report));
	r = sync_expect(report, SYNC_NONE, "criu", &m);
	if (r < 0)
		return r;
	*ret_sock = steal_fd(&mine);
	return 0;
}

static int answer_receive(int sock, struct criu_answer *ret, int *ret_fd)
{
	union fd_message room;
	unsigned char data[ANSWER_SIZE];
	struct iovec io = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	ssize_t n;

	fd_message_room(&m, &room);
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(errno, "hear what criu says");
	if (n == 0)
		return fail_plain(EPROTO, "criu ended without an answer");
	(void)fd_message_take(&m, ret_fd, 1);
	return criu_answer_read(data, (size_t)n, ret);
}

static int request_send(int sock, const struct criu_bytes *request)
{
	ssize_t n;

	do
		n = send(sock, request->data, request->size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? fail(errno, "speak to criu") : 0;
}

static int notified(const struct criu_job *job, int sock, const struct criu_answer *answer, int given)
{
	struct criu_bytes reply = { .data = NULL };
	cleanup_fd int fd = given;
	int r = job->notify ? job->notify(job->arg, answer->script, answer->pid, fd) : 0;
	int sent = criu_put_number(&reply, CRIU_REQUEST_TYPE, CRIU_NOTIFY);

	/* Without our consent it takes all back, and ends. */
	if (r < 0 || sent < 0) {
		criu_bytes_done(&reply);
		return r < 0 ? r : sent;
	}
	sent = criu_put_number(&reply, CRIU_REQUEST_NOTIFIED, 1);
	if (sent == 0)
		sent = request_send(sock, &reply);
	criu_bytes_done(&reply);
	return sent;
}

/* Until the answer to the request itself. */
static int talk(const struct criu_job *job, int sock, struct criu_answer *ret)
{
	int fd = -1, r;

	do {
		r = answer_receive(sock, ret, &fd);
		if (r == 0 && ret->type == CRIU_NOTIFY)
			r = notified(job, sock, ret, fd);
		else if (r == 0 && fd >= 0)
			(void)close(fd);
	} while (r == 0 && ret->type == CRIU_NOTIFY);
	return r;
}

/* --- the request ------------------------------------------------------------------------------------ */

static int options_put(const struct criu_job *job, int images, int work)
{
	const struct checkpoint_options *o = job->options;
	const struct {
		unsigned int field;
		bool value;
	} truths[] = {
		{ CRIU_EXT_UNIX_SK, o->ext_unix_sk }, { CRIU_TCP_ESTABLISHED, o->tcp_established },
		{ CRIU_SHELL_JOB, o->shell_job },     { CRIU_FILE_LOCKS, o->file_locks },
		{ CRIU_AUTO_DEDUP, o->auto_dedup },   { CRIU_ORPHAN_TERMINAL, true },
		{ CRIU_TCP_CLOSE, o->tcp_close },
		/* the cgroup is made by us, with its limits, and nobody else moves anything */
		{ CRIU_MANAGE_CGROUPS, true },
	};
	struct criu_bytes *to = job->fields;
	int r = criu_put_number(to, CRIU_IMAGES_FD, (uint64_t)images);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(truths); i++)
		if (truths[i].value)
			r = criu_put_number(to, truths[i].field, 1);
	if (r == 0)
		r = criu_put_number(to, CRIU_MANAGE_CGROUPS_MODE, 0);
	if (r == 0 && o->empty_network)
		r = criu_put_number(to, CRIU_EMPTY_NS, CLONE_NEWNET);
	if (r == 0)
		r = criu_put_number(to, CRIU_WORK_FD, (uint64_t)work);
	if (r == 0)
		r = criu_put_number(to, CRIU_LOG_LEVEL, LOG_LEVEL_OF_IT);
	return r < 0 ? r : criu_put_text(to, CRIU_LOG_FILE, job->log);
}

static int work_open(const struct checkpoint_options *o)
{
	const char *path = o->work ? o->work : o->images;
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make the folder '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(errno, "open the folder '%s'", path) : fd;
}

int criu_run(const struct criu_job *job, int images)
{
	struct criu_bytes request = { .data = NULL };
	struct criu_answer answer = { .type = 0 };
	cleanup_fd int work = work_open(job->options), sock = -1;
	pid_t pid = 0;
	int r = work < 0 ? work : options_put(job, images, work);

	if (r < 0)
		return r;
	r = criu_put_number(&request, CRIU_REQUEST_TYPE, job->request);
	if (r == 0)
		r = criu_put_message(&request, CRIU_REQUEST_OPTIONS, job->fields);
	if (r == 0 && unlinkat(work, job->log, 0) < 0 && errno != ENOENT)
		r = fail(errno, "remove the old log '%s'", job->log);
	if (r == 0)
		r = program_start(job, &sock, &pid);
	if (r == 0)
		r = request_send(sock, &request);
	if (r == 0)
		r = talk(job, sock, &answer);
	criu_bytes_done(&request);
	if (sock >= 0)
		(void)close(steal_fd(&sock));
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* Where it ended without a word its log may have one. */
	if (r == -EPROTO || (r == 0 && !answer.success))
		return refused(job, work, &answer);
	return r;
}
