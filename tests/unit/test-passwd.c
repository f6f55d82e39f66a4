/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users by name in a root that somebody else prepared. */
#include "runtime/passwd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/fd.h"
#include "tests/unit/tap.h"

static int root = -1;
static char folder[] = "/tmp/test-passwd-XXXXXX";

static void put(const char *path, const char *text)
{
	(void)unlinkat(root, path, 0);
	CHECK_INT(fd_replace_file(root, path, text, strlen(text), 0644), 0);
}

static void root_make(const char *passwd, const char *group)
{
	if (root < 0) {
		CHECK(mkdtemp(folder));
		root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK_INT(mkdirat(root, "etc", 0755), 0);
	}
	put("etc/passwd", passwd);
	put("etc/group", group);
}

static void found(const char *text, uint32_t uid, uint32_t gid, size_t groups)
{
	struct spec_user user = { .uid = 9, .gid = 9 };

	CHECK_INT(passwd_user_find(root, text, &user), 0);
	CHECK_INT(user.uid, uid);
	CHECK_INT(user.gid, gid);
	CHECK_INT((long long)user.additional_gid_count, (long long)groups);
	free(user.additional_gids);
}

static void refused(const char *text, const char *why)
{
	struct spec_user user = { .uid = 9, .gid = 9 };

	CHECK(passwd_user_find(root, text, &user) < 0);
	CHECK_HAS(fail_text(), why);
	free(user.additional_gids);
}

#define PASSWD "root:x:0:0:r:/root:/bin/sh\nweb:x:1001:1002::/srv:/bin/sh\nweb:x:7:7::/:\n"
#define GROUP  "root:x:0:\nweb:x:1002:\nmore:x:5:root,web\nless:x:6:webb,we\nagain:x:5:web\n"

static void test_names_and_numbers_are_found(void)
{
	root_make(PASSWD, GROUP);
	found("root", 0, 0, 1);
	found("web", 1001, 1002, 1);
	found("web:more", 1001, 5, 0);
	found("web:77", 1001, 77, 0);
	found("1001", 1001, 1002, 1);
	found("1001:9", 1001, 9, 0);
	found("55", 55, 0, 0);
	found("4294967294:4294967294", 4294967294U, 4294967294U, 0);
}

static void test_what_is_no_user_is_refused(void)
{
	static const char *const bad[] = { "", ":", "web:", ":web", "a:b:c", "4294967295", "4294967296",
					   "99999999999999999999", "web:4294967295", "nobody", "-1", "+0", "web:-1", "web:none" };

	root_make(PASSWD "-1:x:0:0::/:\n4294967296:x:0:0::/:\n:x:0:0::/:\n", GROUP "-1:x:0:\n");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i], "'");
}

static void test_lines_that_lie_are_passed_over(void)
{
	root_make("a:x:-1:0::/:\nb:x:4294967295:0::/:\nc:x::0::/:\nd:x:1\n:::\ne\n\ne:x:0x0:0::/:\n"
		  "f:x: 0:0::/:\ng:x:18446744073709551616:0::/:\nh:x:8:9:no end", "g:x:-1:\n");
	for (const char *name = "a\0b\0c\0d\0e\0f\0g\0"; *name; name += 2)
		refused(name, "is not in the container's /etc/passwd");
	found("h", 8, 9, 0);
	refused("h:g", "is not in the container's /etc/group");
}

static void test_files_that_are_none_are_refused(void)
{
	root_make("", "");
	(void)unlinkat(root, "etc/passwd", 0);
	found("5", 5, 0, 0);
	CHECK_INT(mkfifoat(root, "etc/passwd", 0644), 0);
	refused("root", "not a regular file");
	(void)unlinkat(root, "etc/passwd", 0);
	/* Clamped to the root: the host's file is not read. */
	CHECK_INT(symlinkat("../../../../etc/passwd", root, "etc/passwd"), 0);
	refused("root", "symbolic links");
	(void)unlinkat(root, "etc/passwd", 0);
	CHECK_INT(symlinkat("/proc/self/root/etc/passwd", root, "etc/passwd"), 0);
	refused("root", "passwd");
	(void)unlinkat(root, "etc/passwd", 0);
}

static void test_a_file_beyond_the_bound_is_refused(void)
{
	size_t size = PASSWD_SIZE_MAX + 1;
	char *text = malloc(size + 1);

	memset(text, 'a', size);
	text[size] = '\0';
	root_make(text, "");
	refused("a", "too large");
	free(text);
}

static void test_homes(void)
{
	char *home = NULL;

	root_make("root:x:0:0::/root:\nrel:x:5:5::tmp:\n", "");
	CHECK_INT(passwd_home_find(root, 0, &home), 0);
	CHECK_STR(home, "/root");
	CHECK_INT(passwd_home_find(root, 5, &home), 0);
	CHECK_STR(home, "/");
	CHECK_INT(passwd_home_find(root, 6, &home), 0);
	CHECK_STR(home, "/");
	free(home);
}

static void root_remove(void)
{
	(void)unlinkat(root, "etc/passwd", 0);
	(void)unlinkat(root, "etc/group", 0);
	(void)unlinkat(root, "etc", AT_REMOVEDIR);
	(void)rmdir(folder);
}

int main(void)
{
	int status = tap_run((struct tap_test[]){
		TEST(test_names_and_numbers_are_found),
		TEST(test_what_is_no_user_is_refused),
		TEST(test_lines_that_lie_are_passed_over),
		TEST(test_files_that_are_none_are_refused),
		TEST(test_a_file_beyond_the_bound_is_refused),
		TEST(test_homes),
		{ .name = NULL },
	});

	root_remove();
	return status;
}
