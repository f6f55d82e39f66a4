/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `create`: the container is left waiting for `start`, and whoever called us is its parent or reaper. */
#include <stddef.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/pidfd-socket.h"
#include "runtime/base/cleanup.h"
#include "runtime/bundle.h"
#include "runtime/spec.h"

struct create_options {
	const char *bundle, *config, *pid_file, *console_socket, *pidfd_socket;
	uint64_t preserve_fds;
	bool keep_keyring, no_pivot, no_subreaper, template, no_template;
};

#define CREATE(member) offsetof(struct create_options, member)

const struct option_row create_options[] = {
	{ "bundle", 'b', OPTION_STRING, CREATE(bundle), "DIR", "folder with config.json (the working directory)" },
	{ "config", 'f', OPTION_STRING, CREATE(config), "FILE", "read FILE instead of the bundle's config.json" },
	{ "pid-file", 0, OPTION_STRING, CREATE(pid_file), "FILE", "write the container's pid there" },
	{ "console-socket", 0, OPTION_STRING, CREATE(console_socket), "SOCKET", "send the terminal to this unix socket" },
	{ "pidfd-socket", 0, OPTION_STRING, CREATE(pidfd_socket), "SOCKET", "send a pidfd of its process to this unix socket" },
	{ "preserve-fds", 0, OPTION_NUMBER, CREATE(preserve_fds), "N", "hand on N more open fds, from 3" },
	{ "no-new-keyring", 0, OPTION_FLAG, CREATE(keep_keyring), NULL, "keep our session keyring" },
	{ "template", 0, OPTION_FLAG, CREATE(template), NULL, "the virtual machine begins as a copy of one that has booted, whatever the spec says" },
	{ "no-template", 0, OPTION_FLAG, CREATE(no_template), NULL, "the virtual machine boots; without a word it is a copy where it can be" },
	{ "no-pivot", 0, OPTION_FLAG, CREATE(no_pivot), NULL, NO_PIVOT },
	{ "no-subreaper", 0, OPTION_FLAG, CREATE(no_subreaper), NULL, "taken for crun's sake: nothing is one here" },
	{ .name = NULL },
};

int cmd_create(const struct globals *globals, int argc, char **argv)
{
	struct create_options o = { .bundle = "." };
	struct container_options options;
	struct operands operands;
	struct bundle bundle = { .spec = NULL };
	cleanup_fd int socket = -1;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	options = CONTAINER_OPTIONS(operands.items[0]);
	options.pid_file = o.pid_file;
	options.console_socket = o.console_socket;
	options.keep_keyring = o.keep_keyring;
	options.no_pivot = o.no_pivot;
	r = sockets_read((unsigned int)o.preserve_fds, &options.activation);
	options.preserve_fds = (unsigned int)o.preserve_fds + options.activation.listen_fds;
	if (r == 0)
		r = o.config ? bundle_load_apart(o.bundle, o.config, NULL, &bundle) : bundle_load_folder(o.bundle, NULL, &bundle);
	if (r == 0 && o.template && o.no_template)
		r = usage_fail(globals->command, "--template and --no-template");
	if (r == 0 && (o.template || o.no_template))
		r = spec_vm_template(bundle.spec, o.template);
	if (r == 0)
		r = pidfd_socket_open(o.pidfd_socket, &socket);
	if (r == 0)
		r = container_create(&globals->place, &bundle, &options, NULL);
	if (r == 0)
		r = pidfd_socket_created(globals, options.id, socket);
	bundle_done(&bundle);
	return r;
}
