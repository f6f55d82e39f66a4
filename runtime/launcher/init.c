/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small init of a container that asks for one: its first process, with the payload as its child. It reaps what is left
 * to it, hands on signals, and ends as the payload ends. Like the launcher it lies in sealed memory, has no libc, and runs
 * behind the payload's seccomp filter.
 *
 *	init PATH ARG0 [ARG…]
 *
 * All signals are blocked and taken one by one: a first process of a pid namespace gets no others than those it blocks or
 * handles. The payload leads a group of its own, which is the terminal's foreground where there is one; else a key like ^C
 * would come to it twice.
 */
#include <asm/unistd.h>

#define ENOENT	      2
#define ENOTDIR	      20
#define NOT_FOUND     127
#define NOT_INVOKABLE 126

/* Source: asm-generic/signal.h, asm-generic/ioctls.h, linux/wait.h, linux/prctl.h */
#define SIGCHLD			17
#define SIGTTIN			21
#define SIGTTOU			22
#define SIG_BLOCK		0
#define SIG_SETMASK		2
#define SIGSET_SIZE		8
#define TIOCSPGRP		0x5410
#define WNOHANG			1
#define PR_SET_CHILD_SUBREAPER	36

#if defined(__x86_64__)
/* The stack as execve(2) left it: argc, argv, NULL, envp, NULL. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall init\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl init\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
#else
#error "the init has no system calls for this architecture yet"
#endif

static _Noreturn void leave(int status)
{
	for (;;)
		(void)call(__NR_exit_group, status, 0, 0, 0, 0);
}

static _Noreturn void fail(const char *text, long size, long error, int status)
{
	char number[4], *end = number;

	for (unsigned int unit = 100, e = (unsigned int)-error; unit > 0; unit /= 10)
		if (e >= unit)
			*end++ = (char)('0' + e / unit % 10);
	*end++ = '\n';
	(void)call(__NR_write, 2, (long)text, size, 0, 0);
	(void)call(__NR_write, 2, (long)number, end - number, 0, 0);
	leave(status);
}

/* Whether our streams are a terminal does not matter: of anything else it is refused. */
static _Noreturn void payload(char **argv, char **envp, const unsigned long *mask)
{
	static const char text[] = "nacelle: the payload's program could not be executed: errno ";
	int group = (int)call(__NR_getpid, 0, 0, 0, 0, 0);
	long r;

	(void)call(__NR_setpgid, 0, 0, 0, 0, 0);
	(void)call(__NR_ioctl, 0, TIOCSPGRP, (long)&group, 0, 0);
	(void)call(__NR_rt_sigprocmask, SIG_SETMASK, (long)mask, 0, SIGSET_SIZE, 0);
	r = call(__NR_execve, (long)argv[0], (long)(argv + 1), (long)envp, 0, 0);
	fail(text, sizeof(text) - 1, r, r == -ENOENT || r == -ENOTDIR ? NOT_FOUND : NOT_INVOKABLE);
}

/* All that have ended; does not return once the payload has. */
static void reap(long child)
{
	int status = 0;
	long pid;

	while ((pid = call(__NR_wait4, -1, (long)&status, WNOHANG, 0, 0)) > 0)
		if (pid == child)
			leave(status & 0x7F ? 128 + (status & 0x7F) : (status >> 8) & 0xFF);
}

_Noreturn void init(long *stack);

_Noreturn void init(long *stack)
{
	static const char text[] = "nacelle: the init could not start the payload: errno ";
	char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
	unsigned long all = ~0UL, before = 0;
	long child;

	if (stack[0] < 2)
		leave(NOT_INVOKABLE);
	(void)call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, SIGSET_SIZE, 0);
	/* Without a pid namespace of its own orphans would go elsewhere. */
	(void)call(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	child = call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		payload(argv, envp, &before);
	if (child < 0)
		fail(text, sizeof(text) - 1, child, NOT_INVOKABLE);
	for (;;) {
		long signal = call(__NR_rt_sigtimedwait, (long)&all, 0, 0, SIGSET_SIZE, 0);

		if (signal == SIGCHLD)
			reap(child);
		else if (signal > 0 && signal != SIGTTIN && signal != SIGTTOU)
			(void)call(__NR_kill, child, signal, 0, 0, 0);
	}
}
