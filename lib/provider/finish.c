/*
 * Why a reply ended, in one vocabulary: that of Chat Completions.
 *
 * Gateways pass the words of one vendor on through the protocol of another, so one table
 * serves all protocols. Sources, as of November 2026: the references that the adapters name;
 * docs.mistral.ai and api-docs.deepseek.com (finish_reason), docs.cohere.com (finish_reason),
 * docs.x.ai, docs.aws.amazon.com Bedrock "Converse" (stopReason), docs.z.ai "Chat Completion",
 * github.com/huggingface/text-generation-inference, github.com/sgl-project/sglang,
 * github.com/vllm-project/vllm, the types of LM Studio's lmstudio-js.
 */
#include "provider/provider.h"

#define FAILED ""
#define NOTHING NULL

/* In small letters, with an underline where a vendor may also have a dash or a blank. */
static const struct {
	const char *theirs;
	const char *ours; /* FAILED: the reply was broken off; NOTHING: the word says nothing */
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
	{ "network_error", FAILED },
	{ "server_error", FAILED },
	{ "internal_error", FAILED },
	{ "insufficient_system_resource", FAILED },
	{ "timeout", FAILED },
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

static char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' || c == ' ' ? '_' : c;
}

static bool begins(struct span s, const char *with)
{
	size_t i = 0;

	while (i < s.n && with[i] && plain(s.p[i]) == with[i])
		i++;
	return !with[i];
}

/* What is left of a word without the name of the list that some put before it:
 * FinishReason.STOP, FINISH_REASON_STOP, REASON_MAX_LEN. */
static struct span bare(struct span word)
{
	static const char *const before[] = { "finishreason.", "finish_reason_", "reason_", NULL };

	while (word.n && memchr(" \t\r\n", word.p[0], 4))
		word = (struct span){ word.p + 1, word.n - 1 };
	while (word.n && memchr(" \t\r\n", word.p[word.n - 1], 4))
		word.n--;
	for (const char *const *b = before; *b; b++)
		if (begins(word, *b))
			word = (struct span){ word.p + strlen(*b), word.n - strlen(*b) };
	return word;
}

/* The entry's index; the table's size when there is none. */
static size_t find(struct span word)
{
	size_t i = 0;

	word = bare(word);
	while (i < sizeof(known) / sizeof(known[0]) &&
	       !(word.n == strlen(known[i].theirs) && begins(word, known[i].theirs)))
		i++;
	return i;
}

struct span finish_word(struct span theirs)
{
	size_t i = find(theirs);

	if (i == sizeof(known) / sizeof(known[0]))
		return bare(theirs);
	if (known[i].ours == NOTHING)
		return (struct span){ "", 0 };
	return known[i].ours[0] ? span_str(known[i].ours) : bare(theirs);
}

enum finish_kind finish_kind(struct span word)
{
	size_t i = find(word);

	if (!bare(word).n)
		return FINISH_KNOWN;
	if (i == sizeof(known) / sizeof(known[0]))
		return FINISH_UNKNOWN;
	return known[i].ours == NOTHING || known[i].ours[0] ? FINISH_KNOWN : FINISH_FAILURE;
}
