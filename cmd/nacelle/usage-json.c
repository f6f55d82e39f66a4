/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document of `events`. It is written here piece by piece rather than by jansson: "no limit" is
 * 18446744073709551615 in it, which is more than jansson's integers hold, and whoever reads it expects just that.
 */
#include "cmd/nacelle/usage-json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/usage.h"

/* Whether the next thing needs a comma in front, at this place. */
static bool first = true;

/* Names come from the kernel and from ids that were checked; escaped all the same. */
static void text_put(const char *text)
{
	(void)putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == '"' || *c == '\\' || *c >= 0x7f)
			(void)printf("\\u%04x", *c);
		else
			(void)putchar(*c);
	}
	(void)putchar('"');
}

static void key_put(const char *key)
{
	if (!first)
		(void)putchar(',');
	first = false;
	if (key) {
		text_put(key);
		(void)putchar(':');
	}
}

static void begin(const char *key, char bracket)
{
	key_put(key);
	(void)putchar(bracket);
	first = true;
}

static void end(char bracket)
{
	(void)putchar(bracket);
	first = false;
}

static void number(const char *key, uint64_t value)
{
	key_put(key);
	(void)printf("%" PRIu64, value);
}

/* For what runc leaves out when it is 0. */
static void number_if(const char *key, uint64_t value)
{
	if (value && value != STAT_NONE)
		number(key, value);
}

static uint64_t known(uint64_t value)
{
	return value == STAT_NONE ? 0 : value;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX || b == UINT64_MAX ? UINT64_MAX : a + b;
}

static void pressure_line(const char *key, const struct cgroup_pressure_line *line)
{
	const struct {
		const char *key;
		uint32_t value;
	} averages[] = { { "avg10", line->avg10 }, { "avg60", line->avg60 }, { "avg300", line->avg300 } };

	begin(key, '{');
	for (size_t i = 0; i < ARRAY_SIZE(averages); i++) {
		key_put(averages[i].key);
		(void)printf("%u.%02u", averages[i].value / 100, averages[i].value % 100);
	}
	number("total", line->total_us);
	end('}');
}

static void pressure(const struct cgroup_pressure *p)
{
	if (!p->set)
		return;
	begin("psi", '{');
	pressure_line("some", &p->some);
	pressure_line("full", &p->full);
	end('}');
}

/* Microseconds of the kernel's, nanoseconds of the reader's. */
static void cpu(const struct usage *u)
{
	const struct cgroup_stats *s = &u->stats;

	begin("cpu", '{');
	begin("usage", '{');
	number_if("total", known(s->cpu_usage_us) * 1000);
	number("kernel", known(s->cpu_system_us) * 1000);
	number("user", known(s->cpu_user_us) * 1000);
	end('}');
	begin("throttling", '{');
	number_if("periods", s->cpu_periods);
	number_if("throttledPeriods", s->cpu_throttled);
	number_if("throttledTime", known(s->cpu_throttled_us) * 1000);
	end('}');
	pressure(&u->details.cpu);
	end('}');
}

/* "0-2,5" as a list of numbers. */
static void numbers_of_ranges(const char *key, const char *ranges)
{
	unsigned int from, to;
	int n = 0;

	if (!ranges || !*ranges)
		return;
	begin(key, '[');
	for (const char *p = ranges; sscanf(p, "%u%n", &from, &n) == 1; p += n + (p[n] == ',')) {
		p += n;
		n = 0;
		to = from;
		if (*p == '-' && sscanf(p, "-%u%n", &to, &n) != 1)
			break;
		for (; from <= to && to <= UINT16_MAX; from++)
			number(NULL, from);
	}
	end(']');
}

static void cpuset(const struct cgroup_details *d)
{
	static const char *const v1_only[] = { "cpu_exclusive",	    "mem_hardwall",	  "mem_exclusive",
					       "memory_migrate",    "memory_spread_page", "memory_spread_slab",
					       "memory_pressure",   "sched_load_balance", "sched_relax_domain_level" };

	begin("cpuset", '{');
	numbers_of_ranges("cpus", d->cpus);
	numbers_of_ranges("mems", d->mems);
	for (size_t i = 0; i < ARRAY_SIZE(v1_only); i++)
		number(v1_only[i], 0);
	end('}');
}

static void memory_entry(const char *key, uint64_t limit, uint64_t usage, uint64_t most, uint64_t failures)
{
	begin(key, '{');
	number("limit", limit);
	number_if("usage", usage);
	number_if("max", most);
	number("failcnt", failures);
	end('}');
}

static uint64_t count_of(const struct cgroup_count *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(list[i].name, name))
			return list[i].value;
	return 0;
}

/* STAT_NONE of a limit is "max", which is the same number to the reader; without the controller there is no limit either. */
static void memory(const struct usage *u)
{
	static const char *const events[] = { "low", "high", "max", "oom", "oom_kill" };
	const struct cgroup_stats *s = &u->stats;
	const struct cgroup_details *d = &u->details;

	begin("memory", '{');
	number_if("cache", s->memory_file);
	memory_entry("usage", s->memory_max, s->memory_current, s->memory_peak,
		     count_of(d->memory_events, d->memory_event_count, "max"));
	/* The reader's word "swap" means memory and swap together. */
	memory_entry("swap", sum(s->memory_swap_max, s->memory_max),
		     known(s->memory_swap_current) + known(s->memory_current), 0, 0);
	memory_entry("kernel", 0, s->memory_kernel, 0, 0);
	memory_entry("kernelTCP", 0, s->memory_sock, 0, 0);
	if (d->memory_stat_count) {
		begin("raw", '{');
		for (size_t i = 0; i < d->memory_stat_count; i++)
			number(d->memory_stat[i].name, d->memory_stat[i].value);
		end('}');
	}
	pressure(&d->memory);
	begin("event_count", '{');
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		number_if(events[i], count_of(d->memory_events, d->memory_event_count, events[i]));
	end('}');
	end('}');
}

static void io_entry(const struct cgroup_io_use *io, const char *operation, uint64_t value)
{
	begin(NULL, '{');
	number_if("major", io->major);
	number_if("minor", io->minor);
	key_put("op");
	text_put(operation);
	number_if("value", value);
	end('}');
}

static void blkio(const struct cgroup_details *d)
{
	begin("blkio", '{');
	if (d->io_count) {
		begin("ioServiceBytesRecursive", '[');
		for (size_t i = 0; i < d->io_count; i++) {
			io_entry(&d->ios[i], "Read", d->ios[i].read_bytes);
			io_entry(&d->ios[i], "Write", d->ios[i].write_bytes);
		}
		end(']');
		begin("ioServicedRecursive", '[');
		for (size_t i = 0; i < d->io_count; i++) {
			io_entry(&d->ios[i], "Read", d->ios[i].read_ops);
			io_entry(&d->ios[i], "Write", d->ios[i].write_ops);
		}
		end(']');
	}
	pressure(&d->io);
	end('}');
}

static void hugetlb(const struct cgroup_details *d)
{
	begin("hugetlb", '{');
	for (size_t i = 0; i < d->hugetlb_count; i++) {
		begin(d->hugetlbs[i].page_size, '{');
		number_if("usage", d->hugetlbs[i].current);
		number("failcnt", d->hugetlbs[i].failures);
		end('}');
	}
	end('}');
}

static void interfaces(const struct usage *u)
{
	begin("network_interfaces", '[');
	for (size_t i = 0; i < u->interface_count; i++) {
		const struct usage_interface *n = &u->interfaces[i];

		begin(NULL, '{');
		key_put("Name");
		text_put(n->name);
		number("RxBytes", n->received_bytes);
		number("RxPackets", n->received_packets);
		number("RxErrors", n->received_errors);
		number("RxDropped", n->received_dropped);
		number("TxBytes", n->sent_bytes);
		number("TxPackets", n->sent_packets);
		number("TxErrors", n->sent_errors);
		number("TxDropped", n->sent_dropped);
		end('}');
	}
	end(']');
}

/* No part of what others write: what its virtual machine did. */
static void machine(const struct vm_stats *s)
{
	begin("vm", '{');
	if (!s->other) {
		begin("exits", '{');
		for (unsigned int i = 0; i < VM_EXIT_KINDS; i++)
			number(vm_exit_name(i), s->exits[i]);
		end('}');
		number("kvm_exits", s->kvm.exits);
		number("kvm_faults", s->kvm.faults);
		number("kvm_interrupts", s->kvm.interrupts);
	}
	number("memory_returned", s->returned);
	end('}');
}

static void event_begin(const char *type, const char *id)
{
	first = true;
	begin(NULL, '{');
	key_put("type");
	text_put(type);
	key_put("id");
	text_put(id);
}

static void event_end(void)
{
	end('}');
	(void)putchar('\n');
	/* Whoever reads a pipe wants each event when it happens. */
	(void)fflush(stdout);
}

void usage_print(const char *id, const struct usage *u)
{
	event_begin("stats", id);
	begin("data", '{');
	cpu(u);
	cpuset(&u->details);
	memory(u);
	begin("pids", '{');
	number_if("current", u->stats.pids_current);
	number_if("limit", u->stats.pids_max);
	end('}');
	blkio(&u->details);
	hugetlb(&u->details);
	begin("intel_rdt", '{');
	end('}');
	interfaces(u);
	if (u->is_machine)
		machine(&u->machine);
	end('}');
	event_end();
}

void oom_print(const char *id)
{
	event_begin("oom", id);
	event_end();
}
