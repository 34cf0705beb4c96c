#!/usr/bin/env bash
# Makes the base images' root file systems from Debian's packages, each once, and prints their paths:
#   busybox   out/base/busybox.tar   Debian's static busybox as a whole small system
#   debian    out/base/debian.tar    a minimal Debian bookworm, made by mmdebstrap
# Usage: scripts/base-images.sh busybox|debian …
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/base
mkdir -p "$out"
# Layers should be the same bytes on every machine and day, so that caches and digests agree.
stamp='2024-01-01 00:00:00Z'

make_busybox() {
    [ -s "$out/busybox.tar" ] && return
    scripts/deps.sh busybox-static tar
    local root
    root=$(mktemp -d "$out/busybox.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/{bin,dev,etc,home,proc,root,run,sys,usr/bin,usr/sbin,var/log,var/spool/mail,var/www}
    install -d -m 1777 "$root/tmp" "$root/var/tmp"
    chmod 755 "$root"
    chmod 700 "$root/root"
    ln -s bin "$root/sbin"
    local busybox
    busybox=$(command -v busybox)
    install -m 755 "$busybox" "$root/bin/busybox"
    # Hard links would do as well; symbolic ones keep the archive readable and the applets out of the size of the layer.
    "$busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    ln -s ../../bin/env "$root/usr/bin/env"
    cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
PASSWD
    cat >"$root/etc/group" <<'GROUP'
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
www-data:x:33:
users:x:100:
nogroup:x:65534:
GROUP
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
    printf 'root:*:::::::\n' >"$root/etc/shadow"
    chmod 640 "$root/etc/shadow"
    tar --create --file "$out/busybox.tar.new" --directory "$root" --sort=name --numeric-owner --owner=0 --group=0 --mtime="$stamp" .
    mv "$out/busybox.tar.new" "$out/busybox.tar"
    rm -rf "$root"
    trap - EXIT
}

make_debian() {
    [ -s "$out/debian.tar" ] && return
    scripts/deps.sh mmdebstrap
    # The machine's own sources and keys: where it got its packages, the image gets its own.
    SOURCE_DATE_EPOCH=$(date -d "$stamp" +%s) mmdebstrap --quiet --variant=minbase \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*' \
        bookworm "$out/debian.tar.new.tar"
    mv "$out/debian.tar.new.tar" "$out/debian.tar"
}

for name in "$@"; do
    case $name in
        busybox | debian) "make_$name"; echo "$out/$name.tar" ;;
        *) echo "$0: unknown base '$name' (busybox, debian)" >&2; exit 2 ;;
    esac
done
