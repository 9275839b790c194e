#include "provider/provider.h"

#include "tap.h"

static void test_find(void)
{
	for (const struct provider *const *p = providers; *p; p++) {
		ok(provider_find((*p)->name) == *p, "found by its name: %s", (*p)->name);
		ok((*p)->summary && (*p)->summary[0], "it says what it is");
		ok((*p)->local || ((*p)->base_url && (*p)->key_env && (*p)->key_header && (*p)->request &&
		                   (*p)->event && (*p)->whole && (*p)->end && (*p)->problem &&
		                   (*p)->models_url && (*p)->models), "it has all that is called");
	}
	ok(!provider_find("ecko") && !provider_find(""), "none of that name");
	ok(!provider_find("Echo ") && !provider_find("ech"), "nor by a part of one");
}

static void test_counts(void)
{
	struct exchange x = { .status = STATUS_COMPLETE, .answer = span_str("") };

	ok(exchange_counts(&x), "a complete one counts, though it is empty");
	x.status = STATUS_INTERRUPTED;
	ok(!exchange_counts(&x), "an interrupted one without an answer does not");
	x.answer = span_str("half");
	ok(exchange_counts(&x), "with a part of it, it does");
	x.status = STATUS_ERROR;
	ok(!exchange_counts(&x), "a failed one does not");
}

int main(void)
{
	test_find();
	test_counts();
	return tap_end();
}
