/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers that mean harm, unpacked for real beside a folder that must stay as it is. Each must be refused, or (the few
 * that say so) land inside the layer; never is anything made or changed outside it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/tree.h"
#include "image/unpack.h"
#include "tests/unit/image-tar.h"
#include "tests/unit/tap.h"

static char place[] = "/tmp/nacelle-hostile-XXXXXX";
static int top = -1;
static int cases;

static struct unpack_limits limits = { .bytes = 1 << 20, .inodes = 200, .depth = 50, .ratio = 1000, .seconds = 20 };

static void file_write(const char *path, const char *text)
{
	int fd = openat(top, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	(void)close(fd);
}

static void begin(void)
{
	if (top < 0) {
		if (!mkdtemp(place))
			abort();
		top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)mkdirat(top, "outside", 0700);
		file_write("outside/keep", "kept");
	}
	if (tree_remove(top, "layer") < 0 || mkdirat(top, "layer", 0755) < 0)
		abort();
}

/* What stands beside the layer: one folder with one file, as it was. */
static bool outside_is_whole(void)
{
	struct dirent *entry;
	char text[16] = "";
	int fd = openat(top, "outside/keep", O_RDONLY | O_CLOEXEC), names = 0;
	struct stat st;
	DIR *dir;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) != 4 || fstat(fd, &st) < 0)
		return false;
	(void)close(fd);
	dir = fdopendir(openat(top, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while ((entry = readdir(dir)))
		names++;
	(void)closedir(dir);
	dir = fdopendir(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while ((entry = readdir(dir)))
		names++;
	(void)closedir(dir);
	return strcmp(text, "kept") == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600 && names == 3 + 4;
}

/* Return: what unpack_layer() returned. */
static int unpack_fd(int fd, const char *diff, const int *lower, size_t lower_count)
{
	int dir = openat(top, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct unpack_job job = {
		.blob = fd, .target = dir, .diff = diff, .limits = limits, .user_xattr = false,
		.lower = lower, .lower_count = lower_count,
	};
	struct unpack_result result;
	int r = unpack_layer(&job, &result);

	(void)close(dir);
	(void)close(fd);
	cases++;
	return r;
}

static int unpack_tar(struct tar *t, char packer)
{
	int fd, r;

	begin();
	tar_end(t);
	fd = tar_fd(t, packer);
	r = unpack_fd(fd, NULL, NULL, 0);
	tar_free(t);
	return r;
}

static bool inside(const char *path, struct stat *st)
{
	char whole[4200];

	(void)snprintf(whole, sizeof(whole), "layer/%s", path);
	return fstatat(top, whole, st, AT_SYMLINK_NOFOLLOW) == 0;
}

#define REFUSED(t, what)                                                                           \
	do {                                                                                       \
		int refused_r = unpack_tar(&(t), 0);                                               \
		tap_check(refused_r < 0, __FILE__, __LINE__, "%s is refused", what);               \
		tap_check(outside_is_whole(), __FILE__, __LINE__, "%s: outside is whole", what);   \
	} while (0)

static const char types[] = { '0', '1', '2', '3', '5', '6' };

static void test_names_that_lead_out(void)
{
	static const char *const names[] = {
		"..", "../x", "a/../../x", "/../x", "./../x", "a/b/../../../x", "../outside/keep", "a/..", "..//x",
		"../../../../../../../../etc/nacelle-hostile",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(types); j++) {
			struct tar t = { .data = NULL };

			tar_add(&t, &(struct tar_entry){ .type = '0', .name = "f", .text = "x" });
			tar_add(&t, &(struct tar_entry){ .type = types[j], .name = names[i], .link = "f", .major = 1,
							 .minor = 3 });
			REFUSED(t, names[i]);
		}
	}
}

static void test_an_absolute_name_lands_inside(void)
{
	struct tar t = { .data = NULL };
	struct stat st;

	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "/etc/nacelle-hostile", .text = "x" });
	CHECK_INT(unpack_tar(&t, 0), 0);
	CHECK(inside("etc/nacelle-hostile", &st));
	CHECK(access("/etc/nacelle-hostile", F_OK) < 0);
}

static void test_writing_through_a_link(void)
{
	char absolute[64];
	const char *targets[] = { absolute, "../outside", "..", "/", "/proc/self/root", ".", "f" };

	begin();
	(void)snprintf(absolute, sizeof(absolute), "%s/outside", place);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(types); j++) {
			struct tar t = { .data = NULL };

			tar_add(&t, &(struct tar_entry){ .type = '0', .name = "f", .text = "x" });
			tar_add(&t, &(struct tar_entry){ .type = '2', .name = "l", .link = targets[i] });
			tar_add(&t, &(struct tar_entry){ .type = types[j], .name = "l/keep", .link = "f", .text =
							 types[j] == '0' ? "gone" : NULL, .major = 1, .minor = 3 });
			REFUSED(t, targets[i]);
			/* and one level deeper, where the link is not the last component of a folder's path */
			tar_add(&t, &(struct tar_entry){ .type = '0', .name = "f", .text = "x" });
			tar_add(&t, &(struct tar_entry){ .type = '5', .name = "outside" });
			tar_add(&t, &(struct tar_entry){ .type = '2', .name = "l", .link = targets[i] });
			tar_add(&t, &(struct tar_entry){ .type = types[j], .name = "l/outside/keep", .link = "f",
							 .text = types[j] == '0' ? "gone" : NULL, .major = 1, .minor = 3 });
			REFUSED(t, targets[i]);
		}
	}
}

static void test_hard_links_that_lead_out(void)
{
	char absolute[64];
	const char *targets[] = {
		absolute, "../outside/keep", "/etc/passwd", "l/keep", "l", "missing", "d", "h", ".", "", "/",
		"d/../../outside/keep",
	};

	begin();
	(void)snprintf(absolute, sizeof(absolute), "%s/outside/keep", place);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		struct tar t = { .data = NULL };
		struct stat st;
		int r;

		tar_add(&t, &(struct tar_entry){ .type = '2', .name = "l", .link = "../outside" });
		tar_add(&t, &(struct tar_entry){ .type = '5', .name = "d" });
		tar_add(&t, &(struct tar_entry){ .type = '1', .name = "h", .link = targets[i] });
		r = unpack_tar(&t, 0);
		/* a hard link to a symbolic link is that link, not what it leads to */
		if (strcmp(targets[i], "l") == 0)
			tap_check(r == 0 && inside("h", &st) && S_ISLNK(st.st_mode), __FILE__, __LINE__, "a link's own");
		else
			tap_check(r < 0, __FILE__, __LINE__, "hard link to '%s' is refused", targets[i]);
		CHECK(outside_is_whole());
	}
}

static void test_whiteouts_that_are_none(void)
{
	static const char *const names[] = {
		".wh.", ".wh..", ".wh...", ".wh..wh.x", ".wh..wh..opq/x", ".wh.a/b", "a/.wh.", "a/.wh..", "a/.wh...",
		"a/.wh..wh.", "a/.wh.b/c", ".wh./x", "a/.wh..wh..opq/b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct tar t = { .data = NULL };

		tar_add(&t, &(struct tar_entry){ .type = '0', .name = names[i] });
		REFUSED(t, names[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		struct tar t = { .data = NULL };

		tar_add(&t, &(struct tar_entry){ .type = '5', .name = i ? ".wh.x" : ".wh..wh..opq" });
		REFUSED(t, "a whiteout that is a folder");
	}
}

static void test_overlayfs_own_marks(void)
{
	static const char *const xattrs[] = {
		"trusted.overlay.opaque=y", "trusted.overlay.redirect=/etc", "trusted.overlay.metacopy=x",
		"user.overlay.opaque=y", "user.overlay.redirect=/", "user.overlay.whiteout=y", "trusted.overlay.=x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
		for (size_t j = 0; j < 2; j++) {
			struct tar t = { .data = NULL };

			tar_add(&t, &(struct tar_entry){ .type = j ? '5' : '0', .name = "x", .xattr = xattrs[i] });
			REFUSED(t, xattrs[i]);
		}
	}
	struct tar t = { .data = NULL };

	tar_add(&t, &(struct tar_entry){ .type = '3', .name = "x" });
	REFUSED(t, "a whiteout's device");
}

static void test_other_privileged_attributes_are_left_out(void)
{
	struct tar t = { .data = NULL };
	char value[16];

	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "x", .xattr = "trusted.foo=1" });
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "y", .xattr = "security.selinux=system_u" });
	CHECK_INT(unpack_tar(&t, 0), 0);
	CHECK(fchdir(top) == 0);
	CHECK(getxattr("layer/x", "trusted.foo", value, sizeof(value)) < 0);
	CHECK(getxattr("layer/y", "security.selinux", value, sizeof(value)) < 0);
}

static char *repeat(const char *unit, int count)
{
	size_t len = strlen(unit);
	char *text = malloc(len * (size_t)count + 1);

	for (int i = 0; i < count; i++)
		memcpy(text + len * (size_t)i, unit, len);
	text[len * (size_t)count] = '\0';
	return text;
}

static void test_names_beyond_limits(void)
{
	char *names[] = { repeat("n", 256), repeat("d/", 51), repeat("d/", 3000), repeat("a", 5000),
			  repeat("dddddddddddddddd/", 400) };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < 2; j++) {
			struct tar t = { .data = NULL };

			tar_add(&t, &(struct tar_entry){ .type = j ? '0' : '5', .name = names[i] });
			REFUSED(t, "too long a name");
		}
		free(names[i]);
	}
}

static void test_owners_out_of_range(void)
{
	static const int64_t ids[] = { -1, 4294967295, 4294967296, INT64_MAX, -4294967295 };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct tar t = { .data = NULL };

		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "x", .uid = ids[i] });
		REFUSED(t, "an owner out of range");
	}
}

static void test_sizes_that_lie(void)
{
	static const int64_t sizes[] = { 512, 4096, 1 << 20, (1 << 20) + 1, 1LL << 33, 1LL << 40, INT64_MAX, 2048 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct tar t = { .data = NULL };

		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "x", .text = "y", .size = sizes[i] });
		/* the two blocks at the end are data for the smallest lie: then the end is missing */
		if (sizes[i] > 512)
			REFUSED(t, "a size that lies");
		else
			tar_free(&t);
	}
}

static void test_too_many_files(void)
{
	struct tar t = { .data = NULL };
	char name[32];

	for (int i = 0; i < 201; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		tar_add(&t, &(struct tar_entry){ .type = i % 2 ? '0' : '5', .name = name });
	}
	REFUSED(t, "more files than allowed");
	tar_add(&t, &(struct tar_entry){ .type = '0', .name = "f" });
	for (int i = 0; i < 201; i++) {
		(void)snprintf(name, sizeof(name), "h%d", i);
		tar_add(&t, &(struct tar_entry){ .type = '1', .name = name, .link = "f" });
	}
	REFUSED(t, "more links than allowed");
	for (int i = 0; i < 201; i++)
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "same" });
	REFUSED(t, "one file again and again");
}

static void test_too_many_bytes(void)
{
	struct tar t = { .data = NULL };
	char *text = repeat("0123456789abcdef", 40000), name[16];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = name, .text = text });
	}
	REFUSED(t, "more bytes than allowed");
	free(text);
}

/* Zeros, very small when packed. */
static void test_a_bomb(void)
{
	static const char packers[] = { 'g', 'z' };
	struct unpack_limits kept = limits;

	limits.bytes = 64LL << 20;
	limits.inodes = 10;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		struct tar t = { .data = NULL };
		size_t size = 100 << 20;
		char *zeros = calloc(1, size);

		tar_raw(&t, zeros, size);
		free(zeros);
		CHECK(unpack_tar(&t, packers[i]) < 0);
		CHECK(outside_is_whole());
	}
	limits = kept;
}

static void simple(struct tar *t)
{
	tar_add(t, &(struct tar_entry){ .type = '5', .name = "d" });
	tar_add(t, &(struct tar_entry){ .type = '0', .name = "d/f", .text = "content of some length, so that it shows" });
	tar_add(t, &(struct tar_entry){ .type = '2', .name = "d/l", .link = "f" });
}

/* Cut anywhere before its end, a packed layer is refused; so is a plain one by its digest. */
static void test_truncated_layers(void)
{
	static const char packers[] = { 0, 'g', 'z' };

	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		struct tar t = { .data = NULL };
		char diff[DIGEST_TEXT];
		struct stat st;
		int whole, refused = 0, tried = 0;

		simple(&t);
		tar_end(&t);
		CHECK_INT(digest_of(t.data, t.size, diff), 0);
		whole = tar_fd(&t, packers[i]);
		CHECK(fstat(whole, &st) == 0);
		for (off_t cut = 1; cut < st.st_size; cut += 1 + st.st_size / 24) {
			struct tar part = { .data = NULL };
			char *bytes = malloc((size_t)cut);

			CHECK(pread(whole, bytes, (size_t)cut, 0) == cut);
			tar_raw(&part, bytes, (size_t)cut);
			begin();
			refused += unpack_fd(tar_fd(&part, 0), diff, NULL, 0) < 0;
			tried++;
			tar_free(&part);
			free(bytes);
		}
		CHECK_INT(refused, tried);
		CHECK(outside_is_whole());
		(void)close(whole);
		tar_free(&t);
	}
}

static void test_damaged_layers(void)
{
	static const char packers[] = { 0, 'g', 'z' };

	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		struct tar t = { .data = NULL };
		char diff[DIGEST_TEXT], byte;
		struct stat st;
		int whole, refused = 0, tried = 0;

		simple(&t);
		tar_end(&t);
		CHECK_INT(digest_of(t.data, t.size, diff), 0);
		whole = tar_fd(&t, packers[i]);
		CHECK(fstat(whole, &st) == 0);
		for (off_t at = 10; at < st.st_size - 8; at += 1 + st.st_size / 24) {
			int copy = memfd_create("damaged", 0);
			char *bytes = malloc((size_t)st.st_size);

			CHECK(pread(whole, bytes, (size_t)st.st_size, 0) == st.st_size);
			byte = (char)(bytes[at] ^ 0x55);
			bytes[at] = byte;
			CHECK(write(copy, bytes, (size_t)st.st_size) == st.st_size);
			begin();
			refused += unpack_fd(copy, diff, NULL, 0) < 0;
			tried++;
			free(bytes);
		}
		CHECK_INT(refused, tried);
		(void)close(whole);
		tar_free(&t);
	}
}

static void test_bytes_that_are_no_tar(void)
{
	static const char *const texts[] = { "", "x", "\x1f\x8b", "\x28\xb5\x2f\xfd", "PK\x03\x04 a zip", "hello\n", "070701" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct tar t = { .data = NULL };

		tar_raw(&t, texts[i], strlen(texts[i]));
		begin();
		tap_check(unpack_fd(tar_fd(&t, 0), NULL, NULL, 0) < 0, __FILE__, __LINE__, "text %zu is no layer", i);
		tar_free(&t);
	}
}

static void test_another_diff_id(void)
{
	struct tar t = { .data = NULL };

	simple(&t);
	tar_end(&t);
	begin();
	CHECK(unpack_fd(tar_fd(&t, 'g'), "sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL,
			0) < 0);
	CHECK_HAS(fail_text(), "unpacked it is sha256:");
	tar_free(&t);
}

static void test_a_folder_that_becomes_something_else(void)
{
	for (size_t j = 0; j < ARRAY_SIZE(types); j++) {
		struct tar t = { .data = NULL };

		if (types[j] == '5')
			continue;
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "f" });
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/x" });
		tar_add(&t, &(struct tar_entry){ .type = types[j], .name = "d", .link = types[j] == '1' ? "f" : "../outside",
						 .major = 1, .minor = 3 });
		tar_add(&t, &(struct tar_entry){ .type = '0', .name = "d/keep", .text = "gone" });
		REFUSED(t, "a folder that becomes something else");
	}
}

static void test_the_root_as_something_else(void)
{
	static const char *const names[] = { ".", "./", "/", "//", "./." };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(types); j++) {
			struct tar t = { .data = NULL };

			/* libarchive reads a name that ends in '/' as a folder's, as old tars have it */
			if (types[j] == '5' || (types[j] == '0' && names[i][strlen(names[i]) - 1] == '/'))
				continue;
			tar_add(&t, &(struct tar_entry){ .type = types[j], .name = names[i], .link = "/etc", .major = 1,
							 .minor = 3 });
			REFUSED(t, "the root as something else");
		}
	}
}

static void test_nothing_was_left_out(void)
{
	CHECK(cases >= 150);
	printf("# %d hostile layers\n", cases);
	(void)tree_remove(top, "layer");
	(void)tree_remove(top, "outside");
	CHECK(rmdir(place) == 0);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	return tap_run((struct tap_test[]){
		TEST(test_names_that_lead_out),
		TEST(test_an_absolute_name_lands_inside),
		TEST(test_writing_through_a_link),
		TEST(test_hard_links_that_lead_out),
		TEST(test_whiteouts_that_are_none),
		TEST(test_overlayfs_own_marks),
		TEST(test_other_privileged_attributes_are_left_out),
		TEST(test_names_beyond_limits),
		TEST(test_owners_out_of_range),
		TEST(test_sizes_that_lie),
		TEST(test_too_many_files),
		TEST(test_too_many_bytes),
		TEST(test_a_bomb),
		TEST(test_truncated_layers),
		TEST(test_damaged_layers),
		TEST(test_bytes_that_are_no_tar),
		TEST(test_another_diff_id),
		TEST(test_a_folder_that_becomes_something_else),
		TEST(test_the_root_as_something_else),
		TEST(test_nothing_was_left_out),
		{ 0 },
	});
}
