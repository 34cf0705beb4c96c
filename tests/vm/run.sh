#!/usr/bin/env bash
# Runs the integration tests that bear the trait "vm" (run, limits, exec, defaults) on cgroup v2: boots Debian's cloud kernel with
# cgroup_no_v1=all under QEMU, with a root file system that holds the built binary, Docker's command line and the tests.
# Prints the tests' summary; the exit status is theirs.
#
#   SAMPAN_TEST_REFERENCE=dockerd   run the same tests on Debian's dockerd instead
#   SAMPAN_VM_ACCEL=kvm             use the machine's /dev/kvm instead of emulation
#   SAMPAN_VM_TIMEOUT=600           seconds until the guest is given up
set -euo pipefail
cd "$(dirname "$0")/../.."
repo=$PWD
vm=$repo/out/vm
mkdir -p "$vm"
scripts/deps.sh qemu-system-x86 kmod cpio e2fsprogs busybox-static iproute2 libnftables1 libssl3 >&2
say() { printf 'vm: %s (%.1f s)\n' "$1" "$(bc_seconds)" >&2; }
bc_seconds() { awk -v a="$started" -v b="$(date +%s.%N)" 'BEGIN { print b - a }'; }
started=$(date +%s.%N)

# :: 1 kernel — unpacked, not installed: it is not for this machine to boot
kernel() {
    [ -e "$vm/kernel/release" ] && return
    local package
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2 }')
    if [ -z "$package" ]; then
        apt-get update -qq >/dev/null
        package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2 }')
    fi
    rm -rf "$vm/kernel.new" && mkdir -p "$vm/kernel.new"
    (
        cd "$vm/kernel.new"
        apt-get download -qq -o APT::Sandbox::User=root "$package" >/dev/null 2>&1 || {
            apt-get update -qq >/dev/null
            apt-get download -qq -o APT::Sandbox::User=root "$package" >/dev/null
        }
        dpkg-deb --extract ./*.deb .
        rm ./*.deb
        depmod -b . "${package#linux-image-}"
        echo "${package#linux-image-}" >release
    )
    rm -rf "$vm/kernel"
    mv "$vm/kernel.new" "$vm/kernel"
}

# :: 2 initramfs — busybox, and the modules in the order in which they need each other
modules=(virtio_pci virtio_blk ext4 overlay veth bridge br_netfilter nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_redir
    nft_reject_inet nft_fib_inet nft_hash nft_numgen nft_limit nft_log nf_conntrack_netlink loop tun dummy macvlan ipvlan 8021q)
initramfs() {
    [ "$vm/initramfs" -nt "$vm/kernel/release" ] && [ "$vm/initramfs" -nt tests/vm/run.sh ] && return
    local release tree module
    release=$(cat "$vm/kernel/release")
    tree=$(mktemp -d "$vm/initramfs.XXXXXX")
    mkdir -p "$tree"/{bin,modules,proc,sys,dev,root}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    {
        echo '#!/bin/busybox sh'
        echo '/bin/busybox mount -t devtmpfs none /dev'
        for module in "${modules[@]}"; do
            modprobe -d "$vm/kernel" -S "$release" --show-depends "$module" 2>/dev/null || true
        done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
            cp "$path" "$tree/modules/"
            echo "/bin/busybox insmod /modules/$(basename "$path")"
        done
        echo '/bin/busybox mount -t ext4 /dev/vda /root'
        echo '/bin/busybox mount --move /dev /root/dev'
        echo 'exec /bin/busybox switch_root /root /init'
    } >"$tree/init"
    chmod +x "$tree/init"
    (cd "$tree" && find . | cpio --quiet -o -H newc) | gzip -1 >"$vm/initramfs"
    rm -rf "$tree"
}

# A program of this machine with the libraries that it needs, and other files as they are.
take() {
    local file
    for file in "$@"; do
        file=$(readlink -f "$(command -v "$file" || echo "$file")")
        mkdir -p "$root$(dirname "$file")"
        cp -n "$file" "$root$file"
        { ldd "$file" 2>/dev/null || true; } | awk '$3 ~ "^/" { print $3 }' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -nL "$library" "$root$library"
        done
    done
}

# :: 3 root — the Debian base image, then .NET, the tests and what they run
root_image() {
    local base=$vm/base
    if [ ! -e "$base/.complete" ]; then
        rm -rf "$base" && mkdir -p "$base"
        tar -xf "$(scripts/base-images.sh debian)" -C "$base"
        rm -rf "$base"/var/lib/apt "$base"/usr/share/{doc,man,locale,zoneinfo}
        touch "$base/.complete"
    fi
    root=$vm/root
    rm -rf "$root"
    cp -al "$base" "$root"
    take ip busybox
    # What programs look for only when they run: Sampan the firewall's library, .NET OpenSSL.
    local library
    for library in libnftables.so.1 libssl.so.3 libcrypto.so.3; do
        library=/usr/lib/x86_64-linux-gnu/$library
        take "$library"
        [ -e "$root$library" ] || ln -s "$(readlink -f "$library")" "$root$library"
    done
    local dotnet version
    dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
    version=$(find "$dotnet/shared/Microsoft.NETCore.App" -maxdepth 1 -name '10.*' -printf '%f\n' | sort -V | tail -n 1)
    mkdir -p "$root"/test/{dotnet/shared/Microsoft.NETCore.App,dotnet/host,suite}
    cp -al "$dotnet/host/fxr" "$root/test/dotnet/host/" 2>/dev/null || cp -a "$dotnet/host/fxr" "$root/test/dotnet/host/"
    cp -a "$dotnet/shared/Microsoft.NETCore.App/$version" "$root/test/dotnet/shared/Microsoft.NETCore.App/"
    cp -a tests/Sampan.Tests.Integration/bin/Release/net10.0/. "$root/test/suite/"
    cp "$(scripts/base-images.sh busybox)" "$root/test/busybox.tar"
    local docker
    docker=$(command -v docker || echo "$(scripts/reference-docker.sh)/docker")
    cp -L "$docker" "$root/test/docker"
    if [ "${SAMPAN_TEST_REFERENCE:-}" = dockerd ]; then
        scripts/reference-docker.sh >/dev/null
        mkdir -p "$root/test/out/reference/bin"
        cp -L out/reference/bin/{dockerd,containerd,containerd-shim-runc-v2,runc,docker-init,docker-proxy} "$root/test/out/reference/bin/"
        take out/reference/bin/dockerd out/reference/bin/runc
        rm -rf "$root$repo"
    else
        cp out/sampan "$root/test/sampan"
    fi
    sed -e "s|@REFERENCE@|${SAMPAN_TEST_REFERENCE:-}|" -e "s|@FILTER@|${SAMPAN_VM_FILTER:--trait vm=yes}|" tests/vm/guest-init.sh >"$root/init"
    chmod +x "$root/init"
    rm -f "$vm/root.ext4"
    # -E lazy…: the guest's life is too short for the kernel to lay out inode tables in the background.
    mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -d "$root" "$vm/root.ext4" 3G
    rm -rf "$root"
}

# :: 4 boot — and read what the guest says on its console
boot() {
    # Emulation works everywhere; nested virtualisation does not even where /dev/kvm is there.
    local accel=tcg,thread=multi
    [ "${SAMPAN_VM_ACCEL:-tcg}" = tcg ] || accel=$SAMPAN_VM_ACCEL
    timeout --foreground "${SAMPAN_VM_TIMEOUT:-600}" qemu-system-x86_64 -accel "$accel" -cpu max -smp 2 -m 2048 \
        -display none -nodefaults -no-reboot -serial stdio -monitor none \
        -kernel "$vm"/kernel/boot/vmlinuz-* -initrd "$vm/initramfs" \
        -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all" \
        -drive "file=$vm/root.ext4,format=raw,if=virtio,cache=unsafe" \
        </dev/null 2>&1 | sed -u 's/\r$//' | tee "$vm/console.log" || true
}

kernel && say "kernel $(cat "$vm/kernel/release")"
initramfs && say "initramfs"
root_image && say "root image"
boot
say "guest has ended"
status=$(sed -n 's/^vm: tests ended with status \([0-9]*\)$/\1/p' "$vm/console.log" | tail -n 1)
exit "${status:-1}"
