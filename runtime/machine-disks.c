/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block devices and images, opened by whoever may open them, and claimed for as long as the machine lives.
 *
 * An image among the layers of the root becomes memory of the guest, mapped read-only from the file: what its programs read is
 * the host's page cache itself, once for all machines of that image. The guest keeps a record of each page (64 bytes for 4 KiB).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/machine.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/vm-modules.h"

/* By its number: no name of a device's is sure to be there. */
static int device_open(dev_t number, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/dev/block/%u:%u", major(number), minor(number));
	return open(path, flags);
}

static int fail_no_disk(const char *name)
{
	return fail_plain(ENOTBLK, "'%s' is neither a block device nor a file with a disk's image", name);
}

/*
 * Nobody else may have mounted what can be written: two kernels on one file system destroy it. Of a file that is asked of
 * other machines, whose locks live as long as their monitors.
 */
static int disk_claim(int fd, const struct stat *st, const char *name, bool read_only)
{
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return fail_no_disk(name);
	if (flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? fail_plain(EBUSY, "'%s' is in use by somebody else, who may write to it", name) :
				      fail(errno, "lock '%s'", name);
}

static int disk_open(const struct vm_split_disk *disk, struct vm_device_config *to)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (disk->read_only ? O_RDONLY : O_RDWR), fd, r;
	cleanup_free char *numbered = NULL;
	const char *name = disk->source;
	struct stat st;

	r = str_format(&numbered, "block device %u:%u", major(disk->number), minor(disk->number));
	if (r < 0)
		return r;
	name = name ? name : numbered;
	/* O_EXCL without O_CREAT, of a block device: not while it is mounted */
	if (disk->number && !disk->read_only)
		flags |= O_EXCL;
	fd = disk->source ? open(disk->source, flags) : device_open(disk->number, flags);
	if (fd < 0 && errno == EBUSY)
		return fail_plain(EBUSY, "'%s' is mounted or in use on the host: a virtual machine cannot write to it too",
				  name);
	if (fd < 0 && errno == EISDIR)
		return fail_no_disk(name);
	to->fd[0] = machine_fd(fd, name);
	if (to->fd[0] < 0)
		return to->fd[0];
	if (fcntl(to->fd[0], F_SETFL, 0) < 0 || fstat(to->fd[0], &st) < 0)
		return fail(errno, "look at '%s'", name);
	return disk_claim(to->fd[0], &st, name, disk->read_only);
}

int machine_images_look(struct machine *m, const struct bundle *bundle)
{
	static const char *const needed[] = { "virtio_pmem", "nd_pmem", "erofs", NULL };
	const struct rootfs root = { .spec = m->spec, .bundle = bundle->folder };
	struct str_list layers = { .items = NULL };
	struct stat st;
	int r = overlay_wanted(m->spec) ? overlay_layers(&root, &layers) : 0;

	for (size_t i = 0; r == 0 && i < layers.count; i++)
		if (stat(layers.items[i], &st) == 0 && S_ISREG(st.st_mode))
			m->image_bytes += (uint64_t)st.st_size;
	str_list_done(&layers);
	if (r < 0 || m->image_bytes == 0)
		return r;
	/* QEMU's microvm has no such device, and what another kernel than Linux can is its own matter */
	if (m->config.hypervisor[0] || !m->kernel.release)
		return 0;
	r = vm_modules_have(m->kernel.modules, needed);
	m->pmem = r > 0;
	if (r == 0)
		log_debug("vm: kernel %s has no modules for images as memory (virtio_pmem, nd_pmem, erofs): they become disks "
			  "(virtio-blk)", m->kernel.release);
	return r < 0 ? r : 0;
}

int machine_disks_open(struct machine *m, const struct bundle *bundle)
{
	int r = 0;

	(void)bundle;
	for (size_t i = 0; r == 0 && i < m->split.disk_count; i++) {
		const struct vm_split_disk *from = &m->split.disks[i];
		struct vm_device_config *to = &m->config.devices[m->config.device_count];

		*to = (struct vm_device_config){
			.kind = from->memory ? VM_DEVICE_PMEM : VM_DEVICE_BLK, .fd = { -1, -1 }, .flags = from->read_only ? VM_DEVICE_READ_ONLY : 0,
		};
		(void)snprintf(to->tag, sizeof(to->tag), "%s", from->name);
		m->config.device_count++;
		r = disk_open(from, to);
	}
	return r;
}
