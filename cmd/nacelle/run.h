/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * run - what the parts of `run` share: its options, and the spec that they make with what was named
 */

#include <jansson.h>

#include "runtime/base/str.h"

struct bundle;
struct operands;

struct run_options {
	const char *bundle, *config, *name;
	bool detach, remove, tty, interactive, keep, no_subreaper, keep_keyring, no_pivot;
	const char *pid_file, *console_socket, *pidfd_socket, *detach_keys;
	uint64_t preserve_fds, moments;

	/* What changes the spec. */
	struct str_list env, env_file, volumes, tmpfs, devices, cap_add, cap_drop, ulimits, sysctl, security, labels, network, ports, dns;
	const char *memory, *cpus, *pids, *user, *cwd, *hostname, *entrypoint, *stop_signal, *stop_timeout;
	const char *hypervisor;
	bool read_only, vm, template, no_template, init;
	const char *restart;

	/* Of its log and its health check; one key each. */
	const char *log_driver, *health_cmd, *health_interval, *health_timeout, *health_start_period, *health_start_interval;
	uint64_t health_retries;	/* UINT64_MAX: not given */
	struct str_list log_options;
	bool no_health;
};

void run_options_done(struct run_options *o);

/*
 * run_overrides() - the short form of the flags, and of the words behind the spec, which replace its args
 * @ret_v: new reference
 */
int run_overrides(const struct run_options *o, char **args, size_t arg_count, json_t **ret_v);

/* run_service_overrides() - the keys "log" and "health" of the flags, put into @v. Return: 0 or a recorded failure. */
int run_service_overrides(const struct run_options *o, json_t *v);

/* What `run` was told to run. */
struct run_target {
	struct bundle *bundle;	/* the caller's, filled */
	const char *id;		/* NULL: not said */
	bool literal;		/* runc's way: the standard streams are the caller's own */
	bool stdin_taken;	/* by the spec */
};

/* run_target_load() - find out which spec is meant, and load it. Return: 0 or a recorded failure. */
int run_target_load(const struct run_options *o, const struct operands *operands, struct run_target *ret);
