/*
 * A text in the user's editor: $VISUAL, else $EDITOR, else vi, on a private file whose name
 * ends in .md. The value is a shell's, so it may have arguments: "code --wait".
 */
#ifndef PROMPT_EDITOR_H
#define PROMPT_EDITOR_H

#include "base/buf.h"

/*
 * Fills *out with what was saved, without newlines at its end. The terminal must be as the
 * shell left it, and is so again afterwards. `envp` is the editor's environment. When the
 * editor fails, or leaves what is no text, that is an error, which names the file if
 * there is something in it that was not there before.
 */
int editor_edit(struct span text, char *const *envp, struct buf *out, struct err *e);

#endif
