/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

/* A fresh folder of this run's; each test leaves it empty. */
static char folder[] = "/tmp/nacelle-test-fd.XXXXXX";
static int dir = -1;

static void file_make(const char *name, const char *text)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static int folder_count(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void test_a_path_cannot_leave_its_root(void)
{
	int fd;

	file_make("passwd", "inside");
	CHECK_INT(symlinkat("/passwd", dir, "absolute"), 0);
	CHECK_INT(symlinkat("../../../../passwd", dir, "upwards"), 0);
	CHECK_INT(symlinkat("/proc/self/root/etc/passwd", dir, "magic"), 0);
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "/passwd", "../../passwd", "absolute",
						     "upwards" };
		cleanup_free char *text = NULL;

		fd = fd_open_in(dir, names[i], O_RDONLY, 0);
		if (!CHECK(fd > 2))
			continue;
		CHECK(is_cloexec(fd));
		CHECK_INT(fd_read_all(fd, 100, &text, NULL), 0);
		CHECK_STR(text, "inside");
		(void)close(fd);
	}
	CHECK_INT(fd_open_in(dir, "magic", O_RDONLY, 0), -ENOENT);
	CHECK_INT(fd_open_in(dir, "absent", O_RDONLY, 0), -ENOENT);
	for (int i = 0; i < 3; i++)
		CHECK_INT(unlinkat(dir, ((const char *[]){ "absolute", "upwards", "magic" })[i], 0),
			  0);
	CHECK_INT(unlinkat(dir, "passwd", 0), 0);
}

static void test_leaving_is_an_error_beneath(void)
{
	file_make("f", "x");
	CHECK_INT(symlinkat("/etc/passwd", dir, "l"), 0);
	CHECK_INT(fd_open_beneath(dir, "../x", O_RDONLY, 0), -EXDEV);
	CHECK_INT(fd_open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	CHECK_INT(fd_open_beneath(dir, "l", O_RDONLY, 0), -EXDEV);
	cleanup_fd int fd = fd_open_beneath(dir, "f", O_RDONLY, 0);
	CHECK(fd > 2);
	cleanup_fd int made = fd_open_beneath(dir, "g", O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(made > 2);
	CHECK_INT(unlinkat(dir, "f", 0) | unlinkat(dir, "g", 0) | unlinkat(dir, "l", 0), 0);
}

static void test_magic_links_are_refused(void)
{
	cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK_INT(fd_open_in(proc, "self/root", O_PATH, 0), -ELOOP);
	CHECK_INT(fd_open_beneath(proc, "self/cwd", O_PATH, 0), -ELOOP);
}

static void test_an_o_path_fd_is_opened_again(void)
{
	cleanup_free char *text = NULL;

	file_make("f", "again");
	cleanup_fd int path = fd_open_in(dir, "f", O_PATH | O_NOFOLLOW, 0);
	cleanup_fd int fd = fd_reopen(path, O_RDONLY);
	CHECK(fd > 2 && is_cloexec(fd));
	CHECK_INT(fd_read_all(fd, 5, &text, NULL), 0);
	CHECK_STR(text, "again");
	CHECK_INT(fd_reopen(99999, O_RDONLY), -ENOENT);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
}

static void test_reading_stops_at_the_limit(void)
{
	cleanup_free char *large = malloc(100001), *text = NULL;
	size_t size = 0;

	memset(large, 'x', 100000);
	large[100000] = '\0';
	file_make("f", large);
	cleanup_fd int fd = openat(dir, "f", O_RDONLY | O_CLOEXEC);
	CHECK_INT(fd_read_all(fd, 99999, &text, &size), -EFBIG);
	CHECK(!text);
	CHECK_INT((long long)lseek(fd, 0, SEEK_SET), 0);
	CHECK_INT(fd_read_all(fd, 100000, &text, &size), 0);
	CHECK_INT((long long)size, 100000);
	CHECK(text && strlen(text) == 100000);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
}

static void test_an_empty_file_is_an_empty_text(void)
{
	cleanup_free char *text = NULL, *small = NULL;
	size_t size = 9;

	cleanup_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_INT(fd_read_all(fd, 0, &text, &size), 0);
	CHECK_INT((long long)size, 0);
	CHECK_STR(text, "");
	CHECK(fd_read_all(-1, 10, &small, NULL) == -EBADF);
}

static void test_a_pipe_is_read_in_pieces(void)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	int fds[2];

	if (!CHECK_INT(pipe2(fds, O_CLOEXEC), 0))
		return;
	pid_t pid = fork();
	if (pid == 0) {
		static char block[50000];

		memset(block, 'p', sizeof(block));
		for (int i = 0; i < 10; i++)
			if (fd_write_all(fds[1], block, sizeof(block)) < 0)
				_exit(1);
		_exit(0);
	}
	(void)close(fds[1]);
	CHECK_INT(fd_read_all(fds[0], 1 << 20, &text, &size), 0);
	CHECK_INT((long long)size, 500000);
	(void)close(fds[0]);
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_a_small_file_is_written_and_read(void)
{
	cleanup_free char *text = NULL;

	file_make("f", "abcdef");
	CHECK_INT(fd_write_file(dir, "f", "xy"), 0);
	CHECK_INT(fd_read_file(dir, "f", &text), 0);
	CHECK_STR(text, "xycdef");
	CHECK_INT(symlinkat("f", dir, "l"), 0);
	CHECK_INT(fd_write_file(dir, "l", "zz"), -ELOOP);
	CHECK_HAS(fail_text(), "open 'l' for writing: ");
	CHECK_INT(fd_write_file(dir, "absent", "x"), -ENOENT);
	CHECK_STR(fail_text(), "open 'absent' for writing: not found");
	CHECK(faccessat(dir, "absent", F_OK, 0) < 0);
	CHECK_INT(fd_read_file(dir, "absent", &text), -ENOENT);
	CHECK_STR(fail_text(), "open 'absent': not found");
	CHECK_INT(unlinkat(dir, "f", 0) | unlinkat(dir, "l", 0), 0);
}

static void test_a_refused_write_says_what_was_written(void)
{
	CHECK_INT(fd_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "a lot\x1b"), -EINVAL);
	CHECK_STR(fail_text(),
		  "write \"a lot\\u001b\" to '/proc/self/oom_score_adj': Invalid argument");
	CHECK_INT(fd_write_file(AT_FDCWD, "/dev/full", "x"), -ENOSPC);
}

static void test_a_small_file_has_a_limit(void)
{
	cleanup_free char *text = NULL;

	CHECK_INT(fd_read_file(AT_FDCWD, "/dev/zero", &text), -EFBIG);
	CHECK_STR(fail_text(), "read '/dev/zero': File too large");
}

static void test_a_file_is_replaced_as_a_whole(void)
{
	cleanup_free char *text = NULL;
	mode_t mask = umask(0077);
	struct stat before, after;

	file_make("f", "old and longer");
	CHECK_INT(fstatat(dir, "f", &before, 0), 0);
	CHECK_INT(fd_replace_file(dir, "f", "new", 3, 0644), 0);
	CHECK_INT(fd_read_file(dir, "f", &text), 0);
	CHECK_STR(text, "new");
	CHECK_INT(fstatat(dir, "f", &after, 0), 0);
	CHECK(before.st_ino != after.st_ino);
	CHECK_INT(after.st_mode & 07777, 0644);
	CHECK_INT(folder_count(), 1);
	(void)umask(mask);
	CHECK_INT(fd_replace_file(dir, "f", "", 0, 0600), 0);
	CHECK_INT(fstatat(dir, "f", &after, 0), 0);
	CHECK_INT(after.st_mode & 07777, 0600);
	CHECK_INT((long long)after.st_size, 0);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
}

static void test_a_failed_replacement_leaves_nothing(void)
{
	CHECK_INT(mkdirat(dir, "d", 0755), 0);
	file_make("d/inside", "x");
	CHECK(fd_replace_file(dir, "d", "new", 3, 0644) < 0);
	CHECK_HAS(fail_text(), "' to 'd': Is a directory");
	CHECK_INT(folder_count(), 1);
	CHECK_INT(fd_replace_file(dir, "d/file", "new", 3, 0644), 0);
	CHECK_INT(fd_replace_file(dir, "absent/file", "new", 3, 0644), -ENOENT);
	CHECK_INT(folder_count(), 1);
	CHECK_INT(unlinkat(dir, "d/file", 0) | unlinkat(dir, "d/inside", 0) |
			  unlinkat(dir, "d", AT_REMOVEDIR),
		  0);
}

static void test_a_leftover_temporary_file_does_not_stop_us(void)
{
	cleanup_free char *name = NULL;

	CHECK_INT(str_format(&name, ".f.%d-0", getpid()), 0);
	file_make(name, "left");
	CHECK_INT(fd_replace_file(dir, "f", "new", 3, 0600), 0);
	CHECK_INT(folder_count(), 2);
	CHECK_INT(unlinkat(dir, name, 0) | unlinkat(dir, "f", 0), 0);
}

static void test_no_fd_falls_on_stdio(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		int fd, again;

		(void)close(0);
		fd = fd_open_in(dir, ".", O_PATH, 0);
		again = fd_reopen(dir, O_RDONLY | O_DIRECTORY);
		_exit(fd > 2 && again > 2 && is_cloexec(fd) && is_cloexec(again) &&
				      fcntl(0, F_GETFD) < 0
			      ? 0
			      : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	CHECK_INT(fd_lift(-5), -5);
	CHECK_INT(fd_lift(dir), dir);
}

static void test_the_first_of_a_name_stays(void)
{
	cleanup_free char *text = NULL;

	file_make(".one", "one");
	file_make(".two", "two");
	CHECK_INT(fd_rename_first(dir, ".one", "name"), 0);
	CHECK_INT(fd_rename_first(dir, ".two", "name"), 0);
	CHECK_INT(fd_read_file(dir, "name", &text), 0);
	CHECK_STR(text, "one");
	CHECK_INT(fd_rename_first(dir, ".none", "other"), -ENOENT);
	CHECK_INT(folder_count(), 1);
	CHECK_INT(unlinkat(dir, "name", 0), 0);
}

static void test_fds_above_a_number_are_marked(void)
{
	cleanup_fd int low = fcntl(dir, F_DUPFD, 50), high = fcntl(dir, F_DUPFD, 60);

	CHECK_INT(fd_close_on_exec_from(60), 0);
	CHECK(!is_cloexec(low));
	CHECK(is_cloexec(high));
}

static void test_a_device_is_known_by_its_numbers(void)
{
	cleanup_fd int null = open("/dev/null", O_PATH | O_CLOEXEC);

	CHECK_INT(fd_is_device(null, 1, 3), 1);
	CHECK_INT(fd_is_device(null, 1, 5), 0);
	CHECK_INT(fd_is_device(dir, 1, 3), 0);
	CHECK_INT(fd_is_device(-1, 1, 3), -EBADF);
}

static void test_writing_reports_failure(void)
{
	cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CHECK_INT(fd_write_all(full, "x", 1), -ENOSPC);
	CHECK_INT(fd_write_all(full, "", 0), 0);
	CHECK_INT(fd_write_all(-1, "x", 1), -EBADF);
}

int main(void)
{
	int status;

	if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		printf("Bail out! cannot make a folder\n");
		return 1;
	}
	status = tap_run((struct tap_test[]){
		TEST(test_a_path_cannot_leave_its_root),
		TEST(test_leaving_is_an_error_beneath),
		TEST(test_magic_links_are_refused),
		TEST(test_an_o_path_fd_is_opened_again),
		TEST(test_reading_stops_at_the_limit),
		TEST(test_an_empty_file_is_an_empty_text),
		TEST(test_a_pipe_is_read_in_pieces),
		TEST(test_a_small_file_is_written_and_read),
		TEST(test_a_refused_write_says_what_was_written),
		TEST(test_a_small_file_has_a_limit),
		TEST(test_a_file_is_replaced_as_a_whole),
		TEST(test_a_failed_replacement_leaves_nothing),
		TEST(test_a_leftover_temporary_file_does_not_stop_us),
		TEST(test_no_fd_falls_on_stdio),
		TEST(test_the_first_of_a_name_stays),
		TEST(test_fds_above_a_number_are_marked),
		TEST(test_a_device_is_known_by_its_numbers),
		TEST(test_writing_reports_failure),
		{ 0 },
	});
	(void)close(dir);
	(void)rmdir(folder);
	return status;
}
