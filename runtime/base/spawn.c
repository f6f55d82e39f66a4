/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

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
