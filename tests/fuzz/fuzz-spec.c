/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any JSON as a spec: expanded, read, and laid over another document as the flags of a command line are.
 * What was expanded is pure OCI and stays as it is; every refusal has a message fit for a terminal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char minimal[] =
	"{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": \"r\"}, \"linux\": {\"namespaces\": "
	"[{\"type\": \"mount\"}]}, \"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}}";

/* A message must be there, on one line, without control characters. */
static void check_message(void)
{
	const unsigned char *c = (const unsigned char *)fail_text();

	if (!*c)
		abort();
	for (; *c; c++) {
		if (*c < 0x20 || *c == 0x7F || (*c == 0xC2 && c[1] >= 0x80 && c[1] <= 0x9F))
			abort();
	}
	(void)fail_plain(EINVAL, "%s", "");
}

static void check_read(json_t *v)
{
	struct spec *spec = NULL;

	if (spec_read(v, &spec) < 0) {
		check_message();
		return;
	}
	/* What the rest of the program relies on without looking. */
	if (!spec->linux_.namespaces[NS_MOUNT].wanted ||
	    !(spec->root_path || spec->mount_count > 0))
		abort();
	if (spec->process_set && (spec->process.args.count == 0 || *spec->process.cwd != '/'))
		abort();
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *m = &spec->mounts[i];

		if (*m->destination != '/' || !(m->bind ? m->source : m->type))
			abort();
		if (m->attr_set & m->attr_clear & ~UINT64_C(0x70))
			abort();
	}
	(void)spec_free(spec);
}

static void check_expand(json_t *v, json_t *overrides, json_t *defaults)
{
	cleanup_json json_t *before = json_deep_copy(v), *expanded = NULL, *again = NULL;
	int r = spec_expand(v, overrides, defaults, "/folder", &expanded);

	if (!json_equal(v, before))
		abort();
	if (r < 0) {
		check_message();
		return;
	}
	/* Flags on a document that is not short may leave it as odd as it was. */
	if (!overrides &&
	    (spec_is_short(expanded) || spec_expand(expanded, NULL, NULL, NULL, &again) < 0 ||
	     again != expanded))
		abort();
	check_read(expanded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_json json_t *v = NULL, *base = NULL;

	(void)fail_plain(EINVAL, "%s", "");
	if (json_parse("fuzz", (const char *)data, size, &v) < 0)
		return 0;
	check_read(v);
	check_expand(v, NULL, NULL);
	if (json_parse("base", minimal, sizeof(minimal) - 1, &base) < 0)
		abort();
	if (json_is_object(v)) {
		check_expand(base, v, NULL);
		check_expand(v, NULL, v);
	}
	return 0;
}
