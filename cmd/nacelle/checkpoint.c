/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `checkpoint` and `restore`: a container's processes put aside by criu, and made again. Options are those of runc. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/payload.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/bundle.h"
#include "runtime/spec.h"

/* What both are called without --image-path, as with runc: a folder of the caller's. */
#define IMAGES "checkpoint"

#define NO_LAZY_PAGES "all of its memory is written, and read again before it runs"

/* A verb's own options, and what both read beside those that are told to criu as they are. */
struct checkpoint_command {
	struct checkpoint_options criu;
	const char *cgroup_mode, *empty_ns;
};

#define CHECKPOINT(member) offsetof(struct checkpoint_command, criu.member)
#define BOTH(member) offsetof(struct checkpoint_command, member)

const struct option_row checkpoint_options[] = {
	{ "image-path", 0, OPTION_STRING, CHECKPOINT(images), "DIR", "where it is written to (./checkpoint)" },
	{ "work-path", 0, OPTION_STRING, CHECKPOINT(work), "DIR", "where criu's log is (that of the images)" },
	{ "parent-path", 0, OPTION_STRING, CHECKPOINT(parent), "DIR", "images of a pre-dump, relative to --image-path" },
	{ "leave-running", 'R', OPTION_FLAG, CHECKPOINT(leave_running), NULL, "the container goes on" },
	{ "pre-dump", 0, OPTION_FLAG, CHECKPOINT(pre_dump), NULL, "write its memory alone, and let it go on" },
	{ "tcp-established", 0, OPTION_FLAG, CHECKPOINT(tcp_established), NULL, "keep open TCP connections" },
	{ "ext-unix-sk", 0, OPTION_FLAG, CHECKPOINT(ext_unix_sk), NULL, "allow unix sockets that lead outside" },
	{ "shell-job", 0, OPTION_FLAG, CHECKPOINT(shell_job), NULL, "allow a terminal or session from outside" },
	{ "file-locks", 0, OPTION_FLAG, CHECKPOINT(file_locks), NULL, "keep locks on files" },
	{ "auto-dedup", 0, OPTION_FLAG, CHECKPOINT(auto_dedup), NULL, "free what the parent's images have twice" },
	{ "lazy-pages", 0, OPTION_REFUSED, 0, NULL, NO_LAZY_PAGES },
	{ "page-server", 0, OPTION_REFUSED, 0, "ADDRESS", NO_LAZY_PAGES },
	{ "status-fd", 0, OPTION_REFUSED, 0, "FD", NO_LAZY_PAGES },
	{ "manage-cgroups-mode", 0, OPTION_STRING, BOTH(cgroup_mode), "MODE", "soft or ignore: cgroups are made by nacelle" },
	{ "empty-ns", 0, OPTION_STRING, BOTH(empty_ns), "NAMESPACE", "network: what is in it is left out" },
	{ .name = NULL },
};

struct restore_options {
	struct checkpoint_command command;
	const char *bundle, *pid_file, *console_socket;
	bool detach, no_subreaper;
};

#define RESTORE(member) offsetof(struct restore_options, member)

const struct option_row restore_options[] = {
	{ "bundle", 'b', OPTION_STRING, RESTORE(bundle), "DIR", "folder with config.json (the working directory)" },
	{ "image-path", 0, OPTION_STRING, RESTORE(command.criu.images), "DIR", "where a checkpoint was written to (./checkpoint)" },
	{ "work-path", 0, OPTION_STRING, RESTORE(command.criu.work), "DIR", "where criu's log is (that of the images)" },
	{ "detach", 'd', OPTION_FLAG, RESTORE(detach), NULL, "do not wait for its end" },
	{ "pid-file", 0, OPTION_STRING, RESTORE(pid_file), "FILE", "write the container's pid there" },
	{ "console-socket", 0, OPTION_STRING, RESTORE(console_socket), "SOCKET", "send the terminal to this unix socket" },
	{ "tcp-established", 0, OPTION_FLAG, RESTORE(command.criu.tcp_established), NULL, "restore open TCP connections" },
	{ "tcp-close", 0, OPTION_FLAG, RESTORE(command.criu.tcp_close), NULL, "close the TCP connections that there were" },
	{ "ext-unix-sk", 0, OPTION_FLAG, RESTORE(command.criu.ext_unix_sk), NULL, "allow unix sockets that lead outside" },
	{ "shell-job", 0, OPTION_FLAG, RESTORE(command.criu.shell_job), NULL, "allow a terminal or session from outside" },
	{ "file-locks", 0, OPTION_FLAG, RESTORE(command.criu.file_locks), NULL, "restore locks on files" },
	{ "auto-dedup", 0, OPTION_FLAG, RESTORE(command.criu.auto_dedup), NULL, "free images as they are read" },
	{ "lsm-profile", 0, OPTION_STRING, RESTORE(command.criu.lsm_profile), "TYPE:NAME", "another label, of 'apparmor' or 'selinux'" },
	{ "lsm-mount-context", 0, OPTION_STRING, RESTORE(command.criu.lsm_mount_context), "LABEL", "another SELinux label of its mounts" },
	{ "no-subreaper", 0, OPTION_FLAG, RESTORE(no_subreaper), NULL, "taken for runc's sake: nothing is one here" },
	{ "lazy-pages", 0, OPTION_REFUSED, 0, NULL, NO_LAZY_PAGES },
	{ "manage-cgroups-mode", 0, OPTION_STRING, RESTORE(command.cgroup_mode), "MODE", "soft or ignore: cgroups are made by nacelle" },
	{ "empty-ns", 0, OPTION_STRING, RESTORE(command.empty_ns), "NAMESPACE", "network: a new one, with nothing in it" },
	{ "no-pivot", 0, OPTION_REFUSED, 0, NULL, "criu makes the root by pivot_root" },
	{ .name = NULL },
};

/* Its cgroup is made from the spec, with its limits: what is there already is left alone by criu's mode "soft" as well. */
static int command_read(const struct globals *globals, struct checkpoint_command *c)
{
	if (c->cgroup_mode && !str_eq(c->cgroup_mode, "soft") && !str_eq(c->cgroup_mode, "ignore"))
		return usage_fail(globals->command, "--manage-cgroups-mode: '%s' is not supported: its cgroup and limits are made "
				  "by nacelle, from the spec, which is 'soft' or 'ignore'", c->cgroup_mode);
	if (c->empty_ns && !str_eq(c->empty_ns, "network"))
		return usage_fail(globals->command, "--empty-ns: '%s' is not supported, only 'network' is", c->empty_ns);
	if (c->criu.tcp_close && c->criu.tcp_established)
		return usage_fail(globals->command, "--tcp-close and --tcp-established contradict each other");
	c->criu.empty_network = c->empty_ns != NULL;
	c->criu.program = globals->criu;
	return 0;
}

int cmd_checkpoint(const struct globals *globals, int argc, char **argv)
{
	struct checkpoint_command o = { .criu = { .images = IMAGES } };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o.criu.parent && o.criu.parent[0] == '/')
		return usage_fail(globals->command, "--parent-path: '%s' is not relative to --image-path", o.criu.parent);
	r = command_read(globals, &o);
	return r < 0 ? r : container_checkpoint(&globals->place, operands.items[0], &o.criu);
}

/* In front of it until its end, as `run`. */
static int restored_wait(const struct globals *globals, const char *id, int signals, struct container_child *child)
{
	int r = payload_wait(signals, child->pid, child->pidfd);

	container_child_done(child);
	if (r >= 0 && container_delete(&globals->place, id, true) < 0)
		log_warn("%s, ignoring", fail_text());
	return r;
}

static int restore(const struct globals *globals, const char *id, const struct restore_options *o)
{
	struct container_options options = CONTAINER_OPTIONS(id);
	struct container_child child = CONTAINER_CHILD_NONE;
	struct bundle bundle = { .spec = NULL };
	cleanup_fd int signals = -1;
	int r = bundle_load_folder(o->bundle, NULL, &bundle);

	options.pid_file = o->pid_file;
	options.console_socket = o->console_socket;
	if (r == 0 && bundle.spec->process.terminal && !o->console_socket)
		r = usage_fail(globals->command, "process.terminal: true needs --console-socket");
	if (r == 0 && !o->detach) {
		signals = payload_signals();
		r = signals < 0 ? signals : 0;
	}
	if (r == 0)
		r = container_restore(&globals->place, &bundle, &options, &o->command.criu, o->detach ? NULL : &child);
	bundle_done(&bundle);
	if (r < 0 || o->detach)
		return r;
	return restored_wait(globals, id, signals, &child);
}

int cmd_restore(const struct globals *globals, int argc, char **argv)
{
	struct restore_options o = { .command = { .criu = { .images = IMAGES } }, .bundle = "." };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = command_read(globals, &o.command);
	return r < 0 ? r : restore(globals, operands.items[0], &o);
}
