# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

head_json() { head -n 1 "$(history "$1")"; }

@test "new: prints the id, and nothing else" {
	run_split mc-session-new
	assert_status 0
	assert_err_empty
	[[ $out =~ ^[a-z0-9]{8}$ ]] || differs 'an id' '[a-z0-9]{8}'
	same 'the size of the output' 9 "$(wc -c <"$BATS_TEST_TMPDIR/out" | tr -d ' ')"
	[[ -f $(history "$out") ]]
}

@test "new: chosen ids use letters and digits alike, and differ" {
	local ids=() i
	for i in {1..60}; do
		ids+=("$(mc-session-new)")
	done
	same 'distinct ids' 60 "$(printf '%s\n' "${ids[@]}" | sort -u | wc -l | tr -d ' ')"
	# 480 characters: each kind is there unless something is badly wrong.
	[[ "${ids[*]}" == *[0-9]* && "${ids[*]}" == *[a-z]* ]]
	(($(printf '%s' "${ids[@]}" | fold -w 1 | sort -u | wc -l) > 30))
}

@test "new: the history begins with a session record of the documented members" {
	local before now
	before=$(date +%s%3N)
	mc-session-new -i a -p echo >/dev/null
	now=$(date +%s%3N)
	same 'lines' 1 "$(wc -l <"$(history a)" | tr -d ' ')"
	same members '["type","version","id","createdAt","cwd","provider","model"]' \
		"$(head_json a | jq -c keys_unsorted)"
	head_json a | assert_json --arg cwd "$PWD" --argjson t0 "$before" --argjson t1 "$now" '.type == "session"
		and .version == 1 and .id == "a" and .createdAt >= $t0 and .createdAt <= $t1
		and .cwd == $cwd and .provider == "echo" and .model == "echo"'
}

@test "new: options fill in provider, model, system prompt, title, directory and notes" {
	mkdir 'some where'
	run_split mc-session-new -i a -p echo -m big -S 'be brief' -t 'A title' -C 'some where' \
		--meta k=v --meta 'two words=x=y' --meta empty=
	assert_status 0
	assert_out a
	head_json a | assert_json --arg cwd "$PWD/some where" '.provider == "echo" and .model == "big"
		and .system == "be brief" and .title == "A title" and .cwd == $cwd
		and .metadata == {k: "v", "two words": "x=y", empty: ""}'
}

@test "new: --json prints the record as it is stored" {
	run_split mc-session-new --json -p echo -t $'tab\t"quote" \\ \xf0\x9f\x90\xb1\nline' --meta 'k="v"'
	assert_status 0
	assert_err_empty
	cmp out "$(history "$(jq -r .id out)")"
	assert_json '.title == "tab\t\"quote\" \\ 🐱\nline" and .metadata.k == "\"v\""' out
}

@test "new: the same note given twice keeps the later value" {
	mc-session-new -i a --meta k=1 --meta k=2
	same metadata '{"k":"2"}' "$(head_json a | jq -c .metadata)"
	same 'times that k is written' 1 "$(head_json a | grep -o '"k"' | wc -l | tr -d ' ')"
}

@test "new: a note without = or key is a usage error" {
	local bad
	for bad in novalue =v ''; do
		run_split mc-session-new -i a --meta "$bad"
		assert_status 2
		assert_err_has "'$bad'"
	done
	[[ ! -e $MC_SESSIONS_DIR/a ]]
}

@test "new: the session is listed at once" {
	mc-session-new -i a -p echo -t T
	listed a | assert_json --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 0 and .title == "T"
		and .provider == "echo" and .createdAt == .updatedAt and .historyBytes == $n
		and .firstQuery == null and .lastQuery == null and .version == 1
		and .usageTotals == {inputTokens: 0, outputTokens: 0, totalTokens: 0}'
}

@test "new: every id that the rule allows is taken" {
	local id
	for id in a A 0 a.b a_b a-b A.. x.jsonl "$(printf 'x%.0s' {1..64})"; do
		run_split mc-session-new -i "$id"
		assert_status 0
		assert_out "$id"
		same 'the id in the record' "$id" "$(head_json "$id" | jq -r .id)"
	done
	same sessions 9 "$(mc-session-ls -q | wc -l | tr -d ' ')"
}

@test "new: a bad id is a usage error and leaves nothing" {
	local id long
	long=$(printf 'x%.0s' {1..65})
	for id in ../x /x '' "$long" .x -x _x . .. 'a b' a/b 'a/' $'a\nb' 'ä' 'a*' "$(printf 'x%.0s' {1..5000})"; do
		run_split mc-session-new "--id=$id"
		assert_status 2
		assert_out_empty
		assert_err_has 'session id'
	done
	same 'files of the store' '' "$(find "$MC_SESSIONS_DIR" -mindepth 1 2>/dev/null)"
	[[ ! -e ../x && ! -e x ]]
}

@test "new: the names of the store's own files are no ids" {
	new a
	run_split mc-session-new -i index.jsonl
	assert_status 2
	run_split mc-session-new -i index.lock
	assert_status 2
	same list a "$(mc-session-ls -q)"
}

@test "new: an id that exists already is refused and the session stays as it is" {
	say a one
	cp "$(history a)" before
	run_split mc-session-new -i a -t other
	assert_status 1
	assert_out_empty
	assert_err_has "'a'"
	cmp "$(history a)" before
	same 'files of the store' $'a\nindex.jsonl\nindex.lock' "$(ls -A "$MC_SESSIONS_DIR")"
}

@test "new: an id may begin like another" {
	new abc
	new ab
	new abcd
	same list $'abcd\nab\nabc' "$(mc-session-ls -q)"
}

@test "new: directories are 0700 and files 0600, whatever the umask" {
	local mask f
	for mask in 000 022 077 0777; do
		export MC_SESSIONS_DIR=$BATS_TEST_TMPDIR/deep-$mask/er/sessions
		(umask "$mask" && exec mc-session-new -p echo -i a) >/dev/null
		(umask "$mask" && exec mc-chat --no-stdin -s a hello) >/dev/null
		for f in "deep-$mask" "deep-$mask/er" "deep-$mask/er/sessions" "deep-$mask/er/sessions/a"; do
			same "the mode of $f" 700 "$(mode "$f")"
		done
		for f in index.jsonl index.lock a/history.jsonl; do
			same "the mode of $f" 600 "$(mode "$MC_SESSIONS_DIR/$f")"
		done
	done
}

@test "new: makes the missing part of a nested sessions directory" {
	export MC_SESSIONS_DIR=$BATS_TEST_TMPDIR/x/y//z/
	new a
	[[ -f x/y/z/a/history.jsonl ]]
	same list a "$(mc-session-ls -q)"
}

@test "new: the directory is stored as an absolute path without links" {
	mkdir real
	ln -s real link
	mc-session-new -i a -C link >/dev/null
	same cwd "$PWD/real" "$(head_json a | jq -r .cwd)"
	(cd link && mc-session-new -i b >/dev/null)
	same cwd "$PWD/real" "$(head_json b | jq -r .cwd)"
}

@test "new: a directory that is not there, or none, is an error that names it" {
	run_split mc-session-new -i a -C nothere
	assert_status 1
	assert_err_has "'nothere'"
	touch file
	run_split mc-session-new -i a -C file
	assert_status 1
	assert_err_has "'file'"
	[[ ! -e $MC_SESSIONS_DIR/a ]]
}

@test "new: works in a directory that was deleted" {
	mkdir gone
	run_split bash -c 'cd gone && rmdir ../gone && mc-session-new -i a'
	assert_status 0
	assert_out a
}

@test "new: an unknown provider is refused with the nearest name" {
	run_split mc-session-new -i a -p ecko
	assert_status 2
	assert_err_has "'ecko'"
	assert_err_has "'echo'"
	run_split mc-session-new -i a -p openai-compatibel
	assert_status 2
	assert_err_has "'openai-compatible'"
	[[ ! -e $MC_SESSIONS_DIR/a ]]
}

@test "new: the default provider is openai-compatible, and needs no model yet" {
	run_split mc-session-new -i a
	assert_status 0
	same provider openai-compatible "$(head_json a | jq -r .provider)"
}

@test "new: text that is not UTF-8 is refused" {
	local opt
	for opt in -m -S -t; do
		run_split mc-session-new -i a "$opt" $'x\xff'
		assert_status 2
		assert_err_has UTF-8
	done
	run_split mc-session-new -i a --meta $'k=\xc3'
	assert_status 2
	[[ ! -e $MC_SESSIONS_DIR/a ]]
}

@test "new: a directory whose name is not UTF-8 still gives valid records" {
	mkdir $'d\xff'
	run_split mc-session-new -p echo -i a -C $'d\xff'
	assert_status 0
	iconv -f UTF-8 -t UTF-8 <"$(history a)" >/dev/null
	iconv -f UTF-8 -t UTF-8 <"$MC_SESSIONS_DIR/index.jsonl" >/dev/null
	mc-session-ls --json | assert_json '.id == "a"'
}

@test "new: a session is whole from the first moment on" {
	# What a crash in the middle leaves is no session and is in nobody's way.
	mkdir -p "$MC_SESSIONS_DIR/.new-a-1"
	printf '{"type":"sess' >"$MC_SESSIONS_DIR/.new-a-1/history.jsonl"
	mkdir "$MC_SESSIONS_DIR/empty"
	new a
	run_split mc-session-new -p echo -i empty
	assert_status 0
	same list $'empty\na' "$(mc-session-ls -q)"
}

@test "new: mc-chat -n creates the very id that it is given, though others begin so" {
	new abc
	new abd
	run_split mc-chat --no-stdin -p echo -n -s ab hello
	assert_status 0
	same stored hello "$(stored ab)"
	run_split mc-chat --no-stdin -p echo -n -s abd- hello
	assert_status 0
	new solo-1
	run_split mc-chat --no-stdin -p echo -n -s solo mine
	assert_status 0
	same 'what the other holds' '' "$(stored solo-1)"
	same stored mine "$(stored solo)"
}
