using System.Text.Json;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Registry;

/// <summary><c>push</c>: (1) layers, (2) configuration, (3) manifest.</summary>
public sealed partial class RegistryService
{
    /// <summary>Sends an image under a tag of its repository, and gives it the name with the manifest's digest.</summary>
    /// <param name="reference">With a tag.</param>
    /// <param name="report">Is told what happens, in Docker's words; may be called from several threads at a time.</param>
    /// <returns>What the tag stands for at the registry now.</returns>
    /// <exception cref="RegistryException">The registry's tag is as it was.</exception>
    public async Task<Descriptor> PushAsync(
        ImageReference reference, ImageRecord image, Credentials credentials, Action<TransferMessage> report, CancellationToken cancel)
    {
        var store = _store ?? throw new InvalidOperationException("there is no store to push from");
        using var lease = store.Lease();
        var client = await OpenAsync(reference, credentials, writing: true, cancel);

        // :: 1 layers, of which an image may have one several times
        var stack = image.ChainId is { } chain ? store.Layers.Stack(chain).Reverse().ToList() : [];
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var pushes = stack.DistinctBy(l => l.DiffId).ToDictionary(l => l.DiffId, l => PushLayerAsync(client, l, report, stop.Token));
        try
        {
            await AllOrFirstFailureAsync([.. pushes.Values], stop);
        }
        finally
        {
            await ((Task)Task.WhenAll(pushes.Values)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var layers = stack.Select(l => pushes[l.DiffId].Result).ToList();

        // :: 2 configuration
        if (await client.BlobSizeAsync(image.Id, cancel) is null)
        {
            await client.UploadAsync(image.ConfigJson.ToArray(), image.Id, cancel);
        }

        // :: 3 manifest
        var (mediaType, content) = ManifestOf(image, layers);
        await client.PutManifestAsync(reference.Tag!, mediaType, content, cancel);
        var digest = Digest.OfSha256(content);
        store.Images.Tag(image.Id, reference.WithDigest(digest));
        report(new TransferMessage(null, $"{reference.Tag}: digest: {digest} size: {content.Length}"));
        return new Descriptor { MediaType = mediaType, Digest = digest, Size = content.Length };
    }

    /// <summary>Docker's schema 2, which every registry takes; OCI's when a layer is compressed as only that knows.</summary>
    private static (string MediaType, byte[] Content) ManifestOf(ImageRecord image, List<Descriptor> layers)
    {
        var isDocker = layers.TrueForAll(l => l.MediaType is MediaTypes.DockerLayerGzip or MediaTypes.OciLayerGzip);
        var type = isDocker ? MediaTypes.DockerManifest : MediaTypes.OciManifest;
        var manifest = new Manifest
        {
            MediaType = type,
            Config = new Descriptor
            {
                MediaType = isDocker ? MediaTypes.DockerConfig : MediaTypes.OciConfig,
                Digest = image.Id,
                Size = image.ConfigJson.Length
            },
            Layers = [.. layers.Select(l => new Descriptor { MediaType = LayerType(l.MediaType, isDocker), Digest = l.Digest,
            Size = l.Size })],
        };
        return (type, JsonSerializer.SerializeToUtf8Bytes(manifest, ImageJson.Compact.Manifest));
    }

    private static string LayerType(string known, bool isDocker) => isDocker ? MediaTypes.DockerLayerGzip : known switch
    {
        MediaTypes.DockerLayerGzip => MediaTypes.OciLayerGzip,
        "application/vnd.docker.image.rootfs.diff.tar" => MediaTypes.OciLayer,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => MediaTypes.OciLayerZstd,
        _ => known,
    };

    /// <summary>The first failure stops the others, which shall not report theirs.</summary>
    private static async Task AllOrFirstFailureAsync(List<Task<Descriptor>> tasks, CancellationTokenSource stop)
    {
        while (tasks.Count > 0)
        {
            var done = await Task.WhenAny(tasks);
            tasks.Remove(done);
            try
            {
                await done;
            }
            catch
            {
                await stop.CancelAsync();
                throw;
            }
        }
    }

    private async Task<Descriptor> PushLayerAsync(RepositoryClient client, Layer layer, Action<TransferMessage> report,
        CancellationToken cancel)
    {
        void Say(string status) => report(new TransferMessage(layer.DiffId.Short, status, IsItem: true));
        Say("Preparing");
        await _uploads.WaitAsync(cancel);
        try
        {
            var (descriptor, from) = await FindAsync(client, layer, cancel) is { } found ? found
                : (await LayerUpload.SendAsync(client, _store!.Layers, layer, report, cancel), null);
            _known!.Add(layer.DiffId, descriptor, client.Repository);
            Say(from ?? "Pushed");
            return descriptor;
        }
        finally
        {
            _uploads.Release();
        }
    }

    /// <summary>The layer at the registry, in the repository or to be mounted from another; null when it must be sent.</summary>
    private async Task<(Descriptor Blob, string Status)?> FindAsync(RepositoryClient client, Layer layer, CancellationToken cancel)
    {
        var known = _known!.Of(layer.DiffId).Where(k => Digest.TryParse(k.Digest, out _)).ToList();
        foreach (var blob in known.OrderByDescending(k => k.Repository == client.Repository.Name).DistinctBy(k => k.Digest).Take(HintLimit))
        {
            var digest = Digest.Parse(blob.Digest);
            if (await client.BlobSizeAsync(digest, cancel) is not null)
            {
                return (new Descriptor { MediaType = blob.MediaType, Digest = digest, Size = blob.Size }, "Layer already exists");
            }
        }

        var elsewhere = known.Select(k => (Blob: k, Source: ImageReference.ParseName(k.Repository)))
            .Where(k => k.Source.Domain == client.Repository.Domain && k.Source.Path != client.Repository.Path).Take(HintLimit);
        foreach (var (blob, source) in elsewhere)
        {
            // A registry that does not mount opens an upload instead, which expires unused.
            if (await client.StartUploadAsync(Digest.Parse(blob.Digest), source.Path, cancel) is null)
            {
                return (new Descriptor { MediaType = blob.MediaType, Digest = Digest.Parse(blob.Digest), Size = blob.Size },
                    $"Mounted from {source.Path}");
            }
        }

        return null;
    }

    /// <summary>Known blobs that are asked for before a layer is sent.</summary>
    private const int HintLimit = 4;
}
