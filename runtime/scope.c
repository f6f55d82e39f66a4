/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's place in a scope of systemd's, held by a process that does nothing until the container's own is
 * born there. See scope.h for why.
 */
#include "runtime/scope.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/spec.h"
#include "runtime/state.h"

#define SUBGROUP "run.oci.systemd.subgroup"

int scope_choose(struct scope *scope, const struct spec *spec, const char *id)
{
	const char *below = spec_annotation(spec, SUBGROUP);

	if (below && (strchr(below, '/') || str_eq(below, ".") || str_eq(below, "..") || str_starts(below, "cgroup.")))
		return fail_plain(EINVAL, "annotation '" SUBGROUP "': '%s' cannot be the name of a cgroup", below);
	return systemd_scope_name(spec->linux_.cgroups_path, id, &scope->name);
}

/* No signal of a terminal's may end it early, and it holds nothing that another process waits for. */
static _Noreturn void placeholder_run(pid_t parent)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)close_range(0, ~0U, 0);
	while (getppid() == parent)
		(void)pause();
	_exit(0);
}

static int placeholder_make(struct scope *scope)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return fail(errno, "make a process for the systemd scope");
	if (pid == 0)
		placeholder_run(parent);
	scope->placeholder = pid;
	return 0;
}

int scope_start(struct scope *scope, const struct spec *spec, struct cgroup *cg, struct state *state)
{
	const struct cgroup_limits *limits = &spec->linux_.resources;
	const char *below = spec_annotation(spec, SUBGROUP);
	int r = placeholder_make(scope);

	if (r == 0)
		r = systemd_scope_start(&scope->name, state->id, scope->placeholder, limits, &spec->annotations,
					&cg->path);
	if (r < 0)
		return r;
	scope->started = true;
	if (below && *below)
		r = systemd_scope_enter(&cg->path, below, scope->placeholder);
	if (r == 0)
		r = cgroup_open(cg);
	if (r == CGROUP_NOT_FOUND)
		r = fail_plain(ENOENT, "systemd made the cgroup '%s', but it is not to be seen here", cg->path);
	if (r < 0)
		return r;
	cg->made = state->cgroup_made = true;
	r = str_copy(&state->cgroup_path, cg->path);
	if (r == 0)
		r = str_copy(&state->cgroup_unit, scope->name.unit);
	return r < 0 ? r : cgroup_controllers_add(cg, limits);
}

int scope_attach(const char *unit, const char *path, pid_t pid)
{
	cleanup_free char *name = NULL;
	const char *at;
	int r = str_format(&name, "/%s", unit);

	if (r < 0)
		return r;
	at = strstr(path, name);
	if (!at || (at[strlen(name)] && at[strlen(name)] != '/'))
		return fail_plain(EINVAL, "cgroup '%s' is not of the scope '%s'", path, unit);
	return systemd_scope_attach(unit, at + strlen(name), pid);
}

void scope_release(struct scope *scope)
{
	if (scope->placeholder <= 0)
		return;
	(void)kill(scope->placeholder, SIGKILL);
	(void)proc_reap(scope->placeholder);
	scope->placeholder = 0;
}

void scope_done(struct scope *scope)
{
	scope_release(scope);
	systemd_scope_done(&scope->name);
}

void scope_stop(const char *unit)
{
	if (unit && systemd_scope_stop(unit) < 0)
		log_warn("stop '%s': %s, ignoring", unit, fail_text());
}
