/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-files - configs and secrets: read once, kept below the state's folder (in memory, usually) as <root>/.stacks/NAME/CONTENT
 *
 * A file's name is made of what is in it, and whose it is: it is never changed, an edited one is another file. Folders and
 * files are for their owner alone; a container gets the file itself, mounted.
 */

#include <stddef.h>

#include "runtime/base/str.h"

struct container_place;
struct stack;
struct stack_service;
struct stack_wanted;

/*
 * stack_files_read() - what a service's configs and secrets hold
 * @wanted: contents are added, each once
 * @ret: their names, in the order of the service's uses; str_list_done() it, after a failure too
 *
 * Return: 0 or a recorded failure.
 */
int stack_files_read(const struct stack *stack, const struct stack_service *service, struct stack_wanted *wanted, struct str_list *ret);

/* stack_file_path() - where the content of that name is kept. @ret: the caller's. Return: 0 or a recorded failure. */
int stack_file_path(const struct container_place *place, const struct stack *stack, const char *name, char **ret);

/* stack_files_write() - put all contents into their places. Return: 0 or a recorded failure. */
int stack_files_write(const struct container_place *place, const struct stack *stack, const struct stack_wanted *wanted);

/* stack_files_clean() - remove all but those of these names; without any the folder goes too. Return: 0 or a recorded failure. */
int stack_files_clean(const struct container_place *place, const char *stack, const struct str_list *keep);
