# What the README shows is what one sees.

load helper

@test "the conversation in README.md is the one that mc-chat holds" {
	"$ROOT/tests/recording" >seen
	sed -n '/^<!-- recording/,/^<!-- end of the recording/p' "$ROOT/README.md" | sed '1,2d' | sed '$d' | sed '$d' >shown
	diff shown seen
}
