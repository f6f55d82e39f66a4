/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fuse - a file server for one guest: directories of the host, each a child of one root
 *
 * The server has the descriptors of the shares and no other way to the host's files. A name from the
 * guest is one component, opened relative to a directory it has looked up before, without following
 * links; what is no regular file or directory is never opened. Each inode the guest knows is held by
 * an O_PATH descriptor, so that an operation is on that inode whatever happened to its name.
 *
 * One thread calls it, and its working directory is /proc/self/fd: there a held inode has a name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "runtime/kvm/virtq.h"

struct fuse_attr;
struct fuse_entry_out;
struct fuse_in_header;

enum {
	FUSE_SHARES_MAX = 32,
	FUSE_NODE_ROOT = 1,
	FUSE_NODES_MAX = 1 << 20,
	FUSE_HANDLES_MAX = 1 << 16,
	FUSE_NAME_SIZE = 256,
	FUSE_IN_SIZE = 68 * 1024, /* the largest request but for the data of a write */
	FUSE_OUT_SIZE = 68 * 1024,
};

struct fuse_share {
	char name[64];
	int fd; /* O_PATH or better; the configuration's */
	bool read_only;
};

/* An inode the guest knows; free when lookups is 0. */
struct fuse_node {
	int fd;
	uint32_t share;
	uint32_t type; /* S_IFMT of its mode, which never changes */
	uint64_t lookups;
	uint64_t device, inode;
	uint32_t next; /* in its chain of the hash table, or of free nodes */
};

struct fuse_handle {
	int fd; /* -1: free */
	uint32_t share;
	bool directory, root;
	int64_t next; /* of a directory: where its descriptor stands, as its file system counts; -1: elsewhere */
};

/*
 * struct fuse_window - where files may be mapped for the guest to read directly
 * @host: reserved address space of @size bytes, shown to the guest; size 0: there is none
 */
struct fuse_window {
	uint8_t *host;
	uint64_t size;
};

struct fuse {
	struct fuse_share shares[FUSE_SHARES_MAX];
	unsigned int share_count;
	struct fuse_window window;
	bool started; /* INIT was seen */
	bool dax;     /* and the guest takes a file's word for whether it is to be mapped */
	struct fuse_node *nodes;
	uint32_t node_room, node_free; /* node_free 0: none */
	uint32_t *buckets;
	uint32_t bucket_count;
	struct fuse_handle *handles;
	uint32_t handle_room;
	uint8_t in[FUSE_IN_SIZE] __attribute__((aligned(8)));
	uint8_t out[FUSE_OUT_SIZE] __attribute__((aligned(8)));
};

/*
 * struct fuse_call - one request being served
 * @args: behind the header, @args_size bytes, a copy; a NUL stands behind them
 * @out: room for the answer's payload, @out_max bytes
 * @chain: for data that need no copy
 */
struct fuse_call {
	struct fuse *fuse;
	const struct virtq_chain *chain;
	uint32_t opcode, uid, gid;
	uint64_t node;
	const uint8_t *args;
	size_t args_size;
	uint8_t *out;
	size_t out_max;
};

/* A struct fuse that is all zero but for its shares and window is ready: nothing is looked up yet. */

/* fuse_reset() - forget all inodes and handles, as after an unmount. */
void fuse_reset(struct fuse *fuse);
/*
 * fuse_resume() - serve a guest that has mounted already, as part of a template
 *
 * It knows the root and nothing below it: a template has no shares.
 */
void fuse_resume(struct fuse *fuse);
/* fuse_done() - release all but the shares' descriptors and the window. */
void fuse_done(struct fuse *fuse);

/* fuse_serve() - one request, answer included. Return: bytes written to the chain's writable parts. */
size_t fuse_serve(struct fuse *fuse, const struct virtq_chain *chain);

/*
 * An operation: returns the payload's size in call->out (for a READ: in the chain), or -errno.
 * They are in the tables of fuse.c; the arguments' least size is checked there.
 */
int fuse_op_lookup(struct fuse_call *call);
int fuse_op_forget(struct fuse_call *call);
int fuse_op_batch_forget(struct fuse_call *call);
int fuse_op_getattr(struct fuse_call *call);
int fuse_op_setattr(struct fuse_call *call);
int fuse_op_readlink(struct fuse_call *call);
int fuse_op_symlink(struct fuse_call *call);
int fuse_op_mknod(struct fuse_call *call);
int fuse_op_mkdir(struct fuse_call *call);
int fuse_op_unlink(struct fuse_call *call);
int fuse_op_rmdir(struct fuse_call *call);
int fuse_op_rename(struct fuse_call *call);
int fuse_op_rename2(struct fuse_call *call);
int fuse_op_link(struct fuse_call *call);
int fuse_op_open(struct fuse_call *call);
int fuse_op_create(struct fuse_call *call);
int fuse_op_read(struct fuse_call *call);
int fuse_op_write(struct fuse_call *call);
int fuse_op_statfs(struct fuse_call *call);
int fuse_op_release(struct fuse_call *call);
int fuse_op_fsync(struct fuse_call *call);
int fuse_op_flush(struct fuse_call *call);
int fuse_op_setxattr(struct fuse_call *call);
int fuse_op_getxattr(struct fuse_call *call);
int fuse_op_listxattr(struct fuse_call *call);
int fuse_op_removexattr(struct fuse_call *call);
int fuse_op_opendir(struct fuse_call *call);
int fuse_op_readdir(struct fuse_call *call);
int fuse_op_fallocate(struct fuse_call *call);
int fuse_op_lseek(struct fuse_call *call);
int fuse_op_copy_file_range(struct fuse_call *call);
int fuse_op_syncfs(struct fuse_call *call);
int fuse_op_setupmapping(struct fuse_call *call);
int fuse_op_removemapping(struct fuse_call *call);

/* What the operations share. */

/* fuse_node() - the inode @id, or NULL when the guest does not know one, or for the root. */
struct fuse_node *fuse_node(struct fuse *fuse, uint64_t id);

/* fuse_node_writable() - the same, for a change. Return: 0, -ENOENT, or -EROFS. */
int fuse_node_writable(struct fuse *fuse, uint64_t id, struct fuse_node **ret);

/*
 * fuse_node_enter() - the guest is told of an inode: count a lookup, fill what it is told
 * @fd: an O_PATH descriptor, taken over in any case
 *
 * Return: 0 or -errno.
 */
int fuse_node_enter(struct fuse *fuse, int fd, uint32_t share, struct fuse_entry_out *ret);

/* fuse_node_forget() - @count lookups less. */
void fuse_node_forget(struct fuse *fuse, uint64_t id, uint64_t count);

/* fuse_nodes_drop() - all of them. */
void fuse_nodes_drop(struct fuse *fuse);

/* fuse_child_open() - an O_PATH descriptor for @name in a directory. Return: it, or -errno. */
int fuse_child_open(const struct fuse_node *parent, const char *name);

/* fuse_attr_fill() - attributes as they go to the guest. */
void fuse_attr_fill(const struct fuse *fuse, const struct stat *st, struct fuse_attr *ret);

/*
 * fuse_handle_new() - a number for an open file
 * @fd: taken over in any case
 *
 * Return: 0 or -errno.
 */
int fuse_handle_new(struct fuse *fuse, int fd, uint32_t share, bool directory, bool root,
		    uint64_t *ret_id);
/* fuse_handle() - the open file @id, or NULL. */
struct fuse_handle *fuse_handle(struct fuse *fuse, uint64_t id, bool directory);
void fuse_handle_free(struct fuse_handle *handle);

/*
 * fuse_names() - the NUL-ended names at @offset of the arguments
 *
 * Each is one component: not empty, no '/', not "." or "..", at most 255 bytes. Return: 0 or -errno.
 */
int fuse_names(const struct fuse_call *call, size_t offset, unsigned int count,
	       const char **ret_names);

/* FUSE_PATH() - the held inode's name in the working directory. */
enum { FUSE_PATH_SIZE = 16 };
const char *fuse_path(char buf[FUSE_PATH_SIZE], int fd);

/* fuse_reopen() - open what an O_PATH descriptor holds. Return: fd or -errno. */
int fuse_reopen(int fd, int flags);

/*
 * fuse_owner_set() - what was just made belongs to who asked for it
 * @parent: a directory with the set-group-id bit hands its group down, as the host's kernel does
 *
 * Return: 0 or -errno.
 */
int fuse_owner_set(const struct fuse_call *call, const struct fuse_node *parent, int fd,
		   mode_t mode);

/* fuse_root_attr() - the synthetic root's. */
void fuse_root_attr(struct fuse_attr *ret);

/* How long the guest may believe what it was told, in seconds: the host may change a share as well. */
enum { FUSE_VALID_S = 1 };
