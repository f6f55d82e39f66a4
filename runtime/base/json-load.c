/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From text to json_t and back. jansson refuses an integer beyond 2^63-1, yet podman and docker write
 * 2^64-1 for "unlimited", and masks of a seccomp profile may have the highest bit. Only after that
 * refusal, such literals are lowered to 2^63-1 in a copy of the text, column for column, the copy is
 * parsed, and what was lowered is put back as a wide integer (see json.h): jansson keeps the order of
 * the text, so the tree and the literals are walked side by side. What is parsed first is the text without its blanks, which are
 * taken out, and the depth counted, in one go; only when that fails, and a place has to be told, is it the text itself.
 */
#include "runtime/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What jansson cannot say, or says badly. */
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

		blank = blank && is_blank(c);
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

/* Whether the @n characters are an integer as JSON writes it, and 2^63-1 or more. */
static bool is_large(const char *word, size_t n)
{
	const size_t most = sizeof(int64_max_digits) - 1;

	for (size_t i = 0; i < n; i++)
		if (!is_digit(word[i]))
			return false;
	return word[0] != '0' && (n > most || (n == most && memcmp(word, int64_max_digits, n) >= 0));
}

/* A text, and how far it was searched for large integers. */
struct search {
	const char *text;
	size_t size, at;
};

/* The next literal that is_large(). Return: its length, with its place in @ret; 0: there is none. */
static size_t large_next(struct search *s, size_t *ret)
{
	while (s->at < s->size) {
		size_t begin = s->at;

		if (s->text[begin] == '"') {
			s->at = string_end(s->text, s->size, begin) + 1;
			continue;
		}
		/* Fractions, exponents and negative numbers are other words: left to fail. */
		while (s->at < s->size &&
		       (is_digit(s->text[s->at]) || (s->text[s->at] && strchr("+-.eE", s->text[s->at]))))
			s->at++;
		if (s->at == begin) {
			s->at++;
		} else if (is_large(s->text + begin, s->at - begin)) {
			*ret = begin;
			return s->at - begin;
		}
	}
	return 0;
}

/* Lower large integers to 2^63-1, in place; blanks fill what gets shorter. */
static void integers_lower(char *text, size_t size)
{
	struct search search = { .text = text, .size = size };
	size_t begin = 0, n;

	while ((n = large_next(&search, &begin))) {
		memset(text + begin, ' ', n);
		memcpy(text + begin, int64_max_digits, sizeof(int64_max_digits) - 1);
	}
}

enum { WIDE_MAX = sizeof("18446744073709551615") };

bool json_is_wide(const json_t *v, uint64_t *ret_value)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);

	/* json_string_length() of anything else is 0. */
	if (n < 2 || n > WIDE_MAX || text[0] != '\0')
		return false;
	return str_to_u64(text + 1, UINT64_MAX, ret_value) == 0;
}

json_t *json_from_u64(uint64_t value)
{
	char text[WIDE_MAX + 1];

	if (value <= INT64_MAX)
		return json_integer((json_int_t)value);
	return json_stringn_nocheck(text, (size_t)snprintf(text, sizeof(text), "%c%" PRIu64, 0, value));
}

/* What was lowered, as it is in the text. New reference, NULL without memory. */
static json_t *wide_new(struct search *search)
{
	char text[WIDE_MAX] = { 0 };
	uint64_t value = UINT64_MAX;
	size_t begin = 0, n = large_next(search, &begin);

	/* a length that str_to_u64() need not judge is beyond it */
	if (n > 0 && n < sizeof(text)) {
		memcpy(text, search->text + begin, n);
		if (str_to_u64(text, UINT64_MAX, &value) < 0)
			value = UINT64_MAX;
	}
	return json_from_u64(value);
}

static bool is_lowered(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) == INT64_MAX;
}

/* Put back what integers_lower() lowered. Return: 0, or -1 without memory. */
static int integers_widen(json_t *v, struct search *search)
{
	json_t *item;
	size_t i;
	int r = 0;

	for (void *at = json_object_iter(v); at && r == 0; at = json_object_iter_next(v, at)) {
		item = json_object_iter_value(at);
		r = is_lowered(item) ? json_object_iter_set_new(v, at, wide_new(search)) :
				       integers_widen(item, search);
	}
	json_array_foreach(v, i, item) {
		if (r == 0)
			r = is_lowered(item) ? json_array_set_new(v, i, wide_new(search)) :
					       integers_widen(item, search);
	}
	return r;
}

static int widen(json_t **v, const char *text, size_t size)
{
	struct search search = { .text = text, .size = size };

	if (integers_widen(*v, &search) == 0)
		return 0;
	json_decref(*v);
	return fail(ENOMEM, "keep the document's integers");
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

void json_seed(void)
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

/* What a character outside of strings is. Two WORDs are one if there is nothing between them. */
enum kind { WORD, BLANK, MARK, QUOTE, OPENING, CLOSING };

static const unsigned char kinds[256] = {
	[' '] = BLANK, ['\t'] = BLANK, ['\n'] = BLANK, ['\r'] = BLANK,
	[':'] = MARK,  [','] = MARK,   ['"'] = QUOTE,
	['['] = OPENING, ['{'] = OPENING, [']'] = CLOSING, ['}'] = CLOSING,
};

/*
 * The text without the blanks that nothing depends on: of a document that somebody can read half are blanks, and jansson takes
 * five times as long for one. Return: malloc'ed, NULL without memory, and where the text is nested too deep.
 */
static char *text_pack(const char *text, size_t size)
{
	cleanup_free char *packed = malloc(size + 1);
	char *to = packed;
	enum kind last = MARK, kind;
	bool gap = false;
	size_t depth = 0;

	for (size_t i = 0; packed && i < size; i++) {
		kind = kinds[(unsigned char)text[i]];
		if (kind == BLANK) {
			gap = true;
			continue;
		}
		if (kind == WORD && last == WORD && gap)
			*to++ = ' ';
		if (kind == OPENING && ++depth > JSON_DEPTH_MAX)
			return NULL;
		if (kind == CLOSING && depth > 0)
			depth--;
		*to++ = text[i];
		if (kind == QUOTE) {
			size_t end = string_end(text, size, i), n = (end < size ? end : size - 1) - i;

			memcpy(to, text + i + 1, n);
			to += n;
			i += n;
		}
		last = kind;
		gap = false;
	}
	if (packed)
		*to = '\0';
	return steal_ptr(&packed);
}

/* As it is written, so that messages name its own places. */
static int parse_written(const char *name, const char *text, size_t size, json_t **ret_v)
{
	cleanup_free char *copy = NULL;
	json_error_t error;
	json_t *v = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!v && json_error_code(&error) == json_error_numeric_overflow) {
		copy = malloc(size);
		if (!copy)
			return fail(ENOMEM, "parse '%s'", name);
		memcpy(copy, text, size);
		integers_lower(copy, size);
		v = json_loadb(copy, size, JSON_REJECT_DUPLICATES, &error);
	}
	if (!v)
		return fail_parse(name, &error);
	r = copy ? widen(&v, text, size) : 0;
	if (r == 0)
		*ret_v = v;
	return r;
}

/* @ret_packed: the text without blanks; NULL: not wanted */
static int parse(const char *name, const char *text, size_t size, char **ret_packed, json_t **ret_v)
{
	cleanup_free char *packed = NULL;
	json_t *v = NULL;
	int r = 0;

	json_seed();
	/* A NUL would end it here. */
	if (size <= JSON_SIZE_MAX && !memchr(text, '\0', size))
		packed = text_pack(text, size);
	if (packed)
		v = json_loads(packed, JSON_REJECT_DUPLICATES, NULL);
	if (!v) {
		r = text_check(name, text, size);
		if (r == 0)
			r = parse_written(name, text, size, &v);
	}
	if (r < 0)
		return r;
	if (ret_packed)
		*ret_packed = steal_ptr(&packed);
	*ret_v = v;
	return 0;
}

int json_parse(const char *name, const char *text, size_t size, json_t **ret_v)
{
	return parse(name, text, size, NULL, ret_v);
}

static int read_both(const char *name, int fd, char **ret_text, json_t **ret_v)
{
	cleanup_free char *text = NULL;
	char shown[NAME_SHOWN];
	size_t size = 0;
	int r = fd_read_all(fd, JSON_SIZE_MAX, &text, &size);

	if (r == 0)
		return parse(name, text, size, ret_text, ret_v);
	(void)str_printable(shown, sizeof(shown), name);
	if (r == -EFBIG)
		return fail_plain(EFBIG, "%s: is larger than %d MiB", shown, JSON_SIZE_MAX >> 20);
	return fail(-r, "read '%s'", shown);
}

int json_read_fd(const char *name, int fd, json_t **ret_v)
{
	return read_both(name, fd, NULL, ret_v);
}

int json_read_text_at(int dir, const char *file, const char *name, char **ret_text, json_t **ret_v)
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
	return read_both(name, fd, ret_text, ret_v);
}

int json_read_at(int dir, const char *file, const char *name, json_t **ret_v)
{
	return json_read_text_at(dir, file, name, NULL, ret_v);
}

/* Wide integers, back to what they were: a NUL begins no other string, and a quote within one is escaped. */
static void wide_write(char *text)
{
	static const char begin[] = "\"\\u0000";
	char *to = strstr(text, begin);

	for (const char *from = to; from && *from;) {
		const char *digits = str_starts(from, begin);

		if (!digits) {
			*to++ = *from++;
			continue;
		}
		for (from = digits; *from && *from != '"';)
			*to++ = *from++;
		from += *from == '"';
	}
	if (to)
		*to = '\0';
}

char *json_text(const json_t *v)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text)
		wide_write(text);
	return text;
}
