/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A further process in a running container. A helper is born in the container's cgroup, joins all its
 * namespaces and clones there; the clone is our child and runs a part of the very steps that made the
 * container's first process. Filter and no_new_privs are the container's own, whatever is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/console.h"
#include "runtime/creds.h"
#include "runtime/guard.h"
#include "runtime/kept.h"
#include "runtime/lsm.h"
#include "runtime/machine.h"
#include "runtime/namespaces.h"
#include "runtime/parent.h"
#include "runtime/resctrl.h"
#include "runtime/scheduling.h"
#include "runtime/spec.h"

struct join {
	const struct exec_options *options;
	struct state_dir dir;
	struct state state;
	struct spec *spec;
	struct spec_process process;	/* a shallow copy: asked for, hardened by the container's own */
	struct cgroup cgroup;
	struct seccomp_filter filter;
	bool filter_set;
	struct ns_plan plan;
	struct child child;
	bool created;			/* its init still waits for `start` */
	struct guard guard;
	bool guarded;
	int init;			/* pidfd of the container's first process */
	int sync, console_mine, terminal;
	pid_t pid;
	int pidfd;
};

static int join_target(struct join *j, const struct container_place *place, const char *id)
{
	enum container_status status;
	int r = kept_open(place, id, false, &j->dir, &j->state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_status(&j->state, &status);
	if (r < 0)
		return r;
	if (status == CONTAINER_PAUSED)
		return fail_plain(EINVAL, "container '%s' is paused: resume it first", id);
	if (status != CONTAINER_RUNNING && status != CONTAINER_CREATED)
		return fail_plain(EINVAL, "container '%s' is not running: it is %s", id,
				  container_status_name(status));
	j->created = status == CONTAINER_CREATED;
	r = proc_open(j->state.pid, j->state.pid_start, &j->init);
	if (r == PROC_GONE)
		return fail_plain(ESRCH, "container '%s' is not running", id);
	return r < 0 ? r : kept_spec(&j->dir, &j->spec);
}

/* Whether @path is @root or below it. */
static bool is_within(const char *path, const char *root)
{
	const char *rest = str_starts(path, root);

	return rest && (!*rest || *rest == '/');
}

/* The path behind "0::" in /proc/PID/cgroup, or NULL. Cuts @text. */
static char *unified_path(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (str_starts(line, "0::/"))
			return line + strlen("0::");
	return NULL;
}

/* A cgroup that somebody made below the container's. The path is judged as that of a spec is. */
static int join_cgroup_below(struct join *j)
{
	cleanup_free char *asked = NULL;
	int r = str_format(&asked, "%s/%s", j->state.cgroup_path, j->options->cgroup);

	if (r == 0)
		r = cgroup_path_resolve(asked, j->state.id, &j->cgroup.path);
	if (r == 0)
		r = cgroup_open(&j->cgroup);
	if (r == CGROUP_NOT_FOUND)
		return fail_plain(ENOENT, "there is no cgroup '%s' below the container's", j->options->cgroup);
	return r < 0 ? fail_in(r, "cgroup '%s' below the container's", j->options->cgroup) : r;
}

/*
 * Where init is now, rather than where it was put: a payload that made children of its cgroup and enabled
 * controllers there (systemd does) lives in one of those, and no process may join the recorded one.
 */
static int join_cgroup(struct join *j)
{
	cleanup_free char *file = NULL, *text = NULL;
	char *now;
	int r;

	if (!j->state.cgroup_path)
		return j->options->cgroup ? fail_plain(ENOTSUP, "the container has no cgroup of its own") : 0;
	if (j->options->cgroup)
		return join_cgroup_below(j);
	r = str_format(&file, "/proc/%d/cgroup", (int)j->state.pid);
	if (r == 0)
		r = fd_read_file(AT_FDCWD, file, &text);
	if (r < 0)
		return r;
	now = unified_path(text);
	/* Never out of what we recorded, whatever the file says. */
	if (!now || !is_within(now, j->state.cgroup_path))
		now = j->state.cgroup_path;
	r = str_copy(&j->cgroup.path, now);
	if (r == 0)
		r = cgroup_open(&j->cgroup);
	if (r == CGROUP_NOT_FOUND)
		return fail_plain(ENOENT, "the container's cgroup '%s' is gone", now);
	return r;
}

static int join_guard(struct join *j)
{
	j->guarded = guard_needed(j->spec);
	return j->guarded ? guard_begin(&j->state, j->created, &j->guard) : 0;
}

static int join_filter(struct join *j)
{
	int r;

	if (!j->spec->linux_.seccomp)
		return 0;
	r = parent_seccomp(j->dir.root, j->spec->linux_.seccomp, &j->filter);
	if (r < 0)
		return fail_in(r, "linux.seccomp");
	j->filter_set = true;
	return 0;
}

static int join_console(struct join *j)
{
	int ends[2];

	if (!j->process.terminal)
		return j->options->console_socket ?
			fail_plain(EINVAL, "--console-socket is given, but no terminal is asked for") : 0;
	if (j->options->console_socket) {
		j->child.console_sock = console_connect(j->options->console_socket);
		return j->child.console_sock < 0 ? j->child.console_sock : 0;
	}
	if (!j->options->keep_terminal)
		return fail_plain(EINVAL, "a terminal needs --console-socket here");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(errno, "make a pair of sockets");
	j->console_mine = ends[0];
	j->child.console_sock = ends[1];
	return 0;
}

/* In the child. */
static void join_enter(void *arg, const struct ns_plan *plan)
{
	struct join *j = arg;

	(void)plan;
	(void)close(j->dir.fd);
	(void)close(j->dir.root);
	(void)close(j->sync);
	(void)close(j->init);
	if (j->console_mine >= 0)
		(void)close(j->console_mine);
	child_join_run(&j->child);
}

static int join_clone(struct join *j, const char *id)
{
	struct child *c = &j->child;
	struct cpus_saved cpus;
	int ends[2], r = namespaces_plan_pid(j->spec, j->state.pid, j->init, &j->plan);

	if (r < 0)
		return r;
	r = sync_pair(ends);
	if (r < 0)
		return r;
	j->sync = ends[0];
	c->id = id;
	c->spec = j->spec;
	c->process = j->process;
	c->user = j->options->user;
	c->filter = j->filter_set ? &j->filter : NULL;
	c->state = &j->state;
	c->sync = ends[1];
	memcpy(c->stdio, j->options->stdio, sizeof(c->stdio));
	c->preserve_fds = j->options->preserve_fds;
	c->hooks_wait = true;
	/* Guarded, it gets there when it is the launcher. */
	j->plan.unit = j->guarded ? NULL : j->state.cgroup_unit;
	j->plan.cgroup_path = j->cgroup.path;
	r = cpus_borrow(&j->process.cpus_initial, "process.execCPUAffinity.initial", &cpus);
	if (r == 0)
		r = namespaces_clone(&j->plan, j->guarded ? -1 : j->cgroup.fd, join_enter, j, &j->pid, &j->pidfd);
	cpus_return(&cpus);
	(void)close(ends[1]);
	return r;
}

/* It was forked by us, so it is where we are. */
static int join_resctrl(const struct join *j)
{
	const struct spec_intel_rdt *rdt = &j->spec->linux_.intel_rdt;
	cleanup_fd int root = -1;

	if (!rdt->set)
		return 0;
	root = resctrl_open();
	return root < 0 ? root : resctrl_follow(root, rdt, j->state.id, j->pid);
}

/* What needs the privileges that we have on the host, and the cgroup that it is in. */
static int join_tune(const struct join *j)
{
	int r = limits_raise(j->pid, &j->process);

	if (r == 0)
		r = cpus_set(j->pid, &j->process.cpus_final, "process.execCPUAffinity.final");
	if (r == 0)
		r = scheduling_set(j->pid, &j->process);
	return r < 0 ? r : join_resctrl(j);
}

/* The same words as with the container's first process; see child.c. */
static int join_talk(struct join *j)
{
	struct sync_message m;
	int r = parent_await(j->sync, SYNC_HOOKS, j->spec, &j->state, j->pid);

	if (r == 0)
		r = join_tune(j);
	if (r == 0)
		r = parent_send(j->sync, SYNC_HOOKED);
	if (r == 0)
		r = parent_await(j->sync, SYNC_READY, j->spec, &j->state, j->pid);
	if (r == 0 && j->console_mine >= 0) {
		j->terminal = console_receive(j->console_mine);
		r = j->terminal;
	}
	if (r >= 0)
		r = parent_pid_file(j->options->pid_file, j->pid);
	if (r == 0 && j->guarded)
		r = guard_follow(j->pid);
	if (r == 0)
		r = parent_send(j->sync, SYNC_GO);
	if (r == 0 && j->guarded)
		r = guard_finish(&j->guard, j->pid, &j->cgroup);
	if (r == 0)
		r = sync_receive(j->sync, &m);
	if (r == 0 && m.word == SYNC_FAILED)
		r = fail_exit(fail_plain((int)m.value, "%s", m.text), m.status);
	else if (r == 0 && m.word == SYNC_NONE && m.value)
		r = fail_plain(ESRCH, "the process was killed before it was started");
	return r < 0 ? r : 0;
}

/* What the container gave up cannot be had back through exec; what it is for every exec is for this one. */
static void join_inherit(struct join *j)
{
	const struct spec_process *own = &j->spec->process;

	if (own->no_new_privileges)
		j->process.no_new_privileges = true;
	j->process.user.keep_groups = own->user.keep_groups;
	if (!j->process.cpus_initial.set && !j->process.cpus_final.set) {
		j->process.cpus_initial = own->cpus_initial;
		j->process.cpus_final = own->cpus_final;
	}
	if (!j->process.apparmor_profile && !j->process.selinux_label) {
		j->process.apparmor_profile = own->apparmor_profile;
		j->process.selinux_label = own->selinux_label;
	}
}

/* What is joined is in the guest, and so is what it inherits: the agent there does the same. The machine's own profile is all around it. */
static int join_machine(struct join *j, const char *id)
{
	const char *profile = j->process.apparmor_profile, *own = j->spec->process.apparmor_profile;
	struct container_child child;
	int r;

	if (profile && (!own || !str_eq(profile, own)))
		return fail_plain(ENOTSUP, "process.apparmorProfile: container '%s' is a virtual machine, in which no other profile than its "
				  "own can be had", id);
	r = j->created ? fail_plain(EINVAL, "container '%s' is not running: its virtual machine is not started", id) :
			     machine_exec(&j->dir, &j->process, j->options, &child);

	if (r < 0)
		return r;
	j->pid = child.pid;
	j->pidfd = child.pidfd;
	j->terminal = child.terminal;
	return 0;
}

static int join_all(struct join *j, const struct container_place *place, const char *id)
{
	int r = join_target(j, place, id);

	if (r < 0)
		return r;
	if (j->spec->vm.set)
		return join_machine(j, id);
	join_inherit(j);
	r = lsm_check(NULL, &j->process);
	if (r == 0)
		r = join_cgroup(j);
	if (r == 0)
		r = join_filter(j);
	if (r == 0)
		r = join_console(j);
	if (r == 0)
		r = join_guard(j);
	if (r == 0)
		r = join_clone(j, id);
	return r < 0 ? r : join_talk(j);
}

static void join_done(struct join *j)
{
	int fds[] = { j->init, j->sync, j->console_mine, j->child.console_sock, j->terminal, j->pidfd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	guard_done(&j->guard);
	cgroup_close(&j->cgroup);
	if (j->filter_set)
		seccomp_filter_done(&j->filter);
	ns_plan_done(&j->plan);
	(void)spec_free(j->spec);
	state_done(&j->state);
	state_close(&j->dir);
}

int container_exec(const struct container_place *place, const char *id, const struct spec_process *process,
		   const struct exec_options *options, struct container_child *ret_child)
{
	struct join j = {
		.options = options, .process = *process, .dir = STATE_DIR_NONE, .cgroup = CGROUP_NONE,
		.guard = GUARD_NONE,
		.child = { .start_sock = -1, .console_sock = -1, .stdio = { -1, -1, -1 }, .label = LSM_LABEL_NONE, .hook_output = { -1, -1 } },
		.init = -1, .sync = -1, .console_mine = -1, .terminal = -1, .pidfd = -1,
	};
	int r;

	for (int ns = 0; ns < NS_COUNT; ns++)
		j.plan.joins[ns] = j.child.joins[ns] = -1;
	r = join_all(&j, place, id);
	if (r < 0 && j.pidfd >= 0) {
		(void)pidfd_send_signal(j.pidfd, SIGKILL, NULL, 0);
		(void)proc_reap(j.pid);
	}
	if (r == 0) {
		*ret_child = (struct container_child){
			.pid = j.pid, .pidfd = steal_fd(&j.pidfd), .terminal = steal_fd(&j.terminal),
			.cgroup = steal_fd(&j.cgroup.fd), .sync = -1,
		};
	}
	join_done(&j);
	return r;
}

int container_process_json(const struct container_place *place, const char *id, json_t **ret_v)
{
	struct state_dir dir = STATE_DIR_NONE;
	cleanup_json json_t *v = NULL;
	json_t *process;
	int r = state_open(place->root, id, false, &dir);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_json(&dir, &v);
	state_close(&dir);
	if (r < 0)
		return fail_in(r, "container '%s'", id);
	process = json_deep_copy(json_object_get(v, "process"));
	if (!process)
		return fail(ENOMEM, "copy the process of container '%s'", id);
	*ret_v = process;
	return 0;
}
