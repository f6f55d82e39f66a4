/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * images, inspect, history: what the store holds, as tables or JSON. Texts that come from an image are made fit for a
 * terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/nacelle-image/verb.h"
#include "runtime/base/json.h"

enum { ID_SHORT = 12 };

static int format_check(const struct settings *settings, const char *verb)
{
	if (settings->format && !str_eq(settings->format, "json") && !str_eq(settings->format, "table"))
		return usage_fail(verb, "--format: 'table' or 'json', not '%s'", settings->format);
	return 0;
}

static bool is_json(const struct settings *settings)
{
	return settings->format && str_eq(settings->format, "json");
}

static const char *time_text(char buf[32], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(buf, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(buf, 32, "-");
	return buf;
}

static int json_print(const json_t *v)
{
	if (json_dumpf(v, stdout, JSON_INDENT(2)) < 0)
		return fail(ENOMEM, "print JSON");
	(void)printf("\n");
	return 0;
}

static json_t *image_json(const struct image *image, const char *name)
{
	return json_pack("{ss* ss ss sI sI si}", "name", name, "id", image->config, "digest", image->manifest, "size",
			 (json_int_t)image->size, "added", (json_int_t)image->added, "layers",
			 (int)image->layer_count);
}

static int row_print(const struct settings *settings, const struct image *image, const char *name, json_t *list)
{
	const char *id = strchr(image->config, ':') + 1, *tag = name ? strrchr(name, ':') : NULL,
		   *at = name ? strchr(name, '@') : NULL;
	char size[SIZE_TEXT], added[32];

	if (list)
		return json_array_append_new(list, image_json(image, name)) < 0 ? fail(ENOMEM, "images") : 0;
	if (settings->quiet) {
		(void)printf("%.*s\n", settings->no_trunc ? (int)strlen(id) : ID_SHORT, id);
		return 0;
	}
	if (at)
		tag = NULL;
	(void)printf("%-40.*s  %-16s  %-*.*s  %-16s  %s\n",
		     name ? (int)(tag ? tag - name : at ? at - name : (long)strlen(name)) : 6, name ? name : "<none>",
		     tag ? tag + 1 : "<none>", ID_SHORT, settings->no_trunc ? (int)strlen(id) : ID_SHORT, id,
		     time_text(added, image->added), size_text(size, image->size));
	return 0;
}

/* Names first, then the images that have none. */
static int rows_print(const struct settings *settings, const struct store *store, json_t *list)
{
	struct str_list all = { .items = NULL };
	struct image_name *names = NULL;
	size_t count = 0;
	int r = image_names(store, &names, &count);

	for (size_t i = 0; i < count && r >= 0; i++) {
		cleanup_image struct image *image = NULL;

		r = image_load(store, names[i].manifest, &image);
		if (r == 0)
			r = row_print(settings, image, names[i].name, list);
	}
	if (r >= 0)
		r = image_list(store, &all);
	for (size_t i = 0; i < all.count && r >= 0; i++) {
		cleanup_image struct image *image = NULL;
		size_t n = 0;

		while (n < count && !str_eq(names[n].manifest, all.items[i]))
			n++;
		if (n < count)
			continue;
		r = image_load(store, all.items[i], &image);
		if (r == 0)
			r = row_print(settings, image, NULL, list);
	}
	str_list_done(&all);
	image_names_free(names, count);
	return r < 0 ? r : 0;
}

int verb_images(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	cleanup_json json_t *list = is_json(settings) ? json_array() : NULL;
	int r = format_check(settings, "images");

	(void)count;
	(void)operands;
	if (r >= 0)
		r = store_look(settings, &store);
	if (r < 0)
		return r;
	if (!list && !settings->quiet)
		(void)printf("%-40s  %-16s  %-12s  %-16s  %s\n", "REPOSITORY", "TAG", "IMAGE ID", "ADDED", "SIZE");
	r = r == STORE_NOT_FOUND ? 0 : rows_print(settings, store, list);
	return r < 0 || !list ? r : json_print(list);
}

static int names_of(const struct store *store, const struct image *image, json_t *ret)
{
	struct image_name *names = NULL;
	size_t count = 0;
	int r = image_names(store, &names, &count);

	for (size_t i = 0; i < count && r >= 0; i++) {
		if (str_eq(names[i].manifest, image->manifest) &&
		    json_array_append_new(ret, json_string(names[i].name)) < 0)
			r = fail(ENOMEM, "names of images");
	}
	image_names_free(names, count);
	return r;
}

int verb_inspect(const struct settings *settings, size_t count, char **operands)
{
	cleanup_json json_t *names = json_array(), *layers = json_array(), *config = NULL, *v = NULL;
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	int r = format_check(settings, "inspect");

	(void)count;
	if (r >= 0)
		r = store_look(settings, &store);
	if (r >= 0)
		r = image_need(store, operands[0], &image, NULL);
	if (r >= 0)
		r = image_config(store, image, &config);
	if (r >= 0)
		r = names_of(store, image, names);
	for (size_t i = 0; r >= 0 && i < image->layer_count; i++) {
		const struct image_layer *l = &image->layers[i];

		(void)json_array_append_new(layers, json_pack("{ss ss ss sI}", "blob", l->blob, "diff", l->diff, "chain",
							      l->chain, "size", (json_int_t)l->size));
	}
	if (r < 0)
		return r;
	v = json_pack("{ss ss ss sO sI sI sO sO}", "id", image->config, "digest", image->manifest, "mediaType",
		      image->media_type, "names", names, "size", (json_int_t)image->size, "added",
		      (json_int_t)image->added, "layers", layers, "config", config);
	return v ? json_print(v) : fail(ENOMEM, "inspect");
}

static void step_print(const struct settings *settings, const json_t *step, const struct image *image, size_t *layer)
{
	const char *by = json_string_value(json_object_get(step, "created_by")),
		   *when = json_string_value(json_object_get(step, "created"));
	char text[1024], created[32], size[SIZE_TEXT];
	int64_t bytes = 0;

	if (!json_is_true(json_object_get(step, "empty_layer")) && *layer < image->layer_count)
		bytes = image->layers[(*layer)++].size;
	str_printable(text, settings->no_trunc ? sizeof(text) : 64, by ? by : "");
	str_printable(created, 20, when ? when : "-");
	(void)printf("%-20s  %-9s  %s\n", created, size_text(size, bytes), text);
}

int verb_history(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_json json_t *config = NULL;
	size_t layer = 0, index;
	json_t *steps, *step;
	int r = format_check(settings, "history");

	(void)count;
	if (r >= 0)
		r = store_look(settings, &store);
	if (r >= 0)
		r = image_need(store, operands[0], &image, NULL);
	if (r >= 0)
		r = image_config(store, image, &config);
	if (r < 0)
		return r;
	steps = json_object_get(config, "history");
	if (is_json(settings)) {
		cleanup_json json_t *none = json_array();

		return json_print(json_is_array(steps) ? steps : none);
	}
	(void)printf("%-20s  %-9s  %s\n", "CREATED", "SIZE", "CREATED BY");
	json_array_foreach(steps, index, step)
		step_print(settings, step, image, &layer);
	return 0;
}
