/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * cgroup-mount - a cgroup v2 of the test's own view, on any host: mounted over /sys/fs/cgroup in a
 * private mount namespace, so that the host's mounts stay as they are
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "tests/unit/tap.h"

static bool have_cgroups;

/* Call it first in main(). */
static inline void cgroup_mount_own(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	have_cgroups = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ||
		       mount("cgroup2", "/sys/fs/cgroup", "cgroup2",
			     MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* Both stand first in a test, before anything that would have to be released. */
#define NEEDS_CGROUPS() \
	do { \
		if (!have_cgroups) { \
			tap_skip("needs root and cgroup v2"); \
			return; \
		} \
	} while (0)
#define NEEDS_CONTROLLER(name) \
	do { \
		if (!host_has(name)) { \
			tap_skip("needs the controller " name " in cgroup v2"); \
			return; \
		} \
	} while (0)

/* A path that no other run of the test uses; @name may be NULL. */
static inline struct cgroup cgroup_of_test(const char *name)
{
	struct cgroup cg = CGROUP_NONE;

	if (asprintf(&cg.path, "/nacelle-test-%d%s%s", (int)getpid(), name ? "/" : "",
		     name ? name : "") < 0)
		abort();
	return cg;
}

/*
 * A child that only waits, or with @fork_on forks for ever; it is in the cgroup before this
 * returns.
 */
static inline pid_t child_in(const struct cgroup *cg, bool fork_on)
{
	int go[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		while (read(go[0], &byte, 1) < 0 && errno == EINTR)
			;
		while (fork_on) {
			pid_t next = fork();

			if (next > 0)
				waitpid(next, NULL, WNOHANG);
			else if (next == 0)
				_exit(usleep(20000));
			usleep(500);
		}
		for (;;)
			pause();
	}
	CHECK_INT(cgroup_attach(cg, pid), 0);
	if (write(go[1], &byte, 1) != 1)
		abort();
	close(go[0]);
	close(go[1]);
	return pid;
}

/*
 * Reads a file of a cgroup into a buffer that the next call uses again; the last newline is cut
 * off.
 */
static inline char *file_of(const struct cgroup *cg, const char *file)
{
	static char text[8192];
	int fd = openat(cg->fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return strcpy(text, "(cannot be read)");
	text[n] = '\0';
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

/* Whether the cgroup's directory is there, asked from outside the code under test. */
static inline bool is_there(const char *path)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "/sys/fs/cgroup%s", path);
	return access(whole, F_OK) == 0;
}

/* Whether v2 has the controller on this host. */
static inline bool host_has(const char *controller)
{
	struct cgroup root = { .path = NULL, .fd = open("/sys/fs/cgroup", O_RDONLY | O_CLOEXEC) };
	char *saved = NULL;
	bool found = false;

	for (char *name = strtok_r(file_of(&root, "cgroup.controllers"), " ", &saved);
	     name && !found; name = strtok_r(NULL, " ", &saved))
		found = strcmp(name, controller) == 0;
	if (root.fd >= 0)
		close(root.fd);
	return found;
}

static inline void rmdir_of(const char *path)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "/sys/fs/cgroup%s", path);
	(void)rmdir(whole);
}
