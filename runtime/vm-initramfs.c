/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An archive of the "new ASCII" cpio format, as the kernel unpacks it into its first root. Modules are
 * stored unpacked: the guest's kernel would need time, and on some configurations cannot. Their signatures
 * stand beside them, in NAME.sig: what they are worth is checked by nobody who did not get the archive from
 * us, and to check them is a good part of a boot; a kernel that insists gets them (runtime/in-vm.c).
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include "runtime/vm-initramfs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/vm-kernel.h"
#include "runtime/vm-modules.h"
#include "runtime/vm-unpack.h"

/* What is in the archive changes with these: count up. */
enum { ARCHIVE_VERSION = 3, HEADER_SIZE = 110 };

static const char *const needed[] = {
	"virtio_mmio", "vmw_vsock_virtio_transport", "virtiofs", "overlay", "virtio_rng", "virtio_balloon",
};

struct archive {
	int fd;
	uint32_t inode;
	uint64_t size;
};

static int put(struct archive *a, const void *data, size_t size)
{
	int r = fd_write_all(a->fd, data, size);

	a->size += size;
	return r < 0 ? fail(-r, "write the archive") : 0;
}

static int pad(struct archive *a)
{
	static const char zeros[4];

	return put(a, zeros, (4 - a->size % 4) % 4);
}

/* @device: major and minor, for a character device. */
static int put_header(struct archive *a, const char *name, mode_t mode, uint64_t size, unsigned int major,
		      unsigned int minor)
{
	char header[HEADER_SIZE + 1];
	int r;

	if (size > UINT32_MAX)
		return fail_plain(EFBIG, "'%s' is too large", name);
	(void)snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		       ++a->inode, (unsigned int)mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, major, minor,
		       (unsigned int)strlen(name) + 1, 0);
	r = put(a, header, HEADER_SIZE);
	if (r == 0)
		r = put(a, name, strlen(name) + 1);
	return r < 0 ? r : pad(a);
}

static int put_text(struct archive *a, const char *name, const char *text)
{
	int r = put_header(a, name, S_IFREG | 0644, strlen(text), 0, 0);

	if (r == 0)
		r = put(a, text, strlen(text));
	return r < 0 ? r : pad(a);
}

/* What is from @at up to @end in @fd. */
static int put_part(struct archive *a, const char *name, mode_t mode, int fd, off_t at, off_t end)
{
	uint64_t size = (uint64_t)(end - at);
	int r = put_header(a, name, S_IFREG | mode, size, 0, 0);

	while (r == 0 && at < end) {
		ssize_t n = sendfile(a->fd, fd, &at, (size_t)(end - at));

		if (n <= 0)
			return fail(n < 0 ? errno : EIO, "copy '%s'", name);
	}
	a->size += size;
	return r < 0 ? r : pad(a);
}

static int put_file(struct archive *a, const char *name, mode_t mode, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? fail(errno, "look at '%s'", name) : put_part(a, name, mode, fd, 0, st.st_size);
}

/*
 * The signature of a module stands behind it: the PKCS#7 message, twelve bytes whose last four are its size, and a mark.
 * Source: the kernel's scripts/sign-file.c, include/linux/module_signature.h.
 */
#define SIGNATURE_MARK "~Module signature appended~\n"

static int module_size(int fd, off_t *ret_size, off_t *ret_module)
{
	struct {
		uint8_t about[8];
		uint32_t size;
		char mark[sizeof(SIGNATURE_MARK) - 1];
	} __attribute__((packed)) tail;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at a module");
	*ret_size = *ret_module = st.st_size;
	if (st.st_size < (off_t)sizeof(tail))
		return 0;
	if (pread(fd, &tail, sizeof(tail), st.st_size - (off_t)sizeof(tail)) != (ssize_t)sizeof(tail))
		return fail(errno, "read a module");
	if (memcmp(tail.mark, SIGNATURE_MARK, sizeof(tail.mark)) == 0 &&
	    (off_t)be32toh(tail.size) < st.st_size - (off_t)sizeof(tail))
		*ret_module = st.st_size - (off_t)sizeof(tail) - (off_t)be32toh(tail.size);
	return 0;
}

/* "kernel/fs/fuse/fuse.ko.xz" is "lib/fuse.ko". */
static int module_name(const char *path, char **ret_name)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *end = strstr(base, ".ko");

	return str_format(ret_name, "lib/%.*s.ko", end ? (int)(end - base) : (int)strlen(base), base);
}

static int put_module(struct archive *a, int modules, const char *path, struct str_list *names)
{
	cleanup_fd int file = openat(modules, path, O_RDONLY | O_CLOEXEC), unpacked = -1;
	cleanup_free char *name = NULL, *signature = NULL;
	off_t size = 0, module = 0;
	int r;

	if (file < 0)
		return fail(errno, "open module '%s'", path);
	unpacked = vm_unpack_memory(file);
	if (unpacked < 0)
		return fail_in(unpacked, "module '%s'", path);
	r = module_size(unpacked, &size, &module);
	if (r == 0)
		r = module_name(path, &name);
	if (r == 0)
		r = str_list_addf(names, "/%s", name);
	if (r == 0)
		r = put_part(a, name, 0644, unpacked, 0, module);
	if (r < 0 || module == size)
		return r;
	r = str_format(&signature, "%s.sig", name);
	return r < 0 ? r : put_part(a, signature, 0644, unpacked, module, size);
}

static int put_modules(struct archive *a, const struct vm_kernel *kernel, const struct str_list *more)
{
	const char *wanted[ARRAY_SIZE(needed) + VM_INITRAMFS_MORE + 1] = { NULL };
	struct str_list paths = { .items = NULL }, names = { .items = NULL };
	cleanup_free char *text = NULL;
	int r;

	memcpy(wanted, needed, sizeof(needed));
	for (size_t i = 0; i < more->count && i < VM_INITRAMFS_MORE; i++)
		wanted[ARRAY_SIZE(needed) + i] = more->items[i];
	r = vm_modules_list(kernel->modules, wanted, &paths);
	for (size_t i = 0; r == 0 && i < paths.count; i++)
		r = put_module(a, kernel->modules, paths.items[i], &names);
	if (r == 0)
		r = str_copy(&text, "");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		char *longer = NULL;

		r = str_format(&longer, "%s%s\n", text, names.items[i]);
		if (r == 0) {
			free(text);
			text = longer;
		}
	}
	if (r == 0)
		r = put_text(a, "modules", text);
	str_list_done(&paths);
	str_list_done(&names);
	return r;
}

static int archive_write(struct archive *a, const struct vm_kernel *kernel, const struct str_list *more, int agent)
{
	static const char *const folders[] = { "dev", "lib", "new", "proc", "sys" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
		r = put_header(a, folders[i], S_IFDIR | 0755, 0, 0, 0);
	if (r == 0) /* the kernel gives it to the agent as its standard streams */
		r = put_header(a, "dev/console", S_IFCHR | 0600, 0, 5, 1);
	if (r == 0)
		r = put_file(a, "init", 0755, agent);
	if (r == 0)
		r = put_modules(a, kernel, more);
	return r < 0 ? r : put_header(a, "TRAILER!!!", 0, 0, 0, 0);
}

static int archive_make(const struct vm_kernel *kernel, const struct str_list *more, int cache, int agent,
			const char *name)
{
	struct archive a = { .inode = 0 };
	cleanup_free char *fresh = NULL;
	cleanup_fd int fd = -1;
	int r = str_format(&fresh, ".%s.%d", name, (int)getpid());

	if (r < 0)
		return r;
	fd = openat(cache, fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fail(errno, "make '%s'", fresh);
	a.fd = fd;
	r = archive_write(&a, kernel, more, agent);
	/* templates know it by its inode: all who start at once must have the same */
	if (r == 0)
		return fd_rename_first(cache, fresh, name);
	(void)unlinkat(cache, fresh, 0);
	return r;
}

int vm_initramfs_open(const struct vm_kernel *kernel, const struct str_list *more, int cache, int agent)
{
	cleanup_free char *name = NULL;
	struct stat st;
	int fd, r;

	if (fstat(agent, &st) < 0)
		return fail(errno, "look at the guest's agent");
	r = str_format(&name, "initramfs-%d-%s-%llx-%llx", ARCHIVE_VERSION, kernel->release,
		       (unsigned long long)st.st_size,
		       (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL + (unsigned long long)st.st_mtim.tv_nsec);
	for (size_t i = 0; r == 0 && i < more->count; i++) {
		char *longer = NULL;

		r = str_format(&longer, "%s-%s", name, more->items[i] + strspn(more->items[i], "?"));
		if (r == 0) {
			free(name);
			name = longer;
		}
	}
	if (r == 0 && more->count > VM_INITRAMFS_MORE)
		r = fail_plain(E2BIG, "at most %d kinds of file systems", VM_INITRAMFS_MORE);
	if (r < 0)
		return r;
	fd = openat(cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	r = archive_make(kernel, more, cache, agent, name);
	if (r < 0)
		return fail_in(r, "make the guest's first file system");
	fd = openat(cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? fail(errno, "open '%s'", name) : fd;
}
