/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One lock for all networks: rules, ports and bridges belong together, and who starts a container holds it for a few
 * milliseconds. Reading and writing the JSON is network-record.c's.
 */
#include "runtime/network-book.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/network-record.h"

/* A hung holder must not hang us. */
enum { LOCK_TRIES = 3000, LOCK_WAIT_NS = 10 * 1000 * 1000 };

static int folder_open(const char *data, bool make, int *ret_fd)
{
	cleanup_free char *path = NULL;
	int r = str_format(&path, "%s/networks", data);

	if (r < 0)
		return r;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	if (errno != ENOENT)
		return fail(errno, "open '%s'", path);
	if (!make)
		return NETWORK_NO_BOOK;
	if (mkdir(data, 0755) < 0 && errno != EEXIST)
		return fail(errno, "make the folder '%s'", data);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make the folder '%s'", path);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? fail(errno, "open '%s'", path) : 0;
}

static int lock_take(int dir, int *ret_fd)
{
	cleanup_fd int fd = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail(errno, "open the lock of the networks");
	for (int i = 0; i < LOCK_TRIES; i++) {
		const struct timespec wait = { .tv_nsec = LOCK_WAIT_NS };

		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret_fd = steal_fd(&fd);
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(errno, "lock the networks");
		(void)nanosleep(&wait, NULL);
	}
	return fail_plain(EBUSY, "the networks stay locked by another process");
}

/* Room for one more of @size bytes. Return: 0 or a recorded failure. */
static int room_for(void *items, size_t count, size_t size)
{
	void **place = items;
	void *more = realloc(*place, (count + 1) * size);

	if (!more)
		return fail(ENOMEM, "read the networks");
	*place = more;
	return 0;
}

static int networks_read(struct network_book *book)
{
	int fd = openat(book->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int r = dir ? 0 : fail(errno, "list the networks");

	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		struct network network = { .name = NULL };

		if (*e->d_name == '.' || !str_ends(e->d_name, ".json"))
			continue;
		r = room_for(&book->networks, book->network_count, sizeof(network));
		if (r == 0)
			r = network_record_read(book->dir, e->d_name, &network);
		if (r == 0)
			book->networks[book->network_count++] = network;
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

/* In their names' order, whatever the folder's. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct network *)a)->name, ((const struct network *)b)->name);
}

int network_book_open(const char *data, bool make, struct network_book *ret)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = folder_open(data, make, &book.dir);

	if (r == 0)
		r = lock_take(book.dir, &book.lock);
	if (r == 0)
		r = networks_read(&book);
	if (r == 0 && book.network_count)
		qsort(book.networks, book.network_count, sizeof(*book.networks), by_name);
	if (r == 0)
		r = network_leases_read(&book);
	if (r != 0) {
		network_book_close(&book);
		return r < 0 ? fail_in(r, "networks") : r;
	}
	*ret = book;
	return 0;
}

void network_done(struct network *n)
{
	free(n->name);
	free(n->bridge);
	free(n->created);
	str_list_done(&n->labels);
	*n = (struct network){ .name = NULL };
}

void network_lease_done(struct network_lease *l)
{
	free(l->network);
	free(l->id);
	free(l->root);
	free(l->device);
	free(l->pair);
	free(l->ports);
	str_list_done(&l->names);
	*l = (struct network_lease){ .network = NULL };
}

static void setting_done(struct network_setting *s)
{
	free(s->path);
	free(s->old);
	free(s->set);
}

void network_book_close(struct network_book *book)
{
	for (size_t i = 0; i < book->network_count; i++)
		network_done(&book->networks[i]);
	for (size_t i = 0; i < book->lease_count; i++)
		network_lease_done(&book->leases[i]);
	for (size_t i = 0; i < book->setting_count; i++)
		setting_done(&book->settings[i]);
	free(book->networks);
	free(book->leases);
	free(book->settings);
	if (book->lock >= 0)
		(void)close(book->lock);
	if (book->dir >= 0)
		(void)close(book->dir);
	*book = (struct network_book)NETWORK_BOOK_NONE;
}

struct network *network_find(const struct network_book *book, const char *name)
{
	for (size_t i = 0; i < book->network_count; i++)
		if (str_eq(book->networks[i].name, name))
			return &book->networks[i];
	return NULL;
}

size_t network_users(const struct network_book *book, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < book->lease_count; i++)
		n += str_eq(book->leases[i].network, name);
	return n;
}

int network_add(struct network_book *book, struct network *network)
{
	int r = room_for(&book->networks, book->network_count, sizeof(*network));

	if (r == 0)
		r = network_record_write(book->dir, network);
	if (r < 0)
		return r;
	book->networks[book->network_count++] = *network;
	*network = (struct network){ .name = NULL };
	qsort(book->networks, book->network_count, sizeof(*book->networks), by_name);
	return 0;
}

int network_forget(struct network_book *book, const char *name)
{
	struct network *n = network_find(book, name);
	cleanup_free char *file = NULL;
	int r = str_format(&file, "%s.json", name);

	if (r < 0)
		return r;
	if (unlinkat(book->dir, file, 0) < 0 && errno != ENOENT)
		return fail(errno, "remove the record of network '%s'", name);
	if (!n)
		return 0;
	network_done(n);
	book->network_count--;
	memmove(n, n + 1, (size_t)(book->networks + book->network_count - n) * sizeof(*n));
	return 0;
}

int network_lease_add(struct network_book *book, struct network_lease *lease)
{
	int r = room_for(&book->leases, book->lease_count, sizeof(*lease));

	if (r < 0)
		return r;
	book->leases[book->lease_count++] = *lease;
	*lease = (struct network_lease){ .network = NULL };
	return 0;
}

void network_lease_remove(struct network_book *book, size_t index)
{
	network_lease_done(&book->leases[index]);
	book->lease_count--;
	memmove(&book->leases[index], &book->leases[index + 1], (book->lease_count - index) * sizeof(*book->leases));
}

int network_setting_add(struct network_book *book, const char *path, const char *old, const char *set)
{
	struct network_setting s = { .path = NULL };
	int r = room_for(&book->settings, book->setting_count, sizeof(s));

	if (r == 0)
		r = str_copy(&s.path, path);
	if (r == 0)
		r = str_copy(&s.old, old);
	if (r == 0)
		r = str_copy(&s.set, set);
	if (r < 0) {
		setting_done(&s);
		return r;
	}
	book->settings[book->setting_count++] = s;
	return 0;
}

void network_setting_remove(struct network_book *book, size_t index)
{
	setting_done(&book->settings[index]);
	book->setting_count--;
	memmove(&book->settings[index], &book->settings[index + 1],
		(book->setting_count - index) * sizeof(*book->settings));
}
