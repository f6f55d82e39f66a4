/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * hooks - programs that the spec wants run at points of the container's life
 *
 * Each gets OCI's container state as JSON on its standard input. Source: config.md, POSIX-platform Hooks.
 */

#include "runtime/spec.h"

struct lsm_label;
struct seccomp_filter;

/*
 * hooks_run() - run the hooks of one kind, one after another
 * @state: JSON text of the container's state
 * @stop_at_failure: false for poststop: a failure is a warning there, and the rest still run
 *
 * Runs in the caller's namespaces. A hook that outlives its timeout is killed and has failed.
 * Return: 0 or a recorded failure: "hooks.prestart[1]: '/bin/x' exited with status 3".
 */
int hooks_run(const struct spec *spec, enum spec_hook_kind which, const char *state, bool stop_at_failure);

/*
 * hooks_output_open() - the files that annotations name for the output of hooks (run.oci.hooks.stdout and .stderr)
 * @ret_output: two fds, the caller's; -1: our own. Closed and opened anew when they are set.
 *
 * Return: 0 or a recorded failure.
 */
int hooks_output_open(const struct spec *spec, int ret_output[2]);

/* What the payload has, for hooks whose programs are the container's own files. */
struct hooks_inside {
	const int *output;			/* of hooks_output_open() */
	const struct lsm_label *label;
	const struct seccomp_filter *filter;	/* NULL: none, or it is loaded already */
};

/*
 * hooks_run_inside() - run the startContainer hooks
 *
 * When we ourselves have become what the payload will be: what an image brings is not run with more than that.
 * Return: 0 or a recorded failure.
 */
int hooks_run_inside(const struct spec *spec, const char *state, const struct hooks_inside *inside);
