/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a spec for a virtual machine, and which modules its kernel is given. */
#include "runtime/spec-vm-split.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"
#include "runtime/vm-modules.h"
#include "runtime/vm-unpack.h"
#include "tests/unit/tap.h"

#define ALL "'ociVersion': '1.0.2', 'vm': {}, 'process': {'args': ['true'], 'cwd': '/', 'oomScoreAdj': 7}"
#define NS  "{'type': 'mount'}, {'type': 'pid'}, {'type': 'network'}"

static const struct vm_cell_parts parts = { .root = "/cell", .monitor = "/m/nacelle-vmm", .memory = 1 << 30 };

static struct spec *spec_of(const char *text)
{
	cleanup_free char *copy = strdup(text);
	cleanup_json json_t *v = NULL;
	struct spec *spec = NULL;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse("spec", copy, strlen(copy), &v) < 0 || spec_read(v, &spec) < 0)
		printf("# %s\n", fail_text());
	CHECK(spec);
	return spec;
}

static void test_each_part_goes_where_its_kernel_is(void)
{
	struct spec *spec = spec_of(
		"{" ALL ", 'root': {'path': 'rootfs', 'readonly': true}, 'hostname': 'h', 'annotations': {'a': 'b'},"
		"'hooks': {'prestart': [{'path': '/p'}], 'startContainer': [{'path': '/s'}]},"
		"'mounts': [{'destination': '/v', 'type': 'bind', 'source': '/data', 'options': ['bind']}],"
		"'linux': {'namespaces': [" NS ", {'type': 'uts'}], 'cgroupsPath': '/x/y', 'resources':"
		"{'cpu': {'shares': 512}, 'pids': {'limit': 9}, 'memory': {'limit': 67108864}}}}");
	struct vm_split split;

	CHECK_INT(vm_split_check(spec), 0);
	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK_INT(split.share_count, 2);
	CHECK_STR(split.shares[0].source, "/bundle/rootfs");
	CHECK(split.shares[0].read_only && !split.shares[1].read_only);
	CHECK_STR(split.shares[1].source, "/data");
	CHECK_HAS(split.inner, "/shares/root0");
	CHECK_HAS(split.inner, "/shares/volume1");
	CHECK_HAS(split.inner, "startContainer");
	CHECK_HAS(split.inner, "\"limit\":67108864");
	CHECK(!strstr(split.inner, "bundle") && !strstr(split.inner, "/data") && !strstr(split.inner, "prestart"));
	CHECK(!strstr(split.inner, "\"vm\"") && !strstr(split.inner, "cpu") && !strstr(split.inner, "oomScoreAdj"));
	CHECK_STR(split.outer->root_path, "/cell");
	CHECK_STR(split.outer->linux_.cgroups_path, "/x/y");
	CHECK_INT(split.outer->linux_.resources.memory_max, 1 << 30);
	CHECK_INT(split.outer->linux_.resources.cpu_shares, 512);
	CHECK_INT(split.outer->process.oom_score_adj, 7);
	CHECK_INT(split.outer->hooks[HOOK_PRESTART].count, 1);
	CHECK_INT(split.outer->hooks[HOOK_START_CONTAINER].count, 0);
	CHECK(split.outer->root_readonly && !split.outer->hostname && split.outer->linux_.seccomp);
	CHECK(split.outer->linux_.namespaces[NS_USER].wanted && split.outer->linux_.namespaces[NS_NETWORK].wanted);
	CHECK(split.outer->process.no_new_privileges);
	CHECK(!(split.outer->process.capabilities.bounding & (1ULL << 21))); /* CAP_SYS_ADMIN */
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_layers_become_shares(void)
{
	struct spec *spec = spec_of("{" ALL ", 'mounts': [{'destination': '/', 'type': 'overlay', 'source': 'overlay',"
				    "'options': ['lowerdir=/a:b', 'upper=auto']}], 'linux': {'namespaces': [" NS "]}}");
	struct vm_split split;

	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK_INT(split.share_count, 2);
	CHECK_STR(split.shares[1].source, "/bundle/b");
	CHECK(split.shares[0].read_only && split.shares[1].read_only);
	CHECK_HAS(split.inner, "[\"lowerdir+=/shares/layer0\",\"lowerdir+=/shares/layer1\",\"upper=tmpfs\"]");
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_layers_that_are_files_become_memory_or_disks(void)
{
	char folder[] = "/tmp/test-vm-XXXXXX";
	cleanup_free char *text = NULL;
	struct vm_cell_parts with = parts;
	struct vm_split split;
	cleanup_fd int dir = -1;
	struct spec *spec;

	CHECK(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fd_replace_file(dir, "one", "x", 1, 0600), 0);
	CHECK_INT(fd_replace_file(dir, "two", "x", 1, 0600), 0);
	CHECK_INT(str_format(&text, "{" ALL ", 'mounts': [{'destination': '/', 'type': 'overlay', 'source': 'overlay',"
			     "'options': ['lowerdir=/a:%s/one:two', 'upper=auto']}, {'destination': '/m', 'type': 'erofs',"
			     "'source': '%s/one', 'options': ['ro']}], 'linux': {'namespaces': [" NS "]}}", folder, folder), 0);
	spec = spec_of(text);
	for (int pmem = 0; pmem < 2; pmem++) {
		with.pmem = pmem;
		CHECK_INT(vm_split(spec, folder, "/shares", &with, &split), 0);
		CHECK_INT(split.share_count, 1);
		CHECK_INT(split.disk_count, 3);
		CHECK(split.disks[0].memory == pmem && split.disks[1].memory == pmem && !split.disks[2].memory);
		CHECK(split.disks[0].read_only && split.disks[0].layer && !split.disks[2].layer);
		CHECK_HAS(split.inner, pmem ? "[\"lowerdir+=/shares/layer0\",\"lowerdir+=/dev/disks/image0\",\"lowerdir+=/dev/disks/image1\"" :
					     "[\"lowerdir+=/shares/layer0\",\"lowerdir+=/dev/disks/disk0\",\"lowerdir+=/dev/disks/disk1\"");
		/* of what the container mounts itself, and of that alone, it may open the device */
		CHECK_HAS(split.inner, pmem ? "\"disk\":\"disk0\"" : "\"disk\":\"disk2\"");
		CHECK(!strstr(split.inner, pmem ? "\"disk\":\"image0\"" : "\"disk\":\"disk0\""));
		CHECK(str_list_has(&split.modules, "nd_pmem") == pmem && str_list_has(&split.modules, "erofs"));
		vm_split_done(&split);
	}
	(void)spec_free(spec);
	(void)unlinkat(dir, "one", 0);
	(void)unlinkat(dir, "two", 0);
	(void)rmdir(folder);
}

static void test_block_devices_and_images_become_disks(void)
{
	struct spec *spec = spec_of(
		"{" ALL ", 'root': {'path': '/r'}, 'mounts': ["
		"{'destination': '/a', 'type': 'ext4', 'source': 'disk.img', 'options': ['ro']},"
		"{'destination': '/b', 'type': 'squashfs', 'source': '/img'},"
		"{'destination': '/c', 'type': 'ext4', 'source': '/img'}],"
		"'linux': {'namespaces': [" NS "], 'devices': [{'path': '/dev/x', 'type': 'b', 'major': 8, 'minor': 16},"
		"{'path': '/dev/y', 'type': 'b', 'major': 8, 'minor': 32}], 'resources': {'devices': [{'allow': false, 'access':"
		"'rwm'}, {'allow': true, 'type': 'b', 'major': 8, 'minor': 16, 'access': 'rw'}, {'allow': true, 'type': 'b',"
		"'major': 8, 'minor': 32, 'access': 'r'}]}}}");
	struct vm_split split;

	CHECK_INT(vm_split_check(spec), 0);
	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK_INT(split.disk_count, 4);
	CHECK_STR(split.disks[0].source, "/bundle/disk.img");
	CHECK(split.disks[0].read_only && !split.disks[1].read_only);
	CHECK(!split.disks[2].source && !split.disks[2].read_only && split.disks[3].read_only);
	CHECK_STR(split.modules.items[0], "virtio_blk");
	CHECK_INT(split.modules.count, 4); /* ext4 and what it needs, squashfs, each once */
	CHECK_HAS(split.inner, "\"/dev/disks/disk0\"");
	CHECK_HAS(split.inner, "\"disk\":\"disk2\"");
	CHECK_HAS(split.inner, "\"access\":\"r\",\"disk\":\"disk0\"");
	CHECK_HAS(split.inner, "\"access\":\"rw\",\"disk\":\"disk1\"");
	CHECK(!strstr(split.inner, "disk.img") && !strstr(split.inner, "/img"));
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_a_terminal_is_the_cells_and_the_guests(void)
{
	struct spec *spec = spec_of("{'ociVersion': '1.0.2', 'vm': {}, 'process': {'args': ['true'], 'cwd': '/', 'terminal': true,"
				    "'consoleSize': {'height': 30, 'width': 90}}, 'root': {'path': '/r'}, 'linux': {'namespaces': [" NS "]}}");
	struct vm_split split;
	bool pts = false;

	CHECK_INT(vm_split_check(spec), 0);
	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK(split.outer->process.terminal);
	CHECK_INT(split.outer->process.console_width, 90);
	for (size_t i = 0; i < split.outer->mount_count; i++)
		pts = pts || str_eq(split.outer->mounts[i].destination, "/dev/pts");
	CHECK(pts);
	CHECK_HAS(split.inner, "\"terminal\":true");
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_a_network_is_the_hosts_to_make_and_the_guests_to_drive(void)
{
	struct spec *spec = spec_of("{" ALL ", 'root': {'path': '/r'}, 'annotations': {'io.nacelle.network': 'web:ip=10.0.0.7',"
				    "'io.nacelle.ports': '8080:80', 'io.nacelle.dns': '10.0.0.1', 'a': 'b'}, 'linux': {'namespaces': [" NS "]}}");
	struct vm_split split;

	CHECK_INT(vm_split_check(spec), 0);
	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK_INT(split.modules.count, 1);
	CHECK_STR(split.modules.items[0], "virtio_net");
	/* the guest's runtime would make them a second time */
	CHECK(!strstr(split.inner, "io.nacelle."));
	CHECK_HAS(split.inner, "\"a\":\"b\"");
	/* and `delete` finds by them what is to be given back */
	CHECK_STR(spec_annotation(split.outer, "io.nacelle.network"), "web:ip=10.0.0.7");
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_what_an_engine_says_becomes_the_guests(void)
{
	struct spec *spec = spec_of("{" ALL ", 'root': {'path': '/r'}, 'annotations': {'run.oci.handler': 'krun', 'io.nacelle.vm': '1'},"
				    "'linux': {'namespaces': [{'type': 'mount'}, {'type': 'network', 'path': '/x'}]}}");
	struct vm_split split;

	CHECK(spec->vm.set);
	CHECK_INT(vm_split_check(spec), 0);
	CHECK_INT(vm_split(spec, "/bundle", "/shares", &parts, &split), 0);
	CHECK_STR(split.modules.items[0], "virtio_net");
	CHECK_HAS(split.inner, "{\"type\":\"network\"}");
	/* neither the guest's container nor the cell is to be a machine again, nor is the cell in that namespace */
	CHECK(!strstr(split.inner, "krun") && !strstr(split.inner, "io.nacelle.vm"));
	CHECK(!split.outer->vm.set && !split.outer->linux_.namespaces[NS_NETWORK].path);
	vm_split_done(&split);
	(void)spec_free(spec);
}

static void test_what_has_no_home_is_refused_by_name(void)
{
	static const struct {
		const char *members, *name;
	} cases[] = {
		{ "'linux': {'namespaces': [{'type': 'mount'}]}", "linux.namespaces" },
		{ "'linux': {'namespaces': [" NS ", {'type': 'ipc', 'path': '/x'}]}", "'ipc'" },
		{ "'linux': {'namespaces': [" NS "], 'devices': [{'path': '/dev/kvm', 'type': 'c', 'major': 10, 'minor': 232}]}",
		  "/dev/kvm" },
		{ "'linux': {'namespaces': [" NS "], 'resources': {'unified': {'memory.high': 'max'}}}", "unified" },
		{ "'linux': {'namespaces': [" NS "], 'netDevices': {'eth0': {}}}", "netDevices" },
		{ "'annotations': {'io.nacelle.network': 'container:x'}, 'linux': {'namespaces': [" NS "]}", "of another container" },
		{ "'annotations': {'io.nacelle.network': 'a b c d e'}, 'linux': {'namespaces': [" NS "]}", "at most 4 networks" },
		{ "'mounts': [{'destination': '/v', 'type': 'bind', 'source': '/d', 'options': ['bind', 'shared']}],"
		  "'linux': {'namespaces': [" NS "]}", "shared propagation" },
		{ "'mounts': [{'destination': '/v', 'type': 'btrfs', 'source': '/d'}], 'linux': {'namespaces': [" NS "]}", "'btrfs'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *text = NULL;
		struct spec *spec;

		CHECK_INT(str_format(&text, "{" ALL ", 'root': {'path': '/r'}, %s}", cases[i].members), 0);
		spec = spec_of(text);
		CHECK(vm_split_check(spec) < 0);
		CHECK_HAS(fail_text(), cases[i].name);
		(void)spec_free(spec);
	}
}

static void file_make(int dir, const char *name, const char *text)
{
	CHECK_INT(fd_replace_file(dir, name, text, strlen(text), 0600), 0);
}

static void test_modules_come_after_what_they_need(void)
{
	static const char *const names[] = { "a_b", "?no_such", "built_in", "?c", NULL };
	static const char *const missing[] = { "d", NULL }, *const there[] = { "built_in", "c", NULL };
	char folder[] = "/tmp/test-vm-XXXXXX";
	struct str_list paths = { .items = NULL };
	cleanup_fd int dir = -1;

	CHECK(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file_make(dir, "modules.dep", "kernel/x/c.ko.xz: kernel/y.ko kernel/z.ko\nkernel/xa_b.ko:\n"
				      "kernel/a-b.ko: kernel/z.ko\nkernel/z.ko:\nkernel/y.ko: kernel/z.ko\n");
	file_make(dir, "modules.builtin", "kernel/fs/built-in.ko\n");
	CHECK_INT(vm_modules_list(dir, names, &paths), 0);
	CHECK_INT(paths.count, 4);
	CHECK_STR(paths.items[0], "kernel/z.ko");
	CHECK_STR(paths.items[1], "kernel/a-b.ko");
	CHECK_STR(paths.items[2], "kernel/y.ko");
	CHECK_STR(paths.items[3], "kernel/x/c.ko.xz");
	CHECK(vm_modules_list(dir, missing, &paths) < 0);
	CHECK_HAS(fail_text(), "'d'");
	CHECK_INT(vm_modules_have(dir, there), 1);
	CHECK_INT(vm_modules_have(dir, missing), 0);
	str_list_done(&paths);
	(void)unlinkat(dir, "modules.dep", 0);
	(void)unlinkat(dir, "modules.builtin", 0);
	(void)rmdir(folder);
}

static void test_what_is_packed_is_unpacked(void)
{
	/* printf hello | gzip -n */
	static const unsigned char packed[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
						7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0 };
	cleanup_fd int from = memfd_create("packed", MFD_CLOEXEC), to = -1, plain = memfd_create("plain", MFD_CLOEXEC);
	char text[16] = "";

	CHECK_INT(fd_write_all(from, packed, sizeof(packed)), 0);
	to = vm_unpack_memory(from);
	CHECK(to >= 0);
	CHECK_INT(pread(to, text, sizeof(text), 0), 5);
	CHECK_STR(text, "hello");
	/* a part of it that begins as nothing known does is copied */
	CHECK_INT(vm_unpack(from, 2, 3, plain), 0);
	CHECK_INT(pread(plain, text, sizeof(text), 0), 3);
	CHECK(vm_unpack(from, 2, 1000, plain) < 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TEST(test_each_part_goes_where_its_kernel_is),
		TEST(test_layers_become_shares),
		TEST(test_layers_that_are_files_become_memory_or_disks),
		TEST(test_block_devices_and_images_become_disks),
		TEST(test_a_terminal_is_the_cells_and_the_guests),
		TEST(test_a_network_is_the_hosts_to_make_and_the_guests_to_drive),
		TEST(test_what_an_engine_says_becomes_the_guests),
		TEST(test_what_has_no_home_is_refused_by_name),
		TEST(test_modules_come_after_what_they_need),
		TEST(test_what_is_packed_is_unpacked),
		{ NULL, NULL },
	};

	return tap_run(tests);
}
