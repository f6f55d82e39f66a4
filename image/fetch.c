/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The child's side is fetch_run(): manifest, then blobs, several at a time (fetch-blobs.c). It drops every capability,
 * and with Landlock may write nowhere but below the store's partial/ and its own stage.
 */
#include "image/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/fetch-internal.h"
#include "image/manifest.h"
#include "image/mirror.h"
#include "image/sandbox.h"
#include "runtime/base/error.h"
#include "runtime/base/fd-message.h"
#include "runtime/base/fd.h"

int fetch_send(int sock, struct fetch_message *m)
{
	union fd_message room;
	struct iovec data = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	fd_message_put(&message, &room, &m->fd, m->fd >= 0);
	if (sendmsg(sock, &message, MSG_NOSIGNAL) < 0)
		return fail(errno, "tell about what was fetched");
	return 0;
}

static int control_fd(struct msghdr *message)
{
	int fd;

	(void)fd_message_take(message, &fd, 1);
	return fd_lift(fd);
}

int fetch_receive(const struct fetcher *f, struct fetch_message *ret)
{
	union fd_message room;
	struct iovec data = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	char shown[sizeof(ret->text) * 2];
	ssize_t n;

	fd_message_room(&message, &room);
	do
		n = recvmsg(f->sock, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(errno, "hear about what was fetched");
	ret->fd = n > 0 ? control_fd(&message) : -1;
	if (n != (ssize_t)sizeof(*ret)) {
		if (ret->fd >= 0)
			(void)close(ret->fd);
		return fail_plain(EIO, "the process that speaks to the registry is gone");
	}
	ret->text[sizeof(ret->text) - 1] = '\0';
	ret->digest[sizeof(ret->digest) - 1] = '\0';
	if (ret->word != FETCH_FAILED)
		return 0;
	return fail_plain(ret->value > 0 && ret->value < 4096 ? ret->value : EIO, "%s",
			  str_printable(shown, sizeof(shown), ret->text));
}

/* The manifest's bytes go over in memory that nobody can change any more. */
static int manifest_send(int sock, const struct http_response *response)
{
	struct fetch_message m = { .word = FETCH_MANIFEST };
	cleanup_fd int fd = memfd_create("manifest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return fail(errno, "memory for a manifest");
	r = fd_write_all(fd, response->body, response->size);
	if (r < 0)
		return fail(-r, "memory for a manifest");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return fail(errno, "memory for a manifest");
	m.fd = fd;
	(void)snprintf(m.text, sizeof(m.text), "%s", response->type ? response->type : "");
	return fetch_send(sock, &m);
}

/* A media type that is no manifest's ("text/plain") says nothing. */
static const char *announced(const struct http_response *response)
{
	return response->type && str_starts(response->type, "application/vnd.") ? response->type : NULL;
}

/* Where an image is fetched from: what it answers is handed on when it is all there, since another one may be asked after it. */
struct source {
	struct registry *reg;
	struct http_response answers[2];	/* an index, or the manifest; the manifest */
	int answer_count;
	struct manifest *manifest;
};

static void source_done(struct source *s)
{
	registry_free_p(&s->reg);
	manifest_free_p(&s->manifest);
	for (int i = 0; i < s->answer_count; i++)
		http_response_done(&s->answers[i]);
	*s = (struct source){ .reg = NULL };
}

static int manifest_fetch(const struct fetch *f, const struct reference *ref, struct source *s)
{
	cleanup_manifest struct manifest *index = NULL;
	const char *name = ref->digest ? ref->digest : ref->tag;

	for (int depth = 0; depth < (int)ARRAY_SIZE(s->answers); depth++) {
		cleanup_manifest struct manifest *m = NULL;
		const struct descriptor *d;
		int r = registry_manifest(s->reg, name, &s->answers[depth]);

		if (r < 0)
			return r;
		s->answer_count++;
		r = manifest_parse(s->answers[depth].body, s->answers[depth].size, announced(&s->answers[depth]), &m);
		if (r < 0)
			return r;
		if (m->kind == MANIFEST_IMAGE) {
			s->manifest = steal_ptr(&m);
			return 0;
		}
		index = steal_ptr(&m);
		r = depth == 0 ? manifest_choose(index, f->platform, &d) : fail_plain(EINVAL, "an index in an index");
		if (r < 0)
			return r;
		name = d->digest;
	}
	return fail_plain(EINVAL, "an index in an index");
}

/* @name: of the mirror; NULL: it is the registry itself */
static int source_try(const struct fetch *f, const char *name, struct source *s)
{
	struct registry_options options = *f->registry;
	struct mirror mirror = { .plain = false };
	int r = 0;

	if (name) {
		r = mirror_of(name, f->ref, &mirror);
		/* What was said of the registry is not meant for others. */
		options = (struct registry_options){ .plain = mirror.plain, .authfile = options.authfile, .once = true };
	}
	if (r >= 0)
		r = registry_open(&options, name ? &mirror.ref : f->ref, false, &s->reg);
	if (r >= 0)
		r = manifest_fetch(f, name ? &mirror.ref : f->ref, s);
	reference_done(&mirror.ref);
	if (r < 0)
		source_done(s);
	return r;
}

static int source_find(const struct fetch *f, struct source *s)
{
	for (size_t i = 0; f->mirrors && i < f->mirrors->count; i++) {
		const char *name = f->mirrors->items[i];

		if (source_try(f, name, s) >= 0)
			return 0;
		if (f->passed_by)
			f->passed_by(f->arg, name, fail_text());
	}
	return source_try(f, NULL, s);
}

static int fetch_run(const struct fetch *f, int sock)
{
	struct source s = { .reg = NULL };
	int r = source_find(f, &s);

	for (int i = 0; i < s.answer_count && r >= 0; i++)
		r = manifest_send(sock, &s.answers[i]);
	if (r >= 0)
		r = blobs_fetch(f, s.reg, s.manifest, sock);
	source_done(&s);
	return r;
}

/* Reading stays as it was (certificates, name service); writing only where blobs go. */
static int write_confine(const struct fetch *f)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM |
				     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
				     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK |
				     LANDLOCK_ACCESS_FS_EXECUTE,
	};
	cleanup_fd int rules = -1, partial = -1;
	int folders[2];

	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : fail(errno, "Landlock");
	partial = openat(f->stage->store->dir, "partial", O_PATH | O_DIRECTORY | O_CLOEXEC);
	folders[0] = partial;
	folders[1] = f->stage->dir;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
					  LANDLOCK_ACCESS_FS_REMOVE_FILE,
			.parent_fd = folders[i],
		};

		if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return fail(errno, "Landlock rule");
	}
	return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? fail(errno, "Landlock") : 0;
}

static int confine(const struct fetch *f, pid_t parent)
{
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return fail_plain(ESRCH, "the parent is gone");
	(void)prctl(PR_SET_NAME, "image-fetch");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(errno, "no new privileges");
	r = write_confine(f);
	return r < 0 ? r : sandbox_caps_drop();
}

static _Noreturn void child_run(const struct fetch *f, int sock, pid_t parent)
{
	int r = confine(f, parent);

	if (r >= 0)
		r = fetch_run(f, sock);
	if (r < 0) {
		struct fetch_message m = { .word = FETCH_FAILED, .value = -r, .fd = -1 };

		(void)snprintf(m.text, sizeof(m.text), "%s", fail_text());
		(void)fetch_send(sock, &m);
	}
	_exit(r < 0 ? 1 : 0);
}

int fetch_start(const struct fetch *fetch, struct fetcher *ret)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(errno, "socket pair");
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		child_run(fetch, ends[1], parent);
	}
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return fail(errno, "start the process that speaks to the registry");
	}
	*ret = (struct fetcher){ .pid = pid, .sock = ends[0] };
	return 0;
}

void fetch_end(struct fetcher *f)
{
	if (f->pid <= 0)
		return;
	(void)close(f->sock);
	(void)kill(f->pid, SIGKILL);
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
	f->pid = -1;
}
