# The studio: a page that shows what a producer does. Included by the Makefile.
#
#   make studio                        on http://127.0.0.1:8090/, with the embedded broker; PORT=N
#   make studio BOOTSTRAP=host:port    with a real cluster
#   make test-studio                   its API; the page itself where chromium, playwright (PyPI) and npm are
#   make studio-screenshots            takes those of docs/STUDIO.md anew

STUDIO := examples/studio
UPLOT_VERSION := 1.6.32
UPLOT := build/studio/uplot
STUDIO_ENV = PYTHONPATH=$(abspath $(PYTHON_SITE)) STUDIO_BROKER=$(RUST_DIR)/rkafka-broker STUDIO_CHARTS=$(abspath $(UPLOT))

.PHONY: studio studio-broker test-studio studio-screenshots
studio: python studio-broker $(UPLOT)/uPlot.iife.min.js ## a page that shows a producer live: http://127.0.0.1:8090/; PORT, BOOTSTRAP
	PYTHONPATH=$(PYTHON_SITE) $(PYTHON) $(STUDIO)/studio.py --port $(or $(PORT),8090) --charts $(UPLOT) \
	    --broker $(RUST_DIR)/rkafka-broker $(if $(BOOTSTRAP),--bootstrap $(BOOTSTRAP))

studio-broker:
	$(CARGO) build $(CARGO_PROFILE) --bin rkafka-broker

# The charts (MIT licence), by name from npm and kept in build: the page itself loads nothing from elsewhere.
$(UPLOT)/uPlot.iife.min.js:
	@mkdir -p $(UPLOT)
	cd $(UPLOT) && npm pack --silent --fetch-retries=1 uplot@$(UPLOT_VERSION) >/dev/null && tar xzf uplot-$(UPLOT_VERSION).tgz \
	    --strip-components=1 package/LICENSE && tar xzf uplot-$(UPLOT_VERSION).tgz --strip-components=2 \
	    package/dist/uPlot.min.css package/dist/uPlot.iife.min.js && touch uPlot.iife.min.js

test: test-studio
test-studio: ## tests of the studio, the page too where there is a browser
	@if [ -z "$$($(PYTHON_HEADER))" ]; then \
	    echo "SKIPPED: the studio: no Python.h for $(PYTHON) (Debian package python3-dev)"; \
	else \
	    $(MAKE) --no-print-directory python studio-broker && \
	    { $(MAKE) --no-print-directory $(UPLOT)/uPlot.iife.min.js || echo "SKIPPED: the studio's page: npm cannot get uplot"; } && \
	    $(STUDIO_ENV) $(PYTHON) -m unittest discover -s $(STUDIO)/tests -t $(STUDIO)/tests; \
	fi

studio-screenshots: python studio-broker $(UPLOT)/uPlot.iife.min.js
	$(STUDIO_ENV) STUDIO_SCREENSHOTS=$(abspath docs) $(PYTHON) -m unittest discover -s $(STUDIO)/tests -t $(STUDIO)/tests -k Screenshots
