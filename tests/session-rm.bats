# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# with_answer TEXT CMD...: run_split with TEXT on stdin.
with_answer() {
	printf '%s' "$1" >answer
	run_split "${@:2}" <answer
}

gone() {
	[[ ! -e $MC_SESSIONS_DIR/$1 ]] || differs 'to be gone' "$1"
	same "the list's record of $1" '' "$(listed "$1")"
}

there() {
	[[ -f $(history "$1") ]] || differs 'to be there' "$1"
	same "the list's record of $1" "\"$1\"" "$(listed "$1" | jq .id)"
}

@test "rm: asks on stderr, and deletes on y and yes" {
	local answer
	for answer in y yes; do
		say a hello
		with_answer "$answer"$'\n' mc-session-rm a
		assert_status 0
		assert_out_empty
		assert_err_has "'a'"
		assert_err_has '?'
		gone a
	done
}

@test "rm: an answer without its newline counts" {
	say a hello
	with_answer y mc-session-rm a
	assert_status 0
	gone a
}

@test "rm: end of file and every other answer is no" {
	local answer
	say a hello
	cp "$(history a)" before
	for answer in '' $'\n' $'n\n' $'no\n' $'yesterday\n' $'ja\n' $' \n' $'a\n'; do
		with_answer "$answer" mc-session-rm a
		assert_out_empty
		assert_err_has "'a'"
		there a
	done
	cmp "$(history a)" before
}

@test "rm: the question shows what would be lost, neutralised" {
	say a $'first \e[31mred\nline'
	say a second
	with_answer '' mc-session-rm a
	assert_err_has 2
	assert_err_has first
	[[ $err != *$'\e'* ]] || differs 'no escape character' ''
}

@test "rm: each id is asked for on its own" {
	new a
	new b
	new c
	with_answer $'y\nn\ny\n' mc-session-rm a b c
	gone a
	there b
	gone c
	with_answer $'y\n' mc-session-rm b nothere
	assert_status 1
	gone b
}

@test "rm: --force does not ask and leaves stdin alone" {
	new a
	new b
	printf 'keep\nme\n' >in
	run_split bash -c 'mc-session-rm -f a; mc-session-rm --force b; cat' <in
	assert_out $'keep\nme'
	assert_err_empty
	gone a
	gone b
}

@test "rm: goes on after an id that fails, and exits 1" {
	new a
	new b
	run_split mc-session-rm -f a nothere b
	assert_status 1
	assert_out_empty
	assert_err_has "'nothere'"
	gone a
	gone b
}

@test "rm: a bad id among good ones does not stop the others" {
	new a
	new b
	run_split mc-session-rm -f a ../b b
	((status != 0)) || differs 'a failure' ''
	assert_err_has "'../b'"
	gone a
	gone b
}

@test "rm: - reads ids from stdin, one a line" {
	new a
	new b
	new c
	with_answer $'a\n\nc\n' mc-session-rm -f -
	assert_status 0
	gone a
	there b
	gone c
	with_answer b mc-session-rm -f -
	assert_status 0
	gone b
}

@test "rm: - says that it waits for ids that do not come, and passes over a byte order mark" {
	mc-session-new -p echo -i a
	mkfifo pipe
	exec 9<>pipe
	mc-session-rm -f - <pipe 9>&- 2>err 3>&- &
	local pid=$!
	poll 30 grep -q 'mc-session-rm: waiting for session ids on standard input' err
	printf '\xef\xbb\xbfa\r\n' >&9
	exec 9>&-
	wait "$pid"
	[[ ! -e $MC_SESSIONS_DIR/a ]]
	same 'lines' 1 "$(wc -l <err)"
}

@test "rm: - with nobody to ask deletes nothing without --force" {
	new a
	with_answer $'a\n' mc-session-rm -
	assert_status 2
	assert_err_has --force
	there a
	with_answer $'y\n' mc-session-rm a -
	there a
}

@test "rm: - remembers a failure and goes on" {
	new a
	new b
	with_answer $'a\nnothere\nb\n' mc-session-rm -f -
	assert_status 1
	gone a
	gone b
}

@test "rm: ls -q | rm -f - and xargs empty the list" {
	local i
	for i in 1 2 3; do new "s$i"; done
	run_split bash -c 'mc-session-ls -q | mc-session-rm -f -'
	assert_status 0
	same list '' "$(mc-session-ls -q)"
	for i in 1 2 3; do new "s$i"; done
	run_split bash -c 'mc-session-ls -q | xargs mc-session-rm -f'
	assert_status 0
	same list '' "$(mc-session-ls -q)"
}

@test "rm: takes an unambiguous prefix, and names the candidates of another" {
	new abcd
	new abef
	new x123
	run_split mc-session-rm x1 <<<y
	assert_status 0
	gone x123
	run_split mc-session-rm -f ab
	((status != 0)) || differs 'a failure' ''
	assert_err_has abcd
	assert_err_has abef
	there abcd
	there abef
}

@test "rm: with --force an id is given in full, so that a second run takes nothing else" {
	new proj
	new proj-archive
	run_split mc-session-rm -f proj
	assert_status 0
	run_split mc-session-rm -f proj
	assert_status 1
	assert_err_has "no session 'proj'; with --force an id is given in full (as in 'proj-archive')"
	there proj-archive
	run_split mc-session-rm -f - <<<proj
	assert_status 1
	there proj-archive
}

@test "rm: an exact id wins over those that it begins" {
	new abc
	new ab
	run_split mc-session-rm -f ab
	assert_status 0
	gone ab
	there abc
}

@test "rm: a bad id is a usage error, and nothing outside the store is touched" {
	mkdir x "$MC_SESSIONS_DIR"
	touch x/history.jsonl keep
	local id
	for id in ../x /x '' .x . .. "$(printf 'x%.0s' {1..65})" "$PWD/x" 'a/../../x'; do
		run_split mc-session-rm -f -- "$id"
		assert_status 2
	done
	[[ -f x/history.jsonl && -f keep && -d $MC_SESSIONS_DIR ]]
}

@test "rm: no such session shows up to five recent ones" {
	local i
	for i in 1 2 3 4 5 6 7; do say "s$i" "question $i"; done
	run_split mc-session-rm -f nothere
	assert_status 1
	assert_err_has "'nothere'"
	for i in 7 6 5 4 3; do
		assert_err_has "question $i"
	done
	[[ $err != *'question 2'* ]] || differs 'no sixth' 'question 2'
}

@test "rm: deletes the folder with all that is in it, and follows no link" {
	new a
	mkdir -p outside "$MC_SESSIONS_DIR/a/artifacts/deep"
	touch outside/keep "$MC_SESSIONS_DIR/a/artifacts/deep/file"
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/a/artifacts/link"
	run_split mc-session-rm -f a
	assert_status 0
	assert_err_empty
	gone a
	[[ -f outside/keep ]]
	same 'files of the store' $'index.jsonl\nindex.lock' "$(ls -A "$MC_SESSIONS_DIR")"
}

@test "rm: deletes what a crashed turn left, too" {
	say a hello
	printf '%s\nhalf' "$(exchange 1)" >"$MC_SESSIONS_DIR/a/turn.partial"
	run_split mc-session-rm -f a
	assert_status 0
	gone a
	same 'files of the store' $'index.jsonl\nindex.lock' "$(ls -A "$MC_SESSIONS_DIR")"
}

@test "rm: a session that is in the list without a folder is taken off the list" {
	new a
	new b
	rm -r "${MC_SESSIONS_DIR:?}/a"
	run_split mc-session-cat a
	assert_status 1
	assert_err_has "'a'"
	run_split mc-session-rm -f a
	assert_status 0
	same list b "$(mc-session-ls -q)"
	run_split mc-session-rm -f a
	assert_status 1
}

@test "rm: an exact id without a folder wins over those that it begins" {
	new ab
	new abc
	rm -r "${MC_SESSIONS_DIR:?}/ab"
	run_split mc-session-rm -f ab
	assert_status 0
	there abc
	same list abc "$(mc-session-ls -q)"
}

@test "rm: a session whose history is damaged can be deleted" {
	craft a garbage
	craft b ''
	: >"$(history b)"
	run_split mc-session-rm -f a b
	assert_status 0
	[[ ! -e $MC_SESSIONS_DIR/a && ! -e $MC_SESSIONS_DIR/b ]]
}

@test "rm: a damaged session in which a turn crashed can be deleted too" {
	craft a garbage "$(exchange 1)"
	printf '%s\nhalf' "$(exchange 2)" >"$MC_SESSIONS_DIR/a/turn.partial"
	craft b "$(head_of b | sed 's/"version":1/"version":2/')"
	printf '%s\nhalf' "$(exchange 2)" >"$MC_SESSIONS_DIR/b/turn.partial"
	run_split mc-session-rm -f a b
	assert_status 0
	[[ ! -e $MC_SESSIONS_DIR/a && ! -e $MC_SESSIONS_DIR/b ]]
}

@test "rm: a deleted id can be used again" {
	say a old words
	mc-session-rm -f a
	say a new words
	same stored 'new words' "$(stored a)"
	there a
	listed a | jq -e '.exchangeCount == 1 and .firstQuery == "new words"'
}

@test "rm: the deletion outlives the index" {
	new a
	new b
	mc-session-rm -f a
	rm "$MC_SESSIONS_DIR/index.jsonl"
	same list b "$(mc-session-ls -q)"
}

@test "rm: says so when there is no store at all, and makes none" {
	run_split mc-session-rm -f a
	assert_status 1
	assert_err_has "'a'"
	[[ ! -e $MC_SESSIONS_DIR ]]
}
