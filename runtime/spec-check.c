/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can only be judged with the whole document read: which field needs which namespace, which root
 * there is, whether ids are mapped. Each check is one function in the list at the end. Nothing is looked
 * up on the host, but for one thing: whether a namespace to be joined is the one we are in already.
 */
#include "runtime/spec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/spec-internal.h"
#include "runtime/spec-short.h"

bool spec_path_is_root(const char *path)
{
	size_t depth = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			depth -= depth > 0;
		else if (n > 0 && !(n == 1 && path[0] == '.'))
			depth++;
		path += n;
		path += *path == '/';
	}
	return depth == 0;
}

/* A dotted number of semver: no sign, no leading zero. Return: what follows it, or NULL. */
static const char *number_skip(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n == 0 || n > 9 || (n > 1 && *text == '0') ? NULL : text + n;
}

static int check_version(const struct spec *spec)
{
	const char *version = spec->oci_version, *rest = version;
	char quoted[STR_QUOTE_SIZE];

	for (int i = 0; i < 3 && rest; i++) {
		rest = number_skip(rest);
		if (rest && i < 2)
			rest = *rest == '.' ? rest + 1 : NULL;
	}
	if (!rest || (*rest && *rest != '-' && *rest != '+'))
		return fail_plain(EINVAL, "ociVersion: %s is not a version, as 1.2.0 is",
				  str_quote(quoted, version));
	if (!str_starts(version, "1."))
		return fail_plain(EINVAL, "ociVersion: %s is not supported; 1.x.y is",
				  str_quote(quoted, version));
	return 0;
}

static int check_root(const struct spec *spec)
{
	bool overlay = false;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (!spec_path_is_root(m->destination))
			continue;
		if (m->bind || !m->type || !str_eq(m->type, "overlay"))
			return fail_plain(
				EINVAL,
				"mounts[%zu].destination: only a mount of type overlay may be the "
				"root",
				i);
		if (i > 0)
			return fail_plain(EINVAL, "mounts[%zu]: the root must be the first mount",
					  i);
		overlay = true;
	}
	if (overlay && spec->linux_.mount_label)
		return fail_plain(EINVAL, "linux.mountLabel: is not supported with an overlay as the root: give root.path");
	if (overlay && spec->root_path)
		return fail_plain(
			EINVAL,
			"root.path: the overlay of mounts[0] is the root already: give one of the "
			"two");
	if (!overlay && !spec->root_path)
		return fail_plain(
			EINVAL,
			"root.path: is required; or give an overlay on '/' as the first mount");
	return 0;
}

static const struct spec_namespace *namespace_of(const struct spec *spec, enum spec_ns ns)
{
	return &spec->linux_.namespaces[ns];
}

static int check_namespaces(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	const struct spec_namespace *time = namespace_of(spec, NS_TIME);

	if (!namespace_of(spec, NS_MOUNT)->wanted)
		return fail_plain(
			EINVAL,
			"linux.namespaces: must list a mount namespace: without one the host's "
			"own mounts would change");
	if ((l->boottime.set || l->monotonic.set) && !time->wanted)
		return fail_plain(EINVAL,
				  "linux.timeOffsets: need a time namespace in linux.namespaces");
	if ((l->boottime.set || l->monotonic.set) && time->path)
		return fail_plain(
			EINVAL,
			"linux.timeOffsets: the clocks of a namespace that is joined cannot be "
			"changed");
	return 0;
}

static int check_id_maps(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	const struct spec_namespace *user = namespace_of(spec, NS_USER);

	if (!user->wanted && (l->uid_mapping_count || l->gid_mapping_count))
		return fail_plain(EINVAL, "linux.%s: needs a user namespace in linux.namespaces",
				  l->uid_mapping_count ? "uidMappings" : "gidMappings");
	if (user->wanted && !user->path && !(l->uid_mapping_count && l->gid_mapping_count))
		return fail_plain(EINVAL, "linux.%s: is required for a new user namespace",
				  l->uid_mapping_count ? "gidMappings" : "uidMappings");
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (m->idmap && !m->uid_mapping_count && !user->wanted)
			return fail_plain(
				EINVAL,
				"mounts[%zu]: 'idmap' needs uidMappings and gidMappings, or a "
				"user namespace",
				i);
	}
	return 0;
}

static bool id_is_mapped(const struct spec_id_map *maps, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
			return true;
	}
	return false;
}

static int check_user(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	const struct spec_user *user = &spec->process.user;
	const struct spec_namespace *ns = namespace_of(spec, NS_USER);

	if (!spec->process_set || !ns->wanted || ns->path)
		return 0;
	if (!id_is_mapped(l->uid_mappings, l->uid_mapping_count, user->uid))
		return fail_plain(EINVAL,
				  "process.user.uid: %" PRIu32 " is not in linux.uidMappings",
				  user->uid);
	if (!id_is_mapped(l->gid_mappings, l->gid_mapping_count, user->gid))
		return fail_plain(EINVAL,
				  "process.user.gid: %" PRIu32 " is not in linux.gidMappings",
				  user->gid);
	for (size_t i = 0; i < user->additional_gid_count; i++) {
		if (!id_is_mapped(l->gid_mappings, l->gid_mapping_count, user->additional_gids[i]))
			return fail_plain(EINVAL,
					  "process.user.additionalGids[%zu]: %" PRIu32
					  " is not in linux.gidMappings",
					  i, user->additional_gids[i]);
	}
	return 0;
}

/* Whether the container has this namespace apart from ours: a path may well lead to our own. */
static bool namespace_is_apart(const struct spec *spec, enum spec_ns ns)
{
	const struct spec_namespace *n = namespace_of(spec, ns);
	char own[sizeof("/proc/self/ns/cgroup")];
	struct stat theirs, ours;

	if (!n->wanted || !n->path)
		return n->wanted;
	(void)snprintf(own, sizeof(own), "/proc/self/ns/%s",
		       ns == NS_NETWORK ? "net" : spec_namespace_name(ns));
	/* A path that is not there fails with a better message when it is joined. */
	if (stat(n->path, &theirs) < 0 || stat(own, &ours) < 0)
		return true;
	return theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
}

enum { HOST_NAME_MAX_LINUX = 64 };

static int check_host_names(const struct spec *spec)
{
	const char *names[] = { spec->hostname, spec->domainname };
	static const char *const keys[] = { "hostname", "domainname" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i])
			continue;
		if (strlen(names[i]) > HOST_NAME_MAX_LINUX)
			return fail_plain(EINVAL, "%s: is longer than %d bytes", keys[i],
					  HOST_NAME_MAX_LINUX);
		if (!namespace_is_apart(spec, NS_UTS))
			return fail_plain(EINVAL,
					  "%s: needs a uts namespace of the container's own in "
					  "linux.namespaces",
					  keys[i]);
	}
	return 0;
}

/* The sysctls that a namespace has for itself: by prefix where the name ends with a dot. */
static const struct {
	const char *name;
	enum spec_ns ns;
} sysctls[] = {
	{ "fs.mqueue.", NS_IPC },         { "kernel.auto_msgmni", NS_IPC },
	{ "kernel.msg_next_id", NS_IPC }, { "kernel.msgmax", NS_IPC },
	{ "kernel.msgmnb", NS_IPC },      { "kernel.msgmni", NS_IPC },
	{ "kernel.sem", NS_IPC },         { "kernel.sem_next_id", NS_IPC },
	{ "kernel.shm_next_id", NS_IPC }, { "kernel.shm_rmid_forced", NS_IPC },
	{ "kernel.shmall", NS_IPC },      { "kernel.shmmax", NS_IPC },
	{ "kernel.shmmni", NS_IPC },      { "kernel.domainname", NS_UTS },
	{ "kernel.hostname", NS_UTS },    { "net.", NS_NETWORK },
};

static int sysctl_check(const struct spec *spec, const struct spec_sysctl *sysctl)
{
	char quoted[STR_QUOTE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		const char *name = sysctls[i].name;

		if (str_ends(name, ".") ? !str_starts(sysctl->key, name)
					: !str_eq(sysctl->key, name))
			continue;
		if (namespace_is_apart(spec, sysctls[i].ns))
			return 0;
		return fail_plain(
			EINVAL,
			"linux.sysctl[%s]: would change the host: linux.namespaces has no "
			"'%s' of the container's own",
			str_quote(quoted, sysctl->key), spec_namespace_name(sysctls[i].ns));
	}
	return fail_plain(EINVAL,
			  "linux.sysctl[%s]: would change the host: no namespace has it for itself",
			  str_quote(quoted, sysctl->key));
}

static int check_sysctls(const struct spec *spec)
{
	for (size_t i = 0; i < spec->linux_.sysctl_count; i++) {
		const struct spec_sysctl *sysctl = &spec->linux_.sysctls[i];
		int r = sysctl_check(spec, sysctl);

		if (r < 0)
			return r;
		if ((spec->hostname && str_eq(sysctl->key, "kernel.hostname")) ||
		    (spec->domainname && str_eq(sysctl->key, "kernel.domainname")))
			return fail_plain(
				EINVAL,
				"linux.sysctl[\"%s\"]: the document has a field of its own for "
				"it: give one of the two",
				sysctl->key);
	}
	return 0;
}

static int check_hidden_paths(const struct spec *spec)
{
	const struct str_list *lists[] = { &spec->linux_.masked_paths,
					   &spec->linux_.readonly_paths };
	static const char *const keys[] = { "maskedPaths", "readonlyPaths" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t j = 0; j < lists[i]->count; j++) {
			if (spec_path_is_root(lists[i]->items[j]))
				return fail_plain(EINVAL, "linux.%s[%zu]: is the root itself",
						  keys[i], j);
		}
	}
	return 0;
}

static int check_net_devices(const struct spec *spec)
{
	if (spec->linux_.net_device_count > 0 && !namespace_is_apart(spec, NS_NETWORK))
		return fail_plain(EINVAL, "linux.netDevices: need a network namespace of the container's own in "
				  "linux.namespaces");
	return 0;
}

/* The kernel lets no such process fork, and a hook in the container is forked from its first one. */
static int check_scheduler(const struct spec *spec)
{
	static const enum spec_hook_kind inside[] = { HOOK_CREATE_CONTAINER, HOOK_START_CONTAINER };
	const struct spec_scheduler *s = &spec->process.scheduler;

	if (!s->set || s->policy != SCHED_DEADLINE || (s->flags & SCHED_FLAG_RESET_ON_FORK))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		if (spec->hooks[inside[i]].count > 0)
			return fail_plain(EINVAL, "process.scheduler: with hooks.%s SCHED_DEADLINE needs "
					  "SCHED_FLAG_RESET_ON_FORK", spec_hook_name(inside[i]));
	return 0;
}

static int check_limits(const struct spec *spec)
{
	return cgroup_limits_check(&spec->linux_.resources);
}

int spec_check(const struct spec *spec)
{
	static int (*const checks[])(const struct spec *spec) = {
		check_version,      check_root,      check_namespaces, check_id_maps,
		check_user,         check_host_names, check_sysctls,
		check_hidden_paths, check_net_devices, check_scheduler,
		check_limits,       spec_annotations_check,
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		int r = checks[i](spec);

		if (r < 0)
			return r;
	}
	return 0;
}
