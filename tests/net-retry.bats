# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# What is tried again, how often and when; and what never is.

load helper
load wire
load net

# stored_once STATUS: there is one exchange, of this status.
stored_once() {
	same 'exchanges' 1 "$(count s)"
	same 'status' "$1" "$(exchange s .status)"
	[[ ! -e $MC_SESSIONS_DIR/s/turn.partial ]]
}

# soon RESPONSE: it says that another attempt may be made at once.
soon() { jq -c '.headers += {"retry-after-ms": "1"}' <<<"$1"; }

RESET='{"steps":[{"reset":true}]}'

@test "what fails in passing is tried again" {
	for code in 408 409 429 500 502 503 504 529; do
		answers "$(soon "$(refuses "$code" '{"error":"not now"}')")" "$(says hello)"
		MC_RETRIES=1 run_split mc-chat -n -s s hi
		assert_status 0
		assert_out hello
		assert_err_has "$code: not now"
		same 'requests' 2 "$(requests)"
		same 'bodies' 1 "$(jq -c .body "$SERVER_LOG" | sort -u | wc -l)"
		stored_once complete
		mc-session-rm -f s
	done
}

@test "what would fail again is not tried again" {
	for code in 400 401 402 403 404 405 410 413 415 422 501; do
		answers "$(soon "$(refuses "$code" '{"error":"no"}')")" "$(says hello)"
		MC_RETRIES=3 run_split mc-chat -n -s s hi
		assert_status 3
		assert_err_has "$code"
		same 'requests' 1 "$(jq -c 'select(.method == "POST")' "$SERVER_LOG" | wc -l)"
		stored_once error
		mc-session-rm -f s
	done
}

@test "a connection that is reset, or closed, before an answer is tried again" {
	answers "$RESET" "$RESET" '{"raw":true}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"},{"reset":true}]}' "$(says hello)"
	MC_RETRIES=4 run_split mc-chat -n -s s hi
	assert_status 0
	assert_out hello
	same 'requests' 5 "$(requests)"
	stored_once complete
}

@test "MC_RETRIES and the setting say how often; the environment goes first" {
	answers "$(soon "$(refuses 503 '{"error":"no room"}')")"
	for tries in 0 2; do
		settings "{\"retries\": $tries}"
		: >"$SERVER_LOG"
		env -u MC_RETRIES mc-chat hi || true
		same 'requests' $((tries + 1)) "$(requests)"
		: >"$SERVER_LOG"
		MC_RETRIES=1 mc-chat hi || true
		same 'requests' 2 "$(requests)"
	done
	rm "$HOME/.config/mcbox/config.json"
	: >"$SERVER_LOG"
	run_split env -u MC_RETRIES mc-chat -n -s s hi
	assert_status 3
	same 'requests' 5 "$(requests)"
	assert_err_has 'after 5 attempts: the server answered 503: no room'
	stored_once error
}

@test "a reply that has begun is never asked for again" {
	for rest in '{"reset":true}' '{"event":{"error":{"message":"overloaded","code":529}}}' '{"send":"data: {\n\n"}' '{"send":""}'; do
		answers "$(stream '{"text":"so far"}' "$rest")" "$(says hello)"
		MC_RETRIES=3 run_split mc-chat -n -s s hi
		assert_status 3
		assert_out 'so far'
		same 'requests' 1 "$(requests)"
		stored_once error
		same 'answer' 'so far' "$(exchange s .answer)"
		mc-session-rm -f s
	done
}

@test "reasoning that has begun is a beginning too" {
	answers "$(stream '{"reasoning":"hmm"}' '{"event":{"error":{"message":"overloaded","code":529}}}')" "$(says hello)"
	MC_RETRIES=3 run_split mc-chat --reasoning -n -s s hi
	assert_status 3
	same 'requests' 1 "$(requests)"
	same 'reasoning' hmm "$(exchange s .reasoning)"
	stored_once error
}

@test "an error that is the first event is tried again when its code is a passing one" {
	answers "$(stream '{"event":{"error":{"message":"overloaded","code":529}}}')" "$(says hello)"
	MC_RETRIES=1 run_split mc-chat -n -s s hi
	assert_status 0
	assert_out hello
	assert_err_has overloaded
	same 'requests' 2 "$(requests)"
	stored_once complete
	mc-session-rm -f s
	answers "$(stream '{"event":{"error":{"message":"not so","code":400}}}')" "$(says hello)"
	MC_RETRIES=1 run_split mc-chat -n -s s hi
	assert_status 3
	same 'requests' 1 "$(requests)"
	stored_once error
}

@test "an overloaded server of Anthropic's is asked again" {
	server_start '{"routes":{"/":[{"steps":[{"send":"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"}]}]}}'
	unset MC_BASE_URL
	export ANTHROPIC_BASE_URL=http://127.0.0.1:$SERVER_PORT ANTHROPIC_API_KEY=k MC_PROVIDER=anthropic MC_MODEL=claude-test
	MC_RETRIES=1 run_split mc-chat -n -s s hi
	assert_status 3
	assert_err_has 'after 2 attempts'
	assert_err_has Overloaded
	same 'requests' 2 "$(requests)"
	stored_once error
}

@test "an account that has nothing left is not asked again" {
	answers "$(soon "$(refuses 429 '{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}')")"
	MC_RETRIES=3 run_split mc-chat -n -s s hi
	assert_status 3
	same 'requests' 1 "$(requests)"
	stored_once error
}

@test "a server of this machine that is not there is not waited for" {
	answers "$(says hello)"
	server_stop
	MC_RETRIES=5 run_split mc-chat -n -s s hi
	assert_status 3
	assert_err_has 'is the server running?'
	[[ $err != *'trying again'* ]]
	stored_once error
}

# Waiting

# waited MS: so long, at least, between the first two requests
waited() {
	local took
	took=$(jq -s 'map(select(.type == "request").timestamp) | .[1] - .[0]' trace.jsonl)
	((took >= $1)) && return
	echo "expected a wait of $1 ms, seen: $took"
	return 1
}

@test "Retry-After is obeyed, in seconds, as a date, and in milliseconds" {
	for header in '{"Retry-After":"1"}' '{"retry-after-ms":"1000"}' '{"Retry-After":"50","Retry-After-Ms":"1000"}'; do
		answers "$(refuses 429 '{"error":"slow"}' | jq -c --argjson h "$header" '.headers += $h')" "$(says hello)"
		MC_RETRIES=1 run_split mc-chat --trace trace.jsonl hi
		assert_status 0
		assert_err_has 'trying again in 1 s'
		waited 1000
		rm trace.jsonl
	done
	# A date has whole seconds: three from now are more than two.
	date=$(date -u -d '+3 seconds' '+%a, %d %b %Y %H:%M:%S GMT')
	answers "$(refuses 503 '{"error":"slow"}' | jq -c --arg d "$date" '.headers += {"Retry-After": $d}')" "$(says hello)"
	MC_RETRIES=1 run_split mc-chat --trace trace.jsonl hi
	assert_status 0
	waited 900 # more than any wait of our own
}

@test "a Retry-After that is none, or is over, leaves the wait to us" {
	for value in '"Retry-After":"soon"' '"Retry-After":"-5"' '"Retry-After":"Mon, 01 Jan 2001 00:00:00 GMT"' '"Retry-After":""' \
		'"retry-after-ms":"never"' '"retry-after-ms":"-1"' '"retry-after-ms":"0"' '"Retry-After":"0"' '"retry-after-ms":"99999999999999999999999"'; do
		answers "$(refuses 429 '{"error":"slow"}' | jq -c --argjson h "{$value}" '.headers += $h')" "$(says hello)"
		MC_RETRIES=1 run_split mc-chat --trace trace.jsonl hi
		assert_status 0
		waited 240
		rm trace.jsonl
	done
}

@test "a server that wants a wait of more than a minute is not waited for, and the error says how long" {
	for code in 429 500 503 529; do
		answers "$(refuses "$code" '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "3661"}')" "$(says hello)"
		MC_RETRIES=3 run_split timeout 20 mc-chat -n -s s hi
		assert_status 3
		assert_err_has 'to wait for 62 minutes'
		same 'requests' 1 "$(requests)"
		stored_once error
		mc-session-rm -f s
	done
	answers "$(refuses 429 '{"error":"slow"}' | jq -c '.headers += {"retry-after-ms": "60001"}')"
	MC_RETRIES=3 run_split timeout 20 mc-chat hi
	assert_status 3
	assert_err_has 'to wait for 61 seconds'
	same 'requests' 1 "$(requests)"
}

@test "the waits grow, and are not all alike" {
	answers "$(refuses 503 '{"error":"slow"}')"
	MC_RETRIES=3 mc-chat --trace trace.jsonl hi || true
	# Half of it and all of it: 250 to 500 ms, then 500 to 1000, then 1000 to 2000.
	assert_json -s 'map(select(.type == "request").timestamp) | [.[1] - .[0], .[2] - .[1], .[3] - .[2]] |
		.[0] >= 250 and .[1] >= 500 and .[2] >= 1000' trace.jsonl
}

@test "where nobody looks, the wait is one line" {
	answers "$(refuses 503 '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "2"}')" "$(says hello)"
	MC_RETRIES=1 run_split mc-chat hi
	assert_status 0
	same 'lines' 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")"
	assert_err_has 'the server answered 503: slow'
	assert_err_has 'trying again in 2 s'
	[[ $err != *'try again later'* ]] # it does
	refute grep -q $'[\r\e]' "$BATS_TEST_TMPDIR/err"
}

@test "a terminal sees the seconds go by, and then nothing of them" {
	answers "$(refuses 503 '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "3"}')" \
		"$(stream '{"text":"hello"}' "$END" | jq -c '.steps = [{wait: "go"}] + .steps')"
	export MC_RETRIES=1
	term_start mc-chat hi
	term_wait 'trying again in 3 s'
	term_wait 'trying again in 2 s'
	term_wait 'trying again in 1 s'
	poll 30 two_requests
	term_gone 'trying again'
	touch go
	term_wait '^hello$'
	same 'exit status' 0 "$(term_status)"
	term_gone 'trying again'
}

two_requests() { (($(requests) == 2)); }

@test "Ctrl-C ends the wait, and the turn is stored as interrupted" {
	answers "$(refuses 503 '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "60"}')" "$(says hello)"
	export MC_RETRIES=1
	start_chat -n -s s hi
	holds chat.err 'trying again in 60 s'
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	same 'requests' 1 "$(requests)"
	stored_once interrupted
	same 'answer' '' "$(exchange s .answer)"
	assert_err_has 'mc-chat: interrupted after 1 failed attempt: the server answered 503: slow'
	# At a terminal nothing of the countdown is left.
	mc-session-rm -f s
	answers "$(refuses 503 '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "60"}')"
	term_start mc-chat -n -s s hi
	term_wait 'trying again in'
	term_keys C-c
	same 'exit status' 130 "$(term_status)"
	term_gone 'trying again'
	term_wait '^mc-chat: interrupted after 1 failed attempt: .*503'
	stored_once interrupted
}

@test "Ctrl-C in a later attempt says why there was one, unless a reply has begun" {
	local refusal
	refusal=$(soon "$(refuses 503 '{"error":"slow"}')")
	export MC_RETRIES=3
	answers "$refusal" "$refusal" "$(stream '{"touch":"asked"}' '{"hang":true}')"
	start_chat -n -s s hi
	wait_for asked
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	assert_err_has 'mc-chat: interrupted after 2 failed attempts: the server answered 503: slow'
	answers "$refusal" "$(stream '{"text":"A b"}' '{"touch":"begun"}' '{"hang":true}')"
	start_chat -n -s t hi
	wait_for begun
	holds chat.out 'A b'
	kill -INT "$CHAT"
	end_chat
	same 'last words' 'mc-chat: interrupted' "$(tail -n 1 chat.err)"
}

@test "in a conversation, Ctrl-C in the wait leads back to the prompt" {
	answers "$(refuses 503 '{"error":"slow"}' | jq -c '.headers += {"Retry-After": "60"}')" "$(says hello)"
	export MC_RETRIES=1
	term_start mc-chat -n -s s
	term_wait '^>$'
	term_type hi
	term_keys Enter
	term_wait 'trying again in'
	term_keys C-c
	term_wait '^>$'
	term_type again
	term_keys Enter
	term_wait '^hello$'
	same 'exchanges' 2 "$(poll 30 two_exchanges && count s)"
}

two_exchanges() { [[ $(count s) == 2 ]]; }

@test "each attempt is in the trace" {
	answers "$(soon "$(refuses 503 '{"error":"slow"}')")" "$RESET" "$(says hello)"
	MC_RETRIES=2 mc-chat --trace trace.jsonl hi
	same 'attempts' '1 2 3' "$(jq -r 'select(.type == "request").attempt' trace.jsonl | xargs)"
	same 'statuses' '503 0 200' "$(jq -r 'select(.type == "response").status' trace.jsonl | xargs)"
}
