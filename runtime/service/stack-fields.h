/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-fields - the keys of a stack file, as tables
 *
 * What is no key of the stack's in a service is left to whoever reads the spec.
 */

#include <stddef.h>

#include "runtime/base/json.h"

struct stack_file;
struct stack_network;
struct stack_service;
struct stack_volume;

/* As a file has it: configs and secrets apart. */
struct stack_whole {
	char *name;
	struct stack_service *services;
	size_t service_count;
	struct stack_network *networks;
	size_t network_count;
	struct stack_volume *volumes;
	size_t volume_count;
	struct stack_file *configs;
	size_t config_count;
	struct stack_file *secrets;
	size_t secret_count;
};

/* Of a service (struct stack_service), and of all of it (struct stack_whole). Ended by a row without a name. */
extern const struct json_field stack_service_fields[];
extern const struct json_field stack_whole_fields[];
