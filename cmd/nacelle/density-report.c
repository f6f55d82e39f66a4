/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `density` has measured: a table for people, tabs and JSON for programs, charts by gnuplot. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/density.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"

static const char *const moment_names[] = {
	[MOMENT_CREATED] = "created", [MOMENT_STARTED] = "started", [MOMENT_ANSWERED] = "answered",
};

/* --- the table --------------------------------------------------------------------------------- */

static int kib(struct str_list *cells, double bytes)
{
	return str_list_addf(cells, "%.0f", bytes / 1024);
}

/* "12.3/20.1" in ms */
static int latency(struct str_list *cells, const struct measurement *m, enum moment moment)
{
	if (m->p50[moment] < 0)
		return str_list_add(cells, "-");
	return str_list_addf(cells, "%.1f/%.1f", (double)m->p50[moment] / 1e6, (double)m->p99[moment] / 1e6);
}

static int row(struct str_list *cells, const char *kind, const struct measurement *m)
{
	double n = (double)m->n, each = (double)m->host / n;
	int r = str_list_add(cells, kind);

	if (r == 0)
		r = str_list_addf(cells, "%zu", m->n);
	if (r == 0)
		r = str_list_addf(cells, "%.1f", (double)m->host / (1 << 20));
	if (r == 0)
		r = kib(cells, each);
	if (r == 0)
		r = each > 0 ? str_list_addf(cells, "%.0f", (double)(1 << 30) / each) : str_list_add(cells, "-");
	if (r == 0)
		r = kib(cells, (double)m->payload.pss / n);
	if (r == 0)
		r = kib(cells, (double)m->overhead.pss / n);
	if (r == 0)
		r = m->cgroups == UINT64_MAX ? str_list_add(cells, "-") : kib(cells, (double)m->cgroups / n);
	if (r == 0)
		r = kib(cells, (double)m->slab / n);
	for (enum moment moment = 0; r == 0 && moment < MOMENTS; moment++)
		r = latency(cells, m, moment);
	return r;
}

int report_table(const struct report *report)
{
	static const char *const head[] = { "KIND", "N", "TOTAL MiB", "EACH KiB", "PER GiB", "PAYLOAD", "OVERHEAD", "CGROUP", "SLAB",
					    "CREATED ms", "STARTED ms", "ANSWERED ms" };
	struct str_list cells = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(head); i++)
		r = str_list_add(&cells, head[i]);
	for (size_t i = 0; i < report->count; i++)
		for (size_t j = 0; r == 0 && j < report->series[i].count; j++)
			r = row(&cells, report->series[i].kind, &report->series[i].steps[j]);
	if (r == 0)
		output_table(&cells, ARRAY_SIZE(head));
	str_list_done(&cells);
	return r;
}

/* --- files --------------------------------------------------------------------------------------- */

/* Return: 0, or a recorded failure also when something before was not written. */
static int file_end(FILE *file, const char *path)
{
	bool bad = ferror(file);

	return fclose(file) != 0 || bad ? fail(errno ? errno : EIO, "write '%s'", path) : 0;
}

static void tsv_row(FILE *file, const char *kind, const struct measurement *m)
{
	(void)fprintf(file, "%s\t%zu\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64, kind, m->n, m->host, m->payload.pss,
		      m->payload.uss, m->overhead.pss, m->overhead.uss);
	if (m->cgroups == UINT64_MAX)
		(void)fputs("\t", file);
	else
		(void)fprintf(file, "\t%" PRIu64, m->cgroups);
	(void)fprintf(file, "\t%" PRId64 "\t%" PRId64, m->slab, m->cached);
	for (enum moment moment = 0; moment < MOMENTS; moment++) {
		if (m->p50[moment] < 0)
			(void)fputs("\t\t", file);
		else
			(void)fprintf(file, "\t%" PRId64 "\t%" PRId64, m->p50[moment] / 1000, m->p99[moment] / 1000);
	}
	(void)fputc('\n', file);
}

int report_tsv(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return fail(errno, "write '%s'", path);
	(void)fputs("kind\tn\thost_bytes\tpayload_pss\tpayload_uss\toverhead_pss\toverhead_uss\tcgroup_bytes\tslab_bytes\tcached_bytes", file);
	for (enum moment moment = 0; moment < MOMENTS; moment++)
		(void)fprintf(file, "\t%s_p50_us\t%s_p99_us", moment_names[moment], moment_names[moment]);
	(void)fputc('\n', file);
	for (size_t i = 0; i < report->count; i++)
		for (size_t j = 0; j < report->series[i].count; j++)
			tsv_row(file, report->series[i].kind, &report->series[i].steps[j]);
	return file_end(file, path);
}

static json_t *use_json(const struct memory_use *use)
{
	return json_pack("{s:I, s:I}", "pss", (json_int_t)use->pss, "uss", (json_int_t)use->uss);
}

static json_t *step_json(const struct measurement *m)
{
	json_t *v = json_pack("{s:I, s:I, s:o, s:o, s:I, s:I}", "n", (json_int_t)m->n, "hostBytes", (json_int_t)m->host,
			      "payload", use_json(&m->payload), "overhead", use_json(&m->overhead), "slabBytes", (json_int_t)m->slab,
			      "cachedBytes", (json_int_t)m->cached);

	if (v && m->cgroups != UINT64_MAX)
		(void)json_object_set_new(v, "cgroupBytes", json_integer((json_int_t)m->cgroups));
	for (enum moment moment = 0; v && moment < MOMENTS; moment++)
		if (m->p50[moment] >= 0)
			(void)json_object_set_new(v, moment_names[moment], json_pack("{s:I, s:I}", "p50Ns", (json_int_t)m->p50[moment],
										     "p99Ns", (json_int_t)m->p99[moment]));
	return v;
}

static json_t *start_json(const struct instance *item)
{
	json_t *v = json_object();

	for (enum moment moment = 0; v && moment < MOMENTS; moment++)
		if (item->moments[moment] >= 0)
			(void)json_object_set_new(v, moment_names[moment], json_integer(item->moments[moment] - item->asked));
	return v;
}

static json_t *series_json(const struct series *series)
{
	json_t *steps = json_array(), *starts = json_array();

	for (size_t i = 0; i < series->count; i++)
		(void)json_array_append_new(steps, step_json(&series->steps[i]));
	for (size_t i = 0; i < series->item_count; i++)
		(void)json_array_append_new(starts, start_json(&series->items[i]));
	return json_pack("{s:s, s:o, s:o}", "kind", series->kind, "steps", steps, "startsNs", starts);
}

int report_json(const struct report *report, const char *path)
{
	struct utsname host;
	json_t *series = json_array(), *words = json_array();
	cleanup_json json_t *v = NULL;
	int r;

	(void)uname(&host);
	for (size_t i = 0; i < report->count; i++)
		(void)json_array_append_new(series, series_json(&report->series[i]));
	for (size_t i = 0; i < report->words->count; i++)
		(void)json_array_append_new(words, json_string(report->words->items[i]));
	v = json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "nacelle", NACELLE_VERSION, "kernel", host.release, "run", words, "cpus",
		      (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memoryBytes", (json_int_t)report->memory, "series", series);
	if (!v)
		return fail(ENOMEM, "write '%s'", path);
	r = json_dump_file(v, path, JSON_INDENT(2));
	return r == 0 ? 0 : fail(errno ? errno : EIO, "write '%s'", path);
}

/* --- charts ----------------------------------------------------------------------------------------- */

#define GNUPLOT "/usr/bin/gnuplot"

int report_plot_check(const char *path)
{
	if (!str_ends(path, ".svg") && !str_ends(path, ".png"))
		return fail_plain(EINVAL, "--plot: '%s' ends in neither .svg nor .png", path);
	if (access(GNUPLOT, X_OK) < 0)
		return fail(errno, "--plot: run '" GNUPLOT "' (apt-get install gnuplot-nox)");
	return 0;
}

/* One block a kind, two blank lines between them, so that gnuplot can go round by its "index". */
static void plot_steps(FILE *to, const struct report *report)
{
	(void)fputs("$steps << EOD\n", to);
	for (size_t i = 0; i < report->count; i++) {
		for (size_t j = 0; j < report->series[i].count; j++) {
			const struct measurement *m = &report->series[i].steps[j];

			(void)fprintf(to, "%zu %.3f %.3f %.3f\n", m->n, (double)m->host / (1 << 20),
				      (double)m->p50[MOMENT_STARTED] / 1e6, (double)m->p99[MOMENT_STARTED] / 1e6);
		}
		(void)fputs("\n\n", to);
	}
	(void)fputs("EOD\n$last << EOD\n", to);
	for (size_t i = 0; i < report->count; i++) {
		const struct series *series = &report->series[i];
		const struct measurement *m = series->count ? &series->steps[series->count - 1] : NULL;

		if (m)
			(void)fprintf(to, "%s %.1f %.1f\n", series->kind, (double)m->payload.pss / (double)m->n / 1024,
				      (double)m->overhead.pss / (double)m->n / 1024);
	}
	(void)fputs("EOD\n", to);
}

/* The starts in ascending order: a distribution. */
static int plot_starts(FILE *to, const struct report *report)
{
	(void)fputs("$starts << EOD\n", to);
	for (size_t i = 0; i < report->count; i++) {
		const struct series *series = &report->series[i];
		cleanup_free int64_t *values = calloc(series->item_count + 1, sizeof(*values));
		size_t n;

		if (!values)
			return fail(ENOMEM, "draw the charts");
		n = durations(series->items, series->item_count, MOMENT_STARTED, values);
		for (size_t j = 0; j < n; j++)
			(void)fprintf(to, "%.3f %.5f\n", (double)values[j] / 1e6, (double)(j + 1) / (double)n);
		(void)fputs("\n\n", to);
	}
	(void)fputs("EOD\n", to);
	return 0;
}

static void plot_head(FILE *to, const struct report *report, const char *path)
{
	(void)fputs(str_ends(path, ".svg") ? "set terminal svg size 1000,700 background '#ffffff'\n" :
		    "set terminal pngcairo size 1000,700\n", to);
	(void)fputs("set output '", to);
	for (const char *p = path; *p; p++)
		(void)fprintf(to, *p == '\'' ? "'%c" : "%c", *p);
	(void)fprintf(to, "'\nn = %zu\nkinds = \"", report->count);
	for (size_t i = 0; i < report->count; i++)
		(void)fprintf(to, "%s ", report->series[i].kind);
	(void)fputs("\"\n", to);
}

static const char plot_body[] =
	"set multiplot layout 2,2\n"
	"set grid\n"
	"set key top left\n"
	"set title 'memory no longer available'\n"
	"set xlabel 'instances'\n"
	"set ylabel 'MiB'\n"
	"plot for [i=1:n] $steps index i-1 using 1:2 with linespoints title word(kinds, i)\n"
	"set title 'time until the program runs'\n"
	"set ylabel 'ms'\n"
	"set yrange [0:*]\n"
	"plot for [i=1:n] $steps index i-1 using 1:3 with linespoints title word(kinds, i).' p50', \\\n"
	"     for [i=1:n] $steps index i-1 using 1:4 with linespoints dashtype 2 title word(kinds, i).' p99'\n"
	"set title 'time until the program runs: share of the starts'\n"
	"set xlabel 'ms'\n"
	"set ylabel 'share'\n"
	"set yrange [0:1]\n"
	"set logscale x\n"
	"set key bottom right\n"
	"plot for [i=1:n] $starts index i-1 using 1:2 with lines title word(kinds, i)\n"
	"unset logscale x\n"
	"set title 'proportional memory of one, at the last step'\n"
	"unset xlabel\n"
	"set ylabel 'KiB'\n"
	"set yrange [0:*]\n"
	"set key top left\n"
	"set style data histograms\n"
	"set style histogram rowstacked\n"
	"set style fill solid 0.7\n"
	"set boxwidth 0.5\n"
	"plot $last using 2:xtic(1) title 'payload', '' using 3 title 'overhead'\n"
	"unset multiplot\n";

static int plot_run(int script)
{
	char path[] = GNUPLOT;
	pid_t pid;
	int r = spawn((char *[]){ path, NULL }, &script, 1, &pid);

	if (r < 0)
		return fail(-r, "run '%s'", path);
	r = proc_reap(pid);
	return r > 0 ? fail_plain(EINVAL, "'%s' could not draw the charts (status %d)", path, r) : r;
}

int report_plot(const struct report *report, const char *path)
{
	FILE *script = tmpfile();
	int r;

	if (!script)
		return fail(errno, "make a file for gnuplot");
	plot_steps(script, report);
	r = plot_starts(script, report);
	if (r == 0) {
		plot_head(script, report, path);
		(void)fputs(plot_body, script);
		r = fflush(script) == 0 && lseek(fileno(script), 0, SEEK_SET) == 0 ? plot_run(fileno(script)) :
			fail(errno, "write a file for gnuplot");
	}
	(void)fclose(script);
	return r;
}
