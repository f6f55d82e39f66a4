/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables, told to others, and held against what reads: every field of the walk is tried on the
 * reader with a value it cannot like, every word of the features document with what parses it.
 */
#include "runtime/spec-write.h"
#include "tests/unit/spec-text.h"

/* The document with @value at a path of the walk ("a.b[].c", "a.*.b"); takes over @value. */
static json_t *document_with(const char *path, json_t *value)
{
	cleanup_free char *copy = strdup(path);
	json_t *doc = text_json("{" MINIMAL "}"), *at = doc;
	char *rest = copy, *part;

	while ((part = strsep(&rest, "."))) {
		size_t n = strlen(part);
		bool list = n > 2 && str_eq(part + n - 2, "[]");
		json_t *next;

		if (list)
			part[n - 2] = '\0';
		next = rest ? json_object_get(at, part) : NULL;
		if (!rest)
			json_object_set_new(at, part, value);
		else if (list)
			json_object_set_new(at, part, json_pack("[o]", next = json_object()));
		else if (!next)
			json_object_set_new(at, part, next = json_object());
		at = next;
	}
	return doc;
}

/* A value that a field of this type cannot take. */
static json_t *wrong_value(const char *type)
{
	if (strncmp(type, "array", 5) == 0 || strncmp(type, "object", 6) == 0)
		return json_integer(5);
	return str_eq(type, "string") ? json_integer(5) : json_pack("[s]", "x");
}

struct seen {
	size_t oci, short_form, refused;
};

static int try_field(const struct spec_field_text *field, void *data)
{
	const char *last = strrchr(field->path, '.');
	struct seen *seen = data;
	cleanup_json json_t *doc = NULL;
	struct spec *spec = NULL;
	bool accepted;

	if (!tap_check(field->help && *field->help, __FILE__, __LINE__, "%s has no help",
		       field->path))
		return 0;
	if (field->short_form) {
		seen->short_form++;
		return 0;
	}
	seen->oci++;
	seen->refused += !field->supported;
	tap_check(!field->supported || *field->type, __FILE__, __LINE__, "%s has no type",
		  field->path);
	doc = document_with(field->path, wrong_value(field->supported ? field->type : "string"));
	accepted = spec_read(doc, &spec) == 0;
	(void)spec_free(spec);
	if (!tap_check(!accepted, __FILE__, __LINE__, "%s: a wrong value was accepted",
		       field->path))
		return 0;
	/* Either the field is named, or one beside it that must be there. */
	if (!strstr(fail_text(), last ? last + 1 : field->path))
		CHECK_HAS(fail_text(), " is required");
	return 0;
}

static void test_every_field_is_judged_by_type(void)
{
	struct seen seen = { .oci = 0 };

	CHECK_INT(spec_fields_walk(try_field, &seen), 0);
	CHECK_INT(seen.short_form, 37);
	/* of what Linux has parts of vm, and what has no meaning there */
	CHECK(seen.oci > 200 && seen.refused >= 14 && seen.refused <= 15);
	printf("# %zu fields of OCI, %zu of them refused; %zu short keys\n", seen.oci, seen.refused,
	       seen.short_form);
}

static int stop(const struct spec_field_text *field, void *data)
{
	(void)field;
	(void)data;
	return -7;
}

static void test_a_walk_can_be_ended(void)
{
	CHECK_INT(spec_fields_walk(stop, NULL), -7);
}

/* Whether a document of this text, in which "%s" is the word, can be read; fails the test when not. */
static void word_is_read(const char *format, const char *word)
{
	cleanup_free char *text = NULL;
	cleanup_spec struct spec *spec = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	CHECK_INT(str_format(&text, format, word), 0);
#pragma GCC diagnostic pop
	spec = text_spec(text);
	tap_check(spec, __FILE__, __LINE__, "%s: %s", word, fail_text());
}

static void words_are_read(json_t *words, const char *format)
{
	size_t i;
	json_t *word;

	CHECK(json_array_size(words) > 0);
	json_array_foreach(words, i, word) {
		word_is_read(format, json_string_value(word));
	}
}

#define SECCOMP(members) \
	"{'ociVersion': '1.2.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}], 'seccomp': {" members \
	"}}}"

static void test_the_features_document_says_what_is_read(void)
{
	cleanup_json json_t *f = spec_features();
	json_t *l = json_object_get(f, "linux"), *seccomp = json_object_get(l, "seccomp");

	if (!CHECK(f))
		return;
	words_are_read(
		json_object_get(seccomp, "actions"),
		SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '/s', 'syscalls': [{'names': ['acct'], 'action': '%s'}]"));
	words_are_read(
		json_object_get(seccomp, "operators"),
		SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['read'],"
			"'action': 'SCMP_ACT_ERRNO', 'args': [{'index': 0, 'value': 1, 'op': '%s'}]}]"));
	words_are_read(json_object_get(seccomp, "archs"),
		       SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['%s']"));
	words_are_read(json_object_get(seccomp, "supportedFlags"),
		       SECCOMP("'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['%s']"));
	words_are_read(json_object_get(f, "hooks"),
		       "{" MINIMAL ", 'hooks': {'%s': [{'path': '/x'}]}}");
	words_are_read(
		json_object_get(l, "capabilities"),
		"{" MINIMAL
		", 'process': {'cwd': '/', 'args': ['a'], 'capabilities': {'bounding': ['%s']}}}");
	word_is_read(
		"{'ociVersion': '%s', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}]}}",
		json_string_value(json_object_get(f, "ociVersionMin")));
	word_is_read(
		"{'ociVersion': '%s', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}]}}",
		json_string_value(json_object_get(f, "ociVersionMax")));
	CHECK_INT(json_array_size(json_object_get(l, "namespaces")), NS_COUNT);
	CHECK_INT(json_array_size(json_object_get(l, "capabilities")), 41);
	CHECK(json_string_length(json_object_get(json_object_get(f, "annotations"),
						 "io.github.seccomp.libseccomp.version")) > 4);
	CHECK(json_is_false(json_object_get(json_object_get(l, "cgroup"), "v1")));
}

static void test_every_mount_option_is_taken_from_the_file_system(void)
{
	cleanup_json json_t *f = spec_features();
	json_t *options = json_object_get(f, "mountOptions"), *option;
	size_t i;

	CHECK(json_array_size(options) > 55);
	json_array_foreach(options, i, option) {
		const char *name = json_string_value(option);
		const char *type = str_eq(name, "tmpcopyup") ? "'type': 'tmpfs'" :
				   str_eq(name, "nocopy")    ? "'type': 'volume'" :
							       "'type': 'bind'";
		cleanup_free char *text = NULL;
		cleanup_spec struct spec *spec = NULL;

		CHECK_INT(
			str_format(
				&text,
				"{'ociVersion': '1.2.0', 'root': {'path': 'r'}, 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'user'}],"
				"'uidMappings': [{'containerID': 0, 'hostID': 0, 'size': 1}], 'gidMappings': [{'containerID': 0, 'hostID': 0, 'size': 1}]},"
				"'mounts': [{'destination': '/a', 'source': '%s', %s, 'options': ['%s']}]}",
				str_eq(name, "nocopy") ? "v" : "/", type, name),
			0);
		spec = text_spec(text);
		if (tap_check(spec, __FILE__, __LINE__, "%s: %s", name, fail_text()))
			CHECK_INT(spec->mounts[0].fs_options.count, 0);
	}
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_every_field_is_judged_by_type),
		TEST(test_a_walk_can_be_ended),
		TEST(test_the_features_document_says_what_is_read),
		TEST(test_every_mount_option_is_taken_from_the_file_system),
		{ 0 },
	});
}
