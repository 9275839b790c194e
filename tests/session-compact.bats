# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# mc-session-compact

load helper
load wire
load context

# told [N]: the numbers of the exchanges that the N-th request tells.
told() { request "$@" | jq -r '.body.messages[-1].content' | sed -n 's/^ask \([0-9]*\) .*/\1/p' | xargs; }

# start_compact ARG...: runs it in the background, as start_chat does.
start_compact() {
	env --default-signal=INT mc-session-compact "$@" >chat.out 2>chat.err 3>&- &
	CHAT=$!
}

unchanged() { cmp before "$(history a)"; }

@test "all but the last four exchanges are summed up, and the summary is stored and printed" {
	held a 12
	cp "$(history a)" before
	mc-session-cat a >cat.before
	answers "$(tells $'\nThey spoke of geese.\n\n' 700 6)"
	run_split mc-session-compact a
	assert_status 0
	assert_out 'They spoke of geese.'
	assert_err_empty
	same requests 1 "$(requests)"
	same told '1 2 3 4 5 6 7 8' "$(told)"
	cmp -n "$(wc -c <before)" before "$(history a)"
	tail -n +14 "$(history a)" | assert_json -s --arg to "$(uuid 8)" 'length == 1 and (.[0] | del(.timestamp, .id)) == {type: "summary",
		upTo: $to, text: "They spoke of geese.", model: "test-model",
		tokenUsage: {inputTokens: 700, outputTokens: 6, totalTokens: 706}}'
	same 'the conversation as it is printed' "$(<cat.before)" "$(mc-session-cat a)"
	run_split mc-session-fsck
	assert_status 0
	mc-session-ls --json | assert_json '.exchangeCount == 12 and .usageTotals.totalTokens == 706'
}

@test "the model is told what to do, and who said what" {
	held a 6
	answers "$(says hello)"
	mc-session-compact a >/dev/null
	request | assert_json '[.body.messages[].role] == ["system", "user"] and .body.model == "test-model" and
		(.body.messages[0].content | test("sum up a conversation")) and
		(.body.messages[1].content | startswith("<conversation>\nUser:\nask 1 wor ") and
			contains("\n\nAssistant:\nreply 1 wor ") and contains("\n\nUser:\nask 2 wor ") and
			endswith("</conversation>\n\nSum it up."))'
}

@test "the model is told the tool calls, and the beginnings of their results" {
	held_steps a 2
	sed -i -e "/\"found 1.1 /s/found 1.1 /&$(printf '鷺%.0s' {1..3000})/" -e '/"found 2.0 /d' "$(history a)"
	answers "$(says hello)"
	run_split mc-session-compact -k 0 a
	assert_status 0
	request | assert_json --arg w "$(words 90)" '.body.messages[1].content | split("\n\nAssistant:\n") | (.[1] | startswith(
		"look\n[calls run: {\"text\":\"\($w)\"}]\n[result: ok]\nfound 1.0 \($w)\n" +
		"look\n[calls run: {\"text\":\"\($w)\"}]\n[result: ok]\nfound 1.1 鷺") and
		(test("鷺{1990}…\nreply 1 ")) and (test("鷺{1991}") | not)) and
		(.[2] | contains("look\n[calls run: {\"text\":\"\($w)\"}]\n[result: unknown]\n\nlook\n"))'
}

@test "--keep says how many stay out of it" {
	held a 6
	answers "$(says hello)"
	mc-session-compact -k 5 a
	same told 1 "$(told)"
	mc-session-compact --keep=1 a
	same 'told, those since' '2 3 4 5' "$(told)"
	mc-session-compact -k 0 a
	same 'told, the last one' 6 "$(told)"
	same summaries 3 "$(count a summary)"
}

@test "where there is nothing to sum up, that is said and no failure" {
	held a 4
	cp "$(history a)" before
	answers "$(says hello)"
	run_split mc-session-compact a
	assert_status 0
	assert_out_empty
	same 'standard error' "mc-session-compact: session 'a' has nothing to sum up before its last 4 exchanges" "$err"
	run_split mc-session-compact -k 1000 a
	assert_status 0
	unchanged
	mc-session-compact -k 1 a
	run_split mc-session-compact -k 1 a
	assert_status 0
	same 'standard error' "mc-session-compact: session 'a' has nothing more to sum up before its last 1 exchange" "$err"
	same requests 1 "$(requests)"
	mc-session-compact -k 0 a
	run_split mc-session-compact -k 0 a
	assert_status 0
	same 'standard error' "mc-session-compact: session 'a' has nothing more to sum up" "$err"
	run_split mc-session-compact -k -1 a
	assert_status 2
	same 'first line of standard error' "mc-session-compact: --keep '-1' is not a whole number from 0 on" "${err%%$'\n'*}"
}

@test "the summary that is of use goes into the next one; one that a rewind took out does not" {
	held a 12
	answers "$(says 'They spoke of geese.')" "$(says 'Of geese and ducks.')"
	mc-session-compact -k 8 a
	mc-session-compact a
	same 'told, those since' '5 6 7 8' "$(told)"
	has request "$(request | jq -r '.body.messages[1].content')" $'<summary>\nThey spoke of geese.\n</summary>'
	same 'up to' "$(uuid 8)" "$(tail -n 1 "$(history a)" | jq -r .upTo)"
	rewind 6 >>"$(history a)"
	mc-session-compact -k 0 a
	same 'told, since the older one' '5 6' "$(told)"
	has request "$(request | jq -r '.body.messages[1].content')" 'They spoke of geese.'
	rewind 2 >>"$(history a)"
	mc-session-compact -k 0 a
	same 'told, all' '1 2' "$(told)"
	refute has request "$(request | jq -r '.body.messages[1].content')" '<summary>'
}

@test "what the window does not hold is told in pieces" {
	held a 14
	answers "$(tells one 1000 10)" "$(tells two 1000 10)" "$(tells three 1000 10)" "$(tells four 1000 10)"
	run_split mc-session-compact --context 2400 a
	assert_status 0
	assert_out four
	same requests 4 "$(requests)"
	same told '1 2 3|4 5 6|7 8 9|10' "$(told 1)|$(told 2)|$(told 3)|$(told 4)"
	for i in 1 2 3; do
		has "request $((i + 1))" "$(request $((i + 1)) | jq -r '.body.messages[1].content')" \
			"$(printf '<summary>\n%s\n</summary>' "$(cut -d ' ' -f $i <<<'one two three')")"
	done
	same summaries 1 "$(count a summary)"
	same 'tokens' 4040 "$(tail -n 1 "$(history a)" | jq .tokenUsage.totalTokens)"
}

@test "an exchange that is larger than the window is cut, between characters" {
	held a 1 10
	long=$(printf '鷺%.0s' {1..6000})
	sed -i "2s/ask 1 /ask 1 $long /" "$(history a)"
	answers "$(says hello)"
	run_split mc-session-compact -k 0 --context 2400 a
	assert_status 0
	(($(requests) > 4))
	same 'pieces that are whole characters' "$(requests)" "$(jq -r '.body | objects | .messages[1].content' "$SERVER_LOG" | grep -c '^<conversation>')"
	same 'all of it' "$long" "$(jq -r '.body.messages[1].content' "$SERVER_LOG" | grep -o '鷺*' | tr -d '\n')"
	run_split mc-session-compact -k 0 --context 256 a
	assert_status 0 # all of it is summed up already
}

@test "a window that is too small for any summary" {
	held a 6
	cp "$(history a)" before
	answers "$(says hello)"
	run_split mc-session-compact --context 300 a
	assert_status 2
	assert_err_has 'a window of 300 tokens is too small to sum the conversation up in'
	unchanged
}

@test "-m asks another model, also by an alias, and the session keeps its own" {
	held a 8
	mkdir -p "$HOME/.config/mcbox"
	echo '{"aliases": {"small": "smaller-model", "other": {"model": "x", "provider": "anthropic"}}}' >"$HOME/.config/mcbox/config.json"
	answers "$(says hello)"
	mc-session-compact -m large a
	same model large "$(request | jq -r .body.model)"
	same 'model of the record' large "$(tail -n 1 "$(history a)" | jq -r .model)"
	mc-session-compact -k 1 -m small a
	same model smaller-model "$(request | jq -r .body.model)"
	same "the session's" test-model "$(mc-session-ls --json | jq -r .model)"
	run_split mc-session-compact -k 0 -m other a
	assert_status 2
	assert_err_has "'x' stands for a model of anthropic, and session 'a' keeps its provider, openai-compatible"
}

@test "--json prints the record as it was stored" {
	held a 8
	answers "$(says $'one\n\e[31mtwo')"
	run_split mc-session-compact --json a
	assert_status 0
	same 'the record' "$(tail -n 1 "$(history a)")" "$out"
}

@test "settings' parameters go along, but not where a reply ends" {
	held a 8
	mkdir -p "$HOME/.config/mcbox"
	echo '{"options": {"temperature": 0.2, "max_tokens": 5, "stop": "x"}}' >"$HOME/.config/mcbox/config.json"
	answers "$(says hello)"
	mc-session-compact a
	request | assert_json '.body | .temperature == 0.2 and (has("max_tokens") or has("stop") | not)'
}

@test "what fails, is cut, refused or empty is not stored" {
	held a 8
	cp "$(history a)" before
	answers "$(refuses 400 '{"error":{"message":"not today"}}')" \
		"$(stream '{"text":"They"}' '{"finish":"length"}' '{"done":true}')" \
		"$(stream '{"text":"They"}' '{"finish":"content_filter"}' '{"done":true}')" \
		"$(says $' \n ')" "$(stream '{"text":"They"}' '{"reset":true}')"
	for why in 'not today' 'cut by the limit of tokens' 'refused to sum it up' 'summary is empty' ''; do
		run_split mc-session-compact a
		assert_status 3
		assert_out_empty
		assert_err_has "$why"
		unchanged
	done
	same 'no turn' false "$([[ -e $MC_SESSIONS_DIR/a/turn.partial ]] && echo true || echo false)"
}

@test "interrupted, nothing is stored, and the rest is left" {
	held a 8
	held b 8
	cp "$(history a)" before
	answers "$(stream '{"text":"They"}' '{"touch":"asked"}' '{"hang":true}')"
	start_compact a b
	wait_for asked
	kill -INT "$CHAT"
	end_chat
	assert_status 130
	same 'standard output' '' "$out"
	same 'standard error' 'mc-session-compact: interrupted' "$err"
	unchanged
	same requests 1 "$(requests)"
	rm asked
	start_compact a b
	wait_for asked
	kill -TERM "$CHAT"
	end_chat
	assert_status 143
	unchanged
	same requests 2 "$(requests)"
}

@test "several sessions: what cannot be summed up does not keep the others from it" {
	held a 8
	held b 8
	held c 8
	answers "$(says one)" "$(refuses 400 '{}')" "$(says three)"
	run_split mc-session-compact a nosuch b c
	assert_status 1
	assert_out $'one\n\nthree'
	assert_err_has "no session 'nosuch'"
	assert_err_has 'answered 400'
	same summaries '1 0 1' "$(count a summary) $(count b summary) $(count c summary)"
}

@test "a reader that leaves does not keep the other sessions from it" {
	held a 8
	held b 8
	answers "$(stream '{"text":"one"}' '{"wait":"left"}' "$END")" "$(says two)"
	mc-session-compact a b 2>err | { exec <&- && touch left; }
	same 'standard error' '' "$(<err)"
	same summaries '1 1' "$(count a summary) $(count b summary)"
}

@test "a summary that cannot be printed is stored, and the error says why" {
	held a 8
	answers "$(says one)"
	run_split bash -c 'exec mc-session-compact a >/dev/full'
	assert_status 1
	same 'standard error' 'mc-session-compact: cannot write the output: No space left on device' "$err"
	same summaries 1 "$(count a summary)"
}

@test "a turn waits for it, and it for a turn" {
	held a 8
	answers "$(stream '{"text":"They"}' '{"touch":"asked"}' '{"wait":"go"}' "$END")" "$(says hello)"
	start_compact a
	wait_for asked
	compacting=$CHAT
	run_split mc-chat --no-wait -s a hi
	assert_status 75
	mc-chat -s a hi >out2 2>err2 3>&- &
	holds err2 "mc-chat: waiting for process $compacting, which is using session 'a'"
	touch go
	wait $!
	end_chat
	assert_status 0
	same order 'summary exchange' "$(tail -n 2 "$(history a)" | jq -r .type | xargs)"
	rm asked go
	answers "$(stream '{"text":"He"}' '{"touch":"asked"}' '{"wait":"go"}' '{"text":"llo"}' "$END")" "$(says They)"
	start_chat -s a hi
	wait_for asked
	chatting=$CHAT
	mc-session-compact a >out2 2>err2 3>&- &
	holds err2 "mc-session-compact: waiting for process $chatting, which is using session 'a'"
	touch go
	wait $!
	end_chat
	same order 'exchange summary' "$(tail -n 2 "$(history a)" | jq -r .type | xargs)"
	same told '5 6' "$(told)"
}

@test "a turn that a crash cut short is stored first" {
	held a 5
	printf '%s\nhalf' "$(tail -n 1 "$(history a)" | jq -c '{type, id: "x", timestamp, query: "ask 6 it", model}')" >"$MC_SESSIONS_DIR/a/turn.partial"
	answers "$(says hello)"
	mc-session-compact -k 0 a
	same told '1 2 3 4 5 6' "$(told)"
	same types 'exchange summary' "$(tail -n 2 "$(history a)" | jq -r .type | xargs)"
	same 'up to' x "$(tail -n 1 "$(history a)" | jq -r .upTo)"
}

@test "what cannot be stored is printed, and the status says so" {
	held a 8
	cp "$(history a)" before
	mc-session-ls >/dev/null
	answers "$(says "$(words 5000)")"
	(
		ulimit -f $(($(stat -c %s before) / 1024 + 2)) # KiB
		env --default-signal=XFSZ mc-session-compact a 2>err && echo 0 >status || echo $? >status
	) | cat >out # a pipe has no such limit
	same status 74 "$(<status)"
	grep -q "^mc-session-compact: cannot store the summary in session 'a'" err
	words 5000 | sed 's/ $//' | cmp - <(tr -d '\n' <out)
	mc-session-cat --json a 2>/dev/null | cmp before -
}

@test "no session, none that is meant, no model" {
	run_split mc-session-compact
	assert_status 2
	assert_err_has 'which session?'
	run_split mc-session-compact nosuch
	assert_status 1
	held apple 8
	held apricot 8
	run_split mc-session-compact ap
	assert_status 2
	run_split mc-session-compact -k -1 apple
	assert_status 2
	run_split mc-session-compact -m '' apple
	assert_status 2
	sed -i 's/"test-model"/""/' "$(history apple)"
	MC_BASE_URL=http://127.0.0.1:1/v1 run_split mc-session-compact apple
	assert_status 2
	assert_err_has "session 'apple' has no model: name one with -m"
}

@test "at a terminal the summary is harmless" {
	held a 8
	answers "$(says $'red \e[31mgeese\a')"
	term_start mc-session-compact a
	term_wait 'red .*geese'
	same status 0 "$(term_status)"
	term_gone $'\e'
	term_shows 'red .{1,4}\[31mgeese'
}

@test "the command that prints the key runs while the session is free" {
	held a 8
	answers "$(says fine)"
	mkdir -p "$HOME/.config/mcbox"
	printf '{"providers":{"openai-compatible":{"apiKeyCommand":["sh","-c","mc-session-cat --status a >state; echo a-key"]}}}\n' \
		>"$HOME/.config/mcbox/config.json"
	run_split mc-session-compact a
	assert_status 0
	grep -q '^state *idle$' state
	same key 'Bearer a-key' "$(request | jq -r .headers.authorization)"
}
