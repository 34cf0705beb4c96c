#!/usr/bin/env bash
# Unpacks Debian's docker-registry, skopeo, podman and umoci into out/peers, with which the tests exchange images, and prints the folder
# with the programs. Unpacked, not installed: the packages would start a service and change the machine's network.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/peers
if [ ! -e "$out/bin/docker-registry" ]; then
    rm -rf "$out"
    mkdir -p "$out/packages" "$out/root" "$out/bin.new"
    cd "$out/packages"
    packages=(docker-registry skopeo umoci podman conmon crun
        libgpgme11 libassuan0 libgpg-error0 libsubid4 libyajl2 libdevmapper1.02.1)
    apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" >/dev/null 2>&1 || {
        apt-get update -qq >/dev/null
        apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" >/dev/null
    }
    for package in ./*.deb; do
        dpkg-deb --extract "$package" "$out/root"
    done
    for program in docker-registry skopeo umoci podman conmon crun; do
        {
            echo '#!/bin/sh'
            echo "export LD_LIBRARY_PATH=$out/root/usr/lib/x86_64-linux-gnu:$out/root/lib/x86_64-linux-gnu"
            echo "export CONTAINERS_CONF=$out/containers.conf"
            echo "exec $out/root/usr/bin/$program \"\$@\""
        } >"$out/bin.new/$program"
        chmod +x "$out/bin.new/$program"
    done
    printf '[engine]\nconmon_path=["%s"]\nruntime="crun"\n[engine.runtimes]\ncrun=["%s"]\n' \
        "$out/bin/conmon" "$out/bin/crun" >"$out/containers.conf"
    # Podman and skopeo ask a policy whether an image may be trusted.
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$out/policy.json"
    rm -rf "$out/packages"
    mv "$out/bin.new" "$out/bin"
fi
echo "$out/bin"
