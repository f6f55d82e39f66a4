/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One grammar for the annotation, the option --network and, through them, the short form: names have neither blanks, colons
 * nor commas, so that the text can be taken apart from the left.
 */
#include "runtime/network-wish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/network.h"
#include "runtime/pasta.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/state.h"

enum { NAMES_MAX = 253, PORTS_MAX = 65535 };

int network_alias_check(const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	if (*name && *name != '-' && *name != '.' && strlen(name) <= NAMES_MAX &&
	    !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")])
		return 0;
	return fail_plain(EINVAL, "%s is no name for others to call it by: letters, digits, '_', '.' and '-'", str_quote(quoted, name));
}

static int option_address(struct network_join *join, const char *text)
{
	struct net_address a;
	char quoted[STR_QUOTE_SIZE];
	struct net_address *place;

	if (net_address_read(text, &a) < 0)
		return fail_plain(EINVAL, "ip: %s is not an address", str_quote(quoted, text));
	place = &join->addresses[a.family == AF_INET ? 0 : 1];
	if (net_address_is_set(place))
		return fail_plain(EINVAL, "ip: there are two addresses of one family");
	*place = a;
	return 0;
}

static int option_take(struct network_join *join, const char *option)
{
	const char *value;
	char quoted[STR_QUOTE_SIZE];

	if ((value = str_starts(option, "ip=")) || (value = str_starts(option, "ip6=")))
		return option_address(join, value);
	if ((value = str_starts(option, "mac="))) {
		if (net_mac_read(value, &join->mac) < 0)
			return fail_plain(EINVAL, "mac: %s is not the address of one device, as 02:6e:0a:5a:00:02",
					  str_quote(quoted, value));
		return 0;
	}
	if ((value = str_starts(option, "alias="))) {
		int r = network_alias_check(value);

		return r < 0 ? fail_in(r, "alias") : str_list_add(&join->aliases, value);
	}
	return fail_plain(EINVAL, "%s is not one of ip=, mac=, alias=", str_quote(quoted, option));
}

static void join_done(struct network_join *join)
{
	free(join->network);
	str_list_done(&join->aliases);
}

/* "NAME[:OPTION,…]"; @text is taken apart. */
static int join_read(char *text, struct network_join *join)
{
	char *options = strchr(text, ':');
	int r;

	if (options)
		*options++ = '\0';
	/* As docker and podman call the usual one. */
	r = str_copy(&join->network, str_eq(text, "bridge") ? NETWORK_DEFAULT : text);
	if (r == 0 && !str_eq(text, PASTA_NETWORK))
		r = network_name_check(join->network);
	for (char *rest = options, *option; r == 0 && (option = strsep(&rest, ","));)
		r = option_take(join, option);
	return r < 0 && options ? fail_in(r, "network '%s'", text) : r;
}

static int join_add(struct network_wish *wish, char *text)
{
	struct network_join *more = realloc(wish->joins, (wish->join_count + 1) * sizeof(*more));
	int r;

	if (!more)
		return fail(ENOMEM, "read the networks");
	wish->joins = more;
	more[wish->join_count] = (struct network_join){ .network = NULL };
	r = join_read(text, &more[wish->join_count++]);
	for (size_t i = 0; r == 0 && i + 1 < wish->join_count; i++)
		if (str_eq(more[i].network, more[wish->join_count - 1].network))
			return fail_plain(EINVAL, "network '%s' is named twice", more[i].network);
	return r;
}

static int networks_read(const char *text, struct network_wish *wish)
{
	const char *container = str_starts(text, "container:");
	cleanup_free char *copy = NULL;
	int r;

	if (container) {
		r = state_id_check(container);
		return r < 0 ? r : str_copy(&wish->container, container);
	}
	r = str_copy(&copy, text);
	for (char *rest = copy, *word; r == 0 && (word = strsep(&rest, " "));)
		r = *word ? join_add(wish, word) : 0;
	if (r == 0 && !wish->join_count)
		return fail_plain(EINVAL, "is empty");
	return r;
}

static int ports_read(const char *text, struct network_wish *wish)
{
	cleanup_free char *copy = NULL;
	size_t count = 1, all = 0;
	int r = str_copy(&copy, text);

	for (const char *c = text; *c; c++)
		count += *c == ',';
	wish->ports = calloc(count, sizeof(*wish->ports));
	if (!wish->ports)
		return fail(ENOMEM, "read the ports");
	for (char *rest = copy, *word; r == 0 && (word = strsep(&rest, ","));) {
		struct net_port port;

		r = net_port_read(word, &port);
		for (size_t i = 0; r == 0 && i < wish->port_count; i++) {
			uint16_t clash = net_port_clash(&port, &wish->ports[i]);

			if (clash)
				r = fail_plain(EINVAL, "port %u/%s of the host is published twice", clash,
					       net_protocol_name(port.protocol));
		}
		if (r < 0)
			return r;
		all += port.count;
		wish->ports[wish->port_count++] = port;
	}
	return r == 0 && all > PORTS_MAX ? fail_plain(E2BIG, "more than %d ports", PORTS_MAX) : r;
}

static int dns_read(const char *text, struct network_wish *wish)
{
	cleanup_free char *copy = NULL;
	char quoted[STR_QUOTE_SIZE];
	int r = str_copy(&copy, text);

	for (char *rest = copy, *word; r == 0 && (word = strsep(&rest, ","));) {
		struct net_address a;

		if (net_address_read(word, &a) < 0)
			return fail_plain(EINVAL, "%s is not an address", str_quote(quoted, word));
		r = str_list_add(&wish->dns, word);
	}
	return r;
}

int network_wish_read(const char *network, const char *ports, const char *dns, struct network_wish *ret)
{
	struct network_wish wish = { .joins = NULL };
	int r = 0;

	if (network || ports || dns) {
		r = networks_read(network ? network : NETWORK_DEFAULT, &wish);
		if (r < 0)
			r = fail_in(r, NETWORK_ANNOTATION);
	}
	if (r == 0 && ports) {
		r = wish.container ? fail_plain(EINVAL, "the network is that of container '%s', which publishes its own", wish.container) :
			ports_read(ports, &wish);
		if (r < 0)
			r = fail_in(r, PORTS_ANNOTATION);
	}
	if (r == 0 && dns) {
		r = wish.container ? fail_plain(EINVAL, "the network is that of container '%s', with its name servers", wish.container) :
			dns_read(dns, &wish);
		if (r < 0)
			r = fail_in(r, DNS_ANNOTATION);
	}
	if (r < 0) {
		network_wish_done(&wish);
		return r;
	}
	*ret = wish;
	return 0;
}

void network_wish_done(struct network_wish *wish)
{
	for (size_t i = 0; i < wish->join_count; i++)
		join_done(&wish->joins[i]);
	free(wish->joins);
	free(wish->container);
	free(wish->ports);
	str_list_done(&wish->dns);
	*wish = (struct network_wish){ .joins = NULL };
}

bool network_wish_is_any(const struct spec *spec)
{
	return spec_annotation(spec, SHORT_ANNOTATION NETWORK_ANNOTATION) || spec_annotation(spec, SHORT_ANNOTATION PORTS_ANNOTATION) ||
	       spec_annotation(spec, SHORT_ANNOTATION DNS_ANNOTATION);
}

int network_wish_of(const struct spec *spec, struct network_wish *ret)
{
	const struct spec_namespace *ns = &spec->linux_.namespaces[NS_NETWORK];
	int r = network_wish_read(spec_annotation(spec, SHORT_ANNOTATION NETWORK_ANNOTATION),
				  spec_annotation(spec, SHORT_ANNOTATION PORTS_ANNOTATION),
				  spec_annotation(spec, SHORT_ANNOTATION DNS_ANNOTATION), ret);

	if (r < 0)
		return fail_in(r, "annotations of " SHORT_ANNOTATION "*");
	if (network_wish_is_any(spec) && (!ns->wanted || ns->path)) {
		network_wish_done(ret);
		return fail_plain(EINVAL, "annotations: " SHORT_ANNOTATION "* asks for a network, but linux.namespaces has no 'network' of "
				  "the container's own");
	}
	return 0;
}
