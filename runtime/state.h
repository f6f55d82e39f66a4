/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * state - the record of a container: <root>/<id>/state.json and what stands beside it
 *
 *	state.json	the record; replaced as a whole, first written before anything else is made
 *	config.json	the spec as expanded: what `exec` and the hooks of `delete` work from
 *	start.sock	where a created container's init waits for `start`; gone once it was started
 *	note		what its keeper tells meanwhile: a JSON object (runtime/service/keeper.h)
 *	keeper.sock	where its keeper listens (runtime/keeper-talk.h)
 *	health.json	what its last health check said
 *	exit		of a detached container: empty while it runs, then one JSON line (runtime/service/keeper.h)
 *
 * The folder's own flock(2) is the container's lock. Readers take none: a record is always whole.
 * A record that was written before this boot is stale: its processes and cgroup are gone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <jansson.h>

#include "runtime/base/proc.h"
#include "runtime/base/str.h"

enum { STATE_VERSION = 1, STATE_ID_MAX = 255 };

/* What was last done with it; what it does now also depends on its process: see container_status(). */
enum state_phase { PHASE_CREATING, PHASE_CREATED, PHASE_RUNNING };

struct state {
	enum state_phase phase;
	char *id, *bundle, *rootfs;
	char *oci_version;
	pid_t pid;			/* 0: none yet */
	uint64_t pid_start;		/* see proc_start_time() */
	pid_t keeper_pid;		/* 0: none */
	uint64_t keeper_start;
	char *cgroup_path;		/* NULL: no cgroup */
	char *cgroup_unit;		/* the scope in which systemd made it, or NULL */
	bool cgroup_made;		/* by us: may be killed and removed */
	bool remove_at_exit;		/* --rm */
	bool open_stdin;		/* run -d -i: its standard input is a pipe that its keeper holds */
	bool poststop_owed;		/* the runtime hooks began, and there are poststop hooks */
	bool resctrl_owed;		/* a part of resctrl is the container's own, and goes with it */
	char *created;			/* RFC 3339, UTC */
	char *image_store;		/* where its image is held, or NULL */
	struct str_list volumes;	/* names of its volumes, in the order of their mounts */
	bool volumes_go;		/* those that were made for it go with it */
	char *log;			/* file of a detached container's output, or NULL */
	char boot_id[PROC_BOOT_ID_SIZE];
	struct str_list annotations;
};

/* An opened state folder. */
struct state_dir {
	int fd;		/* <root>/<id>; -1 */
	int root;	/* <root>; -1 */
	bool locked;
};
#define STATE_DIR_NONE { .fd = -1, .root = -1, .locked = false }

enum { STATE_NOT_FOUND = 1 };

/* state_id_check() - whether @id can name a container: [A-Za-z0-9_][A-Za-z0-9_+.-]*, up to STATE_ID_MAX. Return: 0 or a recorded failure. */
int state_id_check(const char *id);

/* state_root_open() - the folder of all state, made (0700) when missing. Return: fd, or a recorded failure. */
int state_root_open(const char *root);

/*
 * state_name() - a file's name for what a container has outside of its folder
 *
 * With a hash of the state folder's own identity in it, since containers of two state folders may share an id, and the data.
 * Room is left for what others put in front or behind. Return: 0 or a recorded failure.
 */
enum { STATE_NAME_SHOWN = 150, STATE_NAME_SIZE = STATE_NAME_SHOWN + 18 };
int state_name(const struct state_dir *dir, const char *id, char ret[STATE_NAME_SIZE]);

/*
 * state_make() - reserve @id: its folder made and locked
 *
 * Return: 0 or a recorded failure (EEXIST: "container 'x' exists already …"). A folder that holds no record
 * and is locked by nobody was left by a starter that was killed: it is taken over.
 */
int state_make(const char *root, const char *id, struct state_dir *ret_dir);

/* state_open() - the folder of an existing container. @lock: wait for its lock. Return: 0, STATE_NOT_FOUND, or a recorded failure. */
int state_open(const char *root, const char *id, bool lock, struct state_dir *ret_dir);

/*
 * state_lock() - wait for the lock of a folder that is open
 *
 * Return: 0, STATE_NOT_FOUND (it was removed meanwhile), or a recorded failure.
 */
int state_lock(struct state_dir *dir, const char *id);

/*
 * state_systemd_note() - note beside the containers that one of them has its cgroup from systemd
 * state_systemd_noted() - whether that was ever so under @root, since the folder was made
 */
int state_systemd_note(const struct state_dir *dir);
bool state_systemd_noted(const char *root);

/* state_unlock() - let others have it, keep the fds. */
void state_unlock(struct state_dir *dir);
/* state_close() - close, and so unlock. */
void state_close(struct state_dir *dir);
CLEANUP_DEFINE(struct state_dir *, state_close)

/* state_write() - replace the record. Return: 0 or a recorded failure. */
int state_write(const struct state_dir *dir, const struct state *state);

/* state_read() - Return: 0, STATE_NOT_FOUND (no record in the folder), or a recorded failure (corrupt). */
int state_read(const struct state_dir *dir, struct state *ret_state);
void state_done(struct state *state);

/*
 * state_mark_take() - what tells a record from all that replace it
 * state_mark_is() - whether the record is still that one
 */
struct state_mark {
	uint64_t inode;
	struct timespec changed;
};
int state_mark_take(const struct state_dir *dir, struct state_mark *ret);	/* Return: 0 or a recorded failure. */
bool state_mark_is(const struct state_dir *dir, const struct state_mark *mark);

/* state_is_readable() - whether the record's bytes can be had, whatever they say: then it is they that are wrong. */
bool state_is_readable(const struct state_dir *dir);

/* state_is_stale() - written before this boot. */
bool state_is_stale(const struct state *state);

/* state_remove() - the folder and all that stands in it. @plain: most likely its two documents alone. Return: 0 or a recorded failure. */
int state_remove(struct state_dir *dir, const char *id, bool plain);

/*
 * state_list() - ids of all containers under @root, sorted
 *
 * A missing root is an empty list. Return: 0 or a recorded failure.
 */
int state_list(const char *root, struct str_list *ret_ids);

/*
 * state_oci_text() - OCI's "state" of a container, as hooks and listeners get it
 * @status: "creating", "created", "running", "stopped"
 *
 * Return: JSON text, malloc'ed; NULL without memory. Source: runtime.md, State.
 */
char *state_oci_text(const struct state *state, const char *status, pid_t pid);

/*
 * state_process_text() - OCI's container process state, which the seccomp agent gets with the listener
 * @pid: of the process, the container's first one or one that joins it
 * @metadata: of the profile, or NULL
 *
 * Source: config-linux.md, "The Container Process State". Return: malloc'ed, NULL without memory.
 */
char *state_process_text(const struct state *state, pid_t pid, const char *metadata);

/* state_now() - the time as RFC 3339 in UTC with nanoseconds; malloc'ed, NULL without memory. */
char *state_now(void);
