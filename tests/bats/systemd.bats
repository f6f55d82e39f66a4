#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# --systemd-cgroup: cgroups as transient scopes. Needs systemd as pid 1: `tests/lab/lab --systemd`.
load helpers

# bats file_tags=systemd

eval "$(declare -f setup | sed '1s/setup/setup_all/')"
setup()
{
	setup_all
	[ -S /run/systemd/private ] || skip "systemd is not pid 1 here"
}

nacelle()
{
	timeout -k 5 "${LIMIT:-50}" "$NACELLE" --root "$STATE" --data "$DATA" --systemd-cgroup "$@"
}

# property NAME [UNIT]
property()
{
	systemctl show --value -p "$1" "${2:-nacelle-$ID.scope}"
}

file()
{
	cat "$(cgroup_dir)/$1"
}

# no_unit [UNIT] - systemd has forgotten it
no_unit()
{
	[ "$(property LoadState "$@")" = not-found ]
}

@test "a scope with its limits as properties, and the same in the files" {
	detach 'sleep 1000' '.linux.resources = { memory: { limit: 67108864, swap: 100663296, reservation: 33554432 },
		cpu: { quota: 20000, period: 50000, shares: 512, cpus: "0" }, pids: { limit: 50 }, blockIO: { weight: 500 },
		unified: { "memory.high": "60000000" } }'
	[ "$(property ActiveState)" = active ]
	[ "$(property ControlGroup)" = "/system.slice/nacelle-$ID.scope" ]
	[ "$(cgroup_dir)" = "$CGROUP/system.slice/nacelle-$ID.scope" ]
	[ "$(jq -r .cgroupPath "$STATE/$ID/state.json")" = "/system.slice/nacelle-$ID.scope" ]
	[ "$(property Delegate)" = yes ]
	[ "$(property DefaultDependencies)" = no ]
	[ "$(property MemoryMax)" = 67108864 ]
	[ "$(property MemorySwapMax)" = 33554432 ]
	[ "$(property MemoryLow)" = 33554432 ]
	[ "$(property MemoryHigh)" = 60000000 ]
	[ "$(property CPUQuotaPerSecUSec)" = 400ms ]
	[ "$(property CPUWeight)" = 59 ]
	[ "$(property AllowedCPUs)" = 0 ]
	[ "$(property TasksMax)" = 50 ]
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file memory.swap.max)" = 33554432 ]
	[ "$(file cpu.max)" = "20000 50000" ]
	[ "$(file cpuset.cpus)" = 0 ]
	[ "$(file pids.max)" = 50 ]
	# systemd writes what it believes: that must be the same
	systemctl daemon-reload
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file cpu.max)" = "20000 50000" ]
	# the process alone is in it: whoever held its place is gone
	[ "$(cat "$(cgroup_dir)/cgroup.procs")" = "$(init_pid)" ]
	nacelle delete --force "$ID"
	no_unit
	nothing_left
}

@test "slice:prefix:name, with a slice that is not there yet" {
	detach 'sleep 1000' ".linux.cgroupsPath = \"mine-inner.slice:pre:$ID\""
	[ "$(property ControlGroup "pre-$ID.scope")" = "/mine.slice/mine-inner.slice/pre-$ID.scope" ]
	[ "$(file cgroup.procs)" = "$(init_pid)" ]
	nacelle delete --force "$ID"
	no_unit "pre-$ID.scope"
	# empty parts
	payload true ".linux.cgroupsPath = \"::$ID\""
	create
	[ "$(property ControlGroup "$ID.scope")" = "/system.slice/$ID.scope" ]
}

@test "paths of the wrong form are refused, either way" {
	for path in /a/b a:b a:b:c:d "no-slice:x:$ID" "system.slice:x:"; do
		payload true ".linux.cgroupsPath = \"$path\""
		run -125 nacelle create -b "$BUNDLE" "$ID"
		has "linux.cgroupsPath: '"
		one_line
	done
	payload true '.linux.cgroupsPath = "system.slice:a:b"'
	run -125 timeout 20 "$NACELLE" --root "$STATE" create -b "$BUNDLE" "$ID"
	has "--systemd-cgroup"
	nothing_left
}

@test "annotations become properties, and wrong ones leave nothing" {
	detach 'sleep 1000' '.annotations = { "org.systemd.property.TimeoutStopSec": "7", "org.systemd.property.CollectMode": "\"inactive-or-failed\"",
		"org.systemd.property.SendSIGHUP": "true", "org.systemd.property.Documentation": "[\"man:a(1)\", \"man:b(1)\"]",
		"org.systemd.property.IOWeight": "uint64 321", "org.systemd.property.Description": "\"mine\"" }'
	[ "$(property TimeoutStopUSec)" = 7s ]
	[ "$(property CollectMode)" = inactive-or-failed ]
	[ "$(property SendSIGHUP)" = yes ]
	[ "$(property Documentation)" = '"man:a(1)" "man:b(1)"' ]
	[ "$(property IOWeight)" = 321 ]
	[ "$(property Description)" = mine ]
	nacelle delete --force "$ID"
	payload true '.annotations = { "org.systemd.property.Nonsense": "true" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "Nonsense"
	payload true '.annotations = { "org.systemd.property.Slice": "\"x.slice\"" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "is set by the runtime itself"
	payload true '.annotations = { "org.systemd.property.Description": "mine" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "mine is none of 'text', true"
	no_unit
	nothing_left
}

@test "update changes both, pause and exec work, kill --all ends it" {
	detach 'sleep 1000 & sleep 1000' '.linux.resources = {}'
	nacelle update --memory 64m --pids-limit 30 --cpu-quota 50000 "$ID"
	[ "$(property MemoryMax)" = 67108864 ]
	[ "$(property TasksMax)" = 30 ]
	[ "$(property CPUQuotaPerSecUSec)" = 500ms ]
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file pids.max)" = 30 ]
	nacelle update --memory -1 "$ID"
	[ "$(property MemoryMax)" = infinity ]
	[ "$(file memory.max)" = max ]
	run -125 nacelle update -r - "$ID" <<<'{ "pids": { "limit": 40 }, "unified": { "memory.oom.group": "nonsense" } }'
	[ "$(property TasksMax)" = 30 ]
	[ "$(file pids.max)" = 30 ]
	run -0 nacelle exec "$ID" cat /proc/self/cgroup
	is 0::/
	nacelle pause "$ID"
	[ "$(state .status)" = paused ]
	nacelle resume "$ID"
	nacelle kill --all "$ID" KILL
	until_true 20 status_is stopped
	nacelle delete "$ID"
	no_unit
}

@test "the annotation run.oci.systemd.subgroup" {
	detach 'sleep 1000' '.annotations = { "run.oci.systemd.subgroup": "inner" } |
		.linux.resources = { memory: { limit: 67108864 }, pids: { limit: 30 } }'
	[ "$(cgroup_dir)" = "$CGROUP/system.slice/nacelle-$ID.scope/inner" ]
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file pids.max)" = 30 ]
	nacelle delete --force "$ID"
	no_unit
	payload true '.annotations = { "run.oci.systemd.subgroup": "../up" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "cannot be the name of a cgroup"
	nothing_left
}

@test "killed for memory: the end is known, and the name is free again at once" {
	for _ in 1 2; do
		detach 'exec dd if=/dev/zero of=/dev/null bs=64M count=1' '.linux.resources.memory = { limit: 33554432, swap: 33554432 }'
		until_true 30 status_is stopped
		[ "$(state .exitStatus)" = 137 ]
		nacelle delete "$ID"
		no_unit
	done
}

@test "a name that is taken is left alone" {
	detach 'sleep 1000'
	run -125 timeout 30 "$NACELLE" --root "$BATS_TEST_TMPDIR/other" --systemd-cgroup run -b "$BUNDLE" "$ID"
	has "has a unit 'nacelle-$ID.scope' already"
	[ "$(property ActiveState)" = active ]
	[ "$(state .status)" = running ]
}

@test "systemctl stop ends the container; delete finds nothing to do" {
	detach 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	systemctl stop "nacelle-$ID.scope"
	until_true 20 status_is stopped
	[ "$(state .exitStatus)" = 3 ]
	nacelle delete "$ID"
	nothing_left
}

@test "over the message bus, where the manager's own socket is not to be had" {
	keeps
	payload 'sleep 1000' '.linux.resources = { pids: { limit: 30 } }'
	unshare -m sh -c 'mount --bind /dev/null /run/systemd/private && exec "$0" --root "$1" --systemd-cgroup create -b "$2" "$3"' \
		"$NACELLE" "$STATE" "$BUNDLE" "$ID"
	[ "$(property TasksMax)" = 30 ]
	unshare -m sh -c 'mount --bind /dev/null /run/systemd/private && exec "$0" --root "$1" delete --force "$2"' \
		"$NACELLE" "$STATE" "$ID"
	no_unit
}

@test "without systemd's sockets the failure names it, and nothing is left" {
	run -125 unshare -m sh -c 'mount -t tmpfs none /run/systemd && mount -t tmpfs none /run/dbus &&
		exec "$0" --root "$1" --systemd-cgroup create -b "$2" "$3"' "$NACELLE" "$STATE" "$BUNDLE" "$ID"
	has "systemd"
	one_line
	nothing_left
}

@test "a user's own systemd: a scope of his, moved into by it" {
	[ "${NACELLE_LAB:-0}" = 1 ] || skip "it adds units to the machine: only in the lab"
	# what logind starts as user@.service, without all that hangs on it
	install -d -m 700 -o daemon -g daemon /run/user/1
	cat >/run/systemd/system/nacelle-user.service <<-EOF
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=notify
		User=daemon
		Environment=XDG_RUNTIME_DIR=/run/user/1 HOME=/run/user/1
		ExecStart=/lib/systemd/systemd --user --unit=nothing.target
		Delegate=yes
	EOF
	mkdir -p /etc/systemd/user
	printf '[Unit]\nDefaultDependencies=no\n' >/etc/systemd/user/nothing.target
	systemctl daemon-reload
	systemctl start nacelle-user.service
	rootfs_own
	chown -R -h 1:1 "$ROOTFS" "$BUNDLE"
	dir=$BATS_TEST_TMPDIR
	while [ "$dir" != / ]; do
		chmod a+x "$dir"
		dir=$(dirname "$dir")
	done
	payload 'sleep 1000' '.mounts |= map(if .options then .options -= ["gid=5"] else . end) |
		.linux.namespaces += [{ type: "user" }] | .linux.resources = { pids: { limit: 20 } } |
		.linux.uidMappings = [{ containerID: 0, hostID: 1, size: 1 }] |
		.linux.gidMappings = [{ containerID: 0, hostID: 1, size: 1 }]'
	chmod a+r "$BUNDLE/config.json"
	as_user=(setpriv --reuid 1 --regid 1 --clear-groups env XDG_RUNTIME_DIR=/run/user/1 HOME=/run/user/1
		timeout 60 "$NACELLE" --systemd-cgroup)
	"${as_user[@]}" create -b "$BUNDLE" --pid-file /run/user/1/pid "$ID"
	pid=$(cat /run/user/1/pid)
	[[ $(grep ^0:: "/proc/$pid/cgroup") == 0::/system.slice/nacelle-user.service/*"/nacelle-$ID.scope" ]]
	"${as_user[@]}" start "$ID"
	[ "$(cat "$CGROUP/$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/pids.max")" = 20 ]
	run -0 "${as_user[@]}" exec "$ID" cat /proc/self/cgroup
	is 0::/
	"${as_user[@]}" update --pids-limit 30 "$ID"
	"${as_user[@]}" delete --force "$ID"
	systemctl stop nacelle-user.service
}

@test "a restart has a scope of its own again, with its limits" {
	detach 'exit 1' '.linux.resources.memory.limit = 67108864 | .annotations["io.nacelle.restart"] = "on-failure:2"'
	run -1 nacelle wait "$ID"
	[ "$(state .restartCount)" = 2 ]
	nacelle delete "$ID"
	detach 'sleep 1000' '.linux.resources.memory.limit = 67108864 | .annotations["io.nacelle.restart"] = "always"'
	nacelle restart "$ID"
	[ "$(property MemoryMax)" = 67108864 ]
	[ "$(file memory.max)" = 67108864 ]
	nacelle delete --force "$ID"
	until_true 20 no_unit
}

# unit_put - the unit of standard input as $unit, without what the lab has not brought up: its boot ends before sysinit.target
unit_put()
{
	sed -e '/network-online/d' -e '/^.Unit.$/a DefaultDependencies=no' -e '/^Restart=/a RestartSec=100ms' >"/run/systemd/system/$unit"
	systemctl daemon-reload
}

@test "a generated unit brings a stack up, takes over an edit, and leaves nothing" {
	unit=nacelle-$ID.service
	jq -n --arg r "$ROOTFS" --arg s "$ID" '{ name: $s, services: { a: { layers: [$r], args: ["sleep", "1000"], network: "none",
		stop_signal: "KILL", env: { V: "${V}" }, update: { watch: 0 } } } }' >stack.json
	echo V=1 >vars
	nacelle generate systemd --env-file vars stack.json | unit_put
	systemctl start "$unit"
	[ "$(systemctl show -p ActiveState --value "$unit")" = active ]
	[ "$(nacelle state "$ID-a-1" | jq -r .status)" = running ]
	echo V=2 >vars
	systemctl reload "$unit"
	run -0 nacelle exec "$ID-a-1" cat /proc/1/environ
	has V=2
	systemctl stop "$unit"
	not nacelle state "$ID-a-1"
	rm "/run/systemd/system/$unit"
	systemctl daemon-reload
}

@test "a generated unit runs a container, which systemd starts again, and ends by its own signal" {
	unit=nacelle-$ID.service
	mkdir said
	spec_file "$(jq -n --arg said "$PWD/said:/said" '{ stop_signal: "USR1", volumes: [$said],
		args: ["sh", "-c", "trap \"echo bye >/said/last; exit 0\" USR1; echo up >/said/first; while :; do sleep 0.1; done"] }')"
	nacelle generate systemd --name "$ID" "$SPEC" | unit_put
	systemctl start "$unit"
	until_true 20 test -e said/first
	first=$(init_pid)
	rm said/first
	nacelle kill "$ID" KILL
	until_true 20 started_again "$first"
	until_true 20 test -e said/first
	systemctl stop "$unit"
	[ "$(cat said/last)" = bye ]
	[ "$(systemctl show -p Result --value "$unit")" = success ]
	not nacelle state "$ID"
	rm "/run/systemd/system/$unit"
	systemctl daemon-reload
}
started_again()
{
	status_is running && [ "$(init_pid)" != "$1" ]
}

# bats test_tags=full
@test "a checkpoint is restored into a scope of its own, with its limits" {
	mkdir vol
	detach 'i=0; while :; do i=$((i + 1)); echo $i >/vol/n; sleep 0.2; done' '.linux.resources.memory.limit = 67108864 |
		.mounts += [{ destination: "/vol", type: "bind", source: "'"$PWD/vol"'", options: ["bind"] }]'
	until_true 20 test -s vol/n
	nacelle checkpoint --image-path images "$ID"
	until_true 20 no_unit
	# shellcheck disable=SC2034 # evaluated below
	stopped=$(<vol/n)
	nacelle restore --detach --image-path images -b "$BUNDLE" "$ID" </dev/null >out 2>&1 || {
		cat out
		grep Error images/restore.log
		false
	}
	[ "$(property ActiveState)" = active ]
	[ "$(property MemoryMax)" = 67108864 ]
	[ "$(file memory.max)" = 67108864 ]
	# it is in the scope's cgroup, and nothing else is; what its loop forks comes and goes
	grep -qx "$(init_pid)" "$(cgroup_dir)/cgroup.procs"
	# shellcheck disable=SC2013 # numbers
	for pid in $(cat "$(cgroup_dir)/cgroup.procs"); do
		space=$(readlink "/proc/$pid/ns/pid") || continue
		[ "$space" = "$(readlink "/proc/$(init_pid)/ns/pid")" ]
	done
	until_true 20 eval '[ "$(<vol/n)" -gt "$stopped" ]'
	nacelle delete --force "$ID"
	no_unit
}
