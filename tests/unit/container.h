/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * container - run the steps of runtime/rootfs.h and its neighbours for real, and hear what is seen
 * inside
 *
 * run() clones a child into new namespaces, runs all steps on a root made of busybox, and lets the
 * child say what it sees there. What a test judges is that text, and what the host's files look
 * like afterwards. Everything is static: the test programs are one source file each.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/devices.h"
#include "runtime/idmap.h"
#include "runtime/mounts.h"
#include "runtime/paths.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"
#include "tests/unit/tap.h"

enum { SEEN_MAX = 64 * 1024 };

static char folder[64]; /* of the test program: "rootfs" and what a test adds */
static char *seen; /* what the child said; shared with processes of ours */

/* OCI's default mounts. */
#define MOUNTS \
	"{'destination':'/proc','type':'proc','source':'proc'}," \
	"{'destination':'/dev','type':'tmpfs','source':'tmpfs'," \
	"'options':['nosuid','strictatime','mode=755','size=65536k']}," \
	"{'destination':'/dev/pts','type':'devpts','source':'devpts'," \
	"'options':['nosuid','noexec','newinstance','ptmxmode=0666','mode=0620','gid=5']}," \
	"{'destination':'/dev/shm','type':'tmpfs','source':'shm'," \
	"'options':['nosuid','noexec','nodev','mode=1777','size=65536k']}," \
	"{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue','options':['nosuid','noexec','nodev']}," \
	"{'destination':'/sys','type':'sysfs','source':'sysfs','options':['nosuid','noexec','nodev','ro']}," \
	"{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'," \
	"'options':['nosuid','noexec','nodev','relatime','ro']}"
#define HIDDEN \
	"'maskedPaths':['/proc/acpi','/proc/asound','/proc/kcore','/proc/keys','/proc/latency_stats'," \
	"'/proc/timer_list','/proc/timer_stats','/proc/sched_debug','/sys/firmware','/proc/scsi']," \
	"'readonlyPaths':['/proc/bus','/proc/fs','/proc/irq','/proc/sys','/proc/sysrq-trigger']"
#define NAMESPACES \
	"{'type':'pid'},{'type':'network'},{'type':'ipc'},{'type':'uts'},{'type':'mount'},{'type':'cgroup'}"

/*
 * A spec from its parts; @mounts, @linux: what stands in "mounts" and behind "namespaces"; single
 * quotes are double ones.
 */
static inline struct spec *spec_of(const char *root, const char *mounts, const char *linux_)
{
	cleanup_free char *text = NULL;
	struct spec *spec = NULL;
	json_error_t error;
	json_t *v;

	if (str_format(
		    &text,
		    "{'ociVersion':'1.2.0',%s'process':{'cwd':'/','args':['sh'],'user':{'uid':0,'gid':0}},"
		    "'mounts':[%s],'linux':{'namespaces':[" NAMESPACES "%s]%s%s}}",
		    root, mounts, strncmp(linux_, "USER", 4) == 0 ? ",{'type':'user'}" : "",
		    *linux_ ? "," : "", strncmp(linux_, "USER", 4) == 0 ? linux_ + 4 : linux_) < 0)
		return NULL;
	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	v = json_loads(text, 0, &error);
	if (!CHECK(v)) {
		printf("# %s: %s\n", error.text, text);
		return NULL;
	}
	if (spec_read(v, &spec) < 0)
		CHECK_STR(fail_text(), "a spec");
	json_decref(v);
	return spec;
}

static bool hooks_see_mounts;

static inline int steps_run(struct rootfs *r)
{
	static int (*const steps[])(struct rootfs *) = {
		mounts_private, rootfs_mount,  mounts_apply, devices_make,
		sysctls_apply,  rootfs_switch, paths_hide,   rootfs_readonly,
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int err;

		/* Here hooks run, which know the container's files by root.path. */
		if (steps[i] == rootfs_switch)
			hooks_see_mounts = access("rootfs/proc/self/status", F_OK) == 0;
		err = steps[i](r);

		if (err < 0)
			return err;
	}
	return rootfs_cwd(r, r->spec->process.cwd);
}

/* Write a file's text, or why it cannot be had. */
static inline void show(FILE *out, const char *path)
{
	cleanup_free char *text = NULL;

	if (fd_read_file(AT_FDCWD, path, &text) < 0)
		fprintf(out, "%s: %s\n", path, fail_text());
	else
		fprintf(out, "%s: %s\n", path, text);
}

static inline void show_write(FILE *out, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	fprintf(out, "write %s: %s\n", path, fd < 0 ? strerrorname_np(errno) : "ok");
	if (fd >= 0)
		(void)close(fd);
}

static inline void show_stat(FILE *out, const char *path)
{
	char link[256] = "";
	struct stat st;

	if (lstat(path, &st) < 0) {
		fprintf(out, "stat %s: %s\n", path, strerrorname_np(errno));
		return;
	}
	if (S_ISLNK(st.st_mode) && readlink(path, link, sizeof(link) - 1) < 0)
		link[0] = '?';
	fprintf(out, "stat %s: %o %u:%u %u,%u%s%s\n", path, st.st_mode, st.st_uid, st.st_gid,
		major(st.st_rdev), minor(st.st_rdev), *link ? " -> " : "", link);
}

struct child_job {
	struct rootfs *rootfs;
	void (*look)(FILE *out);
	int in, out;
};

_Noreturn static inline void child_main(const struct child_job *job)
{
	FILE *out = fdopen(job->out, "w");
	char go;

	if (!out || read(job->in, &go, 1) != 1)
		_exit(2);
	if (chdir(folder) < 0)
		_exit(4);
	/*
	 * Whoever is in a new user namespace becomes its root first: nobody else owns what is made
	 * there.
	 */
	if (job->rootfs->userns && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		_exit(3);
	if (steps_run(job->rootfs) < 0)
		fprintf(out, "FAILED: %s\n", fail_text());
	else if (job->look)
		job->look(out);
	(void)fclose(out);
	_exit(0);
}

/* Run all steps for @spec in a child and let it @look. What it says is in `seen`. */
static inline void run(struct spec *spec, const char *bundle, void (*look)(FILE *out))
{
	struct rootfs r = ROOTFS_NONE;
	struct clone_args args = { .exit_signal = SIGCHLD };
	struct child_job job = { .rootfs = &r, .look = look };
	int to[2], from[2], status = 0;
	cleanup_free char *text = NULL;
	pid_t pid;

	seen[0] = '\0';
	if (!CHECK(spec))
		return;
	r.spec = spec;
	r.bundle = bundle;
	r.userns = spec->linux_.namespaces[NS_USER].wanted;
	if (rootfs_prepare(&r) < 0) {
		(void)snprintf(seen, SEEN_MAX, "FAILED: %s\n", fail_text());
		goto out;
	}
	for (enum spec_ns ns = 0; ns < NS_COUNT; ns++)
		args.flags |= spec->linux_.namespaces[ns].wanted ? spec_namespace_flag(ns) : 0;
	if (!CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0))
		goto out;
	job.in = to[0];
	job.out = from[1];
	(void)fflush(stdout);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child_main(&job);
	(void)close(from[1]);
	if (CHECK(pid > 0)) {
		if (r.userns && idmap_write(pid, spec) < 0)
			CHECK_STR(fail_text(), "maps");
		CHECK_INT(write(to[1], "g", 1), 1);
		CHECK_INT(fd_read_all(from[0], SEEN_MAX - 1, &text, NULL), 0);
		CHECK_INT(waitpid(pid, &status, 0), pid);
		CHECK_INT(status, 0);
		if (text)
			(void)snprintf(seen, SEEN_MAX, "%s", text);
	}
	(void)close(to[0]);
	(void)close(to[1]);
	(void)close(from[0]);
out:
	rootfs_done(&r);
	spec_free(spec);
}

/* Run a shell line on the host, in the test's folder. */
static inline void sh(const char *line)
{
	cleanup_free char *text = NULL;

	if (str_format(&text, "cd '%s' && { %s; }", folder, line) < 0 || system(text) != 0)
		tap_check(false, __FILE__, __LINE__, "%s", line);
}

static inline void fresh(void)
{
	sh("rm -rf rootfs && mkdir -p rootfs/bin rootfs/proc rootfs/sys rootfs/dev rootfs/tmp rootfs/etc && "
	   "cp /bin/busybox rootfs/bin/busybox && echo from-the-image > rootfs/etc/name");
}

/* Behind "USER". */
#define MAPS \
	"'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}]," \
	"'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]"

#define ROOT    "'root':{'path':'rootfs'},"
#define ROOT_RO "'root':{'path':'rootfs','readonly':true},"

static inline bool kernel_is(unsigned int major_wanted, unsigned int minor_wanted)
{
	unsigned int have_major = 0, have_minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major > major_wanted ||
	       (have_major == major_wanted && have_minor >= minor_wanted);
}

static inline bool has(const char *text)
{
	return strstr(seen, text);
}

/* Run @tests in a mount namespace and a folder of their own. Return: exit status. */
static inline int container_tests_run(const struct tap_test *tests)
{
	int r;

	if (geteuid() != 0) {
		printf("ok 1 - containers # SKIP needs root\n1..1\n");
		return 0;
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
		printf("not ok 1 - a mount namespace\n1..1\n");
		return 1;
	}
	seen = mmap(NULL, SEEN_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		return 1;
	(void)snprintf(folder, sizeof(folder), "/tmp/nacelle-rootfs-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
		return 1;
	/* The layers of an overlay cannot always lie on one: on a tmpfs they can. */
	if (mount("tmpfs", folder, "tmpfs", 0, NULL) < 0)
		return 1;
	r = tap_run(tests);
	(void)umount2(folder, MNT_DETACH);
	(void)rmdir(folder);
	return r;
}
