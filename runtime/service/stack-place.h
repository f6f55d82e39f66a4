/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-place - <data>/stacks/NAME: the lock of a stack, and what it was last brought to
 *
 * The folder itself is locked (flock); whoever waited for one that was removed meanwhile makes it anew.
 */

#include <jansson.h>

#include "runtime/base/str.h"

struct container_place;
struct stack;

/*
 * stack_lock() - make the folder when it is missing, and wait for its lock
 *
 * Return: an fd that holds it, the caller's, or a recorded failure.
 */
int stack_lock(const struct container_place *place, const char *name);

/* stack_lock_undo() - remove the folder again when nothing was kept in it: the stack never came to be. */
void stack_lock_undo(const struct container_place *place, const char *name);

/* stack_definition_write() - keep what the stack is brought to. @dir: from stack_lock(). Return: 0 or a recorded failure. */
int stack_definition_write(int dir, const struct stack *stack);

/*
 * stack_definition_read() - what stack_definition_write() has kept
 * @ret_folder: the caller's
 *
 * Return: 0 with @ret_v a new reference, STACK_NOT_FOUND, or a recorded failure.
 */
enum { STACK_NOT_FOUND = 1 };
int stack_definition_read(const struct container_place *place, const char *name, json_t **ret_v, char **ret_folder);

/* stack_forget() - remove the folder. @dir: from stack_lock(), closed by the caller. Return: 0 or a recorded failure. */
int stack_forget(const struct container_place *place, const char *name, int dir);
