/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache believes only what we alone can have written.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/seccomp.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "seccomp/internal.h"
#include "seccomp/load.h"
#include "seccomp/profile.h"
#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

#define cleanup_profile __attribute__((cleanup(seccomp_profile_free_p)))
#define cleanup_filter  __attribute__((cleanup(seccomp_filter_done)))

enum { NOBODY = 65534 };

static const char deny_getppid[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],"
	"\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}";

/* A folder of the test's own. */
struct place {
	char path[64];
	int dir;
};

static bool place_make(struct place *p)
{
	strcpy(p->path, "/tmp/test-seccomp-XXXXXX");
	if (!CHECK(mkdtemp(p->path) != NULL))
		return false;
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return CHECK(p->dir >= 0);
}

/* The one entry of the cache. */
static bool place_entry(const struct place *p, char name[256])
{
	DIR *d = opendir(p->path);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && ++n)
			strcpy(name, e->d_name);
	if (d)
		closedir(d);
	return CHECK_INT(n, 1);
}

static void place_done(struct place *p)
{
	DIR *d = opendir(p->path);

	for (struct dirent *e; d && (e = readdir(d));)
		(void)unlinkat(p->dir, e->d_name, 0);
	if (d)
		closedir(d);
	close(p->dir);
	CHECK_INT(rmdir(p->path), 0);
}

static int profile_read(const char *text, struct seccomp_profile **ret)
{
	struct json_at root = JSON_ROOT;
	cleanup_json json_t *v = NULL;
	int r = json_parse("test", text, strlen(text), &v);

	return r < 0 ? r : seccomp_profile_parse(&root, v, ret);
}

/* What a filter does with x86-64's getppid (110): tells a good one from a poisoned one. */
static uint32_t judge(const struct seccomp_filter *f)
{
	struct seccomp_data data = { .nr = 110, .arch = AUDIT_ARCH_X86_64 };

	return bpf_run(f->code, f->size / sizeof(struct sock_filter), &data);
}

static void check_prepared(const struct place *p, const struct seccomp_profile *profile)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (CHECK_INT(seccomp_filter_prepare(profile, p->dir, &f), 0))
		CHECK(judge(&f) == (SECCOMP_RET_ERRNO | 77));
}

/*
 * A filter that lets all through, under the key of another: what an attacker would put into the
 * cache.
 */
static void poison(struct seccomp_filter *f)
{
	static struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	*f = (struct seccomp_filter){ .code = &allow, .size = sizeof(allow) };
}

static void test_what_was_written_is_read(void)
{
	struct seccomp_filter bad, f = { .code = NULL };
	struct place p;
	char name[256];
	struct stat st;

	if (!place_make(&p))
		return;
	poison(&bad);
	bad.flags = 6;
	bad.notify = true;
	CHECK_INT(seccomp_cache_write(p.dir, "key", &bad), 0);
	CHECK_INT(seccomp_cache_read(p.dir, "other", &f), 0);
	if (CHECK_INT(seccomp_cache_read(p.dir, "key", &f), 1)) {
		CHECK_INT(f.size, sizeof(struct sock_filter));
		CHECK_INT(f.flags, 6);
		CHECK(f.notify);
		CHECK(judge(&f) == SECCOMP_RET_ALLOW);
		seccomp_filter_done(&f);
	}
	if (place_entry(&p, name) && CHECK_INT(fstatat(p.dir, name, &st, 0), 0))
		CHECK_INT(st.st_mode & 07777, 0600);
	place_done(&p);
}

/* A second prepare gives what stands in the cache, and so has compiled nothing. */
static void test_a_warm_start_compiles_nothing(void)
{
	cleanup_profile struct seccomp_profile *profile = NULL;
	cleanup_filter struct seccomp_filter cold = { .code = NULL }, warm = { .code = NULL };
	struct place p;
	char name[256];
	struct stat before, after;

	if (!place_make(&p))
		return;
	CHECK_INT(profile_read(seccomp_default_json(), &profile), 0);
	CHECK_INT(seccomp_filter_prepare(profile, p.dir, &cold), 0);
	if (place_entry(&p, name)) {
		struct seccomp_profile bare = *profile;

		CHECK_INT(fstatat(p.dir, name, &before, 0), 0);
		/* no rule is left to compile from, so this filter can only be the kept one */
		bare.rule_count = 0;
		CHECK_INT(seccomp_filter_prepare(&bare, p.dir, &warm), 0);
		CHECK_INT(fstatat(p.dir, name, &after, 0), 0);
		CHECK(before.st_ino == after.st_ino);
		CHECK_INT(warm.size, cold.size);
		CHECK_INT(warm.flags, cold.flags);
		CHECK(warm.size == cold.size && memcmp(warm.code, cold.code, cold.size) == 0);
	}
	place_done(&p);
}

static void test_the_default_by_its_name_is_the_same_filter(void)
{
	cleanup_profile struct seccomp_profile *whole = NULL, *named = NULL;
	cleanup_filter struct seccomp_filter a = { .code = NULL }, b = { .code = NULL }, kept = { .code = NULL };
	cleanup_json json_t *word = json_string(SECCOMP_DEFAULT);
	struct place p;

	if (!place_make(&p))
		return;
	CHECK_INT(profile_read(seccomp_default_json(), &whole), 0);
	CHECK_INT(seccomp_profile_parse(&JSON_ROOT, word, &named), 0);
	CHECK_INT(seccomp_filter_prepare(whole, -1, &a), 0);
	CHECK_INT(seccomp_filter_prepare(named, p.dir, &b), 0);
	CHECK_INT(seccomp_filter_prepare(named, p.dir, &kept), 0);
	CHECK(a.size > 0 && a.size == b.size && a.flags == b.flags && memcmp(a.code, b.code, a.size) == 0);
	CHECK(a.size == kept.size && memcmp(a.code, kept.code, a.size) == 0);
	place_done(&p);
}

/* Ways to spoil the entry @name; each must be seen through. */
static void spoil_mode(const struct place *p, const char *name)
{
	CHECK_INT(fchmodat(p->dir, name, 0620, 0), 0);
}

static void spoil_link(const struct place *p, const char *name)
{
	CHECK_INT(linkat(p->dir, name, p->dir, "second-name", 0), 0);
}

static void spoil_symlink(const struct place *p, const char *name)
{
	CHECK_INT(renameat(p->dir, name, p->dir, "target"), 0);
	CHECK_INT(symlinkat("target", p->dir, name), 0);
}

static void spoil_fifo(const struct place *p, const char *name)
{
	CHECK_INT(unlinkat(p->dir, name, 0), 0);
	CHECK_INT(mkfifoat(p->dir, name, 0600), 0);
}

static void spoil_owner(const struct place *p, const char *name)
{
	CHECK_INT(fchownat(p->dir, name, NOBODY, NOBODY, 0), 0);
}

/* Replace the entry's bytes by what an attacker's own key and filter make. */
static void spoil_key(const struct place *p, const char *name)
{
	struct seccomp_filter bad;
	char made[256] = "";
	DIR *d;

	CHECK_INT(renameat(p->dir, name, p->dir, ".old"), 0);
	poison(&bad);
	CHECK_INT(seccomp_cache_write(p->dir, "another key", &bad), 0);
	d = opendir(p->path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			strcpy(made, e->d_name);
	if (d)
		closedir(d);
	CHECK_INT(renameat(p->dir, made, p->dir, name), 0);
}

static void test_a_spoilt_entry_is_not_believed(void)
{
	static void (*const spoil[])(const struct place *, const char *) = {
		spoil_mode, spoil_link, spoil_symlink, spoil_fifo, spoil_key, spoil_owner,
	};

	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		cleanup_profile struct seccomp_profile *profile = NULL;
		char name[256];
		struct place p;
		struct stat st;

		if (spoil[i] == spoil_owner && geteuid() != 0)
			continue;
		if (!place_make(&p))
			return;
		CHECK_INT(profile_read(deny_getppid, &profile), 0);
		check_prepared(&p, profile);
		if (place_entry(&p, name)) {
			struct seccomp_profile poisoned = *profile;
			struct seccomp_filter f = { .code = NULL };

			spoil[i](&p, name);
			/*
			 * the profile's rules are gone: did it compile, all is allowed; did it
			 * believe, 77
			 */
			poisoned.rule_count = 0;
			if (CHECK_INT(seccomp_filter_prepare(&poisoned, p.dir, &f), 0))
				tap_check(judge(&f) == SECCOMP_RET_ALLOW, __FILE__, __LINE__,
					  "way %zu was believed", i);
			seccomp_filter_done(&f);
			/* and the entry was made anew, fit to be believed */
			CHECK_INT(fstatat(p.dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
			CHECK(S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid() &&
			      (st.st_mode & 07777) == 0600);
		}
		place_done(&p);
	}
}

/* Cut the entry at every length, and flip each byte: never believed, never a crash. */
static void test_a_damaged_entry_is_made_anew(void)
{
	cleanup_profile struct seccomp_profile *profile = NULL;
	cleanup_free char *bytes = NULL;
	size_t size = 0;
	struct place p;
	char name[256];

	if (!place_make(&p))
		return;
	CHECK_INT(profile_read(deny_getppid, &profile), 0);
	check_prepared(&p, profile);
	if (place_entry(&p, name)) {
		cleanup_fd int fd = openat(p.dir, name, O_RDONLY | O_CLOEXEC);

		CHECK_INT(fd_read_all(fd, 1 << 20, &bytes, &size), 0);
		for (size_t i = 0; i <= size; i++) {
			CHECK_INT(fd_replace_file(p.dir, name, bytes, i, 0600), 0);
			check_prepared(&p, profile);
			if (i == size)
				break;
			bytes[i] ^= 1;
			CHECK_INT(fd_replace_file(p.dir, name, bytes, size, 0600), 0);
			check_prepared(&p, profile);
			bytes[i] ^= 1;
		}
		CHECK(size > 100);
	}
	place_done(&p);
}

static void test_a_folder_of_others_is_not_used(void)
{
	cleanup_profile struct seccomp_profile *profile = NULL;
	struct seccomp_filter bad, f = { .code = NULL };
	struct place p;

	if (!place_make(&p))
		return;
	CHECK_INT(profile_read(deny_getppid, &profile), 0);
	poison(&bad);
	CHECK_INT(seccomp_cache_write(p.dir, "key", &bad), 0);
	CHECK_INT(seccomp_cache_read(p.dir, "key", &f), 1);
	seccomp_filter_done(&f);
	CHECK_INT(fchmod(p.dir, 0777), 0);
	CHECK_INT(seccomp_cache_read(p.dir, "key", &f), 0);
	check_prepared(&p, profile);
	CHECK_INT(fchmod(p.dir, 0700), 0);
	CHECK_INT(seccomp_cache_read(p.dir, "key", &f), 1);
	seccomp_filter_done(&f);
	if (geteuid() == 0) {
		CHECK_INT(fchown(p.dir, NOBODY, NOBODY), 0);
		CHECK_INT(seccomp_cache_read(p.dir, "key", &f), 0);
		CHECK_INT(fchown(p.dir, 0, 0), 0);
	}
	place_done(&p);
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_what_was_written_is_read),
					    TEST(test_a_warm_start_compiles_nothing),
					    TEST(test_the_default_by_its_name_is_the_same_filter),
					    TEST(test_a_spoilt_entry_is_not_believed),
					    TEST(test_a_damaged_entry_is_made_anew),
					    TEST(test_a_folder_of_others_is_not_used),
					    { 0 } });
}
