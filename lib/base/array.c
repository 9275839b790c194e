#include "base/array.h"

#include <stdlib.h>

void *array_room(void *p, size_t n, size_t *cap, size_t size, struct err *e)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *grown;

	if (n < *cap)
		return p;
	grown = realloc(p, more * size);
	if (!grown) {
		err_oom(e);
		return NULL;
	}
	*cap = more;
	return grown;
}
