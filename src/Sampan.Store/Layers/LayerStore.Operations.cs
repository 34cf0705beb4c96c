using System.IO.Pipelines;
using Sampan.Oci;

namespace Sampan.Store;

public sealed partial class LayerStore
{
    /// <summary>
    /// Unpacks a layer's tar (gzip, bzip2, xz, zstd or none, found by its first bytes) onto a parent and gives the layer; one that is here already
    /// is found again. Nothing is left behind on failure. Hold a <see cref="Lease"/> until something refers to the layer.
    /// </summary>
    /// <param name="tar">Read to its end.</param>
    /// <param name="parent">The layer below; null for none.</param>
    /// <param name="expectedDiffId">What the uncompressed bytes must hash to; null when not known.</param>
    /// <param name="limits">Null takes the defaults.</param>
    /// <param name="progress">Bytes read from <paramref name="tar"/> so far.</param>
    /// <exception cref="TarException">The archive is truncated, hostile or beyond a limit.</exception>
    /// <exception cref="StoreException">The digest differs, or the parent is not here.</exception>
    public async Task<Layer> ApplyAsync(Stream tar, ChainId? parent, Digest? expectedDiffId = null, ApplyLimits? limits = null,
        IProgress<long>? progress = null, CancellationToken cancel = default)
    {
        RequireParent(parent);
        var unpacked = await LayerUnpacker.UnpackAsync(NewDirectory(), tar, limits ?? Limits, progress, cancel);
        return Register(unpacked, parent, expectedDiffId);
    }

    /// <summary>
    /// Makes a layer of an overlay's upper directory, with a deterministic tar: names in byte order, times in whole seconds, whiteouts and opaque
    /// directories in the image-spec's form. No mount may write to the directory meanwhile.
    /// </summary>
    /// <param name="upperDir">With <see cref="CommitOptions.Move"/> it is gone afterwards.</param>
    /// <param name="parent">The layer below; null for none.</param>
    public async Task<Layer> CommitAsync(string upperDir, ChainId? parent, CommitOptions options, CancellationToken cancel = default)
    {
        RequireParent(parent);
        return Register(await LayerCommitter.CommitAsync(NewDirectory(), upperDir, options, cancel), parent, null);
    }

    /// <summary>Writes the layer's uncompressed tar: the bytes its DiffID is the digest of.</summary>
    /// <exception cref="StoreException">A file of the layer was changed or is missing.</exception>
    public async Task WriteTarAsync(Layer layer, Stream destination, CancellationToken cancel = default)
    {
        using var recipe = new RecipeReader(layer);
        await recipe.CopyToAsync(destination, cancel);
    }

    /// <summary>What an overlay's upper directory changes in what lies below it, by path in byte order, as <c>docker diff</c> shows it.</summary>
    /// <param name="lowerDirs">Topmost first, as <see cref="LowerDirs"/> gives them.</param>
    public IReadOnlyList<FileChange> Changes(string upperDir, IReadOnlyList<string> lowerDirs) => LayerChanges.Of(upperDir, lowerDirs);

    /// <summary>Sum of the sizes of the regular files in a tree in bytes, hard links once: SizeRw of a container's upper directory.</summary>
    public long SizeOf(string directory) => LayerChanges.SizeOf(directory);

    /// <summary>What all layers take on the disk in bytes, recipes too. Each is measured once, as layers do not change.</summary>
    public long DiskUsage()
    {
        using var lease = Lease();
        return _layers.Values.Where(s => Get(s.Layer.ChainId) is not null).Sum(s => s.DiskUsage ??= LayerChanges.DiskUsageOf(s.Layer.Directory));
    }

    /// <summary>Unpacks a layer whose place in a stack is not known yet; <see cref="Register"/> or <see cref="Discard"/> must follow.</summary>
    public Task<UnpackedLayer> UnpackAsync(Stream tar, ApplyLimits limits, IProgress<long>? progress, CancellationToken cancel) =>
        LayerUnpacker.UnpackAsync(NewDirectory(), tar, limits, progress, cancel);

    /// <summary>Removes an unpacked layer that nobody needs.</summary>
    public static void Discard(UnpackedLayer unpacked) => TreeRemover.Remove(unpacked.Directory);

    /// <summary>Puts an unpacked layer on a parent, or drops it when the store has it already.</summary>
    /// <exception cref="StoreException">Its digest is another than the expected, or the parent is not here; it is discarded then.</exception>
    public Layer Register(UnpackedLayer unpacked, ChainId? parent, Digest? expectedDiffId)
    {
        try
        {
            if (expectedDiffId is { } expected && expected != unpacked.DiffId)
            {
                throw StoreException.Mismatch($"the layer's content has digest {unpacked.DiffId}, expected {expected}");
            }

            ImpliedDirectories.Settle(unpacked, parent is { } below ? LowerDirs(below) : []);
        }
        catch
        {
            Discard(unpacked);
            throw;
        }

        var layer = new Layer
        {
            ChainId = ChainId.Extend(parent, unpacked.DiffId),
            DiffId = unpacked.DiffId,
            Parent = parent,
            Size = unpacked.Size,
            TarSize = unpacked.TarSize,
            Entries = unpacked.Entries,
            Created = DateTimeOffset.UtcNow,
            DiffPath = Path.Combine(unpacked.Directory, "diff"),
        };
        lock (_gate)
        {
            if (_layers.TryAdd(layer.ChainId, new State(layer, durable: false) { Touched = Interlocked.Increment(ref _clock) }))
            {
                return layer;
            }
        }

        Discard(unpacked);
        return Get(layer.ChainId) ?? throw StoreException.NotFound($"layer {layer.ChainId} was removed meanwhile");
    }

    /// <summary>The content of a layer on another parent: made again from the one that is here.</summary>
    public async Task<Layer> CopyAsync(Layer layer, ChainId? parent, CancellationToken cancel)
    {
        var pipe = new Pipe();
        var writing = WriteAsync(layer, pipe.Writer, cancel);
        await using var reader = pipe.Reader.AsStream();
        var copy = await ApplyAsync(reader, parent, layer.DiffId, cancel: cancel);
        await writing;
        return copy;
    }

    private async Task WriteAsync(Layer layer, PipeWriter writer, CancellationToken cancel)
    {
        try
        {
            await WriteTarAsync(layer, writer.AsStream(leaveOpen: true), cancel);
            await writer.CompleteAsync();
        }
        catch (Exception e)
        {
            await writer.CompleteAsync(e);
        }
    }

    private void RequireParent(ChainId? parent)
    {
        if (parent is { } below && Get(below) is null)
        {
            throw StoreException.NotFound($"layer {below} does not exist");
        }
    }
}
