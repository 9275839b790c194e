# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err; others expand what is quoted
# What the process that starts a tool leaves it with, and what the programs that the tools run
# are started with and where they are found.

load helper
load wire
load prompt

setup() {
	fresh
	mkdir -p "$HOME/.config/mcbox" bin
	PARENT=$ROOT/tests/parent.py
}

config() { printf '%s\n' "$1" >"$HOME/.config/mcbox/config.json"; }

# with_key COMMAND [MEMBERS]: the key of the scripted server is what this JSON list prints.
with_key() {
	answers "$(says fine)"
	config "{\"providers\":{\"x\":{\"baseUrl\":\"$MC_BASE_URL\",\"model\":\"m\",\"apiKeyCommand\":$1}}${2-}}"
	unset MC_BASE_URL MC_PROVIDER MC_MODEL
}

# program PATH [COMMAND]: one that writes down how it was started, and then does that.
program() {
	mkdir -p "$(dirname "$1")"
	cat >"$1" <<-END
		#!/bin/bash
		{ grep -E '^Sig(Blk|Ign)' /proc/self/status; umask; } >'$PWD/new.${1##*/}'
		mv '$PWD/new.${1##*/}' '$PWD/state.${1##*/}'
		${2:-cat}
	END
	chmod +x "$1"
}

# started NAME SIGNALS...: it was started with these ignored, none blocked, and the user's umask.
# The C library's own signals, 32 and 33, say nothing.
started() {
	local blocked ignored mask sig want=0
	wait_for "state.$1"
	{ read -r _ blocked && read -r _ ignored && read -r mask; } <"state.$1"
	for sig in "${@:2}"; do ((want |= 1 << ($(kill -l "$sig") - 1))); done
	same "what is blocked for $1" 0 "$((16#$blocked))"
	same "what is ignored for $1" "$want" "$((16#$ignored & ~0x180000000))"
	same "the umask of $1" 0027 "$mask"
}

# everywhere TEXT: programs of all kinds in ./bin, each of which does this.
everywhere() {
	local name
	for name in edit page copy colour; do program "bin/$name" "$1"; done
}

# ---- signals, masks and limits ----

@test "no program inherits signals that a parent ignores or blocks, and each gets the user's umask" {
	program bin/key 'echo secret-key'
	with_key "[\"$PWD/bin/key\"]" ',"clipboard":["copy"],"highlighter":["colour"],"autoTitle":false'
	run_split "$PARENT" --ignore "$(most_signals)" --block all --umask 027 mc-chat -n -s s -p x --no-stdin hi
	assert_status 0
	assert_out fine
	started key
	PATH=$PWD/bin:$PATH
	everywhere 'cat ${1:+"$1"}'
	export EDITOR=edit MC_PAGER=page MC_PROVIDER=echo
	term_start "$PARENT" --ignore all --block all --umask 027 mc-chat -n -s t
	enter 'some words'
	enter /edit
	enter '/copy'
	term_wait '^Copied 1 line .*by copy$'
	enter '~~~c\'
	term_type $'int x;\\\n~~~\n'
	started edit
	started copy HUP INT QUIT
	started colour HUP INT QUIT
	term_start "$PARENT" --ignore all --block all --umask 027 mc-session-cat t
	started page
}

# But those that nohup and background jobs have ignored on purpose.
most_signals() {
	python3 -c '
import signal
keep = {"SIGKILL", "SIGSTOP", "SIGHUP", "SIGINT", "SIGQUIT"}
print(",".join(s.name[3:] for s in signal.Signals if s.name not in keep))'
}

stores() { [[ -e $(history "$1") && $(count "$1") == "$2" ]]; }

@test "a program keeps what nohup and background jobs have ignored" {
	program bin/key 'echo secret-key'
	with_key "[\"$PWD/bin/key\"]"
	run_split "$PARENT" --ignore HUP,INT,QUIT --umask 027 mc-chat -p x --no-save --no-stdin hi
	assert_status 0
	started key HUP INT QUIT
}

@test "where SIGCHLD is ignored, programs are waited for, and how they end is seen" {
	with_key '["sh","-c","echo k; exit 3"]'
	run_split "$PARENT" --ignore CHLD mc-chat -p x --no-save --no-stdin hi
	assert_status 1
	assert_err_has "apiKeyCommand 'sh': it failed with status 3"
	with_key '["echo","k"]' ',"autoTitle":true'
	run_split "$PARENT" --ignore CHLD mc-chat -p x --no-save --no-stdin hi
	assert_status 0
	EDITOR='exit 7; ' term_start "$PARENT" --ignore CHLD mc-chat -p x -n -s s
	enter /edit
	term_wait "failed with status 7$"
	enter hello
	poll 30 titled s fine # by a process of its own
	enter /quit
	same status 0 "$(term_status)"
}

titled() { grep -qs "\"title\":\"$2\"" "$(history "$1")"; }

@test "a tool can be stopped though its parent blocked every signal" {
	local sig
	answers "$(stream '{"text":"A b"}' '{"touch":"begun"}' '{"hang":true}')"
	for sig in TERM INT HUP; do
		rm -f begun
		env --default-signal "$PARENT" --block all mc-chat -n -s "$sig" --no-stdin hi >/dev/null 2>&1 3>&- &
		wait_for begun
		kill -"$sig" $!
		status=0
		wait $! || status=$?
		same "status after $sig" $((128 + $(kill -l "$sig"))) "$status"
		same stored interrupted "$(exchange "$sig" .status)"
	done
}

@test "a reader that leaves is no reason for words where the parent ignores SIGPIPE, too" {
	seq 100000 | mc-chat -n -s big -p echo >/dev/null
	run_split bash -c '"$1" --ignore PIPE mc-session-cat big | head -n 1' - "$PARENT"
	assert_out '> 1'
	assert_err_empty
}

@test "a umask that takes all from the owner, too, changes nothing" {
	run_split "$PARENT" --umask 777 mc-chat -n -s s -p echo --no-stdin hi
	assert_status 0
	assert_out hi
	run_split "$PARENT" --umask 777 mc-chat -s s --no-stdin more
	assert_out more
	run_split "$PARENT" --umask 277 mc-session-ls -q
	assert_out s
	same mode 600 "$(stat -c %a "$(history s)")"
	same mode 700 "$(stat -c %a "$MC_SESSIONS_DIR/s")"
}

@test "with few descriptors a tool works or says why not" {
	local n
	mc-chat -n -s s -p echo first
	for n in {6..16..2}; do
		run_split "$PARENT" --files "$n" mc-chat -s s --no-stdin "with $n"
		assert_status 0 1 127
		if ((status == 0)); then
			assert_out "with $n"
		elif ((status == 127)); then
			assert_err_has 'error while loading shared libraries' # it has not begun
		else
			assert_err_has 'mc-chat: '
			assert_err_has 'Too many open files'
		fi
	done
	assert_out 'with 16' # so many are enough
	run_split mc-session-fsck
	assert_status 0
}

@test "a conversation works where a parent left a thousand descriptors open" {
	ulimit -n 2000 2>/dev/null || (($(ulimit -n) >= 1300)) || skip 'so many are not allowed here'
	term_start "$PARENT" --open 1200 mc-chat -n -s s -p echo
	enter hello
	poll 30 stores s 1
	at_prompt
}

is_stopped() { grep -qs '^State:.T' "/proc/$(cat pid)/status"; }

# That it is in the background is seen by these signals.
@test "a conversation in the background leaves the terminal alone where SIGTTOU is ignored" {
	term_start bash -mc '"$0" --ignore TTIN,TTOU mc-chat -n -s s -p echo & echo $! >pid; read -r; fg' "$PARENT"
	poll 30 is_stopped
	refute term_shows '^>'
	term_keys Enter
	enter hello
	poll 30 stores s 1
}

# ---- where they are found ----

# planted: programs in the working directory that nobody meant to run.
planted() {
	local name
	for name in sh key my-editor vi my-pager less copy bat batcat highlight source-highlight pygmentize \
		tmux wl-copy xclip xsel pbcopy; do
		program "./$name" "touch '$PWD/planted.$name'; cat"
	done
}

untouched() {
	same 'what was run of the working directory' '' "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'planted.*' -o -maxdepth 1 -name 'state.*')"
}

@test "the key's command is never taken from the working directory, whatever PATH says" {
	local dots
	planted
	with_key '["key"]'
	for dots in ".:$PATH" ":$PATH" "$PATH:" "$PATH::/nowhere" "./:$PATH" ".. :.:$PATH" "../${PWD##*/}:$PATH"; do
		PATH=$dots run_split mc-chat -p x --no-save --no-stdin hi
		assert_status 1
		assert_err_has "cannot run apiKeyCommand 'key': No such file or directory"
	done
	untouched
	with_key '["sh","-c","key || echo a-key"]' # nor what it runs in its turn
	PATH=.:$PATH run_split mc-chat -p x --no-save --no-stdin hi
	assert_status 0
	untouched
}

@test "no pager is taken from the working directory" {
	local name
	planted
	mc-chat -n -s s -p echo $'text\n\n~~~c\nint x;\n~~~' # a program for code, too
	for name in my-pager 'my-pager -x' 'my-pager | cat' less 'LESS=R less'; do
		MC_PAGER=$name term_start env "PATH=.:$PATH" bash -c 'mc-session-cat s; echo "left with $?"'
		if [[ $name != *'|'* ]]; then term_wait '^text$'; fi # else it is cat that has nothing to print
		term_wait '^(left with|\(END\)|:$)'
		untouched
	done
	MC_PAGER=less term_start env "PATH=:$PATH" bash -c 'mc-session-cat s; echo "left with $?"'
	term_wait '^(left with|\(END\)|:$)'
	untouched
}

@test "no editor and no program for the clipboard is taken from the working directory" {
	local dots path=$PATH
	planted
	mc-chat -n -s s -p echo text
	for dots in ".:$path" "$path:"; do
		EDITOR=my-editor term_start env -u TMUX DISPLAY=:99 "PATH=$dots" mc-chat -p echo -s s
		enter /edit
		term_wait "there is no editor 'my-editor'"
		enter /copy
		term_wait '^Copied|^mc-chat: there is no way'
		untouched
	done
}

@test "a program is found in the folders of PATH that are absolute, in their order" {
	program first/key 'echo first-key; exit 1'
	program second/key 'echo second-key'
	with_key '["key"]'
	mkdir -p third/key # a folder is no program
	PATH=third:$PWD/third:$PWD/second:$PWD/first:$PATH run_split mc-chat -p x --no-save --no-stdin hi
	assert_status 0
	same key 'Bearer second-key' "$(request | jq -r .headers.authorization)"
}

@test "with a PATH of nothing the system's own programs are found" {
	local mc
	mc=$(command -v mc-chat)
	with_key '["sh","-c","echo some-key"]'
	for path in '' . ::; do
		PATH=$path run_split "$mc" -p x --no-save --no-stdin hi
		assert_status 0
		assert_out fine
	done
}

@test "a program that may not be run is told as that" {
	program bin/key 'echo k'
	chmod -x bin/key
	with_key '["key"]'
	PATH=$PWD/bin:$PATH run_split mc-chat -p x --no-save --no-stdin hi
	assert_status 1
	assert_err_has "cannot run apiKeyCommand 'key': Permission denied"
}
