#include "base/sha256.h"

#include <string.h>

/* FIPS 180-4, section 4.2.2. */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* Section 6.2.2, step 1. */
static void schedule(uint32_t w[64], const unsigned char *p)
{
	for (int t = 0; t < 16; t++, p += 4)
		w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (int t = 16; t < 64; t++) {
		uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* One round of step 3, but for the letters' moving on: the caller's order of them does that. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
	do {                                                                                       \
		uint32_t t1 = (h) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +                     \
		              ((g) ^ ((e) & ((f) ^ (g)))) + k[t] + w[t];                           \
		(d) += t1;                                                                         \
		(h) = t1 + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +                              \
		      (((a) & (b)) | ((c) & ((a) | (b))));                                         \
	} while (0)

/* Steps 2 to 4. */
static void take_block(uint32_t to[8], const unsigned char *p)
{
	uint32_t a = to[0], b = to[1], c = to[2], d = to[3], e = to[4], f = to[5], g = to[6], h = to[7];
	uint32_t w[64];

	schedule(w, p);
	for (int t = 0; t < 64; t += 8) {
		ROUND(a, b, c, d, e, f, g, h, t);
		ROUND(h, a, b, c, d, e, f, g, t + 1);
		ROUND(g, h, a, b, c, d, e, f, t + 2);
		ROUND(f, g, h, a, b, c, d, e, t + 3);
		ROUND(e, f, g, h, a, b, c, d, t + 4);
		ROUND(d, e, f, g, h, a, b, c, t + 5);
		ROUND(c, d, e, f, g, h, a, b, t + 6);
		ROUND(b, c, d, e, f, g, h, a, t + 7);
	}
	to[0] += a;
	to[1] += b;
	to[2] += c;
	to[3] += d;
	to[4] += e;
	to[5] += f;
	to[6] += g;
	to[7] += h;
}

void sha256_feed(struct sha256 *s, struct span piece)
{
	const unsigned char *p = (const unsigned char *)piece.p;
	size_t left = piece.n, have = s->n % 64;

	s->n += left;
	if (have) {
		size_t part = left < 64 - have ? left : 64 - have;

		memcpy(s->block + have, p, part);
		p += part;
		left -= part;
		if (have + part < 64)
			return;
		take_block(s->h, s->block);
	}
	for (; left >= 64; p += 64, left -= 64)
		take_block(s->h, p);
	if (left)
		memcpy(s->block, p, left);
}

/* A one, zeros, and the length in bits (section 5.1.1). */
static void pad(struct sha256 *s)
{
	unsigned char end[72] = { 0x80 };
	uint64_t bits = s->n * 8;
	size_t n = 1 + (119 - s->n % 64) % 64;

	for (int i = 0; i < 8; i++)
		end[n + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
	sha256_feed(s, (struct span){ (const char *)end, n + 8 });
}

void sha256_end(struct sha256 *s, char hex[SHA256_HEX])
{
	static const char digit[] = "0123456789abcdef";

	pad(s);
	for (int i = 0; i < 64; i++)
		hex[i] = digit[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
	hex[64] = '\0';
}

void sha256_hex(struct span bytes, char hex[SHA256_HEX])
{
	struct sha256 s = SHA256_INIT;

	sha256_feed(&s, bytes);
	sha256_end(&s, hex);
}

bool sha256_valid(struct span hex)
{
	for (size_t i = 0; i < hex.n; i++)
		if (!((hex.p[i] >= '0' && hex.p[i] <= '9') || (hex.p[i] >= 'a' && hex.p[i] <= 'f')))
			return false;
	return hex.n == SHA256_HEX - 1;
}
