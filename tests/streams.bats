# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err; others expand what is quoted
# Standard streams that are O_NONBLOCK because another process wants it so, and those that nobody
# reads.

load helper
load wire
load prompt

setup() {
	fresh
	export MC_PROVIDER=echo
	LATE=$ROOT/tests/late.py
}

teardown() {
	if [[ ${SLOW-} ]]; then kill "$SLOW" 2>/dev/null || true; fi
	cleanup
}

# lines N: so many of them, of 100 characters.
lines() { seq -f "%099.0f" "$1"; }

# late WHICH CMD...: through a pipe and through a socket, as node has them; the output of both is
# the same, and no less than where nothing is special.
late() {
	local kind wanted=0
	"${@:2}" >want 2>want.err </dev/null || wanted=$?
	if [[ $1 == err ]]; then mv want.err want; fi
	(($(wc -c <want) > 150000)) || differs 'enough output' '150000 bytes'
	for kind in '' --socket; do
		status=0
		"$LATE" $kind "$@" >got 2>err </dev/null || status=$?
		((status != 99)) || differs 'the flag to stay' 99
		same 'exit status' "$wanted" "$status"
		cmp want got
	done
}

@test "output: all of it is written to a stream that is O_NONBLOCK" {
	local row
	lines 3000 | mc-chat -n -s big >/dev/null
	late out mc-session-cat big
	late out mc-session-cat --json big
	lines 2000 >prompt
	late out bash -c 'exec mc-chat --no-save <prompt'
	row=$(mc-session-ls --json)
	row=${row//\\/\\\\} row=${row//%/%%}
	printf "${row/\"big\"/\"s%d\"}\n" {0..1499} >>"$MC_SESSIONS_DIR/index.jsonl"
	late out mc-session-ls
	late out mc-session-ls --json
	seq -f "a line of session 'big' that is no record, number %05g" 3000 >>"$(history big)"
	late out mc-session-fsck
	late err bash -c 'rm "$MC_SESSIONS_DIR/index.jsonl"; exec mc-session-ls >/dev/null'
}

@test "output: all of it is written also after the index was made again" {
	local i head
	mc-session-new -i model -t "a list of many sessions" >/dev/null
	head=$(<"$(history model)")
	umask 077
	mkdir "$MC_SESSIONS_DIR"/s{1..600}
	for ((i = 1; i <= 600; i++)); do echo "${head/\"model\"/\"s$i\"}" >"$MC_SESSIONS_DIR/s$i/history.jsonl"; done
	late out bash -c 'echo no record >>"$MC_SESSIONS_DIR/index.jsonl"; exec mc-session-ls --json'
}

@test "output: events and a record of a reply are whole, too" {
	lines 2000 >prompt
	for form in --events --json; do
		for kind in '' --socket; do
			"$LATE" $kind out mc-chat --no-save $form <prompt >got
			assert_json -s 'length > 0' got
			same reply "$(<prompt)" "$(jq -rs 'if .[-1].exchange then .[-1].exchange.answer else .[-1].answer end' got)"
		done
	done
}

@test "input: it is waited for" {
	local kind
	for kind in '' --socket; do
		run_split "$LATE" $kind in 'some words' mc-chat --no-save
		assert_status 0
		assert_out 'some words'
		mc-chat -n -s a hi >/dev/null
		run_split "$LATE" $kind in $'y\n' mc-session-rm a
		assert_status 0
		assert_err_has "Delete session 'a'"
		mc-chat -n -s a hi >/dev/null
		mc-chat -n -s b hi >/dev/null
		run_split "$LATE" $kind in $'a\nb\n' mc-session-rm -f -
		assert_status 0
		run_split mc-session-ls -q
		assert_out_empty
	done
}

@test "a terminal that is O_NONBLOCK is one like any other" {
	local reader
	mkdir none
	echo 'no library' >none/libreadline.so.8
	for reader in "$PWD/nothing" "$PWD/none"; do
		rm -rf "$MC_SESSIONS_DIR"
		term_start env "LD_LIBRARY_PATH=$reader" "$ROOT/tests/parent.py" --nonblock 0,1,2 mc-chat -n -s s
		enter one
		enter '/copy'
		enter two
		poll 30 stores s 2
		at_prompt
		on_term set-option history-limit 5000
		enter "$(printf 'x%.0s' {1..3000})"
		poll 30 stores s 3
		term_wait '^x{80}$'
		at_prompt
		term_keys C-d
		same status 0 "$(term_status)"
	done
	mc-chat -n -s t other >/dev/null
	term_start "$ROOT/tests/parent.py" --nonblock 0,1,2 mc-chat -s
	term_wait '^.*other'
	term_keys Enter
	term_wait '^Session: t '
	at_prompt
}

stores() { [[ -e $(history "$1") && $(count "$1") == "$2" ]]; }

@test "an editor that leaves the terminal O_NONBLOCK ends no conversation" {
	cat >editor <<-'END'
		#!/usr/bin/python3
		import os, sys
		os.set_blocking(0, False)
		with open(sys.argv[1], "a") as file:
		    file.write("more")
	END
	chmod +x editor
	EDITOR=$PWD/editor term_start mc-chat -n -s s
	enter one
	enter /edit
	poll 30 stores s 2
	enter three
	poll 30 stores s 3
	at_prompt
}

@test "an editor and a pager get a terminal that is not O_NONBLOCK" {
	local name
	for name in editor pager; do
		cat >$name <<-END
			#!/usr/bin/python3
			import os
			streams = [fd for fd in range(3) if not os.get_blocking(fd)]
			with open("$PWD/seen.$name", "w") as file:
			    print("nonblocking:", *streams, file=file)
		END
		chmod +x $name
	done
	EDITOR=$PWD/editor term_start "$ROOT/tests/parent.py" --nonblock 0,1,2 mc-chat -n -s s
	enter one
	enter /edit
	poll 30 grep -s : seen.editor
	same editor nonblocking: "$(<seen.editor)"
	at_prompt
	term_start env "MC_PAGER=$PWD/pager" "$ROOT/tests/parent.py" --nonblock 0,1,2 mc-session-cat s
	poll 30 grep -s : seen.pager
	same pager nonblocking: "$(<seen.pager)"
}

# ---- streams that nobody reads ----

# unread FILE: a pipe of this name, whose only reader does not read.
unread() {
	mkfifo "$1"
	tail -f /dev/null <>"$1" 3>&- &
	SLOW=$!
}

# is_full FIFO: no more goes into it, which a process of ours fills.
is_full() {
	/usr/bin/python3 -c '
import os, select, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
sys.exit(bool(select.select([], [fd], [], 0)[1]))' "$1"
}

# blocked_damage: a session whose damaged records a pipe does not hold the notices of.
blocked_damage() {
	mc-chat -n -s d hi >/dev/null
	seq -f 'no record %g' 2000 >>"$(history d)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
}

# writers_go_on ID: this session and the list of all can be written.
writers_go_on() {
	run_split timeout 20 mc-chat --no-wait --no-stdin -n -s "$1" and more
	assert_status 0
	run_split timeout 20 mc-session-new -p echo -i "new-$1"
	assert_status 0
	run_split timeout 20 mc-session-rm -f "new-$1"
	assert_status 0
}

@test "unread: notices of mc-session-ls, mc-session-cat and mc-session-rm hold no lock" {
	local tool
	unread pipe
	for tool in 'mc-session-ls' 'mc-session-cat d' 'mc-chat --no-stdin -s d more' 'mc-session-fsck --repair d'; do
		blocked_damage
		$tool >pipe 2>&1 3>&- &
		poll 30 is_full pipe
		writers_go_on d
		writers_go_on other
		kill $!
		wait $! || true
		kill "$SLOW"
		rm -rf pipe "$MC_SESSIONS_DIR"
		unread pipe
	done
}

@test "unread: a reply is received and stored, and the session is free" {
	answers "$(stream "$(lines 3000 | jq -Rsc '{text: .}')" '{"touch":"half"}' '{"text":"the end"}' "$END")" "$(says ok)"
	unread pipe
	mc-chat -n -s s --no-stdin hi >pipe 3>&- &
	poll 30 is_full pipe
	poll 30 stores s 1
	same stored complete "$(exchange s .status)"
	run_split timeout 20 mc-chat --no-wait --no-stdin -s s again
	assert_status 0
	assert_out ok
	kill "$SLOW" # what it did not read is lost, and nothing else
	status=0
	wait $! || status=$?
	same status 1 "$status"
}

# frozen CMD...: in the background, at a terminal that shows nothing any more. Sets FROZEN.
frozen() {
	rm -f frozen.pid
	/usr/bin/python3 -c '
import os, pty, subprocess, sys
master, slave = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdout=slave, stderr=slave)
os.close(slave)
print(process.pid, flush=True)
process.wait()' "$@" >frozen.pid 3>&- &
	poll 30 test -s frozen.pid
	FROZEN=$(<frozen.pid)
}

@test "unread: a terminal that takes no more holds up nobody else" {
	lines 3000 >prompt
	blocked_damage
	frozen mc-session-ls
	poll 30 test -e "$MC_SESSIONS_DIR/index.jsonl"
	writers_go_on d
	kill "$FROZEN"
	frozen bash -c 'exec mc-chat -n -s s <prompt'
	poll 30 stores s 1
	writers_go_on s
	kill "$FROZEN"
	wait
}

@test "unread: a trace holds up nobody else" {
	answers "$(stream "$(lines 2000 | jq -Rsc '{text: .}')" "$END")" "$(says ok)"
	unread pipe
	mc-chat -n -s s --no-stdin --trace pipe hi >reply 3>&- &
	chat=$!
	poll 30 stores s 1
	poll 30 is_full pipe
	run_split timeout 20 mc-chat --no-wait --no-stdin -s s again
	assert_status 0
	exec {reader}<pipe # before the one that does not read goes away
	cat <&"$reader" >trace 3>&- &
	exec {reader}<&-
	kill "$SLOW"
	wait "$chat"
	wait $!
	lines 2000 | cmp - reply
	assert_json -s 'length > 2' trace
}

@test "unread: SIGTERM ends a mc-chat whose reply nobody reads, and the reply is stored" {
	lines 3000 >prompt
	unread pipe
	mc-chat -n -s s <prompt >pipe 3>&- &
	poll 30 stores s 1
	poll 30 is_full pipe
	kill -TERM $!
	status=0
	timeout 20 tail --pid=$! -f /dev/null
	wait $! || status=$?
	((status > 0)) || differs 'a failure' 1
	same reply "$(<prompt)" "$(exchange s .answer)"
}

@test "unread: what a slow reader has missed while a reply runs comes later" {
	answers "$(stream "$(lines 3000 | jq -Rsc '{text: .}')" '{"touch":"sent"}' '{"wait":"go"}' '{"text":"the end"}' "$END")"
	mkfifo pipe
	mc-chat -n -s s --no-stdin hi >pipe 3>&- &
	exec 4<pipe
	wait_for sent
	poll 30 is_full pipe
	lines 3000 | cmp - <(head -c 300000 <&4) # also before more comes
	touch go
	same 'rest' 'the end' "$(cat <&4)"
	exec 4<&-
	wait $!
}

@test "unread: a summary that nobody reads is stored, and the session is free" {
	local i
	for i in {1..6}; do mc-chat -n -s s -p echo "$i" >/dev/null; done
	sed -i 's/"provider":"echo"/"provider":"openai-compatible"/' "$(history s)"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	answers "$(stream "$(lines 3000 | jq -Rsc '{text: .}')" "$END")" "$(says ok)"
	unread pipe
	mc-session-compact s >pipe 3>&- &
	poll 30 is_full pipe
	poll 30 has_summary s
	run_split timeout 20 mc-chat --no-wait --no-stdin -s s again
	assert_status 0
	kill "$SLOW"
	wait $! || true
}

has_summary() { (($(count "$1" summary) == 1)); }

@test "unread: Ctrl-S in a conversation holds up nobody else" {
	answers "$(stream '{"text":"begun "}' '{"touch":"begun"}' '{"wait":"go"}' "$(lines 30 | jq -Rsc '{text: .}')" "$END")" "$(says ok)"
	term_start mc-chat -n -s s
	enter hello
	wait_for begun
	term_wait '^begun'
	term_keys C-s
	touch go
	poll 30 stores s 1
	run_split timeout 20 mc-chat --no-wait --no-stdin -s s again
	assert_status 0
	refute term_shows '0030'
	term_keys C-q
	term_wait '0030$'
	at_prompt
}
