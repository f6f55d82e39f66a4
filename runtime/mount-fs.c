/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The new mount API. A file system is configured key by key, so that a bad option is told from a
 * bad file system; what the kernel logs about it is read back from the context and put into the
 * message.
 */
#include "runtime/mount-fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

/* The first line that the kernel logged as an error, without its "e ". Empty when there is none. */
static void log_read(int fs, char *line, size_t size)
{
	ssize_t n;

	while ((n = read(fs, line, size - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'e' && line[1] == ' ') {
			memmove(line, line + 2, strlen(line + 2) + 1);
			return;
		}
	}
	line[0] = '\0';
}

int mount_fail(int fs, int errnum, const char *fmt, ...)
{
	char text[512], line[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_read(fs, line, sizeof(line));
	if (line[0])
		return fail(errnum, "%s (%s)", text, line);
	return fail(errnum, "%s", text);
}

#define UNMAPPED "is the id mapped in the user namespace?"

static bool is_id(const char *option)
{
	return str_starts(option, "gid=") || str_starts(option, "uid=");
}

static int option_set(int fs, const char *option)
{
	const char *equals = strchr(option, '=');
	char key[64];
	int r, err;

	if (!equals) {
		r = fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	} else {
		if ((size_t)(equals - option) >= sizeof(key))
			return fail(EINVAL, "option '%s'", option);
		memcpy(key, option, (size_t)(equals - option));
		key[equals - option] = '\0';
		r = fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
	}
	if (r == 0)
		return 0;
	err = errno;
	/* A group or user that the user namespace does not map is just "invalid" to the kernel. */
	if (err == EINVAL && is_id(option))
		return mount_fail(fs, err, "option '%s' (" UNMAPPED ")", option);
	if (err == EINVAL && strlen(option) > 255)
		return mount_fail(fs, err, "option '%.32s…' (a value may have 255 bytes)", option);
	return mount_fail(fs, err, "option '%s'", option);
}

static int super_flags_set(int fs, uint64_t flags)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} known[] = {
		{ MS_RDONLY, "ro" },         { MS_SYNCHRONOUS, "sync" }, { MS_DIRSYNC, "dirsync" },
		{ MS_LAZYTIME, "lazytime" }, { MS_MANDLOCK, "mand" },
	};
	int r;

	if (flags & MS_I_VERSION)
		return fail_plain(EINVAL,
				  "option 'iversion' is not supported by the kernel's mount API");
	for (size_t i = 0; flags && i < ARRAY_SIZE(known); i++) {
		if (!(flags & known[i].flag))
			continue;
		r = option_set(fs, known[i].name);
		if (r < 0)
			return r;
	}
	return 0;
}

int mount_create(int fs, uint64_t attrs, const char *suspect, int *ret_mount)
{
	int mnt, err;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		err = errno;
		if (err == EINVAL && suspect)
			(void)mount_fail(fs, err,
					 "create the file system: option '%s' (" UNMAPPED ")",
					 suspect);
		else
			(void)mount_fail(fs, err, "create the file system");
		return err == EPERM || err == EBUSY ? MOUNT_REFUSED : -err;
	}
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	if (mnt < 0) {
		err = errno;
		(void)mount_fail(fs, err, "make the mount");
		return err == EPERM || err == EBUSY ? MOUNT_REFUSED : -err;
	}
	*ret_mount = mnt;
	return 0;
}

int mount_new(const struct mount_new *want, int *ret_mount)
{
	return mount_labelled(want, NULL, ret_mount);
}

int mount_labelled(const struct mount_new *want, const char *label, int *ret_mount)
{
	cleanup_fd int fs = fsopen(want->type, FSOPEN_CLOEXEC);
	const char *suspect = NULL;
	int r;

	if (fs < 0 && errno == ENODEV)
		return fail(ENODEV, "file system '%s' is unknown to this kernel", want->type);
	if (fs < 0 && errno == EPERM) {
		(void)fail(EPERM, "open file system '%s'", want->type);
		return MOUNT_REFUSED;
	}
	if (fs < 0)
		return fail(errno, "open file system '%s'", want->type);
	if (want->source && fsconfig(fs, FSCONFIG_SET_STRING, "source", want->source, 0) < 0)
		return mount_fail(fs, errno, "source '%s'", want->source);
	for (size_t i = 0; want->options && i < want->options->count; i++) {
		r = option_set(fs, want->options->items[i]);
		if (r < 0)
			return r;
		if (is_id(want->options->items[i]))
			suspect = want->options->items[i];
	}
	r = label ? option_set(fs, label) : 0;
	if (r == 0)
		r = super_flags_set(fs, want->super_flags);
	if (r < 0)
		return r;
	return mount_create(fs, want->attrs, suspect, ret_mount);
}

/* As one text; none where an option has a comma in it, which is what ends one there. */
static bool options_join(const struct str_list *options, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; options && i < options->count; i++) {
		const char *option = options->items[i];
		int n = snprintf(text + len, size - len, "%s%s", len ? "," : "", option);

		if (strchr(option, ',') || n < 0 || (size_t)n >= size - len)
			return false;
		len += (size_t)n;
	}
	return true;
}

int mount_over(const struct mount_new *want, int target, int *ret_mount)
{
	static const struct {
		uint64_t attr;
		unsigned long flag;
	} known[] = {
		{ MOUNT_ATTR_NOSUID, MS_NOSUID },	    { MOUNT_ATTR_NODEV, MS_NODEV },
		{ MOUNT_ATTR_NOEXEC, MS_NOEXEC },	    { MOUNT_ATTR_NOATIME, MS_NOATIME },
		{ MOUNT_ATTR_STRICTATIME, MS_STRICTATIME }, { MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
		{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
	};
	/* MS_RDONLY would be the whole file system's, which may have other mounts, now or later. */
	uint64_t late = want->attrs & MOUNT_ATTR_RDONLY, left = want->attrs & ~late;
	cleanup_fd int mnt = -1;
	unsigned long flags = 0;
	char options[1024];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!(left & known[i].attr))
			continue;
		left &= ~known[i].attr;
		flags |= known[i].flag;
	}
	if (left || want->super_flags || !options_join(want->options, options, sizeof(options)))
		return MOUNT_REFUSED;
	if (fchdir(target) < 0 || mount(want->source ? want->source : "none", ".", want->type, flags, options) < 0)
		return MOUNT_REFUSED;
	if (!late && !ret_mount)
		return 0;
	/*
	 * @target is what the mount covers. With that as the root ".." stays where it is, and ends on what is mounted there: no name
	 * is looked up that somebody could have changed.
	 */
	mnt = fd_open_in(target, "..", O_PATH | O_DIRECTORY, 0);
	r = mnt < 0 ? mnt : mount_change(mnt, false, late, 0, 0);
	if (r < 0)
		return fail(-r, "make the mount read-only");
	if (ret_mount)
		*ret_mount = steal_fd(&mnt);
	return 0;
}

int mount_tree(const char *path, bool recursive, int *ret_mount)
{
	int mnt = open_tree(AT_FDCWD, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0U));

	if (mnt < 0)
		return -errno;
	*ret_mount = mnt;
	return 0;
}

int mount_tree_of(int fd, bool recursive, int *ret_mount)
{
	int mnt = open_tree(fd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
				    (recursive ? AT_RECURSIVE : 0U));

	if (mnt < 0)
		return -errno;
	*ret_mount = mnt;
	return 0;
}

int mount_attach(int mount, int target)
{
	if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return -errno;
	return 0;
}

static int attributes_set(int mount, bool recursive, struct mount_attr *attr)
{
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);

	return mount_setattr(mount, "", flags, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

int mount_change(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	if (!set && !clear && !propagation)
		return 0;
	/*
	 * The access time modes are one field of several values: to set one is to clear the others.
	 */
	if ((set | clear) & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	return attributes_set(mount, recursive, &attr);
}

int mount_idmap(int mount, bool recursive, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	return attributes_set(mount, recursive, &attr);
}
