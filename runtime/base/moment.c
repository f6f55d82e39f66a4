/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk along the text of a time, part by part; where it ends tells how exact it was meant. */
#include "runtime/base/moment.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"

#define NS_PER_S 1000000000L

/* Exactly @digits of them. Return: what follows, or NULL. */
static const char *number(const char *p, int digits, int min, int max, int *ret)
{
	int value = 0;

	for (int i = 0; i < digits; i++, p++) {
		if (!isdigit((unsigned char)*p))
			return NULL;
		value = value * 10 + (*p - '0');
	}
	if (value < min || value > max)
		return NULL;
	*ret = value;
	return p;
}

/* ".25" and more digits than count. Return: what follows, or NULL. */
static const char *fraction(const char *p, long *ret_ns)
{
	long unit = NS_PER_S / 10;

	*ret_ns = 0;
	if (*p != '.')
		return p;
	if (!isdigit((unsigned char)*++p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++, unit /= 10)
		*ret_ns += unit * (*p - '0');
	return p;
}

static const char *date(const char *p, struct tm *tm)
{
	p = number(p, 4, 1, 9999, &tm->tm_year);
	if (p)
		p = *p == '-' ? number(p + 1, 2, 1, 12, &tm->tm_mon) : NULL;
	if (p)
		p = *p == '-' ? number(p + 1, 2, 1, 31, &tm->tm_mday) : NULL;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return p;
}

static const char *clock_time(const char *p, struct tm *tm, long *ret_ns)
{
	p = number(p, 2, 0, 23, &tm->tm_hour);
	if (p)
		p = *p == ':' ? number(p + 1, 2, 0, 59, &tm->tm_min) : NULL;
	if (!p || *p != ':')
		return p;
	p = number(p + 1, 2, 0, 60, &tm->tm_sec);
	return p ? fraction(p, ret_ns) : NULL;
}

/* Return: whether it is one, with the seconds east of UTC. */
static bool zone(const char *p, long *ret_offset)
{
	int hours = 0, minutes = 0, sign = *p == '-' ? -1 : 1;

	*ret_offset = 0;
	if (str_eq(p, "Z") || str_eq(p, "z"))
		return true;
	if (*p != '+' && *p != '-')
		return false;
	p = number(p + 1, 2, 0, 23, &hours);
	if (p)
		p = *p == ':' ? number(p + 1, 2, 0, 59, &minutes) : NULL;
	*ret_offset = sign * (hours * 3600L + minutes * 60L);
	return p && !*p;
}

static int calendar(const char *text, struct timespec *ret)
{
	struct tm tm = { .tm_isdst = -1 };
	long ns = 0, offset = 0;
	const char *p = date(text, &tm);

	if (p && (*p == 'T' || *p == 't' || *p == ' '))
		p = clock_time(p + 1, &tm, &ns);
	if (!p || (*p && !zone(p, &offset)))
		return -EINVAL;
	ret->tv_sec = *p ? timegm(&tm) - offset : mktime(&tm);
	ret->tv_nsec = ns;
	return 0;
}

static int since_epoch(const char *text, struct timespec *ret)
{
	int64_t seconds = 0;
	const char *p = text;
	long ns = 0;

	for (; isdigit((unsigned char)*p) && p - text < 12; p++)
		seconds = seconds * 10 + (*p - '0');
	p = p > text ? fraction(p, &ns) : NULL;
	if (!p || *p)
		return -EINVAL;
	*ret = (struct timespec){ .tv_sec = seconds, .tv_nsec = ns };
	return 0;
}

static int ago(const char *text, const struct timespec *now, struct timespec *ret)
{
	uint64_t usec;
	int64_t ns;

	if (str_to_usec(text, &usec) < 0 || usec / 1000000 > (uint64_t)now->tv_sec)
		return -EINVAL;
	ns = now->tv_nsec - (int64_t)(usec % 1000000) * 1000;
	ret->tv_sec = now->tv_sec - (time_t)(usec / 1000000) - (ns < 0);
	ret->tv_nsec = (long)(ns < 0 ? ns + NS_PER_S : ns);
	return 0;
}

int moment_read(const char *text, const struct timespec *now, struct timespec *ret)
{
	struct timespec moment;
	int r = since_epoch(text, &moment);

	if (r < 0)
		r = calendar(text, &moment);
	if (r < 0)
		r = ago(text, now, &moment);
	if (r < 0 || moment.tv_sec < 0)
		return -EINVAL;
	*ret = moment;
	return 0;
}

struct date {
	uint64_t year;
	unsigned int month, day;
};

/*
 * gmtime_r(3) reads the file of the local time zone before anything else, in each start of a container. Days are counted from a
 * 1 March of a year that 400 divides: a leap day is then the last one of a year, of four, of a hundred or of four hundred years.
 */
static struct date date_of(uint64_t days_since_1970)
{
	enum { YEAR = 365, FOUR = 4 * YEAR + 1, CENTURY = 25 * FOUR - 1, ALL = 4 * CENTURY + 1, MARCH_0000 = 719468 };
	uint64_t days = days_since_1970 + MARCH_0000, in_all = days % ALL;
	uint64_t centuries = in_all / CENTURY < 3 ? in_all / CENTURY : 3, in_century = in_all - centuries * CENTURY;
	uint64_t fours = in_century / FOUR, in_four = in_century % FOUR, years = in_four / YEAR < 3 ? in_four / YEAR : 3;
	unsigned int day = (unsigned int)(in_four - years * YEAR);
	/* 31 30 31 30 31, twice and once more: 153 days are five months */
	unsigned int month = (5 * day + 2) / 153;

	return (struct date){
		.year = days / ALL * 400 + centuries * 100 + fours * 4 + years + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day - (153 * month + 2) / 5 + 1,
	};
}

void moment_text(const struct timespec *moment, char buf[MOMENT_SIZE])
{
	uint64_t seconds = moment->tv_sec > 0 ? (uint64_t)moment->tv_sec : 0;
	struct date date = date_of(seconds / 86400);
	unsigned int rest = (unsigned int)(seconds % 86400);

	/* What is beyond four digits of a year is later than all that is logged. */
	if (date.year > 9999)
		(void)strcpy(buf, "9999-12-31T23:59:59.999999999Z");
	else
		(void)snprintf(buf, MOMENT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09luZ", (unsigned int)date.year % 10000, date.month % 100,
			       date.day % 100, rest / 3600 % 100, rest / 60 % 60, rest % 60, (unsigned long)moment->tv_nsec % 1000000000);
}
