/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short form's keys about files, devices, privileges and names. */
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/spec-text.h"

#define RUN "'layers': ['/l'], 'args': ['true']"

static struct spec *expand_read(const char *text)
{
	cleanup_json json_t *v = text_json(text), *expanded = NULL;
	struct spec *spec = NULL;

	if (spec_expand(v, NULL, NULL, "/spec", &expanded) < 0 || spec_read(expanded, &spec) < 0)
		tap_check(false, __FILE__, __LINE__, "%s: %s", text, fail_text());
	return spec;
}

static void refused(const struct refusal *list)
{
	for (; list->text; list++) {
		cleanup_json json_t *v = text_json(list->text), *expanded = NULL;
		cleanup_spec struct spec *spec = NULL;
		int r = spec_expand(v, NULL, NULL, "/spec", &expanded);

		if (r == 0)
			r = spec_read(expanded, &spec);
		if (tap_check(r < 0, __FILE__, __LINE__, "%s was accepted", list->text))
			CHECK_HAS(fail_text(), list->message);
	}
}

static const struct spec_mount *mount_at(const struct spec *spec, const char *destination)
{
	for (size_t i = 0; spec && i < spec->mount_count; i++) {
		if (str_eq(spec->mounts[i].destination, destination))
			return &spec->mounts[i];
	}
	return NULL;
}

static void test_volumes(void)
{
	cleanup_spec struct spec *spec = expand_read(
		"{" RUN
		", 'volumes': ['/a:/b', './site:/srv:ro,noexec', '..:/up:rw,dev,suid,rslave,bind']}");
	const struct spec_mount *plain = mount_at(spec, "/b"), *ro = mount_at(spec, "/srv"),
				*up = mount_at(spec, "/up");

	if (!CHECK(plain && ro && up))
		return;
	CHECK_STR(plain->source, "/a");
	CHECK(plain->bind && plain->bind_recursive);
	CHECK_INT(plain->attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	CHECK_INT(plain->propagation, MS_PRIVATE);
	CHECK_STR(ro->source, "/spec/site");
	CHECK_INT(ro->rec_set, MOUNT_ATTR_RDONLY);
	CHECK(ro->attr_set & MOUNT_ATTR_RDONLY && ro->attr_set & MOUNT_ATTR_NOEXEC);
	CHECK_STR(up->source, "/spec/..");
	CHECK_INT(up->attr_set, 0);
	CHECK_INT(up->propagation, MS_SLAVE);
	CHECK(!up->bind_recursive);
	refused((struct refusal[]){
		{ "{" RUN ", 'volumes': ['x']}", "volumes[0]" },
		{ "{" RUN ", 'volumes': ['/x:y']}", "volumes[0]: \"y\" is not an absolute path" },
		{ "{" RUN ", 'volumes': ['/x:/y:U']}",
		  "volumes[0]: the option \"U\" is not supported yet" },
		{ "{" RUN ", 'volumes': ['/x:/y:ro,z']}",
		  "volumes[0]: the option \"z\" is not supported yet" },
		{ "{" RUN ", 'volumes': ['/x:/y:rox']}",
		  "volumes[0]: \"rox\" is not an option of a volume" },
		{ "{" RUN ", 'volumes': ['/x:/y:']}",
		  "volumes[0]: \"\" is not an option of a volume" },
		{ "{" RUN ", 'volumes': ['.x:/y']}", "volumes[0]: \".x\" is no path" },
		{ "{" RUN ", 'volumes': ['/x:/y', 3]}", "volumes[1]: must be a string" },
		{ "{" RUN ", 'volumes': ['/x:/']}",
		  "volumes[0]: \"/\" is not an absolute path below the root" },
		{ NULL, NULL },
	});
}

static void test_tmpfs(void)
{
	cleanup_spec struct spec *spec =
		expand_read("{" RUN ", 'tmpfs': ['/run', '/dev/shm:size=1m,exec']}");
	const struct spec_mount *run = mount_at(spec, "/run"), *shm = mount_at(spec, "/dev/shm");

	CHECK(run && shm);
	if (!run || !shm)
		return;
	CHECK_STR(run->type, "tmpfs");
	CHECK_INT(run->attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	CHECK_INT(shm->attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	CHECK_STR(shm->fs_options.items[0], "size=1m");
	CHECK_INT(shm->fs_options.count, 1);
	refused((struct refusal[]){
		{ "{" RUN ", 'tmpfs': ['run']}", "tmpfs[0]: must begin with an absolute path" },
		{ "{" RUN ", 'tmpfs': '/run'}", "tmpfs: must be an array of strings" },
		{ NULL, NULL },
	});
}

static void test_devices(void)
{
	cleanup_spec struct spec *spec = expand_read(
		"{" RUN ", 'devices': ['/dev/null', '/dev/zero:/dev/nil:rw', '/dev/full:r']}");
	const struct spec_linux *l = spec ? &spec->linux_ : NULL;

	if (!l || !CHECK_INT(l->device_count, 3) || !CHECK_INT(l->resources.device_count, 4))
		return;
	CHECK_STR(l->devices[0].path, "/dev/null");
	CHECK_INT(l->devices[0].minor, 3);
	CHECK_INT(l->devices[0].file_mode, 0666);
	CHECK_STR(l->devices[1].path, "/dev/nil");
	CHECK_INT(l->devices[1].minor, 5);
	CHECK(l->resources.devices[2].allow && l->resources.devices[2].write &&
	      !l->resources.devices[2].mknod);
	CHECK(l->resources.devices[3].read && !l->resources.devices[3].write);
	CHECK_STR(l->devices[2].path, "/dev/full");
	refused((struct refusal[]){
		{ "{" RUN ", 'devices': ['/dev/none']}",
		  "devices[0]: look at \"/dev/none\": not found" },
		{ "{" RUN ", 'devices': ['/etc/passwd']}",
		  "devices[0]: \"/etc/passwd\" is not a device" },
		{ "{" RUN ", 'devices': ['/dev']}", "devices[0]: \"/dev\" is not a device" },
		{ "{" RUN ", 'devices': ['/dev/null:/dev/x:rx']}",
		  "devices[0]: \"rx\" must be made of" },
		{ "{" RUN ", 'devices': ['null']}", "devices[0]: must be /dev/X" },
		{ NULL, NULL },
	});
}

static const char *note(const struct spec *spec, const char *key)
{
	const char *value = spec_annotation(spec, key);

	return value ? value : "";
}

/* What is not there is "". */
static void check_notes(const char *text, const char *network, const char *ports, const char *dns)
{
	cleanup_spec struct spec *spec = expand_read(text);

	if (!spec)
		return;
	CHECK_STR(note(spec, "io.nacelle.network"), network);
	CHECK_STR(note(spec, "io.nacelle.ports"), ports);
	CHECK_STR(note(spec, "io.nacelle.dns"), dns);
	CHECK(spec->linux_.namespaces[NS_NETWORK].wanted && !spec->linux_.namespaces[NS_NETWORK].path);
}

static void test_networks(void)
{
	check_notes("{" RUN ", 'network': 'web'}", "web", "", "");
	check_notes("{" RUN ", 'network': ['web']}", "web", "", "");
	check_notes("{" RUN ", 'network': ['none']}", "", "", "");
	check_notes("{" RUN ", 'network': 'container:c1'}", "container:c1", "", "");
	check_notes("{" RUN ", 'network': [{'name': 'web', 'ip': '10.0.0.2', 'alias': ['a', 'b'], 'mac': '02:00:00:00:00:01'}, 'two']}",
		    "web:ip=10.0.0.2,alias=a,alias=b,mac=02:00:00:00:00:01 two", "", "");
	check_notes("{" RUN ", 'ports': ['80:80', '53:53/udp'], 'dns': ['10.0.0.1', '::1']}", "nacelle", "80:80/tcp,53:53/udp",
		    "10.0.0.1,::1");
	check_notes("{" RUN ", 'ports': ['80', '127.0.0.1::81']}", "nacelle", "80/tcp,127.0.0.1::81/tcp", "");
	check_notes("{" RUN ", 'ports': [], 'dns': []}", "", "", "");
}

static void test_network(void)
{
	cleanup_spec struct spec *none = expand_read("{" RUN ", 'network': 'none'}");
	cleanup_spec struct spec *host = expand_read("{" RUN ", 'network': 'host'}");
	cleanup_spec struct spec *path = expand_read("{" RUN ", 'network': '/run/netns/x'}");

	CHECK(none && none->linux_.namespaces[NS_NETWORK].wanted &&
	      !none->linux_.namespaces[NS_NETWORK].path);
	CHECK(host && !host->linux_.namespaces[NS_NETWORK].wanted &&
	      host->linux_.namespaces[NS_PID].wanted);
	CHECK(path && str_eq(path->linux_.namespaces[NS_NETWORK].path, "/run/netns/x"));
	refused((struct refusal[]){
		{ "{" RUN ", 'network': {'mode': 'x'}}", "network: 'name' is required" },
		{ "{" RUN ", 'network': {'name': 'a', 'aliases': 'x'}}", "network.aliases: is not a known key: did you mean 'alias'?" },
		{ "{" RUN ", 'network': {'name': 'a', 'ip': 1}}", "network.ip: must be a string, not an integer" },
		{ "{" RUN ", 'network': {'name': 'a', 'ip': '1.2.3'}}", "network: network 'a': ip: \"1.2.3\" is not an address" },
		{ "{" RUN ", 'network': {'name': 'a b'}}", "is not the name of a network" },
		{ "{" RUN ", 'network': ['a', 'host']}", "network[1]: 'host' goes with no other network" },
		{ "{" RUN ", 'network': ['a', 'a']}", "network: network 'a' is named twice" },
		{ "{" RUN ", 'network': []}", "network: is empty" },
		{ "{" RUN ", 'network': 7}", "network: must be a string, an object, or a list of them, not an integer" },
		{ "{" RUN ", 'network': 'container:../x'}", "network:" },
		{ "{" RUN ", 'ports': ['0:80']}", "ports[0]: \"0:80\": the host's port is a number from 1 to 65535" },
		{ "{" RUN ", 'ports': ['80:80', '80:81']}", "ports: port 80/tcp of the host is published twice" },
		{ "{" RUN ", 'ports': ['80:80'], 'network': 'host'}", "ports: can be published only from a network" },
		{ "{" RUN ", 'ports': ['80:80'], 'network': 'container:c'}", "ports: the network is that of container 'c'" },
		{ "{" RUN ", 'dns': ['x']}", "dns[0]: \"x\" is not an address" },
		{ "{" RUN ", 'network': 'host', 'sysctl': {'net.ipv4.ip_forward': '1'}}",
		  "would change the host" },
		{ NULL, NULL },
	});
}

static void test_capabilities(void)
{
	static const struct {
		const char *text;
		uint64_t bounding;
	} cases[] = {
		{ "{" RUN ", 'cap_drop': ['ALL']}", 0 },
		{ "{" RUN ", 'cap_drop': ['all'], 'cap_add': ['net_raw', 'CAP_KILL']}",
		  1 << 13 | 1 << 5 },
		{ "{" RUN ", 'cap_drop': ['CHOWN']}", 0x800405fa },
		{ "{" RUN ", 'cap_add': ['NET_RAW']}", 0x800425fb },
		{ "{" RUN ", 'cap_add': ['ALL']}", 0x1ffffffffff },
		{ "{" RUN ", 'cap_add': ['ALL'], 'cap_drop': ['CHOWN', 'SYS_ADMIN']}",
		  0x1ffffdffffe },
		{ "{" RUN
		  ", 'cap_add': ['NET_RAW'], 'process': {'capabilities': {'bounding': ['CAP_KILL']}}}",
		  1 << 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec *spec = expand_read(cases[i].text);
		const struct spec_capabilities *c = spec ? &spec->process.capabilities : NULL;

		if (!c)
			continue;
		tap_check(c->bounding == cases[i].bounding, __FILE__, __LINE__, "%s: %#lx",
			  cases[i].text, c->bounding);
		CHECK(c->inheritable == 0 && c->ambient == 0);
	}
	refused((struct refusal[]){
		{ "{" RUN ", 'cap_add': ['NET_RAWW']}",
		  "cap_add[0]: \"NET_RAWW\" is not a capability" },
		{ "{" RUN ", 'cap_drop': ['CAP_CHOWNN']}",
		  "cap_drop[0]: \"CAP_CHOWNN\" is not a capability; 'CAP_CHOWN' is" },
		{ "{" RUN ", 'cap_drop': 'ALL'}", "cap_drop: must be an array" },
		{ NULL, NULL },
	});
}

static void test_security(void)
{
	cleanup_spec struct spec *open = expand_read(
		"{" RUN
		", 'security': ['seccomp=unconfined', 'no-new-privileges=false', 'unmask=ALL']}");
	cleanup_spec struct spec *masked = expand_read(
		"{" RUN
		", 'security': ['mask=/a:/proc/sys', 'unmask=/proc/kcore:/proc/bus', 'seccomp=default']}");

	CHECK(open && !open->linux_.seccomp && !open->process.no_new_privileges &&
	      open->linux_.masked_paths.count == 0 && open->linux_.readonly_paths.count == 0);
	CHECK(masked && str_list_has(&masked->linux_.masked_paths, "/a") &&
	      !str_list_has(&masked->linux_.masked_paths, "/proc/kcore") &&
	      !str_list_has(&masked->linux_.readonly_paths, "/proc/bus") && masked->linux_.seccomp);
	refused((struct refusal[]){
		{ "{" RUN ", 'security': ['seccomp=./none.json']}", "none.json" },
		{ "{" RUN ", 'security': ['seccomp=x']}", "security[0]: \"x\" is no path" },
		{ "{" RUN ", 'security': ['no-new-privileges=maybe']}",
		  "security[0]: must be no-new-privileges=true" },
		{ "{" RUN ", 'security': ['apparmor=x']}",
		  "security[0]: \"apparmor=x\": not supported yet" },
		{ "{" RUN ", 'security': ['label=disable']}", "not supported yet" },
		{ "{" RUN ", 'security': ['mask=x']}",
		  "security[0]: \"x\" is not an absolute path" },
		{ "{" RUN ", 'security': ['privileged']}",
		  "security[0]: \"privileged\" is not known" },
		{ NULL, NULL },
	});
}

static void test_a_profile_from_a_file(void)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}", NULL },
		{ "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"archMap\": []}",
		  "is a profile in docker's format ('archMap')" },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"x\"], \"includes\": {\"caps\": [\"CAP_BPF\"]}}]}",
		  "('includes' in syscalls[0])" },
		{ "[]", "holds no seccomp profile" },
	};
	char path[] = "/tmp/nacelle-test-profile-XXXXXX";
	int fd = mkstemp(path);

	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_json json_t *v = NULL, *expanded = NULL;
		cleanup_free char *text = NULL;
		FILE *f = fopen(path, "w");
		int r;

		fputs(cases[i].text, f);
		fclose(f);
		CHECK_INT(str_format(&text, "{" RUN ", 'security': ['seccomp=%s']}", path), 0);
		v = text_json(text);
		r = spec_expand(v, NULL, NULL, NULL, &expanded);
		if (cases[i].message)
			CHECK(r < 0 &&
			      tap_check_has(fail_text(), cases[i].message, __FILE__, __LINE__));
		else
			CHECK(r == 0 &&
			      json_object_size(json_object_get(json_object_get(expanded, "linux"),
							       "seccomp")) == 1);
	}
	unlink(path);
}

static void test_names_and_annotations(void)
{
	cleanup_spec struct spec *spec = expand_read(
		"{" RUN
		", 'name': 'web-1', 'labels': {'a': 'b', 'c.d': ''}, 'stop_signal': 'SIGUSR1',"
		"'stop_timeout': '1m0.5s', 'cwd': '/srv', 'sysctl': {'net.core.somaxconn': 5}}");
	cleanup_spec struct spec *named = expand_read(
		"{" RUN
		", 'name': 'x', 'hostname': 'other', 'labels': ['k=v=w', 'l'], 'stop_timeout': 0, 'stop_signal': 9}");

	if (!spec || !named)
		return;
	CHECK_STR(spec->hostname, "web-1");
	CHECK_STR(spec_annotation(spec, "io.nacelle.name"), "web-1");
	CHECK_STR(spec_annotation(spec, "io.nacelle.label.a"), "b");
	CHECK_STR(spec_annotation(spec, "io.nacelle.label.c.d"), "");
	CHECK_STR(spec_annotation(spec, "io.nacelle.stop_signal"), "SIGUSR1");
	CHECK_STR(spec_annotation(spec, "io.nacelle.stop_timeout"), "61");
	CHECK_STR(spec->process.cwd, "/srv");
	CHECK_STR(spec->linux_.sysctls[0].value, "5");
	CHECK_STR(named->hostname, "other");
	CHECK_STR(spec_annotation(named, "io.nacelle.label.k"), "v=w");
	CHECK_STR(spec_annotation(named, "io.nacelle.label.l"), "");
	CHECK_STR(spec_annotation(named, "io.nacelle.stop_timeout"), "0");
	CHECK_STR(spec_annotation(named, "io.nacelle.stop_signal"), "9");
	refused((struct refusal[]){
		{ "{" RUN ", 'name': '../x'}", "name: must be letters" },
		{ "{" RUN ", 'name': ''}", "name: must be letters" },
		{ "{" RUN ", 'cwd': 'srv'}", "cwd: must be an absolute path" },
		{ "{" RUN ", 'tty': 1}", "tty: must be true or false" },
		{ "{" RUN ", 'labels': {'a': 1}}", "labels.a: must be a string" },
		{ "{" RUN ", 'labels': ['=x']}", "labels[0]: is not the name of a label" },
		{ "{" RUN ", 'stop_signal': 'SIGNONE'}",
		  "stop_signal: \"SIGNONE\" is not a signal" },
		{ "{" RUN ", 'stop_signal': 65}", "is not a signal" },
		{ "{" RUN ", 'stop_timeout': -1}", "stop_timeout: must be from 0" },
		{ "{" RUN ", 'stop_timeout': 'soon'}", "stop_timeout: \"soon\" is not a time" },
		{ "{" RUN ", 'sysctl': {'kernel.panic': '1'}}", "would change the host" },
		{ NULL, NULL },
	});
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_volumes),
		TEST(test_tmpfs),
		TEST(test_devices),
		TEST(test_network),
		TEST(test_networks),
		TEST(test_capabilities),
		TEST(test_security),
		TEST(test_a_profile_from_a_file),
		TEST(test_names_and_annotations),
		{ 0 },
	});
}
