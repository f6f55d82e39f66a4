/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The linux object and the mounts: devices, sysctls, hidden paths, resources, mount options. */
#include <sys/mount.h>

#include "tests/unit/spec-text.h"

#define ALL \
	"'ociVersion': '1.2.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'ipc'}, {'type': 'network'}, {'type': 'uts'}]"
#define RESOURCES(members) "{" ALL ", 'resources': {" members "}}}"
#define MOUNT(members)     "{" MINIMAL ", 'mounts': [{'destination': '/a', " members "}]}"
#define OPTIONS(list)      MOUNT("'type': 'bind', 'source': '/', 'options': [" list "]")

static void test_devices(void)
{
	cleanup_spec struct spec *spec = text_spec(
		"{" ALL ", 'devices': ["
		"{'path': '/dev/fuse', 'type': 'c', 'major': 10, 'minor': 229, 'fileMode': 8630, 'uid': 1, 'gid': 4294967294},"
		"{'path': '/dev/fifo', 'type': 'p'}, {'path': '/dev/u', 'type': 'u', 'major': 1, 'minor': 1048575}]}}");

	if (!CHECK(spec) || !CHECK_INT(spec->linux_.device_count, 3))
		return;
	CHECK_INT(spec->linux_.devices[0].file_mode, 0666);
	CHECK_INT(spec->linux_.devices[0].gid, 4294967294);
	CHECK_INT(spec->linux_.devices[1].type, 'p');
	CHECK_INT(spec->linux_.devices[1].major, SPEC_UNSET);
	CHECK_INT(spec->linux_.devices[2].type, 'c');
	CHECK_INT(spec->linux_.devices[2].file_mode, SPEC_UNSET);
	texts_refused((struct refusal[]){
		{ "{" ALL ", 'devices': [{'path': 'x', 'type': 'p'}]}}",
		  "linux.devices[0].path: \"x\" is not an absolute path" },
		{ "{" ALL ", 'devices': [{'path': '/x', 'type': 'q'}]}}",
		  "linux.devices[0].type: \"q\" is not one of" },
		{ "{" ALL ", 'devices': [{'path': '/x', 'type': 'c', 'major': 1}]}}",
		  "linux.devices[0]: needs 'major' and 'minor'" },
		{ "{" ALL ", 'devices': [{'path': '/x', 'type': 'c', 'major': 4096, 'minor': 0}]}}",
		  "linux.devices[0].major: must be from 0 to 4095" },
		{ "{" ALL ", 'devices': [{'path': '/x', 'type': 'p', 'uid': -1}]}}",
		  "linux.devices[0].uid: must be from 0" },
		{ "{" ALL ", 'devices': [{'path': '/x/..', 'type': 'p'}]}}",
		  "linux.devices[0]: 'path' is the root" },
		{ NULL, NULL },
	});
}

static void test_sysctls_of_the_containers_own_namespaces(void)
{
	cleanup_spec struct spec *spec = text_spec(
		"{" ALL
		", 'sysctl': {'net.ipv4.ip_forward': '1', 'net/ipv4/conf/eth0.1/forwarding': '1',"
		"'kernel.sem': '1 2 3 4', 'fs.mqueue.msg_max': '5', 'kernel.domainname': 'x'}}}");

	if (!CHECK(spec) || !CHECK_INT(spec->linux_.sysctl_count, 5))
		return;
	CHECK_STR(spec->linux_.sysctls[0].key, "net.ipv4.ip_forward");
	CHECK_STR(spec->linux_.sysctls[1].key, "net.ipv4.conf.eth0/1.forwarding");
	CHECK_STR(spec->linux_.sysctls[2].value, "1 2 3 4");
}

static void test_sysctls_of_the_host_are_refused(void)
{
	texts_refused((struct refusal[]){
		{ "{" ALL ", 'sysctl': {'kernel.panic': '1'}}}",
		  "linux.sysctl[\"kernel.panic\"]: would change the host: no namespace" },
		{ "{" ALL ", 'sysctl': {'vm.swappiness': '1'}}}", "would change the host" },
		{ "{" ALL ", 'sysctl': {'kernel.shmmaxx': '1'}}}", "would change the host" },
		{ "{" ALL ", 'sysctl': {'net': '1'}}}", "would change the host" },
		{ "{" ALL ", 'sysctl': {'net.//.kernel.panic': '1'}}}",
		  "is not the name of a sysctl" },
		{ "{" ALL ", 'sysctl': {'net/../kernel/panic': '1'}}}",
		  "is not the name of a sysctl" },
		{ "{" ALL ", 'sysctl': {'net..x': '1'}}}", "is not the name of a sysctl" },
		{ "{" ALL ", 'sysctl': {'net./.x': '1'}}}", "is not the name of a sysctl" },
		{ "{" ALL ", 'sysctl': {'': '1'}}}", "is not the name of a sysctl" },
		{ "{" ALL ", 'sysctl': {'net.ipv4.ip_forward': '1\\n2'}}}",
		  "a value must be one line" },
		{ "{" ALL ", 'sysctl': {'net.ipv4.ip_forward': 1}}}",
		  "must be a string, not an integer" },
		{ "{" ALL ", 'sysctl': {'kernel.hostname': 'x'}}, 'hostname': 'y'}",
		  "give one of the two" },
		{ NULL, NULL },
	});
}

static void test_sysctls_need_their_namespace(void)
{
#define BARE(ns, sysctl) \
	"{'ociVersion': '1.2.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}" ns \
	"], 'sysctl': {" sysctl "}}}"
	texts_refused((struct refusal[]){
		{ BARE("", "'net.ipv4.ip_forward': '1'"),
		  "linux.namespaces has no 'network' of the container's own" },
		{ BARE("", "'kernel.shmmax': '1'"),
		  "linux.namespaces has no 'ipc' of the container's own" },
		{ BARE("", "'kernel.domainname': 'x'"),
		  "linux.namespaces has no 'uts' of the container's own" },
		{ BARE(", {'type': 'network', 'path': '/proc/self/ns/net'}",
		       "'net.ipv4.ip_forward': '1'"),
		  "linux.namespaces has no 'network' of the container's own" },
		{ NULL, NULL },
	});
}

static void test_hidden_paths(void)
{
	texts_refused((struct refusal[]){
		{ "{" ALL ", 'maskedPaths': ['proc']}}",
		  "linux.maskedPaths[0]: \"proc\" is not an absolute path" },
		{ "{" ALL ", 'readonlyPaths': ['/proc', '/x/../']}}",
		  "linux.readonlyPaths[1]: is the root itself" },
		{ "{" ALL ", 'maskedPaths': '/proc'}}", "linux.maskedPaths: must be an array" },
		{ NULL, NULL },
	});
}

static void test_propagation_of_the_root(void)
{
	cleanup_spec struct spec *slave = text_spec("{" ALL ", 'rootfsPropagation': 'rslave'}}");
	cleanup_spec struct spec *empty = text_spec("{" ALL ", 'rootfsPropagation': ''}}");

	CHECK(slave && slave->linux_.rootfs_propagation == (MS_SLAVE | MS_REC));
	CHECK(empty && empty->linux_.rootfs_propagation == 0);
	texts_refused((struct refusal[]){
		{ "{" ALL ", 'rootfsPropagation': 'slav'}}",
		  "linux.rootfsPropagation: \"slav\" is not one of shared, slave" },
		{ NULL, NULL },
	});
}

static void test_seccomp_is_read_in_place(void)
{
	cleanup_spec struct spec *spec =
		text_spec("{" ALL ", 'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'}}}");

	CHECK(spec && spec->linux_.seccomp);
	texts_refused((struct refusal[]){
		{ "{" ALL ", 'seccomp': {'defaultAction': 'SCMP_ACT_ALOW'}}}",
		  "linux.seccomp.defaultAction: " },
		{ NULL, NULL },
	});
}

static void test_resources(void)
{
	cleanup_spec struct spec *spec = text_spec(RESOURCES(
		"'memory': {'limit': 67108864, 'swap': -1, 'reservation': 1048576, 'useHierarchy': true, 'checkBeforeUpdate': true},"
		"'cpu': {'shares': 512, 'quota': 50000, 'period': 100000, 'burst': 1000, 'cpus': '0-1', 'idle': 0},"
		"'pids': {'limit': 64}, 'blockIO': {'weight': 100, 'weightDevice': [{'major': 8, 'minor': 0, 'weight': 20}],"
		"'throttleReadBpsDevice': [{'major': 8, 'minor': 0, 'rate': 1000}], 'throttleWriteIOPSDevice': [{'major': 8, 'minor': 16, 'rate': 9}]},"
		"'hugepageLimits': [{'pageSize': '2MB', 'limit': 18446744073709551615}], 'rdma': {'mlx5_1': {'hcaHandles': 3}},"
		"'unified': {'memory.high': '1M', 'cpu.weight': '5'}, 'network': {'classID': 0},"
		"'devices': [{'allow': false}, {'allow': true, 'type': 'c', 'major': 1, 'minor': 3, 'access': 'rw'}]"));
	const struct cgroup_limits *l = spec ? &spec->linux_.resources : NULL;

	if (!CHECK(l))
		return;
	CHECK_INT(l->memory_max, 67108864);
	CHECK_INT(l->memory_swap, LIMIT_MAX);
	CHECK(l->memory_check_before_update);
	CHECK_INT(l->memory_kernel, LIMIT_UNSET);
	CHECK_INT(l->cpu_quota_us, 50000);
	CHECK_INT(l->cpu_idle, 0);
	CHECK_STR(l->cpuset_cpus, "0-1");
	CHECK_INT(l->pids_max, 64);
	CHECK_INT(l->io_device_count, 1);
	CHECK_INT(l->io_devices[0].leaf_weight, LIMIT_UNSET);
	CHECK_INT(l->io_throttle_count, 2);
	CHECK_INT(l->io_throttles[1].kind, IO_WRITE_IOPS);
	CHECK_INT(l->io_throttles[1].minor, 16);
	CHECK(l->hugetlb[0].limit == INT64_MAX);
	CHECK_STR(l->rdma[0].device, "mlx5_1");
	CHECK_INT(l->rdma[0].objects, LIMIT_UNSET);
	CHECK_STR(l->unified[1].file, "cpu.weight");
	CHECK(!l->network_set && l->devices_set);
	CHECK_INT(l->devices[0].major, -1);
	CHECK(l->devices[0].mknod && l->devices[0].type == 'a' && !l->devices[1].mknod &&
	      l->devices[1].read);
}

static void test_resources_are_judged(void)
{
	texts_refused((struct refusal[]){
		{ RESOURCES("'memory': {'limit': '64M'}"),
		  "linux.resources.memory.limit: must be an integer, not a string" },
		{ RESOURCES("'memory': {'limit': -2}"),
		  "linux.resources.memory.limit: must be from -1" },
		{ RESOURCES("'memory': {'useHierarchy': false}"),
		  "linux.resources.memory.useHierarchy: must not be false" },
		{ RESOURCES("'memory': {'disableOOMKiller': true}"),
		  "linux.resources.memory.disableOOMKiller" },
		{ RESOURCES("'cpu': {'realtimeRuntime': 5}"), "linux.resources.cpu.realtime" },
		{ RESOURCES("'pids': {}"), "linux.resources.pids.limit: is required" },
		{ RESOURCES("'blockIO': {'leafWeight': 10}"),
		  "linux.resources.blockIO.leafWeight: has no counterpart" },
		{ RESOURCES("'blockIO': {'throttleReadIOPSDevice': [{'major': 8, 'minor': 0}]}"),
		  "throttleReadIOPSDevice[0].rate: is required" },
		{ RESOURCES("'rdma': {'a b': {}}"), "is not the name of a device" },
		{ RESOURCES("'unified': {'../x.y': '1'}"),
		  "is not the name of a file of a cgroup" },
		{ RESOURCES("'unified': {'cgroup': '1'}"),
		  "is not the name of a file of a cgroup" },
		{ RESOURCES("'network': {'classID': 5}"), "linux.resources.network" },
		{ RESOURCES("'devices': [{'type': 'c'}]"),
		  "linux.resources.devices[0].allow: is required" },
		{ RESOURCES("'devices': [{'allow': true, 'access': 'rx'}]"),
		  "linux.resources.devices[0].access: must be made of" },
		{ RESOURCES("'devices': [{'allow': true, 'type': 'p'}]"),
		  "linux.resources.devices[0].type: \"p\" is not one of" },
		{ NULL, NULL },
	});
}

/* The one mount of a document with these options, or NULL. */
static const struct spec_mount *mount_of(struct spec *spec)
{
	return CHECK(spec && spec->mount_count == 1) ? &spec->mounts[0] : NULL;
}

static void test_a_mounts_options_become_attributes(void)
{
	cleanup_spec struct spec *spec = text_spec(MOUNT(
		"'type': 'tmpfs', 'source': 'tmpfs', 'options': ['nosuid', 'strictatime', 'ro', 'mode=755',"
		"'size=64k', 'sync', 'rnoexec', 'rslave', 'tmpcopyup', 'x-remark', 'rrelatime']"));
	const struct spec_mount *m = mount_of(spec);

	if (!m)
		return;
	CHECK(!m->bind && m->tmpcopyup && !m->idmap);
	CHECK_INT(m->attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_RDONLY);
	CHECK_INT(m->attr_clear, MOUNT_ATTR__ATIME);
	CHECK_INT(m->rec_set, MOUNT_ATTR_NOEXEC);
	CHECK_INT(m->rec_clear, MOUNT_ATTR__ATIME);
	CHECK_INT(m->propagation, MS_SLAVE);
	CHECK(m->propagation_recursive);
	CHECK_INT(m->super_flags, MS_SYNCHRONOUS);
	CHECK_INT(m->fs_options.count, 2);
	CHECK_STR(m->fs_options.items[1], "size=64k");
	CHECK_INT(m->options.count, 11);
}

static void test_of_contradicting_options_the_last_wins(void)
{
	static const struct {
		const char *options;
		uint64_t set, clear;
	} cases[] = {
		{ OPTIONS("'ro', 'rw'"), 0, MOUNT_ATTR_RDONLY },
		{ OPTIONS("'rw', 'ro'"), MOUNT_ATTR_RDONLY, 0 },
		{ OPTIONS("'noexec', 'exec', 'nosuid', 'suid', 'nodev', 'dev'"), 0,
		  MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV },
		{ OPTIONS("'nosymfollow', 'symfollow', 'nosymfollow'"), MOUNT_ATTR_NOSYMFOLLOW, 0 },
		{ OPTIONS("'noatime', 'strictatime'"), MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
		{ OPTIONS("'strictatime', 'relatime'"), 0, MOUNT_ATTR__ATIME },
		{ OPTIONS("'noatime', 'atime'"), 0, MOUNT_ATTR__ATIME },
		{ OPTIONS("'atime'"), 0, MOUNT_ATTR__ATIME },
		{ OPTIONS("'strictatime', 'atime'"), MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
		{ OPTIONS("'noatime', 'norelatime'"), MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
		{ OPTIONS("'noatime', 'nostrictatime'"), MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
		{ OPTIONS("'norelatime'"), 0, 0 },
		{ OPTIONS("'nodiratime', 'diratime'"), 0, MOUNT_ATTR_NODIRATIME },
		{ OPTIONS("'defaults', 'auto'"), 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec *spec = text_spec(cases[i].options);
		const struct spec_mount *m = mount_of(spec);

		if (m && !CHECK(m->attr_set == cases[i].set && m->attr_clear == cases[i].clear))
			tap_check(false, __FILE__, __LINE__, "%s: %#lx %#lx", cases[i].options,
				  m->attr_set, m->attr_clear);
	}
}

/* OCI: config.md, Mounts: a mount is a bind mount if its options have bind or rbind, whatever its type */
static void test_what_is_a_bind(void)
{
	static const struct {
		const char *text;
		bool bind, recursive;
	} cases[] = {
		{ MOUNT("'source': '/', 'options': ['bind']"), true, false },
		{ MOUNT("'source': '/', 'options': ['rbind']"), true, true },
		{ MOUNT("'type': 'none', 'source': '/', 'options': ['bind', 'rbind']"), true,
		  true },
		{ MOUNT("'type': 'bind', 'source': '/'"), true, true },
		{ MOUNT("'type': 'bind', 'source': '/', 'options': ['bind']"), true, false },
		{ MOUNT("'type': '', 'source': '/', 'options': ['rbind']"), true, true },
		{ MOUNT("'type': 'proc', 'source': 'proc'"), false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec *spec = text_spec(cases[i].text);
		const struct spec_mount *m = mount_of(spec);

		if (m)
			CHECK(m->bind == cases[i].bind && m->bind_recursive == cases[i].recursive);
	}
}

static void test_only_a_file_system_on_a_device_is_read_only_itself(void)
{
	cleanup_spec struct spec *proc =
		text_spec(MOUNT("'type': 'sysfs', 'source': 'sysfs', 'options': ['ro']"));
	cleanup_spec struct spec *ext4 =
		text_spec(MOUNT("'type': 'ext4', 'source': '/dev/x', 'options': ['ro']"));
	cleanup_spec struct spec *bind = text_spec(OPTIONS("'ro'"));

	CHECK(proc && proc->mounts[0].super_flags == 0);
	CHECK(ext4 && ext4->mounts[0].super_flags == MS_RDONLY);
	CHECK(bind && bind->mounts[0].super_flags == 0);
}

static void test_mounts_are_judged(void)
{
	texts_refused((struct refusal[]){
		{ "{" MINIMAL ", 'mounts': [{'type': 'tmpfs'}]}",
		  "mounts[0].destination: is required" },
		{ "{" MINIMAL ", 'mounts': [{'destination': '', 'type': 'tmpfs'}]}",
		  "mounts[0].destination: is empty" },
		{ MOUNT("'source': '/'"), "mounts[0]: needs a 'type', or the option 'bind'" },
		{ MOUNT("'type': 'none', 'source': '/'"), "mounts[0]: needs a 'type'" },
		{ MOUNT("'type': 'bind'"), "mounts[0]: a bind mount needs a 'source'" },
		{ OPTIONS("'rw', 'size=3'"),
		  "mounts[0].options[1]: \"size=3\" is not an option of a bind mount" },
		{ OPTIONS("'tmpcopyup'"), "mounts[0]: 'tmpcopyup' is for a mount of type tmpfs" },
		{ MOUNT("'type': 'tmpfs', 'options': ['copy-symlink']"),
		  "mounts[0]: 'copy-symlink' is for a bind mount" },
		{ MOUNT("'options': ['remount', 'size=3']"),
		  "mounts[0].options[1]: \"size=3\" is of the file system" },
		{ MOUNT("'type': 'tmpfs', 'options': ['remount', 'tmpcopyup']"),
		  "mounts[0]: 'remount' changes a mount that is there" },
		{ MOUNT("'type': 'tmpfs', 'options': ['']"),
		  "mounts[0].options[0]: must not be empty" },
		{ MOUNT("'type': 'tmpfs', 'options': 'ro'"),
		  "mounts[0].options: must be an array" },
		{ "{" MINIMAL ", 'mounts': [{'destination': '/x/..', 'type': 'tmpfs'}]}",
		  "only a mount of type overlay may be the root" },
		{ "{" MINIMAL ", 'mounts': [{'destination': '/', 'type': 'overlay'}]}",
		  "root.path: the overlay of mounts[0] is the root already" },
		{ NULL, NULL },
	});
}

static void test_an_overlay_is_the_root(void)
{
	cleanup_spec struct spec *spec = text_spec(
		"{'ociVersion': '1.2.0', 'linux': {'namespaces': [{'type': 'mount'}]}, 'mounts': ["
		"{'destination': '/', 'type': 'overlay', 'source': 'overlay', 'options': ['lowerdir+=/b:1', 'lowerdir+=/a,2', 'upper=tmpfs']},"
		"{'destination': '/proc', 'type': 'proc', 'source': 'proc'}]}");

	if (!CHECK(spec))
		return;
	CHECK(!spec->root_path);
	CHECK_INT(spec->mounts[0].fs_options.count, 3);
	CHECK_STR(spec->mounts[0].fs_options.items[1], "lowerdir+=/a,2");
	texts_refused((struct refusal[]){
		{ "{'ociVersion': '1.2.0', 'mounts': [{'destination': '/proc', 'type': 'proc'}, {'destination': '//', 'type': 'overlay'}]}",
		  "mounts[1]: the root must be the first mount" },
		{ NULL, NULL },
	});
}

static void test_mappings_of_a_mount(void)
{
	cleanup_spec struct spec *spec = text_spec(MOUNT(
		"'source': '/', 'options': ['rbind', 'ridmap'],"
		"'uidMappings': [{'containerID': 0, 'hostID': 7, 'size': 1}], 'gidMappings': [{'containerID': 0, 'hostID': 8, 'size': 2}]"));
	const struct spec_mount *m = mount_of(spec);

	CHECK(m && m->idmap && m->idmap_recursive && m->uid_mappings[0].host_id == 7 &&
	      m->gid_mappings[0].size == 2);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_devices),
		TEST(test_sysctls_of_the_containers_own_namespaces),
		TEST(test_sysctls_of_the_host_are_refused),
		TEST(test_sysctls_need_their_namespace),
		TEST(test_hidden_paths),
		TEST(test_propagation_of_the_root),
		TEST(test_seccomp_is_read_in_place),
		TEST(test_resources),
		TEST(test_resources_are_judged),
		TEST(test_a_mounts_options_become_attributes),
		TEST(test_of_contradicting_options_the_last_wins),
		TEST(test_what_is_a_bind),
		TEST(test_only_a_file_system_on_a_device_is_read_only_itself),
		TEST(test_mounts_are_judged),
		TEST(test_an_overlay_is_the_root),
		TEST(test_mappings_of_a_mount),
		{ 0 },
	});
}
