#!/usr/bin/env bats
# The completions, in the shells they are for.

load helper

# Whatever evaluates a title or a wrong id makes a file "pwned".
# shellcheck disable=SC2016  # not to be expanded is the point
evil=('$(touch pwned)' '`touch pwned`' "'; touch pwned; '" '"; touch pwned; "' '<(touch pwned)')

setup() {
	local i
	fresh
	export MC_PROVIDER=echo
	for i in "${!evil[@]}"; do
		mc-chat -n -s "x$i" -t "${evil[i]}" "prompt ${evil[i]}" >output
	done
	mc-session-new -i alpha-1 -t "${evil[0]}"
	mc-session-new -i alpha.2 -t "${evil[1]}"
	mc-session-new -i beta -t "${evil[2]}"
}

nothing_ran() {
	refute compgen -G 'pwned*'
	refute compgen -G "$HOME/pwned*"
}

# first_words: of the lines that are listed
first_words() { term_screen | grep -v '^%' | grep -Eo '^[^ ]+' | sort; }

# evil_list: from now on mc-session-ls prints what no session may be called.
evil_list() {
	local bin=$BATS_TEST_TMPDIR/bin
	mkdir "$bin"
	# shellcheck disable=SC2016
	{
		echo '#!/bin/sh'
		echo 'printf "%s\n" "$*" >>"$HOME/asked"'
		echo 'case $1 in'
		echo "-q) cat '$bin/ids' ;;"
		echo "*) sed 's/\$/\t1\t2\t3\techo\tA title \$(touch pwned) of \x1b[31mred \xe2\x80\xae end/' '$bin/ids' ;;"
		echo 'esac'
	} >"$bin/mc-session-ls"
	chmod +x "$bin/mc-session-ls"
	printf '%s\n' good "${evil[@]}" -rf ../x 'a b' 'é' $'esc\e[31m' '' .dot fine >"$bin/ids"
	PATH=$bin:$PATH
}

# know_models: lists of models are kept, and nobody can be asked for others. Without -p it is
# echo's.
know_models() {
	mkdir -p "$HOME/.config/mcbox"
	# shellcheck disable=SC2016
	echo '{"aliases": {"quick": "small", "$(touch pwned)": "x"}}' >"$HOME/.config/mcbox/config.json"
	{
		printf '%s\n' llama3.2:3b llama3.2:latest org/big@2 small
		printf '%s\n' "${evil[@]}" -rf 'a b' 'é' $'esc\e[31m' .dot
	} | jq -R '{id: .}' | jq -s '{models: [{steps: [{send: ({data: .} | tojson)}]}]}' >script
	server_start "$(<script)"
	mc-models >seen
	server_stop
	grep -q 'touch pwned' seen
	export MC_PROVIDER=echo
	unset MC_MODEL
}

# know_servers: the settings have endpoints, one of which is faulty.
know_servers() {
	mkdir -p "$HOME/.config/mcbox"
	echo '{"providers": {"gpu-2": {"baseUrl": "https://gpu.example.org/v1"}, "e.own": {"type": "echo"},
		"faulty": {}, "google": {"model": "x"}}}' >"$HOME/.config/mcbox/config.json"
}

# evil_servers: from now on mc-models prints what no provider may be called, and one good name.
evil_servers() {
	local bin=$BATS_TEST_TMPDIR/servers
	mkdir "$bin"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\necho "$@" >>"$HOME/asked"\ncat "%s/names"\n' "$bin" >"$bin/mc-models"
	chmod +x "$bin/mc-models"
	printf '%s\n' echo openai "${evil[@]}" -rf ../x 'a b' 'x:y' 'é' $'esc\e[31m' '' .dot fine_1 >"$bin/names"
	PATH=$bin:$PATH
}

# without_models: no mc-models is found.
without_models() {
	local bin=$BATS_TEST_TMPDIR/few
	mkdir "$bin"
	ln -s "$(command -v mc-session-ls)" "$bin/mc-session-ls"
	PATH=$bin:/usr/bin:/bin
	refute command -v mc-models
}

# options_of TOOL: from its help, one a line.
options_of() {
	"$1" --help | sed -nE 's/^  (-.), (--[a-z-]+).*/\1\n\2/p; s/^      (--[a-z-]+).*/\1/p' | sort
}

tools() { mcbox | sed -nE 's/^  (mc-[a-z-]+) .*/\1/p'; }

providers() { printf '%s\n' anthropic echo google openai openai-compatible; }

# same EXPECTED SEEN
same() {
	[[ $1 == "$2" ]] || {
		diff <(echo "$1") <(echo "$2")
		return 1
	}
}

@test "the committed completions are what the descriptors say" {
	local generate=${GENERATE:-$ROOT/build/completions/generate}
	diff "$ROOT/completions/mcbox.bash" <("$generate" bash)
	diff "$ROOT/completions/_mcbox" <("$generate" zsh)
	diff "$ROOT/completions/mcbox.fish" <("$generate" fish)
}

@test "the generator refuses an unknown shell" {
	run_split "${GENERATE:-$ROOT/build/completions/generate}" csh
	assert_status 2
	assert_out_empty
	assert_err_has usage
}

# ---- bash ----

# bash_offers WORD...: what plain bash is told when the last word is completed.
# shellcheck disable=SC2016
bash_offers() {
	bash --noprofile --norc -c '
		source "$1"; shift
		set -u
		spec=$(complete -p "${1##*/}") # complete -F FUNCTION NAME
		read -r _ _ function _ <<<"$spec"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=${BASH_LINE:-"$*"} COMP_POINT=${#COMP_LINE}
		COMP_WORDBREAKS=${BREAKS-}
		"$function" "$1" "${*: -1}" "${*: -2:1}"
		printf "%s\n" "${COMPREPLY[@]}"' - "$ROOT/completions/mcbox.bash" "$@"
}

@test "bash: every option of every tool" {
	local tool all options
	all=$(some tools)
	for tool in $all; do
		options=$(some options_of "$tool")
		same "$options" "$(bash_offers "$tool" - | sort)"
		same "$options" "$(bash_offers "./$tool" - | sort)"
		same "$options" "$(bash_offers mcbox "$tool" - | sort)"
		same "$options" "$(bash_offers mcbox "${tool#mc-}" - | sort)"
	done
}

@test "bash: values and operands" {
	mkdir -p 'dir one' dir-two
	same $'--since\n--system' "$(bash_offers mc-session-ls --s && bash_offers mc-session-new --s)"
	same "$(providers)" "$(bash_offers mc-chat -p '' | sort)"
	same "$(providers)" "$(bash_offers mcbox session-ls --provider '' | sort)"
	same "$(providers)" "$(bash_offers mc-chat --provider = | sort)"
	same echo "$(bash_offers mc-chat --provider = e)"
	same --provider=echo "$(bash_offers mc-chat --provider=e)"
	same $'alpha.2\nalpha-1' "$(bash_offers mc-chat -s al)"
	same $'alpha.2\nalpha-1' "$(bash_offers mc-session-cat al)"
	same $'--session=alpha.2\n--session=alpha-1' "$(bash_offers mc-chat --session=al)"
	same beta "$(bash_offers mcbox mc-session-rm -f alpha-1 b)"
	same beta "$(bash_offers mcbox session-rm -- b)"
	same '' "$(bash_offers mc-session-rm -- -)"
	same $'dir one\ndir-two' "$(bash_offers mc-session-new -C d | sort)"
	same '' "$(bash_offers mc-chat '')"
	same '' "$(bash_offers mc-chat -t '')"
	: >'note one'
	same 'note one' "$(bash_offers mc-chat -a n)"
	same 'note one' "$(bash_offers mc-chat -a x --attach n)"
	same '--attach=note one' "$(bash_offers mcbox chat --attach=n)"
	same 'dir one' "$(bash_offers mc-chat --schema 'dir o')"
	same '' "$(bash_offers mc-session-new '')"
	same "$(options_of mc-session-rm)" "$(bash_offers mc-session-rm alpha-1 - | sort)"
	same $'session-cat\nsession-compact\nsession-fsck\nsession-ls\nsession-new\nsession-rm' "$(bash_offers mcbox s)"
	same "$(tools)" "$(bash_offers mcbox mc)"
	same '' "$(bash_offers mcbox nosuch '')"
	same 8 "$(bash_offers mc-session-cat '' | grep -c .)"
	nothing_ran
}

@test "bash: only what looks like an id is offered" {
	evil_list
	same $'good\nfine' "$(bash_offers mc-session-cat '')"
	same '-q -n 500' "$(<"$HOME/asked")"
	nothing_ran
}

# bash_line LINE: the same for a line as a terminal has it, which bash cuts up at these marks.
bash_line() {
	local words=() rest=$1 mark
	while [[ $rest ]]; do
		mark=${rest%%[![:space:]]*}
		rest=${rest#"$mark"}
		if [[ $rest == [:=@]* ]]; then
			mark=${rest%%[!:=@]*}
		else
			mark=${rest%%[[:space:]:=@]*}
		fi
		words+=("$mark") # an empty one behind the last blank
		rest=${rest#"$mark"}
	done
	BASH_LINE=$1 BREAKS=$' \t\n"\'@><=;|&(:' bash_offers "${words[@]}"
}

@test "bash: models, of the provider that -p names, without a network" {
	local all=$'quick\nllama3.2:3b\nllama3.2:latest\norg/big@2\nsmall'
	know_models
	same $'quick\necho' "$(bash_offers mc-chat -m '')"
	same $'quick\necho' "$(bash_offers mc-session-new --model '')"
	same $'quick\necho' "$(bash_offers mc-session-compact -m '')"
	same "$all" "$(bash_offers mc-chat -p openai-compatible -m '')"
	same "$all" "$(bash_offers mc-chat -popenai-compatible -m '')"
	same "$all" "$(bash_offers mcbox chat --provider=openai-compatible -m '')"
	same "$all" "$(bash_offers mcbox chat --provider = openai-compatible -m '')"
	same "$all" "$(bash_offers mc-session-ls --provider openai-compatible --model =)"
	same '' "$(bash_offers mc-chat -p nosuch -m '')"
	same '' "$(bash_offers mc-chat -p "${evil[0]}" -m '')"
	same small "$(bash_offers mc-chat -p openai-compatible -m s)"
	nothing_ran
}

@test "bash: providers of the settings" {
	know_servers
	same "$({ providers && printf '%s\n' e.own gpu-2; } | sort)" "$(bash_offers mc-chat -p '' | sort)"
	same gpu-2 "$(bash_offers mcbox session-ls --provider g | grep -v google)"
	same $'--provider=echo\n--provider=e.own' "$(bash_offers mc-chat --provider=e)"
	evil_servers
	same "$({ providers && echo fine_1; } | sort)" "$(bash_offers mc-chat -p '' | sort)"
	same '-q --providers' "$(sort -u "$HOME/asked")"
	nothing_ran
}

@test "bash: faulty settings, or no mc-models, leave the providers that are built in" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{' >"$HOME/.config/mcbox/config.json"
	run_split bash_offers mc-chat -p ''
	assert_err_empty
	same "$(providers)" "$(sort out)"
	without_models
	run_split bash_offers mc-chat -p ''
	assert_err_empty
	same "$(providers)" "$(sort out)"
}

@test "bash: a model's name may have what bash takes for the end of a word" {
	know_models
	same $'llama3.2:3b\nllama3.2:latest' "$(bash_line 'mc-chat -p openai-compatible -m lla')"
	same $'3b\nlatest' "$(bash_line 'mc-chat -p openai-compatible -m llama3.2:')"
	same latest "$(bash_line 'mc-chat -p openai-compatible --model=llama3.2:l')"
	same @2 "$(bash_line 'mcbox chat -p openai-compatible -m org/big@')"
	same "$(providers)" "$(bash_line 'mc-chat a:b -m llama3.2:3b -p ' | sort)"
	same $'quick\necho' "$(bash_line 'mc-chat a : -m ')"
}

@test "bash: a file" {
	mkdir -p 'dir one'
	: >'a schema.json'
	same 'a schema.json' "$(bash_offers mc-chat --schema a)"
	same 'dir one' "$(bash_offers mc-chat --trace d)"
}

@test "bash: at a terminal" {
	{
		echo "PS1='\$ '"
		echo "bind 'set show-all-if-ambiguous on'"
		echo "source '$ROOT/completions/mcbox.bash'"
	} >"$HOME/.bashrc"
	know_models
	term_start -y 40 bash --noprofile --rcfile "$HOME/.bashrc" -i
	term_wait '^\$'
	term_type 'mc-chat --prov'
	term_keys Tab
	term_wait '^\$ mc-chat --provider$'
	term_type 'e'
	term_keys Tab
	term_wait '^\$ mc-chat --provider echo$'
	term_type '--session=b'
	term_keys Tab
	term_wait '^\$ mc-chat --provider echo --session=beta$'
	term_keys C-u
	term_type 'mc-chat -p openai-compatible -m lla'
	term_keys Tab
	term_wait '^\$ mc-chat -p openai-compatible -m llama3\.2:$'
	term_type '3'
	term_keys Tab
	term_wait '^\$ mc-chat -p openai-compatible -m llama3\.2:3b$'
	term_type '--model=org/big@'
	term_keys Tab
	term_wait '^\$ mc-chat -p openai-compatible -m llama3\.2:3b --model=org/big@2$'
	term_keys C-u
	term_type 'mcbox session-cat '
	term_keys Tab
	term_wait '^beta +alpha\.2 +alpha-1 '
	term_gone pwned
	term_keys C-u
	term_type 'mc-session-cat be'
	term_keys Tab
	term_wait '^\$ mc-session-cat beta$'
	term_keys C-u
	term_type 'echo done'
	term_keys Enter
	term_wait '^done$'
	nothing_ran
}

# ---- fish ----

# fish_offers LINE: what fish offers for it, without the descriptions.
# shellcheck disable=SC2016
fish_offers() {
	fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$ROOT/completions/mcbox.fish" "$1" |
		cut -f 1
}

@test "fish: every option of every tool" {
	local tool way all options
	all=$(some tools)
	for tool in $all; do
		options=$(some options_of "$tool")
		for way in "$tool" "mcbox $tool" "mcbox ${tool#mc-}"; do
			same "$options" "$({ fish_offers "$way -" && fish_offers "$way --"; } | sort -u)"
		done
	done
}

@test "fish: values and operands" {
	mkdir -p 'dir one' dir-two
	same "$(providers)" "$(fish_offers 'mc-chat -p ' | sort)"
	same "$(providers)" "$(fish_offers 'mcbox session-ls --provider ' | sort)"
	same --provider=echo "$(fish_offers 'mc-chat --provider=e')"
	same $'alpha.2\nalpha-1' "$(fish_offers 'mc-chat -s al')"
	same $'alpha.2\nalpha-1' "$(fish_offers 'mc-session-cat al')"
	same --session=beta "$(fish_offers 'mc-chat --session=b')"
	same beta "$(fish_offers 'mcbox mc-session-rm -f alpha-1 b')"
	same $'dir one/\ndir-two/' "$(fish_offers 'mc-session-new -C d' | sort)"
	same $'--cwd=dir one/\n--cwd=dir-two/' "$(fish_offers 'mc-session-ls --cwd=d' | sort)"
	same '' "$(fish_offers 'mc-chat ')"
	same '' "$(fish_offers 'mc-chat -t ')"
	: >'note one'
	same 'note one' "$(fish_offers 'mc-chat -a n')"
	same 'note one' "$(fish_offers 'mcbox chat -a x --attach n')"
	same '--attach=note one' "$(fish_offers 'mc-chat --attach=n')"
	same '' "$(fish_offers 'mc-session-new ')"
	same $'session-cat\nsession-compact\nsession-fsck\nsession-ls\nsession-new\nsession-rm' "$(fish_offers 'mcbox s' | grep '^s')"
	same "$(tools)" "$(fish_offers 'mcbox mc-')"
	same '' "$(fish_offers 'mcbox nosuch ')"
	same 8 "$(fish_offers 'mc-session-cat ' | grep -c .)"
	nothing_ran
}

@test "fish: only what looks like an id is offered" {
	evil_list
	same $'good\nfine' "$(fish_offers 'mc-session-cat ')"
	same '-n 500' "$(<"$HOME/asked")"
	nothing_ran
}

@test "fish: a session's title is its description, and made harmless" {
	evil_list
	fish --no-config -c "source '$ROOT/completions/mcbox.fish'; complete -C 'mc-session-cat f'" >seen
	same $'fine\tA title $(touch pwned) of ?[31mred ? end' "$(<seen)"
	nothing_ran
}

@test "fish: models, of the provider that -p names, without a network" {
	local all=$'llama3.2:3b\nllama3.2:latest\norg/big@2\nquick\nsmall'
	know_models
	same $'echo\nquick' "$(fish_offers 'mc-chat -m ' | sort)"
	same $'echo\nquick' "$(fish_offers 'mcbox session-new --model ' | sort)"
	same "$all" "$(fish_offers 'mc-chat -p openai-compatible -m ' | sort)"
	same "$all" "$(fish_offers 'mc-chat -popenai-compatible -m ' | sort)"
	same "$all" "$(fish_offers 'mcbox chat --provider=openai-compatible -m ' | sort)"
	same "$all" "$(fish_offers 'mc-session-ls --provider openai-compatible --model ' | sort)"
	same $'llama3.2:3b\nllama3.2:latest' "$(fish_offers 'mc-chat -p openai-compatible -m llama3.2:')"
	same --model=small "$(fish_offers 'mc-chat -p openai-compatible --model=sm')"
	same '' "$(fish_offers 'mc-chat -p nosuch -m ')"
	nothing_ran
}

@test "fish: providers of the settings" {
	know_servers
	same "$({ providers && printf '%s\n' e.own gpu-2; } | sort)" "$(fish_offers 'mc-chat -p ' | sort)"
	same $'google\ngpu-2' "$(fish_offers 'mcbox session-ls --provider g' | sort)"
	same $'--provider=e.own\n--provider=echo' "$(fish_offers 'mc-chat --provider=e' | sort)"
	evil_servers
	same "$({ providers && echo fine_1; } | sort)" "$(fish_offers 'mc-chat -p ' | sort)"
	same '-q --providers' "$(sort -u "$HOME/asked")"
	nothing_ran
}

@test "fish: faulty settings, or no mc-models, leave the providers that are built in" {
	mkdir -p "$HOME/.config/mcbox"
	echo '{' >"$HOME/.config/mcbox/config.json"
	run_split fish_offers 'mc-chat -p '
	assert_err_empty
	same "$(providers)" "$(sort out)"
	without_models
	run_split fish_offers 'mc-chat -p '
	assert_err_empty
	same "$(providers)" "$(sort out)"
}

@test "fish: a file" {
	mkdir -p 'dir one'
	: >'a schema.json'
	same 'a schema.json' "$(fish_offers 'mc-chat --schema a')"
	same 'dir one/' "$(fish_offers 'mc-chat --trace d')"
}

@test "fish: the descriptions are those of the help" {
	fish --no-config -c "source '$ROOT/completions/mcbox.fish'; complete -C 'mc-chat --title'" >seen
	same $'--title\tthe session\'s title' "$(<seen)"
}

# ---- zsh: compsys runs at a terminal only ----

zsh_start() {
	{
		echo "PS1='%% '"
		echo "fpath=('$ROOT/completions' \$fpath)"
		echo 'autoload -Uz compinit && compinit -u -D'
	} >"$HOME/.zshrc"
	export ZDOTDIR=$HOME
	term_start -x 120 -y 50 zsh -d -i
	term_wait '^%'
}

# zsh_type LINE: on an empty screen; then asks for the completions.
zsh_type() {
	term_keys C-u C-l
	term_type "$1"
	term_keys Tab
}

# The options, or else the words, that begin the lines below the command line.
listed() { term_screen | grep -Eo '^(--?[A-Za-z][a-z-]*( +-[A-Za-z])?)' | tr -s ' ' '\n' | sort; }

@test "zsh: every option of every tool" {
	local tool way all long
	zsh_start
	all=$(some tools)
	for tool in $all; do
		long=$(options_of "$tool" | grep '^--')
		for way in "$tool" "mcbox $tool" "mcbox ${tool#mc-}"; do
			zsh_type "$way --"
			becomes "$way" "$long" listed
		done
	done
	zsh_type 'mc-session-rm -'
	long=$(options_of mc-session-rm)
	becomes mc-session-rm "$long" listed
}

@test "zsh: values and operands" {
	mkdir -p 'dir one'
	zsh_start
	zsh_type 'mc-chat --provider=e'
	term_wait '^% mc-chat --provider=echo$'
	zsh_type 'mcbox chat -pec'
	term_wait '^% mcbox chat -pecho$'
	zsh_type 'mc-session-ls --provider '
	term_wait '^echo +-- says the prompt back'
	zsh_type 'mc-chat -s b'
	term_wait '^% mc-chat -s beta$'
	zsh_type 'mcbox session-rm -f b'
	term_wait '^% mcbox session-rm -f beta$'
	zsh_type 'mc-session-rm beta alpha.'
	term_wait '^% mc-session-rm beta alpha\.2$'
	zsh_type 'mc-session-new --cwd=d'
	term_wait '^% mc-session-new --cwd=dir\\ one/?$'
	: >'note one'
	zsh_type 'mc-chat -a n'
	term_wait '^% mc-chat -a note\\ one$'
	zsh_type 'mc-chat -a x --attach=n'
	term_wait '^% mc-chat -a x --attach=note\\ one$'
	zsh_type 'mcbox session-ca'
	term_wait '^% mcbox session-cat$'
	zsh_type 'mc-session-cat '
	term_wait '^beta       .; touch pwned; .$' # shown, and not obeyed
	screen_becomes sessions $'beta\nalpha.2\nalpha-1' sed -n '/^[ab]/s/ .*//p'
	screen_becomes 'lines with the prompt' 9 grep -c .
	nothing_ran
}

@test "zsh: models, of the provider that -p names, without a network; and files" {
	know_models
	: >'a schema.json'
	zsh_start
	zsh_type 'mc-chat -m '
	term_wait '^quick +echo$'
	zsh_type 'mc-chat -p openai-compatible -m '
	term_wait '^quick +llama3\.2:3b +llama3\.2:latest +org/big@2 +small$'
	zsh_type 'mcbox chat --provider=openai-compatible -m llama3.2:3'
	term_wait '^% mcbox chat --provider=openai-compatible -m llama3\.2:3b$'
	zsh_type 'mc-session-ls --provider openai-compatible --model=org'
	term_wait '^% mc-session-ls --provider openai-compatible --model=org/big@2$'
	zsh_type 'mc-chat -popenai-compatible -m sm'
	term_wait '^% mc-chat -popenai-compatible -m small$'
	zsh_type 'mc-chat --schema a'
	term_wait '^% mc-chat --schema a\\ schema\.json$'
	term_gone pwned
	nothing_ran
}

@test "zsh: only what looks like an id is offered" {
	evil_list
	zsh_start
	zsh_type 'mc-session-cat '
	term_wait '^fine       A title [$][(]touch pwned[)] of \^\[\[31mred [?] end$'
	screen_becomes sessions $'good\nfine' sed -n 's/^\([^ ]*\) *A title.*/\1/p'
	same '-n 500' "$(<"$HOME/asked")"
	nothing_ran
}

@test "zsh: providers of the settings" {
	know_servers
	zsh_start
	zsh_type 'mc-session-ls --provider '
	term_wait '^echo +-- says the prompt back'
	term_wait '^(e\.own +)?gpu-2( |$)'
	term_wait '(^| )e\.own( |$)'
	screen_becomes lines 1 grep -Ec '^google( |$)'
	term_gone faulty
	zsh_type 'mc-chat -p gp'
	term_wait '^% mc-chat -p gpu-2$'
	zsh_type 'mcbox chat --provider=e.'
	term_wait '^% mcbox chat --provider=e\.own$'
	nothing_ran
}

@test "zsh: only what looks like a provider is offered, and the others without mc-models" {
	evil_servers
	zsh_start
	zsh_type 'mc-session-ls --provider '
	term_wait '^fine_1( |$)'
	becomes providers "$({ providers && echo fine_1; } | sort)" first_words
	same '-q --providers' "$(sort -u "$HOME/asked")"
	term_stop
	without_models
	zsh_start
	zsh_type 'mc-session-ls --provider '
	term_wait '^echo +-- says the prompt back'
	becomes providers "$(providers)" first_words
	nothing_ran
}
