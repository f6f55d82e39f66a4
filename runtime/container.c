/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs that make a container and let it go. Looking at one is look.c's, signals are signal.c's, ending one is delete.c's,
 * joining one exec.c's.
 */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/sync.h"
#include "runtime/bundle.h"
#include "runtime/checkpoint.h"
#include "runtime/hooks.h"
#include "runtime/kept.h"
#include "runtime/machine.h"
#include "runtime/parent.h"
#include "runtime/spec.h"

int container_place_words(const struct container_place *place, struct str_list *words)
{
	int r = str_list_addf(words, "--root=%s", place->root);

	if (r == 0)
		r = str_list_addf(words, "--data=%s", place->data);
	if (r == 0 && place->systemd_cgroup)
		r = str_list_add(words, "--systemd-cgroup");
	return r;
}

void container_child_done(struct container_child *child)
{
	int *fds[] = { &child->pidfd, &child->terminal, &child->cgroup, &child->sync };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
	container_known_free(steal_ptr(&child->known));
}

void container_known_free(struct container_known *known)
{
	if (!known)
		return;
	state_close(&known->dir);
	state_done(&known->state);
	free(known);
}

/* Our caller is there to the end, and then need not look it all up again. Without memory it will. */
static struct container_known *known_take(struct parent *p)
{
	struct container_known *known = p->options->passing ? malloc(sizeof(*known)) : NULL;

	if (!known)
		return NULL;
	if (state_mark_take(&p->dir, &known->mark) < 0) {
		free(known);
		return NULL;
	}
	state_unlock(&p->dir);
	known->dir = p->dir;
	known->state = p->state;
	p->dir = (struct state_dir)STATE_DIR_NONE;
	p->state = (struct state){ .pid = 0 };
	return known;
}

/* Nothing made yet. */
static void parent_begin(struct parent *p, const struct container_place *place, const struct bundle *bundle,
			 const struct container_options *options, bool stays)
{
	*p = (struct parent){
		.place = place, .bundle = bundle, .spec = bundle->spec, .options = options, .stays = stays,
		.dir = STATE_DIR_NONE, .cgroup = CGROUP_NONE, .scope = SCOPE_NONE, .network = NETWORK_HOLD_NONE,
		.child = { .start_sock = -1, .console_sock = -1, .stdio = { -1, -1, -1 }, .label = LSM_LABEL_NONE, .hook_output = { -1, -1 } },
		.sync = -1, .child_sync = -1, .terminal = -1, .console_mine = -1, .pidfd = -1,
	};
	for (int ns = 0; ns < NS_COUNT; ns++)
		p->plan.joins[ns] = p->child.joins[ns] = -1;
}

/* The end of what parent_begin() began. @r: how it went. */
static int parent_end(struct parent *p, int r, struct container_child *ret_child)
{
	if (r == 0 && ret_child) {
		*ret_child = (struct container_child){
			.pid = p->pid, .pidfd = steal_fd(&p->pidfd), .terminal = steal_fd(&p->terminal),
			.cgroup = steal_fd(&p->cgroup.fd), .sync = steal_fd(&p->sync), .known = known_take(p),
		};
	}
	parent_done(p);
	return r;
}

int container_create(const struct container_place *place, const struct bundle *bundle,
		     const struct container_options *options, struct container_child *ret_child)
{
	struct parent p;

	if (bundle->spec->vm.set && !options->no_pivot)
		return machine_create(place, bundle, options, ret_child);
	parent_begin(&p, place, bundle, options, ret_child);
	return parent_end(&p, parent_create(&p), ret_child);
}

int container_restore(const struct container_place *place, const struct bundle *bundle, const struct container_options *options,
		      const struct checkpoint_options *checkpoint, struct container_child *ret_child)
{
	struct container_options o = *options;
	struct parent p;
	int r;

	o.at_once = true;	/* there is nothing to be started afterwards */
	parent_begin(&p, place, bundle, &o, ret_child);
	p.checkpoint = checkpoint;
	r = parent_end(&p, parent_restore(&p), ret_child);
	return r < 0 ? fail_in(r, "restore container '%s'", o.id) : 0;
}

/* What the child says after SYNC_GO: nothing, and the end of the stream, when its execve succeeded. */
static int await_exec(int sock)
{
	struct sync_message m;
	int r = sync_receive(sock, &m);

	if (r < 0)
		return r;
	if (m.fd >= 0)
		(void)close(m.fd);
	if (m.word == SYNC_NONE)
		return m.value ? fail_plain(ESRCH, "the container's init was killed before it was started") : 0;
	if (m.word == SYNC_FAILED)
		return fail_exit(fail_plain((int)m.value, "%s", m.text), m.status);
	return fail_plain(EPROTO, "the container's init said something unexpected");
}

static int record_running(struct state_dir *dir, struct state *state)
{
	state->phase = PHASE_RUNNING;
	(void)unlinkat(dir->fd, "start.sock", 0);
	return state_write(dir, state);
}

/* The payload runs: whoever gets a failure of these ends it. */
static int poststart(const struct state_dir *dir, const struct state *state)
{
	struct spec *spec __attribute__((cleanup(spec_free_p))) = NULL;
	cleanup_free char *text = NULL;
	int r = kept_spec(dir, &spec);

	if (r < 0)
		return r;
	if (!spec->hooks[HOOK_POSTSTART].count)
		return 0;
	text = state_oci_text(state, "running", state->pid);
	return text ? hooks_run(spec, HOOK_POSTSTART, text, true) : fail(ENOMEM, "state for the hooks");
}

/* Let the child behind @sock go, and write down that it runs. @dir is locked. */
static int go(struct state_dir *dir, struct state *state, int sock)
{
	int r = parent_send(sock, SYNC_GO);

	if (r == 0)
		r = await_exec(sock);
	return r < 0 ? r : record_running(dir, state);
}

int container_go(const struct container_place *place, const char *id, struct container_child *child)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, true, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = go(&dir, &state, child->sync);
	(void)close(child->sync);
	child->sync = -1;
	if (r == 0)
		r = poststart(&dir, &state);
	state_done(&state);
	state_close(&dir);
	return r;
}

static int start_connect(const struct state_dir *dir, const char *id)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return fail(errno, "make a unix socket");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/start.sock", dir->fd);
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(errno, "reach the init of container '%s'", id);
	return steal_fd(&sock);
}

static int start_locked(struct state_dir *dir, struct state *state, const char *id)
{
	enum container_status status;
	cleanup_fd int sock = -1;
	int r = kept_status(state, &status);

	if (r < 0)
		return r;
	if (status != CONTAINER_CREATED)
		return fail_plain(EINVAL, "container '%s' cannot be started: it is %s, not created", id,
				  container_status_name(status));
	sock = start_connect(dir, id);
	if (sock < 0)
		return sock;
	return go(dir, state, sock);
}

/* A poststart hook has failed: the container ends as if it had been deleted. The failure keeps its text. */
static int started_undo(const struct container_place *place, const char *id)
{
	cleanup_free char *text = strdup(fail_text());
	int status = fail_status();

	if (container_delete(place, id, true) < 0)
		log_warn("%s, ignoring", fail_text());
	return fail_exit(fail_plain(EINVAL, "%s", text ? text : "out of memory"), status);
}

int container_start(const struct container_place *place, const char *id)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, true, &dir, &state);
	bool runs;

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = start_locked(&dir, &state, id);
	runs = r == 0;
	if (runs)
		r = poststart(&dir, &state);
	state_done(&state);
	state_close(&dir);
	return runs && r < 0 ? started_undo(place, id) : r;
}
