# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell
# What happens at a terminal while a reply runs: typing ahead, Ctrl-C, Ctrl-Z, the indicator.
# tests/terminal-reply.py has what needs finer timing, and what is told by the terminal's state.

load helper
load wire
load prompt
load context

# screen_from REGEX: what the screen shows from that line on, without empty lines.
screen_from() { term_screen | sed -n "/$1/,\$p" | sed '/^$/d'; }

prompts() { jq -r 'select(.query).query' "$(history "$1")"; }
has_exchanges() { [[ $(count "$1") == "$2" ]]; }

# a reply that begins, and ends when there is a file of this name
until_file() { stream "{\"text\":\"$2\"}" "{\"wait\":\"$1\"}" '{"text":" end"}' "$END"; }

# Typing ahead

@test "what is typed in a reply is not seen in it, and is the next prompt" {
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type 'typed ahead'
	term_keys Enter
	touch go
	term_wait '^two$'
	at_prompt
	becomes 'screen' $'> q1\none end\n> typed ahead\ntwo\n>' screen_from '^> q1'
	same 'prompts' $'q1\ntyped ahead' "$(prompts s)"
}

@test "what is typed without Enter stands at the prompt, and can be gone on with" {
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type 'the begin'
	touch go
	poll 30 last_line_is '> the begin'
	term_type 'ning'
	term_keys Enter
	term_wait '^two$'
	at_prompt
	same 'prompts' $'q1\nthe beginning' "$(prompts s)"
}

@test "several lines are several prompts, one after the other, and a command is one" {
	answers "$(until_file go one)" "$(says two)" "$(says three)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type q2
	term_keys Enter
	term_type /help
	term_keys Enter
	term_type 'これは三つ目 🎉'
	term_keys Enter
	term_type /exit
	term_keys Enter
	touch go
	same 'exit status' 0 "$(term_status)"
	same 'prompts' $'q1\nq2\nこれは三つ目 🎉' "$(prompts s)"
	term_wait '^/exit .*leave'
	term_wait '^> /help$'
}

@test "keys that correct what is typed ahead do so" {
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type 'wrong'
	term_keys C-u
	term_type 'rightü'
	term_keys BSpace
	term_type ' wordx wrong'
	term_keys C-w BSpace BSpace
	term_keys Enter
	touch go
	term_wait '^two$'
	at_prompt
	same 'prompts' $'q1\nright word' "$(prompts s)"
}

@test "a page that is pasted in a reply arrives, all 100 KB of it" {
	answers "$(until_file go one)" "$(says more)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	# Lines as long as a terminal's own editing takes, were they typed at the prompt.
	for i in {100..124}; do printf '%s %04000d end\n' "$i" 0; done >page
	on_term load-buffer page
	on_term paste-buffer
	touch go
	poll 60 has_exchanges s 26
	at_prompt
	same 'prompts' "$(<page)" "$(prompts s | tail -n +2)"
}

@test "what is typed in one reply may wait for a later one" {
	answers "$(until_file go1 one)" "$(until_file go2 two)" "$(says three)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type q2
	term_keys Enter
	term_type 'q3 begins'
	touch go1
	term_wait '^two$'
	term_type ' and ends'
	term_keys Enter
	touch go2
	term_wait '^three$'
	same 'prompts' $'q1\nq2\nq3 begins and ends' "$(prompts s)"
}

@test "Ctrl-D that is typed ahead leaves when the reply is there" {
	answers "$(until_file go one)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_keys C-d
	touch go
	same 'exit status' 0 "$(term_status)"
	same 'stored' '["complete","one end"]' "$(exchange s '[.status, .answer] | tojson')"
}

# Ctrl-Z

# shell: a shell with job control. Its prompt is "$ ".
shell() {
	term_start env "PS1=$ " bash --norc --noprofile -i
	poll 30 last_line_is '$'
}

run() {
	poll 30 last_line_is '$'
	term_type "$1"
	term_keys Enter
}

@test "keys that are typed ahead behind /sessions are for its list, and those behind that a prompt" {
	local options
	for options in '' --plain; do
		MC_PROVIDER='echo' mc-chat --no-stdin -n -s "other$options" 'hello there' >/dev/null
		answers "$(until_file "go$options" one)"
		# shellcheck disable=SC2086
		term_start mc-chat $options -n -s "s$options"
		enter q1
		term_wait '^one$'
		term_type $'/sessions\n'
		term_type $'other\n'
		if [[ $options ]]; then term_type $'1\n'; fi
		term_type $'to the other\n'
		touch "go$options"
		poll 30 has_exchanges "other$options" 2
		same 'prompts' q1 "$(prompts "s$options")"
		same 'prompts of the other' $'hello there\nto the other' "$(prompts "other$options")"
		server_stop
	done
}

@test "TERM=dumb: a reply that is stopped leaves nothing but text" {
	answers "$(until_file go one)"
	TERM=dumb term_start mc-chat -n -s s
	on_term pipe-pane 'cat >raw'
	enter q1
	term_wait '^one$'
	term_keys C-c
	term_wait 'interrupted'
	at_prompt
	same 'controls' '' "$(tr -d '[:print:]\n\r' <raw)"
}

@test "Ctrl-Z in a reply gives the shell its terminal, and fg goes on with the reply" {
	answers "$(until_file go one)" "$(says two)"
	shell
	run 'stty -g >before'
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^one$'
	term_type 'echo run by the shell'
	term_keys Enter
	term_keys C-z
	term_wait 'Stopped'
	run 'stty -g >after'
	run 'jobs; echo still here'
	term_wait '^still here$'
	same 'the mode' "$(<before)" "$(<after)"
	term_gone '^run by the shell$'
	run fg
	term_wait '^mc-chat -n -s s$'
	term_type ' and more'
	touch go
	term_wait '^(one)? end$'
	term_wait '^two$'
	term_type '!'
	poll 30 last_line_is '>  and more!'
	same 'prompts' $'q1\necho run by the shell' "$(prompts s)"
}

@test "Ctrl-Z in a reply: what the shell wrote stays, and the row that was begun is shown again below" {
	answers "$(stream '{"text":"First.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | "}' \
		'{"wait":"go"}' '{"text":"a wide cell |\n| 5 | 6 |\n\nThe end.\n"}' "$END")"
	shell
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^3 \|$'
	term_keys C-z
	term_wait 'Stopped'
	run 'echo mine'
	term_wait '^mine$'
	run fg
	poll 30 last_line_is '3 |'
	touch go
	at_prompt
	screen_becomes 'screen' $'First.\na | b\n--|--\n1 | 2\n3 |' sed -e '/^First/,/Stopped/!d' -e '/Stopped/d' -e '/^$/d'
	becomes 'below' $'mine\n$ fg\nmc-chat -n -s s\n3 | a wide cell\n5 | 6\nThe end.\n>' \
		screen_from '^mine$'
}

@test "Ctrl-Z in a reply: the same for a single turn" {
	answers "$(stream '{"text":"First.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | "}' \
		'{"wait":"go"}' '{"text":"a wide cell |\n\nThe end.\n"}' "$END")"
	shell
	run 'mc-chat --no-save q1'
	term_wait '^3 \|$'
	term_keys C-z
	term_wait 'Stopped'
	run 'echo mine'
	term_wait '^mine$'
	run fg
	term_wait '^mc-chat --no-save q1$'
	touch go
	term_wait '^The end\.$'
	same 'below' $'mine\n$ fg\nmc-chat --no-save q1\n3 | a wide cell\nThe end.\n$' \
		"$(poll 30 last_line_is '$' && screen_from '^mine$')"
}

@test "Ctrl-Z in a reply: the same for who follows it" {
	answers "$(says one)" "$(stream '{"text":"First.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | "}' \
		'{"wait":"go"}' '{"text":"a wide cell |\n\nThe end.\n"}' "$END")"
	mc-chat --no-stdin -n -s s q1 >/dev/null
	shell
	run 'mc-session-cat -f -n 0 s'
	start_chat --no-stdin -s s q2
	term_wait '^3 \|$'
	term_keys C-z
	term_wait 'Stopped'
	run 'echo mine'
	term_wait '^mine$'
	run fg
	poll 30 last_line_is '3 |'
	touch go
	term_wait '^The end\.$'
	becomes 'below' $'mine\n$ fg\nmc-session-cat -f -n 0 s\n3 | a wide cell\nThe end.' screen_from '^mine$'
	end_chat
}

@test "Ctrl-Z in a reply: also a shell that sets no modes by itself has them as they were" {
	command -v dash >/dev/null || skip 'dash is not installed'
	answers "$(until_file go one)"
	term_start env 'PS1=$ ' dash -i
	run 'stty -g >before'
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^one$'
	term_keys C-z
	term_wait 'Stopped'
	run 'stty -g >after'
	poll 30 test -s after
	same 'the mode' "$(<before)" "$(<after)"
	run fg
	touch go
	term_wait 'end$'
	at_prompt
	same 'stored' complete "$(exchange s .status)"
}

@test "Ctrl-Z at the prompt, and fg shows it again" {
	export MC_PROVIDER=echo
	shell
	run 'stty -g >before'
	run 'mc-chat -n -s s'
	enter hello
	at_prompt
	term_keys C-z
	term_wait 'Stopped'
	run 'stty -g >after'
	same 'the mode' "$(<before)" "$(poll 30 test -s after && cat after)"
	run fg
	enter 'again'
	term_wait '^again$'
	enter /exit
	run 'stty -g >end'
	poll 30 test -s end
	same 'the mode' "$(<before)" "$(<end)"
	same 'prompts' $'hello\nagain' "$(prompts s)"
}

@test "a server that went away while the reply was stopped: what came is kept" {
	answers "$(stream '{"text":"half"}' '{"wait":"go"}' '{"reset":true}')" "$(says two)"
	shell
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^half$'
	term_keys C-z
	term_wait 'Stopped'
	touch go
	run fg
	term_wait 'what came is kept, and /retry asks again$'
	same 'stored' '["error","half"]' "$(exchange s '[.status, .answer] | tojson')"
	enter q2
	term_wait '^two$'
}

@test "a reply that goes on in the background leaves the terminal to the shell, and stops at the prompt" {
	answers "$(until_file go one)" "$(says two)"
	shell
	run 'stty -g >before'
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^one$'
	term_keys C-z
	term_wait 'Stopped'
	run 'bg'
	run 'stty -g >during'
	poll 30 test -s during
	same 'the mode' "$(<before)" "$(<during)"
	run 'echo typed at the shell'
	term_wait '^typed at the shell$'
	touch go
	poll 30 has_exchanges s 1
	term_keys Enter # the rest of the reply is behind the shell's prompt
	run 'until jobs | grep -q Stopped; do sleep 0.05; done; echo it waits'
	term_wait '^it waits$'
	run 'stty -g >after'
	poll 30 test -s after
	same 'the mode' "$(<before)" "$(<after)"
	run fg
	term_wait '^mc-chat -n -s s$'
	term_type q2
	term_keys Enter
	term_wait '^two$'
	same 'prompts' $'q1\nq2' "$(prompts s)"
}

@test "output that may not come from the background stops a reply there, and fg goes on" {
	answers "$(until_file go one)" "$(says two)"
	shell
	run 'stty tostop'
	run 'mc-chat -n -s s'
	enter q1
	term_wait '^one$'
	term_keys C-z
	term_wait 'Stopped'
	run 'bg'
	touch go
	run 'until jobs | grep -q Stopped; do sleep 0.05; done; echo it waits'
	term_wait '^it waits$'
	run fg
	term_wait 'end$'
	enter q2
	term_wait '^two$'
	same 'stored' '["complete","complete"]' "$(jq -s 'map(.status | select(.)) | tojson' -r "$(history s)")"
}

@test "a chat that is stopped by a signal, not a key, has its mode when it goes on" {
	answers "$(until_file go one)" "$(says two)"
	shell
	run "sh -c 'echo \$\$ >pid; exec mc-chat -n -s s'"
	enter q1
	term_wait '^one$'
	kill -STOP "$(<pid)"
	term_wait 'Stopped'
	run fg
	term_wait '^sh -c '
	term_type 'not in the reply'
	term_keys Enter
	touch go
	term_wait '^two$'
	at_prompt
	term_gone '^not in the reply'
	term_wait '^> not in the reply$'
}

# The indicator

@test "a reply that is late is waited for with the seconds, of which nothing stays" {
	answers "$(stream '{"wait":"go"}' '{"text":"one"}' "$END")"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^… 1 s$'
	touch go
	term_wait '^one$'
	at_prompt
	becomes 'screen' $'> q1\none\n>' screen_from '^> q1'
}

@test "the indicator gives way to an error, a notice and a countdown" {
	refusal=$(jq -nc '{status:429,headers:{"Retry-After":"2"},steps:[{wait:"go"},{send:"{}"}]}')
	answers "$refusal" "$(stream '{"wait":"go2"}' '{"reset":true}')"
	export MC_RETRIES=1
	term_start mc-chat -n -s s
	enter q1
	term_wait '^… 1 s$'
	touch go
	term_wait '^mc-chat: trying again in [12] s \(attempt 2 of 2\): '
	term_gone '^…'
	term_wait '^… [2-9] s$'
	term_gone 'trying again'
	touch go2
	term_wait '^mc-chat: after 2 attempts: .*'
	at_prompt
	term_gone '^…'
}

@test "a summary is waited for with the seconds, and Ctrl-C ends that, too" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"context": 4096, "autoCompact": true}' >"$HOME/.config/mcbox/config.json"
	held a 12
	answers "$(stream '{"hang":true}')" "$(says hello)"
	term_start -x 120 mc-chat -s a
	enter hi
	term_wait 'summing up its first 9 exchanges'
	term_wait '^… 1 s$'
	term_type 'ahead'
	term_keys C-c
	poll 30 last_line_is '> ahead'
	term_wait '^mc-chat: interrupted$'
	term_gone '^… [0-9]'
	same 'stored' '["hi","interrupted",""]' "$(exchange a '[.query, .status, .answer] | tojson')"
}

@test "mc-session-compact shows at a terminal that it waits" {
	held a 12
	answers "$(stream '{"wait":"go"}' '{"text":"They spoke of geese."}' "$END")"
	term_start mc-session-compact a
	term_wait '^… 1 s$'
	touch go
	same 'exit status' 0 "$(term_status)"
	screen_becomes 'screen' 'They spoke of geese.' sed '/^$/d'
}

@test "a session in use is waited for with the seconds" {
	export MC_PROVIDER=echo
	mc-chat -n -s s q1 >/dev/null
	term_start mc-chat -s s
	at_prompt
	lock_elsewhere "$(history s)"
	enter q2
	term_wait '^mc-chat: waiting for '
	term_wait '^… 1 s$'
	term_type 'q3'
	unlock_elsewhere
	poll 30 last_line_is '> q3'
	term_gone '^…'
}

@test "in 40 columns and in 300 a countdown is one line, and nothing of it stays" {
	for columns in 40 300; do
		answers "$(jq -nc '{status:429,headers:{"Retry-After":"2"},steps:[{send:"{}"}]}')" "$(says fine)"
		export MC_RETRIES=1
		term_start -x "$columns" mc-chat -n -s "s$columns"
		enter q1
		term_wait '^mc-chat: trying again in 2 s'
		becomes 'lines' 1 eval 'screen_from "^mc-chat: trying" | wc -l'
		term_wait '^fine$'
		at_prompt
		becomes 'screen' $'> q1\nfine\n>' screen_from '^> q1'
	done
}

@test "a window that is made narrower in a countdown or beside the indicator does no harm" {
	answers "$(jq -nc '{status:429,headers:{"Retry-After":"2"},steps:[{send:"{}"}]}')" \
		"$(stream '{"wait":"go"}' '{"text":"fine"}' "$END")"
	export MC_RETRIES=1
	term_start -x 200 mc-chat -n -s s
	enter q1
	term_wait '^mc-chat: trying again in 2 s'
	on_term resize-window -x 80
	term_wait '^… [2-9] s$'
	on_term resize-window -x 30
	touch go
	term_wait '^fine$'
	at_prompt
	becomes 'screen' $'> q1\nfine\n>' screen_from '^> q1'
}

@test "other terminals: what was waited for leaves nothing there, either" {
	for TERM in linux vt100 screen tmux-256color; do
		rm -f go
		answers "$(stream '{"wait":"go"}' '{"text":"one"}' "$END")"
		term_start mc-chat -n -s "$TERM"
		enter q1
		term_wait '^… 1 s$'
		touch go
		term_wait '^one$'
		at_prompt
		becomes 'screen' $'> q1\none\n>' screen_from '^> q1'
	done
}

@test "in script, a reply is waited for, and typed ahead of, as elsewhere" {
	command -v script >/dev/null || skip 'script is not installed'
	answers "$(stream '{"wait":"go"}' '{"text":"one"}' "$END")" "$(says two)"
	term_start script -q -c 'mc-chat -n -s s' log
	enter q1
	term_wait '^… 1 s$'
	term_type q2
	term_keys Enter
	touch go
	term_wait '^two$'
	enter /exit
	same 'exit status' 0 "$(term_status)"
	becomes 'screen' $'> q1\none\n> q2\ntwo\n> /exit' screen_from '^> q1'
}

@test "TERM=dumb: typing ahead works, and nothing is drawn" {
	export TERM=dumb
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	term_type q2
	term_keys Enter
	touch go
	term_wait '^two$'
	same 'prompts' $'q1\nq2' "$(prompts s)"
}

@test "a notice takes the indicator's place" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"context": 4096, "autoCompact": true}' >"$HOME/.config/mcbox/config.json"
	held a 12
	answers '{"status":400,"steps":[{"wait":"go"},{"send":"{}"}]}' "$(says hello)"
	term_start -x 120 mc-chat -s a
	enter hi
	term_wait '^… 1 s$'
	touch go
	term_wait '^mc-chat: the conversation could not be summed up'
	term_wait '^hello$'
	term_gone '^… [0-9]'
}

# What stands at the prompt

@test "Ctrl-C: what was typed ahead of it is not sent by itself" {
	answers "$(stream '{"text":"half"}' '{"hang":true}')" "$(says two)" "$(says three)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^half$'
	term_type 'rm all of it'
	term_keys Enter
	term_type 'and more'
	term_keys C-c
	term_wait '^mc-chat: interrupted$'
	poll 30 last_line_is 'and more'
	has_exchanges s 1
	term_keys Enter
	term_wait '^two$'
	same 'prompts' $'q1\nrm all of it\nand more' "$(prompts s)"
	same 'number of exchanges' 2 "$(count s)"
}

@test "a page that is pasted in a reply is one prompt" {
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	seq -f 'line %g of the page' 5000 >page
	on_term load-buffer page
	on_term paste-buffer -p
	touch go
	poll 60 last_line_is 'line 5000 of the page'
	term_keys Enter
	poll 30 has_exchanges s 2
	same 'the prompt' "$(<page)" "$(exchange s .query)"
}

@test "pastes and keys that are typed ahead keep their order" {
	answers "$(until_file go one)" "$(says two)"
	term_start mc-chat -n -s s
	enter q1
	term_wait '^one$'
	for i in 1 2 3 4 5; do
		seq -f "line %g of page $i" 200 >page
		on_term load-buffer page
		on_term paste-buffer -p
		term_type "typed $i"
	done
	touch go
	poll 60 last_line_is 'typed 5'
	term_keys Enter
	poll 30 has_exchanges s 2
	want=$(for i in 1 2 3 4 5; do
		seq -f "line %g of page $i" 200
		printf 'typed %s' "$i"
	done)
	same 'the prompt' "$want" "$(exchange s .query)"
}
