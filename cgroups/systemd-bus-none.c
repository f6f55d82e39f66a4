/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of systemd-bus.c, for the agent in a guest: nobody there is systemd, and a program without a
 * loader opens no library.
 */
#include <errno.h>

#include "cgroups/systemd-internal.h"
#include "runtime/base/error.h"

static int nobody(void)
{
	return fail_plain(ENOTSUP, "there is no systemd here");
}

bool systemd_is_user(void)
{
	return false;
}

int systemd_bus_open(struct systemd_bus *bus, bool jobs)
{
	(void)bus;
	(void)jobs;
	return nobody();
}

void systemd_bus_close(struct systemd_bus *bus)
{
	(void)bus;
}

int systemd_manager_call(struct systemd_bus *bus, const char *method, sd_bus_message **ret_reply, const char *types, ...)
{
	(void)bus;
	(void)method;
	(void)ret_reply;
	(void)types;
	return nobody();
}

int systemd_properties_call(struct systemd_bus *bus, const char *method, const char *unit, const char *mode,
			    struct systemd_properties *properties, sd_bus_message **ret_reply)
{
	(void)bus;
	(void)method;
	(void)unit;
	(void)mode;
	(void)properties;
	(void)ret_reply;
	return nobody();
}

int systemd_job_wait(struct systemd_bus *bus, sd_bus_message *reply, const char **ret_result)
{
	(void)bus;
	(void)reply;
	(void)ret_result;
	return nobody();
}
