#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Named volumes, those that an image declares, and what is copied into a new one.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

IMAGE=${NACELLE_IMAGE:-${NACELLE%/*}/nacelle-image}

setup_file()
{
	file_root
	mkdir "$BATS_FILE_TMPDIR/store"
	mount -t tmpfs store "$BATS_FILE_TMPDIR/store"
	export NACELLE_STORE=$BATS_FILE_TMPDIR/store/s
	cp -a "$BATS_FILE_TMPDIR/rootfs" "$BATS_FILE_TMPDIR/with"
	mkdir -p "$BATS_FILE_TMPDIR/with/data/sub"
	echo image >"$BATS_FILE_TMPDIR/with/data/file"
	ln -s file "$BATS_FILE_TMPDIR/with/data/link"
	chown -R 7:8 "$BATS_FILE_TMPDIR/with/data"
	chmod 2750 "$BATS_FILE_TMPDIR/with/data"
	chmod 4711 "$BATS_FILE_TMPDIR/with/data/file"
	"$IMAGE" import "$BATS_FILE_TMPDIR/rootfs" plain
	"$IMAGE" import -c VOLUME=/data -c VOLUME=/more/data "$BATS_FILE_TMPDIR/with" declares
}

# names - of all volumes
names()
{
	nacelle volume ls -q
}

# bats test_tags=smoke
@test "a volume is made by name, seen in several containers, and stays" {
	run -0 nacelle run -v v1:/data plain sh -c 'echo kept >/data/x; stat -c %u:%g:%a /data'
	is 0:0:755
	run -0 nacelle run -v v1:/other/place:ro plain sh -c 'cat /other/place/x; touch /other/place/y || echo refused'
	has kept
	has refused
	run -0 names
	is v1
	echo '{"image":"plain","volumes":["v1:/a","v1:/b"],"args":["sh","-c","echo 2 >/a/x; cat /b/x"]}' >spec.json
	run -0 nacelle run ./spec.json
	is 2
	nothing_left
}

@test "create, ls, inspect, rm and prune" {
	run -0 nacelle volume ls
	run -0 nacelle volume create one two -l a=b
	is $'one\ntwo'
	run -125 nacelle volume create one
	has "volume 'one' exists already"
	run -0 nacelle volume inspect one
	[ "$(jq -r '.name + .labels.a' <<<"$output")" = oneb ]
	[ -d "$(jq -r .path <<<"$output")" ]
	run -0 nacelle volume ls --format json
	[ "$(jq -r '.[].name' <<<"$output")" = $'one\ntwo' ]
	run -125 nacelle volume rm three one
	has "no volume 'three'"
	run -0 names
	is two
	run -0 nacelle volume rm -f three two
	run -0 names
	is ""
	for name in ../x . .. .lock -x '' a/b "$(printf 'a%.0s' {1..200})"; do
		run -125 nacelle volume create -- "$name"
		has 'is no name of a volume'
		[[ $name != .* ]] || continue
		run -125 nacelle run -v "$name:/x" plain true
		one_line
	done
	run -125 nacelle volume nothing
	run -125 nacelle volume create
	[ -z "$(find "$DATA/volumes" -mindepth 1 ! -name .lock)" ]
}

@test "a volume in use is not removed; delete --force lets it go" {
	keeps
	nacelle run -d --name "$ID" -v v:/v plain sleep 1000
	run -125 nacelle volume rm v
	has "is used by container '$ID'"
	run -0 nacelle volume prune -a
	is ""
	kill -KILL "$(init_pid)"
	echo broken >"$STATE/$ID/state.json"
	nacelle delete --force "$ID"
	run -0 nacelle volume prune
	is ""
	run -0 nacelle volume prune -a
	is v
}

@test "a new volume gets what the image has there, with owners and modes, and gets it once" {
	run -0 nacelle run -v v:/data declares sh -c 'cat /data/file /data/link; stat -c "%n %u:%g:%a" /data /data/file; echo new >/data/file; rm /data/link'
	is $'image\nimage\n/data 7:8:2750\n/data/file 7:8:4711'
	run -0 nacelle run -v v:/data declares sh -c 'cat /data/file; ls /data'
	is $'new\nfile\nsub'
	run -0 nacelle run -v w:/data:nocopy declares ls /data
	is ""
	# one that is not new, but empty, and nobody's
	run -0 nacelle run -v w:/data declares sh -c 'ls /data; rm -r /data/*'
	is $'file\nlink\nsub'
	# what an administrator put there is not covered
	nacelle volume create x
	echo mine >"$(nacelle volume inspect x | jq -r .path)/mine"
	run -0 nacelle run -v x:/data declares ls /data
	is mine
}

@test "an empty volume that another container has is not filled" {
	keeps
	nacelle run -d --name "$ID" -v v:/v:nocopy plain sleep 1000
	run -0 nacelle run -v v:/data declares ls /data
	is ""
	nacelle delete --force "$ID"
	run -0 nacelle run -v v:/data declares ls /data
	has file
}

@test "a copy that was cut short is begun anew" {
	nacelle volume create v
	path=$(nacelle volume inspect v | jq -r .path)
	echo half >"$path/half"
	echo copying >"$path/../fill"
	run -0 nacelle run -v v:/data declares ls /data
	is $'file\nlink\nsub'
	[ ! -s "$path/../fill" ]
}

@test "what an image declares is a new volume each time, and goes with --rm, not with delete" {
	keeps
	run -0 nacelle run declares sh -c 'ls /data; ls -a /more/data | wc -l; grep -c " /data \| /more/data " /proc/self/mountinfo'
	is $'file\nlink\nsub\n2\n2'
	run -0 names
	is ""
	nacelle run -d --name "$ID" declares sleep 1000
	run -0 names
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} =~ ^[0-9a-f]{64}$ ]]
	nacelle delete --force "$ID"
	run -0 names
	[ "${#lines[@]}" = 2 ]
	nacelle volume create stays
	nacelle volume prune
	run -0 names
	is stays
	nacelle run -d --name "$ID" declares sleep 1000
	nacelle delete --force --volumes "$ID"
	run -0 names
	is stays
	# something else there, from a flag, a file or a tmpfs
	run -0 nacelle run -v stays:/data --tmpfs /more/data declares sh -c 'ls /data; names=$(grep " /more/data " /proc/self/mountinfo); echo "${names##* - }"'
	has tmpfs
	run -0 names
	is stays
	# a failed start takes them back
	run -127 nacelle run declares /not-there
	run -0 names
	is stays
	nothing_left
}

@test "a detached container with --rm takes its own volumes along" {
	nacelle run -d --rm --name "$ID" -v named:/n declares sh -c 'exit 3'
	for _ in {1..100}; do
		[ -d "$STATE/$ID" ] || break
		sleep 0.1
	done
	for _ in {1..50}; do
		[ "$(names)" != named ] || break
		sleep 0.1
	done
	run -0 names
	is named
}

@test "a volume without a name by a flag; volumes of a pure OCI document" {
	run -0 nacelle run -v /data declares ls /data
	has file
	nacelle_spec='.mounts += [{ destination: "/v", type: "volume", source: "oci" }, { destination: "/w", type: "volume" }] | .process.args = ["sh", "-c", "echo x >/v/x; ls -d /v /w"]'
	jq --arg r "$BATS_FILE_TMPDIR/rootfs" ".root.path = \$r | $nacelle_spec" "$here/config.json" >config.json
	run -0 nacelle run -b . "$ID"
	is $'/v\n/w'
	run -0 names
	is oci
	jq '.mounts[-1].source = "../x"' config.json >bad.json
	run -125 nacelle run ./bad.json
	has "is no name of a volume"
	jq '.vm = {} | .mounts |= .[-2:]' config.json >vm.json
	run -125 nacelle run ./vm.json
	one_line
}

@test "paths that an image declares are judged" {
	for path in relative / "" /proc/x; do
		rm -rf layout
		"$IMAGE" import -c "VOLUME=$path" "$BATS_FILE_TMPDIR/rootfs" odd || continue
		run -125 nacelle run odd true
		one_line
	done
	run -0 names
	is ""
	nothing_left
}

@test "in a user namespace a new volume belongs to the container's root" {
	jq -n '{ image: "declares", volumes: ["v:/data"], args: ["sh", "-c", "ls /data; echo x >/data/x; stat -c %u /data/x /data/file"],
		linux: { namespaces: [{ type: "user" }], uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }], gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }] } }' >spec.json
	chmod 711 "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/store"
	run nacelle run ./spec.json
	if [ "$status" = 0 ]; then
		is $'file\nlink\nsub\n0\n7'
		[ "$(stat -c %u "$DATA/volumes/v/_data/x")" = 100000 ]
	else
		# the image's own layers may be shut to the ids of that namespace
		one_line
	fi
}

@test "what is to outlive a loss of power is on the disk before it has its name" {
	for what in "volume create kept" "network create kept"; do
		# shellcheck disable=SC2086 # its words
		strace -qq -f -y -e trace=fsync,renameat -o calls "$NACELLE" --root "$STATE" --data "$DATA" $what
		# the file, then its name, then that
		[ "$(sed -nE 's/^[0-9]+ +(fsync|renameat)\(.*\.json.*/\1/p' calls | head -n 2 | tr '\n' ' ')" = "fsync renameat " ] || { cat calls; return 1; }
		[ "$(grep -c 'fsync(' calls)" -ge 2 ]
	done
	nacelle volume rm kept
	nacelle network rm kept
	# as a loss of power can leave it, which is no reason not to start
	mkdir -p "$DATA/networks" && : >"$DATA/networks/.leases.json"
	run -0 nacelle network ls
}
