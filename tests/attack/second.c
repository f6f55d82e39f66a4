/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a second reader tried, after sweep.c: what is shared with the host in spite of namespaces. Groups:
 *
 *	calls	calls that reach by user, by number or by handle rather than by name
 *	nodes	device nodes that sweep.c does not make, those of terminals above all
 *	own	what root of a user namespace may mount and take away, and what it finds there
 *	nested	the same in one more user namespace
 *
 * HOST_NSDELEGATE, besides what sweep.c is told: "no" where the host's cgroup2 is mounted without it.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static pid_t host_pid(void)
{
	return (pid_t)atoi(attack_told("HOST_PID"));
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void others_by_number(void)
{
	char byte = 0;
	struct iovec part = { &byte, 1 }, theirs = { (void *)0x400000, 1 };
	unsigned long nodes = 1;
	cpu_set_t cpus;
	void *head;
	size_t size;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	attack_answer("affinity of a process of the host", sched_setaffinity(host_pid(), sizeof(cpus), &cpus));
	attack_answer("futexes of a process of the host", syscall(SYS_get_robust_list, host_pid(), &head, &size));
	attack_answer("pages of a process of the host", syscall(SYS_move_pages, host_pid(), 0, NULL, NULL, NULL, 0));
	attack_answer("nodes of a process of the host", syscall(SYS_migrate_pages, host_pid(), 8, &nodes, &nodes));
	attack_answer("compare with a process of the host", syscall(SYS_kcmp, getpid(), host_pid(), 0, 0, 0));
	attack_answer("write memory of the host", process_vm_writev(host_pid(), &part, 1, &theirs, 1, 0));
	attack_answer("advice for memory by what is no pidfd", syscall(SYS_process_madvise, 2, &part, 1, 20, 0));
	attack_answer("an fd by what is no pidfd", syscall(SYS_pidfd_getfd, 2, 0, 0));
	attack_answer("queue a signal to the host", sigqueue(host_pid(), 0, (union sigval){ .sival_int = 0 }));
}

/* These name a user, and root is also the host's: only those that we see may be meant. The test looks at the host. */
static void others_by_user(void)
{
	attack_answer("priority of a process of the host", setpriority(PRIO_PROCESS, (id_t)host_pid(), 7));
	(void)setpriority(PRIO_USER, 0, 7);
	(void)syscall(SYS_ioprio_set, 3, 0, 3 << 13 | 7);
}

static void shared_memory_list(void)
{
	struct shmid_ds about;
	struct shm_info info;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info), seen = 0;

	for (int i = 0; i <= last; i++)
		seen += shmctl(i, SHM_STAT, &about) >= 0;
	attack_found("segments of shared memory of others", seen > 0, "");
	attack_answer("remove shared memory of the host", shmctl(atoi(attack_told("HOST_SHM")), IPC_RMID, NULL));
}

static void kernel_reach(void)
{
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(perf), .config = PERF_COUNT_SW_CPU_CLOCK };
	union bpf_attr bpf = { .start_id = 0 };
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char word = 3;

	attack_answer("events of the whole machine", syscall(SYS_perf_event_open, &perf, -1, 0, -1, 0));
	attack_answer("programs of bpf of the host", syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &bpf, sizeof(bpf)));
	memset(&bpf, 0, sizeof(bpf));
	bpf.map_id = 1;
	attack_answer("a map of bpf of the host", syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &bpf, sizeof(bpf)));
	attack_answer("files as they are opened", fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
	attack_answer("quotas off by an fd", syscall(SYS_quotactl_fd, root, QCMD(Q_QUOTAOFF, USRQUOTA), 0, NULL));
	attack_answer("quotas off", quotactl(QCMD(Q_QUOTAOFF, USRQUOTA), "/dev/vda", 0, NULL));
	attack_answer("writeback without limits", prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	attack_answer("text of the console", ioctl(0, TIOCLINUX, &word));
	attack_answer("the console's messages", ioctl(0, TIOCCONS, NULL));
	attack_answer("a session's terminal", ioctl(0, TIOCSCTTY, 1));
	(void)close(root);
}

/* The audit system has no namespaces. Held: no socket, no answer, or a refusal. */
static void audit_change(void)
{
	struct {
		struct nlmsghdr header;
		struct audit_status status;
	} request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = AUDIT_SET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[512];
	} answer = { .error.error = -EPERM };
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (sock >= 0 && send(sock, &request, sizeof(request), 0) > 0)
		(void)recv(sock, &answer, sizeof(answer), 0);
	attack_found("settings of the audit system", answer.error.error == 0, "");
	if (sock >= 0)
		(void)close(sock);
}

/* A message that says it is of another process, as daemons believe it. */
static void credentials_forge(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct ucred who = { .pid = host_pid(), .uid = getuid(), .gid = getgid() };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(who)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_CREDENTIALS,
	};
	memcpy(CMSG_DATA(&control.header), &who, sizeof(who));
	attack_answer("a message in the name of a process of the host", sendmsg(ends[0], &message, 0));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void calls_group(void)
{
	others_by_number();
	others_by_user();
	shared_memory_list();
	kernel_reach();
	audit_change();
	credentials_forge();
}

/* --- nodes ----------------------------------------------------------------------------------------- */

static void nodes_group(void)
{
	static const struct {
		const char *name;
		mode_t type;
		unsigned int major, minor;
	} nodes[] = {
		{ "the machine's console", S_IFCHR, 5, 1 }, { "a serial line", S_IFCHR, 4, 64 },
		{ "the first terminal of the host", S_IFCHR, 136, 0 }, { "the second terminal of the host", S_IFCHR, 136, 1 },
		{ "a virtual console", S_IFCHR, 4, 1 }, { "a console's memory", S_IFCHR, 7, 1 },
		{ "watchdog", S_IFCHR, 10, 130 }, { "snapshot of the memory", S_IFCHR, 10, 231 },
		{ "user input", S_IFCHR, 10, 223 }, { "autofs", S_IFCHR, 10, 235 }, { "vhost", S_IFCHR, 10, 238 },
		{ "btrfs control", S_IFCHR, 10, 234 }, { "machine checks", S_IFCHR, 10, 227 }, { "ppp", S_IFCHR, 108, 0 },
		{ "msr", S_IFCHR, 202, 0 }, { "cpuid", S_IFCHR, 203, 0 }, { "sg", S_IFCHR, 21, 0 },
		{ "nvme", S_IFBLK, 259, 0 }, { "device mapper", S_IFBLK, 253, 0 }, { "ram disk", S_IFBLK, 1, 0 },
		{ "md", S_IFBLK, 9, 0 }, { "input event", S_IFCHR, 13, 64 },
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		int fd = -1;

		(void)unlink("/tmp/node");
		if (mknod("/tmp/node", nodes[i].type | 0600, makedev(nodes[i].major, nodes[i].minor)) == 0)
			fd = open("/tmp/node", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		attack_answer(nodes[i].name, fd);
		if (fd >= 0)
			(void)close(fd);
	}
	(void)unlink("/tmp/node");
}

/* --- own ------------------------------------------------------------------------------------------- */

static void file_try(int dir, const char *how, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char name[200], byte;

	/* What opens and gives nothing to read, such as the null device of a mask, held as well. */
	if (fd >= 0 && flags == O_RDONLY && read(fd, &byte, 1) <= 0) {
		(void)close(fd);
		fd = -1;
	}
	(void)snprintf(name, sizeof(name), "%s: %s", how, path);
	attack_answer(name, fd);
	if (fd >= 0)
		(void)close(fd);
}

static void proc_try(int proc, const char *how)
{
	static const char *const written[] = {
		"sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/sysrq", "sys/kernel/panic",
		"sys/kernel/randomize_va_space", "sys/kernel/printk", "sys/kernel/kptr_restrict", "sys/kernel/threads-max",
		"sys/kernel/unprivileged_bpf_disabled", "sys/kernel/usermodehelper/bset", "sys/vm/drop_caches",
		"sys/vm/overcommit_memory", "sys/vm/mmap_min_addr", "sys/fs/suid_dumpable", "sys/fs/protected_hardlinks",
		"sys/fs/file-max", "sys/net/core/bpf_jit_enable", "sysrq-trigger", "irq/default_smp_affinity",
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++)
		file_try(proc, how, written[i], O_WRONLY);
	file_try(proc, how, "kcore", O_RDONLY);
	file_try(proc, how, "kmsg", O_RDONLY);
}

static void sys_try(int sys, const char *how)
{
	static const char *const written[] = {
		"kernel/uevent_helper", "kernel/kexec_crash_size", "kernel/profiling", "kernel/mm/ksm/run",
		"kernel/mm/transparent_hugepage/enabled", "power/state", "power/wake_lock", "bus/pci/rescan",
		"devices/system/cpu/cpu0/online", "devices/system/cpu/microcode/reload", "devices/system/memory/probe",
		"module/kernel/parameters/panic", "module/kvm/parameters/halt_poll_ns", "block/loop0/uevent",
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++)
		file_try(sys, how, written[i], O_WRONLY);
	file_try(sys, how, "firmware/dmi/tables/DMI", O_RDONLY);
}

/* Anybody may open what root owns; with nsdelegate the kernel refuses what is written, and without it nobody does. */
static void cgroup_try(int dir, const char *how)
{
	static const char *const written[][2] = {
		{ "memory.max", "max" }, { "pids.max", "max" }, { "cpu.max", "max" }, { "cgroup.max.depth", "max" },
		{ "cgroup.max.descendants", "max" }, { "cgroup.freeze", "0" },
	};

	if (strcmp(attack_told("HOST_NSDELEGATE"), "no") == 0)
		return;
	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		int fd = openat(dir, written[i][0], O_WRONLY | O_CLOEXEC);
		char name[200];

		(void)snprintf(name, sizeof(name), "%s: %s", how, written[i][0]);
		attack_answer(name, fd < 0 ? -1 : write(fd, written[i][1], strlen(written[i][1])));
		if (fd >= 0)
			(void)close(fd);
	}
}

/* Each file system that may be had once more is looked through; that it may be had is no way out. */
static void fresh_try(const char *type, void (*inside)(int dir, const char *how))
{
	char how[64];
	int dir;

	(void)snprintf(how, sizeof(how), "a fresh %s", type);
	if (mount(type, "/tmp/fresh", type, 0, "") < 0) {
		attack_found(how, false, strerror(errno));
		return;
	}
	dir = open("/tmp/fresh", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	inside(dir, how);
	(void)close(dir);
	(void)umount2("/tmp/fresh", MNT_DETACH);
}

/* What lies behind masks and read-only mounts: a copy of the tree without what was mounted on it. */
static void masks_leave(void)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };
	int proc = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
	int sys = (int)syscall(SYS_open_tree, AT_FDCWD, "/sys", 1 | O_CLOEXEC);

	if (proc >= 0)
		proc_try(proc, "a copy of /proc without its masks");
	if (sys >= 0) {
		(void)syscall(SYS_mount_setattr, sys, "", AT_EMPTY_PATH, &writable, sizeof(writable));
		sys_try(sys, "a copy of /sys without its masks");
	}
	(void)umount2("/proc/kcore", MNT_DETACH);
	(void)umount2("/proc/sysrq-trigger", MNT_DETACH);
	(void)umount2("/proc/sys", MNT_DETACH);
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	proc_try(proc, "/proc whose masks were taken away");
	(void)close(proc);
}

/* Another root, and what it stood on taken away: above it there must be nothing. */
static void root_leave(void)
{
	char path[4200];

	(void)mkdir("/tmp/root", 0700);
	if (mount("t", "/tmp/root", "tmpfs", 0, "") < 0 || chdir("/tmp/root") < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		attack_found("leave the root by another", false, strerror(errno));
	(void)snprintf(path, sizeof(path), "../../../../../..%s", attack_told("HOST_FILE"));
	attack_answer("the host's file from another root", open(path, O_RDONLY | O_CLOEXEC));
	attack_answer("the host's file after it", open(attack_told("HOST_FILE"), O_RDONLY | O_CLOEXEC));
}

static void own_group(void)
{
	static const char *const refused[] = {
		"debugfs", "tracefs", "securityfs", "configfs", "devtmpfs", "pstore", "efivarfs", "selinuxfs", "cgroup", "resctrl",
	};

	(void)unshare(CLONE_NEWNS);
	(void)mkdir("/tmp/fresh", 0700);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		attack_answer(refused[i], mount(refused[i], "/tmp/fresh", refused[i], 0, ""));
	attack_answer("a disk", mount("/dev/vda", "/tmp/fresh", "ext4", MS_RDONLY, ""));
	fresh_try("proc", proc_try);
	fresh_try("sysfs", sys_try);
	fresh_try("cgroup2", cgroup_try);
	masks_leave();
	root_leave();
}

static void text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	(void)close(fd);
}

/* What is tried inside says so itself; here it counts as one. */
static void nested_group(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP) < 0)
			_exit(0);
		text_write("/proc/self/setgroups", "deny");
		text_write("/proc/self/uid_map", "0 0 1");
		text_write("/proc/self/gid_map", "0 0 1");
		pid = fork();
		if (pid == 0) {
			own_group();
			_exit(0);
		}
		(void)waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? 0 : 1);
	}
	(void)waitpid(pid, &status, 0);
	attack_found("one more user namespace", !WIFEXITED(status) || WEXITSTATUS(status) != 0, "looked through");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} groups[] = {
		{ "calls", calls_group }, { "nodes", nodes_group }, { "own", own_group }, { "nested", nested_group },
	};

	for (int i = 1; i < argc; i++)
		for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++)
			if (strcmp(argv[i], groups[g].name) == 0)
				groups[g].run();
	return attack_end();
}
