/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading the device filter and attaching it to a cgroup, by bpf(2) alone. Programs of several
 * owners stand side by side and all of them must allow (BPF_F_ALLOW_MULTI); ours is known by its
 * name, and an update replaces it in one step, so that at no moment there is none. Never on the
 * root cgroup: that would filter the whole host. The rules become a program in device-program.c.
 */
#include "cgroups/devices.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

static const char program_name[] = "nacelle_dev";

enum {
	ATTACHED_MAX = 64, /* of the kernel: BPF_CGROUP_MAX_PROGS */
	REPLACE_TRIES = 8,
	LOAD_TRIES = 5,
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int program_load(const struct cgroup_limits *limits, int *ret_fd)
{
	cleanup_free struct bpf_insn *insns = NULL;
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };
	size_t count;
	int fd, tries = 0, r = cgroup_devices_compile(limits, &insns, &count);

	if (r < 0)
		return r;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)count;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	attr.expected_attach_type = BPF_CGROUP_DEVICE;
	memcpy(attr.prog_name, program_name, sizeof(program_name));
	/* The verifier gives up when a signal comes, whatever becomes of that (it may be our child's end). */
	do
		fd = bpf(BPF_PROG_LOAD, &attr);
	while (fd < 0 && errno == EAGAIN && ++tries < LOAD_TRIES);
	if (fd < 0 && errno == EPERM)
		return fail(EPERM,
			    "linux.resources.devices: load the device filter (it needs CAP_BPF and "
			    "CAP_NET_ADMIN in the initial user namespace)");
	if (fd < 0)
		return fail(errno,
			    "linux.resources.devices: load a device filter of %zu instructions",
			    count);
	*ret_fd = fd;
	return 0;
}

/*
 * Return: 1 when the program @id is ours, 0 when not, -errno with nothing recorded; @ret_fd is open
 * when 1.
 */
static int program_is_ours(uint32_t id, int *ret_fd)
{
	struct bpf_prog_info info = { .type = 0 };
	union bpf_attr attr = { .prog_id = id };
	cleanup_fd int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		return -errno;
	attr = (union bpf_attr){ .info = { .bpf_fd = (uint32_t)fd,
					   .info_len = sizeof(info),
					   .info = (uint64_t)(uintptr_t)&info } };
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return -errno;
	if (strncmp(info.name, program_name, sizeof(info.name)) != 0)
		return 0;
	*ret_fd = steal_fd(&fd);
	return 1;
}

/*
 * The program of ours that is attached to this very cgroup.
 * Return: 1 and @ret_fd, 0 when there is none, or a recorded failure.
 */
static int attached_find(int dir, int *ret_fd)
{
	uint32_t ids[ATTACHED_MAX] = { 0 };
	union bpf_attr attr = { .query = { .target_fd = (uint32_t)dir,
					   .attach_type = BPF_CGROUP_DEVICE,
					   .prog_ids = (uint64_t)(uintptr_t)ids,
					   .prog_cnt = ATTACHED_MAX } };

	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return fail(errno,
			    "linux.resources.devices: look for device filters of the cgroup");
	for (uint32_t i = 0; i < attr.query.prog_cnt && i < ATTACHED_MAX; i++) {
		int r = program_is_ours(ids[i], ret_fd);

		if (r > 0)
			return 1;
		if (r < 0 && r != -ENOENT)
			return fail(-r, "linux.resources.devices: look at device filter %u",
				    ids[i]);
	}
	return 0;
}

int cgroup_devices_attach(int dir, const struct cgroup_limits *limits)
{
	cleanup_fd int program = -1;
	int r;

	if (cgroup_is_root(dir))
		return fail_plain(
			EINVAL,
			"linux.resources.devices: a device filter on the root cgroup would filter "
			"the whole host");
	r = program_load(limits, &program);
	for (int i = 0; r >= 0 && i < REPLACE_TRIES; i++) {
		cleanup_fd int old = -1;
		union bpf_attr attr = { .target_fd = (uint32_t)dir };

		r = attached_find(dir, &old);
		if (r < 0)
			return r;
		attr.attach_bpf_fd = (uint32_t)program;
		attr.attach_type = BPF_CGROUP_DEVICE;
		attr.attach_flags = BPF_F_ALLOW_MULTI;
		if (r > 0) {
			attr.attach_flags |= BPF_F_REPLACE;
			attr.replace_bpf_fd = (uint32_t)old;
		}
		if (bpf(BPF_PROG_ATTACH, &attr) == 0)
			return 0;
		/*
		 * Another update was faster and ours is no longer the one to replace: look again.
		 */
		if (r > 0 && errno == ENOENT)
			continue;
		return fail(errno,
			    "linux.resources.devices: attach the device filter to the cgroup");
	}
	return r < 0 ? r
		     : fail(EAGAIN,
			    "linux.resources.devices: replace the device filter of the cgroup");
}
