/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * programs - where our other programs are
 */

/*
 * programs_open() - O_PATH fd of one of our programs: in the folder of the one that runs, else where it is installed
 * @what: for the message: "the program that keeps detached containers"
 *
 * Return: the fd, or a recorded failure.
 */
int programs_open(const char *name, const char *what);
