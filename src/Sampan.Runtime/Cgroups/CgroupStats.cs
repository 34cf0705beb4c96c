namespace Sampan.Runtime;

/// <summary>Input and output on one device: Operation is Read, Write, Sync, Async, Discard or Total.</summary>
public sealed record BlockIoEntry(ulong Major, ulong Minor, string Operation, ulong Value);

/// <summary>What a control group has used; times in nanoseconds, memory in bytes. Zero where the machine does not account for it.</summary>
public sealed record CgroupStats
{
    public ulong CpuUsage { get; init; }

    public ulong CpuUser { get; init; }

    public ulong CpuSystem { get; init; }

    /// <summary>By CPU; cgroup v1 only.</summary>
    public IReadOnlyList<ulong> CpuUsagePerCpu { get; init; } = [];

    /// <summary>How many quota periods there were, how many of them ended in throttling, and for how long.</summary>
    public ulong ThrottlingPeriods { get; init; }

    public ulong ThrottledPeriods { get; init; }

    public ulong ThrottledTime { get; init; }

    public ulong MemoryUsage { get; init; }

    /// <summary>The highest usage so far; 0 when the kernel does not keep it (cgroup v2 before Linux 5.19).</summary>
    public ulong MemoryMaxUsage { get; init; }

    /// <summary>The limit; <see cref="ulong.MaxValue"/> without one.</summary>
    public ulong MemoryLimit { get; init; }

    /// <summary>How often the limit was met.</summary>
    public ulong MemoryFailures { get; init; }

    /// <summary>memory.stat as the kernel has it.</summary>
    public IReadOnlyDictionary<string, ulong> Memory { get; init; } = new Dictionary<string, ulong>();

    public ulong Pids { get; init; }

    /// <summary>The limit; <see cref="ulong.MaxValue"/> without one.</summary>
    public ulong PidsLimit { get; init; }

    public IReadOnlyList<BlockIoEntry> IoBytes { get; init; } = [];

    public IReadOnlyList<BlockIoEntry> IoOperations { get; init; } = [];
}
