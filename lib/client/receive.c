#include "client/receive.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#define REPLY_MAX (128u << 20)        /* bytes of a reply, as stored in a record */
#define STREAM_MAX (INT64_C(4) << 30) /* bytes of an answer, as received */
#define BROKEN_OFF 502                /* the status of a reply whose finish reason is a failure */
#define SILENT_TIMEOUTS 6             /* idle timeouts during which only keep-alives arrive */

static int receive_event(void *ctx, struct span data, struct err *e);

void receive_begin(struct receive *in, struct client *client, struct reply *reply)
{
	*in = (struct receive){
		.client = client,
		.reply = reply,
		.last_text = clock_steady_ms(),
		.sse = SSE_INIT(receive_event, in),
		.whole = BUF_INIT,
		.filter = { .key = &client->endpoint.key, .think_tags = client->endpoint.config->think_tags },
	};
}

void receive_release(struct receive *in)
{
	sse_release(&in->sse);
	buf_release(&in->whole);
}

/* ---- to the listener ---- */

static void pass_on_part(const struct receive *in, enum client_part part, const struct buf *all, size_t *passed,
                         size_t n)
{
	const struct client_listener *to = &in->client->listener;

	if (n > *passed && to->piece)
		to->piece(to->ctx, part, (struct span){ all->p + *passed, n - *passed });
	*passed = n;
}

static void pass_on(struct receive *in)
{
	pass_on_part(in, CLIENT_REASONING, &in->reply->reasoning, &in->reasoning_passed, in->filter.reasoning);
	pass_on_part(in, CLIENT_TEXT, &in->reply->text, &in->text_passed, in->filter.text);
}

/* A line of the trace may hold a part of the key, or the key in escapes, which redacting does not find:
 * only the filter sees it, in the text. */
static void run_filter(struct receive *in, bool key_seen, bool last)
{
	bool open = in->filter.key_open;

	reply_filter_run(&in->filter, in->reply, last);
	if (in->filter.hidden && (open || !key_seen))
		trace_withhold(in->client->trace);
	else if (!in->filter.key_open)
		trace_release(in->client->trace);
}

void receive_rest(struct receive *in)
{
	run_filter(in, in->form == FORM_WHOLE && key_is_in(&in->client->endpoint.key, buf_span(&in->whole)), true);
	pass_on(in);
}

/* ---- pieces ---- */

static int receive_event(void *ctx, struct span data, struct err *e)
{
	struct receive *in = ctx;
	size_t had = in->reply->text.n + in->reply->reasoning.n;
	int r;

	in->any_event = true;
	trace_data(in->client->trace, data);
	r = in->client->endpoint.provider->event(in->reply, data, e);
	if (in->reply->text.n + in->reply->reasoning.n > had)
		in->last_text = clock_steady_ms();
	run_filter(in, in->client->trace && key_is_in(&in->client->endpoint.key, data), false);
	in->refused |= r < 0;
	return r;
}

/* A server that does not stream sends one JSON text, whatever its content type says: an object, or a
 * list of what it would stream. No line of an event stream begins with a brace or a bracket. White
 * space and a byte order mark before the text, which may arrive in pieces, are dropped. */
static void detect_form(struct receive *in, struct span *piece)
{
	struct span text = span_trim_start(*piece, SPAN_WHITE "\xef\xbb\xbf");

	if (!text.n)
		return;
	in->form = memchr("{[", text.p[0], 2) ? FORM_WHOLE : FORM_EVENTS;
	if (in->form == FORM_WHOLE)
		*piece = text;
}

/* Counts the bytes as stored: a byte may become three or six in a record. A character that is not
 * complete yet is counted later. */
static void weigh(struct receive *in, const struct buf *b, size_t n, size_t *weighed)
{
	while (*weighed < n) {
		struct span s = { b->p + *weighed, n - *weighed };
		size_t good = utf8_valid(s.p, s.n);
		uint32_t c;

		in->weight += json_escaped_length((struct span){ s.p, good });
		*weighed += good;
		if (good == s.n || utf8_decode(s.p + good, s.n - good, &c) == 0)
			return;
		in->weight += strlen(UTF8_REPLACEMENT);
		++*weighed;
	}
}

/* What cannot be stored must not be shown; and a server may go on, or send nothing, for ever. */
static int check_limits(struct receive *in, struct err *e)
{
	const struct reply *r = in->reply;
	int64_t silent = clock_steady_ms() - in->last_text;
	size_t other = r->native.n;

	weigh(in, &r->text, in->filter.text, &in->text_weighed);
	weigh(in, &r->reasoning, in->filter.reasoning, &in->reasoning_weighed);
	for (size_t i = 0; i < r->ncalls; i++)
		other += r->calls[i].id.n + r->calls[i].name.n + r->calls[i].arguments.n;
	if (in->weight + other > REPLY_MAX)
		return err_set(e, ERR_NETWORK, "the reply is larger than %u MB; the rest of it is not read",
		               REPLY_MAX >> 20);
	if (in->bytes > STREAM_MAX)
		return err_set(e, ERR_NETWORK, "the answer is larger than %d GB; the rest of it is not read",
		               (int)(STREAM_MAX >> 30));
	if (silent > in->client->idle_timeout * 1000 * SILENT_TIMEOUTS)
		return err_set(e, ERR_NETWORK, "the server sent nothing of the reply for %lld seconds",
		               (long long)(silent / 1000));
	return 0;
}

int receive_piece(void *ctx, struct span piece, struct err *e)
{
	struct receive *in = ctx;
	int r;

	in->bytes += (int64_t)piece.n;
	if (in->form == FORM_UNKNOWN)
		detect_form(in, &piece);
	if (in->form == FORM_WHOLE) {
		buf_add(&in->whole, piece.p, piece.n);
		if (in->whole.n > SSE_EVENT_MAX)
			return err_set(e, ERR_NETWORK, "the server's answer is larger than %u MB", SSE_EVENT_MAX >> 20);
		return buf_check(&in->whole, e) < 0 ? -1 : check_limits(in, e);
	}
	r = sse_feed(&in->sse, piece, e);
	pass_on(in);
	return r < 0 || check_limits(in, e) < 0 ? -1 : in->reply->done;
}

/* ---- the end ---- */

int receive_end(struct receive *in, const char *shown_url, struct err *e)
{
	const struct provider *p = in->client->endpoint.provider;
	int r;

	if (in->form == FORM_WHOLE) {
		trace_data(in->client->trace, buf_span(&in->whole));
		r = p->whole(in->reply, buf_span(&in->whole), e);
		in->refused = r < 0;
	} else {
		r = sse_end(&in->sse, e);
	}
	if (r < 0)
		return -1;
	if (in->form != FORM_WHOLE && !in->any_event)
		return err_set(e, ERR_NETWORK, "the answer from '%s' is not a model's reply; is the base URL "
		               "right?", shown_url);
	r = p->end(in->reply, e);
	if (r < 0 && finish_kind(buf_span(&in->reply->finish_reason)) == FINISH_FAILURE) {
		in->refused = true;
		in->reply->problem.status = BROKEN_OFF;
	}
	return r;
}

int receive_cut(struct receive *in, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (e->kind != ERR_NETWORK || in->refused || in->form != FORM_EVENTS ||
	    in->client->endpoint.provider->end(in->reply, &ignored) < 0)
		return -1;
	err_clear(e);
	return 0;
}
