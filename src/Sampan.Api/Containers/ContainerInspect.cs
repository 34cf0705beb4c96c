using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>The answer to <c>GET /containers/{id}/json</c>, in the newest version's shape.</summary>
public sealed class ContainerInspect
{
    public string Id { get; set; } = "";

    /// <summary>RFC 3339, see <see cref="GoTime"/>.</summary>
    public string Created { get; set; } = "";

    public string Path { get; set; } = "";
    public List<string> Args { get; set; } = [];
    public ContainerState State { get; set; } = new();

    /// <summary>The image's id with its algorithm.</summary>
    public string Image { get; set; } = "";

    public string ResolvConfPath { get; set; } = "";
    public string HostnamePath { get; set; } = "";
    public string HostsPath { get; set; } = "";
    public string LogPath { get; set; } = "";

    /// <summary>With the leading slash.</summary>
    public string Name { get; set; } = "";

    public int RestartCount { get; set; }
    public string Driver { get; set; } = "";
    public string Platform { get; set; } = "linux";
    public string MountLabel { get; set; } = "";
    public string ProcessLabel { get; set; } = "";
    public string AppArmorProfile { get; set; } = "";
    public List<string>? ExecIDs { get; set; }
    public HostConfig HostConfig { get; set; } = new();

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public GraphDriver? GraphDriver { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Storage? Storage { get; set; }

    /// <summary>Bytes in the container's own layer; only when sizes were asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRw { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? SizeRootFs { get; set; }

    public List<MountPoint> Mounts { get; set; } = [];
    public ContainerConfig Config { get; set; } = new();
    public NetworkSettings NetworkSettings { get; set; } = new();

    /// <summary>Since 1.48.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OCIDescriptor? ImageManifestDescriptor { get; set; }
}

/// <summary>What a container does.</summary>
public sealed class ContainerState
{
    /// <summary><c>created</c>, <c>running</c>, <c>paused</c>, <c>restarting</c>, <c>removing</c>, <c>exited</c> or <c>dead</c>.</summary>
    public string Status { get; set; } = "created";

    public bool Running { get; set; }
    public bool Paused { get; set; }
    public bool Restarting { get; set; }
    public bool OOMKilled { get; set; }
    public bool Dead { get; set; }
    public int Pid { get; set; }
    public int ExitCode { get; set; }
    public string Error { get; set; } = "";
    public string StartedAt { get; set; } = GoTime.Zero;
    public string FinishedAt { get; set; } = GoTime.Zero;

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Health? Health { get; set; }
}

/// <summary>What the health checks found.</summary>
public sealed class Health
{
    public string Status { get; set; } = "";
    public int FailingStreak { get; set; }
    public List<HealthcheckResult> Log { get; set; } = [];
}

/// <summary>One health check.</summary>
public sealed class HealthcheckResult
{
    public string Start { get; set; } = "";
    public string End { get; set; } = "";
    public int ExitCode { get; set; }
    public string Output { get; set; } = "";
}

/// <summary>Where a root file system lies: the swagger's <c>DriverData</c>.</summary>
public sealed class GraphDriver
{
    public Dictionary<string, string>? Data { get; set; }
    public string Name { get; set; } = "";
}

/// <summary>Since 1.52: what holds a root file system, for stores that use snapshots.</summary>
public sealed class Storage
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RootFSStorage? RootFS { get; set; }
}

/// <summary>See <see cref="Storage"/>.</summary>
public sealed class RootFSStorage
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RootFSStorageSnapshot? Snapshot { get; set; }
}

/// <summary>See <see cref="Storage"/>.</summary>
public sealed class RootFSStorageSnapshot
{
    public string Name { get; set; } = "";
}
