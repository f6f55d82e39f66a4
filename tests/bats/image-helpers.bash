# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # output is set by bats' run; flat and REGISTRY are for the tests
#
# What the bats files about images load: a store of the test's own, small images, a registry, and a check
# at the end that the store has nothing half done in it.

here=${BATS_TEST_DIRNAME:?}
. "$here/trace.bash"
IMAGE=${NACELLE_IMAGE:-$(readlink -f "$here/../../build/bin/nacelle-image")}

setup_file()
{
	bats_require_minimum_version 1.8.0
}

setup()
{
	trace_failures
	# in memory: each image is synced to the disk, which costs seconds where others write too
	WORK=$(mktemp -d /dev/shm/nacelle-image.XXXXXX) && cd "$WORK" || return
	export NACELLE_STORE=$WORK/store HOME=$WORK/home
	mkdir -p "$HOME"
}

teardown()
{
	local status=0
	[ "${BATS_TEST_COMPLETED:-0}" != 1 ] || [ ! -d "$NACELLE_STORE" ] || store_is_clean || status=1
	[ -z "${REGISTRY_PID:-}" ] || kill "$REGISTRY_PID" 2>/dev/null
	rm -rf "$WORK"
	return $status
}

image()
{
	timeout -k 5 "${LIMIT:-100}" "$IMAGE" "$@"
}

# store_is_clean - nothing staged, nothing partial
store_is_clean()
{
	local left
	left=$(find "$NACELLE_STORE/staging" "$NACELLE_STORE/partial" -mindepth 1)
	[ -z "$left" ] || {
		printf 'left behind:\n%s\n' "$left" >&2
		return 1
	}
}

# tree DIR - a small root file system with one of each kind
tree()
{
	mkdir -p "$1"/{bin,etc,d/e}
	cp "$(command -v busybox)" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	echo 'root:x:0:0::/:/bin/sh' >"$1/etc/passwd"
	echo one >"$1/d/one"
	ln "$1/d/one" "$1/d/e/linked"
	mkfifo "$1/d/pipe"
	mknod "$1/d/null" c 1 3
	chmod 4755 "$1/bin/busybox"
	chown 7:8 "$1/d/one"
	touch -d @1000000000 "$1/d/one"
}

# same A B - two folders hold the same, modes, owners and times of files included
same()
{
	diff <(cd "$1" && find . -printf '%p %y %m %U:%G %l\n' | sort) <(cd "$2" && find . -printf '%p %y %m %U:%G %l\n' | sort) &&
		diff <(cd "$1" && find . ! -type d -printf '%p %Ts %n\n' | sort) <(cd "$2" && find . ! -type d -printf '%p %Ts %n\n' | sort) &&
		diff <(cd "$1" && find . -type f -exec sha256sum {} + | sort) <(cd "$2" && find . -type f -exec sha256sum {} + | sort)
}

# layers_image NAME - three layers by umoci: files, then some removed and a folder made again, then a link
layers_image()
{
	umoci init --layout "$1" && umoci new --image "$1:v1"
	umoci unpack --image "$1:v1" "$1-b" >&2
	tree "$1-b/rootfs"
	umoci repack --image "$1:v1" "$1-b" >&2
	rm -rf "$1-b/rootfs/d/e" "$1-b/rootfs/d/pipe"
	mkdir "$1-b/rootfs/d/e"
	echo new >"$1-b/rootfs/d/e/new"
	umoci repack --refresh-bundle --image "$1:v1" "$1-b" >&2
	ln "$1-b/rootfs/etc/passwd" "$1-b/rootfs/etc/passwd-"
	umoci repack --refresh-bundle --image "$1:v1" "$1-b" >&2
	rm -rf "$1-b"
	umoci unpack --image "$1:v1" "$1-b" >&2
	flat=$1-b/rootfs
}

# registry [auth|tls] - Debian's registry on a free loopback port; $REGISTRY is its name. With auth it wants user:secret, with tls
# that too, and over https
registry()
{
	local try
	for try in 1 2 3 4 5; do
		! registry_try "$((10000 + RANDOM % 20000))" "$@" || return 0
	done
	cat registry/log >&2
	return 1
}

# registry_try PORT [auth|tls] - fails when the port is taken
registry_try()
{
	local n
	mkdir -p registry
	cat >registry/config.yml <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $PWD/registry/data}}
		http:
		  addr: 127.0.0.1:$1
	END
	if [ "${2:-}" = auth ]; then
		htpasswd -Bbc registry/htpasswd user secret 2>/dev/null
		echo "auth: {htpasswd: {realm: test, path: $PWD/registry/htpasswd}}" >>registry/config.yml
	elif [ "${2:-}" = tls ]; then
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout registry/key.pem -out registry/cert.pem \
			-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
		htpasswd -Bbc registry/htpasswd user secret 2>/dev/null
		cat >>registry/config.yml <<-END
			  tls: {certificate: $PWD/registry/cert.pem, key: $PWD/registry/key.pem}
			auth: {htpasswd: {realm: test, path: $PWD/registry/htpasswd}}
		END
	fi
	docker-registry serve registry/config.yml >registry/log 2>&1 3>&- &
	REGISTRY_PID=$!
	REGISTRY=127.0.0.1:$1
	for ((n = 0; n < 100; n++)); do
		kill -0 $REGISTRY_PID 2>/dev/null || return 1
		! (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || break
		sleep 0.1
	done
	# whoever answers may be somebody else, when ours has just failed
	sleep 0.2
	kill -0 $REGISTRY_PID 2>/dev/null
}

has()
{
	[[ $output == *"$1"* ]] || {
		printf 'no "%s" in:\n%s\n' "$1" "$output" >&2
		return 1
	}
}
is()
{
	[ "$output" = "$1" ] || {
		printf 'not "%s" but:\n%s\n' "$1" "$output" >&2
		return 1
	}
}
