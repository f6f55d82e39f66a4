/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's small files in a cgroup: writing one, reading one, finding a number in one, and
 * waiting for cgroup.events to change. All of them are reached from the directory's fd, and nothing
 * that is read here is trusted to have a form.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"

int cgroup_file_write(int dir, const char *file, const char *text)
{
	cleanup_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return -errno;
	while (write(fd, text, strlen(text)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Reads an open file from its beginning, which also re-arms poll() on it. */
static int read_from_start(int fd, char *ret_text, size_t size)
{
	size_t have = 0;

	while (have < size - 1) {
		ssize_t n = pread(fd, ret_text + have, size - 1 - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	ret_text[have] = '\0';
	return (int)have;
}

int cgroup_file_read(int dir, const char *file, char *ret_text, size_t size)
{
	cleanup_fd int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return read_from_start(fd, ret_text, size);
}

bool cgroup_text_number(const char *text, const char *key, uint64_t *ret_value)
{
	size_t key_size = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		uint64_t value = 0;
		const char *digit;

		line += *line == '\n';
		if (strncmp(line, key, key_size) != 0 || line[key_size] != ' ')
			continue;
		digit = line + key_size + 1;
		if (*digit < '0' || *digit > '9')
			return false;
		for (; *digit >= '0' && *digit <= '9'; digit++) {
			if (__builtin_mul_overflow(value, 10, &value) ||
			    __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
				return false;
		}
		if (*digit != '\n' && *digit != '\0')
			return false;
		*ret_value = value;
		return true;
	}
	return false;
}

int cgroup_event(int dir, const char *key)
{
	char text[CGROUP_FILE_SMALL];
	uint64_t value;
	int r = cgroup_file_read(dir, "cgroup.events", text, sizeof(text));

	if (r < 0)
		return fail(-r, "read 'cgroup.events'");
	if (!cgroup_text_number(text, key, &value))
		return fail_plain(EIO, "'cgroup.events' has no '%s'", key);
	return value != 0;
}

int cgroup_event_wait(int dir, const char *key, bool want, int timeout_ms)
{
	cleanup_fd int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int64_t end = clock_ms() + timeout_ms;
	char text[CGROUP_FILE_SMALL];

	if (fd < 0)
		return fail(errno, "open 'cgroup.events'");
	for (;;) {
		struct pollfd waiting = { .fd = fd, .events = POLLPRI };
		int64_t left = end - clock_ms();
		uint64_t value;
		int r = read_from_start(fd, text, sizeof(text));

		if (r < 0)
			return fail(-r, "read 'cgroup.events'");
		if (!cgroup_text_number(text, key, &value))
			return fail_plain(EIO, "'cgroup.events' has no '%s'", key);
		if ((value != 0) == want)
			return 0;
		if (left <= 0)
			return CGROUP_TIMED_OUT;
		if (poll(&waiting, 1, (int)left) < 0 && errno != EINTR)
			return fail(errno, "poll 'cgroup.events'");
	}
}

bool cgroup_is_root(int dir)
{
	return faccessat(dir, "cgroup.events", F_OK, 0) < 0 && errno == ENOENT;
}
