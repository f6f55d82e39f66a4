/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

int spawn(char *const *args, const int *fds, size_t fd_count, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	for (size_t i = 0; r == 0 && i < fd_count; i++) {
		if (fds[i] == SPAWN_NULL)
			r = posix_spawn_file_actions_addopen(&actions, (int)i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
		else if (fds[i] != SPAWN_SAME)
			r = posix_spawn_file_actions_adddup2(&actions, fds[i], (int)i);
	}
	if (r == 0)
		r = posix_spawnp(ret_pid, args[0], &actions, NULL, args, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Without PATH exec has the C library's own, which is this. Source: exec(3) */
bool spawn_finds(const char *name)
{
	cleanup_free char *folders = NULL;
	char *rest, *folder;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	if (str_copy(&folders, getenv("PATH") ? getenv("PATH") : "/bin:/usr/bin") < 0)
		return false;
	rest = folders;
	while ((folder = strsep(&rest, ":"))) {
		cleanup_free char *path = NULL;

		if (str_format(&path, "%s/%s", folder, name) == 0 && access(path, X_OK) == 0)
			return true;
	}
	return false;
}
