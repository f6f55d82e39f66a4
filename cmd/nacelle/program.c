/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/nacelle/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

int program_beside(const char *name, const char *what)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL), *beside = NULL, *installed = NULL;
	char *slash = self ? strrchr(self, '/') : NULL;
	int fd, r;

	if (!slash)
		return fail(errno, "find %s", what);
	r = str_format(&beside, "%.*s/%s", (int)(slash - self), self, name);
	if (r == 0)
		r = str_format(&installed, NACELLE_LIBEXEC "/%s", name);
	if (r < 0)
		return r;
	fd = open(beside, O_PATH | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = open(installed, O_PATH | O_CLOEXEC);
	return fd >= 0 ? fd : fail(errno, "%s ('%s' or '%s')", what, beside, installed);
}
