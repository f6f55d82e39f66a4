/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * processes - what runs in a container, for `ps`: as the host's /proc has it, or as the guest's has when the container is
 * in a virtual machine
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct container_place;

struct process_row {
	int64_t pid, parent;	/* of the host, or of the guest */
	int64_t uid;
	int64_t seconds;	/* of CPU time */
	char *state;		/* a letter, as in proc(5) */
	char *command;		/* its arguments with blanks between them, or "[name]" */
};

struct processes {
	struct process_row *rows;
	size_t count;
	bool guest;		/* as a virtual machine's guest has them, not the host */
};

/* processes_list() - Return: 0 with @ret for processes_done(), or a recorded failure. */
int processes_list(const struct container_place *place, const char *id, struct processes *ret);
void processes_done(struct processes *processes);

/* processes_to_json() - { "processes": [ … ] }, as the agent of a guest answers: new reference, NULL without memory. */
json_t *processes_to_json(const struct processes *processes);

/* processes_from_json() - judge it, and read it. Return: 0 with @ret for processes_done(), or a recorded failure. */
int processes_from_json(json_t *v, struct processes *ret);
