/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer is as little believed as all that comes from a guest: its length has a limit, and who asked judges
 * the text.
 */
#include "runtime/kvm/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/kvm/channel.h"
#include "runtime/kvm/vsock.h"

enum { AGENT_MS = 10000, MONITOR_MS = 1000 };

static int no_answer(int ms)
{
	return fail_plain(ETIMEDOUT, "the virtual machine did not answer within %d s", ms / 1000);
}

/* Return: 0 when the stream is open, or a recorded failure. */
static int greet(int stream, uint32_t flags, int ms)
{
	const struct vsock_hello hello = { .magic = VSOCK_HELLO_MAGIC, .port = CHANNEL_PORT, .flags = flags };
	struct pollfd wait = { .fd = stream, .events = POLLIN };
	struct vsock_answer answer;

	if (send(stream, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
		return fail(errno, "reach the virtual machine");
	if (poll(&wait, 1, ms) <= 0)
		return no_answer(ms);
	if (recv(stream, &answer, sizeof(answer), MSG_DONTWAIT) != (ssize_t)sizeof(answer))
		return fail_plain(ECONNRESET, "the virtual machine has ended");
	return answer.errnum ? fail((int)answer.errnum, "reach the virtual machine's agent") : 0;
}

static int answer_take(int stream, char **ret_text)
{
	struct channel_message m;
	char shown[2048];
	int r = channel_receive_within(stream, AGENT_MS, &m);

	if (r == -ETIMEDOUT)
		return no_answer(AGENT_MS);
	if (r < 0)
		return fail_in(r, "the virtual machine's agent");
	if (m.word == CHANNEL_ANSWER)
		*ret_text = steal_ptr(&m.text);
	else if (m.word == CHANNEL_FAILED)
		r = fail_exit(fail_plain(EREMOTEIO, "%s", str_printable(shown, sizeof(shown), m.text)), m.detail);
	else
		r = fail_plain(EPROTO, "the virtual machine's agent did not answer the question");
	channel_message_done(&m);
	return r;
}

int ask_agent(int stream, const char *text, size_t size, char **ret_text)
{
	uint32_t number;
	int r;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return fail(errno, "choose a number");
	r = greet(stream, VSOCK_WAIT, AGENT_MS);
	if (r == 0)
		r = channel_send(stream, CHANNEL_JOIN, CHANNEL_CONTROL, number, NULL, 0);
	if (r == 0)
		r = channel_send(stream, CHANNEL_ASK, 0, 0, text, size);
	return r < 0 ? r : answer_take(stream, ret_text);
}

int ask_counts(int stream)
{
	return greet(stream, VSOCK_COUNT, MONITOR_MS);
}
