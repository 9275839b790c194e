# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire

# Where API keys come from, and where they do not go.

KEY=sk-canary-0123456789abcdef

setup() {
	fresh
	CONF=$HOME/.config/mcbox/config.json
	mkdir -p "${CONF%/*}"
}

# section JSON [RESPONSE...]: a server of the file's own, with these settings more.
section() {
	local members=$1
	shift
	answers "${@:-$(says hello)}"
	printf '{"providers":{"mine":{"baseUrl":"%s","model":"m"%s}}}\n' "$MC_BASE_URL" "${members:+,$members}" >"$CONF"
	unset MC_BASE_URL MC_PROVIDER MC_MODEL
}

# sent: the Authorization header of the last request.
sent() { request | jq -r '.headers.authorization // "none"'; }

refused_with() {
	run_split mc-chat --no-stdin -n -s s -p mine hi
	assert_status 1 2
	assert_out_empty
	local word
	for word; do assert_err_has "$word"; done
	[[ ! -s $SERVER_LOG && ! -e $MC_SESSIONS_DIR/s ]]
}

@test "apiKeyFile: the key is what is in it, without the line's end" {
	section '"apiKeyFile":"~/key"'
	(umask 077 && printf '%s\r\n\n' "$KEY" >"$HOME/key")
	mc-chat -p mine hi
	same header "Bearer $KEY" "$(sent)"
}

@test "a byte order mark is not part of a key, and UTF-16 is named" {
	section '"apiKeyFile":"~/key","apiKeyEnv":"MY_KEY"'
	(umask 077 && printf '\xef\xbb\xbf%s\r\n' "$KEY" >"$HOME/key")
	mc-chat -p mine hi
	same header "Bearer $KEY" "$(sent)"
	MY_KEY=$'\xef\xbb\xbf'$KEY-2 mc-chat -p mine hi
	same header "Bearer $KEY-2" "$(sent)"
	MY_KEY=$KEY-3$'\r' mc-chat -p mine hi
	same header "Bearer $KEY-3" "$(sent)"
	section '"apiKeyFile":"~/key"'
	printf '%s' "$KEY" | iconv -t UTF-16 >"$HOME/key"
	refused_with "$HOME/key" 'is UTF-16'
}

@test "apiKeyFile: one that others may read, or that is no file, is refused" {
	section '"apiKeyFile":"~/key"'
	refused_with "$HOME/key" 'No such file'
	(umask 077 && echo "$KEY" >"$HOME/key")
	local mode
	for mode in 0644 0640 0604 0620 0602 0610; do
		chmod "$mode" "$HOME/key"
		refused_with "$HOME/key" "$mode" 'chmod 600'
	done
	rm "$HOME/key"
	mkfifo -m 600 "$HOME/key"
	refused_with "$HOME/key" 'not a regular file'
	rm "$HOME/key"
	mkdir -m 700 "$HOME/key"
	refused_with "$HOME/key" 'not a regular file'
}

# As containers give secrets to a program: a file of root's that all may read, in Kubernetes behind
# two links.
@test "apiKeyFile: one of root's that the user cannot change is taken, unless others can write it" {
	[[ $(id -u) == 0 ]] || skip 'needs root'
	# The capability lets it into the folders of the test.
	local as=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_override
		--ambient-caps=+dac_override)
	"${as[@]}" true || skip 'setpriv cannot change the user here'
	mkdir -p secret/..2026_11
	echo "$KEY" >secret/..2026_11/key
	ln -s ..2026_11 secret/..data
	ln -s ..data/key secret/key
	section "\"apiKeyFile\":\"$PWD/secret/key\""
	local mode
	for mode in 0444 0440 0644 0400; do
		chmod "$mode" secret/..2026_11/key
		chgrp 65534 secret/..2026_11/key
		if [[ $mode == 0400 ]]; then chown 65534 secret/..2026_11/key; fi
		: >"$SERVER_LOG"
		"${as[@]}" mc-chat --no-stdin --no-save -p mine hi
		same header "Bearer $KEY" "$(sent)"
	done
	chown 0 secret/..2026_11/key
	for mode in 0664 0646; do
		chmod "$mode" secret/..2026_11/key
		run_split "${as[@]}" mc-chat --no-stdin --no-save -p mine hi
		assert_status 2
		assert_err_has "$mode"
		assert_err_has apiKeyCommand
		refute grep 'chmod' "$BATS_TEST_TMPDIR/err"
	done
}

@test "apiKeyFile: one on a file system that is mounted read-only is taken" {
	section "\"apiKeyFile\":\"$PWD/secret/key\""
	mkdir secret
	echo "$KEY" >secret/key
	chmod 444 secret/key
	local mount='mount --bind secret secret && mount -o remount,ro,bind secret && exec "$@"'
	unshare -m sh -c "$mount" sh true 2>/dev/null || skip 'mounts are not allowed'
	unshare -m sh -c "$mount" sh mc-chat --no-stdin --no-save -p mine hi
	same header "Bearer $KEY" "$(sent)"
}

@test "apiKeyFile: an empty one, one with two words and a large one are no keys" {
	section '"apiKeyFile":"~/key"'
	umask 077
	: >"$HOME/key"
	refused_with "$HOME/key" 'no API key'
	printf 'two words' >"$HOME/key"
	refused_with "$HOME/key" 'an invalid character (number 4)'
	printf 'key\n\0' >"$HOME/key" # a NUL is not white space
	refused_with "$HOME/key" 'an invalid character (number 4)'
	head -c 20000 /dev/zero | tr '\0' k >"$HOME/key"
	refused_with "$HOME/key" 'too long for an API key'
}

@test "apiKeyCommand: its output is the key; no shell reads it" {
	section '"apiKeyCommand":["/bin/echo","-n","k$HOME;~/key"]'
	mc-chat -p mine hi
	same header "Bearer k\$HOME;~/key" "$(sent)"
}

@test "apiKeyCommand: runs once in a conversation, with nothing on its standard input" {
	cat >give <<-SH
		#!/bin/sh
		echo run >>"$PWD/runs"
		cat >"$PWD/stdin"
		echo $KEY
	SH
	chmod +x give
	section "\"apiKeyCommand\":[\"$PWD/give\"]"
	term_start mc-chat -p mine
	term_wait '^>'
	term_keys one Enter
	poll 30 test -s "$SERVER_LOG"
	term_wait '^hello'
	term_keys two Enter
	poll 30 eval '[[ $(wc -l <"$SERVER_LOG") == 2 ]]'
	term_keys C-d
	same 'exit status' 0 "$(term_status)"
	same runs run "$(<runs)"
	[[ ! -s stdin ]]
	same header "Bearer $KEY" "$(sent)"
}

@test "apiKeyCommand: one that fails, is not there or prints nothing is told by its name" {
	section '"apiKeyCommand":["false"]'
	refused_with "mc-chat: apiKeyCommand 'false': it failed with status 1"
	section '"apiKeyCommand":["/nonexistent/x"]'
	refused_with "mc-chat: cannot run apiKeyCommand '/nonexistent/x': No such file"
	section '"apiKeyCommand":["true"]'
	refused_with "no API key in the output of apiKeyCommand 'true'"
	section '"apiKeyCommand":["sh","-c","kill -9 $$"]'
	refused_with "mc-chat: apiKeyCommand 'sh': signal 9 ended it"
}

@test "apiKeyCommand: an output that does not end is too long for an API key" {
	section '"apiKeyCommand":["yes"]'
	refused_with "mc-chat: the output of apiKeyCommand 'yes' is too long for an API key"
	section '"apiKeyCommand":["sh","-c","head -c 16385 /dev/zero | tr '"'\\\\0'"' k"]'
	refused_with 'too long for an API key'
	section '"apiKeyCommand":["sh","-c","head -c 16384 /dev/zero | tr '"'\\\\0'"' k"]'
	mc-chat -p mine --no-save hi
	same "the header's length" $((7 + 16384)) "$(sent | tr -d '\n' | wc -c)" # with "Bearer "
}

@test "apiKeyCommand: Ctrl-C ends the wait for it" {
	section '"apiKeyCommand":["sh","-c","touch here; exec sleep 600"]'
	start_chat -p mine --no-stdin -n -s s hi
	wait_for here
	kill -INT "$CHAT"
	end_chat
	assert_status 130
	[[ ! -e $MC_SESSIONS_DIR/s ]]
	refute pgrep -f 'sleep 600' -P "$$"
}

@test "apiKeyCommand: Ctrl-C ends the wait for one that has said all, or that does not heed it" {
	local command
	for command in "touch here; echo $KEY; exec >&-; exec sleep 600" 'trap : TERM; touch here; while :; do sleep 0.1; done'; do
		rm -f here
		section "\"apiKeyCommand\":[\"sh\",\"-c\",\"$command\"]"
		start_chat -p mine --no-stdin -n -s s hi
		wait_for here
		kill -INT "$CHAT"
		SECONDS=0
		end_chat
		assert_status 130
		((SECONDS < 60))
		[[ ! -e $MC_SESSIONS_DIR/s ]]
	done
}

@test "the environment goes before the file; apiKeyEnv names another variable" {
	section '"apiKeyEnv":"MY_KEY","apiKeyFile":"~/key"'
	(umask 077 && echo of-the-file >"$HOME/key")
	MY_KEY=of-my-variable mc-chat -p mine hi
	same header 'Bearer of-my-variable' "$(sent)"
	mc-chat -p mine hi
	same header 'Bearer of-the-file' "$(sent)"
}

@test "a server of one's own gets no key that was meant for another" {
	section ''
	OPENAI_COMPATIBLE_API_KEY=$KEY OPENAI_API_KEY=$KEY ANTHROPIC_API_KEY=$KEY mc-chat -p mine hi
	same header none "$(sent)"
	refute grep -q "$KEY" "$SERVER_LOG"
}

@test "401 and 403 say where the key came from, or what to set" {
	section '"apiKeyFile":"~/key"' "$(refuses 401 '{"error":{"message":"bad key"}}')"
	(umask 077 && echo "$KEY" >"$HOME/key")
	run_split mc-chat -n -s s -p mine hi
	assert_status 3
	assert_err_has "bad key; is the API key right? It came from the key file '$HOME/key'"
	section '' "$(refuses 403 '{"error":{"message":"no"}}')"
	run_split mc-chat -n -s s2 -p mine hi
	assert_status 3
	assert_err_has "no API key is set: put one into 'apiKeyFile' of 'mine'"
	answers "$(refuses 401 '{}')"
	OPENAI_COMPATIBLE_API_KEY=$KEY run_split mc-chat -n -s t hi
	assert_status 3
	assert_err_has 'It came from the environment variable OPENAI_COMPATIBLE_API_KEY'
	run_split mc-chat -s t hi
	assert_status 3
	assert_err_has 'put one into the environment variable OPENAI_COMPATIBLE_API_KEY'
}

# A canary: the key is planted where it may come from, the server says it back in every
# place it can, and then all that was written is searched.

# nowhere: the key, or what a cut left of it, is in no file below here but those that hold it on purpose.
nowhere() {
	local found
	found=$(grep -rlaF -e "${KEY::14}" . | grep -vxE './(home/key|server\.json|server\.jsonl)' || true)
	same 'files that hold the key' '' "$found"
}

# quotes: responses that hold the key: refusals, error events, models, broken JSON.
quotes() {
	local IFS=,
	local list=(
		"$(refuses 401 "{\"error\":{\"message\":\"bad key $KEY here\"}}")"
		"$(refuses 400 "no JSON: $KEY" text/plain)"
		"$(refuses 500 "<html><title>$KEY</title></html>" text/html)"
		"$(stream "{\"event\":{\"error\":{\"message\":\"$KEY\"}}}")"
		"$(stream '{"text":"x"}' "{\"send\":\"data: {\\\"$KEY\\n\\n\"}")"
		"{\"status\":302,\"headers\":{\"Location\":\"http://127.0.0.1:1/$KEY\"}}"
		"{\"headers\":{\"Content-Encoding\":\"$KEY\"},\"steps\":[{\"send\":\"x\"}]}"
		"{\"status\":302,\"headers\":{\"Location\":\"/$(printf %0280d 0)$KEY\"}}" # where it is cut
		"{\"headers\":{\"Content-Encoding\":\"$(printf %025d 0)$KEY\"},\"steps\":[{\"send\":\"x\"}]}"
	)
	printf '%s' "${list[*]}"
}

@test "the key is in no session, trace, error or output" {
	local i
	section '"apiKeyFile":"~/key"' "$(quotes)" "$(says hello)"
	(umask 077 && echo "$KEY" >"$HOME/key")
	for i in 1 2 3 4 5 6 7 8 9 10; do
		mc-chat --trace trace.jsonl --events -n -s s -p mine hi >>said 2>&1 || true
	done
	same requests 10 "$(wc -l <"$SERVER_LOG")"
	mc-session-cat --json s >>said
	mc-session-ls --json >>said
	# It was sent, so the search would find it.
	same header "Bearer $KEY" "$(sent)"
	[[ -s trace.jsonl ]]
	nowhere
}

@test "the key is not in a trace as JSON writes it, either" {
	local key='sk/can"ary-0123456789'
	section '"apiKeyFile":"~/key"' "$(stream '{"text":"yes"}' \
		'{"send":"data: {\"x\":\"sk\\/can\\\"ary-0123456789\"}\n\n"}' "$END")"
	(umask 077 && echo "$key" >"$HOME/key")
	mc-chat --trace trace.jsonl -p mine "say $key"
	same header "Bearer $key" "$(sent)"
	assert_json -s 'length > 3' trace.jsonl
	refute grep -F 'ary-0123456789' trace.jsonl
}

# Other secrets of a request: the settings' headers, and the base URL's query.

# secrets QUERY JSON [RESPONSE...]: as section, with this query and these headers.
secrets() {
	local query=$1 headers=$2 list='{"send":"{\"data\":[{\"id\":\"m\"}]}"}'
	section '' "${@:3}"
	server_start "$(jq -c --argjson l "$list" '.models = [{steps: [$l]}]' server.json)"
	jq -nc --arg u "$MC_BASE_URL$query" --argjson h "$headers" \
		'{providers: {mine: {baseUrl: $u, model: "m", headers: $h}}}' >"$CONF"
	unset MC_BASE_URL MC_PROVIDER MC_MODEL
}

ALL_HEADERS="{\"api-key\":\"$KEY\",\"Authorization\":\"Bearer $KEY\",\"X-Title\":\"my tool\"}"

@test "headers and a query of the settings are sent, and replace mcbox's own" {
	secrets "?code=$KEY&api-version=2024-10-21" "$ALL_HEADERS"
	export MC_API_KEY=other-key-0123456789
	jq -c '.providers.mine += {apiKeyEnv: "MC_API_KEY"} | .providers.mine.headers += {"user-agent": "", accept: "*/*"}' \
		"$CONF" >conf
	cp conf "$CONF"
	mc-chat -p mine hi
	same path "/v1/chat/completions?code=$KEY&api-version=2024-10-21" "$(request | jq -r .path)"
	same headers "$KEY/Bearer $KEY/my tool/null/*/*" \
		"$(request | jq -r '.headers | "\(."api-key")/\(.authorization)/\(."x-title")/\(."user-agent")/\(.accept)"')"
}

@test "no secret of a header or a query is in a session, trace, error or output" {
	local i
	for headers in '{"X-Title":"my tool","api-key":"'"$KEY"'"}' '{"X-Title":"my tool","x-auth":"Basic '"$KEY"'"}' '{"X-Title":"my tool"}'; do
		query="?code=$KEY&api-version=2024-10-21"
		if [[ $headers == *$KEY* ]]; then query='?code=%73hort&api-version=2024-10-21'; fi
		secrets "$query" "$headers" "$(quotes)" "$(says hello)"
		for i in 1 2 3 4 5 6 7 8 9 10; do
			mc-chat --trace trace.jsonl --events -n -s s -p mine hi >>said 2>&1 || true
		done
		mc-models -p mine >>said 2>&1
		mc-models -p mine --json >>said 2>&1
		mc-models --providers >>said
		mc-models --providers --json >>said
		mc-session-cat --json s >>said
		request 1 | grep -qF "$KEY" # it was sent
		has 'the trace' "$(cat trace.jsonl)" '"X-Title: my tool"'
		has 'the trace' "$(cat trace.jsonl)" '?code=***&api-version=2024-10-21'
		has 'the providers' "$(cat said)" '?code=***&api-version=2024-10-21'
		[[ -n $(find "$HOME/.cache/mcbox/models" -type f) ]]
		rm "$CONF"
		refute grep -r '%73hort' trace.jsonl said "$MC_SESSIONS_DIR" "$HOME/.cache"
		nowhere
		rm -rf trace.jsonl said "$HOME/.cache" "$MC_SESSIONS_DIR"
	done
	secrets '' "$ALL_HEADERS"
	same names '["api-key","Authorization","X-Title"]' "$(mc-models --providers --json | jq -c 'select(.provider == "mine").headers')"
}

@test "no secret of a query is in the message about a redirect" {
	section '' '{"status":302,"headers":{"Location":"https://login.test/?code=%73hort&x=y"}}'
	run_split mc-chat -p mine hi
	assert_status 3
	assert_err_has "redirects to 'https://login.test/?code=***&x=***'"
}

@test "a secret of a query is in no message about a server that is not there, whatever its length" {
	printf '{"providers":{"mine":{"baseUrl":"http://127.0.0.1:1/v1?key=%%73hort&x&y=%s","model":"m"}}}\n' "$KEY" >"$CONF"
	run_split mc-chat -p mine -n -s s hi
	assert_status 3
	assert_err_has "'http://127.0.0.1:1/v1/chat/completions?key=***&***&y=***'"
	run_split mc-models -p mine
	assert_status 3
	assert_err_has "/v1/models?key=***&***&y=***'"
	rm "$CONF"
	nowhere
	for url in "ftp://h/?key=$KEY" "https://h/?key=$KEY#x" "h?$KEY"; do
		MC_BASE_URL=$url run_split mc-chat hi
		assert_status 2
		assert_err_has '***'
		refute grep "$KEY" "$BATS_TEST_TMPDIR/err"
	done
}

@test "faults of headers are told without their values" {
	local json why
	while IFS='|' read -r json why; do
		printf '{"providers":{"mine":{"baseUrl":"http://127.0.0.1:1","model":"m","headers":%s}}}\n' "$json" >"$CONF"
		run_split mc-chat -p mine hi
		assert_status 1
		assert_err_has "'providers': 'mine': $why"
		refute grep secret "$BATS_TEST_TMPDIR/err"
	done <<-'END'
		["x"]|'headers' must be an object
		{"x y":"secret"}|'headers' has a name that is not a header's name
		{"":"secret"}|'headers' has a name
		{"x:":"secret"}|'headers' has a name
		{"Content-Length":"3"}|'headers': 'Content-Length' cannot be set
		{"transfer-encoding":"x"}|'headers': 'transfer-encoding' cannot be set
		{"x":5}|'headers': 'x' must be a string
		{"x":"secret\r\ny: z"}|'headers': 'x' has a character that no header may have (number 7)
		{"x":"secr\u00e9t"}|'headers': 'x' has a character
	END
}

@test "headers of the settings are for the server that they name" {
	section '' "$(says hello)"
	jq -nc '{providers: {"openai-compatible": {headers: {"x-a": "1"}}, other: {baseUrl: "http://127.0.0.1:1", headers: {"x-b": "1"}}}}' >"$CONF"
	MC_BASE_URL=http://127.0.0.1:$SERVER_PORT/v1 mc-chat -m m hi
	same headers '1/null' "$(request | jq -r '.headers | "\(."x-a")/\(."x-b")"')"
}

@test "nor is it in what mc-models says of a server that says it back" {
	local i list=(
		"$(refuses 401 "{\"error\":{\"message\":\"bad key $KEY here\"}}")"
		"{\"status\":302,\"headers\":{\"Location\":\"/$KEY\"}}"
		"{\"headers\":{\"Content-Encoding\":\"$KEY\"},\"steps\":[{\"send\":\"x\"}]}"
		"$(stream "{\"send\":\"{\\\"$KEY\\\"\"}")"
	)
	section '"apiKeyFile":"~/key"'
	(umask 077 && echo "$KEY" >"$HOME/key")
	server_start "{\"models\":[$(
		IFS=,
		echo "${list[*]}"
	)]}"
	sed -i "s|\"baseUrl\":\"[^\"]*\"|\"baseUrl\":\"$MC_BASE_URL\"|" "$CONF"
	for i in "${!list[@]}"; do
		refute mc-models -p mine >>said 2>&1
	done
	same requests 4 "$(wc -l <"$SERVER_LOG")"
	same header "Bearer $KEY" "$(sent)"
	nowhere
}

@test "the key is in no argument list and in no other program's environment" {
	cat >give <<-SH
		#!/bin/sh
		env >"$PWD/environment"
		tr '\0' '\n' <"/proc/\$PPID/cmdline" >"$PWD/arguments"
		echo other-key-for-the-server
	SH
	chmod +x give
	section "\"apiKeyCommand\":[\"$PWD/give\"]"
	local name
	for name in ANTHROPIC_API_KEY OPENAI_API_KEY GEMINI_API_KEY GOOGLE_API_KEY OPENAI_COMPATIBLE_API_KEY; do
		export "$name=$KEY"
	done
	mc-chat -p mine hi
	grep -q '^HOME=' environment
	grep -q mc-chat arguments
	nowhere
}

@test "apiKeyEnv's variable is no other program's either" {
	answers "$(says hello)"
	cat >give <<-SH
		#!/bin/sh
		env >"$PWD/environment"
		echo other-key-for-the-server
	SH
	chmod +x give
	printf '{"providers":{"a":{"baseUrl":"%s","model":"m","apiKeyCommand":["%s"]},
		"b":{"baseUrl":"http://localhost","apiKeyEnv":"MY_OWN"}}}\n' "$MC_BASE_URL" "$PWD/give" >"$CONF"
	unset MC_BASE_URL MC_PROVIDER MC_MODEL
	MY_OWN=$KEY mc-chat -p a hi
	grep -q '^HOME=' environment
	nowhere
}

@test "no tool leaves a core file" {
	local tool
	ulimit -c unlimited 2>/dev/null || skip 'core files cannot be allowed here'
	section '"apiKeyFile":"~/key"' "$(stream '{"text":"so far"}' '{"hang":true}')"
	(umask 077 && echo "$KEY" >"$HOME/key")
	start_chat -p mine --no-stdin -n -s s hi
	holds chat.out 'so far'
	same 'the soft limit' 1 "$(awk '/^Max core file size/ { print $5 }' "/proc/$CHAT/limits")"
	kill -ABRT "$CHAT"
	end_chat
	assert_status 134
	nowhere
}

@test "a key is not sent to a server that was found on a port" {
	cat >found.py <<-'PY'
		# Ollama's port, on a machine of its own, while a command runs.
		import fcntl, socket, struct, subprocess, sys, threading
		fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up
		server = socket.create_server(("127.0.0.1", 11434))

		def serve():
		    for name, status, end in ("heard", "200 OK", b"\r\n\r\n"), ("asked", "401 Unauthorized", b"}"):
		        c, _ = server.accept()
		        data = b""
		        while not data.endswith(end):
		            data += c.recv(65536) or sys.exit("it left")
		        open(name, "wb").write(data)
		        c.sendall(b"HTTP/1.1 %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" % status.encode())
		        c.close()

		threading.Thread(target=serve, daemon=True).start()
		sys.exit(subprocess.call(sys.argv[1:]))
	PY
	OPENAI_COMPATIBLE_API_KEY=$KEY run_split alone /usr/bin/python3 found.py mc-chat --no-stdin -m m hi
	assert_status 3
	has request "$(<heard)" 'GET /v1/models'
	has request "$(<asked)" 'POST /v1/chat/completions'
	assert_err_has 'answered 401; no API key is sent to a server that was found automatically: name it in MC_BASE_URL'
	nowhere
}

@test "a prompt that cannot be sent for want of a key names no session" {
	section '"apiKeyFile":"~/key"'
	term_start mc-chat -p mine --no-stdin hi
	same 'exit status' 1 "$(term_status)"
	term_wait 'cannot open the key file'
	term_gone Session
	[[ ! -e $MC_SESSIONS_DIR ]]
}
