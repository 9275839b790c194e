# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# What decides: options over environment over the file over defaults. The echo
# provider shows the outcome in the session record.

setup() {
	fresh
	unset MC_SESSIONS_DIR
	CONF=$HOME/.config/mcbox/config.json
	mkdir -p "${CONF%/*}"
}

# head_json DIR/ID
head_json() { head -n 1 "$1/history.jsonl"; }

# conf JSON: the config file at its usual place.
conf() { printf '%s\n' "$1" >"$CONF"; }

# refused WORD...: a tool fails, without output, and stderr has the words.
refused() {
	run_split mc-session-ls
	assert_status 1
	assert_out_empty
	local word
	for word; do assert_err_has "$word"; done
}

@test "config: without any the store is under ~/.local/share" {
	run_split mc-session-new -i a
	assert_status 0
	[[ -f $HOME/.local/share/mcbox/sessions/a/history.jsonl ]]
}

@test "config: XDG_DATA_HOME moves the store, an empty or relative one does not" {
	XDG_DATA_HOME=$PWD/data mc-session-new -i a
	[[ -f data/mcbox/sessions/a/history.jsonl ]]
	XDG_DATA_HOME='' mc-session-new -i b
	XDG_DATA_HOME=relative mc-session-new -i c
	same 'sessions at home' $'b\nc' "$(cd "$HOME/.local/share/mcbox/sessions" && printf "%s\n" ?)"
	[[ ! -e relative ]]
}

@test "config: sessionsDir of the file wins over XDG, and MC_SESSIONS_DIR over both" {
	export XDG_DATA_HOME=$PWD/data
	conf "{\"sessionsDir\":\"$PWD/from-file\"}"
	mc-session-new -i a
	[[ -d from-file/a && ! -e data ]]
	MC_SESSIONS_DIR=$PWD/from-env mc-session-new -i b
	[[ -d from-env/b && ! -e from-file/b ]]
	MC_SESSIONS_DIR='' mc-session-new -i c
	[[ -d from-file/c ]]
}

@test "config: ~/ in sessionsDir is the home directory" {
	conf '{"sessionsDir":"~/my sessions"}'
	mc-session-new -i a
	[[ -d $HOME/my\ sessions/a ]]
}

@test "config: sessionsDir that depends on where one stands is refused" {
	local bad
	for bad in sessions ./x '' '~user/x' '~'; do
		conf "{\"sessionsDir\":\"$bad\"}"
		refused "$CONF" "'sessionsDir'" absolute
	done
	[[ ! -e sessions && ! -e x ]]
}

@test "config: XDG_CONFIG_HOME moves the file, an empty or relative one does not" {
	mkdir -p c/mcbox relative/mcbox
	echo '{"sessionsDir":"/nonexistent/x"}' >relative/mcbox/config.json
	echo "{\"sessionsDir\":\"$PWD/one\"}" >c/mcbox/config.json
	conf "{\"sessionsDir\":\"$PWD/two\"}"
	XDG_CONFIG_HOME=$PWD/c mc-session-new -i a
	[[ -d one/a ]]
	XDG_CONFIG_HOME='' mc-session-new -i b
	XDG_CONFIG_HOME=relative mc-session-new -i c
	[[ -d two/b && -d two/c ]]
}

@test "config: what stores nothing needs no place for sessions" {
	unset HOME MC_SESSIONS_DIR
	run_split mc-chat --no-save -p echo hi </dev/null
	assert_status 0
	assert_out hi
	run_split mc-models -p echo -q
	assert_status 0
	assert_out echo
	local tool
	for tool in 'mc-chat -p echo hi' 'mc-chat --no-save -c hi' mc-session-ls mc-session-new; do
		# shellcheck disable=SC2086  # words
		run_split $tool </dev/null
		assert_status 1
		assert_err_has 'set HOME or MC_SESSIONS_DIR'
	done
}

@test "config: MC_CONFIG names the file instead; an empty one does not" {
	conf "{\"sessionsDir\":\"$PWD/usual\",\"model\":\"m\"}"
	echo "{\"sessionsDir\":\"$PWD/named\"}" >mine.json
	MC_CONFIG=$PWD/mine.json mc-session-new -i a -p echo
	same 'the model, the usual file unread' echo "$(head_json named/a | jq -r .model)"
	MC_CONFIG='' mc-session-new -i b
	[[ -d usual/b ]]
}

@test "config: a file that MC_CONFIG names must be there" {
	export MC_CONFIG=$PWD/nothere.json
	refused "$MC_CONFIG" 'No such file'
	MC_CONFIG=$PWD
	refused "'$PWD'"
}

@test "config: provider, model and system prompt: options over environment over file over defaults" {
	export MC_SESSIONS_DIR=$PWD/s
	mc-session-new -i default >/dev/null
	head_json s/default | assert_json '.provider == "openai-compatible" and has("system") == false'
	conf '{"provider":"echo","model":"of-file","system":"file says"}'
	mc-session-new -i file >/dev/null
	head_json s/file | assert_json '.provider == "echo" and .model == "of-file" and .system == "file says"'
	export MC_PROVIDER=openai-compatible MC_MODEL=of-env
	mc-session-new -i env >/dev/null
	head_json s/env | assert_json '.provider == "openai-compatible" and .model == "of-env"'
	mc-session-new -i opt -p echo -m of-opt -S 'option says' >/dev/null
	head_json s/opt | assert_json '.provider == "echo" and .model == "of-opt" and .system == "option says"'
	export MC_PROVIDER='' MC_MODEL=''
	mc-session-new -i empty >/dev/null
	head_json s/empty | assert_json '.provider == "echo" and .model == "of-file"'
}

@test "config: MC_MODEL wins over the file's model" {
	export MC_SESSIONS_DIR=$PWD/s MC_MODEL=of-env
	conf '{"model":"of-file"}'
	mc-session-new -i a -p echo >/dev/null
	same model of-env "$(head_json s/a | jq -r .model)"
}

@test "config: mc-chat follows the same order" {
	export MC_SESSIONS_DIR=$PWD/s MC_MODEL=of-env
	conf '{"provider":"echo","model":"of-file"}'
	mc-chat --no-stdin -n -s a hello
	mc-chat --no-stdin -n -s b -m of-opt hello
	same models $'of-env\nof-opt' "$(jq -r 'select(.type == "exchange").model' s/[ab]/history.jsonl)"
	MC_MODEL=other mc-chat --no-stdin -s a again
	same 'the model of a session that has one' of-env "$(jq -r 'select(.query == "again").model' s/a/history.jsonl)"
}

@test "config: an unknown provider of the settings is refused with the nearest name" {
	export MC_SESSIONS_DIR=$PWD/s
	MC_PROVIDER=ecko run_split mc-session-new -i a
	assert_status 2
	assert_err_has "'ecko'"
	assert_err_has "'echo'"
	conf '{"provider":"ecko"}'
	run_split mc-chat --no-stdin hello
	assert_status 2
	assert_err_has "'ecko'"
	[[ ! -e s/a ]]
}

@test "config: a file that everybody may write is refused" {
	conf '{"model":"x"}'
	chmod 666 "$CONF"
	refused "$CONF" 'chmod o-w'
	chmod 664 "$CONF"
	run_split mc-session-ls
	assert_status 0
}

@test "config: a relative HOME is none" {
	HOME=home run_split mc-session-new
	assert_status 1
	assert_err_has 'set HOME or MC_SESSIONS_DIR'
	[[ ! -e home/.local ]]
}

@test "config: no JSON is an error that names the file" {
	local bad
	for bad in '{' '{"model":"x"' 'model = x' '{"model":"x",}' '{} {}' "{'model':'x'}" $'{"model":"\xff"}'; do
		conf "$bad"
		refused "$CONF"
	done
	printf '{"model":"x\0"}' >"$CONF"
	refused "$CONF"
	conf '{"model":"x",}'
	refused '(at byte 14)'
	conf $'{\n  "provider": "echo",\n  "model": "x"\n  "system": "y"\n}'
	refused 'no valid JSON (at line 4, byte 3)'
	conf $'{\n  "model": "x\xff"\n}'
	refused 'not valid UTF-8 (at line 2, byte 14)'
}

@test "config: JSON that is no object is an error that says so" {
	local bad
	for bad in '[]' '"x"' 1 null true; do
		conf "$bad"
		refused "$CONF" object
	done
}

@test "config: an unknown key is an error that names file, key and the nearest" {
	conf '{"modell":"x"}'
	refused "$CONF" "'modell'" "'model'"
	conf '{"session_dir":"/x"}'
	refused "$CONF" "'session_dir'" sessionsDir
	conf '{"zzzzzzzzzzz":1}'
	refused "$CONF" "'zzzzzzzzzzz'" provider model baseUrl
	conf '{"Model":"x"}'
	refused "'Model'" "'model'"
}

@test "config: there is no key for an API key" {
	conf '{"apiKey":"secret-value"}'
	refused "$CONF" "'apiKey'"
	[[ $err != *secret-value* ]] || differs 'the value unsaid' ''
}

@test "config: a wrong type is an error that names file, key and what was expected" {
	local key
	for key in sessionsDir provider model baseUrl system; do
		conf "{\"$key\":7}"
		refused "$CONF" "'$key'" 'a string'
		conf "{\"$key\":[\"x\"]}"
		refused "$CONF" "'$key'" 'a string'
	done
	conf '{"timeout":"60"}'
	refused "$CONF" "'timeout'" number
	conf '{"timeout":1.5}'
	refused "$CONF" "'timeout'" number
}

@test "config: a timeout out of range is an error that gives the range" {
	local bad
	for bad in 0 -1 99999999999999999999; do
		conf "{\"timeout\":$bad}"
		refused "$CONF" "'timeout'" 1
	done
	conf '{"timeout":5}'
	run_split mc-session-ls
	assert_status 0
}

@test "config: a file that is empty, or white space, or /dev/null, is no settings" {
	export MC_SESSIONS_DIR=$PWD/s
	local text
	for text in '' $'\n' $' \t\r\n' $'\xef\xbb\xbf' $'\xef\xbb\xbf\r\n'; do
		printf '%s' "$text" >"$CONF"
		run_split mc-session-ls
		assert_status 0
		assert_err_empty
	done
	MC_CONFIG=/dev/null run_split mc-chat -p echo --no-stdin --no-save hi
	assert_status 0
	assert_out hi
}

@test "config: a byte order mark before the object is passed over; another encoding is named" {
	export MC_SESSIONS_DIR=$PWD/s
	printf '\xef\xbb\xbf{"provider":"echo","model":"of-file"}\r\n' >"$CONF"
	mc-session-new -i a
	same model of-file "$(head_json s/a | jq -r .model)"
	printf '{"model":"x"}' | iconv -t UTF-16 >"$CONF"
	refused "$CONF" 'it is UTF-16, and must be UTF-8' 'iconv -f UTF-16 -t UTF-8'
	printf '{"model":"x"}' | iconv -t UTF-32 >"$CONF"
	refused "$CONF" 'it is UTF-32' 'iconv -f UTF-32 -t UTF-8'
	printf '{\n"model":"caf\xe9"}' >"$CONF"
	refused "$CONF" 'not valid UTF-8 (at line 2, byte 13)' iconv
}

@test "config: a whole number may be written as 3.0 or 1e3; another value is shown" {
	conf '{"timeout":60.0,"retries":3.0,"context":1e5,"typedMax":1E2,"connectTimeout":3e1}'
	run_split mc-session-ls
	assert_status 0
	conf '{"timeout":1.5}'
	refused "'timeout' must be a whole number, and not 1.5"
	conf '{"timeout":"60"}'
	refused "'timeout' must be a whole number, and not \"60\""
	conf '{"retries":true}'
	refused "'retries' must be a whole number, and not true"
	conf '{"context":1e300}'
	refused "'context' must be a whole number"
	conf '{"retries":1e3}'
	refused "'retries' must be from 0 to 100"
	conf '{"providers":{"p":{"baseUrl":"https://example.org","context":4096.0}}}'
	run_split mc-session-ls
	assert_status 0
}

@test "environment: a carriage return that an .env file left at a value's end is not part of it" {
	mkdir home-cr
	echo '{"system":"of the file"}' >c.json
	MC_SESSIONS_DIR=$PWD/s$'\r' MC_CONFIG=$PWD/c.json$'\r' MC_PROVIDER=$'echo\r' MC_MODEL=$'m\r' mc-session-new -i a
	head_json s/a | assert_json '.provider == "echo" and .model == "m" and .system == "of the file"'
	MC_RETRIES=$'3\r' MC_BASE_URL=$'http://127.0.0.1:9/v1\r' MC_SESSIONS_DIR=$PWD/s run_split mc-session-new -i b
	assert_status 0
	HOME=$PWD/home-cr$'\r' mc-session-new -p echo -i c
	XDG_DATA_HOME=$PWD/data$'\r' mc-session-new -p echo -i d
	same 'what there is' $'data\nhome-cr\ns' "$(printf '%s\n' data* home-* s*)"
	MC_PROVIDER=$'\r' MC_SESSIONS_DIR=$PWD/s run_split mc-session-new -i e
	assert_status 0
}

@test "environment: ~/ that no shell expanded is the home directory, and what only a shell can expand is refused" {
	echo '{"system":"of the file"}' >"$HOME/c.json"
	MC_CONFIG='~/c.json' MC_SESSIONS_DIR='~/store' mc-session-new -p echo -i a
	same system 'of the file' "$(head_json "$HOME/store/a" | jq -r .system)"
	XDG_DATA_HOME='~/data' mc-session-new -p echo -i b
	[[ -d $HOME/data/mcbox/sessions/b ]]
	local name bad
	for name in MC_SESSIONS_DIR MC_CONFIG; do
		for bad in '~' '~nobody/x' '$HOME/x' '"/x"' "'/x'"; do
			run_split env "$name=$bad" mc-session-new -p echo
			assert_status 1
			assert_err_has "$name is '$bad', which no shell expanded"
		done
		run_split env -u HOME "$name=~/x" mc-session-new -p echo
		assert_status 1
		assert_err_has "$name starts with ~/, but HOME is not set"
	done
	same 'what appeared here' '' "$(find . -mindepth 1 -name '[~$"'\'']*')"
	MC_SESSIONS_DIR='./~' mc-session-new -p echo -i c
	[[ -d ./~/c ]]
}

@test "config: every tool that needs the settings reports a bad file, none of its help does" {
	conf '{'
	local tool
	for tool in 'mc-chat --no-stdin -p echo hello' mc-session-ls 'mc-session-cat a' 'mc-session-rm -f a' mc-session-new; do
		# shellcheck disable=SC2086
		run_split $tool
		assert_status 1
		assert_out_empty
		assert_err_has "${tool%% *}: "
		assert_err_has "$CONF"
		run_split "${tool%% *}" --help
		assert_status 0
	done
	[[ ! -e $HOME/.local/share/mcbox ]]
}

@test "config: a file that cannot be read is an error, not a missing one" {
	mkdir -p "$CONF"
	refused "$CONF"
}

@test "config: without a home the way out is named" {
	unset HOME
	run_split mc-session-ls
	assert_status 1
	assert_err_has HOME
	assert_err_has MC_SESSIONS_DIR
	MC_SESSIONS_DIR=$PWD/s run_split mc-session-new -i a
	assert_status 0
}

@test "config: nothing is read from the working directory, and nothing written to it" {
	mkdir -p here/mcbox here/.config/mcbox here/sessions here/.mcbox
	local f
	for f in config.json .mcbox.json mcbox.json .env mcbox/config.json .config/mcbox/config.json .mcbox/config.json; do
		echo 'this is { no JSON' >"here/$f"
	done
	echo garbage | tee here/index.jsonl here/sessions/index.jsonl >/dev/null
	find here | sort >before
	cd here || return
	run_split mc-session-new -p echo -i a
	assert_status 0
	run_split mc-chat --no-stdin -s a hello
	assert_status 0
	run_split mc-session-ls -q
	assert_out a
	run_split mc-session-cat a
	run_split mc-session-rm -f a
	assert_status 0
	cd "$BATS_TEST_TMPDIR" || return
	find here | sort | diff before -
}

@test "config: no file is opened by a relative name but the directory itself" {
	command -v strace >/dev/null || skip 'strace is not installed'
	strace -o trace true 2>/dev/null || skip 'strace may not trace here'
	local tool
	for tool in 'mc-session-new -p echo -i a' 'mc-chat --no-stdin -s a hello' mc-session-ls 'mc-session-cat a' 'mc-session-rm -f a'; do
		# shellcheck disable=SC2086
		ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 strace -f -o trace -e trace=open,openat,creat,mkdir,mkdirat,rename,renameat,unlink,unlinkat $tool >/dev/null
		grep -q '"/' trace
		same "relative names that $tool used" '' "$(grep -E '(AT_FDCWD, |(open|creat|mkdir|rename|unlink)\()"[^/]' trace || true)"
	done
}
