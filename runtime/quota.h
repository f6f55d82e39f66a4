/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * quota - how much may be written below one folder: a project of its own (quotactl(2), PRJQUOTA)
 */

#include <stdint.h>

enum { QUOTA_NONE = 1 };

/*
 * quota_set() - limit all that is below @folder, which is new and empty
 * @bytes: rounded up to whole KiB
 *
 * The project's number is made of the folder's inode number, which nothing else on that file system has.
 * Return: 0, QUOTA_NONE (nothing recorded): the file system does not enforce such limits, or a recorded failure.
 */
int quota_set(int folder, int64_t bytes);

/* quota_drop() - forget the limit of such a folder, before it is removed. One without a limit is fine. */
void quota_drop(int folder);
