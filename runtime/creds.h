/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * creds - what the payload may do: ids, groups, capabilities, limits, keyring, name spaces' host names
 *
 * All but limits_raise() run in the child. They are shared by `create`/`run` and `exec`.
 */

#include <stdbool.h>
#include <sys/types.h>

struct spec_process;

/*
 * limits_raise() - in the parent: lift the hard limits that only the host's privileges can lift, and set oom_score_adj
 * @pid: of the child, which waits meanwhile
 *
 * The child cannot do it: CAP_SYS_RESOURCE counts in the initial user namespace only.
 * Return: 0 or a recorded failure that names the limit.
 */
int limits_raise(pid_t pid, const struct spec_process *process);

/* limits_set() - in the child, last thing as root: the limits as asked (they may be too low for our own work). */
int limits_set(const struct spec_process *process);

/*
 * user_become() - groups, gid, uid, umask; all capabilities that are permitted stay so, and in effect, for caps_drop()
 *
 * *Needs* CAP_SETUID and CAP_SETGID in the container's user namespace. Return: 0 or a recorded failure.
 */
int user_become(const struct spec_process *process);

/* root_become() - uid and gid 0 of a new user namespace, as soon as it has its maps. @keep_groups: the supplementary groups stay. */
int root_become(bool keep_groups);

/*
 * caps_drop() - the five sets, as asked
 *
 * What we do not hold ourselves cannot be given, and is left out, as the OCI text wants it: the payload has fewer
 * privileges than asked, never more. Without process.capabilities all sets are emptied.
 * *After* user_become(). Return: 0 or a recorded failure.
 */
int caps_drop(const struct spec_process *process);

/* caps_bound() - drop from the bounding set what is not asked for; *needs* CAP_SETPCAP, so before user_become(). */
int caps_bound(const struct spec_process *process);

/* no_new_privs_set() - when the process asks for it. */
int no_new_privs_set(const struct spec_process *process);

/*
 * keyring_join() - a new session keyring: keyrings are not namespaced
 *
 * Without a name: by one the kernel would give us whichever keyring already has it, and another container of the same
 * user may have made that beforehand.
 */
int keyring_join(void);
