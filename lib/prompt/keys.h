/*
 * Keys, from the bytes that a terminal sends in its raw mode (ECMA-48, xterm's ctlseqs).
 *
 * The parser is fed and never reads: each byte brings at most one key. What it does not
 * know it passes over whole, so that no piece of a sequence is taken for text.
 *
 * A lone Escape looks like the beginning of a sequence. While keys_waiting(), the caller
 * waits KEYS_ALONE_MS at most for another byte; when none comes, keys_alone() says what it
 * was after all.
 *
 *	struct keys k = KEYS_INIT;
 *	if (keys_feed(&k, byte, &key)) …
 *	n = poll(…, keys_waiting(&k) ? KEYS_ALONE_MS : -1);
 *	if (n == 0 && keys_alone(&k, &key)) …
 *
 * Ctrl-C is a key wherever it stands, in the middle of a sequence and of a paste, too: it
 * is the way out. What is pasted comes as characters with `pasted` set, its line ends and
 * tabs among them, and so cannot act as a key.
 */
#ifndef PROMPT_KEYS_H
#define PROMPT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_ALONE_MS 100 /* over a slow line the pieces of a sequence come apart */

/* Turns bracketed paste on and off. */
#define KEYS_PASTE_ON "\033[?2004h"
#define KEYS_PASTE_OFF "\033[?2004l"

enum key_kind {
	KEY_CHAR, /* c is the character: printable; of a paste also '\n' and '\t' */
	KEY_CTRL, /* c is what is held with Ctrl: 'a' to 'z', or one of @ \ ] ^ _ */
	KEY_ENTER,
	KEY_TAB,
	KEY_ESC,
	KEY_BACKSPACE,
	KEY_DELETE,
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
};

struct key {
	enum key_kind kind;
	uint32_t c;
	bool alt;    /* with Alt, or after an Escape */
	bool pasted;
};

struct keys {
	enum keys_state {
		KEYS_GROUND,
		KEYS_ESC,        /* after an Escape */
		KEYS_CSI,        /* after Escape [ */
		KEYS_CSI_LINUX,  /* after Escape [ [: a function key of the Linux console */
		KEYS_SS3,        /* after Escape O */
		KEYS_STRING,     /* in an answer or a title, up to its end */
		KEYS_STRING_ESC, /* … which may have begun */
	} state;
	bool alt, paste, paste_cr;
	bool odd;           /* the sequence has what none of ours has */
	unsigned params[2], nparams;
	char held[4];       /* the beginning of a character */
	size_t nheld;
};

#define KEYS_INIT { .state = KEYS_GROUND }

/* True when the byte completes a key. */
bool keys_feed(struct keys *k, unsigned char byte, struct key *key);
bool keys_waiting(const struct keys *k);
/* Nothing has followed: true when what was held is a key by itself. */
bool keys_alone(struct keys *k, struct key *key);

#endif
