/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * str - strings, lists of strings, and numbers written as text
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* str_format() - printf into a malloc'ed string. Return: 0, or a recorded -ENOMEM; @ret_text is the caller's. */
int str_format(char **ret_text, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* str_copy() - strdup with a recorded failure; a NULL @from gives NULL. The old *@to is freed. */
int str_copy(char **to, const char *from);

/*
 * struct str_list - a growing list of strings it owns, always ended by a NULL pointer
 *
 * All zero is an empty list (items may be NULL then). `items` can be handed to execve(). It may be shortened by
 * hand, but is made longer by these functions only: they know from the count how much room there is.
 */
struct str_list {
	char **items;
	size_t count;
};

/* str_list_add() - append a copy of @text. Return: 0 or a recorded -ENOMEM. */
int str_list_add(struct str_list *list, const char *text);
/* str_list_addf() - append a formatted string. */
int str_list_addf(struct str_list *list, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* str_list_has() - whether @text is one of the items. */
bool str_list_has(const struct str_list *list, const char *text);
/* str_list_done() - free the items; the list is empty and usable again. */
void str_list_done(struct str_list *list);

/* str_env_find() - value of NAME in an environment list ("NAME=value"), or NULL. Points into the list. */
const char *str_env_find(const struct str_list *env, const char *name);
/* str_env_set() - replace or append NAME=@value. Return: 0 or a recorded -ENOMEM. */
int str_env_set(struct str_list *env, const char *name, const char *value);

static inline bool str_eq(const char *a, const char *b)
{
	/* most that are looked for in a table differ in the first */
	return *a == *b && __builtin_strcmp(a, b) == 0;
}
/* str_among() - whether @text is one of @list, which NULL ends */
bool str_among(const char *text, const char *const *list);
/* str_starts() - the rest of @text behind @prefix, or NULL. */
const char *str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/*
 * str_to_u64() - a whole decimal number, nothing before or behind it
 *
 * No sign, no blank, no empty string, no overflow. Return: 0, -EINVAL or -ERANGE; nothing recorded.
 */
int str_to_u64(const char *text, uint64_t max, uint64_t *ret_value);
/* str_to_i64() - the same with an optional leading '-'. */
int str_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value);

/*
 * str_to_bytes() - a size as docker writes it: digits and an optional b, k, m, g, t (any case, "KiB"
 * and "kb" too), all powers of 1024; one decimal fraction is allowed ("1.5g"). -1 and "unlimited" give -1.
 *
 * Return: 0, -EINVAL or -ERANGE; nothing recorded.
 */
int str_to_bytes(const char *text, int64_t *ret_bytes);

/*
 * str_to_usec() - a duration as docker writes it: "1m30s", "500ms", "1.5h", "10us"; a bare number is seconds
 *
 * Return: 0, -EINVAL or -ERANGE; nothing recorded.
 */
int str_to_usec(const char *text, uint64_t *ret_usec);

/*
 * str_signal() - signal number from "9", "KILL", "SIGKILL", "RTMIN+3" (any case)
 *
 * Return: 1…64, or -EINVAL; nothing recorded.
 */
int str_signal(const char *text);

/* str_hash() - FNV-1a, 64 bits, of bytes. @h: STR_HASH_START, or the hash of what stands in front of them */
#define STR_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t str_hash(uint64_t h, const void *data, size_t size);

/*
 * str_nearest() - the candidate that @word was most likely meant to be
 * @candidates: ended by NULL
 *
 * Return: one of @candidates at an edit distance of at most 2 (1 for words up to four letters), or NULL.
 */
const char *str_nearest(const char *word, const char *const *candidates);

/*
 * str_printable() - @text as it may reach a terminal
 * @size: of @buf, at least 8; what does not fit is cut at a character and ends in "…"
 *
 * Control characters, bytes that are not UTF-8, and characters that reorder or hide text become escapes
 * (\n, \x1b, \u202e). Return: @buf.
 */
const char *str_printable(char *buf, size_t size, const char *text);

/* str_quote() - the same in double quotes, with " and \ escaped and at most 64 characters of it. Return: @buf. */
enum { STR_QUOTE_SIZE = 400 };
const char *str_quote(char buf[STR_QUOTE_SIZE], const char *text);
