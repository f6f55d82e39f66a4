/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By ptrace(2), seized so that a process can be let go at any time. While counting, every process stops at every
 * system call; with a fault to come only the process that it is meant for does, and after it none, so that what is
 * to be seen happens at nearly the usual speed.
 *
 * An error is injected by skipping the call, except for close(2), which closes on Linux whatever it returns.
 */
#include "tests/faults/trace.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the registers of this architecture are not known here"
#endif

enum {
	TRACEES_MAX = 32,
	SYSCALL_STOP = SIGTRAP | 0x80,
	LOADER_SIZE = 256 * 1024,
	AFTER_MS = 3000,	/* for the others, when the first process has ended */
	DETACH_MS = 2000,
};

struct tracee {
	pid_t pid;
	int process, calls;
	uint64_t loader;	/* where the dynamic loader is; 0: not known, or none */
	bool failing;		/* the call that it is in is to return the error */
};

struct trace {
	const struct trace_plan *plan;
	struct trace_result *result;
	struct tracee tracees[TRACEES_MAX];
	int alive, begun;
	pid_t first;
	bool first_ended, done;	/* done: the fault is behind us */
	size_t room;
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static struct tracee *tracee_find(struct trace *t, pid_t pid)
{
	for (int i = 0; i < t->alive; i++)
		if (t->tracees[i].pid == pid)
			return &t->tracees[i];
	return NULL;
}

static struct tracee *tracee_add(struct trace *t, pid_t pid)
{
	struct tracee *p = tracee_find(t, pid);

	if (p || t->alive == TRACEES_MAX)
		return p;
	p = &t->tracees[t->alive++];
	*p = (struct tracee){ .pid = pid, .process = ++t->begun };
	return p;
}

static void tracee_drop(struct trace *t, pid_t pid)
{
	struct tracee *p = tracee_find(t, pid);

	if (p)
		*p = t->tracees[--t->alive];
}

/* ESRCH only says that it was killed meanwhile; then its end is told by waitpid(). */
static void tracee_go_on(const struct trace *t, const struct tracee *p, int signal)
{
	bool calls = t->plan->process ? !t->done && p->process == t->plan->process : true;

	(void)ptrace(calls || p->failing ? PTRACE_SYSCALL : PTRACE_CONT, p->pid, 0, (long)signal);
}

/* --- system calls ----------------------------------------------------------------------------- */

static void call_count(struct trace *t, const struct tracee *p, int nr, uint64_t from)
{
	struct trace_result *r = t->result;

	if (t->plan->process)
		return;
	if (r->count == t->room) {
		size_t room = t->room ? t->room * 2 : 1024;
		struct trace_call *calls = reallocarray(r->calls, room, sizeof(*calls));

		if (!calls)
			return;
		r->calls = calls;
		t->room = room;
	}
	r->calls[r->count++] = (struct trace_call){
		.process = (short)p->process, .nr = (short)nr,
		.loader = p->loader && from >= p->loader && from < p->loader + LOADER_SIZE,
	};
}

/* At its entry: that it does not happen. A brk(2) that fails returns the old end, which is what it does for 0. */
static void call_skip(pid_t pid, int nr)
{
	struct user_regs_struct regs;

	if (nr == SYS_close || ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	if (nr == SYS_brk)
		regs.rdi = 0;
	else
		regs.orig_rax = (unsigned long long)-1;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

/* At its exit: what it says. */
static void call_fail(pid_t pid, int nr, int error)
{
	struct user_regs_struct regs;

	if (nr == SYS_brk || ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-(long)error;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

static void fault_inject(struct trace *t, struct tracee *p, int nr)
{
	t->result->reached = true;
	t->result->nr = nr;
	t->done = true;
	if (t->plan->error == TRACE_KILL) {
		(void)kill(p->pid, SIGKILL);
		return;
	}
	p->failing = true;
	call_skip(p->pid, nr);
}

static void call_stop(struct trace *t, struct tracee *p)
{
	struct __ptrace_syscall_info info = { .op = PTRACE_SYSCALL_INFO_NONE };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		p->calls++;
		call_count(t, p, (int)info.entry.nr, info.instruction_pointer);
		if (!t->done && p->process == t->plan->process && p->calls == t->plan->call)
			fault_inject(t, p, (int)info.entry.nr);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->failing) {
		call_fail(p->pid, t->result->nr, t->plan->error);
		p->failing = false;
	}
}

/* --- processes -------------------------------------------------------------------------------- */

static uint64_t loader_of(pid_t pid)
{
	char path[64];
	Elf64_auxv_t entry;
	uint64_t base = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	file = fopen(path, "re");
	while (file && fread(&entry, sizeof(entry), 1, file) == 1)
		if (entry.a_type == AT_BASE)
			base = entry.a_un.a_val;
	if (file)
		(void)fclose(file);
	return base;
}

/* By the program's name: "nacelle…", and the launcher's memory that is called so too. */
static bool is_ours(pid_t pid)
{
	char path[64], exe[4096];
	const char *name;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	name = strrchr(exe, '/');
	return strncmp(name ? name : exe, "/nacelle", 8) == 0 || strncmp(exe, "/memfd:nacelle", 14) == 0;
}

/* A process that was born in this stop is traced already. */
static void newborn_add(struct trace *t, pid_t parent, int status)
{
	int event = status >> 16;
	unsigned long pid = 0;

	if (event != PTRACE_EVENT_FORK && event != PTRACE_EVENT_VFORK && event != PTRACE_EVENT_CLONE)
		return;
	if (ptrace(PTRACE_GETEVENTMSG, parent, 0, &pid) == 0)
		(void)tracee_add(t, (pid_t)pid);
}

static void process_stop(struct trace *t, struct tracee *p, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;

	if (signal == SYSCALL_STOP) {
		call_stop(t, p);
		signal = 0;
	} else if (event == PTRACE_EVENT_EXEC) {
		if (!is_ours(p->pid)) {
			(void)ptrace(PTRACE_DETACH, p->pid, 0, 0L);
			tracee_drop(t, p->pid);
			return;
		}
		p->loader = loader_of(p->pid);
		signal = 0;
	} else if (event == PTRACE_EVENT_STOP) {
		if (signal != SIGTRAP) {
			(void)ptrace(PTRACE_LISTEN, p->pid, 0, 0);
			return;
		}
		signal = 0;
	} else if (event) {
		newborn_add(t, p->pid, status);
		signal = 0;
	}
	tracee_go_on(t, p, signal);
}

static void process_event(struct trace *t, pid_t pid, int status)
{
	struct tracee *p = tracee_find(t, pid);

	if (WIFSTOPPED(status)) {
		/* A new process may be seen before its parent tells of it. */
		p = p ? p : tracee_add(t, pid);
		if (p)
			process_stop(t, p, status);
		return;
	}
	tracee_drop(t, pid);
	if (pid == t->first) {
		t->first_ended = true;
		t->result->status = status;
	}
}

/* Let go of those that still run. */
static void detach_all(struct trace *t)
{
	int64_t end = now_ms() + DETACH_MS;

	for (int i = 0; i < t->alive; i++)
		(void)ptrace(PTRACE_INTERRUPT, t->tracees[i].pid, 0, 0);
	while (t->alive && now_ms() < end) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

		if (pid < 0)
			return;
		if (pid == 0) {
			(void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
			continue;
		}
		if (WIFSTOPPED(status)) {
			newborn_add(t, pid, status);
			(void)ptrace(PTRACE_DETACH, pid, 0, 0L);
		}
		tracee_drop(t, pid);
	}
}

static void tick(int signal)
{
	(void)signal;
}

static void follow(struct trace *t)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval timer = { .it_interval = { .tv_usec = 50000 }, .it_value = { .tv_usec = 50000 } };
	int64_t end = now_ms() + t->plan->timeout_ms;
	bool shortened = false;

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	while (!t->first_ended || (t->plan->all && t->alive)) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid > 0)
			process_event(t, pid, status);
		else if (errno != EINTR)
			break;
		if (t->first_ended && !shortened) {
			end = now_ms() + AFTER_MS;
			shortened = true;
		}
		if (now_ms() > end)
			break;
	}
	timer = (struct itimerval){ .it_value = { .tv_usec = 0 } };
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	if (!t->first_ended) {
		t->result->hung = true;
		(void)kill(t->first, SIGKILL);
	}
}

static void child_exec(char *const argv[], const char *output, int go)
{
	int null = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char byte;

	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(124);
	(void)close(null);
	(void)close(out);
	if (read(go, &byte, 1) != 1)
		_exit(124);
	(void)close(go);
	(void)execv(argv[0], argv);
	_exit(124);
}

int trace_run(char *const argv[], const struct trace_plan *plan, struct trace_result *ret_result)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC;
	struct trace t = { .plan = plan, .result = ret_result };
	int go[2];

	*ret_result = (struct trace_result){ .calls = NULL };
	if (pipe2(go, O_CLOEXEC) < 0)
		return -1;
	t.first = fork();
	if (t.first == 0) {
		(void)close(go[1]);
		child_exec(argv, plan->output, go[0]);
	}
	(void)close(go[0]);
	if (t.first < 0 || ptrace(PTRACE_SEIZE, t.first, 0, options) < 0) {
		(void)close(go[1]);
		return -1;
	}
	(void)tracee_add(&t, t.first);
	/* Its first stop is that of its execve, and what it calls before is not counted. */
	if (write(go[1], "g", 1) != 1)
		(void)kill(t.first, SIGKILL);
	(void)close(go[1]);
	follow(&t);
	if (ret_result->hung) {
		while (waitpid(t.first, &ret_result->status, __WALL) > 0 && WIFSTOPPED(ret_result->status))
			(void)ptrace(PTRACE_CONT, t.first, 0, 0L);
		tracee_drop(&t, t.first);
	}
	detach_all(&t);
	return 0;
}
