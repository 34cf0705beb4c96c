using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>What a container gets when nothing is said: Docker's documented defaults.</summary>
public static class DockerDefaults
{
    /// <summary>Bytes of /dev/shm.</summary>
    public const long ShmSize = 64L << 20;

    public const string Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>The nodes that every container has (config-linux.md, Default Devices).</summary>
    public static IReadOnlyList<Device> Devices { get; } =
    [
        Node("/dev/null", 1, 3), Node("/dev/zero", 1, 5), Node("/dev/full", 1, 7), Node("/dev/random", 1, 8), Node("/dev/urandom", 1, 9),
        Node("/dev/tty", 5, 0),
    ];

    /// <summary>No device, but what <see cref="Runtime.DeviceRules"/> adds.</summary>
    public static List<DeviceRule> DeviceRules => [new DeviceRule(false, null, null, null, "rwm")];

    /// <summary>Every device, for a privileged container.</summary>
    public static List<DeviceRule> PrivilegedDeviceRules => [new DeviceRule(true, null, null, null, "rwm")];

    public static List<string> MaskedPaths =>
    [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
        "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ];

    public static List<string> ReadonlyPaths => ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    /// <summary>The mounts below the root, with /dev/shm of a size in bytes; a privileged container may write to /sys and its cgroup.</summary>
    public static List<Mount> Mounts(long shmSize = ShmSize, bool privileged = false)
    {
        List<string> readOnly = privileged ? [] : ["ro"];
        return
        [
            New("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            New("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            New("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            New("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", .. readOnly]),
            New("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", .. readOnly]),
            New("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
            New("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", $"size={shmSize}"]),
        ];
    }

    /// <summary>
    /// The sets for a user: all of them usable by root; for anybody else only what an execve may gain, as execve itself would leave it.
    /// </summary>
    public static Capabilities CapabilitiesFor(uint uid, IReadOnlyList<string> names) => uid == 0
        ? new Capabilities { Bounding = [.. names], Effective = [.. names], Permitted = [.. names] }
        : new Capabilities { Bounding = [.. names] };

    /// <summary>A whole spec for root and <c>sh</c>; what is asked for replaces its parts.</summary>
    public static Spec Spec() => new()
    {
        Process = new Process { Args = ["sh"], Env = [Path], Cwd = "/", Capabilities = CapabilitiesFor(0, CapabilityNames.Default), OomScoreAdj = 0 },
        Root = new Root(),
        Mounts = Mounts(),
        Linux = new LinuxSpec
        {
            Namespaces = [new("mount"), new("network"), new("uts"), new("pid"), new("ipc"), new("cgroup")],
            MaskedPaths = MaskedPaths,
            ReadonlyPaths = ReadonlyPaths,
            Resources = new Resources { Devices = DeviceRules },
            Seccomp = DefaultSeccomp.For(CapabilityNames.Default),
        },
    };

    private static Device Node(string path, long major, long minor) => new() { Path = path, Type = "c", Major = major, Minor = minor, FileMode = 0x1B6 };

    private static Mount New(string destination, string type, string source, List<string> options) =>
        new() { Destination = destination, Type = type, Source = source, Options = options };
}
