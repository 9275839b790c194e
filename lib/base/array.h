/* Room for one more in an array that grows. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

#include "base/err.h"

/*
 * Returns the array `p` of `n` elements of `size` bytes with room for another: grown,
 * and so perhaps moved, when *cap elements were all it could hold. NULL with "out of
 * memory" in `e`; `p` is then as it was.
 *
 *	struct x *v = array_room(list->v, list->n, &list->cap, sizeof(*v), e);
 *	if (!v)
 *		return -1;
 *	list->v = v;
 *	v[list->n++] = …;
 */
void *array_room(void *p, size_t n, size_t *cap, size_t size, struct err *e);

#endif
