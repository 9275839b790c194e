/* HTML's character references ("&amp;", "&#x2014;"), which Markdown has too. */
#ifndef MARKDOWN_ENTITY_H
#define MARKDOWN_ENTITY_H

#include "base/buf.h"

/* Adds what one stands for, made harmless for a terminal; one that is not known as it is. */
void entity_add(struct buf *b, struct span entity);

#endif
