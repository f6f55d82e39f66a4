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
static int64_t number(const char *text)
{
	int64_t value = 0;

	if (!text || !*text || strlen(text) > 16)
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
	static struct keeper keeper;
	const struct {
		const char *name;
		int64_t *value;
	} numbers[] = {
		{ "--pid", &keeper.pid }, { "--status", &keeper.status }, { "--pidfd", &keeper.pidfd }, { "--exit", &keeper.exit }, { "--note", &keeper.note },
		{ "--log", &keeper.log }, { "--log-folder", &keeper.log_folder }, { "--journal", &keeper.journal }, { "--log-size", &keeper.log_size },
		{ "--log-files", &keeper.log_files }, { "--out", &keeper.out }, { "--err", &keeper.err }, { "--in", &keeper.in },
		{ "--events", &keeper.events }, { "--socket", &keeper.socket }, { "--restart", &keeper.restart },
		{ "--retries", &keeper.retries }, { "--restarts", &keeper.restarts }, { "--delay", &keeper.delay },
		{ "--lost", &keeper.lost }, { "--last", &keeper.last }, { "--stop-signal", &keeper.stop_signal }, { "--stop-time", &keeper.stop_time },
		{ "--health-interval", &keeper.health.interval }, { "--health-timeout", &keeper.health.timeout },
		{ "--health-start-period", &keeper.health.start_period },
		{ "--health-start-interval", &keeper.health.start_interval }, { "--health-retries", &keeper.health.retries },
	};

	keeper = KEEPER_NONE;
	for (int i = 1; i < argc; i += 2) {
		if (str_eq(argv[i], "--")) {
			keeper.program = argv + i + 1;
			break;
		}
		if (str_eq(argv[i], "--id"))
			keeper.id = argv[i + 1];
		if (str_eq(argv[i], "--remove"))
			keeper.remove = number(argv[i + 1]) == 1;
		/* One that is not known is of a newer nacelle: what it would be for is not done. */
		for (size_t n = 0; n < ARRAY_SIZE(numbers); n++)
			if (str_eq(argv[i], numbers[n].name))
				*numbers[n].value = number(argv[i + 1]);
	}
	if (keeper.pid < 0 || !keeper.id) {
		(void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
		return STATUS_OURS;
	}
	(void)prctl(PR_SET_NAME, "nacelle-keeper");
	return keeper_run(&keeper) < 0 ? STATUS_OURS : 0;
}
