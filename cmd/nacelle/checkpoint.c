/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `checkpoint` and `restore`: known to the callers of other runtimes, so refused in words rather than as unknown. */
#include <errno.h>

#include "cmd/nacelle/command.h"
#include "runtime/base/error.h"

const struct option_row checkpoint_options[] = {
	{ .name = NULL },
};
const struct option_row restore_options[] = {
	{ .name = NULL },
};

/* Whatever options are given: they are the other runtimes' own. */
int cmd_checkpoint(const struct globals *globals, int argc, char **argv)
{
	(void)globals;
	(void)argc;
	(void)argv;
	return fail_plain(ENOTSUP, "checkpoint: not supported yet, the container goes on as it is");
}

int cmd_restore(const struct globals *globals, int argc, char **argv)
{
	(void)globals;
	(void)argc;
	(void)argv;
	return fail_plain(ENOTSUP, "restore: not supported yet, nothing was started");
}
