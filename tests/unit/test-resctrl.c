/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Few machines have resctrl, so most of it is tried on plain folders that have its files: which are written,
 * with what, and what is compared. Where a test asks for it, mkdirat(2) gives a new folder the files that the kernel would.
 */
#include "runtime/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/nacelle-test-resctrl.XXXXXX";

static void file_put(int dir, const char *path, const char *text)
{
	cleanup_fd int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
}

static void file_is(int dir, const char *path, const char *want)
{
	cleanup_free char *text = NULL;

	if (CHECK_INT(fd_read_file(dir, path, &text), 0))
		CHECK_STR(text, want);
}

static bool folders_are_classes;

/* In the place of libc's. */
int mkdirat(int dir, const char *path, mode_t mode)
{
	if (syscall(SYS_mkdirat, dir, path, mode) < 0)
		return -1;
	if (folders_are_classes) {
		cleanup_fd int made = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		file_put(made, "tasks", "");
		file_put(made, "schemata", "");
		CHECK_INT((int)syscall(SYS_mkdirat, made, "mon_groups", 0755), 0);
	}
	return 0;
}

/* A class that is there already. */
static int class_put(const char *name)
{
	int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int dir = -1;

	CHECK_INT(mkdirat(root, name, 0755), 0);
	dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file_put(dir, "schemata", "    MB:0=100;1=100\n    L3:0=0ff;1=fff\n");
	file_put(dir, "tasks", "");
	CHECK_INT(mkdirat(dir, "mon_groups", 0755), 0);
	return root;
}

/* OCI: config-linux.md, IntelRdt: a closID without schemata MUST be there, and the process MUST be written to its tasks */
static void test_a_class_by_name_must_be_there(void)
{
	cleanup_fd int root = class_put("gold");
	const struct spec_intel_rdt there = { .set = true, .clos_id = (char[]){ "gold" } };
	const struct spec_intel_rdt absent = { .set = true, .clos_id = (char[]){ "silver" } };

	CHECK_INT(resctrl_enter(root, &there, "c1", 42), 0);
	file_is(root, "gold/tasks", "42");
	CHECK_INT(resctrl_enter(root, &absent, "c1", 42), -ENOENT);
	CHECK_HAS(fail_text(), "linux.intelRdt: class 'silver'");
	/* what was there before stays */
	CHECK_INT(resctrl_leave(root, &there, "c1"), 0);
	CHECK_INT(faccessat(root, "gold/tasks", F_OK, 0), 0);
}

/* OCI: config-linux.md, IntelRdt: a closID that is there MUST be compared with the schemata, and not fitting generate an error */
static void test_a_class_that_is_there_must_fit(void)
{
	static const struct {
		const char *line;
		bool fits;
	} lines[] = {
		{ "L3:0=ff;1=fff", true }, { "L3:1=fff", true },	{ "L3:0=00ff", true }, { "MB:0=100", true },
		{ "L3:0=f", false },	   { "L3:0=fff;1=fff", false }, { "L3:2=ff", false },  { "L2:0=ff", false },
		{ "MB:0=10", false },	   { "nonsense", false },	{ "L3:0", false },
	};
	cleanup_fd int root = class_put("fit");

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct spec_intel_rdt rdt = { .set = true, .clos_id = (char[]){ "fit" } };
		int r;

		CHECK_INT(str_list_add(&rdt.schemata, lines[i].line), 0);
		r = resctrl_enter(root, &rdt, "c1", 1);
		tap_check((r == 0) == lines[i].fits, __FILE__, __LINE__, "'%s' gave %d", lines[i].line, r);
		str_list_done(&rdt.schemata);
	}
}

/* OCI: config-linux.md, IntelRdt: without a closID the container's id MUST name the directory; a closID that is not there MUST be created, schemata written last */
static void test_a_class_that_is_not_there_is_made(void)
{
	cleanup_fd int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct spec_intel_rdt named = { .set = true, .clos_id = (char[]){ "new" }, .l3_cache_schema = (char[]){ "L3:0=f" },
					.mem_bw_schema = (char[]){ "MB:0=50" } };
	const struct spec_intel_rdt nameless = { .set = true, .l3_cache_schema = (char[]){ "L3:0=3" }, .monitoring = true };

	folders_are_classes = true;
	CHECK_INT(str_list_add(&named.schemata, "L2:0=7"), 0);
	CHECK_INT(resctrl_enter(root, &named, "c2", 5), 0);
	file_is(root, "new/schemata", "L3:0=f\nMB:0=50\nL2:0=7\n");
	file_is(root, "new/tasks", "5");
	CHECK(faccessat(root, "c2", F_OK, 0) < 0);
	CHECK_INT(resctrl_enter(root, &nameless, "c2", 6), 0);
	file_is(root, "c2/schemata", "L3:0=3\n");
	file_is(root, "c2/tasks", "6");
	file_is(root, "c2/mon_groups/c2/tasks", "6");
	/* an id that another's class has already is no class of ours */
	CHECK_INT(resctrl_enter(root, &nameless, "c2", 6), -EEXIST);
	folders_are_classes = false;
	str_list_done(&named.schemata);
}

/* OCI: config-linux.md, IntelRdt: of l3CacheSchema and memBwSchema together, lines of MB MUST be taken from the latter alone */
static void test_fields_of_old_are_put_together(void)
{
	cleanup_fd int root = class_put("old");
	struct spec_intel_rdt rdt = { .set = true, .clos_id = (char[]){ "old" },
				      .l3_cache_schema = (char[]){ "L3:0=ff\nMB:0=7" }, .mem_bw_schema = (char[]){ "MB:0=100" } };

	/* the line of bandwidth among the cache's does not count beside its own field */
	CHECK_INT(resctrl_enter(root, &rdt, "c1", 1), 0);
	rdt.mem_bw_schema = NULL;
	CHECK_INT(resctrl_enter(root, &rdt, "c1", 1), -EEXIST);
}

/* OCI: config-linux.md, IntelRdt: a monitoring group has the container's id as its name and its process in it, and is removed at delete */
static void test_a_monitoring_group_is_the_containers_own(void)
{
	cleanup_fd int root = class_put("seen");
	const struct spec_intel_rdt rdt = { .set = true, .clos_id = (char[]){ "seen" }, .monitoring = true };
	const struct spec spec = { .linux_.intel_rdt = { .set = true, .clos_id = (char[]){ "seen" } } };
	const struct spec monitored = { .linux_.intel_rdt = { .set = true, .clos_id = (char[]){ "seen" }, .monitoring = true } };

	/* a plain folder has no "tasks" when it is made: as far as that it must come */
	CHECK_INT(resctrl_enter(root, &rdt, "c1", 7), -ENOENT);
	file_is(root, "seen/tasks", "7");
	CHECK_INT(faccessat(root, "seen/mon_groups/c1", F_OK, 0), 0);
	file_put(root, "seen/mon_groups/c1/tasks", "");
	CHECK_INT(resctrl_follow(root, &rdt, "c1", 8), 0);
	file_is(root, "seen/mon_groups/c1/tasks", "8");
	CHECK_INT(unlinkat(root, "seen/mon_groups/c1/tasks", 0), 0);
	CHECK_INT(resctrl_leave(root, &rdt, "c1"), 0);
	CHECK(faccessat(root, "seen/mon_groups/c1", F_OK, 0) < 0);
	CHECK(!resctrl_is_owed(&spec) && resctrl_is_owed(&monitored));
}

/* OCI: config-linux.md, IntelRdt: without a mounted resctrl the runtime MUST generate an error */
static void test_a_machine_without_it_is_told(void)
{
	int root = resctrl_open();

	if (root >= 0) {
		(void)close(root);
		tap_skip("this machine has resctrl");
		return;
	}
	CHECK_HAS(fail_text(), "linux.intelRdt");
	CHECK_HAS(fail_text(), "resctrl");
}

int main(void)
{
	cleanup_free char *command = NULL;
	int status;

	if (!mkdtemp(folder))
		return 1;
	status = tap_run((struct tap_test[]){
		TEST(test_a_class_by_name_must_be_there),
		TEST(test_a_class_that_is_there_must_fit),
		TEST(test_a_class_that_is_not_there_is_made),
		TEST(test_fields_of_old_are_put_together),
		TEST(test_a_monitoring_group_is_the_containers_own),
		TEST(test_a_machine_without_it_is_told),
		{ 0 },
	});
	if (str_format(&command, "rm -rf %s", folder) == 0 && system(command) != 0)
		return 1;
	return status;
}
