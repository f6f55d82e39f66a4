/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of real cgroups: listing, freezing, killing and removing what lives in them. */
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

static void test_processes_below_are_listed(void)
{
	NEEDS_CGROUPS();

	struct cgroup top = cgroup_of_test(NULL), low = cgroup_of_test("in/side");
	pid_t first, second, *pids = NULL;
	char *text = NULL;
	size_t count = 0;
	bool both = false;

	CHECK_INT(cgroup_make(&top, &none), 0);
	CHECK_INT(cgroup_make(&low, &none), 0);
	first = child_in(&top, false);
	second = child_in(&low, false);
	CHECK_INT(cgroup_is_populated(&low), 1);
	CHECK_INT(cgroup_procs(&top, &pids, &count), 0);
	if (CHECK_INT(count, 2))
		both = (pids[0] == first && pids[1] == second) ||
		       (pids[0] == second && pids[1] == first);
	CHECK(both);
	CHECK_INT(cgroup_pids_text(&low, &text), 0);
	CHECK_INT(atoi(text), second);
	free(pids);
	free(text);
	/* the sub-cgroups go with it, processes and all */
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	CHECK(!is_there(top.path));
	CHECK(waitpid(first, NULL, 0) == first);
	CHECK(waitpid(second, NULL, 0) == second);
	cgroup_close(&top);
	cgroup_close(&low);
}

static void test_a_threaded_cgroup_below_does_not_disturb(void)
{
	NEEDS_CGROUPS();

	struct cgroup top = cgroup_of_test(NULL), low = cgroup_of_test("threads");
	pid_t pid, *pids = NULL;
	size_t count = 0;

	CHECK_INT(cgroup_make(&top, &none), 0);
	CHECK_INT(cgroup_make(&low, &none), 0);
	CHECK_INT(cgroup_file_write(low.fd, "cgroup.type", "threaded"), 0);
	pid = child_in(&top, false);
	CHECK_INT(cgroup_procs(&top, &pids, &count), 0);
	if (CHECK_INT(count, 1))
		CHECK_INT(pids[0], pid);
	free(pids);
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_close(&top);
	cgroup_close(&low);
}

static char state_of(pid_t pid)
{
	char path[64], text[512] = "", *end;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : '?';
}

static void test_freezing_stops_and_thawing_goes_on(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);
	pid_t pid;

	CHECK_INT(cgroup_make(&cg, &none), 0);
	pid = child_in(&cg, true);
	CHECK_INT(cgroup_is_frozen(&cg), 0);
	CHECK_INT(cgroup_freeze(&cg, true, 5000), 0);
	CHECK_INT(cgroup_is_frozen(&cg), 1);
	CHECK_HAS(file_of(&cg, "cgroup.events"), "frozen 1");
	CHECK_INT(cgroup_freeze(&cg, true, 0), 0);
	CHECK_INT(cgroup_freeze(&cg, false, 5000), 0);
	CHECK_INT(cgroup_is_frozen(&cg), 0);
	CHECK(state_of(pid) != 'Z');
	CHECK_INT(cgroup_remove(&cg, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_close(&cg);
}

static void test_what_will_not_thaw_is_told_after_the_time(void)
{
	NEEDS_CGROUPS();

	struct cgroup top = cgroup_of_test(NULL), low = cgroup_of_test("low");
	pid_t pid;

	CHECK_INT(cgroup_make(&top, &none), 0);
	CHECK_INT(cgroup_make(&low, &none), 0);
	pid = child_in(&low, false);
	CHECK_INT(cgroup_freeze(&top, true, 5000), 0);
	CHECK(cgroup_freeze(&low, false, 50) < 0);
	CHECK_HAS(fail_text(), "still frozen after 50 ms");
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_close(&top);
	cgroup_close(&low);
}

static void kill_and_look(int (*kill_all)(const struct cgroup *))
{
	struct cgroup top = cgroup_of_test(NULL), low = cgroup_of_test("low");
	pid_t first, second;
	int status = 0;

	CHECK_INT(cgroup_make(&top, &none), 0);
	CHECK_INT(cgroup_make(&low, &none), 0);
	first = child_in(&top, true);
	second = child_in(&low, true);
	CHECK_INT(kill_all(&top), 0);
	CHECK(waitpid(first, &status, 0) == first);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(waitpid(second, &status, 0) == second);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_INT(cgroup_event_wait(top.fd, "populated", false, 5000), 0);
	CHECK_INT(cgroup_is_frozen(&top), 0);
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	cgroup_close(&top);
	cgroup_close(&low);
}

static void test_killing_reaches_all_below(void)
{
	NEEDS_CGROUPS();

	kill_and_look(cgroup_kill);
}

static void test_killing_by_freezing_reaches_all_below(void)
{
	NEEDS_CGROUPS();

	kill_and_look(cgroup_kill_by_freezing);
}

static void test_a_frozen_cgroup_can_be_removed(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);
	pid_t pid;

	CHECK_INT(cgroup_make(&cg, &none), 0);
	pid = child_in(&cg, false);
	CHECK_INT(cgroup_freeze(&cg, true, 5000), 0);
	CHECK_INT(cgroup_remove(&cg, 5000), 0);
	CHECK(!is_there(cg.path));
	CHECK(waitpid(pid, NULL, 0) == pid);
	cgroup_close(&cg);
}

static void test_deep_nesting_needs_few_fds(void)
{
	NEEDS_CGROUPS();

	struct cgroup top = cgroup_of_test(NULL);
	struct rlimit old, few = { .rlim_cur = 40, .rlim_max = 0 };
	pid_t *pids = NULL, pid;
	size_t count = 0;
	int at;

	CHECK_INT(cgroup_make(&top, &none), 0);
	at = dup(top.fd);
	for (int i = 0; i < 150; i++) {
		int next =
			mkdirat(at, "d", 0755) == 0 ? openat(at, "d", O_RDONLY | O_DIRECTORY) : -1;

		if (!CHECK(next >= 0))
			break;
		close(at);
		at = next;
	}
	pid = child_in(&(struct cgroup){ .path = top.path, .fd = at }, false);
	close(at);
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few.rlim_max = old.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_INT(cgroup_procs(&top, &pids, &count), 0);
	CHECK_INT(count, 1);
	CHECK_INT(cgroup_remove(&top, 5000), 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	free(pids);
	cgroup_close(&top);
}

static void test_one_that_somebody_else_removed_is_removed(void)
{
	NEEDS_CGROUPS();

	struct cgroup cg = cgroup_of_test(NULL);

	CHECK_INT(cgroup_make(&cg, &none), 0);
	rmdir_of(cg.path);
	CHECK_INT(cgroup_kill(&cg), 0);
	CHECK_INT(cgroup_remove(&cg, 100), 0);
	CHECK(!cg.made && cg.fd == -1);
	cgroup_close(&cg);
}

int main(void)
{
	cgroup_mount_own();
	cgroup_limits_init(&none);
	return tap_run((struct tap_test[]){
		TEST(test_processes_below_are_listed),
		TEST(test_a_threaded_cgroup_below_does_not_disturb),
		TEST(test_freezing_stops_and_thawing_goes_on),
		TEST(test_what_will_not_thaw_is_told_after_the_time),
		TEST(test_killing_reaches_all_below),
		TEST(test_killing_by_freezing_reaches_all_below),
		TEST(test_a_frozen_cgroup_can_be_removed),
		TEST(test_deep_nesting_needs_few_fds),
		TEST(test_one_that_somebody_else_removed_is_removed),
		{ 0 },
	});
}
