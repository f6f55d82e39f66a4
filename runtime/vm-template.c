/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file is sealed last, with its key and a time of change that is set, too: whatever is written to it later changes
 * that, and it is not used any more. So is one that somebody else owns or may write. (What a disk loses by itself is
 * not noticed in the memory, as little as in a kernel or a program; the processors' state has a sum.)
 */
#include "runtime/vm-template.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/kvm/template.h"
#include "runtime/machine.h"
#include "runtime/vm-template-make.h"

#define PREFIX	   "template-"
#define NONE	   "untemplated-"
#define LOCK	   "template.lock"
#define FRESH	   ".template.new"
#define SEAL_MAGIC 0x6c616573746e6376ULL

enum { LOCK_PAUSE_NS = 20000000, CPUID_ENTRIES = 256, KEY_MAX = TEMPLATE_SEAL - 64 };

/* What stands at the beginning of a file. @changed: seconds since the epoch */
struct seal {
	uint64_t magic;
	int64_t changed;
	uint32_t key_size, reserved;
	char key[KEY_MAX];
};

_Static_assert(sizeof(struct seal) <= TEMPLATE_SEAL, "a seal has its room");

struct about {
	struct vm_config *config;
	const char *monitor;
	int cache;
	char *key, *name, *none;
};

/* --- what it is of -------------------------------------------------------------------------------- */

static int identity(int fd, const char *what, char **ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at the %s", what);
	return str_format(ret, "%s %llx %llx %llx %llx.%lx %llx.%lx", what, (unsigned long long)st.st_dev,
			  (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
			  (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec,
			  (unsigned long long)st.st_ctim.tv_sec, (unsigned long)st.st_ctim.tv_nsec);
}

/* All that a guest may learn of the processor from KVM. */
static int processor(int kvm, uint64_t *ret_hash)
{
	cleanup_free struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return fail(ENOMEM, "read the processor's features");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		return fail(errno, "KVM_GET_SUPPORTED_CPUID");
	*ret_hash = STR_HASH_START;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		/* these tell on which processor the question was put */
		if (e->function == 1)
			e->ebx &= 0x00ffffff;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = 0;
		else if (e->function == 0x8000001e)
			e->eax = e->ebx = e->ecx = 0;
		*ret_hash = str_hash(*ret_hash, e, sizeof(*e));
	}
	return 0;
}

static int key_make(struct about *about, int monitor)
{
	const struct vm_config *c = about->config;
	cleanup_free char *kernel = NULL, *initrd = NULL, *program = NULL;
	struct utsname host;
	uint64_t cpu = 0, window = 0, hash;
	int r = identity(c->kernel_fd, "kernel", &kernel);

	if (r == 0)
		r = identity(c->initrd_fd, "initrd", &initrd);
	if (r == 0)
		r = identity(monitor, "monitor", &program);
	if (r == 0)
		r = uname(&host) < 0 ? fail(errno, "ask for the kernel's release") : processor(c->kvm_fd, &cpu);
	for (unsigned int i = 0; i < VM_TEMPLATE_DEVICES; i++)
		window += c->devices[i].window;
	if (r == 0)
		r = str_format(&about->key, "%s\n%s\n%s\nhost %s %s\nprocessor %016llx\nvcpus %u\nmemory %llu\nwindow %llu\n%s\n", kernel, initrd,
			       program, host.release, host.version, (unsigned long long)cpu, c->vcpus,
			       (unsigned long long)c->memory, (unsigned long long)window, c->cmdline);
	if (r < 0)
		return r;
	if (strlen(about->key) > KEY_MAX)
		return fail_plain(E2BIG, "its description is too long");
	hash = str_hash(STR_HASH_START, about->key, strlen(about->key));
	r = str_format(&about->name, PREFIX "%016llx", (unsigned long long)hash);
	return r < 0 ? r : str_format(&about->none, NONE "%016llx", (unsigned long long)hash);
}

/* --- one that is there ---------------------------------------------------------------------------- */

static int judge(const struct about *about, int fd)
{
	cleanup_free struct seal *seal = malloc(sizeof(*seal));
	size_t size = strlen(about->key);
	struct stat st;

	if (!seal)
		return fail(ENOMEM, "read the template");
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at it");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077 || st.st_nlink != 1)
		return fail_plain(EPERM, "it is not a file that is ours alone");
	if (pread(fd, seal, sizeof(*seal), 0) != (ssize_t)sizeof(*seal) || seal->magic != SEAL_MAGIC)
		return fail_plain(EINVAL, "it is no template");
	if (seal->key_size != size || memcmp(seal->key, about->key, size) != 0)
		return fail_plain(EINVAL, "it is of another machine");
	if (seal->changed != st.st_mtim.tv_sec || st.st_mtim.tv_nsec != 0 ||
	    (uint64_t)st.st_size != TEMPLATE_RAM + about->config->memory)
		return fail_plain(EINVAL, "it was changed since it was made");
	return 0;
}

/* Return: 1 and it is taken, 0: there is none, or a recorded failure. */
static int take(struct about *about)
{
	const struct timespec used[] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	int fd = openat(about->cache, about->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), r;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(errno, "open it");
	fd = machine_fd(fd, "it");
	if (fd < 0)
		return fd;
	r = judge(about, fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)futimens(fd, used);
	about->config->template_fd = fd;
	about->config->template_use = VM_TEMPLATE_CLONE;
	about->config->template_devices = VM_TEMPLATE_DEVICES;
	return 1;
}

/* --- and one that is not -------------------------------------------------------------------------- */

static int seal_write(const struct about *about, int fd)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
	cleanup_free struct seal *seal = calloc(1, sizeof(*seal));
	int r;

	if (!seal || clock_gettime(CLOCK_REALTIME, &times[1]) < 0)
		return fail(ENOMEM, "seal it");
	times[1].tv_nsec = 0;
	*seal = (struct seal){
		.magic = SEAL_MAGIC, .changed = times[1].tv_sec, .key_size = (uint32_t)strlen(about->key),
	};
	memcpy(seal->key, about->key, seal->key_size);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "seal it");
	r = fd_write_all(fd, seal, sizeof(*seal));
	if (r < 0)
		return fail(-r, "seal it");
	/* Before its name is there, as after a loss of power there may be the name and not all of the rest. */
	return fsync(fd) < 0 || futimens(fd, times) < 0 || fsync(fd) < 0 ? fail(errno, "seal it") : 0;
}

static int make(const struct about *about)
{
	cleanup_fd int fd = -1;
	int r;

	(void)unlinkat(about->cache, FRESH, 0);
	fd = openat(about->cache, FRESH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(errno, "make '" FRESH "'");
	r = vm_template_make(about->config, fd, about->cache, about->monitor);
	if (r == 0)
		r = seal_write(about, fd);
	if (r == 0 && renameat(about->cache, FRESH, about->cache, about->name) < 0)
		r = fail(errno, "name it '%s'", about->name);
	if (r < 0)
		(void)unlinkat(about->cache, FRESH, 0);
	return r;
}

/* Forget the one that was not used for longest, if there are too many. Machines that have it go on with it. */
static bool prune_one(int cache)
{
	cleanup_dir DIR *list = NULL;
	cleanup_free char *oldest = NULL;
	struct timespec since = { .tv_sec = 0 };
	struct dirent *entry;
	unsigned int count = 0;
	int again = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	list = again < 0 ? NULL : fdopendir(again);
	while (list && (entry = readdir(list))) {
		struct stat st;

		if (!str_starts(entry->d_name, PREFIX) || fstatat(cache, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count++;
		if (oldest && (st.st_atim.tv_sec > since.tv_sec ||
			       (st.st_atim.tv_sec == since.tv_sec && st.st_atim.tv_nsec >= since.tv_nsec)))
			continue;
		since = st.st_atim;
		free(steal_ptr(&oldest));
		if (str_copy(&oldest, entry->d_name) < 0)
			return false;
	}
	return count > VM_TEMPLATES_KEPT && unlinkat(cache, oldest, 0) == 0;
}

static bool is_known_not_to_be(const struct about *about)
{
	return faccessat(about->cache, about->none, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Others may make theirs for minutes. */
static int lock_await(int lock)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };

	while (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(errno, "lock '" LOCK "'");
		if (vm_template_is_called())
			return fail_plain(EINTR, "interrupted");
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int make_or_wait(struct about *about)
{
	cleanup_fd int lock = openat(about->cache, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = lock < 0 ? fail(errno, "open '" LOCK "'") : lock_await(lock);

	if (r < 0)
		return r;
	r = take(about); /* somebody made it meanwhile */
	if (r != 0 || is_known_not_to_be(about))
		return r;
	r = make(about);
	if (r == VM_TEMPLATE_NEVER) {
		cleanup_fd int none = openat(about->cache, about->none, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (none < 0)
			return fail(errno, "make '%s'", about->none);
		return fail_plain(ENOTSUP, "its kernel or agent does not come to the point where it could be taken");
	}
	while (r == 0 && prune_one(about->cache))
		;
	return r < 0 ? r : take(about);
}

void vm_template_use(struct vm_config *config, int cache, const char *monitor)
{
	cleanup_fd int program = open(monitor, O_RDONLY | O_CLOEXEC);
	struct about about = { .config = config, .cache = cache, .monitor = monitor };
	int r = program < 0 ? fail(errno, "open '%s'", monitor) : key_make(&about, program);

	if (r == 0)
		r = take(&about);
	if (r < 0 && about.name)
		(void)unlinkat(cache, about.name, 0); /* the next start makes a new one */
	if (r == 0 && !is_known_not_to_be(&about))
		r = make_or_wait(&about);
	if (r < 0)
		log_warn("vm: template '%s': %s; booting instead", about.name ? about.name : "", fail_text());
	free(steal_ptr(&about.key));
	free(steal_ptr(&about.name));
	free(steal_ptr(&about.none));
}
