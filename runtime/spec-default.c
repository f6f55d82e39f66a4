/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The documents that we write ourselves: what `nacelle spec` prints, and what the short form starts from.
 * Both have the same mounts, namespaces and hidden paths; the short form adds what a bundle's author
 * would choose: a seccomp profile, and capabilities that common programs need.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/spec-short-internal.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/subid.h"
#include "seccomp/profile.h"

/* The version whose fields we know. */
#define OCI_VERSION "1.3.0"

enum { OPTIONS_MAX = 7 };

static const struct default_mount {
	const char *destination, *type, *source, *options[OPTIONS_MAX];
} default_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts",
	  "devpts",
	  "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static const char *const masked_paths[] = { "/proc/acpi",          "/proc/asound",
					    "/proc/kcore",         "/proc/keys",
					    "/proc/latency_stats", "/proc/timer_list",
					    "/proc/timer_stats",   "/proc/sched_debug",
					    "/proc/scsi",          "/proc/interrupts",
					    "/sys/firmware",       "/sys/devices/virtual/powercap",
					    "/sys/fs/selinux",     NULL };

static const char *const readonly_paths[] = { "/proc/bus",           "/proc/fs",
					      "/proc/irq",           "/proc/sys",
					      "/proc/sysrq-trigger", NULL };

/* What is usual for a container's root: enough to own files, become a user, and bind a low port. */
static const char *const short_capabilities[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",     "CAP_FSETID",
	"CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",    "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT", NULL
};

/* What the other runtimes' templates have. */
static const char *const bundle_capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL",
						   "CAP_NET_BIND_SERVICE", NULL };

/* An array of the words, at most @max. NULL without memory. */
static json_t *words(const char *const *list, size_t max)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < max && list[i]; i++) {
		if (json_array_append_new(array, json_string(list[i])) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *all_words(const char *const *list)
{
	return words(list, SIZE_MAX);
}

/* Without a second id in the namespace there is no group tty (gid 5) to own terminals. */
static size_t option_count(const struct default_mount *m, bool rootless)
{
	size_t n = 0;

	while (n < OPTIONS_MAX && m->options[n] && !(rootless && str_eq(m->options[n], "gid=5")))
		n++;
	return n;
}

static json_t *mounts_make(bool rootless)
{
	json_t *mounts = json_array();

	for (size_t i = 0; mounts && i < ARRAY_SIZE(default_mounts); i++) {
		const struct default_mount *m = &default_mounts[i];
		json_t *mount = json_pack("{s:s, s:s, s:s, s:o}", "destination", m->destination,
					  "type", m->type, "source", m->source, "options",
					  words(m->options, option_count(m, rootless)));

		if (json_array_append_new(mounts, mount) == 0)
			continue;
		json_decref(mounts);
		return NULL;
	}
	return mounts;
}

static json_t *process_make(const char *const *capabilities, uint64_t soft, uint64_t hard)
{
	return json_pack(
		"{s:b, s:{s:i, s:i}, s:[s], s:s, s:{s:o, s:o, s:o}, s:[{s:s, s:I, s:I}], s:b}",
		"terminal", 0, "user", "uid", 0, "gid", 0, "env",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "cwd", "/",
		"capabilities", "bounding", all_words(capabilities), "effective",
		all_words(capabilities), "permitted", all_words(capabilities), "rlimits", "type",
		"RLIMIT_NOFILE", "soft", (json_int_t)soft, "hard", (json_int_t)hard,
		"noNewPrivileges", 1);
}

/* The last in the order of the document, so that `nacelle spec` reads well. */
static json_t *linux_make(void)
{
	return json_pack(
		"{s:[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}, {s:s}], s:{s:[{s:b, s:s}]}, s:o, s:o}",
		"namespaces", "type", "pid", "type", "network", "type", "ipc", "type", "uts",
		"type", "mount", "type", "cgroup", "resources", "devices", "allow", 0, "access",
		"rwm", "maskedPaths", all_words(masked_paths), "readonlyPaths",
		all_words(readonly_paths));
}

/* Our own hard limit cannot be raised by everybody; beyond half a million nobody means it. */
static void nofile_limits(uint64_t *ret_soft, uint64_t *ret_hard)
{
	struct rlimit own = { 1024, 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &own);
	*ret_hard = own.rlim_max < 524288 ? own.rlim_max : 524288;
	*ret_soft = *ret_hard < 1024 ? *ret_hard : 1024;
}

static json_t *maps_make(const struct spec_id_map *maps, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		if (json_array_append_new(list, json_pack("{s:I, s:I, s:I}", "containerID", (json_int_t)maps[i].container_id,
							  "hostID", (json_int_t)maps[i].host_id, "size",
							  (json_int_t)maps[i].size)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/*
 * A user namespace in which the caller is root; no limits, for which most users have no cgroup.
 * @most: of the maps that could be had
 */
static int rootless_change(json_t *doc, size_t most)
{
	json_t *l = json_object_get(doc, "linux"), *namespaces = json_object_get(l, "namespaces");
	struct spec_id_map maps[SUBID_RANGES_MAX + 1];
	size_t n = subid_maps(false, maps);
	int r;

	(void)json_object_del(l, "resources");
	r = json_array_append_new(namespaces, json_pack("{s:s}", "type", "user"));
	if (r == 0)
		r = json_object_set_new(l, "uidMappings", maps_make(maps, n < most ? n : most));
	n = subid_maps(true, maps);
	if (r == 0)
		r = json_object_set_new(l, "gidMappings", maps_make(maps, n < most ? n : most));
	return r;
}

int spec_write_out(json_t *v, json_t **ret_v)
{
	json_t *l = json_object_get(v, "linux"), *seccomp = NULL;
	const char *word = json_string_value(json_object_get(l, "seccomp"));
	cleanup_json json_t *doc = NULL;
	int r;

	if (!word || !str_eq(word, SECCOMP_DEFAULT)) {
		*ret_v = json_incref(v);
		return 0;
	}
	r = seccomp_default_read(&seccomp);
	if (r < 0)
		return r;
	doc = json_copy(v);
	l = json_copy(l);
	if (json_object_set_new(l, "seccomp", seccomp) < 0 || json_object_set(doc, "linux", l) < 0)
		r = fail(ENOMEM, "write the spec out");
	json_decref(l);
	if (r == 0)
		*ret_v = steal_ptr(&doc);
	return r;
}

json_t *short_base(void)
{
	bool rootless = geteuid() != 0;
	uint64_t soft, hard;
	json_t *doc, *l;

	nofile_limits(&soft, &hard);
	l = linux_make();
	doc = json_pack("{s:s, s:o, s:o, s:o}", "ociVersion", OCI_VERSION, "process",
			process_make(short_capabilities, soft, hard), "mounts", mounts_make(rootless),
			"linux", json_incref(l));
	if (doc && (json_object_set_new(l, "seccomp", json_string(SECCOMP_DEFAULT)) < 0 ||
		    (rootless && rootless_change(doc, SIZE_MAX) < 0))) {
		json_decref(doc);
		doc = NULL;
	}
	json_decref(l);
	if (!doc)
		(void)fail(ENOMEM, "make a spec");
	return doc;
}

json_t *spec_default(bool rootless)
{
	json_t *process = process_make(bundle_capabilities, 1024, 1024), *doc;

	if (process && (json_object_set_new(process, "terminal", json_true()) < 0 ||
			json_object_set_new(process, "args", json_pack("[s]", "sh")) < 0 ||
			json_array_append_new(json_object_get(process, "env"),
					      json_string("TERM=xterm")) < 0)) {
		json_decref(process);
		process = NULL;
	}
	doc = json_pack("{s:s, s:{s:s, s:b}, s:o, s:s, s:o, s:o}", "ociVersion", OCI_VERSION,
			"root", "path", "rootfs", "readonly", 1, "process", process, "hostname",
			"nacelle", "mounts", mounts_make(rootless), "linux", linux_make());
	if (doc && rootless && rootless_change(doc, 1) < 0) {
		json_decref(doc);
		doc = NULL;
	}
	return doc;
}
