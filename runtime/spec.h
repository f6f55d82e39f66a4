/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec - a container as the OCI runtime-spec describes it, in C
 *
 * This is what the rest of runtime/ works from. It is filled from JSON by the field tables of spec.c,
 * spec-process.c, spec-mounts.c, spec-linux.c and spec-resources.c; the short form never comes here: spec-short.c
 * rewrites it to OCI JSON first. Pointers and lists are owned by the struct; NULL or UNSET means absent.
 * Field names follow the OCI names. Source: runtime-spec 1.3, config.md and config-linux.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <jansson.h>

#include "cgroups/limits.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "seccomp/profile.h"

#define SPEC_UNSET INT64_MIN

/* Capability sets as bit masks (1 << CAP_x). */
struct spec_capabilities {
	bool set;			/* process.capabilities was there */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct spec_rlimit {
	int resource;			/* RLIMIT_x */
	uint64_t soft, hard;		/* UINT64_MAX: unlimited */
};

struct spec_user {
	uint32_t uid, gid;
	int64_t umask;			/* SPEC_UNSET */
	uint32_t *additional_gids;
	size_t additional_gid_count;
	bool keep_groups;		/* an annotation: those that we have, and no others */
};

enum { SPEC_MASK_BITS = 8192 };	/* the most CPUs that any kernel is built for */

/* "0-3,7": CPUs, or memory nodes. */
struct spec_mask {
	bool set;
	unsigned long bits[SPEC_MASK_BITS / (8 * sizeof(unsigned long))];
};

/* As sched_setattr(2) takes it. */
struct spec_scheduler {
	bool set;
	int policy;			/* SCHED_x */
	int64_t nice, priority;
	uint64_t flags;			/* SCHED_FLAG_x */
	uint64_t runtime, deadline, period;	/* nanoseconds */
};

struct spec_io_priority {
	bool set;
	int io_class;			/* IOPRIO_CLASS_x */
	int64_t priority;
};

struct spec_process {
	bool terminal;
	int64_t console_height, console_width;	/* SPEC_UNSET */
	struct spec_user user;
	struct str_list args, env;
	char *cwd;
	struct spec_capabilities capabilities;
	struct spec_rlimit *rlimits;
	size_t rlimit_count;
	bool no_new_privileges;
	int64_t oom_score_adj;		/* SPEC_UNSET */
	struct spec_scheduler scheduler;
	struct spec_io_priority io_priority;
	struct spec_mask cpus_initial, cpus_final;	/* execCPUAffinity */
	char *apparmor_profile, *selinux_label;		/* NULL: none */
};

struct spec_id_map {
	uint32_t container_id, host_id, size;
};

/* How a mount's own attributes are changed: mount_setattr(2)'s MOUNT_ATTR_*, recursive ones apart. */
struct spec_mount {
	char *destination, *type, *source;	/* type NULL: a bind when an option says so */
	struct str_list options;	/* as written, for state and messages */

	/* What the options say, read by spec-mounts.c. */
	bool bind, bind_recursive;
	uint64_t attr_set, attr_clear;		/* MOUNT_ATTR_* */
	uint64_t rec_set, rec_clear;		/* the same, for the whole tree ("rro", "rnosuid", …) */
	uint64_t propagation;			/* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; 0: leave */
	bool propagation_recursive;
	uint64_t super_flags;			/* MS_RDONLY, MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME…, of the file system itself */
	struct str_list fs_options;		/* what is left: "size=64k", for fsconfig(2) */
	bool volume, nocopy;			/* of type "volume": source names it, NULL or "" is a new one; bound as a bind */
	bool remount;				/* changes what an earlier mount has put there; neither a bind nor a new file system */
	bool tmpcopyup, idmap, idmap_recursive, copy_symlink;
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t uid_mapping_count, gid_mapping_count;
};

struct spec_device {
	char *path;
	char type;			/* 'c', 'b', 'p' ('u' is read as 'c') */
	int64_t major, minor;
	int64_t file_mode, uid, gid;	/* SPEC_UNSET */
};

/* Index into spec_linux.namespaces. */
enum spec_ns { NS_PID, NS_NETWORK, NS_MOUNT, NS_IPC, NS_UTS, NS_USER, NS_CGROUP, NS_TIME, NS_COUNT };

struct spec_namespace {
	bool wanted;			/* listed in the spec */
	char *path;			/* join this one; NULL: a new one */
};

struct spec_time_offset {
	bool set;
	int64_t secs, nanosecs;
};

struct spec_sysctl {
	char *key, *value;		/* key with '.', as in the spec */
};

/* A network device that is moved in. */
struct spec_net_device {
	char *name, *new_name;		/* on the host, inside */
};

struct spec_memory_policy {
	bool set;
	int mode;			/* MPOL_x */
	int64_t flags;			/* MPOL_F_x */
	struct spec_mask nodes;
};

/* A part of resctrl. */
struct spec_intel_rdt {
	bool set;
	char *clos_id;			/* NULL: the container's id */
	struct str_list schemata;
	char *l3_cache_schema, *mem_bw_schema;
	bool monitoring;
};

struct spec_linux {
	struct spec_namespace namespaces[NS_COUNT];
	struct spec_id_map *uid_mappings, *gid_mappings;
	size_t uid_mapping_count, gid_mapping_count;
	struct spec_time_offset boottime, monotonic;
	struct spec_device *devices;
	size_t device_count;
	char *cgroups_path;		/* NULL: our own choice */
	struct cgroup_limits resources;
	struct spec_sysctl *sysctls;
	size_t sysctl_count;
	struct seccomp_profile *seccomp; /* NULL: none */
	uint64_t rootfs_propagation;	/* MS_*, 0: unset (private slave handling is rootfs.c's) */
	struct str_list masked_paths, readonly_paths;
	struct spec_net_device *net_devices;
	size_t net_device_count;
	int personality;		/* PER_x, -1: unset */
	struct spec_memory_policy memory_policy;
	struct spec_intel_rdt intel_rdt;
	char *mount_label;		/* NULL: none */
};

/* Whether a machine begins as a copy of one that has booted. */
enum spec_template {
	SPEC_TEMPLATE_FREE,		/* not said: where it can */
	SPEC_TEMPLATE_WANTED,		/* refused where it cannot be */
	SPEC_TEMPLATE_NEVER,
};

/* A kernel of its own. */
struct spec_vm {
	bool set;
	char *kernel_path;		/* NULL: one of the distribution's */
	struct str_list kernel_parameters;
	char *hypervisor_path;		/* NULL: our own monitor */
	struct str_list hypervisor_parameters;
	int64_t vcpus, memory;		/* SPEC_UNSET: as linux.resources has it; memory in bytes */
	int64_t dax;			/* bytes of address space in which files are the host's page cache, 0: none */
	bool ksm;			/* the host may merge its memory */
	enum spec_template template;
};

struct spec_hook {
	char *path;
	struct str_list args, env;	/* args empty: { path } */
	int64_t timeout_s;		/* SPEC_UNSET */
};

enum spec_hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS,
};

struct spec_hooks {
	struct spec_hook *items;
	size_t count;
};

struct spec {
	char *oci_version;
	char *root_path;		/* absolute or relative to the bundle; NULL with an overlay on "/" */
	bool root_readonly;
	char *hostname, *domainname;
	struct spec_process process;
	bool process_set;
	struct spec_mount *mounts;
	size_t mount_count;
	struct spec_vm vm;
	struct spec_linux linux_;	/* "linux" is a macro in gnu17 */
	struct spec_hooks hooks[HOOK_KINDS];
	struct str_list annotations;	/* "key=value" */
	json_t *json;			/* the whole OCI document, as expanded */
	char *text;			/* the same as it was read, where nothing had to be expanded; NULL: make it from @json */
};

/*
 * spec_vm_template(), spec_vm_hypervisor() - what the user says of its machine, whatever the spec does (--template, --no-template; --hypervisor)
 *
 * Return: 0, or a recorded failure: there is no machine, or the path is none.
 */
int spec_vm_template(struct spec *spec, bool wanted);
int spec_vm_hypervisor(struct spec *spec, const char *path);

/* spec_free() - NULL is fine. Return: NULL. */
struct spec *spec_free(struct spec *spec);
CLEANUP_DEFINE(struct spec *, spec_free)

/*
 * spec_read() - an OCI document (already expanded) into the struct, judged as a whole
 * @v: borrowed; kept by reference in `json`
 *
 * Refuses what no kernel can do (no mount namespace, masked paths that are relative, args empty, …),
 * each with the JSON path. Return: 0 or a recorded failure.
 */
int spec_read(json_t *v, struct spec **ret_spec);

/*
 * spec_process_read() - only the process object, as `exec --process FILE` gives it
 * @ret: filled; spec_process_done() it
 */
int spec_process_read(json_t *v, struct spec_process *ret);
void spec_process_done(struct spec_process *process);

/* spec_annotation() - value of an annotation, or NULL. Points into @spec. */
const char *spec_annotation(const struct spec *spec, const char *key);

/* spec_annotation_is_set() - whether it is there, and neither "0" nor "false". */
bool spec_annotation_is_set(const struct spec *spec, const char *key);

/* spec_fields() - the root's field table, for features, the schema and the man page. */
const struct json_field *spec_fields(void);

/* spec_namespace_name() - "pid", …; spec_namespace_flag() - CLONE_NEWPID, … */
const char *spec_namespace_name(enum spec_ns ns);
unsigned long spec_namespace_flag(enum spec_ns ns);
/* spec_hook_name() - "prestart", … */
const char *spec_hook_name(enum spec_hook_kind kind);

/* spec_capability() - number of "CAP_CHOWN" or "chown" (any case), or -1 (nothing recorded). */
int spec_capability(const char *name);
