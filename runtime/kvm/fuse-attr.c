/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes: of the inode itself and extended ones, and of the file system. What an O_PATH
 * descriptor cannot do is done by the inode's name in the working directory, /proc/self/fd.
 */
#include "runtime/kvm/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

void fuse_root_attr(struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){ .ino = 1, .mode = S_IFDIR | 0555, .nlink = 2, .blksize = 4096 };
}

static int answer_attr(struct fuse_call *call, int fd)
{
	struct fuse_attr_out out = { .attr_valid = FUSE_VALID_S };
	struct stat st;

	if (fd < 0) {
		fuse_root_attr(&out.attr);
	} else {
		if (fstatat(fd, "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		fuse_attr_fill(call->fuse, &st, &out.attr);
	}
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

int fuse_op_getattr(struct fuse_call *call)
{
	const struct fuse_node *node = fuse_node(call->fuse, call->node);

	if (!node && call->node != FUSE_NODE_ROOT)
		return -ENOENT;
	return answer_attr(call, node ? node->fd : -1);
}

static int set_size(const struct fuse_call *call, const struct fuse_node *node,
		    const struct fuse_setattr_in *in)
{
	const struct fuse_handle *handle =
		in->valid & FATTR_FH ? fuse_handle(call->fuse, in->fh, false) : NULL;
	cleanup_fd int fd = -1;

	if (handle)
		return ftruncate(handle->fd, (off_t)in->size) < 0 ? -errno : 0;
	if (node->type != S_IFREG)
		return -EINVAL;
	fd = fuse_reopen(node->fd, O_WRONLY);
	if (fd < 0)
		return fd;
	return ftruncate(fd, (off_t)in->size) < 0 ? -errno : 0;
}

static struct timespec time_of(const struct fuse_setattr_in *in, uint32_t given, uint32_t now,
			       uint64_t seconds, uint32_t nanoseconds)
{
	if (in->valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (in->valid & given)
		return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = nanoseconds };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

int fuse_op_setattr(struct fuse_call *call)
{
	const struct fuse_setattr_in *in = (const void *)call->args;
	char path[FUSE_PATH_SIZE];
	struct fuse_node *node;
	int r = fuse_node_writable(call->fuse, call->node, &node);

	if (r < 0)
		return r;
	(void)fuse_path(path, node->fd);
	/* Owner before mode: a change of owner clears bits of the mode. */
	if (in->valid & (FATTR_UID | FATTR_GID) &&
	    fchownat(node->fd, "", in->valid & FATTR_UID ? in->uid : (uid_t)-1,
		     in->valid & FATTR_GID ? in->gid : (gid_t)-1,
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (in->valid & FATTR_MODE && chmod(path, in->mode & 07777) < 0)
		return -errno;
	if (in->valid & FATTR_SIZE) {
		r = set_size(call, node, in);
		if (r < 0)
			return r;
	}
	if (in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW)) {
		const struct timespec times[2] = {
			time_of(in, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
			time_of(in, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
		};

		if (utimensat(AT_FDCWD, path, times, 0) < 0)
			return -errno;
	}
	return answer_attr(call, node->fd);
}

int fuse_op_readlink(struct fuse_call *call)
{
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	ssize_t n;

	if (!node)
		return -ENOENT;
	n = readlinkat(node->fd, "", (char *)call->out, call->out_max);
	return n < 0 ? -errno : (int)n;
}

int fuse_op_statfs(struct fuse_call *call)
{
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	struct fuse_statfs_out out = { .st = { .bsize = 4096, .frsize = 4096, .namelen = 255 } };
	struct statfs fs;

	if (node) {
		if (fstatfs(node->fd, &fs) < 0)
			return -errno;
		out.st = (struct fuse_kstatfs){
			.blocks = fs.f_blocks,
			.bfree = fs.f_bfree,
			.bavail = fs.f_bavail,
			.files = fs.f_files,
			.ffree = fs.f_ffree,
			.bsize = (uint32_t)fs.f_bsize,
			.namelen = (uint32_t)fs.f_namelen,
			.frsize = (uint32_t)fs.f_frsize,
		};
	}
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

/* The attribute's name at @offset. Return: 0 or -errno. */
static int xattr_name(const struct fuse_call *call, size_t offset, const char **ret)
{
	size_t room = call->args_size - offset, size;

	if (offset >= call->args_size)
		return -EINVAL;
	*ret = (const char *)call->args + offset;
	size = strnlen(*ret, room);
	return size == 0 || size == room ? -EINVAL : 0;
}

int fuse_op_setxattr(struct fuse_call *call)
{
	/* Without FUSE_SETXATTR_EXT the struct ends after its second field. */
	const struct fuse_setxattr_in *in = (const void *)call->args;
	char path[FUSE_PATH_SIZE];
	struct fuse_node *node;
	const char *name;
	size_t value;
	int r = xattr_name(call, FUSE_COMPAT_SETXATTR_IN_SIZE, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &node);
	if (r < 0)
		return r;
	value = FUSE_COMPAT_SETXATTR_IN_SIZE + strlen(name) + 1;
	if (in->size > call->args_size - value)
		return -EINVAL;
	return setxattr(fuse_path(path, node->fd), name, call->args + value, in->size,
			(int)in->flags) < 0
		       ? -errno
		       : 0;
}

/* A value or a list of @n bytes: itself, or its size when that was asked. */
static int answer_xattr(const struct fuse_call *call, uint32_t asked, ssize_t n)
{
	struct fuse_getxattr_out out = { .size = n > 0 ? (uint32_t)n : 0 };

	if (n < 0)
		return -errno;
	if (asked != 0)
		return (int)n;
	if (call->out_max < sizeof(out))
		return -EINVAL;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

static size_t xattr_room(const struct fuse_call *call, uint32_t asked)
{
	return asked < call->out_max ? asked : call->out_max;
}

int fuse_op_getxattr(struct fuse_call *call)
{
	const struct fuse_getxattr_in *in = (const void *)call->args;
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	char path[FUSE_PATH_SIZE];
	const char *name;
	int r = xattr_name(call, sizeof(*in), &name);

	if (r < 0)
		return r;
	if (!node)
		return call->node == FUSE_NODE_ROOT ? -ENODATA : -ENOENT;
	return answer_xattr(
		call, in->size,
		getxattr(fuse_path(path, node->fd), name, call->out, xattr_room(call, in->size)));
}

int fuse_op_listxattr(struct fuse_call *call)
{
	const struct fuse_getxattr_in *in = (const void *)call->args;
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	char path[FUSE_PATH_SIZE];

	if (!node)
		return call->node == FUSE_NODE_ROOT ? answer_xattr(call, in->size, 0) : -ENOENT;
	return answer_xattr(call, in->size,
			    listxattr(fuse_path(path, node->fd), (char *)call->out,
				      xattr_room(call, in->size)));
}

int fuse_op_removexattr(struct fuse_call *call)
{
	char path[FUSE_PATH_SIZE];
	struct fuse_node *node;
	const char *name;
	int r = xattr_name(call, 0, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &node);
	if (r < 0)
		return r;
	return removexattr(fuse_path(path, node->fd), name) < 0 ? -errno : 0;
}
