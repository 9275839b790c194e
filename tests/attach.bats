# shellcheck disable=SC2030,SC2031,SC2154 # a test is a subshell; run_split and end_chat set status, out and err
# Files that go along with a prompt: mc-chat -a.

load helper
load wire

# The smallest of their kinds; and what each is called in artifacts/.
setup() {
	fresh
	printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR' >cat.png
	printf '%%PDF-1.4\n\xe2\xe3' >paper.pdf
	printf 'one\ntwo é\n' >notes.txt
}

digest() { sha256sum "$1" | cut -d ' ' -f 1; }

# artifact ID FILE: where this file is in the session.
artifact() { printf '%s\n' "$MC_SESSIONS_DIR/$1/artifacts/$(digest "$2")"; }

# artifacts ID: how many files are there.
artifacts() { find "$MC_SESSIONS_DIR/$1/artifacts" -mindepth 1 | wc -l; }

# content [N]: the last message's content in request N.
content() { request "$@" | jq -c '.body.messages[-1].content'; }

# data_url TYPE FILE
data_url() { printf 'data:%s;base64,%s\n' "$1" "$(base64 -w 0 "$2")"; }

# image_part FILE: an image as a part of a message.
image_part() { jq -nc --arg url "$(data_url image/png "$1")" '{type: "image_url", image_url: {url: $url}}'; }

# reference FILE TYPE [NAME]: what the record says of it.
reference() {
	jq -nc --arg sha256 "$(digest "$1")" --arg name "${3-${1##*/}}" --arg type "$2" --argjson size "$(wc -c <"$1")" \
		'{$sha256, $name, $type, $size}'
}

# untouched: nothing was sent, and there is no session.
untouched() {
	same 'requests' '' "$(cat "$SERVER_LOG" 2>/dev/null)"
	same 'sessions' 0 "$(sessions)"
}

# What is sent and stored

@test "attach: an image goes along as its bytes, and is stored under its digest" {
	answers "$(says 'A cat.')"
	run_split mc-chat -n -s s -a cat.png 'What is this?'
	assert_status 0
	assert_out 'A cat.'
	assert_err_empty
	same 'content' "[$(image_part cat.png),{\"type\":\"text\",\"text\":\"What is this?\"}]" "$(content)"
	cmp cat.png "$(artifact s cat.png)"
	same 'the record' "[$(reference cat.png image/png)]" "$(exchange s '.attachments | tojson')"
	same 'query' 'What is this?' "$(exchange s .query)"
	same 'modes' $'600\n700' "$(stat -c %a "$(artifact s cat.png)" "$MC_SESSIONS_DIR/s/artifacts")"
	run_split mc-session-cat s
	assert_out $'> What is this?\n[attached: cat.png (image/png, 16 bytes)]\n\nA cat.'
	mc-session-fsck
}

@test "attach: files are told apart by what is in them, and go in their order" {
	answers "$(says ok)"
	mkdir dir
	cp notes.txt dir/photo.png
	cp cat.png dir/text
	mc-chat -n -s s -a dir/photo.png --attach=paper.pdf -a "$PWD/dir/text" read
	content | assert_json --arg pdf "$(data_url application/pdf paper.pdf)" --arg png "$(data_url image/png cat.png)" '
		.[0].type == "text" and (.[0].text | contains("one\ntwo é\n") and contains("photo.png")) and
		.[1] == {type: "file", file: {filename: "paper.pdf", file_data: $pdf}} and
		.[2] == {type: "image_url", image_url: {url: $png}} and .[3] == {type: "text", text: "read"} and length == 4'
	same 'the record' "[$(reference dir/photo.png text/plain),$(reference paper.pdf application/pdf),$(reference dir/text image/png)]" \
		"$(exchange s '.attachments | tojson')"
	same 'artifacts' 3 "$(artifacts s)"
}

@test "attach: later turns send it again, from the disk" {
	answers "$(says 'A cat.')"
	mc-chat -n -s s -a cat.png one
	rm cat.png
	mv "$MC_SESSIONS_DIR/s/artifacts" moved
	mv moved "$MC_SESSIONS_DIR/s/artifacts" # it is read there
	mc-chat -s s two
	mc-chat -c three
	for n in 2 3; do
		same "request $n" "$(request 1 | jq -c '.body.messages[0]')" "$(request $n | jq -c '.body.messages[0]')"
	done
	same 'what the new prompt has' '"three"' "$(content)"
	same 'attachments of the turns' '1 null null' \
		"$(jq -r 'select(.type == "exchange").attachments | if . then length else "null" end' "$(history s)" | paste -sd ' ')"
}

@test "attach: the same file is stored once, however often it is attached and called" {
	answers "$(says ok)"
	cp cat.png copy.png
	mc-chat -n -s s -a cat.png -a copy.png -a cat.png one
	stat -c %i "$(artifact s cat.png)" >before
	mc-chat -s s -a copy.png two
	stat -c %i "$(artifact s cat.png)" | cmp - before
	same 'artifacts' 1 "$(artifacts s)"
	same 'names' 'cat.png copy.png cat.png copy.png' \
		"$(jq -r 'select(.type == "exchange").attachments[].name' "$(history s)" | paste -sd ' ')"
	same 'images in the request' 4 "$(request | jq '[.body.messages[].content | arrays[] | select(.type == "image_url")] | length')"
}

@test "attach: two files of one name are two" {
	answers "$(says ok)"
	mkdir a b
	printf first >a/x
	printf second >b/x
	mc-chat -n -s s -a a/x -a b/x one
	same 'the record' "[$(reference a/x text/plain),$(reference b/x text/plain)]" "$(exchange s '.attachments | tojson')"
	same 'artifacts' 2 "$(artifacts s)"
}

@test "attach: any name is a name" {
	answers "$(says ok)"
	local name=$'new\nline "q" \e[31m \xff é'
	cp notes.txt "$name"
	run_split mc-chat -n -s s -a "$name" one
	assert_status 0
	same 'name' $'new\nline "q" \e[31m \xef\xbf\xbd é' "$(exchange s '.attachments[0].name')"
	same 'queries' 'one' "$(mc-session-cat s | sed -n 's/^> //p')"
	same 'lines' 4 "$(mc-session-cat s | wc -l)"
	mc-session-fsck
}

@test "attach: --json and --events carry the references" {
	answers "$(says ok)"
	same 'record' "[$(reference cat.png image/png)]" "$(mc-chat --json -a cat.png hi | jq -c .attachments)"
	same 'stored event' "[$(reference cat.png image/png)]" \
		"$(mc-chat --events -a cat.png hi | jq -c 'select(.type == "stored").exchange.attachments')"
	same 'without any' null "$(mc-chat --json hi | jq -c .attachments)"
}

@test "attach: standard input stays the prompt" {
	answers "$(says ok)"
	echo 'from stdin' | mc-chat -n -s s -a notes.txt 'Look:'
	same 'query' $'Look:\n\nfrom stdin' "$(exchange s .query)"
	same 'its text' '"Look:\n\nfrom stdin"' "$(content | jq '.[-1].text')"
}

@test "attach: a provider without a use for files says so by ignoring them" {
	MC_PROVIDER=echo mc-chat -n -s s -a cat.png hello >out
	same 'reply' hello "$(cat out)"
	same 'the record' "[$(reference cat.png image/png)]" "$(exchange s '.attachments | tojson')"
	cmp cat.png "$(artifact s cat.png)"
	MC_PROVIDER=echo mc-chat -s s again
}

# What is refused

# refuse_file WHY ARG...: status 2 and these words, and nothing is made or sent.
refuse_file() {
	run_split mc-chat -n -s s "${@:2}" hi
	assert_status 2
	assert_out_empty
	assert_err_has "$1"
	untouched
}

@test "attach: what cannot be attached is told before anything is made or sent" {
	answers "$(says ok)"
	mkdir folder
	: >empty
	printf 'a\0b' >binary
	printf 'caf\xe9' >latin
	ln -s nowhere dangling
	refuse_file "cannot attach 'missing': No such file or directory" -a missing
	refuse_file "cannot attach 'dangling': No such file or directory" -a dangling
	refuse_file "cannot attach '': No such file or directory" -a ''
	refuse_file "cannot attach 'folder': it is a folder" -a folder
	refuse_file "cannot attach '/dev/null': it is a device" -a /dev/null
	refuse_file "cannot attach '/dev/zero': it is a device" -a /dev/zero
	refuse_file "cannot attach 'empty': it is empty" -a empty
	refuse_file "cannot attach 'binary': it is neither an image (PNG, JPEG, GIF, WebP) nor a PDF nor text (a control character at byte 2)" -a binary
	refuse_file "cannot attach 'missing'" -a cat.png -a missing
	[[ ! -e $MC_SESSIONS_DIR ]]
}

# Pipes

@test "attach: pipes and standard input are read to their end, once" {
	answers "$(says ok)"
	mkfifo fifo
	cat notes.txt >fifo 3>&- &
	mc-chat -n -s s -a <(printf 'one\n'; printf 'two é\n') -a <(cat cat.png) -a fifo look
	assert_json '.[0].type == "text" and (.[0].text | contains("one\ntwo é\n")) and .[1].type == "image_url" and
		(.[2].text | contains("one\ntwo é\n"))' <<<"$(content)"
	same 'names' "$(printf 'fd-N\nfd-N\nfifo')" "$(exchange s '.attachments[].name' | sed 's/fd-[0-9]*/fd-N/')"
	cmp cat.png "$(artifact s cat.png)"
	cmp notes.txt "$(artifact s notes.txt)"
	rm -r "$MC_SESSIONS_DIR/s"
	local name
	for name in - /dev/stdin /dev/fd/0; do
		mc-chat -n -s s -a "$name" 'what is it?' <cat.png
		same 'query' 'what is it?' "$(exchange s .query)"
		same 'the record' "[$(reference cat.png image/png stdin)]" "$(exchange s '.attachments | tojson')"
		cat notes.txt | mc-chat -n -s s --attach="$name" -a cat.png hi
		same 'the record' "[$(reference notes.txt text/plain stdin),$(reference cat.png image/png)]" "$(exchange s '.attachments | tojson')"
	done
}

@test "attach: standard input that is attached is not the prompt as well" {
	answers "$(says ok)"
	refuse_stdin() {
		run_split mc-chat -n -s s "${@:2}" <notes.txt
		assert_status 2
		assert_out_empty
		assert_err_has "$1"
		untouched
	}
	refuse_stdin 'the prompt is empty: standard input is attached, so give the prompt as an argument' -a -
	refuse_stdin '-a - and --no-stdin exclude each other' -a - --no-stdin hi
	refuse_stdin '-a /dev/stdin and --no-stdin exclude each other' --no-stdin -a /dev/stdin hi
	refuse_stdin "cannot attach '-': standard input can be read only once" -a /dev/stdin -a - hi
	refuse_file "cannot attach '-': it is empty" -a -
	refuse_file "cannot attach '-': Bad file descriptor" -a - <&-
	refuse_file "cannot attach './-': No such file" -a ./-
	refuse_file 'it is larger than 64 MiB' -a - < <(cat /dev/zero)
	refuse_file "it is empty" -a <(:)
	term_start mc-chat -n -s s -a - hi
	same 'exit status' 2 "$(term_status)"
	term_wait "cannot attach '-': standard input is a terminal"
}

@test "attach: a FIFO that nobody writes to is waited for, aloud, and Ctrl-C ends that" {
	mkfifo fifo
	start_chat -p echo -n -s s -a fifo hi
	holds chat.err "mc-chat: waiting for the end of 'fifo'"
	same 'what was said' 1 "$(wc -l <chat.err)"
	kill -INT "$CHAT"
	end_chat
	assert_status 130
	same 'sessions' 0 "$(sessions)"
	MC_PROVIDER=echo start_chat -n -s s -a fifo hi
	cat notes.txt >fifo
	end_chat
	assert_status 0
	same 'the record' "[$(reference notes.txt text/plain fifo)]" "$(exchange s '.attachments | tojson')"
}

@test "attach: text that is not UTF-8 is refused with what helps, or repaired" {
	answers "$(says ok)"
	printf 'caf\xe9\n' >latin
	refuse_file "cannot attach 'latin': it is neither an image (PNG, JPEG, GIF, WebP) nor a PDF, and as text it is not valid UTF-8 (at byte 4); 'iconv -f LATIN1 -t UTF-8' converts Latin-1; --replace-invalid replaces such bytes" -a latin
	iconv -t UTF-16 notes.txt >utf16
	refuse_file "as text it is UTF-16, and must be UTF-8; 'iconv -f UTF-16 -t UTF-8' converts it" -a utf16
	refuse_file "as text it is UTF-16" --replace-invalid -a utf16
	printf 'a\0b\xe9' >binary
	refuse_file "a control character at byte 2" --replace-invalid -a binary
	mc-chat -n -s s --replace-invalid -a latin -a <(cat latin) -a cat.png hi
	printf 'caf\ufffd\n' >clean
	cmp clean "$(artifact s clean)"
	same 'the first' "$(reference clean text/plain latin)" "$(exchange s '.attachments[0] | tojson')"
	cmp cat.png "$(artifact s cat.png)"
	mc-session-fsck
}

@test "attach: a file that may not be read" {
	answers "$(says ok)"
	chmod 0 notes.txt
	need_permissions
	run_split without_privilege mc-chat -a notes.txt hi
	assert_status 2
	assert_err_has "cannot attach 'notes.txt': Permission denied"
	untouched
}

@test "attach: one that is too large, and too many together" {
	answers "$(says ok)"
	cp cat.png large.png
	truncate -s $((64 * 1024 * 1024 + 1)) large.png
	refuse_file "cannot attach 'large.png': it is larger than 64 MiB" -a large.png
	truncate -s $((60 * 1024 * 1024)) large.png
	refuse_file "cannot attach 'large.png': all files together are larger than 128 MiB" -a large.png -a large.png -a large.png
}

@test "attach: a file is no prompt" {
	answers "$(says ok)"
	run_split mc-chat -n -s s -a cat.png
	assert_status 2
	assert_err_has 'the prompt is empty'
	untouched
}

# Earlier turns' files that are not what they were

# broken PART: a turn in session s, whose earlier file is broken; PART is why it says that it is.
broken() {
	run_split mc-chat -s s two
	assert_status 0
	assert_out 'A cat.'
	assert_err_has "the attachment 'cat.png' of an earlier turn is not sent again: $1"
	request | assert_json '.body.messages[0].content | length == 2 and .[0].type == "text" and
		(.[0].text | contains("cat.png") and contains("[this file is not there any more]"))'
	[[ $(request) != *base64* ]]
}

@test "attach: a missing or damaged file of an earlier turn is told, and the turn goes on" {
	answers "$(says 'A cat.')"
	mc-chat -n -s s -a cat.png one
	file=$(artifact s cat.png)
	printf 'x' >>"$file"
	broken 'its content is not what its name says'
	rm "$file"
	broken 'it is missing'
	rm -r "$MC_SESSIONS_DIR/s/artifacts"
	broken 'it is missing'
	mc-chat -s s -a cat.png again
	run_split mc-chat -s s hi # it is whole again, for both turns
	assert_err_empty
	same 'images' 2 "$(request | grep -o 'data:image/png;base64' | wc -l)"
	mc-session-fsck
}

@test "attach: a damaged one is made right when it is attached again" {
	answers "$(says 'A cat.')"
	mc-chat -n -s s -a cat.png one
	printf 'x' >"$(artifact s cat.png)"
	run_split mc-chat -s s -a cat.png two
	assert_status 0
	assert_err_empty
	cmp cat.png "$(artifact s cat.png)"
	same 'images' 2 "$(request | grep -o 'data:image/png;base64' | wc -l)"
}

@test "attach: a record that tells of another size or type does not make a false request" {
	answers "$(says 'A cat.')"
	mc-chat -n -s s -a cat.png one
	sed -i 's/"size":16/"size":1/' "$(history s)"
	broken 'its size is not what its exchange says'
	sed -i 's/"size":1}/"size":16}/; s,image/png,text/plain,' "$(history s)"
	run_split mc-chat -s s three
	assert_status 0
	assert_err_empty
	same 'the image' "$(image_part cat.png)" "$(request | jq -c '.body.messages[0].content[0]')"
}

@test "attach: traps in the place of an earlier file, and of the folder" {
	answers "$(says 'A cat.')"
	mc-chat -n -s s -a cat.png one
	file=$(artifact s cat.png)
	printf secret >secret
	rm "$file"
	ln -s "$PWD/secret" "$file"
	broken 'refused, because it is a symbolic link'
	rm "$file"
	ln cat.png "$file"
	broken 'refused, because it has a second name'
	rm "$file"
	mkfifo "$file"
	broken 'refused, because it is not a regular file'
	rm "$file"
	mkdir "$file"
	broken 'refused, because it is not a regular file'
	rmdir "$file"
	cp cat.png "$file"
	chmod 0666 "$file"
	broken 'refused, because others may write to it'
	chmod 0777 "$MC_SESSIONS_DIR/s/artifacts"
	broken 'refused, because others may write to it'
	same 'secret' secret "$(cat secret)"
}

@test "attach: nothing is sent, and nothing written elsewhere, when the folder is a trap" {
	answers "$(says ok)"
	trapped() {
		run_split mc-chat -s s -a cat.png two
		assert_status 1
		assert_out_empty
		assert_err_has "cannot store what is attached, 'cat.png': 'artifacts': $1"
		same 'requests' 1 "$(wc -l <"$SERVER_LOG")"
		same 'exchanges' 1 "$(count s)"
		[[ ! -e $MC_SESSIONS_DIR/s/turn.partial ]]
		same 'outside' '' "$(ls outside)"
		rm -r "$MC_SESSIONS_DIR/s/artifacts"
	}
	mkdir outside
	mc-chat -n -s s one
	ln -s "$PWD/outside" "$MC_SESSIONS_DIR/s/artifacts"
	trapped 'refused, because it is a symbolic link'
	echo x >"$MC_SESSIONS_DIR/s/artifacts"
	trapped 'it is not a folder'
	mkfifo "$MC_SESSIONS_DIR/s/artifacts"
	trapped 'it is not a folder'
	mkdir -m 0777 "$MC_SESSIONS_DIR/s/artifacts"
	trapped 'refused, because others may write to it'
	mkdir -p "$(artifact s cat.png)"
	trapped 'cannot rename'
}

@test "attach: traps in the place of the file give way" {
	answers "$(says ok)"
	mc-chat -n -s s one
	mkdir -m 0700 "$MC_SESSIONS_DIR/s/artifacts"
	printf outside >outside
	ln -s "$PWD/outside" "$(artifact s cat.png)"
	mkfifo "$MC_SESSIONS_DIR/s/artifacts/.new"
	mc-chat -s s -a cat.png two
	cmp cat.png "$(artifact s cat.png)"
	[[ ! -L $(artifact s cat.png) ]]
	same 'outside' outside "$(cat outside)"
	same 'artifacts' 1 "$(artifacts s)"
}

@test "attach: a disk without room for it: nothing is sent" {
	answers "$(says ok)"
	mc-chat -n -s s one
	cp cat.png large.png
	truncate -s 1M large.png
	run_split small_files 64 mc-chat -s s -a large.png two
	assert_status 1
	assert_out_empty
	assert_err_has "cannot store what is attached, 'large.png': 'artifacts': cannot write there: File too large"
	same 'requests' 1 "$(wc -l <"$SERVER_LOG")"
	same 'exchanges' 1 "$(count s)"
	same 'artifacts' 0 "$(artifacts s)"
	mc-session-fsck
}

# Turns that do not end well

@test "attach: a turn that is killed keeps its file, which was there before the request" {
	answers "$(stream '{"text":"A c"}' '{"touch":"begun"}' '{"hang":true}')" "$(says ok)"
	start_chat -n -s s -a cat.png 'What is this?'
	wait_for begun
	poll 30 grep -q 'A c' "$MC_SESSIONS_DIR/s/turn.partial"
	cmp cat.png "$(artifact s cat.png)"
	same 'what the spool says' "[$(reference cat.png image/png)]" \
		"$(head -n 1 "$MC_SESSIONS_DIR/s/turn.partial" | jq -c .attachments)"
	kill -KILL "$CHAT"
	end_chat
	run_split mc-session-cat s
	assert_out $'> What is this?\n[attached: cat.png (image/png, 16 bytes)]\n\nA c\n[interrupted]'
	mc-chat -s s 'Go on.'
	same 'the image' "$(image_part cat.png)" "$(request | jq -c '.body.messages[0].content[0]')"
	mc-session-fsck
}

@test "attach: the artifact is there when the server has the request" {
	answers "$(stream '{"touch":"begun"}' '{"wait":"go on"}' '{"text":"ok"}' "$END")"
	start_chat -n -s s -a cat.png hi
	wait_for begun
	cmp cat.png "$(artifact s cat.png)"
	touch 'go on'
	end_chat
	assert_status 0
}

@test "attach: of a turn that failed, it is kept and not sent again" {
	answers "$(refuses 400 '{"error":{"message":"no images"}}')" "$(says ok)"
	run_split mc-chat -n -s s -a cat.png one
	assert_status 3
	cmp cat.png "$(artifact s cat.png)"
	same 'the record' "[$(reference cat.png image/png)]" "$(exchange s '.attachments | tojson')"
	mc-chat -s s two
	same 'messages' 1 "$(request | jq '.body.messages | length')"
}

@test "attach: a session that is removed under the turn goes on with its file" {
	answers "$(stream '{"touch":"begun"}' '{"wait":"removed"}' '{"text":"late"}' "$END")"
	start_chat -n -s s -a cat.png hi
	wait_for begun
	rm -r "$MC_SESSIONS_DIR/s"
	touch removed
	end_chat
	assert_status 0
	id=$(mc-session-ls -q | grep -v '^s$')
	cmp cat.png "$(artifact "$id" cat.png)"
	same 'the record' "[$(reference cat.png image/png)]" "$(exchange "$id" '.attachments | tojson')"
	mc-session-fsck "$id"
}

@test "attach: mc-session-rm takes the files away, too" {
	answers "$(says ok)"
	mc-chat -n -s s -a cat.png -a notes.txt hi
	same artifacts 2 "$(artifacts s)"
	mc-session-rm -f s
	same 'what is left' '' "$(find "$MC_SESSIONS_DIR" -mindepth 1 ! -name 'index.*' ! -name removed.jsonl)"
}

# Without storing

@test "attach: --no-save sends, and stores nothing" {
	answers "$(says ok)"
	run_split mc-chat --no-save -a cat.png hi
	assert_status 0
	same 'the image' "$(image_part cat.png)" "$(content | jq -c '.[0]')"
	[[ ! -e $MC_SESSIONS_DIR ]]
	same 'record' "[$(reference cat.png image/png)]" "$(mc-chat --no-save --json -a cat.png hi | jq -c .attachments)"
	mc-chat -n -s s -a cat.png one
	find "$MC_SESSIONS_DIR" -type f -exec sha256sum {} + | sort >before
	mc-chat --no-save -s s -a notes.txt two
	find "$MC_SESSIONS_DIR" -type f -exec sha256sum {} + | sort | cmp before -
	same 'the stored image' "$(image_part cat.png)" "$(request | jq -c '.body.messages[0].content[0]')"
	content | assert_json '.[0].text | contains("two é")'
}

# At the terminal

# prompts N: waits until there have been so many requests.
prompts() { poll 30 eval '[[ $(wc -l 2>/dev/null <"$SERVER_LOG") == '"$1"' ]]'; }

for_images() { request "$1" | jq -c '[.body.messages[].content | arrays | map(select(.type == "image_url")) | length]'; }

@test "attach: in a conversation it goes along with the first prompt, and is sent again" {
	for option in '-n -s s' --no-save; do
		answers "$(says ok)"
		cp cat.png gone.png
		# shellcheck disable=SC2086
		term_start mc-chat $option -a gone.png
		term_wait '^\[attached: gone\.png \(image/png, 16 bytes\)\]$'
		rm gone.png
		term_type one
		term_keys Enter
		prompts 1
		term_wait '^ok$'
		term_type two
		term_keys Enter
		prompts 2
		poll 30 eval '[[ $(term_screen | grep -c "^ok$") == 2 ]]'
		term_keys C-d
		same 'status' 0 "$(term_status)"
		same 'images in the first request' '[1]' "$(for_images 1)"
		same 'images in the second' '[1]' "$(for_images 2)"
		same 'the new prompt' '"two"' "$(content 2)"
	done
	same 'attachments' '1 null' \
		"$(jq -r 'select(.type == "exchange").attachments | if . then length else "null" end' "$(history s)" | paste -sd ' ')"
}

@test "attach: what the model has not answered goes along with the next prompt, too" {
	answers "$(refuses 400 '{"error":{"message":"not now"}}')" "$(says ok)"
	term_start mc-chat -n -s s -a cat.png
	term_wait '^>$'
	term_type one
	term_keys Enter
	term_wait 'not now'
	term_type two
	term_keys Enter
	term_wait '^ok$'
	term_type three
	term_keys Enter
	prompts 3
	poll 30 eval '[[ $(term_screen | grep -c "^ok$") == 2 ]]'
	term_keys C-d
	same 'status' 0 "$(term_status)"
	same 'images' '[1] [1] [1]' "$(for_images 1) $(for_images 2) $(for_images 3)"
	same 'attachments' '1 1 null' \
		"$(jq -r 'select(.type == "exchange").attachments | if . then length else "null" end' "$(history s)" | paste -sd ' ')"
}
