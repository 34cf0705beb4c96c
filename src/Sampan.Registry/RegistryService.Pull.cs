using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Registry;

/// <summary><c>pull</c>: (1) manifest, (2) platform, (3) configuration, (4) layers, (5) image and names.</summary>
public sealed partial class RegistryService
{
    private const int ConfigLimit = 8 * 1024 * 1024, LayerLimit = 1024;

    /// <summary>Fetches an image and gives it the name, and the name with its digest.</summary>
    /// <param name="reference">With a tag or a digest.</param>
    /// <param name="platform">Null is this machine's.</param>
    /// <param name="report">Is told what happens, in Docker's words; may be called from several threads at a time.</param>
    /// <returns>Whether anything is different from before, and the image.</returns>
    /// <exception cref="RegistryException">Nothing is left of what was begun.</exception>
    /// <exception cref="StoreException">A layer is damaged or beyond a limit.</exception>
    public async Task<(bool IsNew, ImageRecord Image)> PullAsync(
        ImageReference reference, Platform? platform, Credentials credentials, Action<TransferMessage> report, CancellationToken cancel)
    {
        var store = _store ?? throw new InvalidOperationException("there is no store to pull to");
        using var lease = store.Lease();

        // :: 1 manifest
        var (client, top) = await AskAsync(reference, credentials, c =>
            c.GetManifestAsync(reference.Digest?.ToString() ?? reference.Tag!, cancel), cancel);
        report(new TransferMessage(reference.Digest is null ? reference.Tag : reference.ToString(), $"Pulling from {reference.Path}"));

        // :: 2 platform
        var manifest = await ChooseAsync(client, top, platform ?? Platform.Current, cancel);
        if (manifest.Layers.Count > LayerLimit)
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"manifest {reference}: it has {manifest.Layers.Count} layers, more than the limit of {LayerLimit}");
        }

        // :: 3 configuration
        var (config, configJson) = await ConfigAsync(client, reference, manifest, platform, cancel);

        // :: 4 layers
        var isHere = store.Images.Get(manifest.Config.Digest) is not null;
        await FetchLayersAsync(client, manifest, config, isHere ? _ => { } : report, cancel);

        // :: 5 image and names
        var id = Digest.OfSha256(configJson);
        var canonical = reference.WithDigest(top.Digest);
        List<ImageReference> names = reference.Tag is { } tag && reference.Digest is null ? [reference.WithTag(tag), canonical]
            : [canonical];
        var before = store.Images.Get(id);
        var isNew = before is null || !names.TrueForAll(n => before.RepoTags.Contains(n.FamiliarString)
            || before.RepoDigests.Contains(n.FamiliarString));
        store.Images.PutAll([new NewImage(configJson, null, names)], out _);
        report(new TransferMessage(null, $"Digest: {top.Digest}"));
        return (isNew, store.Images.Get(id) ?? throw new StoreException(StoreErrorKind.NotFound, $"image {id} was removed meanwhile"));
    }

    private static async Task<Manifest> ChooseAsync(RepositoryClient client, StoredManifest top, Platform platform,
        CancellationToken cancel)
    {
        // An index within an index is allowed by the specification, and nobody needs a third.
        for (var depth = 0; MediaTypes.IsIndex(top.MediaType); depth++)
        {
            var index = Answers.Parse(top.Content, ImageJson.Compact.ImageIndex, $"index {top.Digest}");
            var chosen = PlatformChoice.Best(index.Manifests, platform) ?? index.Manifests.FirstOrDefault(m =>
                MediaTypes.IsIndex(m.MediaType));
            if (chosen is null || depth == 2)
            {
                throw new RegistryException(RegistryErrorKind.NotFound,
                    $"no matching manifest for {platform} in the manifest list entries: {client.Repository.FamiliarName} has "
                    + $"{Offered(index)}");
            }

            top = await client.GetManifestAsync(chosen.Digest.ToString(), cancel);
        }

        return Answers.Parse(top.Content, ImageJson.Compact.Manifest, $"manifest {top.Digest}");
    }

    private static string Offered(ImageIndex index) =>
        string.Join(", ", index.Manifests.Select(m => m.Platform?.ToString()).OfType<string>().Where(p => p != "unknown/unknown")
        .Distinct().Take(20)) is { Length: > 0 } all
            ? all : "none for any";

    private static async Task<(ImageConfig Config, byte[] Json)> ConfigAsync(
        RepositoryClient client, ImageReference reference, Manifest manifest, Platform? platform, CancellationToken cancel)
    {
        if (manifest.Config.MediaType is not (MediaTypes.OciConfig or MediaTypes.DockerConfig or "application/octet-stream" or ""))
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"{reference.FamiliarString} is not an image: its configuration is of type \"{manifest.Config.MediaType}\"");
        }

        var json = await client.GetBlobAsync(manifest.Config, ConfigLimit, cancel);
        var config = Answers.Parse(json, ImageJson.Compact.ImageConfig, $"configuration {manifest.Config.Digest}");
        if (config.RootFs.DiffIds.Count != manifest.Layers.Count)
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                $"image {manifest.Config.Digest}: the manifest has {manifest.Layers.Count} layers, the configuration "
                + $"{config.RootFs.DiffIds.Count}");
        }

        if (config.Os is not ("linux" or "") || (platform is not null && PlatformChoice.Rank(platform, config.Platform) is null))
        {
            throw new RegistryException(RegistryErrorKind.NotFound,
                $"image with reference {reference.FamiliarString} was found but does not match the specified platform: wanted "
                + $"{platform ?? Platform.Current}, actual: {config.Platform}");
        }

        return (config, json);
    }

    private async Task FetchLayersAsync(RepositoryClient client, Manifest manifest, ImageConfig config, Action<TransferMessage> report,
        CancellationToken cancel)
    {
        var steps = new List<(Descriptor Blob, Digest DiffId, ChainId? Parent, LayerTransfer? Transfer)>();
        try
        {
            ChainId? parent = null;
            foreach (var (blob, diffId) in manifest.Layers.Zip(config.RootFs.DiffIds))
            {
                var chain = ChainId.Extend(parent, diffId);
                var present = _store!.Layers.Get(chain) is not null || _store.Layers.FindByDiffId(diffId) is not null;
                report(new TransferMessage(blob.Digest.Short, present ? "Already exists" : "Pulling fs layer", IsItem: true));
                steps.Add((blob, diffId, parent, present ? null : _transfers!.Join(client, blob, report)));
                parent = chain;
            }

            foreach (var (blob, diffId, below, transfer) in steps)
            {
                if (transfer is not null)
                {
                    await transfer.PlaceAsync(below, diffId, cancel);
                    report(new TransferMessage(blob.Digest.Short, "Pull complete", IsItem: true));
                }
                else if (_store!.Layers.Get(ChainId.Extend(below, diffId)) is null)
                {
                    // Its content is here on another parent.
                    await _store.Layers.CopyAsync(_store.Layers.FindByDiffId(diffId)!, below, cancel);
                }

                _known!.Add(diffId, blob, client.Repository);
            }
        }
        finally
        {
            foreach (var transfer in steps.Select(s => s.Transfer).OfType<LayerTransfer>())
            {
                await _transfers!.LeaveAsync(transfer, report);
            }
        }
    }
}
