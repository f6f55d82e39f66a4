/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `port`: which ports of the host lead to a container, those included that were chosen for it. */
#include <stdio.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "runtime/network.h"

int cmd_port(const struct globals *globals, int argc, char **argv)
{
	struct str_list ports = { .items = NULL };
	struct container_info info;
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	container_info_done(&info);
	r = network_ports(&globals->place, operands.items[0], &ports);
	for (size_t i = 0; r == 0 && i < ports.count; i++)
		(void)printf("%s\n", ports.items[i]);
	str_list_done(&ports);
	return r;
}
