/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each line is made in a fixed buffer and leaves in one write(2), so that lines of several
 * processes that append to the same file do not mix, and so that logging needs no memory. A line
 * that is too long is cut. Whatever a text holds, no control character leaves here raw.
 */
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/moment.h"
#include "runtime/base/str.h"

enum {
	TEXT_MAX = 4096,
	LINE_MAX_SIZE =
		2 * TEXT_MAX + 256, /* a text of quotes alone doubles; the rest is for the frame */
	FRAME_END_MAX = 64,
};

static struct {
	int fd;
	bool json, to_file;
	enum log_level level;
} out = { .fd = STDERR_FILENO, .level = LOG_LEVEL_WARNING };

/* As logrus names them, which is what the engines read. */
static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

int log_open(const char *file, bool json, enum log_level level)
{
	int fd = STDERR_FILENO;

	if (file) {
		fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return fail(errno, "open log file '%s'", file);
		fd = fd_lift(fd);
		if (fd < 0)
			return fail(-fd, "open log file '%s'", file);
	}
	if (out.to_file)
		(void)close(out.fd);
	out.fd = fd;
	out.json = json;
	out.to_file = file != NULL;
	out.level = level;
	return 0;
}

bool log_is_debug(void)
{
	return out.level == LOG_LEVEL_DEBUG;
}

static void time_text(char buf[MOMENT_SIZE])
{
	struct timespec now = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	moment_text(&now, buf);
}

/* Append @text as the inside of a JSON string, as much as fits in @size. Return: bytes written. */
static size_t json_escape(char *buf, size_t size, const char *text)
{
	size_t used = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		char one[8];
		size_t n;

		if (*p == '"' || *p == '\\')
			(void)snprintf(one, sizeof(one), "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7F)
			(void)snprintf(one, sizeof(one), "\\u%04x", *p);
		else
			(void)snprintf(one, sizeof(one), "%c", *p);
		n = strlen(one);
		if (used + n >= size)
			break;
		memcpy(buf + used, one, n);
		used += n;
	}
	return used;
}

/* The line as a file gets it, or anybody who asked for JSON. Return: its size. */
static size_t line_framed(char line[LINE_MAX_SIZE], bool json, enum log_level level,
			  const char *text)
{
	char shown[TEXT_MAX], now[MOMENT_SIZE];
	int n;

	/* First to UTF-8 without control characters, which any JSON reader takes. */
	(void)str_printable(shown, sizeof(shown), text);
	time_text(now);
	if (json)
		n = snprintf(line, LINE_MAX_SIZE, "{\"level\":\"%s\",\"msg\":\"",
			     level_names[level]);
	else
		n = snprintf(line, LINE_MAX_SIZE, "time=\"%s\" level=%s msg=\"", now,
			     level_names[level]);
	n += (int)json_escape(line + n, LINE_MAX_SIZE - FRAME_END_MAX - (size_t)n, shown);
	if (json)
		n += snprintf(line + n, LINE_MAX_SIZE - (size_t)n, "\",\"time\":\"%s\"}\n", now);
	else
		n += snprintf(line + n, LINE_MAX_SIZE - (size_t)n, "\"\n");
	return (size_t)n;
}

/* The line as somebody at a terminal reads it. Return: its size. */
static size_t line_plain(char line[LINE_MAX_SIZE], enum log_level level, const char *text)
{
	char shown[TEXT_MAX];
	bool named = level != LOG_LEVEL_ERROR;

	return (size_t)snprintf(line, LINE_MAX_SIZE, "nacelle: %s%s%s\n",
				named ? level_names[level] : "", named ? ": " : "",
				str_printable(shown, sizeof(shown), text));
}

static void line_write(int fd, bool framed, bool json, enum log_level level, const char *text)
{
	char line[LINE_MAX_SIZE];
	size_t n = framed ? line_framed(line, json, level, text) : line_plain(line, level, text);
	ssize_t written;

	/* Who cannot be told cannot be told that either. */
	do
		written = write(fd, line, n);
	while (written < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[TEXT_MAX];
	int saved = errno;
	va_list args;

	if (level < out.level)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	line_write(out.fd, out.to_file || out.json, out.json, level, text);
	errno = saved;
}

void log_error(const char *text)
{
	int saved = errno;

	if (out.to_file)
		line_write(out.fd, true, out.json, LOG_LEVEL_ERROR, text);
	line_write(STDERR_FILENO, out.json && !out.to_file, out.json, LOG_LEVEL_ERROR, text);
	errno = saved;
}
