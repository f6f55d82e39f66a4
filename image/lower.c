/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into the layers below as overlayfs would show them. It is needed seldom: for a folder that a layer's entries
 * imply without describing it, for what a whiteout hides, and for a hard link to a file of a lower layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "image/writer-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

static bool is_opaque(int fd)
{
	char value;

	return (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

/* Whether something in one layer, above @path, hides @path in the layers below it. */
static int path_is_hidden(int layer, const char *path)
{
	char prefix[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		cleanup_fd int fd = -1;

		memcpy(prefix, path, (size_t)(slash - path));
		prefix[slash - path] = '\0';
		fd = tree_open(layer, prefix, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd == -ENOENT)
			return 0;
		if (fd == -ENOTDIR || fd == -ELOOP)
			return 1;
		if (fd < 0)
			return fail(-fd, "open '%s' of a lower layer", prefix);
		if (is_opaque(fd))
			return 1;
	}
	return 0;
}

int lower_find(const struct writer *w, const char *path, int flags, int *ret_fd, struct stat *ret_st)
{
	for (size_t i = 0; i < w->lower_count; i++) {
		cleanup_fd int fd = tree_open(w->lower[i], path, flags | O_NOFOLLOW, 0);
		int hidden;

		if (fd >= 0) {
			if (fstat(fd, ret_st) < 0)
				return fail(errno, "look at '%s' of a lower layer", path);
			if (is_whiteout(ret_st))
				return LOWER_NONE;
			*ret_fd = steal_fd(&fd);
			return 0;
		}
		if (fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
			return fail(-fd, "open '%s' of a lower layer", path);
		hidden = path_is_hidden(w->lower[i], path);
		if (hidden != 0)
			return hidden < 0 ? hidden : LOWER_NONE;
	}
	return LOWER_NONE;
}

int xattr_wanted(const char *name)
{
	if (str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay."))
		return fail_plain(EPERM, "attribute '%.100s' is overlayfs's own", name);
	return str_starts(name, "user.") || str_eq(name, "security.capability") ||
	       str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default");
}

int xattrs_copy(int from, int to)
{
	cleanup_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t len;

	if (!list || !value)
		return fail(ENOMEM, "attributes");
	len = flistxattr(from, list, XATTR_LIST_MAX);
	if (len < 0)
		return errno == ENOTSUP ? 0 : fail(errno, "attributes");
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		ssize_t n;

		if (str_starts(name, "trusted.") || str_starts(name, "user.overlay.") || xattr_wanted(name) <= 0)
			continue;
		n = fgetxattr(from, name, value, XATTR_SIZE_MAX);
		if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
			return fail(errno, "copy attribute '%s'", name);
	}
	return 0;
}
