/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to systemd: a connection, method calls, and waiting for jobs. The manager's own socket is preferred to a message bus: it needs
 * no bus daemon, and its signals come without being asked for.
 */
#include "cgroups/systemd-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

#define DESTINATION "org.freedesktop.systemd1"
#define OBJECT	    "/org/freedesktop/systemd1"
#define MANAGER	    "org.freedesktop.systemd1.Manager"

enum { JOB_TIMEOUT_MS = 120000 };
#define CALL_TIMEOUT_US (30 * 1000000ULL)

bool systemd_is_user(void)
{
	char text[CGROUP_FILE_SMALL];
	unsigned int inside, outside, count;

	if (geteuid() != 0)
		return true;
	return cgroup_file_read(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) > 0 &&
	       sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 &&
	       (inside != 0 || outside != 0 || count != UINT32_MAX);
}

/* Return: 0 with the bus, 1 when that socket is not for us, or a recorded failure. */
static int direct_open(struct systemd_bus *bus)
{
	const char *folder = systemd_is_user() ? getenv("XDG_RUNTIME_DIR") : "/run";
	cleanup_free char *path = NULL, *address = NULL;
	int r;

	/* Others than these are escaped in an address; no such folder is in use. */
	if (!folder || folder[0] != '/' ||
	    folder[strspn(folder, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.")])
		return 1;
	r = str_format(&path, "%s/systemd/private", folder);
	if (r == 0)
		r = str_format(&address, "unix:path=%s", path);
	if (r < 0)
		return r;
	if (access(path, W_OK) < 0)
		return 1;
	if (bus->lib->bus_new(&bus->bus) < 0 || bus->lib->bus_set_address(bus->bus, address) < 0 ||
	    bus->lib->bus_start(bus->bus) < 0) {
		bus->bus = bus->lib->bus_flush_close_unref(bus->bus);
		return 1;
	}
	bus->direct = true;
	return 0;
}

static int message_open(struct systemd_bus *bus)
{
	bool user = systemd_is_user();
	int r = user ? bus->lib->bus_open_user(&bus->bus) : bus->lib->bus_open_system(&bus->bus);

	if (r >= 0)
		return 0;
	if (user)
		return fail_plain(-r, "reach the user's systemd (XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS must be that of "
				  "a login session, see 'loginctl enable-linger'): %s", error_text(-r));
	return fail_plain(-r, "reach systemd on the system bus (is systemd this machine's init?): %s", error_text(-r));
}

int systemd_job_removed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct systemd_bus *bus = data;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (bus->lib->message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (bus->job && !bus->result && str_eq(path, bus->job))
		bus->result = strdup(result);
	return 0;
}

int systemd_bus_open(struct systemd_bus *bus, bool jobs)
{
	int r = systemd_library_open(&bus->lib);

	if (r == 0)
		r = direct_open(bus);
	if (r == 1)
		r = message_open(bus);
	if (r < 0 || !jobs)
		return r;
	r = bus->lib->bus_match_signal(bus->bus, NULL, bus->direct ? NULL : DESTINATION, OBJECT, MANAGER, "JobRemoved",
				       systemd_job_removed, bus);
	if (r < 0)
		return fail(-r, "listen to systemd's signals");
	bus->jobs_told = true;
	return bus->direct ? 0 : systemd_manager_call(bus, "Subscribe", NULL, NULL);
}

void systemd_bus_close(struct systemd_bus *bus)
{
	if (bus->bus)
		bus->bus = bus->lib->bus_flush_close_unref(bus->bus);
	free(bus->job);
	free(bus->result);
	bus->job = bus->result = NULL;
}

/* What the manager answered with, told apart where the caller must. */
static int call_failed(int r, const char *method, const sd_bus_error *error)
{
	static const struct {
		const char *name;
		int outcome;
	} outcomes[] = {
		{ "org.freedesktop.systemd1.NoSuchUnit", SYSTEMD_NO_SUCH_UNIT },
		{ "org.freedesktop.systemd1.UnitExists", SYSTEMD_UNIT_EXISTS },
		{ "org.freedesktop.DBus.Error.PropertyReadOnly", SYSTEMD_UNKNOWN_PROPERTY },
		{ "org.freedesktop.DBus.Error.UnknownProperty", SYSTEMD_UNKNOWN_PROPERTY },
	};

	(void)fail_plain(-r, "systemd: %s: %s", method, error->message ? error->message : error_text(-r));
	for (size_t i = 0; error->name && i < ARRAY_SIZE(outcomes); i++)
		if (str_eq(error->name, outcomes[i].name))
			return outcomes[i].outcome;
	return r;
}

static int message_call(struct systemd_bus *bus, const char *method, sd_bus_message *m, sd_bus_message **ret_reply)
{
	sd_bus_error error = { .name = NULL };
	sd_bus_message *reply = NULL;
	int r = bus->lib->bus_call(bus->bus, m, CALL_TIMEOUT_US, &error, &reply);

	r = r < 0 ? call_failed(r, method, &error) : 0;
	bus->lib->error_free(&error);
	if (r == 0 && ret_reply)
		*ret_reply = reply;
	else
		(void)bus->lib->message_unref(reply);
	return r;
}

static int message_new(struct systemd_bus *bus, const char *method, sd_bus_message **ret)
{
	int r = bus->lib->message_new_method_call(bus->bus, ret, DESTINATION, OBJECT, MANAGER, method);

	return r < 0 ? fail(-r, "systemd: %s: make a message", method) : 0;
}

/* One by one, because a list of variable arguments cannot be handed on to the library. */
int systemd_manager_call(struct systemd_bus *bus, const char *method, sd_bus_message **ret_reply, const char *types, ...)
{
	sd_bus_message *m = NULL;
	va_list args;
	int r = message_new(bus, method, &m);

	if (r < 0)
		return r;
	va_start(args, types);
	for (const char *t = types; r >= 0 && t && *t; t++) {
		const char one[] = { *t, '\0' };

		if (*t == 's')
			r = bus->lib->message_append(m, one, va_arg(args, const char *));
		else if (*t == 'p')
			r = bus->lib->message_append(m, "au", 1U, va_arg(args, unsigned int));
		else
			r = -EINVAL;
	}
	va_end(args);
	r = r < 0 ? fail(-r, "systemd: %s: make a message", method) : message_call(bus, method, m, ret_reply);
	(void)bus->lib->message_unref(m);
	return r;
}

static int value_append(const struct systemd_library *lib, sd_bus_message *m, const struct systemd_property *p)
{
	int r;

	switch (p->type) {
	case SYSTEMD_BOOL: return lib->message_append(m, "v", "b", (int)p->number);
	case SYSTEMD_INT32: return lib->message_append(m, "v", "i", (int32_t)p->number);
	case SYSTEMD_UINT32: return lib->message_append(m, "v", "u", (uint32_t)p->number);
	case SYSTEMD_INT64: return lib->message_append(m, "v", "x", (int64_t)p->number);
	case SYSTEMD_UINT64: return lib->message_append(m, "v", "t", p->number);
	case SYSTEMD_DOUBLE: return lib->message_append(m, "v", "d", p->real);
	case SYSTEMD_STRING: return lib->message_append(m, "v", "s", p->text);
	case SYSTEMD_PIDS: return lib->message_append(m, "v", "au", 1U, (uint32_t)p->number);
	case SYSTEMD_DEVICES: return lib->message_append(m, "v", "a(st)", 1U, p->text, p->number);
	case SYSTEMD_BYTES:
		r = lib->message_open_container(m, 'v', "ay");
		if (r >= 0)
			r = lib->message_append_array(m, 'y', p->text, p->size);
		break;
	case SYSTEMD_STRINGS:
	default:
		r = lib->message_open_container(m, 'v', "as");
		if (r >= 0)
			r = lib->message_open_container(m, 'a', "s");
		for (char **item = p->list; r >= 0 && item && *item; item++)
			r = lib->message_append(m, "s", *item);
		if (r >= 0)
			r = lib->message_close_container(m);
		break;
	}
	return r < 0 ? r : lib->message_close_container(m);
}

static int properties_append(const struct systemd_library *lib, sd_bus_message *m,
			     const struct systemd_properties *properties)
{
	int r = lib->message_open_container(m, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < properties->count; i++) {
		const struct systemd_property *p = &properties->items[i];

		if (p->left_out)
			continue;
		r = lib->message_open_container(m, 'r', "sv");
		if (r >= 0)
			r = lib->message_append(m, "s", p->name);
		if (r >= 0)
			r = value_append(lib, m, p);
		if (r >= 0)
			r = lib->message_close_container(m);
	}
	return r < 0 ? r : lib->message_close_container(m);
}

static int properties_call(struct systemd_bus *bus, const char *method, const char *unit, const char *mode,
			   const struct systemd_properties *properties, sd_bus_message **ret_reply)
{
	const struct systemd_library *lib = bus->lib;
	sd_bus_message *m = NULL;
	int r = message_new(bus, method, &m);

	if (r < 0)
		return r;
	/* StartTransientUnit(name, mode, properties, auxiliary units); SetUnitProperties(name, runtime, properties) */
	r = mode ? lib->message_append(m, "ss", unit, mode) : lib->message_append(m, "sb", unit, 1);
	if (r >= 0)
		r = properties_append(lib, m, properties);
	if (r >= 0 && mode)
		r = lib->message_append(m, "a(sa(sv))", 0U);
	r = r < 0 ? fail(-r, "systemd: %s: make a message", method) : message_call(bus, method, m, ret_reply);
	(void)lib->message_unref(m);
	return r;
}

/* "Cannot set property X, or unknown property." Return: whether there is one to be left out. */
static bool unknown_leave_out(struct systemd_properties *properties)
{
	const char *text = fail_text();

	for (size_t i = 0; i < properties->count; i++) {
		struct systemd_property *p = &properties->items[i];
		const char *at = strstr(text, p->name);
		size_t length = strlen(p->name);

		if (at && at > text && at[-1] == ' ' && strchr(", .'", at[length]) && !p->asked && !p->left_out) {
			p->left_out = true;
			return true;
		}
	}
	return false;
}

int systemd_properties_call(struct systemd_bus *bus, const char *method, const char *unit, const char *mode,
			    struct systemd_properties *properties, sd_bus_message **ret_reply)
{
	int r;

	do
		r = properties_call(bus, method, unit, mode, properties, ret_reply);
	while (r == SYSTEMD_UNKNOWN_PROPERTY && unknown_leave_out(properties));
	return r == SYSTEMD_UNKNOWN_PROPERTY ? fail_in(-EINVAL, "unit '%s'", unit) : r;
}

int systemd_job_wait(struct systemd_bus *bus, sd_bus_message *reply, const char **ret_result)
{
	int64_t end = clock_ms() + JOB_TIMEOUT_MS;
	const char *job;
	int r = bus->lib->message_read(reply, "o", &job);

	if (r < 0)
		return fail(-r, "systemd: read the answer");
	free(bus->result);
	bus->result = NULL;
	r = str_copy(&bus->job, job);
	while (r == 0 && !bus->result) {
		int64_t left = end - clock_ms();

		if (left <= 0)
			return fail_plain(ETIMEDOUT, "systemd: a job took longer than %d s", JOB_TIMEOUT_MS / 1000);
		r = bus->lib->bus_process(bus->bus, NULL);
		if (r > 0) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = bus->lib->bus_wait(bus->bus, (uint64_t)left * 1000);
		if (r == -EINTR)
			r = 0;
		r = r < 0 ? fail(-r, "wait for systemd") : 0;
	}
	if (r == 0)
		*ret_result = bus->result;
	return r;
}
