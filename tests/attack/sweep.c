/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything a payload can ask the kernel for that would reach the host, one line each. Groups:
 *
 *	host	what belongs to the host alone: held for every payload that has no host capabilities
 *	caps	what takes a capability over the host: held with the default capabilities, and for any root
 *		of a user namespace
 *	filter	what the default seccomp profile keeps from a payload
 *
 * HOST_PID, HOST_FILE, HOST_SOCKET (an abstract name), HOST_KEY (a serial) and HOST_SHM (an id) name
 * things of the host that must not be within reach.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static void open_for(const char *path, int how)
{
	int fd = open(path, how | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char name[300];

	(void)snprintf(name, sizeof(name), "open %s for %s", path, how == O_RDONLY ? "reading" : "writing");
	attack_answer(name, fd);
	if (fd >= 0)
		(void)close(fd);
}

/* --- host: files that steer the kernel ------------------------------------------------------------ */

static void kernel_files(void)
{
	static const char *const written[] = {
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
		"/proc/sys/kernel/panic", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/sysrq",
		"/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/kernel/usermodehelper/bset",
		"/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/randomize_va_space", "/proc/sys/vm/drop_caches",
		"/proc/sys/vm/panic_on_oom", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/suid_dumpable",
		"/proc/sys/fs/protected_symlinks", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/file-max",
		"/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/bus/pci/devices", "/proc/fs/nfsd",
		"/proc/mtrr", "/proc/kcore", "/proc/acpi/wakeup", "/proc/timer_list", "/proc/latency_stats",
		"/sys/kernel/uevent_helper", "/sys/kernel/profiling", "/sys/kernel/kexec_crash_size",
		"/sys/kernel/rcu_expedited", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/power/disk",
		"/sys/module/kernel/parameters/panic", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cgroup.kill",
		"/sys/fs/cgroup/cgroup.freeze", "/sys/fs/cgroup/cgroup.subtree_control", "/sys/fs/cgroup/release_agent",
		"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max", "/sys/bus/pci/rescan", "/sys/kernel/debug/sched_features",
		"/sys/kernel/tracing/trace", "/sys/kernel/security/lockdown", "/sys/fs/selinux/enforce",
		"/sys/firmware/acpi/interrupts/sci", "/sys/kernel/vmcoreinfo",
	};
	static const char *const shown[] = {
		"/sys/firmware/dmi/tables/DMI", "/sys/devices/virtual/powercap/intel-rapl/enabled", "/sys/kernel/debug/x",
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		struct stat st;

		/* A mask is the null device: that it opens is no way out. */
		if (stat(written[i], &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			attack_found(written[i], false, "masked");
		else
			open_for(written[i], O_WRONLY);
	}
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		open_for(shown[i], O_RDONLY);
}

/* What a mask shows must be nothing. */
static void masks_read(void)
{
	static const char *const masked[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list" };

	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++) {
		int fd = open(masked[i], O_RDONLY | O_CLOEXEC);
		char byte;
		ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);

		attack_found(masked[i], n > 0, "read behind the mask");
		if (fd >= 0)
			(void)close(fd);
	}
}

/* A mask may be the host's own null device: its inode must not be ours to change. */
static void masks_change(void)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	static const char *const masked[] = { "/proc/kcore", "/proc/timer_list", "/proc/keys" };

	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++) {
		attack_answer("chmod a mask", chmod(masked[i], 0640));
		attack_answer("chown a mask", chown(masked[i], 1000, 1000));
		attack_answer("touch a mask", utimensat(AT_FDCWD, masked[i], times, 0));
		attack_answer("mark a mask", setxattr(masked[i], "trusted.out", "x", 1, 0));
		attack_answer("unlink a mask", unlink(masked[i]));
	}
	attack_answer("write in a masked folder", open("/sys/firmware/out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void host_processes(void)
{
	pid_t pid = (pid_t)atoi(attack_told("HOST_PID"));
	char path[64], byte;
	struct iovec mine = { &byte, 1 }, theirs = { (void *)0x400000, 1 };

	attack_answer("signal a process of the host", kill(pid, 0));
	attack_answer("pidfd of a process of the host", syscall(SYS_pidfd_open, pid, 0));
	attack_answer("trace a process of the host", ptrace(PTRACE_SEIZE, pid, 0, 0));
	attack_answer("read memory of the host", process_vm_readv(pid, &mine, 1, &theirs, 1, 0));
	attack_answer("limits of a process of the host", prlimit(pid, RLIMIT_NOFILE, NULL, NULL));
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	attack_answer("root of a process of the host", open(path, O_PATH | O_CLOEXEC));
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	attack_answer("namespace of a process of the host", open(path, O_RDONLY | O_CLOEXEC));
}

static void host_files(void)
{
	const char *file = attack_told("HOST_FILE");
	char path[5000];

	attack_answer("the host's file by its path", open(file, O_RDONLY | O_CLOEXEC));
	(void)snprintf(path, sizeof(path), "/../../../../../../..%s", file);
	attack_answer("the host's file by ..", open(path, O_RDONLY | O_CLOEXEC));
	(void)snprintf(path, sizeof(path), "/proc/1/root%s", file);
	attack_answer("the host's file by /proc/1/root", open(path, O_RDONLY | O_CLOEXEC));
	(void)snprintf(path, sizeof(path), "/proc/1/cwd/../../../../..%s", file);
	attack_answer("the host's file by /proc/1/cwd", open(path, O_RDONLY | O_CLOEXEC));
}

/* What every fd that we were given leads to. Only the three standard streams are ours to have. */
static void leaked_fds(void)
{
	const char *file = attack_told("HOST_FILE");

	for (int fd = 0; fd < 1024; fd++) {
		char path[64], link[4096], name[4200];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		(void)snprintf(name, sizeof(name), "fd %d is %s", fd, link);
		attack_found(name, fd > 2, "");
		(void)snprintf(path, sizeof(path), "../../../../../../../../../../../..");
		(void)snprintf(name, sizeof(name), "%s%s", path, file);
		attack_answer("the host's file from an fd", openat(fd, name, O_RDONLY | O_CLOEXEC));
	}
}

/* The old way out of a chroot: it must end at the container's root. */
static void chroot_leave(void)
{
	int fd;

	if (fork() != 0) {
		(void)wait(NULL);
		attack_tried++;
		return;
	}
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)mkdir("/tmp/chroot", 0700);
	if (chroot("/tmp/chroot") == 0 && fchdir(fd) == 0)
		for (int i = 0; i < 64; i++)
			(void)chdir("..");
	(void)chroot(".");
	attack_answer("the host's file from behind a chroot", open(attack_told("HOST_FILE"), O_RDONLY | O_CLOEXEC));
	_exit(0);
}

static void host_talk(void)
{
	const char *name = attack_told("HOST_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)memcpy(address.sun_path + 1, name, strlen(name));
	attack_answer("an abstract socket of the host",
		      connect(sock, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))));
	(void)close(sock);
	attack_answer("shared memory of the host",
		      (long)(intptr_t)shmat(atoi(attack_told("HOST_SHM")), NULL, SHM_RDONLY) == -1 ? -1 : 0);
}

static void host_group(void)
{
	kernel_files();
	masks_read();
	masks_change();
	host_processes();
	host_files();
	leaked_fds();
	chroot_leave();
	host_talk();
}

/* --- caps ------------------------------------------------------------------------------------------ */

/* A node alone is nothing; that it opens would be. */
static void node_open(const char *name, mode_t type, unsigned int major, unsigned int minor)
{
	const char *path = "/tmp/node";
	int fd = -1;

	(void)unlink(path);
	if (mknod(path, type | 0600, makedev(major, minor)) == 0)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	attack_answer(name, fd);
	if (fd >= 0)
		(void)close(fd);
	(void)unlink(path);
}

static void nodes(void)
{
	node_open("memory of the machine", S_IFCHR, 1, 1);
	node_open("ports of the machine", S_IFCHR, 1, 4);
	node_open("messages of the kernel", S_IFCHR, 1, 11);
	node_open("first disk", S_IFBLK, 8, 0);
	node_open("first virtual disk", S_IFBLK, 254, 0);
	node_open("other virtual disk", S_IFBLK, 252, 0);
	node_open("loop control", S_IFCHR, 10, 237);
	node_open("first loop device", S_IFBLK, 7, 0);
	node_open("fuse", S_IFCHR, 10, 229);
	node_open("tun", S_IFCHR, 10, 200);
	node_open("kvm", S_IFCHR, 10, 232);
	node_open("console of the machine", S_IFCHR, 4, 0);
	node_open("mapper control", S_IFCHR, 10, 236);
}

/* Should one of these ever work, it must not harm: clocks are set to what they are, files are not there. */
static void time_and_machine(void)
{
	struct timeval now;
	struct timespec then;
	struct timex timex = { .modes = 0 };
	const struct sched_param first = { .sched_priority = 99 };

	(void)gettimeofday(&now, NULL);
	attack_permitted("settimeofday", settimeofday(&now, NULL));
	(void)clock_gettime(CLOCK_REALTIME, &then);
	attack_permitted("clock_settime", clock_settime(CLOCK_REALTIME, &then));
	(void)adjtimex(&timex);
	timex.modes = ADJ_STATUS;
	attack_permitted("adjtimex", adjtimex(&timex));
	attack_permitted("read the kernel's log", syscall(SYS_syslog, 3, (char[16]){ 0 }, 16));
	attack_permitted("iopl", syscall(SYS_iopl, 3));
	attack_permitted("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
	attack_permitted("acct", syscall(SYS_acct, "/no/such/file"));
	attack_permitted("swapon", syscall(SYS_swapon, "/no/such/file", 0));
	attack_permitted("init_module", syscall(SYS_init_module, "", 0, ""));
	attack_permitted("finit_module", syscall(SYS_finit_module, -1, "", 0));
	attack_permitted("delete_module", syscall(SYS_delete_module, "nosuch", 0));
	attack_permitted("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, -1L));
	attack_permitted("vhangup", syscall(SYS_vhangup));
	attack_permitted("real-time priority", sched_setscheduler(0, SCHED_FIFO, &first));
	attack_permitted("nicer than all", setpriority(PRIO_PROCESS, 0, -20));
	attack_permitted("io priority of real time", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

static void oom_escape(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	attack_answer("never to be killed for memory", fd < 0 ? -1 : write(fd, "-1000", 5));
	if (fd >= 0)
		(void)close(fd);
}

/* open_by_handle_at opens any inode of a file system, wherever it is mounted. */
static void handles(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[64];
	} handle = { .head = { .handle_bytes = 8, .handle_type = 1 }, .bytes = { 2 } };
	int root = open("/", O_RDONLY | O_CLOEXEC), id, fd;

	fd = open_by_handle_at(root, &handle.head, O_RDONLY);
	attack_answer("the host's root by its handle", fd);
	handle.head.handle_bytes = 64;
	if (name_to_handle_at(AT_FDCWD, "/", &handle.head, &id, 0) == 0)
		attack_answer("a root by its handle", open_by_handle_at(root, &handle.head, O_RDONLY));
	(void)close(root);
}

static void sockets_raw(void)
{
	attack_answer("raw packets", socket(AF_PACKET, SOCK_RAW, 0));
	attack_answer("raw addresses", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
}

static void capability_sets(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], more[2];

	if (syscall(SYS_capget, &head, now) < 0)
		return;
	attack_found("inheritable capabilities", now[0].inheritable || now[1].inheritable, "");
	memcpy(more, now, sizeof(more));
	more[0].permitted = more[0].effective = UINT32_MAX;
	attack_answer("more capabilities", syscall(SYS_capset, &head, more));
	memcpy(more, now, sizeof(more));
	more[0].inheritable = UINT32_MAX;
	attack_answer("more inheritable capabilities", syscall(SYS_capset, &head, more));
	/* Not in the group of what root of a user namespace may not: of its own pid namespace it may. */
	attack_permitted("reboot", syscall(SYS_reboot, 0xfee1dead, 0x28121969, -1, NULL));
	attack_answer("ambient capability", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

static void mounts_change(void)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };

	attack_answer("mount a tmpfs", mount("t", "/tmp", "tmpfs", 0, ""));
	attack_answer("mount a procfs", mount("p", "/tmp", "proc", 0, ""));
	attack_answer("mount a sysfs", mount("s", "/tmp", "sysfs", 0, ""));
	attack_answer("mount a cgroup2", mount("c", "/tmp", "cgroup2", 0, ""));
	attack_answer("mount a cgroup v1", mount("c", "/tmp", "cgroup", 0, "rdma"));
	attack_answer("mount a debugfs", mount("d", "/tmp", "debugfs", 0, ""));
	attack_answer("mount a devtmpfs", mount("d", "/tmp", "devtmpfs", 0, ""));
	attack_answer("bind the root", mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL));
	attack_answer("make /proc/sys writable", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
	attack_answer("make the cgroup writable", mount(NULL, "/sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND, NULL));
	attack_answer("make /proc/sys writable by attributes",
		      syscall(SYS_mount_setattr, AT_FDCWD, "/proc/sys", 0, &writable, sizeof(writable)));
	attack_answer("take a mask away", umount2("/proc/kcore", MNT_DETACH));
	attack_answer("take a folder's mask away", umount2("/sys/firmware", MNT_DETACH));
	attack_answer("make the root shared", mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
	attack_answer("fsopen", syscall(SYS_fsopen, "proc", 0));
	attack_answer("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	attack_answer("pivot_root", syscall(SYS_pivot_root, "/", "/"));
	attack_answer("leave the mount namespace", unshare(CLONE_NEWNS));
	attack_answer("leave the cgroup namespace", unshare(CLONE_NEWCGROUP));
}

static void caps_group(void)
{
	nodes();
	time_and_machine();
	oom_escape();
	handles();
}

/* What root of a user namespace has in its own namespaces, and the default capabilities do not. */
static void sets_group(void)
{
	capability_sets();
	sockets_raw();
}

/* --- filter ---------------------------------------------------------------------------------------- */

static void filter_group(void)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{ "bpf", SYS_bpf }, { "perf_event_open", SYS_perf_event_open }, { "userfaultfd", SYS_userfaultfd },
		{ "io_uring_setup", SYS_io_uring_setup }, { "io_uring_enter", SYS_io_uring_enter },
		{ "io_uring_register", SYS_io_uring_register }, { "add_key", SYS_add_key },
		{ "request_key", SYS_request_key }, { "keyctl", SYS_keyctl }, { "setns", SYS_setns },
		{ "clone3", SYS_clone3 }, { "mount", SYS_mount }, { "umount2", SYS_umount2 },
		{ "pivot_root", SYS_pivot_root }, { "fsopen", SYS_fsopen }, { "fsmount", SYS_fsmount },
		{ "fspick", SYS_fspick }, { "fsconfig", SYS_fsconfig }, { "move_mount", SYS_move_mount },
		{ "open_tree", SYS_open_tree }, { "mount_setattr", SYS_mount_setattr },
		{ "open_by_handle_at", SYS_open_by_handle_at }, { "kexec_load", SYS_kexec_load },
		{ "kexec_file_load", SYS_kexec_file_load }, { "init_module", SYS_init_module },
		{ "finit_module", SYS_finit_module }, { "delete_module", SYS_delete_module }, { "reboot", SYS_reboot },
		{ "swapon", SYS_swapon }, { "swapoff", SYS_swapoff }, { "acct", SYS_acct }, { "quotactl", SYS_quotactl },
		{ "settimeofday", SYS_settimeofday }, { "clock_settime", SYS_clock_settime },
		{ "iopl", SYS_iopl }, { "ioperm", SYS_ioperm }, { "syslog", SYS_syslog },
		{ "uselib", SYS_uselib }, { "ustat", SYS_ustat }, { "sysfs", SYS_sysfs }, { "vhangup", SYS_vhangup },
		{ "lookup_dcookie", SYS_lookup_dcookie }, { "nfsservctl", SYS_nfsservctl },
		{ "fanotify_init", SYS_fanotify_init }, { "move_pages", SYS_move_pages },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char name[64];
		long r;

		/* Arguments that no kernel accepts: EINVAL, EFAULT or EBADF mean that it was asked. */
		errno = 0;
		r = syscall(calls[i].number, -1L, -1L, -1L, -1L, -1L, -1L);
		(void)snprintf(name, sizeof(name), "the filter lets %s through", calls[i].name);
		attack_found(name, r >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
	}
	attack_answer("a new user namespace", unshare(CLONE_NEWUSER));
	attack_answer("a clone with a user namespace", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	attack_answer("AF_ALG", socket(38, SOCK_SEQPACKET, 0));
	attack_answer("AF_VSOCK", socket(40, SOCK_STREAM, 0));
	attack_answer("personality READ_IMPLIES_EXEC", syscall(SYS_personality, 0x0400000UL));
	attack_answer("personality ADDR_NO_RANDOMIZE", syscall(SYS_personality, 0x0040000UL));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "host") == 0)
			host_group();
		else if (strcmp(argv[i], "caps") == 0)
			caps_group();
		else if (strcmp(argv[i], "sets") == 0)
			sets_group();
		else if (strcmp(argv[i], "mounts") == 0)
			mounts_change();
		else if (strcmp(argv[i], "filter") == 0)
			filter_group();
		else
			return 2;
	}
	return attack_end();
}
