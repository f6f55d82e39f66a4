/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bundles from folders, files and standard input, and the user's configuration under them. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/bundle.h"
#include "runtime/config.h"
#include "tests/unit/spec-text.h"

static char dir[] = "/tmp/nacelle-test-bundle-XXXXXX";

/* Write a file below the test's folder (' stands for "). */
static void put(const char *name, const char *text)
{
	cleanup_free char *copy = strdup(text);
	FILE *f = fopen(name, "w");

	for (char *c = copy; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	if (CHECK(f)) {
		fputs(copy, f);
		fclose(f);
	}
}

static void test_a_folder(void)
{
	struct bundle bundle = { .folder = NULL };
	cleanup_free char *want = NULL;

	CHECK_INT(mkdir("b", 0755), 0);
	CHECK_INT(symlink("b", "link"), 0);
	put("b/config.json", "{" MINIMAL ", 'hostname': ''}");
	CHECK_INT(str_format(&want, "%s/b", dir), 0);
	if (!tap_check(bundle_load_folder("link//", NULL, &bundle) == 0, __FILE__, __LINE__, "%s",
		       fail_text()))
		return;
	CHECK_STR(bundle.folder, want);
	CHECK_STR(bundle.file, "link/config.json");
	CHECK_STR(bundle.spec->root_path, "rootfs");
	bundle_done(&bundle);
	CHECK(!bundle.folder && !bundle.spec);
}

static void test_messages_begin_with_the_file(void)
{
	struct bundle bundle;

	put("b/config.json", "{" MINIMAL ", 'hostname': 3}");
	CHECK(bundle_load_folder("b", NULL, &bundle) < 0);
	CHECK_STR(fail_text(), "b/config.json: hostname: must be a string, not an integer");
	put("b/config.json", "{\n  'a' 3}");
	CHECK(bundle_load_folder("b/", NULL, &bundle) < 0);
	CHECK_HAS(fail_text(), "b/config.json:2:");
	put("spec.json", "{'args': ['a'], 'memroy': 1}");
	CHECK(bundle_load_file("spec.json", NULL, &bundle) < 0);
	CHECK_STR(fail_text(), "spec.json: \"memroy\" is not a known key: did you mean 'memory'?");
	put("bad\x1bname", "{'args': 3}");
	CHECK(bundle_load_file("bad\x1bname", NULL, &bundle) < 0);
	CHECK(!strchr(fail_text(), '\x1b'));
}

static void test_what_is_not_there(void)
{
	struct bundle bundle;

	CHECK(bundle_load_folder("none", NULL, &bundle) < 0);
	CHECK_STR(fail_text(), "bundle 'none': not found");
	CHECK_INT(mkdir("empty", 0755), 0);
	CHECK(bundle_load_folder("empty", NULL, &bundle) < 0);
	CHECK_STR(fail_text(), "open 'empty/config.json': not found");
	CHECK(bundle_load_file("none/spec.json", NULL, &bundle) < 0);
	CHECK_INT(mkfifo("fifo.json", 0600), 0);
	CHECK(bundle_load_file("fifo.json", NULL, &bundle) < 0);
	CHECK_HAS(fail_text(), "is not a regular file");
	CHECK(bundle_load_file("b", NULL, &bundle) < 0);
	CHECK_HAS(fail_text(), "is not a regular file");
}

static void test_a_file_counts_paths_from_its_folder(void)
{
	cleanup_json json_t *flags = text_json("{'name': 'x'}");
	cleanup_free char *layer = NULL;
	struct bundle bundle;

	put("b/short.json", "{'args': ['a'], 'layers': ['./l']}");
	CHECK_INT(str_format(&layer, "lowerdir+=%s/b/l", dir), 0);
	if (!tap_check(bundle_load_file("b/short.json", flags, &bundle) == 0, __FILE__, __LINE__,
		       "%s", fail_text()))
		return;
	CHECK_STR(bundle.spec->mounts[0].fs_options.items[0], layer);
	CHECK_STR(bundle.spec->hostname, "x");
	CHECK_STR(bundle.file, "b/short.json");
	bundle_done(&bundle);
}

/* It is kept so; what a flag changes behind the reading is no more what was written. */
static void test_a_document_is_as_it_was_written(void)
{
	struct bundle bundle;

	put("b/config.json", "{ 'ociVersion': '1.0.2',\n 'root': { 'path': 'r' }, 'odd': [ 1, 'a b' ], 'vm': {},\n 'linux': { 'namespaces': [ { 'type': 'mount' } ] } }\n");
	if (!tap_check(bundle_load_folder("b", NULL, &bundle) == 0, __FILE__, __LINE__, "%s", fail_text()))
		return;
	CHECK_STR(bundle.spec->text, "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"odd\":[1,\"a b\"],\"vm\":{},"
				     "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}");
	CHECK_INT(spec_vm_template(bundle.spec, false), 0);
	CHECK(!bundle.spec->text && json_is_false(json_object_get(json_object_get(bundle.spec->json, "vm"), "template")));
	bundle_done(&bundle);
	put("b/short.json", "{'args': ['a'], 'layers': ['./l']}");
	CHECK_INT(bundle_load_file("b/short.json", NULL, &bundle), 0);
	CHECK(!bundle.spec->text);
	bundle_done(&bundle);
}

static void test_standard_input(void)
{
	int saved = dup(STDIN_FILENO);
	struct bundle bundle;

	put("in.json", "{'args': ['a'], 'layers': ['/l']}");
	CHECK(freopen("in.json", "r", stdin));
	if (tap_check(bundle_load_stdin(NULL, &bundle) == 0, __FILE__, __LINE__, "%s",
		      fail_text())) {
		CHECK_STR(bundle.folder, dir);
		CHECK_STR(bundle.file, "standard input");
		bundle_done(&bundle);
	}
	put("in.json", "{'args': ['a'], 'layers': ['./l']}");
	CHECK(freopen("in.json", "r", stdin));
	CHECK(bundle_load_stdin(NULL, &bundle) < 0);
	CHECK_HAS(fail_text(), "standard input: layers[0]: \"./l\" is relative");
	CHECK(dup2(saved, STDIN_FILENO) == STDIN_FILENO);
	close(saved);
}

static void config_refused(const char *text, const char *message)
{
	json_t *config = NULL;

	put("xdg/nacelle/config.json", text);
	if (!tap_check(config_load(&config) < 0, __FILE__, __LINE__, "%s was accepted", text))
		json_decref(config);
	else
		CHECK_HAS(fail_text(), message);
}

static void test_the_configuration_is_judged(void)
{
	json_t *config = NULL;

	CHECK_INT(mkdir("xdg", 0755), 0);
	CHECK_INT(mkdir("xdg/nacelle", 0755), 0);
	setenv("XDG_CONFIG_HOME", dir, 1);
	CHECK_INT(config_load(&config), 0);
	CHECK(json_is_object(config));
	json_decref(config);
	{
		cleanup_free char *xdg = NULL;

		CHECK_INT(str_format(&xdg, "%s/xdg", dir), 0);
		setenv("XDG_CONFIG_HOME", xdg, 1);
	}
	config_refused("[]", "must be an object");
	config_refused("{'defaults': 3}", "config.json: defaults: must be an object");
	config_refused("{'root': 'run'}", "root: \"run\" is not an absolute path");
	config_refused("{'log_format': 'xml'}", "log_format: \"xml\" is not one of text, json");
	config_refused("{'debug': 1}", "debug: must be true or false");
	put("xdg/nacelle/config.json", "{}");
	CHECK_INT(chmod("xdg/nacelle/config.json", 0666), 0);
	CHECK(config_load(&config) < 0);
	CHECK_HAS(fail_text(), "can be written by others");
	CHECK_INT(chmod("xdg/nacelle/config.json", 0644), 0);
	if (geteuid() == 0) {
		CHECK_INT(chown("xdg/nacelle/config.json", 4242, 0), 0);
		CHECK(config_load(&config) < 0);
		CHECK_HAS(fail_text(), "belongs to another user");
		CHECK_INT(chown("xdg/nacelle/config.json", 0, 0), 0);
	}
}

static void test_an_unknown_key_of_the_configuration(void)
{
	config_refused("{'defalts': {}}", "did you mean 'defaults'");
}

static void test_the_configurations_defaults_lose(void)
{
	struct bundle bundle;

	put("xdg/nacelle/config.json",
	    "{'defaults': {'memory': '5M', 'pids': 6}, 'root': '/r', 'debug': true}");
	put("spec.json", "{'args': ['a'], 'layers': ['/l'], 'pids': 7}");
	if (!tap_check(bundle_load_file("spec.json", NULL, &bundle) == 0, __FILE__, __LINE__, "%s",
		       fail_text()))
		return;
	CHECK_INT(bundle.spec->linux_.resources.memory_max, 5 << 20);
	CHECK_INT(bundle.spec->linux_.resources.pids_max, 7);
	bundle_done(&bundle);
	unlink("xdg/nacelle/config.json");
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

int main(void)
{
	char *real;
	int status;

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	real = realpath(".", NULL);
	if (!real || !str_eq(real, dir))
		return 1;
	free(real);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	status = tap_run((struct tap_test[]){
		TEST(test_a_folder),
		TEST(test_messages_begin_with_the_file),
		TEST(test_what_is_not_there),
		TEST(test_a_file_counts_paths_from_its_folder),
		TEST(test_a_document_is_as_it_was_written),
		TEST(test_standard_input),
		TEST(test_the_configuration_is_judged),
		TEST(test_an_unknown_key_of_the_configuration),
		TEST(test_the_configurations_defaults_lose),
		{ 0 },
	});
	return chdir("/") < 0 || nftw(dir, gone, 8, FTW_DEPTH | FTW_PHYS) < 0 ? 1 : status;
}
