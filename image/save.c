/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layout is a few files: the blobs, an index that names the manifest, and a version. In a folder they are written one
 * by one, the index last and by rename; in an archive they follow each other. Docker's archive has unpacked layers and
 * a list of its own.
 */
#include "image/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "image/internal.h"
#include "image/manifest.h"
#include "image/pack.h"
#include "image/reference.h"
#include "image/stage.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define REF_NAME    "org.opencontainers.image.ref.name"

enum { CHUNK = 256 * 1024 };

/* Where files go: a folder, or an archive. */
struct out {
	int dir;		/* -1: an archive */
	struct archive *a;
	char *chunk;
};

static int out_archive_fail(struct archive *a)
{
	const char *text = archive_error_string(a);

	return fail_plain(EIO, "write the archive: %s", text ? text : "failed");
}

static int out_header(struct out *o, const char *path, int64_t size)
{
	struct archive_entry *e = archive_entry_new();
	int r = 0;

	if (!e)
		return fail(ENOMEM, "archive");
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, size);
	archive_entry_set_mtime(e, 0, 0);
	if (archive_write_header(o->a, e) != ARCHIVE_OK)
		r = out_archive_fail(o->a);
	archive_entry_free(e);
	return r;
}

/* A file that is there already has this digest for its name. */
static int out_folder_fd(const struct out *o, const char *path, int fd)
{
	cleanup_free char *temp = NULL;
	cleanup_fd int to = -1;
	int r;

	if (faccessat(o->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = str_format(&temp, "%s.part-%d", path, getpid());
	if (r < 0)
		return r;
	to = openat(o->dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (to < 0)
		return fail(errno, "make '%s'", temp);
	for (;;) {
		ssize_t n = read(fd, o->chunk, CHUNK);

		if (n < 0)
			return fail(errno, "read a blob");
		if (n == 0)
			break;
		r = fd_write_all(to, o->chunk, (size_t)n);
		if (r < 0) {
			(void)unlinkat(o->dir, temp, 0);
			return fail(-r, "write '%s'", temp);
		}
	}
	return renameat(o->dir, temp, o->dir, path) < 0 ? fail(errno, "rename '%s'", temp) : 0;
}

static int out_fd(struct out *o, const char *path, int fd)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "read a blob");
	if (o->dir >= 0)
		return out_folder_fd(o, path, fd);
	r = out_header(o, path, st.st_size);
	if (r < 0)
		return r;
	for (int64_t done = 0; done < st.st_size;) {
		ssize_t n = read(fd, o->chunk, CHUNK);

		if (n <= 0)
			return n < 0 ? fail(errno, "read a blob") : fail_plain(EIO, "a blob became shorter");
		if (archive_write_data(o->a, o->chunk, (size_t)n) != n)
			return out_archive_fail(o->a);
		done += n;
	}
	return 0;
}

static int out_text(struct out *o, const char *path, const char *text)
{
	size_t size = strlen(text);
	int r;

	if (o->dir >= 0)
		return fd_replace_file(o->dir, path, text, size, 0644);
	r = out_header(o, path, (int64_t)size);
	if (r < 0)
		return r;
	return archive_write_data(o->a, text, size) == (la_ssize_t)size ? 0 : out_archive_fail(o->a);
}

static int out_blob(const struct store *store, struct out *o, const char *digest, const char *path)
{
	cleanup_free char *own = NULL;
	cleanup_fd int fd = -1;
	int r = path ? 0 : blob_path(digest, &own);

	if (r >= 0)
		r = blob_open(store, NULL, digest, &fd);
	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "blob %s is missing in the store (see 'nacelle-image verify --repair')", digest);
	return r < 0 ? r : out_fd(o, path ? path : own, fd);
}

static int index_entry(const struct store *store, const struct image *image, const char *tag, json_t **ret)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r = blob_open(store, NULL, image->manifest, &fd);

	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "manifest %s is missing in the store", image->manifest);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at a blob");
	*ret = json_pack("{ss ss sI}", "mediaType", image->media_type, "digest", image->manifest, "size",
			 (json_int_t)st.st_size);
	if (!*ret || (tag && json_object_set_new(*ret, "annotations", json_pack("{ss}", REF_NAME, tag)) < 0))
		return fail(ENOMEM, "index");
	return 0;
}

/* The index that is there, without what this entry replaces. */
static int index_read(const struct out *o, const char *tag, json_t **ret)
{
	cleanup_json json_t *v = NULL, *kept = json_array();
	json_t *entry;
	size_t i;
	int r;

	if (o->dir >= 0 && faccessat(o->dir, "index.json", F_OK, 0) == 0) {
		r = json_read_at(o->dir, "index.json", NULL, &v);
		if (r < 0)
			return r;
	}
	json_array_foreach(json_object_get(v, "manifests"), i, entry) {
		const char *name = json_string_value(json_object_get(json_object_get(entry, "annotations"), REF_NAME));

		if (!(tag ? name && str_eq(name, tag) : !name) && json_array_append(kept, entry) < 0)
			return fail(ENOMEM, "index");
	}
	*ret = steal_ptr(&kept);
	return 0;
}

static int layout_save(const struct store *store, const struct image *image, struct out *o, const char *tag)
{
	cleanup_json json_t *entries = NULL, *index = NULL;
	cleanup_free char *text = NULL;
	json_t *entry = NULL;
	int r = out_text(o, "oci-layout", LAYOUT_TEXT);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again = again || str_eq(image->layers[j].blob, image->layers[i].blob);
		if (!again)
			r = out_blob(store, o, image->layers[i].blob, NULL);
	}
	if (r >= 0)
		r = out_blob(store, o, image->config, NULL);
	if (r >= 0)
		r = out_blob(store, o, image->manifest, NULL);
	if (r >= 0)
		r = index_read(o, tag, &entries);
	if (r >= 0)
		r = index_entry(store, image, tag, &entry);
	if (r < 0)
		return r;
	if (json_array_append_new(entries, entry) < 0)
		return fail(ENOMEM, "index");
	index = json_pack("{si ss sO}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests", entries);
	text = index ? json_text(index) : NULL;
	return text ? out_text(o, "index.json", text) : fail(ENOMEM, "index");
}

static int layout_folder(const struct store *store, const struct image *image, const char *path, const char *tag)
{
	static const char *const folders[] = { "blobs", "blobs/sha256", "blobs/sha512" };
	cleanup_free char *chunk = malloc(CHUNK);
	cleanup_fd int dir = -1;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return fail(errno, "make '%s'", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !chunk)
		return fail(errno, "open '%s'", path);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (i == 2 && !str_starts(image->manifest, "sha512:"))
			continue;
		if (mkdirat(dir, folders[i], 0755) < 0 && errno != EEXIST)
			return fail(errno, "make '%s/%s'", path, folders[i]);
	}
	struct out o = { .dir = dir, .chunk = chunk };

	return layout_save(store, image, &o, tag);
}

/* A layer without its packing: Docker's archive has plain tars. */
static int layer_plain(const struct stage *stage, const char *digest, const char *diff, int *ret_fd)
{
	cleanup_fd int blob = -1, fd = -1;
	int packing, r = blob_open(stage->store, NULL, digest, &blob);

	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "blob %s is missing in the store", digest);
	if (r >= 0)
		r = packing = packing_of(blob);
	if (r < 0)
		return r;
	if (packing == PACKING_NONE) {
		*ret_fd = steal_fd(&blob);
		return 0;
	}
	fd = fd_lift(openat(stage->dir, "plain", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return fail(errno, "make a file in '%s'", stage->store->path);
	r = unpack_plain(blob, fd, diff, &unpack_limits_default);
	if (r >= 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int docker_list(const struct image *image, const char *name, char **ret_text)
{
	cleanup_json json_t *layers = json_array(), *names = json_array(), *v = NULL;
	cleanup_free char *config = NULL;
	int r = str_format(&config, "%s.json", strchr(image->config, ':') + 1);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		cleanup_free char *path = NULL;

		r = str_format(&path, "%s.tar", image->layers[i].chain);
		if (r >= 0 && json_array_append_new(layers, json_string(path)) < 0)
			r = fail(ENOMEM, "archive");
	}
	if (r >= 0 && name && json_array_append_new(names, json_string(name)) < 0)
		r = fail(ENOMEM, "archive");
	if (r < 0)
		return r;
	v = json_pack("[{ss sO sO}]", "Config", config, "RepoTags", names, "Layers", layers);
	*ret_text = v ? json_text(v) : NULL;
	return *ret_text ? 0 : fail(ENOMEM, "archive");
}

static int docker_save(struct store *store, const struct image *image, struct out *o, const char *name)
{
	cleanup_stage struct stage *stage = NULL;
	cleanup_free char *list = NULL, *config = NULL;
	int r = stage_new(store, &stage);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		cleanup_free char *path = NULL;
		cleanup_fd int fd = -1;

		r = str_format(&path, "%s.tar", image->layers[i].chain);
		if (r >= 0)
			r = layer_plain(stage, image->layers[i].blob, image->layers[i].diff, &fd);
		if (r >= 0)
			r = out_fd(o, path, fd);
	}
	if (r >= 0)
		r = str_format(&config, "%s.json", strchr(image->config, ':') + 1);
	if (r >= 0)
		r = out_blob(store, o, image->config, config);
	if (r >= 0)
		r = docker_list(image, name, &list);
	return r < 0 ? r : out_text(o, "manifest.json", list);
}

static int archive_save(struct store *store, const struct image *image, const char *name, bool docker, int fd)
{
	cleanup_free char *chunk = malloc(CHUNK);
	struct out o = { .dir = -1, .a = archive_write_new(), .chunk = chunk };
	int r = 0;

	if (!o.a || !chunk)
		r = fail(ENOMEM, "archive");
	else if (archive_write_set_format_pax_restricted(o.a) != ARCHIVE_OK || archive_write_open_fd(o.a, fd) != ARCHIVE_OK)
		r = out_archive_fail(o.a);
	if (r >= 0)
		r = docker ? docker_save(store, image, &o, name) : layout_save(store, image, &o, name);
	if (r >= 0 && archive_write_close(o.a) != ARCHIVE_OK)
		r = out_archive_fail(o.a);
	if (o.a)
		(void)archive_write_free(o.a);
	return r;
}

/* Into a file beside it first: a failure leaves nothing that looks whole. */
static int archive_file(struct store *store, const struct image *image, const char *name, bool docker, const char *path)
{
	cleanup_free char *temp = NULL;
	cleanup_fd int fd = -1;
	int r = str_format(&temp, "%s.part-%d", path, getpid());

	if (r < 0)
		return r;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(errno, "make '%s'", temp);
	r = archive_save(store, image, name, docker, fd);
	if (r >= 0 && rename(temp, path) < 0)
		r = fail(errno, "rename '%s' to '%s'", temp, path);
	if (r < 0)
		(void)unlink(temp);
	return r;
}

int image_save(struct store *store, const struct image *image, const char *name, const char *place, int out)
{
	cleanup_free char *path = NULL, *tag = NULL;
	const char *rest;
	int r;

	if (str_eq(place, "-"))
		return archive_save(store, image, name, false, out);
	if ((rest = str_starts(place, "docker-archive:")))
		return archive_file(store, image, name, true, rest);
	if ((rest = str_starts(place, "oci-archive:"))) {
		r = place_split(rest, &path, &tag);
		return r < 0 ? r : archive_file(store, image, tag ? tag : name, false, path);
	}
	if ((rest = str_starts(place, "oci:"))) {
		r = place_split(rest, &path, &tag);
		return r < 0 ? r : layout_folder(store, image, path, tag ? tag : name);
	}
	return fail_plain(EINVAL, "'%s': say what to write: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE, "
			  "or - for an OCI archive on standard output", place);
}

int image_export(const struct store *store, const struct image *image, int out)
{
	const size_t count = image->layer_count - (size_t)image->base;
	cleanup_free int *dirs = calloc(count, sizeof(*dirs));
	struct str_list layers = { .items = NULL };
	int r = dirs ? image_layers(store, image, &layers) : fail(ENOMEM, "layers");
	size_t opened = 0;

	while (r >= 0 && opened < count) {
		const char *path = layers.items[count - 1 - opened];
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			r = fail(errno, "open '%s'", path);
		else
			dirs[opened++] = fd;
	}
	if (r >= 0)
		r = pack_write(&(struct pack){ .dirs = dirs, .count = count, .layers = true }, out);
	for (size_t i = 0; i < opened; i++)
		(void)close(dirs[i]);
	str_list_done(&layers);
	return r;
}
