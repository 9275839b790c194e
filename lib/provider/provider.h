/*
 * Providers translate between our records and a vendor's protocol. They use no sockets, files or keys and
 * print nothing, so they are tested on recorded streams.
 *
 * For a turn, request() writes the URL and body from the conversation. event() reads each event of the
 * stream, or whole() the body of an answer that does not stream; end() says whether the reply is complete.
 * problem() reads an answer whose status is not 2xx. A provider without a network has local() instead,
 * which is called until the reply is complete. All of them add to a struct reply.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include "provider/param.h"
#include "store/record.h"

/* A file that is attached to a prompt, or to the result of a tool. */
struct attachment {
	struct span name;  /* without its folder */
	struct span type;  /* image/png, image/jpeg, image/gif, image/webp, application/pdf or text/plain */
	struct span bytes; /* its content; text/plain is UTF-8 */
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
	MESSAGE_NATIVE, /* of the assistant, before its text and its calls: the native items of its reply,
	                 * from the same provider and model */
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
	const struct message_part *parts; /* files before the text about them, as vendors advise */
	size_t n;
};

struct chat_request {
	const char *base_url; /* with or without a final slash */
	const char *model;
	struct span system; /* p == NULL: none */
	/* Oldest first. The first is the user's. The last is the prompt, or has the results of the tools
	 * that the message before it called. */
	const struct message *messages;
	size_t nmessages;
	const struct params *params; /* NULL: none */
	struct span schema; /* a JSON Schema for the reply; p == NULL: none */
	bool stream;
	bool reasoning; /* the user wants to see it: ask for it if the server sends it only then */
	bool no_native; /* neither send native items nor ask for them */
	int64_t room; /* about how many tokens of the window are left for the reply; 0: unknown */
};

/* Whether a message has native items. */
bool chat_request_has_native(const struct chat_request *rq);

/* What the server reports. */
enum problem_kind {
	PROBLEM_OTHER,
	PROBLEM_CONTEXT, /* the request is larger than the model's window */
	PROBLEM_MODEL,   /* the model does not exist, or not for this key */
	PROBLEM_QUOTA,   /* the account has no credit left: a retry would fail, too */
	PROBLEM_INPUT,   /* the model cannot read a kind of file that was sent: likewise */
};

struct problem {
	enum problem_kind kind;
	struct buf message;     /* the server's message; may be empty */
	int64_t tokens, window; /* of PROBLEM_CONTEXT, if the message has them; else 0 */
	long status; /* the HTTP status that the message means: for an error in a stream, which has no
	              * status, or better than the status of the answer (401 for a wrong key that was
	              * answered with 400); 0: unknown */
};

#define PROBLEM_INIT { PROBLEM_OTHER, BUF_INIT, 0, 0, 0 }

/* The first `max` characters of the message, without its full stop if the sentence `goes_on`; *cut says
 * whether there were more. */
struct span problem_text(const struct problem *p, size_t max, bool goes_on, bool *cut);

/* Why a reply ended, in the words of Chat Completions. Other reasons keep the vendor's word. */
#define FINISH_STOP "stop"
#define FINISH_LENGTH "length"           /* the limit of tokens cut it */
#define FINISH_REFUSED "content_filter"  /* the model or a filter of the server refused */
#define FINISH_CALLS "tool_calls"        /* the model waits for the results of tools */

enum finish_kind {
	FINISH_KNOWN,   /* one of these, or none given */
	FINISH_FAILURE, /* the server broke the reply off */
	FINISH_UNKNOWN, /* an unknown word: the reply may be incomplete */
};

/* Translates a vendor's finish reason, in any case: to one of these four, to an empty span if it
 * means nothing, and otherwise to itself. The span is static, or a part of `reason`. */
struct span finish_word(struct span reason);
enum finish_kind finish_kind(struct span word);

/* A call of a tool, while it arrives; complete when the reply is. */
struct reply_call {
	int64_t index; /* the server's number for it; -1: none */
	struct buf id; /* empty: the server gave none */
	struct buf name;
	struct buf arguments; /* as the server sent them; not necessarily JSON */
};
#define REPLY_CALLS_MAX 1000

struct reply {
	struct buf text;
	struct buf reasoning;
	struct buf finish_reason; /* empty: the provider gave none */
	struct reply_call *calls; /* NULL: the model called no tool */
	size_t ncalls, calls_cap;
	/* Native items, a JSON array: data of the provider that later requests to it and the same model
	 * must contain unchanged, such as encrypted or signed reasoning. Empty: none. Complete when the
	 * reply is. A text or a call before a native item is part of the array. */
	struct buf native;
	bool native_for_calls; /* send them back only in a turn in which the model called tools */
	struct buf plain;      /* private to the adapter: items that become native if a native item follows */
	size_t plain_calls;    /* likewise: how many calls they include */
	int64_t native_index;  /* likewise: the number of the last item */
	size_t native_key;     /* likewise: its kind */
	int native_open;       /* likewise: which string of the last item may still grow; 0: none */
	struct usage usage;       /* see below */
	bool streamed;            /* text arrived in pieces: a repetition of the whole text is ignored */
	bool done;                /* the stream's end mark came */
	bool oom;                 /* a part was lost for lack of memory */
	struct problem problem;   /* of an error event */
};
/*
 * Usage means the same for all providers: `input` counts all tokens of the request, including the
 * `cached` ones; `output` counts all generated tokens, including `reasoning`; `total` is the sum of
 * input and output. What the provider does not report stays -1.
 */

#define REPLY_INIT { .text = BUF_INIT, .reasoning = BUF_INIT, .finish_reason = BUF_INIT, \
	             .native = BUF_INIT, .plain = BUF_INIT, .usage = USAGE_NONE, .problem = PROBLEM_INIT }
void reply_release(struct reply *r);

/* A model that a provider offers. */
struct model {
	struct span id;   /* what -m takes */
	struct span name; /* for people; may be empty */
	int64_t window;   /* tokens; 0: unknown */
};

struct provider {
	const char *name;
	const char *summary;
	const char *base_url; /* the default; NULL: uses no network */
	const char *model;    /* the default, or NULL */
	const char *const *families; /* prefixes of the names of its models, or NULL; ends with NULL */
	const char *const *key_env; /* variables for the key; the first that is set counts; ends with NULL */
	const char *url_env;        /* the variable for another base URL, or NULL */
	const char *key_header;     /* the header line up to the key */
	const char *const *headers; /* further lines, or NULL; ends with NULL */

	/* Adds the next piece; 1: there is more, 0: that was all. */
	int (*local)(const struct chat_request *rq, struct reply *r, struct err *e);

	/* ERR_USAGE for a parameter, schema or attachment that it does not support. */
	int (*request)(const struct chat_request *rq, struct buf *url, struct buf *body,
	               struct err *e);
	/* -1, ERR_NETWORK: the event is malformed, or an error, which also fills in r->problem. */
	int (*event)(struct reply *r, struct span data, struct err *e);
	int (*whole)(struct reply *r, struct span body, struct err *e);
	int (*end)(const struct reply *r, struct err *e);
	/* Reads the body of a failed request; leaves `p` empty if it finds no message. */
	void (*problem)(struct span body, struct problem *p);

	/* The URL of the list of models; and reads the list: calls take() for each, until that returns -1.
	 * *next stays empty, or is the `page` for models_url(). */
	int (*models_url)(const char *base_url, struct span page, struct buf *url, struct err *e);
	int (*models)(struct span body, int (*take)(void *ctx, const struct model *m, struct err *e),
	              void *ctx, struct buf *next, struct err *e);
	/* The window of a model in tokens; 0: unknown. May be NULL. */
	int64_t (*window)(struct span model);
};

/* Ends with NULL. */
extern const struct provider *const providers[];

/* NULL: there is no provider of that name. */
const struct provider *provider_find(const char *name);

/*
 * Whether a model should see the exchange again: it is complete, tools ran, or it was interrupted after
 * part of the answer had arrived.
 */
bool exchange_counts(const struct exchange *x);

/* The items, a JSON array, in a record's member `native`; NULL: none, or from another provider or
 * model. */
struct json_object *native_items(struct json_object *native, const char *provider, struct span model);

#endif
