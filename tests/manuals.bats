#!/usr/bin/env bats
# The manuals, against the tools and their sources.

load helper

man=$ROOT/man

tools() { mcbox | sed -nE 's/^  (mc-[a-z-]+) .*/\1/p'; }

# same WHAT EXPECTED SEEN
same() {
	[[ $2 == "$3" ]] || {
		echo "$1:"
		diff <(echo "$2") <(echo "$3")
		return 1
	}
}

missing() {
	echo "missing: $1"
	return 1
}

# section PAGE NAME: the source of that section.
section() { awk -v name="$2" '/^\.Sh /{ on = substr($0, 5) == name; next } on' "$1"; }

# The options, one a line, as "-m, --model NAME" and "-s, --session [ID]".
of_help() { "$1" --help | sed -nE 's/^ +((-., )?--[a-z-]+( \[?[A-Z=]+\]?)?) .*/\1/p'; }
of_page() {
	sed -nE '/^\.It Fl /{ s///; s/ , -/, --/; s/^-/--/; s/^([^-])/-\1/; s/ Op Ar (.*)/ [\1]/; s/ Ar / /; p }' "$1"
}

# The same as a synopsis has them: the letter where there is one, else the name.
of_synopsis() {
	section "$1" SYNOPSIS | sed -nE '/^\.Op Fl /{ s///; s/ Op Ar (.*)/ [\1]/; s/ Ar / /; p }' |
		awk '/^-/ { print "-" $0; next } / / { print "-" $0; next }
			{ for (i = 1; i <= length($0); i++) print "-" substr($0, i, 1) }' | sort
}

# documented WORD FILE...: as a word of its own that a macro marks.
documented() {
	local word=$1
	shift
	grep -Eqs "^\.(It )?(Ev|Cm|Fl|Pa)( .*)? $word( |\$)|^\.(It )?(Ev|Cm|Fl|Pa) $word( |\$)" "$@" || {
		echo "$word is not documented"
		return 1
	}
}

@test "every tool has a page, and no page is left over" {
	same pages "$( (echo mcbox && tools) | sort)" \
		"$(for f in "$man"/*.1; do basename "$f" .1; done | sort)"
}

@test "the pages are clean" {
	run_split mandoc -Tlint -Wwarning "$man"/*.[15]
	assert_status 0
	assert_out_empty
}

@test "a page has all its parts" {
	local page part
	for page in "$man"/*.1; do
		for part in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
			grep -qx ".Sh $part" "$page" || missing "$part in $page"
		done
	done
}

@test "the name line is the descriptor's summary" {
	local tool all summary
	all=$(some tools)
	for tool in $all; do
		summary=$("$tool" --help | sed -n '3{s/\.$//;p}')
		same "$tool" "${summary,}" "$(sed -n 's/^\.Nd //p' "$man/$tool.1")"
		mcbox | grep -Eq "^  $tool +${summary,}\$"
	done
	same mcbox "$(mcbox | sed -n '1s/^[^:]*: //p')" "$(sed -n 's/^\.Nd //p' "$man/mcbox.1")"
}

@test "the options of a page and of the help are the same" {
	local tool all
	[[ $(of_help mc-chat | wc -l) -ge 15 ]]
	all=$(some tools)
	for tool in $all; do
		same "$tool" "$(of_help "$tool")" "$(of_page "$man/$tool.1")"
	done
	same mcbox "$(of_help mc-chat | tail -n 2)" "$(of_page "$man/mcbox.1")"
}

@test "the synopsis has the same options and operands" {
	local tool all operands
	all=$(some tools)
	for tool in $all; do
		same "$tool" "$(of_help "$tool" | sed -E 's/^(-.), --[a-z-]+/\1/' | sort)" \
			"$(of_synopsis "$man/$tool.1")"
		operands=$("$tool" --help | sed -n '1{s/.*\[OPTION…\] *//; s/…/ .../; p}')
		same "$tool" "$operands" "$(section "$man/$tool.1" SYNOPSIS |
			sed -nE 's/^\.Ar //p; s/^\.Op Ar (.*)/[\1]/p')"
	done
}

@test "every exit status is named" {
	local page status all
	all=$(sed -nE '/^enum exit_status/,/^}/s/.*= ([0-9]+).*/\1/p' "$ROOT/cmd/tool.h")
	[[ $(wc -w <<<"$all") -ge 7 ]]
	for page in "$man"/*.1; do
		for status in 0 1 2; do
			section "$page" 'EXIT STATUS' | grep -qx ".It $status" || missing "$status in $page"
		done
	done
	for status in $all; do
		section "$man/mcbox.1" 'EXIT STATUS' | grep -qx ".It $status"
		section "$man/mc-chat.1" 'EXIT STATUS' | grep -qx ".It $status"
	done
}

@test "every environment variable is documented" {
	local name names
	names=$(grep -Eo '(env\(|xdg_path\([^,]*, )"[A-Z_]+"' "$ROOT/lib/config/config.c" | grep -Eo '[A-Z_]{2,}')
	[[ $(wc -w <<<"$names") -ge 8 ]]
	for name in $names; do
		grep -Eq "^\.It Ev (.* )?$name( |\$)" "$man/mcbox-config.5" || missing "$name"
	done
	names=$(sed -nE '/key_env\[\]|url_env =/s/[^"]*"([A-Z_]+)"[^"]*/\1 /gp' "$ROOT"/lib/provider/*.c)
	[[ $(wc -w <<<"$names") -ge 2 ]]
	for name in $names; do
		documented "$name" "$man/mcbox-config.5"
	done
	names=$(grep -Eoh 'getenv\("[A-Z_]+"\)' "$ROOT"/cmd/*.c "$ROOT"/cmd/*/*.c "$ROOT"/lib/*/*.c | grep -Eo '[A-Z_]{2,}')
	[[ $(wc -w <<<"$names") -ge 2 ]]
	for name in $names; do
		documented "$name" "$man"/*.[15]
	done
}

# keys TABLE: those of the settings' file that this table of the source knows.
keys() { sed -nE "/^static const struct field $1\[\]/,/^\};/s/^\t\{ \"([A-Za-z]+)\".*/\1/p" "$ROOT/lib/config/config-read.c"; }

@test "every key of the settings is documented, and no other" {
	local page key all
	[[ $(keys of_file | wc -l) -ge 16 && $(keys of_provider | wc -l) -ge 9 ]]
	all="$(keys of_file) $(keys of_provider) $(some keys of_alias)"
	page=$(sed -nE '/^\.It Cm/{ s/ Pq .*//; s/^\.It Cm //; s/ , /\n/g; p }' "$man/mcbox-config.5")
	for key in $all; do
		grep -qx "$key" <<<"$page" || missing "$key"
	done
	page=$(sed -nE 's/^\.It Cm ([A-Za-z]+) Pq .*/\1/p' "$man/mcbox-config.5" | sort -u)
	same 'keys that are known' "$page" "$(comm -12 <(printf '%s\n' "$page") <({ keys of_file; keys of_provider; } | sort -u))"
}

@test "every provider is documented" {
	local name names
	names=$(sed -nE 's/^\t\.name = "(.*)",/\1/p' "$ROOT"/lib/provider/*.c)
	[[ $(wc -w <<<"$names") -ge 2 ]]
	for name in $names; do
		documented "$name" "$man/mcbox-config.5"
	done
}

@test "the example files of the settings are valid" {
	local file
	awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on && /^\{/ { n++ } on { print > "config" n ".json" }' \
		"$man/mcbox-config.5"
	[[ -s config1.json && -s config2.json ]]
	for file in config?.json; do
		MC_CONFIG=$PWD/$file MC_SESSIONS_DIR='' mc-session-new -p echo
	done
	[[ -d $HOME/Documents/sessions ]]
	MC_CONFIG=$PWD/config2.json mc-session-new -i s -p gpu
	same model qwen2.5-coder "$(mc-session-ls --json | jq -r 'select(.id == "s").model')"
}

@test "references among the pages lead somewhere" {
	local name section all
	all=$(some sed -nE 's/^\.(It )?Xr (mc[a-z-]*) ([0-9]).*/\2 \3/p' "$man"/*.[15])
	while read -r name section; do
		[[ -f $man/$name.$section ]] || missing "$name($section)"
	done <<<"$all"
}

# ---- mc-session(5) and the schemas ----

# validate SCHEMA: each line of the input, one verdict a line.
validate() {
	"${PYTHON:-/usr/bin/python3}" -c '
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for line in sys.stdin.buffer:
    try:
        print("valid" if validator.is_valid(json.loads(line)) else "invalid")
    except ValueError:
        print("no JSON")' "$man/mc-session-$1.schema.json"
}

# all_valid SCHEMA FILE: and at least one.
all_valid() {
	same "$2" "$(sed 's/.*/valid/' "$2")" "$(validate "$1" <"$2")"
	[[ -s $2 ]]
}

# A store with a record of every kind that the tools write.
make_store() {
	export MC_PROVIDER=echo
	mc-session-new -i full -t 'a "title"' -S system --meta a=1 --meta b= >output
	mc-session-new -i bare -m '' >output
	mc-chat -s full 'first prompt' >output
	mc-chat -s full -m other -t '' $'a\tb\001\\ "c" \342\202\254' >output
	printf '{"type":"exchange","id":"x","timestamp":1,"query":"q","model":"m"}\nhalf \377' \
		>"$MC_SESSIONS_DIR/full/turn.partial"
	mc-chat -s full 'after a crash' >output
	server_start '{"responses": [
		{"steps": [{"reasoning": "hm"}, {"text": "hello"}, {"finish": "stop"},
			{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
				"prompt_tokens_details": {"cached_tokens": 1},
				"completion_tokens_details": {"reasoning_tokens": 1}}}, {"done": true}]},
		{"status": 500}]}'
	mc-chat -n -s served hello >output
	run_split mc-chat -s served 'this fails'
	assert_status 3
	mc-session-rm -f bare
}

@test "every field that the tools write is documented" {
	local field all
	make_store
	all=$(jq -r 'if .metadata then .metadata = {} else . end | paths | .[-1]' \
		"$MC_SESSIONS_DIR"/*/history.jsonl "$MC_SESSIONS_DIR/index.jsonl" | some sort -u)
	for field in $all; do
		grep -Eq "^\.(It )?Cm ((.* , |.* )?)$field( |\$)" "$man/mc-session.5" ||
			missing "field $field"
	done
}

@test "every field of the schemas is documented" {
	local field all
	all=$(jq -r '.["$defs"][].properties // {} | keys[]' "$man"/*.schema.json | some sort -u)
	for field in $all; do
		grep -Eq "^\.(It )?Cm ((.* , |.* )?)$field( |\$)" "$man/mc-session.5" ||
			missing "field $field"
	done
}

@test "the examples of mc-session(5) are valid records" {
	awk '/^\.Bd -literal$/{ on = 1; next } /^\.Ed/{ if (on) print ""; on = 0 }
		on && /^[ {]/ { sub(/^ /, ""); gsub(/\\e/, "\\"); printf "%s", $0 }' "$man/mc-session.5" >examples
	grep '"query":"what is"' examples >turn-examples
	grep '"type"' examples | grep -v '"query":"what is"' >history-examples
	grep -v '"type"' examples | grep '"version"' >index-examples
	grep -v '"type"' examples | grep -v '"version"' >removed-examples
	all_valid turn turn-examples
	all_valid history history-examples
	all_valid index index-examples
	all_valid removed removed-examples
	same 'types' 'session exchange step result change summary rewind' "$(jq -r .type history-examples | paste -sd ' ')"
	[[ $(wc -l <index-examples) == 3 && $(wc -l <removed-examples) == 1 && $(wc -l <turn-examples) == 1 ]]
}

# The example records of mc-session(5) are of one session, so together they are a history.
@test "the examples of mc-session(5) are one history, with the index record that the page shows" {
	mkdir -p -m 700 "$MC_SESSIONS_DIR/demo"
	awk '/^\.Bd -literal$/{ on = 1; next } /^\.Ed/{ if (on) print ""; on = 0 }
		on && /^[ {]/ { sub(/^ /, ""); gsub(/\\e/, "\\"); printf "%s", $0 }' "$man/mc-session.5" >examples
	(
		umask 077
		grep -E '"type":"(session|step|result|change)"' examples >"$(history demo)"
		grep -E '"type":"exchange"' examples | grep -v '"query":"what is"' >>"$(history demo)"
	)
	mc-session-fsck demo
	mc-session-ls --json >seen
	grep '"root"' examples | diff - seen
}

@test "the schema and the reader agree on what is damaged" {
	local head='{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m"}'
	local line n=0 statuses=()
	# The schema's verdict, the tool's status, the line.
	cat >cases <<'LINES'
valid	0	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"error"}
valid	0	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","tokenUsage":{"inputTokens":null},"error":null,"new":{}}
invalid	1	{"type":"exchange","id":"f","timestamp":1.5,"query":"a","answer":"b","model":"m","status":"complete"}
invalid	1	{"type":"exchange","id":"f","timestamp":-1,"query":"a","answer":"b","model":"m","status":"complete"}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"done"}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":null,"answer":"b","model":"m","status":"complete"}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","tokenUsage":{"inputTokens":-1}}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","duration":"1"}
invalid	1	{"type":"exchange","id":"f","parent":7,"timestamp":1,"query":"a","answer":"b","model":"m","status":"complete"}
valid	0	{"type":"exchange","id":"f","parent":null,"replaces":null,"timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","steps":0,"parameters":{},"native":null}
invalid	1	{"type":"exchange","id":"f","replaces":1,"timestamp":1,"query":"a","answer":"b","model":"m","status":"complete"}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","steps":-1}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","parameters":[]}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","native":"x"}
valid	0	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","tokenUsage":{"cacheWriteInputTokens":1,"cost":0.25}}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","tokenUsage":{"cost":-0.25}}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","tokenUsage":{"cacheWriteInputTokens":0.5}}
invalid	1	{"type":"exchange","id":"f","timestamp":1,"query":"a","answer":"b","model":"m","status":"complete","leftOut":9007199254740992}
valid	0	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[{"id":"c","name":"t","arguments":{}}],"model":"m","native":{}}
valid	0	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[],"model":"m","duration":null,"tokenUsage":null,"reasoning":"r"}
invalid	1	{"type":"step","exchange":"f","n":-1,"timestamp":1,"text":"","calls":[],"model":"m"}
invalid	1	{"type":"step","n":0,"timestamp":1,"text":"","calls":[],"model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":{},"model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[1],"model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[{"id":"c","name":"t","arguments":"{}"}],"model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[{"id":"c","arguments":{}}],"model":"m"}
invalid	1	{"type":"step","exchange":"f","n":0,"timestamp":1,"text":"","calls":[{"name":"t","arguments":{}}],"model":"m"}
valid	0	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"denied","output":"","exitStatus":null}
invalid	1	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"unknown","output":""}
invalid	1	{"type":"result","exchange":"f","n":0,"timestamp":1,"status":"ok","output":""}
invalid	1	{"type":"result","exchange":"f","call":"c","timestamp":1,"status":"ok","output":""}
invalid	1	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"ok"}
invalid	1	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"ok","output":"","artifact":"../x"}
invalid	1	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"ok","output":"","exitStatus":-1}
invalid	1	{"type":"result","exchange":"f","n":0,"call":"c","timestamp":1,"status":"ok","output":"","attachments":[{}]}
valid	0	{"type":"change","timestamp":1,"extra":1}
valid	0	{"type":"change","id":"i","timestamp":1,"tags":{"a":true,"b":false},"metadata":{"k":null,"l":{"m":1}}}
invalid	1	{"type":"change","timestamp":1,"id":7}
invalid	1	{"type":"change","timestamp":1,"tags":["a"]}
invalid	1	{"type":"change","timestamp":1,"tags":{"a":null}}
invalid	1	{"type":"change","timestamp":1,"metadata":"x"}
invalid	1	{"type":"change","timestamp":1,"title":5}
invalid	1	{"type":"change"}
valid	0	{"type":"rewind","timestamp":1,"to":null}
invalid	1	{"type":"rewind","timestamp":1}
valid	0	{"type":"rewind","timestamp":1,"from":null,"to":"f","merged":true}
invalid	1	{"type":"rewind","timestamp":1,"from":1,"to":"f"}
invalid	1	{"type":"rewind","timestamp":1,"to":"f","merged":"yes"}
valid	0	{"type":"summary","timestamp":1,"upTo":"x","text":"t","model":"m","tokenUsage":null}
invalid	1	{"type":"summary","timestamp":1,"upTo":"x","text":"t"}
invalid	1	{"type":"summary","timestamp":1,"upTo":"x","text":["t"],"model":"m"}
invalid	1	{"type":"summary","timestamp":1,"upTo":"x","text":"t","model":"m","tokenUsage":{"totalTokens":-2}}
invalid	1	{"type":"summary","id":7,"timestamp":1,"upTo":"x","text":"t","model":"m"}
valid	0	{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m","tags":["a"],"metadata":{"k":1},"forkedFrom":{"id":"y"},"importedFrom":{}}
invalid	1	{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m","tags":[1]}
invalid	1	{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m","tags":{"a":true}}
invalid	1	{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m","forkedFrom":"y"}
invalid	1	{"type":"session","version":1,"id":"x","createdAt":1,"provider":"echo","model":"m","importedFrom":[]}
invalid	1	{"type":"session","version":1,"id":"removed.jsonl","createdAt":1,"provider":"echo","model":"m"}
valid	0	{"type":"future"}
invalid	1	{"kind":"future"}
invalid	1	{"type":"session","version":2,"id":"x","createdAt":1,"provider":"echo","model":"m"}
invalid	1	{"type":"session","version":1,"id":".x","createdAt":1,"provider":"echo","model":"m"}
invalid	1	[]
no JSON	1	{"type":
LINES
	while IFS= read -r line; do
		mkdir -p "$MC_SESSIONS_DIR/s$((++n))"
		printf '%s\n' "$head" "$line" >"$MC_SESSIONS_DIR/s$n/history.jsonl"
		run_split mc-session-cat --json --branches "s$n"
		assert_status 0 1
		statuses+=("$status")
	done <<<"$(cut -f 3 cases)"
	same verdicts "$(cut -f 1 cases)" "$(cut -f 3 cases | validate history)"
	same statuses "$(cut -f 2 cases)" "$(printf '%s\n' "${statuses[@]}")"
}
