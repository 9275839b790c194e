/*
 * The records of history.jsonl, as mc-session(5) defines them.
 *
 * record_parse() checks a line and fills in the member of the union that its type
 * names; the spans stay good until record_release(). To write a record, fill in
 * the same structures with spans of your own. An absent string has p == NULL.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

#define RECORD_VERSION 1

enum record_type {
	RECORD_SESSION,
	RECORD_EXCHANGE,
	RECORD_CHANGE,
	RECORD_REWIND,
	RECORD_SUMMARY,
	RECORD_OTHER, /* valid JSON of a type that this version does not use */
};

enum status { STATUS_COMPLETE, STATUS_ERROR, STATUS_INTERRUPTED };
const char *status_name(enum status s);

#define COUNT_MAX ((INT64_C(1) << 53) - 1) /* what every JSON reader can count to */
#define TIME_MAX INT64_C(253402300799999)   /* the end of the year 9999 */

struct usage {
	int64_t input, output, total; /* tokens; -1 where unknown */
	int64_t reasoning, cached;
};
#define USAGE_NONE { -1, -1, -1, -1, -1 }
bool usage_known(const struct usage *u);
/* Adds what is known of `u` to `sum`. */
void usage_add(struct usage *sum, const struct usage *u);

struct session_head {
	int64_t created_at;
	struct span id, cwd, provider, model, title, system;
	struct json_object *metadata; /* NULL when there is none */
};

/* A file that went along with a prompt. Its content is in artifacts/, see artifact.h. */
struct attachment_ref {
	struct span sha256; /* of its content, as sha256_hex() has it; the file's name there */
	struct span name;   /* as the user called it, without its folder */
	struct span type;   /* MIME */
	int64_t size;       /* bytes */
};

struct exchange {
	struct span id;
	int64_t timestamp;
	struct span query, answer, model;
	enum status status;
	int64_t duration; /* ms; -1 when unknown */
	struct usage usage;
	int64_t left_out; /* exchanges of the conversation that did not go along in full */
	struct span finish_reason, error, reasoning;
	const struct attachment_ref *attachments; /* in the order of the command line */
	size_t nattachments;
};

struct change {
	int64_t timestamp;
	struct span model, title;
	struct usage usage; /* of having a model find the title */
};
#define CHANGE_INIT { .usage = USAGE_NONE }

/* A summary: what stands for all up to an exchange where the context is short. (What the
 * index says of a session is a struct summary.) */
struct gist {
	int64_t timestamp;
	struct span up_to; /* that exchange's id */
	struct span text, model;
	struct usage usage; /* of making it */
};

struct record {
	enum record_type type;
	union {
		struct session_head head;
		struct exchange exchange;
		struct change change;
		struct span rewind_to; /* p == NULL: to before the first exchange */
		struct gist gist;
	};
	struct json_object *json; /* owns what the spans and the attachments point to */
};

/* Fails with a sentence's end that says what is wrong with the line. */
int record_parse(struct span line, struct record *r, struct err *e);
void record_release(struct record *r);

/* One line each, with its newline. */
void record_add_head(struct buf *b, const struct session_head *h);
void record_add_exchange(struct buf *b, const struct exchange *x);
void record_add_change(struct buf *b, const struct change *c);
void record_add_gist(struct buf *b, const struct gist *g);
/* `to`: the exchange that is the last one then; p == NULL: none is left. */
void record_add_rewind(struct buf *b, int64_t timestamp, struct span to);

/* Reads the attachments of an exchange, which stay good as long as `o`. */
int record_parse_attachments(struct json_object *o, struct exchange *x, struct err *e);
/* `,"attachments":[…]`, or nothing when there are none. */
void record_add_attachments(struct buf *b, const struct exchange *x);

/* The same without its large strings, which belong where the gaps are. */
#define RECORD_GAPS 3
struct record_gaps {
	struct json_gap list[RECORD_GAPS];
	size_t n;
};
void record_add_exchange_gaps(struct buf *b, const struct exchange *x, struct record_gaps *gaps);

/* The members of an exchange without the braces, for a line that has more. */
void record_add_exchange_members(struct buf *b, const struct exchange *x);
/* {"inputTokens":…} or null. */
void record_add_usage(struct buf *b, const struct usage *u);
/* `,"key":"value"`, or nothing when the string is absent. */
void record_add_optional(struct buf *b, const char *key, struct span value);

#endif
