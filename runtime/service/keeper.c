/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One poll(2) over the payload's pidfd and what it says. When the payload has ended, what is in the pipes is read
 * without waiting for their end: a process that it left behind outside its pid namespace may hold them for ever.
 */
#include "runtime/service/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* docker cuts lines at the same length. */
enum { LINE_SIZE = 16 * 1024, CHARACTER_MAX = 4 };

struct stream {
	const char *name;
	int fd;
	size_t used;
	char line[LINE_SIZE];
};

/* Not on the stack: pages of these that no payload ever fills are never made. */
static struct stream streams[] = {
	{ .name = "stdout", .fd = -1 },
	{ .name = "stderr", .fd = -1 },
};
enum { OUT, ERR, STREAMS };

/* We end when the payload has ended, and never before. */
static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };

static void signals_set(void (*how)(int signal))
{
	struct sigaction action = { .sa_handler = how };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)sigaction(ignored[i], &action, NULL);
	/* What `run` had blocked. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A failure to write drops the line: the payload is not to be held up by a full disk. */
static void say(struct keeper_log *log, const struct stream *s, size_t size)
{
	if (log->fd >= 0)
		(void)keeper_log_line(log, s->name, s->line, size);
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
static void stream_say(struct keeper_log *log, struct stream *s)
{
	const char *newline;

	while ((newline = memchr(s->line, '\n', s->used))) {
		size_t n = (size_t)(newline - s->line) + 1;

		say(log, s, n);
		stream_forget(s, n);
	}
	if (s->used == sizeof(s->line)) {
		size_t n = cut(s);

		say(log, s, n);
		stream_forget(s, n);
	}
}

static void stream_end(struct keeper_log *log, struct stream *s)
{
	if (s->used > 0)
		say(log, s, s->used);
	s->used = 0;
	s->fd = -1;
}

/* Return: whether there may be more. */
static bool stream_read(struct keeper_log *log, struct stream *s)
{
	ssize_t n = read(s->fd, s->line + s->used, sizeof(s->line) - s->used);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	/* EIO: the last who held the terminal has closed it */
	if (n <= 0) {
		stream_end(log, s);
		return false;
	}
	s->used += (size_t)n;
	stream_say(log, s);
	return true;
}

static void nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void streams_open(const struct keeper *k)
{
	streams[OUT].fd = k->out;
	streams[ERR].fd = k->err;
	for (int i = 0; i < STREAMS; i++)
		if (streams[i].fd >= 0)
			nonblocking(streams[i].fd);
	/*
	 * With the other end of a terminal open here too, a payload that closes it and opens it again (a getty
	 * does) does not look like one that ended. A pipe has no such end, and refuses.
	 */
	if (k->out >= 0)
		(void)ioctl(k->out, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void payload_await(int pidfd, struct keeper_log *log)
{
	struct pollfd wait[1 + STREAMS] = { { .fd = pidfd, .events = POLLIN } };

	while (!wait[0].revents) {
		for (int i = 0; i < STREAMS; i++)
			wait[1 + i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
		if (poll(wait, 1 + STREAMS, -1) < 0) {
			wait[0].revents = 0;
			continue;
		}
		for (int i = 0; i < STREAMS; i++)
			if (wait[1 + i].revents)
				(void)stream_read(log, &streams[i]);
	}
}

/* Whether the kernel killed something for memory. Source: cgroup-v2.rst, memory.events. */
static bool oom_read(int events)
{
	static const char word[] = "\noom_kill ";
	char text[512] = "\n";
	const char *found;
	ssize_t n;

	if (events < 0)
		return false;
	n = pread(events, text + 1, sizeof(text) - 2, 0);
	if (n <= 0)
		return false;
	text[1 + n] = '\0';
	found = strstr(text, word);
	return found && found[sizeof(word) - 1] >= '1' && found[sizeof(word) - 1] <= '9';
}

int keeper_run(const struct keeper *k)
{
	struct keeper_log log = { .fd = k->log, .end = k->log < 0 ? 0 : lseek(k->log, 0, SEEK_END) };
	int pidfd, wait_status;
	pid_t reaped;

	signals_set(SIG_IGN);
	if (log.end < 0)
		log.fd = -1;
	pidfd = pidfd_open(k->pid, 0);
	if (pidfd < 0)
		return -errno;
	streams_open(k);
	payload_await(pidfd, &log);
	do
		reaped = waitpid(k->pid, &wait_status, 0);
	while (reaped < 0 && errno == EINTR);
	if (reaped < 0)
		return -errno;
	for (int i = 0; i < STREAMS; i++) {
		while (streams[i].fd >= 0 && stream_read(&log, &streams[i]))
			;
		stream_end(&log, &streams[i]);
	}
	if (k->exit >= 0)
		(void)keeper_ending_write(k->exit, WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) :
					  WEXITSTATUS(wait_status), oom_read(k->events));
	if (!k->removal)
		return 0;
	signals_set(SIG_DFL);
	(void)execve(k->removal[0], k->removal, environ);
	return -errno;
}
