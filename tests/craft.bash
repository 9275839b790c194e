# shellcheck shell=bash

# Stores made by hand, and questions to them: "load craft" after "load helper".

TOOLS=(mc-chat mc-models mc-session-cat mc-session-compact mc-session-fsck mc-session-ls mc-session-new mc-session-rm)
export TOOLS

# say ID WORDS...: a stored turn with the echo provider, the session made when missing.
say() { mc-chat --no-stdin -p echo -n -s "$1" "${*:2}" >/dev/null; }

# new ID [ARG...]: a session with the echo provider.
new() { mc-session-new -p echo -i "$@" >/dev/null; }

# craft ID LINE...: a history of these lines, whatever they are.
craft() (
	umask 077
	mkdir -p "$MC_SESSIONS_DIR/$1"
	printf '%s\n' "${@:2}" >"$(history "$1")"
)

# head ID [MEMBERS]: a session record; MEMBERS begin with a comma.
head_of() {
	printf '{"type":"session","version":1,"id":"%s","createdAt":1700000000000,"cwd":"/","provider":"echo","model":"echo"%s}\n' \
		"$1" "${2-}"
}

# exchange N [STATUS [MEMBERS]]: the exchange with the query "ask N" and the answer "reply N".
exchange() {
	printf '{"type":"exchange","id":"018bcfe5-6800-7000-8000-%012d","timestamp":%d,"query":"ask %s","answer":"reply %s","summary":null,"model":"echo","status":"%s","duration":5,"tokenUsage":{"inputTokens":2,"outputTokens":3,"totalTokens":5}%s}\n' \
		"$1" "$((1700000000000 + 1000 * $1))" "$1" "$1" "${2-complete}" "${3-}"
}

# exchanges_to N: the exchanges 1 to N. (bats makes each turn of a shell's loop slow.)
exchanges_to() {
	jq -nc --argjson n "$1" 'range(1; $n + 1) | {type: "exchange",
		id: ("018bcfe5-6800-7000-8000-" + ("00000000000\(.)" | .[-12:])), timestamp: (1700000000000 + 1000 * .),
		query: "ask \(.)", answer: "reply \(.)", summary: null, model: "echo", status: "complete", duration: 5,
		tokenUsage: {inputTokens: 2, outputTokens: 3, totalTokens: 5}}'
}

# uuid N: the id of exchange N.
uuid() { printf '018bcfe5-6800-7000-8000-%012d\n' "$1"; }

# rewind [N]: back to exchange N, or to before all.
rewind() {
	local to=null
	(($# == 0)) || to="\"$(uuid "$1")\""
	printf '{"type":"rewind","timestamp":1700000900000,"to":%s}\n' "$to"
}

# listed ID: the session's object in the list.
listed() { mc-session-ls --json | jq -c --arg id "$1" 'select(.id == $id)'; }

# queries ID: the queries of the conversation, as mc-session-cat shows them.
queries() { mc-session-cat "$1" 2>/dev/null | sed -n 's/^> //p' | paste -sd, -; }

# stored ID: the queries of all exchanges on the disk.
stored() { jq -r 'select(.type == "exchange").query' "$(history "$1")"; }

# mode FILE: its permissions, in octal.
mode() { stat -c %a "$1" 2>/dev/null || stat -f %Lp "$1"; }
