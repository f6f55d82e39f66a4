/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * lsm - AppArmor profile and SELinux label of the payload, and of what is mounted for it
 */

#include "runtime/base/str.h"

struct spec;
struct spec_process;

/* What the launcher writes right before it becomes the payload; see runtime/launch.h. */
struct lsm_label {
	int proc;	/* directory fd of a procfs of our own; -1: no label */
	char *file;	/* the file below it */
	char *text;	/* what is written there */
};
#define LSM_LABEL_NONE { .proc = -1 }

/*
 * lsm_check() - in the parent: whether this kernel has what the labels of @process need, and of @spec's mounts
 * @spec: may be NULL
 *
 * Return: 0 or a recorded failure that names the field.
 */
int lsm_check(const struct spec *spec, const struct spec_process *process);

/*
 * lsm_check_restore() - whether this kernel has what a restored container is to be labelled by
 * @profile: "apparmor:NAME" or "selinux:LABEL", or NULL
 * @mount_context: an SELinux label, or NULL
 *
 * criu takes what it finds no use for in silence. Return: 0 or a recorded failure that names the option.
 */
int lsm_check_restore(const char *profile, const char *mount_context);

/*
 * lsm_prepare() - in the child: what is to be written, and where
 *
 * *Needs* CAP_SYS_ADMIN for a procfs of its own, so before user_become(). The fd is close-on-exec.
 * Return: 0 or a recorded failure.
 */
int lsm_prepare(const struct spec_process *process, struct lsm_label *ret_label);

/* lsm_mount_option() - "context=LABEL" for mounts of @type, NULL in @ret when it takes none; malloc'ed. */
int lsm_mount_option(const struct spec *spec, const char *type, char **ret_option);
