/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "oci:" and "oci-archive:" end in ":TAG" when what is behind the last colon has no slash.
 */
#include <string.h>

#include "image/internal.h"

int place_split(const char *place, char **ret_path, char **ret_tag)
{
	const char *colon = strrchr(place, ':');

	if (!colon || strchr(colon, '/'))
		return str_copy(ret_path, place);
	if (str_copy(ret_tag, colon + 1) < 0)
		return -ENOMEM;
	return str_format(ret_path, "%.*s", (int)(colon - place), place);
}
