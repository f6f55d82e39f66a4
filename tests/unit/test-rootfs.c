/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root, /dev, hidden paths, sysctls and the working directory, as seen from inside a container.
 */
#include "tests/unit/container.h"

static void look_default(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show(out, "/etc/name");
	show_write(out, "/etc/new");
	show_write(out, "/proc/sys/kernel/shmmax");
	show_write(out, "/dev/shm/new");
	show_write(out, "/sys/kernel/new");
	show(out, "/proc/timer_list");
	show_stat(out, "/proc/timer_list");
	show_stat(out, "/dev/null");
	show_stat(out, "/dev/tty");
	show_stat(out, "/dev/ptmx");
	show_stat(out, "/dev/fd");
	show_stat(out, "/dev/shm");
	show_stat(out, "/sys/fs/cgroup/cgroup.procs");
	fprintf(out, "umask %o pid %d hooks %d\n", umask(0), getpid(), hooks_see_mounts);
}

/*
 * How many mounts stand at @point, when mountinfo was shown first: one that was not let go of would
 * lie over another.
 */
static int mounts_at(const char *point)
{
	int count = 0;

	for (const char *line = seen; line; line = strchr(line, '\n')) {
		char where[256];

		line += *line == '\n' ? 1 : strlen("/proc/self/mountinfo: ");
		count += sscanf(line, "%*d %*d %*s %*s %255s", where) == 1 && str_eq(where, point);
	}
	return count;
}

static void test_default_config(void)
{
	fresh();
	(void)umask(027);
	run(spec_of(ROOT_RO, MOUNTS, HIDDEN), folder, look_default);
	(void)umask(022);
	CHECK_HAS(seen, " / ro,");
	CHECK_HAS(seen, " / /proc rw,relatime - proc proc");
	CHECK_HAS(seen, " / /dev rw,nosuid - tmpfs tmpfs");
	CHECK_HAS(
		seen,
		" / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666");
	CHECK_HAS(seen, " / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm");
	CHECK_HAS(seen, " / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue");
	CHECK_HAS(seen, " / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs");
	CHECK_HAS(seen, " /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup");
	CHECK_HAS(seen, "/sys /proc/sys ro,relatime - proc");
	CHECK_HAS(seen, "/etc/name: from-the-image");
	CHECK_HAS(seen, "write /etc/new: EROFS");
	CHECK_HAS(seen, "write /proc/sys/kernel/shmmax: EROFS");
	CHECK_HAS(seen, "write /dev/shm/new: ok");
	CHECK_HAS(seen, "write /sys/kernel/new: EROFS");
	CHECK_HAS(seen, "/proc/timer_list: \n");
	CHECK_HAS(seen, "stat /proc/timer_list: 20666 0:0 1,3");
	CHECK_HAS(seen, "stat /dev/null: 20666 0:0 1,3");
	CHECK_HAS(seen, "stat /dev/tty: 20666 0:0 5,0");
	CHECK_HAS(seen, "-> pts/ptmx");
	CHECK_HAS(seen, "-> /proc/self/fd");
	CHECK_HAS(seen, "stat /dev/shm: 41777");
	CHECK_HAS(seen, "stat /sys/fs/cgroup/cgroup.procs: 100644");
	CHECK_HAS(seen, "umask 27 pid 1 hooks 1");
	CHECK_INT(mounts_at("/proc"), 1);
	CHECK_INT(mounts_at("/"), 1);
}

static void look_mounts(FILE *out)
{
	show(out, "/proc/self/mountinfo");
}

static void test_nothing_reaches_the_host(void)
{
	cleanup_free char *before = NULL, *after = NULL;

	fresh();
	CHECK_INT(fd_read_file(AT_FDCWD, "/proc/self/mountinfo", &before), 0);
	run(spec_of(ROOT, MOUNTS, "'rootfsPropagation':'shared'"), folder, look_mounts);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, " shared:");
	run(spec_of(ROOT, MOUNTS, ""), folder, look_mounts);
	CHECK(!has("FAILED"));
	CHECK(!has(" shared:"));
	CHECK_INT(fd_read_file(AT_FDCWD, "/proc/self/mountinfo", &after), 0);
	CHECK_STR(after, before);
}

/* Links in the image lead to the host's folders, if they are followed as seen from the host. */
static void look_devices(FILE *out)
{
	show_stat(out, "/dev/null");
	show_stat(out, "/dev/zero");
	show_stat(out, "/dev/own");
	show_stat(out, "/dev/sub/pipe");
	show_stat(out, "/dev/ptmx");
	show_stat(out, "/dev/full");
	show_stat(out, "/dev/core");
}

/* Without a mount on /dev the nodes are the image's: what is false among them is replaced. */
static void test_false_devices_are_replaced(void)
{
	fresh();
	sh("cd rootfs/dev && echo secret > null && ln -s /etc/name zero && mknod full c 1 7 && chmod 600 full && "
	   "mknod ptmx c 1 3 && ln -s elsewhere core");
	run(spec_of(ROOT, "{'destination':'/proc','type':'proc','source':'proc'}",
		    "'devices':[{'path':'/dev/own','type':'c','major':10,'minor':229,'fileMode':384,'uid':7,'gid':8},"
		    "{'path':'/dev/sub/pipe','type':'p','fileMode':420}]"),
	    folder, look_devices);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "stat /dev/null: 20666 0:0 1,3");
	CHECK_HAS(seen, "stat /dev/zero: 20666 0:0 1,5");
	CHECK_HAS(seen, "stat /dev/own: 20600 7:8 10,229");
	CHECK_HAS(seen, "stat /dev/sub/pipe: 10644 0:0");
	CHECK_HAS(seen, "-> pts/ptmx");
	CHECK_HAS(seen, "stat /dev/full: 20600 0:0 1,7");
	sh("grep -q from-the-image rootfs/etc/name");
}

static void look_overlay(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show(out, "/a");
	show(out, "/b");
	show_write(out, "/new");
	show_stat(out, "/");
}

static void layers_make(void)
{
	sh("rm -rf l1 l2 up up.work && mkdir -p l1/proc l2/dev l2/proc 'l,3:x' && chmod 751 l2 && "
	   "echo low > l1/a && echo low > l1/b && echo high > l2/b && echo odd > 'l,3:x/c'");
}

#define OVERLAY(options) \
	"{'destination':'/','type':'overlay','source':'overlay','options':[" options "]},"

static void test_overlay_tmpfs(void)
{
	layers_make();
	run(spec_of("",
		    OVERLAY("'lowerdir+=l,3:x','lowerdir+=l2','lowerdir+=l1','upper=tmpfs','size=1m'")
			    MOUNTS,
		    HIDDEN),
	    folder, look_overlay);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, " / / rw,relatime - overlay overlay");
	CHECK_HAS(seen, "/a: low");
	CHECK_HAS(seen, "/b: high");
	CHECK_HAS(seen, "write /new: ok");
	CHECK_HAS(seen, "stat /: 40755");
	CHECK(!has("nacelle-upper"));
	CHECK_INT(mounts_at("/"), 1);
	CHECK(!has(folder));
	sh("test ! -e l1/new && test ! -e l2/new");
}

static void test_overlay_folder(void)
{
	layers_make();
	run(spec_of("", OVERLAY("'lowerdir=l2:l1','upperdir=up'") MOUNTS, ""), folder,
	    look_overlay);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "/b: high");
	CHECK_HAS(seen, "stat /: 40751");
	sh("test -e up/new && test -d up.work");
}

static void test_overlay_readonly(void)
{
	layers_make();
	sh("mkdir -p l1/proc");
	run(spec_of("",
		    OVERLAY("'lowerdir+=l1'") "{'destination':'/proc','type':'proc','source':'proc'},"
					      "{'destination':'/dev','type':'bind','source':'/dev','options':['rbind']}",
		    ""),
	    folder, look_overlay);
	CHECK_HAS(seen, "make '/dev': Read-only file system");
	sh("mkdir -p l1/dev");
	run(spec_of("", OVERLAY("'lowerdir+=l1'") MOUNTS, ""), folder, look_overlay);
	CHECK_HAS(seen, "make '/sys': Read-only file system");
	sh("mkdir -p l1/sys");
	run(spec_of("", OVERLAY("'lowerdir+=l1'") MOUNTS, ""), folder, look_overlay);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "/b: low");
	CHECK_HAS(seen, "write /new: EROFS");
	run(spec_of("", OVERLAY("'lowerdir+=l2','lowerdir+=l1'") MOUNTS, ""), folder, look_overlay);
	CHECK_HAS(seen, "/b: high");
	CHECK_HAS(seen, "write /new: EROFS");
	run(spec_of("", OVERLAY("'lowerdir+=l2','lowerdir+=gone'") MOUNTS, ""), folder,
	    look_overlay);
	CHECK_HAS(seen, "FAILED: overlay on '/': layer '");
	CHECK_HAS(seen, "gone': not found");
}

static void look_sysctl(FILE *out)
{
	show(out, "/proc/sys/kernel/shmmni");
	show(out, "/proc/sys/net/ipv4/conf/lo/forwarding");
}

static void test_sysctls(void)
{
	cleanup_free char *before = NULL, *after = NULL;

	fresh();
	CHECK_INT(fd_read_file(AT_FDCWD, "/proc/sys/kernel/shmmni", &before), 0);
	run(spec_of(ROOT, MOUNTS,
		    "'sysctl':{'kernel.shmmni':'1234','net/ipv4/conf/lo/forwarding':'1'}," HIDDEN),
	    folder, look_sysctl);
	CHECK_HAS(seen, "shmmni: 1234\n");
	CHECK_HAS(seen, "forwarding: 1\n");
	CHECK_INT(fd_read_file(AT_FDCWD, "/proc/sys/kernel/shmmni", &after), 0);
	CHECK_STR(after, before);
	run(spec_of(ROOT, MOUNTS, "'sysctl':{'kernel.shmmni':'many'}"), folder, NULL);
	CHECK_HAS(seen, "sysctl 'kernel.shmmni': write 'many': Invalid argument");
}

static void test_host_sysctls_are_refused(void)
{
	static const char *const keys[] = { "vm.swappiness",     "kernel.core_pattern",
					    "fs.file-max",       "user.max_user_namespaces",
					    "kernel.shmmax_not", "net/../kernel/core_pattern",
					    "kernel/sem/x" };

	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct spec_sysctl one = { .key = (char *)(uintptr_t)keys[i],
					   .value = (char *)(uintptr_t) "1" };
		struct spec *spec = spec_of(ROOT, MOUNTS, "");
		struct spec copy;

		if (!CHECK(spec))
			return;
		copy = *spec;
		copy.linux_.sysctls = &one;
		copy.linux_.sysctl_count = 1;
		CHECK(sysctls_check(&copy) < 0);
		CHECK_HAS(fail_text(), keys[i]);
		spec_free(spec);
	}
}

static void look_userns(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show(out, "/etc/name");
	show(out, "/vol/file");
	show_stat(out, "/dev/null");
	show_stat(out, "/etc/name");
	show_write(out, "/dev/null");
	show(out, "/proc/timer_list");
	show_stat(out, "/sys/kernel");
}

/* Sources that the container's root could not reach are taken by the parent. */
static void test_user_namespace(void)
{
	fresh();
	sh("rm -rf private && mkdir -p private/vol rootfs/vol && echo kept > private/vol/file && chmod 700 private && "
	   "chown -R 100000:100000 rootfs");
	run(spec_of(ROOT,
		    MOUNTS ",{'destination':'/vol','source':'private/vol','options':['bind']}",
		    "USER" MAPS "," HIDDEN),
	    folder, look_userns);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "/etc/name: from-the-image");
	CHECK_HAS(seen, "/vol/file: kept");
	CHECK_HAS(seen, "1,3\n");
	CHECK_HAS(seen, "write /dev/null: ok");
	CHECK_HAS(seen, "/proc/timer_list: \n");
	CHECK_HAS(seen, "stat /etc/name: 100644 0:0");
}

static void look_overlay_userns(FILE *out)
{
	show(out, "/a");
	show(out, "/d/x");
	/* What an upper without attributes cannot do. */
	fprintf(out, "again:");
	fprintf(out, " %d", unlink("/d/x"));
	fprintf(out, " %d", rmdir("/d"));
	fprintf(out, " %d\n", mkdir("/d", 0755));
	show(out, "/d/x");
	show_stat(out, "/d");
}

static void test_overlay_in_a_user_namespace(void)
{
	layers_make();
	sh("mkdir l1/d && echo deep > l1/d/x && chown -R 100000:100000 l1 l2");
	run(spec_of("", OVERLAY("'lowerdir+=l2','lowerdir+=l1','upper=tmpfs'") MOUNTS, "USER" MAPS),
	    folder, look_overlay_userns);
	if (!kernel_is(6, 6)) {
		CHECK_HAS(seen,
			  "FAILED: overlay on '/': a tmpfs as upper in a user namespace needs");
		return;
	}
	CHECK_HAS(seen, "/a: low");
	CHECK_HAS(seen, "/d/x: deep");
	CHECK_HAS(seen, "again: 0 0 0");
	CHECK_HAS(seen, "open '/d/x': not found");
	CHECK_HAS(seen, "stat /d: 40755 0:0");
}

/* What a user without any privilege gets: one id, and nodes that are the host's. */
static void test_rootless(void)
{
	static const char *const devpts[] = { "'gid=5'", "'mode=620'" };

	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(devpts); i++) {
		cleanup_free char *mounts = NULL;
		pid_t pid;

		CHECK_INT(
			str_format(
				&mounts,
				"{'destination':'/proc','type':'proc','source':'proc'},"
				"{'destination':'/dev','type':'tmpfs','source':'tmpfs'},"
				"{'destination':'/dev/pts','type':'devpts','source':'devpts','options':[%s]},"
				"{'destination':'/sys','type':'sysfs','source':'sysfs','options':['ro']}",
				devpts[i]),
			0);
		(void)fflush(stdout);
		pid = fork();
		if (pid == 0) {
			/* Whoever gave up an id is not "dumpable", and then /proc/PID is root's. */
			if (setresgid(4321, 4321, 4321) < 0 || setresuid(4321, 4321, 4321) < 0 ||
			    prctl(PR_SET_DUMPABLE, 1) < 0)
				_exit(1);
			run(spec_of(ROOT_RO, mounts,
				    "USER'uidMappings':[{'containerID':0,'hostID':4321,'size':1}],"
				    "'gidMappings':[{'containerID':0,'hostID':4321,'size':1}]," HIDDEN),
			    folder, look_userns);
			_exit(0);
		}
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		if (i == 0)
			CHECK_HAS(seen, "option 'gid=5' (is the id mapped in the user namespace?)");
	}
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "/etc/name: from-the-image");
	CHECK_HAS(seen, "1,3\n");
	CHECK_HAS(seen, "write /dev/null: ok");
	CHECK_HAS(seen, " / ro,");
	CHECK_HAS(seen, "/proc/timer_list: \n");
}

static void test_cwd(void)
{
	struct spec *spec;

	fresh();
	spec = spec_of(ROOT, MOUNTS, "");
	if (!CHECK(spec))
		return;
	free(spec->process.cwd);
	spec->process.cwd = strdup("/proc/self/fd/0");
	/* Standard input is made a folder of the host: the leak that must not become a way out. */
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10),
	    host = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK_INT(dup2(host, 0), 0);
	run(spec, folder, NULL);
	CHECK_HAS(seen, "working directory '/proc/self/fd/0' lies outside of the root");
	if (saved >= 0) {
		(void)dup2(saved, 0);
		(void)close(saved);
	}
	(void)close(host);
	spec = spec_of(ROOT, MOUNTS, "");
	if (!CHECK(spec))
		return;
	free(spec->process.cwd);
	spec->process.cwd = strdup("/new/folder");
	run(spec, folder, NULL);
	CHECK_STR(seen, "");
	sh("test \"$(stat -c %a rootfs/new/folder)\" = 755");
}

int main(void)
{
	return container_tests_run((struct tap_test[]){
		TEST(test_default_config),
		TEST(test_nothing_reaches_the_host),
		TEST(test_false_devices_are_replaced),
		TEST(test_overlay_tmpfs),
		TEST(test_overlay_folder),
		TEST(test_overlay_readonly),
		TEST(test_sysctls),
		TEST(test_host_sysctls_are_refused),
		TEST(test_user_namespace),
		TEST(test_overlay_in_a_user_namespace),
		TEST(test_rootless),
		TEST(test_cwd),
		{ 0 },
	});
}
