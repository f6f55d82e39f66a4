/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits: conversions, what is refused and in which words, which controllers are needed. */
#include <stdlib.h>
#include <string.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/error.h"
#include "tests/unit/tap.h"

static void test_shares_become_a_weight(void)
{
	/* what runc 1.3.2 and crun 1.23 compute; both ends and the default are exact */
	/* clang-format off */
	static const int64_t pairs[][2] = {
		{ 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 2 }, { 10, 4 }, { 102, 17 }, { 204, 29 },
		{ 256, 35 }, { 512, 59 }, { 1000, 99 }, { 1024, 100 }, { 1025, 101 }, { 2048, 174 },
		{ 4096, 303 }, { 65536, 3023 }, { 100000, 4340 }, { 262143, 10000 },
		{ 262144, 10000 }, { INT64_MAX, 10000 },
	};
	/* clang-format on */
	int64_t last = 1;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		tap_check_int(cgroup_weight_from_shares(pairs[i][0]), pairs[i][1], __FILE__,
			      __LINE__, "weight");
	for (int64_t shares = 2; shares <= 262144; shares++) {
		int64_t weight = cgroup_weight_from_shares(shares);

		if (!CHECK(weight >= last && weight <= 10000))
			break;
		last = weight;
	}
}

static void test_blkio_weight_becomes_io_weight(void)
{
	CHECK_INT(cgroup_weight_from_blkio(10), 1);
	CHECK_INT(cgroup_weight_from_blkio(100), 910);
	CHECK_INT(cgroup_weight_from_blkio(500), 4950);
	CHECK_INT(cgroup_weight_from_blkio(1000), 10000);
}

/* OCI: config-linux.md, Memory: limit, reservation and swap are the limits of the cgroup, -1 is unlimited */
static void test_swap_is_what_exceeds_memory(void)
{
	int64_t swap = 7;

	CHECK_INT(cgroup_swap_from_memsw(300, 100, &swap), 0);
	CHECK_INT(swap, 200);
	CHECK_INT(cgroup_swap_from_memsw(100, 100, &swap), 0);
	CHECK_INT(swap, 0);
	CHECK_INT(cgroup_swap_from_memsw(LIMIT_MAX, 100, &swap), 0);
	CHECK_INT(swap, LIMIT_MAX);
	CHECK_INT(cgroup_swap_from_memsw(LIMIT_MAX, LIMIT_UNSET, &swap), 0);
	CHECK_INT(swap, LIMIT_MAX);
	CHECK_INT(cgroup_swap_from_memsw(0, LIMIT_UNSET, &swap), 0);
	CHECK(swap == LIMIT_UNSET);
	CHECK_INT(cgroup_swap_from_memsw(LIMIT_UNSET, 100, &swap), 0);
	CHECK(swap == LIMIT_UNSET);
	CHECK_INT(cgroup_swap_from_memsw(INT64_MAX, 1, &swap), 0);
	CHECK(swap == INT64_MAX - 1);
	CHECK(cgroup_swap_from_memsw(99, 100, &swap) < 0);
	CHECK_HAS(fail_text(),
		  "linux.resources.memory.swap: 99 is less than the memory limit of 100");
	CHECK(cgroup_swap_from_memsw(99, LIMIT_UNSET, &swap) < 0);
	CHECK_HAS(fail_text(), "needs linux.resources.memory.limit");
	CHECK(cgroup_swap_from_memsw(99, 0, &swap) < 0);
	CHECK(cgroup_swap_from_memsw(99, LIMIT_MAX, &swap) < 0);
}

static void check_refused(const struct cgroup_limits *limits, const char *why, int line)
{
	tap_check(cgroup_limits_check(limits) < 0, __FILE__, line, "refused: %s", why);
	tap_check_has(fail_text(), why, __FILE__, line);
}

/* One field set to one value must be refused with this text. */
#define REFUSED(field, value, why) \
	do { \
		struct cgroup_limits l_; \
\
		cgroup_limits_init(&l_); \
		l_.field = (value); \
		check_refused(&l_, why, __LINE__); \
	} while (0)

/* … must pass, and need the controllers of this mask. */
#define PASSES(field, value, want_mask) \
	do { \
		struct cgroup_limits l_; \
		struct cgroup_needs n_; \
\
		cgroup_limits_init(&l_); \
		l_.field = (value); \
		CHECK_INT(cgroup_limits_check(&l_), 0); \
		cgroup_limits_needs(&l_, &n_); \
		CHECK_INT(n_.mask, want_mask); \
	} while (0)

#define BIT(controller) (1U << (controller))

static void test_numbers_out_of_range_are_refused_by_name(void)
{
	REFUSED(cpu_shares, -1, "linux.resources.cpu.shares: -1 is less than 1");
	REFUSED(cpu_quota_us, 999,
		"linux.resources.cpu.quota: 999 is neither -1 (no limit) nor at least 1000");
	REFUSED(cpu_quota_us, -2, "linux.resources.cpu.quota");
	REFUSED(cpu_period_us, 999,
		"linux.resources.cpu.period: 999 is not between 1000 and 1000000");
	REFUSED(cpu_period_us, 1000001, "linux.resources.cpu.period");
	REFUSED(cpu_burst_us, -1, "linux.resources.cpu.burst");
	REFUSED(cpu_idle, 2, "linux.resources.cpu.idle: 2 is not between 0 and 1");
	REFUSED(memory_max, -2, "linux.resources.memory.limit: -2");
	REFUSED(memory_low, -2, "linux.resources.memory.reservation");
	REFUSED(memory_swap, 5, "linux.resources.memory.swap");
	REFUSED(pids_max, -2, "linux.resources.pids.limit");
	REFUSED(io_weight, 9, "linux.resources.blockIO.weight: 9 is not between 10 and 1000");
	REFUSED(io_weight, 1001, "linux.resources.blockIO.weight");
}

static void test_what_only_v1_had_is_refused(void)
{
	REFUSED(cpu_rt_runtime, 1, "linux.resources.cpu.realtimeRuntime: exists only in cgroup v1");
	REFUSED(cpu_rt_period, 1, "linux.resources.cpu.realtimePeriod: exists only in cgroup v1");
	REFUSED(memory_kernel, 4096, "linux.resources.memory.kernel: exists only in cgroup v1");
	REFUSED(memory_kernel_tcp, 4096,
		"linux.resources.memory.kernelTCP: exists only in cgroup v1");
	REFUSED(memory_swappiness, 0,
		"linux.resources.memory.swappiness: exists only in cgroup v1");
	REFUSED(memory_swappiness, 100, "linux.resources.memory.swappiness");
	REFUSED(memory_disable_oom_killer, true, "linux.resources.memory.disableOOMKiller");
	REFUSED(network_set, true, "linux.resources.network: exists only in cgroup v1");
}

static void test_values_that_ask_for_nothing_pass_and_need_nothing(void)
{
	PASSES(cpu_shares, 0, 0);
	PASSES(cpu_quota_us, 0, 0);
	PASSES(cpu_quota_us, -1, 0);
	PASSES(cpu_period_us, 0, 0);
	PASSES(cpu_burst_us, 0, 0);
	PASSES(cpu_idle, 0, 0);
	PASSES(cpu_rt_runtime, 0, 0);
	PASSES(cpu_rt_period, 0, 0);
	PASSES(memory_max, 0, 0);
	PASSES(memory_max, -1, 0);
	PASSES(memory_low, 0, 0);
	PASSES(memory_swap, 0, 0);
	PASSES(memory_swap, -1, 0);
	PASSES(memory_kernel, 0, 0);
	PASSES(memory_kernel, -1, 0);
	PASSES(memory_kernel_tcp, 0, 0);
	PASSES(memory_swappiness, -1, 0);
	PASSES(memory_swappiness, 60, 0);
	PASSES(memory_check_before_update, true, 0);
	PASSES(pids_max, -1, 0);
	PASSES(io_weight, 0, 0);
}

static void test_limits_need_their_controllers(void)
{
	PASSES(cpu_shares, 262145, BIT(CGROUP_CPU));
	PASSES(cpu_quota_us, 1000, BIT(CGROUP_CPU));
	PASSES(cpu_period_us, 100000, BIT(CGROUP_CPU));
	PASSES(cpu_idle, 1, BIT(CGROUP_CPU));
	PASSES(memory_max, 1, BIT(CGROUP_MEMORY));
	PASSES(memory_high, 4096, BIT(CGROUP_MEMORY));
	PASSES(memory_low, -1, BIT(CGROUP_MEMORY));
	PASSES(memory_oom_group, true, BIT(CGROUP_MEMORY));
	PASSES(pids_max, 0, BIT(CGROUP_PIDS));
	PASSES(pids_max, 100, BIT(CGROUP_PIDS));
	PASSES(io_weight, 10, BIT(CGROUP_IO));
	PASSES(cpuset_cpus, (char[]){ "0-3" }, BIT(CGROUP_CPUSET));
	PASSES(cpuset_mems, (char[]){ "0" }, BIT(CGROUP_CPUSET));
	PASSES(cpuset_cpus, (char[]){ "" }, 0);
}

static void test_lists_need_their_controllers(void)
{
	struct cgroup_io_throttle throttles[] = {
		{ .kind = IO_WRITE_IOPS, .major = 8, .rate = 0 }
	};
	struct cgroup_hugetlb pages[] = { { .page_size = (char[]){ "1GB" }, .limit = 0 } };
	struct cgroup_rdma rdma[] = {
		{ .device = (char[]){ "mlx5_0" }, .handles = 3, .objects = LIMIT_UNSET }
	};
	struct cgroup_unified unified[] = { { (char[]){ "memory.high" }, (char[]){ "1M" } },
					    { (char[]){ "misc.max" }, (char[]){ "sev 1" } },
					    { (char[]){ "cgroup.max.depth" }, (char[]){ "3" } },
					    { (char[]){ "cpuset.cpus" }, (char[]){ "0" } } };
	struct cgroup_limits limits;
	struct cgroup_needs needs;
	const char *names[9];

	cgroup_limits_init(&limits);
	limits.io_throttles = throttles;
	limits.io_throttle_count = 1;
	limits.hugetlb = pages;
	limits.hugetlb_count = 1;
	limits.rdma = rdma;
	limits.rdma_count = 1;
	limits.unified = unified;
	limits.unified_count = 4;
	CHECK_INT(cgroup_limits_check(&limits), 0);
	cgroup_limits_controllers(&limits, names);
	CHECK_STR(names[0], "cpuset");
	CHECK_STR(names[1], "memory");
	CHECK_STR(names[2], "hugetlb");
	CHECK_STR(names[3], "rdma");
	CHECK_STR(names[4], "misc");
	CHECK(names[5] == NULL);
	throttles[0].rate = 1;
	limits.pids_max = 3;
	limits.cpu_shares = 2;
	cgroup_limits_controllers(&limits, names);
	CHECK(names[7] != NULL && names[8] == NULL);
	cgroup_limits_needs(&limits, &needs);
	CHECK_STR(needs.field[CGROUP_IO], "linux.resources.blockIO.throttleWriteIOPSDevice");
	CHECK_STR(needs.field[CGROUP_MEMORY], "linux.resources.unified");
}

/* OCI: config-linux.md, CPU: burst MUST NOT be larger than a positive quota */
static void test_a_burst_is_within_the_quota(void)
{
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.cpu_quota_us = 20000;
	limits.cpu_burst_us = 20001;
	check_refused(&limits, "linux.resources.cpu.burst: 20001 is more than the quota", __LINE__);
	limits.cpu_burst_us = 20000;
	CHECK_INT(cgroup_limits_check(&limits), 0);
}

static void test_names_of_files_are_judged(void)
{
	static const char *const bad[] = { "",
					   ".",
					   "..",
					   ".memory.max",
					   "memory.max/x",
					   "../memory.max",
					   "memory",
					   "cgroup.procs",
					   "cgroup.freeze",
					   "cgroup.kill",
					   "cgroup.subtree_control" };
	struct cgroup_unified unified = { .value = (char[]){ "1" } };
	struct cgroup_hugetlb page = { .limit = 1 };
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.unified = &unified;
	limits.unified_count = 1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unified.file = strdup(bad[i]);
		check_refused(&limits, "linux.resources.unified: '", __LINE__);
		free(unified.file);
	}
	cgroup_limits_init(&limits);
	limits.hugetlb = &page;
	limits.hugetlb_count = 1;
	for (const char *size = "2M\0MB\0"
				"02MB\0"
				"2MB/../x\0-2MB\0"
				"2 MB\0"
				"123456789MB\0\0";
	     *size; size += strlen(size) + 1) {
		page.page_size = strdup(size);
		check_refused(&limits, "linux.resources.hugepageLimits[0].pageSize", __LINE__);
		free(page.page_size);
	}
}

/* OCI: config-linux.md, Block IO: an entry MUST have weight or leafWeight */
/* OCI: config-linux.md, RDMA: an entry MUST have hcaHandles or hcaObjects */
static void test_odd_lists_are_refused(void)
{
	struct cgroup_io_device device = { .major = 8, .weight = 5, .leaf_weight = LIMIT_UNSET };
	struct cgroup_io_throttle throttle = { .kind = IO_READ_BPS, .rate = -1 };
	struct cgroup_rdma rdma = { .device = (char[]){ "a b" } };
	struct cgroup_device_rule rule = { .type = 'x', .major = 1, .minor = 1 };
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.io_devices = &device;
	limits.io_device_count = 1;
	check_refused(&limits, "linux.resources.blockIO.weightDevice[0].weight: 5", __LINE__);
	device.leaf_weight = 100;
	check_refused(&limits, "leafWeight: exists only in cgroup v1", __LINE__);
	limits.io_device_count = 0;
	limits.io_throttles = &throttle;
	limits.io_throttle_count = 1;
	check_refused(&limits, "is negative", __LINE__);
	limits.io_throttle_count = 0;
	limits.rdma = &rdma;
	limits.rdma_count = 1;
	check_refused(&limits, "cannot be the name of a device", __LINE__);
	limits.rdma_count = 0;
	limits.devices = &rule;
	limits.device_count = 1;
	check_refused(&limits, "linux.resources.devices[0].type", __LINE__);
	rule.type = 'c';
	rule.major = INT64_MAX;
	check_refused(&limits, "linux.resources.devices[0]: ", __LINE__);
}

static void test_done_frees_all(void)
{
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.cpuset_cpus = strdup("0");
	limits.cpuset_mems = strdup("0");
	limits.io_devices = calloc(2, sizeof(*limits.io_devices));
	limits.io_throttles = calloc(2, sizeof(*limits.io_throttles));
	limits.hugetlb = calloc(1, sizeof(*limits.hugetlb));
	limits.hugetlb_count = 1;
	limits.hugetlb[0].page_size = strdup("2MB");
	limits.rdma = calloc(1, sizeof(*limits.rdma));
	limits.rdma_count = 1;
	limits.rdma[0].device = strdup("x");
	limits.unified = calloc(1, sizeof(*limits.unified));
	limits.unified_count = 1;
	limits.unified[0] = (struct cgroup_unified){ strdup("a.b"), strdup("c") };
	limits.devices = calloc(3, sizeof(*limits.devices));
	limits.device_count = 3;
	cgroup_limits_done(&limits);
	CHECK(limits.unified == NULL && limits.unified_count == 0 &&
	      limits.cpu_shares == LIMIT_UNSET);
	cgroup_limits_done(&limits);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_shares_become_a_weight),
		TEST(test_blkio_weight_becomes_io_weight),
		TEST(test_swap_is_what_exceeds_memory),
		TEST(test_numbers_out_of_range_are_refused_by_name),
		TEST(test_what_only_v1_had_is_refused),
		TEST(test_values_that_ask_for_nothing_pass_and_need_nothing),
		TEST(test_limits_need_their_controllers),
		TEST(test_lists_need_their_controllers),
		TEST(test_a_burst_is_within_the_quota),
		TEST(test_names_of_files_are_judged),
		TEST(test_odd_lists_are_refused),
		TEST(test_done_frees_all),
		{ 0 },
	});
}
