/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both programs come with Debian's package uidmap and hold the privilege for it, file capabilities or set-uid. */
#include "runtime/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"

enum { FILE_MAX = 1024 * 1024 };

static const struct {
	const char *program, *file, *field, *option;
} kinds[] = {
	{ "newuidmap", "/etc/subuid", "linux.uidMappings", "--add-subuids" },
	{ "newgidmap", "/etc/subgid", "linux.gidMappings", "--add-subgids" },
};

/* "name:start:count", cut to pieces. Return: whether it is the user's and makes sense. */
static bool line_read(char *line, const char *name, uid_t uid, struct subid_range *ret)
{
	char *start = strchr(line, ':'), *count = start ? strchr(start + 1, ':') : NULL;
	uint64_t from, n, owner;

	if (!count)
		return false;
	*start++ = *count++ = '\0';
	if (!(name && str_eq(line, name)) && (str_to_u64(line, UINT32_MAX, &owner) != 0 || owner != uid))
		return false;
	if (str_to_u64(start, UINT32_MAX - 1, &from) != 0 || str_to_u64(count, UINT32_MAX - 1 - from, &n) != 0 || n == 0)
		return false;
	*ret = (struct subid_range){ .start = (uint32_t)from, .count = (uint32_t)n };
	return true;
}

size_t subid_ranges(const char *file, const char *name, uid_t uid, struct subid_range ret[SUBID_RANGES_MAX])
{
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	cleanup_free char *text = NULL;
	char *line, *rest;
	size_t size, n = 0;

	if (fd < 0 || fd_read_all(fd, FILE_MAX, &text, &size) != 0)
		return 0;
	rest = text;
	while (n < SUBID_RANGES_MAX && (line = strsep(&rest, "\n")))
		n += line_read(line, name, uid, &ret[n]);
	return n;
}

/* Our name as /etc/passwd has it; @room holds it. */
static const char *own_name(char *room, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd line = { .pw_name = NULL }, *found = NULL;

	while (file && fgetpwent_r(file, &line, room, size, &found) == 0 && found->pw_uid != getuid())
		found = NULL;
	if (file)
		(void)fclose(file);
	return found ? found->pw_name : NULL;
}

size_t subid_maps(bool groups, struct spec_id_map *maps)
{
	char room[4096];
	const char *name = own_name(room, sizeof(room));
	struct subid_range users[SUBID_RANGES_MAX], group[SUBID_RANGES_MAX], *ranges = groups ? group : users;
	size_t user_count = subid_ranges(kinds[0].file, name, getuid(), users);
	size_t group_count = subid_ranges(kinds[1].file, name, getuid(), group), count = groups ? group_count : user_count;
	uint32_t next = 1;

	maps[0] = (struct spec_id_map){ .container_id = 0, .host_id = groups ? getegid() : geteuid(), .size = 1 };
	/* Users without groups, or the other way round, make nobody happy. */
	if (!user_count || !group_count || !spawn_finds(kinds[0].program) || !spawn_finds(kinds[1].program))
		return 1;
	for (size_t i = 0; i < count; i++) {
		if (ranges[i].count > UINT32_MAX - 1 - next)
			return i + 1;
		maps[i + 1] = (struct spec_id_map){ .container_id = next, .host_id = ranges[i].start, .size = ranges[i].count };
		next += ranges[i].count;
	}
	return count + 1;
}

static int program_run(char *const *args, int *ret_status)
{
	/* What it says is not for our one line; we know what it comes to. */
	static const int fds[] = { SPAWN_SAME, SPAWN_SAME, SPAWN_NULL };
	pid_t pid = 0;
	int r = spawn(args, fds, ARRAY_SIZE(fds), &pid);

	if (r == -ENOENT)
		return fail_plain(ENOENT, "'%s' is not there: install the package 'uidmap'", args[0]);
	if (r < 0)
		return fail(-r, "run '%s'", args[0]);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return fail(errno, "wait for '%s'", args[0]);
	return 0;
}

static int refused(bool groups)
{
	char room[4096];
	const char *name = own_name(room, sizeof(room));

	if (!name)
		return fail_plain(EPERM, "%s: '%s' refused; uid %u, which has no name, needs a line in %s", kinds[groups].field,
				  kinds[groups].program, getuid(), kinds[groups].file);
	return fail_plain(EPERM, "%s: '%s' refused; '%s' must have these ids in %s: usermod %s 100000-165535 %s",
			  kinds[groups].field, kinds[groups].program, name, kinds[groups].file, kinds[groups].option, name);
}

int subid_map_write(pid_t pid, bool groups, const struct spec_id_map *maps, size_t count)
{
	struct str_list args = { .items = NULL };
	int status = 0, r = str_list_add(&args, kinds[groups].program);

	if (r == 0)
		r = str_list_addf(&args, "%d", (int)pid);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = str_list_addf(&args, "%" PRIu32, maps[i].container_id);
		if (r == 0)
			r = str_list_addf(&args, "%" PRIu32, maps[i].host_id);
		if (r == 0)
			r = str_list_addf(&args, "%" PRIu32, maps[i].size);
	}
	if (r == 0)
		r = program_run(args.items, &status);
	str_list_done(&args);
	if (r < 0)
		return fail_in(r, "%s", kinds[groups].field);
	return status == 0 ? 0 : refused(groups);
}
