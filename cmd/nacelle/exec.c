/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `exec`: one more process. It is the container's own process object, changed by the flags, or the one of --process;
 * what it may not have is container_exec()'s to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/keeping.h"
#include "cmd/nacelle/payload.h"
#include "cmd/nacelle/pidfd-socket.h"
#include "cmd/nacelle/terminal.h"
#include "runtime/base/json.h"
#include "runtime/spec.h"

struct exec_flags {
	bool detach, tty, interactive, no_new_privs, ignore_paused;
	const char *process, *cgroup, *apparmor, *label, *user, *cwd, *pid_file, *console_socket, *pidfd_socket, *detach_keys;
	struct str_list env, caps, gids;
	uint64_t preserve_fds;
};

#define EXEC(member) offsetof(struct exec_flags, member)

const struct option_row exec_options[] = {
	{ "process", 'p', OPTION_STRING, EXEC(process), "FILE", "the process, as in OCI's config.json" },
	{ "detach", 'd', OPTION_FLAG, EXEC(detach), NULL, "do not wait for its end" },
	{ "tty", 't', OPTION_FLAG, EXEC(tty), NULL, "a terminal of its own" },
	{ "interactive", 'i', OPTION_FLAG, EXEC(interactive), NULL, "hand on standard input (it always is)" },
	{ "detach-keys", 0, OPTION_STRING, EXEC(detach_keys), "KEYS", "with --tty: leave it by these (" DETACH_KEYS_DEFAULT ")" },
	{ "env", 'e', OPTION_LIST, EXEC(env), "NAME[=VALUE]", "environment; without a value: ours" },
	{ "user", 'u', OPTION_STRING, EXEC(user), "USER[:GROUP]", "user and group, by name or number" },
	{ "additional-gids", 'g', OPTION_LIST, EXEC(gids), "GID", "a further group" },
	{ "workdir", 'w', OPTION_STRING, EXEC(cwd), "DIR", "working directory" },
	{ "cwd", 0, OPTION_STRING, EXEC(cwd), "DIR", "the same" },
	{ "cap", 'c', OPTION_LIST, EXEC(caps), "CAPABILITY", "add a capability" },
	{ "no-new-privs", 0, OPTION_FLAG, EXEC(no_new_privs), NULL, "it cannot gain privileges" },
	{ "apparmor", 0, OPTION_STRING, EXEC(apparmor), "PROFILE", "confine it by this AppArmor profile" },
	{ "process-label", 0, OPTION_STRING, EXEC(label), "LABEL", "its SELinux label" },
	{ "cgroup", 0, OPTION_STRING, EXEC(cgroup), "PATH", "a cgroup below the container's, which is there" },
	{ "pid-file", 0, OPTION_STRING, EXEC(pid_file), "FILE", "write its pid there" },
	{ "pidfd-socket", 0, OPTION_STRING, EXEC(pidfd_socket), "SOCKET", "send a pidfd of it to this unix socket" },
	{ "console-socket", 0, OPTION_STRING, EXEC(console_socket), "SOCKET", "send the terminal to this unix socket" },
	{ "preserve-fds", 0, OPTION_NUMBER, EXEC(preserve_fds), "N", "hand on N more open fds, from 3" },
	{ "ignore-paused", 0, OPTION_FLAG, EXEC(ignore_paused), NULL, "thaw a paused container for it" },
	{ .name = NULL },
};

struct exec {
	const struct globals *globals;
	struct exec_flags flags;
	const char *id;
	struct spec_process process;
	json_t *json;	/* what it was read from */
	bool terminal;	/* it has one, and we keep its master */
};

/* --- the process object ----------------------------------------------------------------------- */

static int put(json_t *object, const char *key, json_t *v)
{
	return json_object_set_new(object, key, v) < 0 ? fail(ENOMEM, "make the process") : 0;
}

/* The member @key of @object, made when it is not there. Borrowed; NULL with a recorded failure. */
static json_t *member(json_t *object, const char *key, bool array)
{
	json_t *v = json_object_get(object, key);

	if (v && !json_is_null(v))
		return v;
	v = array ? json_array() : json_object();
	return put(object, key, v) < 0 ? NULL : v;
}

static int id_read(const char *text, const char *flag, uint32_t *ret_id)
{
	uint64_t id;

	if (str_to_u64(text, UINT32_MAX - 1, &id) < 0)
		return fail_plain(EINVAL, "%s: '%s' is not an id (0 to 4294967294)", flag, text);
	*ret_id = (uint32_t)id;
	return 0;
}

/*
 * The container's own user and groups no longer count. Who is meant is found out inside, where the container's
 * passwd and group are (exec_options); until then it is nobody.
 */
static int user_put(json_t *process)
{
	json_t *mask = json_object_get(json_object_get(process, "user"), "umask");

	/* "O*": nothing at all when it was not there */
	return put(process, "user", json_pack("{s:i, s:i, s:O*}", "uid", 65534, "gid", 65534, "umask", mask));
}

static int gids_put(json_t *process, const struct str_list *gids)
{
	json_t *user = member(process, "user", false), *list = user ? member(user, "additionalGids", true) : NULL;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < gids->count; i++) {
		uint32_t gid = 0;
		int r = id_read(gids->items[i], "--additional-gids", &gid);

		if (r < 0)
			return r;
		if (json_array_append_new(list, json_integer(gid)) < 0)
			return fail(ENOMEM, "make the process");
	}
	return 0;
}

/* Later ones win: what is looked up first in an environment differs between programs. */
static int env_put(json_t *process, const struct str_list *env)
{
	struct str_list merged = { .items = NULL };
	json_t *list = member(process, "env", true), *item;
	size_t i;
	int r = list ? 0 : -ENOMEM;

	json_array_foreach(list, i, item)
		if (r == 0 && json_is_string(item))
			r = str_list_add(&merged, json_string_value(item));
	for (i = 0; r == 0 && i < env->count; i++) {
		const char *equals = strchr(env->items[i], '=');
		const char *value = equals ? equals + 1 : getenv(env->items[i]);
		cleanup_free char *name = strndup(env->items[i], strcspn(env->items[i], "="));

		if (!name || !*name)
			r = fail_plain(EINVAL, "--env: '%s' does not begin with a name", env->items[i]);
		else if (value)
			r = str_env_set(&merged, name, value);
	}
	if (r == 0)
		(void)json_array_clear(list);
	for (i = 0; r == 0 && i < merged.count; i++)
		if (json_array_append_new(list, json_string(merged.items[i])) < 0)
			r = fail_plain(EILSEQ, "--env: is not UTF-8");
	str_list_done(&merged);
	return r;
}

/* To all sets but the ambient one, and to the inheritable one neither: they leak into what is executed. */
static int caps_put(json_t *process, const struct str_list *caps)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	json_t *capabilities = member(process, "capabilities", false);

	for (size_t s = 0; capabilities && s < ARRAY_SIZE(sets); s++) {
		json_t *set = member(capabilities, sets[s], true);

		for (size_t i = 0; set && i < caps->count; i++) {
			if (spec_capability(caps->items[i]) < 0)
				return fail_plain(EINVAL, "--cap: '%s' is not a capability", caps->items[i]);
			if (json_array_append_new(set, json_string(caps->items[i])) < 0)
				return fail(ENOMEM, "make the process");
		}
	}
	return capabilities ? 0 : -ENOMEM;
}

static int args_put(json_t *process, char **args, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		if (json_array_append_new(list, json_string(args[i])) < 0) {
			json_decref(list);
			return fail_plain(EILSEQ, "the command is not UTF-8");
		}
	return put(process, "args", list);
}

static int flags_put(const struct exec_flags *o, json_t *process)
{
	int r = 0;

	if (o->user)
		r = user_put(process);
	if (r == 0 && o->gids.count)
		r = gids_put(process, &o->gids);
	if (r == 0 && o->env.count)
		r = env_put(process, &o->env);
	if (r == 0 && o->caps.count)
		r = caps_put(process, &o->caps);
	if (r == 0 && o->cwd)
		r = put(process, "cwd", json_string(o->cwd));
	if (r == 0 && o->no_new_privs)
		r = put(process, "noNewPrivileges", json_true());
	if (r == 0 && o->apparmor)
		r = put(process, "apparmorProfile", json_string(o->apparmor));
	if (r == 0 && o->label)
		r = put(process, "selinuxLabel", json_string(o->label));
	return r;
}

static int process_make(struct exec *e, const struct operands *operands)
{
	cleanup_json json_t *v = NULL;
	int r;

	if (e->flags.process)
		r = json_read_at(AT_FDCWD, e->flags.process, NULL, &v);
	else
		r = container_process_json(&e->globals->place, e->id, &v);
	if (r == 0 && !json_is_object(v))
		r = fail_plain(EINVAL, "the process must be an object, not %s", json_type_text(v));
	if (r == 0 && operands->count > 1)
		r = args_put(v, operands->items + 1, operands->count - 1);
	if (r == 0 && (e->flags.tty || !e->flags.process))
		r = put(v, "terminal", json_boolean(e->flags.tty));
	if (r == 0)
		r = flags_put(&e->flags, v);
	if (r == 0)
		r = spec_process_read(v, &e->process);
	e->json = steal_ptr(&v);
	return r < 0 && e->flags.process ? fail_in(r, "%s", e->flags.process) : r;
}

/* --- running it ------------------------------------------------------------------------------- */

static int exec_create(struct exec *e, struct container_child *ret_child)
{
	struct exec_options options = {
		.cgroup = e->flags.cgroup, .user = e->flags.user, .pid_file = e->flags.pid_file, .console_socket = e->flags.console_socket,
		.preserve_fds = (unsigned int)e->flags.preserve_fds, .keep_terminal = e->terminal,
		.stdio = { -1, -1, -1 }, .json = e->json,
	};

	cleanup_fd int sock = -1;
	int r = pidfd_socket_open(e->flags.pidfd_socket, &sock);

	if (r == 0)
		r = container_exec(&e->globals->place, e->id, &e->process, &options, ret_child);
	if (r < 0 || sock < 0)
		return r;
	r = pidfd_socket_tell(sock, ret_child->pidfd);
	if (r < 0) {
		(void)pidfd_send_signal(ret_child->pidfd, SIGKILL, NULL, 0);
		container_child_done(ret_child);
	}
	return r;
}

static int keeping_create(struct keeping *k, const int stdio[3], struct container_child *ret_child)
{
	(void)stdio;
	return exec_create(k->mine, ret_child);
}

static void keeping_undo(struct keeping *k, struct container_child *child)
{
	(void)k;
	(void)child;
}

static int exec_terminal(struct exec *e)
{
	cleanup_fd int program = keeping_program(), signals = -1;
	struct keeping k = {
		.place = &e->globals->place, .id = e->id, .program = program,
		.create = keeping_create, .undo = keeping_undo, .mine = e,
	};
	struct detach_keys keys;
	int status = STATUS_OURS, r = detach_keys_read(e->flags.detach_keys, &keys);

	if (r < 0)
		return r;
	if (e->flags.detach)
		return program < 0 ? program : keeping_detached(&k);
	signals = payload_signals();
	r = signals < 0 ? signals : keeping_attended(&k, signals, true, &keys, &status);
	return r < 0 ? r : r == KEEPING_DETACHED ? 0 : status;
}

static int exec_front(struct exec *e)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	cleanup_fd int signals = e->flags.detach ? -1 : payload_signals();
	int r;

	if (!e->flags.detach && signals < 0)
		return signals;
	r = exec_create(e, &child);
	if (r == 0 && !e->flags.detach)
		r = payload_wait(signals, child.pid, child.pidfd);
	container_child_done(&child);
	return r;
}

static int thaw(const struct exec *e)
{
	struct container_info info;
	int r = look(e->globals, e->id, &info);

	if (r == 0 && info.status == CONTAINER_PAUSED)
		r = container_pause(&e->globals->place, e->id, false);
	if (r >= 0)
		container_info_done(&info);
	return r;
}

static int exec_all(struct exec *e, const struct operands *operands)
{
	int r;

	e->id = operands->items[0];
	if (e->flags.process && operands->count > 1)
		return usage_fail(e->globals->command, "a command and --process are given");
	if (!e->flags.process && operands->count < 2)
		return usage_fail(e->globals->command, "usage: nacelle exec %s", e->globals->command->synopsis);
	r = preserved_check((unsigned int)e->flags.preserve_fds);
	if (r == 0)
		r = process_make(e, operands);
	if (r == 0 && e->flags.ignore_paused)
		r = thaw(e);
	if (r < 0)
		return r;
	e->terminal = e->process.terminal && !e->flags.console_socket;
	return e->terminal ? exec_terminal(e) : exec_front(e);
}

int cmd_exec(const struct globals *globals, int argc, char **argv)
{
	struct exec e = { .globals = globals, .flags = { .detach_keys = DETACH_KEYS_DEFAULT } };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &e.flags, &operands);

	if (r == 0)
		r = exec_all(&e, &operands);
	else if (r == OPTIONS_HELPED)
		r = 0;
	spec_process_done(&e.process);
	json_decref(e.json);
	str_list_done(&e.flags.env);
	str_list_done(&e.flags.caps);
	str_list_done(&e.flags.gids);
	return r;
}
