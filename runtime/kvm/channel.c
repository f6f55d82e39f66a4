/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each word may carry stands in one table, by which both what is sent and what came are judged.
 */
#include "runtime/kvm/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum { SIGNALS = 64, STATUSES = 255, REASON_MAX = 4096, NEVER = -1 };

static const struct {
	uint32_t detail_max, value_min, value_max, size_min, size_max;
} rules[CHANNEL_WORDS] = {
	[CHANNEL_JOIN] = { .detail_max = CHANNEL_CONTROL, .value_max = UINT32_MAX },
	[CHANNEL_RUN] = { .size_min = 2, .size_max = CHANNEL_TEXT_MAX },
	[CHANNEL_EXEC] = { .size_min = 2, .size_max = CHANNEL_TEXT_MAX },
	[CHANNEL_SIGNAL] = { .value_min = 1, .value_max = SIGNALS },
	[CHANNEL_FAILED] = { .detail_max = STATUSES, .size_min = 1, .size_max = REASON_MAX },
	[CHANNEL_EXITED] = { .detail_max = STATUSES },
	[CHANNEL_SIZE] = { .value_max = UINT32_MAX },
	[CHANNEL_ASK] = { .size_min = 2, .size_max = CHANNEL_TEXT_MAX },
	[CHANNEL_ANSWER] = { .size_min = 2, .size_max = CHANNEL_TEXT_MAX },
};

void channel_message_done(struct channel_message *message)
{
	free(message->text);
	*message = (struct channel_message){ .word = CHANNEL_NONE };
}

int channel_header_check(const struct channel_header *header)
{
	uint32_t word = header->word;

	if (header->magic != CHANNEL_MAGIC)
		return fail_plain(EPROTO, "the other side speaks another version");
	if (word == CHANNEL_NONE || word >= CHANNEL_WORDS)
		return fail_plain(EPROTO, "an unknown word %u", word);
	if (header->detail > rules[word].detail_max || header->value < rules[word].value_min ||
	    header->value > rules[word].value_max || header->size < rules[word].size_min ||
	    header->size > rules[word].size_max)
		return fail_plain(EPROTO, "word %u with numbers out of range", word);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Some of our sockets do not block, for the sake of others of their loop. @deadline: as now_ms() has it, or NEVER */
static int await(int fd, short events, int64_t deadline)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int n;

	do {
		int64_t left = deadline == NEVER ? -1 : deadline - now_ms();

		if (deadline != NEVER && left <= 0)
			return -ETIMEDOUT;
		n = poll(&ready, 1, (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
	} while (n <= 0);
	return 0;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && await(fd, POLLOUT, NEVER) == 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Return: how many bytes came before the end, or -errno. */
static ssize_t receive_all(int fd, char *data, size_t size, int64_t deadline)
{
	size_t got = 0;

	while (got < size) {
		int r = deadline == NEVER ? 0 : await(fd, POLLIN, deadline);
		ssize_t n = r < 0 ? r : recv(fd, data + got, size - got, 0);

		if (r < 0)
			return r;
		if (n < 0 && errno == EAGAIN && await(fd, POLLIN, deadline) == 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int channel_send(int fd, enum channel_word word, uint16_t detail, uint32_t value, const void *text,
		 size_t size)
{
	const struct channel_header header = {
		.magic = CHANNEL_MAGIC,
		.word = (uint16_t)word,
		.detail = detail,
		.value = value,
		.size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
	};
	int r = channel_header_check(&header);

	if (r < 0)
		return r;
	r = send_all(fd, (const char *)&header, sizeof(header));
	if (r == 0 && size > 0)
		r = send_all(fd, text, size);
	return r < 0 ? fail(-r, "send to the other side") : 0;
}

static int receive(int fd, int64_t deadline, struct channel_message *ret)
{
	struct channel_header header;
	cleanup_free char *text = NULL;
	ssize_t n = receive_all(fd, (char *)&header, sizeof(header), deadline);
	int r;

	/* A machine that ended takes its streams with it. */
	if (n == 0 || n == -ECONNRESET) {
		*ret = (struct channel_message){ .word = CHANNEL_NONE };
		return 0;
	}
	if (n < 0)
		return fail((int)-n, "receive from the other side");
	if (n != (ssize_t)sizeof(header))
		return fail_plain(EPROTO, "the other side ended in the middle of a word");
	r = channel_header_check(&header);
	if (r < 0)
		return r;
	if (header.size > 0) {
		text = malloc((size_t)header.size + 1);
		if (!text)
			return fail(ENOMEM, "receive from the other side");
		n = receive_all(fd, text, header.size, deadline);
		if (n == -ETIMEDOUT)
			return fail(ETIMEDOUT, "receive from the other side");
		if (n != (ssize_t)header.size)
			return fail_plain(EPROTO, "the other side ended in the middle of a word");
		text[header.size] = '\0';
	}
	*ret = (struct channel_message){
		.word = (enum channel_word)header.word,
		.detail = header.detail,
		.value = header.value,
		.size = header.size,
		.text = steal_ptr(&text),
	};
	return 0;
}

int channel_receive(int fd, struct channel_message *ret)
{
	return receive(fd, NEVER, ret);
}

int channel_receive_within(int fd, int ms, struct channel_message *ret)
{
	return receive(fd, now_ms() + ms, ret);
}
