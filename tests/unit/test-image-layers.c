/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers on top of each other, unpacked and then looked at through a real overlayfs mount: what whiteouts hide, what
 * opaque folders hide, what implied folders look like, and hard links into lower layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/pack.h"
#include "image/tree.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "tests/unit/image-tar.h"
#include "tests/unit/tap.h"

static char place[] = "/tmp/nacelle-layers-XXXXXX";
static int dirs[2]; /* top-most first */
static bool opaque;

static void unpack(int which, struct tar *t)
{
	struct unpack_job job = { .limits = unpack_limits_default };
	struct unpack_result result;
	const char *name = which ? "lower" : "upper";

	tar_end(t);
	if (mkdir(name, 0755) < 0)
		abort();
	dirs[which] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	job.blob = tar_fd(t, 'z');
	job.target = dirs[which];
	job.lower = which ? NULL : &dirs[1];
	job.lower_count = which ? 0 : 1;
	if (unpack_layer(&job, &result) < 0)
		tap_check(false, __FILE__, __LINE__, "unpack: %s", fail_text());
	opaque = result.opaque;
	(void)close(job.blob);
	tar_free(t);
}

static void begin(void)
{
	(void)umount2("merged", MNT_DETACH);
	for (int i = 0; i < 2; i++) {
		if (dirs[i] > 0)
			(void)close(dirs[i]);
		dirs[i] = -1;
	}
	if (tree_remove(AT_FDCWD, "upper") < 0 || tree_remove(AT_FDCWD, "lower") < 0)
		abort();
	(void)mkdir("merged", 0755);
}

static bool merge(void)
{
	return mount("overlay", "merged", "overlay", 0, "lowerdir=upper:lower") == 0;
}

static void lower_make(void)
{
	struct tar t = { .data = NULL };

	begin();
	tar_add(&t, &(struct tar_entry){ .type = '5', .name = "./" });
	tar_add(&t, &(struct tar_entry){ .type = '5', .name = "d", .mode = 02750, .uid = 7 });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/one", .text = "1" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/two", .text = "2", .mode = 0640, .uid = 9 });
	tar_add(&t, &(struct tar_entry){ .type = '5', .name = "d/e" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/e/f", .text = "f" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "top" });
	unpack(1, &t);
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void test_a_whiteout_hides(void)
{
	struct tar t = { .data = NULL };
	struct stat st;

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh.one" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = ".wh.top" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh.never" });
	unpack(0, &t);
	CHECK(lstat("upper/d/one", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0);
	CHECK(!there("upper/d/never"));
	CHECK(merge());
	CHECK(!there("merged/d/one"));
	CHECK(there("merged/d/two"));
	CHECK(!there("merged/top"));
}

static void test_an_implied_folder_looks_like_the_one_below(void)
{
	struct tar t = { .data = NULL };
	struct stat st;

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/three", .text = "3" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "new/x", .text = "3" });
	unpack(0, &t);
	CHECK(lstat("upper/d", &st) == 0);
	CHECK_INT(st.st_mode & 07777, 02750);
	CHECK_INT(st.st_uid, 7);
	CHECK_INT(st.st_mtime, 1000000000);
	CHECK(lstat("upper/new", &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0755);
	CHECK_INT(st.st_mtime, 0);
}

static void test_an_opaque_folder_hides_all_below(void)
{
	struct tar t = { .data = NULL };

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh..wh..opq" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/mine", .text = "m" });
	unpack(0, &t);
	CHECK(merge());
	CHECK(there("merged/d/mine"));
	CHECK(!there("merged/d/one"));
	CHECK(!there("merged/d/e"));
	CHECK(there("merged/top"));
	CHECK(!opaque);
}

static void test_a_folder_removed_and_made_again(void)
{
	/* either order of the two */
	for (int order = 0; order < 2; order++) {
		struct tar t = { .data = NULL };

		lower_make();
		for (int i = 0; i < 2; i++) {
			if (i == order)
				tar_add(&t, &(struct tar_entry){ .type = '0', .name = ".wh.d" });
			else
				tar_add(&t, &(struct tar_entry){ .type = '5', .name = "d" });
		}
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/mine" });
		unpack(0, &t);
		CHECK(merge());
		CHECK(there("merged/d/mine"));
		CHECK(!there("merged/d/one"));
	}
}

static void test_a_whiteout_spares_its_own_layer(void)
{
	struct tar t = { .data = NULL };

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/one", .text = "new" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh.one" });
	unpack(0, &t);
	CHECK(merge());
	CHECK(there("merged/d/one"));
}

static void test_an_opaque_root(void)
{
	struct tar t = { .data = NULL };

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = ".wh..wh..opq" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "only" });
	unpack(0, &t);
	CHECK(opaque);
}

static void test_a_hard_link_into_the_layer_below(void)
{
	struct tar t = { .data = NULL };
	struct stat a, b;

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '1', .name = "linked", .link = "d/two" });
	unpack(0, &t);
	CHECK(merge());
	CHECK(lstat("merged/linked", &a) == 0 && lstat("merged/d/two", &b) == 0);
	CHECK(a.st_ino == b.st_ino);
	CHECK_INT(a.st_mode & 07777, 0640);
	CHECK_INT(a.st_uid, 9);
	CHECK_INT(a.st_size, 1);
}

static void test_a_hard_link_to_what_is_hidden(void)
{
	struct tar t = { .data = NULL };
	struct unpack_job job = { .limits = unpack_limits_default };
	struct unpack_result result;

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh.two" });
	tar_add(&t, &(struct tar_entry){ .type = '1', .name = "linked", .link = "d/two" });
	tar_end(&t);
	CHECK(mkdir("upper", 0755) == 0);
	dirs[0] = open("upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	job.blob = tar_fd(&t, 0);
	job.target = dirs[0];
	job.lower = &dirs[1];
	job.lower_count = 1;
	CHECK(unpack_layer(&job, &result) < 0);
	(void)close(job.blob);
	tar_free(&t);
}

/* Written as one tar and unpacked again, a stack of layers is what its overlay shows. */
static void test_a_stack_packed_is_what_the_overlay_shows(void)
{
	struct tar t = { .data = NULL }, all = { .data = NULL };
	struct unpack_job job = { .limits = unpack_limits_default };
	struct unpack_result result;
	int fd, merged, flat;

	lower_make();
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/.wh.one" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/e/.wh..wh..opq" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/e/g", .text = "g" });
	tar_add(&t, &(struct tar_entry){ .type = '2', .name = "link", .link = "/nowhere" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "x", .xattr = "user.key=value" });
	unpack(0, &t);
	/* a mount that reads trusted.* lets the mark for user namespaces be seen */
	CHECK(removexattr("upper/d/e", "user.overlay.opaque") == 0);
	CHECK(merge());
	fd = tar_fd(&all, 0);
	CHECK_INT(pack_write(&(struct pack){ .dirs = dirs, .count = 2, .layers = true }, fd), 0);
	CHECK(mkdir("flat", 0755) == 0);
	flat = open("flat", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	merged = open("merged", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	job.blob = fd;
	job.target = flat;
	CHECK_INT(unpack_layer(&job, &result), 0);
	tap_check_int(tree_compare(merged, flat), 0, __FILE__, __LINE__, fail_text());
	(void)close(merged);
	(void)close(flat);
	(void)close(fd);
}

static void test_trees_that_differ(void)
{
	int a, b;

	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
	CHECK(mkdir("a/x", 0755) == 0 && mkdir("b/x", 0700) == 0);
	a = open("a", O_RDONLY | O_DIRECTORY);
	b = open("b", O_RDONLY | O_DIRECTORY);
	CHECK(futimens(a, (struct timespec[2]){ { 0 } }) == 0 && futimens(b, (struct timespec[2]){ { 0 } }) == 0);
	CHECK_INT(tree_compare(a, b), TREE_DIFFERS);
	CHECK_HAS(fail_text(), "'x'");
	(void)close(a);
	(void)close(b);
}

static void test_a_deep_tree_is_removed(void)
{
	int fd;

	CHECK(mkdir("deep", 0755) == 0);
	fd = open("deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		if (mkdirat(fd, "d", 0755) < 0)
			break;
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	/* as a removal leaves it that was cut short */
	CHECK(mkdir("deep.deep0", 0755) == 0 && mkdir("deep.deep0/full", 0755) == 0);
	CHECK_INT(tree_remove(AT_FDCWD, "deep"), 0);
	CHECK(!there("deep") && !there("deep.deep0"));
	begin();
	CHECK(rmdir("merged") == 0);
	CHECK_INT(tree_remove(AT_FDCWD, "flat"), 0);
	CHECK_INT(tree_remove(AT_FDCWD, "a"), 0);
	CHECK_INT(tree_remove(AT_FDCWD, "b"), 0);
	CHECK(chdir("/") == 0 && rmdir(place) == 0);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(place) || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    chdir(place) < 0)
		return 1;
	return tap_run((struct tap_test[]){
		TEST(test_a_whiteout_hides),
		TEST(test_an_implied_folder_looks_like_the_one_below),
		TEST(test_an_opaque_folder_hides_all_below),
		TEST(test_a_folder_removed_and_made_again),
		TEST(test_a_whiteout_spares_its_own_layer),
		TEST(test_an_opaque_root),
		TEST(test_a_hard_link_into_the_layer_below),
		TEST(test_a_hard_link_to_what_is_hidden),
		TEST(test_a_stack_packed_is_what_the_overlay_shows),
		TEST(test_trees_that_differ),
		TEST(test_a_deep_tree_is_removed),
		{ 0 },
	});
}
