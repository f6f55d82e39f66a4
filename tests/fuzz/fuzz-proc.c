/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells in text, of which a payload chooses names: the first byte says which file. The form is the
 * kernel's, the names in it are not.
 */
#include "cgroups/internal.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/mountinfo.h"
#include "runtime/usage.h"
#include "tests/fuzz/fuzz.h"

static void stat_line(char *text)
{
	struct proc_stat stat;

	if (proc_stat_parse(text, &stat) == 0)
		fuzz_must(stat.name >= text && strlen(stat.name) <= strlen(text) && !strchr(" \n", stat.state));
}

static void cgroup_file(char *text)
{
	cleanup_free char *path = NULL;

	fuzz_must(cgroup_parent_parse(text, &path) == 0);
	fuzz_must((!*path || *path == '/') && !str_starts(path, "/.."));
}

static void interfaces(char *text)
{
	struct usage usage = { .interfaces = NULL };

	fuzz_must(usage_interfaces_parse(text, &usage) == 0);
	for (size_t i = 0; i < usage.interface_count; i++)
		fuzz_must(!strchr(usage.interfaces[i].name, ':') && !str_eq(usage.interfaces[i].name, "lo"));
	usage_done(&usage);
}

/* Paths stay in their lines: what a payload calls a folder is no line of its own. */
static void mounts(char *text)
{
	const char *const end = text + strlen(text);
	struct mountinfo m;
	int r;

	while ((r = mountinfo_next(&text, &m)) > 0) {
		fuzz_must(m.path + strlen(m.path) <= end && m.options + strlen(m.options) <= end);
		fuzz_must(!strpbrk(m.options, " \n"));
	}
	fuzz_must(r < 0 || !text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint32_t which = fuzz_number(&in, 1);
	cleanup_free char *text = fuzz_part(&in, NULL);
	uint64_t number;

	switch (which) {
	case 's': stat_line(text); break;
	case 'c': cgroup_file(text); break;
	case 'n': interfaces(text); break;
	case 'm': mounts(text); break;
	case 'k': (void)cgroup_controllers_parse(text); break;
	default: (void)cgroup_text_number(text, "oom_kill", &number);
	}
	return 0;
}
