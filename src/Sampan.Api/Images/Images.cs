using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>One item of <c>GET /images/json</c>.</summary>
public sealed class ImageSummary
{
    /// <summary>Containers that use it; -1 when not counted.</summary>
    public long Containers { get; set; } = -1;

    /// <summary>Seconds since 1970.</summary>
    public long Created { get; set; }

    public string Id { get; set; } = "";
    public Dictionary<string, string>? Labels { get; set; }
    public string ParentId { get; set; } = "";
    public List<string>? RepoDigests { get; set; } = [];
    public List<string>? RepoTags { get; set; } = [];

    /// <summary>Bytes shared with other images; -1 when not computed.</summary>
    public long SharedSize { get; set; } = -1;

    /// <summary>Bytes.</summary>
    public long Size { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OCIDescriptor? Descriptor { get; set; }
}

/// <summary>One item of <c>GET /images/{name}/history</c>, newest first.</summary>
public sealed class ImageHistoryItem
{
    public string Comment { get; set; } = "";

    /// <summary>Seconds since 1970.</summary>
    public long Created { get; set; }

    public string CreatedBy { get; set; } = "";

    /// <summary>An image's id or <c>&lt;missing&gt;</c>.</summary>
    public string Id { get; set; } = "<missing>";

    public long Size { get; set; }
    public List<string>? Tags { get; set; }
}

/// <summary>One thing that removing an image did.</summary>
public sealed class ImageDeleteItem
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Deleted { get; set; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Untagged { get; set; }
}

/// <summary>The answer to <c>POST /images/prune</c>.</summary>
public sealed class ImagesPruneResponse
{
    public List<ImageDeleteItem>? ImagesDeleted { get; set; }
    public long SpaceReclaimed { get; set; }
}

/// <summary>One item of <c>GET /images/search</c>.</summary>
public sealed class ImageSearchItem
{
    [JsonPropertyName("star_count")]
    public int StarCount { get; set; }

    [JsonPropertyName("is_official")]
    public bool IsOfficial { get; set; }

    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("is_automated")]
    public bool IsAutomated { get; set; }

    [JsonPropertyName("description")]
    public string Description { get; set; } = "";
}

/// <summary>The answer to <c>GET /distribution/{name}/json</c>.</summary>
public sealed class DistributionInspect
{
    public OCIDescriptor Descriptor { get; set; } = new();
    public List<OCIPlatform> Platforms { get; set; } = [];
}

/// <summary>The <c>aux</c> of a pushed tag.</summary>
public sealed class PushResult
{
    public string Tag { get; set; } = "";
    public string Digest { get; set; } = "";

    /// <summary>Bytes of the manifest.</summary>
    public long Size { get; set; }
}

/// <summary>OCI's descriptor as the API shows it.</summary>
public sealed class OCIDescriptor
{
    [JsonPropertyName("mediaType")]
    public string MediaType { get; set; } = "";

    [JsonPropertyName("digest")]
    public string Digest { get; set; } = "";

    [JsonPropertyName("size")]
    public long Size { get; set; }

    [JsonPropertyName("urls"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? Urls { get; set; }

    [JsonPropertyName("annotations"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string>? Annotations { get; set; }

    [JsonPropertyName("data"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Data { get; set; }

    [JsonPropertyName("platform"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OCIPlatform? Platform { get; set; }

    [JsonPropertyName("artifactType"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ArtifactType { get; set; }
}

/// <summary>OCI's platform as the API shows it.</summary>
public sealed class OCIPlatform
{
    [JsonPropertyName("architecture")]
    public string Architecture { get; set; } = "";

    [JsonPropertyName("os")]
    public string Os { get; set; } = "";

    [JsonPropertyName("os.version"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? OsVersion { get; set; }

    [JsonPropertyName("os.features"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? OsFeatures { get; set; }

    [JsonPropertyName("variant"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Variant { get; set; }
}
