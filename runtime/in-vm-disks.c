/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host names its disks by their serial numbers; which device of the guest's one has become, and with what numbers,
 * is known here alone. Images that are memory have no such number: they are counted by their addresses, which the monitor gives
 * out in the order of its devices. Their driver finds them in its own time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/in-vm.h"

/* As long as a machine that hardly gets any time may need. */
enum { MEMORIES_MAX = 8, MEMORY_WAIT_US = 2000, MEMORY_TRIES = 15000 };

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

struct memory {
	unsigned long long address;
	unsigned int major, minor;
};

/* @name: of a folder in /sys/block, "pmem0". Its device is in the folder of the region, which alone tells the address. */
static int memory_look(int blocks, const char *name, struct memory *ret)
{
	cleanup_fd int dir = openat(blocks, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *address = NULL, *numbers = NULL;
	int r;

	if (dir < 0)
		return fail(errno, "open image '%s'", name);
	r = fd_read_file(dir, "device/../resource", &address);
	if (r == 0)
		r = fd_read_file(dir, "dev", &numbers);
	if (r < 0)
		return fail_in(r, "image '%s'", name);
	if (sscanf(address, "%llx", &ret->address) != 1 || sscanf(numbers, "%u:%u", &ret->major, &ret->minor) != 2)
		return fail_plain(EPROTO, "image '%s' has no address", name);
	return 0;
}

static int memory_compare(const void *a, const void *b)
{
	const struct memory *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Those that are there by now. Return: how many, or a recorded failure. */
static int memories_look(int blocks, struct memory *ret)
{
	cleanup_fd int again = openat(blocks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = again < 0 ? NULL : fdopendir(steal_fd(&again));
	struct dirent *entry;
	int count = 0, r = 0;

	if (!list)
		return fail(errno, "list the disks");
	while (r == 0 && count < MEMORIES_MAX && (entry = readdir(list)))
		if (str_starts(entry->d_name, "pmem"))
			r = memory_look(blocks, entry->d_name, &ret[count++]);
	return r < 0 ? r : count;
}

/* How many the monitor has given us. */
static int memories_count(int *ret_count)
{
	cleanup_fd int devices = open("/sys/bus/virtio/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = devices < 0 ? NULL : fdopendir(dup(devices));
	struct dirent *entry;

	*ret_count = 0;
	if (!list)
		return fail(errno, "list the devices");
	while ((entry = readdir(list))) {
		cleanup_fd int dir = *entry->d_name == '.' ? -1 : openat(devices, entry->d_name, O_PATH | O_CLOEXEC);
		cleanup_free char *id = NULL;

		if (dir >= 0 && fd_read_file(dir, "device", &id) == 0)
			*ret_count += strtoul(id, NULL, 16) == VIRTIO_ID_PMEM;
	}
	return 0;
}

/*
 * @number: in the name. The driver knows of no memory that cannot be written; who tries to would wait for nothing: the host drops it.
 */
static int memory_make(int number, const struct memory *memory)
{
	char path[sizeof(IN_VM_DISKS "/" IN_VM_MEMORY "-2147483648")];
	cleanup_fd int fd = -1;
	int read_only = 1;

	(void)snprintf(path, sizeof(path), IN_VM_DISKS "/" IN_VM_MEMORY "%d", number);
	if (mknod(path, S_IFBLK | 0600, makedev(memory->major, memory->minor)) < 0)
		return fail(errno, "make '%s'", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKROSET, &read_only) < 0)
		return fail(errno, "make '%s' read-only", path);
	return 0;
}

static int memories_make(int blocks)
{
	struct memory found[MEMORIES_MAX];
	int count, there = 0, r = memories_count(&count);

	if (count > MEMORIES_MAX)
		count = MEMORIES_MAX;
	for (int i = 0; r == 0 && there < count; i++) {
		if (i == MEMORY_TRIES)
			return fail_plain(ETIME, "%d of %d images have no device", count - there, count);
		if (i > 0)
			(void)usleep(MEMORY_WAIT_US);
		there = memories_look(blocks, found);
		r = there < 0 ? there : 0;
	}
	if (r == 0)
		qsort(found, (size_t)count, sizeof(found[0]), memory_compare);
	for (int i = 0; r == 0 && i < count; i++)
		r = memory_make(i, &found[i]);
	return r;
}

static int nodes_make(void)
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
	return r < 0 ? r : memories_make(blocks);
}

int in_vm_disks_make(const struct in_vm_slots *slots)
{
	int r = slots->count > 0 && slots->first >= slots->count ? 0 : nodes_make();

	return r < 0 ? fail_in(r, "make nodes for disks") : 0;
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
