/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines that a keeper writes. Each is built in a small buffer on the stack that is written whenever it is full, by
 * position: a line that fails half way is cut off again, so that the log is always whole lines.
 */
#include "runtime/service/keeper.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1024 };

struct writer {
	int fd;
	off_t at;
	int error;
	size_t used;
	char bytes[BUFFER_SIZE];
};

static void writer_flush(struct writer *w)
{
	size_t done = 0;

	while (!w->error && done < w->used) {
		ssize_t n = pwrite(w->fd, w->bytes + done, w->used - done, w->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			w->error = errno;
		else if (n == 0)
			w->error = EIO;
		else
			done += (size_t)n, w->at += n;
	}
	w->used = 0;
}

static void put(struct writer *w, const char *text, size_t size)
{
	if (size > BUFFER_SIZE - w->used)
		writer_flush(w);
	memcpy(w->bytes + w->used, text, size);
	w->used += size;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

/* @digits of them, with zeros in front; 0: as many as it takes. */
static char *number(char *to, uint64_t value, unsigned int digits)
{
	char reversed[20];
	unsigned int n = 0;

	do
		reversed[n++] = (char)('0' + value % 10);
	while ((value /= 10));
	while (n < digits)
		reversed[n++] = '0';
	while (n > 0)
		*to++ = reversed[--n];
	return to;
}

void keeper_time(char buf[KEEPER_TIME_SIZE])
{
	struct timespec now = { .tv_sec = 0 };
	uint64_t days, seconds, era, year, month;
	char *p = buf;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seconds = (uint64_t)now.tv_sec % 86400;
	/* Counted from 1 March of the year 0, so that a leap day is the last of its year. */
	days = (uint64_t)now.tv_sec / 86400 + 719468;
	era = days / 146097;
	days %= 146097;
	year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
	days -= 365 * year + year / 4 - year / 100;
	month = (5 * days + 2) / 153;
	days -= (153 * month + 2) / 5;
	p = number(p, era * 400 + year + (month >= 10), 4);
	*p++ = '-';
	p = number(p, month < 10 ? month + 3 : month - 9, 2);
	*p++ = '-';
	p = number(p, days + 1, 2);
	*p++ = 'T';
	p = number(p, seconds / 3600, 2);
	*p++ = ':';
	p = number(p, seconds / 60 % 60, 2);
	*p++ = ':';
	p = number(p, seconds % 60, 2);
	*p++ = '.';
	p = number(p, (uint64_t)now.tv_nsec, 9);
	*p++ = 'Z';
	*p = '\0';
}

/* Length of the character at @text, 0 when it is not UTF-8. Source: RFC 3629, section 4. */
static size_t character(const unsigned char *text, size_t size)
{
	unsigned char c = text[0], low = 0x80, high = 0xBF;
	size_t n = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;

	if (n == 0 || n > size)
		return 0;
	/* Neither longer than needed, nor a surrogate, nor beyond U+10FFFF. */
	if (c == 0xE0)
		low = 0xA0;
	else if (c == 0xED)
		high = 0x9F;
	else if (c == 0xF0)
		low = 0x90;
	else if (c == 0xF4)
		high = 0x8F;
	for (size_t i = 1; i < n; i++, low = 0x80, high = 0xBF)
		if (text[i] < low || text[i] > high)
			return 0;
	return n;
}

static void put_control(struct writer *w, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char escape[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (c == '\n')
		put(w, "\\n", 2);
	else if (c == '\r')
		put(w, "\\r", 2);
	else if (c == '\t')
		put(w, "\\t", 2);
	else
		put(w, escape, sizeof(escape));
}

/* The inside of a JSON string. */
static void put_escaped(struct writer *w, const char *text, size_t size)
{
	while (size > 0) {
		const unsigned char c = (unsigned char)*text;
		size_t n = character((const unsigned char *)text, size);

		if (n == 0) {
			put_text(w, "\\ufffd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			const char escape[] = { '\\', (char)c };

			put(w, escape, sizeof(escape));
		} else if (c < 0x20 || c == 0x7F) {
			put_control(w, c);
		} else {
			put(w, text, n);
		}
		text += n;
		size -= n;
	}
}

int keeper_log_line(struct keeper_log *log, const char *stream, const char *text, size_t size)
{
	struct writer w;
	char now[KEEPER_TIME_SIZE];

	/* The buffer is not cleared: it is written before it is read. */
	w.fd = log->fd;
	w.at = log->end;
	w.error = 0;
	w.used = 0;
	keeper_time(now);
	put_text(&w, "{\"log\":\"");
	put_escaped(&w, text, size);
	put_text(&w, "\",\"stream\":\"");
	put_text(&w, stream);
	put_text(&w, "\",\"time\":\"");
	put_text(&w, now);
	put_text(&w, "\"}\n");
	writer_flush(&w);
	if (w.error) {
		(void)!ftruncate(log->fd, log->end);
		return -w.error;
	}
	log->end = w.at;
	return 0;
}

int keeper_ending_write(int fd, int status, bool oom_killed)
{
	char line[128], now[KEEPER_TIME_SIZE], *p = line;
	ssize_t n;

	keeper_time(now);
	p = stpcpy(p, "{\"status\":");
	p = number(p, (uint64_t)(status & 0xFF), 0);
	p = stpcpy(p, ",\"time\":\"");
	p = stpcpy(p, now);
	p = stpcpy(p, "\",\"oomKilled\":");
	p = stpcpy(p, oom_killed ? "true}\n" : "false}\n");
	do
		n = pwrite(fd, line, (size_t)(p - line), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
