# shellcheck shell=bash
#
# What every test file loads: "load helper". A test gets an environment of its
# own, in an empty directory, and leaves no process behind. A file that needs
# its own setup or teardown defines them after the load, and calls in them what
# is called here.

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)

# What the parent of bats ignores or blocks (nohup: HUP) would be ignored by all that a test starts,
# and a shell cannot undo that. So the process of a test is started once more, without that. Where
# tests/run has started bats, nothing is left to do.
usual_signals() {
	local key value command odd=0
	[[ -r /proc/$$/status && ${TESTS_SIGNALS_OF-} != "$$" ]] || return 0
	while read -r key value; do
		case $key in
		SigIgn:) ((odd |= 16#$value & 0x7ffffffb)) ;; # bash itself ignores QUIT
		SigBlk:) ((odd |= 16#$value & 0x7fffffff)) ;;
		esac || true
	done <"/proc/$$/status"
	((odd)) || return 0
	mapfile -d '' -t command <"/proc/$$/cmdline"
	[[ ${command[*]} == *bats-exec-test* ]] || return 0
	rmdir "$BATS_TEST_TMPDIR" # which it makes again
	TESTS_SIGNALS_OF=$$ exec env --default-signal "${command[@]}"
}

usual_signals

setup() { fresh; }

teardown() { cleanup; }

# Nothing of the user's settings reaches a test, and it reads no input but what
# it gives itself.
fresh() {
	# No loop: bats makes each command of one slow.
	unset "${!MC_@}" "${!XDG_@}" "${!LC_@}" "${!ANTHROPIC_@}" "${!OPENAI_@}" "${!GEMINI_@}" "${!GOOGLE_@}" \
		"${!SSL_CERT_@}" "${!LESS@}" "${!TMUX@}" {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY \
		NO_COLOR COLUMNS LINES LANGUAGE INPUTRC PAGER LV
	export PATH=${MCBOX_BIN_DIR:-$ROOT}:$PATH
	export HOME=$BATS_TEST_TMPDIR/home
	export MC_SESSIONS_DIR=$BATS_TEST_TMPDIR/sessions
	export MC_RETRIES=0 # a test that wants others says so
	export LC_ALL=C.UTF-8 TZ=UTC TERM=xterm-256color SHELL=/bin/sh
	umask 022
	mkdir -p "$HOME"
	cd "$BATS_TEST_TMPDIR" || return
	exec </dev/null
}

# cleanup: ends what a test started, and fails when the test ignored a failure.
cleanup() {
	server_stop
	term_stop
	[[ ! ${BATS_TEST_COMPLETED-} ]] || expected
}

# history ID: where the conversation of a session is.
history() { printf '%s\n' "$MC_SESSIONS_DIR/$1/history.jsonl"; }

# Running a command, and what came of it

# run_split CMD...: sets status, out and err. $(...) drops the newlines at the
# end; the exact bytes are in the files out and err of BATS_TEST_TMPDIR.
# A command that fails must be followed by assert_status: without it, the next
# run_split or the end of the test fails.
run_split() {
	expected
	status=0
	"$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
	((status == 0)) || UNEXPECTED=$*
}

# expected: fails if nobody asserted the status of a command that failed.
expected() {
	local failed=${UNEXPECTED-}
	UNEXPECTED=
	[[ ! $failed ]] || differs "exit status of '$failed', as nothing asserts it" 0
}

# assert_status N...: it is one of these.
assert_status() {
	UNEXPECTED=
	[[ " $* " == *" $status "* ]] || differs 'exit status' "$*"
}
assert_out() { [[ $out == "$1" ]] || differs 'standard output' "$1"; }
assert_out_has() { [[ $out == *"$1"* ]] || differs 'standard output with' "$1"; }
refute_out_has() { [[ $out != *"$1"* ]] || differs 'standard output without' "$1"; }
assert_err_has() { [[ $err == *"$1"* ]] || differs 'standard error with' "$1"; }
assert_out_empty() { [[ ! -s $BATS_TEST_TMPDIR/out ]] || differs 'standard output' ''; }
assert_err_empty() { [[ ! -s $BATS_TEST_TMPDIR/err ]] || differs 'standard error' ''; }

# differs WHAT EXPECTED: shows that and what was seen, and fails.
differs() {
	echo "expected $1:"
	show "$2"
	echo "seen: exit status $status, standard output:"
	show "$out"
	echo 'standard error:'
	show "$err"
	return 1
}

# Control characters are quoted: they would be invisible, or act on the terminal.
show() {
	if [[ ${1//[$'\t\n']/} == *[^[:print:]]* ]]; then
		printf '  %q\n' "$1"
	else
		printf '%s\n' "$1" | sed 's/^/  /'
	fi
}

# alone CMD...: on a machine of its own, without a network. Skips where that is not allowed. (Root
# needs no user namespace for it, and gets none in a chroot.)
alone() {
	local how=-rn
	((EUID)) || how=-n
	unshare "$how" true 2>/dev/null || skip 'no machine of its own can be had here'
	unshare "$how" "$@"
}

# long: whether there is time for everything (make check-all), and not only for a part (make check).
long() { [[ ${LONG-} ]]; }

# takes_long: at the head of a test that make check skips. A shorter test must try the same kind.
takes_long() { long || skip 'takes long: make check-all'; }

# small_files KIB CMD...: no file may grow beyond that. A program that says nothing about SIGXFSZ
# is killed where it tries.
small_files() (
	ulimit -f "$1"
	exec env --default-signal=XFSZ "${@:2}"
)

# without_privilege CMD...: root may do everything, so it gives that up.
without_privilege() {
	if ((EUID == 0)); then
		setpriv --bounding-set=-all --inh-caps=-all -- "$@"
	else
		"$@"
	fi
}

# need_permissions: skips where permissions cannot be taken away.
need_permissions() {
	mkdir -m 0 closed
	if without_privilege ls closed >/dev/null 2>&1 || ! without_privilege true 2>/dev/null; then
		skip 'permissions do not bind this user, and setpriv cannot change that'
	fi
}

# Waiting

# poll SECONDS CMD...: runs CMD until it succeeds; when the time is up, fails and says what did not
# come, and what the terminal shows.
poll() {
	local seconds=$1 deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		if ((SECONDS > deadline)); then
			echo "waited $seconds s for: $*"
			[[ ! ${TERM_SOCKET-} ]] || { echo 'the screen:' && show "$(term_screen)"; }
			return 1
		fi >&2
		sleep 0.02
	done
}

# becomes WHAT EXPECTED CMD...: until CMD prints that. As "same" compares what is there for good,
# this compares what may still be on its way: a terminal's screen, what another process writes.
becomes() {
	poll 30 prints "${@:2}" 2>/dev/null || same "$1" "$2" "$("${@:3}")"
}

prints() { [[ $("${@:2}") == "$1" ]]; }

# screen_becomes WHAT EXPECTED FILTER...: until the filter makes that of what the terminal shows.
screen_becomes() { becomes "$1" "$2" screen_through "${@:3}"; }

screen_through() { term_screen | "$@"; }

# lock_elsewhere FILE: another process has its lock, from now on until unlock_elsewhere.
lock_elsewhere() {
	rm -f held free
	flock "$1" sh -c "touch held; exec '$ROOT/tests/await' free" 3>&- &
	HOLDER=$!
	wait_for held
}

unlock_elsewhere() {
	touch free
	wait "$HOLDER"
}

# same WHAT EXPECTED SEEN
same() {
	[[ $2 == "$3" ]] && return
	echo "expected $1:"
	show "$2"
	echo 'seen:'
	show "$3"
	return 1
}

# has WHAT TEXT PART
has() {
	[[ $2 == *"$3"* ]] && return
	echo "expected $1 with:"
	show "$3"
	echo 'seen:'
	show "$2"
	return 1
}

# assert_json [OPTION...] FILTER [FILE]: jq makes true of each value, and there is at least one.
# (jq -e looks at the last one only, and some versions of it accept an empty input.)
assert_json() {
	local seen
	seen=$(jq "$@") || return
	[[ $seen ]] && ! grep -qvx true <<<"$seen" && return
	echo "expected true of: jq $*"
	echo 'seen:'
	show "$seen"
	return 1
}

# refute CMD...: it must fail. (The shell ignores the failure of "! CMD" in the middle of a test.)
refute() {
	if "$@"; then
		echo "succeeded, and should not: $*"
		return 1
	fi
}

# some CMD...: prints what CMD prints, and fails when that is nothing. A loop over an empty list
# tests nothing: names=$(some CMD); for name in $names; do ...
some() {
	local list
	list=$("$@") || return
	[[ $list ]] || { echo "no line from: $*" >&2; return 1; }
	printf '%s\n' "$list"
}

# is_gone PID: that process has ended.
is_gone() { [[ ! -e /proc/$1 || $(</proc/"$1"/stat) == *') Z '* ]]; }

# wait_for FILE [SECONDS]: until the file exists.
wait_for() {
	poll "${2:-30}" test -e "$1"
}

# The scripted server (tests/server.py)

# server_start [SCRIPT]: starts one that answers as this JSON says, in place of
# the one before. Names of files in it are relative to the current directory.
# SERVER_OPTIONS are further options of it. Sets SERVER_PORT and SERVER_LOG (the
# requests, one JSON object a line).
server_start() {
	local dir=$BATS_TEST_TMPDIR script=-
	server_stop
	if (($# > 0)); then
		script=$dir/server.json
		printf '%s\n' "$1" >"$script"
	fi
	SERVER_LOG=$dir/server.jsonl
	rm -f "$SERVER_LOG" "$dir/server.port"
	mkfifo "$dir/server.port"
	# bats waits until descriptor 3 is closed by all.
	"${PYTHON:-/usr/bin/python3}" -IS "$ROOT/tests/server.py" --parent $$ "${SERVER_OPTIONS[@]}" \
		"$script" "$SERVER_LOG" >"$dir/server.port" 2>"$dir/server.err" 3>&- &
	SERVER_PID=$!
	if ! read -rt 60 SERVER_PORT <"$dir/server.port"; then
		echo 'the server did not start, or not within 60 s:'
		cat "$dir/server.err"
		return 1
	fi
	export MC_BASE_URL=http://127.0.0.1:$SERVER_PORT/v1
	export MC_PROVIDER=openai-compatible MC_MODEL=test-model
}

server_stop() {
	[[ ${SERVER_PID-} ]] || return 0
	kill "$SERVER_PID" || true
	wait "$SERVER_PID" || true
	SERVER_PID=
	cat "$BATS_TEST_TMPDIR/server.err" # seen when the test fails
}

# A real terminal (tmux)

# term_start [-x COLUMNS] [-y ROWS] CMD...: runs CMD in a terminal of its own,
# 80x24 unless told, that stays when CMD has ended.
term_start() {
	local columns=80 rows=24 opt OPTIND=1
	while getopts x:y: opt; do
		case $opt in
		x) columns=$OPTARG ;;
		y) rows=$OPTARG ;;
		*) return 2 ;;
		esac
	done
	shift $((OPTIND - 1))
	term_stop
	TERM_SOCKET=mcbox-test-$$
	rm -f "$BATS_TEST_TMPDIR/term.status"
	# Not by remain-on-exit: tmux 3.3 may miss the last output of a command that
	# ends, and its status too. So the terminal is kept open, and the shell that
	# does this outlives a C-c.
	# shellcheck disable=SC2016
	on_term set -g status off \; new-session -d -x "$columns" -y "$rows" \
		env "TERM=$TERM" sh -c 'trap : INT QUIT; "$@"; echo $? >"$0"; exec tail -f /dev/null' \
		"$BATS_TEST_TMPDIR/term.status" "${@/%;/\\;}"
}

# tmux ends a command at a word that ends in ";": callers escape those.
on_term() { tmux -f /dev/null -L "$TERM_SOCKET" "$@" 3>&-; }

# term_keys KEY...: in tmux's names: term_keys Up C-c Enter
term_keys() { on_term send-keys "${@/%;/\\;}"; }

# term_type TEXT: the characters as they are, without Enter.
term_type() { on_term send-keys -l -- "${1/%;/\\;}"; }

# term_screen: prints what the terminal shows, without the blanks that end a line.
term_screen() { on_term capture-pane -p; }

# term_wait REGEX [SECONDS]: until a line on the screen matches (grep -E).
term_wait() { poll "${2:-30}" term_shows "$1"; }

# term_gone REGEX: until none does.
term_gone() { poll 30 term_lacks "$1"; }

term_shows() { term_screen | grep -Eq -e "$1"; }
term_lacks() { ! term_shows "$1"; }

# term_status: waits until CMD has ended and prints its exit status (128 + N
# when signal N ended it).
term_status() {
	poll 30 test -s "$BATS_TEST_TMPDIR/term.status" && cat "$BATS_TEST_TMPDIR/term.status"
}

# kill_below PID: all that it started, and they did.
kill_below() {
	local child children
	read -ra children <"/proc/$1/task/$1/children" 2>&- || true
	for child in "${children[@]}"; do
		kill -STOP "$child" 2>&- || true # it starts no more
		kill_below "$child"
		kill -KILL "$child" 2>&- || true
	done
}

term_stop() {
	local socket shell
	[[ ${TERM_SOCKET-} ]] || return 0
	socket=$(on_term display-message -p '#{socket_path}') || true
	# What still runs is killed first: a process that the hang-up ends under
	# LeakSanitizer can keep looking for leaks for ever.
	shell=$(on_term display-message -p '#{pane_pid}') || true
	kill_below "$shell"
	on_term kill-server || true
	rm -f "$socket" # tmux leaves it
	TERM_SOCKET=
}
