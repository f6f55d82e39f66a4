/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's lock is held while it is read, not as long as a container lives: that is what the recorded use is for. Between
 * the two an image can go; hold() looks again, under the lock.
 */
#include "runtime/image-root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/store.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/programs.h"
#include "runtime/base/spawn.h"
#include "runtime/config.h"
#include "runtime/spec-short.h"

/* A file name has 255; what is odd in a user takes three. */
enum { USER_MAX = 200, USER_CUT = 50 };

/* What @ret points to is of @ret_config and the environment. */
static int images_configured(json_t **ret_config, struct config_images *ret)
{
	int r = config_load(ret_config);

	if (r < 0)
		return fail_in(r, "configuration");
	*ret = config_images(*ret_config);
	return 0;
}

/* Return: as store_open(). @path: NULL: as the configuration says. */
static int open_store(const char *path, unsigned int flags, struct store **ret)
{
	cleanup_json json_t *config = NULL;
	struct config_images images = { .store = path };
	int r = path ? 0 : images_configured(&config, &images);

	return r < 0 ? r : store_open(images.store, images.registry, flags, ret);
}

enum say { SAY_ALL, SAY_PROGRESS, SAY_NOTHING };

/* Its progress goes where ours goes; what it prints as a result is not always ours to print. */
static int program_run(char *const *args, enum say say, int *ret_status)
{
	const int fds[] = {
		SPAWN_SAME, say == SAY_ALL ? SPAWN_SAME : SPAWN_NULL, say == SAY_NOTHING ? SPAWN_NULL : SPAWN_SAME,
	};
	pid_t pid = 0;
	int r = spawn(args, fds, ARRAY_SIZE(fds), &pid);

	if (r < 0)
		return fail(-r, "run '%s'", args[0]);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return fail(errno, "wait for '%s'", args[0]);
	return 0;
}

/* nacelle-image VERB NAME, which reads the same configuration. Return: 0 with its status, or a recorded failure. */
static int verb_run(const char *verb, const char *name, enum say say, int *ret_status)
{
	cleanup_fd int fd = programs_open("nacelle-image", "the program that knows images");
	char program[FD_PATH_MAX];
	const char *args[] = { program, verb, name, NULL };

	if (fd < 0)
		return fd;
	(void)fd_path(fd, program);
	/* What a spec calls an image must not become an option. */
	if (*name == '-')
		return fail_plain(EINVAL, "image '%s': a name does not begin with '-'", name);
	/* posix_spawn(3) takes what it never writes as char *const *. */
	return program_run((char *const *)(void *)args, say, ret_status);
}

static int fetch(const char *name)
{
	int status = 0, r = verb_run("pull", name, SAY_PROGRESS, &status);

	if (r < 0)
		return fail_in(r, "image '%s' is not stored", name);
	return status == 0 ? 0 : fail_plain(ENOENT, "image '%s' is not stored, and cannot be fetched ('nacelle-image pull %s', or "
					    "'nacelle-image load' for an archive)", name, name);
}

/* Of one that was stored before nacelle-image refused it. */
static int os_check(json_t *config)
{
	const char *os = json_string_value(json_object_get(config, "os"));

	if (os && *os && !str_eq(os, "linux"))
		return fail_plain(EINVAL, "the image is for '%.40s', and only 'linux' can run here", os);
	return 0;
}

int image_program_run(const char *const *args)
{
	cleanup_fd int fd = programs_open("nacelle-image", "the program that knows images");
	char program[FD_PATH_MAX];
	const char *all[256] = { program };
	size_t n = 1;
	int status = 0, r;

	if (fd < 0)
		return fd;
	for (; *args; args++) {
		if (n + 1 == ARRAY_SIZE(all))
			return fail_plain(E2BIG, "too many words for nacelle-image");
		all[n++] = *args;
	}
	(void)fd_path(fd, program);
	r = program_run((char *const *)(void *)all, SAY_ALL, &status);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   fail_plain(EIO, "'nacelle-image %s' was ended by signal %d", all[1], WTERMSIG(status));
}

static int take(const struct store *store, struct image *image, char *found, struct image_root *ret)
{
	cleanup_json json_t *config = NULL;
	int r = image_config(store, image, &config);

	if (r == 0)
		r = os_check(config);
	if (r == 0)
		r = image_layers(store, image, &ret->layers);
	if (r == 0)
		r = str_copy(&ret->manifest, image->manifest);
	if (r == 0)
		r = str_copy(&ret->name, found ? found : image->manifest);
	if (r == 0)
		ret->config = json_incref(json_object_get(config, "config"));
	return r;
}

/* Return: 0, IMAGE_NOT_FOUND, or a recorded failure. */
static int find(const char *name, struct image_root *ret)
{
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_free char *found = NULL;
	int r = open_store(NULL, 0, &store);

	if (r == STORE_NOT_FOUND)
		return IMAGE_NOT_FOUND;
	if (r == 0)
		r = image_find(store, name, &image, &found);
	return r == 0 ? take(store, image, found, ret) : r;
}

int image_root_find(const char *name, struct image_root *ret)
{
	struct image_root root = { .name = NULL };
	int r = find(name, &root);

	if (r != 0) {
		image_root_done(&root);
		return r < 0 ? r : IMAGE_ROOT_MISSING;
	}
	*ret = root;
	return 0;
}

int image_root_fetch(const char *name, struct image_root *ret)
{
	int r = fetch(name);

	if (r == 0)
		r = image_root_find(name, ret);
	return r > 0 ? fail_plain(ENOENT, "image '%s' was fetched, and is gone again", name) : r;
}

/* Return: as image_erofs(). */
static int erofs_find(const char *manifest, char **ret_path)
{
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	int r = open_store(NULL, 0, &store);

	if (r == 0)
		r = image_load(store, manifest, &image);
	if (r > 0)
		return fail_plain(ENOENT, "image '%s' is not stored any more", manifest);
	return r < 0 ? r : image_erofs(store, image, ret_path);
}

int image_root_erofs(const char *manifest, bool quiet, char **ret_path)
{
	int r = erofs_find(manifest, ret_path), status = 0;

	if (r == EROFS_MISSING) {
		r = verb_run("erofs", manifest, quiet ? SAY_NOTHING : SAY_PROGRESS, &status);
		if (r == 0 && status != 0)
			r = fail_plain(EIO, "'nacelle-image erofs' has failed");
		if (r == 0)
			r = erofs_find(manifest, ret_path);
	}
	return r > 0 ? fail_plain(ENOENT, "the EROFS of image '%s' was made, and is gone again", manifest) : r;
}

char *image_root_stored(const char *name)
{
	struct image_root root = { .name = NULL };
	char *stored = image_root_find(name, &root) == 0 ? steal_ptr(&root.name) : NULL;

	image_root_done(&root);
	return stored;
}

void image_root_done(struct image_root *root)
{
	free(root->name);
	free(root->manifest);
	str_list_done(&root->layers);
	json_decref(root->config);
	*root = (struct image_root){ .name = NULL };
}

static const char *digest_of(const struct str_list *annotations)
{
	for (size_t i = 0; i < annotations->count; i++) {
		const char *value = str_starts(annotations->items[i], SHORT_ANNOTATION IMAGE_ANNOTATION "=");

		if (value)
			return value;
	}
	return NULL;
}

/* FNV-1a, 64 bits */
static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/* As the store writes it. */
static size_t room_of(const char *user)
{
	size_t room = 0;

	for (; *user; user++)
		room += (*user >= '0' && *user <= '9') || (*user >= 'A' && *user <= 'Z') || (*user >= 'a' && *user <= 'z') ? 1 : 3;
	return room;
}

/*
 * "ID:FOLDER": an id is unique in its folder of state alone. The store makes file names of it, so without slashes. What
 * would then be the same for two containers ends in a hash of the whole: the end of one must not be the end of both.
 */
static int user_of(const char *root, const char *id, char **ret_user)
{
	cleanup_free char *user = NULL, *shorter = NULL;
	bool alike;
	int r = str_format(&user, "%s:%s", id, root);

	if (r < 0)
		return r;
	alike = room_of(user) > USER_MAX || strchr(root, '+');
	if (alike) {
		r = str_format(&shorter, "%.*s-%016" PRIx64, USER_CUT, user, hash(user));
		if (r < 0)
			return r;
	}
	*ret_user = alike ? steal_ptr(&shorter) : steal_ptr(&user);
	for (char *c = *ret_user; *c; c++)
		if (*c == '/')
			*c = '+';
	return 0;
}

int image_root_store(const struct str_list *annotations, char **ret_path)
{
	cleanup_json json_t *config = NULL;
	struct config_images images;
	int r;

	if (!digest_of(annotations))
		return 0;
	r = images_configured(&config, &images);
	if (r < 0)
		return r;
	return images.store ? store_path_absolute(images.store, ret_path) : store_default_path(ret_path);
}

int image_root_hold(const struct str_list *annotations, const char *path, const char *root, const char *id)
{
	const char *digest = digest_of(annotations);
	cleanup_store struct store *store = NULL;
	cleanup_free char *user = NULL;
	int r;

	if (!digest)
		return 0;
	r = user_of(root, id, &user);
	if (r == 0)
		r = open_store(path, 0, &store);
	if (r == 0)
		r = image_use(store, digest, user);
	return r > 0 ? fail_plain(ENOENT, "image '%s' is not stored any more", digest) : r;
}

int image_root_release(const struct str_list *annotations, const char *path, const char *root, const char *id)
{
	cleanup_store struct store *store = NULL;
	cleanup_free char *user = NULL;
	int r;

	if (annotations && !digest_of(annotations))
		return 0;
	r = user_of(root, id, &user);
	if (r == 0)
		r = open_store(path, STORE_UNLOCKED, &store);
	return r == 0 ? image_unuse(store, user) : r < 0 ? r : 0;
}
