/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * systemd - cgroups that systemd makes, as transient scopes asked for over D-Bus
 *
 * libsystemd is opened when the first of these functions needs it, never before. Root in the initial user namespace
 * talks to the system's manager, everybody else to the user's own. The scope is delegated to us: inside it we write
 * as we do in a cgroup of our making, and what systemd knows a property for it is told as well, because it writes
 * its own idea of these files whenever it sees a reason to.
 * Source: systemd's docs/CGROUP_DELEGATION.md, org.freedesktop.systemd1(5), systemd.resource-control(5).
 */

#include <stdbool.h>
#include <sys/types.h>

struct cgroup_limits;
struct str_list;

struct systemd_scope {
	char *slice;	/* NULL: systemd's default */
	char *unit;	/* "nacelle-c1.scope" */
};
#define SYSTEMD_SCOPE_NONE { .slice = NULL, .unit = NULL }

/*
 * systemd_scope_name() - what a spec asks for
 * @asked: linux.cgroupsPath: "slice:prefix:name", of which slice and prefix may be empty; NULL: all defaults
 *
 * systemd_scope_done() it. Return: 0 or a recorded failure.
 */
int systemd_scope_name(const char *asked, const char *id, struct systemd_scope *ret_scope);
void systemd_scope_done(struct systemd_scope *scope);

/*
 * systemd_scope_start() - have the scope made around a process, and wait until it is
 * @pid: our child; from then on the process is in it
 * @limits: told as properties
 * @annotations: "key=value"; each org.systemd.property.NAME becomes the property NAME
 * @ret_path: the scope's cgroup, relative to the mount of cgroup2 as we see it
 *
 * A scope of that name that lives is a failure; one that has ended is forgotten first.
 * Return: 0 or a recorded failure.
 */
int systemd_scope_start(const struct systemd_scope *scope, const char *id, pid_t pid, const struct cgroup_limits *limits,
			const struct str_list *annotations, char **ret_path);

/*
 * systemd_scope_enter() - make a cgroup inside a scope, for its one process @pid, with all controllers that the scope has
 * @path: of the scope; replaced by that of the new cgroup
 */
int systemd_scope_enter(char **path, const char *name, pid_t pid);

/* systemd_scope_attach() - move processes into the cgroup @below ("", or "/name") of a scope. Return: 0 or a recorded failure. */
int systemd_scope_attach(const char *unit, const char *below, pid_t pid);

/* systemd_scope_update() - tell systemd of other limits. Return: 0 or a recorded failure. */
int systemd_scope_update(const char *unit, const struct cgroup_limits *limits);

/*
 * systemd_scope_stop() - end a scope whose processes are gone, wait for it, and have it forgotten
 *
 * One that is gone already is success. Return: 0 or a recorded failure.
 */
int systemd_scope_stop(const char *unit);
