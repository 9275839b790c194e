# shellcheck shell=bash disable=SC2034 # the variables are for the tests
#
# What the tests of the network share, on top of wire.bash: certificates, servers that
# speak TLS, proxies, and a look at how much memory was used.

# A file that makes certificates has them made once, in its setup_file.

# make_authority NAME: a certificate of an authority, in keys/NAME.pem
make_authority() {
	mkdir -p keys
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=mcbox test $1" -keyout "keys/$1.key" -out "keys/$1.pem" 2>/dev/null
}

# make_certificate NAME AUTHORITY ALT-NAMES [OPTION...]: keys/NAME.pem, of that authority
make_certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-addext "subjectAltName=$3" -keyout "keys/$1.key" -out "keys/$1.csr" 2>/dev/null
	openssl x509 -req -in "keys/$1.csr" -CA "keys/$2.pem" -CAkey "keys/$2.key" -CAcreateserial \
		-copy_extensions copyall -days 2 -out "keys/$1.pem" "${@:4}" 2>/dev/null
}

# make_keys: all that the tests need, in keys/ of the file's own directory; KEYS is where
make_keys() {
	cd "$BATS_FILE_TMPDIR" || return
	make_authority ca
	make_certificate here ca 'DNS:localhost,IP:127.0.0.1'
	make_certificate model ca 'DNS:model.test'
	make_certificate other ca 'DNS:other.test'
	make_certificate past ca 'DNS:localhost,IP:127.0.0.1' -days -1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout keys/self.key -out keys/self.pem 2>/dev/null
	export KEYS=$BATS_FILE_TMPDIR/keys
}

# secure CERTIFICATE RESPONSE...: a server with TLS, as answers() starts one without
secure() {
	SERVER_OPTIONS=(--tls "$KEYS/$1.pem" "$KEYS/$1.key")
	answers "${@:2}"
	SERVER_OPTIONS=()
	MC_BASE_URL=https://localhost:$SERVER_PORT/v1
}

# settings JSON: the config file
settings() {
	mkdir -p "$HOME/.config/mcbox"
	printf '%s\n' "$1" >"$HOME/.config/mcbox/config.json"
}

# start_proxy OPTION...: Sets PROXY_PORT and PROXY_LOG.
start_proxy() {
	local dir=$BATS_TEST_TMPDIR
	stop_proxy
	PROXY_LOG=$dir/proxy.jsonl
	rm -f "$dir/proxy.port"
	: >"$PROXY_LOG"
	mkfifo "$dir/proxy.port"
	/usr/bin/python3 "$ROOT/tests/proxy.py" --parent $$ "$@" "$PROXY_LOG" >"$dir/proxy.port" 3>&- &
	PROXY_PID=$!
	read -r PROXY_PORT <"$dir/proxy.port"
}

stop_proxy() {
	[[ ${PROXY_PID-} ]] || return 0
	kill "$PROXY_PID" || true
	wait "$PROXY_PID" || true
	PROXY_PID=
}

# requests: how many the server logged
requests() { grep -c . "$SERVER_LOG" || true; }

# untouched: nothing at all reached the server
untouched() {
	[[ ! -s $SERVER_LOG ]] && return
	echo 'the server got:'
	cat "$SERVER_LOG"
	return 1
}

# peak CMD...: as run_split; sets peak, the memory that it had at most, in KB
peak() {
	run_split /usr/bin/python3 -c '
import os, resource, sys
pid = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(status)' "$BATS_TEST_TMPDIR/peak" "$@"
	peak=$(<"$BATS_TEST_TMPDIR/peak")
}

# within MB: the peak was no more than so much over a short turn's, which is about 12 MB
within() {
	[[ ${MCBOX_BIN_DIR-} == */sanitize ]] && return # a sanitizer uses memory of its own
	((peak <= (16 + $1) * 1024)) && return
	echo "used $peak KB, and should not use more than $(((16 + $1) * 1024))"
	return 1
}
