/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mounts that a spec lists, as seen from inside a container, and the ones that are refused. */
#include "tests/unit/container.h"

static void look_bind(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show(out, "/made/on/the/way/file");
	show(out, "/data/inner/x");
	show_write(out, "/data/new");
	show_write(out, "/data/inner/new");
	show_write(out, "/flat/new");
	show_stat(out, "/flat/inner/x");
	show_stat(out, "/link");
	show_stat(out, "/made");
}

static void test_binds(void)
{
	fresh();
	sh("rm -rf vol && mkdir -p vol/inner && echo hi > vol/file && ln -sf /nowhere/at/all vol/ln");
	sh("mount -t tmpfs tmpfs vol/inner && echo inner > vol/inner/x");
	run(spec_of(ROOT,
		    MOUNTS
		    ",{'destination':'/made/on/the/way/file','source':'vol/file','options':['bind','ro']},"
		    "{'destination':'/data','source':'vol','options':['rbind','rro','rnosuid']},"
		    "{'destination':'/flat','source':'vol','type':'bind','options':['bind','rprivate','noatime']},"
		    "{'destination':'/link','source':'vol/ln','options':['bind','copy-symlink']}",
		    ""),
	    folder, look_bind);
	sh("umount vol/inner");
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, "/made/on/the/way/file: hi");
	CHECK_HAS(seen, "/data/inner/x: inner");
	CHECK_HAS(seen, "write /data/new: EROFS");
	CHECK_HAS(seen, "write /data/inner/new: EROFS");
	CHECK_HAS(seen, "write /flat/new: ok");
	CHECK_HAS(seen, "stat /flat/inner/x: ENOENT");
	CHECK_HAS(seen, "/vol /flat rw,noatime");
	CHECK_HAS(seen, " /data/inner ro,nosuid,relatime");
	CHECK_HAS(seen, "-> /nowhere/at/all");
	CHECK_HAS(seen, "stat /made: 40755");
}

static void test_missing_source(void)
{
	fresh();
	run(spec_of(ROOT, "{'destination':'/y','source':'/x/y/z','options':['bind']}", ""), folder,
	    NULL);
	CHECK_STR(seen, "FAILED: mount '/x/y/z' on '/y': source '/x/y/z': not found\n");
	run(spec_of("'root':{'path':'nothere'},", "", ""), folder, NULL);
	CHECK_HAS(seen, "nothere': not found");
	run(spec_of(ROOT,
		    "{'destination':'/y','type':'tmpfs','source':'tmpfs','options':['size=zz']}",
		    ""),
	    folder, NULL);
	CHECK_HAS(seen, "mount 'tmpfs' on '/y': option 'size=zz' (tmpfs: Bad value for 'size')");
	run(spec_of(ROOT, "{'destination':'/y','type':'nofs','source':'x'}", ""), folder, NULL);
	CHECK_HAS(seen, "mount 'nofs' on '/y': file system 'nofs' is unknown to this kernel");
	run(spec_of(ROOT, "{'destination':'/bin','source':'/bin/busybox','options':['bind']}", ""),
	    folder, NULL);
	CHECK_HAS(seen, "mount '/bin/busybox' on '/bin': a file cannot be mounted on a folder");
}

static void look_links(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show_stat(out, "/dev/null");
	show_stat(out, "/run/deep/file");
	show_stat(out, "/etc/dead");
}

static void test_links_stay_inside(void)
{
	fresh();
	sh("rm -rf outside rootfs/dev && mkdir -p outside && ln -s ../../outside rootfs/dev && "
	   "ln -s /run/deep/file rootfs/etc/dead && ln -s \"$PWD/outside\" rootfs/abs && echo x > src");
	run(spec_of(ROOT,
		    "{'destination':'/proc','type':'proc','source':'proc'},"
		    "{'destination':'/dev','type':'tmpfs','source':'tmpfs','options':['mode=755']},"
		    "{'destination':'/abs/new','type':'tmpfs','source':'tmpfs'},"
		    "{'destination':'/etc/dead','source':'src','options':['bind']}",
		    ""),
	    folder, look_links);
	CHECK(!has("FAILED"));
	CHECK_HAS(seen, " /outside rw,");
	CHECK_HAS(seen, " /run/deep/file rw,");
	CHECK_HAS(seen, "stat /dev/null: 20666 0:0 1,3");
	CHECK_HAS(seen, "stat /run/deep/file: 100");
	CHECK_HAS(seen, "-> /run/deep/file");
	sh("test -z \"$(ls -A outside)\"");
}

static void test_fake_proc_is_refused(void)
{
	fresh();
	sh("rm -rf rootfs/proc rootfs/sys && ln -s tmp rootfs/proc && ln -s tmp rootfs/sys");
	run(spec_of(ROOT, "{'destination':'/proc','type':'proc','source':'proc'}", ""), folder,
	    NULL);
	CHECK_HAS(seen, "mount 'proc' on '/proc': the destination must be a real folder");
	run(spec_of(ROOT, "{'destination':'/sys','type':'sysfs','source':'sysfs'}", ""), folder,
	    NULL);
	CHECK_HAS(seen, "mount 'sysfs' on '/sys': the destination must be a real folder");
}

static void look_uptime(FILE *out)
{
	show(out, "/proc/uptime");
}

static void test_mounts_on_proc(void)
{
#define PROC "{'destination':'/proc','type':'proc','source':'proc'},"
	fresh();
	sh("mkdir -p fake && echo 99 > fake/uptime && ln -s /proc/sys rootfs/sneaky");
	run(spec_of(ROOT, "{'destination':'/proc','source':'fake','options':['bind']}", ""), folder,
	    NULL);
	CHECK_HAS(seen, "mount 'fake' on '/proc': only a procfs may be mounted on '/proc'");
	run(spec_of(ROOT, "{'destination':'/bin/../proc','type':'tmpfs','source':'tmpfs'}", ""),
	    folder, NULL);
	CHECK_HAS(seen, "only a procfs may be mounted on '/proc'");
	run(spec_of(ROOT, PROC "{'destination':'/proc/sys','type':'tmpfs','source':'tmpfs'}", ""),
	    folder, NULL);
	CHECK_HAS(seen, "nothing may be mounted below '/proc'");
	run(spec_of(ROOT, PROC "{'destination':'/sneaky','type':'tmpfs','source':'tmpfs'}", ""),
	    folder, NULL);
	CHECK_HAS(seen, "the destination lies on a procfs");
	run(spec_of(ROOT,
		    PROC "{'destination':'/proc/uptime','source':'fake/uptime','options':['bind']}",
		    ""),
	    folder, look_uptime);
	CHECK_STR(seen, "/proc/uptime: 99\n\n");
}

static void look_copyup(FILE *out)
{
	show(out, "/proc/self/mountinfo");
	show(out, "/etc/name");
	show_stat(out, "/etc");
	show_stat(out, "/etc/d/script");
	show_stat(out, "/etc/d/ln");
	show_write(out, "/etc/new");
}

static void test_tmpcopyup(void)
{
	fresh();
	sh("chmod 750 rootfs/etc && mkdir rootfs/etc/d && echo x > rootfs/etc/d/script && "
	   "chown 3:4 rootfs/etc/d/script && chmod 4711 rootfs/etc/d/script && ln -s / rootfs/etc/d/ln");
	run(spec_of(ROOT,
		    MOUNTS
		    ",{'destination':'/etc','type':'tmpfs','source':'tmpfs','options':['tmpcopyup']}",
		    ""),
	    folder, look_copyup);
	CHECK_HAS(seen, "/etc/name: from-the-image");
	CHECK_HAS(seen, "stat /etc: 40750");
	CHECK_HAS(seen, "stat /etc/d/script: 104711 3:4");
	CHECK_HAS(seen, "stat /etc/d/ln: 120777 0:0 0,0 -> /\n");
	CHECK_HAS(seen, "write /etc/new: ok");
	run(spec_of(ROOT,
		    MOUNTS
		    ",{'destination':'/etc','type':'tmpfs','source':'tmpfs','options':['tmpcopyup','ro']},"
		    "{'destination':'/etc/sub','type':'tmpfs','source':'tmpfs'}",
		    ""),
	    folder, look_copyup);
	CHECK_HAS(seen, "/etc/name: from-the-image");
	CHECK_HAS(seen, "write /etc/new: EROFS");
	CHECK_HAS(seen, " /etc/sub rw,");
	sh("test ! -e rootfs/etc/new");
}

static void look_owner(FILE *out)
{
	show_stat(out, "/vol/file");
}

static void test_idmapped_bind(void)
{
	fresh();
	sh("rm -rf vol && mkdir -p vol && echo x > vol/file && chown 5:6 vol/file");
	run(spec_of(ROOT,
		    MOUNTS ",{'destination':'/vol','source':'vol','options':['bind'],"
			   "'uidMappings':[{'containerID':0,'hostID':1000,'size':100}],"
			   "'gidMappings':[{'containerID':0,'hostID':2000,'size':100}]}",
		    ""),
	    folder, look_owner);
	if (!kernel_is(6, 3)) {
		CHECK_HAS(seen,
			  "mount 'vol' on '/vol': map the ids of 'vol' (its file system cannot");
		return;
	}
	CHECK_HAS(seen, "stat /vol/file: 100644 1005:2006");
	sh("test \"$(stat -c %u:%g vol/file)\" = 5:6");
	/* As the container's own user namespace has it. */
	run(spec_of(ROOT,
		    MOUNTS ",{'destination':'/vol','source':'vol','options':['bind','idmap']}",
		    "USER" MAPS),
	    folder, look_owner);
	CHECK_HAS(seen, "stat /vol/file: 100644 5:6");
}

int main(void)
{
	return container_tests_run((struct tap_test[]){
		TEST(test_binds),
		TEST(test_missing_source),
		TEST(test_links_stay_inside),
		TEST(test_fake_proc_is_refused),
		TEST(test_mounts_on_proc),
		TEST(test_tmpcopyup),
		TEST(test_idmapped_bind),
		{ 0 },
	});
}
