/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things that several commands share. */
#include "cmd/nacelle/common.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <regex.h>
#include <string.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "runtime/activation.h"
#include "runtime/base/log.h"
#include "runtime/spec-short.h"
#include "runtime/state.h"

enum { PRESERVED_MAX = 1024 };

/* Our own files are close-on-exec, so that one of them is never taken for the caller's. */
int preserved_check(unsigned int count)
{
	if (count > PRESERVED_MAX)
		return fail_plain(EINVAL, "more than %d fds are to be handed on", PRESERVED_MAX);
	for (unsigned int fd = 3; fd < 3 + count; fd++) {
		int flags = fcntl((int)fd, F_GETFD);

		if (flags < 0 || flags & FD_CLOEXEC)
			return fail_plain(EBADF, "fd %u is to be handed on, and is not open", fd);
	}
	return 0;
}

int sockets_read(unsigned int preserve, struct activation *ret)
{
	int r = activation_read(ret);

	if (r < 0)
		return r;
	r = preserved_check(ret->listen_fds);
	if (r < 0)
		return fail_in(r, "LISTEN_FDS=%u", ret->listen_fds);
	return preserve ? preserved_check(ret->listen_fds + preserve) : 0;
}

int user_name(uid_t uid, char **ret_name)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd line = { .pw_name = NULL }, *user = NULL;
	char text[4096];
	int r;

	*ret_name = NULL;
	if (!file)
		return 0;
	while (fgetpwent_r(file, &line, text, sizeof(text), &user) == 0 && user->pw_uid != uid)
		user = NULL;
	r = user ? str_copy(ret_name, user->pw_name) : 0;
	(void)fclose(file);
	return r;
}

int look(const struct globals *globals, const char *id, struct container_info *ret_info)
{
	int r = container_look(&globals->place, id, ret_info);

	return r == CONTAINER_NOT_FOUND ? container_no_such(id) : r;
}

const char *annotation(const struct container_info *info, const char *name)
{
	for (size_t i = 0; i < info->annotations.count; i++) {
		const char *rest = str_starts(info->annotations.items[i], SHORT_ANNOTATION);
		const char *value = rest ? str_starts(rest, name) : NULL;

		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

int stop_signal_read(const char *text)
{
	int signal = text ? str_signal(text) : SIGTERM;

	return signal < 0 ? SIGTERM : signal;
}

int stop_time_read(const char *text)
{
	uint64_t seconds = STOP_TIME_S;

	if (text && str_to_u64(text, UINT32_MAX, &seconds) < 0)
		seconds = STOP_TIME_S;
	return (int)(seconds > STOP_TIME_MAX_S ? STOP_TIME_MAX_S : seconds) * 1000;
}

int ids_find(const struct globals *globals, const char *expression, struct str_list *ret_ids)
{
	struct str_list all = { .items = NULL };
	regex_t compiled;
	int r = regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		char text[128];

		(void)regerror(r, &compiled, text, sizeof(text));
		return fail_plain(EINVAL, "--regex: '%s': %s", expression, text);
	}
	r = state_list(globals->place.root, &all);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		if (regexec(&compiled, all.items[i], 0, NULL, 0) == 0)
			r = str_list_add(ret_ids, all.items[i]);
	str_list_done(&all);
	regfree(&compiled);
	return r;
}

int for_each_id(const struct globals *globals, const struct operands *operands,
		int (*run)(const struct globals *globals, const char *id, const void *data), const void *data)
{
	bool failed = false;
	int r = 0;

	for (size_t i = 0; i < operands->count; i++) {
		r = run(globals, operands->items[i], data);
		if (r >= 0 || i + 1 == operands->count)
			continue;
		failed = true;
		log_error(fail_text());
	}
	return r >= 0 && failed ? STATUS_OURS : r;
}
