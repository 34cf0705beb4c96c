using System.Text.Json;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Manifests as they are, and indexes that are put together by hand (<c>manifest create</c> and <c>push</c>).</summary>
public sealed partial class RegistryService
{
    /// <summary>What a reference stands for, byte for byte.</summary>
    /// <returns>The platform is that of an image; null for an index.</returns>
    public async Task<(StoredManifest Manifest, Platform? Platform)> ManifestAsync(
        ImageReference reference, Credentials credentials, CancellationToken cancel)
    {
        var client = await OpenAsync(reference, credentials, writing: false, cancel);
        var stored = await client.GetManifestAsync(reference.Digest?.ToString() ?? reference.Tag!, cancel);
        if (MediaTypes.IsIndex(stored.MediaType))
        {
            return (stored, null);
        }

        var config = ManifestIn(stored).Config;
        var json = await client.GetBlobAsync(config, ConfigLimit, cancel);
        return (stored, Answers.Parse(json, ImageJson.Compact.ImageConfig, $"configuration {config.Digest}").Platform);
    }

    /// <summary>Stores an index under a tag, after its manifests are in the tag's repository.</summary>
    /// <param name="sources">Where each manifest of the index is now, on the same registry.</param>
    /// <exception cref="RegistryException">A manifest is not there, or the registry does not give one repository's blobs to
    /// another.</exception>
    public async Task<Descriptor> PushIndexAsync(
        ImageReference target, ImageIndex index, IReadOnlyList<ImageReference> sources, Credentials credentials, CancellationToken cancel)
    {
        var client = await OpenAsync(target, credentials, writing: true, cancel);
        foreach (var (descriptor, source) in index.Manifests.Zip(sources).Where(m => m.Second.Path != target.Path))
        {
            await CopyAsync(client, source, descriptor, credentials, cancel);
        }

        var content = JsonSerializer.SerializeToUtf8Bytes(index, ImageJson.Compact.ImageIndex);
        await client.PutManifestAsync(target.Tag!, index.MediaType!, content, cancel);
        return new Descriptor { MediaType = index.MediaType!, Digest = Digest.OfSha256(content), Size = content.Length };
    }

    private static Manifest ManifestIn(StoredManifest stored) =>
        Answers.Parse(stored.Content, ImageJson.Compact.Manifest, $"manifest {stored.Digest}");

    private async Task CopyAsync(
        RepositoryClient target, ImageReference source, Descriptor descriptor, Credentials credentials, CancellationToken cancel)
    {
        var from = await OpenAsync(source, credentials, writing: false, cancel);
        var stored = await from.GetManifestAsync(descriptor.Digest.ToString(), cancel);
        var manifest = ManifestIn(stored);
        foreach (var blob in manifest.Layers.Append(manifest.Config).Select(b => b.Digest).Distinct())
        {
            if (await target.BlobSizeAsync(blob, cancel) is null && await target.StartUploadAsync(blob, source.Path, cancel) is not null)
            {
                throw new RegistryException(RegistryErrorKind.Unavailable,
                    $"{target.Base.Authority} does not mount blob {blob} of {source.Path}: push the image to "
                    + $"{target.Repository.FamiliarName} first");
            }
        }

        await target.PutManifestAsync(stored.Digest.ToString(), stored.MediaType, stored.Content, cancel);
    }
}
