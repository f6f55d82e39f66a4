/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a user wrote to an OCI document. A short or mixed document starts from the defaults; then,
 * each over the one before: the user configuration's defaults, the document's short keys, its OCI
 * sections, the command line's flags. A pure OCI document is taken literally, under the flags alone.
 */
#include "runtime/spec-short.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-short-internal.h"
#include "runtime/spec.h"

/* In the order in which they are applied. */
const struct short_key short_keys[] = {
	{ "image", short_image, "string", "image to run, from the store or a registry" },
	{ "layers", short_layers, "array of paths",
	  "directories stacked to be the root, lowest first" },
	{ "lower", short_lower, "string",
	  "how the image's layers are mounted: \"layers\", or \"erofs\": as one file system made of them (the default with 'vm')" },
	{ "upper", short_upper, "string",
	  "where changes to the layers go: \"tmpfs\" or \"disk\", until it is deleted, \"auto\" (the default) or a directory" },
	{ "read_only", short_read_only, "boolean", "the payload cannot write to its root" },
	{ "rootfs_size", short_rootfs_size, "size", "limit of what may be written to the layers, as in 512M" },
	{ "entrypoint", short_entrypoint, "array of strings", "what stands before args" },
	{ "args", short_args, "array of strings", "the program and its arguments" },
	{ "env_file", short_env_file, "path or array of paths", "files of NAME=value lines" },
	{ "env", short_env, "object or array",
	  "environment: {\"NAME\": \"value\"}, or \"NAME=value\" and \"NAME\" (ours)" },
	{ "user", short_user, "string", "UID[:GID]" },
	{ "cwd", short_cwd, "string", "working directory" },
	{ "tty", short_tty, "boolean", "a terminal of its own" },
	{ "init", short_init, "boolean", "a small init that reaps and hands on signals" },
	{ "name", short_name, "string",
	  "name of the container, and its host name unless that is given" },
	{ "hostname", short_hostname, "string", "host name" },
	{ "memory", short_memory, "size", "bytes, or as in 64M; beyond it processes are killed" },
	{ "cpus", short_cpus, "number", "how many CPUs' time, as in 0.5" },
	{ "pids", short_pids, "integer", "how many processes and threads; -1: no limit" },
	{ "tmpfs", short_tmpfs, "array of strings", "PATH[:OPTIONS], as in /run:size=16m" },
	{ "volumes", short_volumes, "array of strings",
	  "[SOURCE:]PATH[:OPTIONS]: a folder, or a volume's name; ro, rw, nosuid, nodev, noexec, nocopy, a propagation…" },
	{ "devices", short_devices, "array of strings", "/dev/X[:/dev/Y[:rwm]]" },
	{ "network", short_network, "string, object or array",
	  "\"none\" (the default), \"host\", the path of a network namespace, \"container:ID\", or networks to join" },
	{ "ports", short_ports, "array of strings", "published ports: [ADDRESS:]PORT:PORT[/udp], or ranges" },
	{ "dns", short_dns, "array of strings", "name servers, instead of the host's" },
	{ "cap_drop", short_cap_drop, "array of strings", "capabilities taken away, or ALL" },
	{ "cap_add", short_cap_add, "array of strings", "capabilities added, or ALL" },
	{ "security", short_security, "array of strings",
	  "seccomp=unconfined, seccomp=FILE, no-new-privileges=false, mask=PATHS, unmask=PATHS" },
	{ "ulimits", short_ulimits, "object",
	  "{\"nofile\": \"1024:2048\"}: resource limits, soft:hard" },
	{ "sysctl", short_sysctl, "object of strings",
	  "kernel settings of the container's own namespaces" },
	{ "labels", short_labels, "object or array",
	  "notes: {\"KEY\": \"value\"} or \"KEY=value\"" },
	{ "stop_signal", short_stop_signal, "string", "signal that stop sends first" },
	{ "stop_timeout", short_stop_timeout, "seconds", "how long stop waits before it kills" },
	{ "restart", short_restart, "string",
	  "\"no\", \"on-failure\", \"on-failure:N\", \"always\", \"unless-stopped\": when it is started again" },
	{ "health", short_health, "object",
	  "how to tell that it works: cmd, interval, timeout, retries, start_period" },
	{ "log", short_log, "object", "max_size and max_file of what it says; driver \"journald\" or \"none\"" },
	{ "vm", short_vm, "boolean", "run in a virtual machine of its own" },
	{ NULL, NULL, NULL, NULL },
};

static const struct short_key *key_find(const char *name)
{
	for (const struct short_key *k = short_keys; k->name; k++) {
		if (str_eq(k->name, name))
			return k;
	}
	return NULL;
}

static bool key_is_oci(const char *name)
{
	for (const struct json_field *f = spec_fields(); f->name; f++) {
		if (str_eq(f->name, name))
			return true;
	}
	return false;
}

/* `hostname` means the same in both forms; `vm` is OCI's when it is an object. */
static bool member_is_short(const char *name, const json_t *v)
{
	return key_find(name) && (!key_is_oci(name) || (str_eq(name, "vm") && !json_is_object(v)));
}

bool spec_is_short(json_t *v)
{
	const char *key;
	json_t *member;

	json_object_foreach(v, key, member) {
		if (member_is_short(key, member))
			return true;
	}
	return false;
}

static int fail_unknown(const char *key, bool oci_too)
{
	const char *known[64], *near;
	char quoted[STR_QUOTE_SIZE];
	size_t n = 0;

	for (const struct short_key *k = short_keys; k->name && n < ARRAY_SIZE(known) - 1; k++)
		known[n++] = k->name;
	for (const struct json_field *f = spec_fields();
	     oci_too && f->name && n < ARRAY_SIZE(known) - 1; f++)
		known[n++] = f->name;
	known[n] = NULL;
	near = str_nearest(key, known);
	(void)str_quote(quoted, key);
	if (near)
		return fail_plain(EINVAL, "%s is not a known key: did you mean '%s'?", quoted,
				  near);
	return fail_plain(EINVAL, "%s is not a known key", quoted);
}

/* @oci_too: OCI's sections may stand beside the short keys. */
static int keys_check(json_t *v, bool oci_too)
{
	const char *key;
	json_t *member;

	if (!json_is_object(v))
		return fail_plain(EINVAL, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, key, member) {
		if (!key_find(key) && !(oci_too && key_is_oci(key)))
			return fail_unknown(key, oci_too);
	}
	return 0;
}

static int object_apply(struct short_form *s, json_t *v)
{
	static const struct json_field refused = { .name = NULL };

	s->current = v;
	for (const struct short_key *k = short_keys; k->name; k++) {
		json_t *member = json_object_get(v, k->name);
		const struct json_at at = { .up = &JSON_ROOT, .key = k->name };
		int r;

		if (!member || json_is_null(member) ||
		    (json_is_object(member) && str_eq(k->name, "vm")))
			continue;
		r = k->apply ? k->apply(s, &at, member) : json_refuse(&at, member, NULL, &refused);
		if (r < 0)
			return r;
	}
	return short_args_join(s);
}

/* Layers of the user configuration give way; in one document the two are a contradiction. */
static int root_path_wins(struct short_form *s, json_t *v)
{
	if (json_object_get(v, "upper"))
		return fail_plain(EINVAL,
				  "upper: is what changes to 'layers' go to, not to root.path");
	if (json_object_get(v, "layers"))
		return fail_plain(EINVAL,
				  "root.path: 'layers' make the root already: give one of the two");
	json_decref(s->layers);
	json_decref(s->upper);
	json_decref(s->rootfs_size);
	s->layers = s->upper = s->rootfs_size = NULL;
	return 0;
}

/*
 * A user of the short form that is still to be looked up would win when it is; the numbers that stand in for it until then
 * are none to merge with.
 */
static int user_give_way(struct short_form *s, json_t *sections)
{
	json_t *annotations = json_object_get(s->doc, "annotations");

	if (!json_is_object(json_object_get(json_object_get(sections, "process"), "user")) ||
	    !json_object_get(annotations, SHORT_ANNOTATION "user"))
		return 0;
	(void)json_object_del(annotations, SHORT_ANNOTATION "user");
	return short_set(short_section(s->doc, "process"), "user", json_pack("{s:i, s:i}", "uid", 0, "gid", 0));
}

/* The OCI sections of a mixed document, over what its short keys made. */
static int sections_apply(struct short_form *s, json_t *v)
{
	cleanup_json json_t *sections = json_copy(v);
	const char *key;
	json_t *member;
	void *next;
	int r;

	if (!sections)
		return fail(ENOMEM, "make a spec");
	json_object_foreach_safe(sections, next, key, member) {
		if (key_find(key) && !(str_eq(key, "vm") && json_is_object(member)))
			(void)json_object_del(sections, key);
	}
	r = user_give_way(s, sections);
	if (r == 0)
		r = short_merge(s->doc, sections);
	if (r == 0)
		r = short_vm_kernel(s);
	if (r < 0)
		return r;
	member = json_object_get(json_object_get(v, "process"), "args");
	if (member && !json_is_null(member)) {
		/* A flag's args then replace these, and have no entrypoint before them. */
		json_decref(s->entrypoint);
		s->entrypoint = NULL;
	}
	return json_object_get(json_object_get(v, "root"), "path") ? root_path_wins(s, v) : 0;
}

/* Whether a document says what its root is. */
static bool root_is_given(json_t *v)
{
	size_t i;
	json_t *mount;

	json_array_foreach(json_object_get(v, "mounts"), i, mount) {
		const char *destination = json_string_value(json_object_get(mount, "destination"));

		if (destination && str_eq(destination, "/"))
			return true;
	}
	return json_is_string(json_object_get(json_object_get(v, "root"), "path")) ||
	       json_string_length(json_object_get(v, "image")) > 0 || json_array_size(json_object_get(v, "layers")) > 0;
}

static void short_form_done(struct short_form *s)
{
	json_decref(s->entrypoint);
	json_decref(s->args);
	json_decref(s->layers);
	json_decref(s->upper);
	json_decref(s->image);
	json_decref(s->rootfs_size);
}

int short_keys_try(const struct short_form *s)
{
	struct short_form trial = { .folder = s->folder, .trial = true };
	int r;

	if (!s->spec)
		return 0;
	trial.doc = short_base();
	if (!trial.doc)
		return -ENOMEM;
	r = object_apply(&trial, s->spec);
	if (r == 0)
		r = sections_apply(&trial, s->spec);
	if (r == 0 && s->overrides)
		r = object_apply(&trial, s->overrides);
	short_form_done(&trial);
	json_decref(trial.doc);
	return r;
}

static int short_expand(struct short_form *s, json_t *v, json_t *overrides, json_t *defaults)
{
	int r;

	r = keys_check(v, true);
	if (r < 0)
		return r;
	s->doc = short_base();
	if (!s->doc)
		return -ENOMEM;
	s->spec = v;
	s->overrides = overrides;
	if (defaults) {
		cleanup_json json_t *rest = json_copy(defaults);

		r = rest ? keys_check(rest, false) : fail(ENOMEM, "make a spec");
		if (r == 0 && (root_is_given(v) || (overrides && root_is_given(overrides)))) {
			/* Neither its layers nor what its config says; nothing is fetched for it. */
			(void)json_object_del(rest, "image");
			(void)json_object_del(rest, "layers");
		}
		if (r == 0)
			r = object_apply(s, rest);
		if (r < 0)
			return fail_in(r, "the configuration's 'defaults'");
	}
	r = object_apply(s, v);
	if (r == 0)
		r = sections_apply(s, v);
	if (r == 0 && overrides)
		r = object_apply(s, overrides);
	if (r == 0)
		r = short_root_finish(s);
	if (r == 0)
		r = short_network_finish(s);
	if (r == 0)
		r = short_env_finish(s);
	if (r < 0)
		return r;
	if (!json_object_get(json_object_get(s->doc, "process"), "args"))
		return fail_plain(EINVAL,
				  "args: is required: the program to run, and its arguments");
	return 0;
}

static int literal_expand(struct short_form *s, json_t *v, json_t *overrides)
{
	int r;

	s->doc = json_deep_copy(v);
	if (!s->doc)
		return fail(ENOMEM, "make a spec");
	r = object_apply(s, overrides);
	if (r == 0)
		r = short_network_finish(s);
	return r < 0 || !s->layers ? r : short_root_finish(s);
}

int spec_expand(json_t *v, json_t *overrides, json_t *defaults, const char *folder, json_t **ret_v)
{
	struct short_form s = { .folder = folder };
	int r;

	if (!json_is_object(v))
		return fail_plain(EINVAL, "must be an object, not %s", json_type_text(v));
	if (json_object_size(v) == 0)
		return fail_plain(
			EINVAL,
			"is empty: say at least what to run ('args') and in which root ('layers', "
			"or OCI's 'root')");
	if (overrides && json_object_size(overrides) > 0) {
		r = keys_check(overrides, false);
		if (r < 0)
			return r;
	} else {
		overrides = NULL;
	}
	if (spec_is_short(v)) {
		r = short_expand(&s, v, overrides, defaults);
	} else if (overrides) {
		r = literal_expand(&s, v, overrides);
	} else {
		s.doc = json_incref(v);
		r = 0;
	}
	short_form_done(&s);
	if (r < 0) {
		json_decref(s.doc);
		return r;
	}
	*ret_v = s.doc;
	return 0;
}
