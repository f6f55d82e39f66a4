/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What cppcheck must be told, because it does not read system headers: macros that are a statement's
 * head, and that accept4() takes null pointers as accept() does.
 */
#define json_array_foreach(a, i, v) for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v)                                                              \
	for (void *it = json_object_iter(o);                                                       \
	     (k = json_object_iter_key(it)) && (v = json_object_iter_value(it));                   \
	     it = json_object_iter_next(o, it))
#define accept4(s, a, l, f) accept(s, a, l)
