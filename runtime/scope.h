/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * scope - a container's cgroup as a transient scope of systemd's
 *
 * Private to the life of a container. A scope needs a process to be made around, and the container's first one is
 * born straight into its cgroup: so another one holds the place until then. While only that one is in it, nothing
 * is left if we are killed: it dies with us, and systemd drops a scope that is empty.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "cgroups/cgroup.h"
#include "cgroups/systemd.h"

struct spec;
struct state;

struct scope {
	struct systemd_scope name;
	pid_t placeholder;	/* 0: none */
	bool started;
};
#define SCOPE_NONE { .name = SYSTEMD_SCOPE_NONE, .placeholder = 0, .started = false }

/* scope_choose() - read what the spec asks for. Nothing is made. Return: 0 or a recorded failure. */
int scope_choose(struct scope *scope, const struct spec *spec, const char *id);

/*
 * scope_start() - have it made, with the placeholder in it
 * @cg: opened, and `made` is set
 * @state: its cgroup and unit are set, not yet written
 *
 * The annotation run.oci.systemd.subgroup=NAME puts the container into a cgroup NAME inside the scope.
 * Return: 0 or a recorded failure.
 */
int scope_start(struct scope *scope, const struct spec *spec, struct cgroup *cg, struct state *state);

/*
 * scope_attach() - have systemd move a process into a cgroup of a scope
 * @path: the cgroup's: that of the scope, or below it
 */
int scope_attach(const char *unit, const char *path, pid_t pid);

/* scope_release() - end the placeholder, when somebody else is in the cgroup or all is undone. */
void scope_release(struct scope *scope);

/* scope_done() - release, and free; what was started stays. */
void scope_done(struct scope *scope);

/* scope_stop() - at deletion, when its processes are gone; what goes wrong is a warning. @unit: NULL: none */
void scope_stop(const char *unit);
