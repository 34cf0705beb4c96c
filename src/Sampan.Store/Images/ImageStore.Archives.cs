using Sampan.Oci;

namespace Sampan.Store;

/// <summary><c>load</c> and <c>save</c>.</summary>
public sealed partial class ImageStore
{
    /// <summary>Loads the images of a Docker archive or OCI layout. Nothing becomes visible before all of it was verified.</summary>
    /// <exception cref="StoreException">The archive is not one, or damaged.</exception>
    public async Task<LoadResult> LoadAsync(Stream archive, LoadOptions options, CancellationToken cancel = default)
    {
        using var lease = _layers.Lease();
        using var loader = new ArchiveLoader(_layers, options, cancel);
        await Task.Factory.StartNew(() => loader.Read(archive), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var images = await loader.ResolveAsync();
        var ids = PutAll(images, out var replaced);
        return new LoadResult([.. images.SelectMany(i => i.Names).Select(n => n.FamiliarString)],
            [.. images.Zip(ids).Where(p => p.First.Names.Count == 0).Select(p => p.Second)], replaced);
    }

    /// <summary>Writes an archive that is both a Docker archive and an OCI layout, the same bytes for the same images.</summary>
    /// <param name="namesOrIds">A name without tag means all its tags.</param>
    /// <exception cref="StoreException">NotFound.</exception>
    public Task SaveAsync(IReadOnlyList<string> namesOrIds, Stream destination, CancellationToken cancel = default) =>
        SaveAsync(namesOrIds.SelectMany(ResolveAll), destination, cancel);

    /// <summary>As the other, under names that the images need not have here.</summary>
    public async Task SaveAsync(IEnumerable<(ImageReference? Name, ImageRecord Image)> images, Stream destination, CancellationToken cancel = default)
    {
        using var lease = _layers.Lease();
        var writer = new ArchiveWriter(_layers);
        foreach (var (name, image) in images)
        {
            writer.Add(image, name);
        }

        await writer.WriteAsync(destination, cancel);
    }
}
