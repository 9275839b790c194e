# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# mc-session-cat -f, against writers that do what mc-session(5) says, step by step.

load helper
load craft

setup() {
	fresh
	umask 077
}

teardown() {
	if [[ -e pid ]]; then kill "$(<pid)" 2>/dev/null || true; fi # what runs under strace
	end_follow TERM
	cleanup
}

# follow ARG...: follows in the background; the output is in followed, and what stderr gets
# in follow.err. It gets none of the locks that a test holds.
follow() {
	end_follow TERM
	: >followed
	mc-session-cat -f "$@" >followed 2>follow.err 3>&- 9>&- &
	FOLLOW=$!
	poll 30 grep -qs history.jsonl "/proc/$FOLLOW/maps" # it knows where it begins
}

# end_follow SIGNAL [STATUS]: ends it so; its exit status is STATUS, where that matters.
end_follow() {
	[[ ${FOLLOW-} ]] || return 0
	kill "-$1" "$FOLLOW" 2>/dev/null || true
	ends_with "${2-}"
}

# ends_with STATUS: it ends by itself.
ends_with() {
	poll 30 is_gone "$FOLLOW" || same 'what is followed' 'an end' ''
	status=0
	wait "$FOLLOW" || status=$?
	FOLLOW=
	[[ -z $1 ]] || same 'exit status' "$1" "$status"
}

# shows TEXT: until exactly that is printed.
shows() {
	poll 30 is_followed "$1" && return
	same 'what is followed' "$1" "$(<followed)"
	echo 'it differs in its end'
	return 1
}

is_followed() { [[ "$(cat followed && echo .)" == "$1." ]]; }

# hold ID, release: the lock, as a writer has it.
hold() {
	exec 9<>"$(history "$1")"
	flock 9
}

release() { exec 9>&-; }

# stored ID LINE...: appends records.
store() { printf '%s\n' "${@:2}" >>"$(history "$1")"; }

spool() { printf '%s\n' "$MC_SESSIONS_DIR/$1/turn.partial"; }

# begin ID N [MEMBERS]: exchange N begins.
begin() {
	printf '{"type":"exchange","id":"%s","timestamp":%d,"query":"ask %s","model":"%s"%s}\n' \
		"$(uuid "$2")" "$((1700000000000 + 1000 * $2))" "$2" "${MODEL-echo}" "${3-}" >"$(spool "$1")"
}

# reply ID TEXT: a piece of it arrives.
reply() { printf '%s' "$2" >>"$(spool "$1")"; }

# finish ID N [STATUS [MEMBERS]]: the exchange is stored.
finish() {
	store "$1" "$(exchange "${@:2}")"
	rm "$(spool "$1")"
}

# twelve: a session a of twelve exchanges.
twelve() {
	local i lines=()
	for i in {1..12}; do lines+=("$(exchange "$i")"); done
	craft a "$(head_of a)" "${lines[@]}"
}

# said N...: how these exchanges are printed.
said() {
	local i first=1
	for i in "$@"; do
		if ((!first)); then echo; fi
		first=0
		printf '> ask %s\n\nreply %s\n' "$i" "$i"
	done
}

@test "follow: begins with the last ten exchanges, or as many as are asked for, or none" {
	twelve
	follow a
	shows "$(said {3..12})"$'\n'
	follow -n 2 a
	shows "$(said 11 12)"$'\n'
	follow -n 99 a
	shows "$(said {1..12})"$'\n'
	follow -n 0 a
	store a "$(exchange 13)"
	shows "$(said 13)"$'\n'
	end_follow TERM 143
	[[ ! -s follow.err ]]
}

@test "follow: a prompt is there at once, its reply as it arrives, then its mark" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow a
	hold a
	begin a 2
	shows "$(said 1)"$'\n\n> ask 2\n\n'
	reply a 're'
	shows "$(said 1)"$'\n\n> ask 2\n\nre'
	reply a $'ply 2\nand\n'
	shows "$(said 1)"$'\n\n> ask 2\n\nreply 2\nand\n'
	store a "$(exchange 2 error ',"error":"no luck"' | sed 's/"reply 2"/"reply 2\\nand\\n more"/')"
	shows "$(said 1)"$'\n\n> ask 2\n\nreply 2\nand\n more\n[error: no luck]\n'
	rm "$(spool a)"
	release
	hold a
	begin a 3
	reply a 'reply 3'
	shows "$(said 1)"$'\n\n> ask 2\n\nreply 2\nand\n more\n[error: no luck]\n\n> ask 3\n\nreply 3'
	finish a 3 interrupted
	shows "$(said 1)"$'\n\n> ask 2\n\nreply 2\nand\n more\n[error: no luck]\n\n> ask 3\n\nreply 3\n[interrupted]\n'
	mc-session-cat a | cmp - followed
}

@test "follow: a turn that runs already is seen from its beginning" {
	craft a "$(head_of a)" "$(exchange 1)"
	hold a
	begin a 2 ",\"attachments\":[{\"sha256\":\"$(printf '%064d' 0)\",\"name\":\"a b\",\"type\":\"text/plain\",\"size\":5}]"
	reply a 'reply'
	follow -n 1 a
	shows "$(said 1)"$'\n\n> ask 2\n[attached: a b (text/plain, 5 bytes)]\n\nreply'
	reply a ' 2'
	shows "$(said 1)"$'\n\n> ask 2\n[attached: a b (text/plain, 5 bytes)]\n\nreply 2'
	finish a 2
	shows "$(said 1)"$'\n\n> ask 2\n[attached: a b (text/plain, 5 bytes)]\n\nreply 2\n'
}

@test "follow: a turn that is stored, but not yet off the disk, is seen once" {
	craft a "$(head_of a)" "$(exchange 1)"
	hold a
	begin a 1
	reply a 'reply 1'
	follow a
	shows "$(said 1)"$'\n'
	rm "$(spool a)"
	begin a 2
	reply a 'reply 2'
	shows "$(said 1)"$'\n\n> ask 2\n\nreply 2'
	finish a 2
	shows "$(said 1 2)"$'\n'
}

@test "follow: what a power cut left of an older turn is not told again" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(exchange 3)"
	begin a 1
	reply a 'reply 1'
	follow a
	shows "$(said 1 2 3)"$'\n'
	hold a
	rm "$(spool a)"
	begin a 4
	shows "$(said 1 2 3)"$'\n\n> ask 4\n\n'
}

@test "follow: turns that come and go between two looks are told from the history" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow a
	shows "$(said 1)"$'\n'
	kill -STOP "$FOLLOW"
	hold a
	begin a 2
	reply a 'reply 2'
	finish a 2
	begin a 3
	reply a 'reply 3'
	finish a 3
	begin a 4
	reply a 'reply'
	kill -CONT "$FOLLOW"
	shows "$(said 1 2 3)"$'\n\n> ask 4\n\nreply'
	kill -STOP "$FOLLOW" # in the middle of one that ends, and another begins
	reply a ' 4'
	finish a 4
	begin a 5
	reply a 're'
	kill -CONT "$FOLLOW"
	shows "$(said 1 2 3 4)"$'\n\n> ask 5\n\nre'
}

@test "follow: each byte once, however writers cut their replies, fail and die" {
	local seed
	for seed in 1 2 3; do
		((seed == 1)) || long || break
		new a
		follow -n 0 a
		python3 "$ROOT/tests/writer.py" "$MC_SESSIONS_DIR" a 30 "$seed"
		mc-session-cat a >whole
		poll 30 cmp -s whole followed || { diff -a whole followed | head -50; return 1; }
		end_follow TERM 143
		mc-session-rm -f a
	done
}

# follow_under INJECTION CALLS TURNS: the same under strace.
follow_under() {
	command -v strace >/dev/null || skip 'strace is not installed'
	export ASAN_OPTIONS=detect_leaks=0
	new a
	: >followed
	rm -f trace
	strace -f -o trace -e trace="$2" -e inject="$1" \
		bash -c 'echo $$ >pid; exec mc-session-cat -f a' >followed 2>follow.err 3>&- &
	FOLLOW=$!
	poll 30 grep -qs 'inotify_add_watch' trace
	python3 "$ROOT/tests/writer.py" "$MC_SESSIONS_DIR" a "$3" 7
	mc-session-cat a >whole
	poll 30 cmp -s whole followed || { diff -a whole followed | head -50; return 1; }
	kill "$(<pid)"
	ends_with ''
	mc-session-rm -f a
}

@test "follow: the same where nothing is told of what others do, and where that is not noticed" {
	local how
	for how in error=ENOSPC retval=1; do
		follow_under "inotify_add_watch:$how" inotify_add_watch 10
	done
}

@test "follow: the same where its looks take long, so that much happens between two calls" {
	local call
	for call in openat '?newfstatat,?fstatat,?fstat' pread64; do
		follow_under "$call:delay_enter=15000" "inotify_add_watch,$call" "$(long && echo 40 || echo 12)"
	done
}

@test "follow: mc-chat's turns, from another process" {
	new a -t 'A title'
	follow a
	mc-chat --no-stdin -s a one two >/dev/null
	shows $'> one two\n\none two\n'
	mc-chat --no-stdin -s a -m other -t 'Another title' three >/dev/null
	# What came with the turn is told before it or behind it.
	poll 30 grep -qx three followed
	poll 30 grep -qx '\[title: Another title\]' followed
	grep -qx '\[model: other\]' followed
	mc-chat --no-stdin -s a four >/dev/null
	poll 30 grep -qx four followed
	same 'models told' 1 "$(grep -c model: followed)"
	same 'titles told' 1 "$(grep -c title: followed)"
}

@test "follow: rewinds, titles, models and summaries are told in a line" {
	local title=',"timestamp":1700000000001,"title":'
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
	follow -n 1 a
	shows "$(said 2)"$'\n'
	store a "$(rewind 1)"
	shows "$(said 2)"$'\n\n[rewound to: ask 1]\n'
	store a "$(rewind 77)" '{"type":"marvel"}' '{"type":"change"'"$title"'"my\ntitle"}'
	shows "$(said 2)"$'\n\n[rewound to: ask 1]\n\n[title: my title]\n'
	: >followed.before && cp followed followed.before
	store a '{"type":"change"'"$title"'""}' "$(exchange 3 | sed 's/"model":"echo"/"model":"m2"/')" "$(rewind)"
	shows "$(<followed.before)"$'\n\n[no title]\n\n[model: m2]\n\n> ask 3\n\nreply 3\n\n[rewound to the beginning]\n'
	cp followed followed.before
	store a '{"type":"summary","timestamp":1,"upTo":"'"$(uuid 3)"'","text":"t","model":"m"}' \
		"$(exchange 4 | sed "s/ask 4/$(printf 'é%.0s' {1..90})/; s/\"model\":\"echo\"/\"model\":\"m2\"/")" "$(rewind 4)"
	shows "$(<followed.before)"$'\n\n[summed up to: ask 3]\n\n> '"$(printf 'é%.0s' {1..90})"$'\n\nreply 4\n\n[rewound to: '"$(printf 'é%.0s' {1..60})"$'…]\n'
}

@test "follow: what comes with the record of a turn is told behind it" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
	follow -n 0 a
	hold a
	MODEL=m2 begin a 3
	shows $'[model: m2]\n\n> ask 3\n\n'
	reply a 'reply'
	shows $'[model: m2]\n\n> ask 3\n\nreply'
	store a '{"type":"change","timestamp":1,"title":"T"}' "$(exchange 3 | sed 's/"model":"echo"/"model":"m2"/')"
	shows $'[model: m2]\n\n> ask 3\n\nreply 3\n\n[title: T]\n'
}

@test "follow: an exchange that was asked again is told with the one that it replaces" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
	follow -n 0 a
	store a "$(exchange 3 complete ",\"replaces\":\"$(uuid 2)\"")"
	shows $'[in the place of: ask 2]\n\n> ask 3\n\nreply 3\n'
	store a "$(exchange 4 complete ",\"replaces\":\"$(uuid 77)\"")"
	shows $'[in the place of: ask 2]\n\n> ask 3\n\nreply 3\n\n> ask 4\n\nreply 4\n'
}

@test "follow: a session that is removed ends it, with a word, and so does a repair" {
	twelve
	follow -n 1 a
	shows "$(said 12)"$'\n'
	mc-session-rm -f a
	ends_with 1
	same 'message' "mc-session-cat: session 'a' was removed" "$(<follow.err)"
	twelve
	follow -n 1 a
	shows "$(said 12)"$'\n'
	echo garbage >>"$(history a)"
	mc-session-fsck --repair a >/dev/null || true
	ends_with 1
	grep -q "^mc-session-cat: the history of session 'a' was replaced" follow.err
	follow -n 1 a
	shows "$(said 12)"$'\n'
	rm -r "$MC_SESSIONS_DIR/a" # by hand
	ends_with 1
	twelve
	follow -n 1 a
	shows "$(said 12)"$'\n'
	truncate -s 500 "$(history a)"
	ends_with 1
	same 'message' "mc-session-cat: the history of session 'a' was cut short" "$(<follow.err)"
}

@test "follow: what was stored just before the end is told" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow a
	shows "$(said 1)"$'\n'
	kill -STOP "$FOLLOW"
	store a "$(exchange 2)"
	mc-session-rm -f a
	kill -CONT "$FOLLOW"
	ends_with 1
	same 'all of it' "$(said 1 2)" "$(<followed)"
}

@test "follow: a turn whose process died is told so, and not again when the next one stores it" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow a
	hold a
	begin a 2
	reply a $'half \xc3'
	shows "$(said 1)"$'\n\n> ask 2\n\nhalf '
	release # as a crash does
	shows "$(said 1)"$'\n\n> ask 2\n\nhalf \xef\xbf\xbd\n[interrupted]\n'
	mc-chat --no-stdin -s a three >/dev/null
	shows "$(said 1)"$'\n\n> ask 2\n\nhalf \xef\xbf\xbd\n[interrupted]\n\n> three\n\nthree\n'
	mc-session-cat a | cmp - followed
}

@test "follow: what a crash left is there at once, and nothing is stored for it" {
	craft a "$(head_of a)" "$(exchange 1)"
	begin a 2
	reply a 'half'
	cp "$(history a)" before
	local then=$SECONDS
	follow a
	shows "$(said 1)"$'\n\n> ask 2\n\nhalf\n[interrupted]\n'
	((SECONDS - then < 10)) || same 'seconds' 'a few' "$((SECONDS - then))"
	cmp before "$(history a)"
	[[ -e $(spool a) ]]
}

@test "follow: a writer that says nothing is not taken for dead" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow -n 0 a
	hold a
	begin a 2
	shows $'> ask 2\n\n'
	# Some looks later, each with a doubt.
	poll 30 slept 4
	shows $'> ask 2\n\n'
	release
	shows $'> ask 2\n\n[interrupted]\n'
}

# slept N: whether the follower has gone to sleep N times more than when this was called first.
slept() {
	local now
	now=$(awk '/^voluntary/ {print $2}' "/proc/$FOLLOW/status")
	SLEPT=${SLEPT-$now}
	((now >= SLEPT + $1))
}

@test "follow: a turn that leaves no record is told so" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow -n 0 a
	hold a
	begin a 2
	reply a 'half'
	shows $'> ask 2\n\nhalf'
	rm "$(spool a)"
	shows $'> ask 2\n\nhalf\n[not stored]\n'
	begin a 3
	finish a 3
	shows $'> ask 2\n\nhalf\n[not stored]\n\n> ask 3\n\nreply 3\n'
}

@test "follow: a record that says something else than what was told is printed too" {
	craft a "$(head_of a)"
	follow a
	hold a
	begin a 1
	reply a 'something'
	shows $'> ask 1\n\nsomething'
	finish a 1
	shows $'> ask 1\n\nsomething\n[stored as]\nreply 1\n'
	begin a 2
	reply a 'some'
	shows $'> ask 1\n\nsomething\n[stored as]\nreply 1\n\n> ask 2\n\nsome'
	finish a 2
	shows $'> ask 1\n\nsomething\n[stored as]\nreply 1\n\n> ask 2\n\nsome\n[stored as]\nreply 2\n'
}

@test "follow: a turn's file that is none is told, and not in the way" {
	craft a "$(head_of a)" "$(exchange 1)"
	echo garbage >"$(spool a)"
	follow a
	shows "$(said 1)"$'\n'
	poll 30 grep -q 'a/turn.partial is damaged' follow.err
	mc-chat --no-stdin -s a two >/dev/null 2>&1
	shows "$(said 1)"$'\n\n> two\n\ntwo\n'
	same 'notices' 1 "$(wc -l <follow.err)"
}

@test "follow: a damaged record is told, and a torn one waited for" {
	craft a "$(head_of a)" "$(exchange 1)"
	follow a
	store a garbage
	poll 30 grep -q 'history.jsonl:3: skipped a damaged record' follow.err
	exchange 2 | head -c 50 >>"$(history a)"
	shows "$(said 1)"$'\n'
	exchange 2 | tail -c +51 >>"$(history a)"
	shows "$(said 1 2)"$'\n'
}

@test "follow: --json prints each record when it is stored, and nothing of running turns" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
	follow --json -n 1 a
	shows "$(exchange 2)"$'\n'
	hold a
	begin a 3
	reply a 'reply'
	store a '{"type":"marvel","x":[1, 2]}' "$(rewind 1)"
	shows "$(exchange 2)"$'\n{"type":"marvel","x":[1, 2]}\n'"$(rewind 1)"$'\n'
	finish a 3
	shows "$(exchange 2)"$'\n{"type":"marvel","x":[1, 2]}\n'"$(rewind 1)"$'\n'"$(exchange 3)"$'\n'
	tail -n +3 "$(history a)" | cmp - followed
}

@test "follow: --json into jq works live" {
	new a
	mkfifo pipe
	jq --unbuffered -r .query? <pipe >queries 3>&- &
	mc-session-cat -f --json a >pipe 3>&- &
	FOLLOW=$!
	mc-chat --no-stdin -s a one >/dev/null
	poll 30 grep -qx one queries
	mc-chat --no-stdin -s a two >/dev/null
	poll 30 grep -qx two queries
	kill "$FOLLOW"
}

@test "follow: nobody is kept waiting, and nothing is written" {
	new a
	follow a
	local i
	for i in {1..20}; do mc-chat --no-wait --no-stdin -s a "$i" >/dev/null; done
	poll 30 grep -qx 20 followed
	end_follow TERM
	command -v strace >/dev/null || skip 'strace is not installed'
	export ASAN_OPTIONS=detect_leaks=0
	strace -f -o trace -e trace=flock,openat,open,creat,unlinkat,renameat,fcntl \
		bash -c 'echo $$ >pid; exec mc-session-cat -f a' >followed 2>follow.err 3>&- &
	poll 30 grep -qx 20 followed
	mc-chat --no-wait --no-stdin -s a 21 >/dev/null
	poll 30 grep -qx 21 followed
	kill "$(<pid)"
	wait $! || true
	sed -i '1,/execve.*mc-session-cat\|history.jsonl/d' trace
	refute grep -E 'flock|sessions.*(O_WRONLY|O_RDWR|O_CREAT)|(unlink|rename)at' trace
}

@test "follow: a system call that fails ends it with a word, or changes nothing" {
	command -v strace >/dev/null || skip 'strace is not installed'
	export ASAN_OPTIONS=detect_leaks=0
	craft a "$(head_of a)" "$(exchange 1)"
	begin a 2
	reply a half
	local call n hit=0 least=20 step=1 whole
	long || step=5 least=5
	whole=$(said 1)$'\n\n> ask 2\n\nhalf\n[interrupted]\n'
	for call in pread64 mmap openat flock fstat newfstatat; do
		# The loader of programs makes some, too.
		n=0
		injected "$call" 9999
		n=$(sed '/history.jsonl/,$d' calls | grep -c "$call(" || true)
		((++n))
		injected "$call" "$n"
		while grep -q INJECTED calls; do
			((hit += 1, n += step))
			injected "$call" "$n"
		done
	done
	((hit > least)) || same 'faults' "more than $least" "$hit"
}

# injected CALL N: the Nth call of this name fails. Then it ends, or shows all, as if it had not.
injected() {
	: >followed
	strace -f -o calls -e trace=openat,"?$1" -e inject="?$1:error=EIO:when=$2" \
		bash -c 'echo $$ >pid; exec mc-session-cat -f a' >followed 2>follow.err 3>&- &
	FOLLOW=$!
	poll 30 ended_or_whole || same "the $1 number $2" 'an end' "$(<followed)$(<follow.err)"
	kill "$(<pid)" 2>/dev/null || true
	ends_with ''
	grep -q 'Sanitizer failed to allocate' follow.err && return # memory of the sanitizer's own
	if ! is_followed "$whole"; then
		[[ $whole == "$(<followed)"* ]] || same "the $1 number $2" "$whole" "$(<followed)"
		same "status after the $1 number $2" 1 "$status"
		grep -q '^mc-session-cat: ' follow.err || same "message after the $1 number $2" some "$(<follow.err)"
	fi
}

ended_or_whole() { is_followed "$whole" || is_gone "$FOLLOW"; }

@test "follow: a reader that goes away ends it, though nothing happens" {
	twelve
	mkfifo pipe
	mc-session-cat -f -n 1 a >pipe 3>&- &
	FOLLOW=$!
	head -n 1 <pipe >first
	same 'first line' '> ask 12' "$(<first)"
	ends_with 141
}

@test "follow: a reader that takes its time does not keep SIGTERM waiting" {
	local i
	new a
	mkfifo pipe
	exec 8<>pipe # which nobody reads
	mc-session-cat -f a >pipe 3>&- 8>&- &
	FOLLOW=$!
	for i in 1 2; do
		exchange "$i" | sed "s/reply $i/$(printf '%0100000d' 0)/" >>"$(history a)"
	done
	poll 30 is_full 8 # it waits for room, not for news
	end_follow TERM 143
	exec 8>&-
}

# is_full FD: a pipe, which by itself holds 65536 bytes.
is_full() {
	python3 -c 'import array, fcntl, sys, termios
n = array.array("i", [0])
fcntl.ioctl(int(sys.argv[1]), termios.FIONREAD, n)
sys.exit(n[0] < 60000)' "$1"
}

@test "follow: at a terminal the text is harmless, there is no pager, and Ctrl-C leaves with 130" {
	craft a "$(head_of a)" "$(exchange 1)"
	term_start bash -c 'mc-session-cat -f a; echo "left with $?"'
	term_wait '^reply 1$'
	hold a
	begin a 2
	reply a $'\e[31mred\x9b and \xc2'
	term_wait '^\^\[\[31mred'
	reply a $'\x9b end'
	term_wait '<U\+009B> end$'
	term_keys C-c
	term_wait '^left with 130$'
	release
}

@test "follow: --json at a terminal is escaped" {
	craft a "$(head_of a)"
	term_start bash -c 'mc-session-cat -f --json a; echo "left with $?"'
	poll 30 term_runs mc-session-cat
	store a "$(exchange 1 | sed 's/reply 1/x\\u001b[31mred/')" "$(exchange 2 | sed $'s/reply 2/x\u009b/')"
	term_wait 'x\\u001b\[31mred'
	term_wait 'x\\u009b'
	term_keys C-c
	term_wait '^(\^C)?left with 130$'
}

term_runs() { [[ $(on_term display-message -p '#{pane_pid}' | xargs -I{} pgrep -P {} -a | head -n 1) ]]; }

@test "follow: what it cannot do is a usage error" {
	twelve
	new b
	local args
	for args in 'a b' '--status a' '-n x a' '-n -1 a' ''; do
		# shellcheck disable=SC2086
		run_split mc-session-cat -f $args
		assert_status 2
		assert_out_empty
	done
	run_split mc-session-cat -f a b
	assert_status 2
	assert_err_has 'one session can be followed, not 2'
	run_split mc-session-cat -n 0 a
	assert_status 2
	run_split mc-session-cat -f nosuch
	assert_status 1
	assert_err_has "no session 'nosuch'"
	assert_err_has 'ask 12'
}
