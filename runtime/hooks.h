/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * hooks - programs that the spec wants run at points of the container's life
 *
 * Each gets OCI's container state as JSON on its standard input. Source: config.md, POSIX-platform Hooks.
 */

#include "runtime/spec.h"

/*
 * hooks_run() - run the hooks of one kind, one after another
 * @state: JSON text of the container's state
 * @output: of hooks_output_open(), for hooks that run where the host's files are out of reach; NULL: opened here
 * @stop_at_failure: false for poststart and poststop: a failure is a warning there, and the rest still run
 *
 * Runs in the caller's namespaces. A hook that outlives its timeout is killed and has failed.
 * Return: 0 or a recorded failure: "hooks.prestart[1]: '/bin/x' exited with status 3".
 */
int hooks_run(const struct spec *spec, enum spec_hook_kind which, const char *state, bool stop_at_failure,
	      const int *output);

/*
 * hooks_output_open() - the files that annotations name for the output of hooks (run.oci.hooks.stdout and .stderr)
 * @ret_output: two fds, the caller's; -1: our own. Closed and opened anew when they are set.
 *
 * Return: 0 or a recorded failure.
 */
int hooks_output_open(const struct spec *spec, int ret_output[2]);
