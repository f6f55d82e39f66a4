/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where cgroup v2 is mounted, which path a spec means, and opening, joining and reading one cgroup.
 * Making one is in cgroup-make.c and controllers.c, freezing in freeze.c, listing and killing in
 * processes.c, removing in remove.c.
 */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

/* Return: 1 or 0, or a recorded failure. */
static int is_cgroup2(int fd)
{
	struct statfs about;

	if (fstatfs(fd, &about) < 0)
		return fail(errno, "look at '/sys/fs/cgroup'");
	return about.f_type == CGROUP2_SUPER_MAGIC;
}

int cgroup_host_open(int *ret_fd)
{
	cleanup_fd int base = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int unified = -1;
	int r = 0;

	/* That it cannot be looked at must not pass for its not being there: what is in it would be forgotten. */
	if (base < 0 && errno != ENOENT)
		return fail(errno, "open '/sys/fs/cgroup'");
	if (base >= 0)
		r = is_cgroup2(base);
	if (r > 0) {
		*ret_fd = steal_fd(&base);
		return CGROUP_HOST_UNIFIED;
	}
	if (r == 0 && base >= 0) {
		unified = openat(base, "unified", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (unified < 0 && errno != ENOENT)
			return fail(errno, "open '/sys/fs/cgroup/unified'");
	}
	if (unified >= 0)
		r = is_cgroup2(unified);
	if (r < 0)
		return r;
	*ret_fd = r > 0 ? steal_fd(&unified) : -1;
	return r > 0 ? CGROUP_HOST_HYBRID : CGROUP_HOST_V1;
}

int cgroup_folder(const char *path, char **ret_folder)
{
	cleanup_fd int mount = -1;
	int r = cgroup_host_open(&mount);

	if (r < 0 || r == CGROUP_HOST_V1)
		return r < 0 ? r : 0;
	return str_format(ret_folder, "/sys/fs/cgroup%s%s", r == CGROUP_HOST_HYBRID ? "/unified" : "", path);
}

/*
 * The parent of the cgroup that we are in, "" when that is the root. Our own cgroup holds processes
 * (at least us), so that no controller could be enabled for what is below it; its parent is the
 * next best, and what runc's cgroupfs driver takes for a relative path.
 */
int cgroup_parent_parse(char *text, char **ret_path)
{
	const char *path = NULL;
	char *saved = NULL;

	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		path = str_starts(line, "0::");
		if (path)
			break;
	}
	/*
	 * "/../x": our cgroup is outside what our cgroup namespace shows; its root is then all
	 * there is.
	 */
	if (!path || path[0] != '/' || str_starts(path, "/.."))
		path = "/";
	return str_format(ret_path, "%.*s", (int)(strrchr(path, '/') - path), path);
}

static int own_parent(char **ret_path)
{
	cleanup_fd int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	int r;

	if (fd < 0)
		return fail(errno, "open '/proc/self/cgroup'");
	r = fd_read_all(fd, 1024 * 1024, &text, NULL);
	if (r < 0)
		return fail(-r, "read '/proc/self/cgroup'");
	return cgroup_parent_parse(text, ret_path);
}

/*
 * Where a container goes that names no place: below the root, or for a user who may not write there, and whose own cgroup
 * stands in one that is delegated to him, below that. What holds his own processes could not hand on controllers.
 * @ret_path: "", or the path of a cgroup
 */
static int default_parent(char **ret_path)
{
	cleanup_free char *parent = NULL;
	cleanup_fd int mount = -1;
	int r;

	if (geteuid() == 0)
		return str_copy(ret_path, "");
	r = cgroup_host_open(&mount);
	if (r > 0 && r != CGROUP_HOST_V1)
		r = own_parent(&parent);
	if (r < 0)
		return r;
	if (!parent || !*parent || faccessat(mount, parent + 1, W_OK, AT_EACCESS) < 0)
		return str_copy(ret_path, "");
	*ret_path = steal_ptr(&parent);
	return 0;
}

/* "/a//./b/" becomes "/a/b"; what could leave the mount or confuse a reader is refused. */
static int path_clean(char *path, char **ret_path)
{
	cleanup_free char *clean = calloc(1, strlen(path) + 2);
	char *saved = NULL, *end = clean;

	if (!clean)
		return fail(ENOMEM, "linux.cgroupsPath");
	if (strlen(path) >= PATH_MAX)
		return fail_plain(EINVAL, "linux.cgroupsPath: is longer than %d bytes", PATH_MAX - 1);
	for (const char *at = path; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return fail_plain(EINVAL,
					  "linux.cgroupsPath: a control character is not allowed");
	}
	for (char *name = strtok_r(path, "/", &saved); name; name = strtok_r(NULL, "/", &saved)) {
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, ".."))
			return fail_plain(EINVAL, "linux.cgroupsPath: '..' is not allowed");
		*end++ = '/';
		end = stpcpy(end, name);
	}
	if (end == clean)
		return fail_plain(EINVAL, "linux.cgroupsPath: names no cgroup, only the root");
	*ret_path = steal_ptr(&clean);
	return 0;
}

/* slice:prefix:name, the form that engines use with systemd's cgroup driver */
static bool is_systemd_form(const char *asked)
{
	const char *first = strchr(asked, ':');

	return asked[0] != '/' && first && strchr(first + 1, ':');
}

int cgroup_path_resolve(const char *asked, const char *id, char **ret_path)
{
	cleanup_free char *parent = NULL, *path = NULL;
	int r;

	if (!asked) {
		if (!*id || strchr(id, '/') || str_eq(id, ".") || str_eq(id, ".."))
			return fail_plain(EINVAL, "'%s' cannot be the name of a cgroup", id);
		r = default_parent(&parent);
		if (r < 0)
			return r;
		r = str_format(&path, "%s/nacelle/%s", parent, id);
	} else if (!*asked) {
		return fail_plain(EINVAL,
				  "linux.cgroupsPath: is empty; leave it out for the default");
	} else if (is_systemd_form(asked)) {
		return fail_plain(EOPNOTSUPP,
				  "linux.cgroupsPath: '%s' has the form 'slice:prefix:name' of "
				  "--systemd-cgroup; use that, or give a path",
				  asked);
	} else if (asked[0] == '/') {
		r = str_copy(&path, asked);
	} else {
		r = own_parent(&parent);
		if (r < 0)
			return r;
		r = str_format(&path, "%s/%s", parent, asked);
	}
	if (r < 0)
		return r;
	return path_clean(path, ret_path);
}

int cgroup_open(struct cgroup *cg)
{
	cleanup_fd int mount = -1;
	int fd, r = cgroup_host_open(&mount);

	if (r < 0)
		return r;
	if (r == CGROUP_HOST_V1)
		return CGROUP_NOT_FOUND;
	if (!cg->path || cg->path[0] != '/' || !cg->path[1])
		return fail_plain(EINVAL, "'%s' is not the path of a cgroup",
				  cg->path ? cg->path : "");
	fd = fd_open_beneath(mount, cg->path + 1, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return CGROUP_NOT_FOUND;
	if (fd < 0)
		return fail(-fd, "open cgroup '%s'", cg->path);
	if (cg->fd >= 0)
		(void)close(cg->fd);
	cg->fd = fd;
	return 0;
}

int cgroup_attach(const struct cgroup *cg, pid_t pid)
{
	char text[24];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	r = cgroup_file_write(cg->fd, "cgroup.procs", text);
	if (r == -EBUSY)
		return fail(EBUSY,
			    "move process %d into cgroup '%s', which has controllers enabled for "
			    "cgroups below it and so holds no processes itself",
			    (int)pid, cg->path);
	if (r < 0)
		return fail(-r, "move process %d into cgroup '%s'", (int)pid, cg->path);
	return 0;
}

int cgroup_is_populated(const struct cgroup *cg)
{
	int r = cgroup_event(cg->fd, "populated");

	return r < 0 ? fail_in(r, "cgroup '%s'", cg->path) : r;
}

const char *cgroup_last_name(const struct cgroup *cg)
{
	return strrchr(cg->path, '/') + 1;
}

void cgroup_close(struct cgroup *cg)
{
	if (cg->fd >= 0)
		(void)close(cg->fd);
	free(cg->path);
	*cg = (struct cgroup)CGROUP_NONE;
}
