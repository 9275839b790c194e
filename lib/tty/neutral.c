#include "tty/neutral.h"

#include <string.h>

#include "base/utf8.h"

static bool is_bidi_control(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/* Characters that no screen shows, so that a text can hold more than a person sees: blanks
 * without width, line and paragraph separators, invisible operators, annotations, tags.
 * The joiners and the soft hyphen stay: words and emoji are made with them. */
static bool is_hidden(uint32_t c)
{
	return c == 0x180e || c == 0x200b || c == 0x2028 || c == 0x2029 ||
	       (c >= 0x2060 && c <= 0x2064) || (c >= 0x206a && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || c == 0xe0001 || (c >= 0xe0020 && c <= 0xe007f);
}

/* C1, and what only a terminal or its reader would take otherwise than it is meant. */
bool neutral_is_shown(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || is_bidi_control(c) || is_hidden(c);
}

static void put(struct buf *out, const char *p, int len, uint32_t c)
{
	if (c < 0x20 && c != '\n' && c != '\t')
		buf_addf(out, "^%c", (int)c + '@');
	else if (c == 0x7f)
		buf_adds(out, "^?");
	else if (neutral_is_shown(c))
		buf_addf(out, "<U+%04X>", (unsigned)c);
	else
		buf_add(out, p, (size_t)len);
}

static size_t plain_run(struct span in)
{
	size_t i = 0;

	while (i < in.n && in.p[i] >= 0x20 && in.p[i] < 0x7f)
		i++;
	return i;
}

static void flush_cr(struct neutral *n, struct buf *out, bool line_feed_follows)
{
	if (n->cr && !line_feed_follows)
		buf_adds(out, "^M");
	n->cr = false;
}

/* One character at the front of `in`: how many bytes were used, 0 when it is not
 * all there. */
static size_t step(struct neutral *n, struct buf *out, struct span in)
{
	uint32_t c;
	int len = utf8_decode(in.p, in.n, &c);

	if (len == 0)
		return 0;
	flush_cr(n, out, len == 1 && c == '\n');
	if (len < 0)
		buf_adds(out, UTF8_REPLACEMENT);
	else if (c == '\r')
		n->cr = true;
	else
		put(out, in.p, len, c);
	return len < 0 ? 1 : (size_t)len;
}

/* Completes the character whose beginning the last chunk brought. */
static void use_held(struct neutral *n, struct buf *out, struct span *in)
{
	while (n->n && in->n) {
		size_t had = n->n, used;

		n->held[n->n++] = *in->p;
		used = step(n, out, (struct span){ n->held, n->n });
		if (used == 0) {
			in->p++;
			in->n--;
		} else if (used > had) {
			in->p++;
			in->n--;
			n->n = 0;
		} else {
			/* What was held is no character; the new byte is looked at again. */
			n->n = had - used;
			memmove(n->held, n->held + used, n->n);
		}
	}
}

void neutral_feed(struct neutral *n, struct buf *out, struct span in)
{
	use_held(n, out, &in);
	while (in.n) {
		size_t used = plain_run(in);

		if (used) {
			flush_cr(n, out, false);
			buf_add(out, in.p, used);
		} else if ((used = step(n, out, in)) == 0) {
			memcpy(n->held, in.p, in.n);
			n->n = in.n;
			return;
		}
		in.p += used;
		in.n -= used;
	}
}

void neutral_end(struct neutral *n, struct buf *out)
{
	flush_cr(n, out, false);
	if (n->n)
		buf_adds(out, UTF8_REPLACEMENT);
	n->n = 0;
}

void neutral_add(struct buf *out, struct span in)
{
	struct neutral n = NEUTRAL_INIT;

	neutral_feed(&n, out, in);
	neutral_end(&n, out);
}

static void add_escape(struct buf *out, uint32_t c)
{
	if (c < 0x10000)
		buf_addf(out, "\\u%04x", (unsigned)c);
	else
		buf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
		         (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
}

void neutral_add_json(struct buf *out, struct span in)
{
	while (in.n) {
		uint32_t c = 0;
		int len = utf8_decode(in.p, in.n, &c);

		if (len <= 0)
			buf_adds(out, UTF8_REPLACEMENT);
		else if (c == '\t' || c == '\r') /* between two tokens, or it is not JSON */
			buf_addc(out, ' ');
		else if ((c < 0x20 && c != '\n') || c == 0x7f || neutral_is_shown(c))
			add_escape(out, c);
		else
			buf_add(out, in.p, (size_t)len);
		in.p += len > 0 ? len : 1;
		in.n -= len > 0 ? (size_t)len : 1;
	}
}

void neutral_add_column(struct buf *out, struct span in)
{
	while (in.n) {
		size_t used = plain_run(in);
		uint32_t c = 0;
		int len;

		if (used) {
			buf_add(out, in.p, used);
		} else {
			len = utf8_decode(in.p, in.n, &c);
			used = len > 0 ? (size_t)len : 1;
			if (len <= 0)
				buf_adds(out, UTF8_REPLACEMENT);
			else if (utf8_is_control(c) || c == 0x2028 || c == 0x2029)
				buf_addc(out, ' ');
			else
				buf_add(out, in.p, used);
		}
		in = (struct span){ in.p + used, in.n - used };
	}
}

void neutral_add_line(struct buf *out, struct span in)
{
	size_t start = out->n, to;
	bool space = true; /* none at the beginning */

	neutral_add(out, in);
	for (size_t i = to = start; i < out->n; i++) {
		bool white = out->p[i] == '\n' || out->p[i] == '\t' || out->p[i] == ' ';

		if (!white)
			out->p[to++] = out->p[i];
		else if (!space)
			out->p[to++] = ' ';
		space = white;
	}
	if (to > start && out->p[to - 1] == ' ')
		to--;
	out->n = to;
	if (out->cap)
		out->p[to] = '\0';
}
