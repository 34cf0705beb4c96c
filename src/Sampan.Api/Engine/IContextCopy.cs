namespace Sampan.Api;

/// <summary>A copy of a client's directory that serves one build, and when it is whole the next one too.</summary>
public interface IContextCopy : IDisposable
{
    /// <summary>What <see cref="Keep"/> was given at the last build; empty for a new copy.</summary>
    byte[] Record { get; }

    /// <summary>Removes files and directories, each with what is in it.</summary>
    /// <param name="paths">Relative, in bytes.</param>
    void Remove(IEnumerable<byte[]> paths);

    /// <summary>Adds what a tar has; files that are there are replaced.</summary>
    Task UpdateAsync(Stream tar, CancellationToken cancel);

    /// <summary>The copy is whole: the next build may have it.</summary>
    /// <param name="record">Tells what the files are.</param>
    /// <param name="description">For lists.</param>
    /// <param name="size">Bytes of the files.</param>
    void Keep(ReadOnlySpan<byte> record, string description, long size);
}
