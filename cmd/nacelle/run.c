/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `run`: make a container, let it go, stand in for it until its end, remove it. Detached, or with a terminal, another
 * process is its parent: keeping.c. In all ways the same two steps make it: run_create() and run_go().
 */
#include "cmd/nacelle/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd/nacelle/again.h"
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/keeping.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/payload.h"
#include "cmd/nacelle/pidfd-socket.h"
#include "cmd/nacelle/terminal.h"
#include "cgroups/stats.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/bundle.h"
#include "runtime/keep.h"
#include "runtime/service/keeper.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/state.h"

enum { ID_RANDOM_BYTES = 6, STATUS_KILLED = 128 + SIGKILL };

#define RUN(member) offsetof(struct run_options, member)

const struct option_row run_options[] = {
	{ "bundle", 'b', OPTION_STRING, RUN(bundle), "DIR", "folder with config.json; then ID is the container's" },
	{ "config", 'f', OPTION_STRING, RUN(config), "FILE", "read FILE instead of the bundle's config.json" },
	{ "name", 0, OPTION_STRING, RUN(name), "ID", "name of the container (else made up)" },
	{ "detach", 'd', OPTION_FLAG, RUN(detach), NULL, "leave it to a keeper and print its id" },
	{ "rm", 0, OPTION_FLAG, RUN(remove), NULL, "with --detach: delete it at its end" },
	{ "keep", 0, OPTION_FLAG, RUN(keep), NULL, "without --detach: do not delete it at its end" },
	{ "tty", 't', OPTION_FLAG, RUN(tty), NULL, "a terminal of its own" },
	{ "interactive", 'i', OPTION_FLAG, RUN(interactive), NULL, "hand on standard input" },
	{ "detach-keys", 0, OPTION_STRING, RUN(detach_keys), "KEYS", "with --tty: leave it by these (" DETACH_KEYS_DEFAULT ")" },
	{ "env", 'e', OPTION_LIST, RUN(env), "NAME[=VALUE]", "environment; without a value: ours" },
	{ "env-file", 0, OPTION_LIST, RUN(env_file), "FILE", "environment, a line each" },
	{ "volume", 'v', OPTION_LIST, RUN(volumes), "[SOURCE:]PATH[:OPTIONS]", "mount a folder or file of the host, or a volume" },
	{ "tmpfs", 0, OPTION_LIST, RUN(tmpfs), "PATH[:OPTIONS]", "mount a file system in memory" },
	{ "device", 0, OPTION_LIST, RUN(devices), "SOURCE[:PATH[:rwm]]", "give it a device" },
	{ "memory", 'm', OPTION_STRING, RUN(memory), "SIZE", "limit of its memory, as in 64M" },
	{ "cpus", 0, OPTION_STRING, RUN(cpus), "NUMBER", "limit of its CPU time, as in 0.5" },
	{ "pids-limit", 0, OPTION_STRING, RUN(pids), "NUMBER", "limit of its processes; -1: none" },
	{ "user", 'u', OPTION_STRING, RUN(user), "USER[:GROUP]", "user and group, by name or number" },
	{ "workdir", 'w', OPTION_STRING, RUN(cwd), "DIR", "working directory" },
	{ "hostname", 0, OPTION_STRING, RUN(hostname), "NAME", "host name" },
	{ "read-only", 0, OPTION_FLAG, RUN(read_only), NULL, "its root cannot be written" },
	{ "cap-add", 0, OPTION_LIST, RUN(cap_add), "CAPABILITY", "add a capability, or ALL" },
	{ "cap-drop", 0, OPTION_LIST, RUN(cap_drop), "CAPABILITY", "take a capability away, or ALL" },
	{ "network", 0, OPTION_LIST, RUN(network), "NETWORK", "none, host, container:ID, a path, or NAME[:ip=…,mac=…,alias=…]" },
	{ "publish", 'p', OPTION_LIST, RUN(ports), "[PORT:]PORT", "[ADDRESS:]PORT:PORT[/udp]: a port of the host, or any, leads to it" },
	{ "dns", 0, OPTION_LIST, RUN(dns), "ADDRESS", "a name server, instead of the host's" },
	{ "entrypoint", 0, OPTION_STRING, RUN(entrypoint), "PROGRAM", "what stands before the command" },
	{ "ulimit", 0, OPTION_LIST, RUN(ulimits), "NAME=SOFT[:HARD]", "a resource limit" },
	{ "sysctl", 0, OPTION_LIST, RUN(sysctl), "NAME=VALUE", "a kernel setting of its namespaces" },
	{ "security-opt", 0, OPTION_LIST, RUN(security), "OPTION", "seccomp=FILE, seccomp=unconfined, no-new-privileges" },
	{ "label", 'l', OPTION_LIST, RUN(labels), "NAME=VALUE", "a note" },
	{ "stop-signal", 0, OPTION_STRING, RUN(stop_signal), "SIGNAL", "what 'stop' sends first" },
	{ "stop-timeout", 0, OPTION_STRING, RUN(stop_timeout), "SECONDS", "how long 'stop' waits" },
	{ "pid-file", 0, OPTION_STRING, RUN(pid_file), "FILE", "write the container's pid there" },
	{ "console-socket", 0, OPTION_STRING, RUN(console_socket), "SOCKET", "send the terminal to this unix socket" },
	{ "pidfd-socket", 0, OPTION_STRING, RUN(pidfd_socket), "SOCKET", "send a pidfd of its process to this unix socket" },
	{ "preserve-fds", 0, OPTION_NUMBER, RUN(preserve_fds), "N", "hand on N more open fds, from 3" },
	{ "no-subreaper", 0, OPTION_FLAG, RUN(no_subreaper), NULL, "taken for runc's sake: nothing is one here" },
	{ "init", 0, OPTION_FLAG, RUN(init), NULL, "a small init is its first process" },
	{ "restart", 0, OPTION_STRING, RUN(restart), "POLICY", "no, on-failure[:N], always, unless-stopped" },
	{ "log-driver", 0, OPTION_STRING, RUN(log_driver), "DRIVER", "json-file, journald, or none" },
	{ "log-opt", 0, OPTION_LIST, RUN(log_options), "NAME=VALUE", "max-size=SIZE, max-file=NUMBER" },
	{ "health-cmd", 0, OPTION_STRING, RUN(health_cmd), "SCRIPT", "how to tell that it works" },
	{ "health-interval", 0, OPTION_STRING, RUN(health_interval), "TIME", "between two checks (30s)" },
	{ "health-timeout", 0, OPTION_STRING, RUN(health_timeout), "TIME", "how long one may take (30s)" },
	{ "health-retries", 0, OPTION_NUMBER, RUN(health_retries), "N", "failures in a row until it is unhealthy (3)" },
	{ "health-start-period", 0, OPTION_STRING, RUN(health_start_period), "TIME", "until failures count (0s)" },
	{ "health-start-interval", 0, OPTION_STRING, RUN(health_start_interval), "TIME", "between two checks until then (5s)" },
	{ "no-healthcheck", 0, OPTION_FLAG, RUN(no_health), NULL, "nor the one that the image has" },
	{ "vm", 0, OPTION_FLAG, RUN(vm), NULL, "in a virtual machine of its own" },
	{ "template", 0, OPTION_FLAG, RUN(template), NULL, "the virtual machine begins as a copy of one that has booted, whatever the spec says" },
	{ "no-template", 0, OPTION_FLAG, RUN(no_template), NULL, "the virtual machine boots; without a word it is a copy where it can be" },
	{ "hypervisor", 0, OPTION_STRING, RUN(hypervisor), "PROGRAM", "the virtual machine is run by this QEMU" },
	{ "no-new-keyring", 0, OPTION_FLAG, RUN(keep_keyring), NULL, "keep our session keyring" },
	{ "moments", 0, OPTION_NUMBER, RUN(moments), "FD", "with --detach: write to it when it was created and started" },
	{ "no-pivot", 0, OPTION_FLAG, RUN(no_pivot), NULL, NO_PIVOT },
	{ .name = NULL },
};

struct run {
	const struct globals *globals;
	struct run_options o;
	struct bundle bundle;
	struct run_target target;
	char *id, *log;
	struct activation activation;
	struct service service;	/* of its keeper */
	bool terminal;		/* it has one, and we keep its master */
	int pidfd_socket;	/* of --pidfd-socket, or -1 */
};

static int id_choose(struct run *run)
{
	const char *annotated = spec_annotation(run->bundle.spec, SHORT_ANNOTATION "name");
	unsigned char random[ID_RANDOM_BYTES];
	int r;

	if (run->o.name && run->target.id && !str_eq(run->o.name, run->target.id))
		return usage_fail(run->globals->command, "two names: '%s' and '%s'", run->o.name, run->target.id);
	if (run->o.name || run->target.id || annotated) {
		const char *id = run->o.name ? run->o.name : run->target.id ? run->target.id : annotated;

		r = state_id_check(id);
		return r < 0 ? r : str_copy(&run->id, id);
	}
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return fail(errno, "make up a name");
	return str_format(&run->id, "%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2], random[3], random[4],
			  random[5]);
}

static void run_remove(const struct run *run)
{
	if (container_delete(&run->globals->place, run->id, true) < 0)
		log_warn("%s, ignoring", fail_text());
}

static int failed_start(const struct run *run, struct container_child *child, int r)
{
	cleanup_free char *text = NULL;
	int status = fail_status();

	(void)str_format(&text, "%s", fail_text());
	(void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
	(void)proc_reap(child->pid);
	run_remove(run);
	return text ? fail_exit(fail_plain(-r, "%s", text), status) : r;
}

/* --- making it, in whichever process is its parent ------------------------------------------------ */

static int run_create(struct run *run, const int stdio[3], bool at_once, struct container_child *ret_child)
{
	struct container_options options = CONTAINER_OPTIONS(run->id);
	int r;

	options.pid_file = run->o.pid_file;
	options.console_socket = run->o.console_socket;
	options.keep_keyring = run->o.keep_keyring;
	options.no_pivot = run->o.no_pivot;
	options.preserve_fds = (unsigned int)run->o.preserve_fds + run->activation.listen_fds;
	options.keep_terminal = run->terminal;
	options.at_once = at_once;
	options.passing = !run->o.detach && !run->o.keep;
	options.remove_at_exit = run->o.remove;
	options.log = run->log;
	options.kept = run->o.detach;
	options.open_stdin = run->o.detach && run->o.interactive && !run->terminal;
	options.activation = run->activation;
	for (int i = 0; i < 3; i++)
		options.stdio[i] = stdio[i];
	r = container_create(&run->globals->place, &run->bundle, &options, ret_child);
	if (r < 0 || run->pidfd_socket < 0)
		return r;
	r = pidfd_socket_tell(run->pidfd_socket, ret_child->pidfd);
	if (r < 0) {
		r = failed_start(run, ret_child, r);
		container_child_done(ret_child);
	}
	return r;
}

/* A line for whoever measures us: "created 1234567890", by CLOCK_MONOTONIC in ns. */
static void moment_tell(const struct run *run, const char *what)
{
	if (run->o.moments)
		(void)dprintf((int)run->o.moments, "%s %lld\n", what, (long long)clock_ns());
}

static int keeping_create(struct keeping *k, const int stdio[3], struct container_child *ret_child)
{
	int r = run_create(k->mine, stdio, false, ret_child);

	if (r == 0)
		moment_tell(k->mine, "created");
	return r;
}

static int keeping_go(struct keeping *k, struct container_child *child)
{
	int r = container_go(k->place, k->id, child);

	if (r == 0)
		moment_tell(k->mine, "started");
	return r;
}

static void keeping_undo(struct keeping *k, struct container_child *child)
{
	(void)child;
	run_remove(k->mine);
}

static int keeping_of(struct run *run, int program, struct keeping *ret)
{
	*ret = (struct keeping){
		.place = &run->globals->place, .id = run->id, .program = program, .recorded = true,
		.log = run->log, .remove = run->o.remove, .open_stdin = run->o.interactive && !run->terminal,
		.create = keeping_create, .go = keeping_go, .undo = keeping_undo, .socket = -1, .mine = run,
	};
	return keeping_choose(ret, run->bundle.spec, &run->service);
}

/* --- the end -------------------------------------------------------------------------------------- */

/* Somebody whose program was killed wants to know by what; the status alone does not say. */
static void oom_say(const struct run *run, bool killed, int64_t limit)
{
	if (!killed)
		return;
	if (limit > 0)
		log_warn("container '%s' was killed: out of memory (its limit is %lld bytes)", run->id, (long long)limit);
	else
		log_warn("container '%s' was killed: out of memory", run->id);
}

static bool oom_found(const struct run *run, int status)
{
	struct container_info info;
	bool killed;

	if (status != STATUS_KILLED || container_look(&run->globals->place, run->id, &info) != 0)
		return false;
	killed = info.oom_killed;
	container_info_done(&info);
	return killed;
}

/* Who keeps a container without a keeper writes down its end. */
static void ending_record(const struct run *run, int status, bool oom)
{
	cleanup_fd int ending = -1;
	int r = container_keep(&run->globals->place, run->id, getpid(), &ending);

	if (r == 0)
		r = keeper_ending_write(ending, status, oom);
	if (r < 0)
		log_warn("the end of container '%s' could not be recorded, ignoring", run->id);
}

/* --- in front of it ------------------------------------------------------------------------------- */

/* What docker does without -i; runc's way is to share the caller's. */
static int input_choose(const struct run *run, int *ret_fd)
{
	int fd;

	if (!run->target.stdin_taken && (run->o.interactive || run->target.literal))
		return 0;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(errno, "open '/dev/null'");
	*ret_fd = fd;
	return 0;
}

/* With --keep we are the keeper: what a keeper writes is written by us. */
static int run_front(struct run *run, int signals)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	cleanup_fd int input = -1, ending = -1;
	int64_t memory_max;
	bool oom;
	int r = input_choose(run, &input);

	if (r == 0)
		r = run_create(run, (int[]){ input, -1, -1 }, !run->o.keep, &child);
	if (r < 0)
		return r;
	if (run->o.keep)
		r = container_keep(&run->globals->place, run->id, getpid(), &ending);
	if (r == 0 && run->o.keep)
		r = container_go(&run->globals->place, run->id, &child);
	if (r < 0) {
		r = failed_start(run, &child, r);
		container_child_done(&child);
		return r;
	}
	/* Let go while the payload runs what is of no more use: who waits is small, and then quickly gone. */
	memory_max = run->bundle.spec->linux_.resources.memory_max;
	bundle_done(&run->bundle);
	r = payload_wait(signals, child.pid, child.pidfd);
	oom = oom_found(run, r);
	oom_say(run, oom, memory_max);
	if (ending >= 0 && r >= 0)
		keeper_ending_write(ending, r, oom);
	if (!run->o.keep && r >= 0 && container_delete_child(&run->globals->place, run->id, &child) < 0)
		log_warn("%s, ignoring", fail_text());
	container_child_done(&child);
	return r;
}

static int run_terminal(struct run *run, int signals)
{
	cleanup_fd int program = keeping_program();
	struct keeping k;
	struct detach_keys keys;
	bool oom;
	int status = STATUS_OURS, r = detach_keys_read(run->o.detach_keys, &keys);

	if (r == 0)
		r = keeping_of(run, program, &k);
	if (r < 0)
		return r;
	r = keeping_attended(&k, signals, run->o.interactive || run->target.literal, &keys, &status);
	if (r == KEEPING_DETACHED) {
		(void)printf("%s\n", run->id);
		return 0;
	}
	if (r < 0)
		return r;
	oom = oom_found(run, status);
	oom_say(run, oom, run->bundle.spec->linux_.resources.memory_max);
	if (run->o.keep)
		ending_record(run, status, oom);
	else
		run_remove(run);
	return status;
}

/* What is handed over once is not there a second time. */
static int detached_check(const struct run *run)
{
	if (run->service.health.odd)
		log_warn("the image's health check makes no sense, ignoring");
	if (run->service.restart == RESTART_NO)
		return 0;
	if (run->o.remove)
		return usage_fail(run->globals->command, "a restart policy and --rm contradict each other");
	if (run->o.no_pivot || run->o.preserve_fds || run->o.console_socket || run->o.pid_file || run->o.pidfd_socket ||
	    run->activation.listen_fds || run->activation.notify_socket)
		return fail_plain(EINVAL, "a restart policy goes with none of --no-pivot, --preserve-fds, --console-socket, --pid-file, "
				  "--pidfd-socket, LISTEN_FDS and NOTIFY_SOCKET: what starts again would not have them");
	return 0;
}

static int run_detached(struct run *run)
{
	cleanup_fd int program = keeping_program();
	struct keeping k;
	int r;

	if (program < 0)
		return program;
	r = keeping_of(run, program, &k);
	if (r == 0)
		r = detached_check(run);
	if (r == 0)
		r = keeping_detached(&k);
	if (r == 0)
		(void)printf("%s\n", run->id);
	return r;
}

static int machine_say(const struct run *run)
{
	const struct run_options *o = &run->o;
	int r = 0;

	if (o->template && o->no_template)
		return usage_fail(run->globals->command, "--template and --no-template");
	if (o->template || o->no_template)
		r = spec_vm_template(run->bundle.spec, o->template);
	return r == 0 && o->hypervisor ? spec_vm_hypervisor(run->bundle.spec, o->hypervisor) : r;
}

static int run_all(struct run *run, const struct operands *operands)
{
	cleanup_fd int signals = -1;
	int r = sockets_read((unsigned int)run->o.preserve_fds, &run->activation);

	if (r == 0)
		r = run_target_load(&run->o, operands, &run->target);
	if (r == 0)
		r = machine_say(run);
	if (r == 0)
		r = id_choose(run);
	if (r == 0)
		r = pidfd_socket_open(run->o.pidfd_socket, &run->pidfd_socket);
	if (r < 0)
		return r;
	run->terminal = run->bundle.spec->process.terminal && !run->o.console_socket;
	if (run->o.detach || run->terminal) {
		r = str_format(&run->log, "%s/containers/%s/log", run->globals->place.data, run->id);
		if (r < 0)
			return r;
	}
	if (run->o.detach)
		return run_detached(run);
	signals = payload_signals();
	if (signals < 0)
		return signals;
	return run->terminal ? run_terminal(run, signals) : run_front(run, signals);
}

static int options_check(const struct globals *globals, const struct run_options *o, size_t operands)
{
	if (!operands && !((o->bundle || o->config) && o->name))
		return usage_fail(globals->command, "usage: nacelle run %s", globals->command->synopsis);
	if (o->keep && (o->detach || o->remove))
		return usage_fail(globals->command, "--keep goes with neither --detach nor --rm");
	if (o->moments && !o->detach)
		return usage_fail(globals->command, "--moments goes with --detach alone");
	/* the container must not have it */
	if (o->moments && (o->moments < 3 + o->preserve_fds || fcntl((int)o->moments, F_SETFD, FD_CLOEXEC) < 0))
		return usage_fail(globals->command, "--moments: %llu is no open fd, or one that the container gets",
				  (unsigned long long)o->moments);
	return 0;
}

int cmd_run(const struct globals *globals, int argc, char **argv)
{
	struct run run = { .globals = globals, .pidfd_socket = -1, .o = { .detach_keys = DETACH_KEYS_DEFAULT, .health_retries = UINT64_MAX } };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 0, SIZE_MAX, &run.o, &operands);

	run.target.bundle = &run.bundle;
	if (r == 0) {
		r = options_check(globals, &run.o, operands.count);
		if (r == 0)
			r = run_all(&run, &operands);
	} else if (r == OPTIONS_HELPED) {
		r = 0;
	}
	if (run.pidfd_socket >= 0)
		(void)close(run.pidfd_socket);
	service_done(&run.service);
	bundle_done(&run.bundle);
	free(run.id);
	free(run.log);
	run_options_done(&run.o);
	return r;
}
