/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a container's record: refused, or read; what was read is written and read again, and is the same.
 */
#include "runtime/base/str.h"
#include "runtime/state.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct state *a, const struct state *b)
{
	return str_eq(a->id, b->id) && str_eq(a->boot_id, b->boot_id) && a->phase == b->phase && a->pid == b->pid &&
	       a->pid_start == b->pid_start && a->keeper_pid == b->keeper_pid && a->cgroup_made == b->cgroup_made &&
	       !a->cgroup_path == !b->cgroup_path && a->annotations.count == b->annotations.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state_dir dir = STATE_DIR_NONE;
	struct state state, again;
	char *text;

	if (dir.fd < 0)
		dir.fd = fuzz_folder();
	fuzz_file(dir.fd, "state.json", data, size);
	if (state_read(&dir, &state) != 0) {
		fuzz_must(*fail_text());
		return 0;
	}
	fuzz_must(*state.id && state.pid >= 0 && (!state.cgroup_path || *state.cgroup_path == '/'));
	(void)state_is_stale(&state);
	text = state_oci_text(&state, "running", state.pid);
	fuzz_must(text);
	free(text);
	text = state_process_text(&state, 1, NULL);
	free(text);
	fuzz_must(state_write(&dir, &state) == 0 && state_read(&dir, &again) == 0 && same(&state, &again));
	state_done(&again);
	state_done(&state);
	return 0;
}
