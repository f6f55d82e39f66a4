/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-record - networks and leases as JSON
 *
 * Private to the book (network-book.h), but for what is shown to people.
 */

#include <jansson.h>

struct network;
struct network_book;

/* network_record_read() - Return: 0 or a recorded failure that names the file. */
int network_record_read(int dir, const char *file, struct network *ret);
int network_record_write(int dir, const struct network *network);

/* network_leases_read() - into an empty book; those of another boot are left out. */
int network_leases_read(struct network_book *book);

/* network_json() - a network as it is recorded: new reference, NULL without memory. */
json_t *network_json(const struct network *network);
