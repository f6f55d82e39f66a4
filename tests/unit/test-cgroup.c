/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real cgroups in a view of our own: paths, making, controllers, joining. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/error.h"
#include "tests/unit/cgroup-mount.h"
#include "tests/unit/tap.h"

static struct cgroup_limits none;

static void check_path(const char *asked, const char *want)
{
	char *path = NULL;

	if (CHECK_INT(cgroup_path_resolve(asked, "c1", &path), 0))
		CHECK_STR(path, want);
	free(path);
}

static void check_path_refused(const char *asked, const char *why)
{
	char *path = NULL;

	CHECK(cgroup_path_resolve(asked, "c1", &path) < 0);
	CHECK(path == NULL);
	CHECK_HAS(fail_text(), why);
}

/* OCI: config-linux.md, Control groups: an absolute cgroupsPath MUST be relative to the mount point of cgroups, and consistently the same place */
static void test_a_path_is_below_the_mount(void)
{
	char *path = NULL;

	check_path(NULL, "/nacelle/c1");
	check_path("/a/b", "/a/b");
	check_path("//a/./b//c/", "/a/b/c");
	check_path("/a:b:c", "/a:b:c");
	check_path_refused("", "is empty");
	check_path_refused("/", "only the root");
	check_path_refused("/./", "only the root");
	check_path_refused("/a/../b", "'..'");
	check_path_refused("../b", "'..'");
	check_path_refused("/a\nb", "control character");
	check_path_refused("system.slice:docker:1234", "--systemd-cgroup");
	CHECK(cgroup_path_resolve(NULL, "a/b", &path) < 0);
	CHECK(cgroup_path_resolve(NULL, "..", &path) < 0);
	CHECK(cgroup_path_resolve(NULL, ".", &path) < 0);
	CHECK(cgroup_path_resolve(NULL, "", &path) < 0);
}

static void test_a_relative_path_is_beside_our_own_cgroup(void)
{
	NEEDS_CGROUPS();

	struct cgroup outer = cgroup_of_test(NULL), own = cgroup_of_test("own");
	char want[128];
	pid_t pid;
	int status;

	(void)snprintf(want, sizeof(want), "%s/x/y", outer.path);
	CHECK_INT(cgroup_make(&own, &none), 0);
	pid = fork();
	if (pid == 0) {
		char *path = NULL;
		bool held = cgroup_attach(&own, getpid()) == 0 &&
			    cgroup_path_resolve("x/y", "c1", &path) == 0 && strcmp(path, want) == 0;

		free(path);
		cgroup_close(&own);
		cgroup_close(&outer);
		_exit(held ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	CHECK_INT(cgroup_remove(&own, 2000), 0);
	rmdir_of(outer.path);
	cgroup_close(&own);
	cgroup_close(&outer);
}

static void test_the_mount_is_found(void)
{
	NEEDS_CGROUPS();

	struct statfs about;
	int fd = -1, kind;

	kind = cgroup_host_open(&fd);
	CHECK_INT(kind, CGROUP_HOST_UNIFIED);
	CHECK(fstatfs(fd, &about) == 0 && about.f_type == 0x63677270);
	CHECK(cgroup_is_root(fd));
	close(fd);
}

/* In a child, since nothing brings the mount back. */
static void test_a_hybrid_host_and_one_without_v2_are_told_apart(void)
{
	NEEDS_CGROUPS();

	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		struct cgroup cg = cgroup_of_test(NULL);
		int fd = -1, step = 0;
		char *path;

		if (unshare(CLONE_NEWNS) < 0 || mount("t", "/sys/fs/cgroup", "tmpfs", 0, NULL) < 0)
			_exit(100);
		step += cgroup_host_open(&fd) == CGROUP_HOST_V1 && fd == -1;
		step += cgroup_make(&cg, &none) < 0 &&
			strstr(fail_text(), "no cgroup v2 is mounted") != NULL;
		step += cgroup_open(&cg) == CGROUP_NOT_FOUND;
		cg.made = true;
		step += cgroup_remove(&cg, 0) == 0;
		if (mkdir("/sys/fs/cgroup/unified", 0755) < 0 ||
		    mount("c", "/sys/fs/cgroup/unified", "cgroup2", 0, NULL) < 0)
			_exit(101);
		step += cgroup_host_open(&fd) == CGROUP_HOST_HYBRID && fd >= 0;
		close(fd);
		step += cgroup_make(&cg, &none) == 0;
		if (asprintf(&path, "/sys/fs/cgroup/unified%s", cg.path) < 0)
			_exit(102);
		step += access(path, F_OK) == 0;
		step += cgroup_remove(&cg, 0) == 0;
		step += access(path, F_OK) < 0;
		free(path);
		cgroup_close(&cg);
		_exit(step);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 9);
}

static void test_a_cgroup_is_made_with_its_parents_and_removed(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test("a/b"), again = cgroup_of_test("a/b"),
		      top = cgroup_of_test(NULL);
	char parent[256];

	(void)snprintf(parent, sizeof(parent), "%s/a", top.path);
	CHECK_INT(cgroup_open(&cg), CGROUP_NOT_FOUND);
	CHECK_INT(cgroup_make(&cg, &none), 0);
	CHECK(cg.made && cg.fd > 2);
	CHECK(fcntl(cg.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(is_there(cg.path));
	CHECK(!cgroup_is_root(cg.fd));
	CHECK_INT(cgroup_is_populated(&cg), 0);
	CHECK_INT(cgroup_open(&again), 0);
	CHECK(!again.made);
	CHECK_INT(cgroup_remove(&again, 0), 0);
	CHECK(is_there(cg.path));
	CHECK_INT(cgroup_remove(&cg, 0), 0);
	CHECK(!is_there(cg.path));
	CHECK(is_there(parent));
	cg.made = true;
	CHECK_INT(cgroup_remove(&cg, 0), 0);
	rmdir_of(parent);
	rmdir_of(top.path);
	cgroup_close(&cg);
	cgroup_close(&again);
	cgroup_close(&top);
}

static void test_one_that_is_there_is_taken_only_when_free(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL), second = cgroup_of_test(NULL);
	pid_t pid;

	CHECK_INT(cgroup_make(&cg, &none), 0);
	CHECK_INT(cgroup_make(&second, &none), 0);
	CHECK(!second.made);
	pid = child_in(&cg, false);
	CHECK(cgroup_make(&second, &none) < 0);
	CHECK_HAS(fail_text(), "holds processes");
	CHECK_HAS(fail_text(), cg.path);
	CHECK_INT(cgroup_remove(&cg, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(!is_there(cg.path));
	cgroup_close(&cg);
	cgroup_close(&second);
}

/* OCI: config-linux.md, Control groups: a cgroup that is not fit, frozen or not empty at create, MUST generate an error */
static void test_a_frozen_one_is_not_taken(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL), second = cgroup_of_test(NULL);

	CHECK_INT(cgroup_make(&cg, &none), 0);
	CHECK_INT(cgroup_freeze(&cg, true, 2000), 0);
	CHECK(cgroup_make(&second, &none) < 0);
	CHECK_HAS(fail_text(), "is frozen");
	CHECK(is_there(cg.path));
	CHECK_INT(cgroup_remove(&cg, 1000), 0);
	cgroup_close(&cg);
	cgroup_close(&second);
}

static void test_a_missing_controller_is_named_and_nothing_stays(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test("x/y"), top = cgroup_of_test(NULL);
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	limits.memory_max = 1 << 26;
	if (host_has("memory")) {
		CHECK_INT(cgroup_make(&cg, &limits), 0);
		CHECK_HAS(file_of(&cg, "cgroup.controllers"), "memory");
		CHECK_INT(cgroup_remove(&cg, 0), 0);
	} else {
		CHECK(cgroup_make(&cg, &limits) < 0);
		CHECK_HAS(fail_text(),
			  "linux.resources.memory.limit: the memory controller is not available");
		CHECK_HAS(fail_text(), "drop the limit");
		CHECK(cg.fd == -1 && !cg.made);
		CHECK(!is_there(top.path));
	}
	*strrchr(cg.path, '/') = '\0';
	rmdir_of(cg.path);
	rmdir_of(top.path);
	cgroup_close(&cg);
	cgroup_close(&top);
}

static void limit_hugetlb(struct cgroup_limits *limits)
{
	cgroup_limits_init(limits);
	limits->hugetlb = calloc(1, sizeof(*limits->hugetlb));
	limits->hugetlb_count = 1;
	limits->hugetlb[0] =
		(struct cgroup_hugetlb){ .page_size = strdup("2MB"), .limit = 4 << 20 };
}

static void test_controllers_are_enabled_on_the_way_down(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("hugetlb");

	struct cgroup cg = cgroup_of_test("p/q/r"), top = cgroup_of_test(NULL);
	struct cgroup_limits limits;
	char part[256];

	limit_hugetlb(&limits);
	CHECK_INT(cgroup_make(&cg, &limits), 0);
	CHECK_HAS(file_of(&cg, "cgroup.controllers"), "hugetlb");
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "hugetlb.2MB.max"), "4194304");
	CHECK_STR(file_of(&cg, "hugetlb.2MB.rsvd.max"), "4194304");
	limits.hugetlb[0].limit = LIMIT_MAX;
	CHECK_INT(cgroup_limits_apply(cg.fd, &limits), 0);
	CHECK_STR(file_of(&cg, "hugetlb.2MB.max"), "max");
	free(limits.hugetlb[0].page_size);
	limits.hugetlb[0].page_size = strdup("3MB");
	limits.hugetlb[0].limit = 1;
	CHECK(cgroup_limits_apply(cg.fd, &limits) < 0);
	CHECK_HAS(fail_text(), "linux.resources.hugepageLimits: there is no 'hugetlb.3MB.max'");
	CHECK_INT(cgroup_remove(&cg, 0), 0);
	for (const char *rest = "/p/q\0/p\0\0"; *rest; rest += strlen(rest) + 1) {
		(void)snprintf(part, sizeof(part), "%s%s", top.path, rest);
		rmdir_of(part);
	}
	rmdir_of(top.path);
	CHECK(!is_there(top.path));
	cgroup_limits_done(&limits);
	cgroup_close(&cg);
	cgroup_close(&top);
}

static void test_a_parent_with_processes_is_told(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("hugetlb");

	struct cgroup top = cgroup_of_test(NULL), cg = cgroup_of_test("leaf");
	struct cgroup_limits limits;
	char number[16];
	pid_t pid;

	limit_hugetlb(&limits);
	CHECK_INT(cgroup_make(&top, &none), 0);
	pid = child_in(&top, false);
	CHECK(cgroup_make(&cg, &limits) < 0);
	CHECK_HAS(fail_text(),
		  "linux.resources.hugepageLimits: the hugetlb controller cannot be enabled");
	CHECK_HAS(fail_text(), "holds processes itself");
	(void)snprintf(number, sizeof(number), "(%d ", (int)pid);
	CHECK_HAS(fail_text(), number);
	CHECK(!is_there(cg.path));
	/* without limits it goes on as if nothing were */
	CHECK_INT(cgroup_make(&cg, &none), 0);
	CHECK_INT(cgroup_remove(&cg, 0), 0);
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_limits_done(&limits);
	cgroup_close(&cg);
	cgroup_close(&top);
}

static void test_joining_one_with_controllers_is_explained(void)
{
	NEEDS_CGROUPS();
	NEEDS_CONTROLLER("hugetlb");

	struct cgroup cg = cgroup_of_test(NULL);
	pid_t pid;

	CHECK_INT(cgroup_make(&cg, &none), 0);
	CHECK_INT(cgroup_file_write(cg.fd, "cgroup.subtree_control", "+hugetlb"), 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(cgroup_attach(&cg, pid) < 0);
	CHECK_HAS(fail_text(), "controllers enabled for cgroups below");
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(cgroup_attach(&cg, pid) < 0);
	CHECK_INT(cgroup_remove(&cg, 1000), 0);
	cgroup_close(&cg);
}

static void test_numbers_in_text_are_found_or_not(void)
{
	uint64_t value = 7;

	CHECK(cgroup_text_number("populated 1\nfrozen 0\n", "frozen", &value) && value == 0);
	CHECK(cgroup_text_number("a 18446744073709551615", "a", &value) && value == UINT64_MAX);
	value = 7;
	CHECK(!cgroup_text_number("a 18446744073709551616\n", "a", &value));
	CHECK(!cgroup_text_number("", "a", &value));
	CHECK(!cgroup_text_number("\n\n", "a", &value));
	CHECK(!cgroup_text_number("a", "a", &value));
	CHECK(!cgroup_text_number("a ", "a", &value));
	CHECK(!cgroup_text_number("a -1\n", "a", &value));
	CHECK(!cgroup_text_number("a 1x\n", "a", &value));
	CHECK(!cgroup_text_number("aa 1\nba 2\n", "a", &value));
	CHECK_INT(value, 7);
}

int main(void)
{
	cgroup_mount_own();
	cgroup_limits_init(&none);
	return tap_run((struct tap_test[]){
		TEST(test_a_path_is_below_the_mount),
		TEST(test_a_relative_path_is_beside_our_own_cgroup),
		TEST(test_the_mount_is_found),
		TEST(test_a_hybrid_host_and_one_without_v2_are_told_apart),
		TEST(test_a_cgroup_is_made_with_its_parents_and_removed),
		TEST(test_one_that_is_there_is_taken_only_when_free),
		TEST(test_a_frozen_one_is_not_taken),
		TEST(test_a_missing_controller_is_named_and_nothing_stays),
		TEST(test_controllers_are_enabled_on_the_way_down),
		TEST(test_a_parent_with_processes_is_told),
		TEST(test_joining_one_with_controllers_is_explained),
		TEST(test_numbers_in_text_are_found_or_not),
		{ 0 },
	});
}
