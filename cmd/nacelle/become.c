/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a keeper is given: open files, numbers, and the beginning of a command line of ours, by which it becomes nacelle
 * again. Its memory counts for each container, so it gets no more of the environment than that nacelle needs.
 */
#include "cmd/nacelle/become.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/keeping.h"
#include "runtime/base/fd.h"
#include "runtime/base/programs.h"
#include "runtime/base/str.h"
#include "runtime/keep.h"
#include "runtime/service/keeper.h"
#include "runtime/spec-service.h"

#define KEEPER_NAME "nacelle-keeper"

int keeping_program(void)
{
	return programs_open(KEEPER_NAME, "the program that keeps detached containers");
}

/* mkdir -p; folders that are made are ours alone. */
static int folders_make(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return fail(errno, "make the folder '%s'", path);
		*p = '/';
	}
	return 0;
}

/* Logs of a container that had the name before. */
static void old_logs_remove(int folder)
{
	enum { GAP = 3, FILES = 1000 };
	char name[32];

	for (int n = 1, missing = 0; n < FILES && missing < GAP; n++) {
		(void)snprintf(name, sizeof(name), "log.%d", n);
		missing = unlinkat(folder, name, 0) < 0 ? missing + 1 : 0;
	}
}

/* systemd's own socket: where it is, there is a journal. */
static int journal_open(struct kept_fds *fds)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return fail(errno, "make a socket");
	r = keeper_journal_connect(fd);
	if (r < 0)
		return fail(-r, "log driver 'journald': connect to '%s' (is systemd-journald there? the driver 'json-file' needs none)",
			    KEEPER_JOURNAL);
	fds->journal = steal_fd(&fd);
	return 0;
}

int become_log_make(const struct keeping *k, struct kept_fds *fds)
{
	enum service_log_driver driver = k->service ? k->service->log_driver : LOG_DRIVER_JSON_FILE;
	cleanup_free char *path = NULL;
	cleanup_fd int folder = -1;
	int r = str_copy(&path, k->log);

	if (r < 0 || !path)
		return r;
	if (driver != LOG_DRIVER_JSON_FILE)
		return driver == LOG_DRIVER_JOURNALD ? journal_open(fds) : 0;
	r = folders_make(path);
	if (r < 0)
		return r;
	*strrchr(path, '/') = '\0';
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail(errno, "open the log's folder '%s'", path);
	/* Of a new container it is a new file always: another keeper may still write to the old one. */
	if (!k->again) {
		if (unlink(k->log) < 0 && errno != ENOENT)
			return fail(errno, "remove the old log '%s'", k->log);
		old_logs_remove(folder);
	}
	fds->log = open(k->log, O_WRONLY | O_CREAT | (k->again ? 0 : O_EXCL) | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fds->log < 0)
		return fail(errno, "make the log '%s'", k->log);
	fds->log_folder = steal_fd(&folder);
	return 0;
}

void become_log_unmake(const char *log)
{
	cleanup_free char *folder = log ? strdup(log) : NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!slash)
		return;
	(void)unlink(log);
	*slash = '\0';
	(void)rmdir(folder);
}

int become_files(const struct keeping *k, struct kept_fds *fds)
{
	int r;

	if (!k->recorded)
		return 0;
	fds->socket = k->socket;
	r = container_keep(k->place, k->id, getpid(), &fds->exit);
	return r < 0 ? r : container_keep_talk(k->place, k->id, &fds->note, k->socket < 0 ? &fds->socket : NULL);
}

void become_events(const struct container_child *child, struct kept_fds *fds)
{
	if (child->cgroup >= 0)
		fds->events = openat(child->cgroup, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int argument(struct str_list *args, const char *name, const char *value)
{
	int r = str_list_add(args, name);

	return r < 0 ? r : str_list_add(args, value);
}

static int argument_number(struct str_list *args, const char *name, int64_t value)
{
	int r = value > 0 ? str_list_add(args, name) : 0;

	return r < 0 || value <= 0 ? r : str_list_addf(args, "%" PRId64, value);
}

/* "--name FD", with an fd that lives on through execve. */
static int argument_fd(struct str_list *args, const char *name, int fd)
{
	if (fd < 0)
		return 0;
	return fcntl(fd, F_SETFD, 0) < 0 ? fail(errno, "hand a file to the keeper") : argument_number(args, name, fd);
}

static int files_give(struct str_list *args, const struct kept_fds *fds)
{
	const struct {
		const char *name;
		int fd;
	} files[] = {
		{ "--exit", fds->exit }, { "--note", fds->note }, { "--socket", fds->socket }, { "--log", fds->log },
		{ "--log-folder", fds->log_folder }, { "--journal", fds->journal }, { "--out", fds->out }, { "--err", fds->err }, { "--in", fds->in },
		{ "--events", fds->events }, { "--pidfd", fds->pidfd },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = argument_fd(args, files[i].name, files[i].fd);
	return r;
}

static int restart_of(const struct service *s)
{
	return s->restart == RESTART_NO ? KEEPER_RESTART_NO :
	       s->restart == RESTART_ON_FAILURE ? KEEPER_RESTART_ON_FAILURE : KEEPER_RESTART_ALWAYS;
}

static int numbers_give(struct str_list *args, const struct keeping *k, pid_t pid, int status)
{
	const struct service nothing = { .restart = RESTART_NO }, *s = k->service ? k->service : &nothing;
	const struct service_health *h = &s->health;
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "--status", status }, { "--remove", k->remove }, { "--restart", restart_of(s) }, { "--retries", s->retries },
		{ "--restarts", k->restarts }, { "--delay", k->delay }, { "--lost", k->lost }, { "--last", k->last },
		{ "--log-size", s->log_size }, { "--log-files", s->log_files },
		{ "--stop-signal", k->stop_signal }, { "--stop-time", k->stop_time },
		{ "--health-interval", h->interval }, { "--health-timeout", h->timeout },
		{ "--health-start-period", h->start_period }, { "--health-start-interval", h->start_interval },
		{ "--health-retries", h->retries },
	};
	int r = str_list_add(args, "--pid");

	if (r == 0)
		r = str_list_addf(args, "%d", (int)pid);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++)
		r = argument_number(args, numbers[i].name, numbers[i].value);
	return r;
}

/* What the keeper executes begins like this: ourselves, where we are now. */
static int program_give(struct str_list *args, const struct keeping *k)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	int r;

	if (!self)
		return fail(errno, "find the program that the keeper needs");
	r = argument(args, "--", self);
	return r < 0 ? r : container_place_words(k->place, args);
}

static int keeper_arguments(struct str_list *args, const struct keeping *k, pid_t pid, int status, const struct kept_fds *fds)
{
	int r = str_list_add(args, KEEPER_NAME);

	/* For people who look at the processes: whose keeper it is. */
	if (r == 0)
		r = argument(args, "--root", k->place->root);
	if (r == 0)
		r = argument(args, "--id", k->id);
	if (r == 0)
		r = numbers_give(args, k, pid, status);
	if (r == 0)
		r = files_give(args, fds);
	if (r == 0 && k->recorded)
		r = program_give(args, k);
	return r;
}

/* What decides where nacelle finds its things. */
static int environment_give(struct str_list *env)
{
	static const char *const names[] = { "HOME", "PATH", "DBUS_SESSION_BUS_ADDRESS", "TMPDIR" };
	static const char *const prefixes[] = { "XDG_", "NACELLE_" };
	int r = 0;

	for (char **e = environ; r == 0 && *e; e++) {
		bool wanted = false;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const char *rest = str_starts(*e, names[i]);

			wanted = wanted || (rest && *rest == '=');
		}
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
			wanted = wanted || str_starts(*e, prefixes[i]);
		if (wanted)
			r = str_list_add(env, *e);
	}
	return r;
}

/* Nothing of the caller's is kept open, nor the folder it stood in. */
static int caller_let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (null < 0)
		return fail(errno, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return fail(errno, "close the standard streams");
	if (null > 2)
		(void)close(null);
	if (chdir("/") < 0)
		return fail(errno, "leave the working directory");
	return fd_close_on_exec_from(3);
}

int become_keeper(const struct keeping *k, pid_t pid, int status, const struct kept_fds *fds)
{
	static char *nothing[] = { NULL };
	struct str_list args = { .items = NULL }, env = { .items = NULL };
	int r = caller_let_go();

	if (r == 0)
		r = keeper_arguments(&args, k, pid, status, fds);
	if (r == 0 && k->recorded)
		r = environment_give(&env);
	if (r == 0) {
		(void)execveat(k->program, "", args.items, env.count ? env.items : nothing, AT_EMPTY_PATH);
		r = fail(errno, "start " KEEPER_NAME);
	}
	str_list_done(&args);
	str_list_done(&env);
	return r;
}
