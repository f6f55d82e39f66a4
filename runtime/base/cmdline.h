/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * cmdline_take() - work with a copy of the arguments from here on
 * @argc, @argv: main()'s; they stay as they are, for `ps`, until cmdline_hide()
 * @ret: as long, NULL-terminated; lives as long as the process
 *
 * Return: 0, or a recorded failure.
 */
int cmdline_take(int argc, char **argv, char ***ret);

/*
 * cmdline_hide() - empty /proc/PID/cmdline of this process: whoever shares its pid namespace may read it, whoever they are
 *
 * For a child that enters a container. Without cmdline_take() before it does nothing.
 */
void cmdline_hide(void);
