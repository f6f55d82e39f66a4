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

# configured TEXT - the user's configuration file
configured()
{
	mkdir -p "$HOME/.config/nacelle"
	echo "$1" >"$HOME/.config/nacelle/config.json"
}

@test "mirrors are asked first, in their order, then the registry; the image has the registry's name" {
	registry
	layers_image img
	image load oci:img:v1 >first
	image push -q img:v1 "$REGISTRY/cache/a/b:v1"
	configured "{ \"mirrors\": { \"registry.invalid\": [\"127.0.0.1:1\", \"http://$REGISTRY/nothing/\", \"$REGISTRY/cache\"], \"$REGISTRY\": [\"127.0.0.1:1\"] } }"
	export NACELLE_STORE=$PWD/other
	run --separate-stderr image pull registry.invalid/a/b:v1
	[ "$status" = 0 ]
	is "$(cat first)"
	[ "$(grep -c '^mirror' <<<"$stderr")" = 2 ]
	[[ $stderr == *'mirror "127.0.0.1:1": '* ]]
	[[ $stderr == *"mirror \"http://$REGISTRY/nothing/\": manifest: the registry has none"* ]]
	run image images
	has registry.invalid/a/b
	image verify
	run --separate-stderr image pull -q "$REGISTRY/cache/a/b:v1"
	is "$(cat first)"
	[ -z "$stderr" ]
	# the registry has the last word
	run image pull registry.invalid/none:v1
	[ "$status" = 125 ]
	has "registry 'registry.invalid'"
	# a mirror is not pushed to
	run image push "$REGISTRY/cache/a/b:v1" registry.invalid/a/b:v2
	[ "$status" = 125 ]
}

@test "a mirror gets neither the registry's credentials nor its leave to go without certificates" {
	registry auth
	tree root
	image import root demo >first
	image push -q --creds user:secret demo "$REGISTRY/demo:v1"
	configured "{ \"mirrors\": { \"$REGISTRY\": [\"$REGISTRY\"] } }"
	export NACELLE_STORE=$PWD/other
	run --separate-stderr image pull --creds user:secret "$REGISTRY/demo:v1"
	[ "$status" = 0 ]
	is "$(cat first)"
	[[ $stderr == *"mirror \"$REGISTRY\": "*"wants credentials"* ]]
	kill "$REGISTRY_PID"
	export NACELLE_STORE=$PWD/store
	registry tls
	image push -q --insecure --creds user:secret demo "$REGISTRY/demo:v1"
	configured "{ \"mirrors\": { \"$REGISTRY\": [\"$REGISTRY\"] } }"
	export NACELLE_STORE=$PWD/third
	run --separate-stderr image pull --insecure --creds user:secret "$REGISTRY/demo:v1"
	[ "$status" = 0 ]
	[[ $stderr == *"mirror \"$REGISTRY\": "*certificate* ]]
}

@test "the configuration file says where the store and the mirrors are; what is wrong in it is refused" {
	tree root
	unset NACELLE_STORE
	configured "{ \"store\": \"$PWD/said\", \"registry\": \"registry.invalid\" }"
	image import -q root demo
	[ -d said/images ]
	run image pull nothing
	has "registry.invalid/nothing:latest"
	NACELLE_STORE=$PWD/store run image images
	[[ $output != *demo* ]]
	configured '{ "mirrors": { "docker.io": "mirror" } }'
	run image images
	[ "$status" = 125 ]
	has 'mirrors["docker.io"]: must be an array'
	configured "{ \"store\": \"$PWD/said\", \"mirrors\": { \"registry.invalid\": [\"ftp://a b\"] } }"
	run image pull registry.invalid/demo
	[ "$status" = 125 ]
	has 'mirror "ftp://a b": must be HOST[:PORT][/PATH]'
	export NACELLE_STORE=$PWD/store
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
