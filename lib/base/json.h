/*
 * JSON (RFC 8259): json-c for what must be validated, a writer for what we
 * store, and a scanner for records that we wrote ourselves and read by the
 * million.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_DEPTH 64 /* deeper nesting is refused */

/*
 * Parses one object, strictly: UTF-8, no comments, nothing behind it. The caller
 * owns *out (json_object_put).
 */
int json_parse_object(struct span text, struct json_object **out, struct err *e);

/*
 * The same for what a server sends: any value, and strings may hold bytes that are not
 * UTF-8, since some servers split a character between two events.
 */
int json_parse_lenient(struct span text, struct json_object **out, struct err *e);

/* Whether `text` is JSON, whole and by the letter, without parsing it into anything. */
bool json_is_whole(struct span text);

/*
 * A member's value. 1: there, and *out is set. 0: missing or null, *out as it
 * was. -1: of another type; the error names the key and what was expected.
 * Strings stay owned by `o`.
 */
int json_get_str(struct json_object *o, const char *key, struct span *out, struct err *e);
int json_get_int(struct json_object *o, const char *key, int64_t *out, struct err *e);
int json_get_obj(struct json_object *o, const char *key, struct json_object **out, struct err *e);
/* A member of any type, or NULL. */
struct json_object *json_member(struct json_object *o, const char *key);
/* The same for a string; an empty span when it is missing or no string. */
struct span json_member_str(struct json_object *o, const char *key);

/* Adds a JSON string with its quotes. `s` must be UTF-8. */
void json_add_str(struct buf *b, struct span s);
/* Adds a value as json-c has it, on one line. */
void json_add_value(struct buf *b, struct json_object *v);

/*
 * The scanner: walks the members of one object without allocating or checking
 * more than it needs.
 *
 *	struct json_scan s = json_scan(line);
 *	while (json_scan_next(&s, &key, &value) > 0) …
 *
 * `key` is without its quotes, `value` as it stands. Returns 1 for a member, 0 at
 * the end, -1 when this is no JSON object.
 */
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
/* A scanned value as a number; false when it is none. */
bool json_scan_int(struct span value, int64_t *out);
/* A scanned string's characters, with escapes undone; nothing for another type. */
void json_scan_add_str(struct buf *b, struct span value);

#endif
