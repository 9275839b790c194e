# mcbox: one binary, a link for each tool. See CONTRIBUTING.md.
#
#	make                      ./mcbox and ./mc-… beside it
#	make check lint bench     the tests, the static checks, the measurements
#	make check-all            the same with the tests and the samples of faults that take long
#	make check-fault          the tests of tests/fault with every fault
#	make fuzz TIME=60         each fuzz target for so many seconds; TARGET=NAME for one
#	make soak TIME=600        somebody lives in mc-chat for so long; best with SANITIZE=1
#	make recording            the conversation in README.md, anew
#	make coverage             which lines the tests run, against a figure for each directory
#	make install PREFIX=…     also DESTDIR=…
#
# Switches: V=1 prints every command in full, instead of a short line.
#           SANITIZE=1 builds with ASan and UBSan, into build/sanitize.
#           CURL=link links libcurl instead of loading it when needed,
#           READLINE=link readline.

VERSION = 0.1.0
PREFIX  = /usr/local
DESTDIR =

CC      ?= cc
CFLAGS  ?= -O2 -g
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wold-style-definition -Wvla -Wwrite-strings
STD      = -std=c11
PKG_CONFIG ?= pkg-config

ifdef SANITIZE
BUILD    = build/sanitize
OUT      = $(BUILD)
SAN      = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
export MCBOX_BIN_DIR = $(CURDIR)/$(OUT)
export TEST_LIMIT = 1800
export LSAN_OPTIONS = suppressions=$(CURDIR)/tests/leaks:print_suppressions=0
else ifdef COVERAGE
BUILD    = build/coverage
OUT      = $(BUILD)
SAN      = --coverage
CFLAGS   = -O0 -g
export TEST_LIMIT = 1800
export MCBOX_BIN_DIR = $(CURDIR)/$(OUT)
else
BUILD    = build
OUT      = .
endif

DEPS     = json-c
ifeq ($(CURL),link)
DEPS    += libcurl
DEFINES += -DCURL_LINKED
endif
ifeq ($(READLINE),link)
DEPS    += readline
DEFINES += -DREADLINE_LINKED
endif

# Of readline only where its headers are: it asks for an older POSIX than we do.
PKG_CFLAGS  := $(shell $(PKG_CONFIG) --cflags json-c libcurl) \
               $(shell $(PKG_CONFIG) --cflags-only-I readline)
PKG_LIBS    := $(shell $(PKG_CONFIG) --libs $(DEPS))
ALL_CPPFLAGS = -D_GNU_SOURCE $(DEFINES) -DMCBOX_VERSION='"$(VERSION)"' -Ilib -Icmd \
               -include base/banned.h $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS   = $(STD) $(WARN) $(SAN) $(CFLAGS)
ALL_LDFLAGS  = $(SAN) -Wl,--as-needed -Wl,-z,relro -Wl,-z,now $(LDFLAGS)
LIBS         = $(PKG_LIBS) $(LDLIBS)

# $(call run,WORD,SUBJECT,COMMAND) prints `WORD SUBJECT` and runs the command, which is printed in
# full only if it fails. V=1 and make -n print every command, make -s prints none. $(Q) begins a
# command that reports for itself.
MODE = $(filter-out --%,$(firstword -$(MAKEFLAGS)))
ifneq ($(filter 1,$(V))$(findstring n,$(MODE)),)
run = $3
else
Q   = @
ifneq ($(findstring s,$(MODE)),)
run = @$3
else
run = @echo '$1 $2'; $3 || { status=$$?; printf '%s\n' '$(subst ','\'',$3)' >&2; exit $$status; }
endif
endif
link = $(call run,LD,$@,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS))

# A file below cmd/ with a descriptor at its foot is a tool.
TOOL_SRC := $(shell grep -l '^const struct applet applet_' cmd/*/*.c cmd/*.c)
TOOLS    := $(patsubst %.c,mc-%,$(notdir $(TOOL_SRC)))
CMD_SRC  := $(wildcard cmd/*.c cmd/*/*.c)
LIB_SRC  := $(wildcard lib/*/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB      := $(BUILD)/libmcbox.a
CMD_OBJ  := $(CMD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/applets.o
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT     := $(UNIT_SRC:%.c=$(BUILD)/%)
FUZZ_SRC := $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c))
REPLAY   := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/tests/fuzz/replay-%)
SCRIPTS  := $(wildcard tests/*.bats tests/terminal-*.py)
PRELOADED := $(addprefix tests/fault/,alloc.c filesystem.c)
FAULT_SRC := $(filter-out $(PRELOADED),$(wildcard tests/fault/*.c))
FAULT_BIN := $(FAULT_SRC:%.c=$(BUILD)/%) $(PRELOADED:%.c=$(BUILD)/%.so)
FAULT_TESTS := $(shell find tests -path 'tests/fault/*' -type f '(' -perm -u+x -o -name '*.bats' ')')
MAN1     := $(wildcard man/*.1)
MAN5     := $(wildcard man/*.5)
SCHEMAS  := $(wildcard man/*.schema.json)
COMPLETIONS := completions/mcbox.bash completions/_mcbox completions/mcbox.fish

all: $(OUT)/mcbox $(TOOLS:%=$(OUT)/%)

$(OUT)/mcbox: $(CMD_OBJ) $(LIB_OBJ) $(BUILD)/sources
	$(link)

$(TOOLS:%=$(OUT)/%): | $(OUT)/mcbox
	$(call run,LN,$@,ln -sf mcbox $@)

# The table of tools, from the names of their files. Written anew only when it changes.
$(BUILD)/applets.c: FORCE
	@mkdir -p $(@D)
	@{ echo '/* Generated. */'; echo '#include "applet.h"'; \
	   for f in $(TOOL_SRC); do n=$$(basename $$f .c | tr - _); \
	     echo "extern const struct applet applet_$$n;"; done; \
	   echo 'const struct applet *const applets[] = {'; \
	   for f in $(TOOL_SRC); do n=$$(basename $$f .c | tr - _); \
	     printf '\t&applet_%s,\n' $$n; done; \
	   printf '\tNULL,\n};\n'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# What everything is built with: other flags or another compiler build it anew.
$(BUILD)/flags: export FLAGS = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Which files there are: without one of them, or with one more, what holds them is built anew.
$(BUILD)/sources: export SOURCES = $(CMD_SRC) $(LIB_SRC)
$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$SOURCES" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC,$<,$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<)

$(BUILD)/applets.o: $(BUILD)/applets.c $(BUILD)/flags
	$(call run,CC,$<,$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<)

# lib/ as an archive, for the programs of the tests. It is written from scratch, because ar would
# keep the object of a source file that was deleted.
archive = $(call run,AR,$@,rm -f $@ && $(AR) qcs $@ $(filter %.o,$^))

$(LIB): $(LIB_OBJ) $(BUILD)/sources
	$(archive)

# ---- completions: from the descriptors, and committed ----

$(BUILD)/completions/generate: $(BUILD)/completions/generate.o $(filter-out %/cmd/mcbox.o,$(CMD_OBJ)) $(LIB)
	$(link)

completions: $(BUILD)/completions/generate
	$(call run,GEN,completions/mcbox.bash,$< bash > completions/mcbox.bash)
	$(call run,GEN,completions/_mcbox,$< zsh > completions/_mcbox)
	$(call run,GEN,completions/mcbox.fish,$< fish > completions/mcbox.fish)

# ---- tests ----

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	$(link)

$(BUILD)/tests/fuzz/replay-%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(LIB)
	$(link)

# What tests/fault/NAME.c does to the tools it does from outside; it has no use for the
# sanitizers itself.
$(BUILD)/tests/fault/%: tests/fault/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC,$<,$(CC) -D_GNU_SOURCE $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) -o $@ $<)

# These are preloaded into a tool, and the next two are made of what the tools are made of.
$(BUILD)/tests/fault/%.so: tests/fault/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call run,CC,$<,$(CC) -D_GNU_SOURCE $(STD) $(WARN) $(CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<)

$(addprefix $(BUILD)/tests/fault/,append again steps): %: %.o $(LIB)
	$(link)

# Every executable file in tests/fault is a test, and every *.bats. It finds the tools in
# MCBOX_BIN_DIR, or else at the root, and the programs above in FAULT_BIN_DIR. LONG=1 asks for
# larger samples and for the tests that `make check` skips, FAULT=full for every fault.
check check-fault: export FAULT_BIN_DIR = $(CURDIR)/$(BUILD)/tests/fault

# The quick ones come last, so that all processors are busy to the end, the first time too.
check: all $(UNIT) $(REPLAY) $(FAULT_BIN) $(BUILD)/completions/generate
	$(Q)GENERATE=$(CURDIR)/$(BUILD)/completions/generate TEST_OUT=$(BUILD)/check \
		tests/run $(FAULT_TESTS) $(SCRIPTS) $(UNIT) $(REPLAY)

check-all: export LONG = 1
check-all: check

check-fault: all $(FAULT_BIN)
	$(Q)FAULT=full LONG=1 TEST_LIMIT=7200 TEST_OUT=$(BUILD)/check-fault tests/run $(FAULT_TESTS)

# A program that is killed, or tested for what it does without memory or disk, says nothing
# of what it ran, or says so on a standard error that is being looked at: not here.
coverage: export GCOV_ERROR_FILE = /dev/null
coverage:
	@mkdir -p build/coverage
	$(Q)find build/coverage -name '*.gcda' -delete
	@status=0; $(MAKE) COVERAGE=1 check-all coverage-faults || status=$$?; \
		tests/coverage.py build/coverage && exit $$status

# All of the faults that an error's line may wait for, not a sample: a quarter of an hour.
coverage-faults: all $(FAULT_BIN)
	$(Q)FAULT=full FAULT_BIN_DIR=$(CURDIR)/$(BUILD)/tests/fault TEST_LIMIT=7200 TEST_OUT=$(BUILD)/check-fault \
		tests/run tests/fault/failing-calls.py tests/fault/alloc.py

# ---- fuzzing: the targets once more, by clang, with libFuzzer and the sanitizers ----

TARGET     = $(FUZZ_SRC:tests/fuzz/%.c=%)
FUZZ_FLAGS = $(STD) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
             -fno-sanitize-recover=all

build/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call run,CC,$<,clang $(ALL_CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<)

build/fuzz/libmcbox.a: $(LIB_SRC:%.c=build/fuzz/%.o) $(BUILD)/sources
	$(archive)

build/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/libmcbox.a
	$(call run,LD,$@,clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS))

fuzz: $(TARGET:%=build/fuzz/%)
	$(Q)tests/fuzz/run $^

lint: export LINT_CPPFLAGS = $(ALL_CPPFLAGS)
lint: export LINT_WARN = $(STD) $(WARN)
lint:
	$(Q)tests/lint

bench: all
	$(Q)CC='$(CC)' tests/bench/run $(BUILD)/bench

# The conversation in README.md, as a person sees it now.
recording: all
	$(call run,GEN,$(BUILD)/recording,tests/recording > $(BUILD)/recording)
	@echo 'GEN README.md'
	$(Q)sed -i -e '/^<!-- recording/,/^<!-- end of the recording/{ /^~~~console/r $(BUILD)/recording' \
		-e '/^<!--/b' -e '/^~~~/b' -e 'd }' README.md

# Somebody lives in mc-chat for TIME seconds (600); SEED=N for the same life again.
soak: all
	$(Q)TIME=$(or $(TIME),600) tests/soak.py

# ---- installing ----

prefix   = $(PREFIX:%/=%)
bindir   = $(DESTDIR)$(prefix)/bin
datadir  = $(DESTDIR)$(prefix)/share
bashdir  = $(datadir)/bash-completion/completions
zshdir   = $(datadir)/zsh/site-functions
fishdir  = $(DESTDIR)$(FISH_COMPLETIONS)

# bash-completion and zsh look below /usr/local/share. fish does so only if XDG_DATA_DIRS names it,
# which ssh and the console do not set, or if it is installed there itself.
FISH_COMPLETIONS = $(if $(filter /usr/local,$(prefix)),$(or \
	$(filter /usr/local/%,$(shell $(PKG_CONFIG) --variable=completionsdir fish 2>/dev/null)),\
	/etc/fish/completions),$(prefix)/share/fish/vendor_completions.d)

installed = $(bindir)/mcbox $(TOOLS:%=$(bindir)/%) \
            $(MAN1:man/%=$(datadir)/man/man1/%) $(MAN5:man/%=$(datadir)/man/man5/%) \
            $(SCHEMAS:man/%=$(datadir)/mcbox/%) \
            $(bashdir)/mcbox $(TOOLS:%=$(bashdir)/%) $(zshdir)/_mcbox \
            $(fishdir)/mcbox.fish $(TOOLS:%=$(fishdir)/%.fish)

# The folders that uninstall removes if they are empty, the innermost first: those that install may
# have created, without those that every system has, or that a shell brings along.
folders  = $(filter-out $(system),$(datadir)/man/man1 $(datadir)/man/man5 $(datadir)/man $(datadir)/mcbox \
            $(bashdir) $(datadir)/bash-completion $(zshdir) $(datadir)/zsh \
            $(fishdir) $(patsubst %/,%,$(dir $(fishdir))) $(datadir) $(bindir) $(DESTDIR)$(prefix))
system   = $(foreach d,/usr /usr/local,$d $d/bin $d/share $d/share/man) \
            $(if $(shell command -v fish),/etc/fish /etc/fish/completions) \
            $(if $(shell command -v zsh),/usr/local/share/zsh /usr/local/share/zsh/site-functions)

install: all
	$(call run,MKDIR,$(DESTDIR)$(prefix),install -d $(bindir) $(datadir)/man/man1 \
		$(datadir)/man/man5 $(datadir)/mcbox $(bashdir) $(zshdir) $(fishdir))
	$(call run,INSTALL,$(bindir)/mcbox,install -m 755 $(OUT)/mcbox $(bindir)/mcbox)
	$(call run,INSTALL,$(datadir)/man/man1,install -m 644 $(MAN1) $(datadir)/man/man1)
	$(call run,INSTALL,$(datadir)/man/man5,install -m 644 $(MAN5) $(datadir)/man/man5)
	$(call run,INSTALL,$(datadir)/mcbox,install -m 644 $(SCHEMAS) $(datadir)/mcbox)
	$(call run,INSTALL,$(bashdir)/mcbox,install -m 644 completions/mcbox.bash $(bashdir)/mcbox)
	$(call run,INSTALL,$(zshdir)/_mcbox,install -m 644 completions/_mcbox $(zshdir)/_mcbox)
	$(call run,INSTALL,$(fishdir)/mcbox.fish,install -m 644 completions/mcbox.fish $(fishdir)/mcbox.fish)
	$(call run,LN,$(bindir)/mc-*,for t in $(TOOLS); do ln -sf mcbox $(bindir)/$$t && \
		ln -sf mcbox $(bashdir)/$$t && ln -sf mcbox.fish $(fishdir)/$$t.fish || exit; done)

# What is in a folder besides, such as sessions, stays with it.
uninstall:
	$(call run,RM,$(DESTDIR)$(prefix),rm -f $(installed))
	@rmdir $(folders) 2>/dev/null || :
ifneq ($(DESTDIR),)
	@cd $(DESTDIR)/ && for d in $(prefix) $(patsubst %/,%,$(dir $(FISH_COMPLETIONS))); do \
		while d=$${d%/*} && [ "$$d" ] && rmdir ".$$d"; do :; done; \
	done 2>/dev/null; rmdir $(DESTDIR) 2>/dev/null || :
endif

clean:
	$(call run,RM,build mcbox mc-*,rm -rf build mcbox $(TOOLS))

FORCE:
.PHONY: all check check-all check-fault coverage coverage-faults fuzz lint bench soak recording completions install uninstall clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT:%=%.d) $(BUILD)/completions/generate.d \
         $(addprefix $(BUILD)/tests/fault/,append.d again.d steps.d)
-include $(REPLAY:$(BUILD)/tests/fuzz/replay-%=$(BUILD)/tests/fuzz/%.d) $(BUILD)/tests/fuzz/replay.d
-include $(wildcard build/fuzz/lib/*/*.d build/fuzz/tests/fuzz/*.d)
