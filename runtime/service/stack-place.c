/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a stack is kept while it is up. */
#include "runtime/service/stack-place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/container.h"
#include "runtime/service/stack.h"
#include "runtime/state.h"

#define FOLDER "stacks"
#define DEFINITION "stack.json"

enum { VERSION = 1 };

/* <data>/stacks. @make: when it is missing. Return: an fd, or -errno with nothing recorded but for a failure to make <data>. */
static int stacks_open(const char *data, bool make)
{
	cleanup_fd int dir = make ? state_root_open(data) : open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0)
		return make ? dir : -errno;
	if (make && mkdirat(dir, FOLDER, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make '%s/" FOLDER "'", data);
	fd = openat(dir, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : make ? fail(errno, "open '%s/" FOLDER "'", data) : -errno;
}

static int lock_wait(int fd, const char *name)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return fail(errno, "lock stack '%s'", name);
	log_warn("stack '%s' is being changed by another command: waiting for its end", name);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return fail(errno, "lock stack '%s'", name);
	return 0;
}

int stack_lock(const struct container_place *place, const char *name)
{
	cleanup_fd int stacks = stacks_open(place->data, true);

	if (stacks < 0)
		return stacks;
	for (;;) {
		cleanup_fd int fd = -1;
		struct stat held, named;
		int r;

		if (mkdirat(stacks, name, 0700) < 0 && errno != EEXIST)
			return fail(errno, "make '%s/" FOLDER "/%s'", place->data, name);
		fd = openat(stacks, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return fail(errno, "open '%s/" FOLDER "/%s'", place->data, name);
		r = lock_wait(fd, name);
		if (r < 0)
			return r;
		if (fstat(fd, &held) == 0 && fstatat(stacks, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino)
			return steal_fd(&fd);
	}
}

void stack_lock_undo(const struct container_place *place, const char *name)
{
	cleanup_fd int stacks = stacks_open(place->data, false);

	if (stacks >= 0)
		(void)unlinkat(stacks, name, AT_REMOVEDIR);
}

int stack_definition_write(int dir, const struct stack *stack)
{
	cleanup_json json_t *v = json_pack("{s:i, s:s, s:O}", "version", VERSION, "folder", stack->folder, "stack", stack->text);
	cleanup_free char *text = NULL;

	if (!v || json_object_set_new(json_object_get(v, "stack"), "name", json_string(stack->name)) < 0)
		return fail(ENOMEM, "keep the definition of stack '%s'", stack->name);
	text = json_text(v);
	return text ? fd_replace_file_synced(dir, DEFINITION, text, strlen(text), 0600) : fail(ENOMEM, "keep the definition of stack '%s'", stack->name);
}

static int definition_take(json_t *v, const char *name, json_t **ret_v, char **ret_folder)
{
	json_t *stack = json_object_get(v, "stack");
	const char *folder = json_string_value(json_object_get(v, "folder"));

	if (json_integer_value(json_object_get(v, "version")) > VERSION)
		return fail_plain(EINVAL, "stack '%s' was written by a newer nacelle", name);
	if (!json_is_object(stack) || !folder)
		return fail_plain(EINVAL, "the definition of stack '%s' cannot be read: bring it up from its file again", name);
	*ret_v = json_incref(stack);
	return str_copy(ret_folder, folder);
}

int stack_definition_read(const struct container_place *place, const char *name, json_t **ret_v, char **ret_folder)
{
	cleanup_fd int stacks = stacks_open(place->data, false), dir = -1;
	cleanup_json json_t *v = NULL;
	int r;

	if (stacks >= 0)
		dir = openat(stacks, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || faccessat(dir, DEFINITION, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return STACK_NOT_FOUND;
	r = json_read_at(dir, DEFINITION, name, &v);
	return r < 0 ? r : definition_take(v, name, ret_v, ret_folder);
}

int stack_forget(const struct container_place *place, const char *name, int dir)
{
	cleanup_fd int stacks = stacks_open(place->data, false);
	int r = fd_empty_folder(dir, "the folder of the stack's definition");

	if (r < 0)
		return fail_in(r, "stack '%s'", name);
	if (stacks >= 0 && unlinkat(stacks, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(errno, "remove the folder of stack '%s'", name);
	return 0;
}
