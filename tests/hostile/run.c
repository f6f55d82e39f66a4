/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run DIR [-v] - let nacelle-image load every hostile image, each into a store of its own
 *
 * Below DIR (a new folder) each worker has a folder with the store, the case, and a folder outside of both which has to
 * stay as it is. The program is linked in under another name and called in a fork, since loading its libraries takes longer
 * than what it does here. A case that is to be refused must end with status 125 and one printable line, and leave nothing in the
 * store; one that is to be contained must give an image that verifies. None may take longer than LIMIT. Each failure is a
 * line; the last line counts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/str.h"
#include "tests/hostile/hostile.h"

enum { WORKERS = 2, LIMIT_MS = 60000, PATH_SIZE = 4096 };

struct counts {
	int layers, layouts, refused, contained, wrong;
};

struct worker {
	char path[PATH_SIZE], outside[PATH_SIZE];
	int dir;
	bool verbose;
	struct timespec times[2];	/* of the folder outside, and of its file */
};

static const char *const must_be_empty[] = {
	"staging", "partial", "images", "layers", "refs", "uses", "blobs/sha256", "blobs/sha512",
};

/* main() of cmd/nacelle-image */
int nacelle_image(int argc, char **argv);

static void need(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(2);
	}
}

static int names_in(int dir, const char *path)
{
	struct str_list names = { .items = NULL };
	int n;

	need(folder_read(dir, path, &names) >= 0, path);
	n = (int)names.count;
	str_list_done(&names);
	return n;
}

static bool outside_is_whole(const struct worker *w)
{
	struct stat folder, file;
	char text[8] = "";
	int fd = openat(w->dir, "outside/keep", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool whole = fd >= 0 && read(fd, text, sizeof(text) - 1) == 4 && strcmp(text, "kept") == 0;

	if (fd >= 0)
		(void)close(fd);
	return whole && fstatat(w->dir, "outside", &folder, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(w->dir, "outside/keep", &file, AT_SYMLINK_NOFOLLOW) == 0 && file.st_nlink == 1 &&
	       (file.st_mode & 07777) == 0600 && (folder.st_mode & 07777) == 0700 && folder.st_uid == geteuid() &&
	       memcmp(&folder.st_ctim, &w->times[0], sizeof(folder.st_ctim)) == 0 &&
	       memcmp(&file.st_ctim, &w->times[1], sizeof(file.st_ctim)) == 0 && names_in(w->dir, ".") == 4 &&
	       access("/etc/nacelle-hostile", F_OK) < 0 && access("/tmp/nacelle-hostile", F_OK) < 0;
}

/* Return: the exit status, or -1 for one that hangs (it is killed) or is ended by a signal. */
static int program_run(const struct worker *w, const char *verb, const char *operand)
{
	pid_t pid = fork();
	struct pollfd end;
	int status;

	if (pid == 0) {
		char store[PATH_SIZE + 8];
		const char *args[] = { "nacelle-image", verb, "-q", "--store", store, operand, NULL };
		int log = openat(w->dir, "log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		(void)snprintf(store, sizeof(store), "%s/store", w->path);
		(void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 1);
		(void)dup2(log, 2);
		(void)setpgid(0, 0);
		exit(nacelle_image(operand ? 6 : 5, (char **)(uintptr_t)args));
	}
	need(pid > 0, "fork");
	end = (struct pollfd){ .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	need(end.fd >= 0, "pidfd");
	if (poll(&end, 1, LIMIT_MS) != 1)
		(void)kill(-pid, SIGKILL);
	(void)close(end.fd);
	need(waitpid(pid, &status, 0) == pid, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the program said, its one line's end taken away. Return: whether it was one line of what can be printed. */
static bool log_read(const struct worker *w, char *text, size_t size)
{
	int fd = openat(w->dir, "log", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (n <= 0 || text[n - 1] != '\n')
		return false;
	text[n - 1] = '\0';
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return true;
}

/* Return: what is wrong, NULL when nothing is. */
static const char *refusal_judge(const struct worker *w, int status, bool line)
{
	if (status == -1)
		return "does not end, or by a signal";
	if (status == 0)
		return "is taken for a good one";
	if (status != 125 || !line)
		return "is not refused by status 125 and one line";
	for (size_t i = 0; i < ARRAY_SIZE(must_be_empty); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "store/%s", must_be_empty[i]);
		if (names_in(w->dir, path) > 0)
			return "leaves something in the store";
	}
	return NULL;
}

static const char *image_judge(const struct worker *w, int status)
{
	if (status != 0)
		return "is not loaded";
	if (names_in(w->dir, "store/images") != 1 || names_in(w->dir, "store/staging") || names_in(w->dir, "store/partial"))
		return "leaves something half done";
	return program_run(w, "verify", NULL) == 0 ? NULL : "does not verify";
}

static void case_run(const struct worker *w, const struct hostile *h, struct counts *c)
{
	char said[8192] = "";
	const char *wrong;
	char *place;
	int dir, status;
	bool line;

	need(tree_remove(w->dir, "store") >= 0 && tree_remove(w->dir, "case") >= 0 &&
		     mkdirat(w->dir, "case", 0700) == 0 && mkdirat(w->dir, "store", 0700) == 0, "case");
	dir = openat(w->dir, "case", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(dir >= 0, "case");
	place = hostile_make(h, dir, w->path, w->outside);
	(void)close(dir);
	status = program_run(w, "load", place);
	line = log_read(w, said, sizeof(said));
	wrong = h->outcome == REFUSED ? refusal_judge(w, status, line) : image_judge(w, status);
	if (!outside_is_whole(w))
		wrong = "reaches what is outside";
	if (wrong)
		c->wrong++;
	else if (h->outcome == REFUSED)
		c->refused++;
	else
		c->contained++;
	if (wrong || w->verbose)
		(void)printf("%s%s%s: %s\n", h->name, wrong ? " " : "", wrong ? wrong : "", said);
	free(place);
}

static void outside_make(struct worker *w)
{
	struct stat st;
	int fd;

	need(mkdir(w->path, 0700) == 0, w->path);
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(w->dir >= 0 && mkdirat(w->dir, "outside", 0700) == 0, "outside");
	fd = openat(w->dir, "outside/keep", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && write(fd, "kept", 4) == 4, "outside/keep");
	need(fstat(fd, &st) == 0, "outside/keep");
	w->times[1] = st.st_ctim;
	(void)close(fd);
	need(fstatat(w->dir, "outside", &st, 0) == 0, "outside");
	w->times[0] = st.st_ctim;
}

static void worker_run(struct worker *w, int number, int to)
{
	struct counts c = { .layers = 0 };
	int n = 0;

	outside_make(w);
	for (const struct hostile *h = hostile_layers; h->name; h++, n++) {
		if (n % WORKERS != number)
			continue;
		case_run(w, h, &c);
		c.layers++;
	}
	for (const struct hostile *h = hostile_layouts; h->name; h++, n++) {
		if (n % WORKERS != number)
			continue;
		case_run(w, h, &c);
		c.layouts++;
	}
	need(write(to, &c, sizeof(c)) == (ssize_t)sizeof(c), "count");
}

/* The same image without a lie must load: otherwise all would be refused for nothing. */
static void honest_run(struct worker *w)
{
	static const struct hostile honest[] = {
		{ .name = "an honest layout", .outcome = CONTAINED },
		{ .name = "an honest layout of two layers", .outcome = CONTAINED, .upper = true },
		{ .name = "an honest gzip layer", .outcome = CONTAINED, .packer = 'g' },
		{ .name = "an honest zstd layer", .outcome = CONTAINED, .packer = 'z' },
		{ .name = "an honest archive", .outcome = CONTAINED, .form = FORM_ARCHIVE },
		{ .name = "an honest docker archive", .outcome = CONTAINED, .form = FORM_DOCKER },
	};
	struct counts c = { .layers = 0 };

	outside_make(w);
	for (size_t i = 0; i < ARRAY_SIZE(honest); i++)
		case_run(w, &honest[i], &c);
	if (c.wrong > 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	struct counts all = { .layers = 0 }, c;
	int ends[2];

	if (argc < 2) {
		(void)fprintf(stderr, "usage: run DIR [-v]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	need(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	for (int i = 0; i <= WORKERS; i++) {
		struct worker w = { .verbose = argc > 2 };
		pid_t pid;

		(void)snprintf(w.path, sizeof(w.path), "%s/%d", argv[1], i);
		(void)snprintf(w.outside, sizeof(w.outside), "%.4000s/outside", w.path);
		pid = fork();
		need(pid >= 0, "fork");
		if (pid == 0) {
			if (i == WORKERS)
				honest_run(&w);
			else
				worker_run(&w, i, ends[1]);
			_exit(0);
		}
	}
	(void)close(ends[1]);
	while (read(ends[0], &c, sizeof(c)) == (ssize_t)sizeof(c)) {
		all.layers += c.layers;
		all.layouts += c.layouts;
		all.refused += c.refused;
		all.contained += c.contained;
		all.wrong += c.wrong;
	}
	for (int i = 0, status; i <= WORKERS; i++) {
		if (wait(&status) < 0 || status != 0)
			all.wrong++;
	}
	(void)printf("%d layers, %d layouts: %d refused, %d contained, %d wrong\n", all.layers, all.layouts, all.refused,
		     all.contained, all.wrong);
	return all.wrong == 0 ? 0 : 1;
}
