#!/usr/bin/env bash
# Sampan and Debian's dockerd side by side in one run: prints a table and writes out/bench.json.
# Arguments go to bench/versus.py (--runs N, --containers N, --only sampan|dockerd).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh python3-minimal iproute2 util-linux busybox-static libnftables1
busybox=$(scripts/base-images.sh busybox)
reference=$(scripts/reference-docker.sh)
/usr/bin/python3 bench/versus.py --sampan out/sampan --reference "$reference" --busybox "$busybox" "$@"
/usr/bin/python3 bench/dns.py --sampan out/sampan --reference "$reference" --busybox "$busybox"
exec /usr/bin/python3 bench/build.py --sampan out/sampan --reference "$reference" --busybox "$busybox"
