# shellcheck shell=bash disable=SC2034 # the variables are for the tests
#
# What the tests of mc-chat share, on top of helper.bash: answers of the scripted
# server in short, its log, and a look at what was stored.

# The two last steps of a reply that is complete.
END='{"finish":"stop"},{"done":true}'

# stream STEP...: prints a response of these steps.
stream() {
	local IFS=,
	printf '{"steps":[%s]}' "$*"
}

# says TEXT: prints a response that is a complete reply.
says() {
	local text=$1
	if [[ $text == *[[:cntrl:]]* ]]; then
		text=$(jq -nc --arg t "$text" '$t')
	else # without jq, which takes its time to start
		text=${text//\\/\\\\}
		text=\"${text//\"/\\\"}\"
	fi
	stream "{\"text\":$text}" "$END"
}

# refuses STATUS BODY [TYPE]: prints a response of that HTTP status.
refuses() {
	jq -nc --argjson s "$1" --arg b "$2" --arg t "${3:-application/json}" \
		'{status: $s, headers: {"Content-Type": $t}, steps: [{send: $b}]}'
}

# answers RESPONSE...: starts a server that gives these, the last one again and again.
answers() {
	local IFS=,
	server_start "{\"responses\":[$*]}"
}

# request [N]: prints what the server logged of the N-th request; the last one.
request() { sed -n "${1:-\$}p" "$SERVER_LOG"; }

# messages [N]: prints the messages of that request, as "role: content" lines.
messages() { request "$@" | jq -r '.body.messages[] | "\(.role): \(.content)"'; }

# exchange ID [FILTER]: prints the last exchange of a session, or a part of it.
exchange() {
	jq -rs "map(select(.type == \"exchange\"))[-1] // error(\"no exchange\") | ${2:-.}" "$(history "$1")"
}

# count ID [TYPE]: prints how many records a history holds.
count() {
	jq -s --arg t "${2:-exchange}" 'map(select(.type == $t)) | length' "$(history "$1")"
}

# sessions: prints how many there are on the disk, whatever the index says.
sessions() { find "$MC_SESSIONS_DIR" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | wc -l; }

# start_chat ARG...: runs mc-chat in the background, its output in chat.out and chat.err.
# Sets CHAT. (The shell lets background commands ignore SIGINT; this undoes it.)
start_chat() {
	env --default-signal=INT mc-chat "$@" >chat.out 2>chat.err 3>&- &
	CHAT=$!
}

# end_chat: waits for it and sets status, out and err.
# shellcheck disable=SC2034
end_chat() {
	status=0
	wait "$CHAT" || status=$?
	CHAT=
	out=$(<chat.out)
	err=$(<chat.err)
}

# holds FILE TEXT [SECONDS]: until it does.
holds() {
	poll "${3:-30}" grep -sqF -e "$2" "$1" && return
	echo "'$1' did not come to hold '$2':"
	cat "$1"
	return 1
}

# trace FILE SYSCALLS CMD...: runs CMD under strace.
trace() {
	local file=$1 calls=$2
	shift 2
	command -v strace >/dev/null || skip 'strace is not installed'
	# The leak check of a sanitized build does not work under a tracer.
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 200 -e trace="$calls" -o "$file" "$@"
}
