/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mirror - another place that has what a registry has
 *
 * The user's configuration says which there are. What a digest names is the same wherever it comes from; what a tag means is
 * the mirror's word, so who writes one down trusts it as the registry itself.
 */

#include <stdbool.h>

#include "image/reference.h"

struct mirror {
	struct reference ref;	/* the same image there */
	bool plain;		/* http */
};

/*
 * mirror_of() - where a mirror has an image
 * @place: [https://|http://]HOST[:PORT][/PATH]
 *
 * Return: 0 with @ret the caller's (reference_done() on its ref), or a recorded failure.
 */
int mirror_of(const char *place, const struct reference *ref, struct mirror *ret);
