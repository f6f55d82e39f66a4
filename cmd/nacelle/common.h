/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * common - what several commands do in the same way
 */

#include <stddef.h>
#include <sys/types.h>

struct activation;
struct globals;
struct container_info;
struct operands;
struct str_list;

/* --no-pivot, of two commands. */
#define NO_PIVOT "move the root, and chroot (on an initramfs); less safe"

/* preserved_check() - whether the fds from 3 to 3 + @count - 1 were given to us. Return: 0 or a recorded failure. */
int preserved_check(unsigned int count);

/*
 * sockets_read() - what a service manager gave us (LISTEN_FDS, NOTIFY_SOCKET), and whether it and @preserve more fds
 * are open. Return: 0 or a recorded failure.
 */
int sockets_read(unsigned int preserve, struct activation *ret);

/*
 * user_name() - the host's name for a uid
 * @ret_name: malloc'ed, or NULL: it has none
 *
 * By /etc/passwd alone: a program without a loader has no more of the name service switch. Return: 0 or a recorded failure.
 */
int user_name(uid_t uid, char **ret_name);

/* look() - container_look(), to which an unknown id is a failure. */
int look(const struct globals *globals, const char *id, struct container_info *ret_info);

/* annotation() - value of a container's annotation "io.nacelle.@name", or NULL. Points into @info. */
const char *annotation(const struct container_info *info, const char *name);

/*
 * stop_signal_read() - from the annotation "stop_signal", or NULL
 * stop_time_read() - ms, from the annotation "stop_timeout", or NULL
 */
enum { STOP_TIME_S = 10, STOP_TIME_MAX_S = 86400 };
int stop_signal_read(const char *text);
int stop_time_read(const char *text);

/*
 * ids_find() - the ids of all containers that a regular expression (POSIX, extended) fits
 * @ret_ids: to be freed by str_list_done(), after a failure too
 *
 * Return: 0, or a recorded failure; none at all is no failure.
 */
int ids_find(const struct globals *globals, const char *expression, struct str_list *ret_ids);

/*
 * for_each_id() - call @run for each operand, and go on after a failure
 *
 * All failures but that of the last are written as they come. Return: the last result, or STATUS_OURS when an
 * earlier one failed.
 */
int for_each_id(const struct globals *globals, const struct operands *operands,
		int (*run)(const struct globals *globals, const char *id, const void *data), const void *data);
