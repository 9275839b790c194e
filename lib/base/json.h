/*
 * JSON (RFC 8259): a reader of our own that builds json-c's objects (json-read.c), and a
 * writer. Records that are read by the million have a scanner, in json-scan.h.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_DEPTH 64 /* deeper nesting is refused */

#define JSON_MAX (256u << 20) /* bytes of a text; a larger one is refused, unread */

/*
 * Parses one object, strictly: UTF-8, no comments, nothing after it, no name twice in an
 * object, no half of a surrogate pair, no NUL in a name. The caller owns *out
 * (json_object_put). Errors: ERR_DAMAGED with the position, ERR_FAILED when memory runs out.
 */
int json_parse_object(struct span text, struct json_object **out, struct err *e);
/* The same for an object that becomes part of a larger text, so many levels below its top: it must not be
 * nested deeper than a reader of that allows. */
int json_parse_inner(struct span text, int above, struct json_object **out, struct err *e);

/*
 * Parses any value that a server sent; *out is NULL for null. Also accepted: bytes that are
 * not UTF-8 (some servers split a character between two events), half of a surrogate pair
 * (as the three bytes of its code point), raw control characters, a name twice (the last one
 * counts), NaN and Infinity (as null). So a string may hold bytes that are not UTF-8.
 */
int json_parse_lenient(struct span text, struct json_object **out, struct err *e);

/* Whether `text` is a JSON value, strictly; a name may be there twice. Needs no memory. */
bool json_is_whole(struct span text);

/* The four hexadecimal digits of an escape; -1 when they are none. */
int json_hex4(const char *p, const char *end, uint32_t *out);
/* Whether a surrogate pair is written at `p`, which is behind a "\u"; JSON_PAIR bytes then. */
#define JSON_PAIR 10
bool json_pair(const char *p, const char *end, uint32_t *out);

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
/* What is between the quotes; `s` may be any part of a string. And how long that is. */
void json_add_escaped(struct buf *b, struct span s);
size_t json_escaped_length(struct span s);

/*
 * Writing objects and arrays. Each call places the comma that it needs.
 *
 *	json_open(&b, '{');
 *	json_put_str(&b, "id", id);
 *	json_put_open(&b, "list", '[');
 *	…
 *	json_close(&b, ']');
 *	json_close(&b, '}');
 *
 * A '"' opens and closes a string that is written in pieces, by json_add_escaped() or as base64.
 */
void json_open(struct buf *b, char bracket);
void json_close(struct buf *b, char bracket);
void json_key(struct buf *b, const char *key);
/* Opens a member's value. */
void json_put_open(struct buf *b, const char *key, char bracket);
/* A string; null when its p is NULL. */
void json_put_str(struct buf *b, const char *key, struct span s);
/* A string that must be there: an empty one when its p is NULL. */
void json_put_text(struct buf *b, const char *key, struct span s);
/* A string, or nothing when its p is NULL. */
void json_put_optional(struct buf *b, const char *key, struct span s);
/* A C string, as a word of a protocol; null when it is NULL. */
void json_put_word(struct buf *b, const char *key, const char *s);
void json_put_null(struct buf *b, const char *key);
void json_put_int(struct buf *b, const char *key, int64_t n);
void json_put_bool(struct buf *b, const char *key, bool value);
/* Any value; nothing when it is NULL. */
void json_put_value(struct buf *b, const char *key, struct json_object *v);
/* A value that is JSON already, without the white space around it; nothing when its p is NULL. */
void json_put_raw(struct buf *b, const char *key, struct span json);
/* An element of an array. */
void json_item_str(struct buf *b, struct span s);
void json_item_value(struct buf *b, struct json_object *v);
void json_item_raw(struct buf *b, struct span json);

/* A large string that a text does without in memory: it belongs, escaped, at byte `at`,
 * between the quotes that are there. */
struct json_gap {
	size_t at;
	struct span s;
};
/* Adds a value, on one line; a number that was read is written with its own digits. */
void json_add_value(struct buf *b, struct json_object *v);

#endif
