# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# What the tools print at a terminal: harmless, fitted to the window; and the question
# of mc-session-rm.

load helper
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
}

# What others wrote is shown, not obeyed

@test "a reply's control characters are shown and not obeyed" {
	text=$'A\e[2J\e]52;c;Zm9v\aB\bC\rD\x7fE \u009b31m \u202eF\u2066 tab\tand\r\nline'
	answers "$(says "$text")"
	term_start mc-chat -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^A\^\[\[2J\^\[\]52;c;Zm9v\^GB\^HC\^MD\^\?E <U\+009B>31m <U\+202E>F<U\+2066> tab +and$'
	term_wait '^line$'
	same 'stored' "$text" "$(exchange s .answer)"
}

@test "a control character that comes in pieces is not obeyed either" {
	byte() { printf '{"send_base64":"%s"}' "$(printf 'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' "$1" | base64 -w 0)"; }
	answers "$(stream '{"text":"A\u001b"}' '{"text":"[2JB"}' "$(byte '\xc2')" "$(byte '\x9b2J')" \
		'{"text":"C\r"}' '{"text":"\nD\r"}' '{"text":"E"}' "$(byte '\xe2\x80')" "$(byte '\xaeF')" "$END")"
	term_start mc-chat -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^A\^\[\[2JB<U\+009B>2JC$'
	term_wait '^D\^ME<U\+202E>F$'
}

@test "mc-session-cat is harmless at a terminal, and exact in a pipe" {
	text=$'\e]0;title\a\e[31mred \u009b1m \u202erev\rcr'
	mc-chat -n -s s "$text" >/dev/null
	term_start mc-session-cat s
	same 'exit status' 0 "$(term_status)"
	term_wait '^> \^\[\]0;title\^G\^\[\[31mred <U\+009B>1m <U\+202E>rev\^Mcr$'
	run_split mc-session-cat s
	assert_out "> $text"$'\n\n'"$text"
}

@test "records printed with --json are harmless at a terminal too" {
	text=$'\e[31mred \u009b1m \x7f \u202erev'
	mc-chat -n -s s -t "$text" "$text" >/dev/null
	for tool in 'mc-session-cat --json s' 'mc-session-cat --json -n 1 s' 'mc-session-ls --json' \
		'mc-session-cat --json --status s' "mc-chat --json -s s '$text'"; do
		script -qec "$tool" typescript >/dev/null # what a terminal gets, byte for byte
		sed '1d;$d' typescript >seen
		grep -q rev seen
		refute grep -P '\xc2\x9b|\x7f|\xe2\x80\xae' seen
	done
}

# Tables

# widest: prints how many columns the widest line on the screen takes, as a
# terminal counts them.
widest() { term_screen | wc -L; }

@test "the table has a header, and is cut to the window at 60, 80 and 200 columns" {
	long=$(printf 'word %.0s' {1..100})
	wide=$(printf '日本語%.0s' {1..60})
	mc-chat -n -s plain -m 'a-model-with-a-very-long-name/of-someone:70b' "$long" >/dev/null
	mc-chat -n -s wide-one -t "$wide" hi >/dev/null
	mc-chat -n -s a-rather-long-id hi >/dev/null
	for columns in 60 80 200; do
		term_start -x "$columns" mc-session-ls
		same 'exit status' 0 "$(term_status)"
		term_wait '^plain '
		screen_becomes "lines at $columns columns" $'ID\na-rather-long-id\nwide-one\nplain' grep -o '^[^ ]*'
		(($(widest) <= columns))
		if ((columns < 90)); then # no room for the older date
			term_wait '^ID +LAST ACTIVE +'
		else
			term_wait '^ID +CREATED +LAST ACTIVE +'
		fi
		term_wait '^wide-one .*[0-9]{4}-[0-9]{2}-[0-9]{2}'
	done
	term_wait '日本語.*…$'
	term_wait 'word word.*(…|[.][.][.])$'
}

@test "the table is cut to a narrow window too" {
	id=$(printf 'x%.0s' {1..64})
	mc-chat -n -s short hi there, hello >/dev/null
	for columns in 30 45; do
		term_start -x "$columns" mc-session-ls
		same 'exit status' 0 "$(term_status)"
		screen_becomes "lines at $columns columns" 2 grep -vc '^$'
	done
	mc-chat -n -s "$id" hi there, hello >/dev/null
	term_start mc-session-ls
	same 'exit status' 0 "$(term_status)"
	screen_becomes "lines with an id of 64 characters" 3 grep -vc '^$'
}

@test "columns stand under each other after wide characters" {
	mc-chat -n -s aaa -m 日本語 -t 'first title' hi >/dev/null
	mc-chat -n -s bbb -m latin -t 'second title' hi >/dev/null
	term_start -x 120 mc-session-ls
	same 'exit status' 0 "$(term_status)"
	first=$(term_screen | sed -n 's/ first title.*//p')
	second=$(term_screen | sed -n 's/ second title.*//p')
	[[ $first && $second ]]
	same 'column of the title' "$(wc -L <<<"$first.")" "$(wc -L <<<"$second.")"
}

# A title, a model and a name that want to be obeyed; what a pipe gets of them may reach a terminal or
# a shell later.
@test "columns of a list in a pipe hold no control characters" {
	export MC_PROVIDER=echo
	local bad=$'x\e]0;y\a\u009b31m\x08\x7f\t\r\n\u2028z'
	printf hello >"n"$'\e[31m\n\xff'
	mc-chat -n -s s -t "$bad" -m "$bad" -a "n"$'\e[31m\n\xff' hi >/dev/null
	clean() {
		same "lines of $1" "$2" "$(wc -l <out)"
		refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xa8' out
	}
	LC_ALL=C.UTF-8 mc-session-ls >out
	clean list 1
	same 'fields' 6 "$(awk -F '\t' '{print NF}' out)"
	mc-session-cat --status s >out
	grep -q '^title *x ]0;y ' out
	refute grep -q $'\e' out
	mc-session-cat s >out
	grep -q '^\[attached: n \[31m .* (text/plain, 5 bytes)\]$' out
	refute grep -q $'\e' out
	# JSON is exact.
	same 'title' "$bad" "$(mc-session-ls --json | jq -r .title)"
}

@test "errors are harmless in a pipe, too" {
	run_split mc-session-cat $'a\e[31mb\u009b'
	assert_status 2
	[[ $err != *$'\e'* && $err != *$'\u009b'* ]] || differs 'no control characters' ''
	assert_err_has '^[[31m'
}

@test "titles and models in the table are harmless" {
	mc-chat -n -s s -m $'mo\e[31mdel' -t $'evil\e[2J\e]52;c;Zm9v\a\r\n\u202etitle' hi >/dev/null
	term_start -x 140 mc-session-ls
	same 'exit status' 0 "$(term_status)"
	term_wait '^s .*mo\^\[\[31mdel.*evil\^\[\[2J\^\[\]52;c;Zm9v\^G <U\+202E>title$'
	term_wait '^ID '
	run_split mc-session-ls # tabs hold in a pipe, whatever the title is
	same 'lines' 1 "$(wc -l <"$BATS_TEST_TMPDIR/out")"
	same 'columns' 6 "$(awk -F '\t' '{ print NF }' "$BATS_TEST_TMPDIR/out")"
}

@test "the table follows the window's size" {
	mc-chat -n -s s "$(printf 'word %.0s' {1..60})" >/dev/null
	term_start -x 150 bash -c "mc-session-ls; touch first; '$ROOT/tests/await' go; clear; mc-session-ls"
	wait_for first
	poll 30 widest_is 150
	on_term resize-window -x 70 -y 24
	touch go
	same 'exit status' 0 "$(term_status)"
	poll 30 widest_is 70
	screen_becomes 'lines' 2 grep -vc '^$'
}

widest_is() { [[ $(widest) == "$1" ]]; }

# mc-session-rm asks

@test "mc-session-rm asks at a terminal, and only y or yes deletes" {
	mc-chat -n -s s prompt number 1 >/dev/null
	mc-chat -s s prompt number 2 >/dev/null
	for answer in n '' no x yesterday; do
		term_start mc-session-rm s
		term_wait "^Delete session 's' \(2 exchanges: prompt number 1\)\? \[y/N\]"
		term_type "$answer"
		term_keys Enter
		same 'exit status' 1 "$(term_status)"
		[[ -e $(history s) ]]
	done
	term_start mc-session-rm s
	term_wait 'y/N'
	term_keys C-d
	same 'exit status' 1 "$(term_status)"
	[[ -e $(history s) ]]
	term_start mc-session-rm s
	term_wait 'y/N'
	term_type yes
	term_keys Enter
	same 'exit status' 0 "$(term_status)"
	[[ ! -e $MC_SESSIONS_DIR/s ]]
}

@test "the question of mc-session-rm is harmless" {
	mc-chat -n -s s -t $'evil\e[2J\r\ntitle' hi >/dev/null
	term_start mc-session-rm s
	term_wait '^Delete.*evil\^\[\[2J title'
	term_keys C-c
	same 'exit status' 130 "$(term_status)"
	[[ -e $(history s) ]]
}

@test "in a narrow window the title gets two fifths of it, and other columns give way" {
	title=$(printf 'word %.0s' {1..40})
	mc-chat -n -s abcdefgh -m 'a-model-with-a-long-name:70b' -t "$title" hi >/dev/null
	for columns in 24 30 40 50 60 70 80 100 120 160; do
		term_start -x "$columns" mc-session-ls
		same 'exit status' 0 "$(term_status)"
		term_wait '^abcdefgh .*word'
		(($(widest) <= columns))
		shown=$(term_screen | grep -o 'wor.*')
		[[ ${#shown} -ge $((columns * 2 / 5 - 4)) ]] || same "title at $columns columns" "two fifths" "$shown"
		term_wait '^ID .*TITLE'
	done
	term_start -x 60 mc-session-ls
	term_wait '^ID +LAST ACTIVE +TITLE'
	term_wait '^abcdefgh  20[0-9-]{8} [0-9]{2}:[0-9]{2}  word word word word word'
	term_start -x 160 mc-session-ls
	term_wait '^ID +CREATED +LAST ACTIVE +EXCHANGES +MODEL +TITLE OR FIRST PROMPT'
	id=$(printf 'x%.0s' {1..64})
	mc-session-new -i "$id" -t "$title" >/dev/null
	term_start -x 60 mc-session-ls
	term_wait '^x{19}… +[0-9-]+ +word word word word'
}
