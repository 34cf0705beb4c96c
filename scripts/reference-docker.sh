#!/usr/bin/env bash
# Unpacks Debian's dockerd, containerd, runc and docker into out/reference, the yardstick of tests and benchmarks, and prints the
# folder with the programs. Unpacked, not installed: the packages would start their services on the user's machine.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/reference
if [ ! -e "$out/bin/dockerd" ]; then
    scripts/deps.sh iptables iproute2 libdevmapper1.02.1 libsystemd0 libseccomp2 ca-certificates >&2
    rm -rf "$out"
    mkdir -p "$out/packages" "$out/root" "$out/bin.new"
    cd "$out/packages"
    packages=(docker.io containerd runc tini)
    apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" >/dev/null 2>&1 || {
        apt-get update -qq >/dev/null
        apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" >/dev/null
    }
    for package in ./*.deb; do
        dpkg-deb --extract "$package" "$out/root"
    done
    for program in "$out"/root/usr/sbin/* "$out"/root/usr/bin/*; do
        [ -f "$program" ] && ln -sf "$program" "$out/bin.new/"
    done
    ln -sf "$out/root/usr/bin/tini-static" "$out/bin.new/docker-init"
    rm -rf "$out/packages"
    mv "$out/bin.new" "$out/bin"
fi
echo "$out/bin"
