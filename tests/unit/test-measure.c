/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/measure.h"
#include "tests/unit/tap.h"

static void test_a_guest_is_what_is_mapped_in_a_large_piece(void)
{
	char text[] = "00400000-00401000 r-xp 00000000 fe:00 1 /a\n"
		      "Size:                  4 kB\nPss:                   2 kB\nPrivate_Clean:         1 kB\nPrivate_Dirty:         0 kB\n"
		      "7f0000000000-7f0002000000 rw-s 00000000 00:01 2 /memfd:guest\n"
		      "Size:              32768 kB\nPss:                 700 kB\nPss_Dirty:           600 kB\nPrivate_Clean:         0 kB\n"
		      "Private_Dirty:       500 kB\n"
		      "7f1000000000-7f1001fff000 rw-p 00000000 00:00 0\n"
		      "Size:              32764 kB\nPss:                  10 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:        10 kB\n";
	struct memory_use guest = { 0 }, overhead = { 0 };

	measure_maps(text, &guest, &overhead);
	CHECK_INT(guest.pss, 700 << 10);
	CHECK_INT(guest.uss, 500 << 10);
	CHECK_INT(overhead.pss, 12 << 10);
	CHECK_INT(overhead.uss, 11 << 10);
}

static void test_a_guest_is_what_is_kept_out_of_dumps(void)
{
	char text[] = "7f0000000000-7f0000040000 rw-p 00000000 fe:00 1 /data/vm/template-1\n"
		      "Size:                256 kB\nPss:                  40 kB\nPrivate_Clean:         4 kB\nPrivate_Dirty:        20 kB\n"
		      "VmFlags: rd wr mr mw me nr dd nh\n"
		      "7f0000040000-7f0000080000 rw-p 00000000 00:00 0\n"
		      "Size:                256 kB\nPss:                   8 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:         8 kB\n"
		      "VmFlags: rd wr mr mw me nr nh\n";
	struct memory_use guest = { 0 }, overhead = { 0 };

	measure_maps(text, &guest, &overhead);
	CHECK_INT(guest.pss, 40 << 10);
	CHECK_INT(guest.uss, 24 << 10);
	CHECK_INT(overhead.pss, 8 << 10);
	CHECK_INT(overhead.uss, 8 << 10);
}

static void test_what_this_process_takes_is_seen(void)
{
	enum { SIZE = 8 << 20 };
	struct memory_use before = { 0 }, after = { 0 };
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_INT(measure_process(getpid(), &before), 0);
	memset(p, 1, SIZE);
	CHECK_INT(measure_process(getpid(), &after), 0);
	CHECK(after.uss >= before.uss + SIZE - (1 << 20));
	CHECK(after.pss >= after.uss);
	(void)munmap(p, SIZE);
}

static void test_a_process_that_is_gone_takes_nothing(void)
{
	struct memory_use use = { 0 };

	CHECK_INT(measure_process(2147483647, &use), 0);
	CHECK_INT(measure_machine(2147483647, &use, &use), 0);
	CHECK_INT(use.pss, 0);
}

static void test_the_host_has_memory(void)
{
	struct memory_host host;

	CHECK_INT(measure_host(&host), 0);
	CHECK(host.available > 0 && host.available <= host.total && host.slab < host.total);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_guest_is_what_is_mapped_in_a_large_piece),
		TEST(test_a_guest_is_what_is_kept_out_of_dumps),
		TEST(test_what_this_process_takes_is_seen),
		TEST(test_a_process_that_is_gone_takes_nothing),
		TEST(test_the_host_has_memory),
		{ 0 },
	});
}
