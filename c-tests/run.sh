#!/bin/sh
# Runs test programs: PASS or FAIL for each, with its seconds; its output if it failed.
#   run.sh program...
#   WRAPPER: a command to run them under. SLOW: how many times longer they may take. LIMIT: seconds for each (60).
set -u
limit=$((${LIMIT:-60} * ${SLOW:-1}))
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
    if command -v timeout >/dev/null 2>&1; then
        timeout "$limit" ${WRAPPER:-} "$1" >"$log" 2>&1
    else
        ${WRAPPER:-} "$1" >"$log" 2>&1
    fi
}
for program in "$@"; do
    start=$(date +%s)
    run "$program"
    status=$?
    seconds=$(($(date +%s) - start))
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        echo "PASS  $(basename "$program")  ${seconds}s"
    else
        failed=$((failed + 1))
        [ $status -eq 124 ] && why="still running after ${limit}s" || why="status $status"
        echo "FAIL  $(basename "$program")  ${seconds}s  ($why)"
        tail -n 40 "$log" | sed 's/^/      /'
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
