#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_steady_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static time_t to_seconds(int64_t ms)
{
	return (time_t)(ms / 1000 - (ms % 1000 < 0));
}

void clock_utc(char out[CLOCK_TEXT], int64_t ms)
{
	time_t t = to_seconds(ms);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, CLOCK_TEXT, "?");
}

void clock_local(char out[CLOCK_TEXT], int64_t ms)
{
	time_t t = to_seconds(ms);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, CLOCK_TEXT, "%Y-%m-%d %H:%M", &tm))
		snprintf(out, CLOCK_TEXT, "?");
}

void clock_ago(char out[CLOCK_TEXT], int64_t ms, int64_t now)
{
	int64_t minutes = (now - ms) / 60000;

	if (minutes > -2 && minutes < 1) /* clocks differ a little */
		snprintf(out, CLOCK_TEXT, "now");
	else if (minutes > 0 && minutes < 60)
		snprintf(out, CLOCK_TEXT, "%dm", (int)minutes);
	else if (minutes > 0 && minutes < 24 * 60)
		snprintf(out, CLOCK_TEXT, "%dh", (int)(minutes / 60));
	else if (minutes > 0 && minutes < 7 * 24 * 60)
		snprintf(out, CLOCK_TEXT, "%dd", (int)(minutes / (24 * 60)));
	else {
		clock_local(out, ms);
		out[strcspn(out, " ")] = '\0';
	}
}

/* Reads exactly `digits` digits; NULL when they are not there. */
static const char *number(const char *s, int digits, int *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++, s++) {
		if (*s < '0' || *s > '9')
			return NULL;
		*out = *out * 10 + (*s - '0');
	}
	return s;
}

static bool parse_age(const char *s, int64_t now, int64_t *ms)
{
	static const struct { char unit; int64_t ms; } units[] = {
		{ 's', 1000 },     { 'm', 60000 },     { 'h', 3600000 },
		{ 'd', 86400000 }, { 'w', 604800000 },
	};
	int64_t n = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9' && n < 100000000; p++)
		n = n * 10 + (*p - '0');
	if (p == s || !*p || p[1])
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == *p) {
			*ms = now - n * units[i].ms;
			return true;
		}
	return false;
}

/* "Z", "+hh:mm", "-hh:mm", "+hhmm"; seconds east of UTC. */
static const char *parse_zone(const char *s, long *east)
{
	int h, m, sign = *s == '-' ? -1 : 1;

	if (*s == 'Z') {
		*east = 0;
		return s + 1;
	}
	if ((*s != '+' && *s != '-') || !(s = number(s + 1, 2, &h)))
		return NULL;
	if (*s == ':')
		s++;
	if (!(s = number(s, 2, &m)) || h > 23 || m > 59)
		return NULL;
	*east = sign * (h * 3600L + m * 60L);
	return s;
}

static const char *parse_hms(const char *s, struct tm *tm)
{
	if (!(s = number(s, 2, &tm->tm_hour)) || *s++ != ':' || !(s = number(s, 2, &tm->tm_min)))
		return NULL;
	if (*s == ':' && !(s = number(s + 1, 2, &tm->tm_sec)))
		return NULL;
	if (*s == '.')
		while (*++s >= '0' && *s <= '9')
			;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61 ? s : NULL;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_since_epoch(int y, int m, int d)
{
	int64_t yy = m <= 2 ? y - 1 : y;
	int64_t era_day = yy * 365 + yy / 4 - yy / 100 + yy / 400;

	return era_day + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 719469;
}

static bool real_date(int y, int m, int d)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;

	return y >= 1 && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

static bool parse_date(const char *s, int64_t *ms)
{
	struct tm tm = { .tm_isdst = -1 };
	int y, m, d;
	long east;
	time_t t;

	if (!(s = number(s, 4, &y)) || *s++ != '-' || !(s = number(s, 2, &m)) || *s++ != '-' ||
	    !(s = number(s, 2, &d)) || !real_date(y, m, d))
		return false;
	if ((*s == 'T' || *s == ' ') && !(s = parse_hms(s + 1, &tm)))
		return false;
	if (*s) {
		if (!(s = parse_zone(s, &east)) || *s)
			return false;
		*ms = (days_since_epoch(y, m, d) * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 +
		       tm.tm_sec - east) * 1000;
		return true;
	}
	tm.tm_year = y - 1900;
	tm.tm_mon = m - 1;
	tm.tm_mday = d;
	t = mktime(&tm);
	*ms = (int64_t)t * 1000;
	return t != (time_t)-1;
}

int clock_parse(const char *text, int64_t now, int64_t *ms, struct err *e)
{
	if (parse_age(text, now, ms) || parse_date(text, ms))
		return 0;
	return err_set(e, ERR_USAGE,
	               "'%s' is neither an age like 7d or 12h nor a date like 2026-11-21 or "
	               "2026-11-21T08:30", text);
}
