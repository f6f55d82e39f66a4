/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * registry - one repository of one registry, as the OCI distribution specification has it
 */

#include <stdbool.h>

#include "image/http.h"
#include "image/reference.h"

struct registry_options {
	bool plain, insecure;
	const char *creds;	/* "user:password" */
	const char *authfile;
	bool once;		/* no second try of the first request: somebody else can be asked */
};

struct registry {
	struct http_options http;
	char *base;		/* "https://host/v2/path" */
	char *creds, *ca;
	char *authorization;	/* "Bearer …", NULL */
	bool basic;
};

/*
 * registry_open() - find out how the registry is spoken to, and get leave to
 * @push: not only to read
 *
 * https; on a loopback address http where there is no https. Return: 0 with @ret the caller's, or a recorded failure.
 */
int registry_open(const struct registry_options *options, const struct reference *ref, bool push, struct registry **ret);
void registry_free(struct registry *reg);
CLEANUP_DEFINE(struct registry *, registry_free)
#define cleanup_registry __attribute__((cleanup(registry_free_p)))

/*
 * registry_call() - a request with the leave that was got; asks for it anew once when it has expired
 *
 * Return: 0 whatever the status, or a recorded failure.
 */
int registry_call(struct registry *reg, const struct http_request *request, struct http_response *ret);

/* registry_renew() - ask for leave as a 401's challenge says. Return: 0 or a recorded failure. */
int registry_renew(struct registry *reg, const char *challenge);

/* registry_fail() - record what an answer says that is none of ours. @what: the thing. Return: the failure. */
int registry_fail(const struct http_response *response, const char *what);

/* registry_manifest() - a manifest by tag or digest. @ret: http_response_done(). Return: 0 or a recorded failure. */
int registry_manifest(struct registry *reg, const char *name, struct http_response *ret);

/* host_is_loopback() - "localhost", 127.x.y.z, [::1], with or without a port */
bool host_is_loopback(const char *host);
