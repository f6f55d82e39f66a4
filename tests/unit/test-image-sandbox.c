/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walls around the process that unpacks a layer, from inside: it is given more than it should have, a descriptor of a
 * folder beside the store, and must not be able to use it. A new root does not keep it from that; Landlock does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image/sandbox.h"
#include "image/tree.h"
#include "tests/unit/tap.h"

static char place[] = "/tmp/nacelle-sandbox-XXXXXX";
static int top = -1, layer, lower, beside;

/* What the child could do, as bits of its report. */
enum {
	MADE = 1 << 0,
	READ_LOWER = 1 << 1,
	WROTE_LOWER = 1 << 2,
	READ_BESIDE = 1 << 3,
	MADE_BESIDE = 1 << 4,
	READ_UP = 1 << 5,
	READ_HOST = 1 << 6,
	LINKED_IN = 1 << 7,
	MOVED_OUT = 1 << 8,
	SOCKET = 1 << 9,
	EXECUTED = 1 << 10,
};

static int64_t opened(int bit, int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return 0;
	(void)close(fd);
	return bit;
}

static int child_main(void *arg, struct sandbox_report *report)
{
	static char *const nothing[] = { NULL };
	int sock;

	(void)arg;
	report->bytes = opened(MADE, layer, "file", O_WRONLY | O_CREAT) | opened(READ_LOWER, lower, "file", O_RDONLY) |
			opened(WROTE_LOWER, lower, "file", O_WRONLY) | opened(READ_BESIDE, beside, "secret", O_RDONLY) |
			opened(MADE_BESIDE, beside, "made", O_WRONLY | O_CREAT) |
			opened(READ_UP, layer, "../beside/secret", O_RDONLY) |
			opened(READ_HOST, AT_FDCWD, "/etc/passwd", O_RDONLY);
	if (linkat(beside, "secret", layer, "linked", 0) == 0)
		report->bytes |= LINKED_IN;
	if (renameat(layer, "file", beside, "moved") == 0)
		report->bytes |= MOVED_OUT;
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sock >= 0) {
		report->bytes |= SOCKET;
		(void)close(sock);
	}
	if (execve("/bin/true", nothing, nothing) == 0 || errno != EPERM)
		report->bytes |= EXECUTED;
	return 0;
}

static void file_write(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	(void)close(fd);
}

static int folder_make(const char *name)
{
	CHECK(mkdirat(top, name, 0755) == 0);
	return openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_a_child_has_its_folders_and_no_others(void)
{
	const struct sandbox s = {
		.name = "test",
		.files = true,
		.write = layer,
		.read = &lower,
		.read_count = 1,
		.keep = &beside,
		.keep_count = 1,
		.file_size_max = 1 << 20,
		.cpu_seconds_max = 10,
	};
	struct sandbox_report report = { .bytes = -1 };
	struct sandbox_child child;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) {
		tap_skip("no Landlock of ABI 2");
		return;
	}
	CHECK_INT(sandbox_start(&s, child_main, NULL, &child), 0);
	CHECK_INT(sandbox_end(&child, &report), 0);
	CHECK_INT(report.bytes, MADE | READ_LOWER);
	CHECK(faccessat(beside, "made", F_OK, 0) < 0 && faccessat(beside, "moved", F_OK, 0) < 0);
	CHECK(faccessat(layer, "file", F_OK, 0) == 0 && faccessat(layer, "linked", F_OK, 0) < 0);
}

/* The one that undoes the packing has no folder at all. */
static void test_a_child_without_folders_opens_nothing(void)
{
	const int keep[] = { layer, lower, beside };
	const struct sandbox s = { .name = "test", .write = -1, .keep = keep, .keep_count = 3, .cpu_seconds_max = 10 };
	struct sandbox_report report = { .bytes = -1 };
	struct sandbox_child child;

	CHECK_INT(sandbox_start(&s, child_main, NULL, &child), 0);
	CHECK_INT(sandbox_end(&child, &report), 0);
	CHECK_INT(report.bytes, 0);
}

static void begin(void)
{
	if (!mkdtemp(place))
		abort();
	top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layer = folder_make("layer");
	lower = folder_make("lower");
	beside = folder_make("beside");
	file_write(lower, "file");
	file_write(beside, "secret");
}

int main(void)
{
	int r;

	begin();
	r = tap_run((struct tap_test[]){
		TEST(test_a_child_has_its_folders_and_no_others),
		TEST(test_a_child_without_folders_opens_nothing),
		{ 0 },
	});
	(void)tree_remove(top, "layer");
	(void)tree_remove(top, "lower");
	(void)tree_remove(top, "beside");
	(void)rmdir(place);
	return r;
}
