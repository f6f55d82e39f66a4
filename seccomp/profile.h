/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * profile - a seccomp profile as the OCI runtime-spec writes it (linux.seccomp)
 *
 * The folder's plain input. seccomp/profile.c reads it from JSON, because our own default profile is
 * such a file too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"

enum seccomp_action {
	SECCOMP_KILL_PROCESS,
	SECCOMP_KILL_THREAD,
	SECCOMP_TRAP,
	SECCOMP_ERRNO,
	SECCOMP_TRACE,
	SECCOMP_ALLOW,
	SECCOMP_LOG_IT,
	SECCOMP_NOTIFY,
};

enum seccomp_compare { COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_EQ, COMPARE_GE, COMPARE_GT, COMPARE_MASKED_EQ };

struct seccomp_arg {
	unsigned int index;	/* 0…5 */
	uint64_t value;
	uint64_t value_two;	/* for COMPARE_MASKED_EQ: (arg & value) == value_two */
	enum seccomp_compare op;
};

struct seccomp_rule {
	struct str_list names;
	enum seccomp_action action;
	bool errno_set;
	uint16_t errno_ret;	/* errno for ERRNO (EPERM when not set), message for TRACE */
	struct seccomp_arg *args;
	size_t arg_count;
};

struct seccomp_profile {
	enum seccomp_action default_action;
	bool default_errno_set;
	uint16_t default_errno;
	uint32_t *architectures;	/* SCMP_ARCH_* tokens; native is always there */
	size_t architecture_count;
	bool flag_tsync, flag_log, flag_spec_allow, flag_wait_killable;
	bool flags_set;			/* "flags" was there, maybe empty */
	char *listener_path;		/* unix socket that takes the notify fd, or NULL */
	char *listener_metadata;
	struct seccomp_rule *rules;
	size_t rule_count;
	char *text;			/* all that decides about the filter, in one form: the cache's key */
	bool builtin;			/* the default profile, known by its text alone: it has no rules yet */
};

/*
 * seccomp_profile_parse() - read one from JSON
 * @at: where it stands in its file, for messages (see runtime/base/json.h)
 * @v: OCI's object, or our word SECCOMP_DEFAULT: the profile that is built in, which costs nothing to read
 * @ret_profile: seccomp_profile_free() it
 *
 * Return: 0 or a recorded failure that names the JSON path.
 */
int seccomp_profile_parse(const struct json_at *at, json_t *v, struct seccomp_profile **ret_profile);

/*
 * seccomp_profile_builtin() - the default profile with its rules
 *
 * Parsing its 14 KB takes a quarter of a millisecond, so only who compiles it does.
 * Return: 0 or a recorded failure.
 */
int seccomp_profile_builtin(struct seccomp_profile **ret_profile);

/* The table of its fields, and the getters of its own that stand there, for those who tell of them. */
extern const struct json_field seccomp_profile_fields[];
json_getter seccomp_get_architectures;
json_getter seccomp_get_flags;
json_getter seccomp_get_default_errno;
json_getter seccomp_get_rule_errno;

/* seccomp_names_check() - refuse names of system calls that nobody knows. Return: 0 or a recorded failure. */
int seccomp_names_check(const struct seccomp_profile *profile);

struct seccomp_profile *seccomp_profile_free(struct seccomp_profile *profile);
CLEANUP_DEFINE(struct seccomp_profile *, seccomp_profile_free)

/* What stands for it in linux.seccomp. */
#define SECCOMP_DEFAULT "default"

/* seccomp_default_json() - our default profile (seccomp/default.json, built in), as text. */
const char *seccomp_default_json(void);
/* seccomp_default_read() - the same as JSON. @ret_v: new reference. Return: 0 or a recorded failure. */
int seccomp_default_read(json_t **ret_v);
