/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-modules - which modules of a kernel the guest needs, in the order in which they are loaded
 */

struct str_list;

/*
 * vm_modules_list() - paths relative to the release's directory, dependencies first, each once
 * @modules: directory fd with modules.dep and modules.builtin
 * @names: ended by NULL; what is built in is left out, and so is what is not there when its name begins with '?'
 *
 * Return: 0 or a recorded failure. Source: modules.dep(5).
 */
int vm_modules_list(int modules, const char *const *names, struct str_list *ret_paths);

/* vm_modules_have() - whether all of @names (without '?') are there or built in. Return: 1, 0, or a recorded failure. */
int vm_modules_have(int modules, const char *const *names);
