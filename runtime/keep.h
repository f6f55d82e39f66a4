/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keep - containers whose end somebody writes down: the keeper, or a `run` that stays
 *
 * The file "exit" of the state folder is empty from when the keeper is recorded, and gets its one line
 * (runtime/service/keeper.h) in place, so that whoever holds it open reads it even after the deletion.
 */

#include <sys/types.h>

#include "runtime/container.h"
#include "runtime/keeper-talk.h"

/*
 * container_keep() - record who writes down how the container ends
 * @keeper: the process that is the container's parent; it may exec meanwhile
 * @ret_exit: the file to write to; the caller closes it
 *
 * Return: 0 or a recorded failure.
 */
int container_keep(const struct container_place *place, const char *id, pid_t keeper, int *ret_exit);

/*
 * container_keep_talk() - make what a keeper talks by
 * @ret_note: the file "note"
 * @ret_socket: listening, see runtime/keeper-talk.h; NULL: there is one already
 *
 * The caller closes both. Return: 0 or a recorded failure.
 */
int container_keep_talk(const struct container_place *place, const char *id, int *ret_note, int *ret_socket);

/*
 * container_tell() - tell its keeper a word
 * @ret_sock, @ret_fd, @fds: see keeper_tell(); may be NULL
 *
 * Return: 0, KEEPER_GONE, KEEPER_SILENT, or a recorded failure (no such container).
 */
int container_tell(const struct container_place *place, const char *id, enum keeper_word word, const int fds[2], int timeout_ms,
		   int *ret_sock, int *ret_fd);

/*
 * container_wait() - wait for the end, and for the line about it
 * @ret_status: exit status of the payload
 *
 * Without a keeper the end is waited for too, but then it is a failure: only the parent knows the status.
 * Return: 0, CONTAINER_NOT_FOUND, or a recorded failure.
 */
int container_wait(const struct container_place *place, const char *id, int *ret_status);

/*
 * container_wait_stopped() - wait until the container's process has ended
 * @timeout_ms: -1: for ever
 *
 * Return: 0, CONTAINER_NOT_FOUND, CONTAINER_TIMEOUT, or a recorded failure.
 */
enum { CONTAINER_TIMEOUT = 2 };
int container_wait_stopped(const struct container_place *place, const char *id, int timeout_ms);

/* container_wait_process() - until the process has ended that it had when it was looked at. Return: as above, never CONTAINER_NOT_FOUND. */
int container_wait_process(const struct container_info *info, int timeout_ms);

/* container_wait_recorded() - the same, and then for its keeper (if it has one) to have done its work. */
int container_wait_recorded(const struct container_place *place, const char *id, int timeout_ms);
