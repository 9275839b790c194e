#include "talk/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
	if (fstat(t->fd, &st) == 0 && !S_ISREG(st.st_mode)) /* somebody reads it, or does not */
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

/* `,"name":"text"`, as it is or cleaned, without the key. */
static void add_text(const struct trace *t, struct buf *line, const char *name, struct span text)
{
	struct buf clean = BUF_INIT;

	utf8_add_clean(&clean, text);
	key_redact(t->key, clean.p, clean.n);
	buf_addf(line, ",\"%s\":", name);
	json_add_str(line, buf_span(&clean));
	line->oom |= clean.oom;
	buf_release(&clean);
}

static void begin(const struct trace *t, struct buf *line, const char *type)
{
	buf_addf(line, "{\"type\":\"%s\",\"timestamp\":%" PRId64 ",\"elapsed\":%" PRId64, type,
	         clock_now_ms(), clock_steady_ms() - t->started);
}

/* One write a line: several processes may trace to one file. */
static void end(struct trace *t, struct buf *line)
{
	buf_adds(line, "}\n");
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
	if (line->p[line->n - 1] != '[')
		buf_addc(line, ',');
	json_add_str(line, buf_span(&b));
	line->oom |= b.oom;
	buf_release(&b);
}

static void add_headers(const struct http_request *rq, struct buf *line)
{
	buf_adds(line, ",\"headers\":[");
	for (const char *const *h = rq->headers; h && *h; h++)
		if (!http_is_replaced(rq, *h))
			add_header(line, *h, "", "");
	if (rq->secret_header && rq->secret && !http_is_replaced(rq, rq->secret_header))
		add_header(line, rq->secret_header, "", "***");
	for (size_t i = 0; i < rq->nmore; i++)
		if (*rq->more[i].value)
			add_header(line, rq->more[i].name, ": ",
			           config_header_is_secret(rq->more[i].name) ? "***" : rq->more[i].value);
	buf_addc(line, ']');
}

void trace_request(struct trace *t, const struct http_request *rq, const struct key *key,
                   int attempt)
{
	struct buf line = BUF_INIT;

	if (!t || t->fd < 0)
		return;
	t->started = clock_steady_ms();
	t->key = key;
	begin(t, &line, "request");
	buf_addf(&line, ",\"attempt\":%d,\"method\":\"%s\"", attempt + 1, rq->body.p ? "POST" : "GET");
	add_text(t, &line, "url", span_str(rq->shown_url));
	add_headers(rq, &line);
	if (rq->body.p) {
		buf_adds(&line, ",\"body\":"); /* an adapter's JSON: as it is */
		buf_add(&line, rq->body.p, rq->body.n);
		key_redact(key, line.p, line.n); /* where a user wrote it into the prompt */
	}
	end(t, &line);
}

void trace_data(struct trace *t, struct span data)
{
	struct buf line = BUF_INIT;
	size_t head, had;

	if (!t || t->fd < 0)
		return;
	begin(t, &line, "data");
	head = line.n;
	had = t->held.n;
	add_text(t, &line, "data", data);
	buf_adds(&line, "}\n");
	buf_add(&t->bare, line.p, head);
	buf_adds(&t->bare, ",\"data\":\"***\"}\n");
	buf_add(&t->held, line.p, line.n);
	t->held.oom |= line.oom;
	buf_release(&line);
	if (had && t->held.n > HELD_MAX) /* what waits behind half a key is nothing that ends well */
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
	buf_addf(line, ",\"connections\":%ld,\"times\":{\"resolved\":%" PRId64 ",\"connected\":%" PRId64
	         ",\"secured\":%" PRId64 ",\"sent\":%" PRId64 ",\"firstByte\":%" PRId64 ",\"end\":%" PRId64 "}",
	         times->connections, times->resolved, times->connected, times->secured, times->sent,
	         times->first_byte, times->end);
}

void trace_response(struct trace *t, const struct http_response *rs, const char *why)
{
	struct buf line = BUF_INIT;

	if (!t || t->fd < 0)
		return;
	trace_release(t);
	begin(t, &line, "response");
	buf_addf(&line, ",\"status\":%ld", rs->status);
	add_text(t, &line, "head", buf_span(&rs->headers));
	if (rs->body.n)
		add_text(t, &line, "body", buf_span(&rs->body));
	add_times(&rs->times, &line);
	if (why)
		add_text(t, &line, "error", span_str(why));
	end(t, &line);
}
