/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Decodes the character at `p`. Returns its length in bytes (1–4) and sets *cp;
 * 0 when the `n` bytes are the beginning of a character that may still be
 * completed; -1 when they are not UTF-8.
 */
int utf8_decode(const char *p, size_t n, uint32_t *cp);

/* Adds the character `cp`, which is no surrogate. */
void utf8_add(struct buf *b, uint32_t cp);

/* The offset of the first byte that is not UTF-8, or `n` when all are. */
size_t utf8_valid(const char *p, size_t n);

/* Whether a terminal may obey this character: C0, DEL and C1 (ISO 6429). Tabs and line feeds are such
 * characters. And whether there is one in `s`. */
bool utf8_is_control(uint32_t cp);
bool utf8_has_control(struct span s);

/* Without the byte order mark that some editors and programs put before UTF-8. */
struct span utf8_unmarked(struct span s);
/* The same in its own place. */
void utf8_drop_mark(struct buf *b);

/*
 * 0, or -1 and ERR_USAGE when `s` is not UTF-8. `what` is the subject of the sentence, which says
 * where the text is wrong (or that a byte order mark names another encoding), and how to convert it.
 */
int utf8_check(struct span s, const char *what, struct err *e);
/* "UTF-16" or "UTF-32", if a byte order mark says so; else NULL. */
const char *utf8_other_encoding(struct span s);

/* Adds `s` with each byte that is not UTF-8 replaced by U+FFFD. */
void utf8_add_clean(struct buf *b, struct span s);
/* The same in its own place, for what is too large to be there twice. */
void utf8_clean(struct buf *b);
/* How many bytes of `s` are not UTF-8. */
size_t utf8_bad(struct span s);

/* Whether there is nothing in `s` but white space, as Unicode defines it. */
bool utf8_is_blank(struct span s);

/* How many bytes of `s` are whole characters, or none: all but the beginning of one that is not
 * all there, as at the end of a piece. What is before it can be made clean by itself. */
size_t utf8_whole(struct span s);

/* The first `max` characters (not bytes) of `s`; *cut says whether there were more. */
struct span utf8_head(struct span s, size_t max, bool *cut);

#endif
