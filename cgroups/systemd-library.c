/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsystemd, opened by dlopen(3): hardly anybody who starts a container needs it. A program without a loader cannot do
 * that: systemd-library-none.c stands in for this file there.
 */
#include "cgroups/systemd-internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
	{ "sd_bus_new", offsetof(struct systemd_library, bus_new) },
	{ "sd_bus_set_address", offsetof(struct systemd_library, bus_set_address) },
	{ "sd_bus_start", offsetof(struct systemd_library, bus_start) },
	{ "sd_bus_open_system", offsetof(struct systemd_library, bus_open_system) },
	{ "sd_bus_open_user", offsetof(struct systemd_library, bus_open_user) },
	{ "sd_bus_flush_close_unref", offsetof(struct systemd_library, bus_flush_close_unref) },
	{ "sd_bus_match_signal", offsetof(struct systemd_library, bus_match_signal) },
	{ "sd_bus_call", offsetof(struct systemd_library, bus_call) },
	{ "sd_bus_process", offsetof(struct systemd_library, bus_process) },
	{ "sd_bus_wait", offsetof(struct systemd_library, bus_wait) },
	{ "sd_bus_message_new_method_call", offsetof(struct systemd_library, message_new_method_call) },
	{ "sd_bus_message_append", offsetof(struct systemd_library, message_append) },
	{ "sd_bus_message_append_array", offsetof(struct systemd_library, message_append_array) },
	{ "sd_bus_message_open_container", offsetof(struct systemd_library, message_open_container) },
	{ "sd_bus_message_close_container", offsetof(struct systemd_library, message_close_container) },
	{ "sd_bus_message_read", offsetof(struct systemd_library, message_read) },
	{ "sd_bus_message_unref", offsetof(struct systemd_library, message_unref) },
	{ "sd_bus_error_free", offsetof(struct systemd_library, error_free) },
};

/* Opened once, and for good. */
int systemd_library_open(const struct systemd_library **ret)
{
	static struct systemd_library library;
	static bool opened;
	void *handle;

	if (!opened) {
		handle = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
		if (!handle) {
			const char *why = dlerror();

			return fail_plain(ENOENT, "cgroups by systemd need libsystemd (install the package 'libsystemd0'): "
					  "%s", strstr(why, "o such file") ? "libsystemd.so.0: not found" : why);
		}
		for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
			void *address = dlsym(handle, symbols[i].name);

			if (!address)
				return fail_plain(ENOSYS, "libsystemd.so.0 has no '%s': it is too old", symbols[i].name);
			memcpy((char *)&library + symbols[i].offset, &address, sizeof(address));
		}
		opened = true;
	}
	*ret = &library;
	return 0;
}
