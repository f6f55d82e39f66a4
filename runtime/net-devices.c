/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the spec to runtime/net/link.h. Source: runtime-spec 1.3, config-linux.md, "Network Devices".
 */
#include "runtime/net-devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/link.h"
#include "runtime/spec.h"

int net_devices_move(const struct spec *spec, int netns, pid_t pid)
{
	const struct spec_linux *l = &spec->linux_;
	cleanup_fd int own = -1;
	char path[64];
	int r = 0;

	if (l->net_device_count == 0)
		return 0;
	if (netns < 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
		own = open(path, O_RDONLY | O_CLOEXEC);
		if (own < 0)
			return fail(errno, "open the container's network namespace");
		netns = own;
	}
	for (size_t i = 0; r == 0 && i < l->net_device_count; i++)
		r = net_link_move(l->net_devices[i].name, netns, l->net_devices[i].new_name);
	return r;
}
