/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `mounts` list, and what the words in a mount's options mean. One table says it for every word; what
 * is in no table is the file system's own ("size=64k"). Of words that contradict each other the last
 * wins, as with mount(8). "ro" is the mount's, not the file system's: proc, sysfs and cgroup2 are one
 * super block each for the whole host. Only a file system on a device is read-only as a whole, so that
 * the device is not written either. Source: runtime-spec config.md, "Mounts"; mount_setattr(2).
 */
#include "runtime/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/spec-internal.h"
#include "runtime/volume.h"

enum option_kind {
	OPTION_NONE, /* the default, or of no meaning for a new mount */
	OPTION_SET, /* value: MOUNT_ATTR_* to set */
	OPTION_CLEAR, /* value: MOUNT_ATTR_* to clear */
	OPTION_ATIME, /* value: one of the modes under MOUNT_ATTR__ATIME */
	OPTION_ATIME_NOT, /* value: the mode that is not to be */
	OPTION_SUPER, /* value: MS_* of the file system */
	OPTION_SUPER_NOT,
	OPTION_BIND, /* value: recursive */
	OPTION_PROPAGATION, /* value: MS_* with MS_REC */
	OPTION_IDMAP, /* value: recursive */
	OPTION_TMPCOPYUP,
	OPTION_NOCOPY,
	OPTION_COPY_SYMLINK,
	OPTION_REMOUNT,
};

struct mount_option {
	const char *name;
	enum option_kind kind;
	uint64_t value;
	bool recursive; /* for the whole tree: rec_set, rec_clear */
};

/* A word, and the same word for the whole tree. */
#define BOTH(word, kind, value) \
	{ word, kind, value, false }, \
	{ \
		"r" word, kind, value, true \
	}

static const struct mount_option mount_options[] = {
	{ "defaults", OPTION_NONE, 0, false },
	BOTH("ro", OPTION_SET, MOUNT_ATTR_RDONLY),
	BOTH("rw", OPTION_CLEAR, MOUNT_ATTR_RDONLY),
	BOTH("nosuid", OPTION_SET, MOUNT_ATTR_NOSUID),
	BOTH("suid", OPTION_CLEAR, MOUNT_ATTR_NOSUID),
	BOTH("nodev", OPTION_SET, MOUNT_ATTR_NODEV),
	BOTH("dev", OPTION_CLEAR, MOUNT_ATTR_NODEV),
	BOTH("noexec", OPTION_SET, MOUNT_ATTR_NOEXEC),
	BOTH("exec", OPTION_CLEAR, MOUNT_ATTR_NOEXEC),
	BOTH("nodiratime", OPTION_SET, MOUNT_ATTR_NODIRATIME),
	BOTH("diratime", OPTION_CLEAR, MOUNT_ATTR_NODIRATIME),
	BOTH("nosymfollow", OPTION_SET, MOUNT_ATTR_NOSYMFOLLOW),
	BOTH("symfollow", OPTION_CLEAR, MOUNT_ATTR_NOSYMFOLLOW),
	BOTH("noatime", OPTION_ATIME, MOUNT_ATTR_NOATIME),
	BOTH("atime", OPTION_ATIME_NOT, MOUNT_ATTR_NOATIME),
	BOTH("relatime", OPTION_ATIME, MOUNT_ATTR_RELATIME),
	BOTH("norelatime", OPTION_ATIME_NOT, MOUNT_ATTR_RELATIME),
	BOTH("strictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME),
	BOTH("nostrictatime", OPTION_ATIME_NOT, MOUNT_ATTR_STRICTATIME),
	{ "sync", OPTION_SUPER, MS_SYNCHRONOUS, false },
	{ "async", OPTION_SUPER_NOT, MS_SYNCHRONOUS, false },
	{ "dirsync", OPTION_SUPER, MS_DIRSYNC, false },
	{ "mand", OPTION_SUPER, MS_MANDLOCK, false },
	{ "nomand", OPTION_SUPER_NOT, MS_MANDLOCK, false },
	{ "lazytime", OPTION_SUPER, MS_LAZYTIME, false },
	{ "nolazytime", OPTION_SUPER_NOT, MS_LAZYTIME, false },
	{ "silent", OPTION_SUPER, MS_SILENT, false },
	{ "loud", OPTION_SUPER_NOT, MS_SILENT, false },
	{ "iversion", OPTION_SUPER, MS_I_VERSION, false },
	{ "noiversion", OPTION_SUPER_NOT, MS_I_VERSION, false },
	{ "bind", OPTION_BIND, false, false },
	{ "rbind", OPTION_BIND, true, false },
	BOTH("shared", OPTION_PROPAGATION, MS_SHARED),
	BOTH("slave", OPTION_PROPAGATION, MS_SLAVE),
	BOTH("private", OPTION_PROPAGATION, MS_PRIVATE),
	BOTH("unbindable", OPTION_PROPAGATION, MS_UNBINDABLE),
	{ "idmap", OPTION_IDMAP, false, false },
	{ "ridmap", OPTION_IDMAP, true, false },
	{ "tmpcopyup", OPTION_TMPCOPYUP, 0, false },
	{ "nocopy", OPTION_NOCOPY, 0, false },
	{ "copy-symlink", OPTION_COPY_SYMLINK, 0, false },
	{ "remount", OPTION_REMOUNT, 0, false },
};

const char *spec_mount_option(size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
		if (n-- == 0)
			return mount_options[i].name;
	}
	return NULL;
}

static const struct mount_option *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
		if (str_eq(mount_options[i].name, name))
			return &mount_options[i];
	}
	return NULL;
}

static void attr_apply(const struct mount_option *o, uint64_t *set, uint64_t *clear)
{
	switch (o->kind) {
	case OPTION_SET:
		*set |= o->value;
		*clear &= ~o->value;
		break;
	case OPTION_CLEAR:
		*set &= ~o->value;
		*clear |= o->value;
		break;
	case OPTION_ATIME:
		/* mount_setattr(2): the mode is a number, not bits; to change it the whole field is cleared */
		*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | o->value;
		*clear |= MOUNT_ATTR__ATIME;
		break;
	case OPTION_ATIME_NOT:
		/* Back to the kernel's default, relatime. Not even that is no wish for anything else. */
		if (o->value == MOUNT_ATTR_RELATIME) {
			if ((*set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_RELATIME)
				*clear &= ~(uint64_t)MOUNT_ATTR__ATIME;
		} else if (!(*clear & MOUNT_ATTR__ATIME) ||
			   (*set & MOUNT_ATTR__ATIME) == o->value) {
			*set &= ~(uint64_t)MOUNT_ATTR__ATIME;
			*clear |= MOUNT_ATTR__ATIME;
		}
		break;
	default: break;
	}
}

static void option_apply(struct spec_mount *m, const struct mount_option *o)
{
	switch (o->kind) {
	case OPTION_SUPER: m->super_flags |= o->value; break;
	case OPTION_SUPER_NOT: m->super_flags &= ~o->value; break;
	case OPTION_BIND:
		m->bind = true;
		m->bind_recursive = o->value;
		break;
	case OPTION_PROPAGATION:
		m->propagation = o->value;
		m->propagation_recursive = o->recursive;
		break;
	case OPTION_IDMAP:
		m->idmap = true;
		m->idmap_recursive = o->value;
		break;
	case OPTION_TMPCOPYUP: m->tmpcopyup = true; break;
	case OPTION_NOCOPY: m->nocopy = true; break;
	case OPTION_COPY_SYMLINK: m->copy_symlink = true; break;
	case OPTION_REMOUNT: m->remount = true; break;
	default:
		if (o->recursive)
			attr_apply(o, &m->rec_set, &m->rec_clear);
		else
			attr_apply(o, &m->attr_set, &m->attr_clear);
	}
}

/* Remarks that mount(8) knows and no kernel: "x-systemd.automount", "_netdev", "nofail". */
static bool option_is_remark(const char *option)
{
	return str_starts(option, "x-") || str_starts(option, "X-") || str_eq(option, "_netdev") ||
	       str_eq(option, "nofail") || str_eq(option, "auto") || str_eq(option, "noauto");
}

/* Whether a file system of this type is on a device of its own, rather than in memory or on the whole host. */
static bool type_has_device(const char *type)
{
	static const char *const without[] = {
		"proc",       "sysfs",  "cgroup",      "cgroup2",  "mqueue",   "devpts",
		"tmpfs",      "ramfs",  "devtmpfs",    "overlay",  "debugfs",  "tracefs",
		"securityfs", "bpf",    "binfmt_misc", "configfs", "efivarfs", "fusectl",
		"hugetlbfs",  "pstore", "rpc_pipefs",  "nfsd",     "autofs",   "selinuxfs",
		"resctrl",    "none",   "bind",       "volume",
	};

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		if (str_eq(without[i], type))
			return false;
	}
	return true;
}

/* Of what is mounted already, its own attributes and propagation alone: the file system may be others' too. */
static int remount_finish(const struct json_at *at, struct spec_mount *m)
{
	const struct json_at options_at = { .up = at, .key = "options" };

	if (m->volume || m->tmpcopyup || m->nocopy || m->copy_symlink || m->idmap || m->uid_mapping_count || m->gid_mapping_count)
		return json_fail(at, "'remount' changes a mount that is there: it goes with no option that makes one");
	for (size_t i = 0; i < m->options.count; i++) {
		const char *option = m->options.items[i];
		const struct mount_option *o = option_find(option);
		const struct json_at option_at = { .up = &options_at, .index = i };
		char quoted[STR_QUOTE_SIZE];

		if (!option_is_remark(option) && (!o || o->kind == OPTION_SUPER || o->kind == OPTION_SUPER_NOT))
			return json_fail(&option_at, "%s is of the file system, which 'remount' leaves alone: give it to the "
					 "mount itself", str_quote(quoted, option));
	}
	m->bind = m->bind_recursive = false;
	return str_copy(&m->type, "none");
}

static int options_read(const struct json_at *at, struct spec_mount *m)
{
	const struct json_at options_at = { .up = at, .key = "options" };

	/* What is bound is known first: the meaning of unknown words depends on it. */
	m->volume = m->type && str_eq(m->type, "volume");
	m->bind = m->bind_recursive = m->volume || (m->type && str_eq(m->type, "bind"));
	for (size_t i = 0; i < m->options.count; i++) {
		const struct mount_option *o = option_find(m->options.items[i]);

		if (o)
			option_apply(m, o);
	}
	if (m->remount)
		return remount_finish(at, m);
	for (size_t i = 0; i < m->options.count; i++) {
		const char *option = m->options.items[i];
		const struct json_at option_at = { .up = &options_at, .index = i };
		char quoted[STR_QUOTE_SIZE];
		int r;

		if (option_find(option) || option_is_remark(option))
			continue;
		if (m->bind)
			return json_fail(&option_at, "%s is not an option of a bind mount",
					 str_quote(quoted, option));
		if (!*option)
			return json_fail(&option_at, "must not be empty");
		r = str_list_add(&m->fs_options, option);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_check(const struct json_at *at, const struct spec_mount *m)
{
	if (m->remount)
		return 0;
	if (m->volume && m->source && *m->source && !volume_name_is_valid(m->source))
		return json_fail(at, "'source' is no name of a volume");
	if (m->nocopy && !m->volume)
		return json_fail(at, "'nocopy' is for a mount of type volume");
	if (m->bind && !m->volume && (!m->source || !*m->source))
		return json_fail(at, "a bind mount needs a 'source'");
	if (!m->bind && (!m->type || str_eq(m->type, "none")))
		return json_fail(at, "needs a 'type', or the option 'bind' or 'rbind'");
	if (m->tmpcopyup && (m->bind || !str_eq(m->type, "tmpfs")))
		return json_fail(at, "'tmpcopyup' is for a mount of type tmpfs");
	if (m->copy_symlink && !m->bind)
		return json_fail(at, "'copy-symlink' is for a bind mount");
	if (!m->uid_mapping_count != !m->gid_mapping_count)
		return json_fail(at, "'uidMappings' and 'gidMappings' go together");
	return 0;
}

/* config.md, "Mounts": a relative one, as old tools write it, counts from the root. */
static int destination_finish(const struct json_at *at, struct spec_mount *m)
{
	const struct json_at destination_at = { .up = at, .key = "destination" };
	cleanup_free char *relative = NULL;

	if (*m->destination == '/')
		return 0;
	if (!*m->destination)
		return json_fail(&destination_at, "is empty");
	relative = m->destination;
	m->destination = NULL;
	return str_format(&m->destination, "/%s", relative);
}

int spec_mounts_finish(struct spec *spec)
{
	const struct json_at mounts_at = { .up = &JSON_ROOT, .key = "mounts" };

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct json_at at = { .up = &mounts_at, .index = i };
		struct spec_mount *m = &spec->mounts[i];
		int r;

		if (m->type && !*m->type) {
			free(m->type);
			m->type = NULL;
		}
		r = destination_finish(&at, m);
		if (r == 0)
			r = options_read(&at, m);
		if (r == 0)
			r = mount_check(&at, m);
		if (r < 0)
			return r;
		/* config.md: the mappings alone ask for it; the word says how far it goes. */
		if (m->uid_mapping_count > 0)
			m->idmap = true;
		if (!m->bind && !m->remount && (m->attr_set & MOUNT_ATTR_RDONLY) && type_has_device(m->type))
			m->super_flags |= MS_RDONLY;
	}
	return 0;
}

#define MOUNT(member) offsetof(struct spec_mount, member)

const struct json_field spec_mount_fields[] = {
	{ "destination", json_get_string, MOUNT(destination), JSON_REQUIRED, NULL,
	  "where, inside; made when missing" },
	{ "type", json_get_string, MOUNT(type), 0, NULL,
	  "file system; 'bind' or 'none' with a bind option: a part of the host's tree; 'volume'" },
	{ "source", json_get_string, MOUNT(source), 0, NULL,
	  "device, or path to bind, relative to the bundle; a volume's name, or none for a new one" },
	{ "options", json_get_strings, MOUNT(options), 0, NULL,
	  "as in fstab(5); unknown words go to the file system" },
	{ "uidMappings", spec_get_id_maps, MOUNT(uid_mappings), 0, &spec_id_map_items,
	  "the mount shows owners through this map" },
	{ "gidMappings", spec_get_id_maps, MOUNT(gid_mappings), 0, &spec_id_map_items,
	  "and groups through this one" },
	{ 0 },
};

const struct spec_getter spec_mount_getters[] = {
	{ NULL, NULL, SPEC_LEAF },
};

void spec_mount_done(struct spec_mount *m)
{
	free(m->destination);
	free(m->type);
	free(m->source);
	str_list_done(&m->options);
	str_list_done(&m->fs_options);
	free(m->uid_mappings);
	free(m->gid_mappings);
}
