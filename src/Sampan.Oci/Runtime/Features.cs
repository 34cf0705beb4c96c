using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>What a runtime can do (features.md). Absent means unknown, an empty list none.</summary>
public sealed record Features
{
    public required string OciVersionMin { get; set; }

    public required string OciVersionMax { get; set; }

    public List<string>? Hooks { get; set; }

    public List<string>? MountOptions { get; set; }

    public LinuxFeatures? Linux { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public List<string>? PotentiallyUnsafeConfigAnnotations { get; set; }
}

/// <summary>features-linux.md.</summary>
public sealed record LinuxFeatures
{
    public List<string>? Namespaces { get; set; }

    public List<string>? Capabilities { get; set; }

    public CgroupSupport? Cgroup { get; set; }

    public SeccompSupport? Seccomp { get; set; }

    public Support? Apparmor { get; set; }

    public Support? Selinux { get; set; }

    public Support? IntelRdt { get; set; }

    public MountExtensions? MountExtensions { get; set; }

    public Support? NetDevices { get; set; }
}

public sealed record Support(bool? Enabled = null);

public sealed record CgroupSupport(bool? V1 = null, bool? V2 = null, bool? Systemd = null, bool? SystemdUser = null, bool? Rdma = null);

public sealed record SeccompSupport
{
    public bool? Enabled { get; set; }

    public List<string>? Actions { get; set; }

    public List<string>? Operators { get; set; }

    public List<string>? Archs { get; set; }

    public List<string>? KnownFlags { get; set; }

    public List<string>? SupportedFlags { get; set; }
}

public sealed record MountExtensions([property: JsonPropertyName("idmap")] Support? IdMap = null);
