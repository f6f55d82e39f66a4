/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `check`: what this machine lacks, and what mends it. One row a prerequisite; each looks at the machine and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/programs.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"
#include "runtime/subid.h"

enum verdict {
	VERDICT_OK,
	VERDICT_LIMITED,	/* containers run, but not with all that a spec may ask for */
	VERDICT_MISSING,	/* no container runs */
};

/* What a check found out; static text. */
struct finding {
	enum verdict verdict;
	const char *text, *remedy;	/* remedy NULL: there is nothing to mend */
};

static const char *const verdict_names[] = { "ok", "limited", "missing" };

static struct finding ok(const char *text)
{
	return (struct finding){ .verdict = VERDICT_OK, .text = text };
}

static struct finding limited(const char *text, const char *remedy)
{
	return (struct finding){ .verdict = VERDICT_LIMITED, .text = text, .remedy = remedy };
}

static struct finding missing(const char *text, const char *remedy)
{
	return (struct finding){ .verdict = VERDICT_MISSING, .text = text, .remedy = remedy };
}

/* A file of /proc or /sys whole, or NULL. */
static char *text_of(const char *path)
{
	char *text = NULL;

	return fd_read_file(AT_FDCWD, path, &text) == 0 ? text : NULL;
}

/* Whether @word stands in @text between blanks. */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; at && (at = strstr(at, word)); at += n)
		if ((at == text || strchr(" \t\n", at[-1])) && (!at[n] || strchr(" \t\n", at[n])))
			return true;
	return false;
}

static struct finding check_kernel(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return missing("its release cannot be read", "use Linux 5.15 or newer");
	if (major < 5 || (major == 5 && minor < 15))
		return missing("older than Linux 5.15", "use Linux 5.15 or newer");
	return ok("Linux 5.15 or newer");
}

/* Whether root of a cgroup namespace is kept from the limits of its own root: an option of the host's mount. */
static bool limits_are_delegated(void)
{
	cleanup_free char *mounts = text_of("/proc/self/mounts");
	char *rest = mounts;

	for (char *line; (line = strsep(&rest, "\n"));)
		if (strstr(line, " cgroup2 ") && strstr(line, "nsdelegate"))
			return true;
	return false;
}

static struct finding check_cgroup(void)
{
	cleanup_fd int fd = -1;
	cleanup_free char *controllers = NULL;
	int host = cgroup_host_open(&fd);

	if (host == CGROUP_HOST_V1 || host < 0)
		return limited("no cgroup2 is mounted: no limits, no freezing",
			       "boot with systemd.unified_cgroup_hierarchy=1");
	if (fd_read_file(fd, "cgroup.controllers", &controllers) != 0)
		controllers = NULL;
	for (const char *const *c = (const char *const[]){ "cpu", "memory", "pids", "io", "cpuset", NULL }; *c; c++)
		if (!controllers || !has_word(controllers, *c))
			return limited("cgroup2 lacks controllers (they are bound to v1, or not delegated): no such limits",
				       "boot with systemd.unified_cgroup_hierarchy=1");
	if (!limits_are_delegated())
		return limited("cgroup2 without nsdelegate: root without a filter may raise its own limits",
			       "mount -o remount,nsdelegate /sys/fs/cgroup");
	return ok("cgroup2 with all controllers");
}

static struct finding check_overlay(void)
{
	cleanup_free char *text = text_of("/proc/filesystems");

	return has_word(text, "overlay") ? ok("the kernel has it") :
					   limited("the kernel has not loaded it: no layers", "modprobe overlay");
}

static struct finding check_seccomp(void)
{
	cleanup_free char *text = text_of("/proc/sys/kernel/seccomp/actions_avail");

	return has_word(text, "errno") ? ok("filters can be loaded") :
					 missing("the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER");
}

static bool is_zero(const char *path)
{
	cleanup_free char *text = text_of(path);

	return text && str_eq(text, "0\n");
}

static struct finding check_userns(void)
{
	cleanup_free char *restricted = text_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");

	if (is_zero("/proc/sys/user/max_user_namespaces"))
		return limited("user namespaces are forbidden", "sysctl user.max_user_namespaces=15000");
	if (is_zero("/proc/sys/kernel/unprivileged_userns_clone"))
		return limited("user namespaces are root's alone", "sysctl kernel.unprivileged_userns_clone=1");
	if (restricted && str_eq(restricted, "1\n"))
		return limited("AppArmor keeps them from users without a profile",
			       "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
	return ok("everybody may have them");
}

static struct finding check_subids(void)
{
	struct spec_id_map maps[SUBID_RANGES_MAX + 1];

	if (geteuid() == 0)
		return ok("root needs none");
	if (subid_maps(false, maps) > 1)
		return ok("ranges, and the programs that map them");
	return limited("one id alone can be mapped",
		       "apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"");
}

static struct finding check_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0 ?
		       ok("the kernel has it") :
		       limited("what unpacks images has a wall less", "boot with lsm=landlock,... on Linux 5.13 or newer");
}

static struct finding check_kvm(void)
{
	cleanup_free char *cpu = text_of("/proc/cpuinfo");

	if (access("/dev/kvm", F_OK) < 0)
		return limited("no /dev/kvm: no container with a kernel of its own", "modprobe kvm_intel, or kvm_amd");
	if (!has_word(cpu, "vmx") && !has_word(cpu, "svm"))
		return limited("/dev/kvm is not the processor's: Linux does not boot in it", "use a machine with VT-x or AMD-V");
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return limited("/dev/kvm may not be opened", "usermod -a -G kvm \"$USER\"");
	return access("/dev/net/tun", F_OK) == 0 ? ok("/dev/kvm") :
						   limited("/dev/kvm; no /dev/net/tun: no network for a container with a kernel of its own",
							   "modprobe tun");
}

static struct finding check_programs(void)
{
	for (const char *const *p = (const char *const[]){ "nacelle-keeper", "nacelle-shared", NULL }; *p; p++) {
		cleanup_fd int fd = programs_open(*p, "a program of ours");

		if (fd < 0)
			return limited("nacelle-keeper or nacelle-shared is not there: nothing detached, no systemd", "make install");
	}
	return ok("nacelle-keeper, nacelle-shared");
}

static const struct {
	const char *name;
	struct finding (*run)(void);
} checks[] = {
	{ "kernel",	     check_kernel },
	{ "seccomp",	     check_seccomp },
	{ "cgroups",	     check_cgroup },
	{ "overlay",	     check_overlay },
	{ "user namespaces", check_userns },
	{ "subordinate ids", check_subids },
	{ "landlock",	     check_landlock },
	{ "kvm",	     check_kvm },
	{ "programs",	     check_programs },
};

struct check_options {
	const char *format;
};

const struct option_row check_options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct check_options, format), "FORMAT", "table or json" },
	{ .name = NULL },
};

enum { COLUMNS = 4 };

static int row_add(struct str_list *cells, const char *name, const struct finding *f)
{
	const char *row[COLUMNS] = { name, verdict_names[f->verdict], f->text, f->remedy ? f->remedy : "" };
	int r = 0;

	for (int i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(cells, row[i]);
	return r;
}

static json_t *row_json(const char *name, const struct finding *f)
{
	return json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "result", verdict_names[f->verdict], "text", f->text, "remedy",
			 f->remedy);
}

int cmd_check(const struct globals *globals, int argc, char **argv)
{
	struct check_options o = { .format = "table" };
	json_t *items[ARRAY_SIZE(checks)];
	struct str_list cells = { .items = NULL };
	struct operands operands;
	bool broken = false, table;
	int r = options_parse(globals->command, argc, argv, 0, 0, &o, &operands);

	if (r == 0)
		r = format_check(globals->command, o.format);
	if (r != 0)
		return r < 0 ? r : 0;
	table = str_eq(o.format, "table");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++) {
		struct finding f = checks[i].run();

		broken |= f.verdict == VERDICT_MISSING;
		if (table)
			r = row_add(&cells, checks[i].name, &f);
		else
			items[i] = row_json(checks[i].name, &f);
	}
	if (r == 0 && table)
		output_table(&cells, COLUMNS);
	else if (r == 0)
		r = output_list(items, ARRAY_SIZE(checks));
	str_list_done(&cells);
	return r < 0 ? r : broken ? fail_plain(ENOSYS, "no container can run here: see what is missing above") : 0;
}
