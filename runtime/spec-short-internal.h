/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-short-internal - what the spec-short-*.c files share
 *
 * A short key is one row of a table with one function, which writes what the key means into the OCI
 * document that is being made. The functions are called in the table's order.
 */

#include <stdbool.h>

#include "runtime/base/json.h"

/* A document in the making. */
struct short_form {
	json_t *doc; /* OCI; owned */
	const char *folder; /* what relative paths count from; NULL: they are refused */
	json_t *current; /* the short-form object whose keys are applied now; borrowed */
	json_t *spec, *overrides; /* the whole of what the user says; borrowed, or NULL */

	/* Kept from one short-form object to the next, because they count together. Owned, or NULL. */
	json_t *entrypoint, *args;
	bool args_of_image; /* they are an image's Cmd, which goes with its own entrypoint alone */
	json_t *layers; /* absolute paths, lowest first */
	json_t *image; /* digest of the manifest that the layers are of; NULL: they are folders of the user's */
	enum { LOWER_DEFAULT, LOWER_LAYERS, LOWER_EROFS } lower; /* EROFS: they are to be one file system */
	json_t *upper; /* "auto", "tmpfs", "disk" or an absolute path */
	json_t *rootfs_size; /* bytes */

	bool trial; /* to judge the keys: what an image says of its process is not known, and nothing is fetched */

	const char *network_plain; /* the last 'network' said, when it is none of ours: "none", "host", "a path"; NULL */
};

/*
 * short_apply - write one short key's value into s->doc
 * @at: where @v stands
 *
 * Return: 0 or a recorded failure with the JSON path.
 */
typedef int short_apply(struct short_form *s, const struct json_at *at, json_t *v);

struct short_key {
	const char *name;
	short_apply *apply; /* NULL: not supported yet, refused by name unless it says "none" */
	const char *type, *help;
};

extern const struct short_key short_keys[]; /* ended by a row without a name */

/*
 * short_keys_try() - apply what the user says to a document of its own, without its image
 *
 * Before an image is fetched: a wrong word further down is not worth it. Return: 0 or a recorded failure.
 */
int short_keys_try(const struct short_form *s);

/* spec-short-image.c */
short_apply short_image;
/* spec-short-process.c */
short_apply short_entrypoint, short_args, short_env, short_env_file, short_user, short_cwd,
	short_tty, short_ulimits;
/* spec-short-security.c */
short_apply short_cap_add, short_cap_drop, short_security;
/* spec-short-mounts.c */
short_apply short_layers, short_lower, short_upper, short_rootfs_size, short_read_only, short_tmpfs, short_volumes, short_devices;
/* spec-short-linux.c */
short_apply short_name, short_hostname, short_memory, short_cpus, short_pids, short_sysctl,
	short_labels, short_vm;
short_apply short_stop_signal, short_stop_timeout;
/* spec-short-service.c */
short_apply short_restart, short_health, short_log, short_init;

/* spec-short-network.c */
short_apply short_network, short_ports, short_dns;

/* short_vm_kernel() - an absolute path of vm.kernel.path, which is OCI's and may be relative in a file of ours. */
int short_vm_kernel(struct short_form *s);
/* short_args_join() - process.args from entrypoint and args, when @s->current gave one of them. */
int short_args_join(struct short_form *s);
/* short_env_finish() - TERM and HOME where nobody set them. */
int short_env_finish(struct short_form *s);
/* short_network_finish() - ports and name servers need a network: the default one, where none was said. */
int short_network_finish(struct short_form *s);
/* short_root_finish() - the overlay on "/" from layers and upper. */
int short_root_finish(struct short_form *s);

/*
 * short_base() - the document that the short form starts from: all defaults, nothing to run
 *
 * For whoever is not root there is a user namespace in it, with the ids that they may map.
 * Return: new reference, or NULL with a recorded failure.
 */
json_t *short_base(void);

/*
 * short_merge() - put the sections of one OCI document over another
 * @doc: changed; gets copies
 *
 * Objects merge by key, arrays and the rest replace, null is as absent. By their own rules: mounts (by
 * destination), process.env (by name), linux.namespaces (by type); linux.seccomp and
 * process.capabilities are taken whole. Return: 0 or a recorded failure.
 */
int short_merge(json_t *doc, json_t *over);

/*
 * Writing into a document. All take over the reference of @v, even on failure, and a NULL @v is a
 * lack of memory.
 *
 * short_section() - the object at a path ("linux.resources.cpu"), made when missing
 * short_list() - the array at a path, the same way
 *
 * Return: borrowed, or NULL with a recorded failure.
 */
json_t *short_section(json_t *doc, const char *path);
json_t *short_list(json_t *doc, const char *path);
int short_set(json_t *object, const char *key, json_t *v);
int short_append(json_t *array, json_t *v);
/* short_list_put() - replace the element whose @key is the same, or append. */
int short_list_put(json_t *array, const char *key, json_t *v);
/* short_env_put() - the same for "NAME=value" in process.env. */
int short_env_put(json_t *doc, const char *assignment);
/* short_annotate() - an annotation SHORT_ANNOTATION@key. */
int short_annotate(json_t *doc, const char *key, const char *value);

/* short_strings_check() - @v is an array of strings (none empty, when @filled). Return: 0 or a recorded failure. */
int short_strings_check(const struct json_at *at, json_t *v, bool filled);

/*
 * short_path() - an absolute path of what a user wrote
 * @path: absolute, or relative to the spec's folder and then beginning with "./" or "../"
 *
 * Return: 0 with @ret_path malloc'ed, or a recorded failure.
 */
int short_path(const struct short_form *s, const struct json_at *at, const char *path,
	       char **ret_path);
