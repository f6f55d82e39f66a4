/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What undoes gzip, by streams made by hand that come in pieces: members one after the other, headers with all that RFC 1952
 * knows, what is behind the end, and damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/untar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "tests/unit/tap.h"

struct bytes {
	unsigned char at[8192];
	size_t size;
};

static void add(struct bytes *b, const void *data, size_t size)
{
	memcpy(b->at + b->size, data, size);
	b->size += size;
}

static void add_number(struct bytes *b, uint32_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		add(b, &(unsigned char){ (unsigned char)(n >> 8 * i) }, 1);
}

static uint32_t crc(const void *data, size_t size)
{
	const unsigned char *at = data;
	uint32_t c = ~0U;

	while (size-- > 0) {
		c ^= *at++;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return ~c;
}

/* One member with one stored block; @flags as in RFC 1952. */
static void add_member(struct bytes *b, unsigned char flags, const char *text)
{
	const size_t from = b->size, size = strlen(text);

	add(b, (unsigned char[]){ 0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3 }, 10);
	if (flags & 4) {
		add_number(b, 300, 2);
		b->size += 300;
	}
	if (flags & 8)
		add(b, "a name", 7);
	if (flags & 16)
		add(b, "a comment", 10);
	if (flags & 2)
		add_number(b, crc(b->at + from, b->size - from), 2);
	add(b, "\1", 1);
	add_number(b, (uint32_t)size, 2);
	add_number(b, ~(uint32_t)size, 2);
	add(b, text, size);
	add_number(b, crc(text, size), 4);
	add_number(b, (uint32_t)size, 4);
}

/* Unpack it as it comes in pieces of @piece bytes. Return: bytes in @ret, or a recorded failure. */
static int unpacked(const struct bytes *b, size_t piece, char *ret, size_t room)
{
	cleanup_fd int to = memfd_create("unpacked", MFD_CLOEXEC);
	int ends[2], r = pipe2(ends, O_CLOEXEC);
	pid_t pid = r < 0 ? -1 : fork();

	if (to < 0 || pid < 0)
		return fail(errno, "pieces");
	if (pid == 0) {
		(void)close(ends[0]);
		for (size_t i = 0; i < b->size; i += piece)
			(void)fd_write_all(ends[1], b->at + i, piece < b->size - i ? piece : b->size - i);
		_exit(0);
	}
	(void)close(ends[1]);
	r = unpack_stream(ends[0], to, PACKING_GZIP);
	(void)close(ends[0]);
	(void)waitpid(pid, NULL, 0);
	return r < 0 ? r : (int)pread(to, ret, room, 0);
}

static const size_t pieces[] = { 1, 2, 3, 7, 64, 8192 };

static void test_members_and_headers(void)
{
	static const unsigned char kinds[] = { 0, 2, 4, 8, 16, 30 };
	struct bytes b = { .size = 0 };
	char got[4096], want[4096] = "";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		add_member(&b, kinds[i], "one text and ");
		add_member(&b, kinds[i], "");
		strcat(want, "one text and ");
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		int n = unpacked(&b, pieces[i], got, sizeof(got));

		CHECK_INT(n, (int)strlen(want));
		CHECK(n < 0 || memcmp(got, want, (size_t)n) == 0);
	}
}

static void test_what_is_behind_the_end(void)
{
	static const char *const tails[] = { "junk", "\x1f", "\x1f\x1f\x1f" };
	char got[64];

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		struct bytes b = { .size = 0 };

		add_member(&b, 0, "text");
		add(&b, tails[i], strlen(tails[i]));
		for (size_t j = 0; j < ARRAY_SIZE(pieces); j++)
			CHECK_INT(unpacked(&b, pieces[j], got, sizeof(got)), 4);
	}
}

static void test_damage(void)
{
	struct bytes whole = { .size = 0 };
	char got[64];

	add_member(&whole, 8, "some text");
	for (size_t size = 0; size < whole.size; size++) {
		struct bytes cut = whole;

		cut.size = size;
		CHECK(unpacked(&cut, 5, got, sizeof(got)) < 0);
	}
	/* the method, a length, a letter, the checksum, the size */
	for (size_t back = 0; back < 5; back++) {
		struct bytes bad = whole;

		bad.at[(size_t[]){ 2, 18, 24, whole.size - 8, whole.size - 4 }[back]] ^= 0x40;
		for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
			CHECK(unpacked(&bad, pieces[i], got, sizeof(got)) < 0);
	}
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_members_and_headers),
		TEST(test_what_is_behind_the_end),
		TEST(test_damage),
		{ 0 },
	});
}
