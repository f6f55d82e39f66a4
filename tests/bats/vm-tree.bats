#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
# A tree of many files behind virtio-fs: what a guest reads is what the host has, and what it writes is what the host gets.
load helpers
load vm-helpers

# tree_make FOLDER FILES - folders of a hundred files: contents, modes, owners, times, links of both kinds, a fifo
tree_make()
{
	local n i
	for ((n = 0; n < $2 / 100; n++)); do
		mkdir -p "$1/dir-$n/empty"
		for ((i = 0; i < 100; i++)); do
			printf '%*d\n' $((i * 41 + n)) $((i * n)) >"$1/dir-$n/file $i"
		done
		mkfifo "$1/dir-$n/empty/fifo"
	done
	head -c 300000 /dev/urandom >"$1/dir-0/large"
	truncate -s 5M "$1/dir-0/sparse"
	find "$1/dir-0" -name 'file *3' -exec ln -st "$1/dir-1/empty" {} +
	cp -al "$1/dir-2" "$1/linked"
	rm "$1/linked/empty/fifo"
	find "$1" -name 'file *0' -exec chmod 4711 {} +
	find "$1" -name 'file *1' -exec chmod 0000 {} +
	find "$1" -name 'file *2' -exec chown 1234:56789 {} +
	find "$1" -name 'file *4' -exec touch -hd '1999-12-31 23:59:59.123456789 UTC' {} +
	find "$1" -type d -exec touch -d '2020-02-02 02:02:02.5 UTC' {} +
}
# What can be told of each file; not when a link was made, which busybox's cp leaves as it is
LISTING='cd "$0" && find . ! -type l -exec stat -c "%n %f %s %h %u %g %Y" {} + | sort
	find . -type l -exec stat -c "%n %f %s %u %g %N" {} + | sort; find . -type f -exec sha256sum {} + | sort'

# bats test_tags=lab, vm, full
@test "a tree of ten thousand files is the same in a virtual machine, content and metadata, and so is one that it writes" {
	vm_setup
	mkdir "$BATS_TEST_TMPDIR"/{tree,copy}
	tree_make "$BATS_TEST_TMPDIR/tree" 10000
	busybox sh -c "$LISTING" "$BATS_TEST_TMPDIR/tree" >"$BATS_TEST_TMPDIR/outside"
	[ "$(grep -c . "$BATS_TEST_TMPDIR/outside")" -gt 20000 ]
	in_container "$LISTING" ".vm = {} | .process.args += [\"/tree\"] | .mounts += [
			{ destination: \"/tree\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/tree\", options: [\"bind\", \"ro\"] }]
		| .process.capabilities |= with_entries(.value += [\"CAP_DAC_OVERRIDE\"])" >"$BATS_TEST_TMPDIR/inside"
	cmp "$BATS_TEST_TMPDIR/outside" "$BATS_TEST_TMPDIR/inside"
	run -0 in_container "cp -a /tree/. /copy" ".vm = {} | .mounts += [
			{ destination: \"/tree\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/tree\", options: [\"bind\", \"ro\"] },
			{ destination: \"/copy\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/copy\", options: [\"bind\"] }]
		| .process.capabilities |= with_entries(.value += [\"CAP_DAC_OVERRIDE\", \"CAP_CHOWN\", \"CAP_FOWNER\", \"CAP_FSETID\", \"CAP_DAC_READ_SEARCH\"])"
	busybox sh -c "$LISTING" "$BATS_TEST_TMPDIR/copy" >"$BATS_TEST_TMPDIR/copied"
	cmp "$BATS_TEST_TMPDIR/outside" "$BATS_TEST_TMPDIR/copied"
}

# bats test_tags=lab, vm, full
@test "vm.dax: large files are the host's page cache in place, on both sides at once, for a copy of a template too" {
	vm_setup
	mkdir vol
	head -c 24M /dev/urandom >vol/large
	cp "$(command -v busybox)" vol/busybox
	echo small >vol/small
	payload 'before=$(awk "/^Cached:/ { print \$2 }" /proc/meminfo); cat /vol/large >/dev/null; after=$(awk "/^Cached:/ { print \$2 }" /proc/meminfo)
		[ $((after - before)) -gt 20000 ]' ".mounts += [{ destination: \"/vol\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\"] }] | .vm = {}"
	LIMIT=150 run -0 nacelle run -b "$BUNDLE" "$ID"
	payload 'cached() { awk "/^Cached:/ { print \$2 }" /proc/meminfo; }
		before=$(cached); sha256sum </vol/large; after=$(cached); echo $((after - before)); cat /vol/small
		/vol/busybox echo runs; read line; dd if=/vol/large bs=6 count=1 2>/dev/null; echo
		echo inside | dd of=/vol/large bs=1 seek=4096 conv=notrunc 2>/dev/null; sync; read line; exit 7' \
		".mounts += [{ destination: \"/vol\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\"] }] | .vm = { dax: 268435456 }"
	for n in 1 2; do
		sum=$(sha256sum <vol/large)
		mkfifo "in-$n"
		LIMIT=150 nacelle run -i -b "$BUNDLE" "$ID" <"in-$n" >"out-$n" &
		job=$!
		exec {hold}>"in-$n"
		until_true 100 grep -q runs "out-$n"
		[ "$(sed -n 1p "out-$n")" = "$sum" ]
		# nothing of it was copied, as without the window
		[ "$(sed -n 2p "out-$n")" -lt 4000 ]
		grep -q 'vol/large\|/large$' "/proc/$(pgrep -P "$(init_pid)")/maps"
		# the host writes, the guest sees it; and the other way round
		printf 'host-%s' "$n" | dd of=vol/large conv=notrunc status=none
		echo >&"$hold"
		until_true 30 grep -q "host-$n" "out-$n"
		until_true 30 sh -c 'dd if=vol/large bs=1 skip=4096 count=6 status=none | grep -q inside'
		echo >&"$hold"
		status=0; wait "$job" || status=$?; [ "$status" = 7 ]
		exec {hold}>&-
	done
	for wrong in '{ dax: -1 }' '{ dax: 68719476736, hwConfig: { memory: 268435456 } }'; do
		payload true ".vm = $wrong"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has vm.dax
		one_line
	done
	cp /bin/true qemu-system-x86_64
	payload true ".vm = { dax: 2097152, hypervisor: { path: \"$PWD/qemu-system-x86_64\" } }"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "vm.dax: not with vm.hypervisor.path"
}
