/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * program - the payload's program: finding it, becoming it
 *
 * Failures carry docker's exit statuses and, since engines read them, docker's sentences.
 */

struct lsm_label;
struct spec_process;

/*
 * program_find() - the file that args[0] means, inside the container
 * @ret_path: malloc'ed
 *
 * Looks along the PATH of the process's environment. Return: 0, or a recorded failure with exit status 126 or 127.
 */
int program_find(const struct spec_process *process, char **ret_path);

/*
 * program_judge() - as the payload's user, whether it may be run and is of a format that can
 *
 * What the kernel would say later, while there is still somebody to tell. Return: as program_find().
 */
int program_judge(const char *path, const struct spec_process *process);

/* program_exec() - become it, by the launcher (runtime/launch.h). Returns only a recorded failure. */
int program_exec(int launcher, const struct lsm_label *label, char *path, const struct spec_process *process);
