/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modules.dep has one line for each module: its path, a colon, and all that it needs, directly or not,
 * the first to load standing last.
 */
#include "runtime/vm-modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { FILE_MAX = 16 << 20 };

static int file_read(int modules, const char *name, char **ret_text)
{
	cleanup_fd int fd = openat(modules, name, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail(errno, "open '%s'", name);
	r = fd_read_all(fd, FILE_MAX, ret_text, NULL);
	return r < 0 ? fail(-r, "read '%s'", name) : 0;
}

static bool same_letter(char a, char b)
{
	return a == b || (a == '-' && b == '_') || (a == '_' && b == '-');
}

/* Whether @path is of the module @name: "kernel/fs/fuse/virtiofs.ko.xz"; '-' and '_' are one. */
static bool is_module(const char *path, size_t size, const char *name)
{
	const char *slash = memrchr(path, '/', size), *base = slash ? slash + 1 : path;
	size_t n = strlen(name), room = size - (size_t)(base - path);

	if (room < n + 3 || strncmp(base + n, ".ko", 3) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same_letter(base[i], name[i]))
			return false;
	return true;
}

/* The line of module @name: up to the end of it, or NULL. @stop: what ends the path in a line. */
static const char *line_find(const char *text, const char *stop, const char *name)
{
	while (*text) {
		size_t path = strcspn(text, stop);

		if (is_module(text, path, name))
			return text;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

static int path_add(struct str_list *paths, const char *path, size_t size)
{
	cleanup_free char *copy = NULL;
	int r = str_format(&copy, "%.*s", (int)size, path);

	return r < 0 || str_list_has(paths, copy) ? r : str_list_add(paths, copy);
}

/* From the last dependency to the first, then the module. */
static int line_add(struct str_list *paths, const char *line)
{
	size_t module = strcspn(line, ":\n"), end = strcspn(line, "\n");
	int r = 0;

	while (r == 0 && end > module + 1) {
		size_t start = end;

		while (start > module + 1 && line[start - 1] != ' ')
			start--;
		if (start < end)
			r = path_add(paths, line + start, end - start);
		end = start > module + 1 ? start - 1 : start;
	}
	return r < 0 ? r : path_add(paths, line, module);
}

/* @ret: both the caller's */
static int tables_read(int modules, char **ret_depends, char **ret_builtin)
{
	int r = file_read(modules, "modules.dep", ret_depends);

	return r < 0 ? r : file_read(modules, "modules.builtin", ret_builtin);
}

int vm_modules_have(int modules, const char *const *names)
{
	cleanup_free char *depends = NULL, *builtin = NULL;
	int r = tables_read(modules, &depends, &builtin);

	if (r < 0)
		return r;
	for (; *names; names++)
		if (!line_find(depends, ":\n", *names) && !line_find(builtin, "\n", *names))
			return 0;
	return 1;
}

int vm_modules_list(int modules, const char *const *names, struct str_list *ret_paths)
{
	cleanup_free char *depends = NULL, *builtin = NULL;
	int r = tables_read(modules, &depends, &builtin);

	for (; r == 0 && *names; names++) {
		bool optional = **names == '?';
		const char *name = *names + optional, *line = line_find(depends, ":\n", name);

		if (line)
			r = line_add(ret_paths, line);
		else if (!optional && !line_find(builtin, "\n", name))
			r = fail_plain(ENOENT, "the kernel has no module '%s'", *names);
	}
	return r;
}
