# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what is Markdown, or for eval; a test is a subshell; run_split sets out
# Replies as Markdown at a terminal, driven through tmux; and where they are not.

load helper
load wire

setup() {
	fresh
	export MC_CONFIG=$BATS_TEST_TMPDIR/config.json
	echo '{"highlighter": []}' >"$MC_CONFIG" # the tests of colours have their own
}

# A reply, and what a terminal shows of it.
REPLY='# Head

Some **bold** and `code`, [here](http://x.y).

- one
- two

| a | b |
|---|---|
| 1 | 22 |

```sh
ls -l
```
end'

SHOWN='# Head

Some bold and `code`, here (http://x.y).

• one
• two

a | b
--|---
1 | 22

```sh
ls -l
```
end'

# pieces TEXT SIZE: steps that send it in pieces of so many characters.
pieces() { jq -nrc --arg t "$1" --argjson n "$2" '[$t | range(0; length; $n) as $i | {text: .[$i:$i + $n]}] | .[] | tojson' | paste -sd,; }

# waiting PART FILE PART … PART: steps that send the parts, and wait for the files between them.
waiting() {
	local steps=''
	while (($# > 1)); do
		steps+="$(jq -nc --arg t "$1" '{text: $t}'),{\"wait\":\"$2\"},"
		shift 2
	done
	printf '%s%s' "$steps" "$(jq -nc --arg t "$1" '{text: $t}')"
}

# shown: the screen from the session's line on, without what follows the reply.
# rows: the numbers of the rows in all that the terminal has shown
rows() { on_term capture-pane -p -S - | sed -n 's/^row \([0-9]*\) .*/\1/p'; }

shown() { term_screen | sed -e '0,/^Session:/d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
shows_reply() { [[ $(shown) == "$1" ]]; }
must_show() {
	poll 30 shows_reply "$1" || same screen "$1" "$(shown)"
}

# styled TEXT: the line with this text, with the sequences that tmux tells its cells with.
styled() { on_term capture-pane -pe | grep -F -e "$1"; }

# Streaming

@test "a reply is shown as what it means" {
	answers "$(says "$REPLY")"
	term_start mc-chat -n -s s hi
	same 'exit status' 0 "$(term_status)"
	must_show "$SHOWN"
	same 'stored' "$REPLY" "$(exchange s .answer)"
	has 'bold' "$(styled 'Some ')" $'\e[1mbold'
	has 'a heading' "$(styled Head)" $'\e[1m# Head'
}

@test "it is the same in pieces of any size, and in a conversation" {
	for size in 1 2 3 7; do
		answers "$(stream "$(pieces "$REPLY" $size)" "$END")"
		term_start mc-chat --no-save
		term_wait '^>'
		term_type hi
		term_keys Enter
		poll 30 eval '[[ $(term_screen | grep -c "^>") == 2 ]]'
		screen_becomes "screen, pieces of $size" "> hi"$'\n'"$SHOWN"$'\n>' sed -e '1,/^Not stored/d' -e :a -e '/^\n*$/{$d;N;ba' -e '}'
	done
}

@test "text appears when it arrives, and changes into what it turns out to be" {
	answers "$(stream "$(waiting 'Some **bo' a 'ld** text
- it' b $'em\n```c\nint x' c $';\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n' d $'| 333 | 4 |\n\nend')" "$END")"
	term_start mc-chat -n -s s hi
	must_show 'Some **bo'
	touch a
	must_show $'Some bold text\n• it'
	touch b
	must_show $'Some bold text\n• item\n```c\nint x'
	touch c
	must_show $'Some bold text\n• item\n```c\nint x;\n```\na | b\n--|--\n1 | 2'
	touch d
	must_show $'Some bold text\n• item\n```c\nint x;\n```\na   | b\n----|--\n1   | 2\n333 | 4\n\nend'
	same 'exit status' 0 "$(term_status)"
}

@test "what is shown is on the disk" {
	answers "$(stream "$(waiting '**bold** text' go ' end')" "$END")"
	term_start mc-chat -n -s s hi
	must_show 'bold text'
	has 'the spool' "$(cat "$MC_SESSIONS_DIR/s/turn.partial")" '**bold** text'
	touch go
	same 'exit status' 0 "$(term_status)"
}

@test "words wrap in 40 columns and in 300, wide ones too" {
	text="$(printf 'word%d ' {1..60})"$'\n\n'"$(printf '日本語の%.0s' {1..20})"
	for columns in 40 300; do
		answers "$(stream "$(pieces "$text" 5)" "$END")"
		term_start -x $columns mc-chat -n -s s hi
		same 'exit status' 0 "$(term_status)"
		term_wait 'word60$'
		(($(shown | wc -L) <= columns))
		term_gone '^ord'
		same "the words at $columns" "$(printf 'word%d\n' {1..60})" "$(shown | tr ' ' '\n' | grep word)"
		same "the others" "$(printf '日本語の%.0s' {1..20})" "$(shown | grep 日 | tr -d '\n')"
	done
}

@test "an interrupted reply ends in order, within a block too" {
	for text in $'a **b' $'a\n```c\nint x;' $'| a | b |\n|---|---|\n| 1' $'- a\n  - b'; do
		rm -rf "$MC_SESSIONS_DIR"
		answers "$(stream "$(jq -nc --arg t "$text" '{text: $t}')" '{"hang":true}')"
		term_start mc-chat -n -s s
		term_wait '^>'
		term_type hi
		term_keys Enter
		term_wait '(b|x;|1 \| *)$'
		term_keys C-c
		term_wait 'interrupted'
		poll 30 eval '[[ $(term_screen | grep -v "^$" | tail -n 1) == ">" ]]'
		same 'stored' "$text" "$(exchange s .answer)"
	done
}

@test "reasoning and reply on one terminal do not mix" {
	answers "$(stream '{"reasoning":"hm"}' '{"wait":"a"}' '{"text":"a **b"}' '{"wait":"b"}' '{"reasoning":"well"}' '{"wait":"c"}' '{"text":"** c"}' "$END")"
	term_start mc-chat --reasoning -n -s s hi
	term_wait '^hm$'
	touch a
	term_wait '^a \*\*b$'
	touch b
	term_wait '^well$'
	touch c
	same 'exit status' 0 "$(term_status)"
	must_show $'hm\n\na **b\nwell\n\nc'
}

# Tables and code

@test "a long table scrolls, and no row is missing" {
	text=$'| n | m |\n|---|---|\n'"$(printf '| row %d | word |\n' {1..300})"$'\n| much, much longer | x |\n\nend'
	answers "$(stream "$(pieces "$text" 40)" "$END")"
	term_start -y 10 mc-chat -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^end$'
	becomes 'rows' "$(seq 300)" rows
	term_wait '^much, +\| x$' # the widths are those of the rows that were shown
}

@test "what is copied of a code block is the code" {
	code=$'#include <stdio.h>\nint main(void)\n{\n        return 0; /* '"$(printf 'x%.0s' {1..100})"$' */\n}\n\n    a  b'
	text=$'- item:\n\n   ```c\n'"$(sed 's/^\(.\)/   \1/' <<<"$code")"$'\n   ```\n\n> quote\n\n```c\n'"$code"$'\n```\nend'
	answers "$(stream "$(pieces "$text" 9)" "$END")"
	term_start -y 60 mc-chat -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^end$'
	on_term capture-pane -pJ -S - | sed 's/ *$//' >screen
	same 'blocks' "$code"$'\n'"$code" "$(awk '/^```/ { in_code = !in_code; next } in_code' screen)"
}

# Resizing

@test "the window may be resized at any moment" {
	words=$(printf 'word%d ' {1..30})
	answers "$(stream "$(waiting "${words:0:100}" a "${words:100}"$'\n\n```c\nint x' b $';\nint y;\n```\n\n| a | b |\n|---|---|\n| 1 | 2' c $'0 |\n| 3 | 4 |\n\n- it' d $'em\n\nend')" "$END")"
	term_start -x 60 -y 40 mc-chat -n -s s hi
	term_wait 'wor?d?1?4?$'
	on_term resize-window -x 40 -y 40
	touch a
	term_wait '^int x$'
	on_term resize-window -x 90 -y 12
	touch b
	term_wait '^1 +\| 2$'
	on_term resize-window -x 30 -y 20
	touch c
	term_wait '^• it$'
	on_term resize-window -x 50 -y 30
	touch d
	same 'exit status' 0 "$(term_status)"
	term_wait '^end$'
	on_term capture-pane -p -J -S - >screen
	for ((i = 1; i <= 30; i++)); do grep -q "word$i\b" screen; done
	grep -q '^int x;$' screen
	grep -q '^int y;$' screen
	grep -Eq '^3 +\| 4 *$' screen
	grep -Eq '^1 +\| 20 *$' screen
}

# Colours of code, by a program

# colourist NAME BODY: a program of this name in bin/, which is first in PATH.
colourist() {
	mkdir -p bin
	printf '#!/bin/bash\n%s\n' "$2" >"bin/$1"
	chmod +x "bin/$1"
	export PATH=$PWD/bin:$PATH
}

CODE=$'```c\nint x;\nint y;\n```\nend'

# The program has no time to waste, and may get little of it here: so it is tried more than once.
coloured_at_last() { # CMD...: that runs it in the terminal and waits for its end
	local i
	for ((i = 0; i < 20; i++)); do
		rm -f go
		"$@"
		if poll 1 coloured; then return; fi
	done
	return 1
}

coloured() { on_term capture-pane -pe | grep -Pq '\x1b\[31m(\x1b\[49m)?int'; }

@test "code is coloured by a program that is there, when the block is complete" {
	echo '{}' >"$MC_CONFIG"
	colourist batcat 'printf "%s\n" "$@" >args; env >environment; sed "s/int/\x1b[31mint\x1b[0m/"'
	export OPENAI_COMPATIBLE_API_KEY=secret OPENAI_API_KEY=secret ANTHROPIC_API_KEY=secret
	answers "$(stream "$(waiting $'```c\nint x;\nint y;\n' go $'```\nend')" "$END")"
	in_two_steps() {
		term_start mc-chat --no-save hi
		term_wait '^int y;$'
		refute coloured
		touch go
		same 'exit status' 0 "$(term_status)"
		term_wait '^end$'
	}
	coloured_at_last in_two_steps
	screen_becomes 'screen' "$CODE" sed -e '/^Not stored/d' -e :a -e '/^\n*$/{$d;N;ba' -e '}'
	grep -qxF -e --language=c args
	refute grep secret environment
}

@test "the settings name another program, or none" {
	colourist mine 'printf "%s\n" "$@" >args; sed "s/int/\x1b[31mint\x1b[0m/"'
	echo '{"highlighter": ["mine", "--lang", "x{}y"]}' >"$MC_CONFIG"
	answers "$(stream "$(waiting $'```c++\nint x;\n' go $'```\nend')" "$END")"
	in_two_steps() {
		term_start mc-chat --no-save hi
		term_wait '^int x;$'
		touch go
		same 'exit status' 0 "$(term_status)"
	}
	coloured_at_last in_two_steps
	same 'arguments' '--lang xc++y' "$(xargs <args)"
	rm args
	colourist batcat ': >args'
	echo '{"highlighter": []}' >"$MC_CONFIG"
	term_start mc-chat --no-save hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^end$'
	[[ ! -e args ]]
}

@test "a program does not get the connection to the server" {
	[[ -r /proc/net/tcp ]] || skip 'there is no /proc/net/tcp'
	# shellcheck disable=SC2016
	colourist mine 'for fd in /proc/self/fd/*; do readlink "$fd"; done | sed -n "s/socket:.\(.*\)./\1/p" >sockets
		cat /proc/net/tcp >tcp; touch done; cat'
	echo '{"highlighter": ["mine"]}' >"$MC_CONFIG"
	answers "$(says "$CODE")"
	term_start mc-chat --no-save hi
	same 'exit status' 0 "$(term_status)"
	wait_for done
	while read -r inode; do
		refute grep -qw "$inode" tcp
	done <sockets
}

@test "what a program says is taken only if it is the code in colours" {
	local bodies=(
		'sed "s/int/\x1b[31mint\x1b[0m \x1b]52;c;Zm9v\x07/"' # a sequence that is no colour
		'sed "s/int/\x1b[31mint\x1b[8m/"'                   # what hides the text
		'sed "s/int/\x1b[31mINT/"' 'head -n 1' 'cat; echo more' 'exit 1' 'sed "s/int/\x1b[31mint\x1b[0m/"; exit 1' ':' 'sleep 60' 'kill -9 $$'
	)
	echo '{"highlighter": ["mine"]}' >"$MC_CONFIG"
	for body in "${bodies[@]}"; do
		colourist mine "$body"
		answers "$(says "$CODE")"
		term_start mc-chat --no-save hi
		same 'exit status' 0 "$(term_status)"
		term_wait '^end$'
		screen_becomes "screen with '$body'" "$CODE" sed -e '/^Not stored/d' -e :a -e '/^\n*$/{$d;N;ba' -e '}'
		refute coloured
	done
}

@test "a language that is no name is not handed to a program" {
	colourist mine ': >called'
	echo '{"highlighter": ["mine", "{}"]}' >"$MC_CONFIG"
	for language in '$(touch x)' '-x' 'a/b' "$(printf 'x%.0s' {1..33})" ''; do
		answers "$(says '```'"$language"$'\nint x;\n```\nend')"
		term_start mc-chat --no-save hi
		same 'exit status' 0 "$(term_status)"
		term_wait '^end$'
	done
	[[ ! -e called ]]
}

@test "a program that hangs is left alone after two blocks, and leaves no process" {
	colourist mine 'echo $$ >>pids; exec sleep 300'
	echo '{"highlighter": ["mine"]}' >"$MC_CONFIG"
	answers "$(says $'```c\nint x;\n```\n\n```c\nint y;\n```\n\n```c\nint z;\n```\nend')"
	term_start mc-chat --no-save hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^end$'
	(($(wc -l <pids) <= 2))
	[[ -s pids ]]
	while read -r pid; do refute kill -0 "$pid"; done <pids
}

# Where the text is exact

@test "--plain, NO_COLOR, TERM=dumb, the settings, a pipe and a missing library leave the text as it is" {
	answers "$(says "$REPLY")"
	term_start mc-chat --plain -n -s s hi
	same 'exit status' 0 "$(term_status)"
	must_show "$REPLY"
	for way in NO_COLOR=1 TERM=dumb TERM=; do
		term_start env "$way" mc-chat -s s hi
		same 'exit status' 0 "$(term_status)"
		term_wait '^Some \*\*bold\*\* and `code`, \[here\]\(http://x.y\)\.$'
	done
	echo '{"plain": true}' >"$MC_CONFIG"
	term_start mc-chat --no-save hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^Some \*\*bold\*\* and'
	echo '{}' >"$MC_CONFIG"
	run_split mc-chat --no-save hi
	assert_out "$REPLY"
	mkdir lib
	echo 'no library' >lib/libmd4c.so.0
	term_start env "LD_LIBRARY_PATH=$PWD/lib" mc-chat --no-save hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^Some \*\*bold\*\* and'
	term_start env NO_COLOR= mc-chat --no-save hi # empty is not set
	same 'exit status' 0 "$(term_status)"
	term_wait '^Some bold and'
}

@test "what a terminal gets is text, styles, and going up within the reply" {
	text=$'\e[2J**a\e]0;t\a** `\e[31m` [x](\u009b31m) &#27;[5m\n\n```\n\e[7m\n```\n'"$REPLY"
	answers "$(stream "$(pieces "$text" 3)" "$END")"
	script -qec 'mc-chat --no-save hi' typescript >/dev/null
	sed '1d;$d' typescript | sed -E 's/\x1b\[([0-9;]*m|[0-9]*A|J|K)//g' >rest
	grep -qF '^[[2Ja^[]0;t^G' rest
	refute grep -P '\x1b|\x07|\xc2\x9b' rest
}
