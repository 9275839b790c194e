# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# A turn that is cut short, by a signal or by someone who removes its session: what
# was on the screen is on the disk.

load helper
load wire

HALF=$(stream '{"text":"so far"}' '{"touch":"sent"}' '{"hang":true}')

# cut SIGNAL STATUS: a signal in the middle of a reply, and what must come of it
cut() {
	answers "$HALF"
	start_chat -n -s s hi
	holds chat.out 'so far'
	kill -"$1" "$CHAT"
	end_chat
	same 'exit status' "$2" "$status"
	same 'standard output' 'so far' "$out"
	same 'stored' '["interrupted","hi","so far",false]' \
		"$(exchange s '[.status, .query, .answer, has("error")] | tojson')"
	same 'files' history.jsonl "$(ls "$MC_SESSIONS_DIR/s")"
	has 'conversation' "$(mc-session-cat s)" $'> hi\n\nso far\n[interrupted]'
	same 'exchanges in the list' 0 "$(mc-session-ls --json | jq .exchangeCount)"
}

@test "SIGINT in the middle of a reply stores what came, with status 130" { cut INT 130; }

@test "SIGTERM in the middle of a reply stores what came, with status 143" { cut TERM 143; }

@test "SIGHUP in the middle of a reply stores what came, with status 129" { cut HUP 129; }

@test "SIGKILL in the middle of a reply leaves what was printed in the session" {
	answers "$HALF"
	start_chat -n -s s hi
	holds chat.out 'so far'
	kill -KILL "$CHAT"
	end_chat 2>/dev/null
	same 'exit status' 137 "$status"
	same 'standard output' 'so far' "$out"
	run_split mc-session-cat s
	assert_status 0
	assert_out $'> hi\n\nso far\n[interrupted]'
	same 'stored' '["interrupted","hi","so far","test-model"]' \
		"$(exchange s '[.status, .query, .answer, .model] | tojson')"
	same 'files' history.jsonl "$(ls "$MC_SESSIONS_DIR/s")"
	run_split mc-session-cat s # reading it again does not make two of it
	same 'number of exchanges' 1 "$(count s)"
}

@test "after SIGKILL the next turn sends what had come" {
	answers "$HALF" "$(says finished)"
	start_chat -n -s s q1
	holds chat.out 'so far'
	kill -KILL "$CHAT"
	end_chat 2>/dev/null
	run_split mc-chat -s s q2
	assert_status 0
	same 'messages' $'user: q1\nassistant: so far\nuser: q2' "$(messages)"
	same 'number of exchanges' 2 "$(count s)"
}

@test "SIGKILL before the first word of the reply keeps the prompt" {
	answers "$(stream '{"touch":"asked"}' '{"hang":true}')"
	start_chat -n -s s 'a long thought'
	wait_for asked
	kill -KILL "$CHAT"
	end_chat 2>/dev/null
	has 'conversation' "$(mc-session-cat s)" '> a long thought'
	same 'number of exchanges' 1 "$(count s)"
}

@test "a character that SIGKILL cut in two does not spoil the session" {
	answers "$(stream "{\"send_base64\":\"$(printf 'data: {"choices":[{"delta":{"content":"so far \xe6\x97"}}]}\n\n' | base64 -w 0)\"}" '{"hang":true}')"
	start_chat -n -s s hi
	holds chat.out 'so far'
	kill -KILL "$CHAT"
	end_chat 2>/dev/null
	run_split mc-session-cat s
	assert_status 0
	assert_out_has 'so far'
	assert_err_empty
	iconv -f UTF-8 -t UTF-8 "$(history s)" >/dev/null
}

@test "SIGINT while the server is silent ends the turn at once" {
	answers "$(stream '{"touch":"asked"}' '{"hang":true}')"
	start_chat -n -s s hi
	wait_for asked
	before=${EPOCHREALTIME%.*}
	kill -INT "$CHAT"
	end_chat
	((${EPOCHREALTIME%.*} - before < 5))
	same 'exit status' 130 "$status"
	same 'stored' '["interrupted","hi",""]' "$(exchange s '[.status, .query, .answer] | tojson')"
}

@test "--json prints the record of an interrupted turn" {
	answers "$HALF"
	start_chat --json -n -s s hi
	wait_for sent
	poll 30 grep -sq 'so far' "$MC_SESSIONS_DIR/s/turn.partial"
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
	assert_json '.session == "s" and .status == "interrupted" and .answer == "so far"' <<<"$out"
}

@test "a signal that the caller ignores stays ignored" {
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' '{"text":", and on"}' "$END")"
	env --ignore-signal=HUP mc-chat -n -s s hi >chat.out 2>chat.err 3>&- &
	CHAT=$!
	holds chat.out 'so far'
	kill -HUP "$CHAT"
	touch go
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' 'so far, and on' "$out"
}

@test "while a turn runs its prompt and the reply so far are on the disk" {
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' "$END")"
	start_chat -n -s s 'the prompt'
	holds chat.out 'so far'
	jq -Rn '[inputs][0] | fromjson | .query' "$MC_SESSIONS_DIR/s/turn.partial" | grep -q 'the prompt'
	same 'spooled' 'so far' "$(tail -n 1 "$MC_SESSIONS_DIR/s/turn.partial")"
	run_split mc-session-cat --status s
	assert_status 0
	assert_out_has "process $CHAT"
	run_split mc-session-cat s # does not disturb it
	assert_status 0
	touch go
	end_chat
	same 'exit status' 0 "$status"
	same 'stored' '["complete","so far"]' "$(exchange s '[.status, .answer] | tojson')"
	same 'files' history.jsonl "$(ls "$MC_SESSIONS_DIR/s")"
	same 'number of exchanges' 1 "$(count s)"
}

# until_sent: how the prompt is stored, from the creation of its file to the request.
until_sent() {
	sed -nE '
		s/.*turn\.partial.*O_CREAT.*/spool/p
		t seen
		b
		:seen
		n
		s/.*fdatasync.*/sync/p
		s/.*fsync.*/name/p
		s/.*(sendto|sendmsg).*POST .*/request/p
		t sent
		b seen
		:sent
		/request/q
		b seen' calls | xargs
}

@test "the prompt is on the disk before the request leaves" {
	answers "$(says hello)" "$(says hello)"
	# Of a new session also the names of its folder, and of the files in it.
	trace calls sendto,sendmsg,fdatasync,fsync,openat,write,writev mc-chat -n -s s 'the prompt' >out
	same 'order' 'spool sync name name request' "$(until_sent)"
	trace calls sendto,sendmsg,fdatasync,fsync,openat,write,writev mc-chat -s s 'the prompt' >out
	same 'order' 'spool sync name request' "$(until_sent)"
}

@test "a reader that leaves in the middle of a reply does not end the turn" {
	answers "$(stream '{"text":"one\n"}' '{"wait":"gone"}' '{"text":"two\n"}' '{"text":"three\n"}' "$END")"
	mkfifo pipe
	env mc-chat -n -s s hi >pipe 2>chat.err 3>&- &
	chat=$!
	head -n 1 <pipe >first
	touch gone
	wait "$chat"
	same 'first line' one "$(<first)"
	same 'standard error' '' "$(<chat.err)"
	same 'stored' '["complete","one\ntwo\nthree\n"]' "$(exchange s '[.status, .answer] | tojson')"
}

# The session is removed

@test "mc-session-rm waits for a turn to end, and says for whom" {
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' "$END")"
	start_chat -n -s s hi
	holds chat.out 'so far'
	mc-session-rm -f s 2>rm.err 3>&- &
	rm=$!
	holds rm.err 'waiting for '
	[[ -e $(history s) ]]
	touch go
	end_chat
	same 'exit status' 0 "$status"
	wait "$rm"
	[[ ! -e $MC_SESSIONS_DIR/s ]]
}

@test "a turn whose session is deleted by hand meanwhile is stored under a new id" {
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' '{"text":", and on"}' "$END")"
	start_chat -n -s s hi
	holds chat.out 'so far'
	rm -r "${MC_SESSIONS_DIR:?}/s"
	touch go
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' 'so far, and on' "$out"
	has 'standard error' "$err" "'s' was removed"
	# Nobody told the list of sessions, so it still has the old one.
	id=$(mc-session-ls -q | grep -vx s)
	has 'standard error' "$err" "'$id'"
	same 'stored' '["complete","hi","so far, and on"]' "$(exchange "$id" '[.status, .query, .answer] | tojson')"
}

@test "a long session that is removed while its turn runs: the new one has the same settings" {
	local id
	mkdir -p -m 700 "$MC_SESSIONS_DIR/s"
	(
		umask 077
		jq -nc '{type: "session", version: 1, id: "s", createdAt: 1700000000000, cwd: "/somewhere",
			provider: "openai-compatible", model: "first-model", title: "A title", system: "Be brief."},
			(range(400) | {type: "exchange", id: "x\(.)", parent: (if . == 0 then null else "x\(. - 1)" end),
				timestamp: (1700000000001 + .), query: "q", answer: ("word " * 200), model: "its-model",
				status: "complete"})' >"$(history s)"
	)
	mc-session-ls >/dev/null # only its end is read then
	answers "$(stream '{"text":"so far"}' '{"wait":"go"}' '{"text":", and on"}' "$END")"
	start_chat --context 8192 -s s hi
	holds chat.out 'so far'
	rm -r "${MC_SESSIONS_DIR:?}/s"
	touch go
	end_chat
	has 'standard error' "$err" "'s' was removed"
	same 'exit status' 0 "$status"
	id=$(mc-session-ls -q | grep -vx s)
	same 'the new one' '["/somewhere","openai-compatible","its-model","A title","Be brief."]' \
		"$(head -n 1 "$(history "$id")" | jq -c '[.cwd, .provider, .model, .title, .system]')"
	same 'stored' '["complete","hi","so far, and on"]' "$(exchange "$id" '[.status, .query, .answer] | tojson')"
}

@test "a session that is removed while a turn waits for it: the turn goes to a new one" {
	export MC_PROVIDER=echo MC_MODEL=
	mc-chat -n -s s one >/dev/null
	lock_elsewhere "$(history s)"
	start_chat -s s two
	holds chat.err 'waiting for '
	mv "$MC_SESSIONS_DIR/s" gone
	unlock_elsewhere
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' two "$out"
	has 'standard error' "$err" "session 's' was removed; this goes on as session '"
	same 'number of exchanges of the old' 1 "$(jq -s 'map(select(.type == "exchange")) | length' gone/history.jsonl)"
	id=$(find "$MC_SESSIONS_DIR" -mindepth 1 -maxdepth 1 -type d -printf %f)
	same 'stored' two "$(exchange "$id" .query)"
	has 'standard error' "$err" "$id"
}

@test "--json tells the new id of a session that was removed" {
	export MC_PROVIDER=echo MC_MODEL=
	mc-chat -n -s s one >/dev/null
	lock_elsewhere "$(history s)"
	start_chat --json -s s two
	holds chat.err 'waiting for '
	mv "$MC_SESSIONS_DIR/s" gone
	unlock_elsewhere
	end_chat
	same 'exit status' 0 "$status"
	same 'session' "$(find "$MC_SESSIONS_DIR" -mindepth 1 -maxdepth 1 -type d -printf %f)" "$(jq -r .session <<<"$out")"
}
