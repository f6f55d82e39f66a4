/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store as its readers and its garbage collection see it: names, ids, uses, locks, what dead processes left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/gc.h"
#include "image/load.h"
#include "image/stage.h"
#include "image/store.h"
#include "image/tree.h"
#include "image/verify.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "tests/unit/image-tar.h"
#include "tests/unit/tap.h"

static char place[] = "/tmp/nacelle-store-XXXXXX";

static struct store *opened(unsigned int flags)
{
	struct store *store = NULL;

	CHECK_INT(store_open("store", NULL, STORE_CREATE | flags, &store), 0);
	return store;
}

static void import(struct store *store, const char *name, const char *text, char digest[DIGEST_TEXT])
{
	struct load load = { .store = store, .limits = unpack_limits_default };
	struct reference ref = { .registry = NULL };
	struct tar t = { .data = NULL };
	int fd;

	if (name) {
		CHECK_INT(reference_parse(name, REFERENCE_LOCAL_REGISTRY, &ref), 0);
		load.name = &ref;
	}
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "file", .text = text });
	tar_end(&t);
	fd = tar_fd(&t, 'g');
	tap_check_int(image_import(&load, fd, NULL, digest), 0, __FILE__, __LINE__, fail_text());
	(void)close(fd);
	tar_free(&t);
	reference_done(&ref);
}

static void test_there_is_none(void)
{
	struct store *store;

	CHECK_INT(store_open("nowhere", NULL, 0, &store), STORE_NOT_FOUND);
}

static void test_an_image_is_found(void)
{
	cleanup_store struct store *store = opened(0);
	cleanup_free char *name = NULL;
	struct str_list layers = { .items = NULL };
	cleanup_image struct image *a = NULL, *b = NULL, *c = NULL;
	char digest[DIGEST_TEXT], id[16];
	json_t *config = NULL;

	import(store, "one:v1", "1", digest);
	CHECK_INT(image_find(store, "one:v1", &a, &name), 0);
	CHECK_STR(name, "localhost/one:v1");
	CHECK_STR(a->manifest, digest);
	(void)snprintf(id, sizeof(id), "%.12s", strchr(a->config, ':') + 1);
	CHECK_INT(image_find(store, id, &b, NULL), 0);
	CHECK_INT(image_find(store, "localhost/one:v1", &c, NULL), 0);
	CHECK_INT(image_layers(store, a, &layers), 0);
	CHECK_INT((long long)layers.count, 1);
	CHECK(*layers.items[0] == '/' && access(layers.items[0], F_OK) == 0);
	str_list_done(&layers);
	CHECK_INT(image_config(store, a, &config), 0);
	CHECK(json_is_object(json_object_get(config, "config")));
	json_decref(config);
}

static void test_what_is_not_there(void)
{
	static const char *const wrong[] = { "sha256:xyz", "sha256:ab", "UPPER", "../x", "" };
	cleanup_store struct store *store = opened(0);
	struct image *image = NULL;

	CHECK_INT(image_find(store, "none", &image, NULL), IMAGE_NOT_FOUND);
	CHECK_INT(image_find(store, "one:v2", &image, NULL), IMAGE_NOT_FOUND);
	CHECK_INT(image_find(store, "ffffffffffff", &image, NULL), IMAGE_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK(image_find(store, wrong[i], &image, NULL) < 0);
}

static void test_the_same_files_make_the_same_image(void)
{
	cleanup_store struct store *store = opened(0);
	char one[DIGEST_TEXT], two[DIGEST_TEXT];

	import(store, "same:a", "s", one);
	import(store, "same:b", "s", two);
	CHECK_STR(one, two);
}

static void test_a_broken_record_is_refused(void)
{
	static const char *const texts[] = { "", "{}", "[]", "{\"manifest\":\"../x\"}" };
	cleanup_store struct store *store = opened(0);
	const char digest[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct image *image = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CHECK_INT(fd_replace_file(store->dir, "images/0000000000000000000000000000000000000000000000000000000000000000",
					  texts[i], strlen(texts[i]), 0600), 0);
		CHECK(image_load(store, digest, &image) < 0);
	}
	CHECK(unlinkat(store->dir, "images/0000000000000000000000000000000000000000000000000000000000000000", 0) == 0);
}

static void test_a_used_image_stays(void)
{
	cleanup_store struct store *store = opened(STORE_ALONE);
	cleanup_image struct image *image = NULL, *again = NULL;
	struct collected c;
	char digest[DIGEST_TEXT];

	import(store, "used", "u", digest);
	CHECK_INT(image_load(store, digest, &image), 0);
	CHECK_INT(image_use(store, image->manifest, "/run/nacelle c1"), 0);
	CHECK(image_use(store, digest, "") < 0);
	CHECK_INT(image_forget(store, digest), IMAGE_USED);
	CHECK_HAS(fail_text(), "c1");
	CHECK_INT(store_collect(store, true, true, &c), 0);
	CHECK_INT(image_load(store, digest, &again), 0);
	CHECK_INT(image_unuse(store, "/run/nacelle c1"), 0);
	CHECK_INT(image_unuse(store, "/run/nacelle c1"), 0);
	CHECK_INT(image_forget(store, digest), 0);
	CHECK_INT(image_load(store, digest, &again), IMAGE_NOT_FOUND);
		CHECK_INT(image_use(store, digest, "c2"), IMAGE_NOT_FOUND);
}

static void test_a_use_of_another_boot_counts_no_more(void)
{
	cleanup_store struct store *store = opened(STORE_ALONE);
	struct str_list users = { .items = NULL };
	char digest[DIGEST_TEXT], text[300];

	import(store, "booted", "b", digest);
	(void)snprintf(text, sizeof(text), "00000000-0000-0000-0000-000000000000 %s\n", digest);
	CHECK_INT(fd_replace_file(store->dir, "uses/old", text, strlen(text), 0600), 0);
	CHECK_INT(image_users(store, &users), 0);
	CHECK_INT((long long)users.count, 0);
	str_list_done(&users);
	CHECK_INT(image_forget(store, digest), 0);
	CHECK(unlinkat(store->dir, "uses/old", 0) == 0);
}

static void test_locks(void)
{
	cleanup_store struct store *a = opened(0), *b = opened(0);
	struct store *c = NULL;

	CHECK_INT(store_open("store", NULL, STORE_ALONE, &c), STORE_BUSY);
	a = store_free(a);
	b = store_free(b);
	CHECK_INT(store_open("store", NULL, STORE_ALONE, &c), 0);
	(void)store_free(c);
}

/* A process that is killed in the middle leaves a stage; the next one removes it, but not that of a living one. */
static void test_what_the_dead_left_goes(void)
{
	cleanup_store struct store *store = opened(0);
	cleanup_stage struct stage *own = NULL;
	char path[300] = "";
	int ends[2], status;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		struct stage *stage = NULL;

		if (stage_new(store, &stage) < 0 || mkdirat(stage->dir, "half", 0700) < 0)
			_exit(1);
		(void)!write(ends[1], stage->path, strlen(stage->path));
		(void)pause();
		_exit(0);
	}
	CHECK(read(ends[0], path, sizeof(path) - 1) > 0);
	CHECK_INT(stage_clean(store), 0);
	CHECK(faccessat(store->dir, path, F_OK, 0) == 0);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(stage_new(store, &own), 0);
	CHECK(faccessat(store->dir, path, F_OK, 0) < 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_names_come_and_go(void)
{
	cleanup_store struct store *store = opened(STORE_ALONE);
	struct image_name *names = NULL;
	struct collected c;
	size_t count = 0;
	cleanup_reference struct reference ref = { .registry = NULL };
	char digest[DIGEST_TEXT];

	CHECK_INT(store_collect(store, true, true, &c), 0);
	import(store, "quay.io/a/b/c:v1", "n", digest);
	CHECK_INT(image_names(store, &names, &count), 0);
	CHECK_INT((long long)count, 1);
	CHECK_STR(names[0].name, "quay.io/a/b/c:v1");
	image_names_free(names, count);
	CHECK_INT(reference_parse("quay.io/a/b/c:v1", NULL, &ref), 0);
	CHECK_INT(image_untag(store, &ref), 0);
	CHECK_INT(image_untag(store, &ref), IMAGE_NOT_FOUND);
	CHECK_INT(store_collect(store, true, false, &c), 0);
	CHECK_INT(c.images, 1);
	CHECK_INT(c.layers, 1);
	CHECK_INT(c.blobs, 3);
}

static void found(void *arg, const char *text, bool mended)
{
	int *seen = arg;

	(void)text;
	seen[mended]++;
}

static void test_damage_is_found_and_mended(void)
{
	cleanup_store struct store *store = opened(STORE_ALONE);
	cleanup_image struct image *image = NULL;
	struct str_list layers = { .items = NULL };
	cleanup_free char *file = NULL, *blob = NULL;
	int seen[2] = { 0, 0 }, fd;
	struct verify v = { .store = store, .limits = unpack_limits_default, .found = found, .arg = seen };
	char digest[DIGEST_TEXT];

	import(store, "hurt", "h", digest);
	CHECK_INT(image_load(store, digest, &image), 0);
	CHECK_INT(image_verify(&v, image), 0);
	CHECK_INT(image_layers(store, image, &layers), 0);
	CHECK_INT(str_format(&file, "%s/file", layers.items[0]), 0);
	str_list_done(&layers);
	fd = open(file, O_WRONLY);
	CHECK(write(fd, "X", 1) == 1);
	(void)close(fd);
	str_list_done(&v.chains);
	CHECK_INT(image_verify(&v, image), VERIFY_DAMAGED);
	CHECK_INT(seen[0], 1);
	str_list_done(&v.chains);
	str_list_done(&v.bad);
	v.repair = true;
	CHECK_INT(image_verify(&v, image), 0);
	CHECK_INT(seen[1], 1);
	str_list_done(&v.chains);
	CHECK_INT(image_verify(&v, image), 0);
	/* a blob cannot be mended from here: the image goes, so that it can be pulled again */
	CHECK_INT(str_format(&blob, "store/blobs/sha256/%s", strchr(image->layers[0].blob, ':') + 1), 0);
	CHECK(truncate(blob, 3) == 0);
	CHECK_INT(image_verify(&v, image), VERIFY_DAMAGED);
	CHECK_INT(image_load(store, digest, &image), IMAGE_NOT_FOUND);
	str_list_done(&v.chains);
	str_list_done(&v.bad);
}

static void test_nothing_is_left(void)
{
	CHECK_INT(tree_remove(AT_FDCWD, "store"), 0);
	CHECK(chdir("/") == 0 && rmdir(place) == 0);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(place) || chdir(place) < 0)
		return 1;
	return tap_run((struct tap_test[]){
		TEST(test_there_is_none),
		TEST(test_an_image_is_found),
		TEST(test_what_is_not_there),
		TEST(test_the_same_files_make_the_same_image),
		TEST(test_a_broken_record_is_refused),
		TEST(test_a_used_image_stays),
		TEST(test_a_use_of_another_boot_counts_no_more),
		TEST(test_locks),
		TEST(test_what_the_dead_left_goes),
		TEST(test_names_come_and_go),
		TEST(test_damage_is_found_and_mended),
		TEST(test_nothing_is_left),
		{ 0 },
	});
}
