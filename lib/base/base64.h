/* Base64, RFC 4648, section 4: with padding, on one line. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Adds the bytes in base64. */
void base64_add(struct buf *b, struct span bytes);

#endif
