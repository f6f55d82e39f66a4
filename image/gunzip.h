/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gunzip - a gzip stream from one descriptor to another, by ISA-L
 *
 * Its inflate takes a third of the time of zlib's, which was the half of all that a packed layer costs. Where the library is
 * missing when we are built (HAVE_ISAL), libarchive does it with zlib (untar.c); what is taken and what is refused is the same.
 */

/*
 * gunzip() - @from, one gzip member or several, to @to
 *
 * Length and checksum of each member are checked; bytes behind the last one that begin no other are passed over, as gzip(1)
 * does. Return: 0, GUNZIP_CLOSED when nobody reads @to any more, or a recorded failure.
 */
enum { GUNZIP_CLOSED = 1 };
int gunzip(int from, int to);
