/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd answers, by a libsystemd that is made here: each string, number and error is the next piece of the input. A
 * call ends with an answer or a recorded failure, and a job that was waited for has a result.
 */
#include <errno.h>
#include <stdarg.h>

#include "cgroups/systemd-internal.h"
#include "runtime/base/str.h"
#include "tests/fuzz/fuzz.h"

enum { STRINGS_MOST = 64 };

static struct {
	struct fuzz_input in;
	char *strings[STRINGS_MOST]; /* as a message owns those that were read from it */
	size_t count;
	unsigned int unanswered;
} bus;

static const char *next_string(void)
{
	if (bus.count == STRINGS_MOST)
		return "";
	return bus.strings[bus.count++] = fuzz_part(&bus.in, NULL);
}

static int next_result(void)
{
	return bus.in.size == 0 ? -ECONNRESET : -(int)(fuzz_number(&bus.in, 1) % 3);
}

static int fake_call(sd_bus *b, sd_bus_message *m, uint64_t timeout_us, sd_bus_error *error, sd_bus_message **ret)
{
	static const char *const names[] = {
		"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitExists",
		"org.freedesktop.DBus.Error.PropertyReadOnly", "org.freedesktop.DBus.Error.UnknownProperty",
	};
	uint32_t how = fuzz_number(&bus.in, 1);

	(void)b, (void)m, (void)timeout_us;
	if (how == 0 && bus.in.size > 0) {
		*ret = (sd_bus_message *)(void *)&bus;
		return 0;
	}
	error->name = how < 5 ? names[how - 1 < 4 ? how - 1 : 0] : how == 5 ? NULL : next_string();
	error->message = how % 8 == 7 ? NULL : next_string();
	return -EIO;
}

static int fake_read(sd_bus_message *m, const char *types, ...)
{
	va_list args;
	int r = next_result();

	(void)m;
	va_start(args, types);
	for (const char *t = types; r >= 0 && *t; t++) {
		if (*t == 'u')
			*va_arg(args, uint32_t *) = fuzz_number(&bus.in, 4);
		else
			*va_arg(args, const char **) = next_string();
	}
	va_end(args);
	return r;
}

static struct systemd_bus *told; /* whose signals come */

static int fake_process(sd_bus *b, sd_bus_message **ret)
{
	(void)b, (void)ret;
	if (bus.in.size == 0 || bus.unanswered++ > 200)
		return -ECONNRESET;
	if (fuzz_number(&bus.in, 1) & 1)
		return 0;
	fuzz_must(systemd_job_removed(NULL, told, NULL) == 0);
	return 1;
}

static int fake_wait(sd_bus *b, uint64_t timeout_us)
{
	(void)b, (void)timeout_us;
	return next_result() == -2 ? -EINTR : 0;
}

static int fake_new(sd_bus *b, sd_bus_message **ret, const char *d, const char *p, const char *i, const char *m)
{
	(void)b, (void)d, (void)p, (void)i, (void)m;
	*ret = NULL;
	return 0;
}

static int fake_append(sd_bus_message *m, const char *types, ...) { (void)m, (void)types; return 0; }
static int fake_array(sd_bus_message *m, char t, const void *d, size_t n) { (void)m, (void)t, (void)d, (void)n; return 0; }
static int fake_open(sd_bus_message *m, char type, const char *c) { (void)m, (void)type, (void)c; return 0; }
static int fake_close(sd_bus_message *m) { (void)m; return 0; }
static sd_bus_message *fake_unref(sd_bus_message *m) { (void)m; return NULL; }
static void fake_free(sd_bus_error *error) { *error = (sd_bus_error){ .name = NULL }; }

static const struct systemd_library fake = {
	.bus_call = fake_call, .bus_process = fake_process, .bus_wait = fake_wait, .message_new_method_call = fake_new,
	.message_append = fake_append, .message_append_array = fake_array, .message_open_container = fake_open,
	.message_close_container = fake_close, .message_read = fake_read, .message_unref = fake_unref,
	.error_free = fake_free,
};

static void unit_start(struct systemd_bus *b)
{
	struct systemd_properties properties = { .items = NULL };
	cleanup_free char *odd = fuzz_part(&bus.in, NULL);
	sd_bus_message *reply = NULL;
	const char *result = NULL;
	int r;

	(void)systemd_property_add(&properties, "Delegate", SYSTEMD_BOOL);
	(void)systemd_property_add(&properties, "MemoryMax", SYSTEMD_UINT64);
	(void)systemd_property_add(&properties, odd, SYSTEMD_STRINGS);
	r = systemd_properties_call(b, "StartTransientUnit", "x.scope", "replace", &properties, &reply);
	fuzz_must(r <= 0 || r == SYSTEMD_NO_SUCH_UNIT || r == SYSTEMD_UNIT_EXISTS);
	if (r == 0 && systemd_job_wait(b, reply, &result) == 0)
		fuzz_must(result);
	systemd_properties_done(&properties);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct systemd_bus b = { .lib = &fake };

	bus.in = (struct fuzz_input){ data, size };
	bus.unanswered = 0;
	told = &b;
	unit_start(&b);
	(void)systemd_manager_call(&b, "StopUnit", NULL, "ss", "x.scope", "fail");
	systemd_bus_close(&b);
	while (bus.count > 0)
		free(bus.strings[--bus.count]);
	return 0;
}
