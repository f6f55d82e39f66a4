/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From text to json_t and back. jansson refuses an integer that does not fit 64 bits, yet podman
 * and docker write 2^64-1 for "unlimited": only after that refusal, integer literals beyond 2^63-1
 * are lowered to it in a copy of the text, column for column, and the copy is parsed. Depth is
 * counted in the text beforehand, so that a message can say where.
 */
#include "runtime/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum {
	NAME_SHOWN = 1024,
	/* jansson's text, with each byte escaped at worst */
	ERROR_SHOWN = 4 * JSON_ERROR_TEXT_LENGTH,
};

static const char int64_max_digits[] = "9223372036854775807";

/* Record a failure at @offset of @text: "<name>:<line>:<column>: <what>". */
static int fail_at(const char *name, const char *text, size_t offset, const char *what)
{
	unsigned int line = 1, column = 1;
	char shown[NAME_SHOWN];

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xC0) != 0x80) {
			column++;
		}
	}
	return fail_plain(EINVAL, "%s:%u:%u: %s", str_printable(shown, sizeof(shown), name), line,
			  column, what);
}

/* Index of the quote that ends the string begun at @i, or @size. */
static size_t string_end(const char *text, size_t size, size_t i)
{
	for (i++; i < size && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i < size ? i : size;
}

/* What jansson cannot say, or says badly, is said here before it looks. */
static int text_check(const char *name, const char *text, size_t size)
{
	char shown[NAME_SHOWN];
	bool blank = true;
	size_t depth = 0;

	(void)str_printable(shown, sizeof(shown), name);
	if (size > JSON_SIZE_MAX)
		return fail_plain(EFBIG, "%s: is larger than %d MiB", shown, JSON_SIZE_MAX >> 20);
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail_at(name, text, 0,
			       "begins with a byte order mark, which JSON does not have: "
			       "save it as UTF-8 without one");
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			blank = false;
		if (c == '"')
			i = string_end(text, size, i);
		else if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			return fail_at(name, text, i, "is nested more than 128 deep");
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return blank ? fail_plain(EINVAL, "%s: is empty", shown) : 0;
}
_Static_assert(JSON_DEPTH_MAX == 128, "the message above says so");

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether the @n characters are an integer as JSON writes it, and beyond 2^63-1. */
static bool is_too_large(const char *word, size_t n)
{
	const size_t most = sizeof(int64_max_digits) - 1;

	for (size_t i = 0; i < n; i++)
		if (!is_digit(word[i]))
			return false;
	return word[0] != '0' && (n > most || (n == most && memcmp(word, int64_max_digits, n) > 0));
}

/* Lower integers beyond 2^63-1 to it, in place; blanks fill what gets shorter. */
static void integers_saturate(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t begin = i;

		if (text[i] == '"') {
			i = string_end(text, size, i);
			continue;
		}
		/* Fractions, exponents and negative numbers are other words: left to fail. */
		while (i < size && (is_digit(text[i]) || (text[i] && strchr("+-.eE", text[i]))))
			i++;
		if (i == begin)
			continue;
		if (is_too_large(text + begin, i - begin)) {
			memset(text + begin, ' ', i - begin);
			memcpy(text + begin, int64_max_digits, sizeof(int64_max_digits) - 1);
		}
		/* What ended the word is looked at next: it may begin a string. */
		i--;
	}
}

static int fail_parse(const char *name, const json_error_t *error)
{
	char shown[NAME_SHOWN], what[ERROR_SHOWN];
	enum json_error_code code = json_error_code(error);

	(void)str_printable(shown, sizeof(shown), name);
	if (code == json_error_out_of_memory)
		return fail(ENOMEM, "parse '%s'", shown);
	if (code == json_error_null_character || code == json_error_null_byte_in_key)
		(void)str_printable(what, sizeof(what), "a string holds a NUL character");
	else
		(void)str_printable(what, sizeof(what), error->text);
	return fail_plain(EINVAL, "%s:%d:%d: %s", shown, error->line, error->column, what);
}

/* jansson would read /dev/urandom to seed its hash tables; the kernel gave us random bytes. */
static void hash_seed(void)
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	static bool seeded;
	size_t seed;

	if (seeded || !random)
		return;
	seeded = true;
	memcpy(&seed, random + 8, sizeof(seed));
	json_object_seed(seed);
}

int json_parse(const char *name, const char *text, size_t size, json_t **ret_v)
{
	cleanup_free char *copy = NULL;
	json_error_t error;
	json_t *v;
	int r = text_check(name, text, size);

	if (r < 0)
		return r;
	hash_seed();
	v = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!v && json_error_code(&error) == json_error_numeric_overflow) {
		copy = malloc(size);
		if (!copy)
			return fail(ENOMEM, "parse '%s'", name);
		memcpy(copy, text, size);
		integers_saturate(copy, size);
		v = json_loadb(copy, size, JSON_REJECT_DUPLICATES, &error);
	}
	if (!v)
		return fail_parse(name, &error);
	*ret_v = v;
	return 0;
}

int json_read_fd(const char *name, int fd, json_t **ret_v)
{
	cleanup_free char *text = NULL;
	char shown[NAME_SHOWN];
	size_t size = 0;
	int r = fd_read_all(fd, JSON_SIZE_MAX, &text, &size);

	if (r == 0)
		return json_parse(name, text, size, ret_v);
	(void)str_printable(shown, sizeof(shown), name);
	if (r == -EFBIG)
		return fail_plain(EFBIG, "%s: is larger than %d MiB", shown, JSON_SIZE_MAX >> 20);
	return fail(-r, "read '%s'", shown);
}

int json_read_at(int dir, const char *file, const char *name, json_t **ret_v)
{
	/* O_NONBLOCK: a FIFO put there must not make us wait. */
	cleanup_fd int fd = openat(dir, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char shown[NAME_SHOWN];
	struct stat st;

	if (!name)
		name = file;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = errno;

		return fail(err, "open '%s'", str_printable(shown, sizeof(shown), name));
	}
	if (!S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%s' is not a regular file",
				  str_printable(shown, sizeof(shown), name));
	return json_read_fd(name, fd, ret_v);
}

char *json_text(const json_t *v)
{
	return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}
