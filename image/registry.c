/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first request asks the registry for nothing, to hear how it wants to be asked: 200, or 401 with a challenge. Basic
 * sends the credentials with each request, Bearer sends them once to a token server, which must be as well protected
 * as the registry is.
 */
#include "image/registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/auth.h"
#include "image/manifest.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

#define ACCEPT                                                                                      \
	"Accept: " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

enum { ANSWER_MAX = 1024 * 1024 };

void registry_free(struct registry *reg)
{
	if (reg->creds)
		explicit_bzero(reg->creds, strlen(reg->creds));
	free(reg->base);
	free(reg->creds);
	free(reg->ca);
	free(reg->authorization);
	free(reg);
}

bool host_is_loopback(const char *host)
{
	char name[64];
	struct in_addr address;
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (str_eq(name, "localhost") || str_eq(name, "[::1]"))
		return true;
	return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

int registry_fail(const struct http_response *response, const char *what)
{
	cleanup_json json_t *v = NULL;
	char shown[STR_QUOTE_SIZE] = "";
	const json_t *first;
	const char *text;
	int errnum = response->status == 404 ? ENOENT : response->status == 401 || response->status == 403 ? EACCES : EIO;

	if (response->body && json_parse("answer", response->body, response->size, &v) >= 0) {
		first = json_array_get(json_object_get(v, "errors"), 0);
		text = json_string_value(json_object_get(first, "message"));
		if (text)
			(void)str_quote(shown, text);
	}
	if (response->status == 404)
		return fail_plain(errnum, "%s: the registry has none (status 404%s%s)", what, *shown ? ", " : "", shown);
	if (errnum == EACCES)
		return fail_plain(errnum, "%s: the registry gives no access (status %ld%s%s): wrong name, or credentials "
				  "are needed (--creds, --authfile)", what, response->status, *shown ? ", " : "", shown);
	return fail_plain(errnum, "%s: the registry answers with status %ld%s%s", what, response->status,
			  *shown ? ", " : "", shown);
}

static int token_url(const struct challenge *c, char **ret)
{
	CURL *easy = curl_easy_init();
	char *service = easy && c->service ? curl_easy_escape(easy, c->service, 0) : NULL,
	     *scope = easy && c->scope ? curl_easy_escape(easy, c->scope, 0) : NULL;
	bool query = strchr(c->realm, '?');
	int r = str_format(ret, "%s%s%s%s%s%s%s", c->realm, service || scope ? (query ? "&" : "?") : "",
			   service ? "service=" : "", service ? service : "", service && scope ? "&" : "",
			   scope ? "scope=" : "", scope ? scope : "");

	curl_free(service);
	curl_free(scope);
	curl_easy_cleanup(easy);
	return r;
}

static int token_get(struct registry *reg, const struct challenge *c)
{
	cleanup_response struct http_response response = { .status = 0 };
	cleanup_free char *url = NULL;
	cleanup_json json_t *v = NULL;
	const char *token;
	int r;

	if (!reg->http.plain && !str_starts(c->realm, "https://"))
		return fail_plain(EPERM, "the registry sends us for a token to '%.200s', which is not https", c->realm);
	r = token_url(c, &url);
	if (r < 0)
		return r;
	const struct http_request request = { .url = url, .basic = true, .body = -1, .limit = ANSWER_MAX, .again = true };

	r = http_call(&reg->http, &request, &response);
	if (r < 0)
		return r;
	if (response.status != 200)
		return registry_fail(&response, "token");
	r = json_parse("token", response.body ? response.body : "", response.size, &v);
	if (r < 0)
		return r;
	token = json_string_value(json_object_get(v, "token"));
	if (!token)
		token = json_string_value(json_object_get(v, "access_token"));
	if (!token || strpbrk(token, "\r\n"))
		return fail_plain(EINVAL, "token: the server's answer has none");
	free(steal_ptr(&reg->authorization));
	return str_format(&reg->authorization, "Bearer %s", token);
}

int registry_renew(struct registry *reg, const char *challenge)
{
	struct challenge c = { .bearer = 0 };
	int r;

	if (!challenge)
		return fail_plain(EACCES, "the registry gives no access, and does not say what it wants");
	r = challenge_parse(challenge, &c);
	if (r < 0)
		return r;
	if (c.bearer)
		r = token_get(reg, &c);
	else if (!reg->creds)
		r = fail_plain(EACCES, "the registry wants credentials: give --creds USER:PASSWORD or --authfile FILE");
	else if (reg->basic)
		r = fail_plain(EACCES, "the registry does not take these credentials");
	else
		reg->basic = true;
	challenge_done(&c);
	return r;
}

int registry_call(struct registry *reg, const struct http_request *request, struct http_response *ret)
{
	for (int tries = 0;; tries++) {
		struct http_request own = *request;
		struct http_response response;
		int r;

		own.authorization = reg->authorization;
		own.basic = reg->basic;
		r = http_call(&reg->http, &own, &response);
		if (r < 0)
			return r;
		if (response.status != 401 || tries > 0) {
			*ret = response;
			return 0;
		}
		r = registry_renew(reg, response.challenge);
		http_response_done(&response);
		if (r < 0)
			return r;
	}
}

/* Certificates that were given to other tools for this registry. */
static int ca_find(const char *host, char **ret)
{
	static const char *const folders[] = { "/etc/nacelle/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		cleanup_free char *path = NULL;
		int r = str_format(&path, "%s/%s/ca.crt", folders[i], host);

		if (r < 0)
			return r;
		if (access(path, R_OK) == 0) {
			*ret = steal_ptr(&path);
			return 0;
		}
	}
	return 0;
}

/* Whether anybody speaks TLS there. */
static bool has_tls(struct registry *reg, const char *host)
{
	cleanup_free char *url = NULL;
	CURL *easy = NULL;
	CURLcode code = CURLE_FAILED_INIT;

	if (str_format(&url, "https://%s/v2/", host) >= 0 && http_easy(&reg->http, url, &easy) >= 0) {
		(void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
		code = curl_easy_perform(easy);
		curl_easy_cleanup(easy);
	}
	/* a certificate that is not trusted is TLS all the same, and must not lead to http */
	return code != CURLE_SSL_CONNECT_ERROR;
}

static int ping(struct registry *reg, const char *host, const struct reference *ref, bool push, bool again)
{
	cleanup_response struct http_response response = { .status = 0 };
	cleanup_free char *url = NULL, *challenge = NULL;
	int r = str_format(&url, "%s://%s/v2/", reg->http.plain ? "http" : "https", host);

	if (r < 0)
		return r;
	const struct http_request request = { .url = url, .body = -1, .limit = ANSWER_MAX, .again = again };

	r = http_call(&reg->http, &request, &response);
	if (r < 0)
		return r;
	if (response.status == 200)
		return 0;
	if (response.status != 401 || !response.challenge)
		return fail_plain(EIO, "'%s' is no registry (status %ld)", url, response.status);
	/* Not all say for what; a token is asked for with what will be needed. */
	if (strncasecmp(response.challenge, "Bearer", 6) == 0 && !strstr(response.challenge, "scope="))
		r = str_format(&challenge, "%s,scope=\"repository:%s:%s\"", response.challenge, ref->path,
			       push ? "pull,push" : "pull");
	else
		r = str_copy(&challenge, response.challenge);
	return r < 0 ? r : registry_renew(reg, challenge);
}

static int creds_find(const struct registry_options *options, const struct reference *ref, struct registry *reg)
{
	int r;

	if (options->creds) {
		if (!strchr(options->creds, ':'))
			return fail_plain(EINVAL, "--creds: not of the form USER:PASSWORD");
		return str_copy(&reg->creds, options->creds);
	}
	r = auth_find(options->authfile, ref->registry, ref->path, &reg->creds);
	return r < 0 ? r : 0;
}

int registry_open(const struct registry_options *options, const struct reference *ref, bool push, struct registry **ret)
{
	cleanup_registry struct registry *reg = calloc(1, sizeof(*reg));
	const char *host = str_eq(ref->registry, "docker.io") ? "registry-1.docker.io" : ref->registry;
	int r = reg ? creds_find(options, ref, reg) : fail(ENOMEM, "registry");

	if (r >= 0)
		r = ca_find(host, &reg->ca);
	if (r < 0)
		return r;
	reg->http = (struct http_options){
		.plain = options->plain,
		.insecure = options->insecure,
		.creds = reg->creds,
		.ca = reg->ca,
	};
	if (!options->plain && host_is_loopback(host) && !has_tls(reg, host))
		reg->http.plain = true;
	r = str_format(&reg->base, "%s://%s/v2/%s", reg->http.plain ? "http" : "https", host, ref->path);
	if (r >= 0)
		r = ping(reg, host, ref, push, !options->once);
	if (r < 0)
		return fail_in(r, "registry '%s'", ref->registry);
	*ret = steal_ptr(&reg);
	return 0;
}

int registry_manifest(struct registry *reg, const char *name, struct http_response *ret)
{
	cleanup_response struct http_response response = { .status = 0 };
	struct str_list headers = { .items = NULL };
	cleanup_free char *url = NULL;
	int r = str_format(&url, "%s/manifests/%s", reg->base, name);

	if (r >= 0)
		r = str_list_add(&headers, ACCEPT);
	if (r >= 0) {
		const struct http_request request = {
			.url = url, .headers = &headers, .body = -1, .limit = MANIFEST_MAX, .again = true,
		};

		r = registry_call(reg, &request, &response);
	}
	str_list_done(&headers);
	if (r < 0)
		return r;
	if (response.status != 200)
		return registry_fail(&response, "manifest");
	if (!response.body)
		return fail_plain(EINVAL, "manifest: the registry's answer is empty");
	/* "; charset=…" says nothing about JSON */
	if (response.type)
		response.type[strcspn(response.type, "; ")] = '\0';
	*ret = response;
	response = (struct http_response){ .status = 0 };
	return 0;
}
