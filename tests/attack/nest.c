/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the cgroup can be written: nest cgroups as deep as the argument says, and stay. Whoever removes them must not run out
 * of stack, of descriptors or of path.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/attack/attack.h"

int main(int argc, char **argv)
{
	int depth = 0;

	if (argc != 2 || chdir("/sys/fs/cgroup") < 0)
		return 2;
	while (depth < atoi(argv[1]) && mkdir("d", 0755) == 0 && chdir("d") == 0) {
		if (++depth % 500)
			continue;
		(void)printf("nested %d\n", depth);
		(void)fflush(stdout);
	}
	for (;;)
		(void)pause();
}
