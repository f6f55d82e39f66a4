/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * verb - what main.c's table of verbs holds, what each verb gets, and what several do in the same way
 */

#include <stdbool.h>
#include <stddef.h>

#include "image/load.h"
#include "image/reference.h"
#include "image/store.h"
#include "image/writer.h"

/* All options of all verbs; which verb takes which stands in options.c. */
struct settings {
	const char *store, *registry, *name, *platform, *format, *authfile, *creds, *output, *policy, *as, *uids, *gids;
	bool quiet, all, force, repair, plain_http, insecure, no_trunc, help, version;
	struct str_list changes;
	json_t *config;			/* the user configuration (runtime/config.h); what it says of store and registry is taken already */
};

struct verb {
	const char *name;
	/* Return: 0, an exit status, or a recorded failure */
	int (*run)(const struct settings *settings, size_t count, char **operands);
	size_t min, max;		/* operands */
	const char *synopsis;
	const char *help;
};

extern const struct verb verbs[];	/* ended by a row without a name */

#define VERB(name) int verb_##name(const struct settings *settings, size_t count, char **operands)
VERB(pull);
VERB(push);
VERB(load);
VERB(save);
VERB(export);
VERB(import);
VERB(tar);
VERB(untar);
VERB(commit);
VERB(images);
VERB(inspect);
VERB(history);
VERB(tag);
VERB(rmi);
VERB(prune);
VERB(verify);
VERB(erofs);

/*
 * options_read() - options and operands of one verb
 * @argv: begins with the verb's name; operands are gathered behind it
 *
 * Return: number of operands, or a recorded failure.
 */
int options_read(const char *verb, int argc, char **argv, struct settings *ret);
/* options_print() - those of one verb; NULL: the ones that all have. */
void options_print(const char *verb);

/* usage_fail() - what was typed is wrong. Return: a recorded failure. */
int usage_fail(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* store_need() - the store, made when it is missing. Return: 0 or a recorded failure. */
int store_need(const struct settings *settings, struct store **ret);

/* store_look() - the store for reading; STORE_NOT_FOUND when there is none. */
int store_look(const struct settings *settings, struct store **ret);

/* image_need() - an image that must be there. Return: 0 or a recorded failure that says what was tried. */
int image_need(const struct store *store, const char *name, struct image **ret, char **ret_name);

/* load_prepare() - what load, import and pull have in common. @name: storage for --name. Return: 0 or a recorded failure. */
int load_prepare(const struct settings *settings, struct store *store, struct reference *name, struct platform *platform,
		 struct load *ret);

/* say_line() - a line about what is being done, on stderr. @arg: the settings. */
void say_line(void *arg, const char *what, const char *digest, int64_t size);

/* size_text() - "12.3 MB". Return: @buf. */
enum { SIZE_TEXT = 32 };
const char *size_text(char buf[SIZE_TEXT], int64_t size);
