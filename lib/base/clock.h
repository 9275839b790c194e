/* Times are milliseconds since 1970-01-01T00:00:00Z. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int64_t clock_now_ms(void);
/* A clock that nobody sets: for durations and time-outs. */
int64_t clock_steady_ms(void);

#define CLOCK_TEXT 32 /* room for any form below */
/* RFC 3339 in UTC, "2026-11-21T07:50:11Z"; sorts as text. */
void clock_utc(char out[CLOCK_TEXT], int64_t ms);
/* For people, "2026-11-21 08:50", in the local time zone. */
void clock_local(char out[CLOCK_TEXT], int64_t ms);
/* The same where there is little room: "now", "5m", "3h", "6d" ago, or else the date. */
void clock_ago(char out[CLOCK_TEXT], int64_t ms, int64_t now);

/*
 * A point in time as a user gives it: an age ("90s", "30m", "12h", "7d", "2w"
 * before now) or an ISO 8601 date ("2026-11-21", "2026-11-21T07:50",
 * "2026-11-21T07:50:11", with "Z" or "+01:00" or else in the local time zone).
 */
int clock_parse(const char *text, int64_t now, int64_t *ms, struct err *e);

#endif
