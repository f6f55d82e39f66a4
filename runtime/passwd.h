/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * passwd - users and groups by name, as the container's own /etc/passwd and /etc/group have them
 *
 * Those files are an image's, or the payload's: hostile. They are read whole, up to a bound, and a line
 * that is not what it should be is passed over.
 */

#include "runtime/spec.h"

enum { PASSWD_SIZE_MAX = 1024 * 1024 };

/*
 * passwd_user_find() - ids for what a user wrote: "name", "uid", "name:group", "uid:gid" and mixtures
 * @root: directory fd of the container's root
 * @text: as written; "", ":", and numbers beyond 4294967294 are refused, never taken for 0
 * @user: uid and gid are set; without ":group" additional gids too, from the groups that list the user
 *
 * A uid without a line in /etc/passwd has gid 0, as docker has it. A name without a line is a failure.
 * Return: 0 or a recorded failure.
 */
int passwd_user_find(int root, const char *text, struct spec_user *user);

/*
 * passwd_home_find() - home directory of @uid
 * @ret_home: malloc'ed; "/" when there is no line, or none that is an absolute path
 *
 * Return: 0 or a recorded failure (memory alone).
 */
int passwd_home_find(int root, uint32_t uid, char **ret_home);
