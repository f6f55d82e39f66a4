/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * parent - the parent's side of `create` and `restore`: lists of named steps, undone as a whole
 *
 * Private to the life of a container; container.h has the verbs.
 */

#include <stdbool.h>

#include "cgroups/cgroup.h"
#include "runtime/base/sync.h"
#include "runtime/child.h"
#include "runtime/namespaces.h"
#include "runtime/network-attach.h"
#include "runtime/rootfs.h"
#include "runtime/scope.h"
#include "runtime/state.h"
#include "seccomp/load.h"

struct bundle;
struct checkpoint_options;
struct container_options;
struct container_place;

struct parent {
	const struct container_place *place;
	const struct bundle *bundle;
	const struct spec *spec;
	const struct container_options *options;
	const struct checkpoint_options *checkpoint;	/* restore alone */
	bool init;			/* the small init is its first process */
	bool stays;			/* the caller remains the parent: SYNC_GO comes on our socket */

	struct state_dir dir;
	struct state state;
	struct state before;		/* again: the record as it was */
	struct cgroup cgroup;
	struct scope scope;		/* where systemd makes it */
	char *cgroup_folder;		/* as a path of the host; NULL when nobody needs it */
	char *upper;			/* the folder of upper_create(), or NULL */
	struct volume_taken *volumes;	/* of volumes_take(), or NULL */
	struct seccomp_filter filter;
	bool filter_set;
	struct rootfs rootfs;
	struct ns_plan plan;
	struct network_hold network;
	struct child child;
	int sync, child_sync;		/* the two ends */
	int terminal;			/* the master, when we keep it */
	int console_mine;		/* our end of the pair that brings it */
	pid_t pid;
	int pidfd;
};

/* parent_create() - run all steps. On failure all is undone. Return: 0 or a recorded failure. */
int parent_create(struct parent *p);
/* parent_restore() - the same with the steps of a restore. */
int parent_restore(struct parent *p);
/* parent_done() - close and free; what was made stays. */
void parent_done(struct parent *p);

/*
 * parent_seccomp() - the filter of @profile, through the cache below the state root
 * @root: directory fd of the state root
 */
int parent_seccomp(int root, const struct seccomp_profile *profile, struct seccomp_filter *ret_filter);

/*
 * parent_await() - wait for @word of the child, serving its listener on the way
 * @word: SYNC_NONE: until it has exec'ed
 *
 * Return: 0 or a recorded failure.
 */
int parent_await(int sync, enum sync_word word, const struct spec *spec, const struct state *state, pid_t pid);

/* parent_send() - tell the child a word; the failure of a child that has ended is what it said of it. Return: 0 or a recorded failure. */
int parent_send(int sync, enum sync_word word);
/* parent_hand() - the same with an fd, which stays ours */
int parent_hand(int sync, enum sync_word word, int fd);

/* parent_pid_file() - write --pid-file, when there is one. */
int parent_pid_file(const char *path, pid_t pid);
