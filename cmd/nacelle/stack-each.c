/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `wait` and `restart` of a stack: what they do to one container, to all of it in the order of its needs. */
#include <stdio.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/stack.h"
#include "runtime/keep.h"
#include "runtime/service/stack-place.h"

/* Return: the first status that is not 0, or a recorded failure. */
static int all_wait(const struct globals *globals, const struct stack_found *found)
{
	int first = 0;

	for (size_t i = 0; i < found->container_count; i++) {
		const char *id = found->containers[i].id;
		int status, r = container_wait(&globals->place, id, &status);

		if (r != 0)
			return r < 0 ? r : container_no_such(id);
		(void)printf("%s %d\n", id, status);
		/* the next one may take long */
		(void)fflush(stdout);
		first = first ? first : status;
	}
	return first;
}

int stack_wait(const struct globals *globals, const struct operands *operands)
{
	struct stack_found found = { .containers = NULL };
	int r = stack_containers(globals, &(struct stack_options){ .name = NULL }, operands, NULL, &found);

	if (r == 0)
		r = all_wait(globals, &found);
	stack_found_done(&found);
	return r;
}

int stack_restart(const struct globals *globals, const struct operands *operands,
		  int (*run)(const struct globals *globals, const char *id, const void *data), const void *data)
{
	struct stack_found found = { .containers = NULL };
	cleanup_free char *name = NULL;
	cleanup_fd int dir = -1;
	int r = stack_containers(globals, &(struct stack_options){ .name = NULL }, operands, &name, &found);

	/* Nobody is to replace meanwhile what is started again. */
	if (r == 0) {
		dir = stack_lock(&globals->place, name);
		r = dir < 0 ? dir : 0;
	}
	for (size_t i = 0; r == 0 && i < found.container_count; i++) {
		r = run(globals, found.containers[i].id, data);
		if (r == 0)
			(void)printf("restart %s\n", found.containers[i].id);
		(void)fflush(stdout);
	}
	/* Its definition may have been lost: no empty folder in its place. */
	if (dir >= 0)
		stack_lock_undo(&globals->place, name);
	stack_found_done(&found);
	return r;
}
