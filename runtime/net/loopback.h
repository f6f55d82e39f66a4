/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* net_loopback_up() - bring up `lo` in the network namespace that we are in. Return: 0 or a recorded failure. */
int net_loopback_up(void);
