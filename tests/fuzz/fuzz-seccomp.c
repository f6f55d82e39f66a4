/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as linux.seccomp: refused, or made into a program that gives a verdict on every call.
 */
#include <stdint.h>
#include <stdlib.h>

#include <linux/audit.h>

#include "runtime/base/json.h"
#include "seccomp/internal.h"
#include "seccomp/load.h"
#include "seccomp/profile.h"
#include "tests/unit/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_calls(const struct seccomp_filter *f)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64 };
	static const uint64_t words[] = { 0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX };

	for (size_t a = 0; a < ARRAY_SIZE(archs); a++)
		for (int nr = -1; nr < 520; nr++)
			for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
				struct seccomp_data call = { .nr = nr, .arch = archs[a] };

				for (size_t i = 0; i < 6; i++)
					call.args[i] = words[w];
				if (bpf_run(f->code, f->size / sizeof(struct sock_filter), &call) ==
				    BPF_WRONG)
					abort();
			}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__attribute__((cleanup(seccomp_profile_free_p))) struct seccomp_profile *profile = NULL;
	__attribute__((
		cleanup(seccomp_filter_done))) struct seccomp_filter filter = { .code = NULL };
	struct json_at root = JSON_ROOT;
	cleanup_json json_t *v = NULL;

	if (json_parse("fuzz", (const char *)data, size, &v) < 0 ||
	    seccomp_profile_parse(&root, v, &profile) < 0 || seccomp_compile(profile, &filter) < 0)
		return 0;
	judge_calls(&filter);
	return 0;
}
