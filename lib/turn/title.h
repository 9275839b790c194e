/* A title for a conversation, asked of the model that it is with. */
#ifndef TURN_TITLE_H
#define TURN_TITLE_H

#include "turn/aside.h"

#define TITLE_MAX 80 /* characters of one that a model finds */

/* Adds one for a conversation that begins with this exchange to `title`, and what finding it cost
 * to *usage. `client` is open. A reply of which no title can be made is ERR_NETWORK. */
int title_ask(struct buf *title, struct usage *usage, const struct client *client, const char *model,
              const struct exchange *x, struct err *e);

/* Adds the title that is in a reply: its first line, without marks around it, on one line. */
void title_clean(struct buf *title, struct span reply);

#endif
