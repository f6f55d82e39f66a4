# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2030,SC2031 # set by bats and the helpers; each test is a subshell
load image-helpers

@test "push and pull over http on loopback: same digest, same content" {
	registry
	layers_image img
	image load oci:img:v1 >first
	run --separate-stderr image push img:v1 "$REGISTRY/a/b:v1"
	[ "$status" = 0 ]
	is "$(cat first)"
	export NACELLE_STORE=$PWD/other
	run --separate-stderr image pull "$REGISTRY/a/b:v1"
	[ "$status" = 0 ]
	is "$(cat first)"
	mkdir ours
	image export "$REGISTRY/a/b:v1" | tar -xp --same-owner -C ours
	same "$flat" ours
	image verify
	store_is_clean
}

@test "a pull ends when the last blob has come: it waits for nothing then" {
	registry
	layers_image img
	image load oci:img:v1
	image push img:v1 "$REGISTRY/a/b:v1"
	NACELLE_STORE=$PWD/other strace -f -o calls -e trace=poll "$IMAGE" pull -q "$REGISTRY/a/b:v1"
	# libcurl waits for its transfers' sockets and for one descriptor of its own; with none of the others it was only time that passed
	grep -q 'poll(' calls
	run grep -E 'poll\(\[\{[^}]*\}\], 1, 500\) += 0 ' calls
	[ "$status" = 1 ]
}

@test "TLS and htpasswd: certificate and credentials are wanted, and taken from a file" {
	registry tls
	tree root
	image import root demo >first
	run image push demo "$REGISTRY/demo:v1"
	[ "$status" = 125 ]
	has certificate
	run image push --insecure demo "$REGISTRY/demo:v1"
	[ "$status" = 125 ]
	has credentials
	run image push --insecure --creds user:wrong demo "$REGISTRY/demo:v1"
	[ "$status" = 125 ]
	image push --insecure --creds user:secret demo "$REGISTRY/demo:v1"
	mkdir -p "$HOME/.docker"
	printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY" "$(printf user:secret | base64)" >"$HOME/.docker/config.json"
	NACELLE_STORE=$PWD/other image pull -q --insecure "$REGISTRY/demo:v1" | diff first -
	skopeo inspect --tls-verify=false --creds user:secret "docker://$REGISTRY/demo:v1" | jq -re .Digest | diff first -
}

@test "by digest, and what skopeo pushed in docker's format" {
	registry
	layers_image img
	skopeo copy -q --format v2s2 --dest-tls-verify=false oci:img:v1 "docker://$REGISTRY/x:docker"
	digest=$(skopeo inspect --tls-verify=false "docker://$REGISTRY/x:docker" | jq -r .Digest)
	run --separate-stderr image pull -q "$REGISTRY/x@$digest"
	is "$digest"
	mkdir ours
	image export "$REGISTRY/x@$digest" | tar -xp --same-owner -C ours
	same "$flat" ours
	run image pull "$REGISTRY/x@sha256:$(printf 0%.0s {1..64})"
	[ "$status" = 125 ]
}

@test "an interrupted pull goes on where it stopped" {
	registry
	tree root
	head -c 3000000 /dev/urandom >root/data
	image import root demo
	image push demo "$REGISTRY/demo:v1"
	blob=$(image inspect demo | jq -r '.layers[0].blob' | sed s/sha256://)
	export NACELLE_STORE=$PWD/other
	mkdir -p other/partial
	head -c 1000000 "store/blobs/sha256/$blob" >"other/partial/$blob"
	image pull -q "$REGISTRY/demo:v1"
	image verify
	# one that holds something else is thrown away, and the next pull succeeds
	rm -rf other && mkdir -p other/partial
	head -c 1000000 /dev/zero >"other/partial/$blob"
	run image pull -q "$REGISTRY/demo:v1"
	[ "$status" = 125 ]
	has "in truth"
	image pull -q "$REGISTRY/demo:v1"
	image verify
	store_is_clean
}

@test "eight pulls at once, seven killed: the eighth succeeds, the store is clean" {
	registry
	tree root
	head -c 8000000 /dev/urandom >root/data
	image import root demo
	image push demo "$REGISTRY/demo:v1"
	export NACELLE_STORE=$PWD/other
	pids=()
	for i in 1 2 3 4 5 6 7 8; do
		"$IMAGE" pull -q "$REGISTRY/demo:v1" >"out$i" 2>&1 3>&- &
		pids+=($!)
	done
	sleep 0.15
	kill -9 "${pids[@]:0:7}" || true
	wait "${pids[7]}"
	wait "${pids[@]:0:7}" || true
	image verify
	image prune
	store_is_clean
	[ "$(find other/layers -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}

@test "a name that the registry has not, a registry that is not there" {
	registry
	run image pull "$REGISTRY/none:v1"
	[ "$status" = 125 ]
	has "none"
	run image pull 127.0.0.1:9/x
	[ "$status" = 125 ]
	has "127.0.0.1:9"
	[[ $output != *"o such file"* ]]
}
