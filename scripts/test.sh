#!/usr/bin/env bash
# Builds and runs the named test suites (unit, integration, vm) one after the other, and ends with one line: N passed, N failed.
# ARGS in the environment go to the runner of the unit and integration tests.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 failures=""
read -ra runner_arguments <<<"${ARGS:-}"

# Adds up what a runner printed, "NAME  Total: 12, Errors: 0, Failed: 1, Skipped: 2, …": a suite that ends badly has failed, whatever it counted.
count() {
    local log=$1 status=$2 total errors fails skipped
    read -r total errors fails skipped < <(sed -E 's/\x1b\[[0-9;?]*[a-zA-Z]//g' "$log" \
        | sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' | tail -n 1)
    local bad=$((${errors:-0} + ${fails:-0}))
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    failed=$((failed + bad))
    failures+=$(grep -a -A 6 '\[FAIL\]$' "$log")
    passed=$((passed + ${total:-0} - ${fails:-0} - ${skipped:-0}))
}

# Skipped tests say nothing of interest on a console (each is skipped for a reason that it names when it is run alone).
run() {
    local name=$1 log
    shift
    log=$(mktemp)
    echo "== $name" >&2
    "$@" 2>&1 | tee "$log" | grep --line-buffered -vE '^\s*$|\[SKIP\]$|^      no binary$'
    count "$log" "${PIPESTATUS[0]}"
    rm -f "$log"
}

build() {
    dotnet build "tests/Sampan.Tests.$1" -c Release -v q -nologo || failed=$((failed + 1))
}

for suite in "$@"; do
    case $suite in
        unit)
            scripts/deps.sh libsqlite3-dev libnftables1 attr busybox-static zstd bzip2 xz-utils iproute2 util-linux
            build Unit && run unit "tests/Sampan.Tests.Unit/bin/Release/net10.0/Sampan.Tests.Unit" -noColor "${runner_arguments[@]}"
            ;;
        integration)
            scripts/deps.sh iproute2 util-linux busybox-static zstd bzip2 xz-utils libnftables1 procps python3-docker \
                nftables python3-minimal docker-compose buildah gcc libc6-dev musl-tools openssl
            scripts/base-images.sh busybox >/dev/null
            scripts/peers.sh >/dev/null
            scripts/buildx.sh >/dev/null
            # Images are exchanged with dockerd, and where the machine has no docker it is also the tests' own.
            scripts/reference-docker.sh >/dev/null
            build Integration && run integration "tests/Sampan.Tests.Integration/bin/Release/net10.0/Sampan.Tests.Integration" \
                -noColor -maxThreads 4 "${runner_arguments[@]}"
            ;;
        vm)
            build Integration && run vm tests/vm/run.sh
            ;;
        *)
            echo "$0: unknown suite '$suite' (unit, integration, vm)" >&2
            exit 2
            ;;
    esac
done
[ -z "$failures" ] || printf '%s\n' "$failures"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
