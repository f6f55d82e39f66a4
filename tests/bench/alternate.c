/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alternate: time commands against each other on a machine that is not quiet.
 *
 * The commands run one after the other, round by round, so that whatever the machine is doing meets
 * all of them alike; every second round goes backwards, so that none always follows the same other.
 * A run is a whole process: the clock starts before posix_spawn() and stops after wait4(). Peak RSS
 * is that of the largest process of the command's tree that was waited for. It cannot be seen below
 * our own, because the kernel counts what was resident before the exec too: posix_spawn() shares
 * our memory until then, so this program is linked statically and kept small, and prints its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTESTANTS_MAX 16

struct contestant {
	const char *name;
	char **argv;
	double *ms; /* one a round; sorted by summarise() */
	long max_rss_kib;
};

struct bench {
	struct contestant contestants[CONTESTANTS_MAX];
	unsigned int count;
	unsigned int rounds;
	unsigned int warmups;
	unsigned int pause_ms;
	int status; /* what every run must exit with */
	const char *floor; /* names of the contestants that ratios are taken against */
	const char *reference;
	const char *json;
	const char *prepare; /* what a shell does before each run, while no clock runs; NULL: nothing */
	long own_rss_kib;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)fputs("alternate: ", stderr);
	(void)vfprintf(stderr, format, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(125);
}

static void usage(FILE *to)
{
	(void)fputs(
		"usage: alternate [OPTION]... -- NAME: COMMAND [ARG]... [-- NAME: COMMAND [ARG]...]...\n"
		"  --rounds N        runs of each command (default 40)\n"
		"  --warmup N        runs of each before the clock counts (default 3)\n"
		"  --pause-ms N      rest before each run, for what the last left to kernel threads (default 20)\n"
		"  --prepare WORDS   a shell's command before each run, which is not measured\n"
		"  --status N        the exit status every run must have (default 0)\n"
		"  --floor NAME      whom the column 'x floor' divides by (default floor)\n"
		"  --reference NAME  whom the column 'x crun' divides by (default crun)\n"
		"  --json FILE       write the result there too\n",
		to);
}

static unsigned int parse_number(const char *option, const char *text, unsigned int min)
{
	char *end = NULL;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);

	if (errno || end == text || *end || text[0] == '-' || n < min || n > 1000000)
		die("--%s: '%s' is not a number between %u and 1000000", option, text, min);
	return (unsigned int)n;
}

/* Runs @c once; returns its wall time in milliseconds. A wrong exit status ends the program: a
 * command that failed early would look fast. */
static double run_once(const struct bench *b, struct contestant *c)
{
	struct timespec rest = { .tv_sec = b->pause_ms / 1000,
				 .tv_nsec = b->pause_ms % 1000 * 1000000L };
	struct timespec start, stop;
	struct rusage usage_now;
	pid_t pid;
	int status;

	if (b->prepare && system(b->prepare) != 0)
		die("%s: '%s' failed", c->name, b->prepare);
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	int r = posix_spawnp(&pid, c->argv[0], NULL, NULL, c->argv, environ);
	if (r)
		die("%s: run '%s': %s", c->name, c->argv[0], strerror(r));
	while (wait4(pid, &status, 0, &usage_now) < 0)
		if (errno != EINTR)
			die("%s: wait: %s", c->name, strerror(errno));
	(void)clock_gettime(CLOCK_MONOTONIC, &stop);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != b->status)
		die("%s: '%s' ended with %s %d, not with status %d", c->name, c->argv[0],
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), b->status);
	if (c->max_rss_kib < usage_now.ru_maxrss)
		c->max_rss_kib = usage_now.ru_maxrss;
	return (double)(stop.tv_sec - start.tv_sec) * 1e3 +
	       (double)(stop.tv_nsec - start.tv_nsec) / 1e6;
}

static void run_all(struct bench *b)
{
	for (unsigned int w = 0; w < b->warmups; w++)
		for (unsigned int i = 0; i < b->count; i++)
			(void)run_once(b, &b->contestants[i]);

	for (unsigned int round = 0; round < b->rounds; round++) {
		for (unsigned int i = 0; i < b->count; i++) {
			struct contestant *c = &b->contestants[round % 2 ? b->count - 1 - i : i];

			c->ms[round] = run_once(b, c);
		}
	}
}

static int compare_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const struct bench *b, const struct contestant *c)
{
	return (c->ms[(b->rounds - 1) / 2] + c->ms[b->rounds / 2]) / 2;
}

/* The value that nine tenths of the runs do not exceed (nearest rank). */
static double p90(const struct bench *b, const struct contestant *c)
{
	return c->ms[(b->rounds * 9 + 9) / 10 - 1];
}

static const struct contestant *find(const struct bench *b, const char *name)
{
	for (unsigned int i = 0; i < b->count; i++)
		if (strcmp(b->contestants[i].name, name) == 0)
			return &b->contestants[i];
	return NULL;
}

/* The ratio of the medians of @c and of the contestant called @to, or 0 if there is none such. */
static double ratio(const struct bench *b, const struct contestant *c, const char *to)
{
	const struct contestant *other = find(b, to);

	return other ? median(b, c) / median(b, other) : 0;
}

static void print_ratio(double value)
{
	if (value > 0)
		(void)printf(" %9.2f", value);
	else
		(void)printf(" %9s", "-");
}

static void print_table(const struct bench *b)
{
	char column[64];

	(void)printf("%-14s %9s %9s %9s %9s", "", "median ms", "min ms", "p90 ms", "rss KiB");
	(void)snprintf(column, sizeof(column), "x %s", b->floor);
	(void)printf(" %9s", column);
	(void)snprintf(column, sizeof(column), "x %s", b->reference);
	(void)printf(" %9s\n", column);
	for (unsigned int i = 0; i < b->count; i++) {
		const struct contestant *c = &b->contestants[i];

		(void)printf("%-14s %9.3f %9.3f %9.3f %9ld", c->name, median(b, c), c->ms[0],
			     p90(b, c), c->max_rss_kib);
		print_ratio(ratio(b, c, b->floor));
		print_ratio(ratio(b, c, b->reference));
		(void)putchar('\n');
	}
	(void)printf("%u rounds; a peak RSS below the runner's own %ld KiB cannot be seen\n",
		     b->rounds, b->own_rss_kib);
}

static void json_string(FILE *f, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			(void)fprintf(f, "\\%c", *p);
		else if (*p < 0x20)
			(void)fprintf(f, "\\u%04x", *p);
		else
			(void)fputc(*p, f);
	}
}

static void json_ratio(FILE *f, const char *key, double value)
{
	if (value > 0)
		(void)fprintf(f, ", \"%s\": %.3f", key, value);
	else
		(void)fprintf(f, ", \"%s\": null", key);
}

static void write_json(const struct bench *b)
{
	struct utsname host;
	FILE *f = fopen(b->json, "we");

	if (!f)
		die("open '%s': %s", b->json, strerror(errno));
	(void)uname(&host);
	(void)fprintf(f, "{\"host\": {\"kernel\": \"");
	json_string(f, host.release);
	(void)fprintf(f, "\", \"cpus\": %ld}, \"rounds\": %u, \"contestants\": [",
		      sysconf(_SC_NPROCESSORS_ONLN), b->rounds);
	for (unsigned int i = 0; i < b->count; i++) {
		const struct contestant *c = &b->contestants[i];

		(void)fprintf(f, "%s\n  {\"name\": \"", i ? "," : "");
		json_string(f, c->name);
		(void)fputs("\", \"command\": \"", f);
		for (char **arg = c->argv; *arg; arg++) {
			if (arg > c->argv)
				(void)fputc(' ', f);
			json_string(f, *arg);
		}
		(void)fprintf(
			f,
			"\", \"median_ms\": %.4f, \"min_ms\": %.4f, \"p90_ms\": %.4f, \"max_rss_kib\": %ld",
			median(b, c), c->ms[0], p90(b, c), c->max_rss_kib);
		json_ratio(f, "ratio_floor", ratio(b, c, b->floor));
		json_ratio(f, "ratio_crun", ratio(b, c, b->reference));
		(void)fputc('}', f);
	}
	(void)fputs("\n]}\n", f);
	bool broken = ferror(f);
	if (fclose(f) != 0 || broken)
		die("write '%s' failed", b->json);
}

/* Returns the index of the first argument that is no option. */
static int parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'n' },
		{ "warmup", required_argument, NULL, 'w' },
		{ "pause-ms", required_argument, NULL, 'p' },
		{ "prepare", required_argument, NULL, 'P' },
		{ "status", required_argument, NULL, 's' },
		{ "floor", required_argument, NULL, 'f' },
		{ "reference", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'n': b->rounds = parse_number("rounds", optarg, 1); break;
		case 'w': b->warmups = parse_number("warmup", optarg, 0); break;
		case 'p': b->pause_ms = parse_number("pause-ms", optarg, 0); break;
		case 'P': b->prepare = optarg; break;
		case 's': b->status = (int)parse_number("status", optarg, 0); break;
		case 'f': b->floor = optarg; break;
		case 'r': b->reference = optarg; break;
		case 'j': b->json = optarg; break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(125);
		}
	}
	return optind;
}

/* Splits what follows the options at each "--"; the argument vectors are made in place. */
static void parse_contestants(struct bench *b, char **arg)
{
	while (*arg) {
		struct contestant *c = &b->contestants[b->count];
		size_t length = strlen(*arg);

		if (b->count == CONTESTANTS_MAX)
			die("more than %d commands", CONTESTANTS_MAX);
		if (length < 2 || (*arg)[length - 1] != ':')
			die("'%s' is not a name that ends in a colon", *arg);
		(*arg)[length - 1] = '\0';
		c->name = *arg++;
		if (find(b, c->name))
			die("two commands are called '%s'", c->name);
		c->argv = arg;
		while (*arg && strcmp(*arg, "--") != 0)
			arg++;
		if (arg == c->argv)
			die("'%s' has no command", c->name);
		c->ms = calloc(b->rounds, sizeof(*c->ms));
		if (!c->ms)
			die("no memory for %u rounds", b->rounds);
		b->count++;
		if (*arg)
			*arg++ = NULL;
	}
}

int main(int argc, char **argv)
{
	struct bench b = {
		.rounds = 40,
		.warmups = 3,
		.pause_ms = 20,
		.floor = "floor",
		.reference = "crun",
	};
	struct rusage own;
	int first = parse_options(&b, argc, argv);

	parse_contestants(&b, argv + first);
	if (!b.count) {
		usage(stderr);
		return 125;
	}

	run_all(&b);
	(void)getrusage(RUSAGE_SELF, &own);
	b.own_rss_kib = own.ru_maxrss;
	for (unsigned int i = 0; i < b.count; i++)
		qsort(b.contestants[i].ms, b.rounds, sizeof(double), compare_ms);
	print_table(&b);
	if (b.json)
		write_json(&b);
	for (unsigned int i = 0; i < b.count; i++)
		free(b.contestants[i].ms);
	if (fflush(stdout) != 0)
		die("write the table: %s", strerror(errno));
	return 0;
}
