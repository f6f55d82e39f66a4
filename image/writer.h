/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * writer - the entries of a layer, written as files below one folder, in overlayfs form
 *
 * Every name in an entry is hostile. It is split into components; none may be "..", none is followed when it is a
 * link; what a layer says about the layers below becomes whiteouts (char 0:0) and opaque folders.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct unpack_limits {
	int64_t bytes;		/* of all files of one layer */
	int64_t inodes;		/* names made by one layer */
	int depth;		/* components of a path */
	int64_t ratio;		/* unpacked to packed, beyond the first GiB */
	int seconds;		/* for one layer */
};

extern const struct unpack_limits unpack_limits_default;

struct folder_time;
struct id_maps;

struct writer {
	int root;		/* folder that is filled */
	const int *lower;	/* the layers below, top-most first */
	size_t lower_count;
	bool user_xattr;	/* overlay marks as user.overlay.* alone */
	bool privileged;	/* owners can be set */
	bool live;		/* a folder that others use, who may mean harm: no whiteouts, and folders that are there stay as they are */
	uid_t uid;		/* live: of folders that entries imply */
	gid_t gid;
	const struct id_maps *ids;	/* live: whose numbers the entries have; NULL: the same as ours */
	struct unpack_limits limits;
	/* results */
	bool opaque;		/* all layers below are hidden */
	int64_t bytes, inodes;
	/* its own */
	char *parent_path;	/* the last parent, which is most often the next one's too */
	int parent;
	struct folder_time *times;
	size_t time_count, time_room;
};

struct entry_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct entry {
	const char *path;
	mode_t type;		/* S_IFMT bits; 0 for a hard link */
	mode_t mode;		/* 07777 */
	uid_t uid;
	gid_t gid;
	dev_t device;
	struct timespec mtime;
	const char *link;	/* where a symbolic link leads, or the file that a hard link names */
	int64_t size;
	const struct entry_xattr *xattrs;
	size_t xattr_count;
};

/* writer_begin() - the root, unless it is live, as if it were implied: an entry for "./" changes it. Return: 0 or a recorded failure. */
int writer_begin(struct writer *w);

/*
 * writer_add() - make one entry
 *
 * Return: 0; WRITER_DATA with @ret_fd the caller's: write the content there, then call writer_file_end(); or a recorded failure.
 */
enum { WRITER_DATA = 1 };
int writer_add(struct writer *w, const struct entry *e, int *ret_fd);
/* writer_file_end() - owner, mode, attributes and time of a file whose content is written. Return: 0 or a recorded failure. */
int writer_file_end(struct writer *w, const struct entry *e, int fd);
/* writer_end() - after the last entry: the times of folders. Return: 0 or a recorded failure. */
int writer_end(struct writer *w);
void writer_done(struct writer *w);
