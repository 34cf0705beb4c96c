#!/usr/bin/env bash
# Sampan and its peers from Debian side by side in one run: prints tables and writes out/bench.json, out/bench-build.json and so on.
#   bench/run.sh [versus|build|dns|images|net] [ARGUMENTS]
# The first word takes one of them; arguments (--runs N, --only ENGINE, and what each alone understands) go to what is run.
set -euo pipefail
cd "$(dirname "$0")/.."
parts=(versus build dns images net)
case ${1:-} in versus | build | dns | images | net) parts=("$1"); shift ;; esac
scripts/deps.sh python3-minimal iproute2 util-linux busybox-static libnftables1 buildah iperf3 isal iptables
busybox=$(scripts/base-images.sh busybox)
reference=$(scripts/reference-docker.sh)
peers=$(scripts/peers.sh)
for part in "${parts[@]}"; do
    if [ "$part" = net ]; then
        /usr/bin/python3 bench/net.py --sampan out/sampan --reference "$reference" --peers "$peers" --busybox "$busybox" "$@"
        continue
    fi
    if [ "$part" = images ]; then
        /usr/bin/python3 bench/images.py --sampan out/sampan --reference "$reference" --peers "$peers" "$@"
        continue
    fi
    /usr/bin/python3 "bench/$part.py" --sampan out/sampan --reference "$reference" --busybox "$busybox" "$@"
done
