/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations org.systemd.property.NAME, whose values are written as GVariant's text: 'text', true, 42, uint64 42,
 * ['a', 'b'], @as []. A NAME that ends in Sec, as in unit files, is given in seconds and becomes the property that
 * ends in USec. Source: GVariant Text Format (docs.gtk.org/glib), and what runc and crun take of it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/systemd-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

#define PREFIX "org.systemd.property."

static const char *blanks_skip(const char *at)
{
	return at + strspn(at, " \t");
}

/* A text in single or double quotes. Return: what stands behind it, or NULL with nothing or ENOMEM recorded. */
static const char *quoted_read(const char *at, char **ret_text)
{
	char quote = *at, *text, *to;

	if (quote != '\'' && quote != '"')
		return NULL;
	text = to = calloc(1, strlen(at));
	if (!text)
		return NULL;
	for (at++; *at && *at != quote; at++) {
		if (*at == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	*to = '\0';
	if (!*at) {
		free(text);
		return NULL;
	}
	*ret_text = text;
	return at + 1;
}

/* ['a', 'b'] */
static bool list_read(const char *at, struct systemd_property *p)
{
	struct str_list list = { .items = NULL };
	const char *typed = str_starts(at, "@as");
	bool good = true;

	at = blanks_skip(typed ? typed : at);
	if (*at++ != '[')
		return false;
	at = blanks_skip(at);
	while (good && *at != ']') {
		cleanup_free char *text = NULL;

		at = quoted_read(at, &text);
		good = at && str_list_add(&list, text) == 0;
		if (!good)
			break;
		at = blanks_skip(at);
		if (*at == ',')
			at = blanks_skip(at + 1);
		else
			good = *at == ']';
	}
	/* Without a type an empty list has none. */
	if (!good || *blanks_skip(at + 1) || (!list.count && !typed)) {
		str_list_done(&list);
		return false;
	}
	p->type = SYSTEMD_STRINGS;
	p->list = list.items;
	return true;
}

static bool real_read(const char *at, double *ret)
{
	char *end;

	errno = 0;
	*ret = strtod(at, &end);
	return end != at && !*end && errno == 0;
}

static bool number_read(const char *at, struct systemd_property *p)
{
	static const struct {
		const char *name;
		enum systemd_type type;
		int64_t min;
		uint64_t max;
	} types[] = {
		{ "uint64 ", SYSTEMD_UINT64, 0, UINT64_MAX },
		{ "uint32 ", SYSTEMD_UINT32, 0, UINT32_MAX },
		{ "int64 ", SYSTEMD_INT64, INT64_MIN, INT64_MAX },
		{ "int32 ", SYSTEMD_INT32, INT32_MIN, INT32_MAX },
		/* what has no type is this */
		{ "", SYSTEMD_INT32, INT32_MIN, INT32_MAX },
	};
	const char *typed = str_starts(at, "double ");

	if (typed) {
		p->type = SYSTEMD_DOUBLE;
		return real_read(blanks_skip(typed), &p->real);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const char *text = str_starts(at, types[i].name);
		int64_t number;

		if (!text)
			continue;
		p->type = types[i].type;
		text = blanks_skip(text);
		if (types[i].min == 0)
			return str_to_u64(text, types[i].max, &p->number) == 0;
		if (str_to_i64(text, types[i].min, (int64_t)types[i].max, &number) < 0)
			return false;
		p->number = (uint64_t)number;
		return true;
	}
	return false;
}

static bool value_read(const char *at, struct systemd_property *p)
{
	const char *behind;

	if (str_eq(at, "true") || str_eq(at, "false")) {
		p->type = SYSTEMD_BOOL;
		p->number = at[0] == 't';
		return true;
	}
	if (*at == '\'' || *at == '"') {
		p->type = SYSTEMD_STRING;
		behind = quoted_read(at, &p->text);
		return behind && !*blanks_skip(behind);
	}
	return *at == '[' || *at == '@' ? list_read(at, p) : number_read(at, p);
}

/* Seconds, whole or not, of any type of number. */
static bool seconds_read(const char *at, struct systemd_property *p)
{
	double seconds = 0;

	if (!number_read(at, p) && !real_read(at, &seconds))
		return false;
	if (p->type == SYSTEMD_DOUBLE)
		seconds = p->real;
	else if (seconds == 0)
		seconds = p->type == SYSTEMD_UINT64 || p->type == SYSTEMD_UINT32 ? (double)p->number :
										   (double)(int64_t)p->number;
	if (seconds < 0 || seconds > 1e12)
		return false;
	p->type = SYSTEMD_UINT64;
	p->number = (uint64_t)(seconds * 1e6);
	return true;
}

static int name_check(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]))
			n = 0;
	if (n == 0)
		return fail_plain(EINVAL, "annotation '" PREFIX "%s': is not the name of a property", name);
	/* Which processes are in it is not the annotator's to say. */
	if (str_eq(name, "PIDs") || str_eq(name, "Slice") || str_eq(name, "Delegate"))
		return fail_plain(EINVAL, "annotation '" PREFIX "%s': is set by the runtime itself", name);
	return 0;
}

static int annotation_add(struct systemd_properties *properties, const char *name, const char *value)
{
	bool seconds = str_ends(name, "Sec") && !str_ends(name, "USec");
	cleanup_free char *real = NULL;
	struct systemd_property *p;
	int r = name_check(name);

	if (r == 0)
		r = seconds ? str_format(&real, "%.*sUSec", (int)(strlen(name) - strlen("Sec")), name) :
			      str_copy(&real, name);
	if (r < 0)
		return r;
	p = systemd_property_add(properties, real, SYSTEMD_STRING);
	if (!p)
		return -ENOMEM;
	p->asked = true;
	if (seconds ? seconds_read(blanks_skip(value), p) : value_read(blanks_skip(value), p))
		return 0;
	return fail_plain(EINVAL, "annotation '" PREFIX "%s': %s is none of 'text', true, 42, uint64 42, ['a', 'b']",
			  name, value);
}

int systemd_properties_annotations(struct systemd_properties *properties, const struct str_list *annotations)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < annotations->count; i++) {
		const char *rest = str_starts(annotations->items[i], PREFIX);
		const char *value = rest ? strchr(rest, '=') : NULL;
		cleanup_free char *name = NULL;

		if (!value)
			continue;
		r = str_format(&name, "%.*s", (int)(value - rest), rest);
		if (r == 0)
			r = annotation_add(properties, name, value + 1);
	}
	return r;
}
