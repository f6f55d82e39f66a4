/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines whose kernel is not Linux: a program of its own that needs no other (a unikernel). Nobody in it answers us.
 */
#include <errno.h>
#include <unistd.h>

#include "runtime/machine.h"
#include "runtime/spec.h"

int machine_other_kernel(struct machine *m)
{
	const struct spec *spec = m->spec;
	const char *what = m->config.hypervisor[0]			 ? "vm.hypervisor" :
			   spec->vm.template == SPEC_TEMPLATE_WANTED ? "a template" :
			   spec->process.terminal			 ? "a terminal" :
								     NULL;

	if (what)
		return fail_plain(ENOTSUP, "vm: kernel '%s' is not Linux, and %s is for Linux alone", spec->vm.kernel_path, what);
	m->config.attended = VM_ATTENDED_KERNEL;
	m->config.serial_fd = STDOUT_FILENO;
	m->config.devices[0].kind = VM_DEVICE_EMPTY; /* nobody would take a stream */
	return 0;
}

int machine_other_cmdline(struct machine *m)
{
	const struct str_list *args = &m->spec->process.args;
	int r = 0;

	for (size_t i = 0; r == 0 && i < args->count; i++)
		r = machine_cmdline_add(m, args->items[i]);
	return r < 0 ? fail_in(r, "process.args") : 0;
}
