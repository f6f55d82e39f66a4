/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * bpf - what the kernel would make of a seccomp filter, instruction by instruction
 *
 * Only what a filter may hold (kernel/seccomp.c, seccomp_check_filter) and ours does; all else, a
 * jump or a load outside, and a program that runs off its end, is BPF_WRONG, which is no verdict.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#define BPF_WRONG 0xdeadbeefU

static inline uint32_t bpf_run(const struct sock_filter *code, size_t count,
			       const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *i = &code[at];
		int held;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k % 4 || i->k > sizeof(*data) - 4)
				return BPF_WRONG;
			memcpy(&a, (const char *)data + i->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K: a &= i->k; continue;
		case BPF_RET | BPF_K: return i->k;
		case BPF_JMP | BPF_JA:
			if (i->k >= count - at - 1)
				return BPF_WRONG;
			at += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K: held = a == i->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: held = a >= i->k; break;
		case BPF_JMP | BPF_JGT | BPF_K: held = a > i->k; break;
		case BPF_JMP | BPF_JSET | BPF_K: held = (a & i->k) != 0; break;
		default: return BPF_WRONG;
		}
		at += held ? i->jt : i->jf;
	}
	return BPF_WRONG;
}
