/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * json - reading JSON by tables of fields, on jansson
 *
 * One `struct json_field` table per object says what is supported: name, getter, where it goes, flags,
 * help. The same tables give the messages, `nacelle features`, the JSON schema and the man page's table.
 * Every message about a value begins with its JSON path: `linux.namespaces[0].type: "pidd" is not one of …`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

struct str_list;

static inline void json_decref_p(json_t **v)
{
	int saved = errno;

	json_decref(*v);
	errno = saved;
}
#define cleanup_json __attribute__((cleanup(json_decref_p)))

enum {
	JSON_SIZE_MAX = 16 * 1024 * 1024, /* bytes of a file */
	JSON_DEPTH_MAX = 128,
};

/* struct json_at - where a value stands: a chain on the stack, from the value up to the root (up == NULL). */
struct json_at {
	const struct json_at *up;
	const char *key;	/* NULL: an array's element */
	size_t index;
};

#define JSON_ROOT ((struct json_at){ .up = NULL, .key = NULL, .index = 0 })

struct json_field;

/*
 * json_getter - read one value into its place
 * @at: where it stands, for messages
 * @v: the value; never JSON null (an optional field that is null counts as absent)
 * @target: address of the field in the caller's struct
 * @field: its row
 *
 * Return: 0 or a recorded failure whose text begins with the path.
 */
typedef int json_getter(const struct json_at *at, json_t *v, void *target, const struct json_field *field);

enum json_flags {
	JSON_OPTIONAL = 0,
	JSON_REQUIRED = 1 << 0,	/* absent is a failure */
	JSON_NOT_EMPTY = 1 << 1, /* strings, in lists and maps too: "" is refused */
	JSON_ABSOLUTE = 1 << 2,	/* strings: must begin with '/' */
	JSON_CLOSED = 1 << 3,	/* objects: an unknown key is a failure that names the nearest known one */
};

struct json_field {
	const char *name;
	json_getter *get;
	size_t offset;
	unsigned int flags;
	const void *arg;	/* the getter's: a table of names, of fields, a struct json_items, a text, a range */
	const char *help;	/* one line: effect, and the kernel it needs when newer than 5.15 */
};

/* A word and its value; tables end with { NULL, 0 }. */
struct json_name {
	const char *name;
	int64_t value;
};

struct json_range {
	int64_t min, max;
};

/* Elements of an array of objects. The pointer to them stands at the field's offset, a size_t count right behind it. */
struct json_items {
	size_t size;				/* of one element */
	const struct json_field *fields;
	void (*init)(void *item);		/* for values that are not 0 when unset; may be NULL */
	unsigned int flags;			/* JSON_CLOSED */
};

/*
 * json_object_read() - read @v, which must be an object, by a table
 * @fields: ended by a row whose name is NULL
 * @target: the struct that the rows' offsets count from; rows that are absent leave it as it is
 *
 * Return: 0 or a recorded failure.
 */
int json_object_read(const struct json_at *at, json_t *v, const struct json_field *fields,
		     unsigned int flags, void *target);

/* Getters. The type of the target is in brackets. */
json_getter json_get_string;	/* (char *): malloc'ed; the old value is freed */
json_getter json_get_strings;	/* (struct str_list): an array of strings; replaces */
json_getter json_get_bool;	/* (bool) */
json_getter json_get_int;	/* (int64_t): any integer, or @arg: struct json_range; one beyond 2^63-1 saturates to INT64_MAX */
json_getter json_get_u64;	/* (uint64_t): not negative; exact up to 2^64-1, to which larger ones saturate */
json_getter json_get_u32;	/* (uint32_t): 0…4294967295 */
json_getter json_get_enum;	/* (int): @arg: struct json_name table, strings */
json_getter json_get_object;	/* (a struct inline): @arg: its field table */
json_getter json_get_array;	/* (pointer + size_t): @arg: struct json_items; both must be 0 before; on failure count says how many are the owner's to free */
json_getter json_get_map;	/* (struct str_list): an object of strings, kept as "key=value"; a key that is empty or has an '=' is refused */
json_getter json_refuse;	/* @arg: why, or NULL: "not supported yet"; an empty object/array/string, 0 or false is let pass */

/*
 * json_fail() - record a failure about the value at @at: "<path>: <text>"
 *
 * Return: -EINVAL.
 */
int json_fail(const struct json_at *at, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* json_path() - the path as text ("linux.resources.devices[2]"); malloc'ed, "" for the root, NULL without memory. */
char *json_path(const struct json_at *at);

/* json_type_text() - "a string", "an integer", … for messages. */
const char *json_type_text(const json_t *v);

/*
 * json_seed() - seed jansson's hash tables by the random bytes that the kernel gave us; else the first object reads /dev/urandom
 *
 * json_parse() does it too.
 */
void json_seed(void);

/*
 * json_parse() - text to value, strictly
 * @name: of the file, for messages "<name>:<line>:<column>: …"
 *
 * Refused: syntax, duplicate keys, trailing data, NUL in a string, a depth beyond JSON_DEPTH_MAX, a size beyond
 * JSON_SIZE_MAX; an integer below -2^63, and a real that no double holds. An integer beyond 2^63-1 (podman writes
 * 18446744073709551615) becomes a wide one, one beyond 2^64-1 saturates to that: see json_is_wide().
 * Return: 0 with @ret_v the caller's reference, or a recorded failure.
 */
int json_parse(const char *name, const char *text, size_t size, json_t **ret_v);

/* json_read_fd() - the same from an open file, pipe included (read to the end). Does not close it. */
int json_read_fd(const char *name, int fd, json_t **ret_v);

/* json_read_at() - the same from (dir, file), which must be a regular file. @dir may be AT_FDCWD. @name as above, may be NULL for @file. */
int json_read_at(int dir, const char *file, const char *name, json_t **ret_v);

/*
 * json_read_text_at() - the same, and the text
 * @ret_text: as it was written, without the blanks between its words; malloc'ed, NULL where it could not be had. Who keeps a
 *	document need not make it again from the value: for one with a usual seccomp profile that takes 0.15 ms.
 */
int json_read_text_at(int dir, const char *file, const char *name, char **ret_text, json_t **ret_v);

/*
 * json_is_wide() - whether @v is an integer beyond 2^63-1, which jansson's own cannot be
 *
 * It is kept as what no text can spell, a string that begins with NUL, so that copies and merges keep it too. The
 * getters and json_text() take it for the integer that it is; who looks at a value by himself asks json_clamped().
 */
bool json_is_wide(const json_t *v, uint64_t *ret_value);

/* json_from_u64() - an integer, wide where it must be. New reference, NULL without memory. */
json_t *json_from_u64(uint64_t value);

/* json_clamped() - whether @v is any integer, with its value, at most INT64_MAX, in @ret. */
bool json_clamped(const json_t *v, int64_t *ret);

/*
 * json_lay_over() - put the members of one object over those of another
 * @over: members that are objects on both sides merge, by key and one level deep; null leaves what is there; all else replaces.
 *	NULL: nothing
 *
 * Return: 0 or a recorded failure.
 */
int json_lay_over(json_t *object, json_t *over);

/* json_of_map() - the object that json_get_map() has read into @list. Return: new reference, or NULL without memory. */
json_t *json_of_map(const struct str_list *list);

/* json_text() - compact text, keys in the order they were put; malloc'ed, NULL without memory. */
char *json_text(const json_t *v);
