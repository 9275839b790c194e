# shellcheck shell=bash
#
# What the tests of the context window share, on top of wire.bash: conversations of a known
# size, and what was sent of them.

# words N: a text of N tokens, as they are estimated.
words() {
	local text
	printf -v text '%*s' "$1" ''
	printf '%s' "${text// /wor }"
}

# uuid N: the id of exchange N.
uuid() { printf '018bcfe5-6800-7000-8000-%012d\n' "$1"; }

# held ID N [TOKENS]: a session with N exchanges of so many tokens each, 400 if not said; their
# queries begin with "ask 1 ", "ask 2 " and so on, their answers with "reply 1 ".
held() (
	umask 077
	mkdir -p "$MC_SESSIONS_DIR/$1"
	jq -nc --arg id "$1" --argjson n "$2" --arg w "$(words $((${3-400} / 2)))" '
		{type: "session", version: 1, id: $id, createdAt: 1700000000000, cwd: "/",
			provider: "openai-compatible", model: "test-model"},
		(range(1; $n + 1) | {type: "exchange",
			id: ("018bcfe5-6800-7000-8000-" + ("00000000000\(.)" | .[-12:])),
			timestamp: (1700000000000 + 1000 * .), query: "ask \(.) \($w)", answer: "reply \(.) \($w)",
			summary: null, model: "test-model", status: "complete", duration: 5, tokenUsage: null})' \
		>"$(history "$1")"
)

# held_steps ID N: the same with about 700 tokens each, and with two steps of one call, whose results
# begin with "found 1.0 ", "found 1.1 " and so on.
held_steps() (
	umask 077
	mkdir -p "$MC_SESSIONS_DIR/$1"
	jq -nc --arg id "$1" --argjson n "$2" --arg w "$(words 90)" '
		def uuid: "018bcfe5-6800-7000-8000-" + ("00000000000\(.)" | .[-12:]);
		{type: "session", version: 1, id: $id, createdAt: 1700000000000, cwd: "/",
			provider: "openai-compatible", model: "test-model"},
		(range(1; $n + 1) as $i | ((range(2) | ({type: "step", exchange: ($i | uuid), n: .,
				timestamp: (1700000000000 + 1000 * $i), text: "look",
				calls: [{id: "call-\($i).\(.)", name: "run", arguments: {text: $w}}],
				model: "test-model", duration: 5, tokenUsage: null},
			{type: "result", exchange: ($i | uuid), n: ., call: "call-\($i).\(.)",
				timestamp: (1700000000000 + 1000 * $i), status: "ok", exitStatus: 0, duration: 5,
				output: "found \($i).\(.) \($w)"})),
			{type: "exchange", id: ($i | uuid), parent: (if $i == 1 then null else $i - 1 | uuid end),
				timestamp: (1700000000000 + 1000 * $i), query: "ask \($i) \($w)",
				answer: "reply \($i) \($w)", summary: null, model: "test-model", status: "complete",
				steps: 2, duration: 5, tokenUsage: null}))' \
		>"$(history "$1")"
)

# sent_steps: of each exchange that the last request held, its number, and those of its results as
# calls=results where each result follows its call.
sent_steps() {
	request | jq -r '.body.messages | map(
		if .role == "user" then (.content | (capture("(^|\n\n)ask (?<n>[0-9]+) ").n // "."))
		elif .tool_calls then [.tool_calls[] | .id[5:]] | join(",")
		elif .role == "tool" then "=" + .tool_call_id[5:] else empty end) | join(" ")'
}

# summary N [TEXT]: a summary of all up to exchange N.
summary() {
	jq -nc --arg to "$(uuid "$1")" --arg t "${2-They spoke.}" \
		'{type: "summary", timestamp: 1700000500000, upTo: $to, text: $t, model: "test-model"}'
}

# rewind N: back to exchange N.
rewind() { printf '{"type":"rewind","timestamp":1700000900000,"to":"%s"}\n' "$(uuid "$1")"; }

# sent [N]: what the N-th request held, in short: the numbers of the exchanges, -K- where K
# are said to be missing, S for a summary, a full stop for any other prompt.
sent() {
	request "$@" | jq -r '[.body.messages[] | select(.role == "user") | .content |
		((capture("^\\[(?<k>[0-9]+) exchanges? left out\\]\n\n") | "-\(.k)-") // empty),
		if test("This is a summary of it") then "S" else
			((capture("(^|\n\n)ask (?<n>[0-9]+) ") | .n) // ".") end] | join(" ")'
}

# tells TEXT INPUT OUTPUT: a reply with these figures.
tells() {
	stream "$(jq -nc --arg t "$1" '{text: $t}')" '{"finish":"stop"}' \
		"$(jq -nc --argjson i "$2" --argjson o "$3" '{usage: {prompt_tokens: $i, completion_tokens: $o, total_tokens: ($i + $o)}}')" \
		'{"done":true}'
}

# requests: how many there were.
requests() { wc -l <"$SERVER_LOG"; }
