# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2030,SC2031 # set by bats and the helpers; each test is a subshell
load image-helpers

@test "import of a folder: the layer holds what the folder holds" {
	tree root
	run --separate-stderr image import root demo -c 'CMD=["sh"]' -c ENV=A=b
	[ "$status" = 0 ]
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	same root "$NACELLE_STORE"/layers/*/diff
	image inspect demo | jq -e '.config.config == { Cmd: ["sh"], Env: ["A=b"] }'
}

@test "import of a tar, packed or not, of a stream" {
	tree root
	tar -C root -cf root.tar .
	image import root.tar one
	gzip -k root.tar && image import root.tar.gz two
	zstd -q root.tar && image import - three <root.tar.zst
	[ "$(image images --format json | jq length)" = 3 ]
	# the same tar is the same layer, however it came
	[ "$(find "$NACELLE_STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
	same root "$NACELLE_STORE"/layers/*/diff
}

@test "the same folder makes the same image" {
	tree root
	image import root a >one
	image import root b >two
	diff one two
}

@test "export of several layers is what umoci unpacks" {
	layers_image img
	image load oci:img:v1
	mkdir ours
	image export img:v1 | tar -xp --same-owner -C ours
	same "$flat" ours
}

@test "save and load: the digest stays" {
	layers_image img
	image load oci:img:v1 >first
	image save img:v1 oci:out:x
	image save img:v1 oci-archive:out.tar
	image save img:v1 - >stream.tar
	for place in oci:out:x oci-archive:out.tar; do
		NACELLE_STORE=$PWD/other image load -q "$place" | diff first -
	done
	NACELLE_STORE=$PWD/other image load -q - <stream.tar | diff first -
	skopeo inspect --raw oci:out:x | sha256sum | grep -F "$(sed s/sha256:// first)"
	NACELLE_STORE=$PWD/other image verify
}

@test "docker-archive: ours is read by skopeo, skopeo's by us" {
	layers_image img
	image load oci:img:v1
	image save img:v1 docker-archive:ours.tar
	skopeo copy -q docker-archive:ours.tar oci:theirs:v1
	umoci unpack --image theirs:v1 back >&2
	same "$flat" back/rootfs
	skopeo copy -q oci:img:v1 docker-archive:skopeo.tar:some/name:tag
	image load docker-archive:skopeo.tar
	mkdir ours
	image export some/name:tag | tar -xp --same-owner -C ours
	same "$flat" ours
}

@test "names: tag, rmi, an id; the content goes with the last name" {
	tree root
	image import root demo
	image tag demo quay.io/other/name:v2
	[ "$(image images -q | sort -u | wc -l)" = 1 ]
	image rmi demo
	[ -n "$(ls "$NACELLE_STORE/layers")" ]
	run image rmi demo
	[ "$status" = 125 ]
	has 'no image "demo"'
	image rmi quay.io/other/name:v2
	[ -z "$(find "$NACELLE_STORE"/{layers,images,refs} -mindepth 1)" ]
	[ -z "$(find "$NACELLE_STORE/blobs" -type f)" ]
	image rmi --force demo
}

@test "prune removes images without a name, and nothing else" {
	tree root
	image import root keep
	echo x >root/x
	image import root
	[ "$(image images -q | wc -l)" = 2 ]
	image prune
	[ "$(image images -q | wc -l)" = 1 ]
	image verify
}

@test "verify finds a changed file and a changed blob; --repair mends the layer" {
	tree root
	image import root demo
	echo changed >"$(echo "$NACELLE_STORE"/layers/*/diff/etc/passwd)"
	run image verify
	[ "$status" = 1 ]
	has passwd
	image verify --repair
	image verify
	same root "$NACELLE_STORE"/layers/*/diff
	blob=$(image inspect demo | jq -r '.layers[0].blob')
	printf x | dd of="$NACELLE_STORE/blobs/sha256/${blob#sha256:}" bs=1 seek=600 conv=notrunc status=none
	run image verify
	[ "$status" = 1 ]
	has "$blob"
}

@test "erofs: one file of all layers, the same each time, verified, gone with the image" {
	layers_image img
	image load -q -n one oci:img:v1
	run --separate-stderr image erofs one
	[ "$status" = 0 ]
	file=$output
	[ $(($(stat -c %s "$file") % (2 << 20))) = 0 ]
	mkdir mnt
	mount -o loop,ro -t erofs "$file" mnt
	diff <(cd "$flat" && find . -printf '%p %y %m %U:%G %l\n' | sort) <(cd mnt && find . -printf '%p %y %m %U:%G %l\n' | sort)
	same "$flat" mnt
	umount mnt
	cp "$file" before
	image verify one
	printf x | dd of="$file" bs=1 seek=3000 conv=notrunc status=none
	run image verify one
	[ "$status" = 1 ]
	has "EROFS of"
	image verify --repair one
	[ ! -e "$file" ]
	image erofs -q one
	cmp before "$file"
	# another image of the same layers keeps it
	image tag one two
	image rmi one
	image prune
	[ -e "$file" ]
	image rmi two
	[ -z "$(ls -A "$NACELLE_STORE/erofs")" ]
	run image erofs one
	[ "$status" = 125 ]
	has "no image"
}

@test "erofs: without mkfs.erofs one line, and nothing is left" {
	layers_image img
	image load -q -n one oci:img:v1
	run timeout -k 5 20 unshare --mount sh -c "mount --bind /dev/null '$(command -v mkfs.erofs)' && '$IMAGE' erofs one"
	[ "$status" = 125 ]
	[ "${#lines[@]}" = 1 ]
	[ -z "$(ls -A "$NACELLE_STORE/erofs")" ]
}

@test "a layout that lies is refused and leaves nothing" {
	layers_image img
	layer=$(jq -r '.manifests[0].digest' img/index.json | sed s/sha256://)
	layer=$(jq -r '.layers[0].digest' "img/blobs/sha256/$layer" | sed s/sha256://)
	printf x | dd of="img/blobs/sha256/$layer" bs=1 seek=100 conv=notrunc status=none
	run image load oci:img:v1
	[ "$status" = 125 ]
	has "in truth"
	[ -z "$(find "$NACELLE_STORE"/{images,layers,blobs/sha256} -mindepth 1)" ]
	# a blob that is a pipe, a device, a link out of the layout
	rm "img/blobs/sha256/$layer" && mkfifo "img/blobs/sha256/$layer"
	run image load oci:img:v1
	[ "$status" = 125 ]
	has "is no file"
	rm "img/blobs/sha256/$layer" && ln -s /etc/passwd "img/blobs/sha256/$layer"
	run image load oci:img:v1
	[ "$status" = 125 ]
}

@test "a policy that rejects, and one that wants signatures, are honoured" {
	layers_image img
	echo '{ "default": [{ "type": "reject" }] }' >policy.json
	run image load --policy policy.json oci:img:v1
	[ "$status" = 125 ]
	has rejected
	echo '{ "default": [{ "type": "signedBy", "keyType": "GPGKeys" }] }' >policy.json
	run image load --policy policy.json oci:img:v1
	[ "$status" = 125 ]
	has signedBy
	echo '{ "default": [{ "type": "reject" }], "transports": { "oci": { "": [{ "type": "insecureAcceptAnything" }] } } }' >policy.json
	image load --policy policy.json oci:img:v1
}

@test "killed at any moment, a load leaves a store in which every image is whole" {
	layers_image img
	for ms in 5 10 20 30 40 60 80 100 150 200; do
		"$IMAGE" load -q oci:img:v1 >/dev/null 2>&1 &
		sleep "0.$(printf %03d "$ms")"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		image verify
		image rmi --force img:v1 >/dev/null 2>&1 || true
	done
	image load oci:img:v1
	image verify
	image prune
}

@test "a wrong verb, option, place: one line, status 125" {
	for words in "pul x" "load --nam x y" "load dir" "images --format xml" "tag x" ""; do
		# shellcheck disable=SC2086
		run image $words
		[ "$status" = 125 ]
		[ "${#lines[@]}" = 1 ]
	done
	run image rmi none:x none:y
	[ "$(grep -c '^nacelle: no image "none:[xy]"' <<<"$output")" = 2 ]
}
