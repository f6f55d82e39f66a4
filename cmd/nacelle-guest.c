/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nacelle-guest: the first process of a virtual machine. It runs the container that the host asks for
 * and switches the machine off when that has ended. What goes wrong before is told on the console.
 */
#include <sys/reboot.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/in-vm.h"

int main(void)
{
	int r;

	if (getpid() != 1) {
		(void)fail_plain(1, "nacelle-guest is the first process of a virtual machine, and nothing else");
		log_error(fail_text());
		return STATUS_OURS;
	}
	r = in_vm_prepare();
	if (r == 0)
		r = in_vm_serve();
	if (r < 0)
		log_error(fail_text());
	sync();
	(void)reboot(RB_POWER_OFF);
	return STATUS_OURS;
}
