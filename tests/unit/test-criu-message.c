/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/criu-message.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/tap.h"

#define IS(bytes, text) CHECK((bytes).size == sizeof(text) - 1 && memcmp((bytes).data, text, sizeof(text) - 1) == 0)

static void test_fields_are_written_as_protocol_buffers_are(void)
{
	struct criu_bytes inner = { .data = NULL }, all = { .data = NULL };

	CHECK_INT(criu_put_number(&inner, 1, 150), 0);
	IS(inner, "\x08\x96\x01");
	CHECK_INT(criu_put_text(&inner, 2, "testing"), 0);
	IS(inner, "\x08\x96\x01\x12\x07testing");
	CHECK_INT(criu_put_text(&inner, 3, NULL), 0);
	CHECK_INT((long long)inner.size, 12);
	/* a field beyond 15 takes two bytes; a message is counted */
	CHECK_INT(criu_put_number(&all, CRIU_ORPHAN_TERMINAL, 1), 0);
	CHECK_INT(criu_put_message(&all, 2, &inner), 0);
	IS(all, "\x90\x03\x01\x12\x0c\x08\x96\x01\x12\x07testing");
	criu_bytes_done(&all);
	CHECK_INT(criu_put_number(&all, 1, UINT64_MAX), 0);
	IS(all, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	criu_bytes_done(&all);
	criu_bytes_done(&inner);
}

static int answer(const char *bytes, size_t size, struct criu_answer *ret)
{
	/* of exactly this size, for the sanitizer */
	unsigned char *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, bytes, size);
	r = criu_answer_read(copy, size, ret);
	free(copy);
	return r;
}
#define ANSWER(bytes, ret) answer(bytes, sizeof(bytes) - 1, ret)

static void test_answers_are_read(void)
{
	struct criu_answer a;

	CHECK_INT(ANSWER("\x08\x02\x10\x01\x22\x03\x08\xd2\x09", &a), 0);
	CHECK(a.type == CRIU_RESTORE && a.success && a.pid == 1234);
	CHECK_INT(ANSWER("\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x07", &a), 0);
	CHECK(a.type == CRIU_NOTIFY && a.pid == 7);
	CHECK_STR(a.script, "post-restore");
	CHECK_INT(ANSWER("\x08\x01\x10\x00\x38\x02\x4a\x05" "wrong\x7d\x01\x02\x03\x04", &a), 0);
	CHECK(a.type == CRIU_DUMP && !a.success);
	CHECK_STR(a.error, "wrong");
	CHECK_INT(ANSWER("", &a), 0);
}

static void test_what_makes_no_sense_is_refused(void)
{
	static const struct {
		const char *bytes;
		size_t size;
	} wrong[] = {
		{ "\x08", 1 },		{ "\x08\xff", 2 },	  { "\x4a\x05wro", 5 },
		{ "\x2a\x04\x0a\x09xx", 6 }, { "\x0b\x01", 2 }, { "\x7d\x01", 2 },
		{ "\x28\x01", 2 },	{ "\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
	};
	char script[CRIU_SCRIPT_SIZE * 2 + 4] = "\x2a\x7f\x0a\x7d";
	struct criu_answer a;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(answer(wrong[i].bytes, wrong[i].size, &a) < 0);
	/* a name that is too long is cut */
	memset(script + 4, 'x', sizeof(script) - 4);
	CHECK_INT(answer(script, 2 + 0x7f, &a), 0);
	CHECK_INT((long long)strlen(a.script), CRIU_SCRIPT_SIZE - 1);
}

int main(void)
{
	return tap_run((const struct tap_test[]){
		TEST(test_fields_are_written_as_protocol_buffers_are),
		TEST(test_answers_are_read),
		TEST(test_what_makes_no_sense_is_refused),
		{ 0 },
	});
}
