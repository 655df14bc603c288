# The Node binding. Included by the Makefile.
#
#   make node                  the addon, and the package with the library inside: build/node/rkafka-VERSION.tgz
#   make test-node             its tests (part of make test)
#   make test-node-peer        node-rdkafka's own tests of its producer, against ours (needs npm's registry)
#   make bench-bindings-node   against node-rdkafka (part of make bench-bindings)
#   make bench-node-ffi        the addon against an FFI package

NODE ?= node
NPM ?= npm
NODE_DIR := bindings/node
NODE_OUT := build/node
# As node names it, without running it each time this file is read.
NODE_ARCH := $(patsubst x86_64,x64,$(patsubst aarch64,arm64,$(shell uname -m)))
NODE_PREBUILDS := $(NODE_DIR)/prebuilds/$(if $(filter Darwin,$(UNAME)),darwin,linux)-$(NODE_ARCH)
NODE_SOURCES := $(wildcard $(NODE_DIR)/src/*.c)
# Those that came with node, or else those of the npm package.
NODE_OWN_HEADERS := $(abspath $(dir $(realpath $(shell command -v $(NODE))))../include/node)
NODE_HEADERS := $(if $(wildcard $(NODE_OWN_HEADERS)/node_api.h),$(NODE_OWN_HEADERS),$(NODE_DIR)/node_modules/node-api-headers/include)
NODE_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARNINGS) -Wno-missing-field-initializers -fvisibility=hidden -fPIC $(CFLAGS)
HAVE_NODE := $(shell command -v $(NODE) >/dev/null 2>&1 && command -v $(NPM) >/dev/null 2>&1 && echo yes)

.PHONY: node node-addon node-modules test-node test-node-peer bench-bindings bench-bindings-node
node: node-addon ## the Node package with the library inside, into build/node
	@mkdir -p $(NODE_OUT)
	@rm -f $(NODE_OUT)/rkafka-*.tgz
	@cp LICENSE-MIT LICENSE-APACHE $(NODE_DIR)/
	cd $(NODE_DIR) && $(NPM) pack --silent --pack-destination $(abspath $(NODE_OUT))

# The library goes into the package, without what only a debugger reads, and the addon finds it beside itself.
node-addon: library $(if $(wildcard $(NODE_OWN_HEADERS)/node_api.h),,node-modules)
	@mkdir -p $(NODE_PREBUILDS)
	@strip --strip-unneeded -o $(NODE_PREBUILDS)/$(LIB_SONAME).new $(RUST_DIR)/$(LIB_FILE)
	@mv $(NODE_PREBUILDS)/$(LIB_SONAME).new $(NODE_PREBUILDS)/$(LIB_SONAME)
	$(CC) $(NODE_CFLAGS) -shared -I$(NODE_HEADERS) -Iinclude $(NODE_SOURCES) -o $(NODE_PREBUILDS)/rkafka.node.new \
	    -L$(RUST_DIR) -lrkafka -Wl,-rpath,'$$ORIGIN' -pthread
	@mv $(NODE_PREBUILDS)/rkafka.node.new $(NODE_PREBUILDS)/rkafka.node
	@$(NODE) $(NODE_DIR)/tools/types.js

# Tools of development; none of them has a script to run.
node-modules: $(NODE_DIR)/node_modules/.package-lock.json
$(NODE_DIR)/node_modules/.package-lock.json: $(NODE_DIR)/package-lock.json
	cd $(NODE_DIR) && $(NPM) ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

test: test-node
ifeq ($(HAVE_NODE),yes)
test-node: node
	@$(MAKE) --no-print-directory node-modules || echo "SKIPPED: the types of the Node binding: npm cannot get typescript"
	cd $(NODE_DIR) && PACKAGE=$$(ls $(abspath $(NODE_OUT))/rkafka-*.tgz) $(NODE) --test test/*.test.js
else
test-node:
	@echo "SKIPPED: the Node binding: node and npm are not installed"
endif

# node-rdkafka has no prebuilt library for everybody: it is built against Debian's librdkafka-dev, into build/.
NODE_PEER_VERSION := 3.6.1
NODE_PEER := $(NODE_OUT)/peer/node_modules/node-rdkafka
# A package of its own in Debian, part of npm elsewhere.
NODE_GYP = $(or $(shell command -v node-gyp),$(NODE) "$$($(NPM) root -g)/npm/node_modules/node-gyp/bin/node-gyp.js")
NODE_PEER_TESTS := $(NODE_OUT)/peer-tests
test-node-peer: node-addon
	@mkdir -p $(NODE_PEER_TESTS)
	cd $(NODE_PEER_TESTS) && echo '{"private":true}' > package.json && $(NPM) install --ignore-scripts --no-audit --no-fund \
	    --silent node-rdkafka@$(NODE_PEER_VERSION) mocha@10.8.2 bluebird@3.7.2
	$(NODE) $(NODE_DIR)/tools/peer-tests.js $(NODE_PEER_TESTS)

bench-bindings: bench-bindings-node
bench-bindings-node: node-addon $(BENCH_DIR)/sink $(NODE_PEER)/build/Release/node-librdkafka.node
	$(NODE) benches/bindings/node/run.js $(BENCH_DIR)/sink $(NODE_DIR) $(NODE_PEER) $(BENCH_ARGS)

$(NODE_PEER)/build/Release/node-librdkafka.node:
	@[ -e /usr/include/librdkafka/rdkafka.h ] || { echo "needs librdkafka's headers (Debian package librdkafka-dev)"; exit 1; }
	@mkdir -p $(NODE_OUT)/peer
	cd $(NODE_OUT)/peer && echo '{"private":true}' > package.json && \
	    $(NPM) install --ignore-scripts --no-audit --no-fund --silent node-rdkafka@$(NODE_PEER_VERSION)
	cd $(NODE_PEER) && BUILD_LIBRDKAFKA=0 $(NODE_GYP) \
	    rebuild $(if $(wildcard $(NODE_OWN_HEADERS)/node_api.h),--nodedir=$(abspath $(NODE_OWN_HEADERS)/../..)) \
	    > ../../build.log 2>&1 || { tail -n 20 ../../build.log; exit 1; }

.PHONY: bench-node-ffi
bench-node-ffi: node-addon
	@mkdir -p $(NODE_OUT)/ffi
	cd $(NODE_OUT)/ffi && echo '{"private":true}' > package.json && \
	    $(NPM) install --ignore-scripts --no-audit --no-fund --silent koffi@3.3.4
	$(NODE) benches/bindings/node/ffi.js $(NODE_DIR) $(NODE_OUT)/ffi/node_modules/koffi
