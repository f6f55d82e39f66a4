/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both kinds of label are written to a file of /proc, and count from the next execve on. The launcher's would
 * be that, so it is the launcher which writes: here only the file is found, in a procfs that no container
 * can have prepared (a label that went into a plain file would leave the payload unconfined, and nobody would
 * know). Source: runtime-spec config.md, "Linux Process"; apparmor(7), selinux(8).
 */
#include "runtime/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/procfs.h"
#include "runtime/spec.h"

static bool apparmor_is_on(void)
{
	cleanup_free char *text = NULL;

	return fd_read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &text) == 0 && text[0] == 'Y';
}

static bool selinux_is_on(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

int lsm_check(const struct spec *spec, const struct spec_process *process)
{
	if (process->apparmor_profile && !apparmor_is_on())
		return fail_plain(ENOTSUP, "process.apparmorProfile: this kernel runs without AppArmor: leave the profile "
				  "out, or boot with 'apparmor=1 security=apparmor'");
	if (process->selinux_label && !selinux_is_on())
		return fail_plain(ENOTSUP, "process.selinuxLabel: this kernel runs without SELinux: leave the label out");
	if (process->apparmor_profile && process->selinux_label)
		return fail_plain(ENOTSUP, "process.apparmorProfile and process.selinuxLabel: only one of the two can be set");
	if (spec && spec->linux_.mount_label && !selinux_is_on())
		return fail_plain(ENOTSUP, "linux.mountLabel: this kernel runs without SELinux: leave the label out");
	return 0;
}

int lsm_check_restore(const char *profile, const char *mount_context)
{
	if (profile) {
		bool apparmor = str_starts(profile, "apparmor:"), selinux = str_starts(profile, "selinux:");

		if (!apparmor && !selinux)
			return fail_plain(EINVAL, "--lsm-profile '%s': write 'apparmor:NAME' or 'selinux:LABEL'", profile);
		if (apparmor ? !apparmor_is_on() : !selinux_is_on())
			return fail_plain(ENOTSUP, "--lsm-profile '%s': this kernel runs without %s: leave the option out", profile,
					  apparmor ? "AppArmor" : "SELinux");
	}
	if (mount_context && !selinux_is_on())
		return fail_plain(ENOTSUP, "--lsm-mount-context: this kernel runs without SELinux: leave the option out");
	return 0;
}

/* "PID/task/PID/attr/apparmor/exec": the links "self" and "thread-self" would need following. */
static int file_find(int proc, const char *const files[2], char **ret_file)
{
	for (int i = 0; i < 2; i++) {
		cleanup_free char *file = NULL;
		cleanup_fd int fd = -1;
		int r = str_format(&file, "%d/task/%d/attr/%s", (int)getpid(), (int)getpid(), files[i]);

		if (r < 0)
			return r;
		fd = procfs_open_file(proc, file, O_WRONLY);
		if (fd >= 0) {
			*ret_file = steal_ptr(&file);
			return 0;
		}
		if (fd != -ENOENT || i > 0)
			return fail(-fd, "open '/proc/%s'", file);
	}
	return 0;
}

/*
 * In a process of its own, which a label that is taken does not concern: a profile that is not there is told at
 * create then. Return: 0, or an errno.
 */
static int label_try(int proc, const char *file, const char *text)
{
	cleanup_free char *own = NULL;
	cleanup_fd int fd = -1;
	int r = str_format(&own, "%d/task/%d/%s", (int)getpid(), (int)getpid(), strstr(file, "attr/"));

	if (r < 0)
		return -r;
	fd = procfs_open_file(proc, own, O_WRONLY);
	if (fd < 0)
		return -fd;
	return write(fd, text, strlen(text)) < 0 ? errno : 0;
}

static int label_judge(const struct spec_process *process, int proc, const char *file, const char *text)
{
	const char *field = process->apparmor_profile ? "apparmorProfile" : "selinuxLabel";
	const char *name = process->apparmor_profile ? process->apparmor_profile : process->selinux_label;
	pid_t pid = fork();
	int e;

	if (pid < 0)
		return fail(errno, "fork");
	if (pid == 0)
		_exit(label_try(proc, file, text));
	e = proc_reap(pid);
	if (e == ENOENT)
		return fail_plain(ENOENT, "process.%s: no profile '%s' is loaded", field, name);
	return e == 0 ? 0 : fail(e, "process.%s: set '%s'", field, name);
}

int lsm_prepare(const struct spec_process *process, struct lsm_label *ret_label)
{
	static const char *const apparmor[] = { "apparmor/exec", "exec" }, *const selinux[] = { "exec", "exec" };
	cleanup_free char *file = NULL, *text = NULL;
	cleanup_fd int proc = -1;
	int r;

	if (!process->apparmor_profile && !process->selinux_label)
		return 0;
	proc = procfs_open(PROCFS_PIDS);
	if (proc < 0)
		return proc;
	r = file_find(proc, process->apparmor_profile ? apparmor : selinux, &file);
	if (r == 0)
		r = process->apparmor_profile ? str_format(&text, "exec %s", process->apparmor_profile) :
						str_copy(&text, process->selinux_label);
	if (r == 0)
		r = label_judge(process, proc, file, text);
	if (r < 0)
		return r;
	*ret_label = (struct lsm_label){
		.proc = steal_fd(&proc), .file = steal_ptr(&file), .text = steal_ptr(&text),
	};
	return 0;
}

/* File systems that the whole host shares have labels of their own. */
static bool takes_label(const char *type)
{
	static const char *const shared[] = { "proc", "sysfs", "cgroup", "cgroup2", "mqueue" };

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (str_eq(type, shared[i]))
			return false;
	return true;
}

int lsm_mount_option(const struct spec *spec, const char *type, char **ret_option)
{
	const char *kind = spec_annotation(spec, "run.oci.mount_context_type");

	*ret_option = NULL;
	if (!spec->linux_.mount_label || !takes_label(type))
		return 0;
	return str_format(ret_option, "%s=%s", kind ? kind : "context", spec->linux_.mount_label);
}
