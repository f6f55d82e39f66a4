/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `features`: OCI's features document. */
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/spec-write.h"

const struct option_row features_options[] = {
	{ .name = NULL },
};

int cmd_features(const struct globals *globals, int argc, char **argv)
{
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 0, 0, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return output_json(spec_features());
}
