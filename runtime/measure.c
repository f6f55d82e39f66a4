/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { TEXT_MAX = 16 << 20, GUEST_KIB = 32 << 10 };

/* Return: 1, 0 when there is no such process any more, or a recorded failure. */
static int text_read(const char *path, char **ret_text)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : fail(errno, "open '%s'", path);
	r = fd_read_all(fd, TEXT_MAX, ret_text, NULL);
	if (r == -ESRCH)
		return 0;
	return r < 0 ? fail(-r, "read '%s'", path) : 1;
}

/* "Pss:   12 kB": of the line that starts with @name, in bytes; otherwise 0. */
static uint64_t kib_of(const char *line, const char *name)
{
	const char *rest = str_starts(line, name);

	return rest ? strtoull(rest, NULL, 10) << 10 : 0;
}

static void line_add(const char *line, struct memory_use *use)
{
	use->pss += kib_of(line, "Pss:");
	use->uss += kib_of(line, "Private_Clean:") + kib_of(line, "Private_Dirty:");
}

static void use_add(struct memory_use *to, struct memory_use *use)
{
	to->pss += use->pss;
	to->uss += use->uss;
	*use = (struct memory_use){ 0 };
}

/* Of a mapping the size comes first and the flags come last. */
void measure_maps(char *text, struct memory_use *guest, struct memory_use *overhead)
{
	struct memory_use use = { 0 };
	bool is_guest = false;
	char *save = NULL;

	for (const char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (str_starts(line, "Size:")) {
			use_add(is_guest ? guest : overhead, &use);
			is_guest = kib_of(line, "Size:") >> 10 >= GUEST_KIB;
		}
		is_guest = is_guest || (str_starts(line, "VmFlags:") && strstr(line, " dd"));
		line_add(line, &use);
	}
	use_add(is_guest ? guest : overhead, &use);
}

int measure_process(pid_t pid, struct memory_use *use)
{
	cleanup_free char *text = NULL;
	char path[sizeof("/proc/-2147483648/smaps_rollup")], *save = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	r = text_read(path, &text);
	if (r <= 0)
		return r;
	for (const char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		line_add(line, use);
	return 0;
}

int measure_machine(pid_t monitor, struct memory_use *guest, struct memory_use *overhead)
{
	cleanup_free char *text = NULL;
	char path[sizeof("/proc/-2147483648/smaps")];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps", (int)monitor);
	r = text_read(path, &text);
	if (r > 0)
		measure_maps(text, guest, overhead);
	return r < 0 ? r : 0;
}

int measure_host(struct memory_host *ret)
{
	cleanup_free char *text = NULL;
	char *save = NULL;
	int r = text_read("/proc/meminfo", &text);

	if (r <= 0)
		return r < 0 ? r : fail(ENOENT, "read '/proc/meminfo'");
	*ret = (struct memory_host){ .total = 0 };
	for (const char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		ret->total += kib_of(line, "MemTotal:");
		ret->available += kib_of(line, "MemAvailable:");
		ret->slab += kib_of(line, "Slab:");
		ret->cached += kib_of(line, "Cached:");
	}
	return ret->available ? 0 : fail_plain(EINVAL, "/proc/meminfo does not say how much memory is available");
}
