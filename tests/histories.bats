#!/usr/bin/env bats
#
# Random histories, read by the tools and by a model that follows mc-session(5): see tests/histories.py and
# tests/history_model.py. HISTORY_SEED=N chooses others, HISTORIES=N how many; a difference is printed with
# its seed and the few lines that are needed for it.

load helper

histories() { "${PYTHON:-/usr/bin/python3}" -I "$ROOT/tests/histories.py" "$@"; }

@test "cat, ls, fsck and its repair agree with the model of mc-session(5)" {
	histories "${HISTORIES:-$(if long; then echo 3000; else echo 300; fi)}"
}

@test "a history as the tools write it has no finding in the model" {
	histories sound 200
}
