/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `process` object: what runs, as whom, with which capabilities and limits. Also read alone, from the
 * file that `exec --process` names. Source: runtime-spec config.md, "Process".
 */
#include "runtime/spec.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "runtime/base/log.h"
#include "runtime/spec-internal.h"

/* By number (linux/capability.h); the last is as old as Linux 5.9. */
const char *const spec_capability_names[] = { "CAP_CHOWN",
					      "CAP_DAC_OVERRIDE",
					      "CAP_DAC_READ_SEARCH",
					      "CAP_FOWNER",
					      "CAP_FSETID",
					      "CAP_KILL",
					      "CAP_SETGID",
					      "CAP_SETUID",
					      "CAP_SETPCAP",
					      "CAP_LINUX_IMMUTABLE",
					      "CAP_NET_BIND_SERVICE",
					      "CAP_NET_BROADCAST",
					      "CAP_NET_ADMIN",
					      "CAP_NET_RAW",
					      "CAP_IPC_LOCK",
					      "CAP_IPC_OWNER",
					      "CAP_SYS_MODULE",
					      "CAP_SYS_RAWIO",
					      "CAP_SYS_CHROOT",
					      "CAP_SYS_PTRACE",
					      "CAP_SYS_PACCT",
					      "CAP_SYS_ADMIN",
					      "CAP_SYS_BOOT",
					      "CAP_SYS_NICE",
					      "CAP_SYS_RESOURCE",
					      "CAP_SYS_TIME",
					      "CAP_SYS_TTY_CONFIG",
					      "CAP_MKNOD",
					      "CAP_LEASE",
					      "CAP_AUDIT_WRITE",
					      "CAP_AUDIT_CONTROL",
					      "CAP_SETFCAP",
					      "CAP_MAC_OVERRIDE",
					      "CAP_MAC_ADMIN",
					      "CAP_SYSLOG",
					      "CAP_WAKE_ALARM",
					      "CAP_BLOCK_SUSPEND",
					      "CAP_AUDIT_READ",
					      "CAP_PERFMON",
					      "CAP_BPF",
					      "CAP_CHECKPOINT_RESTORE",
					      NULL };

enum { PREFIX = sizeof("CAP_") - 1 };

int spec_capability(const char *name)
{
	if (strncasecmp(name, "CAP_", PREFIX) == 0)
		name += PREFIX;
	for (int i = 0; spec_capability_names[i]; i++) {
		if (strcasecmp(spec_capability_names[i] + PREFIX, name) == 0)
			return i;
	}
	return -1;
}

static int get_capability_set(const struct json_at *at, json_t *v, void *target,
			      const struct json_field *field)
{
	uint64_t set = 0;
	size_t i;
	json_t *item;

	(void)field;
	if (!json_is_array(v))
		return json_fail(at, "must be an array, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		char quoted[STR_QUOTE_SIZE];
		const char *near;
		int cap;

		if (!json_is_string(item))
			return json_fail(&item_at, "must be a string, not %s",
					 json_type_text(item));
		cap = spec_capability(json_string_value(item));
		if (cap >= 0) {
			set |= UINT64_C(1) << cap;
			continue;
		}
		/* OCI wants a warning, not a failure: whoever asked has fewer privileges, not more. */
		near = str_nearest(json_string_value(item), spec_capability_names);
		(void)str_quote(quoted, json_string_value(item));
		log_warn("%s is not a capability%s%s%s, ignoring", quoted, near ? " (did you mean '" : "",
			 near ? near : "", near ? "'?)" : "");
	}
	*(uint64_t *)target = set;
	return 0;
}

#define SET(member) offsetof(struct spec_capabilities, member)

static const struct json_field capability_fields[] = {
	{ "bounding", get_capability_set, SET(bounding), 0, NULL, "what execve may ever give" },
	{ "effective", get_capability_set, SET(effective), 0, NULL, "what the kernel checks" },
	{ "inheritable", get_capability_set, SET(inheritable), 0, NULL,
	  "what programs with the same file capability get" },
	{ "permitted", get_capability_set, SET(permitted), 0, NULL, "what may be made effective" },
	{ "ambient", get_capability_set, SET(ambient), 0, NULL,
	  "what programs without file capabilities keep" },
	{ 0 },
};

static int get_capabilities(const struct json_at *at, json_t *v, void *target,
			    const struct json_field *field)
{
	struct spec_capabilities *caps = target;
	int r;

	r = json_object_read(at, v, field->arg, 0, caps);
	if (r < 0)
		return r;
	caps->set = true;
	return 0;
}

int spec_get_id(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	uint32_t id;
	int r;

	r = json_get_u32(at, v, &id, field);
	if (r < 0)
		return r;
	if (id == UINT32_MAX)
		return json_fail(at, "4294967295 is -1 to the kernel, which is no id");
	*(uint32_t *)target = id;
	return 0;
}

static int get_gids(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	struct spec_user *user = target;
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return json_fail(at, "must be an array, not %s", json_type_text(v));
	/* What the kernel takes at most: NGROUPS_MAX of linux/limits.h. */
	if (json_array_size(v) > 65536)
		return json_fail(at, "has more than 65536 groups");
	json_array_foreach(v, i, item) {
		uint32_t *gid = spec_array_add(&user->additional_gids, &user->additional_gid_count,
					       sizeof(*gid));
		int r;

		if (!gid)
			return -ENOMEM;
		r = spec_get_id(&(struct json_at){ .up = at, .index = i }, item, gid, field);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct json_range umask_range = { 0, 0777 }, oom_range = { -1000, 1000 },
			       console_range = { 0, 65535 };

#define USER(member) offsetof(struct spec_user, member)

static const struct json_field user_fields[] = {
	{ "uid", spec_get_id, USER(uid), 0, NULL, "user id inside the container" },
	{ "gid", spec_get_id, USER(gid), 0, NULL, "group id inside the container" },
	{ "umask", json_get_int, USER(umask), 0, &umask_range,
	  "file creation mask; absent: the caller's" },
	{ "additionalGids", get_gids, 0, 0, NULL, "supplementary groups" },
	{ "username", json_refuse, 0, 0, "is for Windows; give uid and gid", "Windows only" },
	{ 0 },
};

const struct json_name spec_rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ NULL, 0 },
};

#define RLIMIT(member) offsetof(struct spec_rlimit, member)

static const struct json_field rlimit_fields[] = {
	{ "type", json_get_enum, RLIMIT(resource), JSON_REQUIRED, spec_rlimit_names,
	  "which limit, as in getrlimit(2)" },
	{ "soft", json_get_u64, RLIMIT(soft), JSON_REQUIRED, NULL, "what is enforced" },
	{ "hard", json_get_u64, RLIMIT(hard), JSON_REQUIRED, NULL,
	  "how far the process may raise it" },
	{ 0 },
};

static const struct json_items rlimit_items = { sizeof(struct spec_rlimit), rlimit_fields, NULL,
						0 };

static int get_rlimits(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	struct spec_process *process = target;
	int r;

	r = json_get_array(at, v, &process->rlimits, field);
	if (r < 0)
		return r;
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct spec_rlimit *limit = &process->rlimits[i];
		const struct json_at item_at = { .up = at, .index = i };

		if (limit->soft > limit->hard)
			return json_fail(&item_at, "the soft limit is above the hard limit");
		for (size_t j = 0; j < i; j++) {
			if (process->rlimits[j].resource == limit->resource)
				return json_fail(&item_at, "the same type stands at [%zu] already",
						 j);
		}
	}
	return 0;
}

static int get_args(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	struct str_list *args = target;
	int r;

	r = json_get_strings(at, v, args, field);
	if (r < 0)
		return r;
	if (args->count == 0)
		return json_fail(at, "must name at least the program");
	return 0;
}

#define PROCESS(member) offsetof(struct spec_process, member)

/* They stand in the process itself: the rows' offsets count from there. */
static const struct json_field console_fields[] = {
	{ "height", json_get_int, PROCESS(console_height), JSON_REQUIRED, &console_range, "lines" },
	{ "width", json_get_int, PROCESS(console_width), JSON_REQUIRED, &console_range, "columns" },
	{ 0 },
};

const struct json_field spec_process_fields[] = {
	{ "terminal", json_get_bool, PROCESS(terminal), 0, NULL,
	  "give the process a terminal of its own" },
	{ "consoleSize", json_get_object, 0, 0, console_fields, "size of that terminal" },
	{ "user", json_get_object, PROCESS(user), 0, user_fields, "whom the process runs as" },
	{ "args", get_args, PROCESS(args), JSON_REQUIRED, NULL,
	  "the program, looked up in PATH, and its arguments" },
	{ "commandLine", json_refuse, 0, 0, "is for Windows; give args", "Windows only" },
	{ "env", json_get_strings, PROCESS(env), 0, NULL, "the environment, as NAME=value" },
	{ "cwd", json_get_string, PROCESS(cwd), JSON_REQUIRED | JSON_ABSOLUTE, NULL,
	  "working directory; made when missing" },
	{ "capabilities", get_capabilities, PROCESS(capabilities), 0, capability_fields,
	  "the five capability sets; absent: all empty" },
	{ "rlimits", get_rlimits, 0, 0, &rlimit_items, "resource limits of the process" },
	{ "noNewPrivileges", json_get_bool, PROCESS(no_new_privileges), 0, NULL,
	  "execve never gives privileges (set-uid, file capabilities)" },
	{ "oomScoreAdj", json_get_int, PROCESS(oom_score_adj), 0, &oom_range,
	  "how readily the kernel kills it for memory" },
	{ "apparmorProfile", spec_get_text, PROCESS(apparmor_profile), 0, NULL,
	  "AppArmor profile, where the kernel has AppArmor" },
	{ "selinuxLabel", spec_get_text, PROCESS(selinux_label), 0, NULL,
	  "SELinux label, where the kernel has SELinux" },
	{ "scheduler", spec_get_scheduler, PROCESS(scheduler), 0, spec_scheduler_fields,
	  "scheduling policy, as for sched_setattr(2)" },
	{ "ioPriority", spec_get_io_priority, PROCESS(io_priority), 0, spec_io_priority_fields,
	  "I/O priority, as for ioprio_set(2)" },
	{ "execCPUAffinity", json_get_object, 0, 0, spec_affinity_fields,
	  "CPUs of a process that exec starts" },
	{ 0 },
};

const struct spec_getter spec_process_getters[] = {
	{ get_capability_set, "array of strings", SPEC_LEAF },
	{ get_capabilities, "object", SPEC_FIELDS },
	{ spec_get_id, "id", SPEC_LEAF },
	{ get_gids, "array of ids", SPEC_LEAF },
	{ get_rlimits, "array of objects", SPEC_ITEMS },
	{ get_args, "array of strings", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};

void spec_process_init(struct spec_process *process)
{
	*process = (struct spec_process){
		.console_height = SPEC_UNSET,
		.console_width = SPEC_UNSET,
		.user.umask = SPEC_UNSET,
		.oom_score_adj = SPEC_UNSET,
	};
}

void spec_process_done(struct spec_process *process)
{
	str_list_done(&process->args);
	str_list_done(&process->env);
	free(process->cwd);
	free(process->rlimits);
	free(process->user.additional_gids);
	free(process->apparmor_profile);
	free(process->selinux_label);
	spec_process_init(process);
}

int spec_process_read(json_t *v, struct spec_process *ret)
{
	struct spec_process process;
	int r;

	spec_process_init(&process);
	r = json_object_read(&JSON_ROOT, v, spec_process_fields, 0, &process);
	if (r < 0) {
		spec_process_done(&process);
		return r;
	}
	*ret = process;
	return 0;
}
