/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parameter is looked up in the namespaces of whoever opens its file. So a key may be set when
 * the namespace that owns it is the container's own, and must be refused when it is the host's: it
 * would change the host.
 */
#include "runtime/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/procfs.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

/*
 * Keys by the namespace that owns them; one that ends in '/' stands for all below it. Source:
 * namespaces(7).
 */
static const struct {
	const char *path;
	enum spec_ns ns;
} owned[] = {
	{ "net/", NS_NETWORK },
	{ "fs/mqueue/", NS_IPC },
	{ "kernel/msgmax", NS_IPC },
	{ "kernel/msgmnb", NS_IPC },
	{ "kernel/msgmni", NS_IPC },
	{ "kernel/auto_msgmni", NS_IPC },
	{ "kernel/msg_next_id", NS_IPC },
	{ "kernel/sem", NS_IPC },
	{ "kernel/sem_next_id", NS_IPC },
	{ "kernel/shmall", NS_IPC },
	{ "kernel/shmmax", NS_IPC },
	{ "kernel/shmmni", NS_IPC },
	{ "kernel/shm_next_id", NS_IPC },
	{ "kernel/shm_rmid_forced", NS_IPC },
	{ "kernel/hostname", NS_UTS },
	{ "kernel/domainname", NS_UTS },
	{ "user/", NS_USER },
};

/*
 * "net.ipv4.conf.eth0/1.forwarding" or "net/ipv4/conf/eth0.1/forwarding" as a path: as sysctl(8)
 * reads it.
 */
static int key_path(const char *key, char **ret_path)
{
	size_t first = strcspn(key, "./");
	cleanup_free char *path = NULL;
	int r = str_copy(&path, key);

	if (r < 0)
		return r;
	for (char *p = path; key[first] == '.' && *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	*ret_path = steal_ptr(&path);
	return 0;
}

static int key_check(const struct spec *spec, const char *key)
{
	cleanup_free char *path = NULL;
	int r = key_path(key, &path);

	if (r < 0)
		return r;
	if (strstr(path, "..") || strstr(path, "//"))
		return fail_plain(EINVAL, "sysctl '%s': not a key", key);
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		const char *rest = str_starts(path, owned[i].path);

		if (!rest || (*rest && !str_ends(owned[i].path, "/")))
			continue;
		if (spec->linux_.namespaces[owned[i].ns].wanted)
			return 0;
		return fail_plain(
			EINVAL,
			"sysctl '%s': it would change the host: the spec has no %s namespace", key,
			spec_namespace_name(owned[i].ns));
	}
	return fail_plain(EINVAL,
			  "sysctl '%s': it belongs to no namespace and would change the host", key);
}

int sysctls_check(const struct spec *spec)
{
	int r = 0;

	for (size_t i = 0; i < spec->linux_.sysctl_count && r >= 0; i++)
		r = key_check(spec, spec->linux_.sysctls[i].key);
	return r;
}

static int sysctl_write(int proc, const struct spec_sysctl *s)
{
	cleanup_free char *key = NULL, *path = NULL;
	cleanup_fd int fd = -1;
	int r = key_path(s->key, &key);

	if (r >= 0)
		r = str_format(&path, "sys/%s", key);
	if (r < 0)
		return r;
	fd = procfs_open_file(proc, path, O_WRONLY);
	if (fd == -EXDEV)
		return fail_plain(EPERM, "sysctl '%s': something is mounted over it here", s->key);
	if (fd < 0)
		return fail(-fd, "sysctl '%s'", s->key);
	r = fd_write_all(fd, s->value, strlen(s->value));
	return r < 0 ? fail(-r, "sysctl '%s': write '%s'", s->key, s->value) : 0;
}

int sysctls_apply(struct rootfs *r)
{
	const struct spec_linux *l = &r->spec->linux_;
	cleanup_fd int proc = -1;
	int err;

	if (l->sysctl_count == 0)
		return 0;
	/* Once more: whoever calls this may have prepared nothing. */
	err = sysctls_check(r->spec);
	if (err < 0)
		return err;
	proc = procfs_open(PROCFS_WHOLE);
	if (proc < 0)
		return proc;
	for (size_t i = 0; i < l->sysctl_count && err >= 0; i++)
		err = sysctl_write(proc, &l->sysctls[i]);
	return err;
}
