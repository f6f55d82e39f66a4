/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Type into the terminal that the caller gave us: what is typed there would be read by the caller's shell.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static void type(int fd, const char *text)
{
	long r = 0;

	for (const char *c = text; r == 0 && *c; c++) {
		char letter = *c;

		r = ioctl(fd, TIOCSTI, &letter);
	}
	attack_answer("type into a terminal", r);
}

int main(void)
{
	static const char text[] = "typed-by-the-payload\n";
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++) {
		struct {
			char subcode, text[8];
		} paste = { .subcode = 3 };

		attack_answer("take the terminal", ioctl(fd, TIOCSCTTY, 1));
		attack_answer("take the terminal softly", ioctl(fd, TIOCSCTTY, 0));
		type(fd, text);
		attack_answer("paste into a terminal", ioctl(fd, TIOCLINUX, &paste));
	}
	attack_answer("the caller's /dev/tty", tty);
	if (tty >= 0)
		type(tty, text);
	return attack_end();
}
