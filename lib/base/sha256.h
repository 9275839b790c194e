/*
 * SHA-256 (FIPS 180-4, section 6.2), fed in pieces.
 *
 * Our own, because libcrypto would cost each start of each tool milliseconds, for a hundred
 * lines that never change.
 *
 *	struct sha256 s = SHA256_INIT;
 *	sha256_feed(&s, piece);			— as often as there are some
 *	sha256_end(&s, hex);
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct sha256 {
	uint32_t h[8];
	uint64_t n; /* bytes fed so far */
	unsigned char block[64];
};
#define SHA256_INIT                                                                                \
	{ { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,    \
	    0x5be0cd19 }, 0, { 0 } }

#define SHA256_HEX 65 /* bytes of a digest in text, with the NUL */

void sha256_feed(struct sha256 *s, struct span piece);
/* The digest in lower-case hexadecimal digits. `s` is spent. */
void sha256_end(struct sha256 *s, char hex[SHA256_HEX]);

/* Of bytes that are all there. */
void sha256_hex(struct span bytes, char hex[SHA256_HEX]);
/* Whether a text has the form of a digest. */
bool sha256_valid(struct span hex);

#endif
