#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH (default 10) seconds under libFuzzer and AddressSanitizer, and prints a table. Fails
# on any finding: a panic, an overflow, a failed assertion, a memory error, a leak, an input that takes over 20 s, a single
# allocation over 256 MiB or 2 GiB in all. TARGETS chooses some of the targets, JOBS (1) how many run at once.
#
# New inputs are kept in build/fuzz/corpus/<target> from run to run, what failed in build/fuzz/findings/<target>. The
# committed corpora are read only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${SECONDS_EACH:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
read -ra targets <<<"${TARGETS:-$(basename -s .rs fuzz/fuzz_targets/*.rs | tr '\n' ' ')}"

# The flags are unstable ones: of the nightly toolchain if there is one, else of the one in use, told to take them.
toolchain=()
if rustc +nightly --version >/dev/null 2>&1; then toolchain=(+nightly); else export RUSTC_BOOTSTRAP=1; fi
RUSTFLAGS="-Zsanitizer=address --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module
 -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
 -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo "${toolchain[@]}" build --release --manifest-path fuzz/Cargo.toml --target "$host" \
  --target-dir "${FUZZ_TARGET_DIR:-fuzz/target}"
programs=${FUZZ_TARGET_DIR:-fuzz/target}/$host/release

# The C and assembly of ring, zstd and libdeflate are not instrumented; what they are given is, so their reads are checked at the border.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0:${ASAN_OPTIONS:-}

# Fuzzes one target; its log's last lines are shown if it fails.
fuzz() {
  local target=$1 log=build/fuzz/$1.log
  mkdir -p "build/fuzz/corpus/$target" "build/fuzz/findings/$target"
  echo "fuzz $target: $seconds s"
  "$programs/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=256 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$target/" "build/fuzz/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1 ||
    { tail -n 60 "$log"; touch "build/fuzz/$target.failed"; }
}

rm -f build/fuzz/*.failed
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n; done
  fuzz "$target" &
done
wait
failed=0
printf '%-16s %12s %9s %9s\n' target executions coverage findings
for target in "${targets[@]}"; do
  findings=0
  [ ! -e "build/fuzz/$target.failed" ] || findings=1 failed=1
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log" | tail -n 1)
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "build/fuzz/$target.log" | tail -n 1)
  printf '%-16s %12s %9s %9s\n' "$target" "${executions:-?}" "${coverage:-?}" $findings
done
exit $failed
