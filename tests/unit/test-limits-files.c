/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits in the files of real cgroups; most want the controllers in cgroup v2, as the lab has them. */
#include <dirent.h>
#include <stdint.h>

#include "cgroups/limits.h"
#include "runtime/base/error.h"
#include "tests/unit/cgroup-mount.h"
#include "tests/unit/tap.h"

/* Any block device of this host's that is no partition; false when there is none. */
static bool whole_disk(uint32_t *ret_major, uint32_t *ret_minor)
{
	DIR *all = opendir("/sys/block");
	bool found = false;

	for (struct dirent *entry = all ? readdir(all) : NULL; entry && !found;
	     entry = readdir(all)) {
		char path[300];
		FILE *file;

		(void)snprintf(path, sizeof(path), "/sys/block/%s/dev", entry->d_name);
		file = fopen(path, "re");
		found = file && fscanf(file, "%u:%u", ret_major, ret_minor) == 2;
		if (file)
			fclose(file);
	}
	if (all)
		closedir(all);
	return found;
}

/* OCI: config-linux.md, Unified: the controllers MUST be enabled; what the runtime does not know MUST be written all the same */
static void test_unified_values_are_written_line_by_line_and_last(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);
	struct cgroup_unified unified[] = { { (char[]){ "cgroup.max.depth" }, (char[]){ "3" } },
					    { (char[]){ "cgroup.max.descendants" },
					      (char[]){ "1\n2\n\n17\n" } } };
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	limits.unified = unified;
	limits.unified_count = 2;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cgroup.max.depth"), "3");
	CHECK_STR(file_of(&cg, "cgroup.max.descendants"), "17");
	unified[0].value = (char[]){ "many" };
	CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
	CHECK_HAS(fail_text(), "linux.resources.unified: write 'many' to 'cgroup.max.depth': ");
	unified[0].file = (char[]){ "cgroup.nosuch" };
	CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
	CHECK_HAS(fail_text(), "there is no 'cgroup.nosuch'");
	CHECK_INT(cgroup_remove(&cg, 100), 0);
	cgroup_close(&cg);
}

/* OCI: config-linux.md, Unified: a controller that is not there or cannot be enabled MUST generate an error */
static void test_writing_without_the_controller_names_field_and_file(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	if (access("/sys/fs/cgroup/memory.stat", F_OK) == 0) {
		tap_skip("needs a host whose cgroup v2 has no memory controller");
	} else {
		limits.memory_max = 4096;
		CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
		CHECK_HAS(fail_text(), "linux.resources.memory.limit: there is no 'memory.max'");
		/* asking for nothing needs no file */
		limits.memory_max = LIMIT_MAX;
		limits.memory_swap = LIMIT_MAX;
		limits.memory_low = 0;
		limits.cpu_quota_us = -1;
		limits.cpu_burst_us = 0;
		limits.cpu_idle = 0;
		limits.pids_max = -1;
		CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	}
	CHECK_INT(cgroup_remove(&cg, 100), 0);
	cgroup_close(&cg);
}

/* Runs where the controllers are: in the lab, or on a host with cgroup v2 alone. */
static void test_all_numbers_are_found_in_the_files(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("cpu");
	NEEDS_CONTROLLER("memory");
	NEEDS_CONTROLLER("pids");

	struct cgroup cg = cgroup_of_test("all"), top = cgroup_of_test(NULL);
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.cpu_shares = 1024;
	limits.cpu_quota_us = 30000;
	limits.cpu_period_us = 60000;
	limits.cpu_burst_us = 20000;
	limits.memory_max = 64 << 20;
	limits.memory_swap = 96 << 20;
	limits.memory_low = 8 << 20;
	limits.memory_high = 48 << 20;
	limits.memory_oom_group = true;
	limits.pids_max = 0;
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.weight"), "100");
	CHECK_STR(file_of(&cg, "cpu.max"), "30000 60000");
	CHECK_STR(file_of(&cg, "cpu.max.burst"), "20000");
	CHECK_STR(file_of(&cg, "memory.max"), "67108864");
	CHECK_STR(file_of(&cg, "memory.low"), "8388608");
	CHECK_STR(file_of(&cg, "memory.high"), "50331648");
	CHECK_STR(file_of(&cg, "memory.oom.group"), "1");
	CHECK_STR(file_of(&cg, "pids.max"), "1");
	if (access("/proc/swaps", F_OK) == 0)
		CHECK_STR(file_of(&cg, "memory.swap.max"), "33554432");
	/* both of a pair down, then both up */
	limits.cpu_quota_us = 10000;
	limits.cpu_burst_us = 5000;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.max"), "10000 60000");
	limits.cpu_quota_us = 50000;
	limits.cpu_burst_us = 50000;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.max.burst"), "50000");
	/* a period alone keeps the quota, a quota alone the period */
	cgroup_limits_init(&limits);
	limits.cpu_period_us = 100000;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.max"), "50000 100000");
	cgroup_limits_init(&limits);
	limits.cpu_quota_us = LIMIT_MAX;
	limits.memory_max = LIMIT_MAX;
	limits.pids_max = LIMIT_MAX;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.max"), "max 100000");
	CHECK_STR(file_of(&cg, "memory.max"), "max");
	CHECK_STR(file_of(&cg, "pids.max"), "max");
	cgroup_limits_init(&limits);
	limits.cpu_idle = 1;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.idle"), "1");
	limits.cpu_idle = 0;
	limits.cpu_shares = 262144;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpu.weight"), "10000");
	CHECK_INT(cgroup_remove(&cg, 100), 0);
	rmdir_of(top.path);
	cgroup_close(&cg);
	cgroup_close(&top);
}

/* OCI: config-linux.md, Memory: checkBeforeUpdate: a limit below the use MUST be rejected */
static void test_a_limit_below_the_use_is_refused_when_asked(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("memory");

	struct cgroup cg = cgroup_of_test("use"), top = cgroup_of_test(NULL);
	struct cgroup_limits limits;
	pid_t pid;

	cgroup_limits_init(&limits);
	limits.memory_max = 256 << 20;
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	pid = child_in(&cg, true); /* its forks are charged to the cgroup */
	usleep(100000);
	limits.memory_max = 1;
	limits.memory_check_before_update = true;
	CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
	CHECK_HAS(fail_text(), "linux.resources.memory.limit: ");
	CHECK_HAS(fail_text(), "bytes are used now");
	CHECK_INT(cgroup_remove(&cg, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	rmdir_of(top.path);
	cgroup_close(&cg);
	cgroup_close(&top);
}

/* A write of 0 takes a rate back; weights are on the scale that the file has. */
/* OCI: config-linux.md, Block IO: weights and rates are the limits of the cgroup */
static void test_block_devices_and_cpusets_are_found_in_the_files(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("io");
	NEEDS_CONTROLLER("cpuset");

	struct cgroup_io_throttle throttle = { .kind = IO_READ_BPS, .rate = 1 << 20 };
	char cpus[] = "0", mems[] = "0";
	struct cgroup cg = cgroup_of_test("io"), top = cgroup_of_test(NULL);
	struct cgroup_limits limits;
	char want[64];

	cgroup_limits_init(&limits);
	limits.cpuset_cpus = cpus;
	limits.cpuset_mems = mems;
	limits.io_weight = 500;
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "cpuset.cpus"), "0");
	CHECK_STR(file_of(&cg, "cpuset.mems"), "0");
	if (faccessat(cg.fd, "io.bfq.weight", F_OK, 0) == 0)
		CHECK_HAS(file_of(&cg, "io.bfq.weight"), "500");
	else
		CHECK_STR(file_of(&cg, "io.weight"), "default 4950");
	limits.io_weight = LIMIT_UNSET;
	limits.io_throttles = &throttle;
	limits.io_throttle_count = 1;
	throttle.major = 511; /* no driver has it */
	CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
	CHECK_HAS(fail_text(), "throttleReadBpsDevice: there is no block device 511:0");
	if (whole_disk(&throttle.major, &throttle.minor)) {
		CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
		(void)snprintf(want, sizeof(want),
			       "%u:%u rbps=1048576 wbps=max riops=max wiops=max", throttle.major,
			       throttle.minor);
		CHECK_STR(file_of(&cg, "io.max"), want);
		throttle.rate = 0;
		CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
		CHECK_STR(file_of(&cg, "io.max"), "");
	}
	CHECK_INT(cgroup_remove(&cg, 100), 0);
	rmdir_of(top.path);
	cgroup_close(&cg);
	cgroup_close(&top);
}

int main(void)
{
	cgroup_mount_own();
	return tap_run((struct tap_test[]){
		TEST(test_unified_values_are_written_line_by_line_and_last),
		TEST(test_writing_without_the_controller_names_field_and_file),
		TEST(test_all_numbers_are_found_in_the_files),
		TEST(test_a_limit_below_the_use_is_refused_when_asked),
		TEST(test_block_devices_and_cpusets_are_found_in_the_files),
		{ 0 },
	});
}
