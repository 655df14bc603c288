# Checks of the lock-free code by Miri and ThreadSanitizer, on the nightly toolchain. Included by the Makefile.
# Miri needs the standard library's source: `rustup +nightly component add miri rust-src`. Where a tool cannot
# be had, its target says so and passes.

NIGHTLY_SYSROOT = $(shell rustc +nightly --print sysroot 2>/dev/null)
HOST_TARGET = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: miri tsan

# Undefined behaviour in the accumulator.
miri:
	@if cargo +nightly miri setup >/dev/null 2>&1; then \
		MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance" PROPTEST_CASES=2 \
		CARGO_TARGET_DIR=target/miri cargo +nightly miri test --lib accumulator::tests; \
	else \
		echo "SKIPPED: miri: the nightly toolchain has no miri or no rust-src here"; \
	fi

# Data races in the accumulator, with threads that append, seal, recycle and read. Where the standard library's source is at
# hand it is built along, and whole clients on the embedded broker are watched too; without it, only code of ours is.
tsan:
	@if ! rustc +nightly --version >/dev/null 2>&1; then \
		echo "SKIPPED: tsan: there is no nightly toolchain here"; \
	elif [ -d "$(NIGHTLY_SYSROOT)/lib/rustlib/src/rust/library" ]; then \
		RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/tsan RKAFKA_ROUNDS=5 \
		cargo +nightly test -Zbuild-std --target $(HOST_TARGET) --lib --test faults -- accumulator::tests one_true; \
	else \
		RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR=target/tsan \
		TSAN_OPTIONS="suppressions=$(abspath tests/tsan.supp)" \
		cargo +nightly test --target $(HOST_TARGET) --lib accumulator::tests; \
	fi
