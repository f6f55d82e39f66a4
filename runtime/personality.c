/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain is set as a whole: bits of our own personality, which a caller may have given us, do not reach
 * the payload. Source: personality(2).
 */
#include "runtime/personality.h"

#include <errno.h>
#include <sys/personality.h>

#include "runtime/base/error.h"

int personality_set(int domain)
{
	if (domain >= 0 && personality((unsigned long)domain) < 0)
		return fail(errno, "linux.personality");
	return 0;
}
