/* Why a reply ended: the vendors' words and ours. */
#include "data.h"
#include "provider/provider.h"
#include "tap.h"

static const struct {
	const char *theirs, *ours;
	enum finish_kind kind;
} words[] = {
	{ "stop", "stop", FINISH_KNOWN },
	{ "STOP", "stop", FINISH_KNOWN },
	{ " Stop\t", "stop", FINISH_KNOWN },
	{ "FinishReason.STOP", "stop", FINISH_KNOWN },
	{ "FINISH_REASON_STOP", "stop", FINISH_KNOWN },
	{ "end_turn", "stop", FINISH_KNOWN },
	{ "END-TURN", "stop", FINISH_KNOWN },
	{ "length", "length", FINISH_KNOWN },
	{ "model_length", "length", FINISH_KNOWN },
	{ "MAX_TOKENS", "length", FINISH_KNOWN },
	{ "REASON_MAX_LEN", "length", FINISH_KNOWN },
	{ "max output tokens", "length", FINISH_KNOWN },
	{ "sensitive", "content_filter", FINISH_KNOWN },
	{ "Content_Filter", "content_filter", FINISH_KNOWN },
	{ "IMAGE_SAFETY", "content_filter", FINISH_KNOWN },
	{ "function_call", "tool_calls", FINISH_KNOWN },
	{ "tool-calls", "tool_calls", FINISH_KNOWN },
	{ "", "", FINISH_KNOWN },
	{ "  ", "", FINISH_KNOWN },
	{ "null", "", FINISH_KNOWN },
	{ "FINISH_REASON_UNSPECIFIED", "", FINISH_KNOWN },
	{ "error", "error", FINISH_FAILURE },
	{ "ERROR", "ERROR", FINISH_FAILURE },
	{ "abort", "abort", FINISH_FAILURE },
	{ "Aborted", "Aborted", FINISH_FAILURE },
	{ "cancelled", "cancelled", FINISH_FAILURE },
	{ "network_error", "network_error", FINISH_FAILURE },
	{ "insufficient_system_resource", "insufficient_system_resource", FINISH_FAILURE },
	{ "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL", FINISH_FAILURE },
	{ "maxOutputTokens", "length", FINISH_KNOWN },
	{ "ModelLength", "length", FINISH_KNOWN },
	{ "contentFiltered", "content_filter", FINISH_KNOWN },
	{ "networkError", "networkError", FINISH_FAILURE },
	{ "malformedFunctionCall", "malformedFunctionCall", FINISH_FAILURE },
	{ "FinishReason.upstream_error", "upstream_error", FINISH_FAILURE },
	{ "error_toxic", "content_filter", FINISH_KNOWN },
	{ "reasoning", "reasoning", FINISH_UNKNOWN },
	{ "reason", "reason", FINISH_UNKNOWN },
	{ "stop_", "stop_", FINISH_UNKNOWN },
	{ "sto", "sto", FINISH_UNKNOWN },
	{ "moonrise", "moonrise", FINISH_UNKNOWN },
	{ "pause_turn", "pause_turn", FINISH_UNKNOWN },
	{ "OTHER", "OTHER", FINISH_UNKNOWN },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct span copy = exact(span_str(words[i].theirs)), word = finish_word(copy);

		if (!ok(span_eq(word, words[i].ours), "'%s' is '%s'", words[i].theirs, words[i].ours))
			tap_note("got '%.*s'", (int)word.n, word.p);
		is_int(finish_kind(copy), words[i].kind, "what it says");
		is_int(finish_kind(word), words[i].kind, "which our word says, too");
		drop(copy);
	}
	return tap_end();
}
