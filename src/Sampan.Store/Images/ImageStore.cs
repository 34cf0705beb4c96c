using Sampan.Oci;

namespace Sampan.Store;

/// <summary>Images and their names. Thread-safe; each method is one transaction, durable when it returns.</summary>
public sealed partial class ImageStore
{
    private readonly Database _database;
    private readonly BlobStore _blobs;
    private readonly LayerStore _layers;
    private readonly BuildCache _cache;

    internal ImageStore(Database database, BlobStore blobs, LayerStore layers, BuildCache cache) =>
        (_database, _blobs, _layers, _cache) = (database, blobs, layers, cache);

    internal IEnumerable<ChainId> LayerRoots() => throw new NotSupportedException("not here yet");

    /// <summary>Stores an image whose layers are here; one that is here already is found again. Pending layers become durable.</summary>
    /// <param name="parent">The image it was built on.</param>
    /// <exception cref="StoreException">A layer is not here.</exception>
    public ImageRecord Put(ImageConfig config, Digest? parent = null) => throw new NotSupportedException("not here yet");

    /// <summary>As <see cref="Put(ImageConfig, Digest?)"/> for a configuration from outside, whose bytes are kept.</summary>
    /// <exception cref="StoreException">It is not a configuration, or a layer is not here.</exception>
    public ImageRecord Put(ReadOnlyMemory<byte> configJson, Digest? parent = null) => throw new NotSupportedException("not here yet");

    /// <summary>An image by its full ID; null when it is not here.</summary>
    public ImageRecord? Get(Digest id) => throw new NotSupportedException("not here yet");

    /// <summary>An image by name, name@digest, ID, or unambiguous beginning of its ID, in Docker's order.</summary>
    /// <exception cref="StoreException">There is none (NotFound), or several (InvalidInput).</exception>
    public ImageRecord Resolve(string nameOrId) => throw new NotSupportedException("not here yet");

    /// <summary>All images, newest first.</summary>
    public IReadOnlyList<ImageRecord> List() => throw new NotSupportedException("not here yet");

    /// <summary>The images built directly on this one.</summary>
    public IReadOnlyList<ImageRecord> Children(Digest id) => throw new NotSupportedException("not here yet");

    /// <summary>Gives an image a name, taking it from another that had it; gives that one's ID.</summary>
    /// <exception cref="StoreException">There is no such image.</exception>
    public Digest? Tag(Digest id, ImageReference reference) => throw new NotSupportedException("not here yet");

    /// <summary>Takes a name away; false when nothing had it.</summary>
    public bool Untag(ImageReference reference) => throw new NotSupportedException("not here yet");

    /// <summary>
    /// <c>rmi</c>: takes the name away, and deletes the image, its untagged parents and the layers nothing else needs when it was the last one.
    /// </summary>
    /// <returns>What happened, in order.</returns>
    /// <exception cref="StoreException">NotFound, or Conflict with Docker's words.</exception>
    public IReadOnlyList<RemovedImage> Remove(string nameOrId, RemoveOptions options) => throw new NotSupportedException("not here yet");

    /// <summary>Loads the images of a Docker archive or OCI layout. Nothing becomes visible before all of it was verified.</summary>
    /// <exception cref="StoreException">The archive is not one, or damaged.</exception>
    public Task<LoadResult> LoadAsync(Stream archive, LoadOptions options, CancellationToken cancel = default) => throw new NotSupportedException("not here yet");

    /// <summary>Writes an archive that is both a Docker archive and an OCI layout, the same bytes for the same images.</summary>
    /// <param name="namesOrIds">A name without tag means all its tags.</param>
    public Task SaveAsync(IReadOnlyList<string> namesOrIds, Stream destination, CancellationToken cancel = default) => throw new NotSupportedException("not here yet");

    /// <summary>Makes an image of one layer from a tar of a root file system.</summary>
    public Task<ImageRecord> ImportAsync(Stream tar, ImportOptions options, CancellationToken cancel = default) => throw new NotSupportedException("not here yet");
}
