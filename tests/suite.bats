# shellcheck disable=SC2016,SC2154 # the words are for another shell; run_split sets status, out and err
# What tests/run and helper.bash promise the tests: however they are started, they run alike, and end.

load helper

setup() {
	fresh
	# ./anew CMD...: with nothing of the run that this test is a part of
	local path=:$PATH:
	shopt -s extglob
	path=${path//:*([!:])libexec\/bats-core:/:}
	program anew "exec env -i 'PATH=$path' 'HOME=$HOME' 'TEST_OUT=$PWD/results' LC_ALL=C.UTF-8 \"\$@\""
}

# program NAME BODY: a test file that is a shell script
program() {
	printf '#!/bin/sh\n%s\n' "$2" >"$1"
	chmod +x "$1"
}

# file NAME BODY: one for bats, with one test
file() { printf 'load "%s/tests/helper"\n@test "one" { %s; }\n' "$ROOT" "$2" >"$1"; }

# oddly CMD...: by a parent that ignores and blocks signals, has odd files open and an odd mask
oddly() {
	/usr/bin/python3 -c '
import os, signal, sys
os.umask(0o077)
for s in "HUP INT QUIT PIPE CHLD XFSZ TTOU TTIN TSTP ALRM USR1".split():
    signal.signal(getattr(signal, "SIG" + s), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGWINCH})
os.dup2(os.open("/dev/null", os.O_RDONLY), 7)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# Of the signals that have names: 32 and 33 are the C library's, and nobody can reset them.
USUAL='for line in SigIgn SigBlk; do
	[ "$((0x$(sed -n "s/^$line:.//p" /proc/self/status) & 0x7fffffff))" = 0 ] || exit 1
done'
SEES=$USUAL'
[ ! -e /proc/self/fd/7 ] && [ "$(umask)" = 0022 ] && ! read -r _'

@test "tests/run: what its parent ignores, blocks, masks or has open does not reach a test" {
	program sees "$SEES && echo 'ok 1' && echo 1..1"
	run_split oddly ./anew "$ROOT/tests/run" ./sees
	assert_status 0
	assert_out_has '1 passed, 0 failed, 0 skipped'
	run_split oddly ./anew "$ROOT/tests/run" ./sees <&-
	assert_status 0
}

@test "tests/run: so it is for bats" {
	file sees.bats "( $SEES )"
	run_split oddly ./anew "$ROOT/tests/run" sees.bats
	assert_status 0
	assert_out_has '1 passed, 0 failed, 0 skipped'
}

@test "bats without tests/run: a test's process begins without what nohup ignores" {
	file sees.bats "( $USUAL )"
	run_split ./anew bash -c "trap '' HUP PIPE XFSZ; exec bats sees.bats"
	assert_status 0
	assert_out_has 'ok 1 one'
}

@test "tests/run: a file that does not end is named, and ended with all that it started" {
	program hangs 'echo 1..2; echo "ok 1 - before"; setsid sleep 1000 & echo $! >left; sleep 1000'
	file hangs.bats "setsid sleep 1000 3>&- & echo \$! >'$PWD/left.bats'; trap '' TERM; sleep 1000"
	run_split ./anew TEST_LIMIT=2 "$ROOT/tests/run" -j 2 ./hangs hangs.bats
	assert_status 1
	assert_out_has 'not ok - hangs did not end in 2 s and was killed: it ran 1 of 2 tests; its last lines:'
	assert_out_has 'not ok - hangs.bats did not end in 2 s and was killed: it ran 0 of 1 tests'
	assert_out_has '# ok 1 - before'
	assert_out_has '1 passed, 2 failed, 0 skipped'
	poll 10 is_gone "$(<left)"
	poll 10 is_gone "$(<left.bats)"
}

@test "tests/run: a file without a test fails, unless it was skipped" {
	program none 'echo 1..0'
	program skips 'echo "1..0 # skip no such thing here"'
	run_split ./anew "$ROOT/tests/run" ./none
	assert_status 1
	assert_out_has 'not ok - none has no test'
	program one 'echo ok 1; echo 1..1'
	run_split ./anew "$ROOT/tests/run" ./skips ./one
	assert_status 0
	assert_out_has '1 passed, 0 failed, 1 skipped'
}

@test "tests/run: an interrupt leaves nothing behind" {
	program hangs 'setsid sleep 1000 & echo $! >left; sleep 1000'
	./anew env --default-signal "$ROOT/tests/run" ./hangs >out.run 2>&1 3>&- &
	local run=$!
	poll 30 test -s left
	kill -TERM "$run"
	wait "$run" || status=$?
	same 'exit status' 130 "$status"
	poll 10 is_gone "$(<left)"
}

@test "a command that fails fails the test, unless its status is asserted" {
	local body
	for body in 'run_split false; run_split true' 'run_split false; assert_out_empty' 'run_split false; assert_status 0 2'; do
		file fails.bats "$body"
		run_split ./anew bats fails.bats
		assert_status 1
		assert_out_has 'expected exit status'
	done
	file passes.bats 'run_split false; assert_status 0 1; run_split true'
	run_split ./anew bats passes.bats
	assert_status 0
}

@test "an assertion about no value, and a loop over no line, fail" {
	: >empty
	run_split assert_json . empty
	assert_status 1
	run_split assert_json . <<<$'false\ntrue'
	assert_status 1
	run_split assert_json . <<<$'true\ntrue'
	assert_status 0
	run_split some cat empty
	assert_status 1
	assert_err_has 'no line from: cat empty'
	run_split refute true
	assert_status 1
}

@test "a wait that fails says what it waited for, and what the terminal shows" {
	term_start sh -c 'echo something else; exec tail -f /dev/null'
	term_wait '^something else$'
	run_split poll 0 term_shows '^this$'
	assert_status 1
	assert_err_has "waited 0 s for: term_shows ^this$"
	assert_err_has 'something else'
	run_split screen_becomes 'the first line' 'something else' head -n 1
	assert_status 0
	run_split "$ROOT/tests/await" never 0
	assert_status 1
	assert_err_has "'never' did not appear in 0 s"
}
