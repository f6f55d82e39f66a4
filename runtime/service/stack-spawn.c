/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own program as a child. What it says goes to a file in memory: a keeper that it leaves behind cannot hold a pipe open. */
#include "runtime/service/stack-spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/container.h"

enum { SAID_MAX = 64 * 1024 };

static int memory_file(const char *text)
{
	int fd = memfd_create("nacelle", MFD_CLOEXEC), r;

	if (fd < 0)
		return fail(errno, "make a file in memory");
	fd = fd_lift(fd);
	r = fd < 0 ? fd : text ? fd_write_all(fd, text, strlen(text)) : 0;
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return fail(-r, "write a file in memory");
	}
	return fd;
}

static int line_make(const struct container_place *place, const char *const *args, struct str_list *ret)
{
	int r = str_list_add(ret, "nacelle");

	if (r == 0)
		r = container_place_words(place, ret);
	for (; r == 0 && *args; args++)
		r = str_list_add(ret, *args);
	return r;
}

/* In the child; @errors is where the parent reads what it says. */
_Noreturn static void become(char **line, int input, int errors, const char *folder)
{
	if (folder && chdir(folder) < 0)
		(void)dprintf(errors, "go to the folder '%s': %s\n", folder, strerror(errno));
	else if (dup2(input, STDIN_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0 ||
		 dup2(open("/dev/null", O_WRONLY | O_CLOEXEC | O_NOCTTY), STDOUT_FILENO) < 0 || execv("/proc/self/exe", line) < 0)
		(void)dprintf(errors, "start our own program: %s\n", strerror(errno));
	_exit(STATUS_OURS);
}

int stack_command_start(const struct container_place *place, const char *const *args, const char *input, const char *folder,
			struct stack_command *ret)
{
	struct str_list line = { .items = NULL };
	cleanup_fd int in = memory_file(input), errors = -1;
	pid_t pid = -1;
	int r = in < 0 ? in : line_make(place, args, &line);

	if (r == 0)
		r = errors = memory_file(NULL);
	if (r >= 0) {
		/* what is in stdio's buffer is ours to write, once */
		(void)fflush(stdout);
		pid = fork();
		if (pid == 0)
			become(line.items, in, errors, folder);
		r = pid < 0 ? fail(errno, "start 'nacelle %s'", args[0]) : 0;
	}
	str_list_done(&line);
	if (r == 0)
		*ret = (struct stack_command){ .pid = pid, .said = steal_fd(&errors) };
	return r;
}

/* Its warnings as they are; of a failure the last line, without what stands in front of all of them. */
static int said_take(char *said, int status)
{
	char *last = said, *newline;

	while ((newline = strchr(last, '\n')) && (status == 0 || newline[1])) {
		*newline = '\0';
		log_warn("%s", str_starts(last, "nacelle: ") ? last + strlen("nacelle: ") : last);
		last = newline + 1;
	}
	if (status == 0)
		return 0;
	last[strcspn(last, "\n")] = '\0';
	if (!*last)
		return fail_plain(EIO, "ended with status %d, and said nothing", status);
	return fail_plain(EIO, "%s", str_starts(last, "nacelle: ") ? last + strlen("nacelle: ") : last);
}

int stack_command_finish(struct stack_command *command)
{
	cleanup_fd int said = command->said;
	cleanup_free char *text = NULL;
	int status = proc_reap(command->pid), r;

	command->said = -1;
	if (status < 0)
		return status;
	if (lseek(said, 0, SEEK_SET) < 0)
		return fail(errno, "read what a command said");
	r = fd_read_all(said, SAID_MAX, &text, NULL);
	if (r < 0)
		return fail(-r, "read what a command said");
	return said_take(text, status);
}

int stack_command_run(const struct container_place *place, const char *const *args, const char *input, const char *folder)
{
	struct stack_command command;
	int r = stack_command_start(place, args, input, folder, &command);

	return r < 0 ? r : stack_command_finish(&command);
}

pid_t stack_command_read(const struct container_place *place, const char *const *args, int *ret_fd)
{
	struct str_list line = { .items = NULL };
	int ends[2], r = line_make(place, args, &line);
	pid_t pid;

	if (r == 0 && pipe2(ends, O_CLOEXEC) < 0)
		r = fail(errno, "make a pipe");
	if (r < 0) {
		str_list_done(&line);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0)
			(void)execv("/proc/self/exe", line.items);
		_exit(STATUS_OURS);
	}
	r = pid < 0 ? fail(errno, "start 'nacelle %s'", args[0]) : 0;
	str_list_done(&line);
	(void)close(ends[1]);
	if (r < 0)
		(void)close(ends[0]);
	else
		*ret_fd = ends[0];
	return r < 0 ? r : pid;
}
