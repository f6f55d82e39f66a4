/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps are written from outside, by whoever has CAP_SETUID and CAP_SETGID over the parent
 * namespace, each in one write(2): the kernel takes a map once and whole. Source:
 * user_namespaces(7).
 */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"
#include "runtime/subid.h"

enum { MAP_LINE_MAX = 3 * 11 + 1, MAP_LINES_MAX = 340 }; /* the kernel's limit of lines */

uint32_t idmap_host_id(uint32_t id, const struct spec_id_map *maps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
			return maps[i].host_id + (id - maps[i].container_id);
	return id;
}

bool idmap_is_initial(void)
{
	cleanup_free char *map = NULL;
	unsigned int inside, outside, size;

	return fd_read_file(AT_FDCWD, "/proc/self/uid_map", &map) == 0 &&
	       sscanf(map, "%u %u %u", &inside, &outside, &size) == 3 && inside == 0 && outside == 0 &&
	       size == UINT32_MAX;
}

/* Write one map; what we may not is done by those who may. */
static int map_write(pid_t pid, int proc, bool groups, const struct spec_id_map *maps, size_t count)
{
	const char *file = groups ? "gid_map" : "uid_map";
	char text[MAP_LINES_MAX * MAP_LINE_MAX];
	cleanup_fd int fd = -1;
	size_t used = 0;

	if (count > MAP_LINES_MAX)
		return fail_plain(EINVAL, "%s: %zu mappings, the kernel takes %d", file, count,
				  MAP_LINES_MAX);
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(text + used, sizeof(text) - used,
				 "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", maps[i].container_id,
				 maps[i].host_id, maps[i].size);

		used += (size_t)n;
	}
	fd = openat(proc, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(errno, "open '%s'", file);
	if (write(fd, text, used) == (ssize_t)used)
		return 0;
	if (errno == EPERM && geteuid() != 0)
		return subid_map_write(pid, groups, maps, count);
	if (errno == EINVAL)
		return fail(EINVAL, "write '%s' (do ranges overlap, or is one empty?)", file);
	return fail(errno, "write '%s'", file);
}

static int process_open(pid_t pid)
{
	char path[sizeof("/proc/-2147483648")];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(errno, "open '%s'", path) : fd;
}

static int maps_write(pid_t pid, int proc, const struct spec_id_map *uids, size_t uid_count,
		      const struct spec_id_map *gids, size_t gid_count)
{
	int r;

	/* Who may map only their own group may do that only after giving up setgroups(2). */
	if (geteuid() != 0 && gid_count == 1 && gids[0].size == 1) {
		r = fd_write_file(proc, "setgroups", "deny");
		if (r < 0)
			return r;
	}
	r = gid_count > 0 ? map_write(pid, proc, true, gids, gid_count) : 0;
	if (r < 0)
		return r;
	return uid_count > 0 ? map_write(pid, proc, false, uids, uid_count) : 0;
}

int idmap_write(pid_t pid, const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	cleanup_fd int proc = process_open(pid);

	if (proc < 0)
		return proc;
	return maps_write(pid, proc, l->uid_mappings, l->uid_mapping_count, l->gid_mappings,
			  l->gid_mapping_count);
}

/*
 * A process that does nothing in a user namespace of its own, and dies with us. Return: its pid or
 * a recorded failure.
 */
static pid_t holder_start(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t parent = getpid(), pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return fail(errno, "make a user namespace");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		while (getppid() == parent)
			(void)pause();
		_exit(0);
	}
	return pid;
}

int idmap_userns(const struct spec_id_map *uids, size_t uid_count, const struct spec_id_map *gids,
		 size_t gid_count)
{
	cleanup_fd int proc = -1;
	pid_t pid = holder_start();
	int r, fd = -1;

	if (pid < 0)
		return pid;
	proc = process_open(pid);
	r = proc < 0 ? proc : maps_write(pid, proc, uids, uid_count, gids, gid_count);
	if (r >= 0) {
		fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? fail(errno, "open its user namespace") : fd;
	}
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? fail_in(r, "user namespace for mapped ids") : fd;
}
