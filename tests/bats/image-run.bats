#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers whose root is an image of the store.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

IMAGE=${NACELLE_IMAGE:-${NACELLE%/*}/nacelle-image}

setup_file()
{
	file_root
	# in memory: each image is synced to its disk
	mkdir "$BATS_FILE_TMPDIR/store"
	mount -t tmpfs store "$BATS_FILE_TMPDIR/store"
	export NACELLE_STORE=$BATS_FILE_TMPDIR/store/s
	"$IMAGE" import "$BATS_FILE_TMPDIR/rootfs" plain
	"$IMAGE" import -c 'ENTRYPOINT=["echo","entry"]' -c 'CMD=["cmd"]' -c ENV=A=image -c ENV=B=image -c USER=user -c WORKDIR=/made/here \
		-c LABEL=l=x -c EXPOSE=80/tcp -c STOPSIGNAL=SIGUSR1 "$BATS_FILE_TMPDIR/rootfs" full
}

# bats test_tags=smoke
@test "a stored image runs, and nothing of it is changed or left" {
	before=$(find "$NACELLE_STORE/layers" | sort | sha256sum)
	run -0 nacelle run plain sh -c 'id -u; touch /new && echo written; cat /etc/group | head -n 1'
	is $'0\nwritten\nroot:x:0:'
	run -1 nacelle run plain ls /new
	[ "$(find "$NACELLE_STORE/layers" | sort | sha256sum)" = "$before" ]
	[ -z "$(ls -A "$NACELLE_STORE/uses")" ]
	nothing_left
}

@test "no other program is started for a stored image" {
	run -0 env PATH="$PATH" strace -f -qq -e trace=execve -o calls "$NACELLE" --root "$STATE" --data "$DATA" run plain true
	not grep nacelle-image calls
	ldd "$NACELLE" 2>&1 | not grep -E 'archive|curl|crypto'
}

@test "what the config says holds, and gives way to the file and to flags" {
	run -0 nacelle run full
	is "entry cmd"
	run -0 nacelle run full other words
	is "entry other words"
	run -0 nacelle run --entrypoint sh full -c 'id -u; pwd; echo $A $B'
	is $'1000\n/made/here\nimage image'
	# the image's words are for its own entrypoint
	run -0 nacelle run --entrypoint pwd full
	is /made/here
	run -125 nacelle run --entrypoint "" full
	has args
	echo '{"image":"full","entrypoint":["echo","file"]}' >spec.json
	run -0 nacelle run ./spec.json
	is file
	echo '{"image":"full","entrypoint":["echo","file"],"args":["words"]}' >spec.json
	run -0 nacelle run ./spec.json
	is "file words"
	run -0 nacelle run --entrypoint echo ./spec.json
	is words
	run -0 nacelle run --entrypoint "" -e B=flag -u 7:8 -w /tmp full sh -c 'id -u; pwd; echo $A $B'
	is $'7\n/tmp\nimage flag'
	jq -n '{ image: "full", entrypoint: [], args: ["sh", "-c", "id -u; echo $A $B; pwd"], env: { A: "file" }, user: "root", cwd: "/" }' >spec.json
	run -0 nacelle run ./spec.json
	is $'0\nfile image\n/'
	jq '. + { process: { env: ["A=section"] } }' spec.json >mixed.json
	run -0 nacelle run ./mixed.json
	has "section image"
	# the image's user is a name, looked up late
	jq '. + { process: { user: { uid: 7 } } } | del(.user)' spec.json >mixed.json
	run -0 nacelle run ./mixed.json sh -c 'id -u; id -g'
	is $'7\n0'
	run -0 nacelle run -u user ./mixed.json sh -c 'id -u'
	is 1000
}

@test "the configuration's default image gives way to what a document has for a root" {
	export XDG_CONFIG_HOME=$PWD/config
	mkdir -p config/nacelle
	echo '{"defaults":{"image":"full"}}' >config/nacelle/config.json
	jq -n --arg l "$ROOTFS" '{ layers: [$l], args: ["sh", "-c", "echo $A $(id -u)"] }' >spec.json
	run -0 nacelle run ./spec.json
	is 0
	run -0 nacelle spec --expand spec.json
	not has io.nacelle.image
	jq -n --arg l "$ROOTFS" '{ root: { path: $l }, cwd: "/", args: ["sh", "-c", "echo $A $(id -u)"] }' >spec.json
	run -0 nacelle run ./spec.json
	is 0
	run -0 nacelle run plain sh -c 'echo $A $(id -u)'
	is 0
	echo '{"env":[]}' >spec.json
	run -0 nacelle run ./spec.json
	is "entry cmd"
	# one that is not there is not asked for
	echo '{"defaults":{"image":"127.0.0.1:1/nothing"}}' >config/nacelle/config.json
	run -0 nacelle run plain true
}

@test "a hold is released in the store where it was taken" {
	keeps
	nacelle run -d --name "$ID" plain sleep 1000
	[ -n "$(ls -A "$NACELLE_STORE/uses")" ]
	NACELLE_STORE=$PWD/other nacelle delete --force "$ID"
	[ -z "$(ls -A "$NACELLE_STORE/uses")" ]
}

@test "the expansion shows it all, labels and ports are notes" {
	echo '{"image":"full"}' >spec.json
	run -0 nacelle spec --expand spec.json
	[ "$(jq -c .process.args <<<"$output")" = '["echo","entry","cmd"]' ]
	[ "$(jq -r '.annotations["io.nacelle.image"]' <<<"$output")" = localhost/full:latest ]
	[ "$(jq -r '.annotations["io.nacelle.label.l"]' <<<"$output")" = x ]
	[ "$(jq -r '.annotations["io.nacelle.image_ports"]' <<<"$output")" = 80/tcp ]
	[ "$(jq -r '.annotations["io.nacelle.stop_signal"]' <<<"$output")" = SIGUSR1 ]
	[ "$(jq -r '.mounts[0].destination' <<<"$output")" = / ]
}

@test "an image that a container uses is not removed, not even by prune, until it is deleted" {
	keeps
	nacelle run -d --name "$ID" plain sleep 1000
	run -125 "$IMAGE" rmi -f plain
	has "$ID"
	"$IMAGE" prune -a
	run -0 nacelle exec "$ID" true
	run -0 nacelle state "$ID"
	has localhost/plain:latest
	nacelle delete --force "$ID"
	[ -z "$(ls -A "$NACELLE_STORE/uses")" ]
	"$IMAGE" import "$BATS_FILE_TMPDIR/rootfs" full2
	"$IMAGE" rmi full2
}

@test "a record that is gone does not keep the image for ever" {
	nacelle run -d --name "$ID" plain sleep 1000
	kill -KILL "$(init_pid)"
	echo broken >"$STATE/$ID/state.json"
	nacelle delete --force "$ID"
	[ -z "$(ls -A "$NACELLE_STORE/uses")" ]
}

@test "ids that begin alike hold an image each" {
	long=$(printf 'a%.0s' {1..210})
	nacelle run -d --name "${long}1" plain sleep 1000
	nacelle run -d --name "${long}2" plain sleep 1000
	[ "$(find "$NACELLE_STORE/uses" -type f | wc -l)" = 2 ]
	nacelle delete --force "${long}1"
	run -125 "$IMAGE" rmi -f plain
	nacelle delete --force "${long}2"
	# each "/" of the folder takes three letters of the record's name
	run -0 "$NACELLE" --root "$PWD/$(printf 'd/%.0s' {1..60})" --data "$DATA" run --name "$ID" plain true
	[ -z "$(ls -A "$NACELLE_STORE/uses")" ]
}

@test "what is not stored is fetched, and told when it cannot be" {
	run -125 nacelle run 127.0.0.1:1/nothing
	has "127.0.0.1:1"
	has "nacelle-image pull"
	echo '{"image":"--help","args":["true"]}' >spec.json
	run -125 nacelle run ./spec.json
	one_line
	run -125 nacelle run 'Bad Name'
	one_line
	run -125 nacelle run "$(printf 'a%.0s' {1..300})"
	one_line
	nothing_left
}

@test "a wrong word beside an image is told before anything is fetched" {
	jq -n '{ image: "127.0.0.1:1/none", restart: "sometimes" }' >spec.json
	run -125 nacelle run -d spec.json
	one_line
	has 'restart: "sometimes" is not one of'
	run -125 nacelle run -d --restart sometimes 127.0.0.1:1/none
	one_line
	# what only the image can say is no fault yet
	jq -n '{ image: "127.0.0.1:1/none", health: { interval: "3s" } }' >spec.json
	run -125 nacelle run -d spec.json
	has "cannot be fetched"
	jq '.image = "plain"' spec.json >plain.json
	run -125 nacelle run -d plain.json
	has "has no 'cmd', and neither has the image"
}

@test "upper disk: what is written is on the disk until the container is deleted" {
	keeps
	echo '{"image":"plain","upper":"disk","args":["sh","-c","echo kept >/new; sleep 1000"]}' >spec.json
	nacelle run -d --name "$ID" ./spec.json
	nacelle run -d --name "${ID}b" ./spec.json
	for_state() { nacelle exec "$1" sh -c 'until [ -s /new ]; do sleep 0.1; done'; }
	for_state "$ID"
	for_state "${ID}b"
	run -0 find "$DATA/uppers" -path '*/upper/new'
	[ "${#lines[@]}" = 2 ]
	run -0 nacelle exec "$ID" sh -c 'rm /etc/group; cat /new; i=0; mkdir /deep; cd /deep; while [ $i -lt 80 ]; do mkdir d; cd d; i=$((i + 1)); done'
	is kept
	nacelle delete --force "$ID"
	run -0 nacelle exec "${ID}b" cat /new
	is kept
	nacelle delete --force "${ID}b"
	[ -z "$(find "$DATA/uppers" -mindepth 2)" ]
	run -0 nacelle run plain cat /etc/group
}

@test "what is written is on the disk where a container stays, in memory where run waits for it" {
	keeps
	run -0 nacelle run plain sh -c 'echo x >/new; grep " / " /proc/self/mountinfo'
	not has volatile
	[ -z "$(ls -A "$DATA/uppers" 2>/dev/null)" ]
	nacelle run -d --name "$ID" plain sh -c 'echo kept >/new; sleep 1000'
	run -0 nacelle exec "$ID" sh -c 'until [ -s /new ]; do sleep 0.1; done; grep " / " /proc/self/mountinfo'
	has volatile
	run -0 find "$DATA/uppers" -path '*/upper/new'
	[ "${#lines[@]}" = 1 ]
	nacelle delete --force "$ID"
	[ -z "$(find "$DATA/uppers" -mindepth 2)" ]
	# no disk that could be one: memory, unless it is asked for
	mkdir data2 low up2 work2 && mount -t overlay o -o lowerdir=low,upperdir=up2,workdir=work2 data2
	DATA=$PWD/data2
	nacelle run -d --name "$ID" plain sh -c 'echo kept >/new; sleep 1000'
	run -0 find data2/uppers -mindepth 1
	[ -z "$output" ]
	nacelle delete --force "$ID"
	umount data2
}

@test "rootfs_size limits what is written, in memory; on a disk without quotas it is refused" {
	echo '{"image":"plain","rootfs_size":"1M","args":["sh","-c","head -c 3000000 /dev/zero >/big; df -k / | tail -n 1"]}' >spec.json
	run nacelle run ./spec.json
	has "1024      1024         0 100%"
	keeps
	jq '.args = ["sh", "-c", "head -c 3000000 /dev/zero >/big; echo ended >/dev/shm/e; sleep 1000"]' spec.json >stays.json
	nacelle run -d --name "$ID" ./stays.json
	nacelle exec "$ID" sh -c 'until [ -s /dev/shm/e ]; do sleep 0.1; done'
	run -0 nacelle exec "$ID" stat -c %s /big
	[ "$output" -lt 1100000 ]
	nacelle delete --force "$ID"
	jq '.upper = "disk"' spec.json >disk.json
	DATA=$BATS_FILE_TMPDIR/store/data run -125 nacelle run ./disk.json
	has "has no project quotas"
	one_line
	jq '.upper = "./dir"' spec.json >dir.json
	run -125 nacelle run ./dir.json
	has "rootfs_size: "
	nothing_left
}

# bats test_tags=lab
@test "rootfs_size on a disk with project quotas" {
	keeps
	truncate -s 64M disk
	mkfs.ext4 -q -O quota,project disk
	mkdir data
	mount -o loop,prjquota disk data
	DATA=$PWD/data
	echo '{"image":"plain","rootfs_size":"2M","args":["sh","-c","head -c 8000000 /dev/zero >/big; echo ended >/dev/shm/e; sleep 1000"]}' >spec.json
	nacelle run -d --name "$ID" ./spec.json
	nacelle run -d --name "${ID}b" ./spec.json
	for id in "$ID" "${ID}b"; do
		nacelle exec "$id" sh -c 'until [ -s /dev/shm/e ]; do sleep 0.1; done'
		run -0 nacelle exec "$id" stat -c %s /big
		[ "$output" -lt 2200000 ]
		[ "$output" -gt 1500000 ]
	done
	run -0 find data/uppers -path '*/upper/big'
	[ "${#lines[@]}" = 2 ]
	nacelle delete --force "$ID"
	nacelle delete --force "${ID}b"
	[ -z "$(find data/uppers -mindepth 2)" ]
	umount data
}

@test "an upper that was volatile is not taken up again unasked" {
	jq -n --arg l "$PWD/l" --arg u "$PWD/u" '{ ociVersion: "1.0.2", args: ["true"], mounts: [{ destination: "/", type: "overlay", source: "overlay",
		options: ["lowerdir+=\($l)", "upperdir=\($u)", "volatile"] }] }' >spec.json
	cp -a "$ROOTFS" l
	nacelle run ./spec.json
	run -125 nacelle run ./spec.json
	has "remove '$PWD/u.work'"
	one_line
	rm -r u.work
	nacelle run ./spec.json
}

@test "upper disk: a failed start and another boot leave nothing" {
	echo '{"image":"plain","upper":"disk","args":["/not-there"]}' >spec.json
	run -127 nacelle run ./spec.json
	[ -z "$(find "$DATA/uppers" -mindepth 2)" ]
	mkdir -p "$DATA/uppers/11111111-of-another-boot/x/upper/y"
	ln -s / "$DATA/uppers/11111111-of-another-boot/x/upper/link"
	echo '{"image":"plain","upper":"disk","args":["sh","-c","cat /etc/group >/g && ls /g"]}' >spec.json
	run -0 nacelle run ./spec.json
	is /g
	[ -z "$(find "$DATA/uppers" -path '*another-boot*' -o -mindepth 2)" ]
	[ -e /etc/passwd ]
	nothing_left
}

mapped='. + { linux: { namespaces: [{ type: "user" }], uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }], gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }] } }'

# ids_can_be_mapped - or the refusal is one line: tmpfs, where the store is, has id-mapped mounts since Linux 6.3
ids_can_be_mapped()
{
	nacelle run "$1" >said 2>&1 && return
	grep -q "map its ids" said
	[ "$(wc -l <said)" = 1 ]
	[[ $(uname -r) == [1-5].* || $(uname -r) == 6.[0-2].* ]]
	return 1
}

@test "a user namespace sees the image's files as its own, with its changes in memory and on the disk" {
	keeps
	# shellcheck disable=SC2028 # as it stands
	echo '{"image":"plain","args":["sh","-c","stat -c %u:%g /bin /etc/passwd; echo x >>/etc/passwd; rm /etc/group; grep -c \" - ext4\\| - erofs\" /proc/self/mountinfo; echo >/tmp/ready; sleep 1000"]}' >own.json
	jq "$mapped | .args[2] |= sub(\"; sleep.*\"; \"\")" own.json >memory.json
	jq '.upper = "disk"' memory.json >passing.json
	jq "$mapped | .upper = \"disk\"" own.json >disk.json
	ids_can_be_mapped ./memory.json || return 0
	for spec in memory passing; do
		run -0 nacelle run "./$spec.json"
		[ "${lines[*]}" = "0:0 0:0 0" ]
	done
	nacelle run -d --name "$ID" ./disk.json
	nacelle exec "$ID" sh -c 'until [ -e /tmp/ready ]; do sleep 0.1; done'
	run -0 find "$DATA/uppers" -path '*/upper/etc/passwd' -printf '%U:%G'
	is 100000:200000
	run -0 nacelle diff "$ID"
	has "D /etc/group"
	nacelle stop -t 0 "$ID"
	# from outside, ended: the marks are still understood
	run -0 sh -c "'$NACELLE' --root '$STATE' --data '$DATA' cp '$ID:/etc' - | tar tvf - --numeric-owner"
	not has group
	nacelle commit "$ID" committed
	nacelle delete --force "$ID"
	[ -z "$(find "$DATA/uppers" -mindepth 2)" ]
	run -0 sh -c "'$IMAGE' export committed | tar tvf - --numeric-owner etc/passwd"
	[[ $output == *" 0/0 "* ]]
	run -0 nacelle run plain cat /etc/group
}

@test "lower erofs: the layers as one file system, made once, with changes over it" {
	keeps
	echo '{"image":"plain","lower":"erofs","args":["sh","-c","cat /etc/group >/g && ls /g; echo x >>/etc/passwd; grep -c \" / / rw\" /proc/self/mountinfo; grep -c \" - erofs\" /proc/self/mountinfo; true"]}' >spec.json
	run -0 --separate-stderr nacelle run ./spec.json
	[ "${lines[*]}" = "/g 1 0" ]
	file=$("$IMAGE" erofs plain)
	[ -f "$file" ]
	inode=$(stat -c %i "$file")
	run -0 nacelle run ./spec.json
	[ "$(stat -c %i "$file")" = "$inode" ]
	# none of the host's file systems is below or above it, and no loop device stays
	run -0 losetup -j "$file"
	[ -z "$output" ]
	# on the disk, seen from outside
	jq '.upper = "disk" | .args = ["sh", "-c", "rm /etc/group; echo n >/new; sleep 1000"]' spec.json >disk.json
	nacelle run -d --name "$ID" ./disk.json
	nacelle exec "$ID" sh -c 'until [ -s /new ]; do sleep 0.1; done'
	run -0 nacelle diff "$ID"
	has "A /new"
	has "D /etc/group"
	nacelle stop -t 0 "$ID"
	run -0 nacelle cp "$ID:/new" -
	nacelle delete --force "$ID"
	# a file that is there already is a layer like any other
	cp "$file" own.erofs
	mkdir -p top/made
	echo '{"layers":["./own.erofs","./top"],"args":["ls","-d","/made","/bin"]}' >layers.json
	run -0 nacelle run ./layers.json
	[ "${lines[*]}" = "/bin /made" ]
	# what does not go
	jq '.layers = ["./top"] | del(.image)' spec.json >none.json
	run -125 nacelle run ./none.json
	has "is for an 'image'"
	one_line
	jq '.lower = "squashfs"' spec.json >word.json
	run -125 nacelle run ./word.json
	one_line
	head -c 65536 /dev/zero >own.erofs
	run -125 nacelle run ./layers.json
	has "own.erofs"
	one_line
	nothing_left
}

@test "layers beside an image are a contradiction; a bundle's ID that is an image is ambiguous" {
	cp "$BUNDLE/config.json" .
	run -125 nacelle run plain
	has "both an image and an ID"
	one_line
	has "'run -b . plain' runs the bundle, 'run localhost/plain:latest' the image"
	run -0 nacelle run -b . plain
	# the image, which has nothing to run by itself
	run -125 nacelle run localhost/plain:latest
	has "process.args"
	echo '{"image":"plain","layers":["/"],"args":["true"]}' >spec.json
	run -125 nacelle run ./spec.json
	has "spec.json: image: "
	echo '{"image":["plain"]}' >spec.json
	run -125 nacelle spec --expand spec.json
	has "image: must be"
}

# config_is [--whole] [IMAGE] JQ - an image, `plain` if not said, with another config, as a hostile registry would have sent it: stored by its new digests
config_is()
{
	local dir=layout config manifest image=plain part='.config |= ((. // {}) | %s)'
	[ "$1" != --whole ] || { part=%s && shift; }
	[ $# = 1 ] || { image=$1 && shift; }
	rm -rf $dir
	"$IMAGE" save "$image" "oci:$dir:x"
	manifest=$(jq -r '.manifests[0].digest' $dir/index.json)
	config=$(jq -r .config.digest "$dir/blobs/${manifest/://}")
	# shellcheck disable=SC2059 # it is one
	jq -c "$(printf "$part" "$1")" "$dir/blobs/${config/://}" >new.config
	new=$(sha256sum new.config | cut -d' ' -f1)
	cp new.config "$dir/blobs/sha256/$new"
	jq -c --arg d "sha256:$new" --argjson s "$(stat -c %s new.config)" '.config.digest = $d | .config.size = $s' \
		"$dir/blobs/${manifest/://}" >new.manifest
	manifest=$(sha256sum new.manifest | cut -d' ' -f1)
	cp new.manifest "$dir/blobs/sha256/$manifest"
	jq -c --arg d "sha256:$manifest" --argjson s "$(stat -c %s new.manifest)" '.manifests[0].digest = $d | .manifests[0].size = $s' \
		$dir/index.json >new.index && mv new.index $dir/index.json
	"$IMAGE" load -q -n hostile "oci:$dir:x"
}

@test "configs that lie are refused with the place, or do no harm" {
	export NACELLE_SECRET=of-the-host
	for change in '.Env = ["NACELLE_SECRET"]' '.Env = [range(5000) | "A\(.)=b"]' '.Env = "A=b"' '.Env = [1]' '.Cmd = "sh"' '.Cmd = [1]' '.Entrypoint = {}' '.User = 5' '.User = "-1"' '.User = "4294967295"' \
		'.User = "nobody-here"' '.User = ":"' '.WorkingDir = 7' '.WorkingDir = "relative"' '.StopSignal = "SIGNOPE"' '.Labels = [1]' \
		'.Labels = { a: 1 }' '.ExposedPorts = "80"' '.Env = ["=x"]' '.Cmd = ["a\u0000b"]'; do
		config_is "$change" || continue	# nothing that is stored can be run
		status=0
		said=$(nacelle run hostile true 2>&1) || status=$?
		echo "$change: $status $said"
		[ $status = 125 ]
		[ "$(wc -l <<<"$said")" = 1 ]
	done
	nothing_left
	config_is '.WorkingDir = "/../../../../x" | .Cmd = ["pwd"]'
	run -0 nacelle run hostile
	is /x
	[ ! -e /x ]
}

@test "an image's health check is asked by the keeper, and gives way to the file and to flags" {
	mkdir image
	tar -C "$BATS_FILE_TMPDIR/rootfs" -cf image/layer.tar .
	jq -n --arg diff "sha256:$(sha256sum <image/layer.tar | cut -d' ' -f1)" '{ architecture: "amd64", os: "linux",
		rootfs: { type: "layers", diff_ids: [$diff] }, config: { Cmd: ["sleep", "1000"],
		Healthcheck: { Test: ["CMD-SHELL", "echo from the image; exit 1"], Interval: 200000000, Retries: 1 } } }' >image/config.json
	echo '[{ "Config": "config.json", "RepoTags": ["sick:latest"], "Layers": ["layer.tar"] }]' >image/manifest.json
	tar -C image -cf image.tar .
	"$IMAGE" load docker-archive:image.tar
	health_is()
	{
		[ "$(state .health.status)" = "$1" ]
	}
	keeps
	# in front of it nobody asks, and nothing is refused
	run -0 nacelle run sick true
	nacelle run -d --name "$ID" sick
	until_true 20 health_is unhealthy
	[[ "$(state .health.last.output)" == *"from the image"* ]]
	nacelle delete --force "$ID"
	# a part of it is changed, the command stays
	nacelle run -d --name "$ID" --health-interval 1h sick
	[ "$(state '.annotations["io.nacelle.health"]' | jq -c '[.Test[1], .Interval]')" = '["echo from the image; exit 1",3600000000000]' ]
	health_is starting
	nacelle delete --force "$ID"
	nacelle run -d --name "$ID" --no-healthcheck sick
	[ "$(state .health)" = null ]
}

@test "what docker puts up with in a config is no reason not to run it" {
	config_is '.Labels = { "": "empty", "a=b": "c", fine: "d" } | .ExposedPorts = { "80": {}, "http": {}, "53/udp": {}, "0/tcp": {}, "1-2/x": {}, "99999": {}, "8000-8010/tcp": {} }'
	run -0 nacelle run hostile echo ran
	has ran
	has 'the label "" has no usable name, ignoring'
	has 'the label "a=b" has no usable name, ignoring'
	has 'the exposed port "http" is none, ignoring'
	echo '{"image":"hostile","args":["true"]}' >spec.json
	run -0 --separate-stderr nacelle spec --expand spec.json
	[ "$(jq -r '.annotations["io.nacelle.image_ports"]' <<<"$output")" = "80 53/udp 8000-8010/tcp" ]
	[ "$(jq -r '.annotations["io.nacelle.label.fine"]' <<<"$output")" = d ]
	nothing_left
}

@test "an image for another system is refused, by load and by run" {
	run -125 config_is --whole plain '.os = "windows"'
	has "only 'linux'"
	one_line
	"$IMAGE" import "$BATS_FILE_TMPDIR/rootfs" windows
	config=$("$IMAGE" inspect windows | jq -r .id | sed s/sha256://)
	sed -i 's/"os":"linux"/"os":"plan9"/' "$NACELLE_STORE"/blobs/sha256/"$config"
	run -125 nacelle run windows true
	has "plan9"
	one_line
}

@test "a config that leads out or is huge does nothing outside of the root" {
	rootfs_own
	place=$BATS_TEST_TMPDIR/outside
	mkdir "$place"
	ln -s "../../../../../../../../..$place" "$ROOTFS/out"
	ln -s /proc/1/root "$ROOTFS/magic"
	"$IMAGE" import "$ROOTFS" links
	config_is links '.WorkingDir = "/out/made"'
	run -0 nacelle run hostile pwd
	is "$place/made"
	config_is links ".WorkingDir = \"/magic$place/made\""
	run -125 nacelle run hostile pwd
	one_line
	config_is links '.WorkingDir = ("/a" * 3000)'
	run -125 nacelle run hostile pwd
	one_line
	config_is links '.Env = ["A=" + ("x" * 3000000)]'
	run -125 nacelle run hostile pwd
	one_line
	config_is links ".Healthcheck = { Test: [\"CMD-SHELL\", \"touch $place/made\"] } | .Volumes = { \"/../..$place/made\": {} }"
	run -0 nacelle run hostile pwd
	is /
	[ -z "$(ls -A "$place")" ]
	nothing_left
}
