/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines that a keeper writes. Each is built in a small buffer on the stack that is written whenever it is full, by
 * position: a line that fails half way is cut off again, so that the log is always whole lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/service/keeper-internal.h"

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
char *keeper_number(char *to, uint64_t value, unsigned int digits)
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

char *keeper_number_signed(char *to, int64_t value)
{
	if (value < 0)
		*to++ = '-';
	return keeper_number(to, value < 0 ? (uint64_t)-value : (uint64_t)value, 0);
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
	p = keeper_number(p, era * 400 + year + (month >= 10), 4);
	*p++ = '-';
	p = keeper_number(p, month < 10 ? month + 3 : month - 9, 2);
	*p++ = '-';
	p = keeper_number(p, days + 1, 2);
	*p++ = 'T';
	p = keeper_number(p, seconds / 3600, 2);
	*p++ = ':';
	p = keeper_number(p, seconds / 60 % 60, 2);
	*p++ = ':';
	p = keeper_number(p, seconds % 60, 2);
	*p++ = '.';
	p = keeper_number(p, (uint64_t)now.tv_nsec, 9);
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

/* "log", "log.1", … */
static void log_name(char name[static 32], int64_t n)
{
	char *p = stpcpy(name, "log");

	if (n > 0) {
		*p++ = '.';
		p = keeper_number_signed(p, n);
	}
	*p = '\0';
}

static void log_empty(struct keeper_log *log)
{
	if (ftruncate(log->fd, 0) == 0)
		log->end = 0;
}

void keeper_log_rotate(struct keeper_log *log)
{
	char from[32], to[32];
	int fd;

	if (log->files <= 1) {
		log_empty(log);
		return;
	}
	for (int64_t n = log->files - 1; n > 0; n--) {
		log_name(from, n - 1);
		log_name(to, n);
		(void)renameat(log->folder, from, log->folder, to);
	}
	fd = openat(log->folder, "log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		/* to is "log.1", what we still write to: it is bounded all the same. */
		(void)renameat(log->folder, to, log->folder, "log");
		log_empty(log);
		return;
	}
	(void)close(log->fd);
	log->fd = fd;
	log->end = 0;
}

int keeper_log_line(struct keeper_log *log, const char *stream, const char *text, size_t size)
{
	struct writer w;
	char now[KEEPER_TIME_SIZE];

	if (log->size > 0 && log->end >= log->size && log->folder >= 0)
		keeper_log_rotate(log);
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
	p = keeper_number(p, (uint64_t)(status & 0xFF), 0);
	p = stpcpy(p, ",\"time\":\"");
	p = stpcpy(p, now);
	p = stpcpy(p, "\",\"oomKilled\":");
	p = stpcpy(p, oom_killed ? "true}\n" : "false}\n");
	do
		n = pwrite(fd, line, (size_t)(p - line), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int64_t keeper_last(const struct keeper_note *note)
{
	return note->status < 0 ? 0 : 1 + note->status + 256 * note->oom_killed + 512 * note->unhealthy;
}

void keeper_last_read(int64_t last, struct keeper_note *note)
{
	note->status = last > 0 ? (last - 1) & 255 : -1;
	note->oom_killed = last > 0 && (last - 1) & 256;
	note->unhealthy = last > 0 && (last - 1) & 512;
}

static char *note_number(char *p, const char *key, int64_t value)
{
	return keeper_number_signed(stpcpy(p, key), value);
}

static char *note_bool(char *p, const char *key, bool value)
{
	return stpcpy(stpcpy(p, key), value ? "true" : "false");
}

int keeper_note_write(int fd, const struct keeper_note *note)
{
	static const char *const names[] = { "", "starting", "healthy", "unhealthy" };
	char text[KEEPER_NOTE_SIZE], *p = text;
	ssize_t n;

	p = note_number(p, "{\"version\":", KEEPER_NOTE_VERSION);
	p = note_number(p, ",\"restarts\":", note->restarts);
	p = note_bool(p, ",\"waiting\":", note->waiting);
	p = note_number(p, ",\"status\":", note->status);
	p = note_bool(p, ",\"oomKilled\":", note->oom_killed);
	p = note_bool(p, ",\"unhealthy\":", note->unhealthy);
	p = stpcpy(stpcpy(stpcpy(p, ",\"health\":\""), names[note->health]), "\"");
	p = note_number(p, ",\"failing\":", note->failing);
	p = note_number(p, ",\"lost\":", note->lost);
	*p++ = '}';
	memset(p, ' ', (size_t)(text + sizeof(text) - p));
	text[sizeof(text) - 1] = '\n';
	do
		n = pwrite(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
