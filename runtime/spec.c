/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document as a whole: the root's table of fields, which leads to all others, and the life of a
 * struct spec. A document is read by the tables first, then finished (what needs two fields to be
 * understood), then judged as a whole (spec-check.c). Source: runtime-spec 1.3, config.md.
 */
#include "runtime/spec.h"

#include <errno.h>
#include <string.h>

#include "runtime/spec-internal.h"

#define SPEC(member) offsetof(struct spec, member)

static const struct json_field root_fields[] = {
	{ "path", json_get_string, SPEC(root_path), JSON_NOT_EMPTY, NULL,
	  "the root file system, relative to the bundle" },
	{ "readonly", json_get_bool, SPEC(root_readonly), 0, NULL,
	  "the payload cannot write to it" },
	{ 0 },
};

static int get_timeout(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	static const struct json_range range = { 1, INT32_MAX };
	const struct json_field as_int = { .name = field->name, .arg = &range };

	return json_get_int(at, v, target, &as_int);
}

#define HOOK(member) offsetof(struct spec_hook, member)

static const struct json_field hook_fields[] = {
	{ "path", json_get_string, HOOK(path), JSON_REQUIRED | JSON_ABSOLUTE, NULL, "the program" },
	{ "args", json_get_strings, HOOK(args), 0, NULL, "its arguments, argv[0] first" },
	{ "env", json_get_strings, HOOK(env), 0, NULL, "its environment; absent: empty" },
	{ "timeout", get_timeout, HOOK(timeout_s), 0, NULL, "seconds after which it is killed" },
	{ 0 },
};

static void hook_init(void *item)
{
	struct spec_hook *hook = item;

	hook->timeout_s = SPEC_UNSET;
}

static const struct json_items hook_items = { sizeof(struct spec_hook), hook_fields, hook_init, 0 };

#define HOOKS(kind) (SPEC(hooks) + (kind) * sizeof(struct spec_hooks))

/* In the order of enum spec_hook_kind, whose names they are. */
static const struct json_field hooks_fields[] = {
	{ "prestart", json_get_array, HOOKS(HOOK_PRESTART), 0, &hook_items,
	  "host, at create, before the root is switched (deprecated)" },
	{ "createRuntime", json_get_array, HOOKS(HOOK_CREATE_RUNTIME), 0, &hook_items,
	  "host, at create, after prestart" },
	{ "createContainer", json_get_array, HOOKS(HOOK_CREATE_CONTAINER), 0, &hook_items,
	  "container's namespaces, host's files, at create" },
	{ "startContainer", json_get_array, HOOKS(HOOK_START_CONTAINER), 0, &hook_items,
	  "inside, at start, before the process" },
	{ "poststart", json_get_array, HOOKS(HOOK_POSTSTART), 0, &hook_items,
	  "host, after the process was started" },
	{ "poststop", json_get_array, HOOKS(HOOK_POSTSTOP), 0, &hook_items,
	  "host, after the container was deleted" },
	{ 0 },
};
_Static_assert(ARRAY_SIZE(hooks_fields) == HOOK_KINDS + 1, "one row for each kind");
_Static_assert(offsetof(struct spec_hooks, count) == sizeof(void *),
	       "json_get_array() finds the count there");

static const struct json_items mount_items = { sizeof(struct spec_mount), spec_mount_fields, NULL,
					       0 };

static int get_process(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	struct spec *spec = target;

	spec->process_set = true;
	return json_object_read(at, v, field->arg, 0, &spec->process);
}

const struct json_field spec_root_fields[] = {
	{ "ociVersion", json_get_string, SPEC(oci_version), JSON_REQUIRED, NULL,
	  "version of the OCI runtime specification, 1.x.y" },
	{ "root", json_get_object, 0, 0, root_fields,
	  "root file system; absent with an overlay mounted on /" },
	{ "mounts", json_get_array, SPEC(mounts), 0, &mount_items,
	  "what is mounted in the root, in this order" },
	{ "process", get_process, 0, 0, spec_process_fields,
	  "what runs; may be absent until start" },
	{ "hostname", json_get_string, SPEC(hostname), 0, NULL, "host name, in a uts namespace" },
	{ "domainname", json_get_string, SPEC(domainname), 0, NULL,
	  "NIS domain name, in a uts namespace" },
	{ "hooks", json_get_object, 0, 0, hooks_fields,
	  "programs run at points of the container's life" },
	{ "annotations", json_get_map, SPEC(annotations), 0, NULL,
	  "free notes; what 'io.nacelle.' begins is ours" },
	{ "linux", json_get_object, SPEC(linux_), 0, spec_linux_fields, "what only Linux has" },
	{ "vm", spec_get_vm, SPEC(vm), 0, spec_vm_fields, "a virtual machine of its own" },
	{ "windows", json_refuse, 0, 0, "is for Windows", "Windows only" },
	{ "solaris", json_refuse, 0, 0, "is for Solaris", "Solaris only" },
	{ "freebsd", json_refuse, 0, 0, "is for FreeBSD", "another system's" },
	{ "zos", json_refuse, 0, 0, "is for z/OS", "z/OS only" },
	{ 0 },
};

const struct spec_getter spec_root_getters[] = {
	{ get_timeout, "integer", SPEC_LEAF },
	{ get_process, "object", SPEC_FIELDS },
	{ spec_get_vm, "object", SPEC_FIELDS },
	{ NULL, NULL, SPEC_LEAF },
};

const struct json_field *spec_fields(void)
{
	return spec_root_fields;
}

const char *spec_hook_name(enum spec_hook_kind kind)
{
	return hooks_fields[kind].name;
}

const char *spec_annotation(const struct spec *spec, const char *key)
{
	return str_env_find(&spec->annotations, key);
}

void *spec_array_add(void *items, size_t *count, size_t size)
{
	char **list = items, *grown, *item;

	/* Room grows when the count passes a power of two. */
	if ((*count & (*count - 1)) == 0) {
		grown = reallocarray(*list, *count ? *count * 2 : 1, size);
		if (!grown) {
			(void)fail(ENOMEM, "keep a list of %zu", *count + 1);
			return NULL;
		}
		*list = grown;
	}
	item = *list + *count * size;
	memset(item, 0, size);
	(*count)++;
	return item;
}

/* Engines write "" for what they do not ask for. */
static void forget_empty(char **text)
{
	if (*text && !**text) {
		free(*text);
		*text = NULL;
	}
}

static struct spec *spec_new(json_t *v)
{
	struct spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		return NULL;
	spec_process_init(&spec->process);
	spec_linux_init(&spec->linux_);
	spec->vm.vcpus = spec->vm.memory = SPEC_UNSET;
	spec->json = json_incref(v);
	return spec;
}

int spec_read(json_t *v, struct spec **ret_spec)
{
	__attribute__((cleanup(spec_free_p))) struct spec *spec = spec_new(v);
	int r;

	if (!spec)
		return fail(ENOMEM, "read a spec");
	r = spec_annotations_expand(v);
	if (r < 0)
		return r;
	r = json_object_read(&JSON_ROOT, v, spec_root_fields, 0, spec);
	if (r < 0)
		return r;
	forget_empty(&spec->hostname);
	forget_empty(&spec->domainname);
	forget_empty(&spec->linux_.cgroups_path);
	spec->process.user.keep_groups = spec_annotation_is_set(spec, "run.oci.keep_original_groups");
	r = spec_mounts_finish(spec);
	if (r == 0)
		r = spec_check(spec);
	if (r < 0)
		return r;
	*ret_spec = steal_ptr(&spec);
	return 0;
}

static void hooks_done(struct spec_hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++) {
		free(hooks->items[i].path);
		str_list_done(&hooks->items[i].args);
		str_list_done(&hooks->items[i].env);
	}
	free(hooks->items);
}

struct spec *spec_free(struct spec *spec)
{
	if (!spec)
		return NULL;
	free(spec->oci_version);
	free(spec->root_path);
	free(spec->hostname);
	free(spec->domainname);
	spec_process_done(&spec->process);
	for (size_t i = 0; i < spec->mount_count; i++)
		spec_mount_done(&spec->mounts[i]);
	free(spec->mounts);
	spec_linux_done(&spec->linux_);
	for (int i = 0; i < HOOK_KINDS; i++)
		hooks_done(&spec->hooks[i]);
	str_list_done(&spec->annotations);
	free(spec->vm.kernel_path);
	str_list_done(&spec->vm.kernel_parameters);
	free(spec->vm.hypervisor_path);
	str_list_done(&spec->vm.hypervisor_parameters);
	json_decref(spec->json);
	free(spec->text);
	free(spec);
	return NULL;
}
