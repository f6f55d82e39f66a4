/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host names its disks by their serial numbers; which device of the guest's one has become, and with what numbers,
 * is known here alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/in-vm.h"

/* A device node under the disk's serial number. @name: of a folder in /sys/block */
static int disk_make(int blocks, const char *name)
{
	cleanup_fd int dir = openat(blocks, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *serial = NULL, *numbers = NULL, *path = NULL;
	unsigned int major, minor;
	int r;

	if (dir < 0)
		return fail(errno, "open disk '%s'", name);
	r = fd_read_file(dir, "serial", &serial);
	if (r == 0)
		r = fd_read_file(dir, "dev", &numbers);
	if (r < 0)
		return fail_in(r, "disk '%s'", name);
	serial[strcspn(serial, "\n")] = '\0';
	if (sscanf(numbers, "%u:%u", &major, &minor) != 2 || !*serial || strchr(serial, '/'))
		return fail_plain(EPROTO, "disk '%s' has no name", name);
	r = str_format(&path, IN_VM_DISKS "/%s", serial);
	if (r == 0 && mknod(path, S_IFBLK | 0600, makedev(major, minor)) < 0)
		r = fail(errno, "make '%s'", path);
	return r;
}

int in_vm_disks_make(void)
{
	cleanup_fd int blocks = open("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = blocks < 0 ? NULL : fdopendir(dup(blocks));
	struct dirent *entry;
	int r = 0;

	if (!list)
		return fail(errno, "list the disks");
	if (mkdir(IN_VM_DISKS, 0700) < 0)
		return fail(errno, "make '" IN_VM_DISKS "'");
	while (r == 0 && (entry = readdir(list)))
		if (str_starts(entry->d_name, "vd"))
			r = disk_make(blocks, entry->d_name);
	return r;
}

/* The numbers of each element that stands for a disk. */
static int numbers_fill(json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *name = json_string_value(json_object_get(v, "disk"));
		cleanup_free char *path = NULL;
		struct stat st;
		int r;

		if (!name)
			continue;
		r = str_format(&path, IN_VM_DISKS "/%s", name);
		if (r < 0)
			return r;
		if (stat(path, &st) < 0)
			return fail(errno, "disk '%s' of the virtual machine", name);
		if (json_object_set_new(v, "major", json_integer(major(st.st_rdev))) < 0 ||
		    json_object_set_new(v, "minor", json_integer(minor(st.st_rdev))) < 0 ||
		    json_object_del(v, "disk") < 0)
			return fail(ENOMEM, "fill in the disks");
	}
	return 0;
}

int in_vm_disks_fill(json_t *spec)
{
	json_t *linux_ = json_object_get(spec, "linux");
	int r = numbers_fill(json_object_get(linux_, "devices"));

	return r < 0 ? r : numbers_fill(json_object_get(json_object_get(linux_, "resources"), "devices"));
}
