using Sampan.Oci;

namespace Sampan.Store;

/// <summary>A layer, unpacked once. Two images with equal stacks share it.</summary>
public sealed record Layer
{
    /// <summary>The content of a layer in which nothing changed: a tar of its two end blocks alone. Docker writes no layer for it.</summary>
    public static readonly Digest EmptyDiffId = Digest.OfSha256(new byte[1024]);

    /// <summary>The key: this layer's content and everything below it.</summary>
    public required ChainId ChainId { get; init; }

    /// <summary>The digest of the uncompressed tar.</summary>
    public required Digest DiffId { get; init; }

    /// <summary>The layer below; null for the lowest.</summary>
    public ChainId? Parent { get; init; }

    /// <summary>Sum of the sizes of its regular files in bytes, hard links once: what <c>history</c> shows.</summary>
    public required long Size { get; init; }

    /// <summary>Length of the uncompressed tar in bytes.</summary>
    public required long TarSize { get; init; }

    /// <summary>Number of entries in the tar.</summary>
    public required long Entries { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>The unpacked directory, absolute; read-only for everyone but the store.</summary>
    public required string DiffPath { get; init; }

    internal string Directory => Path.GetDirectoryName(DiffPath)!;

    internal string RecipePath => Path.Combine(Directory, "recipe.zst");
}

/// <summary>Limits for an archive from outside. Each has a default; 0 means none.</summary>
public sealed record ApplyLimits
{
    public static ApplyLimits Default { get; } = new();

    /// <summary>Longest name or link target in bytes.</summary>
    public int NameBytes { get; init; } = 64 * 1024;

    /// <summary>Largest extended header (pax, or a GNU long name) in bytes.</summary>
    public int ExtendedHeaderBytes { get; init; } = 1024 * 1024;

    /// <summary>Most entries in one archive.</summary>
    public long Entries { get; init; } = 10_000_000;

    /// <summary>Most bytes of one uncompressed archive, and of the files it claims to hold.</summary>
    public long TotalBytes { get; init; } = 1L << 42;
}

/// <summary>How an overlay's upper directory becomes a layer.</summary>
public sealed record CommitOptions
{
    /// <summary>True moves the files out of the upper directory (a build step); false copies them (a container lives on).</summary>
    public bool Move { get; init; }

    /// <summary>Files newer than this get this time (seconds since the epoch), as SOURCE_DATE_EPOCH asks for.</summary>
    public long? TimestampClamp { get; init; }
}

/// <summary>What happened to a path, in Docker's words for <c>diff</c>.</summary>
public enum ChangeKind
{
    Modify = 0,
    Add = 1,
    Delete = 2,
}

/// <summary>A changed path of a container; absolute, names that are not UTF-8 in the form of <see cref="Sampan.Linux.Bytes"/>.</summary>
public sealed record FileChange(ChangeKind Kind, string Path);
