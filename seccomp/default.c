/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * default - our default profile, built in
 *
 * The assembler takes in seccomp/default.json as it is; builds run from the project's root. What
 * the profile allows, and why, stands in its "comment" keys.
 */
#include "seccomp/profile.h"

#include <string.h>

#include "runtime/base/json.h"

extern const char nacelle_seccomp_default[];

__asm__(".pushsection .rodata\n"
	".global nacelle_seccomp_default\n"
	".hidden nacelle_seccomp_default\n"
	"nacelle_seccomp_default:\n"
	"\t.incbin \"seccomp/default.json\"\n"
	"\t.byte 0\n"
	".popsection\n");

const char *seccomp_default_json(void)
{
	return nacelle_seccomp_default;
}

int seccomp_default_read(json_t **ret_v)
{
	return json_parse("the default seccomp profile", nacelle_seccomp_default, strlen(nacelle_seccomp_default), ret_v);
}
