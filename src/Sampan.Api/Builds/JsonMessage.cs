using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>One line of a progress stream (build, pull, push, load, import): the swagger's <c>BuildInfo</c> and <c>CreateImageInfo</c>.</summary>
public sealed class JsonMessage
{
    [JsonPropertyName("stream"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; set; }

    [JsonPropertyName("status"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; set; }

    [JsonPropertyName("progressDetail"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ProgressDetail? ProgressDetail { get; set; }

    /// <summary>The same for people; only old clients read it.</summary>
    [JsonPropertyName("progress"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Progress { get; set; }

    [JsonPropertyName("id"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; set; }

    [JsonPropertyName("aux"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Aux { get; set; }

    [JsonPropertyName("errorDetail"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorDetail? ErrorDetail { get; set; }

    [JsonPropertyName("error"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; set; }

    /// <summary>A line that ends a stream with an error; <paramref name="code"/> is a command's exit status, or 0.</summary>
    public static JsonMessage OfError(string message, int code = 0) =>
        new() { ErrorDetail = new ErrorDetail { Code = code, Message = message }, Error = message };

    /// <summary>The line by which a build tells its image: <c>{"aux":{"ID":"sha256:…"}}</c>.</summary>
    public static JsonMessage OfImageId(string id) =>
        new() { Aux = JsonSerializer.SerializeToElement(new ImageID { ID = id }, ApiJson.Wire.ImageID) };
}

/// <summary>How far an item is.</summary>
public sealed class ProgressDetail
{
    [JsonPropertyName("current"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Current { get; set; }

    [JsonPropertyName("total"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Total { get; set; }
}

/// <summary>An error within a progress stream.</summary>
public sealed class ErrorDetail
{
    [JsonPropertyName("code"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Code { get; set; }

    [JsonPropertyName("message")]
    public string Message { get; set; } = "";
}

/// <summary>The <c>aux</c> of a finished build.</summary>
public sealed class ImageID
{
    public string ID { get; set; } = "";
}

/// <summary>The <c>aux</c> of a build whose client wants its cache (<c>--cache-to type=local</c>): the image that holds it.</summary>
public sealed class BuildCacheImage
{
    public string CacheID { get; set; } = "";
}

/// <summary>One record of the build cache.</summary>
public sealed class BuildCache
{
    public string ID { get; set; } = "";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<string>? Parents { get; set; }

    public string Type { get; set; } = "regular";
    public string Description { get; set; } = "";
    public bool InUse { get; set; }
    public bool Shared { get; set; }
    public long Size { get; set; }
    public string CreatedAt { get; set; } = GoTime.Zero;
    public string? LastUsedAt { get; set; }
    public int UsageCount { get; set; }
}

/// <summary>The answer to <c>POST /build/prune</c>.</summary>
public sealed class BuildPruneResponse
{
    public List<string>? CachesDeleted { get; set; }
    public long SpaceReclaimed { get; set; }
}
