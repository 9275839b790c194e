/* Data for tests: numbers that are the same in each run, copies with no room around. */
#ifndef UNIT_DATA_H
#define UNIT_DATA_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* splitmix64 */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline size_t rnd_below(uint64_t *state, size_t n)
{
	return (size_t)(rnd(state) % n);
}

/* The same bytes in memory of their own, just as large: ASan sees a read past them.
 * The caller frees it. */
static inline struct span exact(struct span s)
{
	char *p = malloc(s.n);

	if (!p)
		abort();
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct span){ p, s.n };
}

static inline void drop(struct span s)
{
	free((void *)s.p);
}

#endif
