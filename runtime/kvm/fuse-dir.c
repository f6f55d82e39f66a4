/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: looking them up, listing, making, moving and removing them. Each works on one component
 * under a held directory; the synthetic root has the shares and cannot be changed.
 */
#include "runtime/kvm/fuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

/* The least and the most of a name's struct listed below. */
enum { LIST_SIZE = 16 * 1024, LISTED_MIN = 24, LISTED_MAX = 280 };

/* As getdents64(2) writes it. */
struct listed {
	uint64_t ino;
	int64_t off;
	uint16_t size;
	uint8_t type;
	char name[];
};

static int share_find(const struct fuse *fuse, const char *name)
{
	for (unsigned int i = 0; i < fuse->share_count; i++)
		if (strcmp(fuse->shares[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

/* Look @name up and count it. Return: 0 or -errno. */
static int enter_child(struct fuse *fuse, uint64_t parent_id, const char *name,
		       struct fuse_entry_out *ret)
{
	const struct fuse_node *parent = fuse_node(fuse, parent_id);
	int share, fd;

	if (parent) {
		fd = fuse_child_open(parent, name);
		return fd < 0 ? fd : fuse_node_enter(fuse, fd, parent->share, ret);
	}
	if (parent_id != FUSE_NODE_ROOT)
		return -ENOENT;
	share = share_find(fuse, name);
	if (share < 0)
		return share;
	fd = fcntl(fuse->shares[share].fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fuse_node_enter(fuse, fd, (uint32_t)share, ret);
}

static int answer_entry(const struct fuse_call *call, int r, const struct fuse_entry_out *entry)
{
	if (r < 0)
		return r;
	memcpy(call->out, entry, sizeof(*entry));
	return sizeof(*entry);
}

int fuse_op_lookup(struct fuse_call *call)
{
	struct fuse_entry_out entry;
	const char *name;
	int r = fuse_names(call, 0, 1, &name);

	if (r == 0)
		r = enter_child(call->fuse, call->node, name, &entry);
	return answer_entry(call, r, &entry);
}

int fuse_op_forget(struct fuse_call *call)
{
	const struct fuse_forget_in *in = (const void *)call->args;

	fuse_node_forget(call->fuse, call->node, in->nlookup);
	return 0;
}

int fuse_op_batch_forget(struct fuse_call *call)
{
	const struct fuse_batch_forget_in *in = (const void *)call->args;
	const struct fuse_forget_one *each = (const void *)(in + 1);
	size_t room = (call->args_size - sizeof(*in)) / sizeof(*each);

	for (uint32_t i = 0; i < in->count && i < room; i++)
		fuse_node_forget(call->fuse, each[i].nodeid, each[i].nlookup);
	return 0;
}

int fuse_owner_set(const struct fuse_call *call, const struct fuse_node *parent, int fd,
		   mode_t mode)
{
	struct stat above, st;
	char path[FUSE_PATH_SIZE];
	gid_t gid = call->gid;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(parent->fd, "", &above, AT_EMPTY_PATH) < 0)
		return -errno;
	if (above.st_mode & S_ISGID)
		gid = st.st_gid;
	if (st.st_uid == call->uid && st.st_gid == gid)
		return 0;
	if (fchownat(fd, "", call->uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* A new owner clears these bits; a directory keeps the one it has inherited. */
	if (S_ISREG(st.st_mode) && mode & (S_ISUID | S_ISGID) &&
	    chmod(fuse_path(path, fd), mode & 07777) < 0)
		return -errno;
	return 0;
}

/* What was just made: its owner, its entry; it is removed again when that fails. */
static int made(struct fuse_call *call, const struct fuse_node *parent, const char *name,
		mode_t mode)
{
	struct fuse_entry_out entry;
	int fd = fuse_child_open(parent, name), dir = parent->fd, r;

	if (fd < 0)
		return fd;
	r = fuse_owner_set(call, parent, fd, mode);
	if (r < 0) {
		(void)close(fd);
		(void)unlinkat(dir, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
		return r;
	}
	return answer_entry(call, fuse_node_enter(call->fuse, fd, parent->share, &entry), &entry);
}

int fuse_op_mkdir(struct fuse_call *call)
{
	const struct fuse_mkdir_in *in = (const void *)call->args;
	struct fuse_node *parent;
	const char *name;
	int r = fuse_names(call, sizeof(*in), 1, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	if (mkdirat(parent->fd, name, in->mode & 07777) < 0)
		return -errno;
	return made(call, parent, name, S_IFDIR | (in->mode & 07777));
}

int fuse_op_mknod(struct fuse_call *call)
{
	const struct fuse_mknod_in *in = (const void *)call->args;
	struct fuse_node *parent;
	const char *name;
	int r = fuse_names(call, sizeof(*in), 1, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	/* A device of the guest's is none of the host's. */
	if (!S_ISREG(in->mode) && !S_ISFIFO(in->mode) && !S_ISSOCK(in->mode))
		return -EPERM;
	if (mknodat(parent->fd, name, in->mode, 0) < 0)
		return -errno;
	return made(call, parent, name, in->mode);
}

int fuse_op_symlink(struct fuse_call *call)
{
	struct fuse_node *parent;
	const char *name, *target;
	size_t size;
	int r = fuse_names(call, 0, 1, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	/* The target is any text: we never follow it. */
	target = name + strlen(name) + 1;
	size = call->args_size - (size_t)((const uint8_t *)target - call->args);
	if (size == 0 || strnlen(target, size) == size)
		return -EINVAL;
	if (symlinkat(target, parent->fd, name) < 0)
		return -errno;
	return made(call, parent, name, S_IFLNK);
}

static int remove_name(struct fuse_call *call, int flags)
{
	struct fuse_node *parent;
	const char *name;
	int r = fuse_names(call, 0, 1, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	return unlinkat(parent->fd, name, flags) < 0 ? -errno : 0;
}

int fuse_op_unlink(struct fuse_call *call)
{
	return remove_name(call, 0);
}

int fuse_op_rmdir(struct fuse_call *call)
{
	return remove_name(call, AT_REMOVEDIR);
}

static int rename_names(struct fuse_call *call, size_t offset, uint64_t to_id, uint32_t flags)
{
	struct fuse_node *from, *to;
	const char *names[2];
	int r = fuse_names(call, offset, 2, names);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &from);
	if (r == 0)
		r = fuse_node_writable(call->fuse, to_id, &to);
	if (r < 0)
		return r;
	if (from->share != to->share)
		return -EXDEV;
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	return renameat2(from->fd, names[0], to->fd, names[1], flags) < 0 ? -errno : 0;
}

int fuse_op_rename(struct fuse_call *call)
{
	const struct fuse_rename_in *in = (const void *)call->args;

	return rename_names(call, sizeof(*in), in->newdir, 0);
}

int fuse_op_rename2(struct fuse_call *call)
{
	const struct fuse_rename2_in *in = (const void *)call->args;

	return rename_names(call, sizeof(*in), in->newdir, in->flags);
}

int fuse_op_link(struct fuse_call *call)
{
	const struct fuse_link_in *in = (const void *)call->args;
	const struct fuse_node *node = fuse_node(call->fuse, in->oldnodeid);
	struct fuse_entry_out entry;
	char path[FUSE_PATH_SIZE];
	struct fuse_node *parent;
	const char *name;
	int r = fuse_names(call, sizeof(*in), 1, &name);

	if (r == 0)
		r = fuse_node_writable(call->fuse, call->node, &parent);
	if (r < 0)
		return r;
	if (!node)
		return -ENOENT;
	if (node->share != parent->share)
		return -EXDEV;
	if (linkat(AT_FDCWD, fuse_path(path, node->fd), parent->fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return answer_entry(call, enter_child(call->fuse, call->node, name, &entry), &entry);
}

int fuse_op_opendir(struct fuse_call *call)
{
	const struct fuse_node *node = fuse_node(call->fuse, call->node);
	struct fuse_open_out out = { .open_flags = 0 };
	int fd = -1, r;

	if (!node && call->node != FUSE_NODE_ROOT)
		return -ENOENT;
	if (node) {
		fd = fuse_reopen(node->fd, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fd;
	}
	r = fuse_handle_new(call->fuse, fd, node ? node->share : 0, true, !node, &out.fh);
	if (r < 0)
		return r;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

/* Where a listing goes. */
struct listing {
	struct fuse_call *call;
	size_t used, room;
	bool plus;
};

/* One more name. Return: false when it does not fit. */
static bool list_add(struct listing *list, const char *name, uint64_t ino, uint8_t type,
		     uint64_t next)
{
	bool self = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
	size_t head = list->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	size_t name_size = strlen(name);
	size_t size = FUSE_DIRENT_ALIGN(head + name_size);
	struct fuse_direntplus entry = { .dirent = { .ino = ino, .off = next, .type = type } };
	uint8_t *at = list->call->out + list->used;

	if (size > list->room - list->used)
		return false;
	entry.dirent.namelen = (uint32_t)name_size;
	/* A name that is gone by now is listed without what it was: the guest looks it up if it must. */
	if (list->plus && !self &&
	    enter_child(list->call->fuse, list->call->node, name, &entry.entry_out) < 0)
		entry.entry_out = (struct fuse_entry_out){ .nodeid = 0 };
	memset(at, 0, size);
	if (list->plus)
		memcpy(at, &entry, FUSE_NAME_OFFSET_DIRENTPLUS);
	else
		memcpy(at, &entry.dirent, FUSE_NAME_OFFSET);
	memcpy(at + head, name, name_size);
	list->used += size;
	return true;
}

static int list_root(struct listing *list, uint64_t offset)
{
	const struct fuse *fuse = list->call->fuse;

	for (uint64_t i = offset; i < fuse->share_count; i++)
		if (!list_add(list, fuse->shares[i].name, i + 2, DT_UNKNOWN, i + 1))
			break;
	return (int)list->used;
}

/* What getdents64(2) may fill for a room: with the shortest names each byte of it becomes as many for the guest. */
static size_t listing_size(const struct listing *list, size_t room)
{
	size_t size = list->plus ? room / FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 1) * LISTED_MIN : room / 4 * 3;

	return size < LIST_SIZE ? size : LIST_SIZE;
}

/*
 * No more is read than fits, so that the descriptor need not go back: file systems that count names (tmpfs before Linux 6.6) give
 * others the same numbers when some are removed meanwhile, and 'rm -r' removes as it lists.
 */
static int list_directory(struct listing *list, struct fuse_handle *handle, int64_t offset)
{
	uint8_t names[LIST_SIZE] __attribute__((aligned(8)));
	size_t size = listing_size(list, list->room);
	bool first = true;

	if (handle->next != offset && lseek(handle->fd, offset, SEEK_SET) < 0)
		return -errno;
	handle->next = offset;
	for (; first || size >= LISTED_MIN; first = false) {
		long n = syscall(SYS_getdents64, handle->fd, names, first && size < LISTED_MAX ? LISTED_MAX : size);

		if (n == 0 || (n < 0 && !first))
			break; /* the end, or a name too long for what is left */
		if (n < 0)
			return -errno;
		for (long at = 0; at < n;) {
			const struct listed *each = (const void *)(names + at);

			if (!list_add(list, each->name, each->ino, each->type, (uint64_t)each->off)) {
				handle->next = -1;
				return (int)list->used;
			}
			handle->next = each->off;
			at += each->size;
		}
		size = listing_size(list, list->room - list->used);
	}
	return (int)list->used;
}

int fuse_op_readdir(struct fuse_call *call)
{
	const struct fuse_read_in *in = (const void *)call->args;
	struct fuse_handle *handle = fuse_handle(call->fuse, in->fh, true);
	struct listing list = {
		.call = call,
		.room = in->size < call->out_max ? in->size : call->out_max,
		.plus = call->opcode == FUSE_READDIRPLUS,
	};

	if (!handle)
		return -EBADF;
	return handle->root ? list_root(&list, in->offset) : list_directory(&list, handle, (int64_t)in->offset);
}
