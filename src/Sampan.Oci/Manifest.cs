using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>An image manifest: one config and its layers, lowest first (image-spec, manifest.md; Docker's schema 2 has the same shape).</summary>
public sealed record Manifest
{
    [JsonPropertyName("schemaVersion"), JsonPropertyOrder(0)]
    public int SchemaVersion { get; init; } = 2;

    [JsonPropertyName("mediaType"), JsonPropertyOrder(1)]
    public string? MediaType { get; init; } = MediaTypes.OciManifest;

    [JsonPropertyName("artifactType"), JsonPropertyOrder(2)]
    public string? ArtifactType { get; init; }

    [JsonPropertyName("config"), JsonPropertyOrder(3)]
    public required Descriptor Config { get; init; }

    [JsonPropertyName("layers"), JsonPropertyOrder(4)]
    public IReadOnlyList<Descriptor> Layers { get => field ?? []; init; }

    [JsonPropertyName("subject"), JsonPropertyOrder(5)]
    public Descriptor? Subject { get; init; }

    [JsonPropertyName("annotations"), JsonPropertyOrder(6)]
    public SortedDictionary<string, string>? Annotations { get; init; }
}

/// <summary>An image index: manifests, usually one per platform (image-spec, image-index.md).</summary>
public sealed record ImageIndex
{
    [JsonPropertyName("schemaVersion"), JsonPropertyOrder(0)]
    public int SchemaVersion { get; init; } = 2;

    [JsonPropertyName("mediaType"), JsonPropertyOrder(1)]
    public string? MediaType { get; init; } = MediaTypes.OciIndex;

    [JsonPropertyName("manifests"), JsonPropertyOrder(2)]
    public IReadOnlyList<Descriptor> Manifests { get => field ?? []; init; }

    [JsonPropertyName("annotations"), JsonPropertyOrder(3)]
    public SortedDictionary<string, string>? Annotations { get; init; }
}

/// <summary>The marker file <c>oci-layout</c> of an image layout.</summary>
public sealed record ImageLayout
{
    [JsonPropertyName("imageLayoutVersion")]
    public string ImageLayoutVersion { get; init; } = "1.0.0";
}

/// <summary>One image of Docker's archive format, as listed in <c>manifest.json</c>. Paths are relative to the archive's root.</summary>
public sealed record ArchiveImage
{
    [JsonPropertyName("Config"), JsonPropertyOrder(0)]
    public string Config { get => field ?? ""; init; }

    [JsonPropertyName("RepoTags"), JsonPropertyOrder(1), JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public IReadOnlyList<string>? RepoTags { get; init; }

    [JsonPropertyName("Layers"), JsonPropertyOrder(2)]
    public IReadOnlyList<string> Layers { get => field ?? []; init; }
}
