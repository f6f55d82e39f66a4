/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes `nacelle-shared` the one of the two programs that can open shared libraries. */
#include "cmd/nacelle/program.h"

int program_shared(char **argv)
{
	(void)argv;
	return 0;
}
