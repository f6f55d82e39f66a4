/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scheduling, and what a container gets of the machine: how the fields are read, and which are refused.
 */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>

#include "tests/unit/spec-text.h"

#define PROCESS(member) "{" MINIMAL ", 'process': {'cwd': '/', 'args': ['a'], " member "}}"
#define LINUX(member) \
	"{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'network'}], " \
	member "}}"

static bool mask_has(const struct spec_mask *mask, unsigned int bit)
{
	const unsigned int word = 8 * sizeof(mask->bits[0]);

	return mask->bits[bit / word] >> bit % word & 1;
}

static void test_scheduling_is_read(void)
{
	cleanup_spec struct spec *spec = text_spec(
		PROCESS("'scheduler': {'policy': 'SCHED_DEADLINE', 'flags': ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM'],"
			"'runtime': 10, 'deadline': 20, 'period': 18446744073709551615},"
			"'ioPriority': {'class': 'IOPRIO_CLASS_IDLE', 'priority': 7},"
			"'execCPUAffinity': {'initial': '0-3,7', 'final': '8191'}"));
	const struct spec_process *p;

	if (!CHECK(spec))
		return;
	p = &spec->process;
	CHECK(p->scheduler.set && p->scheduler.policy == SCHED_DEADLINE);
	CHECK(p->scheduler.flags == (SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM));
	CHECK(p->scheduler.runtime == 10 && p->scheduler.deadline == 20 && p->scheduler.period == UINT64_MAX);
	CHECK(p->io_priority.set && p->io_priority.io_class == IOPRIO_CLASS_IDLE && p->io_priority.priority == 7);
	for (unsigned int bit = 0; bit < 64; bit++)
		CHECK(mask_has(&p->cpus_initial, bit) == (bit < 4 || bit == 7));
	CHECK(p->cpus_final.set && mask_has(&p->cpus_final, 8191) && !mask_has(&p->cpus_final, 8190));
}

static void test_what_is_absent_is_not_set(void)
{
	cleanup_spec struct spec *spec = text_spec(PROCESS("'apparmorProfile': '', 'execCPUAffinity': {'initial': ''}"));

	if (!CHECK(spec))
		return;
	CHECK(!spec->process.scheduler.set && !spec->process.io_priority.set && !spec->process.cpus_initial.set);
	CHECK(!spec->process.apparmor_profile && !spec->process.selinux_label && !spec->linux_.mount_label);
	CHECK(spec->linux_.personality == -1 && !spec->linux_.memory_policy.set && !spec->linux_.intel_rdt.set);
	CHECK(spec->linux_.net_device_count == 0);
}

static void test_the_machine_is_read(void)
{
	cleanup_spec struct spec *spec = text_spec(LINUX(
		"'netDevices': {'eth0': {'name': 'in0'}, 'eth1': {}}, 'personality': {'domain': 'LINUX32', 'flags': []},"
		"'memoryPolicy': {'mode': 'MPOL_INTERLEAVE', 'nodes': '1,3', 'flags': ['MPOL_F_RELATIVE_NODES']},"
		"'intelRdt': {'closID': '/', 'schemata': ['L3:0=f'], 'enableMBM': true}, 'mountLabel': 'l'"));
	const struct spec_linux *l;

	if (!CHECK(spec))
		return;
	l = &spec->linux_;
	CHECK_INT((long long)l->net_device_count, 2);
	CHECK_STR(l->net_devices[0].name, "eth0");
	CHECK_STR(l->net_devices[0].new_name, "in0");
	CHECK_STR(l->net_devices[1].new_name, "eth1");
	CHECK_INT(l->personality, PER_LINUX32);
	CHECK(l->memory_policy.mode == MPOL_INTERLEAVE && l->memory_policy.flags == MPOL_F_RELATIVE_NODES);
	CHECK(mask_has(&l->memory_policy.nodes, 3) && !mask_has(&l->memory_policy.nodes, 2));
	CHECK(l->intel_rdt.set && l->intel_rdt.monitoring);
	CHECK_STR(l->intel_rdt.clos_id, "/");
	CHECK_STR(l->mount_label, "l");
}

static void test_what_cannot_be_is_refused(void)
{
	static const struct refusal list[] = {
		{ PROCESS("'scheduler': {}"), "process.scheduler.policy: is required" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_ISO'}"), "reserved" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'flags': ['SCHED_FLAG_UTIL_CLAMP_MIN']}"), "no field for the value" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_FIFO', 'priority': 100}"), "must be from 0 to 99" },
		{ PROCESS("'scheduler': {'policy': 'SCHED_FIFO', 'flags': 'X'}"), "must be an array of strings" },
		{ PROCESS("'ioPriority': {'priority': 1}"), "process.ioPriority.class: is required" },
		{ PROCESS("'execCPUAffinity': {'initial': '0-8192'}"), "is no list of numbers" },
		{ PROCESS("'execCPUAffinity': {'initial': '99999999999999999999999'}"), "is no list of numbers" },
		{ PROCESS("'execCPUAffinity': {'final': '1,'}"), "is no list of numbers" },
		{ PROCESS("'execCPUAffinity': {'final': '-1'}"), "is no list of numbers" },
		{ PROCESS("'execCPUAffinity': {'final': '3-2'}"), "is no list of numbers" },
		{ PROCESS("'execCPUAffinity': {'final': '1 2'}"), "is no list of numbers" },
		{ LINUX("'netDevices': {'waytoolonganame0': {}}"), "is not the name of a network device" },
		{ LINUX("'netDevices': {'eth%d': {}}"), "is not the name of a network device" },
		{ LINUX("'netDevices': {'a': {'name': '..'}}"), "linux.netDevices.a.name: \"..\" is not" },
		{ LINUX("'netDevices': {'a': {}, 'b': {'name': 'a'}}"), "the name of two devices" },
		{ LINUX("'netDevices': {'a': 5}"), "linux.netDevices.a: must be an object" },
		{ "{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}], 'netDevices': {"
		  "'a': {}}}}", "linux.netDevices: need a network namespace" },
		{ LINUX("'memoryPolicy': {'nodes': '0'}"), "linux.memoryPolicy.mode: is required" },
		{ LINUX("'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': ''}"), "needs 'nodes'" },
		{ LINUX("'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '0', 'flags': ['MPOL_F_STATIC_NODES', "
			"'MPOL_F_RELATIVE_NODES']}"), "exclude each other" },
		{ LINUX("'personality': {}"), "linux.personality.domain: is required" },
		{ LINUX("'personality': {'domain': 'LINUX', 'flags': ['x']}"), "the OCI text defines none" },
		{ LINUX("'intelRdt': {'closID': 'a/b'}"), "linux.intelRdt.closID" },
		{ LINUX("'intelRdt': {'closID': '..'}"), "linux.intelRdt.closID" },
		{ LINUX("'intelRdt': {'schemata': ['a\\nb']}"), "an element is one line" },
		{ NULL, NULL },
	};

	texts_refused(list);
}

static void test_a_deadline_and_hooks_inside_exclude_each_other(void)
{
	static const struct refusal list[] = {
		{ PROCESS("'scheduler': {'policy': 'SCHED_DEADLINE', 'runtime': 1, 'deadline': 2, 'period': 2}}, 'hooks': {"
			  "'startContainer': [{'path': '/x'}]"), "SCHED_FLAG_RESET_ON_FORK" },
		{ NULL, NULL },
	};

	texts_refused(list);
}

static void test_annotations_of_other_runtimes(void)
{
#define ANNOTATED(key, value) "{" MINIMAL ", 'annotations': {'" key "': '" value "'}}"
	static const struct refusal list[] = {
		{ ANNOTATED("run.oci.handler", "wasm"), "\"wasm\" is not supported" },
		{ ANNOTATED("run.oci.mount_context_type", "x"), "run.oci.mount_context_type" },
		{ ANNOTATED("run.oci.hooks.stdout", "x"), "must be an absolute path" },
		{ NULL, NULL },
	};
	cleanup_spec struct spec *spec = text_spec(
		"{'ociVersion': '1.3.0', 'root': {'path': 'r'}, 'annotations': {'run.oci.seccomp.receiver': '/agent',"
		"'run.oci.keep_original_groups': '1', 'run.oci.unknown': 'x'}, 'linux': {'namespaces': [{'type': 'mount'}],"
		"'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['acct'], 'action': 'SCMP_ACT_NOTIFY'}]}}}");

	if (!CHECK(spec))
		return;
	CHECK_STR(spec->linux_.seccomp->listener_path, "/agent");
	CHECK(spec->process.user.keep_groups);
	CHECK(!spec_annotation_is_set(spec, "run.oci.hooks.stdout"));
	texts_refused(list);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_scheduling_is_read),
		TEST(test_what_is_absent_is_not_set),
		TEST(test_the_machine_is_read),
		TEST(test_what_cannot_be_is_refused),
		TEST(test_a_deadline_and_hooks_inside_exclude_each_other),
		TEST(test_annotations_of_other_runtimes),
		{ 0 },
	});
}
