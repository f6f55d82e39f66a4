/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * personality - linux.personality: which Linux the payload believes to be on
 */

/* personality_set() - @domain PER_x, -1: leave it. execve keeps it. Return: 0 or a recorded failure. */
int personality_set(int domain);
