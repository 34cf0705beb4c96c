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
    public Task<Layer> ApplyAsync(Stream tar, ChainId? parent, Digest? expectedDiffId = null, ApplyLimits? limits = null,
        IProgress<long>? progress = null, CancellationToken cancel = default) => throw new NotSupportedException("not here yet");

    /// <summary>
    /// Makes a layer of an overlay's upper directory, with a deterministic tar: names in byte order, times in whole seconds, whiteouts and opaque
    /// directories in the image-spec's form. No mount may write to the directory meanwhile.
    /// </summary>
    /// <param name="upperDir">With <see cref="CommitOptions.Move"/> it is gone afterwards.</param>
    /// <param name="parent">The layer below; null for none.</param>
    public Task<Layer> CommitAsync(string upperDir, ChainId? parent, CommitOptions options, CancellationToken cancel = default) =>
        throw new NotSupportedException("not here yet");

    /// <summary>Writes the layer's uncompressed tar: the bytes its DiffID is the digest of.</summary>
    /// <exception cref="StoreException">A file of the layer was changed or is missing.</exception>
    public Task WriteTarAsync(Layer layer, Stream destination, CancellationToken cancel = default) => throw new NotSupportedException("not here yet");

    /// <summary>What an overlay's upper directory changes in what lies below it, by path in byte order, as <c>docker diff</c> shows it.</summary>
    /// <param name="lowerDirs">Topmost first, as <see cref="LowerDirs"/> gives them.</param>
    public IReadOnlyList<FileChange> Changes(string upperDir, IReadOnlyList<string> lowerDirs) => throw new NotSupportedException("not here yet");

    /// <summary>Sum of the sizes of the regular files in a tree in bytes, hard links once: SizeRw of a container's upper directory.</summary>
    public long SizeOf(string directory) => throw new NotSupportedException("not here yet");
}
