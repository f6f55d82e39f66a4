/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child with namespaces of its own stacks the layers with overlayfs, as a container would see them, shuts itself in and
 * becomes mkfs.erofs(1): names and files that a layer brought are all that program gets to see. What it writes is taken for
 * nothing but bytes, which the kernel will judge when it mounts them. It lands in the stage first, like all that comes into
 * a store. Times and the random identity of the file system are taken out, so that the same layers make the same bytes.
 */
#include "image/erofs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/internal.h"
#include "image/sandbox.h"
#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

enum { SUPER_AT = 1024, PAD = 2 << 20, NOT_THERE = 127, PAGE = 4096, SAID_MAX = 512 };

/* What the child needs. */
struct work {
	const struct store *store;
	const struct image *image;
	const struct stage *stage;
	int file, said;			/* the file system to be, what the program says */
	const struct unpack_limits *limits;
	char *merged, *place;		/* absolute paths */
};

/* Without privileges: root of a user namespace that has nobody but us. */
static int user_enter(uid_t uid, gid_t gid)
{
	char map[64];
	int r;

	if (unshare(CLONE_NEWUSER) < 0)
		return fail(errno, "new user namespace");
	(void)fd_write_file(AT_FDCWD, "/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	r = fd_write_file(AT_FDCWD, "/proc/self/uid_map", map);
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	return r < 0 ? r : fd_write_file(AT_FDCWD, "/proc/self/gid_map", map);
}

/* Each layer as fsconfig(2) has it since Linux 6.5, top-most first. Return: 0, 1: the kernel is older, or a recorded failure. */
static int layers_set(const struct work *w, int fs)
{
	for (size_t i = w->image->layer_count; i > (size_t)w->image->base; i--) {
		cleanup_free char *path = NULL;
		int r = str_format(&path, "%s/layers/%s/diff", w->store->path, w->image->layers[i - 1].chain);

		if (r < 0)
			return r;
		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0) == 0)
			continue;
		if (errno == EINVAL && i == w->image->layer_count)
			return 1;
		return fail(errno, "stack the layers");
	}
	if (w->store->user_xattr && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return fail(errno, "stack the layers");
	return 0;
}

/* In one page of mount(2), by paths that count from layers/: a whole digest for each is all that makes them long. */
static int layers_mount_old(const struct work *w)
{
	cleanup_free char *layers = NULL, *data = NULL;
	int r = str_format(&layers, "%s/layers", w->store->path);

	if (r >= 0 && chdir(layers) < 0)
		r = fail(errno, "enter '%s'", layers);
	for (size_t i = w->image->layer_count; r >= 0 && i > (size_t)w->image->base; i--) {
		char *was = steal_ptr(&data);

		r = str_format(&data, "%s%s%s/diff", was ? was : "lowerdir=", was ? ":" : "", w->image->layers[i - 1].chain);
		free(was);
	}
	if (r < 0)
		return r;
	if (strlen(data) + sizeof(",userxattr") > PAGE)
		return fail_plain(E2BIG, "%zu layers are too many for this kernel (Linux 6.5 takes more)", w->image->layer_count);
	if (w->store->user_xattr) {
		char *was = steal_ptr(&data);

		r = str_format(&data, "%s,userxattr", was);
		free(was);
		if (r < 0)
			return r;
	}
	if (mount("overlay", w->merged, "overlay", MS_RDONLY, data) < 0)
		return fail(errno, "stack the layers");
	return 0;
}

static int layers_mount(const struct work *w)
{
	cleanup_fd int fs = -1, mount_fd = -1;
	cleanup_free char *only = NULL;
	int r;

	/* A single one is no overlay: the kernel wants two. */
	if (w->image->layer_count - (size_t)w->image->base == 1) {
		r = str_format(&only, "%s/layers/%s/diff", w->store->path, w->image->layers[w->image->base].chain);
		if (r >= 0 && mount(only, w->merged, NULL, MS_BIND, NULL) < 0)
			r = fail(errno, "mount the layer");
		return r;
	}
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return fail(errno, "open file system 'overlay'");
	r = layers_set(w, fs);
	if (r != 0)
		return r < 0 ? r : layers_mount_old(w);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == EINVAL ? layers_mount_old(w) : fail(errno, "stack the layers");
	mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mount_fd < 0 || move_mount(mount_fd, "", AT_FDCWD, w->merged, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(errno, "stack the layers");
	return 0;
}

static int namespaces_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = uid == 0 ? 0 : user_enter(uid, gid);

	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return fail(errno, "new namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail(errno, "make our mounts private");
	return 0;
}

static int limits_set(const struct work *w)
{
	const struct rlimit size = { (rlim_t)w->limits->bytes, (rlim_t)w->limits->bytes },
			    cpu = { (rlim_t)w->limits->seconds, (rlim_t)w->limits->seconds }, core = { 0, 0 };

	if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
		return fail(errno, "set limits");
	return 0;
}

static void program_become(const struct work *w)
{
	static const char *const places[] = { "/usr/sbin/mkfs.erofs", "/usr/bin/mkfs.erofs", "/sbin/mkfs.erofs",
					      "/usr/local/sbin/mkfs.erofs", "/usr/local/bin/mkfs.erofs" };
	const char *chain = w->image->layers[w->image->layer_count - 1].chain;
	const char *const environment[] = { "PATH=/usr/sbin:/usr/bin", "LC_ALL=C", NULL };
	char uuid[40];
	const char *const args[] = { "mkfs.erofs", "--quiet", "--preserve-mtime", "-U", uuid,
				     "-Enoinline_data,force-inode-extended", w->place, w->merged, NULL };

	(void)snprintf(uuid, sizeof(uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", chain, chain + 8, chain + 12, chain + 16, chain + 20);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		(void)execve(places[i], (char *const *)(uintptr_t)args, (char *const *)(uintptr_t)environment);
}

static _Noreturn void child_run(const struct work *w, pid_t parent)
{
	cleanup_fd int merged = -1;
	int null, r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)umask(077);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	r = null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(w->said, 2) < 0 ? fail(errno, "open '/dev/null'") : 0;
	if (r >= 0)
		r = namespaces_enter();
	if (r >= 0)
		r = layers_mount(w);
	if (r >= 0) {
		merged = open(w->merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = merged < 0 ? fail(errno, "open '%s'", w->merged) : limits_set(w);
	}
	if (r >= 0)
		r = sandbox_program_enter(merged, w->file);
	if (r >= 0) {
		(void)fd_close_on_exec_from(3);
		program_become(w);
		if (errno == ENOENT)
			_exit(NOT_THERE);
		(void)fail(errno, "run 'mkfs.erofs'");
	}
	(void)dprintf(2, "%s\n", fail_text());
	_exit(1);
}

/* Return: 0, or a recorded failure with what the program said. */
static int child_judge(const struct work *w, int status)
{
	char said[SAID_MAX + 1], shown[2 * SAID_MAX];
	ssize_t n;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE)
		return fail_plain(ENOENT, "the program 'mkfs.erofs' is missing (Debian: apt-get install erofs-utils)");
	if (WIFSIGNALED(status))
		return fail_plain(EIO, "mkfs.erofs was ended by signal %d", WTERMSIG(status));
	n = pread(w->said, said, SAID_MAX, 0);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return fail_plain(EIO, "mkfs.erofs: %s", *said ? str_printable(shown, sizeof(shown), said) : "it has failed");
}

static int program_run(const struct work *w)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (pid == 0)
		child_run(w, parent);
	if (pid < 0)
		return fail(errno, "start 'mkfs.erofs'");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(errno, "wait for 'mkfs.erofs'");
	return child_judge(w, status);
}

/*
 * When it was built, and the checksum over that: zero, without the bit that says that there is one; the digest beside the
 * file counts. Source: struct erofs_super_block in the kernel's fs/erofs/erofs_fs.h.
 */
static int super_settle(int fd)
{
	struct {
		uint32_t magic, checksum, features;
		uint8_t other[12];
		uint64_t build_time;
		uint32_t build_nsec;
	} __attribute__((packed)) super;

	if (pread(fd, &super, sizeof(super), SUPER_AT) != (ssize_t)sizeof(super) || le32toh(super.magic) != 0xe0f5e1e2)
		return fail_plain(EIO, "mkfs.erofs has not made an EROFS file system");
	super.checksum = super.build_nsec = 0;
	super.build_time = 0;
	super.features &= htole32(~1U);
	if (pwrite(fd, &super, sizeof(super), SUPER_AT) != (ssize_t)sizeof(super))
		return fail(errno, "write the file system");
	return 0;
}

static int record_write(const struct stage *stage, int fd, int64_t *ret_size)
{
	cleanup_free char *text = NULL;
	char digest[DIGEST_TEXT];
	struct stat st;
	int r = super_settle(fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || ftruncate(fd, (st.st_size + PAD - 1) / PAD * PAD) < 0)
		return fail(errno, "set the size of the file system");
	r = digest_fd(fd, NULL, INT64_MAX, digest, ret_size);
	if (r >= 0)
		r = str_format(&text, "{\"digest\":\"%s\",\"size\":%lld}", digest, (long long)*ret_size);
	return r < 0 ? r : stage_write(stage->dir, "erofs/erofs.json", text, strlen(text));
}

static int work_run(struct work *w, struct stage *stage, int64_t *ret_size)
{
	const char *chain = w->image->layers[w->image->layer_count - 1].chain;
	cleanup_free char *from = NULL, *to = NULL;
	int r = str_format(&w->merged, "%s/%s/merged", w->store->path, stage->path);

	if (r >= 0)
		r = str_format(&w->place, "%s/%s/erofs/image", w->store->path, stage->path);
	if (r >= 0)
		r = str_format(&from, "%s/erofs", stage->path);
	if (r >= 0)
		r = str_format(&to, "erofs/%s", chain);
	if (r < 0)
		return r;
	if (mkdirat(stage->dir, "merged", 0700) < 0 || mkdirat(stage->dir, "erofs", 0700) < 0)
		return fail(errno, "make a folder in '%s/%s'", w->store->path, stage->path);
	w->file = fd_lift(openat(stage->dir, "erofs/image", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	w->said = fd_lift(memfd_create("said", MFD_CLOEXEC));
	if (w->file < 0 || w->said < 0)
		return fail(errno, "make a file in '%s/%s'", w->store->path, stage->path);
	r = program_run(w);
	if (r >= 0)
		r = record_write(stage, w->file, ret_size);
	if (r >= 0)
		r = stage_add(stage, from, to, true, false);
	return r < 0 ? r : stage_commit(stage);
}

int erofs_make(struct store *store, const struct image *image, const struct unpack_limits *limits, struct erofs_result *ret)
{
	struct work w = { .store = store, .image = image, .file = -1, .said = -1, .limits = limits };
	cleanup_stage struct stage *stage = NULL;
	cleanup_free char *path = NULL;
	int64_t size = 0;
	struct stat st;
	int r = image_erofs(store, image, &path);
	bool made = r == EROFS_MISSING;

	/* A store of an older version has no folder for it. */
	if (made && mkdirat(store->dir, "erofs", 0700) < 0 && errno != EEXIST)
		return fail(errno, "make '%s/erofs'", store->path);
	if (made) {
		r = stage_new(store, &stage);
		w.stage = stage;
		if (r >= 0)
			r = work_run(&w, stage, &size);
		if (w.file >= 0)
			(void)close(w.file);
		if (w.said >= 0)
			(void)close(w.said);
		free(w.merged);
		free(w.place);
		if (r >= 0)
			r = image_erofs(store, image, &path);
	}
	if (r != 0)
		return r < 0 ? r : fail_plain(ENOENT, "the file system was made, and is gone again");
	if (stat(path, &st) < 0)
		return fail(errno, "look at '%s'", path);
	*ret = (struct erofs_result){ .path = steal_ptr(&path), .size = st.st_size, .made = made };
	return 0;
}

struct facts {
	char *digest;
	int64_t size;
};

int erofs_check(const struct store *store, const struct image *image)
{
	static const struct json_field fields[] = {
		{ "digest", json_get_string, offsetof(struct facts, digest), JSON_REQUIRED, NULL, "" },
		{ "size", json_get_int, offsetof(struct facts, size), JSON_REQUIRED, NULL, "" },
		{ 0 },
	};
	cleanup_free char *path = NULL, *record = NULL, *digest = NULL;
	struct facts facts = { .digest = NULL };
	cleanup_json json_t *v = NULL;
	cleanup_fd int fd = -1;
	char is[DIGEST_TEXT];
	int64_t size = 0;
	int r = image_erofs(store, image, NULL);

	if (r == 0)
		r = str_format(&path, "erofs/%s/image", image->layers[image->layer_count - 1].chain);
	if (r == 0)
		r = str_format(&record, "erofs/%s/erofs.json", image->layers[image->layer_count - 1].chain);
	if (r != 0)
		return r;
	r = json_read_at(store->dir, record, NULL, &v);
	if (r >= 0)
		r = json_object_read(&JSON_ROOT, v, fields, 0, &facts);
	digest = facts.digest;
	if (r < 0)
		return EROFS_DAMAGED;
	fd = openat(store->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(errno, "open '%s/%s'", store->path, path);
	r = digest_fd(fd, NULL, INT64_MAX, is, &size);
	if (r < 0)
		return r;
	return size == facts.size && str_eq(is, digest) ? 0 : EROFS_DAMAGED;
}

int erofs_remove(const struct store *store, const char *chain)
{
	cleanup_free char *from = NULL, *to = NULL;
	int r = str_format(&from, "erofs/%s", chain);

	if (r >= 0)
		r = str_format(&to, "staging/gone-%d-erofs-%s", getpid(), chain);
	if (r < 0)
		return r;
	if (renameat(store->dir, from, store->dir, to) < 0)
		return errno == ENOENT ? 0 : fail(errno, "move '%s/%s' away", store->path, from);
	return tree_remove(store->dir, to);
}
