/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject: let every system call of our processes go wrong once in every plausible way, and once be the moment in which
 * its process is killed; judge each time. Speaks TAP: a test is a command, its points are counted behind it.
 *
 *	inject [-j JOBS] [-t N:OF] [-v VERB]... [-r REPORT] [-p PROCESS:CALL:ERROR] NACELLE FOLDER TEMPLATES
 *
 * FOLDER holds `rootfs`, TEMPLATES the specs. -t takes each OFth point, beginning with the Nth. -p tries one point and
 * tells all about it; ERROR is a number, or -1 for being killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/errnos.h"
#include "tests/faults/verbs.h"

enum { VERBS_MAX = 16, JOBS_MAX = 16, LINE_SIZE = 2048, SHOWN_MAX = 30 };

struct options {
	const char *nacelle, *folder, *templates, *report;
	const char *verbs[VERBS_MAX];
	struct point one;
	int verb_count, jobs, nth, of;
};

struct points {
	struct point *items;
	size_t count;
};

/* What the parent counts. */
struct tally {
	size_t tried, clean, missed, failed;
};

static char *call_name(int nr)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

	return name ? name : strdup("?");
}

static int points_add(struct points *points, size_t *seen, const struct options *o, const struct point *p)
{
	struct point *items;

	if ((*seen)++ % (size_t)o->of != (size_t)o->nth % (size_t)o->of)
		return 0;
	items = reallocarray(points->items, points->count + 1, sizeof(*items));
	if (!items)
		return -1;
	points->items = items;
	points->items[points->count++] = *p;
	return 0;
}

/* All ways for all calls; the loader's failures are not ours to tell, so it is only killed. */
static int points_make(const struct options *o, const struct trace_result *counted, struct points *points)
{
	int calls[64] = { 0 };
	size_t seen = 0;

	for (size_t i = 0; i < counted->count; i++) {
		const struct trace_call *c = &counted->calls[i];
		struct point p = { .process = c->process, .error = TRACE_KILL };
		char *name = call_name(c->nr);
		const int *errnos = errnos_of(name);

		free(name);
		p.call = ++calls[c->process % 64];
		if (points_add(points, &seen, o, &p) < 0)
			return -1;
		for (int e = 0; !c->loader && e < ERRNOS_MAX && errnos[e]; e++) {
			p.error = errnos[e];
			if (points_add(points, &seen, o, &p) < 0)
				return -1;
		}
	}
	return 0;
}

static int world_for(const struct options *o, const struct verb *v, int number, struct world *w)
{
	char template[PATH_SIZE];

	if (world_new(w, o->nacelle, o->folder, number) < 0)
		return -1;
	(void)snprintf(template, sizeof(template), "%s/spec-%s.json", o->templates, v->spec);
	return world_spec(w, template, v->args);
}

static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\t')
			*text = ' ';
}

static const char *const outcomes[] = { [CLEAN] = "clean", [NOT_REACHED] = "not-reached", [FAILED] = "FAILED" };

/* One line of the report; short enough to be written whole into a pipe that all workers share. */
static void verdict_tell(FILE *out, const struct verb *v, const struct point *p, struct verdict *verdict)
{
	char *name = verdict->nr < 0 ? strdup("-") : call_name(verdict->nr);
	char line[LINE_SIZE];

	one_line(verdict->text);
	one_line(verdict->said);
	(void)snprintf(line, sizeof(line) - 1, "%s\t%s\t%d\t%d\t%s\t%s\t%d\t%s\t%.900s\t%.600s", outcomes[verdict->outcome], v->name,
		       p->process, p->call, name, p->error < 0 ? "SIGKILL" : strerrorname_np(p->error), verdict->status,
		       verdict->ran ? "ran" : "-", verdict->text, verdict->said);
	(void)fprintf(out, "%s\n", line);
	(void)fflush(out);
	free(name);
}

static int work(const struct options *o, const struct verb *v, const struct points *points, int number, int out)
{
	FILE *lines = fdopen(out, "w");
	struct verdict verdict;
	struct world w;
	char *baseline = NULL;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!lines || world_for(o, v, number + 1, &w) < 0 || verb_baseline(&w, v, &baseline) < 0)
		return 1;
	for (size_t i = (size_t)number; i < points->count; i += (size_t)o->jobs) {
		verb_try(&w, v, baseline, &points->items[i], &verdict);
		verdict_tell(lines, v, &points->items[i], &verdict);
	}
	if (!verb_end(&w, v, verdict.text)) {
		verdict.outcome = FAILED;
		verdict.nr = -1;
		verdict_tell(lines, v, &(struct point){ .process = 0 }, &verdict);
	}
	return 0;
}

static void progress(const struct verb *v, const struct tally *t, size_t total)
{
	if (isatty(STDERR_FILENO) && (t->tried % 10 == 0 || t->tried == total))
		(void)fprintf(stderr, "\r%-16s %5zu of %zu, %zu failed%s", v->name, t->tried, total, t->failed,
			      t->tried == total ? "\n" : "");
}

/* What the workers tell: counted, kept, the failures shown. */
static void listen_to(int in, const struct verb *v, FILE *report, size_t total, struct tally *t)
{
	FILE *lines = fdopen(in, "r");
	char *line = NULL;
	size_t size = 0;

	while (lines && getline(&line, &size, lines) > 0) {
		t->tried++;
		if (strncmp(line, "FAILED", 6) == 0) {
			if (t->failed++ < SHOWN_MAX)
				(void)printf("# %s", line);
		} else if (strncmp(line, "clean", 5) == 0) {
			t->clean++;
		} else {
			t->missed++;
		}
		if (report)
			(void)fputs(line, report);
		progress(v, t, total);
	}
	free(line);
	if (lines)
		(void)fclose(lines);
}

static int workers_run(const struct options *o, const struct verb *v, const struct points *points, FILE *report,
		       struct tally *t)
{
	int ends[2], bad = 0;
	pid_t pids[JOBS_MAX];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	(void)fflush(NULL);
	for (int i = 0; i < o->jobs; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			(void)close(ends[0]);
			i = work(o, v, points, i, ends[1]);
			(void)fflush(stdout);
			_exit(i);
		}
	}
	(void)close(ends[1]);
	listen_to(ends[0], v, report, points->count, t);
	for (int i = 0; i < o->jobs; i++) {
		int status = 1;

		if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status != 0)
			bad = -1;
	}
	return bad;
}

/* In a process of its own, so that what it reaps is its own. */
static int count_calls(const struct options *o, const struct verb *v, struct trace_result *ret_counted)
{
	struct world w;
	char text[TEXT_SIZE];
	char *baseline = NULL;

	if (world_for(o, v, 0, &w) < 0 || verb_baseline(&w, v, &baseline) < 0 || verb_count(&w, v, ret_counted) < 0)
		return -1;
	free(baseline);
	if (!verb_end(&w, v, text)) {
		(void)printf("# %s\n", text);
		return -1;
	}
	return 0;
}

static void folders_away(const struct options *o)
{
	char command[PATH_SIZE + 32];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'/w[0-9]*", o->folder);
	if (system(command) != 0)
		(void)printf("# '%s' is not empty\n", o->folder);
}

static bool verb_run(const struct options *o, const struct verb *v, FILE *report, int number)
{
	struct points points = { .items = NULL };
	struct trace_result counted = { .calls = NULL };
	struct tally t = { .tried = 0 };
	struct timespec start, end;
	bool held;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	held = count_calls(o, v, &counted) == 0 && points_make(o, &counted, &points) == 0 &&
	       workers_run(o, v, &points, report, &t) == 0 && t.failed == 0 && t.tried == points.count;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	(void)printf("%sok %d - %s: %zu points of %zu system calls, %zu clean, %zu not reached, %zu failed (%ld s)\n",
		     held ? "" : "not ", number, v->name, t.tried, counted.count, t.clean, t.missed, t.failed,
		     (long)(end.tv_sec - start.tv_sec));
	(void)fflush(stdout);
	free(points.items);
	free(counted.calls);
	folders_away(o);
	return held;
}

static int one_point(const struct options *o, const struct verb *v)
{
	struct verdict verdict;
	struct world w;
	char *baseline = NULL;

	if (world_for(o, v, 0, &w) < 0 || verb_baseline(&w, v, &baseline) < 0)
		return 1;
	verb_try(&w, v, baseline, &o->one, &verdict);
	verdict_tell(stdout, v, &o->one, &verdict);
	(void)verb_end(&w, v, verdict.text);
	folders_away(o);
	return verdict.outcome == FAILED;
}

static bool wanted(const struct options *o, const struct verb *v)
{
	for (int i = 0; i < o->verb_count; i++)
		if (strcmp(o->verbs[i], v->name) == 0)
			return true;
	return o->verb_count == 0;
}

/* Whether @word is one of the words of @text. */
static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += size)
		if ((at == text || at[-1] == ' ') && (at[size] == '\0' || strchr(" \n", at[size])))
			return true;
	return false;
}

/* Whether the words of @controllers are all in the root's file. */
static bool has_controllers(const char *controllers)
{
	char there[512] = "", words[64], *rest = words, *word;
	FILE *file = fopen("/sys/fs/cgroup/cgroup.controllers", "re");

	if (file) {
		(void)!fgets(there, sizeof(there), file);
		(void)fclose(file);
	}
	(void)snprintf(words, sizeof(words), "%s", controllers);
	while ((word = strsep(&rest, " ")))
		if (!has_word(there, word))
			return false;
	return true;
}

static int all_verbs(const struct options *o)
{
	FILE *report = o->report ? fopen(o->report, "we") : NULL;
	int n = 0, bad = 0;

	if (o->report && !report) {
		perror(o->report);
		return 2;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		if (!wanted(o, v))
			continue;
		n++;
		if (v->controllers && !has_controllers(v->controllers))
			(void)printf("ok %d - %s # skip no cgroup2 with the controllers %s\n", n, v->name, v->controllers);
		else if (!verb_run(o, v, report, n))
			bad = 1;
	}
	(void)printf("1..%d\n", n);
	if (report)
		(void)fclose(report);
	return bad;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: inject [-j JOBS] [-t N:OF] [-v VERB]... [-r REPORT] [-p PROCESS:CALL:ERROR] "
		      "NACELLE FOLDER TEMPLATES\n");
	return 2;
}

static int options_read(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "j:t:v:r:p:")) != -1) {
		bool good = true;

		if (c == 'j')
			good = sscanf(optarg, "%d", &o->jobs) == 1 && o->jobs > 0 && o->jobs <= JOBS_MAX;
		else if (c == 't')
			good = sscanf(optarg, "%d:%d", &o->nth, &o->of) == 2 && o->of > 0 && o->nth >= 0;
		else if (c == 'v' && o->verb_count < VERBS_MAX)
			o->verbs[o->verb_count++] = optarg;
		else if (c == 'r')
			o->report = optarg;
		else if (c == 'p')
			good = sscanf(optarg, "%d:%d:%d", &o->one.process, &o->one.call, &o->one.error) == 3;
		else
			good = false;
		if (!good)
			return -1;
	}
	if (argc - optind != 3)
		return -1;
	o->nacelle = argv[optind];
	o->folder = argv[optind + 1];
	o->templates = argv[optind + 2];
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .jobs = 2, .nth = 0, .of = 1 };

	if (options_read(argc, argv, &o) < 0)
		return usage();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		perror("inject: a mount namespace of our own (root is needed)");
		return 2;
	}
	if (!o.one.process)
		return all_verbs(&o);
	for (const struct verb *v = verbs; v->name; v++)
		if (wanted(&o, v))
			return one_point(&o, v);
	return usage();
}
