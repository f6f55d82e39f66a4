/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the parent's that keep the record: first, before anything else is made; then whenever there is more to tell. And
 * the way back: everything that the steps made is taken back here, the record last.
 */
#include "runtime/parent-steps.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/bundle.h"
#include "runtime/container.h"
#include "runtime/hooks.h"
#include "runtime/image-root.h"
#include "runtime/machine.h"
#include "runtime/resctrl.h"
#include "runtime/spec.h"
#include "runtime/upper.h"
#include "runtime/volume-use.h"

enum { CGROUP_REMOVE_MS = 10000 };

/* What the user wrote: of a machine's cell the container is told, not the cell. */
const struct spec *spec_told(const struct parent *p)
{
	return p->options->machine ? p->options->machine->spec : p->spec;
}

/* Made again, it has the volumes that it had, those without a name as well. */
static int volumes_choose(struct parent *p)
{
	int r = 0;

	if (!p->options->again)
		return volumes_name(p->spec, &p->state.volumes);
	for (size_t i = 0; r == 0 && i < p->before.volumes.count; i++)
		r = str_list_add(&p->state.volumes, p->before.volumes.items[i]);
	return r;
}

int record_first(struct parent *p)
{
	const struct spec *spec = spec_told(p);
	struct state *s = &p->state;
	int r = str_copy(&s->id, p->options->id);

	if (r == 0)
		r = str_copy(&s->bundle, p->bundle->folder);
	if (r == 0)
		r = str_copy(&s->oci_version, spec->oci_version);
	if (r == 0 && spec->root_path)
		r = bundle_path(p->bundle->folder, spec->root_path, &s->rootfs);
	for (size_t i = 0; r == 0 && i < spec->annotations.count; i++)
		r = str_list_add(&s->annotations, spec->annotations.items[i]);
	if (r == 0)
		r = proc_boot_id(s->boot_id);
	if (r == 0 && p->options->log)
		r = str_copy(&s->log, p->options->log);
	if (r == 0)
		r = p->before.image_store ? str_copy(&s->image_store, p->before.image_store) :
					    image_root_store(&s->annotations, &s->image_store);
	if (r < 0)
		return r;
	r = volumes_choose(p);
	if (r < 0)
		return r;
	s->volumes_go = p->options->remove_at_exit || p->options->passing;
	s->remove_at_exit = p->options->remove_at_exit;
	s->open_stdin = p->options->open_stdin;
	s->resctrl_owed = resctrl_is_owed(p->spec);
	s->created = state_now();
	if (!s->created)
		return fail(ENOMEM, "tell the time");
	return state_write(&p->dir, s);
}

/* What `exec`, and poststop hooks, will work from: the bundle may change or go meanwhile. */
int spec_keep(struct parent *p)
{
	const struct spec *spec = spec_told(p);
	cleanup_free char *made = spec->text ? NULL : json_text(spec->json);
	const char *text = spec->text ? spec->text : made;

	if (!text)
		return fail(ENOMEM, "keep the spec");
	return fd_replace_file(p->dir.fd, "config.json", text, strlen(text), 0600);
}

int record_process(struct parent *p)
{
	int r = proc_start_time(p->pid, &p->state.pid_start);

	if (r == PROC_GONE)
		return 0; /* its last words are on the socket */
	if (r < 0)
		return r;
	p->state.pid = p->pid;
	/* From here on it may run without another word of ours. */
	if (p->options->at_once)
		p->state.phase = PHASE_CREATED;
	p->state.poststop_owed = p->spec->hooks[HOOK_POSTSTOP].count > 0;
	return state_write(&p->dir, &p->state);
}

int record_phase(struct parent *p)
{
	p->state.phase = p->options->at_once ? PHASE_RUNNING : PHASE_CREATED;
	return state_write(&p->dir, &p->state);
}

/* --- the way back ------------------------------------------------------------------------------------ */

static int record_remove(struct parent *p)
{
	if (image_root_release(&p->state.annotations, p->state.image_store, p->place->root, p->options->id) < 0)
		log_warn("%s, ignoring", fail_text());
	return state_remove(&p->dir, p->options->id, false);
}

/* It has ended, as before; also when what was there was itself never finished. */
static int record_restore(struct parent *p)
{
	if (p->before.pid == 0)
		p->before.pid = INT32_MAX;
	return state_write(&p->dir, &p->before);
}

/* Take back everything; the failure that brought us here keeps its text. */
void parent_undo(struct parent *p)
{
	cleanup_free char *text = strdup(fail_text());
	int status = fail_status();

	if (p->pidfd >= 0) {
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
		(void)proc_reap(p->pid);
	}
	scope_release(&p->scope);
	if (p->cgroup.fd >= 0 && cgroup_remove(&p->cgroup, CGROUP_REMOVE_MS) < 0)
		log_warn("%s, ignoring", fail_text());
	scope_stop(p->scope.started ? p->scope.name.unit : NULL);
	if (p->pid > 0 && p->state.resctrl_owed)
		resctrl_forget(p->spec, p->options->id);
	if (p->state.poststop_owed) {
		cleanup_free char *state = state_oci_text(&p->state, "stopped", 0);

		if (state)
			(void)hooks_run(p->spec, HOOK_POSTSTOP, state, false);
	}
	if (p->rootfs.spec && upper_remove(p->place, &p->dir, p->state.boot_id, p->options->id) < 0)
		log_warn("%s, ignoring", fail_text());
	/* What they hold is that of the container which could not be made again. */
	if (p->rootfs.spec && !p->options->again && volumes_release(p->place, &p->dir, &p->state, p->options->id, true) < 0)
		log_warn("%s, ignoring", fail_text());
	if (p->dir.fd >= 0 && network_wish_is_any(p->spec) && network_release(p->place, p->options->id) < 0)
		log_warn("%s, ignoring", fail_text());
	if (p->dir.fd >= 0 && (p->options->again ? record_restore(p) : record_remove(p)) < 0)
		log_warn("%s, ignoring", fail_text());
	if (p->options->pid_file && p->pid > 0)
		(void)unlink(p->options->pid_file);
	(void)fail_exit(fail_plain(EINVAL, "%s", text ? text : "out of memory"), status);
}
