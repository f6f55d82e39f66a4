/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps read as a list. A container cannot be made on the kernel's first root, which no pivot_root
 * leaves: so the second step moves to a tmpfs, in which there is nothing at all of ours.
 */
#include "runtime/in-vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"

#define CGROUPS "/sys/fs/cgroup"

enum { SIGNATURE_MAX = 64 << 10 };

struct place {
	const char *path, *type, *options;
	unsigned long flags;
};

static int places_mount(const struct place *places)
{
	for (const struct place *p = places; p->path; p++) {
		if (mkdir(p->path, 0755) < 0 && errno != EEXIST)
			return fail(errno, "make '%s'", p->path);
		if (mount(p->type, p->path, p->type, p->flags, p->options) < 0)
			return fail(errno, "mount '%s'", p->path);
	}
	return 0;
}

static int module_insert(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(errno, "open '%s'", path);
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return fail(errno, "load '%s'", path);
	return 0;
}

/* The kernel finds a signature at the end of a module. */
static int signature_append(const char *path, const char *signature)
{
	cleanup_free char *text = NULL;
	size_t size;
	cleanup_fd int from = open(signature, O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	int r = from < 0 || to < 0 ? -errno : fd_read_all(from, SIGNATURE_MAX, &text, &size);

	if (r == 0)
		r = fd_write_all(to, text, size);
	return r < 0 ? fail(-r, "sign '%s'", path) : 0;
}

/* Signed only for a kernel that insists on it: to check a signature takes longer than all else about a module. */
static int module_load(const char *path)
{
	cleanup_free char *signature = NULL;
	int r = str_format(&signature, "%s.sig", path);

	if (r < 0)
		return r;
	r = module_insert(path);
	if (r < 0 && access(signature, F_OK) == 0) {
		r = signature_append(path, signature);
		if (r == 0)
			r = module_insert(path);
	}
	/* It is in memory twice otherwise. */
	(void)unlink(path);
	(void)unlink(signature);
	return r;
}

static int modules_load(void)
{
	cleanup_free char *text = NULL;
	char *rest, *path;
	int r = fd_read_file(AT_FDCWD, "/modules", &text);

	rest = text;
	while (r == 0 && (path = strsep(&rest, "\n")))
		if (*path)
			r = module_load(path);
	return r;
}

static int root_make(void)
{
	static const struct place root[] = {
		{ "/new", "tmpfs", "mode=755,size=16m", MS_NOSUID | MS_NODEV },
		{ "/new/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "/new/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "/new/dev", "devtmpfs", "mode=755", MS_NOSUID },
		{ .path = NULL },
	};
	int r = places_mount(root);

	if (r < 0)
		return r;
	(void)unlink("/init");
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fail(errno, "move to it");
	return 0;
}

static int rest_mount(void)
{
	static const struct place rest[] = {
		{ "/dev/pts", "devpts", "mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC },
		{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
		{ "/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV },
		{ "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
		{ CGROUPS, "cgroup2", "nsdelegate", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ .path = NULL },
	};

	return places_mount(rest);
}

/* What a kernel was not built with is missed by the container that asks for it. */
static int controllers_enable(void)
{
	static const char *const wanted[] = { "+cpu", "+cpuset", "+io", "+memory", "+pids" };
	cleanup_fd int dir = open(CGROUPS, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail(errno, "open '" CGROUPS "'");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		(void)fd_write_file(dir, "cgroup.subtree_control", wanted[i]);
	return 0;
}

static int shares_mount(void)
{
	if (mkdir(IN_VM_SHARES, 0755) < 0)
		return fail(errno, "make '" IN_VM_SHARES "'");
	if (mount(IN_VM_TAG, IN_VM_SHARES, "virtiofs", 0, NULL) < 0)
		return fail(errno, "mount the host's files");
	return 0;
}

static int links_make(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};

	(void)umask(022);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			return fail(errno, "make '%s'", links[i][1]);
	return 0;
}

struct step {
	const char *name;
	int (*run)(void);
};

static int steps_run(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = steps[i].run();

		if (r < 0)
			return fail_in(r, "%s", steps[i].name);
	}
	return 0;
}

/* What every machine with this kernel and agent has; a template is taken behind it. */
static const struct step prepare_steps[] = {
	{ "load the modules",           modules_load       },
	{ "make a root",                root_make          },
	{ "mount the rest",             rest_mount         },
	{ "enable cgroup controllers",  controllers_enable },
	{ "make links",                 links_make         },
	{ "mount the shares",           shares_mount       }, /* a template has none below; its clones have theirs */
};

int in_vm_prepare(void)
{
	return steps_run(prepare_steps, ARRAY_SIZE(prepare_steps));
}
