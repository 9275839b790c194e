#include "provider/provider.h"

#include "tap.h"

static void test_find(void)
{
	struct err e = ERR_INIT;

	for (const struct provider *const *p = providers; *p; p++) {
		ok(provider_find((*p)->name, &e) == *p, "found by its name: %s", (*p)->name);
		ok((*p)->summary && (*p)->summary[0], "it says what it is");
		ok((*p)->local || ((*p)->base_url && (*p)->request && (*p)->event && (*p)->whole && (*p)->end &&
		                   (*p)->problem), "it has all that is called");
	}
	ok(!provider_find("ecko", &e), "none of that name");
	is_err(&e, ERR_USAGE, "unknown provider 'ecko'; did you mean 'echo'?", "names the nearest");
	err_clear(&e);
	ok(!provider_find("frobnicate", &e), "nor of that");
	is_err(&e, ERR_USAGE, "there are: openai-compatible, echo", "names all");
	err_clear(&e);
	ok(!provider_find("", &e), "nor of no name");
	is_int(e.kind, ERR_USAGE, "a usage error");
	err_clear(&e);
	ok(!provider_find("Echo ", &e) && !provider_find("ech", &e), "nor by a part of one");
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
