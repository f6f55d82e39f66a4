/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. The table below is all that knows which commands there are: it dispatches, and the
 * usage text, the manual's list and the shells' completions are made from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/globals.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/program.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/cmdline.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/state.h"

#define SPEC_VERSION "1.3.0"

/* clang-format off */
const struct command commands[] = {
	{ "run",      cmd_run,      run_options,      "SPEC|BUNDLE|-|ID [COMMAND [ARG...]]", "create and start a container, and wait for its end", COMMAND_STOPS },
	{ "exec",     cmd_exec,     exec_options,     "ID [COMMAND [ARG...]]", "run one more process in a running container", COMMAND_STOPS },
	{ "create",   cmd_create,   create_options,   "ID",            "set a container up, all but its process", 0 },
	{ "start",    cmd_start,    start_options,    "ID",            "start a created container, or a detached one again", 0 },
	{ "state",    cmd_state,    state_options,    "ID",            "print the state of a container", 0 },
	{ "kill",     cmd_kill,     kill_options,     "ID [SIGNAL]",   "send a signal (TERM) to a container's process", 0 },
	{ "stop",     cmd_stop,     stop_options,     "ID...",         "end containers: a signal, and KILL after a while", 0 },
	{ "restart",  cmd_restart,  restart_options,  "ID..., STACK [SERVICE...]",         "end detached containers and start them again", 0 },
	{ "delete",   cmd_delete,   delete_options,   "ID...",         "remove what is left of containers", 0 },
	{ "list",     cmd_list,     list_options,     "",              "list the containers", 0 },
	{ "ps",       cmd_ps,       ps_options,       "ID [OPTION OF PS...], STACK [SERVICE...]", "list the processes of a container, or the containers of a stack", COMMAND_STOPS },
	{ "logs",     cmd_logs,     logs_options,     "ID, STACK [SERVICE...]", "print what a detached container said, or those of a stack", 0 },
	{ "attach",   cmd_attach,   attach_options,   "ID",            "be in front of a detached container", 0 },
	{ "healthcheck", cmd_healthcheck, healthcheck_options, "ID",   "run a container's health check once", 0 },
	{ "wait",     cmd_wait,     wait_options,     "ID..., STACK [SERVICE...]", "wait for the end of detached containers", 0 },
	{ "pause",    cmd_pause,    pause_options,    "ID",            "freeze all processes of a container", 0 },
	{ "resume",   cmd_resume,   resume_options,   "ID",            "thaw them", 0 },
	{ "update",   cmd_update,   update_options,   "ID",            "change the limits of a container", 0 },
	{ "stats",    cmd_stats,    stats_options,    "[ID...]",       "show what containers use", 0 },
	{ "events",   cmd_events,   events_options,   "ID",            "print statistics and out-of-memory events", 0 },
	{ "port",     cmd_port,     options_none,     "ID",            "list the ports of the host that lead to a container", 0 },
	{ "up",       cmd_up,       up_options,       "[STACK [SERVICE...]]", "bring what runs to what a stack file says", 0 },
	{ "down",     cmd_down,     down_options,     "[STACK]",       "end a stack, and leave nothing of it", 0 },
	{ "scale",    cmd_scale,    scale_options,    "STACK SERVICE=NUMBER...", "change how many there are of a stack's services", 0 },
	{ "config",   cmd_config,   config_options,   "[STACK]",       "print a stack file as it is understood", 0 },
	{ "generate", cmd_generate, generate_options, "systemd FILE",  "print a unit that brings up a stack, or a container", 0 },
	{ "network",  cmd_network,  network_options,  "COMMAND [ARGUMENT...]", "make, list and remove networks", COMMAND_STOPS },
	{ "cp",       cmd_cp,       cp_options,       "ID:PATH PATH|-, PATH|- ID:PATH", "copy files out of a container, or into it", 0 },
	{ "diff",     cmd_diff,     diff_options,     "ID",            "list what a container has changed in its layers", 0 },
	{ "commit",   cmd_commit,   commit_options,   "ID [NAME]",     "make an image of a container's image and its changes", 0 },
	{ "volume",   cmd_volume,   volume_options,   "create|inspect|rm NAME..., ls, prune", "named volumes", 0 },
	{ "checkpoint", cmd_checkpoint, checkpoint_options, "ID",     "put a container's processes aside in files", 0 },
	{ "restore",  cmd_restore,  restore_options,  "ID",            "make a container from such files", 0 },
	{ "density",  cmd_density,  density_options,  "SPEC [COMMAND [ARG...]]", "measure how many instances of a spec fit, and what each costs", COMMAND_STOPS },
	{ "spec",     cmd_spec,     spec_options,     "",              "print the default spec, or the expansion of one", COMMAND_STATELESS },
	{ "check",    cmd_check,    check_options,    "",              "say what this machine lacks, and what mends it", 0 },
	{ "features", cmd_features, features_options, "",              "print what this program supports", COMMAND_STATELESS },
	{ "again",    cmd_again,    again_options,    "ID",            NULL, 0 },
	{ .name = NULL },
};
/* clang-format on */

static int version_print(void)
{
	(void)printf("nacelle version %s\ncommit: %s\nspec: %s\n", NACELLE_VERSION, NACELLE_COMMIT, SPEC_VERSION);
	return 0;
}

static int usage_print(void)
{
	(void)printf("usage: nacelle [GLOBAL OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
	for (const struct command *c = commands; c->name; c++)
		if (c->help)
			(void)printf("  %-12s%s\n", c->name, c->help);
	(void)printf("\nglobal options:\n");
	options_print(global_options);
	(void)printf("\n'nacelle COMMAND --help' has a command's own options.\n");
	return 0;
}

static int fail_unknown(const char *name)
{
	const char *names[sizeof(commands) / sizeof(commands[0])] = { NULL }, *near;
	size_t n = 0;

	for (const struct command *c = commands; c->name; c++)
		if (c->help)
			names[n++] = c->name;
	near = str_nearest(name, names);
	if (near)
		return usage_fail(NULL, "unknown command '%s', did you mean '%s'?", name, near);
	return usage_fail(NULL, "unknown command '%s'", name);
}

static const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (str_eq(c->name, name))
			return c;
	return NULL;
}

static int run(int argc, char **argv)
{
	struct global_options options = { .root = NULL };
	struct globals globals = { .command = NULL };
	/* Options are taken out of argv. */
	cleanup_free char **line = calloc((size_t)argc + 1, sizeof(*line));
	int left, r;

	if (!line)
		return fail(ENOMEM, "read the command line");
	memcpy(line, argv, (size_t)argc * sizeof(*line));
	left = options_read(global_options, argc, argv, &options);

	if (left < 0)
		return left;
	if (options.version)
		return version_print();
	if (options.help)
		return usage_print();
	if (left == 0)
		return usage_fail(NULL, "a command is missing");
	globals.command = command_find(argv[1]);
	if (!globals.command)
		return fail_unknown(argv[1]);
	r = globals_set(&options, &globals);
	if (r == 0 && globals.place.root && (globals.place.systemd_cgroup || state_systemd_noted(globals.place.root)))
		r = program_shared(line);
	return r < 0 ? r : globals.command->run(&globals, left, argv + 1);
}

enum { OUTPUT_SIZE = 64 * 1024 };

/* What was printed may have stayed in a buffer: a full disk shows only now. */
static int output_finish(void)
{
	int failed = ferror(stdout);

	errno = EIO;
	if (fflush(stdout) != 0 || failed)
		return fail(errno, "write to standard output");
	return 0;
}

int main(int argc, char **argv)
{
	static char output[OUTPUT_SIZE];
	int r = fd_streams_open(), flushed;
	char **arguments = NULL;

	/* Room for a whole answer: of a write that fails before the last one stdio forgets why. */
	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, output, _IOFBF, sizeof(output));
	if (r == 0)
		r = cmdline_take(argc, argv, &arguments);
	if (r == 0)
		r = run(argc, arguments);
	if (r < 0)
		log_error(fail_text());
	r = r < 0 ? fail_status() : r;
	flushed = output_finish();
	if (flushed < 0) {
		log_error(fail_text());
		return STATUS_OURS;
	}
	return r;
}
