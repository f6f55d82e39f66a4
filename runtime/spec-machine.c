/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container gets of the machine beside its cgroup: network devices, the NUMA memory policy, the
 * execution domain, and a part of the processor's cache by resctrl. Source: runtime-spec 1.3, config-linux.md.
 */
#include "runtime/spec.h"

#include <linux/mempolicy.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "runtime/spec-internal.h"

/* --- linux.netDevices ------------------------------------------------------------------------------ */

#define NET(member) offsetof(struct spec_net_device, member)

static const struct json_field net_device_fields[] = {
	{ "name", spec_get_text, NET(new_name), 0, NULL, "its name inside; absent: the same" },
	{ 0 },
};

const struct json_items spec_net_device_items = { sizeof(struct spec_net_device), net_device_fields, NULL, 0 };

/* What the kernel takes as a name. Source: dev_valid_name() in net/core/dev.c */
static int name_check(const struct json_at *at, const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	if (!*name || strlen(name) >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, "..") ||
	    name[strcspn(name, "/:% \t\n\v\f\r")])
		return json_fail(at, "%s is not the name of a network device", str_quote(quoted, name));
	return 0;
}

static int name_taken(const struct json_at *at, const struct spec_linux *l)
{
	const char *last = l->net_devices[l->net_device_count - 1].new_name;

	for (size_t i = 0; i + 1 < l->net_device_count; i++)
		if (str_eq(l->net_devices[i].new_name, last))
			return json_fail(at, "'%s' becomes the name of two devices", last);
	return 0;
}

int spec_get_net_devices(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_linux *l = target;
	const char *key;
	json_t *value;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, key, value) {
		const struct json_at here = { .up = at, .key = key }, name_at = { .up = &here, .key = "name" };
		struct spec_net_device *device;
		int r = name_check(&here, key);

		if (r < 0)
			return r;
		device = spec_array_add(&l->net_devices, &l->net_device_count, sizeof(*device));
		if (!device)
			return -ENOMEM;
		r = str_copy(&device->name, key);
		if (r == 0)
			r = json_object_read(&here, value, net_device_fields, 0, device);
		if (r == 0 && !device->new_name)
			r = str_copy(&device->new_name, key);
		if (r == 0)
			r = name_check(&name_at, device->new_name);
		if (r == 0)
			r = name_taken(&name_at, l);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- linux.personality ----------------------------------------------------------------------------- */

static const struct json_name domains[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

const struct json_field spec_personality_fields[] = {
	{ "domain", json_get_enum, offsetof(struct spec_linux, personality), JSON_REQUIRED, domains,
	  "LINUX, or LINUX32: uname says i686" },
	{ "flags", json_refuse, 0, 0, "the OCI text defines none", "none is defined" },
	{ 0 },
};

/* --- linux.memoryPolicy ---------------------------------------------------------------------------- */

/* Newer than the headers that we are built with. Source: include/uapi/linux/mempolicy.h */
enum { PREFERRED_MANY = 5, WEIGHTED_INTERLEAVE = 6 };

const struct json_name spec_memory_modes[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },
	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", PREFERRED_MANY },
	{ "MPOL_LOCAL", MPOL_LOCAL },
	{ NULL, 0 },
};

const struct json_name spec_memory_flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
	{ NULL, 0 },
};

#define POLICY(member) offsetof(struct spec_memory_policy, member)

const struct json_field spec_memory_policy_fields[] = {
	{ "mode", json_get_enum, POLICY(mode), JSON_REQUIRED, spec_memory_modes,
	  "MPOL_BIND…; MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9" },
	{ "nodes", spec_get_mask, POLICY(nodes), 0, NULL, "the memory nodes, as \"0-3,7\"" },
	{ "flags", spec_get_words, POLICY(flags), 0, spec_memory_flags, "MPOL_F_STATIC_NODES…" },
	{ 0 },
};

int spec_get_memory_policy(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_memory_policy *policy = target;
	int64_t relative = MPOL_F_RELATIVE_NODES | MPOL_F_STATIC_NODES;
	int r = json_object_read(at, v, field->arg, 0, policy);
	bool without;

	if (r < 0)
		return r;
	/* MPOL_PREFERRED without nodes is MPOL_LOCAL. Source: set_mempolicy(2). */
	without = policy->mode == MPOL_DEFAULT || policy->mode == MPOL_LOCAL;
	if (without && policy->nodes.set)
		return json_fail(at, "this mode takes no 'nodes'");
	if (!without && policy->mode != MPOL_PREFERRED && !policy->nodes.set)
		return json_fail(at, "this mode needs 'nodes'");
	if ((policy->flags & relative) == relative)
		return json_fail(at, "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other");
	policy->set = true;
	return 0;
}

/* --- linux.intelRdt -------------------------------------------------------------------------------- */

#define RDT(member) offsetof(struct spec_intel_rdt, member)

/* Either of the two old fields asks for what one does now. */
static int get_old_monitoring(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_intel_rdt *rdt = target;
	bool asked = false;
	int r = json_get_bool(at, v, &asked, field);

	if (r == 0 && asked)
		rdt->monitoring = true;
	return r;
}

const struct json_field spec_intel_rdt_fields[] = {
	{ "closID", spec_get_text, RDT(clos_id), 0, NULL,
	  "class of service, \"/\" for the root's; absent: one for the container, named by its id" },
	{ "schemata", json_get_strings, RDT(schemata), JSON_NOT_EMPTY, NULL, "lines for its 'schemata'" },
	{ "l3CacheSchema", spec_get_text, RDT(l3_cache_schema), 0, NULL, "lines for the L3 cache" },
	{ "memBwSchema", spec_get_text, RDT(mem_bw_schema), 0, NULL, "a line for the memory bandwidth" },
	{ "enableMonitoring", json_get_bool, RDT(monitoring), 0, NULL, "a monitoring group of its own" },
	{ "enableCMT", get_old_monitoring, 0, 0, NULL, "the same (before runtime-spec 1.3)" },
	{ "enableMBM", get_old_monitoring, 0, 0, NULL, "the same (before runtime-spec 1.3)" },
	{ 0 },
};

int spec_get_intel_rdt(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct json_at clos_at = { .up = at, .key = "closID" };
	struct spec_intel_rdt *rdt = target;
	int r = json_object_read(at, v, field->arg, 0, rdt);
	const char *id = rdt->clos_id;

	if (r < 0)
		return r;
	if (id && !str_eq(id, "/") && (strchr(id, '/') || id[0] == '.'))
		return json_fail(&clos_at, "is not the name of a folder of resctrl");
	for (size_t i = 0; i < rdt->schemata.count; i++)
		if (strchr(rdt->schemata.items[i], '\n'))
			return json_fail(at, "'schemata': an element is one line");
	rdt->set = true;
	return 0;
}

const struct spec_getter spec_machine_getters[] = {
	{ spec_get_net_devices, "object of objects", SPEC_VALUES },
	{ spec_get_memory_policy, "object", SPEC_FIELDS },
	{ spec_get_intel_rdt, "object", SPEC_FIELDS },
	{ get_old_monitoring, "boolean", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};
