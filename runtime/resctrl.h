/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * resctrl - linux.intelRdt: a class of service of the processor's cache and memory bandwidth
 */

#include <stdbool.h>
#include <sys/types.h>

struct spec;
struct spec_intel_rdt;

/* resctrl_open() - directory fd of resctrl where it is mounted, or a recorded failure that says what is missing. */
int resctrl_open(void);

/*
 * resctrl_enter() - put a process into its class and monitoring group, made where the spec says so
 * @root: of resctrl_open()
 * @id: of the container
 * @pid: its first process; what that forks follows
 *
 * Return: 0 or a recorded failure.
 */
int resctrl_enter(int root, const struct spec_intel_rdt *rdt, const char *id, pid_t pid);

/* resctrl_follow() - put a further process of the container there. */
int resctrl_follow(int root, const struct spec_intel_rdt *rdt, const char *id, pid_t pid);

/* resctrl_leave() - remove what resctrl_enter() made for this container alone. Return: 0 or a recorded failure. */
int resctrl_leave(int root, const struct spec_intel_rdt *rdt, const char *id);

/* resctrl_is_owed() - whether a container of @spec has something there that goes with it. */
bool resctrl_is_owed(const struct spec *spec);

/* resctrl_forget() - resctrl_leave() at a container's end; a failure is a warning. */
void resctrl_forget(const struct spec *spec, const char *id);
