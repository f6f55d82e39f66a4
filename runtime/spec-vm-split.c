/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner document is the user's with what is the host's taken out, and each path of the host replaced
 * by its share's in the guest. The outer one is ours: the short form's container around the monitor,
 * with what was taken out of the inner one.
 */
#include "runtime/spec-vm-split.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/base/json.h"
#include "runtime/bundle.h"
#include "runtime/in-vm.h"
#include "runtime/network-wish.h"
#include "runtime/spec-short-internal.h"
#include "runtime/spec-short.h"
#include "runtime/spec-vm-disks.h"
#include "runtime/spec.h"
#include "runtime/upper.h"

#define MONITOR_INSIDE "/nacelle-vmm"

/* The file server holds one descriptor for each file that the guest has looked at. */
enum { MONITOR_FILES = 524288 };

/* --- the guest's part ----------------------------------------------------------------------------- */

struct splitting {
	const struct spec *spec;
	const char *folder, *shares;
	const struct vm_cell_parts *parts;
	struct vm_split *split;
	json_t *inner;
};

/* One more share of @source. @ret_v: its path in the guest. */
static int share_add(struct splitting *s, const char *prefix, const char *source, bool read_only, char **ret_path)
{
	struct vm_split *split = s->split;
	struct vm_split_share *share = &split->shares[split->share_count];
	int r;

	if (split->share_count == VM_SPLIT_SHARES)
		return fail_plain(E2BIG, "at most %d folders and files of the host can be shown to a guest", VM_SPLIT_SHARES);
	(void)snprintf(share->name, sizeof(share->name), "%s%zu", prefix, split->share_count);
	share->read_only = read_only;
	r = bundle_path(s->folder, source, &share->source);
	if (r < 0)
		return r;
	split->share_count++;
	return str_format(ret_path, "%s/%s", s->shares, share->name);
}

static int root_share(struct splitting *s)
{
	cleanup_free char *inside = NULL;
	int r;

	if (!s->spec->root_path)
		return 0;
	r = share_add(s, "root", s->spec->root_path, s->spec->root_readonly, &inside);
	return r < 0 ? r : short_set(json_object_get(s->inner, "root"), "path", json_string(inside));
}

static int layer_share(struct splitting *s, json_t *options, const char *path, size_t size)
{
	cleanup_free char *source = NULL, *whole = NULL, *inside = NULL, *option = NULL;
	int r = str_format(&source, "%.*s", (int)size, path);
	const char *disk = NULL;

	if (r == 0)
		r = bundle_path(s->folder, source, &whole);
	if (r == 0)
		r = vm_disks_layer(s->split, whole, s->parts->pmem, &disk);
	if (r < 0)
		return r;
	r = disk ? str_format(&inside, IN_VM_DISKS "/%s", disk) : share_add(s, "layer", whole, true, &inside);
	if (r == 0)
		r = str_format(&option, "lowerdir+=%s", inside);
	return r < 0 ? r : short_append(options, json_string(option));
}

/* "lowerdir+=PATH", or "lowerdir=A:B" top-most first. */
static int lower_share(struct splitting *s, json_t *options, const char *option)
{
	const char *path = str_starts(option, "lowerdir+=");

	if (path)
		return layer_share(s, options, path, strlen(path));
	/* A guest has no disk of its own. */
	if (str_eq(option, UPPER_AUTO))
		option = "upper=tmpfs";
	path = str_starts(option, "lowerdir=");
	if (!path)
		return short_append(options, json_string(option));
	if (strchr(path, '\\'))
		return fail_plain(ENOTSUP, "mounts: an escaped character in 'lowerdir' is not supported with 'vm'");
	for (;;) {
		size_t n = strcspn(path, ":");
		int r = layer_share(s, options, path, n);

		if (r < 0 || !path[n])
			return r;
		path += n + 1;
	}
}

static int layers_share(struct splitting *s, const struct spec_mount *m, json_t *v)
{
	json_t *options = json_array();
	int r = short_set(v, "options", options);

	for (size_t i = 0; r == 0 && i < m->options.count; i++)
		r = lower_share(s, options, m->options.items[i]);
	return r;
}

static int bind_share(struct splitting *s, const struct spec_mount *m, json_t *v)
{
	bool read_only = str_list_has(&m->options, "ro") || str_list_has(&m->options, "rro");
	cleanup_free char *inside = NULL;
	int r;

	if (!m->source)
		return 0;
	r = share_add(s, "volume", m->source, read_only, &inside);
	return r < 0 ? r : short_set(v, "source", json_string(inside));
}

static int mounts_share(struct splitting *s)
{
	json_t *mounts = json_object_get(s->inner, "mounts");
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->spec->mount_count; i++) {
		const struct spec_mount *m = &s->spec->mounts[i];
		json_t *v = json_array_get(mounts, i);

		r = vm_disks_mount(s->split, m, s->folder, v);
		if (r != 0)
			r = r < 0 ? r : 0;
		else if (m->bind)
			r = bind_share(s, m, v);
		else if (m->type && str_eq(m->type, "overlay"))
			r = layers_share(s, m, v);
	}
	return r;
}

/* Hooks that run on the host, or with @inside the one that does not. */
static int hooks_keep(json_t *doc, bool inside)
{
	json_t *hooks = json_object_get(doc, "hooks"), *one = json_object_get(hooks, "startContainer");
	cleanup_json json_t *kept = json_object();

	if (!kept)
		return fail(ENOMEM, "make a spec");
	if (!hooks)
		return 0;
	if (!inside)
	{
		(void)json_object_del(hooks, "startContainer");
		return 0;
	}
	if (one && json_object_set(kept, "startContainer", one) < 0)
		return fail(ENOMEM, "make a spec");
	return json_object_set(doc, "hooks", kept) < 0 ? fail(ENOMEM, "make a spec") : 0;
}

/* The guest's is its own; what is in the one of the host's is told to it as networks are. */
static int netns_split(struct splitting *s)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(s->inner, "linux"), "namespaces"), i, v)
		(void)json_object_del(v, "path");
	return str_list_add(&s->split->modules, "virtio_net");
}

/* What a network asks for is done by the host; the guest is told what came of it (runtime/machine-network.c). */
static int networks_split(struct splitting *s)
{
	static const char *const hosts[] = { NETWORK_ANNOTATION, PORTS_ANNOTATION, DNS_ANNOTATION };
	json_t *annotations = json_object_get(s->inner, "annotations");

	if (s->spec->linux_.namespaces[NS_NETWORK].path)
		return netns_split(s);
	if (!network_wish_is_any(s->spec))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		cleanup_free char *key = NULL;
		int r = str_format(&key, SHORT_ANNOTATION "%s", hosts[i]);

		if (r < 0)
			return r;
		(void)json_object_del(annotations, key);
	}
	return str_list_add(&s->split->modules, "virtio_net");
}

static int inner_make(struct splitting *s)
{
	json_t *linux_ = json_object_get(s->inner, "linux"), *resources = json_object_get(linux_, "resources");
	json_t *annotations = json_object_get(s->inner, "annotations");
	int r;

	(void)json_object_del(s->inner, "vm");
	(void)json_object_del(annotations, "run.oci.handler");
	(void)json_object_del(annotations, SHORT_ANNOTATION "vm");
	(void)json_object_del(linux_, "cgroupsPath");
	(void)json_object_del(resources, "cpu");
	(void)json_object_del(resources, "blockIO");
	(void)json_object_del(json_object_get(s->inner, "process"), "oomScoreAdj");
	/* of a policy of the host's: it is the monitor that it confines */
	(void)json_object_del(json_object_get(s->inner, "process"), "apparmorProfile");
	r = hooks_keep(s->inner, true);
	if (r == 0)
		r = root_share(s);
	if (r == 0)
		r = mounts_share(s);
	if (r == 0)
		r = vm_disks_devices(s->split, s->spec, s->inner);
	if (r == 0)
		r = networks_split(s);
	if (r < 0)
		return r;
	s->split->inner = json_text(s->inner);
	return s->split->inner ? 0 : fail(ENOMEM, "make a spec");
}

/* --- the cell's part ------------------------------------------------------------------------------ */

static json_t *all_ids(void)
{
	return json_pack("[{s:i, s:i, s:I}]", "containerID", 0, "hostID", 0, "size", (json_int_t)UINT32_MAX);
}

/*
 * All ids, in a user namespace of its own: what the server may do to the shares' files it may do to nothing
 * else. With no file system but an empty one.
 */
static json_t *cell_document(const struct vm_cell_parts *parts)
{
	return json_pack("{s:{s:s, s:b}, s:[s], s:[s], s:[s,s,s,s,s,s,s]}", "root", "path", parts->root, "readonly", 1,
			 "args", MONITOR_INSIDE, "cap_drop", "ALL", "cap_add", "CHOWN", "DAC_OVERRIDE", "FOWNER",
			 "FSETID", "SETUID", "SETGID", "SETFCAP");
}

static json_t *cell_mounts(const struct vm_cell_parts *parts)
{
	return json_pack("[{s:s, s:s, s:s, s:[s,s,s]}, {s:s, s:s, s:s, s:[s,s,s,s]}, {s:s, s:s, s:s, s:[s,s,s,s]}]",
			 "destination", "/proc", "type", "proc", "source", "proc", "options", "nosuid", "noexec", "nodev",
			 "destination", "/dev", "type", "tmpfs", "source", "tmpfs", "options", "nosuid", "noexec", "mode=755",
			 "size=64k",
			 "destination", MONITOR_INSIDE, "type", "bind", "source", parts->monitor, "options", "bind", "ro",
			 "nosuid", "nodev");
}

/* What another hypervisor's program needs to run. */
static int cell_shown(json_t *outer, const struct vm_cell_parts *parts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && parts->shown && i < parts->shown->count; i++)
		r = short_append(json_object_get(outer, "mounts"),
				 json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination", parts->shown->items[i], "type", "bind",
					   "source", parts->shown->items[i], "options", "bind", "ro", "nosuid", "nodev"));
	return r;
}

/* The attendant's terminal comes from the cell, as any container's does from the container. */
static int cell_terminals(json_t *outer)
{
	return short_append(json_object_get(outer, "mounts"),
			    json_pack("{s:s, s:s, s:s, s:[s,s,s,s,s]}", "destination", "/dev/pts", "type", "devpts", "source",
				      "devpts", "options", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"));
}

/* Of @from's members those named are put into @to as they are. */
static int members_copy(json_t *to, const json_t *from, const char *const *names)
{
	for (; *names; names++) {
		json_t *v = json_object_get(from, *names);
		int r = v ? short_set(to, *names, json_incref(v)) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Those that act on a container's inside are the guest's. */
static int annotations_copy(json_t *outer, json_t *doc)
{
	json_t *to = short_section(outer, "annotations"), *v;
	const char *key;

	if (!to)
		return -ENOMEM;
	json_object_foreach(json_object_get(doc, "annotations"), key, v) {
		int r = str_starts(key, "run.oci.") || str_eq(key, SHORT_ANNOTATION "user") ||
				str_eq(key, SHORT_ANNOTATION "init") || str_eq(key, SHORT_ANNOTATION "vm") ?
			0 : short_set(to, key, json_incref(v));

		if (r < 0)
			return r;
	}
	return 0;
}

static int outer_resources(json_t *outer, json_t *doc, long long memory)
{
	static const char *const names[] = { "cpu", "blockIO", NULL };
	json_t *resources = short_section(outer, "linux.resources");
	int r = resources ? members_copy(resources, json_object_get(json_object_get(doc, "linux"), "resources"), names) :
			    -ENOMEM;

	if (r < 0 || !memory)
		return r;
	return short_set(resources, "memory", json_pack("{s:I}", "limit", (json_int_t)memory));
}

static int outer_linux(json_t *outer, json_t *doc)
{
	static const char *const names[] = { "cgroupsPath", NULL };
	json_t *linux_ = short_section(outer, "linux");
	int r = linux_ ? members_copy(linux_, json_object_get(doc, "linux"), names) : -ENOMEM;

	if (r == 0)
		r = short_set(linux_, "uidMappings", all_ids());
	if (r == 0)
		r = short_set(linux_, "gidMappings", all_ids());
	return r < 0 ? r : short_append(json_object_get(linux_, "namespaces"), json_pack("{s:s}", "type", "user"));
}

/* Whether the bound may be raised only the kernel knows; where it may not, fewer have to do. */
static json_int_t monitor_files(void)
{
	struct rlimit now, raised;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_max >= MONITOR_FILES)
		return MONITOR_FILES;
	raised = (struct rlimit){ .rlim_cur = now.rlim_cur, .rlim_max = MONITOR_FILES };
	if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
		return (json_int_t)now.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &now);
	return MONITOR_FILES;
}

static int outer_process(json_t *outer, json_t *doc)
{
	static const char *const names[] = { "oomScoreAdj", "terminal", "consoleSize", "apparmorProfile", NULL };
	json_t *process = short_section(outer, "process");
	json_int_t files = monitor_files();
	int r = process ? members_copy(process, json_object_get(doc, "process"), names) : -ENOMEM;

	return r < 0 ? r : short_set(process, "rlimits", json_pack("[{s:s, s:I, s:I}]", "type", "RLIMIT_NOFILE", "soft", files,
								    "hard", files));
}

static int outer_make(struct vm_split *split, json_t *doc, const struct vm_cell_parts *parts)
{
	static const char *const names[] = { "hooks", NULL };
	cleanup_json json_t *v = cell_document(parts), *outer = NULL;
	int r = v ? 0 : fail(ENOMEM, "make a spec");

	if (r == 0 && parts->kvm)
		r = short_set(v, "devices", json_pack("[s]", "/dev/kvm"));
	if (r == 0)
		r = spec_expand(v, NULL, NULL, "/", &outer);
	if (r == 0)
		r = short_set(outer, "mounts", cell_mounts(parts));
	if (r == 0)
		r = cell_shown(outer, parts);
	if (r == 0 && json_is_true(json_object_get(json_object_get(doc, "process"), "terminal")))
		r = cell_terminals(outer);
	if (r == 0)
		r = outer_linux(outer, doc);
	if (r == 0)
		r = outer_resources(outer, doc, parts->memory);
	if (r == 0)
		r = outer_process(outer, doc);
	if (r == 0)
		r = annotations_copy(outer, doc);
	if (r == 0)
		r = members_copy(outer, doc, names);
	if (r == 0)
		r = hooks_keep(outer, false);
	return r < 0 ? r : spec_read(outer, &split->outer);
}

int vm_split(const struct spec *spec, const char *folder, const char *shares, const struct vm_cell_parts *parts,
	     struct vm_split *ret)
{
	struct vm_split split = { .outer = NULL };
	cleanup_json json_t *inner = json_deep_copy(spec->json), *doc = json_deep_copy(spec->json);
	struct splitting s = {
		.spec = spec, .folder = folder, .shares = shares, .parts = parts, .split = &split, .inner = inner,
	};
	int r = inner && doc ? inner_make(&s) : fail(ENOMEM, "make a spec");

	if (r == 0) {
		r = outer_make(&split, doc, parts);
		if (r < 0)
			r = fail_in(r, "the cell of the virtual machine");
	}
	if (r < 0) {
		vm_split_done(&split);
		return r;
	}
	*ret = split;
	return 0;
}

void vm_split_done(struct vm_split *split)
{
	(void)spec_free(split->outer);
	free(split->inner);
	for (size_t i = 0; i < split->share_count; i++)
		free(split->shares[i].source);
	for (size_t i = 0; i < split->disk_count; i++)
		free(split->disks[i].source);
	str_list_done(&split->modules);
	*split = (struct vm_split){ .outer = NULL };
}
