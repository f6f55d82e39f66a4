/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * receive - a tar from a stream into a folder that is in use
 */

#include <sys/types.h>

struct id_maps;

/*
 * receive_tar() - unpack what comes, packed by gzip or zstd or not, as it comes: nothing of it is kept in between
 * @from: a pipe, a file or a socket; read to its end
 * @target: a folder; others may use it meanwhile, and mean harm
 * @uid, @gid: of folders that no entry names
 * @ids: whose numbers the tar has; NULL: the same as ours
 *
 * Entries mean what they say: there are no whiteouts. Folders that are there stay as they are, files are replaced, no link is
 * followed. After a failure what came before it is there. Return: 0 or a recorded failure.
 */
int receive_tar(int from, int target, uid_t uid, gid_t gid, const struct id_maps *ids);
