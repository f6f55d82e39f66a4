/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that others wrote, made fit for a message: control characters, bytes that are not UTF-8, and
 * the characters that reorder or hide text on a terminal are written as escapes.
 */
#include "runtime/base/str.h"

#include <stdio.h>
#include <string.h>

enum {
	ESCAPE_MAX = 6, /* bytes of "\u202e", the longest that one character becomes */
	QUOTE_LETTERS = 64, /* characters that a quotation shows */
};

static const char cut_mark[] = "…";

/*
 * utf8_read() - the character at @p, which must not be at the end of the text
 *
 * Return: its length in bytes, 0 when the bytes are not UTF-8.
 */
static size_t utf8_read(const unsigned char *p, uint32_t *ret_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (n == 0)
		return 0;
	c = n == 1 ? *p : *p & (0x7FU >> n);
	for (size_t i = 1; i < n; i++) {
		/* A NUL is no continuation: the end is not passed. */
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*ret_char = c;
	return n;
}

static bool is_shown(uint32_t c)
{
	return !(c < 0x20 || (c >= 0x7F && c <= 0x9F) || /* control */
		 c == 0xAD || /* soft hyphen */
		 c == 0x61C || /* Arabic letter mark */
		 (c >= 0x200B && c <= 0x200F) || /* no width, direction marks */
		 (c >= 0x2028 && c <= 0x202E) || /* separators, direction overrides */
		 (c >= 0x2060 && c <= 0x206F) || /* isolates, invisible operators */
		 c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || /* byte order mark, annotations */
		 (c >= 0xE0000 && c <= 0xE007F)); /* tags */
}

/* Write the character at @p as it may be shown. Return: bytes of @p that were taken. */
static size_t escape(const unsigned char *p, bool quoted, char out[ESCAPE_MAX + 8])
{
	static const char named[] = "\b\f\n\r\t", names[] = "bfnrt";
	uint32_t c = 0;
	size_t n = utf8_read(p, &c);
	const char *name;

	if (n == 0) {
		(void)sprintf(out, "\\x%02x", *p);
		return 1;
	}
	name = c < 0x20 ? strchr(named, (int)c) : NULL;
	if (name)
		(void)sprintf(out, "\\%c", names[name - named]);
	else if (quoted && (c == '"' || c == '\\'))
		(void)sprintf(out, "\\%c", (char)c);
	else if (is_shown(c))
		(void)sprintf(out, "%.*s", (int)n, (const char *)p);
	else
		(void)sprintf(out, "\\u%04x", c);
	return n;
}

/* Put into @buf what fits of @text, and the mark when that is not all. Return: its length. */
static size_t escape_into(char *buf, size_t size, const char *text, bool quoted, size_t letters)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0, room_for_mark = 0;

	while (*p) {
		char shown[ESCAPE_MAX + 8];
		size_t taken = escape(p, quoted, shown), n = strlen(shown);

		if (used + sizeof(cut_mark) <= size)
			room_for_mark = used;
		if (letters-- == 0 || used + n >= size) {
			used = room_for_mark;
			memcpy(buf + used, cut_mark, sizeof(cut_mark) - 1);
			used += sizeof(cut_mark) - 1;
			break;
		}
		memcpy(buf + used, shown, n);
		used += n;
		p += taken;
	}
	buf[used] = '\0';
	return used;
}

const char *str_printable(char *buf, size_t size, const char *text)
{
	(void)escape_into(buf, size, text, false, SIZE_MAX);
	return buf;
}

const char *str_quote(char buf[STR_QUOTE_SIZE], const char *text)
{
	size_t n;

	buf[0] = '"';
	n = escape_into(buf + 1, STR_QUOTE_SIZE - 2, text, true, QUOTE_LETTERS);
	memcpy(buf + 1 + n, "\"", 2);
	return buf;
}
