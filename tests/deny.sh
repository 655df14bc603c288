#!/bin/sh
# Holds the dependencies to deny.toml: licences, sources, duplicate versions, and known vulnerabilities. The database of those
# comes from the network; where it cannot be fetched, that check alone is left out, and the last line says so.
# CARGO_DENY names the program; without it cargo-deny is looked for in PATH.
set -eu
cd "$(dirname "$0")/.."
deny=${CARGO_DENY:-cargo-deny}
if ! command -v "$deny" >/dev/null 2>&1; then
    echo "FAIL: cargo-deny is not installed (cargo install --locked cargo-deny)"
    exit 1
fi
"$deny" --locked check bans licenses sources
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if timeout 120 "$deny" fetch db >"$log" 2>&1; then
    "$deny" --locked check advisories
else
    grep -m1 -E 'fatal|ERROR|error' "$log" || tail -n 1 "$log"
    echo "SKIPPED: advisories: the database of known vulnerabilities could not be fetched, so they were NOT looked for"
fi
