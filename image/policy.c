/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the narrowest scope to the widest: the whole name, the repository, each folder above it, the registry, its
 * domain ("*.example.org"), the transport's own default (""), the default of all. The first that is there decides, and
 * all its requirements must hold.
 */
#include "image/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/reference.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"

static int requirements_check(const json_t *list, const char *scope)
{
	const json_t *requirement;
	char shown[STR_QUOTE_SIZE];
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return fail_plain(EINVAL, "scope '%s': no requirements, so nothing may be taken", scope);
	json_array_foreach(list, i, requirement) {
		const char *type = json_string_value(json_object_get(requirement, "type"));

		if (type && str_eq(type, "insecureAcceptAnything"))
			continue;
		if (type && str_eq(type, "reject"))
			return fail_plain(EPERM, "scope '%s' is rejected", scope);
		return fail_plain(ENOTSUP, "scope '%s' requires %s, which is not verified yet", scope,
				  str_quote(shown, type ? type : "something without a type"));
	}
	return 0;
}

/* The scopes of a name, narrowest first. */
static int scopes_make(const struct reference *ref, struct str_list *ret)
{
	cleanup_free char *text = NULL, *repository = NULL;
	const char *dot;
	int r = reference_text(ref, &text);

	if (r >= 0)
		r = str_list_add(ret, text);
	if (r >= 0)
		r = reference_repository(ref, &repository);
	while (r >= 0) {
		char *slash;

		r = str_list_add(ret, repository);
		slash = strrchr(repository, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	for (dot = strchr(ref->registry, '.'); dot && r >= 0; dot = strchr(dot + 1, '.'))
		r = str_list_addf(ret, "*%s", dot);
	return r;
}

static int document_check(const json_t *v, const char *transport, const struct reference *ref)
{
	const json_t *scopes = json_object_get(json_object_get(v, "transports"), transport), *found = NULL;
	struct str_list names = { .items = NULL };
	int r = ref ? scopes_make(ref, &names) : 0;

	if (r >= 0)
		r = str_list_add(&names, "");
	for (size_t i = 0; i < names.count && r >= 0 && !found; i++) {
		found = json_object_get(scopes, names.items[i]);
		if (found)
			r = requirements_check(found, *names.items[i] ? names.items[i] : transport);
	}
	str_list_done(&names);
	if (r < 0 || found)
		return r;
	return requirements_check(json_object_get(v, "default"), "default");
}

static int file_find(char **ret)
{
	const char *home = getenv("HOME");
	cleanup_free char *own = NULL;

	if (home && str_format(&own, "%s/.config/containers/policy.json", home) < 0)
		return -ENOMEM;
	if (own && access(own, F_OK) == 0) {
		*ret = steal_ptr(&own);
		return 0;
	}
	if (access("/etc/containers/policy.json", F_OK) == 0)
		return str_copy(ret, "/etc/containers/policy.json");
	return 0;
}

int policy_check(const char *file, const char *transport, const struct reference *ref)
{
	cleanup_free char *found = NULL;
	cleanup_json json_t *v = NULL;
	int r = 0;

	if (!file) {
		r = file_find(&found);
		file = found;
	}
	if (r < 0 || !file)
		return r;
	r = json_read_at(AT_FDCWD, file, NULL, &v);
	if (r >= 0)
		r = document_check(v, transport, ref);
	return r < 0 ? fail_in(r, "policy '%s'", file) : 0;
}
