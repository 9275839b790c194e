# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# entry ID [JQ]: an index record; JQ changes it.
entry() {
	jq -nc --arg id "$1" '{id: $id, createdAt: 1700000000000, updatedAt: 1700000000000,
		exchangeCount: 1, provider: "echo", model: "echo", cwd: "/", title: null,
		firstQuery: "first", lastQuery: "last",
		usageTotals: {inputTokens: 1, outputTokens: 1, totalTokens: 2},
		historyBytes: 100, version: 1} | '"${2-.}"
}

# index LINE...: an index of these lines.
index() {
	mkdir -p "$MC_SESSIONS_DIR"
	printf '%s\n' "$@" >"$MC_SESSIONS_DIR/index.jsonl"
}

ids() { mc-session-ls -q "$@" | paste -sd' ' -; }

@test "ls: without a store prints nothing, succeeds and makes none" {
	local opt
	for opt in -q --json -n1; do
		run_split mc-session-ls "$opt"
		assert_status 0
		assert_out_empty
		assert_err_empty
	done
	run_split mc-session-ls
	assert_out_empty
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "ls: an empty directory is an empty store" {
	mkdir "$MC_SESSIONS_DIR"
	run_split mc-session-ls
	assert_status 0
	assert_out_empty
	assert_err_empty
}

@test "ls: the most recently active comes first" {
	new a
	new b
	new c
	same order 'c b a' "$(ids)"
	say a hello
	same order 'a c b' "$(ids)"
	say b hello
	say a hello
	same order 'a b c' "$(ids)"
}

@test "ls: in a pipe prints six tab-separated columns without a header" {
	new a -m 'a model' -t 'A title'
	say a one
	say a two
	run_split mc-session-ls
	assert_status 0
	assert_err_empty
	same lines 1 "$(wc -l <"$BATS_TEST_TMPDIR/out" | tr -d ' ')"
	IFS=$'\t' read -r -a col <out
	same columns 6 "${#col[@]}"
	same id a "${col[0]}"
	[[ ${col[1]} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}.*[0-9]{2}:[0-9]{2} ]]
	[[ ${col[2]} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}.*[0-9]{2}:[0-9]{2} ]]
	same exchanges 2 "${col[3]}"
	same model 'a model' "${col[4]}"
	same title 'A title' "${col[5]}"
}

@test "ls: the times of the columns are those of the record" {
	index "$(entry a '.createdAt = 946684799000 | .updatedAt = 1700000000000')"
	run_split mc-session-ls
	IFS=$'\t' read -r -a col <out
	same created "$(date -u -d @946684799 +%FT%TZ)" "${col[1]}"
	same updated "$(date -u -d @1700000000 +%FT%TZ)" "${col[2]}"
	TZ=Asia/Tokyo run_split mc-session-ls
	same 'created in another time zone' "$(date -u -d @946684799 +%FT%TZ)" "$(cut -f 2 out)"
}

@test "ls: without a title the first prompt stands for it" {
	say a first words
	say a other words
	same preview 'first words' "$(mc-session-ls | cut -f 6)"
	new b
	same preview '' "$(mc-session-ls -n 1 | cut -f 6)"
}

@test "ls: tabs and line ends in a title or model break no column" {
	new a -m $'m\to\nd\re' -t $'one\ttwo\nthree\r\nfour'
	say b $'p\tq\nr'
	run_split mc-session-ls
	same lines 2 "$(wc -l <"$BATS_TEST_TMPDIR/out" | tr -d ' ')"
	same 'columns of each' $'6\n6' "$(awk -F '\t' '{ print NF }' out)"
	same title 'one two three' "$(tail -n 1 out | cut -f 6 | tr -s ' ' | cut -d ' ' -f 1-3)"
	same preview 'p q r' "$(head -n 1 out | cut -f 6)"
	same carriage-returns '' "$(tr -dc '\r' <out)"
}

@test "ls: --json prints the stored record of each, byte for byte" {
	new a -t $'tab\t"q" \\ 🐱'
	say b hello
	run_split mc-session-ls --json
	same 'a line of the index for each' 2 "$(grep -cxFf "$MC_SESSIONS_DIR/index.jsonl" out)"
	same members '["id","createdAt","updatedAt","exchangeCount","toolCalls","branches","provider","model","cwd","title","tags","firstQuery","lastQuery","root","usageTotals","historyBytes","version"]' \
		"$(head -n 1 out | jq -c keys_unsorted)"
	same order $'b\na' "$(jq -r .id out)"
	same title $'tab\t"q" \\ 🐱' "$(tail -n 1 out | jq -r .title)"
}

@test "ls: counts, sums and queries are those of the conversation" {
	say a one two
	say a three
	listed a | assert_json --arg cwd "$PWD" --argjson n "$(wc -c <"$(history a)")" '.exchangeCount == 2
		and .usageTotals == {inputTokens: 3, outputTokens: 3, totalTokens: 6}
		and .firstQuery == "one two" and .lastQuery == "three" and .cwd == $cwd
		and .historyBytes == $n and .updatedAt >= .createdAt'
}

@test "ls: queries are cut to 100 characters, at a character's end" {
	local long
	long=$(printf 'ü🐱%.0s' {1..60})
	say a "$long"
	say b "$(printf 'x%.0s' {1..100})"
	listed a | assert_json --arg q "$long" '.firstQuery == $q[:100] + "..." and .lastQuery == .firstQuery'
	listed b | assert_json '.firstQuery == "x" * 100'
}

@test "ls: -q prints ids only, and excludes --json" {
	say a hello
	say b hello
	run_split mc-session-ls -q
	assert_out $'b\na'
	run_split mc-session-ls -q --json
	assert_status 2
	assert_out_empty
}

@test "ls: -n stops after so many, filters first" {
	local i
	for i in a b c d; do new "$i" -m "m-$i"; done
	same ids 'd c' "$(ids -n 2)"
	same ids 'd c b a' "$(ids -n 99)"
	same ids b "$(ids -n 1 --model m-b)"
	same lines 3 "$(mc-session-ls --max=3 | wc -l | tr -d ' ')"
	same lines 1 "$(mc-session-ls -n 1 --json | wc -l | tr -d ' ')"
}

@test "ls: --provider and --model compare the whole name" {
	new a -m one
	new b -m 'one"mo\re'
	mc-session-new -p openai-compatible -m one -i c >/dev/null
	same ids 'c a' "$(ids --model one)"
	same ids b "$(ids --model 'one"mo\re')"
	same ids '' "$(ids --model on)"
	same ids '' "$(ids --model ONE)"
	same ids 'b a' "$(ids --provider echo)"
	same ids a "$(ids --provider echo --model one)"
	same ids '' "$(ids --provider nothere)"
	run_split mc-session-ls --provider echo --model one
	same id a "$(cut -f 1 out)"
	run_split mc-session-ls --provider echo --model one --json
	same id a "$(jq -r .id out)"
}

@test "ls: --cwd takes any name of the directory" {
	mkdir -p 'd/sub' other
	ln -s d link
	new a -C d
	new b -C d/sub
	new c -C other
	same ids a "$(ids --cwd d)"
	same ids a "$(ids --cwd link)"
	same ids a "$(ids --cwd "$PWD/d/")"
	same ids a "$(cd d && ids --cwd .)"
	same ids b "$(ids --cwd d/sub/../sub)"
	rm -r d
	same 'ids of a directory that is gone' a "$(ids --cwd "$PWD/d")"
}

@test "ls: --since and --before take ages" {
	local now
	now=$(date +%s)000
	index "$(entry old ".updatedAt = $now - 8*86400000")" "$(entry mid ".updatedAt = $now - 13*3600000")" \
		"$(entry new ".updatedAt = $now - 1000")"
	same ids 'new mid' "$(ids --since 7d)"
	same ids new "$(ids --since 12h)"
	same ids new "$(ids --since 5m)"
	same ids old "$(ids --before 7d)"
	same ids 'mid old' "$(ids --before 12h)"
	same ids mid "$(ids --since 1w --before 1h)"
	same ids 'new mid old' "$(ids --since 2w)"
}

@test "ls: --since includes and --before excludes its moment; dates are local unless they say" {
	index "$(entry a '.updatedAt = 1699999999999')" "$(entry b '.updatedAt = 1700000000000')"
	same ids b "$(ids --since 2023-11-14T22:13:20Z)"
	same ids a "$(ids --before 2023-11-14T22:13:20Z)"
	same ids b "$(ids --since 2023-11-14T23:13:20+01:00)"
	same ids b "$(ids --since 2023-11-14T22:13:20)"
	same ids b "$(TZ=UTC-9 ids --since 2023-11-15T07:13:20)"
	same ids 'b a' "$(ids --since 2023-11-14)"
	same ids '' "$(ids --since 2023-11-15)"
	same ids 'b a' "$(ids --before 2023-11-15)"
	same ids '' "$(ids --before 2023-11-14)"
}

@test "ls: a time that is none is a usage error that shows it" {
	local bad
	for bad in '' 7 d 7x -7d 7dd yesterday 2023 2023-13-01 2023-02-29 2023-11-14T25:00 2023-11-14x '7 d'; do
		run_split mc-session-ls "--since=$bad"
		assert_status 2
		assert_out_empty
		assert_err_has "'$bad'"
	done
	run_split mc-session-ls --before nonsense
	assert_status 2
	run_split mc-session-ls --since 2024-02-29
	assert_status 0
}

@test "ls: an age of many digits is an error, not a date to come" {
	index "$(entry a)"
	run_split mc-session-ls -q --since 99999d
	assert_out a
	run_split mc-session-ls -q --since 99999999999999999999d
	assert_status 2
	assert_err_has "'99999999999999999999d' is neither an age"
}

@test "ls: the newest line of an id wins, and gives its place" {
	index '{"live":0,"bytes":0,"version":1}' "$(entry a '.exchangeCount = 1')" \
		"$(entry b)" "$(entry a '.exchangeCount = 2')"
	same ids 'a b' "$(ids)"
	listed a | assert_json '.exchangeCount == 2'
	same 'the column' 2 "$(mc-session-ls -n 1 | cut -f 4)"
}

@test "ls: a tombstone hides what came before it and nothing after" {
	local grave='{"id":"a","deletedAt":1700000000000,"version":1}'
	index "$(entry a)" "$(entry b)" "$grave"
	same ids b "$(ids)"
	same ids b "$(ids -n 2)"
	index "$(entry a)" "$grave" "$(entry a '.exchangeCount = 7')"
	listed a | assert_json '.exchangeCount == 7'
	same ids a "$(ids)"
}

@test "ls: a title that looks like a tombstone or like an end is only a title" {
	index "$(entry a '.title = "\",\"deletedAt\":1,\"version\":1}"')" \
		"$(entry b '.firstQuery = "x\",\"version\":1}\n{\"id\":\"c\""')"
	same ids 'b a' "$(ids)"
	same titles 2 "$(mc-session-ls --json | jq -s length)"
}

@test "ls: a torn tail is left out" {
	new a
	new b
	entry c | head -c 100 >>"$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-ls -q
	assert_status 0
	assert_out $'b\na'
	run_split mc-session-ls --json
	same ids $'b\na' "$(jq -r .id out)"
	new d
	same ids 'd b a' "$(ids)"
	mc-session-ls --json | assert_json -s 'length == 3'
}

@test "ls: a fragment that was isolated, and other garbage, is passed over" {
	new a
	new b
	index '' garbage '{' '{"id":"x"' "$(entry a)" '{"id":"y","createdAt":17' '[1]' '{"live":2,"bytes":1,"version":1}' \
		'{"version":1}' $'\xff\xfe' "$(entry b)" '{"id":"' '"version":1}'
	run_split mc-session-ls -q
	assert_status 0
	assert_out $'b\na'
	run_split mc-session-ls
	assert_status 0
	same ids $'b\na' "$(cut -f 1 out)"
	run_split mc-session-ls --json
	same ids $'b\na' "$(jq -r .id out)"
}

@test "ls: a record whose id is no session id is passed over, in every form" {
	index "$(entry ../x)" "$(entry a)" "$(entry .x)" "$(entry "$(printf 'x%.0s' {1..65})")" "$(entry '')"
	same 'ids of --json' a "$(mc-session-ls --json | jq -r .id)"
	same 'ids of the columns' a "$(mc-session-ls | cut -f 1)"
	run_split mc-session-ls -q
	assert_out a
}

@test "ls: unknown members of a record are kept" {
	index "$(entry a '{id} + {later: {x: [1]}} + .')"
	run_split mc-session-ls --json
	assert_json '.later == {x: [1]}' out
	same id a "$(mc-session-ls | cut -f 1)"
}

@test "ls: ten thousand records, all and the newest" {
	index "$(entry x | awk '{ for (i = 1; i <= 10000; i++) { l = $0; sub(/"id":"x"/, "\"id\":\"s" i % 5000 "\"", l); print l } }')"
	same lines 5000 "$(mc-session-ls -q | wc -l | tr -d ' ')"
	same distinct 5000 "$(mc-session-ls -q | sort -u | wc -l | tr -d ' ')"
	same ids 's0 s4999' "$(ids -n 2)"
	same objects 5000 "$(mc-session-ls --json | jq -s length)"
}

# ---- an index in another spelling ----

# respelled: the store of three sessions, one of them deleted, is listed right, by all who list.
is_listed_right() {
	run_split mc-session-ls -q
	assert_status 0
	assert_out $'kept\nbeside-it'
	run_split mc-session-ls --json
	same titles $'kept title\nnull' "$(jq -r .title out)"
	run_split mc-session-ls
	same ids $'kept\nbeside-it' "$(cut -f 1 out)"
	run_split mc-session-ls -n 1 --provider echo
	same ids kept "$(cut -f 1 out)"
}

three_sessions() {
	rm -rf "$MC_SESSIONS_DIR"
	say beside-it words
	say gone1234 other
	new kept -t 'kept title'
	mc-session-rm -f gone1234
	say kept 'more words'
	# mc-session-rm leaves no tombstone behind
	printf '{"id":"gone1234","deletedAt":1700000000000,"version":1}\n' >>"$MC_SESSIONS_DIR/index.jsonl"
}

# change_index FILTER...: the index becomes what the filter makes of it.
change_index() {
	"$@" <"$MC_SESSIONS_DIR/index.jsonl" >changed
	cat changed >"$MC_SESSIONS_DIR/index.jsonl"
}

@test "ls: an index that another program has spelled differently is read as it is" {
	local before n=0
	spelled() {
		three_sessions
		change_index "$@"
		before=$(<"$MC_SESSIONS_DIR/index.jsonl")
		is_listed_right
		assert_err_empty
		same 'the index' "$before" "$(<"$MC_SESSIONS_DIR/index.jsonl")"
		n=$((n + 1))
	}
	spelled sed 's/$/\r/'
	spelled sed 's/^/  /; s/$/ \t/'
	spelled sed 's/,"/ , "/g; s/":/" : /g; s/^{/{ /; s/}$/ }/'
	spelled jq -cS .
	spelled jq -c 'to_entries | reverse | from_entries'
	spelled jq -c '. + {later: "than this version"}'
	spelled sed $'1s/^/\xef\xbb\xbf/'
	spelled perl -pe 'chomp if eof'
	spelled sed '/^{"live"/d; s/$/\n/'
	# shellcheck disable=SC2016 # of sed, not the shell
	spelled sed 's/$/\r/; $s/\r$//'
	((n == 10))
}

@test "ls: an index that cannot be read is made again, once, and this is said" {
	local n=0
	remade() {
		three_sessions
		change_index "$@"
		run_split mc-session-ls -q
		assert_status 0
		assert_out $'kept\nbeside-it'
		assert_err_has 'was made again from the histories'
		is_listed_right
		assert_err_empty
		n=$((n + 1))
	}
	remade jq .
	remade jq -s .
	remade jq -sc .
	remade sed 's/"version":1}/"version":2}/'
	remade sed 's/"version":1}/"version":1.0}/'
	remade jq -c 'del(.version)'
	remade iconv -f UTF-8 -t UTF-16
	remade tr '\n' '\r'
	remade sed 's/"id":"\(.\)/"id":"\\u0078\1/'
	remade sed 's/"id":/"name":"x","id":/; s/"createdAt":/"madeAt":/'
	remade tr '{}' '()'
	remade tr '[:alnum:]' '\0'
	((n == 12))
}

@test "ls: an index without a record of any session is made again" {
	local n=0
	emptied() {
		three_sessions
		change_index "$@"
		is_listed_right
		assert_err_empty
		three_sessions
		change_index "$@"
		mc-chat --no-stdin -c and more
		same stored $'more words\nand more' "$(stored kept)"
		three_sessions
		change_index "$@"
		new newest
		same ids 'newest kept beside-it' "$(ids)"
		n=$((n + 1))
	}
	emptied true
	emptied head -n 1
	emptied sed '1!d; s/$/\r/'
	emptied printf '\n \r\n\t\n'
	emptied printf '\xef\xbb\xbf'
	((n == 5))
	rm -r "$MC_SESSIONS_DIR"
	run_split mc-session-ls # the header of no session is that of a store without one
	assert_err_empty
}

@test "ls: a session whose newest record is torn or of another version comes first all the same" {
	local n=0
	doubtful() {
		three_sessions
		change_index "$@"
		run_split mc-session-ls -q -n 1
		assert_status 0
		assert_out kept
		assert_err_has 'was made again'
		three_sessions
		change_index "$@"
		mc-chat --no-stdin -c and more 2>err
		same stored $'more words\nand more' "$(stored kept)"
		n=$((n + 1))
	}
	# the tombstone of another session is the last line, and kept has one record
	doubtful sed '$d; /"id":"kept".*"exchangeCount":0/d; s/\("id":"kept".*"version":\)1/\12/'
	doubtful perl -ne '$l{kept} = $_, next if /"id":"kept"/; print unless /deletedAt/; END { print substr($l{kept}, 0, 40) }'
	doubtful perl -ne '$l{kept} = $_, next if /"id":"kept"/; print unless /deletedAt/; END { print substr($l{kept}, 0, 40), "\n" }'
	doubtful perl -ne 'next if /"id":"kept"/; print unless /deletedAt/; END { print "\0" x 300 }'
	((n == 4))
}

@test "ls: records that lack what an option needs are made again, and listed" {
	local n=0
	lacking() {
		three_sessions
		change_index "${@:2}"
		# shellcheck disable=SC2086
		run_split mc-session-ls $1
		assert_status 0
		same "ids of $1" 'beside-it kept' "$(cut -f 1 out | sort | xargs)"
		assert_err_has 'was made again'
		is_listed_right
		assert_err_empty
		n=$((n + 1))
	}
	lacking '' sed 's/"exchangeCount":[0-9]*,//'
	lacking '' sed 's/"updatedAt":\([0-9]*\)/"updatedAt":"\1"/'
	lacking '' sed 's/"createdAt":\([0-9]*\)/"createdAt":\1.5/'
	lacking '-q --provider echo' sed 's/"provider":"echo"/"provider":7/'
	lacking '-q --since 1d' sed 's/"updatedAt":[0-9]*,//'
	lacking '-q --before 2200-01-01' sed 's/"historyBytes":[0-9]*,//'
	((n == 6))
}

@test "ls: of an index that can be read in part, the rest comes from the histories" {
	local i
	for i in 1 2 3 4 5 6; do new "s$i"; done
	change_index sed 's/^{"id":"s[2468]"/(&/; s/^{"id":"s5",/&"x":,/; s/^\({"id":"s1",.*"exchangeCount":\)0/\1"0"/'
	run_split mc-session-ls
	assert_status 0
	same sessions 's6 s5 s4 s3 s2 s1' "$(cut -f 1 out | xargs)"
	assert_err_has 'was made again'
	same ids 's6 s5 s4 s3 s2 s1' "$(ids)"
}

@test "ls: what cannot be read is also missed by those who look for a session" {
	look() {
		three_sessions
		change_index sed 's/"version":1}/"version":2}/'
		run_split "$@"
		assert_status 0
		assert_err_has 'was made again'
	}
	look mc-session-cat kep
	assert_out_has 'more words'
	look mc-chat --no-stdin -c and more
	same stored $'more words\nand more' "$(stored kept)"
	three_sessions
	change_index sed 's/$/\r/'
	mc-chat --no-stdin -c and more
	same stored $'more words\nand more' "$(stored kept)"
	mc-session-rm kep <<<y
	same ids beside-it "$(ids)"
}

@test "ls: an index that cannot be read nor made again is not passed over in silence" {
	need_permissions
	three_sessions
	change_index sed 's/^{"id":"k/{"id":k/'
	chmod 500 "$MC_SESSIONS_DIR"
	chmod 400 "$MC_SESSIONS_DIR"/index.*
	run_split without_privilege mc-session-ls -q
	chmod 700 "$MC_SESSIONS_DIR"
	assert_out beside-it
	assert_err_has 'sessions may be missing'
}

@test "ls: writers do not lose what is spelled differently" {
	local i line
	for i in 1 2 3; do new "s$i"; done
	line=$(entry s2 '.cwd = "/" + "x" * 400')
	printf "$line\n%.0s" {1..200} >>"$MC_SESSIONS_DIR/index.jsonl"
	change_index jq -cS .
	say s3 hello # makes it small
	((5000 > $(wc -c <"$MC_SESSIONS_DIR/index.jsonl")))
	same ids 's3 s2 s1' "$(ids)"
	printf "$line\n%.0s" {1..200} >>"$MC_SESSIONS_DIR/index.jsonl"
	change_index jq .
	run_split mc-chat --no-stdin -s s3 hello
	same ids 's3 s2 s1' "$(ids)"
}

# ---- stale records ----

@test "ls: --before names no session that is active since, whatever the index says" {
	local old='.createdAt = 1600000000000 | .updatedAt = 1600000000000'
	stale() { # JQ: the index has this of session a
		index "$(entry a "$old | $1")" "$(entry other "$old")"
		run_split mc-session-ls -q --before 90d
		assert_status 0
		assert_out "${2-other}"
		index "$(entry a "$old | $1")"
		same 'the table' '' "$(mc-session-ls --before 90d)"
		same 'the records' '' "$(mc-session-ls --before 90d --json)"
	}
	say a today
	stale .
	stale ".historyBytes = $(wc -c <"$(history a)")" # another one of the same size, and written today
	touch -d 2020-01-01 "$(history a)"
	stale .
	stale '.historyBytes = 0'
}

@test "ls: --before names no session in which a turn has begun since" {
	craft a "$(head_of a)" "$(exchange 1)"
	index "$(entry a ".updatedAt = 1700000001005 | .historyBytes = $(wc -c <"$(history a)")")"
	touch -d 2023-11-15 "$(history a)"
	same ids a "$(ids --before 90d)"
	printf '%s\nhalf' "$(exchange 2)" >"$MC_SESSIONS_DIR/a/turn.partial"
	same ids '' "$(ids --before 90d)"
	touch -d 2023-11-15 "$MC_SESSIONS_DIR/a/turn.partial"
	same ids a "$(ids --before 90d)"
}

@test "ls: --before lists a stale session that is old as its history says" {
	craft a "$(head_of a ',"title":"true"')" "$(exchange 1)" "$(exchange 2)"
	craft b "$(head_of b)" "$(exchange 1)"
	index "$(entry b '.title = "gone"')" "$(entry a '.title = "gone"')"
	run_split mc-session-ls --before 90d --json
	assert_status 0
	same records 'true 2,null 1' "$(jq -r '"\(.title) \(.exchangeCount)"' out | paste -sd, -)"
	run_split mc-session-ls --before 90d
	same titles $'true\nask 1' "$(cut -f 6 out)"
	run_split mc-session-ls --before 90d true
	same titles '' "$(cut -f 6 out)" # the words are looked for in the index
	same ids '' "$(ids --before 90d --provider nobody)"
}

@test "ls: --before leaves out a session that cannot be read, and says so" {
	craft a garbage
	craft b "$(head_of b)" "$(exchange 1)"
	index "$(entry a)" "$(entry b)" "$(entry c)"
	run_split mc-session-ls -q --before 90d
	assert_status 1
	assert_out $'c\nb'
	assert_err_has "'a' is left out"
}

@test "ls: a session whose record could not be appended is in the list of the next tool" {
	local lock=$MC_SESSIONS_DIR/index.lock index=$MC_SESSIONS_DIR/index.jsonl
	fresh_store() {
		rm -rf "$MC_SESSIONS_DIR"
		new a
		new b
		new c
	}
	is_up_to_date() {
		[[ -s $MC_SESSIONS_DIR/.index.stale ]] || differs 'that it is noted' ''
		run_split mc-session-ls -q
		assert_out $'a\nb\nc'
		assert_err_empty
		listed a | assert_json '.lastQuery == "two" and .exchangeCount == 2'
		[[ ! -e $MC_SESSIONS_DIR/.index.stale ]] || differs 'nothing left' ''
		run_split mc-session-fsck
		assert_out ''
	}
	failing_turns() {
		local words
		for words in 'b one' 'a one' 'a two'; do
			# shellcheck disable=SC2086
			run_split mc-chat --no-stdin -s $words
			assert_status 0
			assert_err_has 'the list of sessions is not up to date'
			assert_err_has 'the next tool will update it'
		done
	}
	fresh_store
	rm "$lock"
	mkdir "$lock"
	failing_turns
	run_split mc-session-ls -q # it cannot either
	assert_out $'c\nb\na'
	assert_err_has 'not up to date'
	rmdir "$lock"
	is_up_to_date

	fresh_store
	mv "$index" aside
	ln -s aside "$index"
	failing_turns
	rm "$index"
	mv aside "$index"
	is_up_to_date

	fresh_store
	chmod 666 "$index"
	failing_turns
	chmod 600 "$index"
	run_split mc-chat --no-stdin -c three # goes on with the right one
	same stored $'one\ntwo\nthree' "$(stored a)"
	same ids 'a b c' "$(ids)"
}

@test "ls: a note of stale sessions that is no list of them has the list made again" {
	local text
	for text in '' 'a' $'a\n../x\n' $'\xff\n'; do
		rm -rf "$MC_SESSIONS_DIR"
		craft a "$(head_of a)" "$(exchange 1)"
		index "$(entry a)"
		(umask 077 && printf '%s' "$text" >"$MC_SESSIONS_DIR/.index.stale")
		listed a | assert_json '.lastQuery == "ask 1"'
		[[ ! -e $MC_SESSIONS_DIR/.index.stale ]]
	done
	mc-session-rm -f a
	(umask 077 && echo a >"$MC_SESSIONS_DIR/.index.stale")
	same ids '' "$(ids)"
}

# ---- words ----

@test "ls: words are looked for in ids, titles and prompts, in upper or lower case" {
	new by-its-id
	new titled -t 'Release Notes of ÄRGER'
	say prompts 'first WORDS "quoted"'
	say prompts middle of it
	say prompts the last ones
	same ids by-its-id "$(ids its-ID)"
	same ids titled "$(ids notes)"
	same ids titled "$(ids 'release notes')"
	same ids titled "$(ids notes rele)"
	same ids titled "$(ids ärg)"
	same ids prompts "$(ids words)"
	same ids prompts "$(ids '"QUO')"
	same ids prompts "$(ids last)"
	same ids '' "$(ids middle)"
	same ids '' "$(ids echo)"
	same ids '' "$(ids notes words)"
	same ids 'prompts titled by-its-id' "$(ids '')"
	same 'the columns' titled "$(mc-session-ls notes | cut -f 1)"
	same 'the records' titled "$(mc-session-ls --json notes | jq -r .id)"
	same ids 'prompts' "$(ids -n 1 t)"
	same ids '' "$(ids --provider nobody notes)"
	run_split mc-session-ls nothing-of-this
	assert_status 0
	assert_out_empty
	assert_err_empty
}
