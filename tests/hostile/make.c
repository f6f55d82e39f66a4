/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image after a case: the layer first, then what names it, each document filled in from what was made before it, so
 * that only the case's own words lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/digest.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "tests/hostile/hostile.h"

#define MEDIA "application/vnd.oci.image."
#define LAYER "{\"mediaType\":\"" MEDIA "layer.v1.tar$PACKING\",\"digest\":\"$LDIGEST\",\"size\":$LSIZE}"

static const char *const templates[] = {
	[PART_LAYOUT] = "{\"imageLayoutVersion\":\"1.0.0\"}",
	[PART_INDEX] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA "manifest.v1+json\",\"digest\":\"$MDIGEST\",\"size\":$MSIZE}]}",
	[PART_MANIFEST] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA "manifest.v1+json\",\"config\":{\"mediaType\":\"" MEDIA
			  "config.v1+json\",\"digest\":\"$CDIGEST\",\"size\":$CSIZE},\"layers\":[$LAYERS]}",
	[PART_LAYER] = LAYER,
	[PART_CONFIG] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"true\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"$DIFF\"]}}",
};
static const char docker_manifest[] = "[{\"Config\":\"config.json\",\"RepoTags\":[\"named:latest\"],\"Layers\":[\"layer.tar\"]}]";

/* What a placeholder stands for. */
struct value {
	const char *name;
	char text[DIGEST_TEXT];
};

struct making {
	const struct hostile *h;
	const char *outside;
	int dir;
	struct value values[10];
	size_t count;
	char base_item[512], base_diff[DIGEST_TEXT];	/* of the honest layer below, "" */
};

static void need(bool ok)
{
	if (!ok) {
		perror("hostile");
		abort();
	}
}

static void value_set(struct making *m, const char *name, const char *text)
{
	m->values[m->count] = (struct value){ .name = name };
	(void)snprintf(m->values[m->count].text, DIGEST_TEXT, "%s", text);
	m->count++;
}

/* @text with its first @from, or all of them, as @to, @times times. Return: the caller's; frees @text. */
static char *replaced(char *text, const char *from, const char *to, int times, bool all)
{
	size_t from_len = strlen(from), to_len = strlen(to), n = times > 0 ? (size_t)times : 1;
	char *at = strstr(text, from);

	while (at) {
		size_t before = (size_t)(at - text), after = strlen(at + from_len);
		char *grown = malloc(before + to_len * n + after + 1);

		need(grown != NULL);
		memcpy(grown, text, before);
		for (size_t i = 0; i < n; i++)
			memcpy(grown + before + i * to_len, to, to_len);
		memcpy(grown + before + n * to_len, at + from_len, after + 1);
		free(text);
		text = grown;
		at = all ? strstr(text + before + n * to_len, from) : NULL;
	}
	return text;
}

static char *filled(const struct making *m, enum part part, const char *template)
{
	char *text = strdup(template);

	for (size_t i = 0; i < ARRAY_SIZE(m->h->edits); i++) {
		const struct edit *e = &m->h->edits[i];

		if (e->part != part)
			continue;
		/* a case whose words are not there would be an honest one */
		need(!e->from || strstr(text, e->from));
		text = e->from ? replaced(text, e->from, e->to, e->times, false) : replaced(text, text, e->to, 0, false);
	}
	for (size_t i = 0; i < m->count; i++)
		text = replaced(text, m->values[i].name, m->values[i].text, 0, true);
	return text;
}

static void file_put(int dir, const char *path, const void *data, size_t size)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)close(fd);
}

/* A file under its digest; @ret_digest: of what is written. */
static void blob_put(const struct making *m, const void *data, size_t size, char ret_digest[DIGEST_TEXT])
{
	char path[DIGEST_TEXT + 16];

	need(digest_of(data, size, ret_digest) == 0);
	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", strchr(ret_digest, ':') + 1);
	file_put(m->dir, path, data, size);
}

static void entries_add(const struct making *m, struct tar *t)
{
	for (size_t i = 0; i < ENTRIES_MAX && m->h->entries[i].name; i++) {
		struct tar_entry e = m->h->entries[i];
		char *name = replaced(strdup(e.name), "@OUT", m->outside, 0, true);
		char *link = replaced(strdup(e.link ? e.link : ""), "@OUT", m->outside, 0, true);

		e.name = name;
		e.link = e.link ? link : NULL;
		tar_add(t, &e);
		free(name);
		free(link);
	}
}

static void packed(struct tar *t, char packer)
{
	struct tar out = { .data = NULL };
	char chunk[4096];
	ssize_t n;
	int fd = tar_fd(t, packer);

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		tar_raw(&out, chunk, (size_t)n);
	(void)close(fd);
	tar_free(t);
	*t = out;
}

/* The layer as it is handed over, and its diff id. */
static void layer_make(const struct making *m, struct tar *t, char ret_diff[DIGEST_TEXT])
{
	const struct hostile *h = m->h;
	struct tar plain = { .data = NULL };

	if (h->form == FORM_LAYOUT)
		entries_add(m, t);
	tar_add(t, &(struct tar_entry){ .type = '0', .name = "last", .text = "1" });
	tar_end(t);
	tar_raw(&plain, t->data, t->size);
	packed(t, h->packer);
	if (h->cut)
		t->size = t->size * (size_t)h->cut / 8;
	if (h->flip)
		t->data[t->size * (size_t)h->flip / 8] ^= 0x55;
	if (h->cut && !h->stale && !h->packer) {
		tar_free(&plain);
		tar_raw(&plain, t->data, t->size);
	}
	need(digest_of(plain.data, plain.size, ret_diff) == 0);
	tar_free(&plain);
}

/* d/f, and a link out of the image: what an honest image may have, since nobody follows it outside a container. */
static void base_make(struct making *m)
{
	struct tar t = { .data = NULL };
	char link[4096];

	(void)snprintf(link, sizeof(link), "%s", m->outside);
	tar_add(&t, &(struct tar_entry){ .type = '5', .name = "d" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/f", .text = "below" });
	tar_add(&t, &(struct tar_entry){ .type = '2', .name = "out", .link = link });
	tar_end(&t);
	blob_put(m, t.data, t.size, m->base_diff);
	(void)snprintf(m->base_item, sizeof(m->base_item),
		       "{\"mediaType\":\"" MEDIA "layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu},", m->base_diff, t.size);
	tar_free(&t);
}

static void size_set(struct making *m, const char *name, size_t size)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%zu", size);
	value_set(m, name, text);
}

static void layout_make(struct making *m)
{
	struct tar layer = { .data = NULL };
	char digest[DIGEST_TEXT], diff[DIGEST_TEXT];
	char *layers, *text, *template;

	need(mkdirat(m->dir, "blobs", 0700) == 0 && mkdirat(m->dir, "blobs/sha256", 0700) == 0);
	if (m->h->upper)
		base_make(m);
	layer_make(m, &layer, diff);
	blob_put(m, layer.data, layer.size, digest);
	value_set(m, "$PACKING", m->h->packer == 'g' ? "+gzip" : m->h->packer ? "+zstd" : "");
	value_set(m, "$LDIGEST", digest);
	size_set(m, "$LSIZE", layer.size);
	tar_free(&layer);
	template = strdup(templates[PART_CONFIG]);
	if (m->h->upper) {
		template = replaced(template, "\"$DIFF\"", "\"$BASE\",\"$DIFF\"", 0, false);
		value_set(m, "$BASE", m->base_diff);
	}
	value_set(m, "$DIFF", diff);
	text = filled(m, PART_CONFIG, template);
	free(template);
	blob_put(m, text, strlen(text), digest);
	value_set(m, "$CDIGEST", digest);
	size_set(m, "$CSIZE", strlen(text));
	free(text);

	layers = filled(m, PART_LAYER, templates[PART_LAYER]);
	template = filled(m, PART_MANIFEST, templates[PART_MANIFEST]);
	if (m->h->upper)
		template = replaced(template, "$LAYERS", "$UNDER$LAYERS", 0, false);
	template = replaced(template, "$UNDER", m->base_item, 0, false);
	template = replaced(template, "$LAYERS", layers, 0, true);
	blob_put(m, template, strlen(template), digest);
	value_set(m, "$MDIGEST", digest);
	size_set(m, "$MSIZE", strlen(template));
	free(template);
	free(layers);

	text = filled(m, PART_INDEX, templates[PART_INDEX]);
	file_put(m->dir, "index.json", text, strlen(text));
	free(text);
	text = filled(m, PART_LAYOUT, templates[PART_LAYOUT]);
	file_put(m->dir, "oci-layout", text, strlen(text));
	free(text);
}

static void docker_make(struct making *m)
{
	struct tar layer = { .data = NULL };
	char diff[DIGEST_TEXT], *text;

	layer_make(m, &layer, diff);
	file_put(m->dir, "layer.tar", layer.data, layer.size);
	tar_free(&layer);
	value_set(m, "$DIFF", diff);
	text = filled(m, PART_CONFIG, templates[PART_CONFIG]);
	file_put(m->dir, "config.json", text, strlen(text));
	free(text);
	text = filled(m, PART_MANIFEST, docker_manifest);
	file_put(m->dir, "manifest.json", text, strlen(text));
	free(text);
}

static void harm_size(int dir, const char *path, enum harm harm)
{
	int fd = openat(dir, path, O_RDWR | O_CLOEXEC);
	struct stat st;
	char byte;

	need(fd >= 0 && fstat(fd, &st) == 0);
	switch (harm) {
	case HARM_EMPTY: need(ftruncate(fd, 0) == 0); break;
	case HARM_SHORTER: need(ftruncate(fd, st.st_size / 2) == 0); break;
	case HARM_LONGER: need(pwrite(fd, "x", 1, st.st_size) == 1); break;
	case HARM_HUGE: need(ftruncate(fd, 1LL << 40) == 0); break;
	default:
		need(pread(fd, &byte, 1, st.st_size / 2) == 1);
		byte ^= 0x15;
		need(pwrite(fd, &byte, 1, st.st_size / 2) == 1);
	}
	(void)close(fd);
}

static void harm_do(const struct making *m, const char *path)
{
	char up[256];

	if (m->h->harm >= HARM_EMPTY && m->h->harm <= HARM_HUGE) {
		harm_size(m->dir, path, m->h->harm);
		return;
	}
	need(unlinkat(m->dir, path, 0) == 0);
	(void)snprintf(up, sizeof(up), "%s../outside/keep", strchr(path, '/') ? "../../" : "");
	switch (m->h->harm) {
	case HARM_PIPE: need(mkfifoat(m->dir, path, 0600) == 0); break;
	case HARM_DEVICE: need(mknodat(m->dir, path, S_IFCHR | 0600, makedev(1, 5)) == 0); break;
	case HARM_FOLDER: need(mkdirat(m->dir, path, 0700) == 0); break;
	case HARM_LINK_OUT: need(symlinkat(up, m->dir, path) == 0); break;
	case HARM_LINK_ABSOLUTE: need(symlinkat("/etc/passwd", m->dir, path) == 0); break;
	case HARM_LINK_LOOP: need(symlinkat(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, m->dir, path) == 0); break;
	default: break;
	}
}

static void harm(const struct making *m)
{
	char path[DIGEST_TEXT + 16];

	if (!m->h->file)
		return;
	(void)snprintf(path, sizeof(path), "%s", m->h->file);
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->values[i].name, m->h->file) == 0)
			(void)snprintf(path, sizeof(path), "blobs/sha256/%s", strchr(m->values[i].text, ':') + 1);
	}
	harm_do(m, path);
}

/* The folder as an archive, by tar(1), behind the case's own entries, which count first. */
static void archive_make(const struct making *m, const char *path)
{
	struct tar t = { .data = NULL };
	char command[4096], chunk[8192];
	FILE *tar;
	size_t n;

	entries_add(m, &t);
	(void)snprintf(command, sizeof(command), "tar -C '%s/case' --sparse --exclude=./archive -cf - .", path);
	tar = popen(command, "re");
	need(tar != NULL);
	while ((n = fread(chunk, 1, sizeof(chunk), tar)) > 0)
		tar_raw(&t, chunk, n);
	need(pclose(tar) == 0);
	file_put(m->dir, "archive", t.data, t.size);
	tar_free(&t);
}

char *hostile_make(const struct hostile *h, int dir, const char *path, const char *outside)
{
	struct making m = { .h = h, .outside = outside, .dir = dir };
	char *place = NULL;

	if (h->form == FORM_DOCKER)
		docker_make(&m);
	else
		layout_make(&m);
	harm(&m);
	if (h->form != FORM_LAYOUT)
		archive_make(&m, path);
	need(str_format(&place, "%s:%s/case%s", h->form == FORM_LAYOUT ? "oci" : h->form == FORM_DOCKER ? "docker-archive" : "oci-archive",
			path, h->form == FORM_LAYOUT ? "" : "/archive") >= 0);
	return place;
}
