using Sampan.Api;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>Whether what a container is to be given of its host can be given, before anything is made of it. Errors are dockerd's.</summary>
internal static class RequestChecks
{
    /// <summary>The names that clients know this runtime by: Docker's, and containerd's for it.</summary>
    private static readonly string[] Runtimes = ["", UsualRuntime, "io.containerd.runc.v2", "sampan"];

    public const string UsualRuntime = "runc";

    /// <exception cref="EngineException">It cannot (InvalidParameter).</exception>
    public static void Host(HostConfig host)
    {
        Mode("PID mode", host.PidMode, "host");
        Mode("IPC mode", host.IpcMode, "host", "none", "private", "shareable");
        Require(host.UTSMode is "" or "host", $"invalid UTS mode: {host.UTSMode}");
        Require(host.CgroupnsMode is "" or "private" or "host", $"invalid cgroup namespace mode: {host.CgroupnsMode}");
        Require(host.UsernsMode is "" or "host", $"invalid USER mode: {host.UsernsMode}");
        Require(host.Isolation.ToLowerInvariant() is "" or "default", $"invalid isolation '{host.Isolation}': linux only supports 'default'");
        Require(Runtimes.Contains(host.Runtime ?? ""), $"unknown or invalid runtime name: {host.Runtime}");
        Require(host.StorageOpt is not { Count: > 0 }, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
        if (host.DeviceRequests is [var first, ..])
        {
            throw EngineException.Invalid($"could not select device driver \"{first.Driver}\" with capabilities: [{Groups(first.Capabilities)}]");
        }

        Require(host.BlkioWeight is 0 or (>= 10 and <= 1000), "range of blkio weight is from 10 to 1000");
        Require(host.OomScoreAdj is >= -1000 and <= 1000, $"invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]");
        Require(host.ShmSize >= 0, "SHM size can not be less than 0");
        Require(
            host is { CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0 } || CgroupFeatures.Current.CpuRealtime,
            "kernel does not support CPU real-time scheduler");
        foreach (var rule in host.DeviceCgroupRules ?? [])
        {
            HostDevices.RuleOf(rule);
        }

        SecurityOptions.Policy(SecurityOptions.Of(host).Seccomp ?? SecurityOptions.Builtin);
        _ = new LogSettings(host.LogConfig);
    }

    /// <summary>Takes out what is asked for and the kernel cannot do, as Docker does, and says so.</summary>
    public static List<string> Discard(HostConfig host)
    {
        var kernel = CgroupFeatures.Current;
        var warnings = new List<string>();
        Unless(kernel.Memory, host.Memory > 0, "memory limit capabilities", "Limitation", () => (host.Memory, host.MemorySwap) = (0, 0));
        Unless(kernel.MemoryReservation, host.MemoryReservation > 0, "memory soft limit capabilities", "Limitation", () => host.MemoryReservation = 0);
        Unless(kernel.Swappiness, host.MemorySwappiness >= 0, "memory swappiness capabilities", "Memory swappiness", () => host.MemorySwappiness = null);
        Unless(kernel.OomKillDisable, host.OomKillDisable == true, "OomKillDisable", "OomKillDisable", () => host.OomKillDisable = null);
        Unless(kernel.Pids, host.PidsLimit > 0, "PIDs limit capabilities", "PIDs limit", () => host.PidsLimit = null);
        Unless(kernel.CpuShares, host.CpuShares > 0, "CPU shares", "Shares", () => host.CpuShares = 0);
        Unless(kernel.Cpuset, host.CpusetCpus.Length + host.CpusetMems.Length > 0, "cpuset", "Cpuset", () => (host.CpusetCpus, host.CpusetMems) = ("", ""));
        Unless(kernel.BlkioWeight, host.BlkioWeight > 0, "Block I/O weight", "Weight", () => host.BlkioWeight = 0);
        Unless(kernel.BlkioWeight, host.BlkioWeightDevice is { Count: > 0 }, "Block I/O weight_device", "Weight-device", () => host.BlkioWeightDevice = null);
        return warnings;

        void Unless(bool can, bool asked, string what, string gone, Action discard)
        {
            if (asked && !can)
            {
                discard();
                warnings.Add($"Your kernel does not support {what} or the cgroup is not mounted. {gone} discarded.");
            }
        }
    }

    private static void Mode(string kind, string mode, params string[] known) => Require(
        mode.Length == 0 || known.Contains(mode) || EngineService.OtherContainer(mode) is { Length: > 0 },
        $"invalid {kind}: {mode}");

    private static string Groups(List<List<string>>? groups) => string.Join(' ', (groups ?? []).Select(group => $"[{string.Join(' ', group)}]"));

    private static void Require(bool isSo, string message)
    {
        if (!isSo)
        {
            throw EngineException.Invalid(message);
        }
    }
}
