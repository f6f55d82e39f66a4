/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identity and privileges of the payload. The order among these functions is child.c's; each does one
 * thing and checks that it happened, since a credential that was silently not changed is an escape.
 */
#include "runtime/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/spec.h"

static int oom_score_set(pid_t pid, int64_t score)
{
	char path[64], text[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	(void)snprintf(text, sizeof(text), "%lld", (long long)score);
	r = fd_write_file(AT_FDCWD, path, text);
	if (r < 0)
		return fail_in(r, "process.oomScoreAdj: lowering it needs CAP_SYS_RESOURCE on the host");
	return 0;
}

static rlim_t rlim_from(uint64_t value)
{
	return value == UINT64_MAX ? RLIM_INFINITY : (rlim_t)value;
}

int limits_raise(pid_t pid, const struct spec_process *process)
{
	if (process->oom_score_adj != SPEC_UNSET) {
		int r = oom_score_set(pid, process->oom_score_adj);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct spec_rlimit *want = &process->rlimits[i];
		struct rlimit now;

		if (prlimit(pid, (__rlimit_resource_t)want->resource, NULL, &now) < 0)
			return fail(errno, "process.rlimits[%zu]: read the limit", i);
		if (rlim_from(want->hard) <= now.rlim_max)
			continue;
		now.rlim_max = rlim_from(want->hard);
		if (prlimit(pid, (__rlimit_resource_t)want->resource, &now, NULL) < 0)
			return fail(errno, "process.rlimits[%zu]: raise the hard limit to %llu (needs "
				    "CAP_SYS_RESOURCE on the host)", i, (unsigned long long)want->hard);
	}
	return 0;
}

int limits_set(const struct spec_process *process)
{
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct spec_rlimit *want = &process->rlimits[i];
		struct rlimit limit = { .rlim_cur = rlim_from(want->soft), .rlim_max = rlim_from(want->hard) };

		if (setrlimit((__rlimit_resource_t)want->resource, &limit) < 0)
			return fail(errno, "process.rlimits[%zu]: set %llu:%llu", i,
				    (unsigned long long)want->soft, (unsigned long long)want->hard);
	}
	return 0;
}

static bool holds(cap_value_t capability)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (caps) {
		(void)cap_get_flag(caps, capability, CAP_EFFECTIVE, &value);
		(void)cap_free(caps);
	}
	return value == CAP_SET;
}

/*
 * A user namespace whose gid map was written without privilege denies setgroups(2) for good, which is the one
 * reason for EPERM to somebody who holds CAP_SETGID. Who wants no groups there keeps those he has: all unmapped.
 */
static int groups_set(const uint32_t *gids, size_t count)
{
	if (setgroups(count, gids) == 0)
		return 0;
	if (errno == EPERM && count == 0 && holds(CAP_SETGID))
		return 0;
	return fail(errno, "process.user.additionalGids: set %zu supplementary groups", count);
}

int root_become(bool keep_groups)
{
	if (setresgid(0, 0, 0) < 0)
		return fail(errno, "become group 0 of the user namespace (is it mapped?)");
	if (setresuid(0, 0, 0) < 0)
		return fail(errno, "become user 0 of the user namespace (is it mapped?)");
	return keep_groups ? 0 : groups_set(NULL, 0);
}

/* The change of user emptied the effective set: what follows, up to caps_drop(), is still our own work. */
static int caps_raise(void)
{
	cap_t caps = cap_get_proc();
	int r = 0;

	if (!caps)
		return fail(errno, "process.user: look at our capabilities");
	for (cap_value_t cap = 0; cap < 64; cap++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (cap_get_flag(caps, cap, CAP_PERMITTED, &value) < 0)
			break;
		(void)cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, value);
	}
	if (cap_set_proc(caps) < 0)
		r = fail(errno, "process.user: keep capabilities over the change of user");
	(void)cap_free(caps);
	return r;
}

int user_become(const struct spec_process *process)
{
	const struct spec_user *user = &process->user;
	int r;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(errno, "keep capabilities over the change of user");
	r = user->keep_groups ? 0 : groups_set(user->additional_gids, user->additional_gid_count);
	if (r < 0)
		return r;
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return fail(errno, "process.user.gid: become group %u (is it mapped?)", user->gid);
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return fail(errno, "process.user.uid: become user %u (is it mapped?)", user->uid);
	(void)umask(user->umask == SPEC_UNSET ? 0022 : (mode_t)user->umask);
	return user->uid == 0 ? 0 : caps_raise();
}

int caps_bound(const struct spec_process *process)
{
	uint64_t keep = process->capabilities.bounding;

	for (int cap = 0; cap < 64; cap++) {
		int e;

		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* Above the last capability that this kernel knows; all kernels that we run on know ours. */
		if (errno == EINVAL && cap > CAP_LAST_CAP)
			break;
		/* Lacking CAP_SETPCAP is no harm where the bit is not set anyway. */
		e = errno;
		if (e == EPERM && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue;
		return fail(e, "process.capabilities.bounding: drop capability %d", cap);
	}
	return 0;
}

static void caps_fill(cap_t caps, cap_flag_t flag, uint64_t mask)
{
	for (cap_value_t cap = 0; cap < 64; cap++)
		if (mask >> cap & 1)
			(void)cap_set_flag(caps, flag, 1, &cap, CAP_SET);
}

/*
 * The kernel raises only what is permitted and inheritable too. The default configs of the other runtimes ask for
 * more than that, and get less: fewer privileges than asked are no weaker wall, so we do the same.
 */
static int ambient_set(const struct spec_capabilities *want, uint64_t held)
{
	uint64_t mask = want->ambient & want->inheritable & want->permitted & held;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail(errno, "process.capabilities.ambient: clear");
	for (int cap = 0; cap < 64; cap++) {
		if ((mask >> cap & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return fail(errno, "process.capabilities.ambient: raise capability %d", cap);
	}
	return 0;
}

/* What we hold ourselves: nobody can give more than that. */
static int caps_held(uint64_t *ret_mask)
{
	cap_t caps = cap_get_proc();
	uint64_t mask = 0;

	if (!caps)
		return fail(errno, "process.capabilities: look at our own");
	for (cap_value_t cap = 0; cap < 64; cap++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (cap_get_flag(caps, cap, CAP_PERMITTED, &value) < 0)
			break;
		mask |= (uint64_t)(value == CAP_SET) << cap;
	}
	(void)cap_free(caps);
	*ret_mask = mask;
	return 0;
}

int caps_drop(const struct spec_process *process)
{
	const struct spec_capabilities *want = &process->capabilities;
	cap_t caps;
	uint64_t held = 0;
	int r = caps_held(&held);

	if (r < 0)
		return r;
	caps = cap_init();
	if (!caps)
		return fail(errno, "process.capabilities: cap_init");
	caps_fill(caps, CAP_EFFECTIVE, want->effective & want->permitted & held);
	caps_fill(caps, CAP_PERMITTED, want->permitted & held);
	caps_fill(caps, CAP_INHERITABLE, want->inheritable & held);
	if (cap_set_proc(caps) < 0)
		r = fail(errno, "process.capabilities: set the sets");
	(void)cap_free(caps);
	if (r < 0)
		return r;
	return ambient_set(want, held);
}

int no_new_privs_set(const struct spec_process *process)
{
	if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(errno, "process.noNewPrivileges: set");
	return 0;
}

int keyring_join(void)
{
	long key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);

	if (key >= 0)
		return 0;
	if (errno == ENOSYS)
		return 0;	/* a kernel without keys has none to leak */
	if (errno == EDQUOT)
		return fail(errno, "new session keyring: the user's quota is used up; raise kernel.keys.maxkeys");
	return fail(errno, "new session keyring");
}
