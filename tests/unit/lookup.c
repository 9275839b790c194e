#include "base/lookup.h"

#include "tap.h"

static size_t found(const struct lookup *l, uint64_t hash, size_t *first, size_t *last)
{
	struct lookup_at at = lookup_begin(l, hash);
	size_t i, n = 0;

	while (lookup_next(l, &at, &i)) {
		if (!n++)
			*first = i;
		*last = i;
	}
	return n;
}

/* Those of the last slot go on in the first ones. */
static void test_wrapped(void)
{
	struct lookup l = LOOKUP_INIT;
	struct err e = ERR_INIT;
	size_t wrong = 0;

	for (size_t i = 0; i < 1000; i++) {
		struct lookup_at at = lookup_begin(&l, UINT64_MAX);
		size_t got;

		for (size_t k = 0; k < i; k++)
			wrong += !lookup_next(&l, &at, &got) || got != k;
		wrong += lookup_next(&l, &at, &got) || lookup_add(&l, UINT64_MAX, i, &e) < 0;
	}
	ok(!wrong, "those of the last slot stay in their order while the table grows");
	lookup_release(&l);
}

int main(void)
{
	struct lookup l = LOOKUP_INIT;
	struct err e = ERR_INIT;
	size_t first = 0, last = 0, wrong = 0;

	ok(found(&l, 7, &first, &last) == 0, "nothing in an empty one");
	for (size_t i = 0; i < 10000; i++) /* neighbours of one slot, too */
		wrong += lookup_add(&l, i % 2 ? UINT64_C(0x9e3779b97f4a7c15) * i : i % 100 * 65536, i, &e) < 0;
	ok(!wrong, "10,000 are added");
	for (size_t i = 1; i < 10000; i += 2)
		wrong += found(&l, UINT64_C(0x9e3779b97f4a7c15) * i, &first, &last) != 1 || first != i;
	ok(!wrong, "each one is found by its own hash");
	ok(found(&l, 4 * 65536, &first, &last) == 100 && first == 4 && last == 9904,
	   "all of one hash are found, in their order");
	ok(found(&l, 12345, &first, &last) == 0, "a hash that nothing has");
	lookup_release(&l);
	test_wrapped();
	return tap_end();
}
