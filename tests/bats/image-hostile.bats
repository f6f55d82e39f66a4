# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # set by bats and the helpers
load image-helpers

# What they are: tests/hostile/layers.c and layouts.c. A line for each that is not held, then the counts.
@test "hostile layers and layouts are contained or refused, and nothing is left" {
	RUN=$(readlink -f "$here/../../build/hostile/run")
	run timeout -k 5 300 "$RUN" "$WORK"
	echo "# $output" >&3
	[ "$status" = 0 ]
	read -r layers _ layouts _ refused _ contained _ wrong _ <<<"${lines[-1]}"
	[ "$layers" -ge 150 ]
	[ "$layouts" -ge 150 ]
	[ $((refused + contained)) = $((layers + layouts)) ]
	[ "$wrong" = 0 ]
}

@test "a blob with another size than it is said to have is not even copied" {
	layers_image img
	layer=$(jq -r '.manifests[0].digest' img/index.json | sed s/sha256://)
	layer=$(jq -r '.layers[0].digest' "img/blobs/sha256/$layer" | sed s/sha256://)
	truncate -s 1T "img/blobs/sha256/$layer"
	# shellcheck disable=SC2034 # image's
	LIMIT=20
	run image load oci:img:v1
	[ "$status" = 125 ]
	has "has 1099511627776 bytes, not"
}
