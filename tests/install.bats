#!/usr/bin/env bats
# make: what it prints, and what make install leaves where.

load helper

setup() {
	fresh
	unset MAKEFLAGS MFLAGS MAKELEVEL # of a make that runs this
}

# Installs the tools under test, whatever they were built with.
# installer TARGET [VARIABLE=VALUE]...
installer() {
	local target=$1
	shift
	make -s -C "$ROOT" -o all "$target" OUT="${MCBOX_BIN_DIR:-$ROOT}" "$@"
}

# compiler: one that makes what it is asked for, or fails for the file `bad`.
compiler() {
	cat >compiler <<-'EOF'
		#!/bin/sh
		case "$*" in *"${bad:-no such file}"*) echo "$bad: a fault" >&2; exit 3 ;; esac
		while [ "$1" != -o ]; do shift; done
		: >"$2"
	EOF
	chmod +x compiler
}

# build [ARG]...: with it, apart from all else.
build() {
	run_split make -C "$ROOT" BUILD="$BATS_TEST_TMPDIR/build" OUT="$BATS_TEST_TMPDIR/build" \
		CC="$BATS_TEST_TMPDIR/compiler" "$@"
}

# kept FOLDER...: what of it is there.
kept() { find "$@" -mindepth 1 -printf '%P\n' | sort; }

# fish_knows: fish completes a tool's option, for somebody who logs in by ssh.
fish_knows() {
	[[ $(env -i HOME="$HOME" TERM=dumb PATH="$PATH" fish -c 'complete -C "mc-chat --no-st"') == *--no-stdin* ]]
}

@test "make prints a short line for each file, and V=1 the commands" {
	compiler
	build
	assert_status 0
	assert_out_has $'\nCC lib/base/buf.c\n'
	assert_out_has $'\nCC cmd/chat/chat.c\n'
	assert_out_has "LD $BATS_TEST_TMPDIR/build/mcbox"
	assert_out_has "LN $BATS_TEST_TMPDIR/build/mc-session-ls"
	refute_out_has -std=c11
	rm -r build
	build V=1
	assert_status 0
	refute_out_has $'\nCC lib/base/buf.c\n'
	[[ $out == *" -std=c11 "*" lib/base/buf.c"* ]]
}

@test "make is as short for the tests and the fuzz targets" {
	compiler
	build "$BATS_TEST_TMPDIR"/build/tests/{unit/buf,fuzz/replay-sse,fault/tracer,fault/alloc.so,fault/append}
	assert_out_has "LD $BATS_TEST_TMPDIR/build/tests/unit/buf"
	assert_out_has 'CC tests/fault/alloc.c'
	refute_out_has -std=c11
}

@test "the archive of lib/ holds no object of a source file that is gone" {
	compiler
	archive=$BATS_TEST_TMPDIR/build/libmcbox.a
	build "$archive" LIB_SRC='lib/base/buf.c lib/base/err.c lib/net/sse.c'
	assert_status 0
	same members 'buf.o err.o sse.o' "$(ar t "$archive" | sort | xargs)"
	build "$archive" LIB_SRC='lib/base/buf.c lib/net/sse.c'
	assert_status 0
	same 'members afterwards' 'buf.o sse.o' "$(ar t "$archive" | sort | xargs)"
	build "$archive" LIB_SRC='lib/base/buf.c lib/net/sse.c'
	refute_out_has AR
}

@test "make prints the command that failed" {
	compiler
	bad=lib/base/buf.c build
	assert_status 2
	assert_err_has 'lib/base/buf.c: a fault'
	[[ $err == *"$BATS_TEST_TMPDIR/compiler "*"-DMCBOX_VERSION='\""*"-o $BATS_TEST_TMPDIR/build/lib/base/buf.o lib/base/buf.c"* ]]
	refute_out_has -std=c11
}

@test "make -n prints the commands, and make -s nothing" {
	compiler
	build -n
	[[ $out == *"/compiler "*" lib/base/buf.c"* && $out != *"CC lib/base/buf.c"* ]]
	build -s
	assert_out_empty
	[[ -e build/mcbox ]]
}

@test "make install and uninstall leave no folder behind" {
	installer install PREFIX="$PWD/prefix"
	[[ -x prefix/bin/mcbox && -L prefix/bin/mc-chat && -e prefix/share/man/man5/mc-session.5 ]]
	[[ $(./prefix/bin/mc-chat --version) == mc-chat* ]]
	installer uninstall PREFIX="$PWD/prefix"
	[[ ! -e prefix ]]

	installer install DESTDIR="$PWD/root"
	[[ -x root/usr/local/bin/mcbox ]]
	installer uninstall DESTDIR="$PWD/root"
	[[ ! -e root ]]
	installer uninstall DESTDIR="$PWD/root" # nothing is there, and that is as good
}

@test "make uninstall leaves what is not its own" {
	installer install PREFIX="$PWD/prefix"
	mkdir -p prefix/share/mcbox/sessions prefix/share/zsh/functions prefix/lib
	: >prefix/bin/mc
	: >prefix/share/fish/vendor_completions.d/mine.fish
	installer uninstall PREFIX="$PWD/prefix"
	same 'what is left' "bin
bin/mc
lib
share
share/fish
share/fish/vendor_completions.d
share/fish/vendor_completions.d/mine.fish
share/mcbox
share/mcbox/sessions
share/zsh
share/zsh/functions" "$(kept prefix)"
}

@test "make uninstall leaves the folders that every system has" {
	run_split installer uninstall -n
	[[ $out == *"rmdir "*/usr/local/share/man/man1* ]]
	for d in /usr/local /usr/local/bin /usr/local/share /usr/local/share/man /etc/fish; do
		refute_out_has " $d "
	done
}

@test "fish finds the completions below any home, and of the default prefix, without XDG_DATA_DIRS" {
	command -v fish >/dev/null || skip 'there is no fish'
	refute fish_knows
	installer install PREFIX="$HOME/.local"
	fish_knows
	installer uninstall PREFIX="$HOME/.local"
	refute fish_knows

	# The folder is one that fish looks into: files are not put there in a test.
	installer install DESTDIR="$PWD/root"
	found=$(cd root && find . -name mc-chat.fish)
	# shellcheck disable=SC2016  # fish's variable
	grep -qxF "${found%/mc-chat.fish}" <(env -i HOME="$HOME" TERM=dumb PATH="$PATH" \
		fish -c 'string join \n .$fish_complete_path')
	# shellcheck disable=SC2016
	[[ $(env -i HOME="$HOME" TERM=dumb PATH="$PATH" fish -c "set -p fish_complete_path $PWD/root/${found%/*}
		"'complete -C "mc-chat --no-st"') == *--no-stdin* ]]
}

@test "FISH_COMPLETIONS says where fish looks" {
	installer install DESTDIR="$PWD/root" PREFIX=/opt/mcbox FISH_COMPLETIONS=/etc/fish/completions
	[[ -e root/etc/fish/completions/mcbox.fish && ! -e root/opt/mcbox/share/fish ]]
	installer uninstall DESTDIR="$PWD/root" PREFIX=/opt/mcbox FISH_COMPLETIONS=/etc/fish/completions
	[[ ! -e root ]]
}
