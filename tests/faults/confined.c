/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload of the fault tests: it writes down how it is confined, as seen from inside, in /report/out, which is
 * there when it is whole. What a faultless run says is what every run must say.
 *
 *	confined	write the report, exit with 42
 *	confined wait	wait to be killed
 *
 * Numbers that differ from run to run are left out. /report/host holds the host's namespaces.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { CONFINED = 42, BROKEN = 43, OFFSET_AT_LEAST = 5000000, MOUNTS_MAX = 128 };

static char *slurp(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	if (file)
		(void)fclose(file);
	return text;
}

/* The lines of /proc/self/status that are about privileges. */
static void say_status(FILE *out)
{
	static const char *const wanted[] = { "Umask", "TracerPid", "Uid", "Gid", "Groups", "Sig", "Cap",
					      "NoNewPrivs", "Seccomp" };
	char *text = slurp("/proc/self/status"), *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0 && strncmp(line, "SigQ", 4) != 0)
				(void)fprintf(out, "%s\n", line);
	free(text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What of it, where, how, of which kind; not the numbers of mounts, devices and peer groups. Cuts @line. */
static char *mount_text(char *line)
{
	char *text = NULL, *word, *plus;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (int n = 0; (word = strsep(&line, " ")); n++) {
		if (n >= 6 && line && strchr(word, ':'))
			word[strcspn(word, ":")] = '\0';
		if (n >= 3)
			(void)fprintf(out, " %s", word);
	}
	if (fclose(out) != 0)
		return NULL;
	/* The same layers, in the one way of saying so or the other. */
	plus = strstr(text, "lowerdir+=");
	if (plus)
		memmove(plus + strlen("lowerdir"), plus + strlen("lowerdir+"), strlen(plus + strlen("lowerdir+")) + 1);
	return text;
}

/* In the alphabet's order: what does not depend on each other may be mounted in any. */
static void say_mounts(FILE *out)
{
	char *text = slurp("/proc/self/mountinfo"), *rest = text, *line, *mounts[MOUNTS_MAX] = { NULL };
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) && *line && count < MOUNTS_MAX) {
		mounts[count] = mount_text(line);
		if (mounts[count])
			count++;
	}
	qsort(mounts, count, sizeof(*mounts), by_text);
	for (size_t i = 0; i < count; i++) {
		(void)fprintf(out, "mount%s\n", mounts[i]);
		free(mounts[i]);
	}
	free(text);
}

static void say_namespaces(FILE *out)
{
	static const char *const names[] = { "pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time" };
	char *host = slurp("/report/host");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64], link[64] = "";

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (readlink(path, link, sizeof(link) - 1) < 0)
			(void)snprintf(link, sizeof(link), "none");
		(void)fprintf(out, "namespace %s %s\n", names[i],
			      strcmp(link, "none") == 0 ? link : strstr(host, link) ? "host" : "own");
	}
	free(host);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void say_folder(FILE *out, const char *folder)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, by_name);

	for (int i = 0; i < n; i++) {
		char path[512];
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && lstat(path, &st) == 0)
			(void)fprintf(out, "file %s %o %u:%u %u:%u\n", path, st.st_mode, st.st_uid, st.st_gid,
				      major(st.st_rdev), minor(st.st_rdev));
		free(entries[i]);
	}
	free(entries);
}

static void say_fds(FILE *out)
{
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0)
			(void)fprintf(out, "fd %d %o\n", fd, st.st_mode & S_IFMT);
	}
}

static void say_network(FILE *out)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock >= 0 && ioctl(sock, SIOCGIFFLAGS, &lo) == 0)
		(void)fprintf(out, "lo %s\n", lo.ifr_flags & IFF_UP ? "up" : "down");
	if (sock >= 0)
		(void)close(sock);
}

/* What is refused, by what. */
static void say_refusals(FILE *out)
{
	static const char *const files[] = { "/dev/kmsg-refused", "/proc/kcore", "/proc/sys/kernel/shm_rmid_forced",
					     "/new", "/proc/sysrq-trigger" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC | (i == 3 ? O_CREAT : 0), 0600);

		(void)fprintf(out, "open %s: %s\n", files[i], fd < 0 ? strerrorname_np(errno) : "done");
		if (fd >= 0)
			(void)close(fd);
	}
	(void)fprintf(out, "sethostname: %s\n", sethostname("x", 1) < 0 ? strerrorname_np(errno) : "done");
}

static void say_keyring(FILE *out)
{
	char text[512] = "";
	const char *name;

	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text) - 1, 0) < 0)
		(void)snprintf(text, sizeof(text), "none");
	name = strrchr(text, ';');
	(void)fprintf(out, "keyring %s\n", name ? name + 1 : text);
}

static void say_file(FILE *out, const char *path)
{
	char *text = slurp(path);

	(void)fprintf(out, "%s: %s\n", path, text);
	free(text);
}

/* What is not there says nothing: the controllers may be missing, or the whole hierarchy. */
static void say_limits(FILE *out)
{
	static const char *const files[] = { "cpu.weight", "cpu.max", "memory.max", "memory.low", "memory.high", "memory.swap.max",
					     "memory.oom.group", "pids.max" };
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", files[i]);
		say_file(out, path);
	}
}

static void say_process(FILE *out, char **argv, char **envp)
{
	struct utsname host;
	struct timespec up;
	char *cwd = getcwd(NULL, 0);
	int signal = 0;

	for (; *argv; argv++)
		(void)fprintf(out, "argument %s\n", *argv);
	/* HOME is looked up, and is / where that cannot be done. */
	for (; *envp; envp++)
		if (strncmp(*envp, "HOME=", 5) != 0)
			(void)fprintf(out, "environment %s\n", *envp);
	(void)uname(&host);
	(void)prctl(PR_GET_PDEATHSIG, &signal);
	(void)clock_gettime(CLOCK_BOOTTIME, &up);
	(void)fprintf(out, "cwd %s\nhost %s %s\ndies by %d\ndumpable %d\nsecurebits %d\nleads its session %d\n"
		      "boot time %s\nis %s\n", cwd ? cwd : "none", host.nodename, host.domainname, signal,
		      prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS), getsid(0) == getpid(),
		      up.tv_sec > OFFSET_AT_LEAST ? "moved" : "the host's", getpid() == 1 ? "init" : "not init");
	free(cwd);
}

int main(int argc, char **argv, char **envp)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	int fd;

	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		for (;;)
			(void)pause();
	out = open_memstream(&text, &size);
	if (!out)
		return BROKEN;
	say_fds(out);
	say_process(out, argv, envp);
	say_status(out);
	say_namespaces(out);
	say_mounts(out);
	say_folder(out, "/");
	say_folder(out, "/dev");
	say_network(out);
	say_keyring(out);
	say_file(out, "/proc/self/limits");
	say_file(out, "/proc/self/oom_score_adj");
	say_file(out, "/proc/self/cgroup");
	say_file(out, "/proc/sys/kernel/shm_rmid_forced");
	say_file(out, "/proc/sys/net/ipv4/ip_forward");
	say_limits(out);
	say_refusals(out);
	if (fclose(out) != 0)
		return BROKEN;
	fd = open("/report/new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size || rename("/report/new", "/report/out") < 0)
		return BROKEN;
	return CONFINED;
}
