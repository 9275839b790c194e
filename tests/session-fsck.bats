#!/usr/bin/env bats
#
# mc-session-fsck against its manual. Each kind of damage is made by hand, in a store
# that is otherwise sound. Then "mends FINDING..." passes when the check finds just that
# and changes nothing; the repair loses no byte; and after it the store is clean, another
# repair changes nothing, and every session goes on (tests/fsck.py).

load helper
load craft

setup() {
	fresh
	umask 077
}

Q='\.quarantine/[^ ]+'

# tree: all that can be seen of the store: names, modes, owners, times of change, contents.
tree() {
	find "$MC_SESSIONS_DIR" -printf '%P %y %#m %U %n %s %i %C@ %l\n' | LC_ALL=C sort
	find "$MC_SESSIONS_DIR" -type f -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort
}

unchanged() { tree | diff was - || differs "no change by $1" ''; }

# judge: see tests/fsck.py
judge() { "${PYTHON:-/usr/bin/python3}" -IS "$ROOT/tests/fsck.py" "$@"; }
mends() { judge mends "$@"; }
checked() { judge checked "$@"; }

# findings: those in JSON in the file out, as fsck.py writes them.
findings() {
	jq -r '"\(.kind) \(.session // "-") \(.file) \(.line // "-") \(if .quarantine then "moved" else .repair end)"' out
}

# in_quarantine FILE: what the repair just now moved of it, printed.
in_quarantine() {
	local place
	place=$(jq -r --arg file "$1" 'select(.file == $file).quarantine' repaired | sort -u)
	cat "$MC_SESSIONS_DIR/$place"
}

# repair: keeps the findings in the file repaired.
repair() {
	run_split mc-session-fsck -r --json "$@"
	assert_status 1
	cp out repaired
}

# three: sessions that are sound; the tests damage one, and the others show that nothing else is touched.
three() {
	say a one
	mc-session-new -i b -p echo -m m -t 'A title' -S 'Be brief.' --meta k=v >/dev/null
	say b two
	say c three
}

partial() { printf '%s\n%s' "$(exchange "$2" | jq -c '{type, id, timestamp, query, model}')" "${3-half}" >"$MC_SESSIONS_DIR/$1/turn.partial"; }

# lost ID: what is left of a session whose history is gone.
lost() {
	mkdir "$MC_SESSIONS_DIR/$1"
	partial "$1" 1
}

# removed.jsonl

removed_two() {
	three
	new gone1
	new gone2
	mc-session-rm -f gone1 gone2
}
removal() { echo '{"id":"'"$1"'","createdAt":1700000000000,"deletedAt":1700000000001'"${2-}"'}'; }

@test "removed: its damaged lines go to quarantine, and all others stay as they are" {
	local file=$MC_SESSIONS_DIR/removed.jsonl
	removed_two
	cp "$file" good
	{
		echo garbage
		echo '[]'
		echo '{"id":"x","createdAt":1700000000000}'
		echo '{"id":"x","deletedAt":"1700000000000"}'
		echo '{"id":"x","deletedAt":-1}'
		echo '{"id":"x","createdAt":253402300800000,"deletedAt":1700000000000}'
		echo '{"createdAt":1700000000000,"deletedAt":1700000000001}'
		echo '{"id":7,"deletedAt":1700000000001}'
		echo '{"id":"../x","deletedAt":1700000000001}'
		removal x ',"later":[1]' | tee -a good
		echo ' {"deletedAt" : 1700000000001, "id" : "y", "createdAt" : null} ' | tee -a good
		removal x | tee -a good
		removal x | tee -a good
		printf '\0\0\0\0\n'
		printf '\0\0\0'
		removal z | tee -a good
		echo
		removal w | head -c 20
	} >>"$file"
	mends 'record - removed.jsonl '{3..11}' moved' 'nul - removed.jsonl '{16,17}' moved' \
		'record - removed.jsonl 18 moved' 'torn - removed.jsonl 19 moved'
	cmp "$file" good
	same mode 600 "$(stat -c %a "$file")"
	new z
	removal z >record
	same 'createdAt of the next one' true "$(jq --argjson removed "$(jq .createdAt record)" '.createdAt > $removed' <<<"$(head -n 1 "$(history z)")")"
}

@test "removed: the message says what is wrong with a line" {
	removed_two
	{
		echo '{"id":"x"}'
		echo '{"deletedAt":1}'
		echo '{"id":"-x","deletedAt":1}'
		printf '{"id":"x","de'
	} >>"$MC_SESSIONS_DIR/removed.jsonl"
	run_split mc-session-fsck
	assert_status 1
	assert_out "removed.jsonl:3: 'deletedAt' is missing
removed.jsonl:4: 'id' is missing
removed.jsonl:5: 'id' is not a session id
removed.jsonl:6: the last line is not a whole record: JSON that breaks off"
}

@test "removed: a last line that lacks only its line feed is given one" {
	removed_two
	removal x | head -c -1 >>"$MC_SESSIONS_DIR/removed.jsonl"
	mends 'torn - removed.jsonl 3 done'
	same 'the last line' "$(removal x)" "$(tail -n 1 "$MC_SESSIONS_DIR/removed.jsonl")"
}

@test "removed: a second hard link, a mode, a link and what is not a file" {
	local file=$MC_SESSIONS_DIR/removed.jsonl
	removed_two
	cp "$file" good
	ln "$file" second
	mends 'link - removed.jsonl - done'
	cmp "$file" good
	cmp second good
	same 'its links' 1 "$(stat -c %h "$file")"
	ln -f "$file" second
	echo garbage >>"$file"
	mends 'record - removed.jsonl 3 moved' 'link - removed.jsonl - done'
	cmp "$file" good
	chmod 644 "$file"
	mends 'mode - removed.jsonl - done'
	cmp "$file" good
	mv "$file" moved
	ln -s "$PWD/moved" "$file"
	mends 'link - removed.jsonl - moved'
	cmp moved good
	mkdir "$file"
	mends 'special - removed.jsonl - moved'
	mkfifo "$file"
	mends 'special - removed.jsonl - moved'
	: >"$file"
	chmod 600 "$file"
	mends
	rm "$file"
	mends
}

@test "removed: a repair that was cut short leaves nothing" {
	removed_two
	echo garbage >>"$MC_SESSIONS_DIR/removed.jsonl"
	echo half >"$MC_SESSIONS_DIR/.removed.tmp"
	mends 'record - removed.jsonl 3 moved' 'leftover - .removed.tmp - moved'
}

# waits_for_lock FILE: whether a process waits for its lock.
waits_for_lock() { grep -q -- "-> FLOCK .*:$(stat -c %i "$1") " /proc/locks; }
# locks_are_listed FILE: skips the test unless the lock on it, which is held, can be seen.
locks_are_listed() { grep -qs "FLOCK .*:$(stat -c %i "$1") " /proc/locks || skip 'the system does not list its locks'; }

@test "removed: what another process writes is not judged; a repair waits for it" {
	local file=$MC_SESSIONS_DIR/removed.jsonl fsck
	removed_two
	sed -i '1i garbage' "$file"
	removal x | head -c 20 >>"$file"
	exec 9<"$file"
	flock 9
	locks_are_listed "$file"
	run_split timeout 20 mc-session-fsck 9>&-
	assert_status 1
	assert_out 'removed.jsonl:1: no valid JSON (at byte 1)'
	mc-session-fsck -r >found 2>message 9>&- 3>&- &
	fsck=$!
	poll 20 waits_for_lock "$file"
	removal x | tail -c +21 >>"$file"
	flock -u 9
	run_split wait "$fsck"
	assert_status 1
	same 'what is found' 1 "$(wc -l <found)"
	same ids 'gone1 gone2 x' "$(jq -r .id "$file" | xargs)"
	mends
}

@test "removed: a removal that waits while a repair replaces the file is noted in the new one" {
	local file=$MC_SESSIONS_DIR/removed.jsonl rm
	removed_two
	cp "$file" new.jsonl
	chmod 600 new.jsonl
	exec 9<"$file"
	flock 9
	locks_are_listed "$file"
	mc-session-rm -f a 2>message 9>&- 3>&- &
	rm=$!
	poll 20 waits_for_lock "$file"
	mv new.jsonl "$file" # as a repair does
	flock -u 9
	run_split wait "$rm"
	assert_status 0
	same ids 'gone1 gone2 a' "$(jq -r .id "$file" | xargs)"
}

@test "removed: the temporary file of a repair is made while the repair shares the directory" {
	local fsck
	removed_two
	echo garbage >>"$MC_SESSIONS_DIR/removed.jsonl"
	exec 9<"$MC_SESSIONS_DIR"
	flock 9 # as a check that looks for leftovers
	locks_are_listed "$MC_SESSIONS_DIR"
	mc-session-fsck -r >found 2>message 9>&- 3>&- &
	fsck=$!
	poll 20 waits_for_lock "$MC_SESSIONS_DIR"
	[[ ! -e $MC_SESSIONS_DIR/.removed.tmp ]] || differs 'no temporary file' ''
	flock -u 9
	run_split wait "$fsck"
	assert_status 1
	mends
}

# Sound stores

@test "fsck: a sound store is clean, and not touched, by a repair neither" {
	three
	new empty
	mc-chat --no-stdin -s a -m other -t 'New title' again >/dev/null
	mc-session-new -i gone -p echo >/dev/null
	mc-session-rm -f gone
	craft d "$(head_of d ',"later":[1]')" "$(exchange 1 error)" "$(exchange 2 interrupted)" "$(exchange 3)" "$(rewind 2)" \
		'{"type":"marvel","x":{"id":1}}' "{\"type\":\"summary\",\"timestamp\":1700000000000,\"upTo\":\"$(uuid 1)\",\"text\":\"t\",\"model\":\"m\"}" \
		"$(exchange 4 complete ',"later":{}')"
	mkdir -p "$MC_SESSIONS_DIR/d/artifacts"
	echo art >"$MC_SESSIONS_DIR/d/artifacts/x"
	say d more
	mends
}

@test "fsck: no store at all, and an empty one, are clean; none is made" {
	mends_nothing() {
		local option
		for option in '' --json -r --repair '-r --json'; do
			# shellcheck disable=SC2086
			run_split mc-session-fsck $option
			assert_status 0
			assert_out_empty
			assert_err_empty
		done
	}
	mends_nothing
	[[ ! -e $MC_SESSIONS_DIR ]]
	mkdir "$MC_SESSIONS_DIR"
	mends_nothing
	: >"$MC_SESSIONS_DIR/index.lock"
	mends_nothing
	same 'the list' '' "$(mc-session-ls)"
}

@test "fsck: a sessions directory that is none, or a link to nothing, is an error, not a finding" {
	echo keep >"$MC_SESSIONS_DIR"
	for option in '' -r; do
		# shellcheck disable=SC2086
		run_split mc-session-fsck $option
		assert_status 1
		assert_out_empty
		assert_err_has "'$MC_SESSIONS_DIR'"
	done
	same 'the file' keep "$(cat "$MC_SESSIONS_DIR")"
	rm "$MC_SESSIONS_DIR"
	ln -s nowhere "$MC_SESSIONS_DIR"
	run_split mc-session-fsck -r
	assert_status 1
	assert_err_has "'$MC_SESSIONS_DIR'"
	[[ ! -e nowhere ]]
}

@test "fsck: a link to the sessions directory is as good as the directory" {
	three
	mv "$MC_SESSIONS_DIR" real
	ln -s real "$MC_SESSIONS_DIR"
	echo garbage >>"$(history b)"
	repair
	run_split mc-session-fsck
	assert_status 0
	same quarantined garbage "$(in_quarantine b/history.jsonl)"
}

# What is not the tools' own

# project DIR: a folder with all sorts of things that no tool of ours made.
project() {
	mkdir -p "$1/src" "$1/bin" "$1/empty" "$1/other/artifacts" "$1/.git" "$1/.new-things" "$1/logs"
	echo code >"$1/src/a.c"
	printf '#!/bin/sh\n' >"$1/bin/tool"
	chmod 0755 "$1" "$1/bin" "$1/bin/tool" "$1/empty" "$1/other" "$1/src" "$1/.git"
	ln -s src "$1/link"
	ln -s nowhere "$1/dangling"
	mkfifo "$1/fifo"
	echo '{"role":"user","content":"hi"}' >"$1/other/history.jsonl" # another program's
	echo '{"event":"start","version":3}' >"$1/logs/index.jsonl"
	chmod 0666 "$1/other/history.jsonl" "$1/logs/index.jsonl"
	echo words >"$1/.new-things/words"
	echo read >"$1/README"
}

# looks DIR: names, modes, kinds, targets and contents, without times.
looks() {
	mode "$1"
	find "$1" -mindepth 1 ! -path '*/.quarantine*' -printf '%P %m %y %l %n\n' | LC_ALL=C sort
	find "$1" -type f ! -path '*/.quarantine*' -exec sha256sum {} + | LC_ALL=C sort
}

# not_a_store DIR TEXT: neither a check nor a repair touches it; the message has the text.
not_a_store() {
	local words
	looks "$1" >looks.before
	for words in '' -r --repair '-r src' '-r a' --json; do
		# shellcheck disable=SC2086
		MC_SESSIONS_DIR=$PWD/$1 run_split mc-session-fsck $words
		assert_status 1
		assert_out_empty
		assert_err_has "'$PWD/$1' is not a sessions directory"
		assert_err_has "$2"
		looks "$1" | diff looks.before - || differs "no change by '$words'" ''
	done
}

@test "not a store: nothing there is moved or changed, and the message names what is there" {
	project p
	not_a_store p "'.git', '.new-things', 'README', 'bin' and 7 more"
	echo '{"name":"index of something"}' >p/index.jsonl
	not_a_store p 'MC_SESSIONS_DIR'
	echo '{"id":"article","version":1,"createdAt":1,"updatedAt":2}' >p/index.jsonl
	not_a_store p 'MC_SESSIONS_DIR'
	mkdir user
	echo alias >user/.bashrc
	chmod 0755 user
	not_a_store user "but '.bashrc'; set"
}

@test "not a store: a folder above it, and one in it, are named as what was meant" {
	three
	mkdir up
	mv "$MC_SESSIONS_DIR" up/sessions
	chmod 0755 up up/sessions/a
	not_a_store up "'sessions' in it is one"
	mkdir -p up/sessions/a/artifacts
	not_a_store up/sessions/a 'the folder above it is one'
}

@test "not a store: an index, or a session, makes it one" {
	three
	rm -r "$MC_SESSIONS_DIR"/index.*
	rm -r "$MC_SESSIONS_DIR"/[ab]
	run_split mc-session-fsck -r
	assert_status 1
	assert_out 'index.jsonl: it is missing; repaired'
	mc-session-rm -f c
	echo note >"$MC_SESSIONS_DIR/note"
	run_split mc-session-fsck -r
	assert_status 0
	rm "$MC_SESSIONS_DIR"/index.* "$MC_SESSIONS_DIR/removed.jsonl"
	run_split mc-session-fsck -r
	assert_status 1
	assert_err_has "it holds no index and no session, but 'note'; set"
}

@test "an index of nothing but white space is missing, and made again" {
	local text

	three
	for text in '' '\n' '\n\n' ' \n' '\r\n'; do
		printf "$text" >"$MC_SESSIONS_DIR/index.jsonl"
		run_split mc-session-fsck -r
		assert_status 1
		assert_out_has 'index.jsonl: it is missing; '
		run_split mc-session-fsck
		assert_status 0
		assert_out ''
	done
	[[ $(mc-session-ls | wc -l) == 3 ]]
}

@test "a store in a folder with other things: only its own is repaired" {
	project p
	export MC_SESSIONS_DIR=$PWD/p
	looks p | LC_ALL=C sort >looks.before
	three
	mkdir p/.new-x-abc p/.removed-y-1-2
	mkfifo p/a/fifo
	chmod 0644 p/b/history.jsonl
	rm p/c/history.jsonl
	run_split mc-session-fsck -r --json
	assert_status 1
	assert_err_has 'could not be repaired'
	findings | LC_ALL=C sort >found
	jq -r 'select(.kind == "history" and .session == "src").message' out |
		grep -qx 'a folder without a history; nothing shows that it is a session'
	LC_ALL=C sort >wanted <<-'EOF'
		leftover - .new-x-abc - moved
		leftover - .removed-y-1-2 - moved
		special a a/fifo - moved
		mode b b/history.jsonl - done
		history c c - moved
		orphan c index.jsonl - moved
		mode - . - impossible
		history bin bin - impossible
		history logs logs - impossible
		history src src - impossible
		head other other/history.jsonl 1 impossible
		link dangling dangling - impossible
		link link link - impossible
		special fifo fifo - impossible
	EOF
	diff wanted found
	# All that was there before is as it was.
	looks p | LC_ALL=C sort | LC_ALL=C comm -23 looks.before - >changed
	same 'what changed' '' "$(<changed)"
	same 'the list' $'a\nb' "$(mc-session-ls -q | sort)"
	run_split mc-session-fsck -r src other
	assert_status 1
	looks p | LC_ALL=C sort | LC_ALL=C comm -23 looks.before - >changed
	same 'what changed' '' "$(<changed)"
}

@test "quarantine: a note beside each thing tells its old place and mode" {
	local place
	three
	mkdir -m 0700 "$MC_SESSIONS_DIR/a/artifacts"
	ln -s /nowhere "$MC_SESSIONS_DIR/a/artifacts/link"
	mkfifo -m 0640 "$MC_SESSIONS_DIR/a/fifo"
	lost e
	chmod 0750 "$MC_SESSIONS_DIR/e"
	echo garbage >>"$(history b)"
	cp -a "$MC_SESSIONS_DIR" before
	repair
	judge kept before repaired
	note() { jq -c "{from, session, mode, uid}" "$MC_SESSIONS_DIR/$(jq -r --arg f "$1" 'select(.file == $f).quarantine' repaired).json"; }
	same fifo "{\"from\":\"a/fifo\",\"session\":\"a\",\"mode\":\"0640\",\"uid\":$UID}" "$(note a/fifo)"
	same link "{\"from\":\"a/artifacts/link\",\"session\":\"a\",\"mode\":\"0777\",\"uid\":$UID}" "$(note a/artifacts/link)"
	same folder "{\"from\":\"e\",\"session\":null,\"mode\":\"0750\",\"uid\":$UID}" "$(note e)"
	same lines "{\"from\":\"b/history.jsonl\",\"session\":\"b\",\"mode\":\"0600\",\"uid\":$UID}" "$(note b/history.jsonl)"
	# With these it can be undone, as the manual shows.
	for place in "$MC_SESSIONS_DIR"/.quarantine/e-????????; do
		mv -n "$place" "$MC_SESSIONS_DIR/$(jq -r .from "$place.json")"
	done
	diff -r before/e "$MC_SESSIONS_DIR/e"
	same mode 750 "$(mode "$MC_SESSIONS_DIR/e")"
}

# Lines of a history

@test "torn: the fragment goes to quarantine, wherever the record broke off" {
	local cut
	three
	for cut in 1 2 40 150 249; do
		exchange 9 | head -c "$cut" >>"$(history b)"
		mends 'torn b b/history.jsonl 3 moved'
		same quarantined "$(exchange 9 | head -c "$cut")" "$(cat "$MC_SESSIONS_DIR"/.quarantine/b.history.jsonl-????????)"
		mc-session-rm -f b
		rm -r "$MC_SESSIONS_DIR/.quarantine"
		new b
		say b two
	done
}

@test "torn: a whole record that lacks only its line feed is given one" {
	three
	exchange 9 | tr -d '\n' >>"$(history b)"
	{
		cat "$(history b)"
		echo
	} >wanted
	cp -a "$MC_SESSIONS_DIR" copy
	repair
	cmp wanted "$(history b)"
	same queries 'two,ask 9' "$(queries b)"
	rm -r "$MC_SESSIONS_DIR"
	mv copy "$MC_SESSIONS_DIR"
	mends 'torn b b/history.jsonl 3 done'
}

@test "torn: whole JSON that is no record is a fragment too" {
	three
	printf '{"type":"exchange"}' >>"$(history b)"
	mends 'torn b b/history.jsonl 3 moved'
}

@test "nul: lines with NUL bytes, as a loss of power leaves them" {
	three
	{
		printf '{"ty\0\0\0"}\n'
		exchange 9
		head -c 5000 /dev/zero
		echo
		exchange 10
	} >>"$(history b)"
	mends 'nul b b/history.jsonl 3 moved' 'nul b b/history.jsonl 5 moved'
	same queries 'two,ask 9,ask 10,and on in b' "$(queries b)"
	head -c 4096 /dev/zero >>"$(history c)"
	run_split mc-session-fsck --json
	assert_status 1
	assert_json '(.kind == "torn" or .kind == "nul") and .line == 4 and .file == "c/history.jsonl"' out
	repair
	same quarantined 4096 "$(cat "$MC_SESSIONS_DIR"/.quarantine/c.history.jsonl-???????? | tr -d '\n' | wc -c)"
	run_split mc-session-fsck
	assert_status 0
}

@test "nul: a whole record beside NUL bytes is brought back" {
	local nuls='head -c 700 /dev/zero'
	three
	{
		exchange 9 | tr -d '\n'
		$nuls
		echo
		$nuls
		exchange 10
		exchange 11 | tr -d '\n'
		$nuls
		exchange 12 | head -c 90
		$nuls
		exchange 13
		exchange 14 | head -c 90
		$nuls
		echo
		exchange 15 | tr -d '\n'
		$nuls
	} >>"$(history b)"
	cp -a "$MC_SESSIONS_DIR" copy
	run_split mc-session-fsck
	assert_status 1
	assert_out_has 'b/history.jsonl:3: NUL bytes beside a whole record'
	assert_out_has 'b/history.jsonl:5: NUL bytes beside whole records'
	mends 'nul b b/history.jsonl 3 moved' 'nul b b/history.jsonl 4 moved' 'nul b b/history.jsonl 5 moved' \
		'nul b b/history.jsonl 6 moved' 'nul b b/history.jsonl 7 moved'
	same queries 'two,ask 9,ask 10,ask 11,ask 13,ask 15,and on in b' "$(queries b)"
	sed -n 3,7p "$(history b)" >kept
	for i in 9 10 11 13 15; do exchange "$i"; done | cmp - kept
	sed -n '3,$p' copy/b/history.jsonl >lost
	echo >>lost
	cmp lost "$MC_SESSIONS_DIR"/.quarantine/b.history.jsonl-????????
}

@test "nul: a session record beside them counts, and what was stored again is there once" {
	three
	head -n 1 "$(history b)" >head
	{
		tr -d '\n' <head
		head -c 40 /dev/zero
		echo
		exchange 9 | tr -d '\n'
		head -c 40 /dev/zero
		echo
		exchange 9 interrupted
		exchange 10 interrupted
		exchange 10 | tr -d '\n'
		head -c 40 /dev/zero
		echo
		exchange 11
		exchange 11 | tr -d '\n'
		head -c 40 /dev/zero
		echo
	} >history
	cat history >"$(history b)"
	mends 'nul b b/history.jsonl 1 moved' 'nul b b/history.jsonl 2 moved' 'duplicate b b/history.jsonl 3 moved' \
		'duplicate b b/history.jsonl 4 moved' 'nul b b/history.jsonl 5 moved' 'nul b b/history.jsonl 7 moved'
	{
		cat head
		exchange 9
		exchange 10
		exchange 11
	} >wanted
	head -n 4 "$(history b)" | cmp wanted -
}

@test "record: lines that are none go to quarantine, all others stay" {
	three
	{
		exchange 11
		echo garbage
		echo
		exchange 12 | sed 's/reply/\xff/'
		exchange 13 | jq -c 'del(.query)'
		exchange 14 | sed 's/}$/,"query":"twice"}/'
		echo '{"type":"exchange","id":"'
		echo '[]'
		echo '{"type":"marvel"}'
		printf '%70s\n' '' | tr ' ' '['
		exchange 15
	} >>"$(history b)"
	sed -n '1,3p;11p;13p' "$(history b)" >wanted
	sed -n '4,10p;12p' "$(history b)" >unwanted
	mends 'record b b/history.jsonl 4 moved' 'record b b/history.jsonl 5 moved' 'record b b/history.jsonl 6 moved' \
		'record b b/history.jsonl 7 moved' 'record b b/history.jsonl 8 moved' 'record b b/history.jsonl 9 moved' \
		'record b b/history.jsonl 10 moved' 'record b b/history.jsonl 12 moved'
	head -n 5 "$(history b)" | cmp wanted -
	cmp unwanted "$MC_SESSIONS_DIR"/.quarantine/b.history.jsonl-????????
}

@test "record: a byte order mark" {
	three
	printf '\xef\xbb\xbf%s\n' "$(exchange 9)" >>"$(history b)"
	mends 'record b b/history.jsonl 3 moved'
}

# The session record

@test "head: made anew from the index: createdAt, cwd, provider, model and title" {
	local part
	three
	part='{id, createdAt, cwd, provider, model, title}'
	jq -c "select(.type == \"session\") | $part" "$(history b)" >wanted
	head -n 1 "$(history b)" >lost
	sed -i '1s/.*/{"type":"session","version":1,"id":"b","system":"Be brief./' "$(history b)"
	mends 'head b b/history.jsonl 1 moved' '?record b b/history.jsonl 1 moved'
	head -n 1 "$(history b)" | assert_json '.type == "session" and .version == 1'
	head -n 1 "$(history b)" | jq -c "$part" | cmp wanted -
	grep -q 'Be brief.' "$MC_SESSIONS_DIR"/.quarantine/b.history.jsonl-???????? # as the manual says
	same queries 'two,and on in b' "$(queries b)"
}

@test "head: one that is not there at all, and a history without a byte" {
	three
	sed -i 1d "$(history a)"
	mends 'head a a/history.jsonl 1 done'
	: >"$(history c)"
	run_split mc-session-fsck
	assert_status 1
	assert_out_has 'c/history.jsonl:1: '
	repair
	run_split mc-session-fsck
	assert_status 0
	same provider echo "$(head -n 1 "$(history c)" | jq -r .provider)"
	say c more
	same queries more "$(queries c)"
}

@test "head: where the index does not know the session it is impossible, and nothing of it is touched" {
	three
	sed -i '1s/.*/garbage/' "$(history b)"
	printf 'more\n{"torn' >>"$(history b)"
	sed -i '/"id":"b"/d' "$MC_SESSIONS_DIR/index.jsonl"
	partial b 9
	cp "$(history b)" damaged
	tree >was
	run_split mc-session-fsck -r
	assert_status 1
	assert_out_has 'b/history.jsonl:1: '
	unchanged 'a repair that is impossible'
	run_split mc-session-fsck -r --json
	assert_status 1
	assert_json -s 'all(.[]; .session == "b" and .repair == "impossible") and any(.[]; .kind == "head")' out
	rm "$MC_SESSIONS_DIR/index.jsonl"
	repair
	assert_json -s 'any(.[]; .kind == "head" and .repair == "impossible") and any(.[]; .kind == "index" and .repair == "done")' repaired
	cmp damaged "$(history b)"
	same 'the others' $'c\na' "$(mc-session-ls -q 2>/dev/null)"
}

@test "head: the repair uses the index before it makes that anew" {
	three
	sed -i 1d "$(history b)"
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	mends 'head b b/history.jsonl 1 done' "index - index.jsonl $(wc -l <"$MC_SESSIONS_DIR/index.jsonl") moved"
	same title 'A title' "$(listed b | jq -r .title)"
}

@test "version: a session of a later format is reported and left alone, whatever else is in it" {
	three
	sed -i '1s/"version":1/"version":2/' "$(history b)"
	mends 'version b b/history.jsonl 1 none'
	printf 'garbage\n{"torn' >>"$(history b)"
	printf '%s\nhalf' "$(exchange 2)" >"$MC_SESSIONS_DIR/b/turn.partial"
	mends 'version b b/history.jsonl 1 none'
	[[ -e $MC_SESSIONS_DIR/b/turn.partial ]]
}

# Exchanges that are there twice

@test "duplicate: a copy that is the same, or was cut short, goes to quarantine" {
	local copy
	for copy in complete interrupted error; do
		craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
		mc-session-ls >/dev/null
		exchange 1 "$copy" >>"$(history a)"
		if [[ $copy == complete ]]; then mends 'duplicate a a/history.jsonl 2 moved'; else mends 'duplicate a a/history.jsonl 4 moved'; fi
		same queries 'ask 2,ask 1,and on in a' "$(queries a)" # as before: the last one is the head
		same quarantined "$(exchange 1 "$copy")" "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-????????)"
		rm -r "$MC_SESSIONS_DIR"
	done
}

@test "duplicate: the complete one stays, also when it is the second" {
	craft a "$(head_of a)" "$(exchange 1 interrupted)" "$(exchange 2)"
	mc-session-ls >/dev/null
	exchange 1 >>"$(history a)"
	mends '?duplicate a a/history.jsonl 2 moved' '?duplicate a a/history.jsonl 4 moved'
	same 'times it is there' 1 "$(grep -c "\"id\":\"$(uuid 1)\"" "$(history a)")"
	same status complete "$(grep "\"id\":\"$(uuid 1)\"" "$(history a)" | jq -r .status)"
	same quarantined "$(exchange 1 interrupted)" "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-????????)"
}

@test "duplicate: three and more of one id leave the complete one, in one repair" {
	craft a "$(head_of a)" "$(exchange 1 interrupted)" "$(exchange 1)" "$(exchange 1 interrupted)" "$(exchange 2)"
	mc-session-ls >/dev/null
	exchange 1 >>"$(history a)"
	exchange 1 error >>"$(history a)"
	mends '?duplicate a a/history.jsonl 3 moved' 'duplicate a a/history.jsonl 2 moved' 'duplicate a a/history.jsonl 4 moved' \
		'?duplicate a a/history.jsonl 6 moved' 'duplicate a a/history.jsonl 7 moved'
	same queries 'ask 2,ask 1,and on in a' "$(queries a | sed 's/ask 1,ask 2/ask 2,ask 1/')"
	same 'lines in quarantine' 4 "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-???????? | wc -l)"
	same status complete "$(grep "\"id\":\"$(uuid 1)\"" "$(history a)" | jq -r .status)"
}

@test "duplicate: of complete ones that differ the longer one stays, as a merge has it" {
	craft a "$(head_of a)" "$(exchange 1)" "$(exchange 2)"
	exchange 1 | sed 's/reply/another reply/' >>"$(history a)"
	mc-session-ls >/dev/null
	mends 'duplicate a a/history.jsonl 2 moved'
	same 'the reply' 'another reply 1' "$(jq -r 'select(.query == "ask 1").answer' "$(history a)")"
}

@test "duplicate: steps, results, changes and summaries of one identity, too" {
	craft a "$(head_of a)" \
		'{"type":"step","exchange":"x","n":0,"timestamp":1,"text":"","calls":[{"id":"c","name":"f","arguments":{}}],"model":"m"}' \
		'{"type":"step","exchange":"x","n":0,"timestamp":1,"text":"longer","calls":[{"id":"c","name":"f","arguments":{}}],"model":"m"}' \
		'{"type":"result","exchange":"x","n":0,"call":"c","timestamp":1,"status":"ok","output":"a"}' \
		'{"type":"result","exchange":"x","n":0,"call":"c","timestamp":1,"status":"ok","output":"b"}' \
		'{"type":"exchange","id":"x","parent":null,"timestamp":1,"query":"q","answer":"a","model":"m","status":"complete","steps":1}' \
		'{"type":"change","id":"h","timestamp":1,"title":"a longer one"}' '{"type":"change","id":"h","timestamp":1,"title":"b"}' \
		'{"type":"summary","id":"s","timestamp":1,"upTo":"x","text":"t","model":"m"}' \
		'{"type":"summary","id":"s","timestamp":1,"upTo":"x","text":"t","model":"m"}'
	mc-session-ls >/dev/null
	mends 'duplicate a a/history.jsonl 2 moved' 'duplicate a a/history.jsonl 4 moved' \
		'duplicate a a/history.jsonl 7 moved' 'duplicate a a/history.jsonl 9 moved'
}

# linked RECORD...: a history of these records, in which an exchange is "x:PARENT" or "x".
linked() {
	local record records=("$(head_of a)")
	for record; do
		case $record in
		\{*) records+=("$record") ;;
		*) records+=("{\"type\":\"exchange\",\"id\":\"${record%%:*}\",$(
			if [[ $record == *:* ]]; then echo "\"parent\":\"${record#*:}\","; fi
		)\"timestamp\":1,\"query\":\"q\",\"answer\":\"a\",\"model\":\"m\",\"status\":\"complete\"}") ;;
		esac
	done
	craft a "${records[@]}"
	mc-session-ls >/dev/null
}

@test "parent: an exchange whose parent is missing, or leads back to it" {
	linked a b:a c:nowhere
	mends 'parent a a/history.jsonl 4 impossible'
	run_split mc-session-fsck
	assert_status 1
	assert_out 'a/history.jsonl:4: the exchange that it follows, its parent, is not stored'
	rm -r "$MC_SESSIONS_DIR"
	linked a b:d c:b d:c
	mends 'parent a a/history.jsonl 3 impossible' 'parent a a/history.jsonl 4 impossible' 'parent a a/history.jsonl 5 impossible'
	rm -r "$MC_SESSIONS_DIR"
	linked a b:b
	mends 'parent a a/history.jsonl 3 impossible'
}

@test "parent: a history without parents has none that is missing" {
	linked a b '{"type":"rewind","timestamp":1,"to":"nowhere"}' c
	mends
}

@test "steps and results: a wrong count, of no exchange, of no call" {
	local step='{"type":"step","exchange":"x","n":0,"timestamp":1,"text":"","calls":[{"id":"c","name":"f","arguments":{}}],"model":"m"}'
	local result='{"type":"result","exchange":"x","n":0,"call":"c","timestamp":1,"status":"ok","output":"a"}'
	linked "$step" "$result" x
	mends 'steps a a/history.jsonl 4 impossible'
	run_split mc-session-fsck
	assert_status 1
	assert_out 'a/history.jsonl:4: the exchange counts 0 steps, and 1 are stored'
	rm -r "$MC_SESSIONS_DIR"
	linked a "$step" "$result"
	mends 'steps a a/history.jsonl 3 impossible'
	rm -r "$MC_SESSIONS_DIR"
	linked "$step" "${result/'"call":"c"'/'"call":"d"'}" "${result/'"n":0'/'"n":5'}" \
		'{"type":"exchange","id":"x","parent":null,"timestamp":1,"query":"q","answer":"a","model":"m","status":"complete","steps":1}'
	mends 'result a a/history.jsonl 3 impossible' 'result a a/history.jsonl 4 impossible'
	rm -r "$MC_SESSIONS_DIR"
	linked "$step" '{"type":"exchange","id":"x","parent":null,"timestamp":1,"query":"q","answer":"a","model":"m","status":"complete","steps":1}'
	mends # a call without a result is unknown, and no fault
}

# path: the ids of the conversation, in the order of the file.
path() { mc-session-cat --json a 2>/dev/null | jq -r 'select(.type == "exchange").id' | paste -sd' '; }

@test "duplicate: the better version takes the place of the last one, so that the head stays" {
	local better='{"type":"exchange","id":"a","timestamp":1,"query":"q","answer":"longer","model":"m","status":"complete"'
	linked "$better,\"parent\":null}" b:a c:b '{"type":"exchange","id":"a","timestamp":1,"query":"q","answer":"","model":"m","status":"error","parent":null}'
	same before a "$(path)"
	mends 'duplicate a a/history.jsonl 5 moved'
	same order 'b c a ' "$(jq -r 'select(.id != "a" or .type == "exchange").id' "$(history a)" | head -n 3 | tr '\n' ' ')"
	same 'the version' longer "$(jq -r 'select(.type == "exchange" and .id == "a").answer' "$(history a)")"
	# Another parent would make another conversation of it.
	rm -r "$MC_SESSIONS_DIR"
	linked x b:x "$better,\"parent\":\"b\"}" a:x
	same before 'x a' "$(path)"
	mends 'duplicate a a/history.jsonl 4 moved'
	same after 'x a' "$(path | sed 's/ [0-9a-f-]*$//')"
}

@test "duplicate: one that an exchange without a parent needs stays" {
	local a='{"type":"exchange","id":"a","timestamp":1,"query":"q","answer":"a","model":"m","status":"complete","parent":null}'
	linked "$a" x '{"type":"rewind","timestamp":1,"to":null}' "$a" c:x
	same before 'x a c' "$(path)" # in the order of the file
	mends 'duplicate a a/history.jsonl 2 impossible'
	run_split mc-session-fsck -r
	assert_status 1
	assert_out "a/history.jsonl:2: a second copy of this record; an exchange without 'parent' follows it; left as it is"
	same after 'x a c' "$(path)"
	# Nobody meant that an exchange follows itself.
	rm -r "$MC_SESSIONS_DIR"
	linked x y y
	same before y "$(path)"
	run_split mc-session-fsck
	assert_status 1
	assert_out 'a/history.jsonl:3: a second copy of this record; with it, an exchange without a parent follows itself'
	mends 'duplicate a a/history.jsonl 3 moved'
	same after 'x y' "$(path | sed 's/ [0-9a-f-]*$//')"
}

@test "duplicate: other records may say the same twice" {
	craft a "$(head_of a)" "$(exchange 1)" "$(rewind)" "$(rewind)" "$(exchange 2)" "$(rewind 2)" \
		'{"type":"change","timestamp":1}' '{"type":"change","timestamp":1}' \
		'{"type":"marvel","id":"x"}' '{"type":"marvel","id":"x"}'
	mc-session-ls >/dev/null
	mends
}

# Files of a session

@test "history: folders without one go to quarantine, with all that is in them" {
	three
	mkdir -p "$MC_SESSIONS_DIR/full/artifacts/deep" "$MC_SESSIONS_DIR/temp"
	echo art >"$MC_SESSIONS_DIR/full/artifacts/deep/x"
	partial full 1
	head_of temp >"$MC_SESSIONS_DIR/temp/.history.tmp"
	artifact kept alone
	rm "$(history c)"
	echo note >"$MC_SESSIONS_DIR/c/note"
	mkdir -p "$MC_SESSIONS_DIR/empty" "$MC_SESSIONS_DIR/gone/artifacts" # after a loss of power
	mends 'history full full - moved' 'history temp temp - moved' 'history kept kept - moved' 'history c c - moved' 'orphan c index.jsonl - moved'
	same 'list' $'a\nb' "$(mc-session-ls -q | sort)"
}

@test "history: where it was lost the index's record goes, too" {
	three
	rm "$(history b)"
	mends 'history b b - moved' 'orphan b index.jsonl - moved'
}

@test "spool: a turn that was cut short becomes an interrupted exchange" {
	three
	partial b 9 $'half a reply\nof \xff bytes'
	mends 'spool b b/turn.partial - done'
	sed -n 3p "$(history b)" | assert_json --arg id "$(uuid 9)" '.id == $id and .status == "interrupted" and .query == "ask 9"'
	[[ ! -e $MC_SESSIONS_DIR/b/turn.partial ]]
	# Stored already: only the spool goes.
	exchange 19 >>"$(history c)"
	partial c 19 'reply 19'
	run_split mc-session-fsck --json
	assert_status 1
	assert_json -s 'any(.[]; .kind == "spool" and .session == "c")' out
	repair
	same 'times it is there' 1 "$(grep -c "$(uuid 19)" "$(history c)")"
	run_split mc-session-fsck
	assert_status 0
}

# with_steps ID: session a with two exchanges, and a step and its result of exchange ID.
with_steps() {
	linked x y:x "{\"type\":\"step\",\"exchange\":\"$1\",\"n\":0,\"timestamp\":1,\"text\":\"\",\"calls\":[{\"id\":\"c\",\"name\":\"f\",\"arguments\":{}}],\"model\":\"m\"}" \
		"{\"type\":\"result\",\"exchange\":\"$1\",\"n\":0,\"call\":\"c\",\"timestamp\":1,\"status\":\"ok\",\"output\":\"a\"}"
}

@test "spool: the steps of a turn that runs or was cut short have no exchange yet" {
	with_steps "$(uuid 9)"
	partial a 9 'more of it'
	sed -i '1s/"type":"exchange"/&,"n":1/' "$MC_SESSIONS_DIR/a/turn.partial"
	exec 9<"$(history a)"
	flock 9
	checked # it runs
	exec 9<&-
	mends 'spool a a/turn.partial - done'
	sed -n 6p "$(history a)" | assert_json '.status == "interrupted" and .steps == 1'
	# What else is wrong with the tree is found all the same.
	rm -r "$MC_SESSIONS_DIR"
	with_steps "$(uuid 9)"
	partial a 8
	echo '{"type":"exchange","id":"z","parent":"nowhere","timestamp":1,"query":"q","answer":"a","model":"m","status":"complete"}' >>"$(history a)"
	mends 'spool a a/turn.partial - done' 'steps a a/history.jsonl 4 impossible' 'parent a a/history.jsonl 6 impossible'
	rm -r "$MC_SESSIONS_DIR"
	with_steps "$(uuid 9)"
	echo 'no JSON' >"$MC_SESSIONS_DIR/a/turn.partial"
	mends 'spool a a/turn.partial - moved' 'steps a a/history.jsonl 4 impossible'
}

@test "spool: one that cannot be read goes to quarantine" {
	three
	printf 'no JSON\nwords' >"$MC_SESSIONS_DIR/b/turn.partial"
	mends 'spool b b/turn.partial - moved'
	: >"$MC_SESSIONS_DIR/b/turn.partial"
	mends 'spool b b/turn.partial - moved'
}

@test "spool: what a crash tore in history and spool at once" {
	three
	exchange 9 | head -c 100 >>"$(history b)"
	partial b 9 'reply 9'
	mends 'torn b b/history.jsonl 3 moved' 'spool b b/turn.partial - done'
	same queries 'two,ask 9,and on in b' "$(queries b)"
}

# Attachments

# artifact ID TEXT: stores it as an attachment, and prints its digest.
artifact() {
	local name
	name=$(printf '%s' "$2" | sha256sum | cut -d ' ' -f 1)
	(umask 077 && mkdir -p "$MC_SESSIONS_DIR/$1/artifacts" && printf '%s' "$2" >"$MC_SESSIONS_DIR/$1/artifacts/$name")
	printf '%s\n' "$name"
}

# attached DIGEST...: the member of an exchange.
attached() {
	jq -nc '[$ARGS.positional[] | {sha256: ., name: "file of \(.[:4])", type: "text/plain", size: 5}]' --args "$@" |
		sed 's/^/,"attachments":/'
}

# three_files: session f, whose exchanges refer to $one, twice, and to $two; and $three, that none refers to.
three_files() {
	one=$(artifact f hello) two=$(artifact f world) three=$(artifact f alone)
	craft f "$(head_of f)" "$(exchange 1 complete "$(attached "$one" "$two")")" "$(exchange 2 interrupted "$(attached "$one")")"
	mc-session-ls >/dev/null
	say f three
}

@test "artifact: sound ones are clean, and so is one that nothing refers to" {
	three_files
	mends
}

@test "artifact: one of another content goes to quarantine, and then is missing" {
	three_files
	printf hellO >"$MC_SESSIONS_DIR/f/artifacts/$one"
	: >"$MC_SESSIONS_DIR/f/artifacts/$three"
	mends "artifact f f/artifacts/$one - moved" "artifact f f/artifacts/$three - moved" \
		"+artifact f f/history.jsonl 2 impossible"
	say f again
}

@test "artifact: a missing one is told once, by the name that the user gave it" {
	three_files
	rm "$MC_SESSIONS_DIR/f/artifacts/$one"
	run_split mc-session-fsck
	assert_status 1
	assert_out "f/history.jsonl:2: the attachment 'file of 2cf2' is missing: artifacts/$one"
	mends "artifact f f/history.jsonl 2 impossible"
	rm -r "$MC_SESSIONS_DIR/f/artifacts"
	mends "artifact f f/history.jsonl 2 impossible" "artifact f f/history.jsonl 2 impossible"
}

@test "artifact: ten thousand missing ones of one record are told in one pass, in their order" {
	jq -nc '{type: "exchange", id: "x", parent: null, timestamp: 5, query: "q", answer: "a", model: "m", status: "complete",
		attachments: [range(10000) | {sha256: ("\(10000 - .)" | "0" * (64 - length) + .), name: "n\(.)", type: "t", size: 1}]}' >x
	craft f "$(head_of f)" "$(<x)"
	mc-session-ls >/dev/null
	run_split timeout 20 mc-session-fsck
	assert_status 1
	cmp out <(jq -r '.attachments[] | "f/history.jsonl:2: the attachment \u0027\(.name)\u0027 is missing: artifacts/\(.sha256)"' x)
}

@test "artifact: missing ones of a tool's result" {
	local digest
	digest=$(printf '%064d' 7)
	craft f "$(head_of f)" '{"type":"step","exchange":"x","n":0,"timestamp":5,"text":"","calls":[{"id":"c","name":"f","arguments":{}}],"model":"m"}' \
		"{\"type\":\"result\",\"exchange\":\"x\",\"n\":0,\"call\":\"c\",\"timestamp\":5,\"status\":\"ok\",\"output\":\"\",\"attachments\":[{\"sha256\":\"${digest/7/8}\",\"name\":\"plot.png\",\"type\":\"t\",\"size\":1}],\"artifact\":\"$digest\"}" \
		'{"type":"exchange","id":"x","parent":null,"steps":1,"timestamp":5,"query":"q","answer":"a","model":"m","status":"complete"}'
	mc-session-ls >/dev/null
	run_split mc-session-fsck
	assert_status 1
	assert_out "f/history.jsonl:3: the attachment 'plot.png' is missing: artifacts/${digest/7/8}
f/history.jsonl:3: the output of a call is missing: artifacts/$digest"
}

@test "artifact: those of a turn that was cut short" {
	three_files
	printf '%s\nhalf' "$(exchange 9 complete "$(attached "$three")" | jq -c '{type, id, timestamp, query, model, attachments}')" >"$MC_SESSIONS_DIR/f/turn.partial"
	cp -a "$MC_SESSIONS_DIR" copy
	mends 'spool f f/turn.partial - done'
	sed -n 5p "$(history f)" | assert_json --arg three "$three" '.status == "interrupted" and .attachments[0].sha256 == $three'
	rm -r "$MC_SESSIONS_DIR"
	mv copy "$MC_SESSIONS_DIR"
	rm "$MC_SESSIONS_DIR/f/artifacts/$three"
	mends 'spool f f/turn.partial - done' '+artifact f f/history.jsonl 5 impossible'
}

@test "artifact: damage around them, and what is no file" {
	three_files
	echo garbage >>"$(history f)"
	rm "$MC_SESSIONS_DIR/f/artifacts/$one" "$MC_SESSIONS_DIR/f/artifacts/$two"
	mkdir "$MC_SESSIONS_DIR/f/artifacts/$one"
	ln -s "$PWD/two" "$MC_SESSIONS_DIR/f/artifacts/$two"
	printf world >two
	printf half >"$MC_SESSIONS_DIR/f/artifacts/.new"
	mends 'record f f/history.jsonl 5 moved' "special f f/artifacts/$one - moved" "link f f/artifacts/$two - moved" \
		'leftover f f/artifacts/.new - moved' '+artifact f f/history.jsonl 2 impossible' '+artifact f f/history.jsonl 2 impossible'
	same outside world "$(cat two)"
}

@test "artifact: one that others may write to, and those of somebody else" {
	three_files
	chmod 666 "$MC_SESSIONS_DIR/f/artifacts/$one"
	mends "mode f f/artifacts/$one - done"
	((EUID == 0)) || skip 'only root can give files away'
	chown 12345 "$MC_SESSIONS_DIR/f/artifacts/$one"
	printf changed >"$MC_SESSIONS_DIR/f/artifacts/$one"
	mends "owner f f/artifacts/$one - impossible"
	chown -R 12345 "$MC_SESSIONS_DIR"
	mends "artifact f f/artifacts/$one - moved" '+artifact f f/history.jsonl 2 impossible'
}

@test "leftover: what crashes leave goes to quarantine" {
	three
	mkdir "$MC_SESSIONS_DIR/.new-x-abc" "$MC_SESSIONS_DIR/.new-y-" "$MC_SESSIONS_DIR/.removed-y-1-2"
	head_of x >"$MC_SESSIONS_DIR/.new-x-abc/history.jsonl"
	exchange 1 >"$MC_SESSIONS_DIR/.removed-y-1-2/history.jsonl"
	echo '{"live' >"$MC_SESSIONS_DIR/.index.tmp"
	echo words >"$MC_SESSIONS_DIR/a/turn.damaged-1700000000000"
	head_of b >"$MC_SESSIONS_DIR/b/.history.tmp"
	echo '{"type":"exch' >"$MC_SESSIONS_DIR/b/.turn.tmp"
	mends 'leftover - .new-x-abc - moved' 'leftover - .new-y- - moved' 'leftover - .removed-y-1-2 - moved' \
		'leftover - .index.tmp - moved' 'leftover a a/turn.damaged-1700000000000 - moved' \
		'leftover b b/.history.tmp - moved' 'leftover b b/.turn.tmp - moved'
	same 'the list' $'a\nb\nc' "$(mc-session-ls -q | sort)"
}

@test "leftover: a repair that was cut short is begun anew" {
	three
	echo garbage >>"$(history b)"
	head_of b >"$MC_SESSIONS_DIR/b/.history.tmp"
	mends 'record b b/history.jsonl 3 moved' 'leftover b b/.history.tmp - moved'
	same queries 'two,and on in b' "$(queries b)"
}

@test "leftover: a folder or a link in the place of a temporary file is no trap" {
	three
	echo garbage >>"$(history b)"
	mkdir beyond "$MC_SESSIONS_DIR/b/.history.tmp"
	echo kept >beyond/kept
	ln -s ../beyond/kept "$MC_SESSIONS_DIR/.index.tmp"
	cp -a "$MC_SESSIONS_DIR" before
	repair
	judge kept before repaired
	run_split mc-session-fsck
	assert_status 0
	echo garbage >>"$(history b)"
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	rm -r before
	ln -s ../../beyond/kept "$MC_SESSIONS_DIR/b/.history.tmp"
	mkdir "$MC_SESSIONS_DIR/.index.tmp"
	cp -a "$MC_SESSIONS_DIR" before
	repair
	judge kept before repaired
	run_split mc-session-fsck
	assert_status 0
	same outside kept "$(cat beyond/kept)"
}

@test "mode: 0700 for folders and 0600 for files" {
	three
	mkdir -p "$MC_SESSIONS_DIR/a/artifacts/deep"
	echo art >"$MC_SESSIONS_DIR/a/artifacts/x"
	chmod 0755 "$MC_SESSIONS_DIR" "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR/a/artifacts/deep"
	chmod 0777 "$MC_SESSIONS_DIR/b" "$MC_SESSIONS_DIR/a/artifacts"
	chmod 0644 "$(history a)" "$MC_SESSIONS_DIR/index.jsonl"
	chmod 0666 "$(history c)" "$MC_SESSIONS_DIR/index.lock" "$MC_SESSIONS_DIR/a/artifacts/x"
	partial c 9
	chmod 0660 "$MC_SESSIONS_DIR/c/turn.partial"
	mends 'mode - . - done' 'mode - index.jsonl - done' 'mode - index.lock - done' 'mode a a - done' 'mode b b - done' \
		'mode a a/history.jsonl - done' 'mode c c/history.jsonl - done' 'mode c c/turn.partial - done' \
		'mode a a/artifacts - done' 'mode a a/artifacts/deep - done' 'mode a a/artifacts/x - done' \
		'spool c c/turn.partial - done'
	same 'other modes' '' "$(find "$MC_SESSIONS_DIR" -type d ! -perm 700 -o -type f ! -perm 600)"
}

@test "owner: what belongs to somebody else is reported and left alone" {
	((EUID == 0)) || skip 'only root can give files away'
	three
	mkdir "$MC_SESSIONS_DIR/c/artifacts"
	echo garbage >>"$(history a)"
	chown 12345 "$(history a)" "$MC_SESSIONS_DIR/b" "$MC_SESSIONS_DIR/c/artifacts"
	tree >was
	mends 'owner a a/history.jsonl - impossible' 'owner b b - impossible' 'owner c c/artifacts - impossible'
	unchanged 'a repair'
}

@test "owner: another's index, lock and turn are left alone, too" {
	((EUID == 0)) || skip 'only root can give files away'
	local file
	for file in index.jsonl index.lock c/turn.partial; do
		three
		if [[ $file != index.* ]]; then partial c 9; fi
		chown 12345 "$MC_SESSIONS_DIR/$file"
		tree >was
		run_split mc-session-fsck --json
		assert_status 1
		assert_json -s --arg f "$file" 'any(.[]; .kind == "owner" and .file == $f)' out
		run_split mc-session-fsck -r --json
		assert_status 1
		unchanged "a repair with another's $file"
		rm -r "$MC_SESSIONS_DIR"
	done
}

@test "owner: a store that is somebody else's as a whole stays that" {
	((EUID == 0)) || skip 'only root can give files away'
	three
	echo garbage >>"$(history a)"
	partial c 9
	lost empty
	chown -R 12345 "$MC_SESSIONS_DIR"
	repair
	run_split mc-session-fsck
	assert_status 0
	same 'files that are not the owner'\''s any more' '' "$(find "$MC_SESSIONS_DIR" ! -user 12345)"
}

# Links, and what is no file

# outside: things that links lead to, and that must stay as they are.
outside() {
	mkdir beyond
	echo kept >beyond/kept
	cp "$(history b)" beyond/history.jsonl
	cp -a beyond beyond.before
}

outside_kept() { diff -r beyond beyond.before; }

@test "link: symbolic ones go to quarantine themselves, not what they lead to" {
	three
	outside
	mv "$MC_SESSIONS_DIR/a" moved
	ln -s ../moved "$MC_SESSIONS_DIR/a"
	ln -sf ../../beyond/history.jsonl "$(history b)"
	ln -s ../../beyond/kept "$MC_SESSIONS_DIR/c/turn.partial"
	ln -s ../../beyond "$MC_SESSIONS_DIR/c/artifacts"
	ln -s ../../beyond/kept "$MC_SESSIONS_DIR/c/note"
	mends 'link a a - moved' 'link b b/history.jsonl - moved' '+history b b - moved' 'link c c/turn.partial - moved' \
		'link c c/artifacts - moved' 'link c c/note - moved' \
		'?unreadable b b/history.jsonl - none' '?spool c c/turn.partial - none' '+orphan b index.jsonl - moved' \
		'?orphan a index.jsonl - none' '?orphan a index.jsonl - moved'
	outside_kept
	same 'the folder of a' history.jsonl "$(ls -A moved)"
}

@test "link: an index and a lock that are links go, and a new index is made" {
	three
	mc-session-ls --json >list
	cp "$MC_SESSIONS_DIR/index.jsonl" outside
	ln -sf ../outside "$MC_SESSIONS_DIR/index.jsonl"
	ln -sf ../outside "$MC_SESSIONS_DIR/index.lock"
	cp outside outside.before
	mends 'link - index.jsonl - moved' 'link - index.lock - moved' '+index - index.jsonl - done'
	cmp outside outside.before
	mc-session-rm -f a b c
	cmp outside outside.before
}

@test "link: the list of stale sessions is looked at like the index" {
	three
	echo b >"$MC_SESSIONS_DIR/.index.stale"
	chmod 0666 "$MC_SESSIONS_DIR/.index.stale"
	repair
	grep -q '"kind":"mode".*"file":".index.stale".*"repair":"done"' repaired
	echo b >outside
	ln -sf "$PWD/outside" "$MC_SESSIONS_DIR/.index.stale"
	repair
	grep -q '"kind":"link".*"file":".index.stale".*"repair":"done"' repaired
	rm -f "$MC_SESSIONS_DIR/.index.stale"
	mkfifo "$MC_SESSIONS_DIR/.index.stale"
	repair
	grep -q '"kind":"special".*"file":".index.stale".*"repair":"done"' repaired
	run_split mc-session-fsck
	assert_status 0
}

@test "link: a second hard link: the history becomes a copy of its own" {
	three
	ln "$(history a)" second
	cp second before.a
	exchange 9 >>second
	mends 'link a a/history.jsonl - done'
	same 'both names' 'one,ask 9' "$(jq -r 'select(.query).query' second | paste -sd,)" # what was written through it
	[[ ! second -ef $(history a) ]]
	head -c "$(wc -c <second)" "$(history a)" | cmp - second
	ln "$(history b)" other
	echo garbage >>"$(history b)"
	cp other other.before
	mends 'link b b/history.jsonl - done' 'record b b/history.jsonl 4 moved'
	cmp other other.before
}

@test "link: other files with a second hard link go to quarantine" {
	three
	mc-session-ls --json >list
	ln "$MC_SESSIONS_DIR/index.jsonl" index
	ln "$MC_SESSIONS_DIR/index.lock" lock
	partial b 9
	ln "$MC_SESSIONS_DIR/b/turn.partial" turn
	ls -i turn index lock >inodes
	sha256sum turn index lock >sums
	mends 'link - index.jsonl - moved' 'link - index.lock - moved' '+index - index.jsonl - done' \
		'link b b/turn.partial - moved' '?spool b b/turn.partial - none'
	sha256sum --quiet -c sums
	ls -i turn index lock | cmp inodes -
}

@test "link: a file that has another name elsewhere keeps its mode" {
	local file
	three
	mkdir "$MC_SESSIONS_DIR/b/artifacts"
	partial b 9
	for file in index.jsonl index.lock a/history.jsonl b/turn.partial b/artifacts/x c/note; do
		echo text >>"$MC_SESSIONS_DIR/$file"
		ln "$MC_SESSIONS_DIR/$file" "outside.${file//\//.}"
		chmod 0664 "$MC_SESSIONS_DIR/$file"
	done
	repair
	same 'other modes' '' "$(find outside.* ! -perm 664)"
	run_split mc-session-fsck
	assert_status 0
}

@test "owner: root gives away nothing of its own that a user put into the store" {
	((EUID == 0)) || skip 'only root can give files away'
	three
	echo garbage >>"$(history a)"
	echo secret >>"$(history b)"
	cp "$(history b)" "$MC_SESSIONS_DIR/b/artifact"
	chown -R 12345 "$MC_SESSIONS_DIR"
	chown 0 "$(history b)"
	ln "$(history b)" "$MC_SESSIONS_DIR/second"
	repair
	same 'what root wrote and had' '' "$(find "$MC_SESSIONS_DIR" -user 12345 -exec grep -l secret {} + | grep -v /b/artifact)"
	same 'the repaired history of the user' 12345 "$(stat -c %u "$(history a)")"
}

@test "link: links among the artifacts, however deep" {
	three
	mkdir -p "$MC_SESSIONS_DIR/a/artifacts/deep/deeper"
	echo shared >shared
	ln -s ../../../shared "$MC_SESSIONS_DIR/a/artifacts/link"
	ln shared "$MC_SESSIONS_DIR/a/artifacts/hard"
	mends 'link a a/artifacts/link - moved' 'link a a/artifacts/hard - moved'
	ln -s ../../../shared "$MC_SESSIONS_DIR/a/artifacts/deep/deeper/link"
	mends 'link a a/artifacts/deep/deeper/link - moved'
	same outside shared "$(cat shared)"
}

@test "special: FIFOs, sockets and devices are found at once, and go to quarantine" {
	three
	rm "$(history b)"
	mkfifo "$(history b)" "$MC_SESSIONS_DIR/c/turn.partial" "$MC_SESSIONS_DIR/c/fifo"
	(cd "$MC_SESSIONS_DIR/a" && "${PYTHON:-/usr/bin/python3}" -IS -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")')
	expected=('special b b/history.jsonl - moved' '+history b b - moved' 'special c c/turn.partial - moved'
		'special c c/fifo - moved' 'special a a/socket - moved'
		'?unreadable b b/history.jsonl - none' '?spool c c/turn.partial - none' '+orphan b index.jsonl - moved')
	if mknod "$MC_SESSIONS_DIR/a/device" c 1 3 2>/dev/null; then
		expected+=('special a a/device - moved')
	fi
	mends "${expected[@]}"
}

@test "special: folders in a file's place, and a FIFO for an index" {
	three
	mc-session-ls --json | jq -c 'select(.id != "b")' >list
	rm "$(history b)" "$MC_SESSIONS_DIR/index.jsonl" "$MC_SESSIONS_DIR/index.lock"
	mkdir "$(history b)" "$MC_SESSIONS_DIR/c/turn.partial" "$MC_SESSIONS_DIR/index.lock"
	mkfifo "$MC_SESSIONS_DIR/index.jsonl"
	echo kept >"$(history b)/kept"
	cp -a "$MC_SESSIONS_DIR" copy
	mends 'special b b/history.jsonl - moved' '+history b b - moved' 'special c c/turn.partial - moved' \
		'special - index.jsonl - moved' 'special - index.lock - moved' '+index - index.jsonl - done' \
		'?unreadable b b/history.jsonl - none' '?spool c c/turn.partial - none'
	rm -r "$MC_SESSIONS_DIR"
	mv copy "$MC_SESSIONS_DIR"
	rm "$MC_SESSIONS_DIR/index.jsonl"
	mkdir "$MC_SESSIONS_DIR/index.jsonl"
	repair
	mc-session-ls --json | cmp list -
}

@test "special: a FIFO among the artifacts" {
	three
	mkdir "$MC_SESSIONS_DIR/a/artifacts"
	mkfifo "$MC_SESSIONS_DIR/a/artifacts/fifo"
	mends 'special a a/artifacts/fifo - moved'
}

@test "unreadable: histories and folders are reported; the repair of their modes makes them readable" {
	need_permissions
	three
	echo garbage >>"$(history a)"
	chmod 0 "$(history a)" "$MC_SESSIONS_DIR/b"
	run_split without_privilege mc-session-fsck --json
	assert_status 1
	findings >/dev/null
	assert_json -s 'any(.[]; .kind == "unreadable" and .file == "a/history.jsonl")
		and any(.[]; .kind == "unreadable" and .session == "b")' out
	run_split without_privilege mc-session-fsck -r
	assert_status 1
	run_split without_privilege mc-session-fsck
	same left '' "$out"
	assert_status 0
	same queries one "$(queries a)"
}

@test "unreadable: a folder of artifacts is a finding, and so is the index" {
	need_permissions
	three
	mkdir "$MC_SESSIONS_DIR/a/artifacts"
	chmod 0 "$MC_SESSIONS_DIR/a/artifacts"
	run_split without_privilege mc-session-fsck --json
	assert_status 1
	assert_json -s 'any(.[]; .kind == "unreadable" and .file == "a/artifacts")' out
	chmod 700 "$MC_SESSIONS_DIR/a/artifacts"
	chmod 0 "$MC_SESSIONS_DIR/index.jsonl"
	run_split without_privilege mc-session-fsck --json
	assert_status 1
	assert_json -s 'any(.[]; .kind == "unreadable" and .file == "index.jsonl")' out
}

@test "unreadable: a sessions directory is an error, not a finding" {
	need_permissions
	three
	chmod 0 "$MC_SESSIONS_DIR"
	run_split without_privilege mc-session-fsck -r
	chmod 700 "$MC_SESSIONS_DIR"
	assert_status 1
	assert_out_empty
	assert_err_has "'$MC_SESSIONS_DIR'"
	assert_err_has 'Permission denied'
}

# The index

# list_kept: the index still gives the list in the file list.
list_kept() { mc-session-ls --json | diff list -; }

@test "index: missing, it is made from the histories, the same list" {
	three
	new d
	mc-session-ls --json >list
	rm "$MC_SESSIONS_DIR/index.jsonl"
	cp -a "$MC_SESSIONS_DIR" copy
	mends 'index - index.jsonl - done'
	rm -r "$MC_SESSIONS_DIR"
	cp -a copy "$MC_SESSIONS_DIR"
	run_split mc-session-fsck --repair
	assert_status 1
	list_kept
	[[ ! -e $MC_SESSIONS_DIR/.quarantine ]]
	# Without a check, whoever comes next makes it.
	rm -r "$MC_SESSIONS_DIR"
	mv copy "$MC_SESSIONS_DIR"
	list_kept
	run_split mc-session-fsck
	assert_status 0
}

@test "index: without a byte in it, it is found, too" {
	three
	mc-session-ls --json >list
	: >"$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-fsck --json
	assert_status 1
	assert_json '.kind == "index"' out
	repair
	list_kept
	run_split mc-session-fsck
	assert_status 0
}

@test "index: damaged lines and a torn end; the old one goes to quarantine" {
	three
	mc-session-ls --json >list
	lines=$(wc -l <"$MC_SESSIONS_DIR/index.jsonl")
	printf 'garbage\n\n\0\0\n{"id":"a","version":1}\n{"id":"../../x","version":1}\n{"live":3,"bytes":9,"version":1}\n{"id":"c","createdAt":17' >>"$MC_SESSIONS_DIR/index.jsonl"
	cp "$MC_SESSIONS_DIR/index.jsonl" old
	cp -a "$MC_SESSIONS_DIR" copy
	mends "index - index.jsonl $((lines + 1)) moved" "index - index.jsonl $((lines + 2)) moved" \
		"index - index.jsonl $((lines + 3)) moved" "index - index.jsonl $((lines + 4)) moved" \
		"index - index.jsonl $((lines + 5)) moved" "index - index.jsonl $((lines + 6)) moved" "torn - index.jsonl $((lines + 7)) moved"
	rm -r "$MC_SESSIONS_DIR"
	mv copy "$MC_SESSIONS_DIR"
	repair
	list_kept
	in_quarantine index.jsonl | cmp old -
}

@test "index: a last record that lacks only its line feed" {
	three
	mc-session-ls --json >list
	truncate -s -1 "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-fsck --json
	assert_status 1
	assert_json -s 'any(.[]; .kind == "torn" and .file == "index.jsonl")' out
	repair
	list_kept
	run_split mc-session-fsck
	assert_status 0
}

@test "stale: the history has grown, or the index says something else of it" {
	three
	exchange 9 >>"$(history b)"
	mends 'stale b index.jsonl - moved'
	listed b | assert_json '.exchangeCount == 3 and .lastQuery == "and on in b"'
	listed a | jq -c '.exchangeCount = 77' >>"$MC_SESSIONS_DIR/index.jsonl"
	mends 'stale a index.jsonl - moved'
	listed c | jq -c '.title = "Never given"' >>"$MC_SESSIONS_DIR/index.jsonl"
	mends 'stale c index.jsonl - moved'
	same title null "$(listed c | jq .title)"
}

@test "unlisted and orphan: a copied folder, a lost one, a renamed one" {
	three
	cp -a "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR/copy"
	rm -r "$MC_SESSIONS_DIR/b"
	mv "$MC_SESSIONS_DIR/c" "$MC_SESSIONS_DIR/d"
	mends 'unlisted copy index.jsonl - moved' 'orphan b index.jsonl - moved' \
		'orphan c index.jsonl - moved' 'unlisted d index.jsonl - moved'
	same 'the list' $'a\ncopy\nd' "$(mc-session-ls -q | sort)"
	# A tombstone is no record of a session, and hides none that is there.
	cp -a "$MC_SESSIONS_DIR/a" e
	mc-session-rm -f a
	mends
	mv e "$MC_SESSIONS_DIR/e"
	cp -a "$MC_SESSIONS_DIR/e" "$MC_SESSIONS_DIR/a"
	mends 'unlisted a index.jsonl - moved' 'unlisted e index.jsonl - moved'
}

@test "index: the text names the session, whatever its id is" {
	local id
	for id in i index a; do
		say "$id" one
		exchange 9 >>"$(history "$id")"
	done
	run_split mc-session-fsck
	assert_status 1
	for id in i index a; do
		assert_out_has "('$id')"
	done
}

@test "index: the repair keeps the order of the list" {
	local i
	for i in 1 2 3 4 5 6; do say "s$((i * 5 % 7))" "turn $i"; done
	mc-session-ls --json >list
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	repair
	list_kept
	rm "$MC_SESSIONS_DIR/index.jsonl"
	repair
	list_kept
}

# Several at once

@test "fsck: many kinds in one store, in one repair" {
	three
	say d four
	say e five
	printf 'garbage\n{"ty\0"}\n' >>"$(history a)"
	exchange 9 >>"$(history a)"
	exchange 9 interrupted >>"$(history a)"
	exchange 10 | head -c 30 >>"$(history a)"
	partial a 11
	sed -i '1s/.*/garbage/' "$(history b)"
	chmod 0644 "$(history b)"
	sed -i '1s/"version":1/"version":7/' "$(history c)"
	rm "$(history d)"
	mkdir "$MC_SESSIONS_DIR/.new-f-123"
	say link five
	mv "$MC_SESSIONS_DIR/link" outside
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/link"
	cp -a "$MC_SESSIONS_DIR/e" "$MC_SESSIONS_DIR/g"
	mkfifo "$MC_SESSIONS_DIR/e/fifo"
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	mends 'record a a/history.jsonl 3 moved' 'nul a a/history.jsonl 4 moved' 'duplicate a a/history.jsonl 6 moved' \
		'torn a a/history.jsonl 7 moved' 'spool a a/turn.partial - done' 'head b b/history.jsonl 1 moved' \
		'record b b/history.jsonl 1 moved' 'mode b b/history.jsonl - done' 'version c c/history.jsonl 1 none' \
		'history d d - moved' 'leftover - .new-f-123 - moved' 'link link link - moved' 'special e e/fifo - moved' \
		"index - index.jsonl $(wc -l <"$MC_SESSIONS_DIR/index.jsonl") moved" \
		'unlisted g index.jsonl - moved' 'orphan d index.jsonl - moved' '+orphan link index.jsonl - moved'
	same queries 'one,ask 9,ask 11' "$(queries a)"
}

@test "fsck: the same damage again finds another place in quarantine" {
	local i
	three
	for i in 1 2 3; do
		echo "garbage $i" >>"$(history a)"
		lost empty
		mends 'record a a/history.jsonl '"$((i + 2))"' moved' 'history empty empty - moved'
	done
	same 'all of it' $'garbage 1\ngarbage 2\ngarbage 3' "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-???????? | sort)"
	same 'folders' 3 "$(find "$MC_SESSIONS_DIR/.quarantine" -name 'empty-????????' | wc -l)"
}

@test "fsck: the text of a repair names what was done, as the README shows" {
	say demo one
	say demo two
	say notes three
	exchange 9 | head -c 30 >>"$(history demo)"
	partial notes 9
	run_split mc-session-fsck
	assert_status 1
	assert_out $'demo/history.jsonl:4: the last line is not a whole record: JSON that breaks off\nnotes/turn.partial: an interrupted turn'
	sed -i '1s/.*/garbage/' "$(history demo)"
	sed -i '/"id":"demo"/d' "$MC_SESSIONS_DIR/index.jsonl"
	run_split mc-session-fsck -r
	assert_status 1
	assert_out_has 'notes/turn.partial: an interrupted turn; repaired'
	grep -E '^demo/history.jsonl:1: .*; left as it is$' out
	sed -i '1d' "$(history demo)"
	head_of demo | cat - "$(history demo)" >history
	cat history >"$(history demo)"
	run_split mc-session-fsck --repair
	assert_status 1
	grep -Ex "demo/history.jsonl:4: the last line is not a whole record: JSON that breaks off; moved to $Q" out
	grep -Ex "index.jsonl \('demo'\): .*; moved to $Q" out
	run_split mc-session-fsck
	assert_status 0
	assert_out_empty
}

# Operands

@test "operands: only the sessions named are checked and repaired; prefixes will do" {
	local id
	three
	say abc four
	say abd five
	for id in a b c abc abd; do echo garbage >>"$(history "$id")"; done
	touch "$MC_SESSIONS_DIR/.index.tmp"
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	cp "$MC_SESSIONS_DIR/index.jsonl" index
	OPERANDS='b abc' mends 'record b b/history.jsonl 3 moved' 'record abc abc/history.jsonl 3 moved'
	OPERANDS=a mends 'record a a/history.jsonl 3 moved' # in full it wins over those that it begins
	for id in c abd; do tail -n 1 "$(history "$id")" | grep -qx garbage; done
	[[ -e $MC_SESSIONS_DIR/.index.tmp ]]
	head -c "$(wc -c <index)" "$MC_SESSIONS_DIR/index.jsonl" | cmp - index
	OPERANDS='c -- abd' mends 'record c c/history.jsonl 3 moved' 'record abd abd/history.jsonl 3 moved'
	mends 'leftover - .index.tmp - moved' "index - index.jsonl $(wc -l <index) moved"
}

@test "operands: the record of a session is appended to the index that there is" {
	three
	exchange 9 >>"$(history b)"
	cp -a "$MC_SESSIONS_DIR/a" "$MC_SESSIONS_DIR/new"
	cp "$MC_SESSIONS_DIR/index.jsonl" index
	OPERANDS='b new' mends 'stale b index.jsonl - done' 'unlisted new index.jsonl - done'
	head -c "$(wc -c <index)" "$MC_SESSIONS_DIR/index.jsonl" | cmp - index
	same records 2 "$(tail -c "+$(($(wc -c <index) + 1))" "$MC_SESSIONS_DIR/index.jsonl" | wc -l)"
	same last 'ask 9' "$(listed b | jq -r .lastQuery)"
	mends
}

@test "operands: the head of a named session is made anew from the index, too" {
	three
	sed -i 1d "$(history b)"
	OPERANDS=b mends 'head b b/history.jsonl 1 done'
	same title 'A title' "$(listed b | jq -r .title)"
	mends
}

@test "operands: a session that there is not, or no id, fails, and the rest is checked" {
	three
	echo garbage >>"$(history c)"
	run_split mc-session-fsck nothere c
	assert_status 1
	assert_err_has "no session 'nothere'"
	assert_out_has c/history.jsonl:3
	run_split mc-session-fsck a nothere b
	assert_status 1
	assert_out_empty
	run_split mc-session-fsck -r ../c c
	assert_status 2
	assert_err_has "'../c'"
	assert_out_has c/history.jsonl:3
	run_split mc-session-fsck
	assert_status 0
	run_split env MC_SESSIONS_DIR="$PWD/none" mc-session-fsck a
	assert_status 1
	assert_err_has "no session 'a'"
	[[ ! -e none ]]
}

@test "operands: an ambiguous one is wrong, names its candidates, and the rest is checked" {
	three
	say abc four
	say abd five
	echo garbage >>"$(history abc)"
	echo garbage >>"$(history c)"
	cp "$(history abc)" before
	run_split mc-session-fsck -r ab c
	assert_status 2
	assert_err_has "'ab'"
	assert_err_has abc
	assert_err_has abd
	assert_out_has c/history.jsonl:3
	refute_out_has abc
	cmp "$(history abc)" before
}

@test "operands: a session that is in the index only is an orphan, not well" {
	three
	rm -r "${MC_SESSIONS_DIR:?}/b"
	run_split mc-session-fsck --json b
	assert_status 1
	assert_json '.kind == "orphan" and .session == "b"' out
}

@test "operands: a repair that moves a session away leaves no orphan" {
	three
	rm "$(history b)"
	run_split mc-session-fsck -r --json b
	assert_status 1
	same 'what was done' 'history done,orphan done' "$(jq -r '"\(.kind) \(.repair)"' out | paste -sd,)"
	run_split mc-session-fsck b
	assert_status 1
	assert_err_has "no session 'b'"
	mends
}

# While others work

# chat_stalls ID: a turn of the session runs, in the middle of its reply, until the file go exists.
chat_stalls() {
	server_start '{"responses":[{"steps":[{"text":"so far "},{"touch":"started"},{"wait":"go"},{"text":"so good"},{"finish":"stop"},{"done":true}]}]}'
	mc-session-new -p openai-compatible -m m -i "$1" >/dev/null
	mc-chat --no-stdin -s "$1" asked >reply 2>&1 3>&- &
	chat=$!
	wait_for started
}

@test "in use: the end of the history and the turn that runs are not judged" {
	three
	chat_stalls d
	[[ -s $MC_SESSIONS_DIR/d/turn.partial ]]
	checked
	exchange 9 | head -c 40 >>"$(history d)" # as if it were being stored
	run_split mc-session-fsck
	assert_status 0
	assert_out_empty
	run_split mc-session-fsck d
	assert_status 0
	touch go
	wait "$chat"
	same reply 'so far so good' "$(cat reply)"
	run_split mc-session-fsck --json
	assert_status 1
	same findings 'record d d/history.jsonl 2 none' "$(findings | sed /^stale/d)"
}

@test "in use: what is before the end is judged; a repair waits for the turn, and says for whom" {
	local fsck
	three
	chat_stalls d
	echo garbage >>"$(history d)"
	exchange 9 >>"$(history d)"
	run_split mc-session-fsck --json
	assert_status 1
	same findings 'record d d/history.jsonl 2 none' "$(findings | sed /^stale/d)"
	mc-session-fsck -r --json >repaired 2>message 3>&- &
	fsck=$!
	poll 20 grep -q "waiting for .*'d'" message
	grep -q "$chat" message
	kill -0 "$fsck"
	touch go
	wait "$chat"
	run_split wait "$fsck"
	assert_status 1
	same 'the history' session,exchange,exchange "$(jq -r .type "$(history d)" | paste -sd,)"
	same reply 'so far so good' "$(jq -r 'select(.query == "asked").answer' "$(history d)")"
	same quarantined garbage "$(in_quarantine d/history.jsonl)"
	run_split mc-session-fsck
	assert_status 0
	assert_out_empty
}

@test "in use: a turn that waits while a repair replaces the history is stored in the new one" {
	local i pids
	for i in 1 2 3 4; do
		three
		echo garbage >>"$(history a)"
		exec 9<"$(history a)"
		flock 9
		mc-chat --no-stdin -s a waited >/dev/null 2>waits.chat 9>&- 3>&- &
		pids=($!)
		poll 20 grep -q 'waiting for' waits.chat
		mc-session-fsck -r >found 2>waits.fsck 9>&- 3>&- &
		pids+=($!)
		poll 20 grep -q 'waiting for' waits.fsck
		exec 9<&-
		wait "${pids[0]}"
		run_split wait "${pids[1]}"
		assert_status 1
		same queries one,waited "$(jq -r 'select(.query).query' "$(history a)" | paste -sd,)"
		run_split mc-session-fsck
		assert_out_empty
		rm -r "$MC_SESSIONS_DIR"
	done
}

@test "in use: the new history is locked from its first moment on" {
	local fsck
	three
	sed -i '2i garbage' "$(history a)"
	exchange 9 >>"$(history a)"
	exec 9<"$MC_SESSIONS_DIR/index.lock"
	flock 9
	mc-session-fsck -r a >found 2>message 9>&- 3>&- &
	fsck=$!
	poll 20 grep -q 'waiting for .*index.lock' message # with the record of the session in hand
	refute grep -q garbage "$(history a)"
	refute flock -n "$(history a)" true
	flock -u 9
	run_split wait "$fsck"
	assert_status 1
	mends
}

# As a backup makes them.
@test "in use: a second hard link of the turn that runs does not take it from under the chat" {
	local fsck
	three
	chat_stalls d
	ln "$MC_SESSIONS_DIR/d/turn.partial" backup
	run_split mc-session-fsck
	assert_status 0
	mc-session-fsck -r >repaired 2>message 3>&- &
	fsck=$!
	poll 20 grep -q "waiting for .*'d'" message
	[[ -e $MC_SESSIONS_DIR/d/turn.partial ]] || {
		ls -A "$MC_SESSIONS_DIR/d"
		touch go
		wait "$chat" "$fsck"
		return 1
	}
	touch go
	wait "$chat"
	run_split wait "$fsck"
	assert_status 0
}

@test "in use: Ctrl-C ends the wait; what was found until then was repaired" {
	three
	mkdir "$MC_SESSIONS_DIR/.new-x-abc"
	echo garbage >>"$(history a)"
	echo garbage >>"$(history b)"
	exec 9<"$(history b)"
	flock 9
	term_start -x 120 mc-session-fsck -r 9>&-
	term_wait 'waiting for'
	term_keys C-c
	same 'exit status' 130 "$(term_status)"
	flock -u 9
	mends 'record b b/history.jsonl 3 moved'
	same quarantined garbage "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-????????)"
}

@test "in use: folders that are being made or deleted are nobody's leftovers" {
	three
	exec 9<"$MC_SESSIONS_DIR"
	flock -s 9
	mkdir "$MC_SESSIONS_DIR/.new-x-abc" "$MC_SESSIONS_DIR/.removed-y-1-2"
	mends_nothing() {
		run_split timeout 20 mc-session-fsck "$@" 9>&-
		assert_status 0
		assert_out_empty
		[[ -d $MC_SESSIONS_DIR/.new-x-abc && -d $MC_SESSIONS_DIR/.removed-y-1-2 ]]
	}
	mends_nothing
	mends_nothing -r
	exec 9<&-
	mends 'leftover - .new-x-abc - moved' 'leftover - .removed-y-1-2 - moved'
}

@test "many: a check finds nothing while others create, talk and delete" {
	local i pids=() end=$((SECONDS + 300))
	say keep one
	until [[ -e stop || SECONDS -gt end ]]; do mc-session-new -p echo >/dev/null; done 3>&- &
	pids+=($!)
	until [[ -e stop || SECONDS -gt end ]]; do mc-chat --no-stdin -p echo hello >/dev/null 2>&1 && mc-chat --no-stdin -s keep more >/dev/null; done 3>&- &
	pids+=($!)
	until [[ -e stop || SECONDS -gt end ]]; do mc-session-ls -q | grep -vx keep | mc-session-rm -f -; done >/dev/null 2>&1 3>&- &
	pids+=($!)
	for i in {1..50}; do
		mc-session-fsck >>found 2>&1 || true
	done
	touch stop
	wait "${pids[@]}"
	same findings '' "$(cat found)"
	mends
}

@test "many: repairs while others work lose nothing, and end" {
	local i
	three
	printf 'garbage %s\n' 1 2 3 4 >>"$(history a)"
	for i in {1..12}; do
		mc-chat --no-stdin -s a "prompt $i" >/dev/null 2>&1 3>&- &
		if ((i % 3 == 0)); then timeout 60 mc-session-fsck -r >>found 2>&1 3>&- & fi
	done
	wait
	same prompts "$( (echo one; for i in {1..12}; do echo "prompt $i"; done) | sort)" "$(stored a | sort)"
	same 'garbage, all of it' "$(printf 'garbage %s\n' 1 2 3 4)" "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-???????? | sort)"
	run_split mc-session-fsck
	assert_status 0
	assert_out_empty
}

# When a repair fails

# many_records ID: 6 KB of sound history, and a damaged line in it.
many_records() {
	local i
	craft "$1" "$(head_of "$1")" "$(exchange 1)" garbage
	for i in {2..20}; do exchange "$i"; done >>"$(history "$1")"
}

@test "full: a history that cannot be written anew stays as it is, byte for byte" {
	local limit
	many_records a
	mc-session-ls >/dev/null 2>&1
	cp "$(history a)" whole
	for limit in 1 4; do
		run_split small_files "$limit" mc-session-fsck -r --json
		assert_status 1
		assert_json -s 'any(.[]; .kind == "record" and .repair == "impossible" and (.message | contains("File too large")))' out
		cmp "$(history a)" whole
		same 'the list' a "$(mc-session-ls -q)"
	done
	rm -rf "$MC_SESSIONS_DIR/.quarantine"
	mends 'record a a/history.jsonl 3 moved' '?leftover a a/.history.tmp - moved'
}

@test "full: what could not be moved is not said to be in quarantine" {
	many_records a
	mc-session-ls >/dev/null 2>&1
	run_split small_files 1 mc-session-fsck -r
	assert_status 1
	assert_out_has 'File too large'
	refute_out_has 'moved to'
}

@test "full: a turn that cannot be stored stays in its spool" {
	craft a "$(head_of a)" "$(exchange 1)"
	mc-session-ls >/dev/null
	partial a 2 "$(seq 1000)"
	cp "$(history a)" whole
	cp "$MC_SESSIONS_DIR/a/turn.partial" turn
	run_split small_files 1 mc-session-fsck -r
	assert_status 1
	assert_out_has 'File too large'
	head -c "$(wc -c <whole)" "$(history a)" | cmp - whole
	cmp "$MC_SESSIONS_DIR/a/turn.partial" turn
	mends 'spool a a/turn.partial - done' '?torn a a/history.jsonl 3 moved'
	same queries 'ask 1,ask 2,and on in a' "$(queries a)"
}

@test "full: an index that cannot be made anew is not taken away" {
	local i
	for i in {1..4}; do say "s$i" "$(printf 'word %.0s' {1..30})"; done
	mc-session-ls --json >list
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	run_split small_files 1 mc-session-fsck -r
	assert_status 1
	assert_out_has 'File too large'
	[[ -s $MC_SESSIONS_DIR/index.jsonl ]] || differs 'an index' ''
	mc-session-ls --json | cmp list -
}

@test "full: a file system without room, and one that is read only: messages, and nothing lost" {
	((EUID == 0)) || skip 'only root can mount a small file system'
	unshare -m mount -t tmpfs -o size=64k none "$HOME" 2>/dev/null || skip 'mounting is not allowed here'
	many_records a
	head_of b | tr -d '\n' >b
	mc-session-ls >/dev/null 2>&1
	mkdir disk
	lost empty
	cp -a "$MC_SESSIONS_DIR" before
	# shellcheck disable=SC2016
	unshare -m bash -e -c '
		mount -t tmpfs -o size=256k none disk
		cp -a before disk/sessions
		export MC_SESSIONS_DIR=$PWD/disk/sessions
		cat /dev/zero >disk/fill 2>/dev/null || true
		mc-session-fsck -r --json >full 2>full.err || echo $? >full.status
		cp -a disk/sessions after.full
		rm disk/fill
		mount -o remount,ro disk
		mc-session-fsck >ro.check 2>&1 || echo $? >ro.check.status
		mc-session-fsck -r >ro 2>&1 || echo $? >ro.status
		mount -o remount,rw disk
		mc-session-fsck -r --json >repaired 2>repaired.err || echo $? >repaired.status
		mc-session-fsck >clean 2>&1
		cp -a disk/sessions after
	'
	same statuses 1,1,1,1 "$(cat full.status ro.check.status ro.status repaired.status | paste -sd,)"
	grep -q 'No space left on device' full
	grep -q 'a/history.jsonl:3: ' ro.check
	grep -q 'Read-only file system' ro
	cmp before/a/history.jsonl after.full/a/history.jsonl
	cmp before/index.jsonl after.full/index.jsonl
	same 'left in the end' '' "$(cat clean)"
	find after/.quarantine -size 0 -delete # what could not be written
	cat full repaired | jq -c 'select(.repair == "done" and .quarantine)' >moved
	MC_SESSIONS_DIR=$PWD/after judge kept before moved
}

@test "full: output that cannot be written fails, and the repair is whole" {
	three
	[[ -c /dev/full ]] || skip 'there is no /dev/full'
	echo garbage >>"$(history a)"
	status=0
	mc-session-fsck -r >/dev/full 2>err || status=$?
	same status 1 "$status"
	same quarantined garbage "$(cat "$MC_SESSIONS_DIR"/.quarantine/a.history.jsonl-????????)"
	run_split mc-session-fsck
	assert_status 0
}

@test "full: output that cannot be written is told" {
	three
	[[ -c /dev/full ]] || skip 'there is no /dev/full'
	echo garbage >>"$(history a)"
	for option in '' --json -r; do
		# shellcheck disable=SC2086
		mc-session-fsck $option >/dev/full 2>err || status=$?
		same status 1 "$status"
		grep -q 'No space left' err || differs "a message with '$option'" 'No space left'
	done
}

@test "kill: a repair that dies anywhere loses nothing, and the next one ends it" {
	local i id
	for i in {1..60}; do
		exchange "$i" >>records
		echo "garbage $i" >>garbage
	done
	for id in a b c; do
		craft "$id" "$(head_of "$id")"
		paste -d '\n' records garbage >>"$(history "$id")"
	done
	mc-session-ls >/dev/null 2>&1
	for id in a b c; do partial "$id" 70; done
	lost empty
	for i in 1 2 3 4 6 8 12; do
		{ timeout -s KILL "0.00$i" mc-session-fsck -r >/dev/null || true; } 2>/dev/null
		for id in a b c; do
			grep -h '"complete"' "$(history "$id")" | cmp - records
		done
	done
	mc-session-fsck -r >/dev/null 2>&1 || true
	mends
	for id in a b c; do
		same "all that was no record in $id" "$(sort garbage)" \
			"$(cat "$MC_SESSIONS_DIR/.quarantine/$id.history.jsonl"-???????? | grep '^garbage' | sort -u)"
		sed -n 2,61p "$(history "$id")" | cmp - records
		same 'the turn' "ask 70,and on in $id" "$(stored "$id" | sed 1,60d | paste -sd,)"
	done
	find "$MC_SESSIONS_DIR/.quarantine" -name 'empty-*' | grep -q .
}

@test "quarantine: one that is a link, a file or another's: nothing is moved there, nothing is lost" {
	local kind
	mkdir beyond
	for kind in link file other; do
		three
		echo garbage >>"$(history a)"
		lost empty
		case $kind in
		link) ln -s ../beyond "$MC_SESSIONS_DIR/.quarantine" ;;
		file) echo kept >"$MC_SESSIONS_DIR/.quarantine" ;;
		other)
			((EUID == 0)) || continue
			mkdir "$MC_SESSIONS_DIR/.quarantine"
			chown 12345 "$MC_SESSIONS_DIR/.quarantine"
			;;
		esac
		cp -a "$MC_SESSIONS_DIR" before
		run_split mc-session-fsck -r --json
		assert_status 1
		judge kept before out
		assert_json -s 'length > 1 and all(.[]; .repair == "impossible" and .quarantine == null and (.message | contains(".quarantine")))' out
		cmp before/a/history.jsonl "$(history a)"
		[[ -d $MC_SESSIONS_DIR/empty ]]
		same 'beyond' '' "$(ls -A beyond)"
		rm -rf "$MC_SESSIONS_DIR" before
	done
}

@test "quarantine: where it is a file the message says so" {
	three
	echo garbage >>"$(history a)"
	echo kept >"$MC_SESSIONS_DIR/.quarantine"
	run_split mc-session-fsck -r
	assert_status 1
	refute_out_has 'it is missing'
}

@test "quarantine: one that others may write to is closed, or the message does not send its reader in a circle" {
	three
	echo garbage >>"$(history a)"
	mkdir -m 0777 "$MC_SESSIONS_DIR/.quarantine"
	run_split mc-session-fsck --repair
	assert_status 1
	refute_out_has "'mc-session-fsck --repair'"
}

@test "quarantine: what is in it is nobody's business, whatever it is" {
	three
	echo garbage >>"$(history a)"
	repair
	ln -s nowhere "$MC_SESSIONS_DIR/.quarantine/link"
	mkfifo "$MC_SESSIONS_DIR/.quarantine/fifo"
	chmod 0666 "$MC_SESSIONS_DIR"/.quarantine/a.*
	cp -a "$MC_SESSIONS_DIR/b" "$MC_SESSIONS_DIR/.quarantine/d"
	mends
	rm -r "$MC_SESSIONS_DIR/.quarantine"
	mends
}

# Names, and the terminal

# strange_names: a store with names that no tool gave.
strange_names() {
	three
	ln -s x "$MC_SESSIONS_DIR/a/"$'nl\nb\e[31mred\xff\u009b2J\u202e "quoted"\\'
	mkdir "$MC_SESSIONS_DIR/"$'.new-\n\e]0;x\a'
	mkfifo "$MC_SESSIONS_DIR/a/"$'f\xc3\n\t\r\b\x7f'
}

@test "names: in the text each finding is one harmless line" {
	local option
	strange_names
	for option in '' -r; do
		# shellcheck disable=SC2086
		run_split mc-session-fsck $option
		assert_status 1
		same lines 3 "$(wc -l <out)"
		same 'control characters' '' "$(LC_ALL=C tr -d '\n -~\200-\377' <out)"
		[[ $out != *[$'\u009b\u202e']* ]] || differs 'no such characters' "$out"
		iconv -f UTF-8 -t UTF-8 <out >/dev/null
	done
	run_split mc-session-fsck
	assert_status 0
	same 'in quarantine' 3 "$(find "$MC_SESSIONS_DIR/.quarantine" -mindepth 1 -maxdepth 1 ! -name '*.json' -printf x | wc -c)"
}

@test "names: with --json they are valid JSON, and exact where they are UTF-8" {
	strange_names
	run_split mc-session-fsck --json
	assert_status 1
	same lines 3 "$(wc -l <out)"
	findings >/dev/null
	iconv -f UTF-8 -t UTF-8 <out >/dev/null
	assert_json -s --arg name $'.new-\n\e]0;x\a' 'any(.[]; .file == $name and .kind == "leftover" and .session == null)' out
	repair
	assert_json -s 'all(.[]; .repair == "done")' repaired
	place=$(jq -r --arg name $'.new-\n\e]0;x\a' 'select(.file == $name).quarantine' repaired)
	[[ -d $MC_SESSIONS_DIR/$place ]]
}

@test "names: JSON is harmless at a terminal, too" {
	strange_names
	script -qc 'mc-session-fsck --json; mc-session-fsck' typescript >/dev/null
	sed '1d;$d' typescript >seen
	grep -q quoted seen
	if LC_ALL=C grep -q $'[\e\x07\x08\x7f]' seen || LC_ALL=C grep -P '\xc2\x9b|\xe2\x80\xae' seen; then
		cat -v seen
		return 1
	fi
}

@test "names: what is in the records stays out of the messages, or is harmless there" {
	three
	printf '{"type":"\e[31m"}\n{"type":"exchange","id":"\\u001b[2J","\\u001b]0;x":\e}\n{"type":"session","version":"\\u001b[2J"}\n' >>"$(history a)"
	printf '{"id":"\e[2J","version":1}\n{"id":"\\u001b[2J","version":1}\n' >>"$MC_SESSIONS_DIR/index.jsonl"
	for option in '' -r; do
		# shellcheck disable=SC2086
		run_split mc-session-fsck $option
		assert_status 1
		same 'control characters' '' "$(LC_ALL=C tr -d '\n -~\200-\377' <out)"
	done
}

# slow_store: a repair of it takes longer than 0.7 s, as it has to wait in its first session.
slow_store() {
	local i
	for i in {1..40}; do craft "s$i" "$(head_of "s$i")"; done
	craft a "$(head_of a)" garbage
	craft z "$(head_of z)" garbage
	mc-session-ls >/dev/null 2>&1
	exec 9<"$(history a)"
	flock 9
}

@test "terminal: a long check tells how far it has come, and clears that line" {
	slow_store
	term_start -x 120 mc-session-fsck -r 9>&-
	term_wait 'waiting for'
	sleep 0.8 # it says nothing of itself before
	flock -u 9
	same 'exit status' 1 "$(term_status)"
	term_wait '^z/history.jsonl:2: .*moved to'
	screen_becomes 'lines that are no finding and no waiting' '' grep -v -e '^$' -e waiting -e 'history.jsonl:2' -e '^index.jsonl '
}

@test "terminal: the progress is on standard error, at a terminal only" {
	local pid
	slow_store
	script -qefc 'mc-session-fsck -r 2>progress.file; mc-session-fsck' typescript >/dev/null 9>&- 3>&- &
	pid=$!
	poll 20 grep -q waiting progress.file
	sleep 0.8
	flock -u 9
	wait "$pid" || true
	same 'but the waiting, where there is no terminal' '' "$(grep -v waiting progress.file)"
	rm -r "$MC_SESSIONS_DIR"
	slow_store
	script -qefc 'mc-session-fsck -r >found' typescript >/dev/null 9>&- 3>&- &
	pid=$!
	poll 20 grep -q waiting typescript
	sleep 0.8
	flock -u 9
	wait "$pid" || true
	grep -q '[0-9] of [0-9]' typescript
	grep -q '^z/history.jsonl:2' found
	# It ends with the line cleared.
	sed '$d' typescript | tr -d '\n' | grep -q $'\r\e\\[K$'
}

# Large stores

# Beyond 10,000 sessions the tools leave the making of the index to mc-session-fsck.
@test "large: without an index the tools say what to do, a turn is stored all the same, and the repair makes it" {
	local tool
	say keep one
	"${PYTHON:-/usr/bin/python3}" -IS - <<-'EOF'
		import os
		os.chdir(os.environ["MC_SESSIONS_DIR"])
		for i in range(10001):
		    name = f"s{i:05}"
		    os.mkdir(name)
		    with open(f"{name}/history.jsonl", "w") as f:
		        f.write(f'{{"type":"session","version":1,"id":"{name}","createdAt":{1700000000000 + i},'
		                '"cwd":"/","provider":"echo","model":"echo"}\n')
	EOF
	rm "$MC_SESSIONS_DIR/index.jsonl"
	for tool in mc-session-ls 'mc-session-ls -q -n 1' 'mc-chat --no-stdin -c hello'; do
		run_split $tool
		assert_status 1
		assert_out_empty
		same 'lines of the message' 1 "$(wc -l <err)"
		assert_err_has "'mc-session-fsck --repair'"
	done
	run_split mc-chat --no-stdin -s s00007 hello
	assert_status 0
	assert_out hello
	same 'lines of the notice' 1 "$(wc -l <err)"
	assert_err_has "'mc-session-fsck --repair'"
	same stored hello "$(stored s00007)"
	run_split mc-session-fsck
	assert_status 1
	same findings 1 "$(wc -l <out)"
	assert_out_has 'index.jsonl: '
	run_split mc-session-fsck --repair --json
	assert_status 1
	same findings 'index - index.jsonl - done' "$(findings)"
	same sessions 10002 "$(mc-session-ls -q | sort -u | wc -l)"
	same newest s00007 "$(mc-session-ls -q -n 1)"
	run_split mc-session-fsck
	assert_status 0
	assert_out_empty
}
