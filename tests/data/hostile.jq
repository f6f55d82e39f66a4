# SPDX-License-Identifier: GPL-2.0-or-later
#
# From a valid document that has about every field, documents with one thing wrong each. Output: a line each, name, the
# path that the refusal must name, and the document, between tabs. $group: which family.

# a.b[0].c, as the messages write it
def dotted: reduce .[] as $p (""; if $p | type == "number" then . + "[\($p)]" elif . == "" then $p else . + "." + $p end);

# What of a path a message must at least hold: keys that are free names are written in other ways.
def named:
	if .[0] == "annotations" then ["annotations"]
	elif .[0:2] == ["linux", "sysctl"] then .[0:2]
	elif .[0:3] == ["linux", "resources", "unified"] or .[0:3] == ["linux", "resources", "rdma"] then .[0:3]
	else . end | dotted;

def family($name; $path; $doc): "\($name)\t\($path)\t\($doc | tojson)";

# --- every path of the document, with every type that it is not

def kind: if type == "number" then "integer" else type end;
def wrong_values: [
	{ kind: "string", value: "x" }, { kind: "integer", value: 7 }, { kind: "real", value: 1.5 },
	{ kind: "boolean", value: true }, { kind: "array", value: [] }, { kind: "array", value: [[]] },
	{ kind: "object", value: {} }, { kind: "object", value: { a: 1 } } ];

def types:
	. as $doc | paths as $path | ($doc | getpath($path) | kind) as $right
	| wrong_values[] | select(.kind != $right)
	| family("\($path | dotted) as \(.value | tojson)"; $path | named; .value as $v | $doc | setpath($path; $v));

# --- a null where a list or an object of free keys has an element

def nulls:
	. as $doc | paths as $path | select($path[-1] | type == "number")
	| family("\($path | dotted) as null"; $path | named; $doc | setpath($path; null));

# --- numbers out of range

def numbers:
	. as $doc | paths(type == "number") as $path
	| (-1, -9007199254740993, 9007199254740993, 4294967296, 18446744073709551616, 1e30) as $value
	| family("\($path | dotted) as \($value)"; $path | named; $doc | setpath($path; $value));

# --- strings: what no path, name or word can be

def huge: [range(0; 5000)] | map("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") | join("");
def strings:
	. as $doc | paths(type == "string") as $path
	| ({ name: "empty", value: "" }, { name: "huge", value: huge }, { name: "control", value: "\u0001\u001b[2J\n\r\t" },
	   { name: "up", value: "../../../../../../../../etc" }, { name: "format", value: "%s%n%n%n%n" })
	| .value as $v | family("\($path | dotted) is \(.name)"; $path | named; $doc | setpath($path; $v));

# --- documents that contradict themselves

def change($name; $path; f): family($name; $path; f);
def senses:
	change("two pid namespaces"; "linux.namespaces"; .linux.namespaces += [{ type: "pid" }]),
	change("two, one joined"; "linux.namespaces"; .linux.namespaces += [{ type: "network", path: "/proc/self/ns/net" }]),
	change("no mount namespace"; "linux.namespaces"; .linux.namespaces |= map(select(.type != "mount"))),
	change("no namespaces"; "linux.namespaces"; .linux.namespaces = []),
	change("an unknown namespace"; "linux.namespaces[0].type"; .linux.namespaces[0].type = "pidd"),
	change("a namespace in capitals"; "linux.namespaces[0].type"; .linux.namespaces[0].type = "PID"),
	change("a namespace that is no namespace"; "linux.namespaces"; (.linux.namespaces[] | select(.type == "network")).path = "/etc/passwd"),
	change("a namespace of another type"; "linux.namespaces"; (.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/ipc"),
	change("a namespace by a relative path"; "linux.namespaces"; (.linux.namespaces[] | select(.type == "network")).path = "proc/self/ns/net"),
	change("a namespace that is a pipe"; "linux.namespaces"; (.linux.namespaces[] | select(.type == "network")).path = $pipe),
	change("a namespace that is not there"; "linux.namespaces"; (.linux.namespaces[] | select(.type == "network")).path = "/no/such"),
	change("a user namespace without maps"; "linux.uidMappings"; .linux.namespaces += [{ type: "user" }]),
	change("maps without a user namespace"; "linux.uidMappings"; .linux.uidMappings = [{ containerID: 0, hostID: 1, size: 1 }]),
	change("time offsets without a time namespace"; "linux.timeOffsets"; .linux.timeOffsets = { monotonic: { secs: 1 } }),
	change("offsets of no clock"; "linux.timeOffsets"; .linux.timeOffsets = { realtime: { secs: 1 } }),
	change("a host name without a uts namespace"; "hostname"; .linux.namespaces |= map(select(.type != "uts"))),
	change("a host name too long"; "hostname"; .hostname = ("x" * 65)),
	change("a domain name too long"; "domainname"; .domainname = ("x" * 65)),
	change("no root"; "root"; del(.root)),
	change("no root path"; "root.path"; del(.root.path)),
	change("a root that is not there"; "/no/such"; .root.path = "/no/such"),
	change("a root that is a file"; "/etc/passwd"; .root.path = "/etc/passwd"),
	change("a root that is a pipe"; $pipe; .root.path = $pipe),
	change("a root that is a device"; "/dev/null"; .root.path = "/dev/null"),
	change("a root that is a loop"; $loop; .root.path = $loop),
	change("no process"; "process"; del(.process)),
	change("no args"; "process.args"; del(.process.args)),
	change("empty args"; "process.args"; .process.args = []),
	change("no cwd"; "process.cwd"; del(.process.cwd)),
	change("a relative cwd"; "process.cwd"; .process.cwd = "tmp"),
	change("a cwd that is a file"; "working directory"; .process.cwd = "/etc/passwd"),
	change("a cwd below a file"; "working directory"; .process.cwd = "/etc/passwd/x"),
	change("a program that is not there"; "/no/such"; .process.args = ["/no/such"]),
	change("a program that is a folder"; "/etc"; .process.args = ["/etc"]),
	change("a program that is no program"; "/etc/passwd"; .process.args = ["/etc/passwd"]),
	change("an empty program"; "exec"; .process.args = [""]),
	change("a huge program"; "exec"; .process.args = ["/" + huge]),
	change("huge args"; "execute"; .process.args = ["/bin/true"] + [range(0; 40) | huge]),
	change("a huge env"; "execute"; .process.env = [range(0; 40) | "X=" + huge]),
	change("no version"; "ociVersion"; del(.ociVersion)),
	change("version 2"; "ociVersion"; .ociVersion = "2.0.0"),
	change("version 0"; "ociVersion"; .ociVersion = "0.9.0"),
	change("a version with more"; "ociVersion"; .ociVersion = "1.2.0.0"),
	change("uid -1 as unsigned"; "process.user.uid"; .process.user.uid = 4294967295),
	change("gid -1 as unsigned"; "process.user.gid"; .process.user.gid = 4294967295),
	change("a group that is -1"; "process.user.additionalGids"; .process.user.additionalGids = [4294967295]),
	change("a million groups"; "process.user.additionalGids"; .process.user.additionalGids = [range(0; 70000)]),
	change("a umask too large"; "process.user.umask"; .process.user.umask = 4096),
	change("an unknown rlimit"; "process.rlimits[0].type"; .process.rlimits[0].type = "RLIMIT_NOSUCH"),
	change("the same rlimit twice"; "process.rlimits"; .process.rlimits += [.process.rlimits[0]]),
	change("soft above hard"; "process.rlimits"; .process.rlimits[0] |= (.soft = 10 | .hard = 5)),
	change("an oom score beyond"; "process.oomScoreAdj"; .process.oomScoreAdj = 1001),
	change("an oom score below"; "process.oomScoreAdj"; .process.oomScoreAdj = -1001),
	change("a console too wide"; "process.consoleSize"; .process.consoleSize = { height: 1, width: 65536 }),
	change("the root by a relative name"; "mounts[1]"; .mounts[1].destination = "etc/.."),
	change("the root as a destination"; "mounts[1]"; .mounts[1].destination = "/"),
	change("the root by another name"; "mounts[1]"; .mounts[1].destination = "/x/.."),
	change("a mount without a destination"; "mounts[0].destination"; del(.mounts[0].destination)),
	change("an unknown file system"; "nosuchfs"; .mounts[1].type = "nosuchfs"),
	change("an unknown option"; "nosuchoption"; .mounts[1].options = ["nosuchoption=1"]),
	change("a huge option"; "option"; .mounts[1].options = ["size=" + huge]),
	change("remount of what is no mount"; "nothing is mounted there"; .mounts[1].options = ["remount"]),
	change("a bind without a source"; "source"; .mounts += [{ destination: "/x", type: "bind", options: ["bind"] }]),
	change("a bind of nothing"; "/no/such"; .mounts += [{ destination: "/x", type: "bind", source: "/no/such", options: ["bind"] }]),
	change("a bind of a loop"; $loop; .mounts += [{ destination: "/x", type: "bind", source: $loop, options: ["bind"] }]),
	change("a tmpfs on /proc"; "/proc"; .mounts += [{ destination: "/proc", type: "tmpfs", source: "tmpfs" }]),
	change("a tmpfs below /proc"; "/proc/self"; .mounts += [{ destination: "/proc/self", type: "tmpfs", source: "tmpfs" }]),
	change("below /proc by .."; "/tmp/../proc/sys"; .mounts += [{ destination: "/tmp/../proc/sys", type: "tmpfs", source: "tmpfs" }]),
	change("below /proc by //"; "//proc//sys"; .mounts += [{ destination: "//proc//sys", type: "tmpfs", source: "tmpfs" }]),
	change("a mapped tmpfs"; "mounts[3]"; (.mounts[] | select(.destination == "/dev/shm")).uidMappings = [{ containerID: 0, hostID: 1, size: 1 }]),
	change("overlay not first"; "mounts"; .mounts += [{ destination: "/", type: "overlay", options: ["lowerdir=/"] }]),
	change("overlay and a root"; "root"; .mounts = [{ destination: "/", type: "overlay", options: ["lowerdir=/"] }] + .mounts),
	change("a device of no type"; "linux.devices[0].type"; .linux.devices[0].type = "x"),
	change("a device without numbers"; "linux.devices[0]"; .linux.devices[0] |= del(.major)),
	change("a device at a relative path"; "linux.devices[0].path"; .linux.devices[0].path = "dev/x"),
	change("a device at the root"; "linux.devices[0]"; .linux.devices[0].path = "/"),
	change("a device at a folder"; "linux.devices[0]"; .linux.devices[0].path = "/dev/.."),
	change("a major beyond"; "linux.devices[0].major"; .linux.devices[0].major = 4096),
	change("a minor beyond"; "linux.devices[0].minor"; .linux.devices[0].minor = 1048576),
	change("a mode beyond"; "linux.devices[0].fileMode"; .linux.devices[0].fileMode = 1048576),
	change("a sysctl of the host"; "linux.sysctl"; .linux.sysctl = { "kernel.core_pattern": "|/x" }),
	change("another sysctl of the host"; "linux.sysctl"; .linux.sysctl = { "vm.overcommit_memory": "1" }),
	change("a sysctl with slashes"; "linux.sysctl"; .linux.sysctl = { "kernel/core_pattern": "x" }),
	change("a sysctl with .."; "linux.sysctl"; .linux.sysctl = { "net/../kernel/core_pattern": "x" }),
	change("a sysctl with dots"; "linux.sysctl"; .linux.sysctl = { "net....kernel.core_pattern": "x" }),
	change("an empty sysctl"; "linux.sysctl"; .linux.sysctl = { "": "x" }),
	change("a sysctl of two lines"; "linux.sysctl"; .linux.sysctl = { "net.core.somaxconn": "1\n2" }),
	change("a sysctl without its namespace"; "linux.sysctl";
		.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = { "net.core.somaxconn": "1" }),
	change("a sysctl in the host's own namespace"; "linux.sysctl";
		(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net" | .linux.sysctl = { "net.core.somaxconn": "1" }),
	change("a sysctl that is not there"; "net.core.nosuch"; .linux.sysctl = { "net.core.nosuch": "1" }),
	change("a sysctl with a bad value"; "net.core.somaxconn"; .linux.sysctl = { "net.core.somaxconn": "nonsense" }),
	change("the root masked"; "linux.maskedPaths"; .linux.maskedPaths = ["/"]),
	change("the root masked by .."; "linux.maskedPaths"; .linux.maskedPaths = ["/x/.."]),
	change("a mask by a relative path"; "linux.maskedPaths[0]"; .linux.maskedPaths = ["proc/kcore"]),
	change("the root read-only by name"; "linux.readonlyPaths"; .linux.readonlyPaths = ["/./"]),
	change("a cgroup with .."; "linux.cgroupsPath"; .linux.cgroupsPath = "/x/../../../y"),
	change("a cgroup that is .."; "linux.cgroupsPath"; .linux.cgroupsPath = ".."),
	change("a cgroup that is the root"; "linux.cgroupsPath"; .linux.cgroupsPath = "/"),
	change("a cgroup with a line end"; "linux.cgroupsPath"; .linux.cgroupsPath = "/x\ny"),
	change("a cgroup too deep"; "linux.cgroupsPath"; .linux.cgroupsPath = "/x" * 3000),
	change("propagation of no kind"; "linux.rootfsPropagation"; .linux.rootfsPropagation = "public"),
	change("a filter without a default"; "linux.seccomp.defaultAction"; .linux.seccomp = {}),
	change("a filter by an unknown word"; "linux.seccomp"; .linux.seccomp = "docker"),
	change("a filter of no action"; "linux.seccomp.defaultAction"; .linux.seccomp = { defaultAction: "SCMP_ACT_NOSUCH" }),
	change("a filter of no architecture"; "linux.seccomp.architectures[0]"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["x"] }),
	change("a filter of no flag"; "linux.seccomp.flags[0]"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", flags: ["x"] }),
	change("a filter without names"; "linux.seccomp.syscalls[0].names"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ action: "SCMP_ACT_KILL" }] }),
	change("a filter without an action"; "linux.seccomp.syscalls[0].action"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"] }] }),
	change("a filter of an unknown call"; "linux.seccomp"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["nosuchcall"], action: "SCMP_ACT_KILL" }] }),
	change("a filter of argument 6"; "linux.seccomp.syscalls[0].args[0].index"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL", args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }] }),
	change("a filter of no operator"; "linux.seccomp.syscalls[0].args[0].op"; .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "SCMP_ACT_KILL", args: [{ index: 0, value: 0, op: "x" }] }] }),
	change("an errno beyond"; "linux.seccomp"; .linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 5000 }),
	change("a listener without a need"; "linux.seccomp"; .linux.seccomp = { defaultAction: "SCMP_ACT_NOTIFY" }),
	change("a hook by a relative path"; "hooks.prestart[0].path"; .hooks.prestart = [{ path: "true" }]),
	change("a hook that is not there"; "hooks.createRuntime[0]"; .hooks.createRuntime = [{ path: "/no/such" }]),
	change("a hook that is a folder"; "hooks.createRuntime[0]"; .hooks.createRuntime = [{ path: "/etc" }]),
	change("a hook that fails"; "hooks.createRuntime[0]"; .hooks.createRuntime = [{ path: "/bin/false" }]),
	change("a hook without time"; "hooks.createRuntime[0].timeout"; .hooks.createRuntime = [{ path: "/bin/true", timeout: 0 }]),
	change("a hook inside that is not there"; "hooks.startContainer[0]"; .hooks.startContainer = [{ path: "/no/such" }]),
	change("maps that overlap inside"; "linux.uidMappings";
		.linux.namespaces += [{ type: "user" }] | .linux.gidMappings = [{ containerID: 0, hostID: 0, size: 9 }]
		| .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 9 }, { containerID: 5, hostID: 100, size: 9 }]),
	change("maps that overlap outside"; "linux.gidMappings";
		.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 9 }]
		| .linux.gidMappings = [{ containerID: 0, hostID: 0, size: 9 }, { containerID: 50, hostID: 5, size: 9 }]),
	change("a map of nothing"; "linux.uidMappings"; .linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 0 }] | .linux.gidMappings = .linux.uidMappings),
	change("a map beyond the last id"; "linux.uidMappings"; .linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [{ containerID: 0, hostID: 4294967290, size: 100 }] | .linux.gidMappings = .linux.uidMappings),
	change("a thousand maps"; "linux.uidMappings"; .linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [range(0; 1000) | { containerID: ., hostID: ., size: 1 }] | .linux.gidMappings = .linux.uidMappings),
	change("a user that is not mapped"; "process.user.uid"; .linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [{ containerID: 1, hostID: 1, size: 1 }] | .linux.gidMappings = [{ containerID: 0, hostID: 0, size: 1 }]),
	change("a group that is not mapped"; "process.user.gid"; .linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }] | .linux.gidMappings = [{ containerID: 1, hostID: 1, size: 1 }]),
	change("a device rule of no type"; "linux.resources.devices[0].type"; .linux.resources.devices = [{ allow: true, type: "x" }]),
	change("a device rule of no access"; "linux.resources.devices[0].access"; .linux.resources.devices = [{ allow: true, access: "xyz" }]),
	change("a cgroup file with a slash"; "linux.resources.unified"; .linux.resources.unified = { "../cgroup.procs": "0" }),
	change("a cgroup file that is .."; "linux.resources.unified"; .linux.resources.unified = { "..": "0" }),
	change("a cgroup file that is not there"; "linux.resources.unified"; .linux.resources.unified = { "nosuch.file": "0" }),
	change("a hundred thousand mounts"; "/proc/x"; .mounts += [range(0; 100000) | { destination: "/proc/x", type: "tmpfs", source: "t" }]);

if $group == "types" then types elif $group == "nulls" then nulls elif $group == "numbers" then numbers
elif $group == "strings" then strings else senses end
