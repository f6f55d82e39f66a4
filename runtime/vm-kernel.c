/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A distribution's kernel is a bzImage, whose header says where the compressed ELF image lies and what
 * release it is. The guest would take a second to unpack it at each boot; here it is done once.
 * Source: Documentation/arch/x86/boot.rst.
 */
#include "runtime/vm-kernel.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/vm-unpack.h"

enum {
	SETUP_SECTS = 0x1f1,
	HEADER_MAGIC = 0x202,
	KERNEL_VERSION = 0x20e,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
	SECTOR = 512,
	PAYLOAD_TRAILER = 4, /* the unpacked size, no part of the stream */
	RELEASE_MAX = 64, /* __NEW_UTS_LEN */
};

void vm_kernel_done(struct vm_kernel *kernel)
{
	if (kernel->fd >= 0)
		(void)close(kernel->fd);
	if (kernel->modules >= 0)
		(void)close(kernel->modules);
	free(kernel->release);
	*kernel = (struct vm_kernel)VM_KERNEL_NONE;
}

/* The word at the beginning of @text, when it can be a release: it becomes part of names of files. */
static int release_take(const char *text, size_t max, char **ret_release)
{
	size_t n = 0;

	while (n < max && n <= RELEASE_MAX && text[n] > ' ' && text[n] != '/' && text[n] < 0x7f)
		n++;
	if (n == 0 || n == max || n > RELEASE_MAX || text[0] == '.')
		return fail_plain(EINVAL, "it does not say its release");
	return str_format(ret_release, "%.*s", (int)n, text);
}

/* Without the banner it is another kernel, and has no release. */
static int elf_release(int fd, uint64_t size, char **ret_release)
{
	static const char banner[] = "Linux version ";
	char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0), *found;
	int r;

	if (map == MAP_FAILED)
		return fail(errno, "map it");
	found = memmem(map, size, banner, sizeof(banner) - 1);
	r = found ? release_take(found + sizeof(banner) - 1,
				 (size_t)(map + size - found) - (sizeof(banner) - 1), ret_release) : 0;
	(void)munmap(map, size);
	return r;
}

static uint32_t get32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Written beside its name first: whoever opens the name finds all of it. */
static int unpack_to(int fd, off_t at, uint64_t size, int cache, const char *name)
{
	cleanup_free char *fresh = NULL;
	cleanup_fd int to = -1;
	int r = str_format(&fresh, ".%s.%d", name, (int)getpid());

	if (r < 0)
		return r;
	to = openat(cache, fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (to < 0)
		return fail(errno, "make '%s'", fresh);
	r = vm_unpack(fd, at, size, to);
	/* templates know it by its inode: all who start at once must have the same */
	if (r == 0)
		return fd_rename_first(cache, fresh, name);
	(void)unlinkat(cache, fresh, 0);
	return r;
}

static int bzimage_open(int fd, const struct stat *st, int cache, struct vm_kernel *kernel)
{
	unsigned char head[HEADER_END];
	char text[RELEASE_MAX + 2];
	cleanup_free char *name = NULL;
	uint64_t start, length;
	ssize_t n = pread(fd, head, sizeof(head), 0);
	int r;

	if (n != (ssize_t)sizeof(head) || memcmp(head + HEADER_MAGIC, "HdrS", 4) != 0)
		return fail_plain(ENOEXEC, "it is neither an ELF file nor a bzImage");
	n = pread(fd, text, sizeof(text), SECTOR + (off_t)(get32(head + KERNEL_VERSION) & 0xffff));
	if (n < 0)
		return fail(errno, "read it");
	r = release_take(text, (size_t)n, &kernel->release);
	if (r < 0)
		return r;
	start = ((head[SETUP_SECTS] ? head[SETUP_SECTS] : 4) + 1ULL) * SECTOR + get32(head + PAYLOAD_OFFSET);
	length = get32(head + PAYLOAD_LENGTH);
	if (length <= PAYLOAD_TRAILER || start + length > (uint64_t)st->st_size)
		return fail_plain(EINVAL, "its header is wrong");
	r = str_format(&name, "vmlinux-%s-%llx-%llx", kernel->release, (unsigned long long)st->st_size,
		       (unsigned long long)st->st_mtim.tv_sec);
	if (r < 0)
		return r;
	kernel->fd = openat(cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (kernel->fd >= 0)
		return 0;
	r = unpack_to(fd, (off_t)start, length - PAYLOAD_TRAILER, cache, name);
	if (r < 0)
		return r;
	kernel->fd = openat(cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return kernel->fd < 0 ? fail(errno, "open '%s'", name) : 0;
}

static int image_open(const char *path, int cache, struct vm_kernel *kernel)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char magic[SELFMAG] = "";
	struct stat st;
	int r;

	if (fd < 0)
		return fail(errno, "open it");
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at it");
	if (!S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "it is no regular file");
	if (pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
	    memcmp(magic, ELFMAG, SELFMAG) != 0)
		return bzimage_open(fd, &st, cache, kernel);
	r = elf_release(fd, (uint64_t)st.st_size, &kernel->release);
	kernel->fd = steal_fd(&fd);
	return r;
}

static int modules_open(const char *path, struct vm_kernel *kernel)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *beside = NULL, *usual = NULL;
	int r = str_format(&usual, "/lib/modules/%s", kernel->release);

	if (r == 0)
		r = str_format(&beside, "%.*slib/modules/%s", slash ? (int)(slash - path) + 1 : 0, path,
			       kernel->release);
	if (r < 0)
		return r;
	kernel->modules = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (kernel->modules < 0)
		kernel->modules = open(usual, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return kernel->modules < 0 ? fail(errno, "its modules, '%s'", usual) : 0;
}

static int newest_find(char **ret_path)
{
	cleanup_free char *best = NULL;
	DIR *boot = opendir("/boot");
	struct dirent *entry;
	int r = 0;

	while (boot && r == 0 && (entry = readdir(boot)))
		if (str_starts(entry->d_name, "vmlinuz-") && (!best || strverscmp(entry->d_name, best) > 0))
			r = str_copy(&best, entry->d_name);
	if (boot)
		(void)closedir(boot);
	if (r < 0)
		return r;
	if (!best)
		return fail_plain(ENOENT, "there is no kernel for a guest: no /boot/vmlinuz-*, and no vm.kernel.path");
	return str_format(ret_path, "/boot/%s", best);
}

static int default_find(char **ret_path)
{
	struct utsname running;
	int r;

	if (uname(&running) < 0)
		return fail(errno, "ask for the kernel's release");
	r = str_format(ret_path, "/boot/vmlinuz-%s", running.release);
	if (r < 0 || access(*ret_path, R_OK) == 0)
		return r;
	free(steal_ptr(ret_path));
	return newest_find(ret_path);
}

int vm_kernel_open(const char *path, int cache, struct vm_kernel *ret_kernel)
{
	struct vm_kernel kernel = VM_KERNEL_NONE;
	cleanup_free char *found = NULL;
	int r = path ? str_copy(&found, path) : default_find(&found);

	if (r < 0)
		return r;
	r = image_open(found, cache, &kernel);
	if (r == 0 && kernel.release)
		r = modules_open(found, &kernel);
	if (r < 0) {
		vm_kernel_done(&kernel);
		return fail_in(r, "kernel '%s'", found);
	}
	*ret_kernel = kernel;
	return 0;
}
