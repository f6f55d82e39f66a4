/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/landlock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"

int landlock_open(int *ret_rules)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_RIGHTS_ALL };
	int rules;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
		return LANDLOCK_NONE;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (rules < 0)
		return fail(errno, "Landlock");
	*ret_rules = rules;
	return 0;
}

int landlock_allow(int rules, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return fail(errno, "Landlock rule");
	return 0;
}

int landlock_restrict(int rules)
{
	return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? fail(errno, "Landlock") : 0;
}
