/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher's bytes are built into us (build/gen/launcher.h is made from runtime/launcher/). A sealed memfd of one
 * page costs less than a read-only overlay over the program would, and is not writable by root either.
 */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/lsm.h"

static const unsigned char launcher[] = {
#include "launcher.h"
};

static const unsigned char init[] = {
#include "init.h"
};

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: wanted where vm.memfd_noexec is set; older kernels refuse it */
#endif

int launch_prepare(bool with_init)
{
	const char *name = with_init ? "nacelle-init" : "nacelle-launcher";
	cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	int r;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return fail(errno, "make memory for the launcher");
	r = with_init ? fd_write_all(fd, init, sizeof(init)) : fd_write_all(fd, launcher, sizeof(launcher));
	if (r < 0)
		return fail(-r, "write the launcher");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(errno, "seal the launcher");
	return steal_fd(&fd);
}

int launch_exec(int fd, const struct lsm_label *label, char *path, char *const *argv, char *const *envp)
{
	static char labelled_first[] = "";
	bool labelled = label && label->proc >= 0;
	size_t count = 0, ahead = labelled ? 5 : 1;
	cleanup_free char **args = NULL;
	char number[16];

	while (argv[count])
		count++;
	args = calloc(count + ahead + 1, sizeof(*args));
	if (!args)
		return fail(ENOMEM, "make room for the arguments");
	if (labelled) {
		(void)snprintf(number, sizeof(number), "%d", label->proc);
		args[0] = labelled_first;
		args[1] = number;
		args[2] = label->file;
		args[3] = label->text;
	}
	args[ahead - 1] = path;
	memcpy(args + ahead, argv, count * sizeof(*args));
	(void)execveat(fd, "", args, envp, AT_EMPTY_PATH);
	return fail(errno, "execute the launcher");
}
