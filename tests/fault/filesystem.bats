#!/usr/bin/env bats
# shellcheck disable=SC2154 # run_split sets status, out and err
#
# File systems that lack something: syncing of folders, locks, modes. Each works, or is
# refused with a way out before anything is made or sent. (tests/fault/filesystem.c)

load ../helper
load ../craft


setup() {
	fresh
	umask 077
	# A sanitizer's library wants to be the first one.
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
}

# lacking NAME=VALUE CMD...: on such a file system.
lacking() {
	env LD_PRELOAD="${FAULT_BIN_DIR:-$ROOT/build/tests/fault}/filesystem.so" "$@"
}

# Folders that cannot be synced

@test "sync: where a folder cannot be synced everything is stored, without a word" {
	local error
	echo notes >n.txt
	for error in EINVAL EOPNOTSUPP ENOSYS; do
		run_split lacking FS_SYNC=$error mc-chat -p echo -n -s a -a n.txt one
		assert_status 0
		assert_out one
		assert_err_empty
		same stored one "$(stored a)"
		same attached notes "$(cat "$MC_SESSIONS_DIR"/a/artifacts/*)"
		rm "$MC_SESSIONS_DIR/index.jsonl"
		run_split lacking FS_SYNC=$error mc-session-ls -q
		assert_out a
		assert_err_empty
		run_split lacking FS_SYNC=$error mc-session-new -p echo -i b
		assert_status 0
		assert_err_empty
		run_split lacking FS_SYNC=$error mc-session-rm -f b
		assert_status 0
		assert_err_empty
		rm -r "$MC_SESSIONS_DIR"
	done
}

@test "sync: a repair works there, too: lines, files, folders, the index" {
	say a one
	say b two
	echo garbage >>"$(history a)"
	mkfifo "$MC_SESSIONS_DIR/a/fifo"
	rm "$(history b)"
	echo garbage >>"$MC_SESSIONS_DIR/index.jsonl"
	run_split lacking FS_SYNC=EINVAL mc-session-fsck -r --json
	assert_status 1
	assert_err_empty
	assert_json -s 'length > 3 and all(.[]; .repair == "done")' out
	run_split mc-session-fsck
	assert_status 0
	same stored one "$(stored a)"
}

@test "sync: a disk that fails to sync a folder is another matter" {
	run_split lacking FS_SYNC=EIO mc-chat --no-stdin -p echo -n -s a one
	assert_status 1
	assert_out_empty
	assert_err_has 'Input/output error'
}

# File systems without permissions

@test "modes: where all is 0777 nothing is made or sent, and the message says what helps" {
	local tool
	server_start '{"responses": []}'
	mkdir -m 0777 empty
	for dir in new/sessions empty; do
		for tool in 'mc-session-new -p echo' 'mc-chat --no-stdin hello' 'mc-chat --no-stdin -n -s a hello'; do
			# shellcheck disable=SC2086
			MC_SESSIONS_DIR=$PWD/$dir run_split lacking FS_MODES=open $tool
			assert_status 1
			assert_out_empty
			assert_err_has "'$PWD/$dir'"
			assert_err_has 'set MC_SESSIONS_DIR'
			same 'lines of the message' 1 "$(wc -l <err)"
			[[ $err != *chmod* ]] || differs 'no advice that cannot help' chmod
			[[ ! -e new ]]
			same 'what was made' '' "$(ls -A empty)"
		done
	done
	MC_SESSIONS_DIR=$PWD/empty run_split lacking FS_MODES=open mc-session-ls
	assert_status 1
	assert_err_has 'set MC_SESSIONS_DIR'
	same 'what was made' '' "$(ls -A empty)"
	same requests '' "$(cat "$SERVER_LOG" 2>/dev/null)"
}

@test "modes: a store that was moved to such a place is refused, with what helps there" {
	say a one
	chmod -R 0777 "$MC_SESSIONS_DIR"
	for tool in 'mc-session-cat a' 'mc-chat --no-stdin -s a hello' 'mc-session-rm -f a'; do
		# shellcheck disable=SC2086
		run_split lacking FS_MODES=open $tool
		assert_status 1
		assert_err_has 'MC_SESSIONS_DIR'
	done
}

@test "modes: fsck calls a mode repaired only when it is" {
	say a one
	mkdir -m 0777 "$MC_SESSIONS_DIR/.quarantine"
	echo art >"$MC_SESSIONS_DIR/a/note"
	chmod 0777 "$MC_SESSIONS_DIR" "$MC_SESSIONS_DIR/a" "$(history a)" "$MC_SESSIONS_DIR/a/note" \
		"$MC_SESSIONS_DIR/index.jsonl" "$MC_SESSIONS_DIR/index.lock"
	run_split lacking FS_MODES=ignore mc-session-fsck -r --json
	assert_status 1
	assert_err_has 'could not be repaired'
	assert_json -s '[.[] | select(.kind == "mode")] | length == 6
		and all(.[]; .repair == "impossible" and (.message | contains("does not store permissions")))' out
	# Where they are stored, the same repair works.
	run_split mc-session-fsck -r --json
	assert_status 1
	assert_json -s '[.[] | select(.kind == "mode")] | length == 6 and all(.[]; .repair == "done")' out
	run_split mc-session-fsck
	assert_status 0
}

@test "files: fsck calls a turn repaired only when its file is gone" {
	say a one
	printf '%s\nhalf' "$(exchange 9 | jq -c '{type, id, timestamp, query, model}')" >"$MC_SESSIONS_DIR/a/turn.partial"
	for _ in 1 2; do
		run_split lacking FS_UNLINK=turn.partial mc-session-fsck -r --json
		assert_status 1
		assert_json -s 'any(.[]; .kind == "spool" and .repair == "impossible" and (.message | contains("cannot be deleted")))' out
	done
	same stored $'one\nask 9' "$(stored a)"
	run_split mc-session-fsck -r --json
	assert_status 1
	assert_json -s 'any(.[]; .kind == "spool" and .repair == "done")' out
	same stored $'one\nask 9' "$(stored a)"
}

@test "modes: on a file system that is mounted so, nothing is left behind" {
	((EUID == 0)) && command -v bindfs >/dev/null || skip 'needs root and bindfs'
	mkdir source mounted
	# shellcheck disable=SC2016
	unshare -m bash -c 'bindfs -p 0777 --chmod-ignore source mounted || exit 9
		MC_SESSIONS_DIR=$PWD/mounted/sessions mc-chat --no-stdin -p echo hello >chat.out 2>chat.err
		echo $? >status
		umount mounted' 2>/dev/null || skip 'mounting is not allowed here'
	same status 1 "$(<status)"
	same output '' "$(<chat.out)"
	grep -q 'set MC_SESSIONS_DIR' chat.err
	same 'what was made' '' "$(ls -A source)"
}

# File systems without locks

@test "locks: without them nothing is written, and the message says what helps" {
	local error tool
	say a one
	cp "$(history a)" before
	for error in ENOSYS ENOLCK EOPNOTSUPP; do
		for tool in 'mc-session-new -p echo -i b' 'mc-chat --no-stdin -p echo -n -s b two' 'mc-chat --no-stdin -s a two' \
			'mc-session-rm -f a' 'mc-session-fsck -r' 'mc-session-fsck -r a'; do
			# shellcheck disable=SC2086
			run_split lacking FS_LOCKS=$error $tool
			assert_status 1
			assert_out_empty
			assert_err_has 'does not support locks'
			assert_err_has 'set MC_SESSIONS_DIR'
			same 'sessions' a "$(cd "$MC_SESSIONS_DIR" && ls -d -- [a-h]* .[a-z]* 2>/dev/null)"
		done
	done
	cmp before "$(history a)"
	MC_SESSIONS_DIR=$PWD/new run_split lacking FS_LOCKS=ENOSYS mc-chat --no-stdin -p echo two
	assert_status 1
	assert_err_has 'set MC_SESSIONS_DIR'
	run_split lacking FS_LOCKS=ENOSYS mc-chat --no-stdin --no-save -p echo two
	assert_status 0
	assert_out two
}

@test "locks: reading needs none" {
	say a one
	printf '%s\nhalf' "$(exchange 9 | jq -c '{type, id, timestamp, query, model}')" >"$MC_SESSIONS_DIR/a/turn.partial"
	run_split lacking FS_LOCKS=ENOSYS mc-session-ls -q
	assert_status 0
	assert_out a
	assert_err_empty
	run_split lacking FS_LOCKS=ENOSYS mc-session-cat a
	assert_status 1
	assert_out_has '> one'
	rm "$MC_SESSIONS_DIR/a/turn.partial"
	run_split lacking FS_LOCKS=ENOSYS mc-session-cat a
	assert_status 0
	assert_err_empty
	run_split lacking FS_LOCKS=ENOSYS mc-session-fsck
	assert_status 0
	assert_out_empty
	echo garbage >>"$(history a)"
	run_split lacking FS_LOCKS=ENOSYS mc-session-fsck
	assert_status 1
	assert_out_has 'a/history.jsonl:3: '
	refute_out_has 'support locks'
}
