#include "client/reply-filter.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define OPEN "<think>"
#define CLOSE "</think>"
#define BLANKS_MAX 4096 /* bytes of white space that are held back until text follows */

/* ---- think tags ---- */

static size_t blanks_at_start(struct span s)
{
	return s.n - span_trim_start(s, SPAN_WHITE).n;
}

/* How many bytes at the end of `s` may be the beginning of `tag`; not all of it. */
static size_t begun(struct span s, const char *tag)
{
	size_t n = strlen(tag) - 1;

	n = n < s.n ? n : s.n;
	while (n && strncasecmp(s.p + s.n - n, tag, n) != 0)
		n--;
	return n;
}

static const char *find(struct span s, const char *tag)
{
	const char *p = s.p, *end = s.p + s.n;

	while ((p = memchr(p, tag[0], (size_t)(end - p))) != NULL) {
		if ((size_t)(end - p) >= strlen(tag) && strncasecmp(p, tag, strlen(tag)) == 0)
			return p;
		p++;
	}
	return NULL;
}

/* The first `n` bytes of the text become reasoning. */
static void move(struct reply_filter *f, struct reply *r, size_t n)
{
	size_t skip = f->thought ? 0 : blanks_at_start((struct span){ r->text.p, n });

	if (n > skip && !f->thought && r->reasoning.n)
		buf_adds(&r->reasoning, "\n\n");
	buf_add(&r->reasoning, r->text.p + skip, n - skip);
	f->thought |= n > skip;
	buf_drop(&r->text, n);
}

/* The next three return true if the state has changed, and false if more text is needed. */
static bool look_before(struct reply_filter *f, struct reply *r, bool last)
{
	struct span text = buf_span(&r->text);
	size_t skip = blanks_at_start(text);
	struct span rest = { text.p + skip, text.n - skip };

	if (rest.n >= strlen(OPEN) && strncasecmp(rest.p, OPEN, strlen(OPEN)) == 0) {
		buf_drop(&r->text, skip + strlen(OPEN));
		f->think = THINK_INSIDE;
		f->thought = false;
		return true;
	}
	if (begun(rest, OPEN) == rest.n && skip <= BLANKS_MAX && !last)
		return false;
	f->think = THINK_OVER;
	return true;
}

static bool look_inside(struct reply_filter *f, struct reply *r, bool last)
{
	struct span text = buf_span(&r->text);
	const char *end = find(text, CLOSE);
	size_t n = end ? (size_t)(end - text.p) : last ? text.n : text.n - begun(text, CLOSE);
	size_t words = span_trim_end((struct span){ text.p, n }, SPAN_WHITE).n;

	if (end || last) {
		size_t tail = end ? n - words + strlen(CLOSE) : text.n - words;

		move(f, r, words);
		buf_drop(&r->text, tail);
		f->think = THINK_AFTER;
		return true;
	}
	move(f, r, n - words <= BLANKS_MAX ? words : n);
	return false;
}

/* The answer follows, or another pair of tags. */
static bool look_after(struct reply_filter *f, struct reply *r, bool last)
{
	buf_drop(&r->text, blanks_at_start(buf_span(&r->text)));
	if (!r->text.n && !last)
		return false;
	f->think = THINK_BEFORE;
	return true;
}

/* No text is shown until the search for tags is over. */
static void move_thoughts(struct reply_filter *f, struct reply *r, bool last)
{
	bool more = true;

	while (more && f->think != THINK_OVER)
		more = f->think == THINK_BEFORE ? look_before(f, r, last)
		       : f->think == THINK_INSIDE ? look_inside(f, r, last) : look_after(f, r, last);
}

/* ---- halves of surrogate pairs: three bytes each, from JSON's escapes ---- */

#define HALF 3

enum half { HIGH = 0xa0, LOW = 0xb0 }; /* the least second byte */

/* Whether these bytes begin a half; there may be fewer than three. */
static bool begins_half(const char *p, size_t n, enum half which)
{
	const unsigned char *s = (const unsigned char *)p;

	return (n < 1 || s[0] == 0xed) && (n < 2 || (s[1] >= which && s[1] <= which + 0x0f)) &&
	       (n < 3 || (s[2] & 0xc0) == 0x80);
}

static bool is_half(const char *p, size_t n, enum half which)
{
	return n >= HALF && begins_half(p, n, which);
}

/* Whether the next piece may complete a pair. */
static bool is_open(const char *p, size_t n)
{
	if (n < HALF)
		return begins_half(p, n, HIGH) || begins_half(p, n, LOW);
	return is_half(p, n, HIGH) && n < 2 * HALF && begins_half(p + HALF, n - HALF, LOW);
}

/* Ten bits of the character. */
static uint32_t bits(const char *p)
{
	return (uint32_t)((unsigned char)p[1] & 0x0f) << 6 | ((unsigned char)p[2] & 0x3f);
}

/* Writes the character of both halves. Returns its length. */
static size_t join_pair(char *to, const char *halves)
{
	uint32_t c = 0x10000 + (bits(halves) << 10 | bits(halves + HALF));

	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Joins in place, from byte `from` on. Returns how many bytes at the end may be a part of a pair. */
static size_t join_halves(struct buf *b, size_t from, bool last)
{
	size_t to = from, held = 0;

	while (from < b->n) {
		const char *p = memchr(b->p + from, 0xed, b->n - from);
		size_t n = p ? (size_t)(p - b->p) - from : b->n - from, left = b->n - from - n;

		memmove(b->p + to, b->p + from, n);
		to += n;
		from += n;
		if (!left)
			break;
		if (!last && is_open(p, left)) {
			memmove(b->p + to, p, left);
			to += left;
			held = left;
			break;
		}
		n = 1;
		if (is_half(p, left, HIGH) && is_half(p + HALF, left - HALF, LOW)) {
			to += join_pair(b->p + to, p);
			n = 2 * HALF;
		} else if (is_half(p, left, HIGH) || is_half(p, left, LOW)) {
			memcpy(b->p + to, UTF8_REPLACEMENT, HALF);
			to += HALF;
			n = HALF;
		} else {
			b->p[to++] = *p;
		}
		from += n;
	}
	if (to < b->n) {
		b->n = to;
		b->p[to] = '\0';
	}
	return held;
}

/* ---- interface ---- */

static void settle(struct reply_filter *f, struct buf *b, size_t *ready, bool last)
{
	size_t held = join_halves(b, *ready, last), open;

	open = key_hide(f->key, b->p + *ready, b->n - held - *ready, last, &f->hidden);
	if (held) /* the key would have to go on with these bytes, and cannot */
		open = 0;
	f->key_open |= open > 0;
	*ready = b->n - held - open;
}

void reply_filter_run(struct reply_filter *f, struct reply *r, bool last)
{
	f->key_open = f->hidden = false;
	if (!f->think_tags)
		f->think = THINK_OVER;
	move_thoughts(f, r, last);
	if (f->think == THINK_OVER)
		settle(f, &r->text, &f->text, last);
	settle(f, &r->reasoning, &f->reasoning, last);
	if (!last)
		return;
	key_redact(f->key, r->finish_reason.p, r->finish_reason.n);
	key_redact(f->key, r->native.p, r->native.n);
	for (size_t i = 0; i < r->ncalls; i++) {
		key_redact(f->key, r->calls[i].id.p, r->calls[i].id.n);
		key_redact(f->key, r->calls[i].name.p, r->calls[i].name.n);
		key_redact(f->key, r->calls[i].arguments.p, r->calls[i].arguments.n);
	}
	key_redact(f->key, r->problem.message.p, r->problem.message.n);
}
