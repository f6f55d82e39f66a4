/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blobs first, each in one request, those that the registry has not; the manifest last, as it is: it names what must
 * be there already.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/pull.h"
#include "image/stage.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { ANSWER_MAX = 1024 * 1024 };

static int blob_there(struct registry *reg, const char *digest, bool *ret)
{
	cleanup_response struct http_response response = { .status = 0 };
	cleanup_free char *url = NULL;
	int r = str_format(&url, "%s/blobs/%s", reg->base, digest);

	if (r < 0)
		return r;
	const struct http_request request = {
		.method = "HEAD", .url = url, .body = -1, .limit = ANSWER_MAX, .again = true,
	};

	r = registry_call(reg, &request, &response);
	if (r < 0)
		return r;
	if (response.status != 200 && response.status != 404)
		return registry_fail(&response, digest);
	*ret = response.status == 200;
	return 0;
}

/* Where to send it: an address of the registry's, or a path on it. */
static int upload_begin(struct registry *reg, const char *digest, char **ret_url)
{
	cleanup_response struct http_response response = { .status = 0 };
	cleanup_free char *url = NULL;
	const char *path;
	int r = str_format(&url, "%s/blobs/uploads/", reg->base);

	if (r < 0)
		return r;
	const struct http_request request = { .method = "POST", .url = url, .text = "", .body = -1, .limit = ANSWER_MAX };

	r = registry_call(reg, &request, &response);
	if (r < 0)
		return r;
	if (response.status != 202 || !response.location)
		return registry_fail(&response, digest);
	path = strstr(reg->base, "://");
	path = path ? strchr(path + 3, '/') : NULL;
	return str_format(ret_url, "%.*s%s%cdigest=%s",
			  *response.location == '/' && path ? (int)(path - reg->base) : 0, reg->base, response.location,
			  strchr(response.location, '?') ? '&' : '?', digest);
}

static int blob_send(struct registry *reg, const char *digest, int fd)
{
	cleanup_response struct http_response response = { .status = 0 };
	struct str_list headers = { .items = NULL };
	cleanup_free char *url = NULL;
	struct stat st;
	int r = upload_begin(reg, digest, &url);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at a blob");
	r = str_list_add(&headers, "Content-Type: application/octet-stream");
	if (r >= 0)
		r = str_list_add(&headers, "Expect:");
	if (r >= 0) {
		const struct http_request request = {
			.method = "PUT", .url = url, .headers = &headers, .body = fd, .body_size = st.st_size,
			.limit = ANSWER_MAX,
		};

		r = registry_call(reg, &request, &response);
	}
	str_list_done(&headers);
	if (r < 0)
		return r;
	return response.status == 201 ? 0 : registry_fail(&response, digest);
}

static int blob_push(const struct load *load, struct registry *reg, const char *digest)
{
	cleanup_fd int fd = -1;
	bool there = false;
	struct stat st;
	int r = blob_open(load->store, NULL, digest, &fd);

	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "blob %s is missing in the store (see 'nacelle-image verify --repair')", digest);
	if (r >= 0)
		r = blob_there(reg, digest, &there);
	if (r < 0 || there)
		return r;
	if (load->say && fstat(fd, &st) == 0)
		load->say(load->arg, "sending", digest, st.st_size);
	return blob_send(reg, digest, fd);
}

static int manifest_push(const struct load *load, struct registry *reg, const struct image *image, const char *name)
{
	cleanup_response struct http_response response = { .status = 0 };
	struct str_list headers = { .items = NULL };
	cleanup_free char *url = NULL, *text = NULL;
	cleanup_fd int fd = -1;
	size_t size = 0;
	int r = blob_open(load->store, NULL, image->manifest, &fd);

	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "manifest %s is missing in the store", image->manifest);
	if (r < 0)
		return r;
	r = fd_read_all(fd, MANIFEST_MAX, &text, &size);
	if (r < 0)
		return fail(-r, "read the manifest");
	r = str_format(&url, "%s/manifests/%s", reg->base, name);
	if (r >= 0)
		r = str_list_addf(&headers, "Content-Type: %s", image->media_type);
	if (r >= 0) {
		const struct http_request request = {
			.method = "PUT", .url = url, .headers = &headers, .text = text, .text_size = size, .body = -1,
			.limit = ANSWER_MAX, .again = true,
		};

		r = registry_call(reg, &request, &response);
	}
	str_list_done(&headers);
	if (r < 0)
		return r;
	return response.status == 201 || response.status == 200 ? 0 : registry_fail(&response, "manifest");
}

int image_push(const struct load *load, const struct image *image, const struct reference *ref,
	       const struct registry_options *registry)
{
	cleanup_registry struct registry *reg = NULL;
	int r = registry_open(registry, ref, true, &reg);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++)
		r = blob_push(load, reg, image->layers[i].blob);
	if (r >= 0)
		r = blob_push(load, reg, image->config);
	if (r >= 0)
		r = manifest_push(load, reg, image, ref->tag ? ref->tag : ref->digest);
	return r;
}
