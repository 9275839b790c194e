/*
 * What a text at the prompt is, and when the Enter key ends it. Pure rules, the same with
 * readline and without.
 *
 * A text that begins with """ goes on as long as the number of """ in it is odd; so code
 * that has pairs of them may be put in. Any other text goes on when it ends with a
 * backslash that no backslash quotes.
 */
#ifndef PROMPT_EDIT_TEXT_H
#define PROMPT_EDIT_TEXT_H

#include "base/buf.h"

enum edit_enter {
	EDIT_ENDS,      /* it is whole */
	EDIT_BACKSLASH, /* its last byte, a backslash, becomes a newline */
	EDIT_QUOTED,    /* a newline is put in: it is between """ and """ */
};
enum edit_enter edit_text_enter(struct span text);

/* The prompt that a whole text is: without """ around it, and without newlines at its end.
 * *quoted says whether it was between these. */
struct span edit_text_prompt(struct span text, bool *quoted);

#endif
