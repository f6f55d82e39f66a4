/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left is looked for outside of nacelle: processes by being our children, the cgroup by its folder, mounts in
 * mountinfo, files in the folders. The cache of filters is no leftover, a temporary file in it is.
 */
#include "tests/faults/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUN_MS = 30000, LEFT_MS = 3000 };

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

char *world_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	(void)fclose(file);
	return text;
}

static void path_of(char path[PATH_SIZE], const struct world *w, const char *name)
{
	if ((size_t)snprintf(path, PATH_SIZE, "%s/%s", w->dir, name) >= PATH_SIZE)
		path[0] = '\0';
}

static int folder_make(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 && chmod(path, mode) == 0)
		return 0;
	(void)fprintf(stderr, "make '%s': %s\n", path, strerrorname_np(errno));
	return -1;
}

int world_new(struct world *w, const char *nacelle, const char *base, int number)
{
	char host[PATH_SIZE];
	FILE *file;

	*w = (struct world){ .nacelle = nacelle };
	(void)snprintf(w->id, sizeof(w->id), "fault-%d-%d", (int)getpid(), number);
	(void)snprintf(w->dir, sizeof(w->dir), "%s/w%d", base, number);
	(void)snprintf(w->rootfs, sizeof(w->rootfs), "%s/rootfs", base);
	(void)snprintf(w->cgroup, sizeof(w->cgroup), "/sys/fs/cgroup/%snacelle/%s",
		       access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "" : "unified/", w->id);
	path_of(w->root, w, "state");
	path_of(w->data, w, "data");
	path_of(w->bundle, w, "bundle");
	path_of(w->report, w, "report");
	path_of(w->output, w, "output");
	if (folder_make(w->dir, 0755) < 0 || folder_make(w->bundle, 0755) < 0 || folder_make(w->report, 0777) < 0)
		return -1;
	path_of(host, w, "report/host");
	file = fopen(host, "we");
	for (const char *const *ns = (const char *const[]){ "pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time", NULL };
	     file && *ns; ns++) {
		char path[64], link[64] = "";

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", *ns);
		if (readlink(path, link, sizeof(link) - 1) > 0)
			(void)fprintf(file, "%s\n", link);
	}
	if (!file || fclose(file) != 0)
		return -1;
	w->mounts = world_text("/proc/self/mountinfo");
	return w->mounts ? 0 : -1;
}

static char *replace(char *text, const char *what, const char *by)
{
	char *at, *made;

	while (text && (at = strstr(text, what))) {
		if (asprintf(&made, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)) < 0)
			made = NULL;
		free(text);
		text = made;
	}
	return text;
}

int world_spec(const struct world *w, const char *template, const char *words)
{
	char path[PATH_SIZE], *text = world_text(template);
	FILE *file;
	int r = -1;

	text = replace(text, "@ROOTFS@", w->rootfs);
	text = replace(text, "@REPORT@", w->report);
	text = replace(text, "@DIR@", w->dir);
	text = replace(text, "\"@ARGS@\"", words);
	path_of(path, w, "bundle/config.json");
	file = fopen(path, "we");
	if (text && file && fputs(text, file) >= 0)
		r = 0;
	if (file && fclose(file) != 0)
		r = -1;
	free(text);
	if (r < 0)
		(void)fprintf(stderr, "cannot write '%s' from '%s'\n", path, template);
	return r;
}

/* execv(3) takes what it does not change as if it did. */
void world_argv(const struct world *w, const char *const *args, char *argv[ARGS_MAX])
{
	const char *made[ARGS_MAX] = { w->nacelle, "--root", w->root, "--data", w->data };

	for (int n = 5; *args && n < ARGS_MAX - 1; args++)
		made[n++] = strcmp(*args, "ID") == 0 ? w->id : strcmp(*args, "BUNDLE") == 0 ? w->bundle : *args;
	memcpy(argv, made, sizeof(made));
}

int world_run(const struct world *w, const char *const *args)
{
	int64_t end = now_ms() + RUN_MS;
	char *argv[ARGS_MAX];
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY), out = open(w->output, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		world_argv(w, args, argv);
		if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
			_exit(124);
		(void)close(null);
		(void)close(out);
		(void)execv(argv[0], argv);
		_exit(124);
	}
	for (int ms = 0; pid > 0 && waitpid(pid, &status, WNOHANG) == 0; ms++) {
		if (now_ms() > end) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			return HUNG;
		}
		(void)nanosleep(&(struct timespec){ .tv_nsec = ms < 50 ? 200000 : 2000000 }, NULL);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- what is left ------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(char text[TEXT_SIZE], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + n, TEXT_SIZE - n, fmt, args);
	va_end(args);
}

static char *where;	/* nftw() has no argument for its function */

static int file_left(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *name = path + at->base;

	(void)st;
	if (at->level == 0 || strcmp(name, ".seccomp") == 0 || strncmp(name, "filter-", 7) == 0)
		return 0;
	/* the folder of all logs stays */
	if (type == FTW_DP && at->level == 1 && strcmp(name, "containers") == 0)
		return 0;
	say(where, "file %s; ", path);
	return 0;
}

static void files_left(const struct world *w, char text[TEXT_SIZE])
{
	char path[PATH_SIZE + 16];

	where = text;
	(void)nftw(w->root, file_left, 16, FTW_PHYS | FTW_DEPTH);
	(void)nftw(w->data, file_left, 16, FTW_PHYS | FTW_DEPTH);
	(void)snprintf(path, sizeof(path), "%s/report", w->rootfs);
	(void)nftw(path, file_left, 16, FTW_PHYS | FTW_DEPTH);
}

static void children_left(const struct world *w, char text[TEXT_SIZE])
{
	char path[64], *list, *rest, *word;
	pid_t pid;
	int status;

	do
		pid = waitpid(-1, &status, WNOHANG | __WALL);
	while (pid > 0);
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = world_text(path);
	rest = list;
	while ((word = strsep(&rest, " "))) {
		char *comm;

		if (!*word || atoi(word) == w->keeps)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.10s/comm", word);
		comm = world_text(path);
		say(text, "process %s %.15s; ", word, comm ? comm : "");
		free(comm);
	}
	free(list);
}

bool world_left(const struct world *w, char text[TEXT_SIZE])
{
	int64_t end = now_ms() + LEFT_MS;

	for (;;) {
		char *mounts = world_text("/proc/self/mountinfo");

		text[0] = '\0';
		children_left(w, text);
		if (!w->keeps) {
			files_left(w, text);
			if (access(w->cgroup, F_OK) == 0)
				say(text, "cgroup %s; ", w->cgroup);
		}
		if (!mounts || strcmp(mounts, w->mounts) != 0)
			say(text, "mounts; ");
		free(mounts);
		if (!text[0])
			return false;
		if (now_ms() > end)
			return true;
		pause_ms(2);
	}
}

static int file_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

static int cgroup_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

void world_clean(struct world *w)
{
	char path[PATH_SIZE + 32], *list, *rest, *word;
	FILE *file;
	int status;

	(void)snprintf(path, sizeof(path), "%s/cgroup.kill", w->cgroup);
	file = fopen(path, "we");
	if (file) {
		(void)fputs("1", file);
		(void)fclose(file);
	}
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = world_text(path);
	rest = list;
	while ((word = strsep(&rest, " ")))
		if (atoi(word) > 0)
			(void)kill(atoi(word), SIGKILL);
	free(list);
	for (int64_t end = now_ms() + LEFT_MS; now_ms() < end && waitpid(-1, &status, WNOHANG | __WALL) >= 0;)
		pause_ms(1);
	(void)nftw(w->cgroup, cgroup_remove, 16, FTW_PHYS | FTW_DEPTH);
	(void)nftw(w->root, file_remove, 16, FTW_PHYS | FTW_DEPTH);
	(void)nftw(w->data, file_remove, 16, FTW_PHYS | FTW_DEPTH);
	w->keeps = 0;
}
