using Sampan.Oci;

namespace Sampan.Store;

/// <summary>A named part of a cache key, so that a miss can be explained: <c>("file src/main.c", "sha256:…")</c>.</summary>
public sealed record CacheKeyPart(string Name, string Value);

/// <summary>What a build step gave, under the parts of its key.</summary>
public sealed record CacheEntry
{
    /// <summary>The key, <see cref="BuildCache.KeyOf"/> of its parts.</summary>
    public required Digest Key { get; init; }

    /// <summary>The topmost layer after the step; null when there is none.</summary>
    public ChainId? Layer { get; init; }

    /// <summary>The configuration after the step, or whatever the builder needs to go on; opaque to the store.</summary>
    public string? State { get; init; }

    /// <summary>The step in words, for lists.</summary>
    public string Description { get; init; } = "";

    public required DateTimeOffset Created { get; init; }

    public DateTimeOffset LastUsed { get; init; }

    /// <summary>How often it was found.</summary>
    public long Uses { get; init; }

    /// <summary>Bytes that the step's own layer takes; 0 when it made none.</summary>
    public long Size { get; init; }
}
