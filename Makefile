# Berth. `make run` sets a fresh Debian 12 machine up and opens the console; `make check` sets it up and passes every test.
# `make help` lists the rest. Objects of each MODE live in build/MODE and do not disturb each other.

MODE ?= debug
BUILD := build/$(MODE)
CC ?= cc
V ?= 0

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
else
Q :=
say = @:
endif

# What apt must have brought: to build, to run, to test.
DEPS_BUILD := build-essential pkg-config libncurses-dev libvirt-dev libssh-dev libcjson-dev \
	libcurl4-openssl-dev libssl-dev libuv1-dev libsqlite3-dev libpcre2-dev zlib1g-dev libtss2-dev libwslay-dev libminizip-dev \
	node-llhttp \
	mmdebstrap squashfs-tools busybox-static cpio zstd xz-utils kmod fakeroot debian-archive-keyring
DEPS_RUN := qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients dnsmasq-base iptables \
	openssh-client docker-registry skopeo ncurses-base
DEPS_TEST := libcriterion-dev libvterm-dev clang clang-tidy clang-format libclang-rt-14-dev cppcheck codespell \
	shellcheck openssh-server tmux mosquitto-clients jq socat curl git procps iproute2 \
	podman crun netavark aardvark-dns swtpm tpm2-tools libtss2-tcti-swtpm0
# Microsoft's SDKs; where node comes with an npm of its own, that is as good.
DEPS_TEST += $(if $(shell command -v npm 2>/dev/null),,nodejs npm)
DEPS_BENCH := mosquitto

# ---------------------------------------------------------------------------------------------- flags
WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wpointer-arith -Wcast-qual \
	-Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition \
	-Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Wswitch-enum -Wredundant-decls \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion \
	-Werror=return-type -Werror=format-security
ifeq ($(findstring clang,$(CC)),)
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init -Wtrampolines
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif

HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
ifneq ($(filter x86_64,$(shell uname -m)),)
HARDEN += -fcf-protection
endif
FLAGS.debug := -O0 -g
FLAGS.release := -O2 -g $(HARDEN)
FLAGS.asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS.tsan := -O1 -g -fsanitize=thread
FLAGS.cov := -O0 -g --coverage
FLAGS.fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
LINK.release := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(FLAGS.$(MODE)),)
$(error MODE=$(MODE) is not known: use debug, release, asan, tsan, cov or fuzz)
endif
ifeq ($(MODE),fuzz)
CC := clang
endif

CFLAGS_ALL := -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(FLAGS.$(MODE)) $(CFLAGS)
LDFLAGS_ALL := -Wl,--as-needed $(FLAGS.$(MODE)) $(LINK.$(MODE)) $(LDFLAGS)

pkg = $(shell pkg-config $(1) 2>/dev/null)
CFLAGS_PKG := $(call pkg,--cflags ncursesw libvirt libssh libcurl openssl libuv sqlite3 libpcre2-8)
LIBS.berth := $(call pkg,--libs ncursesw libuv libpcre2-8) -lcjson -lm -lpthread
LIBS.berthd := $(call pkg,--libs libvirt libssh libcurl openssl libuv) -lcjson -lm -lpthread
LIBS.berth-edged := $(call pkg,--libs openssl libuv zlib libpcre2-8 tss2-esys tss2-tctildr tss2-mu) -lwslay -lcjson -lm -lpthread
LIBS.berth-hub := $(call pkg,--libs openssl libuv sqlite3) -lwslay -lcjson -lm -lpthread
LIBS.iotedge := $(call pkg,--libs openssl libuv zlib) -lminizip -lcjson -lm -lpthread
LIBS.test := $(LIBS.iotedge) $(LIBS.berth) $(LIBS.berthd) $(LIBS.berth-edged) $(LIBS.berth-hub)

# ---------------------------------------------------------------------------------------------- sources
# A layer is a folder; a new file in it needs no edit here. LAYER.x: its sources without any main.c.
sources = $(filter-out %/main.c,$(wildcard $(1)/*.c))
LAYERS := base rpc io azure engine vm provision logs tui edged hub iotedge
DIR.base := core/base
DIR.rpc := core/rpc
DIR.io := core/io
DIR.azure := core/azure
DIR.engine := core/engine
DIR.vm := vm
DIR.provision := provision
DIR.logs := logs
DIR.tui := tui
DIR.edged := vm/guest/edged
DIR.hub := vm/guest/hub
DIR.iotedge := vm/guest/iotedge

LLHTTP := /usr/share/llhttp
LLHTTP_OBJS := $(addprefix $(BUILD)/third/llhttp/,api.o http.o llhttp.o)

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
lib = $(foreach l,$(1),$(BUILD)/lib$(l).a)

PROGRAMS := berth berthd berth-edged berth-hub iotedge
# Archives are searched left to right: upper layers first.
PARTS.berth := tui rpc logs base
PARTS.berthd := engine provision vm logs rpc azure io base
PARTS.berth-edged := edged logs azure io base
PARTS.berth-hub := hub azure io base
PARTS.iotedge := iotedge edged logs azure io base
MAIN.berth := tui/main.c
MAIN.berthd := core/engine/main.c
MAIN.berth-edged := vm/guest/edged/main.c
MAIN.berth-hub := vm/guest/hub/main.c
MAIN.iotedge := vm/guest/iotedge/main.c

BINS := $(foreach p,$(PROGRAMS),$(if $(wildcard $(MAIN.$(p))),$(BUILD)/$(p)))

.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
.SUFFIXES:
.PHONY: all run deps deps-test bundle test unit integration sdk e2e asan fuzz fuzz-run tidy cppcheck scan lint fmt \
	fmt-check bench check install clean help

all: $(BINS)

help:
	@printf '%s\n' 'make run          set this machine up and open the console' \
	  'make check        set this machine up and pass every test (what CI runs)' \
	  'make all          build the programs into build/MODE (MODE=debug|release|asan|tsan|cov)' \
	  'make bundle       build the guest image into build/bundle' \
	  'make unit integration sdk e2e    one kind of tests' \
	  'make bench        measure, each figure beside a peer in the same run' \
	  'make fuzz-run T=60           every fuzz target for T seconds' \
	  'make lint fmt-check tidy cppcheck scan    static checks' \
	  'make install DESTDIR= PREFIX=/usr' 'make clean'

# ---------------------------------------------------------------------------------------------- programs
define layer_rule
$(BUILD)/lib$(1).a: $(call objs,$(call sources,$(DIR.$(1)))) $(if $(filter io,$(1)),$(LLHTTP_OBJS))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

define program_rule
$(BUILD)/$(1): $(call objs,$(MAIN.$(1))) $(call lib,$(PARTS.$(1)))
	$$(call say,LD,$$@)
	$(Q)$$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(LIBS.$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(BUILD)/third/llhttp/%.o: $(LLHTTP)/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -w $(FLAGS.$(MODE)) -I/usr/share/include/llhttp -c -o $@ $<

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_PKG) $(CFLAGS.$(firstword $(subst /, ,$*))) -MMD -MP -c -o $@ $<
CFLAGS.core := -isystem /usr/share/include/llhttp
CFLAGS.tui := -DNCURSES_NOMACROS


# ---------------------------------------------------------------------------------------------- set-up
# $(call need,PACKAGES): installs what is missing when root, else names it and stops.
define need
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	[ -z "$$missing" ] || if [ "$$(id -u)" = 0 ]; then \
	  echo "Installing: "$$missing; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >build/apt.log 2>&1 \
	    || { tail -n 20 build/apt.log; echo "apt could not install what Berth needs (log: build/apt.log)."; exit 1; }; \
	else \
	  echo "Berth needs these Debian packages. Ask an administrator to run:"; \
	  echo "    apt-get install --no-install-recommends" $$missing; exit 1; \
	fi
endef

deps:
	@mkdir -p build
	$(call need,$(DEPS_BUILD) $(DEPS_RUN))

deps-test: deps
	$(call need,$(DEPS_TEST))

# The main job. A second make reads pkg-config anew once the packages are there.
run: deps
	@$(MAKE) --no-print-directory MODE=release all bundle
	@build/release/berth

build/release/berth-sensor: vm/guest/image/sensor/berth_sensor.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -Os -static -s -o $@ $<

# What runs in the guest is a release. build.sh decides itself whether anything changed.
GUEST := $(addprefix build/release/,berth-edged berth-hub iotedge berth-sensor)
ifeq ($(MODE),release)
bundle: $(GUEST)
	@vm/guest/image/build.sh --edged build/release/berth-edged --hub build/release/berth-hub --iotedge build/release/iotedge --sensor build/release/berth-sensor --out build/bundle
else
bundle:
	@$(MAKE) --no-print-directory MODE=release bundle
endif

PREFIX ?= /usr
install:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/berth/bundle
	install -m 0755 $(addprefix build/release/,berth berthd berth-hub) $(DESTDIR)$(PREFIX)/bin
	cp -r build/bundle/. $(DESTDIR)$(PREFIX)/share/berth/bundle

# ---------------------------------------------------------------------------------------------- tests
UNIT_OBJS := $(call objs,$(wildcard tests/unit/*.c))
ALL_LIBS := $(call lib,$(LAYERS))
CFLAGS.tests := -isystem /usr/share/include/llhttp

$(BUILD)/test-unit: $(UNIT_OBJS) $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(UNIT_OBJS) -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS.test) -lcriterion

$(BUILD)/tests/integration/%: $(BUILD)/tests/integration/%.o $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS.test) -lvterm -lutil

$(BUILD)/tests/tools/%: $(BUILD)/tests/tools/%.o $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS.test)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS.test) -lutil

INTEGRATION := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/*.c))
TEST_TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))

unit: $(BUILD)/test-unit
	@tests/run.sh unit $(BUILD)
integration: all $(INTEGRATION) $(TEST_TOOLS)
	@tests/run.sh integration $(BUILD)
sdk: all
	@tests/run.sh sdk $(BUILD)
e2e:
	@$(MAKE) --no-print-directory MODE=release all bundle $(patsubst %.c,build/release/%,$(wildcard tests/tools/*.c))
	@tests/run.sh e2e build/release
test: unit integration
asan:
	@$(MAKE) --no-print-directory MODE=asan unit integration sdk
bench: deps-test
	$(call need,$(DEPS_BENCH))
	@$(MAKE) --no-print-directory MODE=release all bundle bench-build
	@tests/run.sh bench build/release
bench-build: $(BENCHES) $(TEST_TOOLS)
.PHONY: bench-build

FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
T ?= 10
fuzz:
	@$(MAKE) --no-print-directory MODE=fuzz CC=clang $(FUZZERS)
fuzz-run: fuzz
	@tests/run.sh fuzz build/fuzz $(T)
build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o $(ALL_LIBS)
	$(call say,LD,$@)
	$(Q)clang $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS.test)

# ---------------------------------------------------------------------------------------------- static checks
C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
lint:
	@tests/lint/layers.sh && tests/lint/banned.sh && tests/lint/sizes.sh
	@shellcheck -x $$(git ls-files '*.sh' .ci/run)
	@codespell -q 3 -L nd,passt,inout,nin README.md $(C_FILES)
fmt:
	@clang-format -i $(C_FILES)
fmt-check:
	@clang-format --dry-run -Werror $(C_FILES) 2>&1 | head -n 20; exit $${PIPESTATUS[0]}
fmt-check: SHELL := /bin/bash
tidy:
	@printf '%s\n' $(filter-out tests/%,$(filter %.c,$(C_FILES))) | xargs -P2 -n3 tests/lint/tidy.sh
# It knows neither the cleanup attribute (leaks: LeakSanitizer looks instead) nor which arguments of accept4 and scandir may be NULL.
cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --library=posix,gnu \
	  --suppress=missingIncludeSystem --suppress=resourceLeak --suppress=memleak --suppress=readdirCalled \
	  --suppress=nullPointer --error-exitcode=1 -I. $(filter-out tests/%,$(C_FILES))
scan:
	@scan-build --status-bugs $(MAKE) --no-print-directory MODE=debug BUILD=build/scan all

check:
	@tests/run.sh check

clean:
	rm -rf build

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
