/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-template-make - boot a machine in order to have it copied
 */

#include <stdbool.h>

struct vm_config;

/* The guest switched itself off, or ended otherwise, before it said that it is ready: it would do so again. */
enum { VM_TEMPLATE_NEVER = 1 };

/*
 * vm_template_make() - what runtime/kvm/template.h describes, into a file
 * @of: kernel, initrd, command line, processors, memory; nothing of a container's comes near it
 * @fd: the file, empty; takes up to a minute or two
 * @cache: has the empty folder that is the monitor's root
 * @monitor: path of nacelle-vmm
 *
 * Return: 0, VM_TEMPLATE_NEVER, or a recorded failure.
 */
int vm_template_make(const struct vm_config *of, int fd, int cache, const char *monitor);

/* vm_template_is_called() - does a signal wait that wants us to end? Whoever waits for the payload's sake will take it. */
bool vm_template_is_called(void);
