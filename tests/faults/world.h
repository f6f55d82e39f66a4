/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * world - the small world of one worker: its state folder, its bundle, its container's name; and what is left in it
 *
 * The worker is the reaper of all that its commands leave behind, so what still lives is its child. It stands in a mount
 * namespace of its own, so a mount that is seen is its own too.
 */

#include <stdbool.h>
#include <sys/types.h>

enum { HUNG = 256, PATH_SIZE = 512, TEXT_SIZE = 8192, ARGS_MAX = 24 };

struct world {
	const char *nacelle;
	char dir[PATH_SIZE], root[PATH_SIZE], data[PATH_SIZE], bundle[PATH_SIZE], report[PATH_SIZE], output[PATH_SIZE];
	char rootfs[PATH_SIZE], cgroup[PATH_SIZE], id[64];
	char *mounts;		/* of the world when it was new */
	pid_t keeps;		/* a child that is to stay; 0: none */
};

/* world_new() - make folders below @base; the root file system is @base/rootfs. Return: 0 or -1, with a message on stderr. */
int world_new(struct world *w, const char *nacelle, const char *base, int number);

/* world_spec() - write the bundle's config.json from a template. */
int world_spec(const struct world *w, const char *template, const char *words);

/* world_run() - run nacelle with the arguments (at most 12, then NULL). Return: exit status, 128 + signal, or HUNG. */
int world_run(const struct world *w, const char *const *args);

/* world_argv() - the whole command line of such a run; items live as long as the world. */
void world_argv(const struct world *w, const char *const *args, char *argv[ARGS_MAX]);

/* world_text() - a file's text, malloc'ed; NULL when it is not there. */
char *world_text(const char *path);

/* world_left() - what is left; waits a little for what is just ending. Return: whether there is anything, told in @text. */
bool world_left(const struct world *w, char text[TEXT_SIZE]);

/* world_clean() - by force, without nacelle: after a failure, for the next point. */
void world_clean(struct world *w);
