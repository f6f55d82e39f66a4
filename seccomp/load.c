/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load - a profile's filter, from the cache or made, and into the kernel
 *
 * All that a filter depends on goes into its key: the profile's text, the numbers (libseccomp's
 * version and our revision) and the machine's native ABI. Loading is one seccomp(2) of our own,
 * because Debian's libseccomp does not know all its flags.
 */
#include "seccomp/load.h"

#include <errno.h>
#include <sys/syscall.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "seccomp/internal.h"
#include "seccomp/profile.h"

static int filter_make(const struct seccomp_profile *profile, struct seccomp_filter *ret_filter)
{
	__attribute__((cleanup(seccomp_profile_free_p))) struct seccomp_profile *whole = NULL;
	int r = profile->builtin ? seccomp_profile_builtin(&whole) : 0;

	return r < 0 ? r : seccomp_compile(whole ? whole : profile, ret_filter);
}

int seccomp_filter_prepare(const struct seccomp_profile *profile, int cache,
			   struct seccomp_filter *ret_filter)
{
	const struct scmp_version *version = seccomp_version();
	cleanup_free char *key = NULL;
	int r;

	if (cache < 0)
		return filter_make(profile, ret_filter);
	r = str_format(&key, "revision %d, libseccomp %u.%u.%u, native %#x, %s", SECCOMP_REVISION,
		       version ? version->major : 0, version ? version->minor : 0,
		       version ? version->micro : 0, seccomp_arch_native(), profile->text);
	if (r < 0)
		return r;
	if (seccomp_cache_read(cache, key, ret_filter) > 0)
		return 0;
	r = filter_make(profile, ret_filter);
	if (r < 0)
		return r;
	/*
	 * a filter that cannot be kept (a full disk, say) costs the next start some time, and no
	 * more
	 */
	r = seccomp_cache_write(cache, key, ret_filter);
	if (r < 0)
		log_debug("seccomp: keep the filter: %s, ignoring", fail_text());
	return 0;
}

int seccomp_filter_load(const struct seccomp_filter *filter)
{
	struct sock_fprog program = {
		.len = (unsigned short)(filter->size / sizeof(struct sock_filter)),
		.filter = filter->code,
	};
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program);

	if (r >= 0 && (filter->notify || r == 0))
		return (int)r;
	if (r > 0) /* TSYNC alone answers with a thread that has filters of its own */
		return fail_plain(ESRCH, "load the seccomp filter: thread %ld cannot be given it",
				  r);
	if (errno == EACCES)
		return fail(EACCES,
			    "load the seccomp filter (needs noNewPrivileges or CAP_SYS_ADMIN)");
	if (errno == EINVAL && filter->flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		return fail(
			EINVAL,
			"load the seccomp filter (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19)");
	if (errno == EBUSY && filter->notify)
		return fail(EBUSY,
			    "load the seccomp filter (there is one with a listener already)");
	return fail(errno, "load the seccomp filter");
}

void seccomp_filter_done(struct seccomp_filter *filter)
{
	free(filter->code);
	*filter = (struct seccomp_filter){ .code = NULL };
}
