/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vmm - one virtual machine from its configuration to its end
 */

#include "runtime/kvm/config.h"

/*
 * vmm_run() - build the machine, run it, take it down
 * @config: checked
 *
 * Return: 0 with the reason of the end in @ret_end, or a recorded failure when it could not be built.
 */
int vmm_run(const struct vm_config *config, enum vm_end_reason *ret_end);
