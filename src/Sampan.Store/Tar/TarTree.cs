namespace Sampan.Store;

/// <summary>How a tree becomes a tar.</summary>
public sealed record TarTreeOptions
{
    /// <summary>The name of the top entry; null takes the last part of the path. With "" the entries are named from the tree's inside.</summary>
    public string? Rename { get; init; }

    /// <summary>Times with nanoseconds; false cuts to seconds, as layers have them.</summary>
    public bool Nanoseconds { get; init; } = true;
}

/// <summary>How a tar becomes files.</summary>
public sealed record ExtractOptions
{
    public ApplyLimits Limits { get; init; } = ApplyLimits.Default;

    /// <summary>Everything gets this owner; null keeps the archive's.</summary>
    public (uint Uid, uint Gid)? Owner { get; init; }

    /// <summary>Refuses to replace a directory by something else and the reverse (<c>docker cp</c>).</summary>
    public bool NoOverwriteDirNonDir { get; init; }
}

/// <summary>Tars of trees in general: <c>cp</c>, <c>export</c>, build contexts. Paths are resolved inside the root, symlinks included, and never leave it.</summary>
public static class TarTree
{
    /// <summary>Writes a file or directory inside a root as a tar, names in byte order.</summary>
    /// <param name="root">An absolute path; <c>/proc/PID/root</c> and <c>/proc/self/fd/N</c> will do.</param>
    /// <param name="path">Inside the root; its last part is not followed when it is a symlink. "/" is the whole tree.</param>
    public static Task WriteAsync(string root, string path, Stream destination, TarTreeOptions options, CancellationToken cancel = default) =>
        throw new NotSupportedException("not here yet");

    /// <summary>Unpacks a tar (compressed or not) into a directory inside a root. What was written before a failure stays.</summary>
    /// <param name="path">An existing directory inside the root.</param>
    public static Task ExtractAsync(Stream tar, string root, string path, ExtractOptions options, CancellationToken cancel = default) =>
        throw new NotSupportedException("not here yet");
}
