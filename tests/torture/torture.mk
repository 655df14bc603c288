# Promises under faults. Included by the Makefile.
#
#   make torture MINUTES=30 SEED=7 TORTURE_ARGS='--only idempotent'

MINUTES ?= 3
TORTURE_DIR := build/torture

.PHONY: torture
torture: $(TORTURE_DIR)/producer ## delivery promises on a 3-node Kafka under kill, freeze and cuts; MINUTES, SEED (needs Java, Maven)
	$(E2E_PYTHON) tests/torture/torture.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(TORTURE_ARGS)

$(TORTURE_DIR)/producer: tests/torture/producer.c include/rkafka.h | e2e-library
	@mkdir -p $(@D)
	$(E2E_CC) $(E2E_CFLAGS) -Iinclude $< -o $@ -L$(E2E_DIR) -lrkafka -Wl,-rpath,'$$ORIGIN/../e2e' -lpthread
