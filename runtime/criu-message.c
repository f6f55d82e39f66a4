/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each field begins with a number: its own, shifted by three, and how it is written. Numbers have seven bits a byte, the
 * least significant first, the eighth says that there is another.
 */
#include "runtime/criu-message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum {
	WRITTEN_NUMBER = 0,
	WRITTEN_FIXED64 = 1,
	WRITTEN_COUNTED = 2,
	WRITTEN_FIXED32 = 5,
	NUMBER_BYTES = 10,
	NUMBER_BITS = 64,
};

/* Fields of criu_resp. */
enum { ANSWER_TYPE = 1, ANSWER_SUCCESS = 2, ANSWER_RESTORED = 4, ANSWER_NOTIFY = 5, ANSWER_ERROR = 9 };
/* Of the messages in it. */
enum { RESTORED_PID = 1, NOTIFY_SCRIPT = 1, NOTIFY_PID = 2 };

void criu_bytes_done(struct criu_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct criu_bytes){ .data = NULL };
}

static int append(struct criu_bytes *to, const void *data, size_t size)
{
	unsigned char *grown = realloc(to->data, to->size + size + 1);

	if (!grown)
		return fail(ENOMEM, "write a message to criu");
	memcpy(grown + to->size, data, size);
	to->data = grown;
	to->size += size;
	return 0;
}

static int append_number(struct criu_bytes *to, uint64_t value)
{
	unsigned char bytes[NUMBER_BYTES];
	size_t n = 0;

	do {
		bytes[n] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
		n++;
	} while (value);
	return append(to, bytes, n);
}

static int append_counted(struct criu_bytes *to, unsigned int field, const void *data, size_t size)
{
	int r = append_number(to, (uint64_t)field << 3 | WRITTEN_COUNTED);

	if (r == 0)
		r = append_number(to, size);
	return r < 0 ? r : append(to, data, size);
}

int criu_put_number(struct criu_bytes *to, unsigned int field, uint64_t value)
{
	int r = append_number(to, (uint64_t)field << 3 | WRITTEN_NUMBER);

	return r < 0 ? r : append_number(to, value);
}

int criu_put_text(struct criu_bytes *to, unsigned int field, const char *text)
{
	return text ? append_counted(to, field, text, strlen(text)) : 0;
}

int criu_put_message(struct criu_bytes *to, unsigned int field, const struct criu_bytes *message)
{
	return append_counted(to, field, message->data ? message->data : (const unsigned char *)"", message->size);
}

/* --- reading ---------------------------------------------------------------------------------------- */

/* What is left of a message. */
struct rest {
	const unsigned char *at, *end;
};

struct field {
	uint64_t number, value;
	const unsigned char *data;	/* of a counted one, `value` bytes */
};

static bool number_read(struct rest *rest, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; rest->at < rest->end && shift < NUMBER_BITS; shift += 7) {
		unsigned char byte = *rest->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct rest *rest, uint64_t size)
{
	if (size > (uint64_t)(rest->end - rest->at))
		return false;
	rest->at += size;
	return true;
}

/* Return: whether there was one that makes sense. */
static bool field_read(struct rest *rest, struct field *ret)
{
	uint64_t tag;

	*ret = (struct field){ .data = NULL };
	if (!number_read(rest, &tag))
		return false;
	ret->number = tag >> 3;
	switch (tag & 7) {
	case WRITTEN_NUMBER:
		return number_read(rest, &ret->value);
	case WRITTEN_FIXED64:
		return skip(rest, sizeof(uint64_t));
	case WRITTEN_FIXED32:
		return skip(rest, sizeof(uint32_t));
	case WRITTEN_COUNTED:
		if (!number_read(rest, &ret->value))
			return false;
		ret->data = rest->at;
		return skip(rest, ret->value);
	default:
		return false;
	}
}

static void text_take(const struct field *field, char *to, size_t size)
{
	size_t n = !field->data ? 0 : field->value < size - 1 ? (size_t)field->value : size - 1;

	if (n)
		memcpy(to, field->data, n);
	to[n] = '\0';
}

static bool notify_read(const struct field *message, struct criu_answer *ret)
{
	struct rest rest = { .at = message->data, .end = message->data + message->value };
	struct field field;

	while (rest.at < rest.end) {
		if (!field_read(&rest, &field))
			return false;
		if (field.number == NOTIFY_SCRIPT)
			text_take(&field, ret->script, sizeof(ret->script));
		else if (field.number == NOTIFY_PID)
			ret->pid = (pid_t)field.value;
	}
	return true;
}

static bool restored_read(const struct field *message, struct criu_answer *ret)
{
	struct rest rest = { .at = message->data, .end = message->data + message->value };
	struct field field;

	while (rest.at < rest.end) {
		if (!field_read(&rest, &field))
			return false;
		if (field.number == RESTORED_PID)
			ret->pid = (pid_t)field.value;
	}
	return true;
}

static bool answer_field(const struct field *field, struct criu_answer *ret)
{
	switch (field->number) {
	case ANSWER_TYPE:
		ret->type = field->value;
		return true;
	case ANSWER_SUCCESS:
		ret->success = field->value != 0;
		return true;
	case ANSWER_RESTORED:
		return field->data && restored_read(field, ret);
	case ANSWER_NOTIFY:
		return field->data && notify_read(field, ret);
	case ANSWER_ERROR:
		text_take(field, ret->error, sizeof(ret->error));
		return true;
	default:
		return true;
	}
}

int criu_answer_read(const unsigned char *data, size_t size, struct criu_answer *ret)
{
	struct rest rest = { .at = data, .end = data + size };
	struct field field;

	*ret = (struct criu_answer){ .type = 0 };
	while (rest.at < rest.end)
		if (!field_read(&rest, &field) || !answer_field(&field, ret))
			return fail_plain(EPROTO, "criu said something that makes no sense");
	return 0;
}
