/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent's side of a container. The record comes first, so that whatever kills us later leaves
 * something that `delete --force` can follow: the cgroup's path is in it before the cgroup is made, and the
 * child dies with us until its pid is in it too.
 */
#include "runtime/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/bundle.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/creds.h"
#include "runtime/hooks.h"
#include "runtime/idmap.h"
#include "runtime/image-root.h"
#include "runtime/kept.h"
#include "runtime/lsm.h"
#include "runtime/machine.h"
#include "runtime/mounts.h"
#include "runtime/net-devices.h"
#include "runtime/net/within.h"
#include "runtime/no-pivot.h"
#include "runtime/parent-steps.h"
#include "runtime/restore.h"
#include "runtime/scheduling.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"
#include "runtime/upper.h"
#include "runtime/volume-use.h"

static int spec_judge(struct parent *p)
{
	int r = cgroup_limits_check(&p->spec->linux_.resources);

	if (r < 0)
		return r;
	r = sysctls_check(p->spec);
	if (r < 0)
		return r;
	if (!p->spec->process_set)
		return fail_plain(EINVAL, "process: is required to create a container");
	r = p->options->no_pivot ? no_pivot_check(p->spec) : 0;
	if (r < 0)
		return r;
	r = lsm_check(p->spec, &p->spec->process);
	if (r < 0)
		return r;
	if (p->spec->process.terminal && p->stays && !p->options->keep_terminal && !p->options->console_socket)
		return fail_plain(EINVAL, "process.terminal: true needs a terminal: use -t, or --console-socket");
	return 0;
}

/* What only a keeper does is nothing for a container that has none. */
static int keeper_judge(struct parent *p)
{
	struct service service;
	const char *what = NULL;
	int r = service_read(&p->spec->annotations, &service);

	if (r == 0 && !p->options->kept)
		what = service_needs_keeper(&service);
	p->init = r == 0 && service.init;
	service_done(&service);
	if (p->init && (p->spec->process.apparmor_profile || p->spec->process.selinux_label))
		return fail_plain(ENOTSUP, "an init (annotation \"" SHORT_ANNOTATION "init\") goes with neither "
				  "process.apparmorProfile nor process.selinuxLabel");
	return what ? fail_plain(EINVAL, "%s needs a keeper, which only 'run --detach' gives a container", what) : r;
}

static int id_reserve(struct parent *p)
{
	int r = keeper_judge(p);

	if (r < 0)
		return r;
	if (!p->options->again)
		return state_make(p->place->root, p->options->id, &p->dir);
	r = kept_end(p->place, p->options->id, &p->dir, &p->before);
	p->state.keeper_pid = p->before.keeper_pid;
	p->state.keeper_start = p->before.keeper_start;
	return r;
}

int parent_seccomp(int root, const struct seccomp_profile *profile, struct seccomp_filter *ret_filter)
{
	cleanup_fd int cache = openat(root, ".seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (cache < 0 && mkdirat(root, ".seccomp", 0700) == 0)
		cache = openat(root, ".seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return seccomp_filter_prepare(profile, cache, ret_filter);
}

static int filter_prepare(struct parent *p)
{
	int r = 0;

	if (!p->spec->linux_.seccomp)
		return 0;
	if (spec_annotation_is_set(p->spec, "run.oci.seccomp_fail_unknown_syscall"))
		r = seccomp_names_check(p->spec->linux_.seccomp);
	if (r == 0)
		r = parent_seccomp(p->dir.root, p->spec->linux_.seccomp, &p->filter);
	if (r < 0)
		return fail_in(r, "linux.seccomp");
	p->filter_set = true;
	return 0;
}

static int image_hold(struct parent *p)
{
	if (p->options->image_held)
		return 0;
	return image_root_hold(&p->state.annotations, p->state.image_store, p->place->root, p->options->id);
}

static int network_lease(struct parent *p)
{
	return network_reserve(p->place, spec_told(p), p->options->id, &p->dir, &p->network);
}

static int root_prepare(struct parent *p)
{
	int r = cgroup_folder_find(p);

	if (r < 0)
		return r;
	p->rootfs = (struct rootfs)ROOTFS_NONE;
	p->rootfs.spec = p->spec;
	p->rootfs.bundle = p->bundle->folder;
	p->rootfs.cgroup_folder = p->cgroup_folder;
	p->rootfs.no_pivot = p->options->no_pivot;
	p->rootfs.userns = p->spec->linux_.namespaces[NS_USER].wanted;
	r = upper_create(p->place, &p->dir, p->state.boot_id, p->options->id, p->spec, p->options->passing,
			 &p->upper);
	if (r < 0)
		return r;
	p->rootfs.upper = p->upper;
	r = volumes_take(p->place, &p->dir, p->options->id, p->spec, &p->state.volumes, &p->volumes);
	if (r < 0)
		return r;
	p->rootfs.volumes = p->volumes;
	return rootfs_prepare(&p->rootfs);
}

static int namespaces_choose(struct parent *p)
{
	int r = namespaces_plan(p->spec, &p->plan);

	if (r < 0 || p->network.shared < 0)
		return r;
	p->plan.flags &= ~(uint64_t)CLONE_NEWNET;
	p->plan.joins[NS_NETWORK] = steal_fd(&p->network.shared);
	/* What is joined belongs to another user namespace than the new one. */
	p->plan.helper |= (p->plan.flags & CLONE_NEWUSER) != 0;
	return 0;
}

/* sun_path is short, a state root need not be: the address goes through the folder's fd. */
static int start_listen(struct parent *p)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int sock = -1;

	if (p->stays)
		return 0;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(errno, "make a unix socket");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/start.sock", p->dir.fd);
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(errno, "bind 'start.sock'");
	if (listen(sock, 8) < 0)
		return fail(errno, "listen on 'start.sock'");
	p->child.start_sock = steal_fd(&sock);
	return 0;
}

static int machine_prepare(struct parent *p)
{
	struct machine *m = p->options->machine;
	int r = m ? machine_network(m, p->place, &p->network, p->options->id) : 0;

	return r < 0 || !m ? r : machine_listen(m, &p->dir);
}

static int console_prepare(struct parent *p)
{
	int ends[2];

	if (p->options->console_socket && !p->spec->process.terminal)
		return fail_plain(EINVAL, "--console-socket is given, but process.terminal is false");
	if (!p->spec->process.terminal)
		return 0;
	if (p->options->console_socket) {
		p->child.console_sock = console_connect(p->options->console_socket);
		return p->child.console_sock < 0 ? p->child.console_sock : 0;
	}
	if (!p->options->keep_terminal)
		return fail_plain(EINVAL, "process.terminal: true needs --console-socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(errno, "make a pair of sockets");
	p->console_mine = ends[0];
	p->child.console_sock = ends[1];
	return 0;
}

/*
 * A network namespace takes as long to make as all others, half of the mounts and the devices together. In the usual case we make it
 * while the child does those: nobody needs it before the root has been switched, that is no hook, sysctl or device to be moved in,
 * nor do mounts behind a sysfs need anything of the host's. What we do ourselves must not be refused to us: a user namespace, of
 * the container's or our own, has ways around that, which go by host paths.
 */
static bool network_is_apart(const struct parent *p)
{
	const uint64_t needed = CLONE_NEWNET | CLONE_NEWNS;
	const struct spec *spec = p->spec;

	return (p->plan.flags & (needed | CLONE_NEWUSER)) == needed && !p->plan.helper && !p->options->no_pivot && !p->options->machine &&
	       !spec->hooks[HOOK_PRESTART].count && !spec->hooks[HOOK_CREATE_RUNTIME].count &&
	       !spec->hooks[HOOK_CREATE_CONTAINER].count && !spec->linux_.sysctl_count && !spec->linux_.net_device_count &&
	       !network_wish_is_any(spec) && mounts_end_apart(&p->rootfs) && idmap_is_initial();
}

/* In the child. The lock's fd must not live on in it: it would outlive us, and hold the lock. */
static void child_enter(void *arg, const struct ns_plan *plan)
{
	struct parent *p = arg;

	(void)close(p->dir.fd);
	(void)close(p->dir.root);
	(void)close(p->sync);
	if (p->console_mine >= 0)
		(void)close(p->console_mine);
	memcpy(p->child.joins, plan->joins, sizeof(p->child.joins));
	child_run(&p->child);
}

static int child_clone(struct parent *p)
{
	struct child *c = &p->child;
	int ends[2], r = sync_pair(ends);

	if (r < 0)
		return r;
	p->sync = ends[0];
	p->child_sync = ends[1];
	c->id = p->options->id;
	c->spec = p->spec;
	c->process = p->spec->process;
	c->user = spec_annotation(p->spec, SHORT_ANNOTATION "user");
	/* A mount namespace that is joined has its root; there is nothing to mount. */
	c->rootfs = p->plan.joins[NS_MOUNT] >= 0 ? NULL : &p->rootfs;
	c->filter = p->filter_set ? &p->filter : NULL;
	c->state = &p->state;
	c->sync = p->child_sync;
	memcpy(c->stdio, p->options->stdio, sizeof(c->stdio));
	c->preserve_fds = p->options->preserve_fds;
	c->keep_keyring = p->options->keep_keyring;
	c->activation = &p->options->activation;
	c->init = p->init;
	c->machine = p->options->machine;
	c->network_files = p->network.trees;
	c->network_folder = p->network.folder;
	c->network_joined = p->plan.joins[NS_NETWORK] >= 0;
	c->map_wait = p->plan.flags & CLONE_NEWUSER;
	c->network_apart = network_is_apart(p);
	if (c->network_apart)
		p->plan.flags &= ~(uint64_t)CLONE_NEWNET;
	c->at_once = p->options->at_once;
	c->hooks_wait = p->spec->hooks[HOOK_PRESTART].count || p->spec->hooks[HOOK_CREATE_RUNTIME].count;
	p->plan.unit = p->state.cgroup_unit;
	p->plan.cgroup_path = p->cgroup.path;
	r = namespaces_clone(&p->plan, p->cgroup.fd, child_enter, p, &p->pid, &p->pidfd);
	(void)close(p->child_sync);
	p->child_sync = -1;
	scope_release(&p->scope);
	return r;
}

static int network_make(struct parent *p)
{
	cleanup_fd int netns = -1;
	int r;

	if (!p->child.network_apart)
		return 0;
	r = net_namespace_new(&netns);
	return r < 0 ? r : parent_hand(p->sync, SYNC_NETWORK, netns);
}

static int maps_write(struct parent *p)
{
	int r;

	if (!p->child.map_wait)
		return 0;
	r = idmap_write(p->pid, p->spec);
	if (r == 0)
		r = network_namespaces_take(&p->network, p->pid);
	return r < 0 ? r : parent_send(p->sync, SYNC_MAPPED);
}

static int limits_lift(struct parent *p)
{
	int r = limits_raise(p->pid, &p->spec->process);

	return r < 0 ? r : scheduling_set(p->pid, &p->spec->process);
}

static int net_devices_take(struct parent *p)
{
	return net_devices_move(p->spec, p->plan.joins[NS_NETWORK], p->pid);
}

static int network_join(struct parent *p)
{
	/* Those of a machine are there already: it is made of them. */
	return p->options->machine ? 0 : network_attach(p->place, &p->network, p->options->id, p->pid);
}

static int hooks_before_root(struct parent *p, pid_t pid)
{
	cleanup_free char *state = state_oci_text(&p->state, "creating", pid);
	int r = state ? hooks_run(p->spec, HOOK_PRESTART, state, true) : fail(ENOMEM, "state for the hooks");

	return r < 0 ? r : hooks_run(p->spec, HOOK_CREATE_RUNTIME, state, true);
}

static int hooks_runtime(struct parent *p)
{
	int r;

	/* Without hooks the word is there before the child asks: neither of us sleeps. */
	if (!p->child.hooks_wait)
		return parent_send(p->sync, SYNC_HOOKED);
	r = parent_await(p->sync, SYNC_HOOKS, p->spec, &p->state, p->pid);
	if (r < 0)
		return r;
	r = hooks_before_root(p, p->pid);
	return r < 0 ? r : parent_send(p->sync, SYNC_HOOKED);
}

static int child_release(struct parent *p)
{
	return p->options->at_once ? parent_send(p->sync, SYNC_GO) : 0;
}

static int child_await(struct parent *p)
{
	return parent_await(p->sync, p->options->at_once ? SYNC_NONE : SYNC_READY, p->spec, &p->state, p->pid);
}

static int terminal_take(struct parent *p)
{
	if (p->console_mine < 0)
		return 0;
	p->terminal = console_receive(p->console_mine);
	return p->terminal < 0 ? p->terminal : 0;
}

/* The payload runs: a failure of these ends it. */
static int hooks_poststart(struct parent *p)
{
	cleanup_free char *state = NULL;

	if (!p->options->at_once || !p->spec->hooks[HOOK_POSTSTART].count)
		return 0;
	state = state_oci_text(&p->state, "running", p->pid);
	return state ? hooks_run(p->spec, HOOK_POSTSTART, state, true) : fail(ENOMEM, "state for the hooks");
}

static int pid_file_write(struct parent *p)
{
	return parent_pid_file(p->options->pid_file, p->pid);
}

struct parent_step {
	const char *name;	/* NULL: the failure's own text says it all */
	int (*run)(struct parent *p);
};

static const struct parent_step create_steps[] = {
	{ NULL,				spec_judge         },
	{ NULL,				id_reserve         },
	{ NULL,				cgroup_choose      },
	{ "record the container",	record_first       }, /* nothing is made before this */
	{ NULL,				filter_prepare     },
	{ NULL,				cgroup_by_systemd  },
	{ NULL,				image_hold         }, /* its layers are the root */
	{ NULL,				network_lease      }, /* its files are in the root */
	{ NULL,				root_prepare       },
	{ NULL,				namespaces_choose  },
	{ "prepare for start",		start_listen       },
	{ "prepare the virtual machine", machine_prepare   },
	{ NULL,				console_prepare    },
	{ NULL,				cgroup_create      },
	{ NULL,				child_clone        },
	{ NULL,				network_make       }, /* first: the child comes to wait for it */
	{ NULL,				maps_write         },
	{ "record the container",	spec_keep          }, /* the child works meanwhile */
	{ NULL,				cgroup_limit       },
	{ NULL,				cgroup_hand_over   }, /* none of the limits is there */
	{ NULL,				cgroup_hand_own    },
	{ NULL,				limits_lift        },
	{ NULL,				resctrl_join       },
	{ "linux.netDevices",		net_devices_take   }, /* the hooks find them in place */
	{ NULL,				network_join       }, /* and the networks, too */
	{ "record the container",	record_process     }, /* before hooks_runtime: the child then lives without us */
	{ NULL,				pid_file_write     }, /* before the payload, which may look for it */
	{ NULL,				hooks_runtime      },
	{ NULL,				child_release      }, /* of `run`: the word is there before the child comes to wait for it */
	{ NULL,				child_await        },
	{ NULL,				terminal_take      },
	{ "record the container",	record_phase       },
	{ NULL,				hooks_poststart    },
	{ NULL,				NULL               },
};

/* --- restore: criu makes what child.c makes otherwise ----------------------------------------------- */

static int restored_hooks(struct parent *p, pid_t pid)
{
	/* From here on they count as having begun: their end is owed poststop hooks. */
	p->state.poststop_owed = p->spec->hooks[HOOK_POSTSTOP].count > 0;
	return hooks_before_root(p, pid);
}

/* Nothing of it has run yet, so limits that come now come in time; criu itself was not bound by them. */
static int restored_record(struct parent *p, pid_t pid)
{
	int r;

	p->pid = pid;
	p->pidfd = pidfd_open(pid, 0);
	if (p->pidfd < 0)
		return fail(errno, "open the restored process");
	r = record_process(p);
	if (r == 0)
		r = cgroup_limit(p);
	if (r == 0)
		r = cgroup_hand_own(p);
	if (r == 0)
		r = resctrl_join(p);
	return r < 0 ? r : pid_file_write(p);
}

static int restore_by_criu(struct parent *p)
{
	static const struct restore_points points = { .namespaces_made = restored_hooks, .processes_made = restored_record };
	int r = restore_processes(p, &points);

	scope_release(&p->scope);
	return r;
}

static const struct parent_step restore_steps[] = {
	{ NULL,				spec_judge         },
	{ NULL,				restore_judge      },
	{ NULL,				id_reserve         },
	{ NULL,				cgroup_choose      },
	{ "record the container",	record_first       }, /* nothing is made before this */
	{ "record the container",	spec_keep          },
	{ NULL,				cgroup_by_systemd  },
	{ NULL,				namespaces_choose  },
	{ NULL,				console_prepare    },
	{ NULL,				cgroup_create      },
	{ NULL,				restore_by_criu    },
	{ "record the container",	record_phase       },
	{ NULL,				hooks_poststart    },
	{ NULL,				NULL               },
};

static int steps_run(struct parent *p, const struct parent_step *step)
{
	for (; step->run; step++) {
		int r = step->run(p);

		if (r >= 0)
			continue;
		if (step->name)
			r = fail_in(r, "%s", step->name);
		parent_undo(p);
		return r;
	}
	return 0;
}

int parent_create(struct parent *p)
{
	return steps_run(p, create_steps);
}

int parent_restore(struct parent *p)
{
	return steps_run(p, restore_steps);
}

static void fd_done(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void parent_done(struct parent *p)
{
	state_close(&p->dir);
	state_done(&p->state);
	state_done(&p->before);
	cgroup_close(&p->cgroup);
	scope_done(&p->scope);
	free(p->cgroup_folder);
	free(p->upper);
	volumes_done(p->volumes, p->spec);
	if (p->filter_set)
		seccomp_filter_done(&p->filter);
	if (p->rootfs.spec)
		rootfs_done(&p->rootfs);
	ns_plan_done(&p->plan);
	network_hold_done(&p->network);
	fd_done(p->sync);
	fd_done(p->child_sync);
	fd_done(p->child.start_sock);
	fd_done(p->child.console_sock);
	fd_done(p->console_mine);
	fd_done(p->terminal);
	fd_done(p->pidfd);
}
