using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>What a container is given of its host: the swagger's <c>HostConfig</c>.</summary>
public sealed class HostConfig : Resources
{
    /// <summary><c>source:destination[:options]</c>; a source without a slash names a volume.</summary>
    public List<string>? Binds { get; set; }

    public string ContainerIDFile { get; set => field = value ?? ""; } = "";
    public LogConfig LogConfig { get; set => field = value ?? new(); } = new();

    /// <summary><c>bridge</c>, <c>host</c>, <c>none</c>, <c>container:NAME</c>, <c>default</c> or a network's name.</summary>
    public string NetworkMode { get; set => field = value ?? ""; } = "";

    /// <summary>Keys are <c>port/protocol</c>.</summary>
    public Dictionary<string, List<PortBinding>?>? PortBindings { get; set; }

    public RestartPolicy RestartPolicy { get; set => field = value ?? new(); } = new();
    public bool AutoRemove { get; set; }
    public string VolumeDriver { get; set => field = value ?? ""; } = "";
    public List<string>? VolumesFrom { get; set; }

    /// <summary>Height and width in characters.</summary>
    public List<int> ConsoleSize { get; set => field = value is { Count: 2 } ? value : [0, 0]; } = [0, 0];

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Annotations { get; set; }

    [JsonConverter(typeof(StringOrList))]
    public List<string>? CapAdd { get; set; }

    [JsonConverter(typeof(StringOrList))]
    public List<string>? CapDrop { get; set; }

    /// <summary><c>private</c>, <c>host</c> or empty for the daemon's default.</summary>
    public string CgroupnsMode { get; set => field = value ?? ""; } = "";

    public List<string>? Dns { get; set; }
    public List<string>? DnsOptions { get; set; }
    public List<string>? DnsSearch { get; set; }

    /// <summary><c>host:address</c>.</summary>
    public List<string>? ExtraHosts { get; set; }

    public List<string>? GroupAdd { get; set; }

    /// <summary><c>none</c>, <c>private</c>, <c>shareable</c>, <c>host</c>, <c>container:NAME</c> or empty.</summary>
    public string IpcMode { get; set => field = value ?? ""; } = "";

    public string Cgroup { get; set => field = value ?? ""; } = "";
    public List<string>? Links { get; set; }
    public int OomScoreAdj { get; set; }

    /// <summary><c>host</c>, <c>container:NAME</c> or empty.</summary>
    public string PidMode { get; set => field = value ?? ""; } = "";

    public bool Privileged { get; set; }
    public bool PublishAllPorts { get; set; }
    public bool ReadonlyRootfs { get; set; }
    public List<string>? SecurityOpt { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? StorageOpt { get; set; }

    /// <summary>Mount point to mount options.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Tmpfs { get; set; }

    public string UTSMode { get; set => field = value ?? ""; } = "";
    public string UsernsMode { get; set => field = value ?? ""; } = "";

    /// <summary>Bytes of /dev/shm; 0 is 64 MiB.</summary>
    public long ShmSize { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Sysctls { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Runtime { get; set; }

    public string Isolation { get; set => field = value ?? ""; } = "";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<Mount>? Mounts { get; set; }

    /// <summary>Null is Docker's default list, empty is none.</summary>
    public List<string>? MaskedPaths { get; set; }

    /// <summary>Null is Docker's default list, empty is none.</summary>
    public List<string>? ReadonlyPaths { get; set; }

    /// <summary>What this version does not know is kept and shown again.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>Cgroup limits and devices: the swagger's <c>Resources</c>. Memory in bytes, CPU periods in microseconds.</summary>
public class Resources
{
    public long CpuShares { get; set; }

    /// <summary>Bytes; 0 is no limit.</summary>
    public long Memory { get; set; }

    /// <summary>Billionths of a CPU.</summary>
    public long NanoCpus { get; set; }

    public string CgroupParent { get; set => field = value ?? ""; } = "";
    public int BlkioWeight { get; set; }
    public List<WeightDevice>? BlkioWeightDevice { get; set; }
    public List<ThrottleDevice>? BlkioDeviceReadBps { get; set; }
    public List<ThrottleDevice>? BlkioDeviceWriteBps { get; set; }
    public List<ThrottleDevice>? BlkioDeviceReadIOps { get; set; }
    public List<ThrottleDevice>? BlkioDeviceWriteIOps { get; set; }
    public long CpuPeriod { get; set; }
    public long CpuQuota { get; set; }
    public long CpuRealtimePeriod { get; set; }
    public long CpuRealtimeRuntime { get; set; }
    public string CpusetCpus { get; set => field = value ?? ""; } = "";
    public string CpusetMems { get; set => field = value ?? ""; } = "";
    public List<DeviceMapping>? Devices { get; set; }
    public List<string>? DeviceCgroupRules { get; set; }
    public List<DeviceRequest>? DeviceRequests { get; set; }
    public long MemoryReservation { get; set; }

    /// <summary>Memory and swap together in bytes; -1 is unlimited swap, 0 is twice the memory.</summary>
    public long MemorySwap { get; set; }

    public long? MemorySwappiness { get; set; }
    public bool? OomKillDisable { get; set; }

    /// <summary>Null, 0 and -1 are no limit.</summary>
    public long? PidsLimit { get; set; }

    public List<Ulimit>? Ulimits { get; set; }
    public long CpuCount { get; set; }
    public long CpuPercent { get; set; }
    public long IOMaximumIOps { get; set; }
    public long IOMaximumBandwidth { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Init { get; set; }
}

/// <summary>Where a container's output goes and how large that may become.</summary>
public sealed class LogConfig
{
    /// <summary>A log driver's name, <c>none</c>, or empty for the daemon's default.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    public Dictionary<string, string>? Config { get; set; }
}

/// <summary>When a container that ended starts again.</summary>
public sealed class RestartPolicy
{
    /// <summary><c>no</c>, <c>always</c>, <c>unless-stopped</c>, <c>on-failure</c> or empty.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    public int MaximumRetryCount { get; set; }
}

/// <summary>One address of the host a container's port is reached at.</summary>
public sealed class PortBinding
{
    public string HostIp { get; set => field = value ?? ""; } = "";
    public string HostPort { get; set => field = value ?? ""; } = "";
}

/// <summary>A relative weight of one block device.</summary>
public sealed class WeightDevice
{
    public string Path { get; set; } = "";
    public int Weight { get; set; }
}

/// <summary>A limit of one block device, bytes or operations per second.</summary>
public sealed class ThrottleDevice
{
    public string Path { get; set; } = "";
    public long Rate { get; set; }
}

/// <summary>A device of the host inside a container.</summary>
public sealed class DeviceMapping
{
    public string PathOnHost { get; set; } = "";
    public string PathInContainer { get; set; } = "";

    /// <summary>Of <c>r</c>, <c>w</c> and <c>m</c>.</summary>
    public string CgroupPermissions { get; set; } = "";
}

/// <summary>A request to a device driver (GPUs, CDI).</summary>
public sealed class DeviceRequest
{
    public string Driver { get; set => field = value ?? ""; } = "";
    public int Count { get; set; }
    public List<string>? DeviceIDs { get; set; }
    public List<List<string>>? Capabilities { get; set; }
    public Dictionary<string, string>? Options { get; set; }
}
