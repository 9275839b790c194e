/*
 * Providers: pure translation between our records and what a vendor speaks. No
 * sockets, no files, no keys, no printing; so they are tested on recorded streams.
 *
 * For a turn: request() makes the URL and body from the conversation; each event
 * of the stream goes to event(), or the whole body of an answer that did not
 * stream to whole(); end() judges whether the reply is complete. An answer of
 * another status than 2xx goes to problem(). A provider without a network has
 * local() instead, called until it has no more to say. All of them add what they
 * learn to a struct reply.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include "provider/param.h"
#include "store/record.h"

/* A file that is attached to a prompt, or to the result of a tool. */
struct attachment {
	struct span name;  /* as the user called it, without its folder */
	struct span type;  /* image/png, image/jpeg, image/gif, image/webp, application/pdf or text/plain */
	struct span bytes; /* its content; that of text/plain is UTF-8 */
};

struct tool_result {
	struct span call;   /* the id of the call */
	struct span name;   /* of the tool */
	bool failed;        /* the output says why */
	struct span output; /* UTF-8 */
	const struct attachment *files;
	size_t nfiles;
};

enum message_part_kind {
	MESSAGE_TEXT,
	MESSAGE_FILE,   /* of the user */
	MESSAGE_CALL,   /* of the assistant */
	MESSAGE_RESULT, /* of a tool */
	MESSAGE_NATIVE, /* of the assistant, before its text and its calls: what its reply had as native
	                 * items, from the same provider and model */
};

struct message_part {
	enum message_part_kind kind;
	union {
		struct span text;
		struct attachment file;
		struct tool_call call; /* its id is unique in the message */
		struct tool_result result;
		struct json_object *native; /* a JSON array */
	};
};

enum role { ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

struct message {
	enum role role;
	const struct message_part *parts; /* files before the text that is about them, as vendors advise */
	size_t n;
};

struct chat_request {
	const char *base_url; /* with or without a slash at its end */
	const char *model;
	struct span system; /* p == NULL: none */
	/* Oldest first. The first one is the user's. The last one is the prompt, or has the results of
	 * the tools that the message before it called. */
	const struct message *messages;
	size_t nmessages;
	const struct params *params; /* NULL: none */
	struct span schema; /* a JSON Schema that the reply is to follow; p == NULL: none */
	bool stream;
	bool reasoning; /* the user wants to see it: ask for it where it only comes when asked */
	bool no_native; /* send no native items, and ask for none */
	int64_t room; /* tokens that the window has left for the reply, about; 0: not known */
};

/* Whether a message has native items. */
bool chat_request_has_native(const struct chat_request *rq);

/* What the server says is wrong. */
enum problem_kind {
	PROBLEM_OTHER,
	PROBLEM_CONTEXT, /* the request is larger than the model's window */
	PROBLEM_MODEL,   /* there is no such model, or not for this key */
	PROBLEM_QUOTA,   /* the account has nothing left: trying again is no use */
	PROBLEM_INPUT,   /* the model cannot read a kind of file that was sent: the same */
};

struct problem {
	enum problem_kind kind;
	struct buf message;     /* the server's own words; empty when it has none */
	int64_t tokens, window; /* of PROBLEM_CONTEXT, where the words tell; else 0 */
	long status; /* the HTTP status that the words stand for: of an error in a stream, which has
	              * no other, or one that says better what is wrong than that of the answer
	              * (401 for a wrong key that came with 400); 0: they do not tell */
};

#define PROBLEM_INIT { PROBLEM_OTHER, BUF_INIT, 0, 0, 0 }

/* The first `max` characters of the message, without its full stop if the sentence `goes_on`; *cut says
 * whether there were more. */
struct span problem_text(const struct problem *p, size_t max, bool goes_on, bool *cut);

/* Why a reply ended, as Chat Completions call it. What has another reason keeps the
 * vendor's own word. */
#define FINISH_STOP "stop"
#define FINISH_LENGTH "length"           /* cut by the limit of tokens */
#define FINISH_REFUSED "content_filter"  /* refused, by the model or a filter of the server */
#define FINISH_CALLS "tool_calls"        /* the model waits for the results of tools */

enum finish_kind {
	FINISH_KNOWN,   /* one of these, or none given */
	FINISH_FAILURE, /* the server broke the reply off */
	FINISH_UNKNOWN, /* nobody here knows the word: the reply may be incomplete */
};

/* Translates a vendor's finish reason, in any case: to one of these four, to an empty span if it
 * means nothing, and otherwise to itself. The span is static, or a part of `reason`. */
struct span finish_word(struct span reason);
enum finish_kind finish_kind(struct span word);

/* A call of a tool, as it comes in: complete when the reply has ended. */
struct reply_call {
	int64_t index; /* the server's number for it; -1: none */
	struct buf id; /* empty: the server gave none */
	struct buf name;
	struct buf arguments; /* as the server sent them; whether that is JSON remains to be seen */
};
#define REPLY_CALLS_MAX 1000

struct reply {
	struct buf text;
	struct buf reasoning;
	struct buf finish_reason; /* empty: the provider gave none */
	struct reply_call *calls; /* NULL: the model called no tool */
	size_t ncalls, calls_cap;
	/* Native items, a JSON array: data of the provider that later requests to it and the same model
	 * must hold unchanged, such as encrypted or signed reasoning. Empty: none. It is complete when the
	 * reply is. A text or a call is among them where it stands before one of them. */
	struct buf native;
	bool native_for_calls; /* they are sent back only in a turn in which the model called tools */
	struct buf plain;      /* private to the adapter: items that are native if one follows them */
	size_t plain_calls;    /* likewise: how many of the calls are among them */
	int64_t native_index;  /* likewise: the number of the last item, and its */
	size_t native_key;     /* kind */
	int native_open;       /* likewise: which string of the last item may still get longer; 0: none */
	struct usage usage;       /* see below */
	bool streamed;            /* text came in pieces: what says all of it again is not taken */
	bool done;                /* the stream's end mark came */
	bool oom;                 /* a part of it was lost for lack of memory */
	struct problem problem;   /* of an error event */
};
/*
 * Usage is counted alike for all: `input` are all tokens of the request, those from a
 * cache among them, which are `cached`; `output` are all that were made, the reasoning
 * among them, which is `reasoning`; `total` is the sum of input and output. What the
 * provider does not tell stays -1.
 */

#define REPLY_INIT { .text = BUF_INIT, .reasoning = BUF_INIT, .finish_reason = BUF_INIT, \
	             .native = BUF_INIT, .plain = BUF_INIT, .usage = USAGE_NONE, .problem = PROBLEM_INIT }
void reply_release(struct reply *r);

/* One that a provider offers. */
struct model {
	struct span id;   /* what -m takes */
	struct span name; /* for people; empty when there is none */
	int64_t window;   /* tokens; 0: not told */
};

struct provider {
	const char *name;
	const char *summary;
	const char *base_url; /* the default; NULL when no network is used */
	const char *model;    /* the default, or NULL */
	const char *const *families; /* how the names of its vendor's models begin, or NULL; ends with NULL */
	const char *const *key_env; /* variables that may hold the key, the first one wins; ends with NULL */
	const char *url_env;        /* the variable for another base URL, or NULL */
	const char *key_header;     /* the header's line up to the key */
	const char *const *headers; /* further lines, or NULL; ends with NULL */

	/* Adds the next piece; 1 while there is more, 0 when that was all. */
	int (*local)(const struct chat_request *rq, struct reply *r, struct err *e);

	/* ERR_USAGE for a parameter, schema or attachment that it has no words for. */
	int (*request)(const struct chat_request *rq, struct buf *url, struct buf *body,
	               struct err *e);
	/* -1: the event is malformed, or an error; that also fills in r->problem. ERR_NETWORK. */
	int (*event)(struct reply *r, struct span data, struct err *e);
	int (*whole)(struct reply *r, struct span body, struct err *e);
	int (*end)(const struct reply *r, struct err *e);
	/* What the body of a failed request says; nothing when it has no words. */
	void (*problem)(struct span body, struct problem *p);

	/* Where its models are listed, and what that says: each goes to take(), whose -1 ends it.
	 * *next is left empty, or tells models_url() of the next page. */
	int (*models_url)(const char *base_url, struct span page, struct buf *url, struct err *e);
	int (*models)(struct span body, int (*take)(void *ctx, const struct model *m, struct err *e),
	              void *ctx, struct buf *next, struct err *e);
	/* The window of a model in tokens, as far as it is known here; 0: unknown. May be NULL. */
	int64_t (*window)(struct span model);
};

/* NULL ends the list. */
extern const struct provider *const providers[];

/* NULL when there is none of that name. */
const struct provider *provider_find(const char *name);

/*
 * Exchanges that a model should see again: complete ones, those in which tools ran,
 * and interrupted ones with the part of their answer that came.
 */
bool exchange_counts(const struct exchange *x);

/* The items, a JSON array, of a record's member `native`; NULL: none, or others than this provider and
 * model made them. */
struct json_object *native_items(struct json_object *native, const char *provider, struct span model);

#endif
