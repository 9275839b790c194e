# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire
load prompt

# Native items: what a provider must get back unchanged in the next turn, and nobody else.

setup() {
	fresh
	unset MC_PROVIDER MC_MODEL MC_BASE_URL
	export ANTHROPIC_API_KEY=k OPENAI_API_KEY=k GEMINI_API_KEY=k
}

# events EVENT...: prints a response of these server-sent events.
events() {
	local e
	for e; do jq -nc --argjson e "$e" '{send: "data: \($e)\n\n"}'; done | jq -sc '{steps: .}'
}

# serve RESPONSE...: a server for all protocols.
serve() {
	answers "$@"
	export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1} OPENAI_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1} \
		OPENAI_COMPATIBLE_BASE_URL=$MC_BASE_URL
	unset MC_PROVIDER MC_MODEL MC_BASE_URL
}

THINKING='{"type":"thinking","thinking":"Hm, \"so\".","signature":"EqQ="}'
anthropic_says() { # TEXT
	events '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}' \
		'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, "}}' \
		'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\"so\"."}}' \
		'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQ="}}' \
		'{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}' \
		"$(jq -nc --arg t "$1" '{type:"content_block_delta",index:1,delta:{type:"text_delta",text:$t}}')" \
		'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}' \
		'{"type":"message_stop"}'
}

REASONING='{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA=="}'
openai_says() {
	events "$(jq -nc --arg t "$1" '{type:"response.output_text.delta",output_index:1,content_index:0,delta:$t}')" \
		"$(jq -nc --arg t "$1" --argjson r "$REASONING" '{type:"response.completed",response:{status:"completed",output:[$r,
			{id:"msg_9",type:"message",role:"assistant",status:"completed",content:[{type:"output_text",text:$t,annotations:[]}]}]}}')"
}

SIGNED='{"text":"","thoughtSignature":"CsQ="}'
google_says() {
	events "$(jq -nc --arg t "$1" '{candidates:[{content:{parts:[{text:$t}],role:"model"}}]}')" \
		"$(jq -nc --argjson s "$SIGNED" '{candidates:[{content:{parts:[$s],role:"model"},finishReason:"STOP"}]}')"
}

DETAILS='[{"type":"reasoning.encrypted","index":0,"format":"openai-responses-v1","data":"gAAA=="}]'
compatible_says() {
	events "$(jq -nc --argjson d "$DETAILS" '{choices:[{delta:{reasoning_details:$d}}]}')" \
		"$(jq -nc --arg t "$1" '{choices:[{delta:{content:$t},finish_reason:"stop"}]}')"
}

# of_request FILTER: prints what it finds in the body of the last request; "null" for nothing.
of_request() { request | jq -c ".body | ($1) // null"; }

# goes_back PROVIDER MODEL ITEMS FILTER RESPONSE...: the items of the first answer are stored, and sent in
# later requests to the same model and provider only. FILTER finds them in a request.
goes_back() {
	local provider=$1 model=$2 items=$3 filter=$4
	shift 4
	serve "$@"
	run_split mc-chat -n -s s -p "$provider" -m "$model" one
	assert_status 0
	same 'what is stored' "$(jq -nc --arg p "$provider" --arg m "$model" --argjson i "$items" \
		'{provider: $p, model: $m, items: $i}')" "$(exchange s '.native | tojson')"
	run_split mc-chat -s s two
	assert_status 0
	same 'the next request' "$(jq -nc --argjson i "$items" '$i')" "$(of_request "$filter")"
	run_split mc-chat -s s -m other three
	assert_status 0
	same 'one to another model' null "$(of_request "$filter")"
	run_split mc-chat -s s -m "$model" four
	assert_status 0
	same 'and to the first one again' "$(jq -nc --argjson i "$items" '$i')" "$(of_request "$filter")"
	same 'a record that is whole' '' "$(mc-session-fsck 2>&1)"
	# A history that says that it is another provider's.
	sed -i 's/"native":{"provider":"[^"]*"/"native":{"provider":"work"/' "$(history s)"
	run_split mc-chat -s s -m "$model" five
	assert_status 0
	same 'one to another provider' null "$(of_request "$filter")"
}

@test "anthropic: thinking goes back with its signature" {
	goes_back anthropic claude-opus-5-5 "[$THINKING]" \
		'[.messages[1].content[] | select(.type == "thinking")] | select(length > 0)' "$(anthropic_says Hi)"
}

@test "openai: encrypted reasoning is asked for and goes back before its answer" {
	goes_back openai gpt-6.2-sol "[$REASONING]" \
		'[.input[1] | select(.type == "reasoning")] | select(length > 0)' "$(openai_says Hi)"
	request | assert_json '.body.include == ["reasoning.encrypted_content"] and .body.store == false'
}

@test "google: signed parts go back" {
	goes_back google gemini-4-argon "[$SIGNED]" \
		'[.contents[1].parts[] | select(.thoughtSignature)] | select(length > 0)' "$(google_says Hi)"
}

@test "openai-compatible: OpenRouter's reasoning details go back" {
	goes_back openai-compatible m "[{\"reasoning_details\":$DETAILS}]" \
		'[.messages[1] | {reasoning_details} | select(.reasoning_details)] | select(length > 0)' "$(compatible_says Hi)"
}

@test "openai-compatible: reasoning_content is neither stored twice nor sent without a call" {
	serve "$(events '{"choices":[{"delta":{"reasoning_content":"Hm."}}]}' \
		'{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}')"
	mc-chat -n -s s -p openai-compatible -m m one
	exchange s | assert_json '.reasoning == "Hm." and (has("native") | not)'
	mc-chat -s s two
	refute grep -q 'reasoning_content' <(request)
}

@test "a reply without native items has no such member" {
	serve "$(says Hi)"
	mc-chat -n -s s -p openai-compatible -m m one
	exchange s | assert_json 'has("native") | not'
}

@test "a server that refuses the items gets the conversation without them, in later turns too" {
	local refused
	refused=$(refuses 400 '{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."}}')
	serve "$(anthropic_says Hi)" "$refused" "$(anthropic_says Ho)" "$(anthropic_says Ha)"
	run_split mc-chat --no-stdin -n -s s -p anthropic -m claude-opus-5-5 one
	assert_status 0
	run_split mc-chat -s s two
	assert_status 0
	assert_out Ho
	same requests 3 "$(wc -l <"$SERVER_LOG")"
	request 2 | assert_json '.body.messages[1].content[0].type == "thinking"'
	request 3 | assert_json '.body.messages[1].content | map(.type) == ["text"]'
}

@test "a server that does not know 'include' gets the request without it" {
	serve "$(refuses 400 '{"error":{"message":"Encrypted content is not supported with this model.","type":"invalid_request_error","param":"include","code":null}}')" \
		"$(openai_says Hi)"
	run_split mc-chat --no-stdin -n -s s -p openai -m o1 one
	assert_status 0
	assert_out Hi
	request 1 | assert_json '.body.include == ["reasoning.encrypted_content"]'
	request 2 | assert_json '.body | has("include") | not'
}

@test "-o include=… sends what the user wants" {
	serve "$(openai_says Hi)"
	mc-chat -n -s s -p openai -m gpt-6.2-sol -o 'include=["web_search_call.results"]' one
	request | assert_json '.body.include == ["web_search_call.results"]'
	mc-chat -n -s s2 -p openai -m gpt-6.2-sol -o include= one
	request | assert_json '.body | has("include") | not'
	mc-chat -n -s s3 -p openai -m gpt-4.1 one
	request | assert_json '.body | has("include") | not'
}

@test "the items stay away where the conversation before them is not sent in full" {
	serve "$(anthropic_says "$(printf 'word %.0s' {1..300})")"
	mc-chat -n -s s -p anthropic -m claude-opus-5-5 one >/dev/null
	for i in two three; do mc-chat -s s "$i" >/dev/null; done
	request | assert_json '[.body.messages[].content[] | select(.type == "thinking")] | length == 2'
	mc-chat -s s --context 1800 -o max_tokens=500 four >/dev/null
	exchange s '.leftOut' | grep -qx '[1-9]'
	request | assert_json '[.body.messages[].content[] | select(.type == "thinking")] | length == 0'
	# The new one belongs to that request, and not to one with all of the conversation.
	mc-chat -s s five >/dev/null
	request | assert_json '[.body.messages[].content[] | select(.type == "thinking")] | length == 3'
	request | assert_json '.body.messages[7].content | map(.type) == ["text"]'
}

@test "a reply that breaks off has no native items" {
	serve "$(events '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"t","signature":"s="}}' \
		'{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"Half"}}')"
	run_split mc-chat -n -s s -p anthropic -m claude-opus-5-5 one
	assert_status 3
	exchange s | assert_json '.answer == "Half" and (has("native") | not)'
}

@test "what the key says in native items is hidden" {
	export OPENAI_API_KEY=sk-live-0123456789abcdef
	REASONING='{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"sk-live-0123456789abcdef"}'
	serve "$(openai_says Hi)"
	mc-chat -n -s s -p openai -m gpt-6.2-sol one
	exchange s | assert_json '.native.items[0].encrypted_content | test("^\\*+$")'
	refute grep -q sk-live "$(history s)"
}

@test "an interactive chat sends them with its next turn, stored or not" {
	local save
	for save in '-n -s s' --no-save; do
		serve "$(openai_says Hi)"
		# shellcheck disable=SC2086 # two words
		term_start -x 120 mc-chat $save -p openai -m gpt-6.2-sol
		at_prompt
		enter one
		term_wait '^Hi'
		at_prompt
		enter two
		at_prompt
		request | assert_json --argjson r "$REASONING" '.body.input | length == 4 and .[1] == $r'
		term_stop
	done
}
