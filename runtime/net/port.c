/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the right: protocol, the container's ports, the host's, and what is left is an address, which may have colons of
 * its own. Who has a port is found as ss(8) does: the socket's inode in /proc/net, then in somebody's descriptors.
 */
#include "runtime/net/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

const char *net_protocol_name(int protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* "80" or "80-89". Return: 0 or -EINVAL. */
static int range_read(const char *text, uint16_t *ret_first, uint16_t *ret_count)
{
	cleanup_free char *copy = strdup(text);
	char *dash = copy ? strchr(copy, '-') : NULL;
	uint64_t first, last;

	if (!copy)
		return -EINVAL;
	if (dash)
		*dash++ = '\0';
	if (str_to_u64(copy, UINT16_MAX, &first) < 0 || first == 0)
		return -EINVAL;
	last = first;
	if (dash && (str_to_u64(dash, UINT16_MAX, &last) < 0 || last < first))
		return -EINVAL;
	*ret_first = (uint16_t)first;
	*ret_count = (uint16_t)(last - first + 1);
	return 0;
}

static int protocol_read(char *text, int *ret)
{
	char *slash = strchr(text, '/');

	*ret = IPPROTO_TCP;
	if (!slash)
		return 0;
	*slash++ = '\0';
	if (str_eq(slash, "udp"))
		*ret = IPPROTO_UDP;
	else if (!str_eq(slash, "tcp"))
		return fail_plain(EINVAL, "the protocol is tcp or udp");
	return 0;
}

/* "127.0.0.1", "[fd00::1]"; 0.0.0.0 and [::] are all addresses of one family. */
static int host_read(char *text, struct net_address *ret)
{
	size_t length = strlen(text);

	if (*text == '[' && length > 1 && text[length - 1] == ']') {
		text[length - 1] = '\0';
		text++;
	}
	if (net_address_read(text, ret) < 0)
		return fail_plain(EINVAL, "the host's part is an address, as 127.0.0.1 or [fd00::1]");
	if (ret->family == AF_INET6 && net_address_is_loopback(ret))
		return fail_plain(ENOTSUP, "nothing that goes to ::1 can be sent on to a container: publish on 127.0.0.1");
	return 0;
}

static int port_read(char *text, struct net_port *ret)
{
	uint16_t inside_count;
	char *inside, *host;
	int r = protocol_read(text, &ret->protocol);

	if (r < 0)
		return r;
	inside = strrchr(text, ':');
	if (!inside) {
		/* Which of the host's is chosen when there is a container. */
		if (range_read(text, &ret->inside_port, &ret->count) < 0)
			return fail_plain(EINVAL, "the container's port is a number from 1 to 65535, or a range of them");
		return 0;
	}
	*inside++ = '\0';
	host = strrchr(text, ':');
	/* a colon within brackets is the address's */
	if (host && strchr(host, ']'))
		host = NULL;
	if (range_read(inside, &ret->inside_port, &inside_count) < 0)
		return fail_plain(EINVAL, "the container's port is a number from 1 to 65535, or a range of them");
	if (host && !host[1])
		ret->count = inside_count;
	else if (range_read(host ? host + 1 : text, &ret->host_port, &ret->count) < 0)
		return fail_plain(EINVAL, "the host's port is a number from 1 to 65535, or a range of them");
	if (inside_count != ret->count)
		return fail_plain(EINVAL, "both ranges must be of one length");
	if (!host)
		return 0;
	*host = '\0';
	return host_read(text, &ret->host);
}

int net_port_read(const char *text, struct net_port *ret)
{
	cleanup_free char *copy = strdup(text);
	struct net_port port = { .protocol = IPPROTO_TCP };
	char quoted[STR_QUOTE_SIZE];
	int r;

	if (!copy)
		return fail(ENOMEM, "read a port");
	r = port_read(copy, &port);
	if (r < 0)
		return fail_in(r, "%s", str_quote(quoted, text));
	*ret = port;
	return 0;
}

static void range_text(char buf[16], uint16_t first, uint16_t count)
{
	if (count > 1)
		(void)snprintf(buf, 16, "%u-%u", first, first + count - 1U);
	else
		(void)snprintf(buf, 16, "%u", first);
}

const char *net_port_text(char buf[NET_PORT_SIZE], const struct net_port *port)
{
	char address[NET_ADDRESS_SIZE], host[16], inside[16];
	bool six = port->host.family == AF_INET6;

	range_text(host, port->host_port, port->count);
	range_text(inside, port->inside_port, port->count);
	if (!port->host_port && !net_address_is_set(&port->host))
		(void)snprintf(buf, NET_PORT_SIZE, "%s/%s", inside, net_protocol_name(port->protocol));
	else
		(void)snprintf(buf, NET_PORT_SIZE, "%s%s%s%s%s:%s/%s", six ? "[" : "", net_address_text(address, &port->host),
			       six ? "]" : "", net_address_is_set(&port->host) ? ":" : "", port->host_port ? host : "", inside,
			       net_protocol_name(port->protocol));
	return buf;
}

static bool is_wildcard(const struct net_address *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

static bool hosts_meet(const struct net_address *a, const struct net_address *b)
{
	if (!net_address_is_set(a) || !net_address_is_set(b))
		return true;
	return a->family == b->family && (is_wildcard(a) || is_wildcard(b) || net_address_equal(a, b));
}

uint16_t net_port_clash(const struct net_port *a, const struct net_port *b)
{
	uint16_t low = a->host_port > b->host_port ? a->host_port : b->host_port;

	if (!a->host_port || !b->host_port || a->protocol != b->protocol || !hosts_meet(&a->host, &b->host))
		return 0;
	return low < (uint32_t)a->host_port + a->count && low < (uint32_t)b->host_port + b->count ? low : 0;
}

/* --- sockets of the host --------------------------------------------------------------------------- */

/* The inode of a socket that is bound to @port (and, of TCP, listens), or 0. */
static uint64_t inode_find(const char *file, unsigned int port, bool tcp)
{
	FILE *f = fopen(file, "re");
	char line[512];
	uint64_t found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned int local, state;
		uint64_t inode;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %" SCNu64, &local, &state,
			   &inode) == 3 && local == port && (!tcp || state == 0x0A))
			found = inode;
	}
	if (f)
		(void)fclose(f);
	return found;
}

static bool process_has(int proc, const char *pid, const char *wanted)
{
	cleanup_free char *folder = NULL;
	DIR *dir;
	int fd;
	bool found = false;

	if (str_format(&folder, "%s/fd", pid) < 0)
		return false;
	fd = openat(proc, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		char link[64];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		found = n > 0 && (size_t)n == strlen(wanted) && memcmp(link, wanted, (size_t)n) == 0;
	}
	if (dir)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
	return found;
}

/* " by process 12 (nginx)", or "" when nobody can be seen to have it. */
static char *owner_text(uint64_t inode)
{
	DIR *proc = inode ? opendir("/proc") : NULL;
	char wanted[40], *text = NULL;

	(void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	for (struct dirent *e; proc && !text && (e = readdir(proc));) {
		cleanup_free char *file = NULL, *name = NULL;
		char printable[64];

		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !process_has(dirfd(proc), e->d_name, wanted))
			continue;
		if (str_format(&file, "%s/comm", e->d_name) < 0 || fd_read_file(dirfd(proc), file, &name) < 0)
			continue;
		name[strcspn(name, "\n")] = '\0';
		(void)str_format(&text, " by process %s (%s)", e->d_name, str_printable(printable, sizeof(printable), name));
	}
	if (proc)
		(void)closedir(proc);
	return text;
}

static int fail_used(const struct net_port *port, uint16_t number)
{
	bool tcp = port->protocol == IPPROTO_TCP;
	uint64_t inode = inode_find(tcp ? "/proc/net/tcp" : "/proc/net/udp", number, tcp);
	cleanup_free char *owner = NULL;

	if (!inode)
		inode = inode_find(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", number, tcp);
	owner = owner_text(inode);
	return fail_plain(EADDRINUSE, "port %u/%s of the host is in use%s", number, net_protocol_name(port->protocol),
			  owner ? owner : "");
}

/* Return: 0, -EADDRINUSE, or what else keeps a socket from that address. */
static int bind_try(const struct net_port *port, int family, uint16_t number)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(number) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(number) };
	int type = port->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, one = 1;
	cleanup_fd int sock = socket(family, type | SOCK_CLOEXEC, port->protocol);

	if (sock < 0)
		return 0; /* a kernel without that family has nobody there */
	memcpy(&in.sin_addr, port->host.bytes, sizeof(in.sin_addr));
	memcpy(&in6.sin6_addr, port->host.bytes, sizeof(in6.sin6_addr));
	/* Connections that have ended and still wait are nobody's. With UDP it would let two have the same. */
	if (type == SOCK_STREAM)
		(void)setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		(void)setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(sock, family == AF_INET ? (const void *)&in : (const void *)&in6,
		 family == AF_INET ? sizeof(in) : sizeof(in6)) < 0)
		return -errno;
	return 0;
}

int net_port_check(const struct net_port *port)
{
	int family = port->host.family ? port->host.family : AF_INET;
	char text[NET_ADDRESS_SIZE];

	for (unsigned int i = 0; i < port->count; i++) {
		uint16_t number = (uint16_t)(port->host_port + i);
		int r = bind_try(port, family, number);

		if (r == -EADDRINUSE)
			return fail_used(port, number);
		if (r == -EADDRNOTAVAIL)
			return fail_plain(EADDRNOTAVAIL, "the host has no address %s to publish port %u on",
					  net_address_text(text, &port->host), number);
		if (r < 0)
			return fail(-r, "port %u/%s of the host", number, net_protocol_name(port->protocol));
	}
	return 0;
}
