# Makefile of OTR: libotr, the tools, and what proves them.  GNU make.  `make help` lists the targets.
#
# Knobs, to be given on the command line:
#   CC CFLAGS LDFLAGS   compiler and your own flags; the flags that the code requires are added by themselves
#   PREFIX DESTDIR      where `make install` puts things
#   SANITIZE=address,undefined    a build of its own, under build/address-undefined/
#   FUZZ_SECONDS=600    how long `make fuzz` runs each target
#   V=1                 show the commands

CC       = cc
CFLAGS   = -O2 -g
LDFLAGS  =
PREFIX   = /usr/local
DESTDIR  =
SANITIZE =
VARIANT  = $(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),release)
FUZZ_SECONDS = 600
FUZZ_CLANG = clang
comma    = ,

# ---- what there is -----------------------------------------------------------------------------------------------------
# The modules of lib/, in layer order: one may include the headers of those before it and of none behind it (`make layers`).
# Names joined by + are one row, which may include each other.  Words without a .c file are headers alone.
LAYERS = otr bytes intmath fpmath text cursor format error checksum \
	bits pack run decimal fbits dict deflate chunk+choose+scratch \
	page stats summary leaf inner header record+recordcheck logpage slot meta \
	io store tree walk ride space log build snapshot db reach commit retain metadata start create change writer \
	cursor_rows query history diff scan findings watch verify copy fold repack compact overlay salvage
MODULES = $(subst +, ,$(LAYERS))
# Of them, the ones that neither allocate nor use stdio: memory is handed in (`make symbols`).
PURE   = checksum bits pack run decimal fbits dict deflate choose chunk page stats summary inner header record slot meta

B            := build/$(VARIANT)
VERSION      := $(shell sed -n 's/^.define OTR_VERSION "\(.*\)"/\1/p' lib/otr.h)
SONAME       := libotr.so.$(firstword $(subst ., ,$(VERSION)))
SOURCES      := $(wildcard $(MODULES:%=lib/%.c))
SOURCES      += $(filter-out $(SOURCES),$(wildcard lib/*.c))
TOOLS        := $(patsubst tools/%.c,%,$(wildcard tools/otr-*.c))
TOOL_MODULES := $(filter-out $(TOOLS),$(patsubst tools/%.c,%,$(wildcard tools/*.c)))
MANUALS      := $(wildcard man/*.[1-9])
TESTS        := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/*/test_*.c))
TOOL_TESTS   := $(filter $(TOOL_MODULES:%=$(B)/tests/unit/test_%),$(TESTS))
FUZZ         := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS      := $(FUZZ:%=$(B)/tests/fuzz/fuzz_%)
POWER        := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/power/*.c))
EXAMPLES     := $(patsubst %.c,$(B)/%,$(wildcard examples/*.c bench/*.c))

LIB_OBJECTS  := $(SOURCES:%.c=$(B)/%.o)
TOOL_OBJECTS := $(TOOL_MODULES:%=$(B)/tools/%.o)
PROGRAMS     := $(TOOLS:%=$(B)/%)
LIBRARIES    := $(B)/libotr.a $(B)/libotr.so

# ---- flags -------------------------------------------------------------------------------------------------------------
try = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null >/dev/null 2>&1 && echo '$(1)')

REQUIRED := -std=c11 -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Wall -Wextra -Wconversion -Wsign-conversion -Wvla \
	-ffp-contract=off $(call try,-msse2 -mfpmath=sse) -fPIC -Ilib -Itools
HARDEN   := $(call try,-fstack-protector-strong) $(call try,-fstack-clash-protection) $(call try,-fcf-protection=full) \
	$(call try,-ftrivial-auto-var-init=zero) $(call try,-fno-semantic-interposition)
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack
PIE      = -pie
ifneq ($(SANITIZE),)
REQUIRED += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifneq ($(filter -O1 -O2 -O3 -Os,$(CFLAGS)),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
COMPILE  = $(CC) $(REQUIRED) $(HARDEN) $(CFLAGS) -MMD -MP
LINK     = $(CC) $(REQUIRED) $(HARDEN) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS)

ifeq ($(V),1)
Q   =
SAY = @:
else
Q   = @
SAY = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),: )printf '  %-5s %s\n'
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all tools tests locales unit check ci sanitized static seeds covered coverage mcdc mutate power fuzzers fuzz fuzz-short demo layers globals symbols hdr-check man-lint lint install uninstall dist bench setup setup-clang setup-foreign foreign foreign-short clean help FORCE

# ---- building ----------------------------------------------------------------------------------------------------------
all: $(LIBRARIES) $(PROGRAMS)                  ## the library and the tools (the default)

# Holds the flags of the last build: written only when they change, and everything depends on it.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(COMPILE) | $(LINK)' | cmp -s - $@ || printf '%s\n' '$(COMPILE) | $(LINK)' > $@

$(B)/%.o: %.c $(B)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(B)/libotr.a: $(LIB_OBJECTS)
$(B)/tools.a: $(TOOL_OBJECTS)
$(B)/libotr.a $(B)/tools.a: $(B)/flags
	$(SAY) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(B)/libotr.so: $(LIB_OBJECTS) lib/otr.map $(B)/flags
	$(SAY) LD $@
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/otr.map -o $@ $(LIB_OBJECTS) -lz -lm
	$(Q)ln -sf libotr.so $(B)/$(SONAME)

$(PROGRAMS): $(B)/%: $(B)/tools/%.o $(B)/tools.a $(B)/libotr.a
	$(SAY) LD $@
	$(Q)$(LINK) $(PIE) -o $@ $^ -lpopt -lz -lm

# This one stands between the library and its system calls and allocations.
$(B)/tests/calls/test_calls: LDFLAGS += @tests/calls/flags
$(B)/tests/calls/test_calls: tests/calls/flags
# A test of a module of tools/ links tools.a too; it comes before libotr.a, which it uses.
$(TOOL_TESTS): $(B)/tools.a
$(TESTS) $(POWER): $(B)/tests/%: tests/%.c $(B)/libotr.a $(B)/flags
	$(SAY) TEST $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Itests/unit $(HARDEN_LD) $(LDFLAGS) -o $@ $< $(filter %tools.a,$^) $(B)/libotr.a $(if $(filter %tools.a,$^),-lpopt) -lz -lm

$(EXAMPLES): $(B)/%: %.c $(B)/libotr.a $(B)/flags
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(HARDEN_LD) $(LDFLAGS) -o $@ $< $(B)/libotr.a -lz -lm

# A fuzz target, with libFuzzer where the build is one for it (`make fuzz`), else with a driver of our own.
FUZZ_DRIVER = $(if $(findstring fuzzer-no-link,$(SANITIZE)),-fsanitize=fuzzer,$(B)/tests/fuzz/driver.o)
$(FUZZERS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/driver.o $(B)/tools.a $(B)/libotr.a
	$(SAY) LD $@
	$(Q)$(LINK) -o $@ $< $(FUZZ_DRIVER) $(B)/tools.a $(B)/libotr.a -lpopt -lz -lm
.SECONDARY: $(FUZZERS:=.o)

# The inputs that fuzzing begins with; the stamp is newer than all that they are made of.
build/fuzz/made: tests/fuzz/corpus.py tests/mkotr $(wildcard tests/fuzz/corpus/* tests/files/*)
	$(SAY) MAKE build/fuzz/corpus
	$(Q)mkdir -p $(@D) && tests/fuzz/corpus.py $(@D) && touch $@

# German and Turkish, for the tests that prove that they change nothing; without Debian's package locales there are none.
LOCALES = de_DE tr_TR
locales: $(LOCALES:%=build/locale/%.UTF-8/LC_CTYPE)
build/locale/%.UTF-8/LC_CTYPE:
	$(Q)mkdir -p build/locale
	$(Q)localedef --no-archive -i $* -f UTF-8 build/locale/$*.UTF-8 2>/dev/null || { rm -rf build/locale/$*.UTF-8; echo 'no locale $*.UTF-8'; }

-include $(FUZZERS:=.d) $(B)/tests/fuzz/driver.d $(LIB_OBJECTS:.o=.d) $(TOOL_OBJECTS:.o=.d) $(TOOLS:%=$(B)/tools/%.d) $(TESTS:=.d) $(POWER:=.d) $(EXAMPLES:=.d)

# the tests' own Python leaves nothing in the tree
export PYTHONDONTWRITEBYTECODE = 1

# ---- proving -----------------------------------------------------------------------------------------------------------
tests: all $(TESTS) $(POWER) $(EXAMPLES) $(FUZZERS) build/fuzz/made locales       ## build what `check` runs, without running it
# A make of its own that builds on all processors, unless the caller said how many.
PARALLEL = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2))
unit: $(TESTS)                                 ## the unit tests alone
	$(Q)tests/run -b $(B) $(TESTS)
# The long ones first, so that none is left alone at the end.
CHECKS = $(wildcard tests/*/*.bats tests/*/check-* tests/*.bats tests/check-*)
# Of them, those that a sanitized build has something to say to, and in a few minutes.
SANITIZED_CHECKS = $(wildcard tests/otr-*.bats) tests/checklist.bats tests/check-files.py tests/check-fuzz.sh
check:                                         ## every test; the last line is `N passed, N failed, N skipped`
	$(Q)$(PARALLEL) tests
	$(Q)tests/run -b $(B) $(TESTS) $(CHECKS)
seeds: tests                                   ## seeded bugs (tests/seeds): each must be caught by the test that it names
	$(Q)tests/seeds/run $(B)
power: all $(POWER)                            ## CUTS=n power cuts (100) on a loop device: for root, else skipped; FS=xfs, SEED=n
	$(Q)tests/run -b $(B) $(POWER)
# What coverage is measured with: what needs little time and does the same each time.  test_calls comes between gcov and its files; killed processes leave no counts.
COVERED = $(filter-out $(addprefix %/test_,calls kill readers collectors crash history db retain beside writer diff),$(TESTS))
COVERING = SEED=1 OPS=10000 SCHEDULES=1000 ROUNDS=20 PARTS=repaired FLIPS=200 GCOV_ERROR_FILE=/dev/null
covered: all $(COVERED) build/fuzz/made
coverage:                                      ## branches of lib/ and tools/ that a short suite takes: not less than tests/coverage.txt; WRITE=--write keeps them there
	$(Q)if ! command -v gcc >/dev/null || ! command -v gcov >/dev/null; then echo '1..0 # SKIP no gcc or no gcov'; exit 0; fi; \
	$(PARALLEL) covered VARIANT=coverage CC=gcc CFLAGS='-O1 -g --coverage -Wno-maybe-uninitialized' && \
	find build/coverage -name '*.gcda' -delete && mkdir -p build/coverage/tests && \
	{ env $(COVERING) tests/run -b build/coverage $(COVERED:$(B)/%=build/coverage/%) $(wildcard tests/otr-*.bats) >build/coverage/suite.log 2>&1; \
	tests/coverage.py $(WRITE) build/coverage; }
mcdc:                                          ## conditions that each decide alone (MC/DC) in lib/, by the unit tests and the model, with clang-19: told, not judged
	$(Q)tests/mcdc $(PARALLEL)
N = 12
mutate: all                                    ## N mutants of lib/ (12; 0: all), each a jump of the assembly: the quick tests must fail; SEED=n
	$(Q)tests/mutate.py -n $(N) $(B)
fuzzers: $(FUZZERS) build/fuzz/made            ## the fuzz targets and their corpus, without running them
fuzz:                                          ## each fuzz target for FUZZ_SECONDS, two at a time: by libFuzzer under sanitizers, or as there is
	$(Q)if $(FUZZ_CLANG) -x c -c -fsanitize=fuzzer-no-link,address,undefined -o /dev/null /dev/null 2>/dev/null; then \
		$(MAKE) --no-print-directory fuzzers CC=$(FUZZ_CLANG) CFLAGS='-O2 -g -fno-sanitize-coverage=trace-cmp' SANITIZE=fuzzer-no-link$(comma)address$(comma)undefined VARIANT=fuzzer && \
		tests/fuzz/run -s $(FUZZ_SECONDS) build/fuzzer $(FUZZ); \
	else $(MAKE) --no-print-directory fuzzers SANITIZE=address$(comma)undefined && tests/fuzz/run -s $(FUZZ_SECONDS) build/address-undefined $(FUZZ); fi
fuzz-short:                                    ## the same for 20 seconds each
	$(Q)$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=20
foreign:                                       ## unit tests, sample files and the bytes of files on s390x, armhf, i686, musl (`make setup-foreign`)
	$(Q)tests/foreign/run
foreign-short:                                 ## the builds, the bytes of files and the sample files, on s390x, armhf and i686
	$(Q)TESTS='@(bytes|check-files)' OPS=1500 tests/foreign/run s390x armhf i686
demo:                                          ## load a real series, ask for windows, verify the file
	$(Q)$(PARALLEL) all
	$(Q)examples/demo.sh $(B)

static: layers globals symbols hdr-check man-lint lint   ## all that is checked without running it
# What `ci` runs; DONE=check leaves out what has been run already.
CI_PARTS = check static seeds power sanitized coverage mcdc mutate fuzz-short foreign-short
ci:                                            ## every change: `check` and all that goes with it; the last line is as that of `check`
	$(Q)tests/ci $(filter-out $(DONE),$(CI_PARTS))
sanitized:                                     ## the tests of `check` that run the library and the tools, under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory check SANITIZE=address$(comma)undefined CHECKS='$(SANITIZED_CHECKS)'
layers:                                        ## no module includes one that comes later in LAYERS
	$(Q)tests/layers '$(LAYERS)' lib/*.[ch]
globals: $(B)/libotr.a                         ## libotr has no variable that can change
	$(Q)! objdump -t $< | grep -E '[[:space:]]\.(t?bss|t?data)(\.[^r][^[:space:]]*)?[[:space:]]0*[1-9a-f]' && echo 'no mutable globals'
symbols: $(B)/libotr.so                        ## exported are otr.h's functions and no others; the codecs neither allocate nor print
	$(Q)nm -D --defined-only $< | awk '$$2 ~ /[A-Z]/ && $$2 != "A" { sub(/@.*/, "", $$3); print $$3 }' | sort > $(B)/exported
	$(Q)$(CC) -E -P lib/otr.h | grep -o '\botr_[a-z0-9_]*(' | tr -d '(' | sort -u | diff - $(B)/exported
	$(Q)! nm -u $(wildcard $(PURE:%=$(B)/lib/%.o)) | grep -wE 'malloc|calloc|realloc|free|v?f?printf|fopen|fwrite|fread|puts|abort|exit' && \
		echo 'symbols as otr.h has them'
hdr-check:                                     ## each header compiles alone; otr.h as C++ too
	$(Q)for h in lib/*.h $(wildcard tools/*.h); do \
		printf '#include "%s"\n#include "%s"\n' $$h $$h | $(CC) $(REQUIRED) -I. -fsyntax-only -x c - || exit 1; done
	$(Q)if command -v $(CXX) >/dev/null; then echo '#include "lib/otr.h"' | $(CXX) -Wall -Wextra -I. -fsyntax-only -x c++ -; \
		else echo 'no C++ compiler: otr.h not tried as C++'; fi
	@echo 'every header stands alone'
man-lint:                                      ## the manual pages, by mandoc
	$(Q)mandoc -T lint -W warning $(MANUALS) && echo 'manual pages are clean'
lint:                                          ## the shell scripts, by shellcheck
	$(Q)shellcheck .ci/run tests/run tests/ci tests/layers tests/mcdc tests/seeds/run tests/fuzz/run tests/foreign/run tests/foreign/setup tests/foreign/script.sh $(wildcard tests/*.sh examples/*.sh bench/run bench/bytes bench/long/run)

# ---- installing --------------------------------------------------------------------------------------------------------
D = $(DESTDIR)$(PREFIX)

install: all                                   ## into $(DESTDIR)$(PREFIX)
	$(Q)install -d $(D)/bin $(D)/include $(D)/lib/pkgconfig $(D)/share/man/man1 $(D)/share/man/man5 $(D)/share/man/man7
	$(Q)install -m 755 $(PROGRAMS) $(D)/bin
	$(Q)install -m 644 lib/otr.h $(D)/include
	$(Q)install -m 644 $(B)/libotr.a $(D)/lib
	$(Q)install -m 755 $(B)/libotr.so $(D)/lib/libotr.so.$(VERSION)
	$(Q)ln -sf libotr.so.$(VERSION) $(D)/lib/$(SONAME) && ln -sf $(SONAME) $(D)/lib/libotr.so
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' lib/otr.pc.in > $(D)/lib/pkgconfig/otr.pc
	$(Q)for m in $(MANUALS); do install -m 644 $$m $(D)/share/man/man$${m##*.} || exit 1; done
	@echo 'installed in $(D)'
uninstall:                                     ## take out what `install` put in
	$(Q)rm -f $(TOOLS:%=$(D)/bin/%) $(D)/include/otr.h $(D)/lib/libotr.a $(D)/lib/libotr.so* $(D)/lib/pkgconfig/otr.pc
	$(Q)for m in $(notdir $(MANUALS)); do rm -f $(D)/share/man/man$${m##*.}/$$m; done
dist:                                          ## the source archive of HEAD: the same bytes each time
	$(Q)mkdir -p build && git archive --prefix=otr-$(VERSION)/ HEAD | gzip -n9 > build/otr-$(VERSION).tar.gz
	@echo build/otr-$(VERSION).tar.gz
bench: all $(filter $(B)/bench/%,$(EXAMPLES))                                     ## rates beside wc, mawk and sqlite3 (bench/README.md)
	$(Q)bench/run $(B)

PACKAGES = build-essential libpopt-dev zlib1g-dev bats python3 mandoc mawk sqlite3 hyperfine shellcheck strace git tzdata bsdextrautils xz-utils locales
CLANG_PACKAGES = clang libclang-rt-dev clang-19 llvm-19 libclang-rt-19-dev
# Of the packages $(1) those that are missing, with apt-get.
install = missing=; for p in $(1); do \
		case $$(dpkg-query -W -f '$${Status}' $$p 2>/dev/null) in *' installed') ;; *) missing="$$missing $$p" ;; esac; done; \
	[ -z "$$missing" ] && exit 0; root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	echo "$@: installing$$missing"; export DEBIAN_FRONTEND=noninteractive; \
	$$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends $$missing
setup:                                         ## install what a Debian 12 lacks for all of this, with apt-get
	$(Q)$(call install,$(PACKAGES))
setup-clang:                                   ## what `fuzz` likes besides, clang with libFuzzer, and what `mcdc` needs, clang-19
	$(Q)$(call install,$(CLANG_PACKAGES))
setup-foreign:                                 ## what `foreign` needs besides: cross compilers, qemu, zlib and popt for each
	$(Q)tests/foreign/setup
clean:                                         ## remove build/
	rm -rf build
help:                                          ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
	@sed -n '3,8s/^# \{0,1\}//p' Makefile
