/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-internal - what the spec-*.c files share: their tables of fields, and how the tables are walked
 */

#include <stddef.h>

#include "runtime/base/json.h"
#include "runtime/spec.h"

/* The tables, each ended by a row without a name. */
extern const struct json_field spec_root_fields[];
extern const struct json_field spec_process_fields[];
extern const struct json_field spec_mount_fields[];
extern const struct json_field spec_linux_fields[];
extern const struct json_field spec_resources_fields[];

/* What a row's `arg` leads to. */
enum spec_children {
	SPEC_LEAF,
	SPEC_FIELDS, /* arg: a table of fields, of the object itself */
	SPEC_ITEMS, /* arg: begins with a struct json_items, of an array's elements */
	SPEC_VALUES, /* arg: begins with a struct json_items, of the values of an object with free keys */
};

/* What a getter of our own reads, for those who walk the tables. Each list ends with { NULL }. */
struct spec_getter {
	json_getter *get;
	const char *type;
	enum spec_children children;
};

extern const struct spec_getter spec_root_getters[];
extern const struct spec_getter spec_process_getters[];
extern const struct spec_getter spec_mount_getters[];
extern const struct spec_getter spec_linux_getters[];
extern const struct spec_getter spec_resources_getters[];

/* Names and values of what else `features` lists. */
extern const struct json_name spec_namespace_names[];
extern const char *const spec_capability_names[]; /* by number, ended by NULL */
extern const struct json_name spec_rlimit_names[];

/* Words of scheduling and of memory policy, which `features` lists too. */
extern const struct json_name spec_memory_modes[];
extern const struct json_name spec_memory_flags[];

/* Tables that hang below those above, in files of their own. */
extern const struct json_field spec_scheduler_fields[];
extern const struct json_field spec_io_priority_fields[];
extern const struct json_field spec_affinity_fields[]; /* of struct spec_process itself */
extern const struct json_items spec_net_device_items;
extern const struct json_field spec_personality_fields[]; /* of struct spec_linux itself */
extern const struct json_field spec_memory_policy_fields[];
extern const struct json_field spec_intel_rdt_fields[];
extern const struct json_field spec_vm_fields[];
json_getter spec_get_scheduler; /* (struct spec_scheduler) */
json_getter spec_get_io_priority; /* (struct spec_io_priority) */
json_getter spec_get_net_devices; /* (struct spec_linux) */
json_getter spec_get_memory_policy; /* (struct spec_memory_policy) */
json_getter spec_get_intel_rdt; /* (struct spec_intel_rdt) */
json_getter spec_get_vm; /* (struct spec_vm) */
json_getter spec_get_mask; /* (struct spec_mask): "0-3,7" */
json_getter spec_get_text; /* (char *): a string; an empty one counts as absent */
/* spec_get_words - (int64_t): an array of words, whose values are put together by "or". @arg: struct json_name */
json_getter spec_get_words;
extern const struct spec_getter spec_scheduling_getters[];
extern const struct spec_getter spec_machine_getters[];
extern const struct spec_getter spec_vm_getters[];

/* spec_mount_option() - name of the n-th mount option that we know, or NULL. */
const char *spec_mount_option(size_t n);

/*
 * spec_array_add() - one more element of @size bytes, all zero, at the end of a list
 * @items: address of the pointer to the first element
 *
 * Return: the new element, or NULL with a recorded failure.
 */
void *spec_array_add(void *items, size_t *count, size_t size);

/* Getters that several tables use. */
json_getter
	spec_get_id; /* (uint32_t): a user or group id; 4294967295, which is -1 to the kernel, is refused */
json_getter spec_get_paths; /* (struct str_list): absolute paths */
json_getter
	spec_get_id_maps; /* (a list of struct spec_id_map, its count two words behind) */
extern const struct json_items spec_id_map_items;

/* spec_path_is_root() - whether a path is "/" by another name ("/.", "//", "/a/.."). */
bool spec_path_is_root(const char *path);

/* Initial values, and release, of the parts. */
void spec_process_init(struct spec_process *process);
void spec_mount_done(struct spec_mount *mount);
void spec_linux_init(struct spec_linux *l);
void spec_linux_done(struct spec_linux *l);

/* spec_mounts_finish() - read every mount's options, which need its type. Return: 0 or a recorded failure. */
int spec_mounts_finish(struct spec *spec);

/* spec_annotations_expand() - into the fields of the document that say the same. Return: 0 or a recorded failure. */
int spec_annotations_expand(json_t *v);
/* spec_annotations_check() - those that change what we do. Return: 0 or a recorded failure. */
int spec_annotations_check(const struct spec *spec);

/* spec_check() - judge the document as a whole, when all of it was read. Return: 0 or a recorded failure. */
int spec_check(const struct spec *spec);
