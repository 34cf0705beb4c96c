using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A bundle's config.json (runtime-spec 1.3, config.md).</summary>
public sealed record Spec
{
    public string OciVersion { get; set; } = "1.3.0";

    public Process? Process { get; set; }

    public Root? Root { get; set; }

    public string? Hostname { get; set; }

    public string? Domainname { get; set; }

    public List<Mount>? Mounts { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public Hooks? Hooks { get; set; }

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

    public string? ApparmorProfile { get; set; }

    public string? SelinuxLabel { get; set; }

    public IoPriority? IoPriority { get; set; }

    public Scheduler? Scheduler { get; set; }

    [JsonPropertyName("execCPUAffinity")]
    public CpuAffinity? ExecCpuAffinity { get; set; }
}

/// <summary>ioprio_set(2): Class is IOPRIO_CLASS_RT, BE or IDLE.</summary>
public sealed record IoPriority(string Class, int Priority = 0);

/// <summary>sched_setattr(2): Policy is SCHED_OTHER, FIFO, …; times in nanoseconds.</summary>
public sealed record Scheduler
{
    public required string Policy { get; set; }

    public int? Nice { get; set; }

    public int? Priority { get; set; }

    public List<string>? Flags { get; set; }

    public ulong? Runtime { get; set; }

    public ulong? Deadline { get; set; }

    public ulong? Period { get; set; }
}

/// <summary>CPU lists like "0-3,7" for an exec, before and after it has joined the container's cgroup.</summary>
public sealed record CpuAffinity(string? Initial = null, string? Final = null);

public sealed record ConsoleSize(int Height, int Width);

public sealed record User
{
    public uint Uid { get; set; }

    public uint Gid { get; set; }

    public uint? Umask { get; set; }

    public List<uint>? AdditionalGids { get; set; }

    public string? Username { get; set; }
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

    public List<IdMapping>? UidMappings { get; set; }

    public List<IdMapping>? GidMappings { get; set; }
}

/// <summary>A run of ids of a user namespace or an id-mapped mount.</summary>
public sealed record IdMapping
{
    [JsonPropertyName("containerID")]
    public required uint ContainerId { get; set; }

    [JsonPropertyName("hostID")]
    public required uint HostId { get; set; }

    public required uint Size { get; set; }
}

/// <summary>Programs to run at the points of a container's life (config.md, POSIX-platform Hooks).</summary>
public sealed record Hooks
{
    public List<Hook>? Prestart { get; set; }

    public List<Hook>? CreateRuntime { get; set; }

    public List<Hook>? CreateContainer { get; set; }

    public List<Hook>? StartContainer { get; set; }

    public List<Hook>? Poststart { get; set; }

    public List<Hook>? Poststop { get; set; }
}

/// <summary>One program; Timeout in seconds.</summary>
public sealed record Hook
{
    public required string Path { get; set; }

    public List<string>? Args { get; set; }

    public List<string>? Env { get; set; }

    public int? Timeout { get; set; }
}
