/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the parent's that give a container its cgroup: which one, made by whom, with what limits, and for whom.
 */
#include "runtime/parent-steps.h"

#include <linux/mount.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroups/delegate.h"
#include "cgroups/devices.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container.h"
#include "runtime/idmap.h"
#include "runtime/resctrl.h"
#include "runtime/spec.h"

/* Whether we are about to make it decides whether it may ever be killed as a whole. */
int cgroup_choose(struct parent *p)
{
	int r;

	if (p->place->systemd_cgroup)
		return scope_choose(&p->scope, p->spec, p->options->id);
	r = cgroup_path_resolve(p->spec->linux_.cgroups_path, p->options->id, &p->cgroup.path);
	if (r < 0)
		return r;
	r = cgroup_open(&p->cgroup);
	if (r < 0)
		return r;
	p->state.cgroup_made = r == CGROUP_NOT_FOUND;
	if (p->cgroup.fd >= 0)
		(void)close(p->cgroup.fd);
	p->cgroup.fd = -1;
	return str_copy(&p->state.cgroup_path, p->cgroup.path);
}

/* systemd alone knows where its cgroup will be, so it is made before anybody asks. */
int cgroup_by_systemd(struct parent *p)
{
	int r;

	if (!p->place->systemd_cgroup)
		return 0;
	r = state_systemd_note(&p->dir);
	return r < 0 ? r : scope_start(&p->scope, p->spec, &p->cgroup, &p->state);
}

/* Only a container without a cgroup namespace of its own sees the cgroup by the host's path. */
int cgroup_folder_find(struct parent *p)
{
	if (p->spec->linux_.namespaces[NS_CGROUP].wanted || !p->cgroup.path)
		return 0;
	return cgroup_folder(p->cgroup.path, &p->cgroup_folder);
}

/* Somebody without the right to make cgroups still gets a container, when the spec asks nothing of one. */
static bool cgroup_is_optional(const struct parent *p)
{
	const char *needed[9] = { NULL };

	cgroup_limits_controllers(&p->spec->linux_.resources, needed);
	return geteuid() != 0 && !p->spec->linux_.cgroups_path && !needed[0];
}

int cgroup_create(struct parent *p)
{
	int r;

	if (p->scope.started)
		return 0;
	r = cgroup_make(&p->cgroup, &p->spec->linux_.resources);
	if (r < 0 && cgroup_is_optional(p)) {
		log_debug("%s, ignoring: no cgroup", fail_text());
		p->cgroup.made = p->state.cgroup_made = false;
		free(p->state.cgroup_path);
		p->state.cgroup_path = NULL;
		return 0;
	}
	return r;
}

/* While the child mounts: it has what it needs, and no payload runs before we have answered it. */
int cgroup_limit(struct parent *p)
{
	const struct cgroup_limits *limits = &p->spec->linux_.resources;
	int r;

	if (p->cgroup.fd < 0)
		return 0;
	r = cgroup_limits_apply(p->cgroup.fd, limits);
	if (r < 0 || geteuid() != 0)
		return r;
	return cgroup_devices_attach(p->cgroup.fd, limits);
}

/* An annotation of crun's: the payload manages a cgroup below the one that has the limits. */
int cgroup_hand_over(struct parent *p)
{
	const struct spec_linux *l = &p->spec->linux_;
	const char *name = spec_annotation(p->spec, "run.oci.delegate-cgroup");

	if (!name)
		return 0;
	if (p->cgroup.fd < 0)
		return fail_plain(ENOTSUP, "annotations[\"run.oci.delegate-cgroup\"]: the container has no cgroup");
	return cgroup_delegate(&p->cgroup, name, p->pid, idmap_host_id(0, l->uid_mappings, l->uid_mapping_count),
			       idmap_host_id(0, l->gid_mappings, l->gid_mapping_count));
}

/* Is this the mount by which the payload may manage its cgroup? */
static bool manages_cgroup(const struct spec_mount *m)
{
	return str_eq(m->destination, "/sys/fs/cgroup") && !m->bind &&
	       (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2")) &&
	       !((m->attr_set | m->rec_set) & MOUNT_ATTR_RDONLY);
}

/* Owned by the payload's user where it has a cgroup namespace of its own and a mount of it to write to, and nowhere else. */
int cgroup_hand_own(struct parent *p)
{
	const struct spec_linux *l = &p->spec->linux_;
	uid_t uid = idmap_host_id((uint32_t)p->spec->process.user.uid, l->uid_mappings, l->uid_mapping_count);

	/* a user's cgroup is his already, and he can give nothing away */
	if (p->cgroup.fd < 0 || uid == 0 || geteuid() != 0 || !l->namespaces[NS_CGROUP].wanted || l->namespaces[NS_CGROUP].path)
		return 0;
	for (size_t i = 0; i < p->spec->mount_count; i++)
		if (manages_cgroup(&p->spec->mounts[i]))
			return cgroup_own(&p->cgroup, uid);
	return 0;
}

int resctrl_join(struct parent *p)
{
	cleanup_fd int root = -1;

	if (!p->spec->linux_.intel_rdt.set)
		return 0;
	root = resctrl_open();
	return root < 0 ? root : resctrl_enter(root, &p->spec->linux_.intel_rdt, p->options->id, p->pid);
}
