#!/usr/bin/env bats
#
# A sessions directory in which strangers have been: nothing in it is trusted by its
# name. Whatever is refused is named, nothing is waited for, and nothing outside is
# read or written.

load helper
load craft

# refused TEXT CMD...: fails at once with status 1 and a message that has TEXT.
refused() {
	run_split timeout 20 "${@:2}"
	assert_status 1 74
	assert_err_has "$1"
	assert_out_empty
}

# every_tool_refuses TEXT ID
every_tool_refuses() {
	refused "$1" mc-session-cat "$2"
	refused "$1" mc-session-cat --json "$2"
	refused "$1" mc-session-cat --status "$2"
	refused "$1" mc-chat --no-stdin -s "$2" hello
	refused "$1" mc-session-rm -f "$2"
}

@test "a session's folder that is a link is refused, wherever it leads" {
	new a
	MC_SESSIONS_DIR=$PWD/other new a
	mv other/a outside
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/b"
	ln -s a "$MC_SESSIONS_DIR/c"
	cp outside/history.jsonl before
	every_tool_refuses 'symbolic link' b
	every_tool_refuses 'symbolic link' c
	cmp outside/history.jsonl before
	mc-session-cat a
}

@test "a history that is a link is refused" {
	new a
	mv "$(history a)" outside
	ln -s "$PWD/outside" "$(history a)"
	cp outside before
	every_tool_refuses 'symbolic link' a
	cmp outside before
	ln -sf nowhere "$(history a)"
	every_tool_refuses 'symbolic link' a
}

@test "a history with a second name is refused" {
	new a
	ln "$(history a)" second
	cp second before
	every_tool_refuses 'hard link' a
	cmp second before
	rm second
	mc-session-cat a
}

@test "FIFOs, folders and devices in a file's place are refused at once" {
	new a
	rm "$(history a)"
	mkfifo "$(history a)"
	every_tool_refuses 'not a regular file' a
	rm "$(history a)"
	mkdir "$(history a)"
	every_tool_refuses 'not a regular file' a
	rmdir "$(history a)"
	if mknod "$(history a)" c 1 3 2>/dev/null; then
		every_tool_refuses 'not a regular file' a
	fi
}

@test "a folder or history that others may write is refused, until that is changed" {
	local mode
	new a
	for mode in 0720 0702 0770 0777; do
		chmod "$mode" "$MC_SESSIONS_DIR/a"
		every_tool_refuses 'others may write' a
	done
	chmod 0700 "$MC_SESSIONS_DIR/a"
	for mode in 0620 0602 0666; do
		chmod "$mode" "$(history a)"
		every_tool_refuses 'others may write' a
	done
	chmod go-w "$(history a)"
	mc-session-cat a
}

@test "what belongs to somebody else is refused" {
	((UID == 0)) || skip 'only root can give files away'
	new a
	chown 12345 "$(history a)"
	every_tool_refuses 'another user (12345)' a
	chown 0 "$(history a)"
	chown 12345 "$MC_SESSIONS_DIR/a"
	every_tool_refuses 'another user (12345)' a
}

@test "an index or a lock that is a link, a FIFO, shared or somebody's is refused" {
	local file
	say a one
	for file in index.jsonl index.lock; do
		mv "$MC_SESSIONS_DIR/$file" "outside.$file"
		ln -s "$PWD/outside.$file" "$MC_SESSIONS_DIR/$file"
		cp "outside.$file" before
		# The turn is stored; that the list is not up to date is told.
		run_split timeout 20 mc-chat --no-stdin -s a "linked $file"
		assert_status 0
		assert_err_has 'symbolic link'
		cmp "outside.$file" before
		ln -f "outside.$file" "$MC_SESSIONS_DIR/$file"
		run_split timeout 20 mc-chat --no-stdin -s a "shared $file"
		assert_status 0
		assert_err_has 'hard link'
		cmp "outside.$file" before
		rm "$MC_SESSIONS_DIR/$file"
		mkfifo "$MC_SESSIONS_DIR/$file"
		run_split timeout 20 mc-chat --no-stdin -s a "piped $file"
		assert_status 0
		assert_err_has 'not a regular file'
		rm "$MC_SESSIONS_DIR/$file"
		mv "outside.$file" "$MC_SESSIONS_DIR/$file"
	done
	same 'exchanges' 7 "$(stored a | wc -l)"
	chmod 0666 "$MC_SESSIONS_DIR/index.jsonl"
	refused 'others may write' mc-session-ls
	rm "$MC_SESSIONS_DIR/index.jsonl"
	ln -s nowhere "$MC_SESSIONS_DIR/index.jsonl"
	refused 'symbolic link' mc-session-ls
	rm "$MC_SESSIONS_DIR/index.jsonl"
	mc-session-ls -q
}

@test "a spool that is a link, a FIFO or shared is set aside, and not read" {
	say a one
	echo '{"type":"exchange","id":"x","timestamp":1,"query":"secret","model":"m"}' >outside
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/a/turn.partial"
	run_split timeout 20 mc-chat --no-stdin -s a two
	assert_status 0
	assert_err_has 'symbolic link'
	mkfifo "$MC_SESSIONS_DIR/a/turn.partial"
	run_split timeout 20 mc-chat --no-stdin -s a three
	assert_status 0
	assert_err_has 'not a regular file'
	ln outside "$MC_SESSIONS_DIR/a/turn.partial"
	run_split timeout 20 mc-session-cat a
	assert_status 0
	assert_err_has 'hard link'
	same 'exchanges' 'one,two,three' "$(queries a)"
	same 'set aside' 3 "$(find "$MC_SESSIONS_DIR/a" -name 'turn.damaged-*' | wc -l)"
	same 'outside' secret "$(jq -r .query outside)"
}

@test "a link in a session's folder is deleted with it, not what it leads to" {
	new a
	mkdir outside
	touch outside/kept
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/a/artifacts"
	ln -s "$PWD/outside/kept" "$MC_SESSIONS_DIR/a/link"
	mkfifo "$MC_SESSIONS_DIR/a/fifo"
	timeout 20 mc-session-rm -f a
	[[ -e outside/kept && ! -e $MC_SESSIONS_DIR/a ]]
}

@test "no id leads out of the directory" {
	local id
	mkdir -p "$MC_SESSIONS_DIR" victim
	head_of victim >victim/history.jsonl
	chmod go-w victim victim/history.jsonl
	for id in ../victim .. . ./victim victim/ "$PWD/victim" .hidden -x $'a\nb' $'\e[31m' 'a b' '' \
		"$(printf 'x%.0s' {1..65})" index.jsonl index.lock .quarantine; do
		for cmd in "mc-session-cat --" "mc-session-rm -f --" "mc-chat --no-stdin -p echo hi -s" \
			"mc-chat --no-stdin -p echo hi -n -s" "mc-session-new -p echo -i"; do
			read -ra words <<<"$cmd"
			run_split "${words[@]}" "$id"
			if [[ $cmd == *-f* ]]; then assert_status 1 2; else assert_status 2; fi
		done
	done
	same 'what is there' '' "$(ls -A "$MC_SESSIONS_DIR")"
	same 'the victim' history.jsonl "$(ls -A victim)"
}

@test "a history that a stranger cuts short while it is read is no silent death" {
	local line i
	craft a "$(head_of a)"
	line=$(exchange 1 | sed "s/reply 1/$(printf 'x%.0s' {1..3000})/")
	for i in {1..2000}; do printf '%s\n' "${line/"$(uuid 1)"/x$i}"; done >>"$(history a)"
	mkfifo pipe
	mc-session-cat --json a >pipe 2>message &
	exec {fd}<pipe
	read -r -N 10 -u "$fd" # it is in the middle now, and waits
	: >"$(history a)"
	cat <&"$fd" >/dev/null
	exec {fd}<&-
	run_split wait $!
	assert_status 1
	same message "mc-session-cat: a stored file cannot be read: it was cut short just now, or the disk fails" "$(cat message)"
}
