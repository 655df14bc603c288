# The bindings beside their peers. Included by the Makefile.
#
#   make bench-bindings        Python beside confluent-kafka, Node beside node-rdkafka, as far as they are here
#
# BINDINGS_ARGS is given to benches/bindings/run.py: --check, --seconds N, --rounds N, --sizes A,B.

.PHONY: bench-bindings bench-python
bench-bindings: bench-python $(if $(wildcard bindings/node/node.mk),bench-node) ## Python and Node beside their peers

# confluent-kafka's version is that of docs/COMPATIBILITY.md.
bench-python: python $(BENCH_DIR)/sink
	@if ! $(PYTHON) -c 'import confluent_kafka' 2>/dev/null; then \
	    echo "SKIPPED: Python binding beside its peer: confluent-kafka is not installed (PyPI, 2.16.1)"; \
	else \
	    $(PYTHON) benches/bindings/run.py Python $(BINDINGS_ARGS) \
	        --ours "env PYTHONPATH=$(PYTHON_SITE) $(PYTHON) benches/bindings/python_worker.py rkafka" \
	        --peer "$(PYTHON) benches/bindings/python_worker.py confluent_kafka"; \
	fi
