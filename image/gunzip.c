/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One member after the other. The library's state is some 85 KiB and the buffers half a MiB, whatever the stream says.
 */
#include "image/gunzip.h"

#ifdef HAVE_ISAL

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <isa-l/igzip_lib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { IN_SIZE = 256 * 1024, OUT_SIZE = 256 * 1024 };

struct gunzip {
	struct inflate_state state;
	int from, to;
	bool ended;		/* no more of @from */
	uint8_t in[IN_SIZE], out[OUT_SIZE];
};

/* What was not read yet stays, and more is put behind it. Return: 0 or a recorded failure. */
static int more_read(struct gunzip *g)
{
	ssize_t n;

	memmove(g->in, g->state.next_in, g->state.avail_in);
	g->state.next_in = g->in;
	do
		n = read(g->from, g->in + g->state.avail_in, IN_SIZE - g->state.avail_in);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(errno, "read");
	g->state.avail_in += (uint32_t)n;
	g->ended = n == 0;
	return 0;
}

/* Return: the next byte, -ENODATA (nothing recorded) at the end, or a recorded failure. */
static int byte_next(struct gunzip *g)
{
	while (g->state.avail_in == 0) {
		int r = g->ended ? -ENODATA : more_read(g);

		if (r < 0)
			return r;
	}
	g->state.avail_in--;
	return *g->state.next_in++;
}

static int bytes_skip(struct gunzip *g, unsigned int count)
{
	int r = 0;

	while (count-- > 0 && r >= 0)
		r = byte_next(g);
	return r < 0 ? r : 0;
}

static int text_skip(struct gunzip *g)
{
	int r;

	do
		r = byte_next(g);
	while (r > 0);
	return r;
}

static int extra_skip(struct gunzip *g)
{
	int low = byte_next(g), high = low < 0 ? low : byte_next(g);

	return high < 0 ? high : bytes_skip(g, (unsigned int)(low | high << 8));
}

/*
 * The header by hand (RFC 1952): the library's own takes one that lies across two of its inputs, and has a checksum, for damaged.
 * That checksum is passed over, as by everyone else.
 */
enum { HEADER_CRC = 2, HEADER_EXTRA = 4, HEADER_NAME = 8, HEADER_COMMENT = 16, HEADER_RESERVED = 0xe0 };

static int header_read(struct gunzip *g)
{
	int r = bytes_skip(g, 2), flags = 0;

	if (r >= 0)
		r = byte_next(g);
	if (r >= 0 && r != 8)
		return fail_plain(EINVAL, "gzip: another method than deflate");
	if (r >= 0)
		r = flags = byte_next(g);
	if (r >= 0 && (flags & HEADER_RESERVED))
		return fail_plain(EINVAL, "gzip: a header of an unknown kind");
	if (r >= 0)
		r = bytes_skip(g, 6);
	if (r >= 0 && (flags & HEADER_EXTRA))
		r = extra_skip(g);
	if (r >= 0 && (flags & HEADER_NAME))
		r = text_skip(g);
	if (r >= 0 && (flags & HEADER_COMMENT))
		r = text_skip(g);
	if (r >= 0 && (flags & HEADER_CRC))
		r = bytes_skip(g, 2);
	return r == -ENODATA ? fail_plain(EINVAL, "gzip: truncated") : r;
}

static int member_unpack(struct gunzip *g)
{
	struct inflate_state *s = &g->state;
	int r = header_read(g);

	if (r < 0)
		return r;
	isal_inflate_reset(s);
	s->crc_flag = ISAL_GZIP_NO_HDR_VER;
	while (s->block_state != ISAL_BLOCK_FINISH) {
		r = s->avail_in == 0 && !g->ended ? more_read(g) : 0;
		if (r < 0)
			return r;
		s->next_out = g->out;
		s->avail_out = OUT_SIZE;
		r = isal_inflate(s);
		if (r < 0)
			return fail_plain(EINVAL, "gzip: %s", r == ISAL_INCORRECT_CHECKSUM ? "not what its checksum says" : "damaged");
		if (s->avail_out == OUT_SIZE && s->avail_in == 0 && g->ended && s->block_state != ISAL_BLOCK_FINISH)
			return fail_plain(EINVAL, "gzip: truncated");
		r = fd_write_all(g->to, g->out, OUT_SIZE - s->avail_out);
		if (r < 0)
			return r == -EPIPE ? GUNZIP_CLOSED : fail(-r, "write");
	}
	return 0;
}

/* Return: 1 when another member begins here, 0 when none does, or a recorded failure. */
static int member_begins(struct gunzip *g)
{
	while (g->state.avail_in < 2 && !g->ended) {
		int r = more_read(g);

		if (r < 0)
			return r;
	}
	return g->state.avail_in >= 2 && g->state.next_in[0] == 0x1f && g->state.next_in[1] == 0x8b;
}

int gunzip(int from, int to)
{
	cleanup_free struct gunzip *g = malloc(sizeof(*g));
	int r;

	if (!g)
		return fail(ENOMEM, "layer");
	isal_inflate_init(&g->state);
	g->state.next_in = g->in;
	g->from = from;
	g->to = to;
	g->ended = false;
	r = member_begins(g);
	if (r == 0)
		return fail_plain(EINVAL, "no gzip");
	while (r > 0) {
		r = member_unpack(g);
		if (r != 0)
			return r;
		r = member_begins(g);
	}
	return r;
}

#endif
