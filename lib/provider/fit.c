#include "provider/fit.h"

#include <string.h>

#include "base/json.h"

/* When the model accepts temperature and top_p (and top_k). */
enum sampling {
	ALWAYS,
	NEVER,
	ONE,         /* one of the two */
	IF_NONE,     /* with the reasoning_effort none */
	IF_NO_EFFORT /* with none, or without an effort, which means the same */
};

/* From the least to the most. */
static const char *const words[] = { "none", "minimal", "low", "medium", "high", "xhigh", "max" };
#define WORDS (sizeof(words) / sizeof(words[0]))

#define NO_EFFORT ""
#define O_SERIES "low medium high"
#define ALL "none minimal low medium high xhigh max"

/*
 * The row with the longest name that begins the model's name counts. References, as of November
 * 2026: developers.openai.com/api, guides "Reasoning models" and "Using GPT-6.2", and the
 * models' own pages; platform.claude.com, build-with-claude/effort and …/thinking, and the
 * migration guides; ai.google.dev/gemini-api/docs/generate-content/thinking and
 * ai.google.dev/gemma/docs/core/prompt-structure.
 */
static const struct row {
	const char *provider, *name, *efforts;
	enum sampling sampling;
	bool no_system;
} table[] = {
	/* For the oldest of these, an effort is a budget of tokens. */
	{ "anthropic", "claude-instant", NO_EFFORT, ALWAYS, false },
	{ "anthropic", "claude-2", NO_EFFORT, ALWAYS, false },
	{ "anthropic", "claude-3", NO_EFFORT, ALWAYS, false },
	{ "anthropic", "claude-3-7-sonnet", ALL, ALWAYS, false },
	{ "anthropic", "claude-sonnet-4-0", ALL, ALWAYS, false },
	{ "anthropic", "claude-sonnet-4-20250514", ALL, ALWAYS, false },
	{ "anthropic", "claude-opus-4-0", ALL, ALWAYS, false },
	{ "anthropic", "claude-opus-4-20250514", ALL, ALWAYS, false },
	{ "anthropic", "claude-opus-4-1", ALL, ONE, false },
	{ "anthropic", "claude-sonnet-4-5", ALL, ONE, false },
	{ "anthropic", "claude-haiku-4-5", ALL, ONE, false },
	{ "anthropic", "claude-opus-4-5", ALL, ONE, false },
	{ "anthropic", "claude-sonnet-4-6", "none low medium high max", ONE, false },
	{ "anthropic", "claude-opus-4-6", "none low medium high max", ONE, false },
	{ "anthropic", "claude-opus-4-7", "none low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-opus-4-8", "none low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-opus-5", "none low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-sonnet-5", "none low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-haiku-5", "none low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-opus-5-5", "low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-sonnet-5-5", "low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-fable", "low medium high xhigh max", NEVER, false },
	{ "anthropic", "claude-mythos", "low medium high xhigh max", NEVER, false },

	{ "openai", "gpt-3.5", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-4", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-4o", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-4.1", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-4.5", NO_EFFORT, ALWAYS, false },
	{ "openai", "chatgpt-4o", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-oss", O_SERIES, ALWAYS, false },
	{ "openai", "o1", O_SERIES, NEVER, false },
	{ "openai", "o1-mini", NO_EFFORT, NEVER, true },
	{ "openai", "o1-preview", NO_EFFORT, NEVER, true },
	{ "openai", "o3", O_SERIES, NEVER, false },
	{ "openai", "o4", O_SERIES, NEVER, false },
	{ "openai", "gpt-5", "minimal low medium high", NEVER, false },
	{ "openai", "gpt-5-pro", "high", NEVER, false },
	{ "openai", "gpt-5-codex", O_SERIES, NEVER, false },
	{ "openai", "gpt-5-chat", NO_EFFORT, ALWAYS, false },
	{ "openai", "gpt-5.1", "none low medium high", IF_NO_EFFORT, false },
	{ "openai", "gpt-5.1-codex", O_SERIES, NEVER, false },
	{ "openai", "gpt-5.1-codex-max", "low medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.1-chat", "medium", ALWAYS, false },
	{ "openai", "gpt-5.2", "none low medium high xhigh", IF_NO_EFFORT, false },
	{ "openai", "gpt-5.2-pro", "medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.2-codex", "low medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.2-chat", "medium", ALWAYS, false },
	{ "openai", "gpt-5.3", "low medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.3-chat", "medium", ALWAYS, false },
	{ "openai", "gpt-5.4", "none low medium high xhigh", IF_NO_EFFORT, false },
	{ "openai", "gpt-5.4-pro", "medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.5", "none low medium high xhigh", IF_NONE, false },
	{ "openai", "gpt-5.5-pro", "medium high xhigh", NEVER, false },
	{ "openai", "gpt-5.6", "none low medium high xhigh max", IF_NONE, false },
	{ "openai", "gpt-6", "none low medium high xhigh max", IF_NONE, false },
	{ "openai", "gpt-6-astra", "low medium high xhigh max", NEVER, false },
	{ "openai", "gpt-6.1", "low medium high xhigh max", NEVER, false },
	{ "openai", "gpt-6.1-terra", "none low medium high xhigh max", IF_NONE, false },
	{ "openai", "gpt-6.2", "low medium high xhigh max", NEVER, false },

	/* Until 2.5 an effort is a budget of tokens; since 3 it is a level. */
	{ "google", "gemini-pro", NO_EFFORT, ALWAYS, true },
	{ "google", "gemini-1.0", NO_EFFORT, ALWAYS, true },
	{ "google", "gemini-1.5", NO_EFFORT, ALWAYS, false },
	{ "google", "gemini-2.0", NO_EFFORT, ALWAYS, false },
	{ "google", "gemini-2.5-pro", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-2.5-flash", "none minimal low medium high", ALWAYS, false },
	{ "google", "gemini-2.5-flash-lite", "none minimal low medium high", ALWAYS, false },
	{ "google", "gemini-3-pro", "low high", ALWAYS, false },
	{ "google", "gemini-3-flash", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-3.1-pro", "low medium high", ALWAYS, false },
	{ "google", "gemini-3.1-flash", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-3.5-flash", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-3.6-flash", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-3.7-flash", "low medium high", ALWAYS, false },
	{ "google", "gemini-3.8-flash", "low medium high", ALWAYS, false },
	{ "google", "gemini-4-argon", "low medium high", ALWAYS, false },
	{ "google", "gemini-flash-latest", "low medium high", ALWAYS, false },
	{ "google", "gemini-flash-lite-latest", "minimal low medium high", ALWAYS, false },
	{ "google", "gemini-pro-latest", "low medium high", ALWAYS, false },
	{ "google", "gemma-2", NO_EFFORT, ALWAYS, true },
	{ "google", "gemma-3", NO_EFFORT, ALWAYS, true },
	{ "google", "gemma-3n", NO_EFFORT, ALWAYS, true },
};

struct span fit_plain_name(struct span model)
{
	const char *slash = memrchr(model.p, '/', model.n);

	if (slash)
		model = (struct span){ slash + 1, (size_t)(model.p + model.n - slash - 1) };
	if (model.n > 3 && memcmp(model.p, "ft:", 3) == 0)
		model = (struct span){ model.p + 3, model.n - 3 };
	return model;
}

struct span fit_claude_name(struct span model, char room[FIT_NAME])
{
	const char *p = memmem(model.p, model.n, "claude-", 7);
	size_t n = 0;

	if (!p)
		return model;
	for (; p < model.p + model.n && n < FIT_NAME - 1 && *p != ':' && *p != '@'; p++)
		room[n++] = *p == '.' ? '-' : *p;
	return (struct span){ room, n };
}

/* NULL: an unknown model. */
static const struct row *find_row(const char *provider, const char *model)
{
	char room[FIT_NAME];
	struct span name = fit_plain_name(span_str(model));
	const struct row *best = NULL;
	size_t longest = 0;

	if (strcmp(provider, "anthropic") == 0)
		name = fit_claude_name(span_str(model), room);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].name);

		if (n <= longest || strcmp(table[i].provider, provider) != 0 || name.n < n ||
		    memcmp(name.p, table[i].name, n) != 0)
			continue;
		if (n < name.n && name.p[n] != '-' && name.p[n] != ':') /* gpt-6.3 is not gpt-6 */
			continue;
		best = &table[i];
		longest = n;
	}
	return best;
}

bool fit_reasons(const char *provider, const char *model)
{
	const struct row *row = find_row(provider, model);

	return !row || *row->efforts;
}

bool fit_has_system(const char *provider, const char *model)
{
	const struct row *row = find_row(provider, model);

	return !row || !row->no_system;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

/* The nearest effort that the model has; of two, the higher. */
static size_t nearest_effort(const char *efforts, size_t word)
{
	for (size_t by = 0; by < WORDS; by++) {
		if (word + by < WORDS && has_word(efforts, words[word + by]))
			return word + by;
		if (word >= by && has_word(efforts, words[word - by]))
			return word - by;
	}
	return word;
}

/* `json` is a string with its quotes. An unknown word is left to the server. */
static size_t find_word(struct span json)
{
	size_t i = 0;

	while (i < WORDS && !(json.n == strlen(words[i]) + 2 && memcmp(json.p + 1, words[i], json.n - 2) == 0))
		i++;
	return i;
}

static int fit_effort(struct params *p, const struct row *row, const char *model, struct buf *notices,
                      struct err *e)
{
	struct span set = params_get(p, "reasoning_effort");
	size_t word = set.p ? find_word(set) : WORDS, taken;
	struct buf json = BUF_INIT;
	int r;

	if (set.p && !*row->efforts) {
		params_drop(p, "reasoning_effort");
		/* A model that never reasons does what "none" asks for. */
		if (word != 0)
			buf_addf(notices, "%s does not accept reasoning_effort; it is not sent\n", model);
		return 0;
	}
	if (word == WORDS || (taken = nearest_effort(row->efforts, word)) == word)
		return 0;
	buf_addf(notices, "%s has no reasoning_effort '%s'; '%s' is sent instead\n", model, words[word],
	         words[taken]);
	json_add_str(&json, span_str(words[taken]));
	r = buf_check(&json, e) < 0 ? -1 : params_set(p, span_str("reasoning_effort"), buf_span(&json), e);
	buf_release(&json);
	return r;
}

static void drop_param(struct params *p, const char *key, const char *model, const char *when, struct buf *notices)
{
	if (!params_get(p, key).p)
		return;
	params_drop(p, key);
	buf_addf(notices, "%s does not accept %s%s; it is not sent\n", model, key, when);
}

static void fit_sampling(struct params *p, const struct row *row, const char *model, bool reasoning,
                         struct buf *notices)
{
	struct span effort = params_get(p, "reasoning_effort");
	bool none = span_eq(effort, "\"none\""), claude = strcmp(row->provider, "anthropic") == 0;
	enum sampling s = row->sampling;
	const char *when = s == NEVER ? "" : " while it reasons";

	if (s == ONE && params_get(p, "temperature").p && params_get(p, "top_p").p)
		drop_param(p, "top_p", model, " together with temperature", notices);
	if (claude && s != NEVER && *row->efforts && (effort.p ? !none : reasoning))
		s = NEVER; /* the model thinks */
	if ((s == IF_NONE && none) || (s == IF_NO_EFFORT && (none || !effort.p)) || s == ALWAYS || s == ONE)
		return;
	drop_param(p, "temperature", model, when, notices);
	drop_param(p, "top_p", model, when, notices);
	if (claude)
		drop_param(p, "top_k", model, when, notices);
}

int fit_params(struct params *p, const char *provider, const char *model, bool reasoning,
               struct buf *notices, struct err *e)
{
	const struct row *row = find_row(provider, model);

	if (!row)
		return 0;
	if (fit_effort(p, row, model, notices, e) < 0)
		return -1;
	fit_sampling(p, row, model, reasoning, notices);
	return buf_check(notices, e);
}
