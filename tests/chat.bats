# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# mc-chat with the provider that needs no network: the prompt, where the reply goes,
# and several at once.

load helper
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
}

# The prompt

@test "operands, joined by spaces, are the prompt" {
	run_split mc-chat hello 'big  wide' world
	assert_status 0
	assert_out 'hello big  wide world'
	assert_err_empty
}

@test "standard input is the prompt when there are no operands" {
	run_split mc-chat < <(printf 'from\na pipe\n')
	assert_status 0
	assert_out $'from\na pipe'
}

@test "standard input follows the operands after an empty line" {
	run_split mc-chat -n -s s review this < <(printf 'a diff\n')
	assert_status 0
	assert_out $'review this\n\na diff'
	same 'stored prompt' $'review this\n\na diff' "$(exchange s .query)"
}

@test "--no-stdin leaves standard input to the loop that reads it" {
	while read -r word; do
		mc-chat --no-stdin "got $word"
	done <<<$'one\ntwo\nthree' >out
	same 'one reply a line' $'got one\ngot two\ngot three' "$(<out)"
}

@test "a closed standard input is an empty one" {
	run_split mc-chat hello <&-
	assert_status 0
	assert_out hello
	run_split mc-chat <&-
	assert_status 2
	assert_err_has 'the prompt is empty'
}

@test "what follows -- is the prompt, whatever it looks like" {
	run_split mc-chat -- --json -x
	assert_status 0
	assert_out '--json -x'
}

@test "an empty or blank prompt is refused, and no session is made" {
	for prompt in '' ' ' $'\n\t \n'; do
		run_split mc-chat "$prompt"
		assert_status 2
		assert_err_has 'the prompt is empty'
		assert_out_empty
		run_split mc-chat < <(printf %s "$prompt")
		assert_status 2
	done
	run_split mc-chat --no-stdin
	assert_status 2
	same 'number of sessions' 0 "$(sessions)"
}

@test "a prompt that is not UTF-8 is refused, with the place of the first bad byte" {
	run_split mc-chat $'caf\xe9 noir'
	assert_status 2
	assert_err_has "the prompt is not valid UTF-8 (at byte 4); 'iconv -f LATIN1 -t UTF-8' converts Latin-1; --replace-invalid replaces such bytes"
	run_split mc-chat < <(printf 'half a character \xe6\x97')
	assert_status 2
	assert_err_has 'not valid UTF-8'
	same 'number of sessions' 0 "$(sessions)"
}

@test "the place of a bad byte has its line, and another encoding is named" {
	run_split mc-chat < <(printf 'one\ntwo\ncaf\xe9\n')
	assert_status 2
	assert_err_has 'not valid UTF-8 (at line 3, byte 4)'
	run_split mc-chat --replace-invalid < <(printf 'text\n' | iconv -t UTF-16)
	assert_status 2
	assert_err_has "the prompt is UTF-16, and must be UTF-8; 'iconv -f UTF-16 -t UTF-8' converts it"
	for opt in -S -t -m; do
		run_split mc-chat $opt $'caf\xe9' hi
		assert_status 2
		assert_err_has iconv
	done
	run_split mc-chat --schema <(printf '{"title":"caf\xe9"}') hi
	assert_status 2
	assert_err_has "it is not valid UTF-8 (at byte 14); 'iconv"
	same 'number of sessions' 0 "$(sessions)"
}

@test "--replace-invalid sends U+FFFD for each byte that is not UTF-8" {
	printf 'from a log: \xff\xfe caf\xe9\n' >log
	run_split mc-chat -n -s s --replace-invalid $'na\xefve' <log
	assert_status 0
	assert_out $'na\ufffdve\n\nfrom a log: \ufffd\ufffd caf\ufffd'
	same 'stored prompt' $'na\ufffdve\n\nfrom a log: \ufffd\ufffd caf\ufffd' "$(exchange s .query)"
	run_split mc-chat --replace-invalid 'ça va 日本'
	assert_out 'ça va 日本'
}

@test "a byte order mark is not part of a prompt, a system prompt or a title" {
	run_split mc-chat -n -s s -S $'\ufeffbe brief' -t $'\ufeffmy title' $'\ufeffhello' < <(printf '\xef\xbb\xbfworld\n')
	assert_status 0
	assert_out $'hello\n\nworld'
	assert_json -s '.[0].system == "be brief" and .[0].title == "my title"' "$(history s)"
	run_split mc-chat -s s -S $'\ufeffbe brief' < <(printf '\xef\xbb\xbfalone')
	assert_out alone
}

@test "a prompt that begins with a dash: the refusal tells of --" {
	for prompt in '- first point' '--find me this' '-n is a flag' '-s is another' '-a or -b?' $'---\nfront: matter\n---' -5; do
		run_split mc-chat "$prompt"
		assert_status 2
		assert_out_empty
		assert_err_has "Put '--' before words that begin with a dash."
		run_split mc-chat -- "$prompt"
		assert_status 0
		assert_out "$prompt"
	done
	run_split mc-session-ls -5
	assert_status 2
	[[ $err != *"'--'"* ]]
}

@test "text that is not UTF-8 after a prompt is named with its own lines, and its encoding" {
	run_split mc-chat 'two' 'words' < <(printf 'one\ncaf\xe9\n')
	assert_status 2
	assert_err_has 'standard input is not valid UTF-8 (at line 2, byte 4)'
	run_split mc-chat explain < <(echo hello | iconv -t UTF-16)
	assert_status 2
	assert_err_has 'standard input is UTF-16, and must be UTF-8'
}

# with_open_stdin ARG...: mc-chat with a pipe as standard input, whose other end is descriptor 9.
with_open_stdin() {
	mkfifo pipe
	exec 9<>pipe
	mc-chat "$@" <pipe >chat.out 2>chat.err 3>&- 9>&- &
	CHAT=$!
}

@test "standard input that stays open is told after a while, once, and read to its end" {
	with_open_stdin -n -s s hi
	holds chat.err 'mc-chat: waiting for the end of standard input, which follows the prompt; --no-stdin leaves it alone'
	echo there >&9
	exec 9>&-
	end_chat
	assert_status 0
	assert_out $'hi\n\nthere'
	same 'lines' 1 "$(wc -l <chat.err)"
}

@test "standard input that goes on without an end is told, too" {
	with_open_stdin -n -s s hi
	while sleep 0.2; do echo more; done >&9 3>&- & # as tail -f does
	writer=$!
	holds chat.err 'mc-chat: waiting for the end of standard input'
	kill "$writer"
	wait "$writer" || true
	exec 9>&-
	end_chat
	assert_status 0
}

@test "standard input that falls silent is told, with a prompt and without" {
	with_open_stdin -n -s s
	echo 'the beginning' >&9
	holds chat.err 'mc-chat: waiting for the end of standard input, which is the prompt'
	exec 9>&-
	end_chat
	assert_out 'the beginning'
	run_split mc-chat hi < <(echo quick)
	assert_err_empty
	mkfifo open
	exec 9<>open
	run_split mc-chat --no-stdin hi <open 9>&-
	exec 9>&-
	assert_status 0
	assert_err_empty
}

@test "a prompt with a NUL character is refused" {
	run_split mc-chat < <(printf 'bin\0ary')
	assert_status 2
	assert_err_has NUL
	same 'number of sessions' 0 "$(sessions)"
}

@test "a prompt of 10 MB goes through a pipe and is stored whole" {
	{ head -c 10485760 /dev/zero | tr '\0' x | fold -w 65535; echo; } >prompt
	mc-chat -n -s s <prompt >reply
	cmp prompt reply
	jq -rs 'map(select(.type == "exchange"))[0].query' "$(history s)" | cmp - prompt
	jq -rs 'map(select(.type == "exchange"))[0].answer' "$(history s)" | cmp - prompt
	has 'preview' "$(mc-session-ls)" ...
}

@test "characters that JSON has to escape come back as they were" {
	text=$'quote " backslash \\ tab \t bell \a del \x7f 日本語 🎉 \u2028 </script>'
	run_split mc-chat -n -s s "$text"
	assert_out "$text"
	same 'stored prompt' "$text" "$(exchange s .query)"
	same 'stored answer' "$text" "$(exchange s .answer)"
}

# Where the output goes

@test "in a pipe there is the reply and nothing else: no banner, no escape codes" {
	run_split mc-chat -n -s s plain reply
	assert_err_empty
	printf 'plain reply\n' | cmp - "$BATS_TEST_TMPDIR/out"
	run_split mc-chat -s s again # also when it goes on
	assert_out again
	assert_err_empty
}

@test "output to a pipe is exact, escape sequences and all" {
	text=$'\e[31mred\e[0m \e]52;c;Zm9v\a bare\rcr'
	run_split mc-chat "$text"
	assert_out "$text"
}

@test "a reply ends with one newline, whether it brought one or not" {
	mc-chat x >out
	printf 'x\n' | cmp - out
	mc-chat $'x\n' >out
	printf 'x\n' | cmp - out
}

@test "a reader that takes one line and leaves does not cost the rest of the turn" {
	seq 100000 >prompt
	mc-chat -n -s s <prompt 2>err | head -n 1 >first && state=("${PIPESTATUS[@]}")
	same 'exit status' 0 "${state[0]}"
	same 'first line' 1 "$(<first)"
	same 'standard error' '' "$(<err)"
	same 'status' complete "$(exchange s .status)"
	exchange s .answer | cmp - prompt
}

@test "a reader that leaves at once does not cost the turn" {
	mc-chat -n -s s word after word 2>err | : && state=("${PIPESTATUS[@]}")
	same 'exit status' 0 "${state[0]}"
	same 'standard error' '' "$(<err)"
	same 'answer' 'word after word' "$(exchange s .answer)"
	same 'status' complete "$(exchange s .status)"
}

@test "with standard output closed it fails, says so, and the turn is stored" {
	status=0
	mc-chat -n -s s hello >&- 2>err || status=$?
	same 'exit status' 1 "$status"
	has 'standard error' "$(<err)" 'mc-chat: cannot write the output: Bad file descriptor'
	same 'answer' hello "$(exchange s .answer)"
	same 'status' complete "$(exchange s .status)"
}

@test "on a full device it fails, says so once, and the turn is stored" {
	for json in '' --json; do
		status=0
		mc-chat $json -n -s "s$json" hello there >/dev/full 2>err || status=$?
		same 'exit status' 1 "$status"
		same 'standard error' 'mc-chat: cannot write the output: No space left on device' "$(<err)"
		same 'answer' 'hello there' "$(exchange "s$json" .answer)"
	done
}

@test "with standard error closed nothing of it ends up elsewhere" {
	mc-chat -n -s s hello >out 2>&-
	same 'reply' hello "$(<out)"
	status=0
	mc-chat -s s -p openai-compatible hello >out 2>&- || status=$?
	same 'exit status' 1 "$status"
	same 'standard output' '' "$(<out)"
	same 'number of exchanges' 1 "$(count s)"
	assert_json -s 'length == 2' "$(history s)"
}

@test "a reply that cannot be stored is printed all the same, with status 74" {
	mc-chat -n -s s before >/dev/null
	seq 700 >prompt
	status=0
	mkfifo reply
	cat reply >seen 3>&- &
	small_files 4 mc-chat -s s <prompt 2>err >reply || status=$?
	wait
	same 'exit status' 74 "$status"
	cmp prompt seen
	has 'standard error' "$(<err)" "cannot store the exchange in session 's'"
	has 'conversation' "$(mc-session-cat s)" before # what was there is whole
	run_split mc-chat -s s after # and the session can be used
	assert_status 0
	same 'prompt' after "$(mc-session-cat --json -n 1 s | jq -r .query)"
}

# --json and --no-save

@test "--json prints the exchange's record with its session, on one line" {
	run_split mc-chat --json -n -s s hello 'two words'
	assert_status 0
	same 'lines' 1 "$(wc -l <"$BATS_TEST_TMPDIR/out")"
	assert_json '.session == "s" and .query == "hello two words" and .answer == .query and
		.status == "complete" and .model == "echo" and .summary == null and
		(.duration | type) == "number" and .tokenUsage.totalTokens == 6 and
		.finishReason == "stop"' <<<"$out"
	same 'the stored record' "$(exchange s 'del(.type) | tojson')" \
		"$(jq -c 'del(.session, .type)' <<<"$out")"
}

@test "--no-save prints the reply and leaves nothing on the disk" {
	run_split mc-chat --no-save hello
	assert_status 0
	assert_out hello
	[[ ! -e $MC_SESSIONS_DIR ]]
	run_split mc-chat --no-save --json hello
	assert_status 0
	assert_json '.answer == "hello" and (has("session") | not)' <<<"$out"
	[[ ! -e $MC_SESSIONS_DIR ]]
	same 'files of the home' '' "$(find "$HOME" -type f)"
}

@test "--no-save with -s changes no byte of the store" {
	mc-chat -n -s s one >/dev/null
	find "$MC_SESSIONS_DIR" -type f -exec sha256sum {} + | sort >before
	run_split mc-chat --no-save -s s -m parrot -t Title two
	assert_status 0
	assert_out two
	run_split mc-chat --no-save -c three
	assert_status 0
	find "$MC_SESSIONS_DIR" -type f -exec sha256sum {} + | sort | diff before -
	run_split mc-chat --no-save -s nosuch four
	assert_status 1
}

# Several at once

@test "--no-wait on a busy session fails at once with status 75" {
	mc-chat -n -s s one >/dev/null
	lock_elsewhere "$(history s)"
	run_split mc-chat --no-wait -s s two
	unlock_elsewhere
	assert_status 75
	assert_err_has "session 's' is in use by"
	assert_out_empty
	same 'number of exchanges' 1 "$(count s)"
	run_split mc-chat --no-wait -s s three
	assert_status 0
}

@test "a busy session is waited for, and the waiting says for whom" {
	mc-chat -n -s s one >/dev/null
	lock_elsewhere "$(history s)"
	start_chat -s s two
	holds chat.err 'mc-chat: waiting for '
	same 'number of exchanges' 1 "$(count s)"
	unlock_elsewhere
	end_chat
	same 'exit status' 0 "$status"
	same 'reply' two "$out"
	same 'number of exchanges' 2 "$(count s)"
	if grep -q " $HOLDER .*:$(stat -c %i "$(history s)") " /proc/locks; then
		has 'standard error' "$err" "process $HOLDER,"
	fi
	has 'standard error' "$err" "using session 's'"
}

@test "a wait can be interrupted, and nothing has been sent or stored" {
	mc-chat -n -s s one >/dev/null
	lock_elsewhere "$(history s)"
	start_chat -s s two
	holds chat.err 'waiting for '
	kill -INT "$CHAT"
	end_chat
	unlock_elsewhere
	same 'exit status' 130 "$status"
	same 'standard output' '' "$out"
	same 'number of exchanges' 1 "$(count s)"
}

@test "ten chats at once on one session: every exchange is there, whole, one after the other" {
	mc-chat -n -s s first >/dev/null
	pids=()
	for i in {1..10}; do
		mc-chat -s s "prompt $i" >"out.$i" 2>"err.$i" 3>&- &
		pids+=($!)
	done
	for i in {1..10}; do
		wait "${pids[i - 1]}"
		same 'reply' "prompt $i" "$(<"out.$i")"
	done
	same 'number of exchanges' 11 "$(count s)"
	same 'different prompts' 11 "$(jq -r 'select(.query).query' "$(history s)" | sort -u | wc -l)"
	same 'count in the list' 11 "$(mc-session-ls --json | jq .exchangeCount)"
}

@test "several chats that make the same session at once all end up in it" {
	pids=()
	for i in {1..6}; do
		mc-chat -n -s s "prompt $i" >/dev/null 2>"err.$i" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	same 'number of sessions' 1 "$(sessions)"
	same 'number of exchanges' 6 "$(count s)"
}

@test "the parameters of a request are stored with the exchange" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"options": {"temperature": 1, "seed": 7}}' >"$HOME/.config/mcbox/config.json"
	mc-chat -n -s s -o temperature=0.50 -o 'stop=["a","b"]' -o seed= -o top=word one >/dev/null
	tail -n 1 "$(history s)" | assert_json '.parameters == {temperature: 0.5, stop: ["a", "b"], top: "word"}'
	has 'the record' "$(tail -n 1 "$(history s)")" '"temperature":0.50' # as it was given
	rm "$HOME/.config/mcbox/config.json"
	mc-chat -s s two >/dev/null
	tail -n 1 "$(history s)" | assert_json 'has("parameters") | not'
}

@test "a prompt of megabytes is listed and goes on as any other" {
	head -c 1500000 /dev/zero | tr '\0' x >prompt
	mc-chat --no-stdin -n -s s first >/dev/null
	mc-chat -s s <prompt | cmp - <(cat prompt && echo)
	mc-chat -s s -t 'A title' <prompt >/dev/null
	mc-chat --no-stdin -s s last >/dev/null
	run_split mc-session-fsck
	assert_status 0
	mc-session-ls --json | assert_json '.exchangeCount == 4 and .title == "A title" and .lastQuery == "last"'
	same 'parents' "$(jq -r 'select(.query).id' "$(history s)" | head -n 3)" "$(jq -r 'select(.query).parent' "$(history s)" | tail -n 3)"
}
