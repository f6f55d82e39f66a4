/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * container - the life of one container, verb by verb
 *
 * Every function returns 0 (or what it documents, >= 0) or a recorded failure. A container is named by the
 * state root and its id; no other path is needed, and none of the verbs needs a daemon.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <jansson.h>

#include "runtime/activation.h"
#include "runtime/base/str.h"

struct bundle;
struct cgroup_stats;
struct machine;
struct spec_process;

/* Where everything stands; from the command line and the configuration. */
struct container_place {
	const char *root;	/* folder of all state, "/run/nacelle" */
	bool systemd_cgroup;	/* cgroups of new containers are scopes of systemd's */
	const char *data;	/* folder for what outlives a boot (logs), "/var/lib/nacelle" */
};

/* container_place_words() - append the global options that make another nacelle work there. Return: 0 or a recorded failure. */
int container_place_words(const struct container_place *place, struct str_list *words);

/* What the caller chose for this start, beside the spec. */
struct container_options {
	const char *id;
	const char *pid_file;		/* NULL: none; written before create returns */
	const char *console_socket;	/* unix socket that takes the terminal's master; NULL */
	unsigned int preserve_fds;	/* fds 3…3+n-1 are handed on; those of activation come first */
	struct activation activation;	/* what a service manager gave us */
	bool keep_keyring;		/* the caller's session keyring, instead of a new one */
	bool no_pivot;			/* see no-pivot.h */
	bool keep_terminal;		/* run -t: the master comes back in ret_terminal */
	bool at_once;			/* container_create() starts it too: no container_go(), and no terminal to take */
	bool passing;			/* the caller stays until it is deleted: what it writes may be in memory */
	bool remove_at_exit;		/* recorded for the keeper's deletion */
	const char *log;		/* file of its output, recorded for `logs`; NULL */
	bool open_stdin;		/* recorded: its standard input is a pipe of its keeper's */
	bool kept;			/* a keeper will be there: what only a keeper does may be asked for */
	bool again;			/* the id is a stopped container's: end what is left of that, and take its place */
	bool image_held;		/* its image is somebody else's to hold: the host's, of a guest's container */
	int stdio[3];			/* fds for the payload's 0, 1, 2; -1: our own */
	struct machine *machine;	/* machine.c's own: the container is the cell of this one; NULL */
};
#define CONTAINER_OPTIONS(id_) ((struct container_options){ .id = (id_), .stdio = { -1, -1, -1 } })

enum { CONTAINER_NOT_FOUND = 1 };

/* A container that this process has made and is the parent of. */
struct container_child {
	pid_t pid;
	int pidfd;
	int terminal;	/* master of its terminal, or -1 */
	int cgroup;	/* directory fd, or -1 */
	int sync;	/* its socket, until it was started; -1 */
	struct container_known *known;	/* for container_delete_child(), when it was made `passing`; NULL */
};
#define CONTAINER_CHILD_NONE ((struct container_child){ .pid = 0, .pidfd = -1, .terminal = -1, .cgroup = -1, .sync = -1 })
void container_child_done(struct container_child *child);

/*
 * container_create() - make the container up to the point where only the payload is missing
 * @ret_child: may be NULL, when the caller does not stay (the verb `create`). With it the container waits on the
 *             child's own socket for container_go(); without it on start.sock for container_start().
 *
 * With `again` the record stays, and says "stopped", when it fails.
 * With at_once it returns when the payload's execve has succeeded. On failure nothing is left: no process, mount, cgroup,
 * file. Return: 0 or a recorded failure.
 */
int container_create(const struct container_place *place, const struct bundle *bundle,
		     const struct container_options *options, struct container_child *ret_child);

/*
 * container_go() - start the payload of a container that we have just made
 *
 * Returns when its execve has succeeded, or with the recorded failure (exit status 126 or 127 set as docker does). After
 * a failure, which may be that of a poststart hook, the caller deletes the container.
 */
int container_go(const struct container_place *place, const char *id, struct container_child *child);

/*
 * container_start() - the verb `start`: let a created container go, from any process
 *
 * A poststart hook that fails is a failure here too, and the container is deleted then.
 */
int container_start(const struct container_place *place, const char *id);

/* container_signal() - the verb `kill`. @all: to every process in it. */
int container_signal(const struct container_place *place, const char *id, int signal, bool all);

/* container_pause() - freeze or thaw. */
int container_pause(const struct container_place *place, const char *id, bool paused);

/*
 * container_delete() - remove what is left of it
 * @force: kill what still runs; an unknown id, and a record that cannot be read, are no failures then
 *
 * Return: 0, CONTAINER_NOT_FOUND (never with @force), or a recorded failure.
 */
int container_delete(const struct container_place *place, const char *id, bool force);

/*
 * container_delete_child() - remove what is left of a container that this process made, and has reaped
 *
 * As container_delete() with @force, in half the time: nothing is looked up that we know, unless somebody has changed it. Another
 * container that has the id by now stays.
 */
int container_delete_child(const struct container_place *place, const char *id, const struct container_child *child);

/* container_end() - end what still runs of it, and keep its record, log and image. Return: 0 or a recorded failure. */
int container_end(const struct container_place *place, const char *id);

/* container_delete_whole() - the same, with the volumes that were made for it alone */
int container_delete_whole(const struct container_place *place, const char *id, bool force);

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
};
const char *container_status_name(enum container_status status);

/* What its keeper tells. */
struct container_tended {
	int64_t restarts;
	bool restarting;	/* it has ended, and will be started again */
	int64_t last_status;	/* of the last end before this start, or -1 */
	bool last_oom_killed, last_unhealthy;
	char *health;		/* "starting", "healthy", "unhealthy", or "" */
	int64_t failing;	/* health checks that failed in a row */
	int64_t lost;		/* lines that could not be logged */
	struct timespec written; /* when its keeper wrote this down */
};

/* A look at a container, at one moment. */
struct container_info {
	enum container_status status;
	char *id, *bundle, *rootfs, *created, *oci_version, *log, *cgroup_path;
	pid_t pid;		/* 0 when stopped */
	uint64_t pid_start;	/* see proc_start_time() */
	pid_t keeper_pid;
	bool keeper_lives;	/* there is one: how the container ends will be written down, or it is started again */
	bool keeper_lost;	/* there was one, and it was killed: nobody writes down how the container ends */
	bool exit_known;	/* a keeper recorded how it ended */
	int exit_status;
	char *exit_time;
	bool oom_killed;	/* the kernel killed one of its processes for memory */
	bool ran;		/* its program was executed; it may have ended since */
	bool stale;		/* of another boot: only `delete` makes sense */
	bool remove_at_exit, open_stdin;	/* as it was recorded */
	bool kept;		/* it is, or was, a detached one: what follows is known */
	struct container_tended tended;
	struct str_list annotations;
};
/*
 * container_look() - what there is to know about a container
 *
 * Where its process has just ended, the keeper is given some tenths of a second to write down how.
 * Return: 0, CONTAINER_NOT_FOUND, or a recorded failure.
 */
int container_look(const struct container_place *place, const char *id, struct container_info *ret_info);
void container_info_done(struct container_info *info);

/*
 * container_bundle() - the bundle of an existing container, for making it again: its spec as it was at create
 * @ret: bundle_done() it
 *
 * Return: 0 or a recorded failure.
 */
int container_bundle(const struct container_place *place, const char *id, struct bundle *ret);

/* container_spec_text() - the same as JSON text, and the folder that relative paths count from; both the caller's. */
int container_spec_text(const struct container_place *place, const char *id, char **ret_text, char **ret_folder);

/*
 * container_health_write() - keep what a health check said, for container_health()
 * container_health() - new reference, or NULL: there was none yet
 */
int container_health_write(const struct container_place *place, const char *id, json_t *v);
json_t *container_health(const struct container_place *place, const char *id);

/* container_pids() - pids of its processes as this pid namespace has them; malloc'ed. */
int container_pids(const struct container_place *place, const char *id, pid_t **ret_pids, size_t *ret_count);

/* container_state_json() - OCI's state of @info (ociVersion, id, status, pid, bundle, annotations): new reference, NULL without memory. */
json_t *container_state_json(const struct container_info *info);

/* container_no_such() - record "no container 'x': it does not exist (see 'nacelle list')". Return: -ENOENT. */
int container_no_such(const char *id);

/* What `exec` adds to the container's own process. */
struct exec_options {
	const char *pid_file, *console_socket;
	const char *cgroup;	/* below the container's own, and there already; NULL: where its process is */
	const char *user;	/* "user[:group]" in place of the process's, looked up inside; NULL: as it says */
	unsigned int preserve_fds;
	bool keep_terminal;
	int stdio[3];
	json_t *json;		/* what @process was read from; needed for a container in a virtual machine. Borrowed */
};

/*
 * container_exec() - a further process in a running container
 * @process: complete: from --process FILE, or made by container_exec_process() and changed by flags
 * @ret_child: we are its parent; it has been started when this returns
 *
 * It has the container's namespaces, cgroup, filter, no_new_privs, keyring apart.
 * Return: 0 or a recorded failure (126 and 127 as for the payload).
 */
int container_exec(const struct container_place *place, const char *id, const struct spec_process *process,
		   const struct exec_options *options, struct container_child *ret_child);

/*
 * container_process_json() - the container's own process object, for exec to change and read with spec_process_read()
 * @ret_v: new reference
 */
int container_process_json(const struct container_place *place, const char *id, json_t **ret_v);
