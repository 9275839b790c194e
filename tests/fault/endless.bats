# shellcheck disable=SC2154 # run_split sets status, out and err
# A server whose reply has no end: the turn ends when its record has as many bytes as one
# may have, 128 MB, costs no more memory than that and a little, and is stored, so that
# what was shown can be read again.

load ../helper
load ../wire
load ../net

# forever PIECE: a response that consists of such events
forever() {
	jq -nc --arg p "$1" '{steps: [{fill: ["data: {\"choices\":[{\"delta\":{\"content\":\"" + $p + "\"}}]}\n\n", null]}]}'
}

# x TEXT N: that text N times
x() { for ((i = 0; i < $2; i++)); do printf %s "$1"; done; }

# ends MB: it does, and MB of text were shown and stored
ends() {
	assert_status 3
	assert_err_has 'the reply is larger than 128 MB'
	within $((128 + 16))
	grep -q '"status":"error"' "$(history s)"
	[[ ! -e $MC_SESSIONS_DIR/s/turn.partial ]]
	size=$(stat -c %s "$(history s)")
	((size > 128 << 20 && size < 129 << 20))
	shown=$(stat -c %s "$BATS_TEST_TMPDIR/out")
	((shown >> 20 == $1 || shown >> 20 == $1 + 1))
}

@test "a reply without an end is cut, stored, and costs its own size" {
	answers "$(forever "$(x x 4000)")"
	peak mc-chat -n -s s hi
	ends 128
	same 'answer' x "$(head -c 128000000 "$(history s)" | tail -c +1000 | tr -s x)"
}

@test "what takes more room in a record than on a screen is cut earlier" {
	[[ ${FAULT-} == full ]] || skip 'takes long: make check-fault'
	answers "$(forever "$(x '\u0001' 4000)")"
	peak mc-chat -n -s s hi
	ends 21
	run_split mc-session-fsck s
	assert_status 0
}

@test "so is what is no UTF-8" {
	[[ ${FAULT-} == full ]] || skip 'takes long: make check-fault'
	answers "{\"steps\":[{\"fill\":[\"data: {\\\"choices\\\":[{\\\"delta\\\":{\\\"content\\\":\\\"$(x '\udcff' 4000)\\\"}}]}\\n\\n\",null]}]}"
	peak mc-chat -n -s s hi
	ends 42
	run_split mc-session-fsck s
	assert_status 0
}
