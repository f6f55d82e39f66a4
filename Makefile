# SPDX-License-Identifier: GPL-2.0-or-later
# nacelle: `make` builds; `make demo` and `make check` install what they need and run (see README.md).
VERSION := 0.1.0
COMMIT  := $(shell git -c safe.directory='*' rev-parse --short HEAD 2>/dev/null || echo unknown)

prefix      ?= /usr/local
bindir      ?= $(prefix)/bin
libexecdir  ?= $(prefix)/libexec/nacelle
mandir      ?= $(prefix)/share/man
DESTDIR     ?=

V     ?= 0
SAN   ?= 0
CLANG ?= clang
ifeq ($(origin CC),default)
# the sanitizers' build is the fuzzers' too, and those are clang's
CC    := $(if $(filter 1,$(SAN)),$(CLANG),gcc)
endif
B     ?= build$(if $(filter 1,$(SAN)),/san)
Q     := $(if $(filter 1,$(V)),,@)
say    = $(if $(Q),@printf '  %-7s %s\n' $(1) $@)
comma := ,

WARN  := -Wall -Wextra -Werror -Wshadow -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual \
	 -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
	 -Wvla -Wnull-dereference -Wduplicated-cond -Wlogical-op -Wimplicit-fallthrough
# the kernel's headers are not written for all of clang's, and gcc judges the same files
WARN  := $(if $(findstring clang,$(CC)),-Wall -Werror -Wno-unused-command-line-argument \
	 -Wno-gnu-variable-sized-type-not-at-end -Wno-string-concatenation,$(WARN))
HARD  := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	 $(if $(filter 1,$(SAN)),,-D_FORTIFY_SOURCE=2)
SANF  := $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer \
	 -fno-sanitize-recover=all $(if $(COVERAGE),-fprofile-instr-generate -fcoverage-mapping))
# each line that is reached tells the fuzzer, if the program is one
REACH := $(if $(filter 1,$(SAN)),$(if $(findstring clang,$(CC)),-fsanitize=fuzzer-no-link))
OPT   ?= $(if $(filter 1,$(SAN)),-O1,-O2)
# for the sanitizers lines are enough, and a tenth less work for the compiler and the linker
DEBUGINFO := $(if $(filter 1,$(SAN)),-g1,-g)
CPPFLAGS += -I. -I$(B)/gen -D_GNU_SOURCE -DNACELLE_VERSION='"$(VERSION)"' -DNACELLE_LIBEXEC='"$(libexecdir)"' -DNACELLE_BINDIR='"$(bindir)"'
CFLAGS   += -std=gnu17 $(DEBUGINFO) $(OPT) $(WARN) $(HARD) $(SANF)
LDFLAGS  += -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SANF)
LDLIBS   := -Wl,-Bstatic -lseccomp -lcap -ljansson -lmd -Wl,-Bdynamic
# a static program relocates itself, and the pages of a packed table are a tenth; linkers before 2.38 know of none
RELR     := $(if $(shell ld --help 2>/dev/null | grep pack-relative-relocs),-Wl$(comma)-z$(comma)pack-relative-relocs)
# small programs that stay, or that are timed: no loader (which the sanitizers need)
STATIC   := $(if $(filter 1,$(SAN)),-pie,-static)

BASE    := $(wildcard runtime/base/*.c)
# what a container needs of the store has no library behind it
STORE   := image/store.c image/image.c image/reference.c image/tree.c image/ids.c
LEAVES  := $(filter-out %-none.c,$(wildcard cgroups/*.c seccomp/*.c runtime/net/*.c)) $(STORE)
RUNTIME := $(wildcard runtime/*.c)
SERVICE := $(wildcard runtime/service/*.c)
IMAGE   := $(wildcard image/*.c)
KVM     := $(wildcard runtime/kvm/*.c)
CMD     := $(filter-out cmd/nacelle/twin-%.c,$(wildcard cmd/nacelle/*.c))
KEEPER  := $(wildcard cmd/nacelle-keeper.c)
# of the monitor's: what it is told, and how a guest is spoken to
VMSIDE  := $(addprefix runtime/kvm/,ask.c attend.c channel.c config.c stats.c)
LIBSRC  := $(BASE) $(LEAVES) $(RUNTIME) $(SERVICE) $(VMSIDE)
MAN     := $(wildcard man/*.[1-8])
# What every start of a container runs through stands together in the program: the kernel maps 64 KiB around what is touched.
START   := $(addprefix cmd/nacelle/,main.c globals.c options.c common.c payload.c pidfd-socket.c run.c run-target.c run-service.c exec.c) \
	   $(BASE) \
	   $(addprefix runtime/,bundle.c config.c spec.c spec-annotations.c spec-check.c spec-linux.c spec-mounts.c spec-process.c \
	   spec-resources.c spec-service.c spec-short.c container.c parent.c parent-cgroup.c parent-record.c parent-talk.c state.c state-record.c \
	   look.c exec.c delete.c namespaces.c idmap.c child.c rootfs.c mounts.c mount-source.c mount-fs.c target.c overlay-options.c lower.c \
	   devices.c paths.c sysctl.c passwd.c program.c launch.c creds.c lsm.c personality.c memory-policy.c scheduling.c activation.c \
	   net-devices.c network-wish.c network-attach.c image-root.c upper.c volume-use.c scope.c resctrl.c net/loopback.c net/within.c) \
	   $(addprefix cgroups/,cgroup.c cgroup-make.c controllers.c devices.c device-program.c files.c freeze.c limits.c limits-check.c \
	   limits-convert.c limits-io.c remove.c) \
	   seccomp/cache.c seccomp/load.c seccomp/profile.c
objs     = $(patsubst %.c,$(B)/obj/%.o,$(1))

PROGRAMS := $(addprefix $(B)/bin/,nacelle nacelle-shared nacelle-keeper nacelle-image nacelle-vmm nacelle-guest)
TESTS    := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/test-*.c))
ATTACKS  := $(patsubst tests/attack/%.c,$(B)/attack/%,$(wildcard tests/attack/*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))
BENCHES  := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz-*.c))
FAULTS   := $(B)/faults/inject $(B)/faults/confined
HOSTILE  := $(B)/hostile/run $(B)/kvm/guest-hostile $(B)/bench/vm-launch $(B)/bench/vsock-connect

all: $(PROGRAMS)

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(commit_flag) $(CFLAGS) $(REACH) $(test_flag) -MMD -MP -c -o $@ $<

# other flags, or for the command line another commit: compile again
$(call objs,$(CMD)): $(B)/commit
# a test that follows a null pointer fails, which is what it is there for
test_flag = $(if $(findstring /obj/tests/unit/,$@),-Wno-null-dereference)
commit_flag = $(if $(findstring /obj/cmd/,$@),-DNACELLE_COMMIT='"$(COMMIT)"')
$(B)/flags:  stamp = $(CC) $(CPPFLAGS) $(CFLAGS) $(REACH)
$(B)/commit: stamp = $(COMMIT)
$(B)/flags $(B)/commit: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(subst ','\'',$(stamp))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(stamp))' >$@

# the launcher and the small init: tiny, without libc, built into launch.c as the bytes of headers
LAUNCHER := -std=gnu17 -Os -Wall -Wextra -Werror -ffreestanding -fno-stack-protector -fno-pie -fcf-protection=none \
	 -fno-asynchronous-unwind-tables -static -no-pie -nostdlib -s \
	 -Wl,--build-id=none,-z,norelro,-z,noseparate-code,-z,noexecstack
$(B)/gen/launcher $(B)/gen/init: $(B)/gen/%: runtime/launcher/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(filter 1,$(SAN)),gcc,$(CC)) $(LAUNCHER) -o $@ $<
$(B)/gen/launcher.h $(B)/gen/init.h: %.h: %
	$(Q)od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' >$@
$(B)/obj/runtime/launch.o: $(B)/gen/launcher.h $(B)/gen/init.h

# the default profile is built in by .incbin, which the compiler's dependencies do not name; its compiled filter is found by its sum
$(B)/obj/seccomp/default.o: seccomp/default.json
$(B)/gen/seccomp-default.h: seccomp/default.json
	$(Q)mkdir -p $(@D)
	$(Q)printf '#define SECCOMP_DEFAULT_SHA256 "%.64s"\n' "$$(sha256sum $<)" >$@
$(B)/obj/seccomp/profile.o: $(B)/gen/seccomp-default.h

$(B)/lib/base.a: $(call objs,$(BASE))
$(B)/lib/nacelle.a: $(call objs,$(LIBSRC))
$(B)/lib/%.a:
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

# the command line twice: without a loader, which every start of a container would pay for, and with one (cmd/nacelle/program.h)
$(B)/bin/nacelle: $(call objs,$(START) $(filter-out $(START),$(CMD)) cmd/nacelle/twin-static.c cgroups/systemd-library-none.c) \
		$(B)/lib/nacelle.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(if $(filter 1,$(SAN)),-pie,-static-pie $(RELR)) $(LDFLAGS) -o $@ $^ -lseccomp -lcap -ljansson -lmd
$(B)/bin/nacelle-shared: $(call objs,$(CMD) cmd/nacelle/twin-shared.c) $(B)/lib/nacelle.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/bin/nacelle-keeper: $(call objs,$(KEEPER) $(wildcard runtime/service/keeper*.c)) $(B)/lib/base.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $^

# the store and its registries: libraries that no start of a container pays for
IMAGELIBS := -larchive -lcurl -lcrypto
# ISA-L undoes gzip three times as fast as zlib; without it libarchive does it (image/gunzip.h)
ifeq ($(shell $(CC) -E -include isa-l/igzip_lib.h -x c /dev/null >/dev/null 2>&1 && echo yes),yes)
IMAGELIBS += -lisal
CPPFLAGS += -DHAVE_ISAL
endif
$(B)/lib/image.a: $(call objs,$(IMAGE))
$(B)/bin/nacelle-image: $(call objs,$(wildcard cmd/nacelle-image/*.c) runtime/config.c) $(B)/lib/image.a $(B)/lib/base.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(IMAGELIBS) $(LDLIBS)

# the KVM monitor: libc alone, and no loader: it is all that there is in its cell
$(B)/lib/kvm.a: $(call objs,$(KVM))
$(B)/bin/nacelle-vmm: $(B)/obj/cmd/nacelle-vmm.o $(B)/lib/kvm.a $(B)/lib/base.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $^ -lpthread

# the guest's agent: all of the runtime, and nothing else in the guest's first file system
$(B)/bin/nacelle-guest: $(B)/obj/cmd/nacelle-guest.o $(B)/obj/cgroups/systemd-library-none.o $(B)/lib/nacelle.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $^ $(if $(filter -static,$(STATIC)),$(filter-out -Wl%,$(LDLIBS)),$(LDLIBS))

# tests/unit/test-x.c -> build/test/test-x, linked with all that a test may call
$(TESTS): $(B)/test/%: $(B)/obj/tests/unit/%.o $(B)/obj/tests/unit/tap.o $(B)/obj/tests/unit/image-tar.o \
		$(B)/lib/image.a $(B)/lib/kvm.a $(B)/lib/nacelle.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $(filter-out $(if $(findstring test-image,$@),,%image-tar.o),$^) \
		$(if $(findstring test-image,$@),$(IMAGELIBS)) $(LDLIBS)

# the floor stands without libc, and with it; see tests/bench/README.md
BENCHF := -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -static
$(B)/bench/floor: BENCHF += -ffreestanding -fno-stack-protector -fno-pie -fcf-protection=none -no-pie -nostdlib \
	-Wl,--build-id=none,-z,norelro,-z,noseparate-code
$(B)/bench/floor-libc: tests/bench/floor.c
$(B)/bench/floor $(B)/bench/floor-libc: $(B)/gen/launcher.h
$(B)/bench/floor $(B)/bench/floor-libc: BENCHF += -I$(B)/gen
$(BENCHES): $(B)/bench/%: tests/bench/%.c
$(BENCHES) $(B)/bench/floor-libc:
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BENCHF) -o $@ $(filter %.c,$^)

# the monitor by hand, without a runtime around it; and a word to its guest
$(B)/bench/vm-launch $(B)/bench/vsock-connect: $(B)/bench/%: $(B)/obj/tests/kvm/%.o $(B)/lib/kvm.a $(B)/lib/base.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $^ -lpthread

# a kernel that means harm, for tests/kvm/hostile
$(B)/kvm/guest-hostile: tests/kvm/guest-hostile.c tests/kvm/guest-driver.h
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O1 -Wall -Wextra -Wshadow -Werror -ffreestanding -fno-pie -fno-stack-protector -fcf-protection=none \
		-mno-red-zone -mgeneral-regs-only -nostdlib -static -no-pie -Wl,-Ttext-segment=0x200000,--build-id=none,-z,noexecstack \
		-o $@ $<

# what lets our system calls fail, and the payload that tells how it is confined
$(B)/faults/inject: $(patsubst %,$(B)/obj/tests/faults/%.o,inject verbs world trace errnos)
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/faults/confined: $(B)/obj/tests/faults/confined.o
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LDFLAGS) -o $@ $^

# images that mean harm, and the program that loads them, its main() under another name
$(B)/hostile/main.o: $(B)/obj/cmd/nacelle-image/main.o
	$(Q)mkdir -p $(@D)
	$(Q)objcopy --redefine-sym main=nacelle_image $< $@
$(B)/hostile/run: $(patsubst %,$(B)/obj/tests/hostile/%.o,run make layers layouts) $(B)/obj/tests/unit/image-tar.o $(B)/hostile/main.o \
		$(call objs,$(filter-out %/main.c,$(wildcard cmd/nacelle-image/*.c)) runtime/config.c) $(B)/lib/image.a $(B)/lib/base.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(IMAGELIBS) $(LDLIBS)

# what escape-*.bats runs as payloads: of no kin to ours, and without a loader
$(ATTACKS): $(B)/attack/%: tests/attack/%.c tests/attack/attack.h
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. -O1 -Wall -Wextra -Wshadow -Wformat=2 -Werror -static -o $@ $<

# what bats tests talk to; this one inside a guest
$(B)/tools/vsock-cid: TOOLF := -static
$(TOOLS): $(B)/tools/%: tests/tools/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Wshadow -Wformat=2 -Werror $(TOOLF) -o $@ $<

# fuzzers are linked from what the sanitizers' build compiles (SAN=1). A library: a fuzzer has only the code that it reaches,
# and may stand in for what needs a kernel (KVM, systemd)
$(B)/lib/fuzz.a: $(call objs,$(LIBSRC) $(IMAGE) $(KVM))
$(FUZZERS): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/lib/fuzz.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANF) -fsanitize=fuzzer -o $@ $^ $(IMAGELIBS) $(LDLIBS) -lpthread

# the table of fields in man/nacelle-spec.5, written from the tables that read them; tests/lint/man compares
$(B)/man/fields: $(B)/obj/man/fields.o $(B)/lib/nacelle.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LDFLAGS) -o $@ $^ $(LDLIBS)
man-fields: $(B)/man/fields
	$(Q)$< man/nacelle-spec.5 >$(B)/man/nacelle-spec.5 && cp $(B)/man/nacelle-spec.5 man/

# what `check` builds before it runs anything
tests: $(TESTS)
bench-programs: $(BENCHES) $(B)/bench/floor-libc $(FAULTS) $(ATTACKS) $(TOOLS) $(HOSTILE)
ifeq ($(SAN),1)
fuzzers: $(FUZZERS)
else
fuzzers:
	$(Q)$(MAKE) --no-print-directory SAN=1 fuzzers
endif

# tests/check runs parts of the tests, logs them under build/check/, counts, and says what failed
check:
	$(Q)tests/check
unit: $(TESTS)
	$(Q)SAN=$(SAN) tests/check unit
bats: all $(FAULTS) $(ATTACKS) $(TOOLS) $(HOSTILE)
	$(Q)tests/check bats
lab: all tests $(FAULTS) $(ATTACKS) $(TOOLS) $(HOSTILE)
	$(Q)LAB=full tests/check lab
emulated: all
	$(Q)tests/check emulated
engines: all
	$(Q)tests/packages engines lab
	$(Q)tests/check engines
# the tests that hold the sentences of the OCI runtime-spec, in the lab, and the table with how each went
oci: all tests $(ATTACKS) $(TOOLS)
	$(Q)tests/lab/lab --timeout 7200 --out $(B)/check -- tests/oci-run
lint:
	$(Q)tests/check lint
FUZZ_SECONDS ?= 600
fuzz: fuzzers
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/check fuzz

# which lines of the parsers the seeds, and what was found since, have reached
fuzz-coverage:
	$(Q)$(MAKE) --no-print-directory B=build/coverage SAN=1 COVERAGE=1 fuzzers
	$(Q)tests/fuzz/coverage
faults: all $(FAULTS)
	$(Q)tests/faults/run
power: all
	$(Q)tests/power/run
scale: all
	$(Q)tests/scale/run
# what is measured beside others, and beside the last results; BENCH_KEEP=1 keeps these as the next's measure
# containers and their ports on this machine, virtual machines in the lab; then all of it beside the last results
bench: all bench-programs
	$(Q)tests/packages bench lab
	$(Q)mkdir -p $(B)/bench/results
	$(Q)tests/bench/run-true --json $(abspath $(B))/bench/results/run.json
	$(Q)OUT=$(abspath $(B))/bench/results tests/bench/verbs
	$(Q)OUT=$(abspath $(B))/bench/results CONTESTANTS="nacelle netavark" ROUNDS=20 tests/bench/ports
	$(Q)tests/lab/lab --cpus 1 --guest 6.1-cloud --out $(B)/bench/results -- env OUT=/lab-out ROUNDS=1 tests/bench/vm
	$(Q)tests/lab/lab --cpus 1 --timeout 3600 --out $(B)/bench/results -- tests/bench/machines
	$(Q)tests/bench/compare $(if $(BENCH_KEEP),--keep) $(B)/bench/results
demo:
	$(Q)tests/demo
format:
	$(Q)clang-format -i $(shell find cmd runtime cgroups seccomp image tests -name '*.[ch]')

install: all
	install -Dm755 -t $(DESTDIR)$(bindir) $(B)/bin/nacelle $(B)/bin/nacelle-image
	install -Dm755 -t $(DESTDIR)$(libexecdir) $(addprefix $(B)/bin/,nacelle-keeper nacelle-shared nacelle-vmm nacelle-guest)
	$(foreach page,$(MAN),install -Dm644 -t $(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(page))) $(page);)
uninstall:
	rm -f $(addprefix $(DESTDIR)$(bindir)/,nacelle nacelle-image) $(addprefix $(DESTDIR)$(libexecdir)/,nacelle-keeper nacelle-shared nacelle-vmm nacelle-guest)
	rm -f $(foreach page,$(MAN),$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	-rmdir $(DESTDIR)$(libexecdir)
clean:
	$(Q)rm -rf build

.PHONY: all tests bench-programs fuzzers check unit bats lab emulated engines oci lint fuzz fuzz-coverage faults power scale bench demo format man-fields install uninstall clean FORCE
.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
