/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics: real ones of a real cgroup, and files with whatever might stand in them. */
#include <sys/stat.h>

#include "cgroups/limits.h"
#include "cgroups/stats.h"
#include "runtime/base/error.h"
#include "tests/unit/cgroup-mount.h"
#include "tests/unit/tap.h"

/* A directory with files of our making; removed by folder_done(). */
static int folder_new(char *path)
{
	strcpy(path, "/tmp/nacelle-stats-XXXXXX");
	if (!mkdtemp(path))
		abort();
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static const char *const files[] = { "cpu.stat",
				     "memory.current",
				     "memory.peak",
				     "memory.max",
				     "memory.swap.current",
				     "memory.swap.max",
				     "memory.stat",
				     "memory.events",
				     "memory.events.local",
				     "pids.current",
				     "pids.max",
				     "io.stat",
				     "cpu.pressure",
				     "memory.pressure",
				     "io.pressure",
				     "hugetlb.2MB.current",
				     "hugetlb.2MB.rsvd.current",
				     "hugetlb.2MB.events",
				     "cpuset.cpus.effective",
				     "cpuset.mems.effective" };

static void file_write(int dir, const char *file, const void *data, size_t size)
{
	int fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void text_write(int dir, const char *file, const char *text)
{
	file_write(dir, file, text, strlen(text));
}

static void folder_done(int dir, const char *path)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)unlinkat(dir, files[i], 0);
		(void)unlinkat(dir, files[i], AT_REMOVEDIR);
	}
	close(dir);
	CHECK(rmdir(path) == 0);
}

static void test_files_as_the_kernel_writes_them(void)
{
	struct cgroup_stats stats;
	char path[64];
	int dir = folder_new(path);

	text_write(dir, "cpu.stat",
		   "usage_usec 700\nuser_usec 400\nsystem_usec 300\ncore_sched.force_idle_usec 0\n"
		   "nr_periods 9\nnr_throttled 2\nthrottled_usec 55\nnr_bursts 0\nburst_usec 0\n");
	text_write(dir, "memory.current", "4096\n");
	text_write(dir, "memory.max", "max\n");
	text_write(dir, "memory.swap.max", "18446744073709551614\n");
	text_write(dir, "memory.stat",
		   "anon 1\nfile 2\nkernel 3\nkernel_stack 9\nsock 4\ninactive_file 5\nslab 6\n"
		   "pgfault 7\npgmajfault 8\n");
	text_write(dir, "memory.events",
		   "low 0\nhigh 0\nmax 1\noom 5\noom_kill 4\noom_group_kill 3\n");
	text_write(dir, "memory.events.local", "low 0\nhigh 0\nmax 1\noom 2\noom_kill 1\n");
	text_write(dir, "pids.current", "3\n");
	text_write(dir, "pids.max", "64\n");
	text_write(dir, "io.stat",
		   "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
		   "253:1 rbytes=5 wbytes=6 rios=3 wios=4 dbytes=0 dios=0\n");
	CHECK_INT(cgroup_stats_read(dir, &stats), 0);
	CHECK_INT(stats.cpu_usage_us, 700);
	CHECK_INT(stats.cpu_user_us, 400);
	CHECK_INT(stats.cpu_system_us, 300);
	CHECK_INT(stats.cpu_periods, 9);
	CHECK_INT(stats.cpu_throttled, 2);
	CHECK_INT(stats.cpu_throttled_us, 55);
	CHECK_INT(stats.memory_current, 4096);
	CHECK(stats.memory_peak == STAT_NONE);
	CHECK(stats.memory_max == STAT_NONE);
	CHECK(stats.memory_swap_current == STAT_NONE);
	CHECK(stats.memory_swap_max == STAT_NONE - 1);
	CHECK_INT(stats.memory_anon, 1);
	CHECK_INT(stats.memory_file, 2);
	CHECK_INT(stats.memory_kernel, 3);
	CHECK_INT(stats.memory_sock, 4);
	CHECK_INT(stats.memory_inactive_file, 5);
	CHECK_INT(stats.memory_slab, 6);
	CHECK_INT(stats.memory_pgfault, 7);
	CHECK_INT(stats.memory_pgmajfault, 8);
	CHECK_INT(stats.oom, 2);
	CHECK_INT(stats.oom_kill, 1);
	CHECK_INT(stats.oom_group_kill, 3);
	CHECK_INT(stats.pids_current, 3);
	CHECK_INT(stats.pids_max, 64);
	CHECK_INT(stats.io_read_bytes, 15);
	CHECK_INT(stats.io_write_bytes, 26);
	CHECK_INT(stats.io_read_ops, 4);
	CHECK_INT(stats.io_write_ops, 6);
	CHECK_INT(cgroup_oom_kills(dir), 4);
	folder_done(dir, path);
}

static void test_details_as_the_kernel_writes_them(void)
{
	struct cgroup_details d;
	char path[64];
	int dir = folder_new(path);

	text_write(dir, "cpu.pressure",
		   "some avg10=1.25 avg60=100.00 avg300=0.07 total=12345\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
	text_write(dir, "io.stat",
		   "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n"
		   "253:2 rbytes=5 wbytes=6 rios=3 wios=4 dbytes=0 dios=0\n");
	text_write(dir, "hugetlb.2MB.current", "4194304\n");
	text_write(dir, "hugetlb.2MB.rsvd.current", "1\n");
	text_write(dir, "hugetlb.2MB.events", "max 3\n");
	text_write(dir, "memory.stat", "anon 1\nfile 2\n");
	text_write(dir, "memory.events", "low 0\nmax 4\n");
	text_write(dir, "cpuset.cpus.effective", "0-3\n");
	CHECK_INT(cgroup_details_read(dir, &d), 0);
	CHECK(d.cpu.set && !d.memory.set && !d.io.set);
	CHECK_INT(d.cpu.some.avg10, 125);
	CHECK_INT(d.cpu.some.avg60, 10000);
	CHECK_INT(d.cpu.some.avg300, 7);
	CHECK_INT(d.cpu.some.total_us, 12345);
	CHECK_INT(d.cpu.full.total_us, 7);
	CHECK_INT(d.io_count, 2);
	CHECK(d.io_count == 2 && d.ios[1].major == 253 && d.ios[1].minor == 2 && d.ios[1].write_ops == 4);
	CHECK_INT(d.hugetlb_count, 1);
	CHECK(d.hugetlb_count == 1 && d.hugetlbs[0].current == 4194304 && d.hugetlbs[0].failures == 3);
	CHECK_STR(d.hugetlb_count ? d.hugetlbs[0].page_size : "", "2MB");
	CHECK_INT(d.memory_stat_count, 2);
	CHECK(d.memory_stat_count == 2 && d.memory_stat[1].value == 2);
	CHECK_INT(d.memory_event_count, 2);
	CHECK_STR(d.cpus, "0-3");
	CHECK(!d.mems);
	cgroup_details_done(&d);
	folder_done(dir, path);
}

static void test_nothing_there_is_none(void)
{
	struct cgroup_details d;
	struct cgroup_stats stats, none;
	char path[64];
	int dir = folder_new(path);

	memset(&none, 0xff, sizeof(none));
	CHECK_INT(cgroup_stats_read(dir, &stats), 0);
	CHECK(memcmp(&stats, &none, sizeof(none)) == 0);
	CHECK_INT(cgroup_oom_kills(dir), 0);
	CHECK_INT(cgroup_details_read(dir, &d), 0);
	CHECK(!d.io_count && !d.hugetlb_count && !d.memory_stat_count && !d.cpus && !d.cpu.set);
	cgroup_details_done(&d);
	folder_done(dir, path);
	CHECK(cgroup_stats_read(-1, &stats) < 0);
	CHECK_HAS(fail_text(), "open 'cpu.stat'");
}

static void test_odd_contents_are_none_and_never_worse(void)
{
	static const char *const odd[] = {
		"",
		"\n",
		"\n\n\n",
		" ",
		"max",
		"-1\n",
		"0x10\n",
		"18446744073709551616\n",
		"1 2 3\n",
		"12garbage\n",
		"usage_usec\n",
		"usage_usec \n",
		"usage_usec  5\n",
		"anon 99999999999999999999999999\noom_kill -3\n",
		"8:0 rbytes=\n8:0 wbytes=-1 rios=x =5 wios=99999999999999999999999\n",
		"rbytes=rbytes=1\n",
		"\xff\xfe\xfd usage_usec \xff\n",
		"oom_kill 5oom_kill 6\n",
	};
	struct cgroup_stats stats, none;
	struct cgroup_details d;
	char path[64];
	int dir = folder_new(path);

	memset(&none, 0xff, sizeof(none));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
			text_write(dir, files[k], odd[i]);
		CHECK_INT(cgroup_details_read(dir, &d), 0);
		CHECK(!d.cpu.set);
		cgroup_details_done(&d);
		CHECK_INT(cgroup_stats_read(dir, &stats), 0);
		tap_check(memcmp(&stats, &none, sizeof(none)) == 0, __FILE__, __LINE__,
			  "'%s' is none", odd[i]);
		CHECK_INT(cgroup_oom_kills(dir), 0);
	}
	folder_done(dir, path);
}

static void test_bytes_without_sense_do_no_harm(void)
{
	struct cgroup_details d;
	struct cgroup_stats stats;
	unsigned int seed = 1;
	char path[64], data[3000];
	int dir = folder_new(path);

	for (int round = 0; round < 60; round++) {
		for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
			static const char letters[] =
				"08:1= \nrbytes=wios=oom_kill usage_usec\0\xff";
			size_t size = (size_t)rand_r(&seed) % sizeof(data);

			for (size_t i = 0; i < size; i++)
				data[i] = letters[(size_t)rand_r(&seed) % sizeof(letters)];
			file_write(dir, files[k], data, size);
		}
		CHECK_INT(cgroup_details_read(dir, &d), 0);
		cgroup_details_done(&d);
		CHECK_INT(cgroup_stats_read(dir, &stats), 0);
		(void)cgroup_oom_kills(dir);
	}
	folder_done(dir, path);
}

static void test_sums_stay_within_the_type(void)
{
	struct cgroup_stats stats;
	char path[64];
	int dir = folder_new(path);

	text_write(
		dir, "io.stat",
		"8:0 rbytes=18446744073709551615\n8:1 rbytes=18446744073709551615\n8:2 rbytes=3\n");
	CHECK_INT(cgroup_stats_read(dir, &stats), 0);
	CHECK(stats.io_read_bytes >= STAT_NONE - 1);
	folder_done(dir, path);
}

static void test_what_is_no_file_is_passed_over(void)
{
	struct cgroup_stats stats;
	char path[64];
	int dir = folder_new(path);

	CHECK(mkdirat(dir, "cpu.stat", 0700) == 0);
	CHECK(mkfifoat(dir, "memory.current", 0600) == 0);
	CHECK(symlinkat("/proc/self/stat", dir, "pids.current") == 0);
	CHECK_INT(cgroup_stats_read(dir, &stats), 0);
	CHECK(stats.cpu_usage_us == STAT_NONE && stats.memory_current == STAT_NONE &&
	      stats.pids_current == STAT_NONE);
	folder_done(dir, path);
}

static void test_a_real_cgroup_counts_cpu_time(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);
	struct cgroup_limits none;
	struct cgroup_stats stats;
	pid_t pid;

	cgroup_limits_init(&none);
	CHECK_INT(cgroup_make(&cg, &none), 0);
	pid = child_in(&cg, true);
	usleep(200000);
	CHECK_INT(cgroup_stats_read(cg.fd, &stats), 0);
	CHECK(stats.cpu_usage_us > 0 && stats.cpu_usage_us < 60000000);
	CHECK_INT(cgroup_remove(&cg, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_close(&cg);
}

int main(void)
{
	cgroup_mount_own();
	return tap_run((struct tap_test[]){
		TEST(test_files_as_the_kernel_writes_them),
		TEST(test_details_as_the_kernel_writes_them),
		TEST(test_nothing_there_is_none),
		TEST(test_odd_contents_are_none_and_never_worse),
		TEST(test_bytes_without_sense_do_no_harm),
		TEST(test_sums_stay_within_the_type),
		TEST(test_what_is_no_file_is_passed_over),
		TEST(test_a_real_cgroup_counts_cpu_time),
		{ 0 },
	});
}
