/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look-up is done as root of the container, before `start`, so that a missing program is told at create.
 * Whether the payload's user may run it is judged as that user, last of all: the execve itself is the launcher's,
 * which cannot tell anybody much.
 */
#include "runtime/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/str.h"
#include "runtime/launch.h"
#include "runtime/spec.h"

/* Where a process without PATH is looked for, as in execvp(3). */
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int cannot_run(const char *name, int errnum)
{
	const char *text = errnum == ENOENT ? "no such file or directory" : NULL;

	if (errnum == EACCES)
		text = "permission denied";
	else if (errnum == EISDIR)
		/* docker before 23 knows the last two words alone */
		text = "is a directory: permission denied";
	else if (errnum == ENOEXEC)
		text = "exec format error";
	if (!text)
		text = error_text(errnum);
	return fail_exit(fail_plain(errnum, "exec: \"%s\": %s", name, text),
			 errnum == ENOENT || errnum == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_INVOKABLE);
}

/* 0 when @path can be run by somebody, or an errno that says why not. */
static int runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return EACCES;
	return 0;
}

static int find_along_path(const char *name, const char *along, char **ret_path)
{
	int found_but = 0;

	while (*along) {
		size_t n = strcspn(along, ":");
		cleanup_free char *path = NULL;
		int r = str_format(&path, "%.*s%s%s", (int)n, along, n ? "/" : "./", name);

		if (r < 0)
			return r;
		r = runnable(path);
		if (r == 0) {
			*ret_path = steal_ptr(&path);
			return 0;
		}
		if (r == EACCES)
			found_but = r;
		along += n + (along[n] == ':');
	}
	if (found_but)
		return cannot_run(name, found_but);
	return fail_exit(fail_plain(ENOENT, "exec: \"%s\": executable file not found in $PATH", name),
			 STATUS_NOT_FOUND);
}

int program_find(const struct spec_process *process, char **ret_path)
{
	const char *name = process->args.items[0], *along;
	int e;

	if (!strchr(name, '/') && *name) {
		along = str_env_find(&process->env, "PATH");
		return find_along_path(name, along ? along : PATH_DEFAULT, ret_path);
	}
	e = runnable(name);
	return e ? cannot_run(name, e) : str_copy(ret_path, name);
}

/* The path behind "#!" in @head. Cuts @head. */
static char *script_interpreter(char *head)
{
	char *path = head + 2 + strspn(head + 2, " \t");

	path[strcspn(path, " \t\n")] = '\0';
	return path;
}

/* The loader that an ELF program names, in @room; "" when it names none, NULL when the file is no such program. */
static const char *elf_interpreter(int fd, const char *head, size_t size, char *room, size_t room_size)
{
	const Elf64_Ehdr *elf = (const void *)head;
	Elf64_Phdr segments[64];
	size_t count;
	ssize_t n;

	/* What other formats and widths there are is the kernel's to know. */
	if (size < sizeof(*elf) || elf->e_ident[EI_CLASS] != ELFCLASS64)
		return "";
	count = elf->e_phnum < ARRAY_SIZE(segments) ? elf->e_phnum : ARRAY_SIZE(segments);
	n = pread(fd, segments, count * sizeof(segments[0]), (off_t)elf->e_phoff);
	if (n < 0)
		return "";
	if ((size_t)n != count * sizeof(segments[0]))
		return NULL;
	for (const Elf64_Phdr *segment = segments; segment < segments + count; segment++) {
		if (segment->p_type != PT_INTERP)
			continue;
		if (segment->p_filesz < 2 || segment->p_filesz > room_size)
			return NULL;
		n = pread(fd, room, segment->p_filesz, (off_t)segment->p_offset);
		if (n != (ssize_t)segment->p_filesz || room[segment->p_filesz - 1] != '\0')
			return n < 0 ? "" : NULL;
		return room;
	}
	return "";
}

/*
 * What execve(2) would say of the file's format. Only what is certain is refused; a file that cannot be
 * read, and formats of binfmt_misc, are left to the kernel.
 */
static int format_judge(const char *path)
{
	_Alignas(Elf64_Ehdr) char head[256];
	char room[256];
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head) - 1, 0);
	const char *interpreter = "";

	if (n < 0)
		return 0;
	head[n] = '\0';
	if (n == 0)
		return ENOEXEC;
	if (str_starts(head, "#!"))
		interpreter = script_interpreter(head);
	else if (n >= 4 && memcmp(head, ELFMAG, SELFMAG) == 0)
		interpreter = elf_interpreter(fd, head, (size_t)n, room, sizeof(room));
	if (!interpreter)
		return ENOEXEC;
	return *interpreter && access(interpreter, F_OK) < 0 && errno == ENOENT ? ENOENT : 0;
}

int program_judge(const char *path, const struct spec_process *process)
{
	int e = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : format_judge(path);

	return e ? cannot_run(process->args.items[0], e) : 0;
}

int program_exec(int launcher, const struct lsm_label *label, char *path, const struct spec_process *process)
{
	static char *const nothing[] = { NULL };

	return launch_exec(launcher, label, path, process->args.items,
			   process->env.count ? process->env.items : nothing);
}
