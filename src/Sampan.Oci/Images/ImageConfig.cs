using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>
/// An image's configuration (image-spec, config.md, with the fields Docker adds). Its digest is the image's ID. Members are written in the
/// order of their names at this level, as Docker and BuildKit write them; absent ones are left out.
/// </summary>
public sealed record ImageConfig
{
    [JsonPropertyName("architecture"), JsonPropertyOrder(0)]
    public string Architecture { get => field ?? ""; init; }

    [JsonPropertyName("author"), JsonPropertyOrder(1)]
    public string? Author { get; init; }

    [JsonPropertyName("comment"), JsonPropertyOrder(2)]
    public string? Comment { get; init; }

    [JsonPropertyName("config"), JsonPropertyOrder(3)]
    public ImageRuntimeConfig? Config { get; init; }

    [JsonPropertyName("container"), JsonPropertyOrder(4)]
    public string? Container { get; init; }

    [JsonPropertyName("created"), JsonPropertyOrder(5)]
    public DateTimeOffset? Created { get; init; }

    [JsonPropertyName("docker_version"), JsonPropertyOrder(6)]
    public string? DockerVersion { get; init; }

    /// <summary>One entry per step, oldest first; those that are not <see cref="HistoryEntry.EmptyLayer"/> match the layers one to one.</summary>
    [JsonPropertyName("history"), JsonPropertyOrder(7)]
    public IReadOnlyList<HistoryEntry>? History { get; init; }

    [JsonPropertyName("os"), JsonPropertyOrder(8)]
    public string Os { get => field ?? ""; init; }

    [JsonPropertyName("os.version"), JsonPropertyOrder(9)]
    public string? OsVersion { get; init; }

    [JsonPropertyName("rootfs"), JsonPropertyOrder(10)]
    public RootFs RootFs { get => field ?? new(); init; }

    [JsonPropertyName("variant"), JsonPropertyOrder(11)]
    public string? Variant { get; init; }

    /// <summary>Build cache that the image carries; absent from all others.</summary>
    [JsonPropertyName("sampan.build.cache"), JsonPropertyOrder(12)]
    public IReadOnlyList<CachedStep>? CachedSteps { get; init; }

    /// <summary>What the image is made for.</summary>
    [JsonIgnore]
    public Platform Platform => new() { Os = Os, Architecture = Architecture, Variant = Variant, OsVersion = OsVersion };

    /// <summary>The chain ID of the topmost layer; null for an image without layers.</summary>
    [JsonIgnore]
    public ChainId? ChainId => Oci.ChainId.Of(RootFs.DiffIds);
}

/// <summary>What a container of the image runs with unless told otherwise.</summary>
public sealed record ImageRuntimeConfig
{
    [JsonPropertyName("User"), JsonPropertyOrder(0)]
    public string? User { get; init; }

    /// <summary>Ports as <c>80/tcp</c>.</summary>
    [JsonPropertyName("ExposedPorts"), JsonPropertyOrder(1)]
    public StringSet? ExposedPorts { get; init; }

    [JsonPropertyName("Env"), JsonPropertyOrder(2)]
    public IReadOnlyList<string>? Env { get; init; }

    [JsonPropertyName("Entrypoint"), JsonPropertyOrder(3), JsonConverter(typeof(StringsConverter))]
    public IReadOnlyList<string>? Entrypoint { get; init; }

    [JsonPropertyName("Cmd"), JsonPropertyOrder(4), JsonConverter(typeof(StringsConverter))]
    public IReadOnlyList<string>? Cmd { get; init; }

    [JsonPropertyName("Healthcheck"), JsonPropertyOrder(5)]
    public Healthcheck? Healthcheck { get; init; }

    /// <summary>Windows only; kept because it is part of the digest.</summary>
    [JsonPropertyName("ArgsEscaped"), JsonPropertyOrder(6)]
    public bool? ArgsEscaped { get; init; }

    /// <summary>Paths of anonymous volumes.</summary>
    [JsonPropertyName("Volumes"), JsonPropertyOrder(7)]
    public StringSet? Volumes { get; init; }

    [JsonPropertyName("WorkingDir"), JsonPropertyOrder(8)]
    public string? WorkingDir { get; init; }

    [JsonPropertyName("OnBuild"), JsonPropertyOrder(9)]
    public IReadOnlyList<string>? OnBuild { get; init; }

    [JsonPropertyName("Labels"), JsonPropertyOrder(10)]
    public SortedDictionary<string, string>? Labels { get; init; }

    [JsonPropertyName("StopSignal"), JsonPropertyOrder(11)]
    public string? StopSignal { get; init; }

    [JsonPropertyName("StopTimeout"), JsonPropertyOrder(12)]
    public int? StopTimeoutSeconds { get; init; }

    /// <summary>The shell of the shell forms of RUN, CMD and ENTRYPOINT.</summary>
    [JsonPropertyName("Shell"), JsonPropertyOrder(13)]
    public IReadOnlyList<string>? Shell { get; init; }
}

/// <summary>How a container's health is tested. Times are nanoseconds, 0 or absent meaning inherited.</summary>
public sealed record Healthcheck
{
    /// <summary><c>[]</c> inherits, <c>["NONE"]</c> disables, <c>["CMD", …]</c> executes, <c>["CMD-SHELL", command]</c> runs in the shell.</summary>
    [JsonPropertyName("Test"), JsonPropertyOrder(0)]
    public IReadOnlyList<string>? Test { get; init; }

    [JsonPropertyName("Interval"), JsonPropertyOrder(1)]
    public long? IntervalNanoseconds { get; init; }

    [JsonPropertyName("Timeout"), JsonPropertyOrder(2)]
    public long? TimeoutNanoseconds { get; init; }

    [JsonPropertyName("StartPeriod"), JsonPropertyOrder(3)]
    public long? StartPeriodNanoseconds { get; init; }

    [JsonPropertyName("StartInterval"), JsonPropertyOrder(4)]
    public long? StartIntervalNanoseconds { get; init; }

    [JsonPropertyName("Retries"), JsonPropertyOrder(5)]
    public int? Retries { get; init; }
}

/// <summary>The layers, lowest first.</summary>
public sealed record RootFs
{
    [JsonPropertyName("type"), JsonPropertyOrder(0)]
    public string Type { get => field ?? "layers"; init; }

    /// <summary>Digests of the uncompressed layer archives.</summary>
    [JsonPropertyName("diff_ids"), JsonPropertyOrder(1)]
    public IReadOnlyList<Digest> DiffIds { get => field ?? []; init; }
}

/// <summary>One step of an image's making.</summary>
public sealed record HistoryEntry
{
    [JsonPropertyName("created"), JsonPropertyOrder(0)]
    public DateTimeOffset? Created { get; init; }

    [JsonPropertyName("created_by"), JsonPropertyOrder(1)]
    public string? CreatedBy { get; init; }

    [JsonPropertyName("author"), JsonPropertyOrder(2)]
    public string? Author { get; init; }

    [JsonPropertyName("comment"), JsonPropertyOrder(3)]
    public string? Comment { get; init; }

    /// <summary>True when the step made no layer.</summary>
    [JsonPropertyName("empty_layer"), JsonPropertyOrder(4)]
    public bool? EmptyLayer { get; init; }
}
