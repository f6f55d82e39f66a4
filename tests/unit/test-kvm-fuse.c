/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file server, asked as a kernel asks and as an attacker does. Requests are put into a chain by
 * hand; the shares are directories made for the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/kvm/fuse.h"
#include "tests/unit/tap.h"

enum { SHARE_RW, SHARE_RO, SHARES, WINDOW = 2 << 20 };

static struct {
	struct fuse *fuse;
	struct virtq_chain chain;
	uint8_t in[8192], out[8192];
	char dir[64];
	int top; /* the temporary directory */
} t;

static void file_put(const char *name, const char *text)
{
	int fd = openat(t.top, name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

/* Send @size bytes of arguments. Return: the answer's payload size, or -errno as the server says. */
static int ask_sized(uint32_t opcode, uint64_t node, const void *args, size_t size, size_t room)
{
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.opcode = opcode,
		.nodeid = node,
		.unique = 7,
		.uid = getuid(),
		.gid = getgid(),
	};
	struct fuse_out_header answer;

	memcpy(t.in, &header, sizeof(header));
	if (size > 0)
		memcpy(t.in + sizeof(header), args, size);
	memset(t.out, 0, sizeof(t.out));
	t.chain = (struct virtq_chain){
		.readable = 1,
		.writable = room > 0,
		.readable_bytes = sizeof(header) + size,
		.writable_bytes = room,
		.parts = { { t.in, sizeof(header) + size }, { t.out, room } },
	};
	if (fuse_serve(t.fuse, &t.chain) < sizeof(answer))
		return -9999;
	memcpy(&answer, t.out, sizeof(answer));
	CHECK(answer.unique == 7);
	CHECK(answer.len <= room);
	return answer.error ? answer.error : (int)(answer.len - sizeof(answer));
}

static int ask(uint32_t opcode, uint64_t node, const void *args, size_t size)
{
	return ask_sized(opcode, node, args, size, sizeof(t.out));
}

static const void *payload(void)
{
	return t.out + sizeof(struct fuse_out_header);
}

static int start(void)
{
	const struct fuse_init_in in = {
		.major = 7,
		.minor = 36,
		.flags = 0xffffffff,
		.max_readahead = 4096,
	};

	return ask(FUSE_INIT, 0, &in, sizeof(in));
}

static void server_new(void)
{
	struct fuse_window window = { .size = WINDOW };

	if (!t.fuse) {
		t.fuse = calloc(1, sizeof(*t.fuse));
		(void)snprintf(t.dir, sizeof(t.dir), "/tmp/test-kvm-fuse.XXXXXX");
		CHECK(mkdtemp(t.dir) != NULL);
		t.top = open(t.dir, O_RDONLY | O_DIRECTORY);
		CHECK(mkdirat(t.top, "rw", 0755) == 0 && mkdirat(t.top, "ro", 0755) == 0);
		file_put("secret", "outside");
		file_put("ro/file", "kept");
		CHECK(mkfifoat(t.top, "rw/fifo", 0600) == 0);
		CHECK(symlinkat("../secret", t.top, "rw/link") == 0);
		CHECK(symlinkat("..", t.top, "rw/up") == 0);
		/* where the server works; a build directory is no longer the working directory */
		CHECK(chdir("/proc/self/fd") == 0);
	} else {
		fuse_done(t.fuse);
		if (t.fuse->window.host)
			(void)munmap(t.fuse->window.host, WINDOW);
		for (int i = 0; i < SHARES; i++)
			(void)close(t.fuse->shares[i].fd);
		memset(t.fuse, 0, sizeof(*t.fuse));
	}
	file_put("rw/file", "hello");
	window.host = mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t.fuse->window = window;
	t.fuse->shares[SHARE_RW] = (struct fuse_share){ .name = "rw" };
	t.fuse->shares[SHARE_RO] = (struct fuse_share){ .name = "ro", .read_only = true };
	for (int i = 0; i < SHARES; i++)
		t.fuse->shares[i].fd = openat(t.top, t.fuse->shares[i].name, O_PATH);
	t.fuse->share_count = SHARES;
}

/* Return: the node's id, or 0 with the error in errno. */
static uint64_t lookup(uint64_t parent, const char *name)
{
	struct fuse_entry_out entry;
	int r = ask(FUSE_LOOKUP, parent, name, strlen(name) + 1);

	if (r < 0) {
		errno = -r;
		return 0;
	}
	memcpy(&entry, payload(), sizeof(entry));
	return entry.nodeid;
}

static uint64_t share(const char *name)
{
	return lookup(FUSE_NODE_ROOT, name);
}

static uint64_t open_file(uint64_t node, uint32_t flags, int *ret_r)
{
	const struct fuse_open_in in = { .flags = flags };
	struct fuse_open_out out = { .fh = UINT64_MAX };

	*ret_r = ask(FUSE_OPEN, node, &in, sizeof(in));
	if (*ret_r >= 0)
		memcpy(&out, payload(), sizeof(out));
	return out.fh;
}

static void test_nothing_before_the_start(void)
{
	server_new();
	CHECK_INT(ask(FUSE_LOOKUP, FUSE_NODE_ROOT, "rw", 3), -EIO);
	CHECK(start() > 0);
	CHECK(share("rw") > FUSE_NODE_ROOT);
	/* a copy of a machine that has started it already */
	server_new();
	fuse_resume(t.fuse);
	CHECK(share("rw") > FUSE_NODE_ROOT);
}

/* An older driver, or a lying one, has less room for the answer than the protocol has grown to. */
static void test_the_start_with_little_room(void)
{
	const struct fuse_init_in in = { .major = 7, .minor = 36, .max_readahead = 4096 };
	const size_t header = sizeof(struct fuse_out_header);

	server_new();
	CHECK_INT(ask_sized(FUSE_INIT, 0, &in, sizeof(in), header + 24), 24);
	CHECK_INT(t.out[header + 24], 0);
}

static void test_a_file_is_read_and_written(void)
{
	struct {
		struct fuse_write_in in;
		char text[3];
	} __attribute__((packed))
	w = { .in = { .size = 3, .offset = 5 }, .text = { 'a', 'b', 'c' } };
	struct fuse_read_in in = { .size = 100 };
	uint64_t file;
	int r;

	server_new();
	(void)start();
	file = lookup(share("rw"), "file");
	in.fh = w.in.fh = open_file(file, O_RDWR, &r);
	CHECK(r >= 0);
	CHECK_INT(ask(FUSE_WRITE, file, &w, sizeof(w)), sizeof(struct fuse_write_out));
	CHECK_INT(ask(FUSE_READ, file, &in, sizeof(in)), 8);
	CHECK(memcmp(payload(), "helloabc", 8) == 0);
	/* a size that is not there */
	w.in.size = 4;
	CHECK_INT(ask(FUSE_WRITE, file, &w, sizeof(w)), -EINVAL);
	w.in.size = UINT32_MAX;
	CHECK_INT(ask(FUSE_WRITE, file, &w, sizeof(w)), -EINVAL);
	in.offset = UINT64_MAX;
	CHECK_INT(ask(FUSE_READ, file, &in, sizeof(in)), -EINVAL);
}

static void test_names_lead_nowhere_else(void)
{
	static const char *const bad[] = { "..", ".", "", "a/b", "/etc", "../secret", "/" };
	char longest[300];
	uint64_t rw;

	server_new();
	(void)start();
	rw = share("rw");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct fuse_mkdir_in mkdir_in = { .mode = 0755 };
		uint8_t args[sizeof(mkdir_in) + 32];

		CHECK(lookup(rw, bad[i]) == 0 && errno == EINVAL);
		CHECK(lookup(FUSE_NODE_ROOT, bad[i]) == 0);
		memcpy(args, &mkdir_in, sizeof(mkdir_in));
		memcpy(args + sizeof(mkdir_in), bad[i], strlen(bad[i]) + 1);
		CHECK_INT(ask(FUSE_MKDIR, rw, args, sizeof(mkdir_in) + strlen(bad[i]) + 1),
			  -EINVAL);
		CHECK_INT(ask(FUSE_UNLINK, rw, bad[i], strlen(bad[i]) + 1), -EINVAL);
	}
	memset(longest, 'x', sizeof(longest));
	CHECK_INT(ask(FUSE_LOOKUP, rw, longest, sizeof(longest)), -EINVAL); /* no end */
	longest[sizeof(longest) - 1] = '\0';
	CHECK_INT(ask(FUSE_LOOKUP, rw, longest, sizeof(longest)), -ENAMETOOLONG);
}

static void test_links_are_not_followed(void)
{
	struct fuse_entry_out entry;
	uint64_t rw, up;
	int r;

	server_new();
	(void)start();
	rw = share("rw");
	CHECK(lookup(rw, "link") != 0);
	memcpy(&entry, payload(), sizeof(entry));
	CHECK(S_ISLNK(entry.attr.mode));
	(void)open_file(entry.nodeid, O_RDONLY, &r);
	CHECK_INT(r, -ENXIO);
	CHECK_INT(ask(FUSE_READLINK, entry.nodeid, NULL, 0), 9);
	up = lookup(rw, "up");
	CHECK(up != 0);
	CHECK(lookup(up, "secret") == 0 && errno == ENOTDIR);
}

static void test_only_regular_files_are_opened(void)
{
	struct {
		struct fuse_mknod_in in;
		char name[4];
	} __attribute__((packed)) node = {
		.in = { .mode = S_IFCHR | 0600, .rdev = 0x103 },
		.name = "dev",
	};
	struct {
		struct fuse_create_in in;
		char name[5];
	} __attribute__((packed))
	create = { .in = { .flags = O_RDWR, .mode = 0600 }, .name = "fifo" };
	uint64_t rw;
	int r;

	server_new();
	(void)start();
	rw = share("rw");
	(void)open_file(lookup(rw, "fifo"), O_RDONLY, &r);
	CHECK_INT(r, -ENXIO);
	CHECK_INT(ask(FUSE_CREATE, rw, &create, sizeof(create)), -ENXIO);
	CHECK_INT(ask(FUSE_MKNOD, rw, &node, sizeof(node)), -EPERM);
	node.in.mode = S_IFBLK;
	CHECK_INT(ask(FUSE_MKNOD, rw, &node, sizeof(node)), -EPERM);
	(void)open_file(rw, O_RDONLY, &r);
	CHECK_INT(r, -EISDIR);
}

static void test_read_only_is_read_only(void)
{
	const struct fuse_setattr_in attr = { .valid = FATTR_MODE, .mode = 0777 };
	const struct fuse_setupmapping_in map = { .len = 4096,
						  .flags = FUSE_SETUPMAPPING_FLAG_WRITE };
	struct {
		struct fuse_rename2_in in;
		char names[10];
	} __attribute__((packed)) move = { .names = "file\0other" };
	uint64_t ro, file;
	int r;

	server_new();
	(void)start();
	ro = share("ro");
	file = lookup(ro, "file");
	(void)open_file(file, O_WRONLY, &r);
	CHECK_INT(r, -EROFS);
	(void)open_file(file, O_RDONLY | O_TRUNC, &r);
	CHECK_INT(r, -EROFS);
	CHECK_INT(ask(FUSE_SETATTR, file, &attr, sizeof(attr)), -EROFS);
	CHECK_INT(ask(FUSE_UNLINK, ro, "file", 5), -EROFS);
	CHECK_INT(ask(FUSE_SYMLINK, ro, "a\0b", 4), -EROFS);
	CHECK_INT(ask(FUSE_SETUPMAPPING, file, &map, sizeof(map)), -EROFS);
	move.in.newdir = share("rw");
	CHECK_INT(ask(FUSE_RENAME2, ro, &move, sizeof(move)),
		  -EINVAL); /* the last name has no end */
	move.names[9] = '\0';
	CHECK_INT(ask(FUSE_RENAME2, ro, &move, sizeof(move)), -EROFS);
	CHECK_INT(ask(FUSE_UNLINK, FUSE_NODE_ROOT, "rw", 3), -EROFS);
}

static void test_numbers_are_judged(void)
{
	static const uint64_t ids[] = { 0, 2, 255, 256, 257, 1 << 20, UINT32_MAX, UINT64_MAX };
	const struct fuse_getattr_in attr = { .fh = 0 };
	struct fuse_read_in read_in = { .size = 10 };
	const struct fuse_forget_in forget = { .nlookup = UINT64_MAX };
	uint64_t rw;

	server_new();
	(void)start();
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		read_in.fh = ids[i];
		CHECK_INT(ask(FUSE_GETATTR, ids[i], &attr, sizeof(attr)), -ENOENT);
		CHECK_INT(ask(FUSE_READ, ids[i], &read_in, sizeof(read_in)), -EBADF);
		CHECK_INT(ask(FUSE_READDIR, ids[i], &read_in, sizeof(read_in)), -EBADF);
		(void)ask_sized(FUSE_FORGET, ids[i], &forget, sizeof(forget), 0);
	}
	rw = share("rw");
	CHECK(ask(FUSE_GETATTR, rw, &attr, sizeof(attr)) > 0);
	(void)ask_sized(FUSE_FORGET, rw, &forget, sizeof(forget), 0);
	CHECK_INT(ask(FUSE_GETATTR, rw, &attr, sizeof(attr)), -ENOENT);
}

static void test_one_inode_is_one_node(void)
{
	const struct fuse_forget_in once = { .nlookup = 1 };
	const struct fuse_getattr_in attr = { .fh = 0 };
	uint64_t rw, a, b;

	server_new();
	(void)start();
	rw = share("rw");
	CHECK(linkat(t.top, "rw/file", t.top, "rw/other", 0) == 0);
	a = lookup(rw, "file");
	b = lookup(rw, "other");
	CHECK(a == b && a != 0);
	(void)ask_sized(FUSE_FORGET, a, &once, sizeof(once), 0);
	CHECK(ask(FUSE_GETATTR, a, &attr, sizeof(attr)) > 0);
	(void)ask_sized(FUSE_FORGET, a, &once, sizeof(once), 0);
	CHECK_INT(ask(FUSE_GETATTR, a, &attr, sizeof(attr)), -ENOENT);
	CHECK(unlinkat(t.top, "rw/other", 0) == 0);
}

/* More than the first table holds: the hash table grows under the nodes. */
static void test_many_nodes(void)
{
	uint64_t rw, ids[600];
	char name[32];

	server_new();
	(void)start();
	rw = share("rw");
	for (int i = 0; i < 600; i++) {
		(void)snprintf(name, sizeof(name), "rw/n%d", i);
		file_put(name, "");
		ids[i] = lookup(rw, name + 3);
		CHECK(ids[i] != 0);
	}
	for (int i = 0; i < 600; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		CHECK(lookup(rw, name) == ids[i]);
		CHECK_INT(ask(FUSE_UNLINK, rw, name, strlen(name) + 1), 0);
	}
}

static void test_listing_tells_all_names_once(void)
{
	struct fuse_read_in in = { .size = 400 };
	const struct fuse_open_in open_in = { .flags = 0 };
	unsigned int names = 0, files = 0;
	struct fuse_open_out opened;
	int n;

	server_new();
	(void)start();
	CHECK(ask(FUSE_OPENDIR, share("rw"), &open_in, sizeof(open_in)) > 0);
	memcpy(&opened, payload(), sizeof(opened));
	in.fh = opened.fh;
	while ((n = ask(FUSE_READDIR, 0, &in, sizeof(in))) > 0) {
		CHECK(n <= 400);
		for (int at = 0; at < n;) {
			struct fuse_dirent entry;

			memcpy(&entry, (const uint8_t *)payload() + at, FUSE_NAME_OFFSET);
			names++;
			files += entry.namelen == 4 &&
				 memcmp((const uint8_t *)payload() + at + FUSE_NAME_OFFSET, "file",
					4) == 0;
			in.offset = entry.off;
			at += (int)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
		}
	}
	CHECK_INT(n, 0);
	CHECK_INT(files, 1);
	CHECK_INT(names, 6); /* . .. file fifo link up */
}

/* As 'rm -r' does: what was listed is removed before more is asked for. */
static void test_listing_goes_on_while_names_are_removed(void)
{
	enum { NAMES = 500 };
	const struct fuse_open_in open_in = { .flags = 0 };
	struct fuse_read_in in = { .size = 4096 };
	struct fuse_open_out opened;
	unsigned int removed = 0;
	char name[300];
	int n;

	server_new();
	(void)start();
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "rw/%0*d", i % 17 == 0 ? 250 : 1 + i % 30, i);
		file_put(name, "");
	}
	CHECK(ask(FUSE_OPENDIR, share("rw"), &open_in, sizeof(open_in)) > 0);
	memcpy(&opened, payload(), sizeof(opened));
	in.fh = opened.fh;
	while ((n = ask(FUSE_READDIRPLUS, 0, &in, sizeof(in))) > 0) {
		uint8_t listed[4096];

		CHECK(n <= (int)sizeof(listed));
		memcpy(listed, payload(), (size_t)n);
		for (int at = 0; at < n;) {
			struct fuse_direntplus entry;

			memcpy(&entry, listed + at, FUSE_NAME_OFFSET_DIRENTPLUS);
			memcpy(name, listed + at + FUSE_NAME_OFFSET_DIRENTPLUS, entry.dirent.namelen);
			name[entry.dirent.namelen] = '\0';
			if (name[0] >= '0' && name[0] <= '9')
				removed += ask(FUSE_UNLINK, share("rw"), name, entry.dirent.namelen + 1) == 0;
			in.offset = entry.dirent.off;
			at += (int)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + entry.dirent.namelen);
		}
	}
	CHECK_INT(n, 0);
	CHECK_INT(removed, NAMES);
}

/* Only a guest that asks file by file is told, and only where there is a window. */
static void test_large_files_are_to_be_mapped(void)
{
	struct fuse_init_in in = {
		.major = 7, .minor = 37, .flags = 0xffffffff, .flags2 = FUSE_HAS_INODE_DAX >> 32, .max_readahead = 4096,
	};
	const struct {
		bool window, asked;
		off_t size;
		bool dax;
	} cases[] = {
		{ true, true, 65536, true }, { true, true, 65535, false }, { true, false, 65536, false }, { false, true, 65536, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_init_out out;
		struct fuse_entry_out entry;
		int fd;

		server_new();
		fd = openat(t.top, "rw/file", O_RDWR);
		CHECK_INT(ftruncate(fd, cases[i].size), 0);
		(void)close(fd);
		if (!cases[i].window) {
			(void)munmap(t.fuse->window.host, WINDOW);
			t.fuse->window = (struct fuse_window){ .size = 0 };
		}
		in.flags2 = cases[i].asked ? FUSE_HAS_INODE_DAX >> 32 : 0;
		CHECK(ask(FUSE_INIT, 0, &in, sizeof(in)) > 0);
		memcpy(&out, payload(), sizeof(out));
		CHECK(!(out.flags & FUSE_INIT_EXT) == !(cases[i].window && cases[i].asked));
		CHECK(ask(FUSE_LOOKUP, share("rw"), "file", 5) > 0);
		memcpy(&entry, payload(), sizeof(entry));
		CHECK(!(entry.attr.flags & FUSE_ATTR_DAX) == !cases[i].dax);
	}
	/* The next test has a window again. */
	server_new();
}

static void test_mappings_stay_in_the_window(void)
{
	static const struct {
		uint64_t foffset, len, moffset;
		int r;
	} cases[] = {
		{ 0, 4096, 0, 0 },
		{ 0, WINDOW, 0, 0 },
		{ 0, 4096, WINDOW - 4096, 0 },
		{ 0, 4096, WINDOW, -EINVAL },
		{ 0, WINDOW + 4096, 0, -EINVAL },
		{ 0, 8192, WINDOW - 4096, -EINVAL },
		{ 0, UINT64_MAX - 4095, 4096, -EINVAL },
		{ 0, 4096, UINT64_MAX - 4095, -EINVAL },
		{ 0, 0, 0, -EINVAL },
		{ 1, 4096, 0, -EINVAL },
		{ 0, 100, 0, -EINVAL },
		{ 0, 4096, 100, -EINVAL },
		{ UINT64_MAX - 4095, 4096, 0, -EINVAL },
	};
	uint64_t file;

	server_new();
	(void)start();
	file = lookup(share("rw"), "file");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct fuse_setupmapping_in in = {
			.foffset = cases[i].foffset,
			.len = cases[i].len,
			.moffset = cases[i].moffset,
			.flags = FUSE_SETUPMAPPING_FLAG_READ,
		};
		const struct {
			struct fuse_removemapping_in in;
			struct fuse_removemapping_one one;
		} __attribute__((packed)) out = {
			{ 1 },
			{ .moffset = cases[i].moffset, .len = cases[i].len },
		};

		CHECK_INT(ask(FUSE_SETUPMAPPING, file, &in, sizeof(in)), cases[i].r);
		if (cases[i].r == 0)
			CHECK(memcmp(t.fuse->window.host + cases[i].moffset, "hello", 5) == 0);
		if (cases[i].foffset == 0)
			CHECK_INT(ask(FUSE_REMOVEMAPPING, file, &out, sizeof(out)), cases[i].r);
	}
}

static void test_headers_that_lie(void)
{
	struct fuse_in_header header = { .opcode = FUSE_GETATTR, .nodeid = 1, .unique = 7 };
	static const uint32_t lengths[] = { 0, 1, 39, 41, 10000, UINT32_MAX };

	server_new();
	(void)start();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		header.len = lengths[i];
		memcpy(t.in, &header, sizeof(header));
		t.chain = (struct virtq_chain){
			.readable = 1,
			.writable = 1,
			.readable_bytes = sizeof(header),
			.writable_bytes = 200,
			.parts = { { t.in, sizeof(header) }, { t.out, 200 } },
		};
		CHECK_INT((long long)fuse_serve(t.fuse, &t.chain), 0);
	}
	/* no room for an answer, or for a part of one */
	CHECK_INT(ask_sized(FUSE_STATFS, 1, NULL, 0, 0), -9999);
	CHECK_INT(ask_sized(FUSE_STATFS, 1, NULL, 0, 15), -9999);
	CHECK_INT(ask_sized(FUSE_STATFS, 1, NULL, 0, 20), -EINVAL);
}

/* Any operation with any arguments: the sanitizers judge. The seed is fixed, so a finding stays one. */
static void test_noise(void)
{
	uint64_t state = 88172645463325252ULL;
	uint8_t args[256];

	server_new();
	(void)start();
	(void)lookup(share("rw"), "file");
	(void)lookup(share("ro"), "file");
	for (int i = 0; i < 60000; i++) {
		for (size_t k = 0; k < sizeof(args); k++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			/* mostly small numbers, which are more often right */
			args[k] = state & 7 ? (uint8_t)(state >> 40 & 3) : (uint8_t)(state >> 32);
		}
		(void)ask_sized((uint32_t)(state >> 20) % 56, state >> 50 & 7, args,
				(state >> 8) % sizeof(args),
				state & 1 ? 0 : 16 + (state >> 16) % 4096);
		if (!t.fuse->started)
			(void)start();
	}
	CHECK(faccessat(t.top, "ro/file", F_OK, 0) == 0);
	CHECK(faccessat(t.top, "secret", F_OK, 0) == 0);
}

int main(void)
{
	int status = tap_run((struct tap_test[]){
		TEST(test_nothing_before_the_start),
		TEST(test_the_start_with_little_room),
		TEST(test_a_file_is_read_and_written),
		TEST(test_names_lead_nowhere_else),
		TEST(test_links_are_not_followed),
		TEST(test_only_regular_files_are_opened),
		TEST(test_read_only_is_read_only),
		TEST(test_numbers_are_judged),
		TEST(test_one_inode_is_one_node),
		TEST(test_many_nodes),
		TEST(test_listing_tells_all_names_once),
		TEST(test_listing_goes_on_while_names_are_removed),
		TEST(test_large_files_are_to_be_mapped),
		TEST(test_mappings_stay_in_the_window),
		TEST(test_headers_that_lie),
		TEST(test_noise),
		{ 0 },
	});
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", t.dir);
	return system(command) == 0 ? status : 1;
}
