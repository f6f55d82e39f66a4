/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * parent-steps - steps of parent.c's lists that have files of their own, by what they make
 *
 * Each does its part of what the spec asks for, or nothing where it asks for nothing. Return: 0 or a recorded failure.
 */

#include "runtime/parent.h"

/* parent-record.c: the state record, and the spec beside it */
int record_first(struct parent *p);		/* nothing is made before it */
int spec_keep(struct parent *p);
int record_process(struct parent *p);		/* its pid: from here on it lives without us */
int record_phase(struct parent *p);

/* spec_told() - what the user wrote: of a machine's cell the container is told, not the cell */
const struct spec *spec_told(const struct parent *p);
/* parent_undo() - take back everything; the failure that brought us there keeps its text and status */
void parent_undo(struct parent *p);

/* parent-cgroup.c */
int cgroup_choose(struct parent *p);		/* its path, before it is made */
int cgroup_by_systemd(struct parent *p);
int cgroup_folder_find(struct parent *p);	/* as a path of the host, for those who see it by that */
int cgroup_create(struct parent *p);
int cgroup_limit(struct parent *p);		/* while the child works */
int cgroup_hand_over(struct parent *p);		/* run.oci.delegate-cgroup */
int cgroup_hand_own(struct parent *p);		/* to the payload's user, where it is for him to manage */
int resctrl_join(struct parent *p);
