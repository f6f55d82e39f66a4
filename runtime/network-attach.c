/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The book is locked twice on the way up: for the lease, before the container's process is there, and for the devices, when its
 * namespace is. Whoever is killed between leaves a lease, and with it all that is needed to clean up after it.
 */
#include "runtime/network-attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/container.h"
#include "runtime/kept.h"
#include "runtime/machine.h"
#include "runtime/net/device.h"
#include "runtime/net/firewall.h"
#include "runtime/net/nl.h"
#include "runtime/net/rules.h"
#include "runtime/net/tap.h"
#include "runtime/network-book.h"
#include "runtime/network-end.h"
#include "runtime/network-host.h"
#include "runtime/network-lease.h"
#include "runtime/network.h"
#include "runtime/pasta.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/state.h"

/* --- another container's namespace ----------------------------------------------------------------- */

static int share_open(const struct container_place *place, const char *id, int *ret_netns)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	cleanup_fd int pidfd = -1, netns = -1;
	char path[64];
	int r = kept_open(place, id, false, &dir, &state);

	if (r == STATE_NOT_FOUND)
		return container_no_such(id);
	if (r < 0)
		return r;
	if (faccessat(dir.fd, MACHINE_COUNTS, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		state_done(&state);
		state_close(&dir);
		return fail_plain(ENOTSUP, "container '%s' is a virtual machine: its network is in there, and cannot be shared", id);
	}
	r = state.pid && !state_is_stale(&state) ? proc_open(state.pid, state.pid_start, &pidfd) : PROC_GONE;
	if (r == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)state.pid);
		netns = open(path, O_RDONLY | O_CLOEXEC);
		if (netns < 0 && errno != ENOENT && errno != ESRCH)
			r = fail(errno, "open the network namespace of container '%s'", id);
	}
	/* The number may have been used again while we looked. */
	if (r == 0)
		r = proc_signal(pidfd, 0);
	if (r == PROC_GONE || (r == 0 && netns < 0))
		r = fail_plain(ESRCH, "container '%s' is not running: it has no network to share", id);
	state_done(&state);
	state_close(&dir);
	if (r < 0)
		return r;
	*ret_netns = steal_fd(&netns);
	return 0;
}

static int share(const struct container_place *place, const struct spec *spec, struct network_hold *hold)
{
	cleanup_free char *folder = NULL;
	int r = share_open(place, hold->wish.container, &hold->shared);

	if (r == 0)
		r = str_format(&folder, "%s/%s", place->root, hold->wish.container);
	if (r == 0)
		r = network_files_take(spec, folder, hold->trees);
	return r < 0 ? fail_in(r, NETWORK_ANNOTATION) : 0;
}

/* Of no book: nobody else is in it. */
static int pasta_reserve(const struct container_place *place, const struct spec *spec, const char *id, const struct state_dir *dir,
			 struct network_hold *hold)
{
	const struct network_book alone = NETWORK_BOOK_NONE;
	int r = pasta_judge(&hold->wish);

	if (r == 0 && !spec->linux_.namespaces[NS_USER].wanted)
		r = fail_plain(EINVAL, "network '" PASTA_NETWORK "' needs a user namespace of the container's own");
	if (r == 0)
		r = network_files_write(&alone, dir->fd, place->root, id, spec->hostname, &hold->wish.dns);
	return r < 0 ? r : str_format(&hold->folder, "%s/%s", place->root, id);
}

int network_namespaces_take(struct network_hold *hold, pid_t pid)
{
	char path[64];

	if (!hold->folder)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	hold->userns = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	hold->netns = hold->userns < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	return hold->netns < 0 ? fail(errno, "open the container's namespaces") : 0;
}

int network_reserve(const struct container_place *place, const struct spec *spec, const char *id, const struct state_dir *dir,
		    struct network_hold *hold)
{
	struct network_book book = NETWORK_BOOK_NONE;
	cleanup_free char *folder = NULL;
	int r;

	if (!network_wish_is_any(spec))
		return 0;
	r = network_wish_of(spec, &hold->wish);
	if (r < 0)
		return r;
	if (hold->wish.container)
		return share(place, spec, hold);
	if (geteuid() != 0)
		return pasta_reserve(place, spec, id, dir, hold);
	r = network_book_open(place->data, true, &book);
	if (r == 0)
		r = network_leases_make(&book, place, spec, id, dir, &hold->wish);
	network_book_close(&book);
	if (r == 0)
		r = str_format(&folder, "%s/%s", place->root, id);
	return r < 0 ? r : network_files_take(spec, folder, hold->trees);
}

void network_hold_done(struct network_hold *hold)
{
	network_wish_done(&hold->wish);
	for (int i = 0; i < NETWORK_FILE_COUNT; i++) {
		if (hold->trees[i] >= 0)
			(void)close(hold->trees[i]);
		hold->trees[i] = -1;
	}
	if (hold->shared >= 0)
		(void)close(hold->shared);
	hold->shared = -1;
	if (hold->userns >= 0)
		(void)close(hold->userns);
	if (hold->netns >= 0)
		(void)close(hold->netns);
	hold->userns = hold->netns = -1;
	free(steal_ptr(&hold->folder));
}

/* --- devices --------------------------------------------------------------------------------------- */

/* All networks of one container, one by one. */
struct attaching {
	const struct network_book *book;
	int sock;
	bool defaults[FAMILIES];	/* families that have a way out already */
	int inside, netns;		/* of a container */
	int (*take)(int tap, const struct network_end *end, void *data);	/* of a virtual machine; NULL: it is none */
	void *data;
};

static struct network_end end_of(struct attaching *a, const struct network *n, const struct network_lease *l)
{
	struct network_end end = { .device = l->device, .mac = l->mac, .mtu = n->mtu };

	for (int f = 0; f < FAMILIES; f++) {
		if (!net_address_is_set(&l->addresses[f]))
			continue;
		end.addresses[f] = l->addresses[f];
		end.lengths[f] = n->subnets[f].length;
		if (n->internal || a->defaults[f])
			continue;
		a->defaults[f] = true;
		end.gateways[f] = n->gateways[f];
	}
	return end;
}

static int pair_attach(const struct attaching *a, const struct network_lease *l, unsigned int bridge, const struct network_end *end)
{
	int r = net_pair_make(a->sock, &(struct net_pair){ .name = l->pair, .bridge = bridge, .inside = l->device,
							   .netns = a->netns, .mac = l->mac, .mtu = end->mtu });

	if (r == 0 && l->port_count)
		r = net_port_reflect(a->sock, l->pair);
	return r < 0 ? r : network_end_settle(a->inside, end);
}

static int tap_attach(const struct attaching *a, const struct network_lease *l, unsigned int bridge, const struct network_end *end)
{
	cleanup_fd int tap = net_tap_make(a->sock, l->pair, bridge, end->mtu);
	int r = tap < 0 ? tap : 0;

	if (r == 0 && l->port_count)
		r = net_port_reflect(a->sock, l->pair);
	return r < 0 ? r : a->take(steal_fd(&tap), end, a->data);
}

static int lease_attach(struct attaching *a, const struct network_lease *l)
{
	const struct network *n = network_find(a->book, l->network);
	struct network_end end;
	struct net_device bridge;
	int r = n ? net_device_find(a->sock, n->bridge, &bridge) : fail_plain(ENOENT, "the network is gone");

	if (r == NET_DEVICE_NONE)
		r = fail_plain(ENODEV, "its bridge '%s' is gone", n->bridge);
	if (r == 0) {
		end = end_of(a, n, l);
		r = a->take ? tap_attach(a, l, bridge.index, &end) : pair_attach(a, l, bridge.index, &end);
	}
	return r < 0 ? fail_in(r, "network '%s': device '%s'", l->network, l->device) : 0;
}

static bool lease_is_of(const struct network_lease *l, const struct container_place *place, const char *id)
{
	return str_eq(l->id, id) && str_eq(l->root, place->root);
}

/* @ret_bridge: malloc'ed, a bridge of the container's that packets are forwarded to; as it was where there is none. */
static int leases_attach(struct network_book *book, const struct container_place *place, const char *id, struct attaching *a,
			 char **ret_bridge)
{
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);
	int r = sock < 0 ? sock : network_host_apply(book);

	a->book = book;
	a->sock = sock;
	for (size_t i = 0; r == 0 && i < book->lease_count; i++)
		if (lease_is_of(&book->leases[i], place, id))
			r = lease_attach(a, &book->leases[i]);
	for (size_t i = 0; r == 0 && !*ret_bridge && i < book->lease_count; i++) {
		const struct network *n = lease_is_of(&book->leases[i], place, id) ? network_find(book, book->leases[i].network) : NULL;

		if (n && !n->internal)
			r = str_copy(ret_bridge, n->bridge);
	}
	for (size_t i = 0; r == 0 && i < book->lease_count; i++)
		if (lease_is_of(&book->leases[i], place, id))
			network_hosts_update(book, book->leases[i].network, place->root, id);
	return r;
}

/* What lets our packets pass, said to the one whose rules they are: what is put beside them is lost when he loads his again. */
static int firewall_remedy(const struct net_firewall *f, const char *bridge, char **ret)
{
	switch (f->owner) {
	case NET_FIREWALL_FIREWALLD:
		return str_format(ret, "firewall-cmd --permanent --zone=trusted --add-interface=%s; firewall-cmd --reload", bridge);
	case NET_FIREWALL_UFW:
		return str_format(ret, "ufw route allow in on %s; ufw route allow out on %s", bridge, bridge);
	case NET_FIREWALL_DOCKER:
		return str_format(ret, "iptables -I DOCKER-USER -i " NET_BRIDGE "+ -j ACCEPT; iptables -I DOCKER-USER -o " NET_BRIDGE
				       "+ -j ACCEPT");
	default:
		return str_format(ret, "nft insert rule %s iifname '\"" NET_BRIDGE "*\"' accept; nft insert rule %s oifname '\"" NET_BRIDGE
				       "*\"' accept", f->chain, f->chain);
	}
}

/* A container that reaches nobody looks like a fault of ours: say whose rules they are. */
static void firewall_tell(const char *id, const char *bridge)
{
	static const char *const owners[] = {
		[NET_FIREWALL_UNKNOWN] = "", [NET_FIREWALL_FIREWALLD] = "firewalld, ", [NET_FIREWALL_UFW] = "ufw, ",
		[NET_FIREWALL_DOCKER] = "docker, ",
	};
	struct net_firewall firewall = { .chain = NULL };
	cleanup_free char *remedy = NULL;

	if (net_firewall_find(NET_BRIDGE, &firewall) == NET_FIREWALL_DROPS && firewall_remedy(&firewall, bridge, &remedy) == 0)
		log_warn("the host's firewall drops what it forwards (%snftables: %s), so container '%s' reaches no other network, and "
			 "nobody its ports; to let it: %s", owners[firewall.owner], firewall.chain, id, remedy);
	free(firewall.chain);
}

static int attach(const struct container_place *place, const char *id, struct attaching *a)
{
	struct network_book book = NETWORK_BOOK_NONE;
	cleanup_free char *bridge = NULL;
	int r = network_book_open(place->data, true, &book);

	if (r == 0)
		r = leases_attach(&book, place, id, a, &bridge);
	network_book_close(&book);
	if (r == 0 && bridge)
		firewall_tell(id, bridge);
	return r;
}

int network_attach(const struct container_place *place, const struct network_hold *hold, const char *id, pid_t pid)
{
	cleanup_fd int netns = -1, inside = -1;
	char path[64];

	if (!hold->wish.join_count)
		return 0;
	if (hold->folder)
		return pasta_start(hold->folder, &hold->wish, hold->userns, hold->netns);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return fail(errno, "open the container's network namespace");
	inside = nl_open_in(netns, NETLINK_ROUTE);
	return inside < 0 ? inside : attach(place, id, &(struct attaching){ .inside = inside, .netns = netns });
}

int network_attach_taps(const struct container_place *place, const struct network_hold *hold, const char *id,
			int (*take)(int tap, const struct network_end *end, void *data), void *data)
{
	return hold->wish.join_count ? attach(place, id, &(struct attaching){ .take = take, .data = data }) : 0;
}

int network_devices(const struct container_place *place, const char *id, struct str_list *ret_names)
{
	struct network_book book = NETWORK_BOOK_NONE;
	struct str_list names = { .items = NULL };
	int r = network_book_open(place->data, false, &book);

	for (size_t i = 0; r == 0 && i < book.lease_count; i++)
		if (lease_is_of(&book.leases[i], place, id))
			r = str_list_addf(&names, "%s=%s", book.leases[i].pair, book.leases[i].device);
	network_book_close(&book);
	if (r < 0) {
		str_list_done(&names);
		return r;
	}
	*ret_names = names;
	return 0;
}

/* --- and back -------------------------------------------------------------------------------------- */

static int leases_release(struct network_book *book, const struct container_place *place, const char *id)
{
	struct str_list left = { .items = NULL };
	cleanup_fd int sock = -1;
	int r = 0;

	for (size_t i = book->lease_count; r == 0 && i > 0; i--) {
		if (!lease_is_of(&book->leases[i - 1], place, id))
			continue;
		if (sock < 0)
			sock = nl_open(NETLINK_ROUTE);
		r = sock < 0 ? sock : net_device_remove(sock, book->leases[i - 1].pair);
		if (r == 0)
			r = str_list_add(&left, book->leases[i - 1].network);
		if (r == 0)
			network_lease_remove(book, i - 1);
	}
	if (r == 0 && left.count)
		r = network_host_apply(book);
	for (size_t i = 0; r == 0 && i < left.count; i++)
		network_hosts_update(book, left.items[i], place->root, id);
	str_list_done(&left);
	return r;
}

int network_release(const struct container_place *place, const char *id)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r;

	/* Who is not root has no lease, and could not read the book of whoever is. */
	if (geteuid() != 0)
		return pasta_stop(place, id);
	r = network_book_open(place->data, false, &book);
	if (r == 0)
		r = leases_release(&book, place, id);
	network_book_close(&book);
	return r < 0 ? r : 0;
}
