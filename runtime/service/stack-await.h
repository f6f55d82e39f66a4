/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-await - waiting for replicas: until others may use them, or until a new one has shown that it is good
 */

#include <stdint.h>

#include "runtime/service/stack-plan.h"
#include "runtime/service/stack.h"

struct container_place;

/*
 * stack_await_replica() - wait until a replica is as somebody needs it
 *
 * What can no longer become so (it has failed, it is unhealthy) is a failure at once. Return: 0 or a recorded failure.
 */
int stack_await_replica(const struct container_place *place, const struct stack_replica *replica, enum stack_condition condition,
			uint64_t timeout_ms);

/* stack_await_good() - wait until a new replica can be trusted. Return: 0 or a recorded failure that says why it cannot. */
int stack_await_good(const struct container_place *place, const struct stack_replica *replica, const struct stack_update *update);
