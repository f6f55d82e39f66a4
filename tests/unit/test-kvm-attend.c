/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attendant between a terminal and a guest: the guest, its monitor and who sits at the terminal are played here. */
#include "runtime/kvm/attend.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/vsock.h"
#include "tests/unit/tap.h"

struct play {
	int streams[CHANNEL_STREAMS]; /* the monitor's ends */
	int master;
	pid_t pid;
};

static _Noreturn void attendant(const int streams[CHANNEL_STREAMS], int slave)
{
	struct attend a = { .word = CHANNEL_RUN, .text = "{}", .size = 2, .machine = -1, .terminal = slave >= 0 };
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	memcpy(a.streams, streams, sizeof(a.streams));
	if (slave >= 0 && (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0))
		_exit(99);
	for (int i = 0; i < 3; i++) {
		int from = slave >= 0 ? slave : open("/dev/null", O_RDWR | O_CLOEXEC);

		if (slave >= 0 && dup2(slave, i) < 0)
			_exit(99);
		a.stdio[i] = fcntl(from, F_DUPFD_CLOEXEC, 10);
	}
	a.signals = attend_signals();
	r = attend_process(&a);
	_exit(r < 0 ? 98 : r);
}

static void begin(struct play *p, bool terminal)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int theirs[CHANNEL_STREAMS], slave = -1, unlock = 0;

	p->master = terminal ? open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	if (terminal) {
		CHECK(p->master >= 0 && ioctl(p->master, TIOCSPTLCK, &unlock) == 0 &&
		      ioctl(p->master, TIOCSWINSZ, &size) == 0);
		slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		CHECK(slave >= 0);
	}
	for (int i = 0; i < CHANNEL_STREAMS; i++) {
		int ends[2];

		CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		p->streams[i] = ends[0];
		theirs[i] = ends[1];
	}
	p->pid = fork();
	if (p->pid == 0) {
		for (int i = 0; i < CHANNEL_STREAMS; i++)
			(void)close(p->streams[i]);
		if (p->master >= 0)
			(void)close(p->master);
		attendant(theirs, slave);
	}
	for (int i = 0; i < CHANNEL_STREAMS; i++)
		(void)close(theirs[i]);
	if (slave >= 0)
		(void)close(slave);
}

static void hear(const struct play *p)
{
	for (int i = 0; i < CHANNEL_STREAMS; i++) {
		struct vsock_hello hello;

		CHECK_INT(recv(p->streams[i], &hello, sizeof(hello), MSG_WAITALL), sizeof(hello));
		CHECK(hello.port == CHANNEL_PORT && hello.flags == VSOCK_WAIT);
	}
}

static void answer(const struct play *p)
{
	const struct vsock_answer yes = { .errnum = 0 };
	struct channel_message m;

	for (int i = 0; i < CHANNEL_STREAMS; i++) {
		CHECK_INT(send(p->streams[i], &yes, sizeof(yes), 0), sizeof(yes));
	}
	for (int i = 0; i < CHANNEL_STREAMS; i++) {
		CHECK_INT(channel_receive(p->streams[i], &m), 0);
		CHECK(m.word == CHANNEL_JOIN && m.detail == i);
	}
}

/* The monitor opens all four, and the agent sees them join. */
static void greet(const struct play *p)
{
	hear(p);
	answer(p);
}

static void expect(const struct play *p, enum channel_word word, uint32_t value)
{
	struct channel_message m = { .word = CHANNEL_NONE };

	CHECK_INT(channel_receive_within(p->streams[CHANNEL_CONTROL], 10000, &m), 0);
	CHECK_INT(m.word, word);
	CHECK_INT(m.value, value);
	channel_message_done(&m);
}

static void end(const struct play *p, int status)
{
	int got;

	(void)channel_send(p->streams[CHANNEL_CONTROL], CHANNEL_EXITED, (uint16_t)status, 0, NULL, 0);
	for (int i = 0; i < 3; i++)
		(void)close(p->streams[i]);
	CHECK(waitpid(p->pid, &got, 0) == p->pid && WIFEXITED(got));
	CHECK_INT(WEXITSTATUS(got), status);
	(void)close(p->streams[CHANNEL_CONTROL]);
	if (p->master >= 0)
		(void)close(p->master);
}

static void test_a_terminal_passes_everything_on(void)
{
	const struct winsize larger = { .ws_row = 50, .ws_col = 132 };
	struct play p;
	char text[16] = "";

	begin(&p, true);
	greet(&p);
	expect(&p, CHANNEL_SIZE, 24 << 16 | 80); /* before anything is made */
	expect(&p, CHANNEL_RUN, 0);
	CHECK_INT(channel_send(p.streams[CHANNEL_CONTROL], CHANNEL_STARTED, 0, 0, NULL, 0), 0);
	/* ^C, ^D, ^S and the line's end have their meaning in the guest, and the echo comes from there */
	CHECK_INT(write(p.master, "\003\004\023\r", 4), 4);
	CHECK_INT(recv(p.streams[CHANNEL_STDIN], text, 4, MSG_WAITALL), 4);
	CHECK(memcmp(text, "\003\004\023\r", 4) == 0);
	CHECK_INT(send(p.streams[CHANNEL_STDOUT], "a\nb\r\n", 5, 0), 5);
	CHECK_INT(read(p.master, text, sizeof(text)), 5);
	CHECK(memcmp(text, "a\nb\r\n", 5) == 0);
	CHECK_INT(ioctl(p.master, TIOCSWINSZ, &larger), 0);
	expect(&p, CHANNEL_SIZE, 50 << 16 | 132);
	CHECK_INT(kill(p.pid, SIGUSR1), 0);
	expect(&p, CHANNEL_SIGNAL, SIGUSR1);
	end(&p, 7);
}

static void test_a_terminal_that_is_closed_is_told(void)
{
	struct play p;
	char text[4];

	begin(&p, true);
	greet(&p);
	expect(&p, CHANNEL_SIZE, 24 << 16 | 80);
	expect(&p, CHANNEL_RUN, 0);
	CHECK_INT(channel_send(p.streams[CHANNEL_CONTROL], CHANNEL_STARTED, 0, 0, NULL, 0), 0);
	(void)close(p.master);
	p.master = -1;
	CHECK_INT(recv(p.streams[CHANNEL_STDIN], text, sizeof(text), 0), 0);
	expect(&p, CHANNEL_SIGNAL, SIGHUP);
	end(&p, 129);
}

static void test_nobody_reads_a_terminal_and_signals_pass(void)
{
	static char much[1 << 20];
	struct play p;

	begin(&p, true);
	greet(&p);
	expect(&p, CHANNEL_SIZE, 24 << 16 | 80);
	expect(&p, CHANNEL_RUN, 0);
	CHECK_INT(channel_send(p.streams[CHANNEL_CONTROL], CHANNEL_STARTED, 0, 0, NULL, 0), 0);
	memset(much, 'x', sizeof(much));
	/* until the terminal, the attendant and the socket are full */
	for (int still = 0; still < 20;) {
		ssize_t n = send(p.streams[CHANNEL_STDOUT], much, sizeof(much), MSG_DONTWAIT);

		still = n > 0 ? 0 : still + 1;
		(void)usleep(5000);
	}
	CHECK_INT(kill(p.pid, SIGTERM), 0);
	expect(&p, CHANNEL_SIGNAL, SIGTERM);
	(void)close(p.master);
	p.master = -1;
	end(&p, 143);
}

static void test_without_a_terminal_its_signal_is_one_like_others(void)
{
	struct play p;

	begin(&p, false);
	greet(&p);
	expect(&p, CHANNEL_RUN, 0);
	CHECK_INT(kill(p.pid, SIGWINCH), 0);
	expect(&p, CHANNEL_SIGNAL, SIGWINCH);
	end(&p, 0);
}

static void test_only_what_would_end_it_interrupts_the_wait_for_the_guest(void)
{
	static const int quiet[] = { SIGWINCH, SIGCONT, SIGURG };
	struct play p;
	int got;

	begin(&p, true);
	hear(&p);
	for (size_t i = 0; i < sizeof(quiet) / sizeof(*quiet); i++) {
		CHECK_INT(kill(p.pid, quiet[i]), 0);
		(void)usleep(20000); /* it is heard while there is nothing else to hear */
	}
	answer(&p);
	expect(&p, CHANNEL_SIZE, 24 << 16 | 80);
	expect(&p, CHANNEL_RUN, 0);
	end(&p, 3);
	begin(&p, false);
	hear(&p);
	CHECK_INT(kill(p.pid, SIGTERM), 0);
	CHECK(waitpid(p.pid, &got, 0) == p.pid && WIFEXITED(got) && WEXITSTATUS(got) == 98);
	for (int i = 0; i < CHANNEL_STREAMS; i++)
		(void)close(p.streams[i]);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TEST(test_a_terminal_passes_everything_on),
		TEST(test_a_terminal_that_is_closed_is_told),
		TEST(test_nobody_reads_a_terminal_and_signals_pass),
		TEST(test_without_a_terminal_its_signal_is_one_like_others),
		TEST(test_only_what_would_end_it_interrupts_the_wait_for_the_guest),
		{ NULL, NULL },
	};

	/* whatever hangs: it passes every signal on, and goes with us */
	(void)alarm(60);
	return tap_run(tests);
}
