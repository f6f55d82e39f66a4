/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * checkpoint - the verbs `checkpoint` and `restore`: a container's processes put aside in files, and made again
 *
 * In the folder of images: criu's own files, descriptors.json, an array of what standard input, output and error were, and
 * mountinfo, as the container had it.
 */

#include <stdbool.h>

struct bundle;
struct container_child;
struct container_options;
struct container_place;

/* From the command line; of both verbs, or of one as noted. */
struct checkpoint_options {
	const char *images;		/* folder; checkpoint makes it */
	const char *work;		/* folder of logs, made when missing; NULL: that of the images */
	const char *parent;		/* checkpoint: images of a pre-dump, relative to `images`; NULL */
	const char *program;		/* criu, a path or a name to be found by PATH; NULL: "criu" */
	const char *lsm_profile, *lsm_mount_context;	/* restore: as criu takes them; NULL */
	bool tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup;
	bool tcp_close;			/* restore: what connections there were are closed */
	bool empty_network;		/* what is in its network namespace is left out */
	bool leave_running;		/* checkpoint: the container goes on */
	bool pre_dump;			/* checkpoint: its memory alone, and it goes on */
};

/*
 * container_checkpoint() - write a running or paused container to files, and delete it unless it goes on
 *
 * When it fails the container goes on. Return: 0 or a recorded failure.
 */
int container_checkpoint(const struct container_place *place, const char *id, const struct checkpoint_options *options);

/*
 * container_restore() - make a container from such files: it runs when this returns
 * @bundle: as at create, with the same root and sources of mounts
 * @options: console_socket, pid_file, stdio as for container_create()
 * @ret_child: we are its parent; may be NULL
 *
 * Return: 0 or a recorded failure, with nothing left.
 */
int container_restore(const struct container_place *place, const struct bundle *bundle, const struct container_options *options,
		      const struct checkpoint_options *checkpoint, struct container_child *ret_child);
