using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>The Linux part (config-linux.md).</summary>
public sealed record LinuxSpec
{
    public List<Namespace>? Namespaces { get; set; }

    public List<Device>? Devices { get; set; }

    public string? CgroupsPath { get; set; }

    public Resources? Resources { get; set; }

    public string? RootfsPropagation { get; set; }

    public Seccomp? Seccomp { get; set; }

    public Dictionary<string, string>? Sysctl { get; set; }

    public List<string>? MaskedPaths { get; set; }

    public List<string>? ReadonlyPaths { get; set; }

    public List<IdMapping>? UidMappings { get; set; }

    public List<IdMapping>? GidMappings { get; set; }

    /// <summary>Interfaces of the host to move into the container, by name.</summary>
    public Dictionary<string, NetDevice>? NetDevices { get; set; }

    public string? MountLabel { get; set; }

    public IntelRdt? IntelRdt { get; set; }

    public MemoryPolicy? MemoryPolicy { get; set; }

    public Personality? Personality { get; set; }

    /// <summary>By clock: boottime, monotonic.</summary>
    public Dictionary<string, TimeOffset>? TimeOffsets { get; set; }
}

/// <summary>The name of an interface inside the container.</summary>
public sealed record NetDevice(string? Name = null);

/// <summary>Intel's cache and memory bandwidth allocation (config-linux.md, IntelRdt).</summary>
public sealed record IntelRdt
{
    [JsonPropertyName("closID")]
    public string? ClosId { get; set; }

    public List<string>? Schemata { get; set; }

    public string? L3CacheSchema { get; set; }

    public string? MemBwSchema { get; set; }

    public bool? EnableMonitoring { get; set; }
}

/// <summary>set_mempolicy(2).</summary>
public sealed record MemoryPolicy(string? Mode = null, string? Nodes = null, List<string>? Flags = null);

/// <summary>personality(2): Domain is LINUX or LINUX32.</summary>
public sealed record Personality(string? Domain = null, List<string>? Flags = null);

/// <summary>What a clock of a time namespace is ahead.</summary>
public sealed record TimeOffset(long Secs = 0, uint Nanosecs = 0);

/// <summary>A namespace to make, or to join when it has a path. Types: pid, network, mount, ipc, uts, user, cgroup, time.</summary>
public sealed record Namespace(string Type, string? Path = null);

/// <summary>A device node to make. Types: c, u, b, p.</summary>
public sealed record Device
{
    public required string Path { get; init; }

    public required string Type { get; init; }

    public long Major { get; set; }

    public long Minor { get; set; }

    public uint? FileMode { get; set; }

    public uint? Uid { get; set; }

    public uint? Gid { get; set; }
}
