#include "net/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/curl.h"

#define BODY_MAX 65536
#define CONNECT_TIMEOUT_S 30L
#define LAST_WORDS_MS 200 /* for an answer's end that nobody needs, but that keeps the connection */

struct http {
	struct curl curl;
	CURLM *multi;
};

/* One request on its way. */
struct transfer {
	struct http *h;
	const struct http_request *rq;
	struct http_response *rs;
	struct err *e;
	CURL *easy;
	struct curl_slist *headers;
	int64_t last_activity; /* steady clock, ms */
	curl_off_t moved;      /* bytes, both ways */
	int64_t enough_since;  /* when `piece` had all that it wanted; 0: not yet */
	char why[CURL_ERROR_SIZE];
};

struct http *http_open(struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h) {
		err_oom(e);
		return NULL;
	}
	if (curl_load(&h->curl, e) < 0) {
		free(h);
		return NULL;
	}
	h->multi = h->curl.multi_init();
	if (!h->multi) {
		err_oom(e);
		free(h);
		return NULL;
	}
	return h;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	h->curl.multi_cleanup(h->multi);
	free(h);
}

static size_t take_piece(struct transfer *t, struct span piece)
{
	int r = t->enough_since ? 1 : t->rq->piece(t->rq->ctx, piece, t->e);

	if (r > 0 && !t->enough_since)
		t->enough_since = clock_steady_ms();
	return r < 0 ? 0 : piece.n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t bytes = size * n, room;

	if (!t->rs->status)
		t->h->curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->rs->status);
	if (t->rs->status >= 200 && t->rs->status < 300)
		return take_piece(t, (struct span){ p, bytes });
	room = BODY_MAX - t->rs->body.n;
	buf_add(&t->rs->body, p, bytes < room ? bytes : room);
	return bytes;
}

static int on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
	struct transfer *t = ctx;

	(void)dltotal;
	(void)ultotal;
	if (dlnow + ulnow != t->moved) {
		t->moved = dlnow + ulnow;
		t->last_activity = clock_steady_ms();
	}
	return 0;
}

static bool add_header(struct transfer *t, const char *line)
{
	struct curl_slist *more = t->h->curl.slist_append(t->headers, line);

	if (more)
		t->headers = more;
	return more != NULL;
}

static int add_headers(struct transfer *t)
{
	struct buf key = BUF_INIT;
	bool ok;

	ok = add_header(t, "Content-Type: application/json") &&
	     add_header(t, "Accept: text/event-stream, application/json") &&
	     add_header(t, "Expect:"); /* no round trip for permission to send */
	if (ok && t->rq->bearer) {
		buf_addf(&key, "Authorization: Bearer %s", t->rq->bearer);
		ok = !key.oom && add_header(t, key.p);
		buf_release(&key);
	}
	return ok ? 0 : err_oom(t->e);
}

static int set_up(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURL *c = t->easy;
	CURLcode bad = CURLE_OK;

	if (add_headers(t) < 0)
		return -1;
	bad = bad ? bad : set(c, CURLOPT_URL, t->rq->url);
	bad = bad ? bad : set(c, CURLOPT_PROTOCOLS_STR, "http,https");
	bad = bad ? bad : set(c, CURLOPT_FOLLOWLOCATION, 0L);
	bad = bad ? bad : set(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	set(c, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server that does not answer */
#endif
	bad = bad ? bad : set(c, CURLOPT_USERAGENT, "mcbox/" MCBOX_VERSION);
	bad = bad ? bad : set(c, CURLOPT_HTTPHEADER, t->headers);
	bad = bad ? bad : set(c, CURLOPT_POST, 1L);
	bad = bad ? bad : set(c, CURLOPT_POSTFIELDS, t->rq->body.p);
	bad = bad ? bad : set(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->rq->body.n);
	bad = bad ? bad : set(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	bad = bad ? bad : set(c, CURLOPT_ERRORBUFFER, t->why);
	bad = bad ? bad : set(c, CURLOPT_WRITEFUNCTION, on_body);
	bad = bad ? bad : set(c, CURLOPT_WRITEDATA, t);
	bad = bad ? bad : set(c, CURLOPT_NOPROGRESS, 0L);
	bad = bad ? bad : set(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	bad = bad ? bad : set(c, CURLOPT_XFERINFODATA, t);
	if (bad == CURLE_OUT_OF_MEMORY)
		return err_oom(t->e);
	return bad ? err_set(t->e, ERR_FAILED, "libcurl is too old or lacks HTTP") : 0;
}

/* The result of the one transfer, once it has ended. */
static bool ended(struct transfer *t, CURLcode *result)
{
	CURLMsg *m;
	int left;

	while ((m = t->h->curl.multi_info_read(t->h->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE && m->easy_handle == t->easy) {
			*result = m->data.result;
			return true;
		}
	return false;
}

static int fail(struct transfer *t, CURLcode result)
{
	const char *why = t->why[0] ? t->why : t->h->curl.easy_strerror(result);

	if (t->e->kind != ERR_NONE) /* `piece` has said why */
		return -1;
	if (t->enough_since)
		return 0;
	if (t->rs->status)
		return err_set(t->e, ERR_NETWORK, "the connection broke before the reply was complete: %s",
		               why);
	if (result == CURLE_COULDNT_CONNECT)
		return err_set(t->e, ERR_NETWORK, "cannot reach '%s': %s; is the server running?",
		               t->rq->url, why);
	return err_set(t->e, ERR_NETWORK, "cannot get an answer from '%s': %s", t->rq->url, why);
}

/* How long poll may sleep: to the end of the idle time; -1 when that has come. */
static int64_t time_left(const struct transfer *t)
{
	int64_t end = t->enough_since ? t->enough_since + LAST_WORDS_MS
	                              : t->last_activity + t->rq->idle_timeout * 1000;
	int64_t left = end - clock_steady_ms();

	return left > 0 ? left : -1;
}

static int run(struct transfer *t)
{
	struct curl *c = &t->h->curl;
	struct curl_waitfd stop = { .fd = t->rq->stop_fd, .events = CURL_WAIT_POLLIN };
	CURLcode result;

	for (;;) {
		int running;
		int64_t left;
		CURLMcode m = c->multi_perform(t->h->multi, &running);

		if (m != CURLM_OK)
			return err_set(t->e, ERR_NETWORK, "%s", c->multi_strerror(m));
		if (ended(t, &result))
			return result == CURLE_OK ? 0 : fail(t, result);
		left = time_left(t);
		if (left < 0 && t->enough_since)
			return 0;
		if (left < 0)
			return err_set(t->e, ERR_NETWORK, "the server sent nothing for %ld seconds",
			               t->rq->idle_timeout);
		m = c->multi_poll(t->h->multi, &stop, t->rq->stop_fd >= 0,
		                  left < 1000 ? (int)left : 1000, NULL);
		if (m != CURLM_OK)
			return err_set(t->e, ERR_NETWORK, "%s", c->multi_strerror(m));
		if (t->rq->stop_fd >= 0 && stop.revents)
			return err_set(t->e, ERR_INTERRUPTED, "interrupted");
	}
}

int http_post(struct http *h, const struct http_request *rq, struct http_response *rs,
              struct err *e)
{
	struct transfer t = { .h = h, .rq = rq, .rs = rs, .e = e };
	int r = -1;

	*rs = (struct http_response){ 0, BUF_INIT };
	t.last_activity = clock_steady_ms();
	t.easy = h->curl.easy_init();
	if (!t.easy)
		return err_oom(e);
	if (set_up(&t) == 0) {
		h->curl.multi_add_handle(h->multi, t.easy);
		r = run(&t);
		h->curl.multi_remove_handle(h->multi, t.easy);
	}
	if (r == 0 && !rs->status)
		h->curl.easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &rs->status);
	h->curl.easy_cleanup(t.easy);
	h->curl.slist_free_all(t.headers);
	return r;
}
