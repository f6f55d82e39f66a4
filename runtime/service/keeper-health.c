/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The health check. What it runs in the container, and for how long, is nacelle's to know ("nacelle healthcheck"); here it
 * is decided when, and what the outcomes together mean. The rules are docker's: one success makes it healthy, so many
 * failures in a row unhealthy; those within the start period do not count before the first success.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/base/clock.h"
#include "runtime/service/keeper-internal.h"

enum { STATUS_NOT_NOW = 3, GRACE_MS = 15000 };

static bool in_start_period(const struct ward *w)
{
	return !w->check.ever && clock_ms() - w->since < w->k->health.start_period;
}

static void next_set(struct ward *w)
{
	const struct keeper_health *h = &w->k->health;

	w->check.next = clock_ms() + (in_start_period(w) ? h->start_interval : h->interval);
}

void check_begin(struct ward *w)
{
	w->check.pid = w->check.pidfd = -1;
	w->check.next = 0;
	w->check.ever = false;
	w->note.failing = 0;
	w->note.health = KEEPER_NO_CHECK;
	if (w->k->health.interval <= 0 || !w->k->program || w->payload < 0)
		return;
	w->note.health = KEEPER_STARTING;
	next_set(w);
}

void check_wait(struct ward *w)
{
	w->wait[WAIT_CHECK] = (struct pollfd){ .fd = w->check.pidfd, .events = POLLIN };
}

int64_t check_deadline(const struct ward *w)
{
	return w->check.pidfd >= 0 ? w->check.end : w->check.next;
}

static void run(struct ward *w)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)keeper_become(w->k, (const char *const[]){ "healthcheck", "--record", w->k->id, NULL });
		_exit(STATUS_NOT_NOW);
	}
	next_set(w);
	if (pid < 0)
		return;
	w->check.pid = pid;
	w->check.pidfd = pidfd_open(pid, 0);
	/* nacelle ends the check in time; this is for a nacelle that does not. */
	w->check.end = clock_ms() + w->k->health.timeout + GRACE_MS;
	if (w->check.pidfd < 0)
		check_drop(w);
}

static void failed(struct ward *w)
{
	if (in_start_period(w))
		return;
	w->note.failing++;
	if (w->note.failing < w->k->health.retries || w->note.health == KEEPER_UNHEALTHY)
		return;
	w->note.health = KEEPER_UNHEALTHY;
	if (!keeper_would_restart(w))
		return;
	w->unhealthy = true;
	keeper_end_payload(w);
}

static void judge(struct ward *w, int status)
{
	struct keeper_note before = w->note;

	if (status == STATUS_NOT_NOW)
		return;
	if (status == 0) {
		w->check.ever = true;
		w->note.failing = 0;
		w->note.health = KEEPER_HEALTHY;
	} else {
		failed(w);
	}
	if (before.failing != w->note.failing || before.health != w->note.health)
		keeper_noted(w);
}

/* Return: exit status; the check is no more. */
static int reap(struct ward *w)
{
	int status = 0;

	while (waitpid(w->check.pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(w->check.pidfd);
	w->check.pid = w->check.pidfd = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_OURS;
}

void check_serve(struct ward *w)
{
	int64_t now = clock_ms();

	if (w->check.pidfd >= 0 && !w->wait[WAIT_CHECK].revents && now >= w->check.end)
		(void)pidfd_send_signal(w->check.pidfd, SIGKILL, NULL, 0);
	if (w->check.pidfd >= 0 && (w->wait[WAIT_CHECK].revents || now >= w->check.end)) {
		int status = reap(w);

		next_set(w);
		judge(w, status);
	}
	if (w->check.pidfd < 0 && w->check.next && now >= w->check.next && !w->kill)
		run(w);
}

void check_drop(struct ward *w)
{
	w->check.next = 0;
	if (w->check.pid <= 0)
		return;
	(void)kill(w->check.pid, SIGKILL);
	if (w->check.pidfd < 0)
		w->check.pidfd = pidfd_open(w->check.pid, 0);
	(void)reap(w);
}
