/*
 * lib/markdown. The input is a reply, Markdown or not.
 *
 * Properties, in windows of several sizes, with the reply in pieces of many kinds: what is
 * written holds nothing that a terminal would obey but SGR sequences, cursor up within the
 * window and clearing what is right and below. In an endless window the screen is in the end
 * the one that markdown_text() makes of the whole; in a small one, which scrolls, no letter
 * of it is missing. Of windows that are resized, and replies that are interrupted by other
 * output, only the first is asked: what stands there frozen was understood as it then seemed.
 */
#include "markdown/markdown.h"

#include <fcntl.h>
#include <strings.h>

#include "../unit/screen.h"
#include "fuzz.h"

struct streaming {
	struct markdown m;
	struct screen s;
	uint64_t state;
	bool restless;
};

static void show(struct streaming *t, struct buf *out)
{
	screen_feed(&t->s, buf_span(out));
	must(!t->s.fault, "%s: '%s'", t->s.fault, out->p);
	buf_clear(out);
}

static void set_size(size_t columns, size_t height)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", columns);
	setenv("COLUMNS", text, 1);
	snprintf(text, sizeof(text), "%zu", height);
	setenv("LINES", text, 1);
}

/* Now and then the window becomes another, or something else is written to it. */
static void disturb(struct streaming *t, struct buf *out)
{
	if (rnd_below(&t->state, 4) == 0) {
		markdown_pause(&t->m, out);
		buf_adds(out, "!\n");
		show(t, out);
	} else if (rnd_below(&t->state, 4) == 0) {
		/* This terminal does not reflow; its lines are as they were. */
		t->s.columns = 8 + rnd_below(&t->state, 60);
		set_size(t->s.columns, t->s.height);
		if (t->s.column >= t->s.columns)
			t->s.column = t->s.columns - 1, t->s.wraps = true;
	}
}

static bool feed(void *ctx, struct span chunk)
{
	struct streaming *t = ctx;
	struct buf out = BUF_INIT;

	markdown_feed(&t->m, &out, chunk);
	show(t, &out);
	if (rnd_below(&t->state, 8) == 0)
		markdown_draw(&t->m, &out);
	show(t, &out);
	if (t->restless)
		disturb(t, &out);
	buf_release(&out);
	return true;
}

static void stream(struct span text, size_t way, size_t columns, size_t height, bool restless,
                   int fd, struct buf *seen, bool *done)
{
	struct streaming t = { .m = MARKDOWN_INIT, .s = { .columns = columns, .height = height },
		               .state = way, .restless = restless };
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(columns, height ? height : 9999);
	must(markdown_open(&t.m, fd, &e) == 0, "%s", e.msg);
	*done = !feed_in_chunks(text, way, feed, &t);
	markdown_end(&t.m, &out);
	show(&t, &out);
	must(t.s.column == 0, "the beginning of a line");
	buf_clear(seen);
	screen_text(&t.s, seen, height == 0);
	buf_release(&out);
	screen_release(&t.s);
	markdown_release(&t.m);
}

static void whole(struct span text, size_t columns, bool styles, struct buf *seen)
{
	struct screen s = { .columns = columns };
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	must(markdown_text(&out, text, columns, NULL, &e) == 0, "%s", e.msg);
	screen_feed(&s, buf_span(&out));
	must(!s.fault, "%s: '%s'", s.fault, out.p);
	must(s.column == 0, "the beginning of a line");
	buf_clear(seen);
	screen_text(&s, seen, styles);
	buf_release(&out);
	screen_release(&s);
}

/* The length of "&name;" and "<br": what is one may turn out to be code, when the rest is there. */
static size_t reference(struct span text)
{
	size_t n = 1;

	if (text.n >= 3 && strncasecmp(text.p, "<br", 3) == 0)
		return 3;
	if (!text.n || text.p[0] != '&')
		return 0;
	while (n < text.n && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#", text.p[n]))
		n++;
	return n < text.n && text.p[n] == ';' ? n : 0;
}

/* How often each letter is there. */
static void count(struct span text, size_t n[256])
{
	memset(n, 0, 256 * sizeof(*n));
	for (size_t i = 0; i < text.n; i++)
		n[(unsigned char)text.p[i]]++;
}

/* … and has to be: not what may have been understood otherwise before, nor our own word. */
static void count_wanted(struct span text, size_t n[256])
{
	static const char ours[] = "[image:"; /* a row may end behind it */

	memset(n, 0, 256 * sizeof(*n));
	while (text.n) {
		size_t skip = reference(text);

		if (!skip && text.n >= sizeof(ours) && memcmp(text.p, ours, sizeof(ours) - 1) == 0)
			skip = sizeof(ours) - 1;
		n[(unsigned char)text.p[0]] += !skip;
		skip = skip ? skip : 1;
		text = (struct span){ text.p + skip, text.n - skip };
	}
}

/* Nothing is lost: in rows that differ from what they would be now, some may be there twice. */
static void must_hold(struct span text, struct span want)
{
	size_t has[256], wants[256];

	count(text, has);
	count_wanted(want, wants);
	for (int c = 'A'; c <= 'z'; c++)
		must(has[c] >= wants[c] || (c > 'Z' && c < 'a'), "%zu '%c' of %zu in '%s', not '%s'",
		     has[c], c, wants[c], text.p, want.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t widths[] = { 40, 11, 80 };
	struct span text = exact((struct span){ (const char *)data, size });
	struct buf want = BUF_INIT, seen = BUF_INIT;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool done;

	must(fd >= 0, "/dev/null");
	for (size_t i = 0; i < 3; i++) {
		whole(text, widths[i], true, &want);
		for (size_t k = 0; k < 8; k++) {
			size_t way = k < 4 ? k : 4 + hash_of(text) / (k + i) % 77;

			done = false;
			stream(text, way, widths[i], 0, false, fd, &seen, &done);
			if (!done)
				must_be_same(buf_span(&seen), buf_span(&want), "the screen");
		}
	}
	whole(text, 10000, false, &want);
	done = false;
	for (size_t way = 0; !done && way < 8; way++) {
		stream(text, way, 8 + hash_of(text) % 40, 2 + way % 5, way % 2, fd, &seen, &done);
		if (!done && way % 2 == 0)
			must_hold(buf_span(&seen), buf_span(&want));
	}
	close(fd);
	buf_release(&want);
	buf_release(&seen);
	drop(text);
	return 0;
}
