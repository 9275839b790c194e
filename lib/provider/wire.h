/* What the adapters do alike with JSON, in both directions. */
#ifndef PROVIDER_WIRE_H
#define PROVIDER_WIRE_H

#include "base/json.h"
#include "provider/provider.h"

bool wire_begins(struct span s, const char *with);

/* ---- to the server ---- */

/* A URL below the base URL: wire_url() has the base URL without its query and the slashes at its
 * end, then `path`; wire_url_end() adds the base URL's query, and `more` ("": nothing) to it. */
void wire_url(struct buf *url, const char *base_url, const char *path);
void wire_url_end(struct buf *url, const char *base_url, const char *more);
/* A part of a path or query, percent-encoded: all but the unreserved of RFC 3986. */
void wire_add_encoded(struct buf *url, struct span s);
/* An attachment of text as the model is to read it: between lines that give its name. A JSON
 * string with its quotes. */
void wire_text_file(struct buf *b, const struct attachment *a);

/* A member with the attachment as a data URL (RFC 2397). */
void wire_data_url(struct buf *b, const char *key, const struct attachment *a);

/* The arguments of a call as a JSON string that holds JSON. */
void wire_arguments(struct buf *b, const struct tool_call *c);
/* What a result says, for a protocol that has no mark for a failure: a JSON string with its quotes. */
void wire_result_text(struct buf *b, const struct tool_result *t);

bool wire_is_image(const struct attachment *a);
bool wire_is_pdf(const struct attachment *a);
bool wire_is_text(const struct attachment *a);
/* ERR_USAGE: "PROVIDER does not accept files of type …". */
int wire_refuse_file(const struct attachment *a, const char *provider, struct err *e);

/* ---- from the server ---- */

/* What the data of an event is. */
enum wire_event {
	WIRE_NOTHING, /* a keep-alive: nothing, "", null, another scalar, a word, an empty list */
	WIRE_DONE,    /* [DONE], with or without blanks or quotes */
	WIRE_VALUE,   /* an object, or a list of something */
};
/* Parses it: -1 when it is malformed (ERR_NETWORK), or one of these. The caller owns *o, which is
 * NULL except for WIRE_VALUE. */
int wire_event(struct span data, struct json_object **o, struct err *e);
/* The same for a protocol whose events are objects: ERR_NETWORK for a list. */
int wire_object_event(struct span data, struct json_object **o, struct err *e);
/* Parses the object in the body of an answer: other JSON comes from the wrong server, or path.
 * ERR_NETWORK. The caller owns *o. */
int wire_parse_body(struct span json, struct json_object **o, struct err *e);
/* ERR_NETWORK: there is none in it. */
int wire_no_reply(struct err *e);
/* The end of event() and whole(): frees `o`, and looks whether memory held. */
int wire_done(struct json_object *o, int result, const struct reply *r, struct err *e);
/* The end of whole(), which takes what says something. */
int wire_whole_done(struct reply *r, struct err *e);
/* An end() that the finish reason is enough for. ERR_NETWORK also when that is a failure. */
int wire_end(const struct reply *r, struct err *e);
/* ERR_NETWORK: the stream ended too early. */
int wire_cut_short(struct err *e);

/* A member that is a string goes to the end of `b`. */
void wire_add(struct buf *b, struct json_object *o, const char *key);
/* A text that is a string, a part {"text":…}, or a list of these. */
void wire_add_text(struct buf *b, struct json_object *o);
/* A part of a message's content goes to the text or, by its type, to the reasoning. */
void wire_add_part(struct reply *r, struct json_object *part);
/* A member that is a count; -1 when it is none. */
int64_t wire_count(struct json_object *o, const char *key);
/* What a usage says of the cost in US dollars, as OpenRouter reports it in all protocols; -1 when it
 * does not. In the unit of struct usage. */
int64_t wire_cost(struct json_object *usage);
/* A member that is the HTTP status of an error; 0 when it is none. */
long wire_status(struct json_object *o, const char *key);
/* a + b, of what is known; -1 when neither is. */
int64_t wire_sum(int64_t a, int64_t b);
/* The list's element, or NULL. */
struct json_object *wire_element(struct json_object *list, size_t i);
/* What some send alone and some in a list. */
struct json_object *wire_first_or_self(struct json_object *o);
/* In an array, for lists that may be missing: 0 when it is no array. */
size_t wire_length(struct json_object *list);

/* Sets the finish reason to finish_word(). A word without meaning changes nothing. A failure is
 * never replaced, and a refusal is not replaced by "stop". */
void wire_finish(struct reply *r, struct span word);
/* More of the reply came after "stop", which some gateways put on each chunk: takes it back. */
void wire_go_on(struct reply *r);
/* The call with this id, else the one with this number (-1: none), else a new one. With neither,
 * the last call, if there is one. NULL when it cannot be had, which wire_done() reports. */
struct reply_call *wire_call(struct reply *r, struct span id, int64_t index);
/* Sets the name, unless it is known. */
void wire_call_name(struct reply *r, struct reply_call *c, struct span name);
/* A piece of its arguments goes to their end: a string of JSON, or at some servers the object. */
void wire_call_piece(struct reply *r, struct reply_call *c, struct json_object *piece);
/* All of its arguments, in place of the pieces that have come; nothing if this says nothing. */
void wire_call_whole(struct reply *r, struct reply_call *c, struct json_object *arguments);

/* ---- native items ---- */

/* Adds one to the reply's, after the plain ones before it. */
void wire_native(struct reply *r, struct json_object *item);
/* The same for one whose last member is a string that comes in pieces: `json` ends with `"}`. */
void wire_native_begin(struct reply *r, const char *json);
/* An item that is native only if one follows it. */
void wire_plain(struct reply *r, struct json_object *item);
void wire_plain_begin(struct reply *r, const char *json);
/* A piece of the string at the end of the last item of `list`, which ends with `tail`. With a member's
 * name, it begins another string. */
void wire_native_piece(struct buf *list, const char *tail, const char *member, struct span piece);
#define WIRE_TAIL "\"}]"

/* Of an assistant's message: its native items, NULL if there are none or none are to be sent; and its
 * text. */
struct json_object *wire_native_of(const struct chat_request *rq, const struct message *m);
struct span wire_text_of(const struct message *m);
/* Whether one of the native items has this id under `key`. */
bool wire_has_id(struct json_object *items, const char *key, struct span id);
/* Removes `piece`, a text among the native items, from the beginning of the answer's text. False if the
 * text does not begin with it: then the answer was changed. */
bool wire_take_prefix(struct span *text, struct span piece);

/* Whether a value says anything: not null, false, 0, "", nor a list or object of such values. */
bool wire_says(struct json_object *v);
/* The member "error" when it says anything, else NULL. */
struct json_object *wire_error(struct json_object *o);
/* Adds the words of an error, or of a body that has one: a string, or the first one in the members
 * that servers use for it. */
void wire_add_message(struct buf *message, struct json_object *error);
/* A problem() that take() does, for a body that is JSON. */
void wire_problem(struct span body, void (*take)(struct json_object *o, struct problem *p),
                  struct problem *p);
/* The error that `p` tells, of an event or a body: "the server reports: …". */
int wire_report(const struct problem *p, struct err *e);
/* The first whole number behind `word` in a text, as in "… maximum of 200000 tokens"; 0 when
 * there is none. Digits may be grouped by commas. */
int64_t wire_number_after(struct span text, const char *word);

/* Parses a list of models: an object that has it, or the bare list. */
int wire_parse_models(struct span json, struct json_object **o, struct err *e);
/* The list in it, which the vendor has under `key`; NULL when there is none. */
struct json_object *wire_models_of(struct json_object *o, const char *key);
/* Each of the list's elements, as read() has it, goes to take(); not one without an id.
 * ERR_NETWORK when it is no list, else what take() says. */
int wire_take_models(struct json_object *list, struct model (*read)(struct json_object *o),
                     int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                     struct err *e);

/* ---- what OpenAI says, and those who follow it ---- */

/* Whether an error says that the request is larger than the model's window; then the numbers that it
 * tells are filled in. llama.cpp, which speaks several protocols, has a type of its own for that, and
 * the numbers beside the message. */
bool wire_is_context(struct json_object *error, struct problem *p);
/* Whether an error's code or type says that there is no money left to pay with. */
bool wire_says_quota(struct span word);
/* A models_url() where all models are on one page, /models. */
int wire_models_url(const char *base_url, struct span page, struct buf *url, struct err *e);

#endif
