/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of one detached container. `nacelle run -d` becomes this program by execve once the container runs, so that
 * it is the container's parent; it is not meant to be started by hand. All files are handed over open.
 */
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/service/keeper.h"

/* A number of ours: digits only, as `nacelle` wrote it. Return: -1 for anything else. */
static int number(const char *text)
{
	int value = 0;

	if (!text || !*text || strlen(text) > 8)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value;
}

int main(int argc, char **argv)
{
	static const char usage[] = "nacelle-keeper: started by 'nacelle run --detach'\n";
	struct keeper keeper = { .pid = -1, .exit = -1, .log = -1, .out = -1, .err = -1, .events = -1 };
	const struct {
		const char *name;
		int *value;
	} numbers[] = {
		{ "--pid", &keeper.pid }, { "--exit", &keeper.exit }, { "--log", &keeper.log },
		{ "--out", &keeper.out }, { "--err", &keeper.err }, { "--events", &keeper.events },
	};

	for (int i = 1; i < argc; i += 2) {
		if (str_eq(argv[i], "--")) {
			keeper.removal = argv + i + 1;
			break;
		}
		for (size_t n = 0; n < ARRAY_SIZE(numbers); n++)
			if (str_eq(argv[i], numbers[n].name))
				*numbers[n].value = number(argv[i + 1]);
	}
	if (keeper.pid <= 0) {
		(void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
		return STATUS_OURS;
	}
	(void)prctl(PR_SET_NAME, "nacelle-keeper");
	return keeper_run(&keeper) < 0 ? STATUS_OURS : 0;
}
