# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# TLS, with certificates of an authority that is made for the test.

load helper
load wire
load net

setup_file() { make_keys; }

setup() {
	fresh
	export OPENAI_COMPATIBLE_API_KEY=canary-key-0123456789
}

teardown() {
	other_stop
	cleanup
}

other_stop() {
	[[ ${OTHER_PID-} ]] || return 0
	kill "$OTHER_PID" 2>/dev/null || true # openssl's server ends with some of its clients
	wait "$OTHER_PID" || true
	OTHER_PID=
}

# distrusted WHY: status 3, which names the address and the reason, is stored, and had
# nothing sent; the key is nowhere.
distrusted() {
	assert_status 3
	assert_err_has "the certificate of '$MC_BASE_URL/chat/completions' is not trusted"
	assert_err_has "$1"
	assert_out_empty
	untouched
	same 'status' error "$(exchange s .status)"
	has 'stored error' "$(exchange s .error)" 'is not trusted'
	refute grep -rq canary "$MC_SESSIONS_DIR" "$BATS_TEST_TMPDIR/err"
}

@test "an authority that SSL_CERT_FILE names is trusted" {
	secure here "$(says hello)"
	for host in localhost 127.0.0.1; do
		MC_BASE_URL=https://$host:$SERVER_PORT/v1 SSL_CERT_FILE=$KEYS/ca.pem run_split mc-chat hi
		assert_status 0
		assert_out hello
	done
	same 'key' 'Bearer canary-key-0123456789' "$(request | jq -r .headers.authorization)"
}

@test "an authority in a directory that SSL_CERT_DIR names is trusted" {
	secure here "$(says hello)"
	mkdir -p empty authorities
	cp "$KEYS/ca.pem" authorities/
	openssl rehash authorities
	SSL_CERT_DIR=$PWD/authorities run_split mc-chat hi
	assert_status 0
	assert_out hello
	SSL_CERT_DIR=$PWD/empty:$PWD/authorities run_split mc-chat hi
	assert_status 0
	assert_out hello
}

@test "an authority that nobody names is not trusted, and the error says what was asked" {
	secure here "$(says hello)"
	run_split mc-chat -n -s s hi
	distrusted 'SSL_CERT_FILE and SSL_CERT_DIR name others'
	mkdir empty
	SSL_CERT_DIR=$PWD/empty run_split mc-chat -n -s s hi
	distrusted "checked with $PWD/empty"
	SSL_CERT_FILE=$KEYS/self.pem run_split mc-chat -n -s s hi
	distrusted "checked with $KEYS/self.pem"
}

@test "a file of authorities that is not there, or holds none, is an error that names it" {
	secure here "$(says hello)"
	echo nothing >none.pem
	for file in "$PWD/gone.pem" "$PWD/none.pem"; do
		SSL_CERT_FILE=$file run_split mc-chat -n -s s hi
		distrusted "checked with $file"
	done
}

@test "what SSL_CERT_FILE names is trusted alone, not beside the system's" {
	secure here "$(says hello)"
	SSL_CERT_FILE=$KEYS/self.pem run_split strace_or_skip -o calls -e trace=openat mc-chat -n -s s hi
	distrusted "checked with $KEYS/self.pem"
	refute grep -q /etc/ssl/certs calls
}

strace_or_skip() {
	command -v strace >/dev/null || skip 'strace is not installed'
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq "$@"
}

@test "an expired certificate is refused" {
	secure past "$(says hello)"
	SSL_CERT_FILE=$KEYS/ca.pem run_split mc-chat -n -s s hi
	distrusted expired
}

@test "a certificate of another host is refused" {
	secure other "$(says hello)"
	SSL_CERT_FILE=$KEYS/ca.pem run_split mc-chat -n -s s hi
	distrusted localhost
	MC_BASE_URL=https://127.0.0.1:$SERVER_PORT/v1
	SSL_CERT_FILE=$KEYS/ca.pem run_split mc-chat -n -s s hi
	distrusted 127.0.0.1
}

@test "a certificate that nobody signed is refused" {
	secure self "$(says hello)"
	SSL_CERT_FILE=$KEYS/ca.pem run_split mc-chat -n -s s hi
	distrusted 'self-signed'
}

@test "it is refused at once, not after further attempts" {
	secure self "$(says hello)"
	MC_RETRIES=3 run_split mc-chat -n -s s hi
	distrusted 'self-signed'
	[[ $err != *'trying again'* && $err != *attempts* ]]
}

@test "no environment variable switches the check off" {
	secure self "$(says hello)"
	printf '[default]\nopenssl_conf=i\n[i]\nssl_conf=s\n[s]\nsystem_default=d\n[d]\nVerifyMode=None\n' >openssl.cnf
	for setting in CURL_CA_BUNDLE="$KEYS/self.pem" CURL_CA_PATH="$KEYS" CURL_INSECURE=1 CURLOPT_SSL_VERIFYPEER=0 \
		SSL_VERIFY=0 SSL_NO_VERIFY=1 SSL_VERIFY_MODE=none PERL_LWP_SSL_VERIFY_HOSTNAME=0 GIT_SSL_NO_VERIFY=1 \
		NODE_TLS_REJECT_UNAUTHORIZED=0 NODE_EXTRA_CA_CERTS="$KEYS/self.pem" PYTHONHTTPSVERIFY=0 \
		REQUESTS_CA_BUNDLE="$KEYS/self.pem" OPENSSL_CONF="$PWD/openssl.cnf" MC_INSECURE=1 INSECURE=1; do
		run_split env "$setting" mc-chat -n -s s hi
		distrusted 'is not trusted'
	done
}

@test "no file of curl's switches the check off" {
	secure self "$(says hello)"
	for place in "$HOME" "$PWD/curl" "$HOME/.config"; do
		mkdir -p "$place"
		printf 'insecure\ncacert = "%s"\n' "$KEYS/self.pem" >"$place/.curlrc"
		cp "$place/.curlrc" "$place/curlrc"
		run_split env CURL_HOME="$place" XDG_CONFIG_HOME="$HOME/.config" mc-chat -n -s s hi
		distrusted 'is not trusted'
	done
}

@test "no option and no setting switches the check off" {
	secure self "$(says hello)"
	for option in -k --insecure --no-check-certificate --no-verify; do
		run_split mc-chat "$option" hi
		assert_status 2
	done
	for key in insecure verify sslVerify tlsVerify allowInsecure; do
		settings "{\"$key\": true}"
		run_split mc-chat hi
		assert_status 1
		assert_err_has "unknown key '$key'"
	done
	settings '{"allowHttp": true}'
	run_split mc-chat -n -s s hi
	distrusted 'is not trusted'
}

@test "TLS 1.1 is too old, even where OpenSSL is told to speak it" {
	cat >old.cnf <<-'END'
		openssl_conf=i
		[i]
		ssl_conf=s
		[s]
		system_default=d
		[d]
		MinProtocol=TLSv1
		CipherString=DEFAULT@SECLEVEL=0
	END
	export OPENSSL_CONF=$PWD/old.cnf SSL_CERT_FILE=$KEYS/ca.pem MC_PROVIDER=openai-compatible MC_MODEL=m
	for version in tls1_1 tls1_2; do
		rm -f said
		timeout 60 openssl s_server -accept 127.0.0.1:0 "-$version" -www -cert "$KEYS/here.pem" \
			-key "$KEYS/here.key" >said 2>said.err 3>&- &
		OTHER_PID=$!
		poll 30 grep -q ACCEPT said
		port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' said)
		# The server is there, and would be understood.
		curl -sS --cacert "$KEYS/ca.pem" --tlsv1.0 -o page "https://localhost:$port/"
		grep -q 'Cipher' page
		MC_BASE_URL=https://localhost:$port/v1 run_split mc-chat --timeout 1 -n -s s hi
		assert_status 3
		if [[ $version == tls1_1 ]]; then
			assert_err_has version
		else
			assert_err_has 'sent nothing' # it knows no POST
		fi
		other_stop
	done
}

# One connection

# turns N: a conversation of so many at a terminal, which the server has answered alike
turns() {
	local i
	term_start mc-chat --trace "$PWD/trace.jsonl" -n -s s
	for ((i = 1; i <= $1; i++)); do
		term_wait '^>$'
		term_type "question $i"
		term_keys Enter
		poll 30 same_count "$i" || return
	done
	term_wait '^>$'
	term_type /exit
	term_keys Enter
	same 'exit status' 0 "$(term_status)"
}

same_count() { [[ $(count s 2>/dev/null) == "$1" ]]; }

@test "a conversation keeps its connection: the second turn opens none" {
	export SSL_CERT_FILE=$KEYS/ca.pem
	for start in answers 'secure here'; do
		$start "$(says hello | jq -c '.keepalive = true')"
		turns 3
		same 'connections' '1 1 1' "$(jq -s -r 'map(.connection) | join(" ")' "$SERVER_LOG")"
		same 'connections in the trace' '1 0 0' \
			"$(jq -s -r 'map(select(.type == "response").connections) | join(" ")' trace.jsonl)"
		mc-session-rm -f s
		rm trace.jsonl
	done
}

@test "a server that closes the connection after each turn gets a new one, without another attempt" {
	answers "$(says hello)"
	turns 2
	same 'connections' '1 2' "$(jq -s -r 'map(.connection) | join(" ")' "$SERVER_LOG")"
	same 'attempts' '1 1' "$(jq -s -r 'map(select(.type == "request").attempt) | join(" ")' trace.jsonl)"
}

@test "a connection that the server dropped without a word is no failure of the next turn" {
	body='data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}'$'\n\n''data: [DONE]'$'\n\n'
	answers "$(jq -nc --arg b "$body" '{raw: true, steps: [{send: ("HTTP/1.1 200 OK\r\nContent-Length: " +
		($b | length | tostring) + "\r\n\r\n" + $b)}]}')"
	turns 2
	same 'connections' '1 2' "$(jq -s -r 'map(.connection) | join(" ")' "$SERVER_LOG")"
	same 'attempts' '1 1' "$(jq -s -r 'map(select(.type == "request").attempt) | join(" ")' trace.jsonl)"
	same 'stored' complete "$(exchange s .status)"
}

# HTTP/2

# front NAME: nghttpx before the server, with that certificate; sets FRONT
front() {
	command -v nghttpx >/dev/null || skip 'nghttpx is not installed'
	local port
	for _ in 1 2 3 4 5; do # it takes no port of the system's choice
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		nghttpx --no-add-x-forwarded-proto --conf=/dev/null --workers=1 --errorlog-file="$PWD/front.err" \
			--accesslog-file=/dev/null --single-process -f "127.0.0.1,$port" -b "127.0.0.1,$SERVER_PORT" \
			"$KEYS/$1.key" "$KEYS/$1.pem" >/dev/null 2>&1 3>&- &
		OTHER_PID=$!
		if poll 10 front_is_up "$port"; then
			FRONT=https://localhost:$port/v1
			return
		fi
		OTHER_PID=
	done
	cat front.err
	return 1
}

front_is_up() {
	kill -0 "$OTHER_PID" 2>/dev/null || return 0 # it could not have the port
	(exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

@test "HTTP/2 is spoken where it is offered, over one connection" {
	answers "$(says hello | jq -c '.keepalive = true')"
	front here
	export SSL_CERT_FILE=$KEYS/ca.pem
	MC_BASE_URL=$FRONT
	turns 2
	same 'heads' $'HTTP/2 200\nHTTP/2 200' \
		"$(jq -r 'select(.type == "response").head | split("\r\n")[0] | rtrimstr(" ")' trace.jsonl)"
	same 'connections' '1 0' "$(jq -s -r 'map(select(.type == "response").connections) | join(" ")' trace.jsonl)"
	same 'answer' hello "$(exchange s .answer)"
	same 'stored' complete "$(exchange s .status)"
}

@test "over HTTP/2 too a broken stream is an error with what came, and Retry-After counts" {
	answers "$(refuses 429 '{"error":"slow"}' | jq -c '.headers += {"retry-after-ms": "10"}')" \
		"$(stream '{"text":"so far"}' '{"wait":"go"}' '{"reset":true}' | jq -c '.keepalive = true')"
	front here
	SSL_CERT_FILE=$KEYS/ca.pem MC_BASE_URL=$FRONT MC_RETRIES=1 start_chat -n -s s hi
	holds chat.out 'so far'
	touch go
	end_chat
	same 'exit status' 3 "$status"
	same 'stored' '["error","so far"]' "$(exchange s '[.status, .answer] | tojson')"
	same 'requests' 2 "$(requests)"
}
