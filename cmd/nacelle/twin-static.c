/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes `nacelle` the static one of the two programs: it has no loader to open libsystemd with, and becomes its twin
 * before it would have to.
 */
#include <errno.h>
#include <unistd.h>

#include "cmd/nacelle/program.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/programs.h"

int program_shared(char **argv)
{
	cleanup_fd int fd = programs_open("nacelle-shared", "the program for cgroups by systemd");

	if (fd < 0)
		return fd;
	(void)fexecve(fd, argv, environ);
	return fail(errno, "run the program for cgroups by systemd");
}
