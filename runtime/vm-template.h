/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-template - the file from which machines of one kind go on, made when there is none yet
 *
 * What a kind is, is one text: kernel, first file system, monitor, the host's kernel and processor, what the
 * machine has, and the command line. It stands in the file, so that none is used for another; of files it has
 * the identity (number, size, times), so that a changed one is another. A machine's start does not
 * depend on it: whatever is wrong with a template is one line of warning, and the machine boots.
 */

struct vm_config;

/* How many are kept: of more, those that were not used for longest are removed. */
enum { VM_TEMPLATES_KEPT = 8 };

/*
 * vm_template_use() - let @config's machine be a clone, when there is a template or one can be made
 * @config: all but what is told it by machine_listen(). template_fd becomes the caller's
 * @cache: directory fd where templates are kept
 * @monitor: path of nacelle-vmm
 */
void vm_template_use(struct vm_config *config, int cache, const char *monitor);
