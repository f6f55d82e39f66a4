/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/kvm/channel.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/pump.h"
#include "runtime/kvm/ask.h"
#include "runtime/kvm/vsock.h"
#include "tests/unit/tap.h"

static void pair(int fds[2])
{
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void test_a_frame_arrives_as_it_was_sent(void)
{
	struct channel_message m;
	int fds[2];

	pair(fds);
	CHECK_INT(channel_send(fds[0], CHANNEL_JOIN, CHANNEL_CONTROL, 0xfffffffe, NULL, 0), 0);
	CHECK_INT(channel_send(fds[0], CHANNEL_FAILED, 127, 0, "no such thing", 13), 0);
	(void)close(fds[0]);
	CHECK_INT(channel_receive(fds[1], &m), 0);
	CHECK(m.word == CHANNEL_JOIN && m.detail == CHANNEL_CONTROL && m.value == 0xfffffffe && !m.text);
	CHECK_INT(channel_receive(fds[1], &m), 0);
	CHECK(m.word == CHANNEL_FAILED && m.detail == 127 && m.size == 13);
	CHECK_STR(m.text, "no such thing");
	channel_message_done(&m);
	CHECK_INT(channel_receive(fds[1], &m), 0);
	CHECK_INT(m.word, CHANNEL_NONE);
	(void)close(fds[1]);
}

static void test_what_no_word_allows_is_refused(void)
{
	static const struct channel_header wrong[] = {
		{ .magic = 0x3267636e, .word = CHANNEL_STARTED },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_NONE },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_WORDS },
		{ .magic = CHANNEL_MAGIC, .word = UINT16_MAX },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_JOIN, .detail = CHANNEL_STREAMS },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_JOIN, .size = 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_RUN },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_RUN, .size = CHANNEL_TEXT_MAX + 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_SIGNAL },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_SIGNAL, .value = 65 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_STARTED, .size = 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_FAILED, .detail = 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_FAILED, .detail = 1, .size = UINT32_MAX },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_EXITED, .detail = 256 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_EXITED, .value = 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_SIZE, .size = 1 },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_ASK },
		{ .magic = CHANNEL_MAGIC, .word = CHANNEL_ANSWER, .size = CHANNEL_TEXT_MAX + 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct channel_message m;
		int fds[2];

		pair(fds);
		CHECK_INT(write(fds[0], &wrong[i], sizeof(wrong[i])), sizeof(wrong[i]));
		CHECK(channel_receive(fds[1], &m) < 0);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	CHECK(channel_send(STDOUT_FILENO, CHANNEL_SIGNAL, 0, 65, NULL, 0) < 0);
}

static void test_an_end_within_a_frame_is_a_failure(void)
{
	const struct channel_header header = { .magic = CHANNEL_MAGIC, .word = CHANNEL_RUN, .size = 10 };
	static const size_t sizes[] = { 1, sizeof(header) - 1, sizeof(header), sizeof(header) + 9 };
	char bytes[sizeof(header) + 10] = "";

	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct channel_message m;
		int fds[2];

		pair(fds);
		CHECK_INT(write(fds[0], bytes, sizes[i]), sizes[i]);
		(void)close(fds[0]);
		CHECK(channel_receive(fds[1], &m) < 0);
		CHECK_HAS(fail_text(), "in the middle of a word");
		(void)close(fds[1]);
	}
}

static void test_a_frame_that_does_not_come_in_time_is_given_up(void)
{
	const struct channel_header header = { .magic = CHANNEL_MAGIC, .word = CHANNEL_ANSWER, .size = 10 };
	struct channel_message m;
	int fds[2];

	pair(fds);
	CHECK_INT(channel_receive_within(fds[1], 20, &m), -ETIMEDOUT);
	/* nor one that never ends */
	CHECK_INT(write(fds[0], &header, sizeof(header)), sizeof(header));
	CHECK_INT(write(fds[0], "half", 4), 4);
	CHECK_INT(channel_receive_within(fds[1], 20, &m), -ETIMEDOUT);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Behind the listener: what the monitor answers, then a word of the agent's. */
static pid_t machine_play(int fd, uint32_t errnum, enum channel_word word, const char *text)
{
	const struct vsock_answer answer = { .errnum = errnum };
	struct channel_message join = { .word = CHANNEL_NONE }, question = { .word = CHANNEL_NONE };
	struct vsock_hello hello;
	pid_t pid = fork();
	bool ok;

	if (pid != 0)
		return pid;
	ok = recv(fd, &hello, sizeof(hello), MSG_WAITALL) == (ssize_t)sizeof(hello) && hello.magic == VSOCK_HELLO_MAGIC &&
	     send(fd, &answer, sizeof(answer), 0) == (ssize_t)sizeof(answer);
	if (ok && !errnum)
		ok = channel_receive(fd, &join) == 0 && join.word == CHANNEL_JOIN && join.detail == CHANNEL_CONTROL &&
		     channel_receive(fd, &question) == 0 && question.word == CHANNEL_ASK && strcmp(question.text, "{}") == 0 &&
		     (word == CHANNEL_NONE || channel_send(fd, word, 0, 0, text, text ? strlen(text) : 0) == 0);
	channel_message_done(&join);
	channel_message_done(&question);
	_exit(ok ? 0 : 1);
}

static void test_a_question_has_one_answer_or_a_reason(void)
{
	static const struct {
		uint32_t errnum;
		enum channel_word word;
		const char *text, *reason;
	} cases[] = {
		{ 0, CHANNEL_ANSWER, "{\"a\":1}", NULL },
		{ 0, CHANNEL_FAILED, "no \033[2Jway", "no \\u001b[2Jway" },
		{ 0, CHANNEL_STARTED, NULL, "did not answer" },
		{ 0, CHANNEL_NONE, NULL, "did not answer" },
		{ ECONNREFUSED, CHANNEL_NONE, NULL, "reach the virtual machine's agent" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *text = NULL;
		int fds[2], status, r;
		pid_t pid;

		pair(fds);
		pid = machine_play(fds[0], cases[i].errnum, cases[i].word, cases[i].text);
		(void)close(fds[0]);
		r = ask_agent(fds[1], "{}", 2, &text);
		if (cases[i].reason) {
			CHECK(r < 0 && !text);
			CHECK_HAS(fail_text(), cases[i].reason);
		} else {
			CHECK_INT(r, 0);
			CHECK_STR(text, cases[i].text);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		(void)close(fds[1]);
	}
}

static void test_a_pump_moves_all_and_passes_on_the_end(void)
{
	static char sent[300000], got[sizeof(sent)];
	size_t written = 0, n = 0;
	struct pump pump;
	int in[2], out[2];

	memset(sent, 'x', sizeof(sent));
	pair(in);
	pair(out);
	pump_init(&pump, in[1], out[0]);
	while (!pump.done) {
		struct pollfd wait[PUMP_FDS];
		ssize_t moved = send(in[0], sent + written, sizeof(sent) - written, MSG_DONTWAIT | MSG_NOSIGNAL);

		written += moved > 0 ? (size_t)moved : 0;
		if (written == sizeof(sent))
			(void)shutdown(in[0], SHUT_WR);
		pump_wants(&pump, wait);
		(void)poll(wait, PUMP_FDS, 100);
		pump_move(&pump, wait);
		moved = recv(out[1], got + n, sizeof(got) - n, MSG_DONTWAIT);
		n += moved > 0 ? (size_t)moved : 0;
	}
	while (n < sizeof(got)) {
		ssize_t moved = recv(out[1], got + n, sizeof(got) - n, 0);

		if (moved <= 0)
			break;
		n += (size_t)moved;
	}
	CHECK_INT(n, sizeof(sent));
	CHECK(memcmp(sent, got, n) == 0);
	CHECK_INT(recv(out[1], got, 1, 0), 0);
	pump_close(&pump);
	(void)close(in[0]);
	(void)close(out[1]);
}

static void test_a_pump_into_nothing_ends(void)
{
	struct pollfd wait[PUMP_FDS];
	struct pump pump;
	int in[2], out[2];

	pair(in);
	CHECK_INT(pipe(out), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)close(out[0]);
	CHECK_INT(write(in[0], "x", 1), 1);
	pump_init(&pump, in[1], out[1]);
	for (int i = 0; i < 2; i++) {
		pump_wants(&pump, wait);
		(void)poll(wait, PUMP_FDS, 100);
		pump_move(&pump, wait);
	}
	CHECK(pump.done);
	CHECK_INT(pump.from, -1);
	pump_close(&pump);
	(void)close(in[0]);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TEST(test_a_frame_arrives_as_it_was_sent),
		TEST(test_what_no_word_allows_is_refused),
		TEST(test_an_end_within_a_frame_is_a_failure),
		TEST(test_a_frame_that_does_not_come_in_time_is_given_up),
		TEST(test_a_question_has_one_answer_or_a_reason),
		TEST(test_a_pump_moves_all_and_passes_on_the_end),
		TEST(test_a_pump_into_nothing_ends),
		{ NULL, NULL },
	};

	return tap_run(tests);
}
