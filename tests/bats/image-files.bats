#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A container's files from outside: cp, diff, commit.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

IMAGE=${NACELLE_IMAGE:-${NACELLE%/*}/nacelle-image}

setup_file()
{
	file_root
	mkdir "$BATS_FILE_TMPDIR/store"
	mount -t tmpfs store "$BATS_FILE_TMPDIR/store"
	export NACELLE_STORE=$BATS_FILE_TMPDIR/store/s
	mkdir -p "$BATS_FILE_TMPDIR/rootfs/data/sub"
	echo image >"$BATS_FILE_TMPDIR/rootfs/data/file"
	"$IMAGE" import -c ENV=A=1 -c ENV=B=1 "$BATS_FILE_TMPDIR/rootfs" plain
}

# started WORDS... - a detached container that has done what the words say, and then sleeps
started()
{
	keeps
	nacelle run -d --name "$ID" "${flags[@]}" plain sh -c "$1; echo ready >/ready; sleep 1000"
	nacelle exec "$ID" sh -c 'until [ -s /ready ]; do sleep 0.1; done'
}

# stopped - its processes end
stopped()
{
	kill -KILL "$(init_pid)"
	run nacelle wait "$ID"
}

# bats test_tags=smoke
@test "cp into a container and out of it, running and stopped" {
	flags=(-v vol:/vol)
	started true
	mkdir -p tree/a/b
	echo one >tree/one
	ln -s one tree/link
	mkfifo tree/pipe
	chown 5:6 tree/one
	chmod 4751 tree/one
	nacelle cp tree "$ID:/tmp"
	run -0 nacelle exec "$ID" sh -c 'stat -c "%n %F %a %u:%g" /tmp/tree/*; cat /tmp/tree/link'
	has "/tmp/tree/one regular file 4751 0:0"
	has "/tmp/tree/pipe fifo"
	has $'\none'
	nacelle cp -a tree/one "$ID:/tmp/renamed"
	run -0 nacelle exec "$ID" stat -c '%a %u:%g' /tmp/renamed
	is "4751 5:6"
	nacelle cp tree/. "$ID:/vol/"
	nacelle cp tree/. "$ID:/made/"
	run -0 nacelle exec "$ID" sh -c 'ls /vol; ls -d /made/a/b'
	is $'a\nlink\none\npipe\n/made/a/b'
	nacelle cp "$ID:/vol" out
	nacelle cp "$ID:vol/one" out/again
	[ "$(ls out)" = $'a\nagain\nlink\none\npipe' ]
	[ "$(readlink out/link)" = one ]
	nacelle cp -L "$ID:/vol/link" followed
	[ "$(cat followed)" = one ]
	[ ! -L followed ]
	stopped
	nacelle cp "$ID:/tmp/tree/one" stopped
	[ "$(cat stopped)" = one ]
	nacelle cp tree/one "$ID:/vol/late"
	nacelle cp "$ID:/vol/late" late
	nacelle cp tree/one "$ID:/tmp/late"
	nacelle cp "$ID:/tmp/late" late2
	[ "$(cat late late2)" = $'one\none' ]
	grep -q "$DATA/uppers" /proc/self/mountinfo && false
	nacelle delete "$ID"
}

@test "cp of a tar stream, out and in" {
	flags=()
	started 'echo x >/data/x; chown 7:8 /data/x; ln -s x /data/l'
	nacelle cp "$ID:/data" - >data.tar
	run -0 tar -tvf data.tar --numeric-owner
	has "7/8"
	has "data/x"
	not grep -qF "./" <<<"$output"
	nacelle cp - "$ID:/tmp" <data.tar
	run -0 nacelle exec "$ID" sh -c 'ls /tmp/data; stat -c %u:%g /tmp/data/x'
	is $'file\nl\nsub\nx\n7:8'
	run -125 nacelle cp - "$ID:/tmp" <<<"no tar"
	one_line
	run -0 nacelle exec "$ID" ls -A /tmp
	is data
	nacelle delete --force "$ID"
}

@test "cp of a tar: as it comes, packed or not, one name or a followed link" {
	flags=()
	started 'mkdir -m 1777 /data/kept; echo x >/data/x; ln -s x /data/l; ln -s / /data/way'
	mkdir -p in/kept in/new
	echo late >in/kept/late
	echo .wh >in/.wh.file
	ln in/kept/late in/new/same
	chown 5:6 in/kept/late
	chmod 700 in/kept
	head -c 100000 /dev/zero >zz
	echo 1 >first
	tar -cf first.tar first
	tar -cf last.tar -C "$PWD" zz -C "$PWD/in" .
	# what is sent first is there before the rest comes: a header, a block of data
	mkfifo pipe
	nacelle cp - "$ID:/data" <pipe 3>&- &
	pid=$!
	exec {to}>pipe
	head -c 1024 first.tar >&"$to"
	until_true 10 nacelle exec "$ID" grep -q 1 /data/first
	cat last.tar >&"$to"
	exec {to}>&-
	wait "$pid"
	run -0 nacelle exec "$ID" sh -c 'cd /data; stat -c "%n %a %u:%g %h" kept kept/late new/same; cat file; ls -d .wh.*; wc -c <zz'
	is $'kept 1777 0:0 2\nkept/late 644 5:6 2\nnew/same 644 5:6 2\nimage\n.wh.file\n100000'
	gzip -k last.tar
	nacelle cp - "$ID:/tmp" <last.tar.gz
	nacelle exec "$ID" test -f /tmp/zz
	nacelle cp "$ID:/data/x" - | tar -tf - >names
	nacelle cp -L "$ID:/data/l" - | tar -xOf - l >followed
	nacelle cp "$ID:/data/kept/." - | tar -tf - >content
	[ "$(cat names followed content)" = $'x\nx\nlate' ]
	# a link of the container is in the way, and not followed
	mkdir -p out/way
	echo bad >out/way/bad
	run -125 nacelle cp - "$ID:/data" < <(tar -C out -c way/bad)
	one_line
	[ ! -e /bad ]
	run -1 nacelle exec "$ID" test -e /bad
	run -125 nacelle cp "$ID:/data/none" -
	one_line
	nacelle delete --force "$ID"
}

@test "cp -a and tars: the numbers are those inside, where the container has a user namespace" {
	keeps
	cp -a "$BATS_FILE_TMPDIR/rootfs" mapped
	chown -hR 100000:200000 mapped
	jq -n '{ root: { path: "mapped" }, args: ["sh", "-c", "touch /data/own; chown 7:8 /data/own; echo ready >/ready; sleep 1000"],
		linux: { namespaces: [{ type: "user" }], uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
			gidMappings: [{ containerID: 0, hostID: 200000, size: 1000 }] } }' >spec.json
	nacelle run -d --name "$ID" ./spec.json
	until_true 10 nacelle exec "$ID" test -s /ready
	mkdir -p tree/sub
	echo x >tree/file
	mkfifo tree/pipe
	ln -s file tree/link
	chown -h 5:6 tree/file tree/pipe tree/link tree/sub
	tar -cf tree.tar --transform s/tree/unpacked/ tree
	nacelle cp -a tree "$ID:/data/kept"
	nacelle cp tree "$ID:/data/given"
	nacelle cp - "$ID:/data" <tree.tar
	run -0 nacelle exec "$ID" sh -c 'cd /data; for n in kept given unpacked; do stat -c "%n %u:%g" $n/file $n/link $n/pipe $n/sub; done'
	is "$(for n in kept given unpacked; do
		for f in file link pipe sub; do echo "$n/$f $([ $n = given ] && echo 0:0 || echo 5:6)"; done
	done)"
	# and back
	nacelle cp -a "$ID:/data/own" back
	[ "$(stat -c %u:%g back)" = 7:8 ]
	nacelle cp "$ID:/data/own" mine
	[ "$(stat -c %u:%g mine)" = "$(id -u):$(id -g)" ]
	nacelle cp "$ID:/data" - >data.tar
	run -0 tar --numeric-owner -tvf data.tar data/own data/kept/file
	[ "$(grep -c ' [57]/[68] ' <<<"$output")" = 2 ]
	# who is nobody there does not become somebody of the host
	chown 1000:0 tree/file
	run -125 nacelle cp -a tree/file "$ID:/data/bad"
	one_line
	has "owner 1000"
	tar -cf bad.tar --transform s/tree.// tree/file
	run -125 nacelle cp - "$ID:/tmp" <bad.tar
	one_line
	has "owner 1000"
	run -1 nacelle exec "$ID" sh -c 'ls -d /data/bad || ls -d /tmp/file'
	nacelle delete --force "$ID"
}

@test "cp: no link of the container leads out, no race either" {
	flags=()
	started 'ln -s /../../../../../../etc /data/out; ln -s /proc/1/root /data/magic; ln -s /nowhere /data/dead'
	echo mine >mine
	place=$BATS_TEST_TMPDIR/secret
	mkdir "$place"
	echo secret >"$place/file"
	nacelle cp mine "$ID:/data/out/mine"
	[ ! -e /etc/mine ]
	run -0 nacelle exec "$ID" cat /etc/mine
	is mine
	run -125 nacelle cp "$ID:/data/magic$place/file" stolen
	one_line
	run -125 nacelle cp "$ID:/data/out/../..$place/file" stolen
	one_line
	[ ! -e stolen ]
	# a link in the way is replaced, not followed
	nacelle exec "$ID" ln -s "$place/file" /data/way
	nacelle cp mine "$ID:/data/way"
	[ "$(cat "$place/file")" = secret ]
	run -0 nacelle exec "$ID" cat /data/way
	is mine
	# what is swapped for a link while it is copied
	mkdir deep
	for i in {1..40}; do mkdir -p "deep/d$i"; echo new >"deep/d$i/file"; done
	nacelle exec "$ID" sh -c "mkdir -p /swap; cd /swap; (while [ ! -e /stop ]; do for i in 3 20 39; do rm -rf deep/d\$i; ln -s $place deep/d\$i; rm -f deep/d\$i; done; done) >/dev/null 2>&1 &"
	for _ in {1..15}; do
		nacelle cp deep "$ID:/swap/" 2>/dev/null || :
	done
	nacelle exec "$ID" touch /stop
	[ "$(cat "$place/file")" = secret ]
	[ "$(ls "$place")" = file ]
	nacelle delete --force "$ID"
}

@test "cp of a whole root leaves out what the kernel tells in it, and knows .. as a source" {
	flags=()
	started true
	nacelle cp "$ID:/" all
	nacelle cp "$ID:/data/../etc/.." again
	nacelle cp "$ID:/" - | tar -tf - >names
	[ "$(cat all/data/file again/data/file)" = $'image\nimage' ]
	[ -z "$(find all/proc all/sys all/dev/pts -mindepth 1)" ]
	grep -qx data/file names
	grep -qx proc/ names
	run -1 grep -E '^(proc|sys)/.' names
	nacelle delete --force "$ID"
}

@test "cp: what does not go is told in one line" {
	flags=()
	started true
	for args in "nope $ID:/nowhere/x" "$ID:/nope ." "$ID:/data/file/x ." "/etc/passwd $ID:/data/file/" "$ID:/a $ID:/b" "a b" "none:/x ." \
		"/etc/passwd $ID:/missing/" "$ID:/data/file/. ." "/etc $ID:/data/file"; do
		# shellcheck disable=SC2086 # words
		run -125 nacelle cp $args
		one_line
	done
	nacelle delete --force "$ID"
}

@test "diff lists what was added, changed and deleted" {
	flags=()
	started 'echo x >/data/new; echo y >/data/file; rm -r /data/sub; mkdir -p /n/m; rm -r /bin/../etc/group; mkdir /data/sub; touch "/n/a b"'
	run -0 nacelle diff "$ID"
	for line in 'C /data' 'A /data/new' 'C /data/file' 'A /n' 'A /n/m' 'A /n/a b' 'C /etc' 'D /etc/group' 'C /data/sub' 'A /ready'; do
		grep -qxF "$line" <<<"$output" || { echo "no $line in $output"; false; }
	done
	not has "/data/sub/"
	was=$output
	stopped
	run -0 nacelle diff "$ID"
	[ "$output" = "$was" ]
	nacelle delete "$ID"
	run -125 nacelle diff "$ID"
	has "no container"
	nacelle create -b "$BUNDLE" "$ID"
	run -125 nacelle diff "$ID"
	has "has no layers"
	one_line
}

@test "commit makes an image of it that runs; the base and its layers stay what they are" {
	flags=()
	started 'echo x >/data/new; rm -r /data/sub /etc/group; mkdir /data/sub; echo inner >/data/sub/inner; ln /data/new /data/hard; mkfifo /data/pipe; chown 9:9 /data/new'
	run -0 --separate-stderr nacelle commit "$ID" changed -c 'CMD=["sh","-c","echo $A $B $C; ls /data/sub; cat /data/hard; ls /etc/group"]' -c ENV=B=2 -c ENV=C=3
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	run -0 nacelle state "$ID"
	has running
	run -1 nacelle run changed
	has $'1 2 3\ninner\nx'
	run -0 nacelle run changed stat -c '%u %h' /data/new
	is "9 2"
	[ "$("$IMAGE" inspect changed | jq '.layers | length')" = 2 ]
	[ "$("$IMAGE" inspect changed | jq -r '.config.history[-1].created_by')" = "nacelle commit" ]
	"$IMAGE" verify
	# what umoci makes of it is what we run
	"$IMAGE" save changed oci:layout:v1
	umoci unpack --image layout:v1 theirs
	"$IMAGE" export changed >ours.tar
	mkdir ours && tar -xpf ours.tar --same-owner -C ours
	diff <(cd ours && find . -printf '%p %y %m %U:%G %l\n' | sort) <(cd theirs/rootfs && find . -printf '%p %y %m %U:%G %l\n' | sort)
	[ ! -e ours/etc/group ]
	stopped
	run -0 --separate-stderr nacelle commit "$ID" again
	nacelle delete "$ID"
	run -0 nacelle run plain ls /data/sub /etc/group
	is $'/etc/group\n\n/data/sub:'
}

@test "commit: refusals" {
	flags=()
	started 'touch /.wh.odd'
	run -125 nacelle commit "$ID" odd
	has ".wh.odd"
	[ "$("$IMAGE" images --format json | jq '[.[] | select(.names[]? | contains("odd"))] | length')" = 0 ]
	run -125 nacelle commit "$ID" -- -x
	one_line
	nacelle delete --force "$ID"
	jq -n --arg l "$BATS_FILE_TMPDIR/rootfs" '{ layers: [$l], args: ["sleep", "1000"] }' >spec.json
	nacelle run -d --name "$ID" ./spec.json
	run -125 nacelle commit "$ID" x
	has "is not of an image"
	nacelle delete --force "$ID"
	jq -n '{ image: "plain", upper: "tmpfs", args: ["sleep", "1000"] }' >spec.json
	nacelle run -d --name "$ID" ./spec.json
	run -125 nacelle commit "$ID" x
	has "in memory"
	stopped
	run -125 nacelle cp "$ID:/etc/passwd" .
	has "was in memory"
	nacelle delete --force "$ID"
}

@test "cp gives no rights that a payload chose: set-id bits and capabilities stay behind" {
	keeps
	rootfs_own
	"$IMAGE" import "$ROOTFS" rights
	nacelle run -d --name "$ID" rights sh -c 'cp /bin/busybox /mine; chmod 6755 /mine; mkdir /shared; chmod 1777 /shared; sleep 1000'
	until_true 10 nacelle exec "$ID" test -k /shared
	nacelle cp "$ID:/mine" mine
	nacelle cp "$ID:/shared" shared
	[ "$(stat -c %a mine)" = 755 ]
	[ "$(stat -c %a shared)" = 1777 ]
	nacelle cp -a "$ID:/mine" whole
	[ "$(stat -c %a whole)" = 6755 ]
}
