/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One disk for each device or file, however often the spec names it; it can be written only if somebody there may. Layers of
 * the root are apart from those: their image is mounted before the container is there, and nobody in it may touch it.
 */
#include "runtime/spec-vm-disks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/in-vm.h"
#include "runtime/spec-short-internal.h"
#include "runtime/spec.h"

/* What libcrc32c looks for when it is loaded, and no table of dependencies says: before whatever needs that. */
#define CHECKSUMS "?crc32c_generic"

/* What lies on a block device. @modules: of the guest's kernel; "?": newer kernels have it within. NULL: not supported yet */
static const struct {
	const char *type, *modules[2];
} disk_types[] = {
	{ "ext4", { CHECKSUMS, "ext4" } },
	{ "ext3", { CHECKSUMS, "ext4" } },
	{ "ext2", { CHECKSUMS, "ext4" } },
	{ "xfs", { CHECKSUMS, "xfs" } },
	{ "erofs", { CHECKSUMS, "erofs" } },
	{ "squashfs", { "squashfs", NULL } },
	{ "btrfs", { NULL } },
	{ "vfat", { NULL } },
	{ "exfat", { NULL } },
	{ "ntfs3", { NULL } },
	{ "f2fs", { NULL } },
	{ "iso9660", { NULL } },
};

/* Return: the row, or -1: it lies on no block device, or we do not know it. */
static int disk_type_find(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(disk_types); i++)
		if (str_eq(type, disk_types[i].type))
			return (int)i;
	return -1;
}

static int disk_type(const struct spec_mount *m)
{
	return m->bind || !m->type ? -1 : disk_type_find(m->type);
}

int vm_disks_check(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];
		int type = disk_type(m);

		if (type >= 0 && !disk_types[type].modules[0])
			return fail_plain(ENOTSUP, "mounts: a file system of type '%s' is not supported with 'vm' yet (ext2, "
					  "ext3, ext4, xfs, erofs, squashfs are)", m->type);
	}
	return 0;
}

static bool is_same(const struct vm_split_disk *disk, const char *source, dev_t number)
{
	if (disk->layer)
		return false;
	return number ? disk->number == number : disk->source && source && str_eq(disk->source, source);
}

static int module_add(struct vm_split *split, const char *module)
{
	return !module || str_list_has(&split->modules, module) ? 0 : str_list_add(&split->modules, module);
}

static int modules_add(struct vm_split *split, int type)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(disk_types[type].modules); i++)
		r = module_add(split, disk_types[type].modules[i]);
	return r;
}

/*
 * The agent finds memory by its order in the machine (runtime/in-vm-disks.c), hence the number among its like.
 * @like: all but its name; the source is taken over
 */
static int disk_new(struct vm_split *split, const struct vm_split_disk *like, const char **ret_name)
{
	struct vm_split_disk *disk = &split->disks[split->disk_count];
	int r = module_add(split, like->memory ? "virtio_pmem" : "virtio_blk");
	size_t number = 0;

	if (r == 0 && like->memory)
		r = module_add(split, "nd_pmem");
	if (r == 0 && split->disk_count == VM_SPLIT_DISKS)
		r = fail_plain(E2BIG, "at most %d block devices and disk images can be given to a guest", VM_SPLIT_DISKS);
	if (r < 0) {
		free(like->source);
		return r;
	}
	for (size_t i = 0; i < split->disk_count; i++)
		number += split->disks[i].memory == like->memory;
	*disk = *like;
	(void)snprintf(disk->name, sizeof(disk->name), "%s%zu", like->memory ? IN_VM_MEMORY : "disk", number);
	*ret_name = disk->name;
	split->disk_count++;
	return 0;
}

/* @source: NULL: the device of this number. @number: 0: a file. Takes @source over */
static int disk_add(struct vm_split *split, char *source, dev_t number, bool read_only, const char **ret_name)
{
	const struct vm_split_disk like = { .source = source, .number = number, .read_only = read_only };

	for (struct vm_split_disk *disk = split->disks; disk < split->disks + split->disk_count; disk++)
		if (is_same(disk, source, number)) {
			free(source);
			disk->read_only = disk->read_only && read_only;
			*ret_name = disk->name;
			return 0;
		}
	return disk_new(split, &like, ret_name);
}

int vm_disks_layer(struct vm_split *split, const char *path, bool pmem, const char **ret_name)
{
	struct vm_split_disk like = { .read_only = true, .layer = true };
	struct stat st;
	int r;

	/* What is not there is told where it is opened. */
	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return 0;
	like.number = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	like.memory = pmem && S_ISREG(st.st_mode);
	r = str_copy(&like.source, path);
	if (r == 0)
		r = disk_new(split, &like, ret_name);
	if (r == 0)
		r = modules_add(split, disk_type_find("erofs"));
	return r < 0 ? r : 1;
}

int vm_disks_mount(struct vm_split *split, const struct spec_mount *m, const char *folder, json_t *v)
{
	bool read_only = str_list_has(&m->options, "ro") || str_list_has(&m->options, "rro");
	cleanup_free char *source = NULL, *inside = NULL;
	int type = disk_type(m), r;
	const char *name = NULL;
	struct stat st;

	if (!m->source || (type < 0 && !m->bind))
		return 0;
	r = bundle_path(folder, m->source, &source);
	if (r < 0)
		return r;
	if (stat(source, &st) < 0)
		st = (struct stat){ .st_mode = S_IFREG };
	if (type < 0 && !S_ISBLK(st.st_mode))
		return 0;
	r = disk_add(split, steal_ptr(&source), S_ISBLK(st.st_mode) ? st.st_rdev : 0, read_only, &name);
	if (r == 0 && type >= 0)
		r = modules_add(split, type);
	if (r == 0)
		r = str_format(&inside, IN_VM_DISKS "/%s", name);
	if (r == 0)
		r = short_set(v, "source", json_string(inside));
	return r < 0 ? r : 1;
}

static bool rule_is_about(const struct cgroup_device_rule *rule, dev_t number)
{
	return (rule->type == 'a' || rule->type == 'b') && (rule->major == -1 || rule->major == (int64_t)major(number)) &&
	       (rule->minor == -1 || rule->minor == (int64_t)minor(number));
}

/* The last rule that matches decides, as in the kernel's filter; without rules all is allowed. */
static bool may_write(const struct cgroup_limits *limits, dev_t number)
{
	bool may = !limits->devices_set;

	for (size_t i = 0; i < limits->device_count; i++) {
		const struct cgroup_device_rule *rule = &limits->devices[i];

		if (rule_is_about(rule, number) && (rule->write || !rule->allow))
			may = rule->allow;
	}
	return may;
}

/* Rules for one device alone follow it to the number that it has in the guest. */
static int rules_mark(const struct vm_split *split, const struct cgroup_limits *limits, json_t *list)
{
	for (size_t i = 0; i < limits->device_count; i++) {
		const struct cgroup_device_rule *rule = &limits->devices[i];
		json_t *v = json_array_get(list, i);

		if (rule->type != 'b' || rule->major == -1 || rule->minor == -1 || !json_is_object(v))
			continue;
		for (size_t k = 0; k < split->disk_count; k++)
			if (split->disks[k].number && !split->disks[k].layer && rule_is_about(rule, split->disks[k].number)) {
				int r = short_set(v, "disk", json_string(split->disks[k].name));

				if (r < 0)
					return r;
			}
	}
	return 0;
}

/*
 * Who mounts a device must be allowed to open it. Of a host's device the spec says so itself, as for any container; an image
 * has no number on the host for which it could.
 */
static int images_allow(const struct vm_split *split, json_t *linux_, json_t *resources, json_t *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < split->disk_count; i++) {
		if (split->disks[i].number || split->disks[i].layer)
			continue;
		/* A filter is there without rules as well, and lets no disk through. */
		if (!json_is_object(resources)) {
			r = short_set(linux_, "resources", json_object());
			resources = json_object_get(linux_, "resources");
		}
		if (r == 0 && !json_is_array(list)) {
			r = short_set(resources, "devices", json_array());
			list = json_object_get(resources, "devices");
		}
		if (r == 0)
			r = short_append(list, json_pack("{s:b, s:s, s:i, s:i, s:s, s:s}", "allow", 1, "type", "b", "major", 0,
							 "minor", 0, "access", split->disks[i].read_only ? "r" : "rw", "disk",
							 split->disks[i].name));
	}
	return r;
}

int vm_disks_devices(struct vm_split *split, const struct spec *spec, json_t *inner)
{
	const struct cgroup_limits *limits = &spec->linux_.resources;
	json_t *linux_ = json_object_get(inner, "linux"), *list = json_object_get(linux_, "devices"), *resources;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->linux_.device_count; i++) {
		const struct spec_device *d = &spec->linux_.devices[i];
		dev_t number = makedev((unsigned int)d->major, (unsigned int)d->minor);
		const char *name = NULL;

		if (d->type != 'b')
			continue;
		r = disk_add(split, NULL, number, !may_write(limits, number), &name);
		if (r == 0)
			r = short_set(json_array_get(list, i), "disk", json_string(name));
	}
	resources = json_object_get(linux_, "resources");
	list = json_object_get(resources, "devices");
	if (r == 0)
		r = rules_mark(split, limits, list);
	return r < 0 ? r : images_allow(split, linux_, resources, list);
}
