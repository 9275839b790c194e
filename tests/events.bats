# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire

# --events and --trace.

# types: what there was in a row; pieces that arrive together are one.
types() { jq -r .type <<<"$out" | uniq | paste -sd' '; }

@test "events: what happens in a turn, in its order" {
	answers "$(stream '{"reasoning":"hm"}' '{"text":"Hel"}' '{"text":"lo"}' '{"finish":"stop"}' \
		'{"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}' '{"done":true}')"
	run_split mc-chat --events -n -s s hi
	assert_status 0
	assert_err_empty
	same types 'started reasoning text usage stored' "$(types)"
	assert_json -s '.[0] | .session == "s" and .provider == "openai-compatible" and .model == "test-model"' <<<"$out"
	assert_json -s '[.[] | select(.type == "text").text] | add == "Hello"' <<<"$out"
	assert_json -s '.[-2].tokenUsage.totalTokens == 5' <<<"$out"
	same 'the record' "$(exchange s)" "$(jq 'select(.type == "stored").exchange' <<<"$out")"
	assert_json -s '.[0].exchange == .[-1].exchange.id and (map(.timestamp) | . == sort)' <<<"$out"
}

@test "events: each is there when it happened" {
	answers "$(stream '{"text":"one"}' '{"wait":"go"}' '{"text":"two"}' "$END")"
	start_chat --events --no-stdin -n -s s hi
	holds chat.out '"text":"one"'
	refute grep -q two chat.out
	touch go
	end_chat
	assert_status 0
	same types 'started text stored' "$(types)"
}

@test "events: a character that came in pieces is one character" {
	answers "$(stream '{"event":{"choices":[{"delta":{"content":"a"}}]}}' \
		"{\"send_base64\":\"$(printf 'data: {"choices":[{"delta":{"content":"\xf0\x9f"}}]}\n\n' | base64 -w0)\"}" \
		"{\"send_base64\":\"$(printf 'data: {"choices":[{"delta":{"content":"\x98\x80b\xff"}}]}\n\n' | base64 -w0)\"}" "$END")"
	run_split mc-chat --events -n -s s hi
	assert_status 0
	same text $'a😀b\uFFFD' "$(jq -rj 'select(.type == "text").text' <<<"$out")"
	same 'in the record' $'a😀b\uFFFD' "$(exchange s .answer)"
	iconv -f utf-8 -t utf-8 "$BATS_TEST_TMPDIR/out" >/dev/null
}

@test "events: a turn that fails is stored, and then the error comes" {
	answers "$(stream '{"text":"so far"}')" "$(refuses 400 '{"error":{"message":"no"}}')"
	run_split mc-chat --events -n -s s hi
	assert_status 3
	same types 'started text stored error' "$(types)"
	assert_json -s '.[2].exchange.status == "error" and .[3].exitStatus == 3 and (.[3].error | contains("complete"))' <<<"$out"
	has 'the error' "$err" "$(jq -r 'select(.type == "error").error' <<<"$out")"
	run_split mc-chat --events -s s hi
	assert_status 3
	same types 'started stored error' "$(types)"
}

@test "events: a turn that cannot begin is an error alone" {
	answers "$(says hi)"
	run_split mc-chat --events -s nothere hi
	assert_status 1
	same types error "$(types)"
	assert_json '.exitStatus == 1 and (.error | contains("nothere"))' <<<"$out"
	run_split mc-chat --events -o temperature=x hi
	assert_status 2
}

@test "events: with --no-save the end is unsaved" {
	answers "$(says hi)"
	run_split mc-chat --events --no-save hi
	assert_status 0
	same types 'started text unsaved' "$(types)"
	assert_json -s 'all(has("session") | not) and .[-1].exchange.answer == "hi"' <<<"$out"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "events: an interrupted turn" {
	answers "$(stream '{"text":"so far"}' '{"hang":true}')"
	start_chat --events --no-stdin -n -s s hi
	holds chat.out 'so far'
	kill -INT "$CHAT"
	end_chat
	assert_status 130
	same types 'started text stored error' "$(types)"
	assert_json -s '.[2].exchange.status == "interrupted" and .[3].exitStatus == 130' <<<"$out"
}

@test "events: an attempt that failed in passing" {
	answers "$(refuses 503 '{"error":"busy"}')" "$(says hello)"
	MC_RETRIES=1 run_split mc-chat --events -n -s s hi
	assert_status 0
	same types 'started retry text stored' "$(types)"
	assert_json -s '.[1] | (.error | contains("503")) and .wait > 0 and .wait <= 1000' <<<"$out"
}

@test "events: a call of a tool" {
	answers "$(stream '{"text":"I look."}' \
		'{"event":{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":"}}]}}]}}' \
		'{"event":{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \"x\"}"}}]}}]}}' \
		'{"event":{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"bad","arguments":"{\n"}}]}}]}}' \
		'{"finish":"tool_calls"}' '{"done":true}')"
	run_split mc-chat --events -n -s s hi
	assert_status 0
	assert_err_has "the model called a tool ('look')"
	same types 'started text call stored' "$(types)"
	same calls '[["c1","look",{"at":"x"}],["c2","bad","{\n"]]' \
		"$(jq -sc 'map(select(.type == "call") | [.id, .name, .arguments])' <<<"$out")"
}

@test "events: at a terminal nothing of them is obeyed" {
	answers "$(stream '{"text":"\u001b[31mred"}' "$END")"
	term_start -x 200 mc-chat --events --no-stdin -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait 'u001b\[31mred'
	has screen "$(term_screen)" '"type":"started"'
}

@test "events: a reader that leaves ends nothing" {
	answers "$(stream '{"text":"one"}' '{"wait":"go"}' '{"text":"two"}' "$END")"
	(mc-chat --events --no-stdin -n -s s hi; echo $? >status) | head -n 2 >/dev/null &
	poll 30 test -e "$MC_SESSIONS_DIR/s/turn.partial"
	touch go
	wait_for status
	poll 30 test -s status
	same 'exit status' 0 "$(<status)"
	same answer onetwo "$(exchange s .answer)"
}

# --trace

@test "trace: the request, what came, and how it ended" {
	answers "$(says hello)"
	OPENAI_COMPATIBLE_API_KEY=sk-secret-123456 run_split mc-chat --trace t.jsonl -n -s s hi
	assert_status 0
	assert_out hello
	assert_err_empty
	same types 'request data data data response' "$(jq -r .type t.jsonl | paste -sd' ')"
	same mode 600 "$(stat -c %a t.jsonl)"
	assert_json -s --arg url "$MC_BASE_URL/chat/completions" '.[0] | .method == "POST" and .url == $url and .attempt == 1 and
		.body.messages[0].content == "hi" and any(.headers[]; . == "Authorization: Bearer ***")' t.jsonl
	assert_json -s '.[1].data | fromjson | .choices[0].delta.content == "hello"' t.jsonl
	assert_json -s '.[-1] | .status == 200 and .connections == 1 and .times.end >= .times.firstByte and
		(.head | contains("text/event-stream")) and (has("error") | not)' t.jsonl
	refute grep -q sk-secret t.jsonl
}

@test "trace: is appended to, and holds each attempt" {
	answers "$(refuses 503 '{"error":"busy"}')" "$(says hello)"
	MC_RETRIES=1 mc-chat --trace t.jsonl -n -s s hi 2>err
	same attempts $'1\n2' "$(jq -r 'select(.type == "request").attempt' t.jsonl)"
	assert_json -s 'map(select(.type == "response")) | .[0].status == 503 and (.[0].body | contains("busy")) and
		(.[0].error | contains("503")) and .[1].status == 200' t.jsonl
	mc-chat --trace t.jsonl -s s hi
	same requests 3 "$(grep -c '"type":"request"' t.jsonl)"
}

@test "trace: one that cannot be opened is an error, one that cannot be written a warning" {
	answers "$(says hello)"
	run_split mc-chat --trace /nonexistent/t -n -s s hi
	assert_status 1
	assert_err_has "/nonexistent/t"
	[[ ! -e $SERVER_LOG || ! -s $SERVER_LOG ]]
	run_split mc-chat --trace /dev/full -n -s s hi
	assert_status 0
	assert_out hello
	assert_err_has "cannot write the trace '/dev/full': No space left"
}

@test "trace: - is no file; --json and --events exclude each other" {
	run_split mc-chat --trace - -p echo hi
	assert_status 2
	assert_err_has "'./-'"
	[[ ! -e ./- ]]
	local both
	for both in '--json --events' '--events --json'; do
		# shellcheck disable=SC2086  # two words
		run_split mc-chat $both -p echo hi
		assert_status 2
		assert_err_has 'exclude each other'
	done
	mc-chat --json --json -p echo hi | assert_json '.answer == "hi"'
	mc-chat --trace ./- -p echo hi
	[[ -e ./- && ! -s ./- ]]
}

@test "trace: of a provider without a network is empty" {
	MC_PROVIDER=echo mc-chat --trace t.jsonl hi
	[[ -e t.jsonl && ! -s t.jsonl ]]
}
