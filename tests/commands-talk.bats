# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell
# The commands of a conversation that change it: what they say, what is in the history afterwards, and
# that mc-session-fsck has nothing to say of that.

load helper
load wire
load prompt

setup() {
	fresh
	export MC_PROVIDER=echo
}

teardown() {
	local clean=0
	if [[ -d $MC_SESSIONS_DIR ]]; then
		mc-session-fsck || clean=1
	fi
	cleanup || clean=1
	return "$clean"
}

# enter TEXT...: lines, each typed at the prompt, until there is the next one.
enter() {
	local line
	for line; do
		type_line "$line"
		term_keys Enter
	done
	at_prompt
}

# story ID: the records of a history, one letter or so each.
story() {
	jq -r 'if .type == "exchange" then (if .replaces then "< " else "" end) + .query + {complete: "", error: "!", interrupted: "~"}[.status]
		elif .type == "rewind" then "<" elif .type == "change" then "+" + .title
		else empty end' "$(history "$1")" | paste -sd ' ' -
}

# said ID, answers_of ID: the conversation, as its queries and its answers.
said() { mc-session-cat "$1" | sed -n 's/^> //p' | paste -sd ' ' -; }
answers_of() { mc-session-cat "$1" | grep -v -e '^$' -e '^> '; }

# /undo

@test "/undo takes the last exchange out, and tells which" {
	term_start -x 120 mc-chat -n -s s
	enter one two three
	enter /undo
	term_wait '^Taken out of the conversation, but not of its file: three$'
	same 'conversation' 'one two' "$(said s)"
	same 'history' 'one two three <' "$(story s)"
	same 'listed' '2 one two' "$(mc-session-ls --json | jq -r '"\(.exchangeCount) \(.firstQuery) \(.lastQuery)"')"
	enter '/undo 2'
	term_wait 'its file: one; two$'
	same 'conversation' '' "$(said s)"
	same 'listed' '0 null null' "$(mc-session-ls --json | jq -r '"\(.exchangeCount) \(.firstQuery) \(.lastQuery)"')"
	enter four
	same 'conversation' four "$(said s)"
	same 'history' 'one two three < < four' "$(story s)"
}

@test "after /undo the model is not told what was taken out" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	term_start -x 120 mc-chat -n -s s
	enter q1 q2 /undo q3
	same 'messages' $'user: q1\nassistant: a1\nuser: q3' "$(messages)"
}

@test "/undo refuses what cannot be, and changes nothing" {
	term_start -x 120 mc-chat -n -s s
	enter /undo
	term_wait '^mc-chat: there is no exchange in the conversation$'
	enter one '/undo 2'
	term_wait '^mc-chat: there is only 1 exchange in the conversation$'
	enter '/undo x'
	term_wait "^mc-chat: the number of exchanges"
	enter '/undo 0'
	same 'history' one "$(story s)"
}

@test "/undo takes out an exchange that failed, and one that was interrupted" {
	answers "$(says a1)" "$(refuses 500 '{"error":"no room"}')" "$(stream '{"text":"half an"}' '{"hang":true}')"
	term_start -x 120 mc-chat -n -s s
	enter q1 q2 /undo
	term_wait 'its file: q2$'
	at_prompt
	term_type q3
	term_keys Enter
	term_wait '^half an$'
	term_keys C-c
	enter /undo
	term_wait 'its file: q3$'
	same 'history' 'q1 q2! < q3~ <' "$(story s)"
	same 'conversation' q1 "$(said s)"
}

@test "/undo takes out what another process said, and says so" {
	term_start -x 120 mc-chat -n -s s
	enter one
	mc-chat -s s theirs
	enter /undo
	term_wait 'its file: theirs$'
	same 'conversation' one "$(said s)"
}

@test "/undo waits for a session in use, and Ctrl-C gives that up" {
	term_start -x 120 mc-chat -n -s s
	enter one two
	lock_elsewhere "$(history s)"
	term_type /undo
	term_keys Enter
	term_wait '^mc-chat: waiting for .*using session .s.'
	term_keys C-c
	at_prompt
	same 'history' 'one two' "$(story s)"
	term_type /undo
	term_keys Enter
	poll 30 shows_twice '^mc-chat: waiting for'
	unlock_elsewhere
	term_wait 'its file: two$'
	at_prompt
	same 'history' 'one two <' "$(story s)"
}

shows_twice() { [[ $(term_screen | grep -c "$1") == 2 ]]; }

@test "/undo does not take out what came while it waited" {
	term_start -x 120 mc-chat -n -s s
	enter one two
	lock_elsewhere "$(history s)"
	term_type /undo
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	echo '{"type":"exchange","id":"x","timestamp":1,"query":"theirs","answer":"a","model":"m","status":"complete"}' \
		>>"$(history s)"
	unlock_elsewhere
	term_wait "another process has continued session 's'"
	enter three # brings the index up to date
	same 'history' 'one two theirs three' "$(story s)"
}

# /retry

@test "/retry asks the last prompt again, in the place of the last exchange" {
	answers "$(says a1)" "$(says bad)" "$(says good)" "$(says a3)"
	term_start -x 120 mc-chat -n -s s
	enter q1 q2 /retry
	term_wait '^Asking again: q2$'
	term_wait '^good$'
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
	same 'history' 'q1 q2 < q2' "$(story s)"
	[[ ! -e $MC_SESSIONS_DIR/s/turn.partial ]]
	same 'the last exchange, what it follows and what it replaces' 'q2 q1 q2' "$(jq -rs '
		map({(.id): .query}) as $q | last | .query, ($q | add)[.parent], ($q | add)[.replaces]' \
		<(jq -c 'select(.query)' "$(history s)") | paste -sd ' ' -)"
	same 'answers' $'a1\ngood' "$(answers_of s)"
	enter q3
	same 'messages' $'user: q1\nassistant: a1\nuser: q2\nassistant: good\nuser: q3' "$(messages)"
}

@test "/retry takes no place when another process has continued the session" {
	answers "$(says a1)"
	term_start -x 120 mc-chat -n -s s
	enter q1
	lock_elsewhere "$(history s)"
	term_type /retry
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	jq -c 'select(.query) | .parent = .id | .id = "x" | .timestamp += 1 | .query = "theirs"' "$(history s)" >theirs
	cat theirs >>"$(history s)"
	unlock_elsewhere
	term_wait "^mc-chat: another process has continued session 's'$"
	at_prompt
	same 'history' 'q1 theirs' "$(story s)"
	enter q2 # brings the index up to date
}

@test "/retry of the only exchange" {
	answers "$(says bad)" "$(says good)"
	term_start -x 120 mc-chat -n -s s
	enter q1 /retry
	same 'messages' 'user: q1' "$(messages)"
	same 'history' 'q1 < q1' "$(story s)"
	same 'what they follow' null,null "$(jq -r 'select(.query).parent' "$(history s)" | paste -sd, -)"
}

@test "a /retry that fails leaves the answer where it is, and can be repeated" {
	answers "$(says a1)" "$(says old)" "$(refuses 500 '{"error":"no room"}')" "$(says new)"
	term_start -x 120 mc-chat -n -s s
	enter q1 q2 /retry
	term_wait 'the server answered 500: no room'
	term_wait '^The earlier answer stays in its place; what came of this one is in the session.s file$'
	same 'answers' $'a1\nold' "$(answers_of s)"
	same 'history' 'q1 q2 < q2! <' "$(story s)"
	mc-session-fsck
	enter /retry
	term_wait '^new$'
	same 'answers' $'a1\nnew' "$(answers_of s)"
	same 'history' 'q1 q2 < q2! < < q2' "$(story s)"
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
}

@test "a /retry that is interrupted gives no complete answer's place to half of one" {
	answers "$(says whole)" "$(stream '{"text":"half an"}' '{"hang":true}')"
	term_start -x 120 mc-chat -n -s s
	enter q1
	term_type /retry
	term_keys Enter
	term_wait '^half an$'
	term_keys C-c
	term_wait '^The earlier answer stays'
	at_prompt
	same 'answers' whole "$(answers_of s)"
	same 'all of it' $'whole\nhalf an' "$(jq -r 'select(.answer).answer' "$(history s)")"
}

@test "/retry of a failed and of an interrupted exchange takes their place" {
	answers "$(refuses 500 '{"error":"no room"}')" "$(stream '{"text":"half an"}' '{"hang":true}')" "$(says whole)"
	term_start -x 120 mc-chat -n -s s
	enter q1
	term_type /retry
	term_keys Enter
	term_wait '^half an$'
	term_keys C-c
	enter /retry
	term_wait '^whole$'
	same 'messages' 'user: q1' "$(messages)"
	same 'history' 'q1! < q1~ < q1' "$(story s)"
	same 'conversation' q1 "$(said s)"
}

@test "/retry sends the attachments of the prompt again, and they do not go along with the next" {
	printf 'the content\n' >note.txt
	answers "$(says a1)" "$(says a2)" "$(refuses 500 '{"error":"no room"}')" "$(says a3)"
	term_start -x 120 mc-chat -n -s s -a note.txt
	enter q1
	rm note.txt # it is with the session
	enter /retry
	has 'request' "$(request)" 'the content'
	enter /retry
	term_wait 'no room'
	enter q2
	same 'times in the request' 1 "$(request | grep -o 'the content' | wc -l)"
	same 'attachments' $'note.txt\nnote.txt\nnote.txt\n-' \
		"$(jq -r 'select(.query) | .attachments[0].name // "-"' "$(history s)")"
	same 'contents' 1 "$(find "$MC_SESSIONS_DIR/s/artifacts" -type f | wc -l)"
}

@test "/retry of a prompt that failed with its attachments sends them once" {
	printf 'the content\n' >note.txt
	answers "$(refuses 500 '{"error":"no room"}')" "$(says a2)"
	term_start -x 120 mc-chat -n -s s -a note.txt
	enter q1 /retry
	same 'times in the request' 1 "$(request | grep -o 'the content' | wc -l)"
	same 'attachments' '1 1' "$(jq -r 'select(.query).attachments | length' "$(history s)" | xargs)"
}

@test "/retry of a prompt that was never stored asks it as it was" {
	answers "$(says a1)" "$(says a2)"
	term_start -x 120 mc-chat -n -s s
	enter q1
	lock_elsewhere "$(history s)"
	term_type q2
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	term_keys C-c
	at_prompt
	unlock_elsewhere
	enter /retry
	term_wait '^Asking again: q2$'
	same 'history' 'q1 q2' "$(story s)"
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages)"
}

@test "/retry without a prompt says so" {
	term_start -x 120 mc-chat -n -s s
	enter /retry
	term_wait '^mc-chat: there is no prompt yet to ask again$'
	enter '/retry x'
	term_wait '^mc-chat: /retry takes no operand '
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "a command that takes no operand refuses one, and is not obeyed" {
	term_start -x 120 -y 60 mc-chat -n -s s
	enter one
	for line in '/help me' '/retry now' '/edit it' '/usage all' '/exit now' '/quit  please'; do
		enter "$line"
		line=${line#/}
		term_wait "^mc-chat: /${line%% *} takes no operand \(a prompt may start with a space and then a slash\)$"
	done
	term_type '/exit  '
	term_keys Enter
	same 'exit status' 0 "$(term_status)"
	same 'history' 'one' "$(story s)"
}

@test "/retry of what another process asked" {
	term_start -x 120 mc-chat -n -s s
	enter one
	mc-chat -s s theirs
	enter /retry
	term_wait '^Asking again: theirs$'
	same 'history' 'one theirs < theirs' "$(story s)"
}

@test "a summary that stands for what is asked again is not of use in the request, and another one is" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	term_start -x 120 mc-chat -n -s s
	enter q1 q2
	id=$(jq -r 'select(.query == "q1").id' "$(history s)")
	all=$(jq -r 'select(.query == "q2").id' "$(history s)")
	for up in "$id" "$all"; do
		printf '{"type":"summary","timestamp":1,"upTo":"%s","text":"the gist up to %s","model":"m"}\n' "$up" "$up" >>"$(history s)"
	done
	enter /retry
	has 'request' "$(request)" "the gist up to $id"
	[[ $(request) != *"the gist up to $all"* ]]
}

@test "/undo and /retry with --no-save are of what is remembered" {
	answers "$(says a1)" "$(says a2)" "$(says a3)" "$(refuses 500 '{"error":"no room"}')" "$(says a4)" "$(says a5)"
	term_start -x 120 mc-chat --no-save
	enter q1 q2 /undo
	term_wait '^Taken out of the conversation: q2$'
	enter q3
	same 'messages' $'user: q1\nassistant: a1\nuser: q3' "$(messages)"
	enter /retry
	term_wait '^The earlier answer stays in its place$'
	same 'messages' $'user: q1\nassistant: a1\nuser: q3' "$(messages)"
	enter q4
	same 'messages' $'user: q1\nassistant: a1\nuser: q3\nassistant: a3\nuser: q4' "$(messages)"
	enter /retry
	same 'messages' $'user: q1\nassistant: a1\nuser: q3\nassistant: a3\nuser: q4' "$(messages)"
	enter q5
	same 'messages' $'user: q1\nassistant: a1\nuser: q3\nassistant: a3\nuser: q4\nassistant: a5\nuser: q5' "$(messages)"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "a conversation whose first model does not exist goes on with another, under the same id" {
	answers "$(refuses 404 '{"error":{"message":"The model `typo` does not exist","code":"model_not_found"}}')" \
		"$(says a1)" "$(says a2)"
	term_start -x 200 mc-chat -n -s s -m typo -t Title
	enter q1
	term_wait "; session 's' is not kept: choose another with /model, and /retry"
	at_prompt
	same 'sessions' 0 "$(sessions)"
	enter '/model right' /retry
	term_wait '^a1$'
	enter q2
	term_wait '^a2$'
	same 'conversation' 'q1 q2' "$(said s)"
	same 'models' 'right right right' "$(jq -r 'select(.model).model' "$(history s)" | xargs)"
	same 'listed' 's Title' "$(mc-session-ls --json | jq -r '.id + " " + .title')"
	run_split mc-session-fsck
	assert_status 0
}

# /edit

# edited_by SCRIPT: what the editor does with the file "$1".
edited_by() {
	printf '#!/bin/sh\n%s\n' "$1" >editor
	chmod +x editor
	export EDITOR=$PWD/editor
}

@test "/edit asks what was saved in the place of the last exchange" {
	answers "$(says a1)" "$(says bad)" "$(says good)"
	edited_by 'cp "$1" was; printf "q2, but\nbetter\n" >"$1"'
	term_start -x 120 mc-chat -n -s s
	enter q1 q2 /edit
	term_wait '^good$'
	term_wait '^> q2, but$'
	term_wait '^> better$'
	same 'in the editor' q2 "$(<was)"
	same 'messages' $'user: q1\nassistant: a1\nuser: q2, but\nbetter' "$(messages)"
	same 'conversation' 'q1 q2, but better' "$(jq -r 'select(.query).query' "$(history s)" | sed '2d' | paste -sd ' ' -)"
	same 'history' 'q1 q2 < q2, but better' "$(story s)"
	same 'answers' $'a1\ngood' "$(answers_of s)"
	same 'typed' $'q1\nq2\n/edit\nq2, but\nbetter' "$(jq -r .text "$HOME/.local/state/mcbox/typed.jsonl")"
}

@test "/edit of nothing new, or of nothing, asks nothing" {
	edited_by 'touch "$1"'
	term_start -x 120 mc-chat -n -s s
	enter /edit
	term_wait '^It is empty; nothing is asked$'
	enter one /edit
	term_wait '^It is as it was; nothing is asked$'
	edited_by 'echo "  " >"$1"'
	enter /edit
	term_wait '^Nothing is asked: the prompt is empty$'
	edited_by 'exit 3'
	enter /edit
	term_wait '^mc-chat: the editor .* failed with status 3'
	enter '/edit x'
	term_wait '^mc-chat: /edit takes no operand '
	same 'history' one "$(story s)"
}

@test "/edit begins a conversation, and /etc is a prompt there" {
	edited_by 'echo "/etc is a folder" >"$1"'
	term_start -x 120 mc-chat -n -s s
	enter /edit
	term_wait '^/etc is a folder$' # the reply: the prompt may look the same before it is asked
	same 'conversation' '/etc is a folder' "$(said s)"
}

@test "/edit keeps the attachments, and takes those that it mentions, each once" {
	printf 'the first content\n' >a.txt
	printf 'the second content\n' >b.txt
	answers "$(says a1)" "$(says a2)"
	edited_by 'echo "see @a.txt and @b.txt" >"$1"'
	term_start -x 120 mc-chat -n -s s -a a.txt
	enter q1 /edit
	same 'attachments' 'b.txt a.txt' "$(exchange s '[.attachments[].name] | sort | reverse | join(" ")')"
	same 'times in the request' 1 "$(request | grep -o 'the first content' | wc -l)"
}

@test "what /edit could not send is not lost" {
	edited_by 'echo "all new" >"$1"'
	term_start -x 120 mc-chat -n -s s
	enter one
	edited_by "echo 'all new' >\"\$1\"; flock '$(history s)' sh -c 'touch held; exec $ROOT/tests/await free' & exec $ROOT/tests/await held"
	term_type /edit
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	term_keys C-c
	at_prompt
	touch free
	enter /retry
	term_wait '^Asking again: all new$'
	same 'history' 'one < all new' "$(story s)"
}

# /new and /use

@test "/new begins another session with its first prompt, and nothing leaks into it" {
	printf 'the content\n' >note.txt
	answers "$(says a1)" "$(says a2)"
	term_start -x 120 mc-chat -n -s s -S 'be brief' -t 'My title' -m mine -o temperature=0.5 -a note.txt
	enter /new
	same 'number of sessions' 0 "$(sessions)"
	id=$(term_screen | sed -n 's/^Session: \([a-z0-9]*\).*/\1/p' | tail -n 1)
	enter q1
	same 'messages' 'user: q1' "$(messages)"
	same 'model and parameter' 'mine 0.5' "$(request | jq -r '"\(.body.model) \(.body.temperature)"')"
	same 'head' '[null,null,"mine"]' "$(head -n 1 "$(history "$id")" | jq -c '[.title, .system, .model]')"
	same 'sessions' "$id" "$(mc-session-ls -q)"
	same 'attachments' null "$(exchange "$id" .attachments)"
}

@test "/new -m and -p choose, an alias brings its provider, and a failure leaves all as it was" {
	export MC_CONFIG=$PWD/config.json
	echo '{"aliases":{"loud":{"provider":"echo","model":"shout"}}}' >config.json
	answers "$(says a1)" "$(says a2)"
	term_start -x 120 mc-chat -n -s s
	enter q1 '/new -p nosuch'
	term_wait "^mc-chat: unknown provider 'nosuch'"
	enter '/new -x' '/new hello' '/new -p "echo'
	term_wait "^mc-chat: unknown option '-x'"
	term_wait "^mc-chat: /new takes -p PROVIDER and -m MODEL, and no 'hello'"
	term_wait '^mc-chat: a quote is not closed'
	enter q2
	same 'history' 'q1 q2' "$(story s)"
	enter '/new -m loud' q3
	same 'new one' 'echo shout' "$(mc-session-ls --json -n 1 | jq -r '"\(.provider) \(.model)"')"
	enter '/new -m "a model"' q4
	same 'new one' 'echo a model' "$(mc-session-ls --json -n 1 | jq -r '"\(.provider) \(.model)"')"
	enter '/new -p openai-compatible' q5
	same 'new one' 'openai-compatible test-model' "$(mc-session-ls --json -n 1 | jq -r '"\(.provider) \(.model)"')"
}

@test "one connection serves a whole conversation, over /new and /use" {
	answers '{"keepalive":true,"steps":[{"text":"a"},{"finish":"stop"},{"done":true}]}'
	term_start -x 120 mc-chat -n -s s
	enter q1 /new q2 '/use s' q3
	same 'connections' 1,1,1 "$(jq -r .connection "$SERVER_LOG" | paste -sd, -)"
	same 'history' 'q1 q3' "$(story s)"
}

@test "/use goes on with another session, by the beginning of its id" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	export MC_PROVIDER=openai-compatible
	mc-chat -n -s first p1 >/dev/null
	term_start -x 120 mc-chat -n -s second -t 'Not mine'
	enter q1 '/use fi'
	term_wait '^Session: first \(resumed, 1 exchange\)  '
	term_wait '^> p1$'
	enter p2
	same 'messages' $'user: p1\nassistant: a1\nuser: p2' "$(messages)"
	same 'histories' 'p1 p2, q1' "$(story first), $(story second)"
}

@test "recent sessions take a line each, in a narrow window too" {
	mc-chat -n -s a-session-with-a-long-name 'a prompt that is long enough to be cut' >/dev/null
	term_start -x 50 -y 20 mc-session-cat nosuch
	term_wait '^  a-session-with-a-long-name  20..-..-.. ..:..  .*…$'
	mc-chat -n -s short 'another prompt' >/dev/null
	run_split mc-session-cat nosuch
	assert_status 1
	same 'lines of the sessions' "  short                       DATE  another prompt
  a-session-with-a-long-name  DATE  a prompt that is long enough to be cut" \
		"$(sed -n 's/20..-..-.. ..:../DATE/p' <<<"$err")"
}

@test "/use of what is not there, or ambiguous, stays in the session" {
	mc-chat -n -s other1 p1 >/dev/null
	mc-chat -n -s other2 p1 >/dev/null
	term_start -x 120 -y 40 mc-chat -n -s s
	enter q1 '/use other'
	term_wait "^mc-chat: session id 'other' is ambiguous: other"
	enter '/use nosuch'
	term_wait "^mc-chat: no session 'nosuch'$"
	term_wait '^Recent sessions:$'
	enter /use '/use a b'
	term_wait '^mc-chat: /use takes the id of a session'
	enter q2
	same 'history' 'q1 q2' "$(story s)"
}

@test "/use of a session with another provider" {
	answers "$(says a1)"
	MC_PROVIDER=echo mc-chat -n -s loud p1 >/dev/null
	term_start -x 120 mc-chat -n -s s
	enter q1 '/use loud' p2
	term_wait '^p2$'
	enter '/use s' q2
	same 'histories' 'q1 q2, p1 p2' "$(story s), $(story loud)"
}

# /model, /system, /title

@test "/model asks another model from the next prompt on, and the session remembers it" {
	answers "$(says a1)" "$(says a2)" "$(says a3)"
	term_start -x 120 mc-chat -n -s s
	enter q1 '/model other'
	term_wait '^Model: other, from the next prompt on$'
	same 'history' q1 "$(story s)"
	enter q2 q3
	same 'models' 'test-model other other' "$(jq -r 'select(.query).model' "$(history s)" | xargs)"
	same 'history' 'q1 q2 q3' "$(story s)"
	enter /model
	term_wait '^Model: other, of openai-compatible$'
}

@test "/model stays when its first prompt fails, and /retry asks it" {
	answers "$(says a1)" "$(refuses 500 '{"error":"no room"}')" "$(says a2)" "$(says a3)"
	term_start -x 120 mc-chat -n -s s
	enter q1 '/model other' q2 /retry q3
	same 'models asked' 'test-model other other other' "$(jq -r .body.model "$SERVER_LOG" | xargs)"
	same 'history' 'q1 q2! < q2 q3' "$(story s)"
}

@test "/model takes aliases, and refuses that of another provider" {
	export MC_CONFIG=$PWD/config.json
	echo '{"aliases":{"quick":"small-model","loud":{"provider":"anthropic","model":"x"}}}' >config.json
	term_start -x 160 mc-chat -n -s s
	enter '/model quick' q1 '/model loud'
	term_wait "^mc-chat: 'loud' stands for a model of anthropic, .* is echo; '/new -m loud' begins one with it$"
	enter '/model ""' '/model a b' q2
	term_wait "^mc-chat: the model's name is empty$"
	same 'models' 'small-model small-model' "$(jq -r 'select(.query).model' "$(history s)" | xargs)"
	same 'head' small-model "$(head -n 1 "$(history s)" | jq -r .model)"
}

@test "/model lists what the provider was last known to offer, and tells a slip" {
	server_start '{"models":[{"headers":{"Content-Type":"application/json"},"steps":[{"send":"{\"object\":\"list\",\"data\":[{\"id\":\"alpha\"},{\"id\":\"beta\"}]}"}]}]}'
	mc-models >/dev/null
	term_start -x 120 mc-chat -n -s s
	enter /model
	term_wait '^It offers alpha, beta; mc-models tells more$'
	enter '/model alpah'
	term_wait '^It is not among the models .*; similar: alpha$'
	same 'requests' GET "$(jq -r .method "$SERVER_LOG" | sort -u)"
}

@test "/system before the first prompt, and never after it" {
	answers "$(says a1)" "$(says a2)"
	term_start -x 120 mc-chat -n -s s -S 'be long'
	enter /system
	term_wait '^be long$'
	enter '/system be  brief' q1
	same 'messages' $'system: be  brief\nuser: q1' "$(messages)"
	enter '/system be rude'
	term_wait "^mc-chat: a session keeps its system prompt; '/new' and then '/system TEXT' begin one"
	enter /system
	term_wait '^be  brief$'
	enter /new '/system ""'
	term_wait '^There will be no system prompt$'
	enter q2
	same 'messages' 'user: q2' "$(messages)"
}

@test "/title is stored at once, in the list as well, and can be taken away" {
	term_start -x 120 mc-chat -n -s s
	enter q1 '/title My  "own" title'
	term_wait '^Title: My "own" title$'
	same 'title' 'My  "own" title' "$(mc-session-ls --json | jq -r .title)"
	same 'history' 'q1 +My  "own" title' "$(story s)"
	same 'number of exchanges' 1 "$(mc-session-ls --json | jq .exchangeCount)"
	enter '/title My  "own" title' # nothing new
	same 'history' 'q1 +My  "own" title' "$(story s)"
	mc-session-fsck
	enter '/title ""'
	term_wait '^There is no title; the first prompt stands for it: q1$'
	same 'title' null "$(mc-session-ls --json | jq -r .title)"
	enter /title
}

@test "/title of a session that is yet to be made goes into its head, over -t" {
	term_start -x 120 mc-chat -n -s s -t 'Old'
	enter '/title New'
	[[ ! -e $MC_SESSIONS_DIR ]]
	enter q1
	same 'title' New "$(head -n 1 "$(history s)" | jq -r .title)"
	same 'history' q1 "$(story s)"
	mc-chat -s s -t Theirs q2
	enter q3 /title
	term_wait '^Title: Theirs$'
	same 'history' 'q1 +Theirs q2 q3' "$(story s)"
}

@test "a title with a control character is shown harmless" {
	term_start -x 120 mc-chat -n -s s
	enter q1
	mc-chat -s s -t $'a\e]52;c;Zm9v\ab' q2 >/dev/null
	enter /title
	term_wait '^Title: a\^\[\]52;c;Zm9v\^Gb$'
}

# Sessions that go

@test "commands in a session that was removed say so, and the next prompt goes on" {
	term_start -x 120 -y 40 mc-chat -n -s s
	enter q1
	mc-session-rm -f s
	for command in /undo /retry '/title x' /title '/model m' /system; do
		enter "$command"
	done
	screen_becomes 'sentences' 6 grep -c "^mc-chat: session 's' was removed; the next prompt begins it anew"
	enter q2
	same 'number of sessions' 1 "$(sessions)"
	id=$(mc-session-ls -q)
	enter /undo
	same 'history' 'q2 <' "$(story "$id")"
}

@test "a session that is removed while a command waits for it" {
	term_start -x 120 mc-chat -n -s s
	enter q1
	lock_elsewhere "$(history s)"
	term_type '/title x'
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	mv "$MC_SESSIONS_DIR/s" gone
	unlock_elsewhere
	term_wait "^mc-chat: session 's' was removed"
	mv gone "$MC_SESSIONS_DIR/s"
}

@test "a hang-up while a command waits ends the conversation" {
	term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	enter q1
	lock_elsewhere "$(history s)"
	term_type /undo
	term_keys Enter
	term_wait '^mc-chat: waiting for'
	kill -TERM "$(<pid)"
	same 'exit status' 143 "$(term_status)"
	unlock_elsewhere
	same 'history' q1 "$(story s)"
}

# A title that the model makes

# with_titles RESPONSE...: a server, and the setting.
with_titles() {
	export MC_CONFIG=$PWD/config.json
	echo '{"autoTitle":true}' >config.json
	answers "$@"
}

titled() { [[ $(mc-session-ls --json | jq -r .title) == "$1" ]]; }
requested() { [[ -e $SERVER_LOG && $(wc -l <"$SERVER_LOG") == "$1" ]]; }

@test "autoTitle: the model is asked for a title after the first exchange, and the prompt is there at once" {
	with_titles "$(says 'At noon.')" \
		'{"steps":[{"wait":"go"},{"text":"\"Tea at noon\"\n"},{"finish":"stop"},{"usage":{"prompt_tokens":40,"completion_tokens":4,"total_tokens":44}},{"done":true}]}' \
		"$(says a2)"
	term_start mc-chat -n -s s
	enter 'When is tea?' # which waits for the next prompt
	poll 30 requested 2
	has 'request' "$(messages)" 'When is tea?'
	has 'request' "$(messages)" 'At noon.'
	same 'title' null "$(mc-session-ls --json | jq -r .title)"
	touch go
	poll 30 titled 'Tea at noon'
	enter /title
	term_wait '^Title: Tea at noon$'
	same 'history' 'When is tea? +Tea at noon' "$(story s)"
	same 'tokens' 44 "$(mc-session-ls --json | jq .usageTotals.totalTokens)"
	same 'tokens of it' 44 "$(jq 'select(.type == "change").tokenUsage.totalTokens' "$(history s)")"
	enter q2
	same 'messages' $'user: When is tea?\nassistant: At noon.\nuser: q2' "$(messages)"
	same 'requests' 3 "$(wc -l <"$SERVER_LOG")"
}

@test "autoTitle: a new prompt gives it up, and it is tried again after that" {
	with_titles "$(says a1)" '{"steps":[{"hang":true}]}' "$(says a2)" "$(says 'A title')"
	term_start mc-chat -n -s s
	enter q1
	poll 30 requested 2
	enter q2
	poll 30 titled 'A title'
	same 'messages' $'user: q1\nassistant: a1\nuser: q2' "$(messages 3)"
	has 'request' "$(messages)" q1
	same 'history' 'q1 q2 +A title' "$(story s)"
}

@test "autoTitle: to leave gives it up, and leaves no process behind" {
	with_titles "$(says a1)" '{"steps":[{"hang":true}]}'
	term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	enter q1
	poll 30 requested 2
	child=$(cat "/proc/$(<pid)/task/$(<pid)/children")
	[[ $child ]]
	enter_last /exit
	same 'exit status' 0 "$(term_status)"
	[[ ! -e /proc/${child// /} ]]
	same 'history' q1 "$(story s)"
}

enter_last() {
	term_type "$1"
	term_keys Enter
}

@test "autoTitle: Ctrl-C at the prompt is not meant for it" {
	with_titles "$(says a1)" '{"steps":[{"wait":"go"},{"text":"A title"},{"finish":"stop"},{"done":true}]}'
	term_start mc-chat -n -s s
	enter q1
	poll 30 requested 2
	term_keys C-c
	term_wait 'Ctrl-C again leaves'
	touch go
	poll 30 titled 'A title'
}

@test "autoTitle: that it failed is not told, and after three times it is left alone" {
	local no
	no=$(refuses 500 '{"error":"no room"}')
	with_titles "$(says a1)" "$no" "$(says a2)" "$(says '**')" "$(says a3)" "$no" "$(says a4)"
	term_start bash -c 'echo $$ >pid; exec mc-chat -n -s s'
	enter q1
	poll 30 requested 2
	enter q2
	poll 30 requested 4
	enter q3
	poll 30 requested 6
	enter q4
	same 'processes' '' "$(cat "/proc/$(<pid)/task/$(<pid)/children")"
	screen_becomes 'screen' $'> q1\na1\n> q2\na2\n> q3\na3\n> q4\na4\n>' sed -e '/^> q1/,$!d' -e '/^$/d'
	same 'history' 'q1 q2 q3 q4' "$(story s)"
}

@test "autoTitle: not where there is a title, or was one, nor without the setting, nor for one prompt" {
	with_titles "$(says a)"
	term_start mc-chat -n -s s -t Mine
	enter q1
	term_start mc-chat -n -s bare
	enter '/title x' q1 '/title ""' q2
	trace calls clone,clone3,fork,vfork mc-chat -n -s one q1
	refute grep SIGCHLD calls
	same 'requests' 4 "$(wc -l <"$SERVER_LOG")"
	echo '{}' >config.json
	term_start mc-chat -n -s without
	enter q1 q2
	same 'requests' 6 "$(wc -l <"$SERVER_LOG")"
}

@test "autoTitle: the connection of the conversation stays its own" {
	keep='"keepalive":true,"steps"'
	with_titles "{$keep:[{\"text\":\"a1\"},$END]}" "{$keep:[{\"text\":\"A title\"},$END]}" "{$keep:[{\"text\":\"a2\"},$END]}"
	term_start mc-chat -n -s s
	enter q1
	poll 30 titled 'A title'
	enter q2
	same 'connections' 1,2,1 "$(jq -r .connection "$SERVER_LOG" | paste -sd, -)"
}
