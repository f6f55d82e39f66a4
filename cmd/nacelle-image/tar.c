/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar and untar: a folder as a tar and back, by what writes and reads layers. `nacelle cp` has no library for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "image/ids.h"
#include "image/pack.h"
#include "image/receive.h"

static int maps_read(const struct settings *settings, struct id_maps *ret)
{
	int r = settings->uids ? ids_read(settings->uids, &ret->uids) : 0;

	return r < 0 || !settings->gids ? r : ids_read(settings->gids, &ret->gids);
}

int verb_tar(const struct settings *settings, size_t count, char **operands)
{
	cleanup_fd int fd = open(operands[0], O_PATH | (settings->as ? 0 : O_DIRECTORY) | O_CLOEXEC);
	struct id_maps maps cleanup_ids = { .uids.count = 0 };
	const struct pack pack = {
		.dirs = &fd,
		.count = 1,
		.bare = !settings->as,
		.only = count > 1 ? operands[1] : NULL,
		.as = settings->as,
		.ids = &maps,
	};

	int r;

	if (pack.as && pack.only)
		return usage_fail("tar", "--as and NAME exclude each other");
	if ((pack.as && (!*pack.as || strchr(pack.as, '/'))) || (pack.only && (!*pack.only || strchr(pack.only, '/'))))
		return usage_fail("tar", "a name is one, without '/'");
	if (fd < 0)
		return fail(errno, "open '%s'", operands[0]);
	r = maps_read(settings, &maps);
	return r < 0 ? r : pack_write(&pack, STDOUT_FILENO);
}

int verb_untar(const struct settings *settings, size_t count, char **operands)
{
	cleanup_fd int fd = open(operands[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct id_maps maps cleanup_ids = { .uids.count = 0 };
	struct stat st;
	int r = maps_read(settings, &maps);

	(void)count;
	if (r < 0)
		return r;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(errno, "open '%s'", operands[0]);
	/* What a tar implies but does not name belongs to whom the folder does. */
	return receive_tar(STDIN_FILENO, fd, st.st_uid, st.st_gid, &maps);
}
