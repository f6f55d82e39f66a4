/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `attach`: our standard streams in front of a detached container's. Its keeper gets one end of a stream, and of a pipe for
 * the error stream; what the payload says comes out of them from then on, what was said before has the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/payload.h"
#include "cmd/nacelle/terminal.h"
#include "runtime/base/proc.h"
#include "runtime/base/pump.h"
#include "runtime/keep.h"

enum { TELL_MS = 10000 };

struct attach_options {
	const char *detach_keys;
	bool no_stdin, sig_proxy;
};

#define ATTACH(member) offsetof(struct attach_options, member)

const struct option_row attach_options[] = {
	{ "detach-keys", 0, OPTION_STRING, ATTACH(detach_keys), "KEYS", "leave a terminal by these (" DETACH_KEYS_DEFAULT ")" },
	{ "no-stdin", 0, OPTION_FLAG, ATTACH(no_stdin), NULL, "show only" },
	{ "sig-proxy", 0, OPTION_FLAG, ATTACH(sig_proxy), NULL, "hand on signals (true)" },
	{ .name = NULL },
};

struct attached {
	int sock;	/* of the keeper: says how it ended */
	int data, err;	/* our ends */
	int terminal;	/* the payload's master, for its size; -1: it has none */
	int pidfd, signals;
	bool input;
};

enum { IN, OUT, ERR, PUMPS };

static int pump_make(struct pump *pump, int from, int to)
{
	int mine = fcntl(from, F_DUPFD_CLOEXEC, 3), theirs = mine < 0 ? -1 : fcntl(to, F_DUPFD_CLOEXEC, 3);

	if (theirs < 0) {
		int e = errno;

		if (mine >= 0)
			(void)close(mine);
		return fail(e, "use the standard streams");
	}
	pump_init(pump, mine, theirs);
	return 0;
}

static int rounds(struct attached *a, struct pump pumps[PUMPS])
{
	enum { SOCK = PUMPS * PUMP_FDS, SIGNALS, WAITS };
	struct pollfd wait[WAITS];
	bool resized;
	int r = 0;

	do {
		for (int i = 0; i < PUMPS; i++)
			pump_wants(&pumps[i], wait + i * PUMP_FDS);
		wait[SOCK] = (struct pollfd){ .fd = a->sock, .events = POLLIN };
		wait[SIGNALS] = (struct pollfd){ .fd = a->signals, .events = POLLIN };
		if (poll(wait, WAITS, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail(errno, "wait for the container");
		}
		for (int i = 0; i < PUMPS; i++)
			pump_move(&pumps[i], wait + i * PUMP_FDS);
		if (wait[SIGNALS].revents)
			r = payload_signals_pass(a->signals, a->pidfd, &resized);
	} while (r == 0 && !wait[SOCK].revents);
	return r;
}

/* What is on its way when the keeper says that it was all. */
static void rest_show(struct pump *pump)
{
	struct pollfd wait[PUMP_FDS];

	if (pump->from >= 0)
		(void)fcntl(pump->from, F_SETFL, O_NONBLOCK);
	pump_end(pump);
	while (!pump->done) {
		pump_wants(pump, wait);
		if (poll(wait, PUMP_FDS, -1) < 0 && errno != EINTR)
			return;
		pump_move(pump, wait);
	}
}

static int streams_proxy(struct attached *a)
{
	static struct pump pumps[PUMPS];
	int r;

	for (int i = 0; i < PUMPS; i++)
		pumps[i] = (struct pump){ .from = -1, .to = -1, .done = true };
	r = pump_make(&pumps[OUT], a->data, STDOUT_FILENO);
	if (r == 0)
		r = pump_make(&pumps[ERR], a->err, STDERR_FILENO);
	if (r == 0 && a->input)
		r = pump_make(&pumps[IN], STDIN_FILENO, a->data);
	if (r == 0)
		r = rounds(a, pumps);
	if (r == 0) {
		rest_show(&pumps[OUT]);
		rest_show(&pumps[ERR]);
	}
	for (int i = 0; i < PUMPS; i++)
		pump_close(&pumps[i]);
	return r;
}

/* Return: exit status of the payload, or a recorded failure. */
static int ended(const struct attached *a)
{
	struct keeper_answer answer = { .version = 0 };
	ssize_t n = recv(a->sock, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n <= 0)
		return fail_plain(EPIPE, "the container's keeper has let go: it was killed, or we read too slowly");
	return answer.result & 0xFF;
}

static int proxy(struct attached *a, const struct detach_keys *keys)
{
	int r;

	if (a->terminal < 0) {
		r = streams_proxy(a);
		return r < 0 ? r : ended(a);
	}
	r = terminal_proxy(&(struct terminal_proxy){
		.master = a->data, .size = a->terminal, .signals = a->signals, .pidfd = a->pidfd, .talk = a->sock,
		.input = a->input, .keys = keys });
	return r < 0 ? r : r == TERMINAL_DETACHED ? 0 : ended(a);
}

/* Hand over the other ends. Return: 0 or a recorded failure. */
static int connect_keeper(const struct globals *globals, const char *id, struct attached *a)
{
	int data[2], err[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) < 0)
		return fail(errno, "make a pair of sockets");
	if (pipe2(err, O_CLOEXEC) < 0) {
		(void)close(data[0]);
		(void)close(data[1]);
		return fail(errno, "make a pipe");
	}
	a->data = data[0];
	a->err = err[0];
	r = container_tell(&globals->place, id, KEEPER_ATTACH, (int[]){ data[1], err[1] }, TELL_MS, &a->sock, &a->terminal);
	(void)close(data[1]);
	(void)close(err[1]);
	if (r == KEEPER_SILENT)
		return fail_plain(EBUSY, "the keeper of container '%s' does not answer", id);
	return r == KEEPER_GONE ? fail_plain(ESRCH, "container '%s' has no keeper any more: 'nacelle restart' gives it one", id) : r;
}

static int attach(const struct globals *globals, const char *id, const struct container_info *info, const struct attach_options *o)
{
	struct attached a = { .sock = -1, .data = -1, .err = -1, .terminal = -1, .pidfd = -1, .signals = -1, .input = !o->no_stdin };
	const int *const fds[] = { &a.sock, &a.data, &a.err, &a.terminal, &a.pidfd, &a.signals };
	struct detach_keys keys;
	int r = detach_keys_read(o->detach_keys, &keys);

	if (r == 0)
		r = proc_open(info->pid, info->pid_start, &a.pidfd);
	if (r == PROC_GONE)
		r = fail_plain(ESRCH, "container '%s' has just ended", id);
	if (r == 0)
		r = connect_keeper(globals, id, &a);
	if (r == 0 && (o->sig_proxy || a.terminal >= 0)) {
		a.signals = payload_signals();
		r = a.signals < 0 ? a.signals : 0;
	}
	/* An input that nobody reads is not taken. */
	if (r == 0 && a.terminal < 0 && !info->open_stdin)
		a.input = false;
	if (r == 0)
		r = proxy(&a, &keys);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
	return r;
}

int cmd_attach(const struct globals *globals, int argc, char **argv)
{
	struct attach_options o = { .detach_keys = DETACH_KEYS_DEFAULT, .sig_proxy = true };
	struct container_info info;
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	if (info.keeper_pid <= 0)
		r = fail_plain(EINVAL, "container '%s' has no keeper to attach to: it was not started by 'run --detach'", operands.items[0]);
	else if (info.status != CONTAINER_RUNNING && info.status != CONTAINER_PAUSED)
		r = fail_plain(EINVAL, "container '%s' is not running: it is %s", operands.items[0],
			       info.tended.restarting ? "restarting" : container_status_name(info.status));
	else
		r = attach(globals, operands.items[0], &info, &o);
	container_info_done(&info);
	return r;
}
