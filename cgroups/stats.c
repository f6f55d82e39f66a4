/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a cgroup uses. A table says which number comes from which file and key. A file that
 * is missing, empty, cut off or odd leaves its values at STAT_NONE: reading statistics never fails
 * for what the files hold.
 */
#include "cgroups/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { STATS_FILE_MAX = 1024 * 1024 };

struct source {
	const char *file;
	const char *key; /* NULL: the file is one number */
	size_t offset;
};

#define STAT(of) offsetof(struct cgroup_stats, of)

/* Rows of one file stand together: it is read once. */
static const struct source sources[] = {
	{ "cpu.stat", "usage_usec", STAT(cpu_usage_us) },
	{ "cpu.stat", "user_usec", STAT(cpu_user_us) },
	{ "cpu.stat", "system_usec", STAT(cpu_system_us) },
	{ "cpu.stat", "nr_periods", STAT(cpu_periods) },
	{ "cpu.stat", "nr_throttled", STAT(cpu_throttled) },
	{ "cpu.stat", "throttled_usec", STAT(cpu_throttled_us) },
	{ "memory.current", NULL, STAT(memory_current) },
	{ "memory.peak", NULL, STAT(memory_peak) },
	{ "memory.max", NULL, STAT(memory_max) },
	{ "memory.swap.current", NULL, STAT(memory_swap_current) },
	{ "memory.swap.max", NULL, STAT(memory_swap_max) },
	{ "memory.stat", "anon", STAT(memory_anon) },
	{ "memory.stat", "file", STAT(memory_file) },
	{ "memory.stat", "kernel", STAT(memory_kernel) },
	{ "memory.stat", "slab", STAT(memory_slab) },
	{ "memory.stat", "sock", STAT(memory_sock) },
	{ "memory.stat", "inactive_file", STAT(memory_inactive_file) },
	{ "memory.stat", "pgfault", STAT(memory_pgfault) },
	{ "memory.stat", "pgmajfault", STAT(memory_pgmajfault) },
	{ "memory.events", "oom", STAT(oom) },
	{ "memory.events", "oom_kill", STAT(oom_kill) },
	{ "memory.events", "oom_group_kill", STAT(oom_group_kill) },
	/* after memory.events, whose values it replaces: there the cgroups below are counted in */
	{ "memory.events.local", "oom", STAT(oom) },
	{ "memory.events.local", "oom_kill", STAT(oom_kill) },
	{ "memory.events.local", "oom_group_kill", STAT(oom_group_kill) },
	{ "pids.current", NULL, STAT(pids_current) },
	{ "pids.max", NULL, STAT(pids_max) },
};

int cgroup_stats_file(int dir, const char *file, char **ret_text)
{
	cleanup_fd int fd =
		openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int r;

	*ret_text = NULL;
	if (fd < 0 && (errno == EBADF || errno == ENOTDIR || errno == EMFILE || errno == ENFILE ||
		       errno == ENOMEM))
		return fail(errno, "open '%s'", file);
	if (fd < 0)
		return 0;
	r = fd_read_all(fd, STATS_FILE_MAX, ret_text, NULL);
	if (r == -ENOMEM)
		return fail(ENOMEM, "read '%s'", file);
	if (r < 0)
		*ret_text = NULL;
	return 0;
}

/* A file of one number; "max" is STAT_NONE: no limit. */
static uint64_t single_number(char *text)
{
	uint64_t value;

	text[strcspn(text, "\n")] = '\0';
	return str_to_u64(text, UINT64_MAX, &value) == 0 ? value : STAT_NONE;
}

static void add(uint64_t *sum, uint64_t value)
{
	if (*sum == STAT_NONE)
		*sum = 0;
	if (__builtin_add_overflow(*sum, value, sum) || *sum == STAT_NONE)
		*sum = STAT_NONE - 1;
}

/* io.stat: lines of "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …"; unknown keys are passed over. */
static void io_sum(char *text, struct cgroup_stats *stats)
{
	const struct {
		const char *key;
		uint64_t *sum;
	} keys[] = {
		{ "rbytes=", &stats->io_read_bytes },
		{ "wbytes=", &stats->io_write_bytes },
		{ "rios=", &stats->io_read_ops },
		{ "wios=", &stats->io_write_ops },
	};
	char *saved = NULL;

	for (char *word = strtok_r(text, " \n", &saved); word;
	     word = strtok_r(NULL, " \n", &saved)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			const char *number = str_starts(word, keys[i].key);
			uint64_t value;

			if (number && str_to_u64(number, UINT64_MAX, &value) == 0)
				add(keys[i].sum, value);
		}
	}
}

int cgroup_stats_read(int dir, struct cgroup_stats *ret_stats)
{
	struct cgroup_stats stats;
	cleanup_free char *text = NULL;
	const char *open_file = "";
	int r;

	memset(&stats, 0xff, sizeof(stats)); /* STAT_NONE everywhere */
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const struct source *source = &sources[i];
		uint64_t *value = (uint64_t *)(void *)((char *)&stats + source->offset);

		if (!str_eq(open_file, source->file)) {
			free(text);
			r = cgroup_stats_file(dir, source->file, &text);
			if (r < 0)
				return r;
			open_file = source->file;
		}
		if (text && source->key)
			(void)cgroup_text_number(text, source->key, value);
		else if (text)
			*value = single_number(text);
	}
	free(text);
	r = cgroup_stats_file(dir, "io.stat", &text);
	if (r < 0)
		return r;
	if (text)
		io_sum(text, &stats);
	*ret_stats = stats;
	return 0;
}

uint64_t cgroup_oom_kills(int dir)
{
	char text[CGROUP_FILE_SMALL];
	uint64_t kills;

	if (cgroup_file_read(dir, "memory.events", text, sizeof(text)) < 0 ||
	    !cgroup_text_number(text, "oom_kill", &kills))
		return 0;
	return kills;
}
