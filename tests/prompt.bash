# shellcheck shell=bash
#
# At the prompt of a conversation, in the terminal of helper.bash.

# at_prompt: until the last line on the screen is the empty prompt.
at_prompt() {
	poll 30 last_line_is '>' && return
	echo 'no prompt; the screen:'
	show "$(term_screen)"
	return 1
}

last_line_is() { [[ $(term_screen | grep -v '^$' | tail -n 1) == "$1" ]]; }

# enter TEXT: a line, typed at the prompt.
enter() {
	at_prompt
	term_type "$1"
	term_keys Enter
}

# paste TEXT: as a terminal does it, in brackets where the program asked for them.
paste() {
	on_term set-buffer -- "${1/%;/\\;}" \; paste-buffer -p -d
}
