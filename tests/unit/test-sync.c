/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/sync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "tests/unit/tap.h"

/* The head of a message as it goes over the socket, to send wrong ones. */
struct head {
	int64_t value;
	uint32_t word;
	int32_t status;
};

static int fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void pair_close(int fds[2])
{
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_a_pair_is_close_on_exec_and_above_stdio(void)
{
	int fds[2];

	CHECK_INT(sync_pair(fds), 0);
	CHECK(fds[0] > 2 && fds[1] > 2);
	CHECK((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) && (fcntl(fds[1], F_GETFD) & FD_CLOEXEC));
	pair_close(fds);

	pid_t pid = fork();
	if (pid == 0) {
		(void)close(0);
		(void)close(2);
		_exit(sync_pair(fds) == 0 && fds[0] > 2 && fds[1] > 2 ? 0 : 1);
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_words_arrive_in_order_and_then_the_end(void)
{
	struct sync_message m;
	int fds[2];

	CHECK_INT(sync_pair(fds), 0);
	CHECK_INT(sync_send(fds[0], SYNC_CLONED, 4242, -1), 0);
	CHECK_INT(sync_send(fds[0], SYNC_READY, 0, -1), 0);
	CHECK_INT(sync_receive(fds[1], &m), 0);
	CHECK(m.word == SYNC_CLONED && m.value == 4242 && m.fd == -1 && m.status == 0);
	CHECK_STR(m.text, "");
	CHECK_INT(sync_expect(fds[1], SYNC_READY, "init", &m), 0);
	(void)close(fds[0]);
	CHECK_INT(sync_receive(fds[1], &m), 0);
	CHECK_INT(m.word, SYNC_NONE);
	CHECK_INT(sync_expect(fds[1], SYNC_GO, "the container's init", &m), -EPIPE);
	CHECK_STR(fail_text(), "the container's init ended before it said 'go'");
	(void)close(fds[1]);
}

static void test_an_end_with_something_unread_is_an_end_too(void)
{
	struct sync_message m;
	int fds[2];

	CHECK_INT(sync_pair(fds), 0);
	CHECK_INT(sync_send(fds[0], SYNC_GO, 0, -1), 0);
	(void)close(fds[1]);
	CHECK_INT(sync_receive(fds[0], &m), 0);
	CHECK_INT(m.word, SYNC_NONE);
	CHECK_INT(sync_send(fds[0], SYNC_GO, 0, -1), -EPIPE);
	CHECK_STR(fail_text(), "send 'go': Broken pipe");
	(void)close(fds[0]);
}

static void test_an_fd_is_handed_over(void)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stat sent, received;
	struct sync_message m;
	int fds[2];

	CHECK_INT(sync_pair(fds), 0);
	CHECK_INT(sync_send(fds[0], SYNC_CONSOLE, 0, null), 0);
	CHECK_INT(sync_expect(fds[1], SYNC_CONSOLE, "init", &m), 0);
	CHECK(m.fd > 2 && m.fd != null && (fcntl(m.fd, F_GETFD) & FD_CLOEXEC));
	CHECK(fstat(null, &sent) == 0 && fstat(m.fd, &received) == 0 &&
	      sent.st_rdev == received.st_rdev);
	(void)close(m.fd);
	pair_close(fds);
}

static void test_a_childs_failure_becomes_ours(void)
{
	struct sync_message m;
	int fds[2], status = -1;

	CHECK_INT(sync_pair(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int r = fail_exit(fail(ENOENT, "exec: \"x\""), STATUS_NOT_FOUND);

		sync_send_failure(fds[0], r);
		_exit(0);
	}
	(void)close(fds[0]);
	(void)fail_plain(EINVAL, "something else");
	CHECK_INT(sync_expect(fds[1], SYNC_READY, "init", &m), -ENOENT);
	CHECK_STR(fail_text(), "exec: \"x\": not found");
	CHECK_INT(fail_status(), STATUS_NOT_FOUND);
	CHECK_INT(m.fd, -1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	(void)close(fds[1]);
}

static void test_a_long_failure_is_cut(void)
{
	struct sync_message m;
	char large[3000];
	int fds[2];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	CHECK_INT(sync_pair(fds), 0);
	sync_send_failure(fds[0], fail_plain(EPERM, "%s %%d", large));
	CHECK_INT(sync_expect(fds[1], SYNC_READY, "init", &m), -EPERM);
	CHECK_INT((long long)strlen(fail_text()), SYNC_TEXT_MAX - 1);
	CHECK_INT(fail_status(), STATUS_OURS);
	/* percent signs are text; a wild error number is made a plain one */
	(void)fail_plain(EPERM, "%%s%%n");
	sync_send_failure(fds[0], -1000000);
	CHECK_INT(sync_expect(fds[1], SYNC_READY, "init", &m), -EINVAL);
	CHECK_STR(fail_text(), "%s%n");
	pair_close(fds);
}

static void test_another_word_than_the_expected_is_a_failure(void)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct sync_message m;
	int fds[2], before;

	CHECK_INT(sync_pair(fds), 0);
	before = fds_open();
	CHECK_INT(sync_send(fds[0], SYNC_LISTENER, 0, null), 0);
	CHECK_INT(sync_expect(fds[1], SYNC_READY, "init", &m), -EPROTO);
	CHECK_STR(fail_text(), "init said 'listener' where 'ready' was due");
	CHECK_INT(m.fd, -1);
	CHECK_INT(fds_open(), before);
	pair_close(fds);
}

/* Send @size bytes and @count fds as they are. */
static void send_raw(int sock, const void *bytes, size_t size, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { .bytes = { 0 } };
	char copy[8192];
	struct iovec iov = { .iov_base = copy, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(copy, bytes, size);
	if (count > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	CHECK_INT(sendmsg(sock, &msg, 0), (long long)size);
}

static void check_nonsense(int line, const void *bytes, size_t size)
{
	struct sync_message m;
	int fds[2];

	CHECK_INT(sync_pair(fds), 0);
	send_raw(fds[0], bytes, size, NULL, 0);
	tap_check_int(sync_receive(fds[1], &m), -EPROTO, __FILE__, line, "sync_receive()");
	tap_check_has(fail_text(), "received a message that makes no sense", __FILE__, line);
	pair_close(fds);
}
#define CHECK_NONSENSE(bytes, size) check_nonsense(__LINE__, bytes, size)

static void test_nonsense_is_refused(void)
{
	struct {
		struct head head;
		char text[4096];
	} m = { .head = { .word = SYNC_FAILED } };

	CHECK_NONSENSE(&m, 1);
	CHECK_NONSENSE(&m, sizeof(m.head) - 1);
	m.text[0] = 'x';
	CHECK_NONSENSE(&m, sizeof(m.head) + 1); /* text without an end */
	CHECK_NONSENSE(&m, sizeof(m.head) + 3); /* text behind the end */
	CHECK_NONSENSE(&m, sizeof(m.head) + SYNC_TEXT_MAX + 1); /* longer than any */
	m.head.status = 256;
	CHECK_NONSENSE(&m, sizeof(m.head));
	m.head.status = -1;
	CHECK_NONSENSE(&m, sizeof(m.head));
	m.head = (struct head){ .word = SYNC_NONE };
	CHECK_NONSENSE(&m, sizeof(m.head));
	m.head.word = SYNC_FAILED + 1;
	CHECK_NONSENSE(&m, sizeof(m.head));
	m.head.word = UINT32_MAX;
	CHECK_NONSENSE(&m, sizeof(m.head));
}

static void test_surplus_fds_are_closed(void)
{
	static const size_t counts[] = { 2, 4, 5, 12 };
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct head head = { .word = SYNC_CONSOLE };
	int fds[2], many[16], before;

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = null;
	CHECK_INT(sync_pair(fds), 0);
	before = fds_open();
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct sync_message m;

		send_raw(fds[0], &head, sizeof(head), many, counts[i]);
		CHECK_INT(sync_receive(fds[1], &m), -EPROTO);
		CHECK_INT(fds_open(), before);
	}
	/* the fd of a message that makes no sense is closed as well */
	struct sync_message m;
	send_raw(fds[0], &head, 3, many, 1);
	CHECK_INT(sync_receive(fds[1], &m), -EPROTO);
	CHECK_INT(fds_open(), before);
	pair_close(fds);
}

static void test_a_failure_to_receive_names_who_was_waited_for(void)
{
	struct sync_message m;

	CHECK_INT(sync_expect(-1, SYNC_GO, "the starter", &m), -EBADF);
	CHECK_STR(fail_text(), "the starter: receive a message: Bad file descriptor");
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_pair_is_close_on_exec_and_above_stdio),
		TEST(test_words_arrive_in_order_and_then_the_end),
		TEST(test_an_end_with_something_unread_is_an_end_too),
		TEST(test_an_fd_is_handed_over),
		TEST(test_a_childs_failure_becomes_ours),
		TEST(test_a_long_failure_is_cut),
		TEST(test_another_word_than_the_expected_is_a_failure),
		TEST(test_nonsense_is_refused),
		TEST(test_surplus_fds_are_closed),
		TEST(test_a_failure_to_receive_names_who_was_waited_for),
		{ 0 },
	});
}
