# shellcheck shell=bash
#
# At the prompt of a conversation, in the terminal of helper.bash.

# at_prompt: until the last line on the screen is the empty prompt.
at_prompt() { poll 30 last_line_is '>'; }

last_line_is() {
	local screen
	screen=$(term_screen) # without the empty lines at its end
	[[ ${screen##*$'\n'} == "$1" ]]
}

# type_line TEXT: at the prompt, until it is seen there: a prompt that is waited for afterwards is then
# the next one, and not this one still.
type_line() {
	at_prompt
	term_type "$1"
	if [[ $1 ]]; then poll 30 is_typed; fi
}

is_typed() { ! last_line_is '>'; }

# enter TEXT: a line, typed at the prompt.
enter() {
	type_line "$1"
	term_keys Enter
}

# paste_text TEXT: as a terminal does it, in brackets where the program asked for them.
paste_text() {
	on_term set-buffer -- "${1/%;/\\;}" \; paste-buffer -p -d
}
