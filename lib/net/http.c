#include "net/http.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/url.h"
#include "net/transfer.h"

#define BODY_MAX 65536
#define HEADERS_MAX 65536    /* bytes kept */
#define HEADERS_END 262144   /* and of all that are taken; some versions of libcurl set no limit */
#define REFUSAL_MS 10000     /* for all of a refusal's words */
#define SLOWEST 4            /* bytes of a request that a server must take in each ms of the idle time */
#define LAST_WORDS_MS 200 /* for an answer's end that nobody needs, but that keeps the connection */

#if LIBCURL_VERSION_NUM < 0x080600 /* an enumerator since then; the library may be newer than its header */
#define CURLE_TOO_LARGE 100
#endif

/* libcurl gives no reason. */
static int cannot_start(struct err *e)
{
	return err_set(e, ERR_FAILED, "libcurl cannot start a transfer: it has no memory, or could not be set up");
}

struct http *http_open(const struct http_options *o, struct err *e)
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
		cannot_start(e);
		free(h);
		return NULL;
	}
	h->options = *o;
	return h;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	h->curl.multi_cleanup(h->multi);
	free(h);
}

/* Of the answer that is coming; 0: none is. */
static long status(struct transfer *t)
{
	long *code = &t->rs->status;

	if (*code < 200)
		t->h->curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, code);
	return *code;
}

static bool is_refusal(struct transfer *t)
{
	return status(t) >= 300;
}

static void note_enough(struct transfer *t)
{
	if (!t->enough_since)
		t->enough_since = clock_steady_ms();
}

static size_t take_piece(struct transfer *t, struct span piece)
{
	int r = t->enough_since ? 0 : t->rq->piece(t->rq->ctx, piece, t->e);

	if (r > 0)
		note_enough(t);
	return r < 0 ? 0 : piece.n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t bytes = size * n, room = BODY_MAX - t->rs->body.n;

	t->begun = true;
	if (!is_refusal(t))
		return take_piece(t, (struct span){ p, bytes });
	if (bytes > room)
		note_enough(t);
	if (!t->noise)
		buf_add(&t->rs->body, p, bytes < room ? bytes : room);
	return bytes;
}

/* Not each byte of a request that is taken counts: there would be no end. */
static int on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow)
{
	struct transfer *t = ctx;
	bool sent = (size_t)ulnow >= t->rq->body.n;

	(void)dltotal;
	(void)ultotal;
	if (dlnow != t->received || sent != t->sent || ulnow - t->taken >= SLOWEST * t->rq->idle_timeout * 1000) {
		t->received = dlnow;
		t->taken = ulnow;
		t->last_activity = clock_steady_ms();
	}
	t->sent = sent;
	t->begun_to_send |= ulnow > 0;
	return 0;
}

/* ---- the answer's head ---- */

static bool span_is(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* The value of header `name`, if that is what the line is. */
static bool is_header(struct span line, const char *name, struct span *value)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return false;
	n++;
	*value = span_trim((struct span){ line.p + n, line.n - n }, SPAN_WHITE);
	return true;
}

static bool can_decode(struct transfer *t, struct span coding)
{
	const curl_version_info_data *v = t->h->curl.version_info(CURLVERSION_NOW);
	const struct {
		const char *name;
		int feature;
	} known[] = { { "gzip", CURL_VERSION_LIBZ }, { "x-gzip", CURL_VERSION_LIBZ },
		      { "deflate", CURL_VERSION_LIBZ }, { "br", CURL_VERSION_BROTLI },
		      { "zstd", CURL_VERSION_ZSTD } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is(coding, known[i].name))
			return v && v->features & known[i].feature;
	return !coding.n || span_is(coding, "identity");
}

/* Several codings may follow each other, with commas. */
static bool can_decode_all(struct transfer *t, struct span codings)
{
	while (codings.n) {
		const char *comma = memchr(codings.p, ',', codings.n);
		struct span one = { codings.p, comma ? (size_t)(comma - codings.p) : codings.n };
		size_t n = one.n + (comma != NULL);

		codings = (struct span){ codings.p + n, codings.n - n };
		if (!can_decode(t, span_trim(one, " \t")))
			return false;
	}
	return true;
}

/* Of a transfer that is compressed itself, not every libcurl undoes that. Of a refusal the status
 * is worth more than its words. */
static bool is_readable(struct transfer *t, struct span line)
{
	struct span value;

	if (is_header(line, "content-encoding", &value)
	            ? can_decode_all(t, value)
	            : !is_header(line, "transfer-encoding", &value) || span_is(value, "chunked"))
		return true;
	if (is_refusal(t)) {
		if (!t->noise) /* in place of its words */
			buf_adds(&t->rs->body, "its message is compressed in a way that libcurl does not decode here");
		return t->noise = true;
	}
	if (value.n > 40) /* a part of it might be a part of the key, which nobody would know */
		value = span_str("in an unknown way");
	err_set(t->e, ERR_NETWORK, "the server sent a compressed answer (%.*s), which libcurl does not decode here",
	        (int)value.n, value.p);
	return false;
}

/* libcurl keeps them all. */
static bool is_bearable(struct transfer *t, struct span line)
{
	t->header_bytes += line.n;
	if (t->header_bytes <= HEADERS_END)
		return true;
	err_set(t->e, ERR_NETWORK, "the server sent more than %d KB of headers", HEADERS_END >> 10);
	return false;
}

/* An extension that several servers know: a whole number of milliseconds. */
static void take_wait(struct transfer *t, struct span line)
{
	struct span value;
	int64_t ms = 0;

	if (!is_header(line, "retry-after-ms", &value) || !value.n || value.n > 12)
		return;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return;
		ms = ms * 10 + (value.p[i] - '0');
	}
	t->rs->retry_after = ms;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct span line = { p, size * n };

	if (line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0) {
		buf_clear(&t->rs->headers); /* of the answer before: the proxy's, or "continue" */
		t->rs->retry_after = -1;
		buf_clear(&t->rs->body);
		t->noise = false;
	}
	if (t->rs->headers.n + line.n <= HEADERS_MAX)
		buf_add(&t->rs->headers, line.p, line.n);
	take_wait(t, line);
	return is_bearable(t, line) && is_readable(t, line) ? line.n : 0;
}

static void set_up_answer(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURL *c = t->easy;

	set(c, CURLOPT_HEADERFUNCTION, on_header);
	set(c, CURLOPT_HEADERDATA, t);
	set(c, CURLOPT_WRITEFUNCTION, on_body);
	set(c, CURLOPT_WRITEDATA, t);
	set(c, CURLOPT_NOPROGRESS, 0L);
	set(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(c, CURLOPT_XFERINFODATA, t);
}

/* ---- the way ---- */

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

/* Another attempt would meet the same. A server of this machine is there or is not. */
static bool is_final(const struct transfer *t, CURLcode result)
{
	switch (result) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return true;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return url_is_local(t->rq->url);
	default:
		return false;
	}
}

static int certificate_failed(struct transfer *t, const char *why)
{
	return err_set(t->e, ERR_NETWORK,
	               "the certificate of '%s' is not trusted: %s (checked with %s; SSL_CERT_FILE and "
	               "SSL_CERT_DIR name others)", t->rq->shown_url, why,
	               t->authorities ? t->authorities : "libcurl's certificates");
}

/*
 * Whether libcurl met a limit of its own, or had no memory: some versions call both "out of memory", even
 * where they have a code for the first (CURLE_TOO_LARGE), and a trailer that is too long is "Out of memory
 * in chunked-encoding" in all of them.
 */
static bool is_too_large(const struct transfer *t, CURLcode result)
{
	return result == CURLE_OUT_OF_MEMORY || result == (CURLcode)CURLE_TOO_LARGE ||
	       strncmp(t->why, "Out of memory", 13) == 0;
}

/* Both are named: which of them it was nobody knows. */
static int too_large(struct transfer *t)
{
	curl_off_t sent = 0;

	t->h->curl.easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
	if (t->begun)
		return err_set(t->e, ERR_NETWORK,
		               "the connection broke before the reply was complete: what ends the answer "
		               "is too long, or there is no memory left");
	if (sent)
		return err_set(t->e, ERR_NETWORK,
		               "cannot read the answer from '%s': a line of its head is too long, or there is no memory "
		               "left", t->rq->url);
	return err_set(t->e, ERR_NETWORK,
	               "cannot send the request to '%.200s': its head is too long, or there is no memory left",
	               t->rq->url);
}

static int fail(struct transfer *t, CURLcode result)
{
	const char *why = t->why[0] ? t->why : t->h->curl.easy_strerror(result);
	char through[512];
	long proxy_code = 0;

	if (t->e->kind != ERR_NONE) { /* `piece` has said why */
		t->rs->failure = HTTP_FINAL;
		return -1;
	}
	if (t->begun && (t->enough_since || is_refusal(t))) /* whose first words will do */
		return 0;
	if (is_too_large(t, result))
		return too_large(t);
	if (t->enough_since || is_refusal(t))
		return 0;
	if (result == CURLE_BAD_CONTENT_ENCODING) /* or, since libcurl 8.9, a transfer coding that it refuses itself */
		return err_set(t->e, ERR_NETWORK, "the server sent a compressed answer that cannot be read: %s", why);
	t->rs->failure = is_final(t, result) ? HTTP_FINAL : HTTP_LOST;
	if (t->rs->status >= 200)
		return err_set(t->e, ERR_NETWORK, "the connection broke before the reply was complete: %s",
		               why);
	if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE)
		return certificate_failed(t, why);
	transfer_tell_proxy(t, through);
	if (result == CURLE_COULDNT_CONNECT && !through[0])
		return err_set(t->e, ERR_NETWORK, "cannot reach '%s': %s; is the server running?",
		               t->rq->shown_url, why);
	transfer_redact_proxy(t);
	t->h->curl.easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_code);
	if (proxy_code >= 300 && proxy_code < 500) /* it would say so again */
		t->rs->failure = HTTP_FINAL;
	return err_set(t->e, ERR_NETWORK, "cannot get an answer from '%s'%s: %s%s", t->rq->shown_url, through, why,
	               proxy_code == 407 ? "; the proxy wants a user's name and password" : "");
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long poll may sleep: to the end of one of its times (http.h); -1 when that has come. */
static int64_t time_left(struct transfer *t)
{
	int64_t idle = t->rq->idle_timeout * 1000, now = clock_steady_ms(), end = t->last_activity + idle;

	if (is_refusal(t) && !t->refused_at)
		t->refused_at = now;
	if (t->refused_at)
		end = earlier(end, t->refused_at + earlier(idle, REFUSAL_MS));
	if (t->rq->deadline)
		end = earlier(end, t->rq->deadline);
	if (t->enough_since)
		end = earlier(end, t->enough_since + LAST_WORDS_MS);
	return end > now ? end - now : -1;
}

static int out_of_time(struct transfer *t)
{
	t->rs->failure = HTTP_FINAL;
	if (t->rq->deadline && clock_steady_ms() >= t->rq->deadline)
		return err_set(t->e, ERR_NETWORK, "the server takes too long for its answer");
	if (t->begun_to_send && !t->sent)
		return err_set(t->e, ERR_NETWORK, "the server takes the request too slowly");
	return err_set(t->e, ERR_NETWORK, "the server sent nothing for %ld second%s", t->rq->idle_timeout,
	               t->rq->idle_timeout == 1 ? "" : "s");
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
		if (left < 0 && (t->enough_since || is_refusal(t)))
			return 0;
		if (left < 0)
			return out_of_time(t);
		m = c->multi_poll(t->h->multi, &stop, t->rq->stop_fd >= 0,
		                  idle_left(t->rq->idle, left < 1000 ? (int)left : 1000), NULL);
		if (m != CURLM_OK)
			return err_set(t->e, ERR_NETWORK, "%s", c->multi_strerror(m));
		if (t->rq->stop_fd >= 0 && stop.revents) {
			if (t->enough_since) /* it comes too late: nothing is missing */
				return 0;
			t->rs->failure = HTTP_FINAL;
			return err_set(t->e, ERR_INTERRUPTED, "interrupted");
		}
	}
}

static int64_t moment(const struct transfer *t, CURLINFO what)
{
	curl_off_t us = 0;

	t->h->curl.easy_getinfo(t->easy, what, &us);
	return us;
}

/* What libcurl knows when it is over. */
static void note_end(struct transfer *t)
{
	struct http_times *times = &t->rs->times;
	curl_off_t wait = 0;

	status(t);
	t->rs->proxied = transfer_has_proxy(t);
	if (t->rs->retry_after < 0 && t->h->curl.easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK &&
	    wait > 0)
		t->rs->retry_after = wait < INT32_MAX ? wait * 1000 : INT32_MAX;
	t->h->curl.easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &times->connections);
	times->resolved = moment(t, CURLINFO_NAMELOOKUP_TIME_T);
	times->connected = moment(t, CURLINFO_CONNECT_TIME_T);
	times->secured = moment(t, CURLINFO_APPCONNECT_TIME_T);
	times->sent = moment(t, CURLINFO_PRETRANSFER_TIME_T);
	times->first_byte = moment(t, CURLINFO_STARTTRANSFER_TIME_T);
	times->end = moment(t, CURLINFO_TOTAL_TIME_T);
}

int http_send(struct http *h, const struct http_request *rq, struct http_response *rs,
              struct err *e)
{
	struct transfer t = { .h = h, .rq = rq, .rs = rs, .e = e };
	CURLMcode m;
	int r = -1;

	*rs = (struct http_response){ .failure = HTTP_FINAL, .headers = BUF_INIT, .body = BUF_INIT,
		                      .retry_after = -1 };
	t.last_activity = clock_steady_ms();
	t.easy = h->curl.easy_init();
	if (!t.easy)
		return cannot_start(e);
	if (transfer_set_up(&t) == 0) {
		set_up_answer(&t);
		m = h->curl.multi_add_handle(h->multi, t.easy);
		if (m == CURLM_OK) {
			r = run(&t);
			note_end(&t);
			h->curl.multi_remove_handle(h->multi, t.easy);
		} else {
			err_set(e, ERR_FAILED, "libcurl cannot start a transfer: %s", h->curl.multi_strerror(m));
		}
	}
	if (r == 0)
		rs->failure = HTTP_FINE;
	h->curl.easy_cleanup(t.easy);
	h->curl.slist_free_all(t.headers);
	return r;
}

void http_response_release(struct http_response *rs)
{
	buf_release(&rs->headers);
	buf_release(&rs->body);
}
