using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// A layer that was unpacked but stands on no parent yet: <see cref="LayerStore.Register"/> or <see cref="LayerStore.Discard"/> must follow.
/// </summary>
public sealed record UnpackedLayer
{
    internal string Directory { get; init; } = "";

    public required Digest DiffId { get; init; }

    public required long TarSize { get; init; }

    public required long Size { get; init; }

    public required long Entries { get; init; }

    /// <summary>Directories without an entry of their own, which take their attributes from below.</summary>
    internal IReadOnlyList<byte[]> Implied { get; init; } = [];

    internal bool HasRoot { get; init; } = true;

    internal bool IsRootOpaque { get; init; }

    /// <summary>For implied directories that nothing below has.</summary>
    internal FileTime FirstTime { get; init; }
}

/// <summary>Unpacks a layer's tar into a new directory, with two threads: one reads, inflates and hashes, the other parses and writes.</summary>
internal static class LayerUnpacker
{
    /// <summary>On failure the directory is removed.</summary>
    /// <param name="directory">Exists and is empty.</param>
    public static async Task<UnpackedLayer> UnpackAsync(string directory, Stream tar, ApplyLimits limits, IProgress<long>? progress, CancellationToken cancel)
    {
        try
        {
            return await Task.Factory.StartNew(() => Unpack(directory, tar, limits, progress, cancel), CancellationToken.None,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch
        {
            TreeRemover.Remove(directory);
            throw;
        }
    }

    private static UnpackedLayer Unpack(string directory, Stream tar, ApplyLimits limits, IProgress<long>? progress, CancellationToken cancel)
    {
        var diff = Path.Combine(directory, "diff");
        var errno = Sys.TryMkdirAt(Sys.AT_FDCWD, Bytes.FromText(diff), 0x1C0);
        var root = errno == 0 ? Sys.Open(diff, Sys.O_RDONLY | Sys.O_DIRECTORY) : throw new SyscallException("mkdir", $"'{diff}'", errno);
        try
        {
            Sys.Chmod(root, 0x1ED /* 0755 */);
            using var recipe = new RecipeWriter(Path.Combine(directory, "recipe.zst"));
            using var shadow = new ShadowIndex.Writer(directory);
            using var extractor = new LayerExtractor(root, limits, recipe, shadow);
            using var feed = new TarFeed(tar, hashing: true, progress, cancel);
            var reader = new TarReader(feed.Pipe, limits, recipe);
            extractor.Run(reader, cancel);
            var hash = feed.Finish();
            recipe.End(reader.Offset, hash);
            return new UnpackedLayer
            {
                Directory = directory,
                DiffId = Digest.FromSha256(hash),
                TarSize = reader.Offset,
                Size = extractor.Size,
                Entries = reader.Entries,
                Implied = extractor.Implied,
                HasRoot = extractor.HasRoot,
                IsRootOpaque = extractor.IsRootOpaque,
                FirstTime = extractor.FirstTime,
            };
        }
        finally
        {
            Sys.Close(root);
        }
    }
}
