/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's device is a port of the network's bridge by itself, without a pair of devices between: the cell's own namespace
 * stays empty. What is set up on a container's device from outside is done here by the agent, from the list "networks" of the
 * inner document:
 *
 *	[{ "device": "eth0", "mac": "02:…", "families": [{ "address": "10.90.0.2", "length": 24, "gateway": "10.90.0.1" }] }]
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/in-vm.h"
#include "runtime/machine.h"
#include "runtime/network-attach.h"
#include "runtime/network-end.h"
#include "runtime/spec.h"

struct telling {
	struct machine *machine;
	json_t *list;
};

static json_t *family_json(const struct network_end *end, int family)
{
	char address[NET_ADDRESS_SIZE], gateway[NET_ADDRESS_SIZE];
	bool way_out = net_address_is_set(&end->gateways[family]);

	return json_pack("{s:s, s:i, s:s*}", "address", net_address_text(address, &end->addresses[family]), "length",
			 (int)end->lengths[family], "gateway",
			 way_out ? net_address_text(gateway, &end->gateways[family]) : NULL);
}

static json_t *end_json(const struct network_end *end)
{
	char mac[NET_MAC_SIZE];
	json_t *families = json_array();

	for (int f = 0; f < FAMILIES; f++)
		if (net_address_is_set(&end->addresses[f]))
			(void)json_array_append_new(families, family_json(end, f));
	return json_pack("{s:s, s:s, s:o}", "device", end->device, "mac", net_mac_text(mac, &end->mac), "families", families);
}

int machine_network_device(struct machine *m, int tap, const struct net_mac *mac, unsigned int mtu)
{
	struct vm_config *config = &m->config;
	struct vm_device_config *to = &config->devices[config->device_count];
	int fd = machine_fd(tap, "the network's device");

	if (fd < 0)
		return fd;
	if (config->device_count == VM_DEVICES_MAX) {
		(void)close(fd);
		return fail_plain(E2BIG, "a virtual machine has at most %d devices", VM_DEVICES_MAX);
	}
	*to = (struct vm_device_config){ .kind = VM_DEVICE_NET, .fd = { fd, -1 }, .mtu = (uint16_t)mtu };
	memcpy(to->mac, mac->bytes, sizeof(to->mac));
	config->device_count++;
	return 0;
}

static int device_add(int tap, const struct network_end *end, void *data)
{
	struct telling *t = data;
	int r = machine_network_device(t->machine, tap, &end->mac, end->mtu);

	if (r < 0)
		return r;
	return json_array_append_new(t->list, end_json(end)) < 0 ? fail(ENOMEM, "tell the guest of its networks") : 0;
}

static json_t *bind_json(const char *place, const char *share)
{
	return json_pack("{s:s, s:s, s:s+, s:[s,s,s,s,s]}", "destination", place, "type", "bind", "source", IN_VM_SHARES "/", share,
			 "options", "bind", "ro", "nosuid", "nodev", "noexec");
}

/* They are written to again and again by the host, and so shown rather than sent. */
static int files_share(struct machine *m, struct network_hold *hold, json_t *mounts)
{
	for (int i = 0; i < NETWORK_FILE_COUNT; i++) {
		struct vm_share_config *to = &m->config.shares[m->config.share_count];
		const char *place = network_file_place(i);

		if (hold->trees[i] < 0)
			continue;
		if (m->config.share_count == VM_SHARES_MAX)
			return fail_plain(E2BIG, "at most %d folders and files of the host can be shown to a guest", VM_SHARES_MAX);
		to->fd = machine_fd(steal_fd(&hold->trees[i]), place);
		if (to->fd < 0)
			return to->fd;
		to->flags = VM_DEVICE_READ_ONLY;
		(void)snprintf(to->name, sizeof(to->name), "network%d", i);
		m->config.share_count++;
		if (json_array_append_new(mounts, bind_json(place, to->name)) < 0)
			return fail(ENOMEM, "show the guest '%s'", place);
	}
	return 0;
}

int machine_network(struct machine *m, const struct container_place *place, struct network_hold *hold, const char *id)
{
	cleanup_json json_t *inner = NULL, *list = json_array();
	struct telling telling = { .machine = m, .list = list };
	const char *netns = m->spec->linux_.namespaces[NS_NETWORK].path;
	json_t *mounts;
	int r;

	if (!hold->wish.join_count && !netns)
		return 0;
	r = json_parse("the guest's spec", m->split.inner, strlen(m->split.inner), &inner);
	if (r == 0)
		r = netns ? machine_netns(m, netns, list) : network_attach_taps(place, hold, id, device_add, &telling);
	if (r < 0)
		return r;
	mounts = json_object_get(inner, "mounts");
	if (!mounts && json_object_set_new(inner, "mounts", json_array()) == 0)
		mounts = json_object_get(inner, "mounts");
	if (!mounts || json_object_set(inner, "networks", list) < 0)
		return fail(ENOMEM, "tell the guest of its networks");
	r = netns ? 0 : files_share(m, hold, mounts);
	if (r < 0)
		return r;
	free(m->split.inner);
	m->split.inner = json_text(inner);
	return m->split.inner ? 0 : fail(ENOMEM, "tell the guest of its networks");
}
