/* What single models do not take, and what is made of it. */
#include "provider/fit.h"

#include "adapter.h"

struct fitted {
	const char *provider, *model;
	const char *set[4];  /* ends with NULL */
	const char *want[4]; /* key and value, of what is left of the set ones, in pairs; ends with NULL */
	const char *notice;
	bool reasoning;
};

static const struct fitted cases[] = {
	/* sampling */
	{ "anthropic", "claude-opus-5-5", { "temperature=0" }, { NULL }, "claude-opus-5-5 does not accept temperature; it is not sent\n", false },
	{ "anthropic", "claude-opus-4-7-20260416", { "top_p=0.5", "top_k=5" }, { NULL },
	  "claude-opus-4-7-20260416 does not accept top_p; it is not sent\nclaude-opus-4-7-20260416 does not accept top_k; it is not sent\n", false },
	{ "anthropic", "anthropic/claude-sonnet-5.5", { "temperature=1" }, { NULL }, "does not accept temperature", false },
	{ "anthropic", "claude-fable-5-2", { "temperature=1" }, { NULL }, "does not accept temperature", false },
	{ "anthropic", "claude-opus-4-6", { "temperature=0" }, { "temperature", "0" }, "", false },
	{ "anthropic", "claude-opus-4-6", { "temperature=0" }, { NULL }, "does not accept temperature while it reasons; it is not sent\n", true },
	{ "anthropic", "claude-opus-4-6", { "temperature=0", "reasoning_effort=none" }, { "temperature", "0", "reasoning_effort", "\"none\"" }, "", true },
	{ "anthropic", "claude-haiku-4-5", { "temperature=0", "top_p=0.5" }, { "temperature", "0" }, "claude-haiku-4-5 does not accept top_p together with temperature; it is not sent\n", false },
	{ "anthropic", "claude-3-haiku-20240307", { "temperature=0", "top_p=0.5" }, { "temperature", "0", "top_p", "0.5" }, "", true },
	{ "anthropic", "qwen3", { "temperature=0" }, { "temperature", "0" }, "", true },
	{ "openai", "gpt-6.2-sol", { "temperature=0", "top_p=1" }, { NULL }, "gpt-6.2-sol does not accept temperature; it is not sent\ngpt-6.2-sol does not accept top_p; it is not sent\n", false },
	{ "openai", "o3-mini", { "temperature=0" }, { NULL }, "o3-mini does not accept temperature; it is not sent\n", false },
	{ "openai", "gpt-4.1-mini", { "temperature=0" }, { "temperature", "0" }, "", false },
	{ "openai", "gpt-5.2", { "temperature=0" }, { "temperature", "0" }, "", false },
	{ "openai", "gpt-5.2", { "temperature=0", "reasoning_effort=low" }, { "reasoning_effort", "\"low\"" }, "gpt-5.2 does not accept temperature while it reasons", false },
	{ "openai", "gpt-6-sol", { "temperature=0" }, { NULL }, "gpt-6-sol does not accept temperature while it reasons", false },
	{ "openai", "gpt-6-sol", { "temperature=0", "reasoning_effort=none" }, { "temperature", "0", "reasoning_effort", "\"none\"" }, "", false },
	{ "google", "gemini-3.8-flash", { "temperature=0" }, { "temperature", "0" }, "", false },
	{ "openai-compatible", "gpt-6.2-sol", { "temperature=0", "reasoning_effort=none" }, { "temperature", "0", "reasoning_effort", "\"none\"" }, "", false },
	/* efforts */
	{ "openai", "gpt-6.2-sol", { "reasoning_effort=none" }, { "reasoning_effort", "\"low\"" }, "gpt-6.2-sol has no reasoning_effort 'none'; 'low' is sent instead\n", false },
	{ "openai", "gpt-6.2-sol", { "reasoning_effort=max" }, { "reasoning_effort", "\"max\"" }, "", false },
	{ "openai", "gpt-5.1", { "reasoning_effort=minimal" }, { "reasoning_effort", "\"low\"" }, "'low' is sent instead", false },
	{ "openai", "gpt-5-mini", { "reasoning_effort=none" }, { "reasoning_effort", "\"minimal\"" }, "'minimal' is sent instead", false },
	{ "openai", "gpt-5-mini-2025-08-07", { "reasoning_effort=max" }, { "reasoning_effort", "\"high\"" }, "'high' is sent instead", false },
	{ "openai", "gpt-5-pro", { "reasoning_effort=low" }, { "reasoning_effort", "\"high\"" }, "'high' is sent instead", false },
	{ "openai", "openai/o4-mini", { "reasoning_effort=xhigh" }, { "reasoning_effort", "\"high\"" }, "'high' is sent instead", false },
	{ "openai", "gpt-4o", { "reasoning_effort=low" }, { NULL }, "gpt-4o does not accept reasoning_effort; it is not sent\n", false },
	{ "openai", "gpt-4o", { "reasoning_effort=none" }, { NULL }, "", false },
	{ "openai", "gpt-6.3", { "reasoning_effort=none" }, { "reasoning_effort", "\"none\"" }, "", false },
	{ "openai", "gpt-6.2-sol", { "reasoning_effort=hot" }, { "reasoning_effort", "\"hot\"" }, "", false },
	{ "anthropic", "claude-opus-5-5", { "reasoning_effort=none" }, { "reasoning_effort", "\"low\"" }, "'low' is sent instead", false },
	{ "anthropic", "claude-opus-5", { "reasoning_effort=none" }, { "reasoning_effort", "\"none\"" }, "", false },
	{ "anthropic", "claude-opus-5", { "reasoning_effort=minimal" }, { "reasoning_effort", "\"low\"" }, "'low' is sent instead", false },
	{ "anthropic", "claude-sonnet-4-6", { "reasoning_effort=xhigh" }, { "reasoning_effort", "\"max\"" }, "'max' is sent instead", false },
	{ "anthropic", "claude-3-5-haiku-latest", { "reasoning_effort=high" }, { NULL }, "does not accept reasoning_effort", false },
	{ "google", "gemini-3-pro-preview", { "reasoning_effort=medium" }, { "reasoning_effort", "\"high\"" }, "'high' is sent instead", false },
	{ "google", "gemini-3.8-flash", { "reasoning_effort=minimal" }, { "reasoning_effort", "\"low\"" }, "'low' is sent instead", false },
	{ "google", "models/gemini-2.5-pro", { "reasoning_effort=none" }, { "reasoning_effort", "\"minimal\"" }, "'minimal' is sent instead", false },
	{ "google", "gemini-2.5-flash", { "reasoning_effort=max" }, { "reasoning_effort", "\"high\"" }, "'high' is sent instead", false },
	{ "google", "gemma-3-27b-it", { "reasoning_effort=low" }, { NULL }, "does not accept reasoning_effort", false },
};

static void is_fitted(const struct fitted *c)
{
	struct params p = PARAMS_INIT;
	struct buf notices = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n = 0;

	params_of(&p, c->set);
	is_int(fit_params(&p, c->provider, c->model, c->reasoning, &notices, &e), 0, "%s: %s", c->model, c->set[0]);
	for (; n < 4 && c->want[n]; n += 2)
		is_span(params_get(&p, c->want[n]), c->want[n + 1], "%s", c->want[n]);
	is_int((int64_t)p.n, (int64_t)n / 2, "and no other");
	ok(*c->notice ? strstr(notices.p, c->notice) != NULL : !notices.n, "it is told: %s", notices.p);
	buf_release(&notices);
	params_release(&p);
}

static void test_names(void)
{
	static const char *const claudes[][2] = {
		{ "claude-opus-4-5", "claude-opus-4-5" }, { "anthropic/claude-opus-4.5", "claude-opus-4-5" },
		{ "us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307-v1" },
		{ "claude-3-haiku@20240307", "claude-3-haiku" }, { "qwen3:4b", "qwen3:4b" },
	};
	char room[FIT_NAME];

	for (size_t i = 0; i < sizeof(claudes) / sizeof(claudes[0]); i++) {
		struct span copy = exact(span_str(claudes[i][0]));

		is_span(fit_claude_name(copy, room), claudes[i][1], "%s", claudes[i][0]);
		drop(copy);
	}
	is_span(fit_plain_name(span_str("openai/gpt-5")), "gpt-5", "without the maker");
	is_span(fit_plain_name(span_str("ft:gpt-4o:me::1")), "gpt-4o:me::1", "without the mark of a fine-tuned one");
	ok(!fit_has_system("google", "gemma-3-27b-it") && !fit_has_system("google", "models/gemma-3n-e4b-it") &&
	   !fit_has_system("google", "gemma-2-9b") && !fit_has_system("openai", "o1-mini"), "no system instruction");
	ok(fit_has_system("google", "gemma-4-31b-it") && fit_has_system("google", "gemini-3.8-flash") &&
	   fit_has_system("openai", "o1") && fit_has_system("openai-compatible", "gemma-3-27b-it"), "one");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_fitted(&cases[i]);
	test_names();
	return tap_end();
}
