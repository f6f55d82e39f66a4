/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short form: what each key becomes in OCI's terms, how parts merge, and what is refused. */
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/spec-text.h"

#define RUN "'layers': ['/l'], 'args': ['true']"

/* Expand with overrides and defaults (either may be NULL). Return: the document, or NULL when refused. */
static json_t *expand_with(const char *text, const char *overrides, const char *defaults)
{
	cleanup_json json_t *v = text_json(text), *before = json_deep_copy(v);
	cleanup_json json_t *o = overrides ? text_json(overrides) : NULL,
			    *d = defaults ? text_json(defaults) : NULL;
	json_t *expanded = NULL;
	int r = spec_expand(v, o, d, "/spec", &expanded);

	CHECK(json_equal(v, before));
	return r < 0 ? NULL : expanded;
}

/* Expand and read. */
static struct spec *expand_read(const char *text, const char *overrides)
{
	cleanup_json json_t *v = expand_with(text, overrides, NULL);
	struct spec *spec = NULL;

	if (!tap_check(v, __FILE__, __LINE__, "%s: %s", text, fail_text()))
		return NULL;
	if (!tap_check(spec_read(v, &spec) == 0, __FILE__, __LINE__, "%s: %s", text, fail_text()))
		return NULL;
	return spec;
}

static void refused(const struct refusal *list)
{
	for (; list->text; list++) {
		cleanup_json json_t *v = expand_with(list->text, NULL, NULL);

		if (tap_check(!v, __FILE__, __LINE__, "%s was accepted", list->text))
			CHECK_HAS(fail_text(), list->message);
	}
}

static const struct spec_mount *mount_at(const struct spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		if (str_eq(spec->mounts[i].destination, destination))
			return &spec->mounts[i];
	}
	return NULL;
}

static void test_what_is_a_short_form(void)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
		{ "{'args': ['a']}", true },
		{ "{'ociVersion': '1.2.0'}", false },
		{ "{'hostname': 'x'}", false },
		{ "{'vm': true}", true },
		{ "{'vm': {'kernel': {}}}", false },
		{ "{'unknown': 1}", false },
		{ "{'process': {}, 'pids': 1}", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_json json_t *v = text_json(cases[i].text);

		CHECK(spec_is_short(v) == cases[i].is);
	}
}

static void test_the_defaults_are_secure(void)
{
	cleanup_spec struct spec *spec = expand_read("{" RUN "}", NULL);
	const enum spec_ns wanted[] = { NS_PID, NS_MOUNT, NS_IPC, NS_UTS, NS_NETWORK, NS_CGROUP };
	const struct spec_mount *m;

	if (!spec)
		return;
	CHECK(spec->process.no_new_privileges && spec->linux_.seccomp && !spec->process.terminal);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		CHECK(spec->linux_.namespaces[wanted[i]].wanted);
	CHECK(!spec->linux_.namespaces[NS_USER].wanted && !spec->linux_.namespaces[NS_TIME].wanted);
	/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP */
	CHECK_INT(spec->process.capabilities.bounding, 0x800405fb);
	CHECK_INT(spec->process.capabilities.effective, 0x800405fb);
	CHECK_INT(spec->process.capabilities.permitted, 0x800405fb);
	CHECK_INT(spec->process.capabilities.inheritable, 0);
	CHECK_INT(spec->process.capabilities.ambient, 0);
	CHECK(str_list_has(&spec->linux_.masked_paths, "/proc/interrupts"));
	CHECK(str_list_has(&spec->linux_.masked_paths, "/sys/devices/virtual/powercap"));
	CHECK(str_list_has(&spec->linux_.readonly_paths, "/proc/sysrq-trigger"));
	CHECK(spec->linux_.resources.devices_set && !spec->linux_.resources.devices[0].allow);
	m = mount_at(spec, "/sys/fs/cgroup");
	CHECK(m && (m->attr_set & MOUNT_ATTR_RDONLY));
	CHECK_STR(str_env_find(&spec->process.env, "HOME"), "/root");
	CHECK(str_env_find(&spec->process.env, "PATH") &&
	      !str_env_find(&spec->process.env, "TERM"));
	CHECK(!spec->hostname);
}

static void test_layers_become_the_root(void)
{
	cleanup_spec struct spec *spec =
		expand_read("{'layers': ['./base', '/a:b,c', '../top'], 'args': ['true']}", NULL);
	const struct str_list *o = spec ? &spec->mounts[0].fs_options : NULL;

	if (!o || !CHECK_INT(o->count, 4))
		return;
	CHECK_STR(spec->mounts[0].destination, "/");
	CHECK_STR(spec->mounts[0].type, "overlay");
	CHECK_STR(o->items[0], "lowerdir+=/spec/../top");
	CHECK_STR(o->items[1], "lowerdir+=/a:b,c");
	CHECK_STR(o->items[2], "lowerdir+=/spec/base");
	CHECK_STR(o->items[3], "upper=auto");
	CHECK(!spec->root_readonly && !spec->root_path);
}

static void test_the_upper_of_the_layers(void)
{
	cleanup_spec struct spec *dir = expand_read("{" RUN ", 'upper': './up'}", NULL);
	cleanup_spec struct spec *disk = expand_read("{" RUN ", 'upper': 'disk'}", NULL);
	cleanup_spec struct spec *none = expand_read("{" RUN ", 'read_only': true}", NULL);
	cleanup_spec struct spec *both =
		expand_read("{" RUN ", 'read_only': true, 'upper': 'tmpfs'}", NULL);
	cleanup_spec struct spec *flag = expand_read("{" RUN "}", "{'read_only': true}");

	CHECK(dir && str_list_has(&dir->mounts[0].fs_options, "upperdir=/spec/up"));
	CHECK(disk && str_list_has(&disk->mounts[0].fs_options, "upper=disk"));
	/* Where mounts go is made in the upper, whoever may write there afterwards. */
	CHECK(none && str_list_has(&none->mounts[0].fs_options, "upper=auto") && none->root_readonly);
	CHECK(both && str_list_has(&both->mounts[0].fs_options, "upper=tmpfs") &&
	      both->root_readonly);
	CHECK(flag && str_list_has(&flag->mounts[0].fs_options, "upper=auto") && flag->root_readonly);
	refused((struct refusal[]){
		{ "{'args': ['a']}", "there is no root file system: give 'layers'" },
		{ "{'args': ['a'], 'upper': 'tmpfs', 'root': {'path': 'r'}}",
		  "upper: is what changes to 'layers' go to" },
		{ "{" RUN ", 'upper': 'dir'}", "upper: \"dir\" is no path" },
		{ "{" RUN ", 'root': {'path': 'r'}}", "root.path: 'layers' make the root already" },
		{ "{'args': ['a'], 'layers': []}", "layers: must name at least one directory" },
		{ "{'args': ['a'], 'layers': ['base']}", "layers[0]: \"base\" is no path" },
		{ "{'layers': ['/l']}", "args: is required" },
		{ NULL, NULL },
	});
}

static void test_relative_paths_need_a_folder(void)
{
	cleanup_json json_t *v = text_json("{'layers': ['./l'], 'args': ['a']}");
	json_t *expanded = NULL;

	CHECK(spec_expand(v, NULL, NULL, NULL, &expanded) < 0);
	CHECK_HAS(fail_text(),
		  "layers[0]: \"./l\" is relative, and a spec from standard input has no folder");
}

static void test_args_and_entrypoint(void)
{
	cleanup_spec struct spec *both =
		expand_read("{'layers': ['/l'], 'entrypoint': ['e', '-x'], 'args': ['a']}", NULL);
	cleanup_spec struct spec *flag = expand_read(
		"{'layers': ['/l'], 'entrypoint': ['e'], 'args': ['a']}", "{'args': ['b', 'c']}");
	cleanup_spec struct spec *oci =
		expand_read("{" RUN ", 'entrypoint': ['e'], 'process': {'args': ['oci']}}", NULL);
	cleanup_spec struct spec *over = expand_read(
		"{" RUN ", 'entrypoint': ['e'], 'process': {'args': ['oci']}}", "{'args': ['f']}");

	CHECK(both && both->process.args.count == 3 && str_eq(both->process.args.items[2], "a"));
	CHECK(flag && flag->process.args.count == 3 && str_eq(flag->process.args.items[1], "b"));
	CHECK(oci && oci->process.args.count == 1 && str_eq(oci->process.args.items[0], "oci"));
	CHECK(over && over->process.args.count == 1 && str_eq(over->process.args.items[0], "f"));
}

static void test_environment(void)
{
	cleanup_spec struct spec *spec = NULL, *list = NULL;

	setenv("NACELLE_TEST_ENV", "ours", 1);
	unsetenv("NACELLE_TEST_NONE");
	spec = expand_read(
		"{" RUN
		", 'env': {'A': 'b', 'N': 3, 'T': true, 'PATH': '/x'}, 'tty': true, 'process': {'env': ['A=oci']}}",
		"{'env': ['Z=1']}");
	list = expand_read(
		"{" RUN
		", 'env': ['X=y=z', 'NACELLE_TEST_ENV', 'NACELLE_TEST_NONE', 'HOME=/h'], 'user': '5'}",
		NULL);
	if (!spec || !list)
		return;
	CHECK_STR(str_env_find(&spec->process.env, "A"), "oci");
	CHECK_STR(str_env_find(&spec->process.env, "N"), "3");
	CHECK_STR(str_env_find(&spec->process.env, "T"), "true");
	CHECK_STR(str_env_find(&spec->process.env, "PATH"), "/x");
	CHECK_STR(str_env_find(&spec->process.env, "Z"), "1");
	CHECK_STR(str_env_find(&spec->process.env, "TERM"), "xterm");
	CHECK_INT(spec->process.env.count, 7);
	CHECK_STR(str_env_find(&list->process.env, "X"), "y=z");
	CHECK_STR(str_env_find(&list->process.env, "NACELLE_TEST_ENV"), "ours");
	CHECK(!str_env_find(&list->process.env, "NACELLE_TEST_NONE"));
	CHECK_STR(str_env_find(&list->process.env, "HOME"), "/h");
	refused((struct refusal[]){
		{ "{" RUN ", 'env': {'A=': 'b'}}", "env[\"A=\"]: is not the name of a variable" },
		{ "{" RUN ", 'env': {'A': []}}", "env.A: must be a string, not an array" },
		{ "{" RUN ", 'env': ['=x']}", "env[0]: must begin with a name" },
		{ "{" RUN ", 'env': 'A=b'}", "env: must be an object or an array" },
		{ NULL, NULL },
	});
}

static void test_environment_files(void)
{
	char path[] = "/tmp/nacelle-test-env-XXXXXX", *text = NULL;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	fprintf(f, "# note\nA=1\r\n\n  B=two words\nC=#x\nA=2");
	fclose(f);
	CHECK_INT(str_format(&text, "{" RUN ", 'env_file': '%s', 'env': {'B': 'env'}}", path), 0);
	{
		cleanup_spec struct spec *spec = expand_read(text, NULL);

		if (spec) {
			CHECK_STR(str_env_find(&spec->process.env, "A"), "2");
			CHECK_STR(str_env_find(&spec->process.env, "B"), "env");
			CHECK_STR(str_env_find(&spec->process.env, "C"), "#x");
		}
	}
	free(text);
	unlink(path);
	refused((struct refusal[]){
		{ "{" RUN ", 'env_file': ['./none']}",
		  "env_file[0]: open \"/spec/none\": not found" },
		{ "{" RUN ", 'env_file': '/proc'}", "env_file: \"/proc\" is not a regular file" },
		{ NULL, NULL },
	});
}

static void test_users(void)
{
	static const struct {
		const char *text;
		uint32_t uid, gid;
		const char *name;
	} cases[] = {
		{ "{" RUN ", 'user': '0'}", 0, 0, NULL },
		{ "{" RUN ", 'user': '1000'}", 1000, 0, "1000" },
		{ "{" RUN ", 'user': '1000:4294967294'}", 1000, 4294967294, NULL },
		{ "{" RUN ", 'user': 'www-data'}", 65534, 65534, "www-data" },
		{ "{" RUN ", 'user': '7:staff'}", 7, 65534, "7:staff" },
		{ "{" RUN ", 'user': 'me:8'}", 65534, 8, "me:8" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_json json_t *v = expand_with(cases[i].text, NULL, NULL);
		json_t *user = json_object_get(json_object_get(v, "process"), "user");
		json_t *name =
			json_object_get(json_object_get(v, "annotations"), "io.nacelle.user");
		cleanup_spec struct spec *spec = NULL;

		CHECK_INT(json_integer_value(json_object_get(user, "uid")), cases[i].uid);
		CHECK_INT(json_integer_value(json_object_get(user, "gid")), cases[i].gid);
		CHECK_INT(spec_read(v, &spec), 0);
		CHECK(spec && spec->process.user.uid == cases[i].uid);
		if (cases[i].name)
			CHECK_STR(json_string_value(name), cases[i].name);
		else
			CHECK(!name);
	}
	refused((struct refusal[]){
		{ "{" RUN ", 'user': ''}", "user: \"\" is not an id" },
		{ "{" RUN ", 'user': ':'}", "user: \"\" is not an id" },
		{ "{" RUN ", 'user': '0:'}", "user: \"\" is not an id" },
		{ "{" RUN ", 'user': '-1'}", "user: \"-1\" is not an id" },
		{ "{" RUN ", 'user': '4294967295'}", "user: \"4294967295\" is not an id" },
		{ "{" RUN ", 'user': '4294967296'}", "is not an id" },
		{ "{" RUN ", 'user': '18446744073709551616'}", "is not an id" },
		{ "{" RUN ", 'user': '1:2:3'}", "user: \"2:3\" is not a name" },
		{ "{" RUN ", 'user': ' 0'}", "is not a name" },
		{ "{" RUN ", 'user': '../x'}", "is not a name" },
		{ "{" RUN ", 'user': 0}", "user: must be a string, not an integer" },
		{ NULL, NULL },
	});
}

static void test_limits(void)
{
	cleanup_spec struct spec *spec = expand_read(
		"{" RUN
		", 'memory': '64M', 'cpus': 0.5, 'pids': 64, 'ulimits': {'nofile': '10:20', 'CORE': -1,"
		"'nproc': 5, 'stack': {'soft': 1, 'hard': 'unlimited'}}}",
		NULL);
	const struct spec_process *p = spec ? &spec->process : NULL;

	if (!p)
		return;
	CHECK_INT(spec->linux_.resources.memory_max, 64 << 20);
	CHECK_INT(spec->linux_.resources.cpu_quota_us, 50000);
	CHECK_INT(spec->linux_.resources.cpu_period_us, 100000);
	CHECK_INT(spec->linux_.resources.pids_max, 64);
	CHECK_INT(p->rlimit_count, 4);
	CHECK(p->rlimits[0].soft == 10 && p->rlimits[0].hard == 20);
	CHECK(p->rlimits[1].soft == UINT64_MAX && p->rlimits[1].hard == UINT64_MAX);
	CHECK(p->rlimits[2].soft == 5 && p->rlimits[2].hard == 5);
	CHECK(p->rlimits[3].soft == 1 && p->rlimits[3].hard == UINT64_MAX);
	refused((struct refusal[]){
		{ "{" RUN ", 'memory': '64Q'}", "memory: \"64Q\" is not a size" },
		{ "{" RUN ", 'memory': 0}", "memory: must be a number of bytes" },
		{ "{" RUN ", 'memory': true}", "memory: must be a size" },
		{ "{" RUN ", 'cpus': 0}", "cpus: must be from 0.01" },
		{ "{" RUN ", 'cpus': '1x'}", "cpus: must be a number" },
		{ "{" RUN ", 'cpus': 'nan'}", "cpus: must be a number" },
		{ "{" RUN ", 'pids': 0}", "pids: must be at least 1" },
		{ "{" RUN ", 'pids': '5'}", "pids: must be an integer" },
		{ "{" RUN ", 'ulimits': {'nofiles': 1}}", "ulimits.nofiles: is not a limit" },
		{ "{" RUN ", 'ulimits': {'nofile': '2:1'}}",
		  "ulimits.nofile: the soft limit is above" },
		{ "{" RUN ", 'ulimits': {'nofile': '1:2:3'}}",
		  "ulimits.nofile: \"2:3\" is not a limit" },
		{ "{" RUN ", 'ulimits': {'nofile': {'soft': 1}}}",
		  "ulimits.nofile: must have 'soft' and 'hard'" },
		{ "{" RUN ", 'ulimits': [1]}", "ulimits: must be an object" },
		{ NULL, NULL },
	});
}

static void test_merging(void)
{
	cleanup_json json_t *v = expand_with(
		"{" RUN ", 'memory': '1M', 'process': {'capabilities': {'bounding': []}},"
		"'mounts': [{'destination': '/tmp', 'type': 'tmpfs'}, {'destination': '/proc', 'type': 'proc', 'options': ['ro']}],"
		"'linux': {'namespaces': [{'type': 'network', 'path': '/n'}, {'type': 'time'}], 'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'},"
		"'maskedPaths': ['/x'], 'resources': {'memory': {'limit': 5, 'swap': 60}}, 'readonlyPaths': null}}",
		"{'memory': 7}", "{'memory': '9M', 'pids': 3, 'env': {'D': 'e'}}");
	cleanup_spec struct spec *spec = NULL;

	if (!CHECK(v) || !CHECK_INT(spec_read(v, &spec), 0))
		return;
	CHECK_INT(spec->mount_count, 9);
	CHECK_STR(spec->mounts[1].destination, "/proc");
	CHECK_INT(spec->mounts[1].options.count, 1);
	CHECK_STR(spec->mounts[8].destination, "/tmp");
	CHECK_STR(spec->linux_.namespaces[NS_NETWORK].path, "/n");
	CHECK(spec->linux_.namespaces[NS_TIME].wanted && spec->linux_.namespaces[NS_PID].wanted);
	CHECK(spec->linux_.seccomp && spec->linux_.seccomp->rule_count == 0);
	CHECK_INT(spec->linux_.masked_paths.count, 1);
	CHECK_INT(spec->linux_.readonly_paths.count, 5);
	CHECK_INT(spec->linux_.resources.memory_max, 7);
	CHECK_INT(spec->linux_.resources.memory_swap, 60);
	CHECK_INT(spec->linux_.resources.pids_max, 3);
	CHECK_INT(spec->process.capabilities.permitted, 0);
	CHECK_STR(str_env_find(&spec->process.env, "D"), "e");
}

static void test_a_pure_document_is_literal(void)
{
	cleanup_json json_t *v =
		text_json("{" MINIMAL
			  ", 'process': {'args': ['a'], 'cwd': '/', 'env': ['A=b']}, 'odd': [1]}");
	cleanup_json json_t
		*same = NULL,
		*changed = NULL,
		*flags = text_json(
			"{'env': ['A=c', 'D=e'], 'args': ['x'], 'hostname': 'h', 'memory': '1M'}");
	cleanup_json json_t *defaults = text_json("{'pids': 5}");

	CHECK_INT(spec_expand(v, NULL, defaults, "/spec", &same), 0);
	CHECK(same == v);
	CHECK_INT(spec_expand(v, flags, defaults, "/spec", &changed), 0);
	CHECK(changed != v && json_object_get(changed, "odd"));
	CHECK_STR(json_string_value(json_array_get(
			  json_object_get(json_object_get(changed, "process"), "env"), 0)),
		  "A=c");
	CHECK_STR(json_string_value(json_array_get(
			  json_object_get(json_object_get(changed, "process"), "args"), 0)),
		  "x");
	CHECK_INT(json_array_size(json_object_get(json_object_get(v, "process"), "env")), 1);
	CHECK(!json_object_get(json_object_get(json_object_get(changed, "linux"), "resources"),
			       "pids"));
	CHECK(!json_object_get(changed, "mounts"));
}

static void test_unknown_and_later_keys_are_refused(void)
{
	refused((struct refusal[]){
		{ "{}", "is empty" },
		{ "[]", "must be an object, not an array" },
		{ "{" RUN ", 'memroy': '64M'}",
		  "\"memroy\" is not a known key: did you mean 'memory'?" },
		{ "{" RUN ", 'proces': {}}", "did you mean 'process'?" },
		{ "{" RUN ", 'zzzzzzz': 1}", "\"zzzzzzz\" is not a known key" },
		{ "{" RUN ", 'image': 5}", "image: must be the name of an image, not an integer" },
		{ "{" RUN ", 'init': 1}", "init: must be true or false, not an integer" },
		{ "{" RUN ", 'restart': 'sometimes'}", "restart: \"sometimes\" is not one of \"no\", \"on-failure\"" },
		{ "{" RUN ", 'restart': 'always:3'}", "restart: \"always:3\" is not one of" },
		{ "{" RUN ", 'restart': 'on-failure:x'}", "restart: \"on-failure:x\" is not one of" },
		{ "{" RUN ", 'restart': true}", "restart: must be a string" },
		{ "{" RUN ", 'health': {'interval': '1s'}}", "health: has no 'cmd'" },
		{ "{" RUN ", 'health': {'cmd': []}}", "health.cmd: is empty" },
		{ "{" RUN ", 'health': {'cmd': 'x', 'interval': 'soon'}}", "health.interval: \"soon\" is not a time" },
		{ "{" RUN ", 'health': {'cmd': 'x', 'retries': 0}}", "health.retries: must be a number from 1" },
		{ "{" RUN ", 'health': {'cmd': 'x', 'wait': 0}}", "health.wait: is not one of cmd" },
		{ "{" RUN ", 'log': {'driver': 'x'}}", "log.driver: \"x\" is not \"json-file\", \"journald\" or \"none\"" },
		{ "{" RUN ", 'log': {'max_size': '10'}}", "log.max_size: \"10\" is not a size of 4k or more" },
		{ "{" RUN ", 'log': {'max_file': 0}}", "log.max_file: \"0\" is not a number from 1" },
		{ "{" RUN ", 'log': 'none'}", "log: must be an object" },
		{ "{" RUN ", 'rootfs_size': 'much'}", "rootfs_size: \"much\" is not a size" },
		{ "{" RUN ", 'rootfs_size': 5}", "rootfs_size: must be 4096 bytes or more" },
		{ "{" RUN ", 'rootfs_size': '1G', 'upper': '/dir'}", "rootfs_size: limits what is written to 'layers'" },
		{ "{" RUN ", 'vm': 1}", "vm: must be true or false" },
		{ NULL, NULL },
	});
	CHECK(!expand_with("{" RUN "}", "{'memroy': 1}", NULL));
	CHECK_HAS(fail_text(), "did you mean 'memory'?");
	CHECK(!expand_with("{" RUN "}", NULL, "{'process': {}}"));
	CHECK_HAS(fail_text(), "the configuration's 'defaults': \"process\" is not a known key");
	{
		cleanup_spec struct spec *spec = expand_read(
			"{" RUN
			", 'init': false, 'ports': [], 'vm': false, 'image': '', 'dns': null}",
			NULL);

		CHECK(spec);
	}
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_what_is_a_short_form),
		TEST(test_the_defaults_are_secure),
		TEST(test_layers_become_the_root),
		TEST(test_the_upper_of_the_layers),
		TEST(test_relative_paths_need_a_folder),
		TEST(test_args_and_entrypoint),
		TEST(test_environment),
		TEST(test_environment_files),
		TEST(test_users),
		TEST(test_limits),
		TEST(test_merging),
		TEST(test_a_pure_document_is_literal),
		TEST(test_unknown_and_later_keys_are_refused),
		{ 0 },
	});
}
