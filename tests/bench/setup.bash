# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the benches of containers have in common: a private mount namespace, a rootfs, a bundle like everyone's. Sourced by a program
# that has set `here` and B; it comes back inside of the namespace, as root, with $work (a tmpfs), $rootfs, $installed and bundle().

die() { echo "${0##*/}: $*" >&2; exit 125; }

[[ $EUID -eq 0 ]] || die "needs root: the floor makes namespaces and device nodes"
[[ -x $B/bench/floor && -x $B/bench/alternate ]] || die "'$B/bench' has no floor or no alternate: run 'make bench'"
busybox=$(command -v busybox) || die "busybox not found: install busybox-static"

# All of it happens in a private mount namespace: work on a tmpfs, cgroup2 where everyone looks for
# it, and nothing of the machine's own mounts changes.
if [[ ${1-} != --inside ]]; then
	exec unshare --mount --propagation private "$0" --inside "$@"
fi
shift

work=$(mktemp -d /tmp/nacelle-bench.XXXXXX)
cleanup() { cd /; umount -l "$work" 2>/dev/null || :; rmdir "$work" || :; }
trap cleanup EXIT
mount -t tmpfs -o mode=755 tmpfs "$work"
if [[ $(stat -f -c %T /sys/fs/cgroup) != cgroup2fs ]]; then
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
# Everyone keeps state under /run. Where that is a disk, as in many build machines, its journal would
# be what is measured.
if [[ $(stat -f -c %T /run) != tmpfs ]]; then
	mount -t tmpfs -o mode=755 tmpfs /run
fi

# As it is installed: a file that was written from its beginning to its end stands in the page cache in larger pieces than one
# that a linker wrote, and starts a twentieth quicker.
installed=$B/bench/installed
mkdir -p "$installed"
install -t "$installed" "$B"/bin/nacelle "$B"/bin/nacelle-keeper

rootfs=$work/rootfs
mkdir -p "$rootfs"/{bin,dev,proc,sys,etc,tmp}
cp "$busybox" "$rootfs/bin/busybox"
for applet in true sh hostname; do
	ln -s busybox "$rootfs/bin/$applet"
done
chroot "$rootfs" /bin/true || die "'$busybox' does not run alone: install busybox-static"

# bundle DIR ARGS RESOURCES - writes what `runc spec` writes on a cgroup2 host, without terminal.
bundle() {
	mkdir -p "$1"
	cat > "$1/config.json" <<-EOF
	{
	  "ociVersion": "1.0.2",
	  "process": {
	    "terminal": false, "user": { "uid": 0, "gid": 0 }, "args": $2, "cwd": "/",
	    "env": [ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm" ],
	    "capabilities": {
	      "bounding": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ],
	      "effective": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ],
	      "permitted": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ]
	    },
	    "rlimits": [ { "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 } ],
	    "noNewPrivileges": true
	  },
	  "root": { "path": "$rootfs", "readonly": true },
	  "hostname": "bench",
	  "mounts": [
	    { "destination": "/proc", "type": "proc", "source": "proc" },
	    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
	      "options": [ "nosuid", "strictatime", "mode=755", "size=65536k" ] },
	    { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
	      "options": [ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" ] },
	    { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
	      "options": [ "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" ] },
	    { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
	      "options": [ "nosuid", "noexec", "nodev" ] },
	    { "destination": "/sys", "type": "sysfs", "source": "sysfs",
	      "options": [ "nosuid", "noexec", "nodev", "ro" ] },
	    { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
	      "options": [ "nosuid", "noexec", "nodev", "relatime", "ro" ] }
	  ],
	  "linux": {
	    "resources": $3,
	    "namespaces": [ { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
	                    { "type": "mount" }, { "type": "cgroup" } ],
	    "maskedPaths": [ "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	                     "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
	                     "/proc/scsi" ],
	    "readonlyPaths": [ "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" ]
	  }
	}
	EOF
}

# devices_judge - sets `resources`: crun raises RLIMIT_MEMLOCK before it loads the device filter, which a root without
# CAP_SYS_RESOURCE may not. Then the spec asks for none. nacelle loads the usual one for any container: crun alone does less.
devices_judge()
{
	resources='{ "devices": [ { "allow": false, "access": "rwm" } ] }'
	bundle "$work/devices" '["/bin/true"]' "$resources"
	if command -v crun > /dev/null && ! crun run -b "$work/devices" bench-devices 2> "$work/why"; then
		echo "crun runs without a device filter, as it cannot load one here: $(< "$work/why")"
		crun delete -f bench-devices 2> /dev/null || :
		resources='{}'
	fi
}
