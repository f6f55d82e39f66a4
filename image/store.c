/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a store and its lock, its paths, and the records of who uses what. A lock is a flock on one file, so it
 * goes with the process that holds it. A use outlives its process: it is a file with the boot's id in it, which
 * counts until the container is deleted or the machine has been started anew.
 */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/internal.h"
#include "image/reference.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"

enum { USER_MAX = 200 };

static const char *const folders[] = {
	"blobs", "blobs/sha256", "blobs/sha512", "layers", "erofs", "images", "refs", "uses", "partial", "staging",
};

int store_default_path(char **ret_path)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return str_copy(ret_path, "/var/lib/nacelle/store");
	if (data && *data == '/')
		return str_format(ret_path, "%s/nacelle/store", data);
	if (home && *home == '/')
		return str_format(ret_path, "%s/.local/share/nacelle/store", home);
	return fail_plain(ENOENT, "no place for images: HOME is not set; give --store DIR");
}

struct store *store_free(struct store *store)
{
	if (!store)
		return NULL;
	if (store->dir >= 0)
		(void)close(store->dir);
	if (store->lock >= 0)
		(void)close(store->lock);
	free(store->path);
	free(store->registry);
	free(store);
	return NULL;
}

static int folders_make(const char *path, char *below)
{
	for (char *slash = strchr(below, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return fail(errno, "make '%s'", path);
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make '%s'", path);
	return 0;
}

static int store_make(struct store *store)
{
	int r = folders_make(store->path, store->path + 1);

	if (r < 0)
		return r;
	store->dir = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0)
		return fail(errno, "open '%s'", store->path);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (mkdirat(store->dir, folders[i], 0700) < 0 && errno != EEXIST)
			return fail(errno, "make '%s/%s'", store->path, folders[i]);
	}
	return 0;
}

/* Whoever may only read the store (another user's, a read-only disk) needs no lock file of their own. */
static int store_lock(struct store *store, unsigned int flags)
{
	int how = flags & STORE_ALONE ? LOCK_EX | LOCK_NB : LOCK_SH;

	store->lock = fd_lift(openat(store->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (store->lock < 0 && errno == EROFS)
		store->lock = fd_lift(openat(store->dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (store->lock < 0)
		return fail(errno, "open '%s/lock'", store->path);
	while (flock(store->lock, how) < 0) {
		if (errno == EWOULDBLOCK)
			return STORE_BUSY;
		if (errno != EINTR)
			return fail(errno, "lock '%s'", store->path);
	}
	return 0;
}

int store_path_absolute(const char *path, char **ret_path)
{
	char cwd[PATH_MAX];

	if (*path == '/')
		return str_copy(ret_path, path);
	if (!getcwd(cwd, sizeof(cwd)))
		return fail(errno, "working directory");
	return str_format(ret_path, "%s/%s", cwd, path);
}

int store_open(const char *path, const char *registry, unsigned int flags, struct store **ret)
{
	cleanup_store struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fail(ENOMEM, "image store");
	store->dir = store->lock = -1;
	store->user_xattr = geteuid() != 0;
	r = path ? store_path_absolute(path, &store->path) : store_default_path(&store->path);
	if (r >= 0)
		r = str_copy(&store->registry, registry ? registry : REFERENCE_DEFAULT_REGISTRY);
	if (r < 0)
		return r;
	store->dir = fd_lift(open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (store->dir < 0 && errno == ENOENT && !(flags & STORE_CREATE))
		return STORE_NOT_FOUND;
	if (store->dir < 0 && errno != ENOENT)
		return fail(errno, "open '%s'", store->path);
	if (flags & STORE_CREATE) {
		if (store->dir >= 0)
			(void)close(steal_fd(&store->dir));
		r = store_make(store);
		if (r < 0)
			return fail_in(r, "image store");
	}
	r = flags & STORE_UNLOCKED ? 0 : store_lock(store, flags);
	if (r == 0)
		*ret = steal_ptr(&store);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct str_list *names)
{
	if (names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), by_name);
}

int folder_read(int dir, const char *path, struct str_list *ret)
{
	cleanup_fd int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_dir DIR *stream = NULL;
	struct str_list names = { .items = NULL };
	struct dirent *entry;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(errno, "open '%s'", path);
	stream = fdopendir(fd);
	if (!stream)
		return fail(errno, "open '%s'", path);
	fd = -1;
	while ((errno = 0, entry = readdir(stream))) {
		if (entry->d_name[0] != '.' && str_list_add(&names, entry->d_name) < 0) {
			str_list_done(&names);
			return -ENOMEM;
		}
	}
	if (errno) {
		str_list_done(&names);
		return fail(errno, "read '%s'", path);
	}
	names_sort(&names);
	*ret = names;
	return 0;
}

int blob_path(const char *digest, char **ret_path)
{
	const char *colon = strchr(digest, ':');

	if (!colon || !digest_is_valid(digest))
		return fail_plain(EINVAL, "not a digest: '%.140s'", digest);
	return str_format(ret_path, "blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
}

int image_path(const char *digest, char **ret_path)
{
	if (!digest_is_valid(digest))
		return fail_plain(EINVAL, "not a digest: '%.140s'", digest);
	return str_format(ret_path, "images/%s", strchr(digest, ':') + 1);
}

int image_record(const struct store *store, const char *digest, char **ret_path)
{
	cleanup_free char *path = NULL;
	int r = image_path(digest, &path);

	if (r < 0)
		return r;
	if (faccessat(store->dir, path, F_OK, 0) < 0 && errno == ENOENT)
		return IMAGE_NOT_FOUND;
	*ret_path = steal_ptr(&path);
	return 0;
}

int ref_path(const struct reference *ref, char **ret_folder, char **ret_path)
{
	cleanup_free char *folder = NULL;
	int r = str_format(&folder, "refs/%s+%s", ref->registry, ref->path);

	if (r < 0)
		return r;
	for (char *c = folder + strlen("refs/"); *c; c++) {
		if (*c == '/')
			*c = '+';
	}
	r = str_format(ret_path, "%s/%s", folder, ref->digest ? ref->digest : ref->tag);
	if (r >= 0)
		*ret_folder = steal_ptr(&folder);
	return r;
}

/* Any text as a file's name: what is not plain becomes %XX. */
static int use_path(const char *user, char **ret_path)
{
	char name[USER_MAX * 3 + 1], *end = name;

	if (!*user || strlen(user) > USER_MAX)
		return fail_plain(EINVAL, "a user's name must have 1 to %d characters", USER_MAX);
	for (const char *c = user; *c; c++) {
		bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			     *c == '-' || *c == '_' || (*c == '.' && c > user);

		if (plain)
			*end++ = *c;
		else
			end += sprintf(end, "%%%02x", (unsigned char)*c);
	}
	*end = '\0';
	if (end - name > NAME_MAX - 16)
		return fail_plain(ENAMETOOLONG, "user '%s' of an image: too long a name", user);
	return str_format(ret_path, "uses/%s", name);
}

/*
 * Who acts on a use has the lock alone, so nobody meets half a record but after its writer was killed, and then there is no
 * container that could need the image.
 */
static int use_write(const struct store *store, const char *digest, const char *user)
{
	cleanup_free char *path = NULL, *text = NULL;
	cleanup_fd int fd = -1;
	char boot[PROC_BOOT_ID_SIZE];
	int r = use_path(user, &path);

	if (r >= 0)
		r = proc_boot_id(boot);
	if (r >= 0)
		r = str_format(&text, "%s %s\n", boot, digest);
	if (r < 0)
		return r;
	fd = openat(store->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(errno, "create '%s'", path);
	r = fd_write_all(fd, text, strlen(text));
	return r < 0 ? fail(-r, "write '%s'", path) : 0;
}

int image_use(const struct store *store, const char *digest, const char *user)
{
	cleanup_free char *path = NULL;
	int r = image_record(store, digest, &path);

	if (r != 0)
		return r;
	r = use_write(store, digest, user);
	return r < 0 ? fail_in(r, "record the use of an image in '%s'", store->path) : 0;
}

int image_unuse(const struct store *store, const char *user)
{
	cleanup_free char *path = NULL;
	int r = use_path(user, &path);

	if (r < 0)
		return r;
	if (unlinkat(store->dir, path, 0) < 0 && errno != ENOENT)
		return fail(errno, "remove '%s/%s'", store->path, path);
	return 0;
}

/* A use of another boot is over: its container went with that boot. */
static int use_read(const struct store *store, const char *name, const char *boot, struct str_list *ret)
{
	cleanup_free char *path = NULL, *text = NULL;
	char *digest;
	int r = str_format(&path, "uses/%s", name);

	if (r >= 0)
		r = fd_read_file(store->dir, path, &text);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	digest = strchr(text, ' ');
	if (!digest)
		return 0;
	*digest++ = '\0';
	if (!str_eq(text, boot) || !digest_is_valid(digest))
		return 0;
	return str_list_addf(ret, "%s %s", digest, name);
}

int image_users(const struct store *store, struct str_list *ret)
{
	struct str_list names = { .items = NULL }, users = { .items = NULL };
	char boot[PROC_BOOT_ID_SIZE];
	int r = proc_boot_id(boot);

	if (r >= 0)
		r = folder_read(store->dir, "uses", &names);
	for (size_t i = 0; i < names.count && r >= 0; i++)
		r = use_read(store, names.items[i], boot, &users);
	str_list_done(&names);
	if (r < 0) {
		str_list_done(&users);
		return r;
	}
	*ret = users;
	return 0;
}
