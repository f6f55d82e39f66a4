/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * internal - what the parts of seccomp/ share: numbers of calls, the compiler, the cache
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>

struct seccomp_filter;
struct seccomp_profile;

/*
 * Part of a cached filter's key: raise it with every change of names.c, compile.c or emit.c that
 * makes another program out of the same profile.
 */
enum { SECCOMP_REVISION = 1 };

/* A call in one ABI: its own number, or a place in i386's socketcall(2) or ipc(2), or both. */
struct seccomp_call {
	bool direct;
	uint32_t number; /* when direct; x32's have bit 30 */
	uint32_t multiplexer; /* number of socketcall or ipc, 0: none */
	uint64_t place; /* in its first argument */
	uint64_t place_mask; /* the bits of that argument that the kernel looks at */
};

enum seccomp_known {
	SECCOMP_CALL_HERE, /* the ABI has it */
	SECCOMP_CALL_ELSEWHERE, /* some other ABI or architecture has it */
	SECCOMP_CALL_UNKNOWN, /* neither libseccomp nor our table knows the name */
};

/*
 * seccomp_call_find() - what @name is in the ABI @token (SCMP_ARCH_*). @ret is written only for
 * SECCOMP_CALL_HERE.
 */
enum seccomp_known seccomp_call_find(uint32_t token, const char *name, struct seccomp_call *ret);

/*
 * seccomp_compile() - make the filter of a profile
 *
 * Return: 0 or a recorded failure.
 */
int seccomp_compile(const struct seccomp_profile *profile, struct seccomp_filter *ret_filter);

/*
 * seccomp_cache_read() - look up a filter
 * @dir: the cache
 * @key: text that holds all a filter depends on
 *
 * Return: 1 and the filter, or 0: there is none that can be believed. Nothing is recorded.
 */
int seccomp_cache_read(int dir, const char *key, struct seccomp_filter *ret_filter);

/* seccomp_cache_write() - put a filter there. Return: 0 or a recorded failure. */
int seccomp_cache_write(int dir, const char *key, const struct seccomp_filter *filter);

/*
 * struct seccomp_program - a BPF program that is written from its end to its start
 *
 * Jumps of classic BPF go forward only, so what is jumped to has always been written before, and
 * its distance is known. A label is the number of instructions written up to and with its own.
 */
enum { SECCOMP_RETURNS = 8, SECCOMP_CHAINS = 32 };
struct seccomp_range;
struct seccomp_program {
	struct sock_filter code[BPF_MAXINSNS]; /* used from the end */
	size_t count;
	bool full; /* an instruction did not fit */
	struct {
		uint32_t value;
		size_t label; /* 0: free */
	} returns[SECCOMP_RETURNS];
	size_t next_return;
	struct {
		const struct seccomp_range *range;
		size_t label;
	} chains[SECCOMP_CHAINS]; /* comparisons written so far: the ABIs mostly share them */
	size_t chain_count;
};

/*
 * One way a system call can be judged: a verdict (SECCOMP_RET_*), when all of the comparisons
 * hold.
 */
struct seccomp_arg;
struct seccomp_judgement {
	uint32_t verdict;
	const struct seccomp_arg *args;
	size_t arg_count;
};

/*
 * From @start up to the next range's, all numbers are judged alike: the first judgement that
 * holds, else @otherwise.
 */
struct seccomp_range {
	uint32_t start;
	uint32_t otherwise;
	const struct seccomp_judgement *judgements;
	size_t count;
};

/*
 * seccomp_emit_*() - write one piece in front of what is there
 *
 * Return: its label.
 */
size_t seccomp_emit_return(struct seccomp_program *p, uint32_t verdict);
/* … load a word of struct seccomp_data, then go on at @next */
size_t seccomp_emit_load(struct seccomp_program *p, size_t offset, size_t next);
/* … jump to @yes when the word compares (BPF_JEQ, BPF_JGE, BPF_JGT) with @value, else to @no */
size_t seccomp_emit_jump(struct seccomp_program *p, uint16_t op, uint32_t value, size_t yes,
			 size_t no);
/* … search the loaded number in @ranges, which are sorted, the first beginning at 0 */
size_t seccomp_emit_search(struct seccomp_program *p, const struct seccomp_range *ranges,
			   size_t count);
