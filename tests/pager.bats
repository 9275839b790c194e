# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err; others expand what is quoted
# What mc-session-cat prints at a terminal, in a pager.

load helper
load craft

setup() {
	fresh
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	mkdir bin
}

# many ID N: a session of N exchanges, three lines and a blank each.
many() {
	craft "$1" "$(head_of "$1")"
	exchanges_to "$2" >>"$(history "$1")"
}

# cat_there [ARG...]: mc-session-cat at a terminal of 160x24, with what comes after it on its
# screen, so that it is seen where a pager left it.
cat_there() {
	term_start -x 160 bash -c 'mc-session-cat "$@"; echo "left with $?"; stty -a | grep -o " -\?icanon"' - "$@"
}

# screen: what it shows, without the empty lines at its end.
screen() { term_screen | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }

# pager NAME: a program of this name in the way; its text is read from stdin.
pager() {
	{
		echo '#!/bin/bash'
		cat
	} >"bin/$1"
	chmod +x "bin/$1"
}

@test "pager: less shows a long conversation from its beginning, and q leaves" {
	many a 30
	cat_there a
	term_wait '^:$'
	term_wait '^> ask 1$'
	term_gone '^> ask 30$'
	term_keys G
	term_wait '^reply 30$'
	term_gone '^> ask 1$'
	term_keys q
	term_wait '^left with 0$'
	term_wait '^ icanon$' # the terminal is as it was
	term_wait '^reply 30$' # -X: what was read stays on the screen
}

@test "pager: a short conversation is left on the screen, without a key" {
	many a 3
	cat_there a
	term_wait '^left with 0$'
	becomes 'screen' $'> ask 1\n\nreply 1\n\n> ask 2\n\nreply 2\n\n> ask 3\n\nreply 3\nleft with 0\n icanon' screen
}

@test "pager: leaving early is no error, however much is to come" {
	many a 30
	for _ in {1..6}; do tail -n +2 "$(history a)" >part && cat part part part >>"$(history a)"; done
	(($(wc -c <"$(history a)") > 10000000)) || differs 'a large history' "$(wc -c <"$(history a)")"
	cat_there a
	term_wait '^:$'
	term_keys q
	term_wait '^left with 0$'
	term_wait '^ icanon$'
	term_gone mc-session-cat:
	term_gone '^> ask (9|[12][0-9]|30)$' # nothing was printed behind the pager's first page
}

# less drops a key that comes while it sees to a Ctrl-C.
goes_to_the_end() {
	term_keys G
	poll 2 term_shows "$1"
}

@test "pager: Ctrl-C in less is less's; all is still there, and the terminal is left in order" {
	many a 2000
	local way
	for way in less 'less -S'; do
		PAGER=$way cat_there a
		term_wait '^:$'
		term_keys C-c C-c
		poll 30 goes_to_the_end '^reply 2000$' || term_wait '^reply 2000$' 0
		term_gone '^left with'
		term_keys q
		term_wait '^left with 0$'
		term_wait '^ icanon$'
	done
}

@test "pager: Ctrl-C that ends a pager ends all, with status 130" {
	many a 2000
	pager mine <<-'END'
		head -n 1
		exec sleep 1000
	END
	export PAGER=mine
	cat_there a
	term_wait '^> ask 1$'
	term_keys C-c
	term_wait 'left with 130$'
	export PAGER='mine # by sh'
	cat_there a
	term_wait '^> ask 1$'
	term_keys C-c
	term_wait 'left with 130$'
}

@test "pager: SIGTERM waits for the pager, and is not forgotten" {
	many a 2000
	term_start bash -c '(echo $BASHPID >pid; exec mc-session-cat a); echo "left with $?"'
	term_wait '^:$'
	kill -TERM "$(<pid)"
	# Without the pager's end of file, less would not find the end.
	term_keys G
	term_wait '\(END\)'
	kill -0 "$(<pid)"
	term_gone 'left with'
	term_keys q
	term_wait '^left with 143$'
}

@test "pager: MC_PAGER goes before PAGER, and PAGER before less" {
	many a 3
	pager mine <<<'sed "s/^/mine: /"'
	pager yours <<<'sed "s/^/yours: /"'
	export PAGER=yours
	cat_there a
	term_wait '^yours: reply 3$'
	export MC_PAGER=mine
	cat_there a
	term_wait '^mine: reply 3$'
	term_gone yours
}

@test "pager: cat, nothing, --no-pager and a simple terminal mean none" {
	many a 3
	pager mine <<<'sed "s/^/mine: /"'
	export PAGER=mine
	local none
	for none in cat ''; do
		export MC_PAGER=$none
		cat_there a
		term_wait '^left with 0$'
		term_wait '^reply 3$'
		term_gone mine:
	done
	unset MC_PAGER
	cat_there --no-pager a
	term_wait '^left with 0$'
	term_gone mine:
	TERM=dumb cat_there a
	term_wait '^left with 0$'
	term_start env -u MC_PAGER TERM=dumb bash -c 'mc-session-cat a; echo "left with $?"'
	term_wait '^left with 0$'
	term_gone mine:
}

@test "pager: a command of several words goes through sh" {
	many a 3
	export PAGER='sed "s/reply/answer/" | tr a-z A-Z'
	cat_there a
	term_wait '^ANSWER 3$'
	term_wait '^left with 0$'
	many a 30
	exchange 31 | sed "s/reply 31/$(printf 'x%.0s' {1..400})/" >>"$(history a)"
	export PAGER='less -S'
	cat_there -n 12 a
	term_wait '^:$'
	term_keys G
	term_wait '\(END\)'
	screen_becomes 'lines of the long one' 1 grep -c xxx
	term_keys q
	term_wait '^left with 0$'
}

@test "pager: one that cannot be started is told, and the conversation is printed" {
	many a 3
	export PAGER=no-such-pager
	cat_there a
	term_wait "^mc-session-cat: cannot run the pager 'no-such-pager': No such file or directory\$"
	term_wait '^reply 3$'
	term_wait '^left with 0$'
	export PAGER='no-such-pager -x'
	cat_there a
	term_wait 'no-such-pager: not found$'
	term_wait '^reply 3$'
	term_wait '^left with 0$'
	export PAGER=$BATS_TEST_TMPDIR # a folder
	cat_there a
	term_wait 'cannot run the pager .*: Permission denied$'
	term_wait '^reply 3$'
	term_wait '^left with 0$'
}

@test "pager: without less nothing is said of it" {
	many a 3
	mkdir only
	ln -s "$(command -v bash)" "$(command -v mc-session-cat)" only
	term_start env "PATH=$PWD/only" bash -c 'mc-session-cat a; echo "left with $?"'
	term_wait '^left with 0$'
	becomes 'screen' $'> ask 1\n\nreply 1\n\n> ask 2\n\nreply 2\n\n> ask 3\n\nreply 3\nleft with 0' screen
}

@test "pager: LESS and LV are as git sets them, unless they are set" {
	many a 3
	pager mine <<<'cat >/dev/null; echo "<${LESS-unset}><${LV-unset}><$COLUMNS>"'
	export PAGER=mine
	cat_there a
	term_wait '^<FRX><-c><160>$'
	export LESS='' LV=x
	cat_there a
	term_wait '^<><x><160>$'
}

@test "pager: keys are not in its environment" {
	many a 3
	mkdir -p "$HOME/.config/mcbox"
	echo '{"providers":{"mine":{"type":"openai-compatible","baseUrl":"http://127.0.0.1:1/v1","apiKeyEnv":"MY_OWN_KEY"}}}' >"$HOME/.config/mcbox/config.json"
	pager mine <<<'cat >/dev/null; env | grep -o -e sk-secret -e ^HOME= | xargs'
	export PAGER=mine OPENAI_API_KEY=sk-secret ANTHROPIC_API_KEY=sk-secret MY_OWN_KEY=sk-secret
	cat_there a
	term_wait '^left with 0$'
	term_wait '^HOME=$'
}

@test "pager: what is wrong is told before the pager or after it, and is the exit status" {
	many a 30
	craft b "$(head_of b)" "$(exchange 1)" garbage
	cat_there missing a
	term_wait '^:$'
	# The pager has scrolled it up.
	on_term capture-pane -p -S -100 | sed '/> ask 1$/,$d' | grep -q "no session 'missing'"
	term_keys q
	term_wait '^left with 1$'
	cat_there a b missing
	term_wait '^:$'
	term_keys G
	term_wait '\(END\)'
	term_gone 'mc-session-cat:'
	term_keys q
	term_wait '^left with 1$'
	term_wait '^mc-session-cat: .*b/history.jsonl:3: skipped a damaged record'
	term_wait "no session 'missing'"
	term_screen | sed -n '/damaged/,$p' | grep -q '^left with 1$'
}

@test "pager: what stderr holds back is harmless, and complete" {
	many a 3
	pager mine <<<'cat >/dev/null'
	export PAGER=mine
	cat_there a $'x\e[31my'
	term_wait '\^\[\[31my'
	term_wait '^left with 2$'
	craft b "$(head_of b)"
	for _ in {1..300}; do echo garbage; done >>"$(history b)"
	term_start -x 160 -y 400 bash -c 'mc-session-cat a b; echo "left with $?"'
	term_wait '^left with 1$'
	screen_becomes 'notices' 300 grep -c 'b/history.jsonl:'
}

@test "pager: text and JSON for it are harmless, and stderr that is no terminal is not held back" {
	craft a "$(head_of a)" "$(exchange 1 | sed 's/reply 1/\\u001b[31mred\\u009b/')" garbage
	pager mine <<-'END'
		cat -v >seen
		cp err err-before 2>/dev/null
		echo done
	END
	export PAGER=mine
	term_start bash -c 'mc-session-cat a 2>err; echo "left with $?"'
	term_wait '^left with 1$'
	grep -qx '\^\[\[31mred<U+009B>' seen
	cmp err err-before
	grep -q 'history.jsonl:3' err
	term_start bash -c 'mc-session-cat --json a 2>err; echo "left with $?"'
	term_wait '^left with 1$'
	grep -q 'u001b\[31mred.u009b' seen
}

@test "pager: none for --status, for a file, for a pipe, and with nothing to print" {
	many a 3
	new b
	pager mine <<<'touch paged; cat'
	export PAGER=mine
	term_start bash -c 'mc-session-cat --status a; mc-session-cat a >file; mc-session-cat a | cat; mc-session-cat b; mc-session-cat nosuch; echo end'
	term_wait '^end$'
	[[ ! -e paged ]]
	run_split mc-session-cat a
	cmp out file
	assert_out_has $'> ask 1\n\nreply 1\n\n> ask 2'
}
