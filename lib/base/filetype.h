/*
 * What a file is, by what is in it: its name says nothing.
 *
 * Known are what models take: images by their signatures (PNG, 3rd edition, 5.2; JPEG,
 * ITU-T T.81, B.1.1.3: SOI and the next marker; GIF 87a and 89a, section 17; WebP, RFC 9649,
 * 2.4), PDF (ISO 32000, 7.5.2), and text: UTF-8 without the control characters that no
 * editor or terminal writes.
 */
#ifndef BASE_FILETYPE_H
#define BASE_FILETYPE_H

#include "base/buf.h"

/* The MIME type, a constant: image/png, image/jpeg, image/gif, image/webp, application/pdf
 * or text/plain. NULL and an error of kind ERR_USAGE, a sentence's end, when it is none of
 * these, or empty. */
const char *filetype_of(struct span bytes, struct err *e);
/* Whether it is text except for bytes that are not UTF-8. UTF-16 does not count as text. */
bool filetype_is_broken_text(struct span bytes);

#endif
