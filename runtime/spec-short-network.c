/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short keys about the network. What OCI has a place for (none, the host's, one by its path) becomes a namespace; the rest an
 * annotation, in the grammar of network-wish.h, which judges it as soon as it is written.
 */
#include "runtime/spec-short-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/net/port.h"
#include "runtime/network-wish.h"
#include "runtime/network.h"
#include "runtime/spec-short.h"

static void namespace_remove(json_t *namespaces, const char *type)
{
	for (size_t i = json_array_size(namespaces); i > 0; i--) {
		const char *name = json_string_value(
			json_object_get(json_array_get(namespaces, i - 1), "type"));

		if (name && str_eq(name, type))
			(void)json_array_remove(namespaces, i - 1);
	}
}

/* Put the path of the value in front of what is wrong with it. */
static int fail_at(const struct json_at *at, int r)
{
	cleanup_free char *path = json_path(at);

	return fail_in(r, "%s", path ? path : "?");
}

static void annotation_remove(struct short_form *s, const char *key)
{
	(void)json_object_del(json_object_get(s->doc, "annotations"), key);
}

/* A namespace that is new, joined, or none: no network of ours. @plain: for messages about ports. */
static int network_plain(struct short_form *s, json_t *v, const char *plain)
{
	json_t *namespaces = short_list(s->doc, "linux.namespaces");

	if (!namespaces) {
		json_decref(v);
		return -EINVAL;
	}
	annotation_remove(s, SHORT_ANNOTATION NETWORK_ANNOTATION);
	s->network_plain = plain;
	if (v)
		return short_list_put(namespaces, "type", v);
	namespace_remove(namespaces, "network");
	return 0;
}

/* A network of ours needs a new namespace. */
static int network_annotate(struct short_form *s, const char *text)
{
	json_t *namespaces = short_list(s->doc, "linux.namespaces");
	struct network_wish wish;
	int r = namespaces ? network_wish_read(text, NULL, NULL, &wish) : -EINVAL;

	if (r < 0)
		return r;
	network_wish_done(&wish);
	s->network_plain = NULL;
	r = short_list_put(namespaces, "type", json_pack("{s:s}", "type", "network"));
	return r < 0 ? r : short_annotate(s->doc, NETWORK_ANNOTATION, text);
}

static int option_append(char **text, const char *key, const struct json_at *at, json_t *v)
{
	const char *value = json_string_value(v);
	cleanup_free char *old = NULL;
	char quoted[STR_QUOTE_SIZE];

	if (!value)
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	if (!*value || value[strcspn(value, " ,")])
		return json_fail(at, "%s is none", str_quote(quoted, value));
	old = steal_ptr(text);
	return str_format(text, "%s%s%s=%s", old, strchr(old, ':') ? "," : ":", key, value);
}

static int aliases_append(char **text, const struct json_at *at, json_t *v)
{
	json_t *item;
	size_t i;
	int r;

	if (json_is_string(v))
		return option_append(text, "alias", at, v);
	r = short_strings_check(at, v, true);
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };

		if (r == 0)
			r = option_append(text, "alias", &item_at, item);
	}
	return r;
}

/* {"name": …, "ip": …, "ip6": …, "mac": …, "alias": …} as one word. */
static int object_text(const struct json_at *at, json_t *v, char **ret_text)
{
	static const char *const known[] = { "name", "ip", "ip6", "mac", "alias", NULL };
	const char *name = json_string_value(json_object_get(v, "name")), *key, *near;
	char quoted[STR_QUOTE_SIZE];
	json_t *member;
	int r;

	if (!name)
		return json_fail(at, "'name' is required: a string, the name of a network");
	if (!*name || name[strcspn(name, " :,")])
		return json_fail(at, "%s is not the name of a network", str_quote(quoted, name));
	r = str_copy(ret_text, name);
	json_object_foreach(v, key, member) {
		const struct json_at member_at = { .up = at, .key = key };

		if (r < 0 || json_is_null(member) || str_eq(key, "name"))
			continue;
		if (str_eq(key, "alias")) {
			r = aliases_append(ret_text, &member_at, member);
		} else if (str_eq(key, "ip") || str_eq(key, "ip6") || str_eq(key, "mac")) {
			r = option_append(ret_text, str_eq(key, "mac") ? "mac" : "ip", &member_at, member);
		} else {
			near = str_nearest(key, known);
			r = json_fail(&member_at, "is not a known key%s%s%s", near ? ": did you mean '" : "", near ? near : "",
				      near ? "'?" : "");
		}
	}
	return r;
}

static int item_text(const struct json_at *at, json_t *v, char **ret_text)
{
	const char *text = json_string_value(v);
	char quoted[STR_QUOTE_SIZE];

	if (json_is_object(v))
		return object_text(at, v, ret_text);
	if (!text)
		return json_fail(at, "must be a string or an object, not %s", json_type_text(v));
	if (!*text || strchr(text, ' '))
		return json_fail(at, "%s is not the name of a network", str_quote(quoted, text));
	if (*text == '/' || str_eq(text, "none") || str_eq(text, "host") || str_starts(text, "container:"))
		return json_fail(at, "'%s' goes with no other network", text);
	return str_copy(ret_text, text);
}

static int list_join(const struct json_at *at, json_t *v, char **ret_text)
{
	json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		cleanup_free char *one = NULL, *old = NULL;

		r = item_text(&item_at, item, &one);
		if (r < 0)
			return r;
		old = steal_ptr(ret_text);
		r = str_format(ret_text, "%s%s%s", old ? old : "", old ? " " : "", one);
		if (r < 0)
			return r;
	}
	return 0;
}

int short_network(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_free char *text = NULL;
	const char *how;
	int r;

	/* The options of a command line come as a list. */
	if (json_array_size(v) == 1)
		v = json_array_get(v, 0);
	how = json_string_value(v);
	if (how && str_eq(how, "host"))
		return network_plain(s, NULL, "host");
	if (how && str_eq(how, "none"))
		return network_plain(s, json_pack("{s:s}", "type", "network"), "none");
	if (how && *how == '/')
		return network_plain(s, json_pack("{s:s, s:s}", "type", "network", "path", how), "a path");
	if (how && str_starts(how, "container:"))
		return network_annotate(s, how);
	if (json_is_array(v)) {
		if (!json_array_size(v))
			return json_fail(at, "is empty: \"none\" is no network");
		r = list_join(at, v, &text);
	} else if (how || json_is_object(v)) {
		r = item_text(at, v, &text);
	} else {
		return json_fail(at, "must be a string, an object, or a list of them, not %s", json_type_text(v));
	}
	return r < 0 ? r : network_annotate(s, text);
}

static int strings_join(json_t *v, char **ret_text)
{
	json_t *item;
	size_t i;

	json_array_foreach(v, i, item) {
		cleanup_free char *old = steal_ptr(ret_text);
		int r = str_format(ret_text, "%s%s%s", old ? old : "", old ? "," : "", json_string_value(item));

		if (r < 0)
			return r;
	}
	return 0;
}

int short_ports(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_free char *text = NULL;
	json_t *item;
	size_t i;
	int r = short_strings_check(at, v, true);

	if (r < 0)
		return r;
	annotation_remove(s, SHORT_ANNOTATION PORTS_ANNOTATION);
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		char canonical[NET_PORT_SIZE];
		cleanup_free char *old = NULL;
		struct net_port port;

		r = net_port_read(json_string_value(item), &port);
		if (r < 0)
			return fail_at(&item_at, r);
		old = steal_ptr(&text);
		r = str_format(&text, "%s%s%s", old ? old : "", old ? "," : "", net_port_text(canonical, &port));
		if (r < 0)
			return r;
	}
	return text ? short_annotate(s->doc, PORTS_ANNOTATION, text) : 0;
}

int short_dns(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_free char *text = NULL;
	json_t *item;
	size_t i;
	int r = short_strings_check(at, v, true);

	if (r < 0)
		return r;
	annotation_remove(s, SHORT_ANNOTATION DNS_ANNOTATION);
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		struct net_address a;
		char quoted[STR_QUOTE_SIZE];

		if (net_address_read(json_string_value(item), &a) < 0)
			return json_fail(&item_at, "%s is not an address", str_quote(quoted, json_string_value(item)));
	}
	r = strings_join(v, &text);
	return r < 0 || !text ? r : short_annotate(s->doc, DNS_ANNOTATION, text);
}

int short_network_finish(struct short_form *s)
{
	json_t *notes = json_object_get(s->doc, "annotations");
	const char *network = json_string_value(json_object_get(notes, SHORT_ANNOTATION NETWORK_ANNOTATION));
	const char *ports = json_string_value(json_object_get(notes, SHORT_ANNOTATION PORTS_ANNOTATION));
	const char *dns = json_string_value(json_object_get(notes, SHORT_ANNOTATION DNS_ANNOTATION));
	struct network_wish wish;
	int r;

	if (!ports && !dns)
		return 0;
	if (s->network_plain && ports)
		return fail_plain(EINVAL, "ports: can be published only from a network of nacelle's, not with 'network': %s", s->network_plain);
	if (s->network_plain)
		return fail_plain(EINVAL, "dns: needs a network of nacelle's, not 'network': %s", s->network_plain);
	r = network_wish_read(network, ports, dns, &wish);
	if (r < 0)
		return r;
	network_wish_done(&wish);
	return network ? 0 : network_annotate(s, NETWORK_DEFAULT);
}
