/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

static char log_file[] = "/tmp/nacelle-test-log.XXXXXX";
static char file_text[65536], stderr_text[65536];

static void read_into(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
}

/* Run @write with stderr caught; afterwards both texts hold what was written since. */
static void catch (void (*write)(void))
{
	cleanup_fd int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	cleanup_fd int caught = memfd_create("stderr", MFD_CLOEXEC);
	cleanup_fd int file = open(log_file, O_RDWR | O_TRUNC | O_CLOEXEC);

	(void)dup2(caught, STDERR_FILENO);
	write();
	(void)dup2(saved, STDERR_FILENO);
	read_into(caught, stderr_text, sizeof(stderr_text));
	read_into(file, file_text, sizeof(file_text));
}

static void write_all_levels(void)
{
	log_debug("d %d", 1);
	log_line(LOG_LEVEL_INFO, "i");
	log_warn("w");
	log_error("e");
}

/* The one JSON line in @line, checked as its readers would. */
static void check_json_line(const char *line, const char *level, const char *message)
{
	cleanup_json json_t *v = NULL;
	const char *when;
	int year, month, day, hour, minute, second, length = 0;
	long ns;

	if (!CHECK(str_ends(line, "\n") && strchr(line, '\n') == line + strlen(line) - 1) ||
	    !CHECK_INT(json_parse("line", line, strlen(line), &v), 0))
		return;
	CHECK_INT((long long)json_object_size(v), 3);
	CHECK_STR(json_string_value(json_object_get(v, "level")), level);
	CHECK_STR(json_string_value(json_object_get(v, "msg")), message);
	when = json_string_value(json_object_get(v, "time"));
	if (!CHECK(when && sscanf(when, "%4d-%2d-%2dT%2d:%2d:%2d.%9ldZ%n", &year, &month, &day,
				  &hour, &minute, &second, &ns, &length) == 7))
		return;
	CHECK_INT((long long)strlen(when), 30);
	CHECK_INT(length, 30);
	CHECK(year >= 2024);
}

static void test_at_first_warnings_go_to_stderr(void)
{
	catch (write_all_levels);
	CHECK_STR(stderr_text, "nacelle: warning: w\nnacelle: e\n");
	CHECK_STR(file_text, "");
	CHECK(!log_is_debug());
}

static void test_the_level_can_be_lowered(void)
{
	CHECK_INT(log_open(NULL, false, LOG_LEVEL_DEBUG), 0);
	CHECK(log_is_debug());
	catch (write_all_levels);
	CHECK_STR(stderr_text,
		  "nacelle: debug: d 1\nnacelle: info: i\nnacelle: warning: w\nnacelle: e\n");
}

static void write_warning(void)
{
	log_warn("a \"b\" \\ ü\n\x1b[31m");
}

static void write_error(void)
{
	log_error("cannot \"x\"");
}

static void test_json_lines_reach_stderr_without_a_file(void)
{
	CHECK_INT(log_open(NULL, true, LOG_LEVEL_WARNING), 0);
	catch (write_warning);
	check_json_line(stderr_text, "warning", "a \"b\" \\ ü\\n\\u001b[31m");
	catch (write_error);
	check_json_line(stderr_text, "error", "cannot \"x\"");
}

static void test_an_error_goes_to_stderr_and_to_the_file(void)
{
	CHECK_INT(log_open(log_file, true, LOG_LEVEL_WARNING), 0);
	catch (write_error);
	CHECK_STR(stderr_text, "nacelle: cannot \"x\"\n");
	check_json_line(file_text, "error", "cannot \"x\"");
	catch (write_warning);
	CHECK_STR(stderr_text, "");
	check_json_line(file_text, "warning", "a \"b\" \\ ü\\n\\u001b[31m");
}

static void test_a_file_may_be_text(void)
{
	CHECK_INT(log_open(log_file, false, LOG_LEVEL_WARNING), 0);
	catch (write_error);
	CHECK_STR(stderr_text, "nacelle: cannot \"x\"\n");
	CHECK(str_starts(file_text, "time=\"20") != NULL);
	CHECK(str_ends(file_text, "Z\" level=error msg=\"cannot \\\"x\\\"\"\n"));
}

static void write_plain_hostile(void)
{
	log_error("\x1b]0;title\x07 \xff \xc2\x9b");
}

static void test_no_control_character_leaves_raw(void)
{
	CHECK_INT(log_open(NULL, false, LOG_LEVEL_WARNING), 0);
	catch (write_plain_hostile);
	CHECK_STR(stderr_text, "nacelle: \\u001b]0;title\\u0007 \\xff \\u009b\n");
}

static char large[20000];

static void write_large(void)
{
	log_warn("%s", large);
}

static void write_large_error(void)
{
	log_error(large);
}

static void test_a_long_line_is_cut_and_stays_whole(void)
{
	static const char *const fillings[] = { "a", "\"", "\x01", "ü" };

	CHECK_INT(log_open(log_file, true, LOG_LEVEL_WARNING), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fillings); i++) {
		size_t n = strlen(fillings[i]);

		for (size_t j = 0; j + n < sizeof(large); j += n)
			memcpy(large + j, fillings[i], n);
		for (int k = 0; k < 2; k++) {
			cleanup_json json_t *v = NULL;

			catch (k ? write_large : write_large_error);
			CHECK_INT(json_parse("line", file_text, strlen(file_text), &v), 0);
			CHECK(json_string_length(json_object_get(v, "msg")) > 4000);
			CHECK(str_ends(file_text, "\"}\n"));
		}
	}
}

static void test_lines_are_appended_with_errno_kept(void)
{
	cleanup_fd int file = open(log_file, O_RDWR | O_TRUNC | O_CLOEXEC);

	CHECK_INT(fd_write_all(file, "before\n", 7), 0);
	CHECK_INT(log_open(log_file, false, LOG_LEVEL_WARNING), 0);
	errno = EXDEV;
	log_warn("after");
	CHECK_INT(errno, EXDEV);
	read_into(file, file_text, sizeof(file_text));
	CHECK(str_starts(file_text, "before\ntime=") != NULL);
}

static void test_a_new_file_is_private_and_its_fd_not_inherited(void)
{
	cleanup_free char *name = NULL;
	struct stat st;

	CHECK_INT(str_format(&name, "%s.new", log_file), 0);
	CHECK_INT(log_open(name, false, LOG_LEVEL_WARNING), 0);
	CHECK_INT(stat(name, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(unlink(name), 0);
	CHECK_INT(log_open("/absent/log", false, LOG_LEVEL_WARNING), -ENOENT);
	CHECK_STR(fail_text(), "open log file '/absent/log': not found");
	CHECK_INT(log_open(NULL, false, LOG_LEVEL_WARNING), 0);
}

int main(void)
{
	int fd = mkostemp(log_file, O_CLOEXEC), status;

	if (fd < 0)
		return 1;
	(void)close(fd);
	status = tap_run((struct tap_test[]){
		TEST(test_at_first_warnings_go_to_stderr),
		TEST(test_the_level_can_be_lowered),
		TEST(test_json_lines_reach_stderr_without_a_file),
		TEST(test_an_error_goes_to_stderr_and_to_the_file),
		TEST(test_a_file_may_be_text),
		TEST(test_no_control_character_leaves_raw),
		TEST(test_a_long_line_is_cut_and_stays_whole),
		TEST(test_lines_are_appended_with_errno_kept),
		TEST(test_a_new_file_is_private_and_its_fd_not_inherited),
		{ 0 },
	});
	(void)unlink(log_file);
	return status;
}
