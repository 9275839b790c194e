# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft
load prompt

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
		assert_status 1
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
	assert_status 1
	assert_err_has 2
	assert_err_has first
	[[ $err != *$'\e'* ]] || differs 'no escape character' ''
}

@test "rm: each id is asked for on its own" {
	new a
	new b
	new c
	with_answer $'y\nn\ny\n' mc-session-rm a b c
	assert_status 1
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
	assert_status 2
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
	assert_status 2
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
	assert_status 2
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
	same 'files of the store' $'index.jsonl\nindex.lock\nremoved.jsonl' "$(ls -A "$MC_SESSIONS_DIR")"
}

@test "rm: deletes what a crashed turn left, too" {
	say a hello
	printf '%s\nhalf' "$(exchange 1)" >"$MC_SESSIONS_DIR/a/turn.partial"
	run_split mc-session-rm -f a
	assert_status 0
	gone a
	same 'files of the store' $'index.jsonl\nindex.lock\nremoved.jsonl' "$(ls -A "$MC_SESSIONS_DIR")"
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
	listed a | assert_json '.exchangeCount == 1 and .firstQuery == "new words"'
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

# ---- what is left ----

# holds WORD: which files of the store have it, in whatever folder.
holds() { grep -rla -- "$1" "$MC_SESSIONS_DIR" | sort | xargs; }

@test "rm: removed.jsonl says which sessions were removed, and when" {
	local before
	say a one
	say b two
	before=$(head -n 1 "$(history a)" | jq .createdAt)
	mc-session-rm -f a b
	same 'ids' 'a b' "$(jq -r .id "$MC_SESSIONS_DIR/removed.jsonl" | xargs)"
	same 'members' '["id","createdAt","deletedAt"]' "$(head -n 1 "$MC_SESSIONS_DIR/removed.jsonl" | jq -c keys_unsorted)"
	head -n 1 "$MC_SESSIONS_DIR/removed.jsonl" | assert_json --argjson c "$before" '.createdAt == $c and .deletedAt >= $c'
	same mode 600 "$(stat -c %a "$MC_SESSIONS_DIR/removed.jsonl")"
	# A session of that id is another one, however its clock goes.
	printf '{"id":"a","createdAt":99999999999999,"deletedAt":99999999999999}\n{"torn' >>"$MC_SESSIONS_DIR/removed.jsonl"
	mc-session-new -i a -p echo >/dev/null
	same 'createdAt' 100000000000000 "$(head -n 1 "$(history a)" | jq .createdAt)"
	mc-session-rm -f a
	same 'the last one' a "$(tail -n 1 "$MC_SESSIONS_DIR/removed.jsonl" | jq -r .id)"
	run_split mc-session-fsck
	assert_status 1
	same 'what is found' 'removed.jsonl:4' "$(cut -d : -f 1,2 out)"
}

@test "rm: where removed.jsonl cannot be used, the session stays and the message says a way out" {
	local how
	say a one
	say b two
	say c three
	for how in 'mkdir removed.jsonl' 'ln -s ../elsewhere removed.jsonl' 'mkfifo removed.jsonl' \
		'touch removed.jsonl; chmod 600 removed.jsonl; ln removed.jsonl second'; do
		rm -rf "$MC_SESSIONS_DIR"/{removed.jsonl,second}
		(cd "$MC_SESSIONS_DIR" && eval "$how")
		run_split mc-session-rm -f a
		assert_status 1
		assert_err_has "removed.jsonl': refused, because"
		assert_err_has "run 'mc-session-fsck --repair'"
		there a
		[[ ! -e elsewhere ]] || differs 'nothing elsewhere' "$(<elsewhere)"
		run_split mc-session-fsck --repair
		assert_status 1
		mc-session-rm -f b
		gone b
		say b two
	done
}

@test "rm: a session without a valid first record is removed, too" {
	say a one
	sed -i '1s/.*/garbage/' "$(history a)"
	mc-session-rm -f a
	gone a
	same 'what was noted' '["id","deletedAt"]' "$(jq -c keys_unsorted "$MC_SESSIONS_DIR/removed.jsonl")"
}

@test "rm: the session record that counts need not be the first line" {
	local before
	say a one
	before=$(head -n 1 "$(history a)" | jq .createdAt)
	sed -i '1i garbage' "$(history a)"
	mc-session-rm -f a
	same 'what was noted' "$before" "$(jq .createdAt "$MC_SESSIONS_DIR/removed.jsonl")"
}

@test "rm: no file of the store holds the words of a deleted session" {
	say stays 'other words'
	say gone 'prompt-zebra'
	mc-chat --no-stdin -s gone -t 'title-zebra' 'again zebra' >/dev/null
	say gone2 'zebra, too'
	mc-session-rm -f gone gone2
	same 'files with its words' '' "$(holds zebra)"
	same 'files with its id' "$MC_SESSIONS_DIR/removed.jsonl" "$(holds gone)"
	same list stays "$(mc-session-ls -q)"
}

@test "rm: what a repair and crashes left of a session goes with it, and nothing else" {
	local q=$MC_SESSIONS_DIR/.quarantine i name
	leave() { # what crashes leave of session $1
		for name in .removed-$1-123-456 .new-$1-abcdefgh; do
			mkdir -p "$MC_SESSIONS_DIR/$name"
			chmod 700 "$MC_SESSIONS_DIR/$name"
			echo "zebra-$1-end" >"$MC_SESSIONS_DIR/$name/history.jsonl"
		done
	}
	for i in a b a-b a.b a-1; do
		say "$i" "zebra-$i-end"
		printf 'torn zebra-%s-end' "$i" >>"$(history "$i")"
		printf '%s\nhalf, zebra-%s-end' garbage "$i" >"$MC_SESSIONS_DIR/$i/turn.partial"
		echo "zebra-$i-end" >"$MC_SESSIONS_DIR/$i/turn.damaged-1"
		echo "zebra-$i-end" >"$MC_SESSIONS_DIR/$i/anything"
		ln "$MC_SESSIONS_DIR/$i/anything" "$MC_SESSIONS_DIR/$i/linked"
		leave "$i"
	done
	echo 'garbage, zebra-a-end' >>"$MC_SESSIONS_DIR/index.jsonl"
	chmod -R go= "$MC_SESSIONS_DIR"
	mc-session-fsck --repair >/dev/null || true
	for i in a b a-b a.b a-1; do
		(($(holds "zebra-$i-end" | wc -w) > 6))
		leave "$i"
	done
	for i in b a-b a.b a-1; do holds "zebra-$i-end"; done >others
	mc-session-rm -f a
	same 'files with its words' '' "$(holds 'zebra-a-end')"
	for i in b a-b a.b a-1; do holds "zebra-$i-end"; done >others.now
	diff <(sed 's| [^ ]*/index.jsonl[^ ]*||g' others) <(sed 's| [^ ]*/index.jsonl[^ ]*||g' others.now)
	mc-session-rm -f b a-b a.b a-1
	same 'files with words' '' "$(holds zebra)"
	same 'what is left in quarantine' '' "$(ls -A "$q")"
	same list '' "$(mc-session-ls -q)"
}

@test "rm: the rest of a deletion that was cut short goes when it is tried again" {
	say a zebra
	mv "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR/.removed-a-123-456"
	run_split mc-session-rm -f a
	assert_status 0
	same 'files with its words' '' "$(holds zebra)"
	same list '' "$(mc-session-ls -q)"
}

needs_strace() {
	command -v strace >/dev/null || skip 'strace is not installed'
	strace -o /dev/null true 2>/dev/null || skip 'strace may not trace here'
}

# strace_rm INJECTION ID...: mc-session-rm -f with a system call that fails.
strace_rm() {
	needs_strace
	run_split env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -f -o calls \
		-e trace=renameat,renameat2,unlinkat,pwrite64,openat -e inject="$1" mc-session-rm -f "${@:2}"
}

@test "rm: the index is written anew once, however many sessions are deleted" {
	local i
	for i in 1 2 3 4 5; do new "s$i"; done
	printf '%70000s\n' '' >>"$MC_SESSIONS_DIR/index.jsonl" # so large that a writer would compact it
	strace_rm pwrite64:error=EIO s1 s2 s3 s4
	assert_status 0
	same 'new indexes' 1 "$(grep -c 'renameat.*"index.jsonl"' calls)"
}

@test "rm: a full disk on which removed.jsonl cannot be created keeps no session" {
	local why
	needs_strace
	for why in ENOSPC EDQUOT; do
		say a zebra
		rm -f "$MC_SESSIONS_DIR/removed.jsonl"
		run_split env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -f -o calls -P removed.jsonl \
			-e inject=openat:error=$why mc-session-rm -f a
		assert_status 0
		assert_err_has "session 'a' is deleted, but that could not be noted"
		gone a
	done
}

@test "rm: where no folder can be renamed, a session is deleted in its place" {
	local why
	for why in EXDEV ENOSPC EOPNOTSUPP; do
		say a zebra
		say b other
		mkdir -p "$MC_SESSIONS_DIR/a/artifacts/deep"
		touch "$MC_SESSIONS_DIR/a/artifacts/deep/file"
		strace_rm renameat:error=$why a
		assert_status 0
		assert_err_empty
		gone a
		same 'files with its words' '' "$(holds zebra)" # the index was written over
		same list b "$(mc-session-ls -q)"
	done
}

@test "rm: a session that cannot be deleted stays where it is in the list" {
	local why
	for why in EACCES EPERM EROFS EBUSY EIO; do
		say a first
		say b other
		strace_rm renameat:error=$why a
		assert_status 1
		assert_err_has "cannot delete session 'a'"
		there a
		same list 'b a' "$(mc-session-ls -q | xargs)"
		same stored first "$(stored a)"
		rm -r "$MC_SESSIONS_DIR"
	done
}

@test "rm: a session of which something cannot be deleted is put back" {
	say a first
	say b other
	mkdir "$MC_SESSIONS_DIR/a/artifacts"
	touch "$MC_SESSIONS_DIR/a/artifacts/file"
	strace_rm unlinkat:error=EACCES:when=1 a
	assert_status 1
	assert_err_has 'cannot delete'
	there a
	same list 'b a' "$(mc-session-ls -q | xargs)"
	same stored first "$(stored a)"
	same 'files of the store' $'a\nb\nindex.jsonl\nindex.lock\nremoved.jsonl' "$(ls "$MC_SESSIONS_DIR")"
	same 'what was noted' '' "$(<"$MC_SESSIONS_DIR/removed.jsonl")"
	mc-session-rm -f a
	gone a
}

@test "rm: a session of which only a part could be deleted can be deleted again" {
	local why
	for why in EACCES EXDEV; do
		say a zebra
		say b other
		mkdir "$MC_SESSIONS_DIR/a/artifacts"
		echo zebra >"$MC_SESSIONS_DIR/a/artifacts/file"
		if [[ $why == EXDEV ]]; then strace_rm renameat:error=EXDEV --help; fi # or skip
		run_split env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" strace -f -o calls \
			-e inject=unlinkat:error=EACCES:when=2 -e inject="renameat:error=$why:when=$([[ $why == EXDEV ]] && echo 1 || echo 99)" \
			mc-session-rm -f a
		assert_status 1
		assert_err_has 'cannot delete'
		run_split mc-session-cat a
		assert_status 1
		mc-session-rm -f a
		gone a
		same 'files with its words' '' "$(holds zebra)"
		same 'files of the store' $'b\nindex.jsonl\nindex.lock\nremoved.jsonl' "$(ls -A "$MC_SESSIONS_DIR")"
		same list b "$(mc-session-ls -q)"
	done
}

@test "rm: what was typed in a session is forgotten when its deletion fails half way" {
	local dir=$HOME/.local/state/mcbox
	say a zebra
	say b other
	mkdir -p "$MC_SESSIONS_DIR/a/artifacts"
	touch "$MC_SESSIONS_DIR/a/artifacts/file"
	mkdir -p -m 700 "$dir"
	printf '{"type":"typed","version":1,"timestamp":1,"text":"%s"}\n' zebra kept >"$dir/typed.jsonl"
	chmod 600 "$dir/typed.jsonl"
	strace_rm unlinkat:error=EPERM:when=3 a # an immutable file
	assert_status 1
	assert_err_has "/artifacts/file': Operation not permitted"
	mc-session-rm -f a
	gone a
	same 'what is typed' kept "$(jq -r .text "$dir/typed.jsonl")"
}

@test "rm: where the list cannot be updated at first, no words stay in it" {
	local when=1
	while :; do
		say a zebra
		say b other
		strace_rm "openat:error=EIO:when=$when" a
		assert_status 0 1
		grep -q 'the list of sessions still has it' err && break
		((when++ < 60))
		rm -rf "$MC_SESSIONS_DIR"
	done
	assert_status 1
	same list b "$(mc-session-ls -q)"
	same 'files with its words' '' "$(holds zebra)"
	# and where only the next tool can
	say a zebra
	rm -r "$MC_SESSIONS_DIR/a"
	echo a >"$MC_SESSIONS_DIR/.index.stale"
	chmod 600 "$MC_SESSIONS_DIR/.index.stale"
	same list b "$(mc-session-ls -q)"
	same 'files with its words' '' "$(holds zebra)"
}

@test "rm: of several that are missing, the recent ones are shown once" {
	say a 'a question'
	run_split mc-session-rm -f x y a z
	assert_status 1
	same 'lists of recent sessions' 1 "$(grep -c 'Recent sessions' <<<"$err")"
	same 'missing ones' 3 "$(grep -c 'no session' <<<"$err")"
	say a 'a question'
	run_split mc-session-rm -f - <<<$'x\ny'
	assert_status 1
	same 'lists of recent sessions' 1 "$(grep -c 'Recent sessions' <<<"$err")"
	run_split mc-session-fsck x y
	assert_status 1
	same 'lists of recent sessions' 1 "$(grep -c 'Recent sessions' <<<"$err")"
}

@test "rm: a note in .quarantine that names a folder above deletes nothing" {
	local note quarantine=$MC_SESSIONS_DIR/.quarantine
	new a
	new b
	mkdir -m 700 "$quarantine"
	for note in ...json ..json .json; do
		echo '{"from":"a/x","session":"a","version":1}' >"$quarantine/$note"
		chmod 600 "$quarantine/$note"
	done
	echo words >"$quarantine/kept"
	mc-session-rm -f a
	gone a
	there b
	same 'what is in .quarantine' $'...json\n..json\n.json\nkept' "$(LC_ALL=C ls -A "$quarantine")"
}

@test "rm: of what was typed, torn and damaged lines go, too, and those of a later version stay" {
	local dir=$HOME/.local/state/mcbox line='{"type":"typed","version":1,"timestamp":1,"text":"'
	new gone
	mc-chat -s gone --no-stdin 'a zebra' >/dev/null
	mkdir -p -m 700 "$dir"
	printf '%sa zeb\n%skept"}\n{"type":"later","version":2,"text":"a"}\n%sa zebr' "$line" "$line" "$line" \
		>"$dir/typed.jsonl"
	chmod 600 "$dir/typed.jsonl"
	mc-session-rm -f gone
	same 'what is typed' "$(printf '%skept"}\n{"type":"later","version":2,"text":"a"}' "$line")" \
		"$(<"$dir/typed.jsonl")"
}

@test "rm: what was typed in a deleted session is forgotten, and nothing else" {
	local typed=$HOME/.local/state/mcbox/typed.jsonl
	new keep
	new gone
	term_start mc-chat -s keep
	enter 'kept prompt'
	enter /exit
	term_status
	term_start mc-chat -s gone
	enter 'a zebra'
	enter '"""zebra'
	term_type 'in two lines"""'
	term_keys Enter
	enter zebra\ \\
	term_type 'with a backslash'
	term_keys Enter
	enter 'taken back, zebra'
	enter /undo
	enter '/title  the zebra title'
	enter '/title  a title of a zebra, with blanks behind it  '
	enter '/title shorter'
	enter /tokens
	enter /exit
	term_status
	(($(grep -c zebra "$typed") == 6))
	mc-session-rm -f gone
	same 'what is typed' 'kept prompt,/exit,/undo,/tokens,/exit' "$(jq -rs 'map(.text) | join(",")' "$typed")"
	same 'its mode' 600 "$(stat -c %a "$typed")"
	cp "$typed" before
	stat -c %i "$typed" >inode
	new other
	mc-session-rm -f other
	cmp "$typed" before
	same 'the same file' "$(<inode)" "$(stat -c %i "$typed")"
}
