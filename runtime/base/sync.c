/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One datagram a message, no more of its text than there is. What arrives is judged before anybody
 * sees it: the other side may have been taken over since it was cloned.
 */
#include "runtime/base/sync.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd-message.h"
#include "runtime/base/fd.h"

enum {
	ERRNO_MAX = 4095, /* MAX_ERRNO of the kernel */
};

/* A message on its way; the text is left out when empty, and otherwise sent with its NUL. */
struct wire {
	int64_t value;
	uint32_t word;
	int32_t status;
	char text[SYNC_TEXT_MAX];
};

enum { WIRE_HEAD = offsetof(struct wire, text) };

static const char *const word_names[] = {
	[SYNC_NONE] = "nothing",      [SYNC_CLONED] = "cloned",
	[SYNC_MAPPED] = "mapped",     [SYNC_NETWORK] = "network",
	[SYNC_HOOKS] = "hooks",
	[SYNC_HOOKED] = "hooked",     [SYNC_CONSOLE] = "console",
	[SYNC_LISTENER] = "listener", [SYNC_TAKEN] = "taken",
	[SYNC_READY] = "ready",       [SYNC_GO] = "go",
	[SYNC_FAILED] = "failed",
};

int sync_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return fail(errno, "make a socket pair");
	for (int i = 0; i < 2; i++) {
		fds[i] = fd_lift(fds[i]);
		if (fds[i] < 0) {
			int err = -fds[i];

			if (fds[!i] >= 0)
				(void)close(fds[!i]);
			return fail(err, "make a socket pair");
		}
	}
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

/* Send one message. Return: 0 or -errno, nothing recorded. */
static int wire_send(int sock, const struct wire *wire, size_t size, int fd)
{
	union fd_message room;
	/* sendmsg(2) only reads, though iov_base is not const */
	union {
		const void *from;
		void *base;
	} data = { .from = wire };
	struct iovec iov = { .iov_base = data.base, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	fd_message_put(&msg, &room, &fd, fd >= 0);
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int sync_send(int sock, enum sync_word word, int64_t value, int fd)
{
	struct wire wire;
	int r;

	/* Only the head is sent, so the text need not be cleared. */
	wire.value = value;
	wire.word = word;
	wire.status = 0;
	r = wire_send(sock, &wire, WIRE_HEAD, fd);
	return r < 0 ? fail(-r, "send '%s'", word_names[word]) : 0;
}

void sync_send_failure(int sock, int r)
{
	const char *text = fail_text();
	size_t n = strnlen(text, SYNC_TEXT_MAX - 1);
	struct wire wire;

	wire.value = r < 0 && r >= -ERRNO_MAX ? -r : EINVAL;
	wire.word = SYNC_FAILED;
	wire.status = fail_status();
	memcpy(wire.text, text, n);
	wire.text[n] = '\0';
	(void)wire_send(sock, &wire, WIRE_HEAD + n + 1, -1);
}

/* Whether the @size bytes that came are a message of ours; ends the text. */
static bool wire_is_sane(struct wire *wire, size_t size)
{
	if (size < WIRE_HEAD || wire->word <= SYNC_NONE || wire->word > SYNC_FAILED ||
	    wire->status < 0 || wire->status > 255)
		return false;
	if (size == WIRE_HEAD) {
		wire->text[0] = '\0';
		return true;
	}
	return strnlen(wire->text, size - WIRE_HEAD) == size - WIRE_HEAD - 1;
}

int sync_receive(int sock, struct sync_message *ret)
{
	union fd_message room;
	struct wire wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	cleanup_fd int fd = -1;
	int resets = 0;
	size_t came;
	ssize_t n;

	fd_message_room(&msg, &room);
	/* A reset is told once, in front of what was said before it: somebody's last words. */
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0 && errno != ECONNRESET)
		return fail(errno, "receive a message");
	ret->word = SYNC_NONE;
	ret->value = resets > 0 ? ECONNRESET : 0;
	ret->status = 0;
	ret->fd = -1;
	ret->text[0] = '\0';
	if (n < 0)
		return 0;
	came = fd_message_take(&msg, &fd, 1);
	if (n == 0)
		return 0;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || came > 1 ||
	    !wire_is_sane(&wire, (size_t)n))
		return fail_plain(EPROTO, "received a message that makes no sense (%zd bytes)", n);
	if (fd >= 0) {
		fd = fd_lift(fd);
		if (fd < 0)
			return fail(-fd, "receive an fd");
	}
	ret->word = wire.word;
	ret->value = wire.value;
	ret->status = wire.status;
	memcpy(ret->text, wire.text, strlen(wire.text) + 1);
	ret->fd = steal_fd(&fd);
	return 0;
}

/* Take over the failure that the other side sent. */
static int failure_taken(const struct sync_message *message, const char *who)
{
	bool known = message->value > 0 && message->value <= ERRNO_MAX;
	int err = known ? (int)message->value : EINVAL, r;

	if (message->text[0])
		r = fail_plain(err, "%s", message->text);
	else
		r = fail(err, "%s failed", who);
	return message->status > 0 ? fail_exit(r, message->status) : r;
}

int sync_expect(int sock, enum sync_word word, const char *who, struct sync_message *ret)
{
	int r = sync_receive(sock, ret);

	if (r < 0)
		return fail_in(r, "%s", who);
	if (ret->word == word)
		return 0;
	if (ret->fd >= 0)
		(void)close(ret->fd);
	ret->fd = -1;
	if (ret->word == SYNC_FAILED)
		return failure_taken(ret, who);
	if (ret->word == SYNC_NONE)
		return fail_plain(EPIPE, "%s ended before it said '%s'", who, word_names[word]);
	return fail_plain(EPROTO, "%s said '%s' where '%s' was due", who, word_names[ret->word],
			  word_names[word]);
}
