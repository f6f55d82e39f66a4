#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that a payload can ask the kernel for, tried from inside in each of the usual set-ups.
# shellcheck disable=SC2154 # set by what is loaded
load helpers
load attack

# bats test_tags=smoke
@test "root with an engine's capabilities and no filter" {
	attack '["/attack/sweep", "host", "caps", "mounts"]' "$(engine_caps) | .process.noNewPrivileges = false"
}

@test "root with few capabilities: not even raw packets, and no more capabilities" {
	attack '["/attack/sweep", "host", "caps", "sets", "mounts"]'
}

# bats test_tags=smoke
@test "the short form's defaults: the same, and what the filter keeps" {
	attack_short '["/attack/sweep", "host", "caps", "sets", "mounts", "filter"]'
}

@test "a user of the short form" {
	attack_short '["/attack/sweep", "host", "caps", "sets", "mounts", "filter"]' '{ "user": "1000:1000" }'
}

# bats test_tags=smoke
@test "root of a user namespace with every capability there" {
	attack '["/attack/sweep", "host", "caps"]' "$(userns)"
}

@test "root of a user namespace in which the host's root is mapped" {
	attack '["/attack/sweep", "host", "caps"]' "$(userns 0)"
}

@test "a user namespace with the short form's filter" {
	attack_short '["/attack/sweep", "host", "caps", "filter"]' '{ "linux": {
		"namespaces": [{ "type": "user" }], "uidMappings": [{ "containerID": 0, "hostID": 100000, "size": 65536 }],
		"gidMappings": [{ "containerID": 0, "hostID": 100000, "size": 65536 }] } }'
}

@test "nodes of /dev and masks that are the host's inodes cannot be changed, whoever is mapped" {
	script='chmod 600 /dev/null /dev/zero; chown 5:5 /dev/full; touch -d @1 /dev/random; echo x >/dev/null
		chmod 600 /proc/timer_list; chown 5:5 /proc/timer_list; touch -d @1 /proc/timer_list
		echo x >/proc/timer_list; head -c 1 /dev/zero | wc -c'
	run -0 in_container "$script" "$(userns 0)"
	has "Read-only file system"
	[ "${lines[-1]}" = 1 ]
	run -0 in_container "$script" "$(engine_caps)"
	has "/proc/timer_list: Read-only file system"
	[ "${lines[-1]}" = 1 ]
}

@test "exec has the same wall: filter, capabilities, masks, fds" {
	keeps
	jq -n --argjson env "$told" --arg rootfs "$ROOTFS" \
		'{ layers: [$rootfs], args: ["sleep", "1000"], env: $env }' >short.json
	nacelle run -d --name "$ID" ./short.json
	exec 9<"$HOST" 20<"$HOST/canary"
	for user in 0 1000:1000; do
		run -0 nacelle exec -u "$user" "$ID" /attack/sweep host caps sets mounts filter
		held
	done
	exec 9<&- 20<&-
}

@test "fds that the caller left open do not come in" {
	exec 9<"$HOST" 20<"$HOST/canary" 300<"$HOST"
	attack '["/attack/sweep", "host"]'
	attack_short '["/attack/sweep", "host"]'
	exec 9<&- 20<&- 300<&-
}

# bats test_tags=smoke
@test "the filter has no other door: i386 and x32" {
	attack_short '["/attack/compat"]'
}

@test "keys of the host and of other containers" {
	keeps
	bundle '.process.args = ["/attack/keys", "plant", "_ses.\($victim)"] | .process.capabilities = {}' --arg victim "$ID-b"
	nacelle create -b "$BUNDLE" "$ID-a" >planted 2>&1
	nacelle start "$ID-a"
	until_true 10 grep -q '[0-9]' planted
	for serial in "$(cat planted)" "$HOST_KEY"; do
		for filter in . "$(engine_caps)" ".process.noNewPrivileges = false"; do
			bundle ".process.args = [\"/attack/keys\", \"find\", \"$serial\"] | $filter"
			run -0 nacelle run -b "$BUNDLE" "$ID-b"
			held
		done
	done
	create
	bundle '.process.args = ["sleep", "1000"]'
	nacelle delete --force "$ID"
	nacelle create -b "$BUNDLE" "$ID-b"
	nacelle start "$ID-b"
	run -0 nacelle exec "$ID-b" /attack/keys find "$(cat planted)"
	held
}

@test "a terminal that the caller has cannot be typed into" {
	bundle '.process.args = ["/attack/terminal"] | .process.capabilities = {}'
	cat >caller <<-END
		"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >attack.log
		if read -r -t 1 line; then echo "got: \$line"; fi
	END
	script -qefc "bash ./caller" typescript </dev/null >/dev/null
	output=$(cat attack.log)
	held
	output=$(cat typescript)
	lacks typed-by-the-payload
}

@test "an abstract socket is out of reach; with the host's network it is in reach, and that is what was asked" {
	attack '["/attack/sweep", "host"]'
	bundle '.process.args = ["/attack/sweep", "host"] | .process.env += $told | .linux.namespaces |= map(select(.type != "network"))' \
		--argjson told "$told"
	run -0 nacelle run -b "$BUNDLE" "$ID"
	has "OUT an abstract socket of the host"
}

@test "what a payload calls itself is no order to the operator's terminal" {
	keeps
	bundle '.process.args = ["/attack/watch", "/no\u001b[2J\u0007\n\u0001"] | .process.env += $told' --argjson told "$told"
	nacelle create -b "$BUNDLE" "$ID" >/dev/null 2>&1
	nacelle start "$ID"
	until_true 10 grep -q watch "/proc/$(init_pid)/cmdline"
	run -0 nacelle ps "$ID"
	has /attack/watch
	[[ ${output//$'\n'/} != *[[:cntrl:]]* ]]
	[ "${#lines[@]}" = 2 ]
}
