/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two flows of bytes with a buffer each, so that neither can block the other: a payload that shows much while
 * much is typed would wait for us as we wait for it. We hold the slave end open too; otherwise a payload that closes
 * its terminal for a moment would look like one that ended.
 */
#include "cmd/nacelle/terminal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/nacelle/payload.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { FLOW_SIZE = 8192, END_OF_INPUT = 4 };

/* Of our own terminal; kept here for the handler of a fault of our own. */
static struct termios modes_before;
static volatile sig_atomic_t modes_changed;

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

struct flow {
	int from, to;		/* from is -1 once it has ended */
	unsigned char bytes[FLOW_SIZE];
	size_t start, end;
};

struct proxy {
	const struct terminal_proxy *p;
	struct flow shown, typed;
	size_t matched;		/* detach keys held back */
	bool detach;
};

static int key_read(const char *text, size_t length, unsigned char *ret_key)
{
	const char *letter = length == 6 ? str_starts(text, "ctrl-") : NULL;

	if (length == 1 && text[0] > ' ' && text[0] < 127) {
		*ret_key = (unsigned char)text[0];
		return 0;
	}
	if (!letter || !(isalpha((unsigned char)*letter) || strchr("@[\\]^_", *letter)))
		return -EINVAL;
	*ret_key = (unsigned char)(toupper((unsigned char)*letter) & 0x1F);
	return 0;
}

int detach_keys_read(const char *text, struct detach_keys *ret)
{
	struct detach_keys keys = { .count = 0 };

	for (const char *key = text; *text; ) {
		size_t length = strcspn(key, ",");

		if (keys.count == DETACH_KEYS_MAX || key_read(key, length, &keys.keys[keys.count++]) < 0)
			return fail_plain(EINVAL, "--detach-keys: '%s' is not a list of keys as in 'ctrl-p,ctrl-q'", text);
		if (!key[length])
			break;
		key += length + 1;
	}
	*ret = keys;
	return 0;
}

void terminal_size_copy(int to)
{
	struct winsize size;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0) {
			(void)ioctl(to, TIOCSWINSZ, &size);
			return;
		}
}

static void modes_restore(void)
{
	if (modes_changed)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &modes_before);
	modes_changed = 0;
}

/* Only for faults of our own: all other signals are read from a file. tcsetattr(3) may be called here. */
static void restore_and_die(int signal)
{
	modes_restore();
	(void)raise(signal);
}

static int modes_raw(void)
{
	struct sigaction action = { .sa_handler = restore_and_die, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &modes_before) < 0)
		return 0; /* no terminal */
	raw = modes_before;
	cfmakeraw(&raw);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		(void)sigaction(faults[i], &action, NULL);
	modes_changed = 1;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0)
		return 0;
	modes_changed = 0;
	return fail(errno, "make the terminal raw");
}

static bool flow_empty(const struct flow *f)
{
	return f->start == f->end;
}

/* Return: bytes read, 0 at the end, -EAGAIN for now nothing. */
static int flow_read(struct flow *f)
{
	ssize_t n = read(f->from, f->bytes, sizeof(f->bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	/* EIO: the other end of a terminal is closed */
	if (n <= 0) {
		f->from = -1;
		return 0;
	}
	f->start = 0;
	f->end = (size_t)n;
	return (int)n;
}

static void flow_write(struct flow *f)
{
	ssize_t n = write(f->to, f->bytes + f->start, f->end - f->start);

	if (n > 0)
		f->start += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		f->start = f->end; /* nobody there who reads: the payload must not be stopped by that */
}

/*
 * Take the detach keys out of what was typed. Keys that are the beginning of them are held back, and
 * handed on as soon as another follows. Needs room for them in the buffer.
 */
static void keys_watch(struct proxy *x)
{
	const struct detach_keys *keys = x->p->keys;
	unsigned char out[FLOW_SIZE + DETACH_KEYS_MAX];
	size_t n = 0;

	for (size_t i = x->typed.start; i < x->typed.end && !x->detach; i++) {
		unsigned char key = x->typed.bytes[i];

		if (keys->count && key != keys->keys[x->matched] && x->matched) {
			memcpy(out + n, keys->keys, x->matched);
			n += x->matched;
			x->matched = 0;
		}
		if (!keys->count || key != keys->keys[x->matched])
			out[n++] = key;
		else if (++x->matched == keys->count)
			x->detach = true;
	}
	memcpy(x->typed.bytes, out, n);
	x->typed.start = 0;
	x->typed.end = n;
}

static void typed_read(struct proxy *x)
{
	struct flow *f = &x->typed;
	ssize_t n = read(f->from, f->bytes, sizeof(f->bytes) - DETACH_KEYS_MAX);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	f->start = 0;
	if (n <= 0) {
		/* Our own input ended, a terminal's cannot: type what says so. */
		f->from = -1;
		f->bytes[0] = END_OF_INPUT;
		f->end = 1;
		return;
	}
	f->end = (size_t)n;
	keys_watch(x);
}

/* Show what is left, without waiting for more. */
static void drain(struct proxy *x)
{
	struct pollfd out = { .fd = x->shown.to, .events = POLLOUT };

	for (;;) {
		while (!flow_empty(&x->shown)) {
			if (poll(&out, 1, -1) < 0 && errno != EINTR)
				return;
			flow_write(&x->shown);
		}
		if (x->shown.from < 0 || flow_read(&x->shown) <= 0)
			return;
	}
}

static int round_once(struct proxy *x, bool *ret_talk)
{
	enum { MASTER_IN, MASTER_OUT, SHOW, TYPE, SIGNALS, TALK, COUNT };
	bool showing = !flow_empty(&x->shown), typing = !flow_empty(&x->typed), resized = false;
	struct pollfd wait[COUNT] = {
		[MASTER_IN] = { .fd = showing ? -1 : x->shown.from, .events = POLLIN },
		[MASTER_OUT] = { .fd = typing ? x->typed.to : -1, .events = POLLOUT },
		[SHOW] = { .fd = showing ? x->shown.to : -1, .events = POLLOUT },
		[TYPE] = { .fd = typing ? -1 : x->typed.from, .events = POLLIN },
		[SIGNALS] = { .fd = x->p->signals, .events = POLLIN },
		[TALK] = { .fd = x->p->talk, .events = POLLIN },
	};
	int r = 0;

	if (poll(wait, COUNT, -1) < 0)
		return errno == EINTR ? 0 : fail(errno, "wait for the terminal");
	if (wait[SIGNALS].revents)
		r = payload_signals_pass(x->p->signals, x->p->pidfd, &resized);
	if (resized)
		terminal_size_copy(x->p->size);
	if (wait[SHOW].revents)
		flow_write(&x->shown);
	if (wait[MASTER_OUT].revents)
		flow_write(&x->typed);
	if (wait[MASTER_IN].revents)
		(void)flow_read(&x->shown);
	if (wait[TYPE].revents)
		typed_read(x);
	*ret_talk = wait[TALK].revents != 0;
	return r;
}

/*
 * Started in the background (by timeout(1), say) we would be stopped for reading the terminal or changing its
 * modes, and the payload would wait for ever: it runs without input then.
 */
static bool input_is_ours(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group < 0 || group == getpgrp();
}

int terminal_proxy(const struct terminal_proxy *p)
{
	bool input = p->input && input_is_ours();
	struct proxy x = {
		.p = p,
		.shown = { .from = p->master, .to = STDOUT_FILENO },
		.typed = { .from = input ? STDIN_FILENO : -1, .to = p->master },
	};
	cleanup_fd int slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	int flags = fcntl(p->master, F_GETFL), r;
	bool talk = false;

	if (flags < 0 || fcntl(p->master, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail(errno, "use the terminal");
	terminal_size_copy(p->size);
	r = input ? modes_raw() : 0;
	while (r == 0 && !talk && !x.detach)
		r = round_once(&x, &talk);
	if (r == 0)
		drain(&x);
	modes_restore();
	return r < 0 ? r : x.detach ? TERMINAL_DETACHED : TERMINAL_ENDED;
}
