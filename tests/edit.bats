# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; the helpers set variables
# Prompts as they are typed, in a real terminal: with readline, and without.

load helper
load prompt
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
	typed=$HOME/.local/state/mcbox/typed.jsonl
}

# queries [ID]: the prompts of a session, one JSON string a line.
queries() { jq -c 'select(.query).query' "$(history "${1-s}")"; }

# queried N: the session holds N exchanges.
queried() { [[ $(queries 2>/dev/null | wc -l) == "$1" ]]; }

# chat_stores JSON...: until the session's prompts are these.
chat_stores() {
	poll 30 queried $# || true
	same 'prompts' "$(printf '%s\n' "$@")" "$(queries)"
}

chat() { term_start "$@" mc-chat -n -s s; at_prompt; }

# seen REGEX: the screen as one string matches.
seen() { [[ $(term_screen) =~ $1 ]]; }

wait_seen() {
	poll 30 seen "$1" && return
	echo "the screen does not match '$1':"
	show "$(term_screen)"
	return 1
}

# without_readline CMD...: where the library cannot be loaded.
without_readline() {
	mkdir -p "$BATS_TEST_TMPDIR/lib"
	echo 'no library' >"$BATS_TEST_TMPDIR/lib/libreadline.so.8"
	LD_LIBRARY_PATH=$BATS_TEST_TMPDIR/lib term_start env LD_LIBRARY_PATH="$BATS_TEST_TMPDIR/lib" "$@"
}

# ---- a line ----

@test "a line is edited: wide characters, and the cursor among them" {
	chat
	term_type 'a世界é😀z'
	term_wait '^> a世界é😀z$'
	term_keys Left Left BSpace C-a C-d
	term_wait '^> 世界😀z$'
	term_keys C-e
	term_type '!'
	term_keys Enter
	chat_stores '"世界😀z!"'
}

@test "a line is seen and edited where standard error is a file, and nothing of that goes there" {
	term_start sh -c 'exec mc-chat -n -s s 2>err'
	at_prompt
	term_type 'a世界'
	term_wait '^> a世界$'
	term_keys Enter
	chat_stores '"a世界"'
	at_prompt
	same 'standard error' 'Session: s  echo' "$(<err)"
}

@test "a text that was pasted is shown and not obeyed, and sent as it is" {
	chat
	term_type $'a\u009b4Cb\u202ec\u200bd'
	term_wait '^> a¤4Cb�c�d$'
	term_keys C-a Right Right Right Right x
	term_wait '^> a¤4Cxb�c�d$'
	term_keys Enter
	chat_stores $'"a\u009b4Cxb\u202ec\u200bd"'
}

@test "the text is UTF-8 whatever the locale is" {
	export LC_ALL=C
	chat
	term_type '世界x'
	term_keys Left BSpace Enter
	LC_ALL=C.UTF-8
	chat_stores '"世x"'
}

@test "that the text is UTF-8 does not change the locale of other programs" {
	export LC_ALL=C
	mkdir -p "$HOME/.config/mcbox"
	echo '{"clipboard": ["sh", "-c", "cat >clip; echo \"$LC_ALL\" >locale"]}' >"$HOME/.config/mcbox/config.json"
	chat
	enter 'hello'
	enter '/copy'
	at_prompt
	same 'locale' C "$(<locale)"
}

@test "a line that is longer than a terminal's own can be is sent whole" {
	chat
	term_type "$(printf 'y%.0s' {1..5000})"
	term_keys Enter
	chat_stores "\"$(printf 'y%.0s' {1..5000})\""
}

@test "what the user's inputrc says counts: for mc-chat, and over what mc-chat would bind" {
	cat >"$HOME/.inputrc" <<-'EOF'
		$if mc-chat
		"\C-g": "from the inputrc"
		"\e\C-m": accept-line
		$else
		"\C-g": "for another program"
		$endif
	EOF
	chat
	term_keys C-g
	term_wait '^> from the inputrc$'
	term_keys M-Enter
	chat_stores '"from the inputrc"'
}

@test "a broken inputrc is told of, and the rest of it counts" {
	printf '%s\n' 'set nosuch' '$endif' '"\C-g' '"\C-t": "still here"' >"$HOME/.inputrc"
	chat
	term_keys C-t
	term_wait '^> still here$'
	term_keys Enter
	chat_stores '"still here"'
}

@test "vi mode: commands, Enter in both modes, and a newline by Alt-Enter" {
	echo 'set editing-mode vi' >"$HOME/.inputrc"
	chat
	term_type 'hello'
	term_wait '^> hello$'
	term_keys Escape
	sleep 0.6 # longer than readline waits for what may follow (keyseq-timeout, 500 ms)
	term_type '0x'
	term_wait '^> ello$'
	term_keys Enter
	chat_stores '"ello"'
	at_prompt
	term_type 'one'
	term_keys M-Enter
	term_type 'two'
	term_keys Enter
	chat_stores '"ello"' '"one\ntwo"'
}

# ---- several lines ----

@test "Alt-Enter begins a line, as do the sequences of Shift-Enter" {
	chat
	term_type 'one'
	term_keys M-Enter
	term_type 'two'
	term_type $'\e[13;2u'
	term_type 'three'
	term_type $'\e[27;2;13~'
	term_type 'four'
	wait_seen $'> one\ntwo\nthree\nfour'
	term_keys Enter
	chat_stores '"one\ntwo\nthree\nfour"'
}

@test "a backslash at the end goes on in another line, and two do not" {
	chat
	term_type 'one\'
	term_keys Enter
	poll 30 last_line_is '> one'
	term_type 'two\\'
	term_keys Enter
	chat_stores '"one\ntwo\\\\"'
}

@test 'between """ and """ Enter begins a line, and they are not sent' {
	chat
	term_type '"""'
	term_keys Enter
	term_type 'one\'
	term_keys Enter
	term_type '"""two"""'
	term_keys Enter
	term_type '"""'
	term_keys Enter
	chat_stores '"one\\\n\"\"\"two\"\"\""'
}

@test 'what is between """ and """ is no command' {
	chat
	term_type '"""/exit"""'
	term_keys Enter
	chat_stores '"/exit"'
}

@test "a pasted page is one prompt, and its last newline does not send it" {
	chat
	paste_text $'one\ttab\n\ntwo; three\n\\\n'
	wait_seen $'> one +tab\n\ntwo; three\n'
	queried 0
	term_type 'end'
	term_keys Enter
	chat_stores '"one\ttab\n\ntwo; three\n\\\nend"'
}

@test "newlines at the end of a paste are not sent" {
	chat
	paste_text $'one\ntwo\n\n'
	wait_seen $'> one\ntwo'
	term_keys Enter
	chat_stores '"one\ntwo"'
}

@test "a paste that holds keys does not press them" {
	chat
	term_type $'\e[200~a\tb\x15c\x12d\x03\x04e\rf\r\ng\e[201~'
	wait_seen $'\ng'
	term_keys Enter
	chat_stores '"a\tb\u0015c\u0012d\u0003\u0004e\nf\ng"'
}

@test "a paste that never ends is put away by Ctrl-C" {
	chat
	term_type $'\e[200~five\rsix\r'
	term_keys C-c
	wait_seen '\^C'
	at_prompt
	enter 'typed'
	chat_stores '"typed"'
	same 'remembered' '["five\nsix\n","typed"]' "$(jq -sc 'map(.text)' "$typed")"
}

@test "a page higher than the window is shown in part, around the cursor" {
	chat -x 40 -y 10
	paste_text "$(seq -f 'line %g' 30)"
	term_wait '^> … 23 lines above$'
	term_wait '^line 30$'
	term_gone '^line 22$'
	term_type ' end'
	term_wait '^line 30 end$'
	term_keys C-a
	term_wait '^> line 1$'
	term_wait '^… 23 lines below$'
	term_gone '^line 9$'
	term_type 'X'
	term_wait '^> Xline 1$'
	for _ in {1..12}; do term_keys Down; done
	term_type 'Y'
	term_wait '^> … [0-9]+ lines above$'
	term_wait '^lYine 13$'
	term_wait '^… [0-9]+ lines below$'
	term_keys Enter
	poll 30 queried 1
	same 'sent' "$(seq -f 'line %g' 30 | sed '1s/^/X/; 13s/l/lY/; 30s/$/ end/' | jq -Rs 'rtrimstr("\n")')" "$(queries)"
}

@test "a paragraph higher than the window is shown in part, too" {
	chat -x 20 -y 8
	term_type "$(printf '%03d ' {1..100})"
	term_wait '^5 096 097 098 099 10$'
	term_wait '^> … 16 lines above$'
	term_keys C-a
	term_wait '^> 001 002 003 004'
	term_wait '^… 16 lines below$'
	term_keys Enter
	poll 30 queried 1
}

@test "Up and Down go through the lines of a text before they leave it" {
	chat
	enter 'older'
	at_prompt
	term_type 'first line'
	term_keys M-Enter
	term_type 'second'
	term_keys Up
	term_type 'X'
	wait_seen $'> first Xline\nsecond'
	term_keys Down Left
	term_type 'Y'
	wait_seen $'> first Xline\nseconYd'
	term_keys Up Up
	term_wait '^> older$'
	term_keys Down
	wait_seen $'> first Xline\nseconYd'
}

# ---- Ctrl-C, Ctrl-D, signals ----

@test "Ctrl-C gives a fresh prompt, and what was typed comes back by Up" {
	chat
	term_type 'half a thought'
	term_keys C-c
	term_wait '^> half a thought\^C$'
	at_prompt
	term_keys Up
	poll 30 last_line_is '> half a thought'
	term_type ', whole'
	term_keys Enter
	chat_stores '"half a thought, whole"'
	same 'remembered' '"half a thought"' "$(head -n 1 "$typed" | jq -c .text)"
}

@test "Ctrl-C in a search, and in a text of several lines" {
	chat
	enter 'something old'
	at_prompt
	term_keys C-r
	term_type 'old'
	term_wait "^\(reverse-i-search\)\`old': something old$"
	term_keys C-c
	at_prompt
	term_type 'one'
	term_keys M-Enter
	term_type 'two'
	term_keys Up C-c
	wait_seen $'> one\ntwo\\^C\n>'
	at_prompt
	enter 'next'
	chat_stores '"something old"' '"next"'
}

@test "keys behind a Ctrl-C are for the next line" {
	chat
	for _ in {1..5}; do
		term_type 'dropped'
		term_keys C-c x C-h
		at_prompt
	done
	term_type 'dropped'
	term_keys C-c C-d
	same 'exit status' 0 "$(term_status)"
	[[ ! -e $(history s) ]]
}

@test "a Ctrl-C among keys that come all at once is seen where it stands" {
	chat
	for _ in {1..5}; do
		on_term set-buffer -- $'dropped\x03kept' \; paste-buffer -d
		poll 30 last_line_is '> kept'
		term_keys C-u
		at_prompt
	done
}

@test "Ctrl-D in a line that holds something deletes, and does not leave" {
	chat
	term_type 'xyz'
	term_keys C-a C-d C-e C-d Enter
	chat_stores '"yz"'
}

@test "SIGTERM in the middle of a line: it is remembered, and the terminal is as it was" {
	term_start bash -c 'stty -g >before; (echo $BASHPID >pid; exec mc-chat); echo $? >code; stty -g >new; mv new after'
	at_prompt
	term_type 'not sent yet'
	term_wait '^> not sent yet$'
	kill -TERM "$(<pid)"
	wait_for after
	same 'exit status' 143 "$(<code)"
	same 'the terminal' "$(<before)" "$(<after)"
	same 'remembered' '"not sent yet"' "$(jq -c .text "$typed")"
}

@test "a terminal that goes away in the middle of a line: it is remembered, and not sent" {
	ASAN_OPTIONS=detect_leaks=0 term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	at_prompt
	term_type 'not sent yet'
	term_wait '^> not sent yet$'
	pid=$(<pid)
	on_term kill-server
	poll 30 is_gone "$pid"
	same 'remembered' '"not sent yet"' "$(jq -c .text "$typed")"
	[[ ! -e $(history s) ]]
}

@test "SIGTERM while the editor is in front ends that, too" {
	# shellcheck disable=SC2016
	editor 'trap "echo ended >ended; exit 1" TERM; echo typed >"$2"; touch started; while :; do sleep 0.05; done'
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
	term_start bash -c 'stty -g >before; (echo $BASHPID >pid; exec mc-chat); echo $? >code; stty -g >new; mv new after'
	at_prompt
	term_type 'some text'
	term_keys C-x C-e
	wait_for started
	kill -TERM "$(<pid)"
	wait_for after
	same 'exit status' 143 "$(<code)"
	same 'the terminal' "$(<before)" "$(<after)"
	wait_for ended
	same 'what it saved' typed "$(cat "$TMPDIR"/*.md)"
}

@test "Ctrl-Z gives the shell its terminal, and fg the line with what was typed" {
	term_start bash --norc --noprofile
	term_type "PS1='$ '; mc-chat -n -s s"
	term_keys Enter
	at_prompt
	term_type 'half'
	term_wait '^> half$'
	term_keys C-z
	term_wait 'Stopped'
	poll 30 last_line_is '$'
	term_type 'stty -a | grep -o " icanon\| echo "; echo done'
	term_keys Enter
	wait_seen $'\n icanon\n echo\ndone'
	term_type 'fg'
	term_keys Enter
	poll 30 last_line_is '> half'
	term_type ' and half'
	term_keys Enter
	chat_stores '"half and half"'
	at_prompt
	term_keys C-d
	poll 30 last_line_is '$'
}

@test "a line survives a change of the window's size" {
	# Lines above it, so that the terminal has room for what gets higher.
	term_start -x 60 -y 12 bash -c 'seq 4; exec mc-chat -n -s s'
	at_prompt
	term_type 'some text that is longer than forty columns are'
	term_wait '^> some text that is longer than forty columns are$'
	on_term resize-window -x 30 -y 12
	wait_seen $'> some text that is longer tha\nn forty columns are'
	term_type '!'
	wait_seen $'\nn forty columns are!'
	on_term resize-window -x 70 -y 12
	term_wait '^> some text that is longer than forty columns are!$'
	screen_becomes 'once' 1 grep -c 'some text'
	term_keys Enter
	chat_stores '"some text that is longer than forty columns are!"'
}

# ---- what was typed ----

@test "what was typed comes back in another chat: newest first, repeats once, several lines as one" {
	chat
	enter 'one'
	at_prompt
	term_type 'two'
	term_keys M-Enter
	term_type 'lines'
	term_wait '^lines$'
	term_keys Enter
	at_prompt
	enter 'one'
	at_prompt
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
	same 'mode of the file' 600 "$(stat -c %a "$typed")"
	same 'mode of the folder' 700 "$(stat -c %a "${typed%/*}")"
	term_start mc-chat -n -s other
	at_prompt
	term_keys Up
	poll 30 last_line_is '> one'
	term_keys Up
	wait_seen $'> two\nlines'
	term_type '!'
	term_keys Enter
	becomes 'prompt' '"two\nlines!"' queries other
}

@test "a search finds it" {
	chat
	enter 'the needle'
	enter 'hay'
	at_prompt
	term_keys C-r
	term_type 'need'
	term_wait "^\(reverse-i-search\)\`need': the needle$"
	term_keys Enter
	chat_stores '"the needle"' '"hay"' '"the needle"'
}

@test "a leading space keeps a line out of the file, and not out of this chat" {
	chat
	enter ' secret'
	enter 'public'
	at_prompt
	same 'remembered' '"public"' "$(jq -c .text "$typed")"
	term_keys Up Up
	term_wait '^>  secret$'
}

@test "what another chat was told meanwhile comes back at the next prompt" {
	chat
	enter 'mine'
	at_prompt
	printf '%s\n' '{"type":"typed","version":1,"timestamp":1,"text":"theirs"}' >>"$typed"
	term_keys Enter
	at_prompt
	term_keys Up
	poll 30 last_line_is '> theirs'
	term_keys Up
	poll 30 last_line_is '> mine'
}

@test "typedMax limits it, and 0 keeps nothing" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"typedMax": 2}' >"$HOME/.config/mcbox/config.json"
	chat
	for i in 1 2 3 4 5; do enter "text $i"; done
	at_prompt
	same 'remembered' $'"text 4"\n"text 5"' "$(jq -c .text "$typed")"
	rm "$typed"
	echo '{"typedMax": 0}' >"$HOME/.config/mcbox/config.json"
	chat
	enter 'not kept'
	at_prompt
	[[ ! -e $typed ]]
	term_keys Up
	poll 30 last_line_is '> not kept'
}

@test "--no-save stores nothing of it" {
	term_start mc-chat --no-save
	enter 'not kept'
	at_prompt
	[[ ! -e $typed ]]
}

@test "a file that is refused is told of once, and the chat goes on" {
	mkdir -p "${typed%/*}"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$typed"
	chat -x 250
	enter 'one'
	enter 'two'
	at_prompt
	term_wait "what is typed is not remembered: '.*typed.jsonl': refused, because it is a symbolic link"
	screen_becomes 'once' 1 grep -c 'is not remembered'
	[[ ! -e elsewhere ]]
	chat_stores '"one"' '"two"'
	term_keys Up Up
	poll 30 last_line_is '> one'
}

# ---- completion ----

@test "Tab completes commands, and in a prompt nothing but names behind an @" {
	touch 'a file.txt' exact
	chat
	term_type '/he'
	term_keys Tab
	term_wait '^> /help$'
	term_keys C-u
	term_type 'see exa'
	term_keys Tab
	term_type "don't @exa"
	term_keys Tab
	term_wait "^> see exadon't @exact$"
	term_keys C-u
	term_type '@a'
	term_keys Tab
	term_type 'and'
	term_wait '^> @a\\ file.txt and$'
}

@test "Tab goes into folders, and lists what there is" {
	mkdir -p 'sub dir/deep'
	touch 'sub dir/one.c' 'sub dir/two.c'
	chat
	term_type '@su'
	term_keys Tab
	term_wait '^> @sub\\ dir/$'
	term_keys Tab Tab
	term_wait '^deep/? +one.c +two.c$'
	term_type 'o'
	term_keys Tab
	poll 30 last_line_is '> @sub\ dir/one.c'
}

@test "Tab asks before it lists very many, and Ctrl-C is an answer" {
	touch file{001..150}
	chat
	term_type 'look @file'
	term_keys Tab Tab
	term_wait 'Display all 150 possibilities\? \(y or n\)$'
	term_keys C-c
	at_prompt
	term_type 'other '
	term_keys C-v C-c Enter
	chat_stores '"other \u0003"'
}

@test "Tab leaves out names that a terminal would obey" {
	touch kept $'k\u009bept' $'k\u202eept'
	chat
	term_type 'see @k'
	term_keys Tab
	term_wait '^> see @kept$'
}

@test "Tab completes the arguments of commands: models, sessions, files" {
	mc-session-new -i somewhere >/dev/null
	mkdir -p "$HOME/.config/mcbox"
	echo '{"aliases":{"quick":{"provider":"echo","model":"echo"}}}' >"$HOME/.config/mcbox/config.json"
	chat
	term_type '/use some'
	term_keys Tab
	term_wait '^> /use somewhere$'
	term_keys C-u
	term_type '/model qu'
	term_keys Tab
	term_wait '^> /model quick$'
}

# ---- the editor ----

# editor SCRIPT: VISUAL is a program that runs this on the file.
editor() {
	printf '#!/bin/sh\n%s\n' "$1" >ed
	chmod +x ed
	export VISUAL="./ed --wait"
}

@test "Ctrl-X Ctrl-E: the editor gets the text in a private file, and what it saves comes back" {
	# shellcheck disable=SC2016
	editor 'echo "$@" >args; stat -c "%a %F" "$2" >mode; stty -a | grep -o " icanon\| echo " >tty
		cat "$2" >had; printf "changed 世界\nand longer\n" >"$2"'
	export TMPDIR=$BATS_TEST_TMPDIR/tmp OPENAI_API_KEY=sk-secret-secret
	mkdir "$TMPDIR"
	chat
	term_type 'some text'
	term_keys C-x C-e
	wait_seen $'> changed 世界\nand longer'
	queried 0
	same 'text' 'some text' "$(<had)"
	same 'mode' '600 regular file' "$(<mode)"
	same 'terminal' $' icanon\n echo ' "$(<tty)"
	[[ $(<args) == "--wait $TMPDIR/"*.md ]]
	same 'left behind' '' "$(ls "$TMPDIR")"
	term_type '!'
	term_keys Enter
	chat_stores '"changed 世界\nand longer!"'
}

@test "an editor does not get the keys" {
	# shellcheck disable=SC2016
	editor 'echo "key:$OPENAI_API_KEY." >"$2"'
	export OPENAI_API_KEY=sk-secret-secret
	chat
	term_keys C-x C-e
	term_wait '^> key:\.$'
}

@test "an editor that fails, or is not there: the text stays, and what it saved, too" {
	# shellcheck disable=SC2016
	editor 'echo saved >>"$2"; exit 3'
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
	chat -x 200
	term_type 'some text'
	term_keys C-x C-e
	term_wait "mc-chat: the editor './ed --wait' failed with status 3; what was saved is in '$TMPDIR/mc-chat-.*.md'$"
	poll 30 last_line_is '> some text'
	same 'saved' $'some text\nsaved' "$(cat "$TMPDIR"/*.md)"
	rm "$TMPDIR"/*
	VISUAL=nosuchprogram chat -x 200
	term_type 'some text'
	term_keys C-x C-e
	term_wait "mc-chat: there is no editor 'nosuchprogram'; set VISUAL or EDITOR to one$"
	poll 30 last_line_is '> some text'
	same 'left behind' '' "$(ls "$TMPDIR")"
	term_keys Enter
	chat_stores '"some text"'
}

@test "EDITOR counts where VISUAL is not set; Ctrl-C in it is the editor's" {
	# shellcheck disable=SC2016
	editor 'trap "echo caught >\"$2\"; exit 0" INT; touch started; while :; do sleep 0.05; done'
	export EDITOR=$VISUAL
	unset VISUAL
	chat
	term_type 'some text'
	term_keys C-x C-e
	wait_for started
	term_keys C-c
	term_wait '^> caught$'
	term_gone 'Ctrl-C again'
}

# ---- without readline ----

@test "without readline lines are plain, with the same rules, and it says why" {
	without_readline mc-chat -n -s s
	at_prompt
	wait_seen 'mc-chat: lines are edited by the terminal alone: cannot load'
	term_type 'one\'
	term_keys Enter
	poll 30 last_line_is '…'
	term_type 'two'
	term_keys Enter
	at_prompt
	term_type '"""'
	term_keys Enter
	poll 30 last_line_is '…'
	term_type 'three'
	term_keys Enter
	term_type '/exit"""'
	term_keys Enter
	chat_stores '"one\ntwo"' '"three\n/exit"'
	same 'remembered' '["one\ntwo","\"\"\"\nthree\n/exit\"\"\""]' "$(jq -sc 'map(.text)' "$typed")"
	at_prompt
	enter /exit
	same 'exit status' 0 "$(term_status)"
}

@test "TERM=dumb: plain lines, nothing but text on the screen, and Ctrl-C in a continued one" {
	export TERM=dumb
	term_start bash -c 'script -qec "mc-chat -n -s s" transcript'
	at_prompt
	term_type 'one\'
	term_keys Enter
	poll 30 last_line_is '…'
	term_keys C-c
	term_wait 'Ctrl-C again leaves'
	at_prompt
	enter 'whole'
	chat_stores '"whole"'
	same 'remembered' $'"one\\n"\n"whole"' "$(jq -c .text "$typed")"
	enter /exit
	term_status >/dev/null
	refute grep -q $'\e' transcript
}
