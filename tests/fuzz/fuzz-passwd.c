/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "USER\0/etc/passwd\0/etc/group": a user of any spelling in any files. An id that is found is never the -1 that
 * setresuid(2) takes for "leave it", and what is no number is found only where the file has its name.
 */
#include "runtime/base/str.h"
#include "runtime/passwd.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int root = -1;
	struct fuzz_input in = { data, size };
	struct spec_user user = { .uid = 77, .gid = 77 };
	size_t passwd_size, group_size;
	cleanup_free char *name = fuzz_part(&in, NULL), *passwd = fuzz_part(&in, &passwd_size);
	cleanup_free char *group = fuzz_part(&in, &group_size), *home = NULL;
	int r;

	if (root < 0) {
		root = fuzz_folder();
		fuzz_must(mkdirat(root, "etc", 0755) == 0);
	}
	fuzz_file(root, "etc/passwd", passwd, passwd_size);
	fuzz_file(root, "etc/group", group, group_size);
	r = passwd_user_find(root, name, &user);
	if (r < 0) {
		fuzz_must(*fail_text());
	} else {
		size_t length = strcspn(name, ":");

		fuzz_must(length > 0 && user.uid != UINT32_MAX && user.gid != UINT32_MAX);
		fuzz_must(user.additional_gid_count <= 1024);
		if (name[strspn(name, "+-0123456789")] != '\0' && !strchr(name, ':'))
			fuzz_must(memmem(passwd, passwd_size, name, length));
	}
	fuzz_must(passwd_home_find(root, user.uid, &home) == 0 && *home == '/');
	free(user.additional_gids);
	return 0;
}
