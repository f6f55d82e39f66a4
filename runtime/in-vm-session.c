/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process that the host wants run: made by the verbs that a host has, with pipes for its standard
 * streams and a loop that moves what goes through them. Signals come as words, and the exit status
 * goes as one, when all that was written before it is on its way.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/pump.h"
#include "runtime/bundle.h"
#include "runtime/container.h"
#include "runtime/in-vm.h"
#include "runtime/spec.h"

/* Making a container takes milliseconds; a slow machine, or one whose disks are slow, a thousand times as many. */
enum { AWAIT_MS = 60000, AWAIT_STEP_MS = 20 };

const struct container_place in_vm_place = { .root = "/run/nacelle", .data = "/run/nacelle-data" };

struct session {
	int streams[CHANNEL_STREAMS];
	int inside[3]; /* the payload's ends; -1 when handed over */
	struct pump pumps[3];
	struct channel_message asked;
	struct container_child child;
	bool terminal; /* its standard streams are one, whose other end is ours */
	uint32_t size; /* of the terminal, as CHANNEL_SIZE has it; 0: not told */
	bool ended;
	int status;
};

static int pipes_make(struct session *s)
{
	for (int i = 0; i < 3; i++) {
		int ends[2], ours;

		if (pipe2(ends, O_CLOEXEC) < 0)
			return fail(errno, "make a pipe");
		ours = i == CHANNEL_STDIN ? ends[1] : ends[0];
		s->inside[i] = i == CHANNEL_STDIN ? ends[0] : ends[1];
		(void)fcntl(ours, F_SETFL, O_NONBLOCK);
		(void)fcntl(s->streams[i], F_SETFL, O_NONBLOCK);
		if (i == CHANNEL_STDIN)
			pump_init(&s->pumps[i], s->streams[i], ours);
		else
			pump_init(&s->pumps[i], ours, s->streams[i]);
	}
	return 0;
}

static struct winsize size_of(uint32_t size)
{
	return (struct winsize){ .ws_row = (unsigned short)(size >> 16), .ws_col = (unsigned short)size };
}

/* What the host's terminal is now counts more than what was asked for when it was made. */
static void size_ask(const struct session *s, struct spec_process *process)
{
	struct winsize size = size_of(s->size);

	if (!process->terminal || !s->size)
		return;
	process->console_height = size.ws_row;
	process->console_width = size.ws_col;
}

/* Both directions go through one descriptor; each pump has its own. */
static int terminal_take(struct session *s)
{
	int other = fcntl(s->child.terminal, F_DUPFD_CLOEXEC, 3);

	if (other < 0)
		return fail(errno, "take the terminal");
	for (int i = 0; i < 3; i++)
		(void)fcntl(s->streams[i], F_SETFL, O_NONBLOCK);
	(void)fcntl(other, F_SETFL, O_RDWR | O_NONBLOCK);
	pump_init(&s->pumps[CHANNEL_STDIN], s->streams[CHANNEL_STDIN], other);
	pump_init(&s->pumps[CHANNEL_STDOUT], s->child.terminal, s->streams[CHANNEL_STDOUT]);
	pump_init(&s->pumps[CHANNEL_STDERR], s->streams[CHANNEL_STDERR], -1);
	pump_close(&s->pumps[CHANNEL_STDERR]);
	s->terminal = true;
	return 0;
}

static int streams_make(struct session *s, const struct spec_process *process)
{
	return process->terminal ? 0 : pipes_make(s);
}

static int container_run(struct session *s, json_t *v)
{
	struct container_options options = CONTAINER_OPTIONS(IN_VM_CONTAINER);
	struct bundle bundle = { .folder = (char[]){ IN_VM_SHARES } };
	cleanup_json json_t *networks = NULL;
	int r = in_vm_disks_fill(v);

	if (r == 0)
		r = in_vm_network_fill(v, &networks);
	if (r == 0)
		r = spec_read(v, &bundle.spec);
	if (r < 0)
		return r;
	/* Outside; here is nothing to be done of what it does. */
	options.kept = options.image_held = true;
	size_ask(s, &bundle.spec->process);
	options.keep_terminal = bundle.spec->process.terminal;
	r = streams_make(s, &bundle.spec->process);
	memcpy(options.stdio, s->inside, sizeof(options.stdio));
	if (r == 0)
		r = container_create(&in_vm_place, &bundle, &options, &s->child);
	if (r == 0)
		r = in_vm_network_settle(networks, s->child.pid);
	if (r == 0 && options.keep_terminal)
		r = terminal_take(s);
	if (r == 0)
		r = container_go(&in_vm_place, IN_VM_CONTAINER, &s->child);
	(void)spec_free(bundle.spec);
	return r;
}

/*
 * For the host the container runs as soon as its machine does, so a further process may come before the container is made in here:
 * it waits, as long as its caller does. Whatever else is wrong with the container is said by who goes into it.
 */
static void container_await(const struct session *s)
{
	struct pollfd host = { .fd = s->streams[CHANNEL_CONTROL], .events = POLLRDHUP };

	for (int waited = 0; waited < AWAIT_MS && !host.revents; waited += AWAIT_STEP_MS) {
		struct container_info info = { .id = NULL };
		int r = container_look(&in_vm_place, IN_VM_CONTAINER, &info);
		bool coming = r == CONTAINER_NOT_FOUND ||
			      (r == 0 && (info.status == CONTAINER_CREATING || info.status == CONTAINER_CREATED));

		container_info_done(&info);
		if (!coming)
			return;
		(void)poll(&host, 1, AWAIT_STEP_MS);
	}
}

static int process_run(struct session *s, json_t *v)
{
	struct exec_options options = { .pid_file = NULL };
	struct spec_process process = { .cwd = NULL };
	int r = spec_process_read(json_object_get(v, "process"), &process);

	options.user = json_string_value(json_object_get(v, "user"));
	options.json = json_object_get(v, "process");
	size_ask(s, &process);
	options.keep_terminal = process.terminal;
	if (r == 0)
		r = streams_make(s, &process);
	memcpy(options.stdio, s->inside, sizeof(options.stdio));
	if (r == 0)
		container_await(s);
	if (r == 0)
		r = container_exec(&in_vm_place, IN_VM_CONTAINER, &process, &options, &s->child);
	if (r == 0 && options.keep_terminal)
		r = terminal_take(s);
	spec_process_done(&process);
	return r;
}

static int start(struct session *s)
{
	cleanup_json json_t *v = NULL;
	int r = channel_receive(s->streams[CHANNEL_CONTROL], &s->asked);

	if (r == 0 && s->asked.word == CHANNEL_SIZE) {
		s->size = s->asked.value;
		r = channel_receive(s->streams[CHANNEL_CONTROL], &s->asked);
	}
	if (r < 0)
		return r;
	if (s->asked.word != CHANNEL_RUN && s->asked.word != CHANNEL_EXEC)
		return fail_plain(EPROTO, "the host asked for nothing");
	r = json_parse("what the host sent", s->asked.text, s->asked.size, &v);
	if (r == 0)
		r = s->asked.word == CHANNEL_RUN ? container_run(s, v) : process_run(s, v);
	for (int i = 0; i < 3; i++)
		if (s->inside[i] >= 0)
			(void)close(s->inside[i]);
	return r;
}

/* Return: 0, or 1 when the host has gone: then so has whom it asked for. */
static int word_take(struct session *s)
{
	struct channel_message m;
	int r = channel_receive(s->streams[CHANNEL_CONTROL], &m);
	bool size = r == 0 && m.word == CHANNEL_SIZE, gone = r < 0 || (m.word != CHANNEL_SIGNAL && !size);
	struct winsize to = size ? size_of(m.value) : (struct winsize){ .ws_row = 0 };

	if (gone)
		(void)proc_signal(s->child.pidfd, SIGKILL);
	else if (size)
		(void)(s->terminal && ioctl(s->pumps[CHANNEL_STDOUT].from, TIOCSWINSZ, &to) < 0);
	else if (proc_signal(s->child.pidfd, (int)m.value) < 0)
		log_warn("%s, ignoring", fail_text());
	if (r == 0)
		channel_message_done(&m);
	return gone;
}

/* What was written before the end is delivered; a process left behind may hold the pipes for ever. */
static void process_ended(struct session *s)
{
	int r = proc_reap(s->child.pid);

	s->status = r < 0 ? STATUS_OURS : r;
	s->ended = true;
	pump_close(&s->pumps[CHANNEL_STDIN]);
}

static bool is_over(struct session *s)
{
	if (!s->ended)
		return false;
	for (int i = CHANNEL_STDOUT; i <= CHANNEL_STDERR; i++) {
		pump_end(&s->pumps[i]);
		if (!s->pumps[i].done)
			return false;
	}
	return true;
}

static void attend(struct session *s)
{
	enum { CONTROL = 3 * PUMP_FDS, PROCESS, WAITS };
	struct pollfd wait[WAITS];
	bool gone = false;

	while (!is_over(s) && !(gone && s->ended)) {
		for (int i = 0; i < 3; i++)
			pump_wants(&s->pumps[i], &wait[i * PUMP_FDS]);
		wait[CONTROL] = (struct pollfd){
			.fd = gone ? -1 : s->streams[CHANNEL_CONTROL],
			.events = POLLIN,
		};
		wait[PROCESS] = (struct pollfd){ .fd = s->ended ? -1 : s->child.pidfd, .events = POLLIN };
		if (poll(wait, WAITS, -1) < 0)
			continue;
		for (int i = 0; i < 3; i++)
			pump_move(&s->pumps[i], &wait[i * PUMP_FDS]);
		/* A terminal that nobody sits at any more is closed, and the kernel tells whose it was. */
		if (s->terminal && s->pumps[CHANNEL_STDIN].done && !s->ended)
			pump_close(&s->pumps[CHANNEL_STDOUT]);
		if (wait[CONTROL].revents)
			gone = word_take(s) > 0;
		if (wait[PROCESS].revents)
			process_ended(s);
	}
}

/* The host closes control when it has read all that there is: not before that may the machine go. */
static void farewell(struct session *s)
{
	struct channel_message m;

	while (channel_receive(s->streams[CHANNEL_CONTROL], &m) == 0 && m.word != CHANNEL_NONE)
		channel_message_done(&m);
}

enum channel_word in_vm_session(int streams[CHANNEL_STREAMS])
{
	static struct session s;
	int r;

	s = (struct session){ .inside = { -1, -1, -1 }, .child = CONTAINER_CHILD_NONE };
	memcpy(s.streams, streams, sizeof(s.streams));
	(void)signal(SIGPIPE, SIG_IGN);
	r = start(&s);
	if (r < 0) {
		(void)channel_send(s.streams[CHANNEL_CONTROL], CHANNEL_FAILED, (uint16_t)fail_status(), 0,
				   fail_text(), strnlen(fail_text(), 4096));
	} else {
		(void)channel_send(s.streams[CHANNEL_CONTROL], CHANNEL_STARTED, 0, 0, NULL, 0);
		attend(&s);
		if (s.asked.word == CHANNEL_RUN)
			sync();
		(void)channel_send(s.streams[CHANNEL_CONTROL], CHANNEL_EXITED, (uint16_t)s.status, 0, NULL, 0);
	}
	farewell(&s);
	return s.asked.word;
}
