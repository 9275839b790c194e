# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
# mc-models: what it lists, what it keeps of it, and what becomes of a model that is unknown.

load helper
load wire

setup() {
	fresh
	CONF=$HOME/.config/mcbox/config.json
	CACHE=$HOME/.cache/mcbox/models
	mkdir -p "${CONF%/*}"
}

conf() { printf '%s\n' "$1" >"$CONF"; }

# mode FILE: its permissions, in octal.
mode() { stat -c %a "$1" 2>/dev/null || stat -f %Lp "$1"; }

# lists JSON...: prints a response that is a list of these models.
lists() {
	local IFS=,
	jq -nc --argjson list "[$*]" '{headers: {"Content-Type": "application/json"},
		steps: [{send: ({object: "list", data: $list} | tojson)}]}'
}

# offers RESPONSE...: starts a server that answers so when it is asked for its models. It is
# openai-compatible's, and there is no model in the environment.
offers() {
	local IFS=,
	server_start "{\"models\":[$*],\"responses\":[${RESPONSES:-$(says hello)}]}"
	unset MC_MODEL
}

three() {
	offers "$(lists '{"id":"small","name":"The small one","context_length":8192}' '{"id":"big-2"}' \
		'{"id":"big-1","meta":{"n_ctx":131072}}')"
}

# asked: how many times the server was asked for its models.
asked() { if [[ -e $SERVER_LOG ]]; then jq -s 'map(select(.method == "GET")) | length' "$SERVER_LOG"; else echo 0; fi; }

kept() { find "$CACHE" -type f; }

# aged HOURS: the list that is kept was asked for so long ago.
aged() {
	local file ms
	file=$(kept)
	ms=$(jq -s ".[0].askedAt - $1 * 3600000" "$file")
	sed -i "1s/\"askedAt\":[0-9]*/\"askedAt\":$ms/" "$file"
}

# The list

@test "a bare list of models is read, with each protocol" {
	local p
	offers "$(jq -nc '{steps: [{send: "[{\"id\":\"m2\",\"name\":\"models/m2\",\"supportedGenerationMethods\":[\"generateContent\"]},{\"id\":\"m1\",\"name\":\"models/m1\",\"context_length\":8192,\"supportedGenerationMethods\":[\"generateContent\"]}]"}]}')"
	export ANTHROPIC_BASE_URL=$MC_BASE_URL OPENAI_BASE_URL=$MC_BASE_URL GOOGLE_GEMINI_BASE_URL=$MC_BASE_URL
	for p in openai-compatible openai anthropic google; do
		run_split mc-models -q -p "$p"
		assert_status 0
		assert_out $'m1\nm2'
	done
	same window m1$'\t'8192 "$(mc-models -p openai-compatible m1 | cut -f 1,2)"
}

@test "a list goes to a pipe with tabs, sorted, and without a header" {
	three
	run_split mc-models
	assert_status 0
	assert_err_empty
	assert_out $'big-1\t131072\t\nbig-2\t\t\nsmall\t8192\tThe small one'
	run_split mc-models -q
	assert_out $'big-1\nbig-2\nsmall'
}

@test "a byte order mark before a server's list is passed over" {
	offers "$(lists '{"id":"one"}' | jq -c '.steps[0].send |= "\ufeff" + .')"
	run_split mc-models -q
	assert_status 0
	assert_out one
}

@test "JSON is one object a line" {
	three
	run_split mc-models --json
	assert_out '{"id":"big-1","contextWindow":131072,"provider":"openai-compatible"}
{"id":"big-2","provider":"openai-compatible"}
{"id":"small","name":"The small one","contextWindow":8192,"provider":"openai-compatible"}'
}

@test "a pattern is a part of an id or a name, in small letters or capitals" {
	three
	run_split mc-models -q BIG
	assert_out $'big-1\nbig-2'
	run_split mc-models -q 'small one'
	assert_out small
	run_split mc-models -q '.*'
	assert_status 0
	assert_out_empty
	run_split mc-models -q a b
	assert_status 2
	assert_err_has "'b'"
}

@test "echo has one, and needs neither network nor cache" {
	run_split mc-models -p echo
	assert_status 0
	assert_out $'echo\t\t'
	run_split mc-models -p echo --json --cached
	assert_out '{"id":"echo","provider":"echo"}'
	[[ ! -e $CACHE ]]
}

@test "options that exclude each other, and an unknown provider" {
	run_split mc-models -q --json
	assert_status 2
	run_split mc-models --refresh --cached
	assert_status 2
	run_split mc-models -p ecko
	assert_status 2
	assert_err_has "'echo'"
}

@test "without -p it is the provider that mc-chat would choose" {
	conf '{"provider": "echo"}'
	run_split mc-models -q
	assert_out echo
	three
	run_split mc-models -q small
	assert_out small
}

@test "an endpoint of one's own is asked with its own key" {
	three
	conf "{\"providers\": {\"mine\": {\"baseUrl\": \"$MC_BASE_URL\", \"apiKeyEnv\": \"MY_KEY\"}}}"
	unset MC_BASE_URL MC_PROVIDER
	MY_KEY=canary-of-a-key run_split mc-models -p mine --json small
	assert_out '{"id":"small","name":"The small one","contextWindow":8192,"provider":"mine"}'
	same header 'Bearer canary-of-a-key' "$(request | jq -r .headers.authorization)"
	refute grep -r canary-of-a-key "$HOME/.cache"
}

@test "a list that comes in pages is put together" {
	page() { jq -nc --argjson b "$1" '{headers: {"Content-Type": "application/json"}, steps: [{send: ($b | tojson)}]}'; }
	offers "$(page '{"data":[{"type":"model","id":"claude-b","display_name":"B"}],"has_more":true,"first_id":"claude-b","last_id":"claude-b"}')" \
		"$(page '{"data":[{"type":"model","id":"claude-a","display_name":"A"}],"has_more":false,"last_id":"claude-a"}')"
	export ANTHROPIC_BASE_URL=${MC_BASE_URL%/v1} ANTHROPIC_API_KEY=key-of-anthropic
	run_split mc-models -p anthropic
	assert_status 0
	same ids $'claude-a\nclaude-b' "$(cut -f 1 out)"
	same names $'A\nB' "$(cut -f 3 out)"
	same requests 2 "$(asked)"
	has 'the second request' "$(request 2 | jq -r .path)" claude-b
}

# Aliases

@test "aliases come first, in the order of the settings, and with what they stand for" {
	three
	conf '{"aliases": {"z": "small", "a": {"provider": "openai-compatible", "model": "big-2"},
		"e": {"provider": "echo", "model": "echo"}, "big-1": "big-2"}}'
	run_split mc-models
	assert_out $'z\t8192\talias of small
a\t\talias of big-2
e\t\talias of echo
big-1\t\talias of big-2
big-2\t\t
small\t8192\tThe small one'
	run_split mc-models --json z
	assert_out '{"id":"z","aliasOf":"small","contextWindow":8192,"provider":"openai-compatible"}'
	run_split mc-models -q -p echo
	assert_out $'z\ne\nbig-1\necho'
	run_split mc-models --json -p echo e
	assert_out_has '{"id":"e","aliasOf":"echo","provider":"echo"}'
	run_split mc-models -q 'alias'
	assert_out_empty
}

@test "every alias that is listed with -p is one that mc-chat -p takes" {
	local name all
	conf '{"aliases": {"x": "anything", "e": {"provider": "echo", "model": "echo"}, "g": {"provider": "google", "model": "gemini-x"}}}'
	all=$(mc-models -q -p echo)
	for name in $all; do
		mc-chat -p echo -m "$name" --no-save hi >>said
	done
	same replies 3 "$(wc -l <said)"
}

@test "aliases are listed without a network too" {
	conf '{"aliases": {"quick": "claude-haiku-4-5"}}'
	run_split mc-models -q --cached
	assert_status 0
	assert_out quick
	assert_err_empty
	run_split mc-models --json --cached
	same provider anthropic "$(jq -r .provider out)"
}

# What is kept

@test "a list is asked for once a day" {
	three
	mc-models -q >first
	run_split mc-models -q
	assert_out "$(<first)"
	same requests 1 "$(asked)"
	aged 23
	mc-models -q | diff first -
	same requests 1 "$(asked)"
	aged 2
	mc-models -q | diff first -
	same requests 2 "$(asked)"
	mc-models -q | diff first -
	same requests 2 "$(asked)"
	aged -1 # the clock was set back
	mc-models -q | diff first -
	same requests 3 "$(asked)"
}

@test "--refresh asks again, and keeps what is new" {
	offers "$(lists '{"id":"old"}')" "$(lists '{"id":"new"}')"
	run_split mc-models -q
	assert_out old
	run_split mc-models -q --refresh
	assert_out new
	run_split mc-models -q
	assert_out new
	same requests 2 "$(asked)"
}

@test "an old list is shown when the server fails, with a notice; not for --refresh" {
	offers "$(lists '{"id":"old"}')" "$(refuses 500 '{"error":{"message":"out of order"}}')"
	mc-models -q >first
	aged 30
	run_split mc-models -q
	assert_status 0
	assert_out old
	assert_err_has 'out of order; this is the list of '
	assert_err_has "$(date -u -d '30 hours ago' +%Y-%m-%d)"
	run_split mc-models -q --refresh
	assert_status 3
	assert_out_empty
	server_stop
	run_split mc-models -q
	assert_status 0
	assert_out old
	run_split mc-models -q --cached
	assert_out old
	assert_err_empty
}

@test "what a server says of its refusal is cut between characters, and goes on as one sentence" {
	local long
	long=$(printf 'é%.0s' {1..300})
	offers "$(refuses 401 '{"error":{"message":"No key."}}')" "$(refuses 500 "{\"error\":{\"message\":\"a$long\"}}")" \
		"$(refuses 302 '')"
	run_split mc-models
	assert_status 3
	assert_err_has 'answered 401: No key; no API key is set'
	run_split mc-models
	assert_status 3
	assert_err_has "answered 500: a${long:0:199}…"
	run_split mc-models
	assert_status 3
	assert_err_has 'answered 302; redirects are not followed: is the base URL right?'
}

@test "without an old list a failure is one" {
	offers "$(refuses 401 '{"error":{"message":"no"}}')" "$(refuses 404 '<html>' text/html)" "$(says x)"
	run_split mc-models
	assert_status 3
	assert_out_empty
	assert_err_has 'answered 401: no; no API key is set: put one into the environment variable OPENAI_COMPATIBLE_API_KEY'
	OPENAI_COMPATIBLE_API_KEY=canary-of-a-key run_split mc-models
	assert_status 3
	assert_err_has 'answered 404'
	run_split mc-models
	assert_status 3
	[[ -z $(find "$HOME/.cache" -type f 2>/dev/null) ]]
}

@test "401 with a key says where the key came from" {
	offers "$(refuses 401 '{"error":{"message":"wrong: canary-of-a-key"}}')"
	OPENAI_COMPATIBLE_API_KEY=canary-of-a-key run_split mc-models
	assert_status 3
	assert_err_has 'It came from the environment variable OPENAI_COMPATIBLE_API_KEY'
	[[ $err != *canary* ]]
}

@test "a wrong key is one whatever the status, and each vendor has its own" {
	offers "$(refuses 400 '{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}')"
	export GOOGLE_GEMINI_BASE_URL=${MC_BASE_URL%/v1} GEMINI_API_KEY=canary-of-a-key
	run_split mc-models -p google
	assert_status 3
	assert_err_has 'It came from the environment variable GEMINI_API_KEY'
	[[ $err != *canary* ]]
}

@test "a server that says the key back brings it neither to the screen nor to the disk" {
	offers "$(lists '{"id":"x-canary-of-a-key"}' '{"id":"good","name":"for canary-of-a-key"}' '{"id":"other"}')"
	export OPENAI_COMPATIBLE_API_KEY=canary-of-a-key
	run_split mc-models --json
	assert_status 0
	assert_out '{"id":"other","provider":"openai-compatible"}'
	refute grep -r canary "$HOME/.cache"
}

@test "--cached uses no network, and is silent when there is nothing" {
	three
	server_stop
	run_split mc-models --cached
	assert_status 0
	assert_out_empty
	assert_err_empty
	[[ ! -e $HOME/.cache ]]
	three
	MC_RETRIES=0 mc-models >first
	trace calls network mc-models --cached >second
	cmp first second
	refute grep -E 'socket|connect' calls
	same requests 1 "$(asked)"
}

@test "--cached reads no key and runs no command" {
	three
	cat >keys <<-'SH'
		#!/bin/sh
		echo >>"$0.ran"
		echo secret-key
	SH
	chmod +x keys
	conf "{\"providers\": {\"mine\": {\"baseUrl\": \"$MC_BASE_URL\", \"apiKeyCommand\": [\"$PWD/keys\"]}}}"
	run_split mc-models -q --cached -p mine
	assert_status 0
	[[ ! -e keys.ran ]]
	mc-models -q -p mine >first
	same runs 1 "$(wc -l <keys.ran)"
	mc-models -q --cached -p mine | diff first -
	same runs 1 "$(wc -l <keys.ran)"
}

@test "--cached and a fresh list open no file of libcurl" {
	three
	trace calls %file mc-models -q >first
	grep -q libcurl calls # so this would be seen
	for tool in 'mc-models -q --cached' 'mc-models -q' 'mc-models -p echo'; do
		# shellcheck disable=SC2086
		trace calls %file $tool >out
		[[ -s calls ]]
		refute grep libcurl calls
	done
}

@test "each base URL, endpoint and origin of a key has a list of its own" {
	three
	mc-models >first
	conf "{\"providers\": {\"mine\": {\"baseUrl\": \"$MC_BASE_URL\", \"apiKeyEnv\": \"MY_KEY\"}}}"
	run_split mc-models --cached -p mine
	assert_out_empty
	mc-models -p mine >second
	MY_KEY=secret-key run_split mc-models --cached -p mine
	assert_out_empty
	MC_BASE_URL=$MC_BASE_URL/x run_split mc-models --cached
	assert_out_empty
	run_split mc-models --cached
	assert_out "$(<first)"
	same files 2 "$(kept | wc -l)"
}

@test "the file: private, without the key, and where XDG_CACHE_HOME says" {
	three
	export OPENAI_COMPATIBLE_API_KEY=canary-of-a-key XDG_CACHE_HOME=$PWD/xdg
	(umask 000 && mc-models >first)
	[[ ! -e $HOME/.cache ]]
	same folder 700 "$(mode xdg/mcbox)"
	same folder 700 "$(mode xdg/mcbox/models)"
	same file 600 "$(mode xdg/mcbox/models/*)"
	refute grep -r canary xdg
	same 'the head' "models $MC_BASE_URL 3 1" \
		"$(jq -rs '.[0] | "\(.type) \(.baseUrl) \(.count) \(.version)"' xdg/mcbox/models/*)"
}

@test "a cache that cannot be written is no error" {
	three
	mkdir -p "$HOME/.cache"
	echo >"$HOME/.cache/mcbox" # no folder, for root neither
	run_split mc-models -q
	assert_status 0
	assert_err_empty
	assert_out $'big-1\nbig-2\nsmall'
	run_split mc-models -q --cached
	assert_status 0
	assert_out_empty
	unset HOME
	run_split mc-models -q small
	assert_status 0
	assert_out small
}

@test "a full disk leaves the old list" {
	three
	mc-models >first
	run_split bash -c '(ulimit -f 0; exec env --default-signal=XFSZ mc-models --refresh 2>&1) | cat'
	assert_out "$(<first)"
	run_split mc-models --cached
	assert_out "$(<first)"
	same files 1 "$(kept | wc -l)"
}

@test "a hostile cache is not read, and made again" {
	local file bad bads n=1
	three
	mc-models >first
	file=$(kept)
	cp "$file" good
	printf '{"id":"evil"}\n' >evil
	bads=('cp evil "$file"' 'head -c 100 good >"$file"' 'head -n 3 good >"$file"' ': >"$file"'
		'sed "\$s/small/\\xff/" good >"$file"' 'head -c 1000 /dev/zero >"$file"'
		'cp good elsewhere; rm "$file"; ln -s "$PWD/elsewhere" "$file"' 'rm "$file"; mkfifo "$file"'
		'ln "$file" elsewhere2' 'chmod 666 "$file"' 'sed "1s/127.0.0.1/127.0.0.2/" good >"$file"'
		'sed "1s/version\":1/version\":9/" good >"$file"' 'yes "[" | head -n 50000 | tr -d "\n" >"$file"')
	for bad in "${bads[@]}"; do
		eval "$bad"
		run_split timeout 20 mc-models --cached
		same "status after $bad" 0 "$status"
		same "output after $bad" '' "$out$err"
		run_split timeout 20 mc-models
		assert_out "$(<first)"
		assert_err_empty
		same "requests after $bad" $((++n)) "$(asked)"
		run_split mc-models --cached
		assert_out "$(<first)"
	done
	cmp good elsewhere # what the link led to
}

@test "a folder that is a link, or that others may write, is not used" {
	three
	mkdir -p "$HOME/.cache/mcbox" elsewhere
	ln -s "$PWD/elsewhere" "$CACHE"
	mc-models >first
	grep -q small first
	same files '' "$(ls elsewhere)"
	rm "$CACHE"
	mkdir -m 777 "$CACHE"
	chmod 777 "$CACHE"
	mc-models >second
	cmp first second
	same files '' "$(ls "$CACHE")"
}

@test "many at once leave one whole list" {
	local i pids=()
	three
	mc-models >first
	for i in {1..12}; do
		mc-models --refresh >"out.$i" 3>&- &
		pids+=($!)
	done
	for i in {1..40}; do mc-models --cached | cmp first -; done
	wait "${pids[@]}"
	for i in {1..12}; do cmp first "out.$i"; done
	same files 1 "$(find "$CACHE" -mindepth 1 | wc -l)"
}

# Ollama's port, on a machine of its own: the first list has model-1, the second model-2, ….
lone_machine() {
	cat >ollama.py <<-'PY'
		import fcntl, http.server, json, socket, struct, sys, threading
		fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up

		class Models(http.server.BaseHTTPRequestHandler):
		    n = 0

		    def do_GET(self):
		        Models.n += 1
		        body = json.dumps({"data": [{"id": f"model-{Models.n}"}]}).encode()
		        self.send_response(200)
		        self.send_header("Content-Length", str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)

		    def log_message(self, *_):
		        pass

		server = http.server.HTTPServer(("127.0.0.1", 11434), Models)
		threading.Thread(target=server.serve_forever, daemon=True).start()
		print(flush=True)
		sys.stdin.read()
	PY
	alone bash -euc "
		mkfifo to from
		/usr/bin/python3 ollama.py <to >from 3>&- &
		exec 8>to
		read -r _ <from
		$1
		exec 8>&-
		wait
		$2"
}

@test "a server that is looked for on this machine is asked each time" {
	run_split lone_machine 'mc-models -q; mc-models -q; mc-models -q --cached' 'mc-models -q; mc-models -q --cached'
	assert_status 0
	# It is asked whether it is there, and then for the list.
	assert_out $'model-2\nmodel-4\nmodel-4\nmodel-4\nmodel-4'
	assert_err_has 'no model to talk to'
	assert_err_has 'this is the list of'
	same 'base URL' '' "$(jq -rs '.[0].baseUrl' "$(kept)")"
}

# The providers

# servers: endpoints with each way to a key; the command and the server would leave a trace.
servers() {
	printf '#!/bin/sh\necho >>"%s/keys.ran"\necho canary-of-a-key\n' "$PWD" >keys
	chmod +x keys
	conf "{\"providers\": {
		\"gpu\": {\"baseUrl\": \"http://127.0.0.1:9/gpu\", \"model\": \"qwen\", \"apiKeyFile\": \"~/gpu.key\"},
		\"openai\": {\"apiKeyCommand\": [\"$PWD/keys\", \"canary-of-a-key\"], \"model\": \"mine\"},
		\"team\": {\"type\": \"anthropic\", \"apiKeyEnv\": \"TEAM_KEY\"},
		\"here.2\": {\"baseUrl\": \"http://127.0.0.1:9/v1\", \"apiKeyEnv\": \"NO_KEY\"}}}"
}

@test "--providers: those that are built in, then the settings' own, in their order" {
	run_split mc-models --providers
	assert_status 0
	assert_err_empty
	assert_out $'anthropic\tanthropic\t-\thttps://api.anthropic.com
openai\topenai\t-\thttps://api.openai.com/v1
google\tgoogle\t-\thttps://generativelanguage.googleapis.com/v1beta
openai-compatible\topenai-compatible\t-\t-
echo\techo\t-\t-'
	servers
	run_split mc-models -q --providers
	assert_status 0
	assert_out $'anthropic\nopenai\ngoogle\nopenai-compatible\necho\ngpu\nteam\nhere.2'
	for name in $out; do
		run_split mc-models -p "$name" --cached
		assert_status 0
	done
	run_split mc-models -q --providers OPEN
	assert_out $'openai\nopenai-compatible'
	run_split mc-models --providers nothing-like-it
	assert_status 0
	assert_out_empty
}

@test "--providers says where each key comes from, and which base URL is used" {
	servers
	export TEAM_KEY=canary-of-a-key ANTHROPIC_API_KEY='' GOOGLE_API_KEY=canary-of-a-key
	export MC_BASE_URL=http://127.0.0.1:9/a GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:9/g
	run_split mc-models --providers
	assert_status 0
	assert_out $'anthropic\tanthropic\t-\thttps://api.anthropic.com
openai\topenai\tapiKeyCommand\thttps://api.openai.com/v1
google\tgoogle\tGOOGLE_API_KEY\thttp://127.0.0.1:9/g
openai-compatible\topenai-compatible\t-\thttp://127.0.0.1:9/a
echo\techo\t-\t-
gpu\topenai-compatible\t~/gpu.key\thttp://127.0.0.1:9/gpu
team\tanthropic\tTEAM_KEY\thttps://api.anthropic.com
here.2\topenai-compatible\t-\thttp://127.0.0.1:9/v1'
	OPENAI_API_KEY=canary-of-a-key GEMINI_API_KEY=canary-of-a-key run_split mc-models --providers
	assert_out_has $'openai\topenai\tOPENAI_API_KEY\t' # the environment is over the settings
	assert_out_has $'google\tgoogle\tGEMINI_API_KEY\t'
}

@test "--providers as JSON: what is not there is left out, and one is the default" {
	servers
	export TEAM_KEY=canary-of-a-key
	run_split mc-models --json --providers
	assert_status 0
	same openai '{"provider":"openai","protocol":"openai","keySource":"apiKeyCommand","baseUrl":"https://api.openai.com/v1","model":"mine","default":true}' \
		"$(grep '"provider":"openai",' out)"
	same gpu '{"provider":"gpu","protocol":"openai-compatible","keySource":"~/gpu.key","baseUrl":"http://127.0.0.1:9/gpu","model":"qwen"}' \
		"$(grep '"gpu"' out)"
	same compatible '{"provider":"openai-compatible","protocol":"openai-compatible"}' "$(grep '"provider":"openai-c' out)"
	same team '{"provider":"team","protocol":"anthropic","keySource":"TEAM_KEY","baseUrl":"https://api.anthropic.com"}' \
		"$(grep '"team"' out)"
	same count 8 "$(jq -s length out)"
	default_is openai
	MC_PROVIDER=gpu default_is gpu
	MC_MODEL=gemini-x default_is google
	MC_BASE_URL=http://127.0.0.1:9/v1 default_is openai-compatible
	ANTHROPIC_API_KEY=canary-of-a-key default_is anthropic
	MC_PROVIDER=nosuch default_is ''
}

# default_is NAME: the provider that is marked is that; and mc-chat would choose it.
default_is() {
	same default "$1" "$(mc-models --json --providers | jq -r 'select(.default).provider')"
	[[ -z $1 ]] || same 'of a new session' "$1" "$(jq -r .provider "$(history "$(mc-session-new)")")"
}

@test "--providers uses no network, runs no command and looks into no key" {
	servers
	echo canary-of-a-key >"$HOME/gpu.key"
	chmod 600 "$HOME/gpu.key"
	OPENAI_BASE_URL=http://127.0.0.1:9/v1 trace calls %file,%network,%process mc-models -q -p openai --refresh >out 2>&1 || true
	[[ -e keys.ran ]] # so these would be seen
	grep -q libcurl calls
	rm keys.ran
	trace calls %file,%network,%process mc-models -q -p gpu --refresh >out 2>&1 || true
	grep -q gpu.key calls
	for tool in 'mc-models --providers' 'mc-models -q --providers' 'mc-models --json --providers' 'mc-models --cached --providers'; do
		# shellcheck disable=SC2086
		TEAM_KEY=canary-of-a-key trace calls %file,%network,%process $tool >out
		grep -q config.json calls
		refute grep -E 'libcurl|gpu\.key|socket|connect|fork|clone' calls
		same programs 1 "$(grep -c execve calls)"
		refute grep canary out
	done
	[[ ! -e keys.ran ]]
	[[ ! -e $CACHE ]]
}

@test "--providers: a faulty endpoint is told of, and the others are listed" {
	conf '{"providers": {"bad": {"type": "nothing"}, "good": {"baseUrl": "https://x.example.org"}, "worse": {"model": "x"}}}'
	run_split mc-models -q --providers
	assert_status 1
	assert_out $'anthropic\nopenai\ngoogle\nopenai-compatible\necho\ngood'
	same errors 2 "$(wc -l <err)"
	assert_err_has "'bad': 'type' must be"
	assert_err_has "'worse': 'baseUrl' is missing"
	run_split mc-models -q --providers goo
	assert_status 0
	assert_out $'google\ngood'
	conf '{}'
	ANTHROPIC_BASE_URL=ftp://x run_split mc-models -q --providers
	assert_status 2
	assert_out $'openai\ngoogle\nopenai-compatible\necho'
	assert_err_has ANTHROPIC_BASE_URL
	conf '{"providers": '
	run_split mc-models --providers
	assert_status 1
	assert_out_empty
	assert_err_has config.json
}

@test "--providers excludes what is about models or a network, and counts nobody twice" {
	run_split mc-models --providers -p echo
	assert_status 2
	assert_err_has '--provider exclude'
	run_split mc-models --providers --refresh
	assert_status 2
	assert_err_has '--refresh exclude'
	run_split mc-models --providers -q --json
	assert_status 2
	run_split mc-models --providers a b
	assert_status 2
	assert_out_empty
	conf '{"providers": {"echo": {"model": "x"}, "anthropic": {}}}'
	run_split mc-models -q --providers
	same names 5 "$(sort -u out | wc -l)"
	same lines 5 "$(wc -l <out)"
}

@test "--providers at a terminal is a table, cut to the window, and nothing in it is obeyed" {
	conf '{"providers": {"a-name-that-is-long": {"baseUrl": "https://x.example.org/v1"},
		"odd": {"baseUrl": "https://y.example.org/v1", "apiKeyFile": "/a\u001b[2J\u009b\tb\nc"}}}'
	term_start -x 120 env ANTHROPIC_API_KEY=x mc-models --providers
	same 'exit status' 0 "$(term_status)"
	screen_becomes table 'PROVIDER             PROTOCOL           KEY                  BASE URL
anthropic            anthropic          ANTHROPIC_API_KEY    https://api.anthropic.com
openai               openai             -                    https://api.openai.com/v1
google               google             -                    https://generativelanguage.googleapis.com/v1beta
openai-compatible    openai-compatible  -                    -
echo                 echo               -                    -
a-name-that-is-long  openai-compatible  -                    https://x.example.org/v1
odd                  openai-compatible  /a^[[2J<U+009B> b c  https://y.example.org/v1' grep .
	term_start -x 70 mc-models --providers
	term_wait '^google .* https:.*…$'
	screen_becomes lines 8 grep -c .
	term_start -x 70 mc-models --providers nothing-like-it
	same 'exit status' 0 "$(term_status)"
	screen_becomes lines '' grep .
	for tool in 'mc-models --providers' 'mc-models --providers --json'; do
		script -qec "$tool" typescript >/dev/null </dev/null
		sed '1d;$d' typescript >seen
		grep -q 2J seen
		refute env LC_ALL=C grep -P '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]' seen
	done
	run_split mc-models --providers odd
	assert_out $'odd\topenai-compatible\t/a [2J  b c\thttps://y.example.org/v1'
	run_split mc-models --providers --json odd
	same exact $'/a\e[2J\u009b\tb\nc' "$(jq -r .keySource out)"
}

# Servers that are up to no good

@test "what is no list, and what has no end" {
	offers '{"steps":[{"send":"5"}]}' '{"steps":[{"send":"{\"data\":[1,null,{},{\"id\":5},{\"id\":\"\"},{\"id\":\"ok\"}]}"}]}'
	run_split mc-models
	assert_status 3
	run_split mc-models -q
	assert_status 0
	assert_out ok
	chunk=$(printf 'x%.0s' {1..1000})
	offers "{\"steps\":[{\"send\":\"{\\\"data\\\":[\"},{\"repeat\":20000,\"steps\":[{\"send\":\"{\\\"id\\\":\\\"$chunk\\\"},\"}]}]}"
	run_split mc-models
	assert_status 3
	assert_err_has 'larger than 16 MB'
}

@test "an id that no line or argument can hold" {
	offers "$(lists '{"id":"a\u0000b"}' '{"id":"two\nlines\tand a tab"}' "{\"id\":\"$(printf 'x%.0s' {1..600})\"}" '{"id":"ok"}')"
	run_split mc-models -q
	assert_out $'ok\ntwo lines and a tab'
	run_split mc-models
	same columns $'3\n3' "$(awk -F '\t' '{ print NF }' out)"
	run_split mc-models --json
	same exact $'two\nlines\tand a tab' "$(jq -r 'select(.id != "ok").id' out)"
}

# At a terminal

@test "at a terminal there is a table, cut to the window" {
	offers "$(lists '{"id":"a","name":"Name of it","context_length":8192}' \
		"{\"id\":\"$(printf 'long-%.0s' {1..30})\",\"name\":\"Other\"}")"
	term_start -x 60 mc-models
	same 'exit status' 0 "$(term_status)"
	term_wait '^MODEL +WINDOW  NAME$'
	term_wait '^long-.*… +Oth…$'
	[[ $(term_screen | grep -c .) == 3 ]]
	rm -r "$CACHE"
	offers "$(lists '{"id":"a","name":"Name of it","context_length":8192}' '{"id":"longer/one:7b"}')"
	term_start -x 60 mc-models
	same 'exit status' 0 "$(term_status)"
	screen_becomes table 'MODEL             WINDOW  NAME
a                   8192  Name of it
longer/one:7b' grep .
}

@test "what a server or a cache says is shown at a terminal, and not obeyed" {
	bad='A\u001b[2J\u001b]52;c;Zm9v\u0007B\u009b31m\u202eC\u007f'
	conf '{"aliases": {"q\u001b[2J": "m\u001b[3J"}}'
	offers "$(lists "{\"id\":\"$bad\",\"name\":\"N$bad\"}")"
	for tool in 'mc-models' 'mc-models --cached' 'mc-models -q' 'mc-models --json'; do
		script -qec "$tool" typescript >/dev/null </dev/null
		sed '1d;$d' typescript >seen
		grep -q 52 seen
		refute env LC_ALL=C grep -P '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' seen
	done
	term_start -x 120 mc-models
	term_wait '^A\^\[\[2J\^\[\]52;c;Zm9v\^GB<U\+009B>31m<U\+202E>C\^\? +NA\^\[\[2J'
	term_wait '^q\^\[\[2J +alias of m\^\[\[3J$'
	run_split mc-models -q 52
	assert_out $'A [2J ]52;c;Zm9v B 31m\u202eC ' # a pipe may lead to a terminal
	run_split mc-models --json 52
	same exact $'A\e[2J\e]52;c;Zm9v\aB\u009b31m\u202eC\x7f' "$(jq -r .id out)"
}

# A model that the server does not know

# unknown [MODEL]: the refusal of one.
unknown() { refuses 404 "{\"error\":{\"message\":\"The model '${1-gpt5}' does not exist.\",\"code\":\"model_not_found\"}}"; }

GPTS=('{"id":"gpt-5"}' '{"id":"gpt-5-mini"}' '{"id":"o9"}' '{"id":"claude-x"}')

@test "a model that the server does not know is answered with names that are near" {
	RESPONSES=$(unknown) offers "$(lists "${GPTS[@]}")"
	mc-session-new -i s -p openai-compatible -m gpt-5 >/dev/null
	run_split mc-chat -s s -m gpt5 hi
	assert_status 3
	same error "mc-chat: the server answered 404: The model 'gpt5' does not exist; similar: gpt-5, gpt-5-mini" "$err"
	same stored "${err#mc-chat: }" "$(exchange s .error)"
	same requests $'POST\nGET' "$(jq -r .method "$SERVER_LOG")"
	run_split mc-chat -s s -m gpt6 hi # the list is fresh
	assert_status 3
	assert_err_has "; the model 'gpt6' does not exist; similar: gpt-5, gpt-5-mini"
	same requests 1 "$(asked)"
	run_split mc-chat -s s -m zzzzzzzzz hi
	assert_status 3
	assert_err_has '; mc-models -p openai-compatible lists the models'
	same requests 1 "$(asked)"
}

# times_read: how often the traced command opened the list.
times_read() { grep -c "$(basename "$(kept)")" calls; }

@test "a turn reads the list that is kept once, for the window" {
	RESPONSES=$(says hello) three
	mc-models -q >/dev/null
	trace calls open,openat mc-chat -n -s s -m small hi
	same 'reads of the list in the first turn' 1 "$(times_read)"
	trace calls open,openat mc-chat -s s hi
	same 'reads of it in the second' 1 "$(times_read)"
	trace calls open,openat mc-chat -s s -m big-1 hi
	same 'reads of it with another model' 1 "$(times_read)"
	trace calls open,openat mc-chat -s s --context 5000 hi
	same 'reads of it with a window that is given' 1 "$(times_read)"
	trace calls open,openat mc-chat --no-save -s s hi
	same 'reads of it when nothing is stored' 1 "$(times_read)"
}

@test "a list that is old, or has what is not there, is asked for again" {
	RESPONSES=$(unknown) offers "$(lists '{"id":"gpt5"}')" "$(lists "${GPTS[@]}")" "$(lists '{"id":"gpt-55"}')"
	mc-models >first
	run_split mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has '; similar: gpt-5, gpt-5-mini'
	same requests 2 "$(asked)"
	aged 25
	run_split mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has '; similar: gpt-55'
	same requests 3 "$(asked)"
	aged 25
	mc-models -q --cached | grep -qx gpt-55
}

@test "an old list is good enough when there is no other" {
	RESPONSES=$(unknown) offers "$(lists "${GPTS[@]}")" "$(refuses 500 no)"
	mc-models >first
	aged 25
	run_split mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has '; similar: gpt-5, gpt-5-mini'
	same requests 2 "$(asked)"
}

@test "404 without a word is the model's name when the list lacks it, and else perhaps the URL" {
	RESPONSES="$(refuses 404 '<html><title>Not Found</title>' text/html)" offers "$(lists "${GPTS[@]}")"
	run_split mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has "404: Not Found; the server lists no model 'gpt5'; similar: gpt-5, gpt-5-mini"
	run_split mc-chat --no-save -m gpt-5 hi
	assert_status 3
	assert_err_has 'are the base URL and the model'
	[[ $err != *near* ]]
	RESPONSES="$(refuses 404 no text/plain)" offers "$(refuses 404 no)"
	run_split env XDG_CACHE_HOME="$PWD/x" mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has 'are the base URL and the model'
	RESPONSES=$(unknown) offers "$(refuses 404 no)"
	run_split env XDG_CACHE_HOME="$PWD/x" mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has 'mc-models -p openai-compatible lists them'
}

@test "a list that does not come in time does not hold up the error" {
	RESPONSES=$(unknown) offers '{"steps":[{"send":"{"},{"hang":true}]}'
	local from=$SECONDS
	run_split timeout 30 mc-chat --no-save -m gpt5 hi
	assert_status 3
	assert_err_has 'does not exist'
	((SECONDS - from < 20))
}

@test "nor does one of which a byte comes now and then" {
	local i from drip
	RESPONSES=$(unknown) offers "$(jq -nc '{steps: [range(60) | {send: " "}, {wait: "drop.\(.)"}]}')"
	for i in {0..59}; do sleep 0.5 && touch "drop.$i"; done 3>&- &
	drip=$!
	from=$SECONDS
	run_split mc-chat --no-save -m gpt5 hi
	kill "$drip"
	assert_status 3
	assert_err_has 'does not exist'
	((SECONDS - from < 20))
}

@test "near names are harmless at a terminal, and do not hold the key" {
	export OPENAI_COMPATIBLE_API_KEY=canary-of-a-key
	RESPONSES=$(unknown canary-of-a-kez) offers "$(lists '{"id":"canary-of-a-key"}' '{"id":"canary-of-a-\u001b[31mkex"}')"
	term_start -x 200 mc-chat --no-save -m canary-of-a-kez hi
	term_wait 'similar: canary-of-a-\^\[\[31mkex$'
	same 'exit status' 3 "$(term_status)"
	[[ $(term_screen) != *canary-of-a-key* ]]
}
