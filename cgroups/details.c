/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics that come in lists: devices, page sizes, the kernel's own tables, pressure. As in stats.c, a
 * file that is missing or odd is no failure; lines that do not parse are passed over.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "cgroups/stats.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum { ITEMS_MAX = 65536 };

/* One more element, all zero, at the end. Return: it, or NULL with a recorded failure. */
static void *list_add(void *items, size_t *count, size_t size)
{
	char **list = items, *longer;

	if (*count >= ITEMS_MAX) {
		(void)fail_plain(E2BIG, "read the statistics: more than %d of a kind", ITEMS_MAX);
		return NULL;
	}
	longer = reallocarray(*list, *count + 1, size);
	if (!longer) {
		(void)fail(ENOMEM, "read the statistics");
		return NULL;
	}
	*list = longer;
	return memset(longer + size * (*count)++, 0, size);
}

/* Lines of "name number". */
static int counts_read(int dir, const char *file, struct cgroup_count **list, size_t *count)
{
	cleanup_free char *text = NULL;
	char *saved = NULL;
	int r = cgroup_stats_file(dir, file, &text);

	if (r < 0 || !text)
		return r;
	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		char *space = strchr(line, ' ');
		struct cgroup_count *c;
		uint64_t value;

		if (!space || str_to_u64(space + 1, UINT64_MAX, &value) < 0)
			continue;
		*space = '\0';
		c = list_add(list, count, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->value = value;
		r = str_copy(&c->name, line);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "1.25" is 125. */
static bool hundredths(const char *text, uint32_t *ret)
{
	unsigned int whole, part;

	if (sscanf(text, "%u.%2u", &whole, &part) != 2 || whole > 100 || part > 99)
		return false;
	*ret = whole * 100 + part;
	return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"; Source: Documentation/accounting/psi.rst */
static bool pressure_line(char *line, struct cgroup_pressure_line *ret)
{
	char avg10[16], avg60[16], avg300[16];
	uint64_t total;

	if (sscanf(line, "%*s avg10=%15s avg60=%15s avg300=%15s total=%" SCNu64, avg10, avg60, avg300, &total) != 4)
		return false;
	ret->total_us = total;
	return hundredths(avg10, &ret->avg10) && hundredths(avg60, &ret->avg60) && hundredths(avg300, &ret->avg300);
}

static int pressure_read(int dir, const char *file, struct cgroup_pressure *ret)
{
	cleanup_free char *text = NULL;
	char *saved = NULL;
	int r = cgroup_stats_file(dir, file, &text);

	if (r < 0 || !text)
		return r;
	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		if (str_starts(line, "some ") && pressure_line(line, &ret->some))
			ret->set = true;
		else if (str_starts(line, "full "))
			(void)pressure_line(line, &ret->full);
	}
	return 0;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static int ios_read(int dir, struct cgroup_details *d)
{
	cleanup_free char *text = NULL;
	char *saved = NULL;
	int r = cgroup_stats_file(dir, "io.stat", &text);

	if (r < 0 || !text)
		return r;
	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		struct cgroup_io_use use, *item;

		if (sscanf(line, "%" SCNu32 ":%" SCNu32 " rbytes=%" SCNu64 " wbytes=%" SCNu64 " rios=%" SCNu64 " wios=%" SCNu64,
			   &use.major, &use.minor, &use.read_bytes, &use.write_bytes, &use.read_ops,
			   &use.write_ops) != 6)
			continue;
		item = list_add(&d->ios, &d->io_count, sizeof(*item));
		if (!item)
			return -ENOMEM;
		*item = use;
	}
	return 0;
}

/* @file: "hugetlb.2MB.current" */
static int hugetlb_add(int dir, const char *file, struct cgroup_details *d)
{
	const char *size = str_starts(file, "hugetlb.");
	cleanup_free char *events = NULL, *text = NULL, *number = NULL;
	struct cgroup_hugetlb_use *use;
	int length = (int)(strlen(size) - strlen(".current")), r;

	use = list_add(&d->hugetlbs, &d->hugetlb_count, sizeof(*use));
	if (!use)
		return -ENOMEM;
	r = str_format(&use->page_size, "%.*s", length, size);
	if (r == 0)
		r = str_format(&events, "hugetlb.%.*s.events", length, size);
	if (r == 0)
		r = cgroup_stats_file(dir, file, &number);
	if (r == 0)
		r = cgroup_stats_file(dir, events, &text);
	if (r < 0)
		return r;
	if (number)
		number[strcspn(number, "\n")] = '\0';
	if (!number || str_to_u64(number, UINT64_MAX, &use->current) < 0)
		use->current = 0;
	if (!text || !cgroup_text_number(text, "max", &use->failures))
		use->failures = 0;
	return 0;
}

static int hugetlbs_read(int dir, struct cgroup_details *d)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream) {
		if (fd >= 0)
			(void)close(fd);
		return errno == ENOMEM ? fail(ENOMEM, "read the statistics") : 0;
	}
	while (r == 0 && (entry = readdir(stream))) {
		const char *size = str_starts(entry->d_name, "hugetlb.");

		/* "hugetlb.2MB.rsvd.current" is another thing. */
		if (size && str_ends(size, ".current") && !strstr(size, ".rsvd."))
			r = hugetlb_add(dir, entry->d_name, d);
	}
	(void)closedir(stream);
	return r;
}

static int line_read(int dir, const char *file, char **ret_text)
{
	int r = cgroup_stats_file(dir, file, ret_text);

	if (r == 0 && *ret_text)
		(*ret_text)[strcspn(*ret_text, "\n")] = '\0';
	return r;
}

int cgroup_details_read(int dir, struct cgroup_details *ret_details)
{
	struct cgroup_details d = { .cpus = NULL };
	int r = pressure_read(dir, "cpu.pressure", &d.cpu);

	if (r == 0)
		r = pressure_read(dir, "memory.pressure", &d.memory);
	if (r == 0)
		r = pressure_read(dir, "io.pressure", &d.io);
	if (r == 0)
		r = ios_read(dir, &d);
	if (r == 0)
		r = hugetlbs_read(dir, &d);
	if (r == 0)
		r = counts_read(dir, "memory.stat", &d.memory_stat, &d.memory_stat_count);
	if (r == 0)
		r = counts_read(dir, "memory.events", &d.memory_events, &d.memory_event_count);
	if (r == 0)
		r = line_read(dir, "cpuset.cpus.effective", &d.cpus);
	if (r == 0)
		r = line_read(dir, "cpuset.mems.effective", &d.mems);
	if (r < 0) {
		cgroup_details_done(&d);
		return r;
	}
	*ret_details = d;
	return 0;
}

void cgroup_details_done(struct cgroup_details *d)
{
	for (size_t i = 0; i < d->hugetlb_count; i++)
		free(d->hugetlbs[i].page_size);
	for (size_t i = 0; i < d->memory_stat_count; i++)
		free(d->memory_stat[i].name);
	for (size_t i = 0; i < d->memory_event_count; i++)
		free(d->memory_events[i].name);
	free(d->ios);
	free(d->hugetlbs);
	free(d->memory_stat);
	free(d->memory_events);
	free(d->cpus);
	free(d->mems);
	*d = (struct cgroup_details){ .cpus = NULL };
}
