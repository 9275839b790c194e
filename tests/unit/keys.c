#include "prompt/keys.h"

#include "base/utf8.h"
#include "data.h"
#include "tap.h"

static void add_key(struct buf *out, const struct key *k)
{
	static const char *const names[] = {
		[KEY_ENTER] = "enter", [KEY_TAB] = "tab", [KEY_ESC] = "esc",
		[KEY_BACKSPACE] = "backspace", [KEY_DELETE] = "delete", [KEY_UP] = "up",
		[KEY_DOWN] = "down", [KEY_LEFT] = "left", [KEY_RIGHT] = "right",
		[KEY_PAGE_UP] = "page-up", [KEY_PAGE_DOWN] = "page-down", [KEY_HOME] = "home",
		[KEY_END] = "end",
	};

	if (k->alt)
		buf_adds(out, "M-");
	if (k->pasted)
		buf_adds(out, "p:");
	if (k->kind == KEY_CHAR && k->c < 0x20)
		buf_addf(out, "%s", k->c == '\n' ? "\\n" : k->c == '\t' ? "\\t" : "harm");
	else if (k->kind == KEY_CHAR)
		utf8_add(out, k->c);
	else if (k->kind == KEY_CTRL)
		buf_addf(out, "C-%c", (int)k->c);
	else
		buf_adds(out, names[k->kind]);
	buf_addc(out, ' ');
}

static void feed(struct keys *k, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		struct key key;

		if (keys_feed(k, (unsigned char)in.p[i], &key))
			add_key(out, &key);
	}
}

static void alone(struct keys *k, struct buf *out)
{
	struct key key;

	if (keys_waiting(k) && keys_alone(k, &key))
		add_key(out, &key);
}

static const struct {
	const char *in, *want;
} cases[] = {
	{ "", "" },
	{ "aZ ~", "a Z   ~ " },
	{ "é漢😀", "é 漢 😀 " },
	{ "\r\n\t\b\x7f", "enter enter tab backspace backspace " },
	{ "\x01\x0e\x10\x15\x1a", "C-a C-n C-p C-u C-z " },
	{ "\x1c\x1d\x1e\x1f", "C-\\ C-] C-^ C-_ " },
	{ "\x1b", "esc " },
	{ "\x1b\x1b", "esc " },
	/* as xterm, the Linux console, rxvt and PuTTY send them */
	{ "\x1b[A\x1b[B\x1b[C\x1b[D", "up down right left " },
	{ "\x1bOA\x1bOB\x1bOC\x1bOD", "up down right left " },
	{ "\x1b[H\x1b[F\x1bOH\x1bOF", "home end home end " },
	{ "\x1b[1~\x1b[4~\x1b[7~\x1b[8~", "home end home end " },
	{ "\x1b[5~\x1b[6~\x1b[3~", "page-up page-down delete " },
	{ "\x1bOM", "enter " },
	{ "\x1b[1;5A\x1b[1;3B\x1b[5;3~", "up M-down M-page-up " },
	{ "\x1b\x1b[A", "M-up " },
	{ "\x1b" "b\x1b\x7f\x1b\ré", "M-b M-backspace M-enter é " },
	{ "\x1bé", "M-é " },
	/* what is not known goes whole */
	{ "\x1b[15~a", "a " },
	{ "\x1b[Za", "a " },
	{ "\x1b[[Aa\x1b[[Ea", "a a " },
	{ "\x1b[?62;1;6c" "a", "a " },
	{ "\x1b[<0;10;10Ma", "a " },
	{ "\x1b[1;2;3Aa", "a " },
	{ "\x1b[99999999999999999999~a", "a " },
	{ "\x1b[1 qa\x1b[5^a", "a a " },
	{ "\x1bOPa\x1bO2Pa", "a a " },
	{ "\x1b]11;rgb:0000/0000/0000\x1b\\a", "a " },
	{ "\x1b]0;title\aa", "a " },
	{ "\x1bP1$r0m\x1b\\a", "a " },
	{ "\x1b]x\x1b[Aa", "up a " },
	/* what breaks off gives way to what comes */
	{ "\x1b[1;\x1b[A", "up " },
	{ "\x1b[1\ra", "enter a " },
	{ "\x1b[é", "é " },
	{ "\x1bO\x1b[B", "down " },
	{ "\x1b[", "" },
	{ "\x1bO", "" },
	{ "\x1b]abc", "" },
	{ "\xe2\x82", "" },
	{ "\xe2\x82" "a", "a " },
	{ "\xe2\x82\xc3\xa9", "é " },
	{ "\xff\xc0\x80" "a\x80z", "a z " },
	{ "\xed\xa0\x80" "a", "a " },
	{ "\xc2\x9b" "A", "A " },
	/* a paste is text and no keys */
	{ "\x1b[200~a b\rc\td\x1b[201~e", "p:a p:  p:b p:\\n p:c p:\\t p:d e " },
	{ "\x1b[200~a\r\nb\nc\r\r\x1b[201~", "p:a p:\\n p:b p:\\n p:c p:\\n p:\\n " },
	{ "\x1b[200~\x04\x1a\x7f\x1b[A\x1bOMx\x1b\x1b[201~\r", "p:x enter " },
	{ "\x1b[200~é\xff漢", "p:é p:漢 " },
	{ "\x1b[201~a", "a " },
	/* the way out */
	{ "\x03", "C-c " },
	{ "\x1b\x03\x1b[\x03\x1b]\x03\x1bO\x03\xe2\x03", "C-c C-c C-c C-c C-c " },
	{ "\x1b[200~a\x03\x04", "p:a C-c C-d " },
};

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keys k = KEYS_INIT;
		struct buf out = BUF_INIT;

		feed(&k, span_str(cases[i].in), &out);
		alone(&k, &out);
		is_buf(&out, cases[i].want, "case %zu", i);
		ok(!keys_waiting(&k), "and nothing is held");
		buf_release(&out);
	}
}

/* A pause may fall anywhere. What was held then is gone or an Escape, and the parser is
 * ready for text. */
static void test_pauses(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t at = 0, n = strlen(cases[i].in); at <= n; at++) {
			struct keys k = KEYS_INIT;
			struct buf out = BUF_INIT;

			feed(&k, (struct span){ cases[i].in, at }, &out);
			alone(&k, &out);
			buf_clear(&out);
			feed(&k, span_str("\x1b[201~x"), &out); /* which ends a paste */
			if (!span_eq(buf_span(&out), "x ") && !bad++)
				tap_quote(cases[i].in, buf_span(&out));
			buf_release(&out);
		}
	is_int(bad, 0, "after a pause at any byte of any case, a letter is a letter");
}

static void test_escape(void)
{
	struct keys k = KEYS_INIT;
	struct buf out = BUF_INIT;

	feed(&k, span_str("\x1b"), &out);
	is_buf(&out, "", "an Escape is held");
	ok(keys_waiting(&k), "and waited for");
	alone(&k, &out);
	is_buf(&out, "esc ", "until nothing follows");
	feed(&k, span_str("[A"), &out);
	is_buf(&out, "esc [ A ", "what comes later is text");
	buf_clear(&out);
	feed(&k, span_str("\x1b[200~\x1b"), &out);
	alone(&k, &out);
	is_buf(&out, "", "an Escape in a paste is no key");
	buf_release(&out);
}

int main(void)
{
	test_cases();
	test_pauses();
	test_escape();
	return tap_end();
}
