# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire

# What a request has and has not: fields that are left out, values that a model does not take,
# and what is sent again without the part that was refused.

setup() {
	fresh
	export ANTHROPIC_API_KEY=k OPENAI_API_KEY=k GEMINI_API_KEY=k
}

GOOD='{"steps":[
	{"send":"data: {\"type\":\"message_start\",\"message\":{\"usage\":{}}}\n\n"},
	{"send":"data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"fine\"}}\n\n"},
	{"send":"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"},
	{"send":"data: {\"type\":\"message_stop\"}\n\n"}]}'
OPENAI='{"steps":[{"send":"data: {\"type\":\"response.output_text.delta\",\"delta\":\"fine\"}\n\n"},
	{"send":"data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n"}]}'
GOOGLE='{"steps":[{"send":"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"fine\"}]},\"finishReason\":\"STOP\"}]}\n\n"}]}'

# vendors [RESPONSE]: one server that speaks all four protocols; each refuses with RESPONSE at first.
vendors() {
	local first=${1:+$1,}
	server_start "{\"routes\":{\"/v1/chat/completions\":[$first$(says fine)],\"/v1/messages\":[$first$GOOD],
		\"/v1/responses\":[$first$OPENAI],\"/v1beta/models/\":[$first$GOOGLE]}}"
	unset MC_MODEL MC_PROVIDER
	export ANTHROPIC_BASE_URL=$MC_BASE_URL OPENAI_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1}
}

# chat PROVIDER ARG...: a turn that must succeed; its body is in body.
chat() {
	run_split mc-chat --no-stdin --no-save -p "$@" hi
	assert_status 0
	assert_out fine
	request | jq -c .body >body
}

# lacks PATH: the body has no such member.
lacks() { assert_json "[paths | map(strings) | join(\".\")] | all(test(\"(^|[.])$1(\$|[.])\") | not)" body; }

@test "-o KEY=: a field that mcbox would send itself is left out, with each protocol" {
	vendors
	echo '{"type":"object","properties":{"strict":{"type":"boolean"}}}' >schema.json
	while read -r key provider; do
		# shellcheck disable=SC2086 # several words
		chat $provider -S 'Be kind.' --schema schema.json --reasoning -o "$key="
		lacks "$key"
		assert_err_empty
		# shellcheck disable=SC2086
		chat $provider -S 'Be kind.' --schema schema.json --reasoning -o "$key=null"
		lacks "$key"
	done <<-END
		stream openai-compatible -m m
		stream_options openai-compatible -m m
		include_usage openai-compatible -m m
		stream_options.include_usage openai-compatible -m m
		response_format openai-compatible -m m
		stream openai
		store openai
		instructions openai
		reasoning openai
		reasoning.summary openai
		summary openai
		text.format openai
		stream anthropic
		system anthropic
		max_tokens anthropic
		thinking anthropic
		thinking.display anthropic
		output_config anthropic
		cache_control anthropic
		messages.content.cache_control anthropic
		systemInstruction google
		generationConfig google
		generationConfig.thinkingConfig google
		thinkingConfig google
		responseMimeType google
		responseJsonSchema google
	END
	chat openai --schema schema.json -o text=
	assert_json 'has("text") | not' body
	chat openai-compatible -m m --schema schema.json -o strict=
	assert_json '.response_format.json_schema | has("strict") | not' body
	assert_json '.response_format.json_schema.schema.properties.strict.type == "boolean"' body
}

@test "-o KEY=: what the request cannot do without is refused, and nothing is sent" {
	vendors
	while read -r key provider; do
		# shellcheck disable=SC2086 # several words
		run_split mc-chat --no-stdin -n -s s -p $provider -o "$key=" hi
		assert_status 2
		assert_err_has "'$key' cannot be omitted from a request"
	done <<-END
		model openai-compatible -m m
		messages openai-compatible -m m
		messages.content openai-compatible -m m
		model openai
		input openai
		role openai
		model anthropic
		messages anthropic
		messages.content.text anthropic
		model google
		contents google
		parts google
	END
	[[ ! -s $SERVER_LOG && $(sessions) == 0 ]]
}

@test "-o KEY=: one that changes nothing says so; one of the settings is taken away" {
	vendors
	chat openai-compatible -m m -o steam_options=
	assert_err_has "'steam_options=' changes nothing: the request has no 'steam_options'"
	mkdir -p "$HOME/.config/mcbox"
	echo '{"options":{"top_k":5,"stream_options":null}}' >"$HOME/.config/mcbox/config.json"
	chat openai-compatible -m m
	assert_json '.top_k == 5 and (has("stream_options") | not)' body
	run_split mc-chat --no-stdin --no-save -p openai-compatible -m m -o 'stream_options={"include_usage":true}' hi
	assert_status 2
	assert_err_has "'stream_options' cannot be set"
	run_split mc-chat --no-stdin --no-save -p openai-compatible -m m -o top_k= hi
	assert_err_empty
	request | assert_json '.body | has("top_k") or has("stream_options") | not'
}

@test "stream_options: a server that refuses it is asked again without it, and not told of it again" {
	local refusal
	for refusal in "$(refuses 400 '{"message":"extra_forbidden: body.stream_options: Extra inputs are not permitted"}')" \
		"$(refuses 422 '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}')"; do
		answers "$refusal" "$(says fine)"
		run_split mc-chat --no-stdin -n -s s hi
		assert_status 0
		assert_out fine
		assert_err_empty
		same requests 'true false' "$(jq -s 'map(.body | has("stream_options")) | join(" ")' -r "$SERVER_LOG")"
		mc-session-rm -f s
	done
	answers "$(says one)" "$(says two)" "$refusal" "$(says 'What was said.')"
	for prompt in one two; do mc-chat --no-stdin -n -s s "$prompt"; done
	run_split mc-session-compact -k 1 s
	assert_status 0
	same requests 'true true true false' "$(jq -s 'map(.body | has("stream_options")) | join(" ")' -r "$SERVER_LOG")"
	answers "$refusal" "$(refuses 400 '{"error":"no"}')"
	MC_RETRIES=3 run_split mc-chat --no-stdin --no-save hi
	assert_status 3
	assert_err_has '400: no'
	same requests 2 "$(grep -c POST "$SERVER_LOG")"
}

@test "a system prompt is the beginning of the first prompt where the model has no system instruction" {
	vendors
	for model in gemma-3-27b-it models/gemma-3n-e4b-it gemma-2-9b-it; do
		chat google -m $model -S 'Be very brief.'
		lacks systemInstruction
		same text $'Be very brief.\n\nhi' "$(jq -r '.contents[0].parts[0].text' body)"
	done
	chat google -m gemma-4-31b-it -S 'Be very brief.'
	same text 'Be very brief.' "$(jq -r '.systemInstruction.parts[0].text' body)"
	mc-chat --no-stdin -n -s s -p google -m gemma-3-27b-it -S 'Be very brief.' one
	mc-chat --no-stdin -s s two
	same texts $'Be very brief.\n\none|fine|two' "$(request | jq -r '[.body.contents[].parts[].text] | join("|")')"
}

@test "a system prompt that the server refuses is sent again as a part of the first prompt" {
	local words provider
	for words in 'Developer instruction is not enabled for models/x' 'System role not supported' \
		'system: system prompts are not supported on this model'; do
		for provider in 'openai-compatible -m x' 'anthropic -m x' 'openai -m x' 'google -m x'; do
			vendors "$(refuses 400 "{\"error\":{\"message\":\"$words\"}}")"
			# shellcheck disable=SC2086 # several words
			chat $provider -S 'Be very brief.'
			same requests 2 "$(wc -l <"$SERVER_LOG")"
			same text 1 "$(grep -o 'Be very brief.\\n\\nhi' body | wc -l)"
			same places 1 "$(grep -o 'Be very brief' body | wc -l)"
		done
	done
}

@test "the default limit of tokens is one that an older Claude takes" {
	vendors
	while read -r model most; do
		chat anthropic -m "$model"
		same "limit of $model" "$most" "$(jq .max_tokens body)"
	done <<-END
		claude-3-haiku-20240307 4096
		claude-3-opus-latest 4096
		anthropic/claude-3-haiku 4096
		us.anthropic.claude-3-haiku-20240307-v1:0 4096
		claude-2.1 4096
		claude-3-5-haiku-latest 8192
		anthropic/claude-3.5-sonnet 8192
		claude-3-7-sonnet-20250219 32000
		claude-opus-4-1 32000
		claude-opus-5-5 64000
		claude-future-9 64000
		qwen3 8192
	END
	vendors "$(refuses 400 '{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 64000 > 2048, which is the maximum allowed number of output tokens for claude-future-9"}}')"
	chat anthropic -m claude-future-9
	same limits '64000 2048' "$(jq -rs 'map(.body.max_tokens) | join(" ")' "$SERVER_LOG")"
	vendors "$(refuses 400 '{"message":"The maximum tokens you requested exceeds the model limit of 4096. Try again with a lower value."}')"
	chat anthropic -m claude-future-9
	same limits '64000 4096' "$(jq -rs 'map(.body.max_tokens) | join(" ")' "$SERVER_LOG")"
	vendors "$(refuses 400 '{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9000 > 2048, which is the maximum allowed number of output tokens for x"}}')"
	run_split mc-chat --no-stdin --no-save -p anthropic -m claude-future-9 -o max_tokens=9000 hi
	assert_status 3 # it is the user's own
	vendors
	chat anthropic -m claude-3-haiku-20240307 --reasoning
	lacks thinking
}

@test "what a model does not take is left out or replaced, with a notice" {
	vendors
	chat anthropic -o temperature=0 -o max_tokens=200
	lacks temperature
	assert_json '.max_tokens == 200' body
	same notice 'mc-chat: claude-opus-5-5 does not accept temperature; it is not sent' "$err"
	chat openai -o temperature=0 -o reasoning_effort=none
	lacks temperature
	assert_json '.reasoning.effort == "low"' body
	assert_err_has "gpt-6.2-sol has no reasoning_effort 'none'; 'low' is sent instead"
	assert_err_has 'gpt-6.2-sol does not accept temperature; it is not sent'
	chat google -m gemma-3-27b-it --reasoning
	lacks thinkingConfig
	chat google -m gemini-3-pro -o reasoning_effort=max
	assert_json '.generationConfig.thinkingConfig.thinkingLevel == "HIGH"' body
	chat anthropic -m claude-haiku-4-5 -o temperature=0
	assert_json '.temperature == 0' body
	assert_err_empty
}

@test "max_tokens is sent under its newer name where the server wants that" {
	answers "$(refuses 400 '{"error":{"message":"Unsupported parameter: max_tokens is not supported with this model. Use max_completion_tokens instead.","param":"max_tokens","code":"unsupported_parameter"}}')" "$(says fine)"
	run_split mc-chat --no-stdin --no-save -o max_tokens=50 hi
	assert_status 0
	assert_out fine
	request | assert_json '.body.max_completion_tokens == 50 and (.body | has("max_tokens") | not)'
	same requests 2 "$(wc -l <"$SERVER_LOG")"
}

@test "a prompt with a file that the model cannot read is not sent again" {
	local words code
	printf '\x89PNG\r\n\x1a\n0000' >picture.png
	while read -r code words; do
		answers "$(refuses "$code" "{\"error\":{\"message\":\"$words\"}}")"
		MC_RETRIES=3 run_split mc-chat --no-stdin --no-save -a picture.png hi
		assert_status 3
		assert_err_has "$code: $words"
		assert_err_has 'ask without that file'
		same requests 1 "$(wc -l <"$SERVER_LOG")"
		if [[ $code == 500 && $words == *' input '* ]]; then
			MC_RETRIES=3 run_split mc-chat --no-stdin --no-save hi
			assert_status 3
		fi
		[[ $err != *attempts* ]]
	done <<-END
		500 image input is not supported - hint: if this is unexpected, you may need to provide the mmproj
		500 this model is missing data required for image input
		500 audio input is not supported
		400 m is not a multimodal model
		404 No endpoints found that support image input
	END
}

@test "a context error of llama.cpp is one with each of the protocols that it speaks" {
	local provider message
	for message in 'request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it' \
		'the request exceeds the available context size. try increasing the context size' 'too much'; do
		for provider in anthropic openai openai-compatible; do
			vendors "$(refuses 400 "{\"error\":{\"code\":400,\"message\":\"$message\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":5000,\"n_ctx\":4096}}")"
			run_split mc-chat --no-stdin --no-save -p $provider -m llama hi
			assert_status 3
			assert_err_has "904 more than the model's window of 4096"
			assert_err_has '--context 4096'
		done
	done
}

@test "a server that does not speak a vendor's protocol is named as such, and no model is blamed" {
	local vendor refusal
	for refusal in "$(refuses 404 '{"detail":"Not Found"}')" "$(refuses 404 '404 page not found' text/plain)" \
		'{"headers":{"Content-Type":"application/json"},"steps":[{"send":"{\"error\":\"Unexpected endpoint or method. (POST /v1/responses). Returning 200 anyway\"}"}]}' \
		"$(refuses 404 '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}')" "$(refuses 405 '')"; do
		server_start "{\"routes\":{\"/v1/chat/completions\":[$(says fine)],\"/\":[$refusal]},\"models\":[{\"steps\":[{\"send\":\"{\\\"data\\\":[{\\\"id\\\":\\\"deepseek-chat\\\"}]}\"}]}]}"
		unset MC_MODEL MC_PROVIDER
		export OPENAI_BASE_URL=$MC_BASE_URL ANTHROPIC_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=$MC_BASE_URL
		for vendor in openai anthropic google; do
			run_split mc-chat --no-stdin --no-save -p $vendor hi
			assert_status 3
			assert_err_has 'does not seem to support'
			assert_err_has MC_BASE_URL
			assert_err_has OPENAI_COMPATIBLE_API_KEY
			[[ $err != *deepseek* && $err != *'no model'* ]]
		done
	done
	mkdir -p "$HOME/.config/mcbox"
	echo "{\"providers\":{\"mine\":{\"type\":\"openai\",\"baseUrl\":\"$OPENAI_BASE_URL\"}}}" >"$HOME/.config/mcbox/config.json"
	run_split mc-chat --no-stdin --no-save -p mine -m m hi
	assert_status 3
	assert_err_has "its 'type' in the config file is openai-compatible"
}
