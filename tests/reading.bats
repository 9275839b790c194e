# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# What mc-session-cat makes of answers at a terminal.

load helper
load craft

setup() {
	fresh
	umask 077
	export MC_CONFIG=$BATS_TEST_TMPDIR/config.json
	echo '{"highlighter": []}' >"$MC_CONFIG"
}

# answered ID TEXT: a session with this answer.
answered() { craft "$1" "$(head_of "$1")" "$(jq -nc --arg t "$2" --argjson x "$(exchange 1)" '$x + {answer: $t}')"; }

TEXT=$'# Head\n\nSome **bold** and `code`.\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 22 |'
SHOWN=$'> ask 1\n\n# Head\n\nSome bold and `code`.\n\n• one\n\na | b\n--|---\n1 | 22'

# cat_there [ARG...]: mc-session-cat at a terminal.
cat_there() { term_start bash -c 'mc-session-cat "$@"; echo "left with $?"' - "$@"; }

# screen: what it shows, without the empty lines and the status at its end.
screen() { term_screen | sed -e '/^left with/,$d'; }

@test "reading: answers are Markdown, in less and without" {
	answered a "$TEXT"
	cat_there a
	term_wait '^left with 0$'
	becomes 'screen' "$SHOWN" screen
	on_term capture-pane -p -e | grep -q $'\e\\[1mbold' || same 'weight' 'bold' "$(on_term capture-pane -p -e)"
	cat_there --no-pager a
	term_wait '^left with 0$'
	becomes 'screen' "$SHOWN" screen
	answered a "$TEXT"$'\n\n'"$(printf 'word %.0s' {1..600})"$'\n\n**the** end'
	cat_there a
	term_wait '^:$'
	term_keys G
	term_wait '^the end$'
	term_gone ESC
	term_keys q
	term_wait '^left with 0$'
}

@test "reading: words are wrapped to the window, in a pager too" {
	answered a "$(printf 'abcdefg %.0s' {1..40})"
	local args
	for args in a '--no-pager a'; do
		# shellcheck disable=SC2086
		term_start -x 50 bash -c 'mc-session-cat "$@"; echo "left with $?"' - $args
		term_wait '^left with 0$'
		screen_becomes 'first line' "$(printf 'abcdefg %.0s' {1..6} | sed 's/ $//')" sed -n 3p
	done
}

@test "reading: the query stays as it was typed" {
	craft a "$(head_of a)" "$(exchange 1 | sed 's/ask 1/# **ask**\\n- 1/')"
	cat_there a
	term_wait '^> # \*\*ask\*\*$'
	term_wait '^> - 1$'
}

@test "reading: --plain, the settings, NO_COLOR, a simple terminal and a less without -R get the text" {
	answered a "$TEXT"
	local plain=$'> ask 1\n\n'"$TEXT"
	cat_there --plain a
	term_wait '^left with 0$'
	becomes 'screen' "$plain" screen
	NO_COLOR=1 cat_there a
	term_wait '^left with 0$'
	becomes 'screen' "$plain" screen
	LESS=FX cat_there a
	term_wait '^left with 0$'
	becomes 'screen' "$plain" screen
	echo '{"plain": true}' >"$MC_CONFIG"
	cat_there a
	term_wait '^left with 0$'
	becomes 'screen' "$plain" screen
	echo '{}' >"$MC_CONFIG"
	term_start env TERM=dumb bash -c 'mc-session-cat a; echo "left with $?"'
	term_wait '^left with 0$'
	becomes 'screen' "$plain" screen
	LESS=-FXR cat_there a
	term_wait '^left with 0$'
	becomes 'screen' "$SHOWN" screen
}

@test "reading: pipes, files, --json and --status are what they were" {
	answered a "$TEXT"
	term_start bash -c 'mc-session-cat a >file; mc-session-cat a | cat >pipe; mc-session-cat --json a >json; echo end'
	term_wait '^end$'
	same 'file' $'> ask 1\n\n'"$TEXT" "$(<file)"
	cmp file pipe
	cmp json "$(history a)"
}

@test "reading: what is followed is rendered as it arrives" {
	local id
	answered a 'first **one**'
	id=$(uuid 2)
	term_start bash -c 'mc-session-cat -f a; echo "left with $?"'
	term_wait '^first one$'
	exec 9<>"$(history a)"
	flock 9
	printf '{"type":"exchange","id":"%s","timestamp":1700000002000,"query":"ask 2","model":"echo"}\n' "$id" >"$MC_SESSIONS_DIR/a/turn.partial"
	term_wait '^> ask 2$'
	printf 'some **bo' >>"$MC_SESSIONS_DIR/a/turn.partial"
	term_wait '^some (\*\*)?bo$'
	printf 'ld** and `co' >>"$MC_SESSIONS_DIR/a/turn.partial"
	term_wait '^some bold and `co$'
	printf 'de`\n\n- item' >>"$MC_SESSIONS_DIR/a/turn.partial"
	term_wait '^• item$'
	exchange 2 interrupted | jq -c '.answer = "some **bold** and `code`\n\n- item and **rest**"' >>"$(history a)"
	term_wait '^• item and rest$'
	rm "$MC_SESSIONS_DIR/a/turn.partial"
	exchange 3 >>"$(history a)"
	term_wait '^reply 3$'
	screen_becomes 'screen' $'> ask 1\n\nfirst one\n\n> ask 2\n\nsome bold and `code`\n\n• item and rest\n[interrupted]\n\n> ask 3\n\nreply 3' sed -e '/^left with/,$d' -e :a -e '/^\n*$/{$d;N;ba' -e '}'
	exchange 4 | sed 's/reply 4/**four**/' >>"$(history a)"
	term_wait '^four$'
	term_keys C-c
	term_wait '^(\^C)?left with 130$'
	exec 9>&-
}

@test "reading: Ctrl-C in the middle of a reply leaves the shell a line of its own" {
	craft a "$(head_of a)"
	exec 9<>"$(history a)"
	flock 9
	printf '{"type":"exchange","id":"%s","timestamp":1700000002000,"query":"ask 2","model":"echo"}\nhalf **bo' "$(uuid 2)" >"$MC_SESSIONS_DIR/a/turn.partial"
	term_start bash -c 'mc-session-cat -f a; echo "left with $?"'
	term_wait '^half (\*\*)?bo$'
	term_keys C-c
	term_wait '^left with 130$'
	exec 9>&-
}
