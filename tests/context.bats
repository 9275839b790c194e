# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# What of a conversation is sent when the model's window does not hold all of it.

load helper
load wire
load context

@test "what the window holds is sent in full, and nothing is said" {
	held a 5
	answers "$(says hello)"
	run_split mc-chat -s a --context 8192 hi
	assert_status 0
	assert_err_empty
	same sent '1 2 3 4 5 .' "$(sent)"
	exchange a | assert_json 'has("leftOut") | not'
}

@test "what it does not hold is left out: the first and the newest go along" {
	held a 12
	cp "$(history a)" before
	mc-session-cat a >cat.before
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	assert_status 0
	assert_out hello
	same 'standard error' 'mc-chat: 6 of 12 exchanges are left out to fit the window of 4096 tokens; mc-session-compact a would keep a summary of them' "$err"
	same sent '1 -6- 8 9 10 11 12 .' "$(sent)"
	same 'the record' 6 "$(exchange a .leftOut)"
	cmp -n "$(wc -c <before)" before "$(history a)"
	mc-session-cat a | cmp -n "$(wc -c <cat.before)" cat.before -
	refute grep -q 'left out' "$(history a)"
}

@test "they go in pairs, and the mark precedes the words that were said" {
	held a 12
	answers "$(says hello)"
	mc-chat -s a --context 4096 hi 2>/dev/null
	same roles 'user assistant user assistant user assistant user assistant user assistant user assistant user' \
		"$(request | jq -r '[.body.messages[].role] | join(" ")')"
	same 'the query after the gap' "$(printf '[6 exchanges left out]\n\nask 8 ' | jq -Rs .)" \
		"$(request | jq -c '.body.messages[2].content[:30]')"
	same 'the answer' true "$(request | jq '.body.messages[3].content | startswith("reply 8 ")')"
}

@test "the settings say the window, a provider's own before that for all, and the option before both" {
	held a 12
	mkdir -p "$HOME/.config/mcbox"
	answers "$(says hello)"
	echo '{"context": 4096}' >"$HOME/.config/mcbox/config.json"
	run_split mc-chat -s a --no-save hi
	assert_err_has 'to fit the window of 4096 tokens'
	[[ $err != *mc-session-compact* ]]
	echo '{"context": 4096, "providers": {"openai-compatible": {"context": 3000}}}' >"$HOME/.config/mcbox/config.json"
	run_split mc-chat -s a --no-save hi
	assert_err_has 'to fit the window of 3000 tokens'
	run_split mc-chat -s a --no-save --context 2000 hi
	assert_err_has 'to fit the window of 2000 tokens'
	run_split mc-chat -s a --no-save --context 100000 hi
	assert_err_empty
	run_split mc-chat -s a --no-save --context 100 hi
	assert_status 2
}

@test "what is known of a model counts" {
	held a 12 40000
	sed -i '1s/openai-compatible/anthropic/; s/test-model/claude-haiku-4-5/' "$(history a)"
	answers "$(refuses 200 '{"type":"message","role":"assistant","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":4}}')"
	unset MC_PROVIDER MC_MODEL
	ANTHROPIC_BASE_URL=$MC_BASE_URL ANTHROPIC_API_KEY=key-key-key run_split mc-chat -s a --no-stream hi
	assert_status 0
	assert_err_has '8 of 12 exchanges are left out to fit the window of 200000 tokens'
	same 'messages' 9 "$(request | jq '.body.messages | length')"
}

@test "where the window is not known, all is sent" {
	held a 60
	answers "$(says hello)"
	run_split mc-chat -s a hi
	assert_err_empty
	same 'messages' 121 "$(request | jq '.body.messages | length')"
}

@test "the figures of the provider count, and not the letters" {
	answers "$(tells one 1000 500)" "$(tells two 1510 500)" "$(tells three 2020 500)" "$(says four)"
	for i in 1 2 3; do mc-chat -n -s a --context 4096 "ask $i it"; done >/dev/null
	run_split mc-chat -s a --context 4096 hi
	assert_err_empty # 2520 and the prompt, of 3072
	same sent '1 2 3 .' "$(sent)"
	sed -i 's/"inputTokens":2020/"inputTokens":2900/' "$(history a)" # the third prompt had 890
	run_split mc-chat -s a --no-save --context 4096 hi
	assert_err_has '1 of 4 exchanges is left out'
	same sent '1 -1- 3 . .' "$(sent)"
}

@test "figures of another model, or of a part of the conversation, are not taken" {
	answers "$(tells one 10 5)" "$(tells two 3070 5)" "$(says hello)"
	mc-chat -n -s a 'ask 1 it' >/dev/null
	mc-chat -s a 'ask 2 it' >/dev/null
	run_split mc-chat -s a --no-save --context 4096 hi
	assert_err_has '1 of 2 exchanges is left out'
	run_split mc-chat -s a --no-save --context 4096 -m other hi
	assert_err_empty
	sed -i 's/"tokenUsage":{"inputTokens":3070,/"leftOut":1,&/' "$(history a)"
	run_split mc-chat -s a --no-save --context 4096 hi
	assert_err_empty
}

@test "max_tokens is the room for the reply" {
	held a 12
	answers "$(says hello)"
	run_split mc-chat -s a --no-save --context 8192 -o max_tokens=100 hi
	assert_err_empty
	run_split mc-chat -s a --no-save --context 8192 -o max_tokens=5000 hi
	assert_err_has 'are left out'
	run_split mc-chat -s a --no-save --context 8192 -o max_tokens=9000 hi
	assert_status 2
	assert_err_has 'the reply may take 9000 tokens, and the window has 8192 in all: lower max_tokens'
}

@test "a prompt that is too long by itself is refused: by how much, and what to do" {
	held a 2
	cp "$(history a)" before
	answers "$(says hello)"
	run_split mc-chat -s a --context 2000 < <(words 2000)
	assert_status 2
	assert_err_has 'the prompt is too long by about 7'
	assert_err_has 'of the window of 2000 tokens, 500 are kept for the reply; shorten it, or say with --context'
	cmp before "$(history a)"
	[[ ! -s $SERVER_LOG ]]
	run_split mc-chat -n -s new --context 2000 < <(words 2000)
	assert_status 2
	[[ ! -e $MC_SESSIONS_DIR/new ]] # or -c would go on with it
}

@test "failed exchanges are no part of it, interrupted ones are" {
	held a 12
	sed -i '/ask 11 /s/"complete"/"error"/; /ask 10 /s/"complete"/"interrupted"/' "$(history a)"
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	assert_err_has '5 of 10 exchanges are left out' # a session's count is of the complete ones
	same sent '1 -5- 7 8 9 10 12 .' "$(sent)"
}

@test "a summary of all that was said is said to be that" {
	held a 12
	summary 12 'They spoke of geese.' >>"$(history a)"
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	assert_status 0
	same 'standard error' 'mc-chat: a summary stands for all earlier exchanges' "$err"
	same sent 'S .' "$(sent)"
}

@test "a summary goes along in the place of what it stands for" {
	held a 12
	summary 9 'They spoke of geese.' >>"$(history a)"
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	assert_status 0
	same 'standard error' 'mc-chat: a summary stands for the first 9 of 12 exchanges' "$err"
	same sent 'S 10 11 12 .' "$(sent)"
	has summary "$(request | jq -r '.body.messages[0].content')" 'They spoke of geese.'
	same roles 'user assistant user' "$(request | jq -r '[.body.messages[:3][].role] | join(" ")')"
	same leftOut 9 "$(exchange a .leftOut)"
	run_split mc-chat -s a --no-save --context 100000 hi
	assert_err_empty # where all fits, nothing stands for anything
	same 'messages' 27 "$(request | jq '.body.messages | length')"
}

@test "what a summary does not stand for may still be left out" {
	held a 12
	summary 3 >>"$(history a)"
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	assert_err_has '3 of 12 exchanges are left out to fit the window of 4096 tokens, and a summary stands for the first 3; mc-session-compact a'
	same sent 'S -3- 7 8 9 10 11 12 .' "$(sent)"
}

@test "where the window is not known, a summary stands for what is older" {
	held a 12
	summary 9 >>"$(history a)"
	answers "$(says hello)"
	mc-chat -s a hi 2>/dev/null
	same sent 'S 10 11 12 .' "$(sent)"
}

@test "the newest summary counts, as long as its exchange is in the conversation" {
	held a 12
	{
		summary 5 'The older one.'
		summary 9 'The newer one.'
		summary 77 'Of nothing.'
	} >>"$(history a)"
	answers "$(says hello)"
	mc-chat -s a --no-save hi 2>/dev/null
	has summary "$(request)" 'The newer one.'
	rewind 7 >>"$(history a)"
	mc-chat -s a --no-save hi 2>/dev/null
	has summary "$(request)" 'The older one.'
	same sent 'S 6 7 .' "$(sent)"
	rewind 5 >>"$(history a)"
	mc-chat -s a --no-save hi 2>/dev/null
	same sent 'S .' "$(sent)"
	rewind 4 >>"$(history a)"
	mc-chat -s a --no-save hi 2>/dev/null
	same sent '1 2 3 4 .' "$(sent)"
	rewind 12 >>"$(history a)"
	mc-chat -s a --no-save hi 2>/dev/null
	same sent 'S 10 11 12 .' "$(sent)"
	has summary "$(request)" 'The newer one.'
}

@test "a damaged summary is passed over with a notice" {
	held a 12
	summary 5 'The older one.' >>"$(history a)"
	summary 9 | sed 's/"text"/"Text"/' >>"$(history a)"
	answers "$(says hello)"
	run_split mc-chat -s a --no-save hi
	assert_err_has "history.jsonl:15: skipped a damaged record: 'text' is missing"
	has summary "$(request)" 'The older one.'
}

@test "a server that finds the request too long is quoted, with the way out" {
	held a 3
	answers "$(refuses 400 '{"error":{"message":"This model'"'"'s maximum context length is 1000 tokens. However, your messages resulted in 1300 tokens.","code":"context_length_exceeded"}}')"
	run_split mc-chat -s a hi
	assert_status 3
	assert_err_has '--context 1000 keeps a conversation within it, and mc-session-compact summarizes older exchanges'
}

# autoCompact

auto() {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"context": 4096, "autoCompact": true}' >"$HOME/.config/mcbox/config.json"
}

@test "autoCompact: what has outgrown the window is summed up before the turn" {
	auto
	held a 12
	cp "$(history a)" before
	answers "$(tells ' They spoke of geese. ' 700 6)" "$(says hello)"
	run_split mc-chat -s a hi
	assert_status 0
	assert_out hello
	same 'standard error' "$(printf '%s\n' 'mc-chat: the conversation has outgrown the window: summing up its first 9 exchanges' \
		'mc-chat: a summary stands for the first 9 of 12 exchanges')" "$err"
	same requests 3 "$(requests)" # 9 exchanges are told in two pieces
	same sent 'S 10 11 12 .' "$(sent)"
	cmp -n "$(wc -c <before)" before "$(history a)"
	tail -n 2 "$(history a)" | assert_json -s --arg to "$(uuid 9)" '.[0].type == "summary" and .[0].upTo == $to and
		.[0].text == "hello" and .[1].query == "hi" and .[1].leftOut == 9'
	run_split mc-chat -s a again
	assert_status 0
	same requests 4 "$(requests)" # and not again
	same sent 'S 10 11 12 . .' "$(sent)"
	run_split mc-session-fsck
	assert_status 0
}

@test "autoCompact: it is off unless asked for, and with --no-save" {
	held a 12
	answers "$(says hello)"
	run_split mc-chat -s a --context 4096 hi
	same requests 1 "$(requests)"
	auto
	run_split mc-chat -s a --no-save hi
	assert_err_has 'are left out'
	same requests 2 "$(requests)"
	same summaries 0 "$(count a summary)"
}

@test "autoCompact: when it fails the turn goes on without" {
	auto
	held a 12
	answers "$(refuses 400 '{"error":{"message":"not today"}}')" "$(says hello)"
	run_split mc-chat -s a hi
	assert_status 0
	assert_out hello
	assert_err_has 'mc-chat: the conversation could not be summed up: the server answered 400: not today'
	assert_err_has '6 of 12 exchanges are left out'
	same sent '1 -6- 8 9 10 11 12 .' "$(sent)"
	same summaries 0 "$(count a summary)"
}

@test "autoCompact: a reply that is no summary is none" {
	auto
	held a 12
	answers "$(stream '{"text":"They"}' '{"finish":"length"}' '{"done":true}')" "$(says hello)"
	run_split mc-chat -s a hi
	assert_status 0
	assert_err_has 'could not be summed up: the summary was cut by the limit of tokens'
	same summaries 0 "$(count a summary)"
	answers "$(says $' \n')" "$(says hello)"
	run_split mc-chat -s a hi
	assert_err_has "could not be summed up: the model's summary is empty"
	same summaries 0 "$(count a summary)"
}

@test "autoCompact: interrupted, the prompt is stored and nothing else" {
	auto
	held a 12
	answers "$(stream '{"text":"They"}' '{"touch":"asked"}' '{"hang":true}')"
	start_chat -s a 'what was it?'
	wait_for asked
	kill -INT "$CHAT"
	end_chat
	assert_status 130
	same 'standard output' '' "$out"
	same 'standard error' "$(printf '%s\n' 'mc-chat: the conversation has outgrown the window: summing up its first 9 exchanges' \
		'mc-chat: interrupted')" "$err"
	same requests 1 "$(requests)"
	same summaries 0 "$(count a summary)"
	exchange a | assert_json '.query == "what was it?" and .status == "interrupted" and .answer == ""'
	rm asked
	start_chat -s a --events 'what was it?'
	wait_for asked
	kill -INT "$CHAT"
	end_chat
	same events 'stored a, error null' "$(jq -r '"\(.type) \(.session)"' <<<"$out" | paste -sd, | sed 's/,/, /')"
}

@test "autoCompact: killed, the prompt is there as well" {
	auto
	held a 12
	answers "$(stream '{"text":"They"}' '{"touch":"asked"}' '{"hang":true}')"
	start_chat -s a 'what was it?'
	wait_for asked
	kill -KILL "$CHAT"
	end_chat
	mc-session-cat a >/dev/null
	exchange a | assert_json '.query == "what was it?" and .status == "interrupted" and .answer == ""'
	same summaries 0 "$(count a summary)"
}

# both WAYS: what is sent of session a when its end is read, and when all of it is, is the same.
both() {
	local way notice sent=()
	cp "$(history a)" before
	for way in end all; do
		cat before >"$(history a)"
		rm -f "$MC_SESSIONS_DIR"/index.jsonl
		mc-session-ls >/dev/null # which makes the index, with the size of the history
		if [[ $way == all ]]; then sed -i 's/"historyBytes":[0-9]*/"historyBytes":1/' "$MC_SESSIONS_DIR/index.jsonl"; fi
		answers "$(says hello)"
		run_split mc-chat -s a "$@"
		assert_status 0
		notice=$err
		sent+=("$(request | jq -c .body) $err $(tail -n 1 "$(history a)" | jq -c '.leftOut, .parent') $(
			mc-session-ls --json | jq -c 'del(.updatedAt, .historyBytes)'
		)")
		run_split mc-session-fsck
		assert_status 0
	done
	same 'what is sent when all of it is read' "${sent[0]}" "${sent[1]}"
	err=$notice
}

@test "of a long session only the end is read, and the request is the same" {
	held a 1200
	sed -i '$s/reply 1200/other words/' "$(history a)"
	both --context 8192 hi
	assert_err_has '1188 of 1200 exchanges are left out'
	same sent "1 -1188- $(seq -s ' ' 1190 1200) ." "$(sent)"
	# A retry and a rewind to before the end.
	rewind 1190 >>"$(history a)"
	both --context 8192 hi
	# The newest exchange failed: the model in force is that of another one.
	tail -n 1 "$(history a)" | jq -c '.id = "failed" | .status = "error" | .model = "wrong" | .error = "no" | .answer = ""' >>"$(history a)"
	both --context 8192 hi
	same model test-model "$(request | jq -r .body.model)"
}

@test "of a long session that the window holds all is sent, once" {
	local all
	held a 1200
	# Each names its parent, as the tools write it: so the end of the way back is known.
	jq -nc 'foreach inputs as $r ({}; {before: .id, id: $r.id};
		if $r.type == "exchange" then $r + {parent: (if .before == "a" then null else .before end)} else $r end)' \
		"$(history a)" >chain
	cat chain >"$(history a)"
	all=$(seq -s ' ' 1 1200)
	both --context 4000000 hi
	same notices '' "$err"
	same sent "$all ." "$(sent)"
	same leftOut null "$(tail -n 1 "$(history a)" | jq .leftOut)"
	# It has been read to its beginning, and some of it does not fit all the same.
	cat chain >"$(history a)"
	both --context 600000 hi
	summary 600 >>"$(history a)"
	both --context 300000 hi
	# What is not in the conversation need not be read.
	{
		cat chain
		rewind 3
	} >"$(history a)"
	both --context 8192 hi
	same sent '1 2 3 .' "$(sent)"
}

@test "of a long session a summary is found, wherever it ends" {
	local n
	for n in 3 600 1195 1200; do
		held a 1200
		summary "$n" >>"$(history a)"
		printf '{"type":"change","id":"h%s","timestamp":1,"tags":{"t%s":true}}\n' 1 1 2 2 >>"$(history a)"
		both --context 8192 hi
		[[ $(sent) == "S "* ]]
		has request "$(request | jq -r '.body.messages[0].content')" "a summary of it, of $n exchange"
	done
}

# follows N M: how exchanges N to M are sent, each call with its result.
follows() {
	local i
	for ((i = $1; i <= $2; i++)); do echo "$i $i.0 =$i.0 $i.1 =$i.1"; done | paste -sd ' ' -
}

# turn_anew ARG...: a turn in session a, as it was before.
turn_anew() {
	cat index.jsonl >"$MC_SESSIONS_DIR/index.jsonl"
	cat history.jsonl >"$(history a)"
	run_split mc-chat -s a "$@" hi
	assert_status 0
}

@test "of a long session with tool calls the newest are sent, each call with its result" {
	held_steps a 5000
	mc-session-ls >/dev/null # which makes the index
	cp "$MC_SESSIONS_DIR/index.jsonl" "$(history a)" .
	answers "$(says hello)"
	turn_anew --context 8000
	assert_err_has '4992 of 5000 exchanges are left out'
	same 'what is sent' "1 $(follows 4994 5000) ." "$(sent_steps)"
	same 'first result' "found 4994.0 $(words 90)" "$(request | jq -r '[.body.messages[] | select(.role == "tool")][0].content')"
	sed -i 's/"historyBytes":[0-9]*/"historyBytes":1/' index.jsonl # so that all is read
	turn_anew --context 8000
	same 'what is sent when all is read' "$(request 1 | jq .body)" "$(request 2 | jq .body)"
}

@test "of a long session with tool calls no more is read than the request needs" {
	held_steps a 5000
	# A large result hides nothing, and is nothing to go further back for.
	jq -c 'if .call == "call-4999.1" then .output *= 2000 else . end' <(tail -n 12 "$(history a)") >end
	head -n -12 "$(history a)" | sed -e '12500s/^/{"damaged/' -e '24800s/^/{"damaged/' >begin
	cat begin end >"$(history a)"
	mc-session-ls >/dev/null 2>&1
	cp "$MC_SESSIONS_DIR/index.jsonl" "$(history a)" .
	answers "$(says hello)"
	turn_anew --context 8000
	refute grep damaged <<<"$err"
	same 'what is sent' "1 $(follows 4993 4998) 5000 5000.0 =5000.0 5000.1 =5000.1 ." "$(sent_steps)"
	turn_anew --context 64000
	assert_err_has ':24800: skipped a damaged record'
	refute grep :12500: <<<"$err"
	turn_anew
	assert_err_has ':12500: skipped a damaged record'
}

@test "of a long session that outgrew its window all is read, to be summed up" {
	held a 1200
	mc-session-ls >/dev/null
	mkdir -p "$HOME/.config/mcbox"
	echo '{"autoCompact": true}' >"$HOME/.config/mcbox/config.json"
	answers "$(says 'They spoke.')"
	run_split mc-chat -s a --context 100000 hi
	assert_status 0
	assert_out 'They spoke.'
	has 'the first request' "$(request 1 | jq -r '.body.messages[-1].content')" 'ask 1 wor'
	tail -n 2 "$(history a)" | head -n 1 | assert_json '.type == "summary" and (.upTo[-4:] | tonumber) > 1000'
	[[ $(sent) == "S "* ]]
	run_split mc-session-fsck
	assert_status 0
}
