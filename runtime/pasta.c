/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta is Debian's package passt. It opens the namespaces by descriptors that it inherits: those of the container's process are
 * out of its sight by then. Nothing is forwarded that was not asked for, and the host's loopback is out of reach.
 */
#include "runtime/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/container.h"
#include "runtime/network-wish.h"
#include "runtime/network.h"

enum { SAID_SIZE_MAX = 64 * 1024, PASTA_END_MS = 5000 };

int pasta_judge(const struct network_wish *wish)
{
	const struct network_join *join = &wish->joins[0];

	if (wish->join_count != 1 || (!str_eq(join->network, PASTA_NETWORK) && !str_eq(join->network, NETWORK_DEFAULT)))
		return fail_plain(EPERM, "network '%s': networks between containers need root; '" PASTA_NETWORK "', 'none' and 'host' do "
				  "not", wish->joins[wish->join_count - 1].network);
	if (net_address_is_set(&join->addresses[0]) || net_address_is_set(&join->addresses[1]) || net_mac_is_set(&join->mac) ||
	    join->aliases.count)
		return fail_plain(EINVAL, "network '" PASTA_NETWORK "' has the host's address and no names: it takes neither ip, mac nor "
				  "alias");
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return fail(errno, "network '" PASTA_NETWORK "': /dev/net/tun cannot be used (root: modprobe tun; chmod 666 /dev/net/tun)");
	return 0;
}

/* "127.0.0.1/8080-8089:80-89", each for its protocol; "none" where there is none. */
static int ports_put(struct str_list *args, const struct network_wish *wish, int protocol)
{
	const char *option = protocol == IPPROTO_TCP ? "-t" : "-u";
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < wish->port_count; i++) {
		const struct net_port *p = &wish->ports[i];
		char address[NET_ADDRESS_SIZE + 1] = "";

		if (p->protocol != protocol)
			continue;
		count++;
		if (net_address_is_set(&p->host)) {
			(void)net_address_text(address, &p->host);
			(void)strcat(address, "/");
		}
		r = str_list_add(args, option);
		if (r == 0 && p->count == 1)
			r = str_list_addf(args, "%s%u:%u", address, p->host_port, p->inside_port);
		else if (r == 0)
			r = str_list_addf(args, "%s%u-%u:%u-%u", address, p->host_port, p->host_port + p->count - 1U, p->inside_port,
					  p->inside_port + p->count - 1U);
	}
	if (r == 0 && !count)
		r = str_list_add(args, option);
	return r < 0 || count ? r : str_list_add(args, "none");
}

static int args_make(struct str_list *args, const char *pid_file, const struct network_wish *wish, int userns, int netns)
{
	static const char *const fixed[] = { "pasta", "--config-net", "--no-map-gw", "--no-netns-quit", "--quiet", "-T", "none", "-U",
					     "none", "--pid", NULL };
	int r = 0;

	for (const char *const *word = fixed; r == 0 && *word; word++)
		r = str_list_add(args, *word);
	if (r == 0)
		r = str_list_add(args, pid_file);
	if (r == 0)
		r = ports_put(args, wish, IPPROTO_TCP);
	if (r == 0)
		r = ports_put(args, wish, IPPROTO_UDP);
	if (r == 0)
		r = str_list_addf(args, "--userns=/proc/self/fd/%d", userns);
	return r < 0 ? r : str_list_addf(args, "--netns=/proc/self/fd/%d", netns);
}

/* Its last line that is no complaint about a log that it cannot have. */
static int refused(char *said)
{
	const char *last = NULL;
	char *line, *rest = said, shown[256];

	while (rest && (line = strsep(&rest, "\n")))
		if (*line && !strstr(line, "syslog"))
			last = line;
	return fail_plain(EIO, "pasta: %s", last ? str_printable(shown, sizeof(shown), last) : "failed without a word");
}

/* It goes to the background by itself when all is set. */
static int program_run(char *const *args, int userns, int netns)
{
	posix_spawn_file_actions_t actions;
	cleanup_fd int listen = -1, speak = -1;
	cleanup_free char *said = NULL;
	int ends[2], status = 0, r;
	pid_t pid = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	listen = ends[0];
	speak = ends[1];
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return fail(r, "run '%s'", args[0]);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, speak, 2);
	/* On itself: it is not closed then. */
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, userns, userns);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, netns, netns);
	if (r == 0)
		r = posix_spawnp(&pid, args[0], &actions, NULL, args, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT)
		return fail_plain(ENOENT, "'pasta' is not there: install the package 'passt' (apt-get install passt), or use the network "
				  "'none' or 'host'");
	if (r != 0)
		return fail(r, "run '%s'", args[0]);
	(void)close(steal_fd(&speak));
	r = fd_read_all(listen, SAID_SIZE_MAX, &said, NULL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(errno, "wait for '%s'", args[0]);
	return status == 0 && r == 0 ? 0 : refused(said);
}

/* What pasta wrote is a number that may be used again; with the start time it is not. */
static int process_note(int dir)
{
	cleanup_free char *text = NULL, *note = NULL;
	uint64_t pid, start;
	int r = fd_read_file(dir, "pasta.pid", &text);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (str_to_u64(text, INT32_MAX, &pid) < 0)
		return fail_plain(EPROTO, "pasta wrote no pid");
	r = proc_start_time((pid_t)pid, &start);
	if (r != 0)
		return r < 0 ? r : fail_plain(ESRCH, "pasta has ended at once");
	r = str_format(&note, "%llu %llu\n", (unsigned long long)pid, (unsigned long long)start);
	if (r == 0)
		r = fd_replace_file(dir, "pasta", note, strlen(note), 0600);
	if (r == 0)
		(void)unlinkat(dir, "pasta.pid", 0);
	return r;
}

int pasta_start(const char *folder, const struct network_wish *wish, int userns, int netns)
{
	cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str_list args = { .items = NULL };
	cleanup_free char *pid_file = NULL;
	int r = dir < 0 ? fail(errno, "open '%s'", folder) : str_format(&pid_file, "%s/pasta.pid", folder);

	if (r == 0)
		r = args_make(&args, pid_file, wish, userns, netns);
	if (r == 0)
		r = program_run(args.items, userns, netns);
	str_list_done(&args);
	if (r == 0)
		r = process_note(dir);
	return r < 0 ? fail_in(r, "network '" PASTA_NETWORK "'") : 0;
}

int pasta_stop(const struct container_place *place, const char *id)
{
	cleanup_free char *folder = NULL, *text = NULL;
	cleanup_fd int dir = -1, pidfd = -1;
	unsigned long long start;
	int pid, r = str_format(&folder, "%s/%s", place->root, id);

	if (r < 0)
		return r;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || faccessat(dir, "pasta", F_OK, 0) < 0)
		return 0;
	r = fd_read_file(dir, "pasta", &text);
	if (r < 0)
		return r;
	if (sscanf(text, "%d %llu", &pid, &start) != 2 || pid <= 0)
		return fail_plain(EINVAL, "'%s/pasta' makes no sense", folder);
	r = proc_open(pid, start, &pidfd);
	if (r == 0)
		r = proc_signal(pidfd, SIGKILL);
	if (r == 0)
		r = proc_wait_exit(pidfd, PASTA_END_MS);
	if (r < 0)
		return r;
	return unlinkat(dir, "pasta", 0) < 0 && errno != ENOENT ? fail(errno, "remove '%s/pasta'", folder) : 0;
}
