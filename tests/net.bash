# shellcheck shell=bash disable=SC2034 # the variables are for the tests
#
# What the tests of the network share, on top of wire.bash: certificates, servers that
# speak TLS, proxies, and a look at how much memory was used.

# A file that makes certificates makes them once, in its setup_file.

# quietly CMD...: its output is shown only if it fails.
quietly() {
	local said status=0
	said=$("$@" 2>&1) || status=$?
	((status == 0)) && return
	echo "status $status: $*"
	echo "$said"
	return 1
}

# make_self_signed NAME SUBJECT [OPTION...]: keys/NAME.pem, valid from now on
make_self_signed() {
	quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$2" -keyout "keys/$1.key" -out "keys/$1.pem" "${@:3}"
}

# make_authority NAME: the certificate of an authority, and what "openssl ca" needs to know of it
make_authority() {
	make_self_signed "$1" "mcbox test $1"
	: >"keys/$1.issued"
	cat >"keys/$1.conf" <<-END
		[ca]
		default_ca = authority
		[authority]
		certificate = keys/$1.pem
		private_key = keys/$1.key
		database = keys/$1.issued
		new_certs_dir = keys
		rand_serial = yes
		unique_subject = no
		default_md = sha256
		default_days = 2
		copy_extensions = copyall
		policy = names
		[names]
		commonName = supplied
	END
}

# make_certificate NAME AUTHORITY ALT-NAMES [FROM TO]: keys/NAME.pem, signed by that authority and
# valid from FROM to TO (YYYYMMDDHHMMSSZ), or from now on. Every version of "openssl ca" takes
# these dates; "openssl x509" knows them from 3.4 on, and since then refuses -days -1.
make_certificate() {
	local dates=()
	(($# == 3)) || dates=(-startdate "$4" -enddate "$5")
	quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-addext "subjectAltName=$3" -keyout "keys/$1.key" -out "keys/$1.csr"
	quietly openssl ca -batch -notext -config "keys/$2.conf" "${dates[@]}" \
		-in "keys/$1.csr" -out "keys/$1.pem"
}

# make_keys: all that the tests need, in keys/ of the file's own directory; KEYS is where
make_keys() {
	cd "$BATS_FILE_TMPDIR" || return
	mkdir -p keys
	make_authority ca
	make_certificate here ca 'DNS:localhost,IP:127.0.0.1'
	make_certificate model ca 'DNS:model.test'
	make_certificate other ca 'DNS:other.test'
	make_certificate past ca 'DNS:localhost,IP:127.0.0.1' 20200101000000Z 20200102000000Z
	make_self_signed self localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'
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
	/usr/bin/python3 -IS "$ROOT/tests/proxy.py" --parent $$ "$@" "$PROXY_LOG" >"$dir/proxy.port" 3>&- &
	PROXY_PID=$!
	read -rt 60 PROXY_PORT <"$dir/proxy.port" && return
	echo 'the proxy did not start, or not within 60 s'
	return 1
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
