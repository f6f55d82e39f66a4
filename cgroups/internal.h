/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * internal - what the files of this folder share, and what their unit tests look at
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroups/limits.h"

struct bpf_insn;
struct cgroup;

/* A small control file of the kernel's (events, controllers, cpu.max) is never longer than this. */
enum { CGROUP_FILE_SMALL = 1024 };

/*
 * cgroup_file_write() - one write(2) of @text to a file of the cgroup @dir
 *
 * Return: 0 or -errno; nothing recorded.
 */
int cgroup_file_write(int dir, const char *file, const char *text);

/*
 * cgroup_file_read() - a small file as a string; what does not fit is cut off
 *
 * Return: length, or -errno; nothing recorded.
 */
int cgroup_file_read(int dir, const char *file, char *ret_text, size_t size);

/*
 * cgroup_text_number() - the number behind @key in lines of "key number"
 *
 * Return: true and @ret_value set, or false when there is no such line or no number in it. Any text
 * is safe.
 */
bool cgroup_text_number(const char *text, const char *key, uint64_t *ret_value);

/* cgroup_event() - 1 or 0 for @key ("populated", …) of cgroup.events, or a recorded failure. */
int cgroup_event(int dir, const char *key);

/*
 * cgroup_event_wait() - wait until @key of cgroup.events is @want
 *
 * Return: 0, CGROUP_TIMED_OUT, or a recorded failure.
 * Source: cgroup-v2.rst, "cgroup.events": a change of the file raises POLLPRI.
 */
enum { CGROUP_TIMED_OUT = 1 };
int cgroup_event_wait(int dir, const char *key, bool want, int timeout_ms);

/* cgroup_is_root() - the root of the whole hierarchy, which alone has no cgroup.events. */
bool cgroup_is_root(int dir);

/* cgroup_last_name() - the last name of a cgroup's path; points into it. */
const char *cgroup_last_name(const struct cgroup *cg);

/*
 * cgroup_pids_text() - "12 34 56 …" of the processes in it, for a message
 * @ret_text: malloc'ed; "unknown" when they cannot be read
 */
int cgroup_pids_text(const struct cgroup *cg, char **ret_text);

/* cgroup_parent_parse() - the parent that a process's /proc/PID/cgroup (cut up) tells, "" for the root. Return: 0 or a recorded failure. */
int cgroup_parent_parse(char *text, char **ret_path);

/* cgroup_kill_by_freezing() - cgroup_kill() for kernels without cgroup.kill (before 5.14). */
int cgroup_kill_by_freezing(const struct cgroup *cg);

/* The controllers of cgroup v2 that a limit of ours may need. */
enum cgroup_controller {
	CGROUP_CPUSET,
	CGROUP_CPU,
	CGROUP_IO,
	CGROUP_MEMORY,
	CGROUP_HUGETLB,
	CGROUP_PIDS,
	CGROUP_RDMA,
	CGROUP_MISC,
	CGROUP_CONTROLLERS
};

/* cgroup_controller_name() - "cpu", "memory", … */
const char *cgroup_controller_name(enum cgroup_controller controller);

/*
 * cgroup_controllers_parse() - bits (1 << enum cgroup_controller) of the names in @text; others are
 * passed over.
 */
unsigned int cgroup_controllers_parse(const char *text);

/*
 * cgroup_controllers_enable() - see to it that the leaf has the controllers that @limits need
 * @mount: directory fd of the mount's root
 * @path: of the leaf, as in struct cgroup
 * @leaf: directory fd of it
 * @made_from: length of the shortest part of @path that we made; 0 when none but the leaf was
 */
int cgroup_controllers_enable(int mount, const char *path, int leaf,
			      const struct cgroup_limits *limits, size_t made_from);

/* Which controllers the limits need, and for each the first field of the spec that does. */
struct cgroup_needs {
	unsigned int mask;
	const char *field[CGROUP_CONTROLLERS];
};
void cgroup_limits_needs(const struct cgroup_limits *limits, struct cgroup_needs *ret_needs);

/*
 * cgroup_limit_is_set() - whether a number asks for something: neither unset nor the 0 that engines
 * write for it.
 */
bool cgroup_limit_is_set(int64_t value);

/*
 * cgroup_weight_from_shares() - cpu.weight (1…10000) for cgroup v1's cpu.shares; out of range is
 * clamped.
 */
int64_t cgroup_weight_from_shares(int64_t shares);

/* cgroup_weight_from_blkio() - io.weight (1…10000) for cgroup v1's blkio.weight (10…1000). */
int64_t cgroup_weight_from_blkio(int64_t weight);

/*
 * cgroup_swap_from_memsw() - memory.swap.max for OCI's memory.swap, which is memory and swap
 * @memory: OCI's memory.limit
 * @ret_swap: bytes, LIMIT_MAX, or LIMIT_UNSET for "write nothing"
 */
int cgroup_swap_from_memsw(int64_t memsw, int64_t memory, int64_t *ret_swap);

/* cgroup_limits_apply_io() - the part of cgroup_limits_apply() that writes io.* files. */
int cgroup_limits_apply_io(int dir, const struct cgroup_limits *limits);

/* cgroup_throttle_field() - the spec's name of the list that a rate stands in. */
const char *cgroup_throttle_field(enum cgroup_io_kind kind);

/*
 * cgroup_limit_write() - write one value for one field of the spec
 * @field: "linux.resources.…", for the message
 *
 * Return: 0 or a recorded failure that names field, file and value.
 */
int cgroup_limit_write(int dir, const char *field, const char *file, const char *text);

/*
 * cgroup_devices_compile() - the device filter as a program of eBPF
 * @ret_program: malloc'ed
 */
int cgroup_devices_compile(const struct cgroup_limits *limits, struct bpf_insn **ret_program,
			   size_t *ret_count);
