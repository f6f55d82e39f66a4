/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * config - the user configuration: /etc/nacelle/config.json, then $XDG_CONFIG_HOME/nacelle/config.json over it
 *
 * Top-level keys: those of config_fields in config.c. An unknown one is refused with the nearest name.
 */

#include <jansson.h>

/*
 * config_load() - the merged configuration
 * @ret_config: new reference; an empty object where there is no file
 *
 * A missing file is fine; a file that another user than root or us can write is refused.
 * Return: 0 or a recorded failure.
 */
int config_load(json_t **ret_config);

/*
 * config_images() - where images are kept, and what a name without a registry means
 * @config: what config_load() gave
 *
 * NACELLE_STORE wins over the configuration. Borrowed from both; NULL where neither says it, as store_open() takes them.
 */
struct config_images {
	const char *store, *registry;
};
struct config_images config_images(const json_t *config);
