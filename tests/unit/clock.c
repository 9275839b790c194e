#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#include "data.h"
#include "tap.h"

#define NOW INT64_C(1795248611000) /* 2026-11-21T08:10:11Z */

static void set_zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

static void test_format(void)
{
	char out[CLOCK_TEXT];

	clock_utc(out, 0);
	is_str(out, "1970-01-01T00:00:00Z", "the epoch");
	clock_utc(out, NOW + 999);
	is_str(out, "2026-11-21T08:10:11Z", "milliseconds are cut off");
	clock_utc(out, -1);
	is_str(out, "1969-12-31T23:59:59Z", "before the epoch, towards the past");
	clock_utc(out, -1000);
	is_str(out, "1969-12-31T23:59:59Z", "a whole second before it");
	clock_utc(out, INT64_C(253402300799999));
	is_str(out, "9999-12-31T23:59:59Z", "the last second of four digits");
	clock_utc(out, INT64_MAX);
	ok(strlen(out) < CLOCK_TEXT, "a damaged time does no harm");
	clock_local(out, INT64_MIN);
	ok(strlen(out) < CLOCK_TEXT, "nor one the other way");
	set_zone("XST-1");
	clock_local(out, NOW);
	is_str(out, "2026-11-21 09:10", "local time, east");
	set_zone("XST5");
	clock_local(out, 0);
	is_str(out, "1969-12-31 19:00", "local time, west, the day before");
}

static void test_ago(void)
{
	static const struct {
		int64_t ago; /* seconds */
		const char *want;
	} cases[] = {
		{ 0, "now" },      { 59, "now" },          { 60, "1m" },         { 3599, "59m" },
		{ 3600, "1h" },    { 86399, "23h" },       { 86400, "1d" },      { 604799, "6d" },
		{ -59, "now" },    { 604800, "2026-11-14" }, { -3600, "2026-11-21" },
	};
	char out[CLOCK_TEXT];

	set_zone("UTC0");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_ago(out, NOW - cases[i].ago * 1000, NOW);
		is_str(out, cases[i].want, "%d seconds ago", (int)cases[i].ago);
	}
	clock_ago(out, 0, INT64_MAX);
	is_str(out, "1970-01-01", "a damaged clock does no harm");
}

static void test_parse(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "0s", NOW },
		{ "90s", NOW - 90000 },
		{ "30m", NOW - 1800000 },
		{ "12h", NOW - 43200000 },
		{ "7d", NOW - INT64_C(604800000) },
		{ "2w", NOW - INT64_C(1209600000) },
		{ "100000000w", NOW - INT64_C(100000000) * 604800000 },
		{ "1970-01-01T00:00Z", 0 },
		{ "1970-01-01T00:00:00.5Z", 0 },
		{ "1970-01-01T01:00+01:00", 0 },
		{ "1969-12-31T18:30-0530", 0 },
		{ "2026-11-21T08:10:11Z", NOW },
		{ "2026-11-21 08:10:11Z", NOW },
		{ "2026-11-21T08:10:11.999Z", NOW },
		{ "2026-11-21T09:10:11+01:00", NOW },
		{ "2000-02-29T00:00Z", INT64_C(951782400000) },
		{ "1600-01-01T00:00Z", INT64_C(-11676096000000) },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
		{ "2026-11-21", NOW - 29411000 - 3600000 }, /* midnight in the local zone */
		{ "2026-11-21T09:10", NOW - 11000 },
		{ "2026-07-01T02:00", INT64_C(1782864000000) }, /* summer time: two hours */
	};

	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		int64_t ms = -77;

		clock_parse(cases[i].text, NOW, &ms, &e);
		is_int(ms, cases[i].want, "'%s'", cases[i].text);
	}
}

static void test_refuse(void)
{
	static const char *const bad[] = {
		"", "7", "d", "7x", "7dd", "-7d", "+7d", " 7d", "7 d", "7D", "1.5h", "99999999999999999999d",
		"2026", "2026-11", "2026-11-", "26-11-21", "2026-11-2", "2026-1-21", "2026-13-01",
		"2026-00-01", "2026-11-00", "2026-11-31", "2026-02-29", "1900-02-29", "2026-11-21x",
		"2026-11-21T", "2026-11-21T8:10", "2026-11-21T08", "2026-11-21T08:", "2026-11-21T24:00",
		"2026-11-21T08:60", "2026-11-21T08:10:61", "2026-11-21T08:10:1", "2026-11-21T08:10z",
		"2026-11-21T08:10+1", "2026-11-21T08:10+01:0", "2026-11-21T08:10+24:00",
		"2026-11-21T08:10+01:60", "2026-11-21T08:10ZZ", "2026/11/21", "yesterday",
	};
	int64_t ms;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		is_int(clock_parse(bad[i], NOW, &ms, &e), -1, "refused: '%s'", bad[i]);
		if (i == 0)
			is_err(&e, ERR_USAGE, "'' is neither an age like", "in words");
	}
}

/* What is printed is read back, for seconds all over four centuries. */
static void test_round_trip(void)
{
	uint64_t seed = 2;
	int bad = 0;

	for (int i = 0; i < 20000; i++) {
		int64_t ms = ((int64_t)(rnd(&seed) % 12622780800) - 2208988800) * 1000, back = -1;
		char text[CLOCK_TEXT];
		struct err e = ERR_INIT;

		clock_utc(text, ms);
		if (clock_parse(text, NOW, &back, &e) < 0 || back != ms)
			if (!bad++)
				tap_note("%s read back as %" PRId64 ", not %" PRId64, text, back, ms);
	}
	is_int(bad, 0, "20000 times from 1900 to 2300 read back");
}

static void test_clocks(void)
{
	int64_t steady = clock_steady_ms(), now = clock_now_ms();

	ok(now / 1000 <= time(NULL) && now / 1000 >= time(NULL) - 2, "the time of day");
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	ok(clock_steady_ms() - steady >= 20 && clock_steady_ms() - steady < 5000,
	   "the steady clock counts milliseconds");
}

int main(void)
{
	test_format();
	test_ago();
	test_parse();
	test_refuse();
	test_round_trip();
	test_clocks();
	return tap_end();
}
