/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save and export: an image out of the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "image/save.h"

static int terminal_refuse(const char *verb, int fd)
{
	if (isatty(fd))
		return usage_fail(verb, "an archive does not belong on a terminal, redirect the output");
	return 0;
}

int verb_save(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_free char *name = NULL;
	int r = store_look(settings, &store);

	(void)count;
	if (r >= 0)
		r = image_need(store, operands[0], &image, &name);
	if (r >= 0 && str_eq(operands[1], "-"))
		r = terminal_refuse("save", STDOUT_FILENO);
	if (r >= 0)
		r = image_save(store, image, name, operands[1], STDOUT_FILENO);
	return r < 0 ? fail_in(r, "save '%s'", operands[0]) : 0;
}

int verb_export(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_fd int fd = -1;
	int r = store_look(settings, &store);

	(void)count;
	if (r >= 0)
		r = image_need(store, operands[0], &image, NULL);
	if (r < 0)
		return r;
	if (settings->output) {
		fd = open(settings->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return fail(errno, "make '%s'", settings->output);
	} else {
		r = terminal_refuse("export", STDOUT_FILENO);
	}
	if (r >= 0)
		r = image_export(store, image, fd >= 0 ? fd : STDOUT_FILENO);
	return r < 0 ? fail_in(r, "export '%s'", operands[0]) : 0;
}
