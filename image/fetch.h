/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fetch - the process that speaks to a registry during a pull
 *
 * It is a child of the one that verifies and unpacks, so that whoever parses an image never had a credential in its
 * memory, and whoever parses the network's answers cannot register anything. It tells its parent what it got.
 */

#include <stdint.h>
#include <sys/types.h>

#include "image/manifest.h"
#include "image/registry.h"
#include "image/stage.h"

enum fetch_word {
	FETCH_END,		/* the other side is gone: never sent */
	FETCH_MANIFEST,		/* fd: its bytes; text: its media type; one or two, an index first */
	FETCH_BLOB,		/* fd: its bytes, locked; digest; text: its path in the store */
	FETCH_FAILED,		/* value: errno; text */
};

struct fetch_message {
	enum fetch_word word;
	int value;
	int fd;			/* -1 */
	char digest[DIGEST_TEXT];
	char text[1024];
};

struct fetch {
	const struct reference *ref;
	const struct registry_options *registry;
	const struct str_list *mirrors;	/* asked first, in this order (image/mirror.h); NULL: none */
	const struct platform *platform;
	struct stage *stage;
	int64_t bytes_max;	/* of one blob */
	/* progress() - how far all blobs together are; in the child; may be NULL */
	void (*progress)(void *arg, int64_t done, int64_t all);
	/* passed_by() - a mirror that could not give the image, and why; in the child; may be NULL */
	void (*passed_by)(void *arg, const char *mirror, const char *why);
	void *arg;
};

struct fetcher {
	pid_t pid;
	int sock;
};

/* fetch_start() - begin; ends with fetch_end(). Return: 0 or a recorded failure. */
int fetch_start(const struct fetch *fetch, struct fetcher *ret);
/* fetch_receive() - the next message. A failure of the child's is recorded as ours. Return: 0 or a recorded failure. */
int fetch_receive(const struct fetcher *f, struct fetch_message *ret);
void fetch_end(struct fetcher *f);
