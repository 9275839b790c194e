/*
 * lib/tty/keys. The input is what a terminal sends, or anybody who writes to it.
 *
 * Properties: a character is printable (or, of a paste, white space) and none of a paste is
 * anything else; each Ctrl-C is told, and no other byte is; text without controls comes as it
 * is; whatever came, an end of a paste and a letter are that letter, and nothing is held.
 */
#include "prompt/keys.h"

#include "base/utf8.h"
#include "fuzz.h"

static void check_key(const struct key *key)
{
	bool white = key->pasted && (key->c == '\n' || key->c == '\t');

	must(key->kind <= KEY_END, "kind %d", key->kind);
	must(!key->pasted || (key->kind == KEY_CHAR && !key->alt), "kind %d of a paste", key->kind);
	if (key->kind == KEY_CHAR)
		must(white || (key->c >= 0x20 && key->c != 0x7f && (key->c < 0x80 || key->c >= 0xa0) &&
		               key->c <= 0x10ffff && (key->c < 0xd800 || key->c > 0xdfff)),
		     "U+%04X", (unsigned)key->c);
	else
		must(key->kind == KEY_CTRL ? key->c >= '@' && key->c <= 'z' : key->c == 0, "U+%04X",
		     (unsigned)key->c);
}

static bool is_ctrl_c(const struct key *key)
{
	return key->kind == KEY_CTRL && key->c == 'c';
}

static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ||
		    (text.p[i] == '\xc2' && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0))
			return false;
	return utf8_valid(text.p, text.n) == text.n;
}

static void check_end(struct keys *k)
{
	static const char end[] = "\033[201~x";
	struct key key = { 0 };

	for (size_t i = 0; end[i]; i++)
		must(keys_feed(k, (unsigned char)end[i], &key) == (end[i] == 'x'), "byte %zu", i);
	must(key.kind == KEY_CHAR && key.c == 'x' && !key.alt && !key.pasted, "U+%04X",
	     (unsigned)key.c);
	must(!keys_waiting(k), "nothing is held");
}

/* With a pause before byte `pause`. */
static void check(struct span text, size_t pause)
{
	struct keys k = KEYS_INIT;
	struct buf seen = BUF_INIT;
	struct key key;

	for (size_t i = 0; i < text.n; i++) {
		if (i == pause && keys_alone(&k, &key))
			must(key.kind == KEY_ESC, "kind %d", key.kind);
		if (!keys_feed(&k, (unsigned char)text.p[i], &key)) {
			must(text.p[i] != 3, "Ctrl-C is a key");
			continue;
		}
		check_key(&key);
		must((text.p[i] == 3) == is_ctrl_c(&key), "byte %d", text.p[i]);
		if (key.kind == KEY_CHAR)
			utf8_add(&seen, key.c);
	}
	if (is_plain(text) && pause >= text.n)
		must_be_same(buf_span(&seen), text, "text");
	keys_alone(&k, &key);
	check_end(&k);
	buf_release(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });

	for (size_t pause = size; pause <= size && pause + 64 > size; pause--)
		check(text, pause);
	drop(text);
	return 0;
}
