using System.Text.Json;
using Sampan.Oci;
using Sampan.Store;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Registry.Serving;

/// <summary>
/// The images of this machine as a registry shows them, each under its own name: layers go uncompressed, made from their recipes as they are sent,
/// so that their digests are known beforehand, nothing is kept twice, and a fast network does not wait for a compressor. The repository is the
/// image's name, with its domain unless that is docker.io: <c>debian</c> and <c>library/debian</c>, <c>ghcr.io/owner/name</c>.
/// </summary>
internal sealed class LocalImages(DataRoot store)
{
    /// <summary>Every image of a repository by its tags, as a manifest.</summary>
    public IEnumerable<(string Tag, byte[] Manifest, ImageRecord Image)> Of(string repository)
    {
        if (!ImageReference.TryParse($"{repository}:latest", out var name))
        {
            return [];
        }

        return from image in store.Images.List()
               from text in image.RepoTags
               let reference = ImageReference.Parse(text)
               where reference.Name == name.Name
               select (reference.Tag!, ManifestOf(image), image);
    }

    /// <summary>The image that has a blob, be it configuration or layer.</summary>
    public (ImageRecord Image, Layer? Layer)? Find(string repository, Digest digest)
    {
        foreach (var (_, _, image) in Of(repository))
        {
            if (image.Id == digest)
            {
                return (image, null);
            }

            if (image.ChainId is { } chain && store.Layers.Stack(chain).FirstOrDefault(l => l.DiffId == digest) is { } layer)
            {
                return (image, layer);
            }
        }

        return null;
    }

    public IEnumerable<string> Repositories() => store.Images.List().SelectMany(i => i.RepoTags).Select(t => ImageReference.Parse(t).FamiliarName).Distinct();

    private byte[] ManifestOf(ImageRecord image) => JsonSerializer.SerializeToUtf8Bytes(
        new Manifest
        {
            Config = new Descriptor { MediaType = MediaTypes.OciConfig, Digest = image.Id, Size = image.ConfigJson.Length },
            Layers =
            [
                .. (image.ChainId is { } chain ? store.Layers.Stack(chain).Reverse() : [])
                    .Select(l => new Descriptor { MediaType = MediaTypes.OciLayer, Digest = l.DiffId, Size = l.TarSize }),
            ],
        },
        ImageJson.Compact.Manifest);
}
