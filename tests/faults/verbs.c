/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judgement, whatever went wrong: the payload says what it says in a faultless run, or did not run; the command
 * ends, in time, by itself (unless it was what we killed) with success or one of our exit statuses and a message that
 * tells the errno; and after `delete --force`, which succeeds, nothing is left.
 */
#include "tests/faults/verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONFINED = 42, OURS = 125, NOT_INVOKABLE = 126, NOT_FOUND = 127, TIMEOUT_MS = 15000, REPORT_MS = 5000 };

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL, NULL })

static const char runs[] = "\"/bin/confined\"", waits[] = "\"/bin/confined\", \"wait\"";
static const char *const removal[] = { "delete", "--force", "ID", NULL };

#define LIVING	ARGS("create", "-b", "BUNDLE", "ID", NULL, "start", "ID")
#define VERB(name_, spec_, args_, ...) { .name = (name_), .spec = (spec_), .args = (args_), .traced = ARGS(__VA_ARGS__)

const struct verb verbs[] = {
	VERB("run", "plain", runs, "run", "-b", "BUNDLE", "ID"), .success = CONFINED, .reports = true },
	VERB("run-userns", "userns", runs, "run", "-b", "BUNDLE", "ID"), .success = CONFINED, .reports = true },
	VERB("run-overlay", "overlay", runs, "run", "-b", "BUNDLE", "ID"), .success = CONFINED, .reports = true },
	VERB("run-limits", "limits", runs, "run", "-b", "BUNDLE", "ID"), .success = CONFINED, .reports = true,
	  .controllers = "cpu memory pids" },
	VERB("create", "plain", runs, "create", "-b", "BUNDLE", "ID"), .after = ARGS("start", "ID"), .reports = true },
	VERB("start", "plain", runs, "start", "ID"), .before = ARGS("create", "-b", "BUNDLE", "ID"), .reports = true },
	VERB("exec", "plain", waits, "exec", "ID", "/bin/confined"), .before = LIVING, .success = CONFINED,
	  .reports = true, .stays = true },
	VERB("exec-userns", "userns", waits, "exec", "ID", "/bin/confined"), .before = LIVING, .success = CONFINED,
	  .reports = true, .stays = true },
	VERB("run-detached", "plain", runs, "run", "-d", "-b", "BUNDLE", "ID"), .reports = true, .all = true },
	VERB("run-detached-rm", "plain", runs, "run", "-d", "--rm", "-b", "BUNDLE", "ID"), .reports = true, .all = true },
	VERB("kill", "plain", waits, "kill", "ID", "KILL"), .before = LIVING },
	VERB("delete", "plain", waits, "delete", "--force", "ID"), .before = LIVING },
	{ .name = NULL },
};

__attribute__((format(printf, 2, 3))) static void wrong(struct verdict *v, const char *fmt, ...)
{
	size_t n = strlen(v->text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(v->text + n, sizeof(v->text) - n, fmt, args);
	va_end(args);
	n = strlen(v->text);
	(void)snprintf(v->text + n, sizeof(v->text) - n, "; ");
	v->outcome = FAILED;
}

static void report_path(const struct world *w, char path[PATH_SIZE + 8])
{
	(void)snprintf(path, PATH_SIZE + 8, "%s/out", w->report);
}

/* Its text when the payload ran; where it surely will, wait for that. */
static char *report_take(const struct world *w, bool due)
{
	char path[PATH_SIZE + 8], *text = NULL;

	report_path(w, path);
	for (int ms = 0; ms < (due ? REPORT_MS : 1); ms++) {
		text = world_text(path);
		if (text && *text)
			break;
		free(text);
		text = NULL;
		if (due)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	(void)unlink(path);
	return text;
}

/* All commands of a list, in turn. */
static int commands_run(const struct world *w, const char *const *list)
{
	while (list && *list) {
		int status = world_run(w, list);

		if (status != 0)
			return status;
		while (*list)
			list++;
		list++;
	}
	return 0;
}

/* The one child that is to stay: init of the container that all points share. */
static pid_t init_of(const struct world *w)
{
	char path[PATH_SIZE + 16], *text;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", w->cgroup);
	text = world_text(path);
	pid = text ? atoi(text) : 0;
	free(text);
	return pid;
}

static int prepare(struct world *w, const struct verb *v, struct verdict *verdict)
{
	char path[PATH_SIZE + 8];
	int status;

	report_path(w, path);
	(void)unlink(path);
	if (w->keeps)
		return 0;
	status = commands_run(w, v->before);
	if (status != 0) {
		char *said = world_text(w->output);

		wrong(verdict, "what must be there could not be made: status %d, %s", status, said ? said : "");
		free(said);
		return -1;
	}
	if (v->stays)
		w->keeps = init_of(w);
	return 0;
}

/* The errno's text, or what says the same in a sentence of its own. */
static bool tells(const char *said, int error)
{
	static const struct {
		int error;
		const char *text;
	} also[] = {
		{ ENOENT, "not found" }, { EPERM, "not permitted" }, { EPERM, "refused" },
		/* our right was tried first, then somebody else's who has less */
		{ EPERM, "Permission denied" }, { EROFS, "read-only" },
		/* the other side is gone */
		{ ECONNRESET, "was killed" }, { ECONNRESET, " ended before it said" }, { ECONNRESET, "Broken pipe" },
		{ ENOTTY, "is not a namespace" },
	};
	char number[32];

	(void)snprintf(number, sizeof(number), "errno %d", error);
	if (strcasestr(said, strerrordesc_np(error)) || strstr(said, number))
		return true;
	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		if (also[i].error == error && strcasestr(said, also[i].text))
			return true;
	return false;
}

static void judge_end(const struct verb *v, const struct point *p, const struct trace_result *t, struct verdict *verdict)
{
	int status = t->status;

	if (t->hung) {
		wrong(verdict, "it hung");
		return;
	}
	if (WIFSIGNALED(status)) {
		verdict->status = 128 + WTERMSIG(status);
		if (p->error != TRACE_KILL || p->process != 1 || WTERMSIG(status) != SIGKILL)
			wrong(verdict, "it died of signal %d", WTERMSIG(status));
		return;
	}
	verdict->status = WEXITSTATUS(status);
	if (verdict->status == v->success)
		return;
	/* A payload, or its last moment before, that was killed is told as docker does. */
	if (p->error == TRACE_KILL && p->process > 1 && verdict->status == 128 + SIGKILL)
		return;
	if (verdict->status != OURS && verdict->status != NOT_INVOKABLE && verdict->status != NOT_FOUND)
		wrong(verdict, "exit status %d", verdict->status);
	if (!verdict->said[0])
		wrong(verdict, "it failed and said nothing");
	else if (p->error > 0 && !tells(verdict->said, p->error))
		wrong(verdict, "the message does not tell the errno: %.400s", verdict->said);
}

/* What is done differently, by design and with a warning, where a user namespace is refused a file system. */
static const char refused_sysfs[] = "a sysfs is refused to this user namespace, binding the host's";

/* The first line in which two reports differ. */
static void judge_report(const char *baseline, const char *report, struct verdict *verdict)
{
	const char *a = baseline, *b = report;

	if (strstr(verdict->said, refused_sysfs))
		return;
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return;
	while (a > baseline && a[-1] != '\n') {
		a--;
		b--;
	}
	wrong(verdict, "THE PAYLOAD IS NOT CONFINED as asked: '%.*s' where '%.*s' was due", (int)strcspn(b, "\n"), b,
	      (int)strcspn(a, "\n"), a);
}

static void judge_after(struct world *w, const struct verb *v, const char *baseline, bool succeeded, const struct point *p,
			struct verdict *verdict)
{
	/* It went wrong in another process than the command's, and so perhaps behind its success. */
	bool other = p->process > 1, late = other && (p->error == TRACE_KILL || verdict->nr == SYS_execve);
	char *report;

	if (succeeded && v->after) {
		int status = commands_run(w, v->after);

		if (status == OURS && other) {
			succeeded = false;
		} else if (status != 0) {
			char *said = world_text(w->output);

			wrong(verdict, "it succeeded, but what follows did not: status %d, %.300s", status, said ? said : "");
			free(said);
			succeeded = false;
		}
	}
	/* In the last moment before the payload's execve it looks like a payload that ended at once. */
	report = report_take(w, succeeded && v->reports && !late);
	verdict->ran = report != NULL;
	if (succeeded && v->reports && !late && !report)
		wrong(verdict, "it succeeded, but the payload did not run");
	if (report && baseline)
		judge_report(baseline, report, verdict);
	free(report);
}

/* Whether a container that several points share is what it was. */
static void judge_kept(struct world *w, struct verdict *verdict)
{
	if (kill(w->keeps, 0) < 0 || waitpid(w->keeps, NULL, WNOHANG) != 0) {
		wrong(verdict, "the container died of it");
		world_clean(w);
	}
}

static void judge_left(struct world *w, struct verdict *verdict)
{
	char left[TEXT_SIZE];
	int status;

	if (!w->keeps) {
		status = world_run(w, removal);
		if (status != 0) {
			char *said = world_text(w->output);

			wrong(verdict, "delete --force%s: status %d, %.300s", status == HUNG ? " hung" : "", status, said ? said : "");
			free(said);
		}
	}
	if (world_left(w, left)) {
		wrong(verdict, "left: %.2000s", left);
		world_clean(w);
	} else if (w->keeps) {
		judge_kept(w, verdict);
	}
}

static void course(struct world *w, const struct verb *v, const char *baseline, const struct point *p,
		   struct trace_result *t, struct verdict *verdict)
{
	struct trace_plan plan = {
		.output = w->output, .process = p->process, .call = p->call, .error = p->error, .all = v->all,
		.timeout_ms = TIMEOUT_MS,
	};
	char *argv[ARGS_MAX];
	char *said;

	*verdict = (struct verdict){ .outcome = CLEAN, .nr = -1 };
	*t = (struct trace_result){ .calls = NULL };
	if (prepare(w, v, verdict) < 0)
		return;
	world_argv(w, v->traced, argv);
	if (trace_run(argv, &plan, t) < 0) {
		wrong(verdict, "cannot be traced: %s", strerrorname_np(errno));
		return;
	}
	verdict->nr = t->nr;
	said = world_text(w->output);
	(void)snprintf(verdict->said, sizeof(verdict->said), "%s", said ? said : "");
	free(said);
	judge_end(v, p, t, verdict);
	judge_after(w, v, baseline, !t->hung && WIFEXITED(t->status) && WEXITSTATUS(t->status) == v->success, p,
		    verdict);
	judge_left(w, verdict);
	if (p->process && !t->reached && verdict->outcome == CLEAN)
		verdict->outcome = NOT_REACHED;
}

int verb_baseline(struct world *w, const struct verb *v, char **ret_report)
{
	struct trace_plan plan = { .output = w->output, .process = 1, .call = -1, .timeout_ms = TIMEOUT_MS };
	struct verdict verdict = { .outcome = CLEAN };
	struct trace_result t;
	char *argv[ARGS_MAX];

	if (prepare(w, v, &verdict) == 0) {
		world_argv(w, v->traced, argv);
		if (trace_run(argv, &plan, &t) == 0) {
			char *said = world_text(w->output);

			if (t.hung || !WIFEXITED(t.status) || WEXITSTATUS(t.status) != v->success)
				wrong(&verdict, "status %x: %s", (unsigned int)t.status, said ? said : "");
			else if (commands_run(w, v->after) != 0)
				wrong(&verdict, "what follows it failed");
			free(said);
		}
		*ret_report = report_take(w, v->reports);
		if (v->reports && !*ret_report)
			wrong(&verdict, "no report of the payload");
		judge_left(w, &verdict);
	}
	if (verdict.outcome == CLEAN)
		return 0;
	(void)printf("# %s without a fault: %s\n", v->name, verdict.text);
	return -1;
}

int verb_count(struct world *w, const struct verb *v, struct trace_result *ret_result)
{
	struct verdict verdict;

	course(w, v, NULL, &(struct point){ .process = 0 }, ret_result, &verdict);
	if (verdict.outcome == CLEAN && ret_result->count)
		return 0;
	(void)printf("# %s traced, without a fault: %s\n", v->name, verdict.text);
	return -1;
}

void verb_try(struct world *w, const struct verb *v, const char *baseline, const struct point *p, struct verdict *ret)
{
	struct trace_result t;

	course(w, v, baseline, p, &t, ret);
	free(t.calls);
}

bool verb_end(struct world *w, const struct verb *v, char text[TEXT_SIZE])
{
	struct verdict verdict = { .outcome = CLEAN };

	(void)v;
	w->keeps = 0;
	judge_left(w, &verdict);
	memcpy(text, verdict.text, TEXT_SIZE);
	return verdict.outcome == CLEAN;
}
