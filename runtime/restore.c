/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verb `restore`. criu is born in the container's cgroup, and goes into a cgroup namespace and a mount namespace of its own:
 * what it makes then is in the right cgroup, charged for its memory, and sees it as "/". In that mount namespace the root is
 * bound to a place of its own, as criu wants it, with the sources of all mounts beside it, and nobody else sees them there.
 *
 * Whoever can write to the images, or to the root meanwhile, decides what runs: both have to be as trusted as we are.
 */
#include "runtime/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/bundle.h"
#include "runtime/checkpoint.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/lsm.h"
#include "runtime/parent.h"
#include "runtime/restore-mounts.h"
#include "runtime/target.h"

#define PLACES_NAME "criu"

/* Others are joined by their path (join_ns). */
const struct restore_namespace restore_namespaces[RESTORE_NAMESPACES] = {
	{ NS_NETWORK, "net", "extRootNetNS" },
	{ NS_PID, "pid", "extRootPidNS" },
};

struct restore {
	struct parent *parent;
	const struct restore_points *points;
	char *places;			/* folder where criu finds what it mounts: by the number of its mount in the spec, */
	char *root;			/* and the root */
	int images;
	struct criu_bytes fields;
	struct str_list streams;	/* of RESTORE_STREAMS */
};

int restore_judge(struct parent *p)
{
	int r = criu_judge(p->spec);

	if (r == 0 && !p->spec->root_path)
		r = fail_plain(EINVAL, "root.path: is required");
	if (r == 0)
		r = lsm_check_restore(p->checkpoint->lsm_profile, p->checkpoint->lsm_mount_context);
	if (r == 0)
		r = criu_cache_forget(&p->spec->process, p->checkpoint->lsm_profile);
	return r < 0 ? r : criu_is_there(p->checkpoint);
}

/* --- in criu's process ------------------------------------------------------------------------------ */

static int stdio_give(const struct container_options *o)
{
	for (int i = 0; i < 3; i++)
		if (o->stdio[i] >= 0 && dup2(o->stdio[i], i) < 0)
			return fail(errno, "hand on standard stream %d", i);
	return 0;
}

static int place_path(const struct restore *r, size_t number, char **ret_path)
{
	return str_format(ret_path, "%s/%zu", r->places, number);
}

/*
 * Bind @source on @place, with attributes. criu would set them itself, but takes those of a second mount of one file system for
 * set when the first had the same: so what it binds has them already.
 */
static int source_show(const char *source, const char *place, bool recursive, struct mount_attr attr, struct mount_attr deep)
{
	struct stat st;
	int fd;

	if (stat(source, &st) < 0)
		return fail(errno, "source '%s'", source);
	fd = S_ISDIR(st.st_mode) ? mkdir(place, 0700) : open(place, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(errno, "make '%s'", place);
	if (fd > 0)
		(void)close(fd);
	if (mount(source, place, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL) < 0)
		return fail(errno, "bind '%s'", source);
	attr.attr_clr |= (attr.attr_set | attr.attr_clr) & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0;
	deep.attr_clr |= (deep.attr_set | deep.attr_clr) & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0;
	deep.propagation = MS_PRIVATE;
	if (mount_setattr(AT_FDCWD, place, AT_RECURSIVE, &deep, sizeof(deep)) < 0 ||
	    mount_setattr(AT_FDCWD, place, 0, &attr, sizeof(attr)) < 0)
		return fail(errno, "set the options of '%s'", source);
	return 0;
}

static int sources_show(const struct restore *r)
{
	const struct spec *spec = r->parent->spec;
	const struct mount_attr none = { .attr_set = 0 }, mask = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
	int err = 0;

	for (size_t i = 0; err == 0 && i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];
		cleanup_free char *source = NULL, *place = NULL;

		if (!m->bind)
			continue;
		err = bundle_path(r->parent->bundle->folder, m->source, &source);
		if (err == 0)
			err = place_path(r, i, &place);
		if (err == 0)
			err = source_show(source, place, m->bind_recursive,
					  (struct mount_attr){ .attr_set = m->attr_set, .attr_clr = m->attr_clear },
					  (struct mount_attr){ .attr_set = m->rec_set, .attr_clr = m->rec_clear });
	}
	if (err == 0 && spec->linux_.masked_paths.count) {
		cleanup_free char *place = NULL;

		err = place_path(r, spec->mount_count, &place);
		if (err == 0)
			err = source_show("/dev/null", place, false, mask, none);
	}
	return err;
}

static int root_show(const struct restore *r)
{
	const struct mount_attr none = { .attr_set = 0 };
	int err;

	if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail(errno, "change the propagation of '/'");
	if (mount("tmpfs", r->places, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0 || mount("", r->places, NULL, MS_PRIVATE, NULL) < 0)
		return fail(errno, "mount a tmpfs on '%s'", r->places);
	err = source_show(r->parent->state.rootfs, r->root, true, none, none);
	return err < 0 ? fail_in(err, "root") : sources_show(r);
}

static int enter(void *arg)
{
	const struct restore *restore = arg;
	const struct parent *p = restore->parent;
	int flags = CLONE_NEWNS, r = 0;

	if (p->spec->linux_.namespaces[NS_CGROUP].wanted)
		flags |= CLONE_NEWCGROUP;
	if (p->cgroup.fd >= 0)
		r = cgroup_attach(&p->cgroup, getpid());
	if (r < 0)
		return r;
	if (unshare(flags) < 0)
		return fail(errno, "make namespaces for criu");
	/* Debian 12's criu forgets it. What is made has it from us, and criu itself, being root already, gains nothing by execve. */
	if (p->spec->process.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(errno, "process.noNewPrivileges");
	r = root_show(restore);
	for (size_t i = 0; r == 0 && i < RESTORE_NAMESPACES; i++) {
		int fd = p->plan.joins[restore_namespaces[i].kind];

		if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
			r = fail(errno, "hand on a namespace");
	}
	return r < 0 ? r : stdio_give(p->options);
}

/* --- what it tells ---------------------------------------------------------------------------------- */

static int notify(void *arg, const char *script, pid_t pid, int fd)
{
	const struct restore *restore = arg;
	struct parent *p = restore->parent;

	if (str_eq(script, "orphan-pts-master")) {
		if (fd < 0 || p->child.console_sock < 0)
			return fail_plain(EINVAL, "it has a terminal, which --console-socket would take");
		return console_send(p->child.console_sock, fd);
	}
	if (str_eq(script, "setup-namespaces"))
		return restore->points->namespaces_made(p, pid);
	if (str_eq(script, "post-restore")) {
		int r = restore_mounts(restore->images, pid);

		return r < 0 ? r : restore->points->processes_made(p, pid);
	}
	return 0;
}

/* --- what it is told -------------------------------------------------------------------------------- */

static int external_put(struct restore *r, const char *name, const char *source)
{
	cleanup_free char *text = NULL;
	int err = str_format(&text, "mnt[%s]:%s", name, source);

	return err < 0 ? err : criu_put_text(&r->fields, CRIU_EXTERNAL, text);
}

static int mounts_put(struct restore *r)
{
	const struct spec *spec = r->parent->spec;
	const struct str_list *masked = &spec->linux_.masked_paths;
	int err = 0;

	for (size_t i = 0; err == 0 && i < spec->mount_count; i++) {
		cleanup_free char *place = NULL;

		if (!spec->mounts[i].bind)
			continue;
		err = place_path(r, i, &place);
		if (err == 0)
			err = external_put(r, spec->mounts[i].destination, place);
	}
	for (size_t i = 0; err == 0 && i < masked->count; i++) {
		cleanup_free char *place = NULL;

		err = place_path(r, spec->mount_count, &place);
		if (err == 0)
			err = external_put(r, masked->items[i], place);
	}
	return err;
}

static int descriptor_put(struct restore *r, const char *name, int fd)
{
	struct criu_bytes message = { .data = NULL };
	int err = criu_put_text(&message, 1, name);

	if (err == 0)
		err = criu_put_number(&message, 2, (uint64_t)fd);
	if (err == 0)
		err = criu_put_message(&r->fields, CRIU_INHERIT_FD, &message);
	criu_bytes_done(&message);
	return err;
}

static int join_put(struct restore *r, const char *kind, const char *path)
{
	struct criu_bytes message = { .data = NULL };
	int err = criu_put_text(&message, 1, kind);

	if (err == 0)
		err = criu_put_text(&message, 2, path);
	if (err == 0)
		err = criu_put_message(&r->fields, CRIU_JOIN_NS, &message);
	criu_bytes_done(&message);
	return err;
}

static int namespaces_put(struct restore *r)
{
	static const enum spec_ns by_path[] = { NS_IPC, NS_UTS };
	const struct parent *p = r->parent;
	int err = 0;

	for (size_t i = 0; err == 0 && i < RESTORE_NAMESPACES; i++)
		if (p->plan.joins[restore_namespaces[i].kind] >= 0)
			err = descriptor_put(r, restore_namespaces[i].name, p->plan.joins[restore_namespaces[i].kind]);
	for (size_t i = 0; err == 0 && i < ARRAY_SIZE(by_path); i++)
		if (p->spec->linux_.namespaces[by_path[i]].path)
			err = join_put(r, spec_namespace_name(by_path[i]), p->spec->linux_.namespaces[by_path[i]].path);
	return err;
}

static int streams_put(struct restore *r, int images)
{
	static const struct json_field fields[] = {
		{ "streams", json_get_strings, 0, JSON_REQUIRED, NULL, NULL },
		{ .name = NULL },
	};
	cleanup_json json_t *v = NULL, *object = NULL;
	int err = json_read_at(images, RESTORE_STREAMS, NULL, &v);

	if (err < 0)
		return err;
	object = json_pack("{s:O}", "streams", v);
	err = object ? json_object_read(&JSON_ROOT, object, fields, 0, &r->streams) : fail(ENOMEM, "read '%s'", RESTORE_STREAMS);
	for (size_t i = 0; err == 0 && i < r->streams.count && i < 3; i++)
		if (str_starts(r->streams.items[i], "pipe:[") || str_starts(r->streams.items[i], "file["))
			err = descriptor_put(r, r->streams.items[i], (int)i);
	return err;
}

static int fields_put(struct restore *r, int images)
{
	const struct checkpoint_options *o = r->parent->checkpoint;
	int err = criu_put_number(&r->fields, CRIU_RESTORE_SIBLING, 1);

	if (err == 0)
		err = criu_put_number(&r->fields, CRIU_NOTIFY_SCRIPTS, 1);
	if (err == 0)
		err = criu_put_text(&r->fields, CRIU_ROOT, r->root);
	if (err == 0)
		err = criu_put_text(&r->fields, CRIU_CONFIG_FILE, spec_annotation(r->parent->spec, "org.criu.config"));
	if (err == 0)
		err = criu_put_text(&r->fields, CRIU_LSM_PROFILE, o->lsm_profile);
	if (err == 0)
		err = criu_put_text(&r->fields, CRIU_LSM_MOUNT_CONTEXT, o->lsm_mount_context);
	if (err == 0)
		err = mounts_put(r);
	if (err == 0)
		err = namespaces_put(r);
	return err < 0 ? err : streams_put(r, images);
}

/* --- places for the mounts -------------------------------------------------------------------------- */

static bool lies_in(const char *path, const char *folder)
{
	const char *rest = str_starts(path, folder);

	return rest && *rest == '/';
}

/* Below a file system that is the container's own the place is in the images. */
static bool place_is_ours(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->mount_count; i++)
		if (lies_in(path, spec->mounts[i].destination))
			return false;
	return true;
}

/* The root may be a new copy of the image, which has had no container yet. */
static int places_make(const struct parent *p)
{
	cleanup_fd int root = open(p->state.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (root < 0)
		return fail(errno, "root '%s'", p->state.rootfs);
	for (size_t i = 0; i < p->spec->mount_count; i++) {
		const struct spec_mount *m = &p->spec->mounts[i];
		cleanup_free char *source = NULL;
		cleanup_fd int place = -1;
		enum target_kind kind = TARGET_DIRECTORY;
		struct stat st;

		if (!place_is_ours(p->spec, m->destination))
			continue;
		if (m->bind) {
			r = bundle_path(p->bundle->folder, m->source, &source);
			if (r < 0)
				return r;
			if (stat(source, &st) < 0)
				return fail(errno, "mounts[%zu].source: '%s'", i, source);
			kind = S_ISDIR(st.st_mode) ? TARGET_DIRECTORY : TARGET_FILE;
		}
		place = target_make(root, m->destination, kind);
		if (place < 0)
			return fail_in(place, "mounts[%zu].destination: '%s'", i, m->destination);
	}
	return 0;
}

/* --- the step --------------------------------------------------------------------------------------- */

static int restore_run(struct restore *r)
{
	const struct checkpoint_options *o = r->parent->checkpoint;
	const struct criu_job job = {
		.request = CRIU_RESTORE, .options = o, .log = "restore.log", .fields = &r->fields,
		.enter = enter, .notify = notify, .arg = r,
	};
	cleanup_fd int images = open(o->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (images < 0)
		return fail(errno, "open the folder of images '%s'", o->images);
	r->images = images;
	err = places_make(r->parent);
	if (err == 0)
		err = fields_put(r, images);
	return err < 0 ? err : criu_run(&job, images);
}

int restore_processes(struct parent *p, const struct restore_points *points)
{
	struct restore r = { .parent = p, .points = points };
	int err = str_format(&r.places, "%s/%s/" PLACES_NAME, p->place->root, p->options->id);

	if (err == 0)
		err = str_format(&r.root, "%s/root", r.places);
	if (err == 0 && mkdirat(p->dir.fd, PLACES_NAME, 0700) < 0)
		err = fail(errno, "make '%s'", r.places);
	if (err == 0)
		err = restore_run(&r);
	/* What was mounted there was seen by criu alone, and is gone with it. */
	if (unlinkat(p->dir.fd, PLACES_NAME, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("remove '%s': %s, ignoring", r.places, error_text(errno));
	criu_bytes_done(&r.fields);
	str_list_done(&r.streams);
	free(r.places);
	free(r.root);
	return err;
}
