/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the payload says, cut into lines for the log, and as it comes for those who are attached. When the payload has
 * ended, what is in the pipes is read without waiting for their end: a process that it left behind outside its pid
 * namespace may hold them for ever, and so do we ourselves where the pipe has to outlive us.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/service/keeper-internal.h"

/* Not on the stack: pages of these that no payload ever fills are never made. */
static char lines[STREAMS][LINE_SIZE];

/* A failure to write drops the line: the payload is not to be held up by a full disk. */
static void say(struct ward *w, const struct stream *s, size_t size)
{
	int r = w->k->journal >= 0 ? keeper_journal_line((int)w->k->journal, w->k->id, s->name, s->line, size) :
		w->log.fd >= 0 ? keeper_log_line(&w->log, s->name, s->line, size) : 0;

	w->note.lost += r < 0;
}

static void stream_forget(struct stream *s, size_t size)
{
	s->used -= size;
	memmove(s->line, s->line + size, s->used);
}

/* Where a line that is too long is cut: never within a character. */
static size_t cut(const struct stream *s)
{
	size_t n = s->used;

	for (int back = 1; back < CHARACTER_MAX; back++) {
		unsigned char c = (unsigned char)s->line[s->used - (size_t)back];

		if ((c & 0xC0) == 0xC0)
			return s->used - (size_t)back;
		if ((c & 0xC0) != 0x80)
			break;
	}
	return n;
}

/* The whole lines in the buffer. */
static void stream_say(struct ward *w, struct stream *s)
{
	const char *newline;

	while ((newline = memchr(s->line, '\n', s->used))) {
		size_t n = (size_t)(newline - s->line) + 1;

		say(w, s, n);
		stream_forget(s, n);
	}
	if (s->used == LINE_SIZE) {
		size_t n = cut(s);

		say(w, s, n);
		stream_forget(s, n);
	}
}

static void stream_end(struct ward *w, struct stream *s)
{
	if (s->used > 0)
		say(w, s, s->used);
	s->used = 0;
	s->fd = -1;
}

/* Return: whether there may be more. */
static bool stream_read(struct ward *w, struct stream *s)
{
	ssize_t n = read(s->fd, s->line + s->used, LINE_SIZE - s->used);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	/* EIO: the last who held the terminal has closed it */
	if (n <= 0) {
		stream_end(w, s);
		return false;
	}
	clients_show(w, s == &w->streams[ERR] ? ERR : OUT, s->line + s->used, (size_t)n);
	s->used += (size_t)n;
	stream_say(w, s);
	return true;
}

static void nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void streams_open(struct ward *w)
{
	static const char *const names[] = { "stdout", "stderr" };
	const int fds[] = { (int)w->k->out, (int)w->k->err };
	bool terminal = false;

	for (int i = 0; i < STREAMS; i++) {
		w->streams[i] = (struct stream){ .name = names[i], .fd = fds[i], .line = lines[i] };
		if (fds[i] >= 0)
			nonblocking(fds[i]);
	}
	/*
	 * With the other end of a terminal open here too, a payload that closes it and opens it again (a getty
	 * does) does not look like one that ended. A pipe has no such end, and refuses.
	 */
	if (fds[OUT] >= 0)
		terminal = ioctl(fds[OUT], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0;
	w->in = terminal ? fds[OUT] : (int)w->k->in;
	if (w->in >= 0)
		nonblocking(w->in);
}

void streams_wait(struct ward *w)
{
	for (int i = 0; i < STREAMS; i++)
		w->wait[WAIT_STREAMS + i] = (struct pollfd){ .fd = w->streams[i].fd, .events = POLLIN };
}

void streams_read(struct ward *w)
{
	for (int i = 0; i < STREAMS; i++)
		if (w->streams[i].fd >= 0 && w->wait[WAIT_STREAMS + i].revents)
			(void)stream_read(w, &w->streams[i]);
}

/* No more than a pipe holds: somebody who still writes shall not keep us for ever. */
void streams_finish(struct ward *w)
{
	enum { ROUNDS = 4096 };

	for (int i = 0; i < STREAMS; i++) {
		int fd = w->streams[i].fd;

		for (int n = 0; n < ROUNDS && w->streams[i].fd >= 0 && stream_read(w, &w->streams[i]); n++)
			;
		stream_end(w, &w->streams[i]);
		if (fd >= 0)
			(void)close(fd);
	}
	w->in = -1;
}
