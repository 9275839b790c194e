# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load craft

# The JSON Schema files against real output, by a validator that is not ours.

setup() {
	fresh
	PYTHON=${PYTHON:-/usr/bin/python3}
	"$PYTHON" -W ignore -c 'import jsonschema' 2>/dev/null || skip 'python3-jsonschema is not installed'
}

# validate KIND FILE: prints the number of each line that the schema refuses, with the reason.
validate() {
	"$PYTHON" -W ignore - "$ROOT/man/mc-session-$1.schema.json" "$2" <<-'EOF'
		import json, sys
		from jsonschema.validators import validator_for
		with open(sys.argv[1], encoding="utf-8") as f:
		    schema = json.load(f)
		kind = validator_for(schema)
		kind.check_schema(schema)
		seen = 0
		for number, line in enumerate(open(sys.argv[2], encoding="utf-8"), 1):
		    seen += 1
		    for error in kind(schema).iter_errors(json.loads(line)):
		        print(f"{number}: {error.message[:300]}")
		        break
		if not seen:
		    print("nothing to validate")
	EOF
}

# valid KIND FILE
valid() {
	local found
	[[ -s $2 ]]
	found=$(validate "$1" "$2")
	same "no complaint about $2" '' "$found"
}

# refused KIND LINE...: the schema takes none of them.
refused() {
	local kind=$1
	shift
	printf '%s\n' "$@" >refused.jsonl
	same "complaints about $kind records" "$(seq $#)" "$(validate "$kind" refused.jsonl | cut -d : -f 1)"
}

@test "schema: session, exchange and change records that the tools wrote" {
	mc-session-new -p echo -i a -m m -t 'A "title"' -S 'be brief' --meta k=v --meta 'two words=' >/dev/null
	new bare
	mc-session-new -i default >/dev/null
	say a $'first \e 🐱\n'
	mc-chat --no-stdin -s a -m other -t 'new title' second >/dev/null
	for id in a bare default; do
		valid history "$(history "$id")"
	done
	same types 'session,exchange,change,exchange' "$(jq -r .type "$(history a)" | paste -sd, -)"
}

@test "schema: interrupted and failed exchanges that the tools wrote" {
	new a
	printf '%s\nhalf' "$(exchange 1 | jq -c '{type, id, timestamp, query, model}')" >"$MC_SESSIONS_DIR/a/turn.partial"
	mc-session-cat a >/dev/null
	mc-session-new -i b -p openai-compatible -m m >/dev/null
	run_split env MC_BASE_URL=http://127.0.0.1:1/v1 mc-chat --no-stdin -s b hello
	assert_status 3
	same statuses $'interrupted\nerror' "$(jq -r 'select(.type == "exchange").status' "$(history a)" "$(history b)")"
	valid history "$(history a)"
	valid history "$(history b)"
}

@test "schema: rewind and summary records, unknown types and unknown members" {
	craft a "$(head_of a ',"later":[1]')" "$(exchange 1 complete ',"reasoning":"r","finishReason":"stop","later":{}')" \
		"$(rewind 1)" "$(rewind)" \
		"{\"type\":\"summary\",\"timestamp\":1700000000000,\"upTo\":\"$(uuid 1)\",\"text\":\"t\",\"model\":\"m\"}" \
		'{"type":"summary","timestamp":1,"upTo":"x","text":"","model":"m","tokenUsage":{"inputTokens":1},"later":1}' \
		"$(exchange 2 complete ',"leftOut":3')" "$(exchange 3 complete ',"leftOut":null')" '{"type":"marvel","x":1}'
	valid history "$(history a)"
}

# tools_used: an exchange whose model called two tools, with its step and the results.
tools_used() {
	printf '%s\n' \
		"{\"type\":\"step\",\"exchange\":\"$(uuid 1)\",\"n\":0,\"timestamp\":1700000000500,\"text\":\"\",\"reasoning\":\"r\",\"calls\":[{\"id\":\"c1\",\"name\":\"sum\",\"arguments\":{\"of\":[1,2]}},{\"id\":\"c2\",\"name\":\"ls\",\"arguments\":{}}],\"model\":\"m\",\"duration\":7,\"tokenUsage\":{\"inputTokens\":1,\"cacheWriteInputTokens\":1,\"cost\":1.5e-3},\"native\":{\"provider\":\"p\",\"model\":\"m\",\"items\":[{\"type\":\"reasoning\"}]}}" \
		"{\"type\":\"result\",\"exchange\":\"$(uuid 1)\",\"n\":0,\"call\":\"c1\",\"timestamp\":1700000000600,\"status\":\"ok\",\"exitStatus\":0,\"duration\":3,\"output\":\"3\"}" \
		"{\"type\":\"result\",\"exchange\":\"$(uuid 1)\",\"n\":0,\"call\":\"c2\",\"timestamp\":1700000000700,\"status\":\"timeout\",\"duration\":null,\"output\":\"a…z\",\"artifact\":\"$(printf '%064d' 0)\",\"attachments\":[{\"sha256\":\"$(printf '%064d' 1)\",\"name\":\"n\",\"type\":\"image/png\",\"size\":1}]}" \
		"$(exchange 1 complete ",\"parent\":null,\"steps\":1,\"parameters\":{\"temperature\":0},\"native\":{\"provider\":\"p\",\"model\":\"m\",\"items\":[]}")"
}

@test "schema: a tree of exchanges with steps and results" {
	tools_used >records
	craft a "$(head_of a ',"tags":["x"],"metadata":{"k":{}},"forkedFrom":{"id":"b"},"importedFrom":{"kind":"c"}')" "$(<records)" \
		"$(exchange 2 error ",\"parent\":\"$(uuid 1)\"")" "$(exchange 3 complete ",\"parent\":\"$(uuid 1)\",\"replaces\":\"$(uuid 2)\"")" \
		'{"type":"change","id":"c","timestamp":1,"title":"","tags":{"x":false,"y":true},"metadata":{"k":null,"l":1}}' \
		"{\"type\":\"rewind\",\"timestamp\":1700000900000,\"from\":\"$(uuid 3)\",\"to\":\"$(uuid 1)\",\"merged\":true}" \
		'{"type":"rewind","timestamp":1700000900001,"from":null,"to":null,"merged":false}'
	valid history "$(history a)"
}

@test "schema: turns and a title, with parents, ids and times that grow" {
	new a
	say a one
	say a two
	say a three
	mc-chat --no-stdin -s a -t 'A title' four >/dev/null
	valid history "$(history a)"
	same 'parents' "null $(jq -r 'select(.type == "exchange").id' "$(history a)" | head -n -1 | paste -sd ' ')" \
		"$(jq -r 'select(.type == "exchange").parent' "$(history a)" | paste -sd ' ')"
	assert_json -s 'map(select(.type == "change")) | length == 1 and all(.id)' "$(history a)"
	assert_json -s 'map(.createdAt // .timestamp) | . == sort' "$(history a)"
}

@test "schema: the first line of a running turn" {
	server_start '{"responses": [{"steps": [{"text": "one"}, {"done": true}]},
		{"steps": [{"text": "tw"}, {"wait": "go"}, {"text": "o"}, {"done": true}]}]}'
	mc-chat --no-stdin -n -s a first >/dev/null
	mc-chat --no-stdin -s a second >/dev/null 3>&- &
	becomes 'the reply' tw tail -n +2 "$MC_SESSIONS_DIR/a/turn.partial"
	head -n 1 "$MC_SESSIONS_DIR/a/turn.partial" >head
	: >go
	wait $!
	valid turn head
	same 'the exchange' "$(jq -c 'select(.query == "second") | [.id, .parent, .timestamp, .query, .model]' "$(history a)")" \
		"$(jq -c '[.id, .parent, .timestamp, .query, .model]' head)"
}

@test "schema: index records, tombstones and the header that the tools wrote" {
	new bare
	say a one
	new gone -t T
	rm -r "$MC_SESSIONS_DIR/gone"
	mc-session-fsck --repair gone >/dev/null || true # mc-session-rm leaves no tombstone
	valid index "$MC_SESSIONS_DIR/index.jsonl"
	grep -q deletedAt "$MC_SESSIONS_DIR/index.jsonl"
	grep -q firstQuery "$MC_SESSIONS_DIR/index.jsonl"
	mc-session-ls --json >list
	valid index list
}

@test "schema: the record of a removed session that the tools wrote" {
	new a
	say b one
	local created
	created=$(jq -r 'select(.type == "session").createdAt' "$(history b)")
	mc-session-rm -f a b
	valid removed "$MC_SESSIONS_DIR/removed.jsonl"
	same 'the sessions' 'a b' "$(jq -r .id "$MC_SESSIONS_DIR/removed.jsonl" | paste -sd ' ')"
	same createdAt "$created" "$(jq 'select(.id == "b").createdAt' "$MC_SESSIONS_DIR/removed.jsonl")"
	new b # another session of this id
	assert_json --argjson before "$created" 'select(.type == "session").createdAt > $before' "$(history b)"
}

@test "schema: the history's refuses what the tools skip as damaged" {
	refused history '{}' '{"x":1}' '{"type":7}' \
		"$(head_of a | jq -c '.version = 2')" "$(head_of a | jq -c 'del(.id)')" "$(head_of a | jq -c '.id = "../x"')" \
		"$(head_of a | jq -c '.createdAt = "x"')" "$(head_of a | jq -c 'del(.provider)')" \
		"$(exchange 1 finished)" "$(exchange 1 | jq -c 'del(.query)')" "$(exchange 1 | jq -c '.answer = null')" \
		"$(exchange 1 | jq -c '.timestamp = -1')" "$(exchange 1 | jq -c '.tokenUsage.inputTokens = -1')" \
		"$(exchange 1 | jq -c '.duration = "5"')" "$(exchange 1 complete ',"leftOut":-1')" \
		"$(exchange 1 complete ',"leftOut":"1"')" "$(exchange 1 complete ',"attachments":{}')" \
		"$(exchange 1 complete ',"attachments":[{"sha256":"../x","name":"n","type":"t","size":1}]')" \
		"$(exchange 1 complete ",\"attachments\":[{\"sha256\":\"$(printf '%064d' 0)\",\"name\":\"n\",\"type\":\"t\"}]")" \
		"$(rewind | jq -c 'del(.to)')" "$(rewind | jq -c '.to = 7')" \
		'{"type":"summary","timestamp":1,"upTo":"x","model":"m"}' \
		'{"type":"summary","timestamp":1,"upTo":null,"text":"t","model":"m"}' \
		'{"type":"summary","timestamp":1,"upTo":"x","text":"t","model":"m","tokenUsage":{"inputTokens":-1}}' \
		'{"type":"change","timestamp":1,"title":7}' '{"type":"change","title":"m"}'
}

@test "schema: the history's refuses each member of the tree that is not what it must be" {
	# The members of sample records, each made missing or wrong in turn.
	tools_used >sample
	printf '%s\n' '{"type":"change","id":"c","timestamp":1,"title":"t","tags":{"y":true},"metadata":{"l":1},"tokenUsage":{"cost":1}}' \
		'{"type":"summary","id":"s","timestamp":1,"upTo":"x","text":"t","model":"m","tokenUsage":{"cost":1}}' \
		'{"type":"rewind","timestamp":1,"from":"x","to":"y","merged":true}' >>sample
	head_of a ',"tags":["x"],"metadata":{},"forkedFrom":{},"importedFrom":{}' >>sample
	valid history sample
	jq -c '. as $r | (keys[] | select(. != "type" and . != "summary")) as $k
		| $r | .[$k] = (if $k == "tags" and $r.type == "session" then [1] elif $k == "tags" then {a: 1}
			elif .[$k] | type == "object" then "x" elif .[$k] | type == "number" then -1 else {} end)' sample >wrong
	[[ $(wc -l <wrong) -ge 60 ]]
	same 'refusals' "$(seq "$(wc -l <wrong)")" "$(validate history wrong | cut -d : -f 1)"
	jq -c '. as $r | {exchange: ["id", "timestamp", "query", "answer", "model", "status"],
			step: ["exchange", "n", "timestamp", "text", "calls", "model"],
			result: ["exchange", "n", "call", "timestamp", "status", "output"], change: ["timestamp"],
			summary: ["timestamp", "upTo", "text", "model"], rewind: ["timestamp", "to"],
			session: ["version", "id", "createdAt", "provider", "model"]}[.type][] as $k | $r | del(.[$k])' sample >lacking
	same 'refusals of what is missing' "$(seq "$(wc -l <lacking)")" "$(validate history lacking | cut -d : -f 1)"
	# And all the others may be missing.
	jq -c '. as $r | (keys[] | select(IN("type", "version", "id", "createdAt", "provider", "model", "timestamp", "query",
		"answer", "status", "exchange", "n", "text", "calls", "call", "output", "upTo", "to") | not)) as $k | $r | del(.[$k])' sample >less
	valid history less
}

@test "schema: the index's refuses what is no record" {
	say a one
	local record
	record=$(listed a)
	refused index '{}' '[]' '{"id":"a","version":1}' "$(jq -c '.version = 2' <<<"$record")" \
		"$(jq -c '.id = "../x"' <<<"$record")" "$(jq -c '.exchangeCount = -1' <<<"$record")" \
		"$(jq -c 'del(.updatedAt)' <<<"$record")" "$(jq -c '.usageTotals = null' <<<"$record")" \
		"$(jq -c '.toolCalls = null' <<<"$record")" "$(jq -c 'del(.branches)' <<<"$record")" \
		"$(jq -c '.tags = {}' <<<"$record")" "$(jq -c '.tags = [1]' <<<"$record")" "$(jq -c '.root = 1' <<<"$record")" \
		"$(jq -c '.summaryAt = "1"' <<<"$record")" "$(jq -c '.summaryOf = -1' <<<"$record")" \
		"$(jq -c '.usageTotals.cost = "1"' <<<"$record")"
}

@test "schema: a removed session, and a running turn, refuse what is not one" {
	local removed='{"id":"a","createdAt":1,"deletedAt":2}' turn='{"type":"exchange","id":"x","parent":null,"n":0,"timestamp":1,"query":"q","model":"m"}'
	printf '%s\n' "$removed" '{"id":"a","deletedAt":2}' >line
	valid removed line
	refused removed '{}' '{"id":"../a","createdAt":1,"deletedAt":2}' '{"id":"removed.jsonl","createdAt":1,"deletedAt":2}' \
		'{"createdAt":1,"deletedAt":2}' '{"id":"a","createdAt":1}' '{"id":"a","createdAt":-1,"deletedAt":2}' '{"id":"a","createdAt":1,"deletedAt":"2"}'
	echo "$turn" >line
	jq -c '.replaces = "y" | .parent = "y" | .later = 1' <<<"$turn" >>line
	valid turn line
	refused turn "$(jq -c '.type = "step"' <<<"$turn")" "$(jq -c 'del(.id)' <<<"$turn")" "$(jq -c '.id = ""' <<<"$turn")" \
		"$(jq -c 'del(.parent)' <<<"$turn")" "$(jq -c 'del(.n)' <<<"$turn")" "$(jq -c '.n = -1' <<<"$turn")" \
		"$(jq -c '.timestamp = "1"' <<<"$turn")" "$(jq -c 'del(.query)' <<<"$turn")" "$(jq -c 'del(.model)' <<<"$turn")" \
		"$(jq -c '.replaces = 1' <<<"$turn")" "$(jq -c '.attachments = [{}]' <<<"$turn")"
}
