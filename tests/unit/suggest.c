#include "base/suggest.h"

#include <stdint.h>

#include "tap.h"

static size_t edits(const char *a, const char *b)
{
	return suggest_edits(span_str(a), span_str(b));
}

static size_t part(const char *a, const char *b)
{
	return suggest_edits_in(span_str(a), span_str(b));
}

static void test_edits(void)
{
	char word[SUGGEST_WORD_MAX + 2];

	is_int((int64_t)edits("", ""), 0, "nothing of nothing");
	is_int((int64_t)edits("", "abc"), 3, "three letters more");
	is_int((int64_t)edits("abc", ""), 3, "three less");
	is_int((int64_t)edits("abcd", "abd"), 1, "one less");
	is_int((int64_t)edits("abcd", "abxd"), 1, "another one");
	is_int((int64_t)edits("abcd", "acbd"), 1, "neighbours swapped");
	is_int((int64_t)edits("kitten", "sitting"), 3, "the classic");
	is_int((int64_t)part("gpt5", "gpt5mini"), 0, "a beginning is a part");
	is_int((int64_t)part("mini", "gpt5mini"), 0, "so is an end");
	is_int((int64_t)part("5m", "gpt5mini"), 0, "and what is between");
	is_int((int64_t)part("gtp5", "gpt5mini"), 1, "a slip in a part");
	is_int((int64_t)part("abc", ""), 3, "no part of nothing");
	is_int((int64_t)part("", "abc"), 0, "nothing is a part of anything");
	is_int((int64_t)part("xyz", "abc"), 3, "and the empty part is one");
	memset(word, 'a', sizeof(word));
	word[SUGGEST_WORD_MAX] = '\0';
	is_int((int64_t)edits(word, word + 1), 1, "the longest that is compared");
	word[SUGGEST_WORD_MAX] = 'a';
	word[SUGGEST_WORD_MAX + 1] = '\0';
	ok(edits(word, "a") == SIZE_MAX && edits("a", word) == SIZE_MAX, "and a longer one is not");
	ok(part(word, "a") == SIZE_MAX && part("a", word) == SIZE_MAX, "nor for its parts");
}

static void test_name(void)
{
	static const char *const names[] = { "session-ls", "session-cat", "session-rm", "chat", NULL };
	static const char *const none[] = { NULL };
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "session-sl", "session-ls" },
		{ "sesion-cat", "session-cat" },
		{ "chat", "chat" },
		{ "caht", "chat" },
		{ "chaat", "chat" },
		{ "CHAT", "" },
		{ "frobnicate", "" },
		{ "", "" },
	};
	static const char *const pair[] = { "ls", NULL };
	char word[500];

	is_str(suggest_name("sl", pair) ? "ls" : "", "ls", "swapped neighbours are one slip, not two");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *suggestion = suggest_name(cases[i].word, names);

		is_str(suggestion ? suggestion : "", cases[i].want, "nearest to '%s'", cases[i].word);
	}
	ok(!suggest_name("chat", none), "nearest of none");
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ok(!suggest_name(word, names), "a word that is far too long");
	word[63] = '\0';
	is_str(suggest_name(word, (const char *const[]){ "x", word + 1, NULL }), word + 1,
	       "63 characters, one letter away");
}

int main(void)
{
	test_edits();
	test_name();
	return tap_end();
}
