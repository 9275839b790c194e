# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# Picking a session at a terminal, driven through tmux.

load helper
load wire
load prompt

setup() {
	fresh
	export MC_PROVIDER=echo
}

# made ID TITLE PROMPT...: a session with these prompts
made() {
	local id=$1 title=$2 prompt
	shift 2
	for prompt; do
		mc-chat --no-stdin -n -s "$id" -t "$title" "$prompt" >/dev/null
	done
}

three() {
	made one 'Where the first is' 'alpha prompt'
	made two 'On wide things 漢字' 'beta 日本語 prompt' 'second beta'
	made three 'Zum Öffnen' 'gamma prompt'
}

# picking [-x COLUMNS] [-y ROWS]: mc-chat -s, on a screen with something on it. The terminal's
# settings before and after are in two files, its process id in another.
picking() {
	# shellcheck disable=SC2016
	term_start "$@" bash -c 'echo before; stty -a >stty.before
		bash -c "echo \$\$ >pid; exec mc-chat -s"; status=$?; stty -a >stty.after; exit $status'
	term_wait '^Session:|^>'
}

# selected TEXT: until the row with the mark has this.
selected() {
	poll 30 marked "$1" && return
	echo "'$1' is not selected; the screen:"
	show "$(term_screen)"
	return 1
}

marked() { [[ $(term_screen | sed -n '2,$s/^> //p') == *"$1"* ]]; }

# left_as_it_was: the picker is gone, and nothing of it is left.
left_as_it_was() {
	same 'exit status' 130 "$(term_status)"
	screen_becomes 'screen' $'before\nmc-chat: no session was picked' sed '/^$/d'
	same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
}

# Picking

@test "the newest comes first, and Enter goes on with it" {
	three
	picking
	selected 'three  now     echo   Zum Öffnen'
	screen_becomes 'rows' $'three\ntwo\none' sed -nE '3,5s/^..([a-z]+) .*/\1/p'
	term_keys Enter
	term_wait '^Session: three \(resumed, 1 exchange\)'
	term_wait '^> gamma prompt$'
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
	same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
	screen_becomes 'screen' before head -n 1
}

@test "it is moved with arrows and with Ctrl-N and Ctrl-P" {
	three
	picking
	selected three
	term_keys Down C-n
	selected one
	term_keys C-p
	selected two
	term_keys End
	selected one
	term_keys Home
	selected three
	term_keys Up
	selected three
	term_keys NPage
	selected one
	term_keys PPage
	selected three
	term_keys Down Enter
	term_wait '^Session: two \(resumed, 2 exchanges\)'
}

@test "what is typed filters, in any case, by titles, prompts, ids, models and directories" {
	local typed
	three
	mkdir somewhere
	(cd somewhere && made four '' 'delta prompt')
	picking
	while read -r want typed; do
		term_type "$typed"
		term_wait "^Session: $typed +1/4$"
		selected "$want"
		term_keys C-u
		term_wait '^Session: +4/4$'
	done <<-END
		one WHERE first
		three öffnen
		three ÖFF
		two 漢
		two second
		two 日本語
		four somewhere
		three gamma THREE echo
	END
	term_type 'no such thing'
	term_wait '^  nothing fits'
	term_keys Enter # which picks nothing
	term_keys BSpace BSpace C-w C-w
	term_wait '^Session: no +'
	term_keys C-w
	term_type alpha
	selected one
	term_keys Enter
	term_wait '^Session: one '
}

@test "what was found is bold and underlined, and nothing is told by colour" {
	three
	export NO_COLOR=1
	picking
	on_term pipe-pane 'cat >drawn'
	term_type alp
	term_wait '^Session: alp +1/3$'
	term_keys C-u
	term_type where
	poll 30 grep -q $'\e\[1;4mWhere\e\[22;24m' drawn
	refute grep -qE $'\e\[[0-9;]*[34][0-9]m' drawn
	term_keys Enter
	term_wait '^Session: one'
}

@test "the preview has the title, the model, the directory and the last exchanges" {
	three
	picking -y 40
	selected three
	term_keys Down
	selected two
	# The list's row, the preview's first, the prompts
	term_wait '^On wide things 漢字$'
	term_wait '^echo, 2 exchanges$'
	term_wait "^$BATS_TEST_TMPDIR"
	term_wait '^[0-9-]{10} [0-9:]{5}, since [0-9-]{10} [0-9:]{5}$'
	screen_becomes 'exchanges' $'> beta 日本語 prompt\nbeta 日本語 prompt\n> second beta\nsecond beta' \
		sed -e '/, since/,/^Enter/!d' -e '/, since/d' -e '/^Enter/d' -e '/^$/d'
}

@test "a prompt on the command line goes to the session that is picked; standard output is the reply" {
	three
	term_start bash -c 'mc-chat "from the command line" -s >out'
	term_wait '^Session: '
	term_type alpha
	selected one
	term_keys Enter
	same 'exit status' 0 "$(term_status)"
	same 'standard output' 'from the command line' "$(<out)"
	same 'stored' 'from the command line' "$(exchange one .query)"
}

@test "what is typed behind Enter is for the conversation" {
	three
	picking
	selected three
	term_keys a l p h a Enter h e l l o Enter
	term_wait '^Session: one '
	poll 30 stored hello one
}

stored() { [[ $(exchange "$2" .query) == "$1" ]]; }

@test "a paste is text for the filter, its line ends too" {
	three
	picking
	selected three
	on_term set-buffer $'where\nfirst\n' \; paste-buffer -p
	term_wait '^Session: where first +1/3$'
	selected one
}

# In a conversation

@test "/sessions goes on with another session, and with its words there are fewer" {
	three
	term_start mc-chat -s three
	term_wait '^Session: three '
	term_type $'/sessions beta\n'
	term_wait '^Session: beta +1/3$'
	selected two
	term_keys Enter
	term_wait '^Session: two \(resumed, 2 exchanges\)'
	term_gone '^Session: beta'
	term_type $'to the second\n'
	poll 30 stored 'to the second' two
	term_type $'/sessions\n'
	term_wait '^Session: +3/3$'
	selected 'two ' # which is the newest now
	term_keys Down
	selected three
	term_keys Enter
	term_wait '^Session: three \(resumed, 1 exchange\)'
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
}

@test "/sessions left without a choice, or with the same one, changes nothing" {
	local screen
	three
	echo text >file
	term_start mc-chat -s three -a file
	term_wait '^\[attached: file '
	term_type $'/sessions\n'
	selected three
	screen=$(term_screen)
	term_keys Escape
	poll 30 last_line_is '>'
	term_type $'/sessions\n'
	poll 30 is_screen "$screen"
	term_keys Enter
	poll 30 last_line_is '>'
	screen_becomes 'commands' 2 grep -c '^> /sessions$'
	term_type $'with the file\n'
	poll 30 stored 'with the file' three
	same 'attached' file "$(exchange three '.attachments[0].name')"
}

is_screen() { [[ $(term_screen) == "$1" ]]; }

@test "/sessions where there is none says so" {
	term_start mc-chat
	term_wait '^Session: '
	term_type $'/sessions\n'
	term_wait '^mc-chat: there is no session to pick yet$'
	made other Elsewhere prompt
	term_type $'/sessions\n'
	selected other
	term_keys Enter
	term_wait '^Session: other '
}

# Leaving

@test "Esc, Ctrl-C and Ctrl-D leave without a choice and without a trace" {
	local key
	three
	for key in Escape C-c C-d; do
		picking
		term_type o
		term_wait '^Session: o '
		term_keys "$key"
		left_as_it_was
	done
	same 'exchanges' 4 "$(cat "$MC_SESSIONS_DIR"/*/history.jsonl | grep -c '"type":"exchange"')"
}

@test "without a second screen the rows below are used, and empty afterwards" {
	three
	TERM=linux picking
	screen_becomes 'above it' before sed -e '/^Session:/,$d' -e '/^$/d'
	selected three
	term_keys Down
	selected two
	term_keys Escape
	left_as_it_was
}

@test "SIGTERM, SIGHUP and SIGINT end it, and give the terminal back" {
	local name number
	three
	while read -r name number; do
		picking
		selected three
		kill -"$name" "$(<pid)"
		same "exit status after $name" "$number" "$(term_status)"
		same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
		screen_becomes 'screen' before head -n 1
		term_gone '^Session:|three'
	done <<<$'TERM 143\nHUP 129\nINT 130'
}

@test "a crash leaves the terminal as it was, in a conversation, too" {
	local name
	three
	export ASAN_OPTIONS=handle_segv=0
	for name in SEGV QUIT; do
		picking
		selected three
		kill -"$name" "$(<pid)"
		term_status >status
		same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
		screen_becomes 'screen' before head -n 1
		term_gone '^Session:|three'
	done
	# shellcheck disable=SC2016
	term_start bash -c 'stty -a >stty.before; bash -c "echo \$\$ >pid; exec mc-chat -s one"
		stty -a >stty.after; exit 1'
	term_wait '^Session: one '
	term_type $'/sessions\n'
	selected three
	kill -SEGV "$(<pid)"
	same 'exit status' 1 "$(term_status)"
	same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
	term_wait '^Session: one '
	term_gone '^Session: +3/3|> three'
}

@test "a terminal that goes away ends it" {
	three
	ASAN_OPTIONS=detect_leaks=0 picking
	selected three
	on_term kill-server
	poll 30 is_gone "$(<pid)"
}

child() { xargs -n 1 <"/proc/$1/task/$1/children" | head -n 1; }

@test "Ctrl-Z stops it with the screen as it was, and fg goes on where it was" {
	local shell
	three
	term_start bash --norc -i
	term_type $'PS1="% "; clear; stty -a >stty.before\n'
	poll 30 test -s stty.before
	term_type $'mc-chat -s\n'
	selected three
	term_type second
	term_wait '^Session: second +1/3$'
	term_keys C-z
	term_wait 'Stopped +mc-chat -s'
	term_gone '^Session:'
	term_type $'stty -a >stty.stopped\n'
	poll 30 test -s stty.stopped
	same 'terminal settings' "$(<stty.before)" "$(<stty.stopped)"
	on_term resize-window -x 60 -y 20
	term_type $'fg\n'
	term_wait '^Session: second +1/3$'
	selected two
	# By a signal that nothing can be done about
	shell=$(child "$(on_term display-message -p '#{pane_pid}')")
	kill -STOP "$(child "$shell")"
	term_wait 'Stopped +mc-chat -s'
	term_type $'clear; fg\n'
	term_wait '^Session: second +1/3$'
	term_keys C-u
	term_wait '^Session: +3/3$'
	term_keys Down
	selected two
	term_keys Enter
	term_wait '^Session: two '
}

@test "Ctrl-Z in /sessions, and the conversation goes on afterwards" {
	three
	term_start bash --norc -i
	term_type $'PS1="% "; clear; stty -a >stty.before\n'
	poll 30 test -s stty.before
	term_type $'mc-chat -s one\n'
	term_wait '^Session: one '
	term_type $'/sessions\n'
	selected three
	term_keys C-z
	term_wait 'Stopped +mc-chat -s one'
	term_type $'stty -a >stty.stopped\n'
	poll 30 test -s stty.stopped
	same 'terminal settings' "$(<stty.before)" "$(<stty.stopped)"
	term_type $'clear; fg\n'
	selected three
	term_keys Enter
	term_wait '^Session: three '
	term_type $'and on\n'
	poll 30 stored 'and on' three
	term_keys C-d
	term_type $'stty -a >stty.after\n'
	poll 30 test -s stty.after
	same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
}

# Windows

@test "the window's size changes while it is open" {
	local size i
	for i in {1..30}; do
		made "s$i" "Title $i of thirty" 'a prompt'
	done
	picking
	selected 'Title 30 '
	term_keys End
	selected 'Title 1 '
	while read -r -a size; do
		on_term resize-window -x "${size[0]}" -y "${size[1]}"
		poll 30 filter_ends_at "$((size[0] - 1))"
		selected 'Title 1 '
		same 'the cursor' 9,0 "$(on_term display-message -p '#{cursor_x},#{cursor_y}')"
	done <<<$'40 24\n300 50\n80 5\n40 10\n120 24\n80 24'
	term_keys Home
	selected 'Title 30 '
	term_keys Escape
	left_as_it_was
}

filter_ends_at() { [[ $(term_screen | head -n 1) =~ ^Session:.*30/30$ && ${#BASH_REMATCH[0]} == "$1" ]]; }

@test "40 columns: the id and the title, the preview below" {
	three
	picking -x 40
	selected 'three  Zum Öffnen'
	term_wait '^  ID     TITLE OR FIRST PROMPT$'
	term_wait '^---------------------------------------$'
	term_wait '^> gamma prompt$'
	term_keys Down
	selected 'two    On wide things 漢字'
	term_keys Escape
	left_as_it_was
}

@test "300 columns: the preview beside the list" {
	three
	picking -x 300 -y 30
	selected three
	term_wait '^  ID     ACTIVE  EXCHANGES  MODEL  TITLE OR FIRST PROMPT +\| Zum Öffnen$'
	term_wait '^> three  now             1  echo   Zum Öffnen +\| echo, 1 exchange$'
	term_wait '\| > gamma prompt$'
	term_keys Enter
	term_wait '^Session: three '
}

@test "five rows: a filter and a list that scrolls" {
	local i
	for i in {1..9}; do # no number is looked for: the directory may have it
		made "s$i" "Title ${i//2/of two}" 'a prompt'
	done
	picking -y 5
	screen_becomes 'rows' $'s9\ns8\ns7\ns6' sed -nE '2,$s/^..(s[0-9]) .*/\1/p'
	term_keys Down Down Down Down
	selected 'Title 5'
	screen_becomes 'rows' $'s8\ns7\ns6\ns5' sed -nE '2,$s/^..(s[0-9]) .*/\1/p'
	term_type 'of two'
	selected 'Title of two'
	term_keys Enter
	term_wait '^> a prompt$'
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
}

@test "wide characters keep the columns apart" {
	made wide "$(printf '漢字%.0s' {1..60})" "$(printf '🎉%.0s' {1..60})"
	made thin x y
	picking -x 130
	selected thin
	term_keys Down
	selected 漢字
	term_wait '^> wide .*漢?字?… *\| echo, 1 exchange$'
	screen_becomes 'rows without the preview' '' sed -e '1d' -e '/^Enter/d' -e '/|/d'
	term_keys Escape
	left_as_it_was
}

@test "what a title or a text holds does nothing to the terminal" {
	made evil $'\e[2J\e]0;owned\a\u202etitle' $'\e[31mred\e[?1049l\u009b5n'
	picking -y 40
	selected '^[[2J^[]0;owned^G<U+202E>title'
	term_wait '^> \^\[\[31mred\^\[\[\?1049l<U\+009B>5n$'
	term_type '2J'
	term_wait '^Session: 2J +1/1$'
	refute grep -q owned <<<"$(on_term display-message -p '#{pane_title}')"
	term_keys Escape
	left_as_it_was
}

# What else may be there, or not

@test "no session: that is said, and nothing is shown" {
	term_start bash -c 'mc-chat -s'
	same 'exit status' 1 "$(term_status)"
	screen_becomes 'screen' 'mc-chat: there is no session to pick yet' sed '/^$/d'
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "a damaged history: the preview shows what can be read" {
	local f
	made hurt 'Hurt' 'one alpha' 'two beta' 'three gamma'
	f=$(history hurt)
	sed -i '3s/"query"/"quer/' "$f"
	made empty 'Emptied' delta
	: >"$(history empty)"
	made wild 'Wild' epsilon
	head -c 3000 /dev/urandom >"$(history wild)"
	picking -y 40
	selected wild
	term_keys Down
	selected empty
	term_wait '^Emptied$'
	term_keys Down
	selected hurt
	term_wait '^> three gamma$'
	term_gone 'beta$|damaged'
	term_keys Escape
	left_as_it_was
}

@test "sessions that are removed while it is open are not picked, and that is said" {
	three
	picking
	selected three
	mc-session-rm -f one two
	term_keys Down
	selected two
	term_wait "^session 'two' was removed$"
	term_keys Enter
	poll 30 removed_is_told two
	term_keys Down Enter
	poll 30 removed_is_told one
	term_keys Up Up Enter
	term_wait '^Session: three '
}

removed_is_told() { [[ $(term_screen | sed '/^$/d' | tail -n 1) == "session '$1' was removed" ]]; }

@test "a folder that was deleted by hand takes nothing along" {
	three
	rm -r "$MC_SESSIONS_DIR/three"
	picking
	selected three
	term_wait "^session 'three' was removed$"
	term_keys Down Enter
	term_wait '^Session: two '
}

# Without a screen

@test "TERM=dumb: numbered lines, and a question" {
	local i
	for i in {1..25}; do
		made "s$i" "Title $i." 'a prompt'
	done
	# shellcheck disable=SC2016
	TERM=dumb term_start -y 60 bash -c 'stty -a >stty.before
		mc-chat -s; status=$?; stty -a >stty.after; exit $status'
	term_wait '^Session: a number, words to look for, or nothing to leave: *$'
	term_wait '^ 1\. s25  now  1  echo  Title 25\.$'
	term_wait '^20\. s6  '
	term_wait '^and 5 more$'
	term_type $'title 2.\n'
	term_wait '^ 3\. s2  now  1  echo  Title 2\.$'
	term_type $'xyz\n'
	term_wait '^nothing fits; these are there:$'
	term_type $'TITLE 2.\n'
	term_wait 'leave: TITLE 2\.$'
	poll 30 last_list_has ' 3. s2  now  1  echo  Title 2.'
	mc-session-rm -f s2
	term_type $'3\n'
	term_wait "^session 's2' was removed$"
	term_type $'title 3.\n'
	poll 30 last_list_has ' 3. s3  now  1  echo  Title 3.'
	term_type $'3\n'
	term_wait '^Session: s3 \(resumed, 1 exchange\)'
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
	same 'terminal settings' "$(<stty.before)" "$(<stty.after)"
}

# last_list_has ROW: among those above the last question.
last_list_has() { term_screen | sed '/^$/d' | tail -n 4 | grep -qFx "$1"; }

@test "--plain, and plain in the settings: numbered lines in any terminal" {
	three
	term_start mc-chat --plain -s
	term_wait '^Session: a number, words'
	term_shows '^ 1\. three '
	export MC_CONFIG=$BATS_TEST_TMPDIR/config.json
	echo '{"plain": true}' >"$MC_CONFIG"
	term_start mc-chat -s
	term_wait '^Session: a number, words'
	term_type $'1\n'
	term_wait '^Session: three \(resumed'
	term_type '/sessions'
	term_keys Enter
	poll 30 asks_again
}

asks_again() { [[ $(term_screen | grep -c '^Session: a number, words') == 2 ]]; }

@test "TERM=dumb: an empty line, Ctrl-D and Ctrl-C leave" {
	local key
	three
	for key in Enter C-d C-c; do
		TERM=dumb term_start mc-chat -s
		term_wait '^Session: a number'
		term_keys "$key"
		same 'exit status' 130 "$(term_status)"
	done
}

# Without a terminal

@test "without a terminal an id is needed, and the error says why" {
	three
	run_split mc-chat -s
	assert_status 2
	assert_out_empty
	assert_err_has "option '-s' needs a value: ID; without one it shows a list to pick from, which takes a terminal"
	run_split mc-chat hello --session
	assert_status 2
	run_split mc-chat -c -s
	assert_status 2
	assert_err_has 'exclude each other'
}
