using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A reference to content by digest (image-spec, descriptor.md).</summary>
public sealed record Descriptor
{
    [JsonPropertyName("mediaType"), JsonPropertyOrder(0)]
    public string MediaType { get => field ?? ""; init; }

    [JsonPropertyName("digest"), JsonPropertyOrder(1)]
    public required Digest Digest { get; init; }

    /// <summary>Bytes.</summary>
    [JsonPropertyName("size"), JsonPropertyOrder(2)]
    public required long Size { get; init; }

    [JsonPropertyName("urls"), JsonPropertyOrder(3)]
    public IReadOnlyList<string>? Urls { get; init; }

    [JsonPropertyName("annotations"), JsonPropertyOrder(4)]
    public SortedDictionary<string, string>? Annotations { get; init; }

    [JsonPropertyName("platform"), JsonPropertyOrder(5)]
    public Platform? Platform { get; init; }

    [JsonPropertyName("artifactType"), JsonPropertyOrder(6)]
    public string? ArtifactType { get; init; }
}

/// <summary>The media types of the image-spec and of Docker's schema 2.</summary>
public static class MediaTypes
{
    public const string OciIndex = "application/vnd.oci.image.index.v1+json";
    public const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    public const string OciConfig = "application/vnd.oci.image.config.v1+json";
    public const string OciLayer = "application/vnd.oci.image.layer.v1.tar";
    public const string OciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    public const string OciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
    public const string DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    public const string DockerConfig = "application/vnd.docker.container.image.v1+json";
    public const string DockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// <summary>True for an index or a manifest list.</summary>
    public static bool IsIndex(string mediaType) => mediaType is OciIndex or DockerManifestList;

    /// <summary>True for an image manifest of either kind.</summary>
    public static bool IsManifest(string mediaType) => mediaType is OciManifest or DockerManifest;
}
