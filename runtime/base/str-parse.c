/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers, sizes, durations and signals written as text. All is integer arithmetic: a fraction is
 * kept as digits over a power of ten and multiplied by its unit in 128 bits, then cut downwards.
 */
#include "runtime/base/str.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

typedef unsigned __int128 u128;

/* A number as written: whole + part / scale. */
struct decimal {
	uint64_t whole, part, scale;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read digits at *@p, at least one, and move *@p behind them. Return: 0, -EINVAL or -ERANGE. */
static int digits_read(const char **p, uint64_t max, uint64_t *ret_value)
{
	const char *c = *p;
	uint64_t value = 0;

	if (!is_digit(*c))
		return -EINVAL;
	for (; is_digit(*c); c++) {
		unsigned int digit = (unsigned int)(*c - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (value > max)
		return -ERANGE;
	*p = c;
	*ret_value = value;
	return 0;
}

int str_to_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	int r;

	/* A letter behind too many digits is still no number. */
	if (text[strspn(text, "0123456789")])
		return -EINVAL;
	r = digits_read(&text, max, &value);
	if (r < 0)
		return r;
	*ret_value = value;
	return 0;
}

int str_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t magnitude;
	int64_t value;
	int r = str_to_u64(text + negative, (uint64_t)INT64_MAX + negative, &magnitude);

	if (r < 0)
		return r;
	/* Negated as unsigned: -2^63 has no positive counterpart. */
	value = (int64_t)(negative ? -magnitude : magnitude);
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static int decimal_read(const char **p, struct decimal *ret)
{
	const char *c = *p;
	int r = digits_read(&c, UINT64_MAX, &ret->whole);

	if (r < 0)
		return r;
	ret->part = 0;
	ret->scale = 1;
	if (*c == '.') {
		if (!is_digit(*++c))
			return -EINVAL;
		for (; is_digit(*c); c++) {
			if (ret->scale > UINT64_MAX / 10)
				return -EINVAL;
			ret->part = ret->part * 10 + (uint64_t)(*c - '0');
			ret->scale *= 10;
		}
	}
	*p = c;
	return 0;
}

/* @unit fits 42 bits, whole and part fit 64: nothing overflows 128. */
static u128 decimal_times(const struct decimal *d, uint64_t unit)
{
	return (u128)d->whole * unit + (u128)d->part * unit / d->scale;
}

int str_to_bytes(const char *text, int64_t *ret_bytes)
{
	static const char letters[] = "kmgt";
	const char *letter;
	struct decimal number;
	uint64_t unit = 1;
	u128 bytes;
	int r;

	if (str_eq(text, "-1") || str_eq(text, "unlimited")) {
		*ret_bytes = -1;
		return 0;
	}
	r = decimal_read(&text, &number);
	if (r < 0)
		return r;
	letter = *text ? strchr(letters, tolower((unsigned char)*text)) : NULL;
	if (letter) {
		unit = UINT64_C(1) << (10 * (letter - letters + 1));
		text++;
		/* "ki" alone is nothing: the i needs its b. */
		if (strcasecmp(text, "ib") == 0)
			text++;
	}
	if (*text == 'b' || *text == 'B')
		text++;
	if (*text)
		return -EINVAL;
	bytes = decimal_times(&number, unit);
	if (bytes > INT64_MAX)
		return -ERANGE;
	*ret_bytes = (int64_t)bytes;
	return 0;
}

/* Nanoseconds of the unit at *@p, which is moved behind it; 0 for none. */
static uint64_t time_unit_read(const char **p)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		/* longer names first where one begins with the other; the two are micro signs */
		{ "ns", 1 },           { "us", 1000 },         { "\xc2\xb5s", 1000 },
		{ "\xce\xbcs", 1000 }, { "ms", 1000000 },      { "s", 1000000000 },
		{ "m", 60000000000 },  { "h", 3600000000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		const char *rest = str_starts(*p, units[i].name);

		if (rest) {
			*p = rest;
			return units[i].ns;
		}
	}
	return 0;
}

int str_to_usec(const char *text, uint64_t *ret_usec)
{
	const char *c = text;
	u128 ns = 0;

	do {
		bool first = c == text;
		struct decimal number;
		uint64_t unit;
		int r = decimal_read(&c, &number);

		if (r < 0)
			return r;
		unit = time_unit_read(&c);
		if (!unit) {
			if (!first || *c)
				return -EINVAL;
			unit = UINT64_C(1000000000);
		}
		ns += decimal_times(&number, unit);
		if (ns / 1000 > UINT64_MAX)
			return -ERANGE;
	} while (*c);
	*ret_usec = (uint64_t)(ns / 1000);
	return 0;
}

/* A real-time signal by its distance from either end. */
static int signal_realtime(const char *name)
{
	bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
	const char *rest = name + 5;
	uint64_t distance = 0, room = (uint64_t)(SIGRTMAX - SIGRTMIN);

	if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
		return -EINVAL;
	if (*rest && (*rest != (from_max ? '-' : '+') || str_to_u64(rest + 1, room, &distance) < 0))
		return -EINVAL;
	return from_max ? SIGRTMAX - (int)distance : SIGRTMIN + (int)distance;
}

int str_signal(const char *text)
{
	/* Second names of signals that sigabbrev_np() knows by another. */
	static const struct {
		const char *name;
		int number;
	} others[] = { { "IO", SIGIO }, { "IOT", SIGIOT }, { "CLD", SIGCHLD } };
	uint64_t number;

	if (is_digit(*text))
		return str_to_u64(text, 64, &number) == 0 && number > 0 ? (int)number : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, text) == 0)
			return i;
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcasecmp(others[i].name, text) == 0)
			return others[i].number;
	return signal_realtime(text);
}
