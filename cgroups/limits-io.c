/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of block devices: a weight for all and for single devices, which two schedulers of the
 * kernel take in two scales (bfq as v1 did, iocost 1…10000), and rates in io.max.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

/* @before: "" or "8:0 " */
static int weight_write(int dir, const char *field, const char *before, int64_t weight)
{
	cleanup_free char *bfq = NULL, *iocost = NULL;
	int r = str_format(&bfq, "%s%" PRId64, before, weight);

	if (r == 0)
		r = str_format(&iocost, "%s%" PRId64, before, cgroup_weight_from_blkio(weight));
	if (r < 0)
		return r;
	r = cgroup_file_write(dir, "io.bfq.weight", bfq);
	if (r == -ENOENT)
		return cgroup_limit_write(dir, field, "io.weight", iocost);
	return r < 0 ? fail(-r, "%s: write '%s' to 'io.bfq.weight'", field, bfq) : 0;
}

static int device_weight_write(int dir, const struct cgroup_io_device *device)
{
	char before[32];

	if (!cgroup_limit_is_set(device->weight))
		return 0;
	(void)snprintf(before, sizeof(before), "%u:%u ", device->major, device->minor);
	return weight_write(dir, "linux.resources.blockIO.weightDevice", before, device->weight);
}

static const struct {
	const char *key, *field;
} kinds[IO_KINDS] = {
	[IO_READ_BPS] = { "rbps", "linux.resources.blockIO.throttleReadBpsDevice" },
	[IO_WRITE_BPS] = { "wbps", "linux.resources.blockIO.throttleWriteBpsDevice" },
	[IO_READ_IOPS] = { "riops", "linux.resources.blockIO.throttleReadIOPSDevice" },
	[IO_WRITE_IOPS] = { "wiops", "linux.resources.blockIO.throttleWriteIOPSDevice" },
};

const char *cgroup_throttle_field(enum cgroup_io_kind kind)
{
	return kinds[kind].field;
}

static int throttle_write(int dir, const struct cgroup_io_throttle *throttle)
{
	const char *key = kinds[throttle->kind].key, *field = kinds[throttle->kind].field;
	cleanup_free char *text = NULL;
	int r;

	/* v1 removed a limit by a rate of 0, which io.max refuses. */
	if (throttle->rate == 0)
		r = str_format(&text, "%u:%u %s=max", throttle->major, throttle->minor, key);
	else
		r = str_format(&text, "%u:%u %s=%" PRId64, throttle->major, throttle->minor, key,
			       throttle->rate);
	if (r < 0)
		return r;
	r = cgroup_file_write(dir, "io.max", text);
	if (r == -ENOENT && throttle->rate == 0)
		return 0;
	if (r == -ENODEV)
		return fail_plain(
			ENODEV,
			"%s: there is no block device %u:%u (a partition has no limits of its own)",
			field, throttle->major, throttle->minor);
	if (r == -ENOENT)
		return cgroup_limit_write(dir, field, "io.max", text);
	return r < 0 ? fail(-r, "%s: write '%s' to 'io.max'", field, text) : 0;
}

int cgroup_limits_apply_io(int dir, const struct cgroup_limits *limits)
{
	int r = 0;

	if (cgroup_limit_is_set(limits->io_weight))
		r = weight_write(dir, "linux.resources.blockIO.weight", "", limits->io_weight);
	for (size_t i = 0; r == 0 && i < limits->io_device_count; i++)
		r = device_weight_write(dir, &limits->io_devices[i]);
	for (size_t i = 0; r == 0 && i < limits->io_throttle_count; i++)
		r = throttle_write(dir, &limits->io_throttles[i]);
	return r;
}
