/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * policy - whom to take images from: containers-policy.json(5)
 */

struct reference;

/*
 * policy_check() - whether an image may be taken
 * @file: NULL for the user's (~/.config/containers/policy.json), then /etc/containers/policy.json; without one, all may
 * @transport: "docker" for a registry, else "oci", "oci-archive", "docker-archive"
 * @ref: the image for "docker", else NULL
 *
 * Requirements that need a signature cannot be verified here, so they refuse. Return: 0 or a recorded failure.
 */
int policy_check(const char *file, const char *transport, const struct reference *ref);
