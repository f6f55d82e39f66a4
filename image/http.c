/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl with what it should not do turned off: other protocols, redirects from https to http, answers without end,
 * waiting for ever. It takes an Authorization header away by itself when a redirect leads to another host.
 */
#include "image/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/error.h"

enum { CONNECT_SECONDS = 30, STALL_SECONDS = 60, REDIRECTS = 10, CALL_SECONDS = 120 };

int http_fail(CURLcode code, const char *url, const char *text)
{
	int errnum = code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : code == CURLE_WRITE_ERROR ? EFBIG : EIO;

	return fail_plain(errnum, "'%.300s': %.300s", url, text && *text ? text : curl_easy_strerror(code));
}

bool http_is_transient(CURLcode code, long status)
{
	switch (code) {
	case CURLE_OK: return status == 429 || status == 408 || status >= 500;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM: return true;
	default: return false;
	}
}

int http_easy(const struct http_options *options, const char *url, CURL **ret)
{
	CURL *c = curl_easy_init();
	const char *protocols = options->plain ? "http,https" : "https";

	if (!c)
		return fail(ENOMEM, "libcurl");
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols);
	(void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	(void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
	(void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "nacelle/" NACELLE_VERSION);
	(void)curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L * 1024);
	if (options->ca)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, options->ca);
	if (options->insecure) {
		(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	*ret = c;
	return 0;
}

void http_response_done(struct http_response *r)
{
	free(r->body);
	free(r->type);
	free(r->location);
	free(r->challenge);
	free(r->digest);
	*r = (struct http_response){ .status = 0 };
}

struct call {
	const struct http_request *request;
	struct http_response *response;
	int64_t sent;
};

static size_t body_take(char *data, size_t one, size_t size, void *arg)
{
	struct call *c = arg;
	struct http_response *r = c->response;
	char *grown;

	(void)one;
	if (size > c->request->limit - r->size)
		return 0;
	grown = realloc(r->body, r->size + size + 1);
	if (!grown)
		return 0;
	memcpy(grown + r->size, data, size);
	r->body = grown;
	r->size += size;
	r->body[r->size] = '\0';
	return size;
}

static void header_keep(const char *line, size_t size, const char *name, char **place)
{
	size_t len = strlen(name), end = size;

	if (size <= len || strncasecmp(line, name, len) != 0)
		return;
	while (len < end && (line[len] == ' ' || line[len] == '\t'))
		len++;
	while (end > len && (line[end - 1] == '\n' || line[end - 1] == '\r' || line[end - 1] == ' '))
		end--;
	free(*place);
	*place = strndup(line + len, end - len);
}

/* A new status line begins the headers of the next answer, behind a redirect. */
static size_t header_take(char *line, size_t one, size_t size, void *arg)
{
	struct call *c = arg;
	struct http_response *r = c->response;

	(void)one;
	if (size > 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		http_response_done(r);
		return size;
	}
	header_keep(line, size, "Content-Type:", &r->type);
	header_keep(line, size, "Location:", &r->location);
	header_keep(line, size, "WWW-Authenticate:", &r->challenge);
	header_keep(line, size, "Docker-Content-Digest:", &r->digest);
	return size;
}

static size_t body_give(char *data, size_t one, size_t room, void *arg)
{
	struct call *c = arg;
	ssize_t n = pread(c->request->body, data, one * room, c->sent);

	if (n < 0)
		return CURL_READFUNC_ABORT;
	c->sent += n;
	return (size_t)n;
}

static int body_rewind(void *arg, curl_off_t offset, int origin)
{
	struct call *c = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	c->sent = offset;
	return CURL_SEEKFUNC_OK;
}

static void body_set(CURL *easy, struct call *c)
{
	const struct http_request *q = c->request;

	if (q->text) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->text_size);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->text);
	} else if (q->body >= 0) {
		(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
		(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
		(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, body_give);
		(void)curl_easy_setopt(easy, CURLOPT_READDATA, c);
		(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, body_rewind);
		(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, c);
	}
	if (q->method && str_eq(q->method, "HEAD"))
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (q->method)
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
}

static int headers_make(const struct http_request *q, struct curl_slist **ret)
{
	struct curl_slist *list = NULL;
	cleanup_free char *authorization = NULL;
	int r = 0;

	if (q->authorization) {
		r = str_format(&authorization, "Authorization: %s", q->authorization);
		if (r >= 0)
			list = curl_slist_append(list, authorization);
	}
	for (size_t i = 0; q->headers && i < q->headers->count; i++)
		list = curl_slist_append(list, q->headers->items[i]);
	*ret = list;
	return r;
}

/* One attempt. Return: 0 with @ret_code and @ret, or a recorded failure of our own. */
static int call_once(const struct http_options *options, const struct http_request *request, CURLcode *ret_code,
		     char text[CURL_ERROR_SIZE], struct http_response *ret)
{
	struct http_response response = { .status = 0 };
	struct call call = { .request = request, .response = &response };
	struct curl_slist *headers = NULL;
	CURL *easy = NULL;
	int r = http_easy(options, request->url, &easy);

	if (r < 0)
		return r;
	r = headers_make(request, &headers);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &call);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_take);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, &call);
	if (request->body < 0)
		(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)CALL_SECONDS);
	if (request->basic && options->creds) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_USERPWD, options->creds);
	}
	body_set(easy, &call);
	*ret_code = r < 0 ? CURLE_OK : curl_easy_perform(easy);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response.status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
	if (r < 0 || *ret_code != CURLE_OK)
		http_response_done(&response);
	*ret = response;
	return r;
}

int http_call(const struct http_options *options, const struct http_request *request, struct http_response *ret)
{
	for (int tries = 0;; tries++) {
		struct http_response response;
		char text[CURL_ERROR_SIZE] = "";
		CURLcode code;
		int r = call_once(options, request, &code, text, &response);

		if (r < 0)
			return r;
		if (request->again && tries < HTTP_TRIES - 1 && http_is_transient(code, response.status)) {
			http_response_done(&response);
			http_pause(tries);
			continue;
		}
		if (code != CURLE_OK)
			return http_fail(code, request->url, code == CURLE_WRITE_ERROR ? "too long an answer" : text);
		*ret = response;
		return 0;
	}
}

void http_pause(int tries)
{
	const long ms = 250L << tries;

	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}
