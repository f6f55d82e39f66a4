/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order: on the way up rules come before forwarding, so that nothing is open that a rule would close; on the way down
 * forwarding ends first. A setting is given back only if it still is what we made it. A bridge comes up last, with all its
 * ports: where somebody took it away, or down, who is in it is put back first.
 */
#include "runtime/network-host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/net/device.h"
#include "runtime/net/rules.h"
#include "runtime/network-book.h"
#include "runtime/network.h"

/* --- settings of the host -------------------------------------------------------------------------- */

/* Return: 0 with @ret_value malloc'ed, or NULL where the kernel has no such; or a recorded failure. */
static int setting_read(const char *path, char **ret_value)
{
	cleanup_free char *file = NULL;
	int r = str_format(&file, "/proc/sys/%s", path);

	*ret_value = NULL;
	if (r < 0)
		return r;
	if (access(file, F_OK) < 0)
		return 0;
	r = fd_read_file(AT_FDCWD, file, ret_value);
	if (r == 0)
		(*ret_value)[strcspn(*ret_value, "\n")] = '\0';
	return r;
}

static int setting_write(const char *path, const char *value)
{
	cleanup_free char *file = NULL;
	int r = str_format(&file, "/proc/sys/%s", path);

	return r < 0 ? r : fd_write_file(AT_FDCWD, file, value);
}

/* Change it if it has another value. @recorded: in the book, to be given back; a bridge's own goes with the bridge. */
static int setting_want(struct network_book *book, const char *path, const char *value, bool recorded)
{
	cleanup_free char *now = NULL;
	int r = setting_read(path, &now);

	if (r < 0 || !now || str_eq(now, value))
		return r;
	for (size_t i = 0; recorded && i < book->setting_count; i++)
		if (str_eq(book->settings[i].path, path))
			recorded = false;
	if (recorded) {
		r = network_setting_add(book, path, now, value);
		if (r == 0)
			r = network_leases_write(book);
		if (r < 0)
			return r;
	}
	return setting_write(path, value);
}

static int bridge_setting(struct network_book *book, const struct network *n, const char *family, const char *key, const char *value)
{
	cleanup_free char *path = NULL;
	int r = str_format(&path, "net/%s/conf/%s/%s", family, n->bridge, key);

	return r < 0 ? r : setting_want(book, path, value, false);
}

/*
 * A host that forwards IPv6 takes no more routes from its routers, unless it is told to take them all the same: it would lose
 * its own way out.
 */
static int router_advertisements_keep(struct network_book *book)
{
	DIR *dir = opendir("/proc/sys/net/ipv6/conf");
	int r = 0;

	for (struct dirent *e; dir && r == 0 && (e = readdir(dir));) {
		cleanup_free char *path = NULL, *now = NULL;

		if (*e->d_name == '.' || str_eq(e->d_name, "all") || str_eq(e->d_name, "default") || str_eq(e->d_name, "lo") ||
		    str_starts(e->d_name, NET_BRIDGE))
			continue;
		r = str_format(&path, "net/ipv6/conf/%s/accept_ra", e->d_name);
		if (r == 0)
			r = setting_read(path, &now);
		if (r == 0 && now && str_eq(now, "1"))
			r = setting_want(book, path, "2", true);
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

static bool family_is_forwarded(const struct network_book *book, int family)
{
	for (size_t i = 0; i < book->network_count; i++) {
		const struct network *n = &book->networks[i];

		if (!n->internal && net_address_is_set(&n->subnets[family].address) && network_users(book, n->name))
			return true;
	}
	return false;
}

static int settings_on(struct network_book *book)
{
	int r = 0;

	if (family_is_forwarded(book, V4))
		r = setting_want(book, "net/ipv4/ip_forward", "1", true);
	if (r == 0 && family_is_forwarded(book, V6)) {
		r = router_advertisements_keep(book);
		if (r == 0)
			r = setting_want(book, "net/ipv6/conf/all/forwarding", "1", true);
	}
	return r;
}

/* In the reverse order of their making. */
static void settings_off(struct network_book *book)
{
	for (size_t i = book->setting_count; i > 0; i--) {
		struct network_setting *s = &book->settings[i - 1];
		cleanup_free char *now = NULL;

		if (family_is_forwarded(book, str_starts(s->path, "net/ipv6/") ? V6 : V4))
			continue;
		/* A device of the host that is gone has taken its settings along. */
		if (setting_read(s->path, &now) < 0 || (now && str_eq(now, s->set) && setting_write(s->path, s->old) < 0))
			log_warn("give back the setting '%s': %s, ignoring", s->path, fail_text());
		network_setting_remove(book, i - 1);
	}
}

/* --- bridges --------------------------------------------------------------------------------------- */

/* Whether somebody publishes on an address that the host itself may reach by its loopback. */
static bool is_published_on_loopback(const struct network_book *book, const struct network *n)
{
	for (size_t i = 0; i < book->lease_count; i++) {
		const struct network_lease *l = &book->leases[i];

		for (size_t k = 0; str_eq(l->network, n->name) && k < l->port_count; k++) {
			const struct net_address *host = &l->ports[k].host;

			if (!net_address_is_set(host) ||
			    (host->family == AF_INET && (host->bytes[0] == 127 || host->bytes[0] == 0)))
				return true;
		}
	}
	return false;
}

/* Of a bridge that is new, or was down, whoever was in it before. */
static int ports_join(const struct network_book *book, int sock, const struct network *n, unsigned int bridge)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < book->lease_count; i++) {
		const struct network_lease *l = &book->leases[i];
		struct net_device port;

		if (!str_eq(l->network, n->name))
			continue;
		r = net_device_find(sock, l->pair, &port);
		if (r == NET_DEVICE_NONE || (r == 0 && port.master == bridge)) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = net_port_join(sock, port.index, bridge);
		if (r == 0 && l->port_count)
			r = net_port_reflect(sock, l->pair);
		if (r == 0)
			r = net_device_up(sock, port.index);
		if (r < 0)
			return fail_in(r, "container '%s'", l->id);
	}
	return r;
}

static int bridge_up(struct network_book *book, int sock, const struct network *n)
{
	struct net_device device = { .index = 0 };
	int r = net_bridge_make(sock, n->bridge, n->mtu);

	if (r == 0)
		r = net_device_find(sock, n->bridge, &device);
	if (r == NET_DEVICE_NONE || (r == 0 && !str_eq(device.kind, "bridge")))
		return fail_plain(EEXIST, "network '%s': the device '%s' is none of ours, and has the name of its bridge", n->name,
				  n->bridge);
	/* Before it is up: a container must not become the host's router. */
	if (r == 0)
		r = bridge_setting(book, n, "ipv6", "accept_ra", "0");
	if (r == 0 && is_published_on_loopback(book, n))
		r = bridge_setting(book, n, "ipv4", "route_localnet", "1");
	for (int f = 0; r == 0 && f < FAMILIES; f++)
		if (net_address_is_set(&n->gateways[f]))
			r = net_device_address(sock, device.index, &n->gateways[f], n->subnets[f].length);
	if (r == 0 && !device.up)
		r = ports_join(book, sock, n, device.index);
	if (r == 0 && !device.up)
		r = net_device_up(sock, device.index);
	return r < 0 ? fail_in(r, "network '%s'", n->name) : 0;
}

static int bridges_apply(struct network_book *book, int sock)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < book->network_count; i++) {
		const struct network *n = &book->networks[i];
		struct net_device device;

		if (network_users(book, n->name)) {
			r = bridge_up(book, sock, n);
			continue;
		}
		r = net_device_find(sock, n->bridge, &device);
		if (r == 0 && str_eq(device.kind, "bridge"))
			r = net_device_remove(sock, n->bridge);
		else if (r == NET_DEVICE_NONE)
			r = 0;
	}
	return r;
}

/* --- rules ----------------------------------------------------------------------------------------- */

static int rules_apply(const struct network_book *book)
{
	cleanup_free struct net_rules_network *networks = calloc(book->network_count + 1, sizeof(*networks));
	cleanup_free struct net_rules_port *ports = NULL;
	struct net_rules rules = { .networks = networks };
	size_t count = 0;

	for (size_t i = 0; i < book->lease_count; i++)
		count += book->leases[i].port_count;
	ports = calloc(count + 1, sizeof(*ports));
	if (!networks || !ports)
		return fail(ENOMEM, "make the rules of the networks");
	for (size_t i = 0; i < book->network_count; i++) {
		const struct network *n = &book->networks[i];

		if (network_users(book, n->name))
			networks[rules.network_count++] = (struct net_rules_network){
				.bridge = n->bridge, .internal = n->internal, .subnets = { n->subnets[V4], n->subnets[V6] },
			};
	}
	for (size_t i = 0; i < book->lease_count; i++)
		for (size_t k = 0; k < book->leases[i].port_count; k++)
			ports[rules.port_count++] = (struct net_rules_port){
				.port = book->leases[i].ports[k],
				.inside = { book->leases[i].addresses[V4], book->leases[i].addresses[V6] },
			};
	rules.ports = ports;
	return net_rules_apply(&rules);
}

int network_host_apply(struct network_book *book)
{
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);
	int r = sock < 0 ? sock : 0;

	settings_off(book);
	if (r == 0)
		r = bridges_apply(book, sock);
	if (r == 0)
		r = rules_apply(book);
	if (r == 0)
		r = settings_on(book);
	return r < 0 ? r : network_leases_write(book);
}

/* --- what others have broken ------------------------------------------------------------------------ */

/* Return: 1 or 0, or a recorded failure. */
static int forwarding_is_on(const struct network_book *book)
{
	static const char *const paths[FAMILIES] = { [V4] = "net/ipv4/ip_forward", [V6] = "net/ipv6/conf/all/forwarding" };

	for (int f = 0; f < FAMILIES; f++) {
		cleanup_free char *now = NULL;
		int r = family_is_forwarded(book, f) ? setting_read(paths[f], &now) : 0;

		if (r < 0)
			return r;
		if (now && !str_eq(now, "1"))
			return 0;
	}
	return 1;
}

int network_host_faults(const struct network_book *book, struct str_list *ret)
{
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);
	int whole = sock < 0 ? sock : net_rules_are_there();

	if (whole > 0)
		whole = forwarding_is_on(book);
	if (whole < 0)
		return whole;
	for (size_t i = 0; i < book->network_count; i++) {
		const struct network *n = &book->networks[i];
		struct net_device device;
		int r;

		if (!network_users(book, n->name))
			continue;
		r = net_device_find(sock, n->bridge, &device);
		if (r >= 0 && (!whole || r == NET_DEVICE_NONE || !device.up))
			r = str_list_add(ret, n->name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- what is left of others ------------------------------------------------------------------------ */

/* A container's record is written before its leases, and removed after them. */
static bool container_is_recorded(const struct network_lease *l)
{
	cleanup_free char *path = NULL;

	return str_format(&path, "%s/%s/state.json", l->root, l->id) < 0 || access(path, F_OK) == 0 || errno != ENOENT;
}

int network_leases_purge(struct network_book *book)
{
	cleanup_fd int sock = -1;
	int dropped = 0;

	for (size_t i = book->lease_count; i > 0; i--) {
		const struct network_lease *l = &book->leases[i - 1];
		int r;

		if (container_is_recorded(l))
			continue;
		if (sock < 0)
			sock = nl_open(NETLINK_ROUTE);
		r = sock < 0 ? sock : net_device_remove(sock, l->pair);
		if (r < 0)
			return r;
		network_lease_remove(book, i - 1);
		dropped++;
	}
	return dropped;
}
