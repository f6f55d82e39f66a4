/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile - linux.seccomp from JSON
 *
 * The tables are what is supported. What they cannot say (which keys go together) is checked behind
 * them, with the same paths in the messages. Source: config-linux.md, "Seccomp".
 */
#include "seccomp/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <seccomp.h>

#include "runtime/base/json.h"
#include "seccomp-default.h" /* made by the build: SECCOMP_DEFAULT_SHA256 */

enum {
	ARGS = 6,
	ERRNO_LAST = 4095, /* the kernel cuts larger ones to this. Source: kernel/seccomp.c */
	TRACE_LAST = UINT16_MAX,
};

/* Newer than libseccomp 2.5.4. Source: include/uapi/linux/audit.h */
#define ARCH_LOONGARCH64 INT64_C(0xc0000102)

static const struct json_name actions[] = { { "SCMP_ACT_KILL", SECCOMP_KILL_THREAD },
					    { "SCMP_ACT_KILL_PROCESS", SECCOMP_KILL_PROCESS },
					    { "SCMP_ACT_KILL_THREAD", SECCOMP_KILL_THREAD },
					    { "SCMP_ACT_TRAP", SECCOMP_TRAP },
					    { "SCMP_ACT_ERRNO", SECCOMP_ERRNO },
					    { "SCMP_ACT_TRACE", SECCOMP_TRACE },
					    { "SCMP_ACT_ALLOW", SECCOMP_ALLOW },
					    { "SCMP_ACT_LOG", SECCOMP_LOG_IT },
					    { "SCMP_ACT_NOTIFY", SECCOMP_NOTIFY },
					    { NULL, 0 } };

static const struct json_name operators[] = { { "SCMP_CMP_NE", COMPARE_NE },
					      { "SCMP_CMP_LT", COMPARE_LT },
					      { "SCMP_CMP_LE", COMPARE_LE },
					      { "SCMP_CMP_EQ", COMPARE_EQ },
					      { "SCMP_CMP_GE", COMPARE_GE },
					      { "SCMP_CMP_GT", COMPARE_GT },
					      { "SCMP_CMP_MASKED_EQ", COMPARE_MASKED_EQ },
					      { NULL, 0 } };

static const struct json_name architectures[] = { { "SCMP_ARCH_X86", SCMP_ARCH_X86 },
						  { "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64 },
						  { "SCMP_ARCH_X32", SCMP_ARCH_X32 },
						  { "SCMP_ARCH_ARM", SCMP_ARCH_ARM },
						  { "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64 },
						  { "SCMP_ARCH_LOONGARCH64", ARCH_LOONGARCH64 },
						  { "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS },
						  { "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64 },
						  { "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32 },
						  { "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL },
						  { "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64 },
						  { "SCMP_ARCH_MIPSEL64N32",
						    SCMP_ARCH_MIPSEL64N32 },
						  { "SCMP_ARCH_PPC", SCMP_ARCH_PPC },
						  { "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64 },
						  { "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE },
						  { "SCMP_ARCH_S390", SCMP_ARCH_S390 },
						  { "SCMP_ARCH_S390X", SCMP_ARCH_S390X },
						  { "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC },
						  { "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64 },
						  { "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64 },
						  { NULL, 0 } };

static const struct json_name flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", offsetof(struct seccomp_profile, flag_tsync) },
	{ "SECCOMP_FILTER_FLAG_LOG", offsetof(struct seccomp_profile, flag_log) },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", offsetof(struct seccomp_profile, flag_spec_allow) },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	  offsetof(struct seccomp_profile, flag_wait_killable) },
	{ NULL, 0 }
};

static const struct json_field arg_fields[] = {
	{ "index", json_get_u32, offsetof(struct seccomp_arg, index), JSON_REQUIRED, NULL,
	  "which argument, from 0" },
	{ "value", json_get_u64, offsetof(struct seccomp_arg, value), JSON_REQUIRED, NULL,
	  "what it is compared with; the mask of SCMP_CMP_MASKED_EQ" },
	{ "valueTwo", json_get_u64, offsetof(struct seccomp_arg, value_two), JSON_OPTIONAL, NULL,
	  "what the masked argument must be" },
	{ "op", json_get_enum, offsetof(struct seccomp_arg, op), JSON_REQUIRED, operators,
	  "the comparison, of 64 bits without sign" },
	{ NULL, NULL, 0, 0, NULL, NULL }
};

static const struct json_items args_items = { .size = sizeof(struct seccomp_arg),
					      .fields = arg_fields };

static const struct json_field rule_fields[] = {
	{ "names", json_get_strings, offsetof(struct seccomp_rule, names),
	  JSON_REQUIRED | JSON_NOT_EMPTY, NULL, "the system calls" },
	{ "action", json_get_enum, offsetof(struct seccomp_rule, action), JSON_REQUIRED, actions,
	  "what becomes of them" },
	{ "errnoRet", seccomp_get_rule_errno, 0, JSON_OPTIONAL, NULL,
	  "errno for SCMP_ACT_ERRNO, message for SCMP_ACT_TRACE; EPERM when absent" },
	{ "args", json_get_array, offsetof(struct seccomp_rule, args), JSON_OPTIONAL, &args_items,
	  "only when all of these hold; any, when an argument is compared twice" },
	{ NULL, NULL, 0, 0, NULL, NULL }
};

static const struct json_items rules_items = { .size = sizeof(struct seccomp_rule),
					       .fields = rule_fields };

/* Some take the whole struct: each of those writes more than one of its members. */
const struct json_field seccomp_profile_fields[] = {
	{ "defaultAction", json_get_enum, offsetof(struct seccomp_profile, default_action),
	  JSON_REQUIRED, actions, "for system calls without a rule" },
	{ "defaultErrnoRet", seccomp_get_default_errno, 0, JSON_OPTIONAL, NULL,
	  "its errno or message; EPERM when absent" },
	{ "architectures", seccomp_get_architectures, 0, JSON_OPTIONAL, NULL,
	  "besides the native one; calls of others end the process" },
	{ "flags", seccomp_get_flags, 0, JSON_OPTIONAL, NULL,
	  "of seccomp(2); SPEC_ALLOW when absent; WAIT_KILLABLE_RECV needs Linux 5.19" },
	{ "listenerPath", json_get_string, offsetof(struct seccomp_profile, listener_path),
	  JSON_NOT_EMPTY | JSON_ABSOLUTE, NULL,
	  "unix socket of the agent that takes SCMP_ACT_NOTIFY's listener" },
	{ "listenerMetadata", json_get_string, offsetof(struct seccomp_profile, listener_metadata),
	  JSON_OPTIONAL, NULL, "text for the agent" },
	{ "syscalls", json_get_array, offsetof(struct seccomp_profile, rules), JSON_OPTIONAL,
	  &rules_items, "the rules" },
	{ NULL, NULL, 0, 0, NULL, NULL }
};

static int architecture_add(struct seccomp_profile *profile, uint32_t token)
{
	uint32_t *more;

	for (size_t i = 0; i < profile->architecture_count; i++)
		if (profile->architectures[i] == token)
			return 0;
	more = reallocarray(profile->architectures, profile->architecture_count + 1, sizeof(*more));
	if (!more)
		return fail(ENOMEM, "read the seccomp profile");
	more[profile->architecture_count++] = token;
	profile->architectures = more;
	return 0;
}

/* One word of an array, from a table. */
static int get_word(const struct json_at *at, json_t *list, size_t i, const struct json_name *names,
		    int *ret)
{
	struct json_at here = { .up = at, .index = i };

	return json_get_enum(&here, json_array_get(list, i), ret,
			     &(struct json_field){ .arg = names });
}

int seccomp_get_architectures(const struct json_at *at, json_t *v, void *target,
			     const struct json_field *field)
{
	(void)field;
	if (!json_is_array(v))
		return json_fail(at, "must be an array of strings, not %s", json_type_text(v));
	for (size_t i = 0; i < json_array_size(v); i++) {
		int token = 0, r = get_word(at, v, i, architectures, &token);

		if (r == 0)
			r = architecture_add(target, (uint32_t)token);
		if (r < 0)
			return r;
	}
	return 0;
}

int seccomp_get_flags(const struct json_at *at, json_t *v, void *target,
		     const struct json_field *field)
{
	struct seccomp_profile *profile = target;

	(void)field;
	if (!json_is_array(v))
		return json_fail(at, "must be an array of strings, not %s", json_type_text(v));
	profile->flags_set = true;
	for (size_t i = 0; i < json_array_size(v); i++) {
		int offset = 0, r = get_word(at, v, i, flags, &offset);

		if (r < 0)
			return r;
		*(bool *)((char *)target + offset) = true;
	}
	return 0;
}

/* The action stands before it in the table, so it is known here. */
static int get_errno(const struct json_at *at, json_t *v, enum seccomp_action action, bool *set,
		     uint16_t *ret)
{
	static const struct json_range errnos = { 0, ERRNO_LAST }, messages = { 0, TRACE_LAST };
	int64_t value = 0;
	int r;

	/* "When the action doesn't support an errno, the runtime MUST print an error and fail" */
	if (action != SECCOMP_ERRNO && action != SECCOMP_TRACE)
		return json_fail(at, "goes only with SCMP_ACT_ERRNO and SCMP_ACT_TRACE");
	r = json_get_int(
		at, v, &value,
		&(struct json_field){ .arg = action == SECCOMP_ERRNO ? &errnos : &messages });
	if (r < 0)
		return r;
	*set = true;
	*ret = (uint16_t)value;
	return 0;
}

int seccomp_get_default_errno(const struct json_at *at, json_t *v, void *target,
			     const struct json_field *field)
{
	struct seccomp_profile *profile = target;

	(void)field;
	return get_errno(at, v, profile->default_action, &profile->default_errno_set,
			 &profile->default_errno);
}

int seccomp_get_rule_errno(const struct json_at *at, json_t *v, void *target,
			  const struct json_field *field)
{
	struct seccomp_rule *rule = target;

	(void)field;
	return get_errno(at, v, rule->action, &rule->errno_set, &rule->errno_ret);
}

static int check_args(const struct json_at *at, const struct seccomp_rule *rule)
{
	struct json_at args = { .up = at, .key = "args" };

	for (size_t i = 0; i < rule->arg_count; i++) {
		struct json_at arg = { .up = &args, .index = i };
		struct json_at index = { .up = &arg, .key = "index" };

		if (rule->args[i].index >= ARGS)
			return json_fail(&index, "must be from 0 to %d, not %u", ARGS - 1,
					 rule->args[i].index);
	}
	return 0;
}

static int check_rule(const struct seccomp_profile *profile, const struct json_at *at,
		      const struct seccomp_rule *rule)
{
	struct json_at names = { .up = at, .key = "names" }, action = { .up = at, .key = "action" };

	if (!rule->names.count)
		return json_fail(&names, "must hold at least one name");
	if (rule->action == SECCOMP_NOTIFY && !profile->listener_path)
		return json_fail(
			&action,
			"SCMP_ACT_NOTIFY needs 'listenerPath', the socket of the agent that decides");
	/*
	 * the listener itself leaves the container by this call, before any agent could let it
	 * pass
	 */
	if (rule->action == SECCOMP_NOTIFY && str_list_has(&rule->names, "sendmsg"))
		return json_fail(
			&action,
			"SCMP_ACT_NOTIFY cannot be used for 'sendmsg', by which the agent gets its listener");
	return check_args(at, rule);
}

static int check(const struct seccomp_profile *profile, const struct json_at *at)
{
	struct json_at action = { .up = at, .key = "defaultAction" };
	struct json_at metadata = { .up = at, .key = "listenerMetadata" };
	struct json_at rules = { .up = at, .key = "syscalls" };

	if (profile->default_action == SECCOMP_NOTIFY)
		return json_fail(&action,
				 "SCMP_ACT_NOTIFY cannot be the default: nothing could start");
	if (profile->listener_metadata && !profile->listener_path)
		return json_fail(&metadata, "must not be set without 'listenerPath'");
	for (size_t i = 0; i < profile->rule_count; i++) {
		struct json_at rule = { .up = &rules, .index = i };
		int r = check_rule(profile, &rule, &profile->rules[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void text_rule(FILE *f, const struct seccomp_rule *rule)
{
	fprintf(f, "\n%d %d,%u:", rule->action, rule->errno_set, rule->errno_ret);
	/* a name may hold anything: its length says where it ends */
	for (size_t i = 0; i < rule->names.count; i++)
		fprintf(f, " %zu %s", strlen(rule->names.items[i]), rule->names.items[i]);
	for (size_t i = 0; i < rule->arg_count; i++)
		fprintf(f, "; %u %d %" PRIx64 " %" PRIx64, rule->args[i].index, rule->args[i].op,
			rule->args[i].value, rule->args[i].value_two);
}

/*
 * All that decides about the filter, in one form only, and nothing else: comments and the agent's
 * address may change. Sorting and writing the JSON again took 0.15 ms of every start, this a tenth.
 */
static int text_make(struct seccomp_profile *profile)
{
	size_t size = 0;
	FILE *f = open_memstream(&profile->text, &size);

	if (!f)
		return fail(ENOMEM, "read the seccomp profile");
	fprintf(f, "default %d %d,%u; flags %d %d%d%d%d; architectures", profile->default_action,
		profile->default_errno_set, profile->default_errno, profile->flags_set,
		profile->flag_tsync, profile->flag_log, profile->flag_spec_allow,
		profile->flag_wait_killable);
	for (size_t i = 0; i < profile->architecture_count; i++)
		fprintf(f, " %" PRIx32, profile->architectures[i]);
	for (size_t i = 0; i < profile->rule_count; i++)
		text_rule(f, &profile->rules[i]);
	if (fclose(f) != 0)
		return fail(ENOMEM, "read the seccomp profile");
	return 0;
}

static int builtin_name(const struct json_at *at, const char *word, struct seccomp_profile *profile)
{
	char quoted[STR_QUOTE_SIZE];

	if (!str_eq(word, SECCOMP_DEFAULT))
		return json_fail(at, "must be an object, or \"" SECCOMP_DEFAULT "\", not %s", str_quote(quoted, word));
	profile->builtin = true;
	return str_copy(&profile->text, "built in, sha256 " SECCOMP_DEFAULT_SHA256);
}

int seccomp_profile_parse(const struct json_at *at, json_t *v, struct seccomp_profile **ret_profile)
{
	__attribute__((cleanup(seccomp_profile_free_p))) struct seccomp_profile *profile = NULL;
	int r;

	profile = calloc(1, sizeof(*profile));
	if (!profile)
		return fail(ENOMEM, "read the seccomp profile");
	if (json_is_string(v)) {
		r = builtin_name(at, json_string_value(v), profile);
		if (r == 0)
			*ret_profile = steal_ptr(&profile);
		return r;
	}
	r = json_object_read(at, v, seccomp_profile_fields, JSON_OPTIONAL, profile);
	if (r < 0)
		return r;
	r = check(profile, at);
	if (r < 0)
		return r;
	r = architecture_add(profile, seccomp_arch_native());
	if (r < 0)
		return r;
	r = text_make(profile);
	if (r < 0)
		return r;
	*ret_profile = steal_ptr(&profile);
	return 0;
}

int seccomp_profile_builtin(struct seccomp_profile **ret_profile)
{
	cleanup_json json_t *v = NULL;
	int r = seccomp_default_read(&v);

	return r < 0 ? r : seccomp_profile_parse(&JSON_ROOT, v, ret_profile);
}

struct seccomp_profile *seccomp_profile_free(struct seccomp_profile *profile)
{
	if (!profile)
		return NULL;
	for (size_t i = 0; i < profile->rule_count; i++) {
		str_list_done(&profile->rules[i].names);
		free(profile->rules[i].args);
	}
	free(profile->rules);
	free(profile->architectures);
	free(profile->listener_path);
	free(profile->listener_metadata);
	free(profile->text);
	free(profile);
	return NULL;
}
