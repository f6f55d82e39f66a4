/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-write - what the tables of fields say, for those who ask: `nacelle features`, the man page
 */

#include <stdbool.h>

#include <jansson.h>

/* One field of the spec, as the tables have it. */
struct spec_field_text {
	const char *
		path; /* "linux.resources.memory.limit", "mounts[].destination", "linux.resources.rdma.*.hcaHandles" */
	const char *type; /* "string", "array of objects", … */
	const char *help; /* one line */
	bool short_form; /* a key of the short form rather than OCI's */
	bool supported; /* false: known, and refused by name */
};

/*
 * spec_fields_walk() - call @found for each short key, then for each field of an OCI document
 * @field: valid only during the call
 * @found: a negative return ends the walk and becomes the result
 *
 * Return: 0, what @found returned, or a recorded -ENOMEM.
 */
int spec_fields_walk(int (*found)(const struct spec_field_text *field, void *data), void *data);

/* spec_features() - OCI's features document (features.md). New reference, NULL without memory. */
json_t *spec_features(void);
