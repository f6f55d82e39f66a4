/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filling a volume must not be done twice, nor over what a payload wrote. So a file beside its folder says "new" or "copying"
 * until the child that copied has emptied it, before any payload runs; who finds "copying" without an owner of the lock
 * begins anew. A folder that another container has is never filled: while we copy, nobody may play with the names.
 */
#include "runtime/volume-use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/container.h"
#include "runtime/idmap.h"
#include "runtime/overlay.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/tree-copy.h"
#include "runtime/volume.h"

enum { RANDOM_BYTES = 32, FILL_WAIT_MS = 60000 };

static int name_random(struct str_list *ret)
{
	unsigned char random[RANDOM_BYTES];
	char text[2 * RANDOM_BYTES + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return fail(errno, "make up a name");
	for (size_t i = 0; i < sizeof(random); i++) {
		text[2 * i] = "0123456789abcdef"[random[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	text[2 * RANDOM_BYTES] = '\0';
	return str_list_add(ret, text);
}

int volumes_name(const struct spec *spec, struct str_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (m->volume)
			r = m->source && *m->source ? str_list_add(ret, m->source) : name_random(ret);
	}
	return r;
}

static int folder_is_empty(int folder)
{
	cleanup_fd int fd = openat(folder, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		return fail(errno, "open '_data'");
	fd = -1;
	while ((entry = readdir(stream)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			return 0;
	return 1;
}

/* What a copy that was cut short has left. */
static int folder_clear(int folder)
{
	struct stat st;
	int r;

	if (fstatat(folder, "_data", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at '_data'");
	r = tree_remove(folder, "_data");
	if (r < 0)
		return r;
	if (mkdirat(folder, "_data", 0755) < 0 || fchownat(folder, "_data", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "make '_data' anew");
	return 0;
}

/* Another container that has just been started may be filling it. */
static int lock_wait(int folder)
{
	for (int waited = 0; flock(folder, LOCK_EX | LOCK_NB) < 0; waited += 20) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(errno, "lock it");
		if (waited >= FILL_WAIT_MS)
			return fail_plain(EBUSY, "another container fills it for more than %d s", FILL_WAIT_MS / 1000);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
	}
	return 0;
}

/* The folder is locked. Whether anything is to be copied shows in @taken->fill. */
static int fill_prepare(int folder, bool alone, struct volume_taken *taken)
{
	cleanup_free char *mark = NULL;
	cleanup_fd int fill = -1;
	int empty, r = fd_read_file(folder, "fill", &mark);

	if (r < 0 || !alone)
		return r;
	if (str_eq(mark, "copying\n")) {
		r = folder_clear(folder);
		if (r < 0)
			return r;
	}
	empty = folder_is_empty(folder);
	if (empty < 0)
		return empty;
	r = fd_replace_file(folder, "fill", "copying\n", empty ? 8 : 0, 0600);
	if (r < 0 || !empty)
		return r;
	fill = openat(folder, "fill", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fill < 0)
		return fail(errno, "open 'fill'");
	taken->fill = steal_fd(&fill);
	return 0;
}

/* Made when missing, and recorded as ours. @ret_alone: nobody else has it. */
static int take_recorded(const struct container_place *place, const struct spec *spec, const char *name, bool anonymous,
			 const char *user, const char *text, struct volume_info *info, bool *ret_alone)
{
	const struct spec_linux *l = &spec->linux_;
	bool mapped = l->namespaces[NS_USER].wanted && geteuid() == 0;
	cleanup_volumes struct volumes v = VOLUMES_NONE;
	int r = volumes_open(place->data, true, &v);

	if (r == 0)
		r = volume_make(&v, name, NULL, anonymous,
				mapped ? idmap_host_id(0, l->uid_mappings, l->uid_mapping_count) : geteuid(),
				mapped ? idmap_host_id(0, l->gid_mappings, l->gid_mapping_count) : getegid());
	if (r >= 0)
		r = volume_look(&v, name, info);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	*ret_alone = true;
	for (size_t i = 0; i < info->users.count; i++)
		*ret_alone = *ret_alone && str_eq(info->users.items[i], text);
	return volume_use(&v, name, user, text);
}

static int take_one(const struct container_place *place, const struct spec *spec, const struct spec_mount *m, const char *name,
		    const char *user, const char *text, struct volume_taken *taken)
{
	bool anonymous = !m->source || !*m->source, alone = false;
	struct volume_info info = { .name = NULL };
	cleanup_fd int folder = -1;
	cleanup_free char *path = NULL;
	int r = take_recorded(place, spec, name, anonymous, user, text, &info, &alone);

	if (r == 0)
		r = str_copy(&taken->path, info.path);
	if (r == 0)
		r = str_format(&path, "%.*s", (int)(strlen(info.path) - strlen("/_data")), info.path);
	volume_info_done(&info);
	if (r < 0)
		return r;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return fail(errno, "open '%s'", path);
	r = lock_wait(folder);
	if (r == 0 && !m->nocopy)
		r = fill_prepare(folder, alone, taken);
	if (r < 0 || taken->fill < 0)
		return r;
	taken->lock = steal_fd(&folder);
	return 0;
}

/* The same volume at one more place. Return: whether it was that. */
static bool is_taken(struct volume_taken *all, size_t i, const char *name, int *ret_error)
{
	for (size_t k = 0; k < i; k++) {
		cleanup_free char *tail = NULL;

		*ret_error = str_format(&tail, "/%s/_data", name);
		if (*ret_error < 0)
			return true;
		if (!all[k].path || !str_ends(all[k].path, tail))
			continue;
		*ret_error = str_copy(&all[i].path, all[k].path);
		return true;
	}
	return false;
}

int volumes_take(const struct container_place *place, const struct state_dir *dir, const char *id, const struct spec *spec,
		 const struct str_list *names, struct volume_taken **ret)
{
	cleanup_free char *text = NULL;
	char user[STATE_NAME_SIZE];
	size_t n = 0;
	int r;

	if (names->count == 0)
		return 0;
	*ret = malloc(spec->mount_count * sizeof(**ret));
	if (!*ret)
		return fail(ENOMEM, "volumes");
	for (size_t i = 0; i < spec->mount_count; i++)
		(*ret)[i] = (struct volume_taken){ .lock = -1, .fill = -1 };
	r = state_name(dir, id, user);
	if (r == 0)
		r = str_format(&text, "'%s' (of %s)", id, place->root);
	for (size_t i = 0; r == 0 && i < spec->mount_count && n < names->count; i++) {
		if (!spec->mounts[i].volume)
			continue;
		if (!is_taken(*ret, i, names->items[n], &r))
			r = take_one(place, spec, &spec->mounts[i], names->items[n], user, text, &(*ret)[i]);
		if (r < 0)
			r = fail_in(r, "volume '%s' on '%s'", names->items[n], spec->mounts[i].destination);
		n++;
	}
	return r;
}

void volumes_done(struct volume_taken *taken, const struct spec *spec)
{
	for (size_t i = 0; taken && i < spec->mount_count; i++) {
		free(taken[i].path);
		if (taken[i].fill >= 0)
			(void)close(taken[i].fill);
		if (taken[i].lock < 0)
			continue;
		/* Explicitly: the child has had it, too. */
		(void)flock(taken[i].lock, LOCK_UN);
		(void)close(taken[i].lock);
	}
	free(taken);
}

int volume_fill(const struct volume_taken *taken, int tree, int target)
{
	struct stat st;
	int r;

	if (taken->fill < 0)
		return 0;
	if (fstat(target, &st) < 0)
		return fail(errno, "look at the destination");
	r = tree_copy_content(&(struct tree_copy){ .one_mount = true, .owners = true, .rights = true }, target, tree);
	if (r < 0)
		return r;
	/* As docker has it, the folder itself is like the one that it covers. */
	if (fchownat(tree, ".", st.st_uid, st.st_gid, 0) < 0 || fchmodat(tree, ".", st.st_mode & 07777, 0) < 0)
		return fail(errno, "set owner and mode of the volume");
	return ftruncate(taken->fill, 0) < 0 ? fail(errno, "note that it is filled") : 0;
}

static int release_one(const struct volumes *v, const char *name, const char *user, bool remove)
{
	struct volume_info info = { .name = NULL };
	int r = volume_unuse(v, name, user);

	if (r < 0 || !remove)
		return r;
	r = volume_look(v, name, &info);
	if (r == 0 && info.anonymous && info.users.count == 0)
		r = volume_remove(v, name);
	volume_info_done(&info);
	return r < 0 ? r : 0;
}

int volumes_release(const struct container_place *place, const struct state_dir *dir, const struct state *state, const char *id,
		    bool remove)
{
	cleanup_volumes struct volumes v = VOLUMES_NONE;
	struct str_list all = { .items = NULL };
	const struct str_list *names = state ? &state->volumes : &all;
	char user[STATE_NAME_SIZE];
	int r;

	if (state && state->volumes.count == 0)
		return 0;
	r = volumes_open(place->data, false, &v);
	if (r != 0)
		return r < 0 ? r : 0;
	r = state_name(dir, id, user);
	if (r == 0 && !state)
		r = volume_list(&v, &all);
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = release_one(&v, names->items[i], user, remove);
	str_list_done(&all);
	return r;
}
