using System.Buffers;
using System.Text;
using System.Text.Json;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// Writes images as Docker writes them since version 25: an OCI layout (<c>oci-layout</c>, <c>index.json</c>, <c>blobs/</c>) with Docker's
/// <c>manifest.json</c> and <c>repositories</c> beside it. Layers are streamed; entries are sorted, times are zero, and what images share is
/// there once.
/// </summary>
internal sealed class ArchiveWriter(LayerStore layers)
{
    private const string Blobs = "blobs/sha256/";

    private readonly List<(ImageRecord Image, List<ImageReference> Names)> _images = [];

    /// <summary>Adds an image; one that is there already gets another name.</summary>
    public void Add(ImageRecord image, ImageReference? name)
    {
        var index = _images.FindIndex(i => i.Image.Id == image.Id);
        if (index < 0)
        {
            index = _images.Count;
            _images.Add((image, []));
        }

        if (name is not null && !_images[index].Names.Contains(name))
        {
            _images[index].Names.Add(name);
        }
    }

    public async Task WriteAsync(Stream destination, CancellationToken cancel)
    {
        var files = new SortedDictionary<string, (byte[]? Content, Layer? Layer)>(StringComparer.Ordinal);
        var archive = new List<ArchiveImage>();
        var manifests = new List<Descriptor>();
        var repositories = new SortedDictionary<string, SortedDictionary<string, string>>(StringComparer.Ordinal);
        foreach (var (image, names) in _images)
        {
            var stack = image.ChainId is { } chain ? layers.Stack(chain).Reverse().ToList() : [];
            stack.ForEach(l => files[Blobs + l.DiffId.Hex] = (null, l));
            files[Blobs + image.Id.Hex] = (image.ConfigJson.ToArray(), null);
            archive.Add(new ArchiveImage
            {
                Config = Blobs + image.Id.Hex,
                RepoTags = names.Count == 0 ? null : [.. names.Select(n => n.FamiliarString)],
                Layers = [.. stack.Select(l => Blobs + l.DiffId.Hex)],
            });
            var manifest = AddManifest(files, image, stack);
            manifests.AddRange(names.Count == 0 ? [manifest] : names.Select(n => Named(manifest, n)));
            foreach (var name in names)
            {
                repositories.TryAdd(name.FamiliarName, new SortedDictionary<string, string>(StringComparer.Ordinal));
                repositories[name.FamiliarName][name.Tag!] = stack.Count > 0 ? stack[^1].DiffId.Hex : "";
            }
        }

        files["index.json"] = (Json(new ImageIndex { Manifests = manifests }, ImageJson.Compact.ImageIndex), null);
        files["manifest.json"] = (Json(archive, ImageJson.Compact.ArchiveImages), null);
        files["oci-layout"] = (Json(new ImageLayout(), ImageJson.Compact.ImageLayout), null);
        if (repositories.Count > 0)
        {
            files["repositories"] = (Json(repositories, ImageJson.Compact.Repositories), null);
        }

        await WriteFilesAsync(files, destination, cancel);
    }

    private static Descriptor AddManifest(SortedDictionary<string, (byte[]? Content, Layer? Layer)> files, ImageRecord image, List<Layer> stack)
    {
        var manifest = Json(new Manifest
        {
            Config = new Descriptor { MediaType = MediaTypes.OciConfig, Digest = image.Id, Size = image.ConfigJson.Length },
            Layers = [.. stack.Select(l => new Descriptor { MediaType = MediaTypes.OciLayer, Digest = l.DiffId, Size = l.TarSize })],
        }, ImageJson.Compact.Manifest);
        var digest = Digest.OfSha256(manifest);
        files[Blobs + digest.Hex] = (manifest, null);
        return new Descriptor { MediaType = MediaTypes.OciManifest, Digest = digest, Size = manifest.Length, Platform = image.Config.Platform };
    }

    private static Descriptor Named(Descriptor manifest, ImageReference name) => manifest with
    {
        Annotations = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["io.containerd.image.name"] = name.ToString(),
            ["org.opencontainers.image.ref.name"] = name.Tag!,
        },
    };

    private async Task WriteFilesAsync(SortedDictionary<string, (byte[]? Content, Layer? Layer)> files, Stream destination, CancellationToken cancel)
    {
        var header = new ArrayBufferWriter<byte>();
        foreach (var directory in (string[])["blobs/", Blobs])
        {
            TarHeader.Write(header, new TarEntry { Name = Encoding.UTF8.GetBytes(directory), Kind = TarEntryKind.Directory, Mode = 0x1ED /* 0755 */ });
        }

        foreach (var (name, (content, layer)) in files)
        {
            var size = content?.Length ?? layer!.TarSize;
            TarHeader.Write(header, new TarEntry { Name = Encoding.UTF8.GetBytes(name), Kind = TarEntryKind.Regular, Mode = 0x1A4 /* 0644 */, Size = size, StoredSize = size });
            header.Write(content);
            if (layer is not null)
            {
                await destination.WriteAsync(header.WrittenMemory, cancel);
                header.ResetWrittenCount();
                await layers.WriteTarAsync(layer, destination, cancel);
            }

            header.Write(TarHeader.Padding(size));
        }

        header.Write(TarHeader.End);
        await destination.WriteAsync(header.WrittenMemory, cancel);
    }

    private static byte[] Json<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(value, type);
}
