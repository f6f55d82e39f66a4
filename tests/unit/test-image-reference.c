/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of images as users type them, and those that are none.
 */
#include <stdlib.h>
#include <string.h>

#include "image/auth.h"
#include "image/reference.h"
#include "image/registry.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names_are_completed(void)
{
	static const char *const table[][2] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "foo/bar", "docker.io/foo/bar:latest" },
		{ "quay.io/foo", "quay.io/foo:latest" },
		{ "localhost/foo:x", "localhost/foo:x" },
		{ "localhost:5000/foo", "localhost:5000/foo:latest" },
		{ "127.0.0.1:5000/a/b/c:v1.2_3-x", "127.0.0.1:5000/a/b/c:v1.2_3-x" },
		{ "[::1]:5000/a", "[::1]:5000/a:latest" },
		{ "busybox@sha256:" HEX, "docker.io/library/busybox@sha256:" HEX },
		{ "quay.io/a:t@sha256:" HEX, "quay.io/a:t@sha256:" HEX },
		{ "a__b/c.d/e-f---g", "docker.io/a__b/c.d/e-f---g:latest" },
		{ "example.org:443/x:A.B_C-D", "example.org:443/x:A.B_C-D" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		cleanup_reference struct reference ref = { .registry = NULL };
		cleanup_free char *text = NULL;

		CHECK_INT(reference_parse(table[i][0], NULL, &ref), 0);
		CHECK_INT(reference_text(&ref, &text), 0);
		CHECK_STR(text, table[i][1]);
	}
}

static void test_another_default_registry(void)
{
	cleanup_reference struct reference ref = { .registry = NULL };

	CHECK_INT(reference_parse("busybox", "quay.io", &ref), 0);
	CHECK_STR(ref.registry, "quay.io");
	CHECK_STR(ref.path, "busybox");
	CHECK(ref.short_name);
}

static void test_what_is_no_name(void)
{
	static const char *const names[] = {
		"", "/", "a/", "/a", "a//b", "A", "Foo/bar", "a:", "a:.x", "a:-x", "a:b:c", "a@", "a@sha256:", "a@sha256:xyz",
		"a@md5:" HEX, "a@sha256:" HEX "0", "a@sha256:" HEX "@sha256:" HEX, "../a", "a/../b", "a..b", "a___b", "_a", "a_",
		"-a", "a-", ".a", "a.", "a b", "a\n", "a\x01", "example.org:0/a", "example.org:65536/a", "example.org:x/a",
		"-example.org/a", "example..org/a", "http://example.org/a", "[::1/a", "a:\xc3\xa4", "\xc3\xa4", "a%2fb", "a\\b",
		"a@SHA256:" HEX, "a@sha512:" HEX, ":x", "@sha256:" HEX, "docker.io/", "localhost:5000/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct reference ref;

		tap_check(reference_parse(names[i], NULL, &ref) < 0, __FILE__, __LINE__, "'%s' is no name", names[i]);
	}
}

static void test_names_that_are_too_long(void)
{
	char name[400];
	struct reference ref;

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CHECK(reference_parse(name, NULL, &ref) < 0);
	memcpy(name, "a:", 2);
	name[2 + TAG_MAX + 1] = '\0';
	CHECK(reference_parse(name, NULL, &ref) < 0);
	name[2 + TAG_MAX] = '\0';
	CHECK_INT(reference_parse(name, NULL, &ref), 0);
	reference_done(&ref);
}

static void test_loopback_addresses(void)
{
	CHECK(host_is_loopback("localhost"));
	CHECK(host_is_loopback("localhost:5000"));
	CHECK(host_is_loopback("127.0.0.1:5000"));
	CHECK(host_is_loopback("127.8.9.1"));
	CHECK(host_is_loopback("[::1]:5000"));
	CHECK(!host_is_loopback("localhost.example.org"));
	CHECK(!host_is_loopback("127.0.0.1.example.org"));
	CHECK(!host_is_loopback("128.0.0.1"));
	CHECK(!host_is_loopback("[::2]"));
}

static void test_base64(void)
{
	cleanup_free char *text = NULL;
	char *none = NULL;

	CHECK_INT(base64_decode("dXNlcjpzZWNyZXQ=", &text), 11);
	CHECK_STR(text, "user:secret");
	CHECK(base64_decode("dXN*", &none) < 0);
	CHECK(base64_decode("d", &none) < 0);
	CHECK(base64_decode("dX=N", &none) < 0);
}

static void test_challenges(void)
{
	struct challenge c;

	CHECK_INT(challenge_parse("Bearer realm=\"https://auth.example.org/token\",service=\"reg\\\"x\",scope=\"a:b:pull,push\"", &c),
		  0);
	CHECK_INT(c.bearer, 1);
	CHECK_STR(c.realm, "https://auth.example.org/token");
	CHECK_STR(c.service, "reg\"x");
	CHECK_STR(c.scope, "a:b:pull,push");
	challenge_done(&c);
	CHECK_INT(challenge_parse("Basic realm=\"x\"", &c), 0);
	CHECK_INT(c.bearer, 0);
	challenge_done(&c);
	CHECK(challenge_parse("Negotiate", &c) < 0);
	CHECK(challenge_parse("Bearer service=x", &c) < 0);
	CHECK(challenge_parse("Bearer realm=\"x", &c) < 0);
	CHECK(challenge_parse("Bearer =", &c) < 0);
	CHECK(challenge_parse("", &c) < 0);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_names_are_completed),
		TEST(test_another_default_registry),
		TEST(test_what_is_no_name),
		TEST(test_names_that_are_too_long),
		TEST(test_loopback_addresses),
		TEST(test_base64),
		TEST(test_challenges),
		{ 0 },
	});
}
