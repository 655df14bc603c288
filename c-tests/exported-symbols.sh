#!/bin/sh
# The shared library exports exactly the functions in exported-symbols.txt: no more, no less.
set -eu
library=$1
here=$(dirname "$0")
# On macOS every name begins with a further underscore.
nm -D --defined-only "$library" 2>/dev/null | awk '{print $NF}' | sed 's/@.*//' | LC_ALL=C sort > build/exported.txt ||
    nm -gU "$library" | awk '{sub(/^_/, "", $NF); print $NF}' | LC_ALL=C sort > build/exported.txt
if ! LC_ALL=C sort "$here/exported-symbols.txt" | diff - build/exported.txt; then
    echo "FAIL: exported symbols differ from c-tests/exported-symbols.txt (< listed, > exported)"
    exit 1
fi
echo "exported symbols: $(wc -l < build/exported.txt | tr -d ' '), as listed"
