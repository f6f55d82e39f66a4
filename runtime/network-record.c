/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of fields read, json_pack() writes. The folder belongs to us alone, but a record is judged like any other input:
 * a corrupt one is a failure, never a guess.
 */
#include "runtime/network-record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/net/rules.h"
#include "runtime/network-book.h"
#include "runtime/network.h"

enum { RECORD_VERSION = 1 };

static const struct json_range version_range = { 1, RECORD_VERSION };
static const struct json_range mtu_range = { 0, NETWORK_MTU_MAX };

/* --- a network ------------------------------------------------------------------------------------- */

struct subnet_text {
	char *subnet, *gateway;
};

struct network_text {
	int64_t version, mtu;
	struct subnet_text *subnets;
	size_t subnet_count;
	struct network network;
};

static const struct json_field subnet_fields[] = {
	{ "subnet", json_get_string, offsetof(struct subnet_text, subnet), JSON_REQUIRED, NULL, NULL },
	{ "gateway", json_get_string, offsetof(struct subnet_text, gateway), JSON_REQUIRED, NULL, NULL },
	{ .name = NULL },
};
static const struct json_items subnet_items = { sizeof(struct subnet_text), subnet_fields, NULL, 0 };

static const struct json_field network_fields[] = {
	{ "version", json_get_int, offsetof(struct network_text, version), JSON_REQUIRED, &version_range, NULL },
	{ "name", json_get_string, offsetof(struct network_text, network.name), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "bridge", json_get_string, offsetof(struct network_text, network.bridge), JSON_REQUIRED, NULL, NULL },
	{ "subnets", json_get_array, offsetof(struct network_text, subnets), JSON_REQUIRED, &subnet_items, NULL },
	{ "internal", json_get_bool, offsetof(struct network_text, network.internal), 0, NULL, NULL },
	{ "mtu", json_get_int, offsetof(struct network_text, mtu), 0, &mtu_range, NULL },
	{ "labels", json_get_map, offsetof(struct network_text, network.labels), 0, NULL, NULL },
	{ "created", json_get_string, offsetof(struct network_text, network.created), JSON_REQUIRED, NULL, NULL },
	{ .name = NULL },
};

static int subnet_take(struct network *n, const struct subnet_text *text)
{
	struct net_prefix subnet;
	struct net_address gateway;
	int family;

	if (net_prefix_read(text->subnet, &subnet) < 0)
		return fail_plain(EINVAL, "subnets: '%s' is not one", text->subnet);
	family = subnet.address.family == AF_INET ? V4 : V6;
	if (net_address_is_set(&n->subnets[family].address))
		return fail_plain(EINVAL, "subnets: there are two of one family");
	if (net_address_read(text->gateway, &gateway) < 0 || !net_prefix_is_host(&subnet, &gateway))
		return fail_plain(EINVAL, "subnets: '%s' is no gateway of '%s'", text->gateway, text->subnet);
	n->subnets[family] = subnet;
	n->gateways[family] = gateway;
	return 0;
}

static int network_take(struct network_text *t)
{
	struct network *n = &t->network;
	const char *number = str_starts(n->bridge, NET_BRIDGE);
	uint64_t ignored;
	int r = 0;

	n->mtu = (unsigned int)t->mtu;
	/* It will be made and removed by this name. */
	if (!number || str_to_u64(number, UINT32_MAX, &ignored) < 0 || strlen(n->bridge) > NETWORK_DEVICE_MAX)
		return fail_plain(EINVAL, "bridge: '%s' is no bridge of ours", n->bridge);
	if (!t->subnet_count)
		return fail_plain(EINVAL, "subnets: is empty");
	for (size_t i = 0; r == 0 && i < t->subnet_count; i++)
		r = subnet_take(n, &t->subnets[i]);
	return r;
}

int network_record_read(int dir, const char *file, struct network *ret)
{
	struct network_text t = { .mtu = 0 };
	cleanup_json json_t *v = NULL;
	int r = json_read_at(dir, file, NULL, &v);

	if (r < 0)
		return r;
	r = json_object_read(&JSON_ROOT, v, network_fields, 0, &t);
	if (r == 0)
		r = network_take(&t);
	for (size_t i = 0; i < t.subnet_count; i++) {
		free(t.subnets[i].subnet);
		free(t.subnets[i].gateway);
	}
	free(t.subnets);
	if (r < 0) {
		network_done(&t.network);
		return fail_in(r, "%s", file);
	}
	*ret = t.network;
	return 0;
}

json_t *network_json(const struct network *n)
{
	char subnet[NET_PREFIX_SIZE], gateway[NET_ADDRESS_SIZE];
	json_t *subnets = json_array();

	for (int f = 0; subnets && f < FAMILIES; f++)
		if (net_address_is_set(&n->subnets[f].address) &&
		    json_array_append_new(subnets, json_pack("{ss ss}", "subnet", net_prefix_text(subnet, &n->subnets[f]), "gateway",
							     net_address_text(gateway, &n->gateways[f]))) < 0) {
			json_decref(subnets);
			return NULL;
		}
	return json_pack("{si ss ss so sb si so ss}", "version", RECORD_VERSION, "name", n->name, "bridge", n->bridge, "subnets",
			 subnets, "internal", n->internal, "mtu", (int)n->mtu, "labels", json_of_map(&n->labels), "created", n->created);
}

int network_record_write(int dir, const struct network *n)
{
	cleanup_json json_t *v = network_json(n);
	cleanup_free char *text = v ? json_text(v) : NULL, *file = NULL;
	int r = text ? str_format(&file, "%s.json", n->name) : fail(ENOMEM, "record network '%s'", n->name);

	return r < 0 ? r : fd_replace_file_synced(dir, file, text, strlen(text), 0600);
}

/* --- leases ---------------------------------------------------------------------------------------- */

struct lease_text {
	struct network_lease lease;
	char *ip, *ip6, *mac;
	struct str_list ports;
};

struct leases_text {
	int64_t version;
	char *boot_id;
	struct lease_text *leases;
	size_t lease_count;
	struct network_setting *settings;
	size_t setting_count;
};

#define LEASE(member) offsetof(struct lease_text, member)

static const struct json_field lease_fields[] = {
	{ "network", json_get_string, LEASE(lease.network), JSON_REQUIRED, NULL, NULL },
	{ "id", json_get_string, LEASE(lease.id), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "root", json_get_string, LEASE(lease.root), JSON_REQUIRED | JSON_ABSOLUTE, NULL, NULL },
	{ "device", json_get_string, LEASE(lease.device), JSON_REQUIRED, NULL, NULL },
	{ "pair", json_get_string, LEASE(lease.pair), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "ip", json_get_string, LEASE(ip), 0, NULL, NULL },
	{ "ip6", json_get_string, LEASE(ip6), 0, NULL, NULL },
	{ "mac", json_get_string, LEASE(mac), JSON_REQUIRED, NULL, NULL },
	{ "names", json_get_strings, LEASE(lease.names), JSON_REQUIRED, NULL, NULL },
	{ "ports", json_get_strings, LEASE(ports), JSON_REQUIRED, NULL, NULL },
	{ .name = NULL },
};
static const struct json_items lease_items = { sizeof(struct lease_text), lease_fields, NULL, 0 };

static const struct json_field setting_fields[] = {
	{ "path", json_get_string, offsetof(struct network_setting, path), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "old", json_get_string, offsetof(struct network_setting, old), JSON_REQUIRED, NULL, NULL },
	{ "set", json_get_string, offsetof(struct network_setting, set), JSON_REQUIRED, NULL, NULL },
	{ .name = NULL },
};
static const struct json_items setting_items = { sizeof(struct network_setting), setting_fields, NULL, 0 };

static const struct json_field leases_fields[] = {
	{ "version", json_get_int, offsetof(struct leases_text, version), JSON_REQUIRED, &version_range, NULL },
	{ "bootId", json_get_string, offsetof(struct leases_text, boot_id), JSON_REQUIRED, NULL, NULL },
	{ "leases", json_get_array, offsetof(struct leases_text, leases), JSON_REQUIRED, &lease_items, NULL },
	{ "settings", json_get_array, offsetof(struct leases_text, settings), JSON_REQUIRED, &setting_items, NULL },
	{ .name = NULL },
};

static int lease_take(struct network_book *book, struct lease_text *t)
{
	struct network_lease *l = &t->lease;
	int r = 0;

	if ((t->ip && *t->ip && net_address_read(t->ip, &l->addresses[V4]) < 0) ||
	    (t->ip6 && *t->ip6 && net_address_read(t->ip6, &l->addresses[V6]) < 0) || net_mac_read(t->mac, &l->mac) < 0)
		return fail_plain(EINVAL, "leases: an address of container '%s' is none", l->id);
	if (strchr(l->id, '/') || strlen(l->pair) > NETWORK_DEVICE_MAX || strlen(l->device) > NETWORK_DEVICE_MAX)
		return fail_plain(EINVAL, "leases: a name of container '%s' is none", l->id);
	l->ports = calloc(t->ports.count + 1, sizeof(*l->ports));
	if (!l->ports)
		return fail(ENOMEM, "read the leases");
	for (size_t i = 0; r == 0 && i < t->ports.count; i++, l->port_count++) {
		r = net_port_read(t->ports.items[i], &l->ports[i]);
		if (r == 0 && !l->ports[i].host_port)
			r = fail_plain(EINVAL, "leases: a port of container '%s' is none of the host's", l->id);
	}
	return r < 0 ? r : network_lease_add(book, l);
}

static void leases_done(struct leases_text *t)
{
	for (size_t i = 0; i < t->lease_count; i++) {
		network_lease_done(&t->leases[i].lease);
		free(t->leases[i].ip);
		free(t->leases[i].ip6);
		free(t->leases[i].mac);
		str_list_done(&t->leases[i].ports);
	}
	for (size_t i = 0; i < t->setting_count; i++) {
		free(t->settings[i].path);
		free(t->settings[i].old);
		free(t->settings[i].set);
	}
	free(t->leases);
	free(t->settings);
	free(t->boot_id);
}

int network_leases_read(struct network_book *book)
{
	struct leases_text t = { .version = 0 };
	cleanup_json json_t *v = NULL;
	char now[PROC_BOOT_ID_SIZE];
	struct stat st;
	int r;

	/* It is written at each start, and so not synced: after a loss of power it may be empty, and all leases are over then anyway. */
	if (fstatat(book->dir, ".leases.json", &st, AT_SYMLINK_NOFOLLOW) < 0 ? errno == ENOENT : S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	r = json_read_at(book->dir, ".leases.json", NULL, &v);
	if (r == 0)
		r = json_object_read(&JSON_ROOT, v, leases_fields, 0, &t);
	if (r == 0)
		r = proc_boot_id(now);
	if (r == 0 && str_eq(now, t.boot_id)) {
		for (size_t i = 0; r == 0 && i < t.lease_count; i++)
			r = lease_take(book, &t.leases[i]);
		for (size_t i = 0; r == 0 && i < t.setting_count; i++)
			r = network_setting_add(book, t.settings[i].path, t.settings[i].old, t.settings[i].set);
	}
	leases_done(&t);
	return r < 0 ? fail_in(r, ".leases.json") : 0;
}

static json_t *list_json(const struct str_list *list)
{
	json_t *v = json_array();

	for (size_t i = 0; v && i < list->count; i++)
		(void)json_array_append_new(v, json_string(list->items[i]));
	return v;
}

static json_t *ports_json(const struct network_lease *l)
{
	json_t *v = json_array();
	char text[NET_PORT_SIZE];

	for (size_t i = 0; v && i < l->port_count; i++)
		(void)json_array_append_new(v, json_string(net_port_text(text, &l->ports[i])));
	return v;
}

static json_t *lease_json(const struct network_lease *l)
{
	char ip[NET_ADDRESS_SIZE], ip6[NET_ADDRESS_SIZE], mac[NET_MAC_SIZE];

	return json_pack("{ss ss ss ss ss ss ss ss so so}", "network", l->network, "id", l->id, "root", l->root, "device", l->device,
			 "pair", l->pair, "ip", net_address_text(ip, &l->addresses[V4]), "ip6",
			 net_address_text(ip6, &l->addresses[V6]), "mac", net_mac_text(mac, &l->mac), "names",
			 list_json(&l->names), "ports", ports_json(l));
}

int network_leases_write(const struct network_book *book)
{
	json_t *leases = json_array(), *settings = json_array();
	cleanup_json json_t *v = NULL;
	cleanup_free char *text = NULL;
	char now[PROC_BOOT_ID_SIZE];
	int r = proc_boot_id(now);
	bool whole = leases && settings;

	for (size_t i = 0; whole && i < book->lease_count; i++)
		whole = json_array_append_new(leases, lease_json(&book->leases[i])) == 0;
	for (size_t i = 0; whole && i < book->setting_count; i++)
		whole = json_array_append_new(settings, json_pack("{ss ss ss}", "path", book->settings[i].path, "old",
								  book->settings[i].old, "set", book->settings[i].set)) == 0;
	v = json_pack("{si ss so so}", "version", RECORD_VERSION, "bootId", r == 0 ? now : "", "leases", leases, "settings", settings);
	text = whole && v ? json_text(v) : NULL;
	if (r < 0)
		return r;
	return text ? fd_replace_file(book->dir, ".leases.json", text, strlen(text), 0600) : fail(ENOMEM, "record the leases");
}
