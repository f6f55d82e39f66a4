/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child's side of a container, as a list of named steps. The loop puts the step's name in front of
 * whatever went wrong and sends it to whoever waits: the parent, or later `start`. Nothing here can be
 * recovered from: the first failure ends the child, and with it everything that it has set up.
 *
 * The order is the point of this file. Notes on it stand in the tables, and nowhere else.
 */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/activation.h"
#include "runtime/base/cmdline.h"
#include "runtime/base/fd.h"
#include "runtime/base/sync.h"
#include "runtime/console.h"
#include "runtime/creds.h"
#include "runtime/devices.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/machine.h"
#include "runtime/memory-policy.h"
#include "runtime/mounts.h"
#include "runtime/namespaces.h"
#include "runtime/net/loopback.h"
#include "runtime/network-files.h"
#include "runtime/passwd.h"
#include "runtime/paths.h"
#include "runtime/personality.h"
#include "runtime/program.h"
#include "runtime/rootfs.h"
#include "runtime/state.h"
#include "runtime/sysctl.h"
#include "seccomp/load.h"

struct step {
	const char *name;
	int (*run)(struct child *c);
};

/* Until the parent has recorded our pid nobody else could find us: we go when it goes. */
static int die_with_parent(struct child *c)
{
	(void)c;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(errno, "ask for a signal when the parent dies");
	return 0;
}

/* *Needs* CAP_SYS_ADMIN over the namespaces' owner. */
static int step_join(struct child *c)
{
	return namespaces_join(c->joins, c->spec);
}

static int become_root_inside(struct child *c)
{
	return c->spec->linux_.namespaces[NS_USER].wanted ? root_become(c->process.user.keep_groups) : 0;
}

static int wait_for_maps(struct child *c)
{
	struct sync_message m;
	int r = c->map_wait ? sync_expect(c->sync, SYNC_MAPPED, "nacelle", &m) : 0;

	return r < 0 ? r : become_root_inside(c);
}

/*
 * A process of the container (exec may have put one there) must not trace us, or read our memory and fds.
 * The maps come first: the parent could not write those of a process that is not its user's.
 */
static int be_opaque(struct child *c)
{
	(void)c;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(errno, "become untraceable");
	return 0;
}

static int session_new(struct child *c)
{
	(void)c;
	if (setsid() < 0)
		return fail(errno, "new session");
	return 0;
}

static int keyring_new(struct child *c)
{
	return c->keep_keyring ? 0 : keyring_join();
}

static int loopback_start(struct child *c)
{
	const struct spec_namespace *net = &c->spec->linux_.namespaces[NS_NETWORK];

	/* A joined one has it up, and is not ours. */
	return net->wanted && !net->path && !c->network_joined ? net_loopback_up() : 0;
}

static int network_enter(struct child *c)
{
	struct sync_message m;
	cleanup_fd int netns = -1;
	int r = sync_expect(c->sync, SYNC_NETWORK, "nacelle", &m);

	if (r < 0)
		return r;
	netns = m.fd;
	return setns(netns, CLONE_NEWNET) < 0 ? fail(errno, "enter it") : 0;
}

/* Without a rootfs, that is with a joined mount namespace, all of these have nothing to do. */
#define ROOTFS_STEP(what)                                                                          \
	static int step_##what(struct child *c)                                                    \
	{                                                                                          \
		return c->rootfs ? what(c->rootfs) : 0;                                            \
	}
ROOTFS_STEP(mounts_private)
ROOTFS_STEP(rootfs_mount)
ROOTFS_STEP(mounts_apply)
ROOTFS_STEP(mounts_begin)
ROOTFS_STEP(devices_make)
ROOTFS_STEP(sysctls_apply)
ROOTFS_STEP(rootfs_switch)
ROOTFS_STEP(paths_hide)
ROOTFS_STEP(rootfs_readonly)

static int console_make(struct child *c)
{
	if (!c->process.terminal)
		return 0;
	return console_create(c->rootfs ? rootfs_fd(c->rootfs) : -1, &c->process, c->console_sock);
}

/* The parent runs prestart and createRuntime hooks now, if there are any, and has recorded our pid: we may outlive it. */
static int parent_hear(struct child *c)
{
	struct sync_message m;
	int r;

	if (c->heard)
		return 0;
	c->heard = true;
	r = c->hooks_wait ? sync_send(c->sync, SYNC_HOOKS, 0, -1) : 0;
	if (r == 0)
		r = sync_expect(c->sync, SYNC_HOOKED, "nacelle", &m);
	if (r == 0 && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		r = fail(errno, "outlive it");
	return r;
}

/* The pid is the one by which the hook, which shares our namespaces, can find us. */
static int hooks_create_container(struct child *c)
{
	cleanup_free char *state = NULL;

	if (!c->spec->hooks[HOOK_CREATE_CONTAINER].count)
		return 0;
	state = state_oci_text(c->state, "creating", getpid());
	return state ? hooks_run(c->spec, HOOK_CREATE_CONTAINER, state, true) :
		       fail(ENOMEM, "state for the hooks");
}

static int hostname_set(struct child *c)
{
	const struct spec *spec = c->spec;

	if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
		return fail(errno, "hostname: set '%s'", spec->hostname);
	if (spec->domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
		return fail(errno, "domainname: set '%s'", spec->domainname);
	return 0;
}

static int notify_mount(struct child *c)
{
	return c->rootfs ? activation_mount(c->rootfs, c->activation) : 0;
}

static int network_files(struct child *c)
{
	int own[NETWORK_FILE_COUNT] = { -1, -1, -1 }, r;

	if (!c->rootfs)
		return 0;
	if (!c->network_folder)
		return network_files_mount(c->rootfs, c->network_files);
	r = network_files_take(c->spec, c->network_folder, own);
	return r < 0 ? r : network_files_mount(c->rootfs, own);
}

static int sockets_tell(struct child *c)
{
	return c->activation ? activation_tell(c->activation, &c->process.env) : 0;
}

/* Files of the host, which hooks inside could not open any more. */
static int hook_output_open(struct child *c)
{
	return c->spec->hooks[HOOK_START_CONTAINER].count ? hooks_output_open(c->spec, c->hook_output) : 0;
}

static int cwd_enter(struct child *c)
{
	return rootfs_cwd(c->rootfs, c->process.cwd);
}

/* Names are the container's own business: they are looked up in its files, with its root as ours. */
static int user_find(struct child *c)
{
	cleanup_fd int root = -1;
	cleanup_free char *home = NULL;
	int r = 0;

	if (!c->user && str_env_find(&c->process.env, "HOME"))
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(errno, "open the container's root");
	if (c->user)
		r = passwd_user_find(root, c->user, &c->process.user);
	/* The terminal was made before we knew whose it is. */
	if (r == 0 && c->user && c->process.terminal && fchown(0, c->process.user.uid, (gid_t)-1) < 0)
		r = fail(errno, "give the terminal to user %u", c->process.user.uid);
	if (r < 0 || str_env_find(&c->process.env, "HOME"))
		return r;
	/* The other runtimes set it too, and engines count on that. */
	r = passwd_home_find(root, c->process.user.uid, &home);
	return r < 0 ? r : str_env_set(&c->process.env, "HOME", home);
}

static int find_program(struct child *c)
{
	return program_find(&c->process, &c->program);
}

/* What is handed over to be read or written would, as a folder, be a place to go: the host's tree is behind it. */
static int stream_is_no_folder(int stream)
{
	static const char *const names[] = { "input", "output", "error" };
	struct stat st;

	if (fstat(stream, &st) == 0 && S_ISDIR(st.st_mode))
		return fail_plain(EISDIR, "standard %s is a folder, which leads out of the container: give a file or a pipe",
				  names[stream]);
	return 0;
}

static int stdio_attach(struct child *c)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++) {
		if (c->stdio[i] >= 0 && !c->process.terminal && dup2(c->stdio[i], i) < 0)
			return fail(errno, "attach standard stream %d", i);
		r = stream_is_no_folder(i);
	}
	return r;
}

/* `start` connects to the listening socket; what follows is reported to it rather than to the parent. */
static int wait_for_start(struct child *c)
{
	struct sync_message m;
	int r = c->at_once ? 0 : sync_send(c->sync, SYNC_READY, 0, -1);

	if (r < 0)
		return r;
	while (c->start_sock >= 0) {
		cleanup_fd int peer = accept4(c->start_sock, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0 && errno == EINTR)
			continue;
		if (peer < 0)
			return fail(errno, "wait for 'start'");
		/* A caller that goes away without the word changes nothing: we wait for the next one. */
		if (sync_receive(peer, &m) < 0 || m.word != SYNC_GO)
			continue;
		(void)close(c->sync);
		(void)close(c->start_sock);
		c->start_sock = -1;
		c->sync = steal_fd(&peer);
		return 0;
	}
	return sync_expect(c->sync, SYNC_GO, "nacelle", &m);
}

static int launcher_prepare(struct child *c)
{
	c->launcher = launch_prepare(c->init);
	return c->launcher < 0 ? c->launcher : 0;
}

static int label_prepare(struct child *c)
{
	return lsm_prepare(&c->process, &c->label);
}

static int step_personality_set(struct child *c)   { return personality_set(c->spec->linux_.personality); }
static int step_memory_policy_set(struct child *c) { return memory_policy_set(&c->spec->linux_.memory_policy); }

static int judge_program(struct child *c)
{
	return program_judge(c->program, &c->process);
}

static int step_limits_set(struct child *c)       { return limits_set(&c->process); }
static int step_caps_bound(struct child *c)       { return caps_bound(&c->process); }
static int step_user_become(struct child *c)      { return user_become(&c->process); }
static int step_no_new_privs_set(struct child *c) { return no_new_privs_set(&c->process); }
static int step_caps_drop(struct child *c)        { return caps_drop(&c->process); }

/* With notify, the listener's fd goes to the parent, which hands it on; so the parent must still be there. */
static int filter_load(struct child *c)
{
	struct sync_message m;
	cleanup_fd int listener = -1;
	int r = seccomp_filter_load(c->filter);

	if (r < 0 || !c->filter->notify)
		return r;
	listener = r;
	r = sync_send(c->sync, SYNC_LISTENER, 0, listener);
	return r < 0 ? r : sync_expect(c->sync, SYNC_TAKEN, "nacelle", &m);
}

/* A filter that notifies is loaded while the parent still listens, with or without no_new_privs. */
static int filter_enter_notify(struct child *c)
{
	int r;

	if (!c->filter || !c->filter->notify)
		return 0;
	r = no_new_privs_set(&c->process);
	return r < 0 ? r : filter_load(c);
}

static int filter_enter_early(struct child *c)
{
	if (!c->filter || c->filter->notify || c->process.no_new_privileges)
		return 0;
	return filter_load(c);
}

static bool filter_is_late(const struct child *c)
{
	return c->filter && !c->filter->notify && c->process.no_new_privileges;
}

static int filter_enter_late(struct child *c)
{
	return filter_is_late(c) ? filter_load(c) : 0;
}

static int hooks_start_container(struct child *c)
{
	const struct hooks_inside inside = {
		.output = c->hook_output, .label = &c->label, .filter = filter_is_late(c) ? c->filter : NULL,
	};
	cleanup_free char *state = NULL;

	if (!c->rootfs || !c->spec->hooks[HOOK_START_CONTAINER].count)
		return 0;
	state = state_oci_text(c->state, "created", getpid());
	return state ? hooks_run_inside(c->spec, state, &inside) : fail(ENOMEM, "state for the hooks");
}

static int fds_close(struct child *c)
{
	int *const mine[] = { &c->sync, &c->launcher, &c->label.proc };
	int r = fd_close_on_exec_from(3 + c->preserve_fds);

	if (r == 0 && c->machine)
		r = machine_hand_over(c->machine, mine, ARRAY_SIZE(mine));

	/* The launcher writes the label there, and closes it. */
	if (r == 0 && c->label.proc >= 0 && fcntl(c->label.proc, F_SETFD, 0) < 0)
		r = fail(errno, "keep the label's procfs open");
	return r;
}

static const struct step container_steps[] = {
	{ "die with the parent",        die_with_parent        }, /* until our pid is recorded */
	{ "join namespaces",            step_join              }, /* before any mount: one of them may be the mount namespace */
	{ "wait for id maps",           wait_for_maps          },
	{ "be opaque",                  be_opaque              },
	{ "new session",                session_new            },
	{ "new keyring",                keyring_new            }, /* as root: the payload's user may have used up its quota */
	{ "bring up loopback",          loopback_start         },
	{ "make mounts private",        step_mounts_private    },
	{ "mount the root",             step_rootfs_mount      },
	{ "mount",                      step_mounts_apply      }, /* the old root is still there to bind from */
	{ "mount the notify socket",    notify_mount           },
	{ "mount the network's files",  network_files          }, /* over what a mount of the spec has there */
	{ "make devices",               step_devices_make      },
	{ "make the terminal",          console_make           }, /* on the devpts that was just mounted */
	{ "wait for the parent",        parent_hear            }, /* prestart and createRuntime hooks; our pid is recorded */
	{ "run createContainer hooks",  hooks_create_container }, /* in our namespaces, with the host's files */
	{ "set sysctls",                step_sysctls_apply     }, /* a hook may have moved interfaces in */
	{ "open the hooks' output",     hook_output_open       },
	{ "switch root",                step_rootfs_switch     }, /* no host path exists below this line */
	{ NULL, NULL },
};

/*
 * The same where the network namespace is made meanwhile, by the parent (parent.c, network_is_apart()): what is left out here
 * has nothing to do then, and what needs the network, or the parent, comes as late as it can.
 */
static const struct step container_apart_steps[] = {
	{ "die with the parent",        die_with_parent        }, /* until our pid is recorded */
	{ "join namespaces",            step_join              },
	{ "be opaque",                  be_opaque              },
	{ "new session",                session_new            },
	{ "new keyring",                keyring_new            },
	{ "make mounts private",        step_mounts_private    },
	{ "mount the root",             step_rootfs_mount      },
	{ "mount",                      step_mounts_begin      }, /* what the network has no part in */
	{ "mount the notify socket",    notify_mount           },
	{ "make devices",               step_devices_make      },
	{ "make the terminal",          console_make           },
	{ "open the hooks' output",     hook_output_open       },
	{ "switch root",                step_rootfs_switch     }, /* no host path exists below this line */
	{ "enter the network namespace", network_enter         },
	{ "mount",                      step_mounts_apply      }, /* the rest: file systems of its own alone */
	{ NULL, NULL },
};

/* Both go on in the new root. */
static const struct step inside_steps[] = {
	{ "hide paths",                 step_paths_hide        },
	{ "make the root read-only",    step_rootfs_readonly   },
	{ "set the host name",          hostname_set           },
	{ NULL, NULL },
};

/* Any process in the root that is there now: the container's first, or one that joins. */
static const struct step process_steps[] = {
	{ "enter the working directory", cwd_enter             },
	{ "hand on sockets",            sockets_tell           }, /* what joins has none */
	{ "find the user",              user_find              },
	{ "find the program",           find_program           }, /* so that 'create' fails, not 'start' */
	{ "attach stdio",               stdio_attach           },
	{ "set the personality",        step_personality_set   }, /* here and no later: the filter may forbid it */
	{ "wait for the parent",        parent_hear            }, /* if we have not yet */
	{ "set the memory policy",      step_memory_policy_set }, /* within the cpuset that the parent has set */
	{ "prepare the label",          label_prepare          },
	{ "load seccomp, notifying",    filter_enter_notify    },
	{ "wait for start",             wait_for_start         },
	{ "prepare the launcher",       launcher_prepare       },
	{ "set limits",                 step_limits_set        }, /* late: they may be too low for what stands above */
	{ "bound capabilities",         step_caps_bound        },
	{ "become the user",            step_user_become       }, /* keeps what the next two need */
	{ "load seccomp, privileged",   filter_enter_early     }, /* without no_new_privs it takes CAP_SYS_ADMIN */
	{ "drop capabilities",          step_caps_drop         },
	{ "set no_new_privs",           step_no_new_privs_set  },
	{ "judge the program",          judge_program          }, /* as the payload: the kernel's refusals come too late to be told */
	{ "run startContainer hooks",   hooks_start_container  }, /* the first only. Programs of the image: with no more than the payload has */
	{ "close fds",                  fds_close              },
	{ "load seccomp",               filter_enter_late      }, /* last: it may forbid all of the above */
	{ NULL, NULL },
};

/* What one that joins does before: the namespaces, the cgroup and the root are there already. */
static const struct step join_steps[] = {
	{ "die with the parent",        die_with_parent        },
	{ "be opaque",                  be_opaque              },
	{ "become root inside",         become_root_inside     },
	{ "new session",                session_new            },
	{ "new keyring",                keyring_new            },
	{ "make the terminal",          console_make           },
	{ "wait for the parent",        parent_hear            }, /* it lifts limits, and writes the pid file */
	{ NULL, NULL },
};

/* Handlers are back to default after execve, but a mask and what is ignored would be inherited. */
static int signals_reset(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		if (sigaction(s, &standard, NULL) < 0 && s != SIGKILL && s != SIGSTOP && s < 32)
			return fail(errno, "take signal %d as usual", s);
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? fail(errno, "block no signal") : 0;
}

static int steps_run(struct child *c, const struct step *step)
{
	int r = 0;

	for (; r >= 0 && step->run; step++) {
		r = step->run(c);
		/* The two that speak of the payload's program have docker's own sentences. */
		if (r < 0 && fail_status() == STATUS_OURS)
			r = fail_in(r, "%s", step->name);
	}
	return r < 0 ? r : 0;
}

/* @tables: one after the other, until NULL */
static _Noreturn void all_run(struct child *c, const struct step *const *tables)
{
	int r = signals_reset();

	cmdline_hide(); /* who joins our pid namespace need not know what the operator typed */
	for (; r == 0 && *tables; tables++)
		r = steps_run(c, *tables);
	if (r == 0)
		r = program_exec(c->launcher, &c->label, c->program, &c->process);
	sync_send_failure(c->sync, r);
	_exit(fail_status());
}

_Noreturn void child_run(struct child *c)
{
	const struct step *const begin = c->network_apart ? container_apart_steps : container_steps;

	all_run(c, (const struct step *const[]){ begin, inside_steps, process_steps, NULL });
}

_Noreturn void child_join_run(struct child *c)
{
	all_run(c, (const struct step *const[]){ join_steps, process_steps, NULL });
}
