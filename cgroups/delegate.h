/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * delegate - a cgroup below the container's that the payload may manage
 */

#include <sys/types.h>

struct cgroup;

/*
 * cgroup_delegate() - make a cgroup below @cg, give it away, and move a process there
 * @cg: open; its limits hold for all below. It must have no other process than @pid.
 * @name: one component
 * @uid, @gid: who may manage it
 *
 * The controllers that @cg has are handed on. Return: 0 or a recorded failure.
 */
int cgroup_delegate(const struct cgroup *cg, const char *name, pid_t pid, uid_t uid, gid_t gid);

/*
 * cgroup_own() - give the container's own cgroup to a user, as the runtime-spec has it ("Cgroup ownership")
 * @cg: open; its folder and the files that /sys/kernel/cgroup/delegate lists become @uid's, never a limit
 *
 * Listed files that this cgroup does not have are passed over. Return: 0 or a recorded failure.
 */
int cgroup_own(const struct cgroup *cg, uid_t uid);
