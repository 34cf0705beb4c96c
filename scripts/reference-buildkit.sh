#!/usr/bin/env bash
# Unpacks Debian 13's dockerd (26.1, whose BuildKit knows heredocs, --link and mounts) with all that it needs into out/reference-13, a root of its
# own as it wants Debian 13's libraries, and prints it: SAMPAN_TEST_BUILDKIT=$(scripts/reference-buildkit.sh), see docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/reference-13
if [ ! -e "$out" ]; then
    scripts/deps.sh mmdebstrap debian-archive-keyring >&2
    rm -rf "$out.new" && mkdir -p out
    # Unpacked, not installed: nothing of it is to start.
    mmdebstrap --quiet --variant=extract --include=docker.io,xz-utils,git trixie "$out.new" >&2
    for directory in bin sbin lib lib64; do
        ln -sfn "usr/$directory" "$out.new/$directory"
    done
    mkdir -p "$out.new/proc" "$out.new/sys" "$out.new/run" "$out.new/tmp/old"
    mv "$out.new" "$out"
fi
echo "$out"
