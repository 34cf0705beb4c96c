namespace Sampan.Runtime;

/// <summary>What the machine's cgroups can limit, as <c>info</c> tells it and as requests are checked against it.</summary>
public sealed record CgroupFeatures
{
    public bool Memory { get; init; }

    public bool Swap { get; init; }

    public bool MemoryReservation { get; init; }

    public bool OomKillDisable { get; init; }

    public bool Swappiness { get; init; }

    public bool CpuShares { get; init; }

    public bool CpuQuota { get; init; }

    /// <summary>Time for real-time processes can be set; Linux is seldom built so.</summary>
    public bool CpuRealtime { get; init; }

    public bool Cpuset { get; init; }

    public bool Pids { get; init; }

    public bool BlkioWeight { get; init; }

    public bool Devices { get; init; }

    public bool Freezer { get; init; }

    /// <summary>The machine's features, found once.</summary>
    public static CgroupFeatures Current { get; } = CgroupLayout.Current.IsV2 ? V2(CgroupLayout.Current) : V1(CgroupLayout.Current);

    internal static CgroupFeatures V1(CgroupLayout layout)
    {
        bool Has(string controller, string file) => layout.Root(controller) is { } root && File.Exists(Path.Combine(root, file));
        return new CgroupFeatures
        {
            Memory = Has("memory", "memory.limit_in_bytes"),
            Swap = Has("memory", "memory.memsw.limit_in_bytes"),
            MemoryReservation = Has("memory", "memory.soft_limit_in_bytes"),
            OomKillDisable = Has("memory", "memory.oom_control"),
            Swappiness = Has("memory", "memory.swappiness"),
            CpuShares = Has("cpu", "cpu.shares"),
            CpuQuota = Has("cpu", "cpu.cfs_quota_us"),
            CpuRealtime = Has("cpu", "cpu.rt_runtime_us"),
            Cpuset = Has("cpuset", "cpuset.cpus"),
            Pids = layout.Root("pids") is not null, // pids.max is not in the root group
            BlkioWeight = Has("blkio", "blkio.weight") || Has("blkio", "blkio.bfq.weight"),
            Devices = Has("devices", "devices.allow"),
            Freezer = layout.Root("freezer") is not null,
        };
    }

    internal static CgroupFeatures V2(CgroupLayout layout)
    {
        var controllers = File.ReadAllText(Path.Combine(layout.Root("")!, "cgroup.controllers")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        bool memory = controllers.Contains("memory"), cpu = controllers.Contains("cpu");
        return new CgroupFeatures
        {
            Memory = memory,
            Swap = memory && File.Exists("/proc/swaps"),
            MemoryReservation = memory,
            CpuShares = cpu,
            CpuQuota = cpu,
            Cpuset = controllers.Contains("cpuset"),
            Pids = controllers.Contains("pids"),
            BlkioWeight = controllers.Contains("io"),
            Devices = true,
            Freezer = true,
        };
    }
}
