/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * copyup - a folder's content, copied into the tmpfs that will cover it ("tmpcopyup")
 */

/*
 * copyup() - copy all of @from's content into @to, with modes, owners and times
 * @from, @to: directory fds (O_PATH will do)
 *
 * Links are copied as links, sockets are skipped, mounts below @from are not entered.
 * Return: 0 or a recorded failure.
 */
int copyup(int from, int to);
