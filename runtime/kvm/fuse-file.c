/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files: their data move between the host's file and the guest's memory without a copy of ours.
 * Only regular files are opened, through the descriptor that holds them, never by a name that could
 * be a pipe or a device by now.
 */
#include "runtime/kvm/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

enum { OPEN_FLAGS = O_ACCMODE | O_APPEND | O_TRUNC, PAGE = 4096, MAPPINGS_MAX = 256 };

static bool is_change(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

int fuse_op_open(struct fuse_call *call)
{
	const struct fuse_open_in *in = (const void *)call->args;
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	struct fuse_open_out out = { .open_flags = 0 };
	int fd, r;

	if (!node)
		return -ENOENT;
	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -ENXIO;
	if (is_change(in->flags) && call->fuse->shares[node->share].read_only)
		return -EROFS;
	fd = fuse_reopen(node->fd, (int)in->flags & OPEN_FLAGS);
	if (fd < 0)
		return fd;
	r = fuse_handle_new(call->fuse, fd, node->share, false, false, &out.fh);
	if (r < 0)
		return r;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

/* A new file, or the regular file that has the name already. Return: fd or -errno. */
static int create_or_open(const struct fuse_call *call, const struct fuse_node *parent,
			  const char *name, const struct fuse_create_in *in)
{
	int flags = (int)in->flags & OPEN_FLAGS, r;
	cleanup_fd int held = -1;
	struct stat st;
	cleanup_fd int fd =
		openat(parent->fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       in->mode & 07777);

	if (fd >= 0) {
		r = fuse_owner_set(call, parent, fd, in->mode);
		if (r < 0) {
			(void)unlinkat(parent->fd, name, 0);
			return r;
		}
		return steal_fd(&fd);
	}
	if (errno != EEXIST || in->flags & O_EXCL)
		return -errno;
	held = fuse_child_open(parent, name);
	if (held < 0)
		return held;
	if (fstatat(held, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? fuse_reopen(held, flags) : -ENXIO;
}

int fuse_op_create(struct fuse_call *call)
{
	const struct fuse_create_in *in = (const void *)call->args;
	struct fuse_open_out opened = { .open_flags = 0 };
	struct fuse_entry_out entry;
	struct fuse_node *parent;
	const char *name;
	uint32_t share;
	int r = fuse_names(call, sizeof(*in), 1, &name), fd, held;

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	share = parent->share; /* entering a node may move them all */
	fd = create_or_open(call, parent, name, in);
	if (fd < 0)
		return fd;
	held = fuse_reopen(fd, O_PATH);
	r = held < 0 ? held : fuse_node_enter(call->fuse, held, share, &entry);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = fuse_handle_new(call->fuse, fd, share, false, false, &opened.fh);
	if (r < 0) {
		fuse_node_forget(call->fuse, entry.nodeid, 1);
		return r;
	}
	memcpy(call->out, &entry, sizeof(entry));
	memcpy(call->out + sizeof(entry), &opened, sizeof(opened));
	return sizeof(entry) + sizeof(opened);
}

int fuse_op_read(struct fuse_call *call)
{
	const struct fuse_read_in *in = (const void *)call->args;
	const struct fuse_handle *handle = fuse_handle(call->fuse, in->fh, false);
	const struct virtq_chain *chain = call->chain;
	struct iovec parts[VIRTQ_SIZE_MAX];
	unsigned int count;
	ssize_t n;

	if (!handle)
		return -EBADF;
	count = virtq_slice(chain->parts + chain->readable, chain->writable,
			    sizeof(struct fuse_out_header), in->size, parts);
	if (in->offset > INT64_MAX)
		return -EINVAL;
	n = preadv(handle->fd, parts, (int)count, (off_t)in->offset);
	return n < 0 ? -errno : (int)n;
}

int fuse_op_write(struct fuse_call *call)
{
	const struct fuse_write_in *in = (const void *)call->args;
	const struct fuse_handle *handle = fuse_handle(call->fuse, in->fh, false);
	const size_t offset = sizeof(struct fuse_in_header) + sizeof(*in);
	const struct virtq_chain *chain = call->chain;
	struct fuse_write_out out = { .size = 0 };
	struct iovec parts[VIRTQ_SIZE_MAX];
	unsigned int count;
	ssize_t n;

	if (!handle)
		return -EBADF;
	if (in->size > chain->readable_bytes - offset || in->offset > INT64_MAX)
		return -EINVAL;
	count = virtq_slice(chain->parts, chain->readable, offset, in->size, parts);
	n = pwritev(handle->fd, parts, (int)count, (off_t)in->offset);
	if (n < 0)
		return -errno;
	out.size = (uint32_t)n;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

int fuse_op_release(struct fuse_call *call)
{
	const struct fuse_release_in *in = (const void *)call->args;
	struct fuse_handle *handle =
		fuse_handle(call->fuse, in->fh, call->opcode == FUSE_RELEASEDIR);

	if (!handle)
		return -EBADF;
	fuse_handle_free(handle);
	return 0;
}

int fuse_op_flush(struct fuse_call *call)
{
	const struct fuse_flush_in *in = (const void *)call->args;

	/* Data are the host's as soon as they are written: there is nothing to say at a close. */
	return fuse_handle(call->fuse, in->fh, false) ? 0 : -EBADF;
}

int fuse_op_fsync(struct fuse_call *call)
{
	const struct fuse_fsync_in *in = (const void *)call->args;
	const struct fuse_handle *handle =
		fuse_handle(call->fuse, in->fh, call->opcode == FUSE_FSYNCDIR);
	int r;

	if (!handle)
		return -EBADF;
	if (handle->root)
		return 0;
	r = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(handle->fd) : fsync(handle->fd);
	return r < 0 ? -errno : 0;
}

int fuse_op_syncfs(struct fuse_call *call)
{
	const struct fuse *fuse = call->fuse;
	int r = 0;

	for (unsigned int i = 0; i < fuse->share_count; i++) {
		cleanup_fd int fd = -1;

		if (fuse->shares[i].read_only)
			continue;
		fd = fuse_reopen(fuse->shares[i].fd, O_RDONLY | O_NONBLOCK);
		if (fd < 0 || syncfs(fd) < 0)
			r = -EIO;
	}
	return r;
}

int fuse_op_fallocate(struct fuse_call *call)
{
	const struct fuse_fallocate_in *in = (const void *)call->args;
	const struct fuse_handle *handle = fuse_handle(call->fuse, in->fh, false);

	if (!handle)
		return -EBADF;
	if (in->mode &
	    ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	return fallocate(handle->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0
		       ? -errno
		       : 0;
}

int fuse_op_lseek(struct fuse_call *call)
{
	const struct fuse_lseek_in *in = (const void *)call->args;
	const struct fuse_handle *handle = fuse_handle(call->fuse, in->fh, false);
	struct fuse_lseek_out out;
	off_t at;

	if (!handle)
		return -EBADF;
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	at = lseek(handle->fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	out.offset = (uint64_t)at;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

int fuse_op_copy_file_range(struct fuse_call *call)
{
	const struct fuse_copy_file_range_in *in = (const void *)call->args;
	const struct fuse_handle *from = fuse_handle(call->fuse, in->fh_in, false);
	const struct fuse_handle *to = fuse_handle(call->fuse, in->fh_out, false);
	off_t from_at = (off_t)in->off_in, to_at = (off_t)in->off_out;
	struct fuse_write_out out = { .size = 0 };
	ssize_t n;

	if (!from || !to)
		return -EBADF;
	if (in->flags != 0)
		return -EINVAL;
	n = copy_file_range(from->fd, &from_at, to->fd, &to_at,
			    in->len < INT32_MAX ? in->len : INT32_MAX, 0);
	if (n < 0)
		return -errno;
	out.size = (uint32_t)n;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

static bool in_window(const struct fuse_window *window, uint64_t offset, uint64_t len)
{
	return len > 0 && (offset | len) % PAGE == 0 && offset < window->size &&
	       len <= window->size - offset;
}

/* The host's page cache into the guest's address space; protection is the mapping's. */
int fuse_op_setupmapping(struct fuse_call *call)
{
	const struct fuse_setupmapping_in *in = (const void *)call->args;
	const struct fuse_window *window = &call->fuse->window;
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	bool write = in->flags & FUSE_SETUPMAPPING_FLAG_WRITE;
	cleanup_fd int fd = -1;
	const void *at;

	if (!node || node->type != S_IFREG)
		return -EBADF;
	if (!in_window(window, in->moffset, in->len) || in->foffset % PAGE != 0 ||
	    in->foffset > INT64_MAX - in->len)
		return -EINVAL;
	if (write && call->fuse->shares[node->share].read_only)
		return -EROFS;
	fd = fuse_reopen(node->fd, write ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return fd;
	at = mmap(window->host + in->moffset, in->len, PROT_READ | (write ? PROT_WRITE : 0),
		  MAP_SHARED | MAP_FIXED, fd, (off_t)in->foffset);
	/* cppcheck-suppress memleak ; it is a piece of the window */
	return at == MAP_FAILED ? -errno : 0;
}

int fuse_op_removemapping(struct fuse_call *call)
{
	const struct fuse_removemapping_in *in = (const void *)call->args;
	const struct fuse_removemapping_one *each = (const void *)(in + 1);
	const struct fuse_window *window = &call->fuse->window;

	if (in->count > MAPPINGS_MAX || call->args_size < sizeof(*in) + in->count * sizeof(*each))
		return -EINVAL;
	for (uint32_t i = 0; i < in->count; i++) {
		struct fuse_removemapping_one one;
		const void *at;

		memcpy(&one, (const uint8_t *)each + i * sizeof(one), sizeof(one));
		if (!in_window(window, one.moffset, one.len))
			return -EINVAL;
		at = mmap(window->host + one.moffset, one.len, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			return -errno;
	}
	return 0;
}
