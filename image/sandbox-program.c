/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walls around a program of somebody else's, which executes and loads libraries: what it may call cannot be listed, so
 * what it may not is; what it may read and write is given by Landlock, and by the one capability that is left to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "image/landlock.h"
#include "image/sandbox.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE)

/* Where programs and their libraries are. */
static const char *const program_places[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/null", "/nix", "/gnu",
};

static const int calls_denied[] = {
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(mount_setattr), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(io_uring_setup), SCMP_SYS(userfaultfd), SCMP_SYS(open_by_handle_at), SCMP_SYS(kexec_load),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(mknod), SCMP_SYS(mknodat),
};

/* Of what is no folder a rule may have no right to folders in it. */
static int place_allow(int rules, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(errno, "Landlock");
	return landlock_allow(rules, fd, S_ISDIR(st.st_mode) ? RIGHTS_READ : RIGHTS_READ & RIGHTS_FILE);
}

static int landlock_enter(int read_dir, int write_file)
{
	cleanup_fd int rules = -1;
	int r = landlock_open(&rules);

	if (r != 0)
		return r < 0 ? r : 0;
	r = landlock_allow(rules, read_dir, RIGHTS_READ);
	if (r >= 0)
		r = landlock_allow(rules, write_file, RIGHTS_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(program_places) && r >= 0; i++) {
		cleanup_fd int fd = open(program_places[i], O_PATH | O_CLOEXEC);

		if (fd >= 0)
			r = place_allow(rules, fd);
	}
	return r < 0 ? r : landlock_restrict(rules);
}

/* To read files of all owners; execve(2) gives no more back, since no_new_privs holds. */
static int caps_leave_reading(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], want[2] = { 0 };
	const unsigned int word = CAP_TO_INDEX(CAP_DAC_READ_SEARCH), bit = CAP_TO_MASK(CAP_DAC_READ_SEARCH);

	if (syscall(SYS_capget, &head, now) < 0)
		return fail(errno, "capabilities");
	want[word].permitted = want[word].effective = now[word].permitted & bit;
	if (syscall(SYS_capset, &head, want) < 0)
		return fail(errno, "drop capabilities");
	return 0;
}

static int filter_load(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(calls_denied) && r >= 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls_denied[i], 0);
	if (r >= 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? fail(-r, "load the system call filter") : 0;
}

int sandbox_program_enter(int read_dir, int write_file)
{
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = fail(errno, "no new privileges");
	if (r >= 0)
		r = landlock_enter(read_dir, write_file);
	if (r >= 0)
		r = caps_leave_reading();
	return r < 0 ? r : filter_load();
}
