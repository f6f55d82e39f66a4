/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * command - what main.c's table of commands holds, and what each command gets
 */

#include <stdbool.h>

#include "cmd/nacelle/options.h"
#include "runtime/container.h"


/* From the global options and the configuration. */
struct globals {
	struct container_place place;
	const struct command *command;	/* the one that runs, for its usage */
	const char *criu;		/* the program of --criu, or NULL */
};

enum command_flags {
	COMMAND_STOPS = 1 << 0,		/* what stands behind the first operand is the payload's */
	COMMAND_STATELESS = 1 << 1,	/* it needs no folder of state or logs: `place` may have none */
};

struct command {
	const char *name;
	/* Return: exit status 0…255, or a recorded failure; argv[0] is the command's name */
	int (*run)(const struct globals *globals, int argc, char **argv);
	const struct option_row *options;	/* ended by a row without a name */
	const char *synopsis;			/* what stands behind the options */
	const char *help;			/* one line; NULL: it is for our own programs */
	unsigned int flags;			/* of enum command_flags */
};

/* commands - all of them, ended by a row without a name. */
extern const struct command commands[];

#define COMMAND(name)                                                                              \
	extern const struct option_row name##_options[];                                           \
	int cmd_##name(const struct globals *globals, int argc, char **argv)

COMMAND(again);
COMMAND(attach);
COMMAND(check);
COMMAND(checkpoint);
COMMAND(commit);
COMMAND(config);
COMMAND(cp);
COMMAND(create);
COMMAND(delete);
COMMAND(density);
COMMAND(diff);
COMMAND(down);
COMMAND(events);
COMMAND(exec);
COMMAND(features);
COMMAND(generate);
COMMAND(healthcheck);
COMMAND(kill);
COMMAND(list);
COMMAND(logs);
COMMAND(network);
COMMAND(pause);
COMMAND(port);
COMMAND(ps);
COMMAND(restore);
COMMAND(restart);
COMMAND(resume);
COMMAND(run);
COMMAND(scale);
COMMAND(spec);
COMMAND(start);
COMMAND(state);
COMMAND(stats);
COMMAND(stop);
COMMAND(up);
COMMAND(update);
COMMAND(volume);
COMMAND(wait);
#undef COMMAND
