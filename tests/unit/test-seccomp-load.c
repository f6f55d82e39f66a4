/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters do in the kernel what they say, and a listener reaches its agent.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "seccomp/load.h"
#include "seccomp/notify.h"
#include "seccomp/profile.h"
#include "tests/unit/tap.h"

#define cleanup_profile __attribute__((cleanup(seccomp_profile_free_p)))
#define cleanup_filter  __attribute__((cleanup(seccomp_filter_done)))

enum { ANSWER_MS = 20000 };

static const char deny_getppid[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],"
	"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}";

/* A folder of the test's own. */
struct place {
	char path[64];
	int dir;
};

static bool place_make(struct place *p)
{
	strcpy(p->path, "/tmp/test-seccomp-XXXXXX");
	if (!CHECK(mkdtemp(p->path) != NULL))
		return false;
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return CHECK(p->dir >= 0);
}

static void place_done(struct place *p)
{
	DIR *d = opendir(p->path);

	for (struct dirent *e; d && (e = readdir(d));)
		(void)unlinkat(p->dir, e->d_name, 0);
	if (d)
		closedir(d);
	close(p->dir);
	CHECK_INT(rmdir(p->path), 0);
}

static int profile_read(const char *text, struct seccomp_profile **ret)
{
	struct json_at root = JSON_ROOT;
	cleanup_json json_t *v = NULL;
	int r = json_parse("test", text, strlen(text), &v);

	return r < 0 ? r : seccomp_profile_parse(&root, v, ret);
}

/* Run @child in a process of its own. Return: its wait status. */
static int in_child(void (*child)(const struct seccomp_filter *), const struct seccomp_filter *f)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		child(f);
		_exit(99);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static void child_getppid(const struct seccomp_filter *f)
{
	if (seccomp_filter_load(f) != 0)
		_exit(1);
	_exit(syscall(SYS_getppid) < 0 && errno == 77 ? 42 : 2);
}

static void child_default(const struct seccomp_filter *f)
{
	if (seccomp_filter_load(f) != 0)
		_exit(1);
	if (syscall(SYS_getppid) <= 0 || syscall(SYS_bpf, 0, 0, 0) >= 0 || errno != EPERM)
		_exit(2);
	if (syscall(999) >= 0 || errno != ENOSYS || socket(38, SOCK_SEQPACKET, 0) >= 0 ||
	    errno != EPERM)
		_exit(3);
	_exit(42);
}

/*
 * int 0x80 is i386's way in, from a 64-bit program too: 20 is getpid there, 88 reboot, 102
 * socketcall
 */
static long i386_call(long nr, long first)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(first), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}

static void i386_none(int signal)
{
	(void)signal;
	_exit(77);
}

/* Exits with 77 where the kernel does not have that ABI: int 0x80 is SIGSEGV then. */
static void i386_need(void)
{
	(void)signal(SIGSEGV, i386_none);
	if (i386_call(20, 0) != getpid())
		_exit(77);
	(void)signal(SIGSEGV, SIG_DFL);
}

static void child_i386(const struct seccomp_filter *f)
{
	i386_need();
	if (seccomp_filter_load(f) != 0)
		_exit(1);
	if (i386_call(20, 0) != getpid())
		_exit(2);
	_exit(i386_call(88, 0) == -EPERM && i386_call(102, 1) == -ENOSYS ? 42 : 3);
}

static void child_i386_unlisted(const struct seccomp_filter *f)
{
	i386_need();
	if (seccomp_filter_load(f) != 0)
		_exit(1);
	(void)i386_call(20, 0);
}

static int filter_of(const char *text, struct seccomp_filter *f)
{
	cleanup_profile struct seccomp_profile *profile = NULL;

	CHECK_INT(profile_read(text, &profile), 0);
	return seccomp_filter_prepare(profile, -1, f);
}

static void test_a_loaded_filter_does_what_it_says(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL }, d = { .code = NULL };
	int status;

	if (!CHECK_INT(filter_of(deny_getppid, &f), 0) || !CHECK_INT(filter_of(seccomp_default_json(), &d), 0))
		return;
	status = in_child(child_getppid, &f);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = in_child(child_default, &d);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void test_a_loaded_filter_holds_for_i386(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL }, d = { .code = NULL };
	int status;

	if (!CHECK_INT(filter_of(deny_getppid, &f), 0) || !CHECK_INT(filter_of(seccomp_default_json(), &d), 0))
		return;
	status = in_child(child_i386, &d);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		tap_skip("this kernel has no i386 ABI");
		return;
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = in_child(child_i386_unlisted, &f);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void child_broken(const struct seccomp_filter *f)
{
	_exit(seccomp_filter_load(f) < 0 && strstr(fail_text(), "load the seccomp filter") ? 42
											   : 1);
}

static void test_what_the_kernel_refuses_is_a_failure(void)
{
	static struct sock_filter endless = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	struct seccomp_filter f = { .code = &endless, .size = sizeof(endless) };
	int status = in_child(child_broken, &f);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static char agent_path[128];

static void child_notify(const struct seccomp_filter *f)
{
	int listener = seccomp_filter_load(f);

	if (listener < 0)
		_exit(1);
	if (seccomp_notify_send(agent_path, "{\"fds\":[\"seccompFd\"]}", listener) < 0)
		_exit(2);
	close(listener);
	_exit(syscall(SYS_getppid) == 4242 ? 42 : 3);
}

static int agent_listen(const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(agent_path, sizeof(agent_path), "%s/agent", dir);
	strcpy(address.sun_path, agent_path);
	CHECK_INT(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(sock, 1), 0);
	return sock;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return CHECK_INT(poll(&p, 1, ANSWER_MS), 1);
}

/* Take the message: its text, and the fd that came with it. */
static int agent_take(int sock, char *text, size_t size)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	cleanup_fd int peer = -1;
	struct cmsghdr *header;
	int fd = -1;
	ssize_t n;

	if (!readable(sock))
		return -1;
	peer = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	text[n > 0 ? n : 0] = '\0';
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void agent_answer(int listener)
{
	struct seccomp_notif *ask = calloc(1, 4096);
	struct seccomp_notif_resp *answer = calloc(1, 4096);

	if (ask && answer && readable(listener) &&
	    CHECK_INT(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ask), 0)) {
		CHECK_INT(ask->data.nr, SYS_getppid);
		answer->id = ask->id;
		answer->val = 4242;
		CHECK_INT(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer), 0);
	}
	free(ask);
	free(answer);
}

static void test_a_listener_reaches_its_agent(void)
{
	cleanup_profile struct seccomp_profile *profile = NULL;
	cleanup_filter struct seccomp_filter f = { .code = NULL };
	cleanup_fd int sock = -1, listener = -1;
	char text[256] = "";
	int status = -1;
	struct place p;
	pid_t pid;

	if (!place_make(&p))
		return;
	sock = agent_listen(p.path);
	CHECK_INT(
		profile_read(
			"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/agent\",\"flags\":["
			"\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
			"\"syscalls\":[{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
			&profile),
		0);
	/* through the cache: what is kept must still ask for a listener */
	CHECK_INT(seccomp_filter_prepare(profile, p.dir, &f), 0);
	seccomp_filter_done(&f);
	CHECK_INT(seccomp_filter_prepare(profile, p.dir, &f), 0);
	CHECK(f.notify);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		child_notify(&f);
	}
	listener = agent_take(sock, text, sizeof(text));
	CHECK_STR(text, "{\"fds\":[\"seccompFd\"]}");
	if (CHECK(listener >= 0))
		agent_answer(listener);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	place_done(&p);
}

static void test_no_agent_is_a_failure(void)
{
	cleanup_free char *path = NULL;

	CHECK(seccomp_notify_send("/nowhere/agent", "{}", 0) < 0);
	CHECK_HAS(fail_text(), "listenerPath '/nowhere/agent'");
	CHECK_INT(str_format(&path, "/%0200d", 0), 0);
	CHECK(seccomp_notify_send(path, "{}", 0) < 0);
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_a_loaded_filter_does_what_it_says),
					    TEST(test_a_loaded_filter_holds_for_i386),
					    TEST(test_what_the_kernel_refuses_is_a_failure),
					    TEST(test_a_listener_reaches_its_agent),
					    TEST(test_no_agent_is_a_failure),
					    { 0 } });
}
