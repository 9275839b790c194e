/*
 * Translates the reasons why a reply ended to those of Chat Completions.
 *
 * Gateways pass on one vendor's words in another vendor's protocol, so all protocols share one table.
 * Sources, as of November 2026: the references that the adapters name; docs.mistral.ai and
 * api-docs.deepseek.com (finish_reason), docs.cohere.com (finish_reason), docs.x.ai,
 * docs.aws.amazon.com Bedrock "Converse" (stopReason), docs.z.ai "Chat Completion",
 * github.com/huggingface/text-generation-inference, github.com/sgl-project/sglang,
 * github.com/vllm-project/vllm, the types of LM Studio's lmstudio-js.
 */
#include "provider/provider.h"

#define FAILED ""
#define NOTHING NULL

/* In lower case. Underscores do not count: max_tokens is also MAX-TOKENS and maxTokens. */
static const struct {
	const char *vendor_word;
	const char *word; /* FAILED: the server broke off the reply; NOTHING: the word has no meaning */
} known[] = {
	{ "stop", FINISH_STOP },
	{ "end_turn", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "completed", FINISH_STOP },
	{ "complete", FINISH_STOP },
	{ "eos", FINISH_STOP },
	{ "eos_token", FINISH_STOP },
	{ "endoftext", FINISH_STOP },
	{ "eosfound", FINISH_STOP },
	{ "stopstringfound", FINISH_STOP },

	{ "length", FINISH_LENGTH },
	{ "max_tokens", FINISH_LENGTH },
	{ "max_output_tokens", FINISH_LENGTH },
	{ "max_completion_tokens", FINISH_LENGTH },
	{ "max_new_tokens", FINISH_LENGTH },
	{ "max_length", FINISH_LENGTH },
	{ "max_len", FINISH_LENGTH },
	{ "max_context", FINISH_LENGTH },
	{ "model_length", FINISH_LENGTH },
	{ "model_context_window_exceeded", FINISH_LENGTH },
	{ "context_length", FINISH_LENGTH },
	{ "context_length_exceeded", FINISH_LENGTH },
	{ "token_limit", FINISH_LENGTH },
	{ "maxpredictedtokensreached", FINISH_LENGTH },
	{ "contextlengthreached", FINISH_LENGTH },

	{ "content_filter", FINISH_REFUSED },
	{ "content_filtered", FINISH_REFUSED },
	{ "guardrail_intervened", FINISH_REFUSED },
	{ "refusal", FINISH_REFUSED },
	{ "safety", FINISH_REFUSED },
	{ "sensitive", FINISH_REFUSED },
	{ "recitation", FINISH_REFUSED },
	{ "blocklist", FINISH_REFUSED },
	{ "prohibited_content", FINISH_REFUSED },
	{ "spii", FINISH_REFUSED },
	{ "language", FINISH_REFUSED },
	{ "escalation", FINISH_REFUSED },
	{ "error_toxic", FINISH_REFUSED },
	{ "image_safety", FINISH_REFUSED },
	{ "image_prohibited_content", FINISH_REFUSED },
	{ "image_recitation", FINISH_REFUSED },

	{ "tool_calls", FINISH_CALLS },
	{ "tool_call", FINISH_CALLS },
	{ "tool_use", FINISH_CALLS },
	{ "toolcalls", FINISH_CALLS },
	{ "function_call", FINISH_CALLS },
	{ "function_calls", FINISH_CALLS },

	{ "error", FAILED },
	{ "error_limit", FAILED },
	{ "failed", FAILED },
	{ "failure", FAILED },
	{ "abort", FAILED },
	{ "aborted", FAILED },
	{ "cancel", FAILED },
	{ "canceled", FAILED },
	{ "cancelled", FAILED },
	{ "user_cancel", FAILED },
	{ "userstopped", FAILED },
	{ "modelunloaded", FAILED },
	{ "interrupted", FAILED },
	{ "overloaded", FAILED },
	{ "engine_overloaded", FAILED },
	{ "unavailable", FAILED },
	{ "service_unavailable", FAILED },
	{ "insufficient_system_resource", FAILED },
	{ "timeout", FAILED },
	{ "timed_out", FAILED },
	{ "time_limit", FAILED },
	{ "malformed_function_call", FAILED },
	{ "malformed_tool_use", FAILED },
	{ "malformed_response", FAILED },
	{ "malformed_model_output", FAILED },
	{ "missing_thought_signature", FAILED },
	{ "too_many_tool_calls", FAILED },
	{ "unexpected_tool_call", FAILED },

	{ "unspecified", NOTHING },
	{ "null", NOTHING },
	{ "none", NOTHING },
};

static bool is_separator(char c)
{
	return c == '_' || c == '-' || c == ' ';
}

static char small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many bytes at the beginning of `s` spell `with`, with any separators; 0: others. */
static size_t begins(struct span s, const char *with)
{
	size_t i = 0;

	for (; *with; with++) {
		if (is_separator(*with))
			continue;
		while (i < s.n && is_separator(s.p[i]))
			i++;
		if (i == s.n || small(s.p[i++]) != *with)
			return 0;
	}
	return i;
}

/* Removes the name of the enumeration: FinishReason.STOP, FINISH_REASON_STOP, REASON_MAX_LEN. */
static struct span bare(struct span word)
{
	static const char *const before[] = { "finish_reason", "reason", NULL };

	word = span_trim(word, SPAN_WHITE);
	for (const char *const *b = before; *b; b++) {
		size_t n = begins(word, *b);

		if (n && n < word.n && (word.p[n] == '.' || is_separator(word.p[n])))
			word = (struct span){ word.p + n + 1, word.n - n - 1 };
	}
	return word;
}

/* The index in the table, or its size. */
static size_t find_known(struct span word)
{
	size_t i = 0;

	word = bare(word);
	while (i < sizeof(known) / sizeof(known[0]) && (!word.n || begins(word, known[i].vendor_word) != word.n))
		i++;
	return i;
}

/* Gateways invent names for failures: upstream_error, apiError. */
static bool is_error(struct span word)
{
	word = bare(word);
	return word.n > 5 && begins((struct span){ word.p + word.n - 5, 5 }, "error");
}

struct span finish_word(struct span reason)
{
	size_t i = find_known(reason);

	if (i == sizeof(known) / sizeof(known[0]))
		return bare(reason);
	if (known[i].word == NOTHING)
		return (struct span){ "", 0 };
	return known[i].word[0] ? span_str(known[i].word) : bare(reason);
}

enum finish_kind finish_kind(struct span word)
{
	size_t i = find_known(word);

	if (!bare(word).n)
		return FINISH_KNOWN;
	if (i == sizeof(known) / sizeof(known[0]))
		return is_error(word) ? FINISH_FAILURE : FINISH_UNKNOWN;
	return known[i].word == NOTHING || known[i].word[0] ? FINISH_KNOWN : FINISH_FAILURE;
}
