#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Root file systems that were made to lead the runtime out: links, nodes and folders where it works as the host's root.
# shellcheck disable=SC2154 # set by what is loaded
load helpers
load attack

own() { rootfs_own; }

# without_dev - a filter: no mount on or below /dev, so that the image's own is used
without_dev='.mounts |= map(select(.destination | startswith("/dev") | not))'

# bats test_tags=smoke,kernel
@test "/proc or /sys that is a link, a file or is missing" {
	own
	for name in proc sys; do
		for to in "$HOST" "../../../../../../../..$HOST" ../../../../../proc loop tmp; do
			rm -rf "${ROOTFS:?}/$name"
			ln -s "$to" "$ROOTFS/$name"
			[ "$to" != loop ] || ln -sfn loop "$ROOTFS/loop"
			run -125 nacelle run -b "$BUNDLE" "$ID"
			has "/$name"
			one_line
			nothing_left
		done
		rm -rf "${ROOTFS:?}/$name"
		echo x >"$ROOTFS/$name"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		one_line
		rm "$ROOTFS/$name"
		run -0 in_container "stat -fc %T /$name"
		[ "$output" != tmpfs ]
	done
}

# bats test_tags=smoke
@test "/dev that is a link out, with and without a mount on it" {
	own
	for to in "$HOST" "../../../../../../../../..$HOST"; do
		rm -rf "${ROOTFS:?}/dev"
		ln -s "$to" "$ROOTFS/dev"
		run -0 in_container 'stat -Lc %t:%T /dev/null; cat /host-canary 2>&1; true'
		has 1:3
		nothing_left
		run in_container 'stat -Lc %t:%T /dev/null' "$without_dev"
		[ "$status" = 125 ] || has 1:3
		nothing_left
	done
	[ "$(ls -A "$HOST")" = canary ]
}

@test "/dev full of links, folders, files, pipes and wrong nodes" {
	own
	made()
	{
		rm -rf "${ROOTFS:?}/dev"
		mkdir "$ROOTFS/dev"
	}
	names="null zero full random urandom tty fd stdin stdout stderr ptmx core console pts shm mqueue"
	for kind in link linkup folder file pipe node block loop; do
		made
		for name in $names; do
			at=$ROOTFS/dev/$name
			case $kind in
			link) ln -s "$HOST/canary" "$at" ;;
			linkup) ln -s "../../../../../../../..$HOST/$name" "$at" ;;
			folder) mkdir "$at" ;;
			file) echo x >"$at" ;;
			pipe) mkfifo "$at" ;;
			node) mknod "$at" c 1 11 ;;
			block) mknod "$at" b 7 0 ;;
			loop) ln -s "$name" "$at" ;;
			esac
		done
		LIMIT=10 run in_container 'for n in null zero full random urandom tty; do stat -c %t:%T /dev/$n; done' "$without_dev"
		[ "$status" = 125 ] || [ "$(tr '\n' ' ' <<<"$output")" = "1:3 1:5 1:7 1:8 1:9 5:0 " ]
		nothing_left
		LIMIT=10 run in_container 'stat -c %t:%T /dev/null'
		is 1:3
		nothing_left
	done
}

@test "a folder in /dev that is not empty is refused, not removed" {
	own
	mkdir -p "$ROOTFS/dev/null/deep"
	run -125 in_container true "$without_dev"
	has /dev/null
	one_line
	[ -d "$ROOTFS/dev/null/deep" ]
}

@test "a terminal where /dev/console, /dev/pts and /dev/ptmx were prepared" {
	own
	on_terminal()
	{
		payload "$1" ".process.terminal = true | ${2:-.}"
		cat >caller <<-END
			timeout 20 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
			echo "status \$?"
		END
		script -qefc "bash ./caller" typescript </dev/null >/dev/null || true
		output=$(tr -d '\r' <typescript)
	}
	on_pts='.mounts |= map(select(.destination != "/dev" and (.destination | startswith("/dev/shm") or startswith("/dev/mq") | not)))'
	for kind in link linkup folder file node pipe; do
		rm -rf "${ROOTFS:?}/dev"
		mkdir "$ROOTFS/dev"
		case $kind in
		link) ln -s "$HOST/canary" "$ROOTFS/dev/console" ;;
		linkup) ln -s "../../../../../../..$HOST/made" "$ROOTFS/dev/console" ;;
		folder) mkdir "$ROOTFS/dev/console" ;;
		file) echo x >"$ROOTFS/dev/console" ;;
		node) mknod "$ROOTFS/dev/console" c 1 11 ;;
		pipe) mkfifo "$ROOTFS/dev/console" ;;
		esac
		on_terminal 'stat -c "console is %t:%T" /dev/console; tty' "$on_pts"
		if [ $kind = folder ]; then
			has "status 125"
		else
			has "console is 88:"
			has /dev/pts/0
		fi
		nothing_left
	done
	# no devpts at all: what is there in its place is not opened
	for kind in node pipe file link; do
		rm -rf "${ROOTFS:?}/dev"
		mkdir -p "$ROOTFS/dev/pts"
		case $kind in
		node) mknod "$ROOTFS/dev/pts/ptmx" c 5 2 ;;
		pipe) mkfifo "$ROOTFS/dev/pts/ptmx" ;;
		file) echo x >"$ROOTFS/dev/pts/ptmx" ;;
		link) rmdir "$ROOTFS/dev/pts"; ln -s "$HOST" "$ROOTFS/dev/pts" ;;
		esac
		on_terminal true "$without_dev"
		has "status 125"
		has /dev/pts
		nothing_left
	done
}

# bats test_tags=smoke
@test "mount targets that are links out, chains of links, loops and files" {
	own
	mkdir src
	echo content >src/file
	targets=(abs up chain loop inside/../../../.. "dangling" "file" abs/deeper up/deeper)
	ln -s "$HOST" "$ROOTFS/abs"
	ln -s "../../../../../../../../../..$HOST" "$ROOTFS/up"
	ln -s "$HOST/made" "$ROOTFS/dangling"
	ln -s loop "$ROOTFS/loop"
	for ((n = 0; n < 60; n++)); do ln -s "chain$((n + 1))" "$ROOTFS/chain$n"; done
	ln -s "$HOST" "$ROOTFS/chain60"
	ln -s chain0 "$ROOTFS/chain"
	echo x >"$ROOTFS/file"
	mkdir "$ROOTFS/inside"
	for target in "${targets[@]}"; do
		for type in bind tmpfs file; do
			case $type in
			bind) mount="{ destination: \"/$target\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src\", options: [\"bind\"] }" ;;
			file) mount="{ destination: \"/$target\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src/file\", options: [\"bind\"] }" ;;
			tmpfs) mount="{ destination: \"/$target\", type: \"tmpfs\", source: \"tmpfs\" }" ;;
			esac
			run in_container "echo ran" ".mounts += [$mount]"
			[ "$status" = 0 ] || { [ "$status" = 125 ] && one_line; }
			nothing_left
		done
	done
	[ "$(ls -A "$HOST")" = canary ]
	no_mount "$HOST"
}

@test "masked and read-only paths that are links out, loops, pipes" {
	own
	ln -s "$HOST/canary" "$ROOTFS/abs"
	ln -s "../../../../../../../../../..$HOST" "$ROOTFS/up"
	ln -s loop "$ROOTFS/loop"
	mkfifo "$ROOTFS/pipe"
	for key in maskedPaths readonlyPaths; do
		for path in abs up loop pipe up/canary etc/passwd/x ../../etc nosuch; do
			LIMIT=10 run in_container "echo ran; cat /etc/passwd >/dev/null" ".linux.$key += [\"/$path\"]"
			[ "$status" = 0 ] || { [ "$status" = 125 ] && one_line; }
			nothing_left
		done
	done
	[ "$(cat "$HOST/canary")" = untouched ]
}

@test "a working directory that leads out: links, leaked fds, /proc" {
	own
	ln -s "$HOST" "$ROOTFS/abs"
	ln -s "../../../../../../../../../..$HOST" "$ROOTFS/up"
	ln -s /proc/self/fd/3 "$ROOTFS/three"
	keeps
	payload 'sleep 1000'
	nacelle create -b "$BUNDLE" "$ID-x"
	nacelle start "$ID-x"
	# in a shell of its own: 3 is bats'
	leaking()
	{
		exec 3<"$HOST" 12<"$HOST" 40</
		nacelle "$@"
	}
	dirs=(/abs /up /three /proc/1/cwd /proc/self/cwd /proc/1/root /proc/self/root/../../.. /proc/self/fd/../../..)
	for ((n = 0; n < 48; n++)); do dirs+=("/proc/self/fd/$n"); done
	for dir in "${dirs[@]}"; do
		for try in run exec; do
			if [ $try = run ]; then
				bundle '.process.args = ["sh", "-c", "ls -d canary ../canary ../../../../../$1/canary 2>/dev/null; pwd", "x", $host]
					| .process.cwd = $dir' --arg dir "$dir" --arg host "$HOST"
				run leaking run --preserve-fds 1 -b "$BUNDLE" "$ID"
			else
				run leaking exec --preserve-fds 1 -w "$dir" "$ID-x" sh -c "ls -d canary ../canary ../../../../../$HOST/canary 2>/dev/null; pwd"
			fi
			lacks canary
			[ "$status" -le 127 ]
		done
	done
}

@test "device nodes that came with the image do not open" {
	own
	mknod "$ROOTFS/kmsg" c 1 11
	mknod "$ROOTFS/mem" c 1 1
	mknod "$ROOTFS/loop" b 7 0
	mknod "$ROOTFS/disk" b 8 0
	for filter in "$(engine_caps)" "$(capabilities all) | .process.noNewPrivileges = false"; do
		for node in kmsg mem loop disk; do
			run in_container "head -c 1 /$node" "$filter"
			[ "$status" -ne 0 ]
			has "not permitted"
		done
	done
}

@test "tmpcopyup of links, pipes, nodes and a folder too deep" {
	own
	mkdir "$ROOTFS/data"
	ln -s "$HOST/canary" "$ROOTFS/data/abs"
	ln -s "../../../../../../../../..$HOST" "$ROOTFS/data/up"
	mkfifo "$ROOTFS/data/pipe"
	mount='.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }]'
	LIMIT=10 run in_container 'ls /data; cat /data/abs /data/up/canary' "$mount"
	lacks untouched
	nothing_left
	deep=$ROOTFS/data
	for ((n = 0; n < 200; n++)); do deep=$deep/d; done
	mkdir -p "$deep"
	LIMIT=10 run in_container 'echo ran' "$mount"
	[ "$status" = 0 ] || { [ "$status" = 125 ] && one_line; }
	nothing_left
}

@test "mounts over and below /proc by other names" {
	own
	mkdir src
	: >src/file
	ln -s proc "$ROOTFS/other"
	ln -s /proc/sys "$ROOTFS/deep"
	for destination in /proc/self /proc/sys /proc/1/attr /proc/sys/kernel /other /other/self /deep /deep/kernel /tmp/../proc/sys \
			//proc//self/./attr /proc/sys/kernel/core_pattern /proc/kcore /proc/timer_list /dev/../proc/irq; do
		run -125 in_container true \
			".mounts += [{ destination: \"$destination\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src\", options: [\"bind\"] }]"
		has "$destination"
		one_line
		run -125 in_container true ".mounts += [{ destination: \"$destination\", type: \"tmpfs\", source: \"tmpfs\" }]"
		one_line
		nothing_left
	done
	run -125 in_container true \
		".mounts = [{ destination: \"/proc\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src\", options: [\"bind\"] }]"
	has /proc
	run -125 in_container true '.mounts = [{ destination: "/proc", type: "tmpfs", source: "tmpfs" }]'
	has /proc
	nothing_left
}

@test "sysctls are not written through a /proc of the image's" {
	own
	mkdir -p "$ROOTFS/proc/sys/net/core" "$ROOTFS/proc/self/attr"
	ln -s "$HOST/canary" "$ROOTFS/proc/sys/net/core/somaxconn"
	ln -s "$HOST/canary" "$ROOTFS/proc/self/attr/exec"
	echo own >"$ROOTFS/proc/sys/net/core/rmem_default"
	before=$(cat /proc/sys/net/core/somaxconn)
	run -0 in_container 'cat /proc/sys/net/core/rmem_default' \
		'.mounts = [] | .linux.sysctl = { "net.core.somaxconn": "77" } | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	is own
	[ "$(cat /proc/sys/net/core/somaxconn)" = "$before" ]
	run -0 in_container 'cat /proc/sys/net/core/somaxconn' '.linux.sysctl = { "net.core.somaxconn": "77" }'
	is 77
}

@test "the runtime's program, by script, loader, link, hook and command" {
	own
	printf '#!/proc/self/exe\n' >"$ROOTFS/script"
	printf '#!/proc/self/exe /script2\n' >"$ROOTFS/script2"
	ln -s /proc/self/exe "$ROOTFS/linked"
	cp "$ROOTFS/bin/sh" "$ROOTFS/plain"
	# an ELF whose loader is /proc/self/exe
	printf '%s\n' '.section .interp,"a"' '.string "/proc/self/exe"' '.text' '.globl _start' '_start: hlt' >loader.s
	gcc -nostdlib -no-pie -Wl,--dynamic-linker=/proc/self/exe -shared -o "$ROOTFS/loader" loader.s 2>/dev/null ||
		gcc -nostdlib -pie -Wl,--dynamic-linker=/proc/self/exe -o "$ROOTFS/loader" loader.s
	chmod +x "$ROOTFS"/{script,script2,loader}
	readelf -l "$ROOTFS/loader" | grep -q /proc/self/exe
	keeps
	payload 'sleep 1000'
	nacelle create -b "$BUNDLE" "$ID-x"
	nacelle start "$ID-x"
	for program in /script /loader /linked /proc/self/exe /proc/1/exe /proc/self/fd/3 /proc/thread-self/exe; do
		for try in run exec hook; do
			case $try in
			run)
				bundle '.process.args = [$p, "--version"]' --arg p "$program"
				LIMIT=5 run nacelle run -b "$BUNDLE" "$ID"
				;;
			exec) LIMIT=5 run nacelle exec "$ID-x" "$program" --version ;;
			hook)
				bundle '.process.args = ["true"] | .hooks.startContainer = [{ path: $p, args: [$p, "--version"], timeout: 3 }]' \
					--arg p "$program"
				LIMIT=8 run nacelle run -b "$BUNDLE" "$ID"
				;;
			esac
			lacks "nacelle version"
			lacks "commit:"
		done
	done
	# this one runs in circles, inside
	bundle '.process.args = ["/script2"]'
	nacelle create -b "$BUNDLE" "$ID" >/dev/null 2>&1
	nacelle start "$ID"
	nacelle delete --force "$ID"
}

@test "a startContainer hook of the image has the payload's privileges, not ours" {
	own
	hook='.hooks.startContainer = [{ path: "/bin/cat", args: ["cat", "/proc/self/status"] }]'
	run -0 in_container 'cat /proc/self/status' "$hook | .linux.seccomp = { defaultAction: \"SCMP_ACT_ALLOW\" }"
	for key in Uid Gid CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp; do
		[ "$(grep "^$key:" <<<"$output" | sort -u | wc -l)" = 1 ]
		[ "$(grep -c "^$key:" <<<"$output")" = 2 ]
	done
	run -0 in_container 'cat /proc/self/status' "$hook | .process.user = { uid: 1000, gid: 1000 } | .process.noNewPrivileges = false"
	for key in Uid Gid CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp; do
		[ "$(grep "^$key:" <<<"$output" | sort -u | wc -l)" = 1 ]
	done
	attack '["/attack/sweep", "host"]' ".hooks.startContainer = [{ path: \"/attack/sweep\",
		args: [\"sweep\", \"host\", \"caps\", \"mounts\"], env: $told }]"
}

@test "a user's name in a passwd that is a link out, a pipe, a folder, endless, or huge" {
	own
	for kind in link linkup pipe folder loop zero huge node; do
		rm -rf "${ROOTFS:?}/etc/passwd"
		case $kind in
		link) echo "victim:x:0:0::/:/bin/sh" >"$HOST.passwd"; ln -s "$HOST.passwd" "$ROOTFS/etc/passwd" ;;
		linkup) ln -s "../../../../../../../..$HOST.passwd" "$ROOTFS/etc/passwd" ;;
		pipe) mkfifo "$ROOTFS/etc/passwd" ;;
		folder) mkdir "$ROOTFS/etc/passwd" ;;
		loop) ln -s passwd "$ROOTFS/etc/passwd" ;;
		zero) ln -s /dev/zero "$ROOTFS/etc/passwd" ;;
		huge) truncate -s 1T "$ROOTFS/etc/passwd" 2>/dev/null || truncate -s 4G "$ROOTFS/etc/passwd" ;;
		node) mknod "$ROOTFS/etc/passwd" c 1 5 ;;
		esac
		jq -n --arg rootfs "$ROOTFS" '{ layers: [$rootfs], args: ["id"], user: "victim" }' >short.json
		LIMIT=10 run nacelle run ./short.json
		[ "$status" -ge 125 ] && [ "$status" -le 127 ]
		lacks uid=
		one_line
		nothing_left
	done
}

# no_admin - the stored spec, without the capability that could unmount
no_admin='.process.capabilities |= with_entries(.value -= ["CAP_SYS_ADMIN"])'

@test "--no-pivot: the container's mounts are all there is, for exec too; who could unmount the root is refused" {
	local show pivoted filter
	show='grep -vc " / " /proc/mounts; cut -d" " -f2 /proc/mounts | sort; ls /; ls -d /proc/1/root/../../home 2>/dev/null; umount -l / 2>&1
		unshare -Urm sh -c "umount -l /; ls /; ls -d /../home; umount -l /; ls /" 2>&1'
	payload "$show" "$no_admin"
	run nacelle run -b "$BUNDLE" "$ID"
	pivoted=$output
	run nacelle run --no-pivot -b "$BUNDLE" "$ID"
	is "$pivoted"
	keeps
	payload 'sleep 1000' "$no_admin"
	nacelle create --no-pivot -b "$BUNDLE" "$ID"
	nacelle start "$ID"
	run -0 nacelle exec "$ID" sh -c 'cut -d" " -f2 /proc/mounts | grep -c .; ls /'
	lacks "$(basename "$HOME")" && has bin
	# not even by the way up from another root, nor with a mount namespace of one's own
	for filter in '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])' \
		'.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }] | .linux.gidMappings = .linux.uidMappings' \
		'.linux.rootfsPropagation = "shared"'; do
		payload true "$no_admin | $filter"
		run -125 nacelle run --no-pivot -b "$BUNDLE" other
		has "--no-pivot"
		one_line
	done
}
