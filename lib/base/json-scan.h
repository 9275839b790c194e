/*
 * A scanner for JSON that we wrote ourselves and read by the million: walks the members
 * of one object without allocating or checking more than it needs.
 *
 *	struct json_scan s = json_scan(line);
 *	while (json_scan_next(&s, &key, &value) > 0) …
 *
 * `key` is without its quotes, `value` as it stands. Returns 1 for a member, 0 at
 * the end, -1 when this is no JSON object.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_scan {
	const char *p, *end;
};
struct json_scan json_scan(struct span object);
int json_scan_next(struct json_scan *s, struct span *key, struct span *value);
/* The next member if it has just this key, which is cheaper to see than to find out;
 * else false, and nothing has moved. */
bool json_scan_expect(struct json_scan *s, struct span key, struct span *value);
/* The value of one key, the first where there are several; false, and *value anything,
 * when it is not there. */
bool json_scan_find(struct span object, const char *key, struct span *value);
/* Whether a scanned value is the string `want`, however it is written. */
bool json_scan_is(struct span value, struct span want);
/* A scanned value as a number; false when it is none. */
bool json_scan_int(struct span value, int64_t *out);
/* A scanned string's characters, with escapes undone; nothing for another type. */
void json_scan_add_str(struct buf *b, struct span value);

#endif
