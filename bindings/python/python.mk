# The Python binding: bindings/python. Included by the Makefile.
#
#   make python          the wheel, into build/python: pip install it offline, no compiler wanted
#   make test-python     its tests, with $(PYTHON); type hints too, where mypy is installed
#   make test-python-asan  its tests, the extension under AddressSanitizer and UndefinedBehaviorSanitizer (gcc)

PYTHON_DIST := build/python
PYTHON_SITE := build/python/site
# Prints the path of Python.h, nothing if it is not there.
PYTHON_HEADER = $(PYTHON) -c 'import os, sysconfig as s; p = s.get_paths()["include"] + "/Python.h"; print(p * os.path.exists(p))'

.PHONY: python test-python test-python-asan
python: library ## the wheel of the Python package rkafka, into build/python
	@rm -rf $(PYTHON_SITE) $(PYTHON_DIST)/*.whl
	@RKAFKA_LIB=$(RUST_DIR)/$(LIB_FILE) $(PYTHON) bindings/python/build_wheel.py $(PYTHON_DIST)
	@$(PYTHON) -m zipfile -e $(PYTHON_DIST)/*.whl $(PYTHON_SITE)

test-python: ## tests of the Python package
	@if [ -z "$$($(PYTHON_HEADER))" ]; then \
	    echo "SKIPPED: Python binding: no Python.h for $(PYTHON) (Debian package python3-dev)"; \
	else \
	    $(MAKE) --no-print-directory python && cd bindings/python && \
	    PYTHONPATH=$(abspath $(PYTHON_SITE)) RKAFKA_WHEELS=$(abspath $(PYTHON_DIST)) \
	        $(PYTHON) -W error::ResourceWarning -m unittest discover -s tests -t . && \
	    if $(PYTHON) -c 'import mypy' 2>/dev/null; then \
	        MYPYPATH=src $(PYTHON) -m mypy --cache-dir $(abspath $(PYTHON_DIST))/mypy; \
	    else \
	        echo "SKIPPED: type hints of the Python package: mypy is not installed (PyPI)"; \
	    fi; \
	fi

# The extension alone is built with them; Python's own allocations must be malloc's to be watched.
test-python-asan: library
	@rm -rf $(PYTHON_DIST)/asan
	@CFLAGS="-O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer" RKAFKA_LIB=$(RUST_DIR)/$(LIB_FILE) \
	    $(PYTHON) bindings/python/build_wheel.py $(PYTHON_DIST)/asan
	@$(PYTHON) -m zipfile -e $(PYTHON_DIST)/asan/*.whl $(PYTHON_DIST)/asan/site
	@nm -D $(PYTHON_DIST)/asan/site/rkafka/_core.abi3.so | grep -q __asan_init || { echo "FAIL: built without AddressSanitizer"; exit 1; }
	@cd bindings/python && LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=$(abspath $(PYTHON_DIST))/asan/site \
	    $(PYTHON) -m unittest discover -s tests -t .
