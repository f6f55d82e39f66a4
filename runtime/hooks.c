/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hook is a child of ours with our own stdout and stderr, awaited by pidfd so that its timeout needs no
 * signal handler. Its standard input is a memory file rather than a pipe: a hook that does not read
 * cannot block us then. A failed execve comes back on a close-on-exec pipe, so that a missing program is
 * told from one that exited with 127.
 */
#include "runtime/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/launch.h"
#include "runtime/lsm.h"
#include "seccomp/load.h"

struct hook_run {
	pid_t pid;
	int pidfd, report;
};

/* What all hooks of one kind have in common. */
struct hook_kind {
	const char *state;
	const struct hooks_inside *inside; /* NULL: their programs are the host's */
	int output[2];	/* -1: our own */
};

static bool output_take(const int output[2])
{
	for (int i = 0; i < 2; i++)
		if (output[i] >= 0 && dup2(output[i], i + 1) < 0)
			return false;
	return true;
}

/*
 * What comes from the container's own files is no more to be trusted than the payload: it must not find us in
 * /proc/self/exe (runtime/launch.h), and has the payload's label and filter.
 */
static void hook_exec_inside(const struct spec_hook *hook, int launcher, char *const *args, char *const *env,
			     const struct hooks_inside *inside)
{
	const struct lsm_label *label = inside->label;

	if (launcher < 0 || access(hook->path, X_OK) < 0)
		return;
	if (label && label->proc >= 0 && fcntl(label->proc, F_SETFD, 0) < 0)
		return;
	if (inside->filter && seccomp_filter_load(inside->filter) < 0)
		return;
	(void)launch_exec(launcher, label, hook->path, args, env);
}

static _Noreturn void hook_exec(const struct spec_hook *hook, const struct hook_kind *kind, int input, int report)
{
	static char *const no_env[] = { NULL };
	char *fallback[] = { hook->path, NULL };
	char **args = hook->args.count ? hook->args.items : fallback;
	char *const *env = hook->env.count ? hook->env.items : no_env;
	int launcher = kind->inside ? launch_prepare(false) : -1, e;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	errno = EIO;
	if (dup2(input, 0) == 0 && output_take(kind->output) && fd_close_on_exec_from(3) == 0) {
		if (kind->inside)
			hook_exec_inside(hook, launcher, args, env, kind->inside);
		else
			(void)execve(hook->path, args, env);
	}
	e = errno;
	(void)!write(report, &e, sizeof(e));
	_exit(STATUS_NOT_FOUND);
}

static int state_file(const char *state)
{
	cleanup_fd int fd = memfd_create("state", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return fail(errno, "make a memory file for the state");
	r = fd_write_all(fd, state, strlen(state));
	if (r < 0)
		return fail(-r, "write the state");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "rewind the state");
	return steal_fd(&fd);
}

static int hook_start(const struct spec_hook *hook, const struct hook_kind *kind, struct hook_run *ret)
{
	cleanup_fd int input = state_file(kind->state), report_read = -1, report_write = -1;
	int ends[2];
	pid_t pid;

	if (input < 0)
		return input;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	report_read = ends[0];
	report_write = ends[1];
	pid = fork();
	if (pid < 0)
		return fail(errno, "fork");
	if (pid == 0)
		hook_exec(hook, kind, input, report_write);
	*ret = (struct hook_run){
		.pid = pid, .pidfd = pidfd_open(pid, 0), .report = steal_fd(&report_read)
	};
	return 0;
}

/* Wait for it; after @timeout_s it is killed. Return: exit status, or a recorded failure. */
static int hook_wait(struct hook_run *run, const struct spec_hook *hook)
{
	int timeout_ms = -1, e = 0, status, r;

	if (hook->timeout_s != SPEC_UNSET)
		timeout_ms = hook->timeout_s > INT32_MAX / 1000 ? -1 : (int)hook->timeout_s * 1000;
	r = proc_wait_exit(run->pidfd, timeout_ms);
	if (r != 0)
		(void)kill(run->pid, SIGKILL);
	status = proc_reap(run->pid);
	if (r == PROC_TIMEOUT)
		return fail_plain(ETIMEDOUT, "'%s' was killed after its timeout of %lld s", hook->path,
				  (long long)hook->timeout_s);
	if (r < 0)
		return r;
	if (read(run->report, &e, sizeof(e)) == sizeof(e))
		return fail(e, "'%s'", hook->path);
	return status;
}

static int hook_run(const struct spec_hook *hook, const struct hook_kind *kind)
{
	struct hook_run run = { .pid = -1, .pidfd = -1, .report = -1 };
	int r = hook_start(hook, kind, &run);

	if (r < 0)
		return r;
	r = hook_wait(&run, hook);
	(void)close(run.report);
	if (run.pidfd >= 0)
		(void)close(run.pidfd);
	if (r > 0)
		return fail_plain(EIO, "'%s' exited with status %d", hook->path, r);
	return r;
}

static void output_close(int output[2])
{
	for (int i = 0; i < 2; i++) {
		if (output[i] >= 0)
			(void)close(output[i]);
		output[i] = -1;
	}
}

int hooks_output_open(const struct spec *spec, int ret_output[2])
{
	static const char *const keys[] = { "run.oci.hooks.stdout", "run.oci.hooks.stderr" };

	output_close(ret_output);
	for (int i = 0; i < 2; i++) {
		const char *path = spec_annotation(spec, keys[i]);

		if (!path)
			continue;
		ret_output[i] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (ret_output[i] < 0) {
			int e = errno;

			output_close(ret_output);
			return fail(e, "annotations[\"%s\"]: open '%s'", keys[i], path);
		}
	}
	return 0;
}

static int hooks_each(const struct spec *spec, enum spec_hook_kind which, const struct hook_kind *kind,
		      bool stop_at_failure)
{
	const struct spec_hooks *hooks = &spec->hooks[which];

	for (size_t i = 0; i < hooks->count; i++) {
		int r;

		log_debug("run hooks.%s[%zu] '%s'", spec_hook_name(which), i, hooks->items[i].path);
		r = hook_run(&hooks->items[i], kind);
		if (r >= 0)
			continue;
		r = fail_in(r, "hooks.%s[%zu]", spec_hook_name(which), i);
		if (stop_at_failure)
			return r;
		log_warn("%s, ignoring", fail_text());
	}
	return 0;
}

int hooks_run(const struct spec *spec, enum spec_hook_kind which, const char *state, bool stop_at_failure)
{
	struct hook_kind kind = { .state = state, .output = { -1, -1 } };
	int r;

	if (!spec->hooks[which].count)
		return 0;
	r = hooks_output_open(spec, kind.output);
	if (r == 0)
		r = hooks_each(spec, which, &kind, stop_at_failure);
	output_close(kind.output);
	return r;
}

int hooks_run_inside(const struct spec *spec, const char *state, const struct hooks_inside *inside)
{
	const struct hook_kind kind = {
		.state = state, .inside = inside, .output = { inside->output[0], inside->output[1] },
	};

	return hooks_each(spec, HOOK_START_CONTAINER, &kind, true);
}
