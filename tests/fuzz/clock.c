/*
 * lib/base/clock. The input is a point in time as a user gives it.
 *
 * Properties: an age is so much before now; a date with a zone is the time that the C
 * library's timegm() gives, one without the time that is shown as that again, where the
 * local clock has it. A zone moves a date by what it says. Nothing else is taken, and a
 * refusal has a reason.
 */
#include "base/clock.h"

#include <regex.h>
#include <stdbool.h>
#include <time.h>

#include "fuzz.h"

#define NOW INT64_C(1795250379897)

/* Patterns are compiled once. */
struct pattern {
	const char *text;
	regex_t compiled;
	bool ready;
};

static bool matches(struct pattern *p, const char *text, regmatch_t *m, size_t n)
{
	if (!p->ready)
		must(regcomp(&p->compiled, p->text, REG_EXTENDED) == 0, "a pattern");
	p->ready = true;
	return regexec(&p->compiled, text, n, m, 0) == 0;
}

static int64_t number(const char *text, regmatch_t m)
{
	return m.rm_so < 0 ? 0 : strtoll(text + m.rm_so, NULL, 10);
}

static bool model_age(const char *text, int64_t *ms)
{
	static struct pattern age = { .text = "^0*([0-9]{1,9})([smhdw])$" };
	regmatch_t m[3];
	int64_t unit;

	if (!matches(&age, text, m, 3))
		return false;
	switch (text[m[2].rm_so]) {
	case 's': unit = 1; break;
	case 'm': unit = 60; break;
	case 'h': unit = 60 * 60; break;
	case 'd': unit = 24 * 60 * 60; break;
	default: unit = 7 * 24 * 60 * 60; break;
	}
	*ms = NOW - number(text, m[1]) * unit * 1000;
	return true;
}

/* *tm becomes what the date says, *zone where its zone begins. */
static bool model_date(const char *text, struct tm *tm, const char **zone)
{
	static struct pattern date = {
		.text = "^([0-9]{4})-([0-9]{2})-([0-9]{2})([T ]([0-9]{2}):([0-9]{2})(:([0-9]{2}))?"
		        "(\\.[0-9]*)?)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?$",
	};
	regmatch_t m[11];
	struct tm as_is;

	if (!matches(&date, text, m, 11))
		return false;
	*tm = (struct tm){ .tm_year = (int)number(text, m[1]) - 1900,
		           .tm_mon = (int)number(text, m[2]) - 1, .tm_mday = (int)number(text, m[3]),
		           .tm_hour = (int)number(text, m[5]), .tm_min = (int)number(text, m[6]),
		           .tm_sec = (int)number(text, m[8]) };
	*zone = m[10].rm_so < 0 ? "" : text + m[10].rm_so;
	as_is = *tm;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 || tm->tm_year < -1899)
		return false;
	as_is.tm_hour = as_is.tm_min = as_is.tm_sec = 0;
	timegm(&as_is); /* what is no date becomes another one */
	return as_is.tm_mon == tm->tm_mon && as_is.tm_mday == tm->tm_mday;
}

static int64_t east_of(const char *zone)
{
	const char *minutes = zone + strlen(zone) - 2; /* behind a colon, or not */

	if (*zone == 'Z')
		return 0;
	return (*zone == '-' ? -1 : 1) *
	       (((zone[1] - '0') * 10 + zone[2] - '0') * 3600 +
	        ((minutes[0] - '0') * 10 + minutes[1] - '0') * 60);
}

static void check_local(const struct tm *want, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	must(ms % 1000 == 0 && localtime_r(&t, &tm), "%" PRId64, ms);
	if (want->tm_sec == 60 || tm.tm_hour != want->tm_hour)
		return; /* a leap second, or an hour that the clock leaves out */
	must(tm.tm_year == want->tm_year && tm.tm_mon == want->tm_mon && tm.tm_mday == want->tm_mday &&
	     tm.tm_min == want->tm_min && tm.tm_sec == want->tm_sec, "%" PRId64, ms);
}

static void check_shown(int64_t ms)
{
	char utc[CLOCK_TEXT], local[CLOCK_TEXT];
	struct err e = ERR_INIT;
	int64_t back;

	clock_utc(utc, ms);
	clock_local(local, ms);
	must(strlen(utc) < CLOCK_TEXT && strlen(local) < CLOCK_TEXT, "%s, %s", utc, local);
	if (ms >= 0 && ms < INT64_C(253402300800000)) {
		must(clock_parse(utc, NOW, &back, &e) == 0, "%s", e.msg);
		must(back == ms - ms % 1000, "%s", utc);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = input_str(data, size);
	struct err e = ERR_INIT;
	int64_t got = 0, want;
	const char *zone;
	struct tm tm;
	bool good;

	/* A zone with summer time, and no need of its data base. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	good = clock_parse(text, NOW, &got, &e) == 0;
	must(good || (e.kind == ERR_USAGE && e.msg[0]), "a reason");
	if (model_age(text, &want)) {
		must(good && got == want, "'%s': %" PRId64 " instead of %" PRId64, text, got, want);
	} else if (model_date(text, &tm, &zone) && *zone) {
		want = ((int64_t)timegm(&tm) - east_of(zone)) * 1000;
		must(good && got == want, "'%s': %" PRId64 " instead of %" PRId64, text, got, want);
	} else if (model_date(text, &tm, &zone)) {
		must(good, "'%s'", text);
		check_local(&tm, got);
	} else {
		must(!good, "'%s' is taken for %" PRId64, text, got);
	}
	if (good)
		check_shown(got);
	free(text);
	return 0;
}
