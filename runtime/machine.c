/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine is made of, as a list. Everything is opened here, by whoever may open it; the cell gets
 * descriptors and an empty folder.
 */
#include "runtime/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/container.h"
#include "runtime/in-vm.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/vm-initramfs.h"
#include "runtime/vm-template.h"

#define MONITOR_NAME "nacelle-vmm"
#define AGENT_NAME   "nacelle-guest"

/* Measured: what the kernel and the agent keep for themselves, and what the monitor does. */
enum {
	FD_FIRST = 16,
	CPUINFO_MAX = 16 << 20,
	DEVICES = 4, /* that each machine has; disks follow */
	MEMORY_DEFAULT = 512 << 20,
	MEMORY_RESERVE = 64 << 20,
	MEMORY_OVERHEAD = 64 << 20,
	MEMORY_OVERHEAD_QEMU = 256 << 20, /* and what it translates without KVM */
};

#define CMDLINE \
	"panic=-1 reboot=t 8250.nr_uarts=0 cryptomgr.notests tsc=reliable no_timer_check nowatchdog " \
	"random.trust_cpu=on swiotlb=noforce pci=off"
#define CMDLINE_QUIET "quiet loglevel=0"
#define CMDLINE_DEBUG "earlyprintk=serial,ttyS0,115200,keep"

int machine_fd(int fd, const char *what)
{
	int above;

	if (fd < 0)
		return fail(errno, "open %s", what);
	above = fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST);
	(void)close(fd);
	return above < 0 ? fail(errno, "open %s", what) : above;
}

/* --- steps ---------------------------------------------------------------------------------------- */

/* Software that says it is KVM runs a toy, and a real kernel for ever. */
static int cpu_check(void)
{
	cleanup_fd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, CPUINFO_MAX, &text, NULL);

	if (r < 0)
		return fail(-r, "read '/proc/cpuinfo'");
	if (strstr(text, " vmx") || strstr(text, " svm"))
		return 0;
	return fail_plain(ENODEV, "vm: this processor has no hardware virtualisation (neither vmx nor svm in /proc/cpuinfo): "
			  "its KVM cannot run a kernel; a QEMU in vm.hypervisor.path can");
}

#define REMEDY ", or a QEMU in vm.hypervisor.path"

static int kvm_try(struct machine *m)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT ?
			fail_plain(ENOENT, "vm: there is no /dev/kvm here: a virtual machine needs KVM" REMEDY) :
			fail(errno, "vm: open '/dev/kvm'");
	m->config.kvm_fd = machine_fd(fd, "/dev/kvm");
	r = m->config.kvm_fd;
	if (r < 0)
		return r;
	if (ioctl(m->config.kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return fail_plain(ENODEV, "vm: '/dev/kvm' is not KVM as we know it: a virtual machine needs that" REMEDY);
	return cpu_check();
}

/* QEMU opens it by itself, when there is any use. */
static int kvm_open(struct machine *m, const struct bundle *bundle)
{
	int r = kvm_try(m);

	(void)bundle;
	if (!m->spec->vm.hypervisor_path)
		return r;
	if (m->config.kvm_fd >= 0)
		(void)close(m->config.kvm_fd);
	m->config.kvm_fd = -1;
	return machine_hypervisor(m, r == 0);
}

static int spec_judge(struct machine *m, const struct bundle *bundle)
{
	(void)bundle;
	if (geteuid() != 0)
		return fail_plain(EPERM, "vm: not supported yet for another user than root");
	return vm_split_check(m->spec);
}

/* Beside us, or where it is installed. @ret_path may be NULL. Return: an fd, or a recorded failure. */
static int program_open(const char *name, char **ret_path)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL), *path = NULL;
	char *slash = self ? strrchr(self, '/') : NULL;
	int fd, r;

	if (!slash)
		return fail(errno, "find our own program");
	slash[1] = '\0';
	r = str_format(&path, "%s%s", self, name);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		free(steal_ptr(&path));
		r = str_format(&path, NACELLE_LIBEXEC "/%s", name);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return fail(errno, "vm: the program '%s'", path);
	if (ret_path)
		*ret_path = steal_ptr(&path);
	return fd;
}

/* Mount points in an empty folder that all cells share, read-only. */
static int cell_make(struct machine *m, const struct bundle *bundle)
{
	cleanup_fd int program = program_open(MONITOR_NAME, &m->monitor), dir = -1, file = -1;
	const char *name;

	(void)bundle;
	if (program < 0)
		return program;
	name = strrchr(m->cell, '/') + 1;
	if (mkdirat(m->cache, name, 0755) < 0 && errno != EEXIST)
		return fail(errno, "make '%s'", m->cell);
	dir = openat(m->cache, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return fail(errno, "open '%s'", m->cell);
	file = openat(dir, MONITOR_NAME, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0755);
	if (file < 0 || (mkdirat(dir, "proc", 0755) < 0 && errno != EEXIST) ||
	    (mkdirat(dir, "dev", 0755) < 0 && errno != EEXIST))
		return fail(errno, "fill '%s'", m->cell);
	return m->config.hypervisor[0] ? machine_hypervisor_points(m, dir) : 0;
}

static int kernel_open(struct machine *m, const struct bundle *bundle)
{
	int r = vm_kernel_open(m->spec->vm.kernel_path, m->cache, &m->kernel);

	(void)bundle;
	if (r < 0)
		return fail_in(r, "vm");
	m->config.kernel_fd = machine_fd(fcntl(m->kernel.fd, F_DUPFD_CLOEXEC, 0), "the kernel");
	if (m->config.kernel_fd < 0)
		return m->config.kernel_fd;
	return m->kernel.release ? 0 : machine_other_kernel(m);
}

static int initramfs_open(struct machine *m, const struct bundle *bundle)
{
	cleanup_fd int agent = -1;
	int fd;

	(void)bundle;
	if (!m->kernel.release)
		return 0;
	agent = program_open(AGENT_NAME, NULL);
	if (agent < 0)
		return agent;
	fd = vm_initramfs_open(&m->kernel, &m->split.modules, m->cache, agent);
	if (fd < 0)
		return fail_in(fd, "vm");
	m->config.initrd_fd = machine_fd(fd, "the guest's first file system");
	return m->config.initrd_fd < 0 ? m->config.initrd_fd : 0;
}

static uint64_t memory_round(int64_t bytes)
{
	return ((uint64_t)bytes + VM_MEMORY_STEP - 1) / VM_MEMORY_STEP * VM_MEMORY_STEP;
}

static int hardware_choose(struct machine *m, const struct bundle *bundle)
{
	const struct cgroup_limits *limits = &m->spec->linux_.resources;
	const struct spec_vm *vm = &m->spec->vm;
	int64_t vcpus = 1, period = limits->cpu_period_us > 0 ? limits->cpu_period_us : 100000;

	(void)bundle;
	if (limits->cpu_quota_us > 0)
		vcpus = (limits->cpu_quota_us + period - 1) / period;
	if (vm->vcpus != SPEC_UNSET)
		vcpus = vm->vcpus;
	m->config.mergeable = vm->ksm;
	m->config.vcpus = (uint32_t)(vcpus > VM_VCPUS_MAX ? VM_VCPUS_MAX : vcpus);
	if (vm->memory != SPEC_UNSET)
		m->config.memory = memory_round(vm->memory);
	else if (limits->memory_max > 0 && (uint64_t)limits->memory_max <= VM_MEMORY_MAX / 2)
		/* A page's own record is a 64th of it. */
		m->config.memory = memory_round(limits->memory_max + limits->memory_max / 32 + MEMORY_RESERVE);
	else
		m->config.memory = MEMORY_DEFAULT;
	for (unsigned int i = 0; i < m->config.device_count; i++)
		if (m->config.devices[i].kind == VM_DEVICE_FS)
			m->config.devices[i].window = memory_round(vm->dax);
	/* So does a page's of an image, or of files, that it reads in place. */
	if (vm->memory == SPEC_UNSET)
		m->config.memory = memory_round((int64_t)(m->config.memory + (m->pmem ? m->image_bytes / 64 : 0)) + vm->dax / 64);
	if ((uint64_t)vm->dax / 64 > m->config.memory / 2)
		return fail_plain(ERANGE, "vm.dax: the records of its pages, a 64th of it, would take more than half of the memory");
	return m->config.memory > VM_MEMORY_MAX ?
		fail_plain(ERANGE, "vm.hwConfig.memory: at most %llu bytes", (unsigned long long)VM_MEMORY_MAX) : 0;
}

static int spec_split(struct machine *m, const struct bundle *bundle)
{
	long long overhead = m->config.hypervisor[0] ? MEMORY_OVERHEAD_QEMU : MEMORY_OVERHEAD;
	const struct vm_cell_parts parts = {
		.root = m->cell,
		.monitor = m->monitor,
		.memory = m->spec->linux_.resources.memory_max > 0 ? (long long)m->config.memory + overhead : 0,
		.pmem = m->pmem,
		.shown = &m->shown,
		.kvm = m->config.hypervisor_kvm,
	};

	return vm_split(m->spec, bundle->folder, IN_VM_SHARES, &parts, &m->split);
}

static int shares_open(struct machine *m, const struct bundle *bundle)
{
	(void)bundle;
	for (size_t i = 0; i < m->split.share_count; i++) {
		const struct vm_split_share *from = &m->split.shares[i];
		struct vm_share_config *to = &m->config.shares[i];
		int fd = open(from->source, O_PATH | O_CLOEXEC);

		if (fd < 0)
			return fail(errno, "open '%s'", from->source);
		to->fd = machine_fd(fd, from->source);
		if (to->fd < 0)
			return to->fd;
		to->flags = from->read_only ? VM_DEVICE_READ_ONLY : 0;
		(void)snprintf(to->name, sizeof(to->name), "%s", from->name);
		m->config.share_count = (uint32_t)i + 1;
	}
	return 0;
}

static int hypervisor_files(struct machine *m, const struct bundle *bundle)
{
	(void)bundle;
	return m->config.hypervisor[0] ? machine_hypervisor_files(m) : 0;
}

int machine_cmdline_add(struct machine *m, const char *word)
{
	size_t used = strlen(m->config.cmdline), size = strlen(word), space = used > 0;

	if (size >= sizeof(m->config.cmdline) - used - space)
		return fail_plain(E2BIG, "the kernel's command line is longer than %zu bytes", sizeof(m->config.cmdline) - 1);
	if (space)
		m->config.cmdline[used] = ' ';
	memcpy(m->config.cmdline + used + space, word, size + 1);
	return 0;
}

/* With --debug the guest's kernel is heard, on our standard error. */
static int cmdline_write(struct machine *m, const struct bundle *bundle)
{
	const struct str_list *more = &m->spec->vm.kernel_parameters;
	int r = 0;

	(void)bundle;
	if (m->kernel.release)
		r = machine_cmdline_add(m, log_is_debug() ? CMDLINE " " CMDLINE_DEBUG : CMDLINE " " CMDLINE_QUIET);
	for (size_t i = 0; r == 0 && i < more->count; i++)
		r = machine_cmdline_add(m, more->items[i]);
	if (r < 0)
		return fail_in(r, "vm.kernel.parameters");
	if (!m->kernel.release)
		return machine_other_cmdline(m);
	if (!log_is_debug())
		return 0;
	m->config.serial_fd = machine_fd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), "standard error");
	return m->config.serial_fd < 0 ? m->config.serial_fd : 0;
}

/* A number that no other machine is likely to have; 3 is the templates'. Nothing depends on it but the guest's view of itself. */
static int number_choose(struct machine *m, const struct bundle *bundle)
{
	uint32_t number;

	(void)bundle;
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return fail(errno, "choose a number for the machine");
	m->config.devices[0].cid = 4 + number % 0x7ffffff0;
	return 0;
}

/*
 * Of our own monitor's machines with our agent in them, since it is the agent that says when. With --debug the guest's kernel
 * shall be heard, which a clone's has said all already.
 */
static int template_use(struct machine *m, const struct bundle *bundle)
{
	(void)bundle;
	if (m->spec->vm.template != SPEC_TEMPLATE_NEVER && !m->config.hypervisor[0] && m->config.attended != VM_ATTENDED_KERNEL &&
	    !log_is_debug())
		vm_template_use(&m->config, m->cache, m->monitor);
	return 0;
}

static int cache_open(struct machine *m, const char *data)
{
	cleanup_free char *path = NULL;
	int r = str_format(&path, "%s/vm", data);

	if (r == 0)
		r = str_format(&m->cell, "%s/vm/cell%s", data, m->spec->vm.hypervisor_path ? "-qemu" : "");
	if (r < 0)
		return r;
	m->cache = state_root_open(path);
	return m->cache < 0 ? m->cache : 0;
}

static int (*const steps[])(struct machine *m, const struct bundle *bundle) = {
	kvm_open, /* the cheapest and likeliest to fail */
	spec_judge,
	cell_make,
	kernel_open,
	machine_images_look,
	hardware_choose,
	spec_split, /* needs to know how much memory it is */
	initramfs_open, /* and this, what is on the disks */
	shares_open,
	machine_disks_open,
	hypervisor_files,
	cmdline_write,
	number_choose,
	template_use, /* when all is known that a template depends on */
};

/* --- as a whole ----------------------------------------------------------------------------------- */

static void machine_init(struct machine *m, const struct spec *spec)
{
	*m = (struct machine){
		.spec = spec,
		.kernel = VM_KERNEL_NONE,
		.cache = -1,
		.sealed = -1,
		.config = {
			.magic = VM_CONFIG_MAGIC,
			.version = VM_CONFIG_VERSION,
			.size = sizeof(m->config),
			.kvm_fd = -1,
			.kernel_fd = -1,
			.initrd_fd = -1,
			.stats_fd = -1,
			.serial_fd = -1,
			.proc_fd = -1,
			.attended = VM_ATTENDED,
			.attend_fd = { -1, -1, -1, -1 },
			.attend_text = -1,
			.template_fd = -1,
			.device_count = DEVICES,
			.devices = {
				{ .kind = VM_DEVICE_VSOCK, .fd = { -1, -1 } },
				{ .kind = VM_DEVICE_RNG, .fd = { -1, -1 } },
				{ .kind = VM_DEVICE_BALLOON, .fd = { -1, -1 } },
				{ .kind = VM_DEVICE_FS, .tag = IN_VM_TAG, .fd = { -1, -1 } },
				/* up to here they are a template's, VM_TEMPLATE_DEVICES; what follows is the container's */
			},
		},
	};
}

/* What has a standard stream's number is not the machine's. */
static void fd_done(int fd)
{
	if (fd > VM_CONFIG_FD)
		(void)close(fd);
}

static void machine_done(struct machine *m)
{
	const struct vm_config *c = &m->config;
	const int fds[] = {
		c->kvm_fd, c->kernel_fd, c->initrd_fd, c->serial_fd, c->stats_fd, c->attend_text, c->template_fd,
		m->cache, m->sealed,
	};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_done(fds[i]);
	for (size_t i = 0; i < VM_ATTEND_FDS; i++)
		fd_done(c->attend_fd[i]);
	for (size_t i = 0; i < c->share_count; i++)
		fd_done(c->shares[i].fd);
	for (size_t i = 0; i < c->device_count; i++)
		fd_done(c->devices[i].fd[0]);
	vm_kernel_done(&m->kernel);
	vm_split_done(&m->split);
	free(m->monitor);
	free(m->cell);
	str_list_done(&m->shown);
}

static int options_check(const struct container_options *options)
{
	if (options->preserve_fds || options->activation.listen_fds)
		return fail_plain(ENOTSUP, "open descriptors cannot be handed on into a virtual machine (--preserve-fds, "
				  "LISTEN_FDS)");
	return 0;
}

int machine_create(const struct container_place *place, const struct bundle *bundle,
		   const struct container_options *options, struct container_child *ret_child)
{
	struct machine m;
	struct bundle cell = *bundle;
	struct container_options inside = *options;
	int r = options_check(options);

	machine_init(&m, bundle->spec);
	m.config.terminal = bundle->spec->process.terminal;
	if (r == 0)
		r = cache_open(&m, place->data);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&m, bundle);
	if (r == 0) {
		cell.spec = m.split.outer;
		inside.machine = &m;
		r = container_create(place, &cell, &inside, ret_child);
	}
	machine_done(&m);
	return r;
}
