#include "client/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"

#define HELD_MAX (1u << 20) /* bytes of several lines */

int trace_open(struct trace *t, const char *path, struct err *e)
{
	struct stat st;

	*t = (struct trace)TRACE_INIT;
	t->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (t->fd < 0)
		return err_sys(e, errno, "cannot write the trace '%s'", path);
	if (fstat(t->fd, &st) == 0 && !S_ISREG(st.st_mode)) /* a pipe, whose reader may be slow */
		io_hold_too(t->fd);
	return 0;
}

int trace_close(struct trace *t)
{
	if (t->fd < 0)
		return 0;
	if (!t->failed)
		t->failed = io_failed(t->fd);
	io_hold_too(-1);
	close(t->fd);
	t->fd = -1;
	return t->failed;
}

/* Adds any text: as valid UTF-8 and without the key. */
static void trace_add_text(const struct trace *t, struct buf *line, const char *name, struct span text)
{
	struct buf clean = BUF_INIT;

	utf8_add_clean(&clean, text);
	key_redact(t->key, clean.p, clean.n);
	json_put_text(line, name, buf_span(&clean));
	line->oom |= clean.oom;
	buf_release(&clean);
}

static void trace_begin(const struct trace *t, struct buf *line, const char *type)
{
	json_open(line, '{');
	json_put_word(line, "type", type);
	json_put_int(line, "timestamp", clock_now_ms());
	json_put_int(line, "elapsed", clock_steady_ms() - t->started);
}

/* Each line is one write: several processes may trace to one file. */
static void trace_end(struct trace *t, struct buf *line)
{
	json_close(line, '}');
	buf_addc(line, '\n');
	if (line->oom)
		t->failed = t->failed ? t->failed : ENOMEM;
	else if (io_write(t->fd, line->p, line->n) < 0)
		t->failed = t->failed ? t->failed : errno;
	buf_release(line);
}

static void add_header(struct buf *line, const char *name, const char *between, const char *value)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s%s%s", name, between, value);
	json_item_str(line, buf_span(&b));
	line->oom |= b.oom;
	buf_release(&b);
}

static void add_headers(const struct http_request *rq, struct buf *line)
{
	json_put_open(line, "headers", '[');
	for (const char *const *h = rq->headers; h && *h; h++)
		if (!http_is_replaced(rq, *h))
			add_header(line, *h, "", "");
	if (rq->secret_header && rq->secret && !http_is_replaced(rq, rq->secret_header))
		add_header(line, rq->secret_header, "", "***");
	for (size_t i = 0; i < rq->nmore; i++)
		if (*rq->more[i].value)
			add_header(line, rq->more[i].name, ": ",
			           config_header_is_secret(rq->more[i].name) ? "***" : rq->more[i].value);
	json_close(line, ']');
}

void trace_request(struct trace *t, const struct http_request *rq, const struct key *key,
                   int attempt)
{
	struct buf line = BUF_INIT;

	if (!t || t->fd < 0)
		return;
	t->started = clock_steady_ms();
	t->key = key;
	trace_begin(t, &line, "request");
	json_put_int(&line, "attempt", attempt + 1);
	json_put_word(&line, "method", rq->body.p ? "POST" : "GET");
	trace_add_text(t, &line, "url", span_str(rq->shown_url));
	add_headers(rq, &line);
	if (rq->body.p) {
		json_put_raw(&line, "body", rq->body); /* as sent */
		key_redact(key, line.p, line.n); /* the user may have written it into the prompt */
	}
	trace_end(t, &line);
}

void trace_data(struct trace *t, struct span data)
{
	struct buf line = BUF_INIT;
	size_t had;

	if (!t || t->fd < 0)
		return;
	had = t->held.n;
	trace_begin(t, &line, "data");
	buf_add(&t->bare, line.p, line.n);
	json_put_word(&t->bare, "data", "***");
	json_close(&t->bare, '}');
	buf_addc(&t->bare, '\n');
	trace_add_text(t, &line, "data", data);
	json_close(&line, '}');
	buf_addc(&line, '\n');
	buf_add(&t->held, line.p, line.n);
	t->held.oom |= line.oom;
	buf_release(&line);
	if (had && t->held.n > HELD_MAX) /* a server that sends this much after half of the key repeats it on purpose */
		trace_withhold(t);
}

static void write_held(struct trace *t, const struct buf *lines)
{
	if (t->held.oom || t->bare.oom)
		t->failed = t->failed ? t->failed : ENOMEM;
	else if (lines->n && io_write(t->fd, lines->p, lines->n) < 0)
		t->failed = t->failed ? t->failed : errno;
	buf_release(&t->held);
	buf_release(&t->bare);
}

void trace_release(struct trace *t)
{
	if (t && t->fd >= 0)
		write_held(t, &t->held);
}

void trace_withhold(struct trace *t)
{
	if (t && t->fd >= 0)
		write_held(t, &t->bare);
}

static void add_times(const struct http_times *times, struct buf *line)
{
	json_put_int(line, "connections", times->connections);
	json_put_open(line, "times", '{');
	json_put_int(line, "resolved", times->resolved);
	json_put_int(line, "connected", times->connected);
	json_put_int(line, "secured", times->secured);
	json_put_int(line, "sent", times->sent);
	json_put_int(line, "firstByte", times->first_byte);
	json_put_int(line, "end", times->end);
	json_close(line, '}');
}

void trace_response(struct trace *t, const struct http_response *rs, const char *why)
{
	struct buf line = BUF_INIT;

	if (!t || t->fd < 0)
		return;
	trace_release(t);
	trace_begin(t, &line, "response");
	json_put_int(&line, "status", rs->status);
	trace_add_text(t, &line, "head", buf_span(&rs->headers));
	if (rs->body.n)
		trace_add_text(t, &line, "body", buf_span(&rs->body));
	add_times(&rs->times, &line);
	if (why)
		trace_add_text(t, &line, "error", span_str(why));
	trace_end(t, &line);
}
