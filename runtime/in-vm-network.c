/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host names its devices by their addresses; what the guest's kernel calls them is known here alone. They are moved into
 * the container by its spec (linux.netDevices), where its sysctls find them, and set up when it is there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/in-vm.h"
#include "runtime/net/device.h"
#include "runtime/net/nl.h"
#include "runtime/net/route.h"
#include "runtime/network-end.h"

/* @taken: members are the names that count no more. Return: 0 with @ret_name malloc'ed, or a recorded failure. */
static int device_find(const char *mac, const json_t *taken, char **ret_name)
{
	cleanup_fd int devices = open("/sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = devices < 0 ? NULL : fdopendir(dup(devices));
	struct dirent *entry;

	if (!list)
		return fail(errno, "list the network's devices");
	while ((entry = readdir(list))) {
		cleanup_free char *path = NULL, *text = NULL;
		int r;

		if (entry->d_name[0] == '.' || json_object_get(taken, entry->d_name))
			continue;
		r = str_format(&path, "%s/address", entry->d_name);
		if (r < 0)
			return r;
		if (fd_read_file(devices, path, &text) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (str_eq(text, mac))
			return str_copy(ret_name, entry->d_name);
	}
	return fail_plain(ENODEV, "the network's device %s of the virtual machine is missing", mac);
}

static int device_hand_over(json_t *devices, const json_t *about)
{
	const char *mac = json_string_value(json_object_get(about, "mac"));
	cleanup_free char *name = NULL;
	int r = mac ? device_find(mac, devices, &name) : fail_plain(EPROTO, "a network's device without an address");

	if (r < 0)
		return r;
	return json_object_set_new(devices, name, json_pack("{s:O}", "name", json_object_get(about, "device"))) < 0 ?
		fail(ENOMEM, "take the network's devices") : 0;
}

int in_vm_network_fill(json_t *spec, json_t **ret_networks)
{
	json_t *linux_ = json_object_get(spec, "linux"), *list = json_object_get(spec, "networks"), *about;
	cleanup_json json_t *devices = json_object();
	size_t i;

	*ret_networks = NULL;
	if (!list)
		return 0;
	json_array_foreach(list, i, about) {
		int r = device_hand_over(devices, about);

		if (r < 0)
			return r;
	}
	if (json_object_set(linux_, "netDevices", devices) < 0)
		return fail(ENOMEM, "take the network's devices");
	*ret_networks = json_incref(list);
	return json_object_del(spec, "networks") < 0 ? fail(ENOMEM, "take the network's devices") : 0;
}

/* One of { "address", "length", "gateway" }. */
static int family_read(const json_t *v, struct network_end *end)
{
	const char *address = json_string_value(json_object_get(v, "address"));
	const char *gateway = json_string_value(json_object_get(v, "gateway"));
	struct net_address a;
	int f;

	if (!address || net_address_read(address, &a) < 0)
		return fail_plain(EPROTO, "'%s' is not an address", address ? address : "");
	f = a.family == AF_INET ? V4 : V6;
	end->addresses[f] = a;
	end->lengths[f] = (unsigned int)json_integer_value(json_object_get(v, "length"));
	if (gateway && net_address_read(gateway, &end->gateways[f]) < 0)
		return fail_plain(EPROTO, "'%s' is not an address", gateway);
	return 0;
}

static int address_settle(int sock, unsigned int index, const json_t *v)
{
	const char *text = json_string_value(json_object_get(v, "address"));
	struct net_address address;

	if (!text || net_address_read(text, &address) < 0)
		return fail_plain(EPROTO, "'%s' is not an address", text ? text : "");
	return net_device_address(sock, index, &address, (unsigned int)json_integer_value(json_object_get(v, "length")));
}

static int route_settle(int sock, unsigned int index, const json_t *v)
{
	const char *to = json_string_value(json_object_get(v, "to")), *gateway = json_string_value(json_object_get(v, "gateway"));
	struct net_route route = { .gateway = { .family = 0 } };

	if (!to || net_prefix_read(to, &route.to) < 0 || (gateway && net_address_read(gateway, &route.gateway) < 0))
		return fail_plain(EPROTO, "'%s' by '%s' is not a route", to ? to : "", gateway ? gateway : "");
	return net_route_add(sock, index, &route);
}

/* Of a namespace that others made (machine-netns.c): as many as it has. */
static int lists_settle(int sock, const json_t *about, const char *name)
{
	struct net_device device;
	int r = net_device_find(sock, name, &device);
	json_t *v;
	size_t i;

	if (r != 0)
		return r < 0 ? r : fail_plain(ENODEV, "it is not in the container");
	json_array_foreach(json_object_get(about, "addresses"), i, v)
		if (r == 0)
			r = address_settle(sock, device.index, v);
	json_array_foreach(json_object_get(about, "routes"), i, v)
		if (r == 0)
			r = route_settle(sock, device.index, v);
	return r;
}

static int device_settle(int sock, const json_t *about)
{
	struct network_end end = { .device = json_string_value(json_object_get(about, "device")) };
	json_t *v;
	size_t i;
	int r = end.device ? 0 : fail_plain(EPROTO, "a network's device without a name");

	json_array_foreach(json_object_get(about, "families"), i, v)
		if (r == 0)
			r = family_read(v, &end);
	if (r == 0)
		r = network_end_settle(sock, &end);
	if (r == 0)
		r = lists_settle(sock, about, end.device);
	return r < 0 ? fail_in(r, "network device '%s'", end.device ? end.device : "?") : 0;
}

int in_vm_network_settle(const json_t *networks, pid_t pid)
{
	cleanup_fd int netns = -1, sock = -1;
	char path[64];
	json_t *about;
	size_t i;
	int r;

	if (!networks)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return fail(errno, "open the container's network namespace");
	sock = nl_open_in(netns, NETLINK_ROUTE);
	r = sock < 0 ? sock : 0;
	json_array_foreach(networks, i, about)
		if (r == 0)
			r = device_settle(sock, about);
	return r;
}
