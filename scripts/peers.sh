#!/usr/bin/env bash
# Unpacks Debian's docker-registry, skopeo, podman (with netavark) and umoci into out/peers, with which the tests exchange images and
# the benchmarks compare, and prints the folder with the programs. Unpacked, not installed: the packages would start a service and change the machine's network.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/peers
if [ ! -e "$out/root/usr/lib/podman/netavark" ]; then
    rm -rf "$out"
    mkdir -p "$out/packages" "$out/root" "$out/bin.new"
    cd "$out/packages"
    packages=(docker-registry skopeo umoci podman conmon crun netavark aardvark-dns
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
    # Fewer files and processes than podman gives by default: it may be denied to raise its own limits.
    cat >"$out/containers.conf" <<EOF
[containers]
default_ulimits=["nofile=1024:1024", "nproc=1024:1024"]
[engine]
conmon_path=["$out/bin/conmon"]
helper_binaries_dir=["$out/root/usr/lib/podman"]
runtime="crun"
[engine.runtimes]
crun=["$out/bin/crun"]
[network]
network_backend="netavark"
EOF
    # Podman and skopeo ask a policy whether an image may be trusted.
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$out/policy.json"
    rm -rf "$out/packages"
    mv "$out/bin.new" "$out/bin"
fi
echo "$out/bin"
