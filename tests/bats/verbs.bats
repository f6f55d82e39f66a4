#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Options of crun's and runc's verbs that scripts use, beside those that the verbs' own files test.
load helpers

# several NAME... - containers of these names, after the test's own
several()
{
	local name
	keeps
	payload 'sleep 1000'
	for name in "$@"; do nacelle run -d -b "$BUNDLE" "$ID-$name"; done
}

@test "delete --regex deletes all that it fits, and nothing else" {
	several aa ab ba
	run -0 nacelle delete --force --regex "^$ID-a"
	run -0 nacelle list -q
	is "$ID-ba"
	run -0 nacelle delete --regex "^$ID-none"
	run -125 nacelle delete --regex '('
	one_line
	has "--regex: '('"
}

@test "kill --regex signals all that it fits" {
	several aa ab ba
	nacelle kill --regex "^$ID-a" KILL
	for name in aa ab; do
		until_true 20 bash -c "'$NACELLE' --root '$STATE' state '$ID-$name' | grep -q stopped"
	done
	[ "$(nacelle state "$ID-ba" | jq -r .status)" = running ]
	run -125 nacelle kill --regex '[' KILL
	one_line
}

# bats test_tags=smoke
@test "exec --cgroup joins a cgroup below the container's, and never one outside" {
	detach 'sleep 1000'
	path=$(sed -n 's/^0:://p' "/proc/$(init_pid)/cgroup")
	mkdir "$CGROUP$path/below"
	nacelle exec -d --pid-file pid --cgroup below "$ID" sleep 1000
	run -0 cat "/proc/$(<pid)/cgroup"
	has "$path/below"
	for wrong in nowhere .. ../.. below/../..; do
		run -125 nacelle exec --cgroup "$wrong" "$ID" true
		one_line
	done
}

@test "--config is another file than the bundle's config.json, from the working directory" {
	payload 'echo from the other'
	mv "$BUNDLE/config.json" other.json
	run -0 nacelle run -b "$BUNDLE" --config other.json "$ID"
	is "from the other"
	# its root.path counts from the bundle all the same
	ln -s "$ROOTFS" "$BUNDLE/root"
	jq '.root.path = "root"' other.json >relative.json
	keeps
	nacelle create -b "$BUNDLE" -f "$PWD/relative.json" --no-subreaper "$ID"
	status_is created
	cd "$BUNDLE"
	run -0 nacelle run -f ../other.json --name "$ID-2"
	is "from the other"
	run -125 nacelle run -f nowhere.json "$ID-3"
	one_line
}

# receive SOCKET FILE - take a pidfd there, and say which process it is
receive()
{
	python3 - "$1" >"$2" 3>&- <<-'END' &
		import re, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1])
		s.listen(1)
		_, fds, _, _ = socket.recv_fds(s.accept()[0], 64, 1)
		print(re.search("Pid:\\s*(\\d+)", open(f"/proc/self/fdinfo/{fds[0]}").read())[1])
	END
	receiver=$!
	until_true 20 test -S "$1"
}

@test "--pidfd-socket gets a pidfd of the process that was made" {
	keeps
	receive sock got
	nacelle create --pidfd-socket sock -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
	wait $receiver
	[ "$(<got)" = "$(state .pid)" ]
	nacelle start "$ID"
	payload 'sleep 1000'
	receive sock2 got
	nacelle run -d --pidfd-socket sock2 -b "$BUNDLE" "$ID-2"
	wait $receiver
	[ "$(<got)" = "$(nacelle state "$ID-2" | jq .pid)" ]
	receive sock3 got
	nacelle exec -d --pidfd-socket sock3 --pid-file pid "$ID-2" sleep 1000
	wait $receiver
	[ "$(<got)" = "$(<pid)" ]
	# where nobody listens nothing is made
	for command in "create -b $BUNDLE $ID-3" "run -b $BUNDLE $ID-3"; do
		# shellcheck disable=SC2086
		run -125 nacelle ${command%% *} --pidfd-socket sock ${command#* }
		one_line
		has "pidfd socket"
	done
	run -125 nacelle state "$ID-3"
}

@test "exec --apparmor and --process-label are refused by name where there is no such module" {
	detach 'sleep 1000'
	[ -d /sys/kernel/security/apparmor ] || {
		run -125 nacelle exec --apparmor some-profile "$ID" true
		one_line
		has AppArmor
	}
	[ -d /sys/fs/selinux ] || {
		run -125 nacelle exec --process-label system_u:system_r:t:s0 "$ID" true
		one_line
		has SELinux
	}
}

@test "--no-new-keyring keeps the caller's session keyring, otherwise it is a new one" {
	command -v keyctl || skip "there is no keyctl"
	cp "$(command -v keyctl)" .
	inside='/keys/ld.so --library-path /keys /keys/keyctl show @s 2>&1 || true'
	mkdir keys
	cp keyctl keys/
	ldd keyctl | awk '$3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | xargs -I{} cp -L {} keys/
	mv keys/ld-linux*.so* keys/ld.so
	payload "$inside" ".mounts += [{ destination: \"/keys\", type: \"bind\", source: \"$PWD/keys\", options: [\"rbind\", \"ro\"] }]"
	# shellcheck disable=SC2016 # for the inner shell
	mine='keyctl add user nacelle-probe secret @s >/dev/null && exec "$@"'
	run -0 keyctl session - bash -c "$mine" - "$NACELLE" --root "$STATE" run -b "$BUNDLE" "$ID"
	lacks nacelle-probe
	run -0 keyctl session - bash -c "$mine" - "$NACELLE" --root "$STATE" run --no-new-keyring -b "$BUNDLE" "$ID"
	has nacelle-probe
}

