/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/mirror.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/str.h"

static const char host_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]";
static const char path_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";

int mirror_of(const char *place, const struct reference *ref, struct mirror *ret)
{
	const char *secure = str_starts(place, "https://"), *plain = str_starts(place, "http://");
	const char *host = secure ? secure : plain ? plain : place;
	size_t host_size = strcspn(host, "/"), path_size = strlen(host + host_size);
	struct mirror mirror = { .plain = plain };
	char shown[STR_QUOTE_SIZE];
	int r;

	while (path_size > 0 && host[host_size + path_size - 1] == '/')
		path_size--;
	if (host_size == 0 || strspn(host, host_characters) < host_size ||
	    strspn(host + host_size, path_characters) < path_size || strstr(host + host_size, ".."))
		return fail_plain(EINVAL, "mirror %s: must be HOST[:PORT][/PATH], with http:// before it when it has no TLS",
				  str_quote(shown, place));
	r = str_format(&mirror.ref.registry, "%.*s", (int)host_size, host);
	if (r >= 0 && path_size > 1)
		r = str_format(&mirror.ref.path, "%.*s/%s", (int)path_size - 1, host + host_size + 1, ref->path);
	else if (r >= 0)
		r = str_copy(&mirror.ref.path, ref->path);
	if (r >= 0)
		r = str_copy(&mirror.ref.tag, ref->tag);
	if (r >= 0)
		r = str_copy(&mirror.ref.digest, ref->digest);
	if (r < 0) {
		reference_done(&mirror.ref);
		return r;
	}
	*ret = mirror;
	return 0;
}
