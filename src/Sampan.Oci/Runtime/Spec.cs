using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A bundle's config.json (runtime-spec 1.3, config.md).</summary>
public sealed record Spec
{
    public string OciVersion { get; set; } = "1.2.0";

    public Process? Process { get; set; }

    public Root? Root { get; set; }

    public string? Hostname { get; set; }

    public string? Domainname { get; set; }

    public List<Mount>? Mounts { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public LinuxSpec? Linux { get; set; }
}

/// <summary>The container's root file system (config.md, Root).</summary>
public sealed record Root
{
    public string Path { get; set; } = "rootfs";

    public bool Readonly { get; set; }
}

/// <summary>What is executed (config.md, Process).</summary>
public sealed record Process
{
    public bool Terminal { get; set; }

    public ConsoleSize? ConsoleSize { get; set; }

    public User User { get; set; } = new();

    public List<string> Args { get; set; } = [];

    public List<string> Env { get; set; } = [];

    public string Cwd { get; set; } = "/";

    public Capabilities? Capabilities { get; set; }

    public List<Rlimit>? Rlimits { get; set; }

    public bool NoNewPrivileges { get; set; }

    public int? OomScoreAdj { get; set; }
}

public sealed record ConsoleSize(int Height, int Width);

public sealed record User
{
    public uint Uid { get; set; }

    public uint Gid { get; set; }

    public uint? Umask { get; set; }

    public List<uint>? AdditionalGids { get; set; }
}

/// <summary>The five capability sets, each of names like CAP_CHOWN (capabilities(7)).</summary>
public sealed record Capabilities
{
    public List<string> Bounding { get; set; } = [];

    public List<string> Effective { get; set; } = [];

    public List<string> Permitted { get; set; } = [];

    public List<string> Inheritable { get; set; } = [];

    public List<string> Ambient { get; set; } = [];
}

/// <summary>One resource limit, by its name RLIMIT_…</summary>
public sealed record Rlimit(string Type, ulong Hard, ulong Soft);

/// <summary>One mount (config.md, Mounts).</summary>
public sealed record Mount
{
    public required string Destination { get; init; }

    public string? Type { get; set; }

    public string? Source { get; set; }

    public List<string>? Options { get; set; }
}

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
}

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

/// <summary>cgroup limits (config-linux.md, Control groups).</summary>
public sealed record Resources
{
    public List<DeviceRule>? Devices { get; set; }

    public MemoryLimits? Memory { get; set; }

    public CpuLimits? Cpu { get; set; }

    public PidsLimit? Pids { get; set; }

    [JsonPropertyName("blockIO")]
    public BlockIo? BlockIo { get; set; }
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
}

/// <summary>Quota and period in microseconds.</summary>
public sealed record CpuLimits
{
    public ulong? Shares { get; set; }

    public long? Quota { get; set; }

    public ulong? Period { get; set; }

    public string? Cpus { get; set; }

    public string? Mems { get; set; }
}

public sealed record PidsLimit(long Limit);

public sealed record BlockIo
{
    public ushort? Weight { get; set; }
}

/// <summary>A system call filter (config-linux.md, Seccomp).</summary>
public sealed record Seccomp
{
    public required string DefaultAction { get; init; }

    public uint? DefaultErrnoRet { get; set; }

    public List<string>? Architectures { get; set; }

    public List<string>? Flags { get; set; }

    public List<SeccompRule>? Syscalls { get; set; }
}

/// <summary>An action for some calls, when all argument conditions hold.</summary>
public sealed record SeccompRule
{
    public required List<string> Names { get; init; }

    public required string Action { get; init; }

    public uint? ErrnoRet { get; set; }

    public List<SeccompArgument>? Args { get; set; }
}

/// <summary>A condition on one argument; Op is SCMP_CMP_EQ, NE, LT, LE, GT, GE or MASKED_EQ.</summary>
public sealed record SeccompArgument(uint Index, ulong Value, ulong ValueTwo, string Op);

/// <summary>JSON of the runtime-spec.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Spec))]
[JsonSerializable(typeof(Process))]
public sealed partial class RuntimeJson : JsonSerializerContext;
