#!/usr/bin/env bash
# Unpacks Debian 13's docker-buildx and docker-compose (Debian 12 has no buildx) into out/buildx, a folder of settings for docker with both as
# plugins, and prints it.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/out/buildx
if [ ! -e "$out/cli-plugins/docker-buildx" ]; then
    rm -rf "$out"
    mkdir -p "$out/lists/partial" "$out/cache" "$out/root" "$out/cli-plugins.new"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | sed -n 1p)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$out/sources.list"
    # Lists of their own: the machine's are those of its own release.
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$out/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$out/lists"
        -o "Dir::Cache=$out/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
    "${apt[@]}" update >/dev/null
    (cd "$out/root" && "${apt[@]}" download docker-buildx docker-compose >/dev/null)
    for package in "$out"/root/*.deb; do
        dpkg-deb --extract "$package" "$out/root"
    done
    mv "$out"/root/usr/libexec/docker/cli-plugins/* "$out/cli-plugins.new/"
    rm -rf "$out/root" "$out/lists" "$out/cache" "$out/sources.list"
    mv "$out/cli-plugins.new" "$out/cli-plugins"
fi
echo "$out"
