/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four streams are opened as soon as the guest listens, then one loop serves all of them. What
 * comes from the guest is bytes for the streams' readers, and three words on the control stream.
 */
#include "runtime/kvm/attend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/proc.h"
#include "runtime/base/pump.h"
#include "runtime/base/str.h"
#include "runtime/kvm/vsock.h"

/* Not passed on: what is about our own doings, and faults of our own. */
static const int not_passed[] = {
	SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
};

int attend_signals(void)
{
	sigset_t set;
	int fd;

	(void)sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(not_passed); i++)
		(void)sigdelset(&set, not_passed[i]);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 :
	     signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(errno, "take signals") : fd;
}

static int ended_early(void)
{
	return fail_plain(ECONNRESET, "the virtual machine ended before its process did");
}

/* Those that end no program by themselves. A terminal that is given its first size sends one at once; we ask for the size later. */
static bool is_quiet(uint32_t signal)
{
	return signal == SIGWINCH || signal == SIGCONT || signal == SIGURG;
}

/* Return: the number of one that ends a program, or 0. */
static int signal_taken(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (!is_quiet(info.ssi_signo))
			return (int)info.ssi_signo;
	return 0;
}

/* Somebody who waits for a guest that never listens may give up. */
static int interrupted(const struct attend *a)
{
	int signal = signal_taken(a->signals);

	return signal ? fail_exit(fail_plain(EINTR, "interrupted before the virtual machine answered"), 128 + signal) : 0;
}

/*
 * The answer comes when the guest listens, which takes as long as it boots. Who runs the machine keeps
 * signals until there is somebody to pass them on to.
 */
static int answer_await(const struct attend *a, int stream)
{
	struct pollfd wait[] = {
		{ .fd = stream, .events = POLLIN },
		{ .fd = a->machine, .events = POLLIN },
		{ .fd = a->machine < 0 ? a->signals : -1, .events = POLLIN },
	};
	struct vsock_answer answer;
	ssize_t n;
	int r;

	while (!wait[0].revents) {
		if (poll(wait, ARRAY_SIZE(wait), -1) < 0 && errno != EINTR)
			return fail(errno, "wait for the virtual machine");
		if (wait[0].revents)
			break;
		if (wait[1].revents)
			return ended_early();
		r = wait[2].revents ? interrupted(a) : 0;
		if (r < 0)
			return r;
	}
	n = recv(stream, &answer, sizeof(answer), MSG_WAITALL);
	if (n != (ssize_t)sizeof(answer))
		return ended_early();
	return answer.errnum ? fail((int)answer.errnum, "reach the virtual machine's agent") : 0;
}

static int streams_open(const struct attend *a)
{
	const struct vsock_hello hello = {
		.magic = VSOCK_HELLO_MAGIC,
		.port = CHANNEL_PORT,
		.flags = VSOCK_WAIT,
	};
	uint32_t number;
	int r = 0;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return fail(errno, "choose a number");
	for (int i = 0; i < CHANNEL_STREAMS; i++)
		if (send(a->streams[i], &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
			return ended_early();
	/* Control is the last to join: the others are there when the agent begins. */
	for (int i = 0; r == 0 && i < CHANNEL_STREAMS; i++) {
		r = answer_await(a, a->streams[i]);
		if (r == 0)
			r = channel_send(a->streams[i], CHANNEL_JOIN, (uint16_t)i, number, NULL, 0);
	}
	return r;
}

/* Whoever holds the other end may not read, and the other streams must go on. */
static int terminal_prepare(const struct attend *a)
{
	struct termios raw;

	if (tcgetattr(a->stdio[0], &raw) < 0)
		return fail(errno, "read the terminal's settings");
	cfmakeraw(&raw);
	if (tcsetattr(a->stdio[0], TCSANOW, &raw) < 0 || fcntl(a->stdio[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return fail(errno, "make the terminal pass everything on");
	return 0;
}

/* One whose other end is gone has none. */
static int size_pass(const struct attend *a, int terminal)
{
	struct winsize size;

	if (ioctl(terminal, TIOCGWINSZ, &size) < 0)
		return 0;
	return channel_send(a->streams[CHANNEL_CONTROL], CHANNEL_SIZE, 0, (uint32_t)size.ws_row << 16 | size.ws_col,
			    NULL, 0);
}

/* A control stream that is gone is seen by its reader. @terminal: or -1 */
static void signals_pass(const struct attend *a, int terminal)
{
	struct signalfd_siginfo info;

	while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (terminal >= 0 && info.ssi_signo == SIGWINCH)
			(void)size_pass(a, terminal);
		else
			(void)channel_send(a->streams[CHANNEL_CONTROL], CHANNEL_SIGNAL, 0, info.ssi_signo,
					   NULL, 0);
	}
}

/* Return: 1 when it has exited, with its status; 0 to go on; or a recorded failure. */
static int word_take(const struct attend *a, int *ret_status)
{
	struct channel_message m;
	char shown[2048];
	int r = channel_receive(a->streams[CHANNEL_CONTROL], &m);

	if (r < 0)
		return fail_in(r, "the virtual machine's agent");
	switch (m.word) {
	case CHANNEL_STARTED: r = 0; break;
	case CHANNEL_EXITED:
		*ret_status = m.detail;
		r = 1;
		break;
	case CHANNEL_FAILED:
		r = fail_exit(fail_plain(EREMOTEIO, "%s", str_printable(shown, sizeof(shown), m.text)), m.detail);
		break;
	case CHANNEL_NONE: r = ended_early(); break;
	default: r = fail_plain(EPROTO, "the virtual machine's agent said something unexpected"); break;
	}
	channel_message_done(&m);
	return r;
}

static int loop(const struct attend *a, struct pump pumps[3])
{
	enum { CONTROL = 3 * PUMP_FDS, SIGNALS, WAITS };
	struct pollfd wait[WAITS];
	bool exited = false;
	int status = 0, r;

	while (!exited || !pumps[CHANNEL_STDOUT].done || !pumps[CHANNEL_STDERR].done) {
		for (int i = 0; i < 3; i++)
			pump_wants(&pumps[i], &wait[i * PUMP_FDS]);
		wait[CONTROL] = (struct pollfd){
			.fd = exited ? -1 : a->streams[CHANNEL_CONTROL],
			.events = POLLIN,
		};
		wait[SIGNALS] = (struct pollfd){ .fd = a->signals, .events = POLLIN };
		if (poll(wait, WAITS, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail(errno, "wait for the virtual machine");
		}
		for (int i = 0; i < 3; i++)
			pump_move(&pumps[i], &wait[i * PUMP_FDS]);
		if (wait[SIGNALS].revents)
			signals_pass(a, a->terminal ? STDERR_FILENO : -1);
		if (wait[CONTROL].revents) {
			r = word_take(a, &status);
			if (r < 0)
				return r;
			exited = r == 1;
		}
	}
	return status;
}

int attend_process(struct attend *a)
{
	struct pump pumps[3];
	int r = a->terminal ? terminal_prepare(a) : 0;

	if (r == 0)
		r = streams_open(a);
	if (r == 0 && a->terminal)
		r = size_pass(a, a->stdio[0]);
	if (r == 0)
		r = channel_send(a->streams[CHANNEL_CONTROL], a->word, 0, 0, a->text, a->size);
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++) {
		(void)fcntl(a->streams[i], F_SETFL, O_NONBLOCK);
		if (i == CHANNEL_STDIN)
			pump_init(&pumps[i], a->stdio[i], a->streams[i]);
		else
			pump_init(&pumps[i], a->streams[i], a->stdio[i]);
		a->stdio[i] = a->streams[i] = -1;
	}
	r = loop(a, pumps);
	for (int i = 0; i < 3; i++)
		pump_close(&pumps[i]);
	return r;
}

int attend_kernel(int signals, int machine, pid_t pid)
{
	struct pollfd wait[] = { { .fd = machine, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	int signal = 0, status;

	while (!signal && !wait[0].revents) {
		if (poll(wait, ARRAY_SIZE(wait), -1) < 0 && errno != EINTR)
			return fail(errno, "wait for the virtual machine");
		signal = wait[1].revents ? signal_taken(signals) : 0;
	}
	if (signal)
		(void)proc_signal(machine, SIGKILL);
	status = proc_reap(pid);
	return signal ? 128 + signal : status;
}
