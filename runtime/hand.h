/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * hand - an open file handed to whoever listens at a unix socket of the caller's choice
 */

/*
 * hand_connect() - connect to the unix stream socket @path
 * @what: its name for messages, as in "console socket"
 *
 * Return: the fd, or a recorded failure.
 */
int hand_connect(const char *what, const char *path);

/*
 * hand_over() - send @fd there, with @name as the message that carries it
 *
 * Return: 0 or a recorded failure.
 */
int hand_over(int sock, int fd, const char *name);
