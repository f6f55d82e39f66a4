/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * memory-policy - linux.memoryPolicy: from which memory nodes the payload gets its pages
 */

struct spec_memory_policy;

/*
 * memory_policy_set() - for the calling thread, which hands it on through execve; nothing when it is not set
 *
 * *After* the cgroup's limits: nodes outside of its cpuset are refused. Return: 0 or a recorded failure.
 */
int memory_policy_set(const struct spec_memory_policy *policy);
