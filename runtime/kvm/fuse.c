/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests come in, are copied once, judged, and served by the operation that the table names. What
 * the table does not name is ENOSYS, which a driver takes as "never ask again". Source:
 * include/uapi/linux/fuse.h and fs/fuse of the Linux kernel, protocol 7.31 and newer.
 */
#include "runtime/kvm/fuse.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"

enum { MINOR_OLDEST = 31, PAGES_MAX = 252, WRITE_MAX = PAGES_MAX * 4096 };

void fuse_reset(struct fuse *fuse)
{
	fuse_nodes_drop(fuse);
	for (uint32_t i = 0; i < fuse->handle_room; i++)
		fuse_handle_free(&fuse->handles[i]);
	fuse->started = false;
}

void fuse_done(struct fuse *fuse)
{
	fuse_reset(fuse);
	free(fuse->nodes);
	free(fuse->buckets);
	free(fuse->handles);
	fuse->nodes = NULL;
	fuse->buckets = NULL;
	fuse->handles = NULL;
	fuse->node_room = fuse->node_free = fuse->bucket_count = fuse->handle_room = 0;
}

int fuse_names(const struct fuse_call *call, size_t offset, unsigned int count,
	       const char **ret_names)
{
	for (unsigned int i = 0; i < count; i++) {
		const char *name = (const char *)call->args + offset;
		size_t room = call->args_size - offset, size;

		if (offset >= call->args_size)
			return -EINVAL;
		size = strnlen(name, room);
		if (size == room || size == 0)
			return -EINVAL;
		if (size >= FUSE_NAME_SIZE)
			return -ENAMETOOLONG;
		if (memchr(name, '/', size) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return -EINVAL;
		ret_names[i] = name;
		offset += size + 1;
	}
	return 0;
}

static int op_init(struct fuse_call *call)
{
	const uint32_t offered = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
				 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
				 FUSE_PARALLEL_DIROPS | FUSE_AUTO_INVAL_DATA | FUSE_MAX_PAGES |
				 FUSE_CACHE_SYMLINKS |
				 (call->fuse->window.size > 0 ? FUSE_MAP_ALIGNMENT : 0);
	const struct fuse_init_in *in = (const void *)call->args;
	/* Which file is read in place each file says (fuse_attr_fill()). */
	const bool dax = call->fuse->window.size > 0 && in->flags & FUSE_INIT_EXT && call->args_size >= sizeof(*in) &&
			 in->flags2 & FUSE_HAS_INODE_DAX >> 32;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = (offered & in->flags) | (dax ? FUSE_INIT_EXT : 0),
		.flags2 = dax ? FUSE_HAS_INODE_DAX >> 32 : 0,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = WRITE_MAX,
		.time_gran = 1,
		.max_pages = PAGES_MAX,
		.map_alignment = 12,
	};

	if (in->major != FUSE_KERNEL_VERSION || in->minor < MINOR_OLDEST)
		return -EPROTO;
	fuse_reset(call->fuse);
	call->fuse->started = true;
	call->fuse->dax = dax;
	memcpy(call->out, &out, sizeof(out));
	return sizeof(out);
}

void fuse_resume(struct fuse *fuse)
{
	fuse->started = true;
	/* A kernel that has not asked for it looks at no file's word. */
	fuse->dax = fuse->window.size > 0;
}

static int op_destroy(struct fuse_call *call)
{
	fuse_reset(call->fuse);
	return 0;
}

/* ACCESS and the like would be asked only without default_permissions. */
static int op_nothing(struct fuse_call *call)
{
	(void)call;
	return 0;
}

static const struct {
	int (*run)(struct fuse_call *call);
	size_t args_min, out_max;
} operations[] = {
	[FUSE_LOOKUP] = { fuse_op_lookup, 2, sizeof(struct fuse_entry_out) },
	[FUSE_FORGET] = { fuse_op_forget, sizeof(struct fuse_forget_in), 0 },
	[FUSE_GETATTR] = { fuse_op_getattr, sizeof(struct fuse_getattr_in),
			   sizeof(struct fuse_attr_out) },
	[FUSE_SETATTR] = { fuse_op_setattr, sizeof(struct fuse_setattr_in),
			   sizeof(struct fuse_attr_out) },
	[FUSE_READLINK] = { fuse_op_readlink, 0, 4096 },
	[FUSE_SYMLINK] = { fuse_op_symlink, 4, sizeof(struct fuse_entry_out) },
	[FUSE_MKNOD] = { fuse_op_mknod, sizeof(struct fuse_mknod_in),
			 sizeof(struct fuse_entry_out) },
	[FUSE_MKDIR] = { fuse_op_mkdir, sizeof(struct fuse_mkdir_in),
			 sizeof(struct fuse_entry_out) },
	[FUSE_UNLINK] = { fuse_op_unlink, 2, 0 },
	[FUSE_RMDIR] = { fuse_op_rmdir, 2, 0 },
	[FUSE_RENAME] = { fuse_op_rename, sizeof(struct fuse_rename_in), 0 },
	[FUSE_RENAME2] = { fuse_op_rename2, sizeof(struct fuse_rename2_in), 0 },
	[FUSE_LINK] = { fuse_op_link, sizeof(struct fuse_link_in), sizeof(struct fuse_entry_out) },
	[FUSE_OPEN] = { fuse_op_open, sizeof(struct fuse_open_in), sizeof(struct fuse_open_out) },
	[FUSE_CREATE] = { fuse_op_create, sizeof(struct fuse_create_in),
			  sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out) },
	[FUSE_READ] = { fuse_op_read, sizeof(struct fuse_read_in), 0 },
	[FUSE_WRITE] = { fuse_op_write, sizeof(struct fuse_write_in),
			 sizeof(struct fuse_write_out) },
	[FUSE_STATFS] = { fuse_op_statfs, 0, sizeof(struct fuse_statfs_out) },
	[FUSE_RELEASE] = { fuse_op_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_RELEASEDIR] = { fuse_op_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_FSYNC] = { fuse_op_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_FSYNCDIR] = { fuse_op_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_FLUSH] = { fuse_op_flush, sizeof(struct fuse_flush_in), 0 },
	[FUSE_SETXATTR] = { fuse_op_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 0 },
	[FUSE_GETXATTR] = { fuse_op_getxattr, sizeof(struct fuse_getxattr_in), FUSE_OUT_SIZE },
	[FUSE_LISTXATTR] = { fuse_op_listxattr, sizeof(struct fuse_getxattr_in), FUSE_OUT_SIZE },
	[FUSE_REMOVEXATTR] = { fuse_op_removexattr, 2, 0 },
	[FUSE_INIT] = { op_init, 16, sizeof(struct fuse_init_out) },
	[FUSE_DESTROY] = { op_destroy, 0, 0 },
	[FUSE_OPENDIR] = { fuse_op_opendir, sizeof(struct fuse_open_in),
			   sizeof(struct fuse_open_out) },
	[FUSE_READDIR] = { fuse_op_readdir, sizeof(struct fuse_read_in), FUSE_OUT_SIZE },
	[FUSE_READDIRPLUS] = { fuse_op_readdir, sizeof(struct fuse_read_in), FUSE_OUT_SIZE },
	[FUSE_ACCESS] = { op_nothing, sizeof(struct fuse_access_in), 0 },
	[FUSE_INTERRUPT] = { op_nothing, sizeof(struct fuse_interrupt_in), 0 },
	[FUSE_BATCH_FORGET] = { fuse_op_batch_forget, sizeof(struct fuse_batch_forget_in), 0 },
	[FUSE_FALLOCATE] = { fuse_op_fallocate, sizeof(struct fuse_fallocate_in), 0 },
	[FUSE_LSEEK] = { fuse_op_lseek, sizeof(struct fuse_lseek_in),
			 sizeof(struct fuse_lseek_out) },
	[FUSE_COPY_FILE_RANGE] = { fuse_op_copy_file_range, sizeof(struct fuse_copy_file_range_in),
				   sizeof(struct fuse_write_out) },
	[FUSE_SYNCFS] = { fuse_op_syncfs, sizeof(struct fuse_syncfs_in), 0 },
	[FUSE_SETUPMAPPING] = { fuse_op_setupmapping, sizeof(struct fuse_setupmapping_in), 0 },
	[FUSE_REMOVEMAPPING] = { fuse_op_removemapping, sizeof(struct fuse_removemapping_in), 0 },
};

static int dispatch(struct fuse_call *call)
{
	if (call->opcode >= ARRAY_SIZE(operations) || !operations[call->opcode].run)
		return -ENOSYS;
	if (!call->fuse->started && call->opcode != FUSE_INIT)
		return -EIO;
	if (call->args_size < operations[call->opcode].args_min)
		return -EINVAL;
	/* An answer that would not fit is not begun: READDIR and xattrs look at out_max themselves. */
	if (operations[call->opcode].out_max < FUSE_OUT_SIZE &&
	    operations[call->opcode].out_max > call->out_max && call->opcode != FUSE_READLINK &&
	    call->opcode != FUSE_INIT)
		return -EINVAL;
	return operations[call->opcode].run(call);
}

size_t fuse_serve(struct fuse *fuse, const struct virtq_chain *chain)
{
	size_t size = virtq_copy_in(chain, 0, fuse->in, sizeof(fuse->in) - 1);
	struct fuse_in_header header;
	struct fuse_out_header answer;
	struct fuse_call call;
	int r;

	if (size < sizeof(header))
		return 0;
	memcpy(&header, fuse->in, sizeof(header));
	/* The tail of a write is taken from the chain; of all else the header says how much there is. */
	if (header.len < sizeof(header) || header.len > chain->readable_bytes)
		return 0;
	if (header.len < size)
		size = header.len;
	fuse->in[size] = '\0';
	call = (struct fuse_call){
		.fuse = fuse,
		.chain = chain,
		.opcode = header.opcode,
		.uid = header.uid,
		.gid = header.gid,
		.node = header.nodeid,
		.args = fuse->in + sizeof(header),
		.args_size = size - sizeof(header),
		.out = fuse->out,
		.out_max = chain->writable_bytes > sizeof(answer)
				   ? chain->writable_bytes - sizeof(answer)
				   : 0,
	};
	if (call.out_max > sizeof(fuse->out))
		call.out_max = sizeof(fuse->out);
	r = dispatch(&call);
	/* INIT's answer has grown with the protocol: a driver with less room gets its beginning, and is told no more length. */
	if (r > 0 && header.opcode == FUSE_INIT && (size_t)r > call.out_max)
		r = (int)call.out_max;
	if (chain->writable_bytes < sizeof(answer))
		return 0; /* FORGET and its like want none */
	answer = (struct fuse_out_header){
		.len = (uint32_t)sizeof(answer) + (r > 0 ? (uint32_t)r : 0),
		.error = r < 0 ? r : 0,
		.unique = header.unique,
	};
	if (r > 0 && header.opcode != FUSE_READ)
		(void)virtq_copy_out(chain, sizeof(answer), fuse->out,
				     (size_t)r < call.out_max ? (size_t)r : call.out_max);
	(void)virtq_copy_out(chain, 0, &answer, sizeof(answer));
	return answer.len;
}
