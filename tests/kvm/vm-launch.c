/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-launch: start nacelle-vmm on a kernel by hand, as tests and measurements need it. Fills the
 * configuration from the command line, hands the descriptors over, waits, and prints what the
 * monitor counted. "vm-launch --help" says how.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/config.h"

static const char usage[] =
	"usage: vm-launch [OPTION]... MONITOR KERNEL\n"
	"  -i FILE  initrd            -m MIB  memory (256)      -c N  vcpus (1)\n"
	"  -a TEXT  command line      -s      serial port to stderr\n"
	"  -b auto|linux|pvh          boot protocol\n"
	"  -d DEV   a device: console rng empty blk:FILE blk-ro:FILE pmem:FILE\n"
	"           vsock:CID:SOCKETPATH tap:NAME balloon fs:WINDOWMIB\n"
	"           share:NAME:DIR share-ro:NAME:DIR; in this order\n"
	"  -t make:FILE|clone:FILE    a template: of the first devices, up to 3\n"
	"  -q       no counts\n";

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0) {
		fprintf(stderr, "vm-launch: open '%s': %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int listener(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)unlink(path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 16) < 0) {
		fprintf(stderr, "vm-launch: listen on '%s': %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int tap_open(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open_or_die("/dev/net/tun", O_RDWR | O_NONBLOCK);

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		fprintf(stderr, "vm-launch: make tap '%s': %s\n", name, strerror(errno));
		exit(2);
	}
	return fd;
}

static void device_add(struct vm_config *config, char *text)
{
	struct vm_device_config *device;
	char *rest, *kind = strtok_r(text, ":", &rest), *a = strtok_r(NULL, ":", &rest),
		    *b = strtok_r(NULL, ":", &rest);

	if (config->device_count == VM_DEVICES_MAX || !kind)
		exit(2);
	device = &config->devices[config->device_count++];
	*device = (struct vm_device_config){ .fd = { -1, -1 } };
	if (strcmp(kind, "console") == 0) {
		device->kind = VM_DEVICE_CONSOLE;
		device->fd[0] = STDIN_FILENO;
		device->fd[1] = STDOUT_FILENO;
	} else if (strcmp(kind, "rng") == 0) {
		device->kind = VM_DEVICE_RNG;
	} else if (strncmp(kind, "blk", 3) == 0 && a) {
		device->kind = VM_DEVICE_BLK;
		device->flags = kind[3] ? VM_DEVICE_READ_ONLY : 0;
		device->fd[0] = open_or_die(a, kind[3] ? O_RDONLY : O_RDWR);
	} else if (strcmp(kind, "pmem") == 0 && a) {
		device->kind = VM_DEVICE_PMEM;
		device->flags = VM_DEVICE_READ_ONLY;
		device->fd[0] = open_or_die(a, O_RDONLY);
	} else if (strcmp(kind, "vsock") == 0 && a && b) {
		device->kind = VM_DEVICE_VSOCK;
		device->cid = strtoul(a, NULL, 10);
		device->fd[0] = listener(b);
	} else if (strcmp(kind, "fs") == 0 && a) {
		device->kind = VM_DEVICE_FS;
		device->window = strtoull(a, NULL, 10) << 20;
		(void)snprintf(device->tag, sizeof(device->tag), "nacelle");
	} else if (strncmp(kind, "share", 5) == 0 && a && b &&
		   config->share_count < VM_SHARES_MAX) {
		struct vm_share_config *share = &config->shares[config->share_count++];

		config->device_count--;
		share->flags = kind[5] ? VM_DEVICE_READ_ONLY : 0;
		share->fd = open_or_die(b, O_PATH);
		(void)snprintf(share->name, sizeof(share->name), "%s", a);
	} else if (strcmp(kind, "balloon") == 0) {
		device->kind = VM_DEVICE_BALLOON;
	} else if (strcmp(kind, "tap") == 0 && a) {
		static const uint8_t mac[6] = { 0x02, 0x6e, 0x63, 0x00, 0x00, 0x01 };

		device->kind = VM_DEVICE_NET;
		device->fd[0] = tap_open(a);
		memcpy(device->mac, mac, sizeof(mac));
	} else if (strcmp(kind, "empty") != 0) {
		fprintf(stderr, "vm-launch: unknown device '%s'\n", kind);
		exit(2);
	}
}

static void template_set(struct vm_config *config, const char *text)
{
	const char *file = strchr(text, ':');

	if (!file) {
		fputs(usage, stderr);
		exit(2);
	}
	config->template_use = text[0] == 'm' ? VM_TEMPLATE_MAKE : VM_TEMPLATE_CLONE;
	config->template_fd = config->template_use == VM_TEMPLATE_MAKE ?
		open(file + 1, O_RDWR | O_CREAT | O_TRUNC, 0600) : open_or_die(file + 1, O_RDONLY);
}

static void counts_print(const struct vm_stats *stats, double seconds, long maxrss)
{
	static const char *const names[VM_EXIT_KINDS] = {
		[VM_EXIT_IO_IN] = "io-in",
		[VM_EXIT_IO_OUT] = "io-out",
		[VM_EXIT_MMIO_READ] = "mmio-read",
		[VM_EXIT_MMIO_WRITE] = "mmio-write",
		[VM_EXIT_HLT] = "hlt",
		[VM_EXIT_INTERRUPTED] = "interrupted",
		[VM_EXIT_END] = "end",
		[VM_EXIT_OTHER] = "other",
	};
	uint64_t sum = 0;

	fprintf(stderr, "vm: %s after %.2f s\nvm: user-space exits:", vm_end_text(stats->end),
		seconds);
	for (int i = 0; i < VM_EXIT_KINDS; i++) {
		sum += stats->exits[i];
		fprintf(stderr, " %s %llu", names[i], (unsigned long long)stats->exits[i]);
	}
	fprintf(stderr, " sum %llu\n", (unsigned long long)sum);
	fprintf(stderr,
		"vm: kvm exits %llu, second-level faults %llu; unclaimed %llu refused %llu broken %llu; "
		"peak rss %ld KiB\n",
		(unsigned long long)stats->kvm.exits, (unsigned long long)stats->kvm.faults,
		(unsigned long long)stats->unclaimed, (unsigned long long)stats->refused,
		(unsigned long long)stats->broken, maxrss);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void monitor_exec(struct vm_config *config, const char *monitor)
{
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	config->proc_fd = open_or_die("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	fd = vm_config_seal(config);

	if (fd < 0) {
		fprintf(stderr, "vm-launch: %s\n", fail_text());
		_exit(2);
	}
	if (dup2(fd, VM_CONFIG_FD) < 0)
		_exit(2);
	(void)close(fd);
	execl(monitor, monitor, (char *)NULL);
	fprintf(stderr, "vm-launch: exec '%s': %s\n", monitor, strerror(errno));
	_exit(2);
}

static void options_read(int argc, char **argv, struct vm_config *config, int *ret_quiet)
{
	int option;

	while ((option = getopt(argc, argv, "i:m:c:a:sb:d:t:qh")) >= 0)
		switch (option) {
		case 'i': config->initrd_fd = open_or_die(optarg, O_RDONLY); break;
		case 'm': config->memory = strtoull(optarg, NULL, 10) << 20; break;
		case 'c': config->vcpus = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'a':
			(void)snprintf(config->cmdline, sizeof(config->cmdline), "%s", optarg);
			break;
		case 's': config->serial_fd = STDERR_FILENO; break;
		case 'b':
			config->boot_kind = optarg[0] == 'l'   ? VM_BOOT_LINUX
					    : optarg[0] == 'p' ? VM_BOOT_PVH
							       : VM_BOOT_AUTO;
			break;
		case 'd': device_add(config, optarg); break;
		case 't': template_set(config, optarg); break;
		case 'q': *ret_quiet = 1; break;
		default: fputs(usage, stderr); exit(2);
		}
}

int main(int argc, char **argv)
{
	struct vm_config config = {
		.magic = VM_CONFIG_MAGIC,
		.version = VM_CONFIG_VERSION,
		.size = sizeof(config),
		.vcpus = 1,
		.memory = 256ULL << 20,
		.initrd_fd = -1,
		.serial_fd = -1,
		.proc_fd = -1,
		.template_fd = -1,
	};
	struct vm_stats *stats;
	struct rusage usage_of;
	int quiet = 0, status, reserved = open_or_die("/dev/null", O_RDONLY);
	double start;
	pid_t pid;

	/* the first number behind the standard ones will be the configuration's */
	if (reserved != VM_CONFIG_FD) {
		fprintf(stderr, "vm-launch: descriptor %d is in use\n", VM_CONFIG_FD);
		return 2;
	}
	options_read(argc, argv, &config, &quiet);
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	config.kvm_fd = open_or_die("/dev/kvm", O_RDWR);
	if (config.template_use != VM_TEMPLATE_NONE)
		config.template_devices = config.device_count < VM_TEMPLATE_DEVICES ? config.device_count : VM_TEMPLATE_DEVICES;
	config.kernel_fd = open_or_die(argv[optind + 1], O_RDONLY);
	config.stats_fd = memfd_create("stats", 0);
	if (ftruncate(config.stats_fd, 4096) < 0)
		return 2;
	stats = mmap(NULL, 4096, PROT_READ, MAP_SHARED, config.stats_fd, 0);
	if (stats == MAP_FAILED)
		return 2;
	start = now();
	pid = fork();
	if (pid == 0)
		monitor_exec(&config, argv[optind]);
	if (pid < 0 || wait4(pid, &status, 0, &usage_of) != pid)
		return 2;
	if (!quiet)
		counts_print(stats, now() - start, usage_of.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
