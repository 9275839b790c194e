# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# What mc-chat sends to an OpenAI-compatible server, and where to.

load helper
load wire

# The request

@test "a turn is one POST to /chat/completions below the base URL" {
	answers "$(says hello)"
	run_split mc-chat hi
	assert_status 0
	assert_out hello
	assert_err_empty
	same 'requests' 1 "$(wc -l <"$SERVER_LOG")"
	same 'request' 'POST /v1/chat/completions' "$(request | jq -r '"\(.method) \(.path)"')"
}

@test "its headers say what is sent and wanted, and ask for no permission" {
	answers "$(says hello)"
	mc-chat hi
	request | assert_json '.headers | ."content-type" == "application/json" and
		(.accept | contains("text/event-stream")) and (."user-agent" | startswith("mcbox/")) and
		(has("expect") | not) and (has("authorization") | not)'
	head -c 3000000 /dev/zero | tr '\0' x | mc-chat -n -s large # no Expect for a large body either
	request | assert_json '.headers | has("expect") | not'
	same 'length of the prompt' 3000000 "$(request | jq '.body.messages[-1].content | length')"
}

@test "a key goes into the Authorization header" {
	answers "$(says hello)"
	OPENAI_COMPATIBLE_API_KEY=sk-secret mc-chat hi
	same 'header' 'Bearer sk-secret' "$(request | jq -r .headers.authorization)"
}

@test "an empty key is none" {
	answers "$(says hello)"
	OPENAI_COMPATIBLE_API_KEY='' mc-chat hi
	request | assert_json '.headers | has("authorization") | not'
}

@test "a key with a line end cannot bring in a header of its own" {
	answers "$(says hello)"
	for key in $'sk-1\r\nX-Evil: 1' $'sk-1\nX-Evil: 1'; do
		OPENAI_COMPATIBLE_API_KEY=$key run_split mc-chat hi
		assert_status 2
		assert_err_has 'contains an invalid character'
		[[ $err != *sk-1* && ! -s $SERVER_LOG ]]
	done
	for key in $'sk-1\n' $'sk-1\r'; do
		OPENAI_COMPATIBLE_API_KEY=$key run_split mc-chat hi
		assert_status 0
		request | assert_json '.headers.authorization == "Bearer sk-1"'
	done
}

@test "the key is in no file and in no message" {
	export OPENAI_COMPATIBLE_API_KEY=sk-secret
	answers "$(says hello)" "$(refuses 401 '{"error":{"message":"bad key"}}')"
	mc-chat -n -s s hi >out 2>err
	mc-chat -s s hi >>out 2>>err || true
	MC_BASE_URL=http://127.0.0.1:1/v1 mc-chat -s s hi >>out 2>>err || true
	mc-chat -s s --json hi >>out 2>>err || true
	mc-session-cat --json s >>out
	mc-session-cat --status s >>out
	same 'number of exchanges' 4 "$(count s)"
	refute grep -r sk-secret "$MC_SESSIONS_DIR" "$HOME" out err
}

@test "the body names the model, holds the prompt and asks for a stream with usage" {
	answers "$(says hello)"
	mc-chat -m some/model:7b hi
	same 'body' '{"messages":[{"content":"hi","role":"user"}],"model":"some/model:7b","stream":true,"stream_options":{"include_usage":true}}' \
		"$(request | jq -cS .body)"
}

@test "a byte order mark before an answer or a refusal is passed over" {
	local json='{"choices":[{"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}' body
	body=$(jq -nc --arg b $'\ufeff'"$json" '{headers: {"Content-Type": "application/json"}, steps: [{send: $b}]}')
	answers "$body" "$(refuses 400 $'\ufeff{"error":{"message":"no such thing"}}')"
	run_split mc-chat --no-save --no-stream hi
	assert_status 0
	assert_out fine
	run_split mc-chat --no-save hi
	assert_status 3
	assert_err_has 'answered 400: no such thing'
	[[ $err != *'{'* ]]
}

@test "--no-stream asks for one piece, and takes it" {
	answers "$(jq -nc '{headers: {"Content-Type": "application/json"}, steps: [{send: ({choices: [{message:
		{role: "assistant", content: "in one piece"}, finish_reason: "length"}], usage: {prompt_tokens: 1,
		completion_tokens: 3, total_tokens: 4}} | tojson)}]}')"
	run_split mc-chat -n -s s --no-stream hi
	assert_status 0
	assert_out 'in one piece'
	request | assert_json '.body | .stream == false and (has("stream_options") | not)'
	same 'stored' '["in one piece","complete","length",4]' \
		"$(exchange s '[.answer, .status, .finishReason, .tokenUsage.totalTokens] | tojson')"
}

@test "characters that JSON has to escape arrive as they were" {
	answers "$(says hello)"
	text=$'quote " backslash \\ tab \t bell \a del \x7f 日本語 🎉'
	mc-chat "$text"
	same 'prompt' "$text" "$(request | jq -r '.body.messages[0].content')"
}

# The context

@test "the system prompt comes first, then the earlier exchanges, then the prompt" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	mc-chat -n -s s -S 'be brief' q1
	mc-chat -s s q2
	mc-chat -s s q3
	same 'messages' $'system: be brief\nuser: q1\nassistant: a1\nuser: q2\nassistant: a2\nuser: q3' \
		"$(messages)"
}

@test "a failed exchange is not sent again, with or without text" {
	answers "$(says a1)" "$(refuses 500 '{"error":"no"}')" "$(stream '{"text":"partial"}')" "$(says a4)"
	mc-chat -n -s s q1
	run_split mc-chat -s s q2
	assert_status 3
	run_split mc-chat -s s q3
	assert_status 3
	mc-chat -s s q4
	same 'messages' $'user: q1\nassistant: a1\nuser: q4' "$(messages)"
	same 'exchanges' 'complete error error complete' "$(jq -r 'select(.status).status' "$(history s)" | xargs)"
}

@test "an interrupted exchange is sent with the text that came, and without text not at all" {
	answers "$(stream '{"text":"half an"}' '{"hang":true}')" "$(stream '{"send":""}' '{"touch":"asked"}' '{"hang":true}')" \
		"$(says a3)"
	start_chat -n -s s q1
	holds chat.out 'half an'
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	start_chat -s s q2
	wait_for asked
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	mc-chat -s s q3
	same 'messages' $'user: q1\nassistant: half an\nuser: q3' "$(messages)"
}

@test "reasoning is stored, and not sent again" {
	answers "$(stream '{"reasoning":"let me think"}' '{"text":"a1"}' "$END")" "$(says a2)"
	run_split mc-chat -n -s s q1
	assert_out a1
	mc-chat -s s q2
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
	refute grep -q think <(request)
}

@test "what a rewind took out is not sent again" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	mc-chat -n -s s q1
	first=$(exchange s .id)
	mc-chat -s s q2
	jq -nc --arg to "$first" '{type: "rewind", timestamp: 1800000000000, to: $to}' >>"$(history s)"
	mc-chat -s s q3
	same 'messages' $'user: q1\nassistant: a1\nuser: q3' "$(messages)"
}

@test "a damaged record and one of an unknown type do not keep a session from going on" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	mc-chat -n -s s q1
	mc-chat -s s q2
	printf '%s\n' '{"type":"from-the-future","x":1}' '{"type":"exchange","id":' >>"$(history s)"
	before=$(<"$(history s)")
	run_split mc-chat -s s q3
	assert_status 0
	assert_out a3
	assert_err_has 'history.jsonl'
	same 'messages' $'user: q1\nassistant: a1\nuser: q2\nassistant: a2\nuser: q3' "$(messages)"
	has 'history' "$(<"$(history s)")" "$before"
}

@test "--no-save with -s sends the conversation so far, and stores nothing of the turn" {
	answers "$(says a1)" "$(says a2)"
	mc-chat -n -s s -S 'be brief' q1
	mc-chat --no-save -s s q2
	same 'messages' $'system: be brief\nuser: q1\nassistant: a1\nuser: q2' "$(messages)"
	same 'number of exchanges' 1 "$(count s)"
}

@test "--no-save with -s asks the session's model, or that of -m" {
	answers "$(says a)"
	mc-chat -n -s s -m first q1
	mc-chat -s s -m second q2
	mc-chat --no-save -s s q3
	same 'model' second "$(request | jq -r .body.model)"
	mc-chat --no-save -s s -m third q4
	same 'model' third "$(request | jq -r .body.model)"
	mc-chat -s s q5
	same 'model' second "$(request | jq -r .body.model)"
}

@test "a turn that waited for another sees its exchange" {
	answers "$(stream '{"text":"a1"}' '{"wait":"go"}' "$END")" "$(says a2)"
	start_chat -n -s s q1
	first=$CHAT
	holds chat.out a1
	mc-chat -s s q2 >out2 2>err2 3>&- &
	second=$!
	holds err2 'waiting for '
	has 'standard error of the second' "$(<err2)" "using session 's'"
	if grep -q " $first .*:$(stat -c %i "$(history s)") " /proc/locks; then
		has 'standard error of the second' "$(<err2)" "process $first,"
	fi
	same 'requests' 1 "$(wc -l <"$SERVER_LOG")"
	touch go
	wait "$first"
	wait "$second"
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
	same 'second reply' a2 "$(<out2)"
}

@test "--no-wait gives up on a session whose turn is running" {
	answers "$(stream '{"text":"a1"}' '{"wait":"go"}' "$END")"
	start_chat -n -s s q1
	holds chat.out a1
	run_split mc-chat --no-wait -s s q2
	touch go
	assert_status 75
	assert_out_empty
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' a1 "$out"
	same 'requests' 1 "$(wc -l <"$SERVER_LOG")"
	same 'number of exchanges' 1 "$(count s)"
}

# Where it goes

@test "a base URL may end with slashes" {
	answers "$(says hello)"
	MC_BASE_URL=$MC_BASE_URL/ mc-chat hi
	MC_BASE_URL=$MC_BASE_URL// mc-chat hi
	same 'paths' '/v1/chat/completions' "$(jq -r .path "$SERVER_LOG" | sort -u)"
}

@test "a base URL without http:// is refused with an example, and nothing is sent" {
	answers "$(says hello)"
	for url in "127.0.0.1:$SERVER_PORT/v1" "ftp://127.0.0.1:$SERVER_PORT/v1" /v1 file:///etc/passwd; do
		MC_BASE_URL=$url run_split mc-chat hi
		assert_status 2
		assert_err_has "base URL '$url'"
		assert_err_has 'http://localhost:11434/v1'
		assert_out_empty
	done
	[[ ! -s $SERVER_LOG ]]
}

@test "a wrong base URL is told with the variable that holds it" {
	local name
	for name in MC_BASE_URL OPENAI_COMPATIBLE_BASE_URL; do
		run_split env "$name=ftp://x" mc-session-ls
		assert_status 2
		assert_err_has "$name: base URL 'ftp://x'"
	done
	for name in ANTHROPIC:anthropic OPENAI:openai GOOGLE_GEMINI:google; do
		run_split env "${name%:*}_BASE_URL=http://me:secret@x" mc-chat -p "${name#*:}" hi
		assert_status 2
		assert_err_has "${name%:*}_BASE_URL: the base URL must not hold a user name or password"
	done
}

@test "a wrong base URL does not make a session" {
	MC_PROVIDER=openai-compatible MC_MODEL=m MC_BASE_URL=ftp://x/v1 run_split mc-chat hi
	assert_status 2
	same 'number of sessions' 0 "$(sessions)"
}

@test "a port that cannot exist is an error of the network" {
	export MC_PROVIDER=openai-compatible MC_MODEL=m MC_BASE_URL=http://127.0.0.1:99999/v1
	run_split mc-chat hi
	assert_status 3
	assert_err_has "$MC_BASE_URL"
	assert_out_empty
}

@test "MC_BASE_URL goes before OPENAI_COMPATIBLE_BASE_URL, and that before the config file" {
	answers "$(says hello)"
	here=$MC_BASE_URL
	mkdir -p "$HOME/.config/mcbox"
	echo '{"baseUrl": "http://127.0.0.1:1/config"}' >"$HOME/.config/mcbox/config.json"
	OPENAI_COMPATIBLE_BASE_URL=http://127.0.0.1:1/env mc-chat hi
	unset MC_BASE_URL
	OPENAI_COMPATIBLE_BASE_URL=$here mc-chat hi
	run_split mc-chat hi
	assert_status 3
	assert_err_has http://127.0.0.1:1/config
	echo "{\"baseUrl\": \"$here\"}" >"$HOME/.config/mcbox/config.json"
	MC_BASE_URL='' OPENAI_COMPATIBLE_BASE_URL='' mc-chat hi
	same 'requests' 3 "$(wc -l <"$SERVER_LOG")"
}

@test "nothing is read from the working directory" {
	answers "$(says hello)"
	mkdir -p .config/mcbox mcbox
	for file in config.json mcbox.json .mcboxrc .curlrc .env .netrc .config/mcbox/config.json mcbox/config.json; do
		echo 'broken {' >"$file"
	done
	run_split mc-chat hi
	assert_status 0
	assert_out hello
	assert_err_empty
}

@test "a .netrc in the home directory does not add a password" {
	answers "$(says hello)"
	echo 'machine 127.0.0.1 login me password secret' >"$HOME/.netrc"
	mc-chat hi
	request | assert_json '.headers | has("authorization") | not'
}

# libcurl is loaded when it is needed, and only then

@test "only a turn that uses the network opens a file of libcurl" {
	answers "$(says hello)"
	trace calls %file mc-chat -n -s s hi
	grep -q libcurl calls # so this would be seen
	for tool in 'mc-session-new' 'mc-session-ls' 'mc-session-ls --json' 'mc-session-cat s' \
		'mc-session-cat --status s' 'mc-chat -p echo -n -s e hi' 'mc-session-rm -f e' 'mcbox'; do
		# shellcheck disable=SC2086
		trace calls %file $tool >out
		[[ -s calls ]]
		refute grep libcurl calls
	done
}

# A library that is no library, found first: as good as none.
without_libcurl() {
	mkdir -p nolib
	echo 'not a library' >nolib/libcurl.so.4
	export LD_LIBRARY_PATH=$PWD/nolib
}

@test "the session tools work without libcurl" {
	mc-session-new -i s -p echo
	without_libcurl
	run_split mc-chat -s s hi
	assert_status 0
	run_split mc-session-ls -q
	assert_status 0
	assert_out s
	run_split mc-session-cat s
	assert_status 0
	assert_out $'> hi\n\nhi'
	assert_err_empty
}

@test "without libcurl mc-chat says how to install it" {
	answers "$(says hello)"
	without_libcurl
	run_split mc-chat -n -s s hi
	assert_status 1
	assert_err_has 'cannot load libcurl'
	assert_err_has 'apt-get install libcurl4'
	assert_out_empty
	same 'number of sessions' 0 "$(sessions)" # nothing is made for a prompt that cannot be sent
	unset LD_LIBRARY_PATH
	run_split mc-chat -n -s s hi again
	assert_status 0
	same 'messages' 'user: hi again' "$(messages)"
}
