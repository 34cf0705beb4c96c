#!/bin/sh
# The guest's first process: makes a usual machine with cgroup v2 alone, runs the tests, says how they ended, and powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=xterm
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo 2 >/proc/sys/kernel/printk
hostname guest
ip link set lo up
echo nameserver 192.0.2.53 >/etc/resolv.conf

# Everything that a daemon writes goes to a disk and not to memory, as overlayfs and users expect.
mkdir -p /disk && export TMPDIR=/disk
export DOTNET_ROOT=/test/dotnet DOTNET_TieredPGO=0 DOTNET_CLI_TELEMETRY_OPTOUT=1
export SAMPAN_TEST_ROOT=/test SAMPAN_BIN=/test/sampan SAMPAN_TEST_DOCKER=/test/docker SAMPAN_TEST_BUSYBOX=/test/busybox.tar
export SAMPAN_TEST_REFERENCE=@REFERENCE@ SAMPAN_TEST_PATIENCE=10
[ "$SAMPAN_TEST_REFERENCE" = dockerd ] && export SAMPAN_TEST_DAEMON_OPTIONS='--iptables=false --ip-masq=false'
echo "vm: Linux $(uname -r), $(cat /sys/fs/cgroup/cgroup.controllers)"
/test/suite/Sampan.Tests.Integration @FILTER@ -noColor -maxThreads 4
echo "vm: tests ended with status $?"
sync
echo o >/proc/sysrq-trigger
sleep 10
