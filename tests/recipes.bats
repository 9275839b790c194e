#!/usr/bin/env bats
# The jq recipes of mc-session(5), taken from the page and run on histories with branches.

load helper
load craft

# recipe NAME: what the page shows in this subsection of EXAMPLES.
recipe() {
	awk -v name="$1" '/^\.S[sh] /{ on = substr($0, 5) == name } !on { next } /^\.Ed/ { exit }
		literal { print } /^\.Bd -literal/ { literal = 1 }' "$ROOT/man/mc-session.5" |
		sed 's/\\e/\\/g; s/\\(aq/'\''/g; s/\\(dq/"/g; s/\\&//g'
}

# try NAME: runs it where the page says. It must be there.
try() {
	recipe "$1" >recipe
	[[ -s recipe ]] || differs "a recipe '$1' in the page" ''
	(cd "$MC_SESSIONS_DIR" && bash -eu ../recipe) >out 2>err || differs "'$1' to work" "$(<err)"
	same "nothing on standard error of '$1'" '' "$(<err)"
}

# gives NAME LINE...: its whole output.
gives() {
	try "$1"
	same "the output of '$1'" "$(printf '%s\n' "${@:2}")" "$(<out)"
}

# ask ID PARENT SECONDS [MEMBERS]: an exchange; PARENT is JSON, or empty for none.
ask() {
	printf '{"type":"exchange","id":"%s"%s,"timestamp":%d,"query":"ask %s","answer":"reply %s","summary":null,"model":"m1","status":"complete"%s}\n' \
		"$1" "${2:+,\"parent\":$2}" $((1700000000000 + $3 * 1000)) "$1" "$1" "${4-}"
}

setup() {
	fresh
	mkdir -m 700 "$MC_SESSIONS_DIR"
	recipe 'Reading a history with jq' >"$MC_SESSIONS_DIR/mc.jq"
	chmod 600 "$MC_SESSIONS_DIR/mc.jq"
}

# a tree: a, then b and its retry c with steps; d follows c; e was undone; f came by a merge.
tree() {
	craft demo "$(head_of demo)" "$(ask a null 1 ',"tokenUsage":{"totalTokens":5,"cost":0.25}')" "$(ask b '"a"' 2)" \
		'{"type":"step","exchange":"c","n":0,"timestamp":1700000002500,"text":"","calls":[{"id":"1","name":"git_branch","arguments":{"all":true}},{"id":"2","name":"ls","arguments":{}}],"model":"m1"}' \
		'{"type":"step","exchange":"c","n":1,"timestamp":1700000002700,"text":"","calls":[{"id":"1","name":"cat","arguments":{"of":"x"}}],"model":"m1"}' \
		'{"type":"result","exchange":"c","n":0,"call":"1","timestamp":1700000002600,"status":"ok","output":"main\nother\n"}' \
		'{"type":"result","exchange":"c","n":1,"call":"1","timestamp":1700000002800,"status":"error","output":""}' \
		"$(ask c '"a"' 3 ',"replaces":"b","steps":2,"tokenUsage":{"totalTokens":7}')" \
		"$(ask d '"c"' 4 | sed 's/"m1"/"m2"/')" 'torn {' '["no object"]' '7' \
		"$(ask e '"d"' 5)" '{"type":"rewind","timestamp":1700000006000,"from":"e","to":"d"}' \
		"$(ask f '"a"' 1 ',"tokenUsage":{"totalTokens":1,"cost":0.5}')" \
		'{"type":"rewind","timestamp":1700000006000,"to":"d","merged":true}' \
		'{"type":"rewind","timestamp":1700000007000,"to":"nowhere"}' \
		"$(ask a null 1 ',"tokenUsage":{"totalTokens":5,"cost":0.25}' | sed 's/reply a/better a/')" \
		'{"type":"rewind","timestamp":1700000006000,"to":"d","merged":true}' \
		'{"type":"summary","id":"s","timestamp":1700000008000,"upTo":"c","text":"t","model":"m2","tokenUsage":{"totalTokens":3}}' \
		'{"type":"summary","id":"s","timestamp":1700000008000,"upTo":"c","text":"t","model":"m2","tokenUsage":{"totalTokens":3}}' \
		'{"type":"marvel","parent":"a"}'
}

@test "recipe: the conversation as it stands is what mc-session-cat prints" {
	tree
	gives 'The conversation as it stands' '> ask a' '' 'better a' '' '> ask c' '' 'reply c' '' '> ask d' '' 'reply d'
	mc-session-cat demo 2>err >cat || true
	same 'the output of mc-session-cat' "$(<out)" "$(<cat)"
}

@test "recipe: conversations that are empty, lack a parent, lead back to themselves, or have no parents" {
	local name='The conversation as it stands'
	agrees() {
		mc-session-cat demo 2>err >cat || true
		same 'the output of mc-session-cat' "$(<out)" "$(<cat)"
	}
	craft demo "$(head_of demo)"
	gives "$name"
	craft demo "$(head_of demo)" "$(ask a null 1)" '{"type":"rewind","timestamp":1,"from":"a","to":null}'
	gives "$name"
	agrees
	craft demo "$(head_of demo)" "$(ask a '"nowhere"' 1)" "$(ask b '"a"' 2)"
	gives "$name" '> ask a' '' 'reply a' '' '> ask b' '' 'reply b'
	agrees
	craft demo "$(head_of demo)" "$(ask e null 0)" "$(ask a '"c"' 1)" "$(ask b '"a"' 2)" "$(ask c '"b"' 3)" "$(ask d '"b"' 4)"
	gives "$name" '> ask c' '' 'reply c' '' '> ask a' '' 'reply a' '' '> ask b' '' 'reply b' '' '> ask d' '' 'reply d'
	agrees
	craft demo "$(head_of demo)" "$(ask a '' 1)" "$(ask b '' 2)" '{"type":"rewind","timestamp":1,"to":"a"}' \
		'{"type":"rewind","timestamp":1,"to":"nowhere"}' "$(ask c '' 3)" "$(ask d '' 4)"
	gives "$name" '> ask a' '' 'reply a' '' '> ask c' '' 'reply c' '' '> ask d' '' 'reply d'
	agrees
	craft demo "$(head_of demo)" "$(ask b '"a"' 2)" "$(ask a null 1)" '{"type":"rewind","timestamp":1,"to":"b"}'
	gives "$name" '> ask a' '' 'reply a' '' '> ask b' '' 'reply b'
	agrees
}

@test "recipe: all branches, with a star at the conversation" {
	tree
	gives 'All branches' '  ask a / ask f' '  ask a / ask b' '* ask a / ask c / ask d' \
		'  ask a / ask c / ask d / ask e'
	craft demo "$(head_of demo)" "$(ask a null 1)" "$(ask aa null 2)" "$(ask b '"a"' 3)"
	gives 'All branches' '  ask aa' '* ask a / ask b'
	craft demo "$(head_of demo)"
	gives 'All branches'
}

@test "recipe: every tool call with its result" {
	tree
	gives 'Every tool call' $'git_branch\t{"all":true}\tok\tmain' $'ls\t{}\tunknown\t' $'cat\t{"of":"x"}\terror\t'
}

@test "recipe: tokens and cost per model, of forks once" {
	tree
	craft fork "$(head_of fork)" "$(ask a null 1 ',"tokenUsage":{"totalTokens":5,"cost":0.25}')" \
		"$(ask g '"a"' 9 ',"tokenUsage":{"totalTokens":100,"cost":0.25}')"
	gives 'Tokens and cost per model' $'m1\t113\t1' $'m2\t3\t0'
}

@test "recipe: all prompts" {
	tree
	gives 'All prompts' $'2023-11-14T22:13:21Z\task a' $'2023-11-14T22:13:21Z\task f' $'2023-11-14T22:13:22Z\task b' \
		$'2023-11-14T22:13:23Z\task c' $'2023-11-14T22:13:24Z\task d' $'2023-11-14T22:13:25Z\task e'
}

@test "recipe: a history made by hand is a session that goes on" {
	echo '[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Bye"},{"role":"assistant","content":"See you"}]' \
		>"$MC_SESSIONS_DIR/messages.json"
	try 'A history made by hand'
	rm "$MC_SESSIONS_DIR/messages.json"
	mc-session-fsck made
	same 'the conversation' $'> Hi\n\nHello\n\n> Bye\n\nSee you' "$(mc-session-cat made)"
	say made more
	same queries 'Hi,Bye,more' "$(queries made)"
	same 'the parent' 'made-2' "$(tail -n 1 "$(history made)" | jq -r .parent)"
}

@test "recipe: a record appended by hand undoes the conversation" {
	new demo
	say demo one
	try 'Append a record by hand'
	same queries '' "$(queries demo)"
	say demo two
	same queries 'two' "$(queries demo)"
	mc-session-fsck
}

@test "recipe: the index is made again" {
	new demo
	(cd "$MC_SESSIONS_DIR" && eval "$(sed -n '/^\.Ss Rebuild the index/,/^\.Dl/s/^\.Dl \$ //p' "$ROOT/man/mc-session.5")") >out
	grep -q ^demo out
	[[ -s $MC_SESSIONS_DIR/index.jsonl ]]
}
