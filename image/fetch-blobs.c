/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blobs by libcurl's multi interface: a few transfers at once, each into its partial file, from where an earlier one
 * stopped. A failure of the network costs a pause and another try of that transfer alone; what came is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/fetch-internal.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { AT_ONCE = 4, WAIT_MS = 500 };

struct transfer {
	const struct descriptor *d;
	int fd;			/* the partial file, -1 */
	char *path, *url;
	int64_t have;		/* bytes in it */
	int64_t from;		/* where this try began */
	bool checked;		/* the answer's status was looked at */
	char *challenge;
	int tries;
	double not_before;	/* seconds */
	CURL *easy;
	struct curl_slist *headers;
	char text[CURL_ERROR_SIZE];
	bool done;
};

struct blobs {
	const struct fetch *f;
	struct registry *reg;
	int sock;
	CURLM *multi;
	struct transfer *items;
	size_t count, running;
	int64_t all;
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t header_take(char *line, size_t one, size_t size, void *arg)
{
	struct transfer *t = arg;
	const char name[] = "WWW-Authenticate:";

	(void)one;
	if (size > 5 && strncasecmp(line, "HTTP/", 5) == 0)
		t->checked = false;
	if (size > sizeof(name) && strncasecmp(line, name, sizeof(name) - 1) == 0) {
		char *value = strndup(line + sizeof(name) - 1, size - sizeof(name) + 1);

		if (value) {
			value[strcspn(value, "\r\n")] = '\0';
			free(t->challenge);
			t->challenge = strdup(value + strspn(value, " \t"));
			free(value);
		}
	}
	return size;
}

/* 206 continues; 200 is the whole of it, from a server that knows no ranges: then it begins anew. */
static bool status_take(struct transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->checked = true;
	if (status == 206)
		return true;
	if (status != 200)
		return false;
	if (t->have > 0) {
		if (ftruncate(t->fd, 0) < 0)
			return false;
		t->have = t->from = 0;
	}
	return true;
}

static size_t data_take(char *data, size_t one, size_t size, void *arg)
{
	struct transfer *t = arg;
	size_t left = size;

	(void)one;
	if (!t->checked && !status_take(t)) {
		long status = 0;

		/* An answer that is an error has a body too: let it pass by. */
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		t->checked = false;
		return status >= 400 ? size : 0;
	}
	if ((int64_t)size > t->d->size - t->have)
		return 0;
	while (left > 0) {
		ssize_t n = pwrite(t->fd, data, left, t->have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		data += n;
		left -= (size_t)n;
		t->have += n;
	}
	return size;
}

static int transfer_prepare(struct blobs *b, struct transfer *t)
{
	struct stat st;
	int r = partial_open(b->f->stage, t->d->digest, &t->fd, &t->path);

	if (r < 0)
		return r;
	if (fstat(t->fd, &st) < 0)
		return fail(errno, "look at a partial blob");
	/* Longer than the whole: left by something else. */
	if (st.st_size > t->d->size) {
		if (ftruncate(t->fd, 0) < 0)
			return fail(errno, "empty a partial blob");
		st.st_size = 0;
	}
	t->have = st.st_size;
	return str_format(&t->url, "%s/blobs/%s", b->reg->base, t->d->digest);
}

static int headers_set(const struct registry *reg, struct transfer *t)
{
	cleanup_free char *text = NULL;

	if (reg->authorization) {
		if (str_format(&text, "Authorization: %s", reg->authorization) < 0)
			return -ENOMEM;
		t->headers = curl_slist_append(NULL, text);
		(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	}
	if (reg->basic && reg->creds) {
		(void)curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(t->easy, CURLOPT_USERPWD, reg->creds);
	}
	return 0;
}

static int transfer_start(struct blobs *b, struct transfer *t)
{
	int r = t->fd < 0 ? transfer_prepare(b, t) : 0;

	if (r >= 0)
		r = http_easy(&b->reg->http, t->url, &t->easy);
	if (r >= 0)
		r = headers_set(b->reg, t);
	if (r < 0)
		return r;
	t->from = t->have;
	t->checked = false;
	t->text[0] = '\0';
	if (t->have > 0)
		(void)curl_easy_setopt(t->easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->have);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, data_take);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, header_take);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->text);
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, (char *)t);
	if (curl_multi_add_handle(b->multi, t->easy) != CURLM_OK)
		return fail_plain(ENOMEM, "libcurl takes no more transfers");
	b->running++;
	return 0;
}

static void transfer_stop(struct blobs *b, struct transfer *t)
{
	if (!t->easy)
		return;
	(void)curl_multi_remove_handle(b->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	t->easy = NULL;
	t->headers = NULL;
	b->running--;
}

/* The parent takes the file over, its lock included. */
static int transfer_hand_over(struct blobs *b, struct transfer *t)
{
	struct fetch_message m = { .word = FETCH_BLOB, .fd = t->fd };
	int r;

	(void)strncpy(m.digest, t->d->digest, sizeof(m.digest) - 1);
	(void)strncpy(m.text, t->path, sizeof(m.text) - 1);
	r = fetch_send(b->sock, &m);
	(void)close(steal_fd(&t->fd));
	t->done = true;
	return r;
}

static int transfer_judge(struct blobs *b, struct transfer *t, CURLcode code)
{
	cleanup_free char *challenge = NULL;
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer_stop(b, t);
	if (code == CURLE_OK && (status == 200 || status == 206 || (status == 416 && t->have == t->d->size)) &&
	    t->have == t->d->size)
		return transfer_hand_over(b, t);
	challenge = steal_ptr(&t->challenge);
	if (code == CURLE_OK && status == 401 && t->tries++ == 0)
		return registry_renew(b->reg, challenge);
	/* What another run left may be of another length or kind than the server now has. */
	if (status == 416) {
		if (ftruncate(t->fd, 0) < 0)
			return fail(errno, "empty a partial blob");
		t->have = 0;
	}
	if (t->tries < HTTP_TRIES && (http_is_transient(code, status) || status == 416 ||
				      (code == CURLE_OK && (status == 200 || status == 206)))) {
		/* Something came: it goes on, so the count begins anew. */
		t->tries = t->have > t->from ? 1 : t->tries + 1;
		t->not_before = now() + 0.25 * (double)(1 << t->tries);
		return 0;
	}
	if (code == CURLE_WRITE_ERROR)
		return fail_plain(EFBIG, "blob %s: more than the %lld bytes it should have, or the disk is full",
				  t->d->digest, (long long)t->d->size);
	if (code != CURLE_OK)
		return http_fail(code, t->url, t->text);
	return registry_fail(&(struct http_response){ .status = status }, t->d->digest);
}

/* Return: how many there were, or a recorded failure. */
static int finished_take(struct blobs *b)
{
	CURLMsg *message;
	int left, taken = 0, r = 0;

	while (r >= 0 && (message = curl_multi_info_read(b->multi, &left))) {
		CURLcode code = message->data.result;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		r = transfer_judge(b, (struct transfer *)(void *)private, code);
		taken++;
	}
	return r < 0 ? r : taken;
}

static void progress(const struct blobs *b)
{
	int64_t done = 0;

	for (size_t i = 0; i < b->count; i++)
		done += b->items[i].have;
	if (b->f->progress)
		b->f->progress(b->f->arg, done, b->all);
}

static int blobs_run(struct blobs *b)
{
	for (;;) {
		size_t open = 0;
		int still, r = 0;

		for (size_t i = 0; i < b->count && r >= 0; i++) {
			struct transfer *t = &b->items[i];

			open += !t->done;
			if (!t->done && !t->easy && b->running < AT_ONCE && t->not_before <= now())
				r = transfer_start(b, t);
		}
		if (r >= 0 && open == 0)
			return 0;
		if (r >= 0 && curl_multi_perform(b->multi, &still) != CURLM_OK)
			r = fail_plain(EIO, "libcurl cannot go on");
		if (r >= 0)
			r = finished_take(b);
		/* What has just ended makes room for the next, or is the last: then there may be nothing to wait for. */
		if (r == 0 && curl_multi_poll(b->multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)
			r = fail_plain(EIO, "libcurl cannot go on");
		progress(b);
		if (r < 0)
			return r;
	}
}

static int blob_add(struct blobs *b, const struct descriptor *d)
{
	cleanup_fd int fd = -1;
	int r;

	for (size_t i = 0; i < b->count; i++) {
		if (str_eq(b->items[i].d->digest, d->digest))
			return 0;
	}
	if (d->size > b->f->bytes_max)
		return fail_plain(EFBIG, "blob %s: %lld bytes are more than %lld", d->digest, (long long)d->size,
				  (long long)b->f->bytes_max);
	r = blob_open(b->f->stage->store, NULL, d->digest, &fd);
	if (r != BLOB_MISSING)
		return r;
	b->items[b->count++] = (struct transfer){ .d = d, .fd = -1 };
	b->all += d->size;
	return 0;
}

int blobs_fetch(const struct fetch *f, struct registry *reg, const struct manifest *m, int sock)
{
	struct blobs b = {
		.f = f, .reg = reg, .sock = sock, .multi = curl_multi_init(),
		.items = calloc(m->layers.count + 1, sizeof(*b.items)),
	};
	int r = b.multi && b.items ? blob_add(&b, &m->config) : fail(ENOMEM, "blobs");

	for (size_t i = 0; i < m->layers.count && r >= 0; i++)
		r = blob_add(&b, &m->layers.items[i]);
	if (r >= 0)
		r = blobs_run(&b);
	for (size_t i = 0; i < b.count; i++) {
		transfer_stop(&b, &b.items[i]);
		free(b.items[i].path);
		free(b.items[i].url);
		free(b.items[i].challenge);
		if (b.items[i].fd >= 0)
			(void)close(b.items[i].fd);
	}
	free(b.items);
	(void)curl_multi_cleanup(b.multi);
	return r;
}
