/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * port - published ports, as docker and podman write them
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/net/address.h"

/* @count ports of the host, from @host_port on, become those of the container from @inside_port on. */
struct net_port {
	struct net_address host;	/* of the host, on which it is published; none: on all */
	uint16_t host_port;		/* 0: any that is free; never so in a lease */
	uint16_t inside_port, count;
	int protocol;			/* IPPROTO_TCP, IPPROTO_UDP */
};

/*
 * net_port_read() - "8080:80", "127.0.0.1:8080:80/udp", "[fd00::1]:8080-8089:80-89/tcp"; "80", "127.0.0.1::80"
 *
 * Return: 0 or a recorded failure.
 */
int net_port_read(const char *text, struct net_port *ret);

/* net_port_text() - the canonical form of it, always with the protocol. Return: @buf. */
enum { NET_PORT_SIZE = 96 };
const char *net_port_text(char buf[NET_PORT_SIZE], const struct net_port *port);
const char *net_protocol_name(int protocol);

/* net_port_clash() - the lowest port of the host that both want. Return: it, or 0. */
uint16_t net_port_clash(const struct net_port *a, const struct net_port *b);

/*
 * net_port_check() - whether a socket of the host has one of the ports already
 *
 * Published ports win over sockets without a word from the kernel, and the socket's owner would wonder.
 * Return: 0, or a recorded failure that names the port and, when it can be found, the process.
 */
int net_port_check(const struct net_port *port);
