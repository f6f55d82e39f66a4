/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last program of ours that a container sees: it does nothing but become the payload. A payload whose
 * script or loader is "/proc/self/exe" gets this, from sealed memory, and not the nacelle of the host.
 *
 *	launcher PATH ARG0 [ARG…]	execve(PATH, ARG…), environment as it is
 *
 * It runs behind the payload's seccomp filter, so it makes one system call, and one more to tell why that
 * failed. No libc: each start pays for its exec. See runtime/launch.h.
 */
#include <asm/unistd.h>

#define ENOENT	      2
#define ENOTDIR	      20
#define NOT_FOUND     127
#define NOT_INVOKABLE 126

#if defined(__x86_64__)
/* The stack as execve(2) left it: argc, argv, NULL, envp, NULL. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n");

static long call(long number, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl launch\n");

static long call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#else
#error "the launcher has no system calls for this architecture yet"
#endif

_Noreturn void launch(long *stack);

_Noreturn void launch(long *stack)
{
	static const char text[] = "nacelle: the payload's program could not be executed: errno ";
	char number[4], *end = number;
	char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
	long r = -ENOENT;

	if (stack[0] >= 2)
		r = call(__NR_execve, (long)argv[0], (long)(argv + 1), (long)envp);
	for (unsigned int unit = 100, error = (unsigned int)-r; unit > 0; unit /= 10)
		if (error >= unit)
			*end++ = (char)('0' + error / unit % 10);
	*end++ = '\n';
	(void)call(__NR_write, 2, (long)text, sizeof(text) - 1);
	(void)call(__NR_write, 2, (long)number, end - number);
	for (;;)
		(void)call(__NR_exit_group, r == -ENOENT || r == -ENOTDIR ? NOT_FOUND : NOT_INVOKABLE, 0, 0);
}
