#!/usr/bin/env bats
# What a reader of the code found: values that enter on odd ways, and waits.

load helper
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
}

turn() { mc-chat --no-stdin -s "$@"; }

@test "a model or title that is not UTF-8 is refused on resume too, and nothing is stored" {
	turn s -n first
	cp "$(history s)" before
	run_split mc-chat --no-stdin -s s -m $'caf\xe9' second
	assert_status 2
	assert_err_has 'the model is not valid UTF-8'
	run_split mc-chat --no-stdin -s s -t $'t\xff' second
	assert_status 2
	MC_MODEL=$'b\xff' run_split mc-chat --no-stdin -s s second
	assert_status 2
	cmp before "$(history s)"
}

@test "a session that was made with another provider meanwhile is not talked to" {
	mkfifo in
	mc-chat -s x -n <in 2>err.chat 3>&- &
	local chat=$! status=0
	exec 9>in
	mc-session-new -i x -p openai-compatible -m m >made
	echo hi >&9
	exec 9>&-
	wait "$chat" || status=$?
	[[ $status == 1 ]]
	grep -q "session 'x' keeps its provider, openai-compatible" err.chat
	[[ $(wc -l <"$(history x)") == 1 ]]
}

@test "a count that no reader can hold makes its record damaged, and no sum overflows" {
	turn s -n first >out.1
	jq -c 'select(.type == "exchange") | .tokenUsage.inputTokens = 9223372036854775807' \
		"$(history s)" | sed 's/9223372036854776000/9223372036854775807/' >huge
	cat huge huge >>"$(history s)"
	run_split mc-session-cat --status s
	assert_err_has "'inputTokens' is not a count"
	assert_out_has 'tokens     1 in, 1 out'
}

@test "a history that cannot be read is named when the list is made anew" {
	turn one -n first
	turn two -n first
	mkdir aside
	mv "$(history two)" aside/
	mkdir "$(history two)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-ls -q
	assert_out one
	assert_err_has "session 'two' is left out of the list"
}

@test "a wait for the list of sessions can be interrupted" {
	turn s -n first
	lock_elsewhere "$MC_SESSIONS_DIR/index.lock"
	mc-chat --no-stdin -s s again 2>err.chat >out.chat 3>&- &
	local chat=$!
	poll 30 grep -q 'waiting for' err.chat
	kill -TERM "$chat"
	poll 30 is_gone "$chat"
	unlock_elsewhere
	[[ $(<out.chat) == again ]]
	[[ $(jq -r 'select(.query).query' "$(history s)") == $'first\nagain' ]]
}

@test "a model that only failed is not remembered" {
	unset MC_PROVIDER
	answers "$(stream '{"text":"fine"}' "$END")" "$(refuses 404 '{"error":{"message":"no such model"}}')" \
		"$(stream '{"text":"fine again"}' "$END")"
	MC_MODEL=good mc-chat --no-stdin -n -s s one
	run_split mc-chat --no-stdin -s s -m typo two
	assert_status 3
	run_split mc-chat --no-stdin -s s three
	assert_status 0
	[[ $(jq -r .body.model "$SERVER_LOG") == $'good\ntypo\ngood' ]]
}

@test "a key is hidden where the server quotes it, also at the place where its message is cut" {
	unset MC_PROVIDER
	export OPENAI_COMPATIBLE_API_KEY=sk-SECRETSECRETSECRET
	local filler
	filler=$(printf 'x%.0s' {1..190})
	answers "$(refuses 401 "{\"error\":{\"message\":\"$filler sk-SECRETSECRETSECRET is wrong\"}}")"
	run_split mc-chat --no-stdin -n -s s hi
	assert_status 3
	[[ $err != *SECRET* ]]
	refute grep -rq SECRET "$MC_SESSIONS_DIR"
}

@test "a short key garbles no message" {
	unset MC_PROVIDER
	answers "$(refuses 404 '{"error":{"message":"the model is not here"}}')"
	OPENAI_COMPATIBLE_API_KEY=e run_split mc-chat --no-stdin hi
	assert_status 3
	assert_err_has 'the model is not here'
}

@test "a base URL with a password in it is refused and not repeated" {
	unset MC_PROVIDER
	MC_BASE_URL=http://user:hunter2@127.0.0.1:1/v1 MC_MODEL=m run_split mc-chat --no-stdin hi
	assert_status 2
	[[ $err != *hunter2* ]]
	assert_err_has 'must not hold a user name or password'
}

@test "the file's model is not used when the environment names another provider" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"model":"llama3.2"}' >"$HOME/.config/mcbox/config.json"
	turn s -n hi
	[[ $(head -1 "$(history s)" | jq -r .model) == echo ]]
}

@test "a loop in a shell ends with the Ctrl-C that ends its chat" {
	unset MC_PROVIDER
	answers "$(stream '{"text":"half"}' '{"touch":"sent"}' '{"hang":true}')"
	term_start bash -c 'for i in 1 2 3; do mc-chat --no-stdin hi; done; echo went on'
	wait_for sent
	term_wait '^half'
	term_keys C-c
	[[ $(term_status) == 130 ]]
	term_gone 'went on'
}

@test "a line that the terminal cut is refused, not sent" {
	TERM=dumb term_start mc-chat -n -s s
	term_wait '^>$'
	term_type "$(printf 'y%.0s' {1..5000})"
	term_keys Enter
	term_wait 'a terminal cuts lines at 4095 bytes'
	[[ ! -e $(history s) ]]
}

@test "CRLF in an answer is a line's end on a terminal" {
	mkdir -p "$MC_SESSIONS_DIR"
	turn s -n $'one\r\ntwo'
	term_start mc-session-cat s
	term_wait '^two$'
	term_gone '\^M'
}
