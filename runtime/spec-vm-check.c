/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtual machine has no home for. Each is refused by its name in the spec: something that is
 * parsed and not done would be a container less confined, or less able, than it was asked to be.
 */
#include <errno.h>
#include <sys/mount.h>

#include "runtime/base/json.h"
#include "runtime/network-wish.h"
#include "runtime/spec-short.h"
#include "runtime/spec-vm-disks.h"
#include "runtime/spec.h"
#include "runtime/upper.h"
#include "runtime/spec-vm-split.h"

static int refuse(const char *field, const char *why)
{
	return fail_plain(ENOTSUP, "%s: not supported with 'vm'%s", field, why);
}

static int namespaces_check(const struct spec_linux *l)
{
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (l->namespaces[ns].path && ns != NS_NETWORK)
			return fail_plain(ENOTSUP, "linux.namespaces: a path for '%s' is not supported with 'vm': the "
					  "guest has its own", spec_namespace_name((enum spec_ns)ns));
	if (!l->namespaces[NS_NETWORK].wanted)
		return refuse("linux.namespaces", ": the host's network cannot be shared, list 'network'");
	return 0;
}

/* A guest's network stack is its own: another's cannot be its too. */
static int network_check(const struct spec *spec)
{
	struct network_wish wish = { .joins = NULL };
	int r = network_wish_is_any(spec) ? network_wish_of(spec, &wish) : 0;

	if (r == 0 && wish.container)
		r = refuse("annotations: " SHORT_ANNOTATION "network: the network of another container", ": name a network instead");
	if (r == 0 && wish.join_count > VM_SPLIT_NETWORKS)
		r = fail_plain(E2BIG, "annotations: " SHORT_ANNOTATION "network: at most %d networks with 'vm'", VM_SPLIT_NETWORKS);
	network_wish_done(&wish);
	return r;
}

/* Those that any kernel has: null and its like, the terminal's. Block devices become disks. */
static int devices_check(const struct spec_linux *l)
{
	for (size_t i = 0; i < l->device_count; i++) {
		const struct spec_device *d = &l->devices[i];

		if (d->type != 'p' && d->type != 'b' && !(d->type == 'c' && (d->major == 1 || d->major == 5)))
			return fail_plain(ENOTSUP, "linux.devices: '%s' is the host's: not supported with 'vm'", d->path);
	}
	return 0;
}

static int mounts_check(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (m->propagation & MS_SHARED)
			return fail_plain(ENOTSUP, "mounts: shared propagation of '%s' is not supported with 'vm'",
					  m->destination);
		if (m->idmap || m->uid_mapping_count || m->gid_mapping_count)
			return fail_plain(ENOTSUP, "mounts: id maps of '%s' are not supported with 'vm'", m->destination);
		if (m->volume)
			return fail_plain(ENOTSUP, "mounts: '%s' is a volume: not supported with 'vm' yet, bind a folder",
					  m->destination);
		for (size_t k = 0; k < m->options.count; k++)
			if (str_starts(m->options.items[k], "upperdir=") || str_eq(m->options.items[k], UPPER_OPTION))
				return fail_plain(ENOTSUP, "mounts: 'upperdir' (or 'upper' other than tmpfs) is not supported "
						  "with 'vm'");
	}
	return 0;
}

/* JSON members that no member of the struct stands for alone. */
static int resources_check(const struct spec *spec)
{
	static const char *const refused[] = { "hugepageLimits", "network", "rdma", "unified" };
	const json_t *resources = json_object_get(json_object_get(spec->json, "linux"), "resources");

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const json_t *v = json_object_get(resources, refused[i]);

		if (json_object_size(v) + json_array_size(v) > 0)
			return fail_plain(ENOTSUP, "linux.resources.%s: not supported with 'vm'", refused[i]);
	}
	return 0;
}

int vm_split_check(const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	int r;

	if (spec->process.selinux_label || l->mount_label)
		return refuse("process.selinuxLabel, linux.mountLabel", ": the guest's kernel has no such labels");
	if (l->net_device_count)
		return refuse("linux.netDevices", " yet");
	if (l->intel_rdt.set)
		return refuse("linux.intelRdt", "");
	if (l->seccomp && l->seccomp->listener_path)
		return refuse("linux.seccomp.listenerPath", "");
	if (l->rootfs_propagation & MS_SHARED)
		return refuse("linux.rootfsPropagation", " when it is shared");
	r = namespaces_check(l);
	if (r == 0)
		r = network_check(spec);
	if (r == 0)
		r = devices_check(l);
	if (r == 0)
		r = mounts_check(spec);
	if (r == 0)
		r = vm_disks_check(spec);
	return r < 0 ? r : resources_check(spec);
}
