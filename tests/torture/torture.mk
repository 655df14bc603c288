# Promises under faults. Included by the Makefile.
#
#   make torture MINUTES=30 SEED=7 TORTURE_ARGS='--only idempotent'
#   make torture-mock SECONDS=60 [SEED=n]
#   make torture-kfake MINUTES=1

MINUTES ?= 3
SECONDS ?= 60
TORTURE_DIR := build/torture
TORTURE = $(E2E_PYTHON) tests/torture/torture.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(TORTURE_ARGS)

MOCK_ROUNDS = RKAFKA_FAST=1 RKAFKA_PARALLEL=16 RKAFKA_SECONDS=$(SECONDS) \
    $(if $(SEED),RKAFKA_SEED=$(SEED) RKAFKA_ROUNDS=100000000)

.PHONY: torture torture-mock torture-kfake kfake
torture: $(TORTURE_DIR)/producer ## delivery promises on a 3-node Kafka under kill, freeze and cuts; MINUTES, SEED (needs Java, Maven)
	$(E2E_PYTHON) tests/torture/test_check.py
	$(TORTURE)

# Rounds with another seed each, many at a time. RKAFKA_SEED and RKAFKA_FAST=1 repeat one.
torture-mock: ## the same promises on the embedded broker, thousands of fault schedules a minute; SECONDS, SEED
	cargo test --release --test faults --test transaction_faults --no-run
	$(MOCK_ROUNDS) cargo test --release --test faults -- --nocapture
	$(MOCK_ROUNDS) cargo test --release --test transaction_faults -- --nocapture

torture-kfake: ## the same promises on kfake, a broker written in Go (needs Go); MINUTES, SEED
	@if go version 2>/dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'; then $(MAKE) --no-print-directory kfake; \
	else echo "SKIPPED: torture-kfake: there is no Go 1.21 or newer here (https://go.dev/dl)"; fi

kfake: $(TORTURE_DIR)/producer
	cd tests/torture/kfake && go build -o $(abspath $(TORTURE_DIR))/kfake .
	$(TORTURE) --kfake $(TORTURE_DIR)/kfake --dir $(TORTURE_DIR)/run-kfake

$(TORTURE_DIR)/producer: tests/torture/producer.c include/rkafka.h | e2e-library
	@mkdir -p $(@D)
	$(E2E_CC) $(E2E_CFLAGS) -Iinclude $< -o $@ -L$(E2E_DIR) -lrkafka -Wl,-rpath,'$$ORIGIN/../e2e' -lpthread
