# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# Servers that refuse, break off, fall silent or talk nonsense: what mc-chat says,
# its status, and what is stored.

load helper
load wire

# failed_with TEXT: status 3, and this on standard error and in the stored exchange.
failed_with() {
	assert_status 3
	assert_err_has "$1"
	same 'status' error "$(exchange s .status)"
	has 'stored error' "$(exchange s .error)" "$1"
}

# Refusals

@test "a refusal shows the status and the server's own message, and is stored" {
	codes=(400 401 403 404 429 500 503)
	responses=()
	for code in "${codes[@]}"; do
		responses+=("$(refuses "$code" '{"error":{"message":"the server says why","type":"t","code":null}}')")
	done
	answers "${responses[@]}"
	for code in "${codes[@]}"; do
		run_split mc-chat -n -s s hi
		failed_with 'the server says why'
		assert_err_has "$code"
		assert_out_empty
		same 'answer' '' "$(exchange s .answer)"
		same 'query' hi "$(exchange s .query)"
	done
	same 'exchanges in the list' 0 "$(mc-session-ls --json | jq .exchangeCount)"
}

@test "the server's message is found wherever servers put it" {
	answers "$(refuses 400 '{"error":"why"}')" "$(refuses 400 '{"detail":"why"}')" \
		"$(refuses 400 '{"object":"error","message":"why","code":40001}')" "$(refuses 400 '{"error":{"message":"why"}}')"
	for _ in 1 2 3 4; do
		run_split mc-chat -n -s s hi
		failed_with ': why'
		assert_err_has 400
	done
}

@test "a message in plain text is the server's own too" {
	answers "$(refuses 404 $'model not loaded\n' text/plain)"
	run_split mc-chat -n -s s hi
	failed_with 'model not loaded'
}

@test "a list of problems, as FastAPI sends it, is not swallowed" {
	answers "$(refuses 422 '{"detail":[{"loc":["body","model"],"msg":"field required","type":"missing"}]}')"
	run_split mc-chat -n -s s hi
	failed_with 'field required'
}

@test "an error wrapped in a list, as Google's endpoint sends it, is not swallowed" {
	answers "$(refuses 400 '[{"error":{"code":400,"message":"key not valid","status":"INVALID_ARGUMENT"}}]')"
	run_split mc-chat -n -s s hi
	failed_with 'key not valid'
}

@test "a refusal in HTML, with nothing, or with broken JSON names the address and the status" {
	answers "$(refuses 500 '<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>' text/html)" \
		"$(refuses 502 '')" "$(refuses 400 '{"error":{"mess')" "$(refuses 429 'null')" "$(refuses 403 '{"error":{}}')"
	for code in 500 502 400 429 403; do
		run_split mc-chat -n -s s hi
		failed_with "$code"
		assert_err_has "$MC_BASE_URL"
		same 'lines' 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")"
	done
}

@test "statuses with a usual cause come with advice" {
	answers "$(refuses 401 '{"error":"no"}')" "$(refuses 404 '{"error":"no"}')" "$(refuses 429 '{"error":"no"}')"
	run_split mc-chat hi
	assert_status 3
	assert_err_has 'API key'
	run_split mc-chat hi
	assert_status 3
	assert_err_has 'base URL'
	run_split mc-chat hi
	assert_status 3
	assert_err_has again
}

@test "a message longer than a screen is cut at a character, and the session stays readable" {
	long=$(printf '長%.0s' {1..2000})
	answers "$(refuses 400 "{\"error\":{\"message\":\"x$long\"}}")"
	run_split mc-chat -n -s s hi
	assert_status 3
	assert_err_has 'x長長長'
	iconv -f UTF-8 -t UTF-8 "$BATS_TEST_TMPDIR/err" >/dev/null
	run_split mc-session-cat --json s
	assert_status 0
	assert_err_empty
}

@test "a body of a refusal that does not end is given up at some size" {
	answers '{"status":500,"steps":[{"repeat":300,"steps":[{"send":"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"}]}]}'
	run_split mc-chat -n -s s hi
	failed_with 500
}

@test "a redirect is not followed: neither prompt nor key go elsewhere" {
	server_start "$(jq -n '{routes: {"/elsewhere": [{}], "/v1/": [301, 302, 303, 307, 308 |
		{status: ., headers: {Location: "/elsewhere"}}]}}')"
	for code in 301 302 303 307 308; do
		OPENAI_COMPATIBLE_API_KEY=k run_split mc-chat -n -s s hi
		failed_with "$code"
	done
	same 'where the requests went' '5 /v1/chat/completions' "$(jq -r .path "$SERVER_LOG" | uniq -c | xargs)"
}

@test "an answer that is no chat completion is an error, and none of it is shown as a reply" {
	answers "$(refuses 200 '<html><body>data: Welcome</body></html>' text/html)" "$(refuses 200 '' text/plain)" \
		"$(refuses 200 'hello' text/plain)" "$(refuses 200 '[]')"
	for _ in 1 2 3 4; do
		run_split mc-chat -n -s s hi
		failed_with 'base URL'
		assert_out_empty
	done
}

@test "a JSON answer that contains no reply is an error" {
	answers "$(refuses 200 '{}')" "$(refuses 200 '{"status":"ok"}')" "$(refuses 200 '{"choices":[]}')" "$(refuses 200 '[1]')"
	for _ in 1 2 3 4; do
		run_split mc-chat -n -s s hi
		assert_status 3
		same 'status' error "$(exchange s .status)"
	done
}

@test "a JSON answer with an error is one, whatever its status" {
	answers "$(refuses 200 '{"error":{"message":"overloaded"}}')"
	run_split mc-chat -n -s s hi
	failed_with overloaded
}

# Failures in the middle of a reply

@test "an error in the stream ends the reply; what came is printed and stored" {
	answers "$(stream '{"text":"so far"}' '{"event":{"error":{"message":"out of memory","code":500}}}' '{"text":" never"}' "$END")" \
		"$(stream '{"text":"so far"}' '{"event":{"error":"gone"}}')"
	run_split mc-chat -n -s s hi
	failed_with 'out of memory'
	assert_out 'so far'
	same 'answer' 'so far' "$(exchange s .answer)"
	run_split mc-chat -s s hi
	failed_with gone
}

@test "an error on a line of its own, as llama.cpp sends it, is not passed over" {
	answers "$(stream '{"text":"so far"}' '{"send":"error: {\"code\":500,\"message\":\"context is full\",\"type\":\"server_error\"}\n\n"}')"
	run_split mc-chat -n -s s hi
	failed_with 'context is full'
	assert_out 'so far'
}

@test "a malformed event ends the reply; what came is printed and stored" {
	answers "$(stream '{"text":"so far"}' '{"send":"data: {\"choices\": [{]\n\n"}' '{"text":" never"}' "$END")" \
		"$(stream '{"text":"so far"}' '{"send":"data: \n\n"}' '{"send":"data: 42 42\n\n"}')"
	for _ in 1 2; do
		run_split mc-chat -n -s s hi
		failed_with 'malformed event'
		assert_out 'so far'
		same 'answer' 'so far' "$(exchange s .answer)"
	done
}

@test "a stream that ends without its end is an error, with what came" {
	answers "$(stream '{"text":"so far"}')" "$(stream '{"text":"so far"}' | jq -c '.keepalive = true')"
	for _ in 1 2; do
		run_split mc-chat -n -s s hi
		failed_with 'before the reply was complete'
		assert_out 'so far'
		same 'answer' 'so far' "$(exchange s .answer)"
	done
}

@test "a connection that is reset is an error, with what came" {
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' '{"reset":true}')"
	start_chat -n -s s hi
	holds chat.out 'so far'
	touch go
	end_chat
	same 'exit status' 3 "$status"
	same 'standard output' 'so far' "$out"
	has 'standard error' "$err" 'connection broke'
	same 'stored' '["error","so far"]' "$(exchange s '[.status, .answer] | tojson')"
}

@test "a reset, or an end, before any answer is an error" {
	answers "$(stream '{"reset":true}')"
	run_split mc-chat -n -s s hi
	failed_with "$MC_BASE_URL"
	assert_out_empty
}

@test "a body shorter than announced is an error, with what came" {
	answers "$(stream '{"text":"so far"}' | jq -c '.headers = {"Content-Length": "5000"}')"
	run_split mc-chat -n -s s hi
	assert_status 3
	assert_out 'so far'
	same 'stored' '["error","so far"]' "$(exchange s '[.status, .answer] | tojson')"
}

# No answer

@test "a server that is not there is an error that names it" {
	answers "$(says hello)"
	server_stop
	run_split mc-chat -n -s s hi
	failed_with "$MC_BASE_URL"
	assert_err_has 'is the server running?'
	same 'query' hi "$(exchange s .query)"
}

@test "silence for longer than --timeout is an error, before the answer and within it" {
	answers "$(stream '{"hang":true}')" "$(stream '{"text":"so far"}' '{"hang":true}')"
	run_split mc-chat --timeout 1 -n -s s hi
	failed_with 'nothing for 1 second'
	assert_out_empty
	run_split mc-chat --timeout 1 -s s hi
	failed_with 'nothing for 1 second'
	assert_out 'so far'
	same 'answer' 'so far' "$(exchange s .answer)"
}

@test "the config file may set the timeout" {
	answers "$(stream '{"hang":true}')"
	mkdir -p "$HOME/.config/mcbox"
	echo '{"timeout": 1}' >"$HOME/.config/mcbox/config.json"
	run_split mc-chat -n -s s hi
	failed_with 'nothing for 1 second'
}

@test "a server that does not speak HTTP is an error" {
	answers "$(says hello)"
	cat >odd.py <<-'PY'
		import socket, sys
		s = socket.create_server(("127.0.0.1", 0))
		print(s.getsockname()[1], flush=True)
		c, _ = s.accept()
		c.recv(65536)
		c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
		c.close()
	PY
	mkfifo port
	timeout 60 /usr/bin/python3 odd.py >port 3>&- &
	read -r number <port
	MC_BASE_URL=http://127.0.0.1:$number/v1 run_split mc-chat -n -s s hi
	failed_with "http://127.0.0.1:$number/v1"
	assert_out_empty
}

# How it is told

@test "--json prints the record of a failed turn, and fails" {
	answers "$(stream '{"text":"so far"}')"
	run_split mc-chat --json -n -s s hi
	assert_status 3
	assert_json '.session == "s" and .status == "error" and .answer == "so far" and
		(.error | contains("before the reply was complete"))' <<<"$out"
	[[ $err ]]
}

@test "--no-save fails in the same way, and stores nothing" {
	answers "$(refuses 500 '{"error":"why"}')"
	run_split mc-chat --no-save hi
	assert_status 3
	assert_err_has why
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "escape sequences in a server's message are stored as they are, and shown harmless" {
	answers "$(refuses 400 "$(jq -nc '{error: {message: "\u001b[31mred\u001b]52;c;Zm9v\u0007 \u009b1m"}}')")"
	mc-chat -n -s s hi 2>err || true
	has 'stored' "$(exchange s .error)" $'\e[31mred'
	term_start mc-chat -s s hi
	same 'exit status' 3 "$(term_status)"
	term_wait '400: \^\[\[31mred\^\[\]52;c;Zm9v\^G <U\+009B>1m'
	run_split mc-session-cat s
	assert_status 0
	assert_out_has '[error: '
}

@test "after any failure the session goes on" {
	answers "$(refuses 500 '')" "$(stream '{"text":"x"}' '{"send":"data: {\n\n"}')" "$(says fine)"
	run_split mc-chat -n -s s q1
	assert_status 3
	run_split mc-chat -s s q2
	assert_status 3
	run_split mc-chat -s s q3
	assert_status 0
	assert_out fine
	same 'messages' 'user: q3' "$(messages)"
	same 'exchanges in the list' 1 "$(mc-session-ls --json | jq .exchangeCount)"
	[[ ! -e $MC_SESSIONS_DIR/s/turn.partial ]]
}
