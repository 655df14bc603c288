#!/bin/sh
# The shared library exports exactly the functions in exported-symbols.txt: no more, no less.
set -eu
library=$1
listed=$(dirname "$0")/exported-symbols.txt
mkdir -p build
case $(uname -s) in
Darwin) nm -gU "$library" | awk '{sub(/^_/, "", $NF); print $NF}' ;; # every name begins with a further underscore
*) nm -D --defined-only "$library" | awk '{sub(/@.*/, "", $NF); print $NF}' ;;
esac | LC_ALL=C sort > build/exported.txt
if ! LC_ALL=C sort "$listed" | diff - build/exported.txt; then
    echo "FAIL: exported symbols differ from $listed (< listed, > exported)"
    exit 1
fi
echo "exported symbols: $(wc -l < build/exported.txt | tr -d ' '), as listed"
