/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of fields, told to others. The walk follows a row's `arg` where its getter is known to lead
 * to another table; the getters of json.h are listed here, those of our own beside their tables.
 */
#include "runtime/spec-write.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-internal.h"
#include "runtime/spec-short-internal.h"

static const struct spec_getter json_getters[] = {
	{ json_get_string, "string", SPEC_LEAF },
	{ json_get_strings, "array of strings", SPEC_LEAF },
	{ json_get_bool, "boolean", SPEC_LEAF },
	{ json_get_int, "integer", SPEC_LEAF },
	{ json_get_u64, "integer", SPEC_LEAF },
	{ json_get_u32, "integer", SPEC_LEAF },
	{ json_get_enum, "string", SPEC_LEAF },
	{ json_get_object, "object", SPEC_FIELDS },
	{ json_get_array, "array of objects", SPEC_ITEMS },
	{ json_get_map, "object of strings", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};

static const struct spec_getter *const getter_lists[] = {
	json_getters,       spec_root_getters,  spec_process_getters,
	spec_mount_getters, spec_linux_getters, spec_resources_getters,
	spec_scheduling_getters, spec_machine_getters, spec_vm_getters,
};

static const struct spec_getter *getter_find(json_getter *get)
{
	for (size_t i = 0; i < ARRAY_SIZE(getter_lists); i++) {
		for (const struct spec_getter *g = getter_lists[i]; g->get; g++) {
			if (g->get == get)
				return g;
		}
	}
	return NULL;
}

struct walk {
	int (*found)(const struct spec_field_text *field, void *data);
	void *data;
};

static int fields_walk(const struct walk *walk, const char *prefix, const struct json_field *fields)
{
	for (const struct json_field *f = fields; f->name; f++) {
		static const char *const joints[] = {
			[SPEC_FIELDS] = ".", [SPEC_ITEMS] = "[].", [SPEC_VALUES] = ".*."
		};
		const struct spec_getter *getter = getter_find(f->get);
		cleanup_free char *path = NULL, *below = NULL;
		const struct json_field *children;
		int r;

		r = str_format(&path, "%s%s", prefix, f->name);
		if (r < 0)
			return r;
		r = walk->found(
			&(struct spec_field_text){
				.path = path,
				.type = getter ? getter->type : "",
				.help = f->help,
				.supported = f->get != json_refuse,
			},
			walk->data);
		if (r < 0)
			return r;
		if (!getter || getter->children == SPEC_LEAF)
			continue;
		children = getter->children == SPEC_FIELDS
				   ? f->arg
				   : ((const struct json_items *)f->arg)->fields;
		r = str_format(&below, "%s%s", path, joints[getter->children]);
		if (r == 0)
			r = fields_walk(walk, below, children);
		if (r < 0)
			return r;
	}
	return 0;
}

int spec_fields_walk(int (*found)(const struct spec_field_text *field, void *data), void *data)
{
	const struct walk walk = { .found = found, .data = data };

	for (const struct short_key *k = short_keys; k->name; k++) {
		int r = found(
			&(struct spec_field_text){
				.path = k->name,
				.type = k->type,
				.help = k->help,
				.short_form = true,
				.supported = k->apply,
			},
			data);

		if (r < 0)
			return r;
	}
	return fields_walk(&walk, "", spec_fields());
}

/* What seccomp/profile.c takes; a test holds the two together. */
static const char *const seccomp_actions[] = { "SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
					       "SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
					       "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
					       "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
					       "SCMP_ACT_TRAP",        NULL };
static const char *const seccomp_operators[] = { "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
						 "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
						 "SCMP_CMP_NE", NULL };
static const char *const seccomp_architectures[] = {
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",      "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_MIPS",    "SCMP_ARCH_MIPS64",   "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
	"SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_RISCV64",
	"SCMP_ARCH_S390",    "SCMP_ARCH_S390X",    "SCMP_ARCH_X32",
	"SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   NULL
};
static const char *const seccomp_flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					     "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL };

/* Annotations that change what the runtime does. */
static const char *const unsafe_annotations[] = { "io.nacelle.", "org.criu.config", "org.systemd.property.", "run.oci.", NULL };

static json_t *words(const char *const *list)
{
	json_t *array = json_array();

	for (; array && *list; list++)
		(void)json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *mount_options(void)
{
	json_t *array = json_array();
	const char *name;

	for (size_t i = 0; array && (name = spec_mount_option(i)); i++)
		(void)json_array_append_new(array, json_string(name));
	return array;
}

static json_t *namespaces(void)
{
	json_t *array = json_array();

	for (int i = 0; array && i < NS_COUNT; i++)
		(void)json_array_append_new(array,
					    json_string(spec_namespace_name((enum spec_ns)i)));
	return array;
}

static json_t *hooks(void)
{
	json_t *array = json_array();

	for (int i = 0; array && i < HOOK_KINDS; i++)
		(void)json_array_append_new(array,
					    json_string(spec_hook_name((enum spec_hook_kind)i)));
	return array;
}

static json_t *names_of(const struct json_name *names)
{
	json_t *array = json_array();

	for (; array && names->name; names++)
		(void)json_array_append_new(array, json_string(names->name));
	return array;
}

/* Whatever is behind them on this host: the text asks what the runtime knows. */
static json_t *linux_features(void)
{
	return json_pack(
		"{s:o, s:o, s:{s:b, s:b, s:b, s:b, s:b}, s:{s:b, s:o, s:o, s:o, s:o, s:o}, "
		"s:{s:b}, s:{s:b}, s:{s:b, s:b, s:b}, s:{s:o, s:o}, s:{s:{s:b}}, s:{s:b}}",
		"namespaces", namespaces(), "capabilities", words(spec_capability_names), "cgroup",
		"v1", 0, "v2", 1, "systemd", 1, "systemdUser", 1, "rdma", 1, "seccomp", "enabled",
		1, "actions", words(seccomp_actions), "operators", words(seccomp_operators),
		"archs", words(seccomp_architectures), "knownFlags", words(seccomp_flags),
		"supportedFlags", words(seccomp_flags), "apparmor", "enabled", 1, "selinux",
		"enabled", 1, "intelRdt", "enabled", 1, "schemata", 1, "monitoring", 1,
		"memoryPolicy", "modes", names_of(spec_memory_modes), "flags",
		names_of(spec_memory_flags), "mountExtensions", "idmap", "enabled", 1, "netDevices",
		"enabled", 1);
}

json_t *spec_features(void)
{
	const struct scmp_version *v = seccomp_version();

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:{s:o, s:s}, s:o}", "ociVersionMin", "1.0.0",
		"ociVersionMax", "1.3.0", "hooks", hooks(), "mountOptions", mount_options(),
		"linux", linux_features(), "annotations", "io.github.seccomp.libseccomp.version",
		v ? json_sprintf("%u.%u.%u", v->major, v->minor, v->micro) : json_string("unknown"),
		"org.nacelle.version", NACELLE_VERSION, "potentiallyUnsafeConfigAnnotations",
		words(unsafe_annotations));
}
