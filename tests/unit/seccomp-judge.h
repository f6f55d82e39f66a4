/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * seccomp-judge - compile a profile's text, and ask the program about a call
 */

#include <stdint.h>
#include <string.h>

#include "runtime/base/json.h"
#include "seccomp/load.h"
#include "seccomp/profile.h"
#include "tests/unit/bpf.h"

#define cleanup_profile __attribute__((cleanup(seccomp_profile_free_p)))
#define cleanup_filter  __attribute__((cleanup(seccomp_filter_done)))

enum { X32 = 0x40000000 };
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define ALLOW    SECCOMP_RET_ALLOW

static inline int compile(const char *text, struct seccomp_filter *ret)
{
	cleanup_profile struct seccomp_profile *profile = NULL;
	struct json_at root = JSON_ROOT;
	cleanup_json json_t *v = NULL;
	int r = json_parse("test", text, strlen(text), &v);

	if (r == 0)
		r = seccomp_profile_parse(&root, v, &profile);
	return r < 0 ? r : seccomp_filter_prepare(profile, -1, ret);
}

static inline uint32_t judge(const struct seccomp_filter *f, uint32_t arch, uint32_t nr,
			     const uint64_t args[6])
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch };

	if (args)
		memcpy(data.args, args, sizeof(data.args));
	return bpf_run(f->code, f->size / sizeof(struct sock_filter), &data);
}

static inline uint32_t judge1(const struct seccomp_filter *f, uint32_t arch, uint32_t nr,
			      uint64_t first)
{
	return judge(f, arch, nr, (uint64_t[6]){ first });
}
