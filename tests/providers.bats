# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # a test is a subshell; run_split sets status, out and err
load helper
load wire

# Which provider, model and server a session gets, and what the settings say of them.

setup() {
	fresh
	CONF=$HOME/.config/mcbox/config.json
	mkdir -p "${CONF%/*}"
}

conf() { printf '%s\n' "$1" >"$CONF"; }

# chosen ARG...: prints provider and model of a new session that nobody talks in.
chosen() {
	local id
	id=$(mc-session-new "$@") || return
	jq -r '"\(.provider) \(.model)"' "$(history "$id")"
}

# serve [SCRIPT]: starts the scripted server, without a word of it in the environment.
# Sets URL.
serve() {
	server_start "$@"
	URL=$MC_BASE_URL
	unset MC_BASE_URL MC_PROVIDER MC_MODEL
}

# Choosing

@test "without settings and keys it is a server on this machine" {
	same 'provider and model' 'openai-compatible ' "$(chosen)"
}

@test "the first vendor that has a key, in their order" {
	export GOOGLE_API_KEY=g
	has provider "$(chosen)" 'google '
	unset GOOGLE_API_KEY
	export GEMINI_API_KEY=g
	has provider "$(chosen)" 'google '
	export OPENAI_API_KEY=o
	has provider "$(chosen)" 'openai '
	export ANTHROPIC_API_KEY=a
	has provider "$(chosen)" 'anthropic '
	ANTHROPIC_API_KEY='' OPENAI_API_KEY='' has provider "$(ANTHROPIC_API_KEY='' OPENAI_API_KEY='' chosen)" 'google '
}

@test "each vendor has a model for those who name none" {
	local p
	for p in anthropic openai google; do
		has "the model of $p" "$(chosen -p $p)." "$p "
		refute has 'no model' "$(chosen -p $p)." "$p ."
	done
}

@test "a model that is named chooses its vendor, whatever keys there are" {
	export ANTHROPIC_API_KEY=a
	same 'of OpenAI' 'openai gpt-5' "$(chosen -m gpt-5)"
	same 'of Google' 'google gemini-2.5-pro' "$(chosen -m gemini-2.5-pro)"
	same 'of Anthropic' 'anthropic claude-x' "$(chosen -m claude-x)"
	same 'of none' 'openai-compatible llama3.2' "$(chosen -m llama3.2)"
	same 'in the environment' 'openai o3' "$(MC_MODEL=o3 chosen)"
}

@test "a base URL or a model in the file without a provider means openai-compatible" {
	export ANTHROPIC_API_KEY=a
	same 'a base URL' openai-compatible "$(MC_BASE_URL=http://127.0.0.1:1 chosen | cut -d' ' -f1)"
	conf '{"model":"llama3.2"}'
	same 'a model' 'openai-compatible llama3.2' "$(chosen)"
	conf '{"baseUrl":"http://localhost:8000/v1"}'
	same 'a base URL of the file' 'openai-compatible ' "$(chosen)"
}

@test "a key in a section counts as one in the environment" {
	conf '{"providers":{"openai":{"apiKeyFile":"/nonexistent/key"}}}'
	has provider "$(chosen)" 'openai '
	OPENAI_API_KEY=x ANTHROPIC_API_KEY=y has provider "$(ANTHROPIC_API_KEY=y chosen)" 'anthropic '
}

@test "with no key, no server and no settings, the error shows the ways on" {
	# Somebody may have a server of that kind on the machine that runs the tests.
	run_split alone mc-chat --no-stdin hello
	assert_status 3
	assert_out_empty
	local way
	for way in ANTHROPIC_API_KEY OPENAI_API_KEY GEMINI_API_KEY 11434 8080 MC_BASE_URL 'mcbox-config(5)' '-p echo'; do
		assert_err_has "$way"
	done
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "a vendor without a key is not asked, and nothing is made" {
	local p
	for p in anthropic openai google; do
		run_split mc-chat -p $p hello
		assert_status 2
		assert_err_has "no API key for $p: put one into the environment variable"
		assert_out_empty
		[[ ! -e $MC_SESSIONS_DIR ]]
	done
}

@test "a model of the environment is not for a vendor that cannot have it" {
	conf '{"aliases":{"o":{"provider":"openai","model":"gpt-5"}},"providers":{"gw":{"baseUrl":"http://localhost:1","model":"m"}}}'
	export MC_MODEL=o
	same 'with its own provider' 'openai gpt-5' "$(chosen)"
	refute has model "$(chosen -p anthropic)" gpt-5 >/dev/null
	MC_MODEL=gpt-5
	refute has model "$(chosen -p anthropic)" gpt-5 >/dev/null
	same 'a gateway may have it' 'gw gpt-5' "$(chosen -p gw)"
}

# Servers of one's own

@test "with a key, a model that no vendor is known by: another key is not the way on" {
	local way word
	for way in '-m mistral-small' '-p openai-compatible -m m'; do
		# shellcheck disable=SC2086  # two or four words
		OPENAI_API_KEY=k run_split alone mc-chat --no-stdin $way hi
		assert_status 3
		for word in 'no server answers on this machine' 'port 11434' MC_BASE_URL "'-p openai'"; do
			assert_err_has "$word"
		done
		[[ $err != *API_KEY* ]] || differs 'standard error without' API_KEY
	done
}

@test "a server of the file is used by its name, with its model and options" {
	serve "{\"responses\":[$(says hello)]}"
	conf "{\"providers\":{\"mine\":{\"baseUrl\":\"$URL/\",\"model\":\"m1\",\"options\":{\"temperature\":0.5,\"top_p\":1}}}}"
	run_split mc-chat -n -s s -p mine -o top_p=0.9 hi
	assert_status 0
	assert_out hello
	assert_json '.provider == "mine" and .model == "m1"' <(head -n 1 "$(history s)")
	request | assert_json '.body.model == "m1" and .body.temperature == 0.5 and .body.top_p == 0.9'
	# It is found again by the session's record.
	mc-chat -s s again
	same requests 2 "$(wc -l <"$SERVER_LOG")"
}

@test "a session whose server is no longer in the file says so" {
	serve "{\"responses\":[$(says hello)]}"
	conf "{\"providers\":{\"mine\":{\"baseUrl\":\"$URL\",\"model\":\"m1\"}}}"
	mc-chat -n -s s -p mine hi
	conf '{}'
	run_split mc-chat -s s again
	assert_status 2
	assert_err_has "unknown provider 'mine'"
	same exchanges 1 "$(count s)"
}

@test "faults of the settings name the file, the provider and what is wrong" {
	local case
	while IFS='|' read -r case want; do
		conf "$case"
		local of=()
		if [[ $case == *'"x"'* ]]; then of=(-p x); fi
		run_split mc-chat --no-stdin "${of[@]}" hello
		assert_status 1 2
		assert_err_has "$CONF"
		assert_err_has "$want"
	done <<-'END'
		{"providers":{"x":{}}}|'baseUrl' is missing
		{"providers":{"x":{"type":"ollama","baseUrl":"http://localhost"}}}|'type' must be
		{"providers":{"x":{"baseUrl":"ftp://localhost"}}}|http:// or https://
		{"providers":{"x":{"baseUrl":"http://u:p@h/"}}}|user name or password
		{"providers":{"x":{"baseURL":"http://h"}}}|did you mean 'baseUrl'?
		{"provider":"x","providers":{"x y":{"baseUrl":"http://h"}}}|letters, digits
		{"providers":{"x":[]}}|an object
		{"providers":{"x":{"apiKeyFile":"key","baseUrl":"http://h"}}}|absolute path
		{"providers":{"x":{"apiKeyCommand":"pass show","baseUrl":"http://h"}}}|a list of strings
		{"providers":{"x":{"apiKeyCommand":[""],"baseUrl":"http://h"}}}|a list of strings
		{"providers":{"x":{"apiKeyCommand":["a"],"apiKeyFile":"/a","baseUrl":"http://h"}}}|exclude each other
		{"providers":{"x":{"apiKeyEnv":"A-B","baseUrl":"http://h"}}}|environment variable
		{"providers":{"x":{"context":5,"baseUrl":"http://h"}}}|from 256 to
		{"providers":{"echo":{"type":"openai"}},"provider":"echo"}|'echo'
		{"options":[]}|an object
		{"allowHttp":1}|true or false
		{"aliases":{"a":{"provider":"echo"}}}|names no model
		{"aliases":{"a":7}}|must be a model's name
		{"provider":"ecko"}|did you mean 'echo'?
	END
}

@test "options of the file are checked when they are used" {
	serve
	conf "{\"baseUrl\":\"$URL\",\"options\":{\"temperature\":\"hot\"}}"
	run_split mc-chat --no-stdin -m m hello
	assert_status 2
	assert_err_has "$CONF"
	assert_err_has "'temperature' must be a number"
}

# Models

@test "an alias stands for a model, and may bring its provider along" {
	serve "{\"responses\":[$(says hello)]}"
	conf "{\"aliases\":{\"quick\":\"small-1\",\"here\":{\"provider\":\"mine\",\"model\":\"big-1\"}},
		\"providers\":{\"mine\":{\"baseUrl\":\"$URL\",\"model\":\"m\"}}}"
	same 'with its provider' 'mine big-1' "$(chosen -m here)"
	same 'a name only' 'mine small-1' "$(chosen -p mine -m quick)"
	same 'of the environment' 'mine big-1' "$(MC_MODEL=here chosen)"
	run_split mc-session-new -p echo -m here
	assert_status 2
	assert_err_has "'here' stands for a model of mine, not of echo"
	mc-chat -n -s s -m here hi
	mc-chat -s s -m quick hi
	same models $'big-1\nsmall-1' "$(jq -r .body.model "$SERVER_LOG")"
	mc-chat -p echo -n -s e hi
	run_split mc-chat -s e -m here hi
	assert_status 1
	assert_err_has "'here' stands for a model of mine, and session 'e' keeps its provider, echo"
}

@test "a server that has one model only needs no name for it; one with more lists them" {
	serve '{"responses":[{"steps":[{"text":"hi"},{"finish":"stop"},{"done":true}]}]}'
	conf "{\"baseUrl\":\"$URL\"}"
	run_split mc-chat --no-stdin hello
	assert_status 2
	assert_err_has 'no model is chosen'
	[[ ! -e $MC_SESSIONS_DIR ]]
	local list='{"data":[{"id":"one"},{"id":"two"}]}'
	serve "{\"models\":[$(refuses 200 "$list")],\"responses\":[$(says hi)]}"
	conf "{\"baseUrl\":\"$URL\"}"
	run_split mc-chat --no-stdin hello
	assert_status 2
	assert_err_has 'no model is chosen'
	assert_err_has 'the server has: one, two'
	serve "{\"models\":[$(refuses 200 '{"data":[{"id":"only"}]}')],\"responses\":[$(says hi)]}"
	conf "{\"baseUrl\":\"$URL\"}"
	run_split mc-chat --no-stdin hello
	assert_status 0
	same model only "$(request | jq -r .body.model)"
	serve "{\"models\":[$(refuses 401 '{"error":{"message":"who are you?"}}')],\"responses\":[$(says hi)]}"
	conf "{\"baseUrl\":\"$URL\"}"
	run_split mc-chat --no-stdin hello
	assert_status 2
	assert_err_has 'no model is chosen'
	assert_err_has 'answered 401: who are you?; no API key is set'
}

# Parameters

@test "-o: numbers, words and JSON; the last one counts; an empty one takes away" {
	answers "$(says hello)"
	mc-chat -o temperature=0.2 -o max_tokens=10 -o stop=END -o seed=7 -o reasoning_effort=low \
		-o top_k=5 -o 'logit_bias={"1":2}' -o user=me -o temperature=0.3 -o top_p=1 -o top_p= hi
	request | assert_json '.body | .temperature == 0.3 and .max_tokens == 10 and .stop == "END" and .seed == 7 and
		.reasoning_effort == "low" and .top_k == 5 and .logit_bias == {"1":2} and .user == "me" and
		(has("top_p") | not)'
}

@test "-o: an empty one takes away what the settings say" {
	serve "{\"responses\":[$(says hello)]}"
	conf "{\"baseUrl\":\"$URL\",\"options\":{\"temperature\":0.2,\"seed\":7},\"providers\":
		{\"openai-compatible\":{\"options\":{\"top_p\":0.5,\"x\":1}}}}"
	mc-chat --no-stdin -m m -o temperature= -o x= -o seed=8 hi
	request | assert_json '.body | .seed == 8 and .top_p == 0.5 and (has("temperature") or has("x") | not)'
}

@test "-o: what cannot be meant is refused, and nothing is sent" {
	answers "$(says hello)"
	local bad
	for bad in temperature temperature=hot =1 max_tokens=0 max_tokens=1.5 seed=x 'stop=[1]' model=x \
		messages=1 stream=false 'stop=[]'; do
		run_split mc-chat -n -s s -o "$bad" hi
		assert_status 2
		[[ $err ]]
	done
	[[ ! -s $SERVER_LOG ]]
	[[ ! -e $MC_SESSIONS_DIR ]]
}

@test "--schema goes along; what is no JSON object is refused" {
	answers "$(says '{}')"
	echo '{"type":"object","properties":{"name":{"type":"string"}}}' >schema.json
	run_split mc-chat --schema schema.json hi
	assert_status 0
	request | assert_json '.body.response_format.json_schema.schema.properties.name.type == "string"'
	echo '[1]' >bad.json
	for bad in bad.json nothere.json . /dev/null; do
		run_split mc-chat --schema "$bad" hi
		assert_status 1 2
		assert_err_has "the schema '$bad'"
	done
	same requests 1 "$(wc -l <"$SERVER_LOG")"
}

# What came of it

@test "a reply that was cut, refused or is empty is said so, and stored" {
	answers "$(stream '{"text":"half"}' '{"finish":"length"}' '{"done":true}')" \
		"$(stream '{"finish":"content_filter"}' '{"done":true}')" "$(stream "$END")"
	run_split mc-chat -n -s s hi
	assert_status 0
	assert_out half
	assert_err_has 'cut by the limit of tokens'
	same 'finish reason' length "$(exchange s .finishReason)"
	run_split mc-chat -s s hi
	assert_status 0
	assert_err_has 'refused to answer'
	same 'finish reason' content_filter "$(exchange s .finishReason)"
	run_split mc-chat -s s hi
	assert_status 0
	assert_err_has 'the reply is empty'
}

@test "--reasoning shows it on stderr; it is stored in any case" {
	answers "$(stream '{"reasoning":"let me "}' '{"reasoning":"see"}' '{"text":"42"}' "$END")"
	run_split mc-chat -n -s s hi
	assert_out 42
	assert_err_empty
	same reasoning 'let me see' "$(exchange s .reasoning)"
	run_split mc-chat --reasoning -s s hi
	assert_out 42
	same 'standard error' 'let me see' "$err"
}

@test "--reasoning at a terminal is dim, harmless, and apart from the reply" {
	answers "$(stream '{"reasoning":"think\u001b[31m"}' '{"text":"42"}' "$END")"
	term_start mc-chat --reasoning -n -s s hi
	same 'exit status' 0 "$(term_status)"
	term_wait '^think\^\[\[31m$'
	term_wait '^42$'
	has 'dim' "$(on_term capture-pane -p -e)" $'\e[2mthink'
}
