/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * landlock - walls around what a process may open, by the kernel's ABI 2. Source: Documentation/userspace-api/landlock.rst
 */

#include <stdint.h>

#include <linux/landlock.h>

/* all of ABI 2 */
#define LANDLOCK_RIGHTS_ALL ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)

/*
 * landlock_open() - a set of rules that allows nothing yet
 *
 * ABI 1 (before Linux 5.19) denies every link and rename between folders: no use for it here.
 * @ret_rules: fd, the caller's
 *
 * Return: 0, LANDLOCK_NONE where the kernel has none of use, or a recorded failure.
 */
enum { LANDLOCK_NONE = 1 };
int landlock_open(int *ret_rules);

/* landlock_allow() - @access to what @fd is, and all below. Return: 0 or a recorded failure. */
int landlock_allow(int rules, int fd, uint64_t access);

/* landlock_restrict() - from here on nothing else. *Needs* no_new_privs. Return: 0 or a recorded failure. */
int landlock_restrict(int rules);
