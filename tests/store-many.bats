# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# Any number of processes at once.

# join PID...: waits for all; fails when one failed.
join() {
	local pid bad=0
	for pid; do
		wait "$pid" || { echo "process $pid: exit status $?"; bad=1; }
	done
	return "$bad"
}

all_json() { assert_json -s 'length > 0' "$(history "$1")"; }

# hold FILE: takes its lock. Children must not inherit descriptor 9.
hold() {
	exec 9<"$1"
	flock 9
}

release() { flock -u 9; }

# in_store: the ids of the folders.
in_store() {
	local f
	for f in "$MC_SESSIONS_DIR"/*/history.jsonl; do
		[[ -e $f ]] || continue
		f=${f%/*}
		echo "${f##*/}"
	done
}

list_agrees() {
	same 'the list' "$(in_store | sort)" "$(mc-session-ls -q | sort)"
	same 'what is left over' '' "$(find "$MC_SESSIONS_DIR" -name 'turn.*' -o -name '.?*' ! -path "$MC_SESSIONS_DIR")"
}

@test "many: turns on one session are all stored, once, whole, and counted" {
	local pids=() i
	new a
	for i in {1..14}; do
		mc-chat --no-stdin -s a "prompt number $i" >"out.$i" 9>&- &
		pids+=($!)
	done
	join "${pids[@]}"
	all_json a
	same prompts "$(for i in {1..14}; do echo "prompt number $i"; done | sort)" "$(stored a | sort)"
	same 'distinct ids' 14 "$(jq -r 'select(.type == "exchange").id' "$(history a)" | sort -u | wc -l | tr -d ' ')"
	for i in {1..14}; do
		same "reply $i" "prompt number $i" "$(<"out.$i")"
	done
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 14 and .historyBytes == $n
		and .usageTotals == {inputTokens: 42, outputTokens: 42, totalTokens: 84}'
	list_agrees
}

@test "many: turns that start at the same moment follow each other" {
	local pids=() i
	new a
	hold "$(history a)"
	for i in {1..8}; do
		mc-chat --no-stdin -s a "p$i" >/dev/null 2>"err.$i" 9>&- &
		pids+=($!)
	done
	for i in {1..8}; do
		poll 20 grep -q "waiting for .*'a'" "err.$i"
	done
	same 'stored while the lock was held' '' "$(stored a)"
	release
	join "${pids[@]}"
	same prompts 8 "$(stored a | sort -u | wc -l | tr -d ' ')"
	assert_json -s '[.[] | select(.type == "exchange").timestamp] | . == sort' "$(history a)"
	all_json a
}

@test "many: --no-wait on a busy session exits 75 at once and stores nothing" {
	say a one
	hold "$(history a)"
	cp "$(history a)" before
	run_split mc-chat --no-stdin --no-wait -s a two 9>&-
	assert_status 75
	assert_out_empty
	assert_err_has "'a'"
	cmp "$(history a)" before
	same 'files of the session' history.jsonl "$(ls -A "$MC_SESSIONS_DIR/a")"
	release
	run_split mc-chat --no-stdin --no-wait -s a two
	assert_status 0
}

@test "many: a lock on one session keeps nobody from another, nor from reading" {
	say a one
	say b one
	hold "$(history a)"
	run_split timeout 20 mc-chat --no-stdin --no-wait -s b two 9>&-
	assert_status 0
	run_split timeout 20 mc-session-cat a 9>&-
	assert_status 0
	assert_out_has one
	run_split timeout 20 mc-session-ls -q 9>&-
	assert_out $'b\na'
	run_split timeout 20 mc-session-new -i c 9>&-
	assert_status 0
	release
}

@test "many: turns on different sessions are all listed" {
	local pids=() i
	for i in {1..12}; do
		mc-chat --no-stdin -p echo -n -s "s$i" "prompt $i" >/dev/null &
		pids+=($!)
	done
	join "${pids[@]}"
	for i in {1..12}; do
		same stored "prompt $i" "$(stored "s$i")"
		listed "s$i" | assert_json --argjson n "$(wc -c <"$(history "s$i")")" '.exchangeCount == 1 and .historyBytes == $n'
	done
	list_agrees
}

@test "many: a new store may be made by all of them" {
	local pids=() i
	for i in {1..12}; do
		mc-session-new -p echo >"id.$i" &
		pids+=($!)
	done
	join "${pids[@]}"
	same 'distinct ids' 12 "$(cat id.* | sort -u | wc -l | tr -d ' ')"
	same 'the list' "$(cat id.* | sort)" "$(mc-session-ls -q | sort)"
	list_agrees
}

@test "many: one id is given away once" {
	local pids=() i won=0
	for i in {1..8}; do
		mc-session-new -p echo -i a -t "$i" >"out.$i" 2>"err.$i" &
		pids+=($!)
	done
	for i in {1..8}; do
		if wait "${pids[i - 1]}"; then
			((won += 1))
			same title "$i" "$(head -n 1 "$(history a)" | jq -r .title)"
		else
			grep -q "'a'" "err.$i"
			[[ ! -s out.$i ]]
		fi
	done
	same winners 1 "$won"
	same lines 1 "$(wc -l <"$(history a)" | tr -d ' ')"
	list_agrees
}

@test "many: mc-chat -n makes the session once, and all talk in it" {
	local pids=() i
	for i in {1..8}; do
		mc-chat --no-stdin -p echo -n -s a "p$i" >/dev/null &
		pids+=($!)
	done
	join "${pids[@]}"
	same prompts 8 "$(stored a | sort -u | wc -l | tr -d ' ')"
	same sessions 1 "$(grep -c '"type":"session"' "$(history a)")"
	listed a | assert_json '.exchangeCount == 8'
	list_agrees
}

@test "many: readers see whole records while others write" {
	local pids=() i
	say a zero
	for i in {1..10}; do
		mc-chat --no-stdin -s a "$(printf 'word %.0s' {1..3000})" >/dev/null &
		pids+=($!)
	done
	for i in {1..8}; do
		mc-session-ls --json | assert_json -s 'length == 1'
		mc-session-cat --json a | assert_json -s '.[0].type == "session" and length >= 2'
	done
	join "${pids[@]}"
	listed a | assert_json '.exchangeCount == 11'
}

@test "many: a compaction under them loses nobody's record" {
	local pids=() i
	for i in {1..8}; do new "s$i"; done
	mc-session-ls --json | tac >lines
	for i in {1..25}; do cat lines; done >>"$MC_SESSIONS_DIR/index.jsonl"
	for i in {1..8} {1..8}; do
		mc-chat --no-stdin -s "s$i" "prompt of $i" >/dev/null &
		pids+=($!)
	done
	join "${pids[@]}"
	for i in {1..8}; do
		listed "s$i" | assert_json '.exchangeCount == 2'
	done
	(($(wc -c <"$MC_SESSIONS_DIR/index.jsonl") < 80000))
	list_agrees
}

@test "many: an index that is lost under them comes back whole" {
	local pids=() i
	for i in {1..6}; do new "s$i"; done
	for i in {1..6}; do
		mc-chat --no-stdin -s "s$i" "prompt of $i" >/dev/null &
		pids+=($!)
		rm -f "$MC_SESSIONS_DIR/index.jsonl"
	done
	join "${pids[@]}"
	for i in {1..6}; do
		listed "s$i" | assert_json '.exchangeCount == 1'
	done
	list_agrees
}

@test "many: who waits for the index lock says so" {
	new a
	hold "$MC_SESSIONS_DIR/index.lock"
	mc-session-new -p echo -i b >out 2>err 9>&- &
	poll 20 grep -q 'waiting for .*index.lock' err
	release
	join $!
	same list $'b\na' "$(mc-session-ls -q)"
}

@test "rm: waits for the turn that runs" {
	say a one
	hold "$(history a)"
	mc-session-rm -f a 2>err 9>&- &
	poll 20 grep -q "waiting for .*'a'" err
	[[ -f $(history a) ]]
	release
	join $!
	list_agrees
	[[ ! -e $MC_SESSIONS_DIR/a ]]
}

@test "rm: a chat whose session was removed under it says so and goes on under a new id" {
	local id
	say a one
	hold "$(history a)"
	mc-chat --no-stdin -s a 'not lost' >out 2>err 9>&- &
	poll 20 grep -q 'waiting for' err
	mv "$MC_SESSIONS_DIR/a" taken # what a removal does, in two steps
	cp taken/history.jsonl before
	release
	join $!
	same reply 'not lost' "$(<out)"
	grep -q "'a' was removed" err
	cmp taken/history.jsonl before
	[[ ! -e $MC_SESSIONS_DIR/a ]]
	id=$(in_store)
	grep -q "'$id'" err
	same stored 'not lost' "$(stored "$id")"
	same provider echo "$(head -n 1 "$(history "$id")" | jq -r .provider)"
	same 'the newest of the list' "$id" "$(mc-session-ls -q -n 1)"
}

@test "rm: a session made anew under the same name is not mistaken for the old one" {
	say a one
	hold "$(history a)"
	mc-chat --no-stdin -s a two >out 2>err 9>&- &
	poll 20 grep -q 'waiting for' err
	mv "$MC_SESSIONS_DIR/a" taken
	new a
	release
	join $!
	same 'in the new one' two "$(stored a)"
	same 'in the old one' one "$(jq -r 'select(.type == "exchange").query' taken/history.jsonl)"
}

@test "rm: racing chats lose no turn and leave nothing half removed" {
	local pids=() i
	say a zero
	hold "$(history a)"
	for i in {1..6}; do
		mc-chat --no-stdin -s a "p$i" >"out.$i" 2>"err.$i" 9>&- &
		pids+=($!)
	done
	mc-session-rm -f a 2>err.rm 9>&- &
	pids+=($!)
	for i in {1..6} rm; do
		poll 20 grep -q 'waiting for' "err.$i"
	done
	release
	join "${pids[@]}"
	[[ ! -e $MC_SESSIONS_DIR/a ]]
	for i in {1..6}; do
		same "reply $i" "p$i" "$(<"out.$i")"
		# Either it was stored and then removed with the rest, or it is elsewhere.
		if grep -q 'was removed' "err.$i"; then
			same "places of p$i" 1 "$(grep -l "\"query\":\"p$i\"" "$MC_SESSIONS_DIR"/*/history.jsonl | wc -l | tr -d ' ')"
		fi
	done
	same 'new sessions' "$(cat err.? | grep -c 'was removed')" "$(in_store | wc -l | tr -d ' ')"
	list_agrees
}

@test "rm: two of the same session: it is gone, and nothing is left over" {
	local i pids=()
	say a one
	hold "$(history a)"
	for i in 1 2 3; do
		mc-session-rm -f a 2>"err.$i" 9>&- &
		pids+=($!)
		poll 20 grep -q 'waiting for' "err.$i"
	done
	release
	for i in "${pids[@]}"; do wait "$i" || true; done
	list_agrees
	same list '' "$(mc-session-ls -q)"
}

# stopped_maker ID: a mc-session-new that has made the folder and has not yet
# come to the list; it goes on with "kill -CONT $maker".
stopped_maker() {
	mkdir -p "$MC_SESSIONS_DIR"
	new other
	hold "$MC_SESSIONS_DIR/index.lock"
	mc-session-new -p echo -i "$1" >made 9>&- &
	maker=$!
	wait_for "$(history "$1")"
	kill -STOP "$maker"
	release
}

@test "many: a slow maker of a session does not undo what others noted of it" {
	stopped_maker a
	say a hello 2>err.say 9>&- &
	poll 20 grep -q 'waiting for' err.say
	kill -CONT "$maker"
	join "$maker" $!
	listed a | assert_json '.exchangeCount == 1 and .lastQuery == "hello"'
}

@test "many: a slow maker of a session does not list it after its removal" {
	stopped_maker a
	mc-session-rm -f a 2>err.rm 9>&- &
	poll 20 grep -q 'waiting for' err.rm
	kill -CONT "$maker"
	join "$maker" $!
	list_agrees
}
