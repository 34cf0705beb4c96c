using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A bundle's config.json (runtime-spec 1.3, config.md).</summary>
public sealed record Spec
{
    public string OciVersion { get; init; } = "1.2.0";

    public Process? Process { get; init; }

    public Root? Root { get; init; }

    public string? Hostname { get; init; }

    public string? Domainname { get; init; }

    public List<Mount>? Mounts { get; init; }

    public Dictionary<string, string>? Annotations { get; init; }

    public LinuxSpec? Linux { get; init; }
}

/// <summary>The container's root file system (config.md, Root).</summary>
public sealed record Root
{
    public string Path { get; init; } = "rootfs";

    public bool Readonly { get; init; }
}

/// <summary>What is executed (config.md, Process).</summary>
public sealed record Process
{
    public bool Terminal { get; init; }

    public ConsoleSize? ConsoleSize { get; init; }

    public User User { get; init; } = new();

    public List<string> Args { get; init; } = [];

    public List<string> Env { get; init; } = [];

    public string Cwd { get; init; } = "/";

    public Capabilities? Capabilities { get; init; }

    public List<Rlimit>? Rlimits { get; init; }

    public bool NoNewPrivileges { get; init; }

    public int? OomScoreAdj { get; init; }
}

public sealed record ConsoleSize(int Height, int Width);

public sealed record User
{
    public uint Uid { get; init; }

    public uint Gid { get; init; }

    public uint? Umask { get; init; }

    public List<uint>? AdditionalGids { get; init; }
}

/// <summary>The five capability sets, each of names like CAP_CHOWN (capabilities(7)).</summary>
public sealed record Capabilities
{
    public List<string> Bounding { get; init; } = [];

    public List<string> Effective { get; init; } = [];

    public List<string> Permitted { get; init; } = [];

    public List<string> Inheritable { get; init; } = [];

    public List<string> Ambient { get; init; } = [];
}

/// <summary>One resource limit, by its name RLIMIT_…</summary>
public sealed record Rlimit(string Type, ulong Hard, ulong Soft);

/// <summary>One mount (config.md, Mounts).</summary>
public sealed record Mount
{
    public required string Destination { get; init; }

    public string? Type { get; init; }

    public string? Source { get; init; }

    public List<string>? Options { get; init; }
}

/// <summary>The Linux part (config-linux.md).</summary>
public sealed record LinuxSpec
{
    public List<Namespace>? Namespaces { get; init; }

    public List<Device>? Devices { get; init; }

    public string? CgroupsPath { get; init; }

    public Resources? Resources { get; init; }

    public string? RootfsPropagation { get; init; }

    public Seccomp? Seccomp { get; init; }

    public Dictionary<string, string>? Sysctl { get; init; }

    public List<string>? MaskedPaths { get; init; }

    public List<string>? ReadonlyPaths { get; init; }
}

/// <summary>A namespace to make, or to join when it has a path. Types: pid, network, mount, ipc, uts, user, cgroup, time.</summary>
public sealed record Namespace(string Type, string? Path = null);

/// <summary>A device node to make. Types: c, u, b, p.</summary>
public sealed record Device
{
    public required string Path { get; init; }

    public required string Type { get; init; }

    public long Major { get; init; }

    public long Minor { get; init; }

    public uint? FileMode { get; init; }

    public uint? Uid { get; init; }

    public uint? Gid { get; init; }
}

/// <summary>cgroup limits (config-linux.md, Control groups).</summary>
public sealed record Resources
{
    public List<DeviceRule>? Devices { get; init; }

    public MemoryLimits? Memory { get; init; }

    public CpuLimits? Cpu { get; init; }

    public PidsLimit? Pids { get; init; }

    [JsonPropertyName("blockIO")]
    public BlockIo? BlockIo { get; init; }
}

/// <summary>One rule of the device controller; absent numbers mean any.</summary>
public sealed record DeviceRule(bool Allow, string? Type = null, long? Major = null, long? Minor = null, string? Access = null);

/// <summary>Bytes; -1 is unlimited.</summary>
public sealed record MemoryLimits
{
    public long? Limit { get; init; }

    public long? Reservation { get; init; }

    /// <summary>Memory and swap together.</summary>
    public long? Swap { get; init; }

    public ulong? Swappiness { get; init; }

    public bool? DisableOOMKiller { get; init; }
}

/// <summary>Quota and period in microseconds.</summary>
public sealed record CpuLimits
{
    public ulong? Shares { get; init; }

    public long? Quota { get; init; }

    public ulong? Period { get; init; }

    public string? Cpus { get; init; }

    public string? Mems { get; init; }
}

public sealed record PidsLimit(long Limit);

public sealed record BlockIo
{
    public ushort? Weight { get; init; }
}

/// <summary>A system call filter (config-linux.md, Seccomp).</summary>
public sealed record Seccomp
{
    public required string DefaultAction { get; init; }

    public uint? DefaultErrnoRet { get; init; }

    public List<string>? Architectures { get; init; }

    public List<string>? Flags { get; init; }

    public List<SeccompRule>? Syscalls { get; init; }
}

/// <summary>An action for some calls, when all argument conditions hold.</summary>
public sealed record SeccompRule
{
    public required List<string> Names { get; init; }

    public required string Action { get; init; }

    public uint? ErrnoRet { get; init; }

    public List<SeccompArgument>? Args { get; init; }
}

/// <summary>A condition on one argument; Op is SCMP_CMP_EQ, NE, LT, LE, GT, GE or MASKED_EQ.</summary>
public sealed record SeccompArgument(uint Index, ulong Value, ulong ValueTwo, string Op);

/// <summary>JSON of the runtime-spec.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Spec))]
[JsonSerializable(typeof(Process))]
public sealed partial class RuntimeJson : JsonSerializerContext;
