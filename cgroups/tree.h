/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tree - a cgroup and all cgroups below it, children first
 */

struct tree_walk {
	int (*seen)(int dir, void *arg); /* every cgroup; may be NULL */
	int (*left)(int parent, const char *name,
		    void *arg); /* each but the topmost, when done; may be NULL */
	void *arg;
};

/* tree_walk() - visit; a callback's failure ends it. Return: 0 or a recorded failure. */
int tree_walk(int dir, const struct tree_walk *walk_to);
