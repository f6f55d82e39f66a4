/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside a container: watch for processes that appear (exec's, or another container's in a shared pid namespace) and
 * try to get hold of them while they still are the runtime's: its program, its memory, its fds, its privileges. Ends
 * when the file that is its argument appears; "seen N" tells how many of the runtime's processes came by,
 * for a race that nobody ran in proves nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static int seen, got = -1;
static unsigned long long own_caps;

/* Only what got out is said; all that held would be thousands of lines. */
static void tried(const char *name, bool out, const char *detail)
{
	if (out)
		attack_found(name, true, detail);
	else
		attack_tried++;
}

/* The last component of what a program of the runtime is called; its launcher is meant to be seen. */
static bool is_runtime(const char *link)
{
	const char *slash = strrchr(link, '/');

	return slash && strncmp(slash + 1, "nacelle", strlen("nacelle")) == 0 && !strstr(link, "memfd:");
}

static bool link_read(char *link, const char *path)
{
	ssize_t n = readlink(path, link, PATH_MAX - 1);

	if (n < 0)
		return false;
	link[n] = '\0';
	return true;
}

static const char *of(int pid, const char *what)
{
	static char path[80];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return path;
}

static unsigned long long effective(int pid)
{
	FILE *f = fopen(of(pid, "status"), "re");
	unsigned long long caps = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "CapEff: %llx", &caps);
	if (f)
		(void)fclose(f);
	return caps;
}

static bool comm_is_runtime(int pid)
{
	FILE *f = fopen(of(pid, "comm"), "re");
	char comm[32] = "";

	if (!f)
		return false;
	(void)!fgets(comm, sizeof(comm), f);
	(void)fclose(f);
	return strncmp(comm, "nacelle", strlen("nacelle")) == 0;
}

/* The program: whoever holds it open can write it once nobody runs it. */
static void exe_take(int pid)
{
	char link[PATH_MAX];
	int fd;

	tried("saw the runtime's program", link_read(link, of(pid, "exe")) && is_runtime(link), link);
	fd = open(of(pid, "exe"), O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		attack_tried++;
		return;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (link_read(link, link) && is_runtime(link)) {
		tried("opened the runtime's program", true, link);
		got = fd;
		return;
	}
	(void)close(fd);
}

/* It has become the payload, whose own fds are no secret, or has even ended as that meanwhile. */
static bool is_payload(int pid)
{
	char link[PATH_MAX];

	if (!link_read(link, of(pid, "exe")))
		return errno == ENOENT || errno == ESRCH;
	return !is_runtime(link) && !strstr(link, "memfd:nacelle");
}

static void fds_take(int pid)
{
	char link[PATH_MAX], path[80];
	DIR *dir = opendir(of(pid, "fd"));
	struct dirent *entry;

	attack_tried++;
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		(void)snprintf(path, sizeof(path), "fd/%d", fd);
		if (*entry->d_name != '.' && fd > 2 && link_read(link, of(pid, path)) && !is_payload(pid))
			tried("saw an fd", true, link);
	}
	if (dir)
		(void)closedir(dir);
}

static void memory_take(int pid)
{
	char byte = 0;
	struct iovec mine = { &byte, 1 }, theirs = { (void *)0x400000, 1 };
	int mem = open(of(pid, "mem"), O_RDWR | O_CLOEXEC);

	/* Opening is checked against who it was; after execve it is another memory. */
	tried("opened the runtime's memory", mem >= 0 && comm_is_runtime(pid), "");
	if (mem >= 0)
		(void)close(mem);
	(void)process_vm_readv(pid, &mine, 1, &theirs, 1, 0);
	mem = open(of(pid, "environ"), O_RDONLY | O_CLOEXEC);
	tried("read the runtime's environment", mem >= 0 && comm_is_runtime(pid), "");
	if (mem >= 0)
		(void)close(mem);
}

static void trace(int pid)
{
	char link[PATH_MAX];
	int status;

	attack_tried++;
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		if (link_read(link, of(pid, "exe")) && is_runtime(link))
			tried("traced the runtime", true, link);
		if (effective(pid) & ~own_caps)
			tried("traced more capabilities than our own", true, "");
		(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	}
}

static void fd_get(int pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int fd = 3; pidfd >= 0 && fd < 12; fd++) {
		int mine = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

		tried("took an fd", mine >= 0 && !is_payload(pid), "");
		if (mine >= 0)
			(void)close(mine);
	}
	if (pidfd >= 0)
		(void)close(pidfd);
}

static void around_take(int pid)
{
	char path[PATH_MAX + 80];
	const char *file = attack_told("HOST_FILE");
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/root%s", pid, file);
	tried("the host's file by its root", access(path, F_OK) == 0, path);
	(void)snprintf(path, sizeof(path), "/proc/%d/cwd/../../../../..%s", pid, file);
	tried("the host's file by its working directory", access(path, F_OK) == 0, path);
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		tried("its mapped files", *entry->d_name != '.' && comm_is_runtime(pid), entry->d_name);
	if (dir)
		(void)closedir(dir);
}

static void attack(int pid, const char *how)
{
	if (comm_is_runtime(pid))
		seen++;
	exe_take(pid);
	fds_take(pid);
	memory_take(pid);
	fd_get(pid);
	around_take(pid);
	if (strcmp(how, "trace") == 0)
		trace(pid);
	if (strcmp(how, "kill") == 0 && comm_is_runtime(pid))
		(void)kill(pid, SIGSEGV);
}

static void look(const char *how, int last)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int pid = atoi(entry->d_name);

		if (pid > last && pid != getpid())
			attack(pid, how);
	}
	if (dir)
		(void)closedir(dir);
}

/* watch STOP-FILE [look|trace|kill] */
int main(int argc, char **argv)
{
	int last = getpid();

	if (argc < 2)
		return 2;
	own_caps = effective(getpid());
	(void)printf("watching\n");
	(void)fflush(stdout);
	while (access(argv[1], F_OK) < 0) {
		look(argc > 2 ? argv[2] : "look", last);
		/* What was only opened by then is overwritten now that it may have ended. */
		if (got >= 0) {
			char path[64];

			(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", got);
			tried("wrote the runtime's program", open(path, O_WRONLY | O_CLOEXEC) >= 0, "");
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	(void)printf("seen %d\n", seen);
	return attack_end();
}
