#!/usr/bin/env bats
#
# Records that no tool of ours wrote: each is passed over with a reason, in bounded
# memory, and the ones beside it are read.

load helper
load craft

# bounded CMD...: within 64 MiB of memory of its own.
bounded() {
	if [[ $(type -t prlimit) && ${MCBOX_BIN_DIR-} != *sanitize* ]]; then
		timeout 60 prlimit --data=67108864 "$@"
	else
		timeout 60 "$@"
	fi
}

# passed_over REASON: line 3 of session a is, by every reader, and only that.
passed_over() {
	run_split bounded mc-session-cat a
	assert_status 1
	assert_err_has "a/history.jsonl:3: skipped a damaged record: $1"
	same 'the rest' $'> ask 1\n\nreply 1\n\n> ask 2\n\nreply 2' "$out"
	run_split bounded mc-session-cat --json a
	assert_status 1
	assert_err_has "a/history.jsonl:3: skipped a damaged record: $1"
	same 'records' 3 "$(wc -l <out)"
	run_split bounded mc-chat --no-stdin -s a "go on"
	assert_status 0
	assert_err_has "$1"
	same 'exchanges' 3 "$(listed a | jq .exchangeCount)"
	rm -r "$MC_SESSIONS_DIR/a"
}

# odd RECORD REASON
odd() {
	craft a "$(head_of a)" "$(exchange 1)" "$1" "$(exchange 2)"
	passed_over "$2"
}

# member NAME VALUE: an exchange with that one otherwise.
member() { exchange 7 | jq -c "del(.$1)" | sed "s/}\$/,\"$1\":$2}/"; }

@test "a name twice, at any depth and however it is written" {
	odd "$(exchange 7 | sed 's/}$/,"query":"other"}/')" 'an object with two members of one name'
	odd "$(exchange 7 | sed 's/}$/,"qu\\u0065ry":"other"}/')" 'an object with two members of one name'
	odd "$(member tokenUsage '{"inputTokens":1,"inputTokens":2}')" 'an object with two members of one name'
	odd "$(exchange 7 | sed 's/}$/,"x":[{"y":{"z":1,"z":2}}]}/')" 'an object with two members of one name'
}

@test "half a surrogate pair" {
	odd "$(member answer '"a\\ud800b"')" 'half a surrogate pair (at byte'
	odd "$(member answer '"\\udc00\\ud800"')" 'half a surrogate pair (at byte'
	odd "$(exchange 7 | sed 's/}$/,"\\udfff":1}/')" 'half a surrogate pair (at byte'
	craft a "$(head_of a)" "$(member answer '"\\ud83d\\ude00"')"
	run_split mc-session-cat a
	assert_status 0
	assert_out_has '😀'
}

@test "bytes that are no UTF-8: overlong, surrogates, cut short, beyond Unicode" {
	local bytes
	for bytes in '\xc0\x80' '\xc1\xbf' '\xe0\x80\xaf' '\xf0\x80\x80\xaf' '\xed\xa0\x80' '\xff' '\xc3' \
		'\xf4\x90\x80\x80' '\xf8\x88\x80\x80\x80' '\x80'; do
		odd "$(exchange 7 | sed "s/reply 7/$bytes/")" 'not UTF-8 (at byte'
	done
}

@test "numbers that are none, or that nothing has so many of" {
	odd "$(member duration NaN)" 'no valid JSON (at byte'
	odd "$(member duration -Infinity)" 'no valid JSON (at byte'
	odd "$(member duration 0x10)" 'no valid JSON (at byte'
	odd "$(member duration 012)" 'no valid JSON (at byte'
	odd "$(member duration 9007199254740992)" "'duration' is not a count"
	odd "$(member duration 99999999999999999999999999999999)" "'duration' is too large"
	odd "$(member duration -1)" "'duration' is not a count"
	odd "$(member duration 1e400)" "'duration' must be a whole number"
	odd "$(member timestamp 9223372036854775807)" "'timestamp' is not a time in milliseconds"
	odd "$(member timestamp 18446744073709551616)" "'timestamp' is too large"
	odd "$(member tokenUsage '{"totalTokens":123456789012345678901234567890}')" "'totalTokens' is too large"
	# What is not read may be any number.
	craft a "$(head_of a)" "$(exchange 7 complete ",\"x\":$(printf '9%.0s' {1..5000}),\"y\":1e999")"
	mc-session-cat a
}

@test "nested a million deep" {
	local n
	for n in 65 1000000; do
		craft a "$(head_of a)" "$(exchange 1)"
		{
			printf '{"type":"x","v":'
			head -c "$n" /dev/zero | tr '\0' '['
			head -c "$n" /dev/zero | tr '\0' ']'
			printf '}\n'
			exchange 2
		} >>"$(history a)"
		passed_over 'nested too deep (at byte'
	done
	# Never closed, and objects in objects.
	craft a "$(head_of a)" "$(exchange 1)"
	{
		yes '{"type":' | head -n 1000000 | tr -d '\n'
		echo
		exchange 2
	} >>"$(history a)"
	passed_over 'nested too deep (at byte'
}

@test "a record of 1 GB" {
	craft a "$(head_of a)" "$(exchange 1)"
	mc-session-ls >/dev/null # such a store's index is not made by the way
	truncate -s 1G "$(history a)"
	echo >>"$(history a)"
	exchange 2 >>"$(history a)"
	passed_over 'larger than 256 MiB'
}

@test "a record that is right and larger than any may be" {
	craft a "$(head_of a)" "$(exchange 1)"
	{
		printf '{"type":"exchange","id":"x","timestamp":1,"model":"m","status":"complete","query":"","answer":"'
		head -c 269000000 /dev/zero | tr '\0' x
		printf '"}\n'
		exchange 2
	} >>"$(history a)"
	passed_over 'larger than 256 MiB'
}

@test "thousands of rewinds to nowhere" {
	{
		head_of a
		exchange 1
		for ((i = 0; i < 3000; i++)); do
			printf '{"type":"rewind","timestamp":1,"to":"nowhere-%d"}\n' "$i"
			printf '{"type":"other","n":%d}\n%.0s' "$i" {1..20}
		done
		exchange 2
	} >lines
	craft a
	cat lines >"$(history a)"
	run_split bounded mc-session-cat a
	assert_status 0
	same 'exchanges' 'ask 1,ask 2' "$(queries a)"
	bounded mc-chat --no-stdin -s a more
	bounded mc-session-fsck
}

@test "a turn cut short that no record can hold is set aside, and the session goes on" {
	say a one
	printf '{"type":"exchange","id":"x","timestamp":1,"query":"q","model":"echo"}\n' >head
	(umask 077 && cat head >"$MC_SESSIONS_DIR/a/turn.partial")
	truncate -s 300M "$MC_SESSIONS_DIR/a/turn.partial"
	run_split mc-chat --no-stdin -s a two
	assert_status 0
	assert_err_has 'turn.partial is damaged (larger than 256 MiB); it is kept as turn.damaged-'
	# This one fits as it is, but not as JSON.
	(umask 077 && cat head - >"$MC_SESSIONS_DIR/a/turn.partial") < <(head -c 50M /dev/zero | tr '\0' '\1')
	run_split mc-session-cat -n 1 a
	assert_status 0
	assert_err_has 'turn.partial is damaged (larger than 256 MiB); it is kept as turn.damaged-'
	same 'exchanges' 'one,two' "$(queries a)"
	same 'set aside' 2 "$(find "$MC_SESSIONS_DIR/a" -name 'turn.damaged-*' | wc -l)"
	rm "$MC_SESSIONS_DIR"/a/turn.damaged-*
}

@test "a history without a byte" {
	new a
	: >"$(history a)"
	for words in "cat a" "cat -n 1 a" "cat --status a"; do
		read -ra args <<<"$words"
		run_split "mc-session-${args[0]}" "${args[@]:1}"
		assert_status 1
		assert_err_has 'history.jsonl has no valid session record'
	done
	run_split mc-chat --no-stdin -s a hello
	assert_status 1
	run_split mc-session-fsck
	assert_status 1
	assert_out_has 'a/history.jsonl:1: no valid session record'
}

@test "a prompt without an end is refused in time" {
	run_split timeout 60 mc-chat -p echo < <(yes)
	assert_status 2
	assert_err_has 'the prompt is larger than 32 MiB'
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "an index line nested a million deep, or of 1 GB, hides no other session" {
	say a one
	say b two
	{
		printf '{"id":"c","createdAt":'
		head -c 1000000 /dev/zero | tr '\0' '['
		printf ',"version":1}\n'
	} >>"$MC_SESSIONS_DIR/index.jsonl"
	run_split bounded mc-session-ls -q
	assert_out_has a
	assert_out_has b
	truncate -s 1G "$MC_SESSIONS_DIR/index.jsonl"
	run_split bounded mc-session-ls -q
	assert_out_has a
	assert_out_has b
	timeout 60 mc-chat --no-stdin -s a more
	run_split bounded mc-session-ls -q
	assert_status 0
	same 'sessions' $'a\nb' "$(grep -v '^c$' <<<"$out")"
}
