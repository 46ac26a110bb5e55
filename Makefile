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
	libcurl4-openssl-dev libssl-dev libuv1-dev libsqlite3-dev libpcre2-dev libpaho-mqtt-dev node-llhttp \
	mmdebstrap squashfs-tools busybox-static cpio zstd xz-utils kmod fakeroot debian-archive-keyring
DEPS_RUN := qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients dnsmasq-base iptables \
	openssh-client docker-registry skopeo ncurses-base
DEPS_TEST := libcriterion-dev libvterm-dev clang clang-tidy clang-format libclang-rt-14-dev cppcheck codespell \
	shellcheck openssh-server tmux mosquitto-clients jq socat curl git procps iproute2

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
LIBS.berth-edged := $(call pkg,--libs openssl libuv) -lpaho-mqtt3as -lcjson -lm -lpthread
LIBS.berth-hub := $(call pkg,--libs openssl libuv sqlite3) -lcjson -lm -lpthread
LIBS.test := $(LIBS.berth) $(LIBS.berthd) $(LIBS.berth-edged) $(LIBS.berth-hub)

# ---------------------------------------------------------------------------------------------- sources
# A layer is a folder; a new file in it needs no edit here. LAYER.x: its sources without any main.c.
sources = $(filter-out %/main.c,$(wildcard $(1)/*.c))
LAYERS := base rpc io azure engine vm provision logs tui edged hub
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

LLHTTP := /usr/share/llhttp
LLHTTP_OBJS := $(addprefix $(BUILD)/third/llhttp/,api.o http.o llhttp.o)

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
lib = $(foreach l,$(1),$(BUILD)/lib$(l).a)

PROGRAMS := berth berthd berth-edged berth-hub
# Archives are searched left to right: upper layers first.
PARTS.berth := tui rpc logs base
PARTS.berthd := engine provision vm logs rpc azure io base
PARTS.berth-edged := edged azure io base
PARTS.berth-hub := hub azure io base
MAIN.berth := tui/main.c
MAIN.berthd := core/engine/main.c
MAIN.berth-edged := vm/guest/edged/main.c
MAIN.berth-hub := vm/guest/hub/main.c

BINS := $(foreach p,$(PROGRAMS),$(if $(wildcard $(MAIN.$(p))),$(BUILD)/$(p)))

.DELETE_ON_ERROR:
.SECONDEXPANSION:
.SUFFIXES:
.PHONY: all run deps deps-test bundle test unit integration e2e asan tsan fuzz fuzz-run tidy cppcheck scan lint fmt \
	fmt-check bench check install clean help

all: $(BINS)

help:
	@printf '%s\n' 'make run          set this machine up and open the console' \
	  'make check        set this machine up and pass every test (what CI runs)' \
	  'make all          build the programs into build/MODE (MODE=debug|release|asan|tsan|cov)' \
	  'make bundle       build the guest image into build/bundle' \
	  'make unit integration e2e    one kind of tests' \
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

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
