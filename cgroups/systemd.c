/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a scope. Where systemd put the process is read of /proc, which tells it relative to what we see, and
 * is right for a user's manager too. A scope lives as long as a process is in it: what we fail to stop goes by itself.
 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "cgroups/systemd-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

/* systemd forgets a unit that has ended a little later. */
enum { START_TRIES = 100, START_PAUSE_MS = 20, UNIT_NAME_MAX = 255 };

/* What systemd takes in the name of a unit. */
static int name_check(const char *what, const char *name)
{
	if (!*name || strlen(name) > UNIT_NAME_MAX ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")])
		return fail_plain(EINVAL, "linux.cgroupsPath: '%s' cannot be the name of a systemd %s", name, what);
	return 0;
}

static int slice_name(const char *asked, size_t length, char **ret)
{
	int r;

	if (length == 0)
		return 0;
	r = str_format(ret, "%.*s", (int)length, asked);
	/* "-.slice" is the root's. */
	if (r == 0 && !str_eq(*ret, "-.slice") && (!str_ends(*ret, ".slice") || **ret == '-' || strstr(*ret, "--")))
		r = fail_plain(EINVAL, "linux.cgroupsPath: '%s' is not the name of a slice, such as system.slice", *ret);
	return r < 0 ? r : name_check("slice", *ret);
}

int systemd_scope_name(const char *asked, const char *id, struct systemd_scope *ret_scope)
{
	struct systemd_scope scope = SYSTEMD_SCOPE_NONE;
	const char *prefix, *name;
	int r;

	if (!asked || !*asked) {
		r = str_format(&scope.unit, "nacelle-%s.scope", id);
	} else {
		prefix = strchr(asked, ':');
		name = prefix ? strchr(prefix + 1, ':') : NULL;
		if (!name || !name[1] || strchr(name + 1, ':'))
			return fail_plain(EINVAL, "linux.cgroupsPath: '%s' is not of the form 'slice:prefix:name', which "
					  "--systemd-cgroup needs", asked);
		r = slice_name(asked, (size_t)(prefix - asked), &scope.slice);
		prefix++;
		if (r == 0)
			r = str_format(&scope.unit, "%.*s%s%s.scope", (int)(name - prefix), prefix,
				       name > prefix ? "-" : "", name + 1);
	}
	if (r == 0)
		r = name_check("scope", scope.unit);
	if (r < 0) {
		systemd_scope_done(&scope);
		return r;
	}
	*ret_scope = scope;
	return 0;
}

void systemd_scope_done(struct systemd_scope *scope)
{
	free(scope->slice);
	free(scope->unit);
	*scope = (struct systemd_scope)SYSTEMD_SCOPE_NONE;
}

static int text_add(struct systemd_properties *properties, const char *name, const char *text)
{
	struct systemd_property *p = systemd_property_add(properties, name, SYSTEMD_STRING);

	return p ? str_copy(&p->text, text) : -ENOMEM;
}

static int flag_add(struct systemd_properties *properties, const char *name, bool value)
{
	struct systemd_property *p = systemd_property_add(properties, name, SYSTEMD_BOOL);

	if (!p)
		return -ENOMEM;
	p->number = value;
	return 0;
}

static int scope_properties(struct systemd_properties *properties, const struct systemd_scope *scope, const char *id,
			    pid_t pid)
{
	static const struct {
		const char *name;
		bool value;
	} flags[] = {
		{ "Delegate", true },
		{ "DefaultDependencies", false },	/* not stopped before what uses containers */
		{ "MemoryAccounting", true },
		{ "CPUAccounting", true },
		{ "IOAccounting", true },
		{ "TasksAccounting", true },
	};
	cleanup_free char *description = NULL;
	struct systemd_property *p = systemd_property_add(properties, "PIDs", SYSTEMD_PIDS);
	int r;

	if (!p)
		return -ENOMEM;
	p->number = (uint64_t)pid;
	r = str_format(&description, "container %s", id);
	if (r == 0)
		r = text_add(properties, "Description", description);
	if (r == 0 && scope->slice)
		r = text_add(properties, "Slice", scope->slice);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
		r = flag_add(properties, flags[i].name, flags[i].value);
	return r;
}

/* "0::/system.slice/x.scope" of /proc/PID/cgroup */
static int path_find(pid_t pid, const char *unit, char **ret_path)
{
	cleanup_free char *file = NULL, *text = NULL;
	char *line, *rest, *last;
	int r = str_format(&file, "/proc/%d/cgroup", (int)pid);

	if (r == 0)
		r = fd_read_file(AT_FDCWD, file, &text);
	if (r < 0)
		return r;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		const char *path = str_starts(line, "0::");

		if (!path)
			continue;
		last = strrchr(path, '/');
		if (!last || !str_eq(last + 1, unit) || strstr(path, "/../"))
			return fail_plain(EPROTO, "systemd said that it started '%s', but the process is in cgroup '%s'",
					  unit, path);
		return str_copy(ret_path, path);
	}
	return fail_plain(ENODEV, "systemd started '%s', but not in cgroup v2; boot with "
			  "systemd.unified_cgroup_hierarchy=1", unit);
}

/* A unit of that name is known. Return: 0 when it is over and may be gone at the next try, or a recorded failure. */
static int left_over_forget(struct systemd_bus *bus, const char *unit)
{
	const struct timespec pause = { .tv_nsec = START_PAUSE_MS * 1000000L };
	int r = systemd_manager_call(bus, "ResetFailedUnit", NULL, "s", unit);

	if (r < 0)
		return r;
	(void)nanosleep(&pause, NULL);
	return 0;
}

static int start(struct systemd_bus *bus, const char *unit, struct systemd_properties *properties)
{
	sd_bus_message *reply = NULL;
	const char *result;
	int r = 0;

	for (int i = 0; i < START_TRIES; i++) {
		r = systemd_properties_call(bus, "StartTransientUnit", unit, "fail", properties, &reply);
		if (r != SYSTEMD_UNIT_EXISTS)
			break;
		r = left_over_forget(bus, unit);
		if (r < 0)
			return r;
		r = SYSTEMD_UNIT_EXISTS;
	}
	if (r == SYSTEMD_UNIT_EXISTS)
		return fail_plain(EEXIST, "systemd has a unit '%s' already ('systemctl status %s' shows it)", unit, unit);
	if (r != 0)
		return r < 0 ? r : fail_in(-EPROTO, "start '%s'", unit);
	r = systemd_job_wait(bus, reply, &result);
	(void)bus->lib->message_unref(reply);
	if (r < 0 || str_eq(result, "done"))
		return r;
	/* Else it would be kept as a failed one. */
	(void)systemd_manager_call(bus, "ResetFailedUnit", NULL, "s", unit);
	return fail_plain(EIO, "systemd did not start '%s': %s ('journalctl -u %s' may tell why)", unit, result, unit);
}

int systemd_scope_start(const struct systemd_scope *scope, const char *id, pid_t pid, const struct cgroup_limits *limits,
			const struct str_list *annotations, char **ret_path)
{
	struct systemd_bus bus = SYSTEMD_BUS_NONE;
	struct systemd_properties properties = { .count = 0 };
	int r = scope_properties(&properties, scope, id, pid);

	if (r == 0)
		r = systemd_properties_limits(&properties, limits);
	/* Last: of two with one name the later one counts. */
	if (r == 0)
		r = systemd_properties_annotations(&properties, annotations);
	if (r == 0)
		r = systemd_bus_open(&bus, true);
	if (r == 0)
		r = start(&bus, scope->unit, &properties);
	if (r == 0)
		r = path_find(pid, scope->unit, ret_path);
	systemd_properties_done(&properties);
	systemd_bus_close(&bus);
	return r;
}

/* What the scope has is for what is below it: it is delegated, and holds no process itself any more. */
static int controllers_pass(int scope)
{
	char have[CGROUP_FILE_SMALL], text[2 * CGROUP_FILE_SMALL] = "", *saved = NULL;
	int r = cgroup_file_read(scope, "cgroup.controllers", have, sizeof(have));

	for (char *name = r < 0 ? NULL : strtok_r(have, " \n", &saved); name; name = strtok_r(NULL, " \n", &saved)) {
		strcat(text, *text ? " +" : "+");
		strcat(text, name);
	}
	if (r >= 0 && *text)
		r = cgroup_file_write(scope, "cgroup.subtree_control", text);
	return r < 0 ? fail(-r, "enable '%s' below the scope", text) : 0;
}

int systemd_scope_enter(char **path, const char *name, pid_t pid)
{
	struct cgroup scope = CGROUP_NONE, below = CGROUP_NONE;
	int r = str_copy(&scope.path, *path);

	if (r == 0)
		r = str_format(&below.path, "%s/%s", *path, name);
	if (r == 0)
		r = cgroup_open(&scope);
	if (r == 0 && mkdirat(scope.fd, name, 0755) < 0 && errno != EEXIST)
		r = fail(errno, "make cgroup '%s'", below.path);
	if (r == 0)
		r = cgroup_open(&below);
	if (r == 0)
		r = cgroup_attach(&below, pid);
	if (r == 0)
		r = controllers_pass(scope.fd);
	if (r == CGROUP_NOT_FOUND)
		r = fail_plain(ENOENT, "cgroup '%s' is gone", *path);
	if (r == 0)
		r = str_copy(path, below.path);
	cgroup_close(&scope);
	cgroup_close(&below);
	return r;
}

int systemd_scope_attach(const char *unit, const char *below, pid_t pid)
{
	struct systemd_bus bus = SYSTEMD_BUS_NONE;
	int r = systemd_bus_open(&bus, false);

	if (r == 0)
		r = systemd_manager_call(&bus, "AttachProcessesToUnit", NULL, "ssp", unit, below, (unsigned int)pid);
	systemd_bus_close(&bus);
	return r > 0 ? fail_in(-ESRCH, "unit '%s'", unit) : r;
}

int systemd_scope_update(const char *unit, const struct cgroup_limits *limits)
{
	struct systemd_bus bus = SYSTEMD_BUS_NONE;
	struct systemd_properties properties = { .count = 0 };
	int r = systemd_properties_limits(&properties, limits);

	if (r == 0 && properties.count) {
		r = systemd_bus_open(&bus, false);
		if (r == 0)
			r = systemd_properties_call(&bus, "SetUnitProperties", unit, NULL, &properties, NULL);
		systemd_bus_close(&bus);
	}
	systemd_properties_done(&properties);
	return r > 0 ? fail_in(-ESRCH, "unit '%s'", unit) : r;
}

int systemd_scope_stop(const char *unit)
{
	struct systemd_bus bus = SYSTEMD_BUS_NONE;
	sd_bus_message *reply = NULL;
	const char *result;
	int r = systemd_bus_open(&bus, true);

	if (r == 0)
		r = systemd_manager_call(&bus, "StopUnit", &reply, "ss", unit, "replace");
	if (r == 0) {
		r = systemd_job_wait(&bus, reply, &result);
		(void)bus.lib->message_unref(reply);
	}
	/* One that failed (its processes were killed for memory) is kept until somebody says so. */
	if (r == 0 && systemd_manager_call(&bus, "ResetFailedUnit", NULL, "s", unit) < 0)
		log_debug("%s, ignoring", fail_text());
	systemd_bus_close(&bus);
	return r < 0 ? r : 0;
}
