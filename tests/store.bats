# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# What a crash leaves, and the index as the cache that it is.

# partial ID N TEXT: a turn that a crash cut short; TEXT is printf's format.
partial() {
	printf '{"type":"exchange","id":"%s","timestamp":%d,"query":"ask %s","model":"echo"}\n' \
		"$(uuid "$2")" "$((1700000000000 + 1000 * $2))" "$2" >"$MC_SESSIONS_DIR/$1/turn.partial"
	# shellcheck disable=SC2059
	printf "$3" >>"$MC_SESSIONS_DIR/$1/turn.partial"
}

exchanges() { jq -c 'select(.type == "exchange")' "$(history "$1")"; }

no_spool() { [[ ! -e $MC_SESSIONS_DIR/$1/turn.partial ]] || differs 'no spool' "$1"; }

has_passed() { (($(date +%s%3N) > $1 + 1)); }

# The clock's next millisecond: what is stored from here on is younger.
tick() {
	local before
	before=$(date +%s%3N)
	poll 10 has_passed "$before"
}

@test "crash: mc-session-cat stores the turn that was cut short, as interrupted, once" {
	craft a "$(head_of a)" "$(exchange 1)"
	cp "$(history a)" before
	partial a 2 'half a reply'
	run_split mc-session-cat a
	assert_status 0
	assert_out_has '> ask 2'
	assert_out_has 'half a reply'
	assert_out_has interrupted
	no_spool a
	head -c "$(wc -c <before)" "$(history a)" | cmp - before
	same exchanges 2 "$(exchanges a | wc -l | tr -d ' ')"
	exchanges a | tail -n 1 | assert_json --arg id "$(uuid 2)" '.id == $id and .timestamp == 1700000002000
		and .query == "ask 2" and .answer == "half a reply" and .status == "interrupted"
		and .summary == null and .duration == null and .tokenUsage == null and .model == "echo"'
	cp "$(history a)" before
	mc-session-cat a >/dev/null
	cmp "$(history a)" before
}

@test "crash: mc-chat stores it before its own turn" {
	say a one
	partial a 2 'half a reply'
	run_split mc-chat --no-stdin -s a three
	assert_status 0
	assert_out three
	no_spool a
	same exchanges 'one/complete,ask 2/interrupted,three/complete' \
		"$(exchanges a | jq -r '.query + "/" + .status' | paste -sd, -)"
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 2 and .historyBytes == $n'
}

@test "crash: mc-session-cat --json and --status show the recovered exchange too" {
	craft a "$(head_of a)"
	partial a 1 'half'
	run_split mc-session-cat --json a
	assert_status 0
	same status interrupted "$(tail -n 1 out | jq -r .status)"
	cmp out "$(history a)"
	partial a 2 'half'
	run_split mc-session-cat --status --json a
	assert_json '.state == "idle" and .lastQuery == "ask 2"' out
	no_spool a
}

@test "crash: the list tells of the recovered exchange" {
	say a one
	partial a 9 'half'
	mc-session-cat a >/dev/null
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.lastQuery == "ask 9" and .exchangeCount == 1 and .historyBytes == $n'
}

@test "crash: a reply that ends within a character stays valid UTF-8 and loses nothing before it" {
	craft a "$(head_of a)"
	partial a 1 'gr\xc3\xbcn \xf0\x9f\x90'
	mc-session-cat a >/dev/null
	iconv -f UTF-8 -t UTF-8 <"$(history a)" >/dev/null
	exchanges a | assert_json '.answer | startswith("grün ")'
}

@test "crash: a reply of any bytes becomes one valid record" {
	craft a "$(head_of a)"
	partial a 1 'a\n{"type":"exchange"}\n"\\\0\x1b\xff\r\n'
	run_split mc-session-cat --json a
	assert_status 0
	assert_err_empty
	same lines 2 "$(wc -l <"$(history a)" | tr -d ' ')"
	exchanges a | assert_json '.answer | startswith("a\n{\"type\":\"exchange\"}\n\"\\")'
}

@test "crash: before the first word of the reply the prompt is kept" {
	craft a "$(head_of a)"
	partial a 1 ''
	run_split mc-session-cat a
	assert_out_has '> ask 1'
	exchanges a | assert_json '.query == "ask 1" and .answer == "" and .status == "interrupted"'
	no_spool a
}

@test "crash: after the exchange was stored it is not stored again" {
	local tool
	for tool in 'mc-session-cat a' 'mc-chat --no-stdin -s a more'; do
		craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
		partial a 2 'reply 2'
		# shellcheck disable=SC2086
		run_split $tool
		assert_status 0
		no_spool a
		same 'times it is there' 1 "$(grep -c "\"id\":\"$(uuid 2)\"" "$(history a)")"
		same status complete "$(exchanges a | sed -n 2p | jq -r .status)"
	done
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 3 and .historyBytes == $n'
}

@test "crash: kill -9 in the middle of a reply loses nothing that was printed" {
	local i pid
	new a
	seq 1 400000 | paste -sd ' ' - >prompt
	for i in 1 2; do
		mc-chat -s a <prompt >"out.$i" 3>&- &
		pid=$!
		poll 20 test -s "out.$i"
		kill -KILL "$pid"
		wait "$pid" || true
		[[ -f $MC_SESSIONS_DIR/a/turn.partial ]] || differs 'a turn that was cut short' ''
		mc-session-cat a >/dev/null
		no_spool a
		exchanges a | tail -n 1 | assert_json --rawfile out "out.$i" --rawfile prompt prompt '.status == "interrupted"
			and .query == ($prompt | rtrimstr("\n")) and (.answer | startswith($out)) and ($out | length) > 0
			and (.answer as $a | .query | startswith($a))' >/dev/null
	done
	same exchanges 2 "$(exchanges a | wc -l | tr -d ' ')"
	say a more
	listed a | assert_json '.exchangeCount == 1 and .lastQuery == "more"'
}

@test "crash: while the exchange was being stored its torn record is isolated and the spool counts" {
	craft a "$(head_of a)" "$(exchange 1)"
	exchange 2 | head -c 120 >>"$(history a)"
	cp "$(history a)" before
	partial a 2 'reply 2'
	run_split mc-session-cat a
	assert_status 1
	assert_out_has 'reply 2'
	no_spool a
	head -c "$(wc -c <before)" "$(history a)" | cmp - before
	same queries 'ask 1,ask 2' "$(queries a)"
}

@test "crash: a spool whose head is torn or no JSON is kept aside, and the session goes on" {
	local text
	for text in '{"type":"exchange","id":"0' '' 'no JSON\nwords' '{"type":"exchange"}\nwords' '\xff\0\n'; do
		craft a "$(head_of a)" "$(exchange 1)"
		# shellcheck disable=SC2059
		printf "$text" >"$MC_SESSIONS_DIR/a/turn.partial"
		cp "$MC_SESSIONS_DIR/a/turn.partial" kept
		run_split mc-chat --no-stdin -s a more
		assert_status 0
		assert_out more
		assert_err_has turn.partial
		no_spool a
		same queries 'ask 1,more' "$(queries a)"
		same 'copies of its bytes' 1 "$(find "$MC_SESSIONS_DIR/a" -type f ! -name history.jsonl -exec cmp -s kept {} \; -print | wc -l | tr -d ' ')"
		mc-session-rm -f a
	done
}

@test "crash: many that find the same spool store it once" {
	craft a "$(head_of a)"
	partial a 1 'half a reply'
	local pids=() i
	for i in 1 2 3 4; do
		mc-session-cat a >"cat.$i" &
		pids+=($!)
		mc-chat --no-stdin -s a "after $i" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	same exchanges 5 "$(exchanges a | wc -l | tr -d ' ')"
	same 'the first' 'ask 1' "$(exchanges a | head -n 1 | jq -r .query)"
	same interrupted 1 "$(grep -c '"status":"interrupted"' "$(history a)")"
	no_spool a
}

@test "crash: a turn that still runs is left alone by readers" {
	say a one
	partial a 2 'so far'
	exec 9<"$(history a)"
	flock 9
	cp "$(history a)" before
	run_split mc-session-cat a
	assert_status 0
	assert_out_has one
	run_split mc-session-cat --status --json a
	same state running "$(jq -r .state out)"
	cmp "$(history a)" before
	[[ -f $MC_SESSIONS_DIR/a/turn.partial ]]
	flock -u 9
	run_split mc-session-cat a
	assert_out_has 'so far'
}

@test "crash: a torn tail of the history is isolated, and appending goes on" {
	local cut
	for cut in 1 40 150; do
		craft a "$(head_of a)" "$(exchange 1)"
		exchange 2 | head -c "$cut" >>"$(history a)"
		cp "$(history a)" before
		say a more
		say a words
		head -c "$(wc -c <before)" "$(history a)" | cmp - before
		same queries 'ask 1,more,words' "$(queries a)"
		same 'lines that are no JSON' 1 "$(jq -Rr 'try (fromjson | empty) catch "bad"' "$(history a)" | wc -l | tr -d ' ')"
		mc-session-rm -f a
	done
}

@test "crash: a last record that only lacks its newline is not lost" {
	craft a "$(head_of a)" "$(exchange 1)"
	exchange 2 | tr -d '\n' >>"$(history a)"
	say a more
	same queries 'ask 1,ask 2,more' "$(queries a)"
	listed a | assert_json '.exchangeCount == 3'
}

@test "crash: a record that was stored but for its newline is not stored again from the spool" {
	craft a "$(head_of a)" "$(exchange 1)"
	exchange 2 | tr -d '\n' >>"$(history a)"
	partial a 2 'reply 2'
	run_split mc-session-cat a
	no_spool a
	same queries 'ask 1,ask 2' "$(queries a)"
	same 'exchanges with its id' 1 "$(exchanges a | grep -c "$(uuid 2)")"
}

@test "crash: what a crash left of an index being replaced is in nobody's way" {
	say a one
	printf '{"live":3' >"$MC_SESSIONS_DIR/.index.tmp"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-ls -q
	assert_status 0
	assert_out a
}

# six: sessions of several kinds, each younger than the one before.
six() {
	local i
	for i in a b c; do
		new "$i" -t "title $i"
		tick
	done
	for i in d b a; do
		say "$i" "$i asks" for more
		tick
	done
	mc-chat --no-stdin -s b -m other -t 'new title' again >/dev/null
	tick
	say b "$(printf 'ü%.0s' {1..200})"
	tick
	new e
}

@test "index: deleted, emptied or without its lock file it comes back the same" {
	six
	mc-session-ls --json >before
	same order 'e,b,a,d,c' "$(jq -r .id before | paste -sd, -)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	mc-session-ls --json | diff before -
	: >"$MC_SESSIONS_DIR/index.jsonl"
	mc-session-ls --json | diff before -
	rm "$MC_SESSIONS_DIR"/index.*
	mc-session-ls --json | diff before -
	same mode 600 "$(mode "$MC_SESSIONS_DIR/index.jsonl")"
}

@test "index: it comes back for every tool, not for the list only" {
	six
	rm "$MC_SESSIONS_DIR/index.jsonl"
	tick
	say c last words
	same order c,e,b,a,d "$(mc-session-ls -q | paste -sd, -)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	new f
	same order f,c,e,b,a,d "$(mc-session-ls -q | paste -sd, -)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	mc-session-rm -f e
	same order f,c,b,a,d "$(mc-session-ls -q | paste -sd, -)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	mc-chat --no-stdin -c hello >/dev/null
	same 'the continued one' hello "$(stored f)"
}

@test "index: damaged histories, and what is no session, do not stop it from coming back" {
	six
	craft bad garbage
	mkdir "$MC_SESSIONS_DIR/empty" "$MC_SESSIONS_DIR/.hidden" "$MC_SESSIONS_DIR/no session"
	touch "$MC_SESSIONS_DIR/file"
	craft v2 "$(head_of v2 | sed 's/"version":1/"version":2/')"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-ls -q
	assert_status 0
	assert_out $'e\nb\na\nd\nc'
	assert_err_has bad/history.jsonl
	assert_err_has 'version 2'
}

@test "index: rewinds and changes count when it comes back" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(rewind 1)" '{"type":"change","timestamp":1700000005000,"title":"T"}'
	listed a | assert_json '.exchangeCount == 1 and .lastQuery == "ask 1" and .title == "T"
		and .usageTotals == {inputTokens: 4, outputTokens: 6, totalTokens: 10}'
}

@test "index: a stale record is healed by the session's next turn" {
	say a one
	exchange 2 >>"$(history a)"
	listed a | assert_json '.exchangeCount == 1'
	say a three
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 3 and .historyBytes == $n
		and .lastQuery == "three" and .usageTotals == {inputTokens: 4, outputTokens: 5, totalTokens: 9}'
}

@test "index: it begins with its header and stays within a small factor of its live size" {
	local live size i
	six
	mc-session-rm -f d
	mc-session-ls --json >before
	for i in {1..300}; do cat before; done >lines # the newest comes last
	tac lines >>"$MC_SESSIONS_DIR/index.jsonl"
	mc-session-ls --json | cmp - before
	tick
	say c after
	size=$(wc -c <"$MC_SESSIONS_DIR/index.jsonl")
	live=$(wc -c <before)
	((size < 4 * live + 65536)) || differs "at most 4 * $live + 65536 bytes" "$size"
	head -n 1 "$MC_SESSIONS_DIR/index.jsonl" | assert_json '.live == 4 and .version == 1'
	same 'headers' 1 "$(grep -c '^{"live"' "$MC_SESSIONS_DIR/index.jsonl")"
	same order c,e,b,a "$(mc-session-ls -q | paste -sd, -)"
	same 'the other records' "$(grep -v '"id":"c"' before)" "$(mc-session-ls --json | grep -v '"id":"c"')"
	same mode 600 "$(mode "$MC_SESSIONS_DIR/index.jsonl")"
	same 'files of the store' 'a,b,c,e,index.jsonl,index.lock,removed.jsonl' "$(find "$MC_SESSIONS_DIR" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd, -)"
}

@test "index: many turns of few sessions do not make it grow without end" {
	local i most=0 size
	say a one
	say b one
	# As if 140 turns had gone before.
	for i in {1..70}; do mc-session-ls --json | tac; done >grown
	cat grown >>"$MC_SESSIONS_DIR/index.jsonl"
	for i in {1..40}; do
		say a "turn $i"
		size=$(wc -c <"$MC_SESSIONS_DIR/index.jsonl")
		if ((size > most)); then most=$size; fi
	done
	((most < 70000)) || differs 'at most 70000 bytes' "$most"
	((size < most)) || differs 'a compaction' "$size"
	same list a,b "$(mc-session-ls -q | paste -sd, -)"
	listed a | assert_json '.exchangeCount == 41'
}
