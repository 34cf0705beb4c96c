#!/usr/bin/env bash
# Builds and runs every test project, and ends with one line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
for project in tests/Sampan.Tests.*/; do
    [ -n "$(find "$project" -name '*Tests.cs' -not -path '*/obj/*' -print -quit)" ] || continue
    log=$(mktemp)
    dotnet run --project "$project" -v q 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    # The runner's summary: "NAME  Total: 12, Errors: 0, Failed: 1, Skipped: 0, …"
    read -r total errors fails < <(sed -E 's/\x1b\[[0-9;]*m//g' "$log" \
        | sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+).*/\1 \2 \3/p' | tail -n 1)
    rm -f "$log"
    bad=$((${errors:-0} + ${fails:-0}))
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    failed=$((failed + bad))
    passed=$((passed + ${total:-0} - ${fails:-0}))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
