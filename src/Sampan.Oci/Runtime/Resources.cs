using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Sampan.Oci;

/// <summary>cgroup limits (config-linux.md, Control groups).</summary>
public sealed record Resources
{
    public List<DeviceRule>? Devices { get; set; }

    public MemoryLimits? Memory { get; set; }

    public CpuLimits? Cpu { get; set; }

    public PidsLimit? Pids { get; set; }

    [JsonPropertyName("blockIO")]
    public BlockIo? BlockIo { get; set; }

    public List<HugepageLimit>? HugepageLimits { get; set; }

    public NetworkLimits? Network { get; set; }

    public Dictionary<string, RdmaLimits>? Rdma { get; set; }

    /// <summary>Files of cgroup v2 by name, written as they are.</summary>
    public Dictionary<string, string>? Unified { get; set; }
}

/// <summary>One rule of the device controller; absent numbers mean any.</summary>
public sealed record DeviceRule(bool Allow, string? Type = null, long? Major = null, long? Minor = null, string? Access = null);

/// <summary>Bytes; -1 is unlimited.</summary>
public sealed record MemoryLimits
{
    public long? Limit { get; set; }

    public long? Reservation { get; set; }

    /// <summary>Memory and swap together.</summary>
    public long? Swap { get; set; }

    public ulong? Swappiness { get; set; }

    public bool? DisableOOMKiller { get; set; }

    public long? Kernel { get; set; }

    [JsonPropertyName("kernelTCP")]
    public long? KernelTcp { get; set; }

    public bool? UseHierarchy { get; set; }

    public bool? CheckBeforeUpdate { get; set; }
}

/// <summary>Quota and period in microseconds.</summary>
public sealed record CpuLimits
{
    public ulong? Shares { get; set; }

    public long? Quota { get; set; }

    public ulong? Period { get; set; }

    public string? Cpus { get; set; }

    public string? Mems { get; set; }

    public ulong? Burst { get; set; }

    public ulong? RealtimePeriod { get; set; }

    public long? RealtimeRuntime { get; set; }

    public long? Idle { get; set; }
}

public sealed record PidsLimit(long Limit);

/// <summary>Block devices: weights 10 to 1000, rates in bytes or operations a second.</summary>
public sealed record BlockIo
{
    public ushort? Weight { get; set; }

    public ushort? LeafWeight { get; set; }

    public List<BlockIoWeight>? WeightDevice { get; set; }

    public List<BlockIoThrottle>? ThrottleReadBpsDevice { get; set; }

    public List<BlockIoThrottle>? ThrottleWriteBpsDevice { get; set; }

    [JsonPropertyName("throttleReadIOPSDevice")]
    public List<BlockIoThrottle>? ThrottleReadIopsDevice { get; set; }

    [JsonPropertyName("throttleWriteIOPSDevice")]
    public List<BlockIoThrottle>? ThrottleWriteIopsDevice { get; set; }
}

public sealed record BlockIoWeight(long Major, long Minor, ushort? Weight = null, ushort? LeafWeight = null);

public sealed record BlockIoThrottle(long Major, long Minor, ulong Rate = 0);

/// <summary>A limit in bytes for one size of huge pages.</summary>
public sealed partial record HugepageLimit
{
    /// <summary>As the kernel names it: a number and KB, MB or GB.</summary>
    /// <exception cref="JsonException">Anything else.</exception>
    public required string PageSize
    {
        get;
        set => field = Size().IsMatch(value) ? value : throw new JsonException($"hugepageLimits: \"{value}\" is not a page size like 2MB");
    }

    public required ulong Limit { get; set; }

    [GeneratedRegex("^[1-9][0-9]*[KMG]B$")]
    private static partial Regex Size();
}

/// <summary>net_cls and net_prio of cgroup v1.</summary>
public sealed record NetworkLimits
{
    [JsonPropertyName("classID")]
    public uint? ClassId { get; set; }

    public List<InterfacePriority>? Priorities { get; set; }
}

public sealed record InterfacePriority(string Name, uint Priority);

public sealed record RdmaLimits(uint? HcaHandles = null, uint? HcaObjects = null);
