# The bindings beside their peers. Included by the Makefile.
#
#   make bench-bindings          Python beside confluent-kafka; bindings/node/node.mk adds Node beside node-rdkafka
#   make bench-bindings-python   Python alone
#
# BINDINGS_ARGS is given to benches/bindings/run.py: --check, --seconds N, --rounds N, --sizes A,B.

.PHONY: bench-bindings bench-bindings-python
bench-bindings: bench-bindings-python ## Python and Node beside their peers

# confluent-kafka's version is that of docs/COMPATIBILITY.md.
bench-bindings-python: python $(BENCH_DIR)/sink
	@if ! $(PYTHON) -c 'import confluent_kafka' 2>/dev/null; then \
	    echo "SKIPPED: Python binding beside its peer: confluent-kafka is not installed (PyPI, 2.16.1)"; \
	else \
	    $(PYTHON) benches/bindings/run.py Python $(BINDINGS_ARGS) \
	        --ours "env PYTHONPATH=$(PYTHON_SITE) $(PYTHON) benches/bindings/python_worker.py rkafka" \
	        --peer "$(PYTHON) benches/bindings/python_worker.py confluent_kafka"; \
	fi
