/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lock on the stage's own folder says that its process is alive. Between making the folder and locking it another
 * process may take it for a leftover: then it is gone, and another one is made.
 */
#include "image/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/internal.h"
#include "image/reference.h"
#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

enum { TRIES = 100, PARTIAL_DAYS = 7 };

/* Return: 0 when it was dead and is gone, 1 when it lives, or a recorded failure. */
static int leftover_remove(int staging, const char *name)
{
	cleanup_fd int fd = openat(staging, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : tree_remove(staging, name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 1;
	return tree_remove(staging, name);
}

/* What was begun and not resumed for long, or has come meanwhile by another pull. One that somebody fills is his. */
static int partial_remove(const struct store *store, int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *blob = NULL;
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return 0;
	if (str_format(&blob, "blobs/sha256/%s", name) < 0)
		return -ENOMEM;
	if (st.st_mtime < time(NULL) - PARTIAL_DAYS * 86400L || faccessat(store->dir, blob, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		(void)unlinkat(dir, name, 0);
	return 0;
}

static int partials_clean(const struct store *store)
{
	cleanup_fd int dir = openat(store->dir, "partial", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str_list names = { .items = NULL };
	int r = dir < 0 ? fail(errno, "open '%s/partial'", store->path) : folder_read(dir, ".", &names);

	for (size_t i = 0; i < names.count && r >= 0; i++)
		r = partial_remove(store, dir, names.items[i]);
	str_list_done(&names);
	return r;
}

int stage_clean(const struct store *store)
{
	cleanup_fd int staging = openat(store->dir, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str_list names = { .items = NULL };
	int r;

	if (staging < 0)
		return fail(errno, "open '%s/staging'", store->path);
	r = folder_read(staging, ".", &names);
	for (size_t i = 0; i < names.count && r >= 0; i++)
		r = leftover_remove(staging, names.items[i]);
	str_list_done(&names);
	return r < 0 ? r : partials_clean(store);
}

static int stage_make(struct stage *stage, unsigned int number)
{
	struct stat st;

	free(steal_ptr(&stage->path));
	if (str_format(&stage->path, "staging/%d-%u", getpid(), number) < 0)
		return -ENOMEM;
	if (mkdirat(stage->store->dir, stage->path, 0700) < 0)
		return errno == EEXIST ? 1 : fail(errno, "make '%s/%s'", stage->store->path, stage->path);
	stage->dir = openat(stage->store->dir, stage->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (stage->dir < 0)
		return errno == ENOENT ? 1 : fail(errno, "open '%s/%s'", stage->store->path, stage->path);
	if (flock(stage->dir, LOCK_EX | LOCK_NB) == 0 && fstat(stage->dir, &st) == 0 && st.st_nlink > 0 &&
	    faccessat(stage->store->dir, stage->path, F_OK, 0) == 0)
		return 0;
	(void)close(steal_fd(&stage->dir));
	return 1;
}

int stage_new(struct store *store, struct stage **ret)
{
	struct stage *stage;
	int r = stage_clean(store);

	if (r < 0)
		return r;
	stage = calloc(1, sizeof(*stage));
	if (!stage)
		return fail(ENOMEM, "stage");
	stage->store = store;
	stage->dir = -1;
	for (unsigned int i = 0; i < TRIES; i++) {
		r = stage_make(stage, i);
		if (r == 0) {
			*ret = stage;
			return 0;
		}
		if (r < 0)
			break;
	}
	if (r > 0)
		r = fail(EEXIST, "make a folder in '%s/staging'", store->path);
	stage_free(stage);
	return r;
}

void stage_free(struct stage *stage)
{
	for (size_t i = 0; i < stage->move_count; i++) {
		free(stage->moves[i].from);
		free(stage->moves[i].to);
	}
	free(stage->moves);
	if (stage->dir >= 0) {
		(void)tree_remove(stage->store->dir, stage->path);
		(void)close(stage->dir);
	}
	free(stage->path);
	free(stage);
}

int stage_add(struct stage *stage, const char *from, const char *to, bool folder, bool late)
{
	struct stage_move *grown = realloc(stage->moves, (stage->move_count + 1) * sizeof(*grown));
	struct stage_move *move;
	int r;

	if (!grown)
		return fail(ENOMEM, "stage");
	stage->moves = grown;
	move = &grown[stage->move_count];
	*move = (struct stage_move){ .folder = folder, .late = late };
	r = str_copy(&move->from, from);
	if (r >= 0)
		r = str_copy(&move->to, to);
	if (r < 0) {
		free(move->from);
		return r;
	}
	stage->move_count++;
	return 0;
}

int stage_write(int folder, const char *name, const void *data, size_t size)
{
	cleanup_fd int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return fail(errno, "make '%s'", name);
	r = fd_write_all(fd, data, size);
	return r < 0 ? fail(-r, "write '%s'", name) : 0;
}

int stage_file(struct stage *stage, const char *to, const void *data, size_t size, bool late)
{
	cleanup_free char *from = NULL;
	cleanup_fd int fd = -1;
	int r = str_format(&from, "%s/file-%zu", stage->path, stage->move_count);

	if (r < 0)
		return r;
	fd = openat(stage->store->dir, from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(errno, "make '%s/%s'", stage->store->path, from);
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return fail(-r, "write '%s/%s'", stage->store->path, from);
	return stage_add(stage, from, to, false, late);
}

int stage_name(struct stage *stage, const struct reference *ref, const char *manifest)
{
	cleanup_free char *folder = NULL, *path = NULL, *text = NULL;
	int r = ref_path(ref, &folder, &path);

	if (r >= 0)
		r = str_format(&text, "%s\n", manifest);
	return r < 0 ? r : stage_file(stage, path, text, strlen(text), true);
}

int stage_record(struct stage *stage, const struct image *image)
{
	cleanup_json json_t *layers = json_array(), *v = NULL;
	cleanup_free char *path = NULL, *text = NULL;
	int r = image_path(image->manifest, &path);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		const struct image_layer *l = &image->layers[i];

		if (json_array_append_new(layers, json_pack("{ss ss ss sI}", "chain", l->chain, "diff", l->diff,
							    "blob", l->blob, "size", (json_int_t)l->size)) < 0)
			r = fail(ENOMEM, "record of an image");
	}
	if (r < 0)
		return r;
	v = json_pack("{si ss ss ss sO sI sI sI}", "version", 1, "manifest", image->manifest, "mediaType",
		      image->media_type, "config", image->config, "layers", layers, "base",
		      (json_int_t)image->base, "size", (json_int_t)image->size, "added", (json_int_t)image->added);
	text = v ? json_text(v) : NULL;
	if (!text)
		return fail(ENOMEM, "record of an image");
	return stage_file(stage, path, text, strlen(text), true);
}

/* A layer that another process has put there in the meantime is the same one. */
static int move_do(const struct stage *stage, const struct stage_move *move)
{
	const struct store *store = stage->store;
	cleanup_free char *folder = NULL;

	if (renameat(store->dir, move->from, store->dir, move->to) == 0)
		return 0;
	if (move->folder && (errno == EEXIST || errno == ENOTEMPTY))
		return 0;
	if (errno == ENOENT && move->late && str_starts(move->to, "refs/")) {
		if (str_copy(&folder, move->to) < 0)
			return -ENOMEM;
		*strrchr(folder, '/') = '\0';
		if (mkdirat(store->dir, folder, 0700) < 0 && errno != EEXIST)
			return fail(errno, "make '%s/%s'", store->path, folder);
		if (renameat(store->dir, move->from, store->dir, move->to) == 0)
			return 0;
	}
	return fail(errno, "put '%s/%s' in its place", store->path, move->to);
}

/* A rename is durable when the folder is; one fsync(2) of it costs less than the sync of a whole file system. */
static int folder_sync(const struct store *store, const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *folder = NULL;
	cleanup_fd int fd = -1;

	if (str_format(&folder, "%.*s", (int)(slash - path), path) < 0)
		return -ENOMEM;
	fd = openat(store->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return fail(errno, "sync '%s/%s'", store->path, folder);
	return 0;
}

static int folders_sync(const struct stage *stage, bool late)
{
	const char *last = "";
	int r = 0;

	for (size_t i = 0; i < stage->move_count && r >= 0; i++) {
		const struct stage_move *move = &stage->moves[i];
		size_t len = (size_t)(strrchr(move->to, '/') - move->to);

		if (move->late != late || (strncmp(last, move->to, len) == 0 && last[len] == '/'))
			continue;
		last = move->to;
		r = folder_sync(stage->store, move->to);
	}
	/* a name's folder may be new itself */
	return r < 0 || !late ? r : folder_sync(stage->store, "refs/");
}

int stage_commit(struct stage *stage)
{
	const struct store *store = stage->store;
	int r = 0;

	if (syncfs(store->dir) < 0)
		return fail(errno, "sync '%s'", store->path);
	for (int late = 0; late < 2 && r >= 0; late++) {
		for (size_t i = 0; i < stage->move_count && r >= 0; i++) {
			if (stage->moves[i].late == (late == 1))
				r = move_do(stage, &stage->moves[i]);
		}
		if (r >= 0)
			r = folders_sync(stage, late == 1);
	}
	return r;
}

int blob_open(const struct store *store, const struct stage *stage, const char *digest, int *ret_fd)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r = blob_path(digest, &path);

	if (r < 0)
		return r;
	for (size_t i = 0; stage && i < stage->move_count && fd < 0; i++) {
		if (str_eq(stage->moves[i].to, path))
			fd = fd_lift(openat(store->dir, stage->moves[i].from, flags));
	}
	if (fd < 0)
		fd = fd_lift(openat(store->dir, path, flags));
	if (fd < 0)
		return errno == ENOENT ? BLOB_MISSING : fail(errno, "open '%s/%s'", store->path, path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%s/%s' is no file", store->path, path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int partial_open(const struct stage *stage, const char *digest, int *ret_fd, char **ret_path)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const struct store *store = stage->store;
	const char *hex = strchr(digest, ':') + 1;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st, there;
	int r = str_format(&path, "partial/%s", hex);

	if (r < 0)
		return r;
	fd = fd_lift(openat(store->dir, path, flags, 0600));
	if (fd < 0)
		return fail(errno, "open '%s/%s'", store->path, path);
	/* Its holder may just have put it in its place, or thrown it away. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 ||
	    fstatat(store->dir, path, &there, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != there.st_ino ||
	    !S_ISREG(st.st_mode)) {
		(void)close(steal_fd(&fd));
		free(steal_ptr(&path));
		r = str_format(&path, "%s/blob-%s", stage->path, hex);
		if (r < 0)
			return r;
		fd = fd_lift(openat(store->dir, path, flags | O_EXCL, 0600));
		if (fd < 0)
			return fail(errno, "make '%s/%s'", store->path, path);
	}
	*ret_fd = steal_fd(&fd);
	*ret_path = steal_ptr(&path);
	return 0;
}
