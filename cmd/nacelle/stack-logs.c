/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `logs` of a stack: each container's log is read by a `logs` of its own, which tells the time of every line. What is there
 * already is put in the order of time; what is followed is printed as it comes.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/lines.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/proc.h"
#include "runtime/service/stack-spawn.h"

/* A log that is read. */
struct source {
	const char *id;
	pid_t pid;
	FILE *file;	/* NULL: at its end */
	char *line;	/* of it, not yet printed; NULL */
	size_t room;
	struct lines lines;	/* of one that is followed */
};

struct sources {
	struct source *items;
	size_t count;
	int width;	/* of the longest id */
	bool timestamps;
};

static int source_open(const struct globals *globals, const char *id, const struct str_list *flags, bool follow, struct source *ret)
{
	struct str_list args = { .items = NULL };
	int fd = -1, r = str_list_add(&args, "logs");

	ret->id = id;
	if (r == 0)
		r = str_list_add(&args, "--timestamps");
	if (r == 0 && follow)
		r = str_list_add(&args, "--follow");
	for (size_t i = 0; r == 0 && i < flags->count; i++)
		r = str_list_add(&args, flags->items[i]);
	if (r == 0)
		r = str_list_add(&args, id);
	if (r == 0)
		r = ret->pid = stack_command_read(&globals->place, (const char *const *)args.items, &fd);
	str_list_done(&args);
	if (r < 0)
		return r;
	ret->file = fdopen(fd, "r");
	if (!ret->file) {
		r = -errno;
		(void)close(fd);
		return fail(-r, "read the log of '%s'", id);
	}
	return 0;
}

static void source_end(struct source *s)
{
	if (s->file)
		(void)fclose(s->file);
	s->file = NULL;
}

/* The next line into s->line, or the end. */
static bool source_next(struct source *s)
{
	ssize_t n = s->file ? getline(&s->line, &s->room, s->file) : -1;

	if (n < 0) {
		source_end(s);
		free(s->line);
		s->line = NULL;
		s->room = 0;
		return false;
	}
	if (n > 0 && s->line[n - 1] == '\n')
		s->line[n - 1] = '\0';
	return true;
}

/* Where the text begins behind the time; a message of `logs` itself has none. */
static const char *text_of(const char *line)
{
	const char *blank = strchr(line, ' ');

	return blank && blank > line && blank[-1] == 'Z' && *line >= '0' && *line <= '9' ? blank + 1 : line;
}

static int line_print(const struct sources *all, const struct source *s, const char *line)
{
	(void)printf("%-*s | %s\n", all->width, s->id, all->timestamps ? line : text_of(line));
	return ferror(stdout) ? fail_plain(EPIPE, "write to standard output: nobody reads it any more") : 0;
}

/* The oldest of what each has next. */
static int merged_print(struct sources *all)
{
	int r = 0;

	for (size_t i = 0; i < all->count; i++)
		(void)source_next(&all->items[i]);
	while (r == 0) {
		struct source *first = NULL;

		for (size_t i = 0; i < all->count; i++)
			if (all->items[i].line && (!first || strcmp(all->items[i].line, first->line) < 0))
				first = &all->items[i];
		if (!first)
			break;
		r = line_print(all, first, first->line);
		(void)source_next(first);
	}
	return r;
}

/* Whose line it is. */
struct part {
	const struct sources *all;
	const struct source *source;
};

static int part_take(char *line, size_t size, void *data)
{
	const struct part *part = data;

	(void)size;
	return line_print(part->all, part->source, line);
}

static int part_print(const struct sources *all, struct source *s)
{
	int r = lines_read(&s->lines, fileno(s->file), part_take, &(struct part){ .all = all, .source = s });

	if (r == 0)
		source_end(s);
	return r < 0 ? r : 0;
}

static int followed_print(struct sources *all)
{
	cleanup_free struct pollfd *polled = calloc(all->count + 1, sizeof(*polled));
	size_t open = polled ? all->count : 0;
	int r = polled ? 0 : fail(ENOMEM, "read logs");

	while (r == 0 && open > 0) {
		for (size_t i = 0; i < all->count; i++)
			polled[i] = (struct pollfd){ .fd = all->items[i].file ? fileno(all->items[i].file) : -1, .events = POLLIN };
		if (poll(polled, all->count, -1) < 0 && errno != EINTR)
			return fail(errno, "read logs");
		for (size_t i = 0; r == 0 && i < all->count; i++) {
			if (polled[i].fd < 0 || !polled[i].revents)
				continue;
			r = part_print(all, &all->items[i]);
			open -= !all->items[i].file;
		}
		(void)fflush(stdout);
	}
	return r;
}

static int sources_print(const struct globals *globals, const struct stack_found *found, const struct str_list *flags, bool follow,
			 struct sources *all)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < found->container_count; i++) {
		int n = (int)strlen(found->containers[i].id);

		all->width = n > all->width ? n : all->width;
		all->count++;
		r = source_open(globals, found->containers[i].id, flags, follow, &all->items[i]);
	}
	return r < 0 ? r : follow ? followed_print(all) : merged_print(all);
}

int stack_logs(const struct globals *globals, const struct operands *operands, const struct str_list *flags, bool follow, bool timestamps)
{
	struct stack_found found = { .containers = NULL };
	struct sources all = { .timestamps = timestamps };
	int r = stack_containers(globals, &(struct stack_options){ .name = NULL }, operands, NULL, &found);

	if (r == 0) {
		all.items = calloc(found.container_count + 1, sizeof(*all.items));
		r = all.items ? sources_print(globals, &found, flags, follow, &all) : fail(ENOMEM, "read logs");
	}
	for (size_t i = 0; i < all.count; i++) {
		source_end(&all.items[i]);
		free(all.items[i].line);
		free(all.items[i].lines.data);
		if (all.items[i].pid > 0)
			(void)proc_reap(all.items[i].pid);
	}
	free(all.items);
	stack_found_done(&found);
	return r;
}
