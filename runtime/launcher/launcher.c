/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last program of ours that a container sees: it does nothing but become the payload. A payload whose
 * script or loader is "/proc/self/exe" gets this, from sealed memory, and not the nacelle of the host.
 *
 *	launcher PATH ARG0 [ARG…]			execve(PATH, ARG…), environment as it is
 *	launcher "" FD FILE TEXT PATH ARG0 [ARG…]	the same, after TEXT was written to FILE below the procfs FD
 *
 * A label for the payload counts at the next execve, which must be this one. It runs behind the payload's seccomp
 * filter, so it makes one system call, and one more to tell why that failed. No libc: each start pays for its
 * exec. See runtime/launch.h.
 */
#include <asm/unistd.h>

#define ENOENT	      2
#define ENOTDIR	      20
#define NOT_FOUND     127
#define NOT_INVOKABLE 126

/* What the label's file is opened with. Source: fcntl.h, linux/openat2.h */
#define WRITE_ONLY	     1
#define RESOLVE_BENEATH_ONLY (0x08 | 0x01 | 0x04) /* BENEATH, NO_XDEV, NO_SYMLINKS */

#if defined(__x86_64__)
/* The stack as execve(2) left it: argc, argv, NULL, envp, NULL. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n");

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl launch\n");

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#else
#error "the launcher has no system calls for this architecture yet"
#endif

/* Through a procfs that nobody can have prepared, crossing neither link nor mount. Return: 0, or -errno. */
static long label_write(const char *number, const char *file, const char *text)
{
	unsigned long long how[3] = { WRITE_ONLY, 0, RESOLVE_BENEATH_ONLY };
	long proc = 0, fd, r, length = 0;

	while (*number)
		proc = proc * 10 + (*number++ - '0');
	while (text[length])
		length++;
	fd = call(__NR_openat2, proc, (long)file, (long)how, sizeof(how));
	r = fd < 0 ? fd : call(__NR_write, fd, (long)text, length, 0);
	if (fd >= 0)
		(void)call(__NR_close, fd, 0, 0, 0);
	(void)call(__NR_close, proc, 0, 0, 0);
	return r < 0 ? r : 0;
}

_Noreturn void launch(long *stack);

_Noreturn void launch(long *stack)
{
	static const char program[] = "nacelle: the payload's program could not be executed: errno ";
	static const char label[] = "nacelle: the payload's label could not be set: errno ";
	const char *text = program;
	char number[4], *end = number;
	char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
	long r = -ENOENT, count = stack[0], size = sizeof(program) - 1;

	if (count >= 6 && !*argv[0]) {
		r = label_write(argv[1], argv[2], argv[3]);
		argv += 4;
		count -= 4;
		text = r < 0 ? label : program;
		size = r < 0 ? (long)sizeof(label) - 1 : size;
	}
	if (count >= 2 && text == program)
		r = call(__NR_execve, (long)argv[0], (long)(argv + 1), (long)envp, 0);
	for (unsigned int unit = 100, error = (unsigned int)-r; unit > 0; unit /= 10)
		if (error >= unit)
			*end++ = (char)('0' + error / unit % 10);
	*end++ = '\n';
	(void)call(__NR_write, 2, (long)text, size, 0);
	(void)call(__NR_write, 2, (long)number, end - number, 0);
	for (;;)
		(void)call(__NR_exit_group,
			   text == program && (r == -ENOENT || r == -ENOTDIR) ? NOT_FOUND : NOT_INVOKABLE, 0, 0, 0);
}
