# rkafka: what a C programmer needs. `make help` lists the targets.

CARGO ?= cargo
CC ?= cc
CXX ?= c++
PYTHON ?= python3
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

# release or debug: which build of the library the C programs are linked against.
PROFILE ?= release
RUST_DIR = $(abspath $(or $(CARGO_TARGET_DIR),target))/$(PROFILE)
CARGO_PROFILE = $(if $(filter release,$(PROFILE)),--release,)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

UNAME := $(shell uname -s)
ifeq ($(UNAME),Darwin)
LIB_FILE := librkafka.dylib
LIB_SONAME := librkafka.1.dylib
LIBS_PRIVATE := -liconv -lSystem -lc -lm
else
LIB_FILE := librkafka.so
LIB_SONAME := librkafka.so.1
LIBS_PRIVATE := -lpthread -ldl -lm -lrt -lutil -lgcc_s
endif

WARNINGS := -Wall -Wextra -pedantic
CFLAGS ?= -O2 -g
CXXFLAGS ?= -O2 -g
C_FLAGS = -std=c99 -D_POSIX_C_SOURCE=200809L $(WARNINGS) -Iinclude $(CFLAGS)
CXX_FLAGS = -std=c++17 $(WARNINGS) -Iinclude $(CXXFLAGS)
LINK = -L$(RUST_DIR) -lrkafka -Wl,-rpath,$(RUST_DIR) -lpthread

# Tests are strict; an example must not fail to build because a new compiler knows a new warning.
STRICT := $(WARNINGS) -Werror

# A C++ compiler is not needed; what needs one is left out with a line that says so.
HAVE_CXX := $(shell command -v $(CXX) >/dev/null 2>&1 && echo yes)
NO_CXX = echo "SKIPPED: $(1): no C++ compiler ($(CXX)) on this machine"

HEADERS := include/rkafka.h include/rkafka.hpp
EXAMPLES := $(patsubst examples/%.c,build/examples/%,$(wildcard examples/*.c))
C_TESTS := $(patsubst c-tests/%.c,build/c-tests/%,$(sort $(wildcard c-tests/[0-9]*.c)))
ifeq ($(HAVE_CXX),yes)
EXAMPLES += $(patsubst examples/%.cpp,build/examples/%-cpp,$(wildcard examples/*.cpp))
C_TESTS += $(patsubst c-tests/%.cpp,build/c-tests/%,$(sort $(wildcard c-tests/[0-9]*.cpp)))
endif

.PHONY: help build demo examples test test-rust test-header test-symbols test-c test-asan test-valgrind test-clients test-socks5 \
        test-compat broker install uninstall fuzz deny fmt clippy clean library

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo "Also: make bench, make test-kafka (see benches/bench.mk, tests/kafka/kafka.mk)"

build: library ## the library: target/release/librkafka.so and .a

# Cargo knows best whether the library is up to date.
library:
	$(CARGO) build --lib $(CARGO_PROFILE)

demo: build/examples/producer ## produce to the embedded broker, or to BOOTSTRAP=host:port; COUNT, SIZE, TOPIC, CODEC
	@BOOTSTRAP="$(BOOTSTRAP)" COUNT="$(COUNT)" SIZE="$(SIZE)" TOPIC="$(TOPIC)" CODEC="$(CODEC)" $<

examples: $(EXAMPLES) ## every example, into build/examples

build/examples/%: examples/%.c $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CC $@"
	@$(CC) $(C_FLAGS) $< -o $@ $(LINK)

build/examples/%-cpp: examples/%.cpp $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CXX $@"
	@$(CXX) $(CXX_FLAGS) $< -o $@ $(LINK)

test: test-rust test-header test-symbols test-c test-socks5 test-python test-clients test-compat ## everything that needs no network and no other software

test-rust:
	$(CARGO) test

# The header as the strictest C and C++ compilers see it; that it is what src/ffi says is tested by cargo test.
test-header:
	@mkdir -p build
	printf '#include <rkafka.h>\nint main(void) { return rk_version() == 0; }\n' > build/header.c
	printf '#include <rkafka.hpp>\nint main() { return rk_version() == 0; }\n' > build/header.cpp
	$(CC) -std=c99 $(STRICT) -Iinclude -fsyntax-only build/header.c
ifeq ($(HAVE_CXX),yes)
	$(CXX) -std=c++17 $(STRICT) -Iinclude -fsyntax-only build/header.cpp
else
	@$(call NO_CXX,headers as C++17)
endif

# Programs may link to what the header declares and to nothing else.
test-symbols: library
	sh c-tests/exported-symbols.sh $(RUST_DIR)/$(LIB_FILE)

# Made anew when they are some days old: they are valid for thirty.
.PHONY: c-test-certificates
c-test-certificates:
	@[ -n "$$(find build/tls/broker.pem -mtime -7 2>/dev/null)" ] || sh c-tests/certificates.sh build/tls

test-c: $(C_TESTS) c-test-certificates ## the programs in c-tests
ifneq ($(HAVE_CXX),yes)
	@$(call NO_CXX,tests of rkafka.hpp)
endif
	@sh c-tests/run.sh $(C_TESTS)

build/c-tests/%: c-tests/%.c c-tests/test.h c-tests/sigpipe.h $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CC $@"
	@$(CC) $(C_FLAGS) -Werror $(SANITIZE) $< -o $@ $(LINK)

build/c-tests/%: c-tests/%.cpp c-tests/test.h c-tests/sigpipe.h $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CXX $@"
	@$(CXX) $(CXX_FLAGS) -Werror $(SANITIZE) $< -o $@ $(LINK)

test-asan: c-test-certificates ## c-tests under AddressSanitizer and LeakSanitizer
	@$(MAKE) --no-print-directory build-asan SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer"
	@nm build/asan/010-produce | grep -q __asan_init || { echo "FAIL: built without AddressSanitizer"; exit 1; }
	@SLOW=3 sh c-tests/run.sh $(patsubst build/c-tests/%,build/asan/%,$(C_TESTS))

.PHONY: build-asan
build-asan: $(patsubst build/c-tests/%,build/asan/%,$(C_TESTS))

build/asan/%: c-tests/%.c c-tests/test.h c-tests/sigpipe.h $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CC $@"
	@$(CC) $(C_FLAGS) -Werror $(SANITIZE) $< -o $@ $(LINK)

build/asan/%: c-tests/%.cpp c-tests/test.h c-tests/sigpipe.h $(HEADERS) | library
	@mkdir -p $(@D)
	@echo "CXX $@"
	@$(CXX) $(CXX_FLAGS) -Werror $(SANITIZE) $< -o $@ $(LINK)

# Under loom the atomics of src/sync.rs are loom's, which tries every interleaving; such a build is kept apart.
loom: ## the lock-free queue under loom
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$(abspath $(or $(CARGO_TARGET_DIR),target))/loom \
	    $(CARGO) test --release --lib accumulator::loom_tests

# It does not follow ring's assembly: the tag of a TLS record is never written, as far as it can see.
# Fair: else a thread that never waits may keep the others from ever running.
VALGRIND = valgrind -q --fair-sched=try --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
test-valgrind: $(C_TESTS) c-test-certificates ## c-tests under valgrind
	@SLOW=20 WRAPPER="$(VALGRIND)" sh c-tests/run.sh $(filter-out %-tls,$(C_TESTS))
	@SLOW=20 WRAPPER="$(VALGRIND) --undef-value-errors=no" sh c-tests/run.sh $(filter %-tls,$(C_TESTS))

# An example that needs something at its other end.
test-socks5: build/examples/socks5
	@$(CARGO) build $(CARGO_PROFILE) --bin rkafka-broker
	@$(PYTHON) tests/socks5.py $(RUST_DIR)/rkafka-broker $<

# Other clients against the embedded broker, where both are installed.
test-clients:
	@if ! command -v kcat >/dev/null 2>&1; then \
	    echo "SKIPPED: other clients against the embedded broker: kcat is not installed (Debian package kcat)"; \
	elif ! $(PYTHON) -c 'import confluent_kafka' 2>/dev/null; then \
	    echo "SKIPPED: other clients against the embedded broker: confluent-kafka is not installed (PyPI)"; \
	else \
	    $(CARGO) build $(CARGO_PROFILE) --bin rkafka-broker && $(PYTHON) tests/mock_clients.py $(RUST_DIR)/rkafka-broker && \
	    $(PYTHON) tests/mock_security.py $(RUST_DIR)/rkafka-broker; \
	fi

# rkafka beside librdkafka, scenario by scenario; docs/COMPATIBILITY.md must be what comes of it.
test-compat: ## rkafka and librdkafka in the same scenarios give the same reports (UPDATE=1 writes docs/COMPATIBILITY.md)
	@if ! $(PYTHON) -c 'import confluent_kafka' 2>/dev/null; then \
	    echo "SKIPPED: comparison with librdkafka: confluent-kafka is not installed (PyPI)"; \
	else \
	    $(CARGO) build $(CARGO_PROFILE) --lib --bin rkafka-broker && \
	    $(PYTHON) tests/compat/compare.py $(RUST_DIR)/rkafka-broker $(RUST_DIR)/$(LIB_FILE); \
	fi

broker: ## run the embedded broker as a program, for any Kafka client
	$(CARGO) run --release --bin rkafka-broker -- $(BROKER_ARGS)

install: library ## library, headers and rkafka.pc into PREFIX (default /usr/local), below DESTDIR
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(INCLUDEDIR)"
	install -m 755 $(RUST_DIR)/$(LIB_FILE) "$(DESTDIR)$(LIBDIR)/$(LIB_SONAME)"
	ln -sf $(LIB_SONAME) "$(DESTDIR)$(LIBDIR)/$(LIB_FILE)"
	install -m 644 $(RUST_DIR)/librkafka.a "$(DESTDIR)$(LIBDIR)/librkafka.a"
	install -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)"
	sed -e 's|@PREFIX@|$(abspath $(PREFIX))|' -e 's|@LIBDIR@|$(abspath $(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(abspath $(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|' rkafka.pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/rkafka.pc"

uninstall: ## what install put there
	cd "$(DESTDIR)$(LIBDIR)" && rm -f $(LIB_SONAME) $(LIB_FILE) librkafka.a pkgconfig/rkafka.pc
	cd "$(DESTDIR)$(INCLUDEDIR)" && rm -f $(notdir $(HEADERS))

fuzz: ## every fuzz target for SECONDS seconds (10) under AddressSanitizer; TARGETS="response conf" for some, JOBS=2 at once
	@SECONDS_EACH=$(or $(SECONDS),10) TARGETS="$(TARGETS)" JOBS="$(or $(JOBS),1)" fuzz/run.sh

deny: ## dependencies: licences, sources, duplicates, known vulnerabilities (cargo-deny)
	@sh tests/deny.sh

fmt: ## format the Rust code
	$(CARGO) fmt

clippy: ## lint the Rust code
	$(CARGO) clippy --all-targets -- -D warnings

clean: ## remove what was built
	$(CARGO) clean
	rm -rf build

-include benches/bench.mk tests/kafka/kafka.mk tests/torture/torture.mk tests/sanitize.mk bindings/node/node.mk
-include bindings/python/python.mk benches/bindings/bindings.mk examples/studio/studio.mk
.DEFAULT_GOAL := help
