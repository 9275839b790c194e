/* What the adapters share: writing requests and reading answers as JSON. */
#ifndef PROVIDER_WIRE_H
#define PROVIDER_WIRE_H

#include "base/json.h"
#include "provider/provider.h"

bool wire_begins(struct span s, const char *with);

/* ---- to the server ---- */

/* A URL below the base URL: wire_url() adds the base URL without its query and final slashes, then
 * `path`; wire_url_end() adds the base URL's query and `more` ("": nothing). */
void wire_url(struct buf *url, const char *base_url, const char *path);
void wire_url_end(struct buf *url, const char *base_url, const char *more);
/* Adds a part of a path or query; percent-encodes all but the unreserved characters of RFC 3986. */
void wire_add_encoded(struct buf *url, struct span s);
/* Adds a text attachment as the model reads it, between lines with its name: a JSON string with its
 * quotes. */
void wire_text_file(struct buf *b, const struct attachment *a);

/* Adds a member with the attachment as a data URL (RFC 2397). */
void wire_data_url(struct buf *b, const char *key, const struct attachment *a);

/* Adds the arguments of a call as a JSON string that contains JSON. */
void wire_arguments(struct buf *b, const struct tool_call *c);
/* Adds the text of a result, for a protocol without a mark for failures: a JSON string with its quotes. */
void wire_result_text(struct buf *b, const struct tool_result *t);

bool wire_is_image(const struct attachment *a);
bool wire_is_pdf(const struct attachment *a);
bool wire_is_text(const struct attachment *a);
/* ERR_USAGE: "PROVIDER does not accept files of type …". */
int wire_refuse_file(const struct attachment *a, const char *provider, struct err *e);

/* ---- from the server ---- */

/* The kinds of event data. */
enum wire_event {
	WIRE_NOTHING, /* a keep-alive: empty, "", null, another scalar, a word, an empty list */
	WIRE_DONE,    /* [DONE], with or without blanks or quotes */
	WIRE_VALUE,   /* an object, or a list that is not empty */
};
/* Parses event data: one of these kinds, or -1 (ERR_NETWORK: malformed). The caller owns *o, which is
 * NULL except for WIRE_VALUE. */
int wire_event(struct span data, struct json_object **o, struct err *e);
/* The same for a protocol whose events are objects: ERR_NETWORK for a list. */
int wire_object_event(struct span data, struct json_object **o, struct err *e);
/* Parses the object in the body of an answer: other JSON comes from the wrong server, or path.
 * ERR_NETWORK. The caller owns *o. */
int wire_parse_body(struct span json, struct json_object **o, struct err *e);
/* ERR_NETWORK: the answer contains no reply. */
int wire_no_reply(struct err *e);
/* The end of event() and whole(): frees `o`, and reports a lack of memory. */
int wire_done(struct json_object *o, int result, const struct reply *r, struct err *e);
/* The end of whole(): an empty reply is an error. */
int wire_whole_done(struct reply *r, struct err *e);
/* An end() for which a finish reason is enough. ERR_NETWORK also if that is a failure. */
int wire_end(const struct reply *r, struct err *e);
/* ERR_NETWORK: the stream ended too early. */
int wire_cut_short(struct err *e);

/* Adds a member that is a string. */
void wire_add(struct buf *b, struct json_object *o, const char *key);
/* Adds a text that is a string, a part {"text":…}, or a list of these. */
void wire_add_text(struct buf *b, struct json_object *o);
/* Adds a part of a message's content to the text or, by its type, to the reasoning. */
void wire_add_part(struct reply *r, struct json_object *part);
/* A member that is a count; -1: it is not. */
int64_t wire_count(struct json_object *o, const char *key);
/* The cost in US dollars, which OpenRouter reports in all protocols, in the unit of struct usage; -1: not
 * reported. */
int64_t wire_cost(struct json_object *usage);
/* A member that is the HTTP status of an error; 0: it is not. */
long wire_status(struct json_object *o, const char *key);
/* a + b of the known ones; -1: both are unknown. */
int64_t wire_sum(int64_t a, int64_t b);
/* The list's element, or NULL. */
struct json_object *wire_element(struct json_object *list, size_t i);
/* For what some servers send in a list and some alone. */
struct json_object *wire_first_or_self(struct json_object *o);
/* The length of an array; 0 for anything else. */
size_t wire_length(struct json_object *list);

/* Sets the finish reason to finish_word(). A word without meaning changes nothing, a failure is never
 * replaced, and a refusal is not replaced by "stop". */
void wire_finish(struct reply *r, struct span word);
/* Removes "stop", which some gateways send with each chunk, because more of the reply has arrived. */
void wire_go_on(struct reply *r);
/* The call with this id, else the one with this number (-1: none), else a new one. With neither,
 * the last call, if any. NULL: a failure that wire_done() reports. */
struct reply_call *wire_call(struct reply *r, struct span id, int64_t index);
/* Sets the name if it is not set yet. */
void wire_call_name(struct reply *r, struct reply_call *c, struct span name);
/* Adds a piece of its arguments: a string of JSON, or, from some servers, the object. */
void wire_call_piece(struct reply *r, struct reply_call *c, struct json_object *piece);
/* Replaces the pieces of its arguments by the whole, unless that is empty. */
void wire_call_whole(struct reply *r, struct reply_call *c, struct json_object *arguments);

/* ---- native items ---- */

/* Adds a native item, after the plain items before it. */
void wire_native(struct reply *r, struct json_object *item);
/* The same for an item whose last member is a string that arrives in pieces: `json` ends with `"}`. */
void wire_native_begin(struct reply *r, const char *json);
/* Adds an item that is native only if a native item follows it. */
void wire_plain(struct reply *r, struct json_object *item);
void wire_plain_begin(struct reply *r, const char *json);
/* Adds a piece to the string at the end of the last item of `list`, which ends with `tail`. With a
 * member's name, the piece begins another string. */
void wire_native_piece(struct buf *list, const char *tail, const char *member, struct span piece);
#define WIRE_TAIL "\"}]"

/* The native items of an assistant's message, NULL if none are sent; and its text. */
struct json_object *wire_native_of(const struct chat_request *rq, const struct message *m);
struct span wire_text_of(const struct message *m);
/* Whether one of the native items has this id under `key`. */
bool wire_has_id(struct json_object *items, const char *key, struct span id);
/* Removes `piece`, a text among the native items, from the beginning of the answer's text. False if the
 * text does not begin with it: then the answer was changed. */
bool wire_take_prefix(struct span *text, struct span piece);

/* Whether a value is not null, false, 0, "", or a list or object of only such values. */
bool wire_says(struct json_object *v);
/* The member "error" if wire_says() is true for it, else NULL. */
struct json_object *wire_error(struct json_object *o);
/* Adds the message of an error, or of a body with an error: a string, or the first string in the members
 * that servers use for it. */
void wire_add_message(struct buf *message, struct json_object *error);
/* A problem() for a body that is JSON, which take() reads. */
void wire_problem(struct span body, void (*take)(struct json_object *o, struct problem *p),
                  struct problem *p);
/* Sets the error from `p`: "the server reports: …". */
int wire_report(const struct problem *p, struct err *e);
/* The first whole number after `word`, as in "… maximum of 200000 tokens"; 0: none. Commas may group the
 * digits. */
int64_t wire_number_after(struct span text, const char *word);

/* Parses a list of models: an object that has it, or the bare list. */
int wire_parse_models(struct span json, struct json_object **o, struct err *e);
/* The list in it, which the vendor calls `key`; or NULL. */
struct json_object *wire_models_of(struct json_object *o, const char *key);
/* Calls take() with what read() makes of each element that has an id. ERR_NETWORK if it is not a list,
 * else the result of take(). */
int wire_take_models(struct json_object *list, struct model (*read)(struct json_object *o),
                     int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                     struct err *e);

/* ---- errors of OpenAI and of servers that follow it ---- */

/* Whether an error says that the request is larger than the model's window; then the numbers that it
 * tells are filled in. llama.cpp, which speaks several protocols, has a type of its own for that, and
 * the numbers beside the message. */
bool wire_is_context(struct json_object *error, struct problem *p);
/* Whether an error's code or type says that the account has no credit left. */
bool wire_says_quota(struct span word);
/* A models_url() for servers that list all models on one page, /models. */
int wire_models_url(const char *base_url, struct span page, struct buf *url, struct err *e);

#endif
