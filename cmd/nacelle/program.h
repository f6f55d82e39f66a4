/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * program - the command line is built twice from the same objects
 *
 * `nacelle` is static: without a loader and its relocations it starts in less time, and every start of a container pays for
 * that. What needs shared libraries, which is libsystemd alone, is done by its twin `nacelle-shared`.
 */

/*
 * program_shared() - become the twin, if this is not it
 * @argv: the command line as it came
 *
 * Return: 0 when this is the program with shared libraries, or a recorded failure; otherwise it does not.
 */
int program_shared(char **argv);
