/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of folders by project quotas. Source: quotactl(2), linux/fs.h, linux/dqblk_xfs.h. */
#include "runtime/quota.h"

#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"

enum { BLOCK = 1024 };

/* Not a number that an administrator would give. */
#define PROJECT_OURS UINT32_C(0x80000000)

static long quota_call(int fd, int command, uint32_t id, void *data)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data);
}

static bool is_enforced(int fd)
{
	struct fs_quota_statv state = { .qs_version = FS_QSTATV_VERSION1 };

	return quota_call(fd, Q_XGETQSTATV, 0, &state) == 0 && (state.qs_flags & FS_QUOTA_PDQ_ENFD);
}

static int limit_write(int fd, uint32_t project, int64_t bytes)
{
	struct if_dqblk limit = {
		.dqb_bhardlimit = ((uint64_t)bytes + BLOCK - 1) / BLOCK,
		.dqb_valid = QIF_BLIMITS,
	};

	return quota_call(fd, Q_SETQUOTA, project, &limit) < 0 ? fail(errno, "set a project quota") : 0;
}

int quota_set(int folder, int64_t bytes)
{
	struct fsxattr x;
	struct stat st;
	uint32_t project;
	int r;

	if (!is_enforced(folder))
		return QUOTA_NONE;
	if (ioctl(folder, FS_IOC_FSGETXATTR, &x) < 0 || fstat(folder, &st) < 0)
		return fail(errno, "look at the folder's project");
	project = (uint32_t)st.st_ino | PROJECT_OURS;
	/* The limit first: what is written under the new number is limited from the start. */
	r = limit_write(folder, project, bytes);
	if (r < 0)
		return r;
	x.fsx_projid = project;
	x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(folder, FS_IOC_FSSETXATTR, &x) < 0 ? fail(errno, "set the folder's project") : 0;
}

void quota_drop(int folder)
{
	struct fsxattr x;

	if (ioctl(folder, FS_IOC_FSGETXATTR, &x) == 0 && (x.fsx_projid & PROJECT_OURS))
		(void)limit_write(folder, x.fsx_projid, 0);
}
