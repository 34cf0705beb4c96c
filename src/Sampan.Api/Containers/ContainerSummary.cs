using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>One item of <c>GET /containers/json</c>.</summary>
public sealed class ContainerSummary
{
    public string Id { get; set; } = "";

    /// <summary>With the leading slash.</summary>
    public List<string> Names { get; set; } = [];

    public string Image { get; set; } = "";
    public string ImageID { get; set; } = "";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OCIDescriptor? ImageManifestDescriptor { get; set; }

    public string Command { get; set; } = "";

    /// <summary>Seconds since 1970.</summary>
    public long Created { get; set; }

    public List<PortSummary> Ports { get; set; } = [];

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long SizeRw { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long SizeRootFs { get; set; }

    public Dictionary<string, string> Labels { get; set; } = [];
    public string State { get; set; } = "";

    /// <summary>For people: <c>Up 3 minutes</c>, <c>Exited (0) 2 hours ago</c>.</summary>
    public string Status { get; set; } = "";

    public ContainerSummaryHostConfig HostConfig { get; set; } = new();
    public ContainerSummaryNetworkSettings NetworkSettings { get; set; } = new();
    public List<MountPoint> Mounts { get; set; } = [];

    /// <summary>Since 1.52.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ContainerSummaryHealth? Health { get; set; }
}

/// <summary>A port of a container, published when <see cref="PublicPort"/> is not 0.</summary>
public sealed class PortSummary
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? IP { get; set; }

    public int PrivatePort { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int PublicPort { get; set; }

    /// <summary><c>tcp</c>, <c>udp</c> or <c>sctp</c>.</summary>
    public string Type { get; set; } = "tcp";
}

/// <summary>What a list shows of the host configuration.</summary>
public sealed class ContainerSummaryHostConfig
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? NetworkMode { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Annotations { get; set; }
}

/// <summary>What a list shows of the networks.</summary>
public sealed class ContainerSummaryNetworkSettings
{
    public Dictionary<string, EndpointSettings> Networks { get; set; } = [];
}

/// <summary>What a list shows of the health.</summary>
public sealed class ContainerSummaryHealth
{
    public string Status { get; set; } = "none";
    public int FailingStreak { get; set; }
}

/// <summary>The answer to <c>POST /containers/{id}/wait</c>.</summary>
public sealed class WaitResponse
{
    public long StatusCode { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WaitExitError? Error { get; set; }
}

/// <summary>Why waiting failed.</summary>
public sealed class WaitExitError
{
    public string Message { get; set; } = "";
}

/// <summary>The answer to <c>GET /containers/{id}/top</c>.</summary>
public sealed class TopResponse
{
    public List<List<string>> Processes { get; set; } = [];
    public List<string> Titles { get; set; } = [];
}

/// <summary>A path a container changed.</summary>
public sealed class FilesystemChange
{
    /// <summary>0 modified, 1 added, 2 deleted.</summary>
    public int Kind { get; set; }

    public string Path { get; set; } = "";
}

/// <summary>What <c>/containers/{id}/archive</c> says about a path, as base64 of JSON in <c>X-Docker-Container-Path-Stat</c>.</summary>
public sealed class ContainerPathStat
{
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("size")]
    public long Size { get; set; }

    /// <summary>Go's os.FileMode (the type bits are Go's, not the kernel's).</summary>
    [JsonPropertyName("mode")]
    public uint Mode { get; set; }

    [JsonPropertyName("mtime")]
    public string Mtime { get; set; } = GoTime.Zero;

    [JsonPropertyName("linkTarget")]
    public string LinkTarget { get; set; } = "";
}

/// <summary>The answer to <c>POST /containers/prune</c>.</summary>
public sealed class ContainersPruneResponse
{
    public List<string>? ContainersDeleted { get; set; }
    public long SpaceReclaimed { get; set; }
}
