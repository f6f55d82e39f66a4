/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resctrl is a file system: a folder is a class, its "schemata" what the class may use, its "tasks" who is in
 * it, and a folder below its "mon_groups" counts what a part of them used. Source: runtime-spec
 * config-linux.md, "IntelRdt"; the kernel's Documentation/filesystems/resctrl.rst.
 */
#include "runtime/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"

/* Source: include/uapi/linux/magic.h */
#define RDTGROUP_MAGIC 0x7655821

int resctrl_open(void)
{
	cleanup_fd int fd = open("/sys/fs/resctrl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 && errno == ENOENT)
		return fail_plain(ENODEV, "linux.intelRdt: this machine, or its kernel, has no resctrl");
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return fail(errno, "linux.intelRdt: open '/sys/fs/resctrl'");
	if (fs.f_type != RDTGROUP_MAGIC)
		return fail_plain(ENODEV, "linux.intelRdt: resctrl is not mounted: mount -t resctrl resctrl /sys/fs/resctrl "
				  "(where the processor has it)");
	return steal_fd(&fd);
}

static bool wants_schemata(const struct spec_intel_rdt *rdt)
{
	return rdt->schemata.count || rdt->l3_cache_schema || rdt->mem_bw_schema;
}

/* The lines that are asked for, each as an element. A line of bandwidth among the cache's gives way to its own field. */
static int lines_wanted(const struct spec_intel_rdt *rdt, struct str_list *ret)
{
	cleanup_free char *text = NULL;
	char *rest, *line;
	int r = str_copy(&text, rdt->l3_cache_schema ? rdt->l3_cache_schema : "");

	for (rest = text; r == 0 && (line = strsep(&rest, "\n"));)
		if (*line && !(rdt->mem_bw_schema && str_starts(line, "MB:")))
			r = str_list_add(ret, line);
	if (r == 0 && rdt->mem_bw_schema)
		r = str_list_add(ret, rdt->mem_bw_schema);
	for (size_t i = 0; r == 0 && i < rdt->schemata.count; i++)
		r = str_list_add(ret, rdt->schemata.items[i]);
	return r;
}

/* One "0=00ff" of @list stands in @have, but for leading zeros. */
static bool part_is_there(const char *part, size_t n, const char *have)
{
	size_t key = strcspn(part, "=") + 1;
	const char *value = part + key;

	if (key >= n)
		return false;
	for (; n > key + 1 && *value == '0'; key++)
		value++;
	n -= (size_t)(value - part);
	for (const char *at = have; *at; at += strcspn(at, ";\n"), at += *at == ';') {
		size_t head = strcspn(at, "=");
		const char *theirs = at + head + (at[head] == '=');
		size_t size;

		for (size = strcspn(theirs, ";\n"); size > 1 && *theirs == '0'; size--)
			theirs++;
		if (strncmp(at, part, strcspn(part, "=") + 1) == 0 && size == n && memcmp(theirs, value, n) == 0)
			return true;
	}
	return false;
}

/* Whether the line "L3:0=ff;1=ff" holds in the file's @text, whose lines begin with blanks. */
static bool line_holds(const char *line, const char *text)
{
	size_t head = strcspn(line, ":") + 1;

	if (head > strlen(line))
		return false;
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		cleanup_free char *have = NULL;
		const char *part = line + head;
		bool all = true;

		at += strspn(at, " \t");
		if (strncmp(at, line, head) != 0)
			continue;
		have = strndup(at + head, strcspn(at + head, "\n"));
		while (have && all && *part) {
			size_t n = strcspn(part, ";");

			all = n == 0 || part_is_there(part, n, have);
			part += n + (part[n] == ';');
		}
		return have && all;
	}
	return false;
}

static int schemata_compare(int group, const struct str_list *lines, const char *clos)
{
	cleanup_free char *text = NULL;
	int r = fd_read_file(group, "schemata", &text);

	for (size_t i = 0; r == 0 && i < lines->count; i++)
		if (!line_holds(lines->items[i], text))
			return fail_plain(EEXIST, "class '%s' is there already, and its schemata is not '%s'", clos,
					  lines->items[i]);
	return r;
}

static int schemata_write(int group, const struct str_list *lines)
{
	cleanup_free char *text = NULL;
	int r = str_copy(&text, "");

	for (size_t i = 0; r == 0 && i < lines->count; i++) {
		cleanup_free char *longer = NULL;

		r = str_format(&longer, "%s%s\n", text, lines->items[i]);
		if (r == 0) {
			free(text);
			text = steal_ptr(&longer);
		}
	}
	return r < 0 ? r : fd_write_file(group, "schemata", text);
}

static int group_open(int root, const char *clos)
{
	int fd = openat(root, clos, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? fail(errno, "class '%s'", clos) : fd;
}

/* The class: made, or one that is there and fits. Return: its fd or a recorded failure. */
static int class_take(int root, const struct spec_intel_rdt *rdt, const char *clos)
{
	cleanup_fd int group = -1;
	struct str_list lines = { .items = NULL };
	bool made = false;
	int r;

	if (rdt->clos_id && !wants_schemata(rdt))
		return group_open(root, clos);
	if (!str_eq(clos, ".")) {
		made = mkdirat(root, clos, 0755) == 0;
		if (!made && errno == ENOSPC)
			return fail(ENOSPC, "class '%s': the processor has no more of them", clos);
		if (!made && (errno != EEXIST || !rdt->clos_id))
			return fail(errno, "make class '%s'", clos);
	}
	group = group_open(root, clos);
	if (group < 0)
		return group;
	r = lines_wanted(rdt, &lines);
	if (r == 0 && lines.count)
		r = made ? schemata_write(group, &lines) : schemata_compare(group, &lines, clos);
	str_list_done(&lines);
	if (r < 0 && made)
		(void)unlinkat(root, clos, AT_REMOVEDIR);
	return r < 0 ? r : steal_fd(&group);
}

/* Its folder: "." is the root's class. */
static const char *class_name(const struct spec_intel_rdt *rdt, const char *id)
{
	if (!rdt->clos_id)
		return id;
	return str_eq(rdt->clos_id, "/") ? "." : rdt->clos_id;
}

static int task_add(int group, const char *file, pid_t pid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	return fd_write_file(group, file, text);
}

/* The class takes it out of any monitoring group, so that comes second. */
static int tasks_join(int group, const struct spec_intel_rdt *rdt, const char *id, pid_t pid)
{
	cleanup_free char *tasks = NULL;
	int r = task_add(group, "tasks", pid);

	if (r < 0 || !rdt->monitoring)
		return r;
	r = str_format(&tasks, "mon_groups/%s/tasks", id);
	return r < 0 ? r : task_add(group, tasks, pid);
}

int resctrl_enter(int root, const struct spec_intel_rdt *rdt, const char *id, pid_t pid)
{
	cleanup_fd int group = class_take(root, rdt, class_name(rdt, id));
	cleanup_free char *folder = NULL;
	int r = group < 0 ? group : str_format(&folder, "mon_groups/%s", id);

	if (r == 0 && rdt->monitoring && mkdirat(group, folder, 0755) < 0)
		r = fail(errno, "make the monitoring group '%s'", folder);
	if (r == 0)
		r = tasks_join(group, rdt, id, pid);
	return r < 0 ? fail_in(r, "linux.intelRdt") : 0;
}

int resctrl_follow(int root, const struct spec_intel_rdt *rdt, const char *id, pid_t pid)
{
	cleanup_fd int group = group_open(root, class_name(rdt, id));
	int r = group < 0 ? group : tasks_join(group, rdt, id, pid);

	return r < 0 ? fail_in(r, "linux.intelRdt") : 0;
}

int resctrl_leave(int root, const struct spec_intel_rdt *rdt, const char *id)
{
	cleanup_free char *folder = NULL;
	int r = str_format(&folder, "%s/mon_groups/%s", class_name(rdt, id), id);

	if (r < 0)
		return r;
	if (rdt->monitoring && unlinkat(root, folder, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(errno, "linux.intelRdt: remove the monitoring group '%s'", folder);
	if (!rdt->clos_id && unlinkat(root, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(errno, "linux.intelRdt: remove class '%s'", id);
	return 0;
}

bool resctrl_is_owed(const struct spec *spec)
{
	const struct spec_intel_rdt *rdt = &spec->linux_.intel_rdt;

	return rdt->set && (!rdt->clos_id || rdt->monitoring);
}

void resctrl_forget(const struct spec *spec, const char *id)
{
	cleanup_fd int root = resctrl_open();

	if (root < 0 || resctrl_leave(root, &spec->linux_.intel_rdt, id) < 0)
		log_warn("%s, ignoring", fail_text());
}
