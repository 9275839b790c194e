# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# The frame that all tools share: dispatch, options, statuses, streams.

no_stderr() {
	run_split "$@"
	assert_status 0
	assert_err_empty
}

# closed_out CMD...: with stdout closed; status and err as run_split sets them.
closed_out() {
	out='' status=0
	: >"$BATS_TEST_TMPDIR/out"
	"$@" >&- 2>"$BATS_TEST_TMPDIR/err" || status=$?
	err=$(<"$BATS_TEST_TMPDIR/err")
}

full_out() {
	out='' status=0
	: >"$BATS_TEST_TMPDIR/out"
	"$@" >/dev/full 2>"$BATS_TEST_TMPDIR/err" || status=$?
	err=$(<"$BATS_TEST_TMPDIR/err")
}

@test "mcbox COMMAND, mcbox mc-COMMAND and the link are the same tool" {
	new a
	run_split mc-session-ls -q
	assert_out a
	run_split mcbox session-ls -q
	assert_out a
	run_split mcbox mc-session-ls -q
	assert_out a
}

@test "the tool is known by the last part of argv[0]" {
	new a
	mkdir 'a dir'
	ln -s "$(command -v mcbox)" 'a dir/mc-session-ls'
	run_split './a dir/mc-session-ls' -q
	assert_out a
	run_split bash -c 'exec -a mc-session-ls mcbox -q'
	assert_out a
}

@test "a link of another name takes the tool as its first word" {
	new a
	ln -s "$(command -v mcbox)" toolbox
	run_split ./toolbox session-ls -q
	assert_status 0
	assert_out a
}

@test "plain mcbox lists every tool with its summary, on stdout" {
	local tool
	no_stderr mcbox
	for tool in "${TOOLS[@]}"; do
		grep -Eq "^ *$tool +[a-z]" out || differs "a line of $tool" "$tool"
	done
	cp out listing
	no_stderr mcbox --help
	cmp out listing
	no_stderr mcbox -h
	cmp out listing
}

@test "every tool that mcbox lists has a link and a help" {
	local tool all
	all=$(mcbox | sed -nE 's/^  (mc-[a-z-]+) .*/\1/p')
	same tools "$(printf '%s\n' "${TOOLS[@]}")" "$all"
	for tool in $all; do
		no_stderr "$tool" --help
		assert_out_has "$tool"
	done
}

@test "-h and --help print usage and options on stdout, and do nothing else" {
	local tool
	for tool in "${TOOLS[@]}"; do
		no_stderr "$tool" -h
		cp out short
		no_stderr "$tool" --help
		cmp out short
		assert_out_has "Usage: $tool"
		assert_out_has --help
		assert_out_has --version
		no_stderr mcbox "${tool#mc-}" --help
		cmp out short
	done
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "help is aligned, and fits in 80 columns" {
	mcbox >list
	same 'columns of the list' 1 "$(sed -nE 's/^(  mc-[a-z-]+ +).*/\1/p' list | awk '{ print length }' | sort -u | wc -l)"
	local tool
	for tool in "${TOOLS[@]}"; do
		"$tool" --help >help
		same "long lines of $tool" '' "$(awk 'length > 80' help)"
	done
}

@test "help is shown wherever it is asked for, operands or not" {
	no_stderr mc-session-ls -n 3 --help
	assert_out_has 'Usage: mc-session-ls'
	no_stderr mc-session-rm x -fh
	assert_out_has 'Usage: mc-session-rm'
	no_stderr mc-chat hello --help
	assert_out_has 'Usage: mc-chat'
}

@test "-V and --version name the tool and one version for all" {
	local tool version
	no_stderr mcbox --version
	version=${out##* }
	[[ $version =~ ^[0-9]+\.[0-9]+ ]]
	for tool in mcbox "${TOOLS[@]}"; do
		no_stderr "$tool" -V
		assert_out_has "$tool"
		assert_out_has "$version"
		cp out short
		no_stderr "$tool" --version
		cmp out short
		same 'one line' 1 "$(wc -l <out | tr -d ' ')"
	done
}

@test "help and version work without a home, settings or a store" {
	unset HOME MC_SESSIONS_DIR
	local tool
	for tool in "${TOOLS[@]}"; do
		no_stderr "$tool" --help
		assert_out_has "Usage: $tool"
		no_stderr "$tool" --version
		assert_out_has "$tool"
	done
	no_stderr mcbox
	assert_out_has mc-chat
}

@test "an unknown tool is a usage error that names the nearest one" {
	run_split mcbox session-sl
	assert_status 2
	assert_out_empty
	assert_err_has "'session-sl'"
	assert_err_has "'session-ls'"
	run_split mcbox mc-chta
	assert_status 2
	assert_err_has "'mc-chat'"
	run_split mcbox zzzzzzzzzzzz
	assert_status 2
	assert_err_has "'zzzzzzzzzzzz'"
	run_split mcbox ''
	assert_status 2
	run_split mcbox --frobnicate
	assert_status 2
	assert_err_has "--frobnicate"
}

@test "an unknown option is a usage error that names it and the nearest one" {
	local tool
	for tool in "${TOOLS[@]}"; do
		run_split "$tool" --halp
		assert_status 2
		assert_out_empty
		assert_err_has "$tool: "
		assert_err_has "'--halp'"
		assert_err_has "'--help'"
		run_split "$tool" -Z
		assert_status 2
		assert_err_has "'-Z'"
	done
	run_split mc-session-ls --providr echo
	assert_status 2
	assert_err_has "'--provider'"
	run_split mc-chat --no-safe x
	assert_status 2
	assert_err_has "'--no-save'"
	run_split mc-session-ls "--$(printf 'x%.0s' {1..500})"
	assert_status 2
}

@test "a bad option changes nothing, wherever it stands" {
	new a
	run_split mc-session-rm -f a --nonsense
	assert_status 2
	run_split mc-session-new -i b --nonsense
	assert_status 2
	run_split mc-session-ls -q
	assert_out a
}

@test "short options cluster, and a value may be glued on" {
	new a
	new b
	run_split mc-session-ls -qn1
	assert_out b
	run_split mc-session-ls -qn 1
	assert_out b
	run_split mc-session-ls -n1 -q
	assert_out b
	run_split mc-session-ls -qZ
	assert_status 2
	assert_err_has "'-Z'"
}

@test "long options take --opt=value and --opt value" {
	new a -m one
	new b -m two
	run_split mc-session-ls -q --model=one
	assert_out a
	run_split mc-session-ls -q --model one
	assert_out a
	run_split mc-session-ls -q --model=
	assert_out_empty
	run_split mc-session-ls --quiet=yes
	assert_status 2
	assert_err_has "'--quiet'"
}

@test "an unambiguous beginning of a long option is enough, an ambiguous one names both" {
	new a
	new b
	run_split mc-session-ls --qui --ma=1
	assert_status 0
	assert_out b
	run_split mc-chat --no-st hello
	assert_status 2
	assert_err_has "'--no-stream'"
	assert_err_has "'--no-stdin'"
}

@test "options may follow operands" {
	say a one
	run_split mc-session-cat a --json -n 1
	assert_status 0
	same query one "$(jq -r .query out)"
	run_split mc-session-rm a -f
	assert_status 0
}

@test "-- ends the options" {
	run_split mc-chat -p echo --no-save --no-stdin -- -h --version
	assert_status 0
	assert_out '-h --version'
	run_split mc-session-cat -- -n
	assert_status 2
	assert_err_has "'-n'"
}

@test "an option without its value is a usage error that names it" {
	run_split mc-session-ls --max
	assert_status 2
	assert_err_has "'--max'"
	run_split mc-session-ls -n
	assert_status 2
	assert_err_has "'-n'"
	run_split mc-session-new --meta
	assert_status 2
	assert_err_has "'--meta'"
	run_split mc-chat hello -s
	assert_status 2
	assert_err_has "'-s'"
}

@test "the last of a repeated option wins" {
	new a
	new b
	run_split mc-session-ls -q -n 2 -n 1
	assert_out b
}

@test "a missing operand, and one too many, are usage errors" {
	local tool
	for tool in mc-session-cat mc-session-rm; do
		run_split "$tool"
		assert_status 2
		assert_out_empty
		assert_err_has "$tool: "
	done
	run_split mc-session-new extra
	assert_status 2
	assert_out_empty
	assert_err_has "'extra'"
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "a number that is none is a usage error that shows it" {
	local bad
	for bad in x 1x '' -1 1.5 99999999999999999999 ' '; do
		run_split mc-session-ls -n "$bad"
		assert_status 2
		assert_err_has "'$bad'"
	done
	run_split mc-session-cat -n x a
	assert_status 2
	run_split mc-chat -p echo --timeout soon hello
	assert_status 2
	assert_err_has "'soon'"
}

@test "an error goes to stderr with the tool's name, one line, and stdout stays empty" {
	run_split mc-session-cat nothere
	assert_status 1
	assert_out_empty
	assert_err_has "mc-session-cat: "
	assert_err_has "'nothere'"
	run_split mcbox session-cat nothere
	assert_status 1
	assert_err_has "mc-session-cat: "
}

@test "a closed stdout fails with a message, and writes into no file" {
	local tool
	new a
	say a hello
	for tool in "mc-session-ls" "mc-session-ls -q" "mc-session-ls --json" "mc-session-cat a" \
		"mc-session-cat --json a" "mc-session-cat --status a" "mc-session-new -p echo" "mcbox" \
		"mc-session-ls --help" "mc-models -p echo" "mc-models -p echo --json" "mc-models --providers" "mc-models --providers --json" "mc-chat --version" "mc-chat -p echo --no-save --no-stdin hi"; do
		# shellcheck disable=SC2086
		closed_out $tool
		assert_status 1
		assert_err_has "${tool%% *}: "
	done
	assert_json -s 'all(type == "object")' "$(history a)"
	same 'the history' $'session\nexchange' "$(jq -r .type "$(history a)")"
}

@test "a full device fails with a message that says so" {
	[[ -c /dev/full ]] || skip 'there is no /dev/full'
	local tool
	say a hello
	for tool in "mc-session-ls" "mc-session-ls -q" "mc-session-ls --json" "mc-session-cat a" \
		"mc-session-cat --json a" "mc-session-cat --status a" "mc-session-new -p echo" "mcbox" \
		"mc-session-ls --help" "mc-models -p echo" "mc-models -p echo --json" "mc-models --providers" "mc-models --providers --json" "mc-chat --version" "mc-chat -p echo --no-save --no-stdin hi"; do
		# shellcheck disable=SC2086
		full_out $tool
		assert_status 1
		assert_err_has "${tool%% *}: "
		assert_err_has 'No space left on device'
	done
}

@test "a reply that cannot be printed is stored all the same" {
	[[ -c /dev/full ]] || skip 'there is no /dev/full'
	full_out mc-chat --no-stdin -p echo -n -s a kept words
	assert_status 1
	same stored 'kept words' "$(jq -r 'select(.type == "exchange") | .answer' "$(history a)")"
	closed_out mc-chat --no-stdin -s a more words
	assert_status 1
	same stored 'more words' "$(jq -r 'select(.type == "exchange") | .answer' "$(history a)" | tail -n 1)"
}

@test "a reader that leaves the pipe is no reason for words" {
	craft big "$(head_of big)" "$(exchanges_to 800)"
	local i
	for i in 'mc-session-cat big' 'mc-session-cat --json big'; do
		# shellcheck disable=SC2016
		run_split bash -c '$1 | head -n 1' - "$i"
		assert_status 0
		[[ $out ]]
		assert_err_empty
	done
}

@test "mc-chat to a closed pipe still stores the whole turn" {
	local words
	words=$(seq 1 20000 | paste -sd' ' -)
	printf '%s' "$words" >prompt
	run_split bash -c 'mc-chat -p echo -n -s a <prompt | head -c 1'
	assert_out 1
	assert_err_empty
	assert_json --rawfile w prompt 'select(.type == "exchange") | .answer == $w and .status == "complete"' \
		"$(history a)" >/dev/null
}

@test "a closed stdin is an empty one" {
	new a
	run_split bash -c 'mc-session-rm a <&-'
	assert_status 1
	[[ -d $MC_SESSIONS_DIR/a ]] || differs 'the session to stay' a
	run_split bash -c 'mc-chat -p echo -s a hello <&-'
	assert_status 0
	assert_out hello
	run_split bash -c 'mc-chat -p echo -s a <&-'
	assert_status 2
	run_split bash -c 'mc-session-ls -q <&-'
	assert_status 0
	assert_out a
}

@test "a closed stderr does not let a message into a file" {
	say a hello
	printf 'garbage\n' >>"$(history a)"
	cp "$(history a)" before
	run_split bash -c 'mc-session-cat --json a 2>&-'
	assert_status 1
	assert_out_has hello
	refute_out_has skipped
	cmp "$(history a)" before
	run_split bash -c 'mc-session-cat nothere 2>&-'
	assert_status 1
	assert_out_empty
	run_split bash -c 'mc-chat --no-stdin -s a more 2>&-'
	assert_status 0
	assert_out more
	same 'lines that are no JSON' 1 "$(jq -Rr 'try (fromjson | empty) catch "bad"' "$(history a)" | wc -l | tr -d ' ')"
}

@test "all three streams closed: the turn is stored and nothing else is" {
	run_split bash -c 'mc-chat -p echo -n -s a hello <&- >&- 2>&-'
	assert_status 1
	same stored hello "$(stored a)"
	same 'lines' 2 "$(wc -l <"$(history a)" | tr -d ' ')"
	assert_json -s 'length > 0' "$MC_SESSIONS_DIR/index.jsonl"
}
