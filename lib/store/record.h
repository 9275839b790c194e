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
	RECORD_STEP,
	RECORD_RESULT,
	RECORD_CHANGE,
	RECORD_SUMMARY,
	RECORD_REWIND,
	RECORD_OTHER, /* valid JSON of a type that this version does not use */
};

enum status { STATUS_COMPLETE, STATUS_ERROR, STATUS_INTERRUPTED };
const char *status_name(enum status s);

#define COUNT_MAX ((INT64_C(1) << 53) - 1) /* every JSON reader can count so far */
#define TIME_MAX INT64_C(253402300799999)   /* the end of the year 9999 */

/* Token usage. -1: unknown. */
struct usage {
	int64_t input;  /* tokens of the whole request, including those from a cache */
	int64_t output; /* all generated tokens, including the reasoning */
	int64_t total;
	int64_t reasoning, cached, cache_write;
	int64_t cost; /* in 10^-9 US dollars, so that sums are exact, if the provider reports it */
};
#define USAGE_NONE { -1, -1, -1, -1, -1, -1, -1 }
bool usage_known(const struct usage *u);
/* Adds the known values of `u` to `sum`. */
void usage_add(struct usage *sum, const struct usage *u);
/* Converts dollars for the member `cost`; -1 if that is not an amount. */
int64_t usage_cost(double dollars);
/* Adds the dollars as a decimal number, without an exponent. */
void usage_add_cost(struct buf *b, int64_t cost);

struct session_head {
	int64_t created_at;
	struct span id, cwd, provider, model, title, system;
	/* An array of strings, and objects; NULL: none. */
	struct json_object *tags, *metadata, *forked_from, *imported_from;
};

/* A file that was sent with a prompt, or came with a result. Its content is in artifacts/, see
 * artifact.h. */
struct attachment_ref {
	struct span sha256; /* of its content, from sha256_hex(); the file's name there */
	struct span name;   /* the user's name for it, without its folder */
	struct span type;   /* MIME */
	int64_t size;       /* bytes */
};

/* A prompt and its answer. */
struct exchange {
	struct span id;
	bool has_parent;    /* false only in a history of another program */
	struct span parent; /* the exchange that it follows; p == NULL: none, it begins the conversation */
	struct span replaces; /* the exchange that was asked again */
	int64_t timestamp;
	struct span query, answer, model;
	enum status status;
	int64_t steps;    /* how many step records it has */
	int64_t duration; /* ms; -1: unknown */
	struct usage usage;
	int64_t left_out; /* exchanges of the conversation that were not sent in full */
	struct span finish_reason, error, reasoning;
	const struct attachment_ref *attachments; /* in the order of the command line */
	size_t nattachments;
	struct json_object *parameters, *native; /* JSON objects, or NULL */
};

/* A program that the model asked for. */
struct tool_call {
	struct span id, name;
	struct json_object *arguments; /* a JSON object */
};

/* A reply of the model that asked for tools, before the exchange's answer. */
struct step {
	struct span exchange; /* its id */
	int64_t n;            /* from 0 */
	int64_t timestamp;
	struct span text, reasoning, model;
	const struct tool_call *calls;
	size_t ncalls;
	int64_t duration; /* ms; -1: unknown */
	struct usage usage;
	struct json_object *native;
};

enum result_status { RESULT_OK, RESULT_ERROR, RESULT_DENIED, RESULT_TIMEOUT, RESULT_INTERRUPTED };
const char *result_status_name(enum result_status s);

/* The outcome of one call. */
struct result {
	struct span exchange; /* its id */
	int64_t n;            /* the step */
	struct span call;     /* the call's id */
	int64_t timestamp;
	enum result_status status;
	int64_t exit_status; /* -1: none */
	int64_t duration;    /* ms; -1: unknown */
	struct span output;
	struct span artifact; /* the SHA-256 of the whole output, if `output` is a part of it */
	const struct attachment_ref *attachments;
	size_t nattachments;
};

/* What was changed about the session. */
struct change {
	struct span id; /* p == NULL only in a history of another program */
	int64_t timestamp;
	struct span title;              /* empty: removes it */
	struct json_object *tags;       /* names with true or false; or NULL */
	struct json_object *metadata;   /* names with values, null removes a name; or NULL */
	struct usage usage;             /* of the request for a title */
};
#define CHANGE_INIT { .usage = USAGE_NONE }

/* Stands for an exchange and its ancestors when the context is short. */
struct summary {
	struct span id; /* p == NULL only in a history of another program */
	int64_t timestamp;
	struct span up_to; /* the id of that exchange */
	struct span text, model;
	struct usage usage; /* of the request for the summary */
};

/* Moves the head. */
struct rewind {
	int64_t timestamp;
	bool has_from;
	struct span from; /* the head before; p == NULL: none */
	struct span to;   /* the head from now on; p == NULL: before the first exchange */
	bool merged;      /* written by a merge */
};

/* The size of a record's texts in eighths of a token. lib/turn/tokens.c fills it in; it is kept
 * here because measuring takes as long as reading, and several steps of a turn need it. */
struct measure {
	bool known;
	int64_t prompt; /* a query, or the output of a call */
	int64_t reply;  /* an answer, or a step's text and calls */
	int64_t native; /* native items */
};

struct record {
	enum record_type type;
	union {
		struct session_head head;
		struct exchange exchange;
		struct step step;
		struct result result;
		struct change change;
		struct summary summary;
		struct rewind rewind;
	};
	struct json_object *json; /* owns what the spans and the lists point to */
	struct measure measure;
};

/* The error is the end of a sentence that says what is wrong with the line. */
int record_parse(struct span line, struct record *r, struct err *e);
void record_release(struct record *r);

/* These add one line, with its newline. */
void record_add_head(struct buf *b, const struct session_head *h);
void record_add_exchange(struct buf *b, const struct exchange *x);
void record_add_step(struct buf *b, const struct step *s);
void record_add_result(struct buf *b, const struct result *r);
void record_add_change(struct buf *b, const struct change *c);
void record_add_summary(struct buf *b, const struct summary *s);
void record_add_rewind(struct buf *b, const struct rewind *r);

/* Reads the attachments of an exchange, which are valid as long as `o`. */
int record_parse_attachments(struct json_object *o, struct exchange *x, struct err *e);
/* Adds the member, or nothing if there are no attachments. */
void record_add_attachments(struct buf *b, const struct attachment_ref *a, size_t n);

/* The same without the large strings, whose places are the gaps. */
#define RECORD_GAPS 3
struct record_gaps {
	struct json_gap list[RECORD_GAPS];
	size_t n;
};
void record_add_exchange_gaps(struct buf *b, const struct exchange *x, struct record_gaps *gaps);

/* Adds the members of an exchange without the braces, for a line that has more members. */
void record_add_exchange_members(struct buf *b, const struct exchange *x);
/* As json_get_int(), for a time: a value that cannot be a time is an error. */
int record_get_time(struct json_object *o, const char *key, int64_t *ms, struct err *e);
/* Reads a member with token usage; values that it lacks do not change. */
int record_parse_usage(struct json_object *o, const char *key, struct usage *u, struct err *e);
/* Adds {"inputTokens":…} or null. */
void record_add_usage(struct buf *b, const struct usage *u);

#endif
