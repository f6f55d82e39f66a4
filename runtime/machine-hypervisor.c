/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine whose monitor is QEMU: what of it can be judged and opened before there is a cell, and what of the
 * host's files the cell shows so that it can run at all: its program is linked to a hundred libraries and reads its own
 * firmware, where ours needs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/machine.h"
#include "runtime/spec.h"

#define KNOWN "qemu-system-x86_64"

/* Where a distribution's programs look for libraries, beside their own folder. Those that are links are made again. */
static const char *const places[] = { "/usr", "/lib", "/lib64", "/etc/ld.so.cache" };

/* --- the program ----------------------------------------------------------------------------------- */

static int parameters_take(struct machine *m)
{
	const struct str_list *from = &m->spec->vm.hypervisor_parameters;
	char *to = m->config.hypervisor_parameters, *end = to + sizeof(m->config.hypervisor_parameters);

	for (size_t i = 0; i < from->count; i++) {
		size_t size = strlen(from->items[i]) + 1;

		if (size > (size_t)(end - to))
			return fail_plain(E2BIG, "vm.hypervisor.parameters: are too long");
		memcpy(to, from->items[i], size);
		to += size;
	}
	m->config.hypervisor_parameter_count = (uint32_t)from->count;
	return 0;
}

/* A program elsewhere has its files beside it: PREFIX/bin/PROGRAM and PREFIX/share, else its own folder. */
static int folder_of(const char *program, char **ret_folder)
{
	const char *slash = strrchr(program, '/');
	size_t size = (size_t)(slash - program);

	if (size > 4 && strncmp(program + size - 4, "/bin", 4) == 0)
		size -= 4;
	if (size == 0)
		return fail_plain(EINVAL, "vm.hypervisor.path: '%s': a program in the root folder", program);
	return str_format(ret_folder, "%.*s", (int)size, program);
}

static int shown_choose(struct machine *m, const char *program)
{
	cleanup_free char *folder = NULL;
	struct stat st;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++)
		if (lstat(places[i], &st) == 0 && !S_ISLNK(st.st_mode))
			r = str_list_add(&m->shown, places[i]);
	if (r < 0 || str_starts(program, "/usr/"))
		return r;
	r = folder_of(program, &folder);
	return r < 0 ? r : str_list_add(&m->shown, folder);
}

/* It is opened by QEMU, which is nobody with that device's group. */
static int kvm_judge(void)
{
	struct stat st;

	if (stat("/dev/kvm", &st) < 0)
		return fail(errno, "look at '/dev/kvm'");
	if ((st.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP) || (st.st_mode & (S_IROTH | S_IWOTH)) == (S_IROTH | S_IWOTH))
		return 0;
	return fail_plain(EACCES, "vm.hypervisor: '/dev/kvm' is for root alone (mode %04o), and QEMU is not run as root: give it a group "
			  "that may read and write, as udev does", st.st_mode & 07777);
}

int machine_hypervisor(struct machine *m, bool kvm)
{
	const char *path = m->spec->vm.hypervisor_path;
	cleanup_free char *program = realpath(path, NULL);
	struct stat st;
	int r;

	if (!program || stat(program, &st) < 0)
		return fail(errno, "vm.hypervisor.path: '%s'", path);
	if (!S_ISREG(st.st_mode) || access(program, X_OK) < 0)
		return fail_plain(EACCES, "vm.hypervisor.path: '%s' is no program", path);
	if (!str_starts(strrchr(program, '/') + 1, KNOWN))
		return fail_plain(ENOTSUP, "vm.hypervisor.path: '%s' is no QEMU for this processor: its name has to begin with '"
				  KNOWN "'", path);
	if (strlen(program) >= sizeof(m->config.hypervisor))
		return fail_plain(ENAMETOOLONG, "vm.hypervisor.path: '%s' is too long", program);
	memcpy(m->config.hypervisor, program, strlen(program) + 1);
	m->config.hypervisor_kvm = kvm;
	if (!kvm)
		log_debug("vm: no KVM that runs a kernel: QEMU emulates the processor");
	if (m->spec->vm.template == SPEC_TEMPLATE_WANTED)
		return fail_plain(ENOTSUP, "vm.template: not with vm.hypervisor.path: a machine of QEMU's always boots");
	if (m->spec->vm.dax)
		return fail_plain(ENOTSUP, "vm.dax: not with vm.hypervisor.path: QEMU's device of files has no such window");
	if (m->spec->vm.ksm)
		return fail_plain(ENOTSUP, "vm.ksm: not with vm.hypervisor.path: QEMU's memory is shared with our devices, and the host's "
				  "kernel merges none that is shared");
	r = kvm ? kvm_judge() : 0;
	if (r == 0)
		r = parameters_take(m);
	return r < 0 ? r : shown_choose(m, program);
}

/* --- its cell -------------------------------------------------------------------------------------- */

/* All folders of @path below @dir, and the last of it: a folder, or an empty file. */
static int point_make(int dir, const char *path, bool file)
{
	cleanup_free char *text = strdup(path);
	int fd;

	if (!text)
		return fail(ENOMEM, "make '%s'", path);
	for (char *slash = strchr(text + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(dir, text + 1, 0755) < 0 && errno != EEXIST)
			return fail(errno, "make '%s' in the cell", text);
		*slash = '/';
	}
	if (!file)
		return mkdirat(dir, text + 1, 0755) < 0 && errno != EEXIST ? fail(errno, "make '%s' in the cell", text) : 0;
	fd = openat(dir, text + 1, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fail(errno, "make '%s' in the cell", text);
	(void)close(fd);
	return 0;
}

int machine_hypervisor_points(const struct machine *m, int cell)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
		char target[64];
		ssize_t n = readlink(places[i], target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (symlinkat(target, cell, places[i] + 1) < 0 && errno != EEXIST)
			r = fail(errno, "make '%s' in the cell", places[i]);
	}
	for (size_t i = 0; r == 0 && i < m->shown.count; i++) {
		struct stat st;

		if (stat(m->shown.items[i], &st) < 0)
			return fail(errno, "look at '%s'", m->shown.items[i]);
		r = point_make(cell, m->shown.items[i], !S_ISDIR(st.st_mode));
	}
	return r;
}

/* --- its files ------------------------------------------------------------------------------------- */

/* It opens them again by their numbers, as nobody. */
static int readable(int *fd, const char *what)
{
	struct stat st;
	off_t done = 0;
	int copy;

	if (fstat(*fd, &st) < 0)
		return fail(errno, "look at %s", what);
	if (st.st_mode & S_IROTH)
		return 0;
	copy = machine_fd(memfd_create("for-qemu", MFD_CLOEXEC), what);
	while (copy >= 0 && done < st.st_size) {
		if (sendfile(copy, *fd, &done, (size_t)(st.st_size - done)) > 0)
			continue;
		(void)close(copy);
		return fail(errno, "copy %s", what);
	}
	if (copy < 0)
		return copy;
	(void)close(*fd);
	*fd = copy;
	return 0;
}

int machine_hypervisor_files(struct machine *m)
{
	int r = readable(&m->config.kernel_fd, "the kernel");

	return r < 0 ? r : readable(&m->config.initrd_fd, "the guest's first file system");
}
