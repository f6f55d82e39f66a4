/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent decides about a system call of a container: what it is told, and what becomes of its answer. The
 * container is a whole one, made and started as `run` does.
 */
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/base/proc.h"
#include "runtime/bundle.h"
#include "runtime/container.h"
#include "tests/unit/container.h"

enum { ANSWER_MS = 20000 };

static int agent_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", folder);
	CHECK_INT(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(sock, 4), 0);
	return sock;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return CHECK_INT(poll(&p, 1, ANSWER_MS), 1);
}

/* The listener of a process that wants to start, and what is told about it. */
static int agent_take(int sock, json_t **ret_told)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	char text[4096];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space),
	};
	cleanup_fd int peer = readable(sock) ? accept4(sock, NULL, NULL, SOCK_CLOEXEC) : -1;
	ssize_t n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = -1;

	if (CHECK(n > 0))
		*ret_told = json_loadb(text, (size_t)n, 0, NULL);
	if (CHECK(header && header->cmsg_type == SCM_RIGHTS))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void agent_answer(int listener, int nr, int error)
{
	struct seccomp_notif *ask = calloc(1, 4096);
	struct seccomp_notif_resp *answer = calloc(1, 4096);

	if (ask && answer && readable(listener) && CHECK_INT(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ask), 0)) {
		CHECK_INT(ask->data.nr, nr);
		answer->id = ask->id;
		answer->error = -error;
		CHECK_INT(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer), 0);
	}
	free(ask);
	free(answer);
}

static const char *told(json_t *v, const char *key)
{
	return json_string_value(json_object_get(v, key));
}

static void told_is(json_t *v, pid_t pid, const char *status, pid_t init)
{
	json_t *state = json_object_get(v, "state"), *fds = json_object_get(v, "fds");

	CHECK_STR(told(v, "ociVersion"), "1.2.0");
	CHECK_STR(told(v, "metadata"), "a note");
	CHECK_INT(json_integer_value(json_object_get(v, "pid")), pid);
	CHECK_INT((long long)json_array_size(fds), 1);
	CHECK_STR(json_string_value(json_array_get(fds, 0)), "seccompFd");
	CHECK_STR(told(state, "id"), "agent-test");
	CHECK_STR(told(state, "status"), status);
	CHECK_INT(json_integer_value(json_object_get(state, "pid")), init);
}

static int exited_with(pid_t pid)
{
	int status = -1;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its first process waits in the agent's hand until the other one was judged. */
static struct spec *waiting_spec(void)
{
	cleanup_free char *linux_ = NULL;
	struct spec *spec = NULL;

	if (str_format(&linux_, "'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'%s/agent',"
		       "'listenerMetadata':'a note','syscalls':[{'names':['sethostname'],'action':'SCMP_ACT_NOTIFY'}]}",
		       folder) < 0)
		return NULL;
	spec = spec_of(ROOT, MOUNTS, linux_);
	if (spec) {
		str_list_done(&spec->process.args);
		CHECK_INT(str_list_add(&spec->process.args, "/bin/busybox"), 0);
		CHECK_INT(str_list_add(&spec->process.args, "hostname"), 0);
		CHECK_INT(str_list_add(&spec->process.args, "x"), 0);
	}
	return spec;
}

/* OCI: config-linux.md, Seccomp: listenerPath: exactly one state a connection, of AF_UNIX and SOCK_STREAM, closed afterwards; its failure MUST be an error */
/* OCI: config-linux.md, Seccomp: the container process state MUST be sent as JSON, the descriptors by SCM_RIGHTS in the first message */
static void test_an_agent_decides_about_a_container(void)
{
	const struct container_options options = CONTAINER_OPTIONS("agent-test");
	struct container_child init = CONTAINER_CHILD_NONE, other = CONTAINER_CHILD_NONE;
	struct bundle bundle = { .folder = folder, .file = (char[]){ "test" } };
	const struct exec_options exec = { .stdio = { -1, -1, -1 } };
	cleanup_json json_t *first = NULL, *second = NULL;
	cleanup_fd int sock = -1, one = -1, two = -1;
	cleanup_free char *state = NULL;
	struct container_place place;

	fresh();
	sock = agent_listen();
	bundle.spec = waiting_spec();
	CHECK_INT(str_format(&state, "%s/state", folder), 0);
	place = (struct container_place){ .root = state, .data = folder };
	if (CHECK(bundle.spec) && container_create(&place, &bundle, &options, &init) == 0 &&
	    CHECK_INT(container_go(&place, "agent-test", &init), 0)) {
		one = agent_take(sock, &first);
		told_is(first, init.pid, "creating", init.pid);
		/* exec has the same filter, and a listener of its own */
		if (CHECK_INT(container_exec(&place, "agent-test", &bundle.spec->process, &exec, &other), 0)) {
			two = agent_take(sock, &second);
			told_is(second, other.pid, "running", init.pid);
			agent_answer(two, SYS_sethostname, EXDEV);
			CHECK_INT(exited_with(other.pid), 1);
		}
		agent_answer(one, SYS_sethostname, 0);
		CHECK_INT(exited_with(init.pid), 0);
	} else {
		CHECK_STR(fail_text(), "a container");
	}
	container_child_done(&init);
	container_child_done(&other);
	CHECK_INT(container_delete(&place, "agent-test", true), 0);
	(void)spec_free(bundle.spec);
}

int main(void)
{
	return container_tests_run((struct tap_test[]){ TEST(test_an_agent_decides_about_a_container), { 0 } });
}
