/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nacelle-vmm: the monitor of one virtual machine. It takes no argument and opens no path: all it
 * works with are the descriptors that a sealed configuration on descriptor 3 names. It ends when
 * the machine does: with 0 when the guest switched itself off, else with 125 and a line that says why.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/kvm/config.h"
#include "runtime/kvm/vmm.h"

/*
 * A guest can make us touch memory of a file that was cut short, or a piece of the files' window that
 * it has not mapped: that is its end, told in one line.
 */
static void memory_gone(int signal)
{
	static const char text[] = "nacelle: the guest used memory that is not there\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(STATUS_OURS);
	_exit(STATUS_OURS);
}

int main(void)
{
	enum vm_end_reason end = VM_END_NONE;
	struct vm_config config;
	int r;

	/* A console or a stream whose reader is gone is a matter of that device. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGSEGV, memory_gone);
	(void)signal(SIGBUS, memory_gone);
	r = vm_config_read(VM_CONFIG_FD, &config);
	if (r == 0)
		r = vmm_run(&config, &end);
	if (r < 0) {
		log_error(fail_text());
		return STATUS_OURS;
	}
	if (end == VM_END_POWEROFF)
		return EXIT_SUCCESS;
	(void)fail_plain(EXIT_FAILURE, "%s", vm_end_text(end));
	log_error(fail_text());
	return STATUS_OURS;
}
