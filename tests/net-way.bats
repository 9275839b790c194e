# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split sets status, out and err
# The way to a server: addresses, proxies, bodies and times; and what comes from servers
# that mean harm.

load helper
load wire
load net

setup_file() { make_keys; }

setup() {
	fresh
	export OPENAI_COMPATIBLE_API_KEY=canary-key-0123456789
}

teardown() {
	stop_proxy
	if [[ ${OTHER_PID-} ]]; then kill "$OTHER_PID" || true; fi
	cleanup
}

# failed_with TEXT: status 3, and this on standard error and in the stored exchange.
failed_with() {
	assert_status 3
	assert_err_has "$1"
	same 'status' error "$(exchange s .status)"
	has 'stored error' "$(exchange s .error)" "$1"
	same 'lines' 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")"
}

# refused TEXT: status 2, before anything was sent or made
refused() {
	assert_status 2
	assert_err_has "$1"
	assert_out_empty
	untouched
	same 'number of sessions' 0 "$(sessions)"
}

# Addresses

@test "a redirect is told with its target, and not followed" {
	server_start "$(jq -n '{routes: {"/elsewhere": [{}], "/v1/": [301, 302, 303, 307, 308 |
		{status: ., headers: {Location: "/elsewhere"}}]}}')"
	for code in 301 302 303 307 308; do
		MC_RETRIES=2 run_split mc-chat -n -s s hi
		failed_with "answered $code and redirects to '/elsewhere'"
	done
	same 'requests' 5 "$(requests)"
}

@test "http:// to another machine is refused before anything is sent, and allowed by a setting" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	export http_proxy=http://127.0.0.1:$PROXY_PORT
	export MC_BASE_URL=http://model.test/v1
	run_split mc-chat hi
	refused "http:// would send the prompt and the key to 'model.test' for all to read"
	assert_err_has allowHttp
	[[ ! -s $PROXY_LOG ]]
	settings '{"allowHttp": false}'
	run_split mc-chat hi
	refused allowHttp
	settings '{"allowHttp": true}'
	run_split mc-chat hi
	assert_status 0
	assert_out hello
}

@test "the setting of a provider's section is for that provider alone" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	export http_proxy=http://127.0.0.1:$PROXY_PORT
	unset MC_BASE_URL MC_PROVIDER
	settings '{"providers": {"lab": {"baseUrl": "http://lab.test/v1", "allowHttp": true},
		"shop": {"baseUrl": "http://shop.test/v1"}}}'
	run_split mc-chat -p lab hi
	assert_status 0
	run_split mc-chat -p shop hi
	assert_status 2
	assert_err_has shop.test
	same 'targets' http://lab.test/v1/chat/completions "$(jq -r .target "$PROXY_LOG")"
}

@test "this machine needs no such setting, by whatever name" {
	answers "$(says hello)"
	for host in localhost LOCALHOST gpu.localhost 127.0.0.1 127.1 0.0.0.0; do
		MC_BASE_URL=http://$host:$SERVER_PORT/v1 run_split mc-chat hi
		assert_status 0
	done
	for host in localhost.test xlocalhost 127.0.0.1.test 10.0.0.1 0.0.0.1 '[::2]' 128.0.0.1; do
		rm -f "$SERVER_LOG"
		MC_BASE_URL=http://$host:$SERVER_PORT/v1 run_split mc-chat hi
		assert_status 2
		assert_err_has allowHttp
		untouched
	done
}

@test "a base URL that holds more than an address is refused, and no password is told" {
	answers "$(says hello)"
	here=127.0.0.1:$SERVER_PORT
	while read -r url; do
		printf -v url %b "$url" # \t and \001 are what they stand for
		MC_BASE_URL=$url run_split mc-chat hi
		refused 'base URL'
		refute grep -q secret "$BATS_TEST_TMPDIR/err"
		settings "$(jq -nc --arg u "$url" '{baseUrl: $u}')"
		run_split env -u MC_BASE_URL mc-chat hi
		assert_status 1
		assert_err_has "'baseUrl'"
		refute grep -q secret "$BATS_TEST_TMPDIR/err"
		rm "$HOME/.config/mcbox/config.json"
		untouched
	done <<-END
		http://user:secret@$here/v1
		http://secret@$here/v1
		https://user:secret@$here/v1
		user:secret@$here/v1
		ftp://user:secret@$here/v1
		HTTP://user:secret@$here/v1
		http://$here/v1#here
		http://$here/v1\\\\tx
		http://$here/v1\\\\001
		http://$here/v1\\\\177
		http://$here\\\\\\\\@other.test/v1
		http://a b/v1
		ftp://$here/v1
		file:///etc/passwd
		javascript:alert
		//$here/v1
		$here/v1
		http://
		http:///v1
		http://[::1/v1
		http://$here:80:80/v1
	END
}

# Proxies

@test "https goes through a proxy as a tunnel, which sees neither the key nor the prompt" {
	secure model "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	export SSL_CERT_FILE=$KEYS/ca.pem MC_BASE_URL=https://model.test/v1
	for name in https_proxy HTTPS_PROXY all_proxy ALL_PROXY; do
		run_split env "$name=http://127.0.0.1:$PROXY_PORT" mc-chat 'the prompt'
		assert_status 0
		assert_out hello
	done
	settings "{\"proxy\": \"http://127.0.0.1:$PROXY_PORT\"}"
	run_split mc-chat 'the prompt'
	assert_status 0
	same 'requests' 5 "$(requests)"
	same 'requests of the proxy' '5 CONNECT model.test:443' "$(jq -r '"\(.method) \(.target)"' "$PROXY_LOG" | uniq -c | xargs)"
	refute grep -qi -e canary -e authorization -e 'the prompt' "$PROXY_LOG"
}

@test "a proxy does not make a wrong certificate right" {
	secure other "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	export SSL_CERT_FILE=$KEYS/ca.pem MC_BASE_URL=https://model.test/v1 https_proxy=http://127.0.0.1:$PROXY_PORT
	run_split mc-chat -n -s s hi
	failed_with 'is not trusted'
	untouched
}

# by_proxy yes|no SETTING...: whether the request to http://model.test goes through it
by_proxy() {
	: >"$PROXY_LOG"
	run_split env "${@:2}" mc-chat -n -s s hi
	echo "through the proxy: $*"
	if [[ $1 == yes ]]; then
		assert_status 0
		[[ -s $PROXY_LOG ]]
	else
		assert_status 3
		[[ ! -s $PROXY_LOG ]]
	fi
}

@test "the usual variables choose the proxy, and the hosts to reach without one" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	settings '{"allowHttp": true, "connectTimeout": 1}'
	export MC_BASE_URL=http://model.invalid/v1
	p=http://127.0.0.1:$PROXY_PORT
	by_proxy no
	by_proxy yes http_proxy="$p"
	by_proxy no HTTP_PROXY="$p" # a CGI program's client could set it
	by_proxy no https_proxy="$p"
	by_proxy yes all_proxy="$p"
	by_proxy yes ALL_PROXY="$p"
	by_proxy no http_proxy="$p" no_proxy=model.invalid
	by_proxy no http_proxy="$p" NO_PROXY=other.test,model.invalid
	by_proxy no http_proxy="$p" no_proxy=.invalid
	by_proxy no http_proxy="$p" no_proxy='*'
	by_proxy yes http_proxy="$p" no_proxy=other.test
	by_proxy yes http_proxy="$p" no_proxy='del.invalid, x.model.invalid,model.invalid:80'
	by_proxy no http_proxy="$p" no_proxy='other.test  Model.Invalid.'
	export MC_BASE_URL=http://192.0.2.7/v1 # which nobody has
	by_proxy yes http_proxy="$p" no_proxy=192.0.2.8,192.0.3.0/24,2.7
	for MC_BASE_URL in http://192.0.2.7/v1 http://[2001:db8::7]/v1; do
		by_proxy yes http_proxy="$p"
	done
}

@test "a message names the proxy only when the request went through it" {
	settings '{"allowHttp": true, "connectTimeout": 1, "timeout": 2}'
	export MC_PROVIDER=openai-compatible MC_MODEL=m all_proxy=http://127.0.0.1:1 list
	while read -r host list; do
		MC_BASE_URL=http://$host/v1 no_proxy=$list run_split mc-chat --no-save hi
		assert_status 3
		[[ $err != *proxy* ]] || differs 'no word of a proxy' "$host $list"
	done <<-END
		model.invalid model.invalid
		a.model.invalid .model.invalid
		a.b.model.invalid other.test,model.invalid
		model.invalid *
		127.0.0.1:1 x
		localhost:1 x
		192.0.2.7 192.0.2.7
		192.0.2.7 192.0.2.4/30
		192.0.2.7 0.0.0.0/0
		[2001:db8::7] 2001:db8::/32
		[2001:db8::7] 2001:db8:0::7
	END
	for host in model.invalid xmodel.invalid 192.0.2.7; do
		MC_BASE_URL=http://$host/v1 no_proxy=other.test,192.0.2.8/30,a.model.invalid run_split mc-chat --no-save hi
		assert_status 3
		assert_err_has "through the proxy 'http://127.0.0.1:1'"
	done
	answers "$(refuses 407 '{"error":"who are you?"}')"
	run_split mc-chat --no-save hi
	assert_status 3
	assert_err_has '407: who are you?'
	[[ $err != *proxy* ]]
}

@test "the settings' proxy goes before the variables', and may be none" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	export MC_BASE_URL=http://model.invalid/v1
	p=http://127.0.0.1:$PROXY_PORT
	settings "{\"allowHttp\": true, \"proxy\": \"$p\"}"
	by_proxy yes http_proxy=http://127.0.0.1:1
	settings "{\"allowHttp\": true, \"proxy\": \"$p\", \"noProxy\": \"other.test\"}"
	by_proxy yes no_proxy=model.invalid
	settings "{\"allowHttp\": true, \"proxy\": \"$p\", \"noProxy\": \"model.invalid\"}"
	by_proxy no
	settings '{"allowHttp": true, "proxy": ""}'
	by_proxy no http_proxy="$p"
	by_proxy no all_proxy="$p"
}

@test "what is sent to this machine passes no proxy" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT"
	p=http://127.0.0.1:$PROXY_PORT
	settings "{\"proxy\": \"$p\"}"
	for host in localhost 127.0.0.1 127.1.2.3; do
		MC_BASE_URL=http://$host:$SERVER_PORT/v1 run_split env http_proxy="$p" all_proxy="$p" mc-chat hi
		# Where the server does not listen at 127.1.2.3, the request fails, but it passes no proxy either.
		if [[ $host == 127.1.2.3 ]]; then assert_status 0 3; else assert_out hello; fi
	done
	[[ ! -s $PROXY_LOG ]]
}

@test "a proxy that fails is told, without its password" {
	answers "$(says hello)"
	settings '{"allowHttp": true}'
	for scheme in http https; do
		export MC_BASE_URL=$scheme://model.test/v1
		start_proxy --refuse 403
		export all_proxy=http://user:pass-word@127.0.0.1:$PROXY_PORT
		run_split mc-chat -n -s s hi
		failed_with 403
		stop_proxy
		run_split mc-chat -n -s s hi # down
		failed_with "through the proxy 'http://127.0.0.1:$PROXY_PORT'"
		assert_err_has "$MC_BASE_URL"
		start_proxy --user user:other-word
		export all_proxy=http://user:pass-word@127.0.0.1:$PROXY_PORT
		MC_RETRIES=2 run_split mc-chat -n -s s hi
		failed_with 407
		assert_err_has 'the proxy wants'
		same 'requests of the proxy' 1 "$(grep -c . "$PROXY_LOG")"
		all_proxy=http://user:pass-word@no-such-proxy.invalid:1 run_split mc-chat -n -s s hi
		failed_with no-such-proxy.invalid
		for bad in 'http://user:pass-word@127.0.0.1:99999' 'odd://user:pass-word@127.0.0.1:1' 'user:pass-word@127.0.0.1:x' \
			'http://user:pass-word@[::1' 'http://user:pass-word@' 'http://user:pass-word@ho st:1'; do
			all_proxy=$bad run_split mc-chat -n -s s hi
			failed_with "$MC_BASE_URL"
		done
		no_proxy=other.test all_proxy=http://127.0.0.1:1 run_split mc-chat -n -s s hi
		failed_with "through the proxy 'http://127.0.0.1:1'"
	done
	refute grep -rq pass-word "$MC_SESSIONS_DIR" "$BATS_TEST_TMPDIR/err"
	untouched
}

@test "no message about a proxy shows its password" {
	settings '{"allowHttp": true}'
	export MC_PROVIDER=openai-compatible MC_MODEL=m MC_BASE_URL=https://model.test/v1
	for bad in 'http://user:pass-word@127.0.0.1:99999' 'odd://user:pass-word@127.0.0.1:1' 'user:pass-word@127.0.0.1:x' \
		'http://user:pass-word@[::1' 'http://user:pass-word@' 'http://user:pass-word@ho st:1' 'user:pass-word@' \
		'http://user:pass-word@127.0.0.1:1' 'socks5://user:pass-word@127.0.0.1:1' 'a://b://user:pass-word@c' '@:pass-word@@'; do
		https_proxy=$bad run_split mc-chat --trace trace.jsonl -n -s s hi
		assert_status 3
		refute grep -rq pass-word "$MC_SESSIONS_DIR" "$BATS_TEST_TMPDIR/err" trace.jsonl
	done
}

@test "a proxy that wants a name and password gets them" {
	answers "$(says hello)"
	start_proxy --to "$SERVER_PORT" --user user:pass-word
	settings '{"allowHttp": true}'
	MC_BASE_URL=http://model.test/v1 http_proxy=http://user:pass-word@127.0.0.1:$PROXY_PORT run_split mc-chat hi
	assert_status 0
	assert_out hello
	request | assert_json '.headers | has("proxy-authorization") | not'
}

# Bodies

# The events of a short reply, as bytes.
HELLO='data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

# raw BYTES: a response of exactly these (with printf's escapes)
raw() { jq -nc --arg b "$(printf %b. "$1")" '{raw: true, steps: [{send: $b[:-1]}]}'; }

@test "a body may be chunked, of a length told before, or end with the connection" {
	length=$(printf %b "$HELLO" | wc -c)
	answers "$(raw "HTTP/1.1 200 OK\r\nContent-Length: $((length + 2))\r\n\r\n$HELLO\n\n")" \
		"$(raw "HTTP/1.1 200 OK\r\n\r\n$HELLO")" "$(raw "HTTP/1.0 200 OK\r\n\r\n$HELLO")" \
		"$(says hello | jq -c '.keepalive = true')" \
		"$(raw "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n$HELLO")"
	for _ in 1 2 3 4 5; do
		run_split mc-chat hi
		assert_status 0
		assert_out hello
	done
}

# Servers that take their time

@test "nothing that drips outlasts the limits: heads, refusals, and bodies of refusals" {
	export MC_RETRIES=0
	drip='{"drip":["X-Drip: drip\r\n",0.3]}'
	answers '{"status":500,"steps":[{"send":"no! "},{"drip":["x",0.3]}]}' \
		'{"status":404,"keepalive":true,"steps":[{"drip":["no",0.3]}]}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 500 No\r\n"},'"$drip"']}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 200 OK\r\n"},'"$drip"']}' \
		'{"raw":true,"steps":[{"drip":["HTTP/1.1 100 Continue\r\n\r\n",0.3]}]}' \
		'{"raw":true,"steps":[{"drip":["H",0.3]}]}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n"},'"$drip"']}'
	for why in 'answered 500: no! xx' 'answered 404: no' 'answered 500' 'sent nothing' 'sent nothing' '' 'answered 400: no'; do
		run_split timeout 30 mc-chat --timeout 1 -n -s s hi
		failed_with "$why"
	done
}

@test "a list of models that drips does not hold up the error that it is for" {
	for list in '{"steps":[{"send":"{"},{"drip":[" ",0.3]}]}' '{"status":500,"steps":[{"drip":[" ",0.3]}]}'; do
		server_start '{"responses":['"$(refuses 404 '{"error":{"message":"no such model"}}')"'],"models":['"$list"']}'
		mc-session-new -i s >/dev/null || true # one that a mistyped model made would not be kept
		run_split timeout 30 mc-chat -s s hi
		failed_with 'answered 404: no such model'
		long || break
	done
}

@test "a server that takes hardly anything of a large request is given up" {
	cat >slow.py <<-'PYTHON'
		import socket, sys, time
		s = socket.socket()
		s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		s.bind(("127.0.0.1", 0))
		s.listen()
		print(s.getsockname()[1], flush=True)
		c = s.accept()[0]
		while c.recv(500):
		    time.sleep(.25)
	PYTHON
	mkfifo slow.port
	timeout 60 /usr/bin/python3 slow.py >slow.port 3>&- &
	read -r port <slow.port
	head -c 12000000 /dev/zero | tr '\0' x >large.txt
	export MC_PROVIDER=openai-compatible MC_MODEL=m MC_BASE_URL=http://127.0.0.1:$port/v1 MC_RETRIES=0
	run_split timeout 40 mc-chat --timeout 2 -a large.txt -n -s s hi
	kill $!
	failed_with 'the server takes the request too slowly'
}

# pack CODING: standard input, compressed. br and zstd have no program that is always there: of three
# texts there is what their programs made of them.
pack() {
	local text
	case $1 in
	gzip | x-gzip) gzip -c ;;
	deflate) /usr/bin/python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))' ;;
	br | zstd)
		text=$(cat)
		base64 -d <<<"${PACKED[$1 ${text:0:6}]}"
		;;
	*) cat ;;
	esac
}
declare -gA PACKED=(
	['br data: ']=G1YAYC0K7DZkU5RkpgbtLSbYaymytVcgZK3QxdK3dUTo+qbIVxhswAH7PFD8NIjtgGNicbSeUDa30drcjANZp0+JnGJgyffON90dJgA=
	['zstd data: ']=KLUv/SRXXQIA0gQQEpDPAbaj4efHsf2gz8hCrFnOTgAgUsw4AGSUT+e178tpVavpWSjym4Tu/SvblXMd99WNjR2fvm0LzreOQ6urWAIAmTDNg1sGYtGXAA==
	['br {"erro']=GyQA+I3TFfMjhHWvRfbe3JZOH2zAgUOAWb7cI8zQCzuMIxz7CYIM
	['zstd {"erro']=KLUv/SQlKQEAeyJlcnJvciI6eyJtZXNzYWdlIjoibm8gc3VjaCB0aGluZyJ9fQeXNmI=
	['br {"data']=iwqAeyJkYXRhIjpbeyJpZCI6Im0xIn1dfQM=
	['zstd {"data']=KLUv/SQWsQAAeyJkYXRhIjpbeyJpZCI6Im0xIn1dfXgAqNY=
)

# packed CODING STATUS TEXT [HEADER]: a response of this text, in this coding
packed() {
	# shellcheck disable=SC2059
	jq -nc --arg b "$(printf "$3" | pack "$1" | base64 -w 0)" --argjson s "$2" --arg c "${4-$1}" \
		'{status: $s, headers: {"Content-Encoding": $c}, steps: [{send_base64: $b}]}'
}

FINE='data: {"choices":[{"delta":{"content":"fine"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
NO='{"error":{"message":"no such thing"}}'

# can CODING: whether the libcurl here decodes it. mc-chat says so, too: for one that it should, it
# must.
can() {
	local feature=$1
	case $1 in gzip | x-gzip | deflate) feature=libz ;; br) feature=brotli ;; esac
	curl -V 2>/dev/null | grep -q "^Features:.* $feature" || ! command -v curl >/dev/null
}

@test "only identity is asked for; a compressed answer is decoded, a refusal and a list of models, too" {
	for code in gzip x-gzip GZip deflate br zstd identity; do
		c=${code,,}
		answers "$(packed "$c" 200 "$FINE" "$code")"
		run_split mc-chat --no-save hi
		if ! can "$c" && [[ $c != identity ]]; then
			assert_status 3
			assert_err_has "compressed answer ($code), which libcurl does not decode here"
			continue
		fi
		assert_status 0
		assert_out fine
		assert_err_empty
		same 'asked for' identity "$(request | jq -r '.headers["accept-encoding"]')"
		answers "$(packed "$c" 400 "$NO" "$code")"
		run_split mc-chat --no-save hi
		assert_status 3
		assert_err_has 'the server answered 400: no such thing'
		server_start "{\"models\":[$(packed "$c" 200 '{"data":[{"id":"m1"}]}' "$code")]}"
		run_split mc-models
		assert_status 0
		has 'models' "$out" m1
	done
}

@test "a coding that libcurl does not know, or that is not what it says, is told" {
	for code in compress lzma 'gzip, moon' moon; do
		answers "$(packed none 200 "$FINE" "$code")" "$(packed none 401 "$NO" "$code")"
		MC_RETRIES=2 run_split mc-chat -n -s s hi
		failed_with "compressed answer ($code), which libcurl does not decode here"
		assert_out_empty
		same 'requests' 1 "$(requests)"
		run_split mc-chat -n -s s hi
		failed_with 'the server answered 401: its message is compressed'
		assert_err_has 'OPENAI_COMPATIBLE_API_KEY'
	done
	answers "$(packed none 200 "$FINE" gzip)" "$(packed none 500 "$NO" gzip)"
	MC_RETRIES=2 run_split mc-chat -n -s s hi
	failed_with 'compressed answer that cannot be read'
	same 'requests' 1 "$(requests)"
	MC_RETRIES=0 run_split mc-chat -n -s s hi
	failed_with 500
	refute grep -qP '[^[:print:]\n]' "$BATS_TEST_TMPDIR/err"
	answers "$(says hello | jq -c '.headers = {"Transfer-Encoding": "gzip"}')"
	run_split mc-chat -n -s s hi
	failed_with 'compressed answer' # new versions of libcurl look at the head first
	assert_err_has '(gzip)'
}

@test "a compressed stream is shown as it arrives" {
	answers "$(jq -nc --arg a "$(printf 'data: {"choices":[{"delta":{"content":"alpha "}}]}\n\n' |
		/usr/bin/python3 -c 'import sys, zlib
c = zlib.compressobj(wbits=31)
sys.stdout.buffer.write(c.compress(sys.stdin.buffer.read()) + c.flush(zlib.Z_SYNC_FLUSH))' | base64 -w 0)" \
		'{headers: {"Content-Encoding": "gzip"}, steps: [{send_base64: $a}, {hang: true}]}')"
	start_chat --no-save hi
	holds chat.out 'alpha '
	kill -INT "$CHAT"
	end_chat
	same 'exit status' 130 "$status"
}

@test "a refusal that never ends, or breaks off, is told like another" {
	answers '{"status":400,"steps":[{"fill":["no! ",null]}]}' \
		'{"status":400,"steps":[{"send":"no! "},{"reset":true}]}' \
		'{"status":400,"steps":[{"send":"no! "},{"hang":true}]}' \
		'{"status":400,"headers":{"Content-Length":"5000"},"steps":[{"send":"no! "}]}'
	for _ in 1 2 3 4; do
		MC_RETRIES=2 run_split timeout 60 mc-chat --timeout 1 -n -s s hi
		failed_with 'answered 400: no!'
	done
	same 'requests' 4 "$(requests)"
}

# Times

@test "a server that takes no connection is given up after connectTimeout" {
	cat >full.py <<-'PY'
		import socket, sys
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen(0)
		fill = []
		for _ in range(8):
		    c = socket.socket()
		    c.setblocking(False)
		    c.connect_ex(s.getsockname())
		    fill.append(c)
		print(s.getsockname()[1], flush=True)
		sys.stdin.read()
	PY
	mkfifo port
	timeout 60 /usr/bin/python3 full.py >port 3>&- < <(exec tail -f /dev/null --pid=$$) &
	OTHER_PID=$!
	read -r number <port
	settings '{"connectTimeout": 1}'
	export MC_PROVIDER=openai-compatible MC_MODEL=m MC_BASE_URL=http://127.0.0.1:$number/v1
	start=$SECONDS
	run_split mc-chat -n -s s hi
	failed_with "$MC_BASE_URL"
	[[ ${err,,} == *timeout* || ${err,,} == *'timed out'* ]]
	((SECONDS - start <= 5))
}

@test "keep-alives alone are no reply: six idle times are enough" {
	answers "$(stream '{"text":"so far"}' '{"drip":[": ping\n\n",0.2]}')" '{"steps":[{"drip":["data: {\"choices\":[]}\n\n",0.2]}]}'
	start=$SECONDS
	for text in 'so far' ''; do
		run_split timeout 60 mc-chat --timeout 1 -n -s s hi
		failed_with 'the server sent nothing of the reply for'
		assert_out "$text"
		same 'answer' "$text" "$(exchange s .answer)"
		((SECONDS - start >= 5 && SECONDS - start <= 18))
		start=$SECONDS
		long || break
	done
}

@test "a line, a body or a head that comes byte by byte for ever comes to an end" {
	answers "$(stream '{"drip":["x",0.3]}')" '{"steps":[{"send":"{\"a\":\""},{"drip":["x",0.3]}]}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 200 OK\r\nX: "},{"drip":["x",0.3]}]}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 200 OK\r\n"},{"drip":["X: y\r\n",0.3]}]}'
	for n in 1 2 3 4; do
		((n < 3)) || long || break
		run_split timeout 60 mc-chat --timeout 1 -n -s s hi
		failed_with 'the server sent nothing'
	done
}

# Amounts

@test "a line or an event without an end costs 16 MB, and ends the turn" {
	answers "$(stream '{"text":"so far"}' '{"fill":["x",null]}')" "$(stream '{"text":"so far"}' '{"fill":["data: xxxxxxxxxxxxxxxxxxx\n",null]}')"
	for what in line event; do
		peak mc-chat -n -s s hi
		failed_with "the server sent $([[ $what == line ]] && echo a line || echo an event) of more than 16 MB"
		assert_out 'so far'
		same 'answer' 'so far' "$(exchange s .answer)"
		within 64 # the line, the buffer that doubles, the event
	done
}

@test "a body of JSON without an end costs 16 MB, and ends the turn" {
	answers '{"steps":[{"send":"{\"a\":\""},{"fill":["x",null]}]}'
	peak mc-chat -n -s s hi
	failed_with 'larger than 16 MB'
	within 40
}

@test "a head without an end ends the turn" {
	answers '{"header_bytes":100000000,"steps":[]}' \
		'{"raw":true,"steps":[{"fill":["HTTP/1.1 100 Continue\r\nX-Filling: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n",null]}]}' \
		'{"raw":true,"steps":[{"send":"HTTP/1.1 200 OK\r\nX: "},{"fill":["x",null]}]}'
	for _ in 1 2; do
		peak mc-chat -n -s s hi
		failed_with 'of headers'
		within 16
	done
	peak mc-chat -n -s s hi
	failed_with 'a line of its head is too long'
	within 16
}

@test "a limit of libcurl's is not called out of memory: in the status line, in the head, at the end" {
	local head='HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n'
	local begin='data: {\"choices\":[{\"delta\":{\"content\":\"so far\"}}]}\n\n'
	answers '{"raw":true,"steps":[{"send":"HTTP/1.1 200 "},{"fill":["x",300000]},{"send":"\r\n\r\n"}]}' \
		"{\"raw\":true,\"steps\":[{\"send\":\"${head}X: \"},{\"fill\":[\"x\",300000]},{\"send\":\"\r\n\r\n\"}]}" \
		"{\"raw\":true,\"steps\":[{\"send\":\"$head\r\n34\r\n$begin\r\n0\r\nX: \"},{\"fill\":[\"x\",300000]},{\"send\":\"\r\n\r\n\"}]}"
	for _ in 1 2; do
		run_split mc-chat -n -s s hi
		failed_with 'a line of its head is too long'
		[[ $err != *[Oo]'ut of memory'* ]] || differs 'standard error without' 'out of memory'
	done
	run_split mc-chat -n -s s hi
	failed_with 'what ends the answer is too long'
	same 'answer' 'so far' "$(exchange s .answer)"
	[[ $err != *[Oo]'ut of memory'* ]] || differs 'standard error without' 'out of memory'
}

@test "a hundred thousand brackets are refused as an event, and as a body" {
	answers "$(stream '{"text":"so far"}' '{"send":"data: {\"a\":"}' '{"fill":["[",100000]}' '{"send":"\n\n"}')" \
		"$(stream '{"text":"so far"}' '{"send":"data: "}' '{"fill":["{\"a\":",500000]}' '{"send":"\n\n"}')"  \
		'{"steps":[{"send":"{\"a\":"},{"fill":["[",100000]},{"fill":["]",100000]},{"send":"}"}]}'
	for _ in 1 2 3; do
		peak mc-chat -n -s s hi
		failed_with malformed
		within 16
	done
}

@test "bytes that are no UTF-8, and NULs, are stored as characters, and the session stays readable" {
	bad=$(printf 'data: {"choices":[{"delta":{"content":"a\xff\xfe\xc3\xed\xa0\x80z"}}]}\n\n' | base64 -w0)
	nul=$(printf 'data: {"choices":[{"delta":{"content":"a\\u0000b\\ud800c"}}]}\n\n' | base64 -w0)
	raw=$(printf 'data: {"choices":[{"delta":{"content":"a\0b"}}]}\n\n' | base64 -w0)
	answers "$(stream "{\"send_base64\":\"$bad\"}" "{\"send_base64\":\"$nul\"}" "{\"send_base64\":\"$raw\"}" "$END")"
	run_split mc-chat -n -s s hi
	assert_status 0
	same 'answer' 'a����za\u0000b�ca\u0000b' "$(exchange s '.answer | tojson | .[1:-1]')"
	run_split mc-session-fsck s
	assert_status 0
	same 'exchanges' 1 "$(count s)"
}

@test "a bomb of compressed zeros goes off nowhere" {
	bomb='{"gzip":true,"steps":[{"fill":["0",200000000]}]}'
	answers "$bomb" "$(jq -c '.headers = {"Transfer-Encoding":"gzip","Content-Encoding":"identity"}' <<<"$bomb")" \
		"$(jq -c '.headers = {"Content-Encoding":"identity"}' <<<"$bomb")" \
		"$(jq -c '.steps = [{send: "{\"a\":\""}] + .steps' <<<"$bomb")" "$(jq -c '.status = 400' <<<"$bomb")"
	for why in 'a line of more than 16 MB' 'compressed answer' 'not a model'\''s reply' 'larger than 16 MB' \
		'answered 400: 0000'; do
		peak mc-chat -n -s s hi
		failed_with "$why"
		within 64
	done
	server_start "{\"models\":[$bomb]}"
	peak mc-models
	assert_status 3
	assert_err_has 'larger than'
	within 64
}

# a_large_reply PIECE BYTES: a response that is so large, with what JSON escapes
a_large_reply() {
	jq -nc --arg p "$1" --argjson n "$2" '("data: " + ({choices: [{delta: {content: $p}}]} | tojson) + "\n\n") as $e |
		{steps: [{repeat: ($n / ($p | utf8bytelength) | floor), steps: [{send: $e}]},
			{finish: "stop"}, {done: true}]}'
}

@test "a large reply is stored as it was shown, whatever is in it" {
	piece=$(for i in {1..700}; do printf 'aé"\\\t\001日🎉%s\177' "$i"; done)
	answers "$(a_large_reply "$piece" 5000000)"
	run_split mc-chat -n -s s hi
	assert_status 0
	(($(stat -c %s "$BATS_TEST_TMPDIR/out") > 4900000))
	jq -r 'select(.type == "exchange").answer' "$(history s)" | cmp - "$BATS_TEST_TMPDIR/out"
	for _ in {1..200}; do printf %s "$piece"; done >prompt
	run_split mc-session-fsck s
	assert_status 0
	# The large prompt of the next turn, too, and large reasoning.
	answers "$(a_large_reply "$piece" 2000000 | jq -c '.steps = [.steps[0].steps[0] as $s | {repeat: 200, steps: [$s |
		.send |= sub("content"; "reasoning_content")]}] + .steps')"
	run_split mc-chat -s s <prompt
	assert_status 0
	same 'query' "$(sha256sum <prompt)" "$(jq -jn '[inputs | select(.type == "exchange")][-1].query' "$(history s)" | sha256sum)"
	same 'reasoning' "$(for i in {1..200}; do printf %s "$piece"; done | sha256sum)" \
		"$(jq -jn '[inputs | select(.type == "exchange")][-1].reasoning' "$(history s)" | sha256sum)"
	jq -rn '[inputs | select(.type == "exchange")][-1].answer' "$(history s)" | cmp - "$BATS_TEST_TMPDIR/out"
	run_split mc-session-fsck s
	assert_status 0
}

@test "a large reply that the disk has no room for is shown, told, and harms nothing" {
	answers "$(says hello)" "$(a_large_reply "$(printf 'x%.0s' {1..4000})" 8000000)" "$(says hello)"
	mc-chat -n -s s first >/dev/null
	run_split bash -c "ulimit -f 5000; env --default-signal=XFSZ mc-chat -s s second | wc -c; exit \${PIPESTATUS[0]}"
	assert_status 74
	assert_err_has "cannot store the exchange in session 's': cannot write: File too large"
	assert_out 8000001
	run_split mc-chat -s s third
	assert_status 0
	assert_out hello
	same 'whole ones' 'first third' "$(mc-session-cat --json s 2>/dev/null |
		jq -r 'select(.status == "complete").query' | xargs)"
}
