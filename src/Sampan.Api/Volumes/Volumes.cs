using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>A volume.</summary>
public sealed class Volume
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? CreatedAt { get; set; }

    public string Driver { get; set; } = "local";
    public Dictionary<string, string>? Labels { get; set; }
    public string Mountpoint { get; set; } = "";
    public string Name { get; set; } = "";
    public Dictionary<string, string>? Options { get; set; }
    public string Scope { get; set; } = "local";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Status { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public VolumeUsageData? UsageData { get; set; }
}

/// <summary>Use of a volume, shown by <c>/system/df</c>; -1 is unknown.</summary>
public sealed class VolumeUsageData
{
    public long RefCount { get; set; } = -1;
    public long Size { get; set; } = -1;
}

/// <summary>The body of <c>POST /volumes/create</c>.</summary>
public sealed class VolumeCreateRequest
{
    public string Name { get; set => field = value ?? ""; } = "";
    public string Driver { get; set => field = value ?? ""; } = "";
    public Dictionary<string, string>? DriverOpts { get; set; }
    public Dictionary<string, string>? Labels { get; set; }
}

/// <summary>The answer to <c>GET /volumes</c>.</summary>
public sealed class VolumeListResponse
{
    public List<Volume> Volumes { get; set; } = [];
    public List<string>? Warnings { get; set; }
}

/// <summary>The answer to <c>POST /volumes/prune</c>.</summary>
public sealed class VolumesPruneResponse
{
    public List<string>? VolumesDeleted { get; set; }
    public long SpaceReclaimed { get; set; }
}
