/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-files - /etc/hosts, /etc/resolv.conf and /etc/hostname of containers in our networks
 *
 * They stand in the container's folder of state, and are bound over the root's, read-only. `hosts` is rewritten in place
 * whenever somebody comes to or leaves one of its networks, so that names are true without anybody who answers questions.
 */

#include "runtime/base/str.h"

struct network_book;
struct rootfs;
struct spec;

enum { NETWORK_FILE_COUNT = 3 };

/*
 * network_files_write() - all three, for a container whose leases are in the book
 * @dir: its folder of state
 * @hostname: NULL: the host's
 * @dns: name servers; empty: the host's
 */
int network_files_write(const struct network_book *book, int dir, const char *root, const char *id, const char *hostname,
			const struct str_list *dns);

/*
 * network_hosts_update() - rewrite `hosts` of all containers of a network but one
 * @id: that one, of folder @root
 *
 * One that is on its way out is left alone. What cannot be written is a warning: it is the others' loss, not @id's.
 */
void network_hosts_update(const struct network_book *book, const char *network, const char *root, const char *id);

/*
 * network_files_take() - in the parent: the files as detached trees
 * @folder: the folder of state that they stand in, absolute
 * @ret_trees: -1: there is none, or the spec mounts its own there
 */
int network_files_take(const struct spec *spec, const char *folder, int ret_trees[NETWORK_FILE_COUNT]);

/* network_file_place() - where the @i-th belongs in the container, from 0 to NETWORK_FILE_COUNT - 1. */
const char *network_file_place(int i);

/* network_files_mount() - in the child, *before* the root is switched. */
int network_files_mount(struct rootfs *r, const int trees[NETWORK_FILE_COUNT]);
