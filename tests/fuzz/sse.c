/*
 * lib/net/sse. The input is a stream.
 *
 * Properties: the events are those of a plain reading of the standard (WHATWG HTML,
 * 9.2.6, with what sse.h says of its own: an `error` field counts as data, the last event needs
 * no blank line, nor does one that is a JSON object or list), whole or in chunks; a consumer who stops gets no more.
 */
#include "net/sse.h"

#include "fuzz.h"

struct events {
	struct buf text; /* each event's length, a colon, the event, a newline */
	int n, stop_at;
	struct sse sse;
	struct err e;
};

static void add_event(struct buf *b, struct span data)
{
	buf_addf(b, "%zu:", data.n);
	buf_add(b, data.p, data.n);
	buf_addc(b, '\n');
}

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct events *ev = ctx;

	must(ev->n != ev->stop_at || !ev->stop_at, "an event after the consumer stopped");
	must(data.p[data.n] == '\0', "an event is followed by a NUL");
	add_event(&ev->text, data);
	return ++ev->n == ev->stop_at ? err_set(e, ERR_INTERRUPTED, "enough") : 0;
}

static bool feed(void *ctx, struct span chunk)
{
	struct events *ev = ctx;

	return sse_feed(&ev->sse, chunk, &ev->e) == 0;
}

/* Returns how many events there were. */
static int parse(struct span text, size_t way, int stop_at, struct buf *out, bool *more)
{
	struct events ev = { .text = BUF_INIT, .stop_at = stop_at, .e = ERR_INIT };

	ev.sse = (struct sse)SSE_INIT(on_event, &ev);
	*more = feed_in_chunks(text, way, feed, &ev);
	if (ev.e.kind == ERR_NONE)
		sse_end(&ev.sse, &ev.e);
	must(ev.e.kind == (stop_at && ev.n == stop_at ? ERR_INTERRUPTED : ERR_NONE), "%s", ev.e.msg);
	sse_release(&ev.sse);
	buf_clear(out);
	buf_add(out, ev.text.p, ev.text.n);
	buf_release(&ev.text);
	return ev.n;
}

/* ---- the standard, read plainly: all at once, a copy of each line ---- */

static size_t line_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
		n++;
	return n;
}

static void model_dispatch(struct buf *data, struct buf *out)
{
	if (data->n) /* the standard's buffer has a line feed after each line of data */
		add_event(out, (struct span){ data->p, data->n - 1 });
	buf_clear(data);
}

static bool looks_like_json(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct span){ s.p + 1, s.n - 1 };
	return s.n && (s.p[0] == '{' || s.p[0] == '[');
}

/* Whether all brackets are closed at the end of the lines, from their beginning on. */
static bool is_closed(const struct buf *lines)
{
	bool string = false;
	size_t open = 0;

	for (size_t i = 0; i < lines->n; i++) {
		char c = lines->p[i];

		if (string && c == '\\' && lines->p[i + 1] != '\n') {
			i++;
		} else if (c == '"') {
			string = !string;
		} else if (!string) {
			open += c == '{' || c == '[';
			open -= open && (c == '}' || c == ']');
		}
	}
	return !string && !open;
}

static void model_line(struct span line, struct buf *data, struct buf *out)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct span name = { line.p, colon ? (size_t)(colon - line.p) : line.n };
	struct span value = { line.p + name.n, line.n - name.n };

	if (!line.n) {
		model_dispatch(data, out);
		return;
	}
	if (!span_eq(name, "data") && !span_eq(name, "error"))
		return;
	if (colon) {
		value.p++;
		value.n--;
	}
	if (value.n && value.p[0] == ' ') {
		value.p++;
		value.n--;
	}
	if (data->n && looks_like_json(value) && !looks_like_json((struct span){ data->p, strcspn(data->p, "\n") }))
		model_dispatch(data, out);
	buf_add(data, value.p, value.n);
	buf_addc(data, '\n');
	if (looks_like_json((struct span){ data->p, strcspn(data->p, "\n") }) && is_closed(data))
		model_dispatch(data, out);
}

static void model(struct span text, struct buf *out)
{
	struct buf data = BUF_INIT;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = (struct span){ text.p + 3, text.n - 3 };
	while (text.n) {
		size_t n = line_length(text), end = n;

		model_line((struct span){ text.p, n }, &data, out);
		end += end < text.n;
		end += end < text.n && text.p[n] == '\r' && text.p[end] == '\n';
		text = (struct span){ text.p + end, text.n - end };
	}
	model_dispatch(&data, out);
	buf_release(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span text = { (const char *)input, size };
	struct buf want = BUF_INIT, got = BUF_INIT;
	bool more = true;
	int n = 0;

	model(text, &want);
	for (size_t way = 0; more; way++) {
		n = parse(text, way, 0, &got, &more);
		if (more)
			must_be_same(buf_span(&got), buf_span(&want), "the events");
	}
	for (int stop_at = 1; stop_at <= n && stop_at < 4; stop_at++)
		must(parse(text, (size_t)stop_at, stop_at, &got, &more) == stop_at, "stops");
	buf_release(&want);
	buf_release(&got);
	return 0;
}
