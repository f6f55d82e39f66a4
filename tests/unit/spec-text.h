/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-text - documents for the tests of the spec, written with ' for " so that they can be read
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "tests/unit/tap.h"

/* A document with nothing in it that is not needed. */
#define MINIMAL \
	"'ociVersion': '1.2.0', 'root': {'path': 'rootfs'}, 'linux': {'namespaces': [{'type': 'mount'}]}"

/* text_json() - a JSON value from text with ' for "; the test fails when it is none. */
static inline json_t *text_json(const char *text)
{
	cleanup_free char *copy = strdup(text);
	json_t *v = NULL;
	int r;

	for (char *c = copy; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	r = json_parse("test", copy, strlen(copy), &v);
	tap_check(r == 0, __FILE__, __LINE__, "%s: %s", text, r < 0 ? fail_text() : "");
	return v;
}

/* text_spec() - read a document; NULL when it was refused, and fail_text() says why. */
static inline struct spec *text_spec(const char *text)
{
	cleanup_json json_t *v = text_json(text);
	struct spec *spec = NULL;

	return spec_read(v, &spec) < 0 ? NULL : spec;
}

/* A document that is refused, and what the message must say. */
struct refusal {
	const char *text, *message;
};

/* texts_refused() - every document of a list (ended by NULL) is refused with its message. */
static inline void texts_refused(const struct refusal *list)
{
	for (; list->text; list++) {
		struct spec *spec = text_spec(list->text);

		if (tap_check(!spec, __FILE__, __LINE__, "%s was accepted", list->text))
			CHECK_HAS(fail_text(), list->message);
		(void)spec_free(spec);
	}
}

#define cleanup_spec __attribute__((cleanup(spec_free_p)))
