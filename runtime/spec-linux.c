/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `linux` object but for its resources: namespaces, id maps, devices, sysctls, seccomp, hidden paths.
 * Most lists need more than a plain getter; each such getter judges what can be judged without the rest
 * of the document, which is spec-check.c's. Source: runtime-spec config-linux.md.
 */
#include "runtime/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtime/spec-internal.h"

const struct json_name spec_namespace_names[] = {
	{ "pid", NS_PID },       { "network", NS_NETWORK }, { "mount", NS_MOUNT },
	{ "ipc", NS_IPC },       { "uts", NS_UTS },         { "user", NS_USER },
	{ "cgroup", NS_CGROUP }, { "time", NS_TIME },       { NULL, 0 },
};
_Static_assert(ARRAY_SIZE(spec_namespace_names) == NS_COUNT + 1, "one name for each kind");

const char *spec_namespace_name(enum spec_ns ns)
{
	return spec_namespace_names[ns].name;
}

unsigned long spec_namespace_flag(enum spec_ns ns)
{
	static const unsigned long flags[NS_COUNT] = {
		[NS_PID] = CLONE_NEWPID,       [NS_NETWORK] = CLONE_NEWNET,
		[NS_MOUNT] = CLONE_NEWNS,      [NS_IPC] = CLONE_NEWIPC,
		[NS_UTS] = CLONE_NEWUTS,       [NS_USER] = CLONE_NEWUSER,
		[NS_CGROUP] = CLONE_NEWCGROUP, [NS_TIME] = CLONE_NEWTIME,
	};

	return flags[ns];
}

/* One entry of linux.namespaces, before it goes to its place. */
struct namespace_item {
	int type;
	char *path;
};

static const struct json_field namespace_fields[] = {
	{ "type", json_get_enum, offsetof(struct namespace_item, type), JSON_REQUIRED,
	  spec_namespace_names, "kind of namespace" },
	{ "path", json_get_string, offsetof(struct namespace_item, path), 0, NULL,
	  "join this one; absent: a new one" },
	{ 0 },
};

static const struct json_items namespace_items = { sizeof(struct namespace_item), namespace_fields,
						   NULL, 0 };

static int get_namespaces(const struct json_at *at, json_t *v, void *target,
			  const struct json_field *field)
{
	struct spec_namespace *namespaces = target;
	size_t i;
	json_t *entry;

	(void)field;
	if (!json_is_array(v))
		return json_fail(at, "must be an array, not %s", json_type_text(v));
	json_array_foreach(v, i, entry) {
		const struct json_at item_at = { .up = at, .index = i };
		const struct json_at path_at = { .up = &item_at, .key = "path" };
		struct namespace_item item = { .type = NS_PID, .path = NULL };
		cleanup_free char *path = NULL;
		struct spec_namespace *ns;
		int r;

		r = json_object_read(&item_at, entry, namespace_fields, 0, &item);
		path = item.path;
		if (r < 0)
			return r;
		ns = &namespaces[item.type];
		if (ns->wanted)
			return json_fail(&item_at, "'%s' is listed twice",
					 spec_namespace_name((enum spec_ns)item.type));
		ns->wanted = true;
		if (!path || !*path)
			continue;
		if (*path != '/')
			return json_fail(&path_at, "must be an absolute path");
		ns->path = steal_ptr(&path);
	}
	return 0;
}

#define ID_MAP(member) offsetof(struct spec_id_map, member)

static const struct json_field id_map_fields[] = {
	{ "containerID", spec_get_id, ID_MAP(container_id), JSON_REQUIRED, NULL,
	  "first id inside" },
	{ "hostID", spec_get_id, ID_MAP(host_id), JSON_REQUIRED, NULL, "first id outside" },
	{ "size", json_get_u32, ID_MAP(size), JSON_REQUIRED, NULL, "how many ids" },
	{ 0 },
};

const struct json_items spec_id_map_items = { sizeof(struct spec_id_map), id_map_fields, NULL, 0 };

/* The pointer's count stands two words behind it, in both structs that have maps. */
#define COUNT_BEHIND(type, list, count) \
	(offsetof(type, count) == offsetof(type, list) + 2 * sizeof(void *))
_Static_assert(COUNT_BEHIND(struct spec_linux, uid_mappings, uid_mapping_count) &&
		       COUNT_BEHIND(struct spec_linux, gid_mappings, gid_mapping_count) &&
		       COUNT_BEHIND(struct spec_mount, uid_mappings, uid_mapping_count) &&
		       COUNT_BEHIND(struct spec_mount, gid_mappings, gid_mapping_count),
	       "layout of the id maps");

/* The kernel's limit since Linux 4.15, user_namespaces(7). */
enum { ID_MAPS_MAX = 340 };

static bool ranges_meet(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

static int id_maps_check(const struct json_at *at, const struct spec_id_map *maps, size_t count)
{
	if (count > ID_MAPS_MAX)
		return json_fail(at, "has more than %d ranges, which the kernel refuses",
				 ID_MAPS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct json_at item_at = { .up = at, .index = i };
		const struct spec_id_map *m = &maps[i];

		if (m->size == 0)
			return json_fail(&item_at, "'size' must be at least 1");
		if ((uint64_t)m->container_id + m->size > UINT32_MAX ||
		    (uint64_t)m->host_id + m->size > UINT32_MAX)
			return json_fail(&item_at, "the range goes beyond the last id, 4294967294");
		for (size_t j = 0; j < i; j++) {
			if (ranges_meet(m->container_id, m->size, maps[j].container_id,
					maps[j].size))
				return json_fail(&item_at, "the ids inside overlap those of [%zu]",
						 j);
			if (ranges_meet(m->host_id, m->size, maps[j].host_id, maps[j].size))
				return json_fail(&item_at, "the ids outside overlap those of [%zu]",
						 j);
		}
	}
	return 0;
}

int spec_get_id_maps(const struct json_at *at, json_t *v, void *target,
		     const struct json_field *field)
{
	struct spec_id_map **maps = target;
	size_t *count = (size_t *)target + 2;
	struct {
		struct spec_id_map *items;
		size_t count;
	} list = { NULL, 0 };
	int r;

	r = json_get_array(at, v, &list, field);
	if (r == 0)
		r = id_maps_check(at, list.items, list.count);
	if (r < 0) {
		free(list.items);
		return r;
	}
	*maps = list.items;
	*count = list.count;
	return 0;
}

static const struct json_range nanosecond_range = { 0, 999999999 };

static const struct json_field time_offset_fields[] = {
	{ "secs", json_get_int, offsetof(struct spec_time_offset, secs), 0, NULL, "seconds" },
	{ "nanosecs", json_get_int, offsetof(struct spec_time_offset, nanosecs), 0,
	  &nanosecond_range, "nanoseconds more" },
	{ 0 },
};

static int get_time_offset(const struct json_at *at, json_t *v, void *target,
			   const struct json_field *field)
{
	struct spec_time_offset *offset = target;

	offset->set = true;
	return json_object_read(at, v, field->arg, 0, offset);
}

#define LINUX(member) offsetof(struct spec_linux, member)

static const struct json_field time_offsets_fields[] = {
	{ "boottime", get_time_offset, LINUX(boottime), JSON_CLOSED, time_offset_fields,
	  "added to CLOCK_BOOTTIME" },
	{ "monotonic", get_time_offset, LINUX(monotonic), JSON_CLOSED, time_offset_fields,
	  "added to CLOCK_MONOTONIC" },
	{ 0 },
};

static int get_device_type(const struct json_at *at, json_t *v, void *target,
			   const struct json_field *field)
{
	static const struct json_name types[] = {
		{ "c", 'c' }, { "b", 'b' }, { "p", 'p' }, { "u", 'c' }, { NULL, 0 },
	};
	const struct json_field as_enum = { .arg = types };
	int type, r;

	(void)field;
	r = json_get_enum(at, v, &type, &as_enum);
	if (r == 0)
		*(char *)target = (char)type;
	return r;
}

/* podman and older engines give st_mode as it is, with the bits of the file's type. */
static int get_file_mode(const struct json_at *at, json_t *v, void *target,
			 const struct json_field *field)
{
	static const struct json_range range = { 0, S_IFMT | 07777 };
	const struct json_field as_int = { .arg = &range };
	int64_t mode;
	int r;

	(void)field;
	r = json_get_int(at, v, &mode, &as_int);
	if (r == 0)
		*(int64_t *)target = mode & 07777;
	return r;
}

/* Linux has 12 bits of major and 20 bits of minor number. */
static const struct json_range major_range = { 0, 0xfff }, minor_range = { 0, 0xfffff },
			       owner_range = { 0, UINT32_MAX - 1 };

#define DEVICE(member) offsetof(struct spec_device, member)

static const struct json_field device_fields[] = {
	{ "path", json_get_string, DEVICE(path), JSON_REQUIRED | JSON_ABSOLUTE, NULL,
	  "where the node is made, inside" },
	{ "type", get_device_type, DEVICE(type), JSON_REQUIRED, NULL,
	  "c (or u): character, b: block, p: FIFO" },
	{ "major", json_get_int, DEVICE(major), 0, &major_range, "major number" },
	{ "minor", json_get_int, DEVICE(minor), 0, &minor_range, "minor number" },
	{ "fileMode", get_file_mode, DEVICE(file_mode), 0, NULL, "permissions; absent: 0666" },
	{ "uid", json_get_int, DEVICE(uid), 0, &owner_range, "owner inside; absent: 0" },
	{ "gid", json_get_int, DEVICE(gid), 0, &owner_range, "group inside; absent: 0" },
	{ 0 },
};

static void device_init(void *item)
{
	struct spec_device *device = item;

	device->major = device->minor = SPEC_UNSET;
	device->file_mode = device->uid = device->gid = SPEC_UNSET;
}

static const struct json_items device_items = { sizeof(struct spec_device), device_fields,
						device_init, 0 };

static int get_devices(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	struct spec_linux *l = target;
	int r;

	r = json_get_array(at, v, &l->devices, field);
	if (r < 0)
		return r;
	for (size_t i = 0; i < l->device_count; i++) {
		const struct spec_device *d = &l->devices[i];
		const struct json_at item_at = { .up = at, .index = i };

		if (d->type != 'p' && (d->major == SPEC_UNSET || d->minor == SPEC_UNSET))
			return json_fail(&item_at, "needs 'major' and 'minor'");
		if (spec_path_is_root(d->path))
			return json_fail(&item_at, "'path' is the root");
	}
	return 0;
}

/* sysctl(8) takes '/' for '.', and then '.' for '/': "net/ipv4/conf/eth0.1/forwarding". */
static void sysctl_key_normalise(char *key)
{
	const char *first = strpbrk(key, "./");

	if (!first || *first == '.')
		return;
	for (char *p = key; *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
}

/* Every part between dots is a file name with '/' for '.': none may be empty, "." or "..". */
static bool sysctl_key_is_path(const char *key)
{
	for (const char *part = key;; part++) {
		size_t n = strcspn(part, ".");

		if (n == 0 || (n == 1 && part[0] == '/') ||
		    (n == 2 && part[0] == '/' && part[1] == '/'))
			return false;
		part += n;
		if (!*part)
			return true;
	}
}

static int get_sysctls(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	struct spec_linux *l = target;
	const char *key;
	json_t *value;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object of strings, not %s", json_type_text(v));
	json_object_foreach(v, key, value) {
		const struct json_at item_at = { .up = at, .key = key };
		struct spec_sysctl *sysctl;
		int r;

		if (!json_is_string(value))
			return json_fail(&item_at, "must be a string, not %s",
					 json_type_text(value));
		if (strchr(json_string_value(value), '\n'))
			return json_fail(&item_at, "a value must be one line");
		sysctl = spec_array_add(&l->sysctls, &l->sysctl_count, sizeof(*sysctl));
		if (!sysctl)
			return -ENOMEM;
		r = str_copy(&sysctl->key, key);
		if (r == 0)
			r = str_copy(&sysctl->value, json_string_value(value));
		if (r < 0)
			return r;
		sysctl_key_normalise(sysctl->key);
		if (!sysctl_key_is_path(sysctl->key))
			return json_fail(&item_at, "is not the name of a sysctl");
	}
	return 0;
}

static int get_seccomp(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	(void)field;
	return seccomp_profile_parse(at, v, target);
}

static int get_propagation(const struct json_at *at, json_t *v, void *target,
			   const struct json_field *field)
{
	static const struct json_name names[] = {
		{ "", 0 },
		{ "shared", MS_SHARED },
		{ "slave", MS_SLAVE },
		{ "private", MS_PRIVATE },
		{ "unbindable", MS_UNBINDABLE },
		{ "rshared", MS_SHARED | MS_REC },
		{ "rslave", MS_SLAVE | MS_REC },
		{ "rprivate", MS_PRIVATE | MS_REC },
		{ "runbindable", MS_UNBINDABLE | MS_REC },
		{ NULL, 0 },
	};
	/* The empty name is let pass, but is none to be recommended. */
	const struct json_field as_enum = { .arg = json_string_length(v) ? names + 1 : names };
	int flags, r;

	(void)field;
	r = json_get_enum(at, v, &flags, &as_enum);
	if (r == 0)
		*(uint64_t *)target = (uint64_t)flags;
	return r;
}

int spec_get_paths(const struct json_at *at, json_t *v, void *target,
		   const struct json_field *field)
{
	const struct json_field absolute = { .name = field->name,
					     .flags = field->flags | JSON_ABSOLUTE };

	return json_get_strings(at, v, target, &absolute);
}

const struct json_field spec_linux_fields[] = {
	{ "namespaces", get_namespaces, LINUX(namespaces), 0, &namespace_items,
	  "namespaces to make or join; what is not listed is the caller's" },
	{ "uidMappings", spec_get_id_maps, LINUX(uid_mappings), 0, &spec_id_map_items,
	  "user ids of the user namespace" },
	{ "gidMappings", spec_get_id_maps, LINUX(gid_mappings), 0, &spec_id_map_items,
	  "group ids of the user namespace" },
	{ "timeOffsets", json_get_object, 0, JSON_CLOSED, time_offsets_fields,
	  "clocks of the time namespace" },
	{ "devices", get_devices, 0, 0, &device_items, "device nodes beside the usual ones" },
	{ "netDevices", spec_get_net_devices, 0, 0, &spec_net_device_items,
	  "network devices of the host that are moved in, by their names" },
	{ "cgroupsPath", json_get_string, LINUX(cgroups_path), 0, NULL,
	  "the cgroup; absent: /nacelle/<id>" },
	{ "resources", json_get_object, LINUX(resources), 0, spec_resources_fields,
	  "limits of the cgroup" },
	{ "rootfsPropagation", get_propagation, LINUX(rootfs_propagation), 0, NULL,
	  "shared, slave, private or unbindable, and with r: the root mount's propagation" },
	{ "seccomp", get_seccomp, LINUX(seccomp), 0, seccomp_profile_fields, "system call filter; \"default\" is the one built in" },
	{ "sysctl", get_sysctls, 0, 0, NULL, "kernel settings of the container's own namespaces" },
	{ "maskedPaths", spec_get_paths, LINUX(masked_paths), 0, NULL,
	  "paths hidden from the payload" },
	{ "readonlyPaths", spec_get_paths, LINUX(readonly_paths), 0, NULL,
	  "paths that it cannot write" },
	{ "mountLabel", spec_get_text, LINUX(mount_label), 0, NULL,
	  "SELinux label of the mounts, where the kernel has SELinux" },
	{ "intelRdt", spec_get_intel_rdt, LINUX(intel_rdt), 0, spec_intel_rdt_fields,
	  "cache and memory bandwidth by resctrl, where the processor has it" },
	{ "personality", json_get_object, 0, 0, spec_personality_fields,
	  "execution domain, as for personality(2)" },
	{ "memoryPolicy", spec_get_memory_policy, LINUX(memory_policy), 0, spec_memory_policy_fields,
	  "NUMA memory policy, as for set_mempolicy(2)" },
	{ 0 },
};

const struct spec_getter spec_linux_getters[] = {
	{ get_namespaces, "array of objects", SPEC_ITEMS },
	{ spec_get_id_maps, "array of objects", SPEC_ITEMS },
	{ get_time_offset, "object", SPEC_FIELDS },
	{ get_devices, "array of objects", SPEC_ITEMS },
	{ get_device_type, "string", SPEC_LEAF },
	{ get_file_mode, "integer", SPEC_LEAF },
	{ get_sysctls, "object of strings", SPEC_LEAF },
	{ get_seccomp, "object", SPEC_FIELDS },
	{ seccomp_get_architectures, "array of strings", SPEC_LEAF },
	{ seccomp_get_flags, "array of strings", SPEC_LEAF },
	{ seccomp_get_default_errno, "integer", SPEC_LEAF },
	{ seccomp_get_rule_errno, "integer", SPEC_LEAF },
	{ get_propagation, "string", SPEC_LEAF },
	{ spec_get_paths, "array of strings", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};

void spec_linux_init(struct spec_linux *l)
{
	*l = (struct spec_linux){ .personality = -1 };
	cgroup_limits_init(&l->resources);
}

void spec_linux_done(struct spec_linux *l)
{
	for (int i = 0; i < NS_COUNT; i++)
		free(l->namespaces[i].path);
	free(l->uid_mappings);
	free(l->gid_mappings);
	for (size_t i = 0; i < l->device_count; i++)
		free(l->devices[i].path);
	free(l->devices);
	free(l->cgroups_path);
	cgroup_limits_done(&l->resources);
	for (size_t i = 0; i < l->sysctl_count; i++) {
		free(l->sysctls[i].key);
		free(l->sysctls[i].value);
	}
	free(l->sysctls);
	(void)seccomp_profile_free(l->seccomp);
	str_list_done(&l->masked_paths);
	str_list_done(&l->readonly_paths);
	for (size_t i = 0; i < l->net_device_count; i++) {
		free(l->net_devices[i].name);
		free(l->net_devices[i].new_name);
	}
	free(l->net_devices);
	free(l->intel_rdt.clos_id);
	free(l->intel_rdt.l3_cache_schema);
	free(l->intel_rdt.mem_bw_schema);
	str_list_done(&l->intel_rdt.schemata);
	free(l->mount_label);
	*l = (struct spec_linux){ .personality = -1 };
}
