/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries in `hosts` rather than a resolver: no process that stays, nothing that reads what containers send, and it works for
 * every program that looks names up. A file is written in one piece and then cut, because a bind mount is of the file itself:
 * who reads at that moment may see old lines behind the new ones, never half a line of ours.
 */
#include "runtime/network-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/mount-fs.h"
#include "runtime/network-book.h"
#include "runtime/network-wish.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/target.h"

static const struct {
	const char *name, *place;
} files[NETWORK_FILE_COUNT] = {
	{ "hosts", "/etc/hosts" },
	{ "resolv.conf", "/etc/resolv.conf" },
	{ "hostname", "/etc/hostname" },
};

/* --- hosts ----------------------------------------------------------------------------------------- */

static bool lease_is_of(const struct network_lease *l, const char *root, const char *id)
{
	return str_eq(l->id, id) && str_eq(l->root, root);
}

static void line_add(FILE *f, const struct network_lease *l, const char *first)
{
	for (int family = 0; family < FAMILIES; family++) {
		char text[NET_ADDRESS_SIZE];

		if (!net_address_is_set(&l->addresses[family]))
			continue;
		(void)fprintf(f, "%s\t%s", net_address_text(text, &l->addresses[family]), first ? first : "");
		for (size_t i = 0; i < l->names.count; i++)
			if (!first || !str_eq(first, l->names.items[i]))
				(void)fprintf(f, "%s%s", first || i ? " " : "", l->names.items[i]);
		(void)fprintf(f, "\n");
	}
}

/* The lines of one container: itself, then whoever is in a network with it. */
static int hosts_text(const struct network_book *book, const char *root, const char *id, const char *hostname, char **ret_text)
{
	size_t size = 0;
	FILE *f = open_memstream(ret_text, &size);
	bool whole;

	if (!f)
		return fail(ENOMEM, "write 'hosts'");
	/* The kernel takes anything for a host name, a line of its own included. */
	if (hostname && network_alias_check(hostname) < 0)
		hostname = NULL;
	(void)fprintf(f, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	for (size_t i = 0; i < book->lease_count; i++)
		if (lease_is_of(&book->leases[i], root, id))
			line_add(f, &book->leases[i], hostname);
	/* With pasta there is nobody else; it knows itself all the same. */
	if (!book->lease_count)
		(void)fprintf(f, "127.0.1.1\t%s%s%s\n", hostname && !str_eq(hostname, id) ? hostname : "",
			      hostname && !str_eq(hostname, id) ? " " : "", id);
	for (size_t i = 0; i < book->lease_count; i++) {
		if (!lease_is_of(&book->leases[i], root, id))
			continue;
		for (size_t k = 0; k < book->lease_count; k++)
			if (str_eq(book->leases[k].network, book->leases[i].network) && !lease_is_of(&book->leases[k], root, id))
				line_add(f, &book->leases[k], NULL);
	}
	whole = !ferror(f);
	if (fclose(f) != 0 || !whole) {
		free(*ret_text);
		*ret_text = NULL;
		return fail(ENOMEM, "write 'hosts'");
	}
	return 0;
}

/* Return: 0, -ENOENT (nothing recorded), or a recorded failure. */
static int file_overwrite(int dir, const char *name, const char *text)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t size = strlen(text);

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(errno, "open '%s'", name);
	if (pwrite(fd, text, size, 0) != (ssize_t)size)
		return fail(errno, "write '%s'", name);
	return ftruncate(fd, (off_t)size) < 0 ? fail(errno, "cut '%s'", name) : 0;
}

/* Its own name is in a file beside: the first word of what it was told. */
static int hosts_rewrite(const struct network_book *book, const struct network_lease *l)
{
	cleanup_free char *folder = NULL, *hostname = NULL, *text = NULL;
	cleanup_fd int dir = -1;
	int r = str_format(&folder, "%s/%s", l->root, l->id);

	if (r < 0)
		return r;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0 || faccessat(dir, "hosts", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (fd_read_file(dir, "hostname", &hostname) == 0)
		hostname[strcspn(hostname, "\n")] = '\0';
	r = hosts_text(book, l->root, l->id, hostname && *hostname ? hostname : NULL, &text);
	if (r == 0)
		r = file_overwrite(dir, "hosts", text);
	return r == -ENOENT ? 0 : r < 0 ? fail_in(r, "names for container '%s'", l->id) : 0;
}

void network_hosts_update(const struct network_book *book, const char *network, const char *root, const char *id)
{
	for (size_t i = 0; i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, network) && !lease_is_of(&book->leases[i], root, id) &&
		    hosts_rewrite(book, &book->leases[i]) < 0)
			log_warn("%s, ignoring", fail_text());
}

/* --- resolv.conf ----------------------------------------------------------------------------------- */

/* Only networks that lead nowhere: its name servers could not be reached. */
static bool is_internal(const struct network_book *book, const char *root, const char *id)
{
	for (size_t i = 0; i < book->lease_count; i++) {
		const struct network *n = network_find(book, book->leases[i].network);

		if (lease_is_of(&book->leases[i], root, id) && n && !n->internal)
			return false;
	}
	return true;
}

/*
 * The host's, without name servers on its own loopback or of one link of it. @to: NULL: only look.
 * Return: how many were left out, or a recorded failure.
 */
static int resolv_copy(FILE *to, const char *path, bool *ret_any)
{
	cleanup_free char *text = NULL;
	int left = 0, r;

	*ret_any = false;
	if (access(path, F_OK) < 0)
		return 0;
	r = fd_read_file(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		const char *server = str_starts(line, "nameserver");
		char word[NET_ADDRESS_SIZE] = "";
		struct net_address a;

		if (!*line || *line == '#' || *line == ';')
			continue;
		if (server && (sscanf(server, " %45s", word) != 1 || net_address_read(word, &a) < 0 || net_address_is_loopback(&a))) {
			left++;
			continue;
		}
		*ret_any |= server != NULL;
		if (to)
			(void)fprintf(to, "%s\n", line);
	}
	return left;
}

/* A host whose own resolver is a local one may say elsewhere whom that asks. */
static int resolv_host(FILE *f)
{
	const char *path = "/etc/resolv.conf";
	bool any;
	int left = resolv_copy(NULL, path, &any);

	if (left > 0 && !any && access("/run/systemd/resolve/resolv.conf", F_OK) == 0)
		path = "/run/systemd/resolve/resolv.conf";
	if (left >= 0)
		left = resolv_copy(f, path, &any);
	if (left > 0 && !any)
		log_warn("the host's name servers are on its loopback, which no container reaches: say 'dns' or --dns");
	return left < 0 ? left : 0;
}

static int resolv_text(const struct network_book *book, const char *root, const char *id, const struct str_list *dns, char **ret_text)
{
	size_t size = 0;
	FILE *f = open_memstream(ret_text, &size);
	int r = 0;

	if (!f)
		return fail(ENOMEM, "write 'resolv.conf'");
	for (size_t i = 0; i < dns->count; i++)
		(void)fprintf(f, "nameserver %s\n", dns->items[i]);
	if (!dns->count && !is_internal(book, root, id))
		r = resolv_host(f);
	if (fclose(f) != 0 && r == 0)
		r = fail(ENOMEM, "write 'resolv.conf'");
	return r;
}

/* --- all of them ----------------------------------------------------------------------------------- */

int network_files_write(const struct network_book *book, int dir, const char *root, const char *id, const char *hostname,
			const struct str_list *dns)
{
	cleanup_free char *hosts = NULL, *resolv = NULL, *name = NULL;
	char host[256] = "";
	int r;

	if (!hostname && gethostname(host, sizeof(host) - 1) == 0)
		hostname = host;
	r = str_format(&name, "%s\n", hostname ? hostname : "");
	if (r == 0)
		r = hosts_text(book, root, id, hostname && *hostname ? hostname : NULL, &hosts);
	if (r == 0)
		r = resolv_text(book, root, id, dns, &resolv);
	/* `hosts` last: as long as it is not there nobody rewrites it. */
	if (r == 0)
		r = fd_replace_file(dir, "hostname", name, strlen(name), 0644);
	if (r == 0)
		r = fd_replace_file(dir, "resolv.conf", resolv, strlen(resolv), 0644);
	return r < 0 ? r : fd_replace_file(dir, "hosts", hosts, strlen(hosts), 0644);
}

static int is_mounted_by(const struct spec *spec, const char *place, bool *ret)
{
	*ret = false;
	for (size_t i = 0; i < spec->mount_count; i++) {
		cleanup_free char *clean = NULL;
		int r = target_clean(spec->mounts[i].destination, &clean);

		if (r < 0)
			return r;
		*ret |= str_eq(clean, place);
	}
	return 0;
}

static int file_take(const char *folder, const char *name, int *ret_tree)
{
	cleanup_free char *path = NULL;
	cleanup_fd int tree = -1;
	int r = str_format(&path, "%s/%s", folder, name);

	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return 0;
	r = mount_tree(path, false, &tree);
	/* A payload that wrote there would write to the host's memory, beyond any limit of its root. */
	if (r == 0)
		r = mount_change(tree, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE);
	if (r < 0)
		return fail(-r, "take '%s'", path);
	*ret_tree = steal_fd(&tree);
	return 0;
}

int network_files_take(const struct spec *spec, const char *folder, int ret_trees[NETWORK_FILE_COUNT])
{
	int r = 0;

	for (int i = 0; r == 0 && i < NETWORK_FILE_COUNT; i++) {
		bool own;

		r = is_mounted_by(spec, files[i].place, &own);
		if (r == 0 && !own)
			r = file_take(folder, files[i].name, &ret_trees[i]);
	}
	return r;
}

const char *network_file_place(int i)
{
	return files[i].place;
}

int network_files_mount(struct rootfs *r, const int trees[NETWORK_FILE_COUNT])
{
	for (int i = 0; i < NETWORK_FILE_COUNT; i++) {
		cleanup_fd int target = -1;
		int err;

		if (trees[i] < 0)
			continue;
		target = target_make(rootfs_fd(r), files[i].place, TARGET_FILE);
		if (target < 0)
			return target;
		err = mount_attach(trees[i], target);
		if (err < 0)
			return fail(-err, "attach it to '%s'", files[i].place);
	}
	return 0;
}
