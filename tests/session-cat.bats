# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# three: a session a of three exchanges.
three() { craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(exchange 3)"; }

# unchanged CMD...: runs it; the history of a is the same afterwards.
unchanged() {
	cp "$(history a)" before
	run_split "$@"
	cmp "$(history a)" before || differs 'the history to stay as it was' ''
}

# warned LINE: stderr names the file and the line, and says more.
warned() {
	grep -Eq "$(history a):$1: .*[a-z]{3}" err || differs 'a warning about' "$(history a):$1: …"
}

@test "cat: prints query and answer of each exchange, oldest first" {
	three
	run_split mc-session-cat a
	assert_status 0
	assert_err_empty
	same 'the lines' '> ask 1,reply 1,> ask 2,reply 2,> ask 3,reply 3' "$(grep . out | paste -sd, -)"
}

@test "cat: every line of a query is marked, and text is exact in a pipe" {
	say a $'two\nlines \e[31m\ttab 🐱'
	run_split mc-session-cat a
	assert_out_has $'> two\n> lines \e[31m\ttab 🐱\n'
	assert_out_has $'\ntwo\nlines \e[31m\ttab 🐱'
}

@test "cat: a new session has nothing to print" {
	new a
	run_split mc-session-cat a
	assert_status 0
	assert_out_empty
	assert_err_empty
}

@test "cat: -n prints the last so many" {
	three
	run_split mc-session-cat -n 2 a
	same queries 'ask 2,ask 3' "$(sed -n 's/^> //p' out | paste -sd, -)"
	run_split mc-session-cat --last=1 a
	assert_out $'> ask 3\n\nreply 3'
	run_split mc-session-cat -n 99 a
	same queries 'ask 1,ask 2,ask 3' "$(sed -n 's/^> //p' out | paste -sd, -)"
}

@test "cat: --json prints the stored records byte for byte" {
	say a one
	say a $'odd \e \x7f "\\ 🐱\n\t'
	mc-chat --no-stdin -s a -m other -t T three >/dev/null
	unchanged mc-session-cat --json a
	assert_err_empty
	cmp out "$(history a)"
}

@test "cat: --json keeps what it does not know: members, spelling, and with --branches types" {
	craft a "$(head_of a ',"later":{"x":[1,2]}')" '{"type":"marvel","x":1}' \
		'{ "type" : "exchange","timestamp":1700000000000, "id":"x\u0041", "query":"\u00e4\/","answer":"","model":"m","status":"complete","new":null}' \
		'{"type":"summary","timestamp":1,"upTo":"xA","text":"t","model":"m"}' "$(exchange 2 complete ',"later":[{"sha256":"00"}]')"
	unchanged mc-session-cat --json --branches a
	assert_status 0
	assert_err_empty
	cmp out "$(history a)"
	unchanged mc-session-cat --json a
	assert_status 0
	assert_err_empty
	cmp out <(grep -v marvel "$(history a)")
	unchanged mc-session-cat a
	assert_status 0
	assert_err_empty
	same queries 'ä/,ask 2' "$(sed -n 's/^> //p' out | paste -sd, -)"
}

# attached NAME TYPE SIZE: a member of an exchange.
attached() {
	jq -cn --arg name "$1" --arg type "$2" --argjson size "$3" \
		'{sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", $name, $type, $size}'
}

@test "cat: what went along with a prompt is told behind it" {
	craft a "$(head_of a)" "$(exchange 1 complete ",\"attachments\":[$(attached 'a b.png' image/png 12345),$(attached $'x\ny\e' text/plain 1)]")" \
		"$(exchange 2 interrupted ",\"attachments\":[$(attached z application/pdf 5242880)]")" "$(exchange 3 complete ',"attachments":null')"
	unchanged mc-session-cat a
	assert_status 0
	assert_err_empty
	assert_out $'> ask 1\n[attached: a b.png (image/png, 12 KiB)]\n[attached: x y  (text/plain, 1 byte)]\n\nreply 1\n\n> ask 2\n[attached: z (application/pdf, 5 MiB)]\n\nreply 2\n[interrupted]\n\n> ask 3\n\nreply 3'
	run_split mc-session-cat --json -n 3 a
	tail -n 3 "$(history a)" | cmp - out
}

@test "cat: attachments that are none make a damaged record" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2 complete ',"attachments":[{"sha256":"../../b/history.jsonl","name":"n","type":"t","size":1}]')"
	run_split mc-session-cat a
	assert_status 1
	assert_err_has "a/history.jsonl:3: skipped a damaged record: 'attachments' 1: 'sha256' is not a digest"
	same queries 'ask 1' "$(sed -n 's/^> //p' out | paste -sd, -)"
}

@test "cat: --json -n prints the last exchanges' records" {
	three
	run_split mc-session-cat --json -n 2 a
	tail -n 2 "$(history a)" | cmp - out
}

@test "cat: a new turn keeps records of unknown types and unknown members" {
	craft a "$(head_of a ',"later":1')" '{"type":"marvel","x":1}' "$(exchange 1)"
	cp "$(history a)" before
	say a hello
	head -c "$(wc -c <before)" "$(history a)" | cmp - before
	listed a | assert_json '.exchangeCount == 2'
}

@test "cat: several sessions, with a failure among them" {
	say a one
	say b two
	run_split mc-session-cat a nothere b
	assert_status 1
	same queries 'one,two' "$(sed -n 's/^> //p' out | paste -sd, -)"
	assert_err_has "'nothere'"
	run_split mc-session-cat --json b a
	cat "$(history b)" "$(history a)" | cmp - out
}

@test "cat: takes an unambiguous prefix; an ambiguous one names the candidates; exact wins" {
	say abc one
	say abd two
	new ab
	say ab three
	run_split mc-session-cat abc
	assert_out_has one
	run_split mc-session-cat ab
	assert_status 0
	assert_out_has three
	refute_out_has one
	run_split mc-session-cat a
	assert_status 2
	assert_out_empty
	assert_err_has abc
	assert_err_has abd
	say xyz four
	run_split mc-session-cat x
	assert_status 0
	assert_out_has four
}

@test "cat: an exact id wins over a longer one also when the list is lost" {
	say abc one
	new ab
	say ab two
	rm "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-cat ab
	assert_out_has two
	rm -f "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-cat abc
	assert_out_has one
	rm -f "$MC_SESSIONS_DIR/index.jsonl"
	new xyz
	rm "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-cat --status x
	assert_status 0
	assert_out_has xyz
}

@test "cat: an ambiguous prefix of many names some and stays short" {
	local i
	for i in {10..40}; do new "a$i"; done
	run_split mc-session-cat a
	assert_status 2
	assert_err_has a40
	(($(wc -c <err) < 400)) || differs 'few of them' ''
}

@test "cat: a bad id is a usage error" {
	new a
	touch history.jsonl
	local id
	for id in ../x /x '' .x .. "$(printf 'x%.0s' {1..65})" "$PWD" 'a/../a' 'a/'; do
		run_split mc-session-cat -- "$id"
		assert_status 2
		assert_out_empty
		assert_err_has 'session id'
	done
}

@test "cat: no such session names it and shows up to five recent ones with previews" {
	local i
	for i in {1..7}; do say "s$i" "question $i"; done
	new titled -t 'A title'
	run_split mc-session-cat nothere
	assert_status 1
	assert_out_empty
	assert_err_has "'nothere'"
	assert_err_has 'A title'
	for i in 7 6 5 4; do
		grep -Eq "s$i .*[0-9]{4}-[0-9]{2}-[0-9]{2}.*question $i" err || differs 'id, time and preview' "s$i"
	done
	[[ $err != *'question 3'* ]] || differs 'no more than five' ''
	same 'the newest is first' titled "$(grep -E '[0-9]{4}-[0-9]{2}' err | head -n 1 | grep -o titled)"
}

@test "cat: without any session the message stands alone" {
	run_split mc-session-cat nothere
	assert_status 1
	same 'lines of stderr' 1 "$(wc -l <"$BATS_TEST_TMPDIR/err" | tr -d ' ')"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "cat: interrupted and failed exchanges are shown and marked" {
	craft a "$(head_of a)" "$(exchange 1 interrupted)" "$(exchange 2 error ',"error":"the server answered 500"')" "$(exchange 3)"
	run_split mc-session-cat a
	assert_status 0
	assert_out_has 'reply 1'
	assert_out_has interrupted
	assert_out_has 'the server answered 500'
	assert_out_has 'reply 3'
	rm -f "$MC_SESSIONS_DIR/index.jsonl"
	listed a | assert_json '.exchangeCount == 1 and .firstQuery == "ask 1" and .lastQuery == "ask 3"'
}

@test "cat: a rewind takes what follows its exchange out of the conversation, not off the disk" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(exchange 3)" "$(rewind 1)" "$(exchange 4)"
	same queries 'ask 1,ask 4' "$(queries a)"
	unchanged mc-session-cat --json --branches a
	cmp out "$(history a)"
	unchanged mc-session-cat --json a
	cmp out <(sed -n '1,2p;6p' "$(history a)")
	listed a | assert_json '.exchangeCount == 2 and .lastQuery == "ask 4"'
	run_split mc-session-cat -n 2 a
	same queries 'ask 1,ask 4' "$(sed -n 's/^> //p' out | paste -sd, -)"
}

@test "a branch that is not shown, and a missing beginning, are said in a line" {
	local x='{"type":"exchange","timestamp":1700000001000,"query":"q","answer":"a","model":"m","status":"complete",'
	craft a "$(head_of a)" "$x\"id\":\"1\",\"parent\":null}" "$x\"id\":\"2\",\"parent\":\"1\"}" "$x\"id\":\"3\",\"parent\":\"1\"}"
	run_split mc-session-cat a
	assert_status 0
	same 'standard error' "mc-session-cat: session 'a' has 1 more branch; mc-session-cat --json --branches a prints every record" "$err"
	run_split mc-chat --no-stdin -s a more
	assert_status 0
	same 'standard error' "mc-chat: session 'a' has 1 more branch; mc-session-cat --json --branches a prints every record" "$err"
	craft b "$(head_of b)" "$x\"id\":\"1\",\"parent\":null}" 'damaged' "$x\"id\":\"3\",\"parent\":\"2\"}"
	run_split mc-session-cat b
	assert_status 1
	assert_err_has "mc-session-cat: session 'b': the exchange before the first one is missing; mc-session-cat --json --branches b prints every record"
	# What was left or replaced is not a branch.
	craft c "$(head_of c)" "$x\"id\":\"1\",\"parent\":null}" "$x\"id\":\"2\",\"parent\":\"1\"}" \
		"$x\"id\":\"3\",\"parent\":\"1\",\"replaces\":\"2\"}" '{"type":"rewind","timestamp":1700000002000,"from":"3","to":"1"}'
	run_split mc-session-cat c
	assert_status 0
	assert_err_empty
}

@test "cat -n: a branch among the last exchanges is said in a line, and costs no look into the index otherwise" {
	local x='{"type":"exchange","timestamp":1700000001000,"query":"q","answer":"a","model":"m","status":"complete",'
	local told="mc-session-cat: session 'a' has 2 more branches; mc-session-cat --json --branches a prints every record"
	local before=("$x\"id\":\"1\",\"parent\":null}" "$x\"id\":\"old\",\"parent\":\"1\"}" "$x\"id\":\"2\",\"parent\":\"1\"}"
		"$x\"id\":\"3\",\"parent\":\"2\"}")
	craft a "$(head_of a)" "${before[@]}" "$x\"id\":\"new\",\"parent\":\"2\"}" "$x\"id\":\"4\",\"parent\":\"3\"}" "$x\"id\":\"5\",\"parent\":\"4\"}"
	run_split mc-session-cat -n 2 a
	assert_status 0
	assert_err_empty # the index, which would know, is not there
	mc-session-ls >/dev/null
	run_split mc-session-cat -n 2 a
	assert_status 0
	assert_err_empty # it is before these
	for n in 3 4 5 6; do # 5 and 6: all of the file is read
		run_split mc-session-cat -n "$n" a
		assert_status 0
		same 'standard error' "$told" "$err"
		run_split mc-session-cat --json -n "$n" a
		same 'standard error' "$told" "$err"
	done
	printf '%s\n' "$x\"id\":\"6\",\"parent\":\"5\"}" >>"$(history a)"
	run_split mc-session-cat -n 4 a
	assert_err_empty # what the index knows is not of this file any more
	run_split mc-session-cat -n 6 a
	same 'standard error' "$told" "$err"
	craft b "$(head_of b)" "${before[@]:2}"
	run_split mc-session-cat -n 9 b
	assert_err_has "session 'b': the exchange before the first one is missing"
	command -v strace >/dev/null || skip 'strace is not installed'
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o calls mc-session-cat -n 2 a
	same 'looks into the index' 0 "$(grep -c 'index\.jsonl' calls || true)"
}

@test "cat: a rewind to null starts over" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(rewind)"
	same queries '' "$(queries a)"
	listed a | assert_json '.exchangeCount == 0 and .firstQuery == null'
	exchange 3 >>"$(history a)"
	same queries 'ask 3' "$(queries a)"
	run_split mc-session-cat -n 5 a
	assert_out $'> ask 3\n\nreply 3'
}

@test "cat: rewinds after rewinds" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(rewind 1)" "$(exchange 3)" "$(exchange 4)" \
		"$(rewind 3)" "$(exchange 5)"
	same queries 'ask 1,ask 3,ask 5' "$(queries a)"
	rewind 1 >>"$(history a)"
	same queries 'ask 1' "$(queries a)"
	exchange 6 >>"$(history a)"
	rewind 6 >>"$(history a)"
	same 'queries, a rewind to the last one' 'ask 1,ask 6' "$(queries a)"
}

@test "cat: a rewind to an exchange that is nowhere hides nothing" {
	craft a "$(head_of a)" "$(exchange 1)" "$(rewind 77)" "$(exchange 2)"
	same queries 'ask 1,ask 2' "$(queries a)"
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" "$(rewind 1)" "$(exchange 3)" "$(rewind 77)" "$(exchange 4)"
	same 'queries, another rewind before it' 'ask 1,ask 3,ask 4' "$(queries a)"
	run_split mc-session-cat -n 3 a
	same queries 'ask 1,ask 3,ask 4' "$(sed -n 's/^> //p' out | paste -sd, -)"
}

@test "cat: a damaged rewind does nothing" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)" '{"type":"rewind","timestamp":1,"to":7}' \
		'{"type":"rewind","to":null}' '{"type":"rewind","timestamp":1}'
	same queries 'ask 1,ask 2' "$(queries a)"
}

@test "cat: the last title counts, and the model of the last exchange" {
	craft a "$(head_of a ',"title":"old"')" "$(exchange 1)" \
		"$(exchange 2 | sed 's/"model":"[^"]*"/"model":"m3"/')" \
		'{"type":"change","timestamp":1700000002000,"title":"new"}' '{"type":"change","timestamp":1700000001000,"title":"older"}'
	listed a | assert_json '.title == "new" and .model == "m3"'
	run_split mc-session-cat --status a
	assert_out_has new
	assert_out_has m3
}

@test "cat: a damaged record is skipped with file, line and reason, and never rewritten" {
	craft a "$(head_of a)" "$(exchange 1)" garbage '{"type":"exchange"' '[]' "$(exchange 2 finished)" \
		"$(exchange 3 | sed 's/"query":"ask 3",//')" "$(exchange 4 | sed 's/"timestamp":[0-9]*/"timestamp":"x"/')" "$(exchange 5)" '' '{"x":1}'
	local how n
	for how in '' --json --status; do
		# shellcheck disable=SC2086
		unchanged mc-session-cat $how a
		assert_status 0 1
		for n in 3 4 5 6 7 8 10 11; do
			warned "$n"
		done
		same warnings 8 "$(wc -l <"$BATS_TEST_TMPDIR/err" | tr -d ' ')"
	done
	same queries 'ask 1,ask 5' "$(queries a)"
	same 'records of --json' $'session\nexchange\nexchange' "$(mc-session-cat --json a 2>/dev/null | jq -r .type)"
}

@test "cat: a damaged exchange in the middle costs only itself" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2 | head -c 80)" "$(exchange 3)"
	same queries 'ask 1,ask 3' "$(queries a)"
	run_split mc-session-cat -n 2 a
	assert_status 1
	same queries 'ask 1,ask 3' "$(sed -n 's/^> //p' out | paste -sd, -)"
	say a more
	same queries 'ask 1,ask 3,more' "$(queries a)"
}

@test "cat: -n warns of the damaged exchange that it passes over" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2 finished)" "$(exchange 3)"
	unchanged mc-session-cat -n 2 a
	assert_status 1
	same queries 'ask 1,ask 3' "$(sed -n 's/^> //p' out | paste -sd, -)"
	warned 3
}

@test "cat: NUL bytes and invalid UTF-8 are damage of one line, not of the file" {
	craft a "$(head_of a)" "$(exchange 1)"
	# shellcheck disable=SC2129
	printf '\0\0\0\0\n{"type":"exchange","id":"x\0"}\n' >>"$(history a)"
	exchange 2 | sed 's/ask 2/ask \xff/' >>"$(history a)"
	exchange 3 >>"$(history a)"
	unchanged mc-session-cat --json a
	assert_status 1
	warned 3
	warned 4
	warned 5
	same queries $'ask 1\nask 3' "$(jq -r 'select(.query).query' out)"
	same queries 'ask 1,ask 3' "$(queries a)"
}

@test "cat: an escaped NUL inside a text is text" {
	craft a "$(head_of a)" "$(exchange 1 | sed 's/reply 1/re\\u0000ply/')"
	run_split mc-session-cat --json a
	cmp out "$(history a)"
	mc-session-cat a | tr '\0' '@' | grep -qx 're@ply'
}

@test "cat: an unterminated tail is not a record yet" {
	craft a "$(head_of a)" "$(exchange 1)"
	exchange 2 | head -c 100 >>"$(history a)"
	unchanged mc-session-cat a
	assert_status 0
	same queries 'ask 1' "$(sed -n 's/^> //p' out | paste -sd, -)"
	unchanged mc-session-cat --json a
	head -n 2 "$(history a)" | cmp - out
}

@test "cat: a history of another version says so and is not touched" {
	craft a "$(head_of a | sed 's/"version":1/"version":2/')" "$(exchange 1)"
	unchanged mc-session-cat a
	assert_status 1
	assert_err_has 'version 2'
	unchanged mc-session-cat --json a
	assert_status 1
	assert_err_has 'version 2'
	unchanged mc-session-cat --status a
	assert_status 1
	assert_err_has 'version 2'
	unchanged mc-chat --no-stdin -s a hello
	assert_status 1
	assert_out_empty
	assert_err_has 'version 2'
	same 'files of the session' history.jsonl "$(ls -A "$MC_SESSIONS_DIR/a")"
}

@test "cat: an empty history, and one without its session record, are told apart from a session" {
	craft a "$(exchange 1)"
	unchanged mc-chat --no-stdin -s a hello
	assert_status 1
	assert_out_empty
	: >"$(history a)"
	unchanged mc-chat --no-stdin -s a hello
	assert_status 1
	assert_out_empty
	unchanged mc-session-cat --status a
	assert_status 1
}

@test "cat: --status tells what the session is, as text and as JSON" {
	new a -t 'A title'
	say a one two
	say a three
	run_split mc-session-cat --status a
	assert_status 0
	assert_out_has 'A title'
	assert_out_has echo
	run_split mc-session-cat --status --json a
	assert_json '.state == "idle" and .pid == null and .id == "a" and .exchangeCount == 2 and .title == "A title"' out
	same 'as listed' "$(listed a | jq -cS .)" "$(jq -cS 'del(.state, .pid)' out)"
	run_split mc-session-cat --status -n 1 a
	assert_status 2
}
