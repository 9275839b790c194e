# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# What mc-chat makes of the ways in which servers stream a reply.

load helper
load wire

# base64 of what printf makes of it
bytes() {
	# shellcheck disable=SC2059
	printf '{"send_base64":"%s"}' "$(printf "$1" | base64 -w 0)"
}

# piece TEXT: a chunk as it is on the wire
piece() { printf 'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}' "$1"; }
LAST='data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'

# As it arrives

@test "each piece is on standard output before the next one is sent" {
	answers "$(stream '{"text":"alpha "}' '{"wait":"1"}' '{"text":"beta "}' '{"wait":"2"}' \
		'{"text":"gamma"}' '{"wait":"3"}' "$END")"
	start_chat hi
	holds chat.out 'alpha '
	same 'so far' 'alpha ' "$(<chat.out)"
	touch 1
	holds chat.out 'beta '
	same 'so far' 'alpha beta ' "$(<chat.out)"
	touch 2
	holds chat.out gamma
	touch 3
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' 'alpha beta gamma' "$out"
}

@test "there is one write to standard output for each piece, after one to the disk" {
	answers "$(stream '{"text":"alpha "}' '{"wait":"1"}' '{"text":"beta "}' '{"wait":"2"}' \
		'{"text":"gamma\n"}' '{"wait":"3"}' "$END")"
	trace calls write,writev mc-chat -n -s s hi >seen 3>&- &
	chat=$!
	holds seen 'alpha '
	touch 1
	holds seen 'beta '
	touch 2
	holds seen gamma
	touch 3
	wait "$chat"
	same 'writes to standard output' 3 "$(grep -Ec 'writev?\(1,' calls)"
	for word in alpha beta gamma; do
		# The spool first, then the screen; the last one is the exchange's record.
		same "writes of $word" 'file 1' \
			"$(grep -E "writev?\(.*$word" calls | head -n 2 | sed -E 's/.*writev?\(([0-9]+).*/\1/; s/^([3-9]|[0-9]{2,})$/file/' | xargs)"
	done
}

@test "a server that is slow, and not silent, is not given up" {
	tick='{"send":": still thinking\n\n"}'
	answers "$(stream "$tick" '{"wait":"1"}' "$tick" '{"wait":"2"}' "$tick" '{"wait":"3"}' \
		"$tick" '{"wait":"4"}' '{"text":"at last"}' "$END")"
	start_chat --timeout 2 hi
	for i in 1 2 3 4; do
		sleep 0.6 # each far below the timeout, together more
		touch "$i"
	done
	end_chat
	same 'standard error' '' "$err"
	same 'exit status' 0 "$status"
	same 'reply' 'at last' "$out"
}

@test "pieces that come together come out in order, in one turn" {
	answers "$(stream "$(bytes "$(piece a)\n\n$(piece b)\n\n$(piece c)\n\n$LAST\n\n")")"
	run_split mc-chat hi
	assert_status 0
	assert_out abc
}

# What is known of the reply besides its text

@test "usage, with cached and reasoning tokens, and the finish reason are stored" {
	answers "$(stream '{"text":"hello"}' '{"finish":"length"}' \
		'{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}}' \
		'{"done":true}')"
	run_split mc-chat --json -n -s s hi
	assert_status 0
	want='{"inputTokens":10,"outputTokens":20,"totalTokens":30,"reasoningTokens":5,"cachedInputTokens":4}'
	assert_json --argjson want "$want" '.tokenUsage == $want and .finishReason == "length"' <<<"$out"
	same 'stored' "$(jq -cS . <<<"$want")" "$(exchange s .tokenUsage | jq -cS .)"
	same 'stored' length "$(exchange s .finishReason)"
	has 'totals in the list' "$(mc-session-ls --json)" '"usageTotals":{"inputTokens":10,"outputTokens":20'
}

@test "without usage the token usage is null, and nothing is made up" {
	answers "$(says hello)"
	mc-chat -n -s s hi
	same 'stored' '[null,false]' "$(exchange s '[.tokenUsage, has("reasoning")] | tojson')"
}

@test "usage of odd types is passed over" {
	answers "$(stream '{"text":"hello"}' "$END" | jq -c '.steps |= .[:2] + [
		{event: {choices: [], usage: {prompt_tokens: "many", completion_tokens: -3, total_tokens: 1e30,
			prompt_tokens_details: 7, completion_tokens_details: null}}},
		{event: {choices: null, usage: [1]}}, {event: {choices: {}, usage: "x"}}] + .[2:]')"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out hello
	run_split mc-session-cat s
	assert_status 0
	assert_err_empty
}

@test "reasoning is stored and not printed, under both of its names" {
	answers "$(stream '{"reasoning":"let me "}' '{"reasoning":"think"}' '{"text":"four"}' "$END")" \
		"$(stream '{"event":{"choices":[{"delta":{"reasoning":"hm, "}}]}}' \
			'{"event":{"choices":[{"delta":{"reasoning":"five"}}]}}' '{"text":"six"}' "$END")"
	run_split mc-chat -n -s s hi
	assert_out four
	same 'reasoning' 'let me think' "$(exchange s .reasoning)"
	run_split mc-chat -s s hi
	assert_out six
	same 'reasoning' 'hm, five' "$(exchange s .reasoning)"
	same 'answer' six "$(exchange s .answer)"
}

# Servers differ

@test "a JSON answer to a streaming request is taken as the reply" {
	body='{"choices":[{"message":{"role":"assistant","content":"all at once","reasoning_content":"why"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
	for type in application/json text/event-stream; do
		answers "$(refuses 200 "$body" "$type")"
		run_split mc-chat -n -s s hi
		assert_status 0
		assert_out 'all at once'
		same 'stored' '["complete","all at once","why",3]' \
			"$(exchange s '[.status, .answer, .reasoning, .tokenUsage.totalTokens] | tojson')"
	done
}

@test "a pretty-printed JSON answer that arrives in bits is taken too" {
	answers "$(stream "$(bytes '\n {\n "choices": [\n')" '{"touch":"1"}' "$(bytes '{"message":{"content":"bit')" \
		"$(bytes ' by bit"},"finish_reason":"stop"}]}\n')")"
	run_split mc-chat hi
	assert_status 0
	assert_out 'bit by bit'
}

@test "a finish reason is the end too, when [DONE] is missing" {
	answers "$(stream '{"text":"hello"}' '{"finish":"stop"}')"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out hello
	same 'status' complete "$(exchange s .status)"
}

@test "[DONE] is the end too, when the finish reason is missing" {
	answers "$(stream '{"text":"hello"}' '{"done":true}')"
	run_split mc-chat -n -s s hi
	assert_status 0
	same 'status' complete "$(exchange s .status)"
}

@test "after [DONE] a connection that stays open is not waited for" {
	answers "$(stream '{"text":"hello"}' "$END" '{"hang":true}')"
	run_split mc-chat --timeout 3 -n -s s hi
	assert_status 0
	assert_out hello
	same 'status' complete "$(exchange s .status)"
}

@test "after [DONE] a reset does not make the reply incomplete" {
	answers "$(stream '{"text":"hello"}' "$END" '{"touch":"sent"}' '{"wait":"go"}' '{"reset":true}')"
	start_chat -n -s s hi
	holds chat.out hello
	wait_for sent
	touch go
	end_chat
	same 'exit status' 0 "$status"
	same 'status' complete "$(exchange s .status)"
}

@test "a server that keeps the connection ends the reply all the same" {
	answers "$(says hello | jq -c '.keepalive = true')"
	run_split mc-chat hi
	assert_status 0
	assert_out hello
}

@test "lines may end with CRLF or CR, also between two chunks" {
	answers "$(stream "$(bytes "$(piece one)\r\n\r\n$(piece two)\r\n\r")" '{"touch":"half"}' \
		"$(bytes "\n$LAST\r\n\r\n")")" \
		"$(stream "$(bytes "$(piece three)\r\r$(piece four)\r\r$LAST\r\r")")"
	run_split mc-chat hi
	assert_status 0
	assert_out onetwo
	run_split mc-chat hi
	assert_status 0
	assert_out threefour
}

@test "comments, unknown fields and events without data are passed over" {
	answers "$(stream "$(bytes ': keep-alive\n\nevent: ping\nid: 7\nretry: 10\n\n:\n\n')" \
		"$(bytes 'event: message\nid: 8\nfoo\nbar: baz\n'"$(piece hello)"'\n\n')" \
		"$(bytes ': OPENROUTER PROCESSING\n\n\n\n')" "$END")"
	run_split mc-chat hi
	assert_status 0
	assert_out hello
	assert_err_empty
}

@test "a field's space is optional, and data on several lines is one event" {
	answers "$(stream "$(bytes 'data:{"choices":\ndata: [{"delta":\ndata:{"content":"hello"}}]}\n\n')" "$(bytes 'data:[DONE]\n\n')")"
	run_split mc-chat hi
	assert_status 0
	assert_out hello
}

@test "unknown events and members are passed over" {
	answers "$(stream '{"event":{"object":"from.the.future","thing":{"a":[1,{"b":null}]}}}' \
		'{"event":{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":null,"x":1},"logprobs":null,"finish_reason":null}]}}' \
		'{"event":{"choices":[{"index":0,"delta":null}]}}' '{"event":{"choices":[null]}}' \
		'{"event":{"choices":[{"index":0}],"error":null}}' '{"text":"hello"}' "$END")"
	run_split mc-chat hi
	assert_status 0
	assert_out hello
	assert_err_empty
}

@test "members of odd types are passed over" {
	for data in '{}' '{"choices":"x"}' '{"choices":[[]]}' '{"choices":[{"delta":"x","finish_reason":7}]}' \
		'{"choices":[{"delta":{"content":{"a":1}}}]}'; do
		responses+=("$(stream "{\"event\":$data}" '{"text":"hello"}' "$END")")
	done
	answers "${responses[@]}"
	for _ in "${responses[@]}"; do
		run_split mc-chat --no-save hi
		assert_status 0
		assert_out hello
		assert_err_empty
	done
}

@test "events that are lists, or no JSON, are malformed" {
	for data in '[1]' '[{"choices":[]}]' '{"choices"' 'Internal Server Error'; do
		responses+=("$(stream '{"text":"so far"}' "$(jq -nc --arg d "$data" '{send: "data: \($d)\n\n"}')" "$END")")
	done
	answers "${responses[@]}"
	for _ in "${responses[@]}"; do
		run_split mc-chat --no-save hi
		assert_status 3
		assert_out 'so far'
		assert_err_has 'malformed event'
	done
}

@test "a byte order mark before the stream, or a whole answer, is passed over" {
	answers "$(stream "$(bytes '\xef\xbb\xbf'"$(piece hello)"'\n\n')" "$END")" \
		"$(stream "$(bytes '\xef\xbb')" "$(bytes '\xbf{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}')")"
	for _ in 1 2; do
		run_split mc-chat hi
		assert_status 0
		assert_out hello
	done
}

@test "the last event counts without the empty line after it" {
	answers "$(stream "$(bytes "$(piece hello)\n\n$LAST\n")")" "$(stream "$(bytes "$(piece hello)\n\n$LAST")")"
	for _ in 1 2; do
		run_split mc-chat hi
		assert_status 0
		assert_out hello
	done
}

@test "an event may be split at any byte" {
	text=$'data: {"choices":[{"delta":{"content":"日本語"}}]}\r\n\r\ndata: [DONE]\r\n\r\n'
	answers "$(printf %s "$text" | od -An -v -t x1 -w1 | while read -r byte; do
		bytes "\x$byte"
		echo
	done | jq -cn '{keepalive: true, steps: [inputs]}')"
	run_split mc-chat hi
	assert_status 0
	assert_out 日本語
}

@test "a character that is split between two chunks comes out whole" {
	answers "$(stream "$(bytes 'data: {"choices":[{"delta":{"content":"\xe6\x97')" '{"touch":"half"}' '{"wait":"go"}' \
		"$(bytes '\xa5!"}}]}\n\n')" "$END")"
	start_chat -n -s s hi
	wait_for half
	same 'so far' '' "$(<chat.out)"
	touch go
	end_chat
	same 'reply' '日!' "$out"
	same 'stored' '日!' "$(exchange s .answer)"
}

@test "a character that is split between two events comes out whole" {
	answers "$(stream "$(bytes 'data: {"choices":[{"delta":{"content":"\xe6\x97"}}]}\n\n')" \
		"$(bytes 'data: {"choices":[{"delta":{"content":"\xa5!"}}]}\n\n')" "$END")"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out '日!'
	same 'stored' '日!' "$(exchange s .answer)"
}

@test "a stream that ends within a character is stored with a replacement for it" {
	answers "$(stream "$(bytes 'data: {"choices":[{"delta":{"content":"half \xe6\x97"}}]}\n\n')" "$END")" \
		"$(stream '{"text":"whole"}' "$(bytes 'data: {"choices":[{"delta":{"content":"\xe6\x97')")"
	run_split mc-chat -n -s s hi
	assert_status 0
	printf 'half \xe6\x97\n' | cmp - "$BATS_TEST_TMPDIR/out"
	has 'stored' "$(exchange s .answer)" $'half \uFFFD'
	run_split mc-chat -s s hi
	assert_status 3
	assert_out_has whole
	assert_json -s 'map(select(.type == "exchange")) | map(.status) == ["complete", "error"]' "$(history s)"
	iconv -f UTF-8 -t UTF-8 "$(history s)" >/dev/null
}

@test "a NUL character in a reply is kept" {
	answers "$(stream '{"event":{"choices":[{"delta":{"content":"a\u0000b"}}]}}' "$END")"
	mc-chat -n -s s hi >reply
	printf 'a\0b\n' | cmp - reply
	mc-chat -s s hi >/dev/null
	same 'sent again' '"a\u0000b"' "$(request | jq -c '.body.messages[1].content')"
}

@test "a line of 2 MB is one piece of the reply" {
	head -c 2097152 /dev/zero | tr '\0' x >long
	jq -Rsc '{responses: [{steps: [{text: .}, {text: " end"}, {finish: "stop"}, {done: true}]}]}' long >script
	server_start "$(<script)"
	mc-chat -n -s s hi >reply
	{ cat long; echo ' end'; } | cmp - reply
	same 'status' complete "$(exchange s .status)"
	same 'length' 2097156 "$(exchange s '.answer | length')"
}

@test "an empty reply is complete, and prints nothing" {
	answers "$(stream "$END")"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out_empty
	same 'stored' '["complete",""]' "$(exchange s '[.status, .answer] | tojson')"
}

@test "ten thousand pieces are all there" {
	answers "$(stream '{"repeat":10000,"steps":[{"text":"piece "}]}' "$END")"
	run_split mc-chat -n -s s hi
	assert_status 0
	same 'pieces' 10000 "$(wc -w <"$BATS_TEST_TMPDIR/out")"
	same 'pieces stored' 10000 "$(exchange s .answer | wc -w)"
}
