/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the options of the overlay's mount say: its layers, where changes go, and what is the kernel's. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/lower.h"
#include "runtime/overlay-parts.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/upper.h"

bool overlay_wanted(const struct spec *spec)
{
	return spec->mount_count > 0 && spec->mounts[0].type &&
	       str_eq(spec->mounts[0].type, "overlay") && str_eq(spec->mounts[0].destination, "/");
}

/* "a:b:c", where a backslash keeps the character behind it. */
static int layers_split(const char *value, struct str_list *ret)
{
	cleanup_free char *one = malloc(strlen(value) + 1);
	size_t len = 0;
	int err;

	if (!one)
		return fail(ENOMEM, "layers");
	for (const char *p = value;; p++) {
		if (*p == '\\' && p[1]) {
			one[len++] = *++p;
		} else if (*p && *p != ':') {
			one[len++] = *p;
		} else {
			one[len] = '\0';
			err = len > 0 ? str_list_add(ret, one)
				      : fail_plain(EINVAL, "lowerdir: an empty path");
			if (err < 0)
				return err;
			len = 0;
			if (!*p)
				return 0;
		}
	}
}

int overlay_layers(const struct rootfs *r, struct str_list *ret)
{
	const struct spec_mount *m = &r->spec->mounts[0];
	int err = 0;

	for (size_t i = 0; i < m->fs_options.count && err >= 0; i++) {
		const char *one = str_starts(m->fs_options.items[i], "lowerdir+=");
		const char *several = str_starts(m->fs_options.items[i], "lowerdir=");

		if (one)
			err = str_list_add(ret, one);
		else if (several)
			err = layers_split(several, ret);
	}
	for (size_t i = 0; i < ret->count && err >= 0; i++) {
		char *path = NULL;

		err = bundle_path(r->bundle, ret->items[i], &path);
		if (err >= 0) {
			free(ret->items[i]);
			ret->items[i] = path;
		}
	}
	return err;
}

static int layer_add(const struct rootfs *r, struct overlay *o, const char *path)
{
	struct layer *grown = realloc(o->layers, (o->layer_count + 1) * sizeof(*grown));
	int mount = lower_find_taken(r, path), err;
	struct layer *layer;

	if (!grown)
		return fail(ENOMEM, "layers");
	o->layers = grown;
	layer = &grown[o->layer_count++];
	*layer = (struct layer){ .fd = -1, .is_tree = mount >= 0 };
	err = str_copy(&layer->path, path);
	if (err < 0)
		return err;
	layer->fd = mount >= 0 ? fcntl(mount, F_DUPFD_CLOEXEC, 3) : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return layer->fd < 0 ? fail(errno, "layer '%s'", layer->path) : 0;
}

static int option_read(const struct rootfs *r, struct overlay *o, const char *option)
{
	const char *value;

	if (str_starts(option, "lowerdir+=") || str_starts(option, "lowerdir="))
		return 0;
	if ((value = str_starts(option, "upperdir=")))
		return bundle_path(r->bundle, value, &o->upper_path);
	if ((value = str_starts(option, "workdir=")))
		return bundle_path(r->bundle, value, &o->work_path);
	if (str_eq(option, "upper=tmpfs")) {
		o->upper_tmpfs = true;
		return 0;
	}
	if (str_eq(option, UPPER_OPTION)) {
		o->upper_disk = true;
		return 0;
	}
	if (str_eq(option, UPPER_AUTO)) {
		o->upper_disk = r->upper;
		o->upper_tmpfs = !r->upper;
		return 0;
	}
	if (str_starts(option, "upper="))
		return fail_plain(
			EINVAL, "option '%s': only 'upper=auto', 'upper=tmpfs' and 'upper=disk' are known; a folder is 'upperdir='",
			option);
	if (str_starts(option, "size=") || str_starts(option, "nr_inodes="))
		return str_list_add(&o->tmpfs_options, option);
	return str_list_add(&o->options, option);
}

int overlay_options_read(const struct rootfs *r, struct overlay *o)
{
	const struct spec_mount *m = &r->spec->mounts[0];
	struct str_list layers = { .items = NULL };
	int err = overlay_layers(r, &layers);

	for (size_t i = 0; i < layers.count && err >= 0; i++)
		err = layer_add(r, o, layers.items[i]);
	str_list_done(&layers);
	if (err < 0)
		return err;
	for (size_t i = 0; i < m->fs_options.count; i++) {
		err = option_read(r, o, m->fs_options.items[i]);
		if (err < 0)
			return err;
	}
	if (o->layer_count == 0)
		return fail_plain(EINVAL, "no layer: the options need at least one 'lowerdir+='");
	if (o->upper_tmpfs + o->upper_disk + !!o->upper_path > 1)
		return fail_plain(EINVAL, "'upper=' and 'upperdir=' exclude each other");
	if (o->upper_disk && !r->upper)
		return fail_plain(EINVAL, "'upper=disk': no folder was made for it");
	if (o->work_path && !o->upper_path)
		return fail_plain(EINVAL, "'workdir=' needs an 'upperdir='");
	/* The size of a folder on the disk is limited where that is made. */
	for (size_t i = 0; i < o->tmpfs_options.count; i++) {
		const char *option = o->tmpfs_options.items[i];

		if (!o->upper_tmpfs && !(o->upper_disk && str_starts(option, UPPER_SIZE)))
			return fail_plain(EINVAL, "option '%s' needs 'upper=tmpfs'", option);
	}
	/* Nobody goes on with it after a crash, so no end of a container needs to wait for the disk. */
	if (o->upper_disk && !str_list_has(&o->options, "volatile")) {
		err = str_list_add(&o->options, "volatile");
		if (err < 0)
			return err;
	}
	/*
	 * Outside the initial user namespace only attributes of the name space "user" can be
	 * written.
	 */
	if (r->userns && !str_list_has(&o->options, "userxattr"))
		return str_list_add(&o->options, "userxattr");
	return 0;
}
