/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a keeper writes is read back here by a JSON reader that is not ours; and it keeps real children. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "runtime/service/keeper.h"
#include "tests/unit/tap.h"

static int file_new(void)
{
	return memfd_create("test-keeper", MFD_CLOEXEC);
}

static char *file_text(int fd)
{
	struct stat st = { .st_size = 0 };
	char *text;

	(void)fstat(fd, &st);
	text = calloc(1, (size_t)st.st_size + 1);
	if (text && pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		text[0] = '\0';
	return text;
}

/* What a JSON reader makes of one logged text; malloc'ed, its size in @ret_size. */
static char *through_log(const char *text, size_t size, size_t *ret_size)
{
	cleanup_fd int fd = file_new();
	struct keeper_log log = { .fd = fd };
	cleanup_free char *line = NULL;
	json_t *v;
	char *back = NULL;

	CHECK_INT(keeper_log_line(&log, "stdout", text, size), 0);
	line = file_text(fd);
	CHECK_INT(log.end, (long long)strlen(line));
	v = json_loads(line, JSON_ALLOW_NUL, NULL);
	CHECK(v != NULL);
	CHECK_STR(json_string_value(json_object_get(v, "stream")), "stdout");
	*ret_size = json_string_length(json_object_get(v, "log"));
	back = malloc(*ret_size + 1);
	if (back && v)
		memcpy(back, json_string_value(json_object_get(v, "log")), *ret_size + 1);
	json_decref(v);
	return back;
}

static void check_back(const char *text, size_t size, const char *want, size_t want_size)
{
	size_t got_size = 0;
	cleanup_free char *got = through_log(text, size, &got_size);

	CHECK_INT((long long)got_size, (long long)want_size);
	CHECK(got && got_size == want_size && memcmp(got, want, want_size) == 0);
}

static void test_text_comes_back_as_it_was(void)
{
	static const char *const texts[] = {
		"", "plain\n", "quote \" backslash \\ slash /", "tab\there\r\n", "\x01\x1f\x7f\x1b[31m",
		"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\x80\n", "\xef\xbf\xbf \xf4\x8f\xbf\xbf", "</script>&",
	};
	char all[256];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check_back(texts[i], strlen(texts[i]), texts[i], strlen(texts[i]));
	for (int i = 0; i < 128; i++)
		all[i] = (char)i;
	check_back(all, 128, all, 128);
}

static void test_what_is_no_utf8_is_replaced(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a\xff" "b", "a\xef\xbf\xbd" "b" },
		{ "\x80", "\xef\xbf\xbd" },
		{ "\xc3", "\xef\xbf\xbd" },			/* cut short */
		{ "\xe2\x82x", "\xef\xbf\xbd\xef\xbf\xbdx" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },	/* longer than needed */
		{ "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_back(cases[i].text, strlen(cases[i].text), cases[i].want, strlen(cases[i].want));
}

static void test_a_long_line_of_escapes_is_whole(void)
{
	enum { SIZE = 16 * 1024 };
	cleanup_free char *text = malloc(SIZE);

	memset(text, 1, SIZE);
	check_back(text, SIZE, text, SIZE);
}

static void test_time_is_now(void)
{
	char text[KEEPER_TIME_SIZE], want[KEEPER_TIME_SIZE], after[KEEPER_TIME_SIZE];
	time_t now = time(NULL), then;
	struct tm tm;

	keeper_time(text);
	then = time(NULL);
	(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	(void)strftime(after, sizeof(after), "%Y-%m-%dT%H:%M:%S", gmtime_r(&then, &tm));
	CHECK_INT((long long)strlen(text), 30);
	CHECK(strncmp(text, want, 19) == 0 || strncmp(text, after, 19) == 0);
	CHECK(text[19] == '.' && text[29] == 'Z');
}

static void test_a_line_that_does_not_fit_is_taken_back(void)
{
	struct rlimit limit = { .rlim_cur = 150, .rlim_max = RLIM_INFINITY }, before;
	char name[] = "/tmp/test-keeper-XXXXXX";
	cleanup_fd int fd = mkstemp(name);
	struct keeper_log log = { .fd = fd };
	char text[500];
	struct stat st;

	(void)unlink(name);
	memset(text, 'x', sizeof(text));
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)getrlimit(RLIMIT_FSIZE, &before);
	limit.rlim_max = before.rlim_max;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_INT(keeper_log_line(&log, "stdout", "short\n", 6), 0);
	CHECK(keeper_log_line(&log, "stdout", text, sizeof(text)) < 0);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(st.st_size, log.end);
	CHECK_INT(keeper_log_line(&log, "stdout", text, sizeof(text)), 0);
}

static void test_ending_is_one_line_in_place(void)
{
	cleanup_fd int fd = file_new();
	cleanup_free char *text = NULL;
	json_t *v;

	CHECK_INT(keeper_ending_write(fd, 137, true), 0);
	text = file_text(fd);
	v = json_loads(text, 0, NULL);
	CHECK_INT(json_integer_value(json_object_get(v, "status")), 137);
	CHECK(json_is_true(json_object_get(v, "oomKilled")));
	CHECK(json_is_string(json_object_get(v, "time")));
	json_decref(v);
	CHECK(text[strlen(text) - 1] == '\n');
}

/* Keep a shell that runs @script, in a process of its own as a keeper is. Return: the keeper's exit status. */
static int keep(const char *script, int log, int ending, int events, char **removal)
{
	pid_t keeper = fork();
	int status = 0;

	if (keeper == 0) {
		int out[2], err[2];
		struct keeper k;
		pid_t pid;

		if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
			_exit(99);
		pid = fork();
		if (pid == 0) {
			(void)dup2(out[1], 1);
			(void)dup2(err[1], 2);
			(void)execl("/bin/sh", "sh", "-c", script, NULL);
			_exit(98);
		}
		(void)close(out[1]);
		(void)close(err[1]);
		k = KEEPER_NONE;
		k.pid = pid;
		k.exit = ending;
		k.log = log;
		k.out = out[0];
		k.err = err[0];
		k.events = events;
		k.program = removal;
		k.remove = removal;
		k.id = "test";
		_exit(keeper_run(&k) == 0 ? 0 : 97);
	}
	while (waitpid(keeper, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static int ending_status(int fd)
{
	cleanup_free char *text = file_text(fd);
	json_t *v = json_loads(text, 0, NULL);
	int status = v ? (int)json_integer_value(json_object_get(v, "status")) : -1;

	json_decref(v);
	return status;
}

static void test_keeper_logs_and_records(void)
{
	cleanup_fd int log = file_new(), ending = file_new();
	cleanup_free char *text = NULL;

	CHECK_INT(keep("echo one; echo two >&2; printf three; exit 42", log, ending, -1, NULL), 0);
	text = file_text(log);
	CHECK_HAS(text, "{\"log\":\"one\\n\",\"stream\":\"stdout\",");
	CHECK_HAS(text, "{\"log\":\"two\\n\",\"stream\":\"stderr\",");
	CHECK_HAS(text, "{\"log\":\"three\",\"stream\":\"stdout\",");
	CHECK_INT(ending_status(ending), 42);
}

static void test_keeper_records_a_signal(void)
{
	cleanup_fd int ending = file_new();

	CHECK_INT(keep("kill -KILL $$", -1, ending, -1, NULL), 0);
	CHECK_INT(ending_status(ending), 137);
}

static void test_a_grandchild_that_holds_the_pipe_is_not_waited_for(void)
{
	cleanup_fd int log = file_new(), ending = file_new();
	cleanup_free char *text = NULL;
	time_t start = time(NULL);

	CHECK_INT(keep("echo said; sleep 30 & exit 0", log, ending, -1, NULL), 0);
	CHECK(time(NULL) - start < 20);
	text = file_text(log);
	CHECK_HAS(text, "said");
	CHECK_INT(ending_status(ending), 0);
}

static void test_a_full_disk_does_not_stop_the_payload(void)
{
	cleanup_fd int log = open("/dev/full", O_WRONLY | O_CLOEXEC), ending = file_new();

	CHECK_INT(keep("i=0; while [ $i -lt 3000 ]; do echo a line of some length that fills a pipe; i=$((i+1)); "
		       "done; exit 7", log, ending, -1, NULL), 0);
	CHECK_INT(ending_status(ending), 7);
}

static void test_long_lines_are_cut_between_characters(void)
{
	cleanup_fd int log = file_new(), ending = file_new();
	cleanup_free char *text = NULL;

	/* 3 bytes each: 16384 is no multiple of that */
	CHECK_INT(keep("i=0; while [ $i -lt 6000 ]; do printf '\\342\\202\\254'; i=$((i+1)); done", log, ending, -1, NULL), 0);
	text = file_text(log);
	CHECK(strstr(text, "ufffd") == NULL);
	CHECK(strchr(text, '\n') != strrchr(text, '\n'));
}

static void test_oom_is_read_from_the_cgroup(void)
{
	static const char none[] = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n";
	static const char some[] = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 0\n";
	cleanup_fd int ending = file_new(), other = file_new(), events = file_new();
	cleanup_free char *text = NULL, *other_text = NULL;

	CHECK_INT(pwrite(events, none, strlen(none), 0), (long long)strlen(none));
	CHECK_INT(keep("exit 0", -1, ending, events, NULL), 0);
	CHECK_INT(pwrite(events, some, strlen(some), 0), (long long)strlen(some));
	CHECK_INT(keep("exit 0", -1, other, events, NULL), 0);
	text = file_text(ending);
	other_text = file_text(other);
	CHECK_HAS(text, "\"oomKilled\":false");
	CHECK_HAS(other_text, "\"oomKilled\":true");
}

static void test_removal_runs_last_and_signals_do_not_end_a_keeper(void)
{
	char program[] = "/bin/sh", option[] = "-c", script[] = "exit 55";
	char *removal[] = { program, option, script, NULL };
	cleanup_fd int ending = file_new();

	CHECK_INT(keep("sleep 0.3; kill -TERM $PPID; kill -HUP $PPID; kill -INT $PPID; sleep 0.1; exit 3", -1, ending, -1, removal), 55);
	CHECK_INT(ending_status(ending), 3);
}

static void test_delays_double_and_begin_again(void)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000 };
	int64_t delay = 0;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		delay = keeper_delay_next(delay, 5);
		CHECK_INT(delay, want[i]);
	}
	CHECK_INT(keeper_delay_next(60000, 9999), 60000);
	CHECK_INT(keeper_delay_next(60000, 10000), 100);
}

static void test_note_is_json_of_one_size(void)
{
	static const struct keeper_note notes[] = {
		{ .status = -1 },
		{ .restarts = 7, .failing = 2, .lost = 1, .status = 137, .waiting = true, .oom_killed = true, .unhealthy = true,
		  .health = KEEPER_UNHEALTHY },
		{ .restarts = INT64_MAX, .failing = INT64_MAX, .lost = INT64_MAX, .status = 255, .health = KEEPER_STARTING },
	};
	cleanup_fd int fd = file_new();

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		cleanup_free char *text = NULL;
		json_t *v;

		CHECK_INT(keeper_note_write(fd, &notes[i]), 0);
		text = file_text(fd);
		CHECK_INT((long long)strlen(text), KEEPER_NOTE_SIZE);
		v = json_loads(text, 0, NULL);
		CHECK_INT(json_integer_value(json_object_get(v, "version")), 1);
		CHECK_INT(json_integer_value(json_object_get(v, "restarts")), notes[i].restarts);
		CHECK_INT(json_integer_value(json_object_get(v, "status")), notes[i].status);
		CHECK(json_is_true(json_object_get(v, "waiting")) == notes[i].waiting);
		CHECK_STR(json_string_value(json_object_get(v, "health")), i == 0 ? "" : i == 1 ? "unhealthy" : "starting");
		json_decref(v);
	}
}

static void test_last_end_goes_there_and_back(void)
{
	static const struct keeper_note notes[] = {
		{ .status = -1 }, { .status = 0 }, { .status = 255, .oom_killed = true }, { .status = 3, .unhealthy = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		struct keeper_note back = { .status = 99 };

		keeper_last_read(keeper_last(&notes[i]), &back);
		CHECK_INT(back.status, notes[i].status);
		CHECK(back.oom_killed == notes[i].oom_killed && back.unhealthy == notes[i].unhealthy);
	}
}

/* A log in a folder of its own, written until all its files are full several times. Return: bytes of all of them. */
static long long rotated(int64_t size, int64_t files, int lines, int *ret_files)
{
	char folder[] = "/tmp/test-keeper-XXXXXX", name[64];
	struct keeper_log log = { .size = size, .files = files };
	long long bytes = 0;
	struct stat st;

	*ret_files = 0;
	CHECK(mkdtemp(folder) != NULL);
	log.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log.fd = openat(log.folder, "log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < lines; i++) {
		int n = snprintf(name, sizeof(name), "line %d\n", i);

		CHECK_INT(keeper_log_line(&log, "stdout", name, (size_t)n), 0);
	}
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), i ? "log.%d" : "log", i);
		if (fstatat(log.folder, name, &st, 0) < 0)
			continue;
		++*ret_files;
		bytes += st.st_size;
		CHECK(st.st_size < size + 200);
		(void)unlinkat(log.folder, name, 0);
	}
	(void)close(log.fd);
	(void)close(log.folder);
	(void)rmdir(folder);
	return bytes;
}

static void test_logs_are_put_aside(void)
{
	int files;

	CHECK(rotated(1000, 3, 200, &files) <= 3 * 1200);
	CHECK_INT(files, 3);
	CHECK(rotated(1000, 1, 200, &files) <= 1200);
	CHECK_INT(files, 1);
	CHECK(rotated(1 << 20, 3, 10, &files) > 0);
	CHECK_INT(files, 1);
}

/* A program in nacelle's place, which tells how it was called. */
static void test_a_failure_is_started_again_later(void)
{
	char program[] = "/bin/sh", option[] = "-c", script[] = "exec 1>&2; [ $1 = again ] && exit 66", name[] = "nacelle";
	char *words[] = { program, option, script, name, NULL };
	cleanup_fd int ending = file_new(), note = file_new();
	cleanup_free char *text = NULL;
	struct keeper k = KEEPER_NONE;
	struct timespec before, after;
	pid_t keeper;
	int status = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	keeper = fork();
	if (keeper == 0) {
		k.pid = fork();
		if (k.pid == 0)
			_exit(7);
		k.exit = ending;
		k.note = note;
		k.program = words;
		k.id = "test";
		k.restart = KEEPER_RESTART_ON_FAILURE;
		k.delay = 100;
		_exit(keeper_run(&k) == 0 ? 0 : 97);
	}
	while (waitpid(keeper, &status, 0) < 0)
		;
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK_INT(WEXITSTATUS(status), 66);
	CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 200);
	text = file_text(note);
	CHECK_HAS(text, "\"restarts\":1,\"waiting\":true,\"status\":7,");
	free(text);
	text = file_text(ending);
	CHECK_STR(text, "");
}

static void test_what_succeeds_is_not_started_again_on_failure(void)
{
	char program[] = "/bin/sh", option[] = "-c", script[] = "exit 66";
	char *words[] = { program, option, script, NULL };
	cleanup_fd int ending = file_new();
	struct keeper k = KEEPER_NONE;
	pid_t keeper = fork();
	int status = 0;

	if (keeper == 0) {
		k.pid = fork();
		if (k.pid == 0)
			_exit(0);
		k.exit = ending;
		k.program = words;
		k.id = "test";
		k.restart = KEEPER_RESTART_ON_FAILURE;
		_exit(keeper_run(&k) == 0 ? 0 : 97);
	}
	while (waitpid(keeper, &status, 0) < 0)
		;
	CHECK_INT(WEXITSTATUS(status), 0);
	CHECK_INT(ending_status(ending), 0);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_text_comes_back_as_it_was),
		TEST(test_what_is_no_utf8_is_replaced),
		TEST(test_a_long_line_of_escapes_is_whole),
		TEST(test_time_is_now),
		TEST(test_a_line_that_does_not_fit_is_taken_back),
		TEST(test_ending_is_one_line_in_place),
		TEST(test_keeper_logs_and_records),
		TEST(test_keeper_records_a_signal),
		TEST(test_a_grandchild_that_holds_the_pipe_is_not_waited_for),
		TEST(test_a_full_disk_does_not_stop_the_payload),
		TEST(test_long_lines_are_cut_between_characters),
		TEST(test_oom_is_read_from_the_cgroup),
		TEST(test_removal_runs_last_and_signals_do_not_end_a_keeper),
		TEST(test_delays_double_and_begin_again),
		TEST(test_note_is_json_of_one_size),
		TEST(test_last_end_goes_there_and_back),
		TEST(test_logs_are_put_aside),
		TEST(test_a_failure_is_started_again_later),
		TEST(test_what_succeeds_is_not_started_again_on_failure),
		{ NULL, NULL },
	});
}
