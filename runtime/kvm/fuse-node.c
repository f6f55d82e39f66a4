/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inodes and open files that the guest knows by numbers. A number is an index into a table, and
 * is judged at each use; the same inode reached by two names is one node (by device and inode
 * number, in a hash table), so that the guest sees hard links as what they are.
 */
#include "runtime/kvm/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { NODES_FIRST = 256, HANDLES_FIRST = 64, BLOCK = 4096, DAX_LEAST = 65536 };

/* Ids: 1 is the synthetic root, node i of the table is i + FUSE_NODE_ROOT; entry 0 is never used. */
struct fuse_node *fuse_node(struct fuse *fuse, uint64_t id)
{
	uint64_t i = id - FUSE_NODE_ROOT;

	if (i == 0 || i >= fuse->node_room || fuse->nodes[i].lookups == 0)
		return NULL;
	return &fuse->nodes[i];
}

int fuse_node_writable(struct fuse *fuse, uint64_t id, struct fuse_node **ret)
{
	struct fuse_node *node = fuse_node(fuse, id);

	if (!node)
		return id == FUSE_NODE_ROOT ? -EROFS : -ENOENT;
	if (fuse->shares[node->share].read_only)
		return -EROFS;
	*ret = node;
	return 0;
}

static uint32_t hash(const struct fuse *fuse, uint64_t device, uint64_t inode)
{
	uint64_t mixed = (inode ^ device << 20) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(mixed >> 32) & (fuse->bucket_count - 1);
}

/* Twice as many nodes; the table of buckets grows with it. */
static int nodes_grow(struct fuse *fuse)
{
	uint32_t room = fuse->node_room ? fuse->node_room * 2 : NODES_FIRST;
	struct fuse_node *nodes;
	uint32_t *buckets;

	if (room > FUSE_NODES_MAX)
		return -ENFILE;
	nodes = realloc(fuse->nodes, room * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	fuse->nodes = nodes;
	buckets = calloc(room, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(fuse->buckets);
	fuse->buckets = buckets;
	fuse->bucket_count = room;
	for (uint32_t i = room - 1; i >= (fuse->node_room ? fuse->node_room : 1); i--) {
		nodes[i] = (struct fuse_node){ .fd = -1, .next = fuse->node_free };
		fuse->node_free = i;
	}
	if (fuse->node_room == 0)
		nodes[0] = (struct fuse_node){ .fd = -1 };
	for (uint32_t i = 1; i < fuse->node_room; i++) {
		uint32_t *bucket;

		if (nodes[i].lookups == 0)
			continue;
		bucket = &buckets[hash(fuse, nodes[i].device, nodes[i].inode)];
		nodes[i].next = *bucket;
		*bucket = i;
	}
	fuse->node_room = room;
	return 0;
}

static uint32_t node_find(const struct fuse *fuse, const struct stat *st, uint32_t share)
{
	uint32_t i = fuse->bucket_count ? fuse->buckets[hash(fuse, st->st_dev, st->st_ino)] : 0;

	for (; i != 0; i = fuse->nodes[i].next)
		if (fuse->nodes[i].inode == st->st_ino && fuse->nodes[i].device == st->st_dev &&
		    fuse->nodes[i].share == share)
			return i;
	return 0;
}

static int node_new(struct fuse *fuse, int fd, const struct stat *st, uint32_t share, uint32_t *ret)
{
	uint32_t i, *bucket;

	if (fuse->node_free == 0) {
		int r = nodes_grow(fuse);

		if (r < 0)
			return r;
	}
	i = fuse->node_free;
	fuse->node_free = fuse->nodes[i].next;
	bucket = &fuse->buckets[hash(fuse, st->st_dev, st->st_ino)];
	fuse->nodes[i] = (struct fuse_node){
		.fd = fd,
		.share = share,
		.type = st->st_mode & S_IFMT,
		.device = st->st_dev,
		.inode = st->st_ino,
		.next = *bucket,
	};
	*bucket = i;
	*ret = i;
	return 0;
}

int fuse_node_enter(struct fuse *fuse, int fd, uint32_t share, struct fuse_entry_out *ret)
{
	struct stat st;
	uint32_t i;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
		int e = errno;

		(void)close(fd);
		return -e;
	}
	i = node_find(fuse, &st, share);
	if (i != 0) {
		(void)close(fd);
	} else {
		int r = node_new(fuse, fd, &st, share, &i);

		if (r < 0) {
			(void)close(fd);
			return r;
		}
	}
	fuse->nodes[i].lookups++;
	*ret = (struct fuse_entry_out){
		.nodeid = (uint64_t)i + FUSE_NODE_ROOT,
		.entry_valid = FUSE_VALID_S,
		.attr_valid = FUSE_VALID_S,
	};
	fuse_attr_fill(fuse, &st, &ret->attr);
	return 0;
}

static void node_drop(struct fuse *fuse, uint32_t i)
{
	struct fuse_node *node = &fuse->nodes[i];
	uint32_t *link = &fuse->buckets[hash(fuse, node->device, node->inode)];

	while (*link != 0 && *link != i)
		link = &fuse->nodes[*link].next;
	if (*link == i)
		*link = node->next;
	(void)close(node->fd);
	*node = (struct fuse_node){ .fd = -1, .next = fuse->node_free };
	fuse->node_free = i;
}

void fuse_node_forget(struct fuse *fuse, uint64_t id, uint64_t count)
{
	struct fuse_node *node = fuse_node(fuse, id);

	if (!node)
		return;
	if (count >= node->lookups)
		node_drop(fuse, (uint32_t)(id - FUSE_NODE_ROOT));
	else
		node->lookups -= count;
}

void fuse_nodes_drop(struct fuse *fuse)
{
	for (uint32_t i = 1; i < fuse->node_room; i++)
		if (fuse->nodes[i].lookups > 0)
			node_drop(fuse, i);
}

int fuse_child_open(const struct fuse_node *parent, const char *name)
{
	int fd = openat(parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void fuse_attr_fill(const struct fuse *fuse, const struct stat *st, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (minor(st->st_rdev) & 0xff) | major(st->st_rdev) << 8 |
			(minor(st->st_rdev) & ~0xffU) << 12,
		/* not the host's: the guest can map files only when it is a page */
		.blksize = BLOCK,
		/* what is smaller is copied as quickly as it is mapped */
		.flags = fuse->dax && S_ISREG(st->st_mode) && st->st_size >= DAX_LEAST ? FUSE_ATTR_DAX : 0,
	};
}

int fuse_handle_new(struct fuse *fuse, int fd, uint32_t share, bool directory, bool root,
		    uint64_t *ret_id)
{
	uint32_t i = 0, room;
	struct fuse_handle *handles;

	while (i < fuse->handle_room && fuse->handles[i].fd != -1)
		i++;
	if (i == fuse->handle_room) {
		room = fuse->handle_room ? fuse->handle_room * 2 : HANDLES_FIRST;
		handles = room > FUSE_HANDLES_MAX ? NULL
						  : realloc(fuse->handles, room * sizeof(*handles));
		if (!handles) {
			if (fd >= 0)
				(void)close(fd);
			return -ENFILE;
		}
		for (uint32_t k = fuse->handle_room; k < room; k++)
			handles[k] = (struct fuse_handle){ .fd = -1 };
		fuse->handles = handles;
		fuse->handle_room = room;
	}
	fuse->handles[i] = (struct fuse_handle){
		.fd = root ? -2 : fd,
		.share = share,
		.directory = directory,
		.root = root,
	};
	*ret_id = i;
	return 0;
}

struct fuse_handle *fuse_handle(struct fuse *fuse, uint64_t id, bool directory)
{
	if (id >= fuse->handle_room || fuse->handles[id].fd == -1 ||
	    fuse->handles[id].directory != directory)
		return NULL;
	return &fuse->handles[id];
}

void fuse_handle_free(struct fuse_handle *handle)
{
	if (handle->fd >= 0)
		(void)close(handle->fd);
	*handle = (struct fuse_handle){ .fd = -1 };
}

const char *fuse_path(char buf[FUSE_PATH_SIZE], int fd)
{
	(void)snprintf(buf, FUSE_PATH_SIZE, "%d", fd);
	return buf;
}

int fuse_reopen(int fd, int flags)
{
	char path[FUSE_PATH_SIZE];
	int opened = open(fuse_path(path, fd), flags | O_CLOEXEC | O_NOCTTY);

	return opened < 0 ? -errno : opened;
}
