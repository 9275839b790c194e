# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# Which session mc-chat goes on with, what a session keeps, and what may change.

load helper
load wire

setup() {
	fresh
	export MC_PROVIDER=echo
}

# Which session

@test "a first prompt makes a session with an id of eight letters and digits" {
	mc-chat hello >/dev/null
	id=$(mc-session-ls -q)
	[[ $id =~ ^[a-z0-9]{8}$ ]]
	assert_json -s --arg id "$id" --arg cwd "$PWD" '.[0] | .type == "session" and .version == 1 and
		.id == $id and .cwd == $cwd and .provider == "echo" and .model == "echo" and
		(.createdAt | type) == "number"' "$(history "$id")"
}

@test "what is stored is private, whatever the umask" {
	umask 000
	mc-chat hello >/dev/null
	same 'modes' $'d700\nf600' "$(find "$MC_SESSIONS_DIR" -printf '%y%m\n' | sort -u)"
}

@test "-s goes on with a session, also by the beginning of its id" {
	mc-chat -n -s apple one >/dev/null
	mc-chat -n -s banana two >/dev/null
	run_split mc-chat -s apple three
	assert_status 0
	run_split mc-chat -s ban four
	assert_status 0
	same 'prompts' 'one three' "$(jq -r 'select(.query).query' "$(history apple)" | xargs)"
	same 'prompts' 'two four' "$(jq -r 'select(.query).query' "$(history banana)" | xargs)"
	same 'number of sessions' 2 "$(sessions)"
}

@test "an ambiguous beginning names the candidates" {
	mc-chat -n -s apple one >/dev/null
	mc-chat -n -s apricot two >/dev/null
	run_split mc-chat -s ap three
	assert_status 2
	assert_err_has ambiguous
	assert_err_has apple
	assert_err_has apricot
	same 'number of exchanges' 1 "$(count apple)"
}

@test "an unknown session is named, and five recent ones are shown, the latest first" {
	for i in 1 2 3 4 5 6; do
		mc-chat -n -s "s$i" "prompt $i" >/dev/null
	done
	run_split mc-chat -s nosuch hello
	assert_status 1
	assert_out_empty
	assert_err_has "no session 'nosuch'"
	same 'recent ones' 's6 s5 s4 s3 s2' "$(grep -o '^ *s[0-9]' <<<"$err" | xargs)"
	assert_err_has 'prompt 6'
	same 'number of sessions' 6 "$(sessions)"
}

@test "-n makes the session of -s when it is missing, and else goes on with it" {
	mc-chat -n -s daily one >/dev/null
	mc-chat -n -s daily two >/dev/null
	same 'number of sessions' 1 "$(sessions)"
	same 'number of exchanges' 2 "$(count daily)"
}

@test "-n does not take another session whose id only begins like it" {
	mc-chat -n -s work2 one >/dev/null
	run_split mc-chat -n -s work two
	assert_status 0
	same 'exchanges of work2' 1 "$(count work2)"
	same 'exchanges of work' 1 "$(count work)"
}

@test "-n makes a session also when its id is the beginning of several" {
	mc-chat -n -s work1 one >/dev/null
	mc-chat -n -s work2 one >/dev/null
	run_split mc-chat -n -s work two
	assert_status 0
	same 'exchanges of work' 1 "$(count work)"
}

@test "-c goes on with the most recently active session" {
	mc-chat -n -s a one >/dev/null
	mc-chat -n -s b two >/dev/null
	mc-chat -s a three >/dev/null
	run_split mc-chat -c four
	assert_status 0
	same 'exchanges of a' 3 "$(count a)"
	same 'exchanges of b' 1 "$(count b)"
}

@test "-c without any session fails, and with -n makes one" {
	run_split mc-chat -c hello
	assert_status 1
	assert_err_has 'no session to continue'
	assert_out_empty
	same 'number of sessions' 0 "$(sessions)"
	run_split mc-chat -c -n hello
	assert_status 0
	same 'number of sessions' 1 "$(sessions)"
}

@test "-s and -c together are refused" {
	mc-chat -n -s a one >/dev/null
	run_split mc-chat -c -s a two
	assert_status 2
	assert_err_has --continue
	same 'number of exchanges' 1 "$(count a)"
}

@test "an id that could leave the store is refused, with -n too" {
	long=$(printf 'x%.0s' {1..65})
	for id in '' . .. ../x /x .x -x "$long" 'a b' a/b $'a\nb' é; do
		run_split mc-chat -n "--session=$id" hello
		assert_status 2
		assert_out_empty
		[[ $err ]]
	done
	same 'number of sessions' 0 "$(sessions)"
	run_split mc-chat -n -s "${long%x}" hello
	assert_status 0
}

# What a session keeps, and what may change

@test "another provider is refused with the way out, the same one is not" {
	mc-chat -n -s s one >/dev/null
	run_split mc-chat -s s -p openai-compatible -m x two
	assert_status 1
	assert_err_has "session 's' keeps its provider, echo"
	assert_err_has 'new session'
	same 'number of exchanges' 1 "$(count s)"
	run_split mc-chat -s s -p echo two
	assert_status 0
}

@test "a session goes on with its own provider and model, whatever the environment says now" {
	mc-chat -n -s s one >/dev/null
	MC_PROVIDER=openai-compatible MC_MODEL=other MC_BASE_URL=http://127.0.0.1:1 run_split mc-chat -s s two
	assert_status 0
	assert_out two
	same 'model' echo "$(exchange s .model)"
}

@test "a new model is remembered: it is that of the last exchange" {
	mc-chat -n -s s one >/dev/null
	mc-chat -s s -m parrot two >/dev/null
	mc-chat -s s three >/dev/null
	mc-chat -s s -m parrot four >/dev/null
	same 'records' 'session exchange exchange exchange exchange' \
		"$(jq -r .type "$(history s)" | xargs)"
	same 'models' 'echo echo parrot parrot parrot' "$(jq -r .model "$(history s)" | xargs)"
	same 'model in the list' parrot "$(mc-session-ls --json | jq -r .model)"
}

@test "a session keeps its system prompt: another is refused, the same one is not" {
	mc-chat -n -s s -S 'be brief' one >/dev/null
	same 'system prompt' 'be brief' "$(jq -rs '.[0].system' "$(history s)")"
	run_split mc-chat -s s -S 'be long' two
	assert_status 1
	assert_err_has 'keeps its system prompt'
	same 'number of exchanges' 1 "$(count s)"
	run_split mc-chat -s s -S 'be brief' two
	assert_status 0
	mc-chat -n -s bare one >/dev/null
	run_split mc-chat -s bare -S late two
	assert_status 1
}

@test "a title is part of a new session, and a change of an old one" {
	mc-chat -n -s s -t First one >/dev/null
	same 'title' First "$(jq -rs '.[0].title' "$(history s)")"
	mc-chat -s s -t Second two >/dev/null
	same 'records' 'session exchange change exchange' "$(jq -r .type "$(history s)" | xargs)"
	same 'new title' Second "$(jq -r 'select(.type == "change").title' "$(history s)")"
	same 'title in the list' Second "$(mc-session-ls --json | jq -r .title)"
}

@test "an unknown provider is refused with the nearest name, and nothing is made" {
	run_split mc-chat -p ecko hello
	assert_status 2
	assert_err_has "did you mean 'echo'"
	same 'number of sessions' 0 "$(sessions)"
}

@test "a provider without a default model asks for one, with the ways to name it" {
	MC_BASE_URL=http://127.0.0.1:1/v1 run_split mc-chat -p openai-compatible hello
	assert_status 2
	assert_err_has MC_MODEL
	assert_err_has 'with -m'
	same 'number of sessions' 0 "$(sessions)"
}

@test "--timeout wants a number of seconds" {
	for value in 0 -1 1.5 x '' 99999999999999999999; do
		run_split mc-chat --timeout="$value" hello
		assert_status 2
		assert_err_has --timeout
	done
	same 'number of sessions' 0 "$(sessions)"
}

# What a new user runs into

# knows_no_model PROVIDER: that the model does not exist, as this vendor says it.
knows_no_model() {
	case $1 in
	anthropic) refuses 404 '{"type":"error","error":{"type":"not_found_error","message":"model: typo"}}' ;;
	google) refuses 404 '{"error":{"code":404,"message":"models/typo is not found for API version v1beta","status":"NOT_FOUND"}}' ;;
	*) refuses 404 '{"error":{"message":"The model `typo` does not exist","type":"invalid_request_error","code":"model_not_found"}}' ;;
	esac
}

@test "a new session whose model does not exist is not kept, and -c does not go on with it" {
	local name
	unset MC_PROVIDER
	mc-chat -n -s earlier -p echo one >/dev/null
	export ANTHROPIC_API_KEY=k OPENAI_API_KEY=k GEMINI_API_KEY=k
	for name in anthropic openai google openai-compatible; do
		answers "$(knows_no_model "$name")"
		export ANTHROPIC_BASE_URL=http://127.0.0.1:$SERVER_PORT OPENAI_BASE_URL=http://127.0.0.1:$SERVER_PORT
		export GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:$SERVER_PORT MC_BASE_URL=http://127.0.0.1:$SERVER_PORT
		run_split mc-chat --no-stdin -p "$name" -m typo hello
		assert_status 3
		assert_err_has 'is not kept'
		run_split mc-chat --no-stdin -n -s named -p "$name" -m typo --json hello
		assert_status 3
		assert_err_has "session 'named' is not kept"
	done
	same 'sessions' earlier "$(mc-session-ls -q)"
	same 'folders' 1 "$(sessions)"
	run_split mc-chat -c two
	assert_status 0
	assert_out two
	run_split mc-session-fsck
	assert_status 0
}

@test "a new session is not kept either where only the list of models shows that there is none" {
	unset MC_PROVIDER
	server_start "{\"responses\": [$(refuses 404 'not here' text/plain)],
		\"models\": [$(refuses 200 '{"data": [{"id": "gpt-5"}]}')]}"
	run_split mc-chat --no-stdin -m gpt5 hello
	assert_status 3
	assert_err_has "lists no model 'gpt5'; similar: gpt-5; session"
	same 'folders' 0 "$(sessions)"
	run_split mc-chat --no-stdin -m gpt-5 hello # the name is right, so the URL may be wrong
	assert_status 3
	same 'folders' 1 "$(sessions)"
}

@test "servers have several words for a model that they do not have" {
	unset MC_PROVIDER
	local word
	for word in "model 'typo' not found, try pulling it first" 'The model `typo` does not exist.' \
		'typo is not a valid model ID' 'Model Not Exist' 'Invalid model: typo' 'No such model'; do
		answers "$(refuses 400 "$(jq -nc --arg m "$word" '{error: {message: $m}}')")"
		run_split mc-chat --no-stdin -m typo hello
		assert_status 3
		assert_err_has 'is not kept'
	done
	same 'folders' 0 "$(sessions)"
}

@test "a session that was there, or was refused for another reason, is kept" {
	unset MC_PROVIDER
	answers "$(says hello)" "$(knows_no_model x)" "$(refuses 401 '{"error":{"message":"bad key"}}')" \
		"$(refuses 500 '{"error":{"message":"no room"}}')"
	mc-chat --no-stdin -n -s old -m good one >/dev/null
	run_split mc-chat --no-stdin -s old -m typo two
	assert_status 3
	[[ $err != *'not kept'* ]]
	same 'exchanges' 2 "$(count old)"
	for id in key room; do
		run_split mc-chat --no-stdin -n -s "$id" -m good three
		assert_status 3
		[[ $err != *'not kept'* ]]
		same 'exchanges' 1 "$(count "$id")"
	done
}

@test "a model of another vendor is pointed out before anything is sent" {
	unset MC_PROVIDER
	export ANTHROPIC_API_KEY=k
	answers "$(refuses 404 '{"type":"error","error":{"type":"not_found_error","message":"model: gpt-6"}}')"
	export ANTHROPIC_BASE_URL=http://127.0.0.1:$SERVER_PORT
	mc-session-new -i s -p anthropic -m claude-x >/dev/null
	run_split mc-chat --no-stdin -c -m gpt-6 hello
	assert_status 3
	same 'first line' "mc-chat: 'gpt-6' looks like a model of openai, but is sent to anthropic, since a session keeps its provider; start a new session for it" \
		"${err%%$'\n'*}"
	run_split mc-chat --no-stdin -p anthropic -m gpt-6 hello
	assert_status 3
	same 'first line' "mc-chat: 'gpt-6' looks like a model of openai, but is sent to anthropic, the chosen provider; '-p openai' sends it to openai" \
		"${err%%$'\n'*}"
	run_split mc-session-compact -m gemini-9 s
	assert_err_has "mc-session-compact: 'gemini-9' looks like a model of google, but is sent to anthropic"
	run_split mc-session-new -p anthropic -m gpt-6
	assert_err_has "'gpt-6' looks like a model of openai"
	# Its own, one that nobody has, and what a server of the user's own may have.
	for args in '-s s -m claude-y' '-s s -m mine' '-p openai-compatible -m gpt-6'; do
		# shellcheck disable=SC2086
		MC_BASE_URL=http://127.0.0.1:$SERVER_PORT run_split mc-chat --no-stdin $args hello
		assert_status 3
		[[ $err != *'looks like'* ]]
	done
}

@test "a session that does not exist: -n is named" {
	run_split mc-chat -c hello
	assert_status 1
	assert_err_has 'there is no session to continue yet; -n begins one'
	mc-chat -n -s other one >/dev/null
	run_split mc-chat -s notes hello
	assert_status 1
	same 'first line' "mc-chat: no session 'notes'; -n creates it" "${err%%$'\n'*}"
	run_split mc-session-cat notes
	assert_status 1
	[[ $err != *' -n '* ]]
	run_split mc-chat -c -n hello
	assert_status 0
}
