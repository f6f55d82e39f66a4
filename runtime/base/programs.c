/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

int programs_open(const char *name, const char *what)
{
	static const char *const installed[] = { NACELLE_LIBEXEC, NACELLE_BINDIR };
	cleanup_free char *self = realpath("/proc/self/exe", NULL), *beside = NULL;
	char *slash = self ? strrchr(self, '/') : NULL;
	int fd, r;

	if (!slash)
		return fail(errno, "find %s", what);
	r = str_format(&beside, "%.*s/%s", (int)(slash - self), self, name);
	if (r < 0)
		return r;
	fd = open(beside, O_PATH | O_CLOEXEC);
	for (size_t i = 0; fd < 0 && errno == ENOENT && i < ARRAY_SIZE(installed); i++) {
		cleanup_free char *path = NULL;

		r = str_format(&path, "%s/%s", installed[i], name);
		if (r < 0)
			return r;
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	return fd >= 0 ? fd : fail(errno, "%s (neither '%s', nor in '%s' or '%s')", what, beside, installed[0], installed[1]);
}
