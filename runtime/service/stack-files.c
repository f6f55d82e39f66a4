/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configs and secrets of a stack. */
#include "runtime/service/stack-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/container.h"
#include "runtime/service/stack-spec.h"
#include "runtime/service/stack.h"
#include "runtime/state.h"

#define FOLDER ".stacks"

enum { CONTENT_MAX = 16 * 1024 * 1024 };

static int file_read(const struct stack *stack, const struct stack_file *f, char **ret_data, size_t *ret_size)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r = str_format(&path, "%s%s%s", *f->path == '/' ? "" : stack->folder, *f->path == '/' ? "" : "/", f->path);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(errno, "open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%s' is not a regular file", path);
	r = fd_read_all(fd, CONTENT_MAX, ret_data, ret_size);
	return r < 0 ? fail(-r, "read '%s'", path) : 0;
}

static int content_read(const struct stack *stack, const struct stack_file *f, char **ret_data, size_t *ret_size)
{
	const char *text = f->variable ? getenv(f->variable) : f->content;
	int r;

	if (f->path) {
		r = file_read(stack, f, ret_data, ret_size);
	} else if (!text) {
		r = fail_plain(ENOENT, "the variable '%s' is not set", f->variable);
	} else {
		r = str_copy(ret_data, text);
		*ret_size = strlen(text);
	}
	return r < 0 ? fail_in(r, "%s.%s", f->secret ? "secrets" : "configs", f->name) : 0;
}

static int content_add(struct stack_wanted *wanted, const struct stack_use *use, const char *name, char **data, size_t size)
{
	struct stack_content *more;

	for (size_t i = 0; i < wanted->content_count; i++)
		if (str_eq(wanted->contents[i].name, name))
			return 0;
	more = realloc(wanted->contents, (wanted->content_count + 1) * sizeof(*more));
	if (!more)
		return fail(ENOMEM, "read the stack's files");
	wanted->contents = more;
	more[wanted->content_count] = (struct stack_content){ .data = steal_ptr(data), .size = size, .uid = use->uid, .gid = use->gid,
							     .mode = use->mode };
	return str_copy(&more[wanted->content_count++].name, name);
}

int stack_files_read(const struct stack *stack, const struct stack_service *service, struct stack_wanted *wanted, struct str_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < service->use_count; i++) {
		const struct stack_use *use = &service->uses[i];
		cleanup_free char *data = NULL, *name = NULL;
		char digest[SHA256_DIGEST_STRING_LENGTH];
		size_t size = 0;

		r = content_read(stack, &stack->files[use->file], &data, &size);
		if (r < 0)
			break;
		(void)SHA256Data((const uint8_t *)data, size, digest);
		r = str_format(&name, "%s-%o-%u-%u", digest, use->mode, use->uid, use->gid);
		if (r == 0)
			r = content_add(wanted, use, name, &data, size);
		if (r == 0)
			r = str_list_add(ret, name);
	}
	return r;
}

int stack_file_path(const struct container_place *place, const struct stack *stack, const char *name, char **ret)
{
	if (strchr(place->root, ':'))
		return fail_plain(EINVAL, "the state folder '%s' has a ':' in it: configs and secrets cannot be mounted from there", place->root);
	return str_format(ret, "%s/" FOLDER "/%s/%s", place->root, stack->name, name);
}

/* <root>/.stacks/NAME, made when it is missing and @make. Return: an fd, or -errno with nothing recorded. */
static int folder_open(int root, const char *stack, bool make)
{
	cleanup_fd int all = -1;
	int fd;

	if (make && mkdirat(root, FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	all = openat(root, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (all < 0)
		return -errno;
	if (make && mkdirat(all, stack, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(all, stack, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whole, or not there: a name is given to it when all of it is. */
static int content_write(int folder, const struct stack_content *c)
{
	cleanup_fd int fd = -1;
	int r;

	if (faccessat(folder, c->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	(void)unlinkat(folder, ".new", 0);
	fd = openat(folder, ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(errno, "make the file of a config or secret");
	r = fd_write_all(fd, c->data, c->size);
	if (r < 0)
		return fail(-r, "write the file of a config or secret");
	if ((c->uid || c->gid || geteuid() == 0) && fchown(fd, c->uid, c->gid) < 0)
		return fail(errno, "give the file of a config or secret to %u:%u", c->uid, c->gid);
	if (fchmod(fd, c->mode) < 0 || renameat(folder, ".new", folder, c->name) < 0)
		return fail(errno, "put the file of a config or secret in its place");
	return 0;
}

int stack_files_write(const struct container_place *place, const struct stack *stack, const struct stack_wanted *wanted)
{
	cleanup_fd int root = -1, folder = -1;
	int r = 0;

	if (!wanted->content_count)
		return 0;
	root = state_root_open(place->root);
	if (root < 0)
		return root;
	folder = folder_open(root, stack->name, true);
	if (folder < 0)
		return fail(-folder, "make '%s/" FOLDER "/%s'", place->root, stack->name);
	for (size_t i = 0; r == 0 && i < wanted->content_count; i++)
		r = content_write(folder, &wanted->contents[i]);
	return r;
}

int stack_files_clean(const struct container_place *place, const char *stack, const struct str_list *keep)
{
	cleanup_fd int root = open(place->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder = -1, all = -1;
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;

	if (root >= 0)
		folder = folder_open(root, stack, false);
	if (folder < 0)
		return 0;
	dir = fdopendir(folder);
	if (!dir)
		return fail(errno, "read the files of stack '%s'", stack);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' || str_eq(entry->d_name, ".new"))
			if (!str_list_has(keep, entry->d_name) && unlinkat(folder, entry->d_name, 0) < 0 && errno != ENOENT)
				return fail(errno, "remove a file of stack '%s'", stack);
	/* now the directory stream's */
	(void)steal_fd(&folder);
	all = openat(root, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (all >= 0)
		(void)unlinkat(all, stack, AT_REMOVEDIR);
	(void)unlinkat(root, FOLDER, AT_REMOVEDIR);
	return 0;
}
