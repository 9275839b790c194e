# shellcheck disable=SC1003,SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err; backslashes are meant
# What replies hold and how they end, on each of the four protocols.

load helper
load wire

setup() {
	fresh
	export ANTHROPIC_API_KEY=key-of-anthropic OPENAI_API_KEY=key-of-openai GEMINI_API_KEY=key-of-google
}

PROTOCOLS=(openai-compatible openai anthropic google)

# event JSON: on the wire
event() { printf 'data: %s\n\n' "$1"; }

# text PROTOCOL STRING...: prints a stream of pieces of a reply; each is a JSON string without quotes
text() {
	for t in "${@:2}"; do
		case $1 in
		openai-compatible) event '{"choices":[{"index":0,"delta":{"content":"'"$t"'"}}]}' ;;
		openai) event '{"type":"response.output_text.delta","delta":"'"$t"'"}' ;;
		anthropic) event '{"type":"content_block_delta","delta":{"type":"text_delta","text":"'"$t"'"}}' ;;
		google) event '{"candidates":[{"content":{"parts":[{"text":"'"$t"'"}]}}]}' ;;
		esac
	done
}

# thought PROTOCOL STRING...: likewise, of its reasoning
thought() {
	for t in "${@:2}"; do
		case $1 in
		openai-compatible) event '{"choices":[{"index":0,"delta":{"reasoning_content":"'"$t"'"}}]}' ;;
		openai) event '{"type":"response.reasoning_text.delta","delta":"'"$t"'"}' ;;
		anthropic) event '{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"'"$t"'"}}' ;;
		google) event '{"candidates":[{"content":{"parts":[{"text":"'"$t"'","thought":true}]}}]}' ;;
		esac
	done
}

# call PROTOCOL: a call of the tool "look"
call() {
	case $1 in
	openai-compatible) event '{"choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"look","arguments":"{}"}}]}}]}' ;;
	openai) event '{"type":"response.output_item.done","item":{"type":"function_call","call_id":"t","name":"look","arguments":"{}"}}' ;;
	anthropic) event '{"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}' ;;
	google) event '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"look","args":{}}}]}}]}' ;;
	esac
}

# ending PROTOCOL [REASON]: the end of a stream, for that reason, or a good one
ending() {
	case $1 in
	openai-compatible) event '{"choices":[{"index":0,"delta":{},"finish_reason":"'"${2-stop}"'"}]}' && event '[DONE]' ;;
	openai) event '{"type":"response.completed","response":{"status":"'"${2:+in}"'complete'"${2-d}"'","incomplete_details":'"$([[ $2 ]] && printf '{"reason":"%s"}' "$2" || echo null)"',"output":[]}}' | sed "s/incomplete$2\"/incomplete\"/" ;;
	anthropic) event '{"type":"message_delta","delta":{"stop_reason":"'"${2-end_turn}"'"}}' && event '{"type":"message_stop"}' ;;
	google) event '{"candidates":[{"finishReason":"'"${2-STOP}"'"}]}' ;;
	esac
}

# sent: one response of the bytes on standard input
sent() { printf '{"steps":[{"send_base64":"%s"}]}\n' "$(base64 -w 0)"; }

# ask PROTOCOL ARG...: mc-chat, with this provider at the server
ask() {
	local base=http://127.0.0.1:$SERVER_PORT
	unset MC_PROVIDER MC_BASE_URL
	export ANTHROPIC_BASE_URL=$base OPENAI_BASE_URL=$base/v1 GOOGLE_GEMINI_BASE_URL=$base
	export OPENAI_COMPATIBLE_BASE_URL=$base/v1
	run_split mc-chat -p "$1" "${@:2}"
}

# Why it ended

@test "a reply that the server broke off has failed, and what came is kept" {
	export MC_RETRIES=0
	for p in "${PROTOCOLS[@]}"; do
		for reason in error ERROR abort insufficient_system_resource network_error; do
			answers "$({ text "$p" half && ending "$p" $reason; } | sent)"
			ask "$p" -n -s "$p.$reason" hi
			assert_status 3
			assert_out half
			assert_err_has "the server broke off the reply: its finish reason is '$reason'"
			same stored "error half $reason" "$(exchange "$p.$reason" '"\(.status) \(.answer) \(.finishReason)"')"
		done
	done
}

@test "one that is broken off before it began is asked for again" {
	export MC_RETRIES=1
	for p in "${PROTOCOLS[@]}"; do
		answers "$(ending "$p" error | sent)" "$({ text "$p" fine && ending "$p"; } | sent)"
		ask "$p" --no-save hi
		assert_status 0
		assert_out fine
		assert_err_has "trying again"
	done
}

@test "a reason that nobody knows is said, and stored" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({ text "$p" half && ending "$p" moonrise; } | sent)"
		ask "$p" -n -s "$p" hi
		assert_status 0
		assert_out half
		assert_err_has "for a reason that mc-chat does not know: 'moonrise'; it may be incomplete"
		same stored 'complete moonrise' "$(exchange "$p" '"\(.status) \(.finishReason)"')"
	done
}

@test "the words of other vendors mean what they mean there" {
	for p in "${PROTOCOLS[@]}"; do
		for word in model_length:length MAX_TOKENS:length sensitive:content_filter Safety:content_filter; do
			answers "$({ text "$p" half && ending "$p" "${word%:*}"; } | sent)"
			ask "$p" --no-save --json hi
			assert_status 0
			same "$p ${word%:*}" "${word#*:}" "$(jq -r .finishReason <<<"$out")"
			[[ $err ]] || differs 'standard error' 'a word about it'
		done
	done
}

@test "a Responses stream that is completed, and not complete, is cut, refused or failed" {
	inner() { text openai half && event '{"type":"response.completed","response":{"output":[],'"$1"'}}'; }
	answers "$(inner '"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}' | sent)" \
		"$(inner '"incomplete_details":{"reason":"content_filter"}' | sent)" \
		"$(inner '"status":"failed","error":{"code":"server_error","message":"it broke"}' | sent)" \
		"$(inner '"status":"completed","error":{"code":"server_error","message":"it broke"}' | sent)" \
		"$(inner '"status":"cancelled"' | sent)" \
		"$({ event '{"type":"response.output_item.done","item":{"type":"message","status":"failed","error":{"message":"it broke"}}}'
			inner '"status":"completed"'; } | sent)"
	ask openai --no-save --json hi
	same 'finish reason' length "$(jq -r .finishReason <<<"$out")"
	assert_err_has 'cut by the limit of tokens'
	ask openai --no-save --json hi
	same 'finish reason' content_filter "$(jq -r .finishReason <<<"$out")"
	for _ in 1 2; do
		ask openai --no-save hi
		assert_status 3
		assert_out half
		assert_err_has 'it broke'
	done
	ask openai --no-save hi
	assert_status 3
	assert_err_has "its finish reason is 'cancelled'"
	ask openai --no-save hi
	assert_status 3
	assert_err_has "its finish reason is 'failed': it broke"
}

# Errors

@test "an error inside a choice is an error, in a stream and in a whole answer" {
	choice='"finish_reason":"error","error":{"code":502,"message":"upstream went away"}'
	export MC_RETRIES=0
	answers "$(refuses 200 '{"choices":[{"message":{"role":"assistant","content":"half"},'"$choice"'}]}')" \
		"$(event '{"choices":[{"delta":{"content":"half"},'"$choice"'}]}' | sent)" \
		"$(event '{"choices":[{"delta":{"content":"half","error":"upstream went away"}}]}' | sent)"
	for _ in 1 2 3; do
		run_split mc-chat --no-save hi
		assert_status 3
		assert_out half
		assert_err_has 'the server reports: upstream went away'
	done
	for p in anthropic google; do
		case $p in
		anthropic) answers "$(event '{"type":"message_delta","delta":{"error":{"message":"upstream went away"}}}' | sent)" ;;
		google) answers "$(event '{"candidates":[{"error":{"message":"upstream went away"}}]}' | sent)" ;;
		esac
		ask $p --no-save hi
		assert_status 3
		assert_err_has 'the server reports: upstream went away'
	done
}

@test "the words of an error are found, however a gateway packs them" {
	export MC_RETRIES=0
	for p in "${PROTOCOLS[@]}"; do
		for error in '"boom"' '[{"message":"boom"}]' '["boom"]' 'true,"message":"boom"' \
			'{"error":{"message":"boom"}}' '{"detail":"boom"}' '{"detail":[{"msg":"boom"}]}'; do
			answers "$(event '{"error":'"$error"'}' | sent)" "$(refuses 400 '{"error":'"$error"'}')"
			for said in 'the server reports: boom' 'answered 400: boom'; do
				ask "$p" --no-save hi
				assert_status 3
				assert_err_has "$said"
			done
		done
	done
}

@test "an error that says nothing is none" {
	for p in "${PROTOCOLS[@]}"; do
		for none in '{}' '""' false null '[]' 0 '{"code":0,"message":""}'; do
			answers "$({ text "$p" fine && ending "$p"; } | sed 's/data: {/data: {"error":'"$none"',/' | sent)"
			ask "$p" --no-save hi
			assert_status 0
			assert_out fine
			assert_err_empty
		done
	done
}

# Replies without an answer

@test "a reply without an answer is called what it is, and is not sent again" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$(ending "$p" | sent)" "$({ text "$p" ' \n' '\t' && ending "$p"; } | sent)" \
			"$({ thought "$p" hm && ending "$p"; } | sent)" "$({ call "$p" && ending "$p"; } | sent)" \
			"$({ text "$p" fine && ending "$p"; } | sent)"
		for what in 'the reply is empty' 'the reply is blank' 'only reasoning and no answer' \
			"called a tool ('look') and gave no answer" ''; do
			ask "$p" -n -s "$p" "prompt ${what:0:4}"
			assert_status 0
			assert_err_has "$what"
		done
		assert_out fine
		same 'roles in the last request' 1 \
			"$(request | jq '[.body | .messages // .contents // .input | .[].role] | unique | length')"
		same 'prompts in it' 5 "$(request | jq .body | grep -o 'prompt ' | wc -l)"
	done
}

@test "a call of a tool is a finish reason of its own, with an answer too" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({ text "$p" 'I look.' && call "$p" && ending "$p"; } | sent)"
		ask "$p" --no-save --json hi
		assert_status 0
		same 'reason' tool_calls "$(jq -r .finishReason <<<"$out")"
		assert_err_has "the model called a tool ('look'); mc-chat has no tools"
	done
}

@test "the limit of tokens may be reached before the answer begins" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({ thought "$p" hm && ending "$p" max_tokens; } | sent)"
		ask "$p" --no-save hi
		assert_status 0
		assert_err_has 'reached before the answer began'
	done
}

# What streams have between their events

@test "keep-alives say nothing, whatever they hold" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({
			for data in '""' null 17 true ping keep-alive '[]' '' '   ' '"ping pong"' \
				$'ping\ndata: ping' $'""\ndata: null\ndata: ""'; do
				printf 'event: ping\ndata: %s\n\n' "$data"
			done
			text "$p" 'fi' ne
			printf 'data: null\n\ndata: ping\n\n'
			ending "$p"
		} | sent)"
		ask "$p" --no-save hi
		assert_status 0
		assert_out fine
		assert_err_empty
	done
}

@test "the end mark may have blanks and quotes around it, on any protocol" {
	for p in "${PROTOCOLS[@]}"; do
		for mark in '[DONE]' '[DONE] ' ' [DONE]' '	[DONE]	' '"[DONE]"' '[done]' '[ DONE ]'; do
			answers "$({ text "$p" fine && ending "$p" | sed '/\[DONE\]/d' && event "$mark"; } | sent)"
			ask "$p" --no-save hi
			assert_status 0
			assert_out fine
			assert_err_empty
		done
	done
}

@test "a message in place of a delta, or a delta in place of a message, is a reply" {
	answers "$({
		event '{"choices":[{"message":{"role":"assistant","content":"ha"}}]}'
		event '{"choices":[{"message":{"content":"ha"},"finish_reason":"stop"}]}'
	} | sent)" "$({ text openai-compatible ha ha && event '{"choices":[{"message":{"content":"haha"},"finish_reason":"stop"}]}'; } | sent)" \
		"$(refuses 200 '{"choices":[{"delta":{"role":"assistant","content":"haha"},"finish_reason":"stop"}]}')"
	for _ in 1 2 3; do
		run_split mc-chat --no-save hi
		assert_status 0
		assert_out haha
	done
}

@test "parts of the content that are thoughts are reasoning" {
	answers "$({
		event '{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"let me "}]}]}}]}'
		event '{"choices":[{"delta":{"content":[{"type":"thinking","thinking":"see"},{"type":"text","text":"fi"}]}}]}'
		event '{"choices":[{"delta":{"content":"ne"},"finish_reason":"stop"}]}'
	} | sent)" "$(refuses 200 '{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"let me see"}]},{"type":"text","text":"fine"}]},"finish_reason":"stop"}]}')"
	for _ in 1 2; do
		run_split mc-chat --no-save --json hi
		same reply 'let me see|fine' "$(jq -r '"\(.reasoning)|\(.answer)"' <<<"$out")"
	done
}

@test "events may be apart by one newline, and JSON may have several lines" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({ text "$p" 'a{\"' 'b\\\\' 'c' && printf 'data: ping\n' && ending "$p"; } | sed '/^$/d' | sent)" \
			"$({ text "$p" 'a{\"' 'b\\\\' 'c' && ending "$p"; } |
				sed 's/^data: {\(.*\)}$/data: {\ndata: \1\ndata: }/' | sent)"
		for _ in 1 2; do
			ask "$p" --no-save hi
			assert_status 0
			assert_out 'a{"b\\c'
			assert_err_empty
		done
	done
}

# Characters and tags in pieces

@test "halves of a surrogate pair in two pieces are one character, alone they are U+FFFD" {
	for p in "${PROTOCOLS[@]}"; do
		answers "$({ thought "$p" 'x\\ud83d' '\\ude00' && text "$p" 'a\\ud83d' '\\ude00b' && ending "$p"; } |
			sed 's/\\\\/\\/g' | sent)" \
			"$({ text "$p" 'a\\ud83d' 'b\\ude00' 'c\\ud83d' && ending "$p"; } | sed 's/\\\\/\\/g' | sent)"
		ask "$p" -n -s "$p" hi
		assert_status 0
		assert_out 'a😀b'
		same stored 'a😀b x😀' "$(exchange "$p" '"\(.answer) \(.reasoning)"')"
		ask "$p" -s "$p" hi
		assert_status 0
		assert_out 'a�b�c�'
		same stored 'a�b�c�' "$(exchange "$p" .answer)"
	done
}

@test "reasoning in think tags at the beginning is reasoning, on any protocol and in any pieces" {
	reply='\n<think>\nlet me see\n</think>\n\nfine'
	for p in "${PROTOCOLS[@]}"; do
		pieces=()
		for ((i = 0; i < ${#reply}; i++)); do
			[[ ${reply:i:1} == '\' ]] && pieces+=('\n') && ((++i)) && continue
			pieces+=("${reply:i:1}")
		done
		answers "$({ text "$p" "${pieces[@]}" && ending "$p"; } | sent)" "$({ text "$p" "$reply" && ending "$p"; } | sent)"
		for _ in 1 2; do
			ask "$p" --no-save --json hi
			assert_status 0
			same 'answer and reasoning' 'fine|let me see' "$(jq -r '"\(.answer)|\(.reasoning)"' <<<"$out")"
		done
		ask "$p" --no-save --reasoning hi
		assert_out fine
		same 'standard error' 'let me see' "$err"
	done
	answers "$(refuses 200 '{"choices":[{"message":{"content":"<think>let me see</think>fine"},"finish_reason":"stop"}]}')"
	run_split mc-chat --no-save --json hi
	same 'answer and reasoning' 'fine|let me see' "$(jq -r '"\(.answer)|\(.reasoning)"' <<<"$out")"
}

@test "think tags: without an end, with nothing in them, elsewhere, and where the settings want none" {
	answers "$(says '<think>let me')" "$(says $'<think>\n\n</think>\n\nfine')" "$(says 'so <think>a</think>')" \
		"$(says '<thinking>a</thinking>')" "$(says '<think>a</think>b')"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out_empty
	assert_err_has 'only reasoning and no answer'
	same stored 'let me' "$(exchange s .reasoning)"
	run_split mc-chat -s s hi
	assert_out fine
	same stored null "$(exchange s .reasoning)"
	run_split mc-chat --no-save hi
	assert_out 'so <think>a</think>'
	run_split mc-chat --no-save hi
	assert_out '<thinking>a</thinking>'
	echo '{"thinkTags":false}' >config.json
	MC_CONFIG=$PWD/config.json run_split mc-chat --no-save hi
	assert_out '<think>a</think>b'
}

@test "think tags: what was thought when the turn was interrupted is stored" {
	answers "$(stream '{"text":"<think>let me"}' '{"text":" see</think>half"}' '{"hang":true}')"
	start_chat -n -s s hi
	holds chat.out half
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	same stored 'interrupted half let me see' "$(exchange s '"\(.status) \(.answer) \(.reasoning)"')"
}

# A server that says the key back

@test "a key in a reply is neither shown nor stored nor traced, in whatever pieces" {
	key=sk-live-0123456789
	export OPENAI_API_KEY=$key ANTHROPIC_API_KEY=$key GEMINI_API_KEY=$key OPENAI_COMPATIBLE_API_KEY=$key
	for p in "${PROTOCOLS[@]}"; do
		answers "$({
			thought "$p" "it is $key" sk-live -0123 456789
			text "$p" "so $key" ' s' k-live- 01234 56789. '\\u0073k-live-0123456789' 'sk-live-012345678' '!'
			ending "$p" "the-$key"
		} | sed 's/\\\\/\\/g' | sent)"
		ask "$p" --trace "$p.trace" --reasoning -n -s "$p" hi
		assert_status 0
		assert_out 'so ****************** ******************.******************sk-live-012345678!'
		same reasoning 'it is ************************************' "$(exchange "$p" .reasoning)"
		same reason 'the-******************' "$(exchange "$p" .finishReason)"
		refute grep -rF "$key" "$p.trace" "$MC_SESSIONS_DIR"
		refute grep -F "$key" <<<"$err"
		# nor in the pieces of the trace
		refute grep -F "$key" <<<"$(jq -rj 'select(.type == "data").data | fromjson? | .. | strings' "$p.trace")"
		same 'what is left of the rest' 1 "$(grep -c 'sk-live-012345678\\"' "$p.trace")"
	done
}

@test "a key in what is not a reply is not printed: errors, tools, models and whole answers" {
	export OPENAI_COMPATIBLE_API_KEY=sk-live-0123456789 MC_RETRIES=0
	local k=$OPENAI_COMPATIBLE_API_KEY
	answers "$(refuses 400 "{\"error\":{\"message\":\"bad key $k\"}}")" "$(refuses 500 "bad key $k" text/plain)" \
		"$(stream "{\"event\":{\"error\":{\"message\":\"bad key $k\"}}}")" \
		"$(stream "{\"text\":\"a\"}" "{\"finish\":\"error $k\"}")" "$(stream "{\"event\":{\"x\":\"$k\"}}" '{"send":"data: {\n\n"}')" \
		"$(event '{"choices":[{"delta":{"tool_calls":[{"function":{"name":"'"$k"'"}}]},"finish_reason":"stop"}]}' | sent)" \
		"$(refuses 200 "{\"choices\":[{\"message\":{\"content\":\"$k\",\"reasoning\":\"$k\"},\"finish_reason\":\"stop\"}]}")"
	for _ in 1 2 3 4 5 6 7; do
		run_split mc-chat --trace trace -n -s s hi
		assert_status 0 3
		refute grep -F "$k" <<<"$out$err"
	done
	assert_out '******************'
	refute grep -rF "$k" trace "$MC_SESSIONS_DIR"
}
