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
	jq -es 'length > 3 and all(.[]; .repair == "done")' out
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
