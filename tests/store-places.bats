# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# Directories that are none, that may not be used, that are full.

each_tool=('mc-session-ls' 'mc-session-cat a' 'mc-session-rm -f a' 'mc-session-new -p echo' 'mc-chat --no-stdin -p echo hello')

# all_fail WORD...: every tool exits 1, silent on stdout, with the words on stderr.
all_fail() {
	local tool word
	for tool in "${each_tool[@]}"; do
		# shellcheck disable=SC2086
		run_split ${prefix-} $tool
		assert_status 1
		assert_out_empty
		assert_err_has "${tool%% *}: "
		assert_err_has "'$MC_SESSIONS_DIR'"
		for word; do assert_err_has "$word"; done
	done
}

@test "place: a sessions directory that is a file" {
	echo keep >"$MC_SESSIONS_DIR"
	all_fail directory
	same 'the file' keep "$(<"$MC_SESSIONS_DIR")"
}

@test "place: a sessions directory below a file" {
	echo keep >file
	export MC_SESSIONS_DIR=$PWD/file/sessions
	run_split mc-session-new -p echo
	assert_status 1
	assert_out_empty
	assert_err_has "$PWD/file"
}

@test "place: a dangling link is an error that says so, and its target is not made" {
	ln -s "$PWD/nowhere" "$MC_SESSIONS_DIR"
	all_fail link
	[[ ! -e nowhere ]]
}

@test "place: a link to a directory is as good as the directory" {
	mkdir real
	ln -s real "$MC_SESSIONS_DIR"
	new a
	say a hello
	[[ -f real/a/history.jsonl ]]
	same list a "$(mc-session-ls -q)"
	run_split mc-session-cat a
	assert_out_has hello
	mc-session-rm -f a
	[[ ! -e real/a && -L $MC_SESSIONS_DIR ]]
}

@test "place: a directory that links in a circle" {
	ln -s loop-2 loop-1
	ln -s loop-1 loop-2
	MC_SESSIONS_DIR=$PWD/loop-1
	all_fail
}

@test "place: a path that is too long" {
	MC_SESSIONS_DIR=/$(printf 'x%.0s' {1..5000})
	run_split mc-session-new -p echo
	assert_status 1
	assert_out_empty
	assert_err_has 'cannot open sessions directory'
	run_split mc-session-ls
	assert_status 1
	assert_err_has 'cannot open sessions directory'
}

@test "place: a name with spaces, quotes and line ends" {
	MC_SESSIONS_DIR="$PWD/it's \"a\" % name"$'\nhere'
	new a
	say a hello
	same stored hello "$(stored a)"
	same list a "$(mc-session-ls -q)"
}

@test "place: an unreadable directory" {
	need_permissions
	say a hello
	chmod 0 "$MC_SESSIONS_DIR"
	prefix=without_privilege all_fail 'Permission denied'
	chmod 700 "$MC_SESSIONS_DIR"
	same stored hello "$(stored a)"
}

@test "place: a parent in which nothing can be made" {
	need_permissions
	mkdir -m 500 parent
	export MC_SESSIONS_DIR=$PWD/parent/sessions
	run_split without_privilege mc-session-new -p echo
	assert_status 1
	assert_out_empty
	assert_err_has "$PWD/parent"
	assert_err_has 'Permission denied'
	run_split without_privilege mc-session-ls
	assert_status 0
	assert_out_empty
}

@test "place: a store that cannot be written can be read" {
	need_permissions
	say a hello
	find "$MC_SESSIONS_DIR" -type f -exec chmod 400 {} +
	chmod 500 "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR"
	run_split without_privilege mc-session-ls -q
	assert_status 0
	assert_out a
	assert_err_empty
	run_split without_privilege mc-session-cat a
	assert_status 0
	assert_out_has hello
	assert_err_empty
	run_split without_privilege mc-session-cat --status a
	assert_status 0
	local tool
	for tool in 'mc-session-new -p echo' 'mc-chat --no-stdin -s a more' 'mc-chat --no-stdin -p echo more' 'mc-session-rm -f a'; do
		# shellcheck disable=SC2086
		run_split without_privilege $tool
		assert_status 1
		assert_out_empty
		assert_err_has 'Permission denied'
	done
	run_split without_privilege mc-chat --no-stdin --no-save -s a more
	assert_status 0
	assert_out more
	chmod 700 "$MC_SESSIONS_DIR" "$MC_SESSIONS_DIR/a"
	same stored hello "$(stored a)"
	same list a "$(mc-session-ls -q)"
}

@test "place: a store that cannot be written shows a crashed turn's session all the same" {
	need_permissions
	craft a "$(head_of a)" "$(exchange 1)"
	mc-session-ls >/dev/null
	printf '%s\nhalf' "$(exchange 2)" >"$MC_SESSIONS_DIR/a/turn.partial"
	chmod 400 "$(history a)"
	chmod 500 "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR"
	run_split without_privilege mc-session-cat a
	assert_status 1
	assert_out_has 'reply 1'
	chmod 700 "$MC_SESSIONS_DIR" "$MC_SESSIONS_DIR/a"
	[[ -f $MC_SESSIONS_DIR/a/turn.partial ]]
}

@test "place: an unreadable history fails alone" {
	need_permissions
	say a hello
	say b words
	chmod 0 "$(history a)"
	run_split without_privilege mc-session-cat a b
	assert_status 1
	assert_out_has words
	assert_err_has history.jsonl
	assert_err_has 'Permission denied'
	run_split without_privilege mc-session-ls -q
	assert_out $'b\na'
}

@test "place: a list that cannot be kept up to date costs no turn" {
	need_permissions
	say a hello
	chmod 400 "$MC_SESSIONS_DIR/index.jsonl"
	run_split without_privilege mc-chat --no-stdin -s a more
	assert_status 0
	assert_out more
	assert_err_has index.jsonl
	same stored $'hello\nmore' "$(stored a)"
	chmod 600 "$MC_SESSIONS_DIR/index.jsonl"
	say a again
	listed a | assert_json '.exchangeCount == 3'
}

@test "place: a history that is a directory, or a link elsewhere, is not written through" {
	new a
	rm "$(history a)"
	mkdir "$(history a)"
	run_split mc-chat --no-stdin -s a more
	assert_status 1
	assert_out_empty
	run_split mc-session-cat a
	assert_status 1
	assert_out_empty
	head_of b >elsewhere
	cp elsewhere before
	mkdir "$MC_SESSIONS_DIR/b"
	ln -s "$PWD/elsewhere" "$(history b)"
	run_split mc-chat --no-stdin -s b more
	assert_status 1
	cmp elsewhere before
}

@test "full: a reply that cannot be stored is printed, exits 74, and is not lost" {
	craft a "$(head_of a ",\"system\":\"$(printf 'x%.0s' {1..3800})\"")"
	mc-session-ls >/dev/null
	cp "$(history a)" before
	run_split small_files 4 mc-chat --no-stdin -s a "$(printf 'word %.0s' {1..60})"
	assert_status 74
	assert_out_has 'word word'
	assert_err_has "'a'"
	head -c "$(wc -c <before)" "$(history a)" | cmp - before
	run_split mc-session-cat a
	assert_status 1
	assert_out_has 'word word'
	same 'prompts on the disk' 1 "$(jq -Rr 'fromjson? | select(.type == "exchange").query' "$(history a)" | wc -l | tr -d ' ')"
	run_split mc-chat --no-stdin -s a more
	assert_status 0
	same 'the last' more "$(jq -Rr 'fromjson? | select(.type == "exchange").query' "$(history a)" | tail -n 1)"
	listed a | assert_json '.exchangeCount >= 1 and .lastQuery == "more"'
}

@test "full: a prompt that cannot be stored is not sent" {
	new a
	cp "$(history a)" before
	run_split small_files 4 mc-chat --no-stdin -s a "$(printf 'word %.0s' {1..2000})"
	assert_status 1
	assert_out_empty
	assert_err_has prompt
	cmp "$(history a)" before
	same 'files of the session' history.jsonl "$(ls -A "$MC_SESSIONS_DIR/a")"
}

@test "full: a session that cannot be stored whole is not made" {
	new a
	run_split small_files 1 mc-session-new -p echo -i b -S "$(printf 'x%.0s' {1..3000})"
	assert_status 1
	assert_out_empty
	same 'files of the store' $'a\nindex.jsonl\nindex.lock' "$(ls -A "$MC_SESSIONS_DIR")"
	same list a "$(mc-session-ls -q)"
}

@test "full: an index that cannot grow costs no turn, and a torn record in it no other" {
	new a
	new b
	local size
	size=$(wc -c <"$MC_SESSIONS_DIR/index.jsonl")
	# Up to some bytes before a whole number of KiB: the next record is torn.
	printf '%*s\n' $((3 * 1024 - 50 - size - 1)) '' >>"$MC_SESSIONS_DIR/index.jsonl"
	run_split small_files 3 mc-chat --no-stdin -s a hello
	assert_status 0
	assert_out hello
	assert_err_has index.jsonl
	assert_err_has 'the next tool will update it'
	same stored hello "$(stored a)"
	same list $'a\nb' "$(mc-session-ls -q)" # up to date again, and nothing was made anew
	listed a | assert_json '.exchangeCount == 1'
	say b again
	same list $'b\na' "$(mc-session-ls -q)"
	say a again
	listed a | assert_json '.exchangeCount == 2'
}

@test "full: a file system without room: clear errors, nothing lost, and it goes on when there is room" {
	((EUID == 0)) || skip 'only root can mount a small file system'
	mkdir disk
	unshare -m mount -t tmpfs -o size=64k none disk 2>/dev/null || skip 'mounting is not allowed here'
	# shellcheck disable=SC2016
	unshare -m bash -e -c '
		mount -t tmpfs -o size=256k none disk
		export MC_SESSIONS_DIR=$PWD/disk/sessions
		mc-chat --no-stdin -p echo -n -s a one >/dev/null
		cp disk/sessions/a/history.jsonl before
		cat /dev/zero >disk/fill 2>/dev/null || true
		for n in 1 2 3; do
			code=0
			mc-chat --no-stdin -s a "$(printf "word %.0s" {1..2000})" >>full.out 2>>full.err || code=$?
			echo "$code" >>full.status
		done
		code=0
		mc-session-new -p echo -i b >>full.out 2>>full.err || code=$?
		echo "$code" >>full.status
		cmp before disk/sessions/a/history.jsonl
		mc-session-cat a >cat.out
		mc-session-ls -q >ls.out
		mc-session-rm -f a 2>rm.err || true
		rm disk/fill
		mc-chat --no-stdin -p echo -n -s a two >/dev/null
		mc-session-ls -q >ls.after
		cat disk/sessions/a/history.jsonl >after
	'
	same statuses 1,1,1,1 "$(paste -sd, full.status)"
	same 'what was printed' '' "$(<full.out)"
	same messages 4 "$(grep -c 'No space left on device' full.err)"
	same list a "$(<ls.out)"
	grep -q one cat.out
	same 'the list afterwards' a "$(<ls.after)"
	assert_json -s 'any(.query == "two")' after
}
