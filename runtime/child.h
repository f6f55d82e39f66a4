/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * child - what happens between clone3 and execve, in the container's first process or one that joins it
 *
 * Private to the life of a container: parent.c makes it, exec.c makes the one that joins.
 */

#include <stdbool.h>

#include "runtime/lsm.h"
#include "runtime/spec.h"

struct activation;
struct machine;
struct rootfs;
struct seccomp_filter;
struct state;

struct child {
	const char *id;
	const struct spec *spec;		/* of the container */
	struct spec_process process;		/* spec's own, or exec's: a shallow copy, changed in the child */
	const char *user;			/* "user[:group]" still to be looked up in the root; NULL: none */
	struct rootfs *rootfs;			/* NULL in exec: it joins what is there */
	const struct seccomp_filter *filter;	/* NULL: none */
	const struct state *state;		/* for hooks that run in the child */
	int joins[NS_COUNT];			/* namespaces still to join in the child; -1 */
	int sync;				/* to the parent */
	int start_sock;				/* listens for `start`; -1: SYNC_GO comes on sync */
	int console_sock;			/* takes the terminal's master; -1 */
	int stdio[3];				/* -1: as inherited */
	bool init;				/* the small init is the first process, the program its child */
	bool keep_keyring;
	unsigned int preserve_fds;		/* the listening sockets among them */
	const struct machine *machine;		/* the program is its monitor; NULL */
	bool network_joined;			/* another container's, whatever the spec says */
	const char *network_folder;		/* where they are, when we ourselves are to take them; NULL */
	const int *network_files;		/* trees, one for each of NETWORK_FILE_COUNT; see network-files.h */
	const struct activation *activation;	/* NULL in exec */
	int hook_output[2];			/* stdout and stderr of hooks inside; opened by the child */
	bool network_apart;			/* the parent makes its network namespace while it works */
	bool map_wait;				/* a new user namespace: wait for its maps */
	bool hooks_wait;			/* the parent does something once we have come to "wait for the parent" */
	bool at_once;				/* SYNC_GO comes unasked: all that could fail before `start` may fail after it */
	bool heard;				/* the parent's word came; of the child */
	char *program;				/* found by "find the program"; of the child */
	int launcher;				/* made by "prepare the launcher"; of the child */
	struct lsm_label label;			/* made by "prepare the label"; of the child */
};

/*
 * child_run() - the container's steps, then the payload; never returns
 * child_join_run() - exec's steps (a part of the same functions), then its program; never returns
 */
_Noreturn void child_run(struct child *c);
_Noreturn void child_join_run(struct child *c);
