/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's requests to the file server, "OPCODE NODE SIZE arguments" each, on a share that may be changed and one that may
 * not. Beside the shares there is a file that stays as it is, and the read-only one keeps what it has.
 */
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "image/tree.h"
#include "runtime/kvm/fuse.h"
#include "tests/fuzz/fuzz.h"

enum { REQUESTS_MOST = 32, ARGS_MOST = 8192, WINDOW = 2 << 20, FILE_MOST = 1 << 20 };

static struct {
	struct fuse fuse;
	struct virtq_chain chain;
	uint8_t in[ARGS_MOST + 64], out[FUSE_OUT_SIZE];
	int top, home, proc;
} t = { .top = -1 };

/* Files stay small whatever the guest asks for: they lie in memory. */
static void prepare(void)
{
	const struct rlimit small = { FILE_MOST, FILE_MOST };

	t.top = fuzz_folder();
	t.home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.proc = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fuzz_must(setrlimit(RLIMIT_FSIZE, &small) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	fuzz_file(t.top, "secret", "outside", 7);
	fuzz_must(mkdirat(t.top, "ro", 0755) == 0);
	fuzz_file(t.top, "ro/f", "kept", 4);
}

static void server_new(void)
{
	void *window = mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	fuzz_must(tree_remove(t.top, "rw") == 0 && mkdirat(t.top, "rw", 0755) == 0 && window != MAP_FAILED);
	fuzz_must(mkdirat(t.top, "rw/d", 0755) == 0 && symlinkat("../secret", t.top, "rw/l") == 0);
	fuzz_file(t.top, "rw/f", "hello", 5);
	memset(&t.fuse, 0, sizeof(t.fuse));
	t.fuse.share_count = 2;
	t.fuse.shares[0] = (struct fuse_share){ .name = "w", .fd = openat(t.top, "rw", O_PATH | O_CLOEXEC) };
	t.fuse.shares[1] = (struct fuse_share){
		.name = "r",
		.fd = openat(t.top, "ro", O_PATH | O_CLOEXEC),
		.read_only = true,
	};
	t.fuse.window = (struct fuse_window){ .host = window, .size = WINDOW };
}

static void request(uint32_t opcode, uint64_t node, const void *args, size_t size, size_t room)
{
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.opcode = opcode,
		.nodeid = node,
		.uid = getuid(),
		.gid = getgid(),
	};
	size_t written;

	memcpy(t.in, &header, sizeof(header));
	if (size > 0)
		memcpy(t.in + sizeof(header), args, size);
	t.chain = (struct virtq_chain){
		.readable = 1,
		.writable = room > 0,
		.readable_bytes = sizeof(header) + size,
		.writable_bytes = room,
		.parts = { { t.in, sizeof(header) + size }, { t.out, room } },
	};
	written = fuse_serve(&t.fuse, &t.chain);
	fuzz_must(written <= room);
}

static void request_read(struct fuzz_input *in)
{
	static uint8_t args[ARGS_MOST];
	uint32_t opcode = fuzz_number(in, 1) % 64, node = fuzz_number(in, 1), size = fuzz_number(in, 2);
	size_t room = size >> 13 == 7 ? fuzz_number(in, 1) : sizeof(t.out);

	size %= ARGS_MOST;
	fuzz_take(in, args, size);
	/* 255 stands for an id that was never given */
	request(opcode, node == 255 ? UINT64_MAX : node, args, size, room);
}

static void outside_check(void)
{
	char text[16] = "";
	cleanup_fd int secret = openat(t.top, "secret", O_RDONLY | O_CLOEXEC);
	cleanup_fd int kept = openat(t.top, "ro/f", O_RDONLY | O_CLOEXEC);

	fuzz_must(read(secret, text, sizeof(text)) == 7 && memcmp(text, "outside", 7) == 0);
	fuzz_must(read(kept, text, sizeof(text)) == 4 && memcmp(text, "kept", 4) == 0);
	fuzz_must(faccessat(t.top, "ro/x", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuse_init_in init = { .major = 7, .minor = 36, .flags = UINT32_MAX };
	struct fuzz_input in = { data, size };

	if (t.top < 0)
		prepare();
	server_new();
	/* where the server works; libFuzzer has its own files elsewhere */
	fuzz_must(fchdir(t.proc) == 0);
	if (fuzz_number(&in, 1) & 1) {
		request(FUSE_INIT, 0, &init, sizeof(init), sizeof(t.out));
		request(FUSE_LOOKUP, FUSE_NODE_ROOT, "w", 2, sizeof(t.out));
		request(FUSE_LOOKUP, 2, "f", 2, sizeof(t.out));
		request(FUSE_LOOKUP, 2, "l", 2, sizeof(t.out));
		request(FUSE_LOOKUP, FUSE_NODE_ROOT, "r", 2, sizeof(t.out));
		request(FUSE_LOOKUP, 5, "f", 2, sizeof(t.out));
	}
	for (unsigned int i = 0; i < REQUESTS_MOST && in.size > 0; i++)
		request_read(&in);
	fuse_done(&t.fuse);
	fuzz_must(fchdir(t.home) == 0 && munmap(t.fuse.window.host, WINDOW) == 0);
	(void)close(t.fuse.shares[0].fd);
	(void)close(t.fuse.shares[1].fd);
	outside_check();
	return 0;
}
