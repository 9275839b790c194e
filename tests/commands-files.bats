# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# The commands of a conversation for files, the clipboard, tokens and summaries; files that a
# prompt mentions; and where one is.

load helper
load wire
load prompt
load context

setup() {
	fresh
	export MC_PROVIDER=echo
}

# enter TEXT...: lines, each typed at the prompt, until there is the next one.
enter() {
	local line
	for line; do
		type_line "$line"
		term_keys Enter
	done
	at_prompt
}

# talk ARG...: a conversation outside of tmux, as far as it can tell, and without a screen.
talk() {
	term_start -y 50 env -u TMUX -u DISPLAY -u WAYLAND_DISPLAY -u SSH_TTY -u SSH_CONNECTION mc-chat "$@"
	at_prompt
}

# attached: the names of what went along with the last prompt in session s.
attached() { exchange s '[.attachments[]?.name] | join(" ")'; }

# program NAME [COMMAND]: one of that name that keeps its input as clip.NAME, and its
# environment and arguments beside it; with a command it does that instead.
program() {
	mkdir -p bin
	cat >"bin/$1" <<-END
		#!/bin/sh
		${2:-env >'$PWD/clip.env'; echo "\$*" >'$PWD/clip.args'; cat >'$PWD/clip.$1'}
	END
	chmod +x "bin/$1"
	if [[ :$PATH: != *":$PWD/bin:"* ]]; then PATH=$PWD/bin:$PATH; fi
}

# session s, whose last reply has text and three code blocks
with_blocks() {
	reply=$'Try this:\n\n```sh\nmake &&\n\tmake check\n```\n\n1. or\n\n   ~~~python\n   import os\n   if os:\n       pass\n   ~~~\n\n```\nlast\n```'
	mc-chat -n -s s "$reply" >/dev/null
}

# Attaching

@test "/attach lists what goes along with the next prompt, and /detach takes it back" {
	echo one >one.txt
	echo two >"two words.txt"
	echo home >"$HOME/home.txt"
	talk -n -s s
	enter /attach
	term_wait '^Nothing is attached to the next prompt$'
	enter '/attach one.txt "two words.txt" ~/home.txt'
	term_wait '^\[attached: one.txt \(text/plain, 4 bytes\)\]$'
	term_wait '^\[attached: two words.txt \(text/plain, 4 bytes\)\]$'
	term_wait '^\[attached: home.txt \(text/plain, 5 bytes\)\]$'
	enter '/attach one.txt' '/detach home.txt' hello
	same 'attached' 'one.txt two words.txt' "$(attached)"
	enter 'two\ words.txt' '/attach two\ words.txt' /detach hi
	term_wait '^Nothing is attached'
	same 'attached' '' "$(attached)"
	enter '/detach one.txt'
	term_wait "^mc-chat: 'one.txt' is not attached to the next prompt$"
}

@test "/attach attaches all of its files or none, and reports each that cannot be attached" {
	echo one >one.txt
	echo two >two.txt
	talk -n -s s
	enter '/attach two.txt' '/attach one.txt none.txt two.txt .'
	term_wait "^mc-chat: cannot attach 'none.txt': No such file or directory$"
	term_wait "^mc-chat: cannot attach '.': it is a folder$"
	term_wait '^None of these 4 files is attached$'
	enter hello
	same 'attached' 'two.txt' "$(attached)"
	enter '/attach -' "/attach it's"
	term_wait "^mc-chat: /attach takes files"
	term_wait "^mc-chat: a quote is not closed: it's$"
}

@test "/detach takes back all of its files or none" {
	echo one >one.txt
	echo two >two.txt
	mkdir other
	echo other >other/one.txt
	talk -n -s s
	enter '/attach one.txt two.txt' '/detach two.txt none.txt'
	term_wait "^mc-chat: 'none.txt' is not attached to the next prompt$"
	term_wait '^None of these 2 files is taken back$'
	enter '/detach one.txt one.txt' hello
	same 'attached' 'one.txt two.txt' "$(attached)"
	enter '/attach one.txt two.txt other/one.txt' '/detach one.txt one.txt' hi
	same 'attached' 'two.txt' "$(attached)"
}

# Files in a prompt

@test "a prompt's @FILE is attached, and the text stays as it was typed" {
	mkdir dir
	for f in a.txt b.c dir/c.md 'with blanks.txt' 'it"s.txt' größe.txt; do
		echo "content of $f" >"$f"
	done
	echo home >"$HOME/home.txt"
	talk -n -s s
	# What is typed, and what goes along.
	while IFS='|' read -r typed files; do
		enter "$typed"
		same "stored of: $typed" "$typed" "$(exchange s .query)"
		same "attached by: $typed" "$files" "$(attached)"
	done <<-END
		read @a.txt|a.txt
		@a.txt and @b.c|a.txt b.c
		@a.txt @./a.txt @$PWD/a.txt|a.txt
		@dir/c.md, please|c.md
		is it @b.c? (or @dir/c.md)|b.c c.md
		@b.c's end; @a.txt.|b.c a.txt
		@a.txt,@b.c|a.txt b.c
		see @b.c:12: error|b.c
		@"with blanks.txt" @with\\ blanks.txt|with blanks.txt
		@"it\\"s.txt"!|it"s.txt
		@~/home.txt|home.txt
		@größe.txt|größe.txt
		"@a.txt" [@b.c]|a.txt b.c
	END
}

@test "the prompt's file is sent to the model" {
	echo 'the content' >a.txt
	answers "$(says fine)"
	talk -n -s s
	enter 'read @a.txt'
	term_wait '^\[attached: a.txt \(text/plain, 12 bytes\)\]$'
	has 'request' "$(request | jq -c .body.messages)" 'the content'
	has 'request' "$(request | jq -c .body.messages)" 'read @a.txt'
}

@test "a word with @ that names no file is left alone" {
	echo x >file
	talk -n -s s
	for typed in 'mail me@example.org @ noon' '@somebody hi' 'a@file' '@' '@"open' '@. @..' '@@file' '@override'; do
		enter "$typed"
		same 'stored' "$typed" "$(exchange s .query)"
		same 'attached' '' "$(attached)"
	done
	term_gone 'names no file'
	enter 'see @src/none.c.'
	term_wait "^mc-chat: '@src/none.c' names no file that is there, and is sent as it stands$"
	enter 'and @none.txt, or @"no such"'
	term_wait "^mc-chat: '@none.txt' names no file"
	term_wait "^mc-chat: '@no such' names no file"
	same 'stored' 'and @none.txt, or @"no such"' "$(exchange s .query)"
}

@test "\\@ is a plain @, and the backslash goes where there is such a file" {
	echo x >file.txt
	talk -n -s s
	enter 'plain \@file.txt here'
	same 'stored' 'plain @file.txt here' "$(exchange s .query)"
	enter 'TeX has \@ifnextchar'
	same 'stored' 'TeX has \@ifnextchar' "$(exchange s .query)"
	same 'attached' '' "$(attached)"
}

@test "a file that cannot be attached: nothing is sent, nor attached" {
	mkdir src
	echo x >good.txt
	: >empty.txt
	printf 'a\0b' >binary
	mkfifo pipe
	talk -n -s s
	while IFS='|' read -r typed said; do
		enter "$typed"
		term_wait "$said"
	done <<-END
		read @good.txt and @src|nothing is sent: 'src' is a folder
		@good.txt @empty.txt|nothing is sent: cannot attach 'empty.txt': it is empty
		@good.txt @binary|nothing is sent: cannot attach 'binary': 
		@good.txt @pipe|nothing is sent: 'pipe' is not a regular file; /attach reads a FIFO
	END
	same 'sessions' 0 "$(sessions)"
	enter /attach
	term_wait '^Nothing is attached'
	enter hello
	same 'attached' '' "$(attached)"
}

@test "a failed mention leaves what was attached before" {
	echo x >before.txt
	mkdir src
	talk -n -s s -a before.txt
	enter '@src' hello
	same 'attached' before.txt "$(attached)"
}

# paste TEXT: as a terminal does it, in brackets where the program asked for them.
paste() {
	on_term set-buffer -- "${1/%;/\\;}" \; paste-buffer -p -d
}

# sent_without WORD...: the last prompt went without files, and these words say why.
sent_without() {
	at_prompt
	same 'attached' '' "$(attached)"
	local word
	for word; do term_wait "$word"; done
}

# send: what stands at the prompt.
send() {
	term_keys Enter
	at_prompt
}

@test "a file that pasted text mentions is not attached" {
	echo secret >secret.txt
	echo mine >mine.txt
	talk -n -s s
	paste $'Fix this:\n\n\tsee @secret.txt, and @none.txt'
	send
	sent_without '^mc-chat: not attached, because it was pasted: @secret.txt; /attach FILE attaches$'
	same 'stored' $'Fix this:\n\n\tsee @secret.txt, and @none.txt' "$(exchange s .query)"
	refute term_shows 'none.txt. names no file'
	# What is typed beside it is attached; so is a path that was pasted behind a typed @.
	term_type 'read @mine.txt and '
	paste '@./secret.txt'
	term_type '?'
	send
	same 'attached' 'mine.txt' "$(attached)"
	term_type 'read @'
	paste "$PWD/secret.txt"
	send
	same 'attached' 'secret.txt' "$(attached)"
	# It stays pasted when Up brings it back, and when it is edited.
	term_keys Up Up Up C-a
	term_type 'again: '
	send
	same 'stored' $'again: Fix this:\n\n\tsee @secret.txt, and @none.txt' "$(exchange s .query)"
	sent_without
	paste 'all of @secret.txt @mine.txt @./secret.txt @./mine.txt'
	send
	sent_without 'because it was pasted: @secret.txt, @mine.txt,$' '^@./secret.txt and 1 more;'
}

@test "a file that is mentioned in what was pasted while a reply ran is not attached" {
	echo secret >secret.txt
	answers "$(stream '{"text":"one"}' '{"wait":"go"}' "$END")" "$(says two)"
	talk -n -s s
	term_type hello
	term_keys Enter
	term_wait '^one'
	paste 'see @secret.txt'
	touch go
	poll 30 last_line_is '> see @secret.txt'
	term_keys Enter
	term_wait '^two'
	sent_without 'because it was pasted: @secret.txt'
}

@test "without marks, lines that come at once are taken for pasted ones" {
	echo secret >secret.txt
	TERM=dumb term_start env TERM=dumb mc-chat -n -s s
	at_prompt
	paste $'one @secret.txt\ntwo @secret.txt\n'
	poll 30 eval '[[ -e $(history s) && $(count s) == 2 ]]'
	at_prompt
	same 'attached' '0 0' "$(jq -r 'select(.type == "exchange").attachments | length' "$(history s)" | paste_lines)"
	enter 'three @secret.txt'
	same 'stored' 'three @secret.txt' "$(exchange s .query)"
}

paste_lines() { command paste -sd ' '; }

@test "a mentioned file outside of the working directory is asked for" {
	mkdir work outside
	echo out >outside/out.txt
	echo in >work/in.txt
	ln -s ../outside/out.txt work/link.txt
	cd work
	talk -n -s s
	ask_of() {
		at_prompt
		term_type "$1"
		term_keys Enter
		poll 30 is_asked
	}
	is_asked() { [[ $(term_screen | tr -d '\n') == *'[y/N]' ]]; }
	real=$(realpath ../outside/out.txt)
	for mention in @../outside/out.txt "@$PWD/../outside/out.txt" @link.txt; do
		ask_of "read $mention"
		[[ $(term_screen | tr -d '\n') == *"$real"* ]]
		term_keys n Enter
		sent_without
		same 'stored' "read $mention" "$(exchange s .query)"
	done
	ask_of 'read @in.txt and @link.txt'
	term_keys y Enter
	at_prompt
	same 'attached' 'in.txt link.txt' "$(attached)"
	same 'exchanges' 4 "$(count s)"
	# An answer that is no answer, and none.
	ask_of 'and @link.txt'
	term_keys Enter
	sent_without
	same 'exchanges' 5 "$(count s)"
	ask_of 'or @in.txt @link.txt'
	term_keys C-c
	term_wait 'nothing is sent: interrupted'
	ask_of 'or @link.txt'
	term_keys C-d
	at_prompt
	same 'exchanges' 5 "$(count s)"
	enter 'only @in.txt'
	same 'attached' in.txt "$(attached)"
}

@test "prompts that are not typed in a conversation are not looked at" {
	echo x >file.txt
	run_split mc-chat -n -s s 'read @file.txt \@file.txt @.'
	assert_status 0
	same 'stored' 'read @file.txt \@file.txt @.' "$(exchange s .query)"
	same 'attached' '' "$(attached)"
	echo 'read @file.txt' | mc-chat -s s
	same 'attached' '' "$(attached)"
	term_start mc-chat -s s 'read @file.txt'
	same 'exit status' 0 "$(term_status)"
	same 'attached' '' "$(attached)"
}

# Copying

@test "/copy gives the last reply to wl-copy, without the newline at its end" {
	with_blocks
	program wl-copy
	export ANTHROPIC_API_KEY=key-one OPENAI_API_KEY=key-two
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -s s
	enter /copy
	term_wait '^Copied 18 lines \(the reply\) by wl-copy$'
	printf %s "$reply" | cmp - clip.wl-copy
	refute grep -q 'key-one\|key-two' clip.env
	grep -q WAYLAND_DISPLAY clip.env
	enter '/copy 1'
	term_wait '^Copied 2 lines \(code block 1\) by wl-copy$'
	printf 'make &&\n\tmake check' | cmp - clip.wl-copy
	enter '/copy 2'
	printf 'import os\nif os:\n    pass' | cmp - clip.wl-copy
	enter '/copy 4'
	term_wait '^mc-chat: the last reply has no code block 4, but 3: 1 sh \(2 lines\), 2 python'
	enter '/copy x' '/copy 1 2'
	term_wait "^mc-chat: the code block 'x' is not a whole number"
	term_wait '^mc-chat: /copy takes the number of a code block, or nothing$'
}

@test "/copy leaves out what a terminal would obey, and lines that would run at once" {
	mc-chat -n -s s $'one\e[201~\ttwo\r\nthree\rfour \x08\x7f\xc2\x9b31m é \ufeff\n  \n' >/dev/null
	program wl-copy
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -s s
	enter /copy
	term_wait '^Copied 3 lines \(the reply\) without 4 control characters by wl-copy$'
	printf 'one[201~\ttwo\nthree\nfour 31m é \ufeff' | cmp - clip.wl-copy
	term_stop
	# The terminal's own way gets the same text.
	term_start tee screen
	term_stop
	script -qec "env -u TMUX -u WAYLAND_DISPLAY -u DISPLAY TERM=xterm mc-chat -s s" /dev/null <<<$'/copy\n' >typescript
	printf '\e]52;c;%s\a' "$(base64 -w 0 clip.wl-copy)" >sequence
	grep -qF -f sequence typescript
	refute grep -q $'\e\\[201~\t' typescript
}

@test "/save takes no name with control characters" {
	with_blocks
	talk -s s
	enter "/save $(printf 'a\302\233b')"
	term_wait "^mc-chat: the file's name holds a control character"
	same 'files' '' "$(find . -maxdepth 1 -name 'a*b')"
}

@test "/copy without a reply, and without a code block" {
	program wl-copy
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -n -s s
	enter /copy
	term_wait '^mc-chat: there is no reply yet$'
	enter hello '/copy 1'
	term_wait '^mc-chat: the last reply has no code block$'
	[[ ! -e clip.wl-copy ]]
}

@test "/copy copies the last answer that there is" {
	answers "$(says first)" "$(refuses 500 '{"error":"no room"}')"
	program wl-copy
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -n -s s
	enter q1 q2 /copy
	same 'copied' first "$(<clip.wl-copy)"
}

@test "/copy: a program that fails is told, and the next is tried" {
	with_blocks
	program wl-copy 'exit 3'
	program xclip
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 DISPLAY=:0 mc-chat -s s
	enter '/copy 3'
	term_wait '^mc-chat: wl-copy: it failed with status 3$'
	term_wait '^Copied 1 line \(code block 3\) by xclip$'
	same 'copied' last "$(<clip.xclip)"
	same 'arguments' '-selection clipboard -in' "$(<clip.args)"
	rm bin/xclip
	program xsel
	enter '/copy 3'
	same 'arguments' '--clipboard --input' "$(<clip.args)"
}

@test "/copy: the program of the settings comes first" {
	with_blocks
	program wl-copy
	program mine
	mkdir -p "$HOME/.config/mcbox"
	echo '{"clipboard": ["mine", "two words", "$HOME"]}' >"$HOME/.config/mcbox/config.json"
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -s s
	enter '/copy 3'
	term_wait '^Copied 1 line \(code block 3\) by mine$'
	same 'copied' last "$(<clip.mine)"
	same 'arguments' 'two words $HOME' "$(<clip.args)"
	[[ ! -e clip.wl-copy ]]
	rm bin/mine
	enter '/copy 3'
	term_wait '^mc-chat: mine: cannot run it: No such file or directory$'
	same 'copied' last "$(<clip.wl-copy)"
}

@test "the setting \"clipboard\" is a list of strings" {
	mkdir -p "$HOME/.config/mcbox"
	for wrong in '"xclip"' '[]' '[""]' '["a", 1]'; do
		echo "{\"clipboard\": $wrong}" >"$HOME/.config/mcbox/config.json"
		run_split mc-session-ls
		assert_status 1
		assert_err_has "'clipboard' must be a list of strings"
	done
}

@test "/copy: Ctrl-C does not wait for a program that hangs, nor end what it left running" {
	with_blocks
	program wl-copy "echo \$\$ >'$PWD/pid'; trap : INT; cat >/dev/null; exec tail -f /dev/null"
	program xclip "env --default-signal=INT tail -f /dev/null >/dev/null 2>&1 & echo \$! >'$PWD/left'"
	term_start env -u TMUX WAYLAND_DISPLAY=wayland-0 mc-chat -s s
	at_prompt
	term_type '/copy 3'
	term_keys Enter
	wait_for pid
	term_keys C-c
	term_wait '^mc-chat: interrupted$'
	poll 30 is_gone "$(<pid)"
	[[ ! -e left ]]
	term_start env -u TMUX DISPLAY=:0 mc-chat -s s
	enter '/copy 3'
	term_wait 'by xclip$'
	term_keys C-c
	term_wait 'Ctrl-C again leaves'
	kill -0 "$(<left)"
	kill "$(<left)"
}

@test "/copy in tmux gives it to tmux" {
	with_blocks
	program wl-copy
	term_start env -u DISPLAY WAYLAND_DISPLAY=wayland-0 mc-chat -s s
	enter '/copy 1'
	term_wait '^Copied 2 lines \(code block 1\) by tmux$'
	same 'its buffer' $'make &&\n\tmake check' "$(on_term show-buffer)"
	[[ ! -e clip.wl-copy ]]
}

@test "/copy in a tmux that knows no -w" {
	with_blocks
	mkdir old
	cat >old/tmux <<-END
		#!/bin/sh
		[ "\$2" != -w ] && cat >'$PWD/clip.tmux'
	END
	chmod +x old/tmux
	term_start env PATH="$PWD/old:$PATH" mc-chat -s s # the test itself needs the real one
	enter '/copy 3'
	term_wait '^Copied 1 line \(code block 3\) by tmux, into its own buffer only$'
	same 'copied' last "$(<clip.tmux)"
	term_gone 'it failed'
}

@test "/copy without a program asks the terminal, by OSC 52" {
	with_blocks
	PATH=$(path_without wl-copy xclip xsel pbcopy)
	talk -s s
	on_term set -s set-clipboard on
	enter '/copy 2'
	term_wait '^Copied 3 lines \(code block 2\) by the terminal \(OSC 52\), if it allows that$'
	same 'what the terminal got' $'import os\nif os:\n    pass' "$(on_term show-buffer)"
}

@test "/copy over ssh: the terminal, and no screen of the other machine" {
	with_blocks
	program wl-copy
	program xclip
	term_start env -u TMUX SSH_TTY=/dev/pts/9 WAYLAND_DISPLAY=wayland-0 DISPLAY=:0 mc-chat -s s
	on_term set -s set-clipboard on
	enter '/copy 3'
	term_wait 'by the terminal \(OSC 52\)'
	same 'what the terminal got' last "$(on_term show-buffer)"
	[[ ! -e clip.wl-copy && ! -e clip.xclip ]]
	term_start env -u TMUX SSH_CONNECTION='::1 1 ::1 22' DISPLAY=localhost:10.0 mc-chat -s s
	enter '/copy 3'
	term_wait 'by xclip$' # over the display that ssh forwards
}

@test "/copy: what no terminal takes is said, and nothing half is copied" {
	head -c 74995 /dev/zero | tr '\0' x | mc-chat -n -s s >/dev/null
	PATH=$(path_without wl-copy xclip xsel pbcopy)
	talk -s s
	on_term set -s set-clipboard on
	enter /copy
	term_wait '^mc-chat: these are 74995 bytes, and a terminal takes 74994: use /save'
	head -c 74994 /dev/zero | tr '\0' x | mc-chat -s s >/dev/null
	enter /copy
	term_wait '^Copied 1 line \(the reply\) by the terminal'
	same 'bytes' 74994 "$(on_term show-buffer | wc -c)"
}

@test "/copy: a terminal that is dumb is not asked" {
	with_blocks
	PATH=$(path_without wl-copy xclip xsel pbcopy)
	term_start env -u TMUX -u DISPLAY -u WAYLAND_DISPLAY TERM=dumb mc-chat -s s
	enter /copy
	term_wait '^mc-chat: there is no way to a clipboard from here: the setting "clipboard" can n'
}

# path_without PROGRAM...: PATH for a machine that has none of them.
path_without() {
	local dirs
	IFS=: read -ra dirs <<<"$PATH"
	mkdir -p less
	# What the first folder has counts: ln says of the others that they exist.
	find "${dirs[@]}" -mindepth 1 -maxdepth 1 -print0 2>/dev/null | xargs -0 ln -s -t less 2>/dev/null || true
	(cd less && rm -f "$@")
	printf '%s\n' "$PWD/less"
}

# Saving

@test "/save writes the last reply or a code block of it, and replaces nothing" {
	with_blocks
	talk -s s
	enter '/save reply.md' '/save 1 "a script.sh"' "/save 2 ~/b.py"
	term_wait "^Saved 18 lines \(the reply\) as 'reply.md'$"
	term_wait "^Saved 2 lines \(code block 1\) as 'a script.sh'$"
	printf '%s\n' "$reply" | cmp - reply.md
	printf 'make &&\n\tmake check\n' | cmp - 'a script.sh'
	printf 'import os\nif os:\n    pass\n' | cmp - "$HOME/b.py"
	enter '/save 3 reply.md'
	term_wait "^mc-chat: 'reply.md' already exists; '/save -f 3 reply.md' replaces it$"
	printf '%s\n' "$reply" | cmp - reply.md
	enter '/save reply.md' '/save 1 "a script.sh"'
	term_wait "^mc-chat: 'reply.md' already exists; '/save -f reply.md' replaces it$"
	term_wait "^mc-chat: 'a script.sh' already exists; '/save -f 1 a.{1,2}script.sh' replaces it$"
	enter '/save -f 3 reply.md'
	same 'file' last "$(<reply.md)"
	enter /save '/save a b c' '/save 9 x' '/save none/x' '/save .'
	term_wait '^mc-chat: /save \[-f\] \[N\] FILE saves the last reply, or its code block N'
	term_wait '^mc-chat: the last reply has no code block 9, but 3'
	term_wait "^mc-chat: cannot save 'none/x': No such file or directory$"
	term_wait "^mc-chat: cannot save '.': it is a folder$"
	enter '/save 2' '/save ./2'
	term_wait "^mc-chat: which file\? '/save 2 FILE' saves code block 2 \(a file of that name is$"
	term_wait "^Saved 18 lines \(the reply\) as './2'$"
	[[ ! -e 3 ]]
	[[ ! -e x ]]
}

@test "/save on a disk that is full says so, and leaves nothing" {
	head -c 20000 /dev/zero | tr '\0' x | mc-chat -n -s s >/dev/null
	echo kept >kept
	mkdir out
	term_start bash -c 'ulimit -f 8; exec env --default-signal=XFSZ mc-chat -s s'
	enter '/save out/file' '/save -f kept'
	term_wait "^mc-chat: cannot save 'out/file': File too large$"
	term_wait "^mc-chat: cannot save 'kept': File too large$|^mc-chat: cannot save '/.*kept': "
	same 'files' '' "$(ls -A out)"
	same 'kept' kept "$(<kept)"
	same 'files beside it' '' "$(find . -name '.*mcbox*')"
}

# Tokens

@test "/usage tells the tokens of the session and of the last turn, and what is not known" {
	answers "$(says hello)" "$(stream '{"text":"hi"}' '{"finish":"stop"}' \
		'{"usage":{"prompt_tokens":12345,"completion_tokens":67,"total_tokens":12412,"prompt_tokens_details":{"cached_tokens":12000},"completion_tokens_details":{"reasoning_tokens":60}}}' \
		'{"done":true}')" "$(tells hello 20000 100)"
	talk -n -s s --context 100000
	enter /usage
	term_wait '^Exchanges: 0$'
	enter q1 /usage
	screen_becomes 'what is not known' 'Exchanges: 1
Tokens            session    last turn
in                unknown      unknown
  cached          unknown      unknown
out               unknown      unknown
  reasoning       unknown      unknown
in all            unknown      unknown' grep -A 6 '^Exchanges: 1'
	enter q2 /usage
	screen_becomes 'what is known' 'Exchanges: 2
Tokens            session    last turn
in                 12,345       12,345
  cached           12,000       12,000
out                    67           67
  reasoning            60           60
in all             12,412       12,412
Window: 12 % of 100,000 tokens
Next request: about 12,### tokens,
  with 2 exchanges' sed -n -e 's/about 12,3[0-9][0-9]/about 12,###/' -e '/^Exchanges: 2/,/exchanges$/p'
	enter q3 /usage
	term_wait '^in all             32,512       20,100$'
}

@test "/usage tells what is left out, and what a summary stands for" {
	held a 12
	answers "$(says hello)"
	talk -s a --context 2048
	enter /usage
	term_wait '^  with 12 exchanges,$'
	term_wait '^  [0-9]+ left out$'
	summary 10 >>"$(history a)"
	enter /usage
	term_wait '^  the first 10 as a summary$'
	term_start mc-chat -s a
	enter /usage
	term_wait '^Window: not known; --context can say it$'
}

# mixed ID: a session with 16 exchanges, 3 of which failed and 2 were interrupted.
mixed() {
	held "$1" 16 20
	jq -c 'if .query | . and test("^ask [567] ") then .status = "error" | .answer = "" | .error = "no room"
		elif .query | . and test("^ask (3|12) ") then .status = "interrupted" else . end' "$(history "$1")" >mixed
	cat mixed >"$(history "$1")"
}

@test "a session's exchanges are counted in one way by everything that tells how many there are" {
	answers "$(tells 'They spoke of geese.' 700 6)" "$(says hello)" "$(says hello)"
	mixed a
	same 'mc-session-ls --json' 11 "$(mc-session-ls --json | jq .exchangeCount)"
	same 'mc-session-ls' 11 "$(mc-session-ls | cut -f 4)"
	talk -s a --context 100000
	term_wait '^Session: a \(resumed, 11 exchanges\)'
	enter /usage
	term_wait '^Exchanges: 11 and 5 incomplete$'
	term_wait '^  with 11 exchanges and 2 incomplete$'
	enter '/undo 99'
	term_wait '^mc-chat: there are only 11 exchanges and 5 incomplete in the conversation$'
	enter '/compact 4' # 13 to 16
	term_wait '^mc-chat: summing up the first 7 exchanges and 2 incomplete; Ctrl-C gives it up$'
	term_wait '^mc-chat: a summary stands for the first 7 of 11 exchanges and 2 incomplete from$'
	same 'the summary' "$(uuid 12)" "$(jq -r 'select(.type == "summary").upTo' "$(history a)")"
	term_type /sessions
	term_keys Enter
	term_wait '^test-model, 11 exchanges$'
	term_keys C-c
	at_prompt
	run_split mc-chat --no-stdin -s a --context 600 "$(words 300)"
	assert_err_has 'of 11 exchanges'
	run_split mc-session-rm a
	assert_status 1
	assert_err_has "Delete session 'a' (12 exchanges and 5 incomplete: ask 1 "
}

@test "/compact keeps so many complete exchanges, and what was interrupted between them" {
	answers "$(tells 'They spoke of geese.' 700 6)"
	mixed a
	talk -s a
	enter '/compact 5' # 11, and from 13 on
	term_wait '^mc-chat: a summary stands for the first 6 of 11 exchanges and 1 incomplete from$'
	same 'the summary' "$(uuid 10)" "$(jq -r 'select(.type == "summary").upTo' "$(history a)")"
}

# Summing up

@test "/compact sums up the older part of the session, at once" {
	held a 12
	answers "$(tells 'They spoke of geese.' 700 6)" "$(says hello)"
	talk -s a
	enter /compact
	term_wait '^mc-chat: summing up the first 8 exchanges; Ctrl-C gives it up$'
	term_wait '^mc-chat: a summary stands for the first 8 of 12 exchanges from now on$'
	same 'stored' "$(uuid 8) They spoke of geese." \
		"$(jq -r 'select(.type == "summary") | .upTo + " " + .text' "$(history a)")"
	enter '/compact 2'
	same 'the second' "$(uuid 10)" "$(jq -r 'select(.type == "summary").upTo' "$(history a)" | tail -n 1)"
	enter '/compact 2'
	term_wait '^mc-chat: there is nothing more to sum up before the last 2 exchanges$'
	enter 'what now'
	same 'sent' 'S 11 12 .' "$(sent)"
	enter '/compact x' '/compact 1 2'
	term_wait "^mc-chat: the number of exchanges to keep 'x' is not a whole number"
	term_wait '^mc-chat: /compact takes a number'
	run_split mc-session-fsck
	assert_status 0
}

@test "/compact: Ctrl-C gives it up, and a failure is told; nothing is stored" {
	held a 12
	answers '{"steps":[{"hang":true}]}' "$(refuses 500 '{"error":"no room"}')"
	cp "$(history a)" before
	talk -s a
	term_type /compact
	term_keys Enter
	poll 30 test -s "$SERVER_LOG"
	term_keys C-c
	term_wait '^mc-chat: interrupted$'
	enter /compact
	term_wait '^mc-chat: the server answered 500: no room$'
	cmp before "$(history a)"
}

@test "/compact where there is nothing to sum up" {
	talk -n -s s
	enter /compact
	term_wait '^mc-chat: there is nothing to sum up yet$'
	enter hello /compact
	term_wait '^mc-chat: there is nothing to sum up before the last 4 exchanges$'
	talk --no-save
	enter /compact
	term_wait '^mc-chat: with --no-save nothing is stored, and so nothing summed up$'
}

# Commands that there are not

@test "an unknown command is answered with the nearest, and never guessed at" {
	talk -n -s s
	while read -r typed said; do
		enter "$typed"
		term_wait "^mc-chat: unknown command '$typed'; $said"
	done <<-'END'
		/modle did you mean /model\?
		/ex did you mean /exit\?
		/att did you mean /attach\?
		/cpoy did you mean /copy\?
		/exti did you mean /exit\?
		/clear did you mean /new\?
		/frobnicate /exit leaves, /help lists the commands
	END
	same 'sessions' 0 "$(sessions)"
}

@test "/help lists the commands, in a narrow window on two lines each" {
	local commands lines
	term_start -y 40 mc-chat
	enter /help
	term_wait '^/save \[-f\] \[N\] FILE    the same to a file; -f replaces one that is there$'
	term_wait '^/attach \[FILE…\]        send files along'
	at_prompt
	commands=$(term_screen | sed '1,/^> .help/d' | grep -c '^/')
	lines=$(term_screen | sed '1,/^> .help/d' | grep -c .)
	same 'lines: a command each, the hint, the prompt' $((commands + 2)) "$lines"
	term_start -x 40 -y 60 mc-chat
	enter /help
	screen_becomes 'two lines' $'/copy [N]\n  the last reply to the clipboard, or it' grep -A 1 '^/copy'
}

# Where one is

@test "a conversation shows where one is: session, title, model and how full the window is" {
	held a 5
	export MC_BASE_URL=http://127.0.0.1:1/v1
	term_start -x 300 -y 60 mc-chat -s a --context 20000
	term_wait '^Session: a \(resumed, 5 exchanges\)  ask 1 (wor ){10,13}w?o?…  openai-compatible test-model  1[0-9] % of 20,000 tokens$'
	term_start -x 40 -y 200 mc-chat -s a --context 20000
	at_prompt
	screen_becomes 'in 40 columns' "Session: a (resumed, 5 exchanges)
  ask 1 wor wor wor wor wor wor wor wor…
  openai-compatible test-model
  1# % of 20,000 tokens" sed -n '2,5s/1[0-9] %/1# %/;2,5p'
}

@test "the title is shown where there is one, made harmless" {
	mc-chat -n -s s -t $'my\e[31m title' hello >/dev/null
	talk -s s
	term_wait '^Session: s \(resumed, 1 exchange\)  my\^\[\[31m title  echo$'
}

@test "a new session shows its provider and model; one prompt at a terminal does so, too" {
	term_start mc-chat -n -s s -p openai-compatible -m some-model
	term_wait '^Session: s  openai-compatible some-model$'
	term_start mc-chat -n -s t -p echo hello
	same 'exit status' 0 "$(term_status)"
	term_wait '^Session: t  echo$'
	term_start mc-chat -s t again
	same 'exit status' 0 "$(term_status)"
	term_wait '^Session: t \(resumed, 1 exchange\)  echo$'
}

# Completion

# tabs TEXT: types that and Tab, and waits for the line to be so: SEEN
tabs() {
	at_prompt
	term_type "$1"
	term_keys Tab
	term_wait "^> $2 ?\$"
	term_keys C-u
}

# offers TEXT: types that and Tab twice, and prints the words that are listed.
offers() {
	at_prompt
	term_keys C-l
	term_type "$1"
	term_keys Tab Tab
	term_wait "^> $1\$" # the line again, below
	poll 30 listed "$1"
	term_screen | sed -n "/^> ${1//\//\\/}\$/,/^> ${1//\//\\/}\$/p" | sed '/^>/d' | xargs
	term_keys C-u
}

listed() { [[ $(term_screen | grep -c "^> $1\$") == 2 ]]; }

@test "Tab completes commands, and what they take" {
	mkdir -p "$HOME/.config/mcbox" dir
	echo '{"aliases": {"quick": {"provider": "anthropic", "model": "claude-x"}, "local": "llama-y"},
		"providers": {"mine": {"baseUrl": "http://127.0.0.1:1/v1"}}}' >"$HOME/.config/mcbox/config.json"
	echo x >dir/one.txt
	echo x >'dir/two words.txt'
	mc-chat -n -s session-one hello >/dev/null
	mc-chat -n -s session-two hello >/dev/null
	talk -n -s s
	tabs /mod /model
	tabs '/com' '/compact'
	tabs '/use session-o' '/use session-one'
	tabs '/new -p anth' '/new -p anthropic'
	tabs '/new -p mi' '/new -p mine'
	tabs '/new -m qui' '/new -m quick'
	tabs '/new -p anthropic -m qui' '/new -p anthropic -m quick'
	tabs '/model loc' '/model local'
	tabs '/attach dir/o' '/attach dir/one.txt'
	tabs '/attach dir/one.txt dir/t' '/attach dir/one.txt dir/two\\ words.txt'
	tabs '/save dir/o' '/save dir/one.txt'
	tabs 'read @dir/t' 'read @dir/two\\ words.txt'
	enter '/attach dir/one.txt'
	tabs '/detach on' '/detach one.txt'
	same 'for a new session' '-m -p' "$(offers '/new -')"
	same 'nothing is sent' 2 "$(sessions)"
}
