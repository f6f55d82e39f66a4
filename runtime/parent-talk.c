/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a parent says to the child it has cloned, and hears of it; and the pid file. For the first process and for exec. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/parent.h"
#include "runtime/spec.h"
#include "seccomp/notify.h"

int parent_await(int sync, enum sync_word word, const struct spec *spec, const struct state *state, pid_t pid)
{
	const struct seccomp_profile *profile = spec->linux_.seccomp;
	struct sync_message m;
	int r;

	while ((r = sync_receive(sync, &m)) == 0) {
		cleanup_fd int fd = m.fd;
		cleanup_free char *text = NULL;

		if (m.word == word && !m.value)
			return 0;
		if (m.word == SYNC_FAILED)
			return fail_exit(fail_plain((int)m.value, "%s", m.text), m.status);
		if (m.word != SYNC_LISTENER || fd < 0 || !profile || !profile->listener_path)
			return fail_plain(EPROTO, m.word == SYNC_NONE ? "the container's init was killed while "
					  "it was set up" : "the container's init said something unexpected");
		text = state_process_text(state, pid, profile->listener_metadata);
		if (!text)
			return fail(ENOMEM, "state for the seccomp listener");
		r = seccomp_notify_send(profile->listener_path, text, fd);
		if (r == 0)
			r = sync_send(sync, SYNC_TAKEN, 0, -1);
		if (r < 0)
			return r;
	}
	return r;
}

int parent_send(int sync, enum sync_word word)
{
	return parent_hand(sync, word, -1);
}

int parent_hand(int sync, enum sync_word word, int fd)
{
	struct pollfd said = { .fd = sync, .events = POLLIN };
	struct sync_message m;
	int r = sync_send(sync, word, 0, fd);

	if (r == 0 || poll(&said, 1, 0) != 1)
		return r;
	if (sync_receive(sync, &m) == 0 && m.word == SYNC_FAILED)
		return fail_exit(fail_plain((int)m.value, "%s", m.text), m.status);
	return fail(-r, "speak to the container's init");
}

int parent_pid_file(const char *path, pid_t pid)
{
	cleanup_fd int fd = -1;
	char text[16];
	int r;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return fail(errno, "open the pid file '%s'", path);
	r = fd_write_all(fd, text, (size_t)snprintf(text, sizeof(text), "%d", (int)pid));
	return r < 0 ? fail(-r, "write the pid file '%s'", path) : 0;
}
