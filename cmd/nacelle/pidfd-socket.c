/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --pidfd-socket: a pidfd of the process that was made goes to whoever listens there, who need not trust a number that may be
 * another's by then. The socket is connected before anything is made.
 */
#include "cmd/nacelle/pidfd-socket.h"

#include <errno.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/hand.h"

int pidfd_socket_open(const char *path, int *ret_sock)
{
	int sock = path ? hand_connect("pidfd socket", path) : -1;

	if (path && sock < 0)
		return sock;
	*ret_sock = sock;
	return 0;
}

int pidfd_socket_tell(int sock, int pidfd)
{
	return sock < 0 ? 0 : hand_over(sock, pidfd, "pidfd");
}

static int created_tell(const struct globals *globals, const char *id, int sock)
{
	struct container_info info;
	cleanup_fd int pidfd = -1;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	r = proc_open(info.pid, info.pid_start, &pidfd);
	container_info_done(&info);
	if (r == PROC_GONE)
		return fail_plain(ESRCH, "the process of container '%s' has ended", id);
	return r < 0 ? r : hand_over(sock, pidfd, "pidfd");
}

int pidfd_socket_created(const struct globals *globals, const char *id, int sock)
{
	cleanup_free char *text = NULL;
	int r = sock < 0 ? 0 : created_tell(globals, id, sock);

	if (r >= 0)
		return r;
	(void)str_copy(&text, fail_text());
	if (container_delete(&globals->place, id, true) < 0)
		log_warn("%s, ignoring", fail_text());
	return text ? fail_plain(-r, "%s", text) : r;
}
