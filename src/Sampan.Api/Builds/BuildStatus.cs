using System.Text.Json.Serialization;

namespace Sampan.Api;

/// <summary>
/// What has happened in a build since the last one, in the shape of BuildKit's <c>--progress=rawjson</c> (SolveStatus). Lists that say nothing
/// are absent.
/// </summary>
public sealed class BuildStatus
{
    /// <summary>The <c>id</c> of the lines whose <c>aux</c> is a status.</summary>
    public const string MessageId = "sampan.build.status";

    [JsonPropertyName("vertexes"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<BuildVertex>? Vertexes { get; set; }

    [JsonPropertyName("statuses"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<BuildVertexStatus>? Statuses { get; set; }

    [JsonPropertyName("logs"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<BuildVertexLog>? Logs { get; set; }

    [JsonPropertyName("warnings"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public List<BuildVertexWarning>? Warnings { get; set; }
}

/// <summary>A step. Times are RFC 3339.</summary>
public sealed class BuildVertex
{
    /// <summary>Tells the steps of one build apart.</summary>
    [JsonPropertyName("digest")]
    public string Digest { get; set; } = "";

    /// <summary>The stage, the step's number and the instruction: <c>[tools 3/9] RUN make</c>.</summary>
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("started"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Started { get; set; }

    /// <summary>Null while the step is at work.</summary>
    [JsonPropertyName("completed"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Completed { get; set; }

    [JsonPropertyName("cached"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Cached { get; set; }

    [JsonPropertyName("error"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; set; }

    /// <summary>The Dockerfile's lines around a step that failed (Sampan's own).</summary>
    [JsonPropertyName("excerpt"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Excerpt { get; set; }
}

/// <summary>How far a step is with something large.</summary>
public sealed class BuildVertexStatus
{
    [JsonPropertyName("id")]
    public string Id { get; set; } = "";

    [JsonPropertyName("vertex")]
    public string Vertex { get; set; } = "";

    /// <summary>Bytes.</summary>
    [JsonPropertyName("current"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Current { get; set; }

    /// <summary>Bytes; 0 when nobody knows.</summary>
    [JsonPropertyName("total"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Total { get; set; }

    [JsonPropertyName("timestamp")]
    public string Timestamp { get; set; } = "";

    /// <summary>It is done, also where nobody knows how much there was.</summary>
    [JsonIgnore]
    public bool IsDone { get; set; }
}

/// <summary>What a command wrote.</summary>
public sealed class BuildVertexLog
{
    [JsonPropertyName("vertex")]
    public string Vertex { get; set; } = "";

    /// <summary>1 stdout, 2 stderr.</summary>
    [JsonPropertyName("stream")]
    public int Stream { get; set; }

    [JsonPropertyName("data")]
    public byte[] Data { get; set; } = [];

    [JsonPropertyName("timestamp")]
    public string Timestamp { get; set; } = "";
}

/// <summary>Something that works but is probably not meant.</summary>
public sealed class BuildVertexWarning
{
    /// <summary>The step that it is shown with.</summary>
    [JsonIgnore]
    public string Vertex { get; set; } = "";

    [JsonPropertyName("short")]
    public byte[] Short { get; set; } = [];
}
