/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of a running machine from outside: of its agent in words, of its monitor by the page that it counts in.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/kvm/ask.h"
#include "runtime/machine.h"
#include "runtime/state.h"

int machine_ask(const struct state_dir *dir, json_t *question, json_t **ret_answer)
{
	cleanup_free char *text = json_text(question), *answer = NULL;
	cleanup_fd int stream = text ? machine_reach(dir) : fail(ENOMEM, "make a question");
	cleanup_json json_t *v = NULL;
	int r = stream < 0 ? stream : ask_agent(stream, text, strlen(text), &answer);

	if (r == 0)
		r = json_parse("the virtual machine's answer", answer, strlen(answer), &v);
	if (r == 0 && !json_is_object(v))
		r = fail_plain(EPROTO, "the virtual machine's agent did not answer the question");
	if (r == 0)
		*ret_answer = steal_ptr(&v);
	return r;
}

int machine_counts(const struct state_dir *dir, int fd, struct vm_stats *ret)
{
	cleanup_fd int stream = machine_reach(dir);

	if (stream < 0 || ask_counts(stream) < 0)
		log_debug("%s, ignoring", fail_text());
	if (pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		return fail_plain(EIO, "the virtual machine's '" MACHINE_COUNTS "' is not as we know it");
	return 0;
}
