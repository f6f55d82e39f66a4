/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of scopes, and properties made of limits and of annotations: all that needs no systemd. */
#include "cgroups/systemd.h"

#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include "cgroups/limits.h"
#include "cgroups/systemd-internal.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

static void check_name(const char *asked, const char *slice, const char *unit)
{
	struct systemd_scope scope = SYSTEMD_SCOPE_NONE;

	CHECK_INT(systemd_scope_name(asked, "c1", &scope), 0);
	CHECK_STR(scope.slice ? scope.slice : "-", slice);
	CHECK_STR(scope.unit ? scope.unit : "-", unit);
	systemd_scope_done(&scope);
}

static void test_a_path_names_slice_and_scope(void)
{
	check_name(NULL, "-", "nacelle-c1.scope");
	check_name("system.slice:docker:12ab", "system.slice", "docker-12ab.scope");
	check_name("user.slice:libpod:x", "user.slice", "libpod-x.scope");
	check_name("kubepods-burstable-pod1_2.slice:cri-containerd:x", "kubepods-burstable-pod1_2.slice",
		   "cri-containerd-x.scope");
	check_name(":docker:x", "-", "docker-x.scope");
	check_name("system.slice::x", "system.slice", "x.scope");
	check_name("-.slice:a:b", "-.slice", "a-b.scope");
}

static void test_other_paths_are_refused(void)
{
	static const char *const wrong[] = { "a",	     "a:b",	     "a:b:",	     "a:b:c:d",	   "/a/b/c",
					     "a:b:c",	     "x.slice:/:c",  "../x.slice:a:b", "x.slice:a:b/c", "-x.slice:a:b",
					     "a--b.slice:a:b", "x.slice:a b:c", "x.slice:\xff:c", "::" };
	struct systemd_scope scope = SYSTEMD_SCOPE_NONE;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		tap_check(systemd_scope_name(wrong[i], "c1", &scope) < 0, __FILE__, __LINE__, "'%s' is refused",
			  wrong[i]);
		CHECK_HAS(fail_text(), "linux.cgroupsPath: '");
	}
}

static const struct systemd_property *find(const struct systemd_properties *list, const char *name)
{
	for (size_t i = list->count; i-- > 0;)
		if (str_eq(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

static void check_number(const struct systemd_properties *list, const char *name, uint64_t value)
{
	const struct systemd_property *p = find(list, name);

	tap_check(p && p->type == SYSTEMD_UINT64 && p->number == value, __FILE__, __LINE__, "%s is %llu, not %llu", name,
		  (unsigned long long)value, p ? (unsigned long long)p->number : 0ULL);
}

static void test_limits_become_properties(void)
{
	struct systemd_properties list = { .count = 0 };
	struct cgroup_limits limits;

	cgroup_limits_init(&limits);
	CHECK_INT(systemd_properties_limits(&list, &limits), 0);
	CHECK_INT((long long)list.count, 0);
	limits.memory_max = 1000;
	limits.memory_swap = 1500;
	limits.memory_low = LIMIT_MAX;
	limits.cpu_shares = 1024;
	limits.cpu_quota_us = 33333;
	limits.cpu_period_us = 100000;
	limits.pids_max = LIMIT_MAX;
	limits.io_weight = 1000;
	CHECK_INT(str_copy(&limits.cpuset_cpus, "0-2,9"), 0);
	CHECK_INT(systemd_properties_limits(&list, &limits), 0);
	check_number(&list, "MemoryMax", 1000);
	check_number(&list, "MemorySwapMax", 500);
	check_number(&list, "MemoryLow", UINT64_MAX);
	check_number(&list, "CPUWeight", 100);
	check_number(&list, "CPUQuotaPerSecUSec", 340000); /* rounded up to a whole per cent */
	check_number(&list, "CPUQuotaPeriodUSec", 100000);
	check_number(&list, "TasksMax", UINT64_MAX);
	check_number(&list, "IOWeight", 10000);
	CHECK(!find(&list, "MemoryHigh"));
	CHECK(find(&list, "AllowedCPUs") != NULL);
	if (find(&list, "AllowedCPUs")) {
		CHECK_INT((long long)find(&list, "AllowedCPUs")->size, 2);
		CHECK_INT(find(&list, "AllowedCPUs")->text[0], 7);
		CHECK_INT(find(&list, "AllowedCPUs")->text[1], 2);
	}
	systemd_properties_done(&list);
	limits.cpu_quota_us = LIMIT_MAX;
	limits.cpu_idle = 1;
	limits.pids_max = 0;
	CHECK_INT(str_copy(&limits.cpuset_cpus, "99999999-,x"), 0);
	CHECK_INT(systemd_properties_limits(&list, &limits), 0);
	check_number(&list, "CPUQuotaPerSecUSec", UINT64_MAX);
	check_number(&list, "CPUWeight", 0);
	check_number(&list, "TasksMax", 1);
	systemd_properties_done(&list);
	cgroup_limits_done(&limits);
}

/* Return: what systemd_properties_annotations() does of one annotation. */
static int annotate(struct systemd_properties *list, const char *text)
{
	struct str_list annotations = { .items = NULL };
	int r;

	*list = (struct systemd_properties){ .count = 0 };
	if (str_list_add(&annotations, "unrelated=x") < 0 || str_list_add(&annotations, text) < 0)
		abort();
	r = systemd_properties_annotations(list, &annotations);
	str_list_done(&annotations);
	return r;
}

static void check_annotation(const char *text, const char *name, enum systemd_type type, uint64_t number)
{
	struct systemd_properties list;
	const struct systemd_property *p;

	CHECK_INT(annotate(&list, text), 0);
	p = find(&list, name);
	tap_check(p && p->type == type && p->number == number && p->asked, __FILE__, __LINE__, "%s", text);
	systemd_properties_done(&list);
}

#define P "org.systemd.property."

static void test_annotations_become_properties(void)
{
	struct systemd_properties list;

	check_annotation(P "SendSIGHUP=true", "SendSIGHUP", SYSTEMD_BOOL, 1);
	check_annotation(P "SendSIGHUP=false", "SendSIGHUP", SYSTEMD_BOOL, 0);
	check_annotation(P "KillSignal=9", "KillSignal", SYSTEMD_INT32, 9);
	check_annotation(P "X=-1", "X", SYSTEMD_INT32, (uint64_t)-1);
	check_annotation(P "X=uint64 18446744073709551615", "X", SYSTEMD_UINT64, UINT64_MAX);
	check_annotation(P "X=int64 -5", "X", SYSTEMD_INT64, (uint64_t)-5);
	check_annotation(P "X=uint32 7", "X", SYSTEMD_UINT32, 7);
	check_annotation(P "TimeoutStopUSec=uint64 5000000", "TimeoutStopUSec", SYSTEMD_UINT64, 5000000);
	check_annotation(P "TimeoutStopSec=5", "TimeoutStopUSec", SYSTEMD_UINT64, 5000000);
	check_annotation(P "TimeoutStopSec=1.5", "TimeoutStopUSec", SYSTEMD_UINT64, 1500000);
	check_annotation(P "TimeoutStopSec=uint64 2", "TimeoutStopUSec", SYSTEMD_UINT64, 2000000);
	CHECK_INT(annotate(&list, P "CollectMode='inactive\\'or-failed'"), 0);
	CHECK_STR(list.items[0].text, "inactive'or-failed");
	systemd_properties_done(&list);
	CHECK_INT(annotate(&list, P "After=[ 'a.service', \"b.service\" ]"), 0);
	CHECK_STR(list.items[0].list[0], "a.service");
	CHECK_STR(list.items[0].list[1], "b.service");
	CHECK(!list.items[0].list[2]);
	systemd_properties_done(&list);
	CHECK_INT(annotate(&list, P "After=@as []"), 0);
	CHECK(list.items[0].type == SYSTEMD_STRINGS && !list.items[0].list);
	systemd_properties_done(&list);
}

static void test_wrong_annotations_are_refused(void)
{
	static const char *const wrong[] = {
		P "X=",		  P "X=word",	   P "X='open",	     P "X='a' b",	P "X=[]",	    P "X=['a'",
		P "X=['a' 'b']",  P "X=[1]",	   P "X=uint32 -1",  P "X=4294967296",	P "X=uint64 1.5",   P "=1",
		P "X/Y=1",	  P "PIDs=1",	   P "Slice='a'",    P "Delegate=false", P "StartSec=-1",   P "StartSec=x",
		P "X=double",	  P "X=@as",	   P "X=[",	     P "X=['a',",	P "X=\\",	    P "X='\\",
	};
	struct systemd_properties list;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		tap_check(annotate(&list, wrong[i]) < 0, __FILE__, __LINE__, "'%s' is refused", wrong[i]);
		CHECK_HAS(fail_text(), "annotation 'org.systemd.property.");
		systemd_properties_done(&list);
	}
}

/* A libsystemd of one answer: it does not know what it was given. */
static int call_unknown(sd_bus *bus, sd_bus_message *m, uint64_t timeout_us, sd_bus_error *error, sd_bus_message **ret)
{
	(void)bus, (void)m, (void)timeout_us, (void)ret;
	*error = (sd_bus_error){ .name = "org.freedesktop.DBus.Error.UnknownProperty", .message = "unknown property." };
	return -EIO;
}

static int message_new(sd_bus *bus, sd_bus_message **ret, const char *d, const char *p, const char *i, const char *m)
{
	(void)bus, (void)d, (void)p, (void)i, (void)m;
	*ret = NULL;
	return 0;
}

static int nothing_append(sd_bus_message *m, const char *types, ...)
{
	(void)m, (void)types;
	return 0;
}

static int nothing_open(sd_bus_message *m, char type, const char *contents)
{
	(void)m, (void)type, (void)contents;
	return 0;
}

static int nothing_close(sd_bus_message *m)
{
	(void)m;
	return 0;
}

static sd_bus_message *nothing_unref(sd_bus_message *m)
{
	return m;
}

static void nothing_free(sd_bus_error *error)
{
	(void)error;
}

/* "systemd: …" begins with the name: in front of it there is nothing to be looked at. */
static void test_a_property_named_as_the_message_begins(void)
{
	static const struct systemd_library fake = {
		.bus_call = call_unknown, .message_new_method_call = message_new, .message_append = nothing_append,
		.message_open_container = nothing_open, .message_close_container = nothing_close,
		.message_unref = nothing_unref, .error_free = nothing_free,
	};
	struct systemd_properties properties = { .items = NULL };
	struct systemd_bus bus = { .lib = &fake };

	CHECK(systemd_property_add(&properties, "systemd", SYSTEMD_BOOL) != NULL);
	CHECK_INT(systemd_properties_call(&bus, "SetUnitProperties", "a.scope", NULL, &properties, NULL), -EINVAL);
	CHECK(!properties.items[0].left_out);
	systemd_properties_done(&properties);
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_a_path_names_slice_and_scope), TEST(test_other_paths_are_refused),
					    TEST(test_limits_become_properties),
					    TEST(test_annotations_become_properties),
					    TEST(test_wrong_annotations_are_refused),
					    TEST(test_a_property_named_as_the_message_begins), { 0 } });
}
