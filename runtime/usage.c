/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container uses: its cgroup's files, and its network namespace's interfaces as /proc/PID/net/dev has
 * them. The end of its init is seen by a pidfd, a kill for memory by memory.events, which raises POLLPRI.
 */
#include "runtime/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/fd.h"
#include "runtime/kept.h"
#include "runtime/machine.h"
#include "runtime/network-attach.h"

static int watch_cgroup(const struct state *state, const char *id, struct usage_watch *watch)
{
	struct cgroup cg = CGROUP_NONE;
	int r;

	if (!state->cgroup_path)
		return fail_plain(EINVAL, "container '%s' has no cgroup to tell its usage by", id);
	r = str_copy(&cg.path, state->cgroup_path);
	if (r == 0)
		r = cgroup_open(&cg);
	if (r == 0)
		watch->cgroup = steal_fd(&cg.fd);
	cgroup_close(&cg);
	return r == CGROUP_NOT_FOUND ? USAGE_STOPPED : r;
}

static int watch_fill(const struct state *state, const char *id, struct usage_watch *watch)
{
	int r = proc_open(state->pid, state->pid_start, &watch->pidfd);

	if (r != 0)
		return r == PROC_GONE ? USAGE_STOPPED : r;
	watch->pid = state->pid;
	r = watch_cgroup(state, id, watch);
	if (r == 0)
		r = str_copy(&watch->id, id);
	if (r != 0)
		return r;
	watch->events = openat(watch->cgroup, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	watch->oom_kills = cgroup_oom_kills(watch->cgroup);
	return 0;
}

int usage_watch_open(const struct container_place *place, const char *id, struct usage_watch *ret_watch)
{
	struct usage_watch watch = USAGE_WATCH_NONE;
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	enum container_status status;
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_status(&state, &status);
	if (r == 0)
		r = status == CONTAINER_STOPPED || status == CONTAINER_CREATING ? USAGE_STOPPED :
			watch_fill(&state, id, &watch);
	if (r == 0)
		watch.counts = openat(dir.fd, MACHINE_COUNTS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (watch.counts >= 0) {
		watch.dir = dir;
		r = network_devices(place, id, &watch.taps);
	} else {
		state_close(&dir);
	}
	state_done(&state);
	if (r != 0) {
		usage_watch_close(&watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

void usage_watch_close(struct usage_watch *watch)
{
	int fds[] = { watch->cgroup, watch->pidfd, watch->events, watch->counts };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(watch->id);
	str_list_done(&watch->taps);
	state_close(&watch->dir);
	*watch = (struct usage_watch)USAGE_WATCH_NONE;
}

/* "  eth0: 1 2 3 4 0 0 0 0 9 10 11 12 0 0 0 0": eight of what came, eight of what went. */
static int interface_add(char *line, struct usage *usage)
{
	char *colon = strchr(line, ':'), *name = line + strspn(line, " ");
	struct usage_interface i = { .name = NULL }, *longer;
	int r;

	if (!colon)
		return 0;
	*colon = '\0';
	if (str_eq(name, "lo") ||
	    sscanf(colon + 1, "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%*u%*u%*u%*u%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64,
		   &i.received_bytes, &i.received_packets, &i.received_errors, &i.received_dropped, &i.sent_bytes,
		   &i.sent_packets, &i.sent_errors, &i.sent_dropped) != 8)
		return 0;
	longer = reallocarray(usage->interfaces, usage->interface_count + 1, sizeof(*longer));
	if (!longer)
		return fail(ENOMEM, "read the network's statistics");
	usage->interfaces = longer;
	r = str_copy(&i.name, name);
	if (r == 0)
		longer[usage->interface_count++] = i;
	return r;
}

/* The host's network is nobody's usage. */
static bool network_is_ours(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0 || theirs.st_ino == ours.st_ino;
}

int usage_interfaces_parse(char *text, struct usage *usage)
{
	char *saved = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &saved); r == 0 && line; line = strtok_r(NULL, "\n", &saved))
		r = interface_add(line, usage);
	return r;
}

static int interfaces_read_of(const char *path, struct usage *usage)
{
	cleanup_free char *text = NULL;
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, NULL) < 0)
		return 0;
	return usage_interfaces_parse(text, usage);
}

static int interfaces_read(pid_t pid, struct usage *usage)
{
	char path[64];

	if (network_is_ours(pid))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	return interfaces_read_of(path, usage);
}

/* What a machine's device on the host received, the machine sent. */
static struct usage_interface turned_round(const struct usage_interface *i, char *name)
{
	return (struct usage_interface){
		.name = name,
		.received_bytes = i->sent_bytes, .received_packets = i->sent_packets,
		.received_errors = i->sent_errors, .received_dropped = i->sent_dropped,
		.sent_bytes = i->received_bytes, .sent_packets = i->received_packets,
		.sent_errors = i->received_errors, .sent_dropped = i->received_dropped,
	};
}

/* The host counts at its end; the cell's own namespace is empty. */
static int taps_read(const struct str_list *taps, struct usage *usage)
{
	size_t kept = 0;
	int r = taps->count ? interfaces_read_of("/proc/thread-self/net/dev", usage) : 0;

	for (size_t i = 0; i < usage->interface_count; i++) {
		struct usage_interface one = usage->interfaces[i];
		const char *inside = str_env_find(taps, one.name);
		char *name = NULL;

		if (r == 0 && inside)
			r = str_copy(&name, inside);
		if (name)
			usage->interfaces[kept++] = turned_round(&one, name);
		free(one.name);
	}
	usage->interface_count = kept;
	return r;
}

/* Whether the init has ended; its pid is then nobody's, or another's. */
static bool is_over(const struct usage_watch *watch)
{
	struct pollfd p = { .fd = watch->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

int usage_read(const struct usage_watch *watch, struct usage *ret_usage)
{
	struct usage usage = { .interfaces = NULL };
	int r = cgroup_stats_read(watch->cgroup, &usage.stats);

	if (r == 0)
		r = cgroup_details_read(watch->cgroup, &usage.details);
	usage.is_machine = watch->counts >= 0;
	if (r == 0)
		r = usage.is_machine ? taps_read(&watch->taps, &usage) : interfaces_read(watch->pid, &usage);
	if (r == 0 && usage.is_machine)
		r = machine_counts(&watch->dir, watch->counts, &usage.machine);
	if (r == 0 && is_over(watch))
		r = USAGE_STOPPED;
	if (r != 0) {
		usage_done(&usage);
		return r;
	}
	*ret_usage = usage;
	return 0;
}

void usage_done(struct usage *usage)
{
	for (size_t i = 0; i < usage->interface_count; i++)
		free(usage->interfaces[i].name);
	free(usage->interfaces);
	usage->interfaces = NULL;
	usage->interface_count = 0;
	cgroup_details_done(&usage->details);
}

/* The reading is also what makes the file wait for its next change. */
static uint64_t ooms_new(struct usage_watch *watch)
{
	char text[1024];
	const char *line;
	uint64_t kills = 0, more;
	ssize_t n = watch->events < 0 ? -1 : pread(watch->events, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	line = strstr(text, "oom_kill ");
	if (!line || sscanf(line, "oom_kill %" SCNu64, &kills) != 1 || kills <= watch->oom_kills)
		return 0;
	more = kills - watch->oom_kills;
	watch->oom_kills = kills;
	return more;
}

int usage_wait(struct usage_watch *watch, int timeout_ms, uint64_t *ret_ooms)
{
	struct pollfd fds[] = {
		{ .fd = watch->pidfd, .events = POLLIN },
		{ .fd = watch->events, .events = POLLPRI },
	};
	int n;

	*ret_ooms = ooms_new(watch);
	if (*ret_ooms)
		return is_over(watch) ? USAGE_STOPPED : 0;
	n = poll(fds, ARRAY_SIZE(fds), timeout_ms);
	if (n < 0 && errno != EINTR)
		return fail(errno, "wait for container '%s'", watch->id);
	*ret_ooms = ooms_new(watch);
	return n > 0 && fds[0].revents ? USAGE_STOPPED : 0;
}
