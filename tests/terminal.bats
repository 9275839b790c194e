# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# A conversation at a terminal, driven through tmux.

load helper
load prompt
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
}

# filled ID N: a session of N exchanges
filled() {
	local i
	for ((i = 1; i <= $2; i++)); do
		mc-chat -n -s "$1" "prompt number $i" >/dev/null
	done
}

# A conversation

@test "a new chat shows its session, and makes it with the first prompt" {
	term_start mc-chat
	term_wait '^Session: [a-z0-9]{8}  echo$'
	at_prompt
	same 'number of sessions' 0 "$(sessions)"
	enter 'hello there'
	term_wait '^hello there$'
	at_prompt
	id=$(term_screen | sed -n 's/^Session: \([a-z0-9]*\).*/\1/p')
	same 'stored' 'hello there' "$(exchange "$id" .answer)"
	screen_becomes 'screen' $'/help lists the commands; Ctrl-D leaves\n'"Session: $id  echo"$'\n> hello there\nhello there\n>' sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

@test "a chat that says nothing leaves nothing" {
	term_start mc-chat
	at_prompt
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "several turns go into one session, and /exit leaves" {
	term_start mc-chat -n -s s
	term_wait '^Session: s  echo$'
	for word in one two three; do
		enter "$word"
		term_wait "^$word\$"
	done
	enter /exit
	same 'exit status' 0 "$(term_status)"
	same 'prompts' 'one two three' "$(jq -r 'select(.query).query' "$(history s)" | xargs)"
}

# answer TEXT: to the question whether to leave.
answer() {
	term_wait '^Leave\? \[Y/n\]'
	term_type "$1"
	term_keys Enter
}

prompts() { jq -r 'select(.query).query' "$(history s)" | xargs; }

@test "exit, quit and bye alone: it asks whether to leave, and does not send them unasked" {
	for word in exit quit 'Bye  '; do
		term_start mc-chat -n -s s
		enter "$word"
		answer ''
		same "exit status of '$word'" 0 "$(term_status)"
		[[ ! -e $MC_SESSIONS_DIR ]]
	done
	for key in y Y yes C-d; do
		term_start mc-chat -n -s s
		enter exit
		if [[ $key == C-d ]]; then
			term_wait '^Leave'
			term_keys C-d
		else
			answer "$key"
		fi
		same "exit status of '$key'" 0 "$(term_status)"
		[[ ! -e $MC_SESSIONS_DIR ]]
	done
}

@test "exit at the prompt: no sends it, Ctrl-C asks for the next prompt, and other words begin it" {
	term_start mc-chat -n -s s
	enter exit
	answer n
	term_wait '^exit$'
	enter quit
	term_wait '^Leave'
	term_keys C-c
	enter bye
	answer 'what then'
	term_wait '^> what then$'
	term_keys Enter
	enter 'exit the loop'
	enter ' quit'
	at_prompt
	same 'prompts' 'exit what then exit the loop quit' "$(prompts)"
	term_keys Up
	term_wait '^> exit the loop$'
	same 'what was typed at prompts' 'exit quit bye what then exit the loop' \
		"$(jq -r .text "$HOME/.local/state/mcbox/typed.jsonl" | xargs)"
}

@test "exit asks without readline, too" {
	TERM=dumb term_start mc-chat -n -s s
	enter exit
	answer no
	term_wait '^exit$'
	enter quit
	answer yes
	same 'exit status' 0 "$(term_status)"
	same 'prompts' exit "$(prompts)"
}

@test "Ctrl-D leaves" {
	term_start mc-chat -n -s s
	enter one
	term_wait '^one$'
	at_prompt
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
}

@test "an empty line asks again, and is no turn" {
	term_start mc-chat -n -s s
	at_prompt
	term_keys Enter Space Tab Enter
	term_type hello
	term_keys Enter
	term_wait '^hello$'
	at_prompt # it is stored when this is there
	same 'number of exchanges' 1 "$(count s)"
}

@test "an unknown /command is explained, and not sent; with a space before it, it is a prompt" {
	term_start mc-chat -n -s s
	enter /exti
	term_wait "unknown command '/exti'; did you mean /exit"
	enter ' /exti'
	term_wait '^/exti$' # Markdown begins a paragraph without blanks
	at_prompt
	same 'number of exchanges' 1 "$(count s)"
}

@test "a path as the first word is no command, whether it exists or not" {
	term_start mc-chat -n -s s
	for text in '/etc/hosts what is it for?' '/no/such/file' '/^[a-z]+$/ matches what?' '//comment' '/tmp is full'; do
		enter "$text"
		at_prompt
		same 'stored' "$text" "$(exchange s .query)"
	done
	enter '/tmpp'
	term_wait "unknown command '/tmpp'"
	enter '/exit'
	same 'exit status' 0 "$(term_status)"
	same 'exchanges' 5 "$(count s)"
}

@test "a sentence that is longer than the window is broken between words" {
	term_start -x 40 mc-chat
	enter /exti
	at_prompt
	screen_becomes 'screen' $'mc-chat: unknown command \'/exti\'; did\nyou mean /exit? (a prompt may start with\na space and then a slash)' \
		grep -A 2 unknown
}

@test "/quit leaves, too" {
	term_start mc-chat
	enter /quit
	same 'exit status' 0 "$(term_status)"
}

@test "a prompt of wide characters arrives as it was typed" {
	term_start mc-chat -n -s s
	enter 'これは日本語です 🎉'
	term_wait '^これは日本語です'
	at_prompt
	same 'stored' 'これは日本語です 🎉' "$(exchange s .query)"
}

@test "a reply is on the screen piece by piece" {
	answers "$(stream '{"text":"alpha"}' '{"wait":"go"}' '{"text":" beta"}' "$END")"
	term_start mc-chat -n -s s
	enter hi
	term_wait '^alpha$'
	touch go
	term_wait '^alpha beta$'
	at_prompt
}

@test "a failed turn is explained, and the chat goes on" {
	answers "$(refuses 500 '{"error":"no room"}')" "$(says fine)"
	term_start mc-chat -n -s s
	enter q1
	term_wait 'the server answered 500: no room'
	enter q2
	term_wait '^fine$'
	enter /exit
	same 'exit status' 0 "$(term_status)"
	same 'messages' 'user: q2' "$(messages)"
}

# Going on with a session

@test "a resumed chat shows the count and the last exchanges" {
	filled s 5
	term_start mc-chat -s s
	term_wait '^Session: s \(resumed, 5 exchanges\)  prompt number 1  echo$'
	at_prompt
	screen=$(term_screen)
	for i in 3 4 5; do
		has 'screen' "$screen" $'> prompt number '"$i"$'\n\nprompt number '"$i"
	done
	[[ $screen != *'prompt number 2'* ]]
	enter 'number six'
	term_wait '^number six$'
	at_prompt
	same 'number of exchanges' 6 "$(count s)"
}

@test "one exchange is one exchange" {
	filled s 1
	term_start mc-chat -c
	term_wait '^Session: s \(resumed, 1 exchange\)  '
}

@test "recent exchanges are shortened, and harmless" {
	seq 100 | mc-chat -n -s s >/dev/null
	mc-chat -s s $'\e[31mred\e]52;c;Zm9v\a' >/dev/null
	term_start -y 40 mc-chat -s s
	at_prompt
	term_wait '^> \^\[\[31mred\^\[\]52;c;Zm9v\^G$'
	term_wait '^6$'
	term_gone '^50$'
}

@test "recent exchanges are shown as the Markdown that they are, in as few lines" {
	local long
	long=$(printf 'word %.0s' {1..200})
	mc-chat -n -s s $'**bold**\n\n| a | b |\n|---|---|\n| *long* | x |' >/dev/null
	mc-chat -s s "$long" >/dev/null
	term_start -y 60 mc-chat -s s
	at_prompt
	screen=$(term_screen)
	has 'screen' "$screen" $'\nbold\n\na    | b\n-----|--\nlong | x\n\n> word '
	same 'lines of the long answer, and …' 7 "$(sed -e '1,/^$/d' -e '/^…$/q' <<<"${screen##*> word}" | wc -l)"
	has 'screen' "$screen" $'word\n…\n\n>'
	term_start -y 60 mc-chat --plain -s s
	at_prompt
	has 'screen' "$(term_screen)" $'\n**bold**\n\n| a | b |\n|---|---|\n| *long* | x |\n'
	has 'screen' "$(term_screen)" $'word word word\n\n>'
}

@test "one prompt at a terminal shows the session, and leaves" {
	term_start mc-chat -n -s s hello there
	same 'exit status' 0 "$(term_status)"
	term_wait '^Session: s  echo$'
	term_wait '^hello there$'
	refute term_shows '/help'
	term_start mc-chat -s s again
	same 'exit status' 0 "$(term_status)"
	term_wait '^Session: s \(resumed, 1 exchange\)  echo$'
	term_wait '^again$'
}

@test "the model that answers is shown where a key alone chose it, with and without a session" {
	answers "$(refuses 401 '{"error":{"message":"no"}}')"
	unset MC_PROVIDER MC_BASE_URL MC_MODEL
	export OPENAI_API_KEY=k OPENAI_BASE_URL=http://127.0.0.1:$SERVER_PORT
	for option in '-n -s s' --no-save; do
		# shellcheck disable=SC2086
		term_start mc-chat $option hello
		same 'exit status' 3 "$(term_status)"
		term_wait '^(Session: s.*|Not stored)  openai gpt-[^ ]+'
		# shellcheck disable=SC2086
		term_start mc-chat $option
		term_wait '^(Session: s.*|Not stored)  openai gpt-[^ ]+'
	done
	term_start mc-chat -s s --no-save hello
	term_wait '^Session: s \(resumed, 0 exchanges, not stored\)  openai gpt-[^ ]+'
}

@test "a pipe at a terminal gets the reply without a banner" {
	term_start bash -c 'mc-chat -n -s s hello | cat; mc-chat -s s hello again >file; echo end'
	term_wait '^end$'
	screen_becomes 'screen' $'hello\nend' grep -v '^$'
	same 'file' 'hello again' "$(<file)"
}

@test "a file as standard input is one prompt, and no conversation" {
	echo 'from a file' >prompt
	term_start bash -c 'mc-chat <prompt'
	same 'exit status' 0 "$(term_status)"
	term_wait '^from a file$'
}

@test "an unknown session ends a chat before it begins" {
	filled other 1
	term_start mc-chat -s nosuch
	same 'exit status' 1 "$(term_status)"
	term_wait "no session 'nosuch'"
	term_wait '^ *other .*prompt number 1'
}

# Interrupting

@test "Ctrl-C in the middle of a reply keeps what came, and asks for the next prompt" {
	answers "$(stream '{"text":"half an"}' '{"hang":true}')" "$(says finished)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^half an$'
	term_keys C-c
	at_prompt
	same 'stored' '["interrupted","half an"]' "$(exchange s '[.status, .answer] | tojson')"
	enter q2
	term_wait '^finished$'
	at_prompt
	same 'messages' $'user: q1\nassistant: half an\nuser: q2' "$(messages)"
	term_keys C-c # this one is the first at the prompt
	term_wait 'Ctrl-C again leaves'
	at_prompt
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
}

@test "Ctrl-C before anything came: what is said of it begins its line" {
	answers '{"steps":[{"hang":true}]}' "$(jq -nc --arg why "$(printf '%0200d' 0)" '{status:429,headers:{"Retry-After":"30"},
		steps:[{send:({error:{message:$why}}|tojson)}]}')"
	export MC_RETRIES=1
	term_start mc-chat -n -s s
	enter q1
	poll 30 test -s "$SERVER_LOG"
	term_keys C-c
	term_wait '^mc-chat: interrupted$'
	at_prompt
	enter q2
	term_wait '^mc-chat: trying again in '
	term_keys C-c
	term_wait '^mc-chat: interrupted after 1 failed attempt:'
	at_prompt
	# What counted down is gone; the reason stays.
	screen_becomes 'on the screen' \
		$'> q1\nmc-chat: interrupted\n> q2\nmc-chat: interrupted after 1 failed attempt: the server answered 429:\n>' \
		sed -e '/^> q1/,$!d' -e '/^0*$/d'
}

@test "a second Ctrl-C at the prompt leaves, with status 130" {
	term_start mc-chat -n -s s
	at_prompt
	term_keys C-c
	term_wait 'Ctrl-C again leaves'
	at_prompt
	enter hello # takes the first one back
	term_wait '^hello$'
	at_prompt
	term_keys C-c
	poll 30 shows_twice 'Ctrl-C again leaves'
	at_prompt
	term_keys C-c
	same 'exit status' 130 "$(term_status)"
	same 'number of exchanges' 1 "$(count s)"
}

shows_twice() { [[ $(term_screen | grep -c "$1") == 2 ]]; }

@test "Ctrl-C puts away the line that was begun, and is the first one only at an empty prompt" {
	term_start mc-chat -n -s s
	at_prompt
	term_keys C-c
	term_wait 'Ctrl-C again leaves'
	at_prompt
	term_type 'half a thou'
	term_wait '^> half a thou$'
	term_keys C-c
	term_wait '^> half a thou\^C$'
	at_prompt
	term_keys C-c
	poll 30 shows_twice 'Ctrl-C again leaves'
	enter whole
	term_wait '^whole$'
	same 'stored' whole "$(exchange s .query)"
}

@test "a terminal that goes away in the middle of a reply does not take it along" {
	answers "$(stream '{"text":"half an"}' '{"hang":true}')"
	# Not under the shell that outlives it; see term_stop for the leaks.
	ASAN_OPTIONS=detect_leaks=0 term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	enter q1
	term_wait '^half an$'
	on_term kill-server
	poll 30 stored_interrupted
	same 'stored' '["interrupted","half an"]' "$(exchange s '[.status, .answer] | tojson')"
	poll 30 is_gone "$(<pid)"
}

stored_interrupted() { grep -qs '"status":"interrupted"' "$(history s)"; }
@test "SIGTERM at the prompt leaves with status 143" {
	term_start bash -c 'echo $$ >pid; exec mc-chat'
	at_prompt
	kill -TERM "$(<pid)"
	same 'exit status' 143 "$(term_status)"
}

@test "SIGTERM in the middle of a reply stores what came, and leaves with status 143" {
	answers "$(stream '{"text":"half an"}' '{"hang":true}')"
	term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	enter q1
	term_wait '^half an$'
	kill -TERM "$(<pid)"
	same 'exit status' 143 "$(term_status)"
	same 'stored' '["interrupted","half an"]' "$(exchange s '[.status, .answer] | tojson')"
}

# Others at work on the same session

@test "a chat sees what another process stored between its turns" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	export MC_PROVIDER=openai-compatible
	term_start mc-chat -n -s s
	enter q1
	term_wait '^a1$'
	at_prompt
	mc-chat -s s q2 # is not kept waiting
	enter q3
	term_wait '^a3$'
	same 'messages' $'user: q1\nassistant: a1\nuser: q2\nassistant: a2\nuser: q3' "$(messages)"
}

@test "a chat uses the model that another process chose meanwhile" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^a1$'
	at_prompt
	mc-chat -s s -m other q2
	enter q3
	term_wait '^a3$'
	same 'model' other "$(request | jq -r .body.model)"
}

@test "a busy session keeps a chat waiting, which can be interrupted" {
	filled s 1
	term_start mc-chat -s s
	at_prompt
	lock_elsewhere "$(history s)"
	enter q1
	term_wait '^mc-chat: waiting for .*'
	term_keys C-c
	at_prompt
	enter q2
	poll 30 shows_twice '^mc-chat: waiting for'
	unlock_elsewhere
	term_wait '^q2$'
	at_prompt
	same 'prompts' $'prompt number 1\nq2' "$(jq -r 'select(.query).query' "$(history s)")"
}

@test "a session that is removed between two turns: the chat says so and goes on under a new id" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	term_start mc-chat -n -s s -S 'be brief'
	enter q1
	term_wait '^a1$'
	at_prompt
	mc-session-rm -f s
	enter q2
	term_wait "session 's' was removed; this goes on as session '"
	term_wait '^a2$'
	enter q3
	term_wait '^a3$'
	at_prompt
	id=$(mc-session-ls -q)
	same 'number of sessions' 1 "$(sessions)"
	same 'prompts' 'q2 q3' "$(jq -r 'select(.query).query' "$(history "$id")" | xargs)"
	has 'messages' "$(messages)" 'system: be brief'
	has 'messages' "$(messages)" $'user: q2\nassistant: a2\nuser: q3'
}

@test "--no-save remembers within the chat, and stores nothing" {
	answers "$(says a1)" "$(says a2)"
	term_start mc-chat --no-save
	enter q1
	term_wait '^a1$'
	enter q2
	term_wait '^a2$'
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
	term_wait '^Not stored  openai-compatible test-model$'
	term_gone Session:
	enter /exit
	same 'exit status' 0 "$(term_status)"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

# Resizing

@test "a chat survives a change of the window's size, at the prompt and in a reply" {
	answers "$(stream '{"text":"alpha"}' '{"wait":"go"}' '{"text":" beta"}' "$END")"
	term_start mc-chat -n -s s
	at_prompt
	on_term resize-window -x 40 -y 10
	enter hi
	term_wait '^alpha$'
	on_term resize-window -x 100 -y 30
	touch go
	term_wait '^alpha beta$'
	at_prompt
	same 'status' complete "$(exchange s .status)"
}

@test "a model and a title that another process sets during a chat are not set back" {
	export MC_PROVIDER=echo MC_MODEL=
	term_start mc-chat -n -s s -m mine -t 'my title'
	at_prompt
	enter q1
	term_wait '^q1$'
	at_prompt
	mc-chat --no-stdin -s s -m theirs -t 'their title' q2
	enter q3
	term_wait '^q3$'
	at_prompt
	same 'models' $'mine\ntheirs\ntheirs' "$(jq -r 'select(.query).model' "$(history s)")"
	same 'title' 'their title' "$(mc-session-ls --json | jq -r .title)"
}
