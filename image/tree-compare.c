/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two trees side by side: the names of a folder sorted, then entry by entry. Links among files are compared by
 * their count alone, since content and metadata are compared for each name.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/internal.h"
#include "image/tree.h"
#include "runtime/base/error.h"

enum { CHUNK = 64 * 1024, DEPTH_MAX = 400 };

static int differ(const char *name, const char *what)
{
	(void)fail_plain(EINVAL, "'%s': %s", name, what);
	return TREE_DIFFERS;
}

static int names_read(int fd, struct str_list *ret)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!stream) {
		if (copy >= 0)
			(void)close(copy);
		return fail(errno, "read a folder");
	}
	while ((errno = 0, entry = readdir(stream))) {
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
		    str_list_add(ret, entry->d_name) < 0)
			return -ENOMEM;
	}
	if (errno)
		return fail(errno, "read a folder");
	names_sort(ret);
	return 0;
}

static int content_compare(int a, int b, const char *name)
{
	cleanup_free char *one = malloc(CHUNK), *two = malloc(CHUNK);
	off_t at = 0;

	if (!one || !two)
		return fail(ENOMEM, "compare");
	for (;;) {
		ssize_t n = pread(a, one, CHUNK, at), m = pread(b, two, CHUNK, at);

		if (n < 0 || m < 0)
			return fail(errno, "read '%s'", name);
		if (n != m || memcmp(one, two, (size_t)n) != 0)
			return differ(name, "its content differs");
		if (n == 0)
			return 0;
		at += n;
	}
}

/* Attributes that the file system or a security module adds by itself are not the image's. */
static int attributes_compare(int a, int b, const char *name)
{
	cleanup_free char *list = malloc(XATTR_LIST_MAX), *one = malloc(CHUNK), *two = malloc(CHUNK);
	int counts[2] = { 0, 0 }, fds[2] = { a, b };

	if (!one || !two || !list)
		return fail(ENOMEM, "compare");
	for (int side = 0; side < 2; side++) {
		ssize_t len = flistxattr(fds[side], list, XATTR_LIST_MAX);

		if (len < 0 && errno == ENOTSUP)
			return 0;
		if (len < 0)
			return fail(errno, "attributes of '%s'", name);
		for (char *key = list; key < list + len; key += strlen(key) + 1) {
			ssize_t n, m;

			if (str_eq(key, "security.selinux") || str_eq(key, "security.apparmor"))
				continue;
			counts[side]++;
			n = fgetxattr(a, key, one, CHUNK);
			m = fgetxattr(b, key, two, CHUNK);
			if (n != m || (n > 0 && memcmp(one, two, (size_t)n) != 0))
				return differ(name, "its attributes differ");
		}
	}
	return counts[0] == counts[1] ? 0 : differ(name, "its attributes differ");
}

static int links_compare(int a, int b, const char *name)
{
	char one[PATH_MAX], two[PATH_MAX];
	ssize_t n = readlinkat(a, name, one, sizeof(one)), m = readlinkat(b, name, two, sizeof(two));

	if (n < 0 || m < 0)
		return fail(errno, "read link '%s'", name);
	return n == m && memcmp(one, two, (size_t)n) == 0 ? 0 : differ(name, "it leads elsewhere");
}

static int stat_compare(const struct stat *a, const struct stat *b, const char *name)
{
	if (a->st_mode != b->st_mode)
		return differ(name, "its kind or mode differs");
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return differ(name, "its owner differs");
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		return differ(name, "its time differs");
	if (a->st_rdev != b->st_rdev)
		return differ(name, "it is another device");
	if (!S_ISDIR(a->st_mode) && (a->st_nlink != b->st_nlink || a->st_size != b->st_size))
		return differ(name, "its size or number of links differs");
	return 0;
}

static int folder_compare(int a, int b, int depth);

static int entry_compare(int a, int b, const char *name, int depth)
{
	cleanup_fd int one = -1, two = -1;
	struct stat sa, sb;
	int r;

	if (fstatat(a, name, &sa, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(b, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at '%s'", name);
	r = stat_compare(&sa, &sb, name);
	if (r == 0 && S_ISLNK(sa.st_mode))
		return links_compare(a, b, name);
	if (r != 0 || (!S_ISREG(sa.st_mode) && !S_ISDIR(sa.st_mode)))
		return r;
	one = openat(a, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	two = openat(b, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (one < 0 || two < 0)
		return fail(errno, "open '%s'", name);
	r = attributes_compare(one, two, name);
	if (r != 0)
		return r;
	return S_ISDIR(sa.st_mode) ? folder_compare(one, two, depth + 1) : content_compare(one, two, name);
}

static int folder_compare(int a, int b, int depth)
{
	struct str_list one = { .items = NULL }, two = { .items = NULL };
	int r = depth > DEPTH_MAX ? fail_plain(ELOOP, "too deep a tree") : names_read(a, &one);

	if (r >= 0)
		r = names_read(b, &two);
	for (size_t i = 0; r == 0 && (i < one.count || i < two.count); i++) {
		int order = i >= one.count ? 1 : i >= two.count ? -1 : strcmp(one.items[i], two.items[i]);

		if (order < 0)
			r = differ(one.items[i], "it is in the first alone");
		else if (order > 0)
			r = differ(two.items[i], "it is in the second alone");
		else
			r = entry_compare(a, b, one.items[i], depth);
	}
	str_list_done(&one);
	str_list_done(&two);
	return r;
}

int tree_compare(int a, int b)
{
	struct stat sa, sb;
	int r;

	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0)
		return fail(errno, "look at a folder");
	r = stat_compare(&sa, &sb, ".");
	if (r == 0)
		r = attributes_compare(a, b, ".");
	return r == 0 ? folder_compare(a, b, 0) : r;
}
