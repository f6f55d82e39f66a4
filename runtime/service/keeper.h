/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keeper - what stays with a detached container: reaps it, logs what it says, writes down how it ended, has it started
 * again, asks whether it is well, lets others attach
 *
 * Its memory counts once for every container, so it is a static program of its own (cmd/nacelle-keeper.c) that uses
 * neither the heap nor stdio, and it never fails because of a log: lines that cannot be written are dropped.
 *
 * To start a container again it becomes nacelle by execve, which makes it and becomes the keeper once more: the process
 * stays the same, so whoever waits for it, or has a connection to its socket, need not know.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As enum service_restart has them, whose last two differ only after a boot. */
enum keeper_restart { KEEPER_RESTART_NO, KEEPER_RESTART_ON_FAILURE, KEEPER_RESTART_ALWAYS };

/* Times in milliseconds. interval 0: there is no check. */
struct keeper_health {
	int64_t interval, timeout, start_period, start_interval, retries;
};

/* What it has been given; an fd that is -1 is not there. */
struct keeper {
	int64_t pid;		/* of the payload, our child unless there is a pidfd; 0: it could not be made again, and `status` says how that failed */
	int64_t status;
	int64_t pidfd;		/* of a payload that is no child of ours: how it ends we shall not know; -1 */
	int64_t exit;		/* file for its end, see keeper_ending_write() */
	int64_t note;		/* file for what is to be known meanwhile, see keeper_note_write() */
	int64_t log;		/* file for what it says, from its present end on */
	int64_t log_folder;	/* where older logs go, "log.1" the newest of them */
	int64_t log_size, log_files;	/* begin a new one beyond this size, 0: never; keep so many */
	int64_t journal;	/* socket of systemd's journal, in place of the log */
	int64_t out, err;	/* pipes of what it says; a terminal's master is `out` alone */
	int64_t in;		/* pipe of what it reads; -1 with a terminal */
	int64_t events;		/* memory.events of its cgroup */
	int64_t socket;		/* listening, see runtime/keeper-talk.h */
	int64_t restart, retries;	/* enum keeper_restart; how often on failure, 0: always */
	int64_t restarts;	/* how often it was done */
	int64_t delay;		/* ms, what was waited before this start */
	int64_t lost;		/* lines that could not be logged so far */
	int64_t last;		/* how it ended before this start, see keeper_last() */
	int64_t stop_signal, stop_time;	/* how it is ended when it is unhealthy; ms */
	struct keeper_health health;
	const char *id;
	char **program;		/* nacelle and its global options, or NULL: nothing is executed */
	bool remove;		/* delete the container at its end */
};
/* clang-format off */
#define KEEPER_NONE ((struct keeper){ .pid = -1, .pidfd = -1, .exit = -1, .note = -1, .log = -1, .log_folder = -1, .journal = -1, .out = -1, .err = -1, .in = -1, .events = -1, .socket = -1 })
/* clang-format on */

/*
 * keeper_run() - stay until the payload has ended
 *
 * Return: 0, or -errno when there is no such process or nacelle could not be executed; nothing recorded.
 */
int keeper_run(const struct keeper *keeper);

/*
 * keeper_ending_write() - {"status":N,"time":"…","oomKilled":true|false} and a newline, at the start of the file @fd
 *
 * In one pwrite(2): a reader sees nothing or all. Return: 0 or -errno, nothing recorded.
 */
int keeper_ending_write(int fd, int status, bool oom_killed);

/*
 * keeper_delay_next() - how long to wait before the next start
 * @delay: what was waited before this one, 0: it was the first
 * @up: how long it ran
 *
 * Docker's: doubled from 100 ms to a minute, from the start again after 10 s of life. All in ms.
 */
int64_t keeper_delay_next(int64_t delay, int64_t up);

/* What is to be known of a container while it is kept. */
enum keeper_wellness { KEEPER_NO_CHECK, KEEPER_STARTING, KEEPER_HEALTHY, KEEPER_UNHEALTHY };
struct keeper_note {
	int64_t restarts, failing, lost;
	int64_t status;		/* of the last end; -1: there was none, or it is not known */
	bool waiting;		/* to be started again */
	bool oom_killed, unhealthy;	/* why it ended */
	enum keeper_wellness health;
};

/*
 * keeper_note_write() - one JSON object, filled up with blanks to KEEPER_NOTE_SIZE, at the start of @fd
 *
 *	{"version":1,"restarts":N,"waiting":BOOL,"status":N,"oomKilled":BOOL,"unhealthy":BOOL,"health":"","failing":N,"lost":N}
 */
enum { KEEPER_NOTE_SIZE = 256, KEEPER_NOTE_VERSION = 1 };
int keeper_note_write(int fd, const struct keeper_note *note);

/* keeper_last() - status, oom_killed and unhealthy of a note as one number above 0; keeper_last_read() is the way back. */
int64_t keeper_last(const struct keeper_note *note);
void keeper_last_read(int64_t last, struct keeper_note *note);

/* An open log. */
struct keeper_log {
	int fd;
	off_t end;		/* where the next line goes */
	int folder;		/* of the file "log", or -1: it only grows */
	int64_t size, files;	/* as in struct keeper */
};

/*
 * keeper_log_line() - append {"log":"…","stream":"…","time":"…"} and a newline, as docker's json-file driver has it
 * @stream: "stdout" or "stderr"
 * @text: a line with its newline, or a piece of a long one without; any bytes, what is no UTF-8 becomes U+FFFD
 *
 * What cannot be written whole is taken back. A log that has its size is put aside first. Return: 0 or -errno, nothing
 * recorded.
 */
int keeper_log_line(struct keeper_log *log, const char *stream, const char *text, size_t size);

/* keeper_journal_connect() - a datagram socket's other end is the journal's. Return: 0 or -errno, nothing recorded. */
#define KEEPER_JOURNAL "/run/systemd/journal/socket"
int keeper_journal_connect(int fd);

/*
 * keeper_journal_line() - send a line, or a piece of one, to the journal, with the fields that docker's journald driver sets
 * @fd: datagram socket, see keeper_journal_connect()
 * @id: of the container
 *
 * A journal that does not take it within a second, or is not there, loses it. Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
 * Return: 0 or -errno, nothing recorded.
 */
int keeper_journal_line(int fd, const char *id, const char *stream, const char *text, size_t size);

/* keeper_log_rotate() - put "log" aside as "log.1", which moves on; without room for a new one it is emptied. */
void keeper_log_rotate(struct keeper_log *log);

/* keeper_time() - now as RFC 3339 in UTC with nanoseconds and a NUL. */
enum { KEEPER_TIME_SIZE = 32 };
void keeper_time(char buf[KEEPER_TIME_SIZE]);
