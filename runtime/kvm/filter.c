/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of what each thread needs, turned into the kernel's own filter language: so few rules need
 * no library, and the monitor links none. Of ioctl and of mmap only the forms that are used pass. A
 * thread that calls anything else ends the whole process: it is no longer ours.
 * Source: Documentation/userspace-api/seccomp_filter.rst.
 */
#include "runtime/kvm/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* What is asked of an argument: its low 32 bits are `value`, or have none of its bits. */
enum test { ANY, EQUAL, WITHOUT };

struct rule {
	uint32_t call;
	enum test test;
	uint32_t argument, value;
};

/* clang-format off */
#define CALL(name) { .call = SYS_##name }
#define CALL_IF(name, what, which, of) \
	{ .call = SYS_##name, .test = (what), .argument = (which), .value = (of) }
/* clang-format on */

/* Any thread: locks, the signal that interrupts it, a line for the log, its end. */
static const struct rule common[] = {
	CALL(futex),   CALL(rt_sigreturn),  CALL(rt_sigprocmask), CALL(write),
	CALL(madvise), CALL(clock_gettime), CALL(exit),           CALL(exit_group),
};

static const struct rule vcpu[] = {
	CALL_IF(ioctl, EQUAL, 1, KVM_RUN),
	CALL_IF(ioctl, EQUAL, 1, KVM_KVMCLOCK_CTRL),
	CALL_IF(ioctl, EQUAL, 1, KVM_SET_MSRS),
	CALL(poll),
};

/* A loop, malloc and free, mappings that are never code, data of files. */
static const struct rule loops[] = {
	CALL(epoll_wait),
	CALL(epoll_ctl),
	CALL(read),
	CALL(close),
	CALL_IF(mmap, WITHOUT, 2, PROT_EXEC),
	CALL_IF(mprotect, WITHOUT, 2, PROT_EXEC),
	CALL(munmap),
	CALL(mremap),
	CALL(brk),
	CALL(preadv),
	CALL(pwritev),
	CALL(fdatasync),
	CALL(fallocate),
};

static const struct rule devices[] = {
	CALL(readv),
	CALL(writev),
	CALL(poll),
	CALL(accept4),
	CALL(shutdown),
	CALL(getrandom),
	CALL_IF(ioctl, EQUAL, 1, TUNSETOFFLOAD),
	/* what KVM counted; once, at the end: interrupt the vcpus */
	CALL(tgkill),
	CALL(getpid),
	CALL(pread64),
};

/* The C library makes renameat of renameat2 without flags. */
static const struct rule files[] = {
	CALL(openat),          CALL(newfstatat),
	CALL(fstatfs),         CALL_IF(fcntl, EQUAL, 1, F_DUPFD_CLOEXEC),
	CALL(getdents64),      CALL(lseek),
	CALL(readlinkat),      CALL(mkdirat),
	CALL(mknodat),         CALL(symlinkat),
	CALL(linkat),          CALL(unlinkat),
	CALL(renameat2),       CALL(renameat),
	CALL(fchownat),        CALL(chmod),
	CALL(utimensat),       CALL(ftruncate),
	CALL(fsync),           CALL(syncfs),
	CALL(copy_file_range), CALL(setxattr),
	CALL(getxattr),        CALL(listxattr),
	CALL(removexattr),
};

/* Of the one thread that serves another hypervisor's machine: what it is asked, and how that ended. */
static const struct rule server[] = {
	CALL(recvmsg),
	CALL(waitid),
};

/* The vcpus' threads are gone by then, and so is whoever could ask for any of it. */
static const struct rule maker[] = {
	CALL_IF(ioctl, EQUAL, 1, KVM_RUN),
	CALL_IF(ioctl, EQUAL, 1, KVM_CHECK_EXTENSION),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_MSR_INDEX_LIST),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_MP_STATE),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_REGS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_SREGS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_XSAVE),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_XCRS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_DEBUGREGS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_LAPIC),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_MSRS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_VCPU_EVENTS),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_IRQCHIP),
	CALL_IF(ioctl, EQUAL, 1, KVM_GET_CLOCK),
	CALL(mincore),
	CALL(ftruncate),
	CALL(pwrite64),
};

enum { PARTS_MAX = 5 };

/* clang-format off */
#define PART(rules) { rules, ARRAY_SIZE(rules) }
/* clang-format on */

static const struct {
	const struct rule *rules;
	unsigned int count;
} tables[FILTER_THREADS][PARTS_MAX] = {
	[FILTER_VCPU] = { PART(common), PART(vcpu) },
	[FILTER_LOOP] = { PART(common), PART(loops), PART(devices) },
	[FILTER_FILES] = { PART(common), PART(loops), PART(files) },
	[FILTER_SERVER] = { PART(common), PART(loops), PART(devices), PART(files), PART(server) },
	[FILTER_MAKER] = { PART(common), PART(loops), PART(devices), PART(maker) },
};

/* The rules of a kind of thread, one after the other. Return: NULL behind the last. */
static const struct rule *rule_get(enum filter_thread thread, unsigned int i)
{
	for (unsigned int part = 0; part < PARTS_MAX; part++) {
		if (i < tables[thread][part].count)
			return &tables[thread][part].rules[i];
		i -= tables[thread][part].count;
	}
	return NULL;
}

static void put(struct filter *filter, uint16_t code, uint8_t yes, uint8_t no, uint32_t value)
{
	if (filter->size < FILTER_MAX)
		filter->code[filter->size] = (struct sock_filter)BPF_JUMP(code, value, yes, no);
	filter->size++;
}

#define LOAD   (BPF_LD | BPF_W | BPF_ABS)
#define IS     (BPF_JMP | BPF_JEQ | BPF_K)
#define HAS    (BPF_JMP | BPF_JSET | BPF_K)
#define RETURN (BPF_RET | BPF_K)

/* Load the call's number, compare; on a match judge the argument; else fall to the next rule. */
static void rule_put(struct filter *filter, const struct rule *rule)
{
	put(filter, LOAD, 0, 0, offsetof(struct seccomp_data, nr));
	put(filter, IS, 0, rule->test == ANY ? 1 : 3, rule->call);
	if (rule->test != ANY) {
		put(filter, LOAD, 0, 0,
		    offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t));
		if (rule->test == EQUAL)
			put(filter, IS, 0, 1, rule->value);
		else
			put(filter, HAS, 1, 0, rule->value);
	}
	put(filter, RETURN, 0, 0, SECCOMP_RET_ALLOW);
}

int filter_build(enum filter_thread thread, struct filter *ret)
{
	ret->size = 0;
	put(ret, LOAD, 0, 0, offsetof(struct seccomp_data, arch));
	put(ret, IS, 1, 0, AUDIT_ARCH_X86_64);
	put(ret, RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS);
	/* A number of the x32 interface has bit 30 and is none of those named. */
	for (unsigned int i = 0; rule_get(thread, i); i++)
		rule_put(ret, rule_get(thread, i));
	put(ret, RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS);
	if (ret->size > FILTER_MAX)
		return fail_plain(ENOSPC, "a filter of %u instructions", ret->size);
	return 0;
}

unsigned int filter_count(enum filter_thread thread)
{
	const struct rule *rule, *other;
	unsigned int calls = 0;

	for (unsigned int i = 0; (rule = rule_get(thread, i)); i++) {
		bool first = true;

		for (unsigned int k = 0; k < i && (other = rule_get(thread, k)); k++)
			first = first && other->call != rule->call;
		calls += first;
	}
	return calls;
}

int filter_load(enum filter_thread thread)
{
	struct filter filter;
	struct sock_fprog program;
	int r = filter_build(thread, &filter);

	if (r < 0)
		return r;
	program = (struct sock_fprog){ .len = (unsigned short)filter.size, .filter = filter.code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(errno, "set no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return fail(errno, "load a seccomp filter");
	return 0;
}
