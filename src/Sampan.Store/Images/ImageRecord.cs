using Sampan.Oci;

namespace Sampan.Store;

/// <summary>An image in the store.</summary>
public sealed record ImageRecord
{
    /// <summary>The digest of <see cref="ConfigJson"/>.</summary>
    public required Digest Id { get; init; }

    public required ImageConfig Config { get; init; }

    /// <summary>The configuration byte for byte as it was loaded, with members we do not know.</summary>
    public required ReadOnlyMemory<byte> ConfigJson { get; init; }

    /// <summary>The image it was built on, when that is known and still there.</summary>
    public Digest? Parent { get; init; }

    /// <summary>Familiar names with tags, <c>debian:12</c>, in byte order.</summary>
    public required IReadOnlyList<string> RepoTags { get; init; }

    /// <summary>Familiar names with digests, <c>debian@sha256:…</c>, in byte order.</summary>
    public required IReadOnlyList<string> RepoDigests { get; init; }

    /// <summary>Sum of the sizes of its layers in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>When a tag was last given to it; null if never.</summary>
    public DateTimeOffset? LastTagged { get; init; }

    /// <summary>The topmost layer; null for an image without layers.</summary>
    public ChainId? ChainId => Config.ChainId;

    /// <summary>No tag and no digest names it.</summary>
    public bool IsDangling => RepoTags.Count == 0 && RepoDigests.Count == 0;
}

/// <summary>A container that uses an image, as the engine answers for <see cref="RemoveOptions.Containers"/>.</summary>
public sealed record ImageUser(string ContainerId, bool Running);

/// <summary>How an image is removed.</summary>
public sealed record RemoveOptions
{
    /// <summary>Removes all tags, and an image that stopped containers use.</summary>
    public bool Force { get; init; }

    /// <summary>Keeps untagged parents.</summary>
    public bool NoPrune { get; init; }

    /// <summary>Names the containers that use an image. Asked before anything is changed, with no lock held.</summary>
    public Func<Digest, IReadOnlyList<ImageUser>> Containers { get; init; } = _ => [];
}

/// <summary>One line of <c>rmi</c>: a tag taken away or an image deleted.</summary>
public sealed record RemovedImage(string? Untagged, string? Deleted);

/// <summary>What <c>load</c> found in an archive.</summary>
/// <param name="Tags">Familiar names that now stand for an image of the archive, in its order.</param>
/// <param name="Untagged">IDs of the images the archive gave no name.</param>
/// <param name="Replaced">Names that stood for another image before, with that image's ID.</param>
public sealed record LoadResult(IReadOnlyList<string> Tags, IReadOnlyList<Digest> Untagged, IReadOnlyList<(string Tag, Digest Previous)> Replaced);

/// <summary>Progress of a load or import.</summary>
/// <param name="Layer">A short name of the layer at work: the first twelve digits of its digest or folder in the archive.</param>
/// <param name="Bytes">Bytes read of it so far.</param>
/// <param name="TotalBytes">Its size in the archive; 0 when not known.</param>
public sealed record LayerProgress(string Layer, long Bytes, long TotalBytes);

/// <summary>How <c>load</c> reads an archive.</summary>
public sealed record LoadOptions
{
    /// <summary>Of an index only this platform's image; null takes every image that is whole.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Null takes the store's.</summary>
    public ApplyLimits? Limits { get; init; }

    public IProgress<LayerProgress>? Progress { get; init; }
}

/// <summary>How a root file system becomes an image.</summary>
public sealed record ImportOptions
{
    /// <summary>The name to give it; null gives none.</summary>
    public ImageReference? Reference { get; init; }

    public string Message { get; init; } = "";

    /// <summary>Where it came from, for the history; null leaves it out.</summary>
    public string? Source { get; init; }

    public Platform Platform { get; init; } = Platform.Current;

    /// <summary>The container configuration that <c>--change</c> made.</summary>
    public ImageRuntimeConfig Config { get; init; } = new();

    /// <summary>The time to record; null takes the present.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>Null takes the store's.</summary>
    public ApplyLimits? Limits { get; init; }

    /// <summary>Bytes read of the archive so far.</summary>
    public IProgress<long>? Progress { get; init; }
}
