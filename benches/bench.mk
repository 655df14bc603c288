# The benchmark. Included by the Makefile; works alone too: make -f benches/bench.mk bench
#
#   make bench                         every row, both libraries, about eleven minutes
#   make bench BENCH_ARGS=--quick      a minute; see benches/run.py --help
#   make bench-check                   instructions per message against benches/baseline.json

BENCH_DIR := build/bench
BENCH_CC ?= cc
BENCH_CFLAGS ?= -O2 -g -std=gnu11 -Wall -Wextra
BENCH_PYTHON ?= python3
BENCH_RUST_DIR = $(abspath $(or $(CARGO_TARGET_DIR),target))/release
BENCH_PEER = $(shell $(BENCH_PYTHON) benches/peer.py)

.PHONY: bench bench-check bench-programs bench-peer bench-library
bench: bench-programs
	$(BENCH_PYTHON) benches/run.py --no-build $(BENCH_ARGS)

bench-check: bench-programs
	$(BENCH_PYTHON) benches/run.py --no-build --check $(BENCH_ARGS)

bench-programs: bench-peer $(BENCH_DIR)/ours
bench-peer: $(BENCH_DIR)/sink $(BENCH_DIR)/peer $(BENCH_DIR)/limit

$(BENCH_DIR)/sink: benches/sink.c benches/crc32c.h benches/wire.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_CFLAGS) benches/sink.c -o $@ -lpthread

$(BENCH_DIR)/limit: benches/limit.c benches/crc32c.h benches/wire.h benches/measure.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_CFLAGS) benches/limit.c -o $@ -lpthread

$(BENCH_DIR)/peer: benches/producer_bench.c benches/shim_librdkafka.h benches/measure.h benches/peer.py
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_CFLAGS) -DPEER_LIBRDKAFKA benches/producer_bench.c -o $@ \
	    $(BENCH_PEER) -Wl,-rpath,$(dir $(BENCH_PEER)) -lpthread

# Cargo knows best whether the library is up to date. It is found at run time by its soname, and is installed as users have it: a
# file as the linker leaves it lies in single pages in the system's cache, each of which takes its time at a program's start.
bench-library:
	cargo build --release --lib --bin rkafka-broker
	@mkdir -p $(BENCH_DIR)
	@cmp -s $(BENCH_RUST_DIR)/librkafka.so $(BENCH_DIR)/librkafka.so.1 && [ ! -L $(BENCH_DIR)/librkafka.so.1 ] || \
	    install -m 755 $(BENCH_RUST_DIR)/librkafka.so $(BENCH_DIR)/librkafka.so.1
	@ln -sf librkafka.so.1 $(BENCH_DIR)/librkafka.so
	@ln -sf $(BENCH_RUST_DIR)/rkafka-broker $(BENCH_DIR)/rkafka-broker

$(BENCH_DIR)/ours: benches/producer_bench.c benches/shim_rkafka.h benches/measure.h include/rkafka.h | bench-library
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_CFLAGS) -Iinclude benches/producer_bench.c -o $@ \
	    -L$(BENCH_DIR) -lrkafka -Wl,-rpath,'$$ORIGIN' -lpthread
