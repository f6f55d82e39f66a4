/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading OCI documents: what is in the struct afterwards, and what is refused with which words. */
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/spec-text.h"

#define NS(list) \
	"'ociVersion': '1.2.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}" list \
	"]"
#define PROCESS(members) "{" MINIMAL ", 'process': {'cwd': '/', 'args': ['a']" members "}}"

static void test_the_default_document_is_read(void)
{
	cleanup_json json_t *v = spec_default(false);
	cleanup_spec struct spec *spec = NULL;

	CHECK_INT(spec_read(v, &spec), 0);
	if (!spec)
		return;
	CHECK_STR(spec->root_path, "rootfs");
	CHECK(spec->root_readonly);
	CHECK_STR(spec->hostname, "nacelle");
	CHECK(spec->process_set && spec->process.terminal && spec->process.no_new_privileges);
	CHECK_INT(spec->process.args.count, 1);
	CHECK_STR(spec->process.args.items[0], "sh");
	CHECK_STR(spec->process.cwd, "/");
	CHECK_INT(spec->process.rlimit_count, 1);
	CHECK_INT(spec->process.rlimits[0].resource, RLIMIT_NOFILE);
	CHECK_INT(spec->process.rlimits[0].soft, 1024);
	CHECK_INT(spec->process.oom_score_adj, SPEC_UNSET);
	CHECK_INT(spec->process.user.umask, SPEC_UNSET);
	CHECK(spec->process.capabilities.set);
	CHECK_INT(spec->process.capabilities.bounding, 1 << 29 | 1 << 5 | 1 << 10);
	CHECK_INT(spec->process.capabilities.ambient, 0);
	CHECK_INT(spec->mount_count, 7);
	CHECK(spec->linux_.namespaces[NS_PID].wanted && !spec->linux_.namespaces[NS_USER].wanted);
	CHECK(spec->linux_.resources.devices_set);
	CHECK_INT(spec->linux_.resources.device_count, 1);
	CHECK(!spec->linux_.resources.devices[0].allow);
	CHECK_INT(spec->linux_.resources.memory_max, LIMIT_UNSET);
	CHECK(str_list_has(&spec->linux_.masked_paths, "/proc/kcore"));
	CHECK(str_list_has(&spec->linux_.readonly_paths, "/proc/sys"));
	CHECK(!spec->linux_.seccomp);
	CHECK(spec->json == v);
}

static void test_the_rootless_document_maps_the_caller(void)
{
	cleanup_json json_t *v = spec_default(true);
	cleanup_spec struct spec *spec = NULL;

	CHECK_INT(spec_read(v, &spec), 0);
	if (!spec)
		return;
	CHECK(spec->linux_.namespaces[NS_USER].wanted);
	CHECK_INT(spec->linux_.uid_mapping_count, 1);
	CHECK_INT(spec->linux_.uid_mappings[0].host_id, geteuid());
	CHECK_INT(spec->linux_.gid_mappings[0].host_id, getegid());
	CHECK(!spec->linux_.resources.devices_set);
	for (size_t i = 0; i < spec->mount_count; i++)
		CHECK(!str_list_has(&spec->mounts[i].fs_options, "gid=5"));
}

static void test_a_minimal_document_is_read(void)
{
	cleanup_spec struct spec *spec =
		text_spec("{" MINIMAL ", 'unknown': {'x': 1}, 'hostname': ''}");

	CHECK(spec && !spec->process_set && !spec->hostname && !spec->linux_.cgroups_path);
}

static void test_what_the_document_must_have(void)
{
	texts_refused((struct refusal[]){
		{ "[]", "must be an object, not an array" },
		{ "{}", "ociVersion: is required" },
		{ "{'ociVersion': '2.0.0'}", "ociVersion: \"2.0.0\" is not supported" },
		{ "{'ociVersion': '1.2'}", "ociVersion: \"1.2\" is not a version" },
		{ "{'ociVersion': '1.02.0'}", "is not a version" },
		{ "{'ociVersion': '1.2.0x'}", "is not a version" },
		{ "{'ociVersion': ''}", "is not a version" },
		{ "{'ociVersion': '1.2.0'}", "root.path: is required" },
		{ "{'ociVersion': '1.0.2-dev', 'root': {'path': 'r'}}",
		  "linux.namespaces: must list a mount namespace" },
		{ "{'ociVersion': '1.2.0', 'root': {'path': ''}}", "root.path: must not be empty" },
		{ "{'ociVersion': '1.2.0', 'root': {'path': 3}}",
		  "root.path: must be a string, not an integer" },
		{ "{'ociVersion': '1.2.0', 'linux': []}", "linux: must be an object" },
		{ NULL, NULL },
	});
}

static void test_what_comes_later_is_refused_by_name(void)
{
	texts_refused((struct refusal[]){
		{ "{" MINIMAL ", 'vm': {'hypervisor': {'path': 'k'}}}", "vm.hypervisor.path: " },
		{ "{" MINIMAL ", 'vm': {'hypervisor': {}}}", "vm.hypervisor" },
		{ "{" MINIMAL ", 'vm': {'kernel': {'path': 'k'}}}", "vm.kernel.path: " },
		{ "{" MINIMAL ", 'vm': {'hwConfig': {'vcpus': 0}}}", "vm.hwConfig.vcpus: " },
		{ "{" MINIMAL ", 'windows': {'servicing': true}}", "windows: is for Windows" },
		{ PROCESS(", 'user': {'username': 'x'}"), "process.user.username: is for Windows" },
		{ NULL, NULL },
	});
}

static void test_the_process_is_judged(void)
{
	texts_refused((struct refusal[]){
		{ "{" MINIMAL ", 'process': {'cwd': '/'}}", "process.args: is required" },
		{ "{" MINIMAL ", 'process': {'cwd': '/', 'args': []}}",
		  "process.args: must name at least the program" },
		{ "{" MINIMAL ", 'process': {'cwd': '/', 'args': ['a', 1]}}",
		  "process.args[1]: must be a string" },
		{ "{" MINIMAL ", 'process': {'args': ['a']}}", "process.cwd: is required" },
		{ "{" MINIMAL ", 'process': {'args': ['a'], 'cwd': 'tmp'}}",
		  "process.cwd: \"tmp\" is not an absolute path" },
		{ PROCESS(", 'user': {'uid': 4294967295}"), "process.user.uid: 4294967295 is -1" },
		{ PROCESS(", 'user': {'gid': -1}"), "process.user.gid: must be from 0" },
		{ PROCESS(", 'user': {'uid': 4294967296}"), "process.user.uid: must be from 0" },
		{ PROCESS(", 'user': {'umask': 512}"),
		  "process.user.umask: must be from 0 to 511" },
		{ PROCESS(", 'user': {'additionalGids': [1, 4294967295]}"),
		  "process.user.additionalGids[1]: 4294967295" },
		{ PROCESS(", 'user': {'uid': 'root'}"),
		  "process.user.uid: must be an integer, not a string" },
		{ PROCESS(", 'oomScoreAdj': 1001"),
		  "process.oomScoreAdj: must be from -1000 to 1000" },
		{ PROCESS(", 'consoleSize': {'height': 3}"),
		  "process.consoleSize.width: is required" },
		{ PROCESS(", 'rlimits': [{'type': 'RLIMIT_NOFIL', 'soft': 1, 'hard': 1}]"),
		  "did you mean 'RLIMIT_NOFILE'" },
		{ PROCESS(", 'rlimits': [{'type': 'RLIMIT_CORE', 'soft': 2, 'hard': 1}]"),
		  "process.rlimits[0]: the soft limit is above the hard limit" },
		{ PROCESS(", 'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1}, {'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1}]"),
		  "process.rlimits[1]: the same type stands at [0]" },
		{ PROCESS(", 'capabilities': ['CAP_CHOWN']"),
		  "process.capabilities: must be an object" },
		{ PROCESS(", 'capabilities': {'ambient': [1]}"),
		  "process.capabilities.ambient[0]: must be a string" },
		{ NULL, NULL },
	});
}

static void test_process_values(void)
{
	cleanup_spec struct spec *spec = text_spec(PROCESS(
		", 'user': {'uid': 4294967294, 'gid': 5, 'umask': 18, 'additionalGids': [7, 8, 9]}, 'env': ['A=b', 'NOEQUALS'],"
		"'capabilities': {'bounding': ['cap_chown', 'Kill'], 'ambient': ['CAP_CHECKPOINT_RESTORE']},"
		"'rlimits': [{'type': 'RLIMIT_CORE', 'soft': 18446744073709551615, 'hard': 18446744073709551615}],"
		"'oomScoreAdj': -1000, 'consoleSize': {'height': 25, 'width': 80}"));
	const struct spec_process *p = spec ? &spec->process : NULL;

	if (!CHECK(p))
		return;
	CHECK_INT(p->user.uid, 4294967294);
	CHECK_INT(p->user.umask, 022);
	CHECK_INT(p->user.additional_gid_count, 3);
	CHECK_INT(p->user.additional_gids[2], 9);
	CHECK_STR(p->env.items[1], "NOEQUALS");
	CHECK_INT(p->capabilities.bounding, 1 << 0 | 1 << 5);
	CHECK(p->capabilities.ambient == UINT64_C(1) << 40);
	CHECK(p->rlimits[0].soft == UINT64_MAX && p->rlimits[0].hard == UINT64_MAX);
	CHECK_INT(p->oom_score_adj, -1000);
	CHECK_INT(p->console_height, 25);
	CHECK_INT(p->console_width, 80);
	CHECK(!p->no_new_privileges && !p->terminal);
}

static void test_a_process_is_read_alone(void)
{
	cleanup_json json_t *good =
		text_json("{'args': ['ls'], 'cwd': '/tmp', 'user': {'uid': 3}}");
	cleanup_json json_t *bad =
		text_json("{'args': ['ls'], 'cwd': '/', 'env': ['A=b'], 'rlimits': 3}");
	struct spec_process process = { .cwd = NULL };

	CHECK_INT(spec_process_read(good, &process), 0);
	CHECK_STR(process.cwd, "/tmp");
	CHECK_INT(process.user.uid, 3);
	spec_process_done(&process);
	CHECK(spec_process_read(bad, &process) < 0);
	CHECK_STR(fail_text(), "rlimits: must be an array, not an integer");
}

static void test_namespaces_are_judged(void)
{
	texts_refused((struct refusal[]){
		{ "{" NS(", {'type': 'pidd'}") "}}",
		  "linux.namespaces[1].type: \"pidd\" is not one of" },
		{ "{" NS(", {'path': '/x'}") "}}", "linux.namespaces[1].type: is required" },
		{ "{" NS(", {'type': 'pid'}, {'type': 'pid'}") "}}",
		  "linux.namespaces[2]: 'pid' is listed twice" },
		{ "{" NS(", {'type': 'pid', 'path': 'ns'}") "}}",
		  "linux.namespaces[1].path: must be an absolute path" },
		{ "{" NS("") "}, 'hostname': 'x'}", "hostname: needs a uts namespace" },
		{ "{" NS("") "}, 'domainname': 'x'}", "domainname: needs a uts namespace" },
		{ "{" NS(", {'type': 'uts', 'path': '/proc/self/ns/uts'}") "}, 'hostname': 'x'}",
		  "hostname: needs a uts namespace of the container's own" },
		{ "{" NS(", {'type': 'uts'}") "}, 'hostname': '0123456789012345678901234567890123456789012345678901234567890123x'}",
		  "hostname: is longer than 64 bytes" },
		{ "{" NS("") ", 'timeOffsets': {'boottime': {'secs': 1}}}}",
		  "linux.timeOffsets: need a time namespace" },
		{ "{" NS(", {'type': 'time', 'path': '/x'}") ", 'timeOffsets': {'boottime': {'secs': 1}}}}",
		  "joined" },
		{ "{" NS(", {'type': 'time'}") ", 'timeOffsets': {'realtime': {'secs': 1}}}}",
		  "linux.timeOffsets.realtime: is not known" },
		{ "{" NS(", {'type': 'time'}") ", 'timeOffsets': {'boottime': {'nanosecs': 1000000000}}}}",
		  "must be from 0 to 999999999" },
		{ NULL, NULL },
	});
}

static void test_namespace_values(void)
{
	cleanup_spec struct spec *spec = text_spec("{" NS(
		", {'type': 'time'}, {'type': 'network', 'path': '/run/n'}, {'type': 'pid', 'path': ''}") ", 'timeOffsets': {'monotonic': {'secs': -5, 'nanosecs': 6}}}}");

	if (!CHECK(spec))
		return;
	CHECK_STR(spec->linux_.namespaces[NS_NETWORK].path, "/run/n");
	CHECK(spec->linux_.namespaces[NS_PID].wanted && !spec->linux_.namespaces[NS_PID].path);
	CHECK(spec->linux_.monotonic.set && !spec->linux_.boottime.set);
	CHECK_INT(spec->linux_.monotonic.secs, -5);
	CHECK_INT(spec->linux_.monotonic.nanosecs, 6);
}

#define USERNS(uid, gid) \
	"{" NS(", {'type': 'user'}") ", 'uidMappings': [" uid "], 'gidMappings': [" gid "]}"
#define ID_MAP(inside, outside, size) \
	"{'containerID': " inside ", 'hostID': " outside ", 'size': " size "}"

static void test_id_maps_are_judged(void)
{
	texts_refused((struct refusal[]){
		{ "{" NS("") ", 'uidMappings': [" ID_MAP("0", "0", "1") "]}}",
		  "linux.uidMappings: needs a user namespace" },
		{ "{" NS(", {'type': 'user'}") "}}",
		  "linux.uidMappings: is required for a new user namespace" },
		{ USERNS(ID_MAP("0", "0", "1"), "") "}", "linux.gidMappings: is required" },
		{ USERNS(ID_MAP("0", "0", "0"), ID_MAP("0", "0", "1")) "}",
		  "linux.uidMappings[0]: 'size' must be at least 1" },
		{ USERNS(ID_MAP("4294967295", "0", "1"), ID_MAP("0", "0", "1")) "}",
		  "linux.uidMappings[0].containerID: 4294967295" },
		{ USERNS(ID_MAP("1", "0", "4294967295"), ID_MAP("0", "0", "1")) "}",
		  "beyond the last id" },
		{ USERNS(ID_MAP("0", "4294967294", "2"), ID_MAP("0", "0", "1")) "}",
		  "beyond the last id" },
		{ USERNS(ID_MAP("0", "0", "10") "," ID_MAP("9", "100", "1"),
			 ID_MAP("0", "0", "1")) "}",
		  "linux.uidMappings[1]: the ids inside overlap those of [0]" },
		{ USERNS(ID_MAP("0", "0", "10") "," ID_MAP("10", "9", "1"),
			 ID_MAP("0", "0", "1")) "}",
		  "linux.uidMappings[1]: the ids outside overlap those of [0]" },
		{ USERNS(ID_MAP("0", "0", "10"),
			 ID_MAP("0", "0",
				"1")) ", 'process': {'cwd': '/', 'args': ['a'], 'user': {'uid': 10}}}",
		  "process.user.uid: 10 is not in linux.uidMappings" },
		{ USERNS(ID_MAP("0", "0", "10"),
			 ID_MAP("0", "0",
				"1")) ", 'process': {'cwd': '/', 'args': ['a'], 'user': {'additionalGids': [0, 1]}}}",
		  "process.user.additionalGids[1]: 1 is not in linux.gidMappings" },
		{ "{" MINIMAL
		  ", 'mounts': [{'destination': '/a', 'source': '/', 'options': ['bind', 'idmap']}]}",
		  "mounts[0]: 'idmap' needs uidMappings" },
		{ "{" MINIMAL
		  ", 'mounts': [{'destination': '/a', 'source': '/', 'options': ['bind'], 'uidMappings': [" ID_MAP(
			  "0", "0", "1") "]}]}",
		  "mounts[0]: 'uidMappings' and 'gidMappings' go together" },
		{ NULL, NULL },
	});
}

static void test_all_ids_can_be_mapped(void)
{
	cleanup_spec struct spec *spec =
		text_spec(USERNS(ID_MAP("0", "0", "4294967295"),
				 ID_MAP("0", "5", "10") "," ID_MAP("10", "0", "5")) "}");

	if (!CHECK(spec))
		return;
	CHECK_INT(spec->linux_.uid_mapping_count, 1);
	CHECK_INT(spec->linux_.gid_mapping_count, 2);
	CHECK_INT(spec->linux_.uid_mappings[0].size, 4294967295);
	CHECK_INT(spec->linux_.gid_mappings[1].container_id, 10);
}

static void test_hooks(void)
{
	cleanup_spec struct spec *spec = text_spec(
		"{" MINIMAL
		", 'hooks': {'prestart': [{'path': '/p', 'args': ['p', 'q'], 'timeout': 3}],"
		"'poststop': [{'path': '/a'}, {'path': '/b', 'env': ['X=y']}]}}");

	if (!CHECK(spec))
		return;
	CHECK_INT(spec->hooks[HOOK_PRESTART].count, 1);
	CHECK_INT(spec->hooks[HOOK_PRESTART].items[0].timeout_s, 3);
	CHECK_STR(spec->hooks[HOOK_PRESTART].items[0].args.items[1], "q");
	CHECK_INT(spec->hooks[HOOK_POSTSTOP].count, 2);
	CHECK_INT(spec->hooks[HOOK_POSTSTOP].items[1].timeout_s, SPEC_UNSET);
	CHECK_STR(spec->hooks[HOOK_POSTSTOP].items[1].env.items[0], "X=y");
	CHECK_STR(spec_hook_name(HOOK_START_CONTAINER), "startContainer");
	texts_refused((struct refusal[]){
		{ "{" MINIMAL ", 'hooks': {'poststart': [{'path': 'x'}]}}",
		  "hooks.poststart[0].path: \"x\" is not an absolute path" },
		{ "{" MINIMAL ", 'hooks': {'poststart': [{'path': '/x', 'timeout': 0}]}}",
		  "hooks.poststart[0].timeout: must be from 1" },
		{ NULL, NULL },
	});
}

static void test_annotations(void)
{
	cleanup_spec struct spec *spec =
		text_spec("{" MINIMAL ", 'annotations': {'a.b': 'c=d', 'e': ''}}");

	if (!CHECK(spec))
		return;
	CHECK_STR(spec_annotation(spec, "a.b"), "c=d");
	CHECK_STR(spec_annotation(spec, "e"), "");
	CHECK(!spec_annotation(spec, "a"));
}

static void test_capability_names(void)
{
	CHECK_INT(spec_capability("CAP_CHOWN"), 0);
	CHECK_INT(spec_capability("net_raw"), 13);
	CHECK_INT(spec_capability("Cap_Sys_Admin"), 21);
	CHECK_INT(spec_capability("CAP_"), -1);
	CHECK_INT(spec_capability(""), -1);
	CHECK_INT(spec_capability("41"), -1);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_the_default_document_is_read),
		TEST(test_the_rootless_document_maps_the_caller),
		TEST(test_a_minimal_document_is_read),
		TEST(test_what_the_document_must_have),
		TEST(test_what_comes_later_is_refused_by_name),
		TEST(test_the_process_is_judged),
		TEST(test_process_values),
		TEST(test_a_process_is_read_alone),
		TEST(test_namespaces_are_judged),
		TEST(test_namespace_values),
		TEST(test_id_maps_are_judged),
		TEST(test_all_ids_can_be_mapped),
		TEST(test_hooks),
		TEST(test_annotations),
		TEST(test_capability_names),
		{ 0 },
	});
}
