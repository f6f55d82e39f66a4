/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-unpack - what distributions compress of a kernel, through the programs that everybody has
 */

#include <stdint.h>
#include <sys/types.h>

/*
 * vm_unpack() - the content of a file's part
 * @fd: a regular file
 * @at, @size: which part of it is looked at
 * @to: written from its position on: unpacked when the part begins as xz, gzip, zstd or lz4 do, else as it is
 *
 * Return: 0 or a recorded failure.
 */
int vm_unpack(int fd, off_t at, uint64_t size, int to);

/* vm_unpack_memory() - all of it into memory. Return: a memfd, which the caller closes, or a recorded failure. */
int vm_unpack_memory(int fd);
