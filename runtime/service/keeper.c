/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One poll(2) over the payload's pidfd, what it says, the socket and the health check; and what follows from an end: it
 * is written down, or after a while the container is started again.
 */
#include "runtime/service/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/str.h"
#include "runtime/service/keeper-internal.h"

enum { DELAY_FIRST_MS = 100, DELAY_MAX_MS = 60000, UP_MS = 10000 };

/* We end when the payload has ended, and never before. */
static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };

static void signals_set(void (*how)(int signal))
{
	struct sigaction action = { .sa_handler = how };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)sigaction(ignored[i], &action, NULL);
	/* What `run` had blocked. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int64_t keeper_delay_next(int64_t delay, int64_t up)
{
	if (delay <= 0 || up >= UP_MS)
		return DELAY_FIRST_MS;
	return delay >= DELAY_MAX_MS / 2 ? DELAY_MAX_MS : 2 * delay;
}

void keeper_noted(struct ward *w)
{
	if (w->k->note >= 0)
		(void)keeper_note_write((int)w->k->note, &w->note);
}

/* Whether the kernel killed something for memory. Source: cgroup-v2.rst, memory.events. */
static bool oom_read(int events)
{
	static const char word[] = "\noom_kill ";
	char text[512] = "\n";
	const char *found;
	ssize_t n;

	if (events < 0)
		return false;
	n = pread(events, text + 1, sizeof(text) - 2, 0);
	if (n <= 0)
		return false;
	text[1 + n] = '\0';
	found = strstr(text, word);
	return found && found[sizeof(word) - 1] >= '1' && found[sizeof(word) - 1] <= '9';
}

/* --- the program that we become -------------------------------------------------------------------- */

int keeper_become(const struct keeper *k, const char *const *words)
{
	enum { WORDS = 32 };
	char *args[WORDS + 1];
	size_t n = 0;

	for (size_t i = 0; k->program[i] && n < WORDS; i++)
		args[n++] = k->program[i];
	/* execve(2) writes to none of them. */
	for (size_t i = 0; words[i] && n < WORDS; i++)
		memcpy(&args[n++], &words[i], sizeof(args[0]));
	args[n] = NULL;
	(void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	signals_set(SIG_DFL);
	if (k->socket >= 0 && str_eq(words[0], "again"))
		(void)fcntl((int)k->socket, F_SETFD, 0);
	(void)execve(args[0], args, environ);
	n = (size_t)errno;
	signals_set(SIG_IGN);
	return -(int)n;
}

static int become_again(const struct ward *w)
{
	char socket[24], restarts[24], delay[24], lost[24], last[24];
	const int64_t values[] = { w->k->socket, w->note.restarts, w->k->delay, w->note.lost, keeper_last(&w->note) };
	char *const texts[] = { socket, restarts, delay, lost, last };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		*keeper_number_signed(texts[i], values[i]) = '\0';
	return keeper_become(w->k, (const char *const[]){ "again", "--socket", socket, "--restarts", restarts, "--delay", delay,
							  "--lost", lost, "--last", last, w->k->id, NULL });
}

/* --- while it runs, or waits ------------------------------------------------------------------------ */

static void sooner(int64_t *deadline, int64_t moment)
{
	if (moment && (!*deadline || moment < *deadline))
		*deadline = moment;
}

static void round_once(struct ward *w)
{
	int64_t deadline = 0, left = -1;

	w->wait[WAIT_PAYLOAD] = (struct pollfd){ .fd = w->payload, .events = POLLIN };
	streams_wait(w);
	clients_wait(w);
	check_wait(w);
	sooner(&deadline, w->until);
	sooner(&deadline, w->kill);
	sooner(&deadline, check_deadline(w));
	if (deadline) {
		left = deadline - clock_ms();
		left = left < 0 ? 0 : left > 3600000 ? 3600000 : left;
	}
	if (poll(w->wait, WAITS, (int)left) < 0) {
		w->wait[WAIT_PAYLOAD].revents = 0;
		return;
	}
	streams_read(w);
	clients_serve(w);
	check_serve(w);
	if (w->kill && w->payload >= 0 && clock_ms() >= w->kill) {
		(void)pidfd_send_signal(w->payload, SIGKILL, NULL, 0);
		w->kill = 0;
	}
}

void keeper_end_payload(struct ward *w)
{
	w->kill = clock_ms() + w->k->stop_time;
	(void)pidfd_send_signal(w->payload, w->k->stop_signal > 0 ? (int)w->k->stop_signal : SIGTERM, NULL, 0);
}

/* Return: 0 or -errno. */
static int payload_await(struct ward *w)
{
	int status = 0;
	pid_t reaped = 0;

	do
		round_once(w);
	while (!w->wait[WAIT_PAYLOAD].revents);
	while (w->k->pidfd < 0 && (reaped = waitpid((pid_t)w->k->pid, &status, 0)) < 0)
		if (errno != EINTR)
			return -errno;
	check_drop(w);
	streams_finish(w);
	(void)close(w->payload);
	w->payload = -1;
	w->kill = 0;
	w->note.unhealthy = w->unhealthy;
	/* Of somebody else's child it is not known, and never 0. */
	w->note.status = w->k->pidfd >= 0 ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	w->note.oom_killed = oom_read((int)w->k->events);
	clients_ended(w, (int)w->note.status);
	return 0;
}

static bool policy_restarts(const struct ward *w, bool failed)
{
	const struct keeper *k = w->k;

	if (k->restart == KEEPER_RESTART_ON_FAILURE)
		return failed && (k->retries == 0 || w->note.restarts < k->retries);
	return k->restart == KEEPER_RESTART_ALWAYS;
}

bool keeper_would_restart(const struct ward *w)
{
	return w->k->program && !w->stop && (w->again || policy_restarts(w, true));
}

/* Return: how long to wait before the next start, or -1: this is the end. */
static int64_t decide(struct ward *w, int64_t up, int64_t *delay)
{
	if (!w->k->program || w->stop)
		return -1;
	if (w->again) {
		w->note.restarts = 0;
		*delay = 0;
		return 0;
	}
	if (!policy_restarts(w, w->note.status != 0 || w->note.unhealthy))
		return -1;
	w->note.restarts++;
	*delay = keeper_delay_next(*delay, up);
	return *delay;
}

static int final(struct ward *w)
{
	const struct keeper *k = w->k;

	w->note.waiting = false;
	w->note.health = KEEPER_NO_CHECK;
	keeper_noted(w);
	if (k->exit >= 0 && w->note.status >= 0)
		(void)keeper_ending_write((int)k->exit, (int)w->note.status, w->note.oom_killed);
	return k->remove && k->program ? keeper_become(k, (const char *const[]){ "delete", "--force", k->id, NULL }) : 0;
}

/* What is after an end, until there is nothing more to be done. */
static int after(struct ward *w, struct keeper *k)
{
	for (;;) {
		int64_t up = w->since ? clock_ms() - w->since : 0, pause = decide(w, up, &k->delay);

		if (pause < 0)
			return final(w);
		w->note.waiting = true;
		w->note.health = KEEPER_NO_CHECK;
		keeper_noted(w);
		w->until = clock_ms() + pause;
		while (!w->stop && !w->again && clock_ms() < w->until)
			round_once(w);
		w->until = 0;
		if (w->stop) {
			if (w->note.restarts > 0)
				w->note.restarts--;
			return final(w);
		}
		if (w->again) {
			w->note.restarts = 0;
			k->delay = 0;
		}
		(void)become_again(w);
		/* There is no nacelle to do it: as a start that failed. */
		w->again = false;
		w->since = 0;
		w->note.status = STATUS_OURS;
	}
}

static struct keeper_log log_of(const struct keeper *k)
{
	struct keeper_log log = {
		.fd = (int)k->log, .end = k->log < 0 ? 0 : lseek((int)k->log, 0, SEEK_END),
		.folder = (int)k->log_folder, .size = k->log_size, .files = k->log_files,
	};

	if (log.end < 0)
		log.fd = -1;
	return log;
}

int keeper_run(const struct keeper *given)
{
	static struct ward w;
	struct keeper k = *given;
	int r;

	w = (struct ward){
		.k = &k, .log = log_of(&k), .payload = -1, .in = -1,
		.note = { .restarts = k.restarts, .lost = k.lost },
	};
	keeper_last_read(k.last, &w.note);
	if (k.pid <= 0)
		w.note.status = k.status;
	signals_set(SIG_IGN);
	clients_init(&w);
	w.check.pid = w.check.pidfd = -1;
	streams_open(&w);
	if (k.pid > 0) {
		w.payload = k.pidfd >= 0 ? (int)k.pidfd : pidfd_open((pid_t)k.pid, 0);
		if (w.payload < 0)
			return -errno;
		w.since = clock_ms();
		check_begin(&w);
		keeper_noted(&w);
		r = payload_await(&w);
		if (r < 0)
			return r;
	}
	return after(&w, &k);
}
