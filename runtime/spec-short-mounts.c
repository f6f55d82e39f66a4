/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short keys about files: the root made of layers, tmpfs, volumes, and device nodes. */
#include "runtime/image-root.h"
#include "runtime/spec-short-internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/spec-internal.h"
#include "runtime/volume.h"

static int fail_memory(void)
{
	return fail(ENOMEM, "make a spec");
}

int short_layers(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_json json_t *layers = json_array();
	size_t i;
	json_t *item;
	int r = short_strings_check(at, v, true);

	if (r < 0)
		return r;
	if (json_array_size(v) == 0)
		return json_fail(at, "must name at least one directory");
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		cleanup_free char *path = NULL;

		r = short_path(s, &item_at, json_string_value(item), &path);
		if (r == 0)
			r = short_append(layers, json_string(path));
		if (r < 0)
			return r;
	}
	json_decref(s->layers);
	s->layers = steal_ptr(&layers);
	json_decref(s->image);
	s->image = NULL;
	return 0;
}

int short_lower(struct short_form *s, const struct json_at *at, json_t *v)
{
	const char *word = json_string_value(v);

	if (!word || (!str_eq(word, "layers") && !str_eq(word, "erofs")))
		return json_fail(at, "must be \"layers\" or \"erofs\"");
	s->lower = str_eq(word, "erofs") ? LOWER_EROFS : LOWER_LAYERS;
	return 0;
}

/*
 * The layers of the image become the one file. It is what a machine gets unless it is told otherwise: all machines of an image
 * then share the host's memory of it. Where that cannot be had, layers do for a machine too.
 */
static int lower_finish(struct short_form *s)
{
	bool for_machine = s->lower == LOWER_DEFAULT && s->image && json_object_get(s->doc, "vm");
	cleanup_free char *path = NULL;
	json_t *layers;
	int r;

	if (s->lower != LOWER_EROFS && !for_machine)
		return 0;
	if (!s->image)
		return fail_plain(EINVAL, "lower: \"erofs\" is for an 'image'; a file that is there already can be one of the 'layers'");
	r = image_root_erofs(json_string_value(s->image), for_machine, &path);
	if (r < 0 && for_machine) {
		log_debug("vm: the image's layers are shown as folders (virtio-fs): %s", fail_text());
		return 0;
	}
	if (r < 0)
		return fail_in(r, "lower");
	layers = json_pack("[s]", path);
	if (!layers)
		return fail_memory();
	json_decref(s->layers);
	s->layers = layers;
	return 0;
}

/* Not a folder of the user's. */
static bool upper_is_word(const char *text)
{
	return str_eq(text, "tmpfs") || str_eq(text, "disk") || str_eq(text, "auto");
}

int short_upper(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_free char *path = NULL;
	json_t *upper;
	int r = 0;

	if (!json_is_string(v))
		return json_fail(at, "must be \"auto\", \"tmpfs\", \"disk\" or a directory, not %s", json_type_text(v));
	if (!upper_is_word(json_string_value(v)))
		r = short_path(s, at, json_string_value(v), &path);
	if (r < 0)
		return r;
	upper = path ? json_string(path) : json_incref(v);
	if (!upper)
		return fail_memory();
	json_decref(s->upper);
	s->upper = upper;
	return 0;
}

int short_rootfs_size(struct short_form *s, const struct json_at *at, json_t *v)
{
	char quoted[STR_QUOTE_SIZE];
	int64_t bytes;

	if (!json_clamped(v, &bytes) && !json_is_string(v))
		return json_fail(at, "must be a size, as in \"512M\", not %s", json_type_text(v));
	if (!json_clamped(v, &bytes) && str_to_bytes(json_string_value(v), &bytes) < 0)
		return json_fail(at, "%s is not a size; \"512M\" is", str_quote(quoted, json_string_value(v)));
	if (bytes < 4096)
		return json_fail(at, "must be 4096 bytes or more");
	json_decref(s->rootfs_size);
	s->rootfs_size = json_integer(bytes);
	return s->rootfs_size ? 0 : fail_memory();
}

int short_read_only(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *root = short_section(s->doc, "root");

	if (!json_is_boolean(v))
		return json_fail(at, "must be true or false, not %s", json_type_text(v));
	return root ? short_set(root, "readonly", json_incref(v)) : -EINVAL;
}

static int option_add(json_t *options, const char *key, const char *value)
{
	json_t *option = json_sprintf("%s=%s", key, value);

	return option ? short_append(options, option) : fail_memory();
}

/*
 * The options that rootfs.c reads: the order and the names are in spec-short.h. A root that the payload cannot
 * write has an upper all the same: the places that mounts need are made there before it becomes read-only.
 */
static json_t *overlay_options(const struct short_form *s)
{
	cleanup_json json_t *options = json_array();

	for (size_t i = json_array_size(s->layers); i > 0; i--) {
		if (option_add(options, "lowerdir+",
			       json_string_value(json_array_get(s->layers, i - 1))) < 0)
			return NULL;
	}
	if (!s->upper || upper_is_word(json_string_value(s->upper))) {
		if (option_add(options, "upper", s->upper ? json_string_value(s->upper) : "auto") < 0)
			return NULL;
	} else if (option_add(options, "upperdir", json_string_value(s->upper)) < 0) {
		return NULL;
	}
	if (s->rootfs_size && short_append(options, json_sprintf("size=%" JSON_INTEGER_FORMAT, json_integer_value(s->rootfs_size))) < 0)
		return NULL;
	return steal_ptr(&options);
}

static bool has_root(json_t *doc)
{
	size_t i;
	json_t *mount;

	if (json_object_get(json_object_get(doc, "root"), "path"))
		return true;
	json_array_foreach(json_object_get(doc, "mounts"), i, mount) {
		const char *destination = json_string_value(json_object_get(mount, "destination"));

		if (destination && str_eq(destination, "/"))
			return true;
	}
	return false;
}

/* A document's own overlay on "/" was merged behind the default mounts; the root comes first. */
static int root_move_first(json_t *mounts)
{
	size_t i;
	json_t *mount;

	json_array_foreach(mounts, i, mount) {
		const char *destination = json_string_value(json_object_get(mount, "destination"));
		cleanup_json json_t *kept = NULL;

		if (i == 0 || !destination || !str_eq(destination, "/"))
			continue;
		kept = json_incref(mount);
		(void)json_array_remove(mounts, i);
		return json_array_insert(mounts, 0, kept) < 0 ? fail_memory() : 0;
	}
	return 0;
}

int short_root_finish(struct short_form *s)
{
	json_t *mounts = short_list(s->doc, "mounts"), *options, *mount;

	if (!mounts)
		return -EINVAL;
	if (s->rootfs_size && (!s->layers || (s->upper && !upper_is_word(json_string_value(s->upper)))))
		return fail_plain(EINVAL, "rootfs_size: limits what is written to 'layers' or an 'image', with an 'upper' that is no "
				  "folder of yours");
	if (!s->layers) {
		if (s->upper)
			return fail_plain(
				EINVAL,
				"upper: is what changes to 'layers' go to, and there are none");
		if (!has_root(s->doc))
			return fail_plain(
				EINVAL, "there is no root file system: give 'layers' (\"layers\": "
					"[\"./rootfs\"]), or OCI's 'root' with a 'path'");
		return root_move_first(mounts);
	}
	if (has_root(s->doc))
		return fail_plain(
			EINVAL,
			"layers: the document has an OCI root of its own: give one of the two");
	if (lower_finish(s) < 0)
		return -EINVAL;
	options = overlay_options(s);
	if (!options)
		return -ENOMEM;
	mount = json_pack("{s:s, s:s, s:s, s:o}", "destination", "/", "type", "overlay", "source",
			  "overlay", "options", options);
	if (!mount)
		return fail_memory();
	return json_array_insert_new(mounts, 0, mount) < 0 ? fail_memory() : 0;
}

/* Put the words of a comma-separated list behind the options. */
static int words_append(json_t *options, char *words)
{
	char *word;

	while ((word = strsep(&words, ","))) {
		int r = *word ? short_append(options, json_string(word)) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int tmpfs_put(struct short_form *s, const struct json_at *at, const char *text)
{
	cleanup_json json_t *options = json_pack("[s, s, s]", "nosuid", "nodev", "noexec");
	json_t *mounts = short_list(s->doc, "mounts");
	cleanup_free char *path = NULL;
	char *words;
	int r;

	if (!options)
		return fail_memory();
	if (!mounts)
		return -EINVAL;
	r = str_copy(&path, text);
	if (r < 0)
		return r;
	words = strchr(path, ':');
	if (words)
		*words++ = '\0';
	if (*path != '/' || spec_path_is_root(path))
		return json_fail(at, "must begin with an absolute path, other than the root");
	r = words_append(options, words);
	if (r < 0)
		return r;
	return short_list_put(mounts, "destination",
			      json_pack("{s:s, s:s, s:s, s:O}", "destination", path, "type",
					"tmpfs", "source", "tmpfs", "options", options));
}

/* Call @put for every string of a list. */
static int each_string(struct short_form *s, const struct json_at *at, json_t *v,
		       int (*put)(struct short_form *s, const struct json_at *at, const char *text))
{
	size_t i;
	json_t *item;
	int r = short_strings_check(at, v, true);

	if (r < 0)
		return r;
	json_array_foreach(v, i, item) {
		r = put(s, &(struct json_at){ .up = at, .index = i }, json_string_value(item));
		if (r < 0)
			return r;
	}
	return 0;
}

int short_tmpfs(struct short_form *s, const struct json_at *at, json_t *v)
{
	return each_string(s, at, v, tmpfs_put);
}

/* What may stand behind a volume, and what it is in OCI. "ro" holds for what is mounted below as well. */
static const struct {
	const char *word, *options[2];
} volume_words[] = {
	{ "ro", { "ro", "rro" } },      { "rw", { "rw" } },
	{ "nosuid", { "nosuid" } },     { "suid", { "suid" } },
	{ "nodev", { "nodev" } },       { "dev", { "dev" } },
	{ "noexec", { "noexec" } },     { "exec", { "exec" } },
	{ "bind", { "bind" } },         { "rbind", { "rbind" } },
	{ "shared", { "shared" } },     { "slave", { "slave" } },
	{ "private", { "private" } },   { "unbindable", { "unbindable" } },
	{ "rshared", { "rshared" } },   { "rslave", { "rslave" } },
	{ "rprivate", { "rprivate" } }, { "runbindable", { "runbindable" } },
};

static int volume_word(const struct json_at *at, json_t *options, const char *word)
{
	static const char *const later[] = {
		"z", "Z", "U", "O", "idmap", "consistent", "cached", "delegated"
	};
	char quoted[STR_QUOTE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(volume_words); i++) {
		if (!str_eq(volume_words[i].word, word))
			continue;
		for (size_t j = 0;
		     j < ARRAY_SIZE(volume_words[i].options) && volume_words[i].options[j]; j++) {
			if (short_append(options, json_string(volume_words[i].options[j])) < 0)
				return -ENOMEM;
		}
		return 0;
	}
	(void)str_quote(quoted, word);
	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		if (str_eq(later[i], word))
			return json_fail(at, "the option %s is not supported yet", quoted);
	}
	return json_fail(at, "%s is not an option of a volume", quoted);
}

static int volume_put(struct short_form *s, const struct json_at *at, const char *text)
{
	cleanup_json json_t *options =
		json_pack("[s, s, s, s]", "rbind", "rprivate", "nosuid", "nodev");
	cleanup_free char *copy = NULL, *source = NULL;
	json_t *mounts = short_list(s->doc, "mounts");
	char *rest, *from, *to, *word, empty[] = "", quoted[STR_QUOTE_SIZE];
	bool named;
	int r;

	if (!options)
		return fail_memory();
	if (!mounts)
		return -EINVAL;
	r = str_copy(&copy, text);
	if (r < 0)
		return r;
	rest = copy;
	from = strsep(&rest, ":");
	to = strsep(&rest, ":");
	if (!to) {
		/* A path alone is a new volume's. */
		to = from;
		from = empty;
	}
	if (*to != '/' || spec_path_is_root(to))
		return json_fail(at, "%s is not an absolute path below the root",
				 str_quote(quoted, to));
	named = *from != '/' && *from != '.';
	if (named && *from && !volume_name_is_valid(from))
		return json_fail(at, "%s is no name of a volume, and a folder begins with '/' or './'",
				 str_quote(quoted, from));
	if (named && !*from && to != copy)
		return json_fail(at, "must be [NAME:]PATH, or FOLDER:PATH, with [:OPTIONS]");
	r = named ? str_copy(&source, from) : short_path(s, at, from, &source);
	if (r < 0)
		return r;
	while ((word = strsep(&rest, ":,"))) {
		if (named && str_eq(word, "copy"))
			continue;
		r = named && str_eq(word, "nocopy") ? short_append(options, json_string(word)) : volume_word(at, options, word);
		if (r < 0)
			return r;
	}
	return short_list_put(mounts, "destination",
			      json_pack("{s:s, s:s, s:s, s:O}", "destination", to, "type", named ? "volume" : "bind",
					"source", source, "options", options));
}

int short_volumes(struct short_form *s, const struct json_at *at, json_t *v)
{
	return each_string(s, at, v, volume_put);
}

/* A document without rules has no device filter: a rule would be the first, and deny all else. */
static int device_allow(struct short_form *s, const struct stat *st, const char *type,
			const char *access)
{
	json_t *rules = json_object_get(
		json_object_get(json_object_get(s->doc, "linux"), "resources"), "devices");

	if (json_array_size(rules) == 0)
		return 0;
	return short_append(rules, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1, "type", type,
					     "major", (int)major(st->st_rdev), "minor",
					     (int)minor(st->st_rdev), "access", access));
}

static int device_put(struct short_form *s, const struct json_at *at, const char *text)
{
	cleanup_free char *copy = NULL;
	json_t *devices = short_list(s->doc, "linux.devices");
	char *rest, *host, *inside, *access, quoted[STR_QUOTE_SIZE];
	const char *type;
	struct stat st;
	int r;

	if (!devices)
		return -EINVAL;
	r = str_copy(&copy, text);
	if (r < 0)
		return r;
	rest = copy;
	host = strsep(&rest, ":");
	inside = strsep(&rest, ":");
	access = rest;
	/* "/dev/x:rw" is "/dev/x:/dev/x:rw" */
	if (inside && *inside != '/' && !access) {
		access = inside;
		inside = NULL;
	}
	if (!inside)
		inside = host;
	if (*host != '/' || *inside != '/')
		return json_fail(at, "must be /dev/X[:/dev/Y[:rwm]]");
	if (access && (!*access || access[strspn(access, "rwm")]))
		return json_fail(at, "%s must be made of 'r', 'w' and 'm'",
				 str_quote(quoted, access));
	if (stat(host, &st) < 0) {
		r = -errno;
		return json_fail(at, "look at %s: %s", str_quote(quoted, host), error_text(-r));
	}
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return json_fail(at, "%s is not a device", str_quote(quoted, host));
	type = S_ISCHR(st.st_mode) ? "c" : "b";
	r = short_list_put(devices, "path",
			   json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I}", "path", inside, "type",
				     type, "major", (int)major(st.st_rdev), "minor",
				     (int)minor(st.st_rdev), "fileMode", (int)(st.st_mode & 07777),
				     "uid", (json_int_t)st.st_uid, "gid", (json_int_t)st.st_gid));
	return r < 0 ? r : device_allow(s, &st, type, access ? access : "rwm");
}

int short_devices(struct short_form *s, const struct json_at *at, json_t *v)
{
	return each_string(s, at, v, device_put);
}
