# The end-to-end suite on a real Kafka. Included by the Makefile; works alone too:
# make -f tests/kafka/kafka.mk test-kafka
#
#   make test-kafka                        one node, then three, then TLS and SASL on one
#   make test-kafka E2E_ARGS='--nodes 1 --only codec'
#   make test-kafka-security               TLS and SASL alone: protocol, mechanism, right and wrong credential
#   make test-kafka-peer                   the suite itself, checked with librdkafka in rkafka's place

E2E_DIR := build/e2e
E2E_CC ?= cc
E2E_CFLAGS ?= -O1 -g -std=c11 -Wall -Wextra
E2E_PYTHON ?= python3
E2E_RUST_DIR = $(abspath $(or $(CARGO_TARGET_DIR),target))/release
E2E_PEER = $(shell $(E2E_PYTHON) benches/peer.py)

.PHONY: test-kafka test-kafka-security test-kafka-peer e2e-library
test-kafka: $(E2E_DIR)/e2e_producer
	$(E2E_PYTHON) tests/kafka/e2e.py $(E2E_ARGS)
	$(if $(E2E_ARGS),,$(E2E_PYTHON) tests/kafka/security.py)

test-kafka-security: $(E2E_DIR)/e2e_producer
	$(E2E_PYTHON) tests/kafka/security.py

test-kafka-peer: $(E2E_DIR)/e2e_peer
	$(E2E_PYTHON) tests/kafka/e2e.py --program $(abspath $<) --peer $(E2E_ARGS)

# Found at run time by its soname.
e2e-library:
	cargo build --release --lib
	@mkdir -p $(E2E_DIR)
	@ln -sf $(E2E_RUST_DIR)/librkafka.so $(E2E_DIR)/librkafka.so
	@ln -sf $(E2E_RUST_DIR)/librkafka.so $(E2E_DIR)/librkafka.so.1

$(E2E_DIR)/e2e_producer: c-tests/e2e_producer.c include/rkafka.h | e2e-library
	@mkdir -p $(@D)
	$(E2E_CC) $(E2E_CFLAGS) -Iinclude $< -o $@ -L$(E2E_DIR) -lrkafka -Wl,-rpath,'$$ORIGIN' -lpthread

$(E2E_DIR)/e2e_peer: c-tests/e2e_producer.c benches/peer.py
	@mkdir -p $(@D)
	$(E2E_CC) $(E2E_CFLAGS) -DPEER_LIBRDKAFKA $< -o $@ $(E2E_PEER) -Wl,-rpath,$(dir $(E2E_PEER)) -lpthread
