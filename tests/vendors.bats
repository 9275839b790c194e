# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire
load net

# A conversation with each vendor's protocol over real sockets, plain and with TLS, as a user
# has it: the streams are in the form that the vendors' references give.

setup_file() { make_keys; }

setup() {
	fresh
	export ANTHROPIC_API_KEY=key-of-anthropic OPENAI_API_KEY=key-of-openai GEMINI_API_KEY=key-of-google
}

# typed_events EVENT...: prints the steps of server-sent events that name their type, as
# Anthropic and OpenAI send them.
typed_events() {
	local e
	for e; do jq -nc --argjson e "$e" '{send: "event: \($e.type)\ndata: \($e)\n\n"}'; done
}

# plain_events EVENT...: those without a type, as Google sends them.
plain_events() {
	local e
	for e; do jq -nc --argjson e "$e" '{send: "data: \($e)\r\n\r\n"}'; done
}

# steps: one response of the steps on standard input; the connection stays.
steps() { jq -sc '{keepalive: true, steps: .}'; }

anthropic_says() { # TEXT [THOUGHT]
	typed_events \
		'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-x","stop_reason":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":1}}}' \
		'{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}' \
		'{"type":"ping"}' \
		"$(jq -nc --arg t "${2-}" '{type:"content_block_delta",index:0,delta:{type:"thinking_delta",thinking:$t}}')" \
		'{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQ="}}' \
		'{"type":"content_block_stop","index":0}' \
		'{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}' \
		"$(jq -nc --arg t "$1" '{type:"content_block_delta",index:1,delta:{type:"text_delta",text:$t}}')" \
		'{"type":"content_block_stop","index":1}' \
		'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}' \
		'{"type":"message_stop"}' | steps
}

openai_says() {
	typed_events \
		'{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}}' \
		'{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}' \
		"$(jq -nc --arg t "${2-}" '{type:"response.reasoning_summary_text.delta",sequence_number:2,item_id:"rs_1",output_index:0,summary_index:0,delta:$t}')" \
		'{"type":"response.output_item.added","sequence_number":3,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}' \
		"$(jq -nc --arg t "$1" '{type:"response.output_text.delta",sequence_number:4,item_id:"msg_1",output_index:1,content_index:0,delta:$t}')" \
		"$(jq -nc --arg t "$1" '{type:"response.completed",sequence_number:5,response:{id:"resp_1",status:"completed",error:null,incomplete_details:null,output:[{id:"msg_1",type:"message",role:"assistant",status:"completed",content:[{type:"output_text",text:$t,annotations:[]}]}],usage:{input_tokens:115,input_tokens_details:{cached_tokens:100},output_tokens:7,output_tokens_details:{reasoning_tokens:4},total_tokens:122}}}')" | steps
}

google_says() {
	plain_events \
		"$(jq -nc --arg t "${2-}" '{candidates:[{content:{parts:[{text:$t,thought:true}],role:"model"},index:0}],usageMetadata:{promptTokenCount:115,totalTokenCount:119,thoughtsTokenCount:4}}')" \
		"$(jq -nc --arg t "$1" '{candidates:[{content:{parts:[{text:$t}],role:"model"},finishReason:"STOP",index:0}],usageMetadata:{promptTokenCount:115,cachedContentTokenCount:100,candidatesTokenCount:3,totalTokenCount:122,thoughtsTokenCount:4},modelVersion:"gemini-x",responseId:"r"}')" | steps
}

# serve WAY RESPONSE...: a server, "plain" or with "tls". Sets BASE, without a path.
serve() {
	if [[ $1 == tls ]]; then
		export SSL_CERT_FILE=$KEYS/ca.pem
		secure here "${@:2}"
	else
		answers "${@:2}"
	fi
	BASE=${MC_BASE_URL%/v1}
	unset MC_PROVIDER MC_MODEL
}

# converse VENDOR: two turns, the reply to each and what was stored.
converse() {
	local vendor=$1
	printf '\x89PNG\r\n\x1a\n0000' >picture.png
	run_split mc-chat --reasoning -n -s s -p "$vendor" -S 'Be kind.' -a picture.png -o max_tokens=500 'what is this?'
	assert_status 0
	assert_out 'A picture, café 😀.'
	same 'reasoning on stderr' 'I look.' "$err"
	exchange s | assert_json '.answer == "A picture, café 😀." and .reasoning == "I look." and .finishReason == "stop" and
		.status == "complete" and .tokenUsage.inputTokens == 115 and .tokenUsage.cachedInputTokens == 100 and
		.tokenUsage.outputTokens == 7 and .tokenUsage.totalTokens == 122 and (.attachments | length) == 1'
	run_split mc-chat -s s 'and now?'
	assert_status 0
	assert_out 'Nothing.'
	same exchanges 2 "$(count s)"
	same 'usage in the list' 244 "$(mc-session-ls --json | jq .usageTotals.totalTokens)"
}

PICTURE=iVBORw0KGgowMDAw

@test "anthropic: a conversation, plain and with TLS" {
	local way
	for way in plain tls; do
		serve "$way" "$(anthropic_says 'A picture, café 😀.' 'I look.')" "$(anthropic_says 'Nothing.')"
		export ANTHROPIC_BASE_URL=$BASE
		converse anthropic
		request 1 | assert_json '.path == "/v1/messages" and .headers["x-api-key"] == "key-of-anthropic" and
			.headers["anthropic-version"] == "2023-06-01" and (.headers | has("authorization") | not) and
			.body.max_tokens == 500 and .body.stream == true and .body.system[0].text == "Be kind."'
		request 2 | assert_json --arg p "$PICTURE" '.body.messages | map(.role) == ["user","assistant","user"] and
			.[0].content[0].source.data == $p and .[0].content[-1].text == "what is this?" and
			.[1].content[0] == {"type":"thinking","thinking":"I look.","signature":"EqQ="} and
			.[1].content[1].text == "A picture, café 😀." and .[2].content[0].text == "and now?"'
		# The prefix that stays the same is to be kept by the server.
		request 2 | assert_json '.body.system[0].cache_control and .body.messages[-1].content[-1].cache_control and
			([.. | objects | select(has("cache_control"))] | length) <= 4'
		mc-session-rm -f s
	done
}

@test "openai: a conversation, plain and with TLS" {
	local way
	for way in plain tls; do
		serve "$way" "$(openai_says 'A picture, café 😀.' 'I look.')" "$(openai_says 'Nothing.')"
		export OPENAI_BASE_URL=$BASE/v1
		converse openai
		request 1 | assert_json '.path == "/v1/responses" and .headers.authorization == "Bearer key-of-openai" and
			.body.instructions == "Be kind." and .body.max_output_tokens == 500 and .body.store == false'
		request 2 | assert_json --arg p "data:image/png;base64,$PICTURE" '.body.input | map(.role) == ["user","assistant","user"] and
			any(.[0].content[]; .image_url == $p) and .[0].content[-1].text == "what is this?" and
			([.[1].content] | tostring | contains("A picture, café 😀."))'
		assert_json '.body.reasoning == {"summary":"auto"}' <<<"$(request 1)"
		mc-session-rm -f s
	done
}

@test "google: a conversation, plain and with TLS" {
	local way
	for way in plain tls; do
		serve "$way" "$(google_says 'A picture, café 😀.' 'I look.')" "$(google_says 'Nothing.')"
		export GOOGLE_GEMINI_BASE_URL=$BASE
		converse google
		request 1 | assert_json '(.path | test("^/v1beta/models/[a-z0-9.-]+:streamGenerateContent\\?alt=sse$")) and
			.headers["x-goog-api-key"] == "key-of-google" and (.path | contains("key-of") | not) and
			.body.systemInstruction.parts[0].text == "Be kind." and .body.generationConfig.maxOutputTokens == 500 and
			.body.generationConfig.thinkingConfig.includeThoughts == true'
		request 2 | assert_json --arg p "$PICTURE" '.body.contents | map(.role) == ["user","model","user"] and
			.[0].parts[0].inlineData.data == $p and .[1].parts[0].text == "A picture, café 😀."'
		mc-session-rm -f s
	done
}

# What fails, in each vendor's way

# fails_with WORD...: the next turn fails, and stderr and the record say so.
fails_with() {
	run_split mc-chat -n -s s hi
	assert_status 3
	local word
	for word; do
		assert_err_has "$word"
		has 'the stored error' "$(exchange s .error)" "$word"
	done
	same status error "$(exchange s .status)"
}

@test "anthropic: errors of the stream and of the request" {
	server_start "{\"responses\":[
		$(typed_events '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}' | steps),
		$(refuses 400 '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}'),
		$(refuses 404 '{"type":"error","error":{"type":"not_found_error","message":"model: claude-none"}}'),
		$(refuses 401 '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}')]}"
	export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1} MC_PROVIDER=anthropic MC_MODEL=claude-x
	fails_with Overloaded
	fails_with '8310 more than the model' 200000 '--context'
	fails_with 'claude-none'
	fails_with 'invalid x-api-key' 'ANTHROPIC_API_KEY'
}

@test "openai: errors of the stream and of the request" {
	server_start "{\"responses\":[
		$(typed_events '{"type":"response.failed","sequence_number":1,"response":{"id":"r","status":"failed","error":{"code":"server_error","message":"The server had an error"}}}' | steps),
		$(refuses 429 '{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'),
		$(refuses 401 '{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}')]}"
	export OPENAI_BASE_URL=$MC_BASE_URL MC_PROVIDER=openai MC_MODEL=gpt-x
	fails_with 'The server had an error'
	# To wait would not fill the account.
	MC_RETRIES=3 fails_with 'exceeded your current quota' 'no credit left'
	same requests 2 "$(wc -l <"$SERVER_LOG")"
	fails_with 'Incorrect API key' OPENAI_API_KEY
}

@test "google: errors of the stream and of the request" {
	server_start "{\"responses\":[
		$(plain_events '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}' | steps),
		$(refuses 400 '{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}'),
		$(refuses 400 '{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}'),
		$(plain_events '{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}' | steps)]}"
	export GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1} MC_PROVIDER=google MC_MODEL=gemini-x
	fails_with overloaded
	fails_with '151424 more than' 1048576
	fails_with 'API key not valid' GEMINI_API_KEY
	run_split mc-chat -s s hi
	assert_status 0
	assert_err_has 'refused to answer'
	same 'finish reason' content_filter "$(exchange s .finishReason)"
}

@test "each vendor: a stream that breaks off keeps what came, and is never asked again" {
	local vendor
	for vendor in anthropic openai google; do
		server_start "{\"responses\":[$("${vendor}_says" 'half' | jq -c '.steps |= (map(select(.send | test("half") and (test("completed|STOP") | not))) + [{reset: true}])
			| if .steps | length == 1 then .steps = [{send: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"half\"}],\"role\":\"model\"}}]}\n\n"}, {reset: true}] else . end')]}"
		export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1} OPENAI_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1}
		unset MC_MODEL
		MC_RETRIES=3 MC_PROVIDER=$vendor run_split mc-chat -n -s "$vendor" hi
		assert_status 3
		assert_out half
		same 'stored' 'half' "$(exchange "$vendor" .answer)"
		same requests 1 "$(wc -l <"$SERVER_LOG")"
	done
}

@test "google: a list of what would be streamed is a reply" {
	server_start "$(jq -nc '{responses: [{headers: {"Content-Type": "application/json"}, steps: [{send:
		([{candidates: [{content: {parts: [{text: "It"}]}}]},
		  {candidates: [{content: {parts: [{text: " is."}]}, finishReason: "STOP"}]}] | tojson)}]}]}')"
	export GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1}
	MC_PROVIDER=google MC_MODEL=gemini-x run_split mc-chat hi
	assert_status 0
	assert_out 'It is.'
}

@test "each vendor: a schema goes along in its own place" {
	echo '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}' >schema.json
	local vendor
	for vendor in anthropic openai google; do
		server_start "{\"responses\":[$("${vendor}_says" '{"n":1}')]}"
		export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1} OPENAI_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1}
		unset MC_MODEL
		MC_PROVIDER=$vendor run_split mc-chat --schema schema.json hi
		assert_status 0
		assert_json '.n == 1' <<<"$out"
		request | assert_json --slurpfile s schema.json --arg v "$vendor" '.body |
			if $v == "anthropic" then .output_config.format.schema
			elif $v == "openai" then .text.format.schema
			else .generationConfig.responseJsonSchema end == $s[0]'
	done
}

@test "what a vendor has no word for is refused before anything is sent" {
	server_start
	export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1}
	unset MC_MODEL
	MC_PROVIDER=anthropic run_split mc-chat -o seed=1 hi
	assert_status 2
	assert_err_has "anthropic has no 'seed'"
	[[ ! -s $SERVER_LOG && $(sessions) == 0 ]]
}
