#include "turn/talk.h"

#include <poll.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "net/sse.h"
#include "store/spool.h"

#define MESSAGE_MAX 200 /* characters of a server's own words */

struct flow {
	struct talk *how;
	struct reply *reply;
	int spool_fd;
	size_t passed_on; /* bytes of reply->text that were spooled and shown */
	enum { FORM_UNKNOWN, FORM_EVENTS, FORM_WHOLE } form;
	bool any_event;
	bool refused; /* by the adapter: not a fault of the connection */
	struct sse sse;
	struct buf whole;
};

/* What was added to the text goes out as one piece. */
static void pass_on(struct flow *f)
{
	struct span piece = { f->reply->text.p + f->passed_on, f->reply->text.n - f->passed_on };
	struct err ignored = ERR_INIT;

	if (!piece.n)
		return;
	if (f->spool_fd >= 0 && spool_add(f->spool_fd, piece, &ignored) < 0)
		f->spool_fd = -1; /* the exchange itself may still fit; that failure is reported */
	f->how->show(f->how->ctx, piece);
	f->passed_on = f->reply->text.n;
}

/* A server may quote the key that it refuses. Short ones are no secrets, and would be
 * found in every other word. */
static void redact(char *text, const char *key)
{
	if (!key || strlen(key) < 8)
		return;
	for (char *p = text; (p = strstr(p, key)) != NULL; p += strlen(key))
		memset(p, '*', strlen(key));
}

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct flow *f = ctx;

	f->any_event = true;
	if (f->how->provider->event(f->reply, data, e) == 0)
		return 0;
	f->refused = true;
	redact(e->msg, f->how->api_key);
	return -1;
}

/* A server that does not stream sends one JSON object, whatever it calls it; no
 * line of an event stream begins with a brace. */
static void tell_form(struct flow *f, struct span piece)
{
	for (size_t i = 0; i < piece.n && f->form == FORM_UNKNOWN; i++)
		if (!memchr(" \t\r\n", piece.p[i], 4))
			f->form = piece.p[i] == '{' ? FORM_WHOLE : FORM_EVENTS;
}

static int on_piece(void *ctx, struct span piece, struct err *e)
{
	struct flow *f = ctx;
	int r;

	if (f->form == FORM_UNKNOWN)
		tell_form(f, piece);
	if (f->form == FORM_WHOLE) {
		buf_add(&f->whole, piece.p, piece.n);
		if (f->whole.n > SSE_EVENT_MAX)
			return err_set(e, ERR_NETWORK, "the server's answer is larger than %u MB",
			               SSE_EVENT_MAX >> 20);
		return buf_check(&f->whole, e);
	}
	r = sse_feed(&f->sse, piece, e);
	pass_on(f);
	return r < 0 ? -1 : f->reply->done;
}

static int finish(struct flow *f, const char *url, struct err *e)
{
	int r;

	if (f->form == FORM_WHOLE)
		r = f->how->provider->whole(f->reply, buf_span(&f->whole), e);
	else
		r = sse_end(&f->sse, e);
	pass_on(f);
	if (r < 0)
		redact(e->msg, f->how->api_key);
	if (r < 0)
		return -1;
	if (f->form != FORM_WHOLE && !f->any_event)
		return err_set(e, ERR_NETWORK, "the answer from '%s' is no chat completion; is the base URL "
		               "right?", url);
	return f->how->provider->end(f->reply, e);
}

static const char *advice(const struct talk *how, long status)
{
	switch (status) {
	case 401:
	case 403: return how->api_key ? "; is the API key right?"
		                      : "; no API key is set (OPENAI_COMPATIBLE_API_KEY)";
	case 404: return "; are the base URL and the model's name right?";
	case 429: return "; wait a little and try again";
	default:  return "";
	}
}

/* The text between a page's title tags. */
static struct span page_title(struct span page)
{
	static const char tag[] = "<title>";
	const char *start = strcasestr(page.p, tag), *end;

	start = start ? start + strlen(tag) : NULL;
	end = start ? strchr(start, '<') : NULL;
	return end ? (struct span){ start, (size_t)(end - start) } : (struct span){ "", 0 };
}

/* What a body says that is not JSON: a proxy's page its title, plain text itself. */
static void add_plain(struct buf *message, struct span body)
{
	struct span text = body;

	while (text.n && memchr(" \t\r\n", text.p[0], 4))
		text = (struct span){ text.p + 1, text.n - 1 };
	if (text.n && text.p[0] == '<')
		text = page_title(text);
	else if (text.n && (text.p[0] == '{' || text.p[0] == '[' || json_is_whole(text)))
		text.n = 0; /* JSON in which the adapter found no words */
	while (text.n && memchr(" \t\r\n", text.p[text.n - 1], 4))
		text.n--;
	utf8_add_clean(message, text);
}

/* An answer of another status than 2xx. */
static int refuse(const struct talk *how, const char *url, const struct http_response *rs,
                  struct err *e)
{
	struct problem p = PROBLEM_INIT;
	struct span said;
	bool cut;

	how->provider->problem(buf_span(&rs->body), &p);
	if (!p.message.n)
		add_plain(&p.message, buf_span(&rs->body));
	redact(p.message.p, how->api_key);
	said = utf8_head(buf_span(&p.message), MESSAGE_MAX, &cut);
	if (said.n)
		err_set(e, ERR_NETWORK, "the server answered %ld: %.*s%s%s", rs->status, (int)said.n, said.p,
		        cut ? "…" : "", advice(how, rs->status));
	else
		err_set(e, ERR_NETWORK, "'%s' answered %ld%s", url, rs->status, advice(how, rs->status));
	buf_release(&p.message);
	return -1;
}

/* A connection that breaks or falls silent when the reply has said that it is finished
 * takes nothing away from it. */
static bool was_over(struct flow *f, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (e->kind != ERR_NETWORK || f->refused || f->form != FORM_EVENTS ||
	    f->how->provider->end(f->reply, &ignored) < 0)
		return false;
	err_clear(e);
	return true;
}

static int post(struct flow *f, const char *url, struct span body, struct err *e)
{
	struct http_request rq = {
		.url = url,
		.body = body,
		.bearer = f->how->api_key,
		.idle_timeout = f->how->idle_timeout,
		.stop_fd = f->how->stop_fd,
		.piece = on_piece,
		.ctx = f,
	};
	struct http_response rs;
	int r = http_post(f->how->http, &rq, &rs, e);

	if (r == 0 && (rs.status < 200 || rs.status > 299))
		r = refuse(f->how, url, &rs, e);
	else if (r == 0)
		r = finish(f, url, e);
	else if (was_over(f, e))
		r = 0;
	buf_release(&rs.body);
	return r;
}

static int ask_server(struct flow *f, const struct chat_request *rq, struct err *e)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	int r = f->how->provider->request(rq, &url, &body, e);

	if (r == 0 && !f->how->http && !(f->how->http = http_open(e)))
		r = -1;
	if (r == 0)
		r = post(f, url.p, buf_span(&body), e);
	buf_release(&url);
	buf_release(&body);
	return r;
}

static bool stopped(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

static int ask_local(struct flow *f, const struct chat_request *rq, struct err *e)
{
	int more;

	do {
		if (stopped(f->how->stop_fd))
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		more = f->how->provider->local(rq, f->reply, e);
		pass_on(f);
	} while (more > 0);
	return more;
}

int talk_run(struct talk *how, const struct chat_request *rq, struct reply *r, int spool_fd,
             struct err *e)
{
	struct flow f = { .how = how, .reply = r, .spool_fd = spool_fd, .whole = BUF_INIT };
	int result;

	f.sse = (struct sse)SSE_INIT(on_event, &f);
	result = how->provider->local ? ask_local(&f, rq, e) : ask_server(&f, rq, e);
	sse_release(&f.sse);
	buf_release(&f.whole);
	return result;
}
