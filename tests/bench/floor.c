/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor: the physical limit that `run` is held against. It makes the system calls that a container
 * of OCI's default configuration needs, and nothing else: no parsing, no state, no libc.
 *
 * What is written here was the quickest of what was tried; README.md has the list. System calls are
 * made directly, so that the program can be built without libc (-ffreestanding), whose start costs
 * a sixth of the whole, and with it too. The child shares our memory and we sleep until it has
 * exec'd (CLONE_VM | CLONE_VFORK), so it must never return. --stamps prints where the time went.
 */
#include <asm/ioctls.h>
#include <asm/unistd.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const unsigned char launcher[] = {
#include "launcher.h"
};

#ifndef __x86_64__
#error "floor makes its system calls by hand and knows x86-64 alone"
#endif

#define KEPT_CAPS (1U << CAP_AUDIT_WRITE | 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE)
#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)
/* The C library's names for flags that kernel headers keep to themselves. */
#define PATH_MAX_LEN         4096
#define DETACH               2
#define RESOURCE_NOFILE      7
#define INET_FAMILY          2
#define DGRAM_CLOEXEC        (2 | 02000000)
#define INTERFACE_UP_RUNNING (0x1 | 0x40)
#define SIGNAL_CHILD         17
#define ARGS_MAX             8

struct floor {
	const char *root;
	char **argv;
	char **envp;
	bool direct;	/* execve the payload itself, and leave /proc/self/exe to it */
};

static struct {
	struct {
		const char *what;
		int64_t ns;
	} at[48];
	unsigned int count;
	bool wanted;
} stamps;

/* Inline, always: the child comes back from clone3 on its parent's stack. */
__attribute__((always_inline)) static inline long call6(long nr, long a, long b, long c, long d,
							long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#define CALL(name, a, b, c, d, e) \
	call6(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void say(int fd, const char *text)
{
	(void)CALL(write, fd, text, length(text), 0, 0);
}

/* Writes @n in decimal before @end, which is one past the room; returns where it starts. */
static char *decimal(char *end, uint64_t n)
{
	*--end = '\0';
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

static long check(const char *what, long r)
{
	char digits[24];

	if (r >= 0)
		return r;
	say(2, "floor: ");
	say(2, what);
	say(2, ": errno ");
	say(2, decimal(digits + sizeof(digits), (uint64_t)-r));
	say(2, "\n");
	(void)CALL(exit_group, 125, 0, 0, 0, 0);
	__builtin_unreachable();
}

static void stamp(const char *what)
{
	struct timespec t;

	if (!stamps.wanted || stamps.count == sizeof(stamps.at) / sizeof(stamps.at[0]))
		return;
	(void)CALL(clock_gettime, CLOCK_MONOTONIC, &t, 0, 0, 0);
	stamps.at[stamps.count].what = what;
	stamps.at[stamps.count++].ns = t.tv_sec * 1000000000L + t.tv_nsec;
}

static void stamp_line(const char *what, int64_t ns)
{
	char digits[24];
	const char *us = decimal(digits + sizeof(digits), (uint64_t)ns / 1000);

	for (size_t n = length(us); n < 8; n++)
		say(1, " ");
	say(1, us);
	say(1, " us  ");
	say(1, what);
	say(1, "\n");
}

static void stamps_print(void)
{
	for (unsigned int i = 1; i < stamps.count; i++)
		stamp_line(stamps.at[i].what, stamps.at[i].ns - stamps.at[i - 1].ns);
	if (stamps.count)
		stamp_line("all", stamps.at[stamps.count - 1].ns - stamps.at[0].ns);
}

static void mount_new(const char *type, const char *target, unsigned long flags, const char *data)
{
	(void)check(target, CALL(mount, type, target, type, flags, data));
	stamp(target);
}

static void bind(const char *source, const char *target)
{
	(void)check(target, CALL(mount, source, target, 0, MS_BIND | MS_REC, 0));
}

static void make_read_only(const char *target)
{
	(void)check(target, CALL(mount, 0, target, 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
}

static void mount_root(const char *root)
{
	(void)check("make mounts private", CALL(mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0));
	bind(root, root);
	(void)check(root, CALL(chdir, root, 0, 0, 0, 0));
	make_read_only(".");
	stamp("make mounts private, bind the root read-only");
}

/* Relative to the root, where we stand; umask is 0. */
static void mount_all(void)
{
	const unsigned long tight = MS_NOSUID | MS_NOEXEC | MS_NODEV;

	mount_new("proc", "proc", 0, 0);
	mount_new("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	(void)check("dev/pts", CALL(mkdir, "dev/pts", 0755, 0, 0, 0));
	(void)check("dev/shm", CALL(mkdir, "dev/shm", 0755, 0, 0, 0));
	(void)check("dev/mqueue", CALL(mkdir, "dev/mqueue", 0755, 0, 0, 0));
	mount_new("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620,gid=5");
	mount_new("tmpfs", "dev/shm", tight, "mode=1777,size=65536k");
	mount_new("mqueue", "dev/mqueue", tight, 0);
	mount_new("sysfs", "sys", tight | MS_RDONLY, 0);
	mount_new("cgroup2", "sys/fs/cgroup", tight | MS_RELATIME | MS_RDONLY, 0);
}

static void make_devices(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = {
		{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 },   { "dev/full", 1, 7 },
		{ "dev/tty", 5, 0 },  { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 },
	};
	static const struct {
		const char *path, *to;
	} links[] = {
		{ "dev/fd", "/proc/self/fd" },       { "dev/stdin", "/proc/self/fd/0" },
		{ "dev/stdout", "/proc/self/fd/1" }, { "dev/stderr", "/proc/self/fd/2" },
		{ "dev/ptmx", "pts/ptmx" },
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		(void)check(nodes[i].path, CALL(mknod, nodes[i].path, S_IFCHR | 0666,
						nodes[i].major << 8 | nodes[i].minor, 0, 0));
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		(void)check(links[i].path, CALL(symlink, links[i].to, links[i].path, 0, 0, 0));
	stamp("device nodes and links");
}

/* One empty read-only tmpfs serves all folders. What this kernel does not have needs no mask. */
static void mask_paths(void)
{
	static const char *const dirs[] = { "proc/acpi", "proc/asound", "proc/scsi",
					    "sys/firmware" };
	static const char *const files[] = { "proc/kcore",         "proc/keys",
					     "proc/latency_stats", "proc/timer_list",
					     "proc/timer_stats",   "proc/sched_debug" };
	const char *empty = 0;
	long r;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (empty)
			r = CALL(mount, empty, dirs[i], 0, MS_BIND, 0);
		else
			r = CALL(mount, "tmpfs", dirs[i], "tmpfs", MS_RDONLY, "size=0k");
		if (r == 0 && !empty)
			empty = dirs[i];
		if (r != -ENOENT)
			(void)check(dirs[i], r);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		r = CALL(mount, "dev/null", files[i], 0, MS_BIND, 0);
		if (r != -ENOENT)
			(void)check(files[i], r);
	}
	stamp("masked paths");
}

static void freeze_paths(void)
{
	static const char *const paths[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys",
					     "proc/sysrq-trigger" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		long r = CALL(mount, paths[i], paths[i], 0, MS_BIND | MS_REC, 0);

		if (r == -ENOENT)
			continue;
		(void)check(paths[i], r);
		make_read_only(paths[i]);
	}
	stamp("read-only paths");
}

static void switch_root(void)
{
	(void)check("pivot_root", CALL(pivot_root, ".", ".", 0, 0, 0));
	stamp("pivot_root");
	(void)check("umount", CALL(umount2, ".", DETACH, 0, 0, 0));
	(void)check("chdir", CALL(chdir, "/", 0, 0, 0, 0));
	stamp("detach the old root");
}

static void loopback_up(void)
{
	struct {
		char name[16];
		short flags;
		char pad[22];
	} request = { .name = "lo", .flags = INTERFACE_UP_RUNNING };
	long fd = check("socket", CALL(socket, INET_FAMILY, DGRAM_CLOEXEC, 0, 0, 0));

	/* The exec closes it. */
	(void)check("lo", CALL(ioctl, fd, SIOCSIFFLAGS, &request, 0, 0));
	stamp("lo up");
}

static void limit_process(void)
{
	struct {
		uint64_t current, max;
	} files = { 1024, 1024 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { .effective = KEPT_CAPS,
						    .permitted = KEPT_CAPS } };

	(void)check("setsid", CALL(setsid, 0, 0, 0, 0, 0));
	(void)check("sethostname", CALL(sethostname, "floor", 5, 0, 0, 0));
	(void)check("prlimit", CALL(prlimit64, 0, RESOURCE_NOFILE, &files, 0, 0));
	(void)CALL(umask, 022, 0, 0, 0, 0);
	(void)check("setgroups", CALL(setgroups, 0, 0, 0, 0, 0));
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap > 31 || !(KEPT_CAPS & 1U << cap))
			(void)check("drop from the bounding set",
				    CALL(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0));
	(void)check("capset", CALL(capset, &header, caps, 0, 0, 0));
	(void)check("ambient", CALL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	(void)check("no_new_privs", CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	(void)check("close_range", CALL(close_range, 3, ~0U, 1U << 2, 0, 0));
	stamp("session, hostname, limit, capabilities");
}

/* The payload is executed by a tiny program in sealed memory, so that none of its interpreters is /proc/self/exe. */
__attribute__((noreturn)) static void launch(const struct floor *f)
{
	static char *args[ARGS_MAX + 2];
	long fd = check("memfd_create", CALL(memfd_create, "floor-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0));

	(void)check("write the launcher", CALL(write, fd, launcher, sizeof(launcher), 0, 0));
	(void)check("seal the launcher", CALL(fcntl, fd, F_ADD_SEALS,
					      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, 0, 0));
	args[0] = f->argv[0];
	for (size_t i = 0; i < ARGS_MAX && f->argv[i]; i++)
		args[i + 1] = f->argv[i];
	(void)check("the launcher", CALL(execveat, fd, "", args, f->envp, AT_EMPTY_PATH));
	__builtin_unreachable();
}

__attribute__((noreturn)) static void child(const struct floor *f)
{
	stamp("clone3");
	(void)CALL(umask, 0, 0, 0, 0, 0);
	mount_root(f->root);
	mount_all();
	make_devices();
	mask_paths();
	freeze_paths();
	switch_root();
	loopback_up();
	limit_process();
	if (!f->direct)
		launch(f);
	(void)check(f->argv[0], CALL(execve, f->argv[0], f->argv, f->envp, 0, 0));
	__builtin_unreachable();
}

/* What the default "deny all" of `linux.resources.devices` comes to: making nodes is allowed, using
 * them only for those of the default list. */
static void filter_devices(long cgroup)
{
#define LOAD(to, field) \
	{ \
		BPF_LDX | BPF_MEM | BPF_W, to, 1, offsetof(struct bpf_cgroup_dev_ctx, field), 0 \
	}
#define IF(op, reg, value, skip) \
	{ \
		BPF_JMP | (op) | BPF_K, reg, 0, skip, value \
	}
#define SET(reg, value) \
	{ \
		BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value \
	}
	static const struct bpf_insn program[] = {
		LOAD(2, access_type),
		LOAD(4, major),
		LOAD(5, minor),
		SET(0, 1),
		IF(BPF_JSET, 2, (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE) << 16, 1),
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
		IF(BPF_JSET, 2, BPF_DEVCG_DEV_BLOCK, 12),
		IF(BPF_JEQ, 4, 136, 12),
		IF(BPF_JEQ, 4, 5, 7),
		IF(BPF_JNE, 4, 1, 9),
		IF(BPF_JEQ, 5, 3, 9),
		IF(BPF_JEQ, 5, 5, 8),
		IF(BPF_JEQ, 5, 7, 7),
		IF(BPF_JEQ, 5, 8, 6),
		IF(BPF_JEQ, 5, 9, 5),
		IF(BPF_JEQ, 4, 1, 3),
		IF(BPF_JEQ, 5, 0, 3),
		IF(BPF_JEQ, 5, 1, 2),
		IF(BPF_JEQ, 5, 2, 1),
		SET(0, 0),
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
#undef LOAD
#undef IF
#undef SET
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.insns = (uintptr_t)program,
		.license = (uintptr_t) "GPL",
	};
	union bpf_attr attach = {
		.target_fd = (uint32_t)cgroup,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	attach.attach_bpf_fd = (uint32_t)check("load the device filter",
					       CALL(bpf, BPF_PROG_LOAD, &load, sizeof(load), 0, 0));
	(void)check("attach the device filter",
		    CALL(bpf, BPF_PROG_ATTACH, &attach, sizeof(attach), 0, 0));
	stamp("device filter");
}

/* Writes "PARENT/floor-PID". */
static void cgroup_name(char *to, const char *parent)
{
	char digits[24];
	const char *const parts[] = { parent, "/floor-",
				      decimal(digits + sizeof(digits),
					      (uint64_t)CALL(getpid, 0, 0, 0, 0, 0)) };
	size_t n = 0;

	for (size_t i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p; p++)
			if (n < PATH_MAX_LEN - 1)
				to[n++] = *p;
	to[n] = '\0';
}

static int run(const struct floor *f, const char *parent, bool devices)
{
	char name[PATH_MAX_LEN];
	int status = 0;

	stamp("");
	cgroup_name(name, parent);
	(void)check(name, CALL(mkdir, name, 0755, 0, 0, 0));
	long cgroup = check(name, CALL(open, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0));
	stamp("make the cgroup");
	if (devices)
		filter_devices(cgroup);

	struct clone_args args = {
		.flags = NAMESPACES | CLONE_INTO_CGROUP | CLONE_VM | CLONE_VFORK,
		.exit_signal = SIGNAL_CHILD,
		.cgroup = (uint64_t)cgroup,
	};
	long pid = CALL(clone3, &args, sizeof(args), 0, 0, 0);
	if (pid == 0)
		child(f);
	(void)check("clone3", pid);
	stamp("execve");
	(void)check("wait", CALL(wait4, pid, &status, 0, 0, 0));
	stamp("the payload's life, and the end of its namespaces");
	(void)check(name, CALL(rmdir, name, 0, 0, 0, 0));
	stamp("remove the cgroup");
	stamps_print();
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

int main(int argc, char **argv, char **envp);
int main(int argc, char **argv, char **envp)
{
	static char path[] = "/bin/true";
	static char *payload[] = { path, 0 };
	bool devices = false, direct = false;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		if (equal(argv[1], "--stamps"))
			stamps.wanted = true;
		else if (equal(argv[1], "--devices"))
			devices = true;
		else if (equal(argv[1], "--direct"))
			direct = true;
		else
			argc = 0;
	}
	if (argc < 3) {
		say(2,
		    "usage: floor [--stamps] [--devices] [--direct] ROOTFS CGROUP_PARENT_DIR [COMMAND [ARG]...]\n");
		return 125;
	}
	struct floor f = { .root = argv[1], .argv = argc > 3 ? argv + 3 : payload, .envp = envp, .direct = direct };
	return run(&f, argv[2], devices);
}

#if !__STDC_HOSTED__
__attribute__((noreturn, used)) static void begin(long *stack)
{
	char **argv = (char **)(stack + 1);

	(void)CALL(exit_group, main((int)stack[0], argv, argv + stack[0] + 1), 0, 0, 0, 0);
	__builtin_unreachable();
}

/* The kernel leaves argc, argv and the environment on the stack. */
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
#endif
