/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations by which engines and their users change what a runtime does, under the names that the other
 * runtimes gave them. What has a field in the spec becomes that field before the document is read; the rest is
 * judged here, and used where its effect is.
 */
#include "runtime/spec.h"

#include <errno.h>
#include <string.h>

#include "runtime/spec-internal.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"

/* The agent that decides about SCMP_ACT_NOTIFY, as an older engine names it. */
static int receiver_expand(json_t *v)
{
	json_t *receiver = json_object_get(json_object_get(v, "annotations"), "run.oci.seccomp.receiver");
	json_t *seccomp = json_object_get(json_object_get(v, "linux"), "seccomp");

	if (!json_is_string(receiver) || !json_is_object(seccomp) || json_object_get(seccomp, "listenerPath"))
		return 0;
	if (json_string_value(receiver)[0] != '/')
		return fail_plain(EINVAL, "annotations[\"run.oci.seccomp.receiver\"]: must be an absolute path");
	if (json_object_set(seccomp, "listenerPath", receiver) < 0)
		return fail(ENOMEM, "read the annotations");
	return 0;
}

static bool is_set(const char *value)
{
	return value && !str_eq(value, "0") && !str_eq(value, "false");
}

/* Engines have no place for the section "vm": crun's users ask by its handler, ours by our own name. */
static int machine_expand(json_t *v)
{
	const json_t *annotations = json_object_get(v, "annotations");
	const char *handler = json_string_value(json_object_get(annotations, "run.oci.handler"));
	bool wanted = (handler && str_eq(handler, "krun")) ||
		      is_set(json_string_value(json_object_get(annotations, SHORT_ANNOTATION "vm")));

	if (!wanted || json_object_get(v, "vm"))
		return 0;
	return json_object_set_new(v, "vm", json_object()) < 0 ? fail(ENOMEM, "read the annotations") : 0;
}

int spec_annotations_expand(json_t *v)
{
	int r = receiver_expand(v);

	return r < 0 ? r : machine_expand(v);
}

bool spec_annotation_is_set(const struct spec *spec, const char *key)
{
	return is_set(spec_annotation(spec, key));
}

/* SELinux' ways to label a mount. */
static int check_mount_context(const struct spec *spec)
{
	static const char *const kinds[] = { "context", "fscontext", "defcontext", "rootcontext" };
	const char *kind = spec_annotation(spec, "run.oci.mount_context_type");
	char quoted[STR_QUOTE_SIZE];

	if (!kind)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i], kind))
			return 0;
	return fail_plain(EINVAL, "annotations[\"run.oci.mount_context_type\"]: %s is not one of context, fscontext, "
			  "defcontext, rootcontext", str_quote(quoted, kind));
}

/* What would run the container instead of us. */
static int check_handler(const struct spec *spec)
{
	const char *handler = spec_annotation(spec, "run.oci.handler");
	char quoted[STR_QUOTE_SIZE];

	if (!handler || !*handler || str_eq(handler, "krun"))
		return 0;
	return fail_plain(ENOTSUP, "annotations[\"run.oci.handler\"]: %s is not supported: only 'krun', a virtual machine, "
			  "and the container's own programs can be run", str_quote(quoted, handler));
}

static int check_hooks_output(const struct spec *spec)
{
	static const char *const keys[] = { "run.oci.hooks.stdout", "run.oci.hooks.stderr" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *path = spec_annotation(spec, keys[i]);

		if (path && *path != '/')
			return fail_plain(EINVAL, "annotations[\"%s\"]: must be an absolute path", keys[i]);
	}
	return 0;
}

/* Of our own: what a keeper is to do. */
static int check_service(const struct spec *spec)
{
	struct service service;
	int r = service_read(&spec->annotations, &service);

	service_done(&service);
	return r;
}

int spec_annotations_check(const struct spec *spec)
{
	int r = check_mount_context(spec);

	if (r == 0)
		r = check_service(spec);
	if (r == 0)
		r = check_handler(spec);
	return r == 0 ? check_hooks_output(spec) : r;
}
