/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fd - opening what others may have prepared, and moving bytes
 *
 * Every path that comes from a spec, an image, a volume or a guest is opened through fd_open_in() or
 * fd_open_beneath(), under a directory fd. Every fd made here is close-on-exec and >= 3.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * fd_open_in() - open @path as if @dir were the root directory
 * @dir: directory fd; ".." and absolute symlinks stay inside it, magic links are refused
 * @flags: open(2) flags; O_CLOEXEC is added
 * @mode: for O_CREAT, else 0
 *
 * Return: the fd, which the caller closes, or -errno with nothing recorded: most callers try
 * several ways and know better what to say. Source: openat2(2), RESOLVE_IN_ROOT|NO_MAGICLINKS.
 */
int fd_open_in(int dir, const char *path, int flags, mode_t mode);

/* fd_open_beneath() - the same, but leaving @dir is an error (EXDEV) instead of being clamped. */
int fd_open_beneath(int dir, const char *path, int flags, mode_t mode);

/*
 * fd_lift() - move an fd that fell on 0, 1 or 2 (our caller had closed them) to 3 or above
 *
 * A negative @fd is passed through. Return: the fd, close-on-exec if it was moved, or -errno with @fd
 * closed (nothing recorded).
 */
int fd_lift(int fd);

/*
 * fd_streams_open() - put /dev/null in place of standard input, output and error where they are closed
 *
 * At a program's beginning: a file that it opens must never become somebody's standard output. Return: 0 or a recorded failure.
 */
int fd_streams_open(void);

/*
 * fd_reopen() - open again, with other flags, what an O_PATH fd refers to
 *
 * Goes through our own /proc (thread-self/fd), so it must not be used once /proc may be the
 * container's. Return: new fd, or -errno (nothing recorded).
 */
int fd_reopen(int fd, int flags);

/* fd_path() - the path of our own fd, /proc/self/fd/N, in @buf. Return: @buf. */
enum { FD_PATH_MAX = sizeof("/proc/self/fd/-2147483648") };
const char *fd_path(int fd, char buf[FD_PATH_MAX]);

/* fd_write_all() - write all of @data, through EINTR and short writes. Return: 0 or -errno (nothing recorded). */
int fd_write_all(int fd, const void *data, size_t size);

/*
 * fd_read_all() - read to the end of file
 * @limit: more bytes than this is -EFBIG
 * @ret_data: malloc'ed, a NUL behind the last byte; the caller frees it
 * @ret_size: may be NULL
 *
 * Return: 0 or -errno (nothing recorded).
 */
int fd_read_all(int fd, size_t limit, char **ret_data, size_t *ret_size);

/* fd_write_file() - open (dir, file) for writing only, no symlink followed, and write @text in one write(2). Return: 0 or a recorded failure. */
int fd_write_file(int dir, const char *file, const char *text);

/* fd_read_file() - the whole of a small (64 KiB at most) file. @ret_text: malloc'ed, the caller frees. Return: 0 or a recorded failure. */
int fd_read_file(int dir, const char *file, char **ret_text);

/*
 * fd_empty_folder() - remove what lies in a folder of ours: files, of which fd_replace_file() may have left one when it was killed
 * @what: the folder, for messages
 *
 * Return: 0 or a recorded failure.
 */
int fd_empty_folder(int dir, const char *what);

/*
 * fd_replace_file() - put a file in place as a whole: written beside it, then renamed over it
 * @mode: permission bits of the new file
 *
 * Not synced to disk. Return: 0 or a recorded failure; on failure the old file is untouched and the
 * temporary one is gone.
 */
int fd_replace_file(int dir, const char *file, const void *data, size_t size, mode_t mode);

/*
 * fd_replace_file_synced() - the same for what must outlive a loss of power: else the name can be there and nothing in the file
 * @dir: open for reading, not O_PATH
 *
 * Return: as above; after a failure to sync the name the new file may stand there.
 */
int fd_replace_file_synced(int dir, const char *file, const void *data, size_t size, mode_t mode);

/*
 * fd_rename_first() - rename @temp to @file, unless somebody's is there by now, who made the same: then theirs stays
 *
 * So all who open @file have one and the same. @temp is gone afterwards, on failure too. Return: 0 or a recorded failure.
 */
int fd_rename_first(int dir, const char *temp, const char *file);

/* fd_close_on_exec_from() - mark every fd >= @first close-on-exec (close_range(2)). Return: 0 or a recorded failure. */
int fd_close_on_exec_from(unsigned int first);

/* fd_is_device() - 1 when @fd is the character device @major:@minor, 0 when not, -errno. Nothing recorded. */
int fd_is_device(int fd, unsigned int major, unsigned int minor);

/* fd_is_kernels() - whether @fd lies on a file system whose files are the kernel's answers: no content for a copy (proc, sysfs, cgroups). */
bool fd_is_kernels(int fd);
