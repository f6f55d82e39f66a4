/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * cleanup - variables that release what they hold when they leave their scope
 *
 * A variable marked so is initialised where it is declared (NULL, or -1 for an fd). What is handed
 * to somebody else is taken out with steal_ptr() or steal_fd(), and is then not released here.
 * Releasing keeps errno, so that `return fail(errno, …)` may stand in front of it.
 */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_p(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_fd_p(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd);
		errno = saved;
	}
}

static inline void cleanup_dir_p(DIR *const *dir)
{
	if (*dir) {
		int saved = errno;

		(void)closedir(*dir);
		errno = saved;
	}
}

#define cleanup_dir  __attribute__((cleanup(cleanup_dir_p)))
#define cleanup_free __attribute__((cleanup(cleanup_free_p)))
#define cleanup_fd   __attribute__((cleanup(cleanup_fd_p)))

/*
 * CLEANUP_DEFINE() - make a cleanup function for a type whose release takes a pointer
 * @type: pointer type, as in `struct spec *`
 * @release: function of one argument of that type; NULL is never passed
 *
 * Defines `release_p`, to be used as __attribute__((cleanup(release_p))).
 */
#define CLEANUP_DEFINE(type, release)                                                              \
	static inline void release##_p(type *p)                                                    \
	{                                                                                          \
		if (*p) {                                                                          \
			int saved = errno;                                                         \
                                                                                                   \
			(void)release(*p);                                                         \
			errno = saved;                                                             \
		}                                                                                  \
	}

#define steal_ptr(p)                                                                               \
	({                                                                                         \
		__typeof__(p) steal_p_ = (p);                                                      \
		__typeof__(*steal_p_) steal_v_ = *steal_p_;                                        \
		*steal_p_ = NULL;                                                                  \
		steal_v_;                                                                          \
	})

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
