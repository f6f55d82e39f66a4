/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refusals NACELLE ROOT DATA BUNDLE ID ACCEPTED-TOO - run documents that nacelle has to refuse, one after the other
 *
 * On standard input a document a line: its name, what the refusal has to name, the document, with tabs between. Each is written
 * to BUNDLE/config.json and run. Refused is: exit status 125 to 127, in ten seconds, one line without control characters that has the
 * name, or the place in the file, in it; nothing in ROOT. With ACCEPTED-TOO "1" it may also run, and a refusal need not name anything.
 * What is otherwise is printed, with a line "REFUSED WRONG" at the end. A shell does the same, in ten times the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, SAID_SIZE = 65536, KILLED = 128 + SIGKILL };

static char **arguments;	/* NACELLE ROOT DATA BUNDLE ID */

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Run nacelle with its output into @said. Return: its exit status, 128+N, or KILLED after the limit. */
static int run(char *const *args, char said[SAID_SIZE])
{
	static int out = -1;
	posix_spawn_file_actions_t actions;
	struct pollfd wait = { .events = POLLIN };
	int status;
	ssize_t n;
	pid_t pid;

	if (out < 0)
		out = open("said", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || ftruncate(out, 0) < 0 || lseek(out, 0, SEEK_SET) < 0)
		die("said");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (posix_spawn(&pid, args[0], &actions, NULL, args, environ) != 0)
		die(args[0]);
	posix_spawn_file_actions_destroy(&actions);
	wait.fd = pidfd_open(pid, 0);
	if (wait.fd < 0)
		die("pidfd_open");
	if (poll(&wait, 1, LIMIT_MS) == 0)
		kill(pid, SIGKILL);
	close(wait.fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	n = pread(out, said, SAID_SIZE - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* "config.json:LINE:COLUMN" */
static bool has_place(const char *text)
{
	const char *at = strstr(text, "config.json:");
	unsigned int line, column;

	return at && sscanf(at, "config.json:%u:%u", &line, &column) == 2;
}

static bool is_named(char *text, const char *name)
{
	size_t n = strlen(text);

	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return strstr(text, name) || has_place(text);
}

static void document_write(const char *document)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config.json", arguments[3]);
	file = fopen(path, "we");
	if (!file || fputs(document, file) < 0 || fclose(file) != 0)
		die(path);
}

/* Return: whether it is as it should be; @refused is counted up. */
static bool judge(const char *name, const char *place, bool accepted_too, unsigned int *refused)
{
	char run_word[] = "run", b[] = "-b", root[] = "--root", data[] = "--data", delete_word[] = "delete", force[] = "--force";
	char *args[] = { arguments[0], root, arguments[1], data, arguments[2], run_word, b, arguments[3], arguments[4], NULL };
	static char said[SAID_SIZE];
	char state[4096];
	struct stat st;
	int status = run(args, said);
	bool good = true;

	if (status >= 125 && status <= 127) {
		++*refused;
		good = is_named(said, accepted_too ? "" : place);
		if (!good)
			printf("%s: no '%s' in: %.300s\n", name, place, said);
	} else if (!(accepted_too && status == 0)) {
		good = false;
		printf("%s: %s %d: %.300s\n", name, status == KILLED ? "no end in time, or status" : "status", status, said);
	}
	snprintf(state, sizeof(state), "%s/%s", arguments[1], arguments[4]);
	if (lstat(state, &st) == 0) {
		printf("%s: state is left\n", name);
		good = false;
		args[5] = delete_word;
		args[6] = force;
		args[7] = arguments[4];
		args[8] = NULL;
		run(args, said);
	}
	return good;
}

int main(int argc, char **argv)
{
	unsigned int refused = 0, wrong = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (argc != 7)
		return 2;
	arguments = argv + 1;
	while ((n = getline(&line, &room, stdin)) > 0) {
		char *place = strchr(line, '\t'), *document = place ? strchr(place + 1, '\t') : NULL;

		if (!document)
			return 2;
		*place++ = *document++ = '\0';
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		document_write(document);
		wrong += !judge(line, place, argv[6][0] == '1', &refused);
	}
	printf("%u %u\n", refused, wrong);
	return 0;
}
