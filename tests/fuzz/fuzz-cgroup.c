/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cgroup's files with any content, "NUMBER-OF-FILE text\0" each, and a list of device rules made from the same bytes:
 * statistics never fail for what the files hold, and rules always become a program whose jumps stay within it.
 */
#include <linux/bpf.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "cgroups/stats.h"
#include "tests/fuzz/fuzz.h"

static const char *const files[] = {
	"cpu.stat", "memory.current", "memory.peak", "memory.max", "memory.stat", "memory.events", "memory.events.local",
	"pids.current", "pids.max", "io.stat", "cpu.pressure", "memory.pressure", "io.pressure", "hugetlb.2MB.current",
	"hugetlb.2MB.events", "cpuset.cpus.effective", "cpuset.mems.effective", "memory.swap.max", "cgroup.events",
	"cgroup.procs",
};
enum { RULES_MOST = 24 };

static void files_read(int dir)
{
	struct cgroup cg = { .fd = dir, .path = NULL };
	struct cgroup_details details;
	struct cgroup_stats stats;
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;

	fuzz_must(cgroup_stats_read(dir, &stats) == 0);
	if (cgroup_details_read(dir, &details) == 0)
		cgroup_details_done(&details);
	(void)cgroup_oom_kills(dir);
	(void)cgroup_event(dir, "populated");
	if (cgroup_procs(&cg, &pids, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		fuzz_must(pids[i] > 0);
}

static void devices(struct fuzz_input in)
{
	struct cgroup_device_rule rules[RULES_MOST];
	struct cgroup_limits limits;
	struct bpf_insn *code = NULL;
	size_t count = 0, rule = 0;

	cgroup_limits_init(&limits);
	for (; rule < RULES_MOST && in.size > 0; rule++) {
		uint32_t bits = fuzz_number(&in, 1);

		rules[rule] = (struct cgroup_device_rule){
			.allow = bits & 1,
			.read = bits & 2,
			.write = bits & 4,
			.mknod = bits & 8,
			.type = "abc"[(bits >> 4) % 3],
			.major = bits & 64 ? -1 : (int64_t)fuzz_number(&in, 2),
			.minor = bits & 128 ? -1 : (int64_t)fuzz_number(&in, 3),
		};
	}
	limits.devices = rules;
	limits.device_count = rule;
	limits.devices_set = true;
	if (cgroup_devices_compile(&limits, &code, &count) == 0) {
		fuzz_must(count > 0 && code[count - 1].code == (BPF_JMP | BPF_EXIT));
		for (size_t i = 0; i < count; i++) {
			if ((code[i].code & 7) == BPF_JMP && code[i].code != (BPF_JMP | BPF_EXIT))
				fuzz_must(code[i].off >= 0 && i + 1 + (size_t)code[i].off < count);
		}
	}
	free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	struct fuzz_input in = { data, size };

	if (dir < 0)
		dir = fuzz_folder();
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		(void)unlinkat(dir, files[i], 0);
	devices(in);
	while (in.size > 0) {
		uint32_t which = fuzz_number(&in, 1);
		size_t length;
		cleanup_free char *text = fuzz_part(&in, &length);

		fuzz_file(dir, files[(which - 'a') % (sizeof(files) / sizeof(*files))], text, length);
	}
	files_read(dir);
	return 0;
}
