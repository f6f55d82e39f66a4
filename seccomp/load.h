/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * load - from a profile to a filter in the kernel
 *
 * Compiling costs milliseconds and libseccomp's memory, loading microseconds. So a filter is compiled
 * once per content and kept in a cache; a warm start reads it and compiles nothing.
 */

#include <stdbool.h>
#include <stddef.h>

struct seccomp_profile;

struct seccomp_filter {
	void *code;		/* struct sock_filter[], malloc'ed */
	size_t size;		/* bytes, a multiple of 8 */
	unsigned int flags;	/* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool notify;		/* some rule is SCMP_ACT_NOTIFY: loading gives a listener fd */
};

/*
 * seccomp_filter_prepare() - the filter for a profile, from the cache or compiled and put there
 * @cache: directory fd that only we can write (0700, our uid), or -1: compile always
 * @ret_filter: seccomp_filter_done() it
 *
 * A cache entry is believed only when owner, mode, key text, library version and ABI all match
 * (DECISIONS: a poisoned cache is an escape); else it is made anew.
 * A name that this kernel's and library's tables do not know is ignored where its action equals the
 * default, and where not is logged as a warning (debug) as the other runtimes do.
 * Return: 0 or a recorded failure.
 */
int seccomp_filter_prepare(const struct seccomp_profile *profile, int cache, struct seccomp_filter *ret_filter);

/*
 * seccomp_filter_load() - put it on the calling thread
 *
 * The caller has no_new_privs or CAP_SYS_ADMIN. Async-signal-safe, allocates nothing.
 * Return: 0 (or the listener's fd when `notify`), or a recorded failure.
 */
int seccomp_filter_load(const struct seccomp_filter *filter);

void seccomp_filter_done(struct seccomp_filter *filter);
