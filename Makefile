# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# jobcage. 'make help' lists the targets. Everything made goes into $(BUILD).

BUILD   ?= build
PREFIX  ?= /usr/local
VERSION := 0.1.0
ARCH    := $(shell uname -m)

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG      ?= clang
BPFTOOL    ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
INSTALL    ?= install

# --- what there is ----------------------------------------------------------------------------------

BPF_SRCS := tables file receive attr mount renames exec guard ipc key sock egress packet dns unix task identify member enter

BASE_SRCS   := diag error fds file path quota
POLICY_SRCS := amount budget canonical document domain egress environment explain flow limits load merge names nearest net outlets parse permission read rule \
	       shape site value
KERN_SRCS   := backend barrier budget devices evidence features flows hooks identify iter jobs links load member mounts names need pins places probe \
	       publish ring roots roots_check trees
ALERT_SRCS  := advice audit cause chain decode endpoint guard head json_out line message ocsf_common ocsf_decision ocsf_job ocsf_log op queue record \
	       rotate sink sink_file sink_pipe sink_socket sinks syslog text
JOB_SRCS    := attempt_attr attempt_file attempt_guard attempt_net attempt_object attempt_packet attempt_rule attempt_unix canary cgroup cgroup_limit \
	       content destination environment environment_grant environment_process inherited launch launcher lifecycle lookup origin outputs process \
	       replace ruleset scratch selftest selftest_check selftest_json state
DAEMON_SRCS := adopt ancestry bodies client controller daemon discard folds foreign journal kinds learned limits lock loop message monitor notify peer \
	       prepare reload renew resets report request request_run server session spent teardown tell tick turns watch
CMD_SRCS    := alerts ask attach audit_verify command daemon doctor jobs kill main metrics named policy_check policy_explain reload run status whois
UNIT_TESTS := test_ancestry test_ask test_audit test_command test_control test_decode test_devices test_diag test_dns test_egress_compile test_error test_folds \
	       test_guard test_journal test_json_out test_message test_ocsf test_outputs test_places test_policy test_policy_budget test_policy_check \
	       test_policy_environment test_policy_errors test_policy_limits test_policy_names test_policy_network test_policy_rules test_policy_schema test_queue test_quota \
	       test_record test_selftest test_sink test_sink_peers test_site test_state test_tell test_turns

BENCH_PROGS := opens connects talks spawns calls landlocked denials hold

ESCAPES := f01_write f02_rename f03_link f04_symlink f05_mount f06_overlay f07_names f08_attributes f09_descriptor f10_data \
	   f11_uring f12_handle f13_device f14_read f15_race f17_deputy f18_kernel x01_exec x02_nameless x03_code x04_privileged \
	   x05_process x06_leave x07_runner x08_bpf x08_machine x08_object x09_entry x10_storm accomplice
ESCAPE_SRCS := $(addprefix tests/escapes/,escape.c objects.c program.c reach.c uring.c)

FUZZ_DECODE_SRCS := tests/fuzz/fuzz_decode.c tests/ocsf/fixture.c $(BASE_SRCS:%=userspace/base/%.c) \
		    $(POLICY_SRCS:%=userspace/policy/%.c) $(ALERT_SRCS:%=userspace/alert/%.c)
# Compiled in one go, which leaves no dependency files.
FUZZ_DECODE_HDRS := $(wildcard bpf/abi/*.h userspace/alert/*.h userspace/base/*.h userspace/policy/*.h tests/ocsf/*.h)
ABI_HDRS   := $(wildcard bpf/abi/*.h)

# What a controller relies on of what its predecessor has pinned, and written of each job. Its hash names the folder of the pins:
# builds that share it share them.
LAYOUT_SRCS := $(sort $(ABI_HDRS)) bpf/tables.bpf.c bpf/lib/maps.bpf.h userspace/kern/hooks.c userspace/kern/pins.c userspace/job/state.h userspace/job/content.c

MAN_PAGES := userspace/man/jobcage.8 userspace/man/jobcage-policy.5

# --- flags ------------------------------------------------------------------------------------------

PACKAGES := libbpf jansson libcrypto
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wformat=2 -Wvla
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

CFLAGS   ?= -O2 -g
# OPENSSL_API_COMPAT: SHA-256 by itself is deprecated since 3.0 in favour of an interface that looks for providers.
CPPFLAGS += -D_GNU_SOURCE -DOPENSSL_API_COMPAT=10100 -DJOBCAGE_VERSION='"$(VERSION)"' -Iuserspace -Ibpf -isystem $(BUILD)/skel
ALL_CFLAGS = -std=gnu11 -pthread $(WARNINGS) $(CFLAGS) $(SANITIZERS) $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
# A launcher is started for every job, and what the loader does for shared libraries would be most of its work (3.4 of 4
# million instructions). So all but the C library, which looks up users by plugins, are linked in; SHARED=1 leaves them out.
ifeq ($(or $(SHARED),$(SANITIZE)),1)
LDLIBS    += $(shell $(PKG_CONFIG) --libs $(PACKAGES))
else
LDLIBS    += -Wl,-Bstatic $(shell $(PKG_CONFIG) --libs --static $(PACKAGES)) -Wl,-Bdynamic
endif
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -pie -Wl,-z,relro,-z,now

# The sanitizer flavour has a folder of its own, so that both can be kept.
ifeq ($(SANITIZE),1)
override BUILD := $(BUILD)/sanitize
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDENING :=
endif

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(subst x86_64,x86,$(ARCH)) -Wall -Wextra \
	      -Wno-unused-parameter $(filter -Werror,$(WARNINGS)) -Ibpf -Ivmlinux/$(ARCH)

LIB_DIRS := base policy kern alert job daemon
LIB_OBJS := $(foreach s,$(BASE_SRCS),$(BUILD)/base/$(s).o) $(foreach s,$(POLICY_SRCS),$(BUILD)/policy/$(s).o) \
	    $(foreach s,$(KERN_SRCS),$(BUILD)/kern/$(s).o) $(foreach s,$(ALERT_SRCS),$(BUILD)/alert/$(s).o) \
	    $(foreach s,$(JOB_SRCS),$(BUILD)/job/$(s).o) $(foreach s,$(DAEMON_SRCS),$(BUILD)/daemon/$(s).o)
CMD_OBJS := $(foreach s,$(CMD_SRCS),$(BUILD)/cmd/$(s).o)
BPF_OBJS := $(foreach s,$(BPF_SRCS),$(BUILD)/bpf/$(s).bpf.o)
SKELS    := $(BUILD)/skel/jobcage.skel.h $(BUILD)/skel/probe.skel.h $(BUILD)/skel/layout.h \
	    $(BUILD)/skel/programs.h
TESTS    := $(foreach t,$(UNIT_TESTS),$(BUILD)/unit/$(t))

# --- targets ----------------------------------------------------------------------------------------

.PHONY: all help unit-tests bench-programs escapes check-unit check-abi check-includes install clean
.DELETE_ON_ERROR:

all: $(BUILD)/jobcage ## build jobcage (SANITIZE=1: with sanitizers; WERROR=1: warnings are errors)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(BUILD)/jobcage: $(CMD_OBJS) $(LIB_OBJS)
	$(CC) $(ALL_CFLAGS) $(HARDENING) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: userspace/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(HARDENING) -MD -MP -c -o $@ $<

# Made before the first compilation; afterwards the dependency files know who includes them.
$(LIB_OBJS) $(CMD_OBJS): | $(SKELS)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MD -MP -c -o $@ $<

$(BUILD)/bpf/jobcage.o: $(BPF_OBJS)
	$(BPFTOOL) gen object $@ $^

$(BUILD)/bpf/probe.o: $(BUILD)/bpf/probe.bpf.o
	$(BPFTOOL) gen object $@ $^

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf/%.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name $* >$@

$(BUILD)/skel/layout.h: $(LAYOUT_SRCS)
	@mkdir -p $(@D)
	printf '#define JOBCAGE_LAYOUT "%.16s"\n' "$$(cat $^ | sha256sum)" >$@

$(BUILD)/skel/programs.h: $(BUILD)/bpf/jobcage.o
	@mkdir -p $(@D)
	printf '#define JOBCAGE_PROGRAMS "%.16s"\n' "$$(sha256sum <$<)" >$@

unit-tests: $(TESTS) ## build the unit tests

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MD -MP -MF $@.d -o $@ $< $(filter %.o,$^) $(LDLIBS) -lcmocka

$(BUILD)/ocsf/%.o: tests/ocsf/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MD -MP -c -o $@ $<

$(BUILD)/unit/test_decode $(BUILD)/unit/test_folds $(BUILD)/unit/test_guard $(BUILD)/unit/test_policy_names $(BUILD)/unit/test_policy_network $(BUILD)/unit/test_message $(BUILD)/unit/test_ocsf: $(BUILD)/ocsf/fixture.o

$(BUILD)/unit/test_command $(BUILD)/unit/test_policy_check: $(BUILD)/cmd/command.o

$(BUILD)/unit/test_ask: $(BUILD)/cmd/ask.o $(BUILD)/cmd/command.o $(BUILD)/cmd/named.o

$(BUILD)/ocsf/examples: $(BUILD)/ocsf/examples.o $(BUILD)/ocsf/fixture.o $(LIB_OBJS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/act: $(wildcard tests/bpf/act*.c) tests/bpf/act.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $(filter %.c,$^)

$(BUILD)/tests/allow.bpf.o $(BUILD)/tests/foreign.bpf.o: $(BUILD)/tests/%.o: tests/system/selftest/%.c
	@mkdir -p $(@D)
	$(CLANG) -g -O2 -target bpf -Wall -I/usr/include/$(ARCH)-linux-gnu -c -o $@ $<

# Programs of tools/bench. Those that run where no library may be read are linked statically.
bench-programs: $(BENCH_PROGS:%=$(BUILD)/bench/%) $(BUILD)/bench/lines $(BUILD)/bench/empty.bpf.o

$(BUILD)/bench/%: tests/bench/%.c tests/bench/clock.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -static -o $@ $<

$(BUILD)/bench/hold: tests/bench/hold.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS)

$(BUILD)/bench/lines: tests/bench/lines.c $(BUILD)/ocsf/fixture.o $(LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MD -MP -MF $@.d -o $@ $< $(filter %.o,$^) $(LDLIBS)

$(BUILD)/bench/empty.bpf.o: tests/bench/empty.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(BUILD)/tests/environment: $(wildcard tests/system/environment/*.[ch]) $(LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(LDLIBS)

$(BUILD)/tests/crowd: tests/bpf/crowd.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $<

$(BUILD)/tests/toil $(BUILD)/tests/killpoint: $(BUILD)/tests/%: tests/system/daemon/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $<

$(BUILD)/tests/handring: tests/system/daemon/handring.c tests/escapes/uring.c tests/escapes/uring.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/tests/uring_net: tests/system/egress/uring_net.c tests/escapes/uring.c tests/escapes/uring.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/tests/flood: tests/system/evidence/flood.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $<

escapes: $(ESCAPES:%=$(BUILD)/escapes/%) ## build the adversary's programs

$(BUILD)/escapes/%: tests/escapes/%.c $(ESCAPE_SRCS) $(wildcard tests/escapes/*.h)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $(filter %.c,$^)

$(BUILD)/tests/keeper: tests/bpf/keeper.c $(LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MD -MP -MF $@.d -o $@ $< $(LIB_OBJS) $(LDLIBS)

$(BUILD)/fuzz/fuzz_decode: $(FUZZ_DECODE_SRCS) $(FUZZ_DECODE_HDRS)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$(shell $(PKG_CONFIG) --cflags $(PACKAGES)) -o $@ $(filter %.c,$^) $(LDLIBS)

$(BUILD)/fuzz/fuzz_dns: tests/fuzz/fuzz_dns.c bpf/abi/dns.h
	@mkdir -p $(@D)
	$(CLANG) -Ibpf -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $<

$(BUILD)/fuzz/seeds: tests/fuzz/seeds.c $(BUILD)/ocsf/fixture.o $(LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MD -MP -MF $@.d -o $@ $< $(filter %.o,$^) $(LDLIBS)

check-unit: $(TESTS) ## run the unit tests
	@for t in $(TESTS); do $$t || exit 1; done

check-abi: ## compile every header in bpf/abi alone, with both compilers
	tools/check_abi $(ABI_HDRS)

check-includes: ## check that dependencies point one way
	tests/unit/check_includes

install: all ## install below $(DESTDIR)$(PREFIX)
	$(INSTALL) -D -m 755 $(BUILD)/jobcage $(DESTDIR)$(PREFIX)/bin/jobcage
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/share/jobcage/rules/egress
	$(INSTALL) -m 644 rules/*.json $(DESTDIR)$(PREFIX)/share/jobcage/rules
	$(INSTALL) -m 644 rules/egress/*.json $(DESTDIR)$(PREFIX)/share/jobcage/rules/egress
	$(INSTALL) -D -m 644 userspace/man/jobcage.8 $(DESTDIR)$(PREFIX)/share/man/man8/jobcage.8
	$(INSTALL) -D -m 644 userspace/man/jobcage-policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/jobcage-policy.5
	sed 's|@PREFIX@|$(PREFIX)|' userspace/systemd/jobcage.service >$(BUILD)/jobcage.service
	$(INSTALL) -D -m 644 $(BUILD)/jobcage.service $(DESTDIR)$(PREFIX)/lib/systemd/system/jobcage.service

clean: ## remove everything made
	rm -rf $(BUILD)

-include $(LIB_OBJS:.o=.d) $(CMD_OBJS:.o=.d) $(BPF_OBJS:.o=.d) $(BUILD)/bpf/probe.bpf.d $(TESTS:=.d) $(BUILD)/ocsf/fixture.d \
	 $(BUILD)/fuzz/seeds.d $(BUILD)/tests/keeper.d $(BUILD)/ocsf/examples.d $(BUILD)/bench/lines.d
