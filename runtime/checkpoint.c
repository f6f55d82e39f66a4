/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verb `checkpoint`. criu sees the container from outside; what it must not look into is named to it: the sources of
 * bind mounts, namespaces that were joined, and files of the host that the standard streams lead to. restore.c gives it the
 * same again under the same names.
 */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "cgroups/cgroup.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/criu.h"
#include "runtime/kept.h"
#include "runtime/restore-mounts.h"
#include "runtime/restore.h"
#include "runtime/spec-service.h"
#include "runtime/spec.h"

/* The container as criu is told of it. */
struct subject {
	pid_t pid;
	const struct spec *spec;
	int root;			/* the container's "/", as O_PATH */
	char *mounts;			/* its mountinfo */
	struct criu_bytes fields;
};

static int external_put(struct subject *s, const char *text)
{
	return criu_put_text(&s->fields, CRIU_EXTERNAL, text);
}

/* Where @path of the spec is in the container, links resolved: as its mountinfo has it. @ret_path: "" where it is not. */
static int place_find(const struct subject *s, const char *path, char ret_path[PATH_MAX])
{
	cleanup_fd int fd = fd_open_in(s->root, path, O_PATH, 0);
	char link[FD_PATH_MAX];
	ssize_t n;

	ret_path[0] = '\0';
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fail(-fd, "find '%s' in the container", path);
	n = readlink(fd_path(fd, link), ret_path, PATH_MAX - 1);
	if (n < 0)
		return fail(errno, "find '%s' in the container", path);
	ret_path[n] = '\0';
	return 0;
}

/* The name is the spec's own, so that a restore knows it from there; what it stands for is the place. */
static int mount_put(struct subject *s, const char *name)
{
	cleanup_free char *text = NULL;
	char place[PATH_MAX];
	int r = place_find(s, name, place);

	if (r < 0 || !place[0])
		return r;
	if (strchr(place, ']'))
		return fail_plain(ENOTSUP, "mounts: '%s': criu takes no ']' in the name of a mount", place);
	r = str_format(&text, "mnt[%s]:%s", place, name);
	return r < 0 ? r : external_put(s, text);
}

/* A folder is hidden under a tmpfs, which is the container's own. */
static int mask_put(struct subject *s, const char *path)
{
	cleanup_fd int fd = fd_open_in(s->root, path, O_PATH, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return mount_put(s, path);
}

static int mounts_put(struct subject *s)
{
	const struct str_list *masked = &s->spec->linux_.masked_paths;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->spec->mount_count; i++)
		if (s->spec->mounts[i].bind)
			r = mount_put(s, s->spec->mounts[i].destination);
	for (size_t i = 0; r == 0 && i < masked->count; i++)
		r = mask_put(s, masked->items[i]);
	return r;
}

static int namespaces_put(struct subject *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < RESTORE_NAMESPACES; i++) {
		const struct restore_namespace *ns = &restore_namespaces[i];
		cleanup_free char *text = NULL;
		char path[64];
		struct stat st;

		if (!s->spec->linux_.namespaces[ns->kind].path)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)s->pid, ns->proc);
		if (stat(path, &st) < 0)
			return fail(errno, "look at the container's %s namespace", ns->proc);
		r = str_format(&text, "%s[%llu]:%s", ns->proc, (unsigned long long)st.st_ino, ns->name);
		if (r == 0)
			r = external_put(s, text);
	}
	return r;
}

/* --- the standard streams --------------------------------------------------------------------------- */

/* Whether the container has a mount of this number. */
static bool mount_is_its(const struct subject *s, unsigned int id)
{
	char start[16];

	(void)snprintf(start, sizeof(start), "%u ", id);
	for (const char *line = s->mounts; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (str_starts(line, start))
			return true;
	return false;
}

/* criu's name for a file of the host's: where it is mounted, and its inode. */
static int file_name(const struct subject *s, int stream, char **ret_name)
{
	cleanup_free char *info = NULL;
	const char *at;
	unsigned int mount;
	char path[64];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, stream);
	if (stat(path, &st) < 0)
		return fail(errno, "look at standard stream %d", stream);
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)s->pid, stream);
	r = fd_read_file(AT_FDCWD, path, &info);
	if (r < 0)
		return r;
	at = strstr(info, "mnt_id:");
	if (!at || sscanf(at, "mnt_id: %u", &mount) != 1 || mount_is_its(s, mount))
		return 0;
	return str_format(ret_name, "file[%x:%llx]", mount, (unsigned long long)st.st_ino);
}

/* Its name as a restore has to give it: "pipe:[123]", "file[1a:2b]"; anything else is of the container itself. */
static int stream_put(struct subject *s, int stream, json_t *names)
{
	cleanup_free char *file = NULL;
	char path[64], name[PATH_MAX];
	ssize_t n;
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, stream);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0 && errno != ENOENT)
		return fail(errno, "look at standard stream %d", stream);
	name[n < 0 ? 0 : n] = '\0';
	if (name[0] == '/')
		r = file_name(s, stream, &file);
	if (r == 0 && file)
		r = external_put(s, file);
	if (r < 0)
		return r;
	return json_array_append_new(names, json_string(file ? file : name)) < 0 ? fail(ENOMEM, "note the standard streams") : 0;
}

static int streams_put(struct subject *s, int images)
{
	cleanup_json json_t *names = json_array();
	cleanup_free char *text = NULL;
	int r = names ? 0 : fail(ENOMEM, "note the standard streams");

	for (int i = 0; r == 0 && i < 3; i++)
		r = stream_put(s, i, names);
	if (r < 0)
		return r;
	text = json_text(names);
	return text ? fd_replace_file(images, RESTORE_STREAMS, text, strlen(text), 0600) : fail(ENOMEM, "note the standard streams");
}

/* --- the verb --------------------------------------------------------------------------------------- */

static int process_put(struct subject *s, const struct state *state, const struct checkpoint_options *o)
{
	const char *config = spec_annotation(s->spec, "org.criu.config");
	cleanup_free char *freezer = NULL;
	int r = criu_put_number(&s->fields, CRIU_PID, (uint64_t)s->pid);

	if (r == 0 && (o->leave_running || o->pre_dump))
		r = criu_put_number(&s->fields, CRIU_LEAVE_RUNNING, 1);
	if (r == 0 && (o->pre_dump || o->parent))
		r = criu_put_number(&s->fields, CRIU_TRACK_MEMORY, 1);
	if (r == 0)
		r = criu_put_text(&s->fields, CRIU_PARENT_IMAGES, o->parent);
	if (r == 0)
		r = criu_put_text(&s->fields, CRIU_CONFIG_FILE, config);
	if (r == 0)
		r = criu_put_text(&s->fields, CRIU_ROOT, state->rootfs);
	/* All of it stops at once, and what was paused can be written too. */
	if (r == 0 && state->cgroup_made)
		r = cgroup_folder(state->cgroup_path, &freezer);
	return r < 0 ? r : criu_put_text(&s->fields, CRIU_FREEZE_CGROUP, freezer);
}

static int subject_take(struct subject *s, const struct state *state, const struct checkpoint_options *o, int images)
{
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)s->pid);
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return fail(errno, "open the container's root");
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)s->pid);
	r = fd_read_file(AT_FDCWD, path, &s->mounts);
	if (r == 0)
		r = process_put(s, state, o);
	if (r == 0)
		r = mounts_put(s);
	if (r == 0)
		r = namespaces_put(s);
	if (r == 0)
		r = fd_replace_file(images, RESTORE_MOUNTS, s->mounts, strlen(s->mounts), 0600);
	return r < 0 ? r : streams_put(s, images);
}

static int dump(const struct state *state, const struct spec *spec, const struct checkpoint_options *o)
{
	struct subject s = { .pid = state->pid, .spec = spec, .root = -1 };
	const struct criu_job job = {
		.request = o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, .options = o, .log = "dump.log", .fields = &s.fields,
	};
	cleanup_fd int images = -1;
	int r = 0;

	if (mkdir(o->images, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make the folder of images '%s'", o->images);
	images = open(o->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (images < 0)
		return fail(errno, "open the folder of images '%s'", o->images);
	r = subject_take(&s, state, o, images);
	if (r == 0)
		r = criu_run(&job, images);
	criu_bytes_done(&s.fields);
	free(s.mounts);
	if (s.root >= 0)
		(void)close(s.root);
	return r;
}

/* A keeper would start what criu ends. */
static int judge_keeper(const struct state *state, const struct checkpoint_options *o)
{
	struct service service;
	int r = service_read(&state->annotations, &service);

	if (r == 0 && service.restart != RESTART_NO && !o->leave_running && !o->pre_dump)
		r = fail_plain(EBUSY, "its keeper would start it again at once: use --leave-running, or a container without a "
			       "restart policy");
	service_done(&service);
	return r;
}

static int checkpoint_locked(const struct state_dir *dir, const struct state *state, const struct checkpoint_options *o)
{
	struct spec *spec __attribute__((cleanup(spec_free_p))) = NULL;
	enum container_status status;
	int r = kept_status(state, &status);

	if (r < 0)
		return r;
	if (status != CONTAINER_RUNNING && status != CONTAINER_PAUSED)
		return fail_plain(EINVAL, "it is %s, not running", container_status_name(status));
	r = kept_spec(dir, &spec);
	if (r == 0)
		r = criu_judge(spec);
	if (r == 0)
		r = judge_keeper(state, o);
	if (r == 0)
		r = criu_is_there(o);
	if (r == 0)
		r = criu_cache_forget(&spec->process, NULL);
	return r < 0 ? r : dump(state, spec, o);
}

int container_checkpoint(const struct container_place *place, const char *id, const struct checkpoint_options *options)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, true, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = checkpoint_locked(&dir, &state, options);
	state_done(&state);
	state_close(&dir);
	if (r < 0)
		return fail_in(r, "checkpoint of container '%s'", id);
	/* As the other runtimes do: what is left of it stands in the way of a restore under the same name. */
	return options->leave_running || options->pre_dump ? 0 : container_delete(place, id, true);
}
