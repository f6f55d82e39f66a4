/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * http - requests to one registry, by libcurl
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

struct http_options {
	bool plain;		/* http rather than https */
	bool insecure;		/* certificates are not checked */
	const char *creds;	/* "user:password", NULL */
	const char *ca;		/* a file of certificates, NULL: the system's */
};

struct http_request {
	const char *method;	/* NULL: GET */
	const char *url;
	const struct str_list *headers;
	const char *authorization;	/* value of that header, NULL */
	bool basic;			/* send the credentials */
	const char *text;		/* body, NULL */
	size_t text_size;
	int body;			/* fd of a file to be sent with PUT, -1 */
	int64_t body_size;
	size_t limit;			/* of the answer's body */
	bool again;			/* may be repeated when the network or the server fails */
};

struct http_response {
	long status;
	char *body;
	size_t size;
	char *type, *location, *challenge, *digest;	/* headers, NULL */
};

/* http_call() - one request, redirects followed. Return: 0 whatever the status, or a recorded failure. */
int http_call(const struct http_options *options, const struct http_request *request, struct http_response *ret);
void http_response_done(struct http_response *r);
static inline void http_response_done_p(struct http_response *r)
{
	http_response_done(r);
}
#define cleanup_response __attribute__((cleanup(http_response_done_p)))

/* http_easy() - a handle with all that requests have in common. Return: 0 with @ret the caller's, or a recorded failure. */
int http_easy(const struct http_options *options, const char *url, CURL **ret);

/* http_fail() - record what libcurl says. Return: the failure. */
int http_fail(CURLcode code, const char *url, const char *text);

/* http_is_transient() - whether trying again may help */
bool http_is_transient(CURLcode code, long status);

/* http_pause() - wait before trying again: a quarter of a second, then twice as long each time */
enum { HTTP_TRIES = 5 };
void http_pause(int tries);
