/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of systemd-library.c, for programs without a loader, which can open no library. */
#include <errno.h>

#include "cgroups/systemd-internal.h"
#include "runtime/base/error.h"

int systemd_library_open(const struct systemd_library **ret)
{
	(void)ret;
	return fail_plain(ENOTSUP, "cgroups by systemd need a program that can open libsystemd: 'nacelle-shared'");
}
