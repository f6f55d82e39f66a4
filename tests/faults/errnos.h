/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* errnos - with what a system call may plausibly fail */

enum { ERRNOS_MAX = 5 };

/* errnos_of() - a list that ends with 0; it may be empty, and is not when the call is not known. */
const int *errnos_of(const char *call);
