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
		'{"type":"change","timestamp":1,"model":7}' '{"type":"change","model":"m"}'
}

@test "schema: the index's refuses what is no record" {
	say a one
	local record
	record=$(listed a)
	refused index '{}' '[]' '{"id":"a","version":1}' "$(jq -c '.version = 2' <<<"$record")" \
		"$(jq -c '.id = "../x"' <<<"$record")" "$(jq -c '.exchangeCount = -1' <<<"$record")" \
		"$(jq -c 'del(.updatedAt)' <<<"$record")" "$(jq -c '.usageTotals = null' <<<"$record")"
}
