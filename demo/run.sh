#!/usr/bin/env bash
# The main job as a new user meets it: base images from Debian's packages, an image from a Dockerfile, and a container of it, with
# a daemon that has roots of its own and is gone at the end. SAMPAN names another binary than out/sampan.
set -euo pipefail
cd "$(dirname "$0")/.."
sampan=${SAMPAN:-$PWD/out/sampan}
scripts/deps.sh busybox-static libnftables1
if [ "$(id -u)" -ne 0 ]; then
    echo "demo: containers need root: sudo make demo" >&2
    exit 1
fi

work=$(mktemp -d /tmp/sampan-demo.XXXXXX)
export DOCKER_HOST=unix://$work/sampan.sock DOCKER_BUILDKIT=0 DOCKER_CONFIG=$work/docker
daemon=
container=demo-voyage
cleanup() {
    local status=$?
    if [ -n "$daemon" ]; then
        "$sampan" ps -aq 2>/dev/null | xargs -r "$sampan" rm -f >/dev/null 2>&1 || true
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ "$status" -eq 0 ] || { echo "demo: failed; the daemon's last words:" >&2; tail -n 20 "$work/daemon.log" >&2; }
    rm -rf --one-file-system "$work"
    rmdir /sys/fs/cgroup/sampan /sys/fs/cgroup/*/sampan 2>/dev/null || true
    return "$status"
}
trap cleanup EXIT

bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
summary=()
# step TEXT COMMAND…: runs it, shows what it says, and keeps the time that it took.
step() {
    local text=$1 before after
    shift
    echo
    echo "$bold== $text$plain"
    echo "   \$ ${*//$sampan/sampan}"
    before=$(date +%s%N)
    "$@" | sed 's/^/   /'
    after=$(date +%s%N)
    summary+=("$(printf '%8d ms   %s' $(((after - before) / 1000000)) "$text")")
}

start_daemon() {
    "$sampan" daemon --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" 2>"$work/daemon.log" &
    daemon=$!
    until "$sampan" version >/dev/null 2>&1; do
        kill -0 "$daemon" || { cat "$work/daemon.log" >&2; return 1; }
        sleep 0.01
    done
}

step "a root file system from Debian's busybox" scripts/base-images.sh busybox
step "a root file system from mmdebstrap" scripts/base-images.sh debian

echo
echo "$bold== a daemon with roots of its own$plain"
before=$(date +%s%N)
start_daemon
summary+=("$(printf '%8d ms   the daemon starts and answers' $((($(date +%s%N) - before) / 1000000)))")

step "busybox becomes an image" "$sampan" import --change 'CMD ["sh"]' out/base/busybox.tar busybox:latest
step "Debian becomes an image" "$sampan" import --change 'CMD ["bash"]' out/base/debian.tar debian:bookworm
step "an image from a Dockerfile in two stages" "$sampan" build -t demo:latest --build-arg CAPTAIN=Yui demo
step "the same again, from the cache" "$sampan" build -q -t demo:latest --build-arg CAPTAIN=Yui demo
step "a container of it" "$sampan" run --name "$container" --hostname sampan demo:latest to the islands
step "what became of it" "$sampan" ps -a
step "one more command in the smallest container" "$sampan" run --rm busybox true

if command -v docker >/dev/null; then
    step "Docker's own command on the same daemon: images" docker images
    step "docker run" docker run --rm --hostname docker demo:latest by docker
    step "docker build" docker build -q -t demo:by-docker --build-arg CAPTAIN=Yui demo
fi

echo
echo "${bold}What each step took:$plain"
printf '%s\n' "${summary[@]}"
